//! Streams with consumer groups, in their three types, and their possible faults.

use super::super::{Item, Reader, Value};
use crate::types::stream::{Element, Group, History, Name, Pending, Stream, StreamId};

const HEADER: &[u8] = b"REDIS0011";
const END: &[u8] = b"\xFF\0\0\0\0\0\0\0\0";

/// One node: the master id 1-1, and a listpack of 62 bytes with the entries 1-1 {a: 1}, 1-2 {a: 2} and 2-2 {b: x, c:
/// y}.
const NODE: &[u8] = b"\x01\x10\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\
    \x3E\x3E\0\0\0\x18\0\x03\x01\0\x01\x01\x01\x81a\x02\0\x01\
    \x02\x01\0\x01\0\x01\x811\x02\x04\x01\
    \x02\x01\0\x01\x01\x01\x812\x02\x04\x01\
    \0\x01\x01\x01\x01\x01\x02\x01\x81b\x02\x81x\x02\x81c\x02\x81y\x02\x08\x01\xFF";
/// The ID of a node as a string, 1-1.
const ID_IN_STRING: &[u8] = b"\x10\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01";
/// Three entries, the last id 2-2.
const LENGTH_AND_LAST_ID: &[u8] = b"\x03\x02\x02";
/// First id 1-1, nothing deleted, 3 added.
const COUNTERS: &[u8] = b"\x01\x01\0\0\x03";
/// Group g has read up to 1-2; the part that is equal in all types.
const GROUP: &[u8] = b"\x01\x01g\x01\x02";
/// 1-1 delivered once, 1-2 three times.
const PENDING: &[u8] = b"\x02\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\x00\x68\xE5\xCF\x8B\x01\0\0\x01\
    \0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\x01\x68\xE5\xCF\x8B\x01\0\0\x03";
const SEEN: &[u8] = b"\x00\x68\xE5\xCF\x8B\x01\0\0";
const ACTIVE: &[u8] = b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF";
const ID_1_1: &[u8] = b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01";
const ID_1_2: &[u8] = b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02";

/// Reads these bytes as the value of a key of this type, which is a stream.
fn read(type_code: u8, parts: &[&[u8]]) -> Result<Stream, String> {
    let file = [HEADER, &[type_code], b"\x01k", &parts.concat(), END].concat();
    let mut reader = Reader::new(&file[..]).expect("a good header");
    let item = reader.next().map_err(|error| error.to_string())?;
    let Some(Item::Key(record)) = item else {
        panic!("not a key: {item:?}")
    };
    let Value::Stream(stream) = record.value else {
        panic!("not a stream: {:?}", record.value)
    };
    assert_eq!(reader.next().map_err(|error| error.to_string())?, None);
    Ok(*stream)
}

fn id(ms: u64, seq: u64) -> StreamId {
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

fn group<'a>(stream: &'a Stream, name: &str) -> &'a Group {
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

/// A node whose only entry has these flags, encoded in this way.
fn node_with_flags(flags: &[u8]) -> Vec<u8> {
    let elements = [
        // One entry, none deleted, without master fields.
        &b"\x01\x01\0\x01\0\x01\0\x01"[..],
        flags,
        b"\0\x01\0\x01\x03\x01\xFF",
    ]
    .concat();
    let size = 6 + elements.len() as u8;
    let header = [b"\x01", ID_IN_STRING, &[size, size, 0, 0, 0, 8, 0]].concat();
    [header, elements].concat()
}

/// Deleting an entry sets a bit of the byte that its flags are, so they must be one byte.
#[test]
fn flags_are_one_byte() {
    let stream = read(15, &[&node_with_flags(b"\x02\x01"), b"\x01\x01\x01", b"\0"]);
    assert_eq!(stream.expect("a good stream").entries.len(), 1);
    for flags in [
        &b"\xC0\x02\x02"[..],
        b"\xF1\x02\0\x03",
        b"\xF4\x02\0\0\0\0\0\0\0\x09",
    ] {
        let error = read(15, &[&node_with_flags(flags), b"\x01\x01\x01", b"\0"]);
        let expected = "flags of an entry that cannot be";
        assert!(error.expect_err(expected).ends_with(expected));
    }
}

#[test]
fn an_entry_is_never_above_the_last_id() {
    let stream = read(15, &[NODE, b"\x03\x01\x01", b"\0"]).expect("a good stream");
    assert_eq!(stream.entries.history().last_id, id(2, 2));
}

#[test]
fn damage_is_named() {
    let one_consumer = [&b"\x01\x02c1"[..], SEEN, b"\x01", ID_1_1].concat();
    let stranger = [
        &b"\x01\x02c1"[..],
        SEEN,
        b"\x01",
        b"\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\x09",
    ]
    .concat();
    let shared = [&b"\x01\x02c1"[..], SEEN, b"\x02", ID_1_1, ID_1_1].concat();
    let twice = [&b"\x02\x02c1"[..], SEEN, b"\0\x02c1", SEEN, b"\0"].concat();
    for (consumers, expected) in [
        (one_consumer, "NACK not belonging to any consumer"),
        (stranger, "Consumer entry not found in group global PEL"),
        (
            shared,
            "Duplicated consumer PEL entry loading a stream consumer group",
        ),
        (twice, "Duplicate stream consumer detected"),
    ] {
        let error =
            read(15, &[NODE, LENGTH_AND_LAST_ID, GROUP, PENDING, &consumers]).expect_err(expected);
        assert!(error.ends_with(expected), "{error}");
    }
    for (node, expected) in [
        (
            &b"\x01\x01x"[..],
            "Stream node key entry is not the size of a stream ID",
        ),
        // The node twice: its entries come again.
        (
            &[b"\x02", &NODE[1..], &NODE[1..]].concat(),
            "entries that are not in the order of their ids",
        ),
    ] {
        let error = read(15, &[node, LENGTH_AND_LAST_ID, b"\0"]).expect_err(expected);
        assert!(error.ends_with(expected), "{error}");
    }
}
