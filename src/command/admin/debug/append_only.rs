//! The subcommands of DEBUG about the append-only file.

use crate::command::call::{Call, Then};
use crate::command::error::{CommandError, CommandResult};
use crate::util::number;
use std::sync::atomic::Ordering::Relaxed;

/// Imitates a slow disk, for tests: the threads that write the append-only file sleep for this many microseconds before
/// each write and each fsync. Redis sleeps before each write.
///
/// ```text
/// > DEBUG AOF-FLUSH-SLEEP 0
/// OK
/// ```
pub(super) fn flush_sleep(call: &mut Call) -> CommandResult {
    let micros = number::parse_i64(call.argument(2)).unwrap_or(0).max(0);
    let figures = &call.server.append_only.figures;
    figures.flush_sleep_us.store(micros as u64, Relaxed);
    call.reply.ok();
    Ok(())
}

/// Has the connection load the file anew: the commands in it take locks as any other does, so no lock may be held here.
pub(super) fn load(call: &mut Call) -> CommandResult {
    if call.session.transaction.is_running {
        return Err(CommandError::NotInMulti);
    }
    call.then = Then::LoadAppendOnly;
    Ok(())
}
