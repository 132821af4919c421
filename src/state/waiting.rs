//! A client that waits for a key, as those see it who may end its waiting: who fills the key, CLIENT UNBLOCK, and its
//! own thread when the time is up or the client is gone. Exactly one of them does.

use crate::keyspace::db::Db;
use crate::keyspace::space::Key;
use crate::keyspace::waiters::{States, Ticket, Waiter};
use crate::resp::reply::{Protocol, Reply};
use crate::util::doorbell::Doorbell;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Carries out the client's command on these keys, the first of which that is there serves it. `Ok(true)`: it is
/// served, and the reply is written. `Ok(false)`: none of the keys is there. `Err`: nothing has changed; this is the
/// text of the error.
pub type Attempt =
    Box<dyn Fn(&mut Db<'_>, &[Key<'_>], &mut Reply) -> Result<bool, Vec<u8>> + Send + Sync>;

/// What a client waits for.
pub struct Wish {
    /// The states of a key that end the wait; none if it waits for no key.
    pub states: States,
    /// The key that is filled when it is served: BLMOVE.
    pub destination: Option<Vec<u8>>,
    /// How it is served.
    pub attempt: Attempt,
    /// When it gives up.
    pub until: Option<Instant>,
    /// Writes the reply in a transaction, where no client waits.
    pub not_waited: fn(&mut Reply),
    /// Writes the reply when the time is up.
    pub timed_out: fn(&mut Reply),
}

/// One wait of one client.
pub struct Wait {
    /// What for.
    pub wish: Wish,
    /// The keys, in the order of the command's arguments.
    pub keys: Vec<Vec<u8>>,
    /// Their database.
    pub database: usize,
    /// Which replies the client wants.
    pub protocol: Protocol,
    /// Wakes the client's thread.
    pub doorbell: Arc<Doorbell>,
    outcome: Mutex<Outcome>,
}

/// A wait as the client's own thread holds it.
#[derive(Debug)]
pub struct Waiting {
    /// What the client waits for, and how that ends.
    pub wait: Arc<Wait>,
    /// Its place in the queues of the keys.
    pub ticket: Ticket,
    /// Whether the client wants the reply (CLIENT REPLY).
    pub wants_reply: bool,
}

/// How a wait has ended.
#[derive(Debug, Default)]
pub enum Outcome {
    /// It has not.
    #[default]
    Pending,
    /// The client was served, and this is the reply.
    Served(Reply),
    /// It could not be served, and this is the text of the error.
    Failed(Vec<u8>),
    /// The time is up, or CLIENT UNBLOCK says so.
    TimedOut,
    /// CLIENT UNBLOCK ERROR.
    Unblocked,
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
    pub fn new(wish: Wish, keys: &[Key<'_>], protocol: Protocol, doorbell: Arc<Doorbell>) -> Wait {
        Wait {
            wish,
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

    /// How the wait has ended; for those who know that a reply in it is theirs to take.
    pub fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter for Wait {
    fn wants(&self) -> States {
        self.wish.states
    }

    fn destination(&self) -> Option<&[u8]> {
        self.wish.destination.as_deref()
    }

    fn serve(&self, db: &mut Db<'_>, key: &Key<'_>) -> bool {
        let mut outcome = self.outcome();
        if matches!(*outcome, Outcome::Pending) {
            // The client's command runs as if it had come now. It may find a key that it names before this one, but no
            // key that it names after it, whose shard may not be locked.
            let mut keys = self.keys();
            let place = keys.iter().position(|own| own.bytes == key.bytes);
            keys.truncate(place.map_or(0, |place| place + 1));
            let mut reply = Reply::new(self.protocol);
            keys.iter().for_each(|key| db.remove_if_expired(key));
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
