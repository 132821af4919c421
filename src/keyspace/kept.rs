//! What a shard keeps for a snapshot that has not taken it yet: of every key that was changed since, what it was.
//!
//! So a snapshot costs memory only for what is changed while it is under way, and a change costs it two look-ups and a
//! reference: entries are shared, and whoever changes a shared entry copies it.

use super::entry::Entry;
use super::shard::Tables;
use super::snapshot::SnapshotId;
use super::string_entry::{StringEntry, StringForm};
use crate::types::dict::{self, Dict};

/// What is set aside for one snapshot.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) snapshot: SnapshotId,
    changes: Changes,
    /// The tables, if they were replaced as a whole; no later change matters.
    tables: Option<Tables>,
}

/// The keys that differ from the tables, as they were.
#[derive(Debug, Default)]
struct Changes {
    /// The entries of keys that were there.
    old: Tables,
    /// Keys that were not there; the entries' values mean nothing.
    absent: Dict<StringEntry>,
}

/// The entries of one shard at the moment of a snapshot.
#[derive(Debug)]
pub struct ShardImage {
    /// Those of a later moment, shared with the shard.
    tables: Tables,
    changes: Changes,
}

impl Kept {
    pub(super) fn new(snapshot: SnapshotId) -> Kept {
        Kept {
            snapshot,
            changes: Changes::default(),
            tables: None,
        }
    }

    /// Called before every change of a key.
    pub(super) fn keep(&mut self, tables: &Tables, hash: u64, key: &[u8]) {
        if self.tables.is_some() || self.changes.include(hash, key) {
            return;
        }
        match tables.get(hash, key) {
            Some(entry) => self.changes.old.insert_new(hash, entry.to_owned()),
            None => {
                let entry = StringEntry::new(key, b"", StringForm::Natural, None);
                self.changes.absent.insert_new(hash, entry);
            }
        }
    }

    /// Called before the tables are replaced.
    pub(super) fn keep_all(&mut self, tables: &Tables) {
        self.tables.get_or_insert_with(|| tables.clone());
    }

    /// Ends the keeping.
    pub(super) fn into_image(self, tables: &Tables) -> ShardImage {
        ShardImage {
            tables: self.tables.unwrap_or_else(|| tables.clone()),
            changes: self.changes,
        }
    }
}

impl Changes {
    fn is_empty(&self) -> bool {
        self.old.is_empty() && self.absent.is_empty()
    }

    fn include(&self, hash: u64, key: &[u8]) -> bool {
        self.old.get(hash, key).is_some() || self.absent.get(hash, key).is_some()
    }
}

impl ShardImage {
    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        let is_unchanged = |entry: &Entry<'_>| {
            let key = entry.key();
            self.changes.is_empty() || !self.changes.include(dict::hash(key), key)
        };
        self.tables
            .iter()
            .filter(is_unchanged)
            .chain(self.changes.old.iter())
    }
}
