//! When the dump is written, and the end of the server. The saver itself is in `server/saver.rs`.

use crate::command::call::{Call, Then};
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::state::shutdown::{SaveMode, ShutdownMode};
use std::sync::atomic::Ordering::Relaxed;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "save", arity: 1, handler: NoLock(save),
        flags: flags(&[ADMIN, NOSCRIPT, NO_ASYNC_LOADING, NO_MULTI]), group: Group::Server, since: "1.0.0",
        summary: "Synchronously saves the database(s) to disk.",
        complexity: "O(N) where N is the total number of keys in all databases", ..BASE },
    CommandSpec { name: "bgsave", arity: -1, handler: NoLock(bgsave),
        flags: flags(&[ADMIN, NOSCRIPT, NO_ASYNC_LOADING]), group: Group::Server, since: "1.0.0",
        syntax: "[SCHEDULE@3.2.2]", summary: "Asynchronously saves the database(s) to disk.",
        history: &[("3.2.2", "Added the `SCHEDULE` option.")], ..BASE },
    CommandSpec { name: "bgrewriteaof", arity: 1, handler: NoLock(bgrewriteaof),
        flags: flags(&[ADMIN, NOSCRIPT, NO_ASYNC_LOADING]), group: Group::Server, since: "1.0.0",
        summary: "Asynchronously rewrites the append-only file to disk.", ..BASE },
    CommandSpec { name: "lastsave", arity: 1, handler: NoLock(lastsave),
        flags: flags(&[LOADING, STALE, FAST, CAT_ADMIN, CAT_DANGEROUS]), group: Group::Server, since: "1.0.0",
        summary: "Returns the Unix timestamp of the last successful save to disk.",
        tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "shutdown", arity: -1, handler: NoLock(shutdown),
        flags: flags(&[ADMIN, NOSCRIPT, LOADING, STALE, NO_MULTI, ALLOW_BUSY]), group: Group::Server, since: "1.0.0",
        syntax: "[save-selector: NOSAVE | SAVE] [NOW@7.0.0] [FORCE@7.0.0] [ABORT@7.0.0]",
        summary: "Synchronously saves the database(s) to disk and shuts down the Redis server.",
        complexity: "O(N) when saving, where N is the total number of keys in all databases when saving data, \
            otherwise O(1)",
        history: &[("7.0.0", "Added the `NOW`, `FORCE` and `ABORT` modifiers.")], ..BASE },
];

/// Waits for the dump; other clients go on meanwhile, which they cannot in Redis.
///
/// ```text
/// > SAVE
/// OK
/// ```
fn save(call: &mut Call) -> CommandResult {
    refuse_if_busy(call)?;
    match call.server.saves.request_and_wait() {
        Some(true) => {
            call.reply.ok();
            Ok(())
        }
        Some(false) => Err(CommandError::SaveFailed),
        None => Err(CommandError::SaveInProgress),
    }
}

/// SCHEDULE waits for a rewrite of the append-only file to end. In a transaction the save begins at the end, so that
/// the dump does not show half of it.
fn bgsave(call: &mut Call) -> CommandResult {
    let is_scheduled = match call.arguments.len() {
        1 => false,
        2 if call.is_word(1, "SCHEDULE") => true,
        _ => return Err(CommandError::Syntax),
    };
    refuse_if_busy(call)?;
    let saves = &call.server.saves;
    let is_rewriting = call.server.append_only.rewrites.record().in_progress;
    if call.session.transaction.is_running && !saves.record().in_progress {
        call.then = Then::BeginSave;
        call.reply.simple("Background saving scheduled");
        return Ok(());
    }
    if is_rewriting && !saves.record().in_progress {
        if !is_scheduled {
            return Err(CommandError::err(
                "Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to \
                 schedule a BGSAVE whenever possible.",
            ));
        }
        saves.schedule();
        call.reply.simple("Background saving scheduled");
        return Ok(());
    }
    if !saves.request_background() {
        return Err(CommandError::SaveInProgress);
    }
    call.reply.simple("Background saving started");
    Ok(())
}

/// Clients go on meanwhile, and wait for nothing but the moment of the snapshot.
///
/// ```text
/// > BGREWRITEAOF
/// Background append only file rewriting started
/// ```
fn bgrewriteaof(call: &mut Call) -> CommandResult {
    if call.server.is_read_only.load(Relaxed) {
        return Err(CommandError::ReadOnly);
    }
    refuse_if_busy(call)?;
    let rewrites = &call.server.append_only.rewrites;
    if rewrites.record().in_progress {
        return Err(CommandError::err(
            "Background append only file rewriting already in progress",
        ));
    }
    let must_wait = call.server.saves.record().in_progress || call.session.transaction.is_running;
    if must_wait || !rewrites.request() {
        rewrites.schedule(true);
        call.reply
            .simple("Background append only file rewriting scheduled");
        return Ok(());
    }
    call.reply
        .simple("Background append only file rewriting started");
    Ok(())
}

/// A save needs all shards, of which a busy script holds some.
fn refuse_if_busy(call: &Call) -> CommandResult {
    match call.server.scripts.busy.first(None) {
        Some(script) => Err(CommandError::Busy(script.kind)),
        None => Ok(()),
    }
}

/// When the last good dump was written, in seconds of Unix time.
fn lastsave(call: &mut Call) -> CommandResult {
    call.reply.integer(call.server.saves.record().last_good_s);
    Ok(())
}

/// Answers only if the server cannot stop.
///
/// ```text
/// > SHUTDOWN LATER
/// (error) ERR syntax error
/// ```
fn shutdown(call: &mut Call) -> CommandResult {
    let mut mode = None;
    let (mut aborts, mut is_forced) = (false, false);
    let (mut is_now, mut is_qualified) = (false, false);
    for index in 1..call.arguments.len() {
        match call.word(index).as_str() {
            "NOSAVE" if mode.is_none() => mode = Some(SaveMode::Never),
            "SAVE" if mode.is_none() => mode = Some(SaveMode::Always),
            "NOW" => (is_now, is_qualified) = (true, true),
            "FORCE" => (is_forced, is_qualified) = (true, true),
            "ABORT" => aborts = true,
            _ => return Err(CommandError::Syntax),
        }
    }
    if aborts {
        if mode.is_some() || is_qualified {
            return Err(CommandError::Syntax);
        }
        return match call.server.shutdown.abort() {
            true => {
                call.reply.ok();
                Ok(())
            }
            false => Err(CommandError::err("No shutdown in progress.")),
        };
    }
    let save = mode.unwrap_or(SaveMode::IfConfigured);
    if save != SaveMode::Never {
        refuse_if_busy(call)?;
    }
    let server = call.server;
    let refused = server.shutdown.request(ShutdownMode {
        save,
        is_forced,
        is_now,
    });
    server.saves.wake();
    server.shutdown.wait_for_refusal(refused);
    Err(CommandError::ShutdownFailed)
}
