//! Runs a command all of whose locks are held already: one that writes, or any in a transaction. `run` and `exec` take
//! the locks; nothing here takes or drops one.

use super::plan::Body;
use super::wait;
use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::keyspace::db::{Db, Lookups};
use crate::keyspace::survey::Survey;

/// Runs a command under exclusive locks, and commits what it did.
#[inline]
pub(super) fn run_locked(call: &mut Call, body: Body, db: &mut Db) -> CommandResult {
    let result = match body {
        Body::Write(handler, _) => handler(call, db),
        Body::Wait(handler) => handler(call).and_then(|wish| wait::serve_or_wait(call, db, wish)),
        Body::Read(handler, _) => handler(call, db),
        Body::NoLock(handler) => handler(call),
        Body::Survey(handler) => handler(call, &Survey::Locked(db)),
        // It is never queued.
        Body::Exec => Err(CommandError::WithoutMulti("EXEC")),
    };
    db.commit(call.arguments);
    after_handler(call, db, result)
}

/// Counts the look-ups of a command, and refuses one that has reached for a key that was not locked for it.
#[inline]
pub(super) fn after_handler(call: &Call, db: &Db, result: CommandResult) -> CommandResult {
    let Lookups { hits, misses } = db.take_lookups();
    let client = call.session.client.id;
    call.server.statistics.note_lookups(client, hits, misses);
    if db.has_strayed() {
        return Err(CommandError::UndeclaredKey);
    }
    result
}
