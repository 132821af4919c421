//! Transactions of many clients at once: no update is lost, nobody sees one half done, and nothing is left behind.

use crate::common::{Client, EndOnDrop, Folder, Server, keys_of, request, strings, wait_until};
use my_redis_server::rdb::Value as DumpValue;
use my_redis_server::resp::decoder::Value;
use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

fn server(options: &[&str]) -> (Folder, Server) {
    let folder = Folder::new();
    let server = Server::ours(&folder, &[&["--save", ""], options].concat());
    (folder, server)
}

/// Sends requests at once, and returns their replies.
fn pipeline(client: &mut Client, lines: &[String]) -> Vec<Value> {
    for line in lines {
        client.send(&line.split(' ').collect::<Vec<_>>());
    }
    lines.iter().map(|_| client.receive()).collect()
}

fn numbers(value: Value) -> Vec<i64> {
    let texts = strings(value).into_iter();
    texts
        .map(|text| String::from_utf8(text).unwrap().parse().unwrap())
        .collect()
}

/// 16 clients transfer between 8 accounts, as the documentation of WATCH says: read, compute, write if nothing has
/// changed.
#[test]
fn transfers_keep_the_sum_and_lose_no_update() {
    const CLIENTS: usize = 16;
    const TRANSFERS: usize = 150;
    const ACCOUNTS: usize = 8;
    const BALANCE: i64 = 1000;
    let (_folder, server) = server(&[]);
    let mut director = server.client();
    for account in 0..ACCOUNTS {
        director.ask(&format!("SET account:{account} {BALANCE}"));
    }
    // What each client has put into each account, all in all.
    let moved: Vec<Vec<i64>> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let mut client = server.client();
                scope.spawn(move || {
                    let mut random = fastrand::Rng::with_seed(number as u64);
                    let mut moved = vec![0; ACCOUNTS];
                    let mut done = 0;
                    while done < TRANSFERS {
                        let from = random.usize(..ACCOUNTS);
                        let to = (from + random.usize(1..ACCOUNTS)) % ACCOUNTS;
                        let amount = random.i64(1..50);
                        client.ask(&format!("WATCH account:{from} account:{to}"));
                        let read = client.call(&[
                            "MGET",
                            &format!("account:{from}"),
                            &format!("account:{to}"),
                        ]);
                        let balances = numbers(read);
                        let lines = [
                            "MULTI".to_string(),
                            format!("SET account:{from} {}", balances[0] - amount),
                            format!("SET account:{to} {}", balances[1] + amount),
                            "INCR transfers".to_string(),
                            "EXEC".to_string(),
                        ];
                        if let Some(Value::Array(_)) = pipeline(&mut client, &lines).pop() {
                            moved[from] -= amount;
                            moved[to] += amount;
                            done += 1;
                        }
                    }
                    moved
                })
            })
            .collect();
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .collect()
    });
    for account in 0..ACCOUNTS {
        let expected = BALANCE + moved.iter().map(|moved| moved[account]).sum::<i64>();
        assert_eq!(
            director.ask(&format!("GET account:{account}")),
            format!("\"{expected}\"")
        );
    }
    assert_eq!(
        director.ask("GET transfers"),
        format!("\"{}\"", CLIENTS * TRANSFERS)
    );
    assert_eq!(director.info("total_watched_keys"), "0");
}

