//! Taking back what a script has done, so that it can begin anew under more locks.
//!
//! A script that reaches for a key which it did not declare may have changed other keys before. Then each locked shard
//! puts the old entries of these keys back. It keeps them in its [`UndoLog`]: before a key is changed for the first
//! time, its entry is copied if it lies in the table, else shared, and copied when it is changed (copy-on-write).
//!
//! Invariants:
//! 1. The shards stay exclusively locked from `begin_undo` to `end_undo` or `undo`: no other thread has seen what is
//!    taken back.
//! 2. All that is wanted back are entries. The tables as a whole change under the locks of all shards only, and a
//!    script that holds these is never taken back.
//! 3. A snapshot that begins later sees what was put back; to one that has begun before, putting it back is one more
//!    change.

use super::access::AccessClock;
use super::db::{Garbage, WriteDb};
use super::entry::Table;
use super::object_entry::ObjectEntry;
use super::shard::Removed;
use crate::types::dict::Content;
use foldhash::HashSet;
use std::sync::atomic::Ordering::Relaxed;

/// Up to this many keys are searched one after the other.
const FEW: usize = 16;

/// What a shard needs to take back a script.
#[derive(Debug, Default)]
pub(super) struct UndoLog {
    is_wanted: bool,
    /// There once something has changed.
    log: Option<Box<Log>>,
}

#[derive(Debug, Default)]
struct Log {
    /// The keys that were changed, in the order of their first changes.
    old: Vec<Old>,
    /// The keys among them, once there are more than a few.
    keys: HashSet<Box<[u8]>>,
}

/// A key as it was.
#[derive(Debug)]
pub(super) struct Old {
    pub(super) hash: u64,
    pub(super) key: Box<[u8]>,
    pub(super) state: OldState,
}

/// What a key was.
#[derive(Debug)]
pub(super) enum OldState {
    Absent,
    /// A small value, as the table has it.
    Pair(Box<[u8]>, AccessClock),
    Reference(ObjectEntry, AccessClock),
}

impl UndoLog {
    pub(super) fn begin(&mut self) {
        self.is_wanted = true;
    }

    /// Called before every change of a key. Only the first counts.
    #[inline]
    pub(super) fn keep(&mut self, table: &Table, hash: u64, key: &[u8]) {
        if self.is_wanted {
            self.log.get_or_insert_default().keep(table, hash, key);
        }
    }

    /// Hands over what was kept, and keeps no more.
    pub(super) fn take(&mut self) -> Vec<Old> {
        self.is_wanted = false;
        self.log.take().map(|log| log.old).unwrap_or_default()
    }

    /// Forgets what was kept, but for the objects, which are returned.
    pub(super) fn end(&mut self) -> impl Iterator<Item = ObjectEntry> {
        self.take().into_iter().filter_map(|old| match old.state {
            OldState::Reference(entry, _) => Some(entry),
            OldState::Absent | OldState::Pair(..) => None,
        })
    }
}

impl Log {
    fn includes(&self, hash: u64, key: &[u8]) -> bool {
        match self.keys.is_empty() {
            true => self
                .old
                .iter()
                .any(|old| old.hash == hash && *old.key == *key),
            false => self.keys.contains(key),
        }
    }

    fn keep(&mut self, table: &Table, hash: u64, key: &[u8]) {
        if self.includes(hash, key) {
            return;
        }
        let state = match table.get(hash, key) {
            None => OldState::Absent,
            Some(item) => match item.content {
                Content::Pair { value, .. } => OldState::Pair(value.into(), item.mark.clone()),
                Content::Reference(entry) => OldState::Reference(entry.clone(), item.mark.clone()),
            },
        };
        self.old.push(Old {
            hash,
            key: key.into(),
            state,
        });
        match self.old.len() {
            0..FEW => {}
            FEW => self.keys = self.old.iter().map(|old| old.key.clone()).collect(),
            _ => drop(self.keys.insert(key.into())),
        }
    }
}

