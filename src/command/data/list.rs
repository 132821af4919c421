//! Lists: <https://redis.io/commands/?group=list>.

use crate::command::call::{Call, clamp_range};
use crate::command::data::pieces;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::keyspace::space::Key;
use crate::resp::reply::Reply;
use crate::types::list::{BlockLimit, End, List};

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "lpush", arity: -3, handler: Write(lpush), keys: &[key(1, &[RW, INSERT])],
        flags: flags(&[WRITE, DENYOOM, FAST]), group: Group::List, since: "1.0.0",
        syntax: "key element [element ...]",
        summary: "Prepends one or more elements to a list. Creates the key if it doesn't exist.",
        complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple \
            arguments.",
        history: &[("2.4.0", "Accepts multiple `element` arguments.")], ..BASE },
    CommandSpec { name: "rpush", arity: -3, handler: Write(rpush), keys: &[key(1, &[RW, INSERT])],
        flags: flags(&[WRITE, DENYOOM, FAST]), group: Group::List, since: "1.0.0",
        syntax: "key element [element ...]",
        summary: "Appends one or more elements to a list. Creates the key if it doesn't exist.",
        complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple \
            arguments.",
        history: &[("2.4.0", "Accepts multiple `element` arguments.")], ..BASE },
    CommandSpec { name: "lpushx", arity: -3, handler: Write(lpushx), keys: &[key(1, &[RW, INSERT])],
        flags: flags(&[WRITE, DENYOOM, FAST]), group: Group::List, since: "2.2.0",
        syntax: "key element [element ...]",
        summary: "Prepends one or more elements to a list only when the list exists.",
        complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple \
            arguments.",
        history: &[("4.0.0", "Accepts multiple `element` arguments.")], ..BASE },
    CommandSpec { name: "rpushx", arity: -3, handler: Write(rpushx), keys: &[key(1, &[RW, INSERT])],
        flags: flags(&[WRITE, DENYOOM, FAST]), group: Group::List, since: "2.2.0",
        syntax: "key element [element ...]", summary: "Appends an element to a list only when the list exists.",
        complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple \
            arguments.",
        history: &[("4.0.0", "Accepts multiple `element` arguments.")], ..BASE },
    CommandSpec { name: "lpop", arity: -2, handler: Write(lpop), keys: &[key(1, &[RW, ACCESS, DELETE])],
        flags: flags(&[WRITE, FAST]), group: Group::List, since: "1.0.0",
        syntax: "key [count@6.2.0]",
        summary: "Returns the first elements in a list after removing it. Deletes the list if the last element was \
            popped.",
        complexity: "O(N) where N is the number of elements returned",
        history: &[("6.2.0", "Added the `count` argument.")], ..BASE },
    CommandSpec { name: "rpop", arity: -2, handler: Write(rpop), keys: &[key(1, &[RW, ACCESS, DELETE])],
        flags: flags(&[WRITE, FAST]), group: Group::List, since: "1.0.0",
        syntax: "key [count@6.2.0]",
        summary: "Returns and removes the last elements of a list. Deletes the list if the last element was popped.",
        complexity: "O(N) where N is the number of elements returned",
        history: &[("6.2.0", "Added the `count` argument.")], ..BASE },
    CommandSpec { name: "llen", arity: 2, handler: Read(llen), keys: &[key(1, &[RO])],
        flags: flags(&[READONLY, FAST]), group: Group::List, since: "1.0.0",
        syntax: "key", summary: "Returns the length of a list.", ..BASE },
    CommandSpec { name: "lrange", arity: 4, handler: Read(lrange), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::List, since: "1.0.0",
        syntax: "key start stop", summary: "Returns a range of elements from a list.",
        complexity: "O(S+N) where S is the distance of start offset from HEAD for small lists, from nearest end (HEAD \
            or TAIL) for large lists; and N is the number of elements in the specified range.", ..BASE },
    CommandSpec { name: "lindex", arity: 3, handler: Read(lindex), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::List, since: "1.0.0",
        syntax: "key index", summary: "Returns an element from a list by its index.",
        complexity: "O(N) where N is the number of elements to traverse to get to the element at index. This makes \
            asking for the first or the last element of the list O(1).", ..BASE },
    CommandSpec { name: "lset", arity: 4, handler: Write(lset), keys: &[key(1, &[RW, UPDATE])],
        flags: flags(&[WRITE, DENYOOM]), group: Group::List, since: "1.0.0",
        syntax: "key index element", summary: "Sets the value of an element in a list by its index.",
        complexity: "O(N) where N is the length of the list. Setting either the first or the last element of the list \
            is O(1).", ..BASE },
    CommandSpec { name: "lrem", arity: 4, handler: Write(lrem), keys: &[key(1, &[RW, DELETE])],
        flags: flags(&[WRITE]), group: Group::List, since: "1.0.0",
        syntax: "key count element",
        summary: "Removes elements from a list. Deletes the list if the last element was removed.",
        complexity: "O(N+M) where N is the length of the list and M is the number of elements removed.", ..BASE },
    CommandSpec { name: "linsert", arity: 5, handler: Write(linsert), keys: &[key(1, &[RW, INSERT])],
        flags: flags(&[WRITE, DENYOOM]), group: Group::List, since: "2.2.0",
        syntax: "key <where: BEFORE | AFTER> pivot element",
        summary: "Inserts an element before or after another element in a list.",
        complexity: "O(N) where N is the number of elements to traverse before seeing the value pivot. This means that \
            inserting somewhere on the left end on the list (head) can be considered O(1) and inserting somewhere on \
            the right end (tail) is O(N).", ..BASE },
    CommandSpec { name: "ltrim", arity: 4, handler: Write(ltrim), keys: &[key(1, &[RW, DELETE])],
        flags: flags(&[WRITE]), group: Group::List, since: "1.0.0",
        syntax: "key start stop",
        summary: "Removes elements from both ends a list. Deletes the list if all elements were trimmed.",
        complexity: "O(N) where N is the number of elements to be removed by the operation.", ..BASE },
    CommandSpec { name: "lpos", arity: -3, handler: Read(lpos), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::List, since: "6.0.6",
        syntax: "key element [RANK rank] [COUNT num-matches] [MAXLEN len]",
        summary: "Returns the index of matching elements in a list.",
        complexity: "O(N) where N is the number of elements in the list, for the average case. When searching for \
            elements near the head or the tail of the list, or when the MAXLEN option is provided, the command may run \
            in constant time.", ..BASE },
    CommandSpec { name: "lmove", arity: 5, handler: Write(lmove),
        keys: &[key(1, &[RW, ACCESS, DELETE]), key(2, &[RW, INSERT])],
        flags: flags(&[WRITE, DENYOOM]), group: Group::List, since: "6.2.0",
        syntax: "source destination <wherefrom: LEFT | RIGHT> <whereto: LEFT | RIGHT>",
        summary: "Returns an element after popping it from one list and pushing it to another. Deletes the list if the \
            last element was moved.", ..BASE },
    CommandSpec { name: "rpoplpush", arity: 3, handler: Write(rpoplpush),
        keys: &[key(1, &[RW, ACCESS, DELETE]), key(2, &[RW, INSERT])],
        flags: flags(&[WRITE, DENYOOM]), group: Group::List, since: "1.2.0",
        syntax: "source destination",
        summary: "Returns the last element of a list after removing and pushing it to another list. Deletes the list \
            if the last element was popped.",
        deprecated: Some(("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments")), ..BASE },
    CommandSpec { name: "lmpop", arity: -4, handler: Write(lmpop), keys: &[counted_keys(1, &[RW, ACCESS, DELETE])],
        flags: flags(&[WRITE]), group: Group::List, since: "7.0.0",
        syntax: "numkeys key [key ...] <where: LEFT | RIGHT> [COUNT count]",
        summary: "Returns multiple elements from a list after removing them. Deletes the list if the last element was \
            popped.",
        complexity: "O(N+M) where N is the number of provided keys and M is the number of elements returned.", ..BASE },
];

