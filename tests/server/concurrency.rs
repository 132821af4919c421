//! Many clients on the same data: every command is atomic, none sees another one half done.

use crate::common::{Client, EndOnDrop, Folder, Server, wait_until};
use my_redis_server::resp::decoder::Value;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

fn server() -> (Folder, Server) {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    (folder, server)
}

/// Runs a body in each of `count` threads, each with a client of its own.
fn in_threads<T: Send>(
    server: &Server,
    count: usize,
    body: impl Fn(usize, Client) -> T + Sync,
) -> Vec<T> {
    let body = &body;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|number| scope.spawn(move || body(number, server.client())))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("the body does not panic"))
            .collect()
    })
}

fn strings(value: Value) -> Vec<String> {
    let Value::Array(items) = value else {
        panic!("not an array: {value:?}")
    };
    let text = |item| match item {
        Value::Bulk(bytes) => String::from_utf8(bytes).expect("it is text"),
        other => panic!("not a string: {other:?}"),
    };
    items.into_iter().map(text).collect()
}

#[test]
fn no_update_is_lost() {
    let (_folder, server) = server();
    in_threads(&server, 16, |number, mut client| {
        for _ in 0..500 {
            client.send(&["INCR", "counter"]);
            client.send(&["HINCRBY", "hash", "field", "2"]);
            client.send(&["RPUSH", "list", "x"]);
            client.send(&["APPEND", "string", "y"]);
            client.send(&["INCRBY", &format!("own:{number}"), "3"]);
            (0..5).for_each(|_| drop(client.receive()));
        }
    });
    let mut client = server.client();
    assert_eq!(client.ask("GET counter"), "\"8000\"");
    assert_eq!(client.ask("HGET hash field"), "\"16000\"");
    assert_eq!(client.ask("LLEN list"), "(integer) 8000");
    assert_eq!(client.ask("STRLEN string"), "(integer) 8000");
    assert_eq!(client.ask("GET own:7"), "\"1500\"");
}

/// The threads of the clients carry out each other's requests when they wait for the lock of one key. A slow script,
/// again and again, makes them wait.
#[test]
fn pipelines_on_one_key_are_carried_out_once_and_in_order() {
    const CLIENTS: usize = 16;
    const PACKETS: usize = 60;
    let (_folder, server) = server();
    let busy = "for n = 1, 20000 do redis.call('EXISTS', KEYS[1]) end";
    let wrong_type = "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
    // A packet; `(integer) ?` is what the counter shows.
    let packet = [
        ("INCR counter", "(integer) ?"),
        ("LPUSH counter x", wrong_type),
        ("INCR counter", "(integer) ?"),
        ("ECHO between", "\"between\""),
        ("EXPIRE counter 1000", "(integer) 1"),
        ("INCR counter", "(integer) ?"),
        (
            "INCR",
            "(error) ERR wrong number of arguments for 'incr' command",
        ),
        ("SETNX counter 0", "(integer) 0"),
        ("INCR counter", "(integer) ?"),
        ("MULTI", "OK"),
        ("INCR counter", "QUEUED"),
        ("EXEC", "1) (integer) ?"),
        ("INCR counter", "(integer) ?"),
    ];
    let requests: String = packet
        .iter()
        .map(|(request, _)| format!("{request}\r\n"))
        .collect();
    let is_over = AtomicBool::new(false);
    let mut counted = in_threads(&server, CLIENTS + 1, |number, mut client| {
        let mut counted: Vec<i64> = Vec::new();
        if number == CLIENTS {
            while !is_over.load(SeqCst) {
                client.call(&["EVAL", busy, "1", "counter"]);
            }
            return counted;
        }
        let _ends = (number == 0).then(|| EndOnDrop(&is_over));
        for _ in 0..PACKETS {
            client.send_bytes(requests.as_bytes());
            for (request, expected) in packet {
                let reply = client.receive_line();
                match expected.strip_suffix('?') {
                    None => assert_eq!(reply, expected, "{request}"),
                    Some(before) => {
                        let count = reply
                            .strip_prefix(before)
                            .and_then(|count| count.parse().ok());
                        counted.push(count.unwrap_or_else(|| panic!("{request}: {reply}")));
                    }
                }
            }
        }
        assert!(counted.is_sorted(), "{counted:?}");
        counted
    })
    .concat();
    counted.sort_unstable();
    let all = (CLIENTS * PACKETS * 6) as i64;
    assert!(counted.into_iter().eq(1..=all));
}

