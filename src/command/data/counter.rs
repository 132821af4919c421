//! Strings that count: INCR and its relatives, of <https://redis.io/commands/?group=string>. A counter is a string
//! whose text is a number; each command reads the text, adds, and writes the new text.

use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::keyspace::string_form::StringForm;
use crate::util::long_double::LongDouble;
use crate::util::number;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "incr", arity: 2, handler: Write(incr), keys: &[key(1, &[RW, ACCESS, UPDATE])],
        flags: flags(&[WRITE, DENYOOM, FAST]), group: Group::String, since: "1.0.0",
        syntax: "key",
        summary: "Increments the integer value of a key by one. Uses 0 as initial value if the key doesn't \
            exist.", ..BASE },
    CommandSpec { name: "decr", arity: 2, handler: Write(decr), keys: &[key(1, &[RW, ACCESS, UPDATE])],
        flags: flags(&[WRITE, DENYOOM, FAST]), group: Group::String, since: "1.0.0",
        syntax: "key",
        summary: "Decrements the integer value of a key by one. Uses 0 as initial value if the key doesn't \
            exist.", ..BASE },
    CommandSpec { name: "incrby", arity: 3, handler: Write(incrby), keys: &[key(1, &[RW, ACCESS, UPDATE])],
        flags: flags(&[WRITE, DENYOOM, FAST]), group: Group::String, since: "1.0.0",
        syntax: "key increment",
        summary: "Increments the integer value of a key by a number. Uses 0 as initial value if the key doesn't \
            exist.", ..BASE },
    CommandSpec { name: "decrby", arity: 3, handler: Write(decrby), keys: &[key(1, &[RW, ACCESS, UPDATE])],
        flags: flags(&[WRITE, DENYOOM, FAST]), group: Group::String, since: "1.0.0",
        syntax: "key decrement",
        summary: "Decrements a number from the integer value of a key. Uses 0 as initial value if the key doesn't \
            exist.", ..BASE },
    CommandSpec { name: "incrbyfloat", arity: 3, handler: Write(incrbyfloat), keys: &[key(1, &[RW, ACCESS, UPDATE])],
        flags: flags(&[WRITE, DENYOOM, FAST]), group: Group::String, since: "2.6.0",
        syntax: "key increment:double",
        summary: "Increment the floating point value of a key by a number. Uses 0 as initial value if the key doesn't \
            exist.", ..BASE },
];

/// ```text
/// > INCR n
/// (integer) 1
/// > SET n 9223372036854775807
/// OK
/// > INCR n
/// (error) ERR increment or decrement would overflow
/// ```
fn incr(call: &mut Call, db: &mut Db) -> CommandResult {
    increment(call, db, 1)
}

/// ```text
/// > DECR n
/// (integer) -1
/// ```
fn decr(call: &mut Call, db: &mut Db) -> CommandResult {
    increment(call, db, -1)
}

/// ```text
/// > INCRBY n 10
/// (integer) 10
/// > INCRBY n ten
/// (error) ERR value is not an integer or out of range
/// ```
fn incrby(call: &mut Call, db: &mut Db) -> CommandResult {
    let by = call.integer(2)?;
    increment(call, db, by)
}

/// ```text
/// > DECRBY n 10
/// (integer) -10
/// > DECRBY n -9223372036854775808
/// (error) ERR decrement would overflow
/// ```
fn decrby(call: &mut Call, db: &mut Db) -> CommandResult {
    let by = call
        .integer(2)?
        .checked_neg()
        .ok_or(CommandError::DecrementOverflow)?;
    increment(call, db, by)
}

fn increment(call: &mut Call, db: &mut Db, by: i64) -> CommandResult {
    let key = call.key();
    let new = db.recompute_string(&key, StringForm::Natural, |old, text| {
        let old = match old {
            Some(old) => number::parse_i64(old).ok_or(CommandError::NotAnInteger)?,
            None => 0,
        };
        let new = old.checked_add(by).ok_or(CommandError::Overflow)?;
        text.extend_from_slice(itoa::Buffer::new().format(new).as_bytes());
        Ok::<_, CommandError>(new)
    })?;
    db.changed(&key, "incrby", 1);
    call.reply.integer(new);
    Ok(())
}

/// ```text
/// > SET f 10.50
/// OK
/// > INCRBYFLOAT f 0.1
/// "10.6"
/// > INCRBYFLOAT f -5.0e-1
/// "10.1"
/// ```
fn incrbyfloat(call: &mut Call, db: &mut Db) -> CommandResult {
    let key = call.key();
    let text = db.recompute_string(&key, StringForm::Text, |old, text| {
        let old = match old {
            Some(old) => LongDouble::parse(old).ok_or(CommandError::NotAFloat)?,
            None => LongDouble::default(),
        };
        let by = LongDouble::parse(call.argument(2)).ok_or(CommandError::NotAFloat)?;
        let new = old + by;
        if new.is_nan() || new.is_infinite() {
            return Err(CommandError::NanOrInfinity);
        }
        let mut digits = Vec::new();
        new.format(&mut digits);
        text.extend_from_slice(&digits);
        Ok(digits)
    })?;
    db.changed(&key, "incrbyfloat", 1);
    db.replay_as(|replay| replay.command(&[b"SET", key.bytes, &text, b"KEEPTTL"]));
    call.reply.bulk(&text);
    Ok(())
}
