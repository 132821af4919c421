//! XGROUP: consumer groups and their consumers.

use super::{id, no_group_of_key};
use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::keyspace::space::Key;
use crate::types::stream::{ConsumerGroup, Stream, StreamId};

#[rustfmt::skip]
pub(in crate::command) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "xgroup", arity: -2, handler: Container(XGROUP), group: Group::Stream, since: "5.0.0",
        summary: "A container for consumer groups commands.", complexity: "Depends on subcommand.", ..BASE },
];

#[rustfmt::skip]
const XGROUP: &[CommandSpec] = &[
    CommandSpec { name: "create", arity: -5, handler: Write(create), keys: &[key(2, &[RW, INSERT])],
        flags: flags(&[WRITE, DENYOOM]), group: Group::Stream, since: "5.0.0",
        syntax: "key group <id-selector: id | new-id:$> [MKSTREAM] [ENTRIESREAD entries-read]",
        summary: "Creates a consumer group.", history: &[("7.0.0", "Added the `entries_read` named argument.")],
        ..BASE },
    CommandSpec { name: "setid", arity: -5, handler: Write(set_id), keys: &[key(2, &[RW, UPDATE])],
        flags: flags(&[WRITE]), group: Group::Stream, since: "5.0.0",
        syntax: "key group <id-selector: id | new-id:$> [ENTRIESREAD entriesread(entries-read)]",
        summary: "Sets the last-delivered ID of a consumer group.",
        history: &[("7.0.0", "Added the optional `entries_read` argument.")], ..BASE },
    CommandSpec { name: "destroy", arity: 4, handler: Write(destroy), keys: &[key(2, &[RW, DELETE])],
        flags: flags(&[WRITE]), group: Group::Stream, since: "5.0.0",
        syntax: "key group", summary: "Destroys a consumer group.",
        complexity: "O(N) where N is the number of entries in the group's pending entries list (PEL).", ..BASE },
    CommandSpec { name: "createconsumer", arity: 5, handler: Write(create_consumer), keys: &[key(2, &[RW, INSERT])],
        flags: flags(&[WRITE, DENYOOM]), group: Group::Stream, since: "6.2.0",
        syntax: "key group consumer", summary: "Creates a consumer in a consumer group.", ..BASE },
    CommandSpec { name: "delconsumer", arity: 5, handler: Write(delete_consumer), keys: &[key(2, &[RW, DELETE])],
        flags: flags(&[WRITE]), group: Group::Stream, since: "5.0.0",
        syntax: "key group consumer", summary: "Deletes a consumer from a consumer group.", ..BASE },
    CommandSpec { name: "help", arity: 2, handler: NoLock(help), flags: flags(&[LOADING, STALE]),
        group: Group::Stream, since: "5.0.0",
        summary: "Returns helpful text about the different subcommands.", ..BASE },
];

/// ```text
/// > XGROUP CREATE s g $ MKSTREAM
/// OK
/// > XGROUP CREATE s g 0
/// (error) BUSYGROUP Consumer Group name already exists
/// ```
fn create(call: &mut Call, db: &mut Db) -> CommandResult {
    let key = call.key();
    let options = Options::parse(call, true)?;
    let stream = db.collection_to_change::<Stream>(&key)?;
    if stream.is_none() && !options.makes_stream {
        return Err(key_required());
    }
    check_count(call, 8)?;
    let last_id = stream.map_or(StreamId::MIN, |stream| stream.entries.history().last_id);
    let last_id = match call.argument(4) {
        b"$" => last_id,
        id => id::parse(id, 0)?,
    };
    let is_new = stream.is_none();
    let groups = &mut db.get_or_create::<Stream>(&key)?.groups;
    let name = call.argument(3);
    if groups.get(name).is_some() {
        let text = b"BUSYGROUP Consumer Group name already exists";
        return Err(CommandError::Other(text.to_vec()));
    }
    let group = ConsumerGroup::new(last_id, options.entries_read);
    groups.insert(name.into(), group);
    match is_new {
        true => db.changed(&key, "xgroup-create", 1),
        false => db.changed_unwatched(&key, "xgroup-create", 1),
    }
    if call.argument(4) == b"$" {
        db.replay_as(|replay| {
            let last_id = last_id.to_string();
            let mut arguments = call.arguments.to_vec();
            arguments[4] = last_id.as_bytes();
            replay.command(&arguments);
        });
    }
    call.reply.ok();
    Ok(())
}

/// ```text
/// > XGROUP CREATE s g 0 MKSTREAM
/// OK
/// > XGROUP SETID s g 5-1 ENTRIESREAD 7
/// OK
/// > XGROUP SETID s h 5
/// (error) NOGROUP No such consumer group 'h' for key name 's'
/// ```
fn set_id(call: &mut Call, db: &mut Db) -> CommandResult {
    let key = call.key();
    let options = Options::parse(call, false)?;
    find_group(call, db, &key)?;
    check_count(call, 7)?;
    let stream = db.get_or_create::<Stream>(&key)?;
    let last_id = match call.argument(4) {
        b"$" => stream.entries.history().last_id,
        id => id::parse_or_end(id, 0)?,
    };
    if let Some(group) = stream.groups.get_mut(call.argument(3)) {
        group.last_id = last_id;
        group.entries_read = options.entries_read;
    }
    db.changed_unwatched(&key, "xgroup-setid", 1);
    call.reply.ok();
    Ok(())
}

