//! What a command has done, from its first change to its commit.
//!
//! A handler changes keys by the mutators of [`Db`], and says of each change what it was ([`Db::changed`]). That is
//! noted here, if anything listens. When the handler has returned, still under the locks, the executor commits: in
//! this one place the change becomes known, to the journal as effects, to the audience as events, to watchers and to
//! waiters.
//!
//! ```text
//! handler        changed("spop") ─┐           replay_as(SREM) ─┐
//! expired key    "expired", DEL ─┐│                            │
//!                                ▼▼                            ▼
//!                Change { news: expired, spop;  removed: DEL;  own: SREM }
//!                           │                            │
//! commit                    └▶ events, watchers, waiters └▶ journal (of a transaction: when it ends)
//! ```
//!
//! What the commands of a transaction do is one block. A script's block may have to be taken back
//! (`undo`): so its events, watchers and waiters hear of it when it ends, too.
//!
//! Invariants:
//! 1. What is noted is committed before the locks are gone: dropping a [`WriteDb`] commits the rest.
//! 2. News come in the order of the changes; effects too.
//! 3. The effect of a command that changed nothing is nothing, however it describes itself.
//! 4. A handler that panics leaves what it has changed, without an effect: what it would have done is not known.

use super::db::{Db, WriteDb};
use super::effect::Effects;
use super::events::Events;
use super::listeners::Cause;
use super::space::{Key, Place};

/// What has been noted since the last commit.
#[derive(Debug, Default)]
pub(super) struct Change {
    news: Vec<News>,
    /// The removal of keys that had expired or were evicted.
    removed: Effects,
    /// Whether the command itself has changed anything.
    is_by_command: bool,
    /// What the command is to be replayed as, if it has said so.
    own: Option<Effects>,
}

/// What the commands of a transaction or a script have done, until it ends.
#[derive(Debug, Default)]
pub(super) struct Block {
    effects: Effects,
    /// Whether the journal is not to hear of what follows.
    is_silent: bool,
    /// Whether `news` gathers what else would be sent at once.
    holds_news: bool,
    news: Vec<News>,
}

/// Something that has happened to a key.
#[derive(Debug)]
struct News {
    key: Box<[u8]>,
    place: Place,
    event: &'static str,
    concerns: Concerns,
}

/// Who hears of something that has happened to a key: the subscribers of the event, and who else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Concerns {
    Subscribers,
    Waiters,
    /// Whole databases have changed: of that, clients that cache are told in one message, not key by key.
    WatchersAndWaiters,
    /// These, and the clients that cache the key.
    All(Cause),
}

