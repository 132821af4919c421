//! Strings: <https://redis.io/commands/?group=string>. Those that count stand in `counter`.

use crate::command::call::{Call, clamp_range};
use crate::command::data::expiry::{self, TimeUnit};
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::keyspace::entry::Entry;
use crate::keyspace::object::Object;
use crate::keyspace::space::Key;
use crate::keyspace::string_form::StringForm;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "set", arity: -3, handler: Write(set), keys: &[KEY_OF_SET],
        flags: flags(&[WRITE, DENYOOM]), group: Group::String, since: "1.0.0",
        syntax: "key value [condition@2.6.12: NX | XX] [GET@6.2.0] [expiration: EX seconds@2.6.12 | PX \
            milliseconds@2.6.12 | EXAT unix-time-seconds@6.2.0 | PXAT unix-time-milliseconds@6.2.0 | KEEPTTL@6.0.0]",
        summary: "Sets the string value of a key, ignoring its type. The key is created if it doesn't exist.",
        history: &[
            ("2.6.12", "Added the `EX`, `PX`, `NX` and `XX` options."),
            ("6.0.0", "Added the `KEEPTTL` option."),
            ("6.2.0", "Added the `GET`, `EXAT` and `PXAT` option."),
            ("7.0.0", "Allowed the `NX` and `GET` options to be used together."),
        ], ..BASE },
    CommandSpec { name: "get", arity: 2, handler: Read(get), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY, FAST]), group: Group::String, since: "1.0.0",
        syntax: "key", summary: "Returns the string value of a key.", ..BASE },
    CommandSpec { name: "setnx", arity: 3, handler: Write(setnx), keys: &[key(1, &[OW, INSERT])],
        flags: flags(&[WRITE, DENYOOM, FAST]), group: Group::String, since: "1.0.0",
        syntax: "key value", summary: "Set the string value of a key only when the key doesn't exist.",
        deprecated: Some(("2.6.12", "`SET` with the `NX` argument")), ..BASE },
    CommandSpec { name: "setex", arity: 4, handler: Write(setex), keys: &[key(1, &[OW, UPDATE])],
        flags: flags(&[WRITE, DENYOOM]), group: Group::String, since: "2.0.0",
        syntax: "key seconds value",
        summary: "Sets the string value and expiration time of a key. Creates the key if it doesn't exist.",
        deprecated: Some(("2.6.12", "`SET` with the `EX` argument")), ..BASE },
    CommandSpec { name: "psetex", arity: 4, handler: Write(psetex), keys: &[key(1, &[OW, UPDATE])],
        flags: flags(&[WRITE, DENYOOM]), group: Group::String, since: "2.6.0",
        syntax: "key milliseconds value",
        summary: "Sets both string value and expiration time in milliseconds of a key. The key is created if it \
            doesn't exist.",
        deprecated: Some(("2.6.12", "`SET` with the `PX` argument")), ..BASE },
    CommandSpec { name: "getset", arity: 3, handler: Write(getset), keys: &[key(1, &[RW, ACCESS, UPDATE])],
        flags: flags(&[WRITE, DENYOOM, FAST]), group: Group::String, since: "1.0.0",
        syntax: "key value",
        summary: "Returns the previous string value of a key after setting it to a new value.",
        deprecated: Some(("6.2.0", "`SET` with the `!GET` argument")), ..BASE },
    CommandSpec { name: "getdel", arity: 2, handler: Write(getdel), keys: &[key(1, &[RW, ACCESS, DELETE])],
        flags: flags(&[WRITE, FAST]), group: Group::String, since: "6.2.0",
        syntax: "key", summary: "Returns the string value of a key after deleting the key.", ..BASE },
    CommandSpec { name: "getex", arity: -2, handler: Write(getex),
        keys: &[key(1, &[RW, ACCESS, UPDATE]).noting("RW and UPDATE because it changes the TTL")],
        flags: flags(&[WRITE, FAST]), group: Group::String, since: "6.2.0",
        syntax: "key [expiration: EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds \
            | PERSIST]",
        summary: "Returns the string value of a key after setting its expiration time.", ..BASE },
    CommandSpec { name: "mget", arity: -2, handler: Read(mget), keys: &[keys(1, -1, 1, &[RO, ACCESS])],
        flags: flags(&[READONLY, FAST]), group: Group::String, since: "1.0.0",
        syntax: "key [key ...]", summary: "Atomically returns the string values of one or more keys.",
        complexity: "O(N) where N is the number of keys to retrieve.", tips: &["request_policy:multi_shard"], ..BASE },
    CommandSpec { name: "mset", arity: -3, handler: Write(mset), keys: &[keys(1, -1, 2, &[OW, UPDATE])],
        flags: flags(&[WRITE, DENYOOM]), group: Group::String, since: "1.0.1",
        syntax: "<data: key value> [...]",
        summary: "Atomically creates or modifies the string values of one or more keys.",
        complexity: "O(N) where N is the number of keys to set.",
        tips: &["request_policy:multi_shard", "response_policy:all_succeeded"], ..BASE },
    CommandSpec { name: "msetnx", arity: -3, handler: Write(msetnx), keys: &[keys(1, -1, 2, &[OW, INSERT])],
        flags: flags(&[WRITE, DENYOOM]), group: Group::String, since: "1.0.1",
        syntax: "<data: key value> [...]",
        summary: "Atomically modifies the string values of one or more keys only when all keys don't exist.",
        complexity: "O(N) where N is the number of keys to set.", ..BASE },
    CommandSpec { name: "append", arity: 3, handler: Write(append), keys: &[key(1, &[RW, INSERT])],
        flags: flags(&[WRITE, DENYOOM, FAST]), group: Group::String, since: "2.0.0",
        syntax: "key value", summary: "Appends a string to the value of a key. Creates the key if it doesn't exist.",
        complexity: "O(1). The amortized time complexity is O(1) assuming the appended value is small and the already \
            present value is of any size, since the dynamic string library used by Redis will double the free space \
            available on every reallocation.", ..BASE },
    CommandSpec { name: "strlen", arity: 2, handler: Read(strlen), keys: &[key(1, &[RO])],
        flags: flags(&[READONLY, FAST]), group: Group::String, since: "2.2.0",
        syntax: "key", summary: "Returns the length of a string value.", ..BASE },
    CommandSpec { name: "getrange", arity: 4, handler: Read(getrange), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::String, since: "2.4.0",
        syntax: "key start end", summary: "Returns a substring of the string stored at a key.",
        complexity: "O(N) where N is the length of the returned string. The complexity is ultimately determined by the \
            returned length, but because creating a substring from an existing string is very cheap, it can be \
            considered O(1) for small strings.", ..BASE },
    CommandSpec { name: "substr", arity: 4, handler: Read(getrange), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::String, since: "1.0.0",
        syntax: "key start end", summary: "Returns a substring from a string value.",
        complexity: "O(N) where N is the length of the returned string. The complexity is ultimately determined by the \
            returned length, but because creating a substring from an existing string is very cheap, it can be \
            considered O(1) for small strings.",
        deprecated: Some(("2.0.0", "`GETRANGE`")), ..BASE },
    CommandSpec { name: "setrange", arity: 4, handler: Write(setrange), keys: &[key(1, &[RW, UPDATE])],
        flags: flags(&[WRITE, DENYOOM]), group: Group::String, since: "2.2.0",
        syntax: "key offset value",
        summary: "Overwrites a part of a string value with another by an offset. Creates the key if it doesn't exist.",
        complexity: "O(1), not counting the time taken to copy the new string in place. Usually, this string is very \
            small so the amortized complexity is O(1). Otherwise, complexity is O(M) with M being the length of the \
            value argument.", ..BASE },
];

