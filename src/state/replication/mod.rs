//! Replication, as all threads see it: whose stream this is, where it ends, and who reads it.
//!
//! | part | what it is |
//! |---|---|
//! | [`backlog`] | the latest part of the stream |
//! | [`replicas`] | the replicas of this server |
//! | [`failover`] | whether this primary hands its role over |
//! | [`link`] | the link to the primary, if this server is a replica itself |
//! | [`local_deadlines`] | keys that a writable replica removes itself |
//! | here | the replication ids, and how the stream is fed |
//!
//! A *stream* is the effects of all commands since the beginning, as bytes, and between them what the servers say to
//! each other (PING, REPLCONF GETACK). A replication id is the name of a stream, an offset a place in it. So a replica
//! whose connection was cut asks for what it lacks by naming id and offset (PSYNC). A server that was a replica and is
//! promoted begins a new stream, with the offset going on: for the stream it has followed, it keeps the id as the
//! second one, up to the offset at which the new one began. See
//! [Redis replication](https://redis.io/docs/latest/operate/oss_and_stack/management/replication/).
//!
//! # Who feeds the stream
//! The changes between these states are made with all keys locked, but for the first and the last, where no stream
//! grows:
//!
//! ```text
//!                         `is_replica`  backlog active  fed by
//! primary, no stream yet  no            no              no thread
//!   │ a replica asks for a snapshot
//! primary                 no            yes             the change log (it is recorded for replication, and the log
//!   │ REPLICAOF host port                               feed appends it: `feeds_stream`)
//! replica, not connected  yes           yes or no       no thread
//!   │ +CONTINUE, or a snapshot is loaded
//! replica                 yes           yes             the link, with the stream of its primary
//!   │ REPLICAOF NO ONE: a primary
//! ```
//!
//! # Thread safety
//! Any thread may ask. For the order of the locks see [`state`](super).

pub mod backlog;
pub mod failover;
pub mod link;
pub mod local_deadlines;
pub mod replicas;

use super::transfers::Transfers;
use crate::util::random::hex_digits;
use backlog::{Backlog, BacklogReader};
use failover::{Failover, Plan};
use link::{Address, Link};
use local_deadlines::LocalDeadlines;
use replicas::Replicas;
use std::fmt;
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst,
};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// A primary asks its replicas by this command to acknowledge what they have carried out.
pub const GETACK: [&[u8]; 3] = [b"REPLCONF", b"GETACK", b"*"];

/// Digits of a replication id.
pub const ID_DIGITS: usize = 40;

/// The greatest offset at which a stream of another server is continued: it grows, and offsets are shown as signed
/// numbers.
pub const MOST_OFFSET: u64 = i64::MAX as u64 / 2;

