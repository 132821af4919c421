//! Reads a stream: its nodes, its history, its consumer groups.

use std::collections::BTreeMap;
use std::io::Read;

use super::nodes::{LISTPACK, read_many_nodes, read_master_id, read_nodes};
use super::{MANY_NODES, UNKNOWN};
use crate::rdb::error::RdbError;
use crate::rdb::format::value_type;
use crate::rdb::source::Source;
use crate::types::stream::{ConsumerGroup, Entries, History, Name, Pending, Stream, StreamId};

/// Reads a stream of one of the three types.
pub(in crate::rdb) fn read<R: Read>(
    source: &mut Source<R>,
    type_code: u8,
) -> Result<Stream, RdbError> {
    let count = source.length("a number of stream nodes")?;
    let entries = match source.has_helper && count >= MANY_NODES {
        true => read_many_nodes(source, count)?,
        false => read_nodes(source, count)?,
    };
    let mut stream = Stream {
        entries,
        ..Stream::default()
    };
    let history = read_history(source, type_code, &stream.entries)?;
    stream.entries.set_history(history);
    let mut has_duplicate = false;
    for _ in 0..source.length("a number of consumer groups")? {
        let (name, group) = read_group(source, type_code, &stream.entries)?;
        has_duplicate |= stream.groups.insert(name, group).is_some();
    }
    if has_duplicate {
        return Err(duplicated_group(source));
    }
    Ok(stream)
}

/// Checks a stream as [`read`] does, except its listpacks, and keeps no entry of it. Returns how many consumers each
/// group has, in the order of the groups' names.
pub(in crate::rdb) fn skip<R: Read>(
    source: &mut Source<R>,
    type_code: u8,
) -> Result<Vec<usize>, RdbError> {
    for _ in 0..source.length("a number of stream nodes")? {
        read_master_id(source)?;
        source.skip_string(LISTPACK)?;
    }
    let none = Entries::default();
    read_history(source, type_code, &none)?;
    let mut consumers = BTreeMap::new();
    let mut has_duplicate = false;
    for _ in 0..source.length("a number of consumer groups")? {
        let (name, group) = read_group(source, type_code, &none)?;
        has_duplicate |= consumers.insert(name, group.consumers().len()).is_some();
    }
    if has_duplicate {
        return Err(duplicated_group(source));
    }
    Ok(consumers.into_values().collect())
}

fn duplicated_group<R: Read>(source: &Source<R>) -> RdbError {
    RdbError::bad(source.offset(), "Duplicated consumer group name")
}

/// Reads what stands between the nodes and the groups.
fn read_history<R: Read>(
    source: &mut Source<R>,
    type_code: u8,
    entries: &Entries,
) -> Result<History, RdbError> {
    // The length is redundant. As in Redis, it is not compared with the number of entries.
    source.length("the length of a stream")?;
    let [first, last] = [entries.first(), entries.last()].map(|entry| entry.map(|entry| entry.id));
    let mut history = History {
        // A smaller last ID would let the next XADD break the order of the entries.
        last_id: read_id(source)?.max(last.unwrap_or_default()),
        // As in Redis, the largest ID stands for the first of a stream without entries.
        first_id: first.unwrap_or(StreamId::MAX),
        max_deleted_id: StreamId::MIN,
        entries_added: entries.len(),
    };
    if type_code >= value_type::STREAM_LISTPACKS_2 {
        history.first_id = read_id(source)?;
        history.max_deleted_id = read_id(source)?;
        history.entries_added = source.length("the number of entries ever added")?;
    }
    Ok(history)
}

fn read_id<R: Read>(source: &mut Source<R>) -> Result<StreamId, RdbError> {
    Ok(StreamId {
        ms: source.length("a stream id")?,
        seq: source.length("a stream id")?,
    })
}

fn read_raw_id<R: Read>(source: &mut Source<R>) -> Result<StreamId, RdbError> {
    Ok(StreamId::from_bytes(
        &source.bytes("a stream id of 16 bytes")?,
    ))
}

