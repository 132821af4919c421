//! The state of FAILOVER: this primary hands its role over to one of its replicas.
//!
//! ```text
//!               FAILOVER                a replica has everything            it is the primary
//! NoFailover ─────────────▶ WaitsForSync ─────────────────────▶ InProgress ───────────────────▶ NoFailover
//!      ▲                         │ ABORT, or time is up             │ ABORT, or it refuses
//!      └─────────────────────────┴──────────────────────────────────┘
//!
//! Clients that write wait in the two stages in the middle.
//! ```
//!
//! # Thread safety
//! Any thread may ask, begin or abort. The mutex is a leaf.

use super::link::Address;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The replica; `None` for whichever has everything first.
    pub target: Option<Address>,
    /// How long the replica may take to have everything.
    pub timeout: Option<Duration>,
    /// FORCE: the role is handed over when the time is up, whatever the replica has.
    pub is_forced: bool,
}

/// FAILOVER.
#[derive(Debug, Default)]
pub struct Failover {
    book: Mutex<Book>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Book {
    stage: Stage,
    is_aborted: bool,
}

/// How far a failover is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// There is none.
    #[default]
    NoFailover,
    /// The replica is to have everything first.
    WaitsForSync,
    /// The replica is asked to be the primary.
    InProgress,
}

impl Failover {
    /// How far it is.
    pub fn stage(&self) -> Stage {
        self.lock().stage
    }

    /// Begins; `false` if there is one already.
    pub fn begin(&self) -> bool {
        let mut book = self.lock();
        let begins = book.stage == Stage::NoFailover;
        if begins {
            *book = Book {
                stage: Stage::WaitsForSync,
                is_aborted: false,
            };
        }
        begins
    }

    /// Asks the failover to end; `false` if there is none.
    pub fn abort(&self) -> bool {
        let mut book = self.lock();
        book.is_aborted = true;
        book.stage != Stage::NoFailover
    }

    /// Whether it is to end.
    pub fn is_aborted(&self) -> bool {
        self.lock().is_aborted
    }

    /// Notes how far it is.
    pub fn set_stage(&self, stage: Stage) {
        self.lock().stage = stage;
        self.ended.notify_all();
    }

    /// Waits for the end, at most this long.
    pub fn wait_for_end(&self, longest: Duration) {
        let goes_on = |book: &mut Book| book.stage != Stage::NoFailover;
        drop(self.ended.wait_timeout_while(self.lock(), longest, goes_on));
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
