//! CLIENT PAUSE: clients whose commands have to wait until a given time: <https://redis.io/commands/client-pause/>.
//!
//! A client's thread checks for a pause before it runs a command, with no lock held. If the command has to wait, the
//! thread sleeps on its doorbell until the pause ends, CLIENT UNPAUSE rings, or its client hangs up. Then it checks
//! again.
//!
//! # Invariants
//! 1. A pause ends by itself: the check compares the clock with its end, and needs no thread to end it.
//! 2. Only [`Pause::begin`] and [`Pause::end`] change it, under the mutex. Checks read atomics and take no lock.
//! 3. The expirer's alarm is set under the mutex, so that it agrees with the pause, and doorbells are rung there: a
//!    system call each, which does not block. No other lock is taken under it.

use crate::keyspace::expiry::Alarm;
use crate::util::doorbell::Doorbell;
use std::collections::BTreeMap;
use std::sync::atomic::{
    AtomicBool, AtomicI64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The commands that have to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Commands that may change data, or that replicas would have to execute.
    Writes,
    /// All commands.
    All,
}

/// The pause that is in effect, if there is one.
#[derive(Debug, Default)]
pub struct Pause {
    /// Unix time in milliseconds; 0 for no pause.
    until_ms: AtomicI64,
    pauses_all: AtomicBool,
    /// The doorbells of the clients that wait, by the numbers of the clients.
    sleepers: Mutex<BTreeMap<u64, Arc<Doorbell>>>,
}

impl Pause {
    /// Pauses clients until this Unix time in milliseconds. Where two pauses overlap, the stricter extent and the later
    /// end hold. Returns when the pause ends now. Meanwhile the expirer, whose `alarm` this is, removes no key.
    pub fn begin(&self, extent: Extent, until_ms: i64, now_ms: i64, alarm: &Alarm) -> i64 {
        let _changing = self.sleepers();
        let before = self.at(now_ms);
        let pauses_all = extent == Extent::All || before == Some(Extent::All);
        let until_ms = match before {
            Some(_) => until_ms.max(self.until_ms()),
            None => until_ms,
        };
        self.pauses_all.store(pauses_all, Relaxed);
        self.until_ms.store(until_ms, Release);
        alarm.rest_until(until_ms);
        until_ms
    }

    /// Ends the pause and wakes the clients that wait.
    pub fn end(&self, alarm: &Alarm) {
        let sleepers = self.sleepers();
        self.until_ms.store(0, Release);
        alarm.rest_until(0);
        sleepers.values().for_each(|bell| bell.ring());
    }

    /// The commands that have to wait at this Unix time in milliseconds, if any.
    #[inline]
    pub fn at(&self, now_ms: i64) -> Option<Extent> {
        (now_ms < self.until_ms()).then(|| match self.pauses_all.load(Relaxed) {
            true => Extent::All,
            false => Extent::Writes,
        })
    }

    /// When the last pause ends or has ended: Unix time in milliseconds.
    pub fn until_ms(&self) -> i64 {
        self.until_ms.load(Acquire)
    }

    /// Registers a doorbell that [`end`](Self::end) rings, under the number of its client.
    pub fn join(&self, client: u64, bell: Arc<Doorbell>) {
        self.sleepers().insert(client, bell);
    }

    /// Removes the doorbell of a client, which waits no more.
    pub fn leave(&self, client: u64) {
        self.sleepers().remove(&client);
    }

    fn sleepers(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Doorbell>>> {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_pauses_keep_the_stricter_extent_and_the_later_end() {
        let (pause, alarm) = (Pause::default(), Alarm::default());
        assert_eq!(pause.at(1), None);
        assert_eq!(pause.begin(Extent::Writes, 100, 1, &alarm), 100);
        assert_eq!(pause.at(99), Some(Extent::Writes));
        assert_eq!(pause.at(100), None);
        assert_eq!(pause.begin(Extent::All, 50, 2, &alarm), 100);
        assert_eq!(pause.at(99), Some(Extent::All));
        assert_eq!(pause.begin(Extent::Writes, 200, 3, &alarm), 200);
        assert_eq!(pause.at(199), Some(Extent::All));
        // A pause that is over has no influence.
        assert_eq!(pause.begin(Extent::Writes, 250, 200, &alarm), 250);
        assert_eq!(pause.at(249), Some(Extent::Writes));
        pause.end(&alarm);
        assert_eq!(pause.at(201), None);
        assert_eq!(pause.begin(Extent::All, 0, 300, &alarm), 0);
        assert_eq!(pause.at(300), None);
    }
}
