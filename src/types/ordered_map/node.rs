//! The nodes of the tree: how a change walks down, and how nodes are split and joined on the way back.

use super::leaf::{CAPACITY, Leaf, give_back_slack};
use super::search::{count_not_greater, search};
use crate::types::blocks::{shared_bytes, spread, vec_bytes};
use crate::types::packed::make_room;
use smallvec::SmallVec;
use std::borrow::Borrow;
use triomphe::Arc;

/// A node with fewer entries or children than this is small...
const SMALL: usize = CAPACITY / 4;
/// ...and is joined with its neighbour if both together have no more than this, so that the result is not split again
/// soon.
const JOINED: usize = CAPACITY * 3 / 4;

#[derive(Clone, Debug)]
pub(super) enum Node<K, V> {
    Leaf(Arc<Leaf<K, V>>),
    Branch(Arc<Branch<K, V>>),
}

#[derive(Clone, Debug)]
pub(super) struct Branch<K, V> {
    /// One between each two children. A key equal to a separator lies to its right.
    separators: Vec<K>,
    children: Vec<Node<K, V>>,
}

/// The path from the root to an entry: the index of a child in each branch, and then the index in the leaf.
pub(super) type Path = SmallVec<[u8; 8]>;

/// What has come of inserting an entry.
pub(super) enum Inserted<K, V> {
    /// The key was there; the old value.
    Replaced(V),
    Added,
    /// The entry was added, and the node was full then.
    Split(Split<K, V>),
}

/// The result of splitting a full node: its new right neighbour, and the separator between them.
pub(super) struct Split<K, V> {
    separator: K,
    right: Node<K, V>,
}

/// Reading.
impl<K, V> Node<K, V> {
    /// The number of entries of a leaf, or of children of a branch: the figure for [`SMALL`] and [`JOINED`].
    fn width(&self) -> usize {
        match self {
            Node::Leaf(leaf) => leaf.len(),
            Node::Branch(branch) => branch.children.len(),
        }
    }

    pub(super) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let mut node = self;
        loop {
            match node {
                Node::Leaf(leaf) => {
                    let index = search(leaf.keys(), key).ok()?;
                    return Some(leaf.entry(index)?.1);
                }
                Node::Branch(branch) => node = &branch.children[branch.child_of(key)],
            }
        }
    }

    /// The path to the entry of a key, if it is there.
    pub(super) fn path_to<Q: Ord + ?Sized>(&self, key: &Q) -> Option<Path>
    where
        K: Borrow<Q>,
    {
        let mut path = Path::new();
        let mut node = self;
        loop {
            match node {
                Node::Leaf(leaf) => {
                    path.push(search(leaf.keys(), key).ok()? as u8);
                    return Some(path);
                }
                Node::Branch(branch) => {
                    let index = branch.child_of(key);
                    path.push(index as u8);
                    node = &branch.children[index];
                }
            }
        }
    }

    pub(super) fn first(&self) -> Option<(&K, &V)> {
        let mut node = self;
        loop {
            match node {
                Node::Leaf(leaf) => return leaf.entry(0),
                Node::Branch(branch) => node = branch.children.first()?,
            }
        }
    }

    pub(super) fn last(&self) -> Option<(&K, &V)> {
        let mut node = self;
        loop {
            match node {
                Node::Leaf(leaf) => return leaf.entry(leaf.len().checked_sub(1)?),
                Node::Branch(branch) => node = branch.children.last()?,
            }
        }
    }

    /// The last entry whose key is not greater than the given one.
    pub(super) fn floor<Q: Ord + ?Sized>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
    {
        let mut node = self;
        // The nearest node that has only lesser keys.
        let mut left: Option<&Node<K, V>> = None;
        loop {
            match node {
                Node::Leaf(leaf) => {
                    return match count_not_greater(leaf.keys(), key) {
                        0 => left?.last(),
                        count => leaf.entry(count - 1),
                    };
                }
                Node::Branch(branch) => {
                    let index = branch.child_of(key);
                    if index > 0 {
                        left = Some(&branch.children[index - 1]);
                    }
                    node = &branch.children[index];
                }
            }
        }
    }

    /// Bytes and the number of entries, estimated from this many leaves: the children of a branch that are not looked
    /// into count like those that are.
    pub(super) fn estimate(
        &self,
        samples: usize,
        of_value: &impl Fn(&K, &V) -> usize,
    ) -> (f64, f64) {
        match self {
            Node::Leaf(leaf) => {
                let values = leaf.entries(0..leaf.len());
                let values: usize = values.map(|(key, value)| of_value(key, value)).sum();
                ((leaf.memory_bytes() + values) as f64, leaf.len() as f64)
            }
            Node::Branch(branch) => {
                let places = spread(samples, branch.children.len());
                let sampled = places.len();
                let (mut bytes, mut entries) = (0.0, 0.0);
                for place in places {
                    let of_child = branch.children[place].estimate(samples / sampled, of_value);
                    bytes += of_child.0;
                    entries += of_child.1;
                }
                let scale = branch.children.len() as f64 / sampled as f64;
                let own = branch.memory_bytes() as f64;
                (own + bytes * scale, entries * scale)
            }
        }
    }
}

