//! The stream value: entries, consumer groups, and their pending entries.
//!
//! Redis keeps a stream's entries in listpacks of about a hundred, and saves these listpacks unchanged:
//!
//! ```text
//! STREAM_LISTPACKS, _2, _3:
//!   number of listpacks, then for each:  master id (string of 16 bytes: ms and seq, u64 big-endian)  listpack (string)
//!   length of the stream, last id
//!   _2, _3:  first id, largest deleted id, entries ever added
//!   number of groups, then for each:
//!     name, last delivered id,  _2, _3: entries read (all bits set: unknown)
//!     number of pending entries, then for each:  id (16 bytes)  delivery time (i64, ms)  delivery count
//!     number of consumers, then for each:  name  seen time (i64, ms)  _3: active time (i64, ms)
//!                                          number of its pending entries, then the id of each (16 bytes)
//!
//! listpack:
//!   count  deleted  n  field 1 ... field n  0                         the master entry: fields that most entries share
//!   flags  ms  seq  value 1 ... value n  back                         flags & 2: an entry with the master's fields
//!   flags  ms  seq  m  field 1  value 1 ... field m  value m  back    an entry with its own
//!          |   |                                             |
//!          differences from the master id                    elements of this entry, to walk backwards
//!   flags & 1: deleted, but still in the listpack
//! ```
//!
//! An ID is written as two lengths, ms and seq, unless the drawing says 16 bytes.
//!
//! A stream in memory ([`types::stream`](crate::types::stream)) keeps its entries in these very listpacks, so they are
//! read and written as they are. What is read is checked to the last element, because nothing checks it later.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::panic::resume_unwind;
use std::sync::mpsc;
use std::thread;

use byteorder::{LittleEndian, WriteBytesExt};

use super::encoder::{Encoder, write_length};
use super::encodings::listpack::Listpack;
use super::encodings::{Encoding, EncodingError, Entry};
use super::error::RdbError;
use super::format::value_type;
use super::source::{RawString, Source};
use super::value::bad_block;
use crate::types::stream::{
    ConsumerGroup, Entries, FLAG_DELETED, FLAG_SAME_FIELDS, History, Name, Pending, Stream,
    StreamId,
};

/// A group's number of entries read, if it is not known.
const UNKNOWN: u64 = u64::MAX;

/// Streams of this many nodes are read and written with the help of a second thread.
const MANY_NODES: u64 = 512;
/// Nodes that are handed from thread to thread together.
const BATCH: usize = 64;
/// Batches that one thread may be ahead of the other.
const BATCHES_AHEAD: usize = 4;

/// Reads a stream of one of the three types.
pub(super) fn read<R: Read>(source: &mut Source<R>, type_code: u8) -> Result<Stream, RdbError> {
    let entries = match source.length("a number of stream nodes")? {
        count @ 0..MANY_NODES => read_nodes(source, count)?,
        count => read_many_nodes(source, count)?,
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
pub(super) fn skip<R: Read>(source: &mut Source<R>, type_code: u8) -> Result<Vec<usize>, RdbError> {
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

const LISTPACK: &str = "a stream listpack";

/// A node as it lies in the file.
struct RawNode {
    id: StreamId,
    /// The offset of the listpack.
    at: u64,
    listpack: RawString,
}

impl RawNode {
    fn read<R: Read>(source: &mut Source<R>) -> Result<RawNode, RdbError> {
        Ok(RawNode {
            id: read_master_id(source)?,
            at: source.offset(),
            listpack: source.raw_string(LISTPACK)?,
        })
    }

    /// Checks the node, which comes after those in `entries`, and adds it.
    fn append_to(self, entries: &mut Entries, order: &mut Order) -> Result<(), RdbError> {
        let listpack = self.listpack.into_plain(LISTPACK)?;
        let (live, deleted) = check_listpack(&listpack, self.id, order)
            .map_err(|error| bad_block(self.at, Encoding::Listpack, error))?;
        entries.append_listpack(self.id, listpack, live, deleted);
        Ok(())
    }
}

fn read_master_id<R: Read>(source: &mut Source<R>) -> Result<StreamId, RdbError> {
    let at = source.offset();
    let master_id = source.string("a stream node key")?;
    let Ok(master_id) = <[u8; 16]>::try_from(master_id.as_slice()) else {
        let what = "Stream node key entry is not the size of a stream ID";
        return Err(RdbError::bad(at, what));
    };
    Ok(StreamId::from_bytes(&master_id))
}

fn read_nodes<R: Read>(source: &mut Source<R>, count: u64) -> Result<Entries, RdbError> {
    let (mut entries, mut order) = (Entries::default(), Order::default());
    for _ in 0..count {
        RawNode::read(source)?.append_to(&mut entries, &mut order)?;
    }
    Ok(entries)
}

/// Reads nodes while a second thread decompresses and checks those that came before.
fn read_many_nodes<R: Read>(source: &mut Source<R>, count: u64) -> Result<Entries, RdbError> {
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel::<Vec<RawNode>>(BATCHES_AHEAD);
        let check = move || {
            let (mut entries, mut order) = (Entries::default(), Order::default());
            for node in receiver.iter().flatten() {
                node.append_to(&mut entries, &mut order)?;
            }
            Ok(entries)
        };
        let Ok(checker) = thread::Builder::new().spawn_scoped(scope, check) else {
            return read_nodes(source, count);
        };
        let mut unread = count;
        let mut send_all = || {
            while unread > 0 {
                let batch = unread.min(BATCH as u64);
                let nodes = (0..batch).map(|_| RawNode::read(source));
                // A checker that has found a fault takes no more nodes.
                if sender.send(nodes.collect::<Result<_, _>>()?).is_err() {
                    break;
                }
                unread -= batch;
            }
            Ok(())
        };
        let sent = send_all();
        drop(sender);
        let entries = checker.join().unwrap_or_else(|panic| resume_unwind(panic));
        // Of two faults, that of the checker comes first in the file.
        entries.and_then(|entries| sent.map(|()| entries))
    })
}

/// The order of the IDs: what has been read so far.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// The largest ID of an entry or a node.
    last: Option<StreamId>,
}

