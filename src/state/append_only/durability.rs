//! Which blocks of the change log are on the disk, and the replies that wait for that (`appendfsync always`).
//!
//! Under `always` a reply leaves when everything that was appended before it is on the disk. One fsync serves all that
//! wait (group commit). The first thread that comes is the leader: it writes and syncs for all. Replies that come
//! meanwhile are deferred: they are put into a list, and the threads of their clients go on to read. When the leader is
//! done it sends those that may leave; for the others the appender's thread leads next.
//!
//! ```text
//! client 1   append ── leads: write, fsync ── reply
//! client 2        append ── deferred, reads           ┐
//! client 3            append ── deferred, reads       ├ appender leads: write, fsync, sends both replies
//! ```
//!
//! So a lone client has no other thread to wait for, and of many clients each thread is woken once for a request, not
//! twice.
//!
//! If the appender began at once, it would do so with the first of the clients that were just answered, and the others
//! would wait for two fsyncs. So it waits until as many replies are there as there were clients lately, for half the
//! time of an fsync at most (as PostgreSQL does with `commit_delay`).
//!
//! A reply that cannot be deferred (it is large, or other threads may write to the client's socket) lets the thread of
//! its client wait.
//!
//! # Invariants
//! 1. There is one leader at most. It alone sends deferred replies, in the order of the list: so the replies of a
//!    client leave in their order.
//! 2. While a client has deferred replies, its own thread sends nothing.
//! 3. Whenever a leader is done and something still waits, a thread is woken that leads next.
//!
//! # Thread safety
//! A thread that waits or leads holds no lock. The mutex is held for a few lines; under it, the clients are served that
//! wait for [progress](crate::state::progress).

use crate::state::clients::Client;
use crate::state::progress::Progress;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// The longest that the appender waits for more replies; else it is this part of the time that the last commit took.
const LONGEST_GATHERING: Duration = Duration::from_millis(2);
const GATHERING_PART: u32 = 2;
/// The system does not wake a thread earlier than that.
const SHORTEST_GATHERING: Duration = Duration::from_micros(60);
/// How often a thread that waits looks whether its client is still there.
const LOOK_PERIOD: Duration = Duration::from_millis(100);
/// When the rest of a reply is sent again that a socket did not take.
const LATE_PERIOD: Duration = Duration::from_millis(2);

/// Writes the log to the file.
pub trait LogWriter: fmt::Debug + Send + Sync {
    /// Writes everything that was appended before, and waits until it is on the disk. `None` if that cannot be, and the
    /// server ends.
    fn commit(&self) -> Option<Committed>;

    /// Writes and syncs everything that was appended before, whatever the policy is.
    fn write_and_sync(&self) -> io::Result<()>;

    /// Sends as much of a reply as the socket takes. Returns the rest; `None` if all was sent, or the client is gone.
    fn send(&self, client: &Client, reply: Vec<u8>) -> Option<Vec<u8>>;
}

/// What becomes of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// It may leave now.
    Now,
    /// It has been taken over.
    Deferred,
    /// It must not leave: the server is about to end.
    Never,
}

/// How far the log has been written: numbers after that of the last block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Which replies may leave.
    pub written: u64,
    /// What is on the disk: less than `written` if no fsync is wanted during a rewrite (`no-appendfsync-on-rewrite`).
    pub durable: u64,
}

/// Which blocks are on the disk.
#[derive(Debug, Default)]
pub struct Durability {
    /// The number after that of the last block that is.
    durable: AtomicU64,
    /// The number after that of the last block whose reply may leave.
    released: AtomicU64,
    /// Whether replies wait for their blocks.
    delays_replies: AtomicBool,
    /// Whether the base is in place to which the blocks belong: without it they are worth nothing.
    has_base: AtomicBool,
    group: Mutex<Group>,
    /// There are replies for which no thread leads.
    is_wanted: Condvar,
    /// Replies were sent.
    are_sent: Condvar,
    writer: OnceLock<Arc<dyn LogWriter>>,
    /// The clients that have sent WAITAOF.
    progress: Arc<Progress>,
}

