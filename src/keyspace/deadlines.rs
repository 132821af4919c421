//! When the keys of a shard are due, page by page of its table.
//!
//! A key's deadline stands in its entry. Here stands of each page a moment before which none of its keys is due: so the
//! earliest deadline of a shard is known at once, and a key with a deadline costs little more than the deadline itself.
//! The moment may be too early, because the key that was due then is gone or has a later deadline now. Nobody is woken
//! too late; who is woken too early looks at the page and corrects the moment.

use crate::types::dict;
use std::collections::BTreeSet;

/// A page without deadlines.
const NEVER: i64 = i64::MAX;

/// The deadlines of a shard's keys, in milliseconds of Unix time.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    /// No key of the page is due before this.
    of_page: Vec<i64>,
    /// The same as `(moment, page)`, pages with [`NEVER`] left out.
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

    /// A key has lost the deadline `from` and got one in the page `to`, in a table that has so many pages now.
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

    /// The table has so many pages now: as keys move from page to page, so do the moments.
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
