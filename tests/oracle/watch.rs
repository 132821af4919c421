//! WATCH, compared with a real redis-server: what spoils it, and transactions of several connections in any order.

use crate::common::oracle::RawClient;
use crate::common::{Folder, Server, request, stage};
use my_redis_server::util::quoting::{quote, split_arguments};

/// What may happen to the watched key `k`: what is typed before WATCH, and after it. `B` is another connection.
const SPOILERS: &[(&str, &str)] = &[
    ("SET k v", "A SET k v"),
    ("SET k v", "GET k|TOUCH k|TYPE k|STRLEN k|GETRANGE k 0 1"),
    ("SET k v", "SET k v"),
    ("", "DEL k"),
    ("SET k v", "DEL k"),
    ("SET k v", "UNLINK k|SET k v"),
    ("", "SET k v|DEL k"),
    ("SET k v", "FLUSHALL"),
    ("SET o v", "FLUSHALL"),
    ("SET k v", "SELECT 1|FLUSHDB"),
    ("SET k v", "FLUSHDB"),
    ("", "SWAPDB 0 1"),
    ("SET k v", "SWAPDB 0 1"),
    ("SELECT 1|SET k v|SELECT 0", "SWAPDB 0 1"),
    ("SET k v|SELECT 1|SET k v|SELECT 0", "SWAPDB 1 0"),
    ("SET k v", "SWAPDB 2 3"),
    ("SET k v", "SWAPDB 0 0"),
    ("SET k v", "SWAPDB 0 1|SWAPDB 0 1"),
    ("SET k v", "SELECT 1|SET k v"),
    ("SET k v", "A SELECT 1|SET k v"),
    ("SET k v", "EXPIRE k 100"),
    ("SET k v", "EXPIRE k -1"),
    ("", "EXPIRE k 100"),
    ("SET k v", "PERSIST k"),
    ("SET k v EX 100", "PERSIST k"),
    ("SET k v", "GETEX k|GETEX k PERSIST"),
    ("SET k v", "GETEX k EX 10"),
    ("SET k v", "LPUSH k v"),
    ("SET k v", "RENAME k o"),
    ("SET o v", "RENAME o k"),
    ("SET k v", "RENAME k k"),
    ("SET k v|SET o w", "RENAMENX o k"),
    ("SET o v", "COPY o k"),
    ("SET k v", "COPY k o"),
    ("SET k v", "MOVE k 1"),
    ("SET k v", "MSETNX k v o v"),
    ("SET k v", "APPEND k \"\""),
    ("", "SETRANGE k 0 \"\""),
    ("SETBIT k 0 1", "SETBIT k 0 1"),
    ("SET k v", "BITFIELD k GET u8 0"),
    ("SET k v", "BITFIELD k SET u8 0 118"),
    ("", "BITOP AND k a b"),
    ("PFADD k a", "PFADD k a"),
    ("PFADD k a", "PFMERGE k"),
    ("RPUSH k v", "LPUSH k v"),
    ("RPUSH k v", "LREM k 0 x"),
    ("RPUSH k v", "LSET k 0 v"),
    ("RPUSH k v", "LTRIM k 0 -1"),
    ("RPUSH k a b", "LMOVE k k LEFT RIGHT"),
    ("RPUSH k a", "LMOVE k k LEFT RIGHT"),
    ("RPUSH k a", "LMOVE k o LEFT RIGHT"),
    ("", "SORT n STORE k"),
    ("SET k v", "SORT n STORE k"),
    ("", "SUNIONSTORE k a b"),
    ("SADD k a", "SINTERSTORE k a b"),
    ("HSET k f v", "HSET k f v"),
    ("HSET k f v", "HSETNX k f w"),
    ("HSET k f v", "HDEL k g"),
    ("HSET k f v", "HDEL k f"),
    ("SADD k f", "SADD k f"),
    ("SADD k f g", "SPOP k 0"),
    ("SADD k f", "SPOP k"),
    ("SADD k f g", "SMOVE k k f"),
    ("SADD k f g", "SMOVE k o f"),
    ("ZADD k 1 f", "ZADD k 1 f"),
    ("ZADD k 1 f", "ZADD k XX CH 2 f"),
    ("ZADD k 1 f", "ZINCRBY k 0 f"),
    ("ZADD k 1 f", "ZREMRANGEBYRANK k 5 6"),
    ("ZADD k 1 f", "ZRANGESTORE k o 0 -1"),
    ("GEOADD k 1 1 a", "GEOADD k 1 1 a"),
    ("", "XADD k 1 f v"),
    ("", "XADD k NOMKSTREAM 1 f v"),
    ("XADD k 1 f v", "XADD k 1 f v"),
    ("XADD k 1 f v", "XADD k 2 f v"),
    ("XADD k 1 f v", "XADD k MAXLEN 0 2 f v"),
    ("XADD k 1 f v", "XTRIM k MAXLEN 1"),
    ("XADD k 1 f v", "XTRIM k MAXLEN 0"),
    ("XADD k 1 f v", "XDEL k 2"),
    ("XADD k 1 f v", "XDEL k 1"),
    ("XADD k 1 f v", "XSETID k 5"),
    (
        "XADD k 1 f v",
        "XRANGE k - +|XLEN k|XREAD STREAMS k 0|XINFO STREAM k",
    ),
    ("", "XGROUP CREATE k g 0"),
    ("", "XGROUP CREATE k g 0 MKSTREAM"),
    ("XADD k 1 f v", "XGROUP CREATE k g 0 MKSTREAM"),
    ("XGROUP CREATE k g 0 MKSTREAM", "XGROUP SETID k g 5"),
    (
        "XGROUP CREATE k g 0 MKSTREAM",
        "XGROUP CREATECONSUMER k g a",
    ),
    (
        "XGROUP CREATE k g 0 MKSTREAM|XGROUP CREATECONSUMER k g a",
        "XGROUP DELCONSUMER k g a",
    ),
    ("XGROUP CREATE k g 0 MKSTREAM", "XGROUP DESTROY k g"),
    (
        "XGROUP CREATE k g 0 MKSTREAM|XADD k 1 f v",
        "XREADGROUP GROUP g a STREAMS k >",
    ),
    (
        "XGROUP CREATE k g 0 MKSTREAM|XADD k 1 f v",
        "XREADGROUP GROUP g a NOACK STREAMS k >",
    ),
    (
        "XGROUP CREATE k g 0 MKSTREAM|XADD k 1 f v|XREADGROUP GROUP g a STREAMS k >",
        "XREADGROUP GROUP g a STREAMS k 0|XCLAIM k g b 0 1 JUSTID|XAUTOCLAIM k g a 0 0 JUSTID|XACK k g 1",
    ),
    (
        "XGROUP CREATE k g 0 MKSTREAM|XADD k 1 f v|XREADGROUP GROUP g a STREAMS k >",
        "XCLAIM k g a 0 1 LASTID 7",
    ),
    ("XADD o 1 f v", "COPY o k"),
    // What has expired before WATCH is no news, whatever becomes of it.
    ("SET k v PXAT 1", ""),
    ("SET k v PXAT 1", "GET k"),
    ("SET k v PXAT 1", "DEL k"),
    ("SET k v PXAT 1", "SET k v"),
    ("SET k v PXAT 1", "FLUSHALL"),
    ("SET k v PXAT 1", "SWAPDB 0 1"),
    ("SET k v PXAT 1", "SWAPDB 0 1|SWAPDB 0 1"),
    ("SELECT 1|SET k v PXAT 1|SELECT 0", "SWAPDB 0 1"),
    ("SELECT 1|SET k v PXAT 1|SELECT 0", "SWAPDB 0 1|GET k"),
    // What expires after it is, also if no client has noticed before EXEC.
    ("SET k v PX 500", "DEBUG SLEEP 0.6"),
    ("SET k v PX 500", "DEBUG SLEEP 0.6|GET k"),
    ("SET k v PX 500", "DEBUG SLEEP 0.6|FLUSHALL"),
    ("SET k v", "PEXPIRE k 1|DEBUG SLEEP 0.01|SET o v"),
    ("SET k v", "A WATCH o k|A UNWATCH|SET k v|SET o v"),
    ("SET k v", "SET k v|A WATCH o|A WATCH k"),
    ("SET k v", "A WATCH k k o|SET o v"),
];

