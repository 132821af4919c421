//! Who waits for a key to appear: the clients of BLPOP and the like, in the order in which they came.
//!
//! A shard keeps the queues of its keys, under its lock. So a key cannot be filled between a client's look at it and its
//! joining the queue; and whoever fills a key serves those who wait for it before letting the lock go, so that nobody else
//! sees the elements that they take.
//!
//! Serving may fill another key (BLMOVE), in a shard of its own. The locks of a command therefore include those that
//! serving needs: see `Waiters::keys_needed` and [`Keyspace::write`](super::space::Keyspace::write).

use super::db::Db;
use super::entry::Entry;
use super::space::Key;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::sync::Arc;

/// A place in the queues: who came earlier has a smaller one.
pub type Ticket = u64;

/// A waiter that stands in several queues.
pub type SharedWaiter = Arc<dyn Waiter>;

/// Somebody who waits for a key.
pub trait Waiter: Debug + Send + Sync {
    /// Whether it can be served from this entry.
    fn wants(&self, entry: Entry<'_>) -> bool;

    /// The key that it fills when it is served.
    fn destination(&self) -> Option<&[u8]>;

    /// Serves it from a key that it wants, unless it no longer waits.
    fn serve(&self, db: &mut Db<'_>, key: &Key<'_>);

    /// Tells it that it was served; called when the locks are gone.
    fn wake(&self);
}

/// The queues of a shard's keys.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    queues: HashMap<Box<[u8]>, Queue>,
}

/// Those who wait for one key.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: BTreeMap<Ticket, SharedWaiter>,
    /// The keys that they fill, and how many of them.
    destinations: BTreeMap<Box<[u8]>, usize>,
    /// Whether the key is on the list of those to be served.
    is_ready: bool,
}

impl Waiters {
    pub(super) fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    pub(super) fn join(&mut self, key: &[u8], ticket: Ticket, waiter: SharedWaiter) {
        let queue = self.queues.entry(key.into()).or_default();
        if let Some(destination) = waiter.destination() {
            *queue.destinations.entry(destination.into()).or_default() += 1;
        }
        queue.waiting.insert(ticket, waiter);
    }

    pub(super) fn leave(&mut self, key: &[u8], ticket: Ticket) {
        if let Some(queue) = self.queues.get_mut(key) {
            queue.remove(ticket);
            if queue.waiting.is_empty() {
                self.queues.remove(key);
            }
        }
    }

    /// Notes that a key has changed; `true` if somebody waits for it and it was not known to be ready.
    pub(super) fn note_change(&mut self, key: &[u8]) -> bool {
        match self.queues.get_mut(key) {
            Some(queue) => !std::mem::replace(&mut queue.is_ready, true),
            None => false,
        }
    }

    /// The first who waits for this key and came after the one with this ticket.
    pub(super) fn next(
        &self,
        key: &[u8],
        after: Option<Ticket>,
    ) -> Option<(Ticket, &SharedWaiter)> {
        let from = after.map_or(0, |ticket| ticket + 1);
        let (ticket, waiter) = self.queues.get(key)?.waiting.range(from..).next()?;
        Some((*ticket, waiter))
    }

    /// Begins to serve a key: a change from now on makes it ready anew.
    pub(super) fn begin_serving(&mut self, key: &[u8]) {
        if let Some(queue) = self.queues.get_mut(key) {
            queue.is_ready = false;
        }
    }

    /// The keys that serving those who wait for `key` may fill.
    pub(super) fn keys_needed(&self, key: &[u8]) -> impl Iterator<Item = &[u8]> {
        let queue = self.queues.get(key);
        let destinations = queue.map(|queue| queue.destinations.keys());
        destinations.into_iter().flatten().map(|key| &**key)
    }

    /// The keys that somebody waits for.
    pub(super) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.queues.keys().map(|key| &**key)
    }
}

impl Queue {
    fn remove(&mut self, ticket: Ticket) {
        let waiter = self.waiting.remove(&ticket);
        if let Some(destination) = waiter.as_ref().and_then(|waiter| waiter.destination())
            && let Some(count) = self.destinations.get_mut(destination)
        {
            *count -= 1;
            if *count == 0 {
                self.destinations.remove(destination);
            }
        }
    }
}

/// Those who have been served; they are told when this is dropped, after the locks.
#[derive(Debug, Default)]
pub(super) struct Served(Vec<SharedWaiter>);

impl Served {
    pub(super) fn push(&mut self, waiter: SharedWaiter) {
        self.0.push(waiter);
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.iter().for_each(|waiter| waiter.wake());
    }
}
