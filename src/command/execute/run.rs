//! Runs a command: takes the locks that its plan asks for, lets the handler work, and commits what it did.

use super::account::with_kind;
use super::admit::is_outdated;
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
            epoch: self.epoch,
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
                    Ok(_) if is_outdated(&mut call) => {
                        return (Ok(()), Then::Readmit);
                    }
                    Ok(db) => {
                        if view.expired == Expired::Hide && plan.command.spec.has(WRITE) {
                            // There was a pause before the lock was taken.
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
        if is_outdated(call) {
            return Ok(());
        }
        let result = handler(call, &db);
        after_handler(call, &db, result)
    }

    fn write_all(&self, call: &mut Call, view: View, body: Body) -> CommandResult {
        let locks = &self.engine.locks;
        locks.remove_expired(view, call.keys)?;
        let mut db = locks.write_all_unless_busy(view)?;
        if is_outdated(call) {
            return Ok(());
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::execute::Engine;
    use crate::command::execute::exchange::Exchange;
    use crate::command::execute::replay::Replayer;
    use crate::state::config::Config;
    use crate::state::pause::{Extent as PauseExtent, Purpose};
    use crate::util::clock::Stopwatch;
    use std::thread;

    /// Executes the next request; what is left to be done.
    fn execute(exchange: &mut Exchange, executor: &mut Executor) -> Then {
        assert_eq!(exchange.parse(executor.engine), Ok(true));
        let then = exchange.execute(executor, Manner::Waiting);
        if !matches!(then, Then::Retry | Then::Readmit) {
            exchange.advance();
        }
        then
    }

    /// Executes all requests of a client; its replies, and what is left to be done after the last.
    fn execute_all(engine: &Engine, lines: &str) -> (Then, Exchange) {
        let mut exchange = Exchange::of_lines(engine, lines);
        let mut then = Then::Nothing;
        for _ in lines.lines() {
            let mut executor = Executor::new(engine, Stopwatch::start());
            then = execute(&mut exchange, &mut executor);
        }
        (then, exchange)
    }

    /// Gives a command of another client, which must wait for what is under way, while the last of these requests waits
    /// for the lock of the key `hot`. What comes of that request, and its client.
    fn execute_meanwhile(engine: &Engine, lines: &str, other: &str) -> (Then, Exchange) {
        let place = Key::new(0, b"hot").place();
        let mut holder = Executor::new(engine, Stopwatch::start());
        execute(&mut Exchange::of_lines(engine, "INCR hot\n"), &mut holder);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| execute_all(engine, lines));
            while engine.locks.waiting_threads(place) < 1 {
                thread::yield_now();
            }
            let changing = scope.spawn(|| execute_all(engine, other));
            while engine.locks.waiting_threads(place) < 2 && !changing.is_finished() {
                thread::yield_now();
            }
            assert!(!changing.is_finished(), "it waits for the holder");
            holder.release();
            let (_, mut changing) = changing.join().unwrap();
            assert_eq!(changing.reply.take_bytes(), b"+OK\r\n", "{other}");
            waiting.join().unwrap()
        })
    }

    fn replies(mut exchange: Exchange) -> String {
        String::from_utf8(exchange.reply.take_bytes()).unwrap()
    }

    const EVAL: &str = "EVAL \"return redis.call('incr', KEYS[1])\" 1 hot\n";
    const EXEC: &str = "MULTI\nINCR hot\nEXEC\n";

    #[test]
    fn a_pause_holds_writes_that_wait_for_their_locks() {
        for (lines, replied) in [
            ("INCR hot\n", ":2\r\n"),
            ("FLUSHALL\n", "+OK\r\n"),
            (EXEC, "+OK\r\n+QUEUED\r\n*1\r\n:2\r\n"),
            (EVAL, ":2\r\n"),
        ] {
            let engine = Engine::new(Config::default(), None);
            let pause = "CLIENT PAUSE 100000 WRITE\n";
            let (then, mut theirs) = execute_meanwhile(&engine, lines, pause);
            assert!(matches!(then, Then::Readmit), "{lines}");
            let mut executor = Executor::new(&engine, Stopwatch::start());
            let then = execute(&mut theirs, &mut executor);
            assert!(matches!(then, Then::Retry), "{lines}");
            engine.pause.end(Purpose::Command, &engine.keyspace.alarm);
            execute(&mut theirs, &mut executor);
            assert_eq!(replies(theirs), replied, "{lines}");
        }
    }

    #[test]
    fn what_waits_for_its_locks_is_admitted_by_the_rules_that_hold_then() {
        let denied = |command| {
            format!("-NOPERM User default has no permissions to run the '{command}' command\r\n")
        };
        let aborted = "+OK\r\n+QUEUED\r\n*1\r\n-NOPERM ACLs rules changed between the moment the transaction was \
            accumulated and the EXEC call. This command is no longer allowed for the following reason: no permission \
            to execute the command or subcommand\r\n";
        let lacking = "-NOREPLICAS Not enough good replicas to write.\r\n";
        let acl = "ACL SETUSER default -incr -get -eval\n";
        let config = "CONFIG SET min-replicas-to-write 1\n";
        for (change, lines, replied) in [
            (acl, "INCR hot\n", &*denied("incr")),
            (acl, "GET hot\n", &denied("get")),
            (acl, EVAL, &denied("eval")),
            (acl, EXEC, aborted),
            (config, "INCR hot\n", lacking),
        ] {
            let engine = Engine::new(Config::default(), None);
            let (then, mut theirs) = execute_meanwhile(&engine, lines, change);
            assert!(matches!(then, Then::Readmit), "{change} {lines}");
            let mut executor = Executor::new(&engine, Stopwatch::start());
            execute(&mut theirs, &mut executor);
            assert_eq!(replies(theirs), replied, "{change} {lines}");
        }
    }

    /// It keeps its place in the queue, so a client that changes directives in a loop keeps nobody from running.
    #[test]
    fn what_a_change_does_not_concern_runs_when_it_has_its_locks() {
        for (change, lines, replied) in [
            ("CLIENT PAUSE 100000 WRITE\n", "GET hot\n", "$1\r\n1\r\n"),
            (
                "CONFIG SET min-replicas-to-write 1\n",
                "GET hot\n",
                "$1\r\n1\r\n",
            ),
            ("CONFIG SET timeout 10\n", "INCR hot\n", ":2\r\n"),
            ("ACL SETUSER default -set\n", EVAL, ":2\r\n"),
        ] {
            let engine = Engine::new(Config::default(), None);
            let (then, theirs) = execute_meanwhile(&engine, lines, change);
            assert!(matches!(then, Then::Nothing), "{change} {lines}");
            assert_eq!(replies(theirs), replied, "{change} {lines}");
        }
    }

    /// The primary does not send it again.
    #[test]
    fn what_is_replayed_waits_for_no_pause() {
        let engine = Engine::new(Config::default(), None);
        let (extent, alarm) = (PauseExtent::Writes, &engine.keyspace.alarm);
        engine
            .pause
            .begin(Purpose::Command, extent, i64::MAX, 0, alarm);
        engine.settle();
        let mut replayer = Replayer::new(&engine, 0);
        for request in [
            "FLUSHALL", "INCR n", "MULTI", "INCR n", "EXEC", "MULTI", "INCR n", "EXEC",
        ] {
            let words: Vec<&[u8]> = request.split(' ').map(str::as_bytes).collect();
            replayer.run(&words).unwrap();
        }
        replayer.release();
        let key = Key::new(0, b"n");
        let db = engine.locks.read(View::from(0), &[key]).unwrap();
        assert_eq!(db.string(&key), Ok(Some(&b"3"[..])));
    }
}
