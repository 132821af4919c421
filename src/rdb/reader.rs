//! Reads an RDB file as a sequence of items, from any `io::Read`.
//!
//! The reader knows the format only. Its caller decides about keys that have expired, databases that do not exist and
//! types that cannot be stored. No byte of the input is trusted: any input gives items or an error. The order of the
//! items is that of the file.

use std::io::{Chain, Cursor, Read};

use super::error::RdbError;
use super::format::{MAGIC, VERSION_NEWEST, VERSION_OLDEST, VERSION_WITH_CHECKSUM, opcode};
use super::source::{MIN_WINDOW_SIZE, Source, WINDOW_SIZE};
use super::stream::supplement;
use super::value::{self, Value};

/// An item of a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A fact about the file, for example `redis-ver` = `7.2.0`. Unknown facts are to be ignored.
    Aux {
        /// Its name.
        key: Vec<u8>,
        /// Its value.
        value: Vec<u8>,
    },
    /// The database of the keys that follow. Keys before the first one belong to database 0.
    SelectDb(u64),
    /// The size of the database. A hint, which may be wrong.
    ResizeDb {
        /// Its keys.
        keys: u64,
        /// Its keys with a time to expire.
        expires: u64,
    },
    /// The source code of a function library.
    Function(Vec<u8>),
    /// Data of a module beside the keys; its content has been skipped.
    ModuleAux {
        /// The name of the module's type.
        name: String,
    },
    /// A key with its value.
    Key(KeyRecord),
}

/// A key and all facts about it in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyRecord {
    /// Its name.
    pub key: Vec<u8>,
    /// When it expires, ms since 1970; it may have expired long ago.
    pub expires_at_ms: Option<i64>,
    /// How long before the save it was last used.
    pub idle_seconds: Option<u64>,
    /// Its LFU counter.
    pub freq: Option<u8>,
    /// Its value.
    pub value: Value,
}

/// What a server does with a key when it loads a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It keeps the key, so its name must not occur again.
    Kept,
    /// It skips the key, because its collection has no elements.
    Empty,
    /// It skips the key, because it has expired.
    Expired,
}

impl KeyRecord {
    /// What a server does with the key at this time.
    pub fn fate(&self, now_ms: i64) -> Fate {
        if self.value.is_empty_collection() {
            return Fate::Empty;
        }
        match self.expires_at_ms {
            Some(deadline) if deadline <= now_ms => Fate::Expired,
            _ => Fate::Kept,
        }
    }
}

/// Reads a file item by item.
pub struct Reader<R> {
    source: Source<R>,
    version: u32,
    at_end: bool,
    next_key: Attributes,
    checksum: Option<u64>,
}

/// What `Reader::step` has read.
pub(super) enum Step {
    /// A whole item.
    Item(Item),
    /// The type of a key. Its name and value are not read yet.
    Key(u8),
}

/// The facts about the next key that opcodes before it have given.
#[derive(Default)]
pub(super) struct Attributes {
    pub(super) expires_at_ms: Option<i64>,
    idle_seconds: Option<u64>,
    freq: Option<u8>,
    /// What the type of a stream cannot hold.
    pub(super) stream_supplement: Option<Vec<u8>>,
}

impl<R: Read> Reader<R> {
    /// Reads the header.
    pub fn new(input: R) -> Result<Reader<R>, RdbError> {
        Reader::with_window(input, WINDOW_SIZE)
    }

    /// As `new`, with a buffer of `window_bytes` bytes, at least 16: a small buffer costs less for a small input.
    pub fn with_window(input: R, window_bytes: usize) -> Result<Reader<R>, RdbError> {
        let mut source = Source::new(input, window_bytes.max(MIN_WINDOW_SIZE));
        source.has_helper = true;
        let header: [u8; 9] = source.bytes("the header of an RDB file")?;
        let version = header_version(&header)?;
        if version < VERSION_WITH_CHECKSUM {
            source.without_checksum();
        }
        Ok(Reader {
            source,
            version,
            at_end: false,
            next_key: Attributes::default(),
            checksum: None,
        })
    }

    /// The version in the header.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The number of bytes read so far.
    pub fn offset(&self) -> u64 {
        self.source.offset()
    }

