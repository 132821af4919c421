//! The sorted set: members with scores, in the order of the scores. Members with equal scores are ordered by their
//! bytes.
//!
//! A small set is one packed block (`compact.rs`). A large set is kept twice: a hash table ([`Dict`]) finds the score
//! of a member, and a tree (`index.rs`) keeps the order. Clones share both (copy-on-write).

mod compact;
mod index;
mod run;
#[cfg(test)]
mod tests;

use super::blocks::block_bytes;
use super::dict::{self, Content, Dict, Item, Keyed, Position};
use super::limits::CompactLimits;
use compact::Compact;
use index::Index;
use run::{LargeMember, Member, PACKED_BYTES};
use smallvec::SmallVec;
use std::cmp::Ordering;
use std::hint::black_box;
use std::ops::Range;

/// Members whose memory in the table is fetched together.
const AT_ONCE: usize = 8;

/// Members with scores. No score is NaN.
#[derive(Clone, Debug)]
pub struct SortedSet {
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Compact(Compact),
    Indexed(Box<Indexed>),
}

#[derive(Clone, Debug, Default)]
struct Indexed {
    /// The score of each member, eight bytes.
    scores: Dict<LargeEntry>,
    index: Index,
}

/// A member, with its score, that is too large to lie in the table and in the index.
#[derive(Clone, Debug)]
struct LargeEntry {
    member: LargeMember,
    score: f64,
}

impl Keyed for LargeEntry {
    fn of_pair(member: &[u8], score: &[u8]) -> LargeEntry {
        LargeEntry {
            member: LargeMember::from_header_and_slice((), member),
            score: decode(score),
        }
    }

    fn key(&self) -> &[u8] {
        &self.member.slice
    }
}

/// A place between two entries, or before or after all of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Edge<'a> {
    /// Before all entries.
    Start,
    /// Before the entries with this score.
    BeforeScore(f64),
    /// After the entries with this score.
    AfterScore(f64),
    /// Before this member. Has a meaning only if all scores are equal.
    BeforeMember(&'a [u8]),
    /// After this member. Has a meaning only if all scores are equal.
    AfterMember(&'a [u8]),
    /// After all entries.
    End,
}

impl Edge<'_> {
    /// Whether the edge lies after an entry.
    fn is_behind(self, member: &[u8], score: f64) -> bool {
        match self {
            Edge::Start => false,
            Edge::BeforeScore(edge) => score < edge,
            Edge::AfterScore(edge) => score <= edge,
            Edge::BeforeMember(edge) => member < edge,
            Edge::AfterMember(edge) => member <= edge,
            Edge::End => true,
        }
    }
}

/// The result of [`SortedSet::update`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The member was inserted.
    Added,
    /// The score of the member was changed.
    Updated,
    /// Nothing has changed.
    None,
}

impl Default for SortedSet {
    fn default() -> Self {
        SortedSet {
            form: Form::Compact(Compact::default()),
        }
    }
}

