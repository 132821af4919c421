//! Bitmaps, compared with a real redis-server: the edges of every command, then random commands.

use crate::common::oracle::{Oracle, Pools};
use crate::common::{Folder, Server};

const BITS: &str = r#"
SETBIT
SETBIT k 1
SETBIT k 1 1 1
SETBIT k x 1
SETBIT k -1 1
SETBIT k 1.5 1
SETBIT k 4294967296 1
SETBIT k 9223372036854775808 1
SETBIT k 1 x
SETBIT k 1 2
SETBIT k 1 -1
SETBIT k 4294967296 2
EXISTS k
SETBIT k 7 1
SETBIT k 7 1
GET k
SETBIT k 7 0
SETBIT k 20 0
GET k
STRLEN k
OBJECT ENCODING k
SET number 123
SETBIT number 0 0
OBJECT ENCODING number
GET number
SETBIT number 1 1
GET number
SET short abc EX 100
SETBIT short 100 1
GET short
TTL short
SET long aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
SETBIT long 100 1
GET long
SETBIT far 100000 1
STRLEN far
RPUSH l a
SETBIT l 1 1
SETBIT l 1 2
SETBIT l x 1
GETBIT
GETBIT k
GETBIT k 1 2
GETBIT k x
GETBIT k -1
GETBIT k 4294967296
GETBIT k 4294967295
SET k a
GETBIT k 0
GETBIT k 1
GETBIT k 7
GETBIT k 8
SET k 7
GETBIT k 7
GETBIT nothing 1
GETBIT nothing x
GETBIT l 1
GETBIT l x
"#;

const COUNTS_AND_POSITIONS: &str = r#"
SET k foobar
SET ones "\xff\xff\xff"
SET zeros "\x00\x00\x00"
SET edge "\xff\xf0\x00"
SET empty ""
SET number 12345
RPUSH l a
BITCOUNT
BITCOUNT k
BITCOUNT number
BITCOUNT empty
BITCOUNT nothing
BITCOUNT l
BITCOUNT k 0
BITCOUNT k x 1
BITCOUNT k 1 x
BITCOUNT k 1 2 x
BITCOUNT k 1 2 BYTE x
BITCOUNT k 0 0
BITCOUNT k 1 1
BITCOUNT k 0 -1
BITCOUNT k -2 -1
BITCOUNT k -1 -2
BITCOUNT k 3 1
BITCOUNT k -100 100
BITCOUNT k -100 -200
BITCOUNT k -200 -100
BITCOUNT k 100 200
BITCOUNT k 0 9223372036854775807
BITCOUNT k -9223372036854775808 9223372036854775807
BITCOUNT k 0 -9223372036854775808
BITCOUNT k 5 30 BIT
BITCOUNT k 5 5 bit
BITCOUNT k 0 7 BIT
BITCOUNT k 1 8 BIT
BITCOUNT k -8 -1 BIT
BITCOUNT k -1 -8 BIT
BITCOUNT k 0 -1 BIT
BITCOUNT k 100 200 BIT
BITCOUNT k 40 200 BIT
BITCOUNT k 1 2 byte
BITCOUNT empty 0 -1
BITCOUNT empty 0 -1 BIT
BITCOUNT nothing 0 -1
BITCOUNT l 0 -1
BITPOS
BITPOS k
BITPOS k x
BITPOS k 2
BITPOS k -1
BITPOS nothing 2
BITPOS l 2
BITPOS k 1 x
BITPOS k 1 0 x
BITPOS k 1 0 1 x
BITPOS k 1 0 x x
BITPOS k 1 0 1 BIT x
BITPOS k 0
BITPOS k 1
BITPOS ones 0
BITPOS ones 1
BITPOS zeros 0
BITPOS zeros 1
BITPOS edge 0
BITPOS edge 1
BITPOS edge 0 1
BITPOS edge 1 1
BITPOS edge 1 2
BITPOS edge 0 0 0
BITPOS edge 0 0 1
BITPOS edge 0 -1
BITPOS edge 0 3
BITPOS edge 0 -3 -2
BITPOS edge 1 -1 -3
BITPOS edge 1 -100 -200
BITPOS ones 0 1
BITPOS ones 0 1 2
BITPOS ones 0 0 -1
BITPOS ones 0 0 100
BITPOS ones 0 3
BITPOS ones 1 3
BITPOS ones 1 100 200
BITPOS ones 0 2 1
BITPOS edge 1 7 -1 BIT
BITPOS edge 1 12 -1 BIT
BITPOS edge 0 3 11 BIT
BITPOS edge 0 3 12 BIT
BITPOS edge 0 13 12 BIT
BITPOS edge 1 -24 -23 bit
BITPOS edge 0 0 -1 BIT
BITPOS ones 0 0 -1 BIT
BITPOS ones 0 5 10 BIT
BITPOS ones 1 5 10 BIT
BITPOS k 1 9 9 BIT
BITPOS k 1 1 1 BYTE
BITPOS empty 0
BITPOS empty 1
BITPOS empty 0 0
BITPOS empty 0 0 -1
BITPOS nothing 0
BITPOS nothing 1
BITPOS nothing 0 5
BITPOS nothing 1 5 6 BIT
BITPOS number 1
BITPOS l 1
BITPOS l 1 0 -1
"#;

