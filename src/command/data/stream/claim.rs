//! Taking pending entries over from other consumers, which may have crashed.

use super::replay::GroupOfKey;
use super::reply::{reply_entry, reply_id};
use super::{id, no_key_or_group};
use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::resp::reply::Reply;
use crate::types::stream::{ConsumerGroup, Entries, Name, Pending, Stream, StreamId};
use crate::util::number;

#[rustfmt::skip]
pub(in crate::command) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "xclaim", arity: -6, handler: Write(xclaim), keys: &[key(1, &[RW, UPDATE])],
        flags: flags(&[WRITE, FAST]), group: Group::Stream, since: "5.0.0",
        syntax: "key group consumer min-idle-time id [id ...] [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT \
            count] [FORCE] [JUSTID] [LASTID lastid]",
        summary: "Changes, or acquires, ownership of a message in a consumer group, as if the message was delivered a \
            consumer group member.",
        complexity: "O(log N) with N being the number of messages in the PEL of the consumer group.",
        tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "xautoclaim", arity: -6, handler: Write(xautoclaim), keys: &[key(1, &[RW, DELETE])],
        flags: flags(&[WRITE, FAST]), group: Group::Stream, since: "6.2.0",
        syntax: "key group consumer min-idle-time start:string [COUNT count] [JUSTID]",
        summary: "Changes, or acquires, ownership of messages in a consumer group, as if the messages were delivered \
            to as consumer group member.",
        complexity: "O(1) if COUNT is small.",
        history: &[
            ("7.0.0", "Added an element to the reply array, containing deleted entries the command cleared from the \
                PEL"),
        ],
        tips: &["nondeterministic_output"], ..BASE },
];

/// ```text
/// > XGROUP CREATE s g 0 MKSTREAM
/// OK
/// > XADD s 1 f v
/// "1-0"
/// > XCLAIM s g ann 0 1 FORCE
/// 1) 1) "1-0"
///    2) 1) "f"
///       2) "v"
/// > XCLAIM s g bob 0 1 JUSTID
/// 1) "1-0"
/// > XCLAIM s g bob 0 1 SOON
/// (error) ERR Unrecognized XCLAIM option 'SOON'
/// ```
fn xclaim(call: &mut Call, db: &mut Db) -> CommandResult {
    // As in Redis, this counts as a look-up for reading.
    db.read(&call.key());
    check_group(call, db)?;
    let min_idle_ms = min_idle_ms(call, "XCLAIM")?;
    let ids: Vec<StreamId> = call.arguments[5..]
        .iter()
        .map_while(|text| id::parse(text, 0).ok())
        .collect();
    let mut options = ClaimOptions::new(min_idle_ms, call.now_ms);
    options.read(call, 5 + ids.len())?;
    claim(call, db, &options, |reply, claim| {
        reply.array_of(ids.len(), |reply| {
            let is_claimed = |id: &&StreamId| claim.take(reply, **id) == Taken::Claimed;
            ids.iter().filter(is_claimed).count()
        });
    })
}

/// The ID to go on with, the entries, and the IDs of those that are deleted, and so are pending no more.
///
/// ```text
/// > XGROUP CREATE s g 0 MKSTREAM
/// OK
/// > XADD s 1 f v
/// "1-0"
/// > XCLAIM s g ann 0 1 FORCE JUSTID
/// 1) "1-0"
/// > XAUTOCLAIM s g bob 0 0 COUNT 10
/// 1) "0-0"
/// 2) 1) 1) "1-0"
///       2) 1) "f"
///          2) "v"
/// 3) (empty array)
/// ```
fn xautoclaim(call: &mut Call, db: &mut Db) -> CommandResult {
    /// Pending entries that are looked at for each one that may be claimed.
    const LOOKED_AT: usize = 10;
    // As in Redis, this counts as a look-up for reading, and comes before the checks.
    db.read(&call.key());
    let min_idle_ms = min_idle_ms(call, "XAUTOCLAIM")?;
    let start = id::range_start(call.argument(5))?;
    let mut options = ClaimOptions::new(min_idle_ms, call.now_ms);
    let mut most = 100;
    let mut index = 6;
    while index < call.arguments.len() {
        if call.is_word(index, "COUNT") && index + 1 < call.arguments.len() {
            let count = number::parse_i64(call.argument(index + 1));
            // Redis' own limit: it allocates 16 bytes for each.
            let count = count.filter(|count| (1..=i64::MAX / 16).contains(count));
            most = count.ok_or_else(|| CommandError::err("COUNT must be > 0"))? as usize;
            index += 1;
        } else if call.is_word(index, "JUSTID") {
            options.just_id = true;
        } else {
            return Err(CommandError::Syntax);
        }
        index += 1;
    }
    check_group(call, db)?;
    claim(call, db, &options, |reply, claim| {
        // The cursor comes first in the reply, but is known last.
        let mut claimed = Reply::new(reply.protocol);
        let mut gone = Vec::new();
        let mut next = claim.pending_from(start);
        claimed.array_of(0, |reply| {
            let mut count = 0;
            let mut attempts = most.saturating_mul(LOOKED_AT);
            while let Some(id) = next.filter(|_| attempts > 0 && count + gone.len() < most) {
                match claim.take(reply, id) {
                    Taken::Claimed => count += 1,
                    Taken::Gone => gone.push(id),
                    Taken::Left => {}
                }
                attempts -= 1;
                next = id.next().and_then(|id| claim.pending_from(id));
            }
            count
        });
        reply.array(3);
        reply_id(reply, next.unwrap_or(StreamId::MIN));
        reply.append(claimed);
        reply.array(gone.len());
        gone.iter().for_each(|id| reply_id(reply, *id));
    })
}

