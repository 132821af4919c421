//! Replication, as all threads see it: whose stream this is, where it ends, and who reads it.
//!
//! | part | what it is |
//! |---|---|
//! | [`backlog`] | the latest part of the stream |
//! | [`replicas`] | the replicas of this server |
//! | here | the replication ids, and how the stream is fed |
//!
//! A *stream* is the effects of all commands since the beginning, as bytes, and between them what the servers say to
//! each other (PING, REPLCONF GETACK). A replication id is the name of a stream, an offset a place in it. So a replica
//! whose connection was cut asks for what it lacks by naming id and offset (PSYNC). A server that was a replica and is
//! promoted begins a new stream, with the offset going on: for the stream it has followed, it keeps the id as the
//! second one, up to the offset at which the new one began. See
//! [Redis replication](https://redis.io/docs/latest/operate/oss_and_stack/management/replication/).
//!
//! # Thread safety
//! Any thread may ask. The mutexes are leaves, but for `beginning`, which is taken before the others.

pub mod backlog;
pub mod replicas;

use super::transfers::Transfers;
use crate::util::random::hex_digits;
use backlog::{Backlog, BacklogReader};
use replicas::Replicas;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Digits of a replication id.
pub const ID_DIGITS: usize = 40;

/// Replication.
#[derive(Debug)]
pub struct Replication {
    /// The latest part of the stream.
    pub backlog: Arc<Backlog>,
    /// The replicas of this server.
    pub replicas: Arc<Replicas>,
    identity: Mutex<Identity>,
    /// Held while the stream begins or ends.
    beginning: Mutex<()>,
    feed: OnceLock<Arc<dyn StreamFeed>>,
    /// The rounds in which replicas are sent a snapshot.
    pub rounds: Arc<Transfers>,
    /// Unix time in milliseconds since which there is no replica; 0 while there are some, or never were any.
    without_replicas_since_ms: AtomicI64,
    /// Unix time of the last PING in the stream, in milliseconds.
    pub pinged_at_ms: AtomicI64,
}

/// The names of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The replication id.
    pub id: String,
    /// The id of the stream that this one continues; zeros if it continues none.
    pub second_id: String,
    /// Where that one ended, as Redis counts: the offset of the first byte, from 1, that it does not have; -1 for none.
    pub second_end: i64,
}

/// Takes a snapshot. It is given a function that it calls with the end of the change log, when all keys are locked.
pub type TakeSnapshot<'a> = &'a mut dyn FnMut(&dyn Fn(u64));

/// Feeds the stream from the change log.
pub trait StreamFeed: fmt::Debug + Send + Sync {
    /// Has everything in the backlog that was appended to the change log before.
    fn read_log(&self);

    /// Appends a command to the stream, behind everything that was appended to the change log before.
    fn append(&self, command: &[&[u8]]);

    /// Gives the stream from the moment on at which `take` takes a snapshot.
    ///
    /// # Errors
    /// The system has no thread for it: the line for the log.
    fn divide(self: Arc<Self>, take: TakeSnapshot<'_>) -> Result<BacklogReader, String>;
}

impl Default for Replication {
    fn default() -> Replication {
        Replication {
            backlog: Arc::default(),
            replicas: Arc::default(),
            identity: Mutex::new(Identity::new()),
            beginning: Mutex::default(),
            feed: OnceLock::new(),
            rounds: Arc::default(),
            without_replicas_since_ms: AtomicI64::new(0),
            pinged_at_ms: AtomicI64::new(0),
        }
    }
}

impl Identity {
    /// A stream that continues no other.
    fn new() -> Identity {
        Identity {
            id: hex_digits(ID_DIGITS),
            second_id: "0".repeat(ID_DIGITS),
            second_end: -1,
        }
    }

    /// Whether a replica that has the stream of this id up to this offset can be sent what follows.
    fn continues(&self, id: &[u8], offset: u64) -> bool {
        id == self.id.as_bytes()
            || id == self.second_id.as_bytes() && (offset as i64) < self.second_end
    }
}

impl Replication {
    /// The names of the stream.
    pub fn identity(&self) -> Identity {
        self.lock_identity().clone()
    }

    /// Sets the feed, once and for all.
    pub fn set_feed(&self, feed: Arc<dyn StreamFeed>) {
        let already = self.feed.set(feed);
        debug_assert!(already.is_ok(), "a server has one change log");
    }

    /// The feed of the stream; `None` before the server has been put together.
    pub fn feed(&self) -> Option<&Arc<dyn StreamFeed>> {
        self.feed.get()
    }

    /// Appends what servers say to each other to the stream, if there is one.
    pub fn say(&self, command: &[&[u8]]) {
        if let Some(feed) = self.feed().filter(|_| self.backlog.is_active()) {
            feed.append(command);
        }
    }

    /// Begins to keep the stream, if it was not kept. What came before is not in it: so it gets a new name.
    pub fn begin_stream(&self) {
        let _beginning = self.beginning();
        if !self.backlog.is_active() {
            *self.lock_identity() = Identity::new();
            self.backlog.set_active(true);
        }
    }

    /// Keeps the stream no longer, and calls `ended`, unless there is a replica.
    pub fn end_stream(&self, ended: impl FnOnce()) {
        let _beginning = self.beginning();
        if !self.replicas.are_any() {
            self.backlog.set_active(false);
            ended();
        }
    }

    fn beginning(&self) -> MutexGuard<'_, ()> {
        self.beginning
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A reader for a replica that has the stream of this id up to this offset; `None` if it cannot be continued.
    pub fn continue_for(&self, id: &[u8], offset: u64) -> Option<BacklogReader> {
        let identity = self.lock_identity();
        match identity.continues(id, offset) {
            true => self.backlog.read_from(offset),
            false => None,
        }
    }

    /// Whether there has been no replica for this time. Called once a second.
    pub fn is_without_replicas_for(&self, longest_ms: i64, now_ms: i64) -> bool {
        let since = &self.without_replicas_since_ms;
        if self.replicas.are_any() || !self.backlog.is_active() {
            since.store(0, Relaxed);
            return false;
        }
        let began_ms = match since.load(Relaxed) {
            0 => {
                since.store(now_ms, Relaxed);
                now_ms
            }
            began_ms => began_ms,
        };
        now_ms - began_ms >= longest_ms
    }

    fn lock_identity(&self) -> MutexGuard<'_, Identity> {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_continued_under_its_names() {
        let identity = Identity {
            id: "a".repeat(40),
            second_id: "b".repeat(40),
            second_end: 101,
        };
        let continues =
            |digit: &str, offset| identity.continues(digit.repeat(40).as_bytes(), offset);
        assert!(continues("a", 0) && continues("a", 101));
        assert!(continues("b", 100) && !continues("b", 101));
        assert!(!continues("c", 0));
        assert!(!Identity::new().continues(&[b'0'; 40], 0));
    }

    #[test]
    fn time_without_replicas_is_counted_from_the_first_look() {
        let replication = Replication::default();
        assert!(!replication.is_without_replicas_for(0, 1000));
        replication.begin_stream();
        assert!(!replication.is_without_replicas_for(10, 1000));
        assert!(!replication.is_without_replicas_for(10, 1009));
        assert!(replication.is_without_replicas_for(10, 1010));
    }
}
