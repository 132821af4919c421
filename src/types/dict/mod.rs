//! The hash table under the keyspace, under hashes, sets and sorted sets.
//!
//! **Structure.** A table of pages (`page.rs`), each with some 25 entries: small pairs of byte strings packed one after
//! the other, and references to larger entries or objects. The hash chooses the page, and 12 more bits of it find the
//! entry there.
//!
//! **Growth.** By linear hashing (Litwin, "Linear hashing: a new tool for file and table addressing", 1980), one page
//! at a time. A table of `n` pages, `2^k <= n < 2^(k+1)`, files an entry under the low `k + 1` bits of its hash if that
//! page exists already, else under the low `k`. Adding page `n` moves to it those entries of page `n - 2^k` that have
//! bit `k` set, and touches nothing else: no pause, no second table, and the load stays constant.
//!
//! **Scanning.** Read backwards, low bit first, the hashes put all entries into one order, and each page is one
//! interval of it. A SCAN cursor is a place in this order (see [`Dict::scan`]). So the cursor stays valid while pages
//! split and merge: an entry that is in the table during the whole scan is returned.
//!
//! **Sharing.** Pages lie in a vector that clones share (`shared_vec.rs`), so a clone of a table costs almost nothing.
//! A table that is changed later copies only the part that changes (copy-on-write). So the saver clones a shard's
//! table, and a huge hash that is changed while it is saved is not copied as a whole. Memory is freed as the table
//! shrinks.

mod page;
mod prefetch;
mod shared_vec;
#[cfg(test)]
mod tests;

use super::blocks::spread;
use super::draw::Selection;
use super::pairs::pair_bytes;
use foldhash::fast::RandomState;
use page::Page;
pub use page::ValueMut;
use shared_vec::SharedVec;
use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher};
use std::sync::LazyLock;

/// The table grows when its pages have more than this many entries each, on average...
const PAGE_ENTRIES: usize = 32;
/// ...or more than this many bytes of pairs.
const PAGE_BYTES: usize = 4096;
/// The table shrinks when two pages would be enough for the entries of five.
const SHRINK_BELOW: (usize, usize) = (2, 5);
/// A page with more entries than this is scanned in four steps, so that one step does not return very many.
const SCANNED_AT_ONCE: usize = 8;
/// [`Dict::random`] draws a page and one of this many places in it. Longer pages are too rare to matter.
const PLACES: usize = 128;

/// The secret of [`hash`], different in every process.
static HASH_KEY: LazyLock<std::hash::RandomState> = LazyLock::new(Default::default);

/// The hash of a key: SipHash-1-3 with a secret of 128 bits, as in the standard library. (Redis: SipHash-1-2.)
///
/// What it promises: a client that does not know the secret cannot find keys that collide, even after seeing the hashes
/// of as many keys as it likes. That is needed, since SCAN returns keys in the order of their hashes, and the time of
/// a request tells how full a page is. A faster hash without this promise would let a client fill one page with all its
/// keys, so that each look-up takes as long as there are keys. Aumasson, Bernstein, "SipHash: a fast short-input PRF",
/// 2012.
pub fn hash(key: &[u8]) -> u64 {
    let mut hasher = HASH_KEY.build_hasher();
    hasher.write(key);
    hasher.finish()
}

/// The page from which a page other than the first was split off.
pub fn parent_of(page: usize) -> usize {
    page ^ 1 << page.ilog2()
}

/// A shared reference of 8 bytes to an object with a key. A [`Dict`] holds such references beside its pairs.
pub trait Keyed: Clone {
    /// A reference to a copy of a pair that is too large for a page.
    fn of_pair(key: &[u8], value: &[u8]) -> Self;

    /// The key, unique in the table.
    fn key(&self) -> &[u8];
}

/// A key and its value.
#[derive(Debug)]
pub enum Content<'a, R> {
    /// Bytes that lie in the table itself.
    Pair {
        /// The key.
        key: &'a [u8],
        /// The value.
        value: &'a [u8],
    },
    /// An object outside the table, which knows its key.
    Reference(&'a R),
}

// `derive` would require that `R` is `Copy` and `Clone`.
impl<R> Copy for Content<'_, R> {}

