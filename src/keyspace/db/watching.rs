//! The part of a [`Db`] that has to do with clients who watch keys: see [`watchers`](crate::keyspace::watchers).

use super::Db;
use crate::keyspace::space::Key;
use crate::keyspace::watchers::{Round, Watch};
use std::sync::Arc;

impl Db<'_> {
    /// Lets a client watch a key. A key that had expired is gone since the lock was taken, so that its end is no news.
    pub fn join_watchers(&mut self, key: &Key<'_>, watch: &Arc<Watch>) {
        self.guard_mut(key).watchers.join(key.bytes, watch);
    }

    /// Takes a client off keys that it watches in this round.
    pub fn leave_watchers(&mut self, keys: &[Key<'_>], watch: &Watch, round: Round) {
        for key in keys {
            self.guard_mut(key).watchers.leave(key.bytes, watch, round);
        }
    }
}
