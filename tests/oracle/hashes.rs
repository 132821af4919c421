//! Hashes, compared with a real redis-server: the edges of every command, then random commands.

use crate::common::oracle::{Oracle, Pools};

const SET_AND_GET: &str = r#"
HSET
HSET k
HSET k f
HSET k f v g
HSET k f v
HSET k f w g x
HSET k f 1 f 2 h 3 h 4
HGETALL k
HSET k "" ""
HSET k "\x00\r\n\xff" "\xff\x00"
HGETALL k
SET s v
HSET s f v
HSET s f
HMSET
HMSET k f
HMSET k f v g
HMSET k f v g w
HMSET s f v
HSETNX
HSETNX k f
HSETNX k f v w
HSETNX k f v
HSETNX k new v
HSETNX n f v
HSETNX s f v
HGET
HGET k
HGET k f g
HGET k f
HGET k ""
HGET k nothing
HGET nothing f
HGET s f
HMGET
HMGET k
HMGET k f nothing "" f
HMGET nothing f g
HMGET s f
HGETALL
HGETALL k f
HGETALL nothing
HGETALL s
HKEYS
HKEYS k f
HKEYS k
HKEYS nothing
HKEYS s
HVALS
HVALS k
HVALS nothing
HVALS s
HLEN
HLEN k f
HLEN k
HLEN nothing
HLEN s
HSTRLEN
HSTRLEN k
HSTRLEN k f g
HSTRLEN k f
HSTRLEN k ""
HSTRLEN k nothing
HSTRLEN nothing f
HSTRLEN s f
HSET k i 12345
HSTRLEN k i
HEXISTS
HEXISTS k
HEXISTS k f g
HEXISTS k f
HEXISTS k ""
HEXISTS k nothing
HEXISTS nothing f
HEXISTS s f
HDEL
HDEL k
HDEL k nothing
HDEL k f nothing f
HDEL nothing f
HDEL s f
HDEL n f g
EXISTS n
HSET n a 1 b 2
EXPIRE n 100
HDEL n a
TTL n
HDEL n b
HSET n c 1
TTL n
"#;

const NUMBERS: &str = r#"
HINCRBY
HINCRBY k f
HINCRBY k f 1 2
HINCRBY k f 1
HINCRBY k f -5
HINCRBY k f x
HINCRBY k f 1.5
HINCRBY k f ""
HINCRBY k f 9223372036854775808
HGET k f
HSET k f abc
HINCRBY k f 1
HINCRBY k f x
HSET k f ""
HINCRBY k f 1
HSET k f " 1"
HINCRBY k f 1
HSET k f 9223372036854775807
HINCRBY k f 1
HINCRBY k f 0
HINCRBY k f -1
HSET k f -9223372036854775808
HINCRBY k f -1
HSET k f 1.0
HINCRBY k f 1
HSET k f "1\x00"
HINCRBY k f 1
HSET k f aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
HINCRBY k f 1
SET s v
HINCRBY s f 1
HINCRBY s f x
HINCRBY fresh f 9223372036854775807
HINCRBYFLOAT
HINCRBYFLOAT k f
HINCRBYFLOAT k f 1 2
HINCRBYFLOAT k f 1
HINCRBYFLOAT k g 1.5
HINCRBYFLOAT k g -0.25
HINCRBYFLOAT k g x
HINCRBYFLOAT k g ""
HINCRBYFLOAT k g " 1"
HINCRBYFLOAT k g inf
HINCRBYFLOAT k g -inf
HINCRBYFLOAT k g nan
HINCRBYFLOAT k g 1e400
HINCRBYFLOAT k g 1e5000
HINCRBYFLOAT k g 0x10
HGET k g
HSET k g 3.0e3
HINCRBYFLOAT k g 2.0e2
HSET k g 0.1
HINCRBYFLOAT k g 0.2
HSET k g " 1"
HINCRBYFLOAT k g 1
HSET k g "1 "
HINCRBYFLOAT k g 1
HSET k g ""
HINCRBYFLOAT k g 1
HSET k g inf
HINCRBYFLOAT k g 1
HSET k g 1e300
HINCRBYFLOAT k g 1
HSET k g "1\x00"
HINCRBYFLOAT k g 1
HSET k g 10.50
HINCRBYFLOAT k g 0.1
HINCRBYFLOAT k g 5.0e3
HSET k g -0
HINCRBYFLOAT k g 0
HSET k g 9223372036854775807
HINCRBYFLOAT k g 1
HINCRBYFLOAT s f 1
HINCRBYFLOAT s f x
HINCRBYFLOAT fresh2 f 0
HGETALL fresh2
"#;

