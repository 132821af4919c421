//! Why an RDB file cannot be read.
//!
//! Every error has the offset of a byte of the file and says what was expected there, so that the damage can be found
//! with a hex editor. If Redis has a text for the damage, that text is used.

use std::borrow::Cow;
use std::fmt;
use std::io;

/// Why reading stopped. Offsets count bytes from the beginning of the input.
#[derive(Debug)]
pub enum RdbError {
    /// The input itself failed, for example the disk.
    Io {
        /// The number of bytes that were read.
        offset: u64,
        /// The error of the system.
        error: io::Error,
    },
    /// The input ended in the middle of an item.
    Truncated {
        /// Where the item begins.
        offset: u64,
        /// The kind of the item.
        expected: &'static str,
    },
    /// The file does not begin with `REDIS`.
    WrongSignature,
    /// The version is older or newer than those that the reader knows.
    UnsupportedVersion(u32),
    /// The checksum is wrong: the bytes have changed since they were written.
    ChecksumMismatch {
        /// Where the checksum stands.
        offset: u64,
        /// The checksum of the bytes before it.
        computed: u64,
        /// The checksum in the file.
        stored: u64,
    },
    /// The bytes have no meaning, or an impossible one.
    BadPayload {
        /// Where the item with the fault begins.
        offset: u64,
        /// The expected bytes, or the fault.
        what: Cow<'static, str>,
    },
    /// A byte in the place of a type or opcode is neither.
    UnknownType {
        /// Where the byte stands.
        offset: u64,
        /// The byte.
        type_code: u8,
    },
}

impl RdbError {
    /// A `BadPayload` with this offset and text.
    pub fn bad(offset: u64, what: impl Into<Cow<'static, str>>) -> RdbError {
        RdbError::BadPayload {
            offset,
            what: what.into(),
        }
    }

    /// The error for a key that the file has twice. `offset` is where the second one begins.
    pub fn key_twice(offset: u64, key: &[u8]) -> RdbError {
        let name = String::from_utf8_lossy(key);
        RdbError::bad(offset, format!("The key '{name}' comes twice"))
    }
}

impl fmt::Display for RdbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RdbError::Io { offset, error } => {
                write!(f, "[offset {offset}] Cannot read on: {error}")
            }
            RdbError::Truncated { offset, expected } => {
                write!(
                    f,
                    "[offset {offset}] Unexpected EOF reading RDB file: expected {expected}"
                )
            }
            RdbError::WrongSignature => {
                write!(f, "[offset 0] Wrong signature trying to load DB from file")
            }
            RdbError::UnsupportedVersion(version) => {
                write!(f, "[offset 5] Can't handle RDB format version {version}")
            }
            RdbError::ChecksumMismatch {
                offset,
                computed,
                stored,
            } => {
                write!(
                    f,
                    "[offset {offset}] Wrong RDB checksum expected: ({computed:x}) but got ({stored:x})"
                )
            }
            RdbError::BadPayload { offset, what } => write!(f, "[offset {offset}] {what}"),
            RdbError::UnknownType { offset, type_code } => {
                write!(f, "[offset {offset}] Unknown RDB encoding type {type_code}")
            }
        }
    }
}

impl std::error::Error for RdbError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            RdbError::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}