/// Writing.
impl<K: Ord + Clone, V: Clone> Node<K, V> {
    pub(super) fn of_one(key: K, value: V) -> Node<K, V> {
        Node::Leaf(Arc::new(Leaf::of_one(key, value)))
    }

    /// A branch above the two parts of a node that was split.
    pub(super) fn above(left: Node<K, V>, split: Split<K, V>) -> Node<K, V> {
        Node::Branch(Arc::new(Branch {
            separators: vec![split.separator],
            children: vec![left, split.right],
        }))
    }

    /// The value at the end of a path, to be changed.
    pub(super) fn value_mut(&mut self, path: Path) -> Option<&mut V> {
        let mut node = self;
        for index in path {
            match node {
                Node::Leaf(leaf) => return Some(Arc::make_mut(leaf).entry_mut(index.into())?.1),
                Node::Branch(branch) => {
                    node = Arc::make_mut(branch).children.get_mut(usize::from(index))?;
                }
            }
        }
        None
    }

    pub(super) fn last_mut(&mut self) -> Option<(&K, &mut V)> {
        let mut node = self;
        loop {
            match node {
                Node::Leaf(leaf) => {
                    let last = leaf.len().checked_sub(1)?;
                    return Arc::make_mut(leaf).entry_mut(last);
                }
                Node::Branch(branch) => node = Arc::make_mut(branch).children.last_mut()?,
            }
        }
    }

    /// Inserts an entry. `is_last` says that no node to the right exists.
    pub(super) fn insert(&mut self, key: K, value: V, is_last: bool) -> Inserted<K, V> {
        match self {
            Node::Leaf(leaf) => {
                let leaf = Arc::make_mut(leaf);
                let index = match search(leaf.keys(), &key) {
                    Ok(index) => return Inserted::Replaced(leaf.replace(index, value)),
                    Err(index) => index,
                };
                leaf.insert(index, key, value);
                if leaf.is_full() {
                    Inserted::Split(split_leaf(leaf, is_last && index + 1 == leaf.len()))
                } else {
                    Inserted::Added
                }
            }
            Node::Branch(branch) => {
                let branch = Arc::make_mut(branch);
                let index = branch.child_of(&key);
                let is_last = is_last && index + 1 == branch.children.len();
                match branch.children[index].insert(key, value, is_last) {
                    Inserted::Split(split) => branch.insert_child(index, split),
                    done => return done,
                }
                if branch.children.len() >= CAPACITY {
                    Inserted::Split(branch.split(is_last))
                } else {
                    Inserted::Added
                }
            }
        }
    }

    /// Removes the entry at the end of a path.
    pub(super) fn remove(&mut self, path: &mut impl Iterator<Item = u8>) -> Option<(K, V)> {
        let index = usize::from(path.next()?);
        match self {
            Node::Leaf(leaf) => Some(Arc::make_mut(leaf).remove(index)),
            Node::Branch(branch) => {
                let branch = Arc::make_mut(branch);
                let entry = branch.children.get_mut(index)?.remove(path)?;
                branch.removed_from(index);
                Some(entry)
            }
        }
    }

    /// Takes the child out of a branch that has no other.
    pub(super) fn take_only_child(&mut self) -> Option<Node<K, V>> {
        match self {
            Node::Branch(branch) if branch.children.len() == 1 => {
                Arc::make_mut(branch).children.pop()
            }
            _ => None,
        }
    }

    /// Moves everything from the right neighbour into this node.
    fn join(&mut self, separator: K, right: Node<K, V>) {
        match (self, right) {
            (Node::Leaf(leaf), Node::Leaf(right)) => {
                Arc::make_mut(leaf).append(Arc::unwrap_or_clone(right));
            }
            (Node::Branch(branch), Node::Branch(right)) => {
                let (branch, right) = (Arc::make_mut(branch), Arc::unwrap_or_clone(right));
                make_room(&mut branch.separators, right.children.len());
                make_room(&mut branch.children, right.children.len());
                branch.separators.push(separator);
                branch.separators.extend(right.separators);
                branch.children.extend(right.children);
            }
            _ => unreachable!("neighbours are equally deep"),
        }
    }
}

