//! Union, intersection and difference of sorted sets and sets.

use super::{Shape, reply_entries, store};
use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::keyspace::entry::{Entry, WrongType};
use crate::keyspace::object::Value;
use crate::types::set::{Member, Set};
use crate::types::sorted_set::{SortedSet, compare};
use crate::util::number;
use foldhash::fast::RandomState;
use std::borrow::Cow;
use std::collections::HashMap;

#[rustfmt::skip]
pub(in crate::command) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "zunion", arity: -3, handler: Read(zunion), keys: &[counted_keys(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::SortedSet, since: "6.2.0",
        syntax: "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]",
        summary: "Returns the union of multiple sorted sets.",
        complexity: "O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted sets, and M being the \
            number of elements in the resulting sorted set.", ..BASE },
    CommandSpec { name: "zinter", arity: -3, handler: Read(zinter), keys: &[counted_keys(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::SortedSet, since: "6.2.0",
        syntax: "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]",
        summary: "Returns the intersect of multiple sorted sets.",
        complexity: "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of \
            input sorted sets and M being the number of elements in the resulting sorted set.", ..BASE },
    CommandSpec { name: "zdiff", arity: -3, handler: Read(zdiff), keys: &[counted_keys(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::SortedSet, since: "6.2.0",
        syntax: "numkeys key [key ...] [WITHSCORES]", summary: "Returns the difference between multiple sorted sets.",
        complexity: "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the \
            size of the first set, and K is the size of the result set.", ..BASE },
    CommandSpec { name: "zunionstore", arity: -4, handler: Write(zunionstore),
        keys: &[key(1, &[OW, UPDATE]), counted_keys(2, &[RO, ACCESS])],
        flags: flags(&[WRITE, DENYOOM]), group: Group::SortedSet, since: "2.0.0",
        syntax: "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]",
        summary: "Stores the union of multiple sorted sets in a key.",
        complexity: "O(N)+O(M log(M)) with N being the sum of the sizes of the input sorted sets, and M being the \
            number of elements in the resulting sorted set.", ..BASE },
    CommandSpec { name: "zinterstore", arity: -4, handler: Write(zinterstore),
        keys: &[key(1, &[OW, UPDATE]), counted_keys(2, &[RO, ACCESS])],
        flags: flags(&[WRITE, DENYOOM]), group: Group::SortedSet, since: "2.0.0",
        syntax: "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]",
        summary: "Stores the intersect of multiple sorted sets in a key.",
        complexity: "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of \
            input sorted sets and M being the number of elements in the resulting sorted set.", ..BASE },
    CommandSpec { name: "zdiffstore", arity: -4, handler: Write(zdiffstore),
        keys: &[key(1, &[OW, UPDATE]), counted_keys(2, &[RO, ACCESS])],
        flags: flags(&[WRITE, DENYOOM]), group: Group::SortedSet, since: "6.2.0",
        syntax: "destination numkeys key [key ...]", summary: "Stores the difference of multiple sorted sets in a key.",
        complexity: "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the \
            size of the first set, and K is the size of the result set.", ..BASE },
    CommandSpec { name: "zintercard", arity: -3, handler: Read(zintercard), keys: &[counted_keys(1, &[RO, ACCESS])],
        flags: flags(&[READONLY]), group: Group::SortedSet, since: "7.0.0",
        syntax: "numkeys key [key ...] [LIMIT limit]",
        summary: "Returns the number of members of the intersect of multiple sorted sets.",
        complexity: "O(N*K) worst case with N being the smallest input sorted set, K being the number of input sorted \
            sets.", ..BASE },
];

/// What is combined.
#[derive(Clone, Copy, Debug)]
enum Members<'a> {
    /// Of a key that is not there.
    None,
    /// A set; its members count as having the score 1.
    Plain(&'a Set),
    Scored(&'a SortedSet),
}

impl<'a> Members<'a> {
    fn of(entry: Option<Entry<'a>>) -> Result<Members<'a>, WrongType> {
        match entry.map(Entry::value) {
            None => Ok(Members::None),
            Some(Value::Set(set)) => Ok(Members::Plain(set)),
            Some(Value::SortedSet(set)) => Ok(Members::Scored(set)),
            Some(_) => Err(WrongType),
        }
    }

    fn len(self) -> usize {
        match self {
            Members::None => 0,
            Members::Plain(set) => set.len(),
            Members::Scored(set) => set.len(),
        }
    }

    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Members::None => None,
            Members::Plain(set) => set.contains(Member::Text(member)).then_some(1.0),
            Members::Scored(set) => set.score(member),
        }
    }

    fn iter(self) -> impl Iterator<Item = (Cow<'a, [u8]>, f64)> {
        let (plain, scored) = match self {
            Members::None => (None, None),
            Members::Plain(set) => (Some(set), None),
            Members::Scored(set) => (None, Some(set)),
        };
        let plain = plain.into_iter().flat_map(Set::iter);
        let scored = scored.into_iter().flat_map(SortedSet::iter);
        plain
            .map(|member| (text(member), 1.0))
            .chain(scored.map(|(member, score)| (Cow::Borrowed(member), score)))
    }
}

fn text(member: Member<'_>) -> Cow<'_, [u8]> {
    match member {
        Member::Text(text) => Cow::Borrowed(text),
        Member::Integer(number) => Cow::Owned(number.to_string().into_bytes()),
    }
}

/// A member of a combination with its score.
type Scored<'a> = (Cow<'a, [u8]>, f64);

fn borrowed<'a>((member, score): &'a Scored<'_>) -> (&'a [u8], f64) {
    (member, *score)
}

/// One key with the number its scores are multiplied with.
#[derive(Clone, Copy, Debug)]
struct Input<'a> {
    members: Members<'a>,
    weight: f64,
}

/// What becomes of the scores of one member.
#[derive(Clone, Copy, Debug)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    /// `f64::min` and `max` treat NaN, as infinity times 0 gives it, in another way than Redis.
    fn combine(self, a: f64, b: f64) -> f64 {
        match self {
            Aggregate::Sum => zero_if_nan(a + b),
            Aggregate::Min if b < a => b,
            Aggregate::Max if b > a => b,
            _ => a,
        }
    }
}

fn zero_if_nan(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

/// What a command does with the combination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Reply,
    Store,
    Count,
}

/// The words of a call, and what its keys hold.
struct Combination<'a> {
    operation: Operation,
    inputs: Vec<Input<'a>>,
    aggregate: Aggregate,
    with_scores: bool,
    /// Most members to count; 0 for all.
    limit: usize,
}

