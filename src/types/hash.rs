//! The hash: fields and values in one packed block while it is small, a hash table when it grows.
//!
//! A small one is read wherever its block lies, hence all reading goes through a [`HashRef`].

use super::blocks::block_bytes;
use super::dict::{self, Content, Dict, Item, Keyed};
use super::draw::Selection;
use super::limits::CompactLimits;
use super::pairs::{Pairs, PairsRef};
use triomphe::ThinArc;

/// A hash of fields to values.
#[derive(Clone, Debug)]
pub struct Hash {
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    /// In order of insertion.
    Compact(Pairs),
    Table(Box<Dict<LargeField>>),
}

/// A hash, to be read.
#[derive(Clone, Copy, Debug)]
pub enum HashRef<'a> {
    /// One packed block.
    Compact(PairsRef<'a>),
    /// A table.
    Table(TableRef<'a>),
}

/// The table of a large hash.
#[derive(Clone, Copy, Debug)]
pub struct TableRef<'a>(&'a Dict<LargeField>);

/// A field and its value that are together too large for a page of the table. They have a block of their own: the
/// field's length as the header, then the bytes of both.
#[derive(Clone, Debug)]
struct LargeField(ThinArc<usize, u8>);

impl LargeField {
    fn split(&self) -> (&[u8], &[u8]) {
        self.0.slice.split_at(self.0.header.header)
    }
}

impl Keyed for LargeField {
    fn of_pair(field: &[u8], value: &[u8]) -> LargeField {
        let bytes = [field, value].concat();
        LargeField(ThinArc::from_header_and_slice(field.len(), &bytes))
    }

    fn key(&self) -> &[u8] {
        self.split().0
    }
}

impl Default for Hash {
    fn default() -> Self {
        Hash {
            form: Form::Compact(Pairs::default()),
        }
    }
}

impl From<HashRef<'_>> for Hash {
    fn from(hash: HashRef<'_>) -> Hash {
        let form = match hash {
            HashRef::Compact(pairs) => Form::Compact(Pairs::from(pairs)),
            HashRef::Table(TableRef(table)) => Form::Table(Box::new(table.clone())),
        };
        Hash { form }
    }
}

/// Reading.
impl<'a> HashRef<'a> {
    /// The number of fields.
    pub fn len(self) -> usize {
        match self {
            HashRef::Compact(pairs) => pairs.len(),
            HashRef::Table(TableRef(table)) => table.len(),
        }
    }

    /// Whether there is no field.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// What `OBJECT ENCODING` says.
    pub fn encoding(self) -> &'static str {
        match self {
            HashRef::Compact(_) => "listpack",
            HashRef::Table(_) => "hashtable",
        }
    }

    /// The value of a field.
    pub fn get(self, field: &[u8]) -> Option<&'a [u8]> {
        match self {
            HashRef::Compact(pairs) => pairs.get(field),
            HashRef::Table(TableRef(table)) => Some(pair(table.get(dict::hash(field), field)?).1),
        }
    }

    /// All fields with their values; in order of insertion while the hash is compact.
    pub fn iter(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        (0..self.parts()).flat_map(move |part| self.part(part))
    }

    /// The number of parts in which [`part`](Self::part) returns the fields.
    pub fn parts(self) -> usize {
        match self {
            HashRef::Compact(_) => 1,
            HashRef::Table(TableRef(table)) => table.pages(),
        }
    }

    /// The fields of a part, in the order of [`iter`](Self::iter).
    pub fn part(self, part: usize) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let (pairs, table) = match self {
            HashRef::Compact(pairs) => (Some(pairs.iter()), None),
            HashRef::Table(TableRef(table)) => (None, Some(table.page_items(part).map(pair))),
        };
        pairs
            .into_iter()
            .flatten()
            .chain(table.into_iter().flatten())
    }

    /// Draws a field with its value, each field with the same probability.
    pub fn random(self, mut random: impl FnMut() -> u64) -> Option<(&'a [u8], &'a [u8])> {
        match self {
            HashRef::Compact(pairs) if pairs.is_empty() => None,
            HashRef::Compact(pairs) => pairs.iter().nth(random() as usize % pairs.len()),
            HashRef::Table(TableRef(table)) => table.random(random).map(pair),
        }
    }

    /// Draws `count` different fields with their values, or all if there are fewer. Each set of fields has the same
    /// probability.
    pub fn draw(
        self,
        count: usize,
        mut random: impl FnMut() -> u64,
        mut visit: impl FnMut(&'a [u8], &'a [u8]),
    ) {
        match self {
            HashRef::Compact(pairs) => {
                let mut selection = Selection::new(count, pairs.len());
                let chosen = pairs.iter().filter(|_| selection.takes(&mut random));
                chosen.for_each(|(field, value)| visit(field, value));
            }
            HashRef::Table(TableRef(table)) => table.draw(count, random, |item| {
                let (field, value) = pair(item);
                visit(field, value);
            }),
        }
    }

    /// Visits some fields and returns the cursor of the next call, 0 at the end: see [`Dict::scan`]. As in Redis, the
    /// first call visits all fields of a compact hash.
    pub fn scan(self, cursor: u64, mut visit: impl FnMut(&[u8], &[u8])) -> u64 {
        match self {
            HashRef::Compact(pairs) => {
                pairs.iter().for_each(|(field, value)| visit(field, value));
                0
            }
            HashRef::Table(TableRef(table)) => table.scan(cursor, |item| {
                let (field, value) = pair(item);
                visit(field, value);
            }),
        }
    }
}

