//! SORT and SORT_RO: the elements of a list, a set or a sorted set, in their own order or in that of what other keys
//! hold.
//!
//! The keys that BY and GET name are known only when the elements are, so all shards are locked then, for reading
//! unless the result is stored. Without them SORT locks its key and its destination alone.
//!
//! Redis turns a compact sorted set into a large one before it sorts it; here it stays as it is.

use crate::command::acl::check;
use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::keyspace::object::{Object, Value};
use crate::keyspace::space::Key;
use crate::state::acl::KeyRights;
use crate::types::list::{End, List};
use crate::types::set::Member;
use crate::util::number;
use crate::util::partial_sort::sort_part;
use crate::util::quoting::c_string;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "sort", arity: -2, handler: ByArguments(handler_of_sort),
        keys: &[key(1, &[RO, ACCESS]), BY_AND_GET, STORE],
        flags: flags(&[WRITE, DENYOOM, CAT_DANGEROUS, CAT_COLLECTIONS]), group: Group::Generic, since: "1.0.0",
        syntax: "key [BY by-pattern(pattern)] [LIMIT <offset count>] [GET get-pattern(pattern) [GET ...]] [order: ASC \
            | DESC] [sorting:ALPHA] [STORE destination]",
        summary: "Sorts the elements in a list, a set, or a sorted set, optionally storing the result.",
        complexity: "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of \
            returned elements. When the elements are not sorted, complexity is O(N).", ..BASE },
    CommandSpec { name: "sort_ro", arity: -2, handler: ByArguments(handler_of_sort_ro),
        keys: &[key(1, &[RO, ACCESS]), BY_AND_GET],
        flags: flags(&[READONLY, CAT_DANGEROUS, CAT_COLLECTIONS]), group: Group::Generic, since: "7.0.0",
        syntax: "key [BY by-pattern(pattern)] [LIMIT <offset count>] [GET get-pattern(pattern) [GET ...]] [order: ASC \
            | DESC] [sorting:ALPHA]",
        summary: "Returns the sorted elements of a list, a set, or a sorted set.",
        complexity: "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of \
            returned elements. When the elements are not sorted, complexity is O(N).", ..BASE },
];

const BY_AND_GET: KeySpec = keys_by_pattern(&[RO, ACCESS]).noting(
    "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key \
    we sort",
);

const STORE: KeySpec = sought_key(destination, &[OW, UPDATE]).noting(
    "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in the argument \
    array",
);

/// The index of the key that the result is stored in.
fn destination(arguments: &[&[u8]]) -> Option<usize> {
    Options::parse(arguments, true).ok()?.destination
}

fn handler_of_sort(arguments: &[&[u8]]) -> Handler {
    let (stores, needs_all) = Options::parse(arguments, true).map_or((false, false), |options| {
        (options.destination.is_some(), options.reaches_other_keys())
    });
    match (stores, needs_all) {
        (false, false) => Handler::Read(sort),
        (false, true) => Handler::ReadAll(sort),
        (true, false) => Handler::Write(sort_and_store),
        (true, true) => Handler::WriteAll(sort_and_store),
    }
}

fn handler_of_sort_ro(arguments: &[&[u8]]) -> Handler {
    match Options::parse(arguments, false) {
        Ok(options) if options.reaches_other_keys() => Handler::ReadAll(sort_ro),
        _ => Handler::Read(sort_ro),
    }
}

/// ```text
/// > RPUSH queue 3 10 2
/// (integer) 3
/// > SORT queue
/// 1) "2"
/// 2) "3"
/// 3) "10"
/// > SORT queue ALPHA DESC LIMIT 0 2
/// 1) "3"
/// 2) "2"
/// > MSET weight_2 9 weight_3 5 weight_10 7
/// OK
/// > SORT queue BY weight_* GET # GET weight_*
/// 1) "3"
/// 2) "5"
/// 3) "10"
/// 4) "7"
/// 5) "2"
/// 6) "9"
/// ```
fn sort(call: &mut Call, db: &Db) -> CommandResult {
    let options = Options::parse(call.arguments, true)?;
    options.check_rights(call)?;
    reply_sorted(call, db, &options)
}

