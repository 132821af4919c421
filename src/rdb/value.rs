//! The value of a key, and how each value type is read.
//!
//! A value type is a layout: a list has four of them, and all give a `Value::List`.

use std::io::Read;

use super::elements::Elements;
use super::encodings::{Encoding, EncodingError, Entry};
use super::error::RdbError;
use super::format::{module_item, quicklist_node, value_type};
use super::source::Source;
use super::stream;
use crate::types::stream::Stream;

/// The value of a key. A collection may be empty: servers do not write such keys, but some files have them. Redis skips
/// them.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A string.
    String(Vec<u8>),
    /// The elements of a list, from head to tail, and its nodes in the file.
    List(Elements, ListNodes),
    /// The members of a set, all different, in any order.
    Set(Elements),
    /// The members of a sorted set, all different, in any order.
    SortedSet {
        /// The members.
        members: Elements,
        /// The score of each; none is NaN.
        scores: Vec<f64>,
    },
    /// Fields and values of a hash, alternating (see `Elements::pairs`); the fields are all different.
    Hash(Elements),
    /// A stream.
    Stream(Box<Stream>),
    /// A value of a module, whose content has been skipped.
    Module {
        /// The name of the module's type, 9 characters.
        name: String,
    },
}

/// The form in memory that a file asks for a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListNodes {
    /// No request, or one packed node: the form follows from the size.
    NotSaid,
    /// A quicklist, until the list shrinks. The nodes after the first begin at these elements.
    Quicklist(Vec<usize>),
}

impl Value {
    /// Whether it is a collection without elements.
    pub fn is_empty_collection(&self) -> bool {
        match self {
            Value::List(elements, _) | Value::Hash(elements) | Value::Set(elements) => {
                elements.is_empty()
            }
            Value::SortedSet { members, .. } => members.is_empty(),
            Value::String(_) | Value::Stream(_) | Value::Module { .. } => false,
        }
    }
}

/// Whether `read` knows the type.
pub(super) fn is_known_type(type_code: u8) -> bool {
    matches!(
        type_code,
        value_type::STRING..=value_type::MODULE_2 | value_type::HASH_ZIPMAP..=value_type::STREAM_LISTPACKS_3
    )
}

/// Reads the value that follows a key.
pub(super) fn read<R: Read>(source: &mut Source<R>, type_code: u8) -> Result<Value, RdbError> {
    let at = source.offset();
    match type_code {
        value_type::STRING => Ok(Value::String(source.string("a string value")?)),

        value_type::LIST => Ok(Value::List(read_strings(source, 1)?, ListNodes::NotSaid)),
        value_type::LIST_ZIPLIST => {
            let elements = read_block(source, Encoding::Ziplist)?;
            Ok(Value::List(elements, ListNodes::Quicklist(Vec::new())))
        }
        value_type::LIST_QUICKLIST => read_quicklist(source),
        value_type::LIST_QUICKLIST_2 => read_quicklist_2(source),

        value_type::SET => set(at, read_strings(source, 1)?),
        value_type::SET_INTSET => set(at, read_block(source, Encoding::Intset)?),
        value_type::SET_LISTPACK => set(at, read_block(source, Encoding::Listpack)?),

        value_type::HASH => hash(at, read_strings(source, 2)?),
        value_type::HASH_ZIPMAP => hash(at, read_block(source, Encoding::Zipmap)?),
        value_type::HASH_ZIPLIST => hash(at, read_block(source, Encoding::Ziplist)?),
        value_type::HASH_LISTPACK => hash(at, read_block(source, Encoding::Listpack)?),

        value_type::ZSET => read_sorted_set(source, read_ascii_score),
        value_type::ZSET_2 => read_sorted_set(source, read_binary_score),
        value_type::ZSET_ZIPLIST => read_scored_block(source, Encoding::Ziplist),
        value_type::ZSET_LISTPACK => read_scored_block(source, Encoding::Listpack),

        value_type::STREAM_LISTPACKS
        | value_type::STREAM_LISTPACKS_2
        | value_type::STREAM_LISTPACKS_3 => {
            Ok(Value::Stream(Box::new(stream::read(source, type_code)?)))
        }
        value_type::MODULE_2 => Ok(Value::Module {
            name: skip_module(source)?,
        }),
        value_type::MODULE_PRE_GA => {
            let name = module_type_name(source.length("a module type")?);
            Err(pre_release_module(at, &name))
        }
        _ => Err(RdbError::UnknownType {
            offset: at,
            type_code,
        }),
    }
}