const KEY_OF_SET: KeySpec = key(1, &[RW, ACCESS, UPDATE, VARIABLE])
    .varying(flags_of_set)
    .noting("RW and ACCESS due to the optional `GET` argument");

/// When a key is set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Always,
    IfAbsent,
    IfPresent,
}

/// What is said about the deadline. An option may come twice, and then the last one counts; two different ones
/// contradict each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum DeadlineOption {
    Nothing,
    /// KEEPTTL.
    Keep,
    /// PERSIST.
    Remove,
    /// EX, PX, EXAT or PXAT, and the index of the argument that it takes.
    At {
        unit: TimeUnit,
        is_absolute: bool,
        index: usize,
    },
}

/// The commands that take options.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taker {
    Set,
    GetEx,
}

/// The options of SET and GETEX.
struct Options {
    condition: Condition,
    deadline: DeadlineOption,
    gets: bool,
}

/// ```text
/// > SET k v EX 100 NX
/// OK
/// > SET k w NX
/// (nil)
/// > SET k w GET KEEPTTL
/// "v"
/// > TTL k
/// (integer) 100
/// ```
fn set(call: &mut Call, db: &mut Db) -> CommandResult {
    let options = options(call, 3, Taker::Set)?;
    let new_deadline = options.deadline_ms(call)?;
    let key = call.key();
    let old = if options.gets {
        db.string(&key)?.map(<[u8]>::to_vec)
    } else {
        None
    };
    let is_set = match options.condition {
        Condition::Always => true,
        Condition::IfAbsent => db.find_to_change(&key).is_none(),
        Condition::IfPresent => db.find_to_change(&key).is_some(),
    };
    if is_set {
        let expires_at_ms = match options.deadline {
            DeadlineOption::Keep => db.look_silently(&key).and_then(Entry::expires_at_ms),
            _ => new_deadline,
        };
        put(call, db, &key, 2, expires_at_ms);
        db.changed(&key, "set", 1);
        if let Some(deadline_ms) = new_deadline {
            db.changed(&key, "expire", 0);
            replay_with_deadline(db, &key, call.argument(2), deadline_ms);
        } else if options.gets {
            db.replay_as(|replay| replay.command(&without_get(call.arguments)));
        }
    }
    match (options.gets, is_set) {
        (true, _) => call.reply.bulk_or_null(old.as_deref()),
        (false, true) => call.reply.ok(),
        (false, false) => call.reply.null(),
    }
    Ok(())
}

