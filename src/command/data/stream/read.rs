//! XREAD and XREADGROUP: the entries of several streams behind certain IDs, and the wait for them.
//!
//! A consumer of a group that asks for `>` receives what no consumer of the group has received yet. One that asks for
//! an ID receives the entries behind it again that are pending for itself, and never waits.

use super::entries::{reply_entry, reply_id, reply_range};
use super::replay::GroupName;
use super::{id, no_group};
use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::command::timeout::timeout_ms;
use crate::keyspace::db::Db;
use crate::keyspace::space::Key;
use crate::keyspace::waiters::States;
use crate::resp::reply::{Protocol, Reply};
use crate::state::waiting::Wish;
use crate::types::stream::{Delivery, Entries, Group as ConsumerGroup, Pending, Stream, StreamId};
use smallvec::SmallVec;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

#[rustfmt::skip]
pub(in crate::command) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "xread", arity: -4, handler: ByArguments(handler_of_xread),
        keys: &[half_after("STREAMS", 1, streams_word, &[RO, ACCESS])],
        flags: flags(&[READONLY, BLOCKING]), group: Group::Stream, since: "5.0.0",
        syntax: "[COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]",
        summary: "Returns messages from multiple streams with IDs greater than the ones requested. Blocks until a \
            message is available otherwise.", ..BASE },
    CommandSpec { name: "xreadgroup", arity: -7, handler: ByArguments(handler_of_xreadgroup),
        keys: &[half_after("STREAMS", 4, streams_word, &[RO, ACCESS])],
        flags: flags(&[WRITE, BLOCKING]), group: Group::Stream, since: "5.0.0",
        syntax: "GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key ...] id [id ...]",
        summary: "Returns new or historical messages from a stream for a consumer in a group. Blocks until a message \
            is available otherwise.", ..BASE },
];

fn handler_of_xread(arguments: &[&[u8]]) -> Handler {
    match has_block(arguments) {
        true => Handler::Wait(xread_waiting),
        false => Handler::Read(xread),
    }
}

fn handler_of_xreadgroup(arguments: &[&[u8]]) -> Handler {
    match has_block(arguments) {
        true => Handler::Wait(xreadgroup_waiting),
        false => Handler::Write(xreadgroup),
    }
}

/// The options before the streams, each with the index of its word.
fn options<'a>(arguments: &'a [&'a [u8]]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    let mut index = 1;
    std::iter::from_fn(move || {
        let word = arguments.get(index)?.to_ascii_uppercase();
        let at = index;
        index += match word.as_slice() {
            b"BLOCK" | b"COUNT" => 2,
            b"GROUP" => 3,
            b"NOACK" => 1,
            // The streams, or an error: no option follows.
            _ => arguments.len(),
        };
        Some((at, word))
    })
}

fn has_block(arguments: &[&[u8]]) -> bool {
    options(arguments).any(|(_, word)| word == b"BLOCK")
}

/// The index of the word behind which the streams stand.
fn streams_word(arguments: &[&[u8]]) -> Option<usize> {
    let (index, _) = options(arguments).find(|(_, word)| word == b"STREAMS")?;
    Some(index).filter(|index| index + 1 < arguments.len())
}

/// ```text
/// > XADD s 1 f v
/// "1-0"
/// > XREAD COUNT 10 STREAMS s t 0 0
/// 1) 1) "s"
///    2) 1) 1) "1-0"
///          2) 1) "f"
///             2) "v"
/// > XREAD STREAMS s $
/// (nil)
/// ```
fn xread(call: &mut Call, db: &Db) -> CommandResult {
    let request = Request::parse(call)?;
    let starts = request.starts(db, call.keys)?;
    if !request.read(db, call.keys, &starts, call.reply) {
        call.reply.null_array();
    }
    Ok(())
}