/// ```text
/// > LPUSH k a b
/// (integer) 2
/// > LRANGE k 0 -1
/// 1) "b"
/// 2) "a"
/// ```
fn lpush(call: &mut Call, db: &mut Db) -> CommandResult {
    push(call, db, End::Left, "lpush")
}

/// ```text
/// > RPUSH k a b
/// (integer) 2
/// > LRANGE k 0 -1
/// 1) "a"
/// 2) "b"
/// ```
fn rpush(call: &mut Call, db: &mut Db) -> CommandResult {
    push(call, db, End::Right, "rpush")
}

fn push(call: &mut Call, db: &mut Db, end: End, event: &'static str) -> CommandResult {
    let key = call.key();
    let elements = &call.arguments[2..];
    let limit = call.server.config.list_block_limit();
    let list = db.get_or_create::<List>(&key)?;
    elements
        .iter()
        .for_each(|element| list.push(end, element, limit));
    let len = list.len();
    db.changed(&key, event, elements.len());
    call.reply.count(len);
    Ok(())
}

/// ```text
/// > LPUSHX k a
/// (integer) 0
/// > EXISTS k
/// (integer) 0
/// ```
fn lpushx(call: &mut Call, db: &mut Db) -> CommandResult {
    push_if_present(call, db, End::Left, "lpush")
}