#[derive(Debug, Default)]
struct Group {
    has_leader: bool,
    /// The threads that wait, each for all blocks before a number.
    threads: Vec<(u64, Thread)>,
    /// The replies that wait, in the order in which they came.
    replies: VecDeque<Deferred>,
    /// Rests of replies that sockets did not take, and the replies behind them.
    late: VecDeque<Deferred>,
    /// How many replies the last leader sent, and found waiting when it was done: about how many clients wait for the
    /// disk.
    crowd: usize,
    /// The number of waiting replies at which the appender is woken.
    awaited: usize,
    /// How long the last commit took.
    commit_time: Duration,
    /// Whether nothing will be written any more.
    is_over: bool,
}

/// A reply that leaves when all blocks before a number are on the disk.
#[derive(Debug)]
struct Deferred {
    number: u64,
    client: Arc<Client>,
    reply: Vec<u8>,
}

impl Durability {
    /// Nothing is on the disk. `progress` has the clients that wait for it.
    pub fn new(progress: Arc<Progress>) -> Durability {
        Durability {
            progress,
            ..Durability::default()
        }
    }

    /// Sets what writes the log, once and for all.
    pub fn set_writer(&self, writer: Arc<dyn LogWriter>) {
        let already = self.writer.set(writer);
        debug_assert!(already.is_ok(), "a log has one writer");
    }

    /// Writes and syncs everything that was appended before.
    pub fn write_and_sync(&self) -> io::Result<()> {
        self.writer
            .get()
            .map_or(Ok(()), |writer| writer.write_and_sync())
    }

    /// Whether replies wait for the disk.
    #[inline]
    pub fn delays_replies(&self) -> bool {
        self.delays_replies.load(Relaxed)
    }

    /// Lets replies wait for the disk, or not.
    pub fn delay_replies(&self, delays: bool) {
        self.delays_replies.store(delays, Relaxed);
    }

    /// Whether all blocks before this number are on the disk, with the base to which they belong.
    pub fn has(&self, number: u64) -> bool {
        self.has_base.load(Acquire) && self.durable.load(Acquire) >= number
    }

    /// Notes whether the base is in place to which the blocks belong.
    pub fn set_base(&self, is_in_place: bool) {
        self.has_base.store(is_in_place, Release);
        self.advance(0);
    }

    /// Waits until a reply may leave that depends on all blocks before this number. `false` if that cannot be: the
    /// server is about to end.
    #[inline]
    pub fn wait_for(&self, number: u64) -> bool {
        self.is_released(number) || self.lead_or_wait(number)
    }

    fn is_released(&self, number: u64) -> bool {
        self.released.load(Acquire) >= number
    }

    fn lead_or_wait(&self, number: u64) -> bool {
        let mut is_listed = false;
        let mut group = self.lock();
        loop {
            if self.is_released(number) {
                return true;
            }
            if group.is_over {
                return false;
            }
            if !group.has_leader {
                group = self.lead(group);
                continue;
            }
            if !std::mem::replace(&mut is_listed, true) {
                group.threads.push((number, thread::current()));
            }
            drop(group);
            thread::park();
            group = self.lock();
        }
    }

    /// What becomes of a reply that depends on all blocks before this number. `reply` gives it, if it is taken over.
    pub fn depart(
        &self,
        number: u64,
        client: &Arc<Client>,
        reply: impl FnOnce() -> Vec<u8>,
    ) -> Departure {
        let is_first = || client.buffers.deferred_replies.load(Acquire) == 0;
        if self.is_released(number) && is_first() {
            return Departure::Now;
        }
        let mut group = self.lock();
        let is_alone = group.replies.is_empty() && group.crowd <= 1;
        let may_lead = !group.has_leader && is_alone && is_first();
        if may_lead && !group.is_over {
            group = self.lead(group);
        }
        if group.is_over {
            return Departure::Never;
        }
        if self.is_released(number) && is_first() {
            return Departure::Now;
        }
        client.buffers.deferred_replies.fetch_add(1, Relaxed);
        // The caller has read the end of the log before it came here. Another that read a later one may have come
        // first: the numbers of the list ascend all the same.
        let last = group.replies.back().map_or(0, |last| last.number);
        group.replies.push_back(Deferred {
            number: number.max(last),
            client: client.clone(),
            reply: reply(),
        });
        if !group.has_leader && group.replies.len() >= group.awaited {
            self.is_wanted.notify_one();
        }
        Departure::Deferred
    }

