//! EXEC: from the queue of a transaction to its locks, its commands, its replies.
//!
//! All locks of all commands are taken once, exclusively and in the usual order, with those of the watched keys. So no
//! other thread, be it a reader of all shards or the saver, sees a transaction half done, and two transactions never
//! wait for each other in a circle. No handler can take a lock, so none waits for one that its own transaction holds.

use super::Engine;
use super::account::{Account, is_about_subscriptions, note_duration, with_kind};
use super::admit::is_outdated;
use super::locked::run_locked;
use super::plan::{Body, Plan};
use super::script;
use crate::command::acl::check::Attempt;
use crate::command::admin::monitor;
use crate::command::call::{Call, Then, database_number};
use crate::command::error::{CommandError, CommandResult};
use crate::command::session::transaction::{Queue, Watched};
use crate::command::spec::{SELECTS, WRITE};
use crate::keyspace::db::WriteDb;
use crate::keyspace::locks::Busy;
use crate::keyspace::space::Key;
use crate::keyspace::view::View;
use crate::state::acl::Context;
use crate::util::clock::Stopwatch;
use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;

/// Carries out the commands of a transaction, unless one could not be queued.
pub(super) fn exec(
    call: &mut Call,
    engine: &Engine,
    view: View,
    stopwatch: Stopwatch,
) -> CommandResult {
    let queue = call.session.transaction.queue.take();
    let queue = queue.ok_or(CommandError::WithoutMulti("EXEC"))?;
    let mut left = Vec::new();
    let result = if queue.is_spoilt {
        engine.unwatch(call.session);
        Err(CommandError::ExecAborted)
    } else {
        exec_queue(call, engine, view, &queue, stopwatch, &mut left)
    };
    if matches!(call.then, Then::Readmit) {
        call.session.transaction.queue = Some(queue);
        return result;
    }
    // The locks are gone.
    for then in left {
        engine.finish(then);
    }
    // Not before: the transaction sees itself in CLIENT LIST.
    call.session.publish_queue();
    result
}

/// The commands of a transaction, ready to run.
struct Steps<'a> {
    steps: Vec<Step<'a>>,
    /// The arguments of all, one after the other.
    arguments: Vec<&'a [u8]>,
    /// Whether all shards must be locked.
    needs_all: bool,
}

/// A command of a transaction.
struct Step<'a> {
    plan: Plan<'a>,
    arguments: Range<usize>,
}

impl<'a> Steps<'a> {
    /// `database` is the one that is selected before the first of them.
    fn new(queue: &'a Queue, mut database: usize, databases: usize) -> Steps<'a> {
        let arguments: Vec<&[u8]> = queue.arguments().collect();
        let mut steps = Vec::with_capacity(queue.len());
        let mut needs_all = false;
        let mut start = 0;
        for (command, count) in queue.commands() {
            let place = start..start + count;
            start = place.end;
            let own = &arguments[place.clone()];
            let plan = Plan::new(command, own, database);
            needs_all |= plan.body.needs_all();
            if command.spec.has(SELECTS) {
                database = database_number(own[1], databases).unwrap_or(database);
            }
            steps.push(Step {
                plan,
                arguments: place,
            });
        }
        Steps {
            steps,
            arguments,
            needs_all,
        }
    }
}

/// Carries out the commands of a transaction, or none if a watched key has changed; what they leave to be done is added
/// to `left`. Nothing is sent, and nothing large is freed, before the locks are gone.
fn exec_queue(
    call: &mut Call,
    engine: &Engine,
    view: View,
    queue: &Queue,
    mut laps: Stopwatch,
    left: &mut Vec<Then>,
) -> CommandResult {
    let watched = std::mem::take(&mut call.session.transaction.watched);
    let databases = call.server.keyspace.databases();
    let all = Steps::new(queue, call.session.database, databases);
    let mut db = match lock(engine, view, &all, &watched) {
        Ok(db) => db,
        Err(busy) => {
            call.session.transaction.watched = watched;
            engine.unwatch(call.session);
            return Err(with_kind(call.server, busy.into()).aborting());
        }
    };
    if is_outdated(call) {
        call.session.transaction.watched = watched;
        return Ok(());
    }
    let is_spoilt = end_watch(call, &mut db, &watched);
    let account = Account::begin(call.reply);
    if is_spoilt {
        call.reply.null_array();
    } else {
        call.reply.array(all.steps.len());
    }
    account.drop_unheard(call.session, call.reply);
    if is_spoilt {
        return Ok(());
    }
    call.session.transaction.is_running = true;
    call.session.transaction.time_us = None;
    laps.lap_ns();
    db.begin_block();
    for step in &all.steps {
        match run_step(call, &mut db, &all, step, &mut laps) {
            Then::Nothing => {}
            then => left.push(then),
        }
    }
    call.session.transaction.is_running = false;
    db.end_block();
    // The clients that are served see the transaction as a whole.
    db.serve_waiters();
    let mut commands = all.steps.iter().map(|step| step.plan.command);
    let is_closing = call.session.client.closes_after_reply.load(Relaxed);
    if !is_closing && commands.any(is_about_subscriptions) {
        // A client that has unsubscribed still gets the messages that came before.
        call.hear_out();
    }
    Ok(())
}

/// All locks: those of the watched keys too, so that what was seen of them stays true to the end.
fn lock<'a>(
    engine: &'a Engine,
    view: View,
    all: &Steps,
    watched: &Watched,
) -> Result<WriteDb<'a>, Busy> {
    if all.needs_all {
        return engine.locks.write_all_unless_busy(view);
    }
    let keys = all
        .steps
        .iter()
        .flat_map(|step| step.plan.keys.iter().copied());
    let keys: Vec<Key> = keys.chain(watched.keys()).collect();
    engine.locks.write_unless_busy(view, &keys)
}

