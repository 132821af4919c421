//! Streams with consumer groups, in their three types, and the AUX field of the older two. (`stream_faults.rs` has
//! their possible faults.)

use super::super::verify::verify;
use super::super::{Item, Reader, Value};
use crate::types::stream::{ConsumerGroup, Element, History, Name, Pending, Stream, StreamId};

const HEADER: &[u8] = b"REDIS0011";
const END: &[u8] = b"\xFF\0\0\0\0\0\0\0\0";

/// One node: the master id 1-1, and a listpack of 62 bytes with the entries 1-1 {a: 1}, 1-2 {a: 2} and 2-2 {b: x, c:
/// y}.
pub(super) const NODE: &[u8] = b"\x01\x10\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\
    \x3E\x3E\0\0\0\x18\0\x03\x01\0\x01\x01\x01\x81a\x02\0\x01\
    \x02\x01\0\x01\0\x01\x811\x02\x04\x01\
    \x02\x01\0\x01\x01\x01\x812\x02\x04\x01\
    \0\x01\x01\x01\x01\x01\x02\x01\x81b\x02\x81x\x02\x81c\x02\x81y\x02\x08\x01\xFF";
/// Three entries, the last id 2-2.
pub(super) const LENGTH_AND_LAST_ID: &[u8] = b"\x03\x02\x02";
/// First id 1-1, nothing deleted, 3 added.
pub(super) const COUNTERS: &[u8] = b"\x01\x01\0\0\x03";
/// ConsumerGroup g has read up to 1-2; the part that is equal in all types.
pub(super) const GROUP: &[u8] = b"\x01\x01g\x01\x02";
/// 1-1 delivered once, 1-2 three times.
pub(super) const PENDING: &[u8] =
    b"\x02\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\x00\x68\xE5\xCF\x8B\x01\0\0\x01\
    \0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\x01\x68\xE5\xCF\x8B\x01\0\0\x03";
pub(super) const SEEN: &[u8] = b"\x00\x68\xE5\xCF\x8B\x01\0\0";
pub(super) const ACTIVE: &[u8] = b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF";
pub(super) const ID_1_1: &[u8] = b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01";
pub(super) const ID_1_2: &[u8] = b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02";

/// Reads these bytes as the value of a key of this type, which is a stream. `verify` says the same of them, unless the
/// fault lies in a listpack, into which it does not look.
pub(super) fn read(type_code: u8, parts: &[&[u8]]) -> Result<Stream, String> {
    read_after(b"", type_code, parts)
}

/// As [`read`], with these bytes before the key.
fn read_after(before: &[u8], type_code: u8, parts: &[&[u8]]) -> Result<Stream, String> {
    let file = [HEADER, before, &[type_code], b"\x01k", &parts.concat(), END].concat();
    let verified = verify(&file[..]).map_err(|error| error.to_string());
    let read = read_file(&file);
    let fault = read.as_ref().err();
    if !fault.is_some_and(|fault| fault.contains("listpack integrity check failed")) {
        assert_eq!(verified.err(), fault.cloned());
    }
    read
}

fn read_file(file: &[u8]) -> Result<Stream, String> {
    let mut reader = Reader::new(file).expect("a good header");
    let record = loop {
        match reader.next().map_err(|error| error.to_string())? {
            Some(Item::Key(record)) => break record,
            item => assert!(item.is_some(), "there is no key"),
        }
    };
    let Value::Stream(stream) = record.value else {
        panic!("not a stream: {:?}", record.value)
    };
    assert_eq!(reader.next().map_err(|error| error.to_string())?, None);
    Ok(*stream)
}

pub(super) fn id(ms: u64, seq: u64) -> StreamId {
    StreamId { ms, seq }
}

fn texts(stream: &Stream) -> Vec<(StreamId, Vec<(String, String)>)> {
    let mut digits = itoa::Buffer::new();
    let mut text =
        |element: Element| String::from_utf8_lossy(element.text(&mut digits)).into_owned();
    let entries = stream.entries.iter();
    entries
        .map(|entry| {
            let pairs = entry
                .fields()
                .map(|(field, value)| (text(field), text(value)));
            (entry.id, pairs.collect())
        })
        .collect()
}

