//! Why an RDB file cannot be read.
//!
//! Every error says at which byte of the file it arose and what was expected there, so that the damage can be found
//! with a hex editor. The texts that Redis prints for the same damage are kept where Redis has one.

use std::borrow::Cow;
use std::fmt;
use std::io;

/// Why reading stopped. Offsets count bytes from the beginning of the input.
#[derive(Debug)]
pub enum RdbError {
    /// The input itself failed, for example the disk.
    Io {
        /// How far reading had come.
        offset: u64,
        /// What the system said.
        error: io::Error,
    },
    /// The input ended in the middle of something.
    Truncated {
        /// Where that something began.
        offset: u64,
        /// What it was.
        expected: &'static str,
    },
    /// The file does not begin with `REDIS`.
    WrongSignature,
    /// The version is older or newer than what we understand.
    UnsupportedVersion(u32),
    /// The bytes are not those that were written.
    ChecksumMismatch {
        /// Where the checksum stands.
        offset: u64,
        /// What the bytes before it amount to.
        computed: u64,
        /// What the file says.
        stored: u64,
    },
    /// The bytes mean nothing, or something that cannot be.
    BadPayload {
        /// Where the item with the fault begins.
        offset: u64,
        /// What was expected, or what is wrong.
        what: Cow<'static, str>,
    },
    /// A byte stands where a type or opcode must, and is neither.
    UnknownType {
        /// Where the byte stands.
        offset: u64,
        /// The byte.
        type_code: u8,
    },
}

impl RdbError {
    /// A `BadPayload`, in few words at the place that finds it.
    pub fn bad(offset: u64, what: impl Into<Cow<'static, str>>) -> RdbError {
        RdbError::BadPayload {
            offset,
            what: what.into(),
        }
    }

    /// A key whose name was there before. `offset` is where the second one begins.
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
