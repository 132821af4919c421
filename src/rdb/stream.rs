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
//! An id is written as two lengths, ms and seq, unless the drawing says 16 bytes.

use std::collections::HashSet;
use std::io::Read;

use byteorder::{BigEndian, ByteOrder};

use super::elements::Elements;
use super::encodings::listpack::Listpack;
use super::encodings::{Encoding, EncodingError, Entry};
use super::error::RdbError;
use super::format::value_type;
use super::source::Source;
use super::value::bad_block;

pub(super) const FLAG_DELETED: i64 = 1;
pub(super) const FLAG_SAME_FIELDS: i64 = 2;

/// The id of an entry: milliseconds since 1970, and a number within the millisecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// The part before the dash.
    pub ms: u64,
    /// The part behind it.
    pub seq: u64,
}

impl StreamId {
    pub(super) fn from_bytes(bytes: &[u8; 16]) -> StreamId {
        StreamId {
            ms: BigEndian::read_u64(&bytes[..8]),
            seq: BigEndian::read_u64(&bytes[8..]),
        }
    }
}

/// A whole stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    /// The entries, in ascending order of their ids.
    pub entries: StreamEntries,
    /// The id given last; no entry has a larger one.
    pub last_id: StreamId,
    /// The history of the stream; None in files before Redis 7.0.
    pub counters: Option<StreamCounters>,
    /// The consumer groups.
    pub groups: Vec<ConsumerGroup>,
}

/// The facts of a stream that include removed entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamCounters {
    /// The id of the first entry, 0-0 if there is none.
    pub first_id: StreamId,
    /// The largest id that was deleted.
    pub max_deleted_id: StreamId,
    /// The number of entries ever added.
    pub entries_added: u64,
}

/// A consumer group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerGroup {
    /// Its name.
    pub name: Vec<u8>,
    /// The id delivered last.
    pub last_id: StreamId,
    /// The number of entries that the group has read. None if it is not known, as in all files before Redis 7.0; then
    /// Redis estimates it from `last_id`.
    pub entries_read: Option<u64>,
    /// Entries delivered and not acknowledged, in ascending order of their ids.
    pub pending: Vec<PendingEntry>,
    /// The consumers.
    pub consumers: Vec<Consumer>,
}

/// An entry that a consumer has received and not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingEntry {
    /// Its id.
    pub id: StreamId,
    /// When it was delivered last, ms since 1970.
    pub delivered_at_ms: i64,
    /// The number of deliveries.
    pub delivery_count: u64,
    /// Its consumer: an index into `ConsumerGroup::consumers`.
    pub consumer: usize,
}

/// A consumer of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// Its name.
    pub name: Vec<u8>,
    /// When it last tried to read, ms since 1970.
    pub seen_at_ms: i64,
    /// When it last got an entry, ms since 1970; -1 for never. In files before Redis 7.2 it is equal to `seen_at_ms`.
    pub active_at_ms: i64,
}

/// The entries of a stream. Entries with the master entry's field names share them in memory, too, so a small file with
/// long names does not become large.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamEntries {
    names: Elements,
    values: Elements,
    spans: Vec<EntrySpan>,
}

/// The place of an entry's fields: `len` elements of `names` and as many of `values`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct EntrySpan {
    id: StreamId,
    first_name: usize,
    first_value: usize,
    len: usize,
}

impl StreamEntries {
    /// The number of entries.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Each entry: its id, and its fields with their values.
    pub fn iter(
        &self,
    ) -> impl ExactSizeIterator<Item = (StreamId, impl ExactSizeIterator<Item = (&[u8], &[u8])>)>
    {
        self.spans.iter().map(|span| {
            let field = |index| {
                (
                    self.names.get(span.first_name + index),
                    self.values.get(span.first_value + index),
                )
            };
            (span.id, (0..span.len).map(field))
        })
    }

    /// Removes all entries. The id that later entries must exceed stays.
    pub(super) fn forget_all_but_last_id(&mut self) {
        let last = self.spans.last().copied();
        *self = StreamEntries::default();
        self.spans
            .extend(last.map(|span| EntrySpan { len: 0, ..span }));
    }

