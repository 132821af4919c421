//! A shard behind its lock.
//!
//! A thread that finds the lock taken joins its [queue](super::lock_queue). Several locks at once are taken by
//! [`lock_set`](super::lock_set).
//!
//! A command that panicked may have left a shard with a change done by half, but never with a broken table: the tables
//! are safe code. Going on serves the clients better than refusing a 256th of the keys for ever, so poison is ignored.

use super::lock_queue::{AnyErrand, LockQueue, Place, Waited};
use super::shard::Shard;
use smallvec::SmallVec;
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError, TryLockResult};
use std::time::Instant;

/// What a thread wants a lock for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LockMode {
    Shared,
    Exclusive,
}

/// A shard that is reached through its lock alone.
#[derive(Debug, Default)]
// The queue's state lies beside the lock's, in one cache line.
#[repr(C)]
pub(super) struct ShardLock {
    queue: LockQueue,
    shard: RwLock<Shard>,
}

/// The lock is held by a script that is busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// How long a thread waits for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// As long as it takes.
    Endless,
    /// Until a script that holds the lock is busy.
    UntilBusy,
}

/// A held lock.
#[derive(Debug)]
pub(super) struct Guard<'a> {
    // Declared before `release`, hence dropped before it.
    kind: GuardKind<'a>,
    release: Release<'a>,
}

#[derive(Debug)]
enum GuardKind<'a> {
    Shared(RwLockReadGuard<'a, Shard>),
    Exclusive(RwLockWriteGuard<'a, Shard>),
}

/// Tells the queue, when it is dropped, that the lock has been let go.
#[derive(Debug)]
struct Release<'a>(&'a LockQueue);

/// A wait for a lock that has not ended yet.
#[derive(Debug)]
pub(super) struct Wait<'a> {
    lock: &'a ShardLock,
    mode: LockMode,
    place: Place<'a>,
}

/// The locks of a command, each with the number of its shard, ascending.
pub(super) type Guards<'a> = SmallVec<[(usize, Guard<'a>); 1]>;

impl ShardLock {
    /// Takes the lock, however long it takes. The thread must hold no other one, unless [`lock_set`](super::lock_set)
    /// says so.
    pub(super) fn lock(&self, mode: LockMode) -> Guard<'_> {
        at_last(self.lock_with(mode, Patience::Endless))
    }

    /// Takes the lock, if that does not take longer than the thread wants to wait.
    pub(super) fn lock_with(&self, mode: LockMode, patience: Patience) -> Result<Guard<'_>, Busy> {
        match self.try_lock(mode) {
            Some(guard) => Ok(guard),
            None => self.wait(mode, false).finish(patience),
        }
    }

    /// Takes the lock, or returns at this time with the [`Wait`], which can be finished later.
    pub(super) fn lock_until(
        &self,
        mode: LockMode,
        deadline: Instant,
    ) -> Result<Guard<'_>, Wait<'_>> {
        match self.try_lock(mode) {
            Some(guard) => Ok(guard),
            None => self.wait(mode, true).until(deadline),
        }
    }

    /// Waits for the exclusive lock, unless a script that holds it is busy, or for a holder that takes the errand.
    pub(super) fn lock_with_errand(&self, errand: AnyErrand) -> Waited<Guard<'_>> {
        let place = self.queue.join(LockMode::Exclusive, false, Some(errand));
        place.wait_with_errand(
            || self.attempt(LockMode::Exclusive),
            || self.queue.is_busy(),
        )
    }

    /// Whether a busy script holds the lock.
    pub(super) fn is_busy(&self) -> bool {
        self.queue.is_busy()
    }

    /// Whether it is of use to go on trying: see the queue.
    pub(super) fn is_worth_trying(&self) -> bool {
        self.queue.is_worth_trying()
    }

    /// Notes that a script that holds the lock is busy, and tells the threads that wait.
    pub(super) fn begin_busy(&self) {
        self.queue.begin_busy();
    }

    /// Notes that a busy script is about to let the lock go.
    pub(super) fn end_busy(&self) {
        self.queue.end_busy();
    }

    /// Takes the lock if it is free and no thread has a better right to it.
    #[inline]
    pub(super) fn try_lock(&self, mode: LockMode) -> Option<Guard<'_>> {
        if self.queue.is_reserved() {
            return None;
        }
        self.attempt(mode)
    }

    fn wait(&self, mode: LockMode, is_pressing: bool) -> Wait<'_> {
        Wait {
            lock: self,
            mode,
            place: self.queue.join(mode, is_pressing, None),
        }
    }

    /// Takes the lock if it is free.
    #[inline]
    fn attempt(&self, mode: LockMode) -> Option<Guard<'_>> {
        let kind = match mode {
            LockMode::Shared => unless_locked(self.shard.try_read()).map(GuardKind::Shared),
            LockMode::Exclusive => unless_locked(self.shard.try_write()).map(GuardKind::Exclusive),
        };
        Some(Guard {
            kind: kind?,
            release: Release(&self.queue),
        })
    }

    #[cfg(test)]
    pub(super) fn waiting_threads(&self) -> usize {
        self.queue.waiting_threads()
    }
}

