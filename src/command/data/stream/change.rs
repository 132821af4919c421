//! Commands that change the entries of a stream.

use super::id::{self, NewId};
use super::reply::reply_id;
use super::trim::{TrimOptions, Trimming};
use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::types::stream::entries::MOST_BYTES;
use crate::types::stream::{Entries, History, Stream, StreamId};

#[rustfmt::skip]
pub(in crate::command) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "xadd", arity: -5, handler: Write(xadd),
        keys: &[key(1, &[RW, UPDATE])
            .noting("UPDATE instead of INSERT because of the optional trimming feature")],
        flags: flags(&[WRITE, DENYOOM, FAST]), group: Group::Stream, since: "5.0.0",
        syntax: "key [NOMKSTREAM@6.2.0] [trim: <strategy: MAXLEN | MINID@6.2.0> [operator: equal:= | approximately:~] \
            threshold [LIMIT count@6.2.0]] <id-selector: auto-id:* | id> <data: field value> [...]",
        summary: "Appends a new message to a stream. Creates the key if it doesn't exist.",
        complexity: "O(1) when adding a new entry, O(N) when trimming where N being the number of entries evicted.",
        history: &[
            ("6.2.0", "Added the `NOMKSTREAM` option, `MINID` trimming strategy and the `LIMIT` option."),
            ("7.0.0", "Added support for the `<ms>-*` explicit ID form."),
        ],
        tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "xtrim", arity: -4, handler: Write(xtrim), keys: &[key(1, &[RW, DELETE])],
        flags: flags(&[WRITE]), group: Group::Stream, since: "5.0.0",
        syntax: "key <trim: <strategy: MAXLEN | MINID@6.2.0> [operator: equal:= | approximately:~] threshold [LIMIT \
            count@6.2.0]>",
        summary: "Deletes messages from the beginning of a stream.",
        complexity: "O(N), with N being the number of evicted entries. Constant times are very small however, since \
            entries are organized in macro nodes containing multiple entries that can be released with a single \
            deallocation.",
        history: &[("6.2.0", "Added the `MINID` trimming strategy and the `LIMIT` option.")],
        tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "xdel", arity: -3, handler: Write(xdel), keys: &[key(1, &[RW, DELETE])],
        flags: flags(&[WRITE, FAST]), group: Group::Stream, since: "5.0.0",
        syntax: "key id [id ...]", summary: "Returns the number of messages after removing them from a stream.",
        complexity: "O(1) for each single item to delete in the stream, regardless of the stream size.", ..BASE },
    CommandSpec { name: "xsetid", arity: -3, handler: Write(xsetid), keys: &[key(1, &[RW, UPDATE])],
        flags: flags(&[WRITE, DENYOOM, FAST]), group: Group::Stream, since: "5.0.0",
        syntax: "key last-id [ENTRIESADDED entries-added@7.0.0] [MAXDELETEDID max-deleted-id@7.0.0]",
        summary: "An internal command for replicating stream values.",
        history: &[("7.0.0", "Added the `entries_added` and `max_deleted_entry_id` arguments.")], ..BASE },
];

/// ```text
/// > XADD s 1526919030474-55 message "Hello,"
/// "1526919030474-55"
/// > XADD s 1526919030474-* message " World!"
/// "1526919030474-56"
/// > XADD s 1526919030474-56 message again
/// (error) ERR The ID specified in XADD is equal or smaller than the target stream top item
/// > XADD s MAXLEN = 1 1526919030475 message short
/// "1526919030475-0"
/// > XLEN s
/// (integer) 1
/// > XADD nothing NOMKSTREAM * f v
/// (nil)
/// ```
fn xadd(call: &mut Call, db: &mut Db) -> CommandResult {
    let key = call.key();
    let options = AddOptions::parse(call)?;
    let pairs = &call.arguments[options.pairs_at..];
    check_size(pairs)?;
    if !options.creates && db.collection_to_change::<Stream>(&key)?.is_none() {
        call.reply.null();
        return Ok(());
    }
    // A stream that is new takes any ID that `parse` lets pass, so none is left behind empty.
    let is_replayed = db.is_replayed();
    let entries = &mut db.get_or_create::<Stream>(&key)?.entries;
    let id = options.id_for(entries, call.now_ms)?;
    entries.append(id, pairs, call.server.config.stream_limits());
    let trimmed = options.trimming.map(|trimming| trimming.run(entries));
    let replayed_trimming = options
        .trimming
        .filter(|_| is_replayed)
        .map(|trimming| trimming.replay(entries));
    db.changed(&key, "xadd", 1);
    if trimmed.is_some_and(|count| count > 0) {
        // As in Redis, one XADD is one change.
        db.changed(&key, "xtrim", 0);
    }
    reply_id(call.reply, id);
    if options.is_replayed_otherwise() {
        db.replay_as(|replay| {
            let id = id.to_string();
            let mut arguments = vec![&b"XADD"[..], key.bytes];
            let trimming = replayed_trimming.iter().flatten();
            arguments.extend(trimming.map(Vec::as_slice));
            arguments.push(id.as_bytes());
            arguments.extend_from_slice(pairs);
            replay.command(&arguments);
        });
    }
    Ok(())
}

