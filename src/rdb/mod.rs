//! The RDB file: format, writer, reader, explain.
//!
//! The reader returns items in file order, with values as plain lists of byte strings. The writer takes values in an
//! equivalent form. So every part can be used and tested alone. Of the server's data structures, this layer uses the
//! stream: its blocks lie in a file as they lie in memory.
//!
//! Read `format` first: it opens with a whole file, byte by byte. Then either side:
//!
//! | writing | reading |
//! |---|---|
//! | `writer`: the frame of a file | `reader`: the frame of a file |
//! | `encoder`: keys, values, strings | `value`: the values, `encodings`: packed ones |
//! | `file`: replacing a file as a whole | `source`: bytes, lengths, strings; `elements`: many strings in one block |
//! | | `verify`: whether a file is whole |
//!
//! Both use `checksum`. Streams have a folder, `stream`. `payload` is a single value: DUMP and RESTORE.
//!
//! `function` finds the name of a function library, and has the words for one that cannot be loaded.
//!
//! `explain` reads a file for people: it gives the meaning of every byte.

pub mod checksum;
mod elements;
pub mod encoder;
pub mod encodings;
pub mod error;
pub mod explain;
pub mod file;
pub mod format;
pub mod function;
pub mod payload;
pub mod reader;
mod source;
mod stream;
#[cfg(test)]
mod tests;
mod value;
pub mod verify;
pub mod writer;

pub use elements::Elements;
pub use encoder::{Encoder, Usage, ValueRef};
pub use error::RdbError;
pub use reader::{Fate, Item, KeyRecord, Reader};
pub use value::{ListNodes, Value};
pub use writer::{Writer, WriterOptions};
