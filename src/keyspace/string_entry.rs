//! A key with a string, in one block of memory.
//!
//! ```text
//!   references 8 | length 8 | key length 4 | flags 1, clock 3 | [deadline 8] | key ... | value ...
//! ```
//!
//! A key of 16 bytes with a value of 16 bytes takes 56 bytes, and reading it touches one place in memory. The deadline
//! is there only if the key has one. Strings longer than [`INLINE_BYTES`] live in an
//! [`ObjectEntry`](super::object_entry::ObjectEntry) instead.
//!
//! An entry is a shared reference: a snapshot holds the same blocks as the keyspace. Only a block that nobody else holds
//! is changed in place, so a snapshot keeps what it saw.

use crate::types::dict::DictEntry;
use crate::util::number;
use smallvec::SmallVec;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use triomphe::{Arc, ThinArc};

/// The longest string that lies in the block of its key.
pub const INLINE_BYTES: usize = 512;

/// Blocks up to this size are put together on the stack.
const STACK_BYTES: usize = 256;
/// The longest string that Redis calls `embstr`.
const EMBSTR_BYTES: usize = 44;

const HAS_DEADLINE: u32 = 1 << 0;
const IS_TEXT: u32 = 1 << 1;
const IS_RAW: u32 = 1 << 2;
const FLAGS: u32 = 0xff;

/// A key with a string.
#[derive(Clone, Debug)]
pub struct StringEntry(ThinArc<Header, u8>);

#[derive(Debug)]
struct Header {
    key_len: u32,
    /// The flags above, and in the high 24 bits the second of the last access, which readers set under a shared lock.
    clock_and_flags: AtomicU32,
}

/// What `OBJECT ENCODING` is to say of a string; it depends on the command that made it, not on its bytes alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StringForm {
    /// `int` if the bytes are a canonical integer, else by length.
    Natural,
    /// By length alone: results of INCRBYFLOAT.
    Text,
    /// `raw` whatever the length: strings changed in place, by APPEND and SETRANGE.
    Raw,
}

impl DictEntry for StringEntry {
    fn key(&self) -> &[u8] {
        let start = self.key_start();
        &self.0.slice[start..start + self.0.header.header.key_len as usize]
    }
}

impl StringEntry {
    /// A key with a string of at most [`INLINE_BYTES`].
    pub fn new(
        key: &[u8],
        value: &[u8],
        form: StringForm,
        expires_at_ms: Option<i64>,
    ) -> StringEntry {
        let mut bytes = SmallVec::<[u8; STACK_BYTES]>::with_capacity(8 + key.len() + value.len());
        let mut flags = form.flags();
        if let Some(deadline) = expires_at_ms {
            flags |= HAS_DEADLINE;
            bytes.extend_from_slice(&deadline.to_le_bytes());
        }
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(value);
        let header = Header {
            key_len: key.len() as u32,
            clock_and_flags: AtomicU32::new(flags),
        };
        StringEntry(ThinArc::from_header_and_slice(header, &bytes))
    }

    /// The string.
    pub fn value(&self) -> &[u8] {
        &self.0.slice[self.key_start() + self.0.header.header.key_len as usize..]
    }

    /// Writes another string of the same length and form over this one; `false` if that cannot be done in place.
    pub fn overwrite(&mut self, value: &[u8], form: StringForm) -> bool {
        if self.flags() & !HAS_DEADLINE != form.flags() || self.value().len() != value.len() {
            return false;
        }
        self.0.with_arc_mut(|block| match Arc::get_mut(block) {
            Some(block) => {
                let bytes = block.slice_mut();
                let start = bytes.len() - value.len();
                bytes[start..].copy_from_slice(value);
                true
            }
            None => false,
        })
    }

    /// The form the string was made with.
    pub fn form(&self) -> StringForm {
        match self.flags() & (IS_TEXT | IS_RAW) {
            0 => StringForm::Natural,
            IS_TEXT => StringForm::Text,
            _ => StringForm::Raw,
        }
    }

