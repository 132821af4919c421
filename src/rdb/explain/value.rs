//! Explains values, with one function for each layout. The counterpart in the reader is `rdb/value.rs`.

use std::borrow::Cow;
use std::collections::HashSet;
use std::io::Read;

use super::super::encodings::{Encoding, Entry};
use super::super::error::RdbError;
use super::super::format::{module_item, quicklist_node, value_type};
use super::super::value::{EMPTY_PLAIN_NODE, module_type_name, parse_score, pre_release_module};
use super::frame::Walker;
use super::text::fingerprint;
use super::{Excerpt, ModuleData, Place, Role, Section, Sink, Walk};
use crate::util::number;

const MODULE_TYPE: &str = "a module type, its name in 6 bits a letter";

/// The kind of a value, without its layout.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    List,
    Set,
    Hash,
    SortedSet,
}

/// The facts about a collection that are needed to find the faults that the reader finds.
struct Collection {
    kind: Kind,
    /// The strings so far: of a hash fields and values.
    len: u64,
    seen: HashSet<u128>,
    first_duplicate: Option<u64>,
    has_bad_score: bool,
    has_nan: bool,
}

impl Collection {
    fn new(kind: Kind) -> Collection {
        Collection {
            kind,
            len: 0,
            seen: HashSet::new(),
            first_duplicate: None,
            has_bad_score: false,
            has_nan: false,
        }
    }

    /// The role of the next string.
    fn name(&self) -> &'static str {
        match (self.kind, self.len.is_multiple_of(2)) {
            (Kind::List, _) => "an element",
            (Kind::Set, _) | (Kind::SortedSet, true) => "a member",
            (Kind::Hash, true) => "a field",
            (Kind::Hash, false) => "a value",
            (Kind::SortedSet, false) => "a score",
        }
    }

    fn add(&mut self, fingerprint: impl FnOnce() -> u128) {
        let must_differ = match self.kind {
            Kind::List => false,
            Kind::Set => true,
            Kind::Hash | Kind::SortedSet => self.len.is_multiple_of(2),
        };
        if must_differ && !self.seen.insert(fingerprint()) {
            self.first_duplicate.get_or_insert(self.len);
        }
        self.len += 1;
    }

    fn add_score(&mut self, score: Option<f64>) {
        self.has_bad_score |= score.is_none();
        self.has_nan |= score.is_some_and(f64::is_nan);
        self.len += 1;
    }

    /// Adds an entry of a packed block, and returns its role.
    fn add_entry(&mut self, entry: Entry<'_>) -> Cow<'static, str> {
        let name = self.name();
        if self.kind == Kind::SortedSet && !self.len.is_multiple_of(2) {
            self.add_score(match entry {
                Entry::Integer(number) => Some(number as f64),
                Entry::Text(text) => parse_score(text),
            });
        } else {
            self.add(|| match entry {
                Entry::Text(text) => fingerprint(text),
                Entry::Integer(number) => {
                    let mut digits = Vec::new();
                    number::format_i64(number, &mut digits);
                    fingerprint(&digits)
                }
            });
        }
        Cow::Borrowed(name)
    }

    /// Finds the faults of a complete collection, in the order in which the reader checks.
    fn check(&self, at: u64) -> Result<(), RdbError> {
        let is_odd = !self.len.is_multiple_of(2);
        let duplicate = self.first_duplicate;
        let fault = match self.kind {
            Kind::Set if duplicate.is_some() => "Duplicate set members detected",
            // A field without a value is not compared.
            Kind::Hash if duplicate.is_some_and(|index| index + 1 < self.len) => {
                "Duplicate hash fields detected"
            }
            Kind::Hash if is_odd => "a hash whose last field has no value",
            Kind::SortedSet if self.has_bad_score || is_odd => {
                "a sorted set where a score is missing or not a number"
            }
            Kind::SortedSet if self.has_nan => "Zset with NAN score detected",
            Kind::SortedSet if duplicate.is_some() => "Duplicate zset fields detected",
            _ => return Ok(()),
        };
        Err(RdbError::bad(at, fault))
    }

    /// The number of elements, members or pairs.
    fn elements(&self) -> u64 {
        match self.kind {
            Kind::List | Kind::Set => self.len,
            Kind::Hash | Kind::SortedSet => self.len / 2,
        }
    }
}

