//! Commands on keys of any type: <https://redis.io/commands/?group=generic>. Deadlines are in
//! [`crate::command::data::expiry`].

use crate::command::call::Call;
use crate::command::data::scan::{self, ScanOptions};
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::keyspace::entry::Entry;
use crate::keyspace::space::Key;
use crate::keyspace::survey::Survey;
use crate::resp::reply::Reply;
use crate::util::glob;
use triomphe::Arc;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "keys", arity: 2, handler: Survey(keys_matching),
        flags: flags(&[READONLY, CAT_DANGEROUS]), group: Group::Generic, since: "1.0.0",
        syntax: "pattern", summary: "Returns all key names that match a pattern.",
        complexity: "O(N) with N being the number of keys in the database, under the assumption that the key names in \
            the database and the given pattern have limited length.",
        tips: &["request_policy:all_shards", "nondeterministic_output_order"], ..BASE },
    CommandSpec { name: "type", arity: 2, handler: Read(type_of), keys: &[key(1, &[RO])],
        flags: flags(&[READONLY, FAST]), group: Group::Generic, since: "1.0.0",
        syntax: "key", summary: "Determines the type of value stored at a key.", ..BASE },
    CommandSpec { name: "del", arity: -2, handler: Write(del), keys: &[keys(1, -1, 1, &[RM, DELETE])],
        flags: flags(&[WRITE]), group: Group::Generic, since: "1.0.0",
        syntax: "key [key ...]", summary: "Deletes one or more keys.",
        complexity: "O(N) where N is the number of keys that will be removed. When a key to remove holds a value other \
            than a string, the individual complexity for this key is O(M) where M is the number of elements in the \
            list, set, sorted set or hash. Removing a single key that holds a string value is O(1).",
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"], ..BASE },
    CommandSpec { name: "unlink", arity: -2, handler: Write(del), keys: &[keys(1, -1, 1, &[RM, DELETE])],
        flags: flags(&[WRITE, FAST]), group: Group::Generic, since: "4.0.0",
        syntax: "key [key ...]", summary: "Asynchronously deletes one or more keys.",
        complexity: "O(1) for each key removed regardless of its size. Then the command does O(N) work in a different \
            thread in order to reclaim memory, where N is the number of allocations the deleted objects where composed \
            of.",
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"], ..BASE },
    CommandSpec { name: "exists", arity: -2, handler: Read(exists), keys: &[keys(1, -1, 1, &[RO])],
        flags: flags(&[READONLY, FAST]), group: Group::Generic, since: "1.0.0",
        syntax: "key [key ...]", summary: "Determines whether one or more keys exist.",
        complexity: "O(N) where N is the number of keys to check.",
        history: &[("3.0.3", "Accepts multiple `key` arguments.")],
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"], ..BASE },
    CommandSpec { name: "touch", arity: -2, handler: Read(touch), keys: &[keys(1, -1, 1, &[RO])],
        flags: flags(&[READONLY, FAST]), group: Group::Generic, since: "3.2.1",
        syntax: "key [key ...]",
        summary: "Returns the number of existing keys out of those specified after updating the time they were last \
            accessed.",
        complexity: "O(N) where N is the number of keys that will be touched.",
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"], ..BASE },
    CommandSpec { name: "rename", arity: 3, handler: Write(rename),
        keys: &[key(1, &[RW, ACCESS, DELETE]), key(2, &[OW, UPDATE])],
        flags: flags(&[WRITE]), group: Group::Generic, since: "1.0.0",
        syntax: "key newkey", summary: "Renames a key and overwrites the destination.", ..BASE },
    CommandSpec { name: "renamenx", arity: 3, handler: Write(renamenx),
        keys: &[key(1, &[RW, ACCESS, DELETE]), key(2, &[OW, INSERT])],
        flags: flags(&[WRITE, FAST]), group: Group::Generic, since: "1.0.0",
        syntax: "key newkey", summary: "Renames a key only when the target key name doesn't exist.",
        history: &[("3.2.0", "The command no longer returns an error when source and destination names are the same.")],
        ..BASE },
    CommandSpec { name: "copy", arity: -3, handler: WriteAll(copy),
        keys: &[key(1, &[RO, ACCESS]), key(2, &[OW, UPDATE])],
        flags: flags(&[WRITE, DENYOOM]), group: Group::Generic, since: "6.2.0",
        syntax: "source destination [DB destination-db] [REPLACE]", summary: "Copies the value of a key to a new key.",
        complexity: "O(N) worst case for collections, where N is the number of nested items. O(1) for string values.",
        ..BASE },
    CommandSpec { name: "move", arity: 3, handler: WriteAll(move_to_database), keys: &[key(1, &[RW, ACCESS, UPDATE])],
        flags: flags(&[WRITE, FAST]), group: Group::Generic, since: "1.0.0",
        syntax: "key db", summary: "Moves a key to another database.", ..BASE },
    CommandSpec { name: "randomkey", arity: 1, handler: ReadAll(randomkey),
        flags: flags(&[READONLY]), group: Group::Generic, since: "1.0.0",
        summary: "Returns a random key name from the database.",
        tips: &["request_policy:all_shards", "response_policy:special", "nondeterministic_output"], ..BASE },
    CommandSpec { name: "scan", arity: -2, handler: ReadAll(scan_keys),
        flags: flags(&[READONLY]), group: Group::Generic, since: "2.8.0",
        syntax: "cursor [MATCH pattern] [COUNT count] [TYPE type@6.0.0]",
        summary: "Iterates over the key names in the database.",
        complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor \
            to return back to 0. N is the number of elements inside the collection.",
        history: &[("6.0.0", "Added the `TYPE` subcommand.")],
        tips: &["nondeterministic_output", "request_policy:special", "response_policy:special"], ..BASE },
    CommandSpec { name: "object", arity: -2, handler: Container(OBJECT), group: Group::Generic, since: "2.2.3",
        summary: "A container for object introspection commands.", complexity: "Depends on subcommand.", ..BASE },
];

#[rustfmt::skip]
const OBJECT: &[CommandSpec] = &[
    CommandSpec { name: "encoding", arity: 3, handler: Read(encoding), keys: &[key(2, &[RO])],
        flags: flags(&[READONLY]), group: Group::Generic, since: "2.2.3",
        syntax: "key", summary: "Returns the internal encoding of a Redis object.", tips: &["nondeterministic_output"],
        ..BASE },
    CommandSpec { name: "freq", arity: 3, handler: Read(freq), keys: &[key(2, &[RO])],
        flags: flags(&[READONLY]), group: Group::Generic, since: "4.0.0",
        syntax: "key", summary: "Returns the logarithmic access frequency counter of a Redis object.",
        tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "idletime", arity: 3, handler: Read(idletime), keys: &[key(2, &[RO])],
        flags: flags(&[READONLY]), group: Group::Generic, since: "2.2.3",
        syntax: "key", summary: "Returns the time since the last access to a Redis object.",
        tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "refcount", arity: 3, handler: Read(refcount), keys: &[key(2, &[RO])],
        flags: flags(&[READONLY]), group: Group::Generic, since: "2.2.3",
        syntax: "key", summary: "Returns the reference count of a value of a key.",
        tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "help", arity: 2, handler: NoLock(object_help),
        flags: flags(&[LOADING, STALE]), group: Group::Generic, since: "6.2.0",
        summary: "Returns helpful text about the different subcommands.", ..BASE },
];

/// ```text
/// > MSET one 1 two 2
/// OK
/// > KEYS t*
/// 1) "two"
/// ```
fn keys_matching(call: &mut Call, survey: &Survey) -> CommandResult {
    let pattern = call.argument(1);
    let is_all = pattern == b"*";
    let (mut keys, mut count) = (Reply::new(call.reply.protocol), 0);
    survey.visit_entries(call.session.database, call.now_ms, |entry| {
        if is_all || glob::matches(pattern, entry.key()) {
            keys.bulk(entry.key());
            count += 1;
        }
    });
    call.reply.array(count);
    call.reply.encoded(&Arc::new(keys.into_bytes()));
    Ok(())
}

/// ```text
/// > RPUSH k a
/// (integer) 1
/// > TYPE k
/// list
/// > TYPE nothing
/// none
/// ```
fn type_of(call: &mut Call, db: &Db) -> CommandResult {
    let name = db
        .read_metadata(&call.key())
        .map_or("none", |entry| entry.value().type_name());
    call.reply.simple(name);
    Ok(())
}

/// Frees large values when the locks are gone, so it is UNLINK too.
///
/// ```text
/// > MSET a 1 b 2
/// OK
/// > DEL a b c
/// (integer) 2
/// ```
fn del(call: &mut Call, db: &mut Db) -> CommandResult {
    let mut removed = 0;
    for key in call.keys {
        if db.remove(key) {
            db.changed(key, "del", 1);
            removed += 1;
        }
    }
    call.reply.count(removed);
    Ok(())
}

/// ```text
/// > SET a 1
/// OK
/// > EXISTS a a nothing
/// (integer) 2
/// ```
fn exists(call: &mut Call, db: &Db) -> CommandResult {
    let count = call
        .keys
        .iter()
        .filter(|key| db.read_metadata(key).is_some())
        .count();
    call.reply.count(count);
    Ok(())
}

/// It counts as an access even after CLIENT NO-TOUCH: that is what it is for.
///
/// ```text
/// > SET a 1
/// OK
/// > TOUCH a nothing
/// (integer) 1
/// ```
fn touch(call: &mut Call, db: &Db) -> CommandResult {
    let access = db.access();
    let found = call.keys.iter().filter_map(|key| db.read_metadata(key));
    let count = found.map(|entry| entry.clock().touch(access)).count();
    call.reply.count(count);
    Ok(())
}

/// ```text
/// > SET a 1
/// OK
/// > RENAME a b
/// OK
/// > RENAME a b
/// (error) ERR no such key
/// ```
fn rename(call: &mut Call, db: &mut Db) -> CommandResult {
    rename_key(call, db)?;
    call.reply.ok();
    Ok(())
}

/// ```text
/// > MSET a 1 b 2
/// OK
/// > RENAMENX a b
/// (integer) 0
/// > RENAMENX a c
/// (integer) 1
/// ```
fn renamenx(call: &mut Call, db: &mut Db) -> CommandResult {
    let [from, to] = [call.keys[0], call.keys[1]];
    if db.find_to_change(&from).is_some() && db.find_to_change(&to).is_some() {
        call.reply.integer(0);
        return Ok(());
    }
    rename_key(call, db)?;
    call.reply.integer(1);
    Ok(())
}

fn rename_key(call: &Call, db: &mut Db) -> CommandResult {
    let [from, to] = [call.keys[0], call.keys[1]];
    if db.find_to_change(&from).is_none() {
        return Err(CommandError::NoSuchKey);
    }
    if from.bytes == to.bytes {
        return Ok(());
    }
    if db.rename(&from, &to) {
        db.changed(&from, "rename_from", 1);
        db.changed(&to, "rename_to", 0);
    }
    Ok(())
}

/// Takes all locks, because DB can name any database. Collections are copied by sharing their blocks.
///
/// ```text
/// > SET a 1
/// OK
/// > COPY a b
/// (integer) 1
/// > COPY a b
/// (integer) 0
/// > COPY a b REPLACE
/// (integer) 1
/// ```
fn copy(call: &mut Call, db: &mut Db) -> CommandResult {
    let mut database = call.session.database;
    let mut replaces = false;
    let mut index = 3;
    while index < call.arguments.len() {
        match call.word(index).as_str() {
            "REPLACE" => replaces = true,
            "DB" if index + 1 < call.arguments.len() => {
                index += 1;
                database = call.database(index)?;
            }
            _ => return Err(CommandError::Syntax),
        }
        index += 1;
    }
    let from = call.keys[0];
    let to = Key::new(database, call.argument(2));
    if database == call.session.database && from.bytes == to.bytes {
        return Err(CommandError::SameObject);
    }
    db.remove_if_expired(&to);
    let Some((object, deadline)) = db
        .read(&from)
        .map(|entry| (entry.to_object(), entry.expires_at_ms()))
        .filter(|_| replaces || db.find_to_change(&to).is_none())
    else {
        call.reply.integer(0);
        return Ok(());
    };
    db.put_anew(&to, object, deadline);
    db.changed(&to, "copy_to", 1);
    call.reply.integer(1);
    Ok(())
}

/// ```text
/// > SET a 1
/// OK
/// > MOVE a 0
/// (error) ERR source and destination objects are the same
/// > MOVE a 100
/// (error) ERR DB index is out of range
/// ```
fn move_to_database(call: &mut Call, db: &mut Db) -> CommandResult {
    let database = call.database(2)?;
    if database == call.session.database {
        return Err(CommandError::SameObject);
    }
    let from = call.key();
    let to = Key::new(database, from.bytes);
    db.remove_if_expired(&to);
    let moves = db.find_to_change(&from).is_some() && db.find_to_change(&to).is_none();
    if moves && db.rename(&from, &to) {
        db.changed(&from, "move_from", 1);
        db.changed(&to, "move_to", 0);
    }
    call.reply.integer(moves.into());
    Ok(())
}

/// ```text
/// > RANDOMKEY
/// (nil)
/// > SET a 1
/// OK
/// > RANDOMKEY
/// "a"
/// ```
fn randomkey(call: &mut Call, db: &Db) -> CommandResult {
    let key = db.random_key(|| fastrand::u64(..)).map(Entry::key);
    call.reply.bulk_or_null(key);
    Ok(())
}

/// ```text
/// > SET a 1
/// OK
/// > SCAN 0 COUNT 1000 TYPE string
/// 1) "0"
/// 2) 1) "a"
/// ```
fn scan_keys(call: &mut Call, db: &Db) -> CommandResult {
    let cursor = scan::cursor(call.argument(1))?;
    let options = ScanOptions::parse(call, 2, true)?;
    let is_type = |entry: Entry| match &options.type_name {
        Some(name) => name.eq_ignore_ascii_case(entry.value().type_name().as_bytes()),
        None => true,
    };
    let mut found: Vec<Vec<u8>> = Vec::new();
    let next = options.run(cursor, |cursor, seen| {
        db.scan(cursor, |entry| {
            *seen += 1;
            if options.matches(entry.key()) && is_type(entry) {
                found.push(entry.key().to_vec());
            }
        })
    });
    scan::begin_reply(call, next, found.len());
    found.iter().for_each(|key| call.reply.bulk(key));
    Ok(())
}

/// ```text
/// > SET k 123
/// OK
/// > OBJECT ENCODING k
/// "int"
/// > APPEND k 4
/// (integer) 4
/// > OBJECT ENCODING k
/// "raw"
/// > OBJECT ENCODING nothing
/// (nil)
/// ```
fn encoding(call: &mut Call, db: &Db) -> CommandResult {
    match db.read_for_object(&call.key()) {
        Some(entry) => call.reply.bulk(entry.encoding().as_bytes()),
        None => call.reply.null(),
    }
    Ok(())
}

/// Entries are shared with snapshots only, so there is always one reference that a client could mean. Redis says
/// 2147483647 of small integers, which it shares among keys; we do not.
///
/// ```text
/// > SET k value
/// OK
/// > OBJECT REFCOUNT k
/// (integer) 1
/// ```
fn refcount(call: &mut Call, db: &Db) -> CommandResult {
    match db.read_for_object(&call.key()) {
        Some(_) => call.reply.integer(1),
        None => call.reply.null(),
    }
    Ok(())
}

/// ```text
/// > SET k v
/// OK
/// > OBJECT IDLETIME k
/// (integer) 0
/// ```
fn idletime(call: &mut Call, db: &Db) -> CommandResult {
    let Some(entry) = db.read_for_object(&call.key()) else {
        call.reply.null();
        return Ok(());
    };
    if call.server.keyspace.access_rules.counts() {
        return Err(CommandError::err(
            "An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between \
             policies at runtime LRU and LFU data will take some time to adjust.",
        ));
    }
    call.reply.integer(entry.clock().idle_s(call.now_ms).into());
    Ok(())
}

/// ```text
/// > SET k v
/// OK
/// > OBJECT FREQ k
/// (error) ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching \
/// between policies at runtime LRU and LFU data will take some time to adjust.
/// ```
fn freq(call: &mut Call, db: &Db) -> CommandResult {
    let Some(entry) = db.read_for_object(&call.key()) else {
        call.reply.null();
        return Ok(());
    };
    if call.server.keyspace.access_rules.counts() {
        let frequency = entry.clock().frequency(db.access());
        call.reply.integer(frequency.into());
        return Ok(());
    }
    Err(CommandError::err(
        "An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching \
         between policies at runtime LRU and LFU data will take some time to adjust.",
    ))
}

fn object_help(call: &mut Call) -> CommandResult {
    call.help(&[
        "ENCODING <key>",
        "    Return the kind of internal representation used in order to store the value",
        "    associated with a <key>.",
        "FREQ <key>",
        "    Return the access frequency index of the <key>. The returned integer is",
        "    proportional to the logarithm of the recent access frequency of the key.",
        "IDLETIME <key>",
        "    Return the idle time of the <key>, that is the approximated number of",
        "    seconds elapsed since the last access to the key.",
        "REFCOUNT <key>",
        "    Return the number of references of the value associated with the specified",
        "    <key>.",
    ]);
    Ok(())
}
