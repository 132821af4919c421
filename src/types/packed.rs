//! A sequence of byte strings packed into one block of memory, readable from both ends: what Redis calls a listpack.
//!
//! Lists keep their elements in such blocks, small hashes their fields and values. An element costs its bytes plus its
//! length, written once before it and once, mirrored, behind it, so that a reader can walk in both directions:
//!
//! ```text
//!   "hi", "" and 200 bytes:   02 h i 02   00 00   c8 01 <200 bytes> 01 c8
//!                             len  len            len              len, mirrored
//! ```
//!
//! A length is a base-128 number, low digits first, the high bit set on every byte but the last (LEB128); the mirrored
//! form is the same bytes in reverse order. Up to 127 bytes an element therefore costs two bytes more than its content.
//! Walking is linear; callers keep a block to a few KiB, which stays in the nearest cache.

use super::blocks::vec_bytes;
use std::ops::Range;

/// Bytes taken from the front are given back once they are this many and at least half of the block.
const SLACK_BYTES: usize = 64;

/// A packed sequence of byte strings.
#[derive(Clone, Debug, Default)]
pub struct Packed {
    /// `bytes[head..]` holds the elements; what lies before was popped from the front.
    bytes: Vec<u8>,
    head: u32,
    len: u32,
}

impl Packed {
    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes the elements take, lengths included.
    pub fn byte_len(&self) -> usize {
        self.bytes.len() - self.head as usize
    }

    /// Bytes of the block.
    pub fn memory_bytes(&self) -> usize {
        vec_bytes(&self.bytes)
    }

    /// Bytes an element of `content_len` bytes takes in a block.
    pub fn entry_bytes(content_len: usize) -> usize {
        content_len + 2 * length_bytes(content_len)
    }