/// A value with a deadline is replayed with the time at which it ends, whenever that may be.
fn replay_with_deadline(db: &mut Db, key: &Key, value: &[u8], deadline_ms: i64) {
    let set = [b"SET", key.bytes, value, b"PXAT"];
    db.replay_as(|replay| replay.command_with_number(&set, deadline_ms));
}

/// The arguments of a SET without the option GET.
fn without_get<'a>(arguments: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let (set, options) = arguments.split_at(3);
    let is_kept = |option: &&&[u8]| !option.eq_ignore_ascii_case(b"GET");
    set.iter()
        .chain(options.iter().filter(is_kept))
        .copied()
        .collect()
}

/// What happens to the key of a SET request: GET reads the old value.
fn flags_of_set(request: &[&[u8]]) -> KeyFlags {
    let mut options = request[3..].iter();
    if options.any(|option| option.eq_ignore_ascii_case(b"GET")) {
        KeyFlags::of(&[RW, ACCESS, UPDATE])
    } else {
        KeyFlags::of(&[OW, UPDATE])
    }
}

/// Sets a key to the argument at `index`. A large one becomes the value as it is, without a copy.
fn put(call: &Call, db: &mut Db, key: &Key, index: usize, expires_at_ms: Option<i64>) {
    match call.shared_argument(index) {
        Some(value) => {
            let value = Object::String(value.clone(), StringForm::Natural);
            db.put_object(key, value, expires_at_ms);
        }
        None => {
            let value = call.argument(index);
            db.put_string(key, value, StringForm::Natural, expires_at_ms);
        }
    }
}

