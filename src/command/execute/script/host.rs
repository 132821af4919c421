//! The server as a script sees it: `redis.call` runs commands under the locks that the script holds, as EXEC does.

use super::super::account::note_duration;
use super::super::locked::{after_handler, run_locked};
use super::super::plan::{Body, Plan};
use super::notes::{Note, Notes};
use crate::command::COMMANDS;
use crate::command::acl::check::{self, Attempt};
use crate::command::call::{Call, Then};
use crate::command::error::{CommandError, CommandResult};
use crate::command::invocation::Program;
use crate::command::registry::Command;
use crate::command::session::held::HeldBack;
use crate::command::spec::{DENYOOM, MAY_REPLICATE, NOSCRIPT, STALE, WRITE};
use crate::keyspace::db::{Db, ReadDb, WriteDb};
use crate::keyspace::survey::Survey;
use crate::lua::flags::ScriptFlags;
use crate::lua::host::{Ending, Host, LogLevel, Targets};
use crate::lua::interpreter::Kind;
use crate::resp::reply::{Protocol, Reply};
use crate::resp::request::LargeArguments;
use crate::state::acl::Context;
use crate::state::scripts::busy::BusyScript;
use crate::state::tracking;
use crate::util::clock::Stopwatch;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// The locks of a script.
pub(super) enum ScriptLocks<'a, 'k> {
    /// Shared ones on the shards of the keys that it has declared: it only reads.
    Shared(&'a mut ReadDb<'k>),
    /// Exclusive ones on these shards.
    Declared(&'a mut WriteDb<'k>),
    /// Exclusive ones on all shards.
    All(&'a mut WriteDb<'k>),
}

/// One run of a script.
pub(super) struct ScriptHost<'a, 'c, 'k> {
    /// The call of EVAL.
    call: &'a mut Call<'c>,
    locks: ScriptLocks<'a, 'k>,
    is_read_only: bool,
    program: &'a Program,
    /// Of the replies that the script gets.
    protocol: Protocol,
    laps: Stopwatch,
    /// The database of the client, which SELECT in a script does not change.
    database: usize,
    /// Whether the script is part of a transaction.
    is_in_transaction: bool,
    /// Whether the script has to end.
    is_over: bool,
    has_strayed: bool,
    has_written: bool,
    notes: Notes,
    /// Once the script has run for too long.
    busy: Option<Arc<BusyScript>>,
}

impl<'k> ScriptLocks<'_, 'k> {
    fn db(&self) -> &Db<'k> {
        match self {
            ScriptLocks::Shared(db) => db,
            ScriptLocks::Declared(db) | ScriptLocks::All(db) => db,
        }
    }

    fn are_all(&self) -> bool {
        matches!(self, ScriptLocks::All(_))
    }
}

