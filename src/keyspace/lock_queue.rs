//! The threads that wait for the lock of one shard, first come, first served.
//!
//! It is no lock: the shard's `RwLock` is. The queue adds what `RwLock` lacks: a wait with a deadline, and a guarantee
//! that a thread gets the lock at last. A thread that finds no queue pays one load of `state` for it.
//!
//! # Invariants
//!
//! 1. Only the first in the queue tries the lock. It stays the first until it has the lock or gives up its place; then
//!    it wakes the next. The others sleep. No thread ever sleeps on the `RwLock`, because such a sleep cannot be ended
//!    when a script turns out to be busy.
//! 2. A newcomer may take a free lock although others wait: to wake a thread takes longer than most commands, and the
//!    lock would lie idle meanwhile. But once a thread in the queue is *pressing*, newcomers go to its end. So a
//!    pressing thread waits for the holder and for those before it in the queue, and for no other thread.
//! 3. A thread with a deadline holds other locks: it presses from the beginning, and tries the lock until then. A
//!    thread without one presses when it is the first and has waited for a [`MOMENT`]; then it spins a little, and
//!    sleeps until the holder lets the lock go and wakes it, or for another moment. So the first never stays the first
//!    for longer than that and what the holder takes.
//! 4. The queue's mutex is held for a few instructions; under it no other lock is taken and nothing is waited for.
//!
//! ```text
//!            a thread joins               one of them presses
//!    EMPTY ----------------> WAITED_FOR ----------------------> RESERVED
//!      ^                        |  ^                               |
//!      +---- the last leaves ---+  +---- no pressing one is left --+
//!
//!    a newcomer may take the free lock     |   it joins the queue
//! ```

use std::collections::VecDeque;
use std::hint;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How long a thread waits for a lock before it presses, and how long it may hold others while it waits for one. Most
/// commands hold their locks for less than a hundredth of that.
pub(super) const MOMENT: Duration = Duration::from_millis(1);

/// How often a thread that presses tries the lock before it sleeps, as often as std's own locks do.
const SPINS: usize = 100;

/// No thread waits.
const EMPTY: u8 = 0;
/// Threads wait, and a newcomer may be faster.
const WAITED_FOR: u8 = 1;
/// The lock is for a thread in the queue.
const RESERVED: u8 = 2;

/// The queue for one lock.
#[derive(Debug, Default)]
pub(super) struct LockQueue {
    /// [`EMPTY`], [`WAITED_FOR`] or [`RESERVED`]: what `line` implies. Changed under its mutex, read without it: a
    /// newcomer that reads an old value is a little more or less polite.
    state: AtomicU8,
    line: Mutex<Line>,
}

#[derive(Debug, Default)]
struct Line {
    threads: VecDeque<Waiting>,
    /// How many of them are pressing.
    pressing: usize,
}

#[derive(Clone, Debug)]
struct Waiting {
    thread: Thread,
    is_pressing: bool,
}

/// The place of this thread in a queue; given up when it is dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    queue: &'a LockQueue,
    joined: Instant,
}

impl LockQueue {
    /// Whether a newcomer has to join the queue even if the lock is free.
    #[inline]
    pub(super) fn is_reserved(&self) -> bool {
        self.state.load(Relaxed) == RESERVED
    }

    #[cfg(test)]
    pub(super) fn waiting_threads(&self) -> usize {
        self.line().threads.len()
    }

    /// Puts this thread at the end.
    #[cold]
    pub(super) fn join(&self, is_pressing: bool) -> Place<'_> {
        let mut line = self.line();
        line.threads.push_back(Waiting {
            thread: thread::current(),
            is_pressing,
        });
        line.pressing += usize::from(is_pressing);
        self.publish(&line);
        Place {
            queue: self,
            joined: Instant::now(),
        }
    }

    /// Wakes all threads that sleep in the queue, to look whether they want to go on waiting.
    pub(super) fn wake_all(&self) {
        let threads = self.line().threads.clone();
        threads.iter().for_each(|waiting| waiting.thread.unpark());
    }

    /// Wakes the first, if it presses: the lock has been let go. The holder may read an old state here, and leave the
    /// first asleep; therefore the first sleeps for a moment at most.
    #[inline]
    pub(super) fn note_release(&self) {
        if self.is_reserved() {
            self.wake_first();
        }
    }

    #[cold]
    fn wake_first(&self) {
        // The mutex is free again when the thread wakes, and wants it.
        let first = self.line().threads.front().cloned();
        if let Some(first) = first {
            first.thread.unpark();
        }
    }

    fn publish(&self, line: &Line) {
        let state = match (line.threads.is_empty(), line.pressing) {
            (true, _) => EMPTY,
            (false, 0) => WAITED_FOR,
            (false, _) => RESERVED,
        };
        self.state.store(state, Relaxed);
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// Whether this thread is the first.
    fn is_led_by_own(&self) -> bool {
        let own = thread::current().id();
        self.threads
            .front()
            .is_some_and(|first| first.thread.id() == own)
    }

    /// Where this thread stands.
    fn position(&self) -> Option<usize> {
        let own = thread::current().id();
        let is_own = |waiting: &Waiting| waiting.thread.id() == own;
        self.threads.iter().position(is_own)
    }
}

