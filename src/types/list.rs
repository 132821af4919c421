//! The list: a packed block while it is small, a row of packed blocks when it grows (Redis' listpack and quicklist).
//!
//! Both ends are O(1). An index is found by adding up the lengths of the blocks, some 450 elements of 16 bytes each, so
//! the middle of a million elements is about 2,000 steps away. Blocks are shared references: a clone copies the row,
//! not the elements. A change copies the block that it changes, if that is shared (copy-on-write).

use super::blocks::{block_bytes, shared_bytes, spread};
use super::packed::Packed;
use std::cmp::Ordering;
use std::collections::VecDeque;
use triomphe::Arc;

/// The limit of one block: the directive `list-max-listpack-size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockLimit {
    /// At most this many bytes (-1 to -5 in the directive: 4, 8, 16, 32, 64 KiB).
    Bytes(usize),
    /// At most this many elements, and 8 KiB.
    Elements(usize),
}

impl BlockLimit {
    /// The limit that a value of `list-max-listpack-size` means.
    pub fn from_directive(value: i64) -> BlockLimit {
        match value {
            0 => BlockLimit::Elements(1),
            1.. => BlockLimit::Elements(value as usize),
            ..0 => BlockLimit::Bytes(4096 << (-value - 1).min(4)),
        }
    }

    /// Whether a block may hold this many elements in this many bytes.
    fn allows(self, elements: usize, bytes: usize) -> bool {
        match self {
            BlockLimit::Bytes(most) => bytes <= most,
            BlockLimit::Elements(most) => elements <= most && bytes <= 8192,
        }
    }

    /// Whether a block is within the limit.
    fn holds(self, block: &Packed) -> bool {
        self.allows(block.len(), block.byte_len())
    }

    /// Whether a block would still be within the limit with one more element.
    fn admits(self, block: &Packed, element_len: usize) -> bool {
        self.allows(
            block.len() + 1,
            block.byte_len() + Packed::entry_bytes(element_len),
        )
    }

    /// Whether a block is so small that a list of this block alone goes back to the compact form, as in Redis at half
    /// the limit, so that a list at the limit does not change form at every push and pop.
    fn is_half_empty(self, block: &Packed) -> bool {
        match self {
            BlockLimit::Bytes(most) => block.byte_len() <= most / 2,
            BlockLimit::Elements(most) => block.len() <= most / 2 && block.byte_len() <= 4096,
        }
    }
}

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The head, index 0.
    Left,
    /// The tail, index -1.
    Right,
}

/// A list of byte strings.
#[derive(Clone, Debug)]
pub struct List {
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Compact(Packed),
    Blocks(Box<Blocks>),
}

/// Blocks in order, none of them empty.
#[derive(Clone, Debug, Default)]
struct Blocks {
    row: VecDeque<Arc<Packed>>,
    len: usize,
}

impl Default for List {
    fn default() -> Self {
        List {
            form: Form::Compact(Packed::default()),
        }
    }
}