/// Splits a full leaf in the middle. If its last entry was inserted last and is the last of the map, splits before that
/// entry: so entries that are inserted in ascending order leave full leaves behind.
fn split_leaf<K: Clone, V>(leaf: &mut Leaf<K, V>, is_last: bool) -> Split<K, V> {
    let middle = if is_last {
        leaf.len() - 1
    } else {
        leaf.len() / 2
    };
    let right = leaf.split_off(middle);
    Split {
        separator: right.keys()[0].clone(),
        right: Node::Leaf(Arc::new(right)),
    }
}

impl<K, V> Branch<K, V> {
    pub(super) fn children(&self) -> &[Node<K, V>] {
        &self.children
    }

    /// The child that has this key, or to which it would be inserted.
    pub(super) fn child_of<Q: Ord + ?Sized>(&self, key: &Q) -> usize
    where
        K: Borrow<Q>,
    {
        count_not_greater(&self.separators, key)
    }

    fn memory_bytes(&self) -> usize {
        shared_bytes::<Self>() + vec_bytes(&self.separators) + vec_bytes(&self.children)
    }

    /// Inserts the right part of a child that was split.
    fn insert_child(&mut self, index: usize, split: Split<K, V>) {
        make_room(&mut self.separators, 1);
        make_room(&mut self.children, 1);
        self.separators.insert(index, split.separator);
        self.children.insert(index + 1, split.right);
    }

    /// Splits a full branch, at the place where [`split_leaf`] splits a leaf.
    fn split(&mut self, is_last: bool) -> Split<K, V> {
        let middle = if is_last {
            self.separators.len() - 1
        } else {
            self.separators.len() / 2
        };
        let separators = self.separators.split_off(middle + 1);
        let separator = self.separators.remove(middle);
        let children = self.children.split_off(middle + 1);
        give_back_slack(&mut self.separators);
        give_back_slack(&mut self.children);
        Split {
            separator,
            right: Node::Branch(Arc::new(Branch {
                separators,
                children,
            })),
        }
    }
}

impl<K: Ord + Clone, V: Clone> Branch<K, V> {
    /// Removes a child that has become empty, or joins it with a neighbour if it has become small and both fit into one
    /// node.
    fn removed_from(&mut self, index: usize) {
        let width = self.children[index].width();
        if width == 0 {
            self.remove_child(index, index.saturating_sub(1));
        } else if width < SMALL {
            self.join_with_neighbour(index);
        }
    }

    fn join_with_neighbour(&mut self, index: usize) {
        for left in [Some(index), index.checked_sub(1)].into_iter().flatten() {
            if let Some([first, second]) = self.children.get(left..left + 2)
                && first.width() + second.width() <= JOINED
            {
                if let (right, Some(separator)) = self.remove_child(left + 1, left) {
                    self.children[left].join(separator, right);
                }
                return;
            }
        }
    }

    /// Removes a child, and a separator unless the child was the only one.
    fn remove_child(&mut self, child: usize, separator: usize) -> (Node<K, V>, Option<K>) {
        let child = self.children.remove(child);
        let separator = (!self.separators.is_empty()).then(|| self.separators.remove(separator));
        give_back_slack(&mut self.children);
        give_back_slack(&mut self.separators);
        (child, separator)
    }
}

#[cfg(test)]
impl<K: Ord, V> Node<K, V> {
    /// Checks a node whose keys lie between two separators, and returns its depth and the number of its entries.
    pub(super) fn check(&self, from: Option<&K>, to: Option<&K>) -> (usize, usize) {
        assert!(0 < self.width() && self.width() < CAPACITY);
        match self {
            Node::Leaf(leaf) => {
                let keys = leaf.keys();
                assert_eq!(leaf.entries(0..keys.len()).len(), keys.len());
                assert!(keys.is_sorted_by(|left, right| left < right));
                assert!(from.is_none_or(|from| *from <= keys[0]));
                assert!(to.is_none_or(|to| keys[keys.len() - 1] < *to));
                (1, keys.len())
            }
            Node::Branch(branch) => {
                let Branch {
                    separators,
                    children,
                } = &**branch;
                assert_eq!(separators.len() + 1, children.len());
                let checked = children.iter().enumerate().map(|(index, child)| {
                    let before = index.checked_sub(1).map(|before| &separators[before]);
                    child.check(before.or(from), separators.get(index).or(to))
                });
                let (depths, counts): (Vec<usize>, Vec<usize>) = checked.unzip();
                assert!(depths.iter().all(|depth| *depth == depths[0]));
                (depths[0] + 1, counts.iter().sum())
            }
        }
    }

    pub(super) fn leaves(&self, found: &mut Vec<*const Leaf<K, V>>) {
        match self {
            Node::Leaf(leaf) => found.push(Arc::as_ptr(leaf)),
            Node::Branch(branch) => branch.children.iter().for_each(|it| it.leaves(found)),
        }
    }
}