/// Reading.
impl SortedSet {
    /// The number of members.
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Compact(block) => block.len(),
            Form::Indexed(indexed) => indexed.index.len(),
        }
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the set is one packed block (`OBJECT ENCODING` says `listpack`, else `skiplist`).
    pub fn is_compact(&self) -> bool {
        matches!(self.form, Form::Compact(_))
    }

    /// Bytes of its blocks of memory; for a large set an estimate from `samples` pages of the table and paths of the
    /// index.
    pub fn memory_bytes(&self, samples: usize) -> usize {
        match &self.form {
            Form::Compact(block) => block.memory_bytes(),
            Form::Indexed(indexed) => {
                let large = |entry: &LargeEntry| {
                    block_bytes(2 * size_of::<usize>() + entry.member.slice.len())
                };
                block_bytes(size_of::<Indexed>())
                    + indexed.scores.memory_bytes(samples, large)
                    + indexed.index.memory_bytes(samples)
            }
        }
    }

    /// The score of a member.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match &self.form {
            Form::Compact(block) => Some(block.find(member)?.1),
            Form::Indexed(indexed) => Some(pair(indexed.scores.get(dict::hash(member), member)?).1),
        }
    }

    /// The rank of a member (the number of members before it) and its score.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        match &self.form {
            Form::Compact(block) => block.find(member),
            Form::Indexed(indexed) => {
                let score = self.score(member)?;
                Some((indexed.index.rank_of(score, member), score))
            }
        }
    }

    /// The number of members before an edge.
    pub fn rank_of(&self, edge: Edge<'_>) -> usize {
        match &self.form {
            Form::Compact(block) => block.rank(edge),
            Form::Indexed(indexed) => indexed.index.rank(edge),
        }
    }

    /// The ranks between two edges; none if they are in the wrong order.
    pub fn ranks(&self, from: Edge<'_>, to: Edge<'_>) -> Range<usize> {
        let start = self.rank_of(from);
        start..self.rank_of(to).max(start)
    }

    /// All members with their scores, in order.
    pub fn iter(&self) -> Entries<'_> {
        self.range(0..self.len())
    }

    /// The members with these ranks.
    pub fn range(&self, ranks: Range<usize>) -> Entries<'_> {
        Entries(match &self.form {
            Form::Compact(block) => EntriesForm::Compact(block.range(ranks)),
            Form::Indexed(indexed) => EntriesForm::Indexed(indexed.index.range(ranks)),
        })
    }

    /// Visits some members and returns the cursor of the next call, 0 at the end: see [`Dict::scan`]. As in Redis, the
    /// first call visits all members of a compact set.
    pub fn scan(&self, cursor: u64, mut visit: impl FnMut(&[u8], f64)) -> u64 {
        match &self.form {
            Form::Compact(block) => {
                block
                    .iter()
                    .for_each(|(member, score)| visit(member, score));
                0
            }
            Form::Indexed(indexed) => indexed.scores.scan(cursor, |item| {
                let (member, score) = pair(item);
                visit(member, score);
            }),
        }
    }
}

/// Writing.
impl SortedSet {
    /// A set of members that are all different, in any order. A small one has no score `-0`, as after
    /// [`update`](Self::update).
    pub fn from_entries(mut entries: Vec<(&[u8], f64)>, limits: CompactLimits) -> SortedSet {
        sort(&mut entries);
        SortedSet::from_sorted(entries.into_iter(), limits)
    }

    /// A set of members that are in order; otherwise as [`from_entries`](Self::from_entries).
    pub fn from_sorted<'a>(
        entries: impl ExactSizeIterator<Item = (&'a [u8], f64)> + Clone,
        limits: CompactLimits,
    ) -> SortedSet {
        SortedSet::build(entries, limits, compact::without_sign_of_zero)
    }

    /// A set of members that are all different, in any order, with exactly these scores.
    pub fn from_file(mut entries: Vec<(&[u8], f64)>, limits: CompactLimits) -> SortedSet {
        sort(&mut entries);
        SortedSet::build(entries.into_iter(), limits, |score| score)
    }

    /// A set of members that are in order. If it is compact, `compact_score` converts each score.
    fn build<'a>(
        entries: impl ExactSizeIterator<Item = (&'a [u8], f64)> + Clone,
        limits: CompactLimits,
        compact_score: impl Fn(f64) -> f64,
    ) -> SortedSet {
        let is_short = |(member, _): (&[u8], f64)| member.len() <= limits.value_bytes;
        let is_compact = entries.len() <= limits.entries && entries.clone().all(is_short);
        let form = match is_compact {
            true => {
                let entries = entries.map(|(member, score)| (member, compact_score(score)));
                Form::Compact(entries.collect())
            }
            false => Form::Indexed(Box::new(entries.collect())),
        };
        SortedSet { form }
    }

    /// Leaves the compact form, if this number of members will not fit into it.
    pub fn reserve(&mut self, members: usize, limits: CompactLimits) {
        if members > limits.entries {
            self.make_indexed();
        }
    }

