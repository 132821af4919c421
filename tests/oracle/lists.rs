//! Lists, compared with a real redis-server: the edges of every command, then random commands.

use crate::common::oracle::{Oracle, Pools};

const PUSH_AND_POP: &str = r#"
LPUSH
LPUSH k
RPUSH k
LPUSHX k
RPUSHX
LPUSHX k a
RPUSHX k a b
EXISTS k
LPUSH k a b c
RPUSH k d "" e
LPUSHX k x y
RPUSHX k z "\x00\r\n\xff"
LRANGE k 0 -1
LLEN
LLEN k k
LLEN k
LLEN nothing
SET s v
LPUSH s a
RPUSH s a
LPUSHX s a
RPUSHX s a
LLEN s
LPOP
LPOP k 1 2
LPOP k -1
LPOP k x
LPOP k 9223372036854775808
LPOP k 1.5
LPOP k 0
LPOP k 1
LPOP k 2
RPOP k
RPOP k 0
RPOP k 2
LPOP nothing
LPOP nothing 0
LPOP nothing 1
LPOP nothing -1
LPOP nothing x
RPOP nothing
RPOP nothing 5
RPOP nothing -5
LPOP s
LPOP s 0
LPOP s 1
LPOP s -1
LPOP s x
RPOP s
LRANGE k 0 -1
RPOP k 9223372036854775807
EXISTS k
RPUSH k a
LPOP k
EXISTS k
RPUSH k 1 2 3
LPOP k 3
TYPE k
RPUSH k 1 2 3
EXPIRE k 100
LPOP k 3
RPUSH k 1
TTL k
"#;

const READ: &str = r#"
RPUSH k a b c d e
LRANGE
LRANGE k 0
LRANGE k 0 1 2
LRANGE k x 1
LRANGE k 0 x
LRANGE nothing x 1
LRANGE nothing 0 -1
SET s v
LRANGE s 0 -1
LRANGE s x -1
LRANGE k 0 -1
LRANGE k 0 0
LRANGE k -3 2
LRANGE k 1 -2
LRANGE k -100 100
LRANGE k -100 -99
LRANGE k 5 10
LRANGE k 4 10
LRANGE k 3 1
LRANGE k -1 -3
LRANGE k -9223372036854775808 9223372036854775807
LRANGE k 9223372036854775807 9223372036854775807
LRANGE k 0 9223372036854775808
LINDEX
LINDEX k
LINDEX k 1 2
LINDEX k 0
LINDEX k 4
LINDEX k 5
LINDEX k -1
LINDEX k -5
LINDEX k -6
LINDEX k x
LINDEX k 1.0
LINDEX k 9223372036854775807
LINDEX k -9223372036854775808
LINDEX nothing 0
LINDEX nothing x
LINDEX s 0
LINDEX s x
RPUSH n 1 02 -3 9223372036854775807
LINDEX n 0
LINDEX n 1
LRANGE n 0 -1
"#;

const WRITE: &str = r#"
RPUSH k a b c d e
SET s v
LSET
LSET k 0
LSET k 0 a b
LSET k 0 x
LSET k -1 y
LSET k 5 z
LSET k -6 z
LSET k x z
LSET k 9223372036854775807 z
LSET k -9223372036854775808 z
LSET k 1 ""
LSET k 2 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
LRANGE k 0 -1
LSET nothing 0 x
LSET nothing x x
LSET s 0 x
LSET s x x
LREM
LREM k 0
LREM k 0 a b
LREM k x a
LREM nothing x a
LREM nothing 0 a
LREM s 0 a
LREM s x a
RPUSH r a b a c a b a
LREM r 2 a
LRANGE r 0 -1
LREM r -1 a
LRANGE r 0 -1
LREM r 0 nothing
LREM r 0 b
LREM r 100 a
LREM r -9223372036854775808 c
EXISTS r
RPUSH r a a
LREM r -9223372036854775807 a
EXISTS r
RPUSH r a a
LREM r 9223372036854775807 a
EXISTS r
LINSERT
LINSERT k BEFORE a
LINSERT k BEFORE a b c
LINSERT k FOO a b
LINSERT nothing FOO a b
LINSERT s FOO a b
LINSERT k before x new
LINSERT k AFTER y last
LINSERT k AFTER x ""
LINSERT k BEFORE "" "\x00"
LINSERT k AFTER nothing z
LINSERT nothing AFTER a b
LINSERT s BEFORE a b
LRANGE k 0 -1
RPUSH i 1 2 3
LINSERT i BEFORE 2 10
LINSERT i BEFORE 02 10
LRANGE i 0 -1
LTRIM
LTRIM k 0
LTRIM k 0 1 2
LTRIM k x 1
LTRIM k 0 x
LTRIM nothing x 0
LTRIM nothing 0 -1
LTRIM s 0 -1
LTRIM s x 0
LTRIM k -100 100
LLEN k
LTRIM k 1 -2
LRANGE k 0 -1
LTRIM k -2 -1
LRANGE k 0 -1
LTRIM k 0 9223372036854775807
LTRIM k 2 1
EXISTS k
RPUSH k a b c
LTRIM k 3 10
EXISTS k
RPUSH k a b c
LTRIM k -9223372036854775808 -9223372036854775808
EXISTS k
RPUSH k a
LTRIM k 0 0
LRANGE k 0 -1
"#;

