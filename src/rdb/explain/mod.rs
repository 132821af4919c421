//! Explains an RDB file byte by byte: passes the meaning of each field to a [`Sink`].
//!
//! The reader converts a file to values and drops their encoding. The walker goes through the file, too, but passes on
//! every field as it is encoded. It needs little memory for a file of any size: one compressed string or one packed
//! block at a time, 16 bytes for each member of a set (to find duplicates, as the reader does), and the pending ids of
//! a stream's group.
//!
//! ```text
//! frame     header, opcodes, keys, end and checksum           fields, sections
//! value     one function for each layout of a value          ----------------->  Sink: text, HTML, statistics
//! stream    nodes, groups, pending entries
//! text      lengths and strings in all their forms
//! block     ziplist, listpack, intset, zipmap
//! ```
//!
//! The walker shares with the reader the constants of `format`, the `Source` of bytes and lengths, with its errors, and
//! the decoders of packed blocks in `encodings`. Only the order of the fields is coded twice, here and in the reader.
//! The tests compare both for many files, whole, cut off or damaged: they must find equal keys, and the fault at the
//! same byte. So a change of the reader needs a change here.

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

/// The number of bytes of a long string that are passed on; the rest is only counted.
pub const EXCERPT_LEN: usize = 4096;

/// The kind of a field's bytes, for colours and for filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Magic and version.
    Header,
    /// An opcode.
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
    /// The size of the previous entry, for backward walks.
    BackLink,
    /// Compressed bytes, explained in their plain form.
    Compressed,
    /// Unused bytes.
    Unused,
    /// The end of a block or of the data.
    End,
    /// The checksum of the file.
    Checksum,
    /// The bytes after the end of the data, or after a fault.
    Rest,
}

/// The place of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// At a byte of the file.
    File(u64),
    /// At a byte of a block that is compressed in the file.
    Plain(u64),
}

impl Place {
    /// The place `bytes` bytes later.
    fn plus(self, bytes: usize) -> Place {
        match self {
            Place::File(offset) => Place::File(offset + bytes as u64),
            Place::Plain(offset) => Place::Plain(offset + bytes as u64),
        }
    }
}

/// The first bytes of a string, at most [`EXCERPT_LEN`], and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excerpt<'a> {
    /// The first bytes.
    pub shown: &'a [u8],
    /// The length of the whole string.
    pub total: u64,
}

impl<'a> Excerpt<'a> {
    /// The excerpt of a string that is in memory as a whole.
    pub fn of(bytes: &'a [u8]) -> Excerpt<'a> {
        Excerpt {
            shown: &bytes[..bytes.len().min(EXCERPT_LEN)],
            total: bytes.len() as u64,
        }
    }
}

/// A field: some bytes of the file, and their meaning.
#[derive(Clone, Copy)]
pub struct Field<'a> {
    /// Their place.
    pub place: Place,
    /// The bytes.
    pub bytes: Excerpt<'a>,
    /// Their kind.
    pub role: Role,
    /// Their meaning in words; computed only if it is printed.
    pub meaning: fmt::Arguments<'a>,
    /// A string that belongs to the words, to be printed in quotes after them.
    pub text: Option<Excerpt<'a>>,
}

/// A section: several fields that belong together.
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

/// The facts about a key, known at its end.
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
    /// The number of elements, members, fields or entries; 1 for a string.
    pub elements: u64,
    /// The encoding of its string, if it is one.
    pub string_form: Option<StringForm>,
}

/// The receiver of fields and sections. An error ends the walk.
pub trait Sink {
    /// The next field. The fields of the file come in order and cover every byte. The fields of a compressed block
    /// follow the field with its compressed bytes.
    fn field(&mut self, field: &Field<'_>) -> io::Result<()>;

    /// A section begins at `place`.
    fn enter(&mut self, place: Place, section: &Section<'_>) -> io::Result<()>;

    /// The section entered last ends.
    fn leave(&mut self) -> io::Result<()>;

    /// A key has ended; the end of its section follows.
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

/// The place of a module's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModuleData {
    /// In the value of a key.
    Value,
    /// Beside the keys.
    Aux,
}

/// The result of a walk.
#[derive(Debug)]
pub struct Outcome {
    /// The fault at which it ended early.
    pub fault: Option<RdbError>,
    /// The number of bytes of the file that the fields cover.
    pub explained: u64,
    /// The number of bytes that follow: bytes after a fault, or after the end of the data.
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
