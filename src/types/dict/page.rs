//! A page of a [`Dict`](super::Dict): the entries of one interval of hashes, searched one by one.
//!
//! ```text
//!   slots:       tag 12 bits | is a reference 1 | place 19     mark     (one for each entry)
//!   bytes:       key length, value length, key, value; key length, ...  (pairs; lengths are LEB128 numbers)
//!   references:  pairs that are too large, and objects                  (8 bytes each, with a block of its own)
//! ```
//!
//! A small pair lies in the page itself: it costs its bytes, two bytes of lengths and its slot, but no block of memory
//! of its own. A tag is 12 bits of the hash, so a wrong entry is compared in one of 4096 cases only. A pair that is
//! removed leaves a hole. Holes are closed when room is needed. A value is changed in place, and what follows moves.

use super::{Content, Item, Keyed, hash};
use crate::types::blocks::vec_bytes;
use crate::types::edit::{self, Edit, len_of};
use crate::types::packed::{encode_length, length_bytes, make_room};
use crate::types::pairs::{self, pair_bytes};
use smallvec::SmallVec;
use std::ops::Range;

/// The largest pair, with its lengths; a larger one is kept by reference.
const PAIR_BYTES: usize = 1024;
/// A pair is kept by reference, too, if its page has this many bytes of pairs already: a hundred times as many as
/// usual. Only keys chosen to collide can cause that.
const MOST_BYTES: usize = 400 * 1024;

const PLACE_BITS: u32 = 20;
const IS_REFERENCE: u32 = 1 << (PLACE_BITS - 1);
const PLACE: u32 = IS_REFERENCE - 1;

/// Some entries of a table.
#[derive(Clone, Debug)]
pub(super) struct Page<R, M> {
    slots: Vec<Slot<M>>,
    bytes: Vec<u8>,
    /// Bytes of the holes.
    holes: usize,
    references: Vec<R>,
}

#[derive(Clone, Debug)]
struct Slot<M> {
    tag_and_place: u32,
    mark: M,
}

/// The place of an entry in its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The offset of a pair in `bytes`.
    Pair(usize),
    /// An index into `references`.
    Reference(usize),
}

impl<M> Slot<M> {
    fn new(tag: u32, place: Place, mark: M) -> Slot<M> {
        let mut slot = Slot {
            tag_and_place: tag << PLACE_BITS,
            mark,
        };
        slot.set_place(place);
        slot
    }

    fn tag(&self) -> u32 {
        self.tag_and_place >> PLACE_BITS
    }

    fn place(&self) -> Place {
        let number = (self.tag_and_place & PLACE) as usize;
        if self.tag_and_place & IS_REFERENCE == 0 {
            Place::Pair(number)
        } else {
            Place::Reference(number)
        }
    }

    fn set_place(&mut self, place: Place) {
        let (number, flag) = match place {
            Place::Pair(offset) => (offset, 0),
            Place::Reference(index) => (index, IS_REFERENCE),
        };
        let number = u32::try_from(number).ok().filter(|number| *number <= PLACE);
        let number = number.expect("no pair is added to a page of this size");
        self.tag_and_place = self.tag() << PLACE_BITS | flag | number;
    }
}

impl<R, M> Default for Page<R, M> {
    fn default() -> Self {
        Page {
            slots: Vec::new(),
            bytes: Vec::new(),
            holes: 0,
            references: Vec::new(),
        }
    }
}

/// Reading.
impl<R: Keyed, M> Page<R, M> {
    pub(super) const SLOT_BYTES: usize = size_of::<Slot<M>>();

