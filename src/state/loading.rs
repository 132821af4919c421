//! The progress of loading the data, for INFO and for the admission of commands.
//!
//! # Thread safety
//! The loader and its inserters write, any thread reads. `is_under_way` is stored with Release and loaded with Acquire:
//! a thread that sees the end of loading sees everything that was loaded.

use crate::state::replication::{ID_DIGITS, Place};
use crate::util::clock;
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a dump says of the replication stream.
#[derive(Debug, Default)]
pub struct PlaceFacts {
    /// `repl-id`.
    pub id: Option<String>,
    /// `repl-offset`.
    pub offset: Option<u64>,
    /// `repl-stream-db`.
    pub database: usize,
}

/// The load of the data, under way or ended.
#[derive(Debug, Default)]
pub struct Loading {
    is_under_way: AtomicBool,
    /// Unix time in milliseconds.
    began_at_ms: AtomicI64,
    /// The size of all files; 0 if that is not known.
    pub total_bytes: AtomicU64,
    /// Bytes of them that were read.
    pub read_bytes: AtomicU64,
    /// Bytes of the files before the one that is being read.
    bytes_before: AtomicU64,
    /// When the RDB file was written, in seconds of Unix time (AUX `ctime`); 0 if it does not say.
    pub written_at_s: AtomicI64,
    /// The memory in use of the server that wrote the file, in bytes (AUX `used-mem`).
    pub used_memory_then: AtomicU64,
    /// The place in the replication stream at which the dump was written, as far as it tells.
    place: Mutex<PlaceFacts>,
    /// Keys that are in the keyspace now.
    pub keys: AtomicU64,
    /// Keys left out because they had expired.
    pub expired: AtomicU64,
}

impl Loading {
    /// From now on commands are refused, except for those that work without data.
    pub fn begin(&self) {
        self.began_at_ms.store(clock::unix_ms(), Relaxed);
        self.is_under_way.store(true, Release);
    }

    /// A file begins, after files of this many bytes.
    pub fn begin_file(&self, bytes_before: u64) {
        self.bytes_before.store(bytes_before, Relaxed);
        self.read_bytes.store(bytes_before, Relaxed);
    }

    /// Notes how many bytes of the file have been read.
    pub fn set_position(&self, offset: u64) {
        let before = self.bytes_before.load(Relaxed);
        self.read_bytes.store(before + offset, Relaxed);
    }

    /// What the dump says of the replication stream.
    pub fn place_facts(&self) -> MutexGuard<'_, PlaceFacts> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place in the replication stream at which the dump was written, if it tells it.
    pub fn place(&self) -> Option<Place> {
        let facts = self.place_facts();
        Some(Place {
            id: facts.id.clone().filter(|id| id.len() == ID_DIGITS)?,
            offset: facts.offset?,
            database: facts.database,
        })
    }

    /// All data is loaded.
    pub fn end(&self) {
        self.is_under_way.store(false, Release);
    }

    /// Whether the data is being loaded.
    pub fn is_under_way(&self) -> bool {
        self.is_under_way.load(Acquire)
    }

    /// Unix time in seconds at which loading began.
    pub fn began_at_s(&self) -> i64 {
        self.began_at_ms.load(Relaxed) / 1000
    }

    /// Seconds since loading began.
    pub fn elapsed_s(&self) -> f64 {
        (clock::unix_ms() - self.began_at_ms.load(Relaxed)).max(0) as f64 / 1e3
    }

    /// The part of the file that has been read, between 0 and 1.
    pub fn progress(&self) -> f64 {
        let total = self.total_bytes.load(Relaxed).max(1) as f64;
        (self.read_bytes.load(Relaxed) as f64 / total).min(1.0)
    }

    /// Seconds that the rest will take at the present speed.
    pub fn remaining_s(&self) -> f64 {
        let progress = self.progress();
        if progress == 0.0 {
            return 1.0;
        }
        self.elapsed_s() * (1.0 - progress) / progress
    }
}
