//! Taking members from either end: ZPOPMIN, ZPOPMAX, ZMPOP.

use super::super::call::Call;
use super::super::error::{CommandError, CommandResult};
use super::super::table::*;
use super::{Shape, after_removal, reply_entries};
use crate::keyspace::db::Db;
use crate::keyspace::space::Key;
use crate::resp::reply::Reply;
use crate::types::sorted_set::SortedSet;
use crate::util::number;

#[rustfmt::skip]
pub(in super::super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "zpopmin", arity: -2, handler: Handler::Write(zpopmin), keys: &[key(1, RW | ACCESS | DELETE)], flags: WRITE | FAST, group: Group::SortedSet, since: "5.0.0",
        syntax: "key [count]", summary: "Returns the lowest-scoring members from a sorted set after removing them. Deletes the sorted set if the last member was popped.", ..BASE },
    CommandSpec { name: "zpopmax", arity: -2, handler: Handler::Write(zpopmax), keys: &[key(1, RW | ACCESS | DELETE)], flags: WRITE | FAST, group: Group::SortedSet, since: "5.0.0",
        syntax: "key [count]", summary: "Returns the highest-scoring members from a sorted set after removing them. Deletes the sorted set if the last member was popped.", ..BASE },
    CommandSpec { name: "zmpop", arity: -4, handler: Handler::Write(zmpop), keys: &[counted_keys(1, RW | ACCESS | DELETE)], flags: WRITE, group: Group::SortedSet, since: "7.0.0",
        syntax: "numkeys key [key ...] <MIN | MAX> [COUNT count]", summary: "Returns the highest- or lowest-scoring members from one or more sorted sets after removing them. Deletes the sorted set if the last member was popped.", ..BASE },
];

/// Which members go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Min,
    Max,
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
    let numkeys = number::parse_i64(call.argument(1)).filter(|number| *number > 0);
    let numkeys =
        numkeys.ok_or_else(|| CommandError::err("numkeys should be greater than 0"))? as usize;
    let index = numkeys
        .checked_add(2)
        .filter(|index| *index < call.arguments.len())
        .ok_or(CommandError::Syntax)?;
    let end = match call.word(index).as_str() {
        "MIN" => End::Min,
        "MAX" => End::Max,
        _ => return Err(CommandError::Syntax),
    };
    let count = match call.arguments.len() - index {
        1 => 1,
        3 if call.is_word(index + 1, "COUNT") => {
            let count = number::parse_i64(call.argument(index + 2)).filter(|count| *count > 0);
            count.ok_or_else(|| CommandError::err("count should be greater than 0"))? as usize
        }
        _ => return Err(CommandError::Syntax),
    };
    for key in call.keys {
        if db.collection::<SortedSet>(key)?.is_some() {
            call.reply.array(2);
            call.reply.bulk(key.bytes);
            pop(call.reply, db, key, end, count, Shape::Pairs)?;
            return Ok(());
        }
    }
    call.reply.null_array();
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
    let Some(set) = db.collection_mut::<SortedSet>(key)? else {
        return Ok(false);
    };
    let len = set.len();
    let popped = count.min(len);
    let (ranks, event) = match end {
        End::Min => (0..popped, "zpopmin"),
        End::Max => (len - popped..len, "zpopmax"),
    };
    let entries = set.range(ranks.clone());
    match end {
        End::Min => reply_entries(reply, entries, shape),
        End::Max => reply_entries(reply, entries.rev(), shape),
    }
    if popped < len {
        set.remove_ranks(ranks);
    }
    after_removal(db, key, event, popped, popped == len);
    Ok(true)
}
