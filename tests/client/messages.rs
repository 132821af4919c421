//! What comes without being asked for: messages, monitored commands, pushes.

use super::duel::{Duel, our_client, without_digits};
use super::terminal::Terminal;
use crate::common::wait_until;

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