const OPERATIONS: &str = r#"
SET a "abc\xff"
SET b "aB"
SET c "\x00\xff\x0f\xf0\x55"
SET number 123
SET empty ""
RPUSH l a
BITOP
BITOP AND
BITOP AND d
BITOP FOO d a
BITOP "" d a
BITOP AND d a
GET d
OBJECT ENCODING d
BITOP AND d a b
GET d
BITOP AND d b a
GET d
BITOP and d a b c
GET d
BITOP OR d a b c
GET d
BITOP or d number b
GET d
BITOP XOR d a b c
GET d
BITOP XOR d a a
GET d
BITOP NOT d a
GET d
BITOP Not d number
GET d
BITOP NOT d a b
BITOP NOT d a l
BITOP FOO d l
BITOP AND d a nothing
GET d
BITOP OR d nothing a nothing
GET d
BITOP OR d empty
EXISTS d
SET d v
BITOP OR d nothing
EXISTS d
BITOP NOT d empty
BITOP AND d a l
BITOP AND d l a
BITOP AND l a b
TYPE l
SET d v EX 100
BITOP OR d a b
TTL d
BITOP XOR a a b
GET a
BITOP NOT a a
GET a
"#;

const FIELDS: &str = r#"
SET k "\x01\x02\x03\x04\x05\x06\x07\x08\xff"
SET number 123
RPUSH l a
BITFIELD
BITFIELD k
BITFIELD nothing
BITFIELD l
BITFIELD k GET
BITFIELD k GET u8
BITFIELD k GET u8 0
BITFIELD k GET u8 #1
BITFIELD k GET u8 4
BITFIELD k get i8 64
BITFIELD k GET i8 #8
BITFIELD k GET i9 64
BITFIELD k GET u63 0
BITFIELD k GET u63 9
BITFIELD k GET i64 0
BITFIELD k GET i64 7
BITFIELD k GET i64 70
BITFIELD k GET i1 71
BITFIELD k GET u1 71
BITFIELD k GET u8 1000
BITFIELD k GET u64 0
BITFIELD k GET i65 0
BITFIELD k GET i0 0
BITFIELD k GET u0 0
BITFIELD k GET u-1 0
BITFIELD k GET u 0
BITFIELD k GET "" 0
BITFIELD k GET U8 0
BITFIELD k GET x8 0
BITFIELD k GET u08 0
BITFIELD k GET u8x 0
BITFIELD k GET u8 x
BITFIELD k GET u8 -1
BITFIELD k GET u8 #-1
BITFIELD k GET u8 #x
BITFIELD k GET u8 #
BITFIELD k GET u8 ##1
BITFIELD k GET u8 4294967295
BITFIELD k GET u8 4294967296
BITFIELD k GET u8 #536870911
BITFIELD k GET u8 #536870912
BITFIELD k GET u8 #9223372036854775807
BITFIELD k GET u8 #4611686018427387904
BITFIELD k GET u2 #4611686018427387904
BITFIELD k FOO u8 0
BITFIELD k GET u8 0 GET
BITFIELD k GET u8 0 FOO
BITFIELD k SET u8 0
BITFIELD k SET u8 0 x
BITFIELD k SET u8 0 9223372036854775808
BITFIELD k INCRBY u8 0
BITFIELD k INCRBY u8 0 x
BITFIELD k OVERFLOW
BITFIELD k OVERFLOW FOO
BITFIELD k OVERFLOW FOO GET u8 0
BITFIELD k OVERFLOW WRAP
BITFIELD k OVERFLOW WRAP GET u8 0
BITFIELD l GET u8 0
BITFIELD l SET u8 0 1
BITFIELD l SET u8 0 x
BITFIELD l FOO
BITFIELD k SET u8 0 255 GET u8 0 SET u8 0 0
BITFIELD k SET u4 6 15 GET u16 0
GET k
BITFIELD k SET i8 0 -1 GET u8 0 GET i8 0
BITFIELD k SET i64 3 -2 GET i64 3 SET i64 3 9223372036854775807 GET i64 3
GET k
BITFIELD k SET u63 5 9223372036854775807 GET u63 5
BITFIELD k SET u8 0 256 GET u8 0 SET u8 0 -1 GET u8 0
BITFIELD k OVERFLOW SAT SET u8 0 256 GET u8 0 SET u8 0 -1 GET u8 0
BITFIELD k OVERFLOW FAIL SET u8 0 256 GET u8 0 SET u8 0 -1 GET u8 0 SET u8 0 7 GET u8 0
BITFIELD k OVERFLOW SAT SET i8 0 128 SET i8 0 -129 GET i8 0
BITFIELD k OVERFLOW FAIL SET i8 0 128 SET i8 0 -129 SET i8 0 127 GET i8 0
BITFIELD k SET i8 0 128 GET i8 0 SET i8 0 -129 GET i8 0
BITFIELD k SET u8 0 250 INCRBY u8 0 10 INCRBY u8 0 -10 INCRBY u8 0 -251
BITFIELD k OVERFLOW SAT SET u8 0 250 INCRBY u8 0 10 INCRBY u8 0 -10 INCRBY u8 0 -251
BITFIELD k OVERFLOW FAIL SET u8 0 250 INCRBY u8 0 10 INCRBY u8 0 -10 INCRBY u8 0 -251
BITFIELD k SET i8 0 120 INCRBY i8 0 10 INCRBY i8 0 -10 INCRBY i8 0 -128
BITFIELD k OVERFLOW SAT SET i8 0 120 INCRBY i8 0 10 INCRBY i8 0 -10 INCRBY i8 0 -300
BITFIELD k OVERFLOW FAIL SET i8 0 120 INCRBY i8 0 10 INCRBY i8 0 -10 INCRBY i8 0 -300
BITFIELD k SET i64 0 9223372036854775807 INCRBY i64 0 1 INCRBY i64 0 -1
BITFIELD k OVERFLOW SAT SET i64 0 9223372036854775807 INCRBY i64 0 1 SET i64 0 -9223372036854775808 INCRBY i64 0 -1
BITFIELD k OVERFLOW FAIL SET i64 0 9223372036854775807 INCRBY i64 0 1 SET i64 0 -9223372036854775808 INCRBY i64 0 -1
BITFIELD k SET u63 0 9223372036854775807 INCRBY u63 0 1 INCRBY u63 0 -1 INCRBY u63 0 -9223372036854775808
BITFIELD k OVERFLOW SAT INCRBY u63 0 9223372036854775807 INCRBY u63 0 9223372036854775807 \
INCRBY u63 0 -9223372036854775808
BITFIELD k SET i1 3 1 GET i1 3 INCRBY i1 3 1 INCRBY i1 3 1
BITFIELD k OVERFLOW FAIL INCRBY u2 100 1 OVERFLOW SAT INCRBY u2 102 5 OVERFLOW WRAP INCRBY u2 104 5 GET u8 100
GET k
BITFIELD fresh GET u8 0
EXISTS fresh
BITFIELD fresh OVERFLOW FAIL SET u8 0 300
EXISTS fresh
GET fresh
BITFIELD fresh2 GET u8 0 SET u8 #3 1 GET u8 100
GET fresh2
BITFIELD number GET u8 0
OBJECT ENCODING number
BITFIELD number SET u8 0 49
OBJECT ENCODING number
GET number
SET short a EX 100
BITFIELD short SET u8 #2 65
GET short
TTL short
BITFIELD_RO
BITFIELD_RO k
BITFIELD_RO k GET u8 0 GET i4 5
BITFIELD_RO k get u8 #1
BITFIELD_RO nothing GET u8 0
BITFIELD_RO k SET u8 0 1
BITFIELD_RO k GET u8 0 INCRBY u8 0 1
BITFIELD_RO k OVERFLOW SAT GET u8 0
BITFIELD_RO k FOO
BITFIELD_RO l GET u8 0
BITFIELD_RO l SET u8 0 1
BITFIELD_RO l SET u8 0 x
"#;

