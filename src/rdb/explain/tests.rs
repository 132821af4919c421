//! Compares the walker with the reader: for each file both must give equal results.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::super::format::EXAMPLE_FILE;
use super::super::{Item, Reader, Value};
use super::{EXCERPT_LEN, Field, KeyFacts, Outcome, Place, Role, Section, Sink, explain};

/// The facts about a key that are compared: database, the beginning of its name, expiry, number of elements.
type Key = (u64, Vec<u8>, Option<i64>, u64);

/// Records what the walker passes on, and checks that every byte comes once and in order.
#[derive(Default)]
struct Notes {
    end: u64,
    depth: usize,
    keys: Vec<Key>,
    /// The bytes of each field and what they mean, if they are wanted.
    meanings: Option<Vec<String>>,
}

impl Sink for Notes {
    fn field(&mut self, field: &Field<'_>) -> io::Result<()> {
        assert!(field.bytes.shown.len() as u64 <= field.bytes.total);
        match field.place {
            Place::File(offset) => {
                assert_eq!(offset, self.end, "{}", field.meaning);
                self.end += field.bytes.total;
            }
            Place::Plain(_) => assert!(self.depth > 0),
        }
        let Some(meanings) = &mut self.meanings else {
            return Ok(());
        };
        meanings.push(format!(
            "{:02X?} {}{}",
            field.bytes.shown,
            field.meaning,
            field.text.map_or(String::new(), |text| format!(
                " {:?}",
                String::from_utf8_lossy(text.shown)
            ))
        ));
        Ok(())
    }

    fn enter(&mut self, _place: Place, _section: &Section<'_>) -> io::Result<()> {
        self.depth += 1;
        Ok(())
    }

    fn leave(&mut self) -> io::Result<()> {
        self.depth -= 1;
        Ok(())
    }

    fn key(&mut self, facts: &KeyFacts<'_>) -> io::Result<()> {
        let name = facts.name.shown.to_vec();
        self.keys
            .push((facts.database, name, facts.expires_at_ms, facts.elements));
        Ok(())
    }
}

fn walk(file: &[u8], meanings: Option<Vec<String>>) -> (Notes, Outcome) {
    let mut notes = Notes {
        meanings,
        ..Notes::default()
    };
    let outcome = explain(file, &mut notes).expect("the notes take everything");
    assert_eq!(notes.depth, 0, "every section that is entered is left");
    (notes, outcome)
}

/// The bytes and meanings of all fields of a good file.
fn meanings(file: &[u8]) -> Vec<String> {
    let (notes, outcome) = walk(file, Some(Vec::new()));
    assert!(outcome.fault.is_none(), "{:?}", outcome.fault);
    notes.meanings.unwrap_or_default()
}

/// The keys, and where and why reading ended.
fn read(file: &[u8]) -> (Vec<Key>, Result<u64, String>) {
    let mut keys = Vec::new();
    let mut read = || {
        let mut reader = Reader::new(file)?;
        let mut database = 0;
        while let Some(item) = reader.next()? {
            match item {
                Item::SelectDb(number) => database = number,
                Item::Key(record) => {
                    let elements = match &record.value {
                        Value::String(_) => 1,
                        Value::List(elements, _) | Value::Set(elements) => elements.len(),
                        Value::Hash(pairs) => pairs.pairs().len(),
                        Value::SortedSet { members, .. } => members.len(),
                        Value::Stream(stream) => stream.entries.len() as usize,
                        Value::Module { .. } => 0,
                    };
                    let mut key = record.key;
                    key.truncate(EXCERPT_LEN);
                    keys.push((database, key, record.expires_at_ms, elements as u64));
                }
                _ => {}
            }
        }
        Ok(reader.offset())
    };
    let result = read().map_err(|error: super::RdbError| error.to_string());
    (keys, result)
}

/// Checks that the walker and the reader give equal results.
#[track_caller]
fn check(name: &str, file: &[u8]) {
    let (keys, result) = read(file);
    let (notes, outcome) = walk(file, None);
    assert!(notes.keys == keys, "{name}: the keys differ");
    assert_eq!(
        outcome.explained + outcome.rest,
        file.len() as u64,
        "{name}: every byte is explained or counted"
    );
    match result {
        Ok(end) => {
            assert_eq!(outcome.fault.map(|fault| fault.to_string()), None, "{name}");
            assert_eq!(outcome.explained, end, "{name}: every byte is explained");
        }
        Err(error) => {
            let fault = outcome.fault.map(|fault| fault.to_string());
            assert_eq!(fault, Some(error), "{name}");
        }
    }
}

fn fixtures() -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rdb")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the fixtures") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|name| name == "rdb" || name == "aof")
            {
                files.push((name(&path), fs::read(&path).expect("a readable file")));
            }
        }
    }
    assert_eq!(files.len(), 171);
    files
}

fn name(path: &Path) -> String {
    path.file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned()
}

#[test]
fn every_byte_of_every_file_is_explained_once() {
    for (name, file) in fixtures() {
        check(&name, &file);
    }
}

