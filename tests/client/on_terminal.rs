//! Both clients in terminals: what single commands print there, and what the prompt shows.

use super::duel::{Duel, our_client};
use super::scripted_server::ScriptedServer;
use super::terminal::{COLUMNS, Terminal};
use crate::common::free_port;
use socket2::{Domain, Socket, Type};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

/// Command lines that print for people, because the output is a terminal.
const COMMANDS: &[&str] = &[
    "PING",
    "nosuch",
    "LRANGE list 0 -1",
    "HGETALL hash",
    "GET string",
    "-3 HGETALL hash",
    "--raw GET number",
    "--csv LRANGE list 0 -1",
    "--json HGETALL hash",
    "-a secret PING",
    "INFO cluster",
    "help set",
    "help @hash",
    "-n 99 PING",
    "-e nosuch",
    "-r 3 INCR number",
    "-3 DEBUG PROTOCOL push",
    "-3 CLIENT TRACKING on",
    "SUBSCRIBE",
    "-h nosuchhost.invalid PING",
];

#[test]
fn commands_print_for_people_on_a_terminal() {
    let mut duel = Duel::new(&[]);
    duel.set_up(&[
        "SET string \"hello \\\"world\\\"\\n\\x00\\xff\"",
        "SET number 41",
        "RPUSH list a b c",
        "HSET hash name ann age 33",
    ]);
    for line in COMMANDS {
        let [real, ours] = duel.terminals(&format!("-p PORT {line}"), |terminal| terminal.wait());
        if real != ours {
            duel.report(line, &format!("{real:?}"), &format!("{ours:?}"));
        }
    }
    duel.finish();
}

/// Sessions whose screens are compared after each line.
const SESSIONS: &[&[&str]] = &[
    &[
        "PING",
        "set a 1",
        "get a",
        "get nokey",
        "lpush a b",
        "  ",
        "nosuch x",
    ],
    &["select 2", "set b 1", "multi", "get b", "exec", "select 0"],
    &[
        "multi", "select 3", "discard", "multi", "nosuch", "exec", "select 1", "reset",
    ],
    &[
        "3 incr n",
        "0 incr n",
        "set a \"b",
        "get 'a'b",
        ":set nosuch",
    ],
    &["hset h name ann age 33", "hello 3 setname x", "hgetall h"],
    &["help set", "help @hyperloglog", "help nosuch"],
    &["client kill type normal skipme no", "ping"],
    &[
        "connect 127.0.0.1 CLOSED",
        "ping",
        "connect 127.0.0.1 PORT",
        "ping",
    ],
    &[
        "debug sleep 0",
        "info cluster",
        "memory doctor",
        "lolwut version 5 4 1 1",
    ],
    &[
        "subscribe",
        "monitor x",
        "auth wrong",
        "config get maxmemory",
    ],
];

#[test]
fn the_prompt_shows_what_that_of_redis_cli_shows() {
    let mut duel = Duel::new(&[]);
    let port = duel.server.port.to_string();
    let closed = free_port().to_string();
    for session in SESSIONS {
        let [real, ours] = duel.terminals("-p PORT", |terminal| {
            terminal.wait_for_prompt();
            for line in *session {
                terminal.type_line(&line.replace("PORT", &port).replace("CLOSED", &closed));
            }
            let text = without_numbers_of_clients(&terminal.text());
            text.replace("redis-cli", "my_redis_client")
        });
        if real != ours {
            duel.report(&session.join("; "), &real, &ours);
        }
    }
    duel.finish();
}

/// A server that answers a command and then closes the connection, again and again.
#[test]
fn a_lost_connection_is_shown_as_by_redis_cli() {
    let mut duel = Duel::new(&[]);
    let no_commands: &[u8] = b"*0\r\n";
    let server = ScriptedServer::start(&[no_commands, b"+PONG\r\n"]);
    let closed = free_port();
    for (port, options) in [
        (server.port, ""),
        (server.port, "-n 0"),
        (closed, ""),
        (closed, "-n 2"),
    ] {
        let [real, ours] = duel.terminals(&format!("-p {port} {options}"), |terminal| {
            terminal.wait_for_prompt();
            for line in ["ping", "ping", "ping", "multi", "ping", "help"] {
                terminal.type_line(line);
            }
            let text = terminal.text();
            // What follows `help` names the program and its preferences.
            text.split("> help").next().map(str::to_string)
        });
        if real != ours {
            duel.report(options, &format!("{real:?}"), &format!("{ours:?}"));
        }
    }
    duel.finish();
}

