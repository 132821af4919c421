//! What a script has said and caused, until it ends: a script may be taken back, and what was sent or counted could not
//! be.

use crate::state::Server;
use crate::state::pubsub::Kind;
use crate::state::tracking::Tracking;
use std::collections::{BTreeMap, HashSet, VecDeque};

/// What is held back.
#[derive(Debug, Default)]
pub struct HeldBack {
    /// Keys that were looked up and found, and those that were not.
    lookups: (u32, u32),
    /// How many events of keys the script has caused so far. They are held too: messages and events are sent in the
    /// order in which the script caused them.
    pub news: usize,
    /// In the order in which they were published.
    messages: VecDeque<Message>,
    /// The keys that the script has read for a client that tracks, by the number of events before.
    reads: BTreeMap<usize, HashSet<Box<[u8]>>>,
}

#[derive(Debug)]
struct Message {
    /// Events that come before it.
    after_news: usize,
    kind: Kind,
    channel: Box<[u8]>,
    content: Box<[u8]>,
}

impl HeldBack {
    /// Adds look-ups.
    pub fn count_lookups(&mut self, hits: u32, misses: u32) {
        self.lookups.0 += hits;
        self.lookups.1 += misses;
    }

    /// The look-ups: found and not found.
    pub fn lookups(&self) -> (u32, u32) {
        self.lookups
    }

    /// Adds a message; `kind` says what its channel is.
    pub fn hold(&mut self, kind: Kind, channel: &[u8], content: &[u8]) {
        self.messages.push_back(Message {
            after_news: self.news,
            kind,
            channel: channel.into(),
            content: content.into(),
        });
    }

    /// Adds a key that was read.
    pub fn hold_read(&mut self, key: &[u8]) {
        let reads = self.reads.entry(self.news).or_default();
        if !reads.contains(key) {
            reads.insert(key.into());
        }
    }

    /// Remembers the keys that were read before this event: what the script has changed before it read it is no news
    /// for the client.
    pub fn remember_before(&mut self, news: usize, tracking: &Tracking, client: u64) {
        while let Some(reads) = self
            .reads
            .first_entry()
            .filter(|reads| *reads.key() <= news)
        {
            for key in reads.remove() {
                tracking.remember(client, &key);
            }
        }
    }

    /// Sends the messages that come before this event, to replicas too. `database` is that of the script.
    pub fn send_before(&mut self, news: usize, server: &Server, database: usize) {
        while let Some(message) = self.messages.front().filter(|next| next.after_news <= news) {
            let (pubsub, channel, content) = (&server.pubsub, &*message.channel, &*message.content);
            let command: &[u8] = match message.kind {
                Kind::ShardChannel => {
                    pubsub.publish_to_shard(channel, content);
                    b"SPUBLISH"
                }
                Kind::Channel | Kind::Pattern => {
                    pubsub.publish(channel, content);
                    b"PUBLISH"
                }
            };
            let listeners = &server.keyspace.listeners;
            listeners.record_for_replicas(database, &[command, channel, content]);
            self.messages.pop_front();
        }
    }
}
