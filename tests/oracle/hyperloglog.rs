//! HyperLogLogs, compared with a real redis-server, byte for byte: what GET gives, what is counted, every register.

use crate::common::oracle::{Oracle, Pools, words};

const EDGES: &str = r#"
PFADD
PFADD k
GET k
PFADD k
PFCOUNT k
GET k
PFADD k a
GET k
PFADD k a
PFADD k a b c a b c
GET k
OBJECT ENCODING k
PFCOUNT k
GET k
PFCOUNT k
PFADD k a
GET k
PFADD k ""  "a\x00b\r\n\xff"
PFADD k 1234567 12345678 123456789 1234567890123456 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
GET k
PFADD fresh a b
GET fresh
EXPIRE fresh 100
PFADD fresh c
TTL fresh
PFCOUNT
PFCOUNT nothing
PFCOUNT k nothing
PFCOUNT k fresh
PFCOUNT nothing nothing
PFCOUNT k k k
PFMERGE
PFMERGE d
GET d
PFMERGE d
PFCOUNT d
PFMERGE d k
GET d
PFMERGE d fresh nothing
GET d
PFCOUNT d
GET d
PFMERGE d2 nothing
GET d2
PFMERGE k k
GET k
PFDEBUG
PFDEBUG ENCODING
PFDEBUG ENCODING k x
PFDEBUG ENCODING k
PFDEBUG encoding k
PFDEBUG FOO k
PFDEBUG FOO nothing
PFDEBUG ENCODING nothing
PFDEBUG DECODE k
PFDEBUG DECODE d2
PFDEBUG TODENSE k
PFDEBUG TODENSE k
PFDEBUG ENCODING k
PFDEBUG DECODE k
GET k
STRLEN k
PFCOUNT k
PFADD k new elements
PFCOUNT k
PFMERGE d k
PFDEBUG ENCODING d
GET d
PFMERGE d3 fresh
PFDEBUG ENCODING d3
PFDEBUG GETREG d3
PFDEBUG ENCODING d3
PFCOUNT k d d2 d3
SET bad hello
SET empty ""
SET number 123
RPUSH l a
PFADD bad x
PFADD bad
PFADD empty x
PFADD number x
PFADD l x
PFADD l
PFCOUNT bad
PFCOUNT empty
PFCOUNT number
PFCOUNT l
PFCOUNT k bad
PFCOUNT k l
PFMERGE bad k
PFMERGE k bad
PFMERGE l k
PFMERGE k l
PFMERGE fresh2 bad
EXISTS fresh2
PFDEBUG GETREG bad
PFDEBUG ENCODING l
PFSELFTEST x
"#;

/// Strings that say they are HyperLogLogs.
const DAMAGED: &str = r#"
SET wrong "HYLX\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x7f\xff"
PFCOUNT wrong
SET encoding "HYLL\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x7f\xff"
PFCOUNT encoding
SET dense "HYLL\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x7f\xff"
PFCOUNT dense
SET header "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
PFCOUNT header
SET nothing "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80"
PFCOUNT nothing
PFADD nothing a
PFDEBUG DECODE nothing
PFDEBUG GETREG nothing
PFDEBUG TODENSE nothing
PFCOUNT nothing nothing
PFMERGE d nothing
PFMERGE nothing
EXISTS d
SET few "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xfe"
PFCOUNT few
PFADD few b
PFDEBUG DECODE few
PFDEBUG GETREG few
PFDEBUG TODENSE few
PFCOUNT few few
PFMERGE d few
SET many "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xff\x80"
PFCOUNT many
PFDEBUG DECODE many
PFDEBUG TODENSE many
PFCOUNT many many
PFMERGE d many
SET known "HYLL\x01\x00\x00\x00\x07\x01\x00\x00\x00\x00\x00\x00\x7f\xfe"
PFCOUNT known
SET huge "HYLL\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\x7f\x7f\xff"
PFCOUNT huge
PFADD huge a
PFCOUNT huge
SET odd "HYLL\x01\x01\x02\x03\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xfb\x84\x84\x84\x84"
PFCOUNT odd
GET odd
PFADD odd a
GET odd
PFDEBUG TODENSE odd
GET odd
SET zeros "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x40\x00\x7f\xfe"
PFADD zeros a
GET zeros
PFCOUNT zeros
"#;