impl<R> Clone for Content<'_, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<'a, R: Keyed> Content<'a, R> {
    /// The key.
    pub fn key(self) -> &'a [u8] {
        match self {
            Content::Pair { key, .. } => key,
            Content::Reference(reference) => reference.key(),
        }
    }
}

/// An entry: a key with its value, and the mark that the user of the table has put on it.
#[derive(Debug)]
pub struct Item<'a, R, M> {
    /// Key and value.
    pub content: Content<'a, R>,
    /// The mark.
    pub mark: &'a M,
}

/// The position of an entry, valid until the next change of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    page: usize,
    slot: usize,
}

/// A hash table of pairs of byte strings, of references `R` that know their keys, and with a mark `M` on each.
#[derive(Clone, Debug)]
pub struct Dict<R, M = ()> {
    pages: SharedVec<Page<R, M>>,
    len: usize,
    /// Bytes of all pairs.
    bytes: usize,
}

impl<R, M> Default for Dict<R, M> {
    fn default() -> Self {
        Dict {
            pages: SharedVec::default(),
            len: 0,
            bytes: 0,
        }
    }
}

/// Reading.
impl<R: Keyed, M: Clone> Dict<R, M> {
    /// The number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of its blocks of memory, estimated from `samples` pages. `of_reference` gives the bytes of a reference's
    /// object.
    pub fn memory_bytes(&self, samples: usize, of_reference: impl Fn(&R) -> usize) -> usize {
        let places = spread(samples, self.pages.len());
        let (mut bytes, mut entries) = (0, 0);
        for place in places {
            let page = self.pages.get(place);
            bytes += page.memory_bytes(&of_reference);
            entries += page.len();
        }
        // The estimate is in proportion to the entries, not the pages: a page that was split has half as many entries.
        self.pages.memory_bytes()
            + (bytes as u128 * self.len as u128 / entries.max(1) as u128) as usize
    }

    /// Bytes that one entry takes in the pages: a pair with its lengths, or a reference, and the slot. Spare room is
    /// not counted.
    pub fn entry_bytes(content: Content<'_, R>) -> usize {
        let bytes = match content {
            Content::Pair { key, value } => pair_bytes(key.len(), value.len()),
            Content::Reference(_) => size_of::<R>(),
        };
        bytes + Page::<R, M>::SLOT_BYTES
    }