impl<'a, 'c, 'k> ScriptHost<'a, 'c, 'k> {
    pub(super) fn new(
        call: &'a mut Call<'c>,
        locks: ScriptLocks<'a, 'k>,
        is_read_only: bool,
        program: &'a Program,
    ) -> ScriptHost<'a, 'c, 'k> {
        let session = &mut *call.session;
        let is_in_transaction = std::mem::replace(&mut session.transaction.is_running, true);
        session.transaction.is_script = true;
        tracking::set_runs_script(true);
        if !locks.are_all() {
            session.transaction.held = Some(HeldBack::default());
        }
        ScriptHost {
            locks,
            is_read_only,
            program,
            protocol: Protocol::Resp2,
            laps: Stopwatch::start_at(call.now_ms),
            database: session.database,
            is_in_transaction,
            is_over: false,
            has_strayed: false,
            has_written: false,
            notes: Notes::default(),
            busy: None,
            call,
        }
    }

    /// Whether it has reached for what is not locked.
    pub(super) fn has_strayed(&self) -> bool {
        self.has_strayed
    }

    pub(super) fn arguments(&self) -> &'c [&'c [u8]] {
        self.call.arguments
    }

    /// The client's reply, to be written while the host is in use.
    pub(super) fn take_reply(&mut self) -> Reply {
        std::mem::take(self.call.reply)
    }

    pub(super) fn give_reply(&mut self, reply: Reply) {
        *self.call.reply = reply;
    }

    /// Tells others what the script has done.
    pub(super) fn commit(&mut self) {
        let (server, client) = (self.call.server, self.call.session.client.id);
        self.notes.carry_out(server, client);
        let mut messages = self
            .call
            .session
            .transaction
            .held
            .take()
            .unwrap_or_default();
        let (hits, misses) = messages.lookups();
        server.statistics.count_lookups(client, hits, misses);
        let (database, tracking) = (self.call.session.database, &server.tracking);
        // Under shared locks nothing is published, and under all locks nothing is held back.
        if let ScriptLocks::Declared(db) = &mut self.locks {
            db.end_block_with(|news| {
                messages.remember_before(news, tracking, client);
                messages.send_before(news, server, database);
            });
        }
        messages.remember_before(usize::MAX, tracking, client);
    }

    /// The command, if a script may call it so.
    fn admit(&self, arguments: &[&[u8]]) -> Result<&'static Command, Refusal> {
        let Ok(command) = COMMANDS.of_request(arguments) else {
            return Err(Refusal::of(
                None,
                "Unknown Redis command called from script",
            ));
        };
        let refuse = |text: &str| Err(Refusal::of(Some(command), text));
        let refuse_with = |error| {
            Err(Refusal {
                command: Some(command),
                error,
            })
        };
        if !command.spec.accepts(arguments.len()) {
            return refuse("Wrong number of args calling Redis command from script");
        }
        if command.spec.has(NOSCRIPT) {
            return refuse("This Redis command is not allowed from script");
        }
        if self.is_read_only && command.spec.has(WRITE | MAY_REPLICATE) {
            return refuse("Write commands are not allowed from read-only scripts.");
        }
        let (server, session) = (self.call.server, &*self.call.session);
        let attempt = Attempt::of(session, server, &COMMANDS, Context::Script);
        if let Err(denial) = attempt.check(command, arguments) {
            let reason = denial.reason(&session.account().name, command);
            return refuse_with(CommandError::quoting(
                "ACL failure in script: ",
                &reason,
                "",
            ));
        }
        if command.spec.has(DENYOOM) && self.lacks_memory() {
            return refuse_with(CommandError::OutOfMemory);
        }
        if command.spec.has(WRITE) && self.call.server.is_read_only.load(Relaxed) {
            return refuse_with(CommandError::ReadOnly);
        }
        if command.spec.has(WRITE) && self.call.server.lacks_replicas() {
            return refuse_with(CommandError::NoReplicas);
        }
        if self.call.server.hides_stale_data() && !command.spec.has(STALE) {
            return refuse("Can not execute the command on a stale replica");
        }
        if command.spec.has(WRITE)
            && let Some(refusal) = self.call.server.write_refusal()
        {
            return refuse_with(CommandError::StopWrites(refusal));
        }
        Ok(command)
    }

    /// Whether a command that may need more memory is refused. A script that has changed something is not stopped for
    /// that: half of what it does would be worse.
    fn lacks_memory(&self) -> bool {
        let flags = self.program.flags().unwrap_or_default();
        self.call.session.is_out_of_memory
            && !self.has_written
            && !flags.has(ScriptFlags::ALLOW_OOM)
    }

    /// Whether all that a command needs is locked.
    fn is_locked_for(&self, plan: &Plan) -> bool {
        let changes = matches!(plan.body, Body::Write(..) | Body::Wait(_));
        let needs_all = plan.body.needs_all();
        match &self.locks {
            ScriptLocks::Shared(db) => !changes && !needs_all && db.covers(&plan.keys),
            ScriptLocks::Declared(db) => !needs_all && db.serves(&plan.keys),
            ScriptLocks::All(_) => true,
        }
    }

    fn run(&mut self, plan: &Plan, arguments: &[&[u8]], reply: &mut Reply) -> CommandResult {
        let spec = plan.command.spec;
        let call = &mut *self.call;
        let touches = !call.session.client.modes.no_touch.load(Relaxed);
        let database = call.session.database;
        let mut own = Call {
            arguments,
            keys: &plan.keys,
            spec,
            reply,
            session: call.session,
            large: &LargeArguments::new(),
            then: Then::Nothing,
            ..*call
        };
        match &mut self.locks {
            ScriptLocks::Declared(db) | ScriptLocks::All(db) => {
                db.begin_step(database, touches);
                match spec.has(WRITE) {
                    // Even if a pause has begun since.
                    true => db.expire_keys(&plan.keys),
                    false => db.remove_expired(&plan.keys),
                }
                if let Some(held) = &mut own.session.transaction.held {
                    held.news = db.held_news();
                }
                run_locked(&mut own, plan.body, db)
            }
            ScriptLocks::Shared(db) => {
                db.begin_step(database, touches);
                let result = match plan.body {
                    Body::Read(handler, _) => handler(&mut own, db),
                    Body::NoLock(handler) => handler(&mut own),
                    Body::Survey(handler) => handler(&mut own, &Survey::locked(db)),
                    Body::Write(..) | Body::Wait(_) | Body::Exec | Body::Script(_) => {
                        Err(CommandError::UndeclaredKey)
                    }
                };
                after_handler(&mut own, db, result)
            }
        }
    }

    /// Notes something at once, or when it is certain that the run counts.
    fn note(&mut self, note: Note) {
        match self.locks.are_all() {
            true => note.carry_out(self.call.server, self.call.session.client.id),
            false => self.notes.add(note),
        }
    }

    fn stray(&mut self) -> Result<(), Ending> {
        self.has_strayed = true;
        self.end()
    }

    /// Notes that the script changes keys, before it does.
    ///
    /// # Errors
    /// It is killed.
    fn note_write(&mut self) -> Result<(), Ending> {
        self.has_written = true;
        match self.busy.as_ref().is_none_or(|busy| busy.note_write()) {
            true => Ok(()),
            false => self.end(),
        }
    }

    /// Ends the script.
    fn end(&mut self) -> Result<(), Ending> {
        self.is_over = true;
        Err(Ending)
    }

    /// From now on, clients that need one of its shards do not wait any longer.
    fn become_busy(&mut self, after: Duration) {
        let (server, kind) = (self.call.server, self.program.kind());
        let killer = match kind {
            Kind::Scripts => "SCRIPT KILL",
            Kind::Functions => "FUNCTION KILL",
        };
        let name = self.program.name();
        server.log.warning(format_args!(
            "Slow script detected: still in execution after {} milliseconds. You can try killing the script using the \
             {killer} command. Script name is: {name}.",
            after.as_millis()
        ));
        let script = Arc::new(BusyScript::new(
            kind,
            name,
            self.call.arguments,
            self.laps.clone(),
        ));
        if self.has_written {
            script.note_write();
        }
        server.scripts.busy.begin(script.clone());
        // The last save before the end may be waiting for this script.
        server.saves.wake();
        self.locks.db().begin_busy();
        self.busy = Some(script);
    }
}

