//! Hashes: <https://redis.io/commands/?group=hash>.

use crate::command::call::Call;
use crate::command::data::pieces;
use crate::command::data::scan::{self, ScanOptions};
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::resp::reply::Reply;
use crate::types::hash::{Hash, HashRef};
use crate::util::long_double::LongDouble;
use crate::util::number;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "hset", arity: -4, handler: Write(hset), keys: &[key(1, &[RW, UPDATE])],
        flags: flags(&[WRITE, DENYOOM, FAST]), group: Group::Hash, since: "2.0.0",
        syntax: "key <data: field value> [...]", summary: "Creates or modifies the value of a field in a hash.",
        complexity: "O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is \
            called with multiple field/value pairs.",
        history: &[("4.0.0", "Accepts multiple `field` and `value` arguments.")], ..BASE },
    CommandSpec { name: "hmset", arity: -4, handler: Write(hmset), keys: &[key(1, &[RW, UPDATE])],
        flags: flags(&[WRITE, DENYOOM, FAST]), group: Group::Hash, since: "2.0.0",
        syntax: "key <data: field value> [...]", summary: "Sets the values of multiple fields.",
        complexity: "O(N) where N is the number of fields being set.",
        deprecated: Some(("4.0.0", "`HSET` with multiple field-value pairs")), ..BASE },
    CommandSpec { name: "hsetnx", arity: 4, handler: Write(hsetnx), keys: &[key(1, &[RW, INSERT])],
        flags: flags(&[WRITE, DENYOOM, FAST]), group: Group::Hash, since: "2.0.0",
        syntax: "key field value",
        summary: "Sets the value of a field in a hash only when the field doesn't exist.", ..BASE },
    CommandSpec { name: "hget", arity: 3, handler: Read(hget), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY, FAST]), group: Group::Hash, since: "2.0.0",
        syntax: "key field", summary: "Returns the value of a field in a hash.", ..BASE },
    CommandSpec { name: "hmget", arity: -3, handler: Read(hmget), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY, FAST]), group: Group::Hash, since: "2.0.0",
        syntax: "key field [field ...]", summary: "Returns the values of all fields in a hash.",
        complexity: "O(N) where N is the number of fields being requested.", ..BASE },
    CommandSpec { name: "hgetall", arity: 2, handler: Read(hgetall), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::Hash, since: "2.0.0",
        syntax: "key", summary: "Returns all fields and values in a hash.",
        complexity: "O(N) where N is the size of the hash.", tips: &["nondeterministic_output_order"], ..BASE },
    CommandSpec { name: "hdel", arity: -3, handler: Write(hdel), keys: &[key(1, &[RW, DELETE])],
        flags: flags(&[WRITE, FAST]), group: Group::Hash, since: "2.0.0",
        syntax: "key field [field ...]",
        summary: "Deletes one or more fields and their values from a hash. Deletes the hash if no fields remain.",
        complexity: "O(N) where N is the number of fields to be removed.",
        history: &[("2.4.0", "Accepts multiple `field` arguments.")], ..BASE },
    CommandSpec { name: "hexists", arity: 3, handler: Read(hexists), keys: &[key(1, &[RO])],
        flags: flags(&[READONLY, FAST]), group: Group::Hash, since: "2.0.0",
        syntax: "key field", summary: "Determines whether a field exists in a hash.", ..BASE },
    CommandSpec { name: "hkeys", arity: 2, handler: Read(hkeys), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::Hash, since: "2.0.0",
        syntax: "key", summary: "Returns all fields in a hash.", complexity: "O(N) where N is the size of the hash.",
        tips: &["nondeterministic_output_order"], ..BASE },
    CommandSpec { name: "hvals", arity: 2, handler: Read(hvals), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::Hash, since: "2.0.0",
        syntax: "key", summary: "Returns all values in a hash.", complexity: "O(N) where N is the size of the hash.",
        tips: &["nondeterministic_output_order"], ..BASE },
    CommandSpec { name: "hlen", arity: 2, handler: Read(hlen), keys: &[key(1, &[RO])],
        flags: flags(&[READONLY, FAST]), group: Group::Hash, since: "2.0.0",
        syntax: "key", summary: "Returns the number of fields in a hash.", ..BASE },
    CommandSpec { name: "hstrlen", arity: 3, handler: Read(hstrlen), keys: &[key(1, &[RO])],
        flags: flags(&[READONLY, FAST]), group: Group::Hash, since: "3.2.0",
        syntax: "key field", summary: "Returns the length of the value of a field.", ..BASE },
    CommandSpec { name: "hincrby", arity: 4, handler: Write(hincrby), keys: &[key(1, &[RW, ACCESS, UPDATE])],
        flags: flags(&[WRITE, DENYOOM, FAST]), group: Group::Hash, since: "2.0.0",
        syntax: "key field increment",
        summary: "Increments the integer value of a field in a hash by a number. Uses 0 as initial value if the field \
            doesn't exist.", ..BASE },
    CommandSpec { name: "hincrbyfloat", arity: 4, handler: Write(hincrbyfloat), keys: &[key(1, &[RW, ACCESS, UPDATE])],
        flags: flags(&[WRITE, DENYOOM, FAST]), group: Group::Hash, since: "2.6.0",
        syntax: "key field increment:double",
        summary: "Increments the floating point value of a field by a number. Uses 0 as initial value if the field \
            doesn't exist.", ..BASE },
    CommandSpec { name: "hrandfield", arity: -2, handler: Read(hrandfield), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::Hash, since: "6.2.0",
        syntax: "key [options: count [WITHVALUES]]", summary: "Returns one or more random fields from a hash.",
        complexity: "O(N) where N is the number of fields returned", tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "hscan", arity: -3, handler: Read(hscan), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::Hash, since: "2.8.0",
        syntax: "key cursor [MATCH pattern] [COUNT count]", summary: "Iterates over fields and values of a hash.",
        complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor \
            to return back to 0. N is the number of elements inside the collection.",
        tips: &["nondeterministic_output"], ..BASE },
];

