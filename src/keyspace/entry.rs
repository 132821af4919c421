//! A key with its value as a reader sees it, whichever table it lies in.

use super::object::{Object, Value};
use super::object_entry::ObjectEntry;
use super::string_entry::StringEntry;
use crate::types::dict::DictEntry;
use triomphe::Arc;

/// Seconds of access times wrap around here (194 days), as in Redis.
const CLOCK_MASK: u32 = 0xff_ffff;

/// The value of the key has another type than the command works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongType;

/// A reference to an entry.
#[derive(Clone, Copy, Debug)]
pub enum Entry<'a> {
    /// A key with a string in its own block.
    String(&'a StringEntry),
    /// A key with anything else.
    Object(&'a ObjectEntry),
}

/// An entry taken out of the keyspace; dropping it may take as long as its value is large.
#[derive(Clone, Debug)]
pub enum OwnedEntry {
    /// A key with a string in its own block.
    String(StringEntry),
    /// A key with anything else.
    Object(ObjectEntry),
}

impl<'a> Entry<'a> {
    /// The key.
    pub fn key(self) -> &'a [u8] {
        match self {
            Entry::String(entry) => entry.key(),
            Entry::Object(entry) => entry.key(),
        }
    }

    /// The value.
    pub fn value(self) -> Value<'a> {
        match self {
            Entry::String(entry) => Value::String(entry.value()),
            Entry::Object(entry) => entry.object().value(),
        }
    }

    /// The value, if it is a string.
    pub fn string(self) -> Result<&'a [u8], WrongType> {
        match self.value() {
            Value::String(string) => Ok(string),
            _ => Err(WrongType),
        }
    }

    /// A string as a reference of its own, if it is large: it can leave the lock without a copy.
    pub fn shared_string(self) -> Option<&'a Arc<Vec<u8>>> {
        match self {
            Entry::Object(entry) => match entry.object() {
                Object::String(string) => Some(string),
                _ => None,
            },
            Entry::String(_) => None,
        }
    }

    /// Unix time in milliseconds at which the key expires.
    pub fn expires_at_ms(self) -> Option<i64> {
        match self {
            Entry::String(entry) => entry.expires_at_ms(),
            Entry::Object(entry) => entry.expires_at_ms(),
        }
    }

    /// Whether the key has expired at this time.
    pub fn is_expired(self, now_ms: i64) -> bool {
        self.expires_at_ms()
            .is_some_and(|deadline| deadline <= now_ms)
    }

    /// What `OBJECT ENCODING` answers.
    pub fn encoding(self) -> &'static str {
        match self.value() {
            Value::String(_) => match self {
                Entry::String(entry) => entry.encoding(),
                Entry::Object(_) => "raw",
            },
            Value::List(list) if list.is_compact() => "listpack",
            Value::List(_) => "quicklist",
            Value::Hash(hash) if hash.is_compact() => "listpack",
            Value::Hash(_) => "hashtable",
        }
    }

    /// Seconds since the last access.
    pub fn idle_s(self, now_ms: i64) -> u32 {
        let clock = match self {
            Entry::String(entry) => entry.clock(),
            Entry::Object(entry) => entry.clock(),
        };
        clock_of(now_ms).wrapping_sub(clock) & CLOCK_MASK
    }

    /// Notes an access.
    pub fn touch(self, now_ms: i64) {
        // Written once a second at most: readers of one key should not fight for its cache line.
        if self.idle_s(now_ms) != 0 {
            self.set_idle_s(0, now_ms);
        }
    }

    /// Notes that the last access lies this many seconds back.
    pub fn set_idle_s(self, idle_s: u32, now_ms: i64) {
        let clock = clock_of(now_ms).wrapping_sub(idle_s) & CLOCK_MASK;
        match self {
            Entry::String(entry) => entry.set_clock(clock),
            Entry::Object(entry) => entry.set_clock(clock),
        }
    }

    /// The entry as a reference of its own.
    pub fn to_owned(self) -> OwnedEntry {
        match self {
            Entry::String(entry) => OwnedEntry::String(entry.clone()),
            Entry::Object(entry) => OwnedEntry::Object(entry.clone()),
        }
    }
}

impl OwnedEntry {
    /// The entry as a reader sees it.
    pub fn as_ref(&self) -> Entry<'_> {
        match self {
            OwnedEntry::String(entry) => Entry::String(entry),
            OwnedEntry::Object(entry) => Entry::Object(entry),
        }
    }

    /// The same value under this key with this deadline. A value that nobody else holds is moved, not copied.
    pub fn rebuilt(self, key: &[u8], expires_at_ms: Option<i64>) -> OwnedEntry {
        match self {
            OwnedEntry::String(entry) => OwnedEntry::String(StringEntry::new(
                key,
                entry.value(),
                entry.form(),
                expires_at_ms,
            )),
            OwnedEntry::Object(entry) => {
                OwnedEntry::Object(ObjectEntry::new(key, entry.into_object(), expires_at_ms))
            }
        }
    }
}

/// What an entry's clock says of an access at this time.
pub(super) fn clock_of(now_ms: i64) -> u32 {
    (now_ms / 1000) as u32 & CLOCK_MASK
}