#[test]
fn edges_of_bitmaps() {
    let mut oracle = Oracle::listening(&[]);
    oracle.scripts(&[BITS, COUNTS_AND_POSITIONS, OPERATIONS, FIELDS]);
    oracle.changes(&[BITS, COUNTS_AND_POSITIONS, OPERATIONS, FIELDS]);
    oracle.finish();
}

/// 7.2 looks at all arguments of BITCOUNT and BITPOS before it looks at the key; 7.0 does not.
#[test]
fn arguments_come_before_keys_in_7_2() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    client.ask("RPUSH l a");
    for key in ["nothing", "l"] {
        for (command, expected) in [
            ("BITCOUNT {} x 1", "value is not an integer or out of range"),
            ("BITCOUNT {} 0 x", "value is not an integer or out of range"),
            ("BITCOUNT {} 0", "syntax error"),
            ("BITCOUNT {} 0 1 foo", "syntax error"),
            ("BITCOUNT {} 0 1 BIT x", "syntax error"),
            ("BITPOS {} 1 x", "value is not an integer or out of range"),
            ("BITPOS {} 1 0 x", "value is not an integer or out of range"),
            ("BITPOS {} 1 0 x foo", "syntax error"),
            ("BITPOS {} 1 0 1 BIT x", "syntax error"),
        ] {
            let answer = client.ask(&command.replace("{}", key));
            assert_eq!(answer, format!("(error) ERR {expected}"), "{command}");
        }
    }
}

