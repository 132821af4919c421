//! Transactions: <https://redis.io/docs/interact/transactions/>.
//!
//! Behind MULTI, the executor puts commands into the session's [queue](crate::command::session::transaction::Queue)
//! instead of running them; EXEC ([`execute::exec`](crate::command::execute)) runs them all under locks that it takes
//! once. WATCH makes EXEC do nothing if one of the keys has changed: see [`watchers`](crate::keyspace::watchers).

use crate::command::call::{Call, Then};
use crate::command::error::{CommandError, CommandResult};
use crate::command::session::transaction::Transaction;
use crate::command::spec::*;
use crate::keyspace::db::Db;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "multi", arity: 1, handler: NoLock(multi),
        flags: flags(&[UNQUEUED, NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY]),
        group: Group::Transactions, since: "1.2.0",
        summary: "Starts a transaction.", ..BASE },
    CommandSpec { name: "exec", arity: 1, handler: Exec,
        flags: flags(&[UNQUEUED, NOSCRIPT, LOADING, STALE, SKIP_SLOWLOG]), group: Group::Transactions, since: "1.2.0",
        summary: "Executes all commands in a transaction.", complexity: "Depends on commands in the transaction",
        ..BASE },
    CommandSpec { name: "discard", arity: 1, handler: NoLock(discard),
        flags: flags(&[UNQUEUED, NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY]),
        group: Group::Transactions, since: "2.0.0",
        summary: "Discards a transaction.", complexity: "O(N), when N is the number of queued commands", ..BASE },
    CommandSpec { name: "watch", arity: -2, handler: Write(watch), keys: &[keys(1, -1, 1, &[RO])],
        flags: flags(&[UNQUEUED, NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY]),
        group: Group::Transactions, since: "2.2.0",
        syntax: "key [key ...]", summary: "Monitors changes to keys to determine the execution of a transaction.",
        complexity: "O(1) for every key.", ..BASE },
    CommandSpec { name: "unwatch", arity: 1, handler: NoLock(unwatch),
        flags: flags(&[NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY]), group: Group::Transactions, since: "2.2.0",
        summary: "Forgets about watched keys of a transaction.", ..BASE },
];

/// ```text
/// > MULTI
/// OK
/// > INCR visits
/// QUEUED
/// > INCR visits
/// QUEUED
/// > EXEC
/// 1) (integer) 1
/// 2) (integer) 2
/// > MULTI
/// OK
/// > MULTI
/// (error) ERR MULTI calls can not be nested
/// > INCR
/// (error) ERR wrong number of arguments for 'incr' command
/// > EXEC
/// (error) EXECABORT Transaction discarded because of previous errors.
/// > EXEC
/// (error) ERR EXEC without MULTI
/// ```
fn multi(call: &mut Call) -> CommandResult {
    if call.session.transaction.queue.is_some() {
        return Err(CommandError::NestedMulti);
    }
    call.session.transaction.queue = Some(Box::default());
    call.session.publish_queue();
    call.reply.ok();
    Ok(())
}

/// ```text
/// > MULTI
/// OK
/// > SET k v
/// QUEUED
/// > DISCARD
/// OK
/// > GET k
/// (nil)
/// > DISCARD
/// (error) ERR DISCARD without MULTI
/// ```
fn discard(call: &mut Call) -> CommandResult {
    let queue = call.session.discard_queue();
    queue.ok_or(CommandError::WithoutMulti("DISCARD"))?;
    call.then = Then::Unwatch;
    call.reply.ok();
    Ok(())
}

/// ```text
/// > WATCH balance
/// OK
/// > SET balance 10
/// OK
/// > MULTI
/// OK
/// > INCR balance
/// QUEUED
/// > EXEC
/// (nil)
/// > GET balance
/// "10"
/// ```
fn watch(call: &mut Call, db: &mut Db) -> CommandResult {
    let Transaction { queue, watched, .. } = &mut call.session.transaction;
    if queue.is_some() {
        return Err(CommandError::WatchInMulti);
    }
    let watch = &call.session.client.watch;
    // After a change EXEC fails anyway, so no more keys are registered.
    if !watch.is_spoilt() {
        for key in call.keys {
            if watched.insert(key, db.is_expired(key)) {
                db.join_watchers(key, watch);
            }
        }
    }
    call.reply.ok();
    Ok(())
}

/// In a transaction it does nothing: EXEC has let go of all keys before.
///
/// ```text
/// > WATCH k
/// OK
/// > SET k v
/// OK
/// > UNWATCH
/// OK
/// > MULTI
/// OK
/// > EXEC
/// (empty array)
/// ```
fn unwatch(call: &mut Call) -> CommandResult {
    call.then = Then::Unwatch;
    call.reply.ok();
    Ok(())
}
