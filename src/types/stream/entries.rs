//! The entries of a stream: blocks of some hundred each, in an ordered map by the ID of their first entry.
//!
//! ```text
//!   1526919030474-0   ->  block   1526919030474-0, 1526919030475-0, ...      99 more
//!   1526919031200-3   ->  block   1526919031200-3, ...
//!   ...
//! ```
//!
//! Entries are added at the end alone, with IDs that ascend. Blocks are shared references: a clone shares them all,
//! and a change copies the one block that it changes (copy-on-write).
//!
//! # Invariants
//! 1. No block and no entry has an ID larger than the stream's last ID.
//! 2. The IDs of blocks and of live entries ascend; that of a block is not larger than those of its live entries.
//! 3. The length is the number of live entries. A block may have none: an exact trim by MINID leaves the first block if
//!    its last entry is deleted, as in Redis.
//!
//! Beside the entries, a stream remembers some of its history, from which the lag of its consumer groups is computed:
//! how many entries were ever added, the last ID, and the largest ID that was deleted by itself.

use super::block::{Block, Counts, Entry};
use super::id::StreamId;
use crate::types::ordered_map::OrderedMap;
use triomphe::Arc;

/// The limits of a block: the directives `stream-node-max-bytes` and `stream-node-max-entries`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockLimits {
    /// A block takes no further entry if its bytes and those of the entry's fields and values would reach this; 0 means
    /// 1 GiB.
    pub bytes: u64,
    /// The most entries of a block, deleted ones included; 0 means no limit.
    pub entries: u64,
}

/// The most bytes of the fields and values of one entry; also, a block takes no further entry at this size. As in
/// Redis, this keeps blocks well below the 4 GiB that the layout allows.
pub const MOST_BYTES: u64 = 1 << 30;

/// Entries in ascending order of their IDs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    blocks: OrderedMap<StreamId, Arc<Block>>,
    len: u64,
    history: History,
}

/// The facts of a stream that include entries which are gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The ID of the entry added last, or what XSETID has set; further IDs are larger.
    pub last_id: StreamId,
    /// The ID of the first entry; 0-0 if the stream has lost its last entry. A file may say otherwise.
    pub first_id: StreamId,
    /// The largest ID that XDEL has deleted.
    pub max_deleted_id: StreamId,
    /// The number of entries ever added.
    pub entries_added: u64,
}

/// Which entries are to go from the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trim {
    /// All but this many.
    MaxLen(u64),
    /// Those with smaller IDs.
    MinId(StreamId),
}

impl Entries {
    /// The number of entries.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What the stream remembers.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The number of blocks.
    pub fn block_count(&self) -> usize {
        self.blocks.len()
    }

    /// The blocks: the ID of each, and its listpack, as an RDB file holds them.
    pub fn listpacks(&self) -> impl Iterator<Item = (StreamId, &[u8])> {
        self.blocks.iter().map(|(id, block)| (*id, block.bytes()))
    }

    /// Bytes of its blocks of memory, estimated from `samples` blocks of entries.
    pub fn memory_bytes(&self, samples: usize) -> usize {
        self.blocks
            .memory_bytes(samples, |_, block| block.memory_bytes())
    }

    /// The ID of an entry that is added now, at this Unix time in milliseconds; `None` after the largest ID.
    pub fn next_id(&self, now_ms: i64) -> Option<StreamId> {
        let now = StreamId::new(now_ms.max(0) as u64, 0);
        let last = self.history.last_id;
        // IDs ascend even if the clock is set back.
        if now.ms > last.ms {
            Some(now)
        } else {
            last.next()
        }
    }

    /// Adds an entry, whose ID must be larger than the last. `pairs` are fields and values, alternating; together they
    /// have no more than [`MOST_BYTES`].
    pub fn append(&mut self, id: StreamId, pairs: &[&[u8]], limits: BlockLimits) {
        debug_assert!(id > self.history.last_id);
        let bytes = pairs.iter().map(|text| text.len() as u64).sum();
        match self.blocks.last_mut() {
            Some((master, block)) if limits.admit(block, bytes) => {
                Arc::make_mut(block).push(*master, id, pairs);
            }
            last => {
                if let Some((_, full)) = last {
                    Arc::make_mut(full).shrink();
                }
                let mut block = Block::new(pairs);
                block.push(id, id, pairs);
                self.blocks.insert(id, Arc::new(block));
            }
        }
        self.len += 1;
        self.history.entries_added = self.history.entries_added.saturating_add(1);
        self.history.last_id = id;
        if self.len == 1 {
            self.history.first_id = id;
        }
    }

