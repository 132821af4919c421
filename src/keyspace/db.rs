//! What a command sees of the keyspace: the shards that were locked for it, and nothing else.
//!
//! A [`Db`] cannot be made to lock anything. The executor hands a reading command `&Db`, from shared locks, and a
//! writing one `&mut Db`, from exclusive ones; so a command that changes data and is registered as a reader does not
//! compile. Keys come as [`Key`]s, which the executor makes from what the command declared. A handler that reaches for
//! another key finds nothing there, and its command ends with an error.
//!
//! All changes pass through here. A command that changed something calls [`Db::changed`], once per key and event; what
//! comes of that is in [`change`](super::change).

mod databases;
mod hashes;
mod lookup;
mod strings;
#[cfg(test)]
mod tests;
mod waiting;
mod watching;

pub use lookup::Lookups;

use super::access::Access;
use super::change::{Block, Change};
use super::entry::{Entry, Table, WrongType};
use super::inline_entry::{InlineEntry, InlineValue};
use super::lock_queue::AnyErrand;
use super::object::{Object, ObjectCollection};
use super::object_entry::ObjectEntry;
use super::shard::{Removed, Shard};
use super::shard_lock::{Guards, ShardLock};
use super::snapshot::{DatabaseSize, SnapshotId};
use super::space::{Key, Keyspace, SHARDS, shards_of_database};
use super::view::{Expired, View};
use super::waiters::Served;
use crate::types::dict::Position;
use smallvec::SmallVec;
use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::ops::{Deref, DerefMut};
use std::thread;

/// The shards locked for one command.
#[derive(Debug)]
pub struct Db<'a> {
    // Declared before `aftermath`, hence dropped before it: nothing large is freed, and no client is woken, while a
    // lock is held.
    /// Ascending by number.
    pub(super) guards: Guards<'a>,
    pub(super) keyspace: &'a Keyspace,
    /// How the command sees them.
    pub view: View,
    lookups: Cell<Lookups>,
    /// An empty shard in the place of those that are not locked, once a handler has reached for one.
    strayed: OnceCell<Box<Shard>>,
    /// The hash of the key to be changed that was counted last, under a policy that counts accesses.
    counted: Cell<Option<u64>>,
    /// What has been done since the last commit, as far as anything listens.
    pub(super) change: RefCell<Option<Box<Change>>>,
    /// Whether the command has changed something of which the journal alone is to hear.
    pub(super) is_recorded: bool,
    /// What few commands leave.
    pub(super) aftermath: Option<Box<Aftermath>>,
    /// Whether a busy script holds the shards, and has marked them for the threads that wait for them.
    is_busy: Cell<bool>,
}

/// What is left to be done after a command; nothing after most.
#[derive(Debug, Default)]
pub(super) struct Aftermath {
    /// The transaction or script that is being carried out.
    pub(super) block: Option<Block>,
    /// What the shards' counters of changes showed when a script began.
    pub(super) counted_before: SmallVec<[u64; 4]>,
    /// Keys that clients wait for and that have come into a state that serves them, each with its database.
    ready: Vec<(usize, Box<[u8]>)>,
    // Dropped before `garbage`: no client waits while large values are freed.
    served: Served,
    pub(super) garbage: Vec<Garbage>,
}

/// What is freed when the locks are gone; never read, only dropped.
#[derive(Debug)]
#[allow(dead_code)]
pub(super) enum Garbage {
    Entry(ObjectEntry),
    Table(Table),
    Other(Box<dyn Any + Send>),
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
}

impl<'a> WriteDb<'a> {
    pub(super) fn new(db: Db<'a>) -> Self {
        WriteDb(db)
    }

    /// Whether the one shard that is locked is all that a command on these keys needs.
    #[inline]
    pub fn suffices(&self, keys: &[Key<'_>]) -> bool {
        let holds_all = match self.0.guards.as_slice() {
            [(shard, _)] => !keys.is_empty() && keys.iter().all(|key| key.shard == *shard),
            _ => false,
        };
        holds_all && self.0.missing_shards(keys).is_empty()
    }

    /// Makes ready for another command, if the lock [suffices](Self::suffices) for it; else returns `false`.
    #[inline]
    pub fn turn_to(&mut self, view: View, keys: &[Key<'_>]) -> bool {
        let suffices = self.suffices(keys);
        if suffices {
            self.0.guards[0].1.note_kept();
            self.0.view = view;
            self.begin_command();
            self.remove_expired(keys);
        }
        suffices
    }

    /// Whether other threads wait for the one shard that is locked.
    #[inline]
    pub fn is_waited_for(&self) -> bool {
        matches!(self.0.guards.as_slice(), [(_, guard)] if guard.is_waited_for())
    }

    /// Takes the errand of the first thread that waits for the one shard that is locked, if it has one.
    pub fn take_errand(&self) -> Option<AnyErrand> {
        match self.0.guards.as_slice() {
            [(_, guard)] => guard.take_errand(),
            _ => None,
        }
    }
}

impl ReadDb<'_> {
    /// Begins another command of a script.
    pub fn begin_step(&mut self, database: usize, touches: bool) {
        self.0.begin_step(database, touches);
    }
}

impl WriteDb<'_> {
    /// Begins another command of a transaction or a script.
    pub fn begin_step(&mut self, database: usize, touches: bool) {
        self.0.begin_step(database, touches);
    }

