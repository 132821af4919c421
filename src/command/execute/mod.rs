//! From a request to its reply. A request goes down through these files once:
//!
//! 1. `make_room`, if the limit of memory is exceeded. `admit`: whether the command may run at all, now and for this
//!    client.
//! 2. `plan`: what runs it, on which keys, and so under which locks.
//! 3. `run`: the locks are taken; under them (`locked`) the handler runs, and what it did is committed.
//! 4. `account`: the reply or the error, statistics, slow log, monitors.
//!
//! A script (`script`) runs its commands as step 3 does, under locks that were taken before it began. EXEC (`exec`)
//! takes the locks of all its commands at once and then runs each as step 3 does; a client that waits for a key
//! (`wait`) is served by the thread that fills it, under that thread's locks; a thread that waits for a lock has the
//! holder of the lock carry out its requests (`errand`). Here, and in the threads of
//! [`server`](crate::server), are all places that lock the keyspace: nothing else has an [`Engine`].

mod account;
mod admit;
pub mod errand;
mod evict_clients;
pub mod exchange;
mod exec;
mod lock_in_hand;
mod locked;
mod make_room;
mod plan;
pub mod replay;
mod run;
mod script;
pub mod wait;

use super::COMMANDS;
use super::call::Then;
use super::error::CommandError;
use super::session::Session;
use super::session::transaction::Transaction;
use super::spec::UNQUEUED;
use crate::keyspace::locks::{Busy, Locks};
use crate::keyspace::space::Key;
use crate::keyspace::view::View;
use crate::resp::reply::Reply;
use crate::resp::request::LargeArguments;
use crate::state::Server;
use crate::state::config::Config;
use crate::state::pause::Extent;
use crate::state::statistics::PendingCalls;
use crate::util::clock::{self, Stopwatch};
use account::Account;
use lock_in_hand::LockInHand;
pub use lock_in_hand::Manner;
use plan::{Body, Extent as LockExtent, Plan};
use std::ops::Deref;
use std::path::PathBuf;

/// The server with the locks of its keyspace. Handlers are given the [`Server`] alone, so that none of them can lock.
#[derive(Debug)]
pub struct Engine {
    server: Server,
    /// The only way to the keys and values.
    pub locks: Locks,
}

/// What a client has sent: one command.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The command's name and its arguments; at least the name.
    pub arguments: &'a [&'a [u8]],
    /// Those of them that were received into memory of their own.
    pub large: &'a LargeArguments,
}

/// Carries out the requests of one packet.
pub struct Executor<'a> {
    engine: &'a Engine,
    lock: LockInHand<'a>,
    stopwatch: Stopwatch,
    /// The [epoch](crate::state::epoch) before the last request was admitted.
    epoch: u64,
    /// Those of the packet that the figures of INFO do not know yet.
    calls: PendingCalls<'a>,
}

impl Engine {
    /// A server without data.
    pub fn new(config: Config, config_file: Option<PathBuf>) -> Engine {
        let locks = Locks::new(config.databases.get().max(1) as usize);
        let keyspace = locks.keyspace().clone();
        Engine {
            server: Server::new(config, config_file, super::COMMANDS.all().len(), keyspace),
            locks,
        }
    }

    /// Begins a new [epoch](crate::state::epoch), and waits until all commands are done that have exclusive locks now,
    /// unless one of them is a busy script. The thread must hold no lock.
    pub fn settle(&self) {
        self.epoch.advance();
        drop(self.locks.read_everything(View::from(clock::unix_ms())));
    }

    /// Does what a handler has left to be done, and gives back what is left to the executor or the connection. The
    /// thread must hold no lock.
    fn finish(&self, then: Then) -> Then {
        match then {
            Then::Follow(primary) => {
                if let Some(feed) = self.replication.feed() {
                    feed.clone().follow(primary);
                }
            }
            Then::BeginSave => drop(self.saves.request_background()),
            Then::Settle => self.settle(),
            then => return then,
        }
        Then::Nothing
    }

