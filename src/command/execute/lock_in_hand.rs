//! The lock that a changing command leaves to the next one of the same packet, which often changes this key too: else
//! clients that work on one key would hand its lock to and fro for each of their commands.
//!
//! Invariants:
//! 1. The thread drops the lock before it does anything that may take time: before it reads, writes or waits.
//! 2. While other threads wait, a thread keeps it for a [turn](LONGEST_TURN) and one command, and for another turn and
//!    one command to do [errands](super::errand) for them. Then it lets it go. It may have it again at once, until one
//!    of the others has waited for a moment (see `keyspace/lock_queue.rs`).

use crate::keyspace::db::WriteDb;
use crate::keyspace::locks::{AnyErrand, Busy, Locks};
use crate::keyspace::space::Key;
use crate::keyspace::view::View;
use std::time::Duration;

/// How long a thread keeps a lock that others wait for: long enough for hundreds of short commands, and short beside
/// the time after which a thread that waits presses.
const LONGEST_TURN: Duration = Duration::from_micros(200);

/// What a thread does that finds a lock taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It waits for the lock.
    Waiting,
    /// It tries for a short time. Then it leaves its requests with the lock's queue, for the holder to carry out.
    HandingOver,
}

/// Why there is no lock.
#[derive(Debug)]
pub(super) enum NotNow {
    /// A busy script has it.
    Busy(Busy),
    /// Another thread has it, and the request may be handed over to that.
    Held,
}

/// The lock of the command before, if it may be of use.
pub(super) struct LockInHand<'a> {
    db: Option<WriteDb<'a>>,
    /// When the turn began, by the stopwatch of the executor.
    since: Duration,
    /// [`LONGEST_TURN`], but for tests.
    pub(super) longest_turn: Duration,
}

impl Default for LockInHand<'_> {
    fn default() -> Self {
        LockInHand {
            db: None,
            since: Duration::ZERO,
            longest_turn: LONGEST_TURN,
        }
    }
}

impl<'a> LockInHand<'a> {
    /// Exclusive locks on the shards of these keys: the one in hand, if it is the right one. `now` is what the
    /// executor's stopwatch shows.
    #[inline]
    pub(super) fn write(
        &mut self,
        locks: &'a Locks,
        view: View,
        keys: &[Key<'_>],
        manner: Manner,
        now: Duration,
    ) -> Result<&mut WriteDb<'a>, NotNow> {
        let in_hand = self.db.as_mut();
        if !in_hand.is_some_and(|db| db.turn_to(view, keys)) {
            self.db = None;
            self.since = now;
            let taken = match keys {
                [key] if manner == Manner::HandingOver => locks.write_soon(view, *key),
                keys => locks.write_unless_busy(view, keys).map(Some),
            };
            self.db = taken.map_err(NotNow::Busy)?;
        }
        self.db.as_mut().ok_or(NotNow::Held)
    }

    /// Whether the thread is to let the lock go between two commands.
    #[inline]
    pub(super) fn is_late(&self, now: Duration) -> bool {
        self.is_waited_for() && self.is_turn_over(now)
    }

    /// Whether the thread has had the lock for as long as it should.
    pub(super) fn is_turn_over(&self, now: Duration) -> bool {
        now.saturating_sub(self.since) >= self.longest_turn
    }

    /// Takes a lock in hand. The caller starts the stopwatch anew.
    pub(super) fn keep(&mut self, db: WriteDb<'a>) {
        self.db = Some(db);
        self.since = Duration::ZERO;
    }

    /// Whether a command on these keys needs no lock but the one in hand.
    pub(super) fn suffices(&self, keys: &[Key<'_>]) -> bool {
        self.db.as_ref().is_some_and(|db| db.suffices(keys))
    }

    /// Whether there is a lock in hand for which other threads wait.
    #[inline]
    pub(super) fn is_waited_for(&self) -> bool {
        self.db.as_ref().is_some_and(WriteDb::is_waited_for)
    }

    /// The thread has another turn, for errands. The caller has started the stopwatch anew.
    pub(super) fn begin_turn(&mut self) {
        self.since = Duration::ZERO;
    }

    /// Takes the errand of the first thread that waits for the lock, if it has one.
    pub(super) fn take_errand(&self) -> Option<AnyErrand> {
        self.db.as_ref()?.take_errand()
    }

    /// Lets the lock go.
    pub(super) fn release(&mut self) {
        self.db = None;
    }
}