pub(super) fn group<'a>(stream: &'a Stream, name: &str) -> &'a ConsumerGroup {
    stream.groups.get(name.as_bytes()).expect("a group")
}

#[test]
fn a_stream_of_the_newest_type_is_read_whole() {
    let consumers = [
        &b"\x02\x02c1"[..],
        SEEN,
        SEEN,
        b"\x01",
        ID_1_1,
        b"\x02c2",
        SEEN,
        ACTIVE,
        b"\x01",
        ID_1_2,
    ]
    .concat();
    let stream = read(
        21,
        &[
            NODE,
            LENGTH_AND_LAST_ID,
            COUNTERS,
            GROUP,
            b"\x02",
            PENDING,
            &consumers,
        ],
    );
    let stream = stream.expect("a good stream");

    let pair = |name: &str, value: &str| (name.to_string(), value.to_string());
    assert_eq!(
        texts(&stream),
        [
            (id(1, 1), vec![pair("a", "1")]),
            (id(1, 2), vec![pair("a", "2")]),
            (id(2, 2), vec![pair("b", "x"), pair("c", "y")]),
        ]
    );
    let history = History {
        last_id: id(2, 2),
        first_id: id(1, 1),
        max_deleted_id: id(0, 0),
        entries_added: 3,
    };
    assert_eq!(*stream.entries.history(), history);

    assert_eq!(stream.groups.len(), 1);
    let group = group(&stream, "g");
    assert_eq!((group.last_id, group.entries_read), (id(1, 2), Some(2)));
    let ms = 1_700_000_000_000;
    let pending = |consumer: &str, delivered_at_ms, deliveries| Pending {
        consumer: Name::from(consumer.as_bytes()),
        delivered_at_ms,
        deliveries,
    };
    let expected = [
        (&id(1, 1), &pending("c1", ms, 1)),
        (&id(1, 2), &pending("c2", ms + 1, 3)),
    ];
    assert_eq!(group.pending().iter().collect::<Vec<_>>(), expected);
    for (name, active_at_ms, pending) in [("c1", ms, id(1, 1)), ("c2", -1, id(1, 2))] {
        let consumer = group.consumer(name.as_bytes()).expect("a consumer");
        assert_eq!(
            (consumer.seen_at_ms, consumer.active_at_ms),
            (ms, active_at_ms)
        );
        assert_eq!(
            consumer.pending().iter().collect::<Vec<_>>(),
            [(&pending, &())]
        );
    }
}

#[test]
fn older_types_know_less() {
    let unknown = b"\x81\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF";
    let no_pending = b"\0\x01\x02c1";
    let stream = read(
        19,
        &[
            NODE,
            LENGTH_AND_LAST_ID,
            COUNTERS,
            GROUP,
            unknown,
            no_pending,
            SEEN,
            b"\0",
        ],
    );
    let stream = stream.expect("a good stream");
    let ms = 1_700_000_000_000;
    let active_at_ms = |stream: &Stream| {
        let consumer = group(stream, "g").consumer(b"c1");
        consumer.expect("a consumer").active_at_ms
    };
    assert_eq!(group(&stream, "g").entries_read, None);
    assert_eq!(active_at_ms(&stream), ms);

    let stream = read(
        15,
        &[NODE, LENGTH_AND_LAST_ID, GROUP, no_pending, SEEN, b"\0"],
    )
    .expect("a good stream");
    // What Redis 7.2 assumes: nothing was deleted. How many entries the group has read cannot be told.
    let history = History {
        last_id: id(2, 2),
        first_id: id(1, 1),
        max_deleted_id: id(0, 0),
        entries_added: 3,
    };
    assert_eq!(*stream.entries.history(), history);
    assert_eq!(group(&stream, "g").entries_read, None);
    assert_eq!(active_at_ms(&stream), ms);
}

