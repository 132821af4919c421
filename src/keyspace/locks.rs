//! The locks of the keyspace. To have this value is the right to lock: the executor and the server's threads have it,
//! and what a command's handler is given does not lead to it.
//!
//! Locks are taken in ascending order of shards, so two commands on several keys never wait for each other in a
//! circle. A reader waits for a reader only behind a waiting writer, and commands meet only on a shard that both need.

use super::db::{Db, ReadDb, WriteDb};
use super::entry::Table;
use super::kept::ShardImage;
pub use super::lock_queue::{AnyErrand, Waited};
use super::lock_set;
pub use super::shard_lock::Busy;
use super::shard_lock::{Guard, Guards, LockMode, Patience, at_last};
use super::snapshot::SnapshotId;
use super::space::{Key, Keyspace, Place, SHARDS, shards_of_database};
use super::view::{Expired, View};
use smallvec::SmallVec;
use std::hint::black_box;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Places that it is worth while to fetch at once, see [`Locks::fetch`]; more wait for each other.
pub const FETCHED_TOGETHER: usize = 16;

/// Places whose shards are locked, shared.
pub(super) type Fetched<'a> = SmallVec<[(Place, Guard<'a>); FETCHED_TOGETHER]>;

/// The only way to the keys and values of a [`Keyspace`].
#[derive(Debug)]
pub struct Locks {
    keyspace: Arc<Keyspace>,
}

impl Deref for Locks {
    type Target = Keyspace;

    fn deref(&self) -> &Keyspace {
        &self.keyspace
    }
}

impl Locks {
    /// The locks of an empty keyspace of this many databases.
    pub fn new(databases: usize) -> Locks {
        Locks {
            keyspace: Arc::new(Keyspace::new(databases)),
        }
    }

    /// What can be done with the keyspace without locking it.
    pub fn keyspace(&self) -> &Arc<Keyspace> {
        &self.keyspace
    }

    /// How a command sees a database that runs at this time.
    pub fn view(&self, database: usize, now_ms: i64) -> View {
        View {
            database,
            now_ms,
            expired: match self.alarm.rests_at(now_ms) {
                true => Expired::Hide,
                false => Expired::Remove,
            },
            touches: true,
        }
    }

    /// Whether the keyspace is large enough that it pays to [fetch](Self::fetch) them: whether the shard of this place
    /// holds many, and is not locked.
    pub fn is_large(&self, place: &Place) -> bool {
        const MANY: usize = 1024;
        let guard = self.cell(place.shard).shard.try_lock(LockMode::Shared);
        guard.is_some_and(|guard| guard.shard().len() >= MANY)
    }

    /// Fetches from memory what is at these places, for commands to come; passes over shards that are locked. The
    /// thread may hold a lock: nothing is waited for here.
    pub fn fetch(&self, places: &[Place]) {
        let places = self.fetch_slots(places);
        let wanted = || {
            places
                .iter()
                .map(|(place, guard)| (guard.shard().table(), place.hash))
        };
        let found: SmallVec<[_; FETCHED_TOGETHER]> = wanted()
            .filter_map(|(table, hash)| Some((table, table.likely_position(hash)?)))
            .collect();
        let fetched = found
            .iter()
            .map(|(table, position)| table.fetch_entry(*position));
        black_box(fetched.fold(0, usize::wrapping_add));
    }

