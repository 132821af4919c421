//! The append-only file as it lies on the disk: a folder with a manifest, a base and increments, as in Redis 7:
//! <https://redis.io/docs/management/persistence/#log-rewriting>.
//!
//! ```text
//! appendonlydir/
//!   appendonly.aof.manifest      which files belong to it, in which order
//!   appendonly.aof.2.base.rdb    the data at one moment; if `aof-use-rdb-preamble` is `no`, as commands, in a file
//!                                appendonly.aof.2.base.aof
//!   appendonly.aof.3.incr.aof    the effects of all commands since that moment, as they go over the wire
//!   appendonly.aof.4.incr.aof    those since a rewrite has begun that has not ended
//! ```
//!
//! This layer reads and writes bytes: it knows no keyspace and no threads.
//!
//! | file | what it holds |
//! |---|---|
//! | `manifest` | the manifest: which files, in which order, and their names |
//! | `commands` | writes libraries and keys as the commands that create them, for a base without RDB |
//! | `folder` | the order of the operations by which files come into the folder and go |
//! | `increment` | an increment while it is written |
//! | `reader` | the commands of a file, and where a file that was cut off can go on |

pub mod commands;
pub mod folder;
pub mod increment;
pub mod manifest;
pub mod reader;
#[cfg(test)]
pub(crate) mod tests;

pub use folder::{Folder, FolderError};
pub use increment::Increment;
pub use manifest::{FileInfo, Kind, Manifest};
pub use reader::{Item, ReadError, Reader, is_torn};