    /// The number of entries.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Bytes of all pairs.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len() - self.holes
    }

    /// Bytes of its blocks of memory. `of_reference` gives the bytes of a reference's object.
    pub(super) fn memory_bytes(&self, of_reference: impl Fn(&R) -> usize) -> usize {
        let referred: usize = self.references.iter().map(of_reference).sum();
        vec_bytes(&self.slots) + vec_bytes(&self.bytes) + vec_bytes(&self.references) + referred
    }

    /// The slot of the entry with this tag that passes the test.
    pub(super) fn find(&self, tag: u32, test: impl Fn(Item<'_, R, M>) -> bool) -> Option<usize> {
        (0..self.slots.len()).find(|&slot| self.slots[slot].tag() == tag && test(self.item(slot)))
    }

    /// The entry in a slot with its mark.
    pub(super) fn item(&self, slot: usize) -> Item<'_, R, M> {
        Item {
            content: self.content(slot),
            mark: &self.slots[slot].mark,
        }
    }

    /// The mark of the entry in a slot.
    pub(super) fn mark(&self, slot: usize) -> &M {
        &self.slots[slot].mark
    }

    /// The entries.
    pub(super) fn items(&self) -> impl Iterator<Item = Item<'_, R, M>> {
        (0..self.len()).map(|slot| self.item(slot))
    }

    /// Key and value of the entry in a slot.
    #[inline]
    pub(super) fn content(&self, slot: usize) -> Content<'_, R> {
        match self.slots[slot].place() {
            Place::Pair(offset) => {
                let (key, value) = self.pair(offset);
                Content::Pair { key, value }
            }
            Place::Reference(index) => Content::Reference(&self.references[index]),
        }
    }

    /// Bytes that the entry in a slot takes as a pair, 0 for a reference.
    fn pair_bytes(&self, slot: usize) -> usize {
        match self.content(slot) {
            Content::Pair { key, value } => pair_bytes(key.len(), value.len()),
            Content::Reference(_) => 0,
        }
    }

    /// Loads the memory that a new entry will need into the cache: all slots, line by line, and the end of the bytes.
    pub(super) fn fetch(&self) -> u32 {
        let lines = self.slots.iter().step_by(64 / size_of::<Slot<M>>());
        let end = self.bytes.last().copied().unwrap_or(0);
        lines.fold(u32::from(end), |sum, slot| sum ^ slot.tag_and_place)
    }

    /// Loads the page itself, without its slots and bytes, into the cache.
    pub(super) fn fetch_itself(&self) -> usize {
        self.slots.len() ^ self.bytes.len()
    }

    /// The first slot with this tag.
    pub(super) fn first_with(&self, tag: u32) -> Option<usize> {
        self.slots.iter().position(|slot| slot.tag() == tag)
    }

    /// Loads the entry in a slot into the cache: the beginning and the end of a pair of usual size.
    pub(super) fn fetch_entry(&self, slot: usize) -> usize {
        match self.slots[slot].place() {
            Place::Pair(offset) => {
                let end = (offset + 63).min(self.bytes.len() - 1);
                usize::from(self.bytes[offset] ^ self.bytes[end])
            }
            Place::Reference(index) => self.references[index].key().len(),
        }
    }

    #[inline]
    fn pair(&self, offset: usize) -> (&[u8], &[u8]) {
        let (key, value, _) = pairs::split(&self.bytes[offset..]);
        (key, value)
    }
}

/// Writing.
impl<R: Keyed, M> Page<R, M> {
    /// Adds a pair whose value is the parts, joined; or a reference to it, if it is too large.
    pub(super) fn push_pair(&mut self, tag: u32, key: &[u8], value: &[&[u8]], mark: M) {
        if pair_bytes(key.len(), len_of(value)) > PAIR_BYTES || self.bytes.len() > MOST_BYTES {
            return self.push_reference(tag, R::of_pair(key, &value.concat()), mark);
        }
        let place = self.append(key, value);
        self.push(tag, place, mark);
    }

    /// Adds a reference.
    pub(super) fn push_reference(&mut self, tag: u32, reference: R, mark: M) {
        let place = Place::Reference(self.references.len());
        make_room(&mut self.references, 1);
        self.references.push(reference);
        self.push(tag, place, mark);
    }

