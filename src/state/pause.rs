//! CLIENT PAUSE: clients whose commands wait until a moment: <https://redis.io/commands/client-pause/>.
//!
//! A client's thread looks here before it runs a command, under no lock. If the command has to wait, the thread sleeps
//! on its doorbell until the pause ends, CLIENT UNPAUSE rings, or its client hangs up; then it looks again.
//!
//! # Invariants
//! A pause ends by itself, since a moment that has passed pauses nothing. Only [`Pause::begin`] and
//! [`Pause::end`] change it, one at a time. The mutex is a leaf.

use crate::util::doorbell::Doorbell;
use std::collections::BTreeMap;
use std::sync::atomic::{
    AtomicBool, AtomicI64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Commands that may change data, or that replicas would have to hear of.
    Writes,
    /// All commands.
    All,
}

/// Whether clients are paused.
#[derive(Debug, Default)]
pub struct Pause {
    /// Unix time in milliseconds; 0 for no pause.
    until_ms: AtomicI64,
    pauses_all: AtomicBool,
    /// What wakes the clients that wait, by the numbers of the clients.
    sleepers: Mutex<BTreeMap<u64, Arc<Doorbell>>>,
}

impl Pause {
    /// Pauses clients until this Unix time in milliseconds. Where two pauses overlap, the stricter extent and the later
    /// end hold. Returns when the pause ends now.
    pub fn begin(&self, extent: Extent, until_ms: i64, now_ms: i64) -> i64 {
        let _changing = self.sleepers();
        let before = self.at(now_ms);
        let pauses_all = extent == Extent::All || before == Some(Extent::All);
        let until_ms = match before {
            Some(_) => until_ms.max(self.until_ms()),
            None => until_ms,
        };
        self.pauses_all.store(pauses_all, Relaxed);
        self.until_ms.store(until_ms, Release);
        until_ms
    }

    /// Ends the pause and wakes the clients that wait.
    pub fn end(&self) {
        let sleepers = self.sleepers();
        self.until_ms.store(0, Release);
        sleepers.values().for_each(|bell| bell.ring());
    }

    /// What has to wait at this Unix time in milliseconds.
    #[inline]
    pub fn at(&self, now_ms: i64) -> Option<Extent> {
        (now_ms < self.until_ms()).then(|| match self.pauses_all.load(Relaxed) {
            true => Extent::All,
            false => Extent::Writes,
        })
    }

    /// When the pause ends: Unix time in milliseconds.
    pub fn until_ms(&self) -> i64 {
        self.until_ms.load(Acquire)
    }

    /// Lets the end of the pause ring for a client.
    pub fn join(&self, client: u64, bell: Arc<Doorbell>) {
        self.sleepers().insert(client, bell);
    }

    /// The client waits no more.
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
        let pause = Pause::default();
        assert_eq!(pause.at(1), None);
        assert_eq!(pause.begin(Extent::Writes, 100, 1), 100);
        assert_eq!(pause.at(99), Some(Extent::Writes));
        assert_eq!(pause.at(100), None);
        assert_eq!(pause.begin(Extent::All, 50, 2), 100);
        assert_eq!(pause.at(99), Some(Extent::All));
        assert_eq!(pause.begin(Extent::Writes, 200, 3), 200);
        assert_eq!(pause.at(199), Some(Extent::All));
        // What is over is forgotten.
        assert_eq!(pause.begin(Extent::Writes, 250, 200), 250);
        assert_eq!(pause.at(249), Some(Extent::Writes));
        pause.end();
        assert_eq!(pause.at(201), None);
        assert_eq!(pause.begin(Extent::All, 0, 300), 0);
        assert_eq!(pause.at(300), None);
    }
}