/// The options from the argument at `index` on: SET knows all but PERSIST, GETEX only those about the deadline.
fn options(call: &Call, mut index: usize, taker: Taker) -> Result<Options, CommandError> {
    let is_set = taker == Taker::Set;
    let mut options = Options {
        condition: Condition::Always,
        deadline: DeadlineOption::Nothing,
        gets: false,
    };
    while index < call.arguments.len() {
        let word = call.word(index);
        match word.as_str() {
            "NX" if is_set && options.condition != Condition::IfPresent => {
                options.condition = Condition::IfAbsent
            }
            "XX" if is_set && options.condition != Condition::IfAbsent => {
                options.condition = Condition::IfPresent
            }
            "GET" if is_set => options.gets = true,
            "KEEPTTL" if is_set => options.set_deadline(DeadlineOption::Keep)?,
            "PERSIST" if !is_set => options.set_deadline(DeadlineOption::Remove)?,
            _ => {
                let (unit, is_absolute) = deadline_unit(&word).ok_or(CommandError::Syntax)?;
                index += 1;
                options.set_deadline(DeadlineOption::At {
                    unit,
                    is_absolute,
                    index,
                })?;
            }
        }
        index += 1;
    }
    // The last option lacks its argument.
    if index > call.arguments.len() {
        return Err(CommandError::Syntax);
    }
    Ok(options)
}

impl Options {
    fn set_deadline(&mut self, option: DeadlineOption) -> CommandResult {
        use DeadlineOption::{At, Nothing};
        let is_repeated = match (self.deadline, option) {
            (
                At {
                    unit: a,
                    is_absolute: b,
                    ..
                },
                At {
                    unit: c,
                    is_absolute: d,
                    ..
                },
            ) => (a, b) == (c, d),
            (old, new) => old == new,
        };
        if self.deadline != Nothing && !is_repeated {
            return Err(CommandError::Syntax);
        }
        self.deadline = option;
        Ok(())
    }

    /// The new deadline, if there is to be one.
    fn deadline_ms(&self, call: &Call) -> Result<Option<i64>, CommandError> {
        match self.deadline {
            DeadlineOption::At {
                unit,
                is_absolute,
                index,
            } => expiry::positive_deadline_ms(call, index, unit, is_absolute).map(Some),
            _ => Ok(None),
        }
    }
}

/// What EX, PX, EXAT and PXAT mean: the unit, and whether the time is one of Unix.
fn deadline_unit(word: &str) -> Option<(TimeUnit, bool)> {
    match word {
        "EX" => Some((TimeUnit::Seconds, false)),
        "PX" => Some((TimeUnit::Milliseconds, false)),
        "EXAT" => Some((TimeUnit::Seconds, true)),
        "PXAT" => Some((TimeUnit::Milliseconds, true)),
        _ => None,
    }
}

/// ```text
/// > SET k v
/// OK
/// > GET k
/// "v"
/// > GET nothing
/// (nil)
/// ```
fn get(call: &mut Call, db: &Db) -> CommandResult {
    let entry = db.read(&call.key());
    reply_string(call, entry)
}

/// Replies with the string of an entry; a large one leaves the lock without a copy.
fn reply_string(call: &mut Call, entry: Option<Entry>) -> CommandResult {
    match entry {
        None => call.reply.null(),
        Some(entry) => match entry.shared_string() {
            Some(string) => call.reply.shared_bulk(string),
            None => call.reply.bulk(entry.string()?),
        },
    }
    Ok(())
}

/// ```text
/// > SETNX k v
/// (integer) 1
/// > SETNX k w
/// (integer) 0
/// ```
fn setnx(call: &mut Call, db: &mut Db) -> CommandResult {
    let key = call.key();
    let is_absent = db.find_to_change(&key).is_none();
    if is_absent {
        put(call, db, &key, 2, None);
        db.changed(&key, "set", 1);
    }
    call.reply.integer(is_absent.into());
    Ok(())
}

/// ```text
/// > SETEX k 0 v
/// (error) ERR invalid expire time in 'setex' command
/// > SETEX k 100 v
/// OK
/// ```
fn setex(call: &mut Call, db: &mut Db) -> CommandResult {
    set_with_deadline(call, db, TimeUnit::Seconds)
}

