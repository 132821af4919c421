//! The clients of WATCH: what fails their EXEC if a key has changed.
//!
//! Invariants:
//! 1. A shard keeps the watchers of its keys, and they change only under its exclusive lock.
//! 2. A change of a watched key marks the [`Watch`] of each watcher as spoilt, and removes all watchers of that key.
//!    So a key that changes often costs nothing more, however many clients watch it.
//! 3. A thread that holds the locks of all keys of a watch, shared or not, gets a final answer from
//!    [`Watch::is_spoilt`].
//!
//! Where no key of a shard is watched, a change costs one look at an empty table.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// One per client; spoilt once any of its watched keys has changed, and EXEC then answers nil.
#[derive(Debug)]
pub struct Watch {
    /// No other watch has this number.
    id: u64,
    is_spoilt: AtomicBool,
}

/// The watchers of a shard's keys.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    of_key: HashMap<Box<[u8]>, BTreeMap<u64, Arc<Watch>>>,
}

impl Watch {
    /// Watches nothing yet; `id` is not that of another.
    pub fn new(id: u64) -> Watch {
        Watch {
            id,
            is_spoilt: AtomicBool::new(false),
        }
    }

    /// Whether a watched key has changed. The answer is final while the thread holds the locks of all watched keys.
    pub fn is_spoilt(&self) -> bool {
        self.is_spoilt.load(Relaxed)
    }

    /// Begins anew. Called when the watch has left all keys, so that no thread can spoil it meanwhile.
    pub fn renew(&self) {
        self.is_spoilt.store(false, Relaxed);
    }
}

impl Watchers {
    pub(super) fn is_empty(&self) -> bool {
        self.of_key.is_empty()
    }

    /// How many keys are watched.
    pub(super) fn len(&self) -> usize {
        self.of_key.len()
    }

    pub(super) fn join(&mut self, key: &[u8], watch: &Arc<Watch>) {
        let watchers = self.of_key.entry(key.into()).or_default();
        watchers.insert(watch.id, watch.clone());
    }

    /// Takes a watcher off a key; no matter if it has been taken off before.
    pub(super) fn leave(&mut self, key: &[u8], watch: &Watch) {
        if let Some(watchers) = self.of_key.get_mut(key) {
            watchers.remove(&watch.id);
            if watchers.is_empty() {
                self.of_key.remove(key);
            }
        }
    }

    /// Notes that a key has changed.
    pub(super) fn spoil(&mut self, key: &[u8]) {
        if let Some(watchers) = self.of_key.remove(key) {
            let watches = watchers.values();
            watches.for_each(|watch| watch.is_spoilt.store(true, Relaxed));
        }
    }

    /// The keys that are watched.
    pub(super) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.of_key.keys().map(|key| &**key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once_to_each() {
        let mut watchers = Watchers::default();
        let watches = [1, 2, 3].map(|id| Arc::new(Watch::new(id)));
        let spoilt = || watches.each_ref().map(|watch| watch.is_spoilt());
        watchers.join(b"a", &watches[0]);
        watchers.join(b"a", &watches[1]);
        watchers.join(b"a", &watches[1]);
        watchers.join(b"b", &watches[2]);
        watchers.spoil(b"c");
        assert_eq!((spoilt(), watchers.len()), ([false; 3], 2));
        watchers.leave(b"a", &watches[0]);
        watchers.spoil(b"a");
        assert_eq!((spoilt(), watchers.len()), ([false, true, false], 1));
        watches[1].renew();
        watchers.spoil(b"a");
        assert_eq!(spoilt(), [false; 3]);
        watchers.leave(b"a", &watches[1]);
        watchers.leave(b"b", &watches[2]);
        assert!(watchers.is_empty());
    }
}
