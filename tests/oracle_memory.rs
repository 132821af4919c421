//! MEMORY: its errors are compared with a real redis-server, its estimates with the memory that keys really take.

mod common;

use common::oracle::Oracle;
use common::{Client, Folder, Server};
use my_redis_server::resp::decoder::Value;

const EDGES: &str = r#"
MEMORY
MEMORY FOO
MEMORY USAGE
MEMORY USAGE nothing
MEMORY USAGE nothing SAMPLES
MEMORY USAGE nothing FOO 3
SET k v
MEMORY USAGE k SAMPLES
MEMORY USAGE k FOO
MEMORY USAGE k FOO 3
MEMORY USAGE k SAMPLES x
MEMORY USAGE k SAMPLES -1
MEMORY USAGE k SAMPLES 1 SAMPLES
MEMORY USAGE k SAMPLES 1 SAMPLES -1
MEMORY USAGE k SAMPLES 9223372036854775808
MEMORY PURGE
MEMORY PURGE x
MEMORY STATS x
MEMORY HELP x
MEMORY HELP
"#;

#[test]
fn edges() {
    let mut oracle = Oracle::start();
    oracle.scripts(&[EDGES]);
    oracle.finish();
}

fn integer(client: &mut Client, request: &[&str]) -> i64 {
    match client.call(request) {
        Value::Integer(integer) => integer,
        other => panic!("{request:?}: {other:?}"),
    }
}

fn allocated(client: &mut Client) -> i64 {
    let Value::Array(stats) = client.call(&["MEMORY", "STATS"]) else {
        panic!("MEMORY STATS is a map")
    };
    let mut pairs = stats.chunks(2);
    let pair = pairs.find(|pair| pair[0] == Value::Bulk(b"total.allocated".to_vec()));
    match pair {
        Some([_, Value::Integer(bytes)]) => *bytes,
        other => panic!("{other:?}"),
    }
}

/// Fills a key with so many elements of the words that `element` gives, and compares the estimates with what it has cost.
#[track_caller]
fn check(command: &str, count: usize, element: impl Fn(usize) -> String) {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    let fill = |client: &mut Client, key: &str| {
        let numbers: Vec<usize> = (0..count).collect();
        for some in numbers.chunks(100) {
            let elements: Vec<String> = some.iter().map(|number| element(*number)).collect();
            let line = format!("{command} {key} {}", elements.join(" "));
            client.call(&line.split(' ').collect::<Vec<_>>());
        }
    };
    // The first time, buffers and the allocator's caches take their share.
    fill(&mut client, "first");
    let before = allocated(&mut client);
    fill(&mut client, "k");
    let taken = allocated(&mut client) - before;
    for (samples, most_percent) in [("5", 25), ("100", 10), ("0", 5)] {
        let told = integer(&mut client, &["MEMORY", "USAGE", "k", "SAMPLES", samples]);
        let off_percent = (told - taken).abs() * 100 / taken;
        assert!(
            off_percent <= most_percent,
            "{command}: {taken} bytes, {told} with {samples} samples"
        );
    }
}

#[test]
fn estimates_are_near_what_is_taken() {
    let long = "x".repeat(2000);
    check("RPUSH", 100_000, |number| format!("element:{number}"));
    check("HSET", 100_000, |number| {
        format!("field:{number} value:{number}")
    });
    check("SADD", 100_000, |number| format!("member:{number}"));
    check("ZADD", 100_000, |number| {
        format!("{number} member:{number}")
    });
    check("ZADD", 100_000, |number| {
        format!("{} member:{number}", number * 7919 % 100_003)
    });
    check("HSET", 5000, |number| format!("field:{number} {long}"));
    check("ZADD", 5000, |number| format!("{number} {number}{long}"));
    check("SADD", 5000, |number| format!("{number}{long}"));
}

#[test]
fn small_values_cost_their_bytes() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    // Two lengths, flags, slot (types/dict/page.rs, keyspace/string_entry.rs).
    client.call(&["SET", "k", "value"]);
    assert_eq!(
        integer(&mut client, &["MEMORY", "USAGE", "k"]),
        2 + 1 + 1 + 5 + 8
    );
    client.call(&["PEXPIRE", "k", "100000"]);
    assert_eq!(
        integer(&mut client, &["MEMORY", "USAGE", "k"]),
        2 + 1 + 9 + 5 + 8
    );
    client.call(&["RPUSH", "l", "a"]);
    let list = integer(&mut client, &["MEMORY", "USAGE", "l"]);
    assert!((50..200).contains(&list), "{list}");
}
