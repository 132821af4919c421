//! Keys, their deadlines and databases, compared with a real redis-server: the edges of every command, then random
//! commands.

use crate::common::oracle::{Oracle, Pools};
use crate::common::request;

const KEYS: &str = r#"
KEYS
KEYS a b
KEYS *
KEYS ""
MSET one 1 two 2 three 3 "" 4 "a\x00b" 5 "t[x" 6 "T" 7 "\xff\r\n" 8
KEYS *
KEYS t*
KEYS T*
KEYS ?
KEYS ""
KEYS [to]*
KEYS [^t]*
KEYS t[a-h]*
KEYS t\[*
KEYS "t[*"
KEYS *e*
KEYS **
KEYS *\x00*
KEYS "*\x00*"
KEYS "\xff*"
KEYS [
KEYS \\
KEYS [^
KEYS t[h-a]*
TYPE
TYPE a b
TYPE one
TYPE nothing
TYPE ""
RPUSH l a
TYPE l
HSET h f v
TYPE h
DEL
DEL nothing
DEL one nothing one
DEL two two
UNLINK
UNLINK three l h
UNLINK nothing
DBSIZE
EXISTS
EXISTS nothing
EXISTS "" "" T nothing T
TOUCH
TOUCH T nothing "" T
DBSIZE
DBSIZE a
RANDOMKEY
RANDOMKEY a

RANDOMKEY
SET only v
RANDOMKEY
"#;

const RENAME_COPY_MOVE: &str = r#"
RENAME
RENAME a
RENAME a b c
RENAME nothing b
RENAME nothing nothing
SET a 1 EX 100
RENAME a a
TTL a
SET b 2
RENAME a b
MGET a b
TTL b
RPUSH l x
RENAME l b
TTL b
TYPE b
RENAMENX
RENAMENX nothing x
RENAMENX nothing nothing
RENAMENX nothing b
RENAMENX b b
RENAMENX b c
SET b 1
RENAMENX b c
EXISTS b c
RENAME c ""
LRANGE "" 0 -1

COPY
COPY a
COPY a b
COPY a a
SET a 1 EX 100
COPY a a
COPY a a REPLACE
COPY a a DB 0
COPY a a DB 1
COPY a a DB 1
COPY a a DB 1 REPLACE
COPY a b
TTL b
COPY a b
SET b 2
COPY a b REPLACE
MGET a b
TTL b
COPY a b replace db 1
COPY a b DB
COPY a b DB x
COPY a b DB -1
COPY a b DB 16
COPY a b DB 15
COPY a b DB 99999999999999999999
COPY a b DB 2147483648
COPY a b DB 1 DB 2
COPY a b REPLACE REPLACE
COPY a b NX
COPY a b NX DB x
COPY nothing b REPLACE
COPY nothing b DB 99
GET b
COPY nothing nothing
HSET h f v
COPY h h2
HSET h2 f w
HGETALL h
RPUSH l a b
COPY l l2
LPOP l2
LRANGE l 0 -1
OBJECT ENCODING l2
SET n 12
APPEND n 3
COPY n n2
OBJECT ENCODING n2
SET n 12
COPY n n3
OBJECT ENCODING n3
SELECT 2
MGET a b
TTL b
SELECT 1
MGET a b
TTL b

MOVE
MOVE a
MOVE a 1 2
MOVE a 0
MOVE nothing 0
MOVE nothing 1
MOVE nothing 16
MOVE nothing -1
MOVE nothing x
MOVE nothing 99999999999
SET a 1 EX 100
MOVE a 1
MOVE a 1
EXISTS a
SET a 2
MOVE a 1
GET a
SELECT 1
GET a
TTL a
MOVE a 0
SELECT 15
MOVE a 0
SELECT 16
SELECT -1
SELECT x
SELECT 99999999999
SELECT ""
SELECT
SELECT 1 2
SELECT 0
GET a

SWAPDB
SWAPDB 0
SWAPDB 0 1 2
SWAPDB x 1
SWAPDB 0 x
SWAPDB x x
SWAPDB -1 0
SWAPDB 0 16
SWAPDB 99999999999 0
SWAPDB 0 99999999999
SWAPDB 0 0
SET a zero EX 100
SELECT 1
MSET a one b one
SWAPDB 0 1
GET a
TTL a
DBSIZE
SELECT 0
MGET a b
DBSIZE
SWAPDB 1 5
SELECT 5
GET a
FLUSHDB
FLUSHDB x
FLUSHDB ASYNC x
FLUSHDB async
FLUSHDB SYNC
SELECT 0
DBSIZE
FLUSHALL x
FLUSHALL sync sync
FLUSHALL SYNC
DBSIZE
"#;

const EXPIRE: &str = r#"
EXPIRE
EXPIRE k
EXPIRE k abc
EXPIRE k 10
EXPIRE k ""
EXPIRE nothing 9223372036854775807
SET k v
EXPIRE k abc
EXPIRE k 1.5
EXPIRE k 9223372036854775807
EXPIRE k 9223372036854775
EXPIRE k -9223372036854775808
EXPIRE k -9223372036854775807
EXISTS k
PEXPIRE k 9223372036854775807
PEXPIRE k 9223372036854775808
PEXPIRE k 9223370000000000000
EXPIREAT k 9223372036854775807
EXPIREAT k 9223372036854775
EXPIRETIME k
PEXPIREAT k 9223372036854775807
PEXPIRETIME k
EXPIRETIME k
TTL k
PERSIST k
TTL k
PTTL k
EXPIRE k 100 XX
EXPIRE k 100 GT
EXPIRE k 100 XX GT
EXPIRE k 100 XX LT
TTL k
EXPIRE k 100 NX
TTL k
EXPIRE k 200 NX
EXPIRE k 50 GT
EXPIRE k 200 GT
EXPIRE k 300 LT
EXPIRE k 150 LT
TTL k
EXPIRE k 150 xx
EXPIRE k 100 NX XX
EXPIRE k 100 NX GT
EXPIRE k 100 NX LT
EXPIRE k 100 GT LT
EXPIRE k 100 XX GT LT
EXPIRE k 100 NX NX
EXPIRE k 100 FOO
EXPIRE k 100 "a b"
EXPIRE k 100 "\xff\x00"
EXPIRE k 100 NX FOO
EXPIRE k abc FOO
EXPIRE k 120 XX XX
TTL k
EXPIRE k 500 LT XX
EXPIRE k -1 GT
EXPIRE k -1 LT NX
EXPIRE k -1 LT
EXISTS k
SET k v
EXPIRE k 0 XX
EXPIRE k 0 GT
EXPIRE k -1 LT
EXISTS k
SET k v
EXPIRE k 0
EXISTS k
SET k v
EXPIREAT k 1
DBSIZE
SET k v
PEXPIREAT k -1
EXISTS k
SET k v
PEXPIREAT k 4102444800499
EXPIRETIME k
PEXPIREAT k 4102444800500 GT
EXPIRETIME k
PEXPIREAT k 4102444800500 GT
PEXPIREAT k 4102444800500 LT
EXPIRETIME
PEXPIRETIME k k
EXPIRETIME nothing
PEXPIRETIME nothing
TTL
TTL nothing
PTTL nothing
PTTL k k
PERSIST
PERSIST nothing
PERSIST k
PERSIST k
EXPIRETIME k
PEXPIRETIME k
RPUSH l a
EXPIRE l 100
RPUSH l b
TTL l
HSET h f v
PEXPIRE h 100000
HSET h f w
TTL h
PERSIST h
SET i 1
EXPIRE i 100
INCR i
TTL i
OBJECT ENCODING i
SET s aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
EXPIRE s 100
OBJECT ENCODING s
GET s
"#;

const OBJECT: &str = r#"
OBJECT
OBJECT FOO
OBJECT FOO k
OBJECT ENCODING
OBJECT ENCODING a b
OBJECT ENCODING nothing
OBJECT REFCOUNT
OBJECT REFCOUNT nothing
OBJECT IDLETIME
OBJECT IDLETIME nothing
OBJECT FREQ
OBJECT FREQ nothing
OBJECT HELP
OBJECT HELP a
object help
oBjEcT eNcOdInG nothing
SET k v
OBJECT ENCODING k
OBJECT REFCOUNT k
OBJECT FREQ k
RPUSH l a
OBJECT IDLETIME l
OBJECT FREQ l
HSET h f v
OBJECT IDLETIME h
OBJECT ENCODING h
HSET h f aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
OBJECT ENCODING h
HSET h f aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
OBJECT ENCODING h
HSET h f a
OBJECT ENCODING h
COPY h h2
OBJECT ENCODING h2
RENAME h2 h3
OBJECT ENCODING h3
SET k 1
OBJECT ENCODING k
APPEND k 2
OBJECT ENCODING k
RENAME k k2
OBJECT ENCODING k2
COPY k2 k3
OBJECT ENCODING k3
EXPIRE k3 100
OBJECT ENCODING k3
MOVE k3 1
SELECT 1
OBJECT ENCODING k3
INCRBYFLOAT k3 0
OBJECT ENCODING k3
INCR k3
OBJECT ENCODING k3
SETRANGE k3 0 5
OBJECT ENCODING k3
GETSET k3 7
OBJECT ENCODING k3
"#;

#[test]
fn edges_of_keys() {
    let mut oracle = Oracle::listening(&[]);
    oracle.scripts(&[KEYS, RENAME_COPY_MOVE, EXPIRE, OBJECT]);
    oracle.finish();
}

/// A key whose time is over is gone for every command.
#[test]
fn expired_keys() {
    let mut oracle = Oracle::start();
    for protocol in [2, 3] {
        oracle.reconnect(protocol);
        for command in [
            "GET k",
            "SET k w NX",
            "SET k w XX",
            "SET k w GET",
            "SET k w KEEPTTL",
            "SETNX k w",
            "GETSET k w",
            "GETDEL k",
            "GETEX k PERSIST",
            "APPEND k w",
            "INCR k",
            "SETRANGE k 0 w",
            "MSETNX k w",
            "EXISTS k",
            "TYPE k",
            "TTL k",
            "PTTL k",
            "EXPIRETIME k",
            "PERSIST k",
            "EXPIRE k 100",
            "DEL k",
            "UNLINK k",
            "TOUCH k",
            "RENAME k l",
            "RENAMENX k l",
            "RENAMENX l k",
            "COPY k l",
            "COPY l k",
            "MOVE k 1",
            "KEYS *",
            "RANDOMKEY",
            "SCAN 0",
            "OBJECT ENCODING k",
            "LPUSH k w",
            "LPUSHX k w",
            "LLEN k",
            "HSET k f w",
            "HGETALL k",
            "HLEN k",
            "RPOPLPUSH k l",
            "LMPOP 2 k l LEFT",
            "FLUSHALL",
        ] {
            for make in ["SET k v", "RPUSH k v", "HSET k f v", "SET k 5"] {
                oracle.clear();
                // The second key expires after the first, so when it is gone, both are.
                oracle.type_line(make);
                oracle.type_line("PEXPIRE k 1");
                oracle.type_line("SET later v PX 1");
                oracle.wait_for_expiry("later");
                oracle.type_line(command);
                oracle.type_line("TYPE k");
                oracle.type_line("TTL k");
            }
        }
    }
    oracle.finish();
}

pub const COMMANDS: &str = r#"
    SET {key} {value} {future}*1
    SET {key} {value}
    RPUSH {key} {value}
    HSET {key} f {value}
    DEL {key}+2
    UNLINK {key}+2
    EXISTS {key}+3
    TOUCH {key}+3
    TYPE {key}
    GET {key}
    RENAME {key} {key}
    RENAMENX {key} {key}
    COPY {key} {key} {copy}*2
    MOVE {key} {db}
    SWAPDB {db} {db}
    SELECT {db}
    SELECT {db}
    DBSIZE
    KEYS {pattern}
    SCAN 0 COUNT 100 {scan}*2
    RANDOMKEY
    EXPIRE {key} {seconds} {condition}*1
    PEXPIRE {key} {milliseconds} {condition}*1
    EXPIREAT {key} {unix-seconds} {condition}*2 {comparison}*1
    PEXPIREAT {key} {unix-milliseconds} {condition}*1 {comparison}*2
    TTL {key}
    PTTL {key}
    EXPIRETIME {key}
    PEXPIRETIME {key}
    PERSIST {key}
    OBJECT ENCODING {key}
    APPEND {key} {value}
    INCR {key}
    GETEX {key} {deadline}*1
"#;

pub const POOLS: Pools = &[
    ("key", r#"a | b | c | d | e | "" | "\x00\r\n""#),
    (
        "value",
        "1 | 12 | abc | aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ),
    // Nothing is set that has expired already: Redis may still count it in DBSIZE.
    ("future", "EX 1000 | PX 3000000 | EXAT 4102444800"),
    ("deadline", "{future} | PXAT 1 | PERSIST"),
    ("copy", "REPLACE | DB {db} | replace | DB"),
    ("db", "0 | 0 | 1 | 2 | 3 | 15 | 16 | -1 | x"),
    ("pattern", "* | ? | [a-c] | [^a] | \"\" | no*"),
    ("scan", "MATCH {pattern} | TYPE {type} | COUNT 200 | COUNT"),
    ("type", "string | list | hash | LIST | zset"),
    // Deadlines from now are never compared with each other: it would depend on the millisecond.
    (
        "seconds",
        "1000 | 100000 | 0 | -1 | x | 9223372036854775807",
    ),
    ("milliseconds", "1000000 | 0 | -5 | x | 9223372036854775807"),
    (
        "unix-seconds",
        "4102444800 | 4102444900 | 4102445000 | 1 | -1 | x",
    ),
    (
        "unix-milliseconds",
        "4102444800000 | 4102444900123 | 4102445000567 | 1 | x",
    ),
    ("condition", "NX | XX | nx | FOO"),
    ("comparison", "GT | LT | gt"),
];

#[test]
fn random_commands_on_keys() {
    let mut oracle = Oracle::listening(&[]);
    oracle.random(COMMANDS, POOLS);
    oracle.finish();
}

/// The next request of the same packet sees that a key has expired, although nobody has removed it meanwhile.
#[test]
fn deadlines_that_pass_within_a_packet() {
    let mut oracle = Oracle::start();
    for script in [
        "SET k v PXAT 1|LPUSH k x|TYPE k",
        "RPUSH k a|PEXPIREAT k 1|RPUSH k b|LLEN k|DEL k",
        "SET k 5 PXAT 1|INCR k|GETDEL k|APPEND k x",
    ] {
        let lines = script
            .split('|')
            .map(|line| line.split(' ').collect::<Vec<_>>());
        let requests: Vec<u8> = lines.flat_map(|words| request(&words)).collect();
        oracle.raw(&requests, true);
    }
    oracle.finish();
}
