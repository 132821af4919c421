//! What commands and the saver exchange: requests for a save, and the record of past saves.
//!
//! ```text
//!              request_*                  saver: wait_for_request, record_begin
//!   idle ───────────────────► requested ──────────────────────────────────────► being written
//!    ▲                                                                                │
//!    └────────────────────────────────────────────────────────────────────────────────┘
//!                                      saver: record_end
//! ```
//! `Record::in_progress` is true in both other states.
//!
//! # Invariants
//! 1. The saver (`server/saver.rs`) is one thread and makes every save, so two saves never overlap.
//! 2. A request is accepted only if no save is in progress, so there is at most one.
//! 3. The mutex is held for a few lines, and no lock is taken under it.
//!
//! # Thread safety
//! Any thread may request a save and read the record. `request_and_wait` and `request_final` sleep until the save has
//! ended, so their callers hold no lock. The methods "for the saver" are called from the saver's thread only.

use crate::util::clock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The request for the saver, and the record of past saves.
#[derive(Debug)]
pub struct Saves {
    book: Mutex<Book>,
    /// Notified when there is a request.
    wanted: Condvar,
    /// Notified when a save has ended.
    ended: Condvar,
    /// A copy of [`Record::background_failed`] that every writing command reads without the lock.
    background_failed: AtomicBool,
    /// Whether a save is to begin as soon as no rewrite of the append-only file is under way.
    is_scheduled: AtomicBool,
    /// Keys that the save under way has written.
    pub keys_written: AtomicU64,
}

#[derive(Debug)]
struct Book {
    request: Option<Request>,
    record: Record,
}

/// A request to the saver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// A save for which no client waits: BGSAVE, the timer.
    Background,
    /// A save whose client waits for its end: SAVE.
    Foreground,
    /// The last save: once it has begun, no key may change, unless it fails.
    Final,
}

/// The record of past saves, and of the one in progress.
#[derive(Clone, Debug)]
pub struct Record {
    /// Whether a save is under way, or requested.
    pub in_progress: bool,
    /// When the save under way began, in milliseconds of Unix time.
    pub began_at_ms: i64,
    /// The number of saves that have ended, successfully or not.
    pub ended: u64,
    /// The number of successful saves.
    pub succeeded: u64,
    /// Whether the last save succeeded; true before the first.
    pub last_is_ok: bool,
    /// Whether a save in the background failed, and none has succeeded since. As in Redis, a failed SAVE does not
    /// count: its client knows, and no other client is refused to write because of it.
    pub background_failed: bool,
    /// Why the last save failed, in one line; empty if it succeeded.
    pub last_error: String,
    /// The number of keys that the save under way is to write.
    pub keys_total: u64,
    /// When the last save began, in milliseconds of Unix time.
    pub last_try_ms: i64,
    /// When the last successful save ended, or when the server started, in seconds of Unix time.
    pub last_good_s: i64,
    /// The duration of the last save, in seconds; -1 before the first.
    pub last_seconds: i64,
    /// The count of changes that the last successful dump contains.
    pub saved_changes: u64,
}

impl Saves {
    /// A record in which nothing has been saved since the start.
    pub fn new(now_ms: i64) -> Saves {
        let record = Record {
            in_progress: false,
            began_at_ms: 0,
            ended: 0,
            succeeded: 0,
            last_is_ok: true,
            background_failed: false,
            last_error: String::new(),
            keys_total: 0,
            last_try_ms: 0,
            last_good_s: now_ms / 1000,
            last_seconds: -1,
            saved_changes: 0,
        };
        Saves {
            book: Mutex::new(Book {
                request: None,
                record,
            }),
            wanted: Condvar::new(),
            ended: Condvar::new(),
            background_failed: AtomicBool::new(false),
            is_scheduled: AtomicBool::new(false),
            keys_written: AtomicU64::new(0),
        }
    }

    /// Whether the last save in the background failed.
    pub fn background_failed(&self) -> bool {
        self.background_failed.load(Relaxed)
    }

    /// A copy of the record.
    pub fn record(&self) -> Record {
        self.lock().record.clone()
    }

    /// Lets a save begin as soon as no rewrite of the append-only file is under way.
    pub fn schedule(&self) {
        self.is_scheduled.store(true, Relaxed);
    }

    /// Whether a save is to begin as soon as possible.
    pub fn is_scheduled(&self) -> bool {
        self.is_scheduled.load(Relaxed)
    }

