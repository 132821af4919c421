//! The keyspace as it was at one moment: for the saver, for clients that ask for a dump, and for KEYS in a large
//! database.
//!
//! ```text
//! shard      free ── begin_snapshot ──▶ marked ── take_snapshot ──▶ free
//!                                        │ before each change: the old entry is set aside (kept.rs)
//! snapshot   all locks, some µs          shard after shard, each locked for an instant; written with no lock held
//! ```
//!
//! Invariants:
//! 1. All shards are marked while the thread holds all locks. So no snapshot shows a command, or a transaction, half
//!    done.
//! 2. Before a key changes in a marked shard, its entry, or the fact that it did not exist, is set aside. Entries are
//!    shared references; a shared object is copied when it is changed.
//! 3. Taking a shard hands over its table, shared, and what was set aside. Both together are what the shard held. From
//!    then on, changes in that shard cost no copy for this snapshot.
//! 4. Several snapshots may be under way; a snapshot that is dropped takes its remaining shards, and so ends the
//!    marking.
//!
//! There is no fork and no pause that grows with the data. Memory grows by what is changed meanwhile.

use super::db::Db;
use super::kept::ShardImage;
use super::locks::Locks;
use super::shard_lock::{Patience, at_last};
use super::space::{Keyspace, shards_of_database};
use super::view::View;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The number of a snapshot that is under way.
pub(super) type SnapshotId = u64;

/// All keys and values at one moment. Several threads may take its shards; several snapshots may be under way.
#[derive(Debug)]
pub struct Snapshot<'a> {
    locks: &'a Locks,
    id: SnapshotId,
    /// [`Keyspace::changes`](super::space::Keyspace::changes) at that moment, of what it holds.
    pub changes: u64,
    /// Where the journal ended at that moment. The snapshot, and the effects behind that place replayed on it, give the
    /// data of any later moment.
    pub journal_end: u64,
    /// The databases in order.
    pub sizes: Vec<DatabaseSize>,
    /// The first shard that has not been taken, counted over all databases.
    next_shard: AtomicUsize,
    /// The shard after the last one.
    end: usize,
}

/// How much a database held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DatabaseSize {
    /// Keys.
    pub keys: usize,
    /// Keys with a deadline.
    pub deadlines: usize,
}

impl Locks {
    /// The keyspace as it is now. `at_the_moment` is called while all shards are locked, with the end of the journal.
    pub fn snapshot(&self, at_the_moment: impl FnOnce(&Keyspace, u64)) -> Snapshot<'_> {
        let mut db = self.write_all(View::from(0));
        let journal_end = self.listeners.divide_journal();
        at_the_moment(self.keyspace(), journal_end);
        self.begin_snapshot(&mut db, 0..self.cells().len(), journal_end)
    }

    /// One database as it is now.
    pub fn snapshot_of(&self, database: usize) -> Snapshot<'_> {
        let shards = shards_of_database(database);
        let all = self.write_shards(View::from(0), shards.clone(), Patience::Endless);
        let mut db = at_last(all);
        self.begin_snapshot(&mut db, shards, self.listeners.divide_journal())
    }

    fn begin_snapshot(&self, db: &mut Db, shards: Range<usize>, journal_end: u64) -> Snapshot<'_> {
        let id = self.next_snapshot_id();
        Snapshot {
            locks: self,
            id,
            changes: self.changes_in(shards.clone()),
            journal_end,
            sizes: db.begin_snapshot(id),
            next_shard: AtomicUsize::new(shards.start),
            end: shards.end,
        }
    }
}

