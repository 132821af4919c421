//! A run of entries in order, packed. A leaf of the index is a run, and so are the separators of a branch.
//!
//! ```text
//!   scores   1.0   1.0   2.5     side by side: a search touches few cache lines
//!   ends     3     6     6*      where each member ends in `bytes`; * marks a large member
//!   bytes    a n n b o b
//!   large    -> a member of more than 48 bytes
//! ```
//!
//! Scores and ends lie in the run itself, so a run is two blocks of memory for any number of entries.

use super::Edge;
use crate::types::blocks::vec_bytes;
use crate::types::packed::make_room;
use std::ops::Range;
use triomphe::ThinArc;

/// The greatest number of entries of a run. With its reference count, a run fills a block of 768 bytes.
pub(super) const CAPACITY: usize = 70;
/// The longest member whose bytes lie in the run. A longer one is one block that the run and the table of scores share.
pub(super) const PACKED_BYTES: usize = 48;
/// The mark of a large member in `ends`. The other bits are an offset of at most 70 times 48.
const IS_LARGE: u16 = 1 << 15;

/// A member of more than [`PACKED_BYTES`] bytes, in a block of its own.
pub(super) type LargeMember = ThinArc<(), u8>;

/// A member to be inserted into a run.
#[derive(Clone, Debug)]
pub(super) enum Member<'a> {
    /// At most [`PACKED_BYTES`] bytes.
    Small(&'a [u8]),
    Large(LargeMember),
}

impl<'a> Member<'a> {
    /// Its bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Member::Small(bytes) => bytes,
            Member::Large(member) => &member.slice,
        }
    }
}

/// Members with scores, ascending by score and then by the members' bytes.
#[derive(Clone, Debug)]
pub(super) struct Run {
    len: u16,
    ends: [u16; CAPACITY],
    scores: [f64; CAPACITY],
    bytes: Vec<u8>,
    /// In the order of their entries.
    large: Vec<LargeMember>,
}

impl Default for Run {
    fn default() -> Self {
        Run {
            len: 0,
            ends: [0; CAPACITY],
            scores: [0.0; CAPACITY],
            bytes: Vec::new(),
            large: Vec::new(),
        }
    }
}

/// Reading.
impl Run {
    /// The number of entries.
    pub(super) fn len(&self) -> usize {
        self.len.into()
    }

    /// Bytes of its memory, without the block of the run itself, and without large members, which the table counts.
    pub(super) fn memory_bytes(&self) -> usize {
        vec_bytes(&self.bytes) + vec_bytes(&self.large)
    }

    /// Whether there is no room for another entry.
    pub(super) fn is_full(&self) -> bool {
        self.len() == CAPACITY
    }

    pub(super) fn score(&self, index: usize) -> f64 {
        self.scores[..self.len()][index]
    }

    pub(super) fn member(&self, index: usize) -> &[u8] {
        let end = self.ends[index];
        if end & IS_LARGE == 0 {
            &self.bytes[self.start_of(index)..end.into()]
        } else {
            &self.large[self.large_before(index)].slice
        }
    }

