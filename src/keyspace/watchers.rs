//! The clients of WATCH: what fails their EXEC if a key has changed.
//!
//! Invariants:
//! 1. A shard keeps the watchers of its keys, and they change only under its exclusive lock.
//! 2. A change of a watched key marks the [`Watch`] of each watcher as spoilt, and removes all watchers of that key.
//!    So a key that changes often costs nothing more, however many clients watch it.
//! 3. A watcher that cannot have the lock of a key, because a busy script has it, stays there until later. Its watch is
//!    in another round then, so the key does not spoil it any more.
//! 4. A thread that holds the locks of all keys of a watch, shared or not, gets a final answer from
//!    [`Watch::is_spoilt`].
//!
//! Where no key of a shard is watched, a change costs one look at an empty table.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One per client; spoilt once any of its watched keys has changed, and EXEC then answers nil.
#[derive(Debug)]
pub struct Watch {
    /// No other watch has this number.
    id: u64,
    /// The [`Round`], doubled; plus one if it is spoilt. One number, so that a key of an earlier round cannot spoil
    /// this one.
    state: AtomicU64,
}

/// What a client watches from one EXEC, DISCARD or UNWATCH to the next is one round.
pub type Round = u64;

/// The watchers of a shard's keys.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    of_key: BTreeMap<Box<[u8]>, OfKey>,
}

/// The watchers of one key by their numbers, each with the round in which it watches the key.
type OfKey = BTreeMap<u64, (Arc<Watch>, Round)>;

impl Watch {
    /// Watches nothing yet; `id` is not that of another.
    pub fn new(id: u64) -> Watch {
        Watch {
            id,
            state: AtomicU64::new(0),
        }
    }

    /// Whether a watched key has changed. The answer is final while the thread holds the locks of all watched keys.
    pub fn is_spoilt(&self) -> bool {
        self.state.load(Relaxed) % 2 == 1
    }

    /// The round that is under way.
    pub fn round(&self) -> Round {
        self.state.load(Relaxed) / 2
    }

    /// Begins another round. Called by the client's thread alone.
    pub fn renew(&self) {
        self.state.store((self.round() + 1) * 2, Relaxed);
    }

    fn spoil(&self, round: Round) {
        // It fails if the watch is spoilt already, or in another round.
        let (whole, spoilt) = (round * 2, round * 2 + 1);
        let _ = self.state.compare_exchange(whole, spoilt, Relaxed, Relaxed);
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
        watchers.insert(watch.id, (watch.clone(), watch.round()));
    }

    /// Takes a watcher of this round off a key; no matter if it has been taken off before.
    pub(super) fn leave(&mut self, key: &[u8], watch: &Watch, round: Round) {
        if let Some(watchers) = self.of_key.get_mut(key) {
            let is_of_round = |(_, joined): &(_, Round)| *joined == round;
            if watchers.get(&watch.id).is_some_and(is_of_round) {
                watchers.remove(&watch.id);
            }
            if watchers.is_empty() {
                self.of_key.remove(key);
            }
        }
    }

    /// Notes that a key has changed.
    pub(super) fn spoil(&mut self, key: &[u8]) {
        if let Some(watchers) = self.of_key.remove(key) {
            let watches = watchers.values();
            watches.for_each(|(watch, round)| watch.spoil(*round));
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
        watchers.leave(b"a", &watches[0], 0);
        watchers.spoil(b"a");
        assert_eq!((spoilt(), watchers.len()), ([false, true, false], 1));
        watches[1].renew();
        watchers.spoil(b"a");
        assert_eq!(spoilt(), [false; 3]);
        watchers.leave(b"a", &watches[1], 1);
        watchers.leave(b"b", &watches[2], 0);
        assert!(watchers.is_empty());
    }

    /// A busy script may keep a client from a key that it no longer watches.
    #[test]
    fn a_key_of_an_earlier_round_neither_spoils_nor_leaves_this_one() {
        let mut watchers = Watchers::default();
        let watch = Arc::new(Watch::new(1));
        watchers.join(b"old", &watch);
        watchers.join(b"both", &watch);
        watch.renew();
        watchers.join(b"both", &watch);
        watchers.spoil(b"old");
        assert!(!watch.is_spoilt());
        watchers.leave(b"both", &watch, 0);
        watchers.spoil(b"both");
        assert!(watch.is_spoilt());
        watch.renew();
        assert!(!watch.is_spoilt() && watch.round() == 2 && watchers.is_empty());
    }
}
