//! XINFO: what a stream, its groups and its consumers are like.

use super::no_group_of_key;
use super::radix_tree;
use super::reply::{Direction, reply_entry_or_null, reply_id, reply_range};
use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::resp::reply::Reply;
use crate::types::stream::{Consumer, ConsumerGroup, Entries, Stream, StreamId};

#[rustfmt::skip]
pub(in crate::command) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "xinfo", arity: -2, handler: Container(XINFO), group: Group::Stream, since: "5.0.0",
        summary: "A container for stream introspection commands.", complexity: "Depends on subcommand.", ..BASE },
];

#[rustfmt::skip]
const XINFO: &[CommandSpec] = &[
    CommandSpec { name: "stream", arity: -3, handler: Read(stream), keys: &[key(2, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::Stream, since: "5.0.0",
        syntax: "key [full-block: FULL [COUNT count]]", summary: "Returns information about a stream.",
        history: &[
            ("6.0.0", "Added the `FULL` modifier."),
            ("7.0.0", "Added the `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` \
                and `lag` fields"),
            ("7.2.0", "Added the `active-time` field, and changed the meaning of `seen-time`."),
        ], ..BASE },
    CommandSpec { name: "groups", arity: 3, handler: Read(groups), keys: &[key(2, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::Stream, since: "5.0.0",
        syntax: "key", summary: "Returns a list of the consumer groups of a stream.",
        history: &[("7.0.0", "Added the `entries-read` and `lag` fields")], ..BASE },
    CommandSpec { name: "consumers", arity: 4, handler: Read(consumers), keys: &[key(2, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::Stream, since: "5.0.0",
        syntax: "key group", summary: "Returns a list of the consumers in a consumer group.",
        history: &[("7.2.0", "Added the `inactive` field.")], tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "help", arity: 2, handler: NoLock(help), flags: flags(&[LOADING, STALE]),
        group: Group::Stream, since: "5.0.0",
        summary: "Returns helpful text about the different subcommands.", ..BASE },
];

/// ```text
/// > XADD s 1 f v
/// "1-0"
/// > XINFO STREAM s
///  1) "length"
///  2) (integer) 1
///  3) "radix-tree-keys"
///  4) (integer) 1
///  5) "radix-tree-nodes"
///  6) (integer) 2
///  7) "last-generated-id"
///  8) "1-0"
///  9) "max-deleted-entry-id"
/// 10) "0-0"
/// 11) "entries-added"
/// 12) (integer) 1
/// 13) "recorded-first-entry-id"
/// 14) "1-0"
/// 15) "groups"
/// 16) (integer) 0
/// 17) "first-entry"
/// 18) 1) "1-0"
///     2) 1) "f"
///        2) "v"
/// 19) "last-entry"
/// 20) 1) "1-0"
///     2) 1) "f"
///        2) "v"
/// ```
fn stream(call: &mut Call, db: &Db) -> CommandResult {
    let stream = find_stream(call, db)?;
    let full = Full::parse(call)?;
    let reply = &mut *call.reply;
    reply.map(if full.is_some() { 9 } else { 10 });
    reply_history(reply, &stream.entries);
    match full {
        Some(full) => full.reply(reply, stream),
        None => {
            reply_count(reply, "groups", stream.groups.len());
            reply.bulk(b"first-entry");
            reply_entry_or_null(reply, stream.entries.first());
            reply.bulk(b"last-entry");
            reply_entry_or_null(reply, stream.entries.last());
        }
    }
    Ok(())
}

/// ```text
/// > XGROUP CREATE s g 0 MKSTREAM
/// OK
/// > XINFO GROUPS s
/// 1)  1) "name"
///     2) "g"
///     3) "consumers"
///     4) (integer) 0
///     5) "pending"
///     6) (integer) 0
///     7) "last-delivered-id"
///     8) "0-0"
///     9) "entries-read"
///    10) (nil)
///    11) "lag"
///    12) (integer) 0
/// ```
fn groups(call: &mut Call, db: &Db) -> CommandResult {
    let stream = find_stream(call, db)?;
    let reply = &mut *call.reply;
    reply.array(stream.groups.len());
    for (name, group) in stream.groups.iter() {
        reply.map(6);
        reply_name(reply, name);
        reply_count(reply, "consumers", group.consumers().len());
        reply_count(reply, "pending", group.pending().len());
        reply_position(reply, stream, group);
    }
    Ok(())
}

/// ```text
/// > XGROUP CREATE s g 0 MKSTREAM
/// OK
/// > XINFO CONSUMERS s g
/// (empty array)
/// > XINFO CONSUMERS s h
/// (error) NOGROUP No such consumer group 'h' for key name 's'
/// ```
fn consumers(call: &mut Call, db: &Db) -> CommandResult {
    let stream = find_stream(call, db)?;
    let name = call.argument(3);
    let group = stream.groups.get(name);
    let group = group.ok_or_else(|| no_group_of_key(call.key().bytes, name))?;
    let since_ms = |at_ms: i64| call.now_ms.wrapping_sub(at_ms);
    call.reply.array(group.consumers().len());
    for (name, consumer) in group.consumers().iter() {
        let inactive_ms = match consumer.active_at_ms {
            -1 => -1,
            active_at_ms => since_ms(active_at_ms),
        };
        call.reply.map(4);
        reply_name(call.reply, name);
        reply_count(call.reply, "pending", consumer.pending().len());
        reply_integer(call.reply, "idle", since_ms(consumer.seen_at_ms).max(0));
        reply_integer(call.reply, "inactive", inactive_ms);
    }
    Ok(())
}

fn help(call: &mut Call) -> CommandResult {
    call.help(&[
        "CONSUMERS <key> <groupname>",
        "    Show consumers of <groupname>.",
        "GROUPS <key>",
        "    Show the stream consumer groups.",
        "STREAM <key> [FULL [COUNT <count>]",
        "    Show information about the stream.",
    ]);
    Ok(())
}

fn find_stream<'a>(call: &Call, db: &'a Db) -> Result<&'a Stream, CommandError> {
    let stream = db.collection::<Stream>(&call.key())?;
    stream.ok_or(CommandError::NoSuchKey)
}

/// XINFO STREAM FULL.
struct Full {
    /// The most entries, and the most pending ones of each group and consumer.
    most: Option<usize>,
}

impl Full {
    fn parse(call: &Call) -> Result<Option<Full>, CommandError> {
        let misused = CommandError::misused_subcommand("XINFO", call.argument(1));
        let count = match call.arguments.len() {
            3 => return Ok(None),
            4 if call.is_word(3, "FULL") => 10,
            6 if call.is_word(3, "FULL") && call.is_word(4, "COUNT") => call.integer(5)?,
            _ => return Err(misused),
        };
        let most = match count {
            0 => None,
            ..0 => Some(10),
            1.. => Some(count as usize),
        };
        Ok(Some(Full { most }))
    }

    fn reply(&self, reply: &mut Reply, stream: &Stream) {
        reply.bulk(b"entries");
        let all = [StreamId::MIN, StreamId::MAX];
        reply_range(reply, &stream.entries, all, self.most, Direction::Forward);
        reply.bulk(b"groups");
        reply.array(stream.groups.len());
        for (name, group) in stream.groups.iter() {
            reply.map(7);
            reply_name(reply, name);
            reply_position(reply, stream, group);
            self.reply_pending_of_group(reply, group);
            reply.bulk(b"consumers");
            reply.array(group.consumers().len());
            for (name, consumer) in group.consumers().iter() {
                reply.map(5);
                reply_name(reply, name);
                reply_integer(reply, "seen-time", consumer.seen_at_ms);
                reply_integer(reply, "active-time", consumer.active_at_ms);
                self.reply_pending_of_consumer(reply, group, consumer);
            }
        }
    }

    /// How many of this number of pending entries are listed.
    fn listed(&self, pending: usize) -> usize {
        self.most.unwrap_or(usize::MAX).min(pending)
    }

    fn reply_pending_of_group(&self, reply: &mut Reply, group: &ConsumerGroup) {
        let listed = self.listed(group.pending().len());
        reply_count(reply, "pel-count", group.pending().len());
        reply.bulk(b"pending");
        reply.array(listed);
        for (id, pending) in group.pending().iter().take(listed) {
            reply.array(4);
            reply_id(reply, *id);
            reply.bulk(&pending.consumer);
            reply.integer(pending.delivered_at_ms);
            reply.integer(pending.deliveries as i64);
        }
    }

    fn reply_pending_of_consumer(
        &self,
        reply: &mut Reply,
        group: &ConsumerGroup,
        consumer: &Consumer,
    ) {
        let listed = self.listed(consumer.pending().len());
        reply_count(reply, "pel-count", consumer.pending().len());
        reply.bulk(b"pending");
        reply.array(listed);
        for (id, ()) in consumer.pending().iter().take(listed) {
            let pending = group.pending().get(id);
            reply.array(3);
            reply_id(reply, *id);
            reply.integer(pending.map_or(0, |pending| pending.delivered_at_ms));
            reply.integer(pending.map_or(0, |pending| pending.deliveries as i64));
        }
    }
}

/// What both forms of XINFO STREAM begin with.
fn reply_history(reply: &mut Reply, entries: &Entries) {
    let history = entries.history();
    reply_integer(reply, "length", entries.len() as i64);
    let ids = entries.listpacks().map(|(id, _)| id.to_bytes());
    reply_count(reply, "radix-tree-keys", entries.block_count());
    reply_count(reply, "radix-tree-nodes", radix_tree::nodes(ids));
    reply_named_id(reply, "last-generated-id", history.last_id);
    reply_named_id(reply, "max-deleted-entry-id", history.max_deleted_id);
    reply_integer(reply, "entries-added", history.entries_added as i64);
    reply_named_id(reply, "recorded-first-entry-id", history.first_id);
}

/// How far a group has come.
fn reply_position(reply: &mut Reply, stream: &Stream, group: &ConsumerGroup) {
    reply_named_id(reply, "last-delivered-id", group.last_id);
    let numbers = [
        ("entries-read", group.entries_read),
        ("lag", stream.lag(group)),
    ];
    for (name, number) in numbers {
        reply.bulk(name.as_bytes());
        match number {
            Some(number) => reply.integer(number as i64),
            None => reply.null(),
        }
    }
}

fn reply_name(reply: &mut Reply, name: &[u8]) {
    reply.bulk(b"name");
    reply.bulk(name);
}

fn reply_integer(reply: &mut Reply, name: &str, number: i64) {
    reply.bulk(name.as_bytes());
    reply.integer(number);
}

fn reply_count(reply: &mut Reply, name: &str, count: usize) {
    reply_integer(reply, name, count as i64);
}

fn reply_named_id(reply: &mut Reply, name: &str, id: StreamId) {
    reply.bulk(name.as_bytes());
    reply_id(reply, id);
}
