//! The subcommands of DEBUG about parts that this server does not have, or builds in another way. A test suite may give
//! them, and needs an answer to go on; as in Redis, they make no difference that a client could see.

use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};

/// ```text
/// > DEBUG LEAK "some bytes"
/// OK
/// > DEBUG REPLICATE ALL PING
/// OK
/// > DEBUG SET-DISABLE-DENY-SCRIPTS 1
/// OK
/// ```
pub(super) fn ok(call: &mut Call) -> CommandResult {
    call.reply.ok();
    Ok(())
}

/// ```text
/// > DEBUG DROP-CLUSTER-PACKET-FILTER -1
/// OK
/// > DEBUG DROP-CLUSTER-PACKET-FILTER x
/// (error) ERR value is not an integer or out of range
/// ```
pub(super) fn packet_filter(call: &mut Call) -> CommandResult {
    call.integer(2)?;
    ok(call)
}

/// ```text
/// > DEBUG REPLYBUFFER PEAK-RESET-TIME NEVER
/// OK
/// > DEBUG REPLYBUFFER PEAK-RESET-TIME 100
/// OK
/// > DEBUG REPLYBUFFER RESIZING 0
/// OK
/// ```
pub(super) fn reply_buffer(call: &mut Call) -> CommandResult {
    match call.word(2).as_str() {
        "PEAK-RESET-TIME" if call.is_word(3, "NEVER") || call.is_word(3, "RESET") => {}
        "PEAK-RESET-TIME" => {
            call.integer(3)?;
        }
        "RESIZING" => {}
        _ => {
            let typed = call.argument(1);
            return Err(CommandError::misused_subcommand("DEBUG", typed));
        }
    }
    ok(call)
}

/// ```text
/// > DEBUG CLUSTERLINK KILL ALL 0123
/// (error) ERR Debug option only available for cluster mode enabled setup!
/// ```
pub(super) fn cluster_link(_: &mut Call) -> CommandResult {
    Err(CommandError::err(
        "Debug option only available for cluster mode enabled setup!",
    ))
}
