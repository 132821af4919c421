//! Decoders of Redis' packed encodings: one block of memory that holds a whole small collection.
//!
//! Redis saves such blocks as they are, as one RDB string, so a file holds whatever encoding its Redis had in memory.
//! Each decoder is an iterator over the entries of a block. The bytes are not trusted: each read is checked against the
//! end of the block, and what the block says of itself (its size, its count) must agree with what is found.

pub mod intset;
pub mod listpack;
pub mod ziplist;
pub mod zipmap;

use intset::Intset;
use listpack::Listpack;
use ziplist::Ziplist;
use zipmap::Zipmap;

/// Which of the encodings a block has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// A set of integers.
    Intset,
    /// A list of anything.
    Listpack,
    /// A list of anything, in older files.
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

    /// Gives each entry of `block` to `visit`.
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
    /// An integer, which stands for its decimal text.
    Integer(i64),
}

/// What is wrong in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodingError {
    /// The byte of the block where it was noticed.
    pub at: usize,
    /// What is wrong there.
    pub what: &'static str,
}

impl EncodingError {
    fn new(at: usize, what: &'static str) -> EncodingError {
        EncodingError { at, what }
    }
}

/// A place in a block, which never leaves it.
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

    /// The next byte, which stays.
    fn peek(&self) -> Result<u8, EncodingError> {
        self.clone().byte()
    }

    fn is_at_end(&self) -> bool {
        self.at == self.block.len()
    }
}
