//! Valkey with both clients: what redis-cli prints of it, ours prints too.

use super::duel::{Duel, our_client};

const DATA: &[&str] = &[
    "SET string hello",
    "RPUSH list a b c",
    "HSET hash name ann age 33",
    "ZADD zset 1 one 2.5 two",
];

#[test]
fn both_clients_work_with_valkey() {
    let mut duel = Duel::with_valkey(&["--repl-diskless-sync-delay", "0"]);
    duel.set_up(DATA);
    for line in [
        "PING",
        "nosuch",
        "--no-raw LRANGE list 0 -1",
        "--no-raw -3 HGETALL hash",
        "--json ZRANGE zset 0 -1 WITHSCORES",
        "-n 3 SET a 1",
        "-a secret PING",
        "-s SOCKET GET string",
        "--pipe <<< \"SET a 1\\r\\nNOSUCH\\r\\nGET a\\r\\n\"",
        "<<< \"multi\\nselect 2\\nget a\\nexec\\nget string\\n3 incr n\\n\"",
        "INFO cluster",
    ] {
        duel.check(line);
    }
    // Made anew, a hash may lie in a block of another size, and Valkey asks how large it is. Both clients look at one.
    duel.set_up_once(DATA);
    for line in ["--scan", "--bigkeys", "--memkeys"] {
        duel.check_sorted(line);
    }
    duel.finish();
}

/// What redis-cli does not have asks Valkey by the commands that it shares with Redis.
#[test]
fn valkey_is_explained() {
    let duel = Duel::with_valkey(&["--repl-diskless-sync-delay", "0"]);
    let run = duel.run_ours("-p PORT help get");
    let stdout = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(stdout.contains("  GET key\r\n"), "{run:?}");
    let run = duel.run(our_client(), "-p PORT <<< \":explain SET a 1\"");
    let stdout = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(
        stdout.contains("\nkey         \"a\": OW update\n"),
        "{run:?}"
    );
    let run = duel.run_ours("-p PORT --time PING");
    let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(stderr.contains("the server counted "), "{run:?}");
    let run = duel.run_ours("-p PORT --rdb fetched.rdb");
    assert!(run.status.success(), "{run:?}");
    let bytes = std::fs::read(duel.folder.path().join("fetched.rdb")).expect("it was fetched");
    assert!(bytes.starts_with(b"REDIS") || bytes.starts_with(b"VALKEY"));
}