    /// Whether the shards of these keys are all locked, and those that are needed to serve clients who wait for them.
    pub fn serves(&self, keys: &[Key<'_>]) -> bool {
        self.covers(keys) && self.missing_shards(keys).is_empty()
    }

    /// Removes those of these keys that have expired, also while clients are paused, and commits that.
    pub fn expire_keys(&mut self, keys: &[Key<'_>]) {
        keys.iter().for_each(|key| self.expire(key));
        self.commit(&[]);
    }

    /// Removes those of these keys that have expired, and commits that: it is no doing of the command that comes next.
    #[inline]
    pub fn remove_expired(&mut self, keys: &[Key<'_>]) {
        keys.iter().for_each(|key| self.remove_if_expired(key));
        self.commit(&[]);
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

impl Drop for ReadDb<'_> {
    /// Sends the events that reading has caused.
    fn drop(&mut self) {
        self.0.commit_reading();
    }
}

impl Drop for WriteDb<'_> {
    /// Commits what has not been committed and serves the clients that waited for it, publishes what others
    /// want to know of the shards while the locks are still held, and wakes the expirer if need be.
    fn drop(&mut self) {
        self.commit(&[]);
        self.end_block();
        match thread::panicking() {
            // To serve them runs more code that may panic. They wait for the next change.
            true => self.forget_ready_keys(),
            false => self.serve_waiters(),
        }
        for (number, guard) in &self.0.guards {
            self.0.keyspace.publish(*number, guard.shard());
        }
    }
}

impl Db<'_> {
    fn begin_step(&mut self, database: usize, touches: bool) {
        self.view.database = database;
        self.view.touches = touches;
        self.begin_command();
    }

    /// Forgets what concerns the command before.
    #[inline]
    fn begin_command(&mut self) {
        self.counted.set(None);
        if self.has_strayed() {
            self.strayed.take();
        }
    }
}

/// Reading.
impl<'a> Db<'a> {
    pub(super) fn new(keyspace: &'a Keyspace, view: View, guards: Guards<'a>) -> Db<'a> {
        Db {
            guards,
            keyspace,
            view,
            lookups: Cell::default(),
            strayed: OnceCell::new(),
            counted: Cell::new(None),
            change: RefCell::new(None),
            is_recorded: false,
            aftermath: None,
            is_busy: Cell::default(),
        }
    }

    /// Tells threads that wait for these locks that the script which holds them is busy, so that clients need not wait
    /// any longer.
    pub fn begin_busy(&self) {
        if !self.is_busy.replace(true) {
            self.locks().for_each(ShardLock::begin_busy);
        }
    }

    /// The script has ended.
    #[inline]
    pub fn end_busy(&self) {
        if self.is_busy.take() {
            self.locks().for_each(ShardLock::end_busy);
        }
    }

    fn locks(&self) -> impl Iterator<Item = &ShardLock> {
        let shards = self.guards.iter();
        shards.map(|(shard, _)| &self.keyspace.cell(*shard).shard)
    }

    /// How many keys the locked shards of the client's database hold. Redis counts expired keys until it comes across
    /// them; here they are never seen.
    pub fn len(&self) -> usize {
        self.own_shards()
            .map(|shard| shard.len() - shard.due_count(self.view.expiry_ms()))
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
            .filter(|entry| !entry.is_expired(self.view.expiry_ms()))
    }

    /// Visits some entries and returns the cursor to go on with, 0 at the end. The low 8 bits of a cursor are the
    /// number of the shard, the others are the place in it: see [`Dict::scan`](crate::types::dict::Dict::scan).
    ///
    /// A shard that is empty now holds no entry that is there from the first call of a scan to the last, so it is
    /// passed over.
    pub fn scan(&self, cursor: u64, mut visit: impl FnMut(Entry<'_>)) -> u64 {
        const COUNT: u64 = SHARDS as u64;
        let number = cursor % COUNT;
        let own = shards_of_database(self.view.database);
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
            if !entry.is_expired(self.view.expiry_ms()) {
                visit(entry);
            }
        });
        match next {
            0 => filled.next().map_or(0, |(following, _)| following),
            next => next * COUNT + visited,
        }
    }