    /// The entry of `key`, whose hash the caller has.
    pub fn get(&self, hash: u64, key: &[u8]) -> Option<Item<'_, R, M>> {
        self.position(hash, key).map(|position| self.item(position))
    }

    /// Where the entry of `key` is.
    pub fn position(&self, hash: u64, key: &[u8]) -> Option<Position> {
        self.find(hash, |item| item.content.key() == key)
    }

    /// The position of the first entry that passes the test, among entries with the tag of this hash. The test must
    /// compare the keys: different hashes may have one tag.
    pub fn find(&self, hash: u64, test: impl Fn(Item<'_, R, M>) -> bool) -> Option<Position> {
        let page = self.page_if_any(hash)?;
        let slot = self.pages.get(page).find(tag(hash), test)?;
        Some(Position { page, slot })
    }

    /// The entry at a position.
    pub fn item(&self, position: Position) -> Item<'_, R, M> {
        self.pages.get(position.page).item(position.slot)
    }

    /// The number of pages. One change of the table changes it by one at most.
    pub fn pages(&self) -> usize {
        self.pages.len()
    }

    /// The page that holds entries of this hash; there must be one.
    pub fn page_of(&self, hash: u64) -> usize {
        let mask = self.pages.len().next_power_of_two() - 1;
        let index = hash as usize & mask;
        if index < self.pages.len() {
            index
        } else {
            index & (mask >> 1)
        }
    }

    fn page_if_any(&self, hash: u64) -> Option<usize> {
        (self.len > 0).then(|| self.page_of(hash))
    }

    /// The entries of a page.
    pub fn page_items(&self, page: usize) -> impl Iterator<Item = Item<'_, R, M>> {
        self.pages.get(page).items()
    }

    /// The positions of a page's entries, each once, beginning with one that `random` draws.
    pub fn positions_from(&self, page: usize, random: u64) -> impl Iterator<Item = Position> {
        let len = self.pages.get(page).len();
        let first = random as usize % len.max(1);
        let slots = (first..len).chain(0..first);
        slots.map(move |slot| Position { page, slot })
    }

    /// The mark of the entry at a position. It lies apart from the entry: to read it alone saves fetching the entry.
    pub fn mark(&self, position: Position) -> &M {
        self.pages.get(position.page).mark(position.slot)
    }

    /// All entries, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = Item<'_, R, M>> {
        self.pages.iter().flat_map(Page::items)
    }

    /// Visits a few entries and returns the cursor of the next call. The first call gets 0, and 0 is returned at the
    /// end.
    ///
    /// An entry that is in the table from the first call to the last is visited at least once, however the table grows
    /// and shrinks between the calls (the promise of <https://redis.io/commands/scan/>). The cursor is the hash, read
    /// backwards, at which the next interval begins. The page that has this hash now, or a quarter of the page, is
    /// visited as a whole. Pages without entries are skipped.
    pub fn scan<'a>(&'a self, mut cursor: u64, mut visit: impl FnMut(Item<'a, R, M>)) -> u64 {
        if self.len == 0 {
            return 0;
        }
        loop {
            let mut is_empty = true;
            cursor = self.scan_interval(cursor, |item| {
                is_empty = false;
                visit(item);
            });
            if !is_empty || cursor == 0 {
                return cursor;
            }
        }
    }

    /// Visits the entries of the interval that begins at this cursor, and returns where the next one begins.
    fn scan_interval<'a>(&'a self, cursor: u64, visit: impl FnMut(Item<'a, R, M>)) -> u64 {
        let index = self.page_of(cursor);
        let page = self.pages.get(index);
        let quarters = if page.len() > SCANNED_AT_ONCE { 2 } else { 0 };
        let bits = self.bits_of(index) + quarters;
        let mask = 1u64.checked_shl(bits).unwrap_or(0).wrapping_sub(1);
        let is_visited = |item: &Item<'_, R, M>| (hash(item.content.key()) ^ cursor) & mask == 0;
        page.items().filter(is_visited).for_each(visit);
        let step = 1u64.checked_shl(64 - bits).unwrap_or(0);
        let first = (cursor & mask).reverse_bits();
        first.wrapping_add(step).reverse_bits()
    }

    /// Draws an entry, each with the same probability. `random` gives uniform numbers.
    ///
    /// A page and one of 128 places in it are drawn until there is an entry at the place (rejection sampling), so a
    /// long page is preferred to a short one exactly in proportion to its length. With some 30 entries in a page on
    /// average, one page in 10^30 is longer than 128.
    pub fn random(&self, random: impl FnMut() -> u64) -> Option<Item<'_, R, M>> {
        self.random_position(random)
            .map(|position| self.item(position))
    }

    /// Draws the position of an entry, as [`random`](Self::random) draws an entry.
    pub fn random_position(&self, mut random: impl FnMut() -> u64) -> Option<Position> {
        if self.len == 0 {
            return None;
        }
        loop {
            let drawn = random() as usize;
            let page = (drawn >> PLACES.ilog2()) % self.pages.len();
            let slot = drawn % PLACES;
            if slot < self.pages.get(page).len() {
                return Some(Position { page, slot });
            }
        }
    }

    /// Draws `count` different entries, or all if there are fewer. Each set of entries has the same probability.
    pub fn draw<'a>(
        &'a self,
        count: usize,
        mut random: impl FnMut() -> u64,
        mut visit: impl FnMut(Item<'a, R, M>),
    ) {
        if count > self.len / 4 {
            let mut selection = Selection::new(count, self.len);
            let chosen = self.iter().filter(|_| selection.takes(&mut random));
            return chosen.for_each(visit);
        }
        // For few entries out of many: draws until there are enough different ones.
        let mut drawn = HashSet::with_hasher(RandomState::default());
        while drawn.len() < count
            && let Some(position) = self.random_position(&mut random)
        {
            if drawn.insert(position) {
                visit(self.item(position));
            }
        }
    }
}

/// Writing.
impl<R: Keyed, M: Clone> Dict<R, M> {
    /// Inserts a pair whose key is absent. Its value is the parts, joined. A large pair becomes a reference.
    pub fn insert_pair(&mut self, hash: u64, key: &[u8], value: &[&[u8]], mark: M) {
        self.insert(hash, |page| page.push_pair(tag(hash), key, value, mark));
    }