/// The text without the number of the client, which HELLO tells.
fn without_numbers_of_clients(text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| match line.split_once("\"id\" => ") {
            Some((start, _)) => start,
            None => line,
        });
    lines.collect::<Vec<_>>().join("\n")
}

/// Lines without the last column, which hints leave free in ours.
fn without_last_column(text: &str) -> String {
    let width = usize::from(COLUMNS) - 1;
    let lines = text.lines().map(|line| line.chars().take(width).collect());
    lines.collect::<Vec<String>>().join("\n")
}

#[test]
fn arguments_are_hinted_while_typing() {
    let mut duel = Duel::new(&[]);
    for (keys, hint) in [
        ("get", "get key"),
        ("set a ", "set a value [NX|XX]"),
        ("xadd s ", "xadd s [NOMKSTREAM]"),
        ("config set ", "config set parameter value"),
        ("lrange l 0 ", "lrange l 0 stop"),
        ("acl dryrun ann get ", "ann get [arg"),
    ] {
        let [real, ours] = duel.terminals("-p PORT", |terminal| {
            terminal.wait_for_prompt();
            terminal.type_keys(keys);
            terminal.wait_for(hint);
            without_last_column(&terminal.last_line())
        });
        if real != ours {
            duel.report(keys, &real, &ours);
        }
    }
    duel.finish();
}

/// Also at the lower edge of the window, where a line that is too long would move all others.
#[test]
fn hints_end_at_the_edge_of_the_window() {
    let mut duel = Duel::new(&[]);
    let long = format!("set {}", "x".repeat(73));
    let full = format!("set {}", "x".repeat(78));
    let list = "x ".repeat(70);
    duel.set_up(&[&format!("RPUSH list {list} last")]);
    // The texts end with the last letter that is drawn.
    for (keys, drawn) in [
        (
            "xadd s",
            "xadd s [NOMKSTREAM] [MAXLEN|MINID [=|~] threshold [LIMIT count]] *|id field value",
        ),
        (
            "zadd z",
            "zadd z [NX|XX] [GT|LT] [CH] [INCR] score member [score member ...]",
        ),
        (&long, &format!("{long} valu")),
        (&full, &full),
    ] {
        for lines in [1, 70] {
            let [real, ours] = duel.terminals("-p PORT", |terminal| {
                terminal.wait_for_prompt();
                terminal.type_keys(format!("lrange list -{lines} -1\r"));
                terminal.wait_for("\"last\"");
                terminal.wait_for_prompt();
                terminal.type_keys(keys);
                terminal.wait_for(drawn);
                without_last_column(&terminal.text())
            });
            if real != ours {
                duel.report(keys, &real, &ours);
            }
        }
    }
    duel.finish();
}

#[test]
fn names_are_completed_by_tab() {
    let mut duel = Duel::new(&[]);
    for (keys, completed) in [
        ("lran\t", "LRANGE"),
        ("acl w\t", "ACL WHOAMI"),
        ("help @hyp\t", "help @hyperloglog"),
        ("help zinc\t", "help ZINCRBY"),
    ] {
        let [real, ours] = duel.terminals("-p PORT", |terminal| {
            terminal.wait_for_prompt();
            terminal.type_keys(keys);
            terminal.wait_for(completed);
            terminal.type_line("");
            terminal.text()
        });
        if real != ours {
            duel.report(keys, &real, &ours);
        }
    }
    duel.finish();
}

#[test]
fn the_password_is_asked_for_and_not_shown() {
    let mut duel = Duel::new(&["--requirepass", "secret"]);
    let [real, ours] = duel.terminals("-p PORT --askpass PING", |terminal| {
        terminal.wait_for("Please input password: ");
        terminal.type_keys("secret");
        terminal.wait_for("password: ******");
        terminal.type_keys("\r");
        terminal.wait_for("PONG");
        terminal.text()
    });
    if real != ours {
        duel.report("--askpass PING", &real, &ours);
    }
    duel.finish();
}

/// Whatever the terminal can show, and wherever the output goes.
#[test]
fn the_password_is_never_shown() {
    let duel = Duel::new(&["--requirepass", "secret"]);
    let into_file = "exec \"$0\" \"$@\" > printed";
    for (program, arguments) in [
        ("env", &["NO_COLOR=1"][..]),
        ("env", &["TERM=dumb"]),
        ("sh", &["-c", into_file]),
    ] {
        let command = duel.wrapped(program, arguments, "-p PORT --askpass PING");
        let terminal = Terminal::start(command);
        terminal.wait_for("Please input password: ");
        terminal.type_keys("secrex\x7ft");
        terminal.wait_for("password: ******");
        terminal.type_keys("\r");
        let (bytes, status) = terminal.wait();
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        assert_eq!(status, Some(0), "{shown}");
        assert!(!shown.contains("sec"), "{shown}");
        match program {
            "sh" => {
                let printed = fs::read_to_string(duel.folder.path().join("printed")).unwrap();
                assert_eq!(printed, "PONG\n");
            }
            _ => assert!(shown.contains("PONG"), "{shown}"),
        }
    }
}

