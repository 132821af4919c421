//! The removal of entries from streams, compared with a real redis-server: XTRIM, XDEL, XSETID, and the blocks of
//! entries, which decide how much an approximate trim removes.

use crate::common::oracle::Oracle;
use crate::common::stage;

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

#[test]
fn edges_of_removal() {
    let mut oracle = Oracle::listening(&[]);
    oracle.scripts(&[TRIM, DELETE, SET_ID]);
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

/// Since 7.2 the last ID must not be smaller than that of a deleted entry.
#[test]
fn the_last_id_is_not_set_below_a_deleted_one() {
    stage::check(&[r#"A: XADD s 3-0 f v
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
        to A: "-ERR The ID specified in XSETID is smaller than the target stream top item\r\n""#]);
}
