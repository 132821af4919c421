//! The threads that wait for the lock of one shard, first come, first served.
//!
//! It is no lock: the shard's `RwLock` is. The queue adds what `RwLock` lacks: a wait with a deadline, a guarantee that
//! a thread gets the lock at last, and errands. A thread that finds no queue pays one load of `state` for it.
//!
//! # Errands
//!
//! If many threads want one lock, each would have to be woken when its turn comes, and the lock would lie idle while it
//! wakes. Therefore a thread may leave an [errand](AnyErrand) with its place: what it wants to do under the lock. The
//! holder of the lock then does that for it, for one thread after the other, with the shard in its processor's cache,
//! and wakes each when its errand is done. This is flat combining (Hendler, Incze, Shavit, Tzafrir: "Flat Combining and
//! the Synchronization-Parallelism Tradeoff", SPAA 2010). The [executor] says how errands are done.
//!
//! # Invariants
//!
//! 1. Only the first in the queue tries the lock. It stays the first until it has the lock, gives up its place, or its
//!    errand is taken. The others sleep. No thread ever sleeps on the `RwLock`, because such a sleep cannot be ended
//!    when a script turns out to be busy.
//! 2. The thread that lets the lock go wakes the first, if it sleeps. The holder may read an old state here, and leave
//!    the first asleep; therefore the first sleeps for a [`MOMENT`] at most. A thread that leaves the queue wakes the
//!    next one if the lock may be free for that: unless it has taken it for itself alone.
//! 3. A newcomer may take a free lock although others wait: to wake a thread takes longer than most commands, and the
//!    lock would lie idle meanwhile. But once a thread in the queue is *pressing*, newcomers go to its end. So a
//!    pressing thread waits for the holder, the errands that it does, and the threads before it in the queue, and for
//!    no other.
//! 4. A thread with a deadline holds other locks: it presses from the beginning. A thread without one presses when it
//!    is the first and has waited for a moment. So the first never stays the first for longer than two moments and what
//!    the holder takes.
//! 5. The holder of the exclusive lock takes errands, and from the first in the queue alone. So a thread that has got
//!    the lock still has its errand, or finds that it was done before.
//! 6. The queue's mutex is held for a few instructions; under it no other lock is taken and nothing is waited for.
//!
//! ```text
//!            a thread joins               one of them presses
//!    EMPTY ----------------> WAITED_FOR ----------------------> RESERVED
//!      ^                        |  ^                               |
//!      +---- the last leaves ---+  +---- no pressing one is left --+
//!
//!    a newcomer may take the free lock     |   it joins the queue
//! ```
//!
//! [executor]: crate::command::execute::errand

use super::lock_tries;
use super::shard_lock::LockMode;
use std::any::Any;
use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst,
};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How long a thread waits for a lock before it presses, and how long it may hold others while it waits for one. Most
/// commands hold their locks for less than a hundredth of that.
pub(super) const MOMENT: Duration = Duration::from_millis(1);

/// No thread waits.
const EMPTY: u8 = 0;
/// Threads wait, and a newcomer may be faster.
const WAITED_FOR: u8 = 1;
/// A thread in the queue presses: the lock is for the queue.
const RESERVED: u8 = 2;
/// Added to one of the two above: the first of the threads sleeps.
const FIRST_SLEEPS: u8 = 4;

/// What a thread that waits wants to do under the lock. What it is, only the executor knows.
pub type AnyErrand = Box<dyn Any + Send>;

/// How a wait with an errand has ended.
pub enum Waited<G> {
    /// The thread has the lock, and its errand to do itself.
    Locked(G, AnyErrand),
    /// The holder of the lock has taken the errand, and will tell when it is done.
    Taken,
    /// The thread has given up, and has its errand back.
    GaveUp(AnyErrand),
}

/// The queue for one lock.
#[derive(Debug, Default)]
pub(super) struct LockQueue {
    /// What `line` implies: see the constants. Changed under its mutex, read without it: a newcomer that reads an old
    /// value is a little more or less polite.
    state: AtomicU8,
    /// Whether the holder has kept the lock from one command for the next, and so may hold it for longer than one
    /// command takes.
    is_kept: AtomicBool,
    /// The [ticket](Waiting::ticket) of the first, 0 if there is none.
    first: AtomicU64,
    /// How many holders are scripts that have run for longer than clients are to wait.
    busy_scripts: AtomicU32,
    line: Mutex<Line>,
}

