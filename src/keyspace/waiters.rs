//! Clients that wait for keys (BLPOP, XREAD), in queues: one for each key, first come, first served.
//!
//! Invariants:
//! 1. A shard keeps the queues of its keys, and they change only under its exclusive lock. So a key cannot be filled
//!    between a client's look at it and its joining the queue.
//! 2. A key with a queue is *ready* from the commit that brings it into a state that a waiter wants, until its waiters
//!    are served. Keys are served in the order in which they became ready.
//! 3. The thread whose command made a key ready serves the waiters, under its own locks, before it lets them go. No
//!    other client sees the elements that they take.
//! 4. A waiter is served as if its command came now. BLPOP is served from the first of its keys that exists, which may
//!    be another key than the one that is ready. Serving may also fill another key (BLMOVE). Both may lie in other
//!    shards, so the locks of a command include those that serving its waiters needs: see `Waiters::destinations`,
//!    `Waiters::earlier_shards` and [`Locks::write`](super::locks::Locks::write).
//! 5. A reader of streams (XREAD) is served from all of its keys whose shards are locked. The others have nothing new
//!    for it, so it needs no further locks.
//!
//! ```text
//! absent ─ join ─▶ queued ─ key changes to a wanted state ─▶ ready ─ serve ─▶ served: leaves all queues, is woken
//!                    ▲                                         │
//!                    └────────── nothing was left for it ──────┘
//! ```

use super::db::Db;
use super::entry::Entry;
use super::object::Value;
use smallvec::SmallVec;
use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

/// A place in the queues; smaller numbers came earlier.
pub type Ticket = u64;

/// A waiter that stands in several queues.
pub type SharedWaiter = Arc<dyn Waiter>;

/// A client that waits for a key.
pub trait Waiter: Debug + Send + Sync {
    /// In which states the key serves it, or ends its wait by an error.
    fn wants(&self) -> States;

    /// The consumer group of a waiting XREADGROUP. All waiters of one key and group want the same entries, so once one
    /// of them finds none, the others are passed over.
    fn group(&self) -> Option<&[u8]>;

    /// The key that it fills when it is served.
    fn destination(&self) -> Option<&[u8]>;

    /// The client that waits; 0 for none.
    fn client(&self) -> u64 {
        0
    }

    /// Serves it, unless it no longer waits, because one of its keys is in a state that it wants. `false` if it waits
    /// on.
    fn serve(&self, db: &mut Db<'_>) -> bool;

    /// Wakes its thread, because it was served; called when the locks are gone.
    fn wake(&self);
}

/// States of a key, as a set: those in which it serves a waiter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct States(u8);

impl States {
    /// It holds a list.
    pub const LIST: States = States(1 << 0);
    /// It holds a sorted set.
    pub const SORTED_SET: States = States(1 << 1);
    /// It holds a stream.
    pub const STREAM: States = States(1 << 2);
    /// It holds a value for which no command waits.
    pub const OTHER: States = States(1 << 3);
    /// It is not there.
    pub const ABSENT: States = States(1 << 4);
    /// How many there are.
    const COUNT: usize = 5;
    /// Every state.
    pub const ANY: States = States((1 << Self::COUNT) - 1);

    /// The state of a key of which this is the entry.
    pub fn of(entry: Option<Entry<'_>>) -> States {
        match entry.map(Entry::value) {
            None => States::ABSENT,
            Some(Value::List(_)) => States::LIST,
            Some(Value::SortedSet(_)) => States::SORTED_SET,
            Some(Value::Stream(_)) => States::STREAM,
            Some(_) => States::OTHER,
        }
    }

    /// These states and others.
    pub const fn or(self, states: States) -> States {
        States(self.0 | states.0)
    }

    /// Whether one of these states is among them.
    pub fn has(self, states: States) -> bool {
        self.0 & states.0 != 0
    }

    /// The numbers of the states in the set.
    fn numbers(self) -> impl Iterator<Item = usize> {
        (0..Self::COUNT).filter(move |number| self.0 & (1 << number) != 0)
    }
}

/// The queues of a shard's keys.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    queues: BTreeMap<Box<[u8]>, Queue>,
}

/// The waiters of one key.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: BTreeMap<Ticket, Place>,
    /// The keys that they fill.
    destinations: Counted<Box<[u8]>>,
    /// The shards of the keys that their commands name before this one.
    earlier_shards: Counted<usize>,
    /// How many waiters name [too many](Earlier::Many) keys before this one: for them, all shards of the database
    /// count.
    with_many_earlier: usize,
    /// The consumer groups for which they read.
    groups: Counted<Box<[u8]>>,
    /// How many waiters want each of the states.
    wanted: [usize; States::COUNT],
    /// Whether the key is on the list of those to be served.
    is_ready: bool,
}

