//! Sets: <https://redis.io/commands/?group=set>.

use crate::command::call::Call;
use crate::command::data::pieces;
use crate::command::data::scan::{self, ScanOptions};
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::keyspace::object::Object;
use crate::keyspace::space::Key;
use crate::resp::reply::Reply;
use crate::types::set::{Member, Set, algebra};
use crate::util::number;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "sadd", arity: -3, handler: Write(sadd), keys: &[key(1, &[RW, INSERT])],
        flags: flags(&[WRITE, DENYOOM, FAST]), group: Group::Set, since: "1.0.0",
        syntax: "key member [member ...]",
        summary: "Adds one or more members to a set. Creates the key if it doesn't exist.",
        complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple \
            arguments.",
        history: &[("2.4.0", "Accepts multiple `member` arguments.")], ..BASE },
    CommandSpec { name: "srem", arity: -3, handler: Write(srem), keys: &[key(1, &[RW, DELETE])],
        flags: flags(&[WRITE, FAST]), group: Group::Set, since: "1.0.0",
        syntax: "key member [member ...]",
        summary: "Removes one or more members from a set. Deletes the set if the last member was removed.",
        complexity: "O(N) where N is the number of members to be removed.",
        history: &[("2.4.0", "Accepts multiple `member` arguments.")], ..BASE },
    CommandSpec { name: "smembers", arity: 2, handler: Read(smembers), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::Set, since: "1.0.0",
        syntax: "key", summary: "Returns all members of a set.", complexity: "O(N) where N is the set cardinality.",
        tips: &["nondeterministic_output_order"], ..BASE },
    CommandSpec { name: "sismember", arity: 3, handler: Read(sismember), keys: &[key(1, &[RO])],
        flags: flags(&[READONLY, FAST]), group: Group::Set, since: "1.0.0",
        syntax: "key member", summary: "Determines whether a member belongs to a set.", ..BASE },
    CommandSpec { name: "smismember", arity: -3, handler: Read(smismember), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY, FAST]), group: Group::Set, since: "6.2.0",
        syntax: "key member [member ...]", summary: "Determines whether multiple members belong to a set.",
        complexity: "O(N) where N is the number of elements being checked for membership", ..BASE },
    CommandSpec { name: "scard", arity: 2, handler: Read(scard), keys: &[key(1, &[RO])],
        flags: flags(&[READONLY, FAST]), group: Group::Set, since: "1.0.0",
        syntax: "key", summary: "Returns the number of members in a set.", ..BASE },
    CommandSpec { name: "spop", arity: -2, handler: Write(spop), keys: &[key(1, &[RW, ACCESS, DELETE])],
        flags: flags(&[WRITE, FAST]), group: Group::Set, since: "1.0.0",
        syntax: "key [count@3.2.0]",
        summary: "Returns one or more random members from a set after removing them. Deletes the set if the last \
            member was popped.",
        complexity: "Without the count argument O(1), otherwise O(N) where N is the value of the passed count.",
        history: &[("3.2.0", "Added the `count` argument.")], tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "srandmember", arity: -2, handler: Read(srandmember), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::Set, since: "1.0.0",
        syntax: "key [count@2.6.0]", summary: "Get one or multiple random members from a set",
        complexity: "Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed \
            count.",
        history: &[("2.6.0", "Added the optional `count` argument.")], tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "smove", arity: 4, handler: Write(smove),
        keys: &[key(1, &[RW, ACCESS, DELETE]), key(2, &[RW, INSERT])],
        flags: flags(&[WRITE, FAST]), group: Group::Set, since: "1.0.0",
        syntax: "source destination member", summary: "Moves a member from one set to another.", ..BASE },
    CommandSpec { name: "sinter", arity: -2, handler: Read(sinter), keys: &[keys(1, -1, 1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::Set, since: "1.0.0",
        syntax: "key [key ...]", summary: "Returns the intersect of multiple sets.",
        complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
        tips: &["nondeterministic_output_order"], ..BASE },
    CommandSpec { name: "sinterstore", arity: -3, handler: Write(sinterstore),
        keys: &[key(1, &[RW, UPDATE]), keys(2, -1, 1, &[RO, ACCESS])],
        flags: flags(&[WRITE, DENYOOM]), group: Group::Set, since: "1.0.0",
        syntax: "destination key [key ...]", summary: "Stores the intersect of multiple sets in a key.",
        complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
        ..BASE },
    CommandSpec { name: "sintercard", arity: -3, handler: Read(sintercard), keys: &[counted_keys(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::Set, since: "7.0.0",
        syntax: "numkeys key [key ...] [LIMIT limit]",
        summary: "Returns the number of members of the intersect of multiple sets.",
        complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
        ..BASE },
    CommandSpec { name: "sunion", arity: -2, handler: Read(sunion), keys: &[keys(1, -1, 1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::Set, since: "1.0.0",
        syntax: "key [key ...]", summary: "Returns the union of multiple sets.",
        complexity: "O(N) where N is the total number of elements in all given sets.",
        tips: &["nondeterministic_output_order"], ..BASE },
    CommandSpec { name: "sunionstore", arity: -3, handler: Write(sunionstore),
        keys: &[key(1, &[OW, UPDATE]), keys(2, -1, 1, &[RO, ACCESS])],
        flags: flags(&[WRITE, DENYOOM]), group: Group::Set, since: "1.0.0",
        syntax: "destination key [key ...]", summary: "Stores the union of multiple sets in a key.",
        complexity: "O(N) where N is the total number of elements in all given sets.", ..BASE },
    CommandSpec { name: "sdiff", arity: -2, handler: Read(sdiff), keys: &[keys(1, -1, 1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::Set, since: "1.0.0",
        syntax: "key [key ...]", summary: "Returns the difference of multiple sets.",
        complexity: "O(N) where N is the total number of elements in all given sets.",
        tips: &["nondeterministic_output_order"], ..BASE },
    CommandSpec { name: "sdiffstore", arity: -3, handler: Write(sdiffstore),
        keys: &[key(1, &[OW, UPDATE]), keys(2, -1, 1, &[RO, ACCESS])],
        flags: flags(&[WRITE, DENYOOM]), group: Group::Set, since: "1.0.0",
        syntax: "destination key [key ...]", summary: "Stores the difference of multiple sets in a key.",
        complexity: "O(N) where N is the total number of elements in all given sets.", ..BASE },
    CommandSpec { name: "sscan", arity: -3, handler: Read(sscan), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::Set, since: "2.8.0",
        syntax: "key cursor [MATCH pattern] [COUNT count]", summary: "Iterates over members of a set.",
        complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor \
            to return back to 0. N is the number of elements inside the collection.",
        tips: &["nondeterministic_output"], ..BASE },
];

/// How many of the given members are new.
///
/// ```text
/// > SADD colours red green
/// (integer) 2
/// > SADD colours green blue
/// (integer) 1
/// ```
fn sadd(call: &mut Call, db: &mut Db) -> CommandResult {
    let key = call.key();
    let members = &call.arguments[2..];
    let limits = call.server.config.set_limits();
    let set = db.get_or_create::<Set>(&key)?;
    set.reserve(members[0], members.len(), limits);
    let added = members
        .iter()
        .filter(|member| set.insert(Member::Text(member), limits))
        .count();
    if added > 0 {
        db.changed(&key, "sadd", added);
    }
    call.reply.count(added);
    Ok(())
}

/// ```text
/// > SADD colours red green
/// (integer) 2
/// > SREM colours red blue
/// (integer) 1
/// > SREM colours green
/// (integer) 1
/// > EXISTS colours
/// (integer) 0
/// ```
fn srem(call: &mut Call, db: &mut Db) -> CommandResult {
    let key = call.key();
    let mut removed = 0;
    let mut is_empty = false;
    if let Some(set) = db.collection_mut::<Set>(&key)? {
        removed = call.arguments[2..]
            .iter()
            .filter(|member| set.remove(Member::Text(member)))
            .count();
        is_empty = set.is_empty();
    }
    if removed > 0 {
        db.changed(&key, "srem", removed);
    }
    if is_empty {
        remove_emptied(db, &key);
    }
    call.reply.count(removed);
    Ok(())
}

/// Removes the key of a set that has lost its last member.
fn remove_emptied(db: &mut Db, key: &Key) {
    db.remove(key);
    db.changed(key, "del", 0);
}

/// ```text
/// > SADD numbers 3 1 2
/// (integer) 3
/// > SMEMBERS numbers
/// 1) "1"
/// 2) "2"
/// 3) "3"
/// ```
fn smembers(call: &mut Call, db: &Db) -> CommandResult {
    let set = db.collection::<Set>(&call.key())?;
    call.reply.set(set.map_or(0, Set::len));
    let Some(set) = set else { return Ok(()) };
    pieces::reply_with(
        call.reply,
        set,
        set.len(),
        0..set.parts(),
        |reply, set, parts| {
            let members = parts.flat_map(|part| set.part(part));
            members.for_each(|member| reply_member(reply, member));
        },
    );
    Ok(())
}

fn reply_member(reply: &mut Reply, member: Member<'_>) {
    match member {
        Member::Text(text) => reply.bulk(text),
        Member::Integer(integer) => reply.bulk_integer(integer),
    }
}

/// ```text
/// > SADD colours red green
/// (integer) 2
/// > SISMEMBER colours red
/// (integer) 1
/// > SISMEMBER colours blue
/// (integer) 0
/// ```
fn sismember(call: &mut Call, db: &Db) -> CommandResult {
    let set = db.collection::<Set>(&call.key())?;
    let is_member = set.is_some_and(|set| set.contains(Member::Text(call.argument(2))));
    call.reply.integer(is_member.into());
    Ok(())
}

/// ```text
/// > SADD colours red green
/// (integer) 2
/// > SMISMEMBER colours red blue
/// 1) (integer) 1
/// 2) (integer) 0
/// ```
fn smismember(call: &mut Call, db: &Db) -> CommandResult {
    let set = db.collection::<Set>(&call.key())?;
    let members = &call.arguments[2..];
    call.reply.array(members.len());
    for member in members {
        let is_member = set.is_some_and(|set| set.contains(Member::Text(member)));
        call.reply.integer(is_member.into());
    }
    Ok(())
}

/// ```text
/// > SADD colours red green
/// (integer) 2
/// > SCARD colours
/// (integer) 2
/// ```
fn scard(call: &mut Call, db: &Db) -> CommandResult {
    let len = db.collection::<Set>(&call.key())?.map_or(0, Set::len);
    call.reply.count(len);
    Ok(())
}

/// ```text
/// > SADD coin heads
/// (integer) 1
/// > SPOP coin
/// "heads"
/// > SPOP coin
/// (nil)
/// > SPOP coin 2
/// (empty array)
/// ```
fn spop(call: &mut Call, db: &mut Db) -> CommandResult {
    match call.arguments.len() {
        2 => {}
        3 => return spop_several(call, db),
        _ => return Err(CommandError::Syntax),
    }
    let key = call.key();
    let mut popped = Popped::new(db.is_replayed());
    let Some(set) = db.collection_mut::<Set>(&key)? else {
        call.reply.null();
        return Ok(());
    };
    set.pop(
        || fastrand::u64(..),
        |member| {
            popped.note(member);
            reply_member(call.reply, member);
        },
    );
    let is_empty = set.is_empty();
    db.changed(&key, "spop", 1);
    popped.replay(db, &key);
    if is_empty {
        remove_emptied(db, &key);
    }
    Ok(())
}

/// The members that SPOP has drawn, if they are to be replayed.
struct Popped {
    is_replayed: bool,
    members: Vec<Vec<u8>>,
}

impl Popped {
    fn new(is_replayed: bool) -> Popped {
        Popped {
            is_replayed,
            members: Vec::new(),
        }
    }

    fn note(&mut self, member: Member) {
        if self.is_replayed {
            let text = member.text(&mut itoa::Buffer::new()).to_vec();
            self.members.push(text);
        }
    }

    /// Has them replayed as removals, of as many at a time as Redis puts into one.
    fn replay(&self, db: &mut Db, key: &Key) {
        const MOST_AT_ONCE: usize = 1024;
        db.replay_as(|replay| {
            for members in self.members.chunks(MOST_AT_ONCE) {
                let members = members.iter().map(|member| &member[..]);
                replay.command_with_elements(&[b"SREM", key.bytes], members);
            }
        });
    }
}

/// Whatever is less work: the drawn members are taken out, or the set goes and those that stay become a new one.
fn spop_several(call: &mut Call, db: &mut Db) -> CommandResult {
    /// To move a member is as much work as to take out this number; decides on the form that is left, so it is Redis'
    /// number.
    const REMOVALS_PER_MOVE: usize = 5;
    let key = call.key();
    let count = call.count(2)?;
    let limits = call.server.config.set_limits();
    let random = || fastrand::u64(..);
    let mut popped = Popped::new(db.is_replayed());
    let Some(set) = db.collection_mut::<Set>(&key)?.filter(|_| count > 0) else {
        call.reply.set(0);
        return Ok(());
    };
    let count = count.min(set.len());
    let staying = set.len() - count;
    call.reply.set(count);
    if staying * REMOVALS_PER_MOVE > count {
        set.pop_several(count, random, |member| {
            popped.note(member);
            reply_member(call.reply, member);
        });
        db.changed(&key, "spop", count);
        popped.replay(db, &key);
        return Ok(());
    }
    let mut kept = match set.integers() {
        Some(_) => Set::default(),
        None => Set::compact(),
    };
    set.pop_several(staying, random, |member| {
        kept.insert(member, limits);
    });
    for member in set.iter() {
        popped.note(member);
        reply_member(call.reply, member);
    }
    if staying > 0 {
        let deadline = db
            .look_silently(&key)
            .and_then(|entry| entry.expires_at_ms());
        db.put_object(&key, Object::Set(kept), deadline);
        db.changed(&key, "spop", count);
        popped.replay(db, &key);
    } else {
        // Redis answers this as it answers SUNION, and so counts it as reading.
        db.read_for_object(&key);
        db.changed(&key, "spop", count);
        db.replay_as(|replay| replay.command(&[b"DEL", key.bytes]));
        remove_emptied(db, &key);
    }
    Ok(())
}

/// ```text
/// > SADD coin heads
/// (integer) 1
/// > SRANDMEMBER coin
/// "heads"
/// > SRANDMEMBER coin 5
/// 1) "heads"
/// > SRANDMEMBER coin -2
/// 1) "heads"
/// 2) "heads"
/// ```
fn srandmember(call: &mut Call, db: &Db) -> CommandResult {
    let random = || fastrand::u64(..);
    match call.arguments.len() {
        2 => {
            match db
                .collection::<Set>(&call.key())?
                .and_then(|set| set.random(random))
            {
                Some(member) => reply_member(call.reply, member),
                None => call.reply.null(),
            }
            return Ok(());
        }
        3 => {}
        _ => return Err(CommandError::Syntax),
    }
    let count = call.integer_in(2, -i64::MAX..=i64::MAX)?;
    let Some(set) = db.collection::<Set>(&call.key())?.filter(|_| count != 0) else {
        call.reply.array(0);
        return Ok(());
    };
    let wanted = count.unsigned_abs() as usize;
    if count > 0 {
        call.reply.array(wanted.min(set.len()));
        set.draw(wanted, random, |member| reply_member(call.reply, member));
        return Ok(());
    }
    call.check_drawn(wanted)?;
    call.reply.array(wanted);
    set.draw_repeatedly(wanted, random, |member| reply_member(call.reply, member));
    Ok(())
}

/// ```text
/// > SADD colours red green
/// (integer) 2
/// > SMOVE colours seen red
/// (integer) 1
/// > SMOVE colours seen red
/// (integer) 0
/// > SMEMBERS seen
/// 1) "red"
/// ```
fn smove(call: &mut Call, db: &mut Db) -> CommandResult {
    let [source, destination] = [call.keys[0], call.keys[1]];
    let member = Member::Text(call.argument(3));
    let limits = call.server.config.set_limits();
    let Some(set) = db.collection_to_change::<Set>(&source)? else {
        call.reply.integer(0);
        return Ok(());
    };
    let is_member = set.contains(member);
    db.collection_to_change::<Set>(&destination)?;
    if !is_member || source.bytes == destination.bytes {
        call.reply.integer(is_member.into());
        return Ok(());
    }
    let mut is_empty = false;
    if let Some(set) = db.collection_mut::<Set>(&source)? {
        set.remove(member);
        is_empty = set.is_empty();
    }
    db.changed(&source, "srem", 1);
    if is_empty {
        remove_emptied(db, &source);
    }
    let set = db.get_or_create::<Set>(&destination)?;
    if set.insert(member, limits) {
        db.changed(&destination, "sadd", 1);
    }
    call.reply.integer(1);
    Ok(())
}

/// ```text
/// > SADD a 1 2 3
/// (integer) 3
/// > SADD b 2 3 4
/// (integer) 3
/// > SINTER a b
/// 1) "2"
/// 2) "3"
/// > SINTER a b nothing
/// (empty array)
/// ```
fn sinter(call: &mut Call, db: &Db) -> CommandResult {
    let found: Vec<Member> = match all_sets(db, call.keys)? {
        Some(sets) => algebra::intersection(&sets).collect(),
        None => Vec::new(),
    };
    reply_members(call, &found);
    Ok(())
}

/// ```text
/// > SADD a 1 2 3
/// (integer) 3
/// > SADD b 2 3 4
/// (integer) 3
/// > SINTERSTORE c a b
/// (integer) 2
/// > SMEMBERS c
/// 1) "2"
/// 2) "3"
/// ```
fn sinterstore(call: &mut Call, db: &mut Db) -> CommandResult {
    let limits = call.server.config.set_limits();
    let result = match all_sets(db, &call.keys[1..])? {
        Some(sets) => algebra::intersection_set(&sets, limits),
        None => Set::default(),
    };
    store(call, db, result, "sinterstore");
    Ok(())
}

/// ```text
/// > SADD a 1 2 3
/// (integer) 3
/// > SADD b 2 3 4
/// (integer) 3
/// > SINTERCARD 2 a b
/// (integer) 2
/// > SINTERCARD 2 a b LIMIT 1
/// (integer) 1
/// ```
fn sintercard(call: &mut Call, db: &Db) -> CommandResult {
    let numkeys = call.positive(1, "numkeys")?;
    if numkeys > call.arguments.len() - 2 {
        return Err(CommandError::err(
            "Number of keys can't be greater than number of args",
        ));
    }
    let mut limit = 0;
    let mut index = 2 + numkeys;
    while index < call.arguments.len() {
        if !call.is_word(index, "LIMIT") || index + 1 == call.arguments.len() {
            return Err(CommandError::Syntax);
        }
        let given = number::parse_u64(call.argument(index + 1))
            .filter(|given| i64::try_from(*given).is_ok());
        limit = given.ok_or_else(|| CommandError::err("LIMIT can't be negative"))? as usize;
        index += 2;
    }
    // 0 stands for no limit.
    let most = if limit == 0 { usize::MAX } else { limit };
    let count = match all_sets(db, call.keys)? {
        Some(sets) => algebra::intersection(&sets).take(most).count(),
        None => 0,
    };
    call.reply.count(count);
    Ok(())
}

/// ```text
/// > SADD a 1 2
/// (integer) 2
/// > SADD b 2 3
/// (integer) 2
/// > SUNION a b nothing
/// 1) "1"
/// 2) "2"
/// 3) "3"
/// ```
fn sunion(call: &mut Call, db: &Db) -> CommandResult {
    let found = algebra::union(&present_sets(db, call.keys)?);
    reply_members(call, &found);
    Ok(())
}

/// ```text
/// > SADD a 1 2
/// (integer) 2
/// > SADD b 2 3
/// (integer) 2
/// > SUNIONSTORE c a b
/// (integer) 3
/// ```
fn sunionstore(call: &mut Call, db: &mut Db) -> CommandResult {
    let limits = call.server.config.set_limits();
    let result = algebra::union_set(&present_sets(db, &call.keys[1..])?, limits);
    store(call, db, result, "sunionstore");
    Ok(())
}

/// ```text
/// > SADD a 1 2 3
/// (integer) 3
/// > SADD b 2
/// (integer) 1
/// > SDIFF a b nothing
/// 1) "1"
/// 2) "3"
/// ```
fn sdiff(call: &mut Call, db: &Db) -> CommandResult {
    let (first, others) = first_and_others(db, call.keys)?;
    let found = first.map_or(Vec::new(), |first| algebra::difference(first, &others));
    reply_members(call, &found);
    Ok(())
}

/// ```text
/// > SADD a 1 2 3
/// (integer) 3
/// > SADD b 2
/// (integer) 1
/// > SDIFFSTORE c a b
/// (integer) 2
/// ```
fn sdiffstore(call: &mut Call, db: &mut Db) -> CommandResult {
    let limits = call.server.config.set_limits();
    let (first, others) = first_and_others(db, &call.keys[1..])?;
    let result = first.map_or(Set::default(), |first| {
        algebra::difference_set(first, &others, limits)
    });
    store(call, db, result, "sdiffstore");
    Ok(())
}

/// The sets of these keys, or nothing if one of them is missing. All are looked at: a wrong type is an error before
/// that.
fn all_sets<'a>(db: &'a Db, keys: &[Key]) -> Result<Option<Vec<&'a Set>>, CommandError> {
    let sets = present_sets(db, keys)?;
    Ok(Some(sets).filter(|sets| sets.len() == keys.len()))
}

/// The sets of those keys that are there.
fn present_sets<'a>(db: &'a Db, keys: &[Key]) -> Result<Vec<&'a Set>, CommandError> {
    let sets = keys
        .iter()
        .filter_map(|key| db.collection::<Set>(key).transpose());
    Ok(sets.collect::<Result<_, _>>()?)
}

/// The set of the first key, and those of the others that are there.
fn first_and_others<'a>(
    db: &'a Db,
    keys: &[Key],
) -> Result<(Option<&'a Set>, Vec<&'a Set>), CommandError> {
    let first = db.collection::<Set>(&keys[0])?;
    Ok((first, present_sets(db, &keys[1..])?))
}

fn reply_members(call: &mut Call, members: &[Member]) {
    call.reply.set(members.len());
    for member in members {
        reply_member(call.reply, *member);
    }
}

/// Puts a result in the place of what the first key held, and replies how many members it has.
fn store(call: &mut Call, db: &mut Db, result: Set, event: &'static str) {
    let key = call.key();
    let len = result.len();
    if len > 0 {
        db.put_object(&key, Object::Set(result), None);
        db.changed(&key, event, 1);
    } else if db.remove(&key) {
        db.changed(&key, "del", 1);
    }
    call.reply.count(len);
}

/// ```text
/// > SADD colours red green
/// (integer) 2
/// > SSCAN colours 0 MATCH g*
/// 1) "0"
/// 2) 1) "green"
/// ```
fn sscan(call: &mut Call, db: &Db) -> CommandResult {
    let cursor = scan::cursor(call.argument(2))?;
    let Some(set) = db.collection::<Set>(&call.key())? else {
        // As in Redis, the options are not even looked at.
        scan::begin_reply(call, 0, 0);
        return Ok(());
    };
    let options = ScanOptions::parse(call, 3, false)?;
    let mut found = Vec::new();
    let next = options.run(cursor, |cursor, seen| {
        set.scan(cursor, |member| {
            *seen += 1;
            if options.matches(member.text(&mut itoa::Buffer::new())) {
                found.push(member);
            }
        })
    });
    scan::begin_reply(call, next, found.len());
    for member in found {
        reply_member(call.reply, member);
    }
    Ok(())
}