/// How many of the given fields are new.
///
/// ```text
/// > HSET user name ann age 33
/// (integer) 2
/// > HSET user name bob
/// (integer) 0
/// > HGET user name
/// "bob"
/// ```
fn hset(call: &mut Call, db: &mut Db) -> CommandResult {
    let added = set_fields(call, db)?;
    call.reply.count(added);
    Ok(())
}

/// ```text
/// > HMSET user name ann age 33
/// OK
/// ```
fn hmset(call: &mut Call, db: &mut Db) -> CommandResult {
    set_fields(call, db)?;
    call.reply.ok();
    Ok(())
}

fn set_fields(call: &Call, db: &mut Db) -> Result<usize, CommandError> {
    if !call.arguments.len().is_multiple_of(2) {
        return Err(CommandError::WrongArity(call.spec.name.to_string()));
    }
    let key = call.key();
    let limits = call.server.config.hash_limits();
    let pairs = call.arguments[2..].chunks_exact(2);
    let count = pairs.len();
    let added = db.change_hash(&key, |hash| {
        let is_new = |pair: &&[&[u8]]| hash.insert(pair[0], pair[1], limits);
        pairs.filter(is_new).count()
    })?;
    db.changed(&key, "hset", count);
    Ok(added)
}

/// ```text
/// > HSETNX user name ann
/// (integer) 1
/// > HSETNX user name bob
/// (integer) 0
/// ```
fn hsetnx(call: &mut Call, db: &mut Db) -> CommandResult {
    let key = call.key();
    let limits = call.server.config.hash_limits();
    let (field, value) = (call.argument(2), call.argument(3));
    let is_present = db
        .collection_to_change::<Hash>(&key)?
        .is_some_and(|hash| hash.get(field).is_some());
    if !is_present {
        db.change_hash(&key, |hash| hash.insert(field, value, limits))?;
        db.changed(&key, "hset", 1);
    }
    call.reply.integer((!is_present).into());
    Ok(())
}

/// ```text
/// > HSET user name ann
/// (integer) 1
/// > HGET user name
/// "ann"
/// > HGET user nothing
/// (nil)
/// ```
fn hget(call: &mut Call, db: &Db) -> CommandResult {
    let hash = db.collection::<Hash>(&call.key())?;
    call.reply
        .bulk_or_null(hash.and_then(|hash| hash.get(call.argument(2))));
    Ok(())
}

/// ```text
/// > HSET user name ann age 33
/// (integer) 2
/// > HMGET user age nothing
/// 1) "33"
/// 2) (nil)
/// ```
fn hmget(call: &mut Call, db: &Db) -> CommandResult {
    let hash = db.collection::<Hash>(&call.key())?;
    let fields = &call.arguments[2..];
    call.reply.array(fields.len());
    for field in fields {
        call.reply
            .bulk_or_null(hash.and_then(|hash| hash.get(field)));
    }
    Ok(())
}

/// ```text
/// > HSET user name ann age 33
/// (integer) 2
/// > HGETALL user
/// 1) "name"
/// 2) "ann"
/// 3) "age"
/// 4) "33"
/// ```
fn hgetall(call: &mut Call, db: &Db) -> CommandResult {
    let hash = db.collection::<Hash>(&call.key())?;
    call.reply.map(hash.map_or(0, HashRef::len));
    reply_all(call.reply, hash, |reply, field, value| {
        reply.bulk(field);
        reply.bulk(value);
    });
    Ok(())
}

