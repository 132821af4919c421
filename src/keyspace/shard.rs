//! One shard: the entries whose keys' hashes fall into it, and their deadlines. The keyspace locks it as a whole.
//!
//! Strings and other values lie in two tables, because a table's slot holds one kind of pointer: so a small string needs
//! no more than its own block. A key is in one of the two at most.
//!
//! Invariant: `deadlines` holds `(expires_at_ms, hash)` of exactly the entries that have a deadline.

use super::entry::{Entry, OwnedEntry};
use super::kept::{Kept, ShardImage};
use super::object::Object;
use super::object_entry::ObjectEntry;
use super::snapshot::SnapshotId;
use super::string_entry::{INLINE_BYTES, StringEntry, StringForm};
use crate::types::dict::{self, Dict};
use std::collections::BTreeSet;
use triomphe::Arc;

/// The entries of one shard.
#[derive(Debug, Default)]
pub struct Shard {
    tables: Tables,
    deadlines: BTreeSet<(i64, u64)>,
    /// One for each snapshot that has not taken this shard yet.
    kept: Vec<Kept>,
}

/// The tables of a shard. A clone shares the entries and keeps what it saw: it copies the tables' directories, one
/// reference for about 75 keys, and whoever changes a table later copies the part it changes.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    strings: Dict<StringEntry>,
    objects: Dict<ObjectEntry>,
}

impl Tables {
    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.strings.len() + self.objects.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entry of a key.
    pub(super) fn get(&self, hash: u64, key: &[u8]) -> Option<Entry<'_>> {
        match self.strings.get(hash, key) {
            Some(entry) => Some(Entry::String(entry)),
            None => self.objects.get(hash, key).map(Entry::Object),
        }
    }

    /// Puts in an entry whose key is known to be absent.
    pub(super) fn insert_new(&mut self, hash: u64, entry: OwnedEntry) {
        match entry {
            OwnedEntry::String(entry) => self.strings.insert_new(hash, entry),
            OwnedEntry::Object(entry) => self.objects.insert_new(hash, entry),
        }
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        let strings = self.strings.iter().map(Entry::String);
        strings.chain(self.objects.iter().map(Entry::Object))
    }
}

/// Snapshots: see [`super::snapshot`].
impl Shard {
    /// From now on, what is changed is kept until the snapshot takes it.
    pub(super) fn begin_snapshot(&mut self, id: SnapshotId) {
        self.kept.push(Kept::new(id));
    }

    /// Called before every change of a key.
    pub(super) fn before_change(&mut self, hash: u64, key: &[u8]) {
        for kept in &mut self.kept {
            kept.keep(&self.tables, hash, key);
        }
    }

    /// What the shard held when the snapshot began; `None` if it has been taken already.
    pub(super) fn take_snapshot(&mut self, id: SnapshotId) -> Option<ShardImage> {
        let position = self.kept.iter().position(|kept| kept.snapshot == id)?;
        Some(self.kept.swap_remove(position).into_image(&self.tables))
    }

    /// Takes all keys out.
    pub(super) fn take_all(&mut self) -> Tables {
        self.before_replacement();
        self.deadlines.clear();
        std::mem::take(&mut self.tables)
    }

    /// Exchanges the keys of two shards. What they keep for snapshots stays with them.
    pub(super) fn swap_keys(&mut self, other: &mut Shard) {
        self.before_replacement();
        other.before_replacement();
        std::mem::swap(&mut self.tables, &mut other.tables);
        std::mem::swap(&mut self.deadlines, &mut other.deadlines);
    }

    fn before_replacement(&mut self) {
        for kept in &mut self.kept {
            kept.keep_all(&self.tables);
        }
    }
}

/// Keys and values.
impl Shard {
    /// How many keys there are, expired ones included that nobody has removed yet.
    pub fn len(&self) -> usize {
        self.tables.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many keys have a deadline.
    pub fn deadline_count(&self) -> usize {
        self.deadlines.len()
    }

    /// How many keys are due at this time and have not been removed yet.
    pub fn due_count(&self, now_ms: i64) -> usize {
        self.deadlines.range(..=(now_ms, u64::MAX)).count()
    }

    /// The earliest deadline, in milliseconds of Unix time.
    pub fn earliest_deadline_ms(&self) -> Option<i64> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Sum over all keys of the milliseconds they still have to live, for the average in INFO.
    pub fn total_ttl_ms(&self, now_ms: i64) -> i128 {
        self.deadlines
            .iter()
            .map(|(deadline, _)| deadline.saturating_sub(now_ms).max(0) as i128)
            .sum()
    }

    /// The entry of a key.
    pub fn get(&self, hash: u64, key: &[u8]) -> Option<Entry<'_>> {
        self.tables.get(hash, key)
    }

