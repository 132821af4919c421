//! Replies with whole collections. A large one is cloned, which copies next to nothing (see [`types`](crate::types)),
//! and sent piece by piece when the lock is gone: no second copy of it is made, and no other client waits while it is
//! long.

use crate::resp::reply::Reply;
use std::ops::Range;

/// Elements from which a collection is sent in pieces.
const LARGE: usize = 10_000;
/// Elements of a piece.
const PIECE: usize = 256;

/// Replies with a part of a collection: `len` elements, which `write` writes when it gets the numbers of elements, or
/// those of the [parts](crate::types::hash::Hash::part) that they lie in.
pub(super) fn reply_with<C: Clone + Send + 'static>(
    reply: &mut Reply,
    collection: &C,
    len: usize,
    mut numbers: Range<usize>,
    write: impl Fn(&mut Reply, &C, Range<usize>) + Send + 'static,
) {
    if len < LARGE {
        return write(reply, collection, numbers);
    }
    let step = (numbers.len() * PIECE / len).max(1);
    let collection = collection.clone();
    reply.later(move |reply| {
        let piece = numbers.start..numbers.end.min(numbers.start + step);
        numbers.start = piece.end;
        write(reply, &collection, piece);
        !numbers.is_empty()
    });
}
