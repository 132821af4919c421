//! Bytes that can be changed in the middle: a block of memory, or the value of a pair in a page of a
//! [`dict`](super::dict).

use super::packed::make_room;
use std::ops::Range;

/// Bytes that can be changed in the middle.
pub trait Edit {
    /// All of them.
    fn bytes(&self) -> &[u8];

    /// Replaces a part by these bytes, joined, and moves what follows.
    fn replace(&mut self, part: Range<usize>, with: &[&[u8]]);
}

impl Edit for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn replace(&mut self, part: Range<usize>, with: &[&[u8]]) {
        let (end, len) = (self.len(), len_of(with));
        if len != part.len() {
            let new_end = end - part.len() + len;
            make_room(self, len.saturating_sub(part.len()));
            self.resize(end.max(new_end), 0);
            self.copy_within(part.end..end, part.start + len);
            self.truncate(new_end);
        }
        write(&mut self[part.start..], with);
    }
}

/// The length of the parts, joined.
pub(super) fn len_of(parts: &[&[u8]]) -> usize {
    parts.iter().map(|part| part.len()).sum()
}

/// Writes the parts, joined, over the first bytes.
pub(super) fn write(mut bytes: &mut [u8], parts: &[&[u8]]) {
    for part in parts {
        let (place, rest) = bytes.split_at_mut(part.len());
        place.copy_from_slice(part);
        bytes = rest;
    }
}

/// Gives spare room back, if it is more than half of the block.
pub(super) fn give_back(block: &mut Vec<u8>) {
    /// A block as small as this may be empty.
    const SMALL_BYTES: usize = 128;
    if block.capacity() > SMALL_BYTES.max(2 * block.len()) {
        block.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_becomes_longer_or_shorter() {
        let mut bytes = b"0123456789".to_vec();
        bytes.replace(2..4, &[b"ab"]);
        assert_eq!(bytes, b"01ab456789");
        bytes.replace(2..4, &[b"", b"abc", b"def"]);
        assert_eq!(bytes, b"01abcdef456789");
        bytes.replace(1..13, &[]);
        assert_eq!(bytes, b"09");
        bytes.replace(2..2, &[b"end"]);
        assert_eq!(bytes, b"09end");
    }

    #[test]
    fn room_is_given_back_once_it_is_more_than_half() {
        let mut block = Vec::with_capacity(1024);
        block.resize(512, 0);
        give_back(&mut block);
        assert_eq!(block.capacity(), 1024);
        block.pop();
        give_back(&mut block);
        assert_eq!(block.capacity(), 511);
        block.truncate(0);
        give_back(&mut block);
        assert_eq!(block.capacity(), 0);
    }
}
