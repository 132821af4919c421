//! SORT and SORT_RO, compared with a real redis-server.

use crate::common::oracle::{Oracle, Pools};

/// Lists, because they alone have an order that both servers know.
const LISTS: &str = r#"
SORT
SORT nothing
SORT nothing STORE d
SORT nothing BY w_* GET w_*
RPUSH l 10 9 1.5 -3 1e2 0x10 inf -inf " 7" "" 2
SORT l
SORT l ASC
SORT l DESC
SORT l desc asc
SORT l ALPHA
SORT l ALPHA DESC
SORT_RO l ALPHA DESC
SORT l LIMIT 0 3
SORT l LIMIT 3 3
SORT l LIMIT 8 100
SORT l LIMIT 100 1
SORT l LIMIT -5 2
SORT l LIMIT 2 -1
SORT l LIMIT 2 -7
SORT l LIMIT 0 0
SORT l LIMIT 0 9223372036854775807
SORT l LIMIT 9223372036854775807 9223372036854775807
SORT l LIMIT 0 1 DESC LIMIT 1 2
SORT l LIMIT 0
SORT l LIMIT 0 x
SORT l LIMIT x 0
SORT l LIMIT 0 1.0
SORT l BY
SORT l GET
SORT l STORE
SORT l FOO
SORT l DESC FOO
SORT_RO l STORE d
SORT_RO
SORT_RO l STORE
SORT l LIMIT x 0 FOO
SORT l FOO LIMIT x 0
SORT l BY nosort
SORT l BY nosort DESC
SORT l BY nosort LIMIT 1 2
SORT l BY nosort DESC LIMIT 1 2
SORT l BY nosort DESC LIMIT 9 100
SORT l BY nosort LIMIT 100 1
SORT l BY nosort BY w_*
SORT l BY w_* BY nosort
SORT l BY # DESC
SORT l BY "a\x00*"
SORT l BY nosort GET # GET nothing
SORT l STORE d
LRANGE d 0 -1
TYPE d
SORT l STORE e STORE d LIMIT 0 2
LRANGE d 0 -1
EXISTS e
EXPIRE d 100
SORT d DESC STORE d
LRANGE d 0 -1
TTL d
SORT d STORE d LIMIT 0 0
EXISTS d
SET s 1
SORT s
SORT s STORE d
SORT s BY nosort
SORT s LIMIT x 1
HSET h 1 1
SORT h
SORT l STORE s
TYPE s
RPUSH l a
SORT l
SORT l STORE d
SORT l BY nosort
SORT l ALPHA

RPUSH l nan 1
SORT l
RPUSH o "1 " 1
SORT o
RPUSH p " " 1
SORT p
RPUSH q "5\x00x" 1
SORT q
RPUSH t 0e-999 -0 0 +0 00 0.0
SORT t
SORT t DESC
RPUSH u "b\x00b" "b\x00a" b ab "b\x00" ba B
SORT u ALPHA
SORT u ALPHA DESC
SORT u ALPHA LIMIT 1 3
SORT u ALPHA STORE v
LRANGE v 0 -1
SORT u ALPHA DESC STORE v
LRANGE v 0 -1
SORT l BY nosort STORE v
LRANGE v 0 -1
RPUSH w 9007199254740993 9007199254740992 9007199254740991 -9223372036854775808 9223372036854775807
SORT w
SORT w DESC
"#;

/// The examples of <https://redis.io/commands/sort/>, and what they leave open.
const PATTERNS: &str = r#"
RPUSH l 1 2 3 4 5
MSET weight_1 30 weight_2 10 weight_3 20 weight_5 x object_1 one object_2 two object_4 four
SORT l BY weight_*
SORT l BY weight_* ALPHA
SORT l BY weight_* ALPHA DESC
DEL weight_5
SORT l BY weight_*
SORT l BY weight_* DESC
SORT l BY weight_* GET object_*
SORT l BY weight_* GET object_* GET # GET weight_*
SORT_RO l BY weight_* GET object_* GET # LIMIT 1 2
SORT l GET object_* STORE d
LRANGE d 0 -1
SORT l BY weight_* GET # GET object_* STORE d
LRANGE d 0 -1
SORT l BY weight_* STORE l
LRANGE l 0 -1
SORT l BY weight_* STORE weight_1
TYPE weight_1
SORT l BY weight_*