    /// Inserts a reference whose key is absent.
    pub fn insert_reference(&mut self, hash: u64, reference: R, mark: M) {
        self.insert(hash, |page| {
            page.push_reference(tag(hash), reference, mark);
        });
    }

    /// Inserts an entry of another table. Its key must be absent here.
    pub fn insert_copy(&mut self, hash: u64, item: Item<'_, R, M>) {
        match item.content {
            Content::Pair { key, value } => {
                self.insert_pair(hash, key, &[value], item.mark.clone());
            }
            Content::Reference(reference) => {
                self.insert_reference(hash, reference.clone(), item.mark.clone());
            }
        }
    }

    /// Replaces the entry at a position by a pair with that key. Returns the old reference, if the entry was one.
    pub fn set_pair(&mut self, position: Position, key: &[u8], value: &[&[u8]]) -> Option<R> {
        self.change(position.page, |page| {
            page.set_pair(position.slot, key, value)
        })
    }

    /// Replaces the entry at a position by a reference with that key. Returns the old reference, if the entry was one.
    pub fn set_reference(&mut self, position: Position, reference: R) -> Option<R> {
        self.change(position.page, |page| {
            page.set_reference(position.slot, reference)
        })
    }

    /// Changes the value of the pair at a position in place; `None` if it is a reference.
    pub fn change_value<T>(
        &mut self,
        position: Position,
        change: impl FnOnce(ValueMut<'_, R, M>) -> T,
    ) -> Option<T> {
        self.change(position.page, |page| {
            page.value_mut(position.slot).map(change)
        })
    }

    /// A mutable reference to the entry at a position, which must be a reference. Its key must not change.
    pub fn reference_mut(&mut self, position: Position) -> Option<&mut R> {
        self.pages
            .get_mut(position.page)
            .reference_mut(position.slot)
    }

    /// Removes an entry. Returns its reference, if it was one.
    pub fn remove(&mut self, position: Position) -> Option<R> {
        self.len -= 1;
        let removed = self.change(position.page, |page| page.remove(position.slot));
        if self.load() < self.pages.len() * SHRINK_BELOW.0 / SHRINK_BELOW.1 || self.len == 0 {
            self.drop_page();
        }
        removed
    }

    fn insert(&mut self, hash: u64, push: impl FnOnce(&mut Page<R, M>)) {
        if self.pages.len() == 0 {
            self.add_page();
        }
        self.len += 1;
        self.change(self.page_of(hash), push);
    }

    /// Changes a page. Then adds a page if there are too few.
    fn change<T>(&mut self, page: usize, change: impl FnOnce(&mut Page<R, M>) -> T) -> T {
        let page = self.pages.get_mut(page);
        self.bytes -= page.bytes();
        let result = change(page);
        self.bytes += page.bytes();
        if self.load() >= self.pages.len() {
            self.add_page();
        }
        result
    }

    /// The number of pages that there should be, minus one.
    fn load(&self) -> usize {
        self.len / PAGE_ENTRIES + self.bytes / PAGE_BYTES
    }

    /// The number of low bits of the hash that all entries of a page have in common.
    fn bits_of(&self, index: usize) -> u32 {
        let bits = self.pages.len().next_power_of_two().trailing_zeros();
        let half = (1usize << bits) >> 1;
        let is_split = index >= half || index + half < self.pages.len();
        if is_split { bits } else { bits - 1 }
    }

    /// Adds a page and moves to it the entries that belong there.
    fn add_page(&mut self) {
        let index = self.pages.len();
        self.pages.push(Page::default());
        if index > 0 {
            let parent = parent_of(index);
            let moves = |hash: u64| hash as usize & (index ^ parent) != 0;
            let moved = self.pages.get_mut(parent).split(moves);
            *self.pages.get_mut(index) = moved;
        }
    }

    /// Moves the entries of the last page back to the page it was split from, and removes it.
    fn drop_page(&mut self) {
        if self.len == 0 {
            *self = Dict::default();
        } else if self.pages.len() > 1
            && let Some(last) = self.pages.pop()
        {
            self.bytes -= last.bytes();
            self.change(parent_of(self.pages.len()), |page| page.absorb(&last));
        }
    }
}

/// The tag of an entry: 12 bits of its hash. They are high bits, because the low ones choose the page; not the eight
/// highest, which choose the shard.
fn tag(hash: u64) -> u32 {
    (hash >> 44) as u32 & 0xfff
}