    /// The first steps of [`fetch`](Self::fetch): locks those shards that are free, and fetches the pages of these
    /// hashes with their slots.
    pub(super) fn fetch_slots(&self, places: &[Place]) -> Fetched<'_> {
        let lock = |place: &Place| {
            let guard = self.cell(place.shard).shard.try_lock(LockMode::Shared)?;
            Some((*place, guard))
        };
        let guards: Fetched<'_> = places.iter().filter_map(lock).collect();
        for step in [Table::fetch_page, Table::fetch_slots] {
            let fetched = guards
                .iter()
                .map(|(place, guard)| step(guard.shard().table(), place.hash));
            black_box(fetched.fold(0, usize::wrapping_add));
        }
        guards
    }

    /// Shared locks on the shards of these keys, unless a busy script has one of them.
    #[inline]
    pub fn read(&self, view: View, keys: &[Key<'_>]) -> Result<ReadDb<'_>, Busy> {
        match self.try_one(LockMode::Shared, keys) {
            Some(guards) => Ok(ReadDb::new(Db::new(self, view, guards))),
            None => self.read_shards(view, shards_of(keys).into_iter()),
        }
    }

    /// The lock of a command on one key, if it is free.
    #[inline]
    fn try_one(&self, mode: LockMode, keys: &[Key<'_>]) -> Option<Guards<'_>> {
        let [key] = keys else { return None };
        let guard = self.cell(key.shard).shard.try_lock(mode)?;
        Some(Guards::from_buf([(key.shard, guard)]))
    }

    /// Exclusive locks on the shards of these keys, and on the shards that are needed to serve clients who wait for
    /// these keys. Keys among them that have expired are removed first.
    #[inline]
    pub fn write(&self, view: View, keys: &[Key<'_>]) -> WriteDb<'_> {
        at_last(self.write_with(view, keys, Patience::Endless))
    }

    /// What [`write`](Self::write) gives, unless a busy script has one of the locks.
    #[inline]
    pub fn write_unless_busy(&self, view: View, keys: &[Key<'_>]) -> Result<WriteDb<'_>, Busy> {
        self.write_with(view, keys, Patience::UntilBusy)
    }

    /// What [`write_unless_busy`](Self::write_unless_busy) gives for one key; `None` if another thread has the lock,
    /// and does not let it go soon.
    #[inline]
    pub fn write_soon(&self, view: View, key: Key<'_>) -> Result<Option<WriteDb<'_>>, Busy> {
        let keys = [key];
        let shard = key.shard..key.shard + 1;
        let (mode, patience) = (LockMode::Exclusive, Patience::UntilBusy);
        let guards = match self.try_one(mode, &keys) {
            Some(guards) => guards,
            None => match lock_set::lock_soon(self.cells(), mode, shard, patience)? {
                Some(guards) => guards,
                None => return Ok(None),
            },
        };
        match self.write_one(view, &keys, guards) {
            Some(db) => Ok(Some(db)),
            None => self.write_several(view, &keys, patience).map(Some),
        }
    }

    /// Waits for the exclusive lock of this place, or for a holder that takes the errand. Gives up if a busy script has
    /// the lock, or the gate is closed.
    pub fn write_or_hand_over(&self, place: Place, errand: AnyErrand) -> Waited<WriteDb<'_>> {
        match self.cell(place.shard).shard.lock_with_errand(errand) {
            Waited::Locked(guard, errand) if !self.gate.is_closed() => {
                let guards = Guards::from_buf([(place.shard, guard)]);
                let view = View::from(0).of_database(place.shard / SHARDS);
                Waited::Locked(WriteDb::new(Db::new(self, view, guards)), errand)
            }
            Waited::Locked(_, errand) | Waited::GaveUp(errand) => Waited::GaveUp(errand),
            Waited::Taken => Waited::Taken,
        }
    }

    #[inline]
    fn write_with(
        &self,
        view: View,
        keys: &[Key<'_>],
        patience: Patience,
    ) -> Result<WriteDb<'_>, Busy> {
        let guards = self.try_one(LockMode::Exclusive, keys);
        if let Some(db) = guards.and_then(|guards| self.write_one(view, keys, guards)) {
            return Ok(db);
        }
        self.write_several(view, keys, patience)
    }

    /// The command on one key whose lock has been taken; `None` if changes are held back, or it needs other locks too.
    #[inline]
    fn write_one<'a>(
        &'a self,
        view: View,
        keys: &[Key<'_>],
        guards: Guards<'a>,
    ) -> Option<WriteDb<'a>> {
        if self.gate.is_closed() {
            return None;
        }
        let mut db = WriteDb::new(Db::new(self, view, guards));
        if !db.missing_shards(keys).is_empty() {
            return None;
        }
        db.remove_expired(keys);
        Some(db)
    }

    fn write_several(
        &self,
        view: View,
        keys: &[Key<'_>],
        patience: Patience,
    ) -> Result<WriteDb<'_>, Busy> {
        let mut shards = shards_of(keys);
        loop {
            let mut db = self.write_shards(view, shards.iter().copied(), patience)?;
            let missing = db.missing_shards(keys);
            if missing.is_empty() {
                db.remove_expired(keys);
                return Ok(db);
            }
            shards.extend(missing);
            shards.sort_unstable();
            shards.dedup();
        }
    }

    /// Removes those of these keys that have expired. Called, with no lock in hand, before they are locked in a way
    /// that does not do it: so that the event `expired` comes before a reader's `keymiss`. Redis does it for each key
    /// when it comes to it; here all keys of a command that are due go before it runs.
    pub fn remove_expired(&self, view: View, keys: &[Key<'_>]) -> Result<(), Busy> {
        for key in keys {
            let is_due = self.cell(key.shard).earliest_deadline_ms.load(Relaxed) <= view.now_ms;
            if is_due && view.expired == Expired::Remove {
                self.write_unless_busy(view, &[*key])?.settle();
            }
        }
        Ok(())
    }

    /// Shared locks on all shards of one database.
    pub fn read_all(&self, view: View) -> Result<ReadDb<'_>, Busy> {
        self.read_shards(view, shards_of_database(view.database))
    }

    /// Shared locks on all shards of all databases.
    pub fn read_everything(&self, view: View) -> Result<ReadDb<'_>, Busy> {
        self.read_shards(view, 0..self.cells().len())
    }

    /// Exclusive locks on all shards of all databases. Expired keys are not removed.
    pub fn write_all(&self, view: View) -> WriteDb<'_> {
        at_last(self.write_shards(view, 0..self.cells().len(), Patience::Endless))
    }

    /// What [`write_all`](Self::write_all) gives, unless a busy script has one of the locks.
    pub fn write_all_unless_busy(&self, view: View) -> Result<WriteDb<'_>, Busy> {
        self.write_shards(view, 0..self.cells().len(), Patience::UntilBusy)
    }

    /// An exclusive lock on one shard, counted over all databases; for the expirer.
    pub(super) fn write_shard(&self, view: View, shard: usize) -> WriteDb<'_> {
        let view = view.of_database(shard / SHARDS);
        at_last(self.write_shards(view, shard..shard + 1, Patience::Endless))
    }

    fn read_shards(
        &self,
        view: View,
        shards: impl Iterator<Item = usize> + Clone,
    ) -> Result<ReadDb<'_>, Busy> {
        let guards = lock_set::lock(self.cells(), LockMode::Shared, shards, Patience::UntilBusy)?;
        Ok(ReadDb::new(Db::new(self, view, guards)))
    }

    /// Exclusive locks on these shards, counted over all databases, which ascend. Expired keys are not removed.
    pub(super) fn write_shards(
        &self,
        view: View,
        shards: impl Iterator<Item = usize> + Clone,
        patience: Patience,
    ) -> Result<WriteDb<'_>, Busy> {
        loop {
            let guards =
                lock_set::lock(self.cells(), LockMode::Exclusive, shards.clone(), patience)?;
            // The saver holds all locks when it closes the gate, so with a lock in hand the answer is final.
            if !self.gate.is_closed() {
                return Ok(WriteDb::new(Db::new(self, view, guards)));
            }
            drop(guards);
            self.gate.wait();
        }
    }

    /// How many threads wait for the lock of this place.
    #[cfg(test)]
    pub(crate) fn waiting_threads(&self, place: Place) -> usize {
        self.cell(place.shard).shard.waiting_threads()
    }

    /// What a shard held when a snapshot began; `None` if it has been taken already.
    pub(super) fn take_snapshot(&self, shard: usize, id: SnapshotId) -> Option<ShardImage> {
        let mut guard = self.cell(shard).shard.lock(LockMode::Exclusive);
        guard.exclusive().take_snapshot(id)
    }
}

