//! A client that waits for a key, as those see it who may end its waiting: who fills the key, CLIENT UNBLOCK, and its own
//! thread when the time is up or the client is gone. Exactly one of them does.

use crate::keyspace::db::Db;
use crate::keyspace::entry::Entry;
use crate::keyspace::space::Key;
use crate::keyspace::waiters::Waiter;
use crate::resp::reply::{Protocol, Reply};
use crate::util::doorbell::Doorbell;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Takes from a key that is there what the client waits for, and writes the reply; or changes nothing and returns the text
/// of an error.
pub type Attempt =
    Box<dyn Fn(&mut Db<'_>, &Key<'_>, &mut Reply) -> Result<(), Vec<u8>> + Send + Sync>;

/// What a client waits for.
pub struct Wish {
    /// The type of value, as TYPE has it.
    pub type_name: &'static str,
    /// The key that is filled when it is served: BLMOVE.
    pub destination: Option<Vec<u8>>,
    /// How it is served.
    pub attempt: Attempt,
    /// When it gives up.
    pub until: Option<Instant>,
}

/// One wait of one client.
pub struct Wait {
    /// What for.
    pub wish: Wish,
    /// Which replies the client wants.
    pub protocol: Protocol,
    /// Wakes the client's thread.
    pub doorbell: Arc<Doorbell>,
    outcome: Mutex<Outcome>,
}

/// How a wait has ended.
#[derive(Debug, Default)]
pub enum Outcome {
    /// It has not.
    #[default]
    Pending,
    /// The client was served, and this is the reply.
    Served(Reply),
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
            .field("type_name", &self.wish.type_name)
            .field("outcome", &self.outcome())
            .finish_non_exhaustive()
    }
}

impl Wait {
    /// A wait that begins.
    pub fn new(wish: Wish, protocol: Protocol, doorbell: Arc<Doorbell>) -> Wait {
        Wait {
            wish,
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

    /// How the wait has ended; for those who know that a reply in it is theirs to take.
    pub fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter for Wait {
    fn wants(&self, entry: Entry<'_>) -> bool {
        entry.value().type_name() == self.wish.type_name
    }

    fn destination(&self) -> Option<&[u8]> {
        self.wish.destination.as_deref()
    }

    fn serve(&self, db: &mut Db<'_>, key: &Key<'_>) {
        let mut outcome = self.outcome();
        if matches!(*outcome, Outcome::Pending) {
            let mut reply = Reply::new(self.protocol);
            let mark = reply.mark();
            if let Err(text) = (self.wish.attempt)(db, key, &mut reply) {
                reply.take_back(mark);
                reply.error(&text);
            }
            *outcome = Outcome::Served(reply);
        }
    }

    fn wake(&self) {
        self.doorbell.ring();
    }
}