fn read_time<R: Read>(source: &mut Source<R>) -> Result<i64, RdbError> {
    Ok(i64::from_le_bytes(source.bytes("a time")?))
}

/// Reads a consumer group and its name. What older types do not say follows from the entries, as in Redis.
fn read_group<R: Read>(
    source: &mut Source<R>,
    type_code: u8,
    entries: &Entries,
) -> Result<(Name, ConsumerGroup), RdbError> {
    let name = source.string("the name of a consumer group")?;
    let last_id = read_id(source)?;
    let entries_read = match type_code >= value_type::STREAM_LISTPACKS_2 {
        true => Some(source.length("the number of entries read")?).filter(|read| *read != UNKNOWN),
        false => entries.entries_up_to(last_id),
    };
    let mut group = ConsumerGroup::new(last_id, entries_read);
    let mut pending = read_pending(source)?;
    let mut has_duplicate = false;
    for _ in 0..source.length("a number of consumers")? {
        has_duplicate |= !read_consumer(source, type_code, &mut group, &mut pending)?;
    }
    if has_duplicate {
        let what = "Duplicate stream consumer detected";
        return Err(RdbError::bad(source.offset(), what));
    }
    for entry in pending {
        let Some(consumer) = entry.consumer else {
            let what = "NACK not belonging to any consumer";
            return Err(RdbError::bad(source.offset(), what));
        };
        let pending = Pending {
            consumer,
            delivered_at_ms: entry.delivered_at_ms,
            deliveries: entry.deliveries,
        };
        group.assign(entry.id, pending);
    }
    Ok((Name::from(name.as_slice()), group))
}

/// A pending entry, whose consumer is known only later, when the consumers are read.
struct PendingEntry {
    id: StreamId,
    delivered_at_ms: i64,
    deliveries: u64,
    consumer: Option<Name>,
}

/// Reads the pending entries of a group.
fn read_pending<R: Read>(source: &mut Source<R>) -> Result<Vec<PendingEntry>, RdbError> {
    let mut pending = Vec::new();
    for _ in 0..source.length("a number of pending entries")? {
        pending.push(PendingEntry {
            id: read_raw_id(source)?,
            delivered_at_ms: read_time(source)?,
            deliveries: source.length("a delivery count")?,
            consumer: None,
        });
    }
    // Redis writes them in order, so sorting is cheap. It allows consumers a binary search.
    pending.sort_by_key(|entry| entry.id);
    if pending.windows(2).any(|pair| pair[0].id == pair[1].id) {
        return Err(RdbError::bad(
            source.offset(),
            "Duplicated global PEL entry loading stream consumer group",
        ));
    }
    Ok(pending)
}

/// Reads a consumer; `false` if there is one of this name.
fn read_consumer<R: Read>(
    source: &mut Source<R>,
    type_code: u8,
    group: &mut ConsumerGroup,
    pending: &mut [PendingEntry],
) -> Result<bool, RdbError> {
    let name = source.string("the name of a consumer")?;
    let seen_at_ms = read_time(source)?;
    let active_at_ms = match type_code >= value_type::STREAM_LISTPACKS_3 {
        true => read_time(source)?,
        false => seen_at_ms,
    };
    let is_new = group.create_consumer(&name, seen_at_ms);
    let mut shared_name = Name::from(name.as_slice());
    if let Some(consumer) = group.consumer_mut(&name[..]) {
        consumer.active_at_ms = active_at_ms;
        shared_name = consumer.name.clone();
    }
    for _ in 0..source.length("the number of a consumer's pending entries")? {
        let at = source.offset();
        let id = read_raw_id(source)?;
        let Ok(place) = pending.binary_search_by_key(&id, |entry| entry.id) else {
            return Err(RdbError::bad(
                at,
                "Consumer entry not found in group global PEL",
            ));
        };
        if pending[place]
            .consumer
            .replace(shared_name.clone())
            .is_some()
        {
            return Err(RdbError::bad(
                at,
                "Duplicated consumer PEL entry loading a stream consumer group",
            ));
        }
    }
    Ok(is_new)
}
