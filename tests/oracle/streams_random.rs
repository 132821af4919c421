//! Random commands on streams, answered by our server and a real redis-server: few IDs, so that commands often find
//! each other's entries, and blocks of several sizes.
//!
//! Since 7.2 a consumer exists as soon as its name is used; in 7.0 only when it receives an entry. So the consumers of
//! a group are created with it here. XSETID names an ID that is larger than all others, because 7.2 looks at the
//! deleted ones too.

use crate::common::oracle::{Oracle, Pools};

pub const COMMANDS: &str = r#"
    XADD {key} {new} {pairs}
    XADD {key} {new} {pairs}
    XADD {key} {new} {pairs}
    XADD {key} {new} {pairs}
    XADD {key} {new} {pairs}
    XADD {key} {trim} {new} {pairs}
    XADD {key} NOMKSTREAM {trim} {new} {pairs}
    XADD {key} {new} {field}
    XTRIM {key} {trim}
    XTRIM {key} {trim} LIMIT {number}
    XDEL {key} {id}+3
    XDEL {key} {id}+3
    XLEN {key}
    XRANGE {key} {bound} {bound} {count}*1
    XREVRANGE {key} {bound} {bound} {count}*1
    XREAD {count}*1 STREAMS {key} {key} {from} {from}
    {create} {key} {name} {start} {read}*1
    {create} {key} {name} {start} {read}*1
    XGROUP SETID {key} {name} {from} {read}*1
    XGROUP CREATECONSUMER {key} {name} {consumer}
    XGROUP DESTROY {key} {name}
    XREADGROUP GROUP {name} {consumer} {count}*1 STREAMS {key} >
    XREADGROUP GROUP {name} {consumer} {count}*1 STREAMS {key} >
    XREADGROUP GROUP {name} {consumer} COUNT 2 STREAMS {key} >
    XREADGROUP GROUP {name} {consumer} NOACK COUNT 1 STREAMS {key} >
    XREADGROUP GROUP {name} {consumer} {count}*1 STREAMS {key} {from}
    XREADGROUP GROUP {name} {consumer} {count}*1 STREAMS {key} {key} > {from}
    XACK {key} {name} {id}+4
    XACK {key} {name} {id}+4
    XPENDING {key} {name}
    XPENDING {key} {name} {bound} {bound} {number} {consumer}*1
    XPENDING {key} {name} IDLE {idle} {bound} {bound} {number} {consumer}*1
    XCLAIM {key} {name} {consumer} {idle} {id}+4 {claim}*3
    XCLAIM {key} {name} {consumer} 0 {id}+4 IDLE 100000 {claim}*2
    XCLAIM {key} {name} {consumer} 0 {id}+4 FORCE
    XAUTOCLAIM {key} {name} {consumer} {idle} {bound} {count}*1
    XAUTOCLAIM {key} {name} {consumer} 0 {id} {count}*1 JUSTID
    XINFO STREAM {key}
    XINFO STREAM {key} FULL
    XINFO STREAM {key} FULL {count}
    XINFO STREAM {key} FULL COUNT 0
    XINFO GROUPS {key}
    XINFO CONSUMERS {key} {name}
    DEBUG DIGEST-VALUE {key}+2
    OBJECT ENCODING {key}
    COPY {key} {key} REPLACE
    {rare}
"#;

pub const POOLS: Pools = &[
    // Keys that no other family uses, and a string.
    ("key", "x | x | y | z | s"),
    ("new", "{auto} | {auto} | {auto} | {id} | {id} | {ms}"),
    (
        "auto",
        "1-* | 2-* | 3-* | 4-* | 5-* | 5-* | 5-* | 6-* | 6-* | x-*",
    ),
    ("ms", "0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | x"),
    (
        "id",
        "1-0 | 1-1 | 2-0 | 2-1 | 3-0 | 3-1 | 4-0 | 4-1 | 5-0 | 5-1 | 5-2 | 5-3 | 5-4 | 5-5 | 6-0 | 6-1 | 6-2 | 6-3 | \
        6-4 | 6-5 | 6-6 | 6-7 | 6-8 | 6-9 | 9-0 | 9-1",
    ),
    (
        "open",
        "(1-0 | (2 | (3-1 | (5-0 | (5-3 | (6 | (6-2 | (6-5 | (x",
    ),
    ("from", "0 | {id} | {id} | {ms} | $ | > | -"),
    ("bound", "- | + | - | + | {id} | {id} | {ms} | {open}"),
    (
        "pairs",
        "f v | f v | f {value} | f v g {value} | {field} {value} | {field} {value} {field} {value}",
    ),
    ("field", r#"f | g | name | "" | -5 | 007 | {long}"#),
    (
        "value",
        r#"v | 1 | 128 | -4097 | 99999999999 | 9223372036854775808 | 3.14 | "" | "a\x00b\r\n\xff" | {long}"#,
    ),
    (
        "long",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ),
    (
        "trim",
        "MAXLEN {number} | MAXLEN = {number} | MAXLEN ~ {number} | MAXLEN ~ 3 | MINID {id} | MINID ~ {id} | MINID ~ 5",
    ),
    ("number", "0 | 1 | 2 | 3 | 5 | 8 | 20 | 100 | -1 | x"),
    (
        "history",
        "ENTRIESADDED 50 | ENTRIESADDED {number} | MAXDELETEDID {id}",
    ),
    ("count", "COUNT {number}"),
    ("read", "ENTRIESREAD {number}"),
    ("name", "g | g | h"),
    ("consumer", "ann | bob | cid"),
    ("idle", "0 | 0 | 50000 | 50000 | 200000 | -1 | x"),
    (
        "claim",
        "FORCE | FORCE | JUSTID | JUSTID | IDLE 100000 | IDLE 300000 | TIME 5 | TIME 99999999999999 | RETRYCOUNT 7 | \
        RETRYCOUNT {number} | LASTID {id} | IDLE x",
    ),
    ("start", "0 | $ | {id} | {id}"),
    (
        "create",
        r#"EVAL "redis.call('XGROUP', 'CREATE', KEYS[1], unpack(ARGV)) \
        for _, name in ipairs({'ann', 'bob', 'cid'}) do \
        redis.call('XGROUP', 'CREATECONSUMER', KEYS[1], ARGV[1], name) end" 1"#,
    ),
    (
        "recreate",
        r#"EVAL "redis.call('XGROUP', 'DELCONSUMER', KEYS[1], unpack(ARGV)) \
        return redis.call('XGROUP', 'CREATECONSUMER', KEYS[1], unpack(ARGV))" 1"#,
    ),
    (
        "rare",
        "DEL {key} | SET s v | DEL s | {recreate} {key} {name} {consumer}",
    ),
];

/// With each size of blocks: that of the server as it is installed, and small ones.
fn compare(options: &[&str]) {
    let mut oracle = Oracle::listening(options);
    oracle.random(COMMANDS, POOLS);
    oracle.finish();
}

#[test]
fn random_commands_on_streams() {
    compare(&[]);
}

#[test]
fn random_commands_on_streams_with_blocks_of_few_entries() {
    compare(&["--stream-node-max-entries", "3"]);
}

#[test]
fn random_commands_on_streams_with_blocks_of_few_bytes() {
    compare(&["--stream-node-max-bytes", "60"]);
}