    /// The elements from first to last; the iterator also runs backwards.
    pub fn iter(&self) -> Iter<'_> {
        Iter {
            bytes: &self.bytes[self.head as usize..],
            remaining: self.len(),
        }
    }

    /// The element at `index`, walking from the nearer end.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        if index >= self.len() {
            None
        } else if index < self.len() / 2 {
            self.iter().nth(index)
        } else {
            self.iter().nth_back(self.len() - 1 - index)
        }
    }

    /// The index of the first element that is equal to this one, every `step`-th being looked at.
    pub fn position(&self, element: &[u8], step: usize) -> Option<usize> {
        // Names are often of one length and begin alike, so the last byte is the quickest way to tell them apart.
        let last = element.last();
        let is_equal =
            |other: &[u8]| other.len() == element.len() && other.last() == last && other == element;
        let steps = self.iter().step_by(step).position(is_equal)?;
        Some(steps * step)
    }

    /// The first element.
    pub fn first(&self) -> Option<&[u8]> {
        self.iter().next()
    }

    /// The last element.
    pub fn last(&self) -> Option<&[u8]> {
        self.iter().next_back()
    }

    /// Appends an element.
    pub fn push_back(&mut self, element: &[u8]) {
        let (digits, count) = encode_length(element.len());
        make_room(&mut self.bytes, element.len() + 2 * count);
        self.bytes.extend_from_slice(&digits[..count]);
        self.bytes.extend_from_slice(element);
        self.bytes.extend(digits[..count].iter().rev());
        self.len += 1;
    }

    /// Prepends an element, into the room that popped elements left if that is enough.
    pub fn push_front(&mut self, element: &[u8]) {
        let entry = Self::entry_bytes(element.len());
        let head = self.head as usize;
        if entry <= head {
            self.write_entry(head - entry, element);
            self.head -= entry as u32;
        } else {
            // All room is left in front: a run of pushes then moves the block once every few elements.
            let capacity = block_len::<u8>(self.byte_len() + entry);
            let room = capacity - self.byte_len();
            let mut bytes = Vec::with_capacity(capacity);
            bytes.resize(room, 0);
            bytes.extend_from_slice(&self.bytes[head..]);
            self.bytes = bytes;
            self.write_entry(room - entry, element);
            self.head = (room - entry) as u32;
        }
        self.len += 1;
    }

    /// Removes the first element; read it with [`first`](Self::first) before.
    pub fn drop_front(&mut self) {
        if let Some(first) = self.first() {
            self.head += Self::entry_bytes(first.len()) as u32;
            self.len -= 1;
            self.give_back_slack();
        }
    }

    /// Removes the last element; read it with [`last`](Self::last) before.
    pub fn drop_back(&mut self) {
        if let Some(last) = self.last() {
            let entry = Self::entry_bytes(last.len());
            self.bytes.truncate(self.bytes.len() - entry);
            self.len -= 1;
            self.give_back_slack();
        }
    }

    /// Inserts an element before the one at `index`, or at the end if `index` is the length.
    pub fn insert(&mut self, index: usize, element: &[u8]) {
        let at = self.offset_of(index);
        let entry = Self::entry_bytes(element.len());
        make_room(&mut self.bytes, entry);
        let end = self.bytes.len();
        self.bytes.resize(end + entry, 0);
        self.bytes.copy_within(at..end, at + entry);
        self.write_entry(at, element);
        self.len += 1;
    }

    /// Replaces the element at `index`.
    pub fn replace(&mut self, index: usize, element: &[u8]) {
        let old = self.entries(index..index + 1);
        let entry = Self::entry_bytes(element.len());
        let at = old.start;
        if old.len() != entry {
            make_room(&mut self.bytes, entry.saturating_sub(old.len()));
            self.bytes.splice(old, std::iter::repeat_n(0, entry));
        }
        self.write_entry(at, element);
    }

    /// Removes the elements with these indexes.
    pub fn remove(&mut self, indexes: Range<usize>) {
        let removed = indexes.len() as u32;
        let bytes = self.entries(indexes);
        self.bytes.drain(bytes);
        self.len -= removed;
        self.give_back_slack();
    }

    /// Cuts the sequence in two before `index` and returns the rear part.
    pub fn split_off(&mut self, index: usize) -> Packed {
        let at = self.offset_of(index);
        let rear = Packed {
            bytes: self.bytes.split_off(at),
            head: 0,
            len: self.len - index as u32,
        };
        self.len = index as u32;
        rear
    }

    /// Where in `bytes` the entry of the element at `index` begins.
    fn offset_of(&self, index: usize) -> usize {
        if index == self.len() {
            return self.bytes.len();
        }
        let mut rest = self.iter();
        if index > 0 {
            rest.nth(index - 1);
        }
        self.bytes.len() - rest.bytes.len()
    }

    /// The bytes of the entries with these indexes.
    fn entries(&self, indexes: Range<usize>) -> Range<usize> {
        let start = self.offset_of(indexes.start);
        let mut rest = Iter {
            bytes: &self.bytes[start..],
            remaining: self.len() - indexes.start,
        };
        for _ in indexes {
            rest.next();
        }
        start..self.bytes.len() - rest.bytes.len()
    }

    /// Writes the entry of `element` over the bytes at `at`.
    fn write_entry(&mut self, at: usize, element: &[u8]) {
        let (digits, count) = encode_length(element.len());
        let entry = &mut self.bytes[at..at + element.len() + 2 * count];
        entry[..count].copy_from_slice(&digits[..count]);
        entry[count..count + element.len()].copy_from_slice(element);
        for (byte, digit) in entry[count + element.len()..]
            .iter_mut()
            .zip(digits[..count].iter().rev())
        {
            *byte = *digit;
        }
    }

    /// Keeps the unused part of the block below half of it.
    fn give_back_slack(&mut self) {
        let used = self.byte_len();
        if self.head as usize > used.max(SLACK_BYTES) {
            self.bytes.drain(..self.head as usize);
            self.head = 0;
        }
        if self.bytes.capacity() > 2 * self.bytes.len().max(SLACK_BYTES) {
            self.bytes.shrink_to_fit();
        }
    }
}

impl<'a> FromIterator<&'a [u8]> for Packed {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(elements: I) -> Self {
        let mut packed = Packed::default();
        for element in elements {
            packed.push_back(element);
        }
        packed
    }
}

/// The elements of a [`Packed`], from both ends.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    bytes: &'a [u8],
    remaining: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.remaining = self.remaining.checked_sub(1)?;
        let (len, digits) = decode_length(self.bytes.iter());
        let element = &self.bytes[digits..digits + len];
        self.bytes = &self.bytes[len + 2 * digits..];
        Some(element)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining, Some(self.remaining))
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.remaining = self.remaining.checked_sub(1)?;
        let (len, digits) = decode_length(self.bytes.iter().rev());
        let end = self.bytes.len() - digits;
        let element = &self.bytes[end - len..end];
        self.bytes = &self.bytes[..end - len - digits];
        Some(element)
    }
}

