//! Random operations on an ordered map and on a `BTreeMap`, with clones; ranges; the memory of large and small maps.

use super::leaf::{CAPACITY, Leaf};
use super::*;
use fastrand::Rng;
use std::cell::Cell;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::ops::Bound::{self, Excluded, Included, Unbounded};

/// The ID of an entry of a stream.
type Id = (u64, u64);
/// As large as a pending entry.
type Pending = [u64; 4];

/// A key in the order of these numbers, which is looked up by a slice.
fn name(number: u64) -> Box<[u8]> {
    Box::new(number.to_be_bytes())
}

fn ids(numbers: std::ops::Range<u64>) -> OrderedMap<Id, Pending> {
    numbers.map(|number| ((number, 0), [number; 4])).collect()
}

impl<K: Ord + Clone, V: Clone> OrderedMap<K, V> {
    /// Panics if an invariant does not hold, and returns the depth.
    fn check(&self) -> usize {
        let root = self.root.as_ref();
        let (depth, len) = root.map_or((0, 0), |root| root.check(None, None));
        assert_eq!(self.len, len);
        let has_one_child = matches!(root, Some(Node::Branch(it)) if it.children().len() == 1);
        assert!(!has_one_child);
        depth
    }

    fn leaves(&self) -> Vec<*const Leaf<K, V>> {
        let mut found = Vec::new();
        self.root.iter().for_each(|root| root.leaves(&mut found));
        found
    }

    fn leaves_shared_with(&self, other: &Self) -> usize {
        let others: HashSet<_> = other.leaves().into_iter().collect();
        let own = self.leaves();
        own.iter().filter(|leaf| others.contains(*leaf)).count()
    }
}

/// A map and its expected content.
#[derive(Clone, Default)]
struct Checked {
    map: OrderedMap<Box<[u8]>, u64>,
    model: BTreeMap<Box<[u8]>, u64>,
}

impl Checked {
    /// The numbers of the first key and of the last.
    fn ends(&self) -> (u64, u64) {
        let number = |key: &[u8]| u64::from_be_bytes(key.try_into().expect("keys have 8 bytes"));
        let first = self.model.keys().next().map_or(0, |key| number(key));
        let last = self.model.keys().next_back().map_or(0, |key| number(key));
        (first, last)
    }

    /// Changes something near this number, or appends, or removes at the front.
    fn change(&mut self, what: usize, number: u64, value: u64) {
        let key = name(number);
        match what {
            0..4 => assert_eq!(
                self.map.insert(key.clone(), value),
                self.model.insert(key, value)
            ),
            4..8 => assert_eq!(self.map.remove(&*key), self.model.remove(&key)),
            8..12 => {
                let key = name(self.ends().1 + 1);
                assert_eq!(self.map.insert(key.clone(), value), None);
                self.model.insert(key, value);
            }
            // A run of entries, so that nodes become empty whose neighbours are full.
            12 if value.is_multiple_of(200) => {
                let from = self.model.range(key..).take(value as usize % 300);
                let run: Vec<_> = from.map(|(key, _)| key.clone()).collect();
                for key in run {
                    assert_eq!(self.map.remove(&key), self.model.remove(&key));
                }
            }
            12..15 => assert_eq!(self.map.pop_first(), self.model.pop_first()),
            15 => {
                let (seen, expected) = (self.map.get_mut(&*key), self.model.get_mut(&key));
                assert_eq!(seen, expected);
                if let (Some(seen), Some(expected)) = (seen, expected) {
                    (*seen, *expected) = (value, value);
                }
            }
            _ => {
                let last = self.map.last_mut();
                let expected = self.model.last_entry();
                assert_eq!(last.is_some(), expected.is_some());
                if let (Some((key, seen)), Some(mut expected)) = (last, expected) {
                    assert_eq!((key, &*seen), (expected.key(), expected.get()));
                    *seen = value;
                    expected.insert(value);
                }
            }
        }
    }

