//! `--time`, `:explain` and `:watch`.

use super::duel::{Duel, our_client};
use super::terminal::Terminal;

#[test]
fn times_are_told() {
    let duel = Duel::new(&[]);
    let run = duel.run_ours("-p PORT --time -r 2 DEBUG SLEEP 0.01");
    assert_eq!(run.stdout, b"OK\nOK\n");
    let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
    let lines: Vec<&str> = stderr.lines().collect();
    let [first, second] = lines.as_slice() else {
        panic!("two lines are wanted: {stderr}");
    };
    // Connecting is told with the first command alone. The server sleeps while the client waits.
    assert!(first.starts_with("time: connect "), "{first}");
    assert!(second.starts_with("time: write "), "{second}");
    for line in lines {
        let wait = line
            .split("wait ")
            .nth(1)
            .and_then(|rest| rest.split(',').next());
        assert!(wait.is_some_and(|wait| wait.ends_with(" ms")), "{line}");
        let counted = line
            .split("the server counted ")
            .nth(1)
            .expect("the server tells");
        let us: u64 = counted.trim_end_matches(" µs").parse().expect("a number");
        assert!(us >= 10_000, "{line}");
    }
}

#[test]
fn a_command_is_explained_and_not_run() {
    let duel = Duel::new(&[]);
    let run = duel.run(
        our_client(),
        "-p PORT <<< \":explain SET a 1 GET\\nGET a\\n\"",
    );
    assert_eq!(
        String::from_utf8_lossy(&run.stdout),
        "command     set
arguments   at least 2
flags       write denyoom
categories  @write @string @slow
key         \"a\": RW access update
locks       not told: Redis runs one command at a time, and my_redis_server tells shards
            by DEBUG SHARD, with enable-debug-command

"
    );
    for (command, line) in [
        (
            "GET",
            "arguments   exactly 1, but here are 0: the server will refuse it",
        ),
        ("nosuch x", "The server does not know the command 'nosuch'."),
        ("object encoding a", "command     object|encoding"),
        ("ping", "keys        none"),
    ] {
        let run = duel.run(
            our_client(),
            &format!("-p PORT <<< \":explain {command}\\n\""),
        );
        let stdout = String::from_utf8_lossy(&run.stdout).into_owned();
        assert!(
            stdout.lines().any(|found| found == line),
            "{command}: {stdout}"
        );
    }
}

/// The second connection, which asks about a command, logs in as the user has.
#[test]
fn a_user_who_has_logged_in_gets_explanations() {
    let duel = Duel::new(&["--requirepass", "secret"]);
    for line in [
        "-p PORT -a secret <<< \":explain GET a\"",
        "-p PORT <<< \"AUTH secret\\n:explain GET a\"",
        "-p PORT <<< \"HELLO 3 SETNAME me AUTH default secret\\n:explain GET a\"",
        "-p PORT --user default -a secret <<< \":explain GET a\"",
    ] {
        let run = duel.run(our_client(), line);
        let stdout = String::from_utf8_lossy(&run.stdout).into_owned();
        assert!(stdout.contains("\narguments   exactly 1\n"), "{run:?}");
    }
    for line in [
        "-p PORT <<< \":explain GET a\"",
        "-p PORT <<< \"AUTH secret\\nRESET\\n:explain GET a\"",
    ] {
        let run = duel.run(our_client(), line);
        let complaint = "The server does not let this user ask about commands.\n";
        assert_eq!(String::from_utf8_lossy(&run.stderr), complaint);
    }
}

#[test]
fn our_server_tells_the_locks() {
    let duel = Duel::with_our_server(&[]);
    let mut client = duel.server.client();
    let shard =
        |client: &mut crate::common::Client, key: &str| client.integer(&["DEBUG", "SHARD", key]);
    let mut shards = [shard(&mut client, "a"), shard(&mut client, "b")];
    shards.sort_unstable();
    let [one, two] = shards;
    let run = duel.run(
        our_client(),
        "-p PORT <<< \":explain MSET a 1 b 2\\n:explain GET a\\n\"",
    );
    let stdout = String::from_utf8_lossy(&run.stdout).into_owned();
    let both = match one == two {
        true => format!("locks       shard {one} (exclusively"),
        false => format!("locks       shards {one}, {two} (exclusively"),
    };
    assert!(stdout.contains(&both), "{stdout}");
    let a = shard(&mut client, "a");
    let reads = format!("locks       shard {a} (shared");
    assert!(stdout.contains(&reads), "{stdout}");
    // EVAL is no command that writes, and a script may.
    let run = duel.run(
        our_client(),
        "-p PORT <<< \":explain EVAL x 1 a\\n:explain KEYS *\"",
    );
    let stdout = String::from_utf8_lossy(&run.stdout).into_owned();
    let script = format!("locks       shard {a} (exclusively");
    assert!(stdout.contains(&script), "{stdout}");
    let no_keys = "keys        none\nlocks       not told: ";
    assert!(stdout.contains(no_keys), "{stdout}");
}