/// ```text
/// > RPUSH k a
/// (integer) 1
/// > RPUSHX k b c
/// (integer) 3
/// ```
fn rpushx(call: &mut Call, db: &mut Db) -> CommandResult {
    push_if_present(call, db, End::Right, "rpush")
}

fn push_if_present(call: &mut Call, db: &mut Db, end: End, event: &'static str) -> CommandResult {
    if db.collection_to_change::<List>(&call.key())?.is_some() {
        return push(call, db, end, event);
    }
    call.reply.integer(0);
    Ok(())
}

/// ```text
/// > RPUSH k a b c
/// (integer) 3
/// > LPOP k
/// "a"
/// > LPOP k 5
/// 1) "b"
/// 2) "c"
/// > LPOP k
/// (nil)
/// ```
fn lpop(call: &mut Call, db: &mut Db) -> CommandResult {
    pop(call, db, End::Left)
}

/// ```text
/// > RPUSH k a b c
/// (integer) 3
/// > RPOP k 2
/// 1) "c"
/// 2) "b"
/// ```
fn rpop(call: &mut Call, db: &mut Db) -> CommandResult {
    pop(call, db, End::Right)
}

fn pop(call: &mut Call, db: &mut Db, end: End) -> CommandResult {
    let count = match call.arguments.len() {
        2 => None,
        3 => Some(call.count(2)?),
        _ => return Err(CommandError::WrongArity(call.spec.name.to_string())),
    };
    let limit = call.server.config.list_block_limit();
    let is_there = pop_to_reply(call.reply, db, &call.keys[0], end, count, limit)?;
    match (is_there, count) {
        (true, _) => {}
        (false, Some(_)) => call.reply.null_array(),
        (false, None) => call.reply.null(),
    }
    Ok(())
}

/// Moves elements from an end of a key's list to the reply, as an array if there is a count, and notes the change.
/// `false`, without a reply, if there is no key.
pub(super) fn pop_to_reply(
    reply: &mut Reply,
    db: &mut Db,
    key: &Key,
    end: End,
    count: Option<usize>,
    limit: BlockLimit,
) -> Result<bool, CommandError> {
    let Some(list) = db.collection_mut::<List>(key)? else {
        return Ok(false);
    };
    let popped = count.unwrap_or(1).min(list.len());
    if count.is_some() {
        reply.array(popped);
    }
    for _ in 0..popped {
        if let Some(element) = list.end(end) {
            reply.bulk(element);
            list.pop(end, limit);
        }
    }
    let is_empty = list.is_empty();
    if popped > 0 {
        db.changed(key, pop_event(end), 1);
    }
    if is_empty {
        remove_empty(db, key);
    }
    Ok(true)
}

fn pop_event(end: End) -> &'static str {
    match end {
        End::Left => "lpop",
        End::Right => "rpop",
    }
}

fn remove_empty(db: &mut Db, key: &Key) {
    db.remove(key);
    db.changed(key, "del", 0);
}

fn remove_if_empty(db: &mut Db, key: &Key) -> CommandResult {
    if db
        .collection_to_change::<List>(key)?
        .is_some_and(List::is_empty)
    {
        remove_empty(db, key);
    }
    Ok(())
}