    /// Requests a save and returns at once; `false` if one is in progress already.
    pub fn request_background(&self) -> bool {
        let mut book = self.lock();
        let is_free = !book.record.in_progress;
        if is_free {
            self.post(&mut book, Request::Background);
        }
        is_free
    }

    /// Requests a save and waits for its end: whether it succeeded, or `None` if one is in progress already.
    pub fn request_and_wait(&self) -> Option<bool> {
        let mut book = self.lock();
        if book.record.in_progress {
            return None;
        }
        self.post(&mut book, Request::Foreground);
        self.wait_for_end(book, || false)
    }

    /// Waits for the end of a save in progress, then requests the last one and waits for its end: whether it succeeded.
    /// `None` if `gives_up` said meanwhile, at the beginning or after a [`wake`](Saves::wake), that it is not wanted.
    pub fn request_final(&self, gives_up: impl Fn() -> bool) -> Option<bool> {
        let is_free = |book: &Book| !book.record.in_progress;
        let mut book = self.wait(self.lock(), is_free, &gives_up)?;
        self.post(&mut book, Request::Final);
        self.wait_for_end(book, gives_up)
    }

    /// Has `request_final` ask again whether it is still wanted.
    pub fn wake(&self) {
        drop(self.lock());
        self.ended.notify_all();
    }

    fn post(&self, book: &mut Book, request: Request) {
        let record = &mut book.record;
        record.in_progress = true;
        self.is_scheduled.store(false, Relaxed);
        record.began_at_ms = clock::unix_ms();
        record.keys_total = 0;
        self.keys_written.store(0, Relaxed);
        book.request = Some(request);
        self.wanted.notify_all();
    }

    /// Waits for the end of the save that was just asked for: whether it succeeded.
    fn wait_for_end(
        &self,
        book: MutexGuard<'_, Book>,
        gives_up: impl Fn() -> bool,
    ) -> Option<bool> {
        let before = book.record.ended;
        let book = self.wait(book, |book| book.record.ended != before, gives_up)?;
        Some(book.record.last_is_ok)
    }

    /// Waits until a save has ended and `is_so`, or `gives_up`: `None`.
    fn wait<'a>(
        &self,
        book: MutexGuard<'a, Book>,
        is_so: impl Fn(&Book) -> bool,
        gives_up: impl Fn() -> bool,
    ) -> Option<MutexGuard<'a, Book>> {
        let goes_on = |book: &mut Book| !is_so(book) && !gives_up();
        let book = self.ended.wait_while(book, goes_on);
        let book = book.unwrap_or_else(PoisonError::into_inner);
        is_so(&book).then_some(book)
    }

    /// Waits for a request, at most this long. For the saver.
    pub fn wait_for_request(&self, longest: Duration) -> Option<Request> {
        let waited = self
            .wanted
            .wait_timeout_while(self.lock(), longest, |book| book.request.is_none());
        waited
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .request
            .take()
    }

    /// Records that the requested save has begun, and the number of keys that it is to write. For the saver.
    pub fn record_begin(&self, keys_total: u64, now_ms: i64) {
        let mut book = self.lock();
        book.record.keys_total = keys_total;
        book.record.began_at_ms = now_ms;
        book.record.last_try_ms = now_ms;
    }

    /// Records the end of a save: the count of changes that the dump holds, or why it failed. For the saver.
    pub fn record_end(&self, request: Request, outcome: Result<u64, String>, now_ms: i64) {
        let mut book = self.lock();
        let record = &mut book.record;
        record.in_progress = false;
        record.ended += 1;
        record.last_is_ok = outcome.is_ok();
        if record.last_is_ok || request == Request::Background {
            record.background_failed = !record.last_is_ok;
            self.background_failed
                .store(record.background_failed, Relaxed);
        }
        record.last_seconds = (now_ms - record.began_at_ms).max(0) / 1000;
        match outcome {
            Ok(changes) => {
                record.succeeded += 1;
                record.last_good_s = now_ms / 1000;
                record.saved_changes = changes;
                record.last_error.clear();
            }
            Err(reason) => record.last_error = reason,
        }
        self.ended.notify_all();
    }

    /// Records that the changes so far came from the dump and need not be saved. For the loader.
    pub fn record_loaded(&self, changes: u64) {
        self.lock().record.saved_changes = changes;
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
