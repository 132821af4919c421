//! Every command on streams that writes, in each way that tells something else.

use crate::common::{Folder, Server, strings};

pub const STREAMS: &str = r#"
XADD s 1-1 f v
XADD s NOMKSTREAM 1-2 f v
XADD n NOMKSTREAM 1-2 f v
XADD s 1-2 f v
XADD s 0-0 f v
XADD s MAXLEN 2 1-3 f v
XADD s MAXLEN 5 1-4 f v
XADD s MAXLEN 0 1-5 f v
XADD s * f v
XADD s MAXLEN ~ 1 * f v
XADD t 2-* f v
XADD t 2-* f v
XADD t MINID 2-1 2-* f v
XADD t MINID ~ 2-2 2-* f v
EXISTS s n t
XTRIM t MAXLEN 5
XTRIM t MAXLEN 2
XTRIM t MAXLEN ~ 1
XTRIM t MINID 2-2
XTRIM t MAXLEN 0
XTRIM n MAXLEN 0
XTRIM t LIMIT 1
EXISTS t
XADD t 3-1 f v
XADD t 3-2 f v
XADD t 3-3 f v
XDEL t 3-1 9-9 3-1
XDEL t 3-1
XDEL t x
XDEL t 3-2 3-3
XDEL n 1-1
EXISTS t
XSETID t 9-9
XSETID t 9-9 ENTRIESADDED 20 MAXDELETEDID 5-5
XSETID n 1-1
DEL t s
XADD e 18446744073709551615-18446744073709551615 f v
XADD e * f v
SET k v
XADD k 1-1 f v
XTRIM k MAXLEN 0
XDEL k 1-1
XSETID k 1-1

XGROUP CREATE n g $
XGROUP CREATE n g x MKSTREAM
EXISTS n
XGROUP CREATE s g $ MKSTREAM
XGROUP CREATE s g $ MKSTREAM
XGROUP CREATE s h 0 ENTRIESREAD 0
XADD s 1-1 f v
XADD s 1-2 f v
XADD s 1-3 f v
XGROUP SETID s g 0
XGROUP SETID s g $ ENTRIESREAD 3
XGROUP SETID s x 0
XGROUP SETID n g 0
XGROUP SETID s g 0
XGROUP CREATECONSUMER s g a
XGROUP CREATECONSUMER s g a
XGROUP CREATECONSUMER s x a
XGROUP DELCONSUMER s g a
XGROUP DELCONSUMER s g a
XGROUP DELCONSUMER s x a
XGROUP DELCONSUMER n g a
XGROUP DESTROY s x
XGROUP DESTROY n g
XGROUP DESTROY s h
EXISTS s
SET k v
XGROUP CREATE k g 0
XGROUP DESTROY k g

XADD s 1-1 f v
XADD s 1-2 f v
XADD s 1-3 f v
XADD s 1-4 f v
XGROUP CREATE s g 0
XREAD STREAMS s n 0 0
XREADGROUP GROUP g a COUNT 1 STREAMS s >
XREADGROUP GROUP g a COUNT 1 STREAMS s >
XREADGROUP GROUP g b NOACK COUNT 1 STREAMS s >
XREADGROUP GROUP g c STREAMS s 0
XREADGROUP GROUP g a STREAMS s 0
XREADGROUP GROUP g a STREAMS s >
XGROUP CREATECONSUMER s g d
XREADGROUP GROUP g d STREAMS s >
XREADGROUP GROUP x a STREAMS s >
XREADGROUP GROUP g a STREAMS n >
XACK s g 1-1 9-9
XACK s g 1-1
XACK s x 1-1
XACK n g 1-1
XCLAIM s g new 0 1-2
XCLAIM s g new 0 1-2 JUSTID
XCLAIM s g newer 0 1-1 FORCE
XCLAIM s g a 100000 1-1
XCLAIM s g a 0 1-1 LASTID 9-9
XCLAIM s x a 0 1-1
XCLAIM n g a 0 1-1
XDEL s 1-1
XCLAIM s g a 0 1-1
XAUTOCLAIM s g newest 0 0
XAUTOCLAIM s g a 100000 0
XAUTOCLAIM s g a 0 0 JUSTID
XDEL s 1-2
XAUTOCLAIM s g a 0 0
XAUTOCLAIM s x a 0 0
XAUTOCLAIM n g a 0 0
XPENDING s g
XPENDING s g - + 10
XINFO STREAM s
XINFO GROUPS s
XINFO CONSUMERS s g
XINFO STREAM n
XLEN s
XLEN n
XRANGE s - +
XREVRANGE n + -
XGROUP DELCONSUMER s g newest
XGROUP DESTROY s g

