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
        "-p PORT --user default -a secret <<< \":explain GET a\"",
    ] {
        let run = duel.run(our_client(), line);
        let stdout = String::from_utf8_lossy(&run.stdout).into_owned();
        assert!(stdout.contains("\narguments   exactly 1\n"), "{run:?}");
    }
    let run = duel.run(our_client(), "-p PORT <<< \":explain GET a\"");
    let complaint = "The server does not let this user ask about commands.\n";
    assert_eq!(String::from_utf8_lossy(&run.stderr), complaint);
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
    let both = format!("locks       2 of 256 shards: {one}, {two} (exclusively");
    assert!(stdout.contains(&both), "{stdout}");
    let a = shard(&mut client, "a");
    let reads = format!("locks       1 of 256 shards: {a} (shared");
    assert!(stdout.contains(&reads), "{stdout}");
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
