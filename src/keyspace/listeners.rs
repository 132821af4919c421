//! The listeners to all changes, beside the clients that watch or wait for certain keys: the audience of events, and
//! the journal.
//!
//! With none of them, which is the usual case, they cost a change one relaxed load.

use super::effect::{Effects, Journal};
use super::events::{Audience, Events};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The listeners of a keyspace.
#[derive(Debug, Default)]
pub struct Listeners {
    /// Whether there is one.
    is_any: AtomicBool,
    pub(super) events: Events,
    journal: OnceLock<Arc<dyn Journal>>,
    /// Held while a listener comes or goes, so that `is_any` agrees with them.
    changing: Mutex<()>,
}

impl Listeners {
    /// From now on, [events](super::events::class) of these classes are sent.
    pub fn set_event_classes(&self, classes: u32) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.events.set_classes(classes);
        self.is_any
            .store(classes != 0 || self.has_journal(), Relaxed);
    }

    /// Sets the receiver of events, once and for all.
    pub fn set_audience(&self, audience: Arc<dyn Audience>) {
        self.events.set_audience(audience);
    }

    /// Sets the receiver of effects, once and for all. What changes meanwhile may be missed.
    pub fn set_journal(&self, journal: Arc<dyn Journal>) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let already = self.journal.set(journal);
        debug_assert!(already.is_ok(), "a keyspace has one journal");
        self.is_any.store(true, Relaxed);
    }

    /// Whether anything is to be noted of changes.
    #[inline]
    pub(super) fn is_any(&self) -> bool {
        self.is_any.load(Relaxed)
    }

    /// Whether effects are to be noted.
    pub(super) fn has_journal(&self) -> bool {
        self.journal.get().is_some()
    }

    /// Hands effects to the journal.
    pub(super) fn append(&self, effects: &Effects) {
        if let Some(journal) = self.journal.get().filter(|_| !effects.is_empty()) {
            journal.append(effects);
        }
    }
}
