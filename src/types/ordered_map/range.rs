//! An iterator over a range of entries, from both ends.
//!
//! ```text
//!      [. . a b c]   [d e f]   [g h i]   [j k . .]       leaves; dots lie outside of the range
//!           front       between these       back
//! ```
//!
//! What remains of the first leaf and of the last leaf are two slices. When one is used up, the cursor at its leaf
//! moves to the next leaf, until the two cursors meet.

use super::leaf::{Entries, Leaf};
use super::node::{Branch, Node};
use super::search::{count_less, count_not_greater};
use smallvec::SmallVec;
use std::borrow::Borrow;
use std::ops::Bound;

/// The number of branches above a leaf for which a cursor allocates nothing: enough for a hundred million entries.
const USUAL_DEPTH: usize = 4;

/// An iterator over entries in the order of their keys, from both ends.
#[derive(Clone, Debug)]
pub struct Range<'a, K, V> {
    front: Entries<'a, K, V>,
    back: Entries<'a, K, V>,
    /// At the leaves of `front` and `back`; None if no leaf lies between them.
    between: Option<(Cursor<'a, K, V>, Cursor<'a, K, V>)>,
}

/// A leaf, and where it lies in the tree.
#[derive(Clone, Debug)]
struct Cursor<'a, K, V> {
    leaf: &'a Leaf<K, V>,
    /// The branches from the root to the leaf, and the index of the child in each.
    branches: SmallVec<[(&'a Branch<K, V>, usize); USUAL_DEPTH]>,
}

impl<K, V> Default for Range<'_, K, V> {
    fn default() -> Self {
        Range {
            front: [].iter().zip(&[]),
            back: [].iter().zip(&[]),
            between: None,
        }
    }
}

impl<'a, K, V> Range<'a, K, V> {
    pub(super) fn new<Q>(root: &'a Node<K, V>, start: Bound<&Q>, end: Bound<&Q>) -> Self
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        use Bound::{Excluded, Included, Unbounded};
        if let (Included(start) | Excluded(start), Included(end) | Excluded(end)) = (start, end)
            && start > end
        {
            return Range::default();
        }
        let first = Cursor::to_leaf(root, |branch| match start {
            Unbounded => 0,
            Included(key) | Excluded(key) => branch.child_of(key),
        });
        let last = Cursor::to_leaf(root, |branch| match end {
            Unbounded => branch.children().len() - 1,
            Included(key) | Excluded(key) => branch.child_of(key),
        });
        let start = match start {
            Unbounded => 0,
            Included(key) => count_less(first.leaf.keys(), key),
            Excluded(key) => count_not_greater(first.leaf.keys(), key),
        };
        let end = match end {
            Unbounded => last.leaf.len(),
            Included(key) => count_not_greater(last.leaf.keys(), key),
            Excluded(key) => count_less(last.leaf.keys(), key),
        };
        if std::ptr::eq(first.leaf, last.leaf) {
            return Range {
                front: first.leaf.entries(start..end),
                ..Range::default()
            };
        }
        Range {
            front: first.leaf.entries(start..first.leaf.len()),
            back: last.leaf.entries(0..end),
            between: Some((first, last)),
        }
    }

    /// The next leaf after that of `front`, unless it is that of `back`.
    fn next_leaf(&mut self) -> Option<&'a Leaf<K, V>> {
        let (first, last) = self.between.as_mut()?;
        let is_between = first.step() && !std::ptr::eq(first.leaf, last.leaf);
        let leaf = is_between.then_some(first.leaf);
        if leaf.is_none() {
            self.between = None;
        }
        leaf
    }

    /// The next leaf before that of `back`, unless it is that of `front`.
    fn next_leaf_back(&mut self) -> Option<&'a Leaf<K, V>> {
        let (first, last) = self.between.as_mut()?;
        let is_between = last.step_back() && !std::ptr::eq(first.leaf, last.leaf);
        let leaf = is_between.then_some(last.leaf);
        if leaf.is_none() {
            self.between = None;
        }
        leaf
    }
}

impl<'a, K, V> Iterator for Range<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.front.next() {
                return Some(entry);
            }
            match self.next_leaf() {
                Some(leaf) => self.front = leaf.entries(0..leaf.len()),
                None => return self.back.next(),
            }
        }
    }
}

impl<K, V> DoubleEndedIterator for Range<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.back.next_back() {
                return Some(entry);
            }
            match self.next_leaf_back() {
                Some(leaf) => self.back = leaf.entries(0..leaf.len()),
                None => return self.front.next_back(),
            }
        }
    }
}

impl<'a, K, V> Cursor<'a, K, V> {
    /// At the leaf that is reached through the child chosen in each branch.
    fn to_leaf(root: &'a Node<K, V>, child_of: impl Fn(&Branch<K, V>) -> usize) -> Self {
        let mut branches = SmallVec::new();
        let leaf = descend(&mut branches, root, child_of);
        Cursor { leaf, branches }
    }

    /// Moves to the next leaf, if there is one.
    fn step(&mut self) -> bool {
        while let Some((branch, index)) = self.branches.pop() {
            if let Some(child) = branch.children().get(index + 1) {
                self.branches.push((branch, index + 1));
                self.leaf = descend(&mut self.branches, child, |_| 0);
                return true;
            }
        }
        false
    }

    /// Moves to the leaf before, if there is one.
    fn step_back(&mut self) -> bool {
        while let Some((branch, index)) = self.branches.pop() {
            if let Some(before) = index.checked_sub(1) {
                self.branches.push((branch, before));
                let child = &branch.children()[before];
                let last = |branch: &Branch<K, V>| branch.children().len() - 1;
                self.leaf = descend(&mut self.branches, child, last);
                return true;
            }
        }
        false
    }
}

/// Walks from a node to a leaf, and notes the branches on the way.
fn descend<'a, K, V>(
    branches: &mut SmallVec<[(&'a Branch<K, V>, usize); USUAL_DEPTH]>,
    mut node: &'a Node<K, V>,
    child_of: impl Fn(&Branch<K, V>) -> usize,
) -> &'a Leaf<K, V> {
    loop {
        match node {
            Node::Leaf(leaf) => return leaf,
            Node::Branch(branch) => {
                let index = child_of(branch);
                branches.push((branch, index));
                node = &branch.children()[index];
            }
        }
    }
}