#[derive(Debug, Default)]
struct Line {
    threads: VecDeque<Waiting>,
    /// How many of them are pressing.
    pressing: usize,
    last_ticket: u64,
}

#[derive(Debug)]
struct Waiting {
    thread: Thread,
    /// Counts the threads that have joined: so tickets ascend.
    ticket: u64,
    errand: Option<AnyErrand>,
    is_pressing: bool,
    is_asleep: bool,
}

/// The place of this thread in a queue; given up when it is dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    queue: &'a LockQueue,
    ticket: u64,
    joined: Instant,
    mode: LockMode,
    has_lock: Cell<bool>,
}

impl LockQueue {
    /// Whether a newcomer has to join the queue even if the lock is free.
    #[inline]
    pub(super) fn is_reserved(&self) -> bool {
        self.state.load(Relaxed) & RESERVED != 0
    }

    /// Whether threads wait.
    #[inline]
    pub(super) fn is_waited_for(&self) -> bool {
        self.state.load(Relaxed) != EMPTY
    }

    /// Whether it is of use for a newcomer to go on trying: the lock may be free soon, and the newcomer may have it.
    pub(super) fn is_worth_trying(&self) -> bool {
        !self.is_reserved() && !self.is_kept.load(Relaxed)
    }

    /// The holder keeps the lock for another command.
    #[inline]
    pub(super) fn note_kept(&self) {
        // To store takes the cache line away from the threads that spin on it, so only the first command does.
        if !self.is_kept.load(Relaxed) {
            self.is_kept.store(true, Relaxed);
        }
    }

    #[cfg(test)]
    pub(super) fn waiting_threads(&self) -> usize {
        self.line().threads.len()
    }

