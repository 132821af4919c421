//! Commands that read entries by their IDs.

use super::id;
use super::reply::{Direction, reply_range};
use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::types::stream::Stream;

#[rustfmt::skip]
pub(in crate::command) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "xlen", arity: 2, handler: Read(xlen), keys: &[key(1, &[RO])],
        flags: flags(&[READONLY, FAST]), group: Group::Stream, since: "5.0.0",
        syntax: "key", summary: "Return the number of messages in a stream.", ..BASE },
    CommandSpec { name: "xrange", arity: -4, handler: Read(xrange), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::Stream, since: "5.0.0",
        syntax: "key start:string end:string [COUNT count]",
        summary: "Returns the messages from a stream within a range of IDs.",
        complexity: "O(N) with N being the number of elements being returned. If N is constant (e.g. always asking for \
            the first 10 elements with COUNT), you can consider it O(1).",
        history: &[("6.2.0", "Added exclusive ranges.")], ..BASE },
    CommandSpec { name: "xrevrange", arity: -4, handler: Read(xrevrange), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::Stream, since: "5.0.0",
        syntax: "key end:string start:string [COUNT count]",
        summary: "Returns the messages from a stream within a range of IDs in reverse order.",
        complexity: "O(N) with N being the number of elements returned. If N is constant (e.g. always asking for the \
            first 10 elements with COUNT), you can consider it O(1).",
        history: &[("6.2.0", "Added exclusive ranges.")], ..BASE },
];

/// ```text
/// > XADD s 1-1 f v
/// "1-1"
/// > XLEN s
/// (integer) 1
/// > XLEN nothing
/// (integer) 0
/// ```
fn xlen(call: &mut Call, db: &Db) -> CommandResult {
    let stream = db.collection::<Stream>(&call.key())?;
    let len = stream.map_or(0, |stream| stream.entries.len());
    call.reply.integer(len as i64);
    Ok(())
}

/// ```text
/// > XADD s 1-1 f v
/// "1-1"
/// > XADD s 2-1 f w g 7
/// "2-1"
/// > XRANGE s - + COUNT 1
/// 1) 1) "1-1"
///    2) 1) "f"
///       2) "v"
/// > XRANGE s (1-1 2
/// 1) 1) "2-1"
///    2) 1) "f"
///       2) "w"
///       3) "g"
///       4) "7"
/// ```
fn xrange(call: &mut Call, db: &Db) -> CommandResult {
    range(call, db, Direction::Forward)
}

/// ```text
/// > XADD s 1-1 f v
/// "1-1"
/// > XADD s 2-1 f w
/// "2-1"
/// > XREVRANGE s + - COUNT 1
/// 1) 1) "2-1"
///    2) 1) "f"
///       2) "w"
/// ```
fn xrevrange(call: &mut Call, db: &Db) -> CommandResult {
    range(call, db, Direction::Backward)
}

fn range(call: &mut Call, db: &Db, direction: Direction) -> CommandResult {
    let (start, end) = match direction {
        Direction::Forward => (2, 3),
        Direction::Backward => (3, 2),
    };
    let range = [
        id::range_start(call.argument(start))?,
        id::range_end(call.argument(end))?,
    ];
    let most = count(call)?;
    let Some(stream) = db.collection::<Stream>(&call.key())? else {
        call.reply.array(0);
        return Ok(());
    };
    match most {
        // As in Redis, no array of no elements.
        Some(0) => call.reply.null_array(),
        _ => reply_range(call.reply, &stream.entries, range, most, direction),
    }
    Ok(())
}

/// The most entries that are wanted, if COUNT says so; a negative count means none.
fn count(call: &Call) -> Result<Option<usize>, CommandError> {
    let mut most = None;
    let mut index = 4;
    while index < call.arguments.len() {
        if !call.is_word(index, "COUNT") || index + 1 == call.arguments.len() {
            return Err(CommandError::Syntax);
        }
        most = Some(call.integer(index + 1)?.max(0) as usize);
        index += 2;
    }
    Ok(most)
}