/// Transactions set 40 keys, one command each, to the same number, or remove them all. Readers of some keys, of all
/// shards, other transactions and dumps see all of it or nothing.
#[test]
fn a_transaction_is_never_seen_half_done() {
    const KEYS: usize = 40;
    let (folder, server) = server(&[]);
    let is_over = AtomicBool::new(false);
    let (server, over) = (&server, &is_over);
    let names: Vec<String> = (0..KEYS).map(|number| format!("key:{number}")).collect();
    let names = &names;
    let mget: Vec<&str> = ["MGET"]
        .into_iter()
        .chain(names.iter().map(String::as_str))
        .collect();
    let mget = &mget;
    thread::scope(|scope| {
        let _end = EndOnDrop(over);
        for writer in 0..2 {
            scope.spawn(move || {
                let mut client = server.client();
                for round in (writer..).step_by(2).take_while(|_| !over.load(SeqCst)) {
                    let mut lines = vec!["MULTI".to_string()];
                    lines.extend(names.iter().map(|name| match round % 5 {
                        0 => format!("DEL {name}"),
                        _ => format!("SET {name} {round}"),
                    }));
                    lines.push("EXEC".to_string());
                    let replies = pipeline(&mut client, &lines).pop();
                    assert!(matches!(replies, Some(Value::Array(all)) if all.len() == KEYS));
                }
            });
        }
        let check = |values: Vec<Option<Vec<u8>>>| {
            assert!(
                values.windows(2).all(|pair| pair[0] == pair[1]),
                "{values:?}"
            );
        };
        let texts = |value: Value| match value {
            Value::Array(all) => all
                .into_iter()
                .map(|value| match value {
                    Value::Bulk(text) => Some(text),
                    _ => None,
                })
                .collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        scope.spawn(move || {
            let mut client = server.client();
            while !over.load(SeqCst) {
                check(texts(client.call(mget)));
                let count = client.integer(&["DBSIZE"]);
                assert!(count == 0 || count == KEYS as i64, "{count} keys");
                let found = strings(client.call(&["KEYS", "*"])).len();
                assert!(found == 0 || found == KEYS, "{found} keys");
            }
        });
        scope.spawn(move || {
            let mut client = server.client();
            while !over.load(SeqCst) {
                let mut lines = vec!["MULTI".to_string()];
                lines.extend(names.iter().map(|name| format!("GET {name}")));
                lines.extend(
                    [
                        "INFO keyspace",
                        "MEMORY STATS",
                        "INFO clients",
                        "DBSIZE",
                        "EXEC",
                    ]
                    .map(str::to_string),
                );
                let Some(Value::Array(mut replies)) = pipeline(&mut client, &lines).pop() else {
                    panic!("EXEC answers")
                };
                let count = replies.pop();
                assert!(matches!(count, Some(Value::Integer(0 | 40))), "{count:?}");
                replies.truncate(KEYS);
                check(texts(Value::Array(replies)));
            }
        });
        let mut client = server.client();
        let mut seen = [false; 2];
        for _ in 0..15 {
            assert_eq!(client.ask("SAVE"), "OK");
            let keys = keys_of(&fs::read(folder.dump()).expect("a dump"));
            assert!(keys.is_empty() || keys.len() == KEYS, "{} keys", keys.len());
            seen[usize::from(keys.is_empty())] = true;
            check(
                keys.into_values()
                    .map(|record| match record.value {
                        DumpValue::String(text) => Some(text.to_vec()),
                        other => panic!("{other:?}"),
                    })
                    .collect(),
            );
        }
        assert!(seen[0], "no dump has keys");
    });
}

/// Transactions over the same keys in different orders, with commands that lock all shards between them: none waits for
/// another in a circle.
#[test]
fn locks_are_taken_in_one_order() {
    let (_folder, server) = server(&["--databases", "4"]);
    thread::scope(|scope| {
        for number in 0..6_u64 {
            let mut client = server.client();
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(number);
                for _ in 0..150 {
                    let mut lines = vec![
                        format!("WATCH k{} k{}", random.u8(..9), random.u8(..9)),
                        "MULTI".to_string(),
                    ];
                    for _ in 0..6 {
                        let (a, b) = (random.u8(..9), random.u8(..9));
                        lines.push(match random.u8(..9) {
                            0 => format!("RENAME k{a} k{b}"),
                            1 => format!("SELECT {}", random.u8(..5)),
                            2 => format!("BLMOVE l{a} l{b} LEFT RIGHT 0"),
                            3 => "INFO everything".to_string(),
                            4 => format!("SORT k{a} BY w_* STORE k{b}"),
                            5 => format!("COPY k{a} k{b} DB 1"),
                            6 => "BGSAVE".to_string(),
                            7 => format!("RPUSH l{a} x"),
                            _ => format!("SET k{a} {b}"),
                        });
                    }
                    lines.push("EXEC".to_string());
                    let reply = pipeline(&mut client, &lines).pop();
                    assert!(
                        matches!(reply, Some(Value::Array(_) | Value::Null)),
                        "{reply:?}"
                    );
                }
            });
        }
    });
}

