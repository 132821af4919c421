//! Runs scripts. Here a script is what EVAL or FCALL runs.
//!
//! A script locks the shards of the keys that it declares, so scripts on other keys run at the same time. If it
//! reaches for a key outside of them (it *strays*), what it has done is taken back, and it runs again under the locks
//! of all shards. The server remembers that a script has strayed, and takes all locks at once the next time.
//!
//! ```text
//!              declared shards locked                    all shards locked
//!   EVAL ───▶ runs ──────────────┬──▶ block ends  ┌────▶ runs ───▶ block ends
//!                                │    (told)      │
//!                                └─ strays ─▶ taken back
//! ```
//!
//! # Invariants
//!
//! 1. A script takes all its locks before it begins, as every command does, and asks for none while it runs. So what
//!    [`lock_set`](crate::keyspace) says of deadlocks holds for scripts too.
//! 2. No other thread sees the keys that a script changes before it ends, because their shards stay locked. Under the
//!    shards of the declared keys its events, messages and effects are held until then, with what is noted about its
//!    calls (statistics, monitors, lines of the log). Under all shards messages, events and notes leave at once, as in
//!    a transaction, because that run is never taken back.
//! 3. A run that is taken back has left nothing but durations in the slow log and in LATENCY, and keys that had expired
//!    are counted as such twice: no entry of a key, no event, no message, no reply. So it does not matter that the
//!    second run may see another state, and takes another way: between the two runs other commands may have come.
//! 4. The second run cannot stray. So a script runs twice at most.
//! 5. A script that only reads begins under shared locks, under which nothing can change. If it strays, its events are
//!    forgotten, and it runs again under exclusive locks on all shards.
//!
//! In a transaction a script runs under the locks of all shards, which EXEC takes if a script is queued: the commands
//! before it could not be taken back.

mod host;
mod notes;

use super::Engine;
use super::admit::is_outdated;
use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::flow::script::LoadHost;
use crate::command::invocation::{FIRST_ARGUMENT, Invocation, Program};
use crate::keyspace::db::WriteDb;
use crate::keyspace::view::View;
use crate::lua::flags::ScriptFlags;
use crate::lua::interpreter::{Input, Outcome};
use crate::state::scripts::pool::Lease;
use host::{ScriptHost, ScriptLocks};

const CANNOT_STRAY: &str = "under the locks of all shards no script strays";

/// Runs a script for which no lock is held.
pub(super) fn run(
    call: &mut Call,
    engine: &Engine,
    view: View,
    invocation: &Invocation,
) -> CommandResult {
    let is_read_only = prepare(call, invocation)?;
    call.session.transaction.time_us = None;
    if let Program::Function(_) = invocation.program {
        // The first call in an interpreter runs the code of the whole library. It runs here, where no client waits for
        // it: usually the interpreter that is given back now is the next to be taken.
        drop(interpreter(call, &invocation.program)?);
    }
    let (locks, keys) = (&engine.locks, call.keys);
    let mark = call.reply.undo_point();
    // So that a second run draws the same numbers. Scripts that have drawn meanwhile draw theirs again.
    let random = call.server.scripts.random.state();
    if !invocation.program.strays() {
        let ended = if is_read_only {
            locks.remove_expired(view, keys)?;
            let mut db = locks.read(view, keys)?;
            if is_outdated(call) {
                return Ok(());
            }
            let ended = run_under(call, ScriptLocks::Shared(&mut db), true, invocation)?;
            if ended.is_none() {
                db.take_back_reading();
            }
            ended
        } else {
            let mut db = locks.write_unless_busy(view, keys)?;
            if is_outdated(call) {
                return Ok(());
            }
            db.begin_undoable_block();
            let ended = run_under(call, ScriptLocks::Declared(&mut db), false, invocation)?;
            if ended.is_none() {
                db.take_back_block();
            }
            ended
        };
        if let Some(outcome) = ended {
            return conclude(call, outcome);
        }
        invocation.program.note_stray();
        call.server.scripts.random.set_state(random);
        call.reply.undo_to(mark);
    }
    let mut db = locks.write_all_unless_busy(view)?;
    if is_outdated(call) {
        return Ok(());
    }
    db.begin_block();
    let ended = run_under(call, ScriptLocks::All(&mut db), is_read_only, invocation);
    drop(db);
    conclude(call, ended?.expect(CANNOT_STRAY))
}

