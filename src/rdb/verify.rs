//! Verifies that an RDB file is whole: it checks every key, every value and the checksum, and keeps nothing.
//!
//! It accepts the files that the reader accepts, with two more conditions that all our files meet: no bytes after the
//! end, and no collection without elements. The value types of our writer are skipped string by string, without an
//! allocation for a key or a value, so this takes a small part of the time of writing the file. Other types are read
//! and dropped, as are the consumer groups of streams.
//!
//! What it does not find:
//! - a key that the file has twice, because that would take the memory of all names;
//! - a duplicate within a collection, beyond as many elements as fit into `MAX_COMPARED_BYTES`;
//! - a fault within the listpack of a stream. Listpacks are written as they lie in memory; the checksum protects them.

use std::io::Read;

use super::elements::Elements;
use super::error::RdbError;
use super::format::value_type;
use super::reader::{Attributes, Item, Reader, Step};
use super::source::Source;
use super::stream::supplement::{self, Supplement};
use super::value::Value;
use super::{stream, value};

/// The greatest memory for the elements of one collection that are compared with each other.
const MAX_COMPARED_BYTES: usize = 64 * 1024 * 1024;

/// The facts about a file that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The version in its header.
    pub version: u32,
    /// Keys, in all databases.
    pub keys: u64,
    /// Keys with a time to expire.
    pub expires: u64,
    /// Function libraries.
    pub libraries: u64,
    /// The size of the file.
    pub bytes: u64,
    /// Its CRC-64. None if the file says that none was computed.
    pub checksum: Option<u64>,
}

/// Verifies a file from any `Read`. The input is buffered here.
///
/// # Errors
/// The first fault, with its offset.
pub fn verify(input: impl Read) -> Result<Summary, RdbError> {
    Reader::new(input)?.verify()
}

/// Verifies a file for a caller that does not take every file: `accept` is given all items but keys, and an
/// [`Item::ModuleAux`] also for a key whose value is one of a module.
///
/// # Errors
/// The first fault, or the first thing that is not accepted, with its offset.
pub fn verify_for(
    input: impl Read,
    accept: impl FnMut(&Item) -> Result<(), String>,
) -> Result<Summary, RdbError> {
    Reader::new(input)?.verify_for(accept)
}

impl<R: Read> Reader<R> {
    /// As [`verify`], for a reader that has read the header only.
    pub fn verify(self) -> Result<Summary, RdbError> {
        self.verify_for(|_| Ok(()))
    }

    fn verify_for(
        mut self,
        mut accept: impl FnMut(&Item) -> Result<(), String>,
    ) -> Result<Summary, RdbError> {
        let mut keys = 0;
        let mut expires = 0;
        let mut libraries = 0;
        let mut members = Elements::new();
        loop {
            let offset = self.offset();
            let Some(step) = self.step()? else { break };
            let unusual = match step {
                Step::Key(type_code) => {
                    let (source, attributes) = self.key_parts();
                    source.skip_string("a key")?;
                    let module = verify_value(source, type_code, &attributes, &mut members)?;
                    keys += 1;
                    expires += u64::from(attributes.expires_at_ms.is_some());
                    module.map(|name| Item::ModuleAux { name })
                }
                Step::Item(item) => {
                    libraries += u64::from(matches!(item, Item::Function(_)));
                    Some(item)
                }
            };
            if let Some(item) = unusual {
                accept(&item).map_err(|reason| RdbError::bad(offset, reason))?;
            }
        }
        let summary = Summary {
            version: self.version(),
            keys,
            expires,
            libraries,
            bytes: self.offset(),
            checksum: self.checksum(),
        };
        self.expect_end()?;
        Ok(summary)
    }

    fn expect_end(self) -> Result<(), RdbError> {
        let offset = self.offset();
        match self.into_rest().read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(RdbError::bad(offset, "expected the end of the file")),
            Err(error) => Err(RdbError::Io { offset, error }),
        }
    }
}

/// Checks and skips the value of a key. Returns the name of the module if it is one of a module. `members` is a buffer
/// to reuse.
#[inline]
fn verify_value<R: Read>(
    source: &mut Source<R>,
    type_code: u8,
    attributes: &Attributes,
    members: &mut Elements,
) -> Result<Option<String>, RdbError> {
    let at = source.offset();
    match type_code {
        value_type::STRING => source.skip_string("a string value")?,
        value_type::LIST => {
            for _ in 0..collection_len(source)? {
                source.skip_string("an element")?;
            }
        }
        value_type::SET => {
            verify_members(source, members, |_| Ok(()))?;
            no_duplicates(at, members, "Duplicate set members detected")?;
        }
        value_type::HASH => {
            verify_members(source, members, |source| source.skip_string("an element"))?;
            no_duplicates(at, members, "Duplicate hash fields detected")?;
        }
        value_type::STREAM_LISTPACKS
        | value_type::STREAM_LISTPACKS_2
        | value_type::STREAM_LISTPACKS_3 => {
            let consumers = stream::skip(source, type_code)?.into_iter();
            let supplement = attributes.stream_supplement.as_deref();
            if let Some(None) = supplement.map(|text| Supplement::parse(text, consumers)) {
                return Err(supplement::misfit(source.offset()));
            }
        }
        value_type::ZSET_2 => {
            verify_members(source, members, |source| {
                if value::read_binary_score(source)?.is_nan() {
                    return Err(RdbError::bad(at, "Zset with NAN score detected"));
                }
                Ok(())
            })?;
            no_duplicates(at, members, "Duplicate zset fields detected")?;
        }
        _ => {
            if let Value::Module { name } = value::read(source, type_code)? {
                return Ok(Some(name));
            }
        }
    }
    Ok(None)
}

