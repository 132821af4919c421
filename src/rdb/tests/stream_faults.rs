//! Faults of streams: each is named, by the reader and by `verify`.

use super::streams::{
    self, ACTIVE, COUNTERS, GROUP, ID_1_1, ID_1_2, LENGTH_AND_LAST_ID, NODE, PENDING, SEEN, id,
    read,
};
use crate::types::stream::Stream;

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

/// An element of a listpack.
#[derive(Clone, Copy)]
enum Part {
    Int(i16),
    Text(&'static str),
    /// Already encoded.
    Raw(&'static [u8]),
}

use Part::{Int, Raw, Text};

/// A node with the ID 5-5 and these elements.
fn node(parts: &[Part]) -> Vec<u8> {
    node_at(5, parts)
}

/// A node whose ID has this number on both sides.
fn node_at(id: u8, parts: &[Part]) -> Vec<u8> {
    let mut elements = Vec::new();
    for part in parts {
        match *part {
            Int(small @ 0..=0x7F) => elements.extend([small as u8, 1]),
            Int(number) => elements.extend([0xC0 | (number >> 8) as u8 & 0x1F, number as u8, 2]),
            Text(text) => {
                elements.push(0x80 | text.len() as u8);
                elements.extend(text.bytes());
                elements.push(text.len() as u8 + 1);
            }
            Raw(bytes) => elements.extend(bytes),
        }
    }
    let size = 6 + elements.len() as u8 + 1;
    let id = [0, 0, 0, 0, 0, 0, 0, id];
    let header = [size, 0, 0, 0, parts.len() as u8, 0];
    // The length of the listpack as a string, in the form of 14 bits.
    [
        &b"\x10"[..],
        &id,
        &id,
        &[0x40, size],
        &header,
        &elements,
        b"\xFF",
    ]
    .concat()
}

/// The master entry of a block: its only field is `f`, and it counts `live` and `deleted` entries.
fn master(live: i16, deleted: i16) -> [Part; 5] {
    [Int(live), Int(deleted), Int(1), Text("f"), Int(0)]
}

/// An entry with the master's field.
fn entry(flags: i16, ms: i16, seq: i16) -> [Part; 5] {
    [Int(flags), Int(ms), Int(seq), Text("v"), Int(4)]
}

/// A stream of these nodes, of type 15, without groups.
fn read_nodes(nodes: &[Vec<u8>]) -> Result<Stream, String> {
    read(15, &[&[nodes.len() as u8], &nodes.concat(), b"\0\0\0\0"])
}

#[track_caller]
fn check_nodes(nodes: &[Vec<u8>], expected: &str) {
    let error = read_nodes(nodes).expect_err(expected);
    assert!(error.ends_with(expected), "{error}");
}

#[test]
fn faults_within_a_node_are_named() {
    let good = [&master(2, 0)[..], &entry(2, 0, 0), &entry(2, 3, -2)].concat();
    let stream = read_nodes(&[node(&good)]).expect("a good stream");
    let ids: Vec<_> = stream.entries.iter().map(|entry| entry.id).collect();
    assert_eq!(ids, [id(5, 5), id(8, 3)]);
    let with_entry = |entry: &[Part]| node(&[&master(1, 0)[..], entry].concat());
    for (bad, expected) in [
        (node(&[]), "the listpack ends within an entry"),
        (node(&[Text("x")]), "text where an integer must stand"),
        (
            node(&[Int(0), Text("x")]),
            "text where an integer must stand",
        ),
        (
            node(&[Int(0), Int(0), Text("x")]),
            "text where an integer must stand",
        ),
        (
            node(&[Int(0), Int(0), Int(-1), Int(0)]),
            "a count that cannot be",
        ),
        (
            node(&[Int(0), Int(0), Int(2), Text("f"), Int(0)]),
            "the listpack ends within an entry",
        ),
        (
            node(&[Int(0), Int(0), Int(0), Int(1)]),
            "the master entry does not end with 0",
        ),
        (
            node(&[Int(0), Int(0), Int(0), Text("x")]),
            "text where an integer must stand",
        ),
        (
            with_entry(&entry(-1, 0, 0)),
            "flags of an entry that cannot be",
        ),
        (
            with_entry(&entry(0x80, 0, 0)),
            "flags of an entry that cannot be",
        ),
        (
            with_entry(&[Text("x")]),
            "text where the flags of an entry must stand",
        ),
        (
            with_entry(&[Int(2), Text("x")]),
            "text where an integer must stand",
        ),
        (
            with_entry(&[Int(2), Int(0), Text("x")]),
            "text where an integer must stand",
        ),
        (
            with_entry(&[Int(2), Int(0), Int(0)]),
            "the listpack ends within an entry",
        ),
        (
            with_entry(&[Int(2), Int(0), Int(0), Text("v")]),
            "the listpack ends within an entry",
        ),
        (
            with_entry(&[Int(0), Int(0), Int(0), Int(-1), Int(4)]),
            "a count that cannot be",
        ),
        (
            with_entry(&[Int(0), Int(0), Int(0), Int(1), Int(4)]),
            "the listpack ends within an entry",
        ),
        // Four elements stand before the last one, which says three, five, or none.
        (
            with_entry(&[Int(2), Int(0), Int(0), Text("v"), Int(3)]),
            "an entry whose size backwards is not its size forwards",
        ),
        (
            with_entry(&[Int(0), Int(0), Int(0), Int(0), Int(5)]),
            "an entry whose size backwards is not its size forwards",
        ),
        (
            with_entry(&[Int(3), Int(0), Int(0), Text("v"), Int(0)]),
            "an entry whose size backwards is not its size forwards",
        ),
    ] {
        check_nodes(&[bad], expected);
    }
    let mut smaller = node(&good);
    smaller[19] -= 1;
    check_nodes(&[smaller], "the size is not that of the listpack");
}

/// Deleting an entry sets a bit of the byte that its flags are, so they must be one byte.
#[test]
fn flags_are_one_byte() {
    for flags in [
        &b"\xC0\x02\x02"[..],
        b"\xF1\x02\0\x03",
        b"\xF4\x02\0\0\0\0\0\0\0\x09",
    ] {
        let [_, rest @ ..] = entry(2, 0, 0);
        let parts = [&master(1, 0)[..], &[Raw(flags)], &rest].concat();
        check_nodes(&[node(&parts)], "flags of an entry that cannot be");
    }
}

#[test]
fn ids_ascend_within_nodes_and_between_them() {
    const EXPECTED: &str = "entries that are not in the order of their ids";
    let with = |entries: &[[Part; 5]]| node(&[&master(9, 0)[..], &entries.concat()].concat());
    // Descending in both parts of the ID, twice the same, below the ID of the node.
    for entries in [
        [entry(2, 1, 0), entry(2, 0, 9)],
        [entry(2, 0, 1), entry(2, 0, 0)],
        [entry(2, 0, 1), entry(2, 0, 1)],
        [entry(2, 0, -1), entry(2, 1, 0)],
        [entry(2, -1, 9), entry(2, 1, 0)],
    ] {
        check_nodes(&[with(&entries)], EXPECTED);
    }
    // Entries that are deleted are not looked at.
    let deleted = with(&[
        entry(3, 4, 0),
        entry(2, 1, 0),
        entry(3, -9, 0),
        entry(2, 2, 0),
    ]);
    let stream = read_nodes(std::slice::from_ref(&deleted)).expect("a good stream");
    let ids: Vec<_> = stream.entries.iter().map(|entry| entry.id).collect();
    assert_eq!(ids, [id(6, 5), id(7, 5)]);
    // A node begins behind the last entry of the one before, and behind its ID.
    let next = |id| node_at(id, &[&master(1, 0)[..], &entry(2, 0, 0)].concat());
    for (first, second) in [(&deleted, 6), (&deleted, 7), (&node(&master(0, 0)), 5)] {
        // 7-7 comes after the entry 7-5.
        match second {
            7 => assert!(read_nodes(&[first.clone(), next(second)]).is_ok()),
            _ => check_nodes(&[first.clone(), next(second)], EXPECTED),
        }
    }
    check_nodes(&[next(6), next(5)], EXPECTED);
}

/// What a block says of the number of its entries is put right, since it is relied on later.
#[test]
fn counts_of_a_node_are_corrected() {
    let parts = |master: [Part; 5]| {
        [
            &master[..],
            &entry(2, 0, 0),
            &entry(3, 0, 1),
            &entry(2, 0, 2),
        ]
        .concat()
    };
    let right = read_nodes(&[node(&parts(master(2, 1)))]).expect("a good stream");
    assert_eq!(right.entries.len(), 2);
    for wrong in [master(0, 0), master(3, 0), master(-5, 7), master(2, 4000)] {
        let stream = read_nodes(&[node(&parts(wrong))]).expect("a good stream");
        assert_eq!(stream, right);
    }
}

#[test]
fn faults_of_groups_are_named() {
    let nodes = &NODE[1..];
    for type_code in [15, 19, 21] {
        let (counters, read_count) = match type_code {
            15 => (&b""[..], &b""[..]),
            _ => (COUNTERS, &b"\x01"[..]),
        };
        let active = if type_code == 21 { ACTIVE } else { b"" };
        let consumer = |name: &[u8; 2], pending: &[&[u8]]| {
            let ids = pending.concat();
            [
                b"\x02",
                &name[..],
                SEEN,
                active,
                &[pending.len() as u8],
                &ids,
            ]
            .concat()
        };
        let group = |name: u8, pending: &[&[u8]], consumers: &[Vec<u8>]| {
            let entries: Vec<u8> = pending
                .iter()
                .flat_map(|id| [id, SEEN, b"\x01"].concat())
                .collect();
            let count = [consumers.len() as u8];
            let head = [b"\x01", &[name][..], b"\x01\x02", read_count];
            [
                &head.concat()[..],
                &[pending.len() as u8],
                &entries,
                &count,
                &consumers.concat(),
            ]
            .concat()
        };
        let read_groups = |groups: &[Vec<u8>]| {
            let count = [groups.len() as u8];
            let parts = [
                b"\x01",
                nodes,
                LENGTH_AND_LAST_ID,
                counters,
                &count,
                &groups.concat(),
            ];
            read(type_code, &parts)
        };
        // The order of pending entries does not matter, nor that of consumers and groups.
        let both = [ID_1_2, ID_1_1];
        let good = [
            group(
                b'h',
                &both,
                &[consumer(b"c2", &[ID_1_1]), consumer(b"c1", &[ID_1_2])],
            ),
            group(b'g', &[], &[]),
        ];
        let stream = read_groups(&good).expect("a good stream");
        let pending = streams::group(&stream, "h").pending().iter();
        let owners: Vec<_> = pending
            .map(|(id, pending)| (*id, &pending.consumer[..]))
            .collect();
        assert_eq!(owners, [(id(1, 1), &b"c2"[..]), (id(1, 2), b"c1")]);
        for (groups, expected) in [
            (
                vec![group(b'g', &[], &[]), group(b'g', &[], &[])],
                "Duplicated consumer group name",
            ),
            (
                vec![group(
                    b'g',
                    &[ID_1_1, ID_1_1],
                    &[consumer(b"c1", &[ID_1_1])],
                )],
                "Duplicated global PEL entry loading stream consumer group",
            ),
            (
                vec![group(
                    b'g',
                    &[],
                    &[consumer(b"c1", &[]), consumer(b"c1", &[])],
                )],
                "Duplicate stream consumer detected",
            ),
            (
                vec![group(
                    b'g',
                    &[ID_1_1],
                    &[consumer(b"c1", &[ID_1_1]), consumer(b"c2", &[ID_1_1])],
                )],
                "Duplicated consumer PEL entry loading a stream consumer group",
            ),
            (
                vec![group(b'g', &[ID_1_1], &[consumer(b"c1", &[ID_1_2])])],
                "Consumer entry not found in group global PEL",
            ),
            (
                vec![group(b'g', &[ID_1_1], &[consumer(b"c1", &[])])],
                "NACK not belonging to any consumer",
            ),
        ] {
            let error = read_groups(&groups).expect_err(expected);
            assert!(error.ends_with(expected), "type {type_code}: {error}");
        }
    }
}
