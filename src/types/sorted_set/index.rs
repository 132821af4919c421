//! The order of a large sorted set: a B+ tree of its entries that counts the entries beneath each child.
//!
//! ```text
//!   branch     3.0 ann  |  7.0 bob          separators: each is not greater than what is to its right
//!            /         |         \
//!          64         58          69        the number of entries beneath
//!         leaf       leaf        leaf       a run of entries each (`run.rs`)
//! ```
//!
//! With the counts, a walk from the root to a leaf finds the rank of an entry, or the entry of a rank. A range is two
//! ranks. Redis has a skip list here, which needs a block of memory and some three pointers for every member. A leaf
//! needs two blocks for some fifty members, and a walk through it stays in the cache.
//!
//! Clones share nodes, which are copied when they are changed (copy-on-write): a clone is one reference, and the first
//! change after it copies the path from the root to one leaf.
//!
//! # Invariants
//! 1. All leaves have one depth.
//! 2. No node except the root is empty.
//! 3. No run is full between two calls.
//!
//! A node that has become small is joined with its neighbour if both fit into one.

use super::Edge;
use super::run::{CAPACITY, LargeMember, Member, Run};
use crate::types::blocks::{shared_bytes, spread, vec_bytes};
use std::ops::Range;
use triomphe::Arc;

/// A node with fewer entries or children than this is small...
const SMALL: usize = CAPACITY / 4;
/// ...and is joined with its neighbour if both together have no more than this, so that the result is not split again
/// soon.
const JOINED: usize = CAPACITY * 3 / 4;

/// Entries by score and member.
#[derive(Clone, Debug)]
pub(super) struct Index {
    root: Node,
    len: usize,
}

#[derive(Clone, Debug)]
enum Node {
    Leaf(Arc<Run>),
    Branch(Arc<Branch>),
}

#[derive(Clone, Debug)]
struct Branch {
    /// One between each two children. An entry equal to a separator lies to its right.
    separators: Run,
    /// The number of entries beneath each child; side by side, because they are summed up.
    counts: Vec<usize>,
    children: Vec<Node>,
}

/// The result of splitting a full node: its new right neighbour, and the separator between them.
struct Split {
    score: f64,
    member: OwnedMember,
    right: Node,
}

/// A member that moves from one node to another.
enum OwnedMember {
    Small(Vec<u8>),
    Large(LargeMember),
}

impl OwnedMember {
    fn of(run: &Run, index: usize) -> OwnedMember {
        match run.member_to_move(index) {
            Member::Small(bytes) => OwnedMember::Small(bytes.to_vec()),
            Member::Large(member) => OwnedMember::Large(member),
        }
    }

    fn as_member(&self) -> Member<'_> {
        match self {
            OwnedMember::Small(bytes) => Member::Small(bytes),
            OwnedMember::Large(member) => Member::Large(member.clone()),
        }
    }
}

impl Default for Index {
    fn default() -> Self {
        Index {
            root: Node::Leaf(Arc::default()),
            len: 0,
        }
    }
}

impl Index {
    /// The number of entries.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes of all nodes, estimated from the paths to `samples` entries: each node on a path is divided by the entries
    /// beneath it.
    pub(super) fn memory_bytes(&self, samples: usize) -> usize {
        let ranks = spread(samples, self.len);
        let sampled = ranks.len().max(1);
        let of_one: f64 = ranks.map(|rank| self.bytes_per_entry(rank)).sum();
        (of_one / sampled as f64 * self.len as f64) as usize
    }

    /// The share of one entry in the bytes of the nodes above it.
    fn bytes_per_entry(&self, mut rank: usize) -> f64 {
        let mut bytes = 0.0;
        let mut beneath = self.len;
        let mut node = &self.root;
        while let Node::Branch(branch) = node {
            bytes += branch.memory_bytes() as f64 / beneath as f64;
            let mut child = 0;
            while rank >= branch.counts[child] {
                rank -= branch.counts[child];
                child += 1;
            }
            beneath = branch.counts[child];
            node = &branch.children[child];
        }
        if let Node::Leaf(run) = node {
            bytes += (shared_bytes::<Run>() + run.memory_bytes()) as f64 / beneath as f64;
        }
        bytes
    }