/// ```text
/// > PSETEX k 100000 v
/// OK
/// > TTL k
/// (integer) 100
/// ```
fn psetex(call: &mut Call, db: &mut Db) -> CommandResult {
    set_with_deadline(call, db, TimeUnit::Milliseconds)
}

fn set_with_deadline(call: &mut Call, db: &mut Db, unit: TimeUnit) -> CommandResult {
    let deadline = expiry::positive_deadline_ms(call, 2, unit, false)?;
    let key = call.key();
    put(call, db, &key, 3, Some(deadline));
    db.changed(&key, "set", 1);
    db.changed(&key, "expire", 0);
    replay_with_deadline(db, &key, call.argument(3), deadline);
    call.reply.ok();
    Ok(())
}

/// ```text
/// > SET k v EX 100
/// OK
/// > GETSET k w
/// "v"
/// > TTL k
/// (integer) -1
/// ```
fn getset(call: &mut Call, db: &mut Db) -> CommandResult {
    let key = call.key();
    reply_string(call, db.read(&key))?;
    put(call, db, &key, 2, None);
    db.changed(&key, "set", 1);
    db.replay_as(|replay| replay.command(&[b"SET", key.bytes, call.argument(2)]));
    Ok(())
}

/// ```text
/// > SET k v
/// OK
/// > GETDEL k
/// "v"
/// > GETDEL k
/// (nil)
/// ```
fn getdel(call: &mut Call, db: &mut Db) -> CommandResult {
    let key = call.key();
    reply_string(call, db.read(&key))?;
    if db.remove(&key) {
        db.changed(&key, "del", 1);
        db.replay_as(|replay| replay.command(&[b"DEL", key.bytes]));
    }
    Ok(())
}

/// ```text
/// > SET k v
/// OK
/// > GETEX k EX 100
/// "v"
/// > GETEX k PERSIST
/// "v"
/// > TTL k
/// (integer) -1
/// ```
fn getex(call: &mut Call, db: &mut Db) -> CommandResult {
    let options = options(call, 2, Taker::GetEx)?;
    let key = call.key();
    let Some(entry) = db.read(&key) else {
        call.reply.null();
        return Ok(());
    };
    // As in Redis, the time is looked at only if there is something that it could be set to.
    entry.string()?;
    let new_deadline = options.deadline_ms(call)?;
    let has_deadline = entry.expires_at_ms().is_some();
    reply_string(call, Some(entry))?;
    if let Some(deadline) = new_deadline {
        expiry::expire_at(db, &key, deadline);
    } else if options.deadline == DeadlineOption::Remove && has_deadline {
        db.set_expires_at_ms(&key, None);
        db.changed(&key, "persist", 1);
        db.replay_as(|replay| replay.command(&[b"PERSIST", key.bytes]));
    }
    Ok(())
}

/// ```text
/// > MSET a 1 b 2
/// OK
/// > MGET a nothing b
/// 1) "1"
/// 2) (nil)
/// 3) "2"
/// ```
fn mget(call: &mut Call, db: &Db) -> CommandResult {
    call.reply.array(call.keys.len());
    for key in call.keys {
        // A key of another type counts as absent.
        let mark = call.reply.undo_point();
        if reply_string(call, db.read(key)).is_err() {
            call.reply.undo_to(mark);
            call.reply.null();
        }
    }
    Ok(())
}

/// ```text
/// > MSET a 1 b 2
/// OK
/// > MSET a 1 b
/// (error) ERR wrong number of arguments for 'mset' command
/// ```
fn mset(call: &mut Call, db: &mut Db) -> CommandResult {
    set_pairs(call, db)?;
    call.reply.ok();
    Ok(())
}

/// ```text
/// > MSETNX a 1 b 2
/// (integer) 1
/// > MSETNX b 3 c 4
/// (integer) 0
/// > EXISTS c
/// (integer) 0
/// ```
fn msetnx(call: &mut Call, db: &mut Db) -> CommandResult {
    let is_any_present = call.keys.iter().any(|key| db.find_to_change(key).is_some());
    if !is_any_present || call.arguments.len().is_multiple_of(2) {
        set_pairs(call, db)?;
    }
    call.reply.integer((!is_any_present).into());
    Ok(())
}