    /// The largest id.
    fn last_id(&self) -> Option<StreamId> {
        self.spans.last().map(|span| span.id)
    }
}

/// Reads a stream of one of the three types.
pub(super) fn read<R: Read>(source: &mut Source<R>, type_code: u8) -> Result<Stream, RdbError> {
    let mut stream = Stream::default();
    for _ in 0..source.length("a number of stream nodes")? {
        read_node(source, &mut stream.entries)?;
    }
    // The length is redundant. As in Redis, it is not compared with the number of entries.
    source.length("the length of a stream")?;
    // A smaller last id would let the next XADD break the order of the entries.
    stream.last_id = read_id(source)?.max(stream.entries.last_id().unwrap_or_default());
    if type_code >= value_type::STREAM_LISTPACKS_2 {
        stream.counters = Some(StreamCounters {
            first_id: read_id(source)?,
            max_deleted_id: read_id(source)?,
            entries_added: source.length("the number of entries ever added")?,
        });
    }
    for _ in 0..source.length("a number of consumer groups")? {
        stream.groups.push(read_group(source, type_code)?);
    }
    if has_duplicates(stream.groups.iter().map(|group| &group.name)) {
        return Err(RdbError::bad(
            source.offset(),
            "Duplicated consumer group name",
        ));
    }
    Ok(stream)
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

/// Reads a master id and its listpack.
fn read_node<R: Read>(source: &mut Source<R>, entries: &mut StreamEntries) -> Result<(), RdbError> {
    let at = source.offset();
    let master_id = source.string("a stream node key")?;
    let Ok(master_id) = <[u8; 16]>::try_from(master_id.as_slice()) else {
        return Err(RdbError::bad(
            at,
            "Stream node key entry is not the size of a stream ID",
        ));
    };
    let at = source.offset();
    let block = source.string("a stream listpack")?;
    read_listpack(&block, StreamId::from_bytes(&master_id), entries)
        .map_err(|error| bad_block(at, Encoding::Listpack, error))
}

/// Adds the entries in the listpack of a node. Their ids must be larger than those of earlier nodes.
pub(super) fn read_listpack(
    block: &[u8],
    master_id: StreamId,
    entries: &mut StreamEntries,
) -> Result<(), EncodingError> {
    NodeReader::new(block)?.read(master_id, entries)
}

/// Walks the listpack of a node.
struct NodeReader<'a> {
    listpack: Listpack<'a>,
}