const LPOS: &str = r#"
RPUSH k a b c 1 2 3 c c
SET s v
LPOS
LPOS k
LPOS k c
LPOS k nothing
LPOS nothing c
LPOS nothing c COUNT 0
LPOS nothing c RANK 0
LPOS s c
LPOS s c RANK 0
LPOS k c RANK
LPOS k c RANK 1
LPOS k c RANK 2
LPOS k c RANK 4
LPOS k c RANK -1
LPOS k c RANK -3
LPOS k c RANK -4
LPOS k c RANK 0
LPOS k c RANK x
LPOS k c RANK 9223372036854775807
LPOS k c RANK -9223372036854775807
LPOS k c RANK -9223372036854775808
LPOS k c RANK 9223372036854775808
LPOS k c COUNT 0
LPOS k c COUNT 2
LPOS k c COUNT 100
LPOS k c COUNT -1
LPOS k c COUNT x
LPOS k c COUNT
LPOS k c COUNT 9223372036854775807
LPOS k nothing COUNT 0
LPOS k c MAXLEN 0
LPOS k c MAXLEN 2
LPOS k c MAXLEN 3
LPOS k c MAXLEN -1
LPOS k c MAXLEN x
LPOS k c MAXLEN
LPOS k c COUNT 0 MAXLEN 7
LPOS k c COUNT 0 MAXLEN 1 RANK -1
LPOS k c COUNT 0 MAXLEN 2 RANK -1
LPOS k c RANK -1 COUNT 2
LPOS k c RANK 2 COUNT 0 MAXLEN 7
LPOS k c RANK 2 RANK 3
LPOS k c COUNT 1 COUNT 0
LPOS k c rank -1 count 0 maxlen 100
LPOS k c FOO
LPOS k c FOO 1
LPOS k c RANK 1 FOO
LPOS k 1
LPOS k 01
LPOS k ""
"#;

const MOVE: &str = r#"
RPUSH a 1 2 3
SET s v
LMOVE
LMOVE a b LEFT
LMOVE a b LEFT RIGHT x
LMOVE a b FOO LEFT
LMOVE a b LEFT FOO
LMOVE nothing b FOO LEFT
LMOVE s b FOO LEFT
LMOVE a b left RIGHT
LMOVE a b RIGHT left
LRANGE b 0 -1
LMOVE nothing b LEFT LEFT
LMOVE nothing s LEFT LEFT
LMOVE s b LEFT LEFT
LMOVE a s LEFT LEFT
LRANGE a 0 -1
LMOVE a b LEFT LEFT
EXISTS a
LMOVE b b LEFT LEFT
LRANGE b 0 -1
LMOVE b b LEFT RIGHT
LRANGE b 0 -1
LMOVE b b RIGHT LEFT
LRANGE b 0 -1
LMOVE b b RIGHT RIGHT
LRANGE b 0 -1
RPUSH one x
EXPIRE one 100
LMOVE one one LEFT RIGHT
LRANGE one 0 -1
TTL one
LMOVE one one LEFT LEFT
TTL one
EXPIRE b 100
LMOVE one b LEFT LEFT
TTL b
RPOPLPUSH
RPOPLPUSH b
RPOPLPUSH b c d
RPOPLPUSH b c
RPOPLPUSH b b
LRANGE b 0 -1
RPOPLPUSH nothing c
RPOPLPUSH nothing s
RPOPLPUSH s c
RPOPLPUSH b s
LRANGE c 0 -1
RPOPLPUSH c d
EXISTS c
LMPOP
LMPOP 1
LMPOP 1 b
LMPOP 1 b LEFT
LMPOP 1 b left COUNT 1
LMPOP x b LEFT
LMPOP 0 b LEFT
LMPOP -1 b LEFT
LMPOP 1.5 b LEFT
LMPOP 2 b LEFT
LMPOP 2 b c
LMPOP 3 b LEFT
LMPOP 9223372036854775807 b LEFT
LMPOP 9223372036854775808 b LEFT
LMPOP 2147483648 b LEFT
LMPOP 1 b FOO
LMPOP 1 b LEFT FOO
LMPOP 1 b LEFT COUNT
LMPOP 1 b LEFT COUNT 0
LMPOP 1 b LEFT COUNT -1
LMPOP 1 b LEFT COUNT x
LMPOP 1 b LEFT COUNT 9223372036854775808
LMPOP 1 b LEFT COUNT 1 COUNT 1
LMPOP 1 b LEFT FOO 1
LMPOP 1 s LEFT
LMPOP 2 nothing s LEFT
LMPOP 2 nothing nothing LEFT
LMPOP 1 nothing LEFT COUNT 5
RPUSH e 1 2 3
LMPOP 2 nothing e RIGHT count 2
LMPOP 3 e s nothing RIGHT COUNT 10
EXISTS e
LMPOP 2 e s LEFT
RPUSH e 1 2 3
LMPOP 1 e RIGHT COUNT 9223372036854775807
"#;

