//! What the requests about scripts and those about functions have in common.

use crate::command::call::Call;
use crate::command::error::CommandError;
use crate::command::invocation::{FIRST_ARGUMENT, Invocation, Program};
use crate::command::spec::*;
use crate::lua::interpreter::Kind;
use crate::state::scripts::busy::NotKilled;

/// Where scripts and functions have their keys, which they may change.
pub(super) const KEYS: KeySpec = counted_keys(2, &[RW, ACCESS, UPDATE]);
/// Where those have them that change nothing.
pub(super) const KEYS_TO_READ: KeySpec = counted_keys(2, &[RO, ACCESS]);
pub(super) const ANY_USE: &str =
    "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE";
pub(super) const ANY_READING: &str =
    "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS";

/// The number of keys that the third argument tells.
pub(super) fn key_count(call: &Call, number: i64) -> Result<usize, CommandError> {
    let arguments = (call.arguments.len() - FIRST_ARGUMENT) as i64;
    if number > arguments {
        return Err(CommandError::err(
            "Number of keys can't be greater than number of args",
        ));
    }
    usize::try_from(number).map_err(|_| CommandError::err("Number of keys can't be negative"))
}

pub(super) fn invocation(call: &Call, program: Program, keys: usize) -> Invocation {
    Invocation {
        program,
        keys,
        is_read_only: call.spec.has(READONLY),
    }
}

/// SCRIPT KILL and FUNCTION KILL.
pub(super) fn kill(call: &mut Call, kind: Kind) -> Result<(), CommandError> {
    call.server.scripts.busy.kill(kind).map_err(|reason| match reason {
        NotKilled::NoneIsBusy => {
            CommandError::Other(b"NOTBUSY No scripts in execution right now.".to_vec())
        }
        NotKilled::HasWritten => CommandError::Other(
            b"UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait \
              the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command."
                .to_vec(),
        ),
        NotKilled::IsOf(kind) => CommandError::Busy(kind),
    })?;
    call.reply.ok();
    Ok(())
}

/// `ASYNC` or `SYNC`, or nothing, behind FLUSH. Either way, this client's thread frees what is flushed.
pub(super) fn flush_mode(call: &Call, error: &str) -> Result<(), CommandError> {
    match call.arguments.len() {
        2 => Ok(()),
        3 if call.is_word(2, "SYNC") || call.is_word(2, "ASYNC") => Ok(()),
        _ => Err(CommandError::err(error)),
    }
}