XADD s 1-1 f v
XGROUP CREATE s g 0
COPY s t
RENAME t u
MOVE u 1
SELECT 1
XADD u 2-1 f v
SELECT 0
SORT s STORE d
MULTI
XADD s MAXLEN 1 2-1 f v
XREADGROUP GROUP g a STREAMS s >
XACK s g 2-1
XADD new 1-1 f v
XGROUP CREATE newer g 0 MKSTREAM
EXEC
EVAL "redis.call('XADD', KEYS[1], 'MAXLEN', 1, '*', 'f', 'v') return redis.call('XTRIM', KEYS[1], 'MAXLEN', 0)" 1 s
PEXPIREAT s 1
XADD s 1-1 f v
PEXPIREAT s 1
XLEN s
XADD s 1-1 f v
PEXPIREAT s 1
XGROUP CREATE s g $ MKSTREAM
"#;

/// Requests, and the events that 7.2 tells then. 7.0 creates a consumer only when it receives an entry.
const CONSUMERS: &[(&str, &[&str])] = &[
    ("XADD s 1-1 f v", &["new", "xadd"]),
    ("XGROUP CREATE s g $", &["xgroup-create"]),
    (
        "XREADGROUP GROUP g a STREAMS s >",
        &["xgroup-createconsumer"],
    ),
    ("XREADGROUP GROUP g a STREAMS s >", &[]),
    (
        "XREADGROUP GROUP g b BLOCK 1 STREAMS s >",
        &["xgroup-createconsumer"],
    ),
    (
        "XREADGROUP GROUP g c NOACK STREAMS s >",
        &["xgroup-createconsumer"],
    ),
    (
        "XREADGROUP GROUP g d STREAMS s 0",
        &["xgroup-createconsumer"],
    ),
    ("XCLAIM s g e 0 9-9", &["xgroup-createconsumer"]),
    ("XCLAIM s g e 0 9-9", &[]),
    ("XCLAIM s g f 0 9-9 LASTID 5", &["xgroup-createconsumer"]),
    ("XAUTOCLAIM s g h 0 0", &["xgroup-createconsumer"]),
    ("XREADGROUP GROUP x i BLOCK 1 STREAMS s >", &[]),
    ("XREADGROUP GROUP g i STREAMS n >", &["keymiss"]),
    ("XREAD BLOCK 1 STREAMS s $", &[]),
    // `$` needs the last ID, before the stream is looked for.
    ("XREAD BLOCK 1 STREAMS n $", &["keymiss", "keymiss"]),
];

#[test]
fn consumers_are_told_of_before_they_receive_anything() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--notify-keyspace-events", "EAnm"]);
    let mut listener = server.client();
    listener.call(&["PSUBSCRIBE", "*"]);
    let mut client = server.client();
    for (line, expected) in CONSUMERS {
        client.ask(line);
        client.call(&["PUBLISH", "end", ""]);
        let channels = std::iter::from_fn(|| {
            let channel = strings(listener.receive()).swap_remove(2);
            let channel = String::from_utf8(channel).expect("it is text");
            (channel != "end").then_some(channel)
        });
        let told: Vec<String> = channels.collect();
        let expected = expected.iter();
        let expected: Vec<String> = expected.map(|it| format!("__keyevent@0__:{it}")).collect();
        assert_eq!(told, expected, "{line}");
    }
}