/// Takes the client off all keys that it watched; whether one of them has changed.
fn end_watch(call: &Call, db: &mut WriteDb, watched: &Watched) -> bool {
    let watch = &call.session.client.watch;
    let keys: Vec<Key> = watched.keys().collect();
    // What has expired has changed; during a pause it is still there.
    db.remove_expired(&keys);
    let has_expired = watched.existed().any(|key| db.is_expired(&key));
    db.leave_watchers(&keys, watch, watch.round());
    let is_spoilt = watch.is_spoilt() || has_expired;
    watch.renew();
    is_spoilt
}

/// Carries out a command of a transaction; what is left to be done when the locks are gone.
fn run_step(
    call: &mut Call,
    db: &mut WriteDb,
    all: &Steps,
    step: &Step,
    laps: &mut Stopwatch,
) -> Then {
    let plan = &step.plan;
    let command = plan.command;
    db.begin_step(
        call.session.database,
        !call.session.client.modes.no_touch.load(Relaxed),
    );
    // The locks may have been taken without a look at the keys, and a command before may have let one of them expire.
    if command.spec.has(WRITE) {
        // Even if a pause has begun in this transaction.
        db.expire_keys(&plan.keys);
    } else {
        db.remove_expired(&plan.keys);
    }
    // CLIENT KILL has ended the connection: its reply is the last.
    let is_closing = call.session.client.closes_after_reply.load(Relaxed);
    let account = Account::begin(call.reply);
    let arguments = &all.arguments[step.arguments.clone()];
    let mut own = Call {
        arguments,
        keys: &plan.keys,
        spec: command.spec,
        reply: call.reply,
        session: call.session,
        then: Then::Nothing,
        ..*call
    };
    let attempt = Attempt::of(own.session, own.server, own.commands, Context::Transaction);
    let permitted = attempt.check(command, arguments);
    let result = match (permitted, plan.body) {
        (Err(denial), _) => Err(denial.since_queued()),
        (Ok(()), Body::Script(handler)) => {
            monitor::show_always(own.server, own.session, own.spec, own.arguments);
            handler(&mut own)
                .and_then(|invocation| script::run_in_transaction(&mut own, db, &invocation))
        }
        (Ok(()), body) => run_locked(&mut own, body, db),
    };
    let left = std::mem::take(&mut own.then);
    let (server, session, reply) = (call.server, &*call.session, &mut *call.reply);
    account.conclude(server, session, command, arguments, reply, &result);
    let duration_ns = laps.lap_ns();
    let tracks_latency = server.config.latency_tracking.get();
    let (statistics, client) = (&server.statistics, session.client.id);
    statistics.count_call(client, command.number, duration_ns, tracks_latency);
    note_duration(server, session, command, arguments, duration_ns);
    if is_closing {
        account.take_back(reply);
    } else if !is_about_subscriptions(command) {
        account.drop_unheard(session, reply);
    }
    left
}
