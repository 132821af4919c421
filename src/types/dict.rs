//! The hash table under the keyspace, under hashes, sets and sorted sets.
//!
//! What it is. A table of buckets, each one cache line: up to six entries of 8 bytes, and one byte of each entry's hash
//! (its tag), so that a miss is decided and a hit is found without touching the entries themselves. A bucket that
//! overflows chains another.
//!
//! ```text
//!   bucket, 64 bytes:  tag tag tag tag tag tag  -  -   entry x 6 (8 bytes each)   overflow -> bucket
//! ```
//!
//! How it grows. By linear hashing (Litwin, "Linear hashing: a new tool for file and table addressing", 1980): one bucket
//! at a time. A table of `n` buckets, `2^k <= n < 2^(k+1)`, files an entry under the low `k + 1` bits of its hash if that
//! bucket exists already, else under the low `k`. Adding bucket `n` moves to it those entries of bucket `n - 2^k` that
//! have bit `k` set, and touches nothing else: no pause, no second table, and the load stays what it is.
//!
//! How it is scanned. Read backwards, low bit first, the hashes put all entries into one order, and each bucket, at
//! whatever level, is one interval of it. A SCAN cursor is a place in this order (see [`Dict::scan`]), so it stays valid
//! while buckets split and merge: what is there all the time is returned.
//!
//! How it is shared. Buckets lie in segments behind shared references, and entries are shared references themselves, so
//! `clone` copies only the directory of segments, and whoever changes a table later copies the segments it changes. So the
//! saver takes a shard's table as it is, and a huge hash that is changed while it is saved is not copied either. Memory is
//! given back as the table shrinks.

use foldhash::fast::RandomState;
use std::hash::BuildHasher;
use std::hint::black_box;
use std::sync::LazyLock;
use triomphe::Arc;

/// Entries in a bucket before it overflows.
const SLOTS: usize = 6;
/// Buckets in a segment; what a writer copies when a snapshot shares them.
const SEGMENT_BUCKETS: usize = 16;
/// The table grows when there are more entries than this per bucket...
const GROW_ABOVE: usize = 5;
/// ...and shrinks when there are fewer than this.
const SHRINK_BELOW: usize = 2;
/// [`Dict::random`] draws a bucket and a place in it; chains longer than this are too rare to matter (see there).
const PLACES: usize = 32;

static HASH_SEED: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// The hash of a key; seeded anew in every process, so that nobody can send keys that collide.
pub fn hash(key: &[u8]) -> u64 {
    HASH_SEED.hash_one(key)
}

/// What a [`Dict`] holds: a shared reference of 8 bytes to something with a key.
pub trait DictEntry: Clone {
    /// The key, unique in the table.
    fn key(&self) -> &[u8];
}

/// A hash table of entries that know their keys.
#[derive(Clone, Debug)]
pub struct Dict<E> {
    /// All of [`SEGMENT_BUCKETS`] buckets, except that a table's only segment may be smaller.
    segments: Vec<Arc<[Bucket<E>]>>,
    buckets: usize,
    len: usize,
}

#[derive(Clone, Debug)]
#[repr(align(64))]
struct Bucket<E> {
    tags: [u8; SLOTS],
    /// Filled from the front without gaps.
    slots: [Option<E>; SLOTS],
    overflow: Option<Box<Bucket<E>>>,
}

impl<E> Default for Dict<E> {
    fn default() -> Self {
        Dict {
            segments: Vec::new(),
            buckets: 0,
            len: 0,
        }
    }
}

impl<E> Default for Bucket<E> {
    fn default() -> Self {
        Bucket {
            tags: [0; SLOTS],
            slots: [const { None }; SLOTS],
            overflow: None,
        }
    }
}