/// Checks the listpack of a node, whose IDs must be larger than those before; returns how many entries it has, and how
/// many of them are deleted besides.
pub(super) fn check_listpack(
    block: &[u8],
    master_id: StreamId,
    order: &mut Order,
) -> Result<(u64, u64), EncodingError> {
    NodeReader {
        listpack: Listpack::new(block)?,
    }
    .check(master_id, order)
}

/// Walks the listpack of a node.
struct NodeReader<'a> {
    listpack: Listpack<'a>,
}

impl<'a> NodeReader<'a> {
    fn check(
        &mut self,
        master_id: StreamId,
        order: &mut Order,
    ) -> Result<(u64, u64), EncodingError> {
        const OUT_OF_ORDER: &str = "entries that are not in the order of their ids";
        if order.last.is_some_and(|last| last >= master_id) {
            return Err(self.bad(OUT_OF_ORDER));
        }
        let _count = self.integer()?;
        let _deleted = self.integer()?;
        let master_len = self.count()?;
        self.skip(master_len)?;
        if self.integer()? != 0 {
            return Err(self.bad("the master entry does not end with 0"));
        }
        let (mut live, mut deleted) = (0, 0);
        let mut last = None;
        while let Some(flags) = self.flags()? {
            let id = StreamId {
                ms: master_id.ms.wrapping_add(self.integer()? as u64),
                seq: master_id.seq.wrapping_add(self.integer()? as u64),
            };
            let elements = match flags & FLAG_SAME_FIELDS != 0 {
                true => {
                    self.skip(master_len)?;
                    3 + master_len
                }
                false => {
                    let len = self.count()?;
                    self.skip(2 * len)?;
                    3 + 1 + 2 * len
                }
            };
            if self.count()? != elements {
                return Err(self.bad("an entry whose size backwards is not its size forwards"));
            }
            if flags & FLAG_DELETED != 0 {
                deleted += 1;
                continue;
            }
            if last.is_some_and(|last| last >= id) || id < master_id {
                return Err(self.bad(OUT_OF_ORDER));
            }
            live += 1;
            last = Some(id);
        }
        order.last = last.or(Some(master_id));
        Ok((live, deleted))
    }

    /// The flags of the next entry, None at the end.
    fn flags(&mut self) -> Result<Option<i64>, EncodingError> {
        // One byte and its backlen: an entry is deleted by setting a bit of this byte.
        const SIZE: usize = 2;
        let at = self.listpack.position();
        match self.listpack.next().transpose()? {
            None => Ok(None),
            Some(Entry::Integer(flags)) if self.listpack.position() - at == SIZE => Ok(Some(flags)),
            Some(Entry::Integer(_)) => Err(self.bad("flags of an entry that cannot be")),
            Some(Entry::Text(_)) => Err(self.bad("text where the flags of an entry must stand")),
        }
    }

    fn skip(&mut self, elements: usize) -> Result<(), EncodingError> {
        (0..elements).try_for_each(|_| self.entry().map(drop))
    }

    fn entry(&mut self) -> Result<Entry<'a>, EncodingError> {
        match self.listpack.next() {
            Some(entry) => entry,
            None => Err(self.bad("the listpack ends within an entry")),
        }
    }

    fn integer(&mut self) -> Result<i64, EncodingError> {
        match self.entry()? {
            Entry::Integer(number) => Ok(number),
            Entry::Text(_) => Err(self.bad("text where an integer must stand")),
        }
    }

    fn count(&mut self) -> Result<usize, EncodingError> {
        // A listpack has at most u32::MAX entries, because its size is a u32.
        let number = self.integer()?;
        u32::try_from(number)
            .map(|count| count as usize)
            .map_err(|_| self.bad("a count that cannot be"))
    }

    fn bad(&self, what: &'static str) -> EncodingError {
        EncodingError {
            at: self.listpack.position(),
            what,
        }
    }
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
    if let Some(consumer) = group.consumer_mut(&name[..]) {
        consumer.active_at_ms = active_at_ms;
    }
    let name = Name::from(name.as_slice());
    for _ in 0..source.length("the number of a consumer's pending entries")? {
        let at = source.offset();
        let id = read_raw_id(source)?;
        let Ok(place) = pending.binary_search_by_key(&id, |entry| entry.id) else {
            return Err(RdbError::bad(
                at,
                "Consumer entry not found in group global PEL",
            ));
        };
        if pending[place].consumer.replace(name.clone()).is_some() {
            return Err(RdbError::bad(
                at,
                "Duplicated consumer PEL entry loading a stream consumer group",
            ));
        }
    }
    Ok(is_new)
}

