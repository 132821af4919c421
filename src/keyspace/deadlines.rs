//! When the keys of a shard are due, page by page of its table. A key's deadline stands in its entry; this is an index
//! of pages, so that the earliest deadline of a shard is known at once, and a deadline costs little more than its
//! eight bytes.
//!
//! Most shards of most servers have no deadlines: the index is made with the first, and goes with the last.
//!
//! Invariants:
//! 1. `of_page[p]` is at most the deadline of every key of page `p`. It may be lower: the key that was due then may be
//!    gone or have a later deadline now. The next look for due keys finds none in the page, and raises the moment.
//! 2. `by_time` holds `(of_page[p], p)` for each page with a deadline, and nothing else.
//! 3. `count` and `sum_ms` are exact.

use crate::types::dict;
use std::collections::BTreeSet;

/// A page without deadlines.
const NEVER: i64 = i64::MAX;

/// The deadlines of a shard's keys, in milliseconds of Unix time.
#[derive(Debug, Default)]
pub(super) struct Deadlines(Option<Box<Index>>);

#[derive(Debug, Default)]
struct Index {
    /// No key of the page is due before this.
    of_page: Vec<i64>,
    /// The pages ordered by their moments, without pages of [`NEVER`].
    by_time: BTreeSet<(i64, usize)>,
    count: usize,
    sum_ms: i128,
}

impl Deadlines {
    /// How many keys have a deadline.
    pub(super) fn count(&self) -> usize {
        self.0.as_ref().map_or(0, |index| index.count)
    }

    /// Sum of the deadlines, for the average in INFO.
    pub(super) fn sum_ms(&self) -> i128 {
        self.0.as_ref().map_or(0, |index| index.sum_ms)
    }

    /// No key is due before this; `None` if no key has a deadline.
    pub(super) fn earliest_ms(&self) -> Option<i64> {
        let (moment, _) = self.0.as_ref()?.by_time.first()?;
        Some(*moment)
    }

    /// The pages that may have keys that are due at this time.
    pub(super) fn due_pages(&self, now_ms: i64) -> impl Iterator<Item = usize> {
        let pages = self.0.iter().flat_map(|index| &index.by_time);
        let due = pages.take_while(move |(moment, _)| *moment <= now_ms);
        due.map(|(_, page)| *page)
    }

    /// Whether a key of this page may have a deadline.
    pub(super) fn may_be_in(&self, page: usize) -> bool {
        let moment = self.0.as_ref().and_then(|index| index.of_page.get(page));
        moment.is_some_and(|moment| *moment != NEVER)
    }

    /// A key has lost the deadline `from` and got one in the page `to`, in a table that has this many pages now.
    pub(super) fn change(&mut self, from: Option<i64>, to: Option<(usize, i64)>, pages: usize) {
        let index = self.0.get_or_insert_default();
        if let Some(deadline) = from {
            index.count -= 1;
            index.sum_ms -= i128::from(deadline);
        }
        if let Some((_, deadline)) = to {
            index.count += 1;
            index.sum_ms += i128::from(deadline);
        }
        if index.count == 0 {
            self.0 = None;
            return;
        }
        index.follow(pages);
        if let Some((page, deadline)) = to
            && deadline < index.of_page[page]
        {
            index.set(page, deadline);
        }
    }

    /// The earliest deadline of a page, which may have some, turns out to be this.
    pub(super) fn correct(&mut self, page: usize, earliest_ms: Option<i64>) {
        if let Some(index) = &mut self.0 {
            index.set(page, earliest_ms.unwrap_or(NEVER));
        }
    }
}

impl Index {
    fn set(&mut self, page: usize, moment: i64) {
        let old = std::mem::replace(&mut self.of_page[page], moment);
        if old != NEVER {
            self.by_time.remove(&(old, page));
        }
        if moment != NEVER {
            self.by_time.insert((moment, page));
        }
    }

    /// The table has this many pages now: as keys move from page to page, so do the moments.
    fn follow(&mut self, pages: usize) {
        while self.of_page.len() < pages {
            let page = self.of_page.len();
            let moment = match page {
                0 => NEVER,
                _ => self.of_page[dict::parent_of(page)],
            };
            self.of_page.push(NEVER);
            self.set(page, moment);
        }
        while self.of_page.len() > pages {
            let page = self.of_page.len() - 1;
            let parent = dict::parent_of(page);
            let moment = self.of_page[page].min(self.of_page[parent]);
            self.set(page, NEVER);
            self.set(parent, moment);
            self.of_page.pop();
        }
    }
}
