//! Explains packed blocks, entry by entry. The decoders find the entries and check them; this file names their bytes.

use std::borrow::Cow;
use std::io::Read;

use super::super::encodings::intset::Intset;
use super::super::encodings::listpack::Listpack;
use super::super::encodings::ziplist::Ziplist;
use super::super::encodings::zipmap::Zipmap;
use super::super::encodings::{Encoding, EncodingError, Entry};
use super::super::value::bad_block;
use super::frame::Walker;
use super::text::Whole;
use super::{Excerpt, Place, Role, Section, Sink, Stop, Walk};
use crate::types::listpack::backlen_size;

/// The words for an entry. Called once for each, in order.
pub(super) type Describe<'d> = &'d mut dyn FnMut(Entry<'_>) -> Cow<'static, str>;

/// A ziplist's header is three numbers, a listpack's two, an intset's two.
const ZIPLIST_HEADER: &[(usize, &str)] = &[
    (4, "zlbytes, the size of the ziplist"),
    (4, "zltail, where the last entry begins"),
    (2, "zllen, the number of entries"),
];
const LISTPACK_HEADER: &[(usize, &str)] = &[
    (4, "the size of the listpack"),
    (2, "the number of entries"),
];
const INTSET_HEADER: &[(usize, &str)] = &[
    (4, "the bytes of each member"),
    (4, "the number of members"),
];
const ZIPMAP_HEADER: &[(usize, &str)] = &[(1, "zmlen, the number of fields")];

/// The division of the bytes of an entry.
struct Shape {
    /// The size of the field before the entry for backward walks (ziplist).
    prevlen: usize,
    /// The size of the encoding; it may hold an integer itself.
    encoding: usize,
    encoding_name: &'static str,
    /// The size of the field after the entry for backward walks (listpack).
    backlen: usize,
}

impl<R: Read, S: Sink> Walker<'_, R, S> {
    /// Reads a string that holds a block, and explains the block.
    pub(super) fn block(&mut self, encoding: Encoding, describe: Describe<'_>) -> Walk<()> {
        let at = self.source.offset();
        let whole = self.whole(encoding.name())?;
        self.explain_block(encoding, &whole, at, describe)
    }

    /// Explains a block that was read from the string at `at`.
    pub(super) fn explain_block(
        &mut self,
        encoding: Encoding,
        whole: &Whole,
        at: u64,
        describe: Describe<'_>,
    ) -> Walk<()> {
        let (name, len) = (encoding.name(), whole.bytes.len());
        let title = format_args!("{name} of {len} bytes");
        self.enter(whole.place, &Section::Part(title))?;
        let bad = |error| Stop::Fault(bad_block(at, encoding, error));
        let block = whole.bytes.as_slice();
        match encoding {
            Encoding::Ziplist => {
                let decoder = Ziplist::new(block).map_err(bad)?;
                self.block_header(whole, ZIPLIST_HEADER)?;
                self.entries(whole, decoder, Ziplist::position, bad, describe, |bytes| {
                    let prevlen = if bytes[0] == 0xFE { 5 } else { 1 };
                    ziplist_shape(prevlen, bytes[prevlen])
                })?;
            }
            Encoding::Listpack => {
                let decoder = Listpack::new(block).map_err(bad)?;
                self.block_header(whole, LISTPACK_HEADER)?;
                self.entries(whole, decoder, Listpack::position, bad, describe, |bytes| {
                    listpack_shape(bytes)
                })?;
            }
            Encoding::Intset => {
                let decoder = Intset::new(block).map_err(bad)?;
                self.block_header(whole, INTSET_HEADER)?;
                self.entries(whole, decoder, Intset::position, bad, describe, |_| Shape {
                    prevlen: 0,
                    encoding: 0,
                    encoding_name: "",
                    backlen: 0,
                })?;
            }
            Encoding::Zipmap => self.zipmap(whole, bad, describe)?,
        }
        if encoding != Encoding::Intset {
            let end = len - 1;
            let meaning = format_args!("the end of the {name}");
            self.part(whole, end, 1, Role::End, meaning)?;
        }
        Ok(self.leave()?)
    }

    /// Some bytes of a block.
    fn part(
        &mut self,
        whole: &Whole,
        start: usize,
        len: usize,
        role: Role,
        meaning: std::fmt::Arguments<'_>,
    ) -> Walk<()> {
        let bytes = Excerpt::of(&whole.bytes[start..start + len]);
        self.field(whole.place.plus(start), bytes, role, meaning, None)
    }

    fn block_header(&mut self, whole: &Whole, parts: &[(usize, &str)]) -> Walk<()> {
        let mut start = 0;
        for &(size, name) in parts {
            let bytes = &whole.bytes[start..start + size];
            let value = bytes
                .iter()
                .rev()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            let is_unknown = matches!((size, value), (2, 0xFFFF) | (1, 254..));
            let note = if is_unknown {
                ", which says: walk them"
            } else {
                ""
            };
            let meaning = format_args!("{name}: {value}{note}");
            self.part(whole, start, size, Role::BlockHeader, meaning)?;
            start += size;
        }
        Ok(())
    }

    /// The entries of a block, as its decoder delivers them.
    fn entries<'b, D: Iterator<Item = Result<Entry<'b>, EncodingError>>>(
        &mut self,
        whole: &'b Whole,
        mut decoder: D,
        position: fn(&D) -> usize,
        bad: impl Fn(EncodingError) -> Stop,
        describe: Describe<'_>,
        shape: impl Fn(&[u8]) -> Shape,
    ) -> Walk<()> {
        loop {
            let start = position(&decoder);
            let Some(entry) = decoder.next() else {
                return Ok(());
            };
            let entry = entry.map_err(&bad)?;
            let bytes = &whole.bytes[start..position(&decoder)];
            let words = describe(entry);
            self.entry(whole.place.plus(start), bytes, &shape(bytes), entry, &words)?;
        }
    }

    fn entry(
        &mut self,
        mut place: Place,
        mut bytes: &[u8],
        shape: &Shape,
        entry: Entry<'_>,
        words: &str,
    ) -> Walk<()> {
        let data_len = bytes.len() - shape.prevlen - shape.encoding - shape.backlen;
        let mut take = |len: usize| {
            let (taken, rest) = bytes.split_at(len);
            let here = place;
            bytes = rest;
            place = place.plus(len);
            (here, Excerpt::of(taken))
        };
        if shape.prevlen > 0 {
            let (here, bytes) = take(shape.prevlen);
            let size = prevlen(bytes.shown);
            let meaning = format_args!("prevlen: {size}, the size of the entry before");
            self.field(here, bytes, Role::BackLink, meaning, None)?;
        }
        let (here, encoding) = take(shape.encoding);
        let (there, data) = take(data_len);
        let name = shape.encoding_name;
        match entry {
            Entry::Text(text) => {
                let len = text.len();
                let meaning = format_args!("{name}: {len}");
                self.field(here, encoding, Role::Encoding, meaning, None)?;
                let (meaning, text) = (format_args!("{words}"), Some(Excerpt::of(text)));
                self.field(there, data, Role::Text, meaning, text)?;
            }
            Entry::Integer(number) if data.total == 0 => {
                let meaning = format_args!("{words}: {number} ({name})");
                self.field(here, encoding, Role::Number, meaning, None)?;
            }
            Entry::Integer(number) => {
                if encoding.total > 0 {
                    let meaning = format_args!("{name} follows");
                    self.field(here, encoding, Role::Encoding, meaning, None)?;
                }
                let meaning = format_args!("{words}: {number}");
                self.field(there, data, Role::Number, meaning, None)?;
            }
        }
        if shape.backlen > 0 {
            let (here, bytes) = take(shape.backlen);
            let size = shape.encoding + data_len;
            let meaning = format_args!("backlen: {size}, the size of this entry");
            self.field(here, bytes, Role::BackLink, meaning, None)?;
        }
        Ok(())
    }

    fn zipmap(
        &mut self,
        whole: &Whole,
        bad: impl Fn(EncodingError) -> Stop,
        describe: Describe<'_>,
    ) -> Walk<()> {
        let mut decoder = Zipmap::new(&whole.bytes).map_err(&bad)?;
        self.block_header(whole, ZIPMAP_HEADER)?;
        let mut is_value = false;
        loop {
            let mut start = decoder.position();
            let Some(entry) = decoder.next() else {
                return Ok(());
            };
            let entry = entry.map_err(&bad)?;
            let end = decoder.position();
            let Entry::Text(text) = entry else {
                unreachable!("a zipmap holds only text")
            };
            let (len, words) = (text.len(), describe(entry));
            let size = if whole.bytes[start] == 0xFE { 5 } else { 1 };
            let meaning = format_args!("length: {len}");
            self.part(whole, start, size, Role::Length, meaning)?;
            start += size;
            if is_value {
                let free = whole.bytes[start];
                let meaning = format_args!("unused bytes behind the value: {free}");
                self.part(whole, start, 1, Role::Length, meaning)?;
                start += 1;
            }
            let excerpt = Excerpt::of(text);
            let (place, meaning) = (whole.place.plus(start), format_args!("{words}"));
            self.field(place, excerpt, Role::Text, meaning, Some(excerpt))?;
            start += len;
            if start < end {
                let meaning = format_args!("unused");
                self.part(whole, start, end - start, Role::Unused, meaning)?;
            }
            is_value = !is_value;
        }
    }
}

