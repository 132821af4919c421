//! `maxmemory`: how much memory is in use, at a price that every command can pay, and whether that is too much.
//!
//! The allocator knows how much is allocated, but to add up the figures of its parts takes longer than most commands.
//! So each thread compares what it has allocated and freed itself, which the allocator counts for it, with what it has
//! told before, and adds the difference to a common figure. Ten times a second a thread of the server corrects the
//! figure by the allocator's.
//!
//! # Invariants
//! 1. Without a limit, a command pays one relaxed load.
//! 2. The figure is off by less than 16 KiB for each thread that executes commands. The memory of other threads is seen
//!    at the next correction, within 100 ms.
//!
//! # Thread safety
//! Any thread may call everything here; there are only atomics.

use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use tikv_jemalloc_ctl::thread::{ThreadLocal, allocatedp, deallocatedp};

/// What a thread may have allocated or freed without telling.
const UNTOLD_BYTES: i64 = 16 * 1024;
/// How often the allocator is asked again because threads have told much while it was asked.
const MOST_ATTEMPTS: usize = 5;
/// The shortest time between two looks at the allocator that commands ask for.
const LOOK_MS: i64 = 5;

/// The limit, and what is in use.
#[derive(Debug, Default)]
pub struct MemoryLimit {
    /// In bytes; 0 for none.
    limit: AtomicU64,
    used: AtomicI64,
    /// How often a limit was set where there was none. Without a limit threads tell nothing; what they did meanwhile is
    /// in the figure that the allocator gave when the limit was set.
    period: AtomicU64,
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

fn note_growth() {
    OWN.with(|own| {
        let Some(own) = own else { return };
        let balance = own.balance();
        let before = own.balance_before.replace(balance);
        own.growth.set(balance.wrapping_sub(before));
    });
}

/// What the allocator counts for the calling thread.
struct Own {
    allocated: ThreadLocal<u64>,
    freed: ThreadLocal<u64>,
    /// The difference of both that the thread has told.
    told: Cell<i64>,
    /// When that was: see [`MemoryLimit::period`].
    period: Cell<u64>,
    /// The difference when the thread's last command began, and by how much it has grown since then.
    balance_before: Cell<i64>,
    growth: Cell<i64>,
}

thread_local! {
    static OWN: Option<Own> = Own::of_thread();
}

impl Own {
    fn of_thread() -> Option<Own> {
        Some(Own {
            allocated: allocatedp::read().ok()?,
            freed: deallocatedp::read().ok()?,
            told: Cell::new(0),
            // The thread has told nothing in any period.
            period: Cell::new(0),
            balance_before: Cell::new(0),
            growth: Cell::new(0),
        })
    }

    /// What the thread has allocated less what it has freed.
    fn balance(&self) -> i64 {
        self.allocated.get().wrapping_sub(self.freed.get()) as i64
    }