#[test]
fn edges_of_hyperloglogs() {
    let mut oracle = Oracle::listening(&[]);
    oracle.scripts(&[EDGES, DAMAGED]);
    oracle.changes(&[EDGES, DAMAGED]);
    oracle.finish();
}

/// Many elements, one after the other and many at once, through both encodings, with all that can be seen in between.
#[test]
fn many_elements() {
    for most_bytes in ["0", "20", "300", "3000", "20000"] {
        let mut oracle = Oracle::with_options(&["--hll-sparse-max-bytes", most_bytes]);
        let mut random = fastrand::Rng::with_seed(most_bytes.len() as u64);
        let mut elements = |count: usize, range: u32| -> Vec<Vec<u8>> {
            (0..count)
                .map(|_| random.u32(..range).to_string().into_bytes())
                .collect()
        };
        for step in 0..120 {
            let key = ["a", "b", "c"][step % 3];
            let added = match step % 4 {
                0 => elements(1, 1000),
                1 => elements(10, 10_000),
                2 => elements(60, 100_000),
                _ => elements(if step > 80 { 2000 } else { 3 }, 10_000_000),
            };
            type_words(&mut oracle, &[words(&["PFADD", key]), added].concat());
            for command in [
                &["GET", key][..],
                &["PFCOUNT", key],
                &["GET", key],
                &["PFDEBUG", "ENCODING", key],
            ] {
                type_words(&mut oracle, &words(command));
            }
            if step % 10 == 9 {
                for command in [
                    &["PFDEBUG", "DECODE", key][..],
                    &["PFCOUNT", "a", "b", "c"],
                    &["PFMERGE", "d", key],
                    &["GET", "d"],
                    &["PFCOUNT", "d"],
                    &["COPY", "d", "e", "REPLACE"],
                    &["PFDEBUG", "GETREG", "e"],
                    &["PFMERGE", "f", "a", "b"],
                    &["GET", "f"],
                ] {
                    type_words(&mut oracle, &words(command));
                }
            }
        }
        oracle.finish();
    }
}

fn type_words(oracle: &mut Oracle, request: &[Vec<u8>]) {
    if let Some(difference) = oracle.ask(request) {
        oracle.report(&difference);
    }
}

pub const COMMANDS: &str = r#"
    PFADD {key} {element}+3
    PFADD {key} {element}+9
    PFADD {key} {element}+30
    PFADD {key}
    PFCOUNT {key}
    PFCOUNT {key}+4
    PFMERGE {key} {key}*3
    PFDEBUG {subcommand} {key}
    GET {key}
    STRLEN {key}
    SETRANGE {key} {offset} {byte}
    DEL {key}
    COPY {key} {key} REPLACE
    EXPIRE {key} 1000
    RPUSH l a
    SET s hello
"#;

pub const POOLS: Pools = &[
    (
        "key",
        "{string} | {string} | {string} | {string} | l | s | nothing",
    ),
    ("string", "a | b | c | d"),
    ("element", "{number} | {number} | {number} | {word}"),
    (
        "number",
        "144272509 | 611178002 | 909925047 | 861425548 | 820096753 | 67760436 | 273878287 | 126614242 | 531969374 | \
        817077201 | 482637352 | 507069464 | 699642630 | 407608741 | 846885253 | 225437259 | 100780963 | 523832096 | \
        30437866 | 959191865",
    ),
    (
        "word",
        r#""" | a | b | c | "a\x00b" | abcdefg | abcdefgh | abcdefghi"#,
    ),
    (
        "subcommand",
        "ENCODING | ENCODING | DECODE | DECODE | GETREG | TODENSE | FOO",
    ),
    ("offset", "0 | 8 | 12 | 15"),
    (
        "byte",
        r#""\x00" | "\x01" | "\x7f" | "\x80" | "\xff" | "H""#,
    ),
];

#[test]
fn random_commands_on_hyperloglogs() {
    let mut oracle = Oracle::listening(&[]);
    oracle.random(COMMANDS, POOLS);
    oracle.finish();
}
