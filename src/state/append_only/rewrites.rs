//! What commands and the rewriter exchange: requests, and the record of past rewrites.
//!
//! ```text
//!         BGREWRITEAOF, CONFIG SET appendonly, growth          rewriter: next_task
//!   idle ──────────────────────────────────────────► requested ───────────────────► under way
//!    ▲                                                                                  │
//!    └──────────────────────────────────────────────────────────────────────────────────┘
//!                                      rewriter: record_end
//! ```
//!
//! # Invariants
//! 1. The rewriter (`server/append_only/rewriter.rs`) is one thread, so two rewrites never overlap.
//! 2. A rewrite that is scheduled begins when no save is under way.
//!
//! # Thread safety
//! Any thread may request and read the record. `turn` sleeps until the rewriter has done it, so its caller holds no
//! lock. The methods "for the rewriter" are called from its thread only.

use crate::util::clock;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// After this many failures in a row, rewrites that no client asks for wait, as in Redis.
const FREE_FAILURES: u32 = 3;
/// The longest they wait, in minutes.
const LONGEST_MINUTES: i64 = 60;

/// Requests for the rewriter, and the record of past rewrites.
#[derive(Debug, Default)]
pub struct Rewrites {
    book: Mutex<Book>,
    /// There is a request.
    wanted: Condvar,
    /// The file was turned on or off.
    turned: Condvar,
    /// Whether the rewrite under way is to end, because its outcome is of no use.
    is_cancelled: AtomicBool,
}

#[derive(Debug, Default)]
struct Book {
    /// Whether the file is on, when all turns have been carried out.
    will_be_on: bool,
    /// The turns that are requested, in order: each with its number.
    turns: VecDeque<(u64, bool)>,
    last_turn: u64,
    /// The outcomes of turns for which threads wait.
    outcomes: BTreeMap<u64, Option<bool>>,
    /// Whether the rewriter does nothing, because another thread needs the files.
    is_claimed: bool,
    record: Record,
}

/// The record of past rewrites, and of the one under way.
#[derive(Clone, Debug)]
pub struct Record {
    /// Whether one is under way, or requested.
    pub in_progress: bool,
    /// Whether one begins as soon as it may.
    pub is_scheduled: bool,
    /// When the one under way began, in milliseconds of Unix time.
    pub began_at_ms: i64,
    /// Whether the last one succeeded; true before the first.
    pub last_is_ok: bool,
    /// How long the last one took, in seconds; -1 before the first.
    pub last_seconds: i64,
    /// How many have begun.
    pub begun: u64,
    /// How many have failed since the last one that succeeded.
    pub consecutive_failures: u32,
    /// Before this time, in milliseconds of Unix time, none begins that no client asks for.
    next_try_ms: i64,
}

impl Default for Record {
    fn default() -> Record {
        Record {
            in_progress: false,
            is_scheduled: false,
            began_at_ms: 0,
            last_is_ok: true,
            last_seconds: -1,
            begun: 0,
            consecutive_failures: 0,
            next_try_ms: 0,
        }
    }
}

/// What the rewriter is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Turn the file on or off. The turn has a number.
    Turn(u64, bool),
    /// Rewrite it.
    Rewrite,
}

impl Rewrites {
    /// A copy of the record.
    pub fn record(&self) -> Record {
        self.lock().record.clone()
    }

    /// Requests a rewrite; `false` if one is in progress.
    pub fn request(&self) -> bool {
        let mut book = self.lock();
        if book.record.in_progress || book.is_claimed {
            return false;
        }
        self.begin(&mut book.record);
        true
    }

    /// Keeps the rewriter from its work until [`release`](Self::release); `false` if it is at work.
    pub fn claim(&self) -> bool {
        let mut book = self.lock();
        let is_free = !book.record.in_progress && book.turns.is_empty() && !book.is_claimed;
        book.is_claimed |= is_free;
        is_free
    }

    /// Lets the rewriter work again.
    pub fn release(&self) {
        self.lock().is_claimed = false;
        self.wanted.notify_all();
    }

    /// Lets a rewrite begin as soon as it may. A client that asks for it ends the delay after failures.
    pub fn schedule(&self, is_of_client: bool) {
        let record = &mut self.lock().record;
        record.is_scheduled = true;
        if is_of_client {
            record.consecutive_failures = 0;
            record.next_try_ms = 0;
        }
    }

    /// Requests a rewrite that the server itself wants, unless one is in progress, or the last ones have failed.
    /// Returns whether it was requested.
    pub fn request_by_server(&self, now_ms: i64) -> bool {
        let mut book = self.lock();
        let record = &book.record;
        let may_begin = !record.in_progress && !book.is_claimed && now_ms >= record.next_try_ms;
        if may_begin {
            self.begin(&mut book.record);
        }
        may_begin
    }

    fn begin(&self, record: &mut Record) {
        record.in_progress = true;
        record.is_scheduled = false;
        record.began_at_ms = clock::unix_ms();
        record.begun += 1;
        self.is_cancelled.store(false, Relaxed);
        self.wanted.notify_all();
    }

