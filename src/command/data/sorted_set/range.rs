//! Ranges by rank, score and member: ZRANGE, what it replaces, and ZRANGESTORE.

use super::{Shape, begin_entries, bounds, write_entries};
use crate::command::call::{Call, clamp_range};
use crate::command::data::pieces;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::types::sorted_set::{Edge, SortedSet};
use std::ops::Range;

#[rustfmt::skip]
pub(in crate::command) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "zrange", arity: -4, handler: Read(zrange), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::SortedSet, since: "1.2.0",
        syntax: "key start:string stop:string [sortby@6.2.0: BYSCORE | BYLEX] [REV@6.2.0] [LIMIT <limit@6.2.0: offset \
            count>] [WITHSCORES]",
        summary: "Returns members in a sorted set within a range of indexes.",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements \
            returned.",
        history: &[("6.2.0", "Added the `REV`, `BYSCORE`, `BYLEX` and `LIMIT` options.")], ..BASE },
    CommandSpec { name: "zrevrange", arity: -4, handler: Read(zrevrange), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::SortedSet, since: "1.2.0",
        syntax: "key start stop [WITHSCORES]",
        summary: "Returns members in a sorted set within a range of indexes in reverse order.",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements \
            returned.",
        deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` argument")), ..BASE },
    CommandSpec { name: "zrangebyscore", arity: -4, handler: Read(zrangebyscore), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::SortedSet, since: "1.0.5",
        syntax: "key min:double max:double [WITHSCORES@2.0.0] [LIMIT <offset count>]",
        summary: "Returns members in a sorted set within a range of scores.",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements \
            being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can \
            consider it O(log(N)).",
        history: &[("2.0.0", "Added the `WITHSCORES` modifier.")],
        deprecated: Some(("6.2.0", "`ZRANGE` with the `BYSCORE` argument")), ..BASE },
    CommandSpec { name: "zrevrangebyscore", arity: -4, handler: Read(zrevrangebyscore), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::SortedSet, since: "2.2.0",
        syntax: "key max:double min:double [WITHSCORES] [LIMIT <offset count>]",
        summary: "Returns members in a sorted set within a range of scores in reverse order.",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements \
            being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can \
            consider it O(log(N)).",
        history: &[("2.1.6", "`min` and `max` can be exclusive.")],
        deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` and `BYSCORE` arguments")), ..BASE },
    CommandSpec { name: "zrangebylex", arity: -4, handler: Read(zrangebylex), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::SortedSet, since: "2.8.9",
        syntax: "key min max [LIMIT <offset count>]",
        summary: "Returns members in a sorted set within a lexicographical range.",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements \
            being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can \
            consider it O(log(N)).",
        deprecated: Some(("6.2.0", "`ZRANGE` with the `BYLEX` argument")), ..BASE },
    CommandSpec { name: "zrevrangebylex", arity: -4, handler: Read(zrevrangebylex), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::SortedSet, since: "2.8.9",
        syntax: "key max min [LIMIT <offset count>]",
        summary: "Returns members in a sorted set within a lexicographical range in reverse order.",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements \
            being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can \
            consider it O(log(N)).",
        deprecated: Some(("6.2.0", "`ZRANGE` with the `REV` and `BYLEX` arguments")), ..BASE },
    CommandSpec { name: "zrangestore", arity: -5, handler: Write(zrangestore),
        keys: &[key(1, &[OW, UPDATE]), key(2, &[RO, ACCESS])],
        flags: flags(&[WRITE, DENYOOM]), group: Group::SortedSet, since: "6.2.0",
        syntax: "dst src min max [sortby: BYSCORE | BYLEX] [REV] [LIMIT <offset count>]",
        summary: "Stores a range of members from sorted set in a key.",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements \
            stored into the destination key.", ..BASE },
];

/// What a range goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Member,
}

/// What the command's name says of the range; `None` where its words may.
#[derive(Clone, Copy, Debug, Default)]
struct Fixed {
    by: Option<By>,
    is_reverse: Option<bool>,
    /// Whether the range is stored; then it has no WITHSCORES.
    is_stored: bool,
}

