//! All shards of all databases, each behind its own lock. The key's hash, computed once, picks the shard and finds the
//! entry in it. How shards are locked is in [`locks`](super::locks).

use super::access::AccessRules;
use super::expiry::Alarm;
use super::gate::Gate;
use super::listeners::Listeners;
use super::shard::Shard;
use super::shard_lock::ShardLock;
use super::snapshot::SnapshotId;
use super::waiters::Ticket;
use crate::types::dict;
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst,
};

/// Shards of one database; the eight high bits of the hash choose one.
/// Two threads that do nothing but change keys wait for each other's locks 3 % of their time, with 64 shards 4 %, with
/// one 48 %; more cores need more. To lock all takes 3 µs (2 cores, `cargo run --release --example locks`).
pub const SHARDS: usize = 256;

/// A shard's earliest deadline when it has none.
pub(super) const NO_DEADLINE: i64 = i64::MAX;

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
    pub(super) hash: u64,
    pub(super) shard: usize,
}

/// The keys and values of all databases.
#[derive(Debug)]
pub struct Keyspace {
    cells: Box<[Cell]>,
    databases: Box<[Occupied]>,
    /// Wakes the expirer.
    pub alarm: Alarm,
    /// The receivers of events and effects.
    pub listeners: Listeners,
    /// Holds back every change while it is closed.
    pub gate: Gate,
    /// How accesses to keys are noted.
    pub access_rules: AccessRules,
    expired: AtomicU64,
    evicted: AtomicU64,
    /// Changes of what is saved beside keys.
    other_changes: AtomicU64,
    snapshots: AtomicU64,
    tickets: AtomicU64,
}

/// A shard with what others want to know of it without its lock. It has pairs of cache lines of its own, because the
/// prefetcher fetches pairs: neighbours do not slow each other down.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Cell {
    pub(super) shard: ShardLock,
    /// Written by the thread that holds the exclusive lock, before it lets go.
    pub(super) earliest_deadline_ms: AtomicI64,
    /// Written as that.
    has_keys: AtomicBool,
    /// How many changes there have been. Written by the thread that holds the exclusive lock.
    pub(super) changes: AtomicU64,
}

impl Cell {
    /// Adds to the changes. Only the thread that holds the exclusive lock may: so no atomic addition is needed.
    pub(super) fn count_changes(&self, count: usize) {
        let before = self.changes.load(Relaxed);
        self.changes.store(before + count as u64, Relaxed);
    }
}

/// How many shards of a database are not empty: so eviction need not look into all of them.
#[derive(Debug, Default)]
struct Occupied {
    with_keys: AtomicUsize,
    with_deadlines: AtomicUsize,
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
    /// An empty keyspace of this many databases: 64 KiB each.
    pub(super) fn new(databases: usize) -> Keyspace {
        let cell = || Cell {
            shard: ShardLock::default(),
            earliest_deadline_ms: AtomicI64::new(NO_DEADLINE),
            has_keys: AtomicBool::new(false),
            changes: AtomicU64::new(0),
        };
        Keyspace {
            cells: (0..databases * SHARDS).map(|_| cell()).collect(),
            databases: (0..databases).map(|_| Occupied::default()).collect(),
            alarm: Alarm::default(),
            listeners: Listeners::default(),
            gate: Gate::default(),
            access_rules: AccessRules::default(),
            expired: AtomicU64::new(0),
            evicted: AtomicU64::new(0),
            other_changes: AtomicU64::new(0),
            snapshots: AtomicU64::new(0),
            tickets: AtomicU64::new(0),
        }
    }

    /// How many databases there are.
    pub fn databases(&self) -> usize {
        self.databases.len()
    }

    /// Whether there are no keys. Threads may be about to add some.
    pub fn is_empty(&self) -> bool {
        let mut databases = self.databases.iter();
        databases.all(|database| database.with_keys.load(Relaxed) == 0)
    }

    pub(super) fn next_snapshot_id(&self) -> SnapshotId {
        self.snapshots.fetch_add(1, Relaxed)
    }

    pub(super) fn next_ticket(&self) -> Ticket {
        self.tickets.fetch_add(1, Relaxed)
    }

    /// How many changes there have been since the server started.
    pub fn changes(&self) -> u64 {
        self.changes_in(0..self.cells.len())
    }

