//! A dump over the connection: redis-cli --rdb and what else asks for one.

use crate::common::{Client, EndOnDrop, Folder, Server, keys_of, redis_tool, request, wait_until};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output};

fn redis_cli(port: u16, arguments: &[&str]) -> Output {
    let mut command: Command = redis_tool("redis-cli");
    command.args(["-p", &port.to_string()]).args(arguments);
    command.output().expect("redis-cli can be run")
}

/// Runs `redis-cli --rdb FILE` and reads the file.
fn fetched(server: &Server, folder: &Folder, name: &str) -> Vec<u8> {
    let path = folder.path().join(name);
    let output = redis_cli(
        server.port,
        &["--rdb", path.to_str().expect("a path in UTF-8")],
    );
    assert!(output.status.success(), "{output:?}");
    fs::read(path).expect("redis-cli has written the file")
}

fn fill(client: &mut Client) {
    for number in 0..2_000 {
        client.call(&["SET", &format!("key:{number}"), &"v".repeat(number % 100)]);
        client.call(&["RPUSH", "list", &number.to_string()]);
        client.call(&["HSET", "hash", &number.to_string(), "value"]);
    }
    client.call(&["SET", "large", &"x".repeat(3_000_000)]);
    client.call(&["PEXPIREAT", "key:7", "4102444800000"]);
}

#[test]
fn redis_cli_gets_what_bgsave_writes() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    fill(&mut client);
    assert_eq!(client.ask("SAVE"), "OK");
    let saved = keys_of(&fs::read(folder.dump()).expect("a dump"));
    assert_eq!(saved.len(), 2_003);
    let got = fetched(&server, &folder, "got.rdb");
    assert_eq!(keys_of(&got), saved);
    let checked = redis_tool("redis-check-rdb")
        .arg(folder.path().join("got.rdb"))
        .output();
    let checked = String::from_utf8(checked.expect("it can be run").stdout).expect("text");
    assert!(checked.contains("RDB looks OK!"), "{checked}");
    assert_eq!(client.info("sync_full"), "1");
    // The connection of redis-cli is gone, and a new one works.
    assert_eq!(server.client().ask("PING"), "PONG");
}

/// Reads to the end of the connection.
fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream
        .read_to_end(&mut bytes)
        .expect("the server closes the connection");
    bytes
}

#[test]
fn a_client_that_knows_no_mark_gets_the_length_first() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    fill(&mut server.client());
    let mut client = server.client();
    assert_eq!(client.ask("REPLCONF rdb-only 1"), "OK");
    client.send(&["SYNC"]);
    let bytes = rest(client.stream);
    let line = bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .expect("a line");
    let head = String::from_utf8(bytes[..line].to_vec()).expect("text");
    let dump = &bytes[line + 1..];
    assert_eq!(head, format!("${}\r", dump.len()));
    assert_eq!(keys_of(dump).len(), 2_003);
    let left = fs::read_dir(folder.path()).expect("the folder").count();
    assert_eq!(left, 1, "only the log is there");
}

#[test]
fn psync_says_where_the_dump_stands() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    fill(&mut server.client());
    let mut client = server.client();
    let id = client.info("master_replid");
    assert_eq!(client.ask("REPLCONF capa eof rdb-only 1"), "OK");
    client.send(&["PSYNC", "?", "-1"]);
    let bytes = rest(client.stream);
    let head = format!("+FULLRESYNC {id} 0\r\n$EOF:");
    assert_eq!(bytes[..head.len()], *head.as_bytes());
    let mark = &bytes[head.len()..head.len() + 40];
    let dump = &bytes[head.len() + 42..bytes.len() - 40];
    assert_eq!(bytes[bytes.len() - 40..], *mark);
    assert_eq!(keys_of(dump).len(), 2_003);
}

/// As Redis does it.
#[test]
fn a_dump_is_not_mixed_with_other_replies() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &[]);
    let mut client = server.client();
    let requests = [
        request(&["REPLCONF", "rdb-only", "1"]),
        request(&["SYNC"]),
        request(&["PING"]),
    ];
    client
        .stream
        .write_all(&requests.concat())
        .expect("the server reads");
    let replies = b"+OK\r\n-ERR SYNC and PSYNC are invalid with pending output\r\n+PONG\r\n";
    let mut received = vec![0; replies.len()];
    client
        .stream
        .read_exact(&mut received)
        .expect("three replies");
    assert_eq!(received, replies);
}