#[test]
fn files_cut_off_have_the_fault_that_the_reader_finds() {
    for (name, file) in fixtures() {
        // All offsets in short files. In longer files the first ones, and some spread over the rest.
        let is_chosen = |len: &usize| match file.len() {
            0..400 => true,
            400..100_000 => *len < 100 || len.is_multiple_of(file.len() / 20),
            _ => len.is_multiple_of(file.len() / 2),
        };
        for len in (0..file.len()).filter(is_chosen) {
            check(&format!("{name} cut to {len} bytes"), &file[..len]);
        }
    }
}

#[test]
fn damaged_files_have_the_fault_that_the_reader_finds() {
    let mut faults = 0;
    for (name, mut file) in fixtures() {
        if file.len() > 200 || !file.starts_with(b"REDIS") {
            continue;
        }
        // Without a checksum the damage reaches the values.
        let data_len = file.len().saturating_sub(8);
        file[data_len..].fill(0);
        for at in 9..data_len {
            for value in [0, 1, 0x7F, 0x81, 0xC3, 0xFF] {
                let original = std::mem::replace(&mut file[at], value);
                check(&format!("{name}: byte {at} = {value}"), &file);
                faults += usize::from(read(&file).1.is_err());
                file[at] = original;
            }
        }
    }
    assert!(faults > 5_000, "only {faults} faults");
}

#[test]
fn faults_that_need_the_whole_value_are_found() {
    let pending = b"\x0F\x01k\x00\x00\x00\x00\x01\x01g\x00\x00\x01\
        \0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\x01";
    // A node with the one entry 0-1, which has no fields.
    let node = b"\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\
        \x17\x17\0\0\0\x08\0\x01\x01\0\x01\0\x01\0\x01\x02\x01\0\x01\0\x01\x03\x01\xFF";
    let stream_with = |consumers: &[u8]| [&pending[..], consumers].concat();
    let id = b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01";
    let consumer = |ids: &[&[u8]]| {
        let head = [&b"\x01c\0\0\0\0\0\0\0\0"[..], &[ids.len() as u8]].concat();
        [head, ids.concat()].concat()
    };
    for (data, expected) in [
        (
            b"\x02\x01k\x02\x01a\x01a".to_vec(),
            "Duplicate set members detected",
        ),
        // The same member as an integer and as text.
        (
            b"\x02\x01k\x02\xC0\x07\x017".to_vec(),
            "Duplicate set members detected",
        ),
        (
            b"\x09\x01k\x0D\x02\x01f\x01\x00a\x01f\x02\x00bc\xFF".to_vec(),
            "Duplicate hash fields detected",
        ),
        (
            b"\x05\x01k\x02\x01a\0\0\0\0\0\0\0\0\x01a\0\0\0\0\0\0\0\0".to_vec(),
            "Duplicate zset fields detected",
        ),
        (
            [b"\x0F\x01k\x02", &node[..], node, b"\x02\x00\x01\x00"].concat(),
            "entries that are not in the order of their ids",
        ),
        (stream_with(b"\x00"), "NACK not belonging to any consumer"),
        (
            stream_with(&[&b"\x01"[..], &consumer(&[id, id])].concat()),
            "Duplicated consumer PEL entry loading a stream consumer group",
        ),
        (
            stream_with(&[&b"\x01"[..], &consumer(&[&[0; 16]])].concat()),
            "Consumer entry not found in group global PEL",
        ),
        (
            stream_with(&[&b"\x02"[..], &consumer(&[id]), &consumer(&[])].concat()),
            "Duplicate stream consumer detected",
        ),
        (
            b"\x0F\x01k\x00\x00\x00\x00\x02\x01g\x00\x00\x00\x00\x01g\x00\x00\x00\x00".to_vec(),
            "Duplicated consumer group name",
        ),
    ] {
        let file = [b"REDIS0009", &data[..], b"\xFF\0\0\0\0\0\0\0\0"].concat();
        check(expected, &file);
        let (_, outcome) = walk(&file, None);
        let fault = outcome.fault.expect("a fault").to_string();
        assert!(fault.ends_with(expected), "{fault}");
    }
}