    /// A random key of the client's database, each with equal chance; `random` gives uniform numbers.
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
            if !entry.is_expired(self.view.expiry_ms()) {
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

    /// Adds to the changes that INFO and the save points count. What is done to a shard that is not locked is lost.
    pub(super) fn count_changes(&mut self, shard: usize, count: usize) {
        if self.position(shard).is_some() {
            self.keyspace.cell(shard).count_changes(count);
        }
    }

    fn own_shards(&self) -> impl Iterator<Item = &Shard> {
        let own = shards_of_database(self.view.database);
        self.guards
            .iter()
            .filter(move |(number, _)| own.contains(number))
            .map(|(_, guard)| guard.shard())
    }

    /// Whether a handler has reached for a key whose shard is not locked, because its command did not declare it. What
    /// it did there is lost.
    pub fn has_strayed(&self) -> bool {
        self.strayed.get().is_some()
    }

    pub(super) fn shard(&self, key: &Key<'_>) -> &Shard {
        match self.position(key.shard) {
            Some(position) => self.guards[position].1.shard(),
            None => self.strayed.get_or_init(Box::default),
        }
    }

    /// Whether the shards of these keys are all locked.
    pub fn covers(&self, keys: &[Key<'_>]) -> bool {
        keys.iter().all(|key| self.position(key.shard).is_some())
    }

    /// The position of a shard among those that are locked.
    #[inline]
    fn position(&self, shard: usize) -> Option<usize> {
        match self.guards.as_slice() {
            [(only, _)] if *only == shard => Some(0),
            guards => guards
                .binary_search_by_key(&shard, |(number, _)| *number)
                .ok(),
        }
    }
}

/// Writing.
impl<'a> Db<'a> {
    /// Prepares to put in these keys, all of one shard: faster than going to each place in memory when its turn has
    /// come.
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
        let position = self.shard(key).position(key.hash, key.bytes);
        self.put_object_at(position, key, object, expires_at_ms)
    }

    /// As [`put_object`](Self::put_object), with the position of the key, if it is there.
    fn put_object_at(
        &mut self,
        position: Option<Position>,
        key: &Key<'_>,
        object: Object,
        expires_at_ms: Option<i64>,
    ) -> bool {
        if let Some(value) = InlineValue::of(&object) {
            let copied = InlineEntry {
                value,
                expires_at_ms,
            };
            return self.put_copy_at(position, key, copied, self.changing_access(key));
        }
        let access = self.changing_access(key);
        let entry = ObjectEntry::new(key.bytes, object, expires_at_ms);
        let shard = self.shard_mut(key);
        let replaced = shard.put_object(position, key.hash, entry, access);
        self.replaced(key, replaced)
    }

    /// Sets a key to a copy of a value. Returns whether the key was there. The caller has the position of the key, if
    /// it is there.
    fn put_copy_at(
        &mut self,
        position: Option<Position>,
        key: &Key<'_>,
        copied: InlineEntry<'_>,
        access: Access<'_>,
    ) -> bool {
        let shard = self.shard_mut(key);
        let replaced = shard.put_copy(position, key.hash, key.bytes, copied, access);
        self.replaced(key, replaced)
    }

    /// Like [`put_object`](Self::put_object), but the key counts as new even if it was there before: the commands that
    /// hand whole values over take away first what they replace, as in Redis.
    pub fn put_anew(&mut self, key: &Key<'_>, object: Object, expires_at_ms: Option<i64>) {
        self.remove(key);
        self.put_object(key, object, expires_at_ms);
    }

    /// Moves what a key holds to another key, in place of what that holds. The deadline goes with it, and when and how
    /// often it was used. Returns whether there was anything.
    pub fn rename(&mut self, from: &Key<'_>, to: &Key<'_>) -> bool {
        let Some(entry) = self.look_silently(from) else {
            return false;
        };
        let (expires_at_ms, clock) = (entry.expires_at_ms(), entry.clock().clone());
        let inline = entry.inline().map(|entry| entry.value.to_object());
        let removed = self.shard_mut(from).remove(from.hash, from.bytes);
        let object = match (removed, inline) {
            (Some(Removed::Object(entry)), _) => entry.into_object(),
            (_, Some(inline)) => inline,
            (_, None) => return false,
        };
        self.put_anew(to, object, expires_at_ms);
        if let Some(entry) = self.shard(to).get(to.hash, to.bytes) {
            entry.clock().copy_from(&clock);
        }
        true
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
    pub fn collection_mut<C: ObjectCollection>(
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
    pub fn get_or_create<C: ObjectCollection>(
        &mut self,
        key: &Key<'_>,
    ) -> Result<&mut C, WrongType> {
        let position = self.shard(key).position(key.hash, key.bytes);
        let position = position.unwrap_or_else(|| {
            self.put_object(key, C::default().into_object(), None);
            let created = self.shard(key).position(key.hash, key.bytes);
            created.expect("the key was just put in")
        });
        self.collection_at(key, position)
    }

    fn collection_at<C: ObjectCollection>(
        &mut self,
        key: &Key<'_>,
        position: Position,
    ) -> Result<&mut C, WrongType> {
        let access = self.changing_access(key);
        self.shard(key).entry(position).clock().touch(access);
        let object = self.shard_mut(key).object_mut(position);
        object.and_then(C::of_mut).ok_or(WrongType)
    }

    /// Marks all shards, which must be locked, for a snapshot.
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

    /// Removes a key if it has expired and is not merely to be hidden. That is done for the keys that a command
    /// declares before it runs.
    pub fn remove_if_expired(&mut self, key: &Key<'_>) {
        if self.view.expired == Expired::Remove && self.is_expired(key) {
            self.expire(key);
        }
    }

    /// Whether a key is still there although it has expired.
    pub fn is_expired(&mut self, key: &Key<'_>) -> bool {
        let now_ms = self.view.expiry_ms();
        let shard = self.shard(key);
        // The cell may be behind: the command before, under this lock, may have set an earlier deadline.
        let earliest_ms = shard.earliest_deadline_ms();
        earliest_ms.is_some_and(|earliest_ms| earliest_ms <= now_ms)
            && shard
                .get(key.hash, key.bytes)
                .is_some_and(|entry| entry.is_expired(now_ms))
    }

    /// Removes a key that has expired, also while clients are paused: a command that is going to change it has begun
    /// before.
    pub fn expire(&mut self, key: &Key<'_>) {
        if self.is_expired(key) {
            self.remove(key);
            self.keyspace.count_expired();
            self.note_expired(key);
        }
    }

    /// Whether a key is there, expired or not, and `test` accepts it.
    pub(super) fn is_evictable(
        &self,
        key: &Key<'_>,
        test: impl FnOnce(&Shard, Position) -> bool,
    ) -> bool {
        let shard = self.shard(key);
        let position = shard.position(key.hash, key.bytes);
        position.is_some_and(|position| test(shard, position))
    }

    /// Removes a key because memory is short.
    pub(super) fn evict(&mut self, key: &Key<'_>, is_lazy: bool) {
        self.remove(key);
        self.keyspace.count_evicted();
        self.note_evicted(key, is_lazy);
    }

    /// Removes up to `most` keys of a shard that are due.
    pub(super) fn remove_due(&mut self, shard: usize, most: usize) {
        for _ in 0..most {
            let due = self.guards[0].1.exclusive().due_key(self.view.expiry_ms());
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

    pub(super) fn guard_mut(&mut self, key: &Key<'_>) -> &mut Shard {
        match self.position(key.shard) {
            Some(position) => self.guards[position].1.exclusive(),
            None => {
                self.strayed.get_or_init(Box::default);
                self.strayed.get_mut().expect("it was just made")
            }
        }
    }

    /// A key has been put in, in the place of what was there, if anything was. Returns whether there was a key.
    fn replaced(&mut self, key: &Key<'_>, old: Option<Removed>) -> bool {
        let was_there = self.discard(old);
        if !was_there {
            self.note_event(key, "new");
        }
        was_there
    }

    /// Lets something that may be large be freed when the locks are gone.
    pub fn free_later(&mut self, garbage: impl Any + Send) {
        let garbage = Garbage::Other(Box::new(garbage));
        self.aftermath().garbage.push(garbage);
    }

    pub(super) fn aftermath(&mut self) -> &mut Aftermath {
        self.aftermath.get_or_insert_default()
    }

    /// Lets what is left of a key be freed when the locks are gone. Returns whether there was a key.
    fn discard(&mut self, removed: Option<Removed>) -> bool {
        let was_there = removed.is_some();
        if let Some(Removed::Object(entry)) = removed {
            self.aftermath().garbage.push(Garbage::Entry(entry));
        }
        was_there
    }
}
