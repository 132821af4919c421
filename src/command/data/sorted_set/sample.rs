//! Members in no order: ZRANDMEMBER and ZSCAN.

use super::{Shape, reply_entries};
use crate::command::call::Call;
use crate::command::data::scan::{self, ScanOptions};
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::types::sorted_set::SortedSet;
use crate::util::number;
use std::collections::HashSet;

#[rustfmt::skip]
pub(in crate::command) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "zrandmember", arity: -2, handler: Read(zrandmember), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::SortedSet, since: "6.2.0",
        syntax: "key [options: count [WITHSCORES]]", summary: "Returns one or more random members from a sorted set.",
        complexity: "O(N) where N is the number of members returned", tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "zscan", arity: -3, handler: Read(zscan), keys: &[key(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::SortedSet, since: "2.8.0",
        syntax: "key cursor [MATCH pattern] [COUNT count]",
        summary: "Iterates over members and scores of a sorted set.",
        complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor \
            to return back to 0. N is the number of elements inside the collection.",
        tips: &["nondeterministic_output"], ..BASE },
];

/// ```text
/// > ZADD board 10 ann
/// (integer) 1
/// > ZRANDMEMBER board
/// "ann"
/// > ZRANDMEMBER board -2 WITHSCORES
/// 1) "ann"
/// 2) "10"
/// 3) "ann"
/// 4) "10"
/// ```
fn zrandmember(call: &mut Call, db: &Db) -> CommandResult {
    if call.arguments.len() == 2 {
        let set = db.collection::<SortedSet>(&call.key())?;
        let member = set.map(|set| any_entry(set).0);
        call.reply.bulk_or_null(member);
        return Ok(());
    }
    let count = call.integer_in(2, -i64::MAX..=i64::MAX)?;
    let with_scores = match call.arguments.len() {
        3 => false,
        4 if call.is_word(3, "WITHSCORES") => true,
        _ => return Err(CommandError::Syntax),
    };
    if with_scores && !(-i64::MAX / 2..=i64::MAX / 2).contains(&count) {
        return Err(CommandError::OutOfRange);
    }
    let Some(set) = db
        .collection::<SortedSet>(&call.key())?
        .filter(|_| count != 0)
    else {
        call.reply.array(0);
        return Ok(());
    };
    let shape = Shape::of(with_scores, call.reply.protocol);
    let wanted = count.unsigned_abs() as usize;
    if count < 0 {
        return reply_any(call, set, wanted, shape);
    }
    let ranks = different_ranks(wanted.min(set.len()), set.len());
    let entries = ranks.into_iter().map(|rank| entry(set, rank));
    reply_entries(call.reply, entries, shape);
    Ok(())
}

/// Draws members with repetition.
fn reply_any(call: &mut Call, set: &SortedSet, wanted: usize, shape: Shape) -> CommandResult {
    // Redis would go on until its memory is gone; a reply that could not be a string's size is refused here.
    const LEAST_BYTES: usize = 6;
    if wanted.saturating_mul(LEAST_BYTES) > call.server.config.proto_max_bulk_len.get() as usize {
        return Err(CommandError::OutOfRange);
    }
    let entries = (0..wanted).map(|_| any_entry(set));
    reply_entries(call.reply, entries, shape);
    Ok(())
}

/// A random member, each with equal chance.
fn any_entry(set: &SortedSet) -> (&[u8], f64) {
    entry(set, fastrand::usize(..set.len()))
}

fn entry(set: &SortedSet, rank: usize) -> (&[u8], f64) {
    let entry = set.range(rank..rank + 1).next();
    entry.expect("the rank is less than the length")
}

/// Draws different ranks below a length.
fn different_ranks(wanted: usize, len: usize) -> Vec<usize> {
    if wanted <= len / 4 {
        // Few out of many are drawn until enough different ones have come.
        let mut drawn = HashSet::new();
        while drawn.len() < wanted {
            drawn.insert(fastrand::usize(..len));
        }
        return drawn.into_iter().collect();
    }
    // Each is taken with the chance that as many as are missing have among those that are left (Knuth, TAOCP 3.4.2,
    // algorithm S).
    let mut missing = wanted;
    let is_taken = |rank: &usize| {
        let is_taken = fastrand::usize(..len - rank) < missing;
        missing -= usize::from(is_taken);
        is_taken
    };
    (0..len).filter(is_taken).collect()
}

/// ```text
/// > ZADD board 10 ann 20.5 bob
/// (integer) 2
/// > ZSCAN board 0 MATCH b*
/// 1) "0"
/// 2) 1) "bob"
///    2) "20.5"
/// ```
fn zscan(call: &mut Call, db: &Db) -> CommandResult {
    let cursor = scan::cursor(call.argument(2))?;
    let Some(set) = db.collection::<SortedSet>(&call.key())? else {
        // As in Redis, the options are not even looked at.
        scan::begin_reply(call, 0, 0);
        return Ok(());
    };
    let options = ScanOptions::parse(call, 3, false)?;
    let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let next = options.run(cursor, |cursor, seen| {
        set.scan(cursor, |member, score| {
            *seen += 1;
            if options.matches(member) {
                let mut text = Vec::new();
                // Here alone, Redis prints the scores of a large set with all their digits.
                if set.is_compact() {
                    number::format_f64(score, &mut text);
                } else {
                    number::format_f64_17_digits(score, &mut text);
                }
                found.push((member.to_vec(), text));
            }
        })
    });
    scan::begin_reply(call, next, 2 * found.len());
    for (member, score) in &found {
        call.reply.bulk(member);
        call.reply.bulk(score);
    }
    Ok(())
}