/// Runs a script in a transaction, which holds the locks of all shards.
pub(super) fn run_in_transaction(
    call: &mut Call,
    db: &mut WriteDb,
    invocation: &Invocation,
) -> CommandResult {
    let is_read_only = prepare(call, invocation)?;
    let ended = run_under(call, ScriptLocks::All(db), is_read_only, invocation)?;
    conclude(call, ended.expect(CANNOT_STRAY))
}

/// Runs a script under these locks. Returns `None` if it has strayed: then what it has done is to be taken back.
///
/// The interpreter is taken now that the locks are held. So threads that wait for them hold none, and the scripts on
/// one key run in one interpreter, one after the other.
fn run_under(
    call: &mut Call,
    locks: ScriptLocks,
    is_read_only: bool,
    invocation: &Invocation,
) -> Result<Option<Outcome>, CommandError> {
    let interpreter = interpreter(call, &invocation.program)?;
    let mut host = ScriptHost::new(call, locks, is_read_only, &invocation.program);
    let outcome = perform(&interpreter, invocation, &mut host);
    if host.has_strayed() {
        return Ok(None);
    }
    host.commit();
    Ok(Some(outcome))
}

/// Checks that the script may run now. Returns whether it only reads.
fn prepare(call: &Call, invocation: &Invocation) -> Result<bool, CommandError> {
    let flags = invocation.program.flags();
    let is_stale = call.server.hides_stale_data();
    if is_stale && !flags.is_some_and(|flags| flags.has(ScriptFlags::ALLOW_STALE)) {
        return Err(CommandError::PrimaryIsDown);
    }
    let Some(flags) = flags else {
        return Ok(invocation.is_read_only);
    };
    if flags.has(ScriptFlags::NO_WRITES) {
        return Ok(true);
    }
    if let Some(refusal) = call.server.write_refusal() {
        return Err(CommandError::StopWritingScripts(refusal));
    }
    if invocation.is_read_only {
        return Err(CommandError::err(
            "Can not execute a script with write flag using *_ro command.",
        ));
    }
    if call.session.is_out_of_memory && !flags.has(ScriptFlags::ALLOW_OOM) {
        return Err(CommandError::ScriptOutOfMemory);
    }
    Ok(false)
}

/// An interpreter that has compiled the program.
fn interpreter<'a>(call: &Call<'a>, program: &Program) -> Result<Lease<'a>, CommandError> {
    let scripts = &call.server.scripts;
    match program {
        Program::Script(script) => {
            let lease = scripts.interpreters.take();
            let mut lease = lease.map_err(CommandError::err)?;
            lease
                .compile(&script.name, script.code())
                .map_err(CommandError::NotCompiled)?;
            Ok(lease)
        }
        Program::Function(function) => {
            let mut host = LoadHost::without_limit(call.server);
            let lease = scripts.libraries.interpreter(function, &mut host);
            lease.map_err(|error| CommandError::Other([b"ERR ", &error[..]].concat()))
        }
    }
}

fn perform(interpreter: &Lease, invocation: &Invocation, host: &mut ScriptHost) -> Outcome {
    let program = &invocation.program;
    let (keys, arguments) = host.arguments()[FIRST_ARGUMENT..].split_at(invocation.keys);
    let input = Input {
        name: program.name(),
        keys,
        arguments,
    };
    let mut reply = host.take_reply();
    let outcome = match program {
        Program::Script(_) => interpreter.run_script(input, host, &mut reply),
        Program::Function(function) => {
            let (library, index) = function.place();
            interpreter.run_function(library, index, input, host, &mut reply)
        }
    };
    host.give_reply(reply);
    outcome
}

/// Counts the errors that a script has returned, or has ended with. With any of them the call has failed.
fn conclude(call: &mut Call, outcome: Outcome) -> CommandResult {
    let errors = match outcome {
        Outcome::Returned(errors) => errors,
        Outcome::Failed(error) => {
            call.reply.error(&error.text);
            vec![error]
        }
    };
    if errors.is_empty() {
        return Ok(());
    }
    let (statistics, client) = (&call.server.statistics, call.session.client.id);
    for error in errors.iter().filter(|error| !error.is_counted) {
        statistics.count_error(client, None, true, &error.text);
    }
    if let Ok(command) = call.commands.of_request(call.arguments) {
        statistics.count_failed_call(client, command.number);
    }
    Ok(())
}
