//! The request to stop the server, by a signal or by SHUTDOWN.
//!
//! ```text
//!             request               main thread: waits for replicas, saves
//!   running ───────────► under way ──────────────────────────────────────► the process ends
//!      ▲                     │
//!      └─────────────────────┘
//!        refuse: the dump cannot be written, or SHUTDOWN ABORT while it waits for replicas
//! ```
//!
//! A request without a save is heard even while another one is under way: the save of that one may wait for a busy
//! script, for ever.
//!
//! # Thread safety
//! Any thread may request; the thread of a SHUTDOWN sleeps until the request is refused. Only the main thread waits and
//! refuses. The mutex is a leaf.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Whether the dump is written before the server stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaveMode {
    /// If save points are configured.
    IfConfigured,
    /// In any case.
    Always,
    /// In no case; what has changed since the last dump is lost.
    Never,
}

/// The manner in which to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShutdownMode {
    /// Whether the dump is written.
    pub save: SaveMode,
    /// Whether the server stops even if the dump cannot be written.
    pub is_forced: bool,
    /// Whether it stops although replicas lack something.
    pub is_now: bool,
}

impl ShutdownMode {
    /// The mode for the value of `shutdown-on-sigint` or `shutdown-on-sigterm`, which is a set of bits.
    pub fn from_directive(flags: i64) -> ShutdownMode {
        const SAVE: i64 = 1;
        const NOSAVE: i64 = 2;
        const NOW: i64 = 4;
        const FORCE: i64 = 8;
        ShutdownMode {
            save: match flags {
                flags if flags & SAVE != 0 => SaveMode::Always,
                flags if flags & NOSAVE != 0 => SaveMode::Never,
                _ => SaveMode::IfConfigured,
            },
            is_forced: flags & FORCE != 0,
            is_now: flags & NOW != 0,
        }
    }
}

/// The request to stop, and its refusal if the dump cannot be written.
#[derive(Debug, Default)]
pub struct Shutdown {
    stop: Mutex<StopRequest>,
    changed: Condvar,
    is_under_way: AtomicBool,
    /// Whether the last request is one without a save.
    skips_save: AtomicBool,
}

#[derive(Debug, Default)]
struct StopRequest {
    mode: Option<ShutdownMode>,
    /// Why the server cannot go on.
    failure: Option<String>,
    refused: u64,
    /// While the main thread waits for replicas: the last moment, in milliseconds of Unix time.
    waits_until_ms: Option<i64>,
    /// What a later request asks for while it does.
    answer: Option<Answer>,
}

/// What to do about the wait for replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// SHUTDOWN NOW: wait no longer.
    Hurry,
    /// SHUTDOWN ABORT: go on.
    Abort,
}

impl Shutdown {
    /// Requests that the server stops. Returns how many requests were refused before.
    pub fn request(&self, mode: ShutdownMode) -> u64 {
        let mut stop = self.lock();
        if stop.mode.is_none() || mode.save == SaveMode::Never {
            stop.mode = Some(mode);
            self.skips_save.store(mode.save == SaveMode::Never, SeqCst);
        }
        if stop.waits_until_ms.is_some() && mode.is_now {
            stop.answer.get_or_insert(Answer::Hurry);
        }
        self.is_under_way.store(true, SeqCst);
        self.changed.notify_all();
        stop.refused
    }

    /// Has the server go on, if it waits for replicas; else returns `false`.
    pub fn abort(&self) -> bool {
        let mut stop = self.lock();
        let waits = stop.waits_until_ms.is_some();
        if waits {
            stop.answer = Some(Answer::Abort);
        }
        waits
    }

    /// The main thread begins to wait for replicas, until this moment at most, in milliseconds of Unix time.
    pub fn begin_wait(&self, until_ms: i64) {
        let mut stop = self.lock();
        stop.waits_until_ms = Some(until_ms);
        stop.answer = None;
    }

    /// While the main thread waits for replicas: the last moment, in milliseconds of Unix time.
    pub fn waits_until_ms(&self) -> Option<i64> {
        self.lock().waits_until_ms
    }

    /// What to do about the wait for replicas, if anything was said.
    pub fn answer(&self) -> Option<Answer> {
        self.lock().answer
    }

    /// The main thread waits for replicas no more.
    pub fn end_wait(&self) -> Option<Answer> {
        let mut stop = self.lock();
        stop.waits_until_ms = None;
        stop.answer
    }

    /// Ends the server because it cannot go on, for this reason.
    pub fn fail(&self, reason: &str) {
        let mut stop = self.lock();
        stop.failure.get_or_insert_with(|| reason.to_string());
        self.is_under_way.store(true, SeqCst);
        self.changed.notify_all();
    }

    /// Why the server cannot go on, if it cannot.
    pub fn failure(&self) -> Option<String> {
        self.lock().failure.clone()
    }

    /// Waits until more requests than these were refused.
    pub fn wait_for_refusal(&self, before: u64) {
        drop(
            self.changed
                .wait_while(self.lock(), |stop| stop.refused == before),
        );
    }

    /// Waits for a request. For the main thread.
    ///
    /// # Errors
    /// The server cannot go on: the reason.
    pub fn wait(&self) -> Result<ShutdownMode, String> {
        let mut stop = self.lock();
        loop {
            match (&stop.failure, stop.mode) {
                (Some(reason), _) => return Err(reason.clone()),
                (None, Some(mode)) => return Ok(mode),
                (None, None) => {
                    stop = self
                        .changed
                        .wait(stop)
                        .unwrap_or_else(PoisonError::into_inner)
                }
            }
        }
    }

    /// Refuses the request: the server goes on. For the main thread.
    pub fn refuse(&self) {
        let mut stop = self.lock();
        stop.mode = None;
        stop.refused += 1;
        self.is_under_way.store(false, SeqCst);
        self.skips_save.store(false, SeqCst);
        self.changed.notify_all();
    }

    /// Whether the request that is under way is one without a save.
    pub fn skips_save(&self) -> bool {
        self.skips_save.load(SeqCst)
    }

    /// Whether a request is under way.
    pub fn is_under_way(&self) -> bool {
        self.is_under_way.load(SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, StopRequest> {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