/// However a client goes, no shard keeps it among the watchers of a key.
#[test]
fn a_client_that_is_gone_watches_nothing() {
    let (_folder, server) = server(&[]);
    let mut director = server.client();
    let watched = |director: &mut Client| director.info("total_watched_keys");
    let watch = |director: &mut Client| {
        let mut client = server.client();
        assert_eq!(client.ask("WATCH a b c d a"), "OK");
        assert_eq!(watched(director), "4");
        client
    };
    for line in ["UNWATCH", "RESET", "EXEC x"] {
        let mut client = watch(&mut director);
        client.ask(line);
        assert_eq!(watched(&mut director), "0", "{line}");
    }
    for lines in [
        "MULTI|DISCARD",
        "MULTI|EXEC",
        "MULTI|GET|EXEC",
        "MULTI|SET a b|EXEC",
        "MULTI|DBSIZE|EXEC",
    ] {
        let mut client = watch(&mut director);
        lines.split('|').for_each(|line| drop(client.ask(line)));
        assert_eq!(watched(&mut director), "0", "{lines}");
    }
    // Once is enough: who has changed is watched no longer.
    let client = watch(&mut director);
    director.ask("SET a 1");
    assert_eq!(watched(&mut director), "3");
    drop(client);
    wait_until("the client is gone", || watched(&mut director) == "0");
    let mut client = watch(&mut director);
    client.ask("QUIT");
    wait_until("the client is gone", || watched(&mut director) == "0");
    let mut client = watch(&mut director);
    let id = client.integer(&["CLIENT", "ID"]).to_string();
    director.call(&["CLIENT", "KILL", "ID", &id]);
    wait_until("the client is gone", || watched(&mut director) == "0");
    // While it waits for a key.
    let mut client = watch(&mut director);
    client.send(&["BLPOP", "list", "0"]);
    wait_until("it waits", || director.info("blocked_clients") == "1");
    drop(client);
    wait_until("the client is gone", || watched(&mut director) == "0");
    // A protocol error.
    let mut client = watch(&mut director);
    client.try_send(&["MULTI"]).expect("it reads");
    client.stream.write_all(b"*1\r\nx\r\n").expect("it reads");
    wait_until("the client is gone", || watched(&mut director) == "0");
}

/// What is queued counts as input that has not been answered.
#[test]
fn a_queue_that_grows_without_end_is_cut_off() {
    let (_folder, server) = server(&["--client-query-buffer-limit", "1mb"]);
    let mut client = server.client();
    client.ask("MULTI");
    let value = "v".repeat(100_000);
    let mut queued = 0;
    while client.try_send(&["SET", "k", &value]).is_ok() && client.try_receive().is_some() {
        queued += 1;
        assert!(queued < 20, "nobody stops it");
    }
    assert_eq!(queued, 10);
    assert_eq!(server.client().ask("GET k"), "(nil)");
}

/// BGSAVE in a transaction begins when the transaction has ended, and the dump shows all of it. CONFIG SET leaves
/// something to be done too.
#[test]
fn a_save_waits_for_the_end_of_the_transaction() {
    let (folder, server) = server(&[]);
    let mut client = server.client();
    let lines = [
        "MULTI",
        "SET a 1",
        "BGSAVE",
        "BGSAVE",
        "SET b 2",
        "CONFIG SET timeout 10",
        "EXEC",
    ]
    .map(str::to_string);
    let replies = pipeline(&mut client, &lines).pop();
    let scheduled = || Value::Simple(b"Background saving scheduled".to_vec());
    let ok = || Value::Simple(b"OK".to_vec());
    assert_eq!(
        replies,
        Some(Value::Array(vec![
            ok(),
            scheduled(),
            scheduled(),
            ok(),
            ok()
        ]))
    );
    wait_until("it is saved", || client.info("rdb_saves") == "1");
    assert_eq!(keys_of(&fs::read(folder.dump()).expect("a dump")).len(), 2);
}

/// A hundred thousand commands in one transaction.
#[test]
fn a_large_transaction() {
    const COMMANDS: usize = 100_000;
    let (_folder, server) = server(&[]);
    let mut client = server.client();
    let mut output = client.stream.try_clone().expect("a handle");
    let increments =
        (0..COMMANDS).map(|number| request(&["INCRBY", &format!("k{}", number % 1000), "2"]));
    let requests: Vec<u8> = std::iter::once(request(&["MULTI"]))
        .chain(increments)
        .chain([request(&["EXEC"])])
        .flatten()
        .collect();
    let reply = thread::scope(|scope| {
        scope.spawn(move || output.write_all(&requests).expect("the server reads"));
        (0..=COMMANDS).for_each(|_| drop(client.receive()));
        client.receive()
    });
    let Value::Array(replies) = reply else {
        panic!("{reply:?}")
    };
    let last = 2 * (COMMANDS / 1000) as i64;
    assert_eq!(replies.len(), COMMANDS);
    assert_eq!(replies.last(), Some(&Value::Integer(last)));
    assert_eq!(client.ask("GET k0"), format!("\"{last}\""));
}