/// ```text
/// > XGROUP CREATE s g 0 MKSTREAM
/// OK
/// > XGROUP DESTROY s g
/// (integer) 1
/// > XGROUP DESTROY s g
/// (integer) 0
/// ```
fn destroy(call: &mut Call, db: &mut Db) -> CommandResult {
    let key = call.key();
    let stream = db.collection_mut::<Stream>(&key)?;
    let groups = &mut stream.ok_or_else(key_required)?.groups;
    let removed = groups.remove(call.argument(3));
    call.reply.integer(removed.is_some().into());
    if let Some(group) = removed {
        db.free_later(group);
        // Consumers that wait for entries get an error.
        db.changed_for_waiters(&key, "xgroup-destroy", 1);
    }
    Ok(())
}

/// ```text
/// > XGROUP CREATE s g 0 MKSTREAM
/// OK
/// > XGROUP CREATECONSUMER s g ann
/// (integer) 1
/// > XGROUP CREATECONSUMER s g ann
/// (integer) 0
/// ```
fn create_consumer(call: &mut Call, db: &mut Db) -> CommandResult {
    let key = call.key();
    let now_ms = call.now_ms;
    find_group(call, db, &key)?;
    let groups = &mut db.get_or_create::<Stream>(&key)?.groups;
    let group = groups.get_mut(call.argument(3));
    let is_new = group.is_some_and(|group| group.create_consumer(call.argument(4), now_ms));
    if is_new {
        db.changed_unwatched(&key, "xgroup-createconsumer", 1);
    }
    call.reply.integer(is_new.into());
    Ok(())
}

/// How many entries were pending for the consumer: they are forgotten.
///
/// ```text
/// > XGROUP CREATE s g 0 MKSTREAM
/// OK
/// > XADD s 1 f v
/// "1-0"
/// > XREADGROUP GROUP g ann STREAMS s >
/// 1) 1) "s"
///    2) 1) 1) "1-0"
///          2) 1) "f"
///             2) "v"
/// > XGROUP DELCONSUMER s g ann
/// (integer) 1
/// ```
fn delete_consumer(call: &mut Call, db: &mut Db) -> CommandResult {
    let key = call.key();
    find_group(call, db, &key)?;
    let groups = &mut db.get_or_create::<Stream>(&key)?.groups;
    let group = groups.get_mut(call.argument(3));
    let pending = group.and_then(|group| group.remove_consumer(call.argument(4)));
    if pending.is_some() {
        db.changed_unwatched(&key, "xgroup-delconsumer", 1);
    }
    call.reply.count(pending.unwrap_or(0));
    Ok(())
}

fn help(call: &mut Call) -> CommandResult {
    call.help(&[
        "CREATE <key> <groupname> <id|$> [option]",
        "    Create a new consumer group. Options are:",
        "    * MKSTREAM",
        "      Create the empty stream if it does not exist.",
        "    * ENTRIESREAD entries_read",
        "      Set the group's entries_read counter (internal use).",
        "CREATECONSUMER <key> <groupname> <consumer>",
        "    Create a new consumer in the specified group.",
        "DELCONSUMER <key> <groupname> <consumer>",
        "    Remove the specified consumer.",
        "DESTROY <key> <groupname>",
        "    Remove the specified group.",
        "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
        "    Set the current group ID and entries_read counter.",
    ]);
    Ok(())
}

/// Checks that the key has a stream with the group that the command names.
fn find_group(call: &Call, db: &Db, key: &Key<'_>) -> CommandResult {
    let stream = db.collection_to_change::<Stream>(key)?;
    let groups = &stream.ok_or_else(key_required)?.groups;
    let group = call.argument(3);
    match groups.get(group) {
        Some(_) => Ok(()),
        None => Err(no_group_of_key(key.bytes, group)),
    }
}

/// Checks that no option was given again. As in Redis, that comes after the checks of key and group.
fn check_count(call: &Call, most: usize) -> CommandResult {
    match call.arguments.len() > most {
        true => Err(misused(call)),
        false => Ok(()),
    }
}

fn misused(call: &Call) -> CommandError {
    CommandError::misused_subcommand("XGROUP", call.argument(1))
}

fn key_required() -> CommandError {
    CommandError::err(
        "The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option \
         to create an empty stream automatically.",
    )
}

/// What follows the ID of XGROUP CREATE and SETID.
#[derive(Debug, Default)]
struct Options {
    makes_stream: bool,
    entries_read: Option<u64>,
}

impl Options {
    fn parse(call: &Call, is_create: bool) -> Result<Options, CommandError> {
        let mut options = Options::default();
        let mut index = 5;
        while index < call.arguments.len() {
            if is_create && call.is_word(index, "MKSTREAM") {
                options.makes_stream = true;
                index += 1;
            } else if call.is_word(index, "ENTRIESREAD") && index + 1 < call.arguments.len() {
                let read = call.integer(index + 1)?;
                if read < -1 {
                    let text = "value for ENTRIESREAD must be positive or -1";
                    return Err(CommandError::err(text));
                }
                options.entries_read = u64::try_from(read).ok();
                index += 2;
            } else {
                return Err(misused(call));
            }
        }
        Ok(options)
    }
}
