//! What comes without being asked for: messages, monitored commands, pushes.

use super::duel::{Duel, our_client, without_digits};
use super::terminal::Terminal;
use crate::common::{redis_tool, send_signal, wait_for_exit, wait_until};
use std::io::{Read, Write};
use std::process::Stdio;

/// The clients that the test's own is not.
fn others_are_there(duel: &Duel) {
    let mut client = duel.server.client();
    wait_until("the client listens", || {
        let list = client.ask("CLIENT LIST");
        [
            "cmd=monitor",
            "cmd=subscribe",
            "cmd=psubscribe",
            "cmd=ssubscribe",
        ]
        .iter()
        .any(|command| list.contains(command))
    });
}

#[test]
fn messages_are_shown_as_by_redis_cli() {
    let mut duel = Duel::new(&[]);
    for line in [
        "SUBSCRIBE news other",
        "-3 SUBSCRIBE news other",
        "PSUBSCRIBE n*",
        "-3 psubscribe n*",
        "SSUBSCRIBE news",
        "--csv SUBSCRIBE news",
        "--json SUBSCRIBE news",
        "--raw SUBSCRIBE news",
        "-r 2 SUBSCRIBE news",
        "MONITOR",
        "-3 --csv MONITOR",
        "--raw monitor",
        "-n 2 MONITOR",
    ] {
        let [real, ours] = duel.terminals(&format!("-p PORT {line}"), |terminal| {
            others_are_there(&duel);
            let mut client = duel.server.client();
            client.call(&["PUBLISH", "news", "a \"message\"\n\u{e9}"]);
            client.call(&["SPUBLISH", "news", "another"]);
            client.call(&["SELECT", "1"]);
            client.call(&["ECHO", "the end"]);
            for kind in ["pubsub", "normal"] {
                client.call(&["CLIENT", "KILL", "TYPE", kind]);
            }
            let (bytes, status) = terminal.wait();
            let text = without_digits(&bytes);
            // The lines about the test's own clients come in any order.
            let lines = text.lines().filter(|line| !line.contains("\"CLIENT\""));
            (lines.collect::<Vec<_>>().join("\n"), status)
        });
        if real != ours {
            duel.report(line, &format!("{real:?}"), &format!("{ours:?}"));
        }
    }
    duel.finish();
}

#[test]
fn pushes_are_shown_as_by_redis_cli() {
    let mut duel = Duel::new(&[]);
    for options in ["-3", "-3 --csv", "-3 --show-pushes no", "-3 --raw"] {
        let [real, ours] = duel.terminals(&format!("-p PORT {options}"), |terminal| {
            terminal.wait_for_prompt();
            terminal.type_line("client tracking on");
            terminal.type_line("mget a 'b \"c\"'");
            let mut client = duel.server.client();
            client.call(&["SET", "a", "1"]);
            client.call(&["SET", "b \"c\"", "1"]);
            terminal.type_line("ping");
            client.call(&["FLUSHALL"]);
            terminal.type_line("get a");
            terminal.text()
        });
        if real != ours {
            duel.report(options, &real, &ours);
        }
    }
    duel.finish();
}

/// Ctrl-C ends a client whose commands come from a pipe, with status 1. From messages it leads to the next command, on
/// a new connection.
#[test]
fn ctrl_c_among_piped_commands_does_what_it_does_in_redis_cli() {
    let duel = Duel::new(&[]);
    let mut client = duel.server.client();
    for (commands, printed) in [
        ("BLPOP nokey 0\nECHO never\n", ""),
        ("SUBSCRIBE news\nECHO later\n", "subscribe\nnews\n1\n"),
        ("MONITOR\nECHO later\n", "OK\n"),
        ("MULTI\nPING\n", "OK\nQUEUED\n"),
    ] {
        let [real, ours] = [redis_tool("redis-cli"), our_client()].map(|program| {
            let mut program = duel.command(program, "-p PORT");
            program.stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut process = program.spawn().expect("it can be started");
            let mut input = process.stdin.take().expect("it is piped");
            input.write_all(commands.as_bytes()).expect("it reads");
            let mut read = vec![0; printed.len()];
            let output = process.stdout.as_mut().expect("it is piped");
            output.read_exact(&mut read).expect("it prints");
            assert_eq!(String::from_utf8_lossy(&read), printed);
            if printed.is_empty() {
                wait_until("the client waits", || client.info("blocked_clients") == "1");
            }
            send_signal(&process, "INT");
            if commands.contains("later") {
                drop(input);
            }
            let status = wait_for_exit(&mut process);
            let output = process.wait_with_output().expect("it has ended");
            (
                String::from_utf8_lossy(&output.stdout).into_owned(),
                status.code(),
            )
        });
        let (expected, code) = match commands.contains("later") {
            true => ("later\n", 0),
            false => ("", 1),
        };
        assert_eq!(ours, (expected.to_string(), Some(code)), "{commands}");
        // redis-cli may print its last line once more when it ends, because the signal comes before it has noted that
        // the line is printed.
        assert_eq!(real.1, Some(code), "{commands}");
        assert!(code == 1 || real.0 == expected, "{commands}{}", real.0);
    }
}

/// redis-cli 7.0 waits for ever for another reply.
#[test]
fn unsubscribing_is_answered_by_a_push() {
    let duel = Duel::new(&[]);
    let terminal = Terminal::start(duel.command(our_client(), "-p PORT -3"));
    terminal.wait_for_prompt();
    terminal.type_line("unsubscribe news");
    terminal.wait_for("1) \"unsubscribe\"\n2) \"news\"\n3) (integer) 0");
    terminal.type_line("ping");
    terminal.wait_for("PONG");
}
