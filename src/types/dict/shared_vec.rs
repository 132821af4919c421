//! A vector whose clones share its elements until one of them is changed (copy-on-write).
//!
//! ```text
//!   branches ->  32 leaves  ->  25 elements
//! ```
//!
//! A clone increments one reference count for each branch, that is for 800 elements. The first change after that copies
//! one branch (its references to leaves) and one leaf. So a clone of a very large vector is cheap. With leaves only, a
//! clone would have to increment 32 times as many counts, each in a cache line of its own.

use crate::types::blocks::{block_bytes, shared_bytes, vec_bytes};
use triomphe::Arc;

/// Elements in a leaf: with 80 bytes each and the count, it fills 2 KiB.
const LEAF: usize = 25;
/// Leaves in a branch.
const BRANCH: usize = 32;

/// A vector with shared elements.
#[derive(Clone, Debug)]
pub(super) struct SharedVec<T> {
    /// The branches; all of them are full except the last.
    branches: Vec<Arc<Vec<Leaf<T>>>>,
    len: usize,
}

/// [`LEAF`] elements, except that a vector's only leaf may be smaller. Elements beyond the vector's end are spare.
type Leaf<T> = Arc<[T]>;

impl<T> Default for SharedVec<T> {
    fn default() -> Self {
        SharedVec {
            branches: Vec::new(),
            len: 0,
        }
    }
}

impl<T: Clone + Default> SharedVec<T> {
    /// The number of elements.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes of its blocks of memory.
    pub(super) fn memory_bytes(&self) -> usize {
        let leaf = block_bytes(size_of::<usize>() + LEAF.min(self.capacity()) * size_of::<T>());
        let of_branch = |branch: &Arc<Vec<Leaf<T>>>| {
            shared_bytes::<Vec<Leaf<T>>>() + vec_bytes(branch) + branch.len() * leaf
        };
        vec_bytes(&self.branches) + self.branches.iter().map(of_branch).sum::<usize>()
    }

    /// An element.
    pub(super) fn get(&self, index: usize) -> &T {
        let leaf = index / LEAF;
        &self.branches[leaf / BRANCH][leaf % BRANCH][index % LEAF]
    }

    /// A mutable reference to an element. Its leaf and branch are copied first if a clone shares them.
    pub(super) fn get_mut(&mut self, index: usize) -> &mut T {
        let leaf = index / LEAF;
        let branch = Arc::make_mut(&mut self.branches[leaf / BRANCH]);
        let leaf = &mut branch[leaf % BRANCH];
        if !leaf.is_unique() {
            *leaf = leaf.iter().cloned().collect();
        }
        let elements = Arc::get_mut(leaf).expect("the leaf was just made ours alone");
        &mut elements[index % LEAF]
    }

    /// The elements.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        let leaves = self.branches.iter().flat_map(|branch| branch.iter());
        leaves.flat_map(|leaf| leaf.iter()).take(self.len)
    }

    /// Appends an element.
    pub(super) fn push(&mut self, element: T) {
        if self.len == self.capacity() {
            self.add_room();
        }
        self.len += 1;
        *self.get_mut(self.len - 1) = element;
    }

    /// Removes the last element.
    pub(super) fn pop(&mut self) -> Option<T> {
        let last = self.len.checked_sub(1)?;
        let element = std::mem::take(self.get_mut(last));
        self.len = last;
        // One spare leaf stays, so that a vector whose length goes up and down does not allocate each time.
        if self.capacity() > self.len.next_multiple_of(LEAF) + LEAF {
            self.drop_leaf();
        }
        Some(element)
    }

    fn capacity(&self) -> usize {
        let Some((last, full)) = self.branches.split_last() else {
            return 0;
        };
        match (full.len(), last.as_slice()) {
            (0, [only]) => only.len(),
            _ => (full.len() * BRANCH + last.len()) * LEAF,
        }
    }

    fn add_room(&mut self) {
        let capacity = self.capacity();
        if capacity < LEAF {
            // The only leaf is replaced by one twice as large.
            let room = (capacity * 2).clamp(1, LEAF);
            let spare = std::iter::repeat_with(T::default);
            let leaf = self.iter().cloned().chain(spare).take(room).collect();
            self.branches = vec![Arc::new(vec![leaf])];
            return;
        }
        let leaf = (0..LEAF).map(|_| T::default()).collect();
        match self.branches.last_mut() {
            Some(last) if last.len() < BRANCH => Arc::make_mut(last).push(leaf),
            _ => self.branches.push(Arc::new(vec![leaf])),
        }
    }

    fn drop_leaf(&mut self) {
        if let Some(last) = self.branches.last_mut() {
            let last = Arc::make_mut(last);
            last.pop();
            if last.is_empty() {
                self.branches.pop();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behaves_like_a_vector_and_clones_keep_what_they_saw() {
        let mut vector = SharedVec::default();
        let mut model = Vec::new();
        let mut clones = Vec::new();
        let mut state = 5u64;
        for step in 0..60_000u64 {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            let random = (state >> 33) as usize;
            // The vector grows beyond three branches and shrinks to nothing, three times.
            let grows = if step / 10_000 % 2 == 0 { 7 } else { 2 };
            if random % 9 < grows {
                vector.push(step);
                model.push(step);
            } else {
                assert_eq!(vector.pop(), model.pop());
            }
            if !model.is_empty() {
                let index = random / 9 % model.len();
                assert_eq!(*vector.get(index), model[index]);
                *vector.get_mut(index) = step;
                model[index] = step;
            }
            assert_eq!(vector.len(), model.len());
            if step % 5_000 == 4_000 {
                clones.push((vector.clone(), model.clone()));
            }
        }
        for (clone, model) in clones {
            assert!(clone.iter().eq(&model));
        }
        assert!(vector.iter().eq(&model));
    }
}
