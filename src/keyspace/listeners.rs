//! The listeners to all changes, beside the clients that watch or wait for certain keys: the audience of events, the
//! tracker and the journal.
//!
//! With none of them, which is the usual case, they cost a change one relaxed load.

use super::effect::{Effects, Journal};
use super::events::{Audience, Events};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Hears of each key that has changed, under the locks of the command: client tracking.
pub trait Tracker: fmt::Debug + Send + Sync {
    /// A key of any database has changed.
    fn key_changed(&self, key: &[u8], cause: Cause);

    /// From now on the calling thread changes keys for this client; 0 for none. Returns for which it did before.
    fn set_acting_client(&self, client: u64) -> u64;
}

/// Why a key has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A command has changed it.
    Command,
    /// The server has removed it: it had expired, or memory was short.
    Server,
}

/// For whom the journal hears.
#[derive(Clone, Copy, Debug)]
pub enum Recorder {
    /// The append-only file.
    AppendOnlyFile = 1,
    /// The replicas.
    Replication = 2,
}

/// The listeners of a keyspace.
#[derive(Debug, Default)]
pub struct Listeners {
    /// Whether there is one.
    is_any: AtomicBool,
    pub(super) events: Events,
    journal: OnceLock<Arc<dyn Journal>>,
    /// For whom the journal hears: bits of [`Recorder`].
    recorders: AtomicU8,
    tracker: OnceLock<Arc<dyn Tracker>>,
    /// Whether the tracker wants to hear.
    is_tracked: AtomicBool,
    /// Held while a listener comes or goes, so that `is_any` agrees with them.
    changing: Mutex<()>,
}

impl Listeners {
    /// From now on, [events](super::events::class) of these classes are sent.
    pub fn set_event_classes(&self, classes: u32) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.events.set_classes(classes);
        self.update();
    }

    /// Sets the tracker, once and for all.
    pub fn set_tracker(&self, tracker: Arc<dyn Tracker>) {
        let already = self.tracker.set(tracker);
        debug_assert!(already.is_ok(), "a keyspace has one tracker");
    }

    /// Lets the tracker hear from now on, or hear nothing more, as `is_tracked` says. It is asked under the lock: if a
    /// client begins to track while the last other one ends, both set what is true.
    pub fn set_tracked(&self, is_tracked: impl FnOnce() -> bool) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_tracked.store(is_tracked(), Relaxed);
        self.update();
    }

    /// Called under `changing`.
    fn update(&self) {
        let is_any = self.events.are_any() || self.has_journal() || self.is_tracked.load(Relaxed);
        self.is_any.store(is_any, Relaxed);
    }

    /// Sets the receiver of events, once and for all.
    pub fn set_audience(&self, audience: Arc<dyn Audience>) {
        self.events.set_audience(audience);
    }

    /// Sets the receiver of effects, once and for all.
    pub fn set_journal(&self, journal: Arc<dyn Journal>) {
        let already = self.journal.set(journal);
        debug_assert!(already.is_ok(), "a keyspace has one journal");
    }

    /// Lets the journal hear from now on for this recorder, or not any more. A caller that holds the locks of all
    /// shards divides what it hears from what it does not.
    pub fn set_recorded(&self, recorder: Recorder, is_recorded: bool) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        match is_recorded {
            true => self.recorders.fetch_or(recorder as u8, Relaxed),
            false => self.recorders.fetch_and(!(recorder as u8), Relaxed),
        };
        self.update();
    }

    /// Divides the journal at its end; returns the number of the place, 0 if there is no journal.
    pub fn divide_journal(&self) -> u64 {
        self.journal.get().map_or(0, |journal| journal.divide())
    }

    /// Whether anything is to be noted of changes.
    #[inline]
    pub(super) fn is_any(&self) -> bool {
        self.is_any.load(Relaxed)
    }

    /// Whether effects are to be noted.
    #[inline]
    pub(super) fn has_journal(&self) -> bool {
        self.recorders.load(Relaxed) != 0
    }

    /// Whether anyone else hears of changes: subscribers of events, or the tracker.
    #[inline]
    pub(super) fn tell_news(&self) -> bool {
        self.events.are_any() || self.are_tracked()
    }

    /// Whether the tracker wants to hear.
    fn are_tracked(&self) -> bool {
        self.is_tracked.load(Relaxed)
    }

    /// Tells the tracker that a key has changed.
    pub(super) fn tell_tracker(&self, key: &[u8], cause: Cause) {
        if self.are_tracked()
            && let Some(tracker) = self.tracker.get()
        {
            tracker.key_changed(key, cause);
        }
    }

    /// Tells the tracker for which client the calling thread changes keys from now on. Returns for which it did before.
    pub(super) fn set_acting_client(&self, client: u64) -> u64 {
        let tracker = self.tracker.get();
        tracker.map_or(0, |tracker| tracker.set_acting_client(client))
    }

    /// Hands a command to the journal, which is to be replayed as it came.
    pub(super) fn append_command(&self, database: usize, arguments: &[&[u8]]) {
        if let Some(journal) = self.journal.get() {
            journal.append_command(database, arguments);
        }
    }

    /// Hands a command to the journal that has changed something else than keys, if the journal wants to hear.
    pub fn record(&self, database: usize, arguments: &[&[u8]]) {
        if self.has_journal() {
            self.append_command(database, arguments);
        }
    }

    /// Hands a command to the journal that has changed nothing, and that replicas carry out too, if there are any.
    pub fn record_for_replicas(&self, database: usize, arguments: &[&[u8]]) {
        let is_wanted = self.recorders.load(Relaxed) & Recorder::Replication as u8 != 0;
        if let Some(journal) = self.journal.get().filter(|_| is_wanted) {
            journal.append_for_replicas(database, arguments);
        }
    }

    /// Hands effects to the journal.
    pub(super) fn append(&self, effects: &Effects) {
        if let Some(journal) = self.journal.get().filter(|_| !effects.is_empty()) {
            journal.append(effects);
        }
    }
}