/// Writers set many keys to one value at a time, in different orders; readers always find all of them equal.
#[test]
fn mset_is_never_seen_half_done() {
    let (_folder, server) = server();
    let keys: Vec<String> = (0..20).map(|number| format!("key:{number}")).collect();
    let is_over = AtomicBool::new(false);
    let mset = |client: &mut Client, keys: &mut dyn Iterator<Item = &String>, value: &str| {
        let pairs = keys.flat_map(|key| [key.as_str(), value]);
        let arguments: Vec<&str> = ["MSET"].into_iter().chain(pairs).collect();
        assert_eq!(client.call(&arguments), Value::Simple(b"OK".to_vec()));
    };
    mset(&mut server.client(), &mut keys.iter(), "0");
    in_threads(&server, 6, |number, mut client| {
        if number < 3 {
            for round in 0..1500 {
                let value = format!("{number}:{round}");
                if number % 2 == 0 {
                    mset(&mut client, &mut keys.iter(), &value);
                } else {
                    mset(&mut client, &mut keys.iter().rev(), &value);
                }
            }
            is_over.store(true, SeqCst);
        } else {
            while !is_over.load(SeqCst) {
                let arguments: Vec<&str> = ["MGET"]
                    .into_iter()
                    .chain(keys.iter().map(String::as_str))
                    .collect();
                let values: BTreeSet<String> =
                    strings(client.call(&arguments)).into_iter().collect();
                assert_eq!(values.len(), 1, "{values:?}");
            }
        }
    });
}

/// One key wanders about; at any moment it has exactly one name.
#[test]
fn rename_is_never_seen_half_done() {
    let (_folder, server) = server();
    let is_over = AtomicBool::new(false);
    server.client().ask("SET a treasure");
    in_threads(&server, 4, |number, mut client| {
        if number == 0 {
            for _ in 0..3000 {
                assert_eq!(client.ask("RENAME a b"), "OK");
                assert_eq!(client.ask("RENAME b a"), "OK");
            }
            is_over.store(true, SeqCst);
        } else {
            while !is_over.load(SeqCst) {
                assert_eq!(client.ask("EXISTS a b"), "(integer) 1");
            }
        }
    });
}

/// Elements are moved to and fro between lists by many clients; none is lost, none is there twice.
#[test]
fn lmove_keeps_every_element() {
    let (_folder, server) = server();
    let mut client = server.client();
    for number in 0..100 {
        client.ask(&format!("RPUSH l{} {number}", number % 4));
    }
    in_threads(&server, 8, |number, mut client| {
        for round in 0..1000 {
            let (from, to) = ((number + round) % 4, (number * 3 + round / 2) % 4);
            let ends = [["LEFT", "RIGHT"], ["RIGHT", "LEFT"], ["LEFT", "LEFT"]][round % 3];
            client.call(&[
                "LMOVE",
                &format!("l{from}"),
                &format!("l{to}"),
                ends[0],
                ends[1],
            ]);
        }
    });
    let lists =
        (0..4).flat_map(|list| strings(client.call(&["LRANGE", &format!("l{list}"), "0", "-1"])));
    let mut elements: Vec<u32> = lists.map(|element| element.parse().unwrap()).collect();
    elements.sort();
    assert!(elements.into_iter().eq(0..100));
}

/// What is there from the beginning to the end of a SCAN is returned, while other keys come and go by the thousand.
#[test]
fn scan_returns_what_stays() {
    let (_folder, server) = server();
    let mut client = server.client();
    for number in 0..500 {
        client.ask(&format!("SET stays:{number} v"));
        client.ask(&format!("HSET hash stays:{number} v"));
    }
    let is_over = AtomicBool::new(false);
    in_threads(&server, 3, |number, mut client| {
        if number > 0 {
            for round in 0.. {
                if is_over.load(SeqCst) {
                    return;
                }
                // 4,000 keys or fields appear, then go again: the tables grow and shrink.
                for name in 0..4000 {
                    let name = format!("goes:{name}");
                    match (number, round % 2) {
                        (1, 0) => client.send(&["SET", &name, "v"]),
                        (1, _) => client.send(&["DEL", &name]),
                        (_, 0) => client.send(&["HSET", "hash", &name, "v"]),
                        (_, _) => client.send(&["HDEL", "hash", &name]),
                    }
                }
                (0..4000).for_each(|_| drop(client.receive()));
            }
        }
        for _ in 0..5 {
            for scan in [&["SCAN"][..], &["HSCAN", "hash"]] {
                let mut seen = BTreeSet::new();
                let mut cursor = "0".to_string();
                loop {
                    let tail = [cursor.as_str(), "MATCH", "stays:*", "COUNT", "100"];
                    let arguments: Vec<&str> = scan.iter().copied().chain(tail).collect();
                    let Value::Array(mut reply) = client.call(&arguments) else {
                        panic!("SCAN gives an array")
                    };
                    seen.extend(strings(reply.pop().expect("the elements")));
                    let Some(Value::Bulk(next)) = reply.pop() else {
                        panic!("the cursor is a string")
                    };
                    cursor = String::from_utf8(next).expect("it is a number");
                    if cursor == "0" {
                        break;
                    }
                }
                seen.remove("v");
                assert_eq!(seen.len(), 500, "{scan:?}");
            }
        }
        is_over.store(true, SeqCst);
    });
}

