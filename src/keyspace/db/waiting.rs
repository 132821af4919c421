//! The part of a [`Db`] that has to do with clients who wait for keys: see [`waiters`](crate::keyspace::waiters).

use super::{Db, WriteDb};
use crate::keyspace::space::{Key, SHARDS, shards_of_database};
use crate::keyspace::waiters::{Earlier, IdleGroups, SharedWaiter, States, Ticket};
use std::collections::BTreeSet;

impl Db<'_> {
    /// Lets a client wait for keys that do not serve it now. Returns the ticket to leave with.
    pub fn join_waiters(&mut self, keys: &[Key<'_>], waiter: &SharedWaiter) -> Ticket {
        let ticket = self.keyspace.next_ticket();
        let mut earlier = Earlier::none();
        for key in keys {
            let waiters = &mut self.guard_mut(key).waiters;
            waiters.join(key.bytes, ticket, waiter.clone(), earlier.clone());
            // A reader of streams needs no earlier key (invariant 5 of `waiters`).
            if !waiter.wants().has(States::STREAM) {
                earlier.add(key.shard);
            }
        }
        ticket
    }

    /// Takes a client out of the queues of these keys; it may have been served from one of them.
    pub fn leave_waiters(&mut self, keys: &[Key<'_>], ticket: Ticket) {
        for key in keys {
            self.guard_mut(key).waiters.leave(key.bytes, ticket);
        }
    }

    /// The shards that are not locked, but are needed to serve the waiters of these keys, and then the clients that
    /// wait for the keys that are filled by that, and so on. A key that is only taken from leads no further: the
    /// command does not change it, so if it is there, its waiters want a value of another type. Readers of a stream
    /// fill no key, and need no other.
    #[inline]
    pub(in crate::keyspace) fn missing_shards(&self, keys: &[Key<'_>]) -> Vec<usize> {
        let mut shards = self.guards.iter().map(|(_, guard)| guard.shard());
        match shards.all(|shard| shard.waiters.is_empty()) {
            true => Vec::new(),
            false => self.shards_of_waiters(keys),
        }
    }

    #[cold]
    fn shards_of_waiters(&self, keys: &[Key<'_>]) -> Vec<usize> {
        let mut missing = Vec::new();
        let mut seen: BTreeSet<(usize, &[u8])> = BTreeSet::new();
        let mut to_follow: Vec<(usize, &[u8])> = Vec::new();
        to_follow.extend(keys.iter().map(|key| (key.shard, key.bytes)));
        while let Some((shard, bytes)) = to_follow.pop() {
            match self.position(shard) {
                None => missing.push(shard),
                Some(position) if seen.insert((shard, bytes)) => {
                    let database = shard / SHARDS;
                    let waiters = &self.guards[position].1.shard().waiters;
                    let in_database = |bytes| Key::new(database, bytes).shard;
                    let filled = waiters.destinations(bytes);
                    to_follow.extend(filled.map(|bytes| (in_database(bytes), bytes)));
                    let earlier = waiters.earlier_shards(bytes, shards_of_database(database));
                    missing.extend(earlier.filter(|shard| self.position(*shard).is_none()));
                }
                Some(_) => {}
            }
        }
        missing
    }

    /// Notes that a key is ready, if its new state serves one of its waiters.
    pub(in crate::keyspace) fn note_for_waiters(&mut self, key: &Key<'_>) {
        let shard = self.guard_mut(key);
        let state = States::of(shard.get(key.hash, key.bytes));
        if shard.waiters.note_change(key.bytes, state) {
            let ready = (key.database(), key.bytes.into());
            self.aftermath().ready.push(ready);
        }
    }
}

/// What the executor does, and no handler.
impl WriteDb<'_> {
    /// Serves the clients that wait for keys which are ready, key by key in the order in which they became ready, first
    /// come, first served. Called at the end of every command that may have changed a key.
    #[inline]
    pub fn serve_waiters(&mut self) {
        if self.aftermath.is_some() {
            self.serve_ready_keys();
        }
    }

    #[cold]
    fn serve_ready_keys(&mut self) {
        let mut number = 0;
        // Serving may fill other keys, whose turn comes after those that are ready already.
        while let Some((database, bytes)) = self.aftermath().ready.get_mut(number) {
            let (database, bytes) = (*database, std::mem::take(bytes));
            self.serve_key(&Key::new(database, &bytes));
            number += 1;
        }
        self.aftermath().ready.clear();
    }

    fn serve_key(&mut self, key: &Key<'_>) {
        let own_database = std::mem::replace(&mut self.view.database, key.database());
        self.guard_mut(key).waiters.begin_serving(key.bytes);
        let mut last = None;
        let mut idle = IdleGroups::default();
        while let state = States::of(self.look_silently(key))
            && let waiters = &self.shard(key).waiters
            && waiters.want(key.bytes, state)
            && let Some((ticket, waiter)) = waiters.next(key.bytes, last, &idle)
        {
            last = Some(ticket);
            if waiter.wants().has(state) {
                let waiter = waiter.clone();
                if let Some(destination) = waiter.destination() {
                    // Of the command's own keys, those that had expired are gone since it took the locks.
                    self.remove_if_expired(&Key::new(key.database(), destination));
                }
                // What serving it does to keys is done by the client that has waited.
                let server = self.keyspace.listeners.set_acting_client(waiter.client());
                let is_served = waiter.serve(self);
                // What serving has done to it is said by the waiter's command.
                self.commit(&[]);
                self.keyspace.listeners.set_acting_client(server);
                if is_served {
                    self.guard_mut(key).waiters.leave(key.bytes, ticket);
                    self.aftermath().served.push(waiter);
                } else {
                    let waiters = &self.shard(key).waiters;
                    waiters.pass_over_group(key.bytes, &waiter, &mut idle);
                }
            }
        }
        self.view.database = own_database;
    }

    /// Commits the removal of keys that had expired, which no command has asked for, and serves clients that waited for
    /// that.
    pub fn settle(&mut self) {
        self.commit(&[]);
        self.serve_waiters();
    }

    /// Lets the keys that are ready become ready anew by their next change.
    pub(in crate::keyspace) fn forget_ready_keys(&mut self) {
        let ready = self
            .aftermath
            .as_mut()
            .map(|aftermath| std::mem::take(&mut aftermath.ready));
        for (database, bytes) in ready.into_iter().flatten() {
            let key = Key::new(database, &bytes);
            self.guard_mut(&key).waiters.begin_serving(key.bytes);
        }
    }
}
