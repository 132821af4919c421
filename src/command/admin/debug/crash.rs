//! The subcommands of DEBUG that crash the server, for tests of what happens then.

use crate::command::call::Call;
use crate::command::error::CommandResult;

/// ASSERT, OOM, PANIC and SEGFAULT: the process ends without saving anything, as it would by a fault.
pub(super) fn abort(call: &mut Call) -> CommandResult {
    call.server.log.warning(format_args!(
        "DEBUG {}: the server crashes because it was told to",
        call.word(1)
    ));
    std::process::abort()
}
