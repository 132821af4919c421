//! Deadlines of keys: EXPIRE, TTL and their kin.

use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::keyspace::entry::Entry;
use crate::keyspace::space::Key;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "expire", arity: -3, handler: Write(expire), keys: &[key(1, &[RW, UPDATE])],
        flags: flags(&[WRITE, FAST]), group: Group::Generic, since: "1.0.0",
        syntax: "key seconds [condition@7.0.0: NX | XX | GT | LT]",
        summary: "Sets the expiration time of a key in seconds.",
        history: &[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")], ..BASE },
    CommandSpec { name: "pexpire", arity: -3, handler: Write(pexpire), keys: &[key(1, &[RW, UPDATE])],
        flags: flags(&[WRITE, FAST]), group: Group::Generic, since: "2.6.0",
        syntax: "key milliseconds [condition@7.0.0: NX | XX | GT | LT]",
        summary: "Sets the expiration time of a key in milliseconds.",
        history: &[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")], ..BASE },
    CommandSpec { name: "expireat", arity: -3, handler: Write(expireat), keys: &[key(1, &[RW, UPDATE])],
        flags: flags(&[WRITE, FAST]), group: Group::Generic, since: "1.2.0",
        syntax: "key unix-time-seconds [condition@7.0.0: NX | XX | GT | LT]",
        summary: "Sets the expiration time of a key to a Unix timestamp.",
        history: &[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")], ..BASE },
    CommandSpec { name: "pexpireat", arity: -3, handler: Write(pexpireat), keys: &[key(1, &[RW, UPDATE])],
        flags: flags(&[WRITE, FAST]), group: Group::Generic, since: "2.6.0",
        syntax: "key unix-time-milliseconds [condition@7.0.0: NX | XX | GT | LT]",
        summary: "Sets the expiration time of a key to a Unix milliseconds timestamp.",
        history: &[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")], ..BASE },
    CommandSpec { name: "ttl", arity: 2, handler: Read(ttl), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY, FAST]), group: Group::Generic, since: "1.0.0",
        syntax: "key", summary: "Returns the expiration time in seconds of a key.",
        history: &[("2.8.0", "Added the -2 reply.")], tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "pttl", arity: 2, handler: Read(pttl), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY, FAST]), group: Group::Generic, since: "2.6.0",
        syntax: "key", summary: "Returns the expiration time in milliseconds of a key.",
        history: &[("2.8.0", "Added the -2 reply.")], tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "expiretime", arity: 2, handler: Read(expiretime), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY, FAST]), group: Group::Generic, since: "7.0.0",
        syntax: "key", summary: "Returns the expiration time of a key as a Unix timestamp.", ..BASE },
    CommandSpec { name: "pexpiretime", arity: 2, handler: Read(pexpiretime), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY, FAST]), group: Group::Generic, since: "7.0.0",
        syntax: "key", summary: "Returns the expiration time of a key as a Unix milliseconds timestamp.", ..BASE },
    CommandSpec { name: "persist", arity: 2, handler: Write(persist), keys: &[key(1, &[RW, UPDATE])],
        flags: flags(&[WRITE, FAST]), group: Group::Generic, since: "2.2.0",
        syntax: "key", summary: "Removes the expiration time of a key.", ..BASE },
];

/// The unit of a time given by a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeUnit {
    Seconds,
    Milliseconds,
}

/// The deadline that the argument at `index` means: a time to live, or a time of Unix. As in Redis it must be positive.
pub(super) fn positive_deadline_ms(
    call: &Call,
    index: usize,
    unit: TimeUnit,
    is_absolute: bool,
) -> Result<i64, CommandError> {
    let time = call.integer(index)?;
    let deadline = deadline_ms(time, unit, is_absolute, call.now_ms).filter(|_| time > 0);
    deadline.ok_or(CommandError::InvalidExpireTime(call.spec.name))
}

/// A time in milliseconds of Unix, if it can be expressed.
fn deadline_ms(time: i64, unit: TimeUnit, is_absolute: bool, now_ms: i64) -> Option<i64> {
    let ms = match unit {
        TimeUnit::Seconds => time.checked_mul(1000)?,
        TimeUnit::Milliseconds => time,
    };
    if is_absolute {
        Some(ms)
    } else {
        ms.checked_add(now_ms)
    }
}

/// Sets the deadline of a key that exists; one in the past removes the key.
pub(super) fn expire_at(db: &mut Db, key: &Key, deadline_ms: i64) {
    if deadline_ms <= db.view.expiry_ms() {
        db.remove(key);
        db.changed(key, "del", 1);
        db.replay_as(|replay| replay.command(&[b"DEL", key.bytes]));
    } else {
        db.set_expires_at_ms(key, Some(deadline_ms));
        db.changed(key, "expire", 1);
        db.replay_as(|replay| replay.command_with_number(&[b"PEXPIREAT", key.bytes], deadline_ms));
    }
}

/// ```text
/// > SET k v
/// OK
/// > EXPIRE k 100
/// (integer) 1
/// > EXPIRE k 50 GT
/// (integer) 0
/// > TTL k
/// (integer) 100
/// > EXPIRE nothing 100
/// (integer) 0
/// ```
fn expire(call: &mut Call, db: &mut Db) -> CommandResult {
    set_deadline(call, db, TimeUnit::Seconds, false)
}