    /// How many changes of these shards, and of what is saved beside keys, there have been since the server started.
    pub(super) fn changes_in(&self, shards: Range<usize>) -> u64 {
        let cells = self.cells[shards].iter();
        let of_keys: u64 = cells.map(|cell| cell.changes.load(Relaxed)).sum();
        of_keys + self.other_changes.load(Relaxed)
    }

    /// Counts a change of functions, which are saved with the keys and have no shard. The caller has made the change,
    /// and calls this before it acknowledges it: at the end of the server this waits, if the final snapshot may have
    /// been taken without the change.
    pub fn count_change(&self) {
        self.other_changes.fetch_add(1, Relaxed);
        // A thread that has a shard locked finds the gate open, since the saver closes it with all shards locked.
        if self.gate.is_closed() {
            self.gate.wait();
        }
    }

    /// How many keys were removed because they had expired.
    pub fn expired(&self) -> u64 {
        self.expired.load(Relaxed)
    }

    pub(super) fn count_expired(&self) {
        self.expired.fetch_add(1, Relaxed);
    }

    /// How many keys were removed because memory was short.
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Relaxed)
    }

    pub(super) fn count_evicted(&self) {
        self.evicted.fetch_add(1, Relaxed);
    }

    /// Forgets how many keys have expired or were evicted: CONFIG RESETSTAT.
    pub fn reset_counts(&self) {
        self.expired.store(0, Relaxed);
        self.evicted.store(0, Relaxed);
    }

    /// Tells others what they want to know of a shard without its lock. The caller holds it, and is about to let it go.
    pub(super) fn publish(&self, number: usize, shard: &Shard) {
        let (cell, database) = (self.cell(number), &self.databases[number / SHARDS]);
        let has_keys = !shard.is_empty();
        if has_keys != cell.has_keys.load(Relaxed) {
            cell.has_keys.store(has_keys, Relaxed);
            count(&database.with_keys, has_keys);
        }
        let earliest = shard.earliest_deadline_ms().unwrap_or(NO_DEADLINE);
        let before = cell.earliest_deadline_ms.load(Relaxed);
        if earliest != before {
            cell.earliest_deadline_ms.store(earliest, SeqCst);
            self.alarm.note_deadline(earliest);
            let has_deadline = earliest != NO_DEADLINE;
            if has_deadline != (before != NO_DEADLINE) {
                count(&database.with_deadlines, has_deadline);
            }
        }
    }

    /// Whether a shard had keys, or keys with a deadline, when its lock was last let go.
    pub(super) fn shard_has_keys(&self, shard: usize, with_deadline: bool) -> bool {
        let cell = self.cell(shard);
        match with_deadline {
            true => cell.earliest_deadline_ms.load(Relaxed) != NO_DEADLINE,
            false => cell.has_keys.load(Relaxed),
        }
    }

    /// Draws one of the databases that have keys, or keys with a deadline.
    pub(super) fn draw_database(&self, with_deadline: bool) -> Option<usize> {
        let shards = |database: &Occupied| match with_deadline {
            true => database.with_deadlines.load(Relaxed),
            false => database.with_keys.load(Relaxed),
        };
        let databases = self.databases.iter().enumerate();
        let found = databases.filter(|(_, database)| shards(database) > 0);
        let found: SmallVec<[usize; 16]> = found.map(|(number, _)| number).collect();
        (!found.is_empty()).then(|| found[fastrand::usize(..found.len())])
    }

    pub(super) fn cell(&self, shard: usize) -> &Cell {
        &self.cells[shard]
    }

    pub(super) fn cells(&self) -> &[Cell] {
        &self.cells
    }
}

/// A shard has begun to count, or counts no more.
fn count(shards: &AtomicUsize, counts: bool) {
    match counts {
        true => shards.fetch_add(1, Relaxed),
        false => shards.fetch_sub(1, Relaxed),
    };
}

/// The shards of a database, counted over all databases.
pub(super) fn shards_of_database(database: usize) -> Range<usize> {
    database * SHARDS..(database + 1) * SHARDS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Most servers have keys in one database, and memory for all.
    #[test]
    fn an_empty_shard_is_small() {
        assert_eq!(size_of::<Cell>(), 256);
    }
}
