//! Encodes keys, values and strings as RDB bytes, into any `io::Write`.
//!
//! `Writer` uses this for whole files. A saver can also encode batches of keys into a `Vec<u8>` on its own and hand
//! them to `Writer::encoded`. An encoder belongs to one thread: it keeps the table of the compressor between strings.

use std::io::{self, Write};

use byteorder::{BigEndian, LittleEndian, WriteBytesExt};

use super::format::{length, opcode, string_form, value_type};
use super::stream::{self, supplement};
use crate::types::stream::Stream;
use crate::util::lzf::{Table, compress};
use crate::util::number;

/// As in Redis, shorter strings are not compressed.
const MIN_LEN_TO_COMPRESS: usize = 21;

/// A value to be written: `'d` is the life of its data, `'i` that of the iterator over it.
///
/// The number beside an iterator is the number of items that it will yield. It is written first, so an iterator that
/// yields another number of items causes an error.
pub enum ValueRef<'i, 'd> {
    /// A string.
    String(&'d [u8]),
    /// A list, from head to tail.
    List(usize, &'i mut dyn Iterator<Item = &'d [u8]>),
    /// A hash: fields and values.
    Hash(usize, &'i mut dyn Iterator<Item = (&'d [u8], &'d [u8])>),
    /// A set.
    Set(usize, &'i mut dyn Iterator<Item = &'d [u8]>),
    /// A set of integers. The members are their decimal texts.
    IntegerSet(usize, &'i mut dyn Iterator<Item = i64>),
    /// A sorted set: members and scores. Redis writes from the highest score to the lowest; any order loads.
    SortedSet(usize, &'i mut dyn Iterator<Item = (&'d [u8], f64)>),
    /// A stream.
    Stream(&'d Stream),
}

impl ValueRef<'_, '_> {
    /// The type in which a file of this version holds it.
    fn type_code(&self, version: u32) -> u8 {
        match self {
            ValueRef::String(_) => value_type::STRING,
            ValueRef::List(..) => value_type::LIST,
            ValueRef::Hash(..) => value_type::HASH,
            ValueRef::Set(..) | ValueRef::IntegerSet(..) => value_type::SET,
            ValueRef::SortedSet(..) => value_type::ZSET_2,
            ValueRef::Stream(_) => stream::type_for(version),
        }
    }

    /// Whether it is a collection without elements: no key of Redis has such a value. (A stream may be empty.)
    pub fn is_empty_collection(&self) -> bool {
        match *self {
            ValueRef::String(_) | ValueRef::Stream(_) => false,
            ValueRef::List(len, _) | ValueRef::Set(len, _) => len == 0,
            ValueRef::Hash(len, _) => len == 0,
            ValueRef::IntegerSet(len, _) => len == 0,
            ValueRef::SortedSet(len, _) => len == 0,
        }
    }
}

/// Writes keys and values in the RDB format.
pub struct Encoder {
    compression: bool,
    /// The version of the file, which decides on the types of streams.
    version: u32,
    /// Whether a large stream may be encoded with the help of a second thread.
    pub(super) has_helper: bool,
    table: Table,
}

/// How a key was used before it was saved. A dump holds at most one of the two figures, depending on
/// `maxmemory-policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Nothing is said.
    Unknown,
    /// Seconds since the last access.
    IdleSeconds(u32),
    /// How often it was used, as a logarithm.
    Frequency(u8),
}

impl Encoder {
    /// For a file of this version. With `compression`, strings of more than 20 bytes are kept as LZF where that saves
    /// at least 4 bytes.
    pub fn new(compression: bool, version: u32) -> Encoder {
        Encoder {
            compression,
            version,
            has_helper: false,
            table: Table::default(),
        }
    }

    /// From now on, a large stream is encoded with the help of a second thread. For dumps; a command runs in its
    /// client's thread alone.
    pub fn with_helper(self) -> Encoder {
        Encoder {
            has_helper: true,
            ..self
        }
    }

    /// An encoder with the same settings.
    pub(super) fn for_another_thread(&self) -> Encoder {
        Encoder::new(self.compression, self.version)
    }

    /// Writes one key without its usage.
    pub fn key(
        &mut self,
        output: &mut impl Write,
        key: &[u8],
        expires_at_ms: Option<i64>,
        value: ValueRef<'_, '_>,
    ) -> io::Result<()> {
        self.key_with_usage(output, key, expires_at_ms, Usage::Unknown, value)
    }

    /// Writes one key: for a stream, what its type cannot hold; expiry, usage, type, key, value.
    ///
    /// The order matters: rdbtools reads EXPIRETIME_MS, IDLE and FREQ in this order, directly before the type.
    /// An empty collection is not written, because a key without elements does not exist in Redis.
    pub fn key_with_usage(
        &mut self,
        output: &mut impl Write,
        key: &[u8],
        expires_at_ms: Option<i64>,
        usage: Usage,
        value: ValueRef<'_, '_>,
    ) -> io::Result<()> {
        if value.is_empty_collection() {
            return Ok(());
        }
        let type_code = value.type_code(self.version);
        if let ValueRef::Stream(stream) = value
            && let Some(supplement) = supplement::of(stream, type_code)
        {
            output.write_u8(opcode::AUX)?;
            self.string(output, supplement::NAME)?;
            self.string(output, &supplement)?;
        }
        if let Some(expires_at_ms) = expires_at_ms {
            output.write_u8(opcode::EXPIRETIME_MS)?;
            output.write_i64::<LittleEndian>(expires_at_ms)?;
        }
        match usage {
            Usage::Unknown => {}
            Usage::IdleSeconds(idle_s) => {
                output.write_u8(opcode::IDLE)?;
                write_length(output, idle_s.into())?;
            }
            Usage::Frequency(frequency) => {
                output.write_u8(opcode::FREQ)?;
                output.write_u8(frequency)?;
            }
        }
        output.write_u8(type_code)?;
        self.string(output, key)?;
        self.value(output, value, type_code)
    }

    /// Writes the type of a value and the value, as in a [`payload`](super::payload).
    pub fn value_with_type(
        &mut self,
        output: &mut impl Write,
        value: ValueRef<'_, '_>,
    ) -> io::Result<()> {
        let type_code = value.type_code(self.version);
        output.write_u8(type_code)?;
        self.value(output, value, type_code)
    }

    /// Writes a value without its type.
    fn value(
        &mut self,
        output: &mut impl Write,
        value: ValueRef<'_, '_>,
        type_code: u8,
    ) -> io::Result<()> {
        match value {
            ValueRef::Stream(stream) => stream::write(self, output, stream, type_code),
            ValueRef::String(text) => self.string(output, text),
            ValueRef::List(len, elements) | ValueRef::Set(len, elements) => {
                self.items(output, len, elements, |encoder, output, element| {
                    encoder.string(output, element)
                })
            }
            ValueRef::IntegerSet(len, integers) => {
                let mut buffer = itoa::Buffer::new();
                self.items(output, len, integers, |encoder, output, integer| {
                    encoder.string(output, buffer.format(integer).as_bytes())
                })
            }
            ValueRef::Hash(len, pairs) => {
                self.items(output, len, pairs, |encoder, output, (field, value)| {
                    encoder.string(output, field)?;
                    encoder.string(output, value)
                })
            }
            ValueRef::SortedSet(len, members) => {
                self.items(output, len, members, |encoder, output, (member, score)| {
                    encoder.string(output, member)?;
                    output.write_f64::<LittleEndian>(score)
                })
            }
        }
    }

    /// Writes the number of items, then the items.
    fn items<T, W: Write>(
        &mut self,
        output: &mut W,
        len: usize,
        items: &mut dyn Iterator<Item = T>,
        mut write_item: impl FnMut(&mut Encoder, &mut W, T) -> io::Result<()>,
    ) -> io::Result<()> {
        write_length(output, len as u64)?;
        let mut written = 0;
        for item in items {
            write_item(self, output, item)?;
            written += 1;
        }
        if written != len {
            let text = format!("a value of {len} items yielded {written}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        Ok(())
    }

    /// Writes a string in its shortest form: as an integer, compressed, or as it is.
    pub fn string(&mut self, output: &mut impl Write, text: &[u8]) -> io::Result<()> {
        if let Some(number) = number::parse_i64(text).and_then(|number| i32::try_from(number).ok())
        {
            return write_integer(output, number);
        }
        if self.compression
            && text.len() >= MIN_LEN_TO_COMPRESS
            && let Some(compressed) = compress(text, &mut self.table)
        {
            output.write_u8(string_form::LZF)?;
            write_length(output, compressed.len() as u64)?;
            write_length(output, text.len() as u64)?;
            return output.write_all(&compressed);
        }
        write_length(output, text.len() as u64)?;
        output.write_all(text)
    }
}

/// Writes a string that is the decimal text of `number`.
fn write_integer(output: &mut impl Write, number: i32) -> io::Result<()> {
    if let Ok(number) = i8::try_from(number) {
        output.write_u8(string_form::INT_8)?;
        output.write_i8(number)
    } else if let Ok(number) = i16::try_from(number) {
        output.write_u8(string_form::INT_16)?;
        output.write_i16::<LittleEndian>(number)
    } else {
        output.write_u8(string_form::INT_32)?;
        output.write_i32::<LittleEndian>(number)
    }
}

/// Writes a length in the shortest of its four forms.
pub fn write_length(output: &mut impl Write, len: u64) -> io::Result<()> {
    if len <= length::MAX_6_BITS {
        output.write_u8(len as u8)
    } else if len <= length::MAX_14_BITS {
        output.write_u16::<BigEndian>(u16::from(length::FORM_14_BITS) << 8 | len as u16)
    } else if let Ok(len) = u32::try_from(len) {
        output.write_u8(length::FORM_32_BITS)?;
        output.write_u32::<BigEndian>(len)
    } else {
        output.write_u8(length::FORM_64_BITS)?;
        output.write_u64::<BigEndian>(len)
    }
}

#[cfg(test)]
mod tests {
    use super::super::format::VERSION_FOR_ALL;
    use super::*;

    fn encoded(write: impl FnOnce(&mut Encoder, &mut Vec<u8>) -> io::Result<()>) -> Vec<u8> {
        let mut output = Vec::new();
        write(&mut Encoder::new(true, VERSION_FOR_ALL), &mut output)
            .expect("a Vec takes everything");
        output
    }

    #[test]
    fn a_length_takes_the_shortest_form() {
        for (len, expected) in [
            (0, &b"\x00"[..]),
            (63, b"\x3F"),
            (64, b"\x40\x40"),
            (16383, b"\x7F\xFF"),
            (16384, b"\x80\x00\x00\x40\x00"),
            (0xFFFF_FFFF, b"\x80\xFF\xFF\xFF\xFF"),
            (0x1_0000_0000, b"\x81\x00\x00\x00\x01\x00\x00\x00\x00"),
        ] {
            assert_eq!(
                encoded(|_, output| write_length(output, len)),
                expected,
                "{len}"
            );
        }
    }

    #[test]
    fn a_string_takes_the_shortest_form() {
        for (text, expected) in [
            (&b""[..], &b"\x00"[..]),
            (b"hello", b"\x05hello"),
            (b"12", b"\xC0\x0C"),
            (b"-128", b"\xC0\x80"),
            (b"128", b"\xC1\x80\x00"),
            (b"-3000", b"\xC1\x48\xF4"),
            (b"70000", b"\xC2\x70\x11\x01\x00"),
            (b"2147483648", b"\x0A2147483648"),
            (b"007", b"\x03007"),
        ] {
            assert_eq!(
                encoded(|encoder, output| encoder.string(output, text)),
                expected,
                "{text:?}"
            );
        }
    }

    #[test]
    fn only_strings_of_more_than_20_bytes_are_compressed() {
        let short = encoded(|encoder, output| encoder.string(output, &[b'a'; 20]));
        assert_eq!(short, b"\x14aaaaaaaaaaaaaaaaaaaa");
        let long = encoded(|encoder, output| encoder.string(output, &[b'a'; 1000]));
        assert_eq!(long[0], string_form::LZF);
        assert!(long.len() < 40, "{} bytes", long.len());
        let mut output = Vec::new();
        Encoder::new(false, VERSION_FOR_ALL)
            .string(&mut output, &[b'a'; 21])
            .expect("a Vec takes everything");
        assert_eq!(output, b"\x15aaaaaaaaaaaaaaaaaaaaa");
    }

    #[test]
    fn a_value_that_yields_another_number_of_items_is_refused() {
        let mut items = [&b"a"[..], b"b"].into_iter();
        let result = Encoder::new(true, VERSION_FOR_ALL).key(
            &mut Vec::new(),
            b"k",
            None,
            ValueRef::List(3, &mut items),
        );
        assert_eq!(
            result.expect_err("2 are not 3").to_string(),
            "a value of 3 items yielded 2"
        );
    }

    #[test]
    fn an_empty_collection_is_not_written() {
        assert_eq!(
            encoded(|encoder, output| encoder.key(
                output,
                b"k",
                Some(1),
                ValueRef::Set(0, &mut [].into_iter())
            )),
            b""
        );
    }
}
