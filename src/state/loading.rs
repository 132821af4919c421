//! The progress of loading the data, for INFO and for the admission of commands.
//!
//! # Thread safety
//! The loader and its inserters write, any thread reads. The stage is stored with Release and loaded with Acquire: a
//! thread that sees the end of loading sees everything that was loaded.

use crate::state::replication::{MOST_OFFSET, Place, is_id};
use crate::util::clock;
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU8, AtomicU64,
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
    /// `repl-stream-db`, which may be one that the server does not have.
    pub database: usize,
}

/// No load is under way.
const NONE: u8 = 0;
/// There are no data while they are loaded.
const EXCLUSIVE: u8 = 1;
/// Data are served while others are loaded that will replace them.
const BESIDE: u8 = 2;

/// The load of the data, under way or ended.
#[derive(Debug, Default)]
pub struct Loading {
    /// One of [`NONE`], [`EXCLUSIVE`] and [`BESIDE`].
    stage: AtomicU8,
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
    /// Whether the data are gone, and those that were to replace them are not all there: the dump stays as it is.
    pub is_incomplete: AtomicBool,
    /// Keys that are in the keyspace now.
    pub keys: AtomicU64,
    /// Keys left out because they had expired.
    pub expired: AtomicU64,
}

impl Loading {
    /// From now on commands are refused, except for those that work without data.
    pub fn begin(&self) {
        self.begin_as(EXCLUSIVE);
    }

    /// From now on those commands are refused that do not go with loading other data, as in Redis with
    /// `repl-diskless-load swapdb`.
    pub fn begin_beside(&self) {
        self.begin_as(BESIDE);
    }

    fn begin_as(&self, stage: u8) {
        self.began_at_ms.store(clock::unix_ms(), Relaxed);
        for count in [&self.keys, &self.expired, &self.total_bytes] {
            count.store(0, Relaxed);
        }
        *self.place_facts() = PlaceFacts::default();
        self.begin_file(0);
        self.stage.store(stage, Release);
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

    /// The place in the replication stream at which the dump was written, if it tells it, and a server of this many
    /// databases can go on from there.
    pub fn place(&self, databases: usize) -> Option<Place> {
        let facts = self.place_facts();
        if facts.database >= databases {
            return None;
        }
        Some(Place {
            id: facts.id.clone().filter(|id| is_id(id))?,
            offset: facts.offset.filter(|offset| *offset <= MOST_OFFSET)?,
            database: facts.database,
        })
    }

    /// All data is loaded.
    pub fn end(&self) {
        self.stage.store(NONE, Release);
    }

    /// Whether the data are being loaded, and there are none meanwhile.
    pub fn is_under_way(&self) -> bool {
        self.stage.load(Acquire) == EXCLUSIVE
    }

    /// Whether data are being loaded that will replace those that are served.
    pub fn is_beside(&self) -> bool {
        self.stage.load(Acquire) == BESIDE
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