    /// The number of entries before an edge.
    pub(super) fn rank(&self, edge: Edge<'_>) -> usize {
        let mut rank = 0;
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(run) => return rank + run.rank(edge),
                Node::Branch(branch) => {
                    let child = branch.separators.rank(edge);
                    rank += branch.count_before(child);
                    node = &branch.children[child];
                }
            }
        }
    }

    /// The number of entries before this one, which may be absent.
    pub(super) fn rank_of(&self, score: f64, member: &[u8]) -> usize {
        let mut rank = 0;
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(run) => {
                    let (Ok(index) | Err(index)) = run.search(score, member);
                    return rank + index;
                }
                Node::Branch(branch) => {
                    let child = branch.child_of(score, member);
                    rank += branch.count_before(child);
                    node = &branch.children[child];
                }
            }
        }
    }

    /// The entries with these ranks.
    pub(super) fn range(&self, ranks: Range<usize>) -> Entries<'_> {
        Entries {
            index: self,
            ranks,
            front: None,
            back: None,
        }
    }

    /// The number of entries in the leaf of the entry with this rank.
    pub(super) fn leaf_len(&self, rank: usize) -> usize {
        self.leaf(rank).0.len()
    }

    /// The leaf of the entry with this rank, and the index there.
    fn leaf(&self, mut rank: usize) -> (&Run, usize) {
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(run) => return (run, rank),
                Node::Branch(branch) => {
                    let mut child = 0;
                    while let Some(rest) = rank.checked_sub(branch.counts[child]) {
                        rank = rest;
                        child += 1;
                    }
                    node = &branch.children[child];
                }
            }
        }
    }

    /// Inserts an entry that is absent.
    pub(super) fn insert(&mut self, score: f64, member: Member<'_>) {
        self.len += 1;
        if let Some(split) = self.root.insert(score, member, true) {
            let root = std::mem::replace(&mut self.root, Node::Leaf(Arc::default()));
            let mut branch = Branch {
                separators: Run::default(),
                counts: vec![self.len],
                children: vec![root],
            };
            branch.insert_child(0, split);
            self.root = Node::Branch(Arc::new(branch));
        }
    }

    /// Removes an entry, which must exist.
    pub(super) fn remove(&mut self, score: f64, member: &[u8]) {
        self.len -= 1;
        self.root.remove(score, member);
        self.drop_single_roots();
    }

    /// Removes the entries with these ranks.
    pub(super) fn remove_ranks(&mut self, ranks: Range<usize>) {
        self.len -= ranks.len();
        if self.len == 0 {
            *self = Index::default();
            return;
        }
        self.root.remove_ranks(ranks);
        self.drop_single_roots();
    }

    fn drop_single_roots(&mut self) {
        while let Node::Branch(branch) = &mut self.root
            && branch.children.len() == 1
        {
            self.root = Arc::make_mut(branch).children.swap_remove(0);
        }
    }
}

impl Node {
    /// The number of entries of a leaf, or of children of a branch: the figure for [`SMALL`] and [`JOINED`].
    fn width(&self) -> usize {
        match self {
            Node::Leaf(run) => run.len(),
            Node::Branch(branch) => branch.children.len(),
        }
    }

    fn count(&self) -> usize {
        match self {
            Node::Leaf(run) => run.len(),
            Node::Branch(branch) => branch.count_before(branch.children.len()),
        }
    }

    /// Inserts an entry. `is_last` says that no node to the right exists.
    fn insert(&mut self, score: f64, member: Member<'_>, is_last: bool) -> Option<Split> {
        match self {
            Node::Leaf(run) => {
                let run = Arc::make_mut(run);
                let (Ok(index) | Err(index)) = run.search(score, member.bytes());
                run.insert(index, score, member);
                let is_last = is_last && index + 1 == run.len();
                run.is_full().then(|| split_leaf(run, is_last))
            }
            Node::Branch(branch) => {
                let branch = Arc::make_mut(branch);
                let index = branch.child_of(score, member.bytes());
                let is_last = is_last && index + 1 == branch.children.len();
                branch.counts[index] += 1;
                let split = branch.children[index].insert(score, member, is_last)?;
                branch.insert_child(index, split);
                branch.separators.is_full().then(|| branch.split(is_last))
            }
        }
    }

    /// Removes an entry, which must exist.
    fn remove(&mut self, score: f64, member: &[u8]) {
        match self {
            Node::Leaf(run) => {
                let run = Arc::make_mut(run);
                if let Ok(index) = run.search(score, member) {
                    run.remove(index..index + 1);
                }
            }
            Node::Branch(branch) => {
                let branch = Arc::make_mut(branch);
                let index = branch.child_of(score, member);
                branch.counts[index] -= 1;
                if branch.counts[index] == 0 {
                    branch.remove_children(index..index + 1);
                } else {
                    branch.children[index].remove(score, member);
                    branch.join_if_small(index);
                }
            }
        }
    }