impl<E: DictEntry> Dict<E> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The entry of `key`, whose hash the caller has.
    pub fn get(&self, hash: u64, key: &[u8]) -> Option<&E> {
        self.find(hash, |entry| entry.key() == key)
    }

    /// The first entry with this hash (near enough: the caller's test decides) that passes `test`.
    pub fn find(&self, hash: u64, test: impl Fn(&E) -> bool) -> Option<&E> {
        if self.len == 0 {
            return None;
        }
        let mut bucket = Some(self.bucket(self.bucket_of(hash)));
        while let Some(current) = bucket {
            if let Some(slot) = current.position(tag(hash), &test) {
                return current.slots[slot].as_ref();
            }
            bucket = current.overflow.as_deref();
        }
        None
    }

    /// The entry of `key`, to be changed in place; its key must stay what it is.
    pub fn get_mut(&mut self, hash: u64, key: &[u8]) -> Option<&mut E> {
        if self.len == 0 {
            return None;
        }
        let index = self.bucket_of(hash);
        if !self.segments[index / SEGMENT_BUCKETS].is_unique() {
            // Nothing to change is no reason to copy a shared segment.
            self.get(hash, key)?;
        }
        let mut bucket = Some(self.bucket_mut(index));
        while let Some(current) = bucket {
            if let Some(slot) = current.position(tag(hash), |entry| entry.key() == key) {
                return current.slots[slot].as_mut();
            }
            bucket = current.overflow.as_deref_mut();
        }
        None
    }

    /// Puts in an entry and returns the one with the same key that it replaces.
    pub fn insert(&mut self, hash: u64, entry: E) -> Option<E> {
        if let Some(old) = self.get_mut(hash, entry.key()) {
            return Some(std::mem::replace(old, entry));
        }
        self.insert_new(hash, entry);
        None
    }

    /// Puts in an entry whose key is known to be absent.
    pub fn insert_new(&mut self, hash: u64, entry: E) {
        self.len += 1;
        if self.len > self.buckets * GROW_ABOVE {
            self.add_bucket();
        }
        let index = self.bucket_of(hash);
        self.bucket_mut(index).push(tag(hash), entry);
    }

    /// Prepares to put in entries with these hashes: looks at all memory that will be needed at once, instead of waiting
    /// for one place after the other.
    pub fn fetch(&self, hashes: impl ExactSizeIterator<Item = u64>) {
        if self.len == 0 {
            return;
        }
        // The buckets that will be split to make room are neighbours; their entries will be filed anew.
        let half = (self.buckets + 1).next_power_of_two() >> 1;
        let splits = self.buckets - half..self.buckets - half + hashes.len() / GROW_ABOVE;
        fetch(
            splits
                .filter(|parent| *parent < self.buckets)
                .map(|parent| self.bucket(parent)),
        );
        let tags = hashes.map(|hash| self.bucket(self.bucket_of(hash)).tags[0]);
        black_box(tags.fold(0, |sum, tag| sum ^ tag));
    }

    /// Takes out the entry of `key`.
    pub fn remove(&mut self, hash: u64, key: &[u8]) -> Option<E> {
        self.get(hash, key)?;
        let index = self.bucket_of(hash);
        let removed = self.bucket_mut(index).remove(tag(hash), key)?;
        self.len -= 1;
        if self.len < self.buckets * SHRINK_BELOW {
            self.drop_bucket();
        }
        Some(removed)
    }

    /// All entries, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &E> {
        let segments = self
            .segments
            .iter()
            .inspect(|segment| fetch(segment.iter()));
        segments
            .flat_map(|segment| segment.iter())
            .flat_map(Bucket::iter)
    }

    /// Visits the entries of one bucket and returns the cursor to go on with; 0 begins, and 0 is returned at the end.
    ///
    /// An entry that is in the table from the first call to the last is visited at least once, however the table grows
    /// and shrinks between the calls (the promise of <https://redis.io/commands/scan/>). The cursor is the hash, read
    /// backwards, at which the next interval begins; the bucket that holds this hash now is visited whole.
    pub fn scan(&self, cursor: u64, mut visit: impl FnMut(&E)) -> u64 {
        if self.len == 0 {
            return 0;
        }
        let index = self.bucket_of(cursor);
        self.bucket(index).iter().for_each(&mut visit);
        let step = 1u64.checked_shl(64 - self.bits_of(index)).unwrap_or(0);
        let first = (index as u64).reverse_bits();
        first.wrapping_add(step).reverse_bits()
    }

    /// An entry drawn so that each has the same chance, `random` giving uniform numbers.
    ///
    /// A bucket and one of 32 places in it are drawn until the place holds an entry: a long bucket is not
    /// preferred to a short one by more than its length. At five entries per bucket, one in 10^14 is longer than that.
    pub fn random(&self, mut random: impl FnMut() -> u64) -> Option<&E> {
        if self.len == 0 {
            return None;
        }
        loop {
            let drawn = random();
            let bucket = self.bucket((drawn as usize >> 5) % self.buckets);
            if let Some(entry) = bucket.iter().nth(drawn as usize % PLACES) {
                return Some(entry);
            }
        }
    }

    /// The bucket that holds entries of this hash.
    fn bucket_of(&self, hash: u64) -> usize {
        let mask = self.buckets.next_power_of_two() - 1;
        let index = hash as usize & mask;
        if index < self.buckets {
            index
        } else {
            index & (mask >> 1)
        }
    }

    /// How many low bits of the hash the entries of a bucket have in common.
    fn bits_of(&self, index: usize) -> u32 {
        let bits = self.buckets.next_power_of_two().trailing_zeros();
        let half = (1usize << bits) >> 1;
        let is_split = index >= half || index + half < self.buckets;
        if is_split { bits } else { bits - 1 }
    }

    fn bucket(&self, index: usize) -> &Bucket<E> {
        &self.segments[index / SEGMENT_BUCKETS][index % SEGMENT_BUCKETS]
    }

    fn bucket_mut(&mut self, index: usize) -> &mut Bucket<E> {
        let segment = &mut self.segments[index / SEGMENT_BUCKETS];
        if !segment.is_unique() {
            *segment = segment.iter().cloned().collect();
        }
        let buckets = Arc::get_mut(segment).expect("the segment was just made ours alone");
        &mut buckets[index % SEGMENT_BUCKETS]
    }

    /// Adds a bucket and moves to it what belongs there.
    fn add_bucket(&mut self) {
        let index = self.buckets;
        let capacity: usize = self
            .segments
            .iter()
            .map(|segment| segment.len())
            .take(2)
            .sum();
        if self.segments.len() <= 1 && index == capacity && capacity < SEGMENT_BUCKETS {
            self.resize_only_segment((capacity * 2).max(1));
        } else if index == self.segments.len() * SEGMENT_BUCKETS {
            self.segments
                .push((0..SEGMENT_BUCKETS).map(|_| Bucket::default()).collect());
        }
        self.buckets += 1;
        if index > 0 {
            let parent = index - (self.buckets.next_power_of_two() >> 1);
            let filed = std::mem::take(self.bucket_mut(parent));
            filed.for_each(|entry| self.file(entry));
        }
    }

    /// Moves what is in the last bucket back to where it came from, and drops the bucket.
    fn drop_bucket(&mut self) {
        if self.buckets == 1 {
            if self.len == 0 {
                *self = Dict::default();
            }
            return;
        }
        let last = self.buckets - 1;
        let filed = std::mem::take(self.bucket_mut(last));
        self.buckets = last;
        filed.for_each(|entry| self.file(entry));
        // One spare segment stays, so that a table at the edge does not allocate at every turn.
        if self.segments.len() > self.buckets.div_ceil(SEGMENT_BUCKETS) + 1 {
            self.segments.pop();
            self.segments.shrink_to(self.segments.len() * 2);
        }
    }

    /// Puts an entry that is in the table already into its bucket.
    fn file(&mut self, entry: E) {
        let hash = hash(entry.key());
        let index = self.bucket_of(hash);
        self.bucket_mut(index).push(tag(hash), entry);
    }

    fn resize_only_segment(&mut self, capacity: usize) {
        let old = self.segments.pop();
        let kept = old.iter().flat_map(|segment| segment.iter().cloned());
        let segment = kept
            .chain(std::iter::repeat_with(Bucket::default))
            .take(capacity)
            .collect();
        self.segments.push(segment);
    }
}