impl WriteDb<'_> {
    /// From now on, changes can be taken back.
    pub(super) fn begin_undo(&mut self) {
        let mut counted = std::mem::take(&mut self.aftermath().counted_before);
        let keyspace = self.keyspace;
        for (number, guard) in &mut self.guards {
            guard.exclusive().begin_undo();
            counted.push(keyspace.cell(*number).changes.load(Relaxed));
        }
        self.aftermath().counted_before = counted;
    }

    /// They cannot be taken back any more. The old objects are freed when the locks are gone.
    pub(super) fn end_undo(&mut self) {
        let counted = std::mem::take(&mut self.aftermath().counted_before);
        if counted.is_empty() {
            return;
        }
        let mut garbage = std::mem::take(&mut self.aftermath().garbage);
        for (_, guard) in &mut self.guards {
            garbage.extend(guard.exclusive().end_undo().map(Garbage::Entry));
        }
        self.aftermath().garbage = garbage;
    }

    /// Takes all changes back.
    pub(super) fn undo(&mut self) {
        let counted = std::mem::take(&mut self.aftermath().counted_before);
        let keyspace = self.keyspace;
        let mut replaced = Vec::new();
        for ((number, guard), counted) in self.guards.iter_mut().zip(counted) {
            replaced.append(&mut guard.exclusive().undo());
            keyspace.cell(*number).changes.store(counted, Relaxed);
        }
        let garbage = replaced.into_iter().filter_map(|removed| match removed {
            Removed::Inline => None,
            Removed::Object(entry) => Some(Garbage::Entry(entry)),
        });
        self.aftermath().garbage.extend(garbage);
    }
}

#[cfg(test)]
mod tests {
    use crate::keyspace::db::WriteDb;
    use crate::keyspace::entry::Entry;
    use crate::keyspace::hash_mut::HashMut;
    use crate::keyspace::kept::ShardImage;
    use crate::keyspace::locks::Locks;
    use crate::keyspace::object::{Object, Value};
    use crate::keyspace::snapshot::Snapshot;
    use crate::keyspace::space::{Key, SHARDS};
    use crate::keyspace::string_form::StringForm;
    use crate::keyspace::view::View;
    use crate::types::limits::{CompactLimits, SetLimits};
    use crate::types::list::{BlockLimit, End, List};
    use crate::types::set::{Member, Set};
    use crate::types::sorted_set::SortedSet;
    use crate::types::stream::{BlockLimits, ConsumerGroup, Name, Stream};
    use std::collections::{BTreeMap, BTreeSet};

    const LIMITS: CompactLimits = CompactLimits {
        entries: 8,
        value_bytes: 64,
    };
    const SET_LIMITS: SetLimits = SetLimits {
        integers: 8,
        compact: LIMITS,
    };
    const BLOCK: BlockLimit = BlockLimit::Bytes(64);
    const NAMES: usize = 40;
    const DATABASES: usize = 2;

    /// A key's name with all that is known of it.
    type Listing = BTreeMap<(usize, String), String>;

    /// An entry with its value, encoding and deadline. An access stays noted in its clock: the second run comes to the
    /// same key.
    fn describe(entry: Entry) -> (String, String) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let value = match entry.value() {
            Value::String(string) => text(string),
            Value::List(list) => format!("{:?}", list.iter().map(text).collect::<Vec<_>>()),
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
        let (deadline, encoding) = (entry.expires_at_ms(), entry.encoding());
        (
            text(entry.key()),
            format!("{value} {encoding} {deadline:?}"),
        )
    }

    /// What the keyspace holds, with the figures that each shard keeps of its keys.
    fn live(locks: &Locks) -> (Listing, Vec<String>, u64) {
        let (mut listing, mut figures) = (Listing::new(), Vec::new());
        let all = locks
            .read_everything(View::from(0))
            .expect("no script is busy");
        for number in 0..DATABASES * SHARDS {
            let shard = all.shard_at(number);
            for (name, value) in shard.iter().map(describe) {
                listing.insert((number / SHARDS, name), value);
            }
            let (keys, deadlines) = (shard.len(), shard.deadline_count());
            let ttl_ms = shard.total_ttl_ms(0);
            // Deadlines that are gone may leave an earlier bound, but never a later one.
            let earliest = shard.iter().filter_map(Entry::expires_at_ms).min();
            assert!(earliest.is_none_or(|earliest| shard.earliest_deadline_ms() <= Some(earliest)));
            figures.push(format!("{keys} {deadlines} {ttl_ms}"));
        }
        (listing, figures, locks.changes())
    }

    fn written(snapshot: &Snapshot) -> Listing {
        let mut listing = Listing::new();
        for database in 0..DATABASES {
            let shards = std::iter::from_fn(|| snapshot.next_shard(database));
            let entries =
                shards.flat_map(|shard: ShardImage| shard.iter().map(describe).collect::<Vec<_>>());
            listing.extend(entries.map(|(name, value)| ((database, name), value)));
        }
        listing
    }