    /// Reads what takes few steps.
    fn check_at(&self, number: u64) {
        let key = name(number);
        assert_eq!(self.map.get(&*key), self.model.get(&key));
        let floor = self.model.range(..=key.clone()).next_back();
        assert_eq!(self.map.floor(&*key), floor);
        assert_eq!(self.map.first(), self.model.first_key_value());
        assert_eq!(self.map.last(), self.model.last_key_value());
        assert_eq!(self.map.len(), self.model.len());
        assert_eq!(self.map.is_empty(), self.model.is_empty());
        let from = (Included(&*key), Unbounded);
        let (seen, expected) = (
            self.map.range::<[u8]>(from),
            self.model.range(key.clone()..),
        );
        assert!(seen.take(3).eq(expected.take(3)));
    }

    /// Reads everything, and returns the depth of the tree.
    fn check_all(&self) -> usize {
        let depth = self.map.check();
        assert!(self.map.iter().eq(&self.model));
        assert!(self.map.iter().rev().eq(self.model.iter().rev()));
        assert_eq!(self.map, self.model.clone().into_iter().collect());
        depth
    }
}

/// The map grows to a depth of three and shrinks to nothing, again and again and in several ways.
#[test]
fn behaves_like_a_btree_map_and_clones_keep_what_they_saw() {
    let mut rng = Rng::with_seed(1);
    let mut checked = Checked::default();
    let mut clones: Vec<Checked> = Vec::new();
    let mut deepest = 0;
    // The changes that are drawn: random places; a growing window; removals anywhere; removals in front.
    for changes in [0..5, 8..17, 3..8, 0..17, 7..10, 4..8, 0..9, 6..15, 12..15] {
        for step in 0..10_000 {
            let (start, end) = checked.ends();
            let number = rng.u64(start.saturating_sub(9)..end.max(9_000) + 9);
            checked.change(rng.usize(changes.clone()), number, rng.u64(..));
            checked.check_at(rng.u64(start.saturating_sub(9)..end + 9));
            if step % 500 == 0 {
                deepest = deepest.max(checked.check_all());
            }
            if step % 1_000 == 700 {
                clones.push(checked.clone());
            }
            // Clones are changed and dropped, too, while the others stay.
            if step % 100 == 50 && !clones.is_empty() {
                let chosen = rng.usize(..clones.len());
                let clone = &mut clones[chosen];
                clone.change(rng.usize(..17), rng.u64(..10_000), step);
                if rng.u8(..30) == 0 {
                    clones.swap_remove(chosen).check_all();
                }
            }
        }
    }
    for clone in &clones {
        clone.check_all();
    }
    assert_eq!(deepest, 3);
    while !checked.map.is_empty() {
        checked.change(12, 0, 1);
    }
    checked.check_all();
    assert_eq!(checked.map.pop_first(), None);
}

#[test]
fn nothing_is_found_in_nothing() {
    let mut map: OrderedMap<Id, ()> = OrderedMap::default();
    assert_eq!(
        (map.first(), map.last(), map.floor(&(1, 1))),
        (None, None, None)
    );
    assert_eq!((map.get(&(1, 1)), map.iter().next()), (None, None));
    assert_eq!(map.range((1, 1)..).next_back(), None);
    assert_eq!((map.remove(&(1, 1)), map.pop_first()), (None, None));
    assert_eq!(map.get_mut(&(1, 1)), None);
    assert_eq!(map.last_mut(), None);
    assert_eq!(format!("{map:?}"), "{}");
}

