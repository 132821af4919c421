//! A map in the order of its keys: a B+ tree whose clones share its nodes.
//!
//! ```text
//!   branch         20   |   34              separators: each is not greater than what is to its right
//!             /         |         \
//!   leaf   3 8 17    20 29      34 40 51    the keys of the entries
//!          c h q     t  y       a  b  c     the values: the one of a key has its index
//! ```
//!
//! Streams are made of such maps: the blocks of a stream by the ID of their first entry, the pending entries of a
//! consumer group by ID, groups and consumers by name. `BTreeMap` would copy all entries for a clone. Here a clone is
//! one reference, and the first change after it copies the path from the root to one leaf (copy-on-write).
//!
//! Keys and values lie in two vectors, so that a search reads keys alone (`search.rs`), and neither is padded for the
//! alignment of the other. The vectors grow by the block sizes of the allocator, so a map of one entry takes some 100
//! bytes. IDs mostly come in ascending order: a leaf is split before its new last entry then, and what stays behind has
//! as many entries as a leaf may have.
//!
//! # Invariants
//! 1. All leaves have one depth.
//! 2. No node is empty: an empty map has no root.
//! 3. No node is full between two calls.
//! 4. A separator is greater than all keys to its left, and not greater than any key to its right.
//!
//! A node that has become small is joined with its neighbour if both fit into one.

mod leaf;
mod node;
mod range;
mod search;

#[cfg(test)]
mod tests;

pub use range::Range;

use node::{Inserted, Node};
use std::borrow::Borrow;
use std::fmt::{Debug, Formatter};
use std::ops::RangeBounds;

/// A map in the order of its keys. A clone takes constant time and shares all entries until one of the two maps is
/// changed; dropping the last of them takes linear time. All operations take logarithmic time unless they say
/// otherwise.
#[derive(Clone)]
pub struct OrderedMap<K, V> {
    /// None if the map is empty.
    root: Option<Node<K, V>>,
    len: usize,
}

/// Reading.
impl<K: Ord + Clone, V: Clone> OrderedMap<K, V> {
    /// The number of entries, in constant time.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value of a key.
    pub fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.root.as_ref()?.get(key)
    }

    /// The entry with the least key.
    pub fn first(&self) -> Option<(&K, &V)> {
        self.root.as_ref()?.first()
    }

    /// The entry with the greatest key.
    pub fn last(&self) -> Option<(&K, &V)> {
        self.root.as_ref()?.last()
    }

    /// The last entry whose key is not greater than the given one.
    pub fn floor<Q>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.root.as_ref()?.floor(key)
    }

    /// The entries whose keys lie within the bounds, in order and from both ends. A step takes constant time on
    /// average. There are none if the start lies behind the end.
    pub fn range<Q>(&self, bounds: impl RangeBounds<Q>) -> Range<'_, K, V>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        match &self.root {
            Some(root) => Range::new(root, bounds.start_bound(), bounds.end_bound()),
            None => Range::default(),
        }
    }

    /// All entries in order, from both ends.
    pub fn iter(&self) -> Range<'_, K, V> {
        self.range::<K>(..)
    }

    /// Bytes of the nodes and what `of_value` says that entries take elsewhere, estimated from about `samples` leaves
    /// that are evenly spread. `of_value` is asked about all entries of these leaves. `usize::MAX` samples are all
    /// leaves, and the sum is exact.
    pub fn memory_bytes(&self, samples: usize, of_value: impl Fn(&K, &V) -> usize) -> usize {
        let Some(root) = &self.root else { return 0 };
        let (bytes, entries) = root.estimate(samples.max(1), &of_value);
        (bytes * self.len as f64 / entries) as usize
    }
}

/// Writing.
impl<K: Ord + Clone, V: Clone> OrderedMap<K, V> {
    /// The value of a key, to be changed. If the key is absent, nothing is copied.
    pub fn get_mut<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        let path = self.root.as_ref()?.path_to(key)?;
        self.root.as_mut()?.value_mut(path)
    }

    /// The entry with the greatest key, its value to be changed.
    pub fn last_mut(&mut self) -> Option<(&K, &mut V)> {
        self.root.as_mut()?.last_mut()
    }

    /// Inserts an entry, or replaces the value of a key that is there and returns the old value.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match &mut self.root {
            None => self.root = Some(Node::of_one(key, value)),
            Some(root) => match root.insert(key, value, true) {
                Inserted::Replaced(old) => return Some(old),
                Inserted::Added => {}
                Inserted::Split(split) => {
                    self.root = self.root.take().map(|left| Node::above(left, split));
                }
            },
        }
        self.len += 1;
        None
    }

    /// Removes an entry and returns its value. If the key is absent, nothing is copied.
    pub fn remove<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        let path = self.root.as_ref()?.path_to(key)?;
        let (_, value) = self.root.as_mut()?.remove(&mut path.into_iter())?;
        self.removed_one();
        Some(value)
    }

    /// Removes the entry with the least key and returns it.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        let path = &mut std::iter::repeat(0);
        let entry = self.root.as_mut()?.remove(path)?;
        self.removed_one();
        Some(entry)
    }

    /// Counts a removed entry, and removes a root that is not needed any more.
    fn removed_one(&mut self) {
        self.len -= 1;
        if self.len == 0 {
            self.root = None;
        }
        while let Some(child) = self.root.as_mut().and_then(Node::take_only_child) {
            self.root = Some(child);
        }
    }
}

impl<K, V> Default for OrderedMap<K, V> {
    fn default() -> Self {
        OrderedMap { root: None, len: 0 }
    }
}

impl<K: Ord + Clone + Debug, V: Clone + Debug> Debug for OrderedMap<K, V> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Ord + Clone, V: Clone + PartialEq> PartialEq for OrderedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<K: Ord + Clone, V: Clone + Eq> Eq for OrderedMap<K, V> {}

impl<K: Ord + Clone, V: Clone> FromIterator<(K, V)> for OrderedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = OrderedMap::default();
        for (key, value) in entries {
            map.insert(key, value);
        }
        map
    }
}
