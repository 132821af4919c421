//! The hash table under the keyspace, under hashes, sets and sorted sets.
//!
//! What it is. A table of pages (`page.rs`), each with some 25 entries: small pairs of byte strings packed one after
//! the other, and references to what is larger or more than bytes. The hash chooses the page, and 12 more bits of it
//! find the entry there.
//!
//! How it grows. By linear hashing (Litwin, "Linear hashing: a new tool for file and table addressing", 1980): one page
//! at a time. A table of `n` pages, `2^k <= n < 2^(k+1)`, files an entry under the low `k + 1` bits of its hash if that
//! page exists already, else under the low `k`. Adding page `n` moves to it those entries of page `n - 2^k` that
//! have bit `k` set, and touches nothing else: no pause, no second table, and the load stays what it is.
//!
//! How it is scanned. Read backwards, low bit first, the hashes put all entries into one order, and each page, at
//! whatever level, is one interval of it. A SCAN cursor is a place in this order (see [`Dict::scan`]), so it stays
//! valid while pages split and merge: what is there all the time is returned.
//!
//! How it is shared. Pages lie in a vector that clones share (`shared_vec.rs`), so a clone of a table costs next to
//! nothing, and a later change of either copies the part that it changes. So the saver takes a shard's table as it is,
//! and a huge hash that is changed while it is saved is not copied either. Memory is given back as the table shrinks.

mod page;
mod shared_vec;

use super::blocks::spread;
use super::draw::Selection;
use foldhash::fast::RandomState;
use page::Page;
use shared_vec::SharedVec;
use std::collections::HashSet;
use std::hash::BuildHasher;
use std::hint::black_box;
use std::sync::LazyLock;

/// The table grows when there is more than a page for so many entries and so many bytes of pairs...
const PAGE_ENTRIES: usize = 32;
const PAGE_BYTES: usize = 4096;
/// ...and shrinks when five pages could do with two.
const SHRINK_BELOW: (usize, usize) = (2, 5);
/// A page with more entries than this is scanned in four steps, so that one step does not return very many.
const SCANNED_AT_ONCE: usize = 8;
/// [`Dict::random`] draws a page and a place in it; longer pages are too rare to matter (see there).
const PLACES: usize = 128;

static HASH_SEED: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// The hash of a key; seeded anew in every process, so that nobody can send keys that collide.
pub fn hash(key: &[u8]) -> u64 {
    HASH_SEED.hash_one(key)
}

/// The page from which a page other than the first was split off.
pub fn parent_of(page: usize) -> usize {
    page ^ 1 << page.ilog2()
}

/// What a [`Dict`] holds by reference: a shared reference of 8 bytes to something with a key.
pub trait Keyed: Clone {
    /// Makes one of a pair that is too large for a page.
    fn of_pair(key: &[u8], value: &[u8]) -> Self;

    /// The key, unique in the table.
    fn key(&self) -> &[u8];
}

/// What is under a key.
#[derive(Debug)]
pub enum Content<'a, R> {
    /// Bytes that lie in the table itself.
    Pair {
        /// The key.
        key: &'a [u8],
        /// The value.
        value: &'a [u8],
    },
    /// Something elsewhere.
    Reference(&'a R),
}

// Derived, they would ask the same of `R`.
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

/// An entry: what is under a key, and what the user of the table has noted of it.
#[derive(Debug)]
pub struct Item<'a, R, M> {
    /// Key and value.
    pub content: Content<'a, R>,
    /// The note.
    pub mark: &'a M,
}

