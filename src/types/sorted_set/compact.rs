//! A small sorted set: one packed block, an element of it for each member, in order.
//!
//! The element is the number of bytes of the score, the score and the member. A score that is an integer takes as few
//! bytes as it needs, any other number eight:
//!
//! ```text
//!   ann 0      00 a n n                  ann 7     01 07 a n n           ann 300    02 2c 01 a n n
//!   ann 1.5    08 00 00 00 00 00 00 f8 3f a n n                          ann -1     01 ff a n n
//! ```
//!
//! `-0` is no integer. Commands store it as `0`, as Redis does, whose listpacks hold integers too. A `-0` that comes
//! from a file keeps its sign.

use super::Edge;
use crate::types::packed::{self, Packed};
use smallvec::SmallVec;
use std::cmp::Ordering;
use std::ops::Range;

/// An encoded element. Most have their bytes on the stack.
type Element = SmallVec<[u8; 80]>;

/// Members with scores in one block.
#[derive(Clone, Debug, Default)]
pub(super) struct Compact(Packed);

impl Compact {
    /// The number of members.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Bytes of the block.
    pub(super) fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }

    /// The rank of a member, and its score.
    pub(super) fn find(&self, member: &[u8]) -> Option<(usize, f64)> {
        let mut elements = self.0.iter().enumerate();
        let (rank, element) = elements.find(|(_, element)| split(element).1 == member)?;
        Some((rank, decode(element).1))
    }

    /// The number of entries before an edge. The entries must be in the edge's order.
    pub(super) fn rank(&self, edge: Edge<'_>) -> usize {
        let lies_behind = |(member, score)| !edge.is_behind(member, score);
        self.iter().position(lies_behind).unwrap_or(self.len())
    }

    /// All entries in order.
    pub(super) fn iter(&self) -> Entries<'_> {
        Entries(self.0.iter())
    }

    /// The entries with these ranks.
    pub(super) fn range(&self, ranks: Range<usize>) -> Entries<'_> {
        let mut elements = self.0.iter();
        if ranks.start > 0 {
            elements.nth(ranks.start - 1);
        }
        let behind = self.len() - ranks.end.max(ranks.start);
        if behind > 0 {
            elements.nth_back(behind - 1);
        }
        Entries(elements)
    }

    /// Inserts a member that is absent; its score loses the sign of `-0`.
    pub(super) fn insert(&mut self, member: &[u8], score: f64) {
        let score = without_sign_of_zero(score);
        let is_behind = |(other, its_score): (&[u8], f64)| {
            super::compare((other, its_score), (member, score)) == Ordering::Greater
        };
        let rank = self.iter().position(is_behind).unwrap_or(self.len());
        self.0.insert(rank, &encode(member, score));
    }

    /// Removes the entries with these ranks.
    pub(super) fn remove(&mut self, ranks: Range<usize>) {
        self.0.remove(ranks);
    }
}

/// A sorted set of entries that are in order already.
impl<'a> FromIterator<(&'a [u8], f64)> for Compact {
    fn from_iter<I: IntoIterator<Item = (&'a [u8], f64)>>(entries: I) -> Self {
        let mut block = Packed::default();
        for (member, score) in entries {
            block.push_back(&encode(member, score));
        }
        Compact(block)
    }
}

/// Entries in order, from both ends.
#[derive(Clone, Debug)]
pub(super) struct Entries<'a>(packed::Iter<'a>);

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a [u8], f64);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(decode)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl DoubleEndedIterator for Entries<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(decode)
    }
}

impl ExactSizeIterator for Entries<'_> {}

/// `0` for `-0`, else the score itself.
pub(super) fn without_sign_of_zero(score: f64) -> f64 {
    score + 0.0
}

fn encode(member: &[u8], score: f64) -> Element {
    // Beyond, a double does not represent every integer.
    const MOST: f64 = (1u64 << 53) as f64;
    let is_negative_zero = score == 0.0 && score.is_sign_negative();
    let is_integer = score.abs() <= MOST && score.fract() == 0.0 && !is_negative_zero;
    let (bytes, len) = if is_integer {
        let integer = score as i64;
        (integer.to_le_bytes(), integer_bytes(integer))
    } else {
        (score.to_le_bytes(), size_of::<f64>())
    };
    let mut element = Element::new();
    element.push(len as u8);
    element.extend_from_slice(&bytes[..len]);
    element.extend_from_slice(member);
    element
}

/// The number of low bytes that represent an integer with its sign.
fn integer_bytes(integer: i64) -> usize {
    match integer {
        0 => 0,
        // One bit more than the magnitude needs.
        _ => ((64 - (integer ^ integer >> 63).leading_zeros()) / 8 + 1) as usize,
    }
}

/// The bytes of the score, and the member.
fn split(element: &[u8]) -> (&[u8], &[u8]) {
    let (len, rest) = element.split_first().expect("it has a score");
    rest.split_at((*len).into())
}

fn decode(element: &[u8]) -> (&[u8], f64) {
    let (score, member) = split(element);
    if let Ok(bytes) = score.try_into() {
        return (member, f64::from_le_bytes(bytes));
    }
    let is_negative = score.last().is_some_and(|byte| byte & 0x80 != 0);
    let mut integer = [if is_negative { 0xff } else { 0 }; 8];
    integer[..score.len()].copy_from_slice(score);
    (member, i64::from_le_bytes(integer) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_take_few_bytes() {
        for (score, expected) in [
            (0.0, &b"\x00"[..]),
            (-0.0, b"\x08\0\0\0\0\0\0\0\x80"),
            (7.0, b"\x01\x07"),
            (-1.0, b"\x01\xff"),
            (127.0, b"\x01\x7f"),
            (128.0, b"\x02\x80\x00"),
            (-128.0, b"\x01\x80"),
            (300.0, b"\x02\x2c\x01"),
            (1.5, b"\x08\0\0\0\0\0\0\xf8\x3f"),
            (9007199254740992.0, b"\x07\0\0\0\0\0\0\x20"),
            (-9007199254740992.0, b"\x07\0\0\0\0\0\0\xe0"),
            (9007199254740994.0, b"\x08\x01\0\0\0\0\0\x40\x43"),
            (f64::NEG_INFINITY, b"\x08\0\0\0\0\0\0\xf0\xff"),
        ] {
            let expected = [expected, b"ann"].concat();
            assert_eq!(encode(b"ann", score)[..], expected, "{score}");
            let (member, decoded) = decode(&expected);
            assert_eq!((member, decoded), (&b"ann"[..], score));
            assert_eq!(decoded.is_sign_negative(), score.is_sign_negative());
        }
    }
}
