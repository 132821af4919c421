//! All shards of all databases, each behind its own lock, and the ways to lock them.
//!
//! The key's hash, computed once, picks the shard and finds the entry in it. Locks are always taken in ascending order
//! of shards, so two commands on several keys never wait for each other in a circle. Readers never wait for readers, and
//! writers meet only on the same shard.
//!
//! Who may call the locking functions: `command::dispatch` and the background threads of `server`, nobody else
//! (`tests/tidy.rs` looks).

use super::access::AccessRules;
use super::db::{Db, ReadDb, WriteDb};
use super::entry::Table;
use super::events::Events;
use super::expiry::Alarm;
use super::gate::Gate;
use super::kept::ShardImage;
use super::shard_lock::{Access, Guards, ShardLock};
use super::snapshot::SnapshotId;
use super::waiters::Ticket;
use crate::types::dict;
use smallvec::SmallVec;
use std::hint::black_box;
use std::ops::Range;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::thread;

/// Shards of one database; the eight high bits of the hash choose one.
/// Two threads that do nothing but change keys wait for each other's locks 3 % of their time, with 64 shards 4 %, with one
/// 48 %; more cores need more. To lock all takes 3 µs (2 cores, `cargo run --release --example locks`).
pub const SHARDS: usize = 256;

/// How often a thread that wants locks lets others run before it sleeps. Whoever has them needs them for microseconds:
/// less than to sleep and to be woken takes. 50 clients that push to one list served themselves 1.5 times as fast with it
/// (`tools/bench.sh throughput --tests lpush --loads 50x16`).
const YIELDS: usize = 16;

/// A shard's earliest deadline when it has none.
pub(super) const NO_DEADLINE: i64 = i64::MAX;

/// Places that it is worth while to fetch at once, see [`Keyspace::fetch`]; more wait for each other.
pub const FETCHED_TOGETHER: usize = 16;

/// A key of a command, with where it belongs.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// The key itself.
    pub bytes: &'a [u8],
    pub(super) hash: u64,
    /// Counted over all databases.
    pub(super) shard: usize,
}

/// Where a key belongs.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    hash: u64,
    shard: usize,
}

/// The keys and values of all databases.
#[derive(Debug)]
pub struct Keyspace {
    cells: Box<[Cell]>,
    databases: usize,
    /// Wakes the expirer.
    pub alarm: Alarm,
    /// Tells what happens to keys.
    pub events: Events,
    /// Holds back every change while it is closed.
    pub gate: Gate,
    /// How accesses to keys are noted.
    pub access_rules: AccessRules,
    expired: AtomicU64,
    snapshots: AtomicU64,
    tickets: AtomicU64,
}

/// A shard with what others want to know of it without its lock. Two cache lines of its own, because the prefetcher fetches
/// pairs: neighbours do not slow each other down.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Cell {
    pub(super) shard: ShardLock,
    /// Set by whoever holds the exclusive lock, before letting it go.
    pub(super) earliest_deadline_ms: AtomicI64,
    pub(super) changes: AtomicU64,
}

