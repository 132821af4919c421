//! The part of a [`Db`] that has to do with whole databases.

use super::{Db, Garbage};
use crate::keyspace::space::{Key, SHARDS, shards_of_database};

impl Db<'_> {
    /// Removes all keys of all databases.
    pub fn clear_all(&mut self) {
        (0..self.keyspace.databases()).for_each(|database| {
            self.clear(database);
        });
    }

    /// Removes all keys of a database; returns how many there were. They are freed when the locks are gone.
    pub fn clear(&mut self, database: usize) -> usize {
        self.changed_silently();
        for name in self.listened_keys(database) {
            let key = Key::new(database, &name);
            if self.shard(&key).get(key.hash, key.bytes).is_some() {
                self.changed_with_database(&key);
            }
        }
        let mut removed = 0;
        let mut garbage = Vec::new();
        for (number, guard) in &mut self.guards {
            if *number / SHARDS == database && !guard.shard().is_empty() {
                let table = guard.exclusive().take_all();
                removed += table.len();
                self.keyspace.cell(*number).count_changes(table.len());
                garbage.push(Garbage::Table(table));
            }
        }
        self.aftermath().garbage.append(&mut garbage);
        removed
    }

    /// Exchanges the keys of two databases, all of whose shards are locked.
    pub fn swap_databases(&mut self, first: usize, second: usize) {
        self.changed_silently();
        if first == second {
            return;
        }
        self.note_exchanged_keys(first, second);
        let (first, second) = (first.min(second) * SHARDS, first.max(second) * SHARDS);
        let (low, high) = self.guards.split_at_mut(second);
        let pairs = low[first..first + SHARDS]
            .iter_mut()
            .zip(&mut high[..SHARDS]);
        pairs.for_each(|((_, low), (_, high))| low.exclusive().swap_keys(high.exclusive()));
    }

    /// Takes all keys of another keyspace, of as many databases, and gives it its own. Those in place of a key that a
    /// client watches or waits for have changed. All shards of both are locked.
    pub fn swap_all(&mut self, other: &mut Db<'_>) {
        for database in 0..self.keyspace.databases() {
            for name in self.listened_keys(database) {
                let key = Key::new(database, &name);
                if self.look_silently(&key).is_some() || other.look_silently(&key).is_some() {
                    self.changed_with_database(&key);
                }
            }
        }
        let pairs = self.guards.iter_mut().zip(&mut other.guards);
        pairs.for_each(|((_, own), (_, other))| own.exclusive().swap_keys(other.exclusive()));
    }

    /// A key that a client watches or waits for changes if it is there before or after the exchange, be it with an
    /// equal value.
    fn note_exchanged_keys(&mut self, first: usize, second: usize) {
        for database in [first, second] {
            for name in self.listened_keys(database) {
                let keys = [first, second].map(|database| Key::new(database, &name));
                // What has expired is not there, and is not to be seen to expire after the exchange.
                keys.iter().for_each(|key| self.remove_if_expired(key));
                if keys.iter().any(|key| self.look_silently(key).is_some()) {
                    self.changed_with_database(&Key::new(database, &name));
                }
            }
        }
    }

    /// The keys of a database that clients watch or wait for, whether they are there or not.
    fn listened_keys(&self, database: usize) -> Vec<Box<[u8]>> {
        let own = shards_of_database(database);
        let shards = self
            .guards
            .iter()
            .filter(|(number, _)| own.contains(number));
        let keys = shards.flat_map(|(_, guard)| {
            let shard = guard.shard();
            shard.watchers.keys().chain(shard.waiters.keys())
        });
        keys.map(Into::into).collect()
    }
}
