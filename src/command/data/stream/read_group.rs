//! XREADGROUP: a consumer of a group reads several streams.
//!
//! A consumer that asks for `>` receives what no consumer of the group has received yet, and may wait for it. One that
//! asks for an ID receives again what is pending for itself after that ID, and never waits.
//!
//! ```text
//! XADD s            queue of s:  ann (group g)   bob (group g)   cid (group h)   a reader by XREAD
//!   │                              │               │               │               │
//!   └─ the entry goes to ─────────▶ok              skipped        ▶ok             ▶ok
//! ```
//!
//! Once one consumer of g finds nothing, the others of g are not asked: see [`Waiter::group`].
//!
//! [`Waiter::group`]: crate::keyspace::waiters::Waiter::group

use super::no_group;
use super::read::{
    Asked, Request, has_after, has_block, options, reply_name, reply_streams, stream_of,
    streams_word, wish,
};
use super::replay::GroupOfKey;
use super::reply::{reply_entry, reply_id};
use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::keyspace::space::Key;
use crate::keyspace::waiters::States;
use crate::resp::reply::Reply;
use crate::state::waiting::Wish;
use crate::types::stream::{ConsumerGroup, Delivery, Entries, Pending, Stream, StreamId};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

#[rustfmt::skip]
pub(in crate::command) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "xreadgroup", arity: -7, handler: ByArguments(handler_of_xreadgroup),
        keys: &[half_after("STREAMS", 4, streams_word, &[RO, ACCESS])],
        flags: flags(&[WRITE, BLOCKING]), group: Group::Stream, since: "5.0.0",
        syntax: "GROUP <group-block: group consumer> [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS <key [key ...] \
            id [id ...]>",
        summary: "Returns new or historical messages from a stream for a consumer in a group. Blocks until a message \
            is available otherwise.",
        complexity: "For each stream mentioned: O(M) with M being the number of elements returned. If M is constant \
            (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1). On the other side \
            when XREADGROUP blocks, XADD will pay the O(N) time in order to serve the N clients blocked on the stream \
            getting new data.", ..BASE },
];

fn handler_of_xreadgroup(arguments: &[&[u8]]) -> Handler {
    match has_block(arguments) {
        true => Handler::Wait(xreadgroup_waiting),
        false => Handler::Write(xreadgroup),
    }
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
    let was_attempted = AtomicBool::new(false);
    let attempt = move |db: &mut Db<'_>, keys: &[Key<'_>], reply: &mut Reply| {
        request.read(db, keys, !was_attempted.swap(true, Relaxed), reply)
    };
    // The client also hears of it, by an error, when the key goes or gets a value of another type.
    Ok(wish(States::ANY, Some(group), until, attempt))
}

/// What XREADGROUP asks for.
#[derive(Debug)]
struct GroupRequest {
    read: Request,
    group: Vec<u8>,
    consumer: Vec<u8>,
    noack: bool,
}

impl GroupRequest {
    fn parse(call: &Call) -> Result<GroupRequest, CommandError> {
        let read = Request::parse(call)?;
        let mut named = None;
        let mut noack = false;
        for (index, word) in options(call.arguments) {
            match word.as_slice() {
                b"GROUP" => named = Some([call.argument(index + 1), call.argument(index + 2)]),
                b"NOACK" => noack = true,
                _ => {}
            }
        }
        let missing = || CommandError::err("Missing GROUP option for XREADGROUP");
        let [group, consumer] = named.ok_or_else(missing)?.map(<[u8]>::to_vec);
        Ok(GroupRequest {
            read,
            group,
            consumer,
            noack,
        })
    }

    /// Replies with entries; `false`, and no reply, if there are none. The consumer counts as seen at the first
    /// attempt, and when it receives something; Redis 7.2 also notes it whenever an entry comes to another consumer,
    /// because it runs the commands of all waiting consumers again then.
    fn read(
        &self,
        db: &mut Db,
        keys: &[Key<'_>],
        is_first_attempt: bool,
        reply: &mut Reply,
    ) -> Result<bool, CommandError> {
        for (key, asked) in keys.iter().zip(&self.read.asked) {
            self.check(db, key, asked)?;
        }
        let is_served = reply_streams(reply, keys.len(), |reply| {
            let asked = keys.iter().zip(&self.read.asked);
            asked
                .filter(|(key, asked)| self.read_stream(db, key, asked, is_first_attempt, reply))
                .count()
        });
        // What is to be replayed has been said for each stream, so the request itself is not. As in Redis, reading
        // one's history is not replayed at all, so a copy counts fewer deliveries.
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
            Asked::New | Asked::After(_) => Ok(()),
        }
    }

    /// Replies with the entries of one stream; `false`, and no reply, if there is nothing new.
    fn read_stream(
        &self,
        db: &mut Db,
        key: &Key<'_>,
        asked: &Asked,
        is_first_attempt: bool,
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
            Asked::After(id) => id.next(),
            _ => None,
        };
        let is_served = history.is_some() || has_after(&stream.entries, group.last_id);
        if !is_served && !is_first_attempt {
            return false;
        }
        let Ok(Some(stream)) = db.collection_mut::<Stream>(key) else {
            return false;
        };
        let Some(group) = stream.groups.get_mut(&self.group[..]) else {
            return false;
        };
        let is_new = group.mark_seen(&self.consumer, now_ms);
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
            db.changed_unwatched(key, "xgroup-createconsumer", 1);
        }
        if is_served {
            db.changed_unwatched(key, "", 1);
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
            noack: self.noack,
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
        let place = GroupOfKey {
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
            if !self.noack {
                for id in delivered {
                    place.pending(replay, *id, &pending, after.last_id);
                }
            }
            if !delivered.is_empty() {
                place.position(replay, after);
            }
        });
    }
}