impl<'a> Combination<'a> {
    /// Reads the number of keys at the argument `first` and all that follows.
    fn parse(
        call: &Call,
        db: &'a Db,
        first: usize,
        operation: Operation,
        purpose: Purpose,
    ) -> Result<Combination<'a>, CommandError> {
        let count = call.integer(first)?;
        if count < 1 {
            let text = format!(
                "at least 1 input key is needed for '{}' command",
                call.spec.name
            );
            return Err(CommandError::err(text));
        }
        let end = usize::try_from(count).ok().and_then(|count| {
            let end = count.checked_add(first + 1)?;
            (end <= call.arguments.len()).then_some(end)
        });
        let end = end.ok_or(CommandError::Syntax)?;
        let keys = &call.keys[first - 1..];
        let inputs: Result<Vec<Input>, WrongType> = keys
            .iter()
            .map(|key| {
                let members = Members::of(db.read(key))?;
                let weight = 1.0;
                Ok(Input { members, weight })
            })
            .collect();
        let mut combination = Combination {
            operation,
            inputs: inputs?,
            aggregate: Aggregate::Sum,
            with_scores: false,
            limit: 0,
        };
        combination.parse_options(call, end, purpose)?;
        Ok(combination)
    }

    fn parse_options(
        &mut self,
        call: &Call,
        mut index: usize,
        purpose: Purpose,
    ) -> Result<(), CommandError> {
        let has_scores = self.operation != Operation::Difference && purpose != Purpose::Count;
        while index < call.arguments.len() {
            let following = call.arguments.len() - index - 1;
            match call.word(index).as_str() {
                "WEIGHTS" if has_scores && following >= self.inputs.len() => {
                    for input in &mut self.inputs {
                        index += 1;
                        let weight = number::parse_f64(call.argument(index));
                        input.weight = weight
                            .ok_or_else(|| CommandError::err("weight value is not a float"))?;
                    }
                }
                "AGGREGATE" if has_scores && following >= 1 => {
                    index += 1;
                    self.aggregate = match call.word(index).as_str() {
                        "SUM" => Aggregate::Sum,
                        "MIN" => Aggregate::Min,
                        "MAX" => Aggregate::Max,
                        _ => return Err(CommandError::Syntax),
                    };
                }
                "WITHSCORES" if purpose == Purpose::Reply => self.with_scores = true,
                "LIMIT" if purpose == Purpose::Count && following >= 1 => {
                    index += 1;
                    let limit = number::parse_i64(call.argument(index));
                    self.limit = limit
                        .and_then(|limit| usize::try_from(limit).ok())
                        .ok_or_else(|| CommandError::err("LIMIT can't be negative"))?;
                }
                _ => return Err(CommandError::Syntax),
            }
            index += 1;
        }
        Ok(())
    }

    /// The members with their scores, in no particular order.
    fn entries(mut self) -> Vec<Scored<'a>> {
        if self.operation == Operation::Difference {
            return self.difference();
        }
        // From the smallest to the largest, as Redis does: the order of a sum may be seen in its last digit.
        self.inputs.sort_by_key(|input| input.members.len());
        match self.operation {
            Operation::Union => self.union(),
            _ => self.intersection().collect(),
        }
    }

    fn union(&self) -> Vec<Scored<'a>> {
        let most = self.inputs.last().map_or(0, |input| input.members.len());
        let mut scores: HashMap<Cow<[u8]>, f64, RandomState> =
            HashMap::with_capacity_and_hasher(most, RandomState::default());
        for input in &self.inputs {
            for (member, score) in input.members.iter() {
                let score = zero_if_nan(input.weight * score);
                let combine = |other: &mut f64| *other = self.aggregate.combine(*other, score);
                scores.entry(member).and_modify(combine).or_insert(score);
            }
        }
        scores.into_iter().collect()
    }

    /// Goes through the first input, which should be the smallest.
    fn intersection(&self) -> impl Iterator<Item = Scored<'a>> {
        let (first, others) = self.inputs.split_first().expect("there is an input");
        first.members.iter().filter_map(|(member, score)| {
            let weighted = zero_if_nan(first.weight * score);
            let all = others.iter().try_fold(weighted, |sum, other| {
                let score = other.members.score(&member)?;
                Some(self.aggregate.combine(sum, other.weight * score))
            });
            Some((member, all?))
        })
    }

    fn difference(&self) -> Vec<Scored<'a>> {
        let (first, others) = self.inputs.split_first().expect("there is an input");
        let is_left = |(member, _): &Scored| {
            let mut others = others.iter();
            others.all(|other| other.members.score(member).is_none())
        };
        first.members.iter().filter(is_left).collect()
    }
}

