//! Puts the keys of a dump into the keyspace: one batch has keys of one shard, which is locked once for all of them.
//! The loader has several inserters, each a thread with shards of its own.

use crate::command::execute::Engine;
use crate::keyspace::gate;
use crate::keyspace::inline_entry::INLINE_BYTES;
use crate::keyspace::locks::Locks;
use crate::keyspace::object::Object;
use crate::keyspace::space::{Key, Place};
use crate::keyspace::string_form::StringForm;
use crate::keyspace::view::View;
use crate::rdb::{KeyRecord, RdbError, Usage, Value};
use crate::state::values;
use crate::types::limits::Limits;
use crate::util::clock;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::Receiver;

/// Keys of one shard, in the order of the file.
///
/// Names and small strings lie in one block of memory, and the other facts of a key in a small record. The loader
/// allocates and an inserter frees: with millions of small blocks that would cost more than the rest of the work, and
/// so would the cache misses of a block for each key.
#[derive(Default)]
pub struct Batch {
    bytes: Vec<u8>,
    records: Vec<Record>,
    /// The values that are not small strings.
    large: Vec<Value>,
}

/// A key, without the bytes of its name and value.
struct Record {
    /// Where in the file the key begins.
    offset: u64,
    place: Place,
    /// [`NEVER`] if it does not expire.
    expires_at_ms: i64,
    /// The last access, or how frequent accesses were.
    usage: Usage,
    /// The name lies in the batch's bytes from here to `name_end`...
    start: usize,
    name_end: usize,
    /// ...and a small string from there to here; [`IS_LARGE`] for the next one of the large values.
    value_end: usize,
}

fn usage_of(key: &KeyRecord) -> Usage {
    match (key.freq, key.idle_seconds) {
        (Some(frequency), _) => Usage::Frequency(frequency),
        (None, Some(idle_s)) => Usage::IdleSeconds(u32::try_from(idle_s).unwrap_or(u32::MAX)),
        (None, None) => Usage::Unknown,
    }
}

/// The frequency and the idle time in seconds.
fn parts(usage: Usage) -> (Option<u8>, Option<u32>) {
    match usage {
        Usage::Unknown => (None, None),
        Usage::IdleSeconds(idle_s) => (None, Some(idle_s)),
        Usage::Frequency(frequency) => (Some(frequency), None),
    }
}

/// Stands for no deadline. No dump has this one, because the key would have expired before it was written.
const NEVER: i64 = i64::MIN;
/// Instead of the end of a small string: the value is the next one in [`Batch::large`].
const IS_LARGE: usize = usize::MAX;

impl Batch {
    /// The number of keys.
    pub fn keys(&self) -> usize {
        self.records.len()
    }

    /// Adds a key that the file has at this offset.
    pub fn push(&mut self, offset: u64, place: Place, key: KeyRecord) {
        let usage = usage_of(&key);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&key.key);
        let name_end = self.bytes.len();
        let value_end = match key.value {
            Value::String(string) if string.len() <= INLINE_BYTES => {
                self.bytes.extend_from_slice(&string);
                self.bytes.len()
            }
            value => {
                self.large.push(value);
                IS_LARGE
            }
        };
        self.records.push(Record {
            offset,
            place,
            expires_at_ms: key.expires_at_ms.unwrap_or(NEVER),
            usage,
            start,
            name_end,
            value_end,
        });
    }

    fn key(&self, record: &Record) -> Key<'_> {
        let name = &self.bytes[record.start..record.name_end];
        Key::at(record.place, name)
    }
}

/// Puts batches into the keyspace.
pub struct Inserter<'a> {
    engine: &'a Engine,
    locks: &'a Locks,
    now_ms: i64,
    limits: Limits,
}

impl<'a> Inserter<'a> {
    /// Puts keys into the keyspace of these locks, with the limits that the server is configured with now.
    pub fn new(engine: &'a Engine, locks: &'a Locks) -> Inserter<'a> {
        Inserter {
            engine,
            locks,
            now_ms: clock::unix_ms(),
            limits: engine.config.limits(),
        }
    }

    /// Inserts all batches that come.
    ///
    /// # Errors
    /// The file has a key twice; the text says which, and where.
    pub fn run(&self, batches: &Receiver<Batch>) -> Result<(), String> {
        gate::pass(true);
        batches.iter().try_for_each(|batch| self.insert(batch))
    }

    fn insert(&self, mut batch: Batch) -> Result<(), String> {
        // Objects are built before the shard is locked.
        let large = std::mem::take(&mut batch.large).into_iter();
        let objects: Vec<Object> = large.map(|value| self.object(value)).collect();
        let mut objects = objects.into_iter();
        let keys: Vec<Key> = batch
            .records
            .iter()
            .map(|record| batch.key(record))
            .collect();
        let Some(first) = keys.first() else {
            return Ok(());
        };
        let locks = self.locks;
        // The first key is enough: all keys lie in its shard.
        let mut db = locks.write(
            View::from(self.now_ms).of_database(first.database()),
            &keys[..1],
        );
        db.fetch(&keys);
        for (record, key) in batch.records.iter().zip(&keys) {
            let deadline = Some(record.expires_at_ms).filter(|deadline| *deadline != NEVER);
            let was_there = match record.value_end {
                IS_LARGE => {
                    let object = objects.next().expect("each large value has a record");
                    db.put_object(key, object, deadline)
                }
                end => {
                    let string = &batch.bytes[record.name_end..end];
                    db.put_string(key, string, StringForm::Natural, deadline)
                }
            };
            if was_there {
                return Err(RdbError::key_twice(record.offset, key.bytes).to_string());
            }
            if record.usage != Usage::Unknown
                && let Some(entry) = db.look_silently(key)
            {
                let (frequency, idle_s) = parts(record.usage);
                let access = self.engine.locks.access_rules.access(self.now_ms);
                entry.clock().restore(frequency, idle_s, access);
            }
        }
        self.engine
            .loading
            .keys
            .fetch_add(keys.len() as u64, Relaxed);
        Ok(())
    }

    /// Converts a value of the file into one of the keyspace.
    fn object(&self, value: Value) -> Object {
        let object = values::object(value, &self.limits);
        object.expect("the loader refuses what the keyspace cannot hold")
    }
}
