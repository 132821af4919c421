//! Keyspace notifications: both servers get the same requests, and tell the same of their keys, in the same order.
//!
//! The tests of the families compare the events of their commands too ([`Oracle::listening`]). Here is every command
//! that writes, in each way that tells something else, and what is not of a family.

pub mod scripts;
mod streams;

use crate::common::oracle::{Oracle, RawClient, words};
use crate::common::{Folder, Server, request, strings, wait_until};
use my_redis_server::util::quoting::split_arguments;
use scripts::ALL;
use std::collections::BTreeSet;

/// What the server has counted of its keys.
fn lookups(oracle: &mut Oracle, index: usize) -> Vec<String> {
    let info = oracle.ask_one(index, &words(&["INFO", "stats"]));
    let info = String::from_utf8_lossy(&info);
    let is_counted =
        |line: &&str| line.starts_with("keyspace_") || line.starts_with("expired_keys:");
    info.lines()
        .filter(is_counted)
        .map(str::to_string)
        .collect()
}

#[test]
fn every_command_that_writes_tells_what_redis_tells() {
    let mut oracle = Oracle::listening(&[]);
    oracle.scripts(&ALL);
    let counts = [0, 1].map(|index| lookups(&mut oracle, index));
    assert_eq!(counts[0], counts[1], "ours, and those of Redis");
    let writing = words(&["COMMAND", "LIST", "FILTERBY", "ACLCAT", "write"]);
    let writing = strings(oracle.answers(&writing)[0].value.clone());
    let lines = ALL.iter().flat_map(|script| script.lines());
    // By name, and by the names of subcommands.
    let names = |line: &str| {
        let words: Vec<String> = line.split(' ').take(2).map(str::to_lowercase).collect();
        [words[0].clone(), words.join("|")].map(String::into_bytes)
    };
    let tried: BTreeSet<Vec<u8>> = lines.flat_map(names).collect();
    // Those on libraries of functions tell nothing of keys; `oracle::scripts` tries them.
    let is_of_functions = |name: &&Vec<u8>| name.starts_with(b"function|");
    for name in writing.iter().filter(|name| !is_of_functions(name)) {
        assert!(tried.contains(name), "{} is not tried", name.escape_ascii());
    }
    assert!(writing.len() > 80);
    oracle.finish();
}

