//! Transactions: <https://redis.io/docs/interact/transactions/>.
//!
//! Behind MULTI, dispatch puts commands into the session's [`Queue`] instead of running them; EXEC, in
//! [`dispatch`], runs them all under locks that it takes once. WATCH makes EXEC do nothing if one of the keys
//! has changed: see [`watchers`](crate::keyspace::watchers).

use super::call::{Call, Session};
use super::dispatch;
use super::error::{CommandError, CommandResult};
use super::table::*;
use crate::keyspace::db::Db;
use crate::keyspace::space::Key;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering::Relaxed;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "multi", arity: 1, handler: Handler::NoLock(multi), flags: UNQUEUED | NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY, group: Group::Transactions, since: "1.2.0",
        syntax: "", summary: "Starts a transaction.", ..BASE },
    CommandSpec { name: "exec", arity: 1, handler: Handler::Exec, flags: UNQUEUED | NOSCRIPT | LOADING | STALE | SKIP_SLOWLOG, group: Group::Transactions, since: "1.2.0",
        syntax: "", summary: "Executes all commands in a transaction.", ..BASE },
    CommandSpec { name: "discard", arity: 1, handler: Handler::NoLock(discard), flags: UNQUEUED | NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY, group: Group::Transactions, since: "2.0.0",
        syntax: "", summary: "Discards a transaction.", ..BASE },
    CommandSpec { name: "watch", arity: -2, handler: Handler::Write(watch), keys: &[keys(1, -1, 1, RO)], flags: UNQUEUED | NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY, group: Group::Transactions, since: "2.2.0",
        syntax: "key [key ...]", summary: "Monitors changes to keys to determine the execution of a transaction.", ..BASE },
    CommandSpec { name: "unwatch", arity: 1, handler: Handler::NoLock(unwatch), flags: NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY, group: Group::Transactions, since: "2.2.0",
        syntax: "", summary: "Forgets about watched keys of a transaction.", ..BASE },
];

/// The commands that wait for EXEC. Their arguments lie one behind the other in one block of memory, so that a command
/// takes little more than it was received with.
#[derive(Debug, Default)]
pub struct Queue {
    commands: Vec<Queued>,
    bytes: Vec<u8>,
    /// Where in `bytes` each argument ends.
    ends: Vec<usize>,
    /// Whether a command could not be queued, so that EXEC will do nothing.
    pub is_spoilt: bool,
}

/// A command in the queue.
#[derive(Debug)]
struct Queued {
    command: &'static Command,
    /// How many arguments it has, its name included.
    arguments: usize,
}

impl Queue {
    /// Adds a command.
    pub(super) fn push(&mut self, command: &'static Command, arguments: &[&[u8]]) {
        for argument in arguments {
            self.bytes.extend_from_slice(argument);
            self.ends.push(self.bytes.len());
        }
        self.commands.push(Queued {
            command,
            arguments: arguments.len(),
        });
    }

    /// How many commands there are.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Whether one of the commands has one of these flags.
    pub(super) fn has(&self, flags: u32) -> bool {
        self.commands().any(|(command, _)| command.spec.has(flags))
    }

    /// The commands with how many arguments they have.
    pub(super) fn commands(&self) -> impl Iterator<Item = (&'static Command, usize)> {
        self.commands
            .iter()
            .map(|queued| (queued.command, queued.arguments))
    }

    /// The arguments of all commands, one after the other.
    pub(super) fn arguments(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, end)| &self.bytes[start..*end])
    }

    /// Bytes of all arguments.
    pub fn argument_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Memory held, in bytes.
    fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
            + self.ends.capacity() * size_of::<usize>()
            + self.commands.capacity() * size_of::<Queued>()
    }
}

/// The keys that a client watches, each with its database.
#[derive(Debug, Default)]
pub struct Watched(BTreeSet<(usize, Box<[u8]>)>);

impl Watched {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = Key<'_>> {
        let keys = self.0.iter();
        keys.map(|(database, bytes)| Key::new(*database, bytes))
    }
}

/// Lets go of the commands that wait for EXEC; returns them, if the client is in a transaction.
pub(super) fn discard_queue(session: &mut Session) -> Option<Box<Queue>> {
    let queue = session.queue.take();
    publish(session);
    queue
}

/// Lets CLIENT LIST know what is in the queue.
pub(super) fn publish(session: &Session) {
    let queue = session.queue.as_ref();
    let client = &session.client;
    let commands = queue.map_or(-1, |queue| queue.len() as i64);
    client.queued_commands.store(commands, Relaxed);
    let bytes = queue.map_or(0, |queue| queue.memory_bytes());
    client.queued_bytes.store(bytes, Relaxed);
}

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
    if call.session.queue.is_some() {
        return Err(CommandError::NestedMulti);
    }
    call.session.queue = Some(Box::default());
    publish(call.session);
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
    discard_queue(call.session).ok_or(CommandError::WithoutMulti("DISCARD"))?;
    dispatch::unwatch(call.server, call.session);
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
    if call.session.queue.is_some() {
        return Err(CommandError::WatchInMulti);
    }
    let session = &mut *call.session;
    let watch = &session.client.watch;
    // What is spoilt cannot become worse.
    if !watch.is_spoilt() {
        for key in call.keys {
            if session
                .watched
                .0
                .insert((session.database, key.bytes.into()))
            {
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
    dispatch::unwatch(call.server, call.session);
    call.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::dispatch::find;

    #[test]
    fn a_queue_keeps_its_commands_in_order() {
        let requests: [&[&[u8]]; 4] = [
            &[b"PING"],
            &[b"SET", b"", b"v"],
            &[b"ECHO", b""],
            &[b"PING"],
        ];
        let mut queue = Queue::default();
        for request in requests {
            queue.push(find(request).unwrap(), request);
        }
        let mut arguments = queue.arguments();
        let kept = queue.commands().map(|(command, count)| {
            let words: Vec<&[u8]> = arguments.by_ref().take(count).collect();
            assert_eq!(command.number, find(&words).unwrap().number);
            words
        });
        assert!(kept.eq(requests));
        assert_eq!((queue.len(), queue.argument_bytes()), (4, 16));
        assert!(queue.has(WRITE) && !queue.has(ADMIN));
    }
}