#[test]
fn ctrl_c_ends_waiting_and_not_the_prompt() {
    let duel = Duel::new(&[]);
    let terminal = Terminal::start(duel.command(our_client(), "-p PORT"));
    terminal.wait_for_prompt();
    for (line, shown) in [
        ("subscribe news", "3) (integer) 1"),
        ("monitor", "OK"),
        ("3 brpop nokey 0", "brpop nokey 0"),
    ] {
        let before = terminal.text().matches("> ").count();
        terminal.type_keys(format!("{line}\r"));
        terminal.wait_for(shown);
        if line == "subscribe news" {
            duel.server.client().call(&["PUBLISH", "news", "hello"]);
            terminal.wait_for("\"hello\"");
        }
        terminal.interrupt();
        terminal.wait_for_more("> ", before + 1);
        terminal.type_line("echo back");
        terminal.wait_for("\"back\"");
    }
    let text = terminal.text();
    assert!(
        !text.contains("Error") && !text.contains("not connected"),
        "{text}"
    );
}

/// A server whose queue of connections is full neither takes nor refuses one.
#[test]
fn ctrl_c_ends_the_wait_for_a_connection() {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("there are sockets");
    let address: SocketAddr = ([127, 0, 0, 1], 0).into();
    listener
        .bind(&address.into())
        .expect("there is a free port");
    listener.listen(0).expect("it can listen");
    let address = listener
        .local_addr()
        .ok()
        .and_then(|address| address.as_socket());
    let address = address.expect("it has an address");
    let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok();
    let queued: Vec<TcpStream> = std::iter::from_fn(connect).take(10).collect();
    assert!(queued.len() < 10, "the queue is never full");

    let duel = Duel::new(&[]);
    let terminal = Terminal::start(duel.command(our_client(), "-p PORT"));
    terminal.wait_for_prompt();
    let line = format!("connect 127.0.0.1 {}", address.port());
    terminal.type_keys(format!("{line}\r"));
    terminal.wait_for(&line);
    terminal.interrupt();
    terminal.wait_for("not connected> ");
    let back = format!("connect 127.0.0.1 {}", duel.server.port);
    terminal.type_line(&back);
    terminal.type_line("PING");
    terminal.wait_for("PONG");
}

#[test]
fn pasted_lines_are_carried_out_one_by_one() {
    let duel = Duel::new(&[]);
    let terminal = Terminal::start(duel.command(our_client(), "-p PORT"));
    terminal.wait_for_prompt();
    terminal.type_keys("\x1b[200~set a \"1\n2\"\nappend a x\nget a\x1b[201~\r");
    terminal.wait_for("\"1\\n2x\"");
}

/// Lines that come at once, from a terminal that does not say that they are pasted.
#[test]
fn what_is_typed_ahead_is_carried_out() {
    let duel = Duel::new(&[]);
    let terminal = Terminal::start(duel.command(our_client(), "-p PORT"));
    terminal.wait_for_prompt();
    terminal.type_keys("debug sleep 0.1\rset a 1\rincr a\rincr a\rmget a nokey\r");
    terminal.wait_for("1) \"3\"\n2) (nil)\n127.0.0.1");
}

#[test]
fn bytes_that_are_no_text_do_not_end_the_prompt() {
    let duel = Duel::new(&[]);
    let terminal = Terminal::start(duel.command(our_client(), "-p PORT"));
    terminal.wait_for_prompt();
    terminal.type_keys(b"get \xff");
    terminal.wait_for("Invalid argument(s)");
    terminal.wait_for_prompt();
    terminal.type_line("echo back");
    terminal.wait_for("\"back\"");
}

#[test]
fn the_history_is_kept_without_secrets() {
    let duel = Duel::new(&[]);
    let path = duel.folder.path().join(".my_rediscli_history");
    let start = || {
        let terminal = Terminal::start(duel.command(our_client(), "-p PORT"));
        terminal.wait_for_prompt();
        terminal
    };
    let terminal = start();
    for line in [
        "ping",
        "auth secret",
        "config set requirepass \"\"",
        "get a",
        "set a \"b",
        "auth \"secret",
        ":explain auth secret",
        ":watch auth secret",
        ":explain 5 auth secret",
        "sentinel set m auth-pass secret",
    ] {
        terminal.type_line(line);
    }
    // What was typed comes back by the arrow, secrets too, as long as the program runs.
    terminal.type_keys("\x1b[A".repeat(9));
    terminal.wait_for_more("> auth secret", 2);
    drop(terminal);
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "ping\nget a\nset a \"b\n"
    );
    let rights = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(rights & 0o777, 0o600);
    // Other users lose their rights on an old file.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let terminal = start();
    let rights = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(rights & 0o777, 0o600);
    terminal.type_keys("\x1b[A\x1b[A");
    terminal.wait_for("> get a");
}