impl ExactSizeIterator for Iter<'_> {}

/// How many digits a length takes.
pub(super) fn length_bytes(len: usize) -> usize {
    (usize::BITS - len.leading_zeros()).div_ceil(7).max(1) as usize
}

/// Makes room for so many elements more; not for twice as many as there are, as `Vec` does by itself, but for what the
/// allocator's next larger block holds. Its blocks are of 16 bytes, 32 and so on to 128, then of a power of two or one, two
/// or three quarters of the way to the next.
pub(super) fn make_room<T>(vec: &mut Vec<T>, additional: usize) {
    let needed = vec.len() + additional;
    if needed > vec.capacity() {
        vec.reserve_exact(block_len::<T>(needed) - vec.len());
    }
}

/// How many elements the smallest block holds that holds so many.
fn block_len<T>(needed: usize) -> usize {
    let bytes = needed * size_of::<T>();
    let step = (bytes.next_power_of_two() / 8).max(16);
    bytes.next_multiple_of(step) / size_of::<T>()
}

/// The digits of a length and how many they are.
pub(super) fn encode_length(mut len: usize) -> ([u8; 10], usize) {
    let mut digits = [0; 10];
    let mut count = 0;
    loop {
        digits[count] = (len & 0x7f) as u8;
        len >>= 7;
        count += 1;
        if len == 0 {
            return (digits, count);
        }
        digits[count - 1] |= 0x80;
    }
}

/// The length that begins a run of bytes, and how many digits it has.
pub(super) fn decode_length<'a>(bytes: impl Iterator<Item = &'a u8>) -> (usize, usize) {
    let mut len = 0;
    let mut count = 0;
    for byte in bytes {
        len |= ((byte & 0x7f) as usize) << (7 * count);
        count += 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    (len, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(elements: &[&[u8]]) -> Packed {
        elements.iter().copied().collect()
    }

    #[test]
    fn bytes_are_as_the_head_of_the_file_draws_them() {
        let long = [b'x'; 200];
        let block = packed(&[b"hi", b"", &long]);
        let mut expected = vec![2, b'h', b'i', 2, 0, 0, 0xc8, 0x01];
        expected.extend_from_slice(&long);
        expected.extend_from_slice(&[0x01, 0xc8]);
        assert_eq!(block.bytes, expected);
    }

    /// Runs random operations on a block and on a plain vector.
    #[test]
    fn behaves_like_a_vector_of_byte_strings() {
        let mut state = 1u64;
        let mut random = |below: usize| {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (state >> 33) as usize % below
        };
        let mut block = Packed::default();
        let mut model: Vec<Vec<u8>> = Vec::new();
        for step in 0..20_000 {
            let len = if random(20) == 0 {
                100 + random(300)
            } else {
                random(12)
            };
            let element = vec![b'a' + (step % 26) as u8; len];
            let index = random(model.len() + 1);
            match random(9) {
                0 => (block.push_back(&element), model.push(element)).0,
                1 => (block.push_front(&element), model.insert(0, element)).0,
                2 => (block.insert(index, &element), model.insert(index, element)).0,
                3 if index < model.len() => {
                    block.replace(index, &element);
                    model[index] = element;
                }
                4 => {
                    block.drop_front();
                    model.drain(..model.len().min(1));
                }
                5 => {
                    block.drop_back();
                    model.pop();
                }
                6 => {
                    let end = (index + random(3)).min(model.len());
                    block.remove(index..end);
                    model.drain(index..end);
                }
                7 if random(10) == 0 => {
                    let rear = block.split_off(index);
                    assert!(rear.iter().eq(model[index..].iter()));
                    model.truncate(index);
                }
                _ => assert_eq!(block.get(index), model.get(index).map(Vec::as_slice)),
            }
            let sought = vec![b'a' + random(26) as u8; random(12)];
            for step in [1, 2] {
                let mut indexes = (0..model.len()).step_by(step);
                let expected = indexes.find(|index| model[*index] == sought);
                assert_eq!(block.position(&sought, step), expected);
            }
            assert_eq!(block.len(), model.len());
            assert!(block.iter().eq(model.iter()));
            assert!(block.iter().rev().eq(model.iter().rev()));
        }
    }
}
