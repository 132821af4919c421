//! Random commands on sorted sets, answered by our server and a real redis-server: small sets, sets that become large,
//! and sets of some hundred members.

use crate::common::oracle::{Oracle, Pools};

pub const COMMANDS: &str = r#"
    ZADD {key} {pair}+4
    ZADD {key} {pair}+4
    ZADD {key} {pair}+4
    ZADD {key} {option}*3 {pair}+3
    ZADD {key} INCR {option}*2 {pair}
    ZINCRBY {key} {score} {member}
    ZREM {key} {member}+3
    ZSCORE {key} {member}
    ZMSCORE {key} {member}+4
    ZCARD {key}
    ZRANK {key} {member}
    ZREVRANK {key} {member}
    ZCOUNT {key} {bound} {bound}
    ZLEXCOUNT {same} {edge} {edge}
    ZADD {same} 0 {member}
    ZADD {same} 0 {member} 0 {member} 0 {member}
    ZRANGE {key} {rank} {rank} {range}*2
    ZRANGE {key} {bound} {bound} BYSCORE {range}*3
    ZRANGE {same} {edge} {edge} BYLEX {range}*2
    ZREVRANGE {key} {rank} {rank} {range}*1
    ZRANGEBYSCORE {key} {bound} {bound} {range}*2
    ZREVRANGEBYSCORE {key} {bound} {bound} {range}*2
    ZRANGEBYLEX {same} {edge} {edge} {range}*1
    ZREVRANGEBYLEX {same} {edge} {edge} {range}*1
    ZRANGESTORE {key} {key} {rank} {rank} {range}*1
    ZRANGESTORE {key} {key} {bound} {bound} BYSCORE {range}*2
    ZRANGESTORE {same} {same} {edge} {edge} BYLEX {range}*2
    ZREMRANGEBYRANK {key} {rank} {rank}
    ZREMRANGEBYSCORE {key} {bound} {bound}
    ZREMRANGEBYLEX {same} {edge} {edge}
    ZPOPMIN {key} {count}*1
    ZPOPMAX {key} {count}*1
    ZMPOP 2 {key} {key} {end}
    ZMPOP 2 {key} {key} {end} COUNT {count}
    ZRANDMEMBER {key} {count}*1
    ZRANDMEMBER {key} {count} WITHSCORES
    ZUNION 2 {key} {key} {combine}*2
    ZINTER 2 {key} {key} {combine}*2
    ZDIFF 2 {key} {key} {combine}*1
    ZUNIONSTORE {key} 2 {key} {key} {combine}*2
    ZINTERSTORE {key} 2 {key} {key} {combine}*2
    ZDIFFSTORE {key} 2 {key} {key} {combine}*1
    ZUNIONSTORE {same} 2 {same} {same}
    ZUNION 3 {key} {key} {key} {combine}*2
    ZINTER 3 {key} {key} {key} {combine}*2
    ZINTERCARD 2 {key} {key} {combine}*1
    ZSCAN {key} 0 {scan}*2 COUNT 1000
    SET s {member}
    DEL {key}
    EXPIRE {key} 1000
    TTL {key}
    COPY {key} {key} REPLACE
    RENAME {key} {key}
    OBJECT ENCODING {key}
    TYPE {key}
"#;

pub const POOLS: Pools = &[
    ("key", "a | b | c | d | e | f | s"),
    ("same", "g | h"),
    ("pair", "{score} {member}"),
    (
        "member",
        r#"a | b | c | d | e | f | g | h | i | 1 | 2 | -5 | 70000 | "" | "a\x00b\r\n\xff" | {long}"#,
    ),
    (
        "long",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ),
    (
        "score",
        "0 | 1 | 1 | 2 | 2 | 3 | -1 | -1.5 | 0.25 | 300 | 1e6 | inf | -inf | -0 | x",
    ),
    (
        "bound",
        "{score} | {score} | (0 | (1 | (2 | (-1.5 | -inf | +inf | (inf",
    ),
    (
        "edge",
        "- | + | [a | (b | [c | (d | [ | ( | [g | (70000 | x",
    ),
    ("rank", "0 | 1 | 2 | 5 | -1 | -2 | -4 | 100 | x"),
    (
        "range",
        "REV | WITHSCORES | LIMIT 0 2 | LIMIT 1 -1 | LIMIT 1 3 | LIMIT -1 3 | BYSCORE",
    ),
    ("option", "NX | XX | GT | LT | CH | XX | GT | CH"),
    ("count", "0 | 1 | 2 | 3 | 100 | -1 | x"),
    ("end", "MIN | MAX | MIN | MAX | x"),
    (
        "combine",
        "WITHSCORES | WITHSCORES | WEIGHTS 2 0.5 | WEIGHTS 0 -1 | AGGREGATE MIN | AGGREGATE MAX | AGGREGATE SUM | \
        LIMIT 1",
    ),
    (
        "scan",
        "MATCH * | MATCH [a-c]* | MATCH 7* | COUNT 500 | COUNT 0 | FOO 1",
    ),
];

#[test]
fn random_commands_on_sorted_sets() {
    let mut oracle = Oracle::listening(&[]);
    oracle.random(COMMANDS, POOLS);
    oracle.finish();
}

/// With some hundred members, sets have several leaves, and lose them again.
#[test]
fn random_commands_on_sorted_sets_of_hundreds() {
    let pairs: Vec<String> = (0..400).map(|it| format!("{} m{it}", it % 7)).collect();
    let members: Vec<String> = (0..400).map(|it| format!("m{it}")).collect();
    let (pairs, members) = (pairs.join(" | "), members.join(" | "));
    let larger = [
        ("key", "a | b | c"),
        ("pair", pairs.as_str()),
        ("member", members.as_str()),
        ("rank", "0 | 7 | 50 | 100 | 250 | -1 | -20 | -100"),
    ];
    let is_replaced = |name: &str| larger.iter().any(|(other, _)| *other == name);
    let others = POOLS.iter().filter(|(name, _)| !is_replaced(name));
    let pools: Vec<(&str, &str)> = larger.iter().chain(others).copied().collect();
    let many = "ZADD {key} {pair}+40\n".repeat(40);
    let mut oracle = Oracle::listening(&[]);
    oracle.random(&format!("{many}{COMMANDS}"), &pools);
    oracle.finish();
}

/// With a limit of five members, most sets change from the compact form to the large one.
#[test]
fn random_commands_on_sorted_sets_at_the_limit() {
    let limits = [
        "--zset-max-listpack-entries",
        "5",
        "--zset-max-listpack-value",
        "10",
    ];
    let mut oracle = Oracle::listening(&limits);
    oracle.random(COMMANDS, POOLS);
    oracle.finish();
}
