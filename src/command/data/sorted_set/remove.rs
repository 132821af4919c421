//! ZREM and the removal of ranges.

use super::{after_removal, bounds};
use crate::command::call::{Call, clamp_range};
use crate::command::error::CommandResult;
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::types::sorted_set::SortedSet;
use std::ops::Range;

#[rustfmt::skip]
pub(in crate::command) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "zrem", arity: -3, handler: Write(zrem), keys: &[key(1, &[RW, DELETE])],
        flags: flags(&[WRITE, FAST]), group: Group::SortedSet, since: "1.2.0",
        syntax: "key member [member ...]",
        summary: "Removes one or more members from a sorted set. Deletes the sorted set if all members were removed.",
        complexity: "O(M*log(N)) with N being the number of elements in the sorted set and M the number of elements to \
            be removed.",
        history: &[("2.4.0", "Accepts multiple elements.")], ..BASE },
    CommandSpec { name: "zremrangebyrank", arity: 4, handler: Write(zremrangebyrank), keys: &[key(1, &[RW, DELETE])],
        flags: flags(&[WRITE]), group: Group::SortedSet, since: "2.0.0",
        syntax: "key start stop",
        summary: "Removes members in a sorted set within a range of indexes. Deletes the sorted set if all members \
            were removed.",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements \
            removed by the operation.", ..BASE },
    CommandSpec { name: "zremrangebyscore", arity: 4, handler: Write(zremrangebyscore), keys: &[key(1, &[RW, DELETE])],
        flags: flags(&[WRITE]), group: Group::SortedSet, since: "1.2.0",
        syntax: "key min:double max:double",
        summary: "Removes members in a sorted set within a range of scores. Deletes the sorted set if all members were \
            removed.",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements \
            removed by the operation.", ..BASE },
    CommandSpec { name: "zremrangebylex", arity: 4, handler: Write(zremrangebylex), keys: &[key(1, &[RW, DELETE])],
        flags: flags(&[WRITE]), group: Group::SortedSet, since: "2.8.9",
        syntax: "key min max",
        summary: "Removes members in a sorted set within a lexicographical range. Deletes the sorted set if all \
            members were removed.",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements \
            removed by the operation.", ..BASE },
];

/// ```text
/// > ZADD board 10 ann 20 bob
/// (integer) 2
/// > ZREM board bob nobody
/// (integer) 1
/// ```
fn zrem(call: &mut Call, db: &mut Db) -> CommandResult {
    let key = call.key();
    let mut removed = 0;
    let mut is_empty = false;
    if let Some(set) = db.collection_mut::<SortedSet>(&key)? {
        let members = call.arguments[2..].iter();
        removed = members.filter(|member| set.remove(member)).count();
        is_empty = set.is_empty();
    }
    after_removal(db, &key, "zrem", removed, is_empty);
    call.reply.count(removed);
    Ok(())
}

/// ```text
/// > ZADD board 10 ann 20 bob 30 cid
/// (integer) 3
/// > ZREMRANGEBYRANK board 0 -2
/// (integer) 2
/// > ZRANGE board 0 -1
/// 1) "cid"
/// ```
fn zremrangebyrank(call: &mut Call, db: &mut Db) -> CommandResult {
    let (start, stop) = (call.integer(2)?, call.integer(3)?);
    remove_ranks(call, db, "zremrangebyrank", |set| {
        clamp_range(start, stop, set.len())
    })
}

/// ```text
/// > ZADD board 10 ann 20 bob 30 cid
/// (integer) 3
/// > ZREMRANGEBYSCORE board -inf (30
/// (integer) 2
/// ```
fn zremrangebyscore(call: &mut Call, db: &mut Db) -> CommandResult {
    let (from, to) = bounds::by_score(call.argument(2), call.argument(3))?;
    remove_ranks(call, db, "zremrangebyscore", |set| set.ranks(from, to))
}

/// ```text
/// > ZADD names 0 ann 0 bob 0 cid
/// (integer) 3
/// > ZREMRANGEBYLEX names - [bob
/// (integer) 2
/// ```
fn zremrangebylex(call: &mut Call, db: &mut Db) -> CommandResult {
    let (from, to) = bounds::by_member(call.argument(2), call.argument(3))?;
    remove_ranks(call, db, "zremrangebylex", |set| set.ranks(from, to))
}

fn remove_ranks(
    call: &mut Call,
    db: &mut Db,
    event: &'static str,
    find: impl FnOnce(&SortedSet) -> Range<usize>,
) -> CommandResult {
    let key = call.key();
    let (mut removed, mut is_all) = (0, false);
    if let Some(set) = db.collection_mut::<SortedSet>(&key)? {
        let ranks = find(set);
        removed = ranks.len();
        is_all = removed == set.len();
        if !is_all {
            set.remove_ranks(ranks);
        }
    }
    after_removal(db, &key, event, removed, is_all);
    call.reply.count(removed);
    Ok(())
}
