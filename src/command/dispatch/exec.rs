//! EXEC: from the queue of a transaction to its locks, its commands, its replies.
//!
//! All locks of all commands are taken once, exclusively and in the usual order, with those of the watched keys. So nobody,
//! be it a reader of all shards or a snapshot, sees a transaction half done, and two transactions never wait for each other
//! in a circle. No handler can take a lock (`Db`, `Survey`), so none waits for one that its own transaction holds.

use super::{
    conclude, drop_unheard, handler_of, is_about_subscriptions, keys, note_call, run_locked,
    unwatch,
};
use crate::command::call::{Call, database_number};
use crate::command::error::{CommandError, CommandResult};
use crate::command::table::{Command, Handler, WRITE};
use crate::command::transaction::{self, Queue, Watched};
use crate::keyspace::db::{Db, WriteDb};
use crate::keyspace::space::Key;
use crate::util::clock::Stopwatch;
use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;

/// Carries out what was queued, unless a command could not be queued.
pub(super) fn exec(call: &mut Call, stopwatch: &Stopwatch) -> CommandResult {
    let queue = call.session.queue.take();
    let queue = queue.ok_or(CommandError::WithoutMulti("EXEC"))?;
    let result = match queue.is_spoilt {
        true => {
            unwatch(call.server, call.session);
            Err(CommandError::ExecAborted)
        }
        false => {
            exec_queue(call, &queue, stopwatch.clone());
            Ok(())
        }
    };
    transaction::publish(call.session);
    if std::mem::take(&mut call.session.begins_save) {
        call.server.saves.begin();
    }
    result
}

/// The commands of a transaction, ready to run; their arguments and keys one after the other.
struct Steps<'a> {
    steps: Vec<Step>,
    arguments: Vec<&'a [u8]>,
    keys: Vec<Key<'a>>,
    /// Whether all shards must be locked.
    needs_all: bool,
}

/// A command of a transaction.
struct Step {
    command: &'static Command,
    handler: Handler,
    arguments: Range<usize>,
    keys: Range<usize>,
}

impl<'a> Steps<'a> {
    /// `database` is the one that is selected before the first of them.
    fn new(queue: &'a Queue, mut database: usize, databases: usize) -> Steps<'a> {
        let mut all = Steps {
            steps: Vec::with_capacity(queue.len()),
            arguments: queue.arguments().collect(),
            keys: Vec::new(),
            needs_all: false,
        };
        let mut start = 0;
        for (command, count) in queue.commands() {
            let arguments = start..start + count;
            start = arguments.end;
            let own = &all.arguments[arguments.clone()];
            let handler = handler_of(command, own);
            let first_key = all.keys.len();
            all.keys.extend(keys(command, own, database));
            all.needs_all |= needs_all(handler);
            if command.spec.name == "select" {
                database = database_number(own[1], databases).unwrap_or(database);
            }
            all.steps.push(Step {
                command,
                handler,
                arguments,
                keys: first_key..all.keys.len(),
            });
        }
        all
    }
}

fn needs_all(handler: Handler) -> bool {
    use Handler::{ReadAll, Survey, WriteAll};
    matches!(handler, ReadAll(_) | WriteAll(_) | Survey(_))
}

/// Carries out the commands of a transaction, or none if its watch is spoilt. Nothing is sent, and nothing large is freed,
/// before the locks are gone.
fn exec_queue(call: &mut Call, queue: &Queue, mut laps: Stopwatch) {
    let watched = std::mem::take(&mut call.session.watched);
    let databases = call.server.keyspace.databases();
    let all = Steps::new(queue, call.session.database, databases);
    let mut db = lock(call, &all, &watched);
    let is_spoilt = end_watch(call, &mut db, &watched);
    let mark = call.reply.mark();
    match is_spoilt {
        true => call.reply.null_array(),
        false => call.reply.array(all.steps.len()),
    }
    drop_unheard(call.session, call.reply, mark);
    if is_spoilt {
        return;
    }
    call.session.is_in_exec = true;
    laps.lap_ns();
    for step in &all.steps {
        run_step(call, &mut db, &all, step, &mut laps);
    }
    call.session.is_in_exec = false;
    // They see the transaction as a whole.
    db.serve_waiters();
    let mut commands = all.steps.iter().map(|step| step.command);
    let is_closing = call.session.client.closes_after_reply.load(Relaxed);
    if !is_closing && commands.any(is_about_subscriptions) {
        // A client that has unsubscribed still gets the messages that came before.
        call.hear_out();
    }
}

/// All locks: those of the watched keys too, so that what was seen of them stays true to the end.
fn lock<'a>(call: &Call<'a>, all: &Steps, watched: &Watched) -> WriteDb<'a> {
    let (keyspace, database) = (&call.server.keyspace, call.session.database);
    match all.needs_all {
        true => keyspace.write_all(database, call.now_ms),
        false => {
            let keys: Vec<Key> = all.keys.iter().copied().chain(watched.keys()).collect();
            keyspace.write(database, &keys, call.now_ms)
        }
    }
}

/// Takes the client off all keys that it watched; whether one of them has changed.
fn end_watch(call: &Call, db: &mut Db, watched: &Watched) -> bool {
    let watch = &call.session.client.watch;
    let keys: Vec<Key> = watched.keys().collect();
    // What has expired has changed; during a pause it is still there.
    keys.iter().for_each(|key| db.remove_if_expired(key));
    let has_expired = keys.iter().any(|key| db.is_expired(key));
    db.leave_watchers(&keys, watch);
    let is_spoilt = watch.is_spoilt() || has_expired;
    watch.renew();
    is_spoilt
}

fn run_step(call: &mut Call, db: &mut Db, all: &Steps, step: &Step, laps: &mut Stopwatch) {
    let keys = &all.keys[step.keys.clone()];
    db.database = call.session.database;
    db.touches = !call.session.client.no_touch.load(Relaxed);
    db.forget_counted();
    // The locks may have been taken without a look at the keys, and a command before may have let one of them expire.
    keys.iter()
        .for_each(|key| match step.command.spec.has(WRITE) {
            // The pause may have begun in this transaction.
            true => db.expire(key),
            false => db.remove_if_expired(key),
        });
    // CLIENT KILL has ended the connection: its reply is the last.
    let is_closing = call.session.client.closes_after_reply.load(Relaxed);
    let mark = call.reply.mark();
    let arguments = &all.arguments[step.arguments.clone()];
    let mut own = Call {
        arguments,
        keys,
        spec: step.command.spec,
        reply: call.reply,
        session: call.session,
        server: call.server,
        now_ms: call.now_ms,
    };
    let result = run_locked(&mut own, step.handler, db);
    let (server, session, reply) = (call.server, &*call.session, &mut *call.reply);
    let command = step.command;
    conclude(server, session, command, arguments, reply, mark, result);
    note_call(server, session, command, arguments, laps.lap_ns());
    if is_closing {
        reply.take_back(mark);
    } else if !is_about_subscriptions(command) {
        drop_unheard(session, reply, mark);
    }
}
