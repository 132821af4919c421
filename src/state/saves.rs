//! What commands and the saver tell each other: who wants the dump written, and how the last saves went.
//!
//! The saver is one thread (`server/saver.rs`) and owns every save, so that two never overlap. Everyone else asks here
//! and, if need be, waits for the answer.

use crate::util::clock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The saver's letterbox and record.
#[derive(Debug)]
pub struct Saves {
    book: Mutex<Book>,
    /// Rung when the saver has something to do.
    wanted: Condvar,
    /// Rung when a save has ended.
    ended: Condvar,
    /// Whether the last save in the background failed; every writing command looks, so it can be read without the lock.
    background_failed: AtomicBool,
    /// Keys that the save under way has written.
    pub keys_written: AtomicU64,
}

#[derive(Debug)]
struct Book {
    request: Option<Request>,
    record: Record,
}

/// What the saver is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// A save for which no client waits: BGSAVE, the timer.
    Background,
    /// One whose client waits for its end: SAVE.
    Foreground,
    /// The last save: nothing may change any more once it has begun, unless it fails.
    Final,
}

/// How saves have gone.
#[derive(Clone, Debug)]
pub struct Record {
    /// Whether one is under way, or about to begin.
    pub in_progress: bool,
    /// When the one under way began, in milliseconds of Unix time.
    pub began_at_ms: i64,
    /// Saves that have ended, well or not.
    pub ended: u64,
    /// Saves that have ended well.
    pub succeeded: u64,
    /// Whether the last one ended well; true before the first.
    pub last_is_ok: bool,
    /// Whether one in the background failed, and none has ended well since. As in Redis, the client that asked for one
    /// and waited knows that it failed; no other is refused to write for it.
    pub background_failed: bool,
    /// Why the last one failed, in one line; empty if it did not.
    pub last_error: String,
    /// Keys that the one under way is to write.
    pub keys_total: u64,
    /// When the last one was tried, in milliseconds of Unix time.
    pub last_try_ms: i64,
    /// When the last good one ended, or when the server started, in seconds of Unix time.
    pub last_good_s: i64,
    /// How long the last one took, in seconds; -1 before the first.
    pub last_seconds: i64,
    /// The count of changes that the last good dump holds.
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
            keys_written: AtomicU64::new(0),
        }
    }

    /// Whether the last save in the background failed.
    pub fn background_failed(&self) -> bool {
        self.background_failed.load(Relaxed)
    }

    /// How saves have gone.
    pub fn record(&self) -> Record {
        self.lock().record.clone()
    }

    /// Asks for a save; `false` if one is under way already.
    pub fn begin(&self) -> bool {
        let mut book = self.lock();
        let is_free = !book.record.in_progress;
        if is_free {
            self.request(&mut book, Request::Background);
        }
        is_free
    }

    /// Asks for a save and waits for its end: whether it went well, or `None` if one is under way already.
    pub fn begin_and_wait(&self) -> Option<bool> {
        let mut book = self.lock();
        if book.record.in_progress {
            return None;
        }
        self.request(&mut book, Request::Foreground);
        Some(self.wait_for_end(book))
    }

    /// Waits for a save that is under way, then asks for the last one and waits for it: whether it went well.
    pub fn finish(&self) -> bool {
        let book = self
            .ended
            .wait_while(self.lock(), |book| book.record.in_progress);
        let mut book = book.unwrap_or_else(PoisonError::into_inner);
        self.request(&mut book, Request::Final);
        self.wait_for_end(book)
    }

    fn request(&self, book: &mut Book, request: Request) {
        let record = &mut book.record;
        record.in_progress = true;
        record.began_at_ms = clock::unix_ms();
        record.keys_total = 0;
        self.keys_written.store(0, Relaxed);
        book.request = Some(request);
        self.wanted.notify_all();
    }

    /// Waits for the end of the save that was just asked for.
    fn wait_for_end(&self, book: MutexGuard<'_, Book>) -> bool {
        let before = book.record.ended;
        let book = self
            .ended
            .wait_while(book, |book| book.record.ended == before);
        book.unwrap_or_else(PoisonError::into_inner)
            .record
            .last_is_ok
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

    /// Notes when a save has really begun, and how many keys it is to write. For the saver.
    pub fn note_begin(&self, keys_total: u64, now_ms: i64) {
        let mut book = self.lock();
        book.record.keys_total = keys_total;
        book.record.began_at_ms = now_ms;
        book.record.last_try_ms = now_ms;
    }

    /// Notes the end of a save: the count of changes that the dump holds, or why it failed. For the saver.
    pub fn note_end(&self, request: Request, outcome: Result<u64, String>, now_ms: i64) {
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

    /// Notes that the changes so far came from the dump and need not be saved. For the loader.
    pub fn note_loaded(&self, changes: u64) {
        self.lock().record.saved_changes = changes;
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