/// Where an entry is, until the next change of the table.
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
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of its blocks of memory, estimated from so many pages, with what `of_reference` says of each reference.
    pub fn memory_bytes(&self, samples: usize, of_reference: impl Fn(&R) -> usize) -> usize {
        let places = spread(samples, self.pages.len());
        let (mut bytes, mut entries) = (0, 0);
        for place in places {
            let page = self.pages.get(place);
            bytes += page.memory_bytes(&of_reference);
            entries += page.len();
        }
        // Pages that have been split hold half as many entries as others, so it is the entries that are counted.
        self.pages.memory_bytes()
            + (bytes as u128 * self.len as u128 / entries.max(1) as u128) as usize
    }

    /// Bytes that one entry takes in the pages: a pair with its lengths, or a reference, and the slot. Spare room is
    /// not counted.
    pub fn entry_bytes(content: Content<'_, R>) -> usize {
        let bytes = match content {
            Content::Pair { key, value } => page::pair_bytes(key.len(), value.len()),
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

    /// Where the first entry with this hash is (near enough: the caller's test decides) that passes the test.
    pub fn find(&self, hash: u64, test: impl Fn(Item<'_, R, M>) -> bool) -> Option<Position> {
        let page = self.page_if_any(hash)?;
        let slot = self.pages.get(page).find(tag(hash), test)?;
        Some(Position { page, slot })
    }

    /// The entry at a position.
    pub fn item(&self, position: Position) -> Item<'_, R, M> {
        self.pages.get(position.page).item(position.slot)
    }

    /// How many pages the entries lie in. Whatever changes an entry changes this by one at most.
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

    /// All entries, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = Item<'_, R, M>> {
        self.pages.iter().flat_map(Page::items)
    }

    /// Visits a few entries and returns the cursor to go on with; 0 begins, and 0 is returned at the end.
    ///
    /// An entry that is in the table from the first call to the last is visited at least once, however the table grows
    /// and shrinks between the calls (the promise of <https://redis.io/commands/scan/>). The cursor is the hash, read
    /// backwards, at which the next interval begins; the page that holds this hash now, or the quarter of it, is
    /// visited whole. A page without entries is passed over.
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

    /// An entry drawn so that each has the same chance, `random` giving uniform numbers.
    ///
    /// A page and one of 128 places in it are drawn until the place holds an entry: a long page is not preferred to a
    /// short one by more than its length. At some 30 entries in a page, one in 10^30 is longer than that.
    pub fn random(&self, random: impl FnMut() -> u64) -> Option<Item<'_, R, M>> {
        self.random_position(random)
            .map(|position| self.item(position))
    }

    /// The same, and says where the entry is.
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

    /// Draws `count` different entries, or all if there are no more, each choice of so many having the same chance.
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
        // Few out of many are drawn until enough different ones have come.
        let mut drawn = HashSet::with_hasher(RandomState::default());
        while drawn.len() < count
            && let Some(position) = self.random_position(&mut random)
        {
            if drawn.insert(position) {
                visit(self.item(position));
            }
        }
    }

    /// Prepares to put in entries with these hashes: looks at all memory that will be needed at once, instead of
    /// waiting for one place after the other.
    pub fn fetch(&self, hashes: impl ExactSizeIterator<Item = u64>) {
        if self.len == 0 {
            return;
        }
        // The pages that will be split to make room are neighbours.
        let pages = self.pages.len();
        let first = pages - ((pages + 1).next_power_of_two() >> 1);
        let splits = first..pages.min(first + hashes.len() / PAGE_ENTRIES);
        let fetched = splits
            .chain(hashes.map(|hash| self.page_of(hash)))
            .map(|page| self.pages.get(page).fetch());
        black_box(fetched.fold(0, |sum, word| sum ^ word));
    }
}

/// Looking ahead. In a table larger than the processor's caches, finding an entry means to wait for memory three times,
/// each time to learn where to look next. Who knows several entries that will be wanted takes each of these steps for
/// all of them, and waits for all at once. What a step returns only keeps the compiler from leaving it out.
///
/// A processor goes some 500 instructions ahead of a load that it waits for, so a step must be short: to search the
/// slots is none of them, but comes between the second and the third.
impl<R: Keyed, M: Clone> Dict<R, M> {
    /// The first step, to the page of this hash.
    pub fn fetch_page(&self, hash: u64) -> usize {
        let page = self.page_if_any(hash);
        page.map_or(0, |page| self.pages.get(page).fetch_itself())
    }

    /// The second, to the slots of the page.
    pub fn fetch_slots(&self, hash: u64) -> usize {
        let page = self.page_if_any(hash);
        page.map_or(0, |page| self.pages.get(page).fetch() as usize)
    }

    /// Where the entry is, to judge by its slot.
    pub fn likely_position(&self, hash: u64) -> Option<Position> {
        let page = self.page_if_any(hash)?;
        let slot = self.pages.get(page).first_with(tag(hash))?;
        Some(Position { page, slot })
    }

    /// The third, to the entry.
    pub fn fetch_entry(&self, position: Position) -> usize {
        self.pages.get(position.page).fetch_entry(position.slot)
    }
}

/// Writing.
impl<R: Keyed, M: Clone> Dict<R, M> {
    /// Puts in a pair whose key is known to be absent, its value put together from parts. A large one is referred to.
    pub fn insert_pair(&mut self, hash: u64, key: &[u8], value: &[&[u8]], mark: M) {
        self.insert(hash, |page| page.push_pair(tag(hash), key, value, mark));
    }

    /// Puts in a reference whose key is known to be absent.
    pub fn insert_reference(&mut self, hash: u64, reference: R, mark: M) {
        self.insert(hash, |page| {
            page.push_reference(tag(hash), reference, mark);
        });
    }

    /// Puts in the entry of another table, its key being known to be absent here.
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

    /// Puts a pair in the place of the entry with the same key, whose reference is returned if it was one. A value of
    /// the same length is written over the old one.
    pub fn set_pair(&mut self, position: Position, key: &[u8], value: &[&[u8]]) -> Option<R> {
        self.change(position.page, |page| {
            page.set_pair(position.slot, key, value)
        })
    }

