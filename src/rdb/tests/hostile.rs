//! Damaged files: for any bytes, the reader returns items or an error with the place and the fault.
//!
//! Damage that passes the checksum (and might cause panics, or much memory or time) is the subject of
//! `tests/properties.rs` and the fuzz targets.

use std::fs;
use std::path::Path;

use super::super::{Item, RdbError, Reader, verify::verify};

/// One small file for each value type and form of string, and one for a module, by name.
fn small_files() -> Vec<(String, Vec<u8>)> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rdb");
    let mut paths: Vec<_> = fs::read_dir(fixtures.join("edge"))
        .expect("the fixtures")
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.to_string_lossy().contains("/v9_t"))
        .collect();
    paths.sort();
    assert_eq!(paths.len(), 29);
    let read = |path: &Path| {
        let name = path.file_name().expect("a name").to_string_lossy();
        (name.into_owned(), fs::read(path).expect("a readable file"))
    };
    let module = ("module".to_string(), module_file());
    paths
        .iter()
        .map(|path| read(path))
        .chain([module])
        .collect()
}

/// A value of a module, with an item of every kind.
fn module_file() -> Vec<u8> {
    let id = b"\x81\xB5\x6A\x4B\x25\xA7\x1F\x8C\x00";
    let items = b"\x01\x05\x02\x41\x00\x03\0\0\x80\x3F\x04\0\0\0\0\0\0\xF0\x3F\x05\x03abc\x00";
    let mut file = [&b"REDIS0009\x07\x03key"[..], id, items, b"\xFF"].concat();
    file.extend_from_slice(&crc64::crc64(0, &file).to_le_bytes());
    file
}

fn read_to_end(file: &[u8]) -> Result<usize, RdbError> {
    let mut reader = Reader::new(file)?;
    let mut keys = 0;
    while let Some(item) = reader.next()? {
        keys += usize::from(matches!(item, Item::Key(_)));
    }
    Ok(keys)
}

#[test]
fn a_file_cut_off_anywhere_is_an_error() {
    for (name, file) in small_files() {
        assert_eq!(read_to_end(&file).ok(), Some(1), "{name}");
        assert_eq!(verify(&file[..]).ok().map(|summary| summary.keys), Some(1));
        for len in 0..file.len() {
            let error = read_to_end(&file[..len]).expect_err("a part is not a file");
            assert!(
                matches!(error, RdbError::Truncated { .. }),
                "{name} cut to {len} bytes: {error}"
            );
        }
    }
}

/// A damaged digit of the version may make it an older one, without a checksum. Then the checksum counts as bytes after
/// the end, which only `verify` refuses.
#[test]
fn a_changed_bit_is_an_error() {
    for (name, file) in small_files() {
        for bit in 0..8 * file.len() {
            let mut changed = file.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(verify(&changed[..]).is_err(), "{name}: bit {bit}");
            if !(5..9).contains(&(bit / 8)) {
                assert!(read_to_end(&changed).is_err(), "{name}: bit {bit}");
            }
        }
    }
}

/// Each of these announces more than 2^60 bytes or elements, and has few.
#[test]
fn promises_are_not_believed() {
    const HUGE: &[u8] = b"\x81\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF";
    for before in [
        &b"\x00"[..],                                     // the length of a key
        b"\x00\x01k",                                     // of a value
        b"\x00\x01k\xC3",                                 // of compressed bytes
        b"\x00\x01k\xC3\x02",                             // of the plain ones
        b"\x01\x01k",                                     // elements of a list
        b"\x02\x01k",                                     // members of a set
        b"\x04\x01k",                                     // fields of a hash
        b"\x03\x01k",                                     // members of a sorted set
        b"\x05\x01k",                                     // likewise
        b"\x0E\x01k",                                     // nodes of a list
        b"\x12\x01k",                                     // likewise
        b"\x12\x01k\x01\x01",                             // the length of a large element
        b"\x15\x01k",                                     // nodes of a stream
        b"\x15\x01k\x00\x00\x00\x00\x00\x00\x00\x00\x00", // groups of a stream
        b"\x15\x01k\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x01g\x00\x00\x00", // pending entries
        b"\x15\x01k\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x01g\x00\x00\x00\x00", // consumers
        b"\xFA",                                          // the length of an AUX key
        b"\xF5",                                          // of a function library
    ] {
        let file = [b"REDIS0009", before, HUGE, b"\x01x\x011"].concat();
        // No machine has the memory for the announced sizes, so an allocation of it would end the test here.
        read_to_end(&file).expect_err("a promise that is not kept");
    }
}

/// The error for a file of a header, `data` and an end without checksum.
#[track_caller]
fn check(data: &[u8], expected: &str) {
    let file = [b"REDIS0011", data, b"\xFF\0\0\0\0\0\0\0\0"].concat();
    let error = read_to_end(&file).expect_err(expected).to_string();
    assert_eq!(error, expected, "{data:?}");
    // `verify` refuses it with an equal error.
    let error = verify(&file[..]).expect_err(expected).to_string();
    assert_eq!(error, expected, "{data:?}");
}

#[test]
fn wrong_lengths_are_named() {
    // With one element less than announced, the end is taken for an element. With one more, its length is taken for a
    // type and its text for the length of a key.
    check(
        b"\x01\x01k\x02\x01a",
        "[offset 15] Unknown RDB string encoding type 63",
    );
    check(
        b"\x01\x01k\x01\x01a\x01b",
        "[offset 18] Unexpected EOF reading RDB file: expected a key",
    );
    check(
        b"\x01\x01k\xC0\x01",
        "[offset 12] expected a number of elements, found a string",
    );
    check(
        b"\xFB\x01\x82",
        "[offset 11] Unknown length encoding 130, expected a number of expires",
    );
}

