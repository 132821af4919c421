//! The lock that a changing command leaves to the next one of the same packet, which often changes this key too: else
//! clients that work on one key would hand its lock to and fro for each of their commands.
//!
//! Invariants:
//! 1. The thread drops the lock before it does anything that may take time: before it reads, writes or waits.
//! 2. Other threads wait for it for 64 commands at most, however long these take.

use crate::keyspace::db::WriteDb;
use crate::keyspace::locks::{Busy, Locks};
use crate::keyspace::space::Key;
use crate::keyspace::view::View;
use std::thread;

/// Commands of one packet that may follow each other under one lock.
const MOST_UNDER_ONE_LOCK: usize = 64;

/// The lock of the command before, if it may be of use.
#[derive(Default)]
pub(super) struct LockInHand<'a> {
    db: Option<WriteDb<'a>>,
    commands: usize,
}

impl<'a> LockInHand<'a> {
    /// Exclusive locks on the shards of these keys: the one in hand, if it is the right one.
    pub(super) fn write(
        &mut self,
        locks: &'a Locks,
        view: View,
        keys: &[Key<'_>],
    ) -> Result<&mut WriteDb<'a>, Busy> {
        self.commands += 1;
        if self.commands == MOST_UNDER_ONE_LOCK {
            self.release();
            // The threads that wait for it would not be as quick as this one to take it.
            thread::yield_now();
        }
        let db = self.db.take();
        let kept = db.and_then(|mut db| db.turn_to(view, keys).then_some(db));
        let db = match kept {
            Some(db) => db,
            None => {
                self.commands = 0;
                locks.write_unless_busy(view, keys)?
            }
        };
        Ok(self.db.insert(db))
    }

    /// Lets the lock go.
    pub(super) fn release(&mut self) {
        self.db = None;
    }
}
