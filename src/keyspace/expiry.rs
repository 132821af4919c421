//! When keys expire.
//!
//! Under shared locks an expired key is absent. Before a command runs under exclusive locks, the expired ones of its
//! keys are removed, and so they are before a command reads them. Keys that no command touches are removed by the
//! expirer, a thread that sleeps until the earliest deadline and is woken when an earlier one is set.
//!
//! Invariants:
//! 1. A shard's cell shows the earliest deadline of its keys, or an earlier moment. It is written by the thread that
//!    holds the exclusive lock, before it lets go.
//! 2. The expirer never sleeps past a deadline: either it saw the deadline before it fell asleep, or the writer saw
//!    `set_to_ms` and rings. This is the store-buffering pattern: the writer stores the deadline, then loads
//!    `set_to_ms`; the expirer stores `set_to_ms`, then loads the deadlines. With SeqCst at least one of them sees the
//!    other's store.
//! 3. While commands are replayed, the expirer removes no key: a command that comes later may give it more time. The
//!    expirer looks for that under the lock of the shard.
//! 4. During CLIENT PAUSE no key is removed: an expired key is absent, and no event is sent, until the pause is over.

use super::locks::Locks;
use super::space::NO_DEADLINE;
use super::view::View;
use std::sync::atomic::{
    AtomicBool, AtomicI64,
    Ordering::{Relaxed, SeqCst},
};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Keys removed from a shard before its lock is let go for others.
const BATCH: usize = 64;

/// What the expirer sleeps on.
#[derive(Debug)]
pub struct Alarm {
    /// When the expirer will wake by itself; `i64::MIN` while it is awake and need not be woken.
    set_to_ms: AtomicI64,
    is_rung: Mutex<bool>,
    bell: Condvar,
    /// Whether the expirer removes keys at all.
    is_active: AtomicBool,
    /// Whether no key is removed because commands are being replayed, be it those of a primary.
    is_suspended: AtomicBool,
    /// Unix time in milliseconds before which no key is removed because it has expired; it is absent nevertheless.
    rests_until_ms: AtomicI64,
}

impl Default for Alarm {
    fn default() -> Self {
        Alarm {
            set_to_ms: AtomicI64::new(i64::MIN),
            is_rung: Mutex::new(false),
            bell: Condvar::new(),
            is_active: AtomicBool::new(true),
            is_suspended: AtomicBool::new(false),
            rests_until_ms: AtomicI64::new(0),
        }
    }
}

impl Alarm {
    /// Wakes the expirer if it would sleep past this deadline.
    pub(super) fn note_deadline(&self, deadline_ms: i64) {
        if deadline_ms < self.set_to_ms.load(SeqCst) {
            self.ring();
        }
    }

    /// Wakes the expirer.
    pub fn ring(&self) {
        *self.is_rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.bell.notify_all();
    }

    /// Lets the expirer work or rest: DEBUG SET-ACTIVE-EXPIRE.
    pub fn set_active(&self, is_active: bool) {
        self.is_active.store(is_active, SeqCst);
        self.ring();
    }

    /// Lets no key be removed because it has expired while commands are replayed; it is absent nevertheless.
    pub fn suspend(&self, is_suspended: bool) {
        self.is_suspended.store(is_suspended, SeqCst);
        self.ring();
    }

    /// Removes no key until this Unix time in milliseconds: CLIENT PAUSE.
    pub fn rest_until(&self, unix_ms: i64) {
        self.rests_until_ms.store(unix_ms, SeqCst);
        self.ring();
    }

    /// Whether no key is removed at this time.
    pub(super) fn rests_at(&self, now_ms: i64) -> bool {
        now_ms < self.rests_until_ms.load(SeqCst) || self.is_suspended.load(SeqCst)
    }

    fn sleep_until(&self, deadline_ms: i64, now_us: i64) {
        let longest = Duration::from_secs(3600);
        let time = deadline_ms.saturating_mul(1000).saturating_sub(now_us);
        let time = u64::try_from(time).map_or(Duration::ZERO, Duration::from_micros);
        let rung = self.is_rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .bell
            .wait_timeout_while(rung, time.min(longest), |is_rung| !*is_rung);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }
}

impl Locks {
    /// Removes all keys that are due and sleeps until the next one is, or until the alarm rings. The expirer's loop.
    /// Without any lock, it calls `told` after each batch of keys, to send their events.
    pub fn expire_and_sleep(&self, now_us: impl Fn() -> i64, told: impl Fn()) {
        if !self.alarm.is_active.load(SeqCst) || self.alarm.is_suspended.load(SeqCst) {
            return self.alarm.sleep_until(NO_DEADLINE, now_us());
        }
        if self.alarm.rests_at(now_us() / 1000) {
            let end_ms = self.alarm.rests_until_ms.load(SeqCst);
            return self.alarm.sleep_until(end_ms, now_us());
        }
        self.remove_due(now_us() / 1000, told);
        // Invariant 2: store first, then load.
        self.alarm.set_to_ms.store(NO_DEADLINE, SeqCst);
        let next = self.earliest_deadline_ms();
        self.alarm.set_to_ms.store(next, SeqCst);
        self.alarm.sleep_until(next, now_us());
        self.alarm.set_to_ms.store(i64::MIN, Relaxed);
    }

    /// Removes all keys that are due at this time.
    pub fn remove_due(&self, now_ms: i64, told: impl Fn()) {
        for (shard, cell) in self.cells().iter().enumerate() {
            let is_due = || cell.earliest_deadline_ms.load(Relaxed) <= now_ms;
            while is_due() && !self.alarm.rests_at(now_ms) {
                let mut db = self.write_shard(View::from(now_ms), shard);
                if self.alarm.is_suspended.load(SeqCst) {
                    return;
                }
                db.remove_due(shard, BATCH);
                db.settle();
                drop(db);
                told();
            }
        }
    }

    fn earliest_deadline_ms(&self) -> i64 {
        let earliest = self
            .cells()
            .iter()
            .map(|cell| cell.earliest_deadline_ms.load(SeqCst))
            .min();
        earliest.unwrap_or(NO_DEADLINE)
    }
}