#[test]
fn files_of_the_user_are_where_the_variables_say() {
    let duel = Duel::new(&[]);
    let path = duel.folder.path().join("other");
    let lines: String = (0..1200).map(|number| format!("echo {number}\n")).collect();
    fs::write(&path, lines).unwrap();
    fs::write(
        duel.folder.path().join("preferences"),
        ":set nohints\n:set nosuch\n",
    )
    .unwrap();
    let variables = "REDISCLI_HISTFILE=other REDISCLI_RCFILE=preferences";
    let terminal = Terminal::start(duel.command(our_client(), &format!("{variables} -p PORT")));
    terminal.wait_for("unknown my_redis_client preference 'nosuch'");
    terminal.wait_for_prompt();
    terminal.type_line("ping");
    terminal.type_line("get a");
    assert!(!terminal.text().contains("get a key") && !terminal.text().contains("ping ["));
    drop(terminal);
    let kept = fs::read_to_string(&path).unwrap();
    // The last thousand were kept, and two have come.
    assert!(kept.starts_with("echo 200\n") && kept.ends_with("echo 1199\nping\nget a\n"));
    assert!(!duel.folder.path().join(".my_rediscli_history").exists());
    let line = "REDISCLI_HISTFILE=/dev/null -p PORT";
    let terminal = Terminal::start(duel.command(our_client(), line));
    terminal.wait_for_prompt();
    terminal.type_line("ping");
    assert!(!duel.folder.path().join(".my_rediscli_history").exists());
    // Without the variable, the preferences are at home.
    drop(terminal);
    fs::write(duel.folder.path().join(".my_redisclirc"), ":nosuch\n").unwrap();
    let terminal = Terminal::start(duel.command(our_client(), "-p PORT"));
    terminal.wait_for(".my_redisclirc: unknown my_redis_client internal command ':nosuch'");
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let duel = Duel::new(&[]);
    let mut client = duel.server.client();
    let evil = "\x1b]0;title\x07\x1b[2J";
    client.call(&["SET", evil, evil]);
    let script = "return {redis.status_reply(ARGV[1]), redis.error_reply('ERR ' .. ARGV[1])}";
    for line in ["GET", "--csv GET", "--json GET", "KEYS *"] {
        let line = match line.ends_with("GET") {
            true => format!("{line} \"\\x1b]0;title\\x07\\x1b[2J\""),
            false => line.into(),
        };
        let terminal = Terminal::start(duel.command(our_client(), &format!("-p PORT {line}")));
        let (bytes, _) = terminal.wait();
        assert!(!bytes.contains(&0x1b), "{line}: {}", bytes.escape_ascii());
        assert!(!bytes.contains(&7), "{line}: {}", bytes.escape_ascii());
    }
    for format in ["", "--csv", "--json", "--quoted-json"] {
        let line = format!("-p PORT {format} EVAL \"{script}\" 0 \"\\x1b[2J\"");
        let terminal = Terminal::start(duel.command(our_client(), &line));
        let (bytes, _) = terminal.wait();
        assert!(!bytes.contains(&0x1b), "{line}: {}", bytes.escape_ascii());
        // Nor do the characters that turn the direction of a text or end a line, among them one of the second half of
        // the control characters.
        let line = format!("-p PORT {format} EVAL \"{script}\" 0 TEXT");
        let mut command = duel.command(our_client(), &line.replace("TEXT", ""));
        command.arg("a\u{202e}b\u{2066}\u{2028}\u{200f}\u{9b}é");
        let (bytes, _) = Terminal::start(command).wait();
        let text = String::from_utf8(bytes).expect("what is no text is escaped");
        let is_evil = |letter: char| matches!(letter, '\u{80}'..'\u{a0}' | '\u{2000}'..'\u{2070}');
        assert!(
            text.contains("\\xae") && !text.contains(is_evil),
            "{text:?}"
        );
    }
    // With `--raw` the bytes are written as they are.
    let line = format!("-p PORT --raw EVAL \"{script}\" 0 \"\\x1b[2J\"");
    let (bytes, _) = Terminal::start(duel.command(our_client(), &line)).wait();
    assert!(bytes.contains(&0x1b));
}