/// Keys go when they are due, although nobody asks for them.
#[test]
fn keys_expire_by_themselves() {
    let (_folder, server) = server();
    let mut client = server.client();
    for number in 0..1000 {
        client.ask(&format!("SET k{number} v PX {}", 1 + number % 50));
    }
    client.ask("SET later v EX 1000");
    wait_until("all have been removed", || {
        client.info("expired_keys") == "1000"
    });
    assert_eq!(client.ask("DBSIZE"), "(integer) 1");
    // An earlier deadline wakes the sleeper.
    client.ask("PEXPIRE later 1");
    wait_until("it has been removed", || {
        client.info("expired_keys") == "1001"
    });
    assert_eq!(client.ask("DBSIZE"), "(integer) 0");
}

/// An expired key is never seen, neither read nor counted, from its deadline on.
#[test]
fn an_expired_key_is_never_seen() {
    let (_folder, server) = server();
    in_threads(&server, 4, |number, mut client| {
        for _ in 0..200 {
            let key = format!("k{number}");
            client.ask(&format!("SET {key} v"));
            let deadline = client.ask(&format!("PEXPIRE {key} 2"));
            assert_eq!(deadline, "(integer) 1");
            let began = std::time::Instant::now();
            while client.ask(&format!("GET {key}")) != "(nil)" {
                assert!(began.elapsed().as_millis() < 1000, "it does not go");
            }
            assert_eq!(client.ask(&format!("EXISTS {key}")), "(integer) 0");
            assert_eq!(client.ask(&format!("TTL {key}")), "(integer) -2");
            assert_eq!(client.ask(&format!("APPEND {key} x")), "(integer) 1");
        }
    });
}

/// A transaction that takes minutes holds the shard of one key; commands that want many shards, that one too, wait for
/// it, and so do the few keys of that shard. All other keys go on.
#[test]
fn a_command_that_waits_for_a_slow_one_holds_up_no_other() {
    const KEYS: usize = 60;
    // How many of the keys share a shard with the held one is a matter of chance: one in five times one at least, one
    // in 10^8 times more than this.
    const UNLUCKY: usize = 6;
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    let mut says = |request: &[&str], words: &str| match client.call(request) {
        Value::Bulk(text) => String::from_utf8_lossy(&text).contains(words),
        other => panic!("not a text: {other:?}"),
    };
    let mut holder = server.client();
    // 64 MiB to be counted 20,000 times.
    for line in ["SETBIT held 536870911 1", "MULTI", "ECHO x"] {
        holder.ask(line);
    }
    for _ in 0..20 {
        (0..1000).for_each(|_| holder.send(&["BITCOUNT", "held"]));
        (0..1000).for_each(|_| drop(holder.receive()));
    }
    holder.send(&["EXEC"]);
    wait_until("the transaction has its lock", || {
        says(&["INFO", "commandstats"], "cmdstat_echo:calls=1")
    });
    let many: Vec<String> = (0..200).map(|number| format!("many:{number}")).collect();
    let mset = many.iter().flat_map(|key| [key.as_str(), "v"]);
    let mset: Vec<&str> = ["MSET", "held", "v"].into_iter().chain(mset).collect();
    let mget = many.iter().map(String::as_str);
    let mget: Vec<&str> = ["MGET", "held"].into_iter().chain(mget).collect();
    let mut waiting = Vec::new();
    for request in [&mset[..], &mget, &["DBSIZE"], &["FLUSHALL"], &["BGSAVE"]] {
        let mut other = server.client();
        other.send(request);
        waiting.push(other);
        if request != ["BGSAVE"] {
            let name = format!("cmd={}", request[0].to_lowercase());
            wait_until("it has begun", || says(&["CLIENT", "LIST"], &name));
        }
    }
    let served = &AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for number in 0..KEYS {
            let mut client = server.client();
            scope.spawn(move || {
                let key = format!("key:{number}");
                let mut set = || {
                    client.try_send(&["SET", &key, "v"]).ok()?;
                    client.try_receive()
                };
                if (0..20).all(|_| set().is_some()) {
                    served.fetch_add(1, SeqCst);
                }
            });
        }
        wait_until("the others have been served", || {
            served.load(SeqCst) >= KEYS - UNLUCKY
        });
        server.signal("KILL");
    });
}