    /// Removes the entries with these ranks, which must not be all entries.
    fn remove_ranks(&mut self, ranks: Range<usize>) {
        match self {
            Node::Leaf(run) => Arc::make_mut(run).remove(ranks),
            Node::Branch(branch) => Arc::make_mut(branch).remove_ranks(ranks),
        }
    }

    /// Moves everything from the right neighbour into this node. `separators[index]` lies between the two.
    fn join(&mut self, separators: &Run, index: usize, right: &Node) {
        match (self, right) {
            (Node::Leaf(run), Node::Leaf(right)) => Arc::make_mut(run).append(right, 0),
            (Node::Branch(branch), Node::Branch(right)) => {
                let branch = Arc::make_mut(branch);
                let last = branch.separators.len();
                let (score, member) = (separators.score(index), separators.member_to_move(index));
                branch.separators.insert(last, score, member);
                branch.separators.append(&right.separators, 0);
                branch.counts.extend_from_slice(&right.counts);
                branch.children.extend_from_slice(&right.children);
            }
            _ => unreachable!("neighbours are equally deep"),
        }
    }
}

/// Splits a full leaf in the middle. If its last entry was inserted last and is the greatest of the index, splits
/// before that entry: so entries that are inserted in ascending order leave full leaves behind.
fn split_leaf(run: &mut Run, is_last: bool) -> Split {
    let middle = if is_last {
        run.len() - 1
    } else {
        run.len() / 2
    };
    let right = run.split_off(middle);
    Split {
        score: right.score(0),
        member: OwnedMember::of(&right, 0),
        right: Node::Leaf(Arc::new(right)),
    }
}

impl Branch {
    fn memory_bytes(&self) -> usize {
        shared_bytes::<Branch>()
            + self.separators.memory_bytes()
            + vec_bytes(&self.counts)
            + vec_bytes(&self.children)
    }

    /// The child that has this entry, or to which it would be inserted.
    fn child_of(&self, score: f64, member: &[u8]) -> usize {
        match self.separators.search(score, member) {
            Ok(index) => index + 1,
            Err(index) => index,
        }
    }

    /// Entries beneath the children before this one.
    fn count_before(&self, child: usize) -> usize {
        self.counts[..child].iter().sum()
    }

    /// Inserts the right part of a child that was split.
    fn insert_child(&mut self, index: usize, split: Split) {
        let count = split.right.count();
        self.counts[index] -= count;
        self.counts.insert(index + 1, count);
        self.children.insert(index + 1, split.right);
        self.separators
            .insert(index, split.score, split.member.as_member());
    }

    /// Splits a full branch, at the place where [`split_leaf`] splits a leaf.
    fn split(&mut self, is_last: bool) -> Split {
        let middle = match is_last {
            true => self.separators.len() - 1,
            false => self.separators.len() / 2,
        };
        let (score, member) = (
            self.separators.score(middle),
            OwnedMember::of(&self.separators, middle),
        );
        let separators = self.separators.split_off(middle + 1);
        self.separators.remove(middle..middle + 1);
        let counts = self.counts.split_off(middle + 1);
        let children = self.children.split_off(middle + 1);
        let right = Branch {
            separators,
            counts,
            children,
        };
        Split {
            score,
            member,
            right: Node::Branch(Arc::new(right)),
        }
    }

    /// Removes the entries with these ranks: whole children, without a look into them, and parts of at most two others.
    fn remove_ranks(&mut self, ranks: Range<usize>) {
        let mut whole = 0..0;
        let mut first_rank = 0;
        for (index, count) in self.counts.iter_mut().enumerate() {
            let ranks_of_child = first_rank..first_rank + *count;
            first_rank = ranks_of_child.end;
            let start = ranks.start.max(ranks_of_child.start);
            let end = ranks.end.min(ranks_of_child.end);
            if start >= end {
                continue;
            }
            if end - start == *count {
                let start = if whole.is_empty() { index } else { whole.start };
                whole = start..index + 1;
            } else {
                *count -= end - start;
                let ranks = start - ranks_of_child.start..end - ranks_of_child.start;
                self.children[index].remove_ranks(ranks);
            }
            // Even if no child is removed as a whole, the changed children may have to be joined.
            if whole.is_empty() {
                whole = index..index;
            }
        }
        self.remove_children(whole.clone());
        self.join_if_small(whole.start);
        self.join_if_small(whole.start.saturating_sub(1));
    }

