//! What a command sees of the keyspace: the shards that were locked for it, and nothing else.
//!
//! A [`Db`] cannot be made to lock anything. Dispatch hands a reading command `&Db`, from shared locks, and a writing one
//! `&mut Db`, from exclusive ones; so a command that changes data and is registered as a reader does not compile. Keys
//! come as [`Key`]s, which dispatch makes from what the command declared, so that no other key can be reached.
//!
//! All changes pass through here. A command that changed something calls [`Db::changed`], once per key and event.

mod databases;
mod lookup;
mod waiting;
mod watching;

pub use lookup::Lookups;

use super::entry::{Entry, Table, WrongType};
use super::object::{Collection, Object};
use super::object_entry::ObjectEntry;
use super::shard::{Removed, Shard};
use super::shard_lock::Guards;
use super::snapshot::{DatabaseSize, SnapshotId};
use super::space::{Key, Keyspace, NO_DEADLINE, SHARDS, shards_of_database};
use super::string_entry::{INLINE_BYTES, StringEntry, StringForm};
use super::waiters::{Served, can_be_awaited};
use crate::types::dict::Position;
use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use triomphe::Arc;

/// The shards locked for one command.
#[derive(Debug)]
pub struct Db<'a> {
    // Declared before `garbage` and `served`, hence dropped before them: nothing large is freed, and nobody is woken, while
    // a lock is held.
    /// Ascending by number.
    guards: Guards<'a>,
    keyspace: &'a Keyspace,
    /// The client's database.
    pub database: usize,
    /// Unix time in milliseconds, the same for the whole command.
    pub now_ms: i64,
    /// Whether reading a key counts as an access for its idle time: not after CLIENT NO-TOUCH.
    pub touches: bool,
    lookups: Cell<Lookups>,
    /// The hash of the key to be changed that was counted last, under a policy that counts accesses.
    counted: Cell<Option<u64>>,
    garbage: Vec<Garbage>,
    /// Keys that somebody waits for and that have changed, each with its database.
    ready: Vec<(usize, Box<[u8]>)>,
    served: Served,
}

/// What is freed when the locks are gone; never read, only dropped.
#[derive(Debug)]
#[allow(dead_code)]
enum Garbage {
    Entry(ObjectEntry),
    Table(Table),
}

/// A [`Db`] under shared locks.
#[derive(Debug)]
pub struct ReadDb<'a>(Db<'a>);

/// A [`Db`] under exclusive locks.
#[derive(Debug)]
pub struct WriteDb<'a>(Db<'a>);

impl<'a> ReadDb<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        ReadDb(db)
    }

    /// See [`Db::touches`].
    pub fn set_touches(&mut self, touches: bool) {
        self.0.touches = touches;
    }
}

impl<'a> WriteDb<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        WriteDb(db)
    }

    /// Makes ready for another command, which sees the time `now_ms`, if its keys are all in the one shard that is locked;
    /// else returns `false`.
    pub fn turn_to(&mut self, keys: &[Key<'_>], now_ms: i64) -> bool {
        let serves = match self.0.guards.as_slice() {
            [(shard, _)] => !keys.is_empty() && keys.iter().all(|key| key.shard == *shard),
            _ => false,
        } && self.0.missing_shards(keys).is_empty();
        if serves {
            self.0.now_ms = now_ms;
            self.0.forget_counted();
            keys.iter().for_each(|key| self.0.remove_if_expired(key));
        }
        serves
    }
}

impl<'a> Deref for ReadDb<'a> {
    type Target = Db<'a>;

    fn deref(&self) -> &Db<'a> {
        &self.0
    }
}

impl<'a> Deref for WriteDb<'a> {
    type Target = Db<'a>;

    fn deref(&self) -> &Db<'a> {
        &self.0
    }
}

impl<'a> DerefMut for WriteDb<'a> {
    fn deref_mut(&mut self) -> &mut Db<'a> {
        &mut self.0
    }
}