impl<E> Bucket<E> {
    /// The entries of the bucket and of its overflow.
    fn iter(&self) -> impl Iterator<Item = &E> {
        let chain = std::iter::successors(Some(self), |bucket| bucket.overflow.as_deref());
        chain.flat_map(|bucket| bucket.slots.iter().map_while(Option::as_ref))
    }

    fn for_each(mut self, mut visit: impl FnMut(E)) {
        loop {
            self.slots.into_iter().flatten().for_each(&mut visit);
            match self.overflow {
                Some(next) => self = *next,
                None => return,
            }
        }
    }

    /// The slot of this bucket, overflow left aside, whose entry has the tag and passes the test.
    fn position(&self, tag: u8, test: impl Fn(&E) -> bool) -> Option<usize> {
        (0..SLOTS)
            .find(|&slot| self.tags[slot] == tag && self.slots[slot].as_ref().is_some_and(&test))
    }

    fn push(&mut self, tag: u8, entry: E) {
        let mut bucket = self;
        loop {
            if let Some(slot) = bucket.slots.iter().position(Option::is_none) {
                bucket.tags[slot] = tag;
                bucket.slots[slot] = Some(entry);
                return;
            }
            bucket = bucket.overflow.get_or_insert_default();
        }
    }

    /// Takes out an entry and fills the gap with the last one of the chain.
    fn remove(&mut self, tag: u8, key: &[u8]) -> Option<E>
    where
        E: DictEntry,
    {
        if let Some(slot) = self.position(tag, |entry| entry.key() == key) {
            // With nothing behind it, the taken entry is itself the last one, and the gap is already the end.
            let removed = self.slots[slot].take();
            if let Some((tag, entry)) = self.pop_last(slot + 1) {
                self.tags[slot] = tag;
                self.slots[slot] = Some(entry);
            }
            return removed;
        }
        let removed = self.overflow.as_mut()?.remove(tag, key);
        self.trim();
        removed
    }

