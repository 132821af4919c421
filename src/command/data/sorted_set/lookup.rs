//! One member, or a number: ZSCORE, ZMSCORE, ZRANK, ZREVRANK, ZCARD, ZCOUNT, ZLEXCOUNT.

use super::bounds;
use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::types::sorted_set::SortedSet;

#[rustfmt::skip]
pub(in crate::command) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "zscore", arity: 3, handler: Read(zscore), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY, FAST]), group: Group::SortedSet, since: "1.2.0",
        syntax: "key member", summary: "Returns the score of a member in a sorted set.", ..BASE },
    CommandSpec { name: "zmscore", arity: -3, handler: Read(zmscore), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY, FAST]), group: Group::SortedSet, since: "6.2.0",
        syntax: "key member [member ...]", summary: "Returns the score of one or more members in a sorted set.",
        complexity: "O(N) where N is the number of members being requested.", ..BASE },
    CommandSpec { name: "zcard", arity: 2, handler: Read(zcard), keys: &[key(1, &[RO])],
        flags: flags(&[READONLY, FAST]), group: Group::SortedSet, since: "1.2.0",
        syntax: "key", summary: "Returns the number of members in a sorted set.", ..BASE },
    CommandSpec { name: "zrank", arity: -3, handler: Read(zrank), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY, FAST]), group: Group::SortedSet, since: "2.0.0",
        syntax: "key member [WITHSCORE]",
        summary: "Returns the index of a member in a sorted set ordered by ascending scores.", complexity: "O(log(N))",
        history: &[("7.2.0", "Added the optional `WITHSCORE` argument.")], ..BASE },
    CommandSpec { name: "zrevrank", arity: -3, handler: Read(zrevrank), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY, FAST]), group: Group::SortedSet, since: "2.0.0",
        syntax: "key member [WITHSCORE]",
        summary: "Returns the index of a member in a sorted set ordered by descending scores.", complexity: "O(log(N))",
        history: &[("7.2.0", "Added the optional `WITHSCORE` argument.")], ..BASE },
    CommandSpec { name: "zcount", arity: 4, handler: Read(zcount), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY, FAST]), group: Group::SortedSet, since: "2.0.0",
        syntax: "key min:double max:double",
        summary: "Returns the count of members in a sorted set that have scores within a range.",
        complexity: "O(log(N)) with N being the number of elements in the sorted set.", ..BASE },
    CommandSpec { name: "zlexcount", arity: 4, handler: Read(zlexcount), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY, FAST]), group: Group::SortedSet, since: "2.8.9",
        syntax: "key min max", summary: "Returns the number of members in a sorted set within a lexicographical range.",
        complexity: "O(log(N)) with N being the number of elements in the sorted set.", ..BASE },
];

/// ```text
/// > ZADD board 10 ann
/// (integer) 1
/// > ZSCORE board ann
/// "10"
/// > ZSCORE board bob
/// (nil)
/// ```
fn zscore(call: &mut Call, db: &Db) -> CommandResult {
    let set = db.collection::<SortedSet>(&call.key())?;
    reply_score(call, set.and_then(|set| set.score(call.argument(2))));
    Ok(())
}

/// ```text
/// > ZADD board 10 ann 20.5 bob
/// (integer) 2
/// > ZMSCORE board bob nobody
/// 1) "20.5"
/// 2) (nil)
/// ```
fn zmscore(call: &mut Call, db: &Db) -> CommandResult {
    let set = db.collection::<SortedSet>(&call.key())?;
    let members = &call.arguments[2..];
    call.reply.array(members.len());
    for member in members {
        reply_score(call, set.and_then(|set| set.score(member)));
    }
    Ok(())
}

fn reply_score(call: &mut Call, score: Option<f64>) {
    match score {
        Some(score) => call.reply.double(score),
        None => call.reply.null(),
    }
}

/// ```text
/// > ZADD board 10 ann 20 bob
/// (integer) 2
/// > ZCARD board
/// (integer) 2
/// ```
fn zcard(call: &mut Call, db: &Db) -> CommandResult {
    let set = db.collection::<SortedSet>(&call.key())?;
    call.reply.count(set.map_or(0, SortedSet::len));
    Ok(())
}

/// ```text
/// > ZADD board 10 ann 20 bob
/// (integer) 2
/// > ZRANK board bob
/// (integer) 1
/// > ZRANK board bob WITHSCORE
/// 1) (integer) 1
/// 2) "20"
/// > ZRANK board nobody
/// (nil)
/// ```
fn zrank(call: &mut Call, db: &Db) -> CommandResult {
    reply_rank(call, db, |rank, _| rank)
}

/// ```text
/// > ZADD board 10 ann 20 bob
/// (integer) 2
/// > ZREVRANK board bob
/// (integer) 0
/// > ZREVRANK board ann WITHSCORE
/// 1) (integer) 1
/// 2) "10"
/// ```
fn zrevrank(call: &mut Call, db: &Db) -> CommandResult {
    reply_rank(call, db, |rank, len| len - 1 - rank)
}

/// Replies with the rank that `from_end` makes of the one from the start and the number of members.
fn reply_rank(
    call: &mut Call,
    db: &Db,
    from_end: impl FnOnce(usize, usize) -> usize,
) -> CommandResult {
    let with_score = match call.arguments.len() {
        3 => false,
        4 if call.is_word(3, "WITHSCORE") => true,
        4 => return Err(CommandError::Syntax),
        _ => return Err(CommandError::WrongArity(call.spec.name.to_string())),
    };
    let set = db.collection::<SortedSet>(&call.key())?;
    let found = set.and_then(|set| {
        let (rank, score) = set.rank(call.argument(2))?;
        Some((from_end(rank, set.len()), score))
    });
    match found {
        Some((rank, score)) if with_score => {
            call.reply.array(2);
            call.reply.count(rank);
            call.reply.double(score);
        }
        Some((rank, _)) => call.reply.count(rank),
        None if with_score => call.reply.null_array(),
        None => call.reply.null(),
    }
    Ok(())
}

/// ```text
/// > ZADD board 10 ann 20 bob 30 cid
/// (integer) 3
/// > ZCOUNT board (10 +inf
/// (integer) 2
/// ```
fn zcount(call: &mut Call, db: &Db) -> CommandResult {
    let (from, to) = bounds::by_score(call.argument(2), call.argument(3))?;
    let set = db.collection::<SortedSet>(&call.key())?;
    call.reply
        .count(set.map_or(0, |set| set.ranks(from, to).len()));
    Ok(())
}

/// ```text
/// > ZADD names 0 ann 0 bob 0 cid
/// (integer) 3
/// > ZLEXCOUNT names [b +
/// (integer) 2
/// ```
fn zlexcount(call: &mut Call, db: &Db) -> CommandResult {
    let (from, to) = bounds::by_member(call.argument(2), call.argument(3))?;
    let set = db.collection::<SortedSet>(&call.key())?;
    call.reply
        .count(set.map_or(0, |set| set.ranks(from, to).len()));
    Ok(())
}