    /// Puts this thread at the end.
    #[cold]
    pub(super) fn join(
        &self,
        mode: LockMode,
        is_pressing: bool,
        errand: Option<AnyErrand>,
    ) -> Place<'_> {
        let thread = thread::current();
        let joined = Instant::now();
        let mut line = self.line();
        line.last_ticket += 1;
        let ticket = line.last_ticket;
        line.threads.push_back(Waiting {
            thread,
            ticket,
            errand,
            is_pressing,
            is_asleep: false,
        });
        line.pressing += usize::from(is_pressing);
        self.publish(&line);
        Place {
            queue: self,
            ticket,
            joined,
            mode,
            has_lock: Cell::new(false),
        }
    }

    /// A script that holds the lock is busy. Wakes all threads that sleep in the queue, to look whether they want to go
    /// on waiting.
    pub(super) fn begin_busy(&self) {
        self.busy_scripts.fetch_add(1, SeqCst);
        let line = self.line();
        let threads = line.threads.iter();
        let threads: Vec<Thread> = threads.map(|waiting| waiting.thread.clone()).collect();
        drop(line);
        threads.iter().for_each(Thread::unpark);
    }

    /// A busy script is about to let the lock go.
    pub(super) fn end_busy(&self) {
        self.busy_scripts.fetch_sub(1, SeqCst);
    }

    /// Whether a busy script holds the lock.
    pub(super) fn is_busy(&self) -> bool {
        self.busy_scripts.load(SeqCst) > 0
    }

    /// The lock has been let go.
    #[inline]
    pub(super) fn note_release(&self) {
        if self.is_kept.load(Relaxed) {
            self.is_kept.store(false, Relaxed);
        }
        if self.state.load(Relaxed) & FIRST_SLEEPS != 0 {
            self.wake_first(self.line());
        }
    }

    /// Takes the errand of the first thread, which leaves the queue by that; `None` if it has none, or there is no
    /// thread. To be called by the thread that holds the lock for itself alone.
    #[cold]
    pub(super) fn take_errand(&self) -> Option<AnyErrand> {
        let mut line = self.line();
        let errand = line.threads.front_mut()?.errand.take()?;
        let taken = line.threads.pop_front();
        line.pressing -= usize::from(taken.is_some_and(|taken| taken.is_pressing));
        self.publish(&line);
        Some(errand)
    }

    #[cold]
    fn wake_first(&self, mut line: MutexGuard<'_, Line>) {
        let sleeps = line.threads.front_mut().filter(|first| first.is_asleep);
        let woken = sleeps.map(|first| {
            first.is_asleep = false;
            first.thread.clone()
        });
        self.publish(&line);
        // The mutex is free again when the thread wakes, and wants it.
        drop(line);
        if let Some(thread) = woken {
            thread.unpark();
        }
    }

    fn publish(&self, line: &Line) {
        let first = line.threads.front();
        let state = match (first, line.pressing) {
            (None, _) => EMPTY,
            (Some(_), 0) => WAITED_FOR,
            (Some(_), _) => RESERVED,
        };
        let sleeps = first.is_some_and(|first| first.is_asleep);
        let state = state + if sleeps { FIRST_SLEEPS } else { 0 };
        // The holder reads this cache line, which is that of the lock, for every command.
        if self.state.load(Relaxed) != state {
            self.state.store(state, Relaxed);
        }
        let ticket = first.map_or(0, |first| first.ticket);
        self.first.store(ticket, Relaxed);
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// Where this ticket stands.
    fn position(&self, ticket: u64) -> Option<usize> {
        let threads = &self.threads;
        threads
            .binary_search_by_key(&ticket, |each| each.ticket)
            .ok()
    }

    fn of_ticket(&mut self, ticket: u64) -> Option<&mut Waiting> {
        let position = self.position(ticket)?;
        self.threads.get_mut(position)
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
        self.wait_for_lock(Some(deadline), attempt, || false)
    }

    /// Tries the lock with `attempt` as long as it takes, unless `gives_up` says that it is of no use.
    pub(super) fn wait<G>(
        &self,
        attempt: impl Fn() -> Option<G>,
        gives_up: impl Fn() -> bool,
    ) -> Option<G> {
        self.wait_for_lock(None, attempt, gives_up)
    }

    /// Waits as [`wait`](Self::wait) does, until the errand that was left with this place is taken.
    pub(super) fn wait_with_errand<G>(
        &self,
        attempt: impl Fn() -> Option<G>,
        gives_up: impl Fn() -> bool,
    ) -> Waited<G> {
        let guard = self.wait_for_lock(None, attempt, gives_up);
        let errand = self.with_own(|own| own.errand.take()).flatten();
        match (guard, errand) {
            (Some(guard), Some(errand)) => Waited::Locked(guard, errand),
            (None, Some(errand)) => Waited::GaveUp(errand),
            (_, None) => Waited::Taken,
        }
    }

    /// Waits for the lock; `None` if the deadline comes first, the thread gives up, or its errand is taken.
    fn wait_for_lock<G>(
        &self,
        deadline: Option<Instant>,
        attempt: impl Fn() -> Option<G>,
        gives_up: impl Fn() -> bool,
    ) -> Option<G> {
        let attempt = || {
            let guard = self.is_first().then(&attempt).flatten()?;
            self.has_lock.set(true);
            Some(guard)
        };
        let is_over = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
        loop {
            let guard = match deadline {
                // Others wait for the locks that it holds: it does not sleep as long as it may be the next.
                Some(_) => lock_tries::yielding(attempt, || self.is_first() && !is_over()),
                None => lock_tries::until_sleep_pays(attempt, || {
                    self.is_first() && !self.has_waited_a_moment()
                }),
            };
            if guard.is_some() {
                return guard;
            }
            if self.is_first() && self.has_waited_a_moment() {
                self.press();
            }
            self.lie_down()?;
            // A holder that let go before that has not seen that this thread sleeps: once more.
            if let Some(guard) = attempt() {
                return Some(guard);
            }
            let mut has_slept_a_moment = false;
            while self.is_asleep() && !has_slept_a_moment {
                if gives_up() || is_over() {
                    self.get_up();
                    return None;
                }
                has_slept_a_moment = self.is_first();
                match deadline {
                    Some(deadline) => {
                        let left = deadline.saturating_duration_since(Instant::now());
                        thread::park_timeout(left);
                    }
                    None if has_slept_a_moment => thread::park_timeout(MOMENT),
                    None => thread::park(),
                }
            }
            self.get_up()?;
        }
    }

    /// From now on, the thread that lets the lock go wakes this one when it is the first. `None` if its errand was
    /// taken.
    pub(super) fn lie_down(&self) -> Option<()> {
        self.with_own(|own| own.is_asleep = true)
    }

    /// This thread is awake. `None` if its errand was taken.
    fn get_up(&self) -> Option<()> {
        self.with_own(|own| own.is_asleep = false)
    }

    fn is_first(&self) -> bool {
        self.queue.first.load(Relaxed) == self.ticket
    }

    fn has_waited_a_moment(&self) -> bool {
        self.joined.elapsed() >= MOMENT
    }

    fn is_asleep(&self) -> bool {
        let mut line = self.queue.line();
        line.of_ticket(self.ticket).is_some_and(|own| own.is_asleep)
    }

    fn press(&self) {
        let mut line = self.queue.line();
        if let Some(own) = line.of_ticket(self.ticket)
            && !std::mem::replace(&mut own.is_pressing, true)
        {
            line.pressing += 1;
            self.queue.publish(&line);
        }
    }

    /// Changes what the queue knows of this thread; `None` if its errand was taken.
    fn with_own<T>(&self, change: impl FnOnce(&mut Waiting) -> T) -> Option<T> {
        let mut line = self.queue.line();
        let changed = line.of_ticket(self.ticket).map(change);
        self.queue.publish(&line);
        changed
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut line = self.queue.line();
        let Some(position) = line.position(self.ticket) else {
            return;
        };
        if let Some(left) = line.threads.remove(position) {
            line.pressing -= usize::from(left.is_pressing);
        }
        // A thread that has the exclusive lock wakes the next one when it lets go.
        match self.has_lock.get() && self.mode == LockMode::Exclusive {
            true => self.queue.publish(&line),
            false => self.queue.wake_first(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::lock_set;
    use crate::keyspace::shard_lock::{Guards, LockMode, Patience, at_last};
    use crate::keyspace::space::{Cell, Keyspace};
    use std::sync::atomic::AtomicBool;
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
        let place = queue.join(LockMode::Exclusive, false, None);
        assert!(queue.waiting_threads() == 1 && !queue.is_reserved());
        place.press();
        assert!(queue.is_reserved());
        drop(place);
        assert!(queue.waiting_threads() == 0 && !queue.is_reserved());
        let place = queue.join(LockMode::Exclusive, true, None);
        assert!(queue.is_reserved());
        drop(place);
        assert!(!queue.is_reserved());
    }

    #[test]
    fn a_thread_that_has_waited_for_a_moment_presses() {
        let queue = LockQueue::default();
        let place = queue.join(LockMode::Exclusive, false, None);
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

    /// The number that the errand of the first thread is, if it has one.
    fn take_number(queue: &LockQueue) -> Option<u8> {
        let errand = queue.take_errand()?;
        errand.downcast().ok().map(|number| *number)
    }

    #[test]
    fn errands_are_taken_in_order_and_never_past_a_thread_without_one() {
        let queue = LockQueue::default();
        assert_eq!(take_number(&queue), None);
        let join = |errand: Option<u8>| {
            let errand = errand.map(|number| Box::new(number) as AnyErrand);
            queue.join(LockMode::Exclusive, false, errand)
        };
        let mut places: Vec<_> = [Some(1), Some(2), None, Some(3)].map(join).into();
        let taken = [(); 3].map(|()| take_number(&queue));
        assert_eq!(taken, [Some(1), Some(2), None]);
        assert_eq!(queue.waiting_threads(), 2);
        drop(places.remove(2));
        assert_eq!(take_number(&queue), Some(3));
        assert!(!queue.is_waited_for());
        // The threads whose errands were taken find that.
        for place in &places {
            assert!(matches!(
                place.wait_with_errand(|| Some(()), || false),
                Waited::Taken
            ));
        }
    }

    #[test]
    fn who_gives_up_has_its_errand_back() {
        let queue = LockQueue::default();
        let place = queue.join(LockMode::Exclusive, false, Some(Box::new(1_u8)));
        let waited = place.wait_with_errand(|| None::<()>, || true);
        assert!(matches!(waited, Waited::GaveUp(errand) if errand.is::<u8>()));
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