const RANDOM_AND_SCAN: &str = r#"
HSET one f v
SET s v
HRANDFIELD
HRANDFIELD one
HRANDFIELD one 0
HRANDFIELD one 1
HRANDFIELD one 5
HRANDFIELD one -1
HRANDFIELD one -3
HRANDFIELD one 0 WITHVALUES
HRANDFIELD one 1 WITHVALUES
HRANDFIELD one 5 withvalues
HRANDFIELD one -3 WITHVALUES
HRANDFIELD one x
HRANDFIELD one x WITHVALUES
HRANDFIELD one 1 FOO
HRANDFIELD one 1 WITHVALUES FOO
HRANDFIELD one WITHVALUES
HRANDFIELD one 9223372036854775807
HRANDFIELD one -9223372036854775808
HRANDFIELD one -9223372036854775807 WITHVALUES
HRANDFIELD one 9223372036854775807 WITHVALUES
HRANDFIELD one 4611686018427387904 WITHVALUES
HRANDFIELD one -4611686018427387905 WITHVALUES
HRANDFIELD one 9223372036854775808
HRANDFIELD nothing
HRANDFIELD nothing 5
HRANDFIELD nothing 5 WITHVALUES
HRANDFIELD nothing x
HRANDFIELD nothing 5 FOO
HRANDFIELD s
HRANDFIELD s 5
HRANDFIELD s x
HSCAN
HSCAN one
HSCAN one 0
HSCAN one x
HSCAN one -1
HSCAN one 5
HSCAN one 0 COUNT 100
HSCAN one 0 COUNT 0
HSCAN one 0 COUNT x
HSCAN one 0 COUNT
HSCAN one 0 MATCH f*
HSCAN one 0 MATCH g*
HSCAN one 0 MATCH
HSCAN one 0 TYPE string
HSCAN one 0 NOVALUES
HSCAN one 0 FOO bar
HSCAN one 0 MATCH f* COUNT 1
HSCAN nothing 0
HSCAN nothing x
HSCAN nothing 0 FOO bar
HSCAN nothing 0 COUNT x
HSCAN s 0
HSCAN s x
HSCAN s 0 FOO
HSET two a 1 b 2 c 3
HSCAN two 0
HSCAN two 0 MATCH [ab] COUNT 1
HSCAN two 0 COUNT 1
HSCAN two 1
HSET large f aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa g w
HSCAN large 0 COUNT 100
HSCAN large 0 COUNT 100 MATCH g
HGETALL large
HKEYS large
HVALS large
HRANDFIELD large 2
HRANDFIELD large -5
HRANDFIELD large 1 WITHVALUES
"#;

/// A hash that was compact before the limits were lowered.
const LOWER_LIMITS: &str = r#"
HSET set a 1 b 2 c 3
HSET increase a 1 b 2 c 3
HSET long a 12345 b 2
HSET lost a 1 b 2 c 3
CONFIG SET hash-max-listpack-entries 2 hash-max-listpack-value 4
OBJECT ENCODING set
HSET set a 9
OBJECT ENCODING set
HINCRBY increase a 1
OBJECT ENCODING increase
HSET long b 3
OBJECT ENCODING long
HSET long a 12345
OBJECT ENCODING long
HDEL lost b
OBJECT ENCODING lost
HSETNX lost a 2
OBJECT ENCODING lost
CONFIG SET hash-max-listpack-entries 128 hash-max-listpack-value 64
"#;

#[test]
fn edges_of_hashes() {
    let mut oracle = Oracle::listening(&[]);
    oracle.scripts(&[SET_AND_GET, NUMBERS, RANDOM_AND_SCAN, LOWER_LIMITS]);
    oracle.finish();
}

/// What HRANDFIELD draws are fields of the hash, different ones unless the count is negative, and in time all of them.
#[test]
fn random_fields() {
    crate::common::check_draws("HRANDFIELD", |element| vec!["HSET", "k", element, "v"]);
}

/// HSCAN with a small COUNT finds every field, also when the hash changes meanwhile.
#[test]
fn scanning_finds_every_field() {
    crate::common::check_scan_of_what_changes(
        "HSCAN",
        |element| vec!["HSET", "k", element, "v"],
        "HDEL",
    );
}

pub const COMMANDS: &str = r#"
    HSET {key} {pair}+4
    HSET {key} {pair}+4
    HSET {key} {pair}+9
    HMSET {key} {pair}+2
    HSET {key} {field} {value} {field}
    HSETNX {key} {field} {value}
    HGET {key} {field}
    HMGET {key} {field}+4
    HGETALL {key}
    HKEYS {key}
    HVALS {key}
    HLEN {key}
    HSTRLEN {key} {field}
    HEXISTS {key} {field}
    HDEL {key} {field}+3
    HINCRBY {key} {field} {integer}
    HINCRBYFLOAT {key} {field} {float}
    HRANDFIELD {key} {count}*1
    HRANDFIELD {key} {count} WITHVALUES
    HSCAN {key} 0 {scan}*2 COUNT 1000
    SET s {value}
    DEL {key}
    EXPIRE {key} 1000
    TTL {key}
    COPY {key} {key} REPLACE
    RENAME {key} {key}
    OBJECT ENCODING {key}
"#;

pub const POOLS: Pools = &[
    ("key", "a | b | c | d | e | f | s"),
    ("pair", "{field} {value}"),
    (
        "field",
        r#"a | b | c | d | e | f | g | h | i | 1 | 2 | -5 | 70000 | "" | "a\x00b\r\n\xff""#,
    ),
    (
        "value",
        r#"{integer} | {float} | abc | "" | "a\x00b\r\n\xff" | " 1" | 007 | {short} | {short} | {long}"#,
    ),
    ("short", "v | w | x | y"),
    (
        "long",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ),
    (
        "integer",
        "0 | 1 | -1 | 300 | 9223372036854775807 | -9223372036854775808 | x",
    ),
    (
        "float",
        "0 | 1 | -1.5 | 0.1 | 1e-3 | 123456.789 | 1e17 | -1e20 | inf | x",
    ),
    ("count", "0 | 1 | 3 | 100 | -1 | -5 | x"),
    (
        "scan",
        "MATCH * | MATCH [a-c]* | MATCH 7* | COUNT 500 | COUNT 0 | FOO 1",
    ),
];

#[test]
fn random_commands_on_hashes() {
    let mut oracle = Oracle::listening(&[]);
    oracle.random(COMMANDS, POOLS);
    oracle.finish();
}

/// With a limit of five fields, most hashes change from the compact form to the table.
#[test]
fn random_commands_on_hashes_at_the_limit() {
    let limits = [
        "--hash-max-listpack-entries",
        "5",
        "--hash-max-listpack-value",
        "10",
    ];
    let mut oracle = Oracle::listening(&limits);
    oracle.random(COMMANDS, POOLS);
    oracle.finish();
}