fn set(at: u64, members: Elements) -> Result<Value, RdbError> {
    if members.has_duplicates(1) {
        return Err(RdbError::bad(at, "Duplicate set members detected"));
    }
    Ok(Value::Set(members))
}

/// A hash whose fields differ. Redis 7.2 loads a small one with a field twice as it is, unless `sanitize-dump-payload`
/// is `yes`, and redis-check-rdb refuses it. Here one of the two values would be lost, so the file is refused.
fn hash(at: u64, elements: Elements) -> Result<Value, RdbError> {
    if elements.has_duplicates(2) {
        return Err(RdbError::bad(at, "Duplicate hash fields detected"));
    }
    if !elements.len().is_multiple_of(2) {
        return Err(RdbError::bad(at, "a hash whose last field has no value"));
    }
    Ok(Value::Hash(elements))
}

fn sorted_set(at: u64, members: Elements, scores: Vec<f64>) -> Result<Value, RdbError> {
    if scores.iter().any(|score| score.is_nan()) {
        return Err(RdbError::bad(at, "Zset with NAN score detected"));
    }
    if members.has_duplicates(1) {
        return Err(RdbError::bad(at, "Duplicate zset fields detected"));
    }
    Ok(Value::SortedSet { members, scores })
}

/// A length n, then n items of `per_item` strings each.
fn read_strings<R: Read>(source: &mut Source<R>, per_item: u64) -> Result<Elements, RdbError> {
    let items = source.length("a number of elements")?;
    let mut elements = Elements::new();
    // No memory is allocated for the announced number of elements, only for those that arrive.
    for _ in 0..items.saturating_mul(per_item) {
        elements.push_with(|bytes| source.append_string(bytes, "an element"))?;
    }
    Ok(elements)
}

/// A length n, then n pairs of a member and its score.
fn read_sorted_set<R: Read>(
    source: &mut Source<R>,
    read_score: impl Fn(&mut Source<R>) -> Result<f64, RdbError>,
) -> Result<Value, RdbError> {
    let at = source.offset();
    let mut members = Elements::new();
    let mut scores = Vec::new();
    for _ in 0..source.length("a number of members")? {
        members.push_with(|bytes| source.append_string(bytes, "a member"))?;
        scores.push(read_score(source)?);
    }
    sorted_set(at, members, scores)
}

pub(super) fn read_binary_score<R: Read>(source: &mut Source<R>) -> Result<f64, RdbError> {
    Ok(f64::from_le_bytes(source.bytes("a score")?))
}

/// A score as text: one byte with its length, or with 253 for NaN and 254 and 255 for the infinities; then the text.
fn read_ascii_score<R: Read>(source: &mut Source<R>) -> Result<f64, RdbError> {
    let at = source.offset();
    match source.byte("a score")? {
        253 => Ok(f64::NAN),
        254 => Ok(f64::INFINITY),
        255 => Ok(f64::NEG_INFINITY),
        len => {
            let mut text = Vec::new();
            source.append_bytes(&mut text, u64::from(len), "a score")?;
            parse_score(&text).ok_or_else(|| RdbError::bad(at, "a score that is not a number"))
        }
    }
}

