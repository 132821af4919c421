//! Damaged files: whatever the bytes, the reader answers with an item or an error, and never panics.

use std::fs;
use std::path::Path;

use super::super::{Item, RdbError, Reader};

/// One small file for each value type, by name.
fn small_files() -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rdb/edge");
    let mut files: Vec<_> = fs::read_dir(directory)
        .expect("the fixtures")
        .map(|entry| entry.expect("a readable entry").path())
        .map(|path| {
            let name = path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            (name, path)
        })
        .filter(|(name, _)| name.starts_with("v9_t"))
        .map(|(name, path)| (name, fs::read(path).expect("a readable file")))
        .collect();
    files.sort();
    assert_eq!(files.len(), 29);
    files
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
        assert_eq!(
            read_to_end(&file).expect("the whole file is good"),
            1,
            "{name}"
        );
        for len in 0..file.len() {
            let error = read_to_end(&file[..len]).expect_err("a part is not a file");
            assert!(
                matches!(error, RdbError::Truncated { .. }),
                "{name} cut to {len} bytes: {error}"
            );
        }
    }
}

#[test]
fn a_changed_byte_is_an_error() {
    for (name, file) in small_files() {
        for at in 0..file.len() {
            // Other digits of the version may announce a file without checksum.
            if (5..9).contains(&at) {
                continue;
            }
            for flip in [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF] {
                let mut changed = file.clone();
                changed[at] ^= flip;
                let result = read_to_end(&changed);
                assert!(result.is_err(), "{name}: byte {at} xor {flip}");
            }
        }
    }
}

/// Without a checksum the damage reaches the decoders. Some of it is as good as the original; none may do harm.
#[test]
fn without_checksum_damage_is_survived() {
    let mut random = 1_u64;
    let mut next = |limit: usize| {
        // Knuth's MMIX generator; its high bits are good enough here.
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % limit
    };
    let mut errors = 0;
    for (_, mut file) in small_files() {
        let data_len = file.len() - 8;
        file[data_len..].fill(0);
        assert!(read_to_end(&file).is_ok());
        for at in 9..data_len {
            for value in [
                0, 1, 0x3F, 0x40, 0x7F, 0x80, 0x81, 0xC0, 0xC3, 0xF0, 0xFE, 0xFF,
            ] {
                let mut changed = file.clone();
                changed[at] = value;
                errors += usize::from(read_to_end(&changed).is_err());
            }
        }
        for _ in 0..1000 {
            let mut changed = file.clone();
            for _ in 0..1 + next(8) {
                changed[9 + next(data_len - 9)] = next(256) as u8;
            }
            errors += usize::from(read_to_end(&changed).is_err());
        }
    }
    assert!(errors > 10_000, "only {errors} errors");
}

/// Each of these promises more than 2^60 bytes or elements, and delivers a few.
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
        // Memory for what is promised would be too much for any machine: the test would end here.
        read_to_end(&file).expect_err("a promise that is not kept");
    }
}
