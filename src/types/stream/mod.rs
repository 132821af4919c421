//! The stream: a log of entries, each with an ID and fields with values, and the consumer groups that read it
//! (<https://redis.io/docs/latest/develop/data-types/streams/>).
//!
//! [`entries`] is the log, [`group`] a group; what concerns both is here. A stream of a million entries is cloned by
//! copying some references: all its parts are shared until one of them is changed (copy-on-write).

mod block;
pub mod entries;
pub mod group;
mod id;
#[cfg(test)]
mod tests;

pub use super::listpack::Element;
pub use block::{Entry, FLAG_DELETED, FLAG_SAME_FIELDS, Fields, HEAD_ELEMENTS};
pub use entries::{BlockLimits, Entries, History, Trim};
pub use group::{Consumer, ConsumerGroup, Name, Pending};
pub use id::{IdBuffer, StreamId};

use super::blocks::block_bytes;
use super::ordered_map::OrderedMap;

/// Entries, and the groups that read them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    /// The entries.
    pub entries: Entries,
    /// The consumer groups by name.
    pub groups: OrderedMap<Name, ConsumerGroup>,
}

/// What a consumer of a group is to receive.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// The consumer, which must exist.
    pub consumer: &'a [u8],
    /// The most entries.
    pub most: usize,
    /// The entries do not become pending (NOACK).
    pub noack: bool,
    /// The time: Unix time in milliseconds.
    pub now_ms: i64,
}

impl Stream {
    /// Gives the entries after the group's last ID to a consumer, one after the other, to `receive`. They become
    /// pending, and the group's last ID moves on. An entry that is pending already, because the last ID was set back,
    /// is now this consumer's. Returns the number of entries.
    pub fn deliver(
        &mut self,
        group: &[u8],
        delivery: Delivery<'_>,
        mut receive: impl FnMut(&Entry<'_>),
    ) -> usize {
        let Some(group) = self.groups.get_mut(group) else {
            return 0;
        };
        let Some(first) = group.last_id.next() else {
            return 0;
        };
        let Some(consumer) = group.consumer(delivery.consumer) else {
            return 0;
        };
        let consumer = consumer.name.clone();
        let mut delivered = 0;
        for entry in self.entries.range(first, StreamId::MAX).take(delivery.most) {
            // While nothing was deleted from here on, counting is exact.
            group.entries_read = match group.entries_read {
                Some(read) if !self.entries.has_gap_from(entry.id) => Some(read.wrapping_add(1)),
                _ => self.entries.entries_up_to(entry.id),
            };
            group.last_id = entry.id;
            receive(&entry);
            if !delivery.noack {
                let pending = Pending {
                    consumer: consumer.clone(),
                    delivered_at_ms: delivery.now_ms,
                    deliveries: 1,
                };
                group.assign(entry.id, pending);
            }
            delivered += 1;
        }
        if delivered > 0
            && !delivery.noack
            && let Some(consumer) = group.consumer_mut(&consumer)
        {
            consumer.active_at_ms = delivery.now_ms;
        }
        delivered
    }

    /// How many entries a group has still to read; `None` if that cannot be told, because entries were deleted among
    /// them or the group's position was set by hand.
    pub fn lag(&self, group: &ConsumerGroup) -> Option<u64> {
        let added = self.entries.history().entries_added;
        let read = match group.entries_read {
            _ if added == 0 => return Some(0),
            Some(read) if !self.entries.has_gap_from(group.last_id) => read,
            _ => self.entries.entries_up_to(group.last_id)?,
        };
        Some(added.wrapping_sub(read))
    }

    /// Bytes of its blocks of memory; those of large parts are estimated from this many samples.
    pub fn memory_bytes(&self, samples: usize) -> usize {
        let of_group = |name: &Name, group: &ConsumerGroup| {
            block_bytes(size_of::<usize>() + name.len()) + group.memory_bytes(samples)
        };
        block_bytes(size_of::<Stream>())
            + self.entries.memory_bytes(samples)
            + self.groups.memory_bytes(samples, of_group)
    }
}