    /// Changes a key in some way.
    fn change(db: &mut WriteDb, key: &Key, random: &mut fastrand::Rng) {
        let text = "x".repeat(random.usize(1..70)) + &random.u32(..20).to_string();
        let bytes = text.as_bytes();
        let deadline = random.bool().then(|| random.i64(1..1_000_000));
        match random.usize(..15) {
            0 => drop(db.put_string(key, bytes, StringForm::Natural, deadline)),
            1 => drop(db.put_string(key, b"17", StringForm::Natural, None)),
            2 => drop(db.put_string(key, text.repeat(7).as_bytes(), StringForm::Raw, deadline)),
            3 => drop(db.edit_string(key, |string| {
                string.extend_from_slice(text.repeat(9).as_bytes())
            })),
            4 => drop(db.remove(key)),
            5 if db.look_silently(key).is_some() => db.set_expires_at_ms(key, deadline),
            6 => {
                let mut list = List::default();
                (0..random.usize(1..200)).for_each(|_| list.push(End::Left, bytes, BLOCK));
                db.put_object(key, Object::List(list), deadline);
            }
            7 => drop(db.rename(key, key)),
            8 | 9 => {
                if let Ok(list) = db.get_or_create::<List>(key) {
                    (0..random.usize(1..30)).for_each(|_| list.push(End::Right, bytes, BLOCK));
                }
            }
            10 => {
                let fields = random.u8(1..30);
                let change = |hash: &mut HashMut| {
                    for number in 0..fields {
                        hash.insert(&[b'f', b'a' + number], bytes, LIMITS);
                    }
                };
                // Another type stays as it is.
                let _ = db.change_hash(key, change);
            }
            11 => {
                if let Ok(set) = db.get_or_create::<Set>(key) {
                    set.insert(Member::Integer(random.i64(..50)), SET_LIMITS);
                    set.insert(Member::Text(bytes), SET_LIMITS);
                }
            }
            12 => {
                if let Ok(set) = db.get_or_create::<SortedSet>(key) {
                    set.update(bytes, LIMITS, |_| Some(random.f64()));
                }
            }
            13 => {
                if let Ok(stream) = db.get_or_create::<Stream>(key) {
                    let id = stream.entries.history().last_id.next().unwrap();
                    let limits = BlockLimits {
                        bytes: 64,
                        entries: 2,
                    };
                    stream.entries.append(id, &[b"f", bytes], limits);
                    let mut group = ConsumerGroup::default();
                    group.create_consumer(b"c", 1);
                    stream.groups.insert(Name::from(bytes), group);
                }
            }
            _ => {
                if let Ok(Some(list)) = db.collection_mut::<List>(key) {
                    list.pop(End::Left, BLOCK);
                }
            }
        }
        db.changed(key, "event", 1);
        db.commit(&[]);
    }

    /// One block on some keys, which ends or is taken back.
    fn block(locks: &Locks, random: &mut fastrand::Rng, ends: bool) {
        let names: Vec<(usize, String)> = (0..random.usize(1..6))
            .map(|_| (random.usize(..DATABASES), random.usize(..NAMES).to_string()))
            .collect();
        let keys: Vec<Key> = names
            .iter()
            .map(|(database, name)| Key::new(*database, name.as_bytes()))
            .collect();
        let mut db = locks.write(View::from(0), &keys);
        db.begin_undoable_block();
        for _ in 0..random.usize(..12) {
            change(&mut db, &keys[random.usize(..keys.len())], random);
        }
        match ends {
            true => db.end_block(),
            false => db.take_back_block(),
        }
    }

    #[test]
    fn what_is_taken_back_has_never_been() {
        for seed in 0..4 {
            let locks = Locks::new(DATABASES);
            let mut random = fastrand::Rng::with_seed(seed);
            let mut snapshots: Vec<(Snapshot, Listing)> = Vec::new();
            for round in 0..100 {
                if random.usize(..20) == 0 {
                    let (listing, ..) = live(&locks);
                    snapshots.push((locks.snapshot(|_, _| {}), listing));
                }
                // Some shards are taken already when the next block begins.
                for (snapshot, expected) in &mut snapshots {
                    for _ in 0..random.usize(..20) {
                        if let Some(shard) = snapshot.next_shard(0) {
                            for (name, value) in shard.iter().map(describe) {
                                assert_eq!(expected.remove(&(0, name)), Some(value));
                            }
                        }
                    }
                }
                let before = live(&locks);
                block(&locks, &mut random, false);
                assert_eq!(live(&locks), before, "seed {seed}, round {round}");
                block(&locks, &mut random, true);
            }
            for (snapshot, expected) in snapshots {
                assert_eq!(written(&snapshot), expected, "seed {seed}");
            }
        }
    }
}
