//! Decoders of Redis' packed encodings: a small collection in one block of memory.
//!
//! Redis saves such a block unchanged, as one RDB string, so a file has the encoding that its Redis had in memory. Each
//! decoder is an iterator over the entries of a block. The bytes are not trusted: each read is checked against the end
//! of the block, and the size and count in the header must agree with the entries.

pub mod intset;
pub mod listpack;
pub mod ziplist;
pub mod zipmap;

use intset::Intset;
use listpack::Listpack;
use ziplist::Ziplist;
use zipmap::Zipmap;

/// The encoding of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// A set of integers.
    Intset,
    /// Any small collection, as a list of entries.
    Listpack,
    /// Any small collection, as a list of entries, in older files.
    Ziplist,
    /// A hash, in very old files.
    Zipmap,
}

impl Encoding {
    /// Its name in Redis.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Intset => "intset",
            Encoding::Listpack => "listpack",
            Encoding::Ziplist => "ziplist",
            Encoding::Zipmap => "zipmap",
        }
    }

    /// Passes each entry of `block` to `visit`.
    pub fn for_each(
        self,
        block: &[u8],
        mut visit: impl FnMut(Entry<'_>),
    ) -> Result<(), EncodingError> {
        match self {
            Encoding::Intset => Intset::new(block)?.try_for_each(|entry| entry.map(&mut visit)),
            Encoding::Listpack => Listpack::new(block)?.try_for_each(|entry| entry.map(&mut visit)),
            Encoding::Ziplist => Ziplist::new(block)?.try_for_each(|entry| entry.map(&mut visit)),
            Encoding::Zipmap => Zipmap::new(block)?.try_for_each(|entry| entry.map(&mut visit)),
        }
    }
}

/// One entry of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// A byte string.
    Text(&'a [u8]),
    /// An integer; the entry is its decimal text.
    Integer(i64),
}

/// An error in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodingError {
    /// The offset in the block.
    pub at: usize,
    /// The fault.
    pub what: &'static str,
}

impl EncodingError {
    fn new(at: usize, what: &'static str) -> EncodingError {
        EncodingError { at, what }
    }
}

/// A position in a block, which never moves beyond its end.
#[derive(Clone, Debug)]
struct Cursor<'a> {
    block: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn new(block: &'a [u8]) -> Cursor<'a> {
        Cursor { block, at: 0 }
    }

    /// The next `len` bytes.
    fn take(&mut self, len: usize) -> Result<&'a [u8], EncodingError> {
        let end = self
            .at
            .checked_add(len)
            .filter(|&end| end <= self.block.len());
        let Some(end) = end else {
            return Err(EncodingError::new(self.at, "entry runs past the end"));
        };
        let bytes = &self.block[self.at..end];
        self.at = end;
        Ok(bytes)
    }

    fn byte(&mut self) -> Result<u8, EncodingError> {
        Ok(self.take(1)?[0])
    }

    /// The next byte, without consuming it.
    fn peek(&self) -> Result<u8, EncodingError> {
        self.clone().byte()
    }

    fn is_at_end(&self) -> bool {
        self.at == self.block.len()
    }
}
