//! The workers: one thread of the pool for each client.
//!
//! There is one worker more when a client comes and no worker is idle, so a client never waits for another one to
//! leave. A worker whose client leaves ends, unless few are idle: it gives back its stack, and what the allocator keeps
//! for its thread. When threads stayed, they still held 862 MB after 2,000 clients with values of some KiB.
//!
//! # Invariants, under the lock
//! 1. A client that waits for a worker is matched by an idle worker, or by one that has been begun for it.
//! 2. All workers are jobs of the pool, and `ThreadPool::max_count` is their number (but at least 1). A thread of the
//!    pool ends when its job has ended and as many others run as `max_count` says. So the thread of a worker that ends
//!    does too.

use super::connection;
use super::socket::Socket;
use crate::command::execute::Engine;
use crate::state::clients::Registration;
use crate::state::memory;
use crate::util::scheduling::Scheduling;
use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use threadpool::ThreadPool;

/// Stack of a worker: commands do not recurse. Only pages that are touched take memory.
const STACK_BYTES: usize = 256 * 1024;

/// Workers that may be idle: clients that come and go find one.
const MOST_IDLE: usize = 4;

/// Clients whose workers have a cache of the allocator. It takes up to 400 KiB, which is much where there are
/// thousands, each of which does little.
const CACHED_CLIENTS: usize = 128;

/// The workers.
#[derive(Debug)]
pub struct Workers {
    state: Mutex<State>,
    /// A client has come for an idle worker.
    arrived: Condvar,
}

#[derive(Debug)]
struct State {
    pool: ThreadPool,
    workers: usize,
    idle: usize,
    /// Clients that no worker has taken yet.
    waiting: VecDeque<Visit>,
}

/// A client to be served.
#[derive(Debug)]
struct Visit {
    server: Arc<Engine>,
    socket: Arc<Socket>,
    registration: Registration,
}

impl Default for Workers {
    fn default() -> Self {
        let builder = threadpool::Builder::new().thread_name("worker".to_string());
        // The pool needs one thread at least.
        let pool = builder
            .num_threads(1)
            .thread_stack_size(STACK_BYTES)
            .build();
        let state = State {
            pool,
            workers: 0,
            idle: 0,
            waiting: VecDeque::new(),
        };
        Workers {
            state: Mutex::new(state),
            arrived: Condvar::new(),
        }
    }
}

impl Workers {
    /// Has a worker serve a client; `false` if the system has no thread for it.
    pub fn serve(
        self: &Arc<Self>,
        server: &Arc<Engine>,
        socket: &Arc<Socket>,
        registration: Registration,
    ) -> bool {
        let mut state = self.lock();
        if state.idle <= state.waiting.len() {
            let workers = state.workers + 1;
            if !grow(&mut state.pool, workers) {
                return false;
            }
            state.workers = workers;
            let own = self.clone();
            state.pool.execute(move || own.work());
        }
        state.waiting.push_back(Visit {
            server: server.clone(),
            socket: socket.clone(),
            registration,
        });
        drop(state);
        self.arrived.notify_one();
        true
    }

    /// Serves clients, until one leaves and enough others are idle. The life of a worker.
    fn work(&self) {
        loop {
            let mut state = self.lock();
            let Some(visit) = state.waiting.pop_front() else {
                if state.idle >= MOST_IDLE {
                    state.workers -= 1;
                    let threads = state.workers.max(1);
                    return state.pool.set_num_threads(threads);
                }
                self.wait_idle(state);
                continue;
            };
            drop(state);
            // A panic ends the connection of its client, and no other.
            let _ = catch_unwind(AssertUnwindSafe(|| visit.run()));
        }
    }

    fn wait_idle(&self, mut state: MutexGuard<'_, State>) {
        memory::cache_for_thread(false);
        state.idle += 1;
        let waited = self
            .arrived
            .wait_while(state, |state| state.waiting.is_empty());
        waited.unwrap_or_else(PoisonError::into_inner).idle -= 1;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Visit {
    fn run(self) {
        // Else the system takes the processor from the running thread each time a request wakes this worker. On a busy
        // machine, clients then send more requests, and workers answer more, between two switches of threads: a GET
        // takes 6.7 µs of processor time instead of 8.0 (2 cores, `redis-benchmark -c 50 -t get`). A system that
        // refuses it serves as well, only not as fast.
        Scheduling::Batch.wish();
        memory::cache_for_thread(self.server.clients.count() <= CACHED_CLIENTS);
        connection::serve(&self.server, &self.socket, &self.registration.client);
    }
}

/// Makes sure that the pool has this many threads; `false` if the system has none to give.
fn grow(pool: &mut ThreadPool, least: usize) -> bool {
    let threads = pool.max_count();
    if least <= threads {
        return true;
    }
    // The pool panics if it cannot start a thread. Back to its size, it takes no worker it has no thread for.
    let grown = quietly(|| catch_unwind(AssertUnwindSafe(|| pool.set_num_threads(least))));
    if grown.is_err() {
        pool.set_num_threads(threads);
    }
    grown.is_ok()
}

/// Does something whose panic is expected, without the lines that a panic leaves on the standard error.
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