/// Shows all fields of a hash.
fn reply_all(
    reply: &mut Reply,
    hash: Option<HashRef>,
    show: impl Fn(&mut Reply, &[u8], &[u8]) + Send + 'static,
) {
    let Some(hash) = hash else { return };
    if !pieces::is_large(hash.len()) {
        let fields = hash.iter();
        return fields.for_each(|(field, value)| show(reply, field, value));
    }
    // What is sent when the locks are gone must not refer to the table.
    let (len, parts) = (hash.len(), 0..hash.parts());
    let hash = Hash::from(hash);
    pieces::reply_later(reply, len, parts, move |reply, parts| {
        let fields = parts.flat_map(|part| hash.view().part(part));
        fields.for_each(|(field, value)| show(reply, field, value));
    });
}

/// ```text
/// > HSET user name ann age 33
/// (integer) 2
/// > HDEL user age nothing
/// (integer) 1
/// > HDEL user name
/// (integer) 1
/// > EXISTS user
/// (integer) 0
/// ```
fn hdel(call: &mut Call, db: &mut Db) -> CommandResult {
    let key = call.key();
    let fields = call.arguments[2..].iter();
    let (removed, is_empty) = db.change_hash(&key, |hash| {
        let removed = fields.filter(|field| hash.remove(field)).count();
        (removed, hash.view().is_empty())
    })?;
    if removed > 0 {
        db.changed(&key, "hdel", removed);
        if is_empty {
            db.remove(&key);
            db.changed(&key, "del", 0);
        }
    }
    call.reply.count(removed);
    Ok(())
}

/// ```text
/// > HSET user name ann
/// (integer) 1
/// > HEXISTS user name
/// (integer) 1
/// > HEXISTS user age
/// (integer) 0
/// ```
fn hexists(call: &mut Call, db: &Db) -> CommandResult {
    let hash = db.collection::<Hash>(&call.key())?;
    let is_there = hash.is_some_and(|hash| hash.get(call.argument(2)).is_some());
    call.reply.integer(is_there.into());
    Ok(())
}

/// ```text
/// > HSET user name ann age 33
/// (integer) 2
/// > HKEYS user
/// 1) "name"
/// 2) "age"
/// ```
fn hkeys(call: &mut Call, db: &Db) -> CommandResult {
    let hash = db.collection::<Hash>(&call.key())?;
    call.reply.array(hash.map_or(0, HashRef::len));
    reply_all(call.reply, hash, |reply, field, _| reply.bulk(field));
    Ok(())
}

/// ```text
/// > HSET user name ann age 33
/// (integer) 2
/// > HVALS user
/// 1) "ann"
/// 2) "33"
/// ```
fn hvals(call: &mut Call, db: &Db) -> CommandResult {
    let hash = db.collection::<Hash>(&call.key())?;
    call.reply.array(hash.map_or(0, HashRef::len));
    reply_all(call.reply, hash, |reply, _, value| reply.bulk(value));
    Ok(())
}

/// ```text
/// > HSET user name ann age 33
/// (integer) 2
/// > HLEN user
/// (integer) 2
/// ```
fn hlen(call: &mut Call, db: &Db) -> CommandResult {
    let len = db.collection::<Hash>(&call.key())?.map_or(0, HashRef::len);
    call.reply.count(len);
    Ok(())
}

/// ```text
/// > HSET user name ann
/// (integer) 1
/// > HSTRLEN user name
/// (integer) 3
/// ```
fn hstrlen(call: &mut Call, db: &Db) -> CommandResult {
    let value = db
        .collection::<Hash>(&call.key())?
        .and_then(|hash| hash.get(call.argument(2)));
    call.reply.count(value.map_or(0, <[u8]>::len));
    Ok(())
}

/// ```text
/// > HINCRBY user visits 5
/// (integer) 5
/// > HSET user name ann
/// (integer) 1
/// > HINCRBY user name 1
/// (error) ERR hash value is not an integer
/// ```
fn hincrby(call: &mut Call, db: &mut Db) -> CommandResult {
    let by = call.integer(3)?;
    let (key, field) = (call.key(), call.argument(2));
    let limits = call.server.config.hash_limits();
    let new = db.change_hash(&key, |hash| {
        let old = hash.view().get(field).map(number::parse_i64);
        let old = old
            .unwrap_or(Some(0))
            .ok_or(CommandError::HashValueNotAnInteger)?;
        let new = old.checked_add(by).ok_or(CommandError::Overflow)?;
        let mut text = itoa::Buffer::new();
        hash.insert(field, text.format(new).as_bytes(), limits);
        Ok::<_, CommandError>(new)
    })??;
    db.changed(&key, "hincrby", 1);
    call.reply.integer(new);
    Ok(())
}

