//! Entries of streams in replies.

use crate::resp::reply::Reply;
use crate::types::stream::{Entries, Entry, IdBuffer, StreamId};

/// A reply of this many entries is written piece by piece while it is sent, from a clone of the entries, so that no
/// other client waits for it. Until its end, the clone keeps blocks in memory that are trimmed meanwhile.
const LARGE: u64 = 10_000;
/// Entries of a piece.
const PIECE: usize = 256;

/// Replies with an ID.
pub(super) fn reply_id(reply: &mut Reply, id: StreamId) {
    reply.bulk(id.text(&mut IdBuffer::new()));
}

/// Replies with an entry: its ID, and its fields and values.
pub(super) fn reply_entry(reply: &mut Reply, entry: &Entry<'_>) {
    reply.array(2);
    reply_id(reply, entry.id);
    let fields = entry.fields();
    reply.array(2 * fields.len());
    let mut buffer = itoa::Buffer::new();
    for (field, value) in fields {
        reply.bulk(field.text(&mut buffer));
        reply.bulk(value.text(&mut buffer));
    }
}

/// Replies with an entry, or null if there is none.
pub(super) fn reply_entry_or_null(reply: &mut Reply, entry: Option<Entry<'_>>) {
    match entry {
        Some(entry) => reply_entry(reply, &entry),
        None => reply.null(),
    }
}

/// The order of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// The smallest ID first.
    Forward,
    /// The largest ID first.
    Backward,
}

/// Replies with the entries from this ID to that one, both included; at most `most`, if that is given.
pub(super) fn reply_range(
    reply: &mut Reply,
    entries: &Entries,
    ids: [StreamId; 2],
    most: Option<usize>,
    direction: Direction,
) {
    let most = most.unwrap_or(usize::MAX);
    let expected = entries.len().min(most as u64);
    if expected >= LARGE {
        let count = entries.count(ids[0], ids[1]).min(most as u64);
        if count >= LARGE {
            return reply_later(reply, entries, ids, count, direction);
        }
    }
    reply.array_of(expected as usize, |reply| {
        reply_piece(reply, entries, ids, most, direction).0
    });
}

/// Writes at most this many entries; returns their number and the last ID.
fn reply_piece(
    reply: &mut Reply,
    entries: &Entries,
    [first, last]: [StreamId; 2],
    most: usize,
    direction: Direction,
) -> (usize, Option<StreamId>) {
    let (mut count, mut last_written) = (0, None);
    let mut write = |entry: Entry<'_>| {
        reply_entry(reply, &entry);
        count += 1;
        last_written = Some(entry.id);
    };
    match direction {
        Direction::Forward => entries.range(first, last).take(most).for_each(&mut write),
        Direction::Backward => entries
            .range_back(first, last)
            .take(most)
            .for_each(&mut write),
    }
    (count, last_written)
}

/// Replies with the `count` entries that come first, piece by piece.
fn reply_later(
    reply: &mut Reply,
    entries: &Entries,
    ids: [StreamId; 2],
    count: u64,
    direction: Direction,
) {
    let entries = entries.clone();
    let [mut first, mut last] = ids;
    let mut rest = count as usize;
    reply.array(rest);
    reply.later(move |reply| {
        let most = PIECE.min(rest);
        let (written, end) = reply_piece(reply, &entries, [first, last], most, direction);
        debug_assert_eq!(
            written, most,
            "the clone has as many entries as were counted"
        );
        match direction {
            Direction::Forward => first = end.and_then(StreamId::next).unwrap_or(StreamId::MAX),
            Direction::Backward => last = end.and_then(StreamId::previous).unwrap_or(StreamId::MIN),
        }
        rest -= most;
        rest > 0
    });
}