impl Hash {
    /// The hash, to be read.
    pub fn view(&self) -> HashRef<'_> {
        match &self.form {
            Form::Compact(pairs) => HashRef::Compact(pairs.view()),
            Form::Table(table) => HashRef::Table(TableRef(table)),
        }
    }

    /// Bytes of its blocks of memory; for a table an estimate from `samples` of its pages.
    pub fn memory_bytes(&self, samples: usize) -> usize {
        match &self.form {
            Form::Compact(pairs) => pairs.memory_bytes(),
            Form::Table(table) => {
                let large =
                    |field: &LargeField| block_bytes(3 * size_of::<usize>() + field.0.slice.len());
                block_bytes(size_of_val(&**table)) + table.memory_bytes(samples, large)
            }
        }
    }

    /// Sets a field; returns whether it is new.
    pub fn insert(&mut self, field: &[u8], value: &[u8], limits: CompactLimits) -> bool {
        if field.len().max(value.len()) > limits.value_bytes {
            self.make_table();
        }
        match &mut self.form {
            Form::Table(table) => insert(table, field, value),
            Form::Compact(pairs) => {
                let is_new = pairs.insert(field, value);
                // Also if it is not new: the limit may be lower than it was.
                if pairs.view().len() > limits.entries {
                    self.make_table();
                }
                is_new
            }
        }
    }

    /// Removes a field; returns whether it existed.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match &mut self.form {
            Form::Compact(pairs) => pairs.remove(field),
            Form::Table(table) => match table.position(dict::hash(field), field) {
                Some(position) => {
                    table.remove(position);
                    true
                }
                None => false,
            },
        }
    }

    /// A hash never goes back to the compact form, as in Redis.
    fn make_table(&mut self) {
        if let Form::Compact(pairs) = &self.form {
            let mut table = Dict::default();
            for (field, value) in pairs.view().iter() {
                insert(&mut table, field, value);
            }
            self.form = Form::Table(Box::new(table));
        }
    }
}

/// Sets a field in a table; returns whether it is new.
fn insert(table: &mut Dict<LargeField>, field: &[u8], value: &[u8]) -> bool {
    let hash = dict::hash(field);
    let position = table.position(hash, field);
    match position {
        Some(position) => drop(table.set_pair(position, field, &[value])),
        None => table.insert_pair(hash, field, &[value], ()),
    }
    position.is_none()
}

fn pair<'a>(item: Item<'a, LargeField, ()>) -> (&'a [u8], &'a [u8]) {
    match item.content {
        Content::Pair { key, value } => (key, value),
        Content::Reference(field) => field.split(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const LIMITS: CompactLimits = CompactLimits {
        entries: 8,
        value_bytes: 16,
    };

    #[test]
    fn behaves_like_a_map_in_both_forms() {
        for range in [8, 500] {
            let mut hash = Hash::default();
            let mut model = BTreeMap::new();
            let mut state = 1u64;
            for _ in 0..20_000 {
                state = state
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                let field = format!("f{}", (state >> 33) % range).into_bytes();
                let value = format!("{}", (state >> 50)).into_bytes();
                if !(state >> 20).is_multiple_of(3) {
                    let is_new = model.insert(field.clone(), value.clone()).is_none();
                    assert_eq!(hash.insert(&field, &value, LIMITS), is_new);
                } else {
                    assert_eq!(hash.remove(&field), model.remove(&field).is_some());
                }
                let view = hash.view();
                assert_eq!(view.get(&field), model.get(&field).map(Vec::as_slice));
                assert_eq!(view.len(), model.len());
            }
            let all: BTreeMap<_, _> = hash
                .view()
                .iter()
                .map(|(field, value)| (field.to_vec(), value.to_vec()))
                .collect();
            assert_eq!(all, model);
            let encoding = if range == 8 { "listpack" } else { "hashtable" };
            assert_eq!(hash.view().encoding(), encoding);
        }
    }

    #[test]
    fn leaves_the_compact_form_at_its_limits() {
        let mut hash = Hash::default();
        assert!((0..8u8).all(|field| hash.insert(&[field], b"", LIMITS)));
        hash.insert(&[7], &[b'x'; 16], LIMITS);
        assert_eq!(hash.view().encoding(), "listpack");
        let mut long = hash.clone();
        long.insert(&[7], &[b'x'; 17], LIMITS);
        assert_eq!(long.view().encoding(), "hashtable");
        hash.insert(&[8], b"", LIMITS);
        assert_eq!(hash.view().encoding(), "hashtable");
    }
}