    fn remove_children(&mut self, indexes: Range<usize>) {
        if indexes.is_empty() {
            return;
        }
        let separators = match indexes.start {
            0 => 0..indexes.end.min(self.separators.len()),
            start => start - 1..indexes.end - 1,
        };
        self.separators.remove(separators);
        self.counts.drain(indexes.clone());
        self.children.drain(indexes);
    }

    /// Joins a small child with a neighbour if both fit into one node.
    fn join_if_small(&mut self, index: usize) {
        let is_small = |child: &Node| child.width() < SMALL;
        if !self.children.get(index).is_some_and(is_small) {
            return;
        }
        for left in [Some(index), index.checked_sub(1)].into_iter().flatten() {
            if let Some([first, second]) = self.children.get_mut(left..left + 2)
                && first.width() + second.width() <= JOINED
            {
                first.join(&self.separators, left, second);
                self.children.remove(left + 1);
                self.counts[left] += self.counts.remove(left + 1);
                self.separators.remove(left..left + 1);
                return;
            }
        }
    }
}

/// An iterator over entries in order, from both ends. At the end of a leaf, the next one is found from the root: once
/// in some fifty steps.
#[derive(Clone, Debug)]
pub(super) struct Entries<'a> {
    index: &'a Index,
    ranks: Range<usize>,
    /// The leaf of the first entry, and the index there.
    front: Option<(&'a Run, usize)>,
    /// The leaf of the last entry, and the index after it.
    back: Option<(&'a Run, usize)>,
}

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a [u8], f64);

    fn next(&mut self) -> Option<Self::Item> {
        let rank = self.ranks.next()?;
        let (run, index) = match self.front {
            Some((run, index)) if index < run.len() => (run, index),
            _ => self.index.leaf(rank),
        };
        self.front = Some((run, index + 1));
        Some((run.member(index), run.score(index)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.ranks.size_hint()
    }
}

impl DoubleEndedIterator for Entries<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let rank = self.ranks.next_back()?;
        let (run, index) = match self.back {
            Some((run, end)) if end > 0 => (run, end - 1),
            _ => self.index.leaf(rank),
        };
        self.back = Some((run, index));
        Some((run.member(index), run.score(index)))
    }
}

impl ExactSizeIterator for Entries<'_> {}

#[cfg(test)]
impl Index {
    /// Panics if an invariant does not hold.
    pub(super) fn check(&self) {
        let depth = check_node(&self.root, self.len, None, None);
        assert!(depth <= 1 || self.root.width() > 1, "a root with one child");
    }

    /// The number of leaves, and how many of them another index shares.
    pub(super) fn leaves_shared_with(&self, other: &Index) -> (usize, usize) {
        let (mut own, mut others) = (Vec::new(), Vec::new());
        self.root.leaves(&mut own);
        other.root.leaves(&mut others);
        let others: std::collections::HashSet<_> = others.into_iter().collect();
        (
            own.len(),
            own.iter().filter(|it| others.contains(it)).count(),
        )
    }
}

#[cfg(test)]
impl Node {
    fn leaves(&self, found: &mut Vec<*const Run>) {
        match self {
            Node::Leaf(run) => found.push(Arc::as_ptr(run)),
            Node::Branch(branch) => {
                let children = branch.children.iter();
                children.for_each(|child| child.leaves(found));
            }
        }
    }
}

/// Checks a node with this number of entries between two separators, and returns its depth.
#[cfg(test)]
fn check_node<'a>(
    node: &'a Node,
    count: usize,
    from: Option<(f64, &'a [u8])>,
    to: Option<(f64, &'a [u8])>,
) -> usize {
    assert_eq!(node.count(), count);
    match node {
        Node::Leaf(run) => {
            assert!(run.len() < CAPACITY);
            for index in 0..run.len() {
                let entry = (run.score(index), run.member(index));
                assert!(from.is_none_or(|from| from <= entry) && to.is_none_or(|to| entry < to));
            }
            1
        }
        Node::Branch(branch) => {
            let Branch {
                separators,
                counts,
                children,
            } = &**branch;
            assert!(separators.len() < CAPACITY && separators.len() + 1 == children.len());
            assert_eq!(counts.len(), children.len());
            let separator = |index: usize| (separators.score(index), separators.member(index));
            let depths: Vec<usize> = (0..children.len())
                .map(|index| {
                    let from = index.checked_sub(1).map(separator).or(from);
                    let to = (index < separators.len()).then(|| separator(index)).or(to);
                    assert!(counts[index] > 0);
                    check_node(&children[index], counts[index], from, to)
                })
                .collect();
            assert!(depths.iter().all(|depth| *depth == depths[0]));
            depths[0] + 1
        }
    }
}