/// The file that the head of `format` shows, with the walker's words.
#[test]
fn the_file_drawn_in_format_is_told() {
    let meanings = meanings(EXAMPLE_FILE);
    let expected = [
        r#"[52, 45, 44, 49, 53] magic: an RDB file"#,
        r#"[30, 30, 30, 39] version 9, written by Redis 5.0 to 6.2"#,
        r#"[FA] AUX: a fact about the file"#,
        r#"[09] length: 9 (6 bits)"#,
        r#"[72, 65, 64, 69, 73, 2D, 76, 65, 72] an AUX key "redis-ver""#,
        r#"[05] length: 5 (6 bits)"#,
        r#"[37, 2E, 32, 2E, 30] an AUX value "7.2.0""#,
        r#"[FE] SELECTDB: the next keys belong to a database"#,
        r#"[00] a database number: 0 (6 bits)"#,
        r#"[FB] RESIZEDB: how large the database is"#,
        r#"[03] a number of keys: 3 (6 bits)"#,
        r#"[01] a number of expires: 1 (6 bits)"#,
        r#"[FC] EXPIRETIME_MS: when the next key expires"#,
        r#"[00, D8, C3, 2C, BB, 03, 00, 00] 4102444800000 ms after 1970: 01 Jan 2100 00:00:00.000"#,
        r#"[00] type STRING: one string"#,
        r#"[03] length: 3 (6 bits)"#,
        r#"[61, 67, 65] a key "age""#,
        r#"[C0] special form: an integer of 8 bits"#,
        r#"[21] a string value "33""#,
        r#"[01] type LIST: strings"#,
        r#"[01] length: 1 (6 bits)"#,
        r#"[6C] a key "l""#,
        r#"[02] a number of elements: 2 (6 bits)"#,
        r#"[03] length: 3 (6 bits)"#,
        r#"[72, 65, 64] an element "red""#,
        r#"[C3] special form: compressed by LZF"#,
        r#"[05] the compressed length of a string: 5 (6 bits)"#,
        r#"[40, 64] the plain length of a string: 100 (14 bits)"#,
    ];
    for (told, expected) in meanings.iter().zip(expected) {
        assert_eq!(told, expected);
    }
    let element = format!(
        "[00, 61, E0, 5A, 00] compressed: an element {:?}",
        "a".repeat(100)
    );
    assert_eq!(meanings[expected.len()], element);
    assert_eq!(
        meanings.last().expect("a last one"),
        "[8E, A4, DA, BB, D5, CD, 0B, B0] CRC-64 of all bytes before, right"
    );
}

/// A ziplist, a listpack and an intset, whose bytes are those drawn at the head of their decoders.
#[test]
fn packed_blocks_are_told_entry_by_entry() {
    for (data, expected) in [
        (
            &b"\x0A\x01k\x12\x12\0\0\0\x0D\0\0\0\x02\0\x00\x01a\x03\xC0\x00\x04\xFF"[..],
            &[
                "[12, 00, 00, 00] zlbytes, the size of the ziplist: 18",
                "[0D, 00, 00, 00] zltail, where the last entry begins: 13",
                "[02, 00] zllen, the number of entries: 2",
                "[00] prevlen: 0, the size of the entry before",
                "[01] text, its length in 6 bits: 1",
                "[61] an element \"a\"",
                "[03] prevlen: 3, the size of the entry before",
                "[C0] an i16 follows",
                "[00, 04] an element: 1024",
                "[FF] the end of the ziplist",
            ][..],
        ),
        (
            b"\x14\x01k\x0C\x0C\0\0\0\x02\0\x81a\x02\x07\x01\xFF",
            &[
                "[0C, 00, 00, 00] the size of the listpack: 12",
                "[02, 00] the number of entries: 2",
                "[81] text, its length in 6 bits: 1",
                "[61] a member \"a\"",
                "[02] backlen: 2, the size of this entry",
                "[07] a member: 7 (7 bits)",
                "[01] backlen: 1, the size of this entry",
                "[FF] the end of the listpack",
            ],
        ),
        (
            b"\x0B\x01k\x0C\x02\0\0\0\x02\0\0\0\xFF\xFF\x05\0",
            &[
                "[02, 00, 00, 00] the bytes of each member: 2",
                "[02, 00, 00, 00] the number of members: 2",
                "[FF, FF] a member: -1",
                "[05, 00] a member: 5",
            ],
        ),
    ] {
        let file = [b"REDIS0009", data, b"\xFF\0\0\0\0\0\0\0\0"].concat();
        // Before the block come header, type, key and length; behind it end and checksum.
        let meanings = meanings(&file);
        let block = &meanings[6..meanings.len() - 2];
        assert_eq!(block, expected);
    }
}

#[test]
fn a_field_has_the_role_of_its_bytes() {
    struct Roles(Vec<(u64, Role)>);
    impl Sink for Roles {
        fn field(&mut self, field: &Field<'_>) -> io::Result<()> {
            self.0.push((field.bytes.total, field.role));
            Ok(())
        }
        fn enter(&mut self, _: Place, _: &Section<'_>) -> io::Result<()> {
            Ok(())
        }
        fn leave(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut roles = Roles(Vec::new());
    let file = b"REDIS0009\xFE\x00\x00\x01k\x01v\xFF\0\0\0\0\0\0\0\0trailing";
    let outcome = explain(&file[..], &mut roles).expect("the sink takes everything");
    assert_eq!((outcome.explained, outcome.rest), (25, 8));
    assert_eq!(
        roles.0,
        [
            (5, Role::Header),
            (4, Role::Header),
            (1, Role::Opcode),
            (1, Role::Length),
            (1, Role::Type),
            (1, Role::Length),
            (1, Role::Key),
            (1, Role::Length),
            (1, Role::Text),
            (1, Role::End),
            (8, Role::Checksum),
            (8, Role::Rest),
        ]
    );
}