RPUSH l a b c
HSET h_a weight 3 name ann "" empty
HSET h_b weight 1 name bob
HSET h_c weight 2 "na->me" arrow
SORT l BY h_*->weight GET h_*->name
SORT l BY h_*->weight GET h_*
SORT l BY h_*->nothing
SORT l BY h_*->nothing ALPHA
SORT l BY h_*->na->me ALPHA DESC
SORT l BY h_*->name ALPHA GET h_*->na->me
SORT l BY h_*->name
SORT l ALPHA GET h_*->
SET "h_b->" literal
SORT l ALPHA GET h_*->
SORT l ALPHA GET "*->weight"
SORT l ALPHA GET "h_*->weight\x00"
SORT l ALPHA GET "h_*\x00->weight"
SORT l ALPHA GET #\x00 GET #x GET "*" GET "h_->weight"
SET h_-a 1
SORT l ALPHA GET h_-* GET *_-a GET **
SET k_a 5
LPUSH k_b 5
SORT l BY k_* GET k_*
SORT l ALPHA GET k_*->weight
SORT l BY k_* STORE k_b GET k_*
LRANGE k_b 0 -1

RPUSH l f e d c b a g h i j k l m n o p
MSET w_a 1 w_b 1 w_c 2 w_d 2 w_k 1 w_m 2
SORT l BY w_* ALPHA
SORT l BY w_* ALPHA DESC
SORT l BY w_* ALPHA LIMIT 0 3
SORT l BY w_* ALPHA LIMIT 5 4 DESC
SORT l BY w_* ALPHA LIMIT 9 40
SORT l BY w_* LIMIT 5 4
SORT l BY w_* LIMIT 5 4 DESC STORE d
LRANGE d 0 -1
"#;

const SETS: &str = r#"
SADD ints 5 -10 3 200000
SORT ints
SORT ints DESC LIMIT 1 2
SORT ints ALPHA
SORT ints BY nosort
SORT ints BY nosort DESC
SORT ints BY nosort LIMIT 1 2
SORT ints BY nosort STORE d
LRANGE d 0 -1
SORT ints BY nosort DESC LIMIT 0 2 STORE d
LRANGE d 0 -1
MSET w_5 1 w_-10 2 w_3 0
SORT ints BY w_* GET # GET w_*
SADD words peach apple fig
SORT words
SORT words ALPHA DESC
SORT words BY nosort STORE d
LRANGE d 0 -1
SORT words BY nosort DESC STORE d
LRANGE d 0 -1
SORT words BY nosort GET # GET w_* STORE d
LRANGE d 0 -1
SORT words BY w_* BY nosort ALPHA STORE d
LRANGE d 0 -1
ZADD z 3 1 2 2 1 3 2.5 4
SORT z BY nosort
SORT z BY nosort DESC
SORT z BY nosort LIMIT 1 2
SORT z BY nosort DESC LIMIT 1 2
SORT z BY nosort DESC LIMIT 3 9
SORT z BY nosort DESC LIMIT 9 9
SORT z BY nosort GET # STORE d
LRANGE d 0 -1
SORT z
SORT z DESC ALPHA
SORT z BY w_* GET # LIMIT 0 3
ZADD z 7 word
SORT z
SORT z ALPHA STORE d
LRANGE d 0 -1
COMMAND GETKEYS SORT k
COMMAND GETKEYS SORT k BY w_* GET h_*->f
COMMAND GETKEYS SORT k LIMIT 0 1 STORE d
COMMAND GETKEYS SORT k STORE a BY STORE GET STORE STORE d
COMMAND GETKEYS SORT k STORE
COMMAND GETKEYS SORT_RO k STORE d
COMMAND GETKEYSANDFLAGS SORT k STORE d
COMMAND GETKEYSANDFLAGS SORT_RO k BY w_*
"#;

#[test]
fn sorts_as_redis_does() {
    let mut oracle = Oracle::with_options(SKIPLISTS);
    oracle.scripts(&[LISTS, PATTERNS, SETS]);
    oracle.finish();
}

