//! Streams, compared with a real redis-server: the edges of every command. (`stream_groups.rs` has consumer groups,
//! `streams_random.rs` random commands, `streams_blocking.rs` clients that wait.)

use crate::common::oracle::Oracle;
use crate::common::stage;

const ADD: &str = r#"
XADD
XADD s
XADD s *
XADD s * f
XADD s 1-1 f
XADD s 1-1 f v g
XADD s 1-1
XADD s MAXLEN 5
XADD s NOMKSTREAM
XADD s NOMKSTREAM 1-1
XADD s NOMKSTREAM 1-1 f v
XADD s nomkstream MAXLEN 1 1-1 f v
XADD s NOMKSTREAM 0-0 f v
XADD s NOMKSTREAM x f v
EXISTS s
XADD s 0-0 f v
XADD s 0 f v
EXISTS s
XADD s 0-1 f v
XADD s 0-1 f v
XADD s 0-* f v
XADD s 1 f v
XADD s 1-0 f v
XADD s 1-* f v
XADD s 1-* f v g w f x
XADD s 0-* f v
XADD s 1-x f v
XADD s 1- f v
XADD s -1 f v
XADD s - f v
XADD s + f v
XADD s $ f v
XADD s > f v
XADD s ** f v
XADD s *-1 f v
XADD s *-* f v
XADD s -* f v
XADD s x-* f v
XADD s 2-1-* f v
XADD s 2-1-1 f v
XADD s "" f v
XADD s " 2" f v
XADD s "3 " f v
XADD s "3- 1" f v
XADD s 0x4 f v
XADD s 4.5 f v
XADD s 1e3 f v
XADD s +5 f v
XADD s +6-+1 f v
XADD s 007 f v
XADD s 0008-0009 f v
XADD s -0-1 f v
XADD s (9 f v
XADD s [9 f v
XADD s "9-9\x00-1" f v
XADD s "9-*\x00x" f v
XADD s "10-*\x00*" f v
XADD s "\x00" f v
XADD s "11\x00" f v
XRANGE s - +
XADD s 18446744073709551616 f v
XADD s 18446744073709551616-1 f v
XADD s 1-18446744073709551616 f v
XADD s 99999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999 f v
XADD s 0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
000000000000000000000000013 f v
XADD s 0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
0000000000000000000000000014 f v
XADD s 20-18446744073709551615 f v
XADD s 20-* f v
XADD s 21-* f v
XADD s 18446744073709551615-18446744073709551614 f v
XADD s 18446744073709551615-* f v
XADD s 18446744073709551615-* f v
XADD s * f v
XADD s 5 f v
XLEN s
XRANGE s 18446744073709551615 +
XADD t -5 f v
XADD t -05 f v
XADD t -05-1 f v
XRANGE t - +
XADD v * f v
XADD v * f w
XLEN v
XADD v * f
XADD v MAXLEN = 1 * f x
XLEN v
XADD names 1 "" "" "" a "\x00\xff\r\n" "\x00" 12 -7 9223372036854775807 -9223372036854775808
XADD names 2 "" "" "" a "\x00\xff\r\n" "\x00" 12 -7 9223372036854775807 9223372036854775808
XADD names 3 007 -0 +5 1.0 f aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
XRANGE names - +
SET string v
XADD string 1 f v
XADD string 0-0 f v
XADD string NOMKSTREAM 1 f v
XADD string x f v
XADD string 1 f
XADD string MAXLEN x 1 f v
TYPE s
OBJECT ENCODING s
EXPIRE s 100
XADD s 5 f v
XADD names 5 f v
TTL s
"#;

const TRIM: &str = r#"
XADD s 1 f v
XADD s 2 f v
XADD s 3 f v
XADD s 4 f v
XADD s 5 f v
XADD s 6 f v
XADD s 7 f v
XADD s 8 f v
XTRIM
XTRIM s
XTRIM s MAXLEN
XTRIM s MAXLEN x
XTRIM s MAXLEN -1
XTRIM s MAXLEN 1.5
XTRIM s MAXLEN ""
XTRIM s MAXLEN =
XTRIM s MAXLEN ~
XTRIM s MAXLEN = x
XTRIM s MAXLEN = -1
XTRIM s MAXLEN ~ -1
XTRIM s MAXLEN < 5
XTRIM s MAXLEN 100 100
XTRIM s MAXLEN 9223372036854775807
XTRIM s MAXLEN 9223372036854775808
XTRIM s FOO 5
XTRIM s MINID
XTRIM s MINID x
XTRIM s MINID -
XTRIM s MINID +
XTRIM s MINID $
XTRIM s MINID (3
XTRIM s MINID -1
XTRIM s MINID = x
XTRIM s MAXLEN 5 MINID 3
XTRIM s MINID 3 MAXLEN 5
XTRIM s MAXLEN 5 MAXLEN 5
XTRIM s MINID 5 MINID 5
XTRIM s LIMIT 5
XTRIM s LIMIT 0
XTRIM s LIMIT
XTRIM s LIMIT x
XTRIM s LIMIT -1
XTRIM s LIMIT 5 LIMIT 6
XTRIM s MAXLEN 5 LIMIT
XTRIM s MAXLEN 5 LIMIT 5
XTRIM s MAXLEN 5 LIMIT 0
XTRIM s MAXLEN = 5 LIMIT 5
XTRIM s MAXLEN ~ 5 LIMIT -1
XTRIM s MAXLEN ~ 5 LIMIT x
XTRIM s LIMIT 5 MAXLEN ~ 5
XTRIM s MINID 5 LIMIT 5
XTRIM s MINID ~ 5 LIMIT 0
XTRIM s MAXLEN ~ 3
XTRIM s MAXLEN ~ 0
XLEN s
XADD s 1-1 f v
XADD s 11 f v
XADD s 12 f v
XINFO STREAM s
XTRIM s MAXLEN 2
XTRIM s maxlen = 2
XINFO STREAM s
XTRIM s MINID 11
XTRIM s MINID 11-1
XTRIM s MINID 12-0
XTRIM s MINID = 0
XTRIM s minid 12-1
XLEN s
EXISTS s
XINFO STREAM s
XTRIM s MAXLEN 0
XTRIM s MINID 18446744073709551615-18446744073709551615
XTRIM nothing MAXLEN 0
XTRIM nothing MAXLEN x
XTRIM nothing MINID 5
XADD a MAXLEN 0 1 f v
XADD a MAXLEN 2 2 f v
XADD a MAXLEN = 2 3 f v
XADD a maxlen 2 4 f v
XADD a MAXLEN ~ 2 5 f v
XADD a MAXLEN ~ 2 LIMIT 10 6 f v
XADD a MAXLEN ~ 2 LIMIT 0 7 f v
XADD a MINID 6 8 f v
XADD a MINID ~ 8 LIMIT 1 9 f v
XADD a MINID = 9 10 f v
XADD a MINID 20 11 f v
XLEN a
XINFO STREAM a
XADD a NOMKSTREAM MAXLEN 5 12 f v
XADD a MAXLEN 5 NOMKSTREAM 13 f v
XADD a MAXLEN 5 NOMKSTREAM nomkstream 14 f v
XADD a MAXLEN 5 MINID 1 15 f v
XADD a MAXLEN 5 LIMIT 1 15 f v
XADD a LIMIT 1 15 f v
XADD a LIMIT 0 15 f v
XADD a MAXLEN ~ 5 LIMIT -1 15 f v
XADD a MAXLEN x 15 f v
XADD a MAXLEN -1 15 f v
XADD a MAXLEN ~ 15 f v
XADD a MAXLEN = 5 5 f v
XADD a MAXLEN 1 5 f v
XLEN a
XADD a MAXLEN 1 *
XADD a MAXLEN 1 15
XADD a MAXLEN MAXLEN 15 f v
XADD a LIMIT MAXLEN 15 f v
XADD a MINID 15 f v
XRANGE a - +
SET string v
XTRIM string MAXLEN 0
XTRIM string MAXLEN x
XTRIM string MINID x
"#;

const DELETE: &str = r#"
XADD s 1 f v
XADD s 2 f v
XADD s 3 f v
XADD s 4 f v
XADD s 5-5 f v
XADD s 6 f v
XDEL
XDEL s
XDEL s 3
XINFO STREAM s
XDEL s 3
XDEL s 5
XDEL s 5-5 5-5 9
XINFO STREAM s
XDEL s 6-0 x
XDEL s x 6-0
XDEL s -
XDEL s +
XDEL s $
XDEL s *
XDEL s (6
XDEL s 6-*
XLEN s
XDEL s 06-00
XDEL s 1
XINFO STREAM s
XDEL s 0-0 18446744073709551615-18446744073709551615
XDEL s 2 4
XINFO STREAM s
XLEN s
EXISTS s
TYPE s
XRANGE s - +
XADD s 6 f v
XADD s 7 f v
XINFO STREAM s
XDEL nothing 1
XDEL nothing x
XDEL nothing
SET string v
XDEL string 1
XDEL string x
XLEN
XLEN s t
XLEN nothing
XLEN string
"#;

/// In 7.2 the last ID must not be smaller than that of any deleted entry; here it is not.
const SET_ID: &str = r#"
XSETID
XSETID s
XSETID s 5
XSETID s x
XADD s 3 f v
XADD s 4 f v
XSETID s 3
XSETID s 3-9
XSETID s 4-0
XSETID s 5-5
XSETID s 5-5 FOO
XSETID s 5-5 ENTRIESADDED
XSETID s 5-5 MAXDELETEDID
XSETID s 5-5 ENTRIESADDED 10
XSETID s 5-5 ENTRIESADDED x
XSETID s 5-5 ENTRIESADDED -1
XSETID s 5-5 ENTRIESADDED 1
XSETID s 5-5 ENTRIESADDED 2
XSETID s 5-5 MAXDELETEDID 6
XSETID s 5-5 MAXDELETEDID x
XSETID s 5-5 MAXDELETEDID -
XSETID s 5-5 MAXDELETEDID 0-0
XSETID s 5-5 MAXDELETEDID 2
XINFO STREAM s
XSETID s 9 entriesadded 20 maxdeletedid 9
XINFO STREAM s
XSETID s 9 MAXDELETEDID 1 ENTRIESADDED 30
XINFO STREAM s
XSETID s 9 ENTRIESADDED 3 ENTRIESADDED 40
XSETID s 9 ENTRIESADDED 3 MAXDELETEDID
XSETID s $
XSETID s *
XSETID s +
XSETID s -
XSETID s 18446744073709551615-18446744073709551615
XADD s * f v
XINFO STREAM s
XSETID nothing 5
XSETID nothing x
XSETID nothing 5 FOO
XSETID nothing 5 ENTRIESADDED -1
SET string v
XSETID string 5
XSETID string x
XADD e 1 f v
XDEL e 1
XSETID e 1 ENTRIESADDED 0
XSETID e 5 ENTRIESADDED 0
XINFO STREAM e
"#;

const RANGE: &str = r#"
XADD s 1-1 f v
XADD s 1-2 f v g w
XADD s 2-0 f v
XADD s 3-5 f v
XADD s 18446744073709551615-18446744073709551615 f last
XRANGE
XRANGE s
XRANGE s -
XRANGE s - +
XRANGE s + -
XRANGE s - -
XRANGE s + +
XRANGE s 1 1
XRANGE s 1 2
XRANGE s 1-2 3
XRANGE s 01-02 003
XRANGE s 1-2 1-2
XRANGE s 1-3 1-9
XRANGE s 3 1
XRANGE s (1-1 +
XRANGE s (1 2
XRANGE s (1 (2
XRANGE s - (1
XRANGE s - (2
XRANGE s (1-1 (1-2
XRANGE s (0 +
XRANGE s - (0-0
XRANGE s - (0
XRANGE s (18446744073709551615-18446744073709551615 +
XRANGE s (18446744073709551615 +
XRANGE s (18446744073709551615-18446744073709551614 +
XRANGE s - (18446744073709551615-18446744073709551615
XRANGE s (- +
XRANGE s - (+
XRANGE s ( +
XRANGE s ((1 +
XRANGE s "( 1" +
XRANGE s [1 +
XRANGE s x +
XRANGE s - x
XRANGE s $ +
XRANGE s > +
XRANGE s * +
XRANGE s 1-* +
XRANGE s "" +
XRANGE s " 1" "+2"
XRANGE s "-\x00x" "+\x00"
XRANGE s -- +
XRANGE s -1 +
XRANGE s -01 +
XRANGE s - + COUNT
XRANGE s - + COUNT 1
XRANGE s - + COUNT 2
XRANGE s - + COUNT 0
XRANGE s - + COUNT -1
XRANGE s - + COUNT x
XRANGE s - + COUNT 100
XRANGE s - + COUNT 1 COUNT 2
XRANGE s - + count 2 COUNT
XRANGE s - + FOO
XRANGE s - + FOO 1
XRANGE s 9 1 COUNT 0
XRANGE nothing - +
XRANGE nothing x +
XRANGE nothing - + COUNT 0
XRANGE nothing - + COUNT x
XREVRANGE
XREVRANGE s
XREVRANGE s +
XREVRANGE s + -
XREVRANGE s - +
XREVRANGE s 2 1
XREVRANGE s 2 1-2
XREVRANGE s (2 (1
XREVRANGE s (2-0 (1-1
XREVRANGE s 1 2
XREVRANGE s + (18446744073709551615-18446744073709551615
XREVRANGE s (0 -
XREVRANGE s x -
XREVRANGE s + x
XREVRANGE s + - COUNT 2
XREVRANGE s + - COUNT 0
XREVRANGE s + - COUNT -5
XREVRANGE s + - COUNT x
XREVRANGE s + - COUNT
XREVRANGE s + - FOO 2
XREVRANGE nothing + -
XREVRANGE nothing + - COUNT 0
SET string v
XRANGE string - +
XRANGE string x +
XREVRANGE string + -
XDEL s 1-2 3-5
XRANGE s - +
XREVRANGE s + - COUNT 2
XRANGE s - + COUNT 2
XRANGE s 1-2 (3-5
XDEL s 18446744073709551615-18446744073709551615
XREVRANGE s + - COUNT 1
XDEL s 1-1 2-0
XRANGE s - +
XREVRANGE s + -
"#;

const READ: &str = r#"
XADD s 1-1 f v
XADD s 1-2 f v g w
XADD s 2-0 f v
XADD t 5 f v
XREAD
XREAD STREAMS
XREAD STREAMS s
XREAD STREAMS s 0
XREAD streams s 0
XREAD STREAMS s t 0 0
XREAD STREAMS t s 0 0
XREAD STREAMS s s 0 1
XREAD STREAMS s t 0
XREAD STREAMS s 0 0
XREAD STREAMS s nothing 0 0
XREAD STREAMS nothing 0
XREAD STREAMS nothing s 0 5
XREAD STREAMS s $
XREAD STREAMS s t $ 0
XREAD STREAMS s 1
XREAD STREAMS s 1-1
XREAD STREAMS s 01-002
XREAD STREAMS s 2-0
XREAD STREAMS s 3
XREAD STREAMS s 18446744073709551615-18446744073709551615
XREAD STREAMS s >
XREAD STREAMS s x
XREAD STREAMS s -
XREAD STREAMS s +
XREAD STREAMS s *
XREAD STREAMS s (1
XREAD STREAMS s ""
XREAD STREAMS s -1
XREAD STREAMS s t 0 x
XREAD STREAMS nothing x
XREAD STREAMS nothing >
XREAD COUNT
XREAD COUNT 1
XREAD COUNT 1 STREAMS s 0
XREAD COUNT 1 STREAMS s t 0 0
XREAD COUNT 2 COUNT 1 STREAMS s 0
XREAD COUNT 0 STREAMS s 0
XREAD COUNT -1 STREAMS s 0
XREAD COUNT x STREAMS s 0
XREAD COUNT 100 STREAMS s 0
XREAD COUNT STREAMS s 0
XREAD STREAMS s 0 COUNT 1
XREAD BLOCK
XREAD BLOCK x STREAMS s 0
XREAD BLOCK -1 STREAMS s 0
XREAD BLOCK 1.5 STREAMS s 0
XREAD BLOCK 9223372036854775808 STREAMS s 0
XREAD BLOCK STREAMS s 0
XREAD BLOCK 0 STREAMS s 0
XREAD BLOCK 0 COUNT 1 STREAMS s t 1-1 5
XREAD block 1 STREAMS s $
XREAD BLOCK 1 STREAMS nothing 0
XREAD BLOCK 1 STREAMS nothing $
XREAD BLOCK 1 STREAMS s nothing 7 7
XREAD BLOCK 1 BLOCK 2 STREAMS s 2
XREAD BLOCK 1 STREAMS s >
XREAD BLOCK 1 STREAMS s x
XREAD GROUP
XREAD GROUP g
XREAD GROUP g a STREAMS s 0
XREAD GROUP g a STREAMS s >
XREAD NOACK STREAMS s 0
XREAD FOO STREAMS s 0
XREAD FOO
XREAD COUNT 1 FOO STREAMS s 0
SET string v
XREAD STREAMS string 0
XREAD STREAMS string $
XREAD STREAMS string x
XREAD STREAMS s string 0 0
XREAD STREAMS string s x 0
XREAD STREAMS s string x 0
XREAD BLOCK 1 STREAMS string 0
XREAD BLOCK 1 STREAMS s string 9 $
XDEL s 1-1 2-0
XREAD STREAMS s 0
XREAD STREAMS s 1-2
XDEL s 1-2
XREAD STREAMS s 0
XREAD BLOCK 1 STREAMS s 0
XADD s 3 f v
XREAD STREAMS s 2
"#;

const OTHERS: &str = r#"
XINFO
XINFO HELP
XINFO HELP s
XINFO FOO
XINFO FOO s
XINFO STREAM
XINFO STREAM nothing
XINFO STREAM nothing FOO
XINFO STREAM s FOO
XADD s 1-1 f v
XINFO STREAM s
XINFO stream s
XINFO STREAM s s
XINFO STREAM s FOO
XINFO STREAM s FULL
XINFO STREAM s full
XINFO STREAM s FULL FOO
XINFO STREAM s FULL COUNT
XINFO STREAM s FULL FOO 1
XINFO STREAM s FULL COUNT x
XINFO STREAM s FULL COUNT 1.5
XINFO STREAM s FULL COUNT 0
XINFO STREAM s FULL COUNT -1
XINFO STREAM s FULL COUNT 1
XINFO STREAM s FULL COUNT 1 COUNT 1
XINFO GROUPS
XINFO GROUPS s
XINFO GROUPS s s
XINFO GROUPS nothing
SET string v
XINFO STREAM string
XINFO STREAM string FOO
XINFO STREAM string FULL COUNT x
XINFO GROUPS string
XADD s 1-2 f v
XADD s 1-3 f v
XADD s 1-4 f v
XADD s 1-5 f v
XADD s 1-6 f v
XADD s 1-7 f v
XADD s 1-8 f v
XADD s 1-9 f v
XADD s 1-10 f v
XADD s 1-11 f v
XADD s 1-12 f v
XINFO STREAM s FULL
XINFO STREAM s FULL COUNT 11
XINFO STREAM s FULL COUNT 0
XINFO STREAM s FULL COUNT -7
XGROUP CREATE s g 1-5
COPY s t
XINFO STREAM t FULL
XADD t 2 f v
XTRIM s MAXLEN 1
XLEN t
XINFO STREAM s FULL
DEBUG DIGEST-VALUE s t nothing
COPY s string
COPY s string REPLACE
TYPE string
SORT s
SORT s BY nosort
SORT_RO s ALPHA
SORT s STORE d
SCAN 0 TYPE stream COUNT 100
SCAN 0 TYPE STREAM COUNT 100
OBJECT ENCODING s
OBJECT FREQ s
TYPE s
RENAME s u
XADD u 1-12 f v
XADD u 1-13 f v
LPUSH u x
GET u
ZADD u 1 a
APPEND u x
SINTER u s
PFCOUNT u
SUNIONSTORE u nothing
XADD u 1 f v
SET u v GET
SET u v
GETSET u v
XADD v 1 f v
GETSET v x
MOVE v 1
SELECT 1
XRANGE v - +
XADD v 2 f v
SELECT 0
EXPIRE t 100
COPY t w
TTL w
PERSIST w
DUMP nothing
TOUCH t w
UNLINK t w
EXISTS t w
"#;

const TRANSACTIONS: &str = r#"
MULTI
XADD s 1 f v
XREAD BLOCK 0 STREAMS s $
XREAD BLOCK 0 STREAMS s 0
XGROUP CREATE s g 0
XREADGROUP GROUP g a BLOCK 0 STREAMS s >
XREADGROUP GROUP g a BLOCK 0 STREAMS s >
XREADGROUP GROUP g a BLOCK 0 STREAMS s 0
XADD s 1 f v
XADD s
XACK s g 1
EXEC
MULTI
XADD s 1 f v
XREAD BLOCK 0 STREAMS s $
XREAD BLOCK 0 STREAMS s 0
XREAD BLOCK x STREAMS s 0
XGROUP CREATE s g 0
XREADGROUP GROUP g a BLOCK 0 STREAMS s >
XREADGROUP GROUP g a BLOCK 0 STREAMS s >
XREADGROUP GROUP g a BLOCK 0 STREAMS s 0
XADD s 1 f v
XACK s g 1
EXEC
EVAL "return redis.call('XADD', KEYS[1], '2-*', 'f', 'v')" 1 s
EVAL "return redis.pcall('XADD', KEYS[1], '1-*', 'f', 'v')" 1 s
EVAL "return redis.call('XRANGE', KEYS[1], '-', '+')" 1 s
EVAL "return redis.call('XREAD', 'STREAMS', KEYS[1], '0')" 1 s
EVAL "redis.setresp(3) return redis.call('XREAD', 'STREAMS', KEYS[1], '0')" 1 s
EVAL "return redis.call('XREADGROUP', 'GROUP', 'g', 'a', 'STREAMS', KEYS[1], '>')" 1 s
EVAL "return redis.call('XINFO', 'STREAM', KEYS[1])" 1 s
EVAL "return redis.pcall('XREAD', 'BLOCK', 0, 'STREAMS', KEYS[1], '0')" 1 s
EVAL "return redis.pcall('xread', 'COUNT', 1, 'BLOCK', 'x', 'STREAMS', KEYS[1], '0')" 1 s
EVAL "return redis.pcall('XReadGroup', 'GROUP', 'g', 'a', 'BLOCK', 0, 'STREAMS', KEYS[1], '>')" 1 s
EVAL "return redis.pcall('XREAD', 'BLOCK')" 1 s
EVAL "return redis.pcall('XREAD', 'FOO', 'BLOCK', 0, 'STREAMS', KEYS[1], '0')" 1 s
EVAL_RO "return redis.call('XRANGE', KEYS[1], '-', '+')" 1 s
EVAL_RO "return redis.call('XADD', KEYS[1], '9', 'f', 'v')" 1 s
EVAL_RO "return redis.call('XREADGROUP', 'GROUP', 'g', 'a', 'STREAMS', KEYS[1], '>')" 1 s
EVAL_RO "return redis.call('XPENDING', KEYS[1], 'g')" 1 s
"#;

/// What needs no groups, told of keys too.
#[test]
fn edges_of_entries() {
    let mut oracle = Oracle::listening(&[]);
    oracle.scripts(&[ADD, TRIM, DELETE, SET_ID, RANGE, READ, OTHERS, TRANSACTIONS]);
    oracle.finish();
}

/// Where blocks end, by their entries and by their bytes: it decides how much an approximate trim removes.
#[test]
fn blocks_have_the_sizes_that_are_configured() {
    let mut oracle = Oracle::with_options(&["--enable-debug-command", "yes"]);
    for (entries, bytes) in [
        (1, 4096),
        (3, 4096),
        (100, 4096),
        (0, 200),
        (0, 0),
        (100, 60),
        (2, 1),
    ] {
        oracle.clear();
        oracle.type_line(&format!("CONFIG SET stream-node-max-entries {entries}"));
        oracle.type_line(&format!("CONFIG SET stream-node-max-bytes {bytes}"));
        for number in 1..=40 {
            let value = "v".repeat(number * 7 % 50);
            oracle.type_line(&format!("XADD s {}-{number} field \"{value}\"", number / 4));
            oracle.type_line("XINFO STREAM s");
        }
        for line in [
            "XTRIM s MAXLEN ~ 30",
            "XTRIM s MAXLEN ~ 30 LIMIT 2",
            "XTRIM s MAXLEN ~ 25 LIMIT 3",
            "XTRIM s MAXLEN ~ 20 LIMIT 0",
            "XTRIM s MINID ~ 6 LIMIT 1",
            "XTRIM s MINID ~ 6",
            "XINFO STREAM s",
            "XDEL s 9-36 9-37 9-39 10-40",
            "XINFO STREAM s",
            "XADD s 10-41 other v",
            "XADD s MAXLEN ~ 4 10-42 other v more w",
            "XINFO STREAM s",
            "XTRIM s MAXLEN 3",
            "XINFO STREAM s FULL COUNT 0",
            "DEBUG DIGEST-VALUE s",
            "XTRIM s MINID ~ 18446744073709551615-18446744073709551615",
            "XTRIM s MAXLEN ~ 0",
            "XINFO STREAM s",
            "XADD s 11 other v",
            "XINFO STREAM s",
            "CONFIG GET stream-node-*",
        ] {
            oracle.type_line(line);
        }
    }
    for line in [
        "CONFIG SET stream-node-max-entries x",
        "CONFIG SET stream-node-max-entries -1",
        "CONFIG SET stream-node-max-bytes x",
        "CONFIG SET stream-node-max-bytes -1",
        "CONFIG SET stream-node-max-bytes 1kb",
        "CONFIG GET stream-node-max-bytes",
    ] {
        oracle.type_line(line);
    }
    oracle.finish();
}

/// How many nodes the radix tree of Redis has, for IDs that part at any of their bytes.
#[test]
fn radix_trees_have_as_many_nodes() {
    let mut oracle = Oracle::with_options(&["--stream-node-max-entries", "1"]);
    let mut random = fastrand::Rng::with_seed(3);
    for spread in [3, 300, 70_000, 1 << 40, u64::MAX] {
        for seq_spread in [1, 3, 1 << 20, u64::MAX] {
            oracle.clear();
            let mut ids: Vec<(u64, u64)> = (0..30)
                .map(|_| (1 + random.u64(0..spread), random.u64(..seq_spread)))
                .collect();
            ids.sort_unstable();
            for (ms, seq) in ids {
                // Some are there already, and refused by both servers.
                oracle.type_line(&format!("XADD s {ms}-{seq} f v"));
                oracle.type_line("XINFO STREAM s");
            }
            for _ in 0..10 {
                oracle.type_line("XTRIM s MAXLEN ~ 3 LIMIT 3");
                oracle.type_line("XINFO STREAM s");
            }
        }
    }
    oracle.finish();
}

/// Where 7.2 answers what 7.0 does not.
#[test]
fn what_7_2_answers() {
    stage::check(&[
        // The last ID must not be smaller than that of a deleted entry.
        r#"A: XADD s 3-0 f v
        to A: "$3\r\n3-0\r\n"
        A: XADD s 4-0 f v
        to A: "$3\r\n4-0\r\n"
        A: XDEL s 4-0
        to A: ":1\r\n"
        A: XSETID s 3-5
        to A: "-ERR The ID specified in XSETID is smaller than current max_deleted_entry_id\r\n"
        A: XSETID s 3-5 MAXDELETEDID 1-0
        to A: "-ERR The ID specified in XSETID is smaller than current max_deleted_entry_id\r\n"
        A: XSETID s 2-0
        to A: "-ERR The ID specified in XSETID is smaller than current max_deleted_entry_id\r\n"
        A: XSETID s 4-0 MAXDELETEDID 1-0
        A: XSETID s 3-0
        A: XSETID s 2-0
        to A: "-ERR The ID specified in XSETID is smaller than the target stream top item\r\n""#,
        r#"A: XREAD BLOCK 9223372036854775807 STREAMS s 0
        to A: "-ERR timeout is out of range\r\n"
        A: XREADGROUP GROUP g a BLOCK 9223372036854775807 STREAMS s >
        to A: "-ERR timeout is out of range\r\n""#,
    ]);
}