impl List {
    /// A list of a row of blocks, even if it is short; it keeps that form until it shrinks. A new block begins at each
    /// of `starts`, which ascend, and where the limit is reached.
    pub fn of_blocks<'a>(
        elements: impl Iterator<Item = &'a [u8]>,
        starts: &[usize],
        limit: BlockLimit,
    ) -> List {
        let mut blocks = Blocks::default();
        let mut starts = starts.iter().peekable();
        for (index, element) in elements.enumerate() {
            match starts.next_if_eq(&&index) {
                Some(_) => blocks.push_block(End::Right, element),
                None => blocks.push(End::Right, element, limit),
            }
        }
        List {
            form: Form::Blocks(Box::new(blocks)),
        }
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Compact(block) => block.len(),
            Form::Blocks(blocks) => blocks.len,
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the list is one packed block (`OBJECT ENCODING` says `listpack`, else `quicklist`).
    pub fn is_compact(&self) -> bool {
        matches!(self.form, Form::Compact(_))
    }

    /// Bytes of its blocks of memory; for a row an estimate from `samples` of them.
    pub fn memory_bytes(&self, samples: usize) -> usize {
        let blocks = match &self.form {
            Form::Compact(block) => return block.memory_bytes(),
            Form::Blocks(blocks) => blocks,
        };
        let places = spread(samples, blocks.row.len());
        let sampled = places.len().max(1);
        let bytes: usize = places.map(|place| blocks.row[place].memory_bytes()).sum();
        block_bytes(size_of::<Blocks>())
            + block_bytes(blocks.row.capacity() * size_of::<Arc<Packed>>())
            + blocks.row.len() * shared_bytes::<Packed>()
            + bytes * blocks.row.len() / sampled
    }

    /// The element at `index`, counted from the head.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        match &self.form {
            Form::Compact(block) => block.get(index),
            Form::Blocks(blocks) => {
                let (block, within) = blocks.locate(index)?;
                blocks.row[block].get(within)
            }
        }
    }

    /// The element at an end.
    pub fn end(&self, end: End) -> Option<&[u8]> {
        let block = match (&self.form, end) {
            (Form::Compact(block), _) => block,
            (Form::Blocks(blocks), End::Left) => blocks.row.front()?,
            (Form::Blocks(blocks), End::Right) => blocks.row.back()?,
        };
        match end {
            End::Left => block.first(),
            End::Right => block.last(),
        }
    }

    /// The elements from the head; the iterator also runs from the tail.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.blocks().flat_map(Packed::iter)
    }

    /// `count` elements from `start` on (or fewer, at the end), skipping whole blocks on the way there.
    pub fn range(&self, start: usize, count: usize) -> impl Iterator<Item = &[u8]> {
        let (first, within) = match &self.form {
            Form::Compact(_) => (0, start),
            Form::Blocks(blocks) => blocks.locate(start).unwrap_or((blocks.row.len(), 0)),
        };
        self.blocks()
            .skip(first)
            .flat_map(Packed::iter)
            .skip(within)
            .take(count)
    }

    /// Adds an element at an end.
    pub fn push(&mut self, end: End, element: &[u8], limit: BlockLimit) {
        match &mut self.form {
            Form::Compact(block) if limit.admits(block, element.len()) => push(block, end, element),
            _ => self.make_blocks().push(end, element, limit),
        }
    }

    /// Removes the element at an end. [`end`](Self::end) reads it before.
    pub fn pop(&mut self, end: End, limit: BlockLimit) {
        match &mut self.form {
            Form::Compact(block) => pop(block, end),
            Form::Blocks(blocks) => blocks.pop(end),
        }
        self.make_compact_if_small(limit);
    }

    /// Moves the element at the end `from` to the end `to`, which may be equal. The form of the list depends on the
    /// result only, not on the shorter list in between.
    pub fn rotate(&mut self, from: End, to: End, limit: BlockLimit) {
        let Some(element) = self.end(from).map(<[u8]>::to_vec) else {
            return;
        };
        match &mut self.form {
            Form::Compact(block) => pop(block, from),
            Form::Blocks(blocks) => blocks.pop(from),
        }
        self.push(to, &element, limit);
        self.make_compact_if_small(limit);
    }

    /// Replaces the element at `index`, which must exist. As in Redis, a compact list leaves its form if the new
    /// element has no room beside the old one, which may be smaller.
    pub fn set(&mut self, index: usize, element: &[u8], limit: BlockLimit) {
        if let Form::Compact(block) = &self.form
            && !limit.admits(block, element.len())
        {
            self.make_blocks();
        }
        match &mut self.form {
            Form::Compact(block) => block.replace(index, element),
            Form::Blocks(blocks) => {
                let Some((block, within)) = blocks.locate(index) else {
                    return;
                };
                blocks.block_mut(block).replace(within, element);
                blocks.split_if_large(block, within, limit);
                self.make_compact_if_small(limit);
            }
        }
    }

    /// Inserts an element before the one at `index`, or at the tail if `index` is the length.
    pub fn insert(&mut self, index: usize, element: &[u8], limit: BlockLimit) {
        if index == self.len() {
            return self.push(End::Right, element, limit);
        }
        match &mut self.form {
            Form::Compact(block) => {
                block.insert(index, element);
                self.make_blocks_if_large(limit);
            }
            Form::Blocks(blocks) => {
                let Some((block, within)) = blocks.locate(index) else {
                    return;
                };
                blocks.block_mut(block).insert(within, element);
                blocks.len += 1;
                blocks.split_if_large(block, within, limit);
            }
        }
    }

    /// Removes up to `most` elements equal to `element`, searching from `end`; returns their number.
    pub fn remove_equal(
        &mut self,
        element: &[u8],
        end: End,
        most: usize,
        limit: BlockLimit,
    ) -> usize {
        let removed = match &mut self.form {
            Form::Compact(block) => remove_equal(block, element, end, most),
            Form::Blocks(blocks) => blocks.remove_equal(element, end, most),
        };
        if removed > 0 {
            self.make_compact_if_small(limit);
        }
        removed
    }

    /// Keeps the elements from `start` up to but not including `stop` and drops the others.
    pub fn keep(&mut self, start: usize, stop: usize, limit: BlockLimit) {
        match &mut self.form {
            Form::Compact(block) => {
                block.remove(stop..block.len());
                block.remove(0..start);
            }
            Form::Blocks(blocks) => blocks.keep(start, stop),
        }
        self.make_compact_if_small(limit);
    }

    fn blocks(&self) -> impl DoubleEndedIterator<Item = &Packed> {
        let (single, row) = match &self.form {
            Form::Compact(block) => (Some(block), None),
            Form::Blocks(blocks) => (None, Some(blocks.row.iter().map(|block| &**block))),
        };
        single.into_iter().chain(row.into_iter().flatten())
    }

    fn make_blocks(&mut self) -> &mut Blocks {
        if let Form::Compact(block) = &mut self.form {
            let block = std::mem::take(block);
            let len = block.len();
            let row = (len > 0).then(|| Arc::new(block)).into_iter().collect();
            self.form = Form::Blocks(Box::new(Blocks { row, len }));
        }
        match &mut self.form {
            Form::Blocks(blocks) => blocks,
            Form::Compact(_) => unreachable!("it was just turned into blocks"),
        }
    }

    fn make_blocks_if_large(&mut self, limit: BlockLimit) {
        if let Form::Compact(block) = &self.form
            && !limit.holds(block)
        {
            self.make_blocks().split_if_large(0, 0, limit);
        }
    }

    fn make_compact_if_small(&mut self, limit: BlockLimit) {
        if let Form::Blocks(blocks) = &mut self.form
            && blocks.row.len() <= 1
            && blocks
                .row
                .front()
                .is_none_or(|block| limit.is_half_empty(block))
        {
            let block = blocks.row.pop_front().map(Arc::unwrap_or_clone);
            self.form = Form::Compact(block.unwrap_or_default());
        }
    }
}

