//! Explains streams: nodes with their listpacks, consumer groups, pending entries. The layout is drawn in
//! `rdb/stream.rs`, the counterpart in the reader.

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::Read;

use super::super::encodings::{Encoding, Entry};
use super::super::error::RdbError;
use super::super::format::value_type;
use super::super::stream::{Order, check_listpack};
use super::super::value::bad_block;
use super::frame::Walker;
use super::{Excerpt, Place, Role, Section, Sink, Stop, Walk};
use crate::types::stream::{FLAG_DELETED, FLAG_SAME_FIELDS, StreamId};
use crate::util::clock;

impl<R: Read, S: Sink> Walker<'_, R, S> {
    /// A stream of one of the three types.
    pub(super) fn stream(&mut self, type_code: u8) -> Walk<()> {
        let has_counters = type_code >= value_type::STREAM_LISTPACKS_2;
        let mut order = Order::default();
        for _ in 0..self.length("a number of stream nodes")? {
            self.node(&mut order)?;
        }
        let expected = "the length of a stream";
        self.length_as(expected, "the length of the stream")?;
        self.id("the last id")?;
        if has_counters {
            self.id("the first id")?;
            self.id("the largest id deleted")?;
            self.length("the number of entries ever added")?;
        }
        let mut names = HashSet::new();
        let mut has_duplicate = false;
        for _ in 0..self.length("a number of consumer groups")? {
            has_duplicate |= !names.insert(self.group(type_code)?);
        }
        if has_duplicate {
            let at = self.source.offset();
            return Err(RdbError::bad(at, "Duplicated consumer group name").into());
        }
        Ok(())
    }

    /// An id as two lengths.
    fn id(&mut self, name: &str) -> Walk<()> {
        self.length_as("a stream id", &format!("{name}, ms"))?;
        self.length_as("a stream id", &format!("{name}, number within the ms"))?;
        Ok(())
    }

    /// An id of 16 bytes.
    fn raw_id(&mut self, name: &str) -> Walk<StreamId> {
        let at = self.source.offset();
        let bytes: [u8; 16] = self.source.bytes("a stream id of 16 bytes")?;
        let id = StreamId::from_bytes(&bytes);
        let meaning = format_args!("{name}: {}-{}", id.ms, id.seq);
        self.plain_field(at, &bytes, Role::Number, meaning)?;
        Ok(id)
    }

    fn time(&mut self, name: &str) -> Walk<()> {
        let at = self.source.offset();
        let bytes: [u8; 8] = self.source.bytes("a time")?;
        let ms = i64::from_le_bytes(bytes);
        if ms == -1 {
            return self.plain_field(at, &bytes, Role::Time, format_args!("{name}: never"));
        }
        let meaning = format_args!("{name}: {}", clock::log_time(ms));
        self.plain_field(at, &bytes, Role::Time, meaning)
    }

    /// A master id and its listpack.
    fn node(&mut self, order: &mut Order) -> Walk<()> {
        let at = self.source.offset();
        let key = self.whole("a stream node key")?;
        let Ok(master_id) = <[u8; 16]>::try_from(key.bytes.as_slice()) else {
            let what = "Stream node key entry is not the size of a stream ID";
            return Err(RdbError::bad(at, what).into());
        };
        let master_id = StreamId::from_bytes(&master_id);
        let meaning = format_args!(
            "a stream node key, the master id: {}-{}",
            master_id.ms, master_id.seq
        );
        self.field(
            key.place,
            Excerpt::of(&key.bytes),
            Role::Number,
            meaning,
            None,
        )?;

        let at = self.source.offset();
        let whole = self.whole("a stream listpack")?;
        let verdict = check_listpack(&whole.bytes, master_id, order)
            .map_err(|error| bad_block(at, Encoding::Listpack, error));
        self.key.elements += verdict.as_ref().map_or(0, |(live, _)| *live);
        let mut labels = NodeLabels::new(master_id);
        let explained = self.explain_block(Encoding::Listpack, &whole, at, &mut |entry| {
            labels.next(entry)
        });
        match (verdict, explained) {
            // The reader checks entries and listpack together, so its error comes first.
            (Err(fault), Ok(()) | Err(Stop::Fault(_))) => Err(fault.into()),
            (_, explained) => explained,
        }
    }

    /// A consumer group; its name.
    fn group(&mut self, type_code: u8) -> Walk<u128> {
        let at = self.source.offset();
        self.enter(
            Place::File(at),
            &Section::Part(format_args!("a consumer group")),
        )?;
        let name = self
            .text(Role::Text, "the name of a consumer group")?
            .fingerprint;
        self.id("the id delivered last")?;
        if type_code >= value_type::STREAM_LISTPACKS_2 {
            self.length("the number of entries read")?;
        }
        let mut pending = self.pending()?;
        let mut consumers = HashSet::new();
        let mut has_duplicate = false;
        for _ in 0..self.length("a number of consumers")? {
            has_duplicate |= !consumers.insert(self.consumer(type_code, &mut pending)?);
        }
        let at = self.source.offset();
        if has_duplicate {
            return Err(RdbError::bad(at, "Duplicate stream consumer detected").into());
        }
        if pending.iter().any(|(_, is_owned)| !is_owned) {
            return Err(RdbError::bad(at, "NACK not belonging to any consumer").into());
        }
        self.leave()?;
        Ok(name)
    }

    /// The pending entries of a group, in order of their ids. Their consumers are not known yet.
    fn pending(&mut self) -> Walk<Vec<(StreamId, bool)>> {
        let mut pending = Vec::new();
        for _ in 0..self.length("a number of pending entries")? {
            pending.push((self.raw_id("pending id")?, false));
            self.time("delivered")?;
            self.length("a delivery count")?;
        }
        pending.sort_unstable();
        if pending.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            let at = self.source.offset();
            let what = "Duplicated global PEL entry loading stream consumer group";
            return Err(RdbError::bad(at, what).into());
        }
        Ok(pending)
    }

    /// A consumer; its name.
    fn consumer(&mut self, type_code: u8, pending: &mut [(StreamId, bool)]) -> Walk<u128> {
        let at = self.source.offset();
        self.enter(Place::File(at), &Section::Part(format_args!("a consumer")))?;
        let name = self.text(Role::Text, "the name of a consumer")?.fingerprint;
        self.time("seen")?;
        if type_code >= value_type::STREAM_LISTPACKS_3 {
            self.time("active")?;
        }
        for _ in 0..self.length("the number of a consumer's pending entries")? {
            let at = self.source.offset();
            let id = self.raw_id("pending id, one of those above")?;
            let Ok(place) = pending.binary_search_by_key(&id, |(id, _)| *id) else {
                let what = "Consumer entry not found in group global PEL";
                return Err(RdbError::bad(at, what).into());
            };
            if std::mem::replace(&mut pending[place].1, true) {
                let what = "Duplicated consumer PEL entry loading a stream consumer group";
                return Err(RdbError::bad(at, what).into());
            }
        }
        self.leave()?;
        Ok(name)
    }
}

