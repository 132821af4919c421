//! Entries of streams in replies.

use crate::resp::reply::Reply;
use crate::types::stream::{Entries, Entry, IdBuffer, StreamId};

/// Entries from which a reply is sent in pieces: it holds a clone of the stream, which copies next to nothing, and no
/// other client waits while it is long.
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

/// Replies with the entries from this ID to that one, both included; at most `most`, if that is given.
pub(super) fn reply_range(
    reply: &mut Reply,
    entries: &Entries,
    [first, last]: [StreamId; 2],
    most: Option<usize>,
) {
    let most = most.unwrap_or(usize::MAX);
    let expected = entries.len().min(most as u64);
    if expected >= LARGE {
        let count = entries.count(first, last).min(most as u64);
        if count >= LARGE {
            return reply_later(reply, entries, [first, last], count);
        }
    }
    let range = entries.range(first, last).take(most);
    reply_all(reply, range, expected as usize);
}

/// Replies with the entries from this ID to that one, both included, the last one first; at most `most`, if that is
/// given.
pub(super) fn reply_range_back(
    reply: &mut Reply,
    entries: &Entries,
    [first, last]: [StreamId; 2],
    most: Option<usize>,
) {
    let most = most.unwrap_or(usize::MAX);
    let expected = entries.len().min(most as u64);
    let range = entries.range_back(first, last).take(most);
    reply_all(reply, range, expected as usize);
}

fn reply_all<'a>(reply: &mut Reply, entries: impl Iterator<Item = Entry<'a>>, expected: usize) {
    reply.array_of(expected, |reply| {
        entries.map(|entry| reply_entry(reply, &entry)).count()
    });
}

/// Replies with the first `count` entries from this ID to that one, piece by piece.
fn reply_later(reply: &mut Reply, entries: &Entries, range: [StreamId; 2], count: u64) {
    let entries = entries.clone();
    let [mut first, last] = range;
    let mut rest = count;
    reply.array(count as usize);
    reply.later(move |reply| {
        let mut next = None;
        for entry in entries.range(first, last).take(PIECE.min(rest as usize)) {
            reply_entry(reply, &entry);
            next = entry.id.next();
            rest -= 1;
        }
        first = next.unwrap_or(StreamId::MAX);
        rest > 0
    });
}