/// The consumer groups for which a key holds nothing new, while its waiters are served.
#[derive(Debug, Default)]
pub(super) struct IdleGroups {
    groups: BTreeSet<Box<[u8]>>,
    /// How many waiters of the key read for them.
    waiters: usize,
}

impl IdleGroups {
    fn has(&self, waiter: &SharedWaiter) -> bool {
        let group = waiter.group();
        group.is_some_and(|group| self.groups.contains(group))
    }
}

/// A waiter in a queue.
#[derive(Debug)]
struct Place {
    waiter: SharedWaiter,
    earlier: Earlier,
}

/// Of the keys that a waiter's command names, those before the one in whose queue it stands: their shards.
#[derive(Clone, Debug)]
pub(super) enum Earlier {
    /// These.
    Few(SmallVec<[usize; 4]>),
    /// More than are worth keeping in the queue of every key.
    Many,
}

impl Earlier {
    const MOST: usize = 16;

    /// Before the first key there is none.
    pub(super) fn none() -> Earlier {
        Earlier::Few(SmallVec::new())
    }

    /// Adds the shard of a further key.
    pub(super) fn add(&mut self, shard: usize) {
        match self {
            Earlier::Few(shards) if shards.contains(&shard) => {}
            Earlier::Few(shards) if shards.len() < Self::MOST => shards.push(shard),
            _ => *self = Earlier::Many,
        }
    }
}

/// Things, and how many waiters of a queue each has come with.
#[derive(Debug)]
struct Counted<T>(BTreeMap<T, usize>);

impl<T: Ord> Counted<T> {
    fn count<Q: Ord + ?Sized>(&self, thing: &Q) -> usize
    where
        T: Borrow<Q>,
    {
        self.0.get(thing).copied().unwrap_or(0)
    }

    fn add(&mut self, thing: T) {
        *self.0.entry(thing).or_default() += 1;
    }

    fn remove<Q: Ord + ?Sized>(&mut self, thing: &Q)
    where
        T: Borrow<Q>,
    {
        if let Some(count) = self.0.get_mut(thing) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(thing);
            }
        }
    }
}

impl<T> Default for Counted<T> {
    fn default() -> Self {
        Counted(BTreeMap::new())
    }
}

impl Waiters {
    pub(super) fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// Puts a waiter at the end of a key's queue, unless it stands there already: a command may name a key twice.
    pub(super) fn join(
        &mut self,
        key: &[u8],
        ticket: Ticket,
        waiter: SharedWaiter,
        earlier: Earlier,
    ) {
        let queue = self.queues.entry(key.into()).or_default();
        if queue.waiting.contains_key(&ticket) {
            return;
        }
        if let Some(destination) = waiter.destination() {
            queue.destinations.add(destination.into());
        }
        if let Some(group) = waiter.group() {
            queue.groups.add(group.into());
        }
        match &earlier {
            Earlier::Few(shards) => shards
                .iter()
                .for_each(|shard| queue.earlier_shards.add(*shard)),
            Earlier::Many => queue.with_many_earlier += 1,
        }
        let wanted = waiter.wants().numbers();
        wanted.for_each(|state| queue.wanted[state] += 1);
        queue.waiting.insert(ticket, Place { waiter, earlier });
    }

    pub(super) fn leave(&mut self, key: &[u8], ticket: Ticket) {
        if let Some(queue) = self.queues.get_mut(key) {
            queue.remove(ticket);
            if queue.waiting.is_empty() {
                self.queues.remove(key);
            }
        }
    }

    /// Notes that a key has changed; `true` if its new state serves a waiter and it was not known to be ready. That
    /// moment counts for the order in which keys are served.
    pub(super) fn note_change(&mut self, key: &[u8], state: States) -> bool {
        match self.queues.get_mut(key) {
            Some(queue) if queue.wants(state) => !std::mem::replace(&mut queue.is_ready, true),
            _ => false,
        }
    }

    /// Whether this state of the key serves one of its waiters.
    pub(super) fn want(&self, key: &[u8], state: States) -> bool {
        self.queues.get(key).is_some_and(|queue| queue.wants(state))
    }

