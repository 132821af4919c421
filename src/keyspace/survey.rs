//! The keyspace as commands see it that look at all of it: INFO, KEYS. In a transaction all shards are locked already;
//! then a survey looks at what is locked. Else it takes locks:
//!
//! | | locks |
//! |---|---|
//! | figures | shard by shard, each locked for an instant |
//! | entries, up to 10,000 of them | all shards of the database together, shared, while the entries are visited |
//! | more entries | all shards of the database together, exclusively, for the instant that begins a snapshot |

use super::db::Db;
use super::entry::Entry;
use super::locks::Locks;
use super::shard::Shard;
use super::shard_lock::{Busy, LockMode, Patience};
use super::space::shards_of_database;
use super::view::View;
use std::cell::Cell;
use std::ops::Range;

/// Keys that are looked at under one lock on all of them. To have a snapshot of more takes less time than that.
const FEW: usize = 10_000;

/// Looks at the shards of all databases, and takes the locks that are not held.
#[derive(Debug)]
pub struct Survey<'a, 'k> {
    hold: Hold<'a, 'k>,
    is_cut_short: Cell<bool>,
}

/// Private, so that a handler does not get at the locks.
#[derive(Debug)]
enum Hold<'a, 'k> {
    /// This thread holds no lock.
    Unlocked(&'a Locks),
    /// All shards are locked.
    Locked(&'a Db<'k>),
}

impl<'a, 'k> Survey<'a, 'k> {
    /// For a thread that holds no lock.
    pub fn unlocked(locks: &'a Locks) -> Survey<'a, 'k> {
        Survey {
            hold: Hold::Unlocked(locks),
            is_cut_short: Cell::new(false),
        }
    }

    /// For a thread that holds the locks of all shards.
    pub fn locked(db: &'a Db<'k>) -> Survey<'a, 'k> {
        Survey {
            hold: Hold::Locked(db),
            is_cut_short: Cell::new(false),
        }
    }
}

impl Survey<'_, '_> {
    /// Whether a busy script has kept it from looking at all shards.
    pub fn is_cut_short(&self) -> bool {
        self.is_cut_short.get()
    }

    /// How many keys a database has, how many of them have a deadline, and how long these have to live on average, in
    /// milliseconds.
    pub fn count(&self, database: usize, now_ms: i64) -> (usize, usize, u64) {
        let (mut keys, mut deadlines, mut ttl_ms) = (0, 0, 0);
        self.visit(shards_of_database(database), |shard| {
            keys += shard.len();
            deadlines += shard.deadline_count();
            ttl_ms += shard.total_ttl_ms(now_ms);
        });
        (keys, deadlines, (ttl_ms / deadlines.max(1) as i128) as u64)
    }

    /// Visits the entries of the client's database that have not expired, as they are at one moment.
    pub fn visit_entries(&self, database: usize, now_ms: i64, mut visit: impl FnMut(Entry<'_>)) {
        let locks = match &self.hold {
            Hold::Unlocked(locks) => locks,
            Hold::Locked(db) => return db.iter().for_each(visit),
        };
        let Ok(db) = locks.read_all(View::from(now_ms).of_database(database)) else {
            return self.is_cut_short.set(true);
        };
        if db.len() <= FEW {
            return db.iter().for_each(visit);
        }
        drop(db);
        let snapshot = locks.snapshot_of(database);
        while let Some(shard) = snapshot.next_shard(database) {
            let is_there = |entry: &Entry| !entry.is_expired(now_ms);
            shard.iter().filter(is_there).for_each(&mut visit);
        }
    }

    /// How many keys clients wait for.
    pub fn keys_waited_for(&self) -> usize {
        self.sum(|shard| shard.waiters.keys().count())
    }

    /// How many keys are watched, not counting those whose change has spoilt the watch.
    pub fn watched_keys(&self) -> usize {
        self.sum(|shard| shard.watchers.len())
    }

    fn sum(&self, figure: impl Fn(&Shard) -> usize) -> usize {
        let shards = match &self.hold {
            Hold::Unlocked(keyspace) => keyspace.cells().len(),
            Hold::Locked(db) => db.locked_shards(),
        };
        let mut sum = 0;
        self.visit(0..shards, |shard| sum += figure(shard));
        sum
    }

    fn visit(&self, shards: Range<usize>, mut look: impl FnMut(&Shard)) {
        match &self.hold {
            Hold::Unlocked(keyspace) => {
                let cells = &keyspace.cells()[shards];
                for cell in cells {
                    match cell.shard.lock_with(LockMode::Shared, Patience::UntilBusy) {
                        Ok(guard) => look(guard.shard()),
                        Err(Busy) => return self.is_cut_short.set(true),
                    }
                }
            }
            Hold::Locked(db) => shards.for_each(|number| look(db.shard_at(number))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::space::Key;
    use crate::keyspace::string_form::StringForm;
    use std::collections::BTreeSet;

    fn put(keyspace: &Locks, database: usize, name: &str, deadline: Option<i64>) {
        let key = Key::new(database, name.as_bytes());
        let mut db = keyspace.write(View::from(0).of_database(database), &[key]);
        db.put_string(&key, b"value", StringForm::Natural, deadline);
    }

    fn remove(keyspace: &Locks, database: usize, name: &str) {
        let key = Key::new(database, name.as_bytes());
        keyspace
            .write(View::from(0).of_database(database), &[key])
            .remove(&key);
    }

    fn name_of(entry: Entry) -> String {
        String::from_utf8_lossy(entry.key()).into_owned()
    }

    #[test]
    fn many_entries_are_visited_as_they_were_while_keys_change() {
        let keyspace = Locks::new(2);
        let names: BTreeSet<String> = (0..=FEW).map(|number| format!("key:{number}")).collect();
        names.iter().for_each(|name| put(&keyspace, 1, name, None));
        put(&keyspace, 0, "of another database", None);
        put(&keyspace, 1, "due", Some(50));
        let mut visited = BTreeSet::new();
        Survey::unlocked(&keyspace).visit_entries(1, 100, |entry| {
            if visited.is_empty() {
                // Would wait for ever if the visit held a lock.
                names.iter().for_each(|name| remove(&keyspace, 1, name));
                (0..FEW).for_each(|number| put(&keyspace, 1, &format!("new:{number}"), None));
            }
            assert!(visited.insert(name_of(entry)));
        });
        assert_eq!(visited, names);
    }

    #[test]
    fn few_entries_are_visited_too_and_so_are_those_of_a_transaction() {
        let keyspace = Locks::new(2);
        put(&keyspace, 1, "there", Some(101));
        put(&keyspace, 1, "due", Some(100));
        put(&keyspace, 0, "of another database", None);
        let db = keyspace.write_all(View::from(100).of_database(1));
        let mut visited = Vec::new();
        Survey::locked(&db).visit_entries(1, 100, |entry| visited.push(name_of(entry)));
        drop(db);
        Survey::unlocked(&keyspace).visit_entries(1, 100, |entry| visited.push(name_of(entry)));
        assert_eq!(visited, ["there", "there"]);
    }
}
