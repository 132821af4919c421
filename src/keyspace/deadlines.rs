//! When the keys of a shard are due, page by page of its table. A key's deadline stands in its entry; this is an index
//! of pages, so that the earliest deadline of a shard is known at once, and a deadline costs little more than its
//! eight bytes.
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
pub(super) struct Deadlines {
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
        self.count
    }

    /// Sum of the deadlines, for the average in INFO.
    pub(super) fn sum_ms(&self) -> i128 {
        self.sum_ms
    }

    /// No key is due before this; `None` if no key has a deadline.
    pub(super) fn earliest_ms(&self) -> Option<i64> {
        self.by_time.first().map(|(moment, _)| *moment)
    }

    /// The pages that may have keys that are due at this time.
    pub(super) fn due_pages(&self, now_ms: i64) -> impl Iterator<Item = usize> {
        let due = self.by_time.range(..=(now_ms, usize::MAX));
        due.map(|(_, page)| *page)
    }

    /// Whether a key of this page may have a deadline.
    pub(super) fn may_be_in(&self, page: usize) -> bool {
        self.of_page
            .get(page)
            .is_some_and(|moment| *moment != NEVER)
    }

    /// A key has lost the deadline `from` and got one in the page `to`, in a table that has this many pages now.
    pub(super) fn change(&mut self, from: Option<i64>, to: Option<(usize, i64)>, pages: usize) {
        if let Some(deadline) = from {
            self.count -= 1;
            self.sum_ms -= i128::from(deadline);
        }
        if let Some((_, deadline)) = to {
            self.count += 1;
            self.sum_ms += i128::from(deadline);
        }
        if self.count == 0 {
            *self = Deadlines::default();
            return;
        }
        self.follow(pages);
        if let Some((page, deadline)) = to
            && deadline < self.of_page[page]
        {
            self.set(page, deadline);
        }
    }

    /// The earliest deadline of a page turns out to be this.
    pub(super) fn correct(&mut self, page: usize, earliest_ms: Option<i64>) {
        self.set(page, earliest_ms.unwrap_or(NEVER));
    }

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