/// ```text
/// > XREAD BLOCK 10 STREAMS s 0
/// (nil)
/// ```
fn xread_waiting(call: &mut Call) -> Result<Wish, CommandError> {
    let request = Request::parse(call)?;
    let until = request.until;
    // `$` is the last ID of the stream when the command comes, not when the client is served.
    let starts: OnceLock<Starts> = OnceLock::new();
    let attempt = move |db: &mut Db<'_>, keys: &[Key<'_>], reply: &mut Reply| {
        let now = request.starts(db, keys)?;
        Ok(request.read(db, keys, starts.get_or_init(|| now), reply))
    };
    Ok(wish(States::STREAM, None, until, attempt))
}

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
/// > XREADGROUP GROUP g ann STREAMS s >
/// (nil)
/// > XDEL s 1
/// (integer) 1
/// > XREADGROUP GROUP g ann STREAMS s 0
/// 1) 1) "s"
///    2) 1) 1) "1-0"
///          2) (nil)
/// > XREADGROUP GROUP h ann STREAMS s >
/// (error) NOGROUP No such key 's' or consumer group 'h' in XREADGROUP with GROUP option
/// ```
fn xreadgroup(call: &mut Call, db: &mut Db) -> CommandResult {
    let request = GroupRequest::parse(call)?;
    if !request.read(db, call.keys, true, call.reply)? {
        call.reply.null_array();
    }
    Ok(())
}

/// ```text
/// > XGROUP CREATE s g 0 MKSTREAM
/// OK
/// > XREADGROUP GROUP g ann BLOCK 10 STREAMS s >
/// (nil)
/// ```
fn xreadgroup_waiting(call: &mut Call) -> Result<Wish, CommandError> {
    let request = GroupRequest::parse(call)?;
    let (until, group) = (request.read.until, request.group.clone());
    let has_come = AtomicBool::new(false);
    let attempt = move |db: &mut Db<'_>, keys: &[Key<'_>], reply: &mut Reply| {
        request.read(db, keys, !has_come.swap(true, Relaxed), reply)
    };
    // The client also hears of it, by an error, when the key goes or gets a value of another type.
    Ok(wish(States::ANY, Some(group), until, attempt))
}

fn wish(
    states: States,
    group: Option<Vec<u8>>,
    until: Option<Instant>,
    attempt: impl Fn(&mut Db, &[Key], &mut Reply) -> Result<bool, CommandError> + Send + Sync + 'static,
) -> Wish {
    let attempt = move |db: &mut Db<'_>, keys: &[Key<'_>], reply: &mut Reply| {
        attempt(db, keys, reply).map_err(|error| error.text())
    };
    Wish {
        states,
        group,
        destination: None,
        attempt: Box::new(attempt),
        until,
        not_waited: Reply::null_array,
        timed_out: Reply::null_array,
    }
}

/// Where to begin in each stream: behind which ID.
type Starts = SmallVec<[StreamId; 4]>;

/// What is asked for of a stream.
#[derive(Clone, Debug)]
enum Asked {
    /// `$`: what comes from now on.
    FromNow,
    /// `>`: what no consumer of the group has received.
    New,
    /// What is behind this ID.
    Behind(StreamId),
    /// Nothing that can be understood.
    Invalid(CommandError),
}

impl Asked {
    fn parse(text: &[u8]) -> Asked {
        match text {
            b"$" => Asked::FromNow,
            b">" => Asked::New,
            _ => match id::parse(text, 0) {
                Ok(id) => Asked::Behind(id),
                Err(error) => Asked::Invalid(error),
            },
        }
    }
}

/// What XREAD and XREADGROUP have in common.
#[derive(Debug)]
struct Request {
    /// The most entries of each stream.
    most: Option<usize>,
    /// When the client gives up; `None` for never.
    until: Option<Instant>,
    /// For each key, what is asked for.
    asked: SmallVec<[Asked; 4]>,
}