pub(super) fn parse_score(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Reads a string that is a packed encoding.
fn read_block<R: Read>(source: &mut Source<R>, encoding: Encoding) -> Result<Elements, RdbError> {
    let mut elements = Elements::new();
    append_block(source, encoding, &mut elements)?;
    Ok(elements)
}

fn append_block<R: Read>(
    source: &mut Source<R>,
    encoding: Encoding,
    elements: &mut Elements,
) -> Result<(), RdbError> {
    let at = source.offset();
    let block = source.string(encoding.name())?;
    encoding
        .for_each(&block, |entry| elements.push_entry(entry))
        .map_err(|error| bad_block(at, encoding, error))
}

/// Reads a string that is a packed encoding of members and scores, alternating.
fn read_scored_block<R: Read>(
    source: &mut Source<R>,
    encoding: Encoding,
) -> Result<Value, RdbError> {
    let at = source.offset();
    let block = source.string(encoding.name())?;
    let mut members = Elements::new();
    let mut scores = Vec::new();
    let mut damaged = false;
    let result = encoding.for_each(&block, |entry| {
        if members.len() == scores.len() {
            members.push_entry(entry);
            return;
        }
        let score = match entry {
            Entry::Integer(number) => Some(number as f64),
            Entry::Text(text) => parse_score(text),
        };
        damaged |= score.is_none();
        scores.push(score.unwrap_or(0.0));
    });
    result.map_err(|error| bad_block(at, encoding, error))?;
    if damaged || members.len() != scores.len() {
        return Err(RdbError::bad(
            at,
            "a sorted set where a score is missing or not a number",
        ));
    }
    sorted_set(at, members, scores)
}

/// Converts an error in a block to an error of the file. The place in the block is given separately, since the block
/// may be compressed in the file.
pub(super) fn bad_block(at: u64, encoding: Encoding, error: EncodingError) -> RdbError {
    RdbError::bad(
        at,
        format!(
            "{} integrity check failed at its byte {}: {}",
            encoding.name(),
            error.at,
            error.what
        ),
    )
}

/// Reads a quicklist: a list in nodes, each a packed block of several elements.
fn read_quicklist<R: Read>(source: &mut Source<R>) -> Result<Value, RdbError> {
    let mut list = NodeByNode::default();
    for _ in 0..source.length("a number of list nodes")? {
        append_block(source, Encoding::Ziplist, &mut list.elements)?;
        list.end_node(true);
    }
    Ok(list.finish())
}

/// Reads a plain node: one element too large for a listpack. As in Redis, an empty string is an error here.
pub(super) const EMPTY_PLAIN_NODE: &str =
    "Quicklist integrity check failed: a node of one element, which is empty";

/// Reads a quicklist in the format of Redis 7.0, in which a large element is a node of its own.
fn read_quicklist_2<R: Read>(source: &mut Source<R>) -> Result<Value, RdbError> {
    let mut list = NodeByNode::default();
    for _ in 0..source.length("a number of list nodes")? {
        let at = source.offset();
        let elements = &mut list.elements;
        match source.length("a kind of list node")? {
            quicklist_node::PLAIN => {
                elements.push_with(|bytes| source.append_string(bytes, "an element"))?;
                if elements.get(elements.len() - 1).is_empty() {
                    return Err(RdbError::bad(at, EMPTY_PLAIN_NODE));
                }
                list.end_node(false);
            }
            quicklist_node::PACKED => {
                append_block(source, Encoding::Listpack, elements)?;
                list.end_node(true);
            }
            _ => {
                return Err(RdbError::bad(
                    at,
                    "Quicklist integrity check failed: unknown kind of node",
                ));
            }
        }
    }
    Ok(list.finish())
}

/// A list that is read node by node.
#[derive(Default)]
struct NodeByNode {
    elements: Elements,
    /// The ends of the nodes that are not empty.
    ends: Vec<usize>,
    has_plain_node: bool,
}

impl NodeByNode {
    fn end_node(&mut self, is_packed: bool) {
        self.has_plain_node |= !is_packed;
        let end = self.elements.len();
        if self.ends.last().copied().unwrap_or(0) < end {
            self.ends.push(end);
        }
    }

    /// Redis turns a quicklist of a single packed node into a listpack when it loads it, if the size allows that.
    fn finish(mut self) -> Value {
        let nodes = if self.ends.len() <= 1 && !self.has_plain_node {
            ListNodes::NotSaid
        } else {
            self.ends.pop();
            ListNodes::Quicklist(self.ends)
        };
        Value::List(self.elements, nodes)
    }
}

/// The error for a value in the first module format, which does not say where it ends.
pub(super) fn pre_release_module(at: u64, name: &str) -> RdbError {
    let what = format!("Pre-release module format not supported: a value of the module {name}");
    RdbError::bad(at, what)
}

/// Skips the value of a module, and returns the name of its type.
fn skip_module<R: Read>(source: &mut Source<R>) -> Result<String, RdbError> {
    let id = source.length("a module type")?;
    skip_module_items(source)?;
    Ok(module_type_name(id))
}

/// Skips the data of a module, which describes itself so that it can be skipped.
pub(super) fn skip_module_items<R: Read>(source: &mut Source<R>) -> Result<(), RdbError> {
    loop {
        let at = source.offset();
        match source.length("a module item")? {
            module_item::END => return Ok(()),
            module_item::SIGNED | module_item::UNSIGNED => {
                source.length("a module integer")?;
            }
            module_item::FLOAT => {
                source.bytes::<4>("a module float")?;
            }
            module_item::DOUBLE => {
                source.bytes::<8>("a module double")?;
            }
            module_item::STRING => {
                source.string("a module string")?;
            }
            _ => return Err(RdbError::bad(at, "unknown module item")),
        }
    }
}

/// The name in a module id: nine characters of 6 bits each, highest first, above 10 bits of the type's own version.
pub(super) fn module_type_name(id: u64) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (0..9)
        .map(|index| char::from(ALPHABET[(id >> (58 - 6 * index)) as usize & 63]))
        .collect()
}
