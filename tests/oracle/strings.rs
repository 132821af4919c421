//! Strings, compared with a real redis-server: the edges of every command, then random commands.

use crate::common::oracle::{Oracle, Pools};

const SET: &str = r#"
SET
SET k
SET k v
GET k
SET k v w
SET k v nx
SET k v NX
SET k v xx
SET n v XX
SET n v Nx
SET k v NX XX
SET k v XX NX
SET k v NX NX
SET k v GET
SET k v GET GET
SET m v GET
SET k v NX GET
SET m2 v NX GET
SET m3 v XX GET
SET k v XX GET
SET k v EX
SET k v EX 0
SET k v EX -1
SET k v EX abc
SET k v EX 1.5
SET k v EX 9223372036854775807
SET k v EX 9223372036854775
SET k v EX 9223372036854776
SET k v EX 9223372036854774
SET k v EX 99999999999999999999
SET k v PX 0
SET k v PX -5
SET k v PX 9223372036854775807
SET k v PX 9223370000000000000
SET k v EXAT 0
SET k v EXAT -1
SET k v EXAT 9223372036854775
SET k v EXAT 9223372036854776
SET k v PXAT 0
SET k v PXAT 9223372036854775807
PEXPIRETIME k
SET k v PXAT 1
EXISTS k
DBSIZE
SET k v EXAT 1
GET k
SET k v EX 100
TTL k
SET k w KEEPTTL
TTL k
SET k w
TTL k
SET k v EX 100 PX 100
SET k v EX 100 KEEPTTL
SET k v KEEPTTL EX 100
SET k v KEEPTTL KEEPTTL
SET k v PERSIST
SET k v EX 100 EX 200
SET k v EXAT 99999999999 PXAT 1
SET k v ex 100 get nx
SET k v get ex 100
SET k v EX NX
SET k v NX EX
SET k "" GET
GET k
SET k "a\x00b\r\n\xff"
GET k
SET "" empty
GET ""
SET k 9223372036854775807
OBJECT ENCODING k
SET k 9223372036854775808
OBJECT ENCODING k
SET k -9223372036854775808
OBJECT ENCODING k
SET k -0
OBJECT ENCODING k
SET k 01
OBJECT ENCODING k
SET k " 1"
OBJECT ENCODING k
SET k aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
OBJECT ENCODING k
SET k aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
OBJECT ENCODING k

RPUSH l a
SET l v GET
SET l v NX GET
SET l v XX GET
SET l v NX
TYPE l
SET l v XX
TYPE l
RPUSH l2 a
SET l2 v
GET l2
RPUSH l3 a
SET l3 v EX 0
SET l3 v EX 0 GET
TYPE l3
"#;

const SETNX_AND_KIN: &str = r#"
SETNX k
SETNX k v w
SETNX k v
SETNX k w
GET k
RPUSH l a
SETNX l v
SETEX k
SETEX k 10
SETEX k 10 v w
SETEX k 0 v
SETEX k -1 v
SETEX k abc v
SETEX k 9223372036854775807 v
SETEX k 9223372036854774 v
SETEX k 100 v
TTL k
SETEX l 100 v
TYPE l
PSETEX k 0 v
PSETEX k -1 v
PSETEX k abc v
PSETEX k 9223372036854775807 v
PSETEX k 100000 v
PTTL k
PSETEX k 10
GETSET k
GETSET k v w
GETSET k new
TTL k
GETSET nothing v
GET nothing
RPUSH l2 a
GETSET l2 v
TYPE l2
GETDEL
GETDEL k v
GETDEL k
GETDEL k
GETDEL l2
TYPE l2
MGET
MGET nothing
MGET nothing l2 nothing
MGET k k l
MSET
MSET a
MSET a 1 b
MSET a 1 b 2 a 3
MGET a b
MSET l2 v a 5
MGET l2 a
MSET "" "" a "\x00"
MGET "" a
SETEX a 100 v
MSET a 1
TTL a
MSETNX
MSETNX a
MSETNX a 1 c
MSETNX a 1 c 2
EXISTS c
MSETNX c 1 c 2
GET c
MSETNX d 1 e 2
MGET d e
RPUSH l5 a
MSETNX l5 1 f 2
EXISTS f
"#;