/// Several clients fetch dumps while a writer changes all keys, always together, and the saver saves: each dump is of
/// one moment.
#[test]
fn many_dumps_at_once_are_each_of_one_moment() {
    const PAIRS: usize = 300;
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mset = |round: usize| {
        let pairs =
            (0..PAIRS).flat_map(|number| [format!("key:{number}"), format!("round {round}")]);
        ["MSET".to_string()]
            .into_iter()
            .chain(pairs)
            .collect::<Vec<_>>()
    };
    server.client().call(&mset(0));
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let end = EndOnDrop(&is_over);
        let writer = scope.spawn(|| {
            let mut client = server.client();
            let mut round = 0;
            while !is_over.load(std::sync::atomic::Ordering::SeqCst) {
                round += 1;
                client.call(&mset(round));
            }
            round
        });
        let fetchers: Vec<_> = (0..4)
            .map(|number| {
                let (server, folder) = (&server, &folder);
                scope.spawn(move || {
                    for round in 0..5 {
                        let dump = fetched(server, folder, &format!("{number}-{round}.rdb"));
                        check_is_one_moment(&dump, PAIRS);
                    }
                })
            })
            .collect();
        let mut client = server.client();
        while !fetchers.iter().all(|fetcher| fetcher.is_finished()) {
            assert_eq!(client.ask("SAVE"), "OK");
            check_is_one_moment(&fs::read(folder.dump()).expect("a dump"), PAIRS);
        }
        drop(end);
        assert!(writer.join().expect("the writer does not fail") > 0);
        fetchers
            .into_iter()
            .for_each(|fetcher| fetcher.join().expect("every dump was good"));
    });
}

fn check_is_one_moment(dump: &[u8], pairs: usize) {
    let keys = keys_of(dump);
    assert_eq!(keys.len(), pairs);
    let first = &keys.values().next().expect("there are keys").value;
    assert!(keys.values().all(|record| record.value == *first));
}

/// Nobody waits for a client that asks for a dump and does not read it; when it is killed, its thread ends.
#[test]
fn a_client_that_does_not_read_its_dump_holds_up_nobody() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", "", "--rdbcompression", "no"]);
    let mut client = server.client();
    // More than the buffers of the connection take, and nothing to compress.
    let mut random = fastrand::Rng::with_seed(1);
    let mut value = vec![0; 1_000_000];
    for number in 0..30 {
        random.fill(&mut value);
        client.call(&[&b"SET"[..], format!("large:{number}").as_bytes(), &value]);
    }
    let mut lazy = server.client();
    let id = lazy.integer(&["CLIENT", "ID"]);
    assert_eq!(lazy.ask("REPLCONF capa eof rdb-only 1"), "OK");
    lazy.send(&["SYNC"]);
    let mut head = [0; 5];
    lazy.stream
        .read_exact(&mut head)
        .expect("the dump has begun");
    assert_eq!(head, *b"$EOF:");
    assert_eq!(client.ask("SET large:1 small"), "OK");
    assert_eq!(client.ask("SAVE"), "OK");
    assert_eq!(keys_of(&fs::read(folder.dump()).expect("a dump")).len(), 30);
    assert_eq!(client.ask("FLUSHALL"), "OK");
    assert_eq!(client.ask(&format!("CLIENT KILL ID {id}")), "(integer) 1");
    wait_until("the client is gone", || {
        client.info("connected_clients") == "1"
    });
}

/// However many clients ask for dumps and do not read them, they cost two snapshots, and only until `repl-timeout`.
#[test]
fn clients_that_do_not_read_share_snapshots_and_are_given_up() {
    const KEYS: usize = 30;
    let folder = Folder::new();
    let server = Server::ours(
        &folder,
        &[
            "--save",
            "",
            "--rdbcompression",
            "no",
            "--repl-timeout",
            "2",
        ],
    );
    let mut client = server.client();
    let mut random = fastrand::Rng::with_seed(2);
    let mut value = vec![0; 1_000_000];
    let mut overwrite = |client: &mut Client| {
        for number in 0..KEYS {
            random.fill(&mut value);
            client.call(&[&b"SET"[..], format!("large:{number}").as_bytes(), &value]);
        }
    };
    overwrite(&mut client);
    let lazy: Vec<Client> = (0..20)
        .map(|number| {
            let mut lazy = server.client();
            if number % 2 == 0 {
                lazy.call(&["REPLCONF", "capa", "eof"]);
            }
            lazy.call(&["REPLCONF", "rdb-only", "1"]);
            lazy.send(&["SYNC"]);
            lazy
        })
        .collect();
    wait_until("all are waiting for a dump", || {
        client.info("sync_full") == "20"
    });
    (0..3).for_each(|_| overwrite(&mut client));
    let used: usize = client.info("used_memory").parse().expect("a number");
    // The data, two snapshots of other data, and what waits to be sent of both.
    assert!(used < 5 * KEYS * 1_000_000, "{used} bytes");
    let dump = fetched(&server, &folder, "fetched.rdb");
    assert_eq!(keys_of(&dump).len(), KEYS);
    wait_until("they are given up", || {
        client.info("connected_clients") == "1"
    });
    drop(lazy);
}