/// Which members are asked for.
#[derive(Clone, Copy, Debug)]
enum Bounds<'a> {
    /// As LRANGE has them.
    Ranks(i64, i64),
    Edges(Edge<'a>, Edge<'a>),
}

/// What the words of a call say.
#[derive(Clone, Copy, Debug)]
struct Query<'a> {
    bounds: Bounds<'a>,
    is_reverse: bool,
    with_scores: bool,
    /// Members to pass over; none is left if it is negative.
    offset: i64,
    /// Most members; a negative number for all.
    limit: i64,
}

impl<'a> Query<'a> {
    /// Reads min and max at `first` and the words behind.
    fn parse(call: &Call<'a>, first: usize, fixed: Fixed) -> Result<Query<'a>, CommandError> {
        let Fixed {
            mut by,
            mut is_reverse,
            is_stored,
        } = fixed;
        let (mut with_scores, mut offset, mut limit) = (false, 0, -1);
        let mut index = first + 2;
        while index < call.arguments.len() {
            let following = call.arguments.len() - index - 1;
            match call.word(index).as_str() {
                "WITHSCORES" if !is_stored => with_scores = true,
                "LIMIT" if following >= 2 => {
                    offset = call.integer(index + 1)?;
                    limit = call.integer(index + 2)?;
                    index += 2;
                }
                "REV" if is_reverse.is_none() => is_reverse = Some(true),
                "BYLEX" if by.is_none() => by = Some(By::Member),
                "BYSCORE" if by.is_none() => by = Some(By::Score),
                _ => return Err(CommandError::Syntax),
            }
            index += 1;
        }
        let is_reverse = is_reverse.unwrap_or(false);
        let by = by.unwrap_or(By::Rank);
        if limit != -1 && by == By::Rank {
            return Err(CommandError::err(
                "syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if with_scores && by == By::Member {
            return Err(CommandError::err(
                "syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        let (min, max) = match is_reverse {
            true => (call.argument(first + 1), call.argument(first)),
            false => (call.argument(first), call.argument(first + 1)),
        };
        let (bounds, offset) = match by {
            By::Rank => {
                let (start, stop) = (call.integer(first)?, call.integer(first + 1)?);
                (Bounds::Ranks(start, stop), 0)
            }
            By::Score => (edges(bounds::by_score(min, max)?), offset),
            By::Member => (edges(bounds::by_member(min, max)?), offset),
        };
        Ok(Query {
            bounds,
            is_reverse,
            with_scores,
            offset,
            limit,
        })
    }

    /// The ranks, counted from the start, of what is asked for.
    fn ranks(&self, set: &SortedSet) -> Range<usize> {
        let len = set.len();
        let Range { start, end } = match self.bounds {
            Bounds::Ranks(start, stop) => {
                let ranks = clamp_range(start, stop, len);
                if self.is_reverse {
                    return len - ranks.end..len - ranks.start;
                }
                return ranks;
            }
            Bounds::Edges(from, to) => set.ranks(from, to),
        };
        let Ok(offset) = usize::try_from(self.offset) else {
            return 0..0;
        };
        let left = (end - start).saturating_sub(offset);
        let count = usize::try_from(self.limit).map_or(left, |limit| left.min(limit));
        match self.is_reverse {
            _ if count == 0 => 0..0,
            true => end - offset - count..end - offset,
            false => start + offset..start + offset + count,
        }
    }
}

fn edges<'a>((from, to): (Edge<'a>, Edge<'a>)) -> Bounds<'a> {
    Bounds::Edges(from, to)
}

/// ```text
/// > ZADD board 10 ann 20 bob 30 cid
/// (integer) 3
/// > ZRANGE board 0 -2 WITHSCORES
/// 1) "ann"
/// 2) "10"
/// 3) "bob"
/// 4) "20"
/// > ZRANGE board +inf (10 BYSCORE REV LIMIT 1 1
/// 1) "bob"
/// > ZRANGE board 0 -1 LIMIT 0 1
/// (error) ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX
/// ```
fn zrange(call: &mut Call, db: &Db) -> CommandResult {
    reply_range(call, db, None, None)
}

/// ```text
/// > ZADD board 10 ann 20 bob 30 cid
/// (integer) 3
/// > ZREVRANGE board 0 1
/// 1) "cid"
/// 2) "bob"
/// ```
fn zrevrange(call: &mut Call, db: &Db) -> CommandResult {
    reply_range(call, db, Some(By::Rank), Some(true))
}

/// ```text
/// > ZADD board 10 ann 20 bob 30 cid
/// (integer) 3
/// > ZRANGEBYSCORE board -inf (30 LIMIT 1 5
/// 1) "bob"
/// ```
fn zrangebyscore(call: &mut Call, db: &Db) -> CommandResult {
    reply_range(call, db, Some(By::Score), Some(false))
}

/// ```text
/// > ZADD board 10 ann 20 bob 30 cid
/// (integer) 3
/// > ZREVRANGEBYSCORE board 20 -inf WITHSCORES
/// 1) "bob"
/// 2) "20"
/// 3) "ann"
/// 4) "10"
/// ```
fn zrevrangebyscore(call: &mut Call, db: &Db) -> CommandResult {
    reply_range(call, db, Some(By::Score), Some(true))
}

/// ```text
/// > ZADD names 0 ann 0 bob 0 cid
/// (integer) 3
/// > ZRANGEBYLEX names [b (cid
/// 1) "bob"
/// ```
fn zrangebylex(call: &mut Call, db: &Db) -> CommandResult {
    reply_range(call, db, Some(By::Member), Some(false))
}

/// ```text
/// > ZADD names 0 ann 0 bob 0 cid
/// (integer) 3
/// > ZREVRANGEBYLEX names + (ann LIMIT 0 1
/// 1) "cid"
/// ```
fn zrevrangebylex(call: &mut Call, db: &Db) -> CommandResult {
    reply_range(call, db, Some(By::Member), Some(true))
}

fn reply_range(
    call: &mut Call,
    db: &Db,
    by: Option<By>,
    is_reverse: Option<bool>,
) -> CommandResult {
    let fixed = Fixed {
        by,
        is_reverse,
        is_stored: false,
    };
    let query = Query::parse(call, 2, fixed)?;
    let Some(set) = db.collection::<SortedSet>(&call.key())? else {
        call.reply.array(0);
        return Ok(());
    };
    let shape = Shape::of(query.with_scores, call.reply.protocol);
    let ranks = query.ranks(set);
    begin_entries(call.reply, ranks.len(), shape);
    let (first, end, is_reverse) = (ranks.start, ranks.end, query.is_reverse);
    // Counted from the end that comes first.
    pieces::reply_with(
        call.reply,
        set,
        ranks.len(),
        0..ranks.len(),
        move |reply, set, piece| {
            if is_reverse {
                let entries = set.range(end - piece.end..end - piece.start);
                write_entries(reply, entries.rev(), shape);
            } else {
                let entries = set.range(first + piece.start..first + piece.end);
                write_entries(reply, entries, shape);
            }
        },
    );
    Ok(())
}

/// ```text
/// > ZADD board 10 ann 20 bob 30 cid
/// (integer) 3
/// > ZRANGESTORE top board 0 1 REV
/// (integer) 2
/// > ZRANGE top 0 -1
/// 1) "bob"
/// 2) "cid"
/// ```
fn zrangestore(call: &mut Call, db: &mut Db) -> CommandResult {
    let fixed = Fixed {
        is_stored: true,
        ..Fixed::default()
    };
    let query = Query::parse(call, 3, fixed)?;
    let [destination, source] = [call.keys[0], call.keys[1]];
    let limits = call.server.config.sorted_set_limits();
    let set = db.collection::<SortedSet>(&source)?;
    let stored = set.map(|set| SortedSet::from_sorted(set.range(query.ranks(set)), limits));
    super::store(
        call,
        db,
        &destination,
        stored.unwrap_or_default(),
        "zrangestore",
        1,
    );
    Ok(())
}