    /// The checksum at the end of the file, which has been verified. None before the end, and if the file has none.
    pub fn checksum(&self) -> Option<u64> {
        self.checksum
    }

    /// The input after the file, once `next` has returned None: the commands of an append-only file or of a replication
    /// stream.
    pub fn into_rest(self) -> Chain<Cursor<Vec<u8>>, R> {
        self.source.into_rest()
    }

    /// The next item; None after the last one, when the checksum has been verified. The reader cannot be used after an
    /// error.
    #[expect(
        clippy::should_implement_trait,
        reason = "an Iterator could not stop at the first error with `?`"
    )]
    #[inline]
    pub fn next(&mut self) -> Result<Option<Item>, RdbError> {
        Ok(match self.step()? {
            None => None,
            Some(Step::Item(item)) => Some(item),
            Some(Step::Key(type_code)) => Some(self.read_key(type_code)?),
        })
    }

    /// As `next`, but reads only the type of a key.
    #[inline]
    pub(super) fn step(&mut self) -> Result<Option<Step>, RdbError> {
        while !self.at_end {
            let at = self.source.offset();
            match self.source.byte("a type or opcode")? {
                opcode::EOF => {
                    self.check_checksum()?;
                    self.at_end = true;
                }
                code @ opcode::SLOT_INFO.. => {
                    if let Some(item) = self.read_opcode(at, code)? {
                        return Ok(Some(Step::Item(item)));
                    }
                }
                type_code if value::is_known_type(type_code) => {
                    return Ok(Some(Step::Key(type_code)));
                }
                type_code => {
                    return Err(RdbError::UnknownType {
                        offset: at,
                        type_code,
                    });
                }
            }
        }
        Ok(None)
    }

    /// The rest of a key after `step`: the source, at its name and value, and the facts that opcodes have given.
    #[inline]
    pub(super) fn key_parts(&mut self) -> (&mut Source<R>, Attributes) {
        (&mut self.source, std::mem::take(&mut self.next_key))
    }

    #[inline]
    fn read_key(&mut self, type_code: u8) -> Result<Item, RdbError> {
        let key = self.source.string("a key")?;
        let mut value = value::read(&mut self.source, type_code)?;
        let Attributes {
            expires_at_ms,
            idle_seconds,
            freq,
            stream_supplement,
        } = std::mem::take(&mut self.next_key);
        if let (Value::Stream(stream), Some(text)) = (&mut value, stream_supplement)
            && supplement::add(stream, &text).is_none()
        {
            return Err(supplement::misfit(self.source.offset()));
        }
        Ok(Item::Key(KeyRecord {
            key,
            expires_at_ms,
            idle_seconds,
            freq,
            value,
        }))
    }

    /// Reads the data of an opcode. None if that only prepares the next key.
    fn read_opcode(&mut self, at: u64, code: u8) -> Result<Option<Item>, RdbError> {
        let source = &mut self.source;
        let item = match code {
            opcode::EXPIRETIME_MS => {
                let expires_at_ms = i64::from_le_bytes(source.bytes("an expiry in ms")?);
                // In Redis -1 stands for "does not expire", also in a file.
                self.next_key.expires_at_ms = (expires_at_ms != -1).then_some(expires_at_ms);
                return Ok(None);
            }
            opcode::EXPIRETIME => {
                let expires_at_s = i32::from_le_bytes(source.bytes("an expiry in seconds")?);
                self.next_key.expires_at_ms = Some(i64::from(expires_at_s) * 1000);
                return Ok(None);
            }
            opcode::IDLE => {
                self.next_key.idle_seconds = Some(source.length("an idle time")?);
                return Ok(None);
            }
            opcode::FREQ => {
                self.next_key.freq = Some(source.byte("an access frequency")?);
                return Ok(None);
            }
            opcode::SLOT_INFO => {
                for _ in 0..3 {
                    source.length("slot information")?;
                }
                return Ok(None);
            }
            opcode::SELECTDB => Item::SelectDb(source.length("a database number")?),
            opcode::RESIZEDB => Item::ResizeDb {
                keys: source.length("a number of keys")?,
                expires: source.length("a number of expires")?,
            },
            opcode::AUX => {
                let key = source.string("an AUX key")?;
                let value = source.string("an AUX value")?;
                if key == supplement::NAME {
                    self.next_key.stream_supplement = Some(value);
                    return Ok(None);
                }
                Item::Aux { key, value }
            }
            opcode::FUNCTION2 => Item::Function(source.string("a function library")?),
            opcode::FUNCTION_PRE_GA => {
                return Err(RdbError::bad(
                    at,
                    "Pre-release function format not supported.",
                ));
            }
            opcode::MODULE_AUX => {
                let id = source.length("a module type")?;
                // An integer first: when the module is to load the data. It is always present.
                value::skip_module_items(source)?;
                Item::ModuleAux {
                    name: value::module_type_name(id),
                }
            }
            _ => {
                return Err(RdbError::UnknownType {
                    offset: at,
                    type_code: code,
                });
            }
        };
        Ok(Some(item))
    }

    fn check_checksum(&mut self) -> Result<(), RdbError> {
        // In old files, EOF is the last byte.
        let Some(computed) = self.source.crc() else {
            return Ok(());
        };
        let offset = self.source.offset();
        let stored = u64::from_le_bytes(self.source.bytes("a checksum of 8 bytes")?);
        if stored != 0 && stored != computed {
            return Err(RdbError::ChecksumMismatch {
                offset,
                computed,
                stored,
            });
        }
        self.checksum = (stored != 0).then_some(stored);
        Ok(())
    }
}