    /// Puts a reference in the place of the entry with the same key, whose reference is returned if it was one.
    pub fn set_reference(&mut self, position: Position, reference: R) -> Option<R> {
        self.change(position.page, |page| {
            page.set_reference(position.slot, reference)
        })
    }

    /// A reference, to be changed; its key must stay what it is.
    pub fn reference_mut(&mut self, position: Position) -> Option<&mut R> {
        self.pages
            .get_mut(position.page)
            .reference_mut(position.slot)
    }

    /// Takes out an entry, and returns its reference if it was one.
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

    /// Changes a page, and adds one if there are too few now.
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

    /// How many pages there should be, less one.
    fn load(&self) -> usize {
        self.len / PAGE_ENTRIES + self.bytes / PAGE_BYTES
    }

    /// How many low bits of the hash the entries of a page have in common.
    fn bits_of(&self, index: usize) -> u32 {
        let bits = self.pages.len().next_power_of_two().trailing_zeros();
        let half = (1usize << bits) >> 1;
        let is_split = index >= half || index + half < self.pages.len();
        if is_split { bits } else { bits - 1 }
    }

    /// Adds a page and moves to it what belongs there.
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

    /// Moves what is in the last page back to where it came from, and drops the page.
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

/// The bits of the hash that stand beside the entry; high ones, because the low ones choose the page. The eight highest
/// choose the shard.
fn tag(hash: u64) -> u32 {
    (hash >> 44) as u32 & 0xfff
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};
    use triomphe::ThinArc;

    /// What lies in a table by reference: an odd number, in the tests.
    #[derive(Clone, Debug)]
    struct Word(ThinArc<u32, u8>);

    impl Keyed for Word {
        fn of_pair(key: &[u8], value: &[u8]) -> Word {
            Word(ThinArc::from_header_and_slice(value.len() as u32, key))
        }

        fn key(&self) -> &[u8] {
            &self.0.slice
        }
    }

    fn key(number: u32) -> Vec<u8> {
        format!("word:{number}").into_bytes()
    }

    /// Puts in a number, an even one as a pair with this value.
    fn put(dict: &mut Dict<Word>, number: u32, value: &[u8]) {
        let key = key(number);
        let hash = hash(&key);
        let word = || Word(ThinArc::from_header_and_slice(number, &key));
        match (dict.position(hash, &key), number.is_multiple_of(2)) {
            (Some(position), true) => drop(dict.set_pair(position, &key, &[value])),
            (Some(position), false) => drop(dict.set_reference(position, word())),
            (None, true) => dict.insert_pair(
                hash,
                &key,
                &[&value[..value.len() / 2], &value[value.len() / 2..]],
                (),
            ),
            (None, false) => dict.insert_reference(hash, word(), ()),
        }
    }

    fn insert(dict: &mut Dict<Word>, number: u32) {
        put(dict, number, b"value");
    }

    fn remove(dict: &mut Dict<Word>, number: u32) -> bool {
        let position = dict.position(hash(&key(number)), &key(number));
        position.map(|position| dict.remove(position)).is_some()
    }

    fn number_of(item: Item<Word, ()>) -> u32 {
        let text = std::str::from_utf8(item.content.key()).unwrap();
        text["word:".len()..].parse().unwrap()
    }

    fn numbers(dict: &Dict<Word>) -> BTreeSet<u32> {
        dict.iter().map(number_of).collect()
    }

    fn linear_congruential(state: &mut u64) -> u64 {
        *state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        *state >> 20
    }

    #[test]
    fn behaves_like_a_map_while_it_grows_and_shrinks() {
        let mut dict = Dict::default();
        let mut model: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
        let mut state = 7u64;
        for step in 0..200_000u64 {
            // The range of keys swells and shrinks, so that the table does too.
            let range = if step / 40_000 % 2 == 0 { 20_000 } else { 300 };
            let random = linear_congruential(&mut state);
            let number = ((random >> 13) % range) as u32;
            if random % 5 < 3 {
                let longest = if step % 100 == 0 { 1200 } else { 40 };
                let value = vec![step as u8; (random >> 5) as usize % longest];
                put(&mut dict, number, &value);
                model.insert(number, value);
            } else {
                assert_eq!(remove(&mut dict, number), model.remove(&number).is_some());
            }
            assert_eq!(dict.len(), model.len());
            let expected = model.get(&number).map(Vec::as_slice);
            match dict
                .get(hash(&key(number)), &key(number))
                .map(|item| item.content)
            {
                Some(Content::Pair { value, .. }) => assert_eq!(Some(value), expected),
                // The long values of even numbers have become references.
                Some(Content::Reference(word)) => {
                    let long = expected.filter(|_| number.is_multiple_of(2));
                    let header = long.map_or(number, |value| value.len() as u32);
                    assert_eq!((word.0.header.header, expected.is_some()), (header, true));
                }
                None => assert_eq!(expected, None),
            }
        }
        assert!(numbers(&dict).iter().eq(model.keys()));
        for number in model.keys() {
            assert!(remove(&mut dict, *number));
        }
        assert!(dict.is_empty() && dict.pages() == 0 && dict.bytes == 0);
    }