    /// A member in the form for another run.
    pub(super) fn member_to_move(&self, index: usize) -> Member<'_> {
        if self.ends[index] & IS_LARGE == 0 {
            Member::Small(self.member(index))
        } else {
            Member::Large(self.large[self.large_before(index)].clone())
        }
    }

    /// The number of entries before an edge.
    pub(super) fn rank(&self, edge: Edge<'_>) -> usize {
        let scores = &self.scores[..self.len()];
        match edge {
            Edge::Start => 0,
            Edge::End => self.len(),
            Edge::BeforeScore(score) => scores.partition_point(|other| *other < score),
            Edge::AfterScore(score) => scores.partition_point(|other| *other <= score),
            Edge::BeforeMember(member) => self.partition(0..self.len(), |other| other < member),
            Edge::AfterMember(member) => self.partition(0..self.len(), |other| other <= member),
        }
    }

    /// The index of an entry (`Ok`), or the index at which to insert it (`Err`).
    pub(super) fn search(&self, score: f64, member: &[u8]) -> Result<usize, usize> {
        let scores = &self.scores[..self.len()];
        let start = scores.partition_point(|other| *other < score);
        if start == scores.len() || scores[start] != score {
            return Err(start);
        }
        let end = start + scores[start..].partition_point(|other| *other == score);
        let index = self.partition(start..end, |other| other < member);
        if index < end && self.member(index) == member {
            Ok(index)
        } else {
            Err(index)
        }
    }

    /// The first index in the range for whose member the test is false (binary search).
    fn partition(&self, range: Range<usize>, is_before: impl Fn(&[u8]) -> bool) -> usize {
        let Range { mut start, mut end } = range;
        while start < end {
            let middle = start.midpoint(end);
            if is_before(self.member(middle)) {
                start = middle + 1;
            } else {
                end = middle;
            }
        }
        start
    }

    /// Where the bytes of an entry begin.
    fn start_of(&self, index: usize) -> usize {
        match index.checked_sub(1) {
            None => 0,
            Some(before) => (self.ends[before] & !IS_LARGE).into(),
        }
    }

    fn large_before(&self, index: usize) -> usize {
        if self.large.is_empty() {
            return 0;
        }
        let ends = self.ends[..index].iter();
        ends.filter(|end| *end & IS_LARGE != 0).count()
    }
}

/// Writing.
impl Run {
    /// Inserts an entry before the one at `index`. There must be room.
    pub(super) fn insert(&mut self, index: usize, score: f64, member: Member<'_>) {
        let (len, start) = (self.len(), self.start_of(index));
        self.scores.copy_within(index..len, index + 1);
        self.scores[index] = score;
        self.ends.copy_within(index..len, index + 1);
        self.ends[index] = start as u16;
        match member {
            Member::Small(bytes) => {
                self.insert_bytes(start, bytes);
                let moved = &mut self.ends[index..=len];
                moved.iter_mut().for_each(|end| *end += bytes.len() as u16);
            }
            Member::Large(member) => {
                self.large.insert(self.large_before(index), member);
                self.ends[index] |= IS_LARGE;
            }
        }
        self.len += 1;
    }

    fn insert_bytes(&mut self, at: usize, bytes: &[u8]) {
        let len = self.bytes.len();
        make_room(&mut self.bytes, bytes.len());
        self.bytes.extend_from_slice(bytes);
        if at < len {
            self.bytes.copy_within(at..len, at + bytes.len());
            self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        }
    }

    /// Removes the entries with these indexes.
    pub(super) fn remove(&mut self, indexes: Range<usize>) {
        let Range { start, end } = indexes;
        let len = self.len();
        let bytes = self.start_of(start)..self.start_of(end);
        let removed_bytes = bytes.len() as u16;
        self.large
            .drain(self.large_before(start)..self.large_before(end));
        self.bytes.drain(bytes);
        self.scores.copy_within(end..len, start);
        self.ends.copy_within(end..len, start);
        self.len = (len - (end - start)) as u16;
        let moved = &mut self.ends[start..self.len.into()];
        moved.iter_mut().for_each(|end| *end -= removed_bytes);
        if self.bytes.capacity() > 2 * self.bytes.len() {
            self.bytes.shrink_to_fit();
        }
    }

    /// Splits the run before `index` and returns the second part.
    pub(super) fn split_off(&mut self, index: usize) -> Run {
        let mut rear = Run::default();
        let bytes = self.bytes.len() - self.start_of(index);
        make_room(&mut rear.bytes, bytes + bytes / 4);
        rear.append(self, index);
        self.remove(index..self.len());
        rear
    }

    /// Appends the entries of another run from `first` on. There must be room.
    pub(super) fn append(&mut self, other: &Run, first: usize) {
        for index in first..other.len() {
            self.insert(self.len(), other.score(index), other.member_to_move(index));
        }
    }
}