/// A redis-server that has met such a number may refuse good ones too for a while, because it does not clear `errno`;
/// so each of these has one of its own.
#[test]
fn numbers_out_of_range_are_none() {
    for number in ["1e999", "-1e999", "1e-999", "1e-310"] {
        let mut oracle = Oracle::start();
        oracle.type_line(&format!("RPUSH l {number} 1"));
        oracle.type_line("SORT l");
        oracle.finish();
    }
}

#[test]
fn counts_the_same_changes() {
    let mut oracle = Oracle::start();
    oracle.changes(&[
        "RPUSH l 3 1 2\nSORT l\nSORT l STORE d\nSORT l GET # GET x STORE d\nSORT n STORE d\n\
        SORT n STORE d\nSORT l BY w_* STORE d\nSORT l LIMIT 0 0 BY w_* STORE d",
    ]);
    oracle.finish();
}

/// Redis makes a compact sorted set a large one to sort it, ours does not; here all are large.
const SKIPLISTS: &[&str] = &["--zset-max-listpack-entries", "0"];

pub const COMMANDS: &str = r#"
    RPUSH {list} {number}+6
    LPUSH {list} {number}+3
    LTRIM {list} 0 40
    SADD {set} {number}+4
    SREM {set} {number}
    ZADD {zset} {number} {number}
    ZADD {zset} 1 {plain} 2 {plain}
    RPUSH {words} {word}+5
    SADD {texts} {plain}+2
    SET {weight} {number}
    SET {weight} {word}
    HSET {hash} f {number} g {word}
    DEL {weight} {hash}
    DEL {list}
    SORT {list} {option}*3
    SORT {list} {option}*3
    SORT_RO {list} {option}*3
    SORT {list} {by} {option}*3
    SORT {list} {by} {option}*3 {store}
    SORT {words} ALPHA {option}*3
    SORT {words} ALPHA {by} {option}*3
    SORT {words} ALPHA {by} {limit} {option}*2
    SORT {words} {by} {get}+2 {option}*2 {store}
    SORT {set} {option}*3
    SORT {set} {total} {numeric}*3
    SORT {set} {total} {numeric}*2 {store}
    SORT {texts} ALPHA {limit}*1 {direction}*1 {get}*2
    SORT {texts} BY nosort {limit}*1 {direction}*1 {get}*2 STORE d
    SORT {zset} BY nosort {limit}*1 {direction}*1 {get}*2 {store}*1
    SORT {zset} ALPHA {limit}*1 {direction}*1 {get}*2
    SORT {zset} {limit}*1 {direction}*1 {get}*2
    LRANGE {list} 0 -1
    LRANGE d 0 -1
"#;

pub const POOLS: Pools = &[
    ("list", "l | m | d"),
    ("set", "s | t"),
    ("texts", "v"),
    ("zset", "y | z"),
    ("words", "w | x"),
    (
        "number",
        "0 | 1 | 2 | 3 | 5 | 8 | -1 | 10 | 100 | 2.5 | 3 | 007 | 1e1 | 3.0 | 12345678901",
    ),
    (
        "word",
        r#"a | b | c | d | e | ab | "" | "a\x00b" | "a\x00" | \xff | 1 | 2"#,
    ),
    ("plain", "a | b | c | d | e | ab | 1 | 2"),
    ("weight", "w_1 | w_2 | w_3 | w_5 | w_a | w_b | w_c | w_10"),
    ("hash", "h_1 | h_2 | h_3 | h_8 | h_a | h_b | h_d"),
    ("by", "BY w_* | BY h_*->f | BY h_*->g | BY nosort | BY *"),
    // By numbers no two members of a set are equal, so that the order of a hash table does not matter.
    ("total", "BY w_* | BY h_*->f"),
    ("get", "GET # | GET w_* | GET h_*->g | GET nothing | GET *"),
    (
        "limit",
        "LIMIT 0 3 | LIMIT 1 2 | LIMIT 2 5 | LIMIT 5 100 | LIMIT 3 -1 | LIMIT -1 4 | LIMIT 50 1",
    ),
    ("direction", "ASC | DESC"),
    ("numeric", "{limit} | {direction} | {get} | DESC"),
    ("option", "{limit} | {direction} | {get} | DESC | ALPHA"),
    ("store", "STORE d | STORE d | STORE l"),
];

#[test]
fn random_commands_that_sort() {
    let mut oracle = Oracle::with_options(SKIPLISTS);
    oracle.random(COMMANDS, POOLS);
    oracle.finish();
}