impl Drop for WriteDb<'_> {
    /// Publishes the earliest deadlines while the locks are still held, and wakes the expirer if need be.
    fn drop(&mut self) {
        for (number, guard) in &self.0.guards {
            let cell = self.0.keyspace.cell(*number);
            let earliest = guard.shard().earliest_deadline_ms().unwrap_or(NO_DEADLINE);
            if earliest != cell.earliest_deadline_ms.load(Relaxed) {
                cell.earliest_deadline_ms.store(earliest, SeqCst);
                self.0.keyspace.alarm.note_deadline(earliest);
            }
        }
    }
}

/// Reading.
impl<'a> Db<'a> {
    pub(super) fn new(
        keyspace: &'a Keyspace,
        database: usize,
        guards: Guards<'a>,
        now_ms: i64,
    ) -> Db<'a> {
        let lookups = Cell::default();
        Db {
            guards,
            keyspace,
            database,
            now_ms,
            touches: true,
            lookups,
            counted: Cell::new(None),
            garbage: Vec::new(),
            ready: Vec::new(),
            served: Served::default(),
        }
    }

    /// How many keys the locked shards of the client's database hold. Redis counts expired keys until it comes across
    /// them; here they are never seen.
    pub fn len(&self) -> usize {
        self.own_shards()
            .map(|shard| shard.len() - shard.due_count(self.now_ms))
            .sum()
    }

    /// Whether they hold no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries of the client's database that have not expired.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        self.own_shards()
            .flat_map(Shard::iter)
            .filter(|entry| !entry.is_expired(self.now_ms))
    }

    /// Visits some entries and returns the cursor to go on with, 0 at the end. The low 8 bits of a cursor are the number
    /// of the shard, the others are the place in it: see [`Dict::scan`](crate::types::dict::Dict::scan).
    ///
    /// A shard that is empty now holds no entry that is there from the first call of a scan to the last, so it is passed over.
    pub fn scan(&self, cursor: u64, mut visit: impl FnMut(Entry<'_>)) -> u64 {
        const COUNT: u64 = SHARDS as u64;
        let number = cursor % COUNT;
        let own = shards_of_database(self.database);
        let first = own.start + number as usize;
        let begin = self.guards.partition_point(|(shard, _)| *shard < first);
        let mut filled = self.guards[begin..]
            .iter()
            .take_while(|(shard, _)| own.contains(shard))
            .map(|(shard, guard)| ((shard - own.start) as u64, guard.shard()))
            .filter(|(_, shard)| !shard.is_empty());
        let Some((visited, shard)) = filled.next() else {
            return 0;
        };
        // A place in a shard that is empty now says nothing of the next one.
        let place = if visited == number { cursor / COUNT } else { 0 };
        let next = shard.scan(place, |entry| {
            if !entry.is_expired(self.now_ms) {
                visit(entry);
            }
        });
        match next {
            0 => filled.next().map_or(0, |(following, _)| following),
            next => next * COUNT + visited,
        }
    }

    /// A key of the client's database, each having the same chance; `random` gives uniform numbers.
    pub fn random_key(&self, mut random: impl FnMut() -> u64) -> Option<Entry<'_>> {
        let stored: usize = self.own_shards().map(Shard::len).sum();
        // Expired keys are passed over. They are few, the expirer removes them within milliseconds, but there may
        // be nothing else: then the drawing ends.
        for _ in 0..1000 {
            let mut place = (random() % stored.max(1) as u64) as usize;
            let holds_place = |shard: &&Shard| match place.checked_sub(shard.len()) {
                Some(rest) => {
                    place = rest;
                    false
                }
                None => true,
            };
            let entry = self.own_shards().find(holds_place)?.random(&mut random)?;
            if !entry.is_expired(self.now_ms) {
                return Some(entry);
            }
        }
        self.iter().next()
    }

    /// The shard of this number, counted over all databases, if all are locked.
    pub(super) fn shard_at(&self, number: usize) -> &Shard {
        self.guards[number].1.shard()
    }

    /// How many shards are locked.
    pub(super) fn locked_shards(&self) -> usize {
        self.guards.len()
    }

    fn own_shards(&self) -> impl Iterator<Item = &Shard> {
        let own = shards_of_database(self.database);
        self.guards
            .iter()
            .filter(move |(number, _)| own.contains(number))
            .map(|(_, guard)| guard.shard())
    }

    fn shard(&self, key: &Key<'_>) -> &Shard {
        self.guards[self.position(key.shard)].1.shard()
    }

    fn position(&self, shard: usize) -> usize {
        match self.guards.as_slice() {
            [(only, _)] if *only == shard => 0,
            guards => guards
                .binary_search_by_key(&shard, |(number, _)| *number)
                .expect("the key's shard was locked for it"),
        }
    }
}

