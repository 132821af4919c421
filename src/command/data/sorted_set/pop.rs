//! Taking members from either end: ZPOPMIN, ZPOPMAX, ZMPOP.

use super::{Shape, after_removal, reply_entries};
use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::keyspace::space::Key;
use crate::resp::reply::Reply;
use crate::types::sorted_set::{Entries, SortedSet};

#[rustfmt::skip]
pub(in crate::command) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "zpopmin", arity: -2, handler: Write(zpopmin), keys: &[key(1, &[RW, ACCESS, DELETE])],
        flags: flags(&[WRITE, FAST]), group: Group::SortedSet, since: "5.0.0",
        syntax: "key [count]",
        summary: "Returns the lowest-scoring members from a sorted set after removing them. Deletes the sorted set if \
            the last member was popped.",
        complexity: "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of \
            elements popped.", ..BASE },
    CommandSpec { name: "zpopmax", arity: -2, handler: Write(zpopmax), keys: &[key(1, &[RW, ACCESS, DELETE])],
        flags: flags(&[WRITE, FAST]), group: Group::SortedSet, since: "5.0.0",
        syntax: "key [count]",
        summary: "Returns the highest-scoring members from a sorted set after removing them. Deletes the sorted set if \
            the last member was popped.",
        complexity: "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of \
            elements popped.", ..BASE },
    CommandSpec { name: "zmpop", arity: -4, handler: Write(zmpop), keys: &[counted_keys(1, &[RW, ACCESS, DELETE])],
        flags: flags(&[WRITE]), group: Group::SortedSet, since: "7.0.0",
        syntax: "numkeys key [key ...] <where: MIN | MAX> [COUNT count]",
        summary: "Returns the highest- or lowest-scoring members from one or more sorted sets after removing them. \
            Deletes the sorted set if the last member was popped.",
        complexity: "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the \
            sorted set, and M being the number of elements popped.", ..BASE },
];

/// Which members go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::command) enum End {
    Min,
    Max,
}

impl End {
    /// The command that pops at this end.
    fn pop_command(self) -> &'static [u8] {
        match self {
            End::Min => b"ZPOPMIN",
            End::Max => b"ZPOPMAX",
        }
    }
}

/// ```text
/// > ZADD board 10 ann 20 bob 30 cid
/// (integer) 3
/// > ZPOPMIN board
/// 1) "ann"
/// 2) "10"
/// > ZPOPMIN board 5
/// 1) "bob"
/// 2) "20"
/// 3) "cid"
/// 4) "30"
/// > EXISTS board
/// (integer) 0
/// ```
fn zpopmin(call: &mut Call, db: &mut Db) -> CommandResult {
    pop_from_key(call, db, End::Min)
}

/// ```text
/// > ZADD board 10 ann 20 bob
/// (integer) 2
/// > ZPOPMAX board
/// 1) "bob"
/// 2) "20"
/// ```
fn zpopmax(call: &mut Call, db: &mut Db) -> CommandResult {
    pop_from_key(call, db, End::Max)
}

fn pop_from_key(call: &mut Call, db: &mut Db, end: End) -> CommandResult {
    let (count, shape) = match call.arguments.len() {
        2 => (1, Shape::Flat),
        3 => (call.count(2)?, Shape::of(true, call.reply.protocol)),
        _ => return Err(CommandError::Syntax),
    };
    let key = call.key();
    if !pop(call.reply, db, &key, end, count, shape)? {
        call.reply.array(0);
    }
    Ok(())
}

/// ```text
/// > ZADD b 10 ann 20 bob
/// (integer) 2
/// > ZMPOP 2 a b MAX COUNT 5
/// 1) "b"
/// 2) 1) 1) "bob"
///       2) "20"
///    2) 1) "ann"
///       2) "10"
/// > ZMPOP 2 a b MIN
/// (nil)
/// ```
fn zmpop(call: &mut Call, db: &mut Db) -> CommandResult {
    let (end, count) = call.pop_options(1, end)?;
    for key in call.keys {
        if pop_with_key(call.reply, db, key, end, count)? {
            return Ok(());
        }
    }
    call.reply.null_array();
    Ok(())
}

pub(in crate::command) fn end(call: &Call, index: usize) -> Result<End, CommandError> {
    match call.word(index).as_str() {
        "MIN" => Ok(End::Min),
        "MAX" => Ok(End::Max),
        _ => Err(CommandError::Syntax),
    }
}

/// Replies with a key and up to `count` of its members, and takes these out; `false`, without a reply, if there is no
/// key.
pub(in crate::command) fn pop_with_key(
    reply: &mut Reply,
    db: &mut Db,
    key: &Key,
    end: End,
    count: usize,
) -> Result<bool, CommandError> {
    if db.collection_to_change::<SortedSet>(key)?.is_none() {
        return Ok(false);
    }
    reply.array(2);
    reply.bulk(key.bytes);
    let popped = pop(reply, db, key, end, count, Shape::Pairs)?;
    let command = [end.pop_command(), key.bytes];
    db.replay_as(|replay| replay.command_with_number(&command, count as i64));
    Ok(popped)
}

/// Replies with a key, the member that goes first, and its score, and takes the member out.
pub(in crate::command) fn pop_first(
    reply: &mut Reply,
    db: &mut Db,
    key: &Key,
    end: End,
) -> CommandResult {
    take_out(db, key, end, 1, |entries| {
        for (member, score) in entries {
            reply.array(3);
            reply.bulk(key.bytes);
            reply.bulk(member);
            reply.double(score);
        }
    })?;
    db.replay_as(|replay| replay.command(&[end.pop_command(), key.bytes]));
    Ok(())
}

/// Replies with up to `count` members of a key and takes them out; `false`, without a reply, if there is no key.
fn pop(
    reply: &mut Reply,
    db: &mut Db,
    key: &Key,
    end: End,
    count: usize,
    shape: Shape,
) -> Result<bool, CommandError> {
    take_out(db, key, end, count, |entries| match end {
        End::Min => reply_entries(reply, entries, shape),
        End::Max => reply_entries(reply, entries.rev(), shape),
    })
}

/// Shows up to `count` members at one end, in ascending order, and takes them out; `false` if there is no key.
fn take_out(
    db: &mut Db,
    key: &Key,
    end: End,
    count: usize,
    show: impl FnOnce(Entries<'_>),
) -> Result<bool, CommandError> {
    let Some(set) = db.collection_mut::<SortedSet>(key)? else {
        return Ok(false);
    };
    let len = set.len();
    let popped = count.min(len);
    let (ranks, event) = match end {
        End::Min => (0..popped, "zpopmin"),
        End::Max => (len - popped..len, "zpopmax"),
    };
    show(set.range(ranks.clone()));
    if popped < len {
        set.remove_ranks(ranks);
    }
    after_removal(db, key, event, popped, popped == len);
    Ok(true)
}