fn prevlen(bytes: &[u8]) -> u32 {
    match bytes {
        [_, a, b, c, d] => u32::from_le_bytes([*a, *b, *c, *d]),
        _ => u32::from(bytes[0]),
    }
}

fn ziplist_shape(prevlen: usize, encoding: u8) -> Shape {
    let (size, encoding_name) = match encoding {
        0x00..=0x3F => (1, "text, its length in 6 bits"),
        0x40..=0x7F => (2, "text, its length in 14 bits"),
        0x80..=0xBF => (5, "text, its length in 32 bits"),
        0xC0 => (1, "an i16"),
        0xD0 => (1, "an i32"),
        0xE0 => (1, "an i64"),
        0xF0 => (1, "an i24"),
        0xFE => (1, "an i8"),
        _ => (1, "in the 4 lower bits, plus 1"),
    };
    Shape {
        prevlen,
        encoding: size,
        encoding_name,
        backlen: 0,
    }
}

fn listpack_shape(entry: &[u8]) -> Shape {
    let (size, encoding_name) = match entry[0] {
        0x00..=0x7F => (1, "7 bits"),
        0x80..=0xBF => (1, "text, its length in 6 bits"),
        0xC0..=0xDF => (2, "13 bits"),
        0xE0..=0xEF => (2, "text, its length in 12 bits"),
        0xF0 => (5, "text, its length in 32 bits"),
        0xF1 => (1, "an i16"),
        0xF2 => (1, "an i24"),
        0xF3 => (1, "an i32"),
        _ => (1, "an i64"),
    };
    Shape {
        prevlen: 0,
        encoding: size,
        encoding_name,
        backlen: (1..=5)
            .find(|size| backlen_size(entry.len() - size) == *size)
            .unwrap_or(1),
    }
}