const GETEX: &str = r#"
GETEX
GETEX k
SET k v
GETEX k
GETEX k EX
GETEX k EX 0
GETEX k EX -1
GETEX k EX abc
GETEX k EX 9223372036854775807
GETEX k PX 0
GETEX k PX 9223372036854775807
GETEX k EX 100 PX 100
GETEX k EX 100 PERSIST
GETEX k PERSIST EX 100
GETEX k PERSIST PERSIST
GETEX k KEEPTTL
GETEX k NX
GETEX k GET
GETEX k EX 100 EX
GETEX k EX 100
TTL k
GETEX k
TTL k
GETEX k persist
TTL k
GETEX k PERSIST
GETEX k PX 100000
PTTL k
GETEX k EXAT 4102444800
EXPIRETIME k
GETEX k PXAT 4102444800123
PEXPIRETIME k
GETEX k EXAT 0
GETEX k PXAT -1
GETEX k EXAT 1
EXISTS k
GETEX nothing EX 0
GETEX nothing EX 100
GETEX nothing EX abc
GETEX nothing FOO
RPUSH l a
GETEX l
GETEX l EX 100
TTL l
GETEX l PERSIST
GETEX l EX 0
"#;

const RANGES: &str = r#"
APPEND k
APPEND k a b
APPEND k ""
EXISTS k
TYPE k
APPEND k abc
APPEND k ""
OBJECT ENCODING k
APPEND k "\x00\r\n\xff"
GET k
SET i 12
APPEND i 3
GET i
OBJECT ENCODING i
SET i 12 EX 100
APPEND i x
TTL i
RPUSH l a
APPEND l x
STRLEN
STRLEN k k
STRLEN k
STRLEN nothing
STRLEN l
STRLEN i
SET i 1234
STRLEN i
GETRANGE k 0
GETRANGE k 0 1 2
GETRANGE k a 1
GETRANGE k 0 b
GETRANGE k 0 9223372036854775808
GETRANGE nothing a b
GETRANGE l a b
GETRANGE l 0 1
GETRANGE nothing 0 -1
SET k "Hello World"
GETRANGE k 0 -1
GETRANGE k 0 0
GETRANGE k -3 -1
GETRANGE k -100 -99
GETRANGE k -100 3
GETRANGE k 5 3
GETRANGE k 10 100
GETRANGE k 11 100
GETRANGE k -1 -3
GETRANGE k 0 -100
GETRANGE k 0 9223372036854775807
GETRANGE k -9223372036854775808 9223372036854775807
GETRANGE k -9223372036854775808 -9223372036854775808
GETRANGE k 9223372036854775807 9223372036854775807
GETRANGE i 1 2
SUBSTR k 0 4
SUBSTR k 0
SET e ""
GETRANGE e 0 -1
GETRANGE e 0 0
SETRANGE k
SETRANGE k 0
SETRANGE k a v
SETRANGE k -1 v
SETRANGE k 6 Redis
GET k
SETRANGE k 0 ""
SETRANGE k 100 ""
SETRANGE nothing 5 ""
EXISTS nothing
SETRANGE nothing 5 abc
GET nothing
SETRANGE l 0 a
SETRANGE l 0 ""
SETRANGE l -1 ""
SETRANGE k 536870912 a
SETRANGE k 536870911 ""
SETRANGE k 536870911 ab
SETRANGE k 4611686018427387904 a
SETRANGE k 9223372036854775807 a
SETRANGE k 9223372036854775807 ""
SETRANGE k 9223372036854775808 a
SET i 1234
SETRANGE i 1 x
GET i
OBJECT ENCODING i
SET i 1234
SETRANGE i 1 0
OBJECT ENCODING i
SET i 1234 EX 100
SETRANGE i 1 xx
TTL i
"#;

const NUMBERS: &str = r#"
INCR
INCR k v
INCR k
INCR k
OBJECT ENCODING k
SET k abc
INCR k
DECR k
INCRBY k 1
SET k ""
INCR k
SET k " 1"
INCR k
SET k "1 "
INCR k
SET k +1
INCR k
SET k 1.0
INCR k
SET k 0x10
INCR k
SET k -0
INCR k
SET k 00
INCR k
SET k "1\x00"
INCR k
SET k 9223372036854775807
INCR k
INCRBY k 0
INCRBY k -1
DECRBY k -1
DECRBY k -2
SET k -9223372036854775808
DECR k
DECRBY k 1
DECRBY k 0
INCRBY k -1
DECRBY k -9223372036854775808
DECRBY k -9223372036854775807
SET k 9223372036854775808
INCR k
INCRBY k
INCRBY k a
INCRBY k 1.5
INCRBY k 9223372036854775808
INCRBY k " 1"
INCRBY nothing abc
SET k 10 EX 100
INCR k
TTL k
INCRBY k 5
DECRBY k 20
DECR fresh
DECRBY fresh2 5
RPUSH l a
INCR l
INCRBY l abc
INCRBYFLOAT l 1
INCRBYFLOAT l abc
GET k
APPEND k 5
INCR k
OBJECT ENCODING k
"#;

