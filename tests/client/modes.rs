//! Modes that scan and measure.

use super::duel::{Duel, our_client, replaced, without_digits};
use super::scripted_server::ScriptedServer;
use super::terminal::Terminal;

const DATA: &[&str] = &[
    "SET string \"hello world\"",
    "SET number 41",
    "SET \"odd \\\"key\\\"\\n\\xff\" x",
    "RPUSH list a b c d e f g h i j k",
    "RPUSH longer a b c d e f g h i j k l",
    "HSET hash name ann age 33",
    "SADD set x y z",
    "ZADD zset 1 one 2.5 two",
    "XADD stream 1-1 field value",
    "XADD stream 1-2 field value",
];

#[test]
fn keys_are_scanned_as_by_redis_cli() {
    let mut duel = Duel::new(&[]);
    duel.set_up_once(DATA);
    for line in [
        "--scan",
        "--scan --pattern s*",
        "--scan --pattern nosuch",
        "--pattern [sz]* --scan",
        "--no-raw --scan",
        "--csv --scan",
        "--json --scan",
        "--no-raw --scan --quoted-pattern '\"odd\\x20*\"'",
        "--scan --quoted-pattern '\"s'",
        "--scan --quoted-pattern s*",
        "--scan -n 3",
        "--scan -i 0.01",
        "--scan -a secret",
        "--scan GET string",
        "--scan --bigkeys",
        "--bigkeys",
        "--bigkeys --pattern s*",
        "--bigkeys --pattern nosuch",
        "--bigkeys -i 0.01",
        "--no-raw --bigkeys",
        "--memkeys",
        "--memkeys --pattern s*",
        "--memkeys-samples 0",
        "--memkeys-samples 3 --pattern l*",
        "--hotkeys",
        "--bigkeys --hotkeys --scan",
        "--scan --hotkeys",
    ] {
        duel.check_summary(line);
    }
    duel.finish();
}

/// redis-cli has the types in a hash table, whose order is another one until it has looked up two keys.
#[test]
fn few_keys_are_summed_up_in_the_order_of_redis_cli() {
    let kinds = [
        &DATA[..1],
        &DATA[3..4],
        &DATA[5..6],
        &DATA[6..7],
        &DATA[7..8],
        &DATA[8..9],
    ];
    let singles = kinds.iter().map(|kind| kind.to_vec());
    let pairs = [vec![DATA[0], DATA[3]], vec![DATA[5], DATA[6]]];
    for data in singles.chain(pairs).chain([vec![]]) {
        let mut duel = Duel::new(&[]);
        duel.set_up_once(&data);
        duel.check("--bigkeys");
        duel.check("--memkeys");
        duel.finish();
    }
}

#[test]
fn hot_keys_are_those_of_redis_cli() {
    let mut duel = Duel::new(&["--maxmemory-policy", "allkeys-lfu", "--lfu-log-factor", "0"]);
    duel.set_up_once(&["MSET a 1 b 2 c 3", "GET a", "GET a", "GET a", "GET b"]);
    for line in [
        "--hotkeys",
        "--hotkeys --pattern a",
        "--hotkeys --pattern nosuch",
    ] {
        duel.check(line);
    }
    duel.finish();
}

/// As many keys as a keyspace that SCAN tells in many pieces.
#[test]
fn many_keys_are_scanned_as_by_redis_cli() {
    let mut duel = Duel::new(&[]);
    duel.set_up_once(&["DEBUG POPULATE 3000 key 20", "DEBUG POPULATE 100 longer 30"]);
    for line in ["--scan", "--bigkeys", "--memkeys", "--scan --pattern *:7*"] {
        duel.check(line);
    }
    duel.finish();
}

#[test]
fn replies_that_make_no_sense_end_the_modes() {
    let mut duel = Duel::new(&[]);
    let scripts: [&[&[u8]]; 8] = [
        &[],
        &[b"-ERR no\r\n", b"-ERR no\r\n"],
        &[b"+OK\r\n", b"+OK\r\n"],
        &[b"*1\r\n:1\r\n"],
        &[b"*2\r\n$1\r\n0\r\n*0\r\n"],
        &[
            b":5\r\n",
            b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n",
            b"-ERR no type\r\n",
        ],
        &[
            b":5\r\n",
            b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n",
            b"+string\r\n",
            b"-ERR no size\r\n",
        ],
        &[
            b":5\r\n",
            b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n",
            b"+none\r\n",
        ],
    ];
    for script in scripts {
        let server = ScriptedServer::start(script);
        for mode in ["--scan", "--bigkeys", "--memkeys", "--hotkeys"] {
            duel.check_summary(&format!("-p {} {mode}", server.port));
        }
    }
    duel.finish();
    // Figures that no number of this client can add up.
    let huge = format!("db0:keys={max}\r\ndb1:keys={max}\r\n", max = i64::MAX);
    let info = |requests: i64| {
        let text = format!("total_commands_processed:{requests}\r\n{huge}");
        format!("${}\r\n{text}\r\n", text.len()).into_bytes()
    };
    let server = ScriptedServer::start(&[info(i64::MIN), info(i64::MAX)]);
    let duel = Duel::new(&[]);
    let line = format!("-p {} --stat -i 0.01", server.port);
    let terminal = Terminal::start(duel.command(our_client(), &line));
    terminal.wait_for_more(&format!("(+{})", i64::MAX), 1);
}

