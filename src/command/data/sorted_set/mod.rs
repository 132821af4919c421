//! Sorted sets: <https://redis.io/commands/?group=sorted-set>. Each file opens with its part of the table.

pub(super) mod add;
mod bounds;
pub(super) mod combine;
pub(super) mod lookup;
pub(super) mod pop;
pub(super) mod range;
pub(super) mod remove;
pub(super) mod sample;

use crate::command::call::Call;
use crate::keyspace::db::Db;
use crate::keyspace::object::Object;
use crate::keyspace::space::Key;
use crate::resp::reply::{Protocol, Reply};
use crate::types::sorted_set::SortedSet;

/// How a reply shows members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Alone.
    Members,
    /// Member, score, member, score...
    Flat,
    /// Each in an array with its score.
    Pairs,
}

impl Shape {
    /// What `WITHSCORES` asks for: RESP3 keeps members and scores together.
    fn of(with_scores: bool, protocol: Protocol) -> Shape {
        match (with_scores, protocol) {
            (false, _) => Shape::Members,
            (true, Protocol::Resp2) => Shape::Flat,
            (true, Protocol::Resp3) => Shape::Pairs,
        }
    }
}

/// Replies with members and their scores.
fn reply_entries<'a>(
    reply: &mut Reply,
    entries: impl ExactSizeIterator<Item = (&'a [u8], f64)>,
    shape: Shape,
) {
    begin_entries(reply, entries.len(), shape);
    write_entries(reply, entries, shape);
}

fn begin_entries(reply: &mut Reply, count: usize, shape: Shape) {
    reply.array(if shape == Shape::Flat {
        2 * count
    } else {
        count
    });
}

fn write_entries<'a>(
    reply: &mut Reply,
    entries: impl Iterator<Item = (&'a [u8], f64)>,
    shape: Shape,
) {
    for (member, score) in entries {
        if shape == Shape::Pairs {
            reply.array(2);
        }
        reply.bulk(member);
        if shape != Shape::Members {
            reply.double(score);
        }
    }
}

/// Notes that members have left a set. If they were all, the key goes, and with it those that are still in it:
/// they are freed when the lock is gone.
fn after_removal(db: &mut Db, key: &Key, event: &'static str, removed: usize, is_all: bool) {
    if removed > 0 {
        db.changed(key, event, removed);
    }
    if removed > 0 && is_all {
        db.remove(key);
        db.changed(key, "del", 0);
    }
}

/// Sets a key to a result, or removes it if that is empty, and replies with how many members it has. `changes` is what
/// a result adds to `rdb_changes_since_last_save`.
pub(super) fn store(
    call: &mut Call,
    db: &mut Db,
    key: &Key,
    result: SortedSet,
    event: &'static str,
    changes: usize,
) {
    let len = result.len();
    if len > 0 {
        db.put_object(key, Object::SortedSet(result), None);
        db.changed(key, event, changes);
    } else if db.remove(key) {
        db.changed(key, "del", 1);
    }
    call.reply.count(len);
}
