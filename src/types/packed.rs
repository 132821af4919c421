//! A sequence of byte strings packed into one block of memory, readable from both ends: what Redis calls a listpack.
//!
//! Lists keep their elements in such blocks, small sets and sorted sets their members. The length of an element stands
//! before it and, mirrored, after it, so that a reader can walk in both directions:
//!
//! ```text
//!   "hi", "" and 200 bytes:   02 h i 02   00 00   c8 01 <200 bytes> 01 c8
//!                             len  len            len              len, mirrored
//! ```
//!
//! A length is a base-128 number, low digits first, the high bit set on every byte but the last (LEB128); the mirrored
//! form is the same bytes in reverse order. Up to 127 bytes an element therefore costs two bytes more than its content.
//! Walking is linear; callers keep a block to a few KiB, which stays in the nearest cache.

use super::blocks::block_bytes;
use std::ops::Range;

/// The room at the front is closed once it has this many bytes and is at least half of the block.
const SLACK_BYTES: usize = 64;

/// A packed sequence of byte strings.
///
/// ```text
///   [ popped from the front ] elements ... [ room    03 ]       3 bytes of room, itself included
///                            ^ head       ^ end
/// ```
#[derive(Clone, Debug, Default)]
pub struct Packed {
    /// As long as one of the allocator's blocks. The spare bytes at the end, at least one, end with their own count
    /// (mirrored LEB128), so the block needs no length field. Empty until the first element is inserted.
    block: Box<[u8]>,
    head: u32,
    len: u32,
}

impl Packed {
    /// The number of elements.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes the elements take, lengths included.
    pub fn byte_len(&self) -> usize {
        self.end() - self.head as usize
    }

    /// Bytes of the block.
    pub fn memory_bytes(&self) -> usize {
        block_bytes(self.block.len())
    }

    /// Bytes an element of `content_len` bytes takes in a block.
    pub fn entry_bytes(content_len: usize) -> usize {
        content_len + 2 * length_bytes(content_len)
    }