const FLOATS: &str = r#"
INCRBYFLOAT k
INCRBYFLOAT k 1 2
INCRBYFLOAT k 1.5
INCRBYFLOAT k abc
INCRBYFLOAT k ""
INCRBYFLOAT k " 1"
INCRBYFLOAT k "1 "
INCRBYFLOAT k +1
INCRBYFLOAT k nan
INCRBYFLOAT k inf
INCRBYFLOAT k -inf
INCRBYFLOAT k +inf
INCRBYFLOAT k 1e400
INCRBYFLOAT k 1e4000
INCRBYFLOAT k 1e5000
INCRBYFLOAT k 0x10
INCRBYFLOAT k 1e
INCRBYFLOAT k .5
INCRBYFLOAT k 5.
INCRBYFLOAT k -2
GET k
OBJECT ENCODING k
SET k 3
INCRBYFLOAT k 0
OBJECT ENCODING k
SET k 0.1
INCRBYFLOAT k 0.2
SET k 10.50
INCRBYFLOAT k 0.1
INCRBYFLOAT k 5.0e3
SET k 5.0e3
INCRBYFLOAT k 2.0e2
SET k 1e300
INCRBYFLOAT k 1
SET k 1e4931
INCRBYFLOAT k 1e4931
INCRBYFLOAT k 1.1e4932
SET k 1e-20
INCRBYFLOAT k 0
SET k -0
INCRBYFLOAT k 0
SET k -0.0
INCRBYFLOAT k -0.0
SET k 9223372036854775807
INCRBYFLOAT k 1
SET k 123456789012345678901234567890
INCRBYFLOAT k 1
SET k 3.0000000000000000000001
INCRBYFLOAT k 1
SET k abc
INCRBYFLOAT k 1
SET k ""
INCRBYFLOAT k 1
SET k " 1"
INCRBYFLOAT k 1
SET k "1 "
INCRBYFLOAT k 1
SET k inf
INCRBYFLOAT k 1
SET k nan
INCRBYFLOAT k 1
SET k 0x1p3
INCRBYFLOAT k 1
SET k 1e-4940
INCRBYFLOAT k 1e-4940
SET k 1 EX 100
INCRBYFLOAT k 1.25
TTL k
INCRBYFLOAT k -0.000000000000000001
INCRBYFLOAT k 1e17
INCRBYFLOAT k 0.1
INCRBYFLOAT k 1e18
INCRBYFLOAT k 0.5
INCRBYFLOAT k 1e25
INCRBYFLOAT k 0.1
SET k "1.5\x00"
INCRBYFLOAT k 1
"#;

const LCS: &str = r#"
LCS
LCS a
LCS a b
LCS a b LEN
LCS a b IDX
LCS a b IDX WITHMATCHLEN
MSET a ohmytext b mynewtext
LCS a b
LCS a b LEN
LCS a b len
LCS a b IDX
LCS a b IDX LEN
LCS a b LEN IDX
LCS a b IDX MINMATCHLEN 4
LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN
LCS a b IDX MINMATCHLEN 0
LCS a b IDX MINMATCHLEN -1
LCS a b IDX MINMATCHLEN abc
LCS a b IDX MINMATCHLEN
LCS a b MINMATCHLEN 4
LCS a b WITHMATCHLEN
LCS a b LEN WITHMATCHLEN
LCS a b FOO
LCS a b LEN FOO
LCS a a
LCS a a IDX
LCS a nothing
LCS a nothing LEN
LCS a nothing IDX
LCS nothing b IDX WITHMATCHLEN
RPUSH l x
LCS a l
LCS l a
LCS l nothing
LCS nothing l LEN
LCS l a IDX LEN
LCS l a FOO
MSET a "\x00\xff\r\n" b "x\x00y\xff\n"
LCS a b
LCS a b IDX WITHMATCHLEN
MSET a 12345 b 32345
LCS a b
LCS a b IDX
MSET a aaaa b aa
LCS a b IDX WITHMATCHLEN
MSET a abcabcabc b abxabyabz
LCS a b
LCS a b IDX WITHMATCHLEN
MSET a "" b ""
LCS a b
LCS a b IDX
"#;