/// ```text
/// > RPUSH k a b
/// (integer) 2
/// > LLEN k
/// (integer) 2
/// ```
fn llen(call: &mut Call, db: &Db) -> CommandResult {
    let len = db.collection::<List>(&call.key())?.map_or(0, List::len);
    call.reply.count(len);
    Ok(())
}

/// ```text
/// > RPUSH k a b c
/// (integer) 3
/// > LRANGE k -2 100
/// 1) "b"
/// 2) "c"
/// > LRANGE k 5 10
/// (empty array)
/// ```
fn lrange(call: &mut Call, db: &Db) -> CommandResult {
    let (start, stop) = (call.integer(2)?, call.integer(3)?);
    let Some(list) = db.collection::<List>(&call.key())? else {
        call.reply.array(0);
        return Ok(());
    };
    let range = clamp_range(start, stop, list.len());
    call.reply.array(range.len());
    pieces::reply_with(
        call.reply,
        list,
        range.len(),
        range,
        |reply, list, range| {
            let elements = list.range(range.start, range.len());
            elements.for_each(|element| reply.bulk(element));
        },
    );
    Ok(())
}

/// ```text
/// > RPUSH k a b
/// (integer) 2
/// > LINDEX k -1
/// "b"
/// > LINDEX k 2
/// (nil)
/// ```
fn lindex(call: &mut Call, db: &Db) -> CommandResult {
    let Some(list) = db.collection::<List>(&call.key())? else {
        call.reply.null();
        return Ok(());
    };
    let element = position(call.integer(2)?, list.len()).and_then(|index| list.get(index));
    call.reply.bulk_or_null(element);
    Ok(())
}

/// The position that an index means, negative ones counting from the tail; `None` outside of the list.
fn position(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 {
        index.checked_add(len as i64)?
    } else {
        index
    };
    usize::try_from(index).ok().filter(|index| *index < len)
}

/// ```text
/// > RPUSH k a b
/// (integer) 2
/// > LSET k 0 x
/// OK
/// > LSET k 2 x
/// (error) ERR index out of range
/// > LSET nothing 0 x
/// (error) ERR no such key
/// ```
fn lset(call: &mut Call, db: &mut Db) -> CommandResult {
    let key = call.key();
    let limit = call.server.config.list_block_limit();
    let list = db
        .collection_mut::<List>(&key)?
        .ok_or(CommandError::NoSuchKey)?;
    let index = position(call.integer(2)?, list.len()).ok_or(CommandError::IndexOutOfRange)?;
    list.set(index, call.argument(3), limit);
    db.changed(&key, "lset", 1);
    call.reply.ok();
    Ok(())
}

/// ```text
/// > RPUSH k a b a c a
/// (integer) 5
/// > LREM k -2 a
/// (integer) 2
/// > LRANGE k 0 -1
/// 1) "a"
/// 2) "b"
/// 3) "c"
/// ```
fn lrem(call: &mut Call, db: &mut Db) -> CommandResult {
    let count = call.integer(2)?;
    let end = if count < 0 { End::Right } else { End::Left };
    let most = if count == 0 {
        usize::MAX
    } else {
        count.unsigned_abs() as usize
    };
    let key = call.key();
    let limit = call.server.config.list_block_limit();
    let removed = match db.collection_mut::<List>(&key)? {
        Some(list) => list.remove_equal(call.argument(3), end, most, limit),
        None => 0,
    };
    if removed > 0 {
        db.changed(&key, "lrem", removed);
        remove_if_empty(db, &key)?;
    }
    call.reply.count(removed);
    Ok(())
}

/// ```text
/// > RPUSH k Hello World
/// (integer) 2
/// > LINSERT k BEFORE World There
/// (integer) 3
/// > LINSERT k AFTER nobody x
/// (integer) -1
/// ```
fn linsert(call: &mut Call, db: &mut Db) -> CommandResult {
    let offset = match call.word(2).as_str() {
        "BEFORE" => 0,
        "AFTER" => 1,
        _ => return Err(CommandError::Syntax),
    };
    let key = call.key();
    let pivot = call.argument(3);
    let limit = call.server.config.list_block_limit();
    let Some(list) = db.collection_mut::<List>(&key)? else {
        call.reply.integer(0);
        return Ok(());
    };
    let Some(index) = list.iter().position(|element| element == pivot) else {
        call.reply.integer(-1);
        return Ok(());
    };
    list.insert(index + offset, call.argument(4), limit);
    let len = list.len();
    db.changed(&key, "linsert", 1);
    call.reply.count(len);
    Ok(())
}