    /// Lets a client watch no key any more, and waits for no busy script. The thread must hold no lock.
    pub fn unwatch(&self, session: &mut Session) {
        let Transaction {
            watched,
            left_behind,
            ..
        } = &mut session.transaction;
        if watched.is_empty() {
            return;
        }
        let watch = &session.client.watch;
        left_behind.push((watch.round(), std::mem::take(watched)));
        watch.renew();
        left_behind.retain(|(round, watched)| {
            let keys: Vec<Key> = watched.keys().collect();
            let view = self.locks.view(0, clock::unix_ms());
            match self.locks.write_unless_busy(view, &keys) {
                Ok(mut db) => {
                    db.leave_watchers(&keys, watch, *round);
                    false
                }
                Err(Busy) => true,
            }
        });
    }

    /// The shards forget what the client has watched, however long that takes: its connection has ended.
    pub fn forget_watched(&self, session: &mut Session) {
        self.unwatch(session);
        let watch = &session.client.watch;
        for (round, watched) in session.transaction.left_behind.drain(..) {
            let keys: Vec<Key> = watched.keys().collect();
            let view = self.locks.view(0, clock::unix_ms());
            let mut db = self.locks.write(view, &keys);
            db.leave_watchers(&keys, watch, round);
        }
    }
}

impl Deref for Engine {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl<'a> Executor<'a> {
    /// Begins with the first request of a packet, at the time that the stopwatch shows.
    pub fn new(engine: &'a Engine, stopwatch: Stopwatch) -> Executor<'a> {
        Executor {
            engine,
            lock: LockInHand::default(),
            stopwatch,
            epoch: 0,
            calls: PendingCalls::new(&engine.server.statistics),
        }
    }

    /// Unix time in milliseconds of the request that runs, or ran last.
    pub fn now_ms(&self) -> i64 {
        self.stopwatch.now_ms()
    }

    /// Does [errands](errand) under the lock that the next request might have used, lets it go, and adds the calls to
    /// the figures. Called before anything that may take time; after that the clock has to be started anew.
    pub fn release(&mut self) {
        if self.lock.is_waited_for() {
            self.do_errands();
        }
        self.lock.release();
        self.calls.flush();
    }

    /// Starts the clock anew after the thread has waited for something.
    pub fn resume(&mut self) {
        self.stopwatch = Stopwatch::start();
    }

    /// Carries out one request and writes its reply; says what is left to the connection:
    /// [`Then::Wait`], [`Then::SendDump`], [`Then::Retry`], [`Then::Readmit`], [`Then::HandOver`] or nothing.
    pub fn execute(
        &mut self,
        session: &mut Session,
        request: Request,
        reply: &mut Reply,
        manner: Manner,
    ) -> Then {
        if self.lock.is_late(self.stopwatch.shows()) {
            self.release();
        }
        let server = &self.engine.server;
        let account = Account::begin(reply);
        // The client's last command found no memory: there may be some now.
        if server.memory_limit.is_exceeded() || session.is_out_of_memory {
            self.lock.release();
            let now_ms = self.stopwatch.now_ms();
            session.is_out_of_memory = self.engine.make_room(&mut session.eviction_pool, now_ms);
        }
        self.epoch = server.epoch.now();
        let command = match admit::admit(server, session, request.arguments) {
            Ok(command) => command,
            Err(refusal) => {
                self.lock.release();
                let unwatches = admit::refuse(server, session, request.arguments, reply, refusal);
                if unwatches {
                    self.engine.unwatch(session);
                }
                account.end_request(session, reply);
                session.end_caching_exception(None);
                return Then::Nothing;
            }
        };
        if let Some(extent) = server.pause.at(self.stopwatch.now_ms())
            && admit::has_to_wait(server, session, command, request.arguments, extent)
        {
            return Then::Retry;
        }
        if server.append_only.holds_changes(self.stopwatch.now_ms())
            && admit::has_to_wait(server, session, command, request.arguments, Extent::Writes)
        {
            return Then::Retry;
        }
        if session.transaction.queue.is_some() && !command.spec.has(UNQUEUED) {
            self.lock.release();
            let flags = command.spec.flags_in(server, request.arguments);
            session.enqueue(command, request.arguments, flags);
            reply.simple("QUEUED");
            account.end_request(session, reply);
            return Then::Nothing;
        }
        let plan = Plan::new(command, request.arguments, session.database);
        self.complete(session, &plan, account, request, reply, manner)
    }

    /// Carries out a request of any client under the lock in hand, if that suffices and nothing keeps the request from
    /// running.
    fn execute_in_hand(
        &mut self,
        session: &mut Session,
        request: Request,
        reply: &mut Reply,
    ) -> bool {
        let server = &self.engine.server;
        self.epoch = server.epoch.now();
        let now_ms = self.stopwatch.now_ms();
        let is_held_up = server.memory_limit.is_exceeded()
            || session.is_out_of_memory
            || session.transaction.queue.is_some()
            || server.pause.at(now_ms).is_some()
            || server.append_only.holds_changes(now_ms);
        if is_held_up {
            return false;
        }
        let account = Account::begin(reply);
        let Ok(command) = COMMANDS.of_request(request.arguments) else {
            return false;
        };
        let plan = Plan::new(command, request.arguments, session.database);
        // The handlers of these leave nothing to be done.
        let is_change = matches!(plan.body, Body::Write(_, LockExtent::Keys));
        let is_carried_out = is_change
            && self.lock.suffices(&plan.keys)
            // A denial is noted when the command is admitted. That is left to the client's own thread.
            && admit::may_give(session, command, request.arguments)
            && admit::admit_command(server, session, command, request.arguments).is_ok();
        is_carried_out
            && !matches!(
                self.complete(session, &plan, account, request, reply, Manner::Waiting),
                Then::Readmit
            )
    }

    /// Runs a command that was admitted, and does all that comes after it.
    #[inline]
    fn complete(
        &mut self,
        session: &mut Session,
        plan: &Plan,
        account: Account,
        request: Request,
        reply: &mut Reply,
        manner: Manner,
    ) -> Then {
        let server = &self.engine.server;
        let command = plan.command;
        if !plan.body.works_on_keys() {
            // Its handler may read the figures, as that of INFO does.
            self.calls.flush();
        }
        let (result, then) = self.run(session, plan, request, reply, manner);
        if matches!(then, Then::HandOver(_) | Then::Readmit) {
            return then;
        }
        let duration_ns = self.stopwatch.lap_ns();
        if let Err(error @ CommandError::Busy(_)) = &result {
            // As in Redis, it is refused before it runs.
            account.answer_instead(server, session, command, reply, error, false);
        } else {
            account.conclude(server, session, command, request.arguments, reply, &result);
            let tracks_latency = server.config.latency_tracking.get();
            let (client, calls) = (session.client.id, &mut self.calls);
            calls.add(client, command.number, duration_ns, tracks_latency);
            account::note_duration(server, session, command, request.arguments, duration_ns);
        }
        account.end_call(session, plan, result.is_ok(), reply);
        session.end_caching_exception(Some(command));
        self.follow(session, then)
    }

    /// Does what a handler has left to be done, but for what is left to the connection.
    #[inline]
    fn follow(&mut self, session: &mut Session, then: Then) -> Then {
        match then {
            Then::Unwatch => {
                self.lock.release();
                self.engine.unwatch(session);
            }
            Then::Follow(_) | Then::BeginSave | Then::Settle => {
                self.lock.release();
                self.engine.finish(then);
            }
            then => return then,
        }
        Then::Nothing
    }
}