/// ```text
/// > SADD heights 180 165
/// (integer) 2
/// > SORT_RO heights
/// 1) "165"
/// 2) "180"
/// > SORT_RO heights STORE sorted
/// (error) ERR syntax error
/// ```
fn sort_ro(call: &mut Call, db: &Db) -> CommandResult {
    let options = Options::parse(call.arguments, false)?;
    options.check_rights(call)?;
    reply_sorted(call, db, &options)
}

fn reply_sorted(call: &mut Call, db: &Db, options: &Options) -> CommandResult {
    let mut integers = Vec::new();
    let elements = sorted(db, &call.key(), options, &mut integers)?;
    call.reply.array(elements.len() * options.gets.len().max(1));
    options.visit_results(db, &elements, |result| call.reply.bulk_or_null(result));
    Ok(())
}

/// What is absent is stored as an empty string.
///
/// ```text
/// > RPUSH queue 3 10 2
/// (integer) 3
/// > SORT queue STORE sorted
/// (integer) 3
/// > LRANGE sorted 0 -1
/// 1) "2"
/// 2) "3"
/// 3) "10"
/// > SORT nothing STORE sorted
/// (integer) 0
/// > EXISTS sorted
/// (integer) 0
/// ```
fn sort_and_store(call: &mut Call, db: &mut Db) -> CommandResult {
    let options = Options::parse(call.arguments, true)?;
    options.check_rights(call)?;
    let limit = call.server.config.list_block_limit();
    let [key, destination] = [call.keys[0], call.keys[1]];
    let mut list = List::default();
    let mut integers = Vec::new();
    let source = db.look_silently(&key);
    let is_list = source.is_some_and(|entry| matches!(entry.value(), Value::List(_)));
    let is_plain = is_list && options.by.is_none() && options.gets.is_empty();
    let elements = sorted(db, &key, &options, &mut integers)?;
    options.visit_results(db, &elements, |result| {
        list.push(End::Right, result.unwrap_or_default(), limit);
    });
    let len = list.len();
    if len > 0 {
        if !is_plain {
            replay_result(db, &destination, &list);
        }
        db.put_object(&destination, Object::List(list), None);
        db.changed(&destination, "sortstore", len);
    } else if db.remove(&destination) {
        db.changed(&destination, "del", 1);
        db.replay_as(|replay| replay.command(&[b"DEL", destination.bytes]));
    }
    call.reply.count(len);
    Ok(())
}

/// Has the result replayed instead of the command, unless it follows from a list alone. Elements of a set that are
/// equal by what they are sorted by come in the order of its hash table, which is another in another server; and a key
/// that BY or GET names may have expired here, but is still there in a copy. Redis replays the command.
fn replay_result(db: &mut Db, destination: &Key, list: &List) {
    db.replay_as(|replay| {
        replay.command(&[b"DEL", destination.bytes]);
        replay.command_with_elements(&[b"RPUSH", destination.bytes], list.iter());
    });
}

/// What follows the key.
#[derive(Default)]
struct Options<'a> {
    by: Option<Pattern<'a>>,
    /// `BY` with something that is no pattern: the elements stay in the order in which they lie.
    is_unsorted: bool,
    gets: Vec<Pattern<'a>>,
    /// The first option that reaches for other keys, and needs the right to all.
    needs_all_keys: Option<&'static str>,
    /// How many to leave out, and how many to take, all if negative.
    limit: Option<(i64, i64)>,
    is_descending: bool,
    /// By bytes instead of by numbers.
    is_alphabetic: bool,
    /// The index of the key to store the result in.
    destination: Option<usize>,
}

