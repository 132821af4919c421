//! ZADD and ZINCRBY.

use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::types::sorted_set::{Change, SortedSet};
use crate::util::number;
use smallvec::SmallVec;

#[rustfmt::skip]
pub(in crate::command) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "zadd", arity: -4, handler: Write(zadd), keys: &[key(1, &[RW, UPDATE])],
        flags: flags(&[WRITE, DENYOOM, FAST]), group: Group::SortedSet, since: "1.2.0",
        syntax: "key [condition@3.0.2: NX | XX] [comparison@6.2.0: GT | LT] [change:CH@3.0.2] [increment:INCR@3.0.2] \
            <data: score member> [...]",
        summary: "Adds one or more members to a sorted set, or updates their scores. Creates the key if it doesn't \
            exist.",
        complexity: "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
        history: &[
            ("2.4.0", "Accepts multiple elements."),
            ("3.0.2", "Added the `XX`, `NX`, `CH` and `INCR` options."),
            ("6.2.0", "Added the `GT` and `LT` options."),
        ], ..BASE },
    CommandSpec { name: "zincrby", arity: 4, handler: Write(zincrby), keys: &[key(1, &[RW, ACCESS, UPDATE])],
        flags: flags(&[WRITE, DENYOOM, FAST]), group: Group::SortedSet, since: "1.2.0",
        syntax: "key increment member", summary: "Increments the score of a member in a sorted set.",
        complexity: "O(log(N)) where N is the number of elements in the sorted set.", ..BASE },
];

/// Members with the scores that are given for them.
pub(in crate::command) type Entries<'a> = SmallVec<[(&'a [u8], f64); 8]>;

/// The words between key and scores.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::command) struct Options {
    pub(in crate::command) nx: bool,
    pub(in crate::command) xx: bool,
    gt: bool,
    lt: bool,
    pub(in crate::command) ch: bool,
    incr: bool,
}

impl Options {
    /// The options, and the index of the first score.
    fn parse(call: &Call) -> (Options, usize) {
        let mut options = Options::default();
        for index in 2..call.arguments.len() {
            let words = [
                ("NX", &mut options.nx),
                ("XX", &mut options.xx),
                ("GT", &mut options.gt),
                ("LT", &mut options.lt),
                ("CH", &mut options.ch),
                ("INCR", &mut options.incr),
            ];
            let option = words
                .into_iter()
                .find(|(word, _)| call.is_word(index, word));
            let Some((_, option)) = option else {
                return (options, index);
            };
            *option = true;
        }
        (options, call.arguments.len())
    }

    /// Refuses options that contradict each other, or more than one member.
    fn check(self, members: usize) -> CommandResult {
        let Options { nx, xx, gt, lt, .. } = self;
        if nx && xx {
            return Err(CommandError::err(
                "XX and NX options at the same time are not compatible",
            ));
        }
        if (nx && (gt || lt)) || (gt && lt) {
            return Err(CommandError::err(
                "GT, LT, and/or NX options at the same time are not compatible",
            ));
        }
        if self.incr && members > 1 {
            return Err(CommandError::err(
                "INCR option supports a single increment-element pair",
            ));
        }
        Ok(())
    }

    /// What the score of a member is to be; `None` if it is to stay what it is.
    fn decide(self, old: Option<f64>, given: f64) -> Option<f64> {
        let Some(old) = old else {
            return (!self.xx).then_some(given);
        };
        let new = if self.incr { old + given } else { given };
        let is_left = self.nx || (self.gt && new <= old) || (self.lt && new >= old);
        (!is_left).then_some(new)
    }
}

/// How many of the given members are new, or with CH, how many have changed.
///
/// ```text
/// > ZADD board 10 ann 20 bob
/// (integer) 2
/// > ZADD board GT CH 15 ann 15 bob
/// (integer) 1
/// > ZADD board INCR 1.5 ann
/// "16.5"
/// > ZADD board NX XX 1 ann
/// (error) ERR XX and NX options at the same time are not compatible
/// ```
fn zadd(call: &mut Call, db: &mut Db) -> CommandResult {
    let (options, first) = Options::parse(call);
    add(call, db, options, first)
}

/// ```text
/// > ZINCRBY board 5 ann
/// "5"
/// > ZINCRBY board -0.5 ann
/// "4.5"
/// ```
fn zincrby(call: &mut Call, db: &mut Db) -> CommandResult {
    let options = Options {
        incr: true,
        ..Options::default()
    };
    add(call, db, options, 2)
}

/// Adds the members whose scores and names begin at the argument `first`.
fn add(call: &mut Call, db: &mut Db, options: Options, first: usize) -> CommandResult {
    let pairs = &call.arguments[first..];
    if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    let pairs = pairs.chunks_exact(2);
    options.check(pairs.len())?;
    let entries: Option<Entries> = pairs
        .map(|pair| Some((pair[1], number::parse_f64(pair[0])?)))
        .collect();
    add_entries(call, db, options, entries.ok_or(CommandError::NotAFloat)?)
}

/// Adds members with scores, or updates them, as the options say, and replies.
pub(in crate::command) fn add_entries(
    call: &mut Call,
    db: &mut Db,
    options: Options,
    entries: Entries,
) -> CommandResult {
    let key = call.key();
    let limits = call.server.config.sorted_set_limits();
    let set = if options.xx {
        db.collection_mut::<SortedSet>(&key)?
    } else {
        Some(db.get_or_create::<SortedSet>(&key)?)
    };
    let (mut added, mut updated) = (0, 0);
    // What INCR answers.
    let mut result = None;
    if let Some(set) = set {
        if set.is_empty() {
            // As in Redis, also if they turn out to be one and the same.
            set.reserve(entries.len(), limits);
        }
        for (member, score) in entries {
            let decide = |old| {
                result = options.decide(old, score);
                result.filter(|score| !score.is_nan())
            };
            match set.update(member, limits, decide) {
                Change::Added => added += 1,
                Change::Updated => updated += 1,
                Change::None => {}
            }
        }
    }
    // Only the one member of INCR can come to this, so nothing has changed.
    if result.is_some_and(f64::is_nan) {
        return Err(CommandError::err("resulting score is not a number (NaN)"));
    }
    if added + updated > 0 {
        let event = if options.incr { "zincr" } else { "zadd" };
        db.changed(&key, event, added + updated);
    }
    match (options.incr, result) {
        (true, Some(score)) => call.reply.double(score),
        (true, None) => call.reply.null(),
        (false, _) if options.ch => call.reply.count(added + updated),
        (false, _) => call.reply.count(added),
    }
    Ok(())
}