/// ```text
/// > HSET user weight 50.5
/// (integer) 1
/// > HINCRBYFLOAT user weight 0.1
/// "50.6"
/// ```
fn hincrbyfloat(call: &mut Call, db: &mut Db) -> CommandResult {
    let by = LongDouble::parse(call.argument(3)).ok_or(CommandError::NotAFloat)?;
    if by.is_infinite() {
        return Err(CommandError::err("value is NaN or Infinity"));
    }
    let (key, field) = (call.key(), call.argument(2));
    let limits = call.server.config.hash_limits();
    let text = db.change_hash(&key, |hash| {
        let old = match hash.view().get(field) {
            Some(value) => LongDouble::parse(value).ok_or(CommandError::HashValueNotAFloat)?,
            None => LongDouble::default(),
        };
        let new = old + by;
        if new.is_nan() || new.is_infinite() {
            return Err(CommandError::NanOrInfinity);
        }
        let mut text = Vec::new();
        new.format(&mut text);
        hash.insert(field, &text, limits);
        Ok(text)
    })??;
    db.changed(&key, "hincrbyfloat", 1);
    db.replay_as(|replay| replay.command(&[b"HSET", key.bytes, field, &text]));
    call.reply.bulk(&text);
    Ok(())
}

/// ```text
/// > HSET coin heads obverse
/// (integer) 1
/// > HRANDFIELD coin
/// "heads"
/// > HRANDFIELD coin -2 WITHVALUES
/// 1) "heads"
/// 2) "obverse"
/// 3) "heads"
/// 4) "obverse"
/// ```
fn hrandfield(call: &mut Call, db: &Db) -> CommandResult {
    if call.arguments.len() == 2 {
        let hash = db.collection::<Hash>(&call.key())?;
        let field = hash.and_then(|hash| hash.random(|| fastrand::u64(..)));
        call.reply.bulk_or_null(field.map(|(field, _)| field));
        return Ok(());
    }
    let count = call.integer_in(2, -i64::MAX..=i64::MAX)?;
    let with_values = match call.arguments.len() {
        3 => false,
        4 if call.is_word(3, "WITHVALUES") => true,
        _ => return Err(CommandError::Syntax),
    };
    if with_values && !(-i64::MAX / 2..=i64::MAX / 2).contains(&count) {
        return Err(CommandError::OutOfRange);
    }
    let Some(hash) = db.collection::<Hash>(&call.key())?.filter(|_| count != 0) else {
        call.reply.array(0);
        return Ok(());
    };
    let wanted = count.unsigned_abs() as usize;
    if count < 0 {
        call.check_drawn(wanted)?;
        begin_fields(call, wanted, with_values);
        let fields = (0..wanted).filter_map(|_| hash.random(|| fastrand::u64(..)));
        fields.for_each(|(field, value)| reply_field(call, field, value, with_values));
        return Ok(());
    }
    begin_fields(call, wanted.min(hash.len()), with_values);
    hash.draw(
        wanted,
        || fastrand::u64(..),
        |field, value| reply_field(call, field, value, with_values),
    );
    Ok(())
}

/// The head of HRANDFIELD's reply: RESP3 pairs fields with their values in arrays of two.
fn begin_fields(call: &mut Call, count: usize, with_values: bool) {
    let is_flat = with_values && call.reply.protocol == crate::resp::reply::Protocol::Resp2;
    call.reply.array(if is_flat { 2 * count } else { count });
}

fn reply_field(call: &mut Call, field: &[u8], value: &[u8], with_values: bool) {
    if with_values && call.reply.protocol == crate::resp::reply::Protocol::Resp3 {
        call.reply.array(2);
    }
    call.reply.bulk(field);
    if with_values {
        call.reply.bulk(value);
    }
}

/// ```text
/// > HSET user name ann age 33
/// (integer) 2
/// > HSCAN user 0 MATCH a*
/// 1) "0"
/// 2) 1) "age"
///    2) "33"
/// ```
fn hscan(call: &mut Call, db: &Db) -> CommandResult {
    let cursor = scan::cursor(call.argument(2))?;
    let Some(hash) = db.collection::<Hash>(&call.key())? else {
        // As in Redis, the options are not even looked at.
        scan::begin_reply(call, 0, 0);
        return Ok(());
    };
    let options = ScanOptions::parse(call, 3, false)?;
    let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let next = options.run(cursor, |cursor, seen| {
        hash.scan(cursor, |field, value| {
            *seen += 1;
            if options.matches(field) {
                found.push((field.to_vec(), value.to_vec()));
            }
        })
    });
    scan::begin_reply(call, next, 2 * found.len());
    for (field, value) in &found {
        call.reply.bulk(field);
        call.reply.bulk(value);
    }
    Ok(())
}
