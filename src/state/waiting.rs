//! One wait of one client for a key (BLPOP, XREAD), and how it ends.
//!
//! ```text
//!              a command fills the key                         ──► Served, Failed, Refused
//!   Pending ── CLIENT UNBLOCK                                  ──► TimedOut, Unblocked
//!              REPLICAOF                                       ──► Demoted
//!              the client's thread: time is up, client gone    ──► TimedOut, Gone
//!              CLIENT KILL, the reaper                         ──► Gone
//! ```
//!
//! # Invariants
//! 1. Exactly one thread ends a wait: the outcome changes from `Pending` once, under its mutex. Only the client's own
//!    thread changes it again, when it takes the reply out.
//! 2. The thread that fills a key serves the waiting client under the locks of its own command, so no other client
//!    sees the elements.
//! 3. The client's thread takes the outcome only after it has left the queues of the keys. From then on no thread
//!    serves the client.
//!
//! # Locks
//! [`Waiter::serve`] holds the outcome while the client's command runs on the shards that are already locked. That
//! takes no other locks but that of an account's user, and those of [tracking](super::tracking) if the client tracks:
//! events and further waiters follow when the change is committed, after `serve` has returned.
//! All other users hold the outcome for a few lines. The order is: shards, then an outcome; else no lock is taken
//! under an outcome.

use crate::keyspace::db::Db;
use crate::keyspace::space::Key;
use crate::keyspace::waiters::{States, Ticket, Waiter};
use crate::resp::reply::{Protocol, Reply};
use crate::state::acl::Denied;
use crate::state::progress::Goal;
use crate::util::doorbell::Doorbell;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Runs the client's command on these keys, as far as their [shards are locked](Db::covers): when a waiting client is
/// served, the shards of keys that come behind the one that is ready may not be. `Ok(true)`: the client is served, and
/// the reply is written. `Ok(false)`: the keys hold nothing for it. `Err`: nothing has changed; the bytes are the text
/// of the error.
pub type Attempt =
    Box<dyn Fn(&mut Db<'_>, &[Key<'_>], &mut Reply) -> Result<bool, Vec<u8>> + Send + Sync>;

/// Whether the client's user may still give its command.
pub type Permit = Box<dyn Fn() -> Result<(), Refusal> + Send + Sync>;

/// What the client's user may not do any more.
#[derive(Debug)]
pub struct Refusal {
    /// What is refused.
    pub denied: Denied,
    /// The command, key or channel.
    pub object: Vec<u8>,
    /// The text of the error.
    pub text: Vec<u8>,
}

/// The subject of a wait: the keys' states that end it, and the client's command.
pub struct Wish {
    /// The states of a key that end the wait; none if it waits for no key.
    pub states: States,
    /// The consumer group for which the client reads: XREADGROUP.
    pub group: Option<Vec<u8>>,
    /// The key that serving the client fills: BLMOVE.
    pub destination: Option<Vec<u8>>,
    /// What it waits for beside keys: WAIT, WAITAOF.
    pub goal: Option<Arc<Goal>>,
    /// Serves the client.
    pub attempt: Attempt,
    /// When the time is up; `None` for never.
    pub until: Option<Instant>,
    /// Writes the reply in a transaction, where no client waits.
    pub not_waited: fn(&mut Reply),
    /// Writes the reply when the time is up.
    pub timed_out: fn(&mut Reply),
}

/// One wait of one client.
pub struct Wait {
    /// The subject of the wait.
    pub wish: Wish,
    /// The number of the client.
    pub client: u64,
    /// Asked before the client is served.
    pub permit: Permit,
    /// The keys, in the order of the command's arguments.
    pub keys: Vec<Vec<u8>>,
    /// Their database.
    pub database: usize,
    /// The version of the protocol in which the reply is written.
    pub protocol: Protocol,
    /// Wakes the client's thread.
    pub doorbell: Arc<Doorbell>,
    outcome: Mutex<Outcome>,
}

/// A wait as the client's own thread holds it.
#[derive(Debug)]
pub struct Waiting {
    /// The wait as other threads see it.
    pub wait: Arc<Wait>,
    /// Its place in the queues of the keys.
    pub ticket: Ticket,
    /// Whether the client wants the reply (CLIENT REPLY).
    pub wants_reply: bool,
    /// How often the server had become a replica when the wait began.
    pub demotions: u64,
}

/// The outcome of a wait.
#[derive(Debug, Default)]
pub enum Outcome {
    /// It has not ended.
    #[default]
    Pending,
    /// The client was served, and this is the reply.
    Served(Reply),
    /// It could not be served, and this is the text of the error.
    Failed(Vec<u8>),
    /// It could have been served, but its user may not do that any more.
    Refused(Refusal),
    /// The time is up, or CLIENT UNBLOCK says so.
    TimedOut,
    /// CLIENT UNBLOCK ERROR.
    Unblocked,
    /// The server has become a replica.
    Demoted,
    /// The client is gone.
    Gone,
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait")
            .field("states", &self.wish.states)
            .field("outcome", &self.outcome())
            .finish_non_exhaustive()
    }
}

impl Wait {
    /// A wait that begins.
    pub fn new(
        client: u64,
        wish: Wish,
        permit: Permit,
        keys: &[Key<'_>],
        protocol: Protocol,
        doorbell: Arc<Doorbell>,
    ) -> Wait {
        Wait {
            client,
            wish,
            permit,
            keys: keys.iter().map(|key| key.bytes.to_vec()).collect(),
            database: keys.first().map_or(0, Key::database),
            protocol,
            doorbell,
            outcome: Mutex::default(),
        }
    }

    /// Ends the wait without serving the client; `false` if it has ended already.
    pub fn end(&self, outcome: Outcome) -> bool {
        let mut current = self.outcome();
        let is_pending = matches!(*current, Outcome::Pending);
        if is_pending {
            *current = outcome;
        }
        is_pending
    }

    /// Whether the wait has not ended.
    pub fn is_pending(&self) -> bool {
        matches!(*self.outcome(), Outcome::Pending)
    }

    /// The keys with their places.
    pub fn keys(&self) -> Vec<Key<'_>> {
        let names = self.keys.iter();
        names.map(|name| Key::new(self.database, name)).collect()
    }

    /// How the wait has ended. Only the client's own thread may take a reply out of it.
    pub fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter for Wait {
    fn wants(&self) -> States {
        self.wish.states
    }

    fn group(&self) -> Option<&[u8]> {
        self.wish.group.as_deref()
    }

    fn destination(&self) -> Option<&[u8]> {
        self.wish.destination.as_deref()
    }

    fn client(&self) -> u64 {
        self.client
    }

    fn serve(&self, db: &mut Db<'_>) -> bool {
        let mut outcome = self.outcome();
        if matches!(*outcome, Outcome::Pending) {
            if let Err(refusal) = (self.permit)() {
                *outcome = Outcome::Refused(refusal);
                return true;
            }
            // The client's command runs as if it had come now, on those of its keys whose shards are locked.
            let keys = self.keys();
            for key in &keys {
                if db.covers(std::slice::from_ref(key)) {
                    db.remove_if_expired(key);
                }
            }
            let mut reply = Reply::new(self.protocol);
            *outcome = match (self.wish.attempt)(db, &keys, &mut reply) {
                Ok(true) => Outcome::Served(reply),
                Ok(false) => return false,
                Err(text) => Outcome::Failed(text),
            };
        }
        true
    }

    fn wake(&self) {
        self.doorbell.ring();
    }
}
