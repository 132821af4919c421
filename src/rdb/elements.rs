//! Many byte strings in one block of memory.
//!
//! A collection of a million small elements would be a million small vectors, each with a header of 24 bytes and a call
//! of the allocator. Here it is two vectors:
//!
//! ```text
//! bytes   r e d g r e e n b l u e
//! ends          3         8       12        where each element ends, and so where the next one begins
//! ```

use std::collections::HashSet;

use super::encodings::Entry;
use crate::util::number;

/// The elements of a list or set, or the fields and values of a hash, alternating.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elements {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Elements {
    /// No elements.
    pub fn new() -> Elements {
        Elements::default()
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The element at `index`, which must be less than `len`.
    pub fn get(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..self.ends[index]]
    }

    /// The number of bytes of all elements.
    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes.len() + size_of_val(&self.ends[..])
    }

    /// Removes all elements, and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// All elements in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// The elements in pairs: the fields and values of a hash. If the number is odd, the last element is left out.
    pub fn pairs(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        (0..self.len() / 2).map(|index| (self.get(2 * index), self.get(2 * index + 1)))
    }

    /// Adds an element.
    pub fn push(&mut self, element: &[u8]) {
        self.bytes.extend_from_slice(element);
        self.ends.push(self.bytes.len());
    }

    /// Adds the element that `append` appends to the bytes given to it. After an error nothing is added.
    pub(super) fn push_with<E>(
        &mut self,
        append: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.bytes.len();
        let result = append(&mut self.bytes);
        match result {
            Ok(()) => self.ends.push(self.bytes.len()),
            Err(_) => self.bytes.truncate(start),
        }
        result
    }

    /// Adds an element of a packed encoding, an integer as its decimal text.
    pub(super) fn push_entry(&mut self, entry: Entry<'_>) {
        match entry {
            Entry::Text(text) => self.bytes.extend_from_slice(text),
            Entry::Integer(number) => number::format_i64(number, &mut self.bytes),
        }
        self.ends.push(self.bytes.len());
    }

    /// Whether two of every `step`-th element are equal: 1 for the members of a set, 2 for the fields of a hash.
    pub(super) fn has_duplicates(&self, step: usize) -> bool {
        // For few elements, comparing all pairs is faster than hashing.
        const FEW: usize = 8;
        let count = self.len() / step;
        if count <= FEW {
            return (1..count).any(|a| (0..a).any(|b| self.get(a * step) == self.get(b * step)));
        }
        let mut seen =
            HashSet::with_capacity_and_hasher(count, foldhash::fast::RandomState::default());
        !(0..count).all(|index| seen.insert(self.get(index * step)))
    }
}

impl<'a> FromIterator<&'a [u8]> for Elements {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(items: I) -> Elements {
        let mut elements = Elements::new();
        items.into_iter().for_each(|item| elements.push(item));
        elements
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_come_back_in_order() {
        let elements: Elements = [&b"red"[..], b"", b"blue"].into_iter().collect();
        assert_eq!(elements.len(), 3);
        assert_eq!(
            elements.iter().collect::<Vec<_>>(),
            [&b"red"[..], b"", b"blue"]
        );
        assert_eq!(
            elements.pairs().collect::<Vec<_>>(),
            [(&b"red"[..], &b""[..])]
        );
    }

    #[test]
    fn duplicates_are_found_among_few_and_many() {
        for count in [2_i64, 8, 9, 1000] {
            let mut elements = Elements::new();
            for number in 0..count {
                elements.push_entry(Entry::Integer(number));
                elements.push(b"same value");
            }
            assert!(!elements.has_duplicates(2), "{count}");
            assert!(elements.has_duplicates(1), "{count}");
            elements.push_entry(Entry::Text(b"0"));
            elements.push(b"same value");
            assert!(elements.has_duplicates(2), "{count}");
        }
    }
}