    #[test]
    fn a_value_of_the_same_length_is_written_over() {
        let mut dict: Dict<Word> = Dict::default();
        put(&mut dict, 2, &[1; 300]);
        let bytes = |dict: &Dict<Word>| dict.iter().map(|item| item.content.key().as_ptr()).next();
        let before = bytes(&dict);
        put(&mut dict, 2, &[2; 300]);
        assert_eq!(bytes(&dict), before);
        let position = dict.position(hash(&key(2)), &key(2)).unwrap();
        let Content::Pair { value, .. } = dict.item(position).content else {
            panic!()
        };
        assert_eq!(value, [2; 300]);
        put(&mut dict, 3, b"");
        let position = dict.position(hash(b"word:3"), b"word:3").unwrap();
        assert!(dict.reference_mut(position).is_some());
    }

    #[test]
    fn a_scan_returns_what_is_there_all_the_time() {
        for (mut size, step) in [(0u32, 400i64), (100_000, -400), (3_000, 7), (5, -1)] {
            let mut dict = Dict::default();
            (0..100 + size).for_each(|number| insert(&mut dict, number));
            let mut seen = BTreeSet::new();
            let mut cursor = 0;
            loop {
                cursor = dict.scan(cursor, |item| seen.extend([number_of(item)]));
                if cursor == 0 {
                    break;
                }
                for _ in 0..step.abs() {
                    if step > 0 && size < 200_000 {
                        insert(&mut dict, 100 + size);
                        size += 1;
                    } else if step < 0 && size > 0 {
                        size -= 1;
                        remove(&mut dict, 100 + size);
                    }
                }
            }
            assert!((0..100).all(|number| seen.contains(&number)));
        }
    }

    #[test]
    fn a_scan_of_a_table_at_rest_returns_all_once_and_a_few_at_a_time() {
        let mut dict = Dict::default();
        (0..10_000).for_each(|number| insert(&mut dict, number));
        let mut seen = Vec::new();
        let mut cursor = 0;
        loop {
            let before = seen.len();
            cursor = dict.scan(cursor, |item| seen.push(number_of(item)));
            assert!(seen.len() - before < 50);
            if cursor == 0 {
                break;
            }
        }
        seen.sort();
        assert!(seen.into_iter().eq(0..10_000));
    }

    #[test]
    fn a_scan_passes_over_pages_without_entries() {
        let mut dict = Dict::default();
        (0..10_000).for_each(|number| insert(&mut dict, number));
        // All pages whose hashes end in three zeros; the scan begins there.
        let is_removed = |number: &u32| hash(&key(*number)) & 7 == 0;
        for number in (0..10_000).filter(is_removed) {
            assert!(remove(&mut dict, number));
        }
        let (mut cursor, mut seen) = (0, 0);
        loop {
            let before = seen;
            cursor = dict.scan(cursor, |_| seen += 1);
            if cursor == 0 {
                break;
            }
            assert!(seen > before);
        }
        assert_eq!(seen, dict.len());
    }

    #[test]
    fn a_clone_keeps_what_the_table_held() {
        let mut dict = Dict::default();
        (0..5_000).for_each(|number| insert(&mut dict, number));
        let snapshot = dict.clone();
        (2_500..10_000).for_each(|number| put(&mut dict, number, b"another"));
        (0..2_000).for_each(|number| assert!(remove(&mut dict, number)));
        assert!(numbers(&snapshot).into_iter().eq(0..5_000));
        assert!(numbers(&dict).into_iter().eq(2_000..10_000));
        let values = snapshot.iter().filter_map(|item| match item.content {
            Content::Pair { value, .. } => Some(value),
            Content::Reference(_) => None,
        });
        assert!(values.into_iter().all(|value| value == b"value"));
    }

    /// 100 entries drawn 100,000 times: each 1,000 times on average, with a standard deviation of 31.
    #[test]
    fn random_draws_are_fair() {
        let mut dict = Dict::default();
        (0..100).for_each(|number| insert(&mut dict, number));
        let mut drawn = [0; 100];
        let mut state = 3u64;
        for _ in 0..100_000 {
            let item = dict.random(|| {
                state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                hash(&state.to_le_bytes())
            });
            drawn[number_of(item.unwrap()) as usize] += 1;
        }
        assert!(
            drawn.iter().all(|count| (800..1_200).contains(count)),
            "{drawn:?}"
        );
    }
}