impl<'a> Wait<'a> {
    /// Waits for as long as its patience lasts.
    pub(super) fn finish(self, patience: Patience) -> Result<Guard<'a>, Busy> {
        let Wait { lock, mode, .. } = self;
        let gives_up = || patience == Patience::UntilBusy && lock.queue.is_busy();
        let guard = self.place.wait(|| lock.attempt(mode), gives_up);
        guard.ok_or(Busy)
    }

    fn until(self, deadline: Instant) -> Result<Guard<'a>, Wait<'a>> {
        let Wait { lock, mode, .. } = self;
        let guard = self.place.wait_until(deadline, || lock.attempt(mode));
        guard.ok_or(self)
    }
}

impl Guard<'_> {
    pub(super) fn shard(&self) -> &Shard {
        match &self.kind {
            GuardKind::Shared(guard) => guard,
            GuardKind::Exclusive(guard) => guard,
        }
    }

    /// Whether threads wait for the lock.
    #[inline]
    pub(super) fn is_waited_for(&self) -> bool {
        self.release.0.is_waited_for()
    }

    /// Notes that the lock is kept for another command.
    #[inline]
    pub(super) fn note_kept(&self) {
        self.release.0.note_kept();
    }

    /// Takes the errand of the first thread that waits for the lock, if it has one and this is the exclusive lock.
    pub(super) fn take_errand(&self) -> Option<AnyErrand> {
        match self.kind {
            GuardKind::Exclusive(_) => self.release.0.take_errand(),
            GuardKind::Shared(_) => None,
        }
    }

    pub(super) fn exclusive(&mut self) -> &mut Shard {
        match &mut self.kind {
            GuardKind::Exclusive(guard) => guard,
            GuardKind::Shared(_) => unreachable!("nobody changes a shard under a shared lock"),
        }
    }
}

impl Drop for Release<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.note_release();
    }
}

/// What a thread of endless patience gets.
pub(super) fn at_last<T>(result: Result<T, Busy>) -> T {
    match result {
        Ok(value) => value,
        Err(Busy) => unreachable!("its patience is endless"),
    }
}

fn unless_locked<G>(attempt: TryLockResult<G>) -> Option<G> {
    match attempt {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    /// The sleep lasts longer than the test waits.
    #[test]
    fn who_lets_the_lock_go_wakes_the_thread_that_presses() {
        let lock = ShardLock::default();
        for mode in [LockMode::Shared, LockMode::Exclusive] {
            let guard = lock.lock(mode);
            let (joins, joined) = mpsc::channel();
            let (wakes, woken) = mpsc::channel();
            thread::scope(|scope| {
                scope.spawn(|| {
                    let place = lock.queue.join(LockMode::Exclusive, true, None);
                    place.lie_down();
                    joins.send(()).unwrap();
                    while lock.attempt(LockMode::Exclusive).is_none() {
                        thread::park_timeout(Duration::from_secs(60));
                    }
                    wakes.send(()).unwrap();
                    drop(place);
                });
                joined.recv().unwrap();
                drop(guard);
                assert!(woken.recv_timeout(Duration::from_secs(20)).is_ok());
            });
        }
    }
}