#[test]
fn deleted_entries_are_left_out() {
    let mut node = NODE.to_vec();
    // The flags of 1-2: 2 says "the fields of the master entry", 1 "deleted".
    let flags_at = node.len() - 34;
    assert_eq!(node[flags_at], 2);
    node[flags_at] = 3;
    let stream = read(15, &[&node, b"\x02\x02\x02", b"\0"]).expect("a good stream");
    assert_eq!(
        stream
            .entries
            .iter()
            .map(|entry| entry.id)
            .collect::<Vec<_>>(),
        [id(1, 1), id(2, 2)]
    );
}

#[test]
fn an_entry_is_never_above_the_last_id() {
    let stream = read(15, &[NODE, b"\x03\x01\x01", b"\0"]).expect("a good stream");
    assert_eq!(stream.entries.history().last_id, id(2, 2));
}

/// The AUX field that `stream_supplement` draws, with this text.
fn supplement(text: &str) -> Vec<u8> {
    let name = &b"\xFA\x0Fmy-redis-stream"[..];
    [name, &[text.len() as u8], text.as_bytes()].concat()
}

#[test]
fn what_old_types_lack_is_read_from_a_field_before_the_key() {
    let group_of = |type_code| match type_code {
        15 => [GROUP, b"\0\x01\x02c1", SEEN, b"\0"].concat(),
        _ => [GROUP, b"\x02\0\x01\x02c1", SEEN, b"\0"].concat(),
    };
    for (type_code, counters) in [(15, &b""[..]), (19, COUNTERS)] {
        let group_bytes = group_of(type_code);
        let parts = [NODE, LENGTH_AND_LAST_ID, counters, &group_bytes];
        // Others may stand between the field and its key.
        let field = supplement("1-1 1-3 9  7 -1");
        let before = [&field[..], b"\xFA\x01x\x01y", b"\xFE\x02\xFB\x01\0"].concat();
        let stream = read_after(&before, type_code, &parts);
        let stream = stream.expect("a good stream");
        let history = History {
            last_id: id(2, 2),
            first_id: id(1, 1),
            max_deleted_id: id(1, 3),
            entries_added: 9,
        };
        assert_eq!(*stream.entries.history(), history);
        let group = group(&stream, "g");
        assert_eq!(group.entries_read, Some(7));
        let consumer = group.consumer(b"c1").expect("a consumer");
        assert_eq!(consumer.active_at_ms, -1);
        for text in [
            "",
            "1-1 1-3 9",
            "1-1 1-3 9  7",
            "1-1 1-3 9  7 -1  8",
            "1-1 1-3 -9  7 -1",
            "1-1 1 9 7 -1",
        ] {
            let error = read_after(&supplement(text), type_code, &parts).expect_err(text);
            let expected = "an AUX field about a stream that does not fit the stream behind it";
            assert!(error.ends_with(expected), "{text}: {error}");
        }
    }
}

/// The field is about the next key alone, whatever that is.
#[test]
fn a_field_before_a_key_that_is_no_stream_is_ignored() {
    let stream = [b"\x0F\x01k", NODE, LENGTH_AND_LAST_ID, b"\0"].concat();
    let file = [
        HEADER,
        &supplement("junk"),
        b"\x00\x01s\x01v",
        &stream,
        &supplement("junk"),
        END,
    ]
    .concat();
    assert_eq!(verify(&file[..]).map(|summary| summary.keys).ok(), Some(2));
    let mut reader = Reader::new(&file[..]).expect("a good header");
    let mut keys = Vec::new();
    while let Some(item) = reader.next().expect("a good file") {
        let Item::Key(record) = item else {
            panic!("{item:?}")
        };
        keys.push(record.value);
    }
    let [Value::String(text), Value::Stream(stream)] = &keys[..] else {
        panic!("{keys:?}")
    };
    assert_eq!(
        (&text[..], stream.entries.history().entries_added),
        (&b"v"[..], 3)
    );
}
