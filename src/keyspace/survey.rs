//! The keyspace as those see it who count what is in it, for INFO: shard by shard, each locked for an instant, so that
//! nobody waits for it. In a transaction all shards are locked already; then it looks at what is locked.

use super::db::Db;
use super::shard::Shard;
use super::shard_lock::Access;
use super::space::{Keyspace, SHARDS};
use std::ops::Range;

/// Looks at the shards of all databases, and takes the locks that are not held.
#[derive(Debug)]
pub enum Survey<'a, 'k> {
    /// No lock is held by this thread.
    Unlocked(&'a Keyspace),
    /// All shards are locked.
    Locked(&'a Db<'k>),
}

impl Survey<'_, '_> {
    /// How many keys a database has, how many of them have a deadline, and how long these have to live on average, in
    /// milliseconds.
    pub fn count(&self, database: usize, now_ms: i64) -> (usize, usize, u64) {
        let (mut keys, mut deadlines, mut ttl_ms) = (0, 0, 0);
        self.visit(database * SHARDS..(database + 1) * SHARDS, |shard| {
            keys += shard.len();
            deadlines += shard.deadline_count();
            ttl_ms += shard.total_ttl_ms(now_ms);
        });
        (keys, deadlines, (ttl_ms / deadlines.max(1) as i128) as u64)
    }

    /// How many keys somebody waits for.
    pub fn keys_waited_for(&self) -> usize {
        self.sum(|shard| shard.waiters.keys().count())
    }

    /// How many keys somebody watches whose watch they have not spoilt.
    pub fn watched_keys(&self) -> usize {
        self.sum(|shard| shard.watchers.len())
    }

    fn sum(&self, figure: impl Fn(&Shard) -> usize) -> usize {
        let shards = match self {
            Survey::Unlocked(keyspace) => keyspace.cells().len(),
            Survey::Locked(db) => db.locked_shards(),
        };
        let mut sum = 0;
        self.visit(0..shards, |shard| sum += figure(shard));
        sum
    }

    fn visit(&self, shards: Range<usize>, mut look: impl FnMut(&Shard)) {
        match self {
            Survey::Unlocked(keyspace) => {
                let cells = &keyspace.cells()[shards];
                let guards = cells.iter().map(|cell| cell.lock.lock(Access::Shared));
                guards.for_each(|guard| look(guard.shard()));
            }
            Survey::Locked(db) => shards.for_each(|number| look(db.shard_at(number))),
        }
    }
}