    /// Replaces an entry by a pair with its key. Returns the old reference, if the entry was one.
    pub(super) fn set_pair(&mut self, slot: usize, key: &[u8], value: &[&[u8]]) -> Option<R> {
        if let Some(mut old) = self.value_mut(slot) {
            let (old_len, len) = (old.value.len(), len_of(value));
            if len == old_len {
                edit::write(&mut old.page.bytes[old.value], value);
                return None;
            }
            if old.may_become(len) {
                old.replace(0..old_len, value);
                return None;
            }
        }
        let (slot, old) = self.take(slot);
        self.push_pair(slot.tag(), key, value, slot.mark);
        old
    }

    /// The value of the pair in a slot, to be changed.
    pub(super) fn value_mut(&mut self, slot: usize) -> Option<ValueMut<'_, R, M>> {
        let Place::Pair(offset) = self.slots[slot].place() else {
            return None;
        };
        let (key, value) = self.pair(offset);
        let (key_len, value_len) = (key.len(), value.len());
        let end = offset + pair_bytes(key_len, value_len);
        Some(ValueMut {
            page: self,
            slot,
            key_len,
            value: end - value_len..end,
        })
    }

    /// Replaces an entry by a reference with its key. Returns the old reference, if the entry was one.
    pub(super) fn set_reference(&mut self, slot: usize, reference: R) -> Option<R> {
        let (slot, old) = self.take(slot);
        self.push_reference(slot.tag(), reference, slot.mark);
        old
    }

    /// The reference in a slot.
    pub(super) fn reference_mut(&mut self, slot: usize) -> Option<&mut R> {
        match self.slots[slot].place() {
            Place::Reference(index) => Some(&mut self.references[index]),
            Place::Pair(_) => None,
        }
    }

    /// Removes an entry. Returns its reference, if it was one.
    pub(super) fn remove(&mut self, slot: usize) -> Option<R> {
        let (_, removed) = self.take(slot);
        if self.slots.is_empty() {
            *self = Page::default();
        } else if self.holes > self.bytes.len() / 2 {
            self.close_holes(0);
            self.slots
                .shrink_to(self.slots.len() + self.slots.len() / 8);
        }
        removed
    }

    /// Removes all entries for whose hash the test is true, and returns them as a page.
    pub(super) fn split(&mut self, moves: impl Fn(u64) -> bool) -> Page<R, M>
    where
        M: Clone,
    {
        let moving: SmallVec<[bool; 128]> = (0..self.len())
            .map(|slot| moves(hash(self.content(slot).key())))
            .collect();
        let (mut kept, mut moved) = (self.emptied(&moving, false), self.emptied(&moving, true));
        for (slot, moves) in moving.iter().enumerate() {
            let page = if *moves { &mut moved } else { &mut kept };
            page.push_copy(self, slot);
        }
        *self = kept;
        moved
    }

    /// Adds the entries of another page.
    pub(super) fn absorb(&mut self, other: &Page<R, M>)
    where
        M: Clone,
    {
        (0..other.len()).for_each(|slot| self.push_copy(other, slot));
    }

    /// An empty page with room for the entries that are (or are not) to move.
    fn emptied(&self, moving: &[bool], moves: bool) -> Page<R, M> {
        let chosen = (0..self.len()).filter(|slot| moving[*slot] == moves);
        let (count, bytes) = chosen.fold((0, 0), |(count, bytes), slot| {
            (count + 1, bytes + self.pair_bytes(slot))
        });
        let mut page = Page::default();
        make_room(&mut page.slots, count + count / 4);
        make_room(&mut page.bytes, bytes + bytes / 4);
        page
    }

    fn push_copy(&mut self, from: &Page<R, M>, slot: usize)
    where
        M: Clone,
    {
        let (tag, mark) = (from.slots[slot].tag(), from.slots[slot].mark.clone());
        match from.content(slot) {
            Content::Pair { key, value } => self.push_pair(tag, key, &[value], mark),
            Content::Reference(reference) => self.push_reference(tag, reference.clone(), mark),
        }
    }

    fn push(&mut self, tag: u32, place: Place, mark: M) {
        make_room(&mut self.slots, 1);
        self.slots.push(Slot::new(tag, place, mark));
    }

    fn append(&mut self, key: &[u8], value: &[&[u8]]) -> Place {
        let value_len = len_of(value);
        self.make_room(pair_bytes(key.len(), value_len));
        let offset = self.bytes.len();
        for len in [key.len(), value_len] {
            let (digits, count) = encode_length(len);
            self.bytes.extend_from_slice(&digits[..count]);
        }
        self.bytes.extend_from_slice(key);
        value
            .iter()
            .for_each(|part| self.bytes.extend_from_slice(part));
        Place::Pair(offset)
    }

    /// Makes room for `bytes` more bytes, by closing holes if they are large enough.
    fn make_room(&mut self, bytes: usize) {
        let is_full = self.bytes.capacity() - self.bytes.len() < bytes;
        if is_full && self.holes > self.bytes.len() / 8 {
            self.close_holes(bytes);
        } else {
            make_room(&mut self.bytes, bytes);
        }
    }

    /// Copies the pairs without holes into a new block, with room for some more bytes.
    fn close_holes(&mut self, room: usize) {
        let mut bytes = Vec::new();
        make_room(&mut bytes, self.bytes.len() - self.holes + room);
        for slot in 0..self.slots.len() {
            if let Place::Pair(offset) = self.slots[slot].place() {
                self.slots[slot].set_place(Place::Pair(bytes.len()));
                let (key, value) = self.pair(offset);
                let end = offset + pair_bytes(key.len(), value.len());
                bytes.extend_from_slice(&self.bytes[offset..end]);
            }
        }
        self.bytes = bytes;
        self.holes = 0;
    }

    /// Removes a slot, together with its reference if it has one.
    fn take(&mut self, slot: usize) -> (Slot<M>, Option<R>) {
        let len = self.pair_bytes(slot);
        let slot = self.slots.swap_remove(slot);
        let reference = match slot.place() {
            Place::Pair(offset) => {
                if offset + len == self.bytes.len() {
                    self.bytes.truncate(offset);
                } else {
                    self.holes += len;
                }
                None
            }
            Place::Reference(index) => {
                let reference = self.references.swap_remove(index);
                // The last reference has filled the gap, so its slot gets a new place.
                let last = Place::Reference(self.references.len());
                if let Some(moved) = self.slots.iter_mut().find(|slot| slot.place() == last) {
                    moved.set_place(Place::Reference(index));
                }
                Some(reference)
            }
        };
        (slot, reference)
    }
}

