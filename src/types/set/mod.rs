//! The set: a sorted array while all members are integers, one packed block while it is small, a hash table when it
//! grows.
//!
//! It changes its form when Redis 7.2 does, so that `OBJECT ENCODING` gives equal answers. Removing a member never
//! changes the form.

pub mod algebra;
mod intset;

use super::blocks::block_bytes;
use super::dict::{self, Content, Dict, Item, Keyed};
use super::draw::Selection;
use super::limits::SetLimits;
use super::packed::Packed;
use crate::util::number;
use intset::Intset;
use triomphe::ThinArc;

/// A set of byte strings.
#[derive(Clone, Debug)]
pub struct Set {
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    /// Members that are integers, written as Redis prints them.
    Integers(Intset),
    /// In order of insertion.
    Compact(Packed),
    Table(Box<Dict<LargeMember>>),
}

/// A member that is too large for a page of the table, in a block of its own.
#[derive(Clone, Debug)]
struct LargeMember(ThinArc<(), u8>);

impl Keyed for LargeMember {
    fn of_pair(member: &[u8], _: &[u8]) -> LargeMember {
        LargeMember(ThinArc::from_header_and_slice((), member))
    }

    fn key(&self) -> &[u8] {
        &self.0.slice
    }
}

/// A member as it is kept, or as it is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Member<'a> {
    /// Bytes; they may be those of an integer.
    Text(&'a [u8]),
    /// An integer, standing for its decimal text.
    Integer(i64),
}

impl<'a> Member<'a> {
    /// The bytes; those of an integer are written into the buffer.
    pub fn text<'b>(&'b self, buffer: &'b mut itoa::Buffer) -> &'b [u8] {
        match self {
            Member::Text(text) => text,
            Member::Integer(integer) => buffer.format(*integer).as_bytes(),
        }
    }

    /// The bytes, if the member is kept as bytes.
    pub fn as_text(self) -> Option<&'a [u8]> {
        match self {
            Member::Text(text) => Some(text),
            Member::Integer(_) => None,
        }
    }

    /// The integer whose decimal text the member is, if it is one.
    pub fn integer(self) -> Option<i64> {
        match self {
            Member::Text(text) => number::parse_i64(text),
            Member::Integer(integer) => Some(integer),
        }
    }

    /// The member in a unique form: as an integer if it is the text of one. Equal members have equal forms.
    fn canonical(self) -> Member<'a> {
        self.integer().map_or(self, Member::Integer)
    }
}

impl<'a> From<&'a [u8]> for Member<'a> {
    fn from(text: &'a [u8]) -> Self {
        Member::Text(text)
    }
}

impl Default for Set {
    fn default() -> Self {
        Set {
            form: Form::Integers(Intset::default()),
        }
    }
}