/// ```text
/// > ZADD a 1 ann 2 bob
/// (integer) 2
/// > ZADD b 10 bob 20 cid
/// (integer) 2
/// > ZUNION 2 a b WEIGHTS 1 0.5 WITHSCORES
/// 1) "ann"
/// 2) "1"
/// 3) "bob"
/// 4) "7"
/// 5) "cid"
/// 6) "10"
/// ```
fn zunion(call: &mut Call, db: &Db) -> CommandResult {
    reply_combination(call, db, Operation::Union)
}

/// ```text
/// > ZADD a 1 ann 2 bob
/// (integer) 2
/// > ZADD b 10 bob 20 cid
/// (integer) 2
/// > ZINTER 2 a b AGGREGATE MAX WITHSCORES
/// 1) "bob"
/// 2) "10"
/// ```
fn zinter(call: &mut Call, db: &Db) -> CommandResult {
    reply_combination(call, db, Operation::Intersection)
}

/// ```text
/// > ZADD a 1 ann 2 bob
/// (integer) 2
/// > ZADD b 10 bob 20 cid
/// (integer) 2
/// > ZDIFF 2 a b
/// 1) "ann"
/// ```
fn zdiff(call: &mut Call, db: &Db) -> CommandResult {
    reply_combination(call, db, Operation::Difference)
}