/// Strings may be as long as the directive says, which is 1 MiB at the least.
#[test]
fn too_long_strings() {
    let mut oracle = Oracle::listening(&[]);
    oracle.scripts(&[r#"
CONFIG SET proto-max-bulk-len 1048576
SETRANGE k 1048575 a
STRLEN k
SETRANGE k 1048576 a
SETRANGE k 1048576 ""
APPEND k a
APPEND k ""
SETRANGE k 0 b
STRLEN k
COPY k l
GETRANGE k 1048570 -1
LCS k l LEN
LCS k nothing LEN
CONFIG SET proto-max-bulk-len 536870912
"#]);
    oracle.finish();
}

#[test]
fn edges_of_strings() {
    let mut oracle = Oracle::listening(&[]);
    oracle.scripts(&[SET, SETNX_AND_KIN, GETEX, RANGES, NUMBERS, FLOATS, LCS]);
    oracle.finish();
}

/// SET with every pair of options.
#[test]
fn set_with_pairs_of_options() {
    let options = [
        "NX",
        "XX",
        "GET",
        "KEEPTTL",
        "EX 100",
        "PX 100000",
        "EXAT 4102444800",
        "PXAT 4102444800000",
        "EX 0",
        "EX x",
        "EX",
        "PERSIST",
        "IFEQ x",
    ];
    let mut script = String::new();
    for before in ["DEL k", "SET k old", "SETEX k 500 old", "RPUSH k old"] {
        for first in options {
            for second in options {
                script += &format!("DEL k\n{before}\nSET k v {first} {second}\nTYPE k\nTTL k\n");
            }
        }
    }
    let mut oracle = Oracle::listening(&[]);
    oracle.scripts(&[&script]);
    oracle.finish();
}

pub const COMMANDS: &str = r#"
    SET {key} {value} {set}*2
    SET {key} {value} {set}*2
    SET {key} {value}
    GET {key}
    SETNX {key} {value}
    SETEX {key} {seconds} {value}
    PSETEX {key} {milliseconds} {value}
    GETSET {key} {value}
    GETDEL {key}
    GETEX {key} {deadline}*1
    MGET {key}+4
    MSET {pair}+3
    MSETNX {pair}+3
    APPEND {key} {value}
    STRLEN {key}
    INCR {key}
    DECR {key}
    INCRBY {key} {integer}
    DECRBY {key} {integer}
    INCRBYFLOAT {key} {float}
    GETRANGE {key} {offset} {offset}
    SUBSTR {key} {offset} {offset}
    SETRANGE {key} {offset} {value}
    LCS {key} {key} {lcs}*3
    RPUSH {key} {value}
    DEL {key}
    TTL {key}
    PERSIST {key}
    OBJECT ENCODING {key}
"#;

pub const POOLS: Pools = &[
    ("key", r#"a | b | c | d | """#),
    ("pair", "{key} {value}"),
    (
        "value",
        r#"{integer} | {float} | "" | abc | "Hello World" | "a\x00b\r\n\xff" | " 1" | 3.0 | 01 |
           aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa | aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"#,
    ),
    (
        "integer",
        "0 | 1 | -1 | 7 | 1000000 | 9223372036854775807 | -9223372036854775808 | x",
    ),
    (
        "float",
        "0 | 1 | -1.5 | 0.1 | 1e-3 | 123456.789 | 1e17 | -1e20 | inf | x",
    ),
    (
        "offset",
        "0 | 1 | 2 | 5 | 20 | -1 | -2 | -5 | -20 | 700 | x",
    ),
    ("seconds", "1000 | 5000000 | 0 | -1 | x"),
    ("milliseconds", "1000000 | 0 | -1 | x"),
    ("set", "NX | XX | GET | KEEPTTL | nx | get | {future}"),
    // Nothing is set that has expired already: Redis may still count it in DBSIZE.
    (
        "future",
        "EX 1000 | PX 2000000 | EXAT 4102444800 | PXAT 4102444800123 | EX 0 | PERSIST | ex 3000 | EX",
    ),
    ("deadline", "{future} | PXAT 1 | EX 0 | PERSIST | EX"),
    (
        "lcs",
        "LEN | IDX | WITHMATCHLEN | MINMATCHLEN 2 | MINMATCHLEN 0 | idx",
    ),
];

#[test]
fn random_commands_on_strings() {
    let mut oracle = Oracle::listening(&[]);
    oracle.random(COMMANDS, POOLS);
    oracle.finish();
}