impl<R: Read, S: Sink> Walker<'_, R, S> {
    /// The value that follows a key.
    pub(super) fn value(&mut self, type_code: u8) -> Walk<()> {
        let at = self.source.offset();
        match type_code {
            value_type::STRING => {
                let text = self.text(Role::Text, "a string value")?;
                self.key.elements = 1;
                self.key.string_form = Some(text.form);
                Ok(())
            }
            value_type::LIST => self.strings(Kind::List, 1),
            value_type::SET => self.strings(Kind::Set, 1),
            value_type::HASH => self.strings(Kind::Hash, 2),
            value_type::ZSET => self.sorted_set(Self::ascii_score),
            value_type::ZSET_2 => self.sorted_set(Self::binary_score),
            value_type::LIST_ZIPLIST => self.packed(Kind::List, Encoding::Ziplist),
            value_type::SET_INTSET => self.packed(Kind::Set, Encoding::Intset),
            value_type::SET_LISTPACK => self.packed(Kind::Set, Encoding::Listpack),
            value_type::HASH_ZIPMAP => self.packed(Kind::Hash, Encoding::Zipmap),
            value_type::HASH_ZIPLIST => self.packed(Kind::Hash, Encoding::Ziplist),
            value_type::HASH_LISTPACK => self.packed(Kind::Hash, Encoding::Listpack),
            value_type::ZSET_ZIPLIST => self.packed(Kind::SortedSet, Encoding::Ziplist),
            value_type::ZSET_LISTPACK => self.packed(Kind::SortedSet, Encoding::Listpack),
            value_type::LIST_QUICKLIST => self.quicklist(),
            value_type::LIST_QUICKLIST_2 => self.quicklist_2(),
            value_type::STREAM_LISTPACKS
            | value_type::STREAM_LISTPACKS_2
            | value_type::STREAM_LISTPACKS_3 => self.stream(type_code),
            value_type::MODULE_2 => self.module(ModuleData::Value),
            _ => {
                let id = self.length_as("a module type", MODULE_TYPE)?;
                Err(pre_release_module(at, &module_type_name(id)).into())
            }
        }
    }

    /// A length n, then n items of `per_item` strings each.
    fn strings(&mut self, kind: Kind, per_item: u64) -> Walk<()> {
        let at = self.source.offset();
        let meaning = match per_item {
            1 => "a number of elements",
            _ => "a number of fields with their values",
        };
        let items = self.length_as("a number of elements", meaning)?;
        let mut collection = Collection::new(kind);
        for _ in 0..items.saturating_mul(per_item) {
            let text = self.text_as(Role::Text, "an element", collection.name())?;
            collection.add(|| text.fingerprint);
        }
        self.finish(&collection, at)
    }

    fn finish(&mut self, collection: &Collection, at: u64) -> Walk<()> {
        collection.check(at)?;
        self.key.elements = collection.elements();
        Ok(())
    }

    /// A length n, then n pairs of a member and its score.
    fn sorted_set(&mut self, score: fn(&mut Self) -> Walk<f64>) -> Walk<()> {
        let at = self.source.offset();
        let mut collection = Collection::new(Kind::SortedSet);
        for _ in 0..self.length("a number of members")? {
            let member = self.text(Role::Text, "a member")?.fingerprint;
            collection.add(|| member);
            collection.add_score(Some(score(self)?));
        }
        self.finish(&collection, at)
    }

    fn binary_score(&mut self) -> Walk<f64> {
        let at = self.source.offset();
        let bytes: [u8; 8] = self.source.bytes("a score")?;
        let score = f64::from_le_bytes(bytes);
        let mut digits = Vec::new();
        number::format_f64(score, &mut digits);
        let digits = String::from_utf8_lossy(&digits);
        self.plain_field(at, &bytes, Role::Number, format_args!("a score: {digits}"))?;
        Ok(score)
    }

    fn ascii_score(&mut self) -> Walk<f64> {
        let at = self.source.offset();
        let len = self.source.byte("a score")?;
        let special = match len {
            253 => Some((f64::NAN, "nan")),
            254 => Some((f64::INFINITY, "inf")),
            255 => Some((f64::NEG_INFINITY, "-inf")),
            _ => None,
        };
        if let Some((score, name)) = special {
            self.plain_field(at, &[len], Role::Number, format_args!("a score: {name}"))?;
            return Ok(score);
        }
        self.plain_field(
            at,
            &[len],
            Role::Length,
            format_args!("length of a score: {len}"),
        )?;
        let text_at = self.source.offset();
        let mut text = Vec::new();
        self.source
            .append_bytes(&mut text, u64::from(len), "a score")?;
        let excerpt = Excerpt::of(&text);
        let place = Place::File(text_at);
        self.field(
            place,
            excerpt,
            Role::Number,
            format_args!("a score"),
            Some(excerpt),
        )?;
        let score = parse_score(&text);
        Ok(score.ok_or_else(|| RdbError::bad(at, "a score that is not a number"))?)
    }

    /// A collection that is one packed block.
    fn packed(&mut self, kind: Kind, encoding: Encoding) -> Walk<()> {
        let at = self.source.offset();
        let mut collection = Collection::new(kind);
        self.block(encoding, &mut |entry| collection.add_entry(entry))?;
        self.finish(&collection, at)
    }

    fn quicklist(&mut self) -> Walk<()> {
        let mut list = Collection::new(Kind::List);
        for _ in 0..self.length("a number of list nodes")? {
            self.block(Encoding::Ziplist, &mut |entry| list.add_entry(entry))?;
        }
        self.key.elements = list.elements();
        Ok(())
    }

    fn quicklist_2(&mut self) -> Walk<()> {
        let mut list = Collection::new(Kind::List);
        for _ in 0..self.length("a number of list nodes")? {
            let at = self.source.offset();
            let meaning = "a kind of list node, 1: one element, 2: a listpack";
            match self.length_as("a kind of list node", meaning)? {
                quicklist_node::PLAIN => {
                    if self.text(Role::Text, "an element")?.excerpt().total == 0 {
                        return Err(RdbError::bad(at, EMPTY_PLAIN_NODE).into());
                    }
                    list.len += 1;
                }
                quicklist_node::PACKED => {
                    self.block(Encoding::Listpack, &mut |entry| list.add_entry(entry))?
                }
                _ => {
                    let what = "Quicklist integrity check failed: unknown kind of node";
                    return Err(RdbError::bad(at, what).into());
                }
            }
        }
        self.key.elements = list.elements();
        Ok(())
    }

    /// The data of a module: its type, then items.
    pub(super) fn module(&mut self, data: ModuleData) -> Walk<()> {
        let at = self.source.offset();
        let id = self.length_as("a module type", MODULE_TYPE)?;
        let name = module_type_name(id);
        self.sink.module(&name, data);
        let version = id & 1023;
        let title = format_args!("data of the module type {name}, version {version}");
        self.enter(Place::File(at), &Section::Part(title))?;
        loop {
            let at = self.source.offset();
            let item =
                self.length_as("a module item", "a module item, the kind of what follows")?;
            match item {
                module_item::END => return Ok(self.leave()?),
                module_item::SIGNED | module_item::UNSIGNED => {
                    self.length("a module integer")?;
                }
                module_item::FLOAT => {
                    let at = self.source.offset();
                    let bytes: [u8; 4] = self.source.bytes("a module float")?;
                    let meaning = format_args!("a module float: {}", f32::from_le_bytes(bytes));
                    self.plain_field(at, &bytes, Role::Number, meaning)?;
                }
                module_item::DOUBLE => {
                    let at = self.source.offset();
                    let bytes: [u8; 8] = self.source.bytes("a module double")?;
                    let meaning = format_args!("a module double: {}", f64::from_le_bytes(bytes));
                    self.plain_field(at, &bytes, Role::Number, meaning)?;
                }
                module_item::STRING => drop(self.text(Role::Text, "a module string")?),
                _ => return Err(RdbError::bad(at, "unknown module item").into()),
            }
        }
    }
}
