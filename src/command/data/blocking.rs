//! Commands that wait until there is something to take: <https://redis.io/commands/blpop/> and its kin.
//!
//! Each says what it waits for; [`waiting`](crate::command::execute::wait) does the rest. To add one: give it the
//! handler type `Wait`, and return a [`Wish`].

use crate::command::call::Call;
use crate::command::data::list;
use crate::command::data::sorted_set::pop as sorted_set;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::command::timeout::timeout;
use crate::keyspace::db::Db;
use crate::keyspace::space::Key;
use crate::keyspace::waiters::States;
use crate::resp::reply::Reply;
use crate::state::waiting::Wish;
use crate::types::list::End;
use std::time::Instant;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "blpop", arity: -3, handler: Wait(blpop), keys: &[keys(1, -2, 1, &[RW, ACCESS, DELETE])],
        flags: flags(&[WRITE, BLOCKING]), group: Group::List, since: "2.0.0",
        syntax: "key [key ...] timeout",
        summary: "Removes and returns the first element in a list. Blocks until an element is available otherwise. \
            Deletes the list if the last element was popped.",
        complexity: "O(N) where N is the number of provided keys.",
        history: &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")], ..BASE },
    CommandSpec { name: "brpop", arity: -3, handler: Wait(brpop), keys: &[keys(1, -2, 1, &[RW, ACCESS, DELETE])],
        flags: flags(&[WRITE, BLOCKING]), group: Group::List, since: "2.0.0",
        syntax: "key [key ...] timeout",
        summary: "Removes and returns the last element in a list. Blocks until an element is available otherwise. \
            Deletes the list if the last element was popped.",
        complexity: "O(N) where N is the number of provided keys.",
        history: &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")], ..BASE },
    CommandSpec { name: "blmove", arity: 6, handler: Wait(blmove),
        keys: &[key(1, &[RW, ACCESS, DELETE]), key(2, &[RW, INSERT])],
        flags: flags(&[WRITE, DENYOOM, BLOCKING]), group: Group::List, since: "6.2.0",
        syntax: "source destination <wherefrom: LEFT | RIGHT> <whereto: LEFT | RIGHT> timeout",
        summary: "Pops an element from a list, pushes it to another list and returns it. Blocks until an element is \
            available otherwise. Deletes the list if the last element was moved.", ..BASE },
    CommandSpec { name: "brpoplpush", arity: 4, handler: Wait(brpoplpush),
        keys: &[key(1, &[RW, ACCESS, DELETE]), key(2, &[RW, INSERT])],
        flags: flags(&[WRITE, DENYOOM, BLOCKING]), group: Group::List, since: "2.2.0",
        syntax: "source destination timeout",
        summary: "Pops an element from a list, pushes it to another list and returns it. Block until an element is \
            available otherwise. Deletes the list if the last element was popped.",
        history: &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")],
        deprecated: Some(("6.2.0", "`BLMOVE` with the `RIGHT` and `LEFT` arguments")), ..BASE },
    CommandSpec { name: "blmpop", arity: -5, handler: Wait(blmpop), keys: &[counted_keys(2, &[RW, ACCESS, DELETE])],
        flags: flags(&[WRITE, BLOCKING]), group: Group::List, since: "7.0.0",
        syntax: "timeout numkeys key [key ...] <where: LEFT | RIGHT> [COUNT count]",
        summary: "Pops the first element from one of multiple lists. Blocks until an element is available otherwise. \
            Deletes the list if the last element was popped.",
        complexity: "O(N+M) where N is the number of provided keys and M is the number of elements returned.", ..BASE },
    CommandSpec { name: "bzpopmin", arity: -3, handler: Wait(bzpopmin), keys: &[keys(1, -2, 1, &[RW, ACCESS, DELETE])],
        flags: flags(&[WRITE, BLOCKING, FAST]), group: Group::SortedSet, since: "5.0.0",
        syntax: "key [key ...] timeout",
        summary: "Removes and returns the member with the lowest score from one or more sorted sets. Blocks until a \
            member is available otherwise. Deletes the sorted set if the last element was popped.",
        complexity: "O(log(N)) with N being the number of elements in the sorted set.",
        history: &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")], ..BASE },
    CommandSpec { name: "bzpopmax", arity: -3, handler: Wait(bzpopmax), keys: &[keys(1, -2, 1, &[RW, ACCESS, DELETE])],
        flags: flags(&[WRITE, BLOCKING, FAST]), group: Group::SortedSet, since: "5.0.0",
        syntax: "key [key ...] timeout",
        summary: "Removes and returns the member with the highest score from one or more sorted sets. Blocks until a \
            member available otherwise.  Deletes the sorted set if the last element was popped.",
        complexity: "O(log(N)) with N being the number of elements in the sorted set.",
        history: &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")], ..BASE },
    CommandSpec { name: "bzmpop", arity: -5, handler: Wait(bzmpop), keys: &[counted_keys(2, &[RW, ACCESS, DELETE])],
        flags: flags(&[WRITE, BLOCKING]), group: Group::SortedSet, since: "7.0.0",
        syntax: "timeout numkeys key [key ...] <where: MIN | MAX> [COUNT count]",
        summary: "Removes and returns a member by score from one or more sorted sets. Blocks until a member is \
            available otherwise. Deletes the sorted set if the last element was popped.",
        complexity: "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the \
            sorted set, and M being the number of elements popped.", ..BASE },
];

/// ```text
/// > RPUSH b 1 2
/// (integer) 2
/// > BLPOP a b 0
/// 1) "b"
/// 2) "1"
/// > BLPOP a 0.01
/// (nil)
/// ```
fn blpop(call: &mut Call) -> Result<Wish, CommandError> {
    pop(call, End::Left)
}

/// ```text
/// > RPUSH b 1 2
/// (integer) 2
/// > BRPOP a b 0
/// 1) "b"
/// 2) "2"
/// ```
fn brpop(call: &mut Call) -> Result<Wish, CommandError> {
    pop(call, End::Right)
}

fn pop(call: &Call, end: End) -> Result<Wish, CommandError> {
    let until = timeout(call, call.arguments.len() - 1)?;
    let limit = call.server.config.list_block_limit();
    Ok(wish(States::LIST, until, move |db, key, reply| {
        reply.array(2);
        reply.bulk(key.bytes);
        list::pop_to_reply(reply, db, key, end, None, limit)?;
        db.replay_as(|replay| replay.command(&[list::pop_command(end), key.bytes]));
        Ok(())
    }))
}

/// ```text
/// > RPUSH b 1 2 3
/// (integer) 3
/// > BLMPOP 0 2 a b LEFT COUNT 2
/// 1) "b"
/// 2) 1) "1"
///    2) "2"
/// > BLMPOP 0.01 1 a LEFT
/// (nil)
/// ```
fn blmpop(call: &mut Call) -> Result<Wish, CommandError> {
    let (end, count) = call.pop_options(2, list::end)?;
    let until = timeout(call, 1)?;
    let limit = call.server.config.list_block_limit();
    Ok(wish(States::LIST, until, move |db, key, reply| {
        list::pop_with_key(reply, db, key, end, count, limit).map(drop)
    }))
}

/// ```text
/// > RPUSH a 1 2 3
/// (integer) 3
/// > BLMOVE a b RIGHT LEFT 0
/// "3"
/// > BLMOVE nothing b LEFT LEFT 0.01
/// (nil)
/// ```
fn blmove(call: &mut Call) -> Result<Wish, CommandError> {
    let ends = (list::end(call, 3)?, list::end(call, 4)?);
    move_element(call, ends, 5)
}

/// ```text
/// > RPUSH a 1 2 3
/// (integer) 3
/// > BRPOPLPUSH a b 0
/// "3"
/// ```
fn brpoplpush(call: &mut Call) -> Result<Wish, CommandError> {
    move_element(call, (End::Right, End::Left), 3)
}

fn move_element(call: &Call, ends: (End, End), timeout_index: usize) -> Result<Wish, CommandError> {
    let until = timeout(call, timeout_index)?;
    let limit = call.server.config.list_block_limit();
    let (database, destination) = (call.session.database, call.argument(2).to_vec());
    let to = destination.clone();
    let wish = wish(States::LIST, until, move |db, key, reply| {
        let to = Key::new(database, &to);
        list::move_element(reply, db, *key, to, ends, limit)?;
        let [from_end, to_end] = [ends.0, ends.1].map(list::word);
        let command = [b"LMOVE", key.bytes, to.bytes, from_end, to_end];
        db.replay_as(|replay| replay.command(&command));
        Ok(())
    });
    Ok(Wish {
        destination: Some(destination),
        not_waited: Reply::null,
        ..wish
    })
}

/// ```text
/// > ZADD b 1 ann 2 bob
/// (integer) 2
/// > BZPOPMIN a b 0
/// 1) "b"
/// 2) "ann"
/// 3) "1"
/// ```
fn bzpopmin(call: &mut Call) -> Result<Wish, CommandError> {
    pop_scored(call, sorted_set::End::Min)
}

/// ```text
/// > ZADD b 1 ann 2 bob
/// (integer) 2
/// > BZPOPMAX a b 0
/// 1) "b"
/// 2) "bob"
/// 3) "2"
/// > BZPOPMAX a 0.01
/// (nil)
/// ```
fn bzpopmax(call: &mut Call) -> Result<Wish, CommandError> {
    pop_scored(call, sorted_set::End::Max)
}

fn pop_scored(call: &Call, end: sorted_set::End) -> Result<Wish, CommandError> {
    let until = timeout(call, call.arguments.len() - 1)?;
    Ok(wish(States::SORTED_SET, until, move |db, key, reply| {
        sorted_set::pop_first(reply, db, key, end)
    }))
}

/// ```text
/// > ZADD b 1 ann 2 bob 3 cid
/// (integer) 3
/// > BZMPOP 0 2 a b MAX COUNT 2
/// 1) "b"
/// 2) 1) 1) "cid"
///       2) "3"
///    2) 1) "bob"
///       2) "2"
/// ```
fn bzmpop(call: &mut Call) -> Result<Wish, CommandError> {
    let (end, count) = call.pop_options(2, sorted_set::end)?;
    let until = timeout(call, 1)?;
    Ok(wish(States::SORTED_SET, until, move |db, key, reply| {
        sorted_set::pop_with_key(reply, db, key, end, count).map(drop)
    }))
}

/// A wish for a key in one of these states, from which `attempt` serves the client. As in Redis, the first key that is
/// there decides, be it of another type.
fn wish(
    states: States,
    until: Option<Instant>,
    attempt: impl Fn(&mut Db, &Key, &mut Reply) -> CommandResult + Send + Sync + 'static,
) -> Wish {
    let attempt = move |db: &mut Db<'_>, keys: &[Key<'_>], reply: &mut Reply| {
        for key in keys {
            let Some(entry) = db.find_to_change(key) else {
                continue;
            };
            if !states.has(States::of(Some(entry))) {
                return Err(CommandError::WrongType.text());
            }
            let served = attempt(db, key, reply);
            return served.map(|()| true).map_err(|error| error.text());
        }
        Ok(false)
    };
    Wish {
        states,
        group: None,
        destination: None,
        goal: None,
        attempt: Box::new(attempt),
        until,
        not_waited: Reply::null_array,
        timed_out: Reply::null_array,
    }
}