impl Db<'_> {
    /// Says what a command did to a key: called once per key and event, after the change. `event` is the event's name
    /// in <https://redis.io/docs/manual/keyspace-notifications/>, or empty if there is none; `count` is what the change
    /// adds to `rdb_changes_since_last_save`.
    pub fn changed(&mut self, key: &Key<'_>, event: &'static str, count: usize) {
        self.count_changes(key.shard, count);
        self.note_by_command(key, event, Concerns::All(Cause::Command));
    }

    /// Says that a key has changed together with its whole database. That is no event, and its changes are counted
    /// elsewhere.
    pub fn changed_with_database(&mut self, key: &Key<'_>) {
        self.note_by_command(key, "", Concerns::WatchersAndWaiters);
    }

    /// As [`changed`](Self::changed), for a change of which neither WATCH nor waiting clients hear: of a consumer
    /// group, or by XSETID. As in Redis, WATCH does not count these.
    pub fn changed_unwatched(&mut self, key: &Key<'_>, event: &'static str, count: usize) {
        self.count_changes(key.shard, count);
        self.note_by_command(key, event, Concerns::Subscribers);
    }

    /// As [`changed_unwatched`](Self::changed_unwatched), but clients who wait for the key hear of it, for what they
    /// wait for may be gone.
    pub fn changed_for_waiters(&mut self, key: &Key<'_>, event: &'static str, count: usize) {
        self.count_changes(key.shard, count);
        self.note_by_command(key, event, Concerns::Waiters);
    }

    /// Notes a change as far as anything listens.
    #[inline]
    fn note_by_command(&mut self, key: &Key<'_>, event: &'static str, concerns: Concerns) {
        let listeners = &self.keyspace.listeners;
        if !self.is_awaited(key) {
            if !listeners.is_any() {
                return;
            }
            if !listeners.tell_news() {
                self.is_recorded |= listeners.has_journal();
                return;
            }
        }
        let change = self.change.get_mut().get_or_insert_default();
        change.is_by_command = true;
        change.note(key, event, concerns);
    }

    /// Says that a command changed something that concerns the journal alone, neither watchers nor subscribers.
    pub fn changed_silently(&mut self) {
        self.is_recorded |= self.keyspace.listeners.has_journal();
    }

    /// Says that a key is gone because its time was over.
    pub(super) fn note_expired(&mut self, key: &Key<'_>) {
        self.count_changes(key.shard, 1);
        if self.is_noted(key) {
            let mut change = self.change.borrow_mut();
            let change = change.get_or_insert_default();
            change.note(key, "expired", Concerns::All(Cause::Server));
            if self.keyspace.listeners.has_journal() {
                change.removed.push(key.database(), &[b"DEL", key.bytes]);
            }
        }
    }

    /// Says that a key is gone because memory was short. As in Redis, that does not count as a change to be saved.
    pub(super) fn note_evicted(&mut self, key: &Key<'_>, is_lazy: bool) {
        if self.is_noted(key) {
            let mut change = self.change.borrow_mut();
            let change = change.get_or_insert_default();
            change.note(key, "evicted", Concerns::All(Cause::Server));
            if self.keyspace.listeners.has_journal() {
                let command: &[u8] = if is_lazy { b"UNLINK" } else { b"DEL" };
                change.removed.push(key.database(), &[command, key.bytes]);
            }
        }
    }

    /// Notes an event that is no change of its own: `new`, `keymiss`.
    pub(super) fn note_event(&self, key: &Key<'_>, event: &'static str) {
        if self.keyspace.listeners.is_any() && self.keyspace.listeners.events.are_told(event) {
            let mut change = self.change.borrow_mut();
            change
                .get_or_insert_default()
                .note(key, event, Concerns::Subscribers);
        }
    }

    /// Says what the running command is to be replayed as, if not as it came; `describe` is asked only if there is a
    /// journal, and adds one command or several.
    #[inline]
    pub fn replay_as(&mut self, describe: impl FnOnce(&mut Replay)) {
        if self.keyspace.listeners.is_any() && self.keyspace.listeners.has_journal() {
            let change = self.change.get_mut().get_or_insert_default();
            describe(&mut Replay {
                database: self.view.database,
                effects: change.own.get_or_insert_default(),
            });
        }
    }

    /// Whether effects are noted, so that it pays to remember what to say in [`replay_as`](Self::replay_as).
    pub fn is_replayed(&self) -> bool {
        self.keyspace.listeners.has_journal()
    }

    /// Whether anything listens to what happens to a key.
    fn is_noted(&self, key: &Key<'_>) -> bool {
        self.keyspace.listeners.is_any() || self.is_awaited(key)
    }

    /// Whether clients watch keys of this key's shard, or wait for some.
    #[inline]
    fn is_awaited(&self, key: &Key<'_>) -> bool {
        let shard = self.shard(key);
        !shard.watchers.is_empty() || !shard.waiters.is_empty()
    }

    /// Sends the events that reading has caused. The shards are locked for reading, so nothing else can have happened.
    pub fn commit_reading(&self) {
        let Some(change) = self.change.take() else {
            return;
        };
        let events = &self.keyspace.listeners.events;
        change.news.iter().for_each(|news| news.send(events));
    }

    /// Forgets the events that reading has caused: what has read begins anew.
    pub fn take_back_reading(&self) {
        self.change.take();
    }

    fn tell(&mut self, key: &Key<'_>, concerns: Concerns) {
        if let Concerns::All(cause) = concerns {
            self.keyspace.listeners.tell_tracker(key.bytes, cause);
        }
        let shard = self.guard_mut(key);
        let for_watchers = matches!(concerns, Concerns::WatchersAndWaiters | Concerns::All(_));
        if for_watchers && !shard.watchers.is_empty() {
            shard.watchers.spoil(key.bytes);
        }
        if concerns != Concerns::Subscribers && !shard.waiters.is_empty() {
            self.note_for_waiters(key);
        }
    }
}

