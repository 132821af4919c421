//! A key with a small value, as it lies in the table: a string, or a hash of a few fields.
//!
//! It is a pair of a [`Dict`](crate::types::dict::Dict), whose value is
//!
//! ```text
//!   flags 1 | [deadline 8] | string, or the packed pairs of a hash
//! ```
//!
//! The deadline is there only if the key has one. With the lengths and the slot that the table adds, a key of 16 bytes
//! with a string of 16 bytes takes 43 bytes. Larger values live in an
//! [`ObjectEntry`](super::object_entry::ObjectEntry) instead.

use super::object::{Object, Value};
use super::string_form::StringForm;
use crate::types::hash::{Hash, HashRef};
use crate::types::pairs::PairsRef;
use triomphe::Arc;

/// The largest value that may lie in the table. With a long key, even a smaller one may be too large for a page.
pub const INLINE_BYTES: usize = 512;
/// A hash that has outgrown the table comes back once it is as small as this.
const COMES_BACK_BYTES: usize = INLINE_BYTES / 2;

const HAS_DEADLINE: u8 = 1 << 0;
const IS_TEXT: u8 = 1 << 1;
const IS_RAW: u8 = 1 << 2;
const IS_HASH: u8 = 1 << 3;

const DEADLINE_BYTES: usize = 8;

/// A value with its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InlineEntry<'a> {
    /// The value.
    pub value: InlineValue<'a>,
    /// Unix time in milliseconds at which the key expires.
    pub expires_at_ms: Option<i64>,
}

/// A value that lies in the table, or may be put there if it is small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InlineValue<'a> {
    /// A string, and how it was made.
    String(&'a [u8], StringForm),
    /// A hash of one packed block.
    Hash(PairsRef<'a>),
}

impl<'a> InlineEntry<'a> {
    /// Reads what [`Self::with_parts`] has made.
    pub fn read(bytes: &'a [u8]) -> InlineEntry<'a> {
        let (flags, rest) = bytes.split_first().expect("an entry has flags");
        let (deadline, value) = match flags & HAS_DEADLINE {
            0 => (None, rest),
            _ => rest
                .split_first_chunk()
                .map(|(deadline, value)| (Some(i64::from_le_bytes(*deadline)), value))
                .expect("the flag says that there is a deadline"),
        };
        InlineEntry {
            value: InlineValue::of_flags(*flags, value),
            expires_at_ms: deadline,
        }
    }

    /// Hands over the bytes that lie in the table, part by part.
    pub fn with_parts<T>(&self, take: impl FnOnce(&[&[u8]]) -> T) -> T {
        let mut head = [self.value.flags(); 1 + DEADLINE_BYTES];
        match self.expires_at_ms {
            Some(deadline) => {
                head[0] |= HAS_DEADLINE;
                head[1..].copy_from_slice(&deadline.to_le_bytes());
                take(&[&head, self.value.bytes()])
            }
            None => take(&[&head[..1], self.value.bytes()]),
        }
    }
}

impl<'a> InlineValue<'a> {
    /// The value of an object, if it may lie in the table instead.
    pub fn of(object: &'a Object) -> Option<InlineValue<'a>> {
        let value = match object {
            Object::String(string, form) => InlineValue::String(string, *form),
            Object::Hash(hash) => match hash.view() {
                HashRef::Compact(pairs) => InlineValue::Hash(pairs),
                HashRef::Table(_) => return None,
            },
            _ => return None,
        };
        value.is_small().then_some(value)
    }

    /// Whether it may come back into the table, with a key of this length.
    pub fn comes_back(self, key_len: usize) -> bool {
        self.bytes().len() <= COMES_BACK_BYTES && key_len <= INLINE_BYTES
    }

    /// Whether it may lie in the table.
    pub fn is_small(self) -> bool {
        self.bytes().len() <= INLINE_BYTES
    }

    /// The value as a reader sees it.
    pub fn value(self) -> Value<'a> {
        match self {
            InlineValue::String(string, _) => Value::String(string),
            InlineValue::Hash(pairs) => Value::Hash(HashRef::Compact(pairs)),
        }
    }

    /// A copy with a life of its own.
    pub fn to_object(self) -> Object {
        match self {
            InlineValue::String(string, form) => Object::String(Arc::new(string.to_vec()), form),
            InlineValue::Hash(pairs) => Object::Hash(Hash::from(HashRef::Compact(pairs))),
        }
    }

    /// What `OBJECT ENCODING` says.
    pub fn encoding(self) -> &'static str {
        match self {
            InlineValue::String(string, form) => form.encoding(string),
            InlineValue::Hash(pairs) => HashRef::Compact(pairs).encoding(),
        }
    }

    /// The bytes behind flags and deadline.
    pub fn bytes(self) -> &'a [u8] {
        match self {
            InlineValue::String(string, _) => string,
            InlineValue::Hash(pairs) => pairs.bytes(),
        }
    }

    /// The same value in a copy of its bytes, for which the table may be changed.
    pub fn in_copy(self, bytes: &[u8]) -> InlineValue<'_> {
        InlineValue::of_flags(self.flags(), bytes)
    }

    fn flags(self) -> u8 {
        match self {
            InlineValue::String(_, StringForm::Natural) => 0,
            InlineValue::String(_, StringForm::Text) => IS_TEXT,
            InlineValue::String(_, StringForm::Raw) => IS_RAW,
            InlineValue::Hash(_) => IS_HASH,
        }
    }

    fn of_flags(flags: u8, bytes: &'a [u8]) -> InlineValue<'a> {
        match flags & !HAS_DEADLINE {
            IS_HASH => InlineValue::Hash(PairsRef::new(bytes)),
            0 => InlineValue::String(bytes, StringForm::Natural),
            IS_TEXT => InlineValue::String(bytes, StringForm::Text),
            _ => InlineValue::String(bytes, StringForm::Raw),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_what_it_was_made_of() {
        for bytes in [&b""[..], b"v", &[255; 512]] {
            for expires_at_ms in [None, Some(0), Some(-1), Some(i64::MAX)] {
                for value in [
                    InlineValue::String(bytes, StringForm::Natural),
                    InlineValue::String(bytes, StringForm::Text),
                    InlineValue::String(bytes, StringForm::Raw),
                    InlineValue::Hash(PairsRef::new(bytes)),
                ] {
                    let entry = InlineEntry {
                        value,
                        expires_at_ms,
                    };
                    let bytes = entry.with_parts(|parts| parts.concat());
                    assert_eq!(InlineEntry::read(&bytes), entry);
                }
            }
        }
    }
}