impl<'a> Options<'a> {
    fn parse(arguments: &[&'a [u8]], may_store: bool) -> Result<Options<'a>, CommandError> {
        let integer = |index: usize| number::parse_i64(arguments[index]);
        let mut options = Options::default();
        let mut index = 2;
        while index < arguments.len() {
            let following = arguments.len() - index - 1;
            let word = String::from_utf8_lossy(arguments[index]).to_ascii_uppercase();
            let taken = match word.as_str() {
                "ASC" => {
                    options.is_descending = false;
                    0
                }
                "DESC" => {
                    options.is_descending = true;
                    0
                }
                "ALPHA" => {
                    options.is_alphabetic = true;
                    0
                }
                "LIMIT" if following >= 2 => {
                    let limit = integer(index + 1).zip(integer(index + 2));
                    options.limit = Some(limit.ok_or(CommandError::NotAnInteger)?);
                    2
                }
                "STORE" if following >= 1 && may_store => {
                    options.destination = Some(index + 1);
                    1
                }
                "BY" if following >= 1 => {
                    let pattern = Pattern::parse(arguments[index + 1]);
                    let is_key = matches!(pattern, Pattern::Key { .. });
                    options.is_unsorted |= !is_key;
                    if is_key {
                        options.needs_all_keys.get_or_insert("BY");
                    }
                    options.by = Some(pattern);
                    1
                }
                "GET" if following >= 1 => {
                    options.gets.push(Pattern::parse(arguments[index + 1]));
                    options.needs_all_keys.get_or_insert("GET");
                    1
                }
                _ => return Err(CommandError::Syntax),
            };
            index += 1 + taken;
        }
        Ok(options)
    }

    /// Whether other keys are looked up than those among the arguments.
    fn reaches_other_keys(&self) -> bool {
        let mut patterns = self.by.iter().chain(&self.gets);
        patterns.any(|pattern| matches!(pattern, Pattern::Key { .. }))
    }

    /// Refuses patterns, which may name any key, to a user who may not read every key.
    fn check_rights(&self, call: &Call) -> CommandResult {
        let Some(option) = self.needs_all_keys else {
            return Ok(());
        };
        let command = call.commands.of_request(call.arguments)?;
        if check::permits_on_every_key(call.session, command, call.arguments, KeyRights::READ) {
            return Ok(());
        }
        Err(CommandError::err(format!(
            "{option} option of SORT denied due to insufficient ACL permissions."
        )))
    }

    /// Which elements of a sequence of this length are wanted.
    fn wanted(&self, len: usize) -> Range<usize> {
        let Some((start, count)) = self.limit else {
            return 0..len;
        };
        let start = usize::try_from(start).map_or(0, |start| start.min(len));
        let count = usize::try_from(count).map_or(len, |count| count.min(len));
        start..len.min(start + count)
    }

    fn directed(&self, ordering: Ordering) -> Ordering {
        match self.is_descending {
            true => ordering.reverse(),
            false => ordering,
        }
    }

    /// Shows what is asked for of each element.
    fn visit_results(&self, db: &Db, elements: &[&[u8]], mut visit: impl FnMut(Option<&[u8]>)) {
        let mut name = Vec::new();
        for element in elements {
            if self.gets.is_empty() {
                visit(Some(element));
            }
            for pattern in &self.gets {
                visit(pattern.value(db, element, &mut name));
            }
        }
    }
}

/// What an element leads to.
enum Pattern<'a> {
    /// `#`: the element itself.
    Element,
    /// Without a `*`: nothing.
    Nothing,
    /// `prefix*suffix`, or `prefix*suffix->field` of a hash: what lies there, with the element in place of the `*`.
    Key {
        prefix: &'a [u8],
        suffix: &'a [u8],
        field: Option<&'a [u8]>,
    },
}

impl<'a> Pattern<'a> {
    /// As in Redis, the `*` and the `->` are sought before the first zero byte.
    fn parse(pattern: &'a [u8]) -> Pattern<'a> {
        let text = c_string(pattern);
        if text == b"#" {
            return Pattern::Element;
        }
        let Some(star) = text.iter().position(|byte| *byte == b'*') else {
            return Pattern::Nothing;
        };
        let suffix = &pattern[star + 1..];
        let arrow = text[star + 1..].windows(2).position(|two| two == b"->");
        let arrow = arrow.filter(|arrow| star + 1 + arrow + 2 < text.len());
        Pattern::Key {
            prefix: &pattern[..star],
            suffix: &suffix[..arrow.unwrap_or(suffix.len())],
            field: arrow.map(|arrow| &suffix[arrow + 2..]),
        }
    }

    /// The value for an element; the key's name is written into the buffer.
    fn value<'v>(&self, db: &'v Db, element: &'v [u8], name: &mut Vec<u8>) -> Option<&'v [u8]> {
        let (prefix, suffix, field) = match self {
            Pattern::Element => return Some(element),
            Pattern::Nothing => return None,
            Pattern::Key {
                prefix,
                suffix,
                field,
            } => (prefix, suffix, field),
        };
        name.clear();
        [prefix, element, suffix]
            .iter()
            .for_each(|part| name.extend_from_slice(part));
        let value = db.read(&Key::new(db.view.database, name))?.value();
        match (value, field) {
            (Value::String(string), None) => Some(string),
            (Value::Hash(hash), Some(field)) => hash.get(field),
            _ => None,
        }
    }
}

/// The wanted elements of a key, in order. Those of a set of integers have no bytes; they are written into the buffer.
fn sorted<'a>(
    db: &'a Db,
    key: &Key,
    options: &Options,
    integers: &'a mut Vec<u8>,
) -> Result<Vec<&'a [u8]>, CommandError> {
    let Some(value) = db.read(key).map(|entry| entry.value()) else {
        return Ok(Vec::new());
    };
    match value {
        Value::List(list) if options.is_unsorted => {
            let wanted = options.wanted(list.len());
            return Ok(in_direction(list.len(), wanted, options, |start, count| {
                list.range(start, count).collect()
            }));
        }
        Value::SortedSet(set) if options.is_unsorted => {
            let wanted = options.wanted(set.len());
            return Ok(in_direction(set.len(), wanted, options, |start, count| {
                let entries = set.range(start..start + count);
                entries.map(|(member, _)| member).collect()
            }));
        }
        _ => {}
    }
    let elements = elements(value, integers)?;
    let wanted = options.wanted(elements.len());
    // The members of a set lie in no order: what is stored must not depend on that.
    let forced = matches!(value, Value::Set(_)) && options.destination.is_some();
    match options.is_unsorted {
        true if forced => Ok(by_bytes(db, elements, wanted, options, None)),
        true => Ok(elements[wanted].to_vec()),
        false if options.is_alphabetic => {
            let pattern = options.by.as_ref();
            Ok(by_bytes(db, elements, wanted, options, pattern))
        }
        false => by_numbers(db, elements, wanted, options),
    }
}