impl Request {
    fn parse(call: &Call) -> Result<Request, CommandError> {
        let mut request = Request {
            most: None,
            until: None,
            asked: SmallVec::new(),
        };
        let is_group = call.spec.has(WRITE);
        let only_of_group = |word: &str| {
            let text = format!(
                "The {word} option is only supported by XREADGROUP. You called XREAD instead."
            );
            CommandError::err(text)
        };
        for (index, word) in options(call.arguments) {
            let behind = call.arguments.len() - index - 1;
            match word.as_slice() {
                b"BLOCK" if behind > 0 => request.until = timeout_ms(call, index + 1)?,
                b"COUNT" if behind > 0 => {
                    let count = usize::try_from(call.integer(index + 1)?);
                    request.most = count.ok().filter(|count| *count > 0);
                }
                b"GROUP" if behind > 1 && !is_group => return Err(only_of_group("GROUP")),
                b"GROUP" if behind > 1 => {}
                b"NOACK" if !is_group => return Err(only_of_group("NOACK")),
                b"NOACK" => {}
                b"STREAMS" if behind > 0 => {
                    if !behind.is_multiple_of(2) {
                        return Err(unbalanced(call.spec.name, is_group));
                    }
                    let ids = &call.arguments[index + 1 + behind / 2..];
                    request.asked = ids.iter().map(|id| Asked::parse(id)).collect();
                }
                _ => return Err(CommandError::Syntax),
            }
        }
        if request.asked.is_empty() {
            return Err(CommandError::Syntax);
        }
        Ok(request)
    }