/// The password that was typed for one server is not sent to another, nor asks the client the old one.
#[test]
fn another_server_is_told_nothing_of_the_old_one() {
    let old = Duel::new(&["--requirepass", "secret"]);
    let mut new = Duel::new(&[]);
    new.name("OLD", &old.server.port.to_string());
    let line = "-p OLD --time <<< \"AUTH secret\\nPING\\nconnect 127.0.0.1 PORT\\nGET a\\n:explain GET a\\n\"";
    let mut client = new.server.client();
    client.call(&["CONFIG", "RESETSTAT"]);
    let run = new.run(our_client(), line);
    let stdout = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(stdout.contains("command     get\n"), "{run:?}");
    assert!(!client.ask("INFO commandstats").contains("cmdstat_auth"));
    // The new server has counted the GET.
    let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
    let last = stderr.lines().last().unwrap_or_default();
    assert!(last.contains("the server counted "), "{stderr}");
}

#[test]
fn a_port_that_is_none_is_refused() {
    let duel = Duel::new(&[]);
    let refusal = "Invalid server port.\n";
    let run = duel.run_ours_unprepared("-p 103733 PING");
    assert_eq!(String::from_utf8_lossy(&run.stderr), refusal);
    let run = duel.run(
        our_client(),
        "-p PORT <<< \"connect 127.0.0.1 103733\\nPING\"",
    );
    assert_eq!(String::from_utf8_lossy(&run.stderr), refusal);
    assert_eq!(run.stdout, b"PONG\n");
}

#[test]
fn a_subcommand_has_its_own_time() {
    let duel = Duel::new(&[]);
    let run = duel.run_ours("-p PORT --time -r 2 CONFIG GET maxmemory");
    let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(stderr.matches("the server counted ").count(), 2, "{stderr}");
    // Asking is itself an INFO, so its time is not told.
    let run = duel.run_ours("-p PORT --time INFO cluster");
    let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(
        stderr.starts_with("time: ") && !stderr.contains("average"),
        "{stderr}"
    );
}

/// Printing is no reading: the reader of the output takes its time.
#[test]
fn reading_ends_when_the_reply_is_whole() {
    let duel = Duel::new(&[]);
    let value = "x".repeat(1 << 20);
    duel.server.client().call(&["SET", "large", &value]);
    let script = "{ \"$0\" \"$@\" 2>&3 | { sleep 1; cat; } > printed; } 3> told";
    let status = duel
        .wrapped("sh", &["-c", script], "-p PORT --time GET large")
        .status();
    assert!(status.expect("it can be run").success());
    let told = std::fs::read_to_string(duel.folder.path().join("told")).unwrap();
    let read = told.split("read ").nth(1).expect("reading is told");
    assert!(
        !read.split(';').next().unwrap_or_default().ends_with(" s"),
        "{told}"
    );
}

#[test]
fn what_changes_the_connection_is_not_watched() {
    let duel = Duel::new(&[]);
    for command in [
        "SELECT 3",
        "monitor",
        "subscribe x",
        "multi",
        "client reply off",
    ] {
        let line = format!("-p PORT <<< \":watch 1 {command}\\nPING\\n\"");
        let run = duel.run(our_client(), &line);
        assert_eq!(run.stdout, b"PONG\n", "{run:?}");
        assert!(
            String::from_utf8_lossy(&run.stderr).contains("is not repeated"),
            "{run:?}"
        );
    }
    for arguments in ["ping dbsize", "-1 PING", "0 PING", "1", "", "1e999 PING"] {
        let run = duel.run(
            our_client(),
            &format!("-p PORT <<< \":watch {arguments}\\n\""),
        );
        let usage = "Use ':watch seconds command', with a positive number.\n";
        assert_eq!(String::from_utf8_lossy(&run.stdout), usage);
    }
    for (line, usage) in [
        (":explain", "Use ':explain command'.\n"),
        (":wire", "Use ':wire on', ':wire both' or ':wire off'.\n"),
        (
            ":wire on x",
            "Use ':wire on', ':wire both' or ':wire off'.\n",
        ),
        (":TIME", "Use ':time on' or ':time off'.\n"),
        (":time off x", "Use ':time on' or ':time off'.\n"),
    ] {
        let run = duel.run(our_client(), &format!("-p PORT <<< \"{line}\\n\""));
        assert_eq!(String::from_utf8_lossy(&run.stdout), usage, "{line}");
    }
}