/// A part of what has an order, from the front or from the back; `range` gives a number of elements from a start.
fn in_direction<'a>(
    len: usize,
    wanted: Range<usize>,
    options: &Options,
    range: impl Fn(usize, usize) -> Vec<&'a [u8]>,
) -> Vec<&'a [u8]> {
    if !options.is_descending {
        return range(wanted.start, wanted.len());
    }
    let mut elements = range(len - wanted.end, wanted.len());
    elements.reverse();
    elements
}

fn elements<'a>(
    value: Value<'a>,
    integers: &'a mut Vec<u8>,
) -> Result<Vec<&'a [u8]>, CommandError> {
    let set = match value {
        Value::List(list) => return Ok(list.iter().collect()),
        Value::SortedSet(set) => return Ok(set.iter().map(|(member, _)| member).collect()),
        Value::Set(set) => set,
        _ => return Err(CommandError::WrongType),
    };
    let Some(members) = set.integers() else {
        return Ok(set.iter().filter_map(Member::as_text).collect());
    };
    let mut ends = Vec::with_capacity(members.len());
    for member in members {
        number::format_i64(member, integers);
        ends.push(integers.len());
    }
    let starts = [0].into_iter().chain(ends.iter().copied());
    let integers: &'a [u8] = integers;
    Ok(starts
        .zip(&ends)
        .map(|(start, end)| &integers[start..*end])
        .collect())
}