    /// Says whether the file is on when the server begins.
    pub fn begin_as(&self, is_on: bool) {
        self.lock().will_be_on = is_on;
    }

    /// Turns the file on or off, unless that is so already, or will be. With `waits`, returns when that is done, and
    /// whether it could be.
    pub fn turn(&self, on: bool, waits: bool) -> bool {
        let mut book = self.lock();
        if std::mem::replace(&mut book.will_be_on, on) == on {
            return true;
        }
        book.last_turn += 1;
        let mine = book.last_turn;
        book.turns.push_back((mine, on));
        self.is_cancelled.store(true, Relaxed);
        self.wanted.notify_all();
        if !waits {
            return true;
        }
        book.outcomes.insert(mine, None);
        let is_open = |book: &mut Book| matches!(book.outcomes.get(&mine), Some(None));
        let book = self.turned.wait_while(book, is_open);
        let mut book = book.unwrap_or_else(PoisonError::into_inner);
        book.outcomes.remove(&mine).flatten().unwrap_or(true)
    }

    /// Has the rewrite under way end, because the server does.
    pub fn cancel(&self) {
        self.is_cancelled.store(true, Relaxed);
    }

    /// Whether the rewrite under way is to end.
    pub fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Relaxed)
    }

    /// Waits for a request, at most this long. For the rewriter.
    pub fn next_task(&self, longest: Duration) -> Option<Task> {
        let is_idle = |book: &mut Book| {
            book.is_claimed || (book.turns.is_empty() && !book.record.in_progress)
        };
        let waited = self
            .wanted
            .wait_timeout_while(self.lock(), longest, is_idle);
        let mut book = waited.unwrap_or_else(PoisonError::into_inner).0;
        if book.is_claimed {
            return None;
        }
        match book.turns.pop_front() {
            Some((number, on)) => Some(Task::Turn(number, on)),
            None => book.record.in_progress.then_some(Task::Rewrite),
        }
    }

    /// Records that the file was turned on or off, or could not be. For the rewriter.
    pub fn record_turn(&self, number: u64, on: bool, succeeded: bool) {
        let mut book = self.lock();
        if !succeeded && book.turns.is_empty() {
            book.will_be_on = !on;
        }
        if let Some(outcome) = book.outcomes.get_mut(&number) {
            *outcome = Some(succeeded);
        }
        self.turned.notify_all();
    }

    /// Records that a rewrite has begun that belongs to turning the file on. For the rewriter.
    pub fn record_begin(&self) {
        let record = &mut self.lock().record;
        if !record.in_progress {
            self.begin(record);
        }
        self.is_cancelled.store(false, Relaxed);
    }

    /// Records the end of a rewrite; returns for how many minutes the next one is delayed. For the rewriter.
    pub fn record_end(&self, succeeded: bool, now_ms: i64) -> i64 {
        let record = &mut self.lock().record;
        record.in_progress = false;
        record.last_seconds = (now_ms - record.began_at_ms).max(0) / 1000;
        record.last_is_ok = succeeded;
        if succeeded {
            record.consecutive_failures = 0;
            record.next_try_ms = 0;
            return 0;
        }
        record.consecutive_failures += 1;
        let minutes = minutes_after(record.consecutive_failures);
        record.next_try_ms = now_ms + minutes * 60_000;
        minutes
    }

    /// Records the end of a rewrite that was cancelled. For the rewriter.
    pub fn record_cancelled(&self) {
        self.lock().record.in_progress = false;
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For how long rewrites are delayed after failures in a row: not at all, then 1, 2, 4 … 60 minutes.
fn minutes_after(failures: u32) -> i64 {
    match failures.checked_sub(FREE_FAILURES) {
        None => 0,
        Some(more) => (1_i64 << more.min(6)).min(LONGEST_MINUTES),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Redis' delays (`aofRewriteLimited`).
    #[test]
    fn failures_delay_the_next_try() {
        let minutes = (0..12).map(minutes_after).collect::<Vec<_>>();
        assert_eq!(minutes, [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        let rewrites = Rewrites::default();
        for _ in 0..2 {
            assert!(rewrites.request_by_server(0));
            assert!(!rewrites.request() && !rewrites.request_by_server(0));
            assert_eq!(rewrites.record_end(false, 0), 0);
        }
        assert!(rewrites.request_by_server(0));
        assert_eq!(rewrites.record_end(false, 0), 1);
        assert!(!rewrites.request_by_server(59_999));
        // A client is not kept waiting.
        assert!(rewrites.request());
        assert_eq!(rewrites.record_end(false, 0), 2);
        rewrites.schedule(true);
        assert!(rewrites.record().is_scheduled && rewrites.request_by_server(0));
        assert_eq!(rewrites.record_end(true, 5_000), 0);
        let record = rewrites.record();
        assert!(record.last_is_ok && !record.is_scheduled);
        assert_eq!((record.begun, record.consecutive_failures), (5, 0));
    }
}
