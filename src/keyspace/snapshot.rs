//! The keyspace as it was at one moment, for the saver.
//!
//! 1. All shards are locked for an instant, some microseconds, and each is told that a snapshot is due. So no command is
//!    seen half done.
//! 2. Writers go on. The first to change a shard has it set its tables aside, which copies their directories: the
//!    entries themselves are shared. Whoever changes an entry or a part of a table that is shared copies that first.
//! 3. The saver takes the shards one by one, as they were, and writes each with no lock held. What it has written is
//!    dropped and no longer costs anybody a copy.
//!
//! No fork, no pause that grows with the data; memory grows by what is changed meanwhile.

use super::shard::Tables;
use super::space::{Keyspace, SHARDS};

/// All keys and values at one moment. There is one at a time: the saver's.
#[derive(Debug)]
pub struct Snapshot<'a> {
    keyspace: &'a Keyspace,
    /// [`Keyspace::changes`] at that moment.
    pub changes: u64,
    /// The databases in order.
    pub sizes: Vec<DatabaseSize>,
    next_shard: usize,
}

/// How much a database held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DatabaseSize {
    /// Keys.
    pub keys: usize,
    /// Keys with a deadline.
    pub deadlines: usize,
}

impl Keyspace {
    /// The keyspace as it is now. `closes` holds back all changes from this moment on, until the gate is opened.
    pub fn snapshot(&self, closes: bool) -> Snapshot<'_> {
        let mut db = self.write_all(0, 0);
        let sizes = db.begin_snapshot();
        if closes {
            self.gate.close();
        }
        Snapshot {
            keyspace: self,
            changes: self.changes(),
            sizes,
            next_shard: 0,
        }
    }
}

impl Snapshot<'_> {
    /// The shards of a database, one after the other; the databases must be taken in order.
    pub fn shards(&mut self) -> impl Iterator<Item = Tables> {
        (0..SHARDS).map_while(|_| self.next_shard())
    }

    fn next_shard(&mut self) -> Option<Tables> {
        if self.next_shard == self.sizes.len() * SHARDS {
            return None;
        }
        self.next_shard += 1;
        Some(self.keyspace.take_snapshot(self.next_shard - 1))
    }
}

impl Drop for Snapshot<'_> {
    /// A save that failed leaves shards that nobody has taken; they need not keep anything any longer.
    fn drop(&mut self) {
        while self.next_shard().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::entry::Entry;
    use crate::keyspace::object::{Object, Value};
    use crate::keyspace::space::Key;
    use crate::keyspace::string_entry::StringForm;
    use crate::types::hash::Hash;
    use crate::types::limits::CompactLimits;
    use crate::types::list::{BlockLimit, End, List};
    use std::collections::BTreeMap;

    const LIMITS: CompactLimits = CompactLimits {
        entries: 4,
        value_bytes: 64,
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
        };
        (
            text(entry.key()),
            format!("{value} {:?}", entry.expires_at_ms()),
        )
    }

    fn written(mut snapshot: Snapshot) -> Vec<Contents> {
        let databases = 0..snapshot.sizes.len();
        let contents = |tables: Tables| tables.iter().map(describe).collect::<Vec<_>>();
        databases
            .map(|_| snapshot.shards().flat_map(contents).collect())
            .collect()
    }

    fn live(keyspace: &Keyspace) -> Vec<Contents> {
        let databases = 0..keyspace.databases();
        databases
            .map(|database| {
                keyspace
                    .read_all(database, 0)
                    .iter()
                    .map(describe)
                    .collect()
            })
            .collect()
    }

    fn change(keyspace: &Keyspace, number: usize, round: usize) {
        let name = format!("key:{number}");
        let key = Key::new(0, name.as_bytes());
        let mut db = keyspace.write(0, &[key], 0);
        let text = format!("{round}:{number}");
        match number % 5 {
            0 => db.put_string(
                &key,
                text.as_bytes(),
                StringForm::Natural,
                Some(1000 + round as i64),
            ),
            1 => drop(db.edit_string(&key, |string| {
                string.extend_from_slice(text.repeat(200).as_bytes())
            })),
            2 => db
                .get_or_create::<List>(&key)
                .unwrap()
                .push(End::Left, text.as_bytes(), LIMIT),
            3 => drop(db.get_or_create::<Hash>(&key).unwrap().insert(
                text.as_bytes(),
                b"v",
                LIMITS,
            )),
            _ if round.is_multiple_of(2) => {
                db.put_object(&key, Object::List(List::default()), None)
            }
            _ => drop(db.remove(&key)),
        }
    }

    #[test]
    fn later_changes_do_not_reach_it() {
        let keyspace = Keyspace::new(2);
        for round in 0..6 {
            (0..2000).for_each(|number| change(&keyspace, number, round));
            let expected = live(&keyspace);
            let snapshot = keyspace.snapshot(false);
            assert_eq!(snapshot.sizes[0].keys, expected[0].len());
            // Every other shard is left unchanged, or changed a little; then all are.
            (0..round * 100).for_each(|number| change(&keyspace, number, round + 1));
            match round {
                3 => drop(keyspace.write_all(0, 0).clear(0)),
                4 => keyspace.write_all(0, 0).swap_databases(0, 1),
                _ => (0..2000).for_each(|number| change(&keyspace, number, round + 1)),
            }
            assert_eq!(written(snapshot), expected, "round {round}");
        }
    }

    #[test]
    fn one_that_is_given_up_leaves_nothing_behind() {
        let keyspace = Keyspace::new(1);
        (0..100).for_each(|number| change(&keyspace, number, 0));
        drop(keyspace.snapshot(false));
        (0..100).for_each(|number| change(&keyspace, number, 1));
        let expected = live(&keyspace);
        assert_eq!(written(keyspace.snapshot(false)), expected);
    }

    #[test]
    fn a_closed_gate_holds_back_changes_but_no_readers() {
        let keyspace = Keyspace::new(1);
        change(&keyspace, 0, 0);
        let snapshot = keyspace.snapshot(true);
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