    /// Takes the last entry of the chain, unless it lies before the slot `first` of this bucket.
    fn pop_last(&mut self, first: usize) -> Option<(u8, E)> {
        if let Some(overflow) = &mut self.overflow {
            let last = overflow.pop_last(0);
            self.trim();
            return last;
        }
        let is_taken = |slot: &usize| self.slots[*slot].is_some();
        let last = (first..SLOTS).rev().find(is_taken)?;
        Some((self.tags[last], self.slots[last].take()?))
    }

    /// Drops an overflow bucket that has become empty.
    fn trim(&mut self) {
        if self
            .overflow
            .as_ref()
            .is_some_and(|next| next.slots[0].is_none())
        {
            self.overflow = None;
        }
    }
}

/// Looks at the entries of some buckets, each being somewhere else in memory. Nothing depends on what is found, so the
/// processor fetches many at a time; whoever visits them next does not wait for one after the other.
fn fetch<'a, E: DictEntry + 'a>(buckets: impl Iterator<Item = &'a Bucket<E>>) {
    let ends = buckets
        .flat_map(Bucket::iter)
        .map(|entry| entry.key().last());
    black_box(ends.fold(0, |sum, end| sum ^ end.copied().unwrap_or(0)));
}

/// The byte of the hash that stands beside the entry; high bits, because the low ones choose the bucket.
fn tag(hash: u64) -> u8 {
    (hash >> 48) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};
    use triomphe::ThinArc;

    #[derive(Clone, Debug)]
    struct Word(ThinArc<u32, u8>);

    impl DictEntry for Word {
        fn key(&self) -> &[u8] {
            &self.0.slice
        }
    }

    fn word(number: u32) -> Word {
        Word(ThinArc::from_header_and_slice(
            number,
            format!("word:{number}").as_bytes(),
        ))
    }

    fn insert(dict: &mut Dict<Word>, number: u32) -> Option<Word> {
        let word = word(number);
        dict.insert(hash(word.key()), word)
    }

    fn remove(dict: &mut Dict<Word>, number: u32) -> Option<Word> {
        let key = format!("word:{number}");
        dict.remove(hash(key.as_bytes()), key.as_bytes())
    }

    fn numbers(dict: &Dict<Word>) -> BTreeSet<u32> {
        dict.iter().map(|word| word.0.header.header).collect()
    }

    #[test]
    fn a_bucket_is_one_cache_line() {
        assert_eq!(size_of::<Bucket<Word>>(), 64);
    }

    #[test]
    fn behaves_like_a_map_while_it_grows_and_shrinks() {
        let mut dict = Dict::default();
        let mut model = BTreeMap::new();
        let mut state = 7u64;
        for step in 0..200_000u64 {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            // The range of keys swells and shrinks, so that the table does too.
            let range = if step / 40_000 % 2 == 0 { 20_000 } else { 300 };
            let number = ((state >> 33) % range) as u32;
            if (state >> 20) % 5 < 3 {
                assert_eq!(
                    insert(&mut dict, number).is_some(),
                    model.insert(number, ()).is_some()
                );
            } else {
                assert_eq!(
                    remove(&mut dict, number).is_some(),
                    model.remove(&number).is_some()
                );
            }
            assert_eq!(dict.len(), model.len());
        }
        assert!(numbers(&dict).iter().eq(model.keys()));
        for number in model.keys() {
            assert!(remove(&mut dict, *number).is_some());
        }
        assert!(dict.is_empty() && dict.segments.is_empty());
    }

    #[test]
    fn a_scan_returns_what_is_there_all_the_time() {
        for (mut size, step) in [(0u32, 400i64), (100_000, -400), (3_000, 7), (5, -1)] {
            let mut dict = Dict::default();
            (0..100).for_each(|number| drop(insert(&mut dict, number)));
            (100..100 + size).for_each(|number| drop(insert(&mut dict, number)));
            let mut seen = BTreeSet::new();
            let mut cursor = 0;
            loop {
                cursor = dict.scan(cursor, |word| seen.extend([word.0.header.header]));
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
    fn a_clone_keeps_what_the_table_held() {
        let mut dict = Dict::default();
        (0..5_000).for_each(|number| drop(insert(&mut dict, number)));
        let snapshot = dict.clone();
        (2_500..10_000).for_each(|number| drop(insert(&mut dict, number)));
        (0..2_000).for_each(|number| drop(remove(&mut dict, number)));
        assert!(numbers(&snapshot).into_iter().eq(0..5_000));
        assert!(numbers(&dict).into_iter().eq(2_000..10_000));
    }

    /// 100 entries drawn 100,000 times: each 1,000 times on average, with a standard deviation of 31.
    #[test]
    fn random_draws_are_fair() {
        let mut dict = Dict::default();
        (0..100).for_each(|number| drop(insert(&mut dict, number)));
        let mut drawn = [0; 100];
        let mut state = 3u64;
        for _ in 0..100_000 {
            let word = dict.random(|| {
                state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                hash(&state.to_le_bytes())
            });
            drawn[word.unwrap().0.header.header as usize] += 1;
        }
        assert!(
            drawn.iter().all(|count| (800..1_200).contains(count)),
            "{drawn:?}"
        );
    }
}
