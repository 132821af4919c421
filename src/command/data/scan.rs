//! What SCAN and its kin have in common: cursors, MATCH, COUNT, TYPE.

use crate::command::call::Call;
use crate::command::error::CommandError;
use crate::util::quoting::c_string;
use crate::util::{glob, number};

/// Entries that one call looks at unless COUNT says otherwise.
const USUAL_COUNT: usize = 10;

/// The options of a call.
pub(super) struct ScanOptions {
    pattern: Option<Vec<u8>>,
    count: usize,
    /// The name of a type, for SCAN alone.
    pub(super) type_name: Option<Vec<u8>>,
}

/// The cursor that a client sent back. Redis reads it with C's `strtoul`, so nothing at all is 0, and leading zeros and
/// a sign are allowed; a negative cursor counts from the greatest one.
pub(super) fn cursor(argument: &[u8]) -> Result<u64, CommandError> {
    let text = c_string(argument);
    let (is_negative, digits) = match text {
        [] => return Ok(0),
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    let number = match &digits[zeros..] {
        [] if zeros > 0 => Some(0),
        digits => number::parse_u64(digits),
    };
    let number = number.ok_or(CommandError::InvalidCursor)?;
    Ok(if is_negative {
        number.wrapping_neg()
    } else {
        number
    })
}

/// The head of the reply: the next cursor and the head of the array of elements.
pub(super) fn begin_reply(call: &mut Call, next: u64, elements: usize) {
    call.reply.array(2);
    call.reply.bulk(next.to_string().as_bytes());
    call.reply.array(elements);
}

impl ScanOptions {
    /// The options from the argument at `index` on.
    pub(super) fn parse(
        call: &Call,
        mut index: usize,
        takes_type: bool,
    ) -> Result<ScanOptions, CommandError> {
        let mut options = ScanOptions {
            pattern: None,
            count: USUAL_COUNT,
            type_name: None,
        };
        while index < call.arguments.len() {
            let Some(value) = call.arguments.get(index + 1) else {
                return Err(CommandError::Syntax);
            };
            match call.word(index).as_str() {
                "COUNT" => {
                    let count = call.integer(index + 1)?;
                    options.count = usize::try_from(count)
                        .ok()
                        .filter(|count| *count > 0)
                        .ok_or(CommandError::Syntax)?;
                }
                "MATCH" => options.pattern = Some(value.to_vec()).filter(|pattern| pattern != b"*"),
                "TYPE" if takes_type => options.type_name = Some(value.to_vec()),
                _ => return Err(CommandError::Syntax),
            }
            index += 2;
        }
        Ok(options)
    }

    /// Whether an element is to be returned.
    pub(super) fn matches(&self, element: &[u8]) -> bool {
        self.pattern
            .as_ref()
            .is_none_or(|pattern| glob::matches(pattern, element))
    }

    /// Calls `step` with a cursor, and again with the one it returns, until it has seen COUNT elements or all: so one
    /// call returns all if there are no more. A step passes over empty places, but expired keys are not seen either,
    /// and must not keep the call busy for ever; hence the bound on the steps, as in Redis.
    pub(super) fn run(&self, mut cursor: u64, mut step: impl FnMut(u64, &mut usize) -> u64) -> u64 {
        let mut seen = 0;
        for _ in 0..self.count.saturating_mul(10) {
            cursor = step(cursor, &mut seen);
            if cursor == 0 || seen >= self.count {
                break;
            }
        }
        cursor
    }
}