/// Reading.
impl Set {
    /// The number of members.
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Integers(integers) => integers.len(),
            Form::Compact(block) => block.len(),
            Form::Table(table) => table.len(),
        }
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The form, as `OBJECT ENCODING` names it.
    pub fn encoding(&self) -> &'static str {
        match self.form {
            Form::Integers(_) => "intset",
            Form::Compact(_) => "listpack",
            Form::Table(_) => "hashtable",
        }
    }

    /// Bytes of its blocks of memory; for a table an estimate from `samples` of its pages.
    pub fn memory_bytes(&self, samples: usize) -> usize {
        match &self.form {
            Form::Integers(integers) => integers.memory_bytes(),
            Form::Compact(block) => block.memory_bytes(),
            Form::Table(table) => {
                let large = |member: &LargeMember| {
                    block_bytes(2 * size_of::<usize>() + member.0.slice.len())
                };
                block_bytes(size_of_val(&**table)) + table.memory_bytes(samples, large)
            }
        }
    }

    /// The members, if they are kept as integers.
    pub fn integers(&self) -> Option<impl ExactSizeIterator<Item = i64>> {
        match &self.form {
            Form::Integers(integers) => Some(integers.iter()),
            _ => None,
        }
    }

    fn is_table(&self) -> bool {
        matches!(self.form, Form::Table(_))
    }

    /// Whether this is a member.
    pub fn contains(&self, member: Member<'_>) -> bool {
        if let Form::Integers(integers) = &self.form {
            return member.integer().is_some_and(|it| integers.contains(it));
        }
        let mut buffer = itoa::Buffer::new();
        let text = member.text(&mut buffer);
        match &self.form {
            Form::Table(table) => table.position(dict::hash(text), text).is_some(),
            Form::Compact(block) => block.position(text).is_some(),
            Form::Integers(_) => unreachable!("looked at above"),
        }
    }

    /// All members: ascending if they are integers, in order of insertion while the set is compact.
    pub fn iter(&self) -> impl Iterator<Item = Member<'_>> {
        let (integers, block, table) = match &self.form {
            Form::Integers(integers) => (Some(integers.iter()), None, None),
            Form::Compact(block) => (None, Some(block.iter()), None),
            Form::Table(table) => (None, None, Some(table.iter().map(member))),
        };
        let integers = integers.into_iter().flatten().map(Member::Integer);
        let block = block.into_iter().flatten().map(Member::Text);
        integers.chain(block).chain(table.into_iter().flatten())
    }

    /// The number of parts in which the members lie: the pages of a table, or 1.
    pub fn parts(&self) -> usize {
        match &self.form {
            Form::Integers(_) | Form::Compact(_) => 1,
            Form::Table(table) => table.pages(),
        }
    }

    /// The members of a part, in the order of [`Set::iter`].
    pub fn part(&self, part: usize) -> impl Iterator<Item = Member<'_>> {
        let (all, table) = match &self.form {
            Form::Integers(_) | Form::Compact(_) => (Some(self.iter()), None),
            Form::Table(table) => (None, Some(table.page_items(part).map(member))),
        };
        all.into_iter().flatten().chain(table.into_iter().flatten())
    }

    /// Draws a member, each with the same probability. `random` gives uniform numbers.
    pub fn random(&self, mut random: impl FnMut() -> u64) -> Option<Member<'_>> {
        match &self.form {
            Form::Table(table) => table.random(random).map(member),
            _ if self.is_empty() => None,
            Form::Integers(integers) => {
                let place = random() as usize % integers.len();
                integers.get(place).map(Member::Integer)
            }
            Form::Compact(block) => {
                let index = random() as usize % block.len();
                block.get(index).map(Member::Text)
            }
        }
    }

    /// Draws `count` different members, or all if there are fewer. Each set of members has the same probability.
    pub fn draw<'a>(
        &'a self,
        count: usize,
        mut random: impl FnMut() -> u64,
        mut visit: impl FnMut(Member<'a>),
    ) {
        match &self.form {
            Form::Table(table) => table.draw(count, random, |item| visit(member(item))),
            _ => {
                let mut selection = Selection::new(count, self.len());
                let chosen = self.iter().filter(|_| selection.takes(&mut random));
                chosen.for_each(visit);
            }
        }
    }

    /// Draws `count` members independently, so that a member may be drawn more than once.
    pub fn draw_repeatedly<'a>(
        &'a self,
        count: usize,
        mut random: impl FnMut() -> u64,
        mut visit: impl FnMut(Member<'a>),
    ) {
        match &self.form {
            // Finding a member in a block means walking to it, so one walk finds all of them.
            Form::Compact(block) if !block.is_empty() => {
                let members: Vec<&[u8]> = block.iter().collect();
                for _ in 0..count {
                    visit(Member::Text(members[random() as usize % members.len()]));
                }
            }
            _ => (0..count)
                .filter_map(|_| self.random(&mut random))
                .for_each(visit),
        }
    }

    /// Visits some members and returns the cursor of the next call, 0 at the end: see [`Dict::scan`]. As in Redis, the
    /// first call visits all members of a set that is not a table.
    pub fn scan<'a>(&'a self, cursor: u64, mut visit: impl FnMut(Member<'a>)) -> u64 {
        match &self.form {
            Form::Table(table) => table.scan(cursor, |item| visit(member(item))),
            _ => {
                self.iter().for_each(visit);
                0
            }
        }
    }
}

/// Writing.
impl Set {
    /// An empty set in the packed form, even if its first members are integers.
    pub fn compact() -> Set {
        Set {
            form: Form::Compact(Packed::default()),
        }
    }

    /// Prepares for adding `count` members, `first` before the others. If these may be too many for the form that the
    /// set would have, it becomes a table at once. As in Redis, members that the set has already are counted, too.
    pub fn reserve(&mut self, first: &[u8], count: usize, limits: SetLimits) {
        match &self.form {
            Form::Table(_) => {}
            Form::Compact(_) if count <= limits.compact.entries => {}
            Form::Integers(integers) if integers.len() > 0 && count <= limits.integers => {}
            Form::Integers(integers) if integers.len() == 0 => {
                if number::parse_i64(first).is_some() && count <= limits.integers {
                    return;
                }
                self.form = Form::Compact(Packed::default());
                if count > limits.compact.entries {
                    self.make_table();
                }
            }
            _ => self.make_table(),
        }
    }

    /// Adds a member; returns whether it is new.
    pub fn insert(&mut self, member: Member<'_>, limits: SetLimits) -> bool {
        if let Form::Integers(integers) = &mut self.form {
            let Some(integer) = member.integer() else {
                self.leave_integers(limits);
                return self.insert(member, limits);
            };
            let is_new = integers.insert(integer);
            if is_new && integers.len() > limits.integers {
                self.make_table();
            }
            return is_new;
        }
        let mut buffer = itoa::Buffer::new();
        let text = member.text(&mut buffer);
        if let Form::Compact(block) = &mut self.form {
            if block.position(text).is_some() {
                return false;
            }
            if block.len() < limits.compact.entries && text.len() <= limits.compact.value_bytes {
                block.push_back(text);
                return true;
            }
            self.make_table();
        }
        match &mut self.form {
            Form::Table(table) => insert(table, text),
            _ => unreachable!("it has become a table"),
        }
    }