/// Each refusal is a line in the server's ACL LOG.
#[test]
fn a_server_that_refuses_is_asked_once() {
    let duel = Duel::new(&[]);
    let mut client = duel.server.client();
    client.call(&["ACL", "SETUSER", "bob", "on", ">pw", "+ping", "+select"]);
    let terminal = Terminal::start(duel.command(our_client(), "-p PORT --user bob -a pw"));
    terminal.wait_for_prompt();
    terminal.type_line("ping");
    terminal.type_line("ping");
    terminal.type_keys("help get\r");
    terminal.wait_for("The server does not let this user ask about commands.");
    let stats = client.ask("INFO commandstats");
    let refused = stats.split("cmdstat_command|docs:").nth(1);
    let refused = refused.and_then(|rest| rest.split("cmdstat_").next());
    let refused = refused.expect("the server was asked");
    assert!(refused.contains("rejected_calls=1,"), "{refused}");
    let run = duel.run(our_client(), "-p PORT <<< \"MULTI\\nhelp get\"");
    let told = "The server cannot be asked about commands between MULTI and EXEC.\n";
    assert_eq!(String::from_utf8_lossy(&run.stderr), told);
}

#[test]
fn a_server_that_is_gone_is_told_as_such() {
    let duel = Duel::new(&[]);
    let run = duel.run(our_client(), "-p 1 <<< \":explain GET a\"");
    let told = "Could not connect to Redis at 127.0.0.1:1: Connection refused\n";
    assert_eq!(String::from_utf8_lossy(&run.stderr), told.repeat(2));
    // What to ask for is told without a server.
    let run = duel.run_ours_unprepared("-p 1 help");
    assert!(run.status.success() && run.stderr.is_empty(), "{run:?}");
    let stdout = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(stdout.contains("\"help <command>\" for help on <command>"));
}

#[test]
fn what_changes_is_marked() {
    let duel = Duel::new(&[]);
    duel.server.client().call(&["RPUSH", "list", "one", "two"]);
    let terminal = Terminal::start(duel.command(our_client(), "-p PORT"));
    terminal.wait_for_prompt();
    terminal.type_keys(":watch 0.01 LRANGE list 0 -1\r");
    terminal.wait_for("  1) \"one\"\n  2) \"two\"");
    duel.server.client().call(&["LSET", "list", "1", "three"]);
    terminal.wait_for("  2) \"three\"");
    terminal.interrupt();
    terminal.wait_for_prompt();
    terminal.type_line("PING");
    terminal.wait_for("PONG");
    drop(terminal);
    // The mark is on the screen for one round only, so the next one waits for long.
    let terminal = Terminal::start(duel.command(our_client(), "-p PORT"));
    terminal.wait_for_prompt();
    terminal.type_keys(":watch 1 LPOP list\r");
    terminal.wait_for("* \"three\"");
}

/// The asterisk tells a change without colours too.
#[test]
fn a_mark_may_be_without_colour() {
    let duel = Duel::new(&[]);
    for (variable, mark) in [("", "* \x1b[33m\"two\"\x1b[0m"), ("1", "* \"two\"")] {
        duel.server.client().call(&["RPUSH", "list", "one", "two"]);
        let mut command = duel.command(our_client(), "-p PORT");
        command.env("NO_COLOR", variable);
        let terminal = Terminal::start_as_it_is(command);
        terminal.wait_for_prompt();
        terminal.type_keys(":watch 0.01 LPOP list\r");
        terminal.wait_for("* (nil)");
        let is_yellow = terminal.has_written(b"\x1b[33m");
        assert_eq!(is_yellow, variable.is_empty());
        assert!(terminal.has_written(mark.as_bytes()));
    }
}

/// What the client shows beside a command goes on after the connection was lost, and does not disturb a transaction.
#[test]
fn inspection_goes_on() {
    let duel = Duel::new(&[]);
    let lines = ":time on\\nCLIENT KILL TYPE normal SKIPME no\\nECHO a\\n:explain GET a\\nMULTI\\n\
                 SET a 1\\n:explain GET a\\nEXEC\\n:time off\\nECHO b\\n";
    let run = duel.run(our_client(), &format!("-p PORT <<< \"{lines}\""));
    let stdout = String::from_utf8_lossy(&run.stdout).into_owned();
    assert_eq!(stdout.matches("command     get\n").count(), 2, "{run:?}");
    assert!(
        stdout.contains("QUEUED\n") && stdout.ends_with("OK\nb\n"),
        "{run:?}"
    );
    let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
    let times = stderr.lines().filter(|line| line.starts_with("time: "));
    assert!(times.count() >= 4, "{stderr}");
    // The second connection was lost as well, and is made anew.
    assert!(
        stderr
            .lines()
            .last()
            .is_some_and(|line| line.contains("the server counted ")),
        "{stderr}"
    );
}