    /// Waits until no reply of a client is deferred any more.
    pub fn wait_until_sent(&self, client: &Client) {
        let is_deferred = || client.buffers.deferred_replies.load(Acquire) > 0;
        let mut group = self.lock();
        while is_deferred() && !group.is_over && !client.is_disconnected() {
            // It is not told when the client is disconnected: so it looks.
            let waited = self.are_sent.wait_timeout(group, LOOK_PERIOD);
            group = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Leads for the replies that are deferred; if there is none, waits until there is, for this long at most. Returns
    /// whether it has led. For the appender.
    pub fn lead_for_replies(&self, longest: Duration) -> bool {
        let mut group = self.lock();
        if !group.late.is_empty() && !group.has_leader {
            group.has_leader = true;
            let late = std::mem::take(&mut group.late);
            drop(group);
            for deferred in &late {
                let unsent = &deferred.client.buffers.unsent_bytes;
                unsent.fetch_sub(deferred.reply.len(), Relaxed);
            }
            group = self.send(late);
            group.has_leader = false;
            group.wake_leader();
        }
        let longest = match group.late.is_empty() {
            true => longest,
            false => LATE_PERIOD,
        };
        let is_idle = |group: &mut Group| group.has_leader || group.replies.is_empty();
        let waited = self.is_wanted.wait_timeout_while(group, longest, is_idle);
        let group = waited.unwrap_or_else(PoisonError::into_inner).0;
        let group = self.gather(group);
        let leads = !group.has_leader && !group.replies.is_empty() && !group.is_over;
        if leads {
            drop(self.lead(group));
        }
        leads
    }

    /// Waits until about as many replies are there as will come.
    fn gather<'a>(&'a self, mut group: MutexGuard<'a, Group>) -> MutexGuard<'a, Group> {
        if group.replies.is_empty() {
            return group;
        }
        let longest = (group.commit_time / GATHERING_PART).min(LONGEST_GATHERING);
        if longest < SHORTEST_GATHERING {
            return self.let_others_run(group);
        }
        group.awaited = group.crowd;
        let are_few = |group: &mut Group| group.replies.len() < group.awaited;
        let waited = self.is_wanted.wait_timeout_while(group, longest, are_few);
        let mut group = waited.unwrap_or_else(PoisonError::into_inner).0;
        group.awaited = 0;
        group
    }

    /// Offers the processor to the threads of clients that have something to do, as long as that brings more replies.
    fn let_others_run<'a>(&'a self, mut group: MutexGuard<'a, Group>) -> MutexGuard<'a, Group> {
        loop {
            let before = group.replies.len();
            if before >= group.crowd {
                return group;
            }
            drop(group);
            thread::yield_now();
            group = self.lock();
            if group.replies.len() == before {
                return group;
            }
        }
    }

    /// Writes and syncs for all that wait, and sends the replies that may leave.
    fn lead<'a>(&'a self, mut group: MutexGuard<'a, Group>) -> MutexGuard<'a, Group> {
        let Some(writer) = self.writer.get() else {
            return group;
        };
        group.has_leader = true;
        drop(group);
        let began = Instant::now();
        let committed = writer.commit();
        group = self.lock();
        group.commit_time = began.elapsed();
        group.is_over = committed.is_none();
        self.advance_group(&mut group, committed.unwrap_or_default());
        let mut sent = 0;
        loop {
            let ready = group.take_released(self.released.load(Acquire));
            if ready.is_empty() {
                break;
            }
            sent += ready.len();
            drop(group);
            group = self.send(ready);
        }
        group.crowd = sent + group.replies.len();
        group.has_leader = false;
        if !group.replies.is_empty() {
            self.is_wanted.notify_one();
        }
        group.wake_leader();
        group
    }

    /// Sends replies, in their order. For the leader.
    fn send(&self, replies: VecDeque<Deferred>) -> MutexGuard<'_, Group> {
        let mut late = VecDeque::new();
        for mut deferred in replies {
            let is_behind = |other: &Deferred| Arc::ptr_eq(&other.client, &deferred.client);
            if late.iter().any(is_behind) {
                late.push_back(deferred);
                continue;
            }
            let reply = std::mem::take(&mut deferred.reply);
            let writer = self.writer.get();
            match writer.and_then(|writer| writer.send(&deferred.client, reply)) {
                Some(rest) => late.push_back(Deferred {
                    reply: rest,
                    ..deferred
                }),
                None => {
                    let count = &deferred.client.buffers.deferred_replies;
                    count.fetch_sub(1, Release);
                }
            }
        }
        for deferred in &late {
            let unsent = &deferred.client.buffers.unsent_bytes;
            unsent.fetch_add(deferred.reply.len(), Relaxed);
        }
        let mut group = self.lock();
        group.late.append(&mut late);
        self.are_sent.notify_all();
        group
    }

    /// Notes that all blocks before this number are on the disk.
    pub fn advance(&self, durable: u64) {
        let written = durable;
        self.advance_group(&mut self.lock(), Committed { written, durable });
    }

    fn advance_group(&self, group: &mut Group, committed: Committed) {
        let Committed { written, durable } = committed;
        let released = self.released.fetch_max(written, Release).max(written);
        self.durable.fetch_max(durable, Release);
        let is_over = group.is_over;
        group.threads.retain(|(wanted, thread)| {
            let is_done = *wanted <= released || is_over;
            if is_done {
                thread.unpark();
            }
            !is_done
        });
        self.progress.look();
    }

    fn lock(&self) -> MutexGuard<'_, Group> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Group {
    /// Takes the replies out that may leave. Those of a client whose last reply is late are late too.
    fn take_released(&mut self, released: u64) -> VecDeque<Deferred> {
        let count = self
            .replies
            .partition_point(|reply| reply.number <= released);
        let ready = self.replies.drain(..count);
        if self.late.is_empty() {
            return ready.collect();
        }
        let is_late = |late: &VecDeque<Deferred>, client: &Arc<Client>| {
            late.iter().any(|other| Arc::ptr_eq(&other.client, client))
        };
        let mut others = VecDeque::new();
        for deferred in ready {
            match is_late(&self.late, &deferred.client) {
                true => {
                    let unsent = &deferred.client.buffers.unsent_bytes;
                    unsent.fetch_add(deferred.reply.len(), Relaxed);
                    self.late.push_back(deferred);
                }
                false => others.push_back(deferred),
            }
        }
        others
    }

    /// Wakes one of the threads that still wait, so that it becomes the leader.
    fn wake_leader(&self) {
        if let Some((_, thread)) = self.threads.first() {
            thread.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    /// A log whose every block is written by the next commit.
    #[derive(Debug, Default)]
    struct Log {
        end: AtomicU64,
        commits: AtomicUsize,
        fails: AtomicBool,
    }

    impl LogWriter for Log {
        fn commit(&self) -> Option<Committed> {
            self.commits.fetch_add(1, Relaxed);
            let written = self.end.load(Relaxed);
            // Time for others to come.
            thread::yield_now();
            let durable = written;
            (!self.fails.load(Relaxed)).then_some(Committed { written, durable })
        }

        fn write_and_sync(&self) -> io::Result<()> {
            Ok(())
        }

        fn send(&self, _: &Client, _: Vec<u8>) -> Option<Vec<u8>> {
            None
        }
    }

    fn durability() -> (Arc<Log>, Durability) {
        let log = Arc::new(Log::default());
        let durability = Durability::default();
        durability.set_writer(log.clone());
        (log, durability)
    }

    #[test]
    fn every_thread_gets_what_it_waits_for() {
        const THREADS: usize = 8;
        const TIMES: usize = 500;
        let (log, durability) = durability();
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..TIMES {
                        let number = log.end.fetch_add(1, Relaxed) + 1;
                        assert!(durability.wait_for(number));
                        assert!(durability.is_released(number));
                    }
                });
            }
        });
        assert_eq!(log.end.load(Relaxed), (THREADS * TIMES) as u64);
        assert!(log.commits.load(Relaxed) <= THREADS * TIMES);
        assert!(durability.lock().threads.is_empty());
    }

    #[test]
    fn one_that_waits_for_what_is_there_does_not_write() {
        let (log, durability) = durability();
        log.end.store(3, Relaxed);
        assert!(durability.wait_for(3) && durability.wait_for(2));
        assert_eq!(log.commits.load(Relaxed), 1);
    }

    #[test]
    fn when_the_disk_fails_no_reply_leaves() {
        let (log, durability) = durability();
        log.end.store(1, Relaxed);
        log.fails.store(true, Relaxed);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert!(!durability.wait_for(1)));
            }
        });
        assert_eq!(log.commits.load(Relaxed), 1);
    }
}
