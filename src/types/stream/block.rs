//! A block of entries: a listpack, the unit in which a stream stores, shares and drops its entries.
//!
//! ```text
//! size count |  live deleted  n  field 1 ... field n  0                         the master entry
//!            |  flags  ms  seq  value 1 ... value n  elements                   an entry with the master's fields
//!            |  flags  ms  seq  m  field 1  value 1 ... field m  value m  elements    one with its own
//!            |  ...
//!            |  FF
//! ```
//!
//! The fields of the block's first entry are its master fields. Further entries with these fields, in this order, leave
//! them out: in a stream of uniform entries, names cost nothing. The ID of an entry is kept as the difference from the
//! ID of the first entry, which is the key of the block ([`entries`](super::entries)); mostly that is a small number.
//! Each entry ends with the number of its elements, so that it can be found from behind.
//!
//! An entry that is deleted is marked, and its bytes stay until the whole block goes. Redis does the same.

use super::id::StreamId;
use crate::types::blocks::{shared_bytes, vec_bytes};
use crate::types::listpack::{self, Element, HEADER};
use crate::types::packed::make_room;

/// A flag of an entry: it is deleted.
pub const FLAG_DELETED: i64 = 1;
/// A flag of an entry: it has the master entry's fields.
pub const FLAG_SAME_FIELDS: i64 = 2;

/// Elements of an entry before its fields and values: flags and the two parts of its ID.
pub const HEAD_ELEMENTS: usize = 3;

/// Bytes from which a block grows by the block sizes of the allocator, which are an eighth to a quarter apart.
const LARGE_BYTES: usize = 4096;
/// Bytes of an element beside its text, at most: its head and its size.
const MOST_OVERHEAD: usize = 10;

/// Entries. The IDs of live ones ascend; that of a deleted one has no meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block(Vec<u8>);

/// The number of a block's entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) live: u64,
    pub(super) deleted: u64,
}

impl Block {
    /// A block with these master fields and no entry. `pairs` are fields and values, alternating.
    pub(super) fn new(pairs: &[&[u8]]) -> Block {
        let mut bytes = vec![0; HEADER];
        for head in [0, 0, pairs.len() as i64 / 2] {
            listpack::push_integer(&mut bytes, head);
        }
        for field in pairs.iter().step_by(2) {
            listpack::push_text(&mut bytes, field);
        }
        listpack::push_integer(&mut bytes, 0);
        bytes.push(listpack::END);
        listpack::store_size(&mut bytes);
        listpack::count_elements(&mut bytes, 4 + pairs.len() / 2);
        Block(bytes)
    }

    /// The block that is this listpack, whose layout must have been checked. `counts` replaces the counts in its head,
    /// which are not trusted.
    pub(super) fn of_listpack(bytes: Vec<u8>, counts: Counts) -> Block {
        let mut block = Block(bytes);
        if block.counts() != counts {
            block.set_counts(counts);
        }
        block
    }

    /// The listpack.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Bytes of its blocks of memory.
    pub(super) fn memory_bytes(&self) -> usize {
        shared_bytes::<Block>() + vec_bytes(&self.0)
    }

    /// How many entries it holds.
    pub(super) fn counts(&self) -> Counts {
        let (live, at) = listpack::read(&self.0, HEADER);
        let (deleted, _) = listpack::read(&self.0, at);
        Counts {
            live: live.integer() as u64,
            deleted: deleted.integer() as u64,
        }
    }

    fn set_counts(&mut self, counts: Counts) {
        let deleted_at = listpack::replace_integer(&mut self.0, HEADER, counts.live as i64);
        listpack::replace_integer(&mut self.0, deleted_at, counts.deleted as i64);
    }

    /// Appends an entry. `master` is the ID of the block, `pairs` are fields and values, alternating.
    pub(super) fn push(&mut self, master: StreamId, id: StreamId, pairs: &[&[u8]]) {
        let Counts { live, .. } = self.counts();
        listpack::replace_integer(&mut self.0, HEADER, live as i64 + 1);
        let has_master_fields = self.has_master_fields(pairs);
        let bytes = &mut self.0;
        if bytes.len() >= LARGE_BYTES {
            // Doubling the room of a large block would waste too much.
            let texts: usize = pairs.iter().map(|text| text.len()).sum();
            make_room(
                bytes,
                texts + MOST_OVERHEAD * (pairs.len() + HEAD_ELEMENTS + 2),
            );
        }
        bytes.pop();
        let (flags, elements) = match has_master_fields {
            true => (FLAG_SAME_FIELDS, HEAD_ELEMENTS + pairs.len() / 2),
            false => (0, HEAD_ELEMENTS + 1 + pairs.len()),
        };
        listpack::push_integer(bytes, flags);
        listpack::push_integer(bytes, id.ms.wrapping_sub(master.ms) as i64);
        listpack::push_integer(bytes, id.seq.wrapping_sub(master.seq) as i64);
        if has_master_fields {
            let values = pairs.iter().skip(1).step_by(2);
            values.for_each(|value| listpack::push_text(bytes, value));
        } else {
            listpack::push_integer(bytes, pairs.len() as i64 / 2);
            pairs
                .iter()
                .for_each(|text| listpack::push_text(bytes, text));
        }
        listpack::push_integer(bytes, elements as i64);
        bytes.push(listpack::END);
        listpack::store_size(bytes);
        listpack::count_elements(bytes, elements + 1);
    }