    /// What `OBJECT ENCODING` says of the string.
    pub fn encoding(&self) -> &'static str {
        let value = self.value();
        match self.form() {
            StringForm::Natural if number::parse_i64(value).is_some() => "int",
            StringForm::Natural | StringForm::Text if value.len() <= EMBSTR_BYTES => "embstr",
            _ => "raw",
        }
    }

    /// Unix time in milliseconds at which the key expires.
    pub fn expires_at_ms(&self) -> Option<i64> {
        if self.flags() & HAS_DEADLINE == 0 {
            return None;
        }
        self.0
            .slice
            .first_chunk()
            .map(|bytes| i64::from_le_bytes(*bytes))
    }

    /// The second of the last access, modulo 2^24.
    pub fn clock(&self) -> u32 {
        self.0.header.header.clock_and_flags.load(Relaxed) >> 8
    }

    /// Notes an access at this second, modulo 2^24.
    pub fn set_clock(&self, now_s: u32) {
        let state = &self.0.header.header.clock_and_flags;
        state.store(now_s << 8 | state.load(Relaxed) & FLAGS, Relaxed);
    }

    fn flags(&self) -> u32 {
        self.0.header.header.clock_and_flags.load(Relaxed) & FLAGS
    }

    fn key_start(&self) -> usize {
        if self.flags() & HAS_DEADLINE != 0 {
            8
        } else {
            0
        }
    }
}

impl StringForm {
    fn flags(self) -> u32 {
        match self {
            StringForm::Natural => 0,
            StringForm::Text => IS_TEXT,
            StringForm::Raw => IS_RAW,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_what_it_was_made_of() {
        for (key, value) in [(&b""[..], &b""[..]), (b"k", b"v"), (&[0; 300], &[255; 512])] {
            for deadline in [None, Some(0), Some(-1), Some(i64::MAX)] {
                for form in [StringForm::Natural, StringForm::Text, StringForm::Raw] {
                    let entry = StringEntry::new(key, value, form, deadline);
                    assert_eq!((entry.key(), entry.value()), (key, value));
                    assert_eq!((entry.form(), entry.expires_at_ms()), (form, deadline));
                }
            }
        }
    }

    /// As redis-server 7.0.15 answers after SET, INCRBYFLOAT and APPEND.
    #[test]
    fn encodings() {
        let long = [b'x'; 45];
        for (value, natural, text) in [
            (&b"12345"[..], "int", "embstr"),
            (b"-9223372036854775808", "int", "embstr"),
            (b"007", "embstr", "embstr"),
            (b"", "embstr", "embstr"),
            (&long[..44], "embstr", "embstr"),
            (&long, "raw", "raw"),
        ] {
            let encoding = |form| StringEntry::new(b"k", value, form, None).encoding();
            assert_eq!(encoding(StringForm::Natural), natural);
            assert_eq!(encoding(StringForm::Text), text);
            assert_eq!(encoding(StringForm::Raw), "raw");
        }
    }

    #[test]
    fn only_an_entry_that_nobody_else_holds_is_written_over() {
        let mut entry = StringEntry::new(b"k", b"old", StringForm::Natural, Some(7));
        assert!(!entry.overwrite(b"longer", StringForm::Natural));
        assert!(!entry.overwrite(b"new", StringForm::Raw));
        let other = entry.clone();
        assert!(!entry.overwrite(b"new", StringForm::Natural));
        drop(other);
        assert!(entry.overwrite(b"new", StringForm::Natural));
        assert_eq!(
            (entry.key(), entry.value(), entry.expires_at_ms()),
            (&b"k"[..], &b"new"[..], Some(7))
        );
    }

    #[test]
    fn the_clock_leaves_the_flags_alone() {
        let entry = StringEntry::new(b"k", b"v", StringForm::Raw, Some(7));
        entry.set_clock(0xff_ffff);
        assert_eq!(entry.clock(), 0xff_ffff);
        assert_eq!(
            (entry.form(), entry.expires_at_ms()),
            (StringForm::Raw, Some(7))
        );
    }
}
