//! An RDB file byte by byte: what each of them means, told to a [`Sink`].
//!
//! The reader turns a file into values and forgets how they were written. Here it is the other way round: the walker
//! goes through the same layout and hands over every field as it comes, so a file of any size needs little memory. Kept
//! are only one compressed string or one packed block at a time, 16 bytes for each member of a set (to notice one that
//! is there twice, as the reader does), and the pending ids of a stream's group.
//!
//! ```text
//! frame     header, opcodes, keys, end and checksum           fields, sections
//! value     one function for each layout of a value          ----------------->  Sink: text, HTML, statistics
//! stream    nodes, groups, pending entries
//! text      lengths and strings in all their forms
//! block     ziplist, listpack, intset, zipmap
//! ```
//!
//! What a file is made of is not said anew: constants come from `format`, bytes and lengths through the reader's
//! `Source`, with its errors, and packed blocks are taken apart by the decoders in `encodings`. The order of the fields
//! is told here and in the reader; `tests` proves that both tell the same of every file, whole, cut off or damaged: the
//! same keys and the same fault at the same byte. Whoever changes the reader changes this, and the tests insist on it.

mod block;
mod frame;
mod names;
mod stream;
#[cfg(test)]
mod tests;
mod text;
mod value;

use std::fmt;
use std::io::{self, Read};

use super::error::RdbError;

pub use names::{opcode_name, type_name};
pub use text::StringForm;

/// Of a long string the first so many bytes are handed over; the rest is counted.
pub const EXCERPT_LEN: usize = 4096;

/// What kind of byte a field is, for colours and for filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Magic and version.
    Header,
    /// An opcode: what comes next.
    Opcode,
    /// The type of a key's value.
    Type,
    /// A length or a count.
    Length,
    /// The first byte of a string in a special form.
    Form,
    /// The name of a key.
    Key,
    /// The bytes of a string.
    Text,
    /// A number: an integer, a score, an id.
    Number,
    /// A moment or a span of time.
    Time,
    /// The header of a packed block.
    BlockHeader,
    /// The encoding byte of an entry in a packed block.
    Encoding,
    /// The way back to the entry before.
    BackLink,
    /// Compressed bytes, explained in their plain form.
    Compressed,
    /// Bytes that nothing uses.
    Unused,
    /// The end of a block or of the data.
    End,
    /// The checksum of the file.
    Checksum,
    /// What follows the end of the data, or the fault.
    Rest,
}

/// Where a field stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At a byte of the file.
    File(u64),
    /// At a byte of a block that is compressed in the file.
    Plain(u64),
}

impl Place {
    /// So many bytes further on.
    fn plus(self, bytes: usize) -> Place {
        match self {
            Place::File(offset) => Place::File(offset + bytes as u64),
            Place::Plain(offset) => Place::Plain(offset + bytes as u64),
        }
    }
}

/// The beginning of some bytes, [`EXCERPT_LEN`] of them at most, and how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excerpt<'a> {
    /// The first of them.
    pub shown: &'a [u8],
    /// How many there are in all.
    pub total: u64,
}

impl<'a> Excerpt<'a> {
    /// Of bytes that are all there.
    pub fn of(bytes: &'a [u8]) -> Excerpt<'a> {
        Excerpt {
            shown: &bytes[..bytes.len().min(EXCERPT_LEN)],
            total: bytes.len() as u64,
        }
    }
}

/// Some bytes of the file, and what they mean.
#[derive(Clone, Copy)]
pub struct Field<'a> {
    /// Where they stand.
    pub place: Place,
    /// The bytes.
    pub bytes: Excerpt<'a>,
    /// What kind of bytes they are.
    pub role: Role,
    /// What they mean, in words; computed only if it is printed.
    pub meaning: fmt::Arguments<'a>,
    /// A string that belongs to the words, to be quoted behind them.
    pub text: Option<Excerpt<'a>>,
}

/// What several fields make together.
#[derive(Clone, Copy)]
pub enum Section<'a> {
    /// The keys of a database, up to the next SELECTDB.
    Database(u64),
    /// A key with its value.
    Key {
        /// Its name.
        name: Excerpt<'a>,
        /// The type of its value.
        type_code: u8,
    },
    /// Anything within a value: a block, a node, a group.
    Part(fmt::Arguments<'a>),
}

/// What is known of a key at its end.
#[derive(Clone, Copy, Debug)]
pub struct KeyFacts<'a> {
    /// Its name.
    pub name: Excerpt<'a>,
    /// Its database.
    pub database: u64,
    /// The type of its value.
    pub type_code: u8,
    /// When it expires, ms since 1970.
    pub expires_at_ms: Option<i64>,
    /// The bytes of the file that it takes, from its first opcode on.
    pub bytes: u64,
    /// How many elements, members, fields or entries it has; 1 for a string.
    pub elements: u64,
    /// How its string was written, if it is one.
    pub string_form: Option<StringForm>,
}

/// Who is told. An error ends the walk.
pub trait Sink {
    /// The next field. Those of the file come in order and leave nothing out; those of a compressed block follow the
    /// field with its compressed bytes.
    fn field(&mut self, field: &Field<'_>) -> io::Result<()>;

    /// A section begins at `place`.
    fn enter(&mut self, place: Place, section: &Section<'_>) -> io::Result<()>;

    /// The section entered last ends.
    fn leave(&mut self) -> io::Result<()>;

    /// A key has ended, but for its section.
    fn key(&mut self, _facts: &KeyFacts<'_>) -> io::Result<()> {
        Ok(())
    }

    /// A string of `plain` bytes took `stored` bytes of the file, with its lengths.
    fn string(&mut self, _form: StringForm, _stored: u64, _plain: u64) {}

    /// A function library has ended. None if its first line does not name it.
    fn library(&mut self, _name: Option<&[u8]>) {}

    /// Data of a module begins.
    fn module(&mut self, _name: &str, _data: ModuleData) {}
}

/// Where a module has its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModuleData {
    /// In the value of a key.
    Value,
    /// Beside the keys.
    Aux,
}

/// How far the walk has come.
#[derive(Debug)]
pub struct Outcome {
    /// Why it ended early.
    pub fault: Option<RdbError>,
    /// The bytes of the file that the fields account for.
    pub explained: u64,
    /// The bytes that follow: after a fault what nobody can explain, else what no reader reads.
    pub rest: u64,
}

/// Explains a file. It is buffered here.
///
/// # Errors
/// Those of the sink. A fault of the file is part of the outcome.
pub fn explain<R: Read>(input: R, sink: &mut impl Sink) -> io::Result<Outcome> {
    frame::Walker::new(input, sink).run()
}

/// Why the walk stops.
enum Stop {
    Fault(RdbError),
    Sink(io::Error),
}

impl From<RdbError> for Stop {
    fn from(error: RdbError) -> Stop {
        Stop::Fault(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::Sink(error)
    }
}

type Walk<T> = Result<T, Stop>;
