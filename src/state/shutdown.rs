//! How the server is told to stop: by a signal, or by SHUTDOWN.

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

/// How the server is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShutdownMode {
    /// Whether the dump is written.
    pub save: SaveMode,
    /// Whether the server stops even if the dump cannot be written.
    pub is_forced: bool,
}

impl ShutdownMode {
    /// What `shutdown-on-sigint` and `shutdown-on-sigterm` say, as bits. `now` is about replicas, which there are none
    /// of.
    pub fn from_directive(flags: i64) -> ShutdownMode {
        const SAVE: i64 = 1;
        const NOSAVE: i64 = 2;
        const FORCE: i64 = 8;
        ShutdownMode {
            save: match flags {
                flags if flags & SAVE != 0 => SaveMode::Always,
                flags if flags & NOSAVE != 0 => SaveMode::Never,
                _ => SaveMode::IfConfigured,
            },
            is_forced: flags & FORCE != 0,
        }
    }
}

/// The wish to stop, and its refusal if the dump cannot be written.
#[derive(Debug, Default)]
pub struct Shutdown {
    wish: Mutex<Wish>,
    changed: Condvar,
    is_under_way: AtomicBool,
}

#[derive(Debug, Default)]
struct Wish {
    mode: Option<ShutdownMode>,
    refused: u64,
}

impl Shutdown {
    /// Asks for the server to stop. If that is under way already, nothing changes.
    pub fn request(&self, mode: ShutdownMode) {
        self.note(&mut self.lock(), mode);
    }

    fn note(&self, wish: &mut Wish, mode: ShutdownMode) {
        wish.mode.get_or_insert(mode);
        self.is_under_way.store(true, SeqCst);
        self.changed.notify_all();
    }

    /// Asks for the server to stop, and returns only if that could not be done.
    pub fn request_and_wait(&self, mode: ShutdownMode) {
        let mut wish = self.lock();
        let before = wish.refused;
        self.note(&mut wish, mode);
        drop(self.changed.wait_while(wish, |wish| wish.refused == before));
    }

    /// Waits until the server is to stop. For the main thread.
    pub fn wait(&self) -> ShutdownMode {
        let mut wish = self.lock();
        loop {
            match wish.mode {
                Some(mode) => return mode,
                None => {
                    wish = self
                        .changed
                        .wait(wish)
                        .unwrap_or_else(PoisonError::into_inner)
                }
            }
        }
    }

    /// Says that the server goes on, because the dump could not be written. For the main thread.
    pub fn refuse(&self) {
        let mut wish = self.lock();
        wish.mode = None;
        wish.refused += 1;
        self.is_under_way.store(false, SeqCst);
        self.changed.notify_all();
    }

    /// Whether the server is about to stop.
    pub fn is_under_way(&self) -> bool {
        self.is_under_way.load(SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, Wish> {
        self.wish.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
