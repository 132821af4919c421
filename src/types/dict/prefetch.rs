//! Prefetching: loading the memory of several entries of a [`Dict`] at once.
//!
//! In a table larger than the processor's caches, finding an entry has three cache misses, one after the other, because
//! each load gives the address of the next. A caller that knows several entries in advance takes each of these steps
//! for all of them, so that their cache misses overlap.
//!
//! A processor executes some 500 instructions beyond a load that it waits for, so a step must be short. Searching the
//! slots is too long for a step: it comes between the second and the third.
//!
//! The result of a step has no meaning. It keeps the compiler from removing the load.

use super::{Dict, Keyed, PAGE_ENTRIES, Position, tag};
use std::hint::black_box;

impl<R: Keyed, M: Clone> Dict<R, M> {
    /// Prepares to insert entries with these hashes: loads all memory that the insertions will need at once, instead of
    /// one cache miss after the other.
    pub fn fetch(&self, hashes: impl ExactSizeIterator<Item = u64>) {
        if self.len == 0 {
            return;
        }
        // The insertions will also split pages, which are neighbours.
        let pages = self.pages.len();
        let first = pages - ((pages + 1).next_power_of_two() >> 1);
        let splits = first..pages.min(first + hashes.len() / PAGE_ENTRIES);
        let fetched = splits
            .chain(hashes.map(|hash| self.page_of(hash)))
            .map(|page| self.pages.get(page).fetch());
        black_box(fetched.fold(0, |sum, word| sum ^ word));
    }

    /// Step 1: loads the page of this hash.
    pub fn fetch_page(&self, hash: u64) -> usize {
        let page = self.page_if_any(hash);
        page.map_or(0, |page| self.pages.get(page).fetch_itself())
    }

    /// Step 2: loads the slots of the page.
    pub fn fetch_slots(&self, hash: u64) -> usize {
        let page = self.page_if_any(hash);
        page.map_or(0, |page| self.pages.get(page).fetch() as usize)
    }

    /// Between steps 2 and 3: the position of the first entry with the tag of this hash.
    pub fn likely_position(&self, hash: u64) -> Option<Position> {
        let page = self.page_if_any(hash)?;
        let slot = self.pages.get(page).first_with(tag(hash))?;
        Some(Position { page, slot })
    }

    /// Step 3: loads the entry.
    pub fn fetch_entry(&self, position: Position) -> usize {
        self.pages.get(position.page).fetch_entry(position.slot)
    }
}