pub const COMMANDS: &str = r#"
    SETBIT {key} {offset} {bit}
    SETBIT {key} {offset} {bit}
    GETBIT {key} {offset}
    BITCOUNT {string}
    BITCOUNT {string} {bound} {bound} {unit}*1
    BITPOS {string} {bit}
    BITPOS {string} 0 {bound}
    BITPOS {string} {bit} {bound} {bound} {unit}*1
    BITOP {operation} {key} {key}+4
    BITOP NOT {key} {key}
    BITFIELD {key} {field}+5
    BITFIELD {key} {field}+5
    BITFIELD_RO {key} {get}+3
    BITFIELD_RO {key} {field}
    SET {string} {value}
    APPEND {string} {value}
    GET {key}
    STRLEN {key}
    EXPIRE {key} 1000
    DEL {key}
    RPUSH l a
"#;

pub const POOLS: Pools = &[
    (
        "key",
        "{string} | {string} | {string} | {string} | l | nothing",
    ),
    ("string", "a | b | c | d | e"),
    (
        "offset",
        "0 | 1 | 7 | 8 | 9 | 63 | 64 | 100 | 1000 | 4100 | -1 | x",
    ),
    ("bit", "0 | 1"),
    (
        "bound",
        "0 | 0 | 1 | 2 | 5 | 9 | 20 | 100 | -1 | -1 | -2 | -9 | -50 | -1000 | 9223372036854775807",
    ),
    ("unit", "BIT | BYTE"),
    ("operation", "AND | OR | XOR | NOT"),
    (
        "field",
        "{get} | OVERFLOW {overflow} | {set} | {set} | {set} | {set}",
    ),
    ("get", "GET {type} {place}"),
    (
        "set",
        "SET {type} {place} {number} | INCRBY {type} {place} {number}",
    ),
    ("overflow", "WRAP | SAT | FAIL"),
    (
        "type",
        "u1 | u4 | u8 | u13 | u32 | u63 | i1 | i2 | i8 | i17 | i63 | i64 | u64",
    ),
    ("place", "0 | 1 | 5 | 8 | 100 | 513 | #0 | #1 | #3 | #20"),
    (
        "number",
        "0 | 1 | -1 | 5 | -7 | 127 | -128 | 255 | 70000 | -70000 | 9223372036854775807 | -9223372036854775808 | x",
    ),
    (
        "value",
        concat!(
            r#"123 | "" | "\xff\xff\xff" | "\x00\x00\x00\x00" | foobar | "#,
            r#""\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f\xff""#,
        ),
    ),
];

#[test]
fn random_commands_on_bitmaps() {
    let mut oracle = Oracle::listening(&[]);
    oracle.random(COMMANDS, POOLS);
    oracle.finish();
}