/// ```text
/// > SET k v
/// OK
/// > PEXPIRE k 100000
/// (integer) 1
/// ```
fn pexpire(call: &mut Call, db: &mut Db) -> CommandResult {
    set_deadline(call, db, TimeUnit::Milliseconds, false)
}

/// ```text
/// > SET k v
/// OK
/// > EXPIREAT k 4102444800
/// (integer) 1
/// > EXPIREAT k 1
/// (integer) 1
/// > EXISTS k
/// (integer) 0
/// ```
fn expireat(call: &mut Call, db: &mut Db) -> CommandResult {
    set_deadline(call, db, TimeUnit::Seconds, true)
}

/// ```text
/// > SET k v
/// OK
/// > PEXPIREAT k 4102444800000
/// (integer) 1
/// ```
fn pexpireat(call: &mut Call, db: &mut Db) -> CommandResult {
    set_deadline(call, db, TimeUnit::Milliseconds, true)
}

/// When a deadline is set.
#[derive(Default)]
struct Conditions {
    if_none: bool,
    if_any: bool,
    if_later: bool,
    if_earlier: bool,
}

fn set_deadline(call: &mut Call, db: &mut Db, unit: TimeUnit, is_absolute: bool) -> CommandResult {
    let conditions = conditions(call)?;
    let time = call.integer(2)?;
    let deadline = deadline_ms(time, unit, is_absolute, call.now_ms);
    let deadline = deadline.ok_or(CommandError::InvalidExpireTime(call.spec.name))?;
    let key = call.key();
    let is_met = db
        .find_to_change(&key)
        .is_some_and(|entry| match entry.expires_at_ms() {
            // Without a deadline, a key lives for ever: no deadline is later, any is earlier.
            None => !conditions.if_any && !conditions.if_later,
            Some(current) => {
                !conditions.if_none
                    && (!conditions.if_later || deadline > current)
                    && (!conditions.if_earlier || deadline < current)
            }
        });
    if is_met {
        expire_at(db, &key, deadline);
    }
    call.reply.integer(is_met.into());
    Ok(())
}

fn conditions(call: &Call) -> Result<Conditions, CommandError> {
    let mut conditions = Conditions::default();
    for index in 3..call.arguments.len() {
        match call.word(index).as_str() {
            "NX" => conditions.if_none = true,
            "XX" => conditions.if_any = true,
            "GT" => conditions.if_later = true,
            "LT" => conditions.if_earlier = true,
            _ => {
                let option = call.argument(index);
                return Err(CommandError::quoting("Unsupported option ", option, ""));
            }
        }
    }
    let Conditions {
        if_none,
        if_any,
        if_later,
        if_earlier,
    } = conditions;
    if if_none && (if_any || if_later || if_earlier) {
        return Err(CommandError::err(
            "NX and XX, GT or LT options at the same time are not compatible",
        ));
    }
    if if_later && if_earlier {
        return Err(CommandError::err(
            "GT and LT options at the same time are not compatible",
        ));
    }
    Ok(conditions)
}

/// ```text
/// > TTL nothing
/// (integer) -2
/// > SET k v
/// OK
/// > TTL k
/// (integer) -1
/// > SET k v EX 100
/// OK
/// > TTL k
/// (integer) 100
/// ```
fn ttl(call: &mut Call, db: &Db) -> CommandResult {
    // Rounded to the nearest second, as in Redis.
    reply_deadline(call, db, |deadline, now| {
        ((deadline - now).max(0) + 500) / 1000
    })
}

/// ```text
/// > PTTL nothing
/// (integer) -2
/// ```
fn pttl(call: &mut Call, db: &Db) -> CommandResult {
    reply_deadline(call, db, |deadline, now| (deadline - now).max(0))
}

/// ```text
/// > SET k v EXAT 4102444800
/// OK
/// > EXPIRETIME k
/// (integer) 4102444800
/// ```
fn expiretime(call: &mut Call, db: &Db) -> CommandResult {
    // A deadline may be the greatest number there is.
    reply_deadline(call, db, |deadline, _| {
        ((deadline as u64 + 500) / 1000) as i64
    })
}

/// ```text
/// > SET k v EXAT 4102444800
/// OK
/// > PEXPIRETIME k
/// (integer) 4102444800000
/// ```
fn pexpiretime(call: &mut Call, db: &Db) -> CommandResult {
    reply_deadline(call, db, |deadline, _| deadline)
}

/// -2 for a key that is not there, -1 for one without a deadline, else what `show` makes of the deadline and the time.
fn reply_deadline(call: &mut Call, db: &Db, show: fn(i64, i64) -> i64) -> CommandResult {
    let answer = match db.read_metadata(&call.key()).map(Entry::expires_at_ms) {
        None => -2,
        Some(None) => -1,
        Some(Some(deadline)) => show(deadline, call.now_ms),
    };
    call.reply.integer(answer);
    Ok(())
}

/// ```text
/// > SET k v EX 100
/// OK
/// > PERSIST k
/// (integer) 1
/// > PERSIST k
/// (integer) 0
/// ```
fn persist(call: &mut Call, db: &mut Db) -> CommandResult {
    let key = call.key();
    let has_deadline = db
        .find_to_change(&key)
        .is_some_and(|entry| entry.expires_at_ms().is_some());
    if has_deadline {
        db.set_expires_at_ms(&key, None);
        db.changed(&key, "persist", 1);
    }
    call.reply.integer(has_deadline.into());
    Ok(())
}
