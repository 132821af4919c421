//! Puts the keys of a dump into the keyspace, a batch of one shard under one lock. The loader has several of these, each
//! a thread with shards of its own.

use crate::keyspace::object::Object;
use crate::keyspace::space::Key;
use crate::keyspace::string_entry::{INLINE_BYTES, StringForm};
use crate::rdb::{KeyRecord, Value};
use crate::state::{Server, values};
use crate::types::limits::Limits;
use crate::util::clock;
use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::Receiver;

/// Keys of one shard, in the order of the file. Names and small strings lie in one piece of memory: blocks by the million
/// that one thread allocates and another frees would cost more than all the rest.
#[derive(Default)]
pub struct Batch {
    /// The database they belong to.
    pub database: usize,
    bytes: Vec<u8>,
    records: Vec<Record>,
}

/// A key and where the file has it.
struct Record {
    offset: u64,
    name: Range<usize>,
    value: Held,
    expires_at_ms: Option<i64>,
    idle_s: Option<u64>,
}

/// A value on its way.
enum Held {
    /// A string that will lie in the block of its key.
    Small(Range<usize>),
    /// Anything else; `None` once it has become an object.
    Large(Option<Value>),
}

impl Batch {
    /// How many keys there are.
    pub fn keys(&self) -> usize {
        self.records.len()
    }

    /// Adds a key that the file has at this offset.
    pub fn push(&mut self, offset: u64, key: KeyRecord) {
        let name = self.append(&key.key);
        let value = match key.value {
            Value::String(string) if string.len() <= INLINE_BYTES => {
                Held::Small(self.append(&string))
            }
            value => Held::Large(Some(value)),
        };
        self.records.push(Record {
            offset,
            name,
            value,
            expires_at_ms: key.expires_at_ms,
            idle_s: key.idle_seconds,
        });
    }

    fn append(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }
}

/// What a thread needs to put batches in.
pub struct Inserter<'a> {
    server: &'a Server,
    now_ms: i64,
    limits: Limits,
}

impl<'a> Inserter<'a> {
    /// For the data of this server, with the limits it is configured with now.
    pub fn new(server: &'a Server) -> Inserter<'a> {
        Inserter {
            server,
            now_ms: clock::unix_ms(),
            limits: server.config.limits(),
        }
    }

    /// Puts in all batches.
    ///
    /// # Errors
    /// A key that is there already, and where in the file.
    pub fn run(&self, batches: &Receiver<Batch>) -> Result<(), String> {
        batches.iter().try_for_each(|batch| self.insert(batch))
    }

    fn insert(&self, mut batch: Batch) -> Result<(), String> {
        // Objects are built before the shard is locked.
        let values = batch.records.iter_mut().map(|record| &mut record.value);
        let objects: Vec<Option<Object>> = values.map(|value| self.object(value)).collect();
        let names = batch
            .records
            .iter()
            .map(|record| &batch.bytes[record.name.clone()]);
        let keys: Vec<Key> = names.map(|name| Key::new(batch.database, name)).collect();
        // One key stands for the shard of all.
        let one = &keys[..keys.len().min(1)];
        let mut db = self.server.keyspace.write(batch.database, one, self.now_ms);
        db.fetch(&keys);
        for ((record, object), key) in batch.records.iter().zip(objects).zip(&keys) {
            let was_there = match (object, &record.value) {
                (Some(object), _) => db.put_object(key, object, record.expires_at_ms),
                (None, Held::Small(range)) => {
                    let string = &batch.bytes[range.clone()];
                    db.put_string(key, string, StringForm::Natural, record.expires_at_ms)
                }
                (None, Held::Large(_)) => unreachable!("it has become an object"),
            };
            if was_there {
                let name = String::from_utf8_lossy(key.bytes);
                return Err(format!(
                    "[offset {}] The key '{name}' comes twice",
                    record.offset
                ));
            }
            if let Some(idle_s) = record.idle_s
                && let Some(entry) = db.look(key)
            {
                entry
                    .clock()
                    .set_idle_s(u32::try_from(idle_s).unwrap_or(u32::MAX), self.now_ms);
            }
        }
        self.server
            .loading
            .keys
            .fetch_add(keys.len() as u64, Relaxed);
        Ok(())
    }

    /// The value as the keyspace holds it; `None` for a small string, which is copied into its entry directly.
    fn object(&self, value: &mut Held) -> Option<Object> {
        let Held::Large(value) = value else {
            return None;
        };
        let object = values::object(value.take()?, &self.limits);
        Some(object.expect("the loader refuses what the keyspace cannot hold"))
    }
}