impl Blocks {
    /// The block that holds the element at `index`, and its index there; searched from the nearer end.
    fn locate(&self, index: usize) -> Option<(usize, usize)> {
        if index >= self.len {
            return None;
        }
        if index < self.len / 2 {
            let mut before = 0;
            for (number, block) in self.row.iter().enumerate() {
                if index < before + block.len() {
                    return Some((number, index - before));
                }
                before += block.len();
            }
        } else {
            let mut before = self.len;
            for (number, block) in self.row.iter().enumerate().rev() {
                before -= block.len();
                if index >= before {
                    return Some((number, index - before));
                }
            }
        }
        None
    }

    fn block_mut(&mut self, block: usize) -> &mut Packed {
        Arc::make_mut(&mut self.row[block])
    }

    fn push(&mut self, end: End, element: &[u8], limit: BlockLimit) {
        let outermost = match end {
            End::Left => self.row.front_mut(),
            End::Right => self.row.back_mut(),
        };
        match outermost {
            Some(block) if limit.admits(block, element.len()) => {
                push(Arc::make_mut(block), end, element);
                self.len += 1;
            }
            _ => self.push_block(end, element),
        }
    }

    /// Adds an element in a block of its own.
    fn push_block(&mut self, end: End, element: &[u8]) {
        let block = Arc::new(Packed::from_iter([element]));
        match end {
            End::Left => self.row.push_front(block),
            End::Right => self.row.push_back(block),
        }
        self.len += 1;
    }

    fn pop(&mut self, end: End) {
        let block = match end {
            End::Left => 0,
            End::Right => self.row.len() - 1,
        };
        pop(self.block_mut(block), end);
        self.len -= 1;
        self.drop_if_empty(block);
    }

    /// Splits a block that has grown over the limit beside the element at `within`, where it grew.
    fn split_if_large(&mut self, block: usize, within: usize, limit: BlockLimit) {
        if limit.holds(&self.row[block]) || self.row[block].len() == 1 {
            return;
        }
        let at = match within.cmp(&(self.row[block].len() / 2)) {
            Ordering::Less => within + 1,
            _ => within.max(1),
        };
        let rear = self.block_mut(block).split_off(at);
        self.row.insert(block + 1, Arc::new(rear));
        // One part holds the grown element at its edge and may still be too large, down to that element alone.
        let (grown, within) = if within < at {
            (block, within)
        } else {
            (block + 1, within - at)
        };
        if self.row[grown].len() > 1 && !limit.holds(&self.row[grown]) {
            self.split_if_large(grown, within, limit);
        }
    }