/// Reads the number of elements of a collection, which must be at least 1.
fn collection_len<R: Read>(source: &mut Source<R>) -> Result<u64, RdbError> {
    let at = source.offset();
    match source.length("a number of elements")? {
        0 => Err(RdbError::bad(at, "expected an element, found none")),
        len => Ok(len),
    }
}

/// Reads a length n, then n members, each followed by data that `verify_rest` skips. Collects members for the
/// comparison.
fn verify_members<R: Read>(
    source: &mut Source<R>,
    members: &mut Elements,
    verify_rest: impl Fn(&mut Source<R>) -> Result<(), RdbError>,
) -> Result<(), RdbError> {
    members.clear();
    for _ in 0..collection_len(source)? {
        if members.memory_bytes() < MAX_COMPARED_BYTES {
            members.push_with(|bytes| source.append_string(bytes, "a member"))?;
        } else {
            source.skip_string("a member")?;
        }
        verify_rest(source)?;
    }
    Ok(())
}

fn no_duplicates(at: u64, members: &Elements, what: &'static str) -> Result<(), RdbError> {
    if members.has_duplicates(1) {
        return Err(RdbError::bad(at, what));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::format::EXAMPLE_FILE;
    use super::super::source::WINDOW_SIZE;
    use super::*;

    /// A file without checksum around `data`.
    fn verified(data: &[u8]) -> Result<Summary, String> {
        let file = [b"REDIS0009", data, b"\xFF\0\0\0\0\0\0\0\0"].concat();
        verify(&file[..]).map_err(|error| error.to_string())
    }

    #[test]
    fn the_file_drawn_in_format_is_whole() {
        let summary = verify(EXAMPLE_FILE).expect("it is whole");
        assert_eq!(
            summary,
            Summary {
                version: 9,
                keys: 3,
                expires: 1,
                libraries: 0,
                bytes: 82,
                checksum: Some(0xB00B_CDD5_BBDA_A48E),
            }
        );
    }

    /// Strings of every form, with sizes around every limit.
    #[test]
    fn every_form_of_string_is_passed_over() {
        let mut data = Vec::new();
        let mut keys = 0;
        let mut add = |value: &[u8]| {
            data.extend_from_slice(b"\x00\x01k");
            data.extend_from_slice(value);
            keys += 1;
        };
        add(b"\xC0\xFF");
        add(b"\xC1\x48\xF4");
        add(b"\xC2\x00\x00\x00\x80");
        add(b"\xC3\x05\x0A\x00a\xE0\x00\x00");
        for len in [0, 1, 63, 64, 65, 16_383, WINDOW_SIZE, 3 * WINDOW_SIZE + 1] {
            let head = [&b"\x80"[..], &(len as u32).to_be_bytes()].concat();
            add(&[head, vec![0xFF; len]].concat());
        }
        add(&[&b"\x3F"[..], &[0xFF; 63]].concat());
        add(&[&b"\x7F\xFF"[..], &[0xFF; 16_383]].concat());
        let summary = verified(&data).expect("it is whole");
        assert_eq!(summary.keys, keys);
        assert_eq!(summary.bytes, 9 + data.len() as u64 + 9);
        assert_eq!(summary.checksum, None);
    }

    #[test]
    fn faults_are_named() {
        for (data, expected) in [
            (
                &b"\x00\x01k\xC3\x05\x0B\x00a\xE0\x00\x00"[..],
                "[offset 12] Invalid LZF compressed string, expected a string value",
            ),
            (
                b"\x00\x01k\xC4",
                "[offset 12] Unknown RDB string encoding type 4",
            ),
            (
                b"\x02\x01k\x02\x01a\x01a",
                "[offset 12] Duplicate set members detected",
            ),
            (
                b"\x04\x01k\x02\x01f\x01a\x01f\x01b",
                "[offset 12] Duplicate hash fields detected",
            ),
            (
                b"\x05\x01k\x01\x01a\0\0\0\0\0\0\xF8\x7F",
                "[offset 12] Zset with NAN score detected",
            ),
            (
                b"\x05\x01k\x02\x01a\0\0\0\0\0\0\0\0\x01a\0\0\0\0\0\0\xF0\x3F",
                "[offset 12] Duplicate zset fields detected",
            ),
            (
                b"\x01\x01k\x00",
                "[offset 12] expected an element, found none",
            ),
            (b"\x08\x01k", "[offset 9] Unknown RDB encoding type 8"),
            (
                b"\xFF\0\0\0\0\0\0\0\0",
                "[offset 18] expected the end of the file",
            ),
            (
                b"\x00\x01k\x32abc",
                "[offset 13] Unexpected EOF reading RDB file: expected a string value",
            ),
        ] {
            assert_eq!(verified(data), Err(expected.to_string()), "{data:?}");
        }
    }

    #[test]
    fn every_cut_and_every_changed_bit_is_found() {
        for len in 0..EXAMPLE_FILE.len() {
            let error = verify(&EXAMPLE_FILE[..len]).expect_err("a part is not a file");
            assert!(
                matches!(error, RdbError::Truncated { .. }),
                "{len}: {error}"
            );
        }
        for bit in 0..8 * EXAMPLE_FILE.len() {
            let mut file = EXAMPLE_FILE.to_vec();
            file[bit / 8] ^= 1 << (bit % 8);
            assert!(verify(&file[..]).is_err(), "bit {bit}");
        }
    }
}
