//! A consumer group: which entries of a stream its consumers have received, and which of them are not acknowledged.
//!
//! ```text
//!   group     pending    1526919030474-0 -> ann, delivered_at_ms, deliveries        by ID
//!                        1526919030475-0 -> bob, delivered_at_ms, deliveries
//!             consumers  ann -> { 1526919030474-0 }                    by consumer
//!                        bob -> { 1526919030475-0 }
//! ```
//!
//! An entry that is delivered becomes *pending*, until it is acknowledged (XACK). Another consumer may claim it. (Redis
//! calls the maps PEL, pending entries list, and what they hold NACKs.)
//!
//! Invariant: an ID stands in the set of a consumer if and only if it is pending for that consumer; so it stands in one
//! set at most. Both are ordered maps, hence each step takes O(log n).

use super::id::StreamId;
use crate::types::blocks::block_bytes;
use crate::types::ordered_map::OrderedMap;
use triomphe::Arc;

/// The name of a consumer or a group.
pub type Name = Arc<[u8]>;

/// A consumer group of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumerGroup {
    /// The ID of the entry delivered last; XREADGROUP goes on after it.
    pub last_id: StreamId,
    /// How many of the entries ever added have been delivered; `None` if that is not known.
    pub entries_read: Option<u64>,
    pending: OrderedMap<StreamId, Pending>,
    consumers: OrderedMap<Name, Consumer>,
}

/// An entry that a consumer has received and not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its consumer.
    pub consumer: Name,
    /// When it was delivered last: Unix time in milliseconds.
    pub delivered_at_ms: i64,
    /// How often it was delivered.
    pub deliveries: u64,
}

/// A consumer of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// Its name, which its pending entries share.
    pub name: Name,
    /// When it last called XREADGROUP, XCLAIM or XAUTOCLAIM, or was created: Unix time in milliseconds (`seen-time`).
    pub seen_at_ms: i64,
    /// When it last received or claimed an entry; -1 for never (`active-time`).
    pub active_at_ms: i64,
    pending: OrderedMap<StreamId, ()>,
}

impl ConsumerGroup {
    /// A group without consumers that goes on after `last_id`.
    pub fn new(last_id: StreamId, entries_read: Option<u64>) -> ConsumerGroup {
        ConsumerGroup {
            last_id,
            entries_read,
            ..ConsumerGroup::default()
        }
    }

    /// The pending entries by ID.
    pub fn pending(&self) -> &OrderedMap<StreamId, Pending> {
        &self.pending
    }

    /// The consumers by name.
    pub fn consumers(&self) -> &OrderedMap<Name, Consumer> {
        &self.consumers
    }

    /// A consumer.
    pub fn consumer(&self, name: &[u8]) -> Option<&Consumer> {
        self.consumers.get(name)
    }

    /// A consumer, to be changed.
    pub fn consumer_mut(&mut self, name: &[u8]) -> Option<&mut Consumer> {
        self.consumers.get_mut(name)
    }

    /// Adds a consumer that was seen now; `false` if there is one of this name.
    pub fn create_consumer(&mut self, name: &[u8], now_ms: i64) -> bool {
        let is_new = self.consumer(name).is_none();
        if is_new {
            let name = Name::from(name);
            let consumer = Consumer::new(name.clone(), now_ms);
            self.consumers.insert(name, consumer);
        }
        is_new
    }

    /// Notes that a consumer tries to read or claim; returns whether it is new.
    pub fn mark_seen(&mut self, name: &[u8], now_ms: i64) -> bool {
        match self.consumer_mut(name) {
            Some(consumer) => {
                consumer.seen_at_ms = now_ms;
                false
            }
            None => self.create_consumer(name, now_ms),
        }
    }

    /// Removes a consumer with its pending entries, which are forgotten; returns their number, or `None` if there is no
    /// such consumer.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let consumer = self.consumers.remove(name)?;
        for (id, ()) in consumer.pending.iter() {
            self.pending.remove(id);
        }
        Some(consumer.pending.len())
    }

    /// Makes an entry pending for a consumer, which must exist, whether it was pending before or not.
    pub fn assign(&mut self, id: StreamId, pending: Pending) {
        let consumer = pending.consumer.clone();
        let before = self.pending.insert(id, pending);
        if let Some(before) = before.filter(|before| before.consumer != consumer) {
            self.forget(&before.consumer, id);
        }
        if let Some(consumer) = self.consumer_mut(&consumer) {
            consumer.pending.insert(id, ());
        }
    }

    /// Notes that a consumer has received a pending entry again.
    pub fn deliver_again(&mut self, id: StreamId, now_ms: i64) {
        if let Some(pending) = self.pending.get_mut(&id) {
            pending.delivered_at_ms = now_ms;
            pending.deliveries = pending.deliveries.wrapping_add(1);
        }
    }

    /// Ends the wait for an acknowledgement; returns what was pending.
    pub fn acknowledge(&mut self, id: StreamId) -> Option<Pending> {
        let pending = self.pending.remove(&id)?;
        self.forget(&pending.consumer, id);
        Some(pending)
    }

    fn forget(&mut self, consumer: &[u8], id: StreamId) {
        if let Some(consumer) = self.consumer_mut(consumer) {
            consumer.pending.remove(&id);
        }
    }

    /// Bytes of its blocks of memory, estimated from `samples` of its parts.
    pub(super) fn memory_bytes(&self, samples: usize) -> usize {
        let of_consumer = |name: &Name, consumer: &Consumer| {
            let pending = consumer.pending.memory_bytes(samples, |_, ()| 0);
            block_bytes(size_of::<usize>() + name.len()) + pending
        };
        self.pending.memory_bytes(samples, |_, _| 0)
            + self.consumers.memory_bytes(samples, of_consumer)
    }
}

impl Consumer {
    fn new(name: Name, now_ms: i64) -> Consumer {
        Consumer {
            name,
            seen_at_ms: now_ms,
            active_at_ms: -1,
            pending: OrderedMap::default(),
        }
    }

    /// The IDs of its pending entries.
    pub fn pending(&self) -> &OrderedMap<StreamId, ()> {
        &self.pending
    }
}