    fn remove_equal(&mut self, element: &[u8], end: End, most: usize) -> usize {
        let mut removed = 0;
        let mut visited = 0;
        while visited < self.row.len() && removed < most {
            let block = match end {
                End::Left => visited,
                End::Right => self.row.len() - 1 - visited,
            };
            visited += 1;
            // A block without a match is not changed: if it is shared, that would copy it in vain.
            if self.row[block].iter().any(|other| other == element) {
                let here = remove_equal(self.block_mut(block), element, end, most - removed);
                removed += here;
                self.len -= here;
                visited -= self.drop_if_empty(block) as usize;
            }
        }
        removed
    }

    fn keep(&mut self, start: usize, stop: usize) {
        let mut surplus = self.len - stop;
        while let Some(block) = self.row.back_mut()
            && surplus > 0
        {
            surplus -= drop_elements(block, surplus, End::Right);
            self.drop_if_empty(self.row.len() - 1);
        }
        let mut surplus = start;
        while let Some(block) = self.row.front_mut()
            && surplus > 0
        {
            surplus -= drop_elements(block, surplus, End::Left);
            self.drop_if_empty(0);
        }
        self.len = stop - start;
    }

    fn drop_if_empty(&mut self, block: usize) -> bool {
        let is_empty = self.row[block].is_empty();
        if is_empty {
            self.row.remove(block);
        }
        is_empty
    }
}

fn push(block: &mut Packed, end: End, element: &[u8]) {
    match end {
        End::Left => block.push_front(element),
        End::Right => block.push_back(element),
    }
}

fn pop(block: &mut Packed, end: End) {
    match end {
        End::Left => block.drop_front(),
        End::Right => block.drop_back(),
    }
}

/// Removes up to `most` elements at an end of a block; returns their number.
fn drop_elements(block: &mut Arc<Packed>, most: usize, end: End) -> usize {
    let len = block.len();
    let count = most.min(len);
    if count == len {
        *block = Arc::new(Packed::default());
        return count;
    }
    Arc::make_mut(block).remove(match end {
        End::Left => 0..count,
        End::Right => len - count..len,
    });
    count
}