impl Host for ScriptHost<'_, '_, '_> {
    fn call(&mut self, arguments: &[&[u8]], reply: &mut Reply) -> Result<(), Ending> {
        if self.is_over {
            return Err(Ending);
        }
        reply.protocol = self.protocol;
        let command = match self.admit(arguments) {
            Ok(command) => command,
            Err(Refusal { command, error }) => {
                let text = error.text();
                reply.error(&text);
                self.note(Note::Error {
                    command: command.map(|command| command.number),
                    has_run: false,
                    text,
                });
                return Ok(());
            }
        };
        let plan = Plan::new(command, arguments, self.call.session.database);
        if !self.is_locked_for(&plan) {
            return self.stray();
        }
        if command.spec.has(WRITE) {
            self.note_write()?;
        }
        let mark = reply.undo_point();
        let result = self.run(&plan, arguments, reply);
        if result == Err(CommandError::UndeclaredKey) && !self.locks.are_all() {
            return self.stray();
        }
        if let Err(error) = result {
            let text = error.text();
            reply.undo_to(mark);
            reply.error(&text);
            self.note(Note::Error {
                command: Some(command.number),
                has_run: true,
                text,
            });
        }
        let (server, session) = (self.call.server, &*self.call.session);
        let duration_ns = self.laps.lap_ns();
        note_duration(server, session, command, arguments, duration_ns);
        if server.monitors.is_any() {
            let arguments = arguments.iter().map(|argument| argument.to_vec()).collect();
            let database = self.call.session.database;
            self.note(Note::Shown(command, database, arguments));
        }
        self.note(Note::Call(command, duration_ns));
        Ok(())
    }

    fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn set_replication(&mut self, targets: Targets) {
        if let ScriptLocks::Declared(db) | ScriptLocks::All(db) = &mut self.locks {
            // There are no replicas yet.
            db.set_silent(!targets.log);
        }
    }

    fn permits(&mut self, arguments: &[&[u8]]) -> Option<bool> {
        let command = COMMANDS.of_request(arguments).ok()?;
        let account = self.call.session.account();
        Some(account.may_do_all() || check::permits(&account.user(), command, arguments).is_ok())
    }

    fn log(&mut self, level: LogLevel, text: &[u8]) {
        self.note(Note::Logged(level, text.to_vec()));
    }

    fn look(&mut self) -> Result<(), Ending> {
        if self.is_over {
            return Err(Ending);
        }
        if let Some(busy) = &self.busy {
            if busy.is_killed() {
                // Redis says so of functions too.
                self.call
                    .server
                    .log
                    .notice("Lua script killed by user with SCRIPT KILL.");
                self.is_over = true;
                return Err(Ending);
            }
            return Ok(());
        }
        let threshold_ms = self.call.server.config.busy_reply_threshold.get();
        let elapsed = self.laps.elapsed();
        if threshold_ms > 0 && elapsed >= Duration::from_millis(threshold_ms as u64) {
            self.become_busy(elapsed);
        }
        Ok(())
    }
}

impl Drop for ScriptHost<'_, '_, '_> {
    fn drop(&mut self) {
        self.locks.db().end_busy();
        if let ScriptLocks::Declared(db) | ScriptLocks::All(db) = &mut self.locks {
            // Of a transaction, the commands that follow are told again.
            db.set_silent(false);
        }
        if let Some(busy) = &self.busy {
            self.call.server.scripts.busy.end(busy);
        }
        let session = &mut *self.call.session;
        session.database = self.database;
        session.transaction.is_running = self.is_in_transaction;
        session.transaction.is_script = false;
        tracking::set_runs_script(false);
        session.transaction.held = None;
    }
}

/// Why a command is not run.
struct Refusal {
    command: Option<&'static Command>,
    error: CommandError,
}

impl Refusal {
    fn of(command: Option<&'static Command>, text: &str) -> Refusal {
        Refusal {
            command,
            error: CommandError::err(text),
        }
    }
}
