//! Channels and their subscribers: <https://redis.io/docs/manual/pubsub/>.
//!
//! There are three kinds of names, each in a table of its own: channels, patterns of channels, and channels of shards.
//! Without a cluster the last kind differs from the first in its commands only.
//!
//! # Invariants
//! 1. All subscribers get messages in one order, because a message is put into all outboxes under the turn to publish.
//! 2. A message without a subscriber costs a look at the tables and does not wait for the turn.
//! 3. A client gets no message of a subscription that it has ended.
//!
//! # Thread safety
//! Any thread may publish, also with shards locked: events of the keyspace are published under the locks of their
//! command. Locks are taken in this order: shards, the tables (shared), the turn, an outbox or the list of [`Pushes`].
//! Only the client's own thread changes its [`Subscriptions`]; it locks the tables exclusively and nothing after them.

use super::clients::Client;
use super::outbox::{Message, Pushes};
use crate::keyspace::events::Audience;
use crate::resp::reply::{Protocol, Reply};
use crate::util::{clock, glob};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use triomphe::Arc as Shared;

/// The kinds of names to which clients subscribe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SUBSCRIBE.
    Channel,
    /// PSUBSCRIBE.
    Pattern,
    /// SSUBSCRIBE.
    ShardChannel,
}

/// All subscriptions.
#[derive(Debug)]
pub struct PubSub {
    tables: RwLock<Tables>,
    /// The turn to publish: held while a message is put into the outboxes of its subscribers.
    turn: Mutex<()>,
    pushes: Arc<Pushes>,
}

/// The subscribers of each name, in one table for each [`Kind`].
type Tables = [HashMap<Box<[u8]>, Subscribers>; 3];
/// Clients by their numbers.
type Subscribers = BTreeMap<u64, Arc<Client>>;

/// The subscriptions of one client. They end when this is dropped.
#[derive(Debug)]
pub struct Subscriptions {
    pubsub: Arc<PubSub>,
    client: Arc<Client>,
    names: [BTreeSet<Box<[u8]>>; 3],
    /// The number of names of all kinds together.
    total: usize,
}

impl PubSub {
    /// No client has subscribed to anything. Messages will go out through `pushes`.
    pub fn new(pushes: Arc<Pushes>) -> PubSub {
        PubSub {
            tables: RwLock::default(),
            turn: Mutex::default(),
            pushes,
        }
    }

