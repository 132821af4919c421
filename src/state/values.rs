//! Converts values of the keyspace to values of an RDB file and back: for the dump, and for DUMP and RESTORE.

use crate::keyspace::object::{self, Object};
use crate::keyspace::string_form::StringForm;
use crate::rdb::{Elements, ListNodes, Value, ValueRef, WriterOptions, payload};
use crate::state::config::Config;
use crate::types::hash::Hash;
use crate::types::limits::{CompactLimits, Limits, SetLimits};
use crate::types::list::{BlockLimit, End, List};
use crate::types::set::{Member, Set};
use crate::types::sorted_set::SortedSet;
use triomphe::Arc;

/// Converts a value of the keyspace to the form for the RDB writer, and passes it to `write`.
pub fn with_value_ref<T>(value: object::Value<'_>, write: impl FnOnce(ValueRef) -> T) -> T {
    match value {
        object::Value::String(string) => write(ValueRef::String(string)),
        object::Value::List(list) => write(ValueRef::List(list.len(), &mut list.iter())),
        object::Value::Hash(hash) => write(ValueRef::Hash(hash.len(), &mut hash.iter())),
        object::Value::Set(set) => match set.integers() {
            Some(mut members) => write(ValueRef::IntegerSet(set.len(), &mut members)),
            None => {
                let mut members = set.iter().filter_map(Member::as_text);
                write(ValueRef::Set(set.len(), &mut members))
            }
        },
        // From the highest score to the lowest, as in Redis.
        object::Value::SortedSet(set) => {
            write(ValueRef::SortedSet(set.len(), &mut set.iter().rev()))
        }
        object::Value::Stream(stream) => write(ValueRef::Stream(stream)),
    }
}

/// The settings of a dump.
pub fn writer_options(config: &Config) -> WriterOptions {
    WriterOptions {
        version: config.rdb_version.get() as u32,
        compression: config.rdbcompression.get(),
        checksum: config.rdbchecksum.get(),
    }
}

/// What DUMP returns for a value.
pub fn payload(value: object::Value<'_>, config: &Config) -> Vec<u8> {
    let WriterOptions {
        version,
        compression,
        ..
    } = writer_options(config);
    let payload = with_value_ref(value, |value| payload::encode(value, compression, version));
    payload.expect("a collection has as many elements as it says")
}

/// The name of the kind of value, if the keyspace cannot hold it.
pub fn unknown_kind(value: &Value) -> Option<String> {
    match value {
        Value::Module { name } => Some(format!("one of the module {name}")),
        _ => None,
    }
}

/// Converts a value from a file to one of the keyspace; `None` if the keyspace [cannot hold it](unknown_kind).
pub fn object(value: Value, limits: &Limits) -> Option<Object> {
    match value {
        Value::String(string) => Some(Object::String(Arc::new(string), StringForm::Natural)),
        Value::List(elements, nodes) => Some(Object::List(list(&elements, &nodes, limits.list))),
        Value::Hash(pairs) => Some(Object::Hash(hash(&pairs, limits.hash))),
        Value::Set(members) => Some(Object::Set(set(&members, limits.set))),
        Value::SortedSet { members, scores } => {
            let entries = members.iter().zip(scores).collect();
            // Redis loses the sign of a binary `-0` if the set is small. Here it is kept, because our dumps have all
            // scores in binary form.
            let set = SortedSet::from_file(entries, limits.sorted_set);
            Some(Object::SortedSet(set))
        }
        Value::Stream(stream) => Some(Object::Stream(stream)),
        Value::Module { .. } => None,
    }
}

fn list(elements: &Elements, nodes: &ListNodes, limit: BlockLimit) -> List {
    if let ListNodes::Quicklist(starts) = nodes {
        return List::of_blocks(elements.iter(), starts, limit);
    }
    let mut list = List::default();
    elements
        .iter()
        .for_each(|element| list.push(End::Right, element, limit));
    list
}

fn hash(pairs: &Elements, limits: CompactLimits) -> Hash {
    let mut hash = Hash::default();
    for (field, value) in pairs.pairs() {
        hash.insert(field, value, limits);
    }
    hash
}

fn set(members: &Elements, limits: SetLimits) -> Set {
    let mut set = Set::default();
    if let Some(first) = members.iter().next() {
        set.reserve(first, members.len(), limits);
    }
    for member in members.iter() {
        set.insert(member.into(), limits);
    }
    set
}