/// Whether the strings of an entry fit into a block.
fn check_size(pairs: &[&[u8]]) -> CommandResult {
    let bytes: u64 = pairs.iter().map(|text| text.len() as u64).sum();
    if bytes > MOST_BYTES {
        return Err(CommandError::err("Elements are too large to be stored"));
    }
    Ok(())
}

/// What stands between the key and the fields of XADD.
struct AddOptions {
    creates: bool,
    trimming: Option<Trimming>,
    id: NewId,
    pairs_at: usize,
}

impl AddOptions {
    fn parse(call: &Call) -> Result<AddOptions, CommandError> {
        let mut creates = true;
        let mut trim = TrimOptions::default();
        let mut index = 2;
        let mut id = None;
        while index < call.arguments.len() && id.is_none() {
            if call.argument(index) == b"*" {
                id = Some(NewId::Auto);
                index += 1;
            } else if let Some(next) = trim.read(call, index)? {
                index = next;
            } else if call.is_word(index, "NOMKSTREAM") {
                creates = false;
                index += 1;
            } else {
                id = Some(NewId::parse(call.argument(index))?);
                index += 1;
            }
        }
        let trimming = trim.finish(call, false)?;
        let pairs = call.arguments.len() - index;
        let wrong_arity = || CommandError::WrongArity("xadd".to_string());
        let id = id.ok_or_else(wrong_arity)?;
        if pairs < 2 || !pairs.is_multiple_of(2) {
            return Err(wrong_arity());
        }
        if id == NewId::Given(StreamId::MIN) {
            let text = "The ID specified in XADD must be greater than 0-0";
            return Err(CommandError::err(text));
        }
        Ok(AddOptions {
            creates,
            trimming,
            id,
            pairs_at: index,
        })
    }

    /// The ID of the new entry.
    fn id_for(&self, entries: &Entries, now_ms: i64) -> Result<StreamId, CommandError> {
        let last = entries.history().last_id;
        let exhausted = || {
            CommandError::err(
                "The stream has exhausted the last possible ID, unable to add more items",
            )
        };
        let next = last.next().ok_or_else(exhausted)?;
        let id = match self.id {
            NewId::Auto => entries.next_id(now_ms),
            NewId::AutoSeq(ms) if ms == last.ms => Some(next).filter(|next| next.ms == ms),
            NewId::AutoSeq(ms) => Some(StreamId::new(ms, 0)),
            NewId::Given(id) => Some(id),
        };
        id.filter(|id| *id > last).ok_or_else(|| {
            CommandError::err(
                "The ID specified in XADD is equal or smaller than the target stream top item",
            )
        })
    }

    /// Whether the command would do something else at another time or with other blocks.
    fn is_replayed_otherwise(&self) -> bool {
        let is_approximate = self
            .trimming
            .is_some_and(|trimming| trimming.is_approximate);
        is_approximate || !matches!(self.id, NewId::Given(_))
    }
}