/// The shards of some keys, ascending, each once.
fn shards_of(keys: &[Key<'_>]) -> SmallVec<[usize; 4]> {
    let mut shards: SmallVec<[usize; 4]> = keys.iter().map(|key| key.shard).collect();
    if shards.len() > 1 {
        shards.sort_unstable();
        shards.dedup();
    }
    shards
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::string_form::StringForm;

    #[test]
    fn looking_ahead_waits_for_nobody_and_is_for_large_tables() {
        let keyspace = Locks::new(1);
        let names: Vec<String> = (0..300_000).map(|number| number.to_string()).collect();
        let keys: Vec<Key> = names
            .iter()
            .map(|name| Key::new(0, name.as_bytes()))
            .collect();
        let mut places: Vec<Place> = keys[..50].iter().map(Key::place).collect();
        assert!(!keyspace.is_large(&places[0]));
        for key in &keys {
            let mut db = keyspace.write(0.into(), &[*key]);
            db.put_string(key, b"value", StringForm::Natural, None);
        }
        places.push(Key::new(0, b"nobody").place());
        assert!(keyspace.is_large(&places[0]));
        keyspace.fetch(&places);
        keyspace.fetch(&[]);
        let all = keyspace.write_all(0.into());
        assert!(!keyspace.is_large(&places[0]));
        keyspace.fetch(&places);
        drop(all);
    }
}
