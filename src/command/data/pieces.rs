//! Replies with whole collections. A large one is cloned, which copies next to nothing (see [`types`](crate::types)),
//! and sent piece by piece when the lock is gone: no second copy of it is made, and no other client waits while it is
//! long.

use crate::resp::reply::Reply;
use std::ops::Range;

/// Elements from which a collection is sent in pieces.
const LARGE: usize = 10_000;
/// Elements of a piece.
const PIECE: usize = 256;

/// Whether a collection of this many elements is large.
pub(super) fn is_large(len: usize) -> bool {
    len >= LARGE
}

/// Replies with a part of a collection: `len` elements, which `write` writes when it gets the numbers of elements, or
/// those of the [parts](crate::types::hash::HashRef::part) that they lie in.
pub(super) fn reply_with<C: Clone + Send + 'static>(
    reply: &mut Reply,
    collection: &C,
    len: usize,
    numbers: Range<usize>,
    write: impl Fn(&mut Reply, &C, Range<usize>) + Send + 'static,
) {
    if !is_large(len) {
        return write(reply, collection, numbers);
    }
    let collection = collection.clone();
    reply_later(reply, len, numbers, move |reply, piece| {
        write(reply, &collection, piece);
    });
}

/// Replies with `len` elements of a large collection, which `write` has and writes piece by piece: see [`reply_with`].
pub(super) fn reply_later(
    reply: &mut Reply,
    len: usize,
    mut numbers: Range<usize>,
    write: impl Fn(&mut Reply, Range<usize>) + Send + 'static,
) {
    let step = (numbers.len() * PIECE / len).max(1);
    reply.later(move |reply| {
        let piece = numbers.start..numbers.end.min(numbers.start + step);
        numbers.start = piece.end;
        write(reply, piece);
        !numbers.is_empty()
    });
}
