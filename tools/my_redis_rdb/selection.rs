//! Which part of a file is shown: stands between the walker and a page, and passes on what was asked for.
//!
//! What is left out is counted, and the page is told of each gap where it lies. Header, end and checksum of the file
//! are always shown.

use std::io;

use my_redis_server::rdb::explain::{Excerpt, Field, Place, Role, Section, Sink};

/// What was asked for. None is no limit.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The first keys of each database.
    pub keys: Option<u64>,
    /// The first rows of each value, and of each part of one.
    pub items: Option<u64>,
    /// Nothing before this byte.
    pub from: u64,
    /// Only this key.
    pub key: Option<Vec<u8>>,
}

/// Something left out: the bytes of the file from `from` up to `to`.
#[derive(Clone, Copy, Debug)]
pub struct Gap {
    /// Where it begins. Within a compressed block both are the place of the block.
    pub from: u64,
    /// Where it ends.
    pub to: u64,
    /// The keys in it.
    pub keys: u64,
    /// The rows in it.
    pub rows: u64,
}

/// A sink that can tell of gaps.
pub trait Page: Sink {
    /// Something was left out here.
    fn left_out(&mut self, gap: &Gap) -> io::Result<()>;
}

/// Passes on the selected part.
pub struct Selected<'p, P> {
    page: &'p mut P,
    selection: Selection,
    open: Vec<Level>,
    /// Sections open since one was hidden.
    hidden_depth: usize,
    gap: Option<Gap>,
    /// The end of the last field of the file.
    end: u64,
    keys_shown: u64,
}

/// A section that is shown.
#[derive(Default)]
struct Level {
    is_in_key: bool,
    keys: u64,
    rows: u64,
}

impl<'p, P: Page> Selected<'p, P> {
    pub fn new(page: &'p mut P, selection: Selection) -> Selected<'p, P> {
        Selected {
            page,
            selection,
            open: vec![Level::default()],
            hidden_depth: 0,
            gap: None,
            end: 0,
            keys_shown: 0,
        }
    }

    /// Ends the page; how many keys were shown.
    pub fn finish(mut self) -> io::Result<u64> {
        self.tell_gap()?;
        Ok(self.keys_shown)
    }

    fn tell_gap(&mut self) -> io::Result<()> {
        match self.gap.take() {
            Some(gap) => self.page.left_out(&gap),
            None => Ok(()),
        }
    }

    fn hide(&mut self, from: u64, keys: u64, rows: u64) {
        let gap = self.gap.get_or_insert(Gap {
            from,
            to: from,
            keys: 0,
            rows: 0,
        });
        gap.to = self.end.max(gap.to);
        gap.keys += keys;
        gap.rows += rows;
    }

    fn hides_field(&self, field: &Field<'_>) -> bool {
        if matches!(
            field.role,
            Role::Header | Role::End | Role::Checksum | Role::Rest
        ) {
            return false;
        }
        let is_before = matches!(field.place, Place::File(_)) && self.end <= self.selection.from;
        let is_in_key = self.open.last().is_some_and(|level| level.is_in_key);
        let is_beside_key = self.selection.key.is_some() && !is_in_key;
        is_before || is_beside_key || self.hides_item()
    }

    /// Whether the section that is open has shown as many rows as it may.
    fn hides_item(&self) -> bool {
        let Some(level) = self.open.last() else {
            return false;
        };
        level.is_in_key
            && self
                .selection
                .items
                .is_some_and(|limit| level.rows >= limit)
    }

    fn hides_section(&self, place: Place, section: &Section<'_>) -> bool {
        match section {
            Section::Database(_) => false,
            Section::Key { name, .. } => {
                let is_before = matches!(place, Place::File(at) if at < self.selection.from);
                let shown = self.open.last().map_or(0, |level| level.keys);
                let is_other = |wanted: &Vec<u8>| *name != Excerpt::of(wanted);
                is_before
                    || self.selection.keys.is_some_and(|limit| shown >= limit)
                    || self.selection.key.as_ref().is_some_and(is_other)
            }
            Section::Part(_) => self.hides_item(),
        }
    }
}

impl<P: Page> Sink for Selected<'_, P> {
    fn field(&mut self, field: &Field<'_>) -> io::Result<()> {
        let from = match field.place {
            Place::File(offset) => {
                self.end = offset + field.bytes.total;
                offset
            }
            Place::Plain(_) => self.end,
        };
        if self.hidden_depth > 0 || self.hides_field(field) {
            self.hide(from, 0, 1);
            return Ok(());
        }
        self.tell_gap()?;
        if let Some(level) = self.open.last_mut() {
            level.rows += 1;
        }
        self.page.field(field)
    }

    fn enter(&mut self, place: Place, section: &Section<'_>) -> io::Result<()> {
        let is_key = matches!(section, Section::Key { .. });
        if self.hidden_depth > 0 || self.hides_section(place, section) {
            self.hidden_depth += 1;
            self.hide(self.end, u64::from(is_key), 0);
            return Ok(());
        }
        self.tell_gap()?;
        let mut is_in_key = is_key;
        if let Some(level) = self.open.last_mut() {
            is_in_key |= level.is_in_key;
            level.rows += 1;
            level.keys += u64::from(is_key);
        }
        self.keys_shown += u64::from(is_key);
        self.open.push(Level {
            is_in_key,
            ..Level::default()
        });
        self.page.enter(place, section)
    }

    fn leave(&mut self) -> io::Result<()> {
        if self.hidden_depth > 0 {
            self.hidden_depth -= 1;
            return Ok(());
        }
        self.tell_gap()?;
        self.open.pop();
        self.page.leave()
    }
}
