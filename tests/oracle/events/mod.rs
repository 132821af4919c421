//! Keyspace notifications: both servers get the same requests, and tell the same of their keys, in the same order.
//!
//! The tests of the families compare the events of their commands too ([`Oracle::listening`]). Here is every command that
//! writes, in each way that tells something else, and what is not of a family.

use crate::common::oracle::{Oracle, RawClient, words};
use crate::common::{Folder, Server, request, strings, wait_until};
use my_redis_server::util::quoting::split_arguments;
use std::collections::BTreeSet;

const STRINGS: &str = r#"
SET k v
SET k w
SET k w EX 100
SET k w KEEPTTL
SET k w XX PX 100000
SET k w NX
SET k w GET
SET n w XX
SET n w XX GET
SET n w GET
RPUSH l a
SET l w
SET k w EX 0
SET k w PXAT 1
GET k
SET k w PXAT 1
SET k w
SET k w PXAT 1
APPEND k x
SET k w PXAT 1
DEL k
SET k w PXAT 1
EXISTS k k
SET k w PXAT 1
RENAME n k
SET k w PXAT 1
STRLEN k

SETNX k v
SETNX k v
SETEX k 100 v
PSETEX k 100000 v
GETSET k w
GETSET n w
GETDEL n
GETDEL n
GETEX k
GETEX k PERSIST
GETEX k EX 100
GETEX k PERSIST
GETEX k PXAT 1
GETEX k
MSET a 1 b 2 a 3
MSETNX a 1 c 2
MSETNX c 1 d 2 c 3
APPEND a ""
APPEND a x
APPEND e ""
SETRANGE f 0 ""
SETRANGE f 3 x
SETRANGE f 0 ""
SETRANGE f 0 y
INCR i
INCRBY i 0
INCRBY i 3
DECR i
DECRBY i 3
INCRBYFLOAT i 1.5
INCRBYFLOAT j 0
INCR f
INCR i
LCS a nothing
MGET a nothing b nothing
SUBSTR nothing 0 1
GETRANGE nothing 0 1

RPUSH l a
APPEND l x
SETRANGE l 0 x
INCR l
INCRBYFLOAT l 1
GETSET l x
GETDEL l
GETEX l EX 10
SET l x GET
SETRANGE l 0 ""
"#;

const BITS: &str = r#"
SETBIT b 7 1
SETBIT b 7 1
SETBIT b 7 0
SETBIT b 100 0
SETBIT c 0 0
BITFIELD b GET u8 0
BITFIELD n GET u8 0
BITFIELD_RO n GET u8 0
BITFIELD d SET u8 0 1
BITFIELD d SET u8 0 1
BITFIELD d SET u8 0 2 GET u8 0 INCRBY u8 0 3
BITFIELD d OVERFLOW FAIL INCRBY u8 0 300
BITFIELD e OVERFLOW FAIL INCRBY u8 0 300
BITFIELD d INCRBY u8 0 0
BITOP AND x b c
BITOP OR x b nothing d
BITOP XOR x nothing other
BITOP XOR x nothing
BITOP NOT x b
BITOP NOT b b
RPUSH l a
BITOP AND l b
BITOP AND x b l
GETBIT nothing 1
BITCOUNT nothing
BITPOS nothing 1

PFADD h
PFADD h
PFADD h a b
PFADD h a b
PFADD i x
PFCOUNT h
PFCOUNT h i nothing
PFCOUNT nothing
PFMERGE h
PFMERGE h i nothing
PFMERGE new h i
PFMERGE other nothing
PFDEBUG TODENSE h
PFDEBUG TODENSE nothing
PFDEBUG GETREG i
SET s x
PFADD s a
PFMERGE s h
PFMERGE h s
"#;

