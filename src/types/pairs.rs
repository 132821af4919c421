//! Pairs of byte strings packed into one block of memory: the fields and values of a small hash.
//!
//! Before the pairs stands their number, before each pair the lengths of its two parts:
//!
//! ```text
//!   "name" "ann", "age" "33":   02   04 03 n a m e a n n   03 02 a g e 3 3
//!                             count  lengths               lengths
//! ```
//!
//! A number is written in base 128, low digits first, the high bit set on every byte but the last (LEB128). Walking is
//! linear, one step for each pair; callers keep a block small. A page of a [`dict`](super::dict) has its pairs in the
//! same form.

use super::blocks::vec_bytes;
use super::edit::{self, Edit};
use super::packed::{decode_length, encode_length, length_bytes, make_room};
use std::ops::Range;

/// Packed pairs with different keys, in the order in which they were put in. Empty while there has been none.
#[derive(Clone, Debug, Default)]
pub struct Pairs(Vec<u8>);

/// The bytes of [`Pairs`], wherever they lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PairsRef<'a>(&'a [u8]);

/// The pairs of a [`PairsRef`].
#[derive(Clone, Debug)]
pub struct Iter<'a>(&'a [u8]);

impl<'a> PairsRef<'a> {
    /// Reads what [`bytes`](Self::bytes) has given.
    pub fn new(bytes: &'a [u8]) -> PairsRef<'a> {
        PairsRef(bytes)
    }

    /// Count and pairs.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// The number of pairs.
    pub fn len(self) -> usize {
        self.count().0
    }

    /// Whether there is no pair.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The number of pairs, and of the digits it is written with.
    fn count(self) -> (usize, usize) {
        match self.0 {
            [] => (0, 0),
            bytes => decode_length(bytes.iter()),
        }
    }

    /// The value of a key.
    pub fn get(self, key: &[u8]) -> Option<&'a [u8]> {
        self.find(key).map(|(value, _)| value)
    }

    /// The pairs.
    pub fn iter(self) -> Iter<'a> {
        Iter(&self.0[self.count().1..])
    }

    /// The value of a key, and the place of the pair.
    fn find(self, key: &[u8]) -> Option<(&'a [u8], Range<usize>)> {
        // Names often have one length and one prefix, so the last byte is compared first.
        let last = key.last();
        let mut pairs = self.iter();
        loop {
            let start = self.0.len() - pairs.0.len();
            let (other, value) = pairs.next()?;
            if other.len() == key.len() && other.last() == last && other == key {
                return Some((value, start..self.0.len() - pairs.0.len()));
            }
        }
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let (key, value, rest) = split(self.0);
        self.0 = rest;
        Some((key, value))
    }
}

impl Pairs {
    /// The pairs, to be read.
    pub fn view(&self) -> PairsRef<'_> {
        PairsRef(&self.0)
    }

    /// Bytes of the block.
    pub fn memory_bytes(&self) -> usize {
        vec_bytes(&self.0)
    }

    /// Sets the value of a key; returns whether the key is new.
    pub fn insert(&mut self, key: &[u8], value: &[u8]) -> bool {
        let is_new = insert(&mut self.0, key, value);
        edit::give_back(&mut self.0);
        is_new
    }

    /// Removes a key; returns whether it was there.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let was_there = remove(&mut self.0, key);
        edit::give_back(&mut self.0);
        was_there
    }
}

/// Sets the value of a key in packed pairs; returns whether the key is new.
pub fn insert(pairs: &mut impl Edit, key: &[u8], value: &[u8]) -> bool {
    let view = PairsRef(pairs.bytes());
    let (digits, count) = encode_length(value.len());
    let value_len = &digits[..count];
    if let Some((old, pair)) = view.find(key) {
        let old_len = old.len();
        pairs.replace(pair.end - old_len..pair.end, &[value]);
        if value.len() != old_len {
            let start = pair.start + length_bytes(key.len());
            pairs.replace(start..start + length_bytes(old_len), &[value_len]);
        }
        return false;
    }
    set_count(pairs, view.len() + 1);
    let end = pairs.bytes().len();
    let (digits, count) = encode_length(key.len());
    pairs.replace(end..end, &[&digits[..count], value_len, key, value]);
    true
}

/// Removes a key from packed pairs; returns whether it was there.
pub fn remove(pairs: &mut impl Edit, key: &[u8]) -> bool {
    let view = PairsRef(pairs.bytes());
    let count = view.len();
    let Some((_, place)) = view.find(key) else {
        return false;
    };
    pairs.replace(place, &[]);
    set_count(pairs, count - 1);
    true
}

