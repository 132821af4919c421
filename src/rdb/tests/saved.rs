//! The dumps of the tests about faults and power cuts: how they are saved, and what they hold.

use super::super::file::{self, Counts};
use super::super::format::VERSION_FOR_ALL;
use super::super::{Item, Reader, Value, ValueRef, Writer, WriterOptions};
use crate::util::test_disk::TestDisk;
use std::io;
use std::path::PathBuf;

/// The path of the dump.
pub fn path(disk: &TestDisk) -> PathBuf {
    disk.directory.join("dump.my_rdb")
}

/// Saves a dump of `keys` keys with one value, in writes of `piece` bytes.
pub fn save(disk: &TestDisk, keys: u64, value: &[u8], piece: usize) -> io::Result<u64> {
    let bytes = dump(keys, value);
    file::replace_on(disk, &path(disk), true, |output| {
        bytes
            .chunks(piece)
            .try_for_each(|piece| output.write_all(piece))?;
        Ok(Counts {
            keys,
            ..Counts::default()
        })
    })
}

/// A dump of keys `0`, `1`, ..., each with this value.
pub fn dump(keys: u64, value: &[u8]) -> Vec<u8> {
    let options = WriterOptions {
        version: VERSION_FOR_ALL,
        compression: false,
        checksum: true,
    };
    let write = || {
        let mut writer = Writer::new(Vec::new(), options)?;
        for key in 0..keys {
            writer.key(key.to_string().as_bytes(), None, ValueRef::String(value))?;
        }
        writer.finish()
    };
    write().expect("a Vec takes everything")
}

/// Keys and values in the order of a dump.
pub type Keys = Vec<(Vec<u8>, Vec<u8>)>;

/// The bytes that `dump` writes.
pub fn keys((keys, value): (u64, &[u8])) -> Keys {
    (0..keys)
        .map(|key| (key.to_string().into_bytes(), value.to_vec()))
        .collect()
}

/// The content of a dump. None if it cannot be loaded.
pub fn loaded(file: &[u8]) -> Option<Keys> {
    let mut reader = Reader::new(file).ok()?;
    let mut keys = Keys::new();
    while let Some(item) = reader.next().ok()? {
        if let Item::Key(record) = item {
            let Value::String(value) = record.value else {
                return None;
            };
            keys.push((record.key, value));
        }
    }
    Some(keys)
}
