//! A shard behind its lock.
//!
//! A command that panicked may have left a shard with a change done by half, but never with a broken table: the tables are
//! safe code. Going on serves the clients better than refusing a 256th of the keys for ever, so poison is ignored.

use super::shard::Shard;
use smallvec::SmallVec;
use std::sync::{
    PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError, TryLockResult,
};

/// What somebody wants a lock for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Access {
    Shared,
    Exclusive,
}

/// A shard that is reached through its lock alone.
#[derive(Debug, Default)]
pub(super) struct ShardLock(RwLock<Shard>);

/// A held lock.
#[derive(Debug)]
pub(super) enum Guard<'a> {
    Shared(RwLockReadGuard<'a, Shard>),
    Exclusive(RwLockWriteGuard<'a, Shard>),
}

/// The locks of a command, each with the number of its shard, ascending.
pub(super) type Guards<'a> = SmallVec<[(usize, Guard<'a>); 1]>;

impl ShardLock {
    /// Takes the lock, and sleeps until it is free.
    pub(super) fn lock(&self, access: Access) -> Guard<'_> {
        let ShardLock(lock) = self;
        match access {
            Access::Shared => Guard::Shared(lock.read().unwrap_or_else(PoisonError::into_inner)),
            Access::Exclusive => {
                Guard::Exclusive(lock.write().unwrap_or_else(PoisonError::into_inner))
            }
        }
    }

    /// Takes the lock if it is free.
    pub(super) fn try_lock(&self, access: Access) -> Option<Guard<'_>> {
        let ShardLock(lock) = self;
        match access {
            Access::Shared => unless_locked(lock.try_read()).map(Guard::Shared),
            Access::Exclusive => unless_locked(lock.try_write()).map(Guard::Exclusive),
        }
    }
}

impl Guard<'_> {
    pub(super) fn shard(&self) -> &Shard {
        match self {
            Guard::Shared(guard) => guard,
            Guard::Exclusive(guard) => guard,
        }
    }

    pub(super) fn exclusive(&mut self) -> &mut Shard {
        match self {
            Guard::Exclusive(guard) => guard,
            Guard::Shared(_) => unreachable!("nobody changes a shard under a shared lock"),
        }
    }
}

fn unless_locked<G>(attempt: TryLockResult<G>) -> Option<G> {
    match attempt {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