/// What the executor does, and no handler: a [`WriteDb`] is not handed to it.
impl WriteDb<'_> {
    /// Commits what has been done since the last commit. `request` is what the client asked for, with the command's
    /// name, and is replayed unless the command has said something else; empty if no command of its own did it.
    #[inline]
    pub fn commit(&mut self, request: &[&[u8]]) {
        let is_recorded = std::mem::take(&mut self.is_recorded);
        if let Some(mut change) = self.change.get_mut().take() {
            change.is_by_command |= is_recorded;
            self.publish(*change, request);
        } else if is_recorded {
            self.record(request);
        }
    }

    /// The journal alone hears of the command, which is replayed as it came.
    fn record(&mut self, request: &[&[u8]]) {
        let database = self.view.database;
        match self.block() {
            _ if request.is_empty() => {}
            Some(block) if block.is_silent => {}
            Some(block) => block.effects.push(database, request),
            None => self.keyspace.listeners.append_command(database, request),
        }
    }

    #[cold]
    fn publish(&mut self, mut change: Change, request: &[&[u8]]) {
        if self.keyspace.listeners.has_journal() {
            let effects = change.take_effects(self.view.database, request);
            match self.block() {
                Some(block) if block.is_silent => {}
                Some(block) => block.effects.append(&effects),
                None => self.keyspace.listeners.append(&effects),
            }
        }
        match self.block() {
            Some(block) if block.holds_news => block.news.append(&mut change.news),
            _ => self.send(&change.news),
        }
    }

    fn send(&mut self, news: &[News]) {
        for news in news {
            news.send(&self.keyspace.listeners.events);
            self.tell(&news.key(), news.concerns);
        }
    }

    fn block(&mut self) -> Option<&mut Block> {
        self.aftermath.as_mut()?.block.as_mut()
    }

    /// From now on, the effects of all commands belong together: a transaction begins.
    pub fn begin_block(&mut self) {
        if self.keyspace.listeners.has_journal() {
            self.aftermath().block = Some(Block::default());
        }
    }

    /// A block that can be taken back until it ends: its news are held, and each shard remembers what changes.
    pub fn begin_undoable_block(&mut self) {
        self.aftermath().block = Some(Block {
            holds_news: true,
            ..Block::default()
        });
        self.begin_undo();
    }

    /// How many news the block holds.
    pub fn held_news(&mut self) -> usize {
        self.block().map_or(0, |block| block.news.len())
    }

    /// While a block is silent, the effects of its commands do not go to the journal.
    pub fn set_silent(&mut self, is_silent: bool) {
        if let Some(block) = self.block() {
            block.is_silent = is_silent;
        }
    }

    /// Ends a block.
    pub fn end_block(&mut self) {
        self.end_block_with(|_| {});
    }

    /// Ends a block. `before` is called before each piece of news is sent, and after the last one, with the number of
    /// those that have been sent: so that messages go out between them.
    pub fn end_block_with(&mut self, mut before: impl FnMut(usize)) {
        let block = self.aftermath.as_mut();
        let Some(mut block) = block.and_then(|aftermath| aftermath.block.take()) else {
            return before(0);
        };
        self.end_undo();
        block.effects.join();
        self.keyspace.listeners.append(&block.effects);
        for (number, news) in block.news.iter().enumerate() {
            before(number);
            self.send(std::slice::from_ref(news));
        }
        before(block.news.len());
    }

    /// Takes back all that has been done since [`begin_undoable_block`](Self::begin_undoable_block). Nothing of it has
    /// been told.
    pub fn take_back_block(&mut self) {
        self.change.take();
        self.is_recorded = false;
        let is_begun = self.aftermath().block.take().is_some();
        debug_assert!(is_begun);
        self.undo();
    }
}

impl Change {
    /// All that is to be replayed: keys that were removed first, as they had to go before the command ran.
    fn take_effects(&mut self, database: usize, request: &[&[u8]]) -> Effects {
        let mut effects = std::mem::take(&mut self.removed);
        match self.own.take() {
            _ if !self.is_by_command => {}
            Some(own) => {
                if own.len() > 1 {
                    effects.join();
                }
                effects.append(&own);
            }
            None if !request.is_empty() => effects.push(database, request),
            None => {}
        }
        effects
    }

    fn note(&mut self, key: &Key<'_>, event: &'static str, concerns: Concerns) {
        self.news.push(News {
            key: key.bytes.into(),
            place: key.place(),
            event,
            concerns,
        });
    }
}

impl News {
    fn key(&self) -> Key<'_> {
        Key::at(self.place, &self.key)
    }

    fn send(&self, events: &Events) {
        events.tell(self.key().database(), self.event, &self.key);
    }
}

/// Takes down what a command is to be replayed as.
pub struct Replay<'a> {
    database: usize,
    effects: &'a mut Effects,
}

impl Replay<'_> {
    /// Adds a command with its arguments, in the client's database.
    pub fn command(&mut self, arguments: &[&[u8]]) {
        self.effects.push(self.database, arguments);
    }

    /// Adds a command that begins with these arguments and ends with elements.
    pub fn command_with_elements<'e>(
        &mut self,
        arguments: &[&'e [u8]],
        elements: impl Iterator<Item = &'e [u8]>,
    ) {
        let all: Vec<&[u8]> = arguments.iter().copied().chain(elements).collect();
        self.command(&all);
    }

    /// Adds a command of which the last argument is a number.
    pub fn command_with_number(&mut self, arguments: &[&[u8]], number: i64) {
        let mut buffer = itoa::Buffer::new();
        let number = buffer.format(number).as_bytes();
        self.command(&[arguments, &[number]].concat());
    }
}