impl Place<'_> {
    /// Tries the lock with `attempt` until the deadline, as soon as it is this thread's turn. After the deadline the
    /// place is still there, to wait on.
    pub(super) fn wait_until<G>(
        &self,
        deadline: Instant,
        attempt: impl Fn() -> Option<G>,
    ) -> Option<G> {
        self.be_first(Some(deadline), || false).then_some(())?;
        loop {
            if let Some(guard) = attempt() {
                return Some(guard);
            }
            if Instant::now() >= deadline {
                return None;
            }
            // It does not sleep: most holders let the lock go earlier than it would be awake.
            thread::yield_now();
        }
    }

    /// Tries the lock with `attempt` as long as it takes, unless `gives_up` says that it is of no use.
    pub(super) fn wait<G>(
        &self,
        attempt: impl Fn() -> Option<G>,
        gives_up: impl Fn() -> bool,
    ) -> Option<G> {
        self.be_first(None, &gives_up).then_some(())?;
        let moment = self.joined + MOMENT;
        if let Some(guard) = self.wait_until(moment, &attempt) {
            return Some(guard);
        }
        self.press();
        while !gives_up() {
            for _ in 0..SPINS {
                if let Some(guard) = attempt() {
                    return Some(guard);
                }
                hint::spin_loop();
            }
            thread::park_timeout(MOMENT);
        }
        None
    }

    /// Sleeps until this thread is the first; `false` if the deadline came earlier, or if it gave up.
    fn be_first(&self, deadline: Option<Instant>, gives_up: impl Fn() -> bool) -> bool {
        while !self.queue.line().is_led_by_own() {
            if gives_up() {
                return false;
            }
            match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => thread::park(),
                Some(Duration::ZERO) => return false,
                Some(left) => thread::park_timeout(left),
            }
        }
        true
    }

    fn press(&self) {
        let mut line = self.queue.line();
        if let Some(position) = line.position()
            && !std::mem::replace(&mut line.threads[position].is_pressing, true)
        {
            line.pressing += 1;
            self.queue.publish(&line);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut line = self.queue.line();
        let position = line.position();
        if let Some(left) = position.and_then(|position| line.threads.remove(position)) {
            line.pressing -= usize::from(left.is_pressing);
        }
        self.queue.publish(&line);
        drop(line);
        if position == Some(0) {
            self.queue.wake_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::lock_set;
    use crate::keyspace::shard_lock::{Guards, LockMode, Patience, at_last};
    use crate::keyspace::space::{Cell, Keyspace};
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
    use std::sync::{Barrier, mpsc};

    /// The lock of the first shard.
    fn lock(cells: &[Cell], mode: LockMode) -> Guards<'_> {
        at_last(lock_set::lock(cells, mode, 0..1, Patience::Endless))
    }

    fn is_free(cells: &[Cell]) -> bool {
        cells[0].shard.try_lock(LockMode::Exclusive).is_some()
    }

    #[test]
    fn newcomers_stand_back_once_a_thread_presses_and_no_earlier() {
        let queue = LockQueue::default();
        let place = queue.join(false);
        assert!(queue.waiting_threads() == 1 && !queue.is_reserved());
        place.press();
        assert!(queue.is_reserved());
        drop(place);
        assert!(queue.waiting_threads() == 0 && !queue.is_reserved());
        let place = queue.join(true);
        assert!(queue.is_reserved());
        drop(place);
        assert!(!queue.is_reserved());
    }

    #[test]
    fn a_thread_that_has_waited_for_a_moment_presses() {
        let queue = LockQueue::default();
        let place = queue.join(false);
        let gets_it = || queue.is_reserved().then_some(());
        assert!(place.wait(gets_it, || false).is_some());
        assert!(place.joined.elapsed() >= MOMENT);
    }

    /// A wait that a deadline has ended goes on at its place.
    #[test]
    fn the_place_outlasts_the_deadline() {
        let keyspace = Keyspace::new(1);
        let (cells, shard) = (keyspace.cells(), &keyspace.cell(0).shard);
        let held = lock(cells, LockMode::Exclusive);
        let (done, order) = mpsc::channel();
        thread::scope(|scope| {
            for number in 1..=5 {
                let done = done.clone();
                let (joins, joined) = mpsc::channel();
                scope.spawn(move || {
                    let late = shard.lock_until(LockMode::Exclusive, Instant::now());
                    let wait = late.expect_err("it is held");
                    joins.send(()).unwrap();
                    let guard = at_last(wait.finish(Patience::Endless));
                    done.send(number).unwrap();
                    drop(guard);
                });
                joined.recv().unwrap();
            }
            drop((held, done));
        });
        assert_eq!(order.iter().collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert!(is_free(cells));
    }

    /// Each keeps its lock until all have theirs.
    #[test]
    fn readers_get_in_together() {
        let keyspace = Keyspace::new(1);
        let cells = keyspace.cells();
        let held = lock(cells, LockMode::Exclusive);
        let all = Barrier::new(3);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let guard = lock(cells, LockMode::Shared);
                    all.wait();
                    drop(guard);
                });
            }
            let waiting = || keyspace.cell(0).shard.waiting_threads();
            while waiting() < 3 {
                thread::yield_now();
            }
            drop(held);
        });
        assert!(is_free(cells));
    }

    /// The reader hands its lock over to itself, so that there is no gap unless the queue makes one.
    #[test]
    fn a_writer_gets_in_among_readers_without_a_gap() {
        let keyspace = Keyspace::new(1);
        let cells = keyspace.cells();
        let ends = &AtomicBool::new(false);
        let (begins, begun) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(move || {
                let mut held = lock(cells, LockMode::Shared);
                begins.send(()).unwrap();
                while !ends.load(SeqCst) {
                    match cells[0].shard.try_lock(LockMode::Shared) {
                        Some(next) => held = Guards::from_iter([(0, next)]),
                        None => {
                            drop(held);
                            held = lock(cells, LockMode::Shared);
                        }
                    }
                }
            });
            begun.recv().unwrap();
            (0..10).for_each(|_| drop(lock(cells, LockMode::Exclusive)));
            ends.store(true, SeqCst);
        });
    }
}