/// Removes up to `most` elements equal to `element`, by writing a new block without them.
fn remove_equal(block: &mut Packed, element: &[u8], end: End, most: usize) -> usize {
    let equal = block.iter().filter(|other| *other == element).count();
    let removed = equal.min(most);
    if removed == 0 {
        return 0;
    }
    // If the search begins at the right, the first matches from the left are kept.
    let spared = match end {
        End::Left => 0,
        End::Right => equal - removed,
    };
    let mut met = 0;
    let is_kept = |other: &&[u8]| {
        if *other != element {
            return true;
        }
        met += 1;
        met <= spared || met > spared + removed
    };
    let kept: Packed = block.iter().filter(is_kept).collect();
    *block = kept;
    removed
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs random operations on a list with tiny blocks and on a plain vector.
    #[test]
    fn behaves_like_a_vector_of_byte_strings() {
        for limit in [
            BlockLimit::Bytes(64),
            BlockLimit::Elements(3),
            BlockLimit::Bytes(8192),
        ] {
            let mut state = 1u64;
            let mut random = |below: usize| {
                state = state
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                (state >> 33) as usize % below
            };
            let mut list = List::default();
            let mut model: Vec<Vec<u8>> = Vec::new();
            let mut snapshot = (list.clone(), model.clone());
            for step in 0..20_000 {
                let len = if random(30) == 0 { 100 } else { random(4) };
                let element = vec![b'a' + random(4) as u8; len];
                let index = random(model.len() + 1);
                match random(11) {
                    0..3 => (list.push(End::Right, &element, limit), model.push(element)).0,
                    3 => {
                        (
                            list.push(End::Left, &element, limit),
                            model.insert(0, element),
                        )
                            .0
                    }
                    4 => {
                        (
                            list.insert(index, &element, limit),
                            model.insert(index, element),
                        )
                            .0
                    }
                    5 if index < model.len() => {
                        list.set(index, &element, limit);
                        model[index] = element;
                    }
                    6 if !model.is_empty() => (list.pop(End::Left, limit), drop(model.remove(0))).0,
                    7 if !model.is_empty() => (list.pop(End::Right, limit), drop(model.pop())).0,
                    8 if random(10) == 0 => {
                        let most = 1 + random(5);
                        let end = if random(2) == 0 {
                            End::Left
                        } else {
                            End::Right
                        };
                        let mut equal: Vec<usize> = (0..model.len())
                            .filter(|&at| model[at] == element)
                            .collect();
                        if end == End::Right {
                            equal.reverse();
                        }
                        equal.truncate(most);
                        equal.sort();
                        assert_eq!(list.remove_equal(&element, end, most, limit), equal.len());
                        equal.iter().rev().for_each(|&at| drop(model.remove(at)));
                    }
                    9 if random(20) == 0 => {
                        let stop = index + random(model.len() - index + 1);
                        list.keep(index, stop, limit);
                        model = model[index..stop].to_vec();
                    }
                    10 => assert!(list.range(index, 5).eq(model[index..].iter().take(5))),
                    _ => assert_eq!(list.get(index), model.get(index).map(Vec::as_slice)),
                }
                assert_eq!(list.len(), model.len());
                assert_eq!(list.end(End::Left), model.first().map(Vec::as_slice));
                assert_eq!(list.end(End::Right), model.last().map(Vec::as_slice));
                if step % 50 == 0 {
                    assert!(list.iter().eq(model.iter()));
                    assert!(list.iter().rev().eq(model.iter().rev()));
                    assert!(snapshot.0.iter().eq(snapshot.1.iter()), "a clone changed");
                    snapshot = (list.clone(), model.clone());
                }
            }
        }
    }

    #[test]
    fn leaves_the_compact_form_at_the_limit_and_returns_at_half_of_it() {
        let limit = BlockLimit::Elements(4);
        let mut list = List::default();
        (0..4).for_each(|_| list.push(End::Right, b"x", limit));
        assert!(list.is_compact());
        list.push(End::Right, b"x", limit);
        assert!(!list.is_compact());
        list.pop(End::Left, limit);
        list.pop(End::Left, limit);
        assert!(!list.is_compact());
        list.pop(End::Right, limit);
        assert!(list.is_compact());
    }

    #[test]
    fn one_large_element_is_no_compact_list() {
        let limit = BlockLimit::Bytes(64);
        let mut list = List::default();
        list.push(End::Right, &[b'x'; 100], limit);
        assert!(!list.is_compact());
        assert_eq!(list.iter().count(), 1);
    }

    /// As Redis 7.2.4 answers to OBJECT ENCODING after LSET, with `list-max-listpack-size` 3.
    #[test]
    fn replacing_an_element_of_a_full_list_makes_blocks() {
        let limit = BlockLimit::Elements(3);
        let mut list = List::default();
        list.push(End::Right, b"x", limit);
        list.push(End::Right, b"y", limit);
        list.set(0, b"z", limit);
        assert!(list.is_compact());
        list.push(End::Right, b"x", limit);
        list.set(0, b"z", limit);
        assert!(!list.is_compact());
        assert_eq!(list.iter().collect::<Vec<_>>(), [b"z", b"y", b"x"]);
    }

    #[test]
    fn blocks_begin_where_a_file_says_and_at_the_limit() {
        let elements = [&b"a"[..], b"b", b"c", b"d", b"e", b"f"];
        let mut list = List::of_blocks(elements.into_iter(), &[1, 2], BlockLimit::Elements(3));
        let lengths: Vec<usize> = list.blocks().map(Packed::len).collect();
        assert_eq!(lengths, [1, 1, 3, 1]);
        assert_eq!(list.iter().collect::<Vec<_>>(), elements);
        assert_eq!((list.len(), list.get(4)), (6, Some(&b"e"[..])));
        list.keep(0, 1, BlockLimit::Elements(3));
        assert!(list.is_compact());
    }

    #[test]
    fn directive_values_mean_what_redis_says() {
        assert_eq!(BlockLimit::from_directive(-1), BlockLimit::Bytes(4096));
        assert_eq!(BlockLimit::from_directive(-2), BlockLimit::Bytes(8192));
        assert_eq!(BlockLimit::from_directive(-5), BlockLimit::Bytes(65536));
        assert_eq!(BlockLimit::from_directive(128), BlockLimit::Elements(128));
    }
}