/// The value of a pair, to be changed in its page.
#[derive(Debug)]
pub struct ValueMut<'a, R, M> {
    page: &'a mut Page<R, M>,
    slot: usize,
    key_len: usize,
    /// Where it lies in the page's bytes.
    value: Range<usize>,
}

impl<R: Keyed, M> ValueMut<'_, R, M> {
    /// Whether the value may get this length and stay in the page.
    pub fn may_become(&self, len: usize) -> bool {
        let fits = || pair_bytes(self.key_len, len) <= PAIR_BYTES;
        len <= self.value.len() || fits() && self.page.bytes.len() <= MOST_BYTES
    }

    /// Where the pair begins in the page's bytes.
    fn start(&self) -> usize {
        self.value.end - pair_bytes(self.key_len, self.value.len())
    }

    /// Replaces a part of the value, given by its place in the page's bytes, by one of another length. The length of
    /// the value and the places of the pairs behind it follow.
    fn resize(&mut self, part: Range<usize>, with: &[&[u8]]) {
        let (old_len, start) = (self.value.len(), self.start());
        let len = old_len - part.len() + len_of(with);
        let old_digits = start + length_bytes(self.key_len)..self.value.start - self.key_len;
        let (digits, count) = encode_length(len);
        let old_end = self.value.end;
        self.page.bytes.replace(part, with);
        self.page.bytes.replace(old_digits, &[&digits[..count]]);
        let end = start + pair_bytes(self.key_len, len);
        self.value = end - len..end;
        for slot in &mut self.page.slots {
            if let Place::Pair(offset) = slot.place()
                && offset > start
            {
                slot.set_place(Place::Pair(offset - old_end + end));
            }
        }
    }
}