    /// Gives a member the score that `decide` computes from the present one. If `decide` returns `None`, nothing
    /// changes.
    pub fn update(
        &mut self,
        member: &[u8],
        limits: CompactLimits,
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> Change {
        match &mut self.form {
            Form::Compact(block) => {
                let found = block.find(member);
                let old = found.map(|(_, score)| score);
                let Some(score) = decide(old).filter(|score| old != Some(*score)) else {
                    return Change::None;
                };
                if let Some((rank, _)) = found {
                    block.remove(rank..rank + 1);
                    block.insert(member, score);
                    return Change::Updated;
                }
                self.insert(member, score, limits);
                Change::Added
            }
            Form::Indexed(indexed) => indexed.update(member, decide),
        }
    }

    /// Removes a member; returns whether it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match &mut self.form {
            Form::Compact(block) => match block.find(member) {
                Some((rank, _)) => {
                    block.remove(rank..rank + 1);
                    true
                }
                None => false,
            },
            Form::Indexed(indexed) => indexed.remove(member),
        }
    }

    /// Removes the members with these ranks.
    pub fn remove_ranks(&mut self, ranks: Range<usize>) {
        match &mut self.form {
            // A change of nothing would copy nodes that a clone shares.
            _ if ranks.is_empty() => {}
            Form::Compact(block) => block.remove(ranks),
            Form::Indexed(indexed) => indexed.remove_ranks(ranks),
        }
    }

    /// Inserts a member that is absent.
    fn insert(&mut self, member: &[u8], score: f64, limits: CompactLimits) {
        if self.len() >= limits.entries || member.len() > limits.value_bytes {
            self.make_indexed();
        }
        match &mut self.form {
            Form::Compact(block) => block.insert(member, score),
            Form::Indexed(indexed) => indexed.insert(dict::hash(member), member, score),
        }
    }

    /// A set never goes back to the compact form, as in Redis.
    fn make_indexed(&mut self) {
        if let Form::Compact(block) = &self.form {
            self.form = Form::Indexed(Box::new(block.iter().collect()));
        }
    }
}

impl<'a> FromIterator<(&'a [u8], f64)> for Indexed {
    fn from_iter<I: IntoIterator<Item = (&'a [u8], f64)>>(entries: I) -> Self {
        let mut indexed = Indexed::default();
        for (member, score) in entries {
            indexed.insert(dict::hash(member), member, score);
        }
        indexed
    }
}

impl Indexed {
    fn insert(&mut self, hash: u64, member: &[u8], score: f64) {
        if member.len() <= PACKED_BYTES {
            self.scores
                .insert_pair(hash, member, &[&score.to_le_bytes()], ());
            self.index.insert(score, Member::Small(member));
        } else {
            let large = LargeMember::from_header_and_slice((), member);
            let entry = LargeEntry {
                member: large.clone(),
                score,
            };
            self.scores.insert_reference(hash, entry, ());
            self.index.insert(score, Member::Large(large));
        }
    }

    fn update(&mut self, member: &[u8], decide: impl FnOnce(Option<f64>) -> Option<f64>) -> Change {
        let hash = dict::hash(member);
        let position = self.scores.position(hash, member);
        let old = position.map(|position| pair(self.scores.item(position)).1);
        let Some(score) = decide(old).filter(|score| old != Some(*score)) else {
            return Change::None;
        };
        let (Some(position), Some(old)) = (position, old) else {
            self.insert(hash, member, score);
            return Change::Added;
        };
        self.index.remove(old, member);
        let inserted = self.set_score(position, member, score);
        self.index.insert(score, inserted);
        Change::Updated
    }