/// A time of 0 seconds is one run.
#[test]
fn the_latency_of_the_system_is_measured_at_least_once() {
    let duel = Duel::new(&[]);
    for run in duel.run_both("--intrinsic-latency 0") {
        let stdout = String::from_utf8_lossy(&run.stdout).into_owned();
        assert!(stdout.starts_with("Max latency so far: "), "{run:?}");
        assert!(stdout.contains(" total runs (avg latency: "), "{run:?}");
    }
}

#[test]
fn a_server_that_is_not_there_ends_the_modes() {
    let mut duel = Duel::new(&[]);
    for mode in [
        "--scan",
        "--bigkeys",
        "--memkeys",
        "--hotkeys",
        "--stat",
        "--latency",
        "--latency-dist",
    ] {
        duel.check_bare(&format!("-p 1 {mode}"));
    }
    duel.finish();
}

/// Digits differ from run to run; all else is the same.
#[test]
fn latency_is_told_as_by_redis_cli() {
    let duel = Duel::new(&[]);
    for format in ["", "--csv", "--json", "--raw"] {
        let line = format!("-p PORT --latency -i 0.05 {format}");
        let [real, ours] = duel.run_both(&line).map(|run| without_digits(&run.stdout));
        assert_eq!(real, ours, "{line}");
    }
    let [real, ours] = duel
        .run_both("--intrinsic-latency 1")
        .map(|run| without_digits(&run.stdout));
    let last_lines = |text: &str| {
        text.lines()
            .rev()
            .take(3)
            .map(str::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(last_lines(&real), last_lines(&ours));
    assert_eq!(real.lines().next(), ours.lines().next());
}

#[test]
fn latency_is_told_on_a_terminal() {
    let duel = Duel::new(&[]);
    for line in [
        "--latency",
        "--latency-history -i 0.05",
        "--latency-history --raw -i 0.05",
        "--latency-history --csv -i 0.05",
        "--latency --json -i 0.05",
    ] {
        let [real, ours] = duel.terminals(&format!("-p PORT {line}"), |terminal| {
            if line.contains("json") {
                terminal.wait_for("}");
            } else if line == "--latency" {
                terminal.wait_for(" samples)");
            }
            if line.contains("history") {
                terminal.wait_for_more(" seconds range", 2);
            }
            let text = terminal.text();
            without_digits(text.lines().next().unwrap_or_default().as_bytes())
        });
        assert_eq!(real, ours, "{line}");
    }
}

#[test]
fn the_spectrum_of_latencies_has_the_colours_of_redis_cli() {
    let duel = Duel::new(&[]);
    let [real, ours] = duel.terminals("-p PORT --latency-dist -i 0.1", |terminal| {
        terminal.wait_for_more("?", 2);
        terminal
            .text()
            .lines()
            .take(9)
            .collect::<Vec<_>>()
            .join("\n")
    });
    assert_eq!(real, ours);
}

/// A server that always tells the same figures, so that all lines are the same.
#[test]
fn figures_are_told_as_by_redis_cli() {
    let duel = Duel::new(&[]);
    let text = "# Server\r\nredis_version:7.0.15\r\nused_memory:1234567\r\nconnected_clients:3\r\n\
                blocked_clients:1\r\nloading:0\r\nrdb_bgsave_in_progress:1\r\naof_rewrite_in_progress:1\r\n\
                total_connections_received:12\r\ntotal_commands_processed:345\r\n\
                db0:keys=5,expires=0,avg_ttl=0\r\ndb3:keys=6,expires=0,avg_ttl=0\r\n";
    let info = format!("${}\r\n{text}\r\n", text.len());
    let replies = vec![info.as_bytes(); 25];
    let server = ScriptedServer::start(&replies);
    let line = format!("-p {} --stat -i 0.01", server.port);
    let [real, ours] = duel.terminals(&line, |terminal| {
        // Then the server is gone.
        terminal.wait_for("Reconnecting... 1");
        replaced(terminal.text().as_bytes(), "Reconnecting... 1", "")
    });
    let [real, ours] = [real, ours].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert_eq!(real, ours);
    assert_eq!(ours.matches("SAVE+AOF").count(), 25);
}

/// redis-cli does not log in again; this client does.
#[test]
fn figures_go_on_when_the_server_closes_the_connection() {
    let duel = Duel::new(&["--requirepass", "secret"]);
    let terminal = Terminal::start(duel.command(our_client(), "-p PORT --stat -i 0.01 -a secret"));
    terminal.wait_for("(+1)");
    let mut client = duel.server.client();
    client.call(&["AUTH", "secret"]);
    client.call(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    let lines = terminal.text().lines().count();
    terminal.wait_for_lines(lines + 3);
}
