//! Our server with both clients: every mode of redis-cli works with it, and ours prints the same.

use super::duel::{Duel, our_client, without_digits};
use super::terminal::Terminal;
use crate::common::{redis_tool, wait_until};
use std::fs;

#[test]
fn both_clients_work_with_our_server() {
    let mut duel = Duel::with_our_server(&["--databases", "4"]);
    let script = duel.folder.path().join("script.lua");
    fs::write(script, "return {KEYS[1], ARGV[1]}").expect("the file can be written");
    duel.set_up(&[
        "SET string hello",
        "RPUSH list a b c",
        "HSET hash name ann age 33",
    ]);
    for line in [
        "PING",
        "nosuch",
        "--no-raw LRANGE list 0 -1",
        "--no-raw -3 HGETALL hash",
        "--json HGETALL hash",
        "-n 3 SET a 1",
        "-n 9 PING",
        "-a secret PING",
        "-s SOCKET GET string",
        "--eval script.lua key , argument",
        "--pipe <<< \"SET a 1\\r\\nNOSUCH\\r\\nGET a\\r\\n\"",
        "<<< \"multi\\nselect 2\\nget a\\nexec\\nget string\\nselect 0\\n3 incr n\\n\"",
        "-x SET key <<< \"a value\"",
        "-X VALUE SET key VALUE EX 100 <<< \"a value\"",
        "-r 3 -i 0.01 INCR number",
        "-e nosuch",
        "INFO cluster",
        "--no-raw MEMORY DOCTOR",
    ] {
        duel.check(line);
    }
    for line in [
        "--scan",
        "--bigkeys",
        "--memkeys",
        "--memkeys-samples 0 --pattern nosuch",
    ] {
        duel.check_sorted(line);
    }
    for topic in ["get", "dbsize", "@hyperloglog"] {
        duel.check_words(&format!("help {topic}"));
    }
    duel.finish();
}

/// What these modes print differs from run to run in its numbers alone.
#[test]
fn both_clients_measure_our_server() {
    let mut duel = Duel::with_our_server(&["--maxmemory-policy", "allkeys-lfu"]);
    duel.set_up(&["SET key value", "GET key", "GET key"]);
    for line in ["--hotkeys", "--latency -i 0.05", "--latency --csv -i 0.05"] {
        let [real, ours] = duel
            .run_both(&format!("-p PORT {line}"))
            .map(|run| (without_digits(&run.stdout), run.stderr, run.status));
        assert_eq!(real, ours, "{line}");
        assert!(real.2.success(), "{real:?}");
    }
    let [real, ours] = duel.terminals("-p PORT --stat -i 0.01", |terminal| {
        terminal.wait_for("(+1)");
        terminal
            .text()
            .lines()
            .take(2)
            .collect::<Vec<_>>()
            .join("\n")
    });
    assert_eq!(real, ours);
}

/// Messages and monitored commands come without being asked for.
#[test]
fn both_clients_listen_to_our_server() {
    let mut duel = Duel::with_our_server(&[]);
    for (line, confirmation) in [
        ("SUBSCRIBE news", "(integer) 1"),
        ("-3 PSUBSCRIBE n*", "(integer) 1"),
        ("MONITOR", "OK"),
    ] {
        let [real, ours] = duel.terminals(&format!("-p PORT {line}"), |terminal| {
            terminal.wait_for(confirmation);
            let mut client = duel.server.client();
            client.call(&["PUBLISH", "news", "a message"]);
            terminal.wait_for("a message");
            without_digits(terminal.text().as_bytes())
        });
        if real != ours {
            duel.report(line, &real, &ours);
        }
    }
    for line in ["--latency-history -i 0.05", "--latency-dist -i 0.05"] {
        let [real, ours] = duel.terminals(&format!("-p PORT {line}"), |terminal| {
            terminal.wait_for(match line.contains("dist") {
                true => "?\n",
                false => " seconds range",
            });
            without_digits(
                terminal
                    .text()
                    .lines()
                    .next()
                    .unwrap_or_default()
                    .as_bytes(),
            )
        });
        if real != ours {
            duel.report(line, &real, &ours);
        }
    }
    duel.finish();
}

#[test]
fn both_clients_fetch_functions_and_follow_changes() {
    let duel = Duel::with_our_server(&["--repl-diskless-sync-delay", "0"]);
    let mut client = duel.server.client();
    let library = "#!lua name=lib\nredis.register_function('f', function() return 1 end)";
    client.call(&["FUNCTION", "LOAD", library]);
    client.call(&["SET", "key", "value"]);
    for program in [redis_tool("redis-cli"), our_client()] {
        let run = duel.run(program, "-p PORT --functions-rdb fetched.rdb");
        assert!(run.status.success(), "{run:?}");
        let bytes = fs::read(duel.folder.path().join("fetched.rdb")).expect("it was fetched");
        let holds = |text: &[u8]| bytes.windows(text.len()).any(|part| part == text);
        assert!(holds(b"register_function") && !holds(b"value"));
    }
    for program in [redis_tool("redis-cli"), our_client()] {
        let terminal = Terminal::start(duel.command(program, "-p PORT --replica"));
        terminal.wait_for("Logging commands from master.");
        wait_until("the server knows the replica", || {
            client.info("connected_slaves") == "1"
        });
        // The first change of a connection may be taken for a reply by redis-cli.
        client.call(&["SET", "key", "first"]);
        client.call(&["SET", "key", "second"]);
        terminal.wait_for("\"SET\",\"key\",\"second\"");
        drop(terminal);
        wait_until("the server has forgotten the replica", || {
            client.info("connected_slaves") == "0"
        });
    }
}