impl<R: Keyed, M> Edit for ValueMut<'_, R, M> {
    fn bytes(&self) -> &[u8] {
        &self.page.bytes[self.value.clone()]
    }

    /// The value [may get](ValueMut::may_become) the length that results.
    fn replace(&mut self, part: Range<usize>, with: &[&[u8]]) {
        if len_of(with) > part.len() {
            // The length of the value may get one more digit.
            self.page.make_room(len_of(with) - part.len() + 1);
            // If that has closed holes, all pairs have moved.
            if let Place::Pair(offset) = self.page.slots[self.slot].place() {
                let (len, start) = (self.value.len(), self.value.start - self.start() + offset);
                self.value = start..start + len;
            }
        }
        let part_in_page = self.value.start + part.start..self.value.start + part.end;
        if len_of(with) == part.len() {
            return edit::write(&mut self.page.bytes[part_in_page], with);
        }
        let is_shorter = len_of(with) < part.len();
        self.resize(part_in_page, with);
        if is_shorter {
            edit::give_back(&mut self.page.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use triomphe::Arc;

    /// A pair as a reference.
    #[derive(Clone, Debug)]
    struct Large(Arc<(Vec<u8>, Vec<u8>)>);

    impl Keyed for Large {
        fn of_pair(key: &[u8], value: &[u8]) -> Large {
            Large(Arc::new((key.to_vec(), value.to_vec())))
        }

        fn key(&self) -> &[u8] {
            &self.0.0
        }
    }

    fn filled(numbers: Range<u32>) -> Page<Large, ()> {
        let mut page = Page::default();
        numbers.for_each(|number| push(&mut page, number));
        page
    }

    fn push(page: &mut Page<Large, ()>, number: u32) {
        page.push_pair(7, &number.to_le_bytes(), &[&[number as u8; 990]], ());
    }

    fn check(page: &Page<Large, ()>, numbers: Range<u32>) {
        for number in numbers {
            let is_key = |item: Item<Large, ()>| item.content.key() == number.to_le_bytes();
            let value = match page.content(page.find(7, is_key).unwrap()) {
                Content::Pair { value, .. } => value,
                Content::Reference(large) => &large.0.1,
            };
            assert_eq!(value, [number as u8; 990]);
        }
    }

    /// As if an attacker had chosen keys that all fall into one page.
    #[test]
    fn a_page_with_very_many_bytes_takes_references() {
        let mut page = Page::default();
        page.push_pair(7, b"grows", &[b"1"], ());
        (0..1000).for_each(|number| push(&mut page, number));
        check(&page, 0..1000);
        assert!(page.set_pair(0, b"grows", &[&[2; 100]]).is_none());
        let grown = page.content(page.len() - 1);
        assert!(matches!(grown, Content::Reference(large) if large.0.1 == [2; 100]));
        assert!(!page.references.is_empty() && page.bytes() < IS_REFERENCE as usize);
        page.absorb(&filled(1000..2000));
        check(&page, 0..2000);
        assert!(page.bytes() < IS_REFERENCE as usize);
        let moved = page.split(|hash| hash & 1 == 1);
        assert_eq!(page.len() + moved.len(), 2001);
    }
}
