//! Who listens to which channels: <https://redis.io/docs/manual/pubsub/>.
//!
//! Channels of three kinds, each with names of its own: plain ones, patterns of plain ones, and those of shards, which
//! without a cluster are plain ones by another name.
//!
//! Messages that somebody hears are told one after the other, so that all subscribers hear them in the same order; what
//! nobody hears costs a look at the tables.

use super::clients::Client;
use super::outbox::{Message, Pushes};
use crate::keyspace::events::Audience;
use crate::resp::reply::{Protocol, Reply};
use crate::util::{clock, glob};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use triomphe::Arc as Shared;

/// What can be subscribed to.
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
    tables: RwLock<[Table; 3]>,
    /// Held while a message is put into the outboxes of those who hear it.
    telling: Mutex<()>,
    pushes: Arc<Pushes>,
}

/// Subscribers by name.
type Table = HashMap<Box<[u8]>, Subscribers>;
/// By the number of the client.
type Subscribers = BTreeMap<u64, Arc<Client>>;

/// What one client has subscribed to. It is forgotten when this is dropped.
#[derive(Debug)]
pub struct Subscriptions {
    pubsub: Arc<PubSub>,
    client: Arc<Client>,
    names: [BTreeSet<Box<[u8]>>; 3],
    /// Of all kinds together.
    total: usize,
}

impl PubSub {
    /// Nobody listens. Messages go out through `pushes`.
    pub fn new(pushes: Arc<Pushes>) -> PubSub {
        PubSub {
            tables: RwLock::default(),
            telling: Mutex::default(),
            pushes,
        }
    }

    /// Tells a message to all who listen to the channel, by name or by a pattern; returns how many times it was told.
    /// It does not wait for anybody, and goes out with the next [`Pushes::deliver`].
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
        let _turn = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        let mut receivers = 0;
        if let Some(subscribers) = direct {
            receivers += self.tell(subscribers, &[b"message", channel, message]);
        }
        for (pattern, subscribers) in matching {
            receivers += self.tell(subscribers, &[b"pmessage", pattern, channel, message]);
        }
        receivers
    }

    /// The same for a channel of a shard.
    pub fn publish_to_shard(&self, channel: &[u8], message: &[u8]) -> usize {
        let tables = self.read();
        let Some(subscribers) = tables[Kind::ShardChannel as usize].get(channel) else {
            return 0;
        };
        let _turn = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
        self.tell(subscribers, &[b"smessage", channel, message])
    }

    fn tell(&self, subscribers: &Subscribers, words: &[&[u8]]) -> usize {
        let now_ms = clock::unix_ms();
        let (mut resp2, mut resp3) = (None, None);
        for client in subscribers.values() {
            let (message, protocol) = match client.protocol.load(Relaxed) {
                2 => (&mut resp2, Protocol::Resp2),
                _ => (&mut resp3, Protocol::Resp3),
            };
            let message = message.get_or_insert_with(|| encode(words, protocol));
            self.pushes.push(client, message, now_ms);
        }
        subscribers.len()
    }

    /// The names that somebody has subscribed to, and that match the pattern.
    pub fn names(&self, kind: Kind, pattern: Option<&[u8]>) -> Vec<Vec<u8>> {
        let tables = self.read();
        let names = tables[kind as usize].keys();
        let matches = |name: &[u8]| pattern.is_none_or(|pattern| glob::matches(pattern, name));
        let names = names.filter(|name| matches(name));
        names.map(|name| name.to_vec()).collect()
    }

    /// How many names there are that somebody has subscribed to.
    pub fn count(&self, kind: Kind) -> usize {
        self.read()[kind as usize].len()
    }

    /// How many have subscribed to a name.
    pub fn subscribers(&self, kind: Kind, name: &[u8]) -> usize {
        self.read()[kind as usize]
            .get(name)
            .map_or(0, BTreeMap::len)
    }

    fn read(&self) -> RwLockReadGuard<'_, [Table; 3]> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, [Table; 3]> {
        self.tables.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Events of the keyspace are messages like others.
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
    /// The client has subscribed to nothing.
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
            // Before the first message can come: what it may leave unread depends on it.
            self.publish_counts();
            let mut tables = self.pubsub.write();
            let subscribers = tables[kind as usize].entry(name.into()).or_default();
            subscribers.insert(self.client.id, self.client.clone());
        }
    }

    /// Ends a subscription; `false` if there is none. No message of it comes afterwards.
    pub fn unsubscribe(&mut self, kind: Kind, name: &[u8]) -> bool {
        let was_there = self.names[kind as usize].remove(name);
        if was_there {
            forget(&mut self.pubsub.write(), kind, name, self.client.id);
            self.publish_counts();
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
        self.publish_counts();
    }

    /// What the client has subscribed to.
    pub fn names(&self, kind: Kind) -> Vec<Box<[u8]>> {
        self.names[kind as usize].iter().cloned().collect()
    }

    /// How many names of this kind the client has subscribed to.
    pub fn count(&self, kind: Kind) -> usize {
        self.names[kind as usize].len()
    }

    /// Whether it has subscribed to nothing.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    fn publish_counts(&mut self) {
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

fn forget(tables: &mut [Table; 3], kind: Kind, name: &[u8], client: u64) {
    let table = &mut tables[kind as usize];
    if let Some(subscribers) = table.get_mut(name) {
        subscribers.remove(&client);
        if subscribers.is_empty() {
            table.remove(name);
        }
    }
}