/// Any command on keys of any type.
#[test]
fn random_commands_tell_what_redis_tells() {
    let pools: &[(&str, &str)] = &[
        ("key", "a | b | c | d | e | f"),
        (
            "member",
            "1 | 2 | x | y | long-long-long-long-long-long-long-long-long-long-long-long-long-long",
        ),
        ("number", "-2 | -1 | 0 | 1 | 2 | 3 | 1.5 | x"),
        ("end", "LEFT | RIGHT"),
        ("side", "MIN | MAX"),
    ];
    let commands = r"
        SET {key} {number}
        SET {key} {member} GET
        SET {key} {member} KEEPTTL
        SET {key} {member} EXAT 4102444800
        SETNX {key} {member}
        GETSET {key} {member}
        GETDEL {key}
        GETEX {key} PERSIST
        GETEX {key} EXAT 4102444800
        GETEX {key} PXAT 1
        MSET {key} 1 {key} 2
        MSETNX {key} 1 {key} 2
        APPEND {key} {member}
        SETRANGE {key} 3 {member}
        INCRBY {key} {number}
        INCRBYFLOAT {key} {number}
        MGET {key}+3
        LCS {key} {key}
        SETBIT {key} 9 1
        BITOP AND {key} {key}+2
        BITOP XOR {key} {key}+2
        BITFIELD {key} SET u4 0 3
        BITFIELD {key} GET u4 0
        PFADD {key} {member}*3
        PFCOUNT {key}+2
        PFMERGE {key}+3
        LPUSH {key} {member}+3
        RPUSH {key} {number}+3
        LPUSHX {key} {member}
        LPOP {key}
        RPOP {key} 2
        LINSERT {key} BEFORE 2 {member}
        LSET {key} {number} {member}
        LREM {key} {number} {member}
        LTRIM {key} {number} {number}
        LMOVE {key} {key} {end} {end}
        LMPOP 2 {key} {key} {end} COUNT 2
        BLPOP {key}+2 0.001
        BLMOVE {key} {key} {end} {end} 0.001
        SADD {key} {member}+3
        SREM {key} {member}+2
        SMOVE {key} {key} {member}
        SINTERSTORE {key} {key}+2
        SUNIONSTORE {key} {key}+2
        SDIFFSTORE {key} {key}+2
        HSET {key} {member} {number}
        HSETNX {key} {member} {number}
        HDEL {key} {member}+3
        HINCRBY {key} {member} {number}
        HINCRBYFLOAT {key} {member} {number}
        HGET {key} {member}
        ZADD {key} {number} {member} {number} {member}
        ZADD {key} XX CH {number} {member}
        ZINCRBY {key} {number} {member}
        ZREM {key} {member}+2
        ZPOPMIN {key}
        ZMPOP 2 {key} {key} {side} COUNT 2
        ZREMRANGEBYRANK {key} {number} {number}
        ZREMRANGEBYSCORE {key} {number} {number}
        ZUNIONSTORE {key} 2 {key} {key}
        ZINTERSTORE {key} 2 {key} {key}
        ZDIFFSTORE {key} 2 {key} {key}
        ZRANGESTORE {key} {key} {number} {number}
        XADD {key} * {member} {number}
        XADD {key} NOMKSTREAM MAXLEN {number} * {member} {number}
        XTRIM {key} MAXLEN {number}
        XDEL {key} 1 2
        XSETID {key} 9999999999999-{number}
        XGROUP CREATE {key} {number} 0
        XGROUP CREATE {key} {number} $ MKSTREAM
        XGROUP SETID {key} {number} 0
        XGROUP DESTROY {key} {number}
        XGROUP CREATECONSUMER {key} {number} {member}
        XGROUP DELCONSUMER {key} {number} {member}
        XREAD STREAMS {key} 0
        XREADGROUP GROUP {number} {member} COUNT 1 STREAMS {key} >
        XREADGROUP GROUP {number} {member} STREAMS {key} {key} 0 >
        XINFO STREAM {key}
        GEOADD {key} {number} {number} {member}
        GEOSEARCHSTORE {key} {key} FROMLONLAT 1 1 BYRADIUS 200 km
        DEL {key}+2
        EXISTS {key}+2
        TYPE {key}
        EXPIREAT {key} 4102444800
        EXPIRE {key} -1
        PERSIST {key}
        RENAME {key} {key}
        RENAMENX {key} {key}
        COPY {key} {key}
        COPY {key} {key} REPLACE
        COPY {key} {key} DB 1
        MOVE {key} 1
        SORT {key} ALPHA STORE {key}
        SORT {key}
        SELECT 0
        SELECT 1
        SWAPDB 0 1
        OBJECT ENCODING {key}
        EXPIRETIME {key}
    ";
    // SORT makes a skiplist of a sorted set in Redis.
    let mut oracle = Oracle::listening(&["--zset-max-listpack-entries", "0"]);
    oracle.random(commands, pools);
    oracle.finish();
}

/// Everything that happens, told class by class.
#[test]
fn classes_are_told_alone_and_together() {
    let classes = [
        "",
        "K",
        "E",
        "A",
        "KE",
        "KA",
        "EA",
        "KEA",
        "Kg",
        "E$",
        "Kl",
        "Es",
        "Kh",
        "Ez",
        "Kx",
        "Ee",
        "Kt",
        "Em",
        "Kd",
        "En",
        "KEgn",
        "K$lshz",
        "Exm",
        "KEg$lshzxetdmn",
        "KEnm",
        "AKn",
        "KEAnm",
    ];
    let script = r#"
SET k v EX 100
SET k v PXAT 1
GET k
LPUSH l a
SADD s a
HSET h a 1
ZADD z 1 a
PFADD p a
XADD x 1-1 f v
SETBIT b 1 1
SORT l STORE d
DEL l
RENAME s t
FLUSHALL"#;
    let mut oracle = Oracle::listening(&[]);
    for letters in classes {
        oracle.clear();
        oracle.type_line(&format!("CONFIG SET notify-keyspace-events \"{letters}\""));
        oracle.type_line("CONFIG GET notify-keyspace-events");
        script
            .lines()
            .skip(1)
            .for_each(|line| oracle.type_line(line));
    }
    oracle.type_line("CONFIG SET notify-keyspace-events K$");
    oracle.type_line("CONFIG SET notify-keyspace-events KEQ");
    oracle.type_line("SET k v");
    oracle.finish();
}

