//! One shard: the entries whose keys' hashes fall into it, and their deadlines. The keyspace locks it as a whole.
//!
//! Invariant: `deadlines` knows the deadlines of exactly the entries of `table`.

use super::access::{Access, AccessClock};
use super::deadlines::Deadlines;
use super::entry::{Entry, Table};
use super::kept::{Kept, ShardImage};
use super::object::Object;
use super::object_entry::ObjectEntry;
use super::snapshot::SnapshotId;
use super::string_entry::{INLINE_BYTES, StringEntry};
use super::undo::{OldState, UndoLog};
use super::waiters::Waiters;
use super::watchers::Watchers;
use crate::types::dict::{Keyed, Position};
use smallvec::SmallVec;
use triomphe::Arc;

/// The entries of one shard.
#[derive(Debug, Default)]
pub struct Shard {
    table: Table,
    deadlines: Deadlines,
    /// One for each snapshot that has not taken this shard yet.
    kept: Vec<Kept>,
    /// What a script that runs has changed here, if it may be taken back.
    undo: UndoLog,
    pub(super) waiters: Waiters,
    pub(super) watchers: Watchers,
}

/// What is left of a key that was taken out or replaced.
#[derive(Debug)]
pub enum Removed {
    /// Nothing: its string lay in the table.
    String,
    /// The entry, which may take long to drop.
    Object(ObjectEntry),
}

impl Removed {
    fn new(reference: Option<ObjectEntry>) -> Removed {
        reference.map_or(Removed::String, Removed::Object)
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
            kept.keep(&self.table, hash, key);
        }
        self.undo.keep(&self.table, hash, key);
    }

    /// What the shard held when the snapshot began; `None` if it has been taken already.
    pub(super) fn take_snapshot(&mut self, id: SnapshotId) -> Option<ShardImage> {
        let position = self.kept.iter().position(|kept| kept.snapshot == id)?;
        Some(self.kept.swap_remove(position).into_image(&self.table))
    }

    /// Takes all keys out.
    pub(super) fn take_all(&mut self) -> Table {
        self.before_replacement();
        self.deadlines = Deadlines::default();
        std::mem::take(&mut self.table)
    }

    /// Exchanges the keys of two shards. What they keep for snapshots stays with them.
    pub(super) fn swap_keys(&mut self, other: &mut Shard) {
        self.before_replacement();
        other.before_replacement();
        std::mem::swap(&mut self.table, &mut other.table);
        std::mem::swap(&mut self.deadlines, &mut other.deadlines);
    }

    fn before_replacement(&mut self) {
        for kept in &mut self.kept {
            kept.keep_all(&self.table);
        }
    }
}

/// Scripts: see `undo.rs`.
impl Shard {
    /// From now on, what is changed is kept until the script ends.
    pub(super) fn begin_undo(&mut self) {
        self.undo.begin();
    }

    /// Forgets what was kept. Returns the old objects, which may take long to drop.
    pub(super) fn end_undo(&mut self) -> impl Iterator<Item = ObjectEntry> {
        self.undo.end()
    }

    /// Restores what was kept. Returns what was in its place.
    pub(super) fn undo(&mut self) -> Vec<Removed> {
        let mut replaced = Vec::new();
        for old in self.undo.take() {
            let (hash, key) = (old.hash, &old.key[..]);
            self.before_change(hash, key);
            replaced.extend(self.remove(hash, key));
            match old.state {
                OldState::Absent => continue,
                OldState::Pair(value, clock) => {
                    self.table.insert_pair(hash, key, &[&value], clock);
                }
                OldState::Reference(entry, clock) => {
                    self.table.insert_reference(hash, entry, clock);
                }
            }
            let deadline = self.get(hash, key).and_then(Entry::expires_at_ms);
            self.move_deadline(hash, None, deadline);
        }
        replaced
    }
}

/// Keys and values.
impl Shard {
    /// How many keys there are, expired ones included that have not been removed yet.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many keys have a deadline.
    pub fn deadline_count(&self) -> usize {
        self.deadlines.count()
    }

    /// How many keys are due at this time and have not been removed yet.
    pub fn due_count(&self, now_ms: i64) -> usize {
        let due = self
            .deadlines
            .due_pages(now_ms)
            .flat_map(|page| self.page(page));
        due.filter(|entry| entry.is_expired(now_ms)).count()
    }

    /// A moment before which no key is due, in milliseconds of Unix time.
    pub fn earliest_deadline_ms(&self) -> Option<i64> {
        self.deadlines.earliest_ms()
    }