    /// Sets the score in the table, and returns the member in the form for the index.
    fn set_score<'a>(&mut self, position: Position, member: &'a [u8], score: f64) -> Member<'a> {
        if let Some(entry) = self.scores.reference_mut(position) {
            entry.score = score;
            if member.len() > PACKED_BYTES {
                return Member::Large(entry.member.clone());
            }
        } else {
            self.scores
                .set_pair(position, member, &[&score.to_le_bytes()]);
        }
        Member::Small(member)
    }

    fn remove(&mut self, member: &[u8]) -> bool {
        let Some(position) = self.scores.position(dict::hash(member), member) else {
            return false;
        };
        let score = pair(self.scores.item(position)).1;
        self.index.remove(score, member);
        self.scores.remove(position);
        true
    }

    fn remove_ranks(&mut self, ranks: Range<usize>) {
        if ranks.len() == self.index.len() {
            *self = Indexed::default();
            return;
        }
        let mut members = self.index.range(ranks.clone()).map(|(member, _)| member);
        loop {
            let some: SmallVec<[&[u8]; AT_ONCE]> = members.by_ref().take(AT_ONCE).collect();
            if some.len() > 1 {
                fetch(&self.scores, &some);
            }
            for member in &some {
                if let Some(position) = self.scores.position(dict::hash(member), member) {
                    self.scores.remove(position);
                }
            }
            if some.len() < AT_ONCE {
                break;
            }
        }
        let is_front = ranks.start == 0;
        self.index.remove_ranks(ranks);
        self.look_ahead(is_front);
    }

    /// When members are removed at one end repeatedly, fetches the next members now and then. They lie side by side in
    /// the index but anywhere in the table, and these cache misses alone would be a third of the time of ZPOPMIN.
    fn look_ahead(&self, is_front: bool) {
        let len = self.index.len();
        let next = match is_front {
            true => 0..AT_ONCE.min(len),
            false => len.saturating_sub(AT_ONCE)..len,
        };
        let at_the_end = if is_front { 0 } else { len - 1 };
        if self.index.leaf_len(at_the_end).is_multiple_of(AT_ONCE) {
            let next = self.index.range(next).map(|(member, _)| member);
            fetch(&self.scores, &next.collect::<SmallVec<[&[u8]; AT_ONCE]>>());
        }
    }
}

/// Loads the entries of these members in the table into the cache, so that their cache misses overlap.
fn fetch(scores: &Dict<LargeEntry>, members: &[&[u8]]) {
    let hashes: SmallVec<[u64; AT_ONCE]> = members.iter().map(|it| dict::hash(it)).collect();
    scores.fetch(hashes.iter().copied());
    let found = hashes.iter().zip(members);
    let found = found.filter(|(hash, member)| scores.position(**hash, member).is_some());
    black_box(found.count());
}

fn pair(item: Item<'_, LargeEntry, ()>) -> (&[u8], f64) {
    match item.content {
        Content::Pair { key, value } => (key, decode(value)),
        Content::Reference(entry) => (entry.key(), entry.score),
    }
}

fn decode(score: &[u8]) -> f64 {
    f64::from_le_bytes(score.try_into().expect("a score has eight bytes"))
}

/// The order of entries.
pub fn compare(a: (&[u8], f64), b: (&[u8], f64)) -> Ordering {
    let by_score = a.1.partial_cmp(&b.1).expect("no score is NaN");
    by_score.then_with(|| a.0.cmp(b.0))
}

/// Sorts entries. It takes little time if they are in order, or in reverse order, already.
fn sort(entries: &mut [(&[u8], f64)]) {
    entries.sort_by(|a, b| compare(*a, *b));
}

/// An iterator over members with their scores in order, from both ends.
#[derive(Clone, Debug)]
pub struct Entries<'a>(EntriesForm<'a>);

#[derive(Clone, Debug)]
enum EntriesForm<'a> {
    Compact(compact::Entries<'a>),
    Indexed(index::Entries<'a>),
}

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a [u8], f64);

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            EntriesForm::Compact(entries) => entries.next(),
            EntriesForm::Indexed(entries) => entries.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            EntriesForm::Compact(entries) => entries.size_hint(),
            EntriesForm::Indexed(entries) => entries.size_hint(),
        }
    }
}

impl DoubleEndedIterator for Entries<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            EntriesForm::Compact(entries) => entries.next_back(),
            EntriesForm::Indexed(entries) => entries.next_back(),
        }
    }
}

impl ExactSizeIterator for Entries<'_> {}
