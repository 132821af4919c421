//! Keys in one form, whatever the file says: what `diff` sorts and compares.
//!
//! ```text
//! record:  len u32   database u64 BE  key len u32  key    type u8  expiry: 0 or 1, i64   item item ...
//!          |         |---------- sorted by -----------|   |------------ compared ---------------------|
//!          of all that follows
//! item:    name len u32  name  value len u32  value
//! ```
//! Items of sets, sorted sets and hashes are sorted, those of lists and streams are not. A list's items have empty
//! names; what a stream has besides entries becomes items too.

use my_redis_server::rdb::{KeyRecord, Value};
use my_redis_server::types::stream::{ConsumerGroup, Name, Stream};
use my_redis_server::util::number;
use my_redis_server::util::quoting::quote;

use super::json::type_of;

/// The types, by the byte that stands for them.
pub const TYPES: [&str; 7] = ["string", "list", "set", "zset", "hash", "stream", "module"];

/// A record without its length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record(pub Vec<u8>);

type Item = (Vec<u8>, Vec<u8>);

impl Record {
    pub fn new(database: u64, record: &KeyRecord) -> Record {
        let mut bytes = Vec::new();
        bytes.extend(database.to_be_bytes());
        put(&mut bytes, &record.key);
        let name = type_of(&record.value);
        let code = TYPES.iter().position(|known| *known == name);
        bytes.push(code.map_or(u8::MAX, |code| code as u8));
        bytes.push(u8::from(record.expires_at_ms.is_some()));
        bytes.extend(record.expires_at_ms.unwrap_or(0).to_be_bytes());
        for_each_item(&record.value, |name, value| {
            put(&mut bytes, name);
            put(&mut bytes, value);
        });
        Record(bytes)
    }

    /// The name of a key without its value, and where the file has it: what `check` sorts.
    pub fn of_name(database: u64, key: &[u8], offset: u64) -> Record {
        let mut bytes = Vec::new();
        bytes.extend(database.to_be_bytes());
        put(&mut bytes, key);
        bytes.extend(offset.to_be_bytes());
        Record(bytes)
    }

    /// The offset in a record [of a name](Record::of_name).
    pub fn offset_of_name(&self) -> u64 {
        let offset = self.rest().first_chunk();
        offset.map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }

    fn database_bytes(&self) -> &[u8] {
        &self.0[..8]
    }

    pub fn database(&self) -> u64 {
        self.database_bytes()
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }

    pub fn key(&self) -> &[u8] {
        take(&mut &self.0[8..])
    }

    /// What records are sorted by.
    pub fn order(&self) -> (&[u8], &[u8]) {
        (self.database_bytes(), self.key())
    }

    /// All behind the key.
    fn rest(&self) -> &[u8] {
        &self.0[8 + 4 + self.key().len()..]
    }

    pub fn type_name(&self) -> &'static str {
        TYPES
            .get(usize::from(self.rest()[0]))
            .copied()
            .unwrap_or("unknown")
    }

    /// The deadline, ms since 1970.
    pub fn expires_at_ms(&self) -> Option<i64> {
        let rest = self.rest();
        let bytes = rest[2..10].try_into().ok()?;
        (rest[1] == 1).then(|| i64::from_be_bytes(bytes))
    }

    /// The items in their order.
    pub fn items(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = &self.rest()[10..];
        std::iter::from_fn(move || (!rest.is_empty()).then(|| (take(&mut rest), take(&mut rest))))
    }
}

fn put(bytes: &mut Vec<u8>, text: &[u8]) {
    // A string of an RDB file that is in memory is shorter than 4 GB, or its record is refused when it is written.
    bytes.extend((text.len() as u32).to_be_bytes());
    bytes.extend_from_slice(text);
}

fn take<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let (len, rest) = bytes.split_at(4);
    let len = len
        .iter()
        .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    let (text, rest) = rest.split_at(len);
    *bytes = rest;
    text
}

fn for_each_item(value: &Value, mut visit: impl FnMut(&[u8], &[u8])) {
    match value {
        Value::String(text) => visit(b"", text),
        Value::List(elements, _) => elements.iter().for_each(|element| visit(b"", element)),
        Value::Set(members) => {
            let mut members: Vec<&[u8]> = members.iter().collect();
            members.sort_unstable();
            members.into_iter().for_each(|member| visit(member, b""));
        }
        Value::Hash(pairs) => {
            let mut pairs: Vec<_> = pairs.pairs().collect();
            pairs.sort_unstable();
            pairs
                .into_iter()
                .for_each(|(field, value)| visit(field, value));
        }
        Value::SortedSet { members, scores } => {
            let mut pairs: Vec<_> = members.iter().zip(scores).collect();
            pairs.sort_unstable_by_key(|(member, _)| *member);
            for (member, score) in pairs {
                let mut text = Vec::new();
                number::format_f64(*score, &mut text);
                visit(member, &text);
            }
        }
        Value::Stream(stream) => stream_items(stream)
            .iter()
            .for_each(|(name, value)| visit(name, value)),
        Value::Module { name } => visit(b"", name.as_bytes()),
    }
}

/// Names that no two items of a stream share. Left out, because older types lack them: the first ID, the largest
/// deleted ID, how many entries were added and read, and when consumers were active.
fn stream_items(stream: &Stream) -> Vec<Item> {
    let mut items = Vec::new();
    let mut digits = itoa::Buffer::new();
    for entry in stream.entries.iter() {
        let mut value = Vec::new();
        for (field, text) in entry.fields() {
            quote(field.text(&mut digits), &mut value);
            value.push(b' ');
            quote(text.text(&mut digits), &mut value);
            value.push(b' ');
        }
        value.pop();
        items.push((format!("entry {}", entry.id).into_bytes(), value));
    }
    let last_id = stream.entries.history().last_id.to_string();
    items.push((b"last id".to_vec(), last_id.into_bytes()));
    for (name, group) in stream.groups.iter() {
        group_items(name, group, &mut items);
    }
    items
}

fn group_items(name: &Name, group: &ConsumerGroup, items: &mut Vec<Item>) {
    let name = [b"group ", &name[..]].concat();
    items.push((
        name.clone(),
        format!("last id {}", group.last_id).into_bytes(),
    ));
    for (consumer, seen) in group.consumers().iter() {
        let name = [&name, &b" consumer "[..], consumer].concat();
        items.push((name, format!("seen {}", seen.seen_at_ms).into_bytes()));
    }
    for (id, pending) in group.pending().iter() {
        let name = [&name, format!(" pending {id}").as_bytes()].concat();
        let delivered = format!(
            "delivered {} times, last {}, to ",
            pending.deliveries, pending.delivered_at_ms
        );
        items.push((name, [delivered.as_bytes(), &pending.consumer].concat()));
    }
}
