//! What a marked shard keeps for a snapshot that has not taken it yet: the old state of every key that was changed
//! since. What a script needs to be taken back is kept elsewhere: see `undo`.
//!
//! Invariants:
//! 1. `keep` is called before each change of a key, under the shard's exclusive lock. Only the first change of a key
//!    counts.
//! 2. If the table as a whole is replaced (FLUSHALL, SWAPDB), `table` holds the old one, and later changes do not
//!    matter.
//! 3. The state at the snapshot is `table`, where `changes` overrides the keys that it names.
//!
//! So a snapshot costs memory only for what is changed while it is under way, and a change costs some look-ups and a
//! copy of a small value, or a reference to an object, which is copied when it is changed (copy-on-write).

use super::entry::{Entry, Table};
use super::snapshot::SnapshotId;
use crate::types::dict;
use foldhash::HashSet;

/// What is set aside for one snapshot.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) snapshot: SnapshotId,
    changes: Changes,
    /// The table, if it was replaced as a whole; no later change matters.
    table: Option<Table>,
}

/// The keys that differ from the table, as they were.
#[derive(Debug, Default)]
struct Changes {
    /// The entries of keys that were there.
    old: Table,
    /// Keys that were not there.
    absent: HashSet<Box<[u8]>>,
}

/// The entries of one shard at the moment of a snapshot.
#[derive(Debug)]
pub struct ShardImage {
    /// The shard's table when the saver took it; `changes` overrides what was modified since the snapshot.
    table: Table,
    changes: Changes,
}

impl Kept {
    pub(super) fn new(snapshot: SnapshotId) -> Kept {
        Kept {
            snapshot,
            changes: Changes::default(),
            table: None,
        }
    }

    /// Called before every change of a key.
    pub(super) fn keep(&mut self, table: &Table, hash: u64, key: &[u8]) {
        if self.table.is_some() || self.changes.include(hash, key) {
            return;
        }
        match table.get(hash, key) {
            Some(item) => self.changes.old.insert_copy(hash, item),
            None => drop(self.changes.absent.insert(key.into())),
        }
    }

    /// Called before the table is replaced.
    pub(super) fn keep_all(&mut self, table: &Table) {
        self.table.get_or_insert_with(|| table.clone());
    }

    /// Ends the keeping.
    pub(super) fn into_image(self, table: &Table) -> ShardImage {
        ShardImage {
            table: self.table.unwrap_or_else(|| table.clone()),
            changes: self.changes,
        }
    }
}

impl Changes {
    fn is_empty(&self) -> bool {
        self.old.is_empty() && self.absent.is_empty()
    }

    fn include(&self, hash: u64, key: &[u8]) -> bool {
        self.old.get(hash, key).is_some() || self.absent.contains(key)
    }
}

impl ShardImage {
    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        let is_unchanged = |entry: &Entry<'_>| {
            let key = entry.key();
            self.changes.is_empty() || !self.changes.include(dict::hash(key), key)
        };
        let unchanged = self.table.iter().map(Entry::new).filter(is_unchanged);
        unchanged.chain(self.changes.old.iter().map(Entry::new))
    }
}
