//! The timeouts of commands that wait, and of CLIENT PAUSE.

use super::call::Call;
use super::error::{CommandError, CommandResult};
use crate::util::clock;
use crate::util::long_double::LongDouble;
use crate::util::number;
use std::time::{Duration, Instant};

/// The timeout of a call: when to give up, or never if it is 0. Seconds, with a fraction.
pub(super) fn timeout(call: &Call, index: usize) -> Result<Option<Instant>, CommandError> {
    let seconds = LongDouble::parse(call.argument(index)).ok_or(CommandError::TimeoutNotAFloat)?;
    until(seconds.ceil_thousandths())
}

/// When a call is to give up, or never if the argument is 0: whole milliseconds.
pub(super) fn timeout_ms(call: &Call, index: usize) -> Result<Option<Instant>, CommandError> {
    until(parse_timeout_ms(call, index)?)
}

/// The timeout of a call in whole milliseconds, 0 or more.
pub(super) fn parse_timeout_ms(call: &Call, index: usize) -> Result<i64, CommandError> {
    let ms = number::parse_i64(call.argument(index)).ok_or(CommandError::TimeoutNotAnInteger)?;
    check_timeout_ms(ms)?;
    Ok(ms)
}

fn until(ms: i64) -> Result<Option<Instant>, CommandError> {
    check_timeout_ms(ms)?;
    // A moment that the clock cannot tell never comes.
    let until = Instant::now().checked_add(Duration::from_millis(ms as u64));
    Ok(until.filter(|_| ms > 0))
}

fn check_timeout_ms(ms: i64) -> CommandResult {
    if ms < 0 {
        return Err(CommandError::TimeoutNegative);
    }
    if ms > 0 && ms.checked_add(clock::unix_ms()).is_none() {
        return Err(CommandError::TimeoutOutOfRange);
    }
    Ok(())
}