fn reply_combination(call: &mut Call, db: &Db, operation: Operation) -> CommandResult {
    let combination = Combination::parse(call, db, 1, operation, Purpose::Reply)?;
    let shape = Shape::of(combination.with_scores, call.reply.protocol);
    let mut entries = combination.entries();
    entries.sort_unstable_by(|a, b| compare(borrowed(a), borrowed(b)));
    reply_entries(call.reply, entries.iter().map(borrowed), shape);
    Ok(())
}

/// ```text
/// > ZADD a 1 ann 2 bob
/// (integer) 2
/// > ZADD b 10 bob 20 cid
/// (integer) 2
/// > ZUNIONSTORE all 2 a b
/// (integer) 3
/// > ZSCORE all bob
/// "12"
/// ```
fn zunionstore(call: &mut Call, db: &mut Db) -> CommandResult {
    store_combination(call, db, Operation::Union, "zunionstore")
}

/// ```text
/// > ZADD a 1 ann 2 bob
/// (integer) 2
/// > ZADD b 10 bob 20 cid
/// (integer) 2
/// > ZINTERSTORE both 2 a b AGGREGATE MIN
/// (integer) 1
/// > ZSCORE both bob
/// "2"
/// ```
fn zinterstore(call: &mut Call, db: &mut Db) -> CommandResult {
    store_combination(call, db, Operation::Intersection, "zinterstore")
}

/// ```text
/// > ZADD a 1 ann 2 bob
/// (integer) 2
/// > ZADD b 10 bob 20 cid
/// (integer) 2
/// > ZDIFFSTORE left 2 a b
/// (integer) 1
/// ```
fn zdiffstore(call: &mut Call, db: &mut Db) -> CommandResult {
    store_combination(call, db, Operation::Difference, "zdiffstore")
}

fn store_combination(
    call: &mut Call,
    db: &mut Db,
    operation: Operation,
    event: &'static str,
) -> CommandResult {
    let limits = call.server.config.sorted_set_limits();
    let combination = Combination::parse(call, db, 2, operation, Purpose::Store)?;
    let entries = combination.entries();
    let result = SortedSet::from_entries(entries.iter().map(borrowed).collect(), limits);
    let destination = call.key();
    store(call, db, &destination, result, event, 1);
    Ok(())
}

/// ```text
/// > ZADD a 1 ann 2 bob 3 cid
/// (integer) 3
/// > ZADD b 10 bob 20 cid
/// (integer) 2
/// > ZINTERCARD 2 a b
/// (integer) 2
/// > ZINTERCARD 2 a b LIMIT 1
/// (integer) 1
/// ```
fn zintercard(call: &mut Call, db: &Db) -> CommandResult {
    let operation = Operation::Intersection;
    let mut combination = Combination::parse(call, db, 1, operation, Purpose::Count)?;
    combination.inputs.sort_by_key(|input| input.members.len());
    let most = match combination.limit {
        0 => usize::MAX,
        limit => limit,
    };
    call.reply
        .count(combination.intersection().take(most).count());
    Ok(())
}
