//! Consumer groups of streams, compared with a real redis-server: the edges of every command.

use crate::common::oracle::Oracle;
use crate::common::{Client, Folder, Server, wait_until};
use my_redis_server::resp::decoder::Value;
use my_redis_server::util::clock::unix_ms;

const GROUP: &str = r#"
XGROUP
XGROUP HELP
XGROUP HELP x
XGROUP FOO
XGROUP FOO s g
XGROUP CREATE
XGROUP CREATE s
XGROUP CREATE s g
XGROUP CREATE s g $
XGROUP CREATE s g 0
XGROUP CREATE s g x
XGROUP CREATE s g x MKSTREAM
XGROUP CREATE s g - MKSTREAM
XGROUP CREATE s g > MKSTREAM
XGROUP CREATE s g * MKSTREAM
XGROUP CREATE s g 0 FOO
XGROUP CREATE s g 0 MKSTREAM FOO
XGROUP CREATE s g 0 ENTRIESREAD
XGROUP CREATE s g 0 ENTRIESREAD x
XGROUP CREATE s g 0 ENTRIESREAD -2
XGROUP CREATE s g 0 ENTRIESREAD 1
EXISTS s
XGROUP CREATE s g $ mkstream
XINFO STREAM s
XGROUP CREATE s g 0
XGROUP CREATE s g x
XGROUP CREATE s G 0 MKSTREAM
XGROUP CREATE s "" 0
XGROUP CREATE s "a b\x00\xff" 5-5 ENTRIESREAD 0
XGROUP CREATE s h 007-008 ENTRIESREAD -1 MKSTREAM
XGROUP CREATE s i 18446744073709551615-18446744073709551615 MKSTREAM ENTRIESREAD 9223372036854775807
XGROUP CREATE s j 3 ENTRIESREAD 5
XGROUP CREATE s k + MKSTREAM
XGROUP CREATE s l 5- MKSTREAM
XGROUP CREATE s m (5
XINFO GROUPS s
XINFO STREAM s FULL
XGROUP SETID
XGROUP SETID s
XGROUP SETID s g
XGROUP SETID s g 5
XGROUP SETID s g 1-x
XGROUP SETID s g $
XGROUP SETID s g -
XINFO GROUPS s
XGROUP SETID s g +
XINFO GROUPS s
XGROUP SETID s g >
XGROUP SETID s g 7 ENTRIESREAD
XGROUP SETID s g 7 ENTRIESREAD x
XGROUP SETID s g 7 ENTRIESREAD -2
XGROUP SETID s g 7 ENTRIESREAD -1
XGROUP SETID s g 7 entriesread 3
XGROUP SETID s g 7 MKSTREAM
XGROUP SETID s g 7 FOO 1
XGROUP SETID s nogroup 7
XGROUP SETID s nogroup x
XGROUP SETID nothing g 7
XGROUP SETID nothing g x
XGROUP SETID nothing g 7 FOO
XINFO GROUPS s
XGROUP CREATECONSUMER
XGROUP CREATECONSUMER s g
XGROUP CREATECONSUMER s g a
XGROUP CREATECONSUMER s g a
XGROUP CREATECONSUMER s g A
XGROUP CREATECONSUMER s g ""
XGROUP CREATECONSUMER s g "b c\x00\xff"
XGROUP CREATECONSUMER s g a b
XGROUP CREATECONSUMER s nogroup a
XGROUP CREATECONSUMER nothing g a
XINFO CONSUMERS
XINFO CONSUMERS s
XINFO CONSUMERS s g
XINFO CONSUMERS s g g
XINFO CONSUMERS s nogroup
XINFO CONSUMERS s "no\x00group"
XINFO CONSUMERS nothing g
XINFO STREAM s FULL
XGROUP DELCONSUMER
XGROUP DELCONSUMER s g
XGROUP DELCONSUMER s g a
XGROUP DELCONSUMER s g a
XGROUP DELCONSUMER s nogroup a
XGROUP DELCONSUMER nothing g a
XINFO CONSUMERS s g
XGROUP DESTROY
XGROUP DESTROY s
XGROUP DESTROY s g
XGROUP DESTROY s g
XGROUP DESTROY s g g
XGROUP DESTROY nothing g
SET string v
XGROUP CREATE string g 0
XGROUP CREATE string g x
XGROUP CREATE string g 0 MKSTREAM
XGROUP SETID string g 0
XGROUP DESTROY string g
XGROUP CREATECONSUMER string g a
XGROUP DELCONSUMER string g a
XINFO CONSUMERS string g
XGROUP DESTROY s ""
XGROUP DESTROY s "a b\x00\xff"
XGROUP DESTROY s G
XGROUP DESTROY s h
XGROUP DESTROY s i
XGROUP DESTROY s j
EXISTS s

XGROUP CREATE s g 0 MKSTREAM MKSTREAM MKSTREAM
XGROUP CREATE s h 0 MKSTREAM ENTRIESREAD 5
XGROUP CREATE s i 0 MKSTREAM MKSTREAM MKSTREAM MKSTREAM
XGROUP CREATE s j 0 ENTRIESREAD 5 ENTRIESREAD 6
XGROUP CREATE s g 0 ENTRIESREAD 5 ENTRIESREAD 6
XGROUP CREATE s k 0 MKSTREAM MKSTREAM ENTRIESREAD 5 FOO
XGROUP CREATE nothing g 0 ENTRIESREAD 5 ENTRIESREAD 6
XGROUP SETID s g 0 ENTRIESREAD 5 ENTRIESREAD 6
XGROUP SETID s nogroup 0 ENTRIESREAD 5 ENTRIESREAD 6
XGROUP SETID nothing g 0 ENTRIESREAD 5 ENTRIESREAD 6
EXISTS nothing
"#;

const READ: &str = r#"
XADD s 1 f v
XADD s 2 f v g w
XADD s 3 f v
XADD s 4 f v
XADD s 5 f v
XADD t 1 f v
XGROUP CREATE s g 0
XGROUP CREATE t g 0
XGROUP CREATE s h $
XGROUP CREATECONSUMER s g a
XGROUP CREATECONSUMER s g b
XGROUP CREATECONSUMER s h a
XGROUP CREATECONSUMER t g a
XREADGROUP
XREADGROUP GROUP g a
XREADGROUP GROUP g a STREAMS
XREADGROUP GROUP g a STREAMS s
XREADGROUP GROUP g a STREAMS s t >
XREADGROUP GROUP g a STREAMS s > >
XREADGROUP STREAMS s > x y z
XREADGROUP STREAMS s t u > > >
XREADGROUP COUNT 1 STREAMS s t > >
XREADGROUP NOACK COUNT 1 STREAMS s >
XREADGROUP GROUP g STREAMS s > t
XREADGROUP GROUP g a FOO s >
XREADGROUP GROUP g a COUNT STREAMS s >
XREADGROUP GROUP g a COUNT x STREAMS s >
XREADGROUP GROUP g a BLOCK x STREAMS s >
XREADGROUP GROUP g a BLOCK -1 STREAMS s >
XREADGROUP GROUP g a STREAMS s x
XREADGROUP GROUP g a STREAMS s $
XREADGROUP GROUP g a STREAMS s +
XREADGROUP GROUP g a STREAMS s -
XREADGROUP GROUP g a STREAMS s *
XREADGROUP GROUP g a STREAMS s ""
XREADGROUP GROUP g a STREAMS s t > x
XREADGROUP GROUP nogroup a STREAMS s >
XREADGROUP GROUP nogroup a STREAMS s x
XREADGROUP GROUP g a STREAMS nothing >
XREADGROUP GROUP g a STREAMS nothing x
XREADGROUP GROUP g a STREAMS s nothing > >
XREADGROUP GROUP h a STREAMS s t 0 0
XREADGROUP GROUP "a\x00b" "c" STREAMS "k\x00l" >
XPENDING s g
XINFO GROUPS s
XREADGROUP GROUP g a COUNT 1 STREAMS s >
XREADGROUP group g a count 1 noack streams s >
XREADGROUP GROUP g b COUNT 1 STREAMS s >
XREADGROUP GROUP g a STREAMS s 0
XREADGROUP GROUP g b STREAMS s 0
XREADGROUP GROUP g a STREAMS s 1
XREADGROUP GROUP g b STREAMS s 2-9
XREADGROUP GROUP g b STREAMS s 18446744073709551615-18446744073709551614
XPENDING s g - + 10
XREADGROUP GROUP g a COUNT 0 STREAMS s t > >
XREADGROUP GROUP g a STREAMS s t > >
XREADGROUP GROUP g a STREAMS s t 0 >
XREADGROUP GROUP g a STREAMS s s 0 3
XREADGROUP GROUP g a COUNT 1 STREAMS s 0
XREADGROUP GROUP g a COUNT -1 STREAMS s 0
XREADGROUP GROUP g a NOACK STREAMS s 0
XREADGROUP GROUP g a BLOCK 0 STREAMS s 0
XREADGROUP GROUP g a BLOCK 0 STREAMS s t > 0
XREADGROUP GROUP g a BLOCK 1 STREAMS s t > >
XREADGROUP GROUP h a STREAMS s >
XREADGROUP GROUP h a BLOCK 1 NOACK STREAMS s >
XREADGROUP GROUP h a STREAMS s 0
XPENDING s g - + 10
XINFO STREAM s FULL
XADD s 6 f v
XADD s 7 f v
XREADGROUP GROUP h a NOACK STREAMS s >
XPENDING s h
XREADGROUP GROUP g a NOACK COUNT 1 STREAMS s >
XINFO GROUPS s
XDEL s 1 4
XREADGROUP GROUP g a STREAMS s 0
XREADGROUP GROUP g a COUNT 1 STREAMS s 0
XREADGROUP GROUP g a STREAMS s 1
XPENDING s g - + 10
XGROUP SETID s g 0
XREADGROUP GROUP g b STREAMS s >
XPENDING s g - + 10
XPENDING s g
XINFO STREAM s FULL
XREADGROUP GROUP g a STREAMS s 0
XREADGROUP GROUP g b STREAMS s 0
XREADGROUP GROUP g a GROUP h b STREAMS s 0
XREADGROUP GROUP h b STREAMS t 0
SET string v
XREADGROUP GROUP g a STREAMS string >
XREADGROUP GROUP g a STREAMS string x
XREADGROUP GROUP g a STREAMS s string > >
XREADGROUP GROUP g a BLOCK 1 STREAMS s string > >
XREADGROUP GROUP g a BLOCK 1 STREAMS nothing >
XREADGROUP GROUP nogroup a BLOCK 1 STREAMS s >
"#;

const PENDING: &str = r#"
XADD s 1 f v
XADD s 2 f v
XADD s 3 f v
XADD s 4 f v
XGROUP CREATE s g 0
XPENDING
XPENDING s
XPENDING s g
XPENDING s g -
XPENDING s g - +
XPENDING s g - + 10
XGROUP CREATECONSUMER s g idle
XPENDING s g
XREADGROUP GROUP g b COUNT 2 STREAMS s >
XREADGROUP GROUP g a COUNT 1 STREAMS s >
XREADGROUP GROUP g c COUNT 1 STREAMS s >
XPENDING s g
XPENDING s g - + 10
XPENDING s g - + 10 a
XPENDING s g - + 10 idle
XPENDING s g - + 10 nobody
XPENDING s g - + 10 a b
XPENDING s g - + 2
XPENDING s g - + 0
XPENDING s g - + -1
XPENDING s g - + x
XPENDING s g + - 10
XPENDING s g 2 3 10
XPENDING s g (2 (4 10
XPENDING s g (1 3 1 b
XPENDING s g x + 10
XPENDING s g - x 10
XPENDING s g $ + 10
XPENDING s g ( + 10
XPENDING s g - (0 10
XPENDING s g (18446744073709551615-18446744073709551615 + 10
XPENDING s g IDLE
XPENDING s g IDLE 0
XPENDING s g IDLE 0 - +
XPENDING s g IDLE 0 - + 10
XPENDING s g idle 0 - + 10 b
XPENDING s g IDLE 0 - + 10 b c
XPENDING s g IDLE 100000 - + 10
XPENDING s g IDLE 100000 - + 10 b
XPENDING s g IDLE -1 - + 10
XPENDING s g IDLE x - + 10
XPENDING s g IDLE 9223372036854775807 - + 10
XPENDING s g FOO 0 - + 10
XPENDING s g - + 10 b FOO 1
XPENDING s nogroup
XPENDING s nogroup - + 10
XPENDING s nogroup x + 10
XPENDING nothing g
XPENDING nothing g - + 10
XPENDING nothing g - + x
XPENDING "a\x00b" "c\x00d"
XACK
XACK s
XACK s g
XACK s g x
XACK s g 1 x
XACK s g -
XACK s g $
XPENDING s g
XACK s g 1
XACK s g 1
XACK s g 01-00 2 2 9
XACK s nogroup 3
XACK s nogroup x
XACK nothing g 3
XACK nothing g x
XPENDING s g
XDEL s 3
XPENDING s g - + 10
XACK s g 3 4
XPENDING s g
XPENDING s g - + 10
SET string v
XPENDING string g
XPENDING string g x + 10
XACK string g 1
XACK string g x
XADD s 5 f v
XREADGROUP GROUP g a STREAMS s >
XGROUP DELCONSUMER s g a
XPENDING s g
XACK s g 5
XINFO STREAM s FULL
"#;

const CLAIM: &str = r#"
XADD s 1 f v
XADD s 2 f v
XADD s 3 f v
XADD s 4 f v
XADD s 5 f v
XADD s 6 f v
XGROUP CREATE s g 0
XGROUP CREATECONSUMER s g a
XGROUP CREATECONSUMER s g b
XGROUP CREATECONSUMER s g c
XREADGROUP GROUP g a COUNT 5 STREAMS s >
XCLAIM
XCLAIM s
XCLAIM s g
XCLAIM s g b
XCLAIM s g b 0
XCLAIM s g b x 1
XCLAIM s g b 0 x
XCLAIM s g b 0 -
XCLAIM s g b 0 1 x
XCLAIM s g b 0 1 FOO
XCLAIM s g b 0 1 foo bar
XCLAIM s g b 0 1 "a\x00b"
XCLAIM s g b 0 FORCE
XCLAIM s g b 0 JUSTID 1
XCLAIM s g b 0 1 IDLE
XCLAIM s g b 0 1 TIME
XCLAIM s g b 0 1 RETRYCOUNT
XCLAIM s g b 0 1 LASTID
XCLAIM s g b 0 1 IDLE x
XCLAIM s g b 0 1 TIME x
XCLAIM s g b 0 1 RETRYCOUNT x
XCLAIM s g b 0 1 RETRYCOUNT -1
XPENDING s g - + 10
XCLAIM s g b 0 1 LASTID x
XCLAIM s g b 0 1 LASTID -
XCLAIM s g b 0 1 FORCE FORCE JUSTID JUSTID 2
XCLAIM s nogroup b 0 1
XCLAIM s nogroup b x 1
XCLAIM nothing g b 0 1
XCLAIM nothing g b x 1
XPENDING s g - + 10
XCLAIM s g b 0 1
XCLAIM s g b 0 1 1 1
XCLAIM s g b 0 2 JUSTID
XCLAIM s g a 0 2 1 9
XCLAIM s g c 100000 3
XCLAIM s g c -5 3
XPENDING s g - + 10
XCLAIM s g b 0 3 IDLE 100000
XPENDING s g IDLE 50000 - + 10
XCLAIM s g c 50000 1 2 3 4
XCLAIM s g c 0 3 IDLE 100000 RETRYCOUNT 10
XCLAIM s g c 0 3 RETRYCOUNT 0 JUSTID IDLE 200000
XPENDING s g IDLE 150000 - + 10
XCLAIM s g c 0 3 IDLE -100000
XCLAIM s g c 0 4 TIME 5
XPENDING s g IDLE 1000000000000 - + 10
XCLAIM s g c 0 4 TIME -5
XCLAIM s g c 0 4 TIME 99999999999999
XCLAIM s g c 0 4 IDLE 9223372036854775807
XCLAIM s g c 0 4 IDLE -9223372036854775808
XCLAIM s g c 0 4 TIME 1 IDLE 100000
XCLAIM s g c 0 4 IDLE 1 TIME 1700000000000
XPENDING s g - + 10
XCLAIM s g b 0 6
XCLAIM s g b 0 6 FORCE
XCLAIM s g b 0 7 FORCE
XCLAIM s g b 0 6 9 FORCE JUSTID
XCLAIM s g b 0 6 retrycount 5 force justid
XPENDING s g - + 10
XINFO GROUPS s
XCLAIM s g b 0 6 LASTID 3
XINFO GROUPS s
XCLAIM s g b 0 6 LASTID 6
XCLAIM s g b 0 6 LASTID 8-8
XCLAIM s g b 0 9 LASTID 9-9
XINFO GROUPS s
XDEL s 1 3
XCLAIM s g b 0 1 2 3 4
XCLAIM s g b 0 1 FORCE
XPENDING s g - + 10
XINFO STREAM s FULL
SET string v
XCLAIM string g b 0 1
XCLAIM string g b x 1
"#;

const AUTOCLAIM: &str = r#"
XADD s 1 f v
XADD s 2 f v
XADD s 3 f v
XADD s 4 f v
XADD s 5 f v
XADD s 6 f v
XGROUP CREATE s g 0
XGROUP CREATECONSUMER s g a
XGROUP CREATECONSUMER s g b
XAUTOCLAIM s g b 0 0
XREADGROUP GROUP g a STREAMS s >
XAUTOCLAIM
XAUTOCLAIM s
XAUTOCLAIM s g
XAUTOCLAIM s g b
XAUTOCLAIM s g b 0
XAUTOCLAIM s g b x 0
XAUTOCLAIM s g b 0 x
XAUTOCLAIM s g b 0 $
XAUTOCLAIM s g b 0 (
XAUTOCLAIM s g b 0 (18446744073709551615-18446744073709551615
XAUTOCLAIM s g b 0 0 COUNT
XAUTOCLAIM s g b 0 0 COUNT 0
XAUTOCLAIM s g b 0 0 COUNT -1
XAUTOCLAIM s g b 0 0 COUNT x
XAUTOCLAIM s g b 0 0 COUNT 9223372036854775807
XAUTOCLAIM s g b 0 0 FOO
XAUTOCLAIM s g b 0 0 JUSTID FOO
XAUTOCLAIM s nogroup b 0 0
XAUTOCLAIM s nogroup b x 0
XAUTOCLAIM s nogroup b 0 x
XAUTOCLAIM nothing g b 0 0
XAUTOCLAIM nothing g b 0 0 COUNT 0
XPENDING s g - + 10
XAUTOCLAIM s g b 100000 0
XAUTOCLAIM s g b -1 0 COUNT 2
XAUTOCLAIM s g b 0 3 COUNT 2
XAUTOCLAIM s g b 0 (3 COUNT 2
XAUTOCLAIM s g b 0 - COUNT 1 JUSTID
XAUTOCLAIM s g b 0 + count 1 justid
XAUTOCLAIM s g b 0 6 COUNT 1
XAUTOCLAIM s g b 0 6-1
XAUTOCLAIM s g b 0 5 COUNT 1 COUNT 2
XPENDING s g - + 10
XDEL s 1 4
XAUTOCLAIM s g a 0 0 COUNT 2
XPENDING s g - + 10
XAUTOCLAIM s g a 0 0 JUSTID
XPENDING s g - + 10
XDEL s 2 3 5 6
XAUTOCLAIM s g b 100000 0
XPENDING s g
XAUTOCLAIM s g b 0 0
XINFO STREAM s FULL
SET string v
XAUTOCLAIM string g b 0 0
XAUTOCLAIM string g b x 0
XAUTOCLAIM string g b 0 0 COUNT 0
"#;

/// How many entries a group has read, and how many it lags behind: known as long as no gaps lie between.
const LAG: &str = r#"
XGROUP CREATE s none 0 MKSTREAM
XGROUP CREATE s zero 0 ENTRIESREAD 0
XGROUP CREATE s last $
XGROUP CREATE s large 9
XGROUP CREATE s wrong 0 ENTRIESREAD 7
XINFO GROUPS s
XADD s 1 f v
XADD s 2 f v
XADD s 3 f v
XADD s 4 f v
XADD s 5 f v
XINFO GROUPS s
XREADGROUP GROUP none a COUNT 1 STREAMS s >
XREADGROUP GROUP zero a COUNT 2 STREAMS s >
XREADGROUP GROUP wrong a COUNT 2 STREAMS s >
XINFO GROUPS s
XGROUP CREATE s middle 3
XGROUP CREATE s first 1
XGROUP CREATE s end $
XGROUP CREATE s told 3 ENTRIESREAD 3
XINFO GROUPS s
XDEL s 4
XINFO GROUPS s
XREADGROUP GROUP zero a COUNT 1 STREAMS s >
XREADGROUP GROUP middle a COUNT 1 STREAMS s >
XREADGROUP GROUP told a COUNT 1 STREAMS s >
XINFO GROUPS s
XDEL s 1
XINFO GROUPS s
XREADGROUP GROUP none a NOACK STREAMS s >
XREADGROUP GROUP first a COUNT 1 STREAMS s >
XINFO GROUPS s
XADD s 6 f v
XADD s 7 f v
XINFO GROUPS s
XTRIM s MAXLEN 2
XINFO GROUPS s
XREADGROUP GROUP first a COUNT 1 STREAMS s >
XREADGROUP GROUP zero a COUNT 1 STREAMS s >
XINFO GROUPS s
XGROUP SETID s first 5
XGROUP SETID s zero 6 ENTRIESREAD 6
XGROUP SETID s last $ ENTRIESREAD 9
XGROUP SETID s none 0
XGROUP SETID s told 0 ENTRIESREAD 5
XGROUP SETID s large 18446744073709551615
XINFO GROUPS s
XDEL s 7
XINFO GROUPS s
XREADGROUP GROUP none a STREAMS s >
XINFO GROUPS s
XDEL s 6
XINFO GROUPS s
XSETID s 20 ENTRIESADDED 30 MAXDELETEDID 10
XINFO GROUPS s
XADD s 21 f v
XADD s 22 f v
XINFO GROUPS s
XREADGROUP GROUP zero a STREAMS s >
XREADGROUP GROUP none a COUNT 1 STREAMS s >
XREADGROUP GROUP middle a STREAMS s >
XINFO GROUPS s
XCLAIM s end a 0 21 FORCE LASTID 21
XINFO GROUPS s
XREADGROUP GROUP end a STREAMS s >
XINFO GROUPS s
XTRIM s MAXLEN 0
XINFO GROUPS s
COPY s t
XINFO GROUPS t
XADD t 23 f v
XINFO STREAM t FULL
DEBUG DIGEST-VALUE s t
"#;

#[test]
fn edges_of_groups() {
    let mut oracle = Oracle::listening(&[]);
    oracle.scripts(&[GROUP, READ, PENDING, CLAIM, AUTOCLAIM, LAG]);
    oracle.finish();
}

/// Requests of the consumer `a`, and whether it counts as seen and as active then. 7.0 knows no activity.
const ACTIVITY: &[(&str, bool, bool)] = &[
    ("XREADGROUP GROUP g a STREAMS s 0", true, false),
    ("XREADGROUP GROUP g a COUNT 1 STREAMS s >", true, true),
    ("XREADGROUP GROUP g a STREAMS s 0", true, false),
    ("XREADGROUP GROUP g a STREAMS s 5", true, false),
    (
        "XREADGROUP GROUP g a COUNT 1 NOACK STREAMS s >",
        true,
        false,
    ),
    ("XCLAIM s g a 100000 1", true, false),
    ("XCLAIM s g a 0 1 JUSTID", true, true),
    ("XCLAIM s g a 0 1", true, true),
    ("XCLAIM s g a 0 9 FORCE", true, false),
    ("XCLAIM s g a 0 2 FORCE", true, true),
    ("XAUTOCLAIM s g a 0 0", true, true),
    ("XAUTOCLAIM s g a 0 0 JUSTID", true, true),
    ("XAUTOCLAIM s g a 100000 0", true, false),
    ("XACK s g 1", false, false),
    ("XDEL s 2", false, false),
    ("XREADGROUP GROUP g a STREAMS s 0", true, false),
    ("XAUTOCLAIM s g a 0 0", true, false),
    ("XPENDING s g - + 10 a", false, false),
    ("XGROUP CREATECONSUMER s g a", false, false),
    ("XREADGROUP GROUP g a STREAMS s >", true, true),
    ("XREADGROUP GROUP g a STREAMS s >", true, false),
    ("XREADGROUP GROUP g b STREAMS s >", false, false),
    ("XCLAIM s g b 0 3", false, false),
    ("XREADGROUP GROUP h a STREAMS s >", false, false),
];

/// The number that follows this name.
fn number_named(value: &Value, name: &str) -> Option<i64> {
    let Value::Array(elements) = value else {
        return None;
    };
    let is_name = |it: &Value| *it == Value::Bulk(name.as_bytes().to_vec());
    let named = elements.iter().position(is_name);
    match named.map(|at| &elements[at + 1]) {
        Some(Value::Integer(number)) => Some(*number),
        _ => elements.iter().find_map(|it| number_named(it, name)),
    }
}

/// When the first consumer was last seen, and was last active: Unix times in milliseconds.
fn seen_and_active(client: &mut Client) -> [i64; 2] {
    let stream = client.call(&["XINFO", "STREAM", "s", "FULL"]);
    ["seen-time", "active-time"].map(|name| number_named(&stream, name).expect("it is told"))
}

#[test]
fn consumers_are_seen_and_active() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    for line in [
        "XGROUP CREATE s g 0 MKSTREAM",
        "XGROUP CREATE s h 0",
        "XADD s 1 f v",
        "XADD s 2 f v",
        "XADD s 3 f v",
    ] {
        client.ask(line);
    }
    let began_ms = unix_ms();
    assert_eq!(client.ask("XGROUP CREATECONSUMER s g a"), "(integer) 1");
    let mut before = seen_and_active(&mut client);
    assert!((began_ms..=unix_ms()).contains(&before[0]) && before[1] == -1);
    let consumers = |client: &mut Client| {
        let consumers = client.call(&["XINFO", "CONSUMERS", "s", "g"]);
        ["pending", "idle", "inactive"].map(|name| number_named(&consumers, name).expect("told"))
    };
    let [pending, idle_ms, inactive_ms] = consumers(&mut client);
    assert!(pending == 0 && idle_ms <= unix_ms() - began_ms && inactive_ms == -1);
    for (line, is_seen, is_active) in ACTIVITY {
        let begins_ms = before[0].max(before[1]) + 1;
        wait_until("a millisecond passes", || unix_ms() >= begins_ms);
        client.ask(line);
        let after = seen_and_active(&mut client);
        for (index, is_now) in [(0, is_seen), (1, is_active)] {
            match is_now {
                true => assert!(
                    (begins_ms..=unix_ms()).contains(&after[index]),
                    "{line} {index}"
                ),
                false => assert_eq!(after[index], before[index], "{line} {index}"),
            }
        }
        before = after;
    }
    let asked_ms = unix_ms();
    let [pending, idle_ms, inactive_ms] = consumers(&mut client);
    let since = before.map(|at_ms| asked_ms - at_ms..=unix_ms() - at_ms);
    assert!(pending == 0 && since[0].contains(&idle_ms) && since[1].contains(&inactive_ms));
}