    /// Prepares to put in small strings with these hashes: see [`Dict::fetch`].
    pub(super) fn fetch(&self, hashes: impl ExactSizeIterator<Item = u64>) {
        self.tables.strings.fetch(hashes);
    }

    /// Whether a key holds anything but a small string.
    pub fn has_object(&self, hash: u64, key: &[u8]) -> bool {
        self.tables.objects.get(hash, key).is_some()
    }

    /// The object of a key, to be changed. `clock` is the second of this access, if it counts as one.
    pub fn object_mut(&mut self, hash: u64, key: &[u8], clock: Option<u32>) -> Option<&mut Object> {
        let entry = self.tables.objects.get_mut(hash, key)?;
        if let Some(clock) = clock {
            entry.set_clock(clock);
        }
        Some(entry.object_mut())
    }

    /// Sets a key to a string and returns what it replaces, unless that was written over in place. `clock` is the second
    /// of this access.
    pub fn put_string(
        &mut self,
        hash: u64,
        key: &[u8],
        value: &[u8],
        form: StringForm,
        expires_at_ms: Option<i64>,
        clock: u32,
    ) -> Option<OwnedEntry> {
        if value.len() > INLINE_BYTES {
            let object = Object::String(Arc::new(value.to_vec()));
            let entry = ObjectEntry::new(key, object, expires_at_ms);
            entry.set_clock(clock);
            return self.put(hash, OwnedEntry::Object(entry));
        }
        let new = || {
            let entry = StringEntry::new(key, value, form, expires_at_ms);
            entry.set_clock(clock);
            entry
        };
        if let Some(entry) = self.tables.strings.get_mut(hash, key) {
            let old_deadline = entry.expires_at_ms();
            if old_deadline == expires_at_ms && entry.overwrite(value, form) {
                entry.set_clock(clock);
                return None;
            }
            let old = std::mem::replace(entry, new());
            self.move_deadline(hash, old_deadline, expires_at_ms);
            return Some(OwnedEntry::String(old));
        }
        let old = self.remove_object(hash, key);
        self.tables.strings.insert_new(hash, new());
        self.move_deadline(hash, None, expires_at_ms);
        old
    }

    /// Puts in an entry and returns the one it replaces.
    pub fn put(&mut self, hash: u64, entry: OwnedEntry) -> Option<OwnedEntry> {
        let old = self.remove(hash, entry.as_ref().key());
        self.move_deadline(hash, None, entry.as_ref().expires_at_ms());
        self.tables.insert_new(hash, entry);
        old
    }

    /// Takes out a key.
    pub fn remove(&mut self, hash: u64, key: &[u8]) -> Option<OwnedEntry> {
        match self.tables.strings.remove(hash, key) {
            Some(entry) => {
                self.move_deadline(hash, entry.expires_at_ms(), None);
                Some(OwnedEntry::String(entry))
            }
            None => self.remove_object(hash, key),
        }
    }

    /// Sets or clears the deadline of a key that exists.
    pub fn set_expires_at_ms(&mut self, hash: u64, key: &[u8], expires_at_ms: Option<i64>) {
        let old = if let Some(entry) = self.tables.objects.get_mut(hash, key) {
            let old = entry.expires_at_ms();
            entry.set_expires_at_ms(expires_at_ms);
            old
        } else if let Some(entry) = self.tables.strings.get_mut(hash, key) {
            let old = entry.expires_at_ms();
            let clock = entry.clock();
            *entry = StringEntry::new(key, entry.value(), entry.form(), expires_at_ms);
            entry.set_clock(clock);
            old
        } else {
            return;
        };
        self.move_deadline(hash, old, expires_at_ms);
    }