    /// Sum over all keys of the milliseconds they still have to live, for the average in INFO.
    pub fn total_ttl_ms(&self, now_ms: i64) -> i128 {
        self.deadlines.sum_ms() - i128::from(now_ms) * self.deadline_count() as i128
    }

    /// The entry of a key.
    pub fn get(&self, hash: u64, key: &[u8]) -> Option<Entry<'_>> {
        self.table.get(hash, key).map(Entry::new)
    }

    /// The table, for looking ahead in it.
    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    /// Prepares to put in small strings with these hashes: see [`Dict::fetch`](crate::types::dict::Dict::fetch).
    pub(super) fn fetch(&self, hashes: impl ExactSizeIterator<Item = u64>) {
        self.table.fetch(hashes);
    }

    /// Where the entry of a key is, until the next change of the shard.
    pub fn position(&self, hash: u64, key: &[u8]) -> Option<Position> {
        self.table.position(hash, key)
    }

    /// The entry at a position.
    pub fn entry(&self, position: Position) -> Entry<'_> {
        Entry::new(self.table.item(position))
    }

    /// The object at a position, to be changed; none if it is a small string.
    pub fn object_mut(&mut self, position: Position) -> Option<&mut Object> {
        self.table
            .reference_mut(position)
            .map(ObjectEntry::object_mut)
    }

    /// Sets a key to a string, and returns what it replaces.
    pub fn put_string(
        &mut self,
        hash: u64,
        key: &[u8],
        string: StringEntry<'_>,
        access: Access<'_>,
    ) -> Option<Removed> {
        let position = self.table.position(hash, key);
        self.put_string_at(position, hash, key, string, access)
    }

    /// As [`put_string`](Self::put_string), for a key of which the caller has the position, if the key is there.
    pub(super) fn put_string_at(
        &mut self,
        position: Option<Position>,
        hash: u64,
        key: &[u8],
        string: StringEntry<'_>,
        access: Access<'_>,
    ) -> Option<Removed> {
        if string.value.len() > INLINE_BYTES {
            let object = Object::String(Arc::new(string.value.to_vec()), string.form);
            let entry = ObjectEntry::new(key, object, string.expires_at_ms);
            return self.put_object(hash, entry, access);
        }
        let Some(position) = position else {
            let clock = AccessClock::new(access);
            string.with_parts(|parts| self.table.insert_pair(hash, key, parts, clock));
            self.move_deadline(hash, None, string.expires_at_ms);
            return None;
        };
        let old_deadline = self.touch(position, access);
        let replaced = string.with_parts(|parts| self.table.set_pair(position, key, parts));
        self.move_deadline(hash, old_deadline, string.expires_at_ms);
        Some(Removed::new(replaced))
    }

    /// Puts in an entry, and returns what it replaces.
    pub fn put_object(
        &mut self,
        hash: u64,
        entry: ObjectEntry,
        access: Access<'_>,
    ) -> Option<Removed> {
        let deadline = entry.expires_at_ms();
        let Some(position) = self.table.position(hash, entry.key()) else {
            let clock = AccessClock::new(access);
            self.table.insert_reference(hash, entry, clock);
            self.move_deadline(hash, None, deadline);
            return None;
        };
        let old_deadline = self.touch(position, access);
        let replaced = self.table.set_reference(position, entry);
        self.move_deadline(hash, old_deadline, deadline);
        Some(Removed::new(replaced))
    }

    /// Notes an access to an entry that will be replaced, and returns its deadline.
    fn touch(&self, position: Position, access: Access<'_>) -> Option<i64> {
        let entry = self.entry(position);
        entry.clock().touch(access);
        entry.expires_at_ms()
    }

    /// Takes out a key.
    pub fn remove(&mut self, hash: u64, key: &[u8]) -> Option<Removed> {
        let position = self.table.position(hash, key)?;
        let deadline = self.entry(position).expires_at_ms();
        let removed = self.table.remove(position);
        self.move_deadline(hash, deadline, None);
        Some(Removed::new(removed))
    }

    /// Sets or clears the deadline of a key that exists.
    pub fn set_expires_at_ms(&mut self, hash: u64, key: &[u8], expires_at_ms: Option<i64>) {
        let Some(position) = self.table.position(hash, key) else {
            return;
        };
        let entry = self.entry(position);
        let old_deadline = entry.expires_at_ms();
        if let Some(string) = entry.small_string() {
            let value = SmallVec::<[u8; INLINE_BYTES]>::from_slice(string.value);
            let string = StringEntry {
                value: &value,
                expires_at_ms,
                ..string
            };
            string.with_parts(|parts| self.table.set_pair(position, key, parts));
        } else if let Some(entry) = self.table.reference_mut(position) {
            entry.set_expires_at_ms(expires_at_ms);
        }
        self.move_deadline(hash, old_deadline, expires_at_ms);
    }

    /// A key that was due at this time, or earlier.
    pub fn due_key(&mut self, now_ms: i64) -> Option<Vec<u8>> {
        loop {
            let page = self.deadlines.due_pages(now_ms).next()?;
            if let Some(due) = self.page(page).find(|entry| entry.is_expired(now_ms)) {
                return Some(due.key().to_vec());
            }
            let earliest = self.page(page).filter_map(Entry::expires_at_ms).min();
            self.deadlines.correct(page, earliest);
        }
    }

    /// The entries of a page of the table.
    fn page(&self, page: usize) -> impl Iterator<Item = Entry<'_>> {
        self.table.page_items(page).map(Entry::new)
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        self.table.iter().map(Entry::new)
    }

    /// Visits some entries; see [`Dict::scan`](crate::types::dict::Dict::scan).
    pub fn scan(&self, cursor: u64, mut visit: impl FnMut(Entry<'_>)) -> u64 {
        self.table.scan(cursor, |item| visit(Entry::new(item)))
    }

    /// Visits up to `count` entries, from the page of a hash that was drawn; or only such with a deadline. Entries lie
    /// in the order of their hashes, so those that are visited together have nothing else in common. `false`: there is
    /// none.
    pub(super) fn draw(
        &self,
        hash: u64,
        count: usize,
        only_volatile: bool,
        mut visit: impl FnMut(Position),
    ) -> bool {
        let total = match only_volatile {
            true => self.deadlines.count(),
            false => self.table.len(),
        };
        if total == 0 {
            return false;
        }
        let (first, pages) = (self.table.page_of(hash), self.table.pages());
        let mut missing = count.min(total);
        for page in (first..pages).chain(0..first) {
            if only_volatile && !self.deadlines.may_be_in(page) {
                continue;
            }
            let is_wanted = |position: &Position| {
                !only_volatile || self.entry(*position).expires_at_ms().is_some()
            };
            let positions = self.table.positions_from(page, fastrand::u64(..));
            for position in positions.filter(is_wanted).take(missing) {
                visit(position);
                missing -= 1;
            }
            if missing == 0 {
                break;
            }
        }
        true
    }

    /// When the entry at a position was last used, or how often.
    pub(super) fn clock(&self, position: Position) -> &AccessClock {
        self.table.mark(position)
    }

    /// A random entry, each with equal chance.
    pub fn random(&self, random: impl FnMut() -> u64) -> Option<Entry<'_>> {
        self.table.random(random).map(Entry::new)
    }

    fn move_deadline(&mut self, hash: u64, from: Option<i64>, to: Option<i64>) {
        if self.deadlines.count() > 0 || to.is_some() {
            let pages = self.table.pages();
            let page = to.map(|deadline| (self.table.page_of(hash), deadline));
            self.deadlines.change(from, page, pages);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::access::AccessRules;
    use crate::keyspace::string_entry::StringForm;
    use crate::types::dict;
    use crate::types::list::List;
    use std::collections::BTreeMap;

    /// Runs random changes on a shard and on a plain map from keys to what they hold.
    #[test]
    fn behaves_like_a_map_and_keeps_its_deadlines() {
        let rules = AccessRules::new();
        let access = rules.access(0);
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
            let key = format!("key:{}", random(if step < 20_000 { 2000 } else { 20 }));
            let hash = dict::hash(key.as_bytes());
            let deadline = (random(2) == 0).then(|| random(50) as i64);
            match random(6) {
                0..2 => {
                    let value = "v".repeat([1, 1, 600][random(3) as usize]);
                    let string = StringEntry {
                        value: value.as_bytes(),
                        form: StringForm::Natural,
                        expires_at_ms: deadline,
                    };
                    shard.put_string(hash, key.as_bytes(), string, access);
                    model.insert(key, (value, deadline));
                }
                2 => {
                    let entry =
                        ObjectEntry::new(key.as_bytes(), Object::List(List::default()), deadline);
                    let replaced = shard.put_object(hash, entry, access);
                    let old = model.insert(key, ("list".to_string(), deadline));
                    assert_eq!(replaced.is_some(), old.is_some());
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
                let earliest = deadlines.clone().min();
                assert!(shard.earliest_deadline_ms() <= earliest.or(Some(i64::MAX)));
                assert_eq!(shard.deadline_count(), deadlines.clone().count());
                assert_eq!(
                    shard.total_ttl_ms(9),
                    deadlines.clone().map(|due| i128::from(due - 9)).sum()
                );
                assert_eq!(
                    shard.due_count(25),
                    deadlines.filter(|due| *due <= 25).count()
                );
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
