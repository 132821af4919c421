//! `maxmemory`: how much memory is in use, at a price that every command can pay, and whether that is too much.
//!
//! The allocator knows how much is allocated, but to add up the figures of its parts takes longer than most commands.
//! So each thread compares what it has allocated and freed itself, which the allocator counts for it, with what it has
//! told before, and adds the difference to a common figure. Ten times a second a thread of the server replaces the
//! figure by the allocator's.
//!
//! # Invariants
//! 1. Without a limit, a command pays one relaxed load.
//! 2. The figure differs from the truth by less than 16 KiB for each thread that works, and by what threads
//!    that told nothing have allocated since the last correction.
//!
//! # Thread safety
//! Any thread may call everything here; there are only atomics.

use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use tikv_jemalloc_ctl::thread::{ThreadLocal, allocatedp, deallocatedp};

/// What a thread may have allocated or freed without telling.
const UNTOLD_BYTES: i64 = 16 * 1024;
/// The shortest time between two looks at the allocator that commands ask for.
const LOOK_MS: i64 = 5;

/// The limit, and what is in use.
#[derive(Debug, Default)]
pub struct MemoryLimit {
    /// In bytes; 0 for none.
    limit: AtomicU64,
    used: AtomicI64,
    /// Unix time in milliseconds of the last correction.
    corrected_ms: AtomicI64,
    exceeded: Exceeded,
}

/// For how long the limit has been exceeded, in milliseconds.
#[derive(Debug, Default)]
struct Exceeded {
    /// Unix time since which it is; 0 if it is not.
    since_ms: AtomicI64,
    /// The time before that.
    total_ms: AtomicU64,
}

/// What the allocator counts for the calling thread.
struct Own {
    allocated: ThreadLocal<u64>,
    freed: ThreadLocal<u64>,
    /// The difference of both that the thread has told.
    told: Cell<i64>,
}

thread_local! {
    static OWN: Option<Own> = Own::of_thread();
}

impl Own {
    fn of_thread() -> Option<Own> {
        let own = Own {
            allocated: allocatedp::read().ok()?,
            freed: deallocatedp::read().ok()?,
            told: Cell::new(0),
        };
        own.told.set(own.balance());
        Some(own)
    }

    /// What the thread has allocated less what it has freed.
    fn balance(&self) -> i64 {
        self.allocated.get().wrapping_sub(self.freed.get()) as i64
    }
}

impl MemoryLimit {
    /// Sets the limit in bytes; 0 for none. `used` is what the allocator says.
    pub fn set(&self, limit: u64, used: u64, now_ms: i64) {
        self.correct(used, now_ms);
        self.limit.store(limit, Relaxed);
        if limit == 0 {
            self.note_exceeded(false, now_ms);
        }
    }

    /// The limit in bytes; 0 for none.
    #[inline]
    pub fn bytes(&self) -> u64 {
        self.limit.load(Relaxed)
    }

    /// Whether more is in use than the limit allows, as far as it is known without looking at the allocator.
    #[inline]
    pub fn is_exceeded(&self) -> bool {
        let limit = self.bytes();
        limit != 0 && self.tell(UNTOLD_BYTES) > limit.min(i64::MAX as u64) as i64
    }

    /// Tells all that the calling thread has freed; returns the bytes above the limit, if there are any.
    pub fn excess(&self) -> Option<u64> {
        let limit = self.bytes();
        let used = u64::try_from(self.tell(1)).unwrap_or(0);
        Some(used.saturating_sub(limit)).filter(|excess| limit != 0 && *excess > 0)
    }

    /// Replaces the figure by what the allocator says.
    pub fn correct(&self, used: u64, now_ms: i64) {
        // What this thread has not told is in the allocator's figure.
        OWN.with(|own| own.as_ref().map(|own| own.told.set(own.balance())));
        self.used
            .store(i64::try_from(used).unwrap_or(i64::MAX), Relaxed);
        self.corrected_ms.store(now_ms, Relaxed);
    }

    /// Whether the last correction is so old that it pays to ask the allocator before a command is refused. Of several
    /// threads that ask at the same time, one gets `true`.
    pub fn claim_correction(&self, now_ms: i64) -> bool {
        let last = self.corrected_ms.load(Relaxed);
        (now_ms - last).abs() >= LOOK_MS
            && self
                .corrected_ms
                .compare_exchange(last, now_ms, Relaxed, Relaxed)
                .is_ok()
    }

    /// Notes whether the limit is exceeded after the attempt to make room, for INFO.
    pub fn note_exceeded(&self, is_exceeded: bool, now_ms: i64) {
        let since = &self.exceeded.since_ms;
        let began = since.load(Relaxed);
        if is_exceeded && began == 0 {
            since.store(now_ms, Relaxed);
        }
        // Of several threads that end it, one adds the time.
        let ends = !is_exceeded && began != 0;
        if ends && since.compare_exchange(began, 0, Relaxed, Relaxed).is_ok() {
            let past = (now_ms - began).max(0) as u64;
            self.exceeded.total_ms.fetch_add(past, Relaxed);
        }
    }

    /// For how long the limit has been exceeded, in milliseconds: in total, and without a break until now.
    pub fn exceeded_ms(&self, now_ms: i64) -> (u64, u64) {
        let since = self.exceeded.since_ms.load(Relaxed);
        let current = if since == 0 {
            0
        } else {
            (now_ms - since).max(0) as u64
        };
        (self.exceeded.total_ms.load(Relaxed) + current, current)
    }

    /// Forgets how long it was exceeded: CONFIG RESETSTAT.
    pub fn reset(&self) {
        self.exceeded.total_ms.store(0, Relaxed);
    }

    /// Tells what the calling thread has allocated or freed, if it is at least `least` bytes; returns the figure.
    fn tell(&self, least: i64) -> i64 {
        let untold = OWN.with(|own| {
            let own = own.as_ref()?;
            let balance = own.balance();
            let untold = balance.wrapping_sub(own.told.get());
            (untold.abs() >= least).then(|| {
                own.told.set(balance);
                untold
            })
        });
        match untold {
            Some(untold) => self.used.fetch_add(untold, Relaxed) + untold,
            None => self.used.load(Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    #[test]
    fn what_threads_allocate_and_free_is_counted() {
        let limit = MemoryLimit::default();
        assert!(!limit.is_exceeded(), "there is no limit");
        limit.set(10 * MIB as u64, 8 * MIB as u64, 0);
        assert!(!limit.is_exceeded());
        let block = vec![1u8; 4 * MIB];
        assert!(limit.is_exceeded());
        assert!(
            limit
                .excess()
                .is_some_and(|excess| excess.abs_diff(2 * MIB as u64) < MIB as u64 / 8)
        );
        // Another thread frees it.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert!(limit.is_exceeded());
                drop(block);
                assert_eq!(limit.excess(), None);
            });
        });
        assert!(!limit.is_exceeded());
    }

    #[test]
    fn the_time_above_the_limit_adds_up() {
        let limit = MemoryLimit::default();
        for (is_exceeded, now_ms, expected) in [
            (true, 100, (0, 0)),
            (true, 150, (50, 50)),
            (false, 160, (60, 0)),
            (false, 170, (60, 0)),
            (true, 200, (60, 0)),
            (true, 205, (65, 5)),
        ] {
            limit.note_exceeded(is_exceeded, now_ms);
            assert_eq!(limit.exceeded_ms(now_ms), expected, "at {now_ms}");
        }
    }
}