#[test]
fn edges_of_lists() {
    let mut oracle = Oracle::listening(&[]);
    oracle.scripts(&[PUSH_AND_POP, READ, WRITE, LPOS, MOVE]);
    oracle.finish();
}

pub const COMMANDS: &str = r#"
    LPUSH {key} {element}+4
    RPUSH {key} {element}+4
    LPUSH {key} {element}+4
    RPUSH {key} {element}+9
    LPUSHX {key} {element}+2
    RPUSHX {key} {element}+2
    LPOP {key} {count}*1
    RPOP {key} {count}*1
    LLEN {key}
    LRANGE {key} {index} {index}
    LINDEX {key} {index}
    LSET {key} {index} {element}
    LREM {key} {index} {element}
    LINSERT {key} {place} {element} {element}
    LTRIM {key} {trim} {end}
    LPOS {key} {element} {option}*3
    LMOVE {key} {key} {side} {side}
    RPOPLPUSH {key} {key}
    LMPOP {numkeys} {side} {times}*1
    SET s {element}
    DEL {key}
    EXPIRE {key} 1000
    TTL {key}
    COPY {key} {key} REPLACE
    RENAME {key} {key}
    OBJECT ENCODING {key}
"#;

pub const POOLS: Pools = &[
    ("key", "a | b | c | d | e | f | s"),
    (
        "element",
        r#"a | b | c | 1 | 2 | -5 | 300 | 70000 | 9223372036854775807 | 007 | "" | "a\x00b\r\n\xff" |
           aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"#,
    ),
    ("count", "0 | 1 | 2 | 5 | -1 | x"),
    ("index", "0 | 1 | 2 | 5 | 20 | -1 | -2 | -5 | -20 | x"),
    ("trim", "0 | 1 | -5 | -10 | -20 | 0"),
    ("end", "-1 | 10 | 20 | -2 | 5"),
    ("place", "BEFORE | AFTER | after | FOO"),
    (
        "option",
        "RANK 1 | RANK 2 | RANK -1 | RANK -2 | RANK 0 | COUNT 0 | COUNT 2 | MAXLEN 3 | MAXLEN 0 | COUNT",
    ),
    ("side", "LEFT | RIGHT | left | right"),
    (
        "numkeys",
        "1 {key} | 2 {key} {key} | 3 {key} {key} {key} | 2 {key} | 0 {key}",
    ),
    ("times", "COUNT 1 | COUNT 3 | COUNT 100 | COUNT 0 | COUNT"),
];

#[test]
fn random_commands_on_lists() {
    let mut oracle = Oracle::listening(&[]);
    oracle.random(COMMANDS, POOLS);
    oracle.finish();
}

/// With blocks of four elements, most changes split a block or join two.
#[test]
fn random_commands_on_lists_of_small_blocks() {
    let mut oracle = Oracle::listening(&["--list-max-listpack-size", "4"]);
    oracle.random(COMMANDS, POOLS);
    oracle.finish();
}

/// With blocks of 4 KiB and elements of up to as much, the bytes decide where blocks end.
#[test]
fn random_commands_on_lists_of_large_elements() {
    let [large, larger] = [900, 4090].map(|len| "x".repeat(len));
    let element = format!(
        "a | b | 17 | y{large} | z{large} | {large}{large} | {larger} | {larger}yyyyyyyyyyyyyyyyyyyy"
    );
    let pools: Vec<(&str, &str)> = POOLS
        .iter()
        .map(|(name, choices)| {
            (
                *name,
                if *name == "element" {
                    &element
                } else {
                    *choices
                },
            )
        })
        .collect();
    let mut oracle = Oracle::listening(&["--list-max-listpack-size", "-1"]);
    oracle.random(COMMANDS, &pools);
    oracle.finish();
}