    /// The first waiter of this key that came after the one with this ticket and is not passed over.
    pub(super) fn next(
        &self,
        key: &[u8],
        after: Option<Ticket>,
        idle: &IdleGroups,
    ) -> Option<(Ticket, &SharedWaiter)> {
        let from = after.map_or(0, |ticket| ticket + 1);
        let queue = self.queues.get(key)?;
        if idle.waiters == queue.waiting.len() {
            // All that are left are passed over.
            return None;
        }
        let mut waiting = queue.waiting.range(from..);
        let (ticket, place) = waiting.find(|(_, place)| !idle.has(&place.waiter))?;
        Some((*ticket, &place.waiter))
    }

    /// Notes that there is nothing for the group of this waiter of the key, if it reads for one.
    pub(super) fn pass_over_group(&self, key: &[u8], waiter: &SharedWaiter, idle: &mut IdleGroups) {
        let Some((group, queue)) = waiter.group().zip(self.queues.get(key)) else {
            return;
        };
        if idle.groups.insert(group.into()) {
            idle.waiters += queue.groups.count(group);
        }
    }

    /// Begins to serve a key: a change from now on makes it ready anew.
    pub(super) fn begin_serving(&mut self, key: &[u8]) {
        if let Some(queue) = self.queues.get_mut(key) {
            queue.is_ready = false;
        }
    }

    /// The keys that serving the waiters of `key` may fill.
    pub(super) fn destinations(&self, key: &[u8]) -> impl Iterator<Item = &[u8]> {
        let queue = self.queues.get(key);
        let destinations = queue.map(|queue| queue.destinations.0.keys());
        destinations.into_iter().flatten().map(|key| &**key)
    }

    /// The shards that serving the waiters of `key` may look into; `all` are those of the key's database.
    pub(super) fn earlier_shards(
        &self,
        key: &[u8],
        all: Range<usize>,
    ) -> impl Iterator<Item = usize> {
        let queue = self.queues.get(key);
        let all = queue.and_then(|queue| (queue.with_many_earlier > 0).then_some(all));
        let shards = queue.map(|queue| queue.earlier_shards.0.keys().copied());
        shards
            .into_iter()
            .flatten()
            .chain(all.into_iter().flatten())
    }

    /// The keys that have waiters.
    pub(super) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.queues.keys().map(|key| &**key)
    }
}

impl Queue {
    fn wants(&self, state: States) -> bool {
        state.numbers().any(|state| self.wanted[state] > 0)
    }

    fn remove(&mut self, ticket: Ticket) {
        let Some(place) = self.waiting.remove(&ticket) else {
            return;
        };
        let wanted = place.waiter.wants().numbers();
        wanted.for_each(|state| self.wanted[state] -= 1);
        if let Some(destination) = place.waiter.destination() {
            self.destinations.remove(destination);
        }
        if let Some(group) = place.waiter.group() {
            self.groups.remove(group);
        }
        match &place.earlier {
            Earlier::Few(shards) => shards
                .iter()
                .for_each(|shard| self.earlier_shards.remove(shard)),
            Earlier::Many => self.with_many_earlier -= 1,
        }
    }
}

/// The waiters that have been served; their threads are woken when this is dropped, after the locks.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Mover;

    impl Waiter for Mover {
        fn wants(&self) -> States {
            States::LIST
        }

        fn group(&self) -> Option<&[u8]> {
            None
        }

        fn destination(&self) -> Option<&[u8]> {
            Some(b"to")
        }

        fn serve(&self, _: &mut Db<'_>) -> bool {
            true
        }

        fn wake(&self) {}
    }

    /// What is locked for a waiter is not locked any more when it has left.
    #[test]
    fn a_queue_needs_what_its_waiters_need() {
        let mut waiters = Waiters::default();
        let earlier = |shards: std::ops::Range<usize>| {
            let mut earlier = Earlier::none();
            shards.chain([8]).for_each(|shard| earlier.add(shard));
            earlier
        };
        let needed = |waiters: &Waiters| {
            let shards = waiters.earlier_shards(b"k", 100..103).collect::<Vec<_>>();
            (shards, waiters.destinations(b"k").count())
        };
        for (ticket, shards) in [(1, 8..10), (2, 7..9), (2, 20..21), (3, 0..17)] {
            waiters.join(b"k", ticket, Arc::new(Mover), earlier(shards));
        }
        assert_eq!(needed(&waiters), (vec![7, 8, 9, 100, 101, 102], 1));
        waiters.leave(b"k", 3);
        assert_eq!(needed(&waiters), (vec![7, 8, 9], 1));
        waiters.leave(b"k", 1);
        waiters.leave(b"k", 1);
        assert_eq!(needed(&waiters), (vec![7, 8], 1));
        waiters.leave(b"k", 2);
        assert_eq!(needed(&waiters), (vec![], 0));
        assert!(waiters.is_empty());
    }
}