    /// A key that was due at this time, or earlier.
    pub fn due_key(&self, now_ms: i64) -> Option<Vec<u8>> {
        let &(deadline, hash) = self.deadlines.first()?;
        if deadline > now_ms {
            return None;
        }
        let is_due = |entry: Entry<'_>| {
            entry.expires_at_ms() == Some(deadline) && dict::hash(entry.key()) == hash
        };
        let string = self
            .tables
            .strings
            .find(hash, |entry| is_due(Entry::String(entry)))
            .map(Entry::String);
        let found = string.or_else(|| {
            self.tables
                .objects
                .find(hash, |entry| is_due(Entry::Object(entry)))
                .map(Entry::Object)
        });
        found.map(|entry| entry.key().to_vec())
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        self.tables.iter()
    }

    /// Visits some entries; see [`Dict::scan`]. The lowest bit of the cursor says which of the two tables is walked.
    pub fn scan(&self, cursor: u64, mut visit: impl FnMut(Entry<'_>)) -> u64 {
        if cursor & 1 == 0 {
            match self
                .tables
                .strings
                .scan(cursor >> 1, |entry| visit(Entry::String(entry)))
            {
                0 => 1,
                next => next << 1,
            }
        } else {
            match self
                .tables
                .objects
                .scan(cursor >> 1, |entry| visit(Entry::Object(entry)))
            {
                0 => 0,
                next => next << 1 | 1,
            }
        }
    }

    /// An entry, each having the same chance.
    pub fn random(&self, mut random: impl FnMut() -> u64) -> Option<Entry<'_>> {
        if self.is_empty() {
            return None;
        }
        if (random() % self.len() as u64) < self.tables.strings.len() as u64 {
            self.tables.strings.random(random).map(Entry::String)
        } else {
            self.tables.objects.random(random).map(Entry::Object)
        }
    }

    fn remove_object(&mut self, hash: u64, key: &[u8]) -> Option<OwnedEntry> {
        let entry = self.tables.objects.remove(hash, key)?;
        self.move_deadline(hash, entry.expires_at_ms(), None);
        Some(OwnedEntry::Object(entry))
    }

    fn move_deadline(&mut self, hash: u64, from: Option<i64>, to: Option<i64>) {
        if from == to {
            return;
        }
        if let Some(deadline) = from {
            self.deadlines.remove(&(deadline, hash));
        }
        if let Some(deadline) = to {
            self.deadlines.insert((deadline, hash));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::list::List;
    use std::collections::BTreeMap;

    /// Runs random changes on a shard and on a plain map from keys to what they hold.
    #[test]
    fn behaves_like_a_map_and_keeps_its_deadlines() {
        let mut shard = Shard::default();
        let mut model: BTreeMap<String, (String, Option<i64>)> = BTreeMap::new();
        let mut state = 1u64;
        let mut random = |below: u64| {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (state >> 33) % below
        };
        for step in 0..30_000 {
            let key = format!("key:{}", random(200));
            let hash = dict::hash(key.as_bytes());
            let deadline = (random(2) == 0).then(|| random(50) as i64);
            match random(6) {
                0..2 => {
                    let value = "v".repeat([1, 1, 600][random(3) as usize]);
                    shard.put_string(
                        hash,
                        key.as_bytes(),
                        value.as_bytes(),
                        StringForm::Natural,
                        deadline,
                        0,
                    );
                    model.insert(key, (value, deadline));
                }
                2 => {
                    let entry =
                        ObjectEntry::new(key.as_bytes(), Object::List(List::default()), deadline);
                    let old = shard.put(hash, OwnedEntry::Object(entry));
                    assert_eq!(
                        old.is_some(),
                        model.insert(key, ("list".to_string(), deadline)).is_some()
                    );
                }
                3 => {
                    shard.set_expires_at_ms(hash, key.as_bytes(), deadline);
                    model.entry(key).and_modify(|entry| entry.1 = deadline);
                }
                4 => assert_eq!(
                    shard.remove(hash, key.as_bytes()).is_some(),
                    model.remove(&key).is_some()
                ),
                _ => {
                    let found = shard.get(hash, key.as_bytes()).map(|entry| {
                        let value = entry
                            .string()
                            .map_or("list".into(), String::from_utf8_lossy);
                        (value.into_owned(), entry.expires_at_ms())
                    });
                    assert_eq!(found.as_ref(), model.get(&key));
                }
            }
            assert_eq!(shard.len(), model.len());
            if step % 100 == 0 {
                let deadlines = model.values().filter_map(|(_, deadline)| *deadline);
                assert_eq!(shard.earliest_deadline_ms(), deadlines.clone().min());
                assert_eq!(shard.deadline_count(), deadlines.count());
            }
        }
        while let Some(key) = shard.due_key(100) {
            let key = String::from_utf8(key).unwrap();
            assert!(
                model
                    .remove(&key)
                    .is_some_and(|(_, deadline)| deadline.is_some())
            );
            shard.remove(dict::hash(key.as_bytes()), key.as_bytes());
        }
        assert_eq!(shard.len(), model.len());
        assert!(model.values().all(|(_, deadline)| deadline.is_none()));
    }
}
