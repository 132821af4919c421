//! The stream value: entries, consumer groups, and their pending entries.
//!
//! Redis keeps a stream's entries in listpacks of about a hundred, and saves these listpacks unchanged:
//!
//! ```text
//! STREAM_LISTPACKS, _2, _3:
//!   number of listpacks, then for each:  master id (string of 16 bytes: ms and seq, u64 big-endian)  listpack (string)
//!   length of the stream, last id
//!   _2, _3:  first id, largest deleted id, entries ever added
//!   number of groups, then for each:
//!     name, last delivered id,  _2, _3: entries read (all bits set: unknown)
//!     number of pending entries, then for each:  id (16 bytes)  delivery time (i64, ms)  delivery count
//!     number of consumers, then for each:  name  seen time (i64, ms)  _3: active time (i64, ms)
//!                                          number of its pending entries, then the id of each (16 bytes)
//! ```
//!
//! An ID is written as two lengths, ms and seq, unless the drawing says 16 bytes.
//!
//! A stream in memory keeps its entries in these very listpacks (`types/stream/block.rs` draws one), so they are read
//! and written as they are. What is read is checked to the last element, because nothing checks it later.
//!
//! | file | what it does |
//! |---|---|
//! | `reader` | reads a stream, or skips it |
//! | `nodes` | reads the nodes; those of a large stream are checked by a second thread |
//! | `check` | checks a listpack |
//! | `writer` | writes a stream; the nodes of a large one are encoded by two threads |
//! | `supplement` | a field for what the older types lack |

mod check;
mod nodes;
mod reader;
pub(super) mod supplement;
mod writer;

pub(super) use check::{Order, check_listpack};
pub(super) use reader::{read, skip};
pub(super) use writer::write;

use super::format::value_type;

/// A group's number of entries read, if it is not known.
const UNKNOWN: u64 = u64::MAX;

/// A stream of this many nodes is large. In a dump, its nodes are checked, or encoded, by a second thread beside that
/// of the loader or the saver, for which a single key would occupy one thread.
const MANY_NODES: u64 = 512;
/// Nodes that are handed from thread to thread together.
const BATCH: usize = 64;
/// Batches that one thread may be ahead of the other.
const BATCHES_AHEAD: usize = 4;

/// The type in which a stream is written in files of this version.
pub(super) fn type_for(version: u32) -> u8 {
    match version {
        ..10 => value_type::STREAM_LISTPACKS,
        10 => value_type::STREAM_LISTPACKS_2,
        11.. => value_type::STREAM_LISTPACKS_3,
    }
}