    /// Adds a block as an RDB file holds it, after those that are there, with the number of its entries: of live ones
    /// and of deleted ones. Its layout must have been checked, and its IDs must be larger than those before. The
    /// history is to be [set](Self::set_history) afterwards.
    pub fn append_listpack(&mut self, id: StreamId, listpack: Vec<u8>, live: u64, deleted: u64) {
        let block = Block::of_listpack(listpack, Counts { live, deleted });
        self.blocks.insert(id, Arc::new(block));
        self.len += live;
    }

    /// Sets what the stream remembers. The last ID must not be smaller than that of an entry.
    pub fn set_history(&mut self, history: History) {
        debug_assert!(self.last().is_none_or(|last| last.id <= history.last_id));
        // Blocks in which all entries are deleted may have larger IDs: they go, so that invariant 1 holds.
        while let Some(id) = self.blocks.last().map(|(id, _)| *id)
            && id > history.last_id
        {
            self.blocks.remove(&id);
        }
        self.history = history;
    }

    /// The entries from this ID to that one, both included.
    pub fn range(&self, first: StreamId, last: StreamId) -> impl Iterator<Item = Entry<'_>> {
        self.blocks_between(first, last)
            .flat_map(|(master, block)| block.entries(*master))
            .filter(move |entry| entry.id >= first && !entry.is_deleted())
            .take_while(move |entry| entry.id <= last)
    }

    /// The entries from this ID to that one, both included, the last one first.
    pub fn range_back(&self, first: StreamId, last: StreamId) -> impl Iterator<Item = Entry<'_>> {
        self.blocks_between(first, last)
            .rev()
            .flat_map(|(master, block)| block.entries(*master).rev())
            .filter(move |entry| entry.id <= last && !entry.is_deleted())
            .take_while(move |entry| entry.id >= first)
    }

    /// The number of entries from this ID to that one, both included; looks at blocks, not at each entry.
    pub fn count(&self, first: StreamId, last: StreamId) -> u64 {
        let blocks = self.blocks_between(first, last).enumerate();
        let inner = 1..self.blocks_between(first, last).count().saturating_sub(1);
        let counts = blocks.map(|(number, (master, block))| {
            if inner.contains(&number) {
                return block.counts().live;
            }
            let is_counted =
                |entry: &Entry| (first..=last).contains(&entry.id) && !entry.is_deleted();
            block.entries(*master).filter(is_counted).count() as u64
        });
        counts.sum()
    }

    /// The blocks that may hold entries from this ID to that one.
    fn blocks_between(
        &self,
        first: StreamId,
        last: StreamId,
    ) -> impl DoubleEndedIterator<Item = (&StreamId, &Arc<Block>)> {
        let block = self.blocks.floor(&first).map_or(first, |(id, _)| *id);
        self.blocks.range(block..=last)
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        self.range(StreamId::MIN, StreamId::MAX)
    }

    /// The first entry.
    pub fn first(&self) -> Option<Entry<'_>> {
        self.iter().next()
    }

    /// The last entry.
    pub fn last(&self) -> Option<Entry<'_>> {
        self.range_back(StreamId::MIN, StreamId::MAX).next()
    }

    /// The entry with this ID.
    pub fn get(&self, id: StreamId) -> Option<Entry<'_>> {
        self.range(id, id).next()
    }

    /// Deletes an entry by its ID; `false` if there is none.
    pub fn delete(&mut self, id: StreamId) -> bool {
        let Some(place) = self.get(id).map(|entry| entry.place) else {
            return false;
        };
        let Some(master) = self.blocks.floor(&id).map(|(master, _)| *master) else {
            return false;
        };
        match self.blocks.get_mut(&master) {
            Some(block) if block.counts().live > 1 => {
                Arc::make_mut(block).delete(std::iter::once(place));
            }
            _ => drop(self.blocks.remove(&master)),
        }
        self.len -= 1;
        let history = &mut self.history;
        history.max_deleted_id = history.max_deleted_id.max(id);
        if id == history.first_id || self.len == 0 {
            self.find_first_id();
        }
        true
    }

    /// Removes entries from the front; returns their number. With `whole_blocks`, only whole blocks are removed
    /// (`MAXLEN ~`). Stops before a block that would make it more than `limit` entries.
    pub fn trim(&mut self, to: Trim, whole_blocks: bool, limit: Option<u64>) -> u64 {
        let mut removed = 0;
        while let Some((master, block)) = self.blocks.first() {
            let live = block.counts().live;
            if self.is_trimmed(to) || limit.is_some_and(|limit| removed + live > limit) {
                break;
            }
            if self.goes_as_a_whole(*master, block, to) {
                self.blocks.pop_first();
                self.len -= live;
                removed += live;
            } else {
                if !whole_blocks {
                    removed += self.trim_first_block(to);
                }
                break;
            }
        }
        if removed > 0 {
            self.find_first_id();
        }
        removed
    }

    /// Whether nothing is left to be trimmed, as far as that can be said without a look at the entries.
    fn is_trimmed(&self, to: Trim) -> bool {
        match to {
            Trim::MaxLen(most) => self.len <= most,
            Trim::MinId(_) => false,
        }
    }

    fn goes_as_a_whole(&self, master: StreamId, block: &Block, to: Trim) -> bool {
        match to {
            Trim::MaxLen(most) => self.len - block.counts().live >= most,
            // As in Redis, the last entry counts even if it is deleted.
            Trim::MinId(least) => {
                let last = block.entries(master).next_back();
                last.is_none_or(|last| last.id < least)
            }
        }
    }

    /// Deletes those entries of the first block that are to go; returns their number.
    fn trim_first_block(&mut self, to: Trim) -> u64 {
        let Some((master, block)) = self.blocks.first() else {
            return 0;
        };
        let master = *master;
        let most = match to {
            Trim::MaxLen(most) => self.len - most,
            Trim::MinId(_) => u64::MAX,
        };
        let is_too_small = |entry: &Entry| match to {
            Trim::MaxLen(_) => true,
            Trim::MinId(least) => entry.id < least,
        };
        let places: Vec<usize> = block
            .entries(master)
            .filter(|entry| !entry.is_deleted())
            .take_while(is_too_small)
            .take(most as usize)
            .map(|entry| entry.place)
            .collect();
        let count = places.len() as u64;
        if count > 0
            && let Some(block) = self.blocks.get_mut(&master)
        {
            Arc::make_mut(block).delete(places.into_iter());
        }
        self.len -= count;
        count
    }

    fn find_first_id(&mut self) {
        let first = self.first().map(|entry| entry.id);
        self.history.first_id = first.unwrap_or_default();
    }

    /// Whether XDEL may have deleted an entry with this ID or a larger one, so that the number of entries from there on
    /// cannot be told from the history (Redis: `streamRangeHasTombstones`).
    pub(super) fn has_gap_from(&self, id: StreamId) -> bool {
        let History {
            first_id,
            max_deleted_id,
            ..
        } = self.history;
        let is_among_entries = max_deleted_id != StreamId::MIN && first_id <= max_deleted_id;
        self.len > 0 && is_among_entries && id <= max_deleted_id
    }

    /// How many of the entries ever added have this ID or a smaller one (Redis:
    /// `streamEstimateDistanceFromFirstEverEntry`). That can be told
    ///
    /// | of an ID | if | entries |
    /// |---|---|---|
    /// | any | none was ever added | 0 |
    /// | the last one | | all |
    /// | smaller than the last | the stream is empty | all |
    /// | the first one | nothing was deleted after it | all but those after it |
    /// | smaller than the first | nothing was deleted after it | all that are gone |
    ///
    /// and of no other: `None`.
    pub fn entries_up_to(&self, id: StreamId) -> Option<u64> {
        let History {
            last_id,
            first_id,
            max_deleted_id,
            entries_added,
        } = self.history;
        if entries_added == 0 {
            return Some(0);
        }
        if id == last_id || (self.len == 0 && id < last_id) {
            return Some(entries_added);
        }
        let is_whole = max_deleted_id == StreamId::MIN || max_deleted_id < first_id;
        if id > last_id || id > first_id || !is_whole {
            return None;
        }
        let before_first = entries_added.wrapping_sub(self.len);
        Some(before_first.wrapping_add(u64::from(id == first_id)))
    }
}

impl BlockLimits {
    /// Whether a block takes another entry of this many bytes.
    fn admit(self, block: &Block, bytes: u64) -> bool {
        let most_bytes = match self.bytes {
            0 => MOST_BYTES,
            bytes => bytes.min(MOST_BYTES),
        };
        let counts = block.counts();
        block.bytes().len() as u64 + bytes < most_bytes
            && (self.entries == 0 || counts.live + counts.deleted < self.entries)
    }
}
