//! XREAD: the entries of several streams after certain IDs, and the wait for them. What XREADGROUP has in common with
//! it is here too: how a request is read, and the frame of the reply.

use super::id;
use super::reply::{Direction, reply_range};
use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::command::timeout::timeout_ms;
use crate::keyspace::db::Db;
use crate::keyspace::space::Key;
use crate::keyspace::waiters::States;
use crate::resp::reply::{Protocol, Reply};
use crate::state::waiting::Wish;
use crate::types::stream::{Entries, Stream, StreamId};
use smallvec::SmallVec;
use std::sync::OnceLock;
use std::time::Instant;

#[rustfmt::skip]
pub(in crate::command) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "xread", arity: -4, handler: ByArguments(handler_of_xread),
        keys: &[half_after("STREAMS", 1, streams_word, &[RO, ACCESS])],
        flags: flags(&[READONLY, BLOCKING]), group: Group::Stream, since: "5.0.0",
        syntax: "[COUNT count] [BLOCK milliseconds] STREAMS <key [key ...] id [id ...]>",
        summary: "Returns messages from multiple streams with IDs greater than the ones requested. Blocks until a \
            message is available otherwise.",
        complexity: "", ..BASE },
];

fn handler_of_xread(arguments: &[&[u8]]) -> Handler {
    match has_block(arguments) {
        true => Handler::Wait(xread_waiting),
        false => Handler::Read(xread),
    }
}

/// The options before the streams, each with the index of its word.
pub(super) fn options<'a>(arguments: &'a [&'a [u8]]) -> impl Iterator<Item = (usize, Vec<u8>)> {
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

pub(super) fn has_block(arguments: &[&[u8]]) -> bool {
    options(arguments).any(|(_, word)| word == b"BLOCK")
}

/// The index of the word behind which the streams stand.
pub(super) fn streams_word(arguments: &[&[u8]]) -> Option<usize> {
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

pub(super) fn wish(
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
        goal: None,
        attempt: Box::new(attempt),
        until,
        not_waited: Reply::null_array,
        timed_out: Reply::null_array,
    }
}

/// Where to begin in each stream: after which ID.
type Starts = SmallVec<[StreamId; 4]>;

/// What is asked for of a stream.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    /// `$`: what comes from now on.
    FromNow,
    /// `>`: what no consumer of the group has received.
    New,
    /// What comes after this ID.
    After(StreamId),
    /// No ID. As in Redis, the client is told after keys and groups have been checked.
    Invalid(CommandError),
}

impl Asked {
    fn parse(text: &[u8]) -> Asked {
        match text {
            b"$" => Asked::FromNow,
            b">" => Asked::New,
            _ => match id::parse(text, 0) {
                Ok(id) => Asked::After(id),
                Err(error) => Asked::Invalid(error),
            },
        }
    }
}

/// What XREAD and XREADGROUP have in common.
#[derive(Debug)]
pub(super) struct Request {
    /// The most entries of each stream.
    pub(super) most: Option<usize>,
    /// When the client gives up; `None` for never.
    pub(super) until: Option<Instant>,
    /// For each key, what is asked for.
    pub(super) asked: SmallVec<[Asked; 4]>,
}

impl Request {
    pub(super) fn parse(call: &Call) -> Result<Request, CommandError> {
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
                b"BLOCK" if behind > 0 && call.session.transaction.is_script => {
                    return Err(CommandError::quoting(
                        "",
                        call.argument(0),
                        " command is not allowed with BLOCK option from scripts",
                    ));
                }
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
                Asked::After(id) => Ok(*id),
                Asked::New => Err(CommandError::err(
                    "The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
                )),
                Asked::Invalid(error) => Err(error.clone()),
            }
        };
        keys.iter().zip(&self.asked).map(start).collect()
    }

    /// Replies with the entries after the IDs; `false`, and no reply, if there are none.
    fn read(&self, db: &Db, keys: &[Key<'_>], starts: &[StreamId], reply: &mut Reply) -> bool {
        reply_streams(reply, keys.len(), |reply| {
            let mut replied = 0;
            for (key, start) in keys.iter().zip(starts) {
                // Its type is known to be right.
                let Ok(Some(stream)) = stream_of(db, key) else {
                    continue;
                };
                let Some(first) = start.next().filter(|_| has_after(&stream.entries, *start))
                else {
                    continue;
                };
                reply_name(reply, key);
                let ids = [first, StreamId::MAX];
                reply_range(reply, &stream.entries, ids, self.most, Direction::Forward);
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

/// The stream of a key; also `None` if the key's shard is not locked. A command serves waiting clients under its own
/// locks, and keys of other shards have not changed.
///
/// So a waiting reader of several streams hears that one of them has become another type (WRONGTYPE) only when that
/// stream's own shard is locked, for example because the others lie there too. Redis would say it in any case.
pub(super) fn stream_of<'d>(db: &'d Db, key: &Key<'_>) -> Result<Option<&'d Stream>, CommandError> {
    match db.covers(std::slice::from_ref(key)) {
        true => Ok(db.collection::<Stream>(key)?),
        false => Ok(None),
    }
}

/// Whether there is an entry after this ID.
pub(super) fn has_after(entries: &Entries, id: StreamId) -> bool {
    entries.history().last_id > id && entries.last().is_some_and(|last| last.id > id)
}

/// Replies with streams, by name; `false`, and no reply, if there are none. `write` returns their number.
pub(super) fn reply_streams(
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
pub(super) fn reply_name(reply: &mut Reply, key: &Key<'_>) {
    if reply.protocol == Protocol::Resp2 {
        reply.array(2);
    }
    reply.bulk(key.bytes);
}