    /// Puts a message into the outboxes of all clients that have subscribed to the channel, by name or by a pattern;
    /// returns how often it was put into one. It waits for no client. The message goes out with the next
    /// [`Pushes::deliver`].
    pub fn publish(&self, channel: &[u8], message: &[u8]) -> usize {
        let tables = self.read();
        let [channels, patterns, _] = &*tables;
        let direct = channels.get(channel);
        let matching = patterns
            .iter()
            .filter(|(pattern, _)| glob::matches(pattern, channel));
        let matching: Vec<_> = matching.collect();
        if direct.is_none() && matching.is_empty() {
            return 0;
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut receivers = 0;
        if let Some(subscribers) = direct {
            receivers += self.push_to_all(subscribers, &[b"message", channel, message]);
        }
        for (pattern, subscribers) in matching {
            receivers += self.push_to_all(subscribers, &[b"pmessage", pattern, channel, message]);
        }
        receivers
    }

    /// Puts a message into the outboxes of all clients that have subscribed to the channel of a shard (SPUBLISH);
    /// returns how many these are.
    pub fn publish_to_shard(&self, channel: &[u8], message: &[u8]) -> usize {
        let tables = self.read();
        let Some(subscribers) = tables[Kind::ShardChannel as usize].get(channel) else {
            return 0;
        };
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.push_to_all(subscribers, &[b"smessage", channel, message])
    }

    /// How many times a message to this channel would be put into an outbox.
    pub fn receivers(&self, kind: Kind, channel: &[u8]) -> usize {
        let tables = self.read();
        let direct = tables[kind as usize].get(channel).map_or(0, |subscribers| {
            subscribers.values().filter(is_there).count()
        });
        let matching = tables[Kind::Pattern as usize]
            .iter()
            .filter(|(pattern, _)| kind == Kind::Channel && glob::matches(pattern, channel));
        direct
            + matching
                .map(|(_, subscribers)| subscribers.values().filter(is_there).count())
                .sum::<usize>()
    }

    /// Puts a message into the outboxes of these clients; returns how many there are.
    fn push_to_all(&self, subscribers: &Subscribers, words: &[&[u8]]) -> usize {
        let now_ms = clock::unix_ms();
        let (mut resp2, mut resp3) = (None, None);
        let subscribers = || subscribers.values().filter(is_there);
        for client in subscribers() {
            let (message, protocol) = match client.protocol.load(Relaxed) {
                2 => (&mut resp2, Protocol::Resp2),
                _ => (&mut resp3, Protocol::Resp3),
            };
            let message = message.get_or_insert_with(|| encode(words, protocol));
            self.pushes.push(client, message, now_ms);
        }
        subscribers().count()
    }

    /// The names that have subscribers and match the pattern.
    pub fn names(&self, kind: Kind, pattern: Option<&[u8]>) -> Vec<Vec<u8>> {
        let tables = self.read();
        let names = tables[kind as usize].keys();
        let matches = |name: &[u8]| pattern.is_none_or(|pattern| glob::matches(pattern, name));
        let names = names.filter(|name| matches(name));
        names.map(|name| name.to_vec()).collect()
    }

    /// The clients that have subscribed to a name for which `is_wanted` returns true; a client may come several times.
    pub fn subscribers_where(&self, is_wanted: impl Fn(Kind, &[u8]) -> bool) -> Vec<Arc<Client>> {
        let tables = self.read();
        let kinds = [Kind::Channel, Kind::Pattern, Kind::ShardChannel];
        let names = kinds.iter().zip(&*tables).flat_map(|(kind, table)| {
            let wanted = table.iter().filter(|(name, _)| is_wanted(*kind, name));
            wanted.map(|(_, subscribers)| subscribers)
        });
        names
            .flat_map(|subscribers| subscribers.values().cloned())
            .collect()
    }

    /// The number of names of this kind that have subscribers.
    pub fn count(&self, kind: Kind) -> usize {
        self.read()[kind as usize].len()
    }

    /// The number of clients that have subscribed to a name.
    pub fn subscribers(&self, kind: Kind, name: &[u8]) -> usize {
        self.read()[kind as usize]
            .get(name)
            .map_or(0, BTreeMap::len)
    }

    fn read(&self) -> RwLockReadGuard<'_, Tables> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Tables> {
        self.tables.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Events of the keyspace are published like any other message.
impl Audience for PubSub {
    fn hear(&self, channel: &[u8], message: &[u8]) {
        self.publish(channel, message);
    }
}

fn encode(words: &[&[u8]], protocol: Protocol) -> Message {
    let mut reply = Reply::new(protocol);
    reply.push(words.len());
    words.iter().for_each(|word| reply.bulk(word));
    Shared::new(reply.into_bytes())
}

impl Subscriptions {
    /// No subscriptions yet.
    pub fn new(pubsub: Arc<PubSub>, client: Arc<Client>) -> Subscriptions {
        Subscriptions {
            pubsub,
            client,
            names: Default::default(),
            total: 0,
        }
    }

    /// Subscribes to a name, if the client has not yet.
    pub fn subscribe(&mut self, kind: Kind, name: &[u8]) {
        if self.names[kind as usize].insert(name.into()) {
            // Before the first message can come: the limit of the outbox depends on the count.
            self.store_counts();
            let mut tables = self.pubsub.write();
            let subscribers = tables[kind as usize].entry(name.into()).or_default();
            subscribers.insert(self.client.id, self.client.clone());
        }
    }

    /// Ends a subscription; `false` if the client had none of this name.
    pub fn unsubscribe(&mut self, kind: Kind, name: &[u8]) -> bool {
        let was_there = self.names[kind as usize].remove(name);
        if was_there {
            forget(&mut self.pubsub.write(), kind, name, self.client.id);
            self.store_counts();
        }
        was_there
    }

    /// Ends all subscriptions.
    pub fn unsubscribe_all(&mut self) {
        if self.is_empty() {
            return;
        }
        let mut tables = self.pubsub.write();
        for kind in [Kind::Channel, Kind::Pattern, Kind::ShardChannel] {
            let names = std::mem::take(&mut self.names[kind as usize]);
            names
                .iter()
                .for_each(|name| forget(&mut tables, kind, name, self.client.id));
        }
        drop(tables);
        self.store_counts();
    }

    /// The names of this kind to which the client has subscribed.
    pub fn names(&self, kind: Kind) -> Vec<Box<[u8]>> {
        self.names[kind as usize].iter().cloned().collect()
    }

    /// The number of names of this kind to which the client has subscribed.
    pub fn count(&self, kind: Kind) -> usize {
        self.names[kind as usize].len()
    }

    /// Whether the client has no subscription of any kind.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Stores the counts where other threads read them: CLIENT LIST, the limit of the outbox.
    fn store_counts(&mut self) {
        self.total = self.names.iter().map(BTreeSet::len).sum();
        let counts = self.client.subscriptions.iter().zip(&self.names);
        counts.for_each(|(count, names)| count.store(names.len(), Relaxed));
    }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        self.unsubscribe_all();
    }
}

fn forget(tables: &mut Tables, kind: Kind, name: &[u8], client: u64) {
    let table = &mut tables[kind as usize];
    if let Some(subscribers) = table.get_mut(name) {
        subscribers.remove(&client);
        if subscribers.is_empty() {
            table.remove(name);
        }
    }
}
/// Whether a subscriber is still connected.
fn is_there(client: &&Arc<Client>) -> bool {
    !client.is_disconnected()
}