/// The version in a header, if the reader supports it.
pub(super) fn header_version(header: &[u8; 9]) -> Result<u32, RdbError> {
    let (magic, digits) = header.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(RdbError::WrongSignature);
    }
    let version = leading_number(digits);
    if !(VERSION_OLDEST..=VERSION_NEWEST).contains(&version) {
        return Err(RdbError::UnsupportedVersion(version));
    }
    Ok(version)
}

/// The number at the beginning of `text`, as C's `atoi` reads it: 0 without digits.
fn leading_number(text: &[u8]) -> u32 {
    text.iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0, |number, byte| number * 10 + u32::from(byte - b'0'))
}

#[cfg(test)]
mod tests {
    use super::super::format::EXAMPLE_FILE;
    use super::super::value::ListNodes;
    use super::*;

    fn read_all(file: &[u8]) -> Result<Vec<Item>, RdbError> {
        let mut reader = Reader::new(file)?;
        let mut items = Vec::new();
        while let Some(item) = reader.next()? {
            items.push(item);
        }
        Ok(items)
    }

    fn key(key: &[u8], expires_at_ms: Option<i64>, value: Value) -> Item {
        Item::Key(KeyRecord {
            key: key.to_vec(),
            expires_at_ms,
            idle_seconds: None,
            freq: None,
            value,
        })
    }

    #[test]
    fn the_file_drawn_in_format_is_read() {
        let hundred = [b'a'; 100];
        let expected = [
            Item::Aux {
                key: b"redis-ver".to_vec(),
                value: b"7.2.0".to_vec(),
            },
            Item::SelectDb(0),
            Item::ResizeDb {
                keys: 3,
                expires: 1,
            },
            key(
                b"age",
                Some(4_102_444_800_000),
                Value::String(b"33".to_vec()),
            ),
            key(
                b"l",
                None,
                Value::List(
                    [&b"red"[..], &hundred].into_iter().collect(),
                    ListNodes::NotSaid,
                ),
            ),
            key(
                b"h",
                None,
                Value::Hash([&b"f"[..], b"v1"].into_iter().collect()),
            ),
        ];
        assert_eq!(read_all(EXAMPLE_FILE).expect("a good file"), expected);
    }

