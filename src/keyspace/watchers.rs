//! Who watches a key: the clients of WATCH, who want to hear if anybody has changed it before they EXEC.
//!
//! A shard keeps the watchers of its keys, under its lock. A change of a watched key spoils the watch of each of them,
//! and takes them off the key: a watch that is spoilt needs no second word. So a change costs nothing more, however
//! often a key changes that many clients watch, and one look at an empty table if nobody watches any key of the shard.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// All that a client watches, as a whole: it is as good as its weakest part.
#[derive(Debug)]
pub struct Watch {
    /// Tells watches apart.
    id: u64,
    is_spoilt: AtomicBool,
}

/// Those who watch a shard's keys.
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

    /// Whether a watched key has changed. The answer is final for whoever holds the locks of all watched keys.
    pub fn is_spoilt(&self) -> bool {
        self.is_spoilt.load(Relaxed)
    }

    /// Begins anew; called when it has left all keys, so that nobody can spoil it.
    pub fn renew(&self) {
        self.is_spoilt.store(false, Relaxed);
    }
}

impl Watchers {
    pub(super) fn is_empty(&self) -> bool {
        self.of_key.is_empty()
    }

    /// How many keys somebody watches.
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

    /// The keys that somebody watches.
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