/// ```text
/// > XADD s 1 f v
/// "1-0"
/// > XADD s 2 f w
/// "2-0"
/// > XTRIM s MAXLEN 1
/// (integer) 1
/// > XTRIM s MINID = 2
/// (integer) 0
/// ```
fn xtrim(call: &mut Call, db: &mut Db) -> CommandResult {
    let key = call.key();
    let mut options = TrimOptions::default();
    let mut index = 2;
    while index < call.arguments.len() {
        index = options.read(call, index)?.ok_or(CommandError::Syntax)?;
    }
    let trimming = options.finish(call, true)?.ok_or(CommandError::Syntax)?;
    let Some(stream) = db.collection_mut::<Stream>(&key)? else {
        call.reply.integer(0);
        return Ok(());
    };
    let removed = trimming.run(&mut stream.entries);
    let replayed = trimming.replay(&stream.entries);
    if removed > 0 {
        db.changed(&key, "xtrim", removed as usize);
        if trimming.is_approximate {
            let [word, sign, threshold] = &replayed;
            let command = [b"XTRIM", key.bytes, word, sign, threshold];
            db.replay_as(|replay| replay.command(&command));
        }
    }
    call.reply.integer(removed as i64);
    Ok(())
}

/// ```text
/// > XADD s 1 f v
/// "1-0"
/// > XDEL s 1 2
/// (integer) 1
/// > XLEN s
/// (integer) 0
/// > EXISTS s
/// (integer) 1
/// ```
fn xdel(call: &mut Call, db: &mut Db) -> CommandResult {
    let key = call.key();
    // As in Redis, a key that is not there is answered before a bad ID.
    let ids = id::parse_all(&call.arguments[2..]);
    let Some(stream) = db.collection_mut::<Stream>(&key)? else {
        call.reply.integer(0);
        return Ok(());
    };
    let (entries, ids) = (&mut stream.entries, ids?);
    let deleted = ids.iter().filter(|id| entries.delete(**id)).count();
    if deleted > 0 {
        db.changed(&key, "xdel", deleted);
    }
    call.reply.count(deleted);
    Ok(())
}

/// ```text
/// > XADD s 5 f v
/// "5-0"
/// > XSETID s 9 ENTRIESADDED 20 MAXDELETEDID 3
/// OK
/// > XSETID s 4
/// (error) ERR The ID specified in XSETID is smaller than the target stream top item
/// ```
fn xsetid(call: &mut Call, db: &mut Db) -> CommandResult {
    let key = call.key();
    let last_id = id::parse(call.argument(2), 0)?;
    let (entries_added, max_deleted_id) = history_options(call, last_id)?;
    let stream = db.collection_to_change::<Stream>(&key)?;
    let entries = &stream.ok_or(CommandError::NoSuchKey)?.entries;
    if last_id < entries.history().max_deleted_id {
        let text = "The ID specified in XSETID is smaller than current max_deleted_entry_id";
        return Err(CommandError::err(text));
    }
    if entries.last().is_some_and(|last| last_id < last.id) {
        let text = "The ID specified in XSETID is smaller than the target stream top item";
        return Err(CommandError::err(text));
    }
    if !entries.is_empty() && entries_added.is_some_and(|added| added < entries.len()) {
        let text = "The entries_added specified in XSETID is smaller than the target stream length";
        return Err(CommandError::err(text));
    }
    let before = *entries.history();
    let history = History {
        last_id,
        entries_added: entries_added.unwrap_or(before.entries_added),
        max_deleted_id: match max_deleted_id {
            StreamId::MIN => before.max_deleted_id,
            id => id,
        },
        ..before
    };
    let entries = &mut db.get_or_create::<Stream>(&key)?.entries;
    entries.set_history(history);
    db.changed_unwatched(&key, "xsetid", 1);
    call.reply.ok();
    Ok(())
}

/// What follows the ID of XSETID: how many entries were added, and the largest ID that was deleted, 0-0 if that is not
/// said.
fn history_options(
    call: &Call,
    last_id: StreamId,
) -> Result<(Option<u64>, StreamId), CommandError> {
    let mut entries_added = None;
    let mut max_deleted_id = StreamId::MIN;
    let mut index = 3;
    while index < call.arguments.len() {
        let has_more = index + 1 < call.arguments.len();
        match call.word(index).as_str() {
            "ENTRIESADDED" if has_more => {
                let added = u64::try_from(call.integer(index + 1)?)
                    .map_err(|_| CommandError::err("entries_added must be positive"))?;
                entries_added = Some(added);
            }
            "MAXDELETEDID" if has_more => {
                max_deleted_id = id::parse(call.argument(index + 1), 0)?;
                if last_id < max_deleted_id {
                    let text = "The ID specified in XSETID is smaller than the provided \
                        max_deleted_entry_id";
                    return Err(CommandError::err(text));
                }
            }
            _ => return Err(CommandError::Syntax),
        }
        index += 2;
    }
    Ok((entries_added, max_deleted_id))
}
