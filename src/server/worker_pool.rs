//! The thread pool of the [workers](super::workers): it has one thread for each worker, and no other.
//!
//! `threadpool` has a fixed number of threads, which [`ThreadPool::set_num_threads`] changes. A thread of the pool
//! looks at that number only between two jobs:
//!
//! ```text
//!   spawned ──► are as many jobs running as `max_count` says? ──yes──► the thread ends
//!                    ▲                    │ no
//!                    │                    ▼
//!                    └── job has ended ◄── waits for a job, however long
//! ```
//!
//! A worker that ends lowers `max_count`, and its thread should end at the next look. If a new worker is begun before
//! that look, `max_count` is raised again and a thread is spawned for it; the old thread then finds that it may stay.
//! One of the two threads gets the new worker, the other one would wait for a job without end, and nothing counts it.
//!
//! The *probe* prevents that. It is a job that puts itself into the queue again and does nothing else. A thread that
//! waits without need takes the probe, and then looks at `max_count` once more.
//!
//! # Invariants
//! 1. `max_count` is the number of workers (at least 1). Only [`WorkerPool`] changes it, through `&mut self`.
//! 2. Once there is a worker, the probe is in the queue or is being run.
//! 3. So a thread waits in the pool only until it has taken the probe: it ends if every worker has a thread. If a
//!    worker has none yet, the thread takes that worker, whose job lies before the probe that was just put back.
//! 4. No worker stays without a thread. A thread that looks while other jobs are just ending counts them as running,
//!    and may end too early. But then the threads of those jobs look later, and the last of them stays.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use threadpool::ThreadPool;

/// Stack of a worker. Commands do not recurse, but the interpreter of scripts does, in C: calls through functions in C
/// up to 200 deep, and a pattern once for each quantifier (`sandbox.lua` allows 2,000). Only pages that are touched
/// take memory.
const STACK_BYTES: usize = 4 << 20;

/// The threads of the workers.
#[derive(Debug)]
pub struct WorkerPool {
    pool: ThreadPool,
    workers: usize,
}

impl WorkerPool {
    /// A pool without workers whose threads have this name. It has one thread, since `threadpool` requires one.
    pub fn new(thread_name: &str) -> WorkerPool {
        let pool = threadpool::Builder::new()
            .thread_name(thread_name.to_string())
            .num_threads(1)
            .thread_stack_size(STACK_BYTES)
            .build();
        WorkerPool { pool, workers: 0 }
    }

    /// Begins a worker; `false` if the system has no thread for it.
    pub fn begin_worker(&mut self, work: impl FnOnce() + Send + 'static) -> bool {
        if !grow(&mut self.pool, self.workers + 1) {
            return false;
        }
        self.workers += 1;
        self.pool.execute(work);
        if self.workers == 1 {
            // Behind the first job, so that the first thread does not run the probe over and over.
            probe(self.pool.clone());
        }
        true
    }

    /// Lets the thread of a worker end. The worker calls this last, from its own thread; it must not be the only
    /// worker.
    pub fn end_worker(&mut self) {
        debug_assert!(self.workers > 1, "the probe would run over and over");
        self.workers -= 1;
        self.pool.set_num_threads(self.workers.max(1));
    }
}

/// Puts the probe into the queue.
fn probe(pool: ThreadPool) {
    let queue = pool.clone();
    queue.execute(move || probe(pool));
}

/// Makes sure that the pool has this many threads; `false` if the system has none to give.
fn grow(pool: &mut ThreadPool, least: usize) -> bool {
    let threads = pool.max_count();
    if least <= threads {
        return true;
    }
    // `set_num_threads` panics if it cannot start a thread, but has raised `max_count` before.
    let grown = quietly(|| catch_unwind(AssertUnwindSafe(|| pool.set_num_threads(least))));
    if grown.is_err() {
        pool.set_num_threads(threads);
    }
    grown.is_ok()
}

/// Runs `action`, whose panic is expected, without the lines that a panic prints to the standard error.
fn quietly<T>(action: impl FnOnce() -> T) -> T {
    thread_local! {
        static IS_QUIET: Cell<bool> = const { Cell::new(false) };
    }
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !IS_QUIET.get() {
                usual(panic);
            }
        }));
    });
    IS_QUIET.set(true);
    let result = action();
    IS_QUIET.set(false);
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::sync::mpsc::{Sender, channel};
    use std::sync::{Arc, Mutex};
    use std::thread;
    use std::time::{Duration, Instant};

    /// A worker that runs until its sender is dropped.
    fn begin(pool: &Arc<Mutex<WorkerPool>>) -> Sender<()> {
        let (sender, receiver) = channel();
        let own = pool.clone();
        let has_begun = pool.lock().unwrap().begin_worker(move || {
            let _ = receiver.recv();
            own.lock().unwrap().end_worker();
        });
        assert!(has_begun);
        sender
    }

    fn threads(name: &str) -> usize {
        let tasks = fs::read_dir("/proc/self/task").unwrap();
        let names =
            tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok());
        names.filter(|own| own.trim() == name).count()
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn every_thread_has_a_worker_however_workers_come_and_go() {
        const NAME: &str = "pool-of-a-test";
        let pool = Arc::new(Mutex::new(WorkerPool::new(NAME)));
        let mut workers: Vec<_> = (0..4).map(|_| begin(&pool)).collect();
        for round in 0..500 {
            // The worker ends at some moment while the next one is begun.
            drop(workers.swap_remove(round % 4));
            workers.push(begin(&pool));
        }
        let deadline = Instant::now() + Duration::from_secs(60);
        while pool.lock().unwrap().workers != 4 || threads(NAME) != 4 {
            assert!(Instant::now() < deadline, "{} threads", threads(NAME));
            thread::yield_now();
        }
    }
}