    /// Removes a member; returns whether it was there.
    pub fn remove(&mut self, member: Member<'_>) -> bool {
        if let Form::Integers(integers) = &mut self.form {
            return member.integer().is_some_and(|it| integers.remove(it));
        }
        let mut buffer = itoa::Buffer::new();
        let text = member.text(&mut buffer);
        match &mut self.form {
            Form::Table(table) => match table.position(dict::hash(text), text) {
                Some(position) => {
                    table.remove(position);
                    true
                }
                None => false,
            },
            Form::Compact(block) => match block.position(text) {
                Some(index) => {
                    block.remove(index..index + 1);
                    true
                }
                None => false,
            },
            Form::Integers(_) => unreachable!("looked at above"),
        }
    }

    /// Draws a member, each with the same probability, shows it to the caller and removes it.
    pub fn pop(&mut self, mut random: impl FnMut() -> u64, visit: impl FnOnce(Member<'_>)) {
        match &mut self.form {
            Form::Table(table) => {
                if let Some(position) = table.random_position(random) {
                    visit(member(table.item(position)));
                    table.remove(position);
                }
            }
            Form::Integers(integers) => {
                let place = random() as usize % integers.len().max(1);
                if let Some(integer) = integers.get(place) {
                    visit(Member::Integer(integer));
                    integers.remove(integer);
                }
            }
            Form::Compact(block) => {
                let index = random() as usize % block.len().max(1);
                if let Some(text) = block.get(index) {
                    visit(Member::Text(text));
                    block.remove(index..index + 1);
                }
            }
        }
    }

    /// Removes `count` different members, drawn as [`draw`](Self::draw) does.
    pub fn pop_several(
        &mut self,
        count: usize,
        mut random: impl FnMut() -> u64,
        mut visit: impl FnMut(Member<'_>),
    ) {
        if self.is_table() {
            (0..count).for_each(|_| self.pop(&mut random, &mut visit));
            return;
        }
        // In one pass: removing them from a block one by one would take quadratic time.
        let mut selection = Selection::new(count, self.len());
        let mut stays = |member: Member<'_>| {
            let takes = selection.takes(&mut random);
            if takes {
                visit(member);
            }
            !takes
        };
        match &mut self.form {
            Form::Integers(integers) => {
                *integers = integers
                    .iter()
                    .filter(|it| stays(Member::Integer(*it)))
                    .collect();
            }
            Form::Compact(block) => {
                *block = block.iter().filter(|it| stays(Member::Text(it))).collect();
            }
            Form::Table(_) => unreachable!("looked at above"),
        }
    }

    /// Takes the integer form, if all members are integers and not too many.
    fn make_integers(&mut self, limits: SetLimits) {
        if self.integers().is_none()
            && self.len() <= limits.integers
            && let Some(integers) = self.iter().map(Member::integer).collect()
        {
            self.form = Form::Integers(integers);
        }
    }

    /// Makes room for a member that is not an integer: in a packed block, or in a table if that would be too large.
    fn leave_integers(&mut self, limits: SetLimits) {
        let is_short = |member: Member| {
            member.text(&mut itoa::Buffer::new()).len() <= limits.compact.value_bytes
        };
        if self.len() < limits.compact.entries && self.iter().all(is_short) {
            let mut buffer = itoa::Buffer::new();
            let mut block = Packed::default();
            for member in self.iter() {
                block.push_back(member.text(&mut buffer));
            }
            self.form = Form::Compact(block);
        } else {
            self.make_table();
        }
    }

    /// A table never goes back to another form, as in Redis.
    fn make_table(&mut self) {
        let mut table = Dict::default();
        let mut buffer = itoa::Buffer::new();
        for member in self.iter() {
            let text = member.text(&mut buffer);
            table.insert_pair(dict::hash(text), text, &[], ());
        }
        self.form = Form::Table(Box::new(table));
    }
}

/// Inserts a member into a table; returns whether it is new.
fn insert(table: &mut Dict<LargeMember>, text: &[u8]) -> bool {
    let hash = dict::hash(text);
    let is_new = table.position(hash, text).is_none();
    if is_new {
        table.insert_pair(hash, text, &[], ());
    }
    is_new
}

fn member<'a>(item: Item<'a, LargeMember, ()>) -> Member<'a> {
    Member::Text(Content::key(item.content))
}

#[cfg(test)]
mod tests;
