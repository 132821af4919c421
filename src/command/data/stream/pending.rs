//! Acknowledging entries, and looking at those that are pending.

use super::reply::reply_id;
use super::{id, no_key_or_group};
use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::resp::reply::Reply;
use crate::types::stream::{ConsumerGroup, Pending, Stream, StreamId};

#[rustfmt::skip]
pub(in crate::command) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "xack", arity: -4, handler: Write(xack), keys: &[key(1, &[RW, UPDATE])],
        flags: flags(&[WRITE, FAST]), group: Group::Stream, since: "5.0.0",
        syntax: "key group id [id ...]",
        summary: "Returns the number of messages that were successfully acknowledged by the consumer group member of a \
            stream.",
        complexity: "O(1) for each message ID processed.", ..BASE },
    CommandSpec { name: "xpending", arity: -3, handler: Read(xpending), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::Stream, since: "5.0.0",
        syntax: "key group [filters: [IDLE min-idle-time:integer@6.2.0] start:string end:string count [consumer]]",
        summary: "Returns the information and entries from a stream consumer group's pending entries list.",
        complexity: "O(N) with N being the number of elements returned, so asking for a small fixed number of entries \
            per call is O(1). O(M), where M is the total number of entries scanned when used with the IDLE filter. \
            When the command returns just the summary and the list of consumers is small, it runs in O(1) time; \
            otherwise, an additional O(N) time for iterating every consumer.",
        history: &[("6.2.0", "Added the `IDLE` option and exclusive range intervals.")],
        tips: &["nondeterministic_output"], ..BASE },
];

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
/// > XACK s g 1 2
/// (integer) 1
/// ```
fn xack(call: &mut Call, db: &mut Db) -> CommandResult {
    let key = call.key();
    let name = call.argument(2);
    let stream = db.collection::<Stream>(&key)?;
    if stream.is_none_or(|stream| stream.groups.get(name).is_none()) {
        call.reply.integer(0);
        return Ok(());
    }
    let ids = id::parse_all(&call.arguments[3..])?.into_iter();
    let groups = &mut db.get_or_create::<Stream>(&key)?.groups;
    let acknowledged = groups.get_mut(name).map_or(0, |group| {
        ids.filter_map(|id| group.acknowledge(id)).count()
    });
    if acknowledged > 0 {
        db.changed_unwatched(&key, "", acknowledged);
    }
    call.reply.count(acknowledged);
    Ok(())
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
/// > XPENDING s g
/// 1) (integer) 1
/// 2) "1-0"
/// 3) "1-0"
/// 4) 1) 1) "ann"
///       2) "1"
/// > XPENDING s g IDLE 100000 - + 10
/// (empty array)
/// ```
fn xpending(call: &mut Call, db: &Db) -> CommandResult {
    let query = Query::parse(call)?;
    let (key, name) = (call.key(), call.argument(2));
    let stream = db.collection::<Stream>(&key)?;
    let group = stream
        .and_then(|stream| stream.groups.get(name))
        .ok_or_else(|| no_key_or_group(key.bytes, name))?;
    match query {
        None => reply_summary(call.reply, group),
        Some(query) => query.reply(call.reply, group, call.now_ms),
    }
    Ok(())
}

/// How many entries are pending, the first and the last, and how many each consumer has.
fn reply_summary(reply: &mut Reply, group: &ConsumerGroup) {
    let pending = group.pending();
    reply.array(4);
    reply.count(pending.len());
    let (Some((first, _)), Some((last, _))) = (pending.first(), pending.last()) else {
        reply.null();
        reply.null();
        return reply.null_array();
    };
    reply_id(reply, *first);
    reply_id(reply, *last);
    let consumers = group.consumers();
    reply.array_of(consumers.len(), |reply| {
        let busy = consumers.iter();
        let busy = busy.filter(|(_, consumer)| !consumer.pending().is_empty());
        busy.map(|(name, consumer)| {
            reply.array(2);
            reply.bulk(name);
            reply.bulk_integer(consumer.pending().len() as i64);
        })
        .count()
    });
}

/// Which pending entries are to be listed.
struct Query<'a> {
    min_idle_ms: i64,
    first: StreamId,
    last: StreamId,
    most: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Query<'a> {
    /// `None` if the summary is asked for.
    fn parse(call: &Call<'a>) -> Result<Option<Query<'a>>, CommandError> {
        let (len, mut index, mut min_idle_ms) = (call.arguments.len(), 3, 0);
        match len {
            3 => return Ok(None),
            6..=9 => {}
            _ => return Err(CommandError::Syntax),
        }
        if call.is_word(index, "IDLE") {
            min_idle_ms = call.integer(index + 1)?;
            if len < 8 {
                return Err(CommandError::Syntax);
            }
            index += 2;
        }
        Ok(Some(Query {
            most: call.integer(index + 2)?.max(0) as usize,
            min_idle_ms,
            first: id::range_start(call.argument(index))?,
            last: id::range_end(call.argument(index + 1))?,
            consumer: call.arguments.get(index + 3).copied(),
        }))
    }

    fn reply(&self, reply: &mut Reply, group: &ConsumerGroup, now_ms: i64) {
        let ids = self.first..=self.last;
        let Some(name) = self.consumer else {
            let pending = group.pending().range(ids);
            let pending = pending.map(|(id, pending)| (*id, pending));
            return self.reply_with(reply, pending, now_ms);
        };
        let Some(consumer) = group.consumer(name) else {
            return reply.array(0);
        };
        let ids = consumer.pending().range(ids);
        let pending = ids.filter_map(|(id, ())| Some((*id, group.pending().get(id)?)));
        self.reply_with(reply, pending, now_ms);
    }

    fn reply_with<'p>(
        &self,
        reply: &mut Reply,
        pending: impl Iterator<Item = (StreamId, &'p Pending)>,
        now_ms: i64,
    ) {
        let idle_ms = |pending: &Pending| now_ms.wrapping_sub(pending.delivered_at_ms);
        let is_idle =
            |pending: &Pending| self.min_idle_ms == 0 || idle_ms(pending) >= self.min_idle_ms;
        let pending = pending.filter(|(_, pending)| is_idle(pending));
        reply.array_of(0, |reply| {
            let replied = pending.take(self.most).map(|(id, pending)| {
                reply.array(4);
                reply_id(reply, id);
                reply.bulk(&pending.consumer);
                reply.integer(idle_ms(pending).max(0));
                reply.integer(pending.deliveries as i64);
            });
            replied.count()
        });
    }
}