#[test]
fn what_spoils_a_watch() {
    let scripts: Vec<String> = SPOILERS
        .iter()
        .map(|(before, after)| {
            let is_typed = |line: &&str| !line.is_empty();
            let mut script = vec!["B: DEBUG SET-ACTIVE-EXPIRE 0".to_string()];
            let before = before.split('|').filter(is_typed);
            script.extend(before.map(|line| format!("A: {line}")));
            script.push("A: WATCH k".to_string());
            let after = after.split('|').filter(is_typed);
            script.extend(after.map(|line| match line.strip_prefix("A ") {
                Some(own) => format!("A: {own}"),
                None => format!("B: {line}"),
            }));
            let end = [
                "A: MULTI", "A: PING", "A: EXEC", "A: MULTI", "A: PING", "A: EXEC",
            ];
            script.extend(end.map(str::to_string));
            script.push("B: DEBUG SET-ACTIVE-EXPIRE 1".to_string());
            script.join("\n")
        })
        .collect();
    let scripts: Vec<&str> = scripts.iter().map(String::as_str).collect();
    stage::compare(&scripts);
}

/// Three connections do what they like with three keys, in any order, and every reply is that of Redis.
#[test]
fn random_interleavings() {
    const STEPS: usize = 6_000;
    let words = [
        "MULTI",
        "MULTI",
        "EXEC",
        "EXEC",
        "EXEC",
        "DISCARD",
        "UNWATCH",
        "WATCH K",
        "WATCH K",
        "WATCH K K",
        "GET K",
        "INCR K",
        "SET K 1",
        "APPEND K 2",
        "DEL K",
        "RENAME K K",
        "RPUSH K x",
        "LPOP K",
        "COPY K K REPLACE",
        "EXPIRE K 100",
        "PERSIST K",
        "SET K 5 PXAT 1",
        "MGET K K K",
        "BLPOP K K 0.001",
        "FLUSHDB",
        "SWAPDB 0 1",
        "SELECT 0",
        "SELECT 0",
        "SELECT 1",
        "MOVE K 1",
        "GET",
        "NOSUCH",
        "RESET",
        "SORT K BY nosort",
        "EXISTS K K K",
    ];
    let folders = [Folder::new(), Folder::new()];
    let options = ["--databases", "2", "--save", ""];
    let servers = [
        Server::ours(&folders[0], &options),
        Server::real(&folders[1], &options),
    ];
    let mut clients: Vec<[RawClient; 2]> = (0..3)
        .map(|_| [0, 1].map(|server: usize| RawClient::connect(servers[server].port)))
        .collect();
    let mut random = fastrand::Rng::with_seed(7);
    let mut typed = Vec::new();
    for _ in 0..STEPS {
        let number = random.usize(..clients.len());
        let template = words[random.usize(..words.len())];
        let filled = template.split(' ').map(|word| match word {
            "K" => ["a", "b", "c"][random.usize(..3)],
            word => word,
        });
        let line = filled.collect::<Vec<_>>().join(" ");
        typed.push(format!("{number}: {line}"));
        let arguments = split_arguments(line.as_bytes()).expect("no quotes");
        let [ours, real] = [0, 1].map(|server: usize| {
            let client = &mut clients[number][server];
            client.send(&request(&arguments));
            let mut text = Vec::new();
            quote(&client.receive().expect("it answers").bytes, &mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        let before = typed.len().saturating_sub(40);
        assert_eq!(ours, real, "after\n{}", typed[before..].join("\n"));
    }
}
