//! The part of a [`Db`] that has to do with whole databases.

use super::{Db, Garbage};
use crate::keyspace::space::{Key, SHARDS, shards_of_database};
use crate::types::dict;
use std::sync::atomic::Ordering::Relaxed;

impl Db<'_> {
    /// Removes all keys of a database; returns how many there were. They are freed when the locks are gone.
    pub fn clear(&mut self, database: usize) -> usize {
        let mut removed = 0;
        for (number, guard) in &mut self.guards {
            if *number / SHARDS == database && !guard.shard().is_empty() {
                let shard = guard.exclusive();
                let table = shard.take_all();
                let was_there = |key: &[u8]| table.get(dict::hash(key), key).is_some();
                shard.watchers.spoil_where(was_there);
                removed += table.len();
                self.keyspace
                    .cell(*number)
                    .changes
                    .fetch_add(table.len() as u64, Relaxed);
                self.garbage.push(Garbage::Table(table));
            }
        }
        removed
    }

    /// Exchanges the keys of two databases, all of whose shards are locked.
    pub fn swap_databases(&mut self, first: usize, second: usize) {
        if first == second {
            return;
        }
        self.spoil_watches_of_exchanged(first, second);
        let (first, second) = (first.min(second) * SHARDS, first.max(second) * SHARDS);
        let (low, high) = self.guards.split_at_mut(second);
        let pairs = low[first..first + SHARDS]
            .iter_mut()
            .zip(&mut high[..SHARDS]);
        pairs.for_each(|((_, low), (_, high))| low.exclusive().swap_keys(high.exclusive()));
        self.note_keys_waited_for();
    }

    /// A watched key changes if it is there before or after the exchange, be it with the same value.
    fn spoil_watches_of_exchanged(&mut self, first: usize, second: usize) {
        for database in [first, second] {
            let shards = shards_of_database(database);
            let watched = shards.flat_map(|shard| self.guards[shard].1.shard().watchers.keys());
            for bytes in watched.collect::<Vec<_>>() {
                let keys = [first, second].map(|database| Key::new(database, &bytes));
                // What has expired is not there, and is not to be seen to expire after the exchange.
                keys.iter().for_each(|key| self.remove_if_expired(key));
                if keys.iter().any(|key| self.look(key).is_some()) {
                    let watched = Key::new(database, &bytes);
                    self.guard_mut(&watched).watchers.spoil(&bytes);
                }
            }
        }
    }
}
