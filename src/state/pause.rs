//! Clients whose commands have to wait until a given time: because of CLIENT PAUSE
//! (<https://redis.io/commands/client-pause/>), of FAILOVER, or of the end of the server.
//!
//! A client's thread checks for a pause before it takes the locks of a command. If the command has to wait, the thread
//! sleeps on its doorbell until the pause ends, another thread ends it, or its client hangs up. Then it begins anew.
//! Whoever begins a pause begins a new [epoch](super::epoch) too: what waits for its locks does not escape the pause.
//!
//! # Invariants
//! 1. A pause ends by itself: the check compares the clock with its end, and needs no thread to end it.
//! 2. Each purpose has a pause of its own: CLIENT UNPAUSE does not end that of FAILOVER.
//! 3. Only [`Pause::begin`] and [`Pause::end`] change them, under the mutex. Checks read atomics and take no lock.
//! 4. The expirer's alarm is set under the mutex, so that it agrees with the pause, and doorbells are rung there: a
//!    system call each, which does not block. No other lock is taken under it.

use crate::keyspace::expiry::Alarm;
use crate::state::clients::Client;
use crate::util::doorbell::Doorbell;
use std::collections::BTreeMap;
use std::sync::atomic::{
    AtomicI64,
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

/// Why clients have to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// CLIENT PAUSE.
    Command,
    /// FAILOVER: what is written meanwhile would be lost.
    Failover,
    /// The server is about to end, likewise.
    Shutdown,
}

/// The pauses that are in effect.
#[derive(Debug, Default)]
pub struct Pause {
    /// When writing is possible again: Unix time in milliseconds; 0 for no pause.
    until_ms: AtomicI64,
    /// When other commands are.
    all_until_ms: AtomicI64,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    /// For each purpose, the end of the last pause and whether it is one of all commands.
    pauses: [(i64, bool); 3],
    /// The clients that wait, by their numbers, with their doorbells.
    sleepers: BTreeMap<u64, (Arc<Client>, Arc<Doorbell>)>,
}

impl Pause {
    /// Pauses clients until this Unix time in milliseconds. Where two pauses for one purpose overlap, the stricter
    /// extent and the later end hold. Meanwhile the expirer, whose `alarm` this is, removes no key.
    pub fn begin(
        &self,
        purpose: Purpose,
        extent: Extent,
        until_ms: i64,
        now_ms: i64,
        alarm: &Alarm,
    ) {
        let mut book = self.lock();
        let (before_ms, paused_all) = book.pauses[purpose as usize];
        let extends = now_ms < before_ms;
        let pauses_all = extent == Extent::All || extends && paused_all;
        let until_ms = if extends {
            until_ms.max(before_ms)
        } else {
            until_ms
        };
        book.pauses[purpose as usize] = (until_ms, pauses_all);
        self.publish(&book, alarm);
    }

    /// Ends the pause for this purpose, and wakes the clients that wait: they look whether there is another. They do
    /// not count as blocked any more, although their threads do not run yet.
    pub fn end(&self, purpose: Purpose, alarm: &Alarm) {
        let mut book = self.lock();
        book.pauses[purpose as usize] = (0, false);
        self.publish(&book, alarm);
        for (client, bell) in book.sleepers.values() {
            client.modes.is_paused.store(false, Relaxed);
            bell.ring();
        }
    }

    fn publish(&self, book: &Book, alarm: &Alarm) {
        let pauses = book.pauses.iter();
        let until_ms = pauses.clone().map(|(until_ms, _)| *until_ms).max();
        let of_all = pauses.filter(|(_, pauses_all)| *pauses_all);
        let all_until_ms = of_all.map(|(until_ms, _)| *until_ms).max();
        self.all_until_ms.store(all_until_ms.unwrap_or(0), Release);
        self.until_ms.store(until_ms.unwrap_or(0), Release);
        alarm.rest_until(until_ms.unwrap_or(0));
    }

    /// The commands that have to wait at this Unix time in milliseconds, if any.
    #[inline]
    pub fn at(&self, now_ms: i64) -> Option<Extent> {
        (now_ms < self.until_ms()).then(|| match now_ms < self.all_until_ms.load(Acquire) {
            true => Extent::All,
            false => Extent::Writes,
        })
    }

    /// When the last pause ends or has ended: Unix time in milliseconds.
    pub fn until_ms(&self) -> i64 {
        self.until_ms.load(Acquire)
    }

    /// Registers a client that is about to wait, with the doorbell that [`end`](Self::end) rings.
    pub fn join(&self, client: &Arc<Client>, bell: &Arc<Doorbell>) {
        let mut book = self.lock();
        client.modes.is_paused.store(true, Relaxed);
        let sleeper = (client.clone(), bell.clone());
        book.sleepers.insert(client.id, sleeper);
    }

    /// Removes a client, which waits no more.
    pub fn leave(&self, client: &Client) {
        let mut book = self.lock();
        client.modes.is_paused.store(false, Relaxed);
        book.sleepers.remove(&client.id);
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_pauses_keep_the_stricter_extent_and_the_later_end() {
        let (pause, alarm) = (Pause::default(), Alarm::default());
        let begin = |extent, until_ms, now_ms| {
            pause.begin(Purpose::Command, extent, until_ms, now_ms, &alarm);
        };
        assert_eq!(pause.at(1), None);
        begin(Extent::Writes, 100, 1);
        assert_eq!(pause.at(99), Some(Extent::Writes));
        assert_eq!(pause.at(100), None);
        begin(Extent::All, 50, 2);
        assert_eq!(pause.at(99), Some(Extent::All));
        begin(Extent::Writes, 200, 3);
        assert_eq!(pause.at(199), Some(Extent::All));
        // A pause that is over has no influence.
        begin(Extent::Writes, 250, 200);
        assert_eq!(pause.at(249), Some(Extent::Writes));
        pause.end(Purpose::Command, &alarm);
        assert_eq!(pause.at(201), None);
        begin(Extent::All, 0, 300);
        assert_eq!(pause.at(300), None);
    }

    #[test]
    fn the_end_of_one_pause_is_not_that_of_another() {
        let (pause, alarm) = (Pause::default(), Alarm::default());
        pause.begin(Purpose::Failover, Extent::Writes, i64::MAX, 1, &alarm);
        pause.begin(Purpose::Command, Extent::All, 100, 1, &alarm);
        assert_eq!(pause.at(99), Some(Extent::All));
        assert_eq!(pause.at(100), Some(Extent::Writes));
        pause.end(Purpose::Command, &alarm);
        assert_eq!(pause.at(99), Some(Extent::Writes));
        pause.end(Purpose::Failover, &alarm);
        assert_eq!(pause.at(99), None);
    }
}