/// The type in which a stream is written in files of this version.
pub(super) fn type_for(version: u32) -> u8 {
    match version {
        ..10 => value_type::STREAM_LISTPACKS,
        10 => value_type::STREAM_LISTPACKS_2,
        11.. => value_type::STREAM_LISTPACKS_3,
    }
}

/// Writes a stream as the value of this type.
pub(super) fn write(
    encoder: &mut Encoder,
    output: &mut impl Write,
    stream: &Stream,
    type_code: u8,
) -> io::Result<()> {
    let entries = &stream.entries;
    write_length(output, entries.block_count() as u64)?;
    match entries.block_count() as u64 {
        ..MANY_NODES => write_nodes(encoder, output, entries.listpacks())?,
        _ => write_many_nodes(encoder, output, entries)?,
    }
    let history = entries.history();
    write_length(output, entries.len())?;
    write_id(output, history.last_id)?;
    if type_code >= value_type::STREAM_LISTPACKS_2 {
        write_id(output, history.first_id)?;
        write_id(output, history.max_deleted_id)?;
        write_length(output, history.entries_added)?;
    }
    write_length(output, stream.groups.len() as u64)?;
    for (name, group) in stream.groups.iter() {
        encoder.string(output, name)?;
        write_group(encoder, output, group, type_code)?;
    }
    Ok(())
}

fn write_nodes<'a>(
    encoder: &mut Encoder,
    output: &mut impl Write,
    nodes: impl Iterator<Item = (StreamId, &'a [u8])>,
) -> io::Result<()> {
    for (id, listpack) in nodes {
        encoder.string(output, &id.to_bytes())?;
        encoder.string(output, listpack)?;
    }
    Ok(())
}

/// Writes nodes while a second thread encodes every other batch of them.
fn write_many_nodes(
    encoder: &mut Encoder,
    output: &mut impl Write,
    entries: &Entries,
) -> io::Result<()> {
    let nodes: &[_] = &entries.listpacks().collect::<Vec<_>>();
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel::<Vec<u8>>(BATCHES_AHEAD);
        let mut second_encoder = encoder.for_another_thread();
        let encode = move || {
            for batch in nodes.chunks(BATCH).skip(1).step_by(2) {
                let mut encoded = Vec::new();
                let written = write_nodes(&mut second_encoder, &mut encoded, batch.iter().copied());
                // Without a receiver, writing has failed.
                if written
                    .and_then(|()| sender.send(encoded).map_err(io::Error::other))
                    .is_err()
                {
                    break;
                }
            }
        };
        if thread::Builder::new().spawn_scoped(scope, encode).is_err() {
            return write_nodes(encoder, output, nodes.iter().copied());
        }
        for (number, batch) in nodes.chunks(BATCH).enumerate() {
            if number.is_multiple_of(2) {
                write_nodes(encoder, output, batch.iter().copied())?;
            } else {
                output.write_all(&receiver.recv().map_err(io::Error::other)?)?;
            }
        }
        Ok(())
    })
}

fn write_group(
    encoder: &mut Encoder,
    output: &mut impl Write,
    group: &ConsumerGroup,
    type_code: u8,
) -> io::Result<()> {
    write_id(output, group.last_id)?;
    if type_code >= value_type::STREAM_LISTPACKS_2 {
        write_length(output, group.entries_read.unwrap_or(UNKNOWN))?;
    }
    write_length(output, group.pending().len() as u64)?;
    for (id, pending) in group.pending().iter() {
        output.write_all(&id.to_bytes())?;
        output.write_i64::<LittleEndian>(pending.delivered_at_ms)?;
        write_length(output, pending.deliveries)?;
    }
    write_length(output, group.consumers().len() as u64)?;
    for (name, consumer) in group.consumers().iter() {
        encoder.string(output, name)?;
        output.write_i64::<LittleEndian>(consumer.seen_at_ms)?;
        if type_code >= value_type::STREAM_LISTPACKS_3 {
            output.write_i64::<LittleEndian>(consumer.active_at_ms)?;
        }
        write_length(output, consumer.pending().len() as u64)?;
        for (id, ()) in consumer.pending().iter() {
            output.write_all(&id.to_bytes())?;
        }
    }
    Ok(())
}

fn write_id(output: &mut impl Write, id: StreamId) -> io::Result<()> {
    write_length(output, id.ms)?;
    write_length(output, id.seq)
}