    /// The figure is about to be corrected by that of the allocator, in which all of this is: the thread tells what
    /// comes from here on.
    fn forget(&self, period: u64) {
        self.told.set(self.balance());
        self.period.set(period);
    }
}

impl MemoryLimit {
    /// Sets the limit in bytes; 0 for none. `allocated` asks the allocator what is in use.
    pub fn set(&self, limit: u64, allocated: impl FnMut() -> u64, now_ms: i64) {
        if self.bytes() == 0 && limit != 0 {
            self.period.fetch_add(1, Relaxed);
        }
        self.correct(allocated, now_ms);
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

    /// Whether more is in use than the limit allows, as far as it is known without looking at the allocator. This is
    /// asked before each command.
    #[inline]
    pub fn is_exceeded(&self) -> bool {
        let limit = self.bytes();
        limit != 0 && {
            note_growth();
            self.tell(UNTOLD_BYTES) > limit.min(i64::MAX as u64) as i64
        }
    }

    /// What the calling thread had allocated, less what it had freed, when [`is_exceeded`](Self::is_exceeded) was last
    /// asked, since it was asked before: for its last command, and for the arguments of the next.
    pub fn growth(&self) -> i64 {
        OWN.with(|own| own.as_ref().map_or(0, |own| own.growth.get()))
    }

    /// What the calling thread has freed, less what it has allocated, since [`is_exceeded`](Self::is_exceeded) was last
    /// asked.
    pub fn freed(&self) -> i64 {
        let freed = |own: &Own| own.balance_before.get().wrapping_sub(own.balance());
        OWN.with(|own| own.as_ref().map_or(0, freed))
    }

    /// What the calling thread has freed until now is no part of its growth.
    pub fn forget_freed(&self) {
        note_growth();
    }

    /// Adds what the calling thread has allocated and freed to the common figure. Returns the bytes above the limit, if
    /// there are any.
    pub fn excess(&self) -> Option<u64> {
        let limit = self.bytes();
        let used = u64::try_from(self.tell(1)).unwrap_or(0);
        Some(used.saturating_sub(limit)).filter(|excess| limit != 0 && *excess > 0)
    }

    /// Corrects the figure by what the allocator says.
    ///
    /// Other threads go on while it is asked, and this thread may lose its processor meanwhile. What they tell must not
    /// be lost: eight writers could exceed the limit by megabytes until the next correction. So the difference between
    /// two figures of the same moment is added, as far as there is such a moment: if threads have told much between
    /// the beginning and the end, the allocator is asked again.
    pub fn correct(&self, mut allocated: impl FnMut() -> u64, now_ms: i64) {
        let attempts = std::iter::repeat_with(|| {
            // What this thread has not told is in the allocator's figure.
            let period = self.period.load(Relaxed);
            OWN.with(|own| own.as_ref().map(|own| own.forget(period)));
            let before = self.used.load(Relaxed);
            let allocated = i64::try_from(allocated()).unwrap_or(i64::MAX);
            let told_meanwhile = self.used.load(Relaxed).wrapping_sub(before);
            let known = before.wrapping_add(told_meanwhile / 2);
            (told_meanwhile.abs(), allocated.wrapping_sub(known))
        });
        let mut best = (i64::MAX, 0);
        for attempt in attempts.take(MOST_ATTEMPTS) {
            best = best.min(attempt);
            if best.0 <= UNTOLD_BYTES {
                break;
            }
        }
        self.used.fetch_add(best.1, Relaxed);
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
            let period = self.period.load(Relaxed);
            if own.period.get() != period {
                own.forget(period);
            }
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
        limit.set(10 * MIB as u64, || 8 * MIB as u64, 0);
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

    /// A thread tells of 4 MiB just after the allocator was asked.
    #[test]
    fn what_is_told_while_the_allocator_is_asked_is_not_lost() {
        let limit = MemoryLimit::default();
        limit.set(10 * MIB as u64, || 8 * MIB as u64, 0);
        let mut blocks = Vec::new();
        let allocated = || {
            let allocated = (8 + 4 * blocks.len()) * MIB;
            if blocks.is_empty() {
                blocks.push(vec![1u8; 4 * MIB]);
                assert!(limit.is_exceeded());
            }
            allocated as u64
        };
        limit.correct(allocated, 0);
        let excess = limit.excess().unwrap_or(0);
        assert!(excess.abs_diff(2 * MIB as u64) < MIB as u64 / 8, "{excess}");
    }

    /// This thread has told of what it has, then there is no limit for a while, in which it allocates more.
    #[test]
    fn what_was_allocated_without_a_limit_counts_once() {
        let limit = MemoryLimit::default();
        limit.set(10 * MIB as u64, || 8 * MIB as u64, 0);
        assert!(!limit.is_exceeded());
        limit.set(0, || 8 * MIB as u64, 0);
        let block = vec![1u8; 4 * MIB];
        std::thread::scope(|scope| {
            scope.spawn(|| limit.set(14 * MIB as u64, || 12 * MIB as u64, 0));
        });
        assert!(!limit.is_exceeded(), "12 of 14 MiB are in use");
        drop(block);
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