/// A server can say anything: in errors, and in the documents of its commands.
#[test]
fn a_server_does_not_control_the_terminal() {
    let duel = Duel::new(&[]);
    let error: &[u8] = b"-ERR \x1b[2J\x07\r\n";
    let docs: &[u8] = b"*2\r\n$3\r\nget\r\n*4\r\n+summary\r\n+\x1b[2J\r\n+group\r\n+\x1b[2J\r\n";
    let server = ScriptedServer::start(&[error, error, error]);
    let documents = ScriptedServer::start(&[docs]);
    let types = ScriptedServer::start(&[
        &b":1\r\n"[..],
        b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n",
        b"+\x1b[2J\x07\r\n",
        b":5\r\n",
    ]);
    for line in [
        format!("-p {} -a secret -n 3 PING", server.port),
        format!("-p {} -3 PING", server.port),
        format!("-p {} -e PING", server.port),
        format!("-p {} --scan", server.port),
        format!("-p {} --bigkeys", server.port),
        format!("-p {} --rdb -", server.port),
        format!("-p {} --stat", server.port),
        format!("-p {} --wire PING", server.port),
        format!("-p {} help get", documents.port),
        format!("-p {} --memkeys", types.port),
    ] {
        let mut command = duel.command(our_client(), &line);
        command.env("NO_COLOR", "1");
        let (bytes, _) = Terminal::start_as_it_is(command).wait();
        assert!(!bytes.contains(&7), "{line}: {}", bytes.escape_ascii());
        assert!(!bytes.contains(&0x1b), "{line}: {}", bytes.escape_ascii());
        let is_told = bytes.windows(4).any(|part| part == b"\\x1b");
        assert!(is_told, "{line}: {}", bytes.escape_ascii());
    }
}

#[test]
fn no_color_means_no_colours() {
    let duel = Duel::new(&[]);
    for (variable, coloured) in [("", true), ("1", false)] {
        let mut command = duel.command(our_client(), "-p PORT help get");
        command.env("NO_COLOR", variable);
        let (bytes, _) = Terminal::start_as_it_is(command).wait();
        assert_eq!(bytes.contains(&0x1b), coloured);
        let mut command = duel.command(our_client(), "-p PORT --wire GET key");
        command.env("NO_COLOR", variable);
        let (bytes, _) = Terminal::start_as_it_is(command).wait();
        assert_eq!(bytes.contains(&0x1b), coloured);
    }
}

/// A hint is no text that was typed: it is dim where it has no colour.
#[test]
fn hints_do_not_look_like_what_was_typed() {
    let duel = Duel::new(&[]);
    for (variable, escape) in [("", "\x1b[90m"), ("1", "\x1b[2m")] {
        let mut command = duel.command(our_client(), "-p PORT");
        command.env("NO_COLOR", variable);
        let terminal = Terminal::start_as_it_is(command);
        terminal.wait_for_prompt();
        terminal.type_keys("get");
        terminal.wait_for("get key");
        assert!(terminal.has_written(escape.as_bytes()));
    }
}

#[test]
fn ctrl_c_ends_the_waits_beside_a_command() {
    let duel = Duel::new(&[]);
    // The second connection waits for an answer.
    let replies: [&[u8]; 2] = [b"*0\r\n", b"+OK\r\n"];
    for line in [":explain get a", "get a"] {
        let server = ScriptedServer::start_for_one(&replies);
        let options = format!("-p {} --time", server.port);
        let terminal = Terminal::start(duel.command(our_client(), &options));
        terminal.wait_for_prompt();
        terminal.type_keys(format!("{line}\r"));
        terminal.interrupt();
        terminal.wait_for_more("> ", 2);
    }
    // The pause between two commands.
    let terminal = Terminal::start(duel.command(our_client(), "-p PORT -i 20"));
    terminal.wait_for_prompt();
    terminal.type_keys("2 echo once\r");
    terminal.wait_for("\"once\"");
    terminal.interrupt();
    terminal.wait_for_more("> ", 2);
    assert_eq!(terminal.text().matches("\"once\"").count(), 1);
}

/// A pasted quote that nothing closes costs its own line.
#[test]
fn a_stray_quote_does_not_swallow_what_follows() {
    let duel = Duel::new(&[]);
    let terminal = Terminal::start(duel.command(our_client(), "-p PORT"));
    terminal.wait_for_prompt();
    terminal.type_keys("\x1b[200~set a it's\necho after\x1b[201~\r");
    terminal.wait_for("Invalid argument(s)");
    terminal.wait_for("\"after\"");
}