/// Writing.
impl<'a> Db<'a> {
    /// Tells everyone concerned that a command changed a key: called once per key and event, after the change and before
    /// the reply. `event` is the event's name in <https://redis.io/docs/manual/keyspace-notifications/>, or empty if there
    /// is none; `count` is what the change adds to `rdb_changes_since_last_save`.
    pub fn changed(&mut self, key: &Key<'_>, event: &'static str, count: usize) {
        self.tell(key, event);
        self.keyspace
            .cell(key.shard)
            .changes
            .fetch_add(count as u64, Relaxed);
        let shard = self.guard_mut(key);
        if !shard.watchers.is_empty() {
            shard.watchers.spoil(key.bytes);
        }
        if !shard.waiters.is_empty()
            && shard.get(key.hash, key.bytes).is_some_and(can_be_awaited)
            && shard.waiters.note_change(key.bytes)
        {
            self.ready.push((key.shard / SHARDS, key.bytes.into()));
        }
    }

    /// Sets a key to a string; a deadline it had is replaced too. Returns whether the key was there.
    pub fn put_string(
        &mut self,
        key: &Key<'_>,
        value: &[u8],
        form: StringForm,
        expires_at_ms: Option<i64>,
    ) -> bool {
        let string = StringEntry {
            value,
            form,
            expires_at_ms,
        };
        let access = self.changing_access(key);
        let replaced = self
            .shard_mut(key)
            .put_string(key.hash, key.bytes, string, access);
        self.replaced(key, replaced)
    }

