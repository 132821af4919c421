//! A key with its value as a reader sees it, whether it lies in the table or is referred to from there.

use super::access::AccessClock;
use super::inline_entry::InlineEntry;
use super::object::{Collection, Object, Value};
use super::object_entry::ObjectEntry;
use crate::types::dict::{Content, Dict, Item};
use triomphe::Arc;

/// The entries of a shard: small values are pairs ([`InlineEntry`]), everything else is a reference.
///
/// A clone shares the entries and keeps what it saw: it copies the directory, one reference for some 600 keys, and
/// the part of a table that is changed later is copied then.
pub type Table = Dict<ObjectEntry, AccessClock>;

/// The value of the key has another type than the command works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongType;

/// An entry of a [`Table`].
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    content: Content<'a, ObjectEntry>,
    clock: &'a AccessClock,
}

impl<'a> Entry<'a> {
    /// An entry as the table has it.
    pub(super) fn new(item: Item<'a, ObjectEntry, AccessClock>) -> Entry<'a> {
        Entry {
            content: item.content,
            clock: item.mark,
        }
    }

    /// The key.
    pub fn key(self) -> &'a [u8] {
        self.content.key()
    }

    /// The value.
    pub fn value(self) -> Value<'a> {
        match self.content {
            Content::Pair { value, .. } => InlineEntry::read(value).value.value(),
            Content::Reference(entry) => entry.object().value(),
        }
    }

    /// The value with its deadline, if it lies in the table.
    pub(super) fn inline(self) -> Option<InlineEntry<'a>> {
        match self.content {
            Content::Pair { value, .. } => Some(InlineEntry::read(value)),
            Content::Reference(_) => None,
        }
    }

    /// The value, if it is a string.
    pub fn string(self) -> Result<&'a [u8], WrongType> {
        match self.value() {
            Value::String(string) => Ok(string),
            _ => Err(WrongType),
        }
    }

    /// The value, if it is a collection of this type.
    pub fn collection<C: Collection>(self) -> Result<C::View<'a>, WrongType> {
        C::of(self.value()).ok_or(WrongType)
    }

    /// The value, if it does not lie in the table.
    pub fn object(self) -> Option<&'a Object> {
        match self.content {
            Content::Pair { .. } => None,
            Content::Reference(entry) => Some(entry.object()),
        }
    }

    /// A string as a reference of its own, if it is large: it can leave the lock without a copy.
    pub fn shared_string(self) -> Option<&'a Arc<Vec<u8>>> {
        match self.object()? {
            Object::String(string, _) => Some(string),
            _ => None,
        }
    }

    /// Unix time in milliseconds at which the key expires.
    pub fn expires_at_ms(self) -> Option<i64> {
        match self.content {
            Content::Pair { value, .. } => InlineEntry::read(value).expires_at_ms,
            Content::Reference(entry) => entry.expires_at_ms(),
        }
    }

    /// Whether the key has expired at this time.
    pub fn is_expired(self, now_ms: i64) -> bool {
        self.expires_at_ms()
            .is_some_and(|deadline| deadline <= now_ms)
    }

    /// What `OBJECT ENCODING` answers.
    pub fn encoding(self) -> &'static str {
        match self.content {
            Content::Pair { value, .. } => InlineEntry::read(value).value.encoding(),
            Content::Reference(entry) => match entry.object() {
                Object::String(string, form) => form.encoding(string),
                Object::List(list) if list.is_compact() => "listpack",
                Object::List(_) => "quicklist",
                Object::Hash(hash) => hash.view().encoding(),
                Object::Set(set) => set.encoding(),
                Object::SortedSet(set) if set.is_compact() => "listpack",
                Object::SortedSet(_) => "skiplist",
                Object::Stream(_) => "stream",
            },
        }
    }

    /// Bytes of memory that key and value take; those of a large collection are estimated from this many samples.
    pub fn memory_bytes(self, samples: usize) -> usize {
        let own = match self.content {
            Content::Pair { .. } => 0,
            Content::Reference(entry) => entry.memory_bytes(samples),
        };
        Table::entry_bytes(self.content) + own
    }

    /// When the key was last used.
    pub fn clock(self) -> &'a AccessClock {
        self.clock
    }

    /// The value as one of its own. A small one is copied; a collection is shared, and copied when it is changed.
    pub fn to_object(self) -> Object {
        match self.content {
            Content::Pair { value, .. } => InlineEntry::read(value).value.to_object(),
            Content::Reference(entry) => entry.object().clone(),
        }
    }
}