/// Orders elements by the numbers that they or their weights spell, 0 where there is no weight; equal ones by their
/// bytes.
fn by_numbers<'a>(
    db: &Db,
    elements: Vec<&'a [u8]>,
    wanted: Range<usize>,
    options: &Options,
) -> Result<Vec<&'a [u8]>, CommandError> {
    let mut name = Vec::new();
    let weighed = elements.into_iter().map(|element| {
        let weight = match &options.by {
            Some(pattern) => pattern.value(db, element, &mut name).map(Cow::Borrowed),
            None => Some(Cow::Borrowed(element)),
        };
        let number = weight.map_or(Some(0.0), |weight| number_of(&weight));
        number.map(|number| (number, element))
    });
    let weighed: Option<Vec<(f64, &[u8])>> = weighed.collect();
    let mut weighed = weighed
        .ok_or_else(|| CommandError::err("One or more scores can't be converted into double"))?;
    order(&mut weighed, &wanted, |a, b| {
        let ordering = a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal);
        options.directed(ordering.then_with(|| a.1.cmp(b.1)))
    });
    Ok(weighed[wanted]
        .iter()
        .map(|(_, element)| *element)
        .collect())
}

/// The number that a weight spells, as C's `strtod` sees it: up to a zero byte, blanks before it, nothing being 0.
/// `None` if it is none, or too large or too small to be exact.
fn number_of(weight: &[u8]) -> Option<f64> {
    if let Some(integer) = number::parse_i64(weight) {
        return Some(integer as f64);
    }
    let text = c_string(weight);
    if text.is_empty() {
        return Some(0.0);
    }
    let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let blanks = text.iter().take_while(is_blank).count();
    number::parse_f64(&text[blanks..]).filter(|number| !number.is_subnormal())
}

/// Orders elements by their own bytes or by those of their weights, an absent one before all others.
fn by_bytes<'a>(
    db: &Db,
    elements: Vec<&'a [u8]>,
    wanted: Range<usize>,
    options: &Options,
    by: Option<&Pattern>,
) -> Vec<&'a [u8]> {
    struct Weighed<'w, 'a> {
        weight: Option<&'w [u8]>,
        element: &'a [u8],
        index: usize,
    }
    // For a reply Redis compares as people in its locale would, which ends at a zero byte. This is the locale of C.
    let compared = |weight| match options.destination {
        Some(_) => weight,
        None => c_string(weight),
    };
    let mut name = Vec::new();
    let weigh = |(index, element): (usize, &'a [u8])| Weighed {
        weight: match by {
            Some(pattern) => pattern.value(db, element, &mut name).map(compared),
            None => Some(compared(element)),
        },
        element,
        index,
    };
    let mut weighed: Vec<Weighed> = elements.into_iter().enumerate().map(weigh).collect();
    let by_weight = |a: &Weighed, b: &Weighed| options.directed(a.weight.cmp(&b.weight));
    if by.is_some() && wanted != (0..weighed.len()) {
        // Which elements of equal weight are among the wanted ones follows from Redis' algorithm.
        sort_part(&mut weighed, wanted.clone(), by_weight);
    } else {
        order(&mut weighed, &wanted, |a, b| {
            by_weight(a, b).then(a.index.cmp(&b.index))
        });
    }
    weighed[wanted].iter().map(|it| it.element).collect()
}

/// Brings the wanted items to their places; no two different ones may be equal.
fn order<T>(items: &mut [T], wanted: &Range<usize>, compare: impl Fn(&T, &T) -> Ordering) {
    if wanted.is_empty() {
        return;
    }
    let mut part = items;
    if wanted.end < part.len() {
        part = part.select_nth_unstable_by(wanted.end, &compare).0;
    }
    if wanted.start > 0 {
        part.select_nth_unstable_by(wanted.start, &compare);
        part = &mut part[wanted.start..];
    }
    part.sort_unstable_by(&compare);
}