    /// A file of version 9 with the checksum 0 around `data`.
    fn items_of(data: &[u8]) -> Result<Vec<Item>, String> {
        read_all(&[b"REDIS0009", data, &[opcode::EOF], &[0; 8]].concat())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn what_precedes_a_key_belongs_to_it_alone() {
        let data = b"\xF8\x40\x64\xF9\x07\xFD\x01\x00\x00\x00\x00\x01a\x01x\x00\x01b\x01y\
            \xFC\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x00\x01c\x01z";
        let items = items_of(data).expect("a good file");
        let first = KeyRecord {
            key: b"a".to_vec(),
            expires_at_ms: Some(1000),
            idle_seconds: Some(100),
            freq: Some(7),
            value: Value::String(b"x".to_vec()),
        };
        let second = key(b"b", None, Value::String(b"y".to_vec()));
        let third = key(b"c", None, Value::String(b"z".to_vec()));
        assert_eq!(items, [Item::Key(first), second, third]);
    }

    #[test]
    fn modules_are_skipped_by_their_items() {
        // The id in tests/fixtures/rdb/redis-rdb-tools/redis_40_with_module.rdb.
        let id = b"\x81\x45\xE2\x52\x38\xDF\x91\x2C\x00";
        let items = b"\x01\x07\x02\x07\x03\0\0\0\0\x04\0\0\0\0\0\0\0\0\x05\x02ab\x00";
        let name = "ReJSON-RL".to_string();
        assert_eq!(
            items_of(&[b"\x07\x01k", &id[..], items].concat()),
            Ok(vec![key(b"k", None, Value::Module { name: name.clone() })])
        );
        assert_eq!(
            items_of(&[b"\xF7", &id[..], b"\x02\x02", items].concat()),
            Ok(vec![Item::ModuleAux { name }])
        );
    }

    #[test]
    fn errors_name_the_place() {
        for (data, expected) in [
            (
                &b"\x08\x01k\x01v"[..],
                "[offset 9] Unknown RDB encoding type 8",
            ),
            (
                b"\x06\x01k\x81\x45\xE2\x52\x38\xDF\x91\x2C\x00",
                "[offset 12] Pre-release module format not supported: a value of the module ReJSON-RL",
            ),
            (
                b"\xF6",
                "[offset 9] Pre-release function format not supported.",
            ),
            (
                b"\x02\x01k\x02\x01a\x01a",
                "[offset 12] Duplicate set members detected",
            ),
            (
                b"\x09\x01k\x0D\x02\x01f\x01\x00a\x01f\x02\x00bc\xFF",
                "[offset 12] Duplicate hash fields detected",
            ),
            (
                b"\x05\x01k\x01\x01a\0\0\0\0\0\0\xF8\x7F",
                "[offset 12] Zset with NAN score detected",
            ),
            (
                b"\x03\x01k\x01\x01a\xFD",
                "[offset 12] Zset with NAN score detected",
            ),
            (
                b"\x03\x01k\x01\x01a\x02xy",
                "[offset 15] a score that is not a number",
            ),
            (
                b"\x03\x01k\x02\x01a\x011\x01a\x012",
                "[offset 12] Duplicate zset fields detected",
            ),
            (
                b"\x12\x01k\x01\x03",
                "[offset 13] Quicklist integrity check failed: unknown kind of node",
            ),
            (
                b"\x0B\x01k\x01x",
                "[offset 12] intset integrity check failed at its byte 0: entry runs past the end",
            ),
        ] {
            assert_eq!(items_of(data), Err(expected.to_string()), "{data:?}");
        }
    }

    #[test]
    fn headers_are_checked() {
        for (file, expected) in [
            (
                &b"REDIS"[..],
                "[offset 0] Unexpected EOF reading RDB file: expected the header of an RDB file",
            ),
            (
                b"VALKEY080",
                "[offset 0] Wrong signature trying to load DB from file",
            ),
            (b"REDIS0000", "[offset 5] Can't handle RDB format version 0"),
            (
                b"REDIS0012",
                "[offset 5] Can't handle RDB format version 12",
            ),
            (b"REDIS00x9", "[offset 5] Can't handle RDB format version 0"),
        ] {
            assert_eq!(
                read_all(file).expect_err("a bad header").to_string(),
                expected
            );
        }
    }

    #[test]
    fn what_follows_the_end_is_not_lost() -> Result<(), RdbError> {
        let input = [EXAMPLE_FILE, b"*1\r\n$4\r\nPING\r\n"].concat();
        let mut reader = Reader::new(&input[..])?;
        while reader.next()?.is_some() {}
        assert_eq!(reader.offset(), EXAMPLE_FILE.len() as u64);
        let mut rest = Vec::new();
        reader.into_rest().read_to_end(&mut rest).expect("a slice");
        assert_eq!(rest, b"*1\r\n$4\r\nPING\r\n");
        Ok(())
    }
}
