//! Puts the keys of a dump into the keyspace, a batch of one shard under one lock. The loader has several of these, each
//! a thread with shards of its own.

use crate::keyspace::object::Object;
use crate::keyspace::space::Key;
use crate::keyspace::string_entry::{INLINE_BYTES, StringForm};
use crate::rdb::{Elements, KeyRecord, Value};
use crate::state::Server;
use crate::types::hash::Hash;
use crate::types::limits::{CompactLimits, SetLimits};
use crate::types::list::{BlockLimit, End, List};
use crate::types::set::Set;
use crate::types::sorted_set::SortedSet;
use crate::util::clock;
use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::Receiver;
use triomphe::Arc;

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
    list_limit: BlockLimit,
    hash_limits: CompactLimits,
    set_limits: SetLimits,
    sorted_set_limits: CompactLimits,
}

impl<'a> Inserter<'a> {
    /// For the data of this server, with the limits it is configured with now.
    pub fn new(server: &'a Server) -> Inserter<'a> {
        Inserter {
            server,
            now_ms: clock::unix_ms(),
            list_limit: server.config.list_block_limit(),
            hash_limits: server.config.hash_limits(),
            set_limits: server.config.set_limits(),
            sorted_set_limits: server.config.sorted_set_limits(),
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
                && let Some(entry) = db.peek(key)
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
        match value.take()? {
            Value::String(string) => Some(Object::String(Arc::new(string), StringForm::Natural)),
            Value::List(elements) => Some(Object::List(self.list(&elements))),
            Value::Hash(pairs) => Some(Object::Hash(self.hash(&pairs))),
            Value::Set(members) => Some(Object::Set(self.set(&members))),
            Value::SortedSet { members, scores } => {
                let entries = members.iter().zip(scores).collect();
                let set = SortedSet::from_entries(entries, self.sorted_set_limits);
                Some(Object::SortedSet(set))
            }
            _ => unreachable!("the loader refuses what the keyspace cannot hold"),
        }
    }

    fn list(&self, elements: &Elements) -> List {
        let mut list = List::default();
        elements
            .iter()
            .for_each(|element| list.push(End::Right, element, self.list_limit));
        list
    }

    fn hash(&self, pairs: &Elements) -> Hash {
        let mut hash = Hash::default();
        for (field, value) in pairs.pairs() {
            hash.insert(field, value, self.hash_limits);
        }
        hash
    }

    fn set(&self, members: &Elements) -> Set {
        let mut set = Set::default();
        if let Some(first) = members.iter().next() {
            set.expect(first, members.len(), self.set_limits);
        }
        for member in members.iter() {
            set.insert(member.into(), self.set_limits);
        }
        set
    }
}