/// Lengths of 2^32 and 2^63 in every place, followed by the end of the file.
#[test]
fn huge_numbers_are_named() {
    for (before, expected) in [
        (&b"\x00"[..], "a key"),
        (b"\x00\x01k", "a string value"),
        (b"\xFA\x01a", "an AUX value"),
        (b"\xF5", "a function library"),
        (b"\x12\x01k\x01\x01", "an element"),
        (b"\x10\x01k", "listpack"),
        (b"\x0D\x01k", "ziplist"),
        (b"\x07\x01k\x00\x05", "a module string"),
    ] {
        for number in [1_u64 << 32, 1 << 63, u64::MAX] {
            let data = [before, b"\x81", &number.to_be_bytes()].concat();
            let offset = 9 + data.len();
            check(
                &data,
                &format!("[offset {offset}] Unexpected EOF reading RDB file: expected {expected}"),
            );
        }
    }
    // The first of the announced items is missing: the byte at the end of a file is no string.
    for before in [
        &b"\x01\x01k"[..],
        b"\x02\x01k",
        b"\x03\x01k",
        b"\x04\x01k",
        b"\x05\x01k",
        b"\x0E\x01k",
        b"\x0F\x01k",
    ] {
        for number in [1_u64 << 32, 1 << 63, u64::MAX] {
            let data = [before, b"\x81", &number.to_be_bytes()].concat();
            let offset = 9 + data.len();
            check(
                &data,
                &format!("[offset {offset}] Unknown RDB string encoding type 63"),
            );
        }
    }
}

/// The sizes of databases are hints, and idle times are not used for sizes.
#[test]
fn huge_hints_are_harmless() {
    let huge = [0x81, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
    let file = [
        &b"REDIS0009\xFE"[..],
        &huge,
        b"\xFB",
        &huge,
        &huge,
        b"\xF8",
        &huge,
        b"\x00\x01k\x01v\xFF\0\0\0\0\0\0\0\0",
    ]
    .concat();
    assert_eq!(read_to_end(&file).expect("it is well formed"), 1);
}

/// The format has no nesting, and repetitions are not read by recursion.
#[test]
fn long_rows_do_not_exhaust_the_stack() {
    let opcodes = b"\xF8\x01\xF9\x01\xFC\0\0\0\0\0\0\0\0".repeat(200_000);
    let items = b"\x02\x01\x05\x01x".repeat(200_000);
    let file = [
        &b"REDIS0009"[..],
        &opcodes,
        b"\x07\x01k\x00",
        &items,
        b"\x00\xFF\0\0\0\0\0\0\0\0",
    ]
    .concat();
    assert_eq!(read_to_end(&file).expect("it is well formed"), 1);
}

#[test]
fn bad_compressed_strings_are_named() {
    for compressed in [
        &b"\x02\x03\x02ab"[..],   // three bytes are announced within, two are there
        b"\x02\x03\x20\x00",      // a copy from before the start
        b"\x04\x09\x00a\x20\x01", // a copy from one byte before it
        b"\x05\x63\x00a\xE0\x5A\x00", // 100 bytes for 99
        b"\x05\x40\x65\x00a\xE0\x5A\x00", // and for 101
        b"\x02\x80\xFF\xFF\xFF\xFF\x00a", // one byte for 2^32
        b"\x02\x81\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x00a",
    ] {
        check(
            &[b"\x00\x01k\xC3", compressed].concat(),
            "[offset 12] Invalid LZF compressed string, expected a string value",
        );
        check(
            &[b"\x01\x01k\x01\xC3", compressed].concat(),
            "[offset 13] Invalid LZF compressed string, expected an element",
        );
        check(
            &[b"\x10\x01k\xC3", compressed].concat(),
            "[offset 12] Invalid LZF compressed string, expected listpack",
        );
    }
}

/// One fault of each packed encoding, found by the reader. The files of `encodings` test all faults.
#[test]
fn bad_blocks_are_named() {
    for (data, expected) in [
        (
            // A listpack with the size 8 in its header and 7 bytes.
            &b"\x10\x01k\x07\x08\0\0\0\0\0\xFF"[..],
            "listpack integrity check failed at its byte 0: the size is not that of the listpack",
        ),
        (
            b"\x10\x01k\x09\x09\0\0\0\x01\0\x05\x01\xFF",
            "a hash whose last field has no value",
        ),
        (
            b"\x14\x01k\x0B\x0B\0\0\0\x02\0\x05\x01\x05\x01\xFF",
            "Duplicate set members detected",
        ),
        (
            b"\x11\x01k\x0C\x0C\0\0\0\x02\0\x05\x01\x81x\x02\xFF",
            "a sorted set where a score is missing or not a number",
        ),
        (
            b"\x0D\x01k\x0B\x0C\0\0\0\x0A\0\0\0\0\0\xFF",
            "ziplist integrity check failed at its byte 0: zlbytes is not the size of the ziplist",
        ),
        (
            b"\x0A\x01k\x0D\x0D\0\0\0\x0A\0\0\0\x01\0\x05\xF1\xFF",
            "ziplist integrity check failed at its byte 10: prevlen is not the size of the entry before",
        ),
        (
            b"\x09\x01k\x04\x01\x01f\xFF",
            "zipmap integrity check failed at its byte 3: a field without a value",
        ),
        (
            b"\x0B\x01k\x0C\x02\0\0\0\x02\0\0\0\x05\0\x05\0",
            "intset integrity check failed at its byte 10: the members are not in ascending order",
        ),
    ] {
        check(data, &format!("[offset 12] {expected}"));
    }
}