fn min_idle_ms(call: &Call, command: &str) -> Result<i64, CommandError> {
    let ms = number::parse_i64(call.argument(4));
    let invalid = format!("Invalid min-idle-time argument for {command}");
    ms.ok_or_else(|| CommandError::err(invalid))
}

/// Checks that the key has a stream with the group that the command names.
fn check_group(call: &Call, db: &Db) -> CommandResult {
    let (key, name) = (call.key(), call.argument(2));
    let stream = db.collection_to_change::<Stream>(&key)?;
    let group = stream.and_then(|stream| stream.groups.get(name));
    group
        .map(drop)
        .ok_or_else(|| no_key_or_group(key.bytes, name))
}

/// Which entries are claimed, and what becomes of them.
#[derive(Debug)]
struct ClaimOptions {
    /// Entries that were delivered less than so long ago are left with their consumers.
    min_idle_ms: i64,
    /// When they count as delivered.
    delivered_at_ms: i64,
    /// How often they count as delivered; `None`: once more.
    deliveries: Option<u64>,
    /// Entries that are not pending become so.
    force: bool,
    /// The client wants IDs alone, so this is no delivery.
    just_id: bool,
    /// The group moves on to this ID, unless it is further already.
    last_id: StreamId,
}

impl ClaimOptions {
    fn new(min_idle_ms: i64, now_ms: i64) -> ClaimOptions {
        ClaimOptions {
            min_idle_ms,
            delivered_at_ms: now_ms,
            deliveries: None,
            force: false,
            just_id: false,
            last_id: StreamId::MIN,
        }
    }

    /// Reads what follows the IDs of XCLAIM.
    fn read(&mut self, call: &Call, mut index: usize) -> CommandResult {
        let now_ms = call.now_ms;
        while index < call.arguments.len() {
            let has_more = index + 1 < call.arguments.len();
            let word = call.word(index);
            let integer = |index| {
                let invalid = format!("Invalid {word} option argument for XCLAIM");
                let number = number::parse_i64(call.argument(index));
                number.ok_or_else(|| CommandError::err(invalid))
            };
            match word.as_str() {
                "FORCE" => self.force = true,
                "JUSTID" => self.just_id = true,
                "IDLE" if has_more => {
                    self.delivered_at_ms = now_ms.wrapping_sub(integer(index + 1)?);
                }
                "TIME" if has_more => self.delivered_at_ms = integer(index + 1)?,
                "RETRYCOUNT" if has_more => {
                    self.deliveries = u64::try_from(integer(index + 1)?).ok();
                }
                "LASTID" if has_more => self.last_id = id::parse(call.argument(index + 1), 0)?,
                _ => {
                    let option = call.argument(index);
                    return Err(CommandError::quoting(
                        "Unrecognized XCLAIM option '",
                        option,
                        "'",
                    ));
                }
            }
            let takes_none = matches!(word.as_str(), "FORCE" | "JUSTID");
            index += if takes_none { 1 } else { 2 };
        }
        // As in Redis, a time that cannot be is no error: the client's clock may be wrong.
        if !(0..=now_ms).contains(&self.delivered_at_ms) {
            self.delivered_at_ms = now_ms;
        }
        Ok(())
    }
}