impl From<PairsRef<'_>> for Pairs {
    fn from(pairs: PairsRef<'_>) -> Pairs {
        let mut bytes = Vec::new();
        make_room(&mut bytes, pairs.0.len());
        bytes.extend_from_slice(pairs.0);
        Pairs(bytes)
    }
}

/// Writes the number of pairs.
fn set_count(pairs: &mut impl Edit, count: usize) {
    let (_, old_digits) = PairsRef(pairs.bytes()).count();
    let (digits, new_digits) = encode_length(count);
    pairs.replace(0..old_digits, &[&digits[..new_digits]]);
}

/// Bytes that a pair takes.
pub fn pair_bytes(key_len: usize, value_len: usize) -> usize {
    length_bytes(key_len) + length_bytes(value_len) + key_len + value_len
}

/// Key and value of the pair that these bytes begin with, and what follows it.
#[inline]
pub(super) fn split(bytes: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let (key_len, value_len, rest) = match bytes {
        // Most lengths have one digit.
        [key_len @ ..0x80, value_len @ ..0x80, rest @ ..] => {
            (usize::from(*key_len), usize::from(*value_len), rest)
        }
        _ => long_lengths(bytes),
    };
    let (key, rest) = rest.split_at(key_len);
    let (value, rest) = rest.split_at(value_len);
    (key, value, rest)
}

/// The lengths that these bytes begin with, and what follows them.
#[cold]
fn long_lengths(bytes: &[u8]) -> (usize, usize, &[u8]) {
    let (key_len, key_digits) = decode_length(bytes.iter());
    let (value_len, value_digits) = decode_length(bytes[key_digits..].iter());
    (key_len, value_len, &bytes[key_digits + value_digits..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_as_the_head_of_the_file_draws_them() {
        let mut pairs = Pairs::default();
        assert_eq!(pairs.view().bytes(), b"");
        pairs.insert(b"name", b"ann");
        pairs.insert(b"age", b"33");
        assert_eq!(pairs.view().bytes(), b"\x02\x04\x03nameann\x03\x02age33");
        pairs.insert(b"name", b"");
        assert_eq!(pairs.view().bytes(), b"\x02\x04\x00name\x03\x02age33");
        assert!(pairs.remove(b"name") && pairs.remove(b"age"));
        assert_eq!(pairs.view().bytes(), b"\x00");
        pairs.insert(&[b'k'; 200], b"");
        let long = [&b"\x01\xc8\x01\x00"[..], &[b'k'; 200]].concat();
        assert_eq!(pairs.view().bytes(), long);
    }

    /// Runs random changes on pairs and on a plain vector; the count takes one digit or two.
    #[test]
    fn behaves_like_a_vector_of_pairs() {
        let mut random = fastrand::Rng::with_seed(1);
        for keys in [3, 127, 130, 400] {
            let mut pairs = Pairs::default();
            let mut model: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
            for step in 0..20_000 {
                let key = format!("{:03}", random.u32(..keys));
                let key = key.repeat(1 + 60 * usize::from(key.ends_with("77")));
                let key = key.as_bytes();
                let index = model.iter().position(|(other, _)| other == key);
                let old = index.map(|index| &model[index].1[..]);
                assert_eq!(pairs.view().get(key), old);
                let removes = random.u32(..20_000) < step / 2;
                if removes {
                    assert_eq!(pairs.remove(key), index.is_some());
                    index.map(|index| model.remove(index));
                } else {
                    let value = vec![b'v'; [0, 1, 1, 1, 127, 128][random.usize(..6)]];
                    assert_eq!(pairs.insert(key, &value), index.is_none());
                    match index {
                        Some(index) => model[index].1 = value,
                        None => model.push((key.to_vec(), value)),
                    }
                }
                assert_eq!(pairs.view().len(), model.len());
                let copy = Pairs::from(pairs.view());
                let expected = model.iter().map(|(key, value)| (&key[..], &value[..]));
                assert!(copy.view().iter().eq(expected));
            }
        }
    }

    #[test]
    fn memory_is_given_back() {
        let mut pairs = Pairs::default();
        (0..100u8).for_each(|key| assert!(pairs.insert(&[key], &[key; 100])));
        assert!(pairs.memory_bytes() >= 100 * pair_bytes(1, 100));
        (0..100u8).for_each(|key| assert!(pairs.remove(&[key])));
        assert!(pairs.memory_bytes() <= 128);
    }
}