    fn has_master_fields(&self, pairs: &[&[u8]]) -> bool {
        let (len, mut at) = self.master_fields();
        let mut buffer = itoa::Buffer::new();
        len * 2 == pairs.len()
            && pairs.iter().step_by(2).all(|field| {
                let (master, next) = listpack::read(&self.0, at);
                at = next;
                master.text(&mut buffer) == *field
            })
    }

    /// The number of master fields, and where they begin.
    fn master_fields(&self) -> (usize, usize) {
        let deleted_at = listpack::skip(&self.0, HEADER);
        let len_at = listpack::skip(&self.0, deleted_at);
        let (len, at) = listpack::read(&self.0, len_at);
        (len.integer() as usize, at)
    }

    /// Gives back the memory that was kept for further entries.
    pub(super) fn shrink(&mut self) {
        self.0.shrink_to_fit();
    }

    /// All entries, the deleted ones included. `master` is the ID of the block.
    pub(super) fn entries(&self, master: StreamId) -> BlockEntries<'_> {
        let (master_len, fields_at) = self.master_fields();
        let end_of_fields = (0..master_len).fold(fields_at, |at, _| listpack::skip(&self.0, at));
        BlockEntries {
            bytes: &self.0,
            master,
            master_len,
            fields_at,
            front: listpack::skip(&self.0, end_of_fields),
            back: self.0.len() - 1,
        }
    }

    /// Marks live entries as deleted: those at these places, which must be [places](Entry::place) of live entries.
    pub(super) fn delete(&mut self, places: impl ExactSizeIterator<Item = usize>) {
        let Counts { live, deleted } = self.counts();
        let count = places.len() as u64;
        for place in places {
            // Flags take one byte each: `push` writes them so, and those of a file are checked.
            self.0[place] |= FLAG_DELETED as u8;
        }
        self.set_counts(Counts {
            live: live - count,
            deleted: deleted + count,
        });
    }
}

/// The entries of a block, from both ends.
#[derive(Clone, Debug)]
pub(super) struct BlockEntries<'a> {
    bytes: &'a [u8],
    master: StreamId,
    master_len: usize,
    fields_at: usize,
    front: usize,
    back: usize,
}

impl<'a> BlockEntries<'a> {
    /// The entry that begins at `place`.
    #[inline]
    fn entry_at(&self, place: usize) -> Entry<'a> {
        let (flags, at) = listpack::read(self.bytes, place);
        let (ms, at) = listpack::read(self.bytes, at);
        let (seq, at) = listpack::read(self.bytes, at);
        let flags = flags.integer();
        let has_master_fields = flags & FLAG_SAME_FIELDS != 0;
        let (len, at) = match has_master_fields {
            true => (self.master_len, at),
            false => {
                let (len, at) = listpack::read(self.bytes, at);
                (len.integer() as usize, at)
            }
        };
        Entry {
            id: StreamId {
                ms: self.master.ms.wrapping_add(ms.integer() as u64),
                seq: self.master.seq.wrapping_add(seq.integer() as u64),
            },
            place,
            flags,
            fields: Fields {
                bytes: self.bytes,
                names_at: has_master_fields.then_some(self.fields_at),
                at,
                remaining: len,
            },
        }
    }
}

impl<'a> Iterator for BlockEntries<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        if self.front >= self.back {
            return None;
        }
        let entry = self.entry_at(self.front);
        self.front = listpack::skip(self.bytes, entry.fields.end());
        Some(entry)
    }
}

impl<'a> DoubleEndedIterator for BlockEntries<'a> {
    #[inline]
    fn next_back(&mut self) -> Option<Entry<'a>> {
        if self.front >= self.back {
            return None;
        }
        let elements_at = listpack::skip_back(self.bytes, self.back);
        let (elements, _) = listpack::read(self.bytes, elements_at);
        let elements = 0..elements.integer();
        self.back = elements.fold(elements_at, |at, _| listpack::skip_back(self.bytes, at));
        Some(self.entry_at(self.back))
    }
}

/// An entry of a stream.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Its ID.
    pub id: StreamId,
    /// Where it begins in the block.
    pub(super) place: usize,
    flags: i64,
    fields: Fields<'a>,
}

impl<'a> Entry<'a> {
    /// Whether it is deleted, and only its place is left.
    pub(super) fn is_deleted(&self) -> bool {
        self.flags & FLAG_DELETED != 0
    }

    /// Its fields and their values.
    pub fn fields(&self) -> Fields<'a> {
        self.fields.clone()
    }
}

/// Fields and values of an entry.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    bytes: &'a [u8],
    /// Where the next name lies among the master fields; `None` if names and values alternate.
    names_at: Option<usize>,
    at: usize,
    remaining: usize,
}

impl Fields<'_> {
    /// Where the last value ends.
    #[inline]
    fn end(&self) -> usize {
        let elements = match self.names_at {
            Some(_) => self.remaining,
            None => 2 * self.remaining,
        };
        (0..elements).fold(self.at, |at, _| listpack::skip(self.bytes, at))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Element<'a>, Element<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.remaining = self.remaining.checked_sub(1)?;
        let name = match &mut self.names_at {
            Some(at) => {
                let (name, next) = listpack::read(self.bytes, *at);
                *at = next;
                name
            }
            None => {
                let (name, next) = listpack::read(self.bytes, self.at);
                self.at = next;
                name
            }
        };
        let (value, next) = listpack::read(self.bytes, self.at);
        self.at = next;
        Some((name, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining, Some(self.remaining))
    }
}

impl ExactSizeIterator for Fields<'_> {}