/// ```text
/// > RPUSH k a b c d
/// (integer) 4
/// > LTRIM k 1 -2
/// OK
/// > LRANGE k 0 -1
/// 1) "b"
/// 2) "c"
/// ```
fn ltrim(call: &mut Call, db: &mut Db) -> CommandResult {
    let (start, stop) = (call.integer(2)?, call.integer(3)?);
    let key = call.key();
    let limit = call.server.config.list_block_limit();
    if let Some(list) = db.collection_mut::<List>(&key)? {
        let len = list.len();
        let kept = clamp_range(start, stop, len);
        list.keep(kept.start, kept.end, limit);
        db.changed(&key, "ltrim", len - kept.len());
        remove_if_empty(db, &key)?;
    }
    call.reply.ok();
    Ok(())
}

/// ```text
/// > RPUSH k a b c 1 2 3 c c
/// (integer) 8
/// > LPOS k c
/// (integer) 2
/// > LPOS k c RANK -1 COUNT 2
/// 1) (integer) 7
/// 2) (integer) 6
/// > LPOS k nothing
/// (nil)
/// ```
fn lpos(call: &mut Call, db: &Db) -> CommandResult {
    let options = lpos_options(call)?;
    let empty = List::default();
    let list = match db.collection::<List>(&call.key())? {
        Some(list) => list,
        None => &empty,
    };
    let len = list.len();
    let is_match = |element: &[u8]| element == call.arguments[2];
    let most = options.count.unwrap_or(1);
    let found: Vec<usize> = if options.from_tail {
        let places = list.iter().rev().take(options.max_len).enumerate();
        let matches = places
            .filter(|(_, element)| is_match(element))
            .map(|(place, _)| len - 1 - place);
        matches.skip(options.skipped).take(most).collect()
    } else {
        let places = list.iter().take(options.max_len).enumerate();
        let matches = places
            .filter(|(_, element)| is_match(element))
            .map(|(place, _)| place);
        matches.skip(options.skipped).take(most).collect()
    };
    if options.count.is_some() {
        call.reply.array(found.len());
        found.into_iter().for_each(|place| call.reply.count(place));
    } else {
        match found.first() {
            Some(place) => call.reply.count(*place),
            None => call.reply.null(),
        }
    }
    Ok(())
}

/// The options of LPOS.
struct LposOptions {
    from_tail: bool,
    /// Matches to pass over.
    skipped: usize,
    count: Option<usize>,
    /// Elements to compare.
    max_len: usize,
}

fn lpos_options(call: &Call) -> Result<LposOptions, CommandError> {
    let mut options = LposOptions {
        from_tail: false,
        skipped: 0,
        count: None,
        max_len: usize::MAX,
    };
    let or_all = |number: usize| if number == 0 { usize::MAX } else { number };
    let mut index = 3;
    while index < call.arguments.len() {
        let word = call.word(index);
        if index + 1 == call.arguments.len()
            || !matches!(word.as_str(), "RANK" | "COUNT" | "MAXLEN")
        {
            return Err(CommandError::Syntax);
        }
        let not_negative = |name| {
            let number = call.integer(index + 1).ok();
            let number = number.and_then(|number| usize::try_from(number).ok());
            let error = || CommandError::err(format_args!("{name} can't be negative"));
            number.map(or_all).ok_or_else(error)
        };
        match word.as_str() {
            "RANK" => {
                let rank = call.integer_in(index + 1, -i64::MAX..=i64::MAX)?;
                if rank == 0 {
                    return Err(CommandError::err(
                        "RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use \
                         negative to start from the end of the list",
                    ));
                }
                options.from_tail = rank < 0;
                options.skipped = rank.unsigned_abs() as usize - 1;
            }
            "COUNT" => options.count = Some(not_negative("COUNT")?),
            _ => options.max_len = not_negative("MAXLEN")?,
        }
        index += 2;
    }
    Ok(options)
}

