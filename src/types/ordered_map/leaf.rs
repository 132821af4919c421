//! A leaf: entries in order, keys and values side by side.

use crate::types::blocks::{shared_bytes, vec_bytes};
use crate::types::packed::make_room;
use std::iter::Zip;
use std::ops::Range;
use std::slice::Iter;

/// The number of entries of a leaf, or of children of a branch, at which the node is full.
pub(super) const CAPACITY: usize = 64;

/// The entries of a part of a leaf.
pub(super) type Entries<'a, K, V> = Zip<Iter<'a, K>, Iter<'a, V>>;

/// Entries in order, fewer than [`CAPACITY`] between two calls.
#[derive(Clone, Debug)]
pub(super) struct Leaf<K, V> {
    keys: Vec<K>,
    /// As many as keys.
    values: Vec<V>,
}

/// Reading.
impl<K, V> Leaf<K, V> {
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn keys(&self) -> &[K] {
        &self.keys
    }

    pub(super) fn entry(&self, index: usize) -> Option<(&K, &V)> {
        Some((self.keys.get(index)?, self.values.get(index)?))
    }

    pub(super) fn entry_mut(&mut self, index: usize) -> Option<(&K, &mut V)> {
        Some((self.keys.get(index)?, self.values.get_mut(index)?))
    }

    /// The entries with these indexes; none if the start is greater than the end.
    pub(super) fn entries(&self, indexes: Range<usize>) -> Entries<'_, K, V> {
        let keys = self.keys.get(indexes.clone()).unwrap_or_default();
        let values = self.values.get(indexes).unwrap_or_default();
        keys.iter().zip(values)
    }

    /// Bytes of its blocks of memory.
    pub(super) fn memory_bytes(&self) -> usize {
        shared_bytes::<Self>() + vec_bytes(&self.keys) + vec_bytes(&self.values)
    }
}

/// Writing.
impl<K, V> Leaf<K, V> {
    pub(super) fn of_one(key: K, value: V) -> Leaf<K, V> {
        Leaf {
            keys: vec![key],
            values: vec![value],
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() >= CAPACITY
    }

    /// Inserts an entry before the one at `index`.
    pub(super) fn insert(&mut self, index: usize, key: K, value: V) {
        make_room(&mut self.keys, 1);
        make_room(&mut self.values, 1);
        self.keys.insert(index, key);
        self.values.insert(index, value);
    }

    /// Replaces the value at `index` and returns the old one.
    pub(super) fn replace(&mut self, index: usize, value: V) -> V {
        std::mem::replace(&mut self.values[index], value)
    }

    /// Removes the entry at `index`.
    pub(super) fn remove(&mut self, index: usize) -> (K, V) {
        let entry = (self.keys.remove(index), self.values.remove(index));
        give_back_slack(&mut self.keys);
        give_back_slack(&mut self.values);
        entry
    }

    /// Splits the leaf before `index` and returns the second part.
    pub(super) fn split_off(&mut self, index: usize) -> Leaf<K, V> {
        let right = Leaf {
            keys: self.keys.split_off(index),
            values: self.values.split_off(index),
        };
        give_back_slack(&mut self.keys);
        give_back_slack(&mut self.values);
        right
    }

    /// Moves all entries of the right neighbour into this leaf.
    pub(super) fn append(&mut self, mut right: Leaf<K, V>) {
        make_room(&mut self.keys, right.len());
        make_room(&mut self.values, right.len());
        self.keys.append(&mut right.keys);
        self.values.append(&mut right.values);
    }
}

/// Makes the block of a vector smaller if no more than half of it is in use. A very small one may keep some room, so
/// that it is not resized whenever an element comes or goes.
pub(super) fn give_back_slack<T>(vec: &mut Vec<T>) {
    if vec.capacity() >= (2 * vec.len()).max(4) {
        vec.shrink_to_fit();
    }
}