const LISTS: &str = r#"
LPUSH l a b
RPUSH l c
LPUSHX l d
RPUSHX l e
LPUSHX n a
RPUSHX n a
LINSERT l BEFORE c x
LINSERT l AFTER none x
LINSERT n AFTER a x
LSET l 0 y
LSET l 100 y
LSET n 0 y
LREM l 0 x
LREM l 0 x
LREM n 0 x
LTRIM l 0 -1
LTRIM l 1 2
LTRIM n 0 1
LPOP l
RPOP l
RPOP l
LPOP l
RPUSH l 1 2 3 4 5 6
LPOP l 0
LPOP l 2
RPOP l 2
LPOP l 100
RPUSH l a b
LREM l 0 a
LREM l 0 b
RPUSH l a b c
LTRIM l 5 6
RPUSH l a b c
LMOVE l l LEFT RIGHT
LMOVE l l LEFT LEFT
LMOVE l m LEFT RIGHT
LMOVE l m RIGHT LEFT
RPOPLPUSH l m
RPOPLPUSH l m
RPOPLPUSH m m
LMOVE n m LEFT LEFT
LMPOP 2 n m LEFT
LMPOP 1 m RIGHT COUNT 10
LMPOP 1 m RIGHT COUNT 10
SET s x
RPUSH l a
LPUSH s a
LMOVE l s LEFT LEFT
LPOP s
LRANGE n 0 -1
LLEN n
LINDEX n 0
LPOS n a

RPUSH l a b c d e f
BLPOP n l 0
BRPOP l 0
BLMOVE l m LEFT LEFT 0
BRPOPLPUSH l m 0
BLMPOP 0 2 n l LEFT
BLMPOP 0 1 m LEFT COUNT 10
BLPOP l 0
BLPOP n 0.001
BLMOVE n m LEFT LEFT 0.001
"#;

const SETS: &str = r#"
SADD s a b c
SADD s a
SADD s a d
SREM s x
SREM s a x
SREM s b c d
SREM s b
SADD s a b c
SMOVE s t a
SMOVE s t a
SMOVE s t b
SADD t c
SMOVE s t c
SMOVE t t a
SMOVE t t x
SMOVE n t x
SADD u 1
SPOP u
SPOP u
SADD u 1 2 3
SPOP u 0
SPOP u 3
SPOP u 3
SADD u 1 2 3 4
SINTERSTORE d t u
SINTERSTORE d n t
SUNIONSTORE d t u
SUNIONSTORE d t u n
SUNIONSTORE d n n
SUNIONSTORE d n n
SDIFFSTORE d t u
SDIFFSTORE d n t
SDIFFSTORE d n t
SDIFFSTORE d t n m
SINTERSTORE t t t
SET k x
SUNIONSTORE k t u
SET k x
SUNIONSTORE d k t n
SINTERSTORE d n k
SDIFFSTORE d n k
SINTERSTORE k n t
SADD k a
SINTER n t
SINTER t n m
SINTERCARD 2 n t
SUNION n t m
SDIFF n t m
SMEMBERS n
SISMEMBER n a
SMISMEMBER n a b
SCARD n
SRANDMEMBER n
SRANDMEMBER n 3
SSCAN n 0
"#;

const HASHES: &str = r#"
HSET h a 1 b 2
HSET h a 1
HSET h c 3
HMSET h a 1
HSETNX h a 1
HSETNX h d 1
HSETNX i a 1
HINCRBY h a 0
HINCRBY h a 5
HINCRBY j a 5
HINCRBYFLOAT h a 0.5
HINCRBYFLOAT k a 0.5
HDEL h x
HDEL h x a
HDEL h b c d
HDEL h b
HINCRBY i b x
HSET i w x
HINCRBY i w 1
HINCRBYFLOAT i w 1
SET s x
HSET s a b
HDEL s a
HGET n a
HMGET n a b
HGETALL n
HKEYS n
HVALS n
HLEN n
HEXISTS n a
HSTRLEN n a
HRANDFIELD n
HRANDFIELD n 3
HSCAN n 0
"#;

