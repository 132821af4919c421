//! What changes of consumer groups are replayed as: commands that lead to the same group at any time.
//!
//! XREADGROUP, XCLAIM and XAUTOCLAIM depend on the time, and on what was delivered before. As in Redis, each entry that
//! they assign to a consumer is replayed as one XCLAIM with all facts about it.

use crate::keyspace::change::Replay;
use crate::types::stream::{ConsumerGroup, Pending, StreamId};

/// A group of a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupOfKey<'a> {
    pub(super) key: &'a [u8],
    pub(super) group: &'a [u8],
}

impl GroupOfKey<'_> {
    /// The entry with this ID is pending like this; nothing is pending if the entry does not exist.
    pub(super) fn pending(
        self,
        replay: &mut Replay,
        id: StreamId,
        pending: &Pending,
        last_id: StreamId,
    ) {
        let [id, last_id] = [id, last_id].map(|id| id.to_string());
        let delivered_at_ms = pending.delivered_at_ms.to_string();
        let deliveries = pending.deliveries.to_string();
        replay.command(&[
            b"XCLAIM",
            self.key,
            self.group,
            &pending.consumer,
            b"0",
            id.as_bytes(),
            b"TIME",
            delivered_at_ms.as_bytes(),
            b"RETRYCOUNT",
            deliveries.as_bytes(),
            b"FORCE",
            b"JUSTID",
            b"LASTID",
            last_id.as_bytes(),
        ]);
    }

    /// The group has come as far as this.
    pub(super) fn position(self, replay: &mut Replay, group: &ConsumerGroup) {
        let last_id = group.last_id.to_string();
        let read = match group.entries_read {
            Some(read) => (read as i64).to_string(),
            None => "-1".to_string(),
        };
        replay.command(&[
            b"XGROUP",
            b"SETID",
            self.key,
            self.group,
            last_id.as_bytes(),
            b"ENTRIESREAD",
            read.as_bytes(),
        ]);
    }

    /// There is this consumer.
    pub(super) fn consumer(self, replay: &mut Replay, consumer: &[u8]) {
        let Self { key, group } = self;
        replay.command(&[&b"XGROUP"[..], b"CREATECONSUMER", key, group, consumer]);
    }
}