impl<'a> NodeReader<'a> {
    fn new(block: &'a [u8]) -> Result<NodeReader<'a>, EncodingError> {
        Ok(NodeReader {
            listpack: Listpack::new(block)?,
        })
    }

    /// Adds the entries that are not deleted.
    fn read(
        &mut self,
        master_id: StreamId,
        entries: &mut StreamEntries,
    ) -> Result<(), EncodingError> {
        let _count = self.integer()?;
        let _deleted = self.integer()?;
        let master_len = self.count()?;
        let master_names = entries.names.len();
        for _ in 0..master_len {
            entries.names.push_entry(self.entry()?);
        }
        if self.integer()? != 0 {
            return Err(self.bad("the master entry does not end with 0"));
        }
        while let Some(flags) = self.flags()? {
            let id = StreamId {
                ms: master_id.ms.wrapping_add(self.integer()? as u64),
                seq: master_id.seq.wrapping_add(self.integer()? as u64),
            };
            let same_fields = flags & FLAG_SAME_FIELDS != 0;
            let len = if same_fields {
                master_len
            } else {
                self.count()?
            };
            let first_name = if same_fields {
                master_names
            } else {
                entries.names.len()
            };
            let first_value = entries.values.len();
            // The fields of a deleted entry are read like others, but get no span, so the entry does not appear.
            for _ in 0..len {
                if !same_fields {
                    entries.names.push_entry(self.entry()?);
                }
                entries.values.push_entry(self.entry()?);
            }
            let elements = if same_fields {
                3 + len
            } else {
                3 + 1 + 2 * len
            };
            if self.count()? != elements {
                return Err(self.bad("an entry whose size backwards is not its size forwards"));
            }
            if flags & FLAG_DELETED != 0 {
                continue;
            }
            if entries.last_id().is_some_and(|last| last >= id) {
                return Err(self.bad("entries that are not in the order of their ids"));
            }
            entries.spans.push(EntrySpan {
                id,
                first_name,
                first_value,
                len,
            });
        }
        Ok(())
    }

    /// The flags of the next entry, None at the end.
    fn flags(&mut self) -> Result<Option<i64>, EncodingError> {
        match self.listpack.next().transpose()? {
            None => Ok(None),
            Some(Entry::Integer(flags)) => Ok(Some(flags)),
            Some(Entry::Text(_)) => Err(self.bad("text where the flags of an entry must stand")),
        }
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

fn read_group<R: Read>(source: &mut Source<R>, type_code: u8) -> Result<ConsumerGroup, RdbError> {
    let name = source.string("the name of a consumer group")?;
    let last_id = read_id(source)?;
    let entries_read = if type_code >= value_type::STREAM_LISTPACKS_2 {
        Some(source.length("the number of entries read")?).filter(|&count| count != u64::MAX)
    } else {
        None
    };
    let mut group = ConsumerGroup {
        name,
        last_id,
        entries_read,
        pending: read_pending(source)?,
        consumers: Vec::new(),
    };
    for _ in 0..source.length("a number of consumers")? {
        read_consumer(source, type_code, &mut group)?;
    }
    if has_duplicates(group.consumers.iter().map(|consumer| &consumer.name)) {
        return Err(RdbError::bad(
            source.offset(),
            "Duplicate stream consumer detected",
        ));
    }
    if group
        .pending
        .iter()
        .any(|entry| entry.consumer == NO_CONSUMER)
    {
        return Err(RdbError::bad(
            source.offset(),
            "NACK not belonging to any consumer",
        ));
    }
    Ok(group)
}

/// Stands for the consumer of a pending entry until the consumers are read.
const NO_CONSUMER: usize = usize::MAX;

/// Reads the pending entries of a group. Their consumers are known only later, when the consumers are read.
fn read_pending<R: Read>(source: &mut Source<R>) -> Result<Vec<PendingEntry>, RdbError> {
    let mut pending = Vec::new();
    for _ in 0..source.length("a number of pending entries")? {
        pending.push(PendingEntry {
            id: read_raw_id(source)?,
            delivered_at_ms: read_time(source)?,
            delivery_count: source.length("a delivery count")?,
            consumer: NO_CONSUMER,
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

fn read_consumer<R: Read>(
    source: &mut Source<R>,
    type_code: u8,
    group: &mut ConsumerGroup,
) -> Result<(), RdbError> {
    let name = source.string("the name of a consumer")?;
    let seen_at_ms = read_time(source)?;
    let active_at_ms = if type_code >= value_type::STREAM_LISTPACKS_3 {
        read_time(source)?
    } else {
        seen_at_ms
    };
    let index = group.consumers.len();
    group.consumers.push(Consumer {
        name,
        seen_at_ms,
        active_at_ms,
    });
    for _ in 0..source.length("the number of a consumer's pending entries")? {
        let at = source.offset();
        let id = read_raw_id(source)?;
        let Ok(place) = group.pending.binary_search_by_key(&id, |entry| entry.id) else {
            return Err(RdbError::bad(
                at,
                "Consumer entry not found in group global PEL",
            ));
        };
        if group.pending[place].consumer != NO_CONSUMER {
            return Err(RdbError::bad(
                at,
                "Duplicated consumer PEL entry loading a stream consumer group",
            ));
        }
        group.pending[place].consumer = index;
    }
    Ok(())
}

fn has_duplicates<'a>(mut names: impl Iterator<Item = &'a Vec<u8>>) -> bool {
    let mut seen = HashSet::new();
    !names.all(|name| seen.insert(name))
}