/// Requests that wait, each on a connection of its own, one after the other; then one that serves them.
const WAITING: &[(&[&str], &str)] = &[
    (&["BLPOP k 0"], "RPUSH k a"),
    (&["BLPOP k 0"], "RPUSH k a b"),
    (&["BRPOP k j 0", "BLPOP j 0"], "LPUSH j a b c"),
    (&["BLMOVE k m LEFT RIGHT 0"], "RPUSH k a"),
    (&["BLMOVE k k LEFT RIGHT 0"], "RPUSH k a b"),
    (&["BRPOPLPUSH k m 0", "BLPOP m 0"], "RPUSH k a"),
    (&["BLMPOP 0 2 j k LEFT COUNT 5"], "RPUSH k a b c d"),
    (&["BZPOPMIN k 0", "BZPOPMAX k 0"], "ZADD k 1 a 2 b"),
    (&["BZMPOP 0 1 k MIN COUNT 2"], "ZADD k 1 a 2 b 3 c"),
    (&["BLPOP k 0"], "RENAME source k"),
    (&["BLPOP k 0"], "COPY source k"),
    (&["BLPOP k 0"], "SORT source STORE k"),
    (&["BLPOP k 0"], "LMOVE source k LEFT LEFT"),
    (&["BZPOPMIN k 0"], "ZUNIONSTORE k 1 scored"),
    (&["BZPOPMIN k 0"], "ZRANGESTORE k scored 0 -1"),
    (&["BLPOP k 0"], "SWAPDB 0 2"),
    (&["XREAD BLOCK 0 STREAMS k 0"], "XADD k 1-1 f v"),
    (
        &["XREADGROUP GROUP g a BLOCK 0 STREAMS x >"],
        "XADD x 9-9 f v",
    ),
    (
        &[
            "XREADGROUP GROUP g a COUNT 1 BLOCK 0 STREAMS x >",
            "XREAD BLOCK 0 STREAMS x $",
            "XREADGROUP GROUP g b COUNT 1 BLOCK 0 STREAMS x >",
        ],
        "EVAL \"for id = 1, 2 do redis.call('XADD', KEYS[1], id, 'f', 'v') end\" 1 x",
    ),
];

#[test]
fn serving_who_waits_tells_in_the_order_of_redis() {
    let mut oracle = Oracle::listening(&[]);
    for (waiting, serving) in WAITING {
        oracle.clear();
        for line in [
            "RPUSH source 1 2 3",
            "ZADD scored 1 a 2 b",
            // Since 7.2 a consumer is created when it begins to wait.
            "XGROUP CREATE x g $ MKSTREAM",
            "XGROUP CREATECONSUMER x g a",
            "XGROUP CREATECONSUMER x g b",
            "SELECT 2",
            "RPUSH k 7 8",
            "SELECT 0",
        ] {
            oracle.type_line(line);
        }
        let mut waiters = Vec::new();
        for (number, line) in waiting.iter().enumerate() {
            let line = split_arguments(line.as_bytes()).expect("the quotes match");
            for index in [0, 1] {
                let mut waiter = RawClient::connect(oracle.port(index));
                waiter.send(&request(&line));
                waiters.push(waiter);
                let is_waiting = format!("\nblocked_clients:{}\r\n", number + 1);
                wait_until("the client waits", || {
                    let info = oracle.ask_one(index, &words(&["INFO", "clients"]));
                    String::from_utf8_lossy(&info).contains(&is_waiting)
                });
            }
        }
        oracle.type_line(serving);
        for pair in waiters.chunks_mut(2) {
            let [ours, real] =
                [0, 1].map(|index| pair[index].receive().expect("it is served").bytes);
            assert_eq!(ours, real, "{serving}");
        }
    }
    oracle.finish();
}

/// A key that is due is told of although nobody touches it; in several databases, many at once, and of every size.
#[test]
fn keys_that_nobody_touches_expire_in_public() {
    const KEYS: usize = 3000;
    let folder = Folder::new();
    let options = [
        "--databases",
        "4",
        "--save",
        "",
        "--notify-keyspace-events",
        "Ex",
    ];
    let server = Server::ours(&folder, &options);
    let mut listener = server.client();
    listener.call(&["PSUBSCRIBE", "__keyevent@*__:expired"]);
    let mut client = server.client();
    for number in 0..KEYS {
        let (name, ttl_ms) = (format!("k{number}"), (1 + number % 50).to_string());
        let value = "v".repeat(number % 3 * 500);
        client.call(&["SELECT", &(number % 4).to_string()]);
        client.call(&["SET", &name, &value, "PX", &ttl_ms]);
    }
    let expected: BTreeSet<(String, String)> = (0..KEYS)
        .map(|number| {
            (
                format!("__keyevent@{}__:expired", number % 4),
                format!("k{number}"),
            )
        })
        .collect();
    let told: BTreeSet<(String, String)> = (0..KEYS)
        .map(|_| {
            let parts = strings(listener.receive());
            let text = |index: usize| String::from_utf8(parts[index].clone()).expect("text");
            (text(2), text(3))
        })
        .collect();
    assert!(told == expected, "each key is told of once");
    assert_eq!(client.info("expired_keys"), KEYS.to_string());
}