impl<'a> Key<'a> {
    /// A key of this database.
    pub fn new(database: usize, bytes: &'a [u8]) -> Key<'a> {
        let hash = dict::hash(bytes);
        Key {
            bytes,
            hash,
            shard: database * SHARDS + (hash >> 56) as usize,
        }
    }

    /// A key that belongs to a place which is known.
    pub fn at(place: Place, bytes: &'a [u8]) -> Key<'a> {
        let Place { hash, shard } = place;
        debug_assert_eq!(hash, dict::hash(bytes));
        Key { bytes, hash, shard }
    }

    /// Its database.
    pub fn database(&self) -> usize {
        self.shard / SHARDS
    }

    /// Where it belongs.
    pub fn place(&self) -> Place {
        Place {
            hash: self.hash,
            shard: self.shard,
        }
    }

    /// The number of its shard, counted over all databases.
    pub fn shard(&self) -> usize {
        self.shard
    }
}

impl Keyspace {
    /// An empty keyspace of this many databases.
    pub fn new(databases: usize) -> Keyspace {
        let cell = || Cell {
            shard: ShardLock::default(),
            earliest_deadline_ms: AtomicI64::new(NO_DEADLINE),
            changes: AtomicU64::new(0),
        };
        Keyspace {
            cells: (0..databases * SHARDS).map(|_| cell()).collect(),
            databases,
            alarm: Alarm::default(),
            events: Events::default(),
            gate: Gate::default(),
            access_rules: AccessRules::default(),
            expired: AtomicU64::new(0),
            snapshots: AtomicU64::new(0),
            tickets: AtomicU64::new(0),
        }
    }

    /// How many databases there are.
    pub fn databases(&self) -> usize {
        self.databases
    }

    /// Whether there are so many keys that it is worth while to [fetch](Self::fetch) them: whether there are many in the shard of
    /// this place, and nobody has it locked.
    pub fn is_large(&self, place: &Place) -> bool {
        const MANY: usize = 1024;
        let guard = self.cells[place.shard].shard.try_lock(Access::Shared);
        guard.is_some_and(|guard| guard.shard().len() >= MANY)
    }

    /// Fetches from memory what is at these places, for commands to come; passes over shards that are locked.
    pub fn fetch(&self, places: &[Place]) {
        let lock = |place: &Place| {
            let guard = self.cells[place.shard].shard.try_lock(Access::Shared)?;
            Some((place.hash, guard))
        };
        let guards: SmallVec<[_; FETCHED_TOGETHER]> = places.iter().filter_map(lock).collect();
        let wanted = || {
            guards
                .iter()
                .map(|(hash, guard)| (guard.shard().table(), *hash))
        };
        for step in [Table::fetch_page, Table::fetch_slots] {
            let fetched = wanted().map(|(table, hash)| step(table, hash));
            black_box(fetched.fold(0, usize::wrapping_add));
        }
        let found: SmallVec<[_; FETCHED_TOGETHER]> = wanted()
            .filter_map(|(table, hash)| Some((table, table.likely_position(hash)?)))
            .collect();
        let fetched = found
            .iter()
            .map(|(table, position)| table.fetch_entry(*position));
        black_box(fetched.fold(0, usize::wrapping_add));
    }

    /// Shared locks on the shards of these keys.
    pub fn read(&self, database: usize, keys: &[Key<'_>], now_ms: i64) -> ReadDb<'_> {
        self.read_shards(database, shards_of(keys).into_iter(), now_ms)
    }

    /// Exclusive locks on the shards of these keys, and on those that serving who waits for them needs. Keys among them that
    /// have expired are removed first.
    pub fn write(&self, database: usize, keys: &[Key<'_>], now_ms: i64) -> WriteDb<'_> {
        let mut shards = shards_of(keys);
        loop {
            let mut db = self.write_shards(database, shards.iter().copied(), now_ms);
            let missing = db.missing_shards(keys);
            if missing.is_empty() {
                keys.iter().for_each(|key| db.remove_if_expired(key));
                return db;
            }
            shards.extend(missing);
            shards.sort_unstable();
            shards.dedup();
        }
    }

    /// Removes those of these keys that have expired. Called, with no lock in hand, before they are locked in a way that
    /// does not do it: so that `expired` is told before a reader's `keymiss`. Redis does it for each key when it comes to it;
    /// here all keys of a command that are due go before it runs.
    pub fn remove_expired(&self, keys: &[Key<'_>], now_ms: i64) {
        for key in keys {
            let is_due = self.cells[key.shard].earliest_deadline_ms.load(Relaxed) <= now_ms;
            if is_due && !self.alarm.rests_at(now_ms) {
                drop(self.write(key.shard / SHARDS, &[*key], now_ms));
            }
        }
    }

    /// Shared locks on all shards of one database.
    pub fn read_all(&self, database: usize, now_ms: i64) -> ReadDb<'_> {
        self.read_shards(database, shards_of_database(database), now_ms)
    }

    /// Exclusive locks on all shards of all databases. Expired keys are not removed.
    pub fn write_all(&self, database: usize, now_ms: i64) -> WriteDb<'_> {
        self.write_shards(database, 0..self.cells.len(), now_ms)
    }

    /// An exclusive lock on one shard, counted over all databases; for the expirer.
    pub(super) fn write_shard(&self, shard: usize, now_ms: i64) -> WriteDb<'_> {
        self.write_shards(shard / SHARDS, shard..shard + 1, now_ms)
    }

    fn read_shards(
        &self,
        database: usize,
        shards: impl Iterator<Item = usize> + Clone,
        now_ms: i64,
    ) -> ReadDb<'_> {
        let guards = self.lock(Access::Shared, shards);
        ReadDb::new(Db::new(self, database, guards, now_ms))
    }

    /// Exclusive locks on these shards, counted over all databases, which ascend. Expired keys are not removed.
    pub(super) fn write_shards(
        &self,
        database: usize,
        shards: impl Iterator<Item = usize> + Clone,
        now_ms: i64,
    ) -> WriteDb<'_> {
        loop {
            let guards = self.lock(Access::Exclusive, shards.clone());
            // Whoever closes the gate holds all locks at that moment, so with a lock in hand the answer is final.
            if !self.gate.is_closed() {
                return WriteDb::new(Db::new(self, database, guards, now_ms));
            }
            drop(guards);
            self.gate.wait();
        }
    }

    /// Locks on these shards, which ascend.
    ///
    /// As long as one of them is taken, this holds none: if it let others run, or slept, with some in hand, they would wait
    /// for it to come back, with locks in hand themselves. 500 clients that set ten keys at a time waited up to a second so,
    /// and wait 45 ms at most (`redis-benchmark -c 500 -t mset`). Only after that it waits for one after the other, so that
    /// it comes to an end.
    fn lock(&self, access: Access, shards: impl Iterator<Item = usize> + Clone) -> Guards<'_> {
        for _ in 0..YIELDS {
            let attempt = |shard: usize| Some((shard, self.cells[shard].shard.try_lock(access)?));
            match shards.clone().map(attempt).collect() {
                Some(guards) => return guards,
                None => thread::yield_now(),
            }
        }
        shards
            .map(|shard| (shard, self.cells[shard].shard.lock(access)))
            .collect()
    }

    pub(super) fn next_snapshot_id(&self) -> SnapshotId {
        self.snapshots.fetch_add(1, Relaxed)
    }

    pub(super) fn next_ticket(&self) -> Ticket {
        self.tickets.fetch_add(1, Relaxed)
    }

    /// What a shard held when a snapshot began; `None` if it has been taken already.
    pub(super) fn take_snapshot(&self, shard: usize, id: SnapshotId) -> Option<ShardImage> {
        let mut guard = self.cells[shard].shard.lock(Access::Exclusive);
        guard.exclusive().take_snapshot(id)
    }

    /// How many changes there have been since the server started.
    pub fn changes(&self) -> u64 {
        self.changes_in(0..self.cells.len())
    }

    /// How many changes of these shards there have been since the server started.
    pub(super) fn changes_in(&self, shards: Range<usize>) -> u64 {
        let cells = self.cells[shards].iter();
        cells.map(|cell| cell.changes.load(Relaxed)).sum()
    }

    /// How many keys were removed because they had expired.
    pub fn expired(&self) -> u64 {
        self.expired.load(Relaxed)
    }

    pub(super) fn note_expired(&self) {
        self.expired.fetch_add(1, Relaxed);
    }

    /// Forgets how many keys have expired: CONFIG RESETSTAT.
    pub fn reset_expired(&self) {
        self.expired.store(0, Relaxed);
    }

    pub(super) fn cell(&self, shard: usize) -> &Cell {
        &self.cells[shard]
    }

    pub(super) fn cells(&self) -> &[Cell] {
        &self.cells
    }
}

/// The shards of a database, counted over all databases.
pub(super) fn shards_of_database(database: usize) -> Range<usize> {
    database * SHARDS..(database + 1) * SHARDS
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
    use crate::keyspace::string_entry::StringForm;

    #[test]
    fn looking_ahead_waits_for_nobody_and_is_for_large_tables() {
        let keyspace = Keyspace::new(1);
        let names: Vec<String> = (0..300_000).map(|number| number.to_string()).collect();
        let keys: Vec<Key> = names
            .iter()
            .map(|name| Key::new(0, name.as_bytes()))
            .collect();
        let mut places: Vec<Place> = keys[..50].iter().map(Key::place).collect();
        assert!(!keyspace.is_large(&places[0]));
        for key in &keys {
            let mut db = keyspace.write(0, &[*key], 0);
            db.put_string(key, b"value", StringForm::Natural, None);
        }
        places.push(Key::new(0, b"nobody").place());
        assert!(keyspace.is_large(&places[0]));
        keyspace.fetch(&places);
        keyspace.fetch(&[]);
        let all = keyspace.write_all(0, 0);
        assert!(!keyspace.is_large(&places[0]));
        keyspace.fetch(&places);
        drop(all);
    }
}
