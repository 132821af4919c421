//! What commands and the threads of the append-only file (`server/append_only`) share.
//!
//! | part | what it is |
//! |---|---|
//! | [`ChangeLog`] | the effects that have not been written |
//! | [`durability`] | which of them are on the disk, and who waits for that |
//! | [`rewrites`] | requests to rewrite the file, to turn it on and off, and the record of the past ones |
//! | here | whether it is on, whether it can be written, its size |
//!
//! # Thread safety
//! Any thread may ask. The mutexes are leaves, but for that of [`durability`], under which outcomes of waits are set.

pub mod durability;
pub mod rewrites;

use crate::state::change_log::ChangeLog;
use crate::state::progress::Progress;
use durability::Durability;
use rewrites::Rewrites;
use std::path::PathBuf;
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU8, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

/// Whether effects are kept in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They are not.
    Off,
    /// They are, but the base to which they belong is still being written: CONFIG SET appendonly yes.
    WaitsForBase,
    /// They are.
    On,
}

/// `appendfsync`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FsyncPolicy {
    /// When the system likes.
    No,
    /// Before a reply leaves.
    Always,
    /// Within a second.
    EverySecond,
}

impl FsyncPolicy {
    /// The value of the directive.
    pub(super) fn from_directive(number: i64) -> FsyncPolicy {
        match number {
            0 => FsyncPolicy::No,
            1 => FsyncPolicy::Always,
            _ => FsyncPolicy::EverySecond,
        }
    }
}

/// What WAITAOF answers when the append-only file is off.
pub const TURNED_OFF: &str =
    "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";

/// No time at all.
const NEVER: i64 = i64::MAX;
/// What has been appended so long ago has to be on the disk with `everysec`.
pub const LATEST: Duration = Duration::from_secs(1);
const LATEST_MS: i64 = LATEST.as_millis() as i64;

/// The append-only file as all threads see it.
#[derive(Debug)]
pub struct AppendOnly {
    /// The effects that have not been written.
    pub log: Arc<ChangeLog>,
    /// Which effects are on the disk.
    pub durability: Arc<Durability>,
    /// Rewrites.
    pub rewrites: Rewrites,
    /// The path of the folder, absolute.
    pub folder: OnceLock<PathBuf>,
    /// Sizes and counts.
    pub figures: Figures,
    mode: AtomicU8,
    /// When the appender last came to write what there was, in milliseconds of Unix time; [`NEVER`] if that is of no
    /// concern. It may be stuck in a write or behind a switch of the increments.
    looked_at_ms: AtomicI64,
    write_failure: Failure,
    fsync_failure: Failure,
}

/// The figures of INFO.
#[derive(Debug, Default)]
pub struct Figures {
    /// Bytes of all files that hold data.
    pub current_bytes: AtomicU64,
    /// Bytes of them after the last rewrite; of the base alone, when they were loaded.
    pub base_bytes: AtomicU64,
    /// Bytes that were read from the log, and could not be written yet.
    pub waiting_bytes: AtomicU64,
    /// How often changes had to wait because the disk was too slow.
    pub delayed_fsyncs: AtomicU64,
    /// Whether an fsync is under way in the background.
    pub is_syncing: AtomicBool,
    /// A sleep before each write and fsync, in microseconds, for tests: DEBUG AOF-FLUSH-SLEEP.
    pub flush_sleep_us: AtomicU64,
}

/// Why something fails, as long as it does. Whether it does is read by every command, without the mutex.
#[derive(Debug, Default)]
struct Failure {
    is_present: AtomicBool,
    words: Mutex<String>,
}

impl Failure {
    /// Returns whether this is new.
    fn set(&self, words: Option<String>) -> bool {
        let is_present = words.is_some();
        *self.words.lock().unwrap_or_else(PoisonError::into_inner) = words.unwrap_or_default();
        self.is_present.swap(is_present, Relaxed) != is_present
    }

    fn words(&self) -> Option<String> {
        let words = || self.words.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_present.load(Relaxed).then(|| words().clone())
    }
}

impl AppendOnly {
    /// The append-only file is off. `progress` has the clients that wait for the disk.
    pub fn new(progress: &Arc<Progress>) -> AppendOnly {
        AppendOnly {
            log: Arc::default(),
            durability: Arc::new(Durability::new(progress.clone())),
            rewrites: Rewrites::default(),
            folder: OnceLock::new(),
            figures: Figures::default(),
            mode: AtomicU8::new(Mode::Off as u8),
            looked_at_ms: AtomicI64::new(NEVER),
            write_failure: Failure::default(),
            fsync_failure: Failure::default(),
        }
    }

    /// The number after that of the last block of the log.
    #[inline]
    pub fn end(&self) -> u64 {
        self.log.end()
    }

    /// Memory of what has not been written, in bytes.
    pub fn buffer_bytes(&self) -> u64 {
        self.log.bytes() as u64 + self.figures.waiting_bytes.load(Relaxed)
    }

    /// Notes that the appender comes to write what there is, at this Unix time in milliseconds. Returns whether it has
    /// been stuck. For the appender.
    pub fn note_look(&self, now_ms: i64) -> bool {
        let before = self.looked_at_ms.swap(now_ms, Relaxed);
        now_ms.saturating_sub(before) > LATEST_MS
    }

    /// From now on it is of no concern when the appender looks. For the appender.
    pub fn forget_look(&self) {
        self.looked_at_ms.store(NEVER, Relaxed);
    }

    /// Whether commands that change keys have to wait at this Unix time in milliseconds, because the disk is too slow.
    #[inline]
    pub fn holds_changes(&self, now_ms: i64) -> bool {
        let looked_at_ms = self.looked_at_ms.load(Relaxed);
        self.log.is_held() || now_ms.saturating_sub(looked_at_ms) > LATEST_MS
    }

    /// Whether effects are kept.
    pub fn mode(&self) -> Mode {
        match self.mode.load(Acquire) {
            0 => Mode::Off,
            1 => Mode::WaitsForBase,
            _ => Mode::On,
        }
    }

    /// Notes whether effects are kept. For the rewriter.
    pub fn set_mode(&self, mode: Mode) {
        self.mode.store(mode as u8, Release);
    }

    /// Notes that the file cannot be written, and why, or that it could be. Returns whether that is new.
    pub fn set_write_failure(&self, words: Option<String>) -> bool {
        self.write_failure.set(words)
    }

    /// Notes that an fsync has failed, and why, or that a new file has been begun. Returns whether that is new.
    pub fn set_fsync_failure(&self, words: Option<String>) -> bool {
        self.fsync_failure.set(words)
    }

    /// Whether an fsync has failed, so that the file that is written may lack what was written to it.
    pub fn has_fsync_failed(&self) -> bool {
        self.fsync_failure.is_present.load(Relaxed)
    }

    /// Whether the file cannot be written.
    #[inline]
    pub fn has_failed(&self) -> bool {
        self.write_failure.is_present.load(Relaxed) || self.fsync_failure.is_present.load(Relaxed)
    }

    /// Why the file cannot be written: the words of the system.
    pub fn failure(&self) -> Option<String> {
        self.write_failure
            .words()
            .or_else(|| self.fsync_failure.words())
    }
}

impl Figures {
    /// Sleeps as DEBUG AOF-FLUSH-SLEEP wants it.
    pub fn sleep_before_flush(&self) {
        let micros = self.flush_sleep_us.load(Relaxed);
        if micros > 0 {
            thread::sleep(Duration::from_micros(micros));
        }
    }
}