    /// Where to begin, now that XREAD comes. Also checks the types of the keys.
    fn starts(&self, db: &Db, keys: &[Key<'_>]) -> Result<Starts, CommandError> {
        let start = |(key, asked): (&Key<'_>, &Asked)| {
            let stream = stream_of(db, key)?;
            match asked {
                Asked::FromNow => {
                    let last_id = stream.map(|stream| stream.entries.history().last_id);
                    Ok(last_id.unwrap_or_default())
                }
                Asked::Behind(id) => Ok(*id),
                Asked::New => Err(CommandError::err(
                    "The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
                )),
                Asked::Invalid(error) => Err(error.clone()),
            }
        };
        keys.iter().zip(&self.asked).map(start).collect()
    }

    /// Replies with the entries behind the IDs; `false`, and no reply, if there are none.
    fn read(&self, db: &Db, keys: &[Key<'_>], starts: &[StreamId], reply: &mut Reply) -> bool {
        reply_streams(reply, keys.len(), |reply| {
            let mut replied = 0;
            for (key, start) in keys.iter().zip(starts) {
                // Its type is known to be right.
                let Ok(Some(stream)) = stream_of(db, key) else {
                    continue;
                };
                let Some(first) = start.next().filter(|_| has_behind(&stream.entries, *start))
                else {
                    continue;
                };
                reply_name(reply, key);
                reply_range(reply, &stream.entries, [first, StreamId::MAX], self.most);
                replied += 1;
            }
            replied
        })
    }
}

fn unbalanced(command: &str, is_group: bool) -> CommandError {
    let sign = if is_group { '>' } else { '$' };
    CommandError::err(format_args!(
        "Unbalanced '{command}' list of streams: for each stream key an ID or '{sign}' must be specified."
    ))
}

/// The stream of a key. None if its shard is not locked: a waiting client is served under the locks of a command that
/// may have changed some of its keys; in the others is nothing new.
fn stream_of<'d>(db: &'d Db, key: &Key<'_>) -> Result<Option<&'d Stream>, CommandError> {
    match db.covers(std::slice::from_ref(key)) {
        true => Ok(db.collection::<Stream>(key)?),
        false => Ok(None),
    }
}

/// Whether there is an entry behind this ID.
fn has_behind(entries: &Entries, id: StreamId) -> bool {
    entries.history().last_id > id && entries.last().is_some_and(|last| last.id > id)
}

/// Replies with streams, by name; `false`, and no reply, if there are none. `write` returns their number.
fn reply_streams(
    reply: &mut Reply,
    expected: usize,
    write: impl FnOnce(&mut Reply) -> usize,
) -> bool {
    let before = reply.undo_point();
    let mut replied = 0;
    let write = |reply: &mut Reply| {
        replied = write(reply);
        replied
    };
    match reply.protocol {
        Protocol::Resp2 => reply.array_of(expected, write),
        Protocol::Resp3 => reply.map_of(expected, write),
    }
    if replied == 0 {
        reply.undo_to(before);
    }
    replied > 0
}

/// The name of a stream, before its entries.
fn reply_name(reply: &mut Reply, key: &Key<'_>) {
    if reply.protocol == Protocol::Resp2 {
        reply.array(2);
    }
    reply.bulk(key.bytes);
}

/// What XREADGROUP asks for.
#[derive(Debug)]
struct GroupRequest {
    read: Request,
    group: Vec<u8>,
    consumer: Vec<u8>,
    needs_no_acknowledgement: bool,
}

impl GroupRequest {
    fn parse(call: &Call) -> Result<GroupRequest, CommandError> {
        let read = Request::parse(call)?;
        let mut named = None;
        let mut needs_no_acknowledgement = false;
        for (index, word) in options(call.arguments) {
            match word.as_slice() {
                b"GROUP" => named = Some([call.argument(index + 1), call.argument(index + 2)]),
                b"NOACK" => needs_no_acknowledgement = true,
                _ => {}
            }
        }
        let missing = || CommandError::err("Missing GROUP option for XREADGROUP");
        let [group, consumer] = named.ok_or_else(missing)?.map(<[u8]>::to_vec);
        Ok(GroupRequest {
            read,
            group,
            consumer,
            needs_no_acknowledgement,
        })
    }

    /// Replies with entries; `false`, and no reply, if there are none. `comes_now` is false when a waiting client is
    /// served; then the consumer is not seen anew unless it receives something. (Redis 7.2 runs the commands of all
    /// waiting consumers again whenever an entry comes, so it has seen them all then.)
    fn read(
        &self,
        db: &mut Db,
        keys: &[Key<'_>],
        comes_now: bool,
        reply: &mut Reply,
    ) -> Result<bool, CommandError> {
        for (key, asked) in keys.iter().zip(&self.read.asked) {
            self.check(db, key, asked)?;
        }
        let is_served = reply_streams(reply, keys.len(), |reply| {
            let asked = keys.iter().zip(&self.read.asked);
            asked
                .filter(|(key, asked)| self.read_stream(db, key, asked, comes_now, reply))
                .count()
        });
        // What is to be replayed has been said for each stream.
        db.replay_as(|_| {});
        Ok(is_served)
    }

    /// Checks that there is the group, and that what is asked for makes sense.
    fn check(&self, db: &Db, key: &Key<'_>, asked: &Asked) -> CommandResult {
        let stream = stream_of(db, key)?;
        let has_group = stream.is_some_and(|stream| stream.groups.get(&self.group[..]).is_some());
        if !has_group && db.covers(std::slice::from_ref(key)) {
            let text = [
                "NOGROUP No such key '",
                "' or consumer group '",
                "' in XREADGROUP with GROUP option",
            ];
            return Err(no_group(text, [key.bytes, &self.group]));
        }
        match asked {
            Asked::FromNow => Err(CommandError::err(
                "The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer \
                 by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty \
                 result set.",
            )),
            Asked::Invalid(error) => Err(error.clone()),
            Asked::New | Asked::Behind(_) => Ok(()),
        }
    }

    /// Replies with the entries of one stream; `false`, and no reply, if there is nothing new.
    fn read_stream(
        &self,
        db: &mut Db,
        key: &Key<'_>,
        asked: &Asked,
        comes_now: bool,
        reply: &mut Reply,
    ) -> bool {
        let now_ms = db.view.now_ms;
        let is_replayed = db.is_replayed();
        // Both are there, unless this shard is not locked.
        let Ok(Some(stream)) = stream_of(db, key) else {
            return false;
        };
        let Some(group) = stream.groups.get(&self.group[..]) else {
            return false;
        };
        let history = match asked {
            // The largest ID stands for `>`, in Redis too.
            Asked::Behind(id) => id.next(),
            _ => None,
        };
        let is_served = history.is_some() || has_behind(&stream.entries, group.last_id);
        if !is_served && !comes_now {
            return false;
        }
        let Ok(Some(stream)) = db.collection_mut::<Stream>(key) else {
            return false;
        };
        let Some(group) = stream.groups.get_mut(&self.group[..]) else {
            return false;
        };
        let is_new = group.see_consumer(&self.consumer, now_ms);
        let mut delivered = Vec::new();
        match history {
            Some(first) => {
                reply_name(reply, key);
                self.reply_history(reply, &stream.entries, group, first, now_ms);
            }
            None if is_served => {
                reply_name(reply, key);
                self.deliver(reply, stream, now_ms, |id| {
                    if is_replayed {
                        delivered.push(id);
                    }
                });
            }
            None => {}
        }
        let group = stream.groups.get(&self.group[..]);
        let after = group.filter(|_| is_replayed);
        let after = after.map(|group| ConsumerGroup::new(group.last_id, group.entries_read));
        if is_new {
            db.changed_beside(key, "xgroup-createconsumer", 1);
        }
        if is_served {
            db.changed_beside(key, "", 1);
        }
        if let Some(after) = after {
            self.replay(db, key, is_new, &delivered, &after);
        }
        is_served
    }

    /// Replies with the entries that are pending for the consumer.
    fn reply_history(
        &self,
        reply: &mut Reply,
        entries: &Entries,
        group: &mut ConsumerGroup,
        first: StreamId,
        now_ms: i64,
    ) {
        let most = self.read.most.unwrap_or(usize::MAX);
        let consumer = group.consumer(&self.consumer);
        let ids = consumer.map(|consumer| consumer.pending().range(first..));
        let ids = ids.into_iter().flatten().map(|(id, ())| *id);
        let ids: Vec<StreamId> = ids.take(most).collect();
        reply.array(ids.len());
        for id in ids {
            match entries.get(id) {
                Some(entry) => {
                    reply_entry(reply, &entry);
                    group.deliver_again(id, now_ms);
                }
                // It was deleted, and is pending all the same.
                None => {
                    reply.array(2);
                    reply_id(reply, id);
                    reply.null_array();
                }
            }
        }
    }

    /// Replies with new entries, which become pending for the consumer.
    fn deliver(
        &self,
        reply: &mut Reply,
        stream: &mut Stream,
        now_ms: i64,
        mut note: impl FnMut(StreamId),
    ) {
        let most = self.read.most.unwrap_or(usize::MAX);
        let delivery = Delivery {
            consumer: &self.consumer,
            most,
            needs_no_acknowledgement: self.needs_no_acknowledgement,
            now_ms,
        };
        let expected = most.min(stream.entries.len() as usize);
        reply.array_of(expected, |reply| {
            stream.deliver(&self.group, delivery, |entry| {
                reply_entry(reply, entry);
                note(entry.id);
            })
        });
    }

    /// Says what reading one stream is replayed as.
    fn replay(
        &self,
        db: &mut Db,
        key: &Key<'_>,
        is_new: bool,
        delivered: &[StreamId],
        after: &ConsumerGroup,
    ) {
        let place = GroupName {
            key: key.bytes,
            group: &self.group,
        };
        let pending = Pending {
            consumer: self.consumer.as_slice().into(),
            delivered_at_ms: db.view.now_ms,
            deliveries: 1,
        };
        db.replay_as(|replay| {
            if is_new {
                place.consumer(replay, &self.consumer);
            }
            let becomes_pending = !self.needs_no_acknowledgement;
            for id in delivered.iter().filter(|_| becomes_pending) {
                place.pending(replay, *id, &pending, after.last_id);
            }
            if !delivered.is_empty() {
                place.position(replay, after);
            }
        });
    }
}