impl Snapshot<'_> {
    /// The next shard of a database, `None` when all have been taken. The databases must be taken in order.
    pub fn next_shard(&self, database: usize) -> Option<ShardImage> {
        self.next_before(shards_of_database(database).end)
    }

    fn next_before(&self, end: usize) -> Option<ShardImage> {
        let next = self
            .next_shard
            .fetch_update(Relaxed, Relaxed, |next| (next < end).then_some(next + 1));
        let image = self.locks.take_snapshot(next.ok()?, self.id);
        Some(image.expect("a shard stays marked until it is taken, which happens once"))
    }

    /// Drops what has not been taken yet: the shards need not keep it any longer.
    pub fn abandon(&self) {
        while self.next_before(self.end).is_some() {}
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        self.abandon();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::entry::Entry;
    use crate::keyspace::hash_mut::HashMut;
    use crate::keyspace::object::{Object, Value};
    use crate::keyspace::space::Key;
    use crate::keyspace::string_form::StringForm;
    use crate::types::limits::{CompactLimits, SetLimits};
    use crate::types::list::{BlockLimit, End, List};
    use crate::types::set::{Member, Set};
    use crate::types::sorted_set::SortedSet;
    use crate::types::stream::{BlockLimits, Stream};
    use std::collections::{BTreeMap, BTreeSet};

    const LIMITS: CompactLimits = CompactLimits {
        entries: 4,
        value_bytes: 64,
    };
    const SET_LIMITS: SetLimits = SetLimits {
        integers: 4,
        compact: LIMITS,
    };
    const LIMIT: BlockLimit = BlockLimit::Bytes(64);

    /// Keys with their values as text.
    type Contents = BTreeMap<String, String>;

    fn describe(entry: Entry) -> (String, String) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let value = match entry.value() {
            Value::String(string) => text(string),
            Value::List(list) => list.iter().map(text).collect(),
            Value::Hash(hash) => {
                let pairs: BTreeMap<_, _> = hash.iter().map(|(f, v)| (text(f), text(v))).collect();
                format!("{pairs:?}")
            }
            Value::Set(set) => {
                let text = |member: Member| text(member.text(&mut itoa::Buffer::new()));
                format!("{:?}", set.iter().map(text).collect::<BTreeSet<_>>())
            }
            Value::SortedSet(set) => {
                let entries: Vec<_> = set.iter().map(|(m, score)| (text(m), score)).collect();
                format!("{entries:?}")
            }
            Value::Stream(stream) => format!("{stream:?}"),
        };
        (
            text(entry.key()),
            format!("{value} {:?}", entry.expires_at_ms()),
        )
    }

    fn written(snapshot: Snapshot) -> Vec<Contents> {
        let contents = |shard: ShardImage| shard.iter().map(describe).collect::<Vec<_>>();
        let database = |database| {
            let shards = std::iter::from_fn(|| snapshot.next_shard(database));
            shards.flat_map(contents).collect()
        };
        (0..snapshot.sizes.len()).map(database).collect()
    }

    fn live(keyspace: &Locks) -> Vec<Contents> {
        let databases = 0..keyspace.databases();
        databases
            .map(|database| {
                keyspace
                    .read_all(View::from(0).of_database(database))
                    .unwrap()
                    .iter()
                    .map(describe)
                    .collect()
            })
            .collect()
    }

    fn change(keyspace: &Locks, number: usize, round: usize) {
        let name = format!("key:{number}");
        let key = Key::new(0, name.as_bytes());
        let mut db = keyspace.write(View::from(0), &[key]);
        let text = format!("{round}:{number}");
        match number % 8 {
            0 => {
                let deadline = Some(1000 + round as i64);
                db.put_string(&key, text.as_bytes(), StringForm::Natural, deadline);
            }
            1 => drop(db.edit_string(&key, |string| {
                string.extend_from_slice(text.repeat(200).as_bytes())
            })),
            2 => db
                .get_or_create::<List>(&key)
                .unwrap()
                .push(End::Left, text.as_bytes(), LIMIT),
            3 => {
                let insert = |hash: &mut HashMut| hash.insert(text.as_bytes(), b"v", LIMITS);
                assert!(db.change_hash(&key, insert).is_ok());
            }
            4 => {
                let set = db.get_or_create::<Set>(&key).unwrap();
                set.insert(Member::Integer(round as i64), SET_LIMITS);
                set.insert(Member::Text(text.as_bytes()), SET_LIMITS);
            }
            5 => drop(db.get_or_create::<SortedSet>(&key).unwrap().update(
                text.as_bytes(),
                LIMITS,
                |_| Some(-(round as f64)),
            )),
            6 => {
                let stream = db.get_or_create::<Stream>(&key).unwrap();
                let last = stream.entries.history().last_id;
                let id = last.next().unwrap();
                let limits = BlockLimits {
                    bytes: 64,
                    entries: 2,
                };
                stream.entries.append(id, &[b"f", text.as_bytes()], limits);
            }
            _ if round.is_multiple_of(2) => {
                db.put_object(&key, Object::List(List::default()), None);
            }
            _ => {
                db.remove(&key);
            }
        }
    }

    #[test]
    fn later_changes_do_not_reach_it() {
        let keyspace = Locks::new(2);
        for round in 0..6 {
            (0..2000).for_each(|number| change(&keyspace, number, round));
            let expected = live(&keyspace);
            let snapshot = keyspace.snapshot(|_, _| {});
            assert_eq!(snapshot.sizes[0].keys, expected[0].len());
            // Every other shard is left unchanged, or changed a little; then all are.
            (0..round * 100).for_each(|number| change(&keyspace, number, round + 1));
            match round {
                3 => drop(keyspace.write_all(View::from(0)).clear(0)),
                4 => keyspace.write_all(View::from(0)).swap_databases(0, 1),
                _ => (0..2000).for_each(|number| change(&keyspace, number, round + 1)),
            }
            assert_eq!(written(snapshot), expected, "round {round}");
        }
    }

    #[test]
    fn several_may_be_under_way() {
        let keyspace = Locks::new(1);
        let mut expected = Vec::new();
        let mut snapshots = Vec::new();
        for round in 0..4 {
            (0..300).for_each(|number| change(&keyspace, number, round));
            expected.push(live(&keyspace));
            snapshots.push(keyspace.snapshot(|_, _| {}));
        }
        (0..300).for_each(|number| change(&keyspace, number, 4));
        // Taken in another order than they were made in.
        snapshots.swap(0, 2);
        expected.swap(0, 2);
        for (snapshot, expected) in snapshots.into_iter().zip(expected) {
            assert_eq!(written(snapshot), expected);
        }
    }

    #[test]
    fn one_that_is_given_up_leaves_nothing_behind() {
        let keyspace = Locks::new(1);
        (0..100).for_each(|number| change(&keyspace, number, 0));
        drop(keyspace.snapshot(|_, _| {}));
        (0..100).for_each(|number| change(&keyspace, number, 1));
        let expected = live(&keyspace);
        assert_eq!(written(keyspace.snapshot(|_, _| {})), expected);
    }

    #[test]
    fn a_closed_gate_holds_back_changes_but_no_readers() {
        let keyspace = Locks::new(1);
        change(&keyspace, 0, 0);
        let snapshot = keyspace.snapshot(|keyspace, _| keyspace.gate.close());
        let expected = live(&keyspace);
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| change(&keyspace, 0, 1));
            assert_eq!(written(snapshot), expected);
            assert_eq!(live(&keyspace), expected);
            assert!(!writer.is_finished());
            keyspace.gate.open();
            writer.join().unwrap();
        });
        assert_ne!(live(&keyspace), expected);
    }
}