fn set_pairs(call: &Call, db: &mut Db) -> CommandResult {
    if call.arguments.len().is_multiple_of(2) {
        return Err(CommandError::WrongArity(call.spec.name.to_string()));
    }
    for (number, key) in call.keys.iter().enumerate() {
        put(call, db, key, 2 + 2 * number, None);
        db.changed(key, "set", 1);
    }
    Ok(())
}

/// ```text
/// > APPEND k Hello
/// (integer) 5
/// > APPEND k " World"
/// (integer) 11
/// > OBJECT ENCODING k
/// "raw"
/// ```
fn append(call: &mut Call, db: &mut Db) -> CommandResult {
    let key = call.key();
    let suffix = call.argument(2);
    let len = match db.string_to_change(&key)?.map(<[u8]>::len) {
        None => {
            db.put_string(&key, suffix, StringForm::Natural, None);
            suffix.len()
        }
        Some(len) => {
            check_string_len(call, len.saturating_add(suffix.len()))?;
            db.edit_string(&key, |string| string.extend_from_slice(suffix))?
        }
    };
    db.changed(&key, "append", 1);
    call.reply.count(len);
    Ok(())
}

fn check_string_len(call: &Call, len: usize) -> CommandResult {
    let most = call.server.config.proto_max_bulk_len.get() as usize;
    if len > most {
        Err(CommandError::StringTooLong)
    } else {
        Ok(())
    }
}

/// ```text
/// > SET k Hello
/// OK
/// > STRLEN k
/// (integer) 5
/// ```
fn strlen(call: &mut Call, db: &Db) -> CommandResult {
    let len = db.string(&call.key())?.map_or(0, <[u8]>::len);
    call.reply.count(len);
    Ok(())
}

/// ```text
/// > SET k "This is a string"
/// OK
/// > GETRANGE k 0 3
/// "This"
/// > GETRANGE k -3 -1
/// "ing"
/// ```
fn getrange(call: &mut Call, db: &Db) -> CommandResult {
    let (start, end) = (call.integer(2)?, call.integer(3)?);
    let string = db.string(&call.key())?.unwrap_or_default();
    call.reply
        .bulk(&string[clamp_string_range(start, end, string.len())]);
    Ok(())
}

/// Like [`clamp_range`], but an end before the beginning means the first byte, as in Redis, unless the range is
/// inverted among negative indexes.
fn clamp_string_range(start: i64, end: i64, len: usize) -> std::ops::Range<usize> {
    if start < 0 && end < 0 && start > end {
        return 0..0;
    }
    let end = if end < 0 {
        end.saturating_add(len as i64).max(0)
    } else {
        end
    };
    clamp_range(start, end, len)
}

/// ```text
/// > SET k "Hello World"
/// OK
/// > SETRANGE k 6 Redis
/// (integer) 11
/// > GET k
/// "Hello Redis"
/// > SETRANGE padded 2 x
/// (integer) 3
/// > GET padded
/// "\x00\x00x"
/// ```
fn setrange(call: &mut Call, db: &mut Db) -> CommandResult {
    let offset = call.integer(2)?;
    let offset = usize::try_from(offset).map_err(|_| CommandError::OffsetOutOfRange)?;
    let key = call.key();
    let patch = call.argument(3);
    let old_len = db.string_to_change(&key)?.map(<[u8]>::len);
    if patch.is_empty() {
        call.reply.count(old_len.unwrap_or(0));
        return Ok(());
    }
    check_string_len(call, offset.saturating_add(patch.len()))?;
    let len = db.edit_string(&key, |string| {
        string.resize(string.len().max(offset + patch.len()), 0);
        string[offset..offset + patch.len()].copy_from_slice(patch);
    })?;
    db.changed(&key, "setrange", 1);
    call.reply.count(len);
    Ok(())
}
