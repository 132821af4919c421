//! One shard: the entries whose keys' hashes fall into it, and their deadlines. The keyspace locks it as a whole.
//!
//! Invariant: `deadlines` knows the deadlines of exactly the entries of `table`.

use super::access::{Access, AccessClock};
use super::deadlines::Deadlines;
use super::entry::{Entry, Table, WrongType};
use super::hash_mut::HashMut;
use super::inline_entry::{INLINE_BYTES, InlineEntry, InlineValue};
use super::kept::{Kept, ShardImage};
use super::object::Object;
use super::object_entry::ObjectEntry;
use super::snapshot::SnapshotId;
use super::undo::{OldState, UndoLog};
use super::waiters::Waiters;
use super::watchers::Watchers;
use crate::types::dict::Position;
use smallvec::SmallVec;

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
    /// Nothing: its value lay in the table.
    Inline,
    /// The entry, which may take long to drop.
    Object(ObjectEntry),
}

impl Removed {
    fn new(reference: Option<ObjectEntry>) -> Removed {
        reference.map_or(Removed::Inline, Removed::Object)
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

    /// Prepares to put in small values with these hashes: see [`Dict::fetch`](crate::types::dict::Dict::fetch).
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

    /// The object at a position, to be changed; none if the value lies in the table.
    pub fn object_mut(&mut self, position: Position) -> Option<&mut Object> {
        self.table
            .reference_mut(position)
            .map(ObjectEntry::object_mut)
    }

    /// Changes the hash at a position, where it lies.
    pub(super) fn change_hash<T>(
        &mut self,
        position: Position,
        hash: u64,
        key: &[u8],
        change: impl FnOnce(&mut HashMut<'_>) -> T,
    ) -> Result<T, WrongType> {
        if let Some(object) = self.object_mut(position) {
            let Object::Hash(own) = object else {
                return Err(WrongType);
            };
            let result = change(&mut HashMut::Own(own));
            self.bring_back(position, hash, key);
            return Ok(result);
        }
        let deadline = self.entry(position).expires_at_ms();
        let changed = self.table.change_value(position, |entry| {
            let mut inline = HashMut::inline(entry)?;
            let result = change(&mut inline);
            Ok((result, inline.outgrown()))
        });
        self.move_deadline(hash, deadline, deadline);
        let (result, outgrown) = changed.unwrap_or(Err(WrongType))?;
        if let Some(outgrown) = outgrown
            && let Some(position) = self.table.position(hash, key)
        {
            let entry = ObjectEntry::new(key, Object::Hash(outgrown), deadline);
            self.table.set_reference(position, entry);
            self.move_deadline(hash, deadline, deadline);
            // It may have become small again.
            if let Some(position) = self.table.position(hash, key) {
                self.bring_back(position, hash, key);
            }
        }
        Ok(result)
    }

    /// Puts the hash at a position into the table if it has become small.
    fn bring_back(&mut self, position: Position, hash: u64, key: &[u8]) {
        let entry = self.entry(position);
        let small = entry.object().and_then(InlineValue::of);
        let Some(value) = small.filter(|value| value.comes_back(key.len())) else {
            return;
        };
        let deadline = entry.expires_at_ms();
        let bytes = SmallVec::<[u8; INLINE_BYTES]>::from_slice(value.bytes());
        let small = InlineEntry {
            value: value.in_copy(&bytes),
            expires_at_ms: deadline,
        };
        small.with_parts(|parts| drop(self.table.set_pair(position, key, parts)));
        self.move_deadline(hash, deadline, deadline);
    }

    /// Sets a key to a copy of a value, which need not be small, and returns what it replaces. The caller has the
    /// position of the key, if it is there.
    pub(super) fn put_copy(
        &mut self,
        position: Option<Position>,
        hash: u64,
        key: &[u8],
        copied: InlineEntry<'_>,
        access: Access<'_>,
    ) -> Option<Removed> {
        let deadline = copied.expires_at_ms;
        if !copied.value.is_small() {
            let entry = ObjectEntry::new(key, copied.value.to_object(), deadline);
            return self.put_object(position, hash, entry, access);
        }
        let Some(position) = position else {
            let clock = AccessClock::new(access);
            copied.with_parts(|parts| self.table.insert_pair(hash, key, parts, clock));
            self.move_deadline(hash, None, deadline);
            return None;
        };
        let old_deadline = self.touch(position, access);
        let replaced = copied.with_parts(|parts| self.table.set_pair(position, key, parts));
        self.move_deadline(hash, old_deadline, deadline);
        Some(Removed::new(replaced))
    }

    /// Puts in an entry, and returns what it replaces. The caller has the position of the key, if it is there.
    pub(super) fn put_object(
        &mut self,
        position: Option<Position>,
        hash: u64,
        entry: ObjectEntry,
        access: Access<'_>,
    ) -> Option<Removed> {
        let deadline = entry.expires_at_ms();
        let Some(position) = position else {
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
        if let Some(InlineEntry { value, .. }) = entry.inline() {
            let bytes = SmallVec::<[u8; INLINE_BYTES]>::from_slice(value.bytes());
            let entry = InlineEntry {
                value: value.in_copy(&bytes),
                expires_at_ms,
            };
            entry.with_parts(|parts| self.table.set_pair(position, key, parts));
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

    /// Notes another deadline of a key. To be called with the same one, too, after what may have added a page.
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
    use crate::keyspace::inline_entry::InlineValue;
    use crate::keyspace::object::Object;
    use crate::keyspace::string_form::StringForm;
    use crate::types::dict;
    use crate::types::hash::{Hash, HashRef};
    use crate::types::limits::CompactLimits;
    use crate::types::list::List;
    use crate::types::pairs::PairsRef;
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
                    let entry = InlineEntry {
                        value: InlineValue::String(value.as_bytes(), StringForm::Natural),
                        expires_at_ms: deadline,
                    };
                    let position = shard.position(hash, key.as_bytes());
                    shard.put_copy(position, hash, key.as_bytes(), entry, access);
                    model.insert(key, (value, deadline));
                }
                2 => {
                    let entry =
                        ObjectEntry::new(key.as_bytes(), Object::List(List::default()), deadline);
                    let position = shard.position(hash, key.as_bytes());
                    let replaced = shard.put_object(position, hash, entry, access);
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

    /// What a hash should be.
    #[derive(Default)]
    struct HashModel {
        fields: BTreeMap<Vec<u8>, Vec<u8>>,
        /// It has been beyond the limits of the compact form.
        is_large: bool,
        deadline: Option<i64>,
    }

    /// Runs random changes on hashes of a shard, small and large, and on plain maps.
    #[test]
    fn hashes_are_changed_where_they_lie() {
        const LIMITS: CompactLimits = CompactLimits {
            entries: 6,
            value_bytes: 150,
        };
        let rules = AccessRules::new();
        let access = rules.access(0);
        let mut random = fastrand::Rng::with_seed(7);
        let mut shard = Shard::default();
        let mut model: BTreeMap<String, HashModel> = BTreeMap::new();
        let mut seen = BTreeMap::new();
        for step in 0..40_000 {
            // The table grows again and again.
            if step % 500 == 0 {
                shard = Shard::default();
                model.clear();
            }
            let name = format!("key:{}", random.u32(..100));
            let (key, hash) = (name.as_bytes(), dict::hash(name.as_bytes()));
            let Some(position) = shard.position(hash, key) else {
                let deadline = random.bool().then(|| random.i64(..50));
                let empty = InlineEntry {
                    value: InlineValue::Hash(PairsRef::default()),
                    expires_at_ms: deadline,
                };
                shard.put_copy(None, hash, key, empty, access);
                let hash = HashModel {
                    deadline,
                    ..HashModel::default()
                };
                model.insert(name, hash);
                continue;
            };
            let known = model.get_mut(&name).unwrap();
            let fields = &mut known.fields;
            // Most hashes are gone before they are large.
            if random.u8(..12) == 0 {
                assert!(shard.remove(hash, key).is_some());
                model.remove(&name);
            } else {
                let changed = shard.change_hash(position, hash, key, |hash| {
                    let most = if random.u8(..8) == 0 { 12 } else { 4 };
                    for _ in 0..random.usize(1..most) {
                        let field = format!("f{}", random.u32(..9)).into_bytes();
                        let lengths = [0, 1, 20, 100, 127, 128, 151];
                        let most = if random.u8(..30) == 0 { 7 } else { 6 };
                        let value = vec![b'v'; lengths[random.usize(..most)]];
                        if random.u8(..3) == 0 {
                            assert_eq!(hash.remove(&field), fields.remove(&field).is_some());
                        } else {
                            let is_new = fields.insert(field.clone(), value.clone()).is_none();
                            assert_eq!(hash.insert(&field, &value, LIMITS), is_new);
                            known.is_large |= value.len() > LIMITS.value_bytes;
                            known.is_large |= fields.len() > LIMITS.entries;
                        }
                        assert_eq!(hash.view().len(), fields.len());
                    }
                });
                assert_eq!(changed, Ok(()));
                let entry = shard.get(hash, key).unwrap();
                let found = entry.collection::<Hash>().unwrap();
                let pairs = found.iter().map(|(f, v)| (f.to_vec(), v.to_vec()));
                assert_eq!(pairs.collect::<BTreeMap<_, _>>(), *fields);
                assert_eq!(entry.expires_at_ms(), known.deadline);
                assert_eq!(found.encoding() == "hashtable", known.is_large);
                if let HashRef::Compact(pairs) = found {
                    let is_small = pairs.bytes().len() <= INLINE_BYTES / 2;
                    assert!(entry.object().is_none() || !is_small);
                }
                let kind = (entry.object().is_none(), found.encoding());
                *seen.entry(kind).or_insert(0) += 1;
            }
            let deadlines = || model.values().filter_map(|hash| hash.deadline);
            assert_eq!(shard.deadline_count(), deadlines().count());
            if step % 100 == 0 {
                let due = deadlines().filter(|due| *due <= 25).count();
                assert_eq!(shard.due_count(25), due);
            }
        }
        let kinds = [
            (true, "listpack"),
            (false, "listpack"),
            (false, "hashtable"),
        ];
        assert!(kinds.iter().all(|kind| seen[kind] > 500), "{seen:?}");
    }

    #[test]
    fn what_is_no_hash_is_not_changed() {
        let rules = AccessRules::new();
        let access = rules.access(0);
        let mut shard = Shard::default();
        let hash = dict::hash(b"k");
        for value in ["short".to_string(), "long".repeat(200)] {
            let string = InlineEntry {
                value: InlineValue::String(value.as_bytes(), StringForm::Natural),
                expires_at_ms: Some(1),
            };
            let position = shard.position(hash, b"k");
            shard.put_copy(position, hash, b"k", string, access);
            let position = shard.position(hash, b"k").unwrap();
            let changed = shard.change_hash(position, hash, b"k", |_| ());
            assert_eq!(changed, Err(WrongType));
            let entry = shard.get(hash, b"k").unwrap();
            assert_eq!(entry.string(), Ok(value.as_bytes()));
            assert_eq!(shard.deadline_count(), 1);
        }
    }
}