/// ```text
/// > RPUSH a 1 2 3
/// (integer) 3
/// > LMOVE a b RIGHT LEFT
/// "3"
/// > LMOVE nothing b LEFT LEFT
/// (nil)
/// ```
fn lmove(call: &mut Call, db: &mut Db) -> CommandResult {
    let (from, to) = (end(call, 3)?, end(call, 4)?);
    move_between_keys(call, db, from, to)
}

/// ```text
/// > RPUSH a 1 2 3
/// (integer) 3
/// > RPOPLPUSH a b
/// "3"
/// ```
fn rpoplpush(call: &mut Call, db: &mut Db) -> CommandResult {
    move_between_keys(call, db, End::Right, End::Left)
}

pub(super) fn end(call: &Call, index: usize) -> Result<End, CommandError> {
    match call.word(index).as_str() {
        "LEFT" => Ok(End::Left),
        "RIGHT" => Ok(End::Right),
        _ => Err(CommandError::Syntax),
    }
}

/// The word for an end.
pub(super) fn word(end: End) -> &'static [u8] {
    match end {
        End::Left => b"LEFT",
        End::Right => b"RIGHT",
    }
}

/// The command that pops at an end.
pub(super) fn pop_command(end: End) -> &'static [u8] {
    match end {
        End::Left => b"LPOP",
        End::Right => b"RPOP",
    }
}

fn move_between_keys(call: &mut Call, db: &mut Db, from: End, to: End) -> CommandResult {
    let limit = call.server.config.list_block_limit();
    if !move_element(
        call.reply,
        db,
        call.keys[0],
        call.keys[1],
        (from, to),
        limit,
    )? {
        call.reply.null();
    }
    Ok(())
}

/// Moves an element from one end to another of two lists or one, replies with it and notes the change. `false`, without
/// a reply, if there is none.
pub(super) fn move_element(
    reply: &mut Reply,
    db: &mut Db,
    source: Key,
    destination: Key,
    (from, to): (End, End),
    limit: BlockLimit,
) -> Result<bool, CommandError> {
    let Some(element) = db
        .collection_to_change::<List>(&source)?
        .and_then(|list| list.end(from))
    else {
        return Ok(false);
    };
    let element = element.to_vec();
    // The destination is checked before anything changes; a source that is there has the right type by now.
    let is_one_list = source.bytes == destination.bytes;
    let pushed_to = db.get_or_create::<List>(&destination)?;
    if is_one_list {
        pushed_to.rotate(from, to, limit);
    } else {
        pushed_to.push(to, &element, limit);
        if let Some(list) = db.collection_mut::<List>(&source)? {
            list.pop(from, limit);
        }
    }
    db.changed(
        &destination,
        if to == End::Left { "lpush" } else { "rpush" },
        1,
    );
    db.changed(&source, pop_event(from), 0);
    remove_if_empty(db, &source)?;
    reply.bulk(&element);
    Ok(true)
}

/// ```text
/// > RPUSH b 1 2 3
/// (integer) 3
/// > LMPOP 2 a b LEFT COUNT 2
/// 1) "b"
/// 2) 1) "1"
///    2) "2"
/// > LMPOP 1 a LEFT
/// (nil)
/// ```
fn lmpop(call: &mut Call, db: &mut Db) -> CommandResult {
    let (end, count) = call.pop_options(1, end)?;
    let limit = call.server.config.list_block_limit();
    for key in call.keys {
        if pop_with_key(call.reply, db, key, end, count, limit)? {
            return Ok(());
        }
    }
    call.reply.null_array();
    Ok(())
}

/// Replies with a key and some of its elements, and takes these out. `false`, without a reply, if there is no key.
pub(super) fn pop_with_key(
    reply: &mut Reply,
    db: &mut Db,
    key: &Key,
    end: End,
    count: usize,
    limit: BlockLimit,
) -> Result<bool, CommandError> {
    if db.collection_to_change::<List>(key)?.is_none() {
        return Ok(false);
    }
    reply.array(2);
    reply.bulk(key.bytes);
    let popped = pop_to_reply(reply, db, key, end, Some(count), limit)?;
    let pop = [pop_command(end), key.bytes];
    db.replay_as(|replay| replay.command_with_number(&pop, count as i64));
    Ok(popped)
}