/// Entries being claimed for a consumer.
struct Claim<'a> {
    entries: &'a Entries,
    group: &'a mut ConsumerGroup,
    consumer: Name,
    options: &'a ClaimOptions,
    now_ms: i64,
    /// How many pending entries have changed.
    changes: usize,
    /// The changed ones, as far as they are to be replayed.
    replayed: Option<Vec<(StreamId, Pending)>>,
}

/// The outcome for an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    /// It is the consumer's.
    Claimed,
    /// It is deleted, and was pending until now.
    Gone,
    /// It stays as it was.
    Left,
}

impl Claim<'_> {
    /// The first pending entry with this ID or a larger one.
    fn pending_from(&self, id: StreamId) -> Option<StreamId> {
        self.group.pending().range(id..).next().map(|(id, _)| *id)
    }

    /// Claims an entry, if it is old enough, and writes it into the reply.
    fn take(&mut self, reply: &mut Reply, id: StreamId) -> Taken {
        let Some(entry) = self.entries.get(id) else {
            let Some(pending) = self.group.acknowledge(id) else {
                return Taken::Left;
            };
            self.note(id, pending);
            return Taken::Gone;
        };
        let ClaimOptions {
            force, min_idle_ms, ..
        } = *self.options;
        let before = match self.group.pending().get(&id) {
            Some(pending) => {
                let idle_ms = self.now_ms.wrapping_sub(pending.delivered_at_ms);
                if min_idle_ms > 0 && idle_ms < min_idle_ms {
                    return Taken::Left;
                }
                pending.deliveries
            }
            // As in Redis, it counts as delivered before.
            None if force => 1,
            None => return Taken::Left,
        };
        let once_more = u64::from(!self.options.just_id);
        let pending = Pending {
            consumer: self.consumer.clone(),
            delivered_at_ms: self.options.delivered_at_ms,
            deliveries: match self.options.deliveries {
                Some(deliveries) => deliveries,
                None => before.wrapping_add(once_more),
            },
        };
        self.group.assign(id, pending.clone());
        self.note(id, pending);
        match self.options.just_id {
            true => reply_id(reply, id),
            false => reply_entry(reply, &entry),
        }
        if let Some(consumer) = self.group.consumer_mut(&self.consumer) {
            consumer.active_at_ms = self.now_ms;
        }
        Taken::Claimed
    }

    fn note(&mut self, id: StreamId, pending: Pending) {
        self.changes += 1;
        if let Some(replayed) = &mut self.replayed {
            replayed.push((id, pending));
        }
    }
}

/// Claims entries for the consumer that the command names, as `take_all` does it.
fn claim(
    call: &mut Call,
    db: &mut Db,
    options: &ClaimOptions,
    take_all: impl FnOnce(&mut Reply, &mut Claim),
) -> CommandResult {
    let key = call.key();
    let [name, consumer] = [2, 3].map(|index| call.argument(index));
    let is_replayed = db.is_replayed();
    let Stream { entries, groups } = db.get_or_create::<Stream>(&key)?;
    let group = groups
        .get_mut(name)
        .ok_or_else(|| no_key_or_group(key.bytes, name))?;
    let moves_on = group.last_id < options.last_id;
    group.last_id = group.last_id.max(options.last_id);
    let is_new = group.mark_seen(consumer, call.now_ms);
    let name_of_consumer = group
        .consumer(consumer)
        .map(|consumer| consumer.name.clone());
    let mut claim = Claim {
        entries,
        group,
        consumer: name_of_consumer.unwrap_or_else(|| consumer.into()),
        options,
        now_ms: call.now_ms,
        changes: 0,
        replayed: is_replayed.then(Vec::new),
    };
    take_all(call.reply, &mut claim);
    let Claim {
        changes, replayed, ..
    } = claim;
    let after = is_replayed.then(|| ConsumerGroup::new(group.last_id, group.entries_read));
    if is_new {
        db.changed_unwatched(&key, "xgroup-createconsumer", 1);
    }
    if changes > 0 || moves_on {
        db.changed_unwatched(&key, "", changes.max(1));
    }
    db.replay_as(|replay| {
        let place = GroupOfKey {
            key: key.bytes,
            group: name,
        };
        if is_new {
            place.consumer(replay, consumer);
        }
        let Some(after) = after else { return };
        for (id, pending) in replayed.iter().flatten() {
            place.pending(replay, *id, pending, after.last_id);
        }
        if moves_on && changes == 0 {
            place.position(replay, &after);
        }
    });
    Ok(())
}