    /// The elements from first to last; the iterator also runs backwards.
    pub fn iter(&self) -> Iter<'_> {
        Iter {
            bytes: self.bytes(),
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

    /// The index of the first element equal to this one.
    pub fn position(&self, element: &[u8]) -> Option<usize> {
        // Names often have one length and one prefix, so the last byte is compared first.
        let last = element.last();
        let is_equal =
            |other: &[u8]| other.len() == element.len() && other.last() == last && other == element;
        self.iter().position(is_equal)
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
        self.insert(self.len(), element);
    }

    /// Prepends an element, into the room that popped elements left if that is enough.
    pub fn push_front(&mut self, element: &[u8]) {
        let entry = Self::entry_bytes(element.len());
        let head = self.head as usize;
        if entry <= head {
            self.write_entry(head - entry, element);
            self.head -= entry as u32;
        } else {
            // All spare bytes but one are left in front, so that a run of pushes moves the elements only once in a
            // while.
            let used = self.byte_len();
            let end = block_len::<u8>(used + entry + 1) - 1;
            let mut block = Vec::with_capacity(end + 1);
            block.resize(end - used, 0);
            block.extend_from_slice(self.bytes());
            block.push(0);
            self.block = block.into_boxed_slice();
            self.set_end(end);
            self.write_entry(end - used - entry, element);
            self.head = (end - used - entry) as u32;
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
            self.set_end(self.end() - entry);
            self.len -= 1;
            self.give_back_slack();
        }
    }

    /// Inserts an element before the one at `index`, or at the end if `index` is the length.
    pub fn insert(&mut self, index: usize, element: &[u8]) {
        let at = self.offset_of(index);
        self.splice(at..at, Self::entry_bytes(element.len()));
        self.write_entry(at, element);
        self.len += 1;
    }

    /// Replaces the element at `index`.
    pub fn replace(&mut self, index: usize, element: &[u8]) {
        let old = self.entries(index..index + 1);
        let entry = Self::entry_bytes(element.len());
        let at = old.start;
        if old.len() != entry {
            self.splice(old, entry);
        }
        self.write_entry(at, element);
    }

    /// Removes the elements with these indexes.
    pub fn remove(&mut self, indexes: Range<usize>) {
        let removed = indexes.len() as u32;
        let bytes = self.entries(indexes);
        self.splice(bytes, 0);
        self.len -= removed;
        self.give_back_slack();
    }

    /// Splits the sequence before `index` and returns the second part.
    pub fn split_off(&mut self, index: usize) -> Packed {
        let (at, end) = (self.offset_of(index), self.end());
        let mut rear = Packed::default();
        rear.splice(0..0, end - at);
        rear.block[..end - at].copy_from_slice(&self.block[at..end]);
        rear.len = self.len - index as u32;
        self.set_end(at);
        self.len = index as u32;
        rear
    }

    /// The elements with their lengths.
    fn bytes(&self) -> &[u8] {
        &self.block[self.head as usize..self.end()]
    }

    /// Where the elements end in the block.
    fn end(&self) -> usize {
        self.block.len() - decode_length(self.block.iter().rev()).0
    }

    /// Stores where the elements end, in the spare bytes. There must be at least one, unless the block is empty.
    fn set_end(&mut self, end: usize) {
        let room = self.block.len() - end;
        debug_assert!(room > 0 || self.block.is_empty());
        let (digits, count) = encode_length(room);
        let place = self.block.len().saturating_sub(count);
        write_mirrored(&mut self.block[place..], &digits[..count]);
    }

    /// Resizes this range of the block to `len` bytes, whose content the caller must write, and moves the bytes after
    /// it.
    fn splice(&mut self, bytes: Range<usize>, len: usize) {
        let end = self.end();
        let new_end = end - bytes.len() + len;
        if new_end > end && new_end >= self.block.len() {
            self.resize(new_end);
        }
        self.block.copy_within(bytes.end..end, bytes.start + len);
        self.set_end(new_end);
    }

    /// Resizes the block so that the elements may end at `end`. The caller must store the new end.
    fn resize(&mut self, end: usize) {
        let len = block_len::<u8>(end + 1);
        let mut block = std::mem::take(&mut self.block).into_vec();
        block.reserve_exact(len.saturating_sub(block.len()));
        block.resize(len, 0);
        self.block = block.into_boxed_slice();
    }

    /// The offset in the block at which the entry of the element at `index` begins.
    fn offset_of(&self, index: usize) -> usize {
        if index == self.len() {
            return self.end();
        }
        let mut rest = self.iter();
        if index > 0 {
            rest.nth(index - 1);
        }
        self.end() - rest.bytes.len()
    }

    /// The bytes of the entries with these indexes.
    fn entries(&self, indexes: Range<usize>) -> Range<usize> {
        let (start, end) = (self.offset_of(indexes.start), self.end());
        let mut rest = Iter {
            bytes: &self.block[start..end],
            remaining: self.len() - indexes.start,
        };
        for _ in indexes {
            rest.next();
        }
        start..end - rest.bytes.len()
    }

    /// Writes the entry of `element` over the bytes at `at`.
    fn write_entry(&mut self, at: usize, element: &[u8]) {
        let (digits, count) = encode_length(element.len());
        let entry = &mut self.block[at..at + element.len() + 2 * count];
        entry[..count].copy_from_slice(&digits[..count]);
        entry[count..count + element.len()].copy_from_slice(element);
        write_mirrored(&mut entry[count + element.len()..], &digits[..count]);
    }

    /// Closes the room at the front if it is half of the block.
    fn give_back_slack(&mut self) {
        let head = self.head as usize;
        if head > self.byte_len().max(SLACK_BYTES) {
            self.splice(0..head, 0);
            self.head = 0;
        }
        let end = self.end();
        if self.block.len() > 2 * end.max(SLACK_BYTES) {
            self.resize(end);
            self.set_end(end);
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

/// The number of digits of a length.
pub(super) fn length_bytes(len: usize) -> usize {
    (usize::BITS - len.leading_zeros()).div_ceil(7).max(1) as usize
}

/// Makes room for `additional` more elements. `Vec` itself would double the capacity; this fills the next larger block
/// of the allocator instead. The blocks have 16 bytes, 32 and so on to 128, then a power of two or one, two or three
/// quarters of the way to the next.
pub(super) fn make_room<T>(vec: &mut Vec<T>, additional: usize) {
    let needed = vec.len() + additional;
    if needed > vec.capacity() {
        vec.reserve_exact(block_len::<T>(needed) - vec.len());
    }
}

/// The capacity of the smallest block of the allocator that holds `needed` elements.
fn block_len<T>(needed: usize) -> usize {
    let bytes = needed * size_of::<T>();
    let step = (bytes.next_power_of_two() / 8).max(16);
    bytes.next_multiple_of(step) / size_of::<T>()
}

/// The digits of a length and their number.
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

/// Writes the digits of a length so that they can be read backwards.
fn write_mirrored(place: &mut [u8], digits: &[u8]) {
    for (byte, digit) in place.iter_mut().zip(digits.iter().rev()) {
        *byte = *digit;
    }
}

/// The length at the start of `bytes`, and the number of its digits.
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
        assert_eq!(block.bytes(), expected);
    }

    #[test]
    fn nothing_can_be_taken_from_nothing() {
        let mut block = Packed::default();
        block.remove(0..0);
        block.drop_front();
        block.drop_back();
        assert!(block.split_off(0).is_empty());
        assert_eq!((block.byte_len(), block.memory_bytes()), (0, 0));
    }

    /// The count of spare bytes takes one byte or two.
    #[test]
    fn ends_anywhere_in_its_block() {
        let long = [b'x'; 1000];
        for first in 0..300 {
            let mut block = packed(&[&long[..first], &long]);
            block.drop_back();
            assert_eq!(block.byte_len(), Packed::entry_bytes(first));
            block.push_back(b"last");
            assert_eq!(block.get(0), Some(&long[..first]));
            assert_eq!(block.get(1), Some(&b"last"[..]));
        }
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
            let expected = model.iter().position(|element| *element == sought);
            assert_eq!(block.position(&sought), expected);
            assert_eq!(block.len(), model.len());
            assert!(block.iter().eq(model.iter()));
            assert!(block.iter().rev().eq(model.iter().rev()));
        }
    }
}
