//! A hash that a command changes, wherever it lies.

use super::access::AccessClock;
use super::entry::WrongType;
use super::inline_entry::{INLINE_BYTES, InlineEntry, InlineValue};
use super::object_entry::ObjectEntry;
use crate::types::dict::ValueMut;
use crate::types::edit::Edit;
use crate::types::hash::{Hash, HashRef};
use crate::types::limits::CompactLimits;
use crate::types::pairs::{self, PairsRef, pair_bytes};
use std::ops::Range;

/// An [`InlineEntry`], to be changed.
type Inline<'a> = ValueMut<'a, ObjectEntry, AccessClock>;

/// A hash, to be changed.
#[derive(Debug)]
pub enum HashMut<'a> {
    /// It has blocks of its own.
    Own(&'a mut Hash),
    /// It lies in the table.
    Inline(InlinePairs<'a>),
    /// A copy of one that lay in the table and has become too large for it. It replaces that one at the end.
    Outgrown(Hash),
}

impl<'a> HashMut<'a> {
    /// The value of an entry in the table, if it is a hash.
    pub(super) fn inline(entry: Inline<'a>) -> Result<HashMut<'a>, WrongType> {
        let bytes = entry.bytes();
        let InlineValue::Hash(pairs) = InlineEntry::read(bytes).value else {
            return Err(WrongType);
        };
        let head = bytes.len() - pairs.bytes().len();
        Ok(HashMut::Inline(InlinePairs { entry, head }))
    }

    /// The hash, if it has become too large for the table.
    pub(super) fn outgrown(self) -> Option<Hash> {
        match self {
            HashMut::Outgrown(hash) => Some(hash),
            HashMut::Own(_) | HashMut::Inline(_) => None,
        }
    }

    /// The hash, to be read.
    pub fn view(&self) -> HashRef<'_> {
        match self {
            HashMut::Own(hash) => hash.view(),
            HashMut::Outgrown(hash) => hash.view(),
            HashMut::Inline(pairs) => HashRef::Compact(PairsRef::new(pairs.bytes())),
        }
    }

    /// Sets a field; returns whether it is new.
    pub fn insert(&mut self, field: &[u8], value: &[u8], limits: CompactLimits) -> bool {
        match self {
            HashMut::Own(hash) => hash.insert(field, value, limits),
            HashMut::Outgrown(hash) => hash.insert(field, value, limits),
            HashMut::Inline(pairs) if pairs.have_room_for(field, value, limits) => {
                pairs::insert(pairs, field, value)
            }
            HashMut::Inline(_) => {
                *self = HashMut::Outgrown(Hash::from(self.view()));
                self.insert(field, value, limits)
            }
        }
    }

    /// Removes a field; returns whether it existed.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match self {
            HashMut::Own(hash) => hash.remove(field),
            HashMut::Outgrown(hash) => hash.remove(field),
            HashMut::Inline(pairs) => pairs::remove(pairs, field),
        }
    }
}

/// The packed pairs of a hash in the table: the end of an [`InlineEntry`].
#[derive(Debug)]
pub struct InlinePairs<'a> {
    entry: Inline<'a>,
    /// Bytes of the entry before the pairs.
    head: usize,
}

impl InlinePairs<'_> {
    /// Whether a field may be set here.
    fn have_room_for(&self, field: &[u8], value: &[u8], limits: CompactLimits) -> bool {
        let pairs = PairsRef::new(self.bytes());
        let old_bytes = |old: &[u8]| pair_bytes(field.len(), old.len());
        let replaced = pairs.get(field).map(old_bytes);
        let count = pairs.len() + usize::from(replaced.is_none());
        // The count of pairs may get one more digit.
        let added = pair_bytes(field.len(), value.len()) + 1;
        let len = pairs.bytes().len() + added - replaced.unwrap_or(0);
        field.len().max(value.len()) <= limits.value_bytes
            && count <= limits.entries
            && len <= INLINE_BYTES
            && self.entry.may_become(self.head + len)
    }
}

impl Edit for InlinePairs<'_> {
    fn bytes(&self) -> &[u8] {
        &self.entry.bytes()[self.head..]
    }

    fn replace(&mut self, part: Range<usize>, with: &[&[u8]]) {
        let part = self.head + part.start..self.head + part.end;
        self.entry.replace(part, with);
    }
}