/// The meaning of the next entry of a stream's listpack.
#[derive(Clone, Copy)]
enum Next {
    Count,
    Deleted,
    MasterFieldCount,
    MasterField,
    MasterEnd,
    Flags,
    Ms,
    Seq,
    FieldCount,
    Field,
    Value,
    Size,
    /// An entry was wrong; the reader's error says why.
    Lost,
}

/// Words for the listpack of a node, entry by entry.
struct NodeLabels {
    next: Next,
    master_id: StreamId,
    master_fields: i64,
    flags: i64,
    ms: u64,
    /// Fields or values still to come.
    left: i64,
}

impl NodeLabels {
    fn new(master_id: StreamId) -> NodeLabels {
        NodeLabels {
            next: Next::Count,
            master_id,
            master_fields: 0,
            flags: 0,
            ms: 0,
            left: 0,
        }
    }

    fn next(&mut self, entry: Entry<'_>) -> Cow<'static, str> {
        let number = match (self.next, entry) {
            (Next::MasterField | Next::Field | Next::Value, _) => 0,
            (_, Entry::Integer(number)) => number,
            (_, Entry::Text(_)) => {
                self.next = Next::Lost;
                0
            }
        };
        let (words, next) = self.step(number);
        self.next = next;
        words
    }

    /// The words for the present entry, and the meaning of the next one.
    fn step(&mut self, number: i64) -> (Cow<'static, str>, Next) {
        let (words, next) = match self.next {
            Next::Count => ("entries in this node", Next::Deleted),
            Next::Deleted => ("deleted entries in this node", Next::MasterFieldCount),
            Next::MasterFieldCount => {
                self.master_fields = number;
                self.left = number;
                let next = if number > 0 {
                    Next::MasterField
                } else {
                    Next::MasterEnd
                };
                ("fields of the master entry", next)
            }
            Next::MasterField => {
                self.left -= 1;
                let next = if self.left > 0 {
                    Next::MasterField
                } else {
                    Next::MasterEnd
                };
                ("a field of the master entry", next)
            }
            Next::MasterEnd => ("the end of the master entry", Next::Flags),
            Next::Flags => {
                self.flags = number;
                (flags_words(number), Next::Ms)
            }
            Next::Ms => {
                self.ms = self.master_id.ms.wrapping_add(number as u64);
                ("ms after the master id", Next::Seq)
            }
            Next::Seq => return self.id(number),
            Next::FieldCount => {
                self.left = number;
                let next = if number > 0 { Next::Field } else { Next::Size };
                ("fields of this entry", next)
            }
            Next::Field => ("a field", Next::Value),
            Next::Value => {
                self.left -= 1;
                let next = match (self.left > 0, self.has_master_fields()) {
                    (false, _) => Next::Size,
                    (true, true) => Next::Value,
                    (true, false) => Next::Field,
                };
                ("a value", next)
            }
            Next::Size => ("elements of this entry, to walk backwards", Next::Flags),
            Next::Lost => ("an element out of place", Next::Lost),
        };
        (Cow::Borrowed(words), next)
    }

    fn has_master_fields(&self) -> bool {
        self.flags & FLAG_SAME_FIELDS != 0
    }

    fn id(&mut self, number: i64) -> (Cow<'static, str>, Next) {
        let (ms, seq) = (self.ms, self.master_id.seq.wrapping_add(number as u64));
        let words = format!("entry {ms}-{seq}, its number after the master id");
        let next = if !self.has_master_fields() {
            Next::FieldCount
        } else if self.master_fields > 0 {
            self.left = self.master_fields;
            Next::Value
        } else {
            Next::Size
        };
        (Cow::Owned(words), next)
    }
}

fn flags_words(flags: i64) -> &'static str {
    match (flags & FLAG_DELETED != 0, flags & FLAG_SAME_FIELDS != 0) {
        (false, false) => "flags of an entry with fields of its own",
        (false, true) => "flags of an entry with the master's fields",
        (true, false) => "flags of a deleted entry with fields of its own",
        (true, true) => "flags of a deleted entry with the master's fields",
    }
}