    /// Prepares to put in these keys, all of one shard: faster than going to each place in memory when its turn has come.
    pub fn fetch(&self, keys: &[Key<'_>]) {
        if let Some(first) = keys.first() {
            debug_assert!(keys.iter().all(|key| key.shard == first.shard));
            self.shard(first).fetch(keys.iter().map(|key| key.hash));
        }
    }

    /// Sets a key to an object of any type. Returns whether the key was there.
    pub fn put_object(
        &mut self,
        key: &Key<'_>,
        object: Object,
        expires_at_ms: Option<i64>,
    ) -> bool {
        if let Object::String(value, form) = &object
            && value.len() <= INLINE_BYTES
        {
            return self.put_string(key, value, *form, expires_at_ms);
        }
        let entry = ObjectEntry::new(key.bytes, object, expires_at_ms);
        let access = self.changing_access(key);
        let replaced = self.shard_mut(key).put_object(key.hash, entry, access);
        self.replaced(key, replaced)
    }

    /// The same with a key that counts as new even if it was there before: the commands that hand whole values over take
    /// away first what they replace, as in Redis.
    pub fn put_anew(&mut self, key: &Key<'_>, object: Object, expires_at_ms: Option<i64>) {
        self.remove(key);
        self.put_object(key, object, expires_at_ms);
    }

    /// Takes a key out and hands over its value and deadline.
    pub fn take(&mut self, key: &Key<'_>) -> Option<(Object, Option<i64>)> {
        let entry = self.look(key)?;
        let expires_at_ms = entry.expires_at_ms();
        let small = entry.small_string().map(|_| entry.to_object());
        let object = match self.shard_mut(key).remove(key.hash, key.bytes)? {
            Removed::Object(entry) => entry.into_object(),
            Removed::String => small?,
        };
        Some((object, expires_at_ms))
    }

    /// Removes a key; returns whether it was there. Its value is freed when the locks are gone.
    pub fn remove(&mut self, key: &Key<'_>) -> bool {
        let removed = self.shard_mut(key).remove(key.hash, key.bytes);
        self.discard(removed)
    }

    /// Sets or clears the deadline of a key.
    pub fn set_expires_at_ms(&mut self, key: &Key<'_>, expires_at_ms: Option<i64>) {
        self.shard_mut(key)
            .set_expires_at_ms(key.hash, key.bytes, expires_at_ms);
    }

    /// The collection of a key, to be changed. A command that empties it removes the key.
    pub fn collection_mut<C: Collection>(
        &mut self,
        key: &Key<'_>,
    ) -> Result<Option<&mut C>, WrongType> {
        // Keys that had expired were removed when the lock was taken.
        match self.shard(key).position(key.hash, key.bytes) {
            Some(position) => self.collection_at(key, position).map(Some),
            None => Ok(None),
        }
    }

    /// The collection of a key, to be changed; an empty one is put in if there is none.
    pub fn get_or_create<C: Collection>(&mut self, key: &Key<'_>) -> Result<&mut C, WrongType> {
        let position = self.shard(key).position(key.hash, key.bytes);
        let position = position.unwrap_or_else(|| {
            self.put_object(key, C::default().into_object(), None);
            let created = self.shard(key).position(key.hash, key.bytes);
            created.expect("the key was just put in")
        });
        self.collection_at(key, position)
    }

    fn collection_at<C: Collection>(
        &mut self,
        key: &Key<'_>,
        position: Position,
    ) -> Result<&mut C, WrongType> {
        let access = self.changing_access(key);
        self.shard(key).entry(position).clock().touch(access);
        let object = self.shard_mut(key).object_mut(position);
        object.and_then(C::of_mut).ok_or(WrongType)
    }

    /// Changes the string of a key in place, an empty one if there is none; the deadline stays. A large string is not
    /// copied for it.
    pub fn edit_string(
        &mut self,
        key: &Key<'_>,
        edit: impl FnOnce(&mut Vec<u8>),
    ) -> Result<usize, WrongType> {
        let (mut string, expires_at_ms) = match self.find(key) {
            None => (Vec::new(), None),
            Some(entry) if entry.shared_string().is_some() => {
                return self.edit_large_string(key, edit);
            }
            Some(entry) => (entry.string()?.to_vec(), entry.expires_at_ms()),
        };
        edit(&mut string);
        let len = string.len();
        if len > INLINE_BYTES {
            let object = Object::String(Arc::new(string), StringForm::Raw);
            self.put_object(key, object, expires_at_ms);
        } else {
            self.put_string(key, &string, StringForm::Raw, expires_at_ms);
        }
        Ok(len)
    }

    fn edit_large_string(
        &mut self,
        key: &Key<'_>,
        edit: impl FnOnce(&mut Vec<u8>),
    ) -> Result<usize, WrongType> {
        let position = self.shard(key).position(key.hash, key.bytes);
        let shard = self.shard_mut(key);
        match position.and_then(|position| shard.object_mut(position)) {
            Some(Object::String(string, form)) => {
                *form = StringForm::Raw;
                let string = Arc::make_mut(string);
                edit(string);
                Ok(string.len())
            }
            _ => Err(WrongType),
        }
    }

    /// Tells all shards, which must be locked, that a snapshot is due.
    pub(super) fn begin_snapshot(&mut self, id: SnapshotId) -> Vec<DatabaseSize> {
        let mut sizes = vec![DatabaseSize::default(); self.keyspace.databases()];
        for (number, guard) in &mut self.guards {
            let shard = guard.exclusive();
            shard.begin_snapshot(id);
            let size = &mut sizes[*number / SHARDS];
            size.keys += shard.len();
            size.deadlines += shard.deadline_count();
        }
        sizes
    }

    /// Removes a key if it has expired, unless clients are paused. Dispatch has done that for the keys that a command declares.
    pub fn remove_if_expired(&mut self, key: &Key<'_>) {
        let rests = |db: &Db| db.keyspace.alarm.rests_at(db.now_ms);
        if self.is_expired(key) && !rests(self) {
            self.expire(key);
        }
    }

    /// Whether a key is still there although it has expired.
    pub fn is_expired(&mut self, key: &Key<'_>) -> bool {
        let now_ms = self.now_ms;
        let shard = self.shard(key);
        // Not what the cell says: the command before under the same lock may have set an earlier deadline.
        let earliest_ms = shard.earliest_deadline_ms();
        earliest_ms.is_some_and(|earliest_ms| earliest_ms <= now_ms)
            && shard
                .get(key.hash, key.bytes)
                .is_some_and(|entry| entry.is_expired(now_ms))
    }

    /// Removes a key that has expired, also while clients are paused: a command that is going to change it has begun before.
    pub fn expire(&mut self, key: &Key<'_>) {
        if self.is_expired(key) {
            self.remove(key);
            self.keyspace.note_expired();
            self.changed(key, "expired", 1);
        }
    }

    /// Removes up to `most` keys of a shard that are due.
    pub(super) fn remove_due(&mut self, shard: usize, most: usize) {
        for _ in 0..most {
            let due = self.guards[0].1.exclusive().due_key(self.now_ms);
            let Some(bytes) = due else { return };
            let key = Key::new(shard / SHARDS, &bytes);
            self.expire(&key);
        }
    }

    /// The shard of a key that is about to change: the one door through which all changes of keys pass.
    fn shard_mut(&mut self, key: &Key<'_>) -> &mut Shard {
        let shard = self.guard_mut(key);
        shard.before_change(key.hash, key.bytes);
        shard
    }

    fn guard_mut(&mut self, key: &Key<'_>) -> &mut Shard {
        let position = self.position(key.shard);
        self.guards[position].1.exclusive()
    }

    /// A key has been put in, in the place of what was there, if anything was. Returns whether there was a key.
    fn replaced(&mut self, key: &Key<'_>, old: Option<Removed>) -> bool {
        let was_there = self.discard(old);
        if !was_there {
            self.tell(key, "new");
        }
        was_there
    }

    /// Lets what is left of a key be freed when the locks are gone. Returns whether there was a key.
    fn discard(&mut self, removed: Option<Removed>) -> bool {
        let was_there = removed.is_some();
        if let Some(Removed::Object(entry)) = removed {
            self.garbage.push(Garbage::Entry(entry));
        }
        was_there
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::survey::Survey;
    use std::collections::BTreeSet;

    fn put(
        keyspace: &Keyspace,
        database: usize,
        name: &str,
        value: &str,
        expires_at_ms: Option<i64>,
    ) {
        let key = Key::new(database, name.as_bytes());
        let mut db = keyspace.write(database, &[key], 0);
        db.put_string(&key, value.as_bytes(), StringForm::Natural, expires_at_ms);
    }

    fn get(keyspace: &Keyspace, database: usize, name: &str, now_ms: i64) -> Option<String> {
        let key = Key::new(database, name.as_bytes());
        let db = keyspace.read(database, &[key], now_ms);
        db.string(&key)
            .unwrap()
            .map(|value| String::from_utf8_lossy(value).into_owned())
    }

    #[test]
    fn an_expired_key_is_absent_for_readers_and_removed_for_writers() {
        let keyspace = Keyspace::new(1);
        put(&keyspace, 0, "k", "v", Some(100));
        assert_eq!(get(&keyspace, 0, "k", 99).as_deref(), Some("v"));
        assert_eq!(get(&keyspace, 0, "k", 100), None);
        assert_eq!(Survey::Unlocked(&keyspace).count(0, 100).0, 1);
        drop(keyspace.write(0, &[Key::new(0, b"k")], 100));
        assert_eq!(
            (
                Survey::Unlocked(&keyspace).count(0, 100).0,
                keyspace.expired()
            ),
            (0, 1)
        );
    }

    #[test]
    fn the_expirer_removes_what_is_due_and_nothing_else() {
        let keyspace = Keyspace::new(2);
        for number in 0..1000 {
            put(
                &keyspace,
                number % 2,
                &format!("k{number}"),
                "v",
                Some(number as i64),
            );
        }
        keyspace.remove_due(499, || {});
        assert_eq!(
            (
                Survey::Unlocked(&keyspace).count(0, 0).0,
                Survey::Unlocked(&keyspace).count(1, 0).0
            ),
            (250, 250)
        );
        assert_eq!(keyspace.expired(), 500);
    }

    #[test]
    fn a_scan_visits_every_key_once_when_nothing_changes() {
        let keyspace = Keyspace::new(2);
        for number in 0..5000 {
            put(
                &keyspace,
                0,
                &format!("k{number}"),
                &"v".repeat(1 + number % 2 * 600),
                None,
            );
            put(&keyspace, 1, "other", "v", None);
        }
        let db = keyspace.read_all(0, 0);
        let mut seen = BTreeSet::new();
        let mut cursor = 0;
        loop {
            cursor = db.scan(cursor, |entry| assert!(seen.insert(entry.key().to_vec())));
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(seen.len(), 5000);
    }

    /// With up to 300 keys in 256 shards, most of which are empty with a few. The least COUNT is one key.
    #[test]
    fn a_scan_goes_from_one_filled_shard_to_the_next() {
        for keys in [0, 1, 2, 5, 300] {
            let keyspace = Keyspace::new(3);
            for number in 0..keys {
                put(&keyspace, 1, &format!("k{number}"), "v", None);
                put(&keyspace, 2, &format!("other{number}"), "v", None);
            }
            let db = keyspace.write_all(1, 0);
            let filled = db.own_shards().filter(|shard| !shard.is_empty()).count();
            let (mut cursor, mut steps, mut seen) = (0, 0, 0);
            loop {
                cursor = db.scan(cursor, |_| seen += 1);
                steps += 1;
                if cursor == 0 {
                    break;
                }
            }
            assert_eq!(seen, keys);
            assert_eq!(steps, filled.max(1), "{keys} keys");
        }
    }

    /// Any number is a cursor, if only a client says so.
    #[test]
    fn a_cursor_that_no_scan_gave_ends_somewhere() {
        let keyspace = Keyspace::new(1);
        for number in 0..40 {
            put(&keyspace, 0, &format!("k{number}"), "v", None);
        }
        let db = keyspace.read_all(0, 0);
        for first in (0..2000).chain((0..64).map(|bit| u64::MAX << bit)) {
            let (mut cursor, mut steps) = (first, 0);
            loop {
                cursor = db.scan(cursor, |_| {});
                steps += 1;
                assert!(steps <= 300, "{first}");
                if cursor == 0 {
                    break;
                }
            }
        }
    }

    #[test]
    fn databases_are_exchanged_and_cleared() {
        let keyspace = Keyspace::new(3);
        put(&keyspace, 0, "k", "zero", Some(100));
        put(&keyspace, 2, "k", "two", None);
        keyspace.write_all(0, 0).swap_databases(2, 0);
        assert_eq!(get(&keyspace, 0, "k", 0).as_deref(), Some("two"));
        assert_eq!(get(&keyspace, 2, "k", 0).as_deref(), Some("zero"));
        // The deadline has moved with its key.
        keyspace.remove_due(100, || {});
        assert_eq!(get(&keyspace, 2, "k", 0), None);
        assert_eq!(keyspace.write_all(0, 0).clear(0), 1);
        assert_eq!(get(&keyspace, 0, "k", 0), None);
    }

    #[test]
    fn random_keys_come_from_all_shards_and_both_tables() {
        let keyspace = Keyspace::new(1);
        for number in 0..50 {
            put(
                &keyspace,
                0,
                &format!("k{number}"),
                &"v".repeat(1 + number % 2 * 600),
                None,
            );
        }
        let db = keyspace.read_all(0, 0);
        let drawn: BTreeSet<_> = (0..5000)
            .filter_map(|_| db.random_key(|| fastrand::u64(..)).map(Entry::key))
            .collect();
        assert_eq!(drawn.len(), 50);
        assert!(Keyspace::new(1).read_all(0, 0).random_key(|| 7).is_none());
    }
}