/// Whether a text is a replication id.
pub fn is_id(text: &str) -> bool {
    text.len() == ID_DIGITS && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Replication.
#[derive(Debug)]
pub struct Replication {
    /// The latest part of the stream.
    pub backlog: Arc<Backlog>,
    /// The replicas of this server.
    pub replicas: Arc<Replicas>,
    /// The link to the primary, on a replica.
    pub link: Link,
    /// The keys that clients of this server, a writable replica, have given a deadline.
    pub local_deadlines: LocalDeadlines,
    /// FAILOVER.
    pub failover: Failover,
    is_replica: AtomicBool,
    demotions: AtomicU64,
    /// The database that is selected at the end of the stream, on a replica. It outlives the connection: what is sent
    /// after a cut goes on where the stream was.
    pub selected: AtomicUsize,
    /// Whether the thread of the link runs.
    is_following: AtomicBool,
    /// Held while the role changes.
    changing_role: Mutex<()>,
    /// Held while a part of the primary's stream is carried out, and its offset noted.
    applying: Mutex<()>,
    identity: Mutex<Identity>,
    /// Held while the stream begins or ends.
    beginning: Mutex<()>,
    feed: OnceLock<Arc<dyn StreamFeed>>,
    /// Commands of the primary's stream that gave an error.
    pub failures: AtomicU64,
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

/// A place in a stream: what a dump has, so that a server that loads it can go on where the stream was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The replication id.
    pub id: String,
    /// The offset.
    pub offset: u64,
    /// The database that is selected there.
    pub database: usize,
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

    /// The offset at which `take` takes a snapshot, and the database that is selected there.
    fn offset_of(&self, take: TakeSnapshot<'_>) -> (u64, usize);

    /// Makes the server a replica of this primary, or a primary.
    fn follow(self: Arc<Self>, primary: Option<Address>);

    /// Hands the role over to a replica, in a thread of its own.
    fn fail_over(self: Arc<Self>, plan: Plan);
}

impl Default for Replication {
    fn default() -> Replication {
        Replication {
            backlog: Arc::default(),
            replicas: Arc::default(),
            link: Link::default(),
            local_deadlines: LocalDeadlines::default(),
            failover: Failover::default(),
            is_replica: AtomicBool::new(false),
            demotions: AtomicU64::new(0),
            selected: AtomicUsize::new(0),
            is_following: AtomicBool::new(false),
            changing_role: Mutex::default(),
            applying: Mutex::default(),
            identity: Mutex::new(Identity::new()),
            beginning: Mutex::default(),
            feed: OnceLock::new(),
            failures: AtomicU64::new(0),
            rounds: Arc::default(),
            without_replicas_since_ms: AtomicI64::new(0),
            pinged_at_ms: AtomicI64::new(0),
        }
    }
}

impl Identity {
    /// From this offset on, the stream has another id.
    fn shift(&mut self, id: String, end: u64) {
        self.second_id = std::mem::replace(&mut self.id, id);
        self.second_end = end as i64 + 1;
    }

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
        id.eq_ignore_ascii_case(self.id.as_bytes())
            || id.eq_ignore_ascii_case(self.second_id.as_bytes())
                && (offset as i64) < self.second_end
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

    /// The offset of the end of the stream. Of what has been written before, all is in it, unless the caller holds a
    /// lock of keys: then the change log is not read.
    pub fn offset(&self, holds_lock: bool) -> u64 {
        self.catch_up(holds_lock);
        self.backlog.end()
    }

    /// Has the backlog hold what was written before, as [`offset`](Self::offset) says.
    pub fn catch_up(&self, holds_lock: bool) {
        if let Some(feed) = self.feed()
            && !holds_lock
            && self.backlog.is_active()
            && !self.is_replica()
        {
            feed.read_log();
        }
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

    /// The data were replaced without effects in the stream (DEBUG LOADAOF): it ends, and `ended` is called. Replicas
    /// get everything anew.
    pub fn abandon_stream(&self, ended: impl FnOnce()) {
        let beginning = self.beginning();
        self.backlog.set_active(false);
        ended();
        drop(beginning);
        self.disconnect_replicas();
    }

    /// Whether the server is a replica.
    #[inline]
    pub fn is_replica(&self) -> bool {
        self.is_replica.load(Relaxed)
    }

    /// Notes whether the server is a replica. Called with all keys locked.
    pub fn set_replica(&self, is_replica: bool) {
        self.is_replica.store(is_replica, Relaxed);
        self.demotions.fetch_add(is_replica.into(), SeqCst);
    }

    /// How often the server has become a replica.
    pub fn demotions(&self) -> u64 {
        self.demotions.load(SeqCst)
    }

    /// The primary, if the server is a replica.
    pub fn primary(&self) -> Option<Address> {
        self.link.primary().filter(|_| self.is_replica())
    }

    /// Notes whether the thread of the link runs. Returns whether that is news.
    pub fn set_following(&self, is_following: bool) -> bool {
        self.is_following.swap(is_following, Relaxed) != is_following
    }

    /// Holds off others that would change the role.
    pub fn changing_role(&self) -> MutexGuard<'_, ()> {
        let lock = self.changing_role.lock();
        lock.unwrap_or_else(PoisonError::into_inner)
    }

    /// As long as this lives, all commands up to the end of the backlog have been carried out and no other, if the
    /// server is a replica.
    pub fn applying(&self) -> MutexGuard<'_, ()> {
        self.applying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stream gets a new id, because the server follows no primary any more.
    pub fn shift_identity(&self) {
        let end = self.backlog.end();
        self.lock_identity().shift(hex_digits(ID_DIGITS), end);
    }

    /// The stream gets a new id and no second one: DEBUG CHANGE-REPL-ID.
    pub fn change_identity(&self) {
        *self.lock_identity() = Identity::new();
    }

    /// The stream goes on under this id: the primary was promoted, or has followed another. For the link's thread,
    /// under [`applying`](Self::applying).
    pub fn rename_stream(&self, id: &str) {
        let end = self.backlog.end();
        let mut identity = self.lock_identity();
        if identity.id != id {
            identity.shift(id.to_string(), end);
            drop(identity);
            // They connect again at once, and learn the id from `+CONTINUE`.
            self.disconnect_replicas();
        }
    }

    /// Has `take` take a snapshot, and gives the place in the stream at which it was taken; `None` if there is no
    /// stream.
    pub fn with_place<T>(&self, take: impl FnOnce(&dyn Fn(u64)) -> T) -> (T, Option<Place>) {
        let _applying = self.applying();
        let feed = self.feed().filter(|_| self.backlog.is_active());
        let Some(feed) = feed else {
            return (take(&|_| {}), None);
        };
        let (taken, (offset, database)) = match self.is_replica() {
            true => {
                let taken = take(&|_| {});
                (taken, (self.backlog.end(), self.selected.load(Relaxed)))
            }
            false => {
                let (mut take, mut taken) = (Some(take), None);
                let place = feed.offset_of(&mut |divide| {
                    taken = take.take().map(|take| take(divide));
                });
                (taken.expect("it is called once"), place)
            }
        };
        let place = Place {
            id: self.identity().id,
            offset,
            database,
        };
        (taken, Some(place))
    }

    /// The data of a dump have been loaded. A replica continues the stream of the dump. A primary begins a stream with
    /// a new id; replicas whose offset is not beyond the dump's continue with it.
    pub fn resume(&self, place: &Place, is_replica: bool) {
        self.join_stream(place);
        if !is_replica {
            self.shift_identity();
        }
    }

    /// Has a stream from this place on.
    pub fn join_stream(&self, place: &Place) {
        *self.lock_identity() = Identity {
            id: place.id.clone(),
            ..Identity::new()
        };
        self.selected.store(place.database, Relaxed);
        self.local_deadlines.forget_all();
        self.backlog.set_active(true);
        self.backlog.continue_at(place.offset);
    }

    /// Disconnects the replicas of this server.
    pub fn disconnect_replicas(&self) {
        for replica in self.replicas.all() {
            replica.client.disconnect();
        }
        self.backlog.wake_readers();
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
        assert!(continues("a", 0) && continues("a", 101) && continues("A", 101));
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
