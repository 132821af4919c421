//! Runs a command: takes the locks that its plan asks for, lets the handler work, and commits what it did.

use super::account::with_kind;
use super::lock_in_hand::{Manner, NotNow};
use super::locked::{after_handler, run_locked};
use super::plan::{Body, Extent, Plan};
use super::{Executor, Request, exec, script};
use crate::command::COMMANDS;
use crate::command::admin::monitor;
use crate::command::call::{Call, Then};
use crate::command::error::CommandResult;
use crate::command::session::Session;
use crate::command::spec::WRITE;
use crate::keyspace::db::Db;
use crate::keyspace::locks::{Busy, FETCHED_TOGETHER};
use crate::keyspace::space::{Key, Place};
use crate::keyspace::survey::Survey;
use crate::keyspace::view::{Expired, View};
use crate::resp::reply::Reply;
use std::sync::atomic::Ordering::Relaxed;

/// For more keys than this a command looks ahead: see [`Locks::fetch`](crate::keyspace::locks::Locks::fetch).
const MANY_KEYS: usize = 4;

impl Executor<'_> {
    /// Runs a command under the locks that its plan asks for.
    #[inline]
    pub(super) fn run(
        &mut self,
        session: &mut Session,
        plan: &Plan,
        request: Request,
        reply: &mut Reply,
        manner: Manner,
    ) -> (CommandResult, Then) {
        let engine = self.engine;
        let locks = &engine.locks;
        let keys = &*plan.keys;
        let mut view = View {
            touches: !session.client.modes.no_touch.load(Relaxed),
            ..locks.view(session.database, self.stopwatch.now_ms())
        };
        if session.is_replaying {
            view.expired = Expired::Keep;
        }
        if keys.len() > MANY_KEYS {
            self.fetch(keys);
        }
        let mut call = Call {
            arguments: request.arguments,
            keys,
            spec: plan.command.spec,
            reply,
            session,
            server: &engine.server,
            commands: &COMMANDS,
            large: request.large,
            now_ms: view.now_ms,
            then: Then::Nothing,
        };
        if !matches!(plan.body, Body::Write(_, Extent::Keys) | Body::Wait(_)) {
            self.lock.release();
        }
        if matches!(plan.body, Body::Wait(_)) {
            // Made before this command takes its locks, because it takes a call of the system. A failure matters if the
            // client waits.
            let _ = call.session.doorbell();
        }
        let result = match plan.body {
            Body::NoLock(handler) => handler(&mut call),
            Body::Survey(handler) => {
                let survey = Survey::unlocked(locks);
                let result = handler(&mut call, &survey);
                match survey.is_cut_short() {
                    true => Err(Busy.into()),
                    false => result,
                }
            }
            Body::Read(handler, extent) => self.read(&mut call, view, handler, extent),
            Body::Write(_, Extent::Keys) | Body::Wait(_) => {
                let now = self.stopwatch.shows();
                // The holder of the lock could not carry it out: the client may have to wait for a key.
                let manner = match plan.body {
                    Body::Wait(_) => Manner::Waiting,
                    _ => manner,
                };
                match self.lock.write(locks, view, keys, manner, now) {
                    Ok(db) => {
                        if view.expired == Expired::Hide && plan.command.spec.has(WRITE) {
                            // A pause has begun since the command was admitted.
                            db.expire_keys(keys);
                        }
                        let result = run_locked(&mut call, plan.body, db);
                        db.serve_waiters();
                        result
                    }
                    Err(NotNow::Busy(busy)) => Err(busy.into()),
                    Err(NotNow::Held) => return (Ok(()), Then::HandOver(keys[0].place())),
                }
            }
            Body::Write(_, Extent::All) => self.write_all(&mut call, view, plan.body),
            Body::Script(handler) => {
                monitor::show_always(call.server, call.session, call.spec, call.arguments);
                handler(&mut call)
                    .and_then(|invocation| script::run(&mut call, engine, view, &invocation))
            }
            Body::Exec => exec::exec(&mut call, engine, view, self.stopwatch.clone()),
        };
        let result = result.map_err(|error| with_kind(&engine.server, error));
        (result, call.then)
    }

    fn read(
        &self,
        call: &mut Call,
        view: View,
        handler: fn(&mut Call, &Db) -> CommandResult,
        extent: Extent,
    ) -> CommandResult {
        let locks = &self.engine.locks;
        locks.remove_expired(view, call.keys)?;
        let db = match extent {
            Extent::Keys => locks.read(view, call.keys)?,
            Extent::All => locks.read_all(view)?,
        };
        let result = handler(call, &db);
        after_handler(call, &db, result)
    }

    fn write_all(&self, call: &mut Call, view: View, body: Body) -> CommandResult {
        let locks = &self.engine.locks;
        locks.remove_expired(view, call.keys)?;
        let mut db = locks.write_all_unless_busy(view)?;
        let result = run_locked(call, body, &mut db);
        db.serve_waiters();
        result
    }

    /// Fetches from memory what belongs to these keys, if there is so much that it pays.
    #[cold]
    fn fetch(&self, keys: &[Key]) {
        let locks = &self.engine.locks;
        if locks.is_large(&keys[0].place()) {
            let places: Vec<Place> = keys.iter().map(Key::place).collect();
            let together = places.chunks(FETCHED_TOGETHER);
            together.for_each(|places| locks.fetch(places));
        }
    }
}