#[test]
fn maps_are_equal_by_content() {
    let ascending = ids(0..1000);
    let mut other: OrderedMap<_, _> = ascending.iter().rev().map(|(id, it)| (*id, *it)).collect();
    assert_eq!(ascending, other);
    other.insert((7, 0), [0; 4]);
    assert_ne!(ascending, other);
    other.remove(&(7, 0));
    assert_ne!(ascending, other);
    let few: OrderedMap<u8, &str> = [(2, "b"), (1, "a"), (2, "c")].into_iter().collect();
    assert_eq!(format!("{few:?}"), r#"{1: "a", 2: "c"}"#);
}

/// Takes entries from both ends in random turns, and goes on after the end.
fn check_range(map: &OrderedMap<u64, u64>, bounds: (Bound<u64>, Bound<u64>), rng: &mut Rng) {
    let is_within = |(key, _): &(&u64, &u64)| bounds.contains(key);
    let mut expected: VecDeque<_> = map.iter().filter(is_within).collect();
    let mut range = map.range(bounds);
    let turns = rng.u8(..=10);
    for _ in 0..expected.len() + 3 {
        if rng.u8(..10) < turns {
            assert_eq!(range.next(), expected.pop_front(), "{bounds:?}");
        } else {
            assert_eq!(range.next_back(), expected.pop_back(), "{bounds:?}");
        }
    }
}

#[test]
fn ranges_have_all_kinds_of_bounds_and_are_read_from_both_ends() {
    let mut rng = Rng::with_seed(2);
    for len in [0, 1, 2, 63, 64, 65, 200, 6000] {
        let mut numbers: Vec<u64> = (0..len).map(|number| 2 * number + 1).collect();
        if len == 200 {
            rng.shuffle(&mut numbers);
        }
        let map: OrderedMap<u64, u64> = numbers.iter().map(|key| (*key, !key)).collect();
        map.check();
        for _ in 0..if len > 1000 { 40 } else { 400 } {
            let mut bound = |near: Option<u64>| {
                let place = rng.u64(0..2 * len + 3);
                let place = near.map_or(place, |near| (near + rng.u64(0..5)).saturating_sub(2));
                match rng.u8(..5) {
                    0 | 1 => (Included(place), place),
                    2 | 3 => (Excluded(place), place),
                    _ => (Unbounded, place),
                }
            };
            let (start, place) = bound(None);
            let (far, near) = (bound(None).0, bound(Some(place)).0);
            check_range(&map, (start, far), &mut rng);
            check_range(&map, (start, near), &mut rng);
        }
    }
}

/// A key or value that cannot be cloned.
#[derive(Debug, PartialEq)]
struct Unique;

impl Clone for Unique {
    fn clone(&self) -> Self {
        panic!("nothing is shared, so nothing has to be cloned");
    }
}

#[test]
fn values_are_cloned_only_if_they_are_shared() {
    let mut map: OrderedMap<u64, Unique> = (0..10_000).map(|key| (key, Unique)).collect();
    for key in (0..10_000).step_by(3) {
        assert_eq!(map.get_mut(&key), Some(&mut Unique));
        assert_eq!(map.insert(key, Unique), Some(Unique));
        assert_eq!(map.remove(&key), Some(Unique));
    }
    while map.pop_first().is_some() {}
}

#[test]
fn a_change_copies_one_leaf_and_a_miss_copies_nothing() {
    let original = ids(0..10_000);
    let mut map = original.clone();
    assert_eq!(map.get_mut(&(7, 7)), None);
    assert_eq!(map.remove(&(7, 7)), None);
    let leaves = original.leaves().len();
    assert_eq!(map.leaves_shared_with(&original), leaves);
    map.get_mut(&(7, 0));
    assert_eq!(map.leaves_shared_with(&original), leaves - 1);
    map.insert((8, 0), [0; 4]);
    assert_eq!(map.leaves_shared_with(&original), leaves - 1);
    map.last_mut();
    assert_eq!(map.leaves_shared_with(&original), leaves - 2);
    assert_eq!(original, ids(0..10_000));
}

/// Bytes of nodes for each entry, computed from all nodes.
fn bytes_per_entry<K: Ord + Clone, V: Clone>(map: &OrderedMap<K, V>) -> f64 {
    map.memory_bytes(usize::MAX, |_, _| 0) as f64 / map.len() as f64
}

#[test]
fn ascending_entries_fill_their_leaves() {
    let map = ids(0..200_000);
    assert_eq!(map.leaves().len(), 200_000_usize.div_ceil(CAPACITY - 1));
    assert_eq!(map.check(), 3, "the branches are full as well");
    let bytes = bytes_per_entry(&map);
    assert!(bytes < 1.1 * 48.0, "{bytes} bytes for 48");
    let without_values: OrderedMap<Id, ()> = map.iter().map(|(id, _)| (*id, ())).collect();
    let bytes = bytes_per_entry(&without_values);
    assert!(bytes < 1.125 * 16.0, "{bytes} bytes for 16");
}

/// A map with these entries, inserted in random order, and the numbers in that order.
fn ids_in_any_order(len: u64) -> (OrderedMap<Id, Pending>, Vec<u64>) {
    let mut numbers: Vec<u64> = (0..len).collect();
    Rng::with_seed(3).shuffle(&mut numbers);
    let entries = numbers.iter().map(|number| ((*number, 0), [0; 4]));
    (entries.collect(), numbers)
}

#[test]
fn entries_in_any_order_take_little_more_memory() {
    let (mut map, numbers) = ids_in_any_order(100_000);
    let bytes = bytes_per_entry(&map);
    assert!(bytes < 1.2 * 48.0, "{bytes} bytes for 48");
    for number in &numbers[10_000..] {
        map.remove(&(*number, 0));
    }
    map.check();
    let bytes = bytes_per_entry(&map);
    assert!(bytes < 1.6 * 48.0, "{bytes} bytes for 48");
}

#[test]
fn small_maps_take_little_memory() {
    let bytes = |map: &OrderedMap<Id, Pending>| map.memory_bytes(5, |_, _| 0);
    // The leaf with its reference count, the keys, the values.
    for (len, expected) in [
        (0, 0),
        (1, 64 + 16 + 32),
        (2, 64 + 32 + 64),
        (5, 64 + 80 + 160),
        (8, 64 + 128 + 256),
    ] {
        assert_eq!(bytes(&ids(0..len)), expected, "{len} entries");
    }
    let mut shrunk = ids(0..10_000);
    for len in (0..10_000).rev() {
        shrunk.pop_first();
        assert!(bytes(&shrunk) <= 600 + 72 * len, "{len} entries");
    }
    assert_eq!(bytes(&shrunk), 0);
    let mut shrunk = ids(0..63);
    for id in 2..63 {
        shrunk.remove(&(id, 0));
    }
    assert!(bytes(&shrunk) <= 64 + 2 * (32 + 64));
}

#[test]
fn memory_is_estimated_from_few_leaves() {
    let (random, numbers) = ids_in_any_order(50_000);
    let mut queue = ids(0..50_000);
    for _ in 0..30_000 {
        queue.pop_first();
    }
    let mut rest = random.clone();
    for number in &numbers[..40_000] {
        rest.remove(&(*number, 0));
    }
    for map in [ids(0..50_000), ids(0..4100), random, queue, rest] {
        map.check();
        // Every other entry has 40 bytes elsewhere.
        let of_value = |id: &Id, _: &Pending| 40 * (id.0 % 2) as usize;
        let [exact, estimated] = [usize::MAX, 20].map(|it| map.memory_bytes(it, of_value) as f64);
        let error = (estimated / exact - 1.0).abs();
        assert!(error < 0.1, "{estimated} for {exact} bytes");
    }
    assert_eq!(ids(0..3).memory_bytes(0, |_, _| 100), 64 + 48 + 96 + 300);
    let map = ids(0..50_000);
    let asked = Cell::new(0);
    for (samples, expected) in [(1, 63), (5, 5 * 63), (usize::MAX, 50_000)] {
        asked.set(0);
        map.memory_bytes(samples, |_, _| {
            asked.set(asked.get() + 1);
            0
        });
        assert_eq!(asked.get(), expected, "{samples} samples");
    }
}