const SORTED_SETS: &str = r#"
ZADD z 1 a 2 b 3 c
ZADD z 1 a
ZADD z CH 5 a
ZADD z NX 9 a
ZADD z XX 9 x
ZADD n XX 9 x
ZADD z INCR 1 a
ZADD z NX INCR 1 a
ZADD z GT 1 a
ZADD m INCR 1 a
ZINCRBY z 0 a
ZINCRBY z 1 a
ZINCRBY o 0 a
ZADD o inf b
ZINCRBY o -inf b
ZREM z x
ZREM z a x
ZREM z b c
ZREM z b
ZADD z 1 a 2 b 3 c 4 d 5 e 6 f 7 g
ZPOPMIN z
ZPOPMAX z
ZPOPMIN z 0
ZPOPMIN z 2
ZMPOP 2 n z MIN
ZMPOP 1 z MAX COUNT 100
ZMPOP 1 z MAX
ZPOPMAX z
ZADD z 1 a 2 b 3 c 4 d
ZREMRANGEBYSCORE z 1 1
ZREMRANGEBYSCORE z 1 1
ZREMRANGEBYRANK z 0 0
ZREMRANGEBYRANK z 5 6
ZREMRANGEBYLEX z [c [c
ZREMRANGEBYSCORE z -inf inf
ZREMRANGEBYSCORE z -inf inf
ZADD z 1 a
ZREMRANGEBYRANK z 0 -1
ZADD z 1 a
ZREMRANGEBYLEX z - +
ZREMRANGEBYLEX z - +

ZADD z 1 a 2 b 3 c
ZADD y 1 a 2 x
SADD s a b
ZUNIONSTORE d 3 z y s
ZUNIONSTORE d 2 z n
ZUNIONSTORE d 2 n n
ZUNIONSTORE d 2 n n
ZINTERSTORE d 2 z y
ZINTERSTORE d 3 n z m
ZDIFFSTORE d 2 z y
ZDIFFSTORE d 3 n z m
ZDIFFSTORE d 3 z n m
ZRANGESTORE e z 0 1
ZRANGESTORE e z 0 1 REV
ZRANGESTORE e z 8 9
ZRANGESTORE e z 8 9
ZRANGESTORE e n 0 1
SET k x
ZUNIONSTORE k 1 z
SET k x
ZUNIONSTORE d 3 n k m
ZRANGESTORE k n 0 1
ZUNION 2 n z
ZINTER 2 n z
ZDIFF 2 n z
ZINTERCARD 2 n z
ZRANGE n 0 1
ZRANGEBYSCORE n 0 1
ZRANGEBYLEX n - +
ZREVRANGE n 0 1
ZREVRANGEBYSCORE n 1 0
ZREVRANGEBYLEX n + -
ZCOUNT n 0 1
ZLEXCOUNT n - +
ZCARD n
ZSCORE n a
ZMSCORE n a b
ZRANK n a
ZREVRANK n a
ZRANDMEMBER n
ZRANDMEMBER n 3
ZSCAN n 0

ZADD z 1 a 2 b 3 c 4 d
BZPOPMIN n z 0
BZPOPMAX z 0
BZMPOP 0 2 n z MIN
BZMPOP 0 1 z MAX COUNT 10
BZPOPMIN n 0.001

GEOADD g 13.361389 38.115556 p 15.087269 37.502669 c
GEOADD g 13.361389 38.115556 p
GEOADD g CH 13 38 p
GEORADIUS g 15 37 200 km STORE d
GEORADIUS g 15 37 200 km STOREDIST d
GEORADIUS g 15 37 1 m STORE d
GEORADIUS g 15 37 1 m STORE d
GEORADIUS n 15 37 200 km STORE d
GEORADIUS n 15 37 200 km
GEORADIUSBYMEMBER g p 200 km STORE d
GEORADIUSBYMEMBER g p 200 km
GEORADIUSBYMEMBER n p 200 km STORE d
GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 200 km
GEOSEARCHSTORE d g FROMMEMBER p BYRADIUS 1 m STOREDIST
GEOSEARCHSTORE d n FROMLONLAT 15 37 BYRADIUS 200 km
GEOSEARCHSTORE d n FROMLONLAT 15 37 BYRADIUS 200 km
GEORADIUS_RO n 15 37 200 km
GEORADIUSBYMEMBER_RO n p 200 km
GEOSEARCH n FROMLONLAT 15 37 BYRADIUS 200 km
GEOPOS n a
GEOHASH n a
GEODIST n a b
"#;

const KEYS: &str = r#"
MSET a 1 b 2
DEL a n a b
SADD a 1
UNLINK a n
SET a 1
EXPIRE a 100
EXPIRE a 100 NX
EXPIRE a 100 XX
EXPIRE a 10 GT
EXPIRE a 10 LT
PEXPIRE a 100000
EXPIREAT a 4102444800
PEXPIREAT a 4102444800000
EXPIRE n 100
PERSIST a
PERSIST a
PERSIST n
EXPIRE a 0
SET a 1
PEXPIRE a -1
SET a 1
EXPIREAT a 1
SET a 1
PEXPIREAT a 1 NX
SET a 1 EX 100
RENAME a b
RENAME b b
RENAME n b
SET c 1
RENAME b c
RENAMENX n c
RENAMENX c c
SET d 1
RENAMENX c d
RENAMENX c e
COPY d e
COPY d e REPLACE
COPY d f
COPY n f
COPY n f REPLACE
COPY d d
TYPE n
TTL n
PTTL n
EXPIRETIME n
PEXPIRETIME n
EXISTS n d n
TOUCH n d n
DUMP n
OBJECT ENCODING n
OBJECT IDLETIME n
OBJECT REFCOUNT n
MEMORY USAGE n
DEBUG OBJECT n
KEYS *
SCAN 0 COUNT 1000
RANDOMKEY

RESTORE k 0 "\x00\xc0\n\t\x00\xbem\x06\x89Z(\x00\n"
RESTORE k 0 "\x00\xc0\n\t\x00\xbem\x06\x89Z(\x00\n"
RESTORE k 0 "\x00\xc0\n\t\x00\xbem\x06\x89Z(\x00\n" REPLACE
RESTORE k 1000000 "\x00\xc0\n\t\x00\xbem\x06\x89Z(\x00\n" REPLACE
RESTORE k 1 "\x00\xc0\n\t\x00\xbem\x06\x89Z(\x00\n" REPLACE ABSTTL
RESTORE k 1 "\x00\xc0\n\t\x00\xbem\x06\x89Z(\x00\n" REPLACE ABSTTL
RESTORE k 0 damaged REPLACE
RESTORE-ASKING k 0 "\x00\xc0\n\t\x00\xbem\x06\x89Z(\x00\n"

SET k v
SET m v EX 100
MOVE k 1
MOVE k 1
MOVE m 1
SET k v
MOVE k 1
COPY k c DB 1
COPY k c DB 1
COPY k c DB 1 REPLACE
COPY k k DB 1
COPY n c DB 1
SWAPDB 0 1
SET k w
SELECT 3
MSET a 1 b 2
GET n
FLUSHDB
SET a 1
FLUSHALL
SELECT 0

RPUSH l 3 1 2
SORT l
SORT l STORE d
SORT l STORE d
SORT l STORE l
SORT n STORE d
SORT n STORE d
SORT n
SORT_RO n
SORT l BY w_* GET v_* GET # STORE d
SORT_RO l BY w_*->f GET v_*->f
SORT l BY nosort GET v_* STORE d
SET s x
SORT s STORE d
SORT l LIMIT 5 1 STORE d
DEBUG POPULATE 3
DEBUG POPULATE 3

MULTI
SET k v
GET n
BLPOP l 0
RPUSH l a
BLPOP l 0
MOVE k 1
SET e w PXAT 1
GET e
EXEC

SET k w PXAT 1
COPY k c
SET k w PXAT 1
SET c w
COPY c k
SET k w PXAT 1
MOVE k 1
SET k w
SELECT 1
SET k w PXAT 1
SELECT 0
MOVE k 1
SET k w PXAT 1
SORT k STORE k
SET k w PXAT 1
PERSIST k
SET k w PXAT 1
LPUSH k a
SET k w PXAT 1
BLPOP k 0.001
SET k w PXAT 1
TTL k
SET k w PXAT 1
OBJECT ENCODING k
SET k w PXAT 1
SETNX k v
SET k w PXAT 1
GETDEL k
SET k w PXAT 1
MGET k n
SET k w PXAT 1
RESTORE k 0 "\x00\xc0\n\t\x00\xbem\x06\x89Z(\x00\n"
"#;

const ALL: [&str; 7] = [STRINGS, BITS, LISTS, SETS, HASHES, SORTED_SETS, KEYS];

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
    let tried: BTreeSet<Vec<u8>> = lines
        .filter_map(|line| Some(line.split(' ').next()?.to_ascii_lowercase().into_bytes()))
        .collect();
    for name in &writing {
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
];

#[test]
fn serving_who_waits_tells_in_the_order_of_redis() {
    let mut oracle = Oracle::listening(&[]);
    for (waiting, serving) in WAITING {
        oracle.clear();
        for line in [
            "RPUSH source 1 2 3",
            "ZADD scored 1 a 2 b",
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
