//! The workers: one thread of the [pool](super::worker_pool) for each client.
//!
//! The listener begins a worker when a client comes and no worker is idle, so a client never waits for another one to
//! leave. A worker whose client has left ends if `MOST_IDLE` workers are idle: it gives back its stack, and what the
//! allocator keeps for its thread. When threads stayed, they still held 862 MB after 2,000 clients with values of some
//! KiB.
//!
//! ```text
//!              begun with a client                       client has left, MOST_IDLE are idle
//!   (no thread) ────────────────► serving ─────────────────────────────────────► (thread ends)
//!                                 │     ▲
//!      client has left, few idle  ▼     │  a client has come
//!                                  idle
//! ```
//!
//! # Thread safety
//! Listeners call [`Workers::serve`]; the rest runs in the workers' threads. The mutex is a leaf, except that a thread
//! of the pool is spawned and a job is queued under it.
//!
//! # Invariants, under the mutex
//! 1. A client that waits for a worker is matched by an idle worker, or by one that has been begun for it.
//! 2. The pool has one thread for each worker: see there.

use super::connection;
use super::socket::Socket;
use super::worker_pool::WorkerPool;
use crate::command::execute::Engine;
use crate::state::clients::Registration;
use crate::state::memory;
use crate::util::scheduling::Scheduling;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Workers that may be idle, so that a client that comes soon after another one has left needs no new thread.
const MOST_IDLE: usize = 4;

/// While there are at most this many clients, the allocator keeps a cache for each worker. A cache takes up to 400 KiB,
/// too much for each of thousands of clients that do little.
const CACHED_CLIENTS: usize = 128;

/// All workers, and the clients that wait for one.
#[derive(Debug)]
pub struct Workers {
    state: Mutex<State>,
    /// A client has come for an idle worker.
    arrived: Condvar,
}

#[derive(Debug)]
struct State {
    pool: WorkerPool,
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
        let state = State {
            pool: WorkerPool::new("worker"),
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
            let own = self.clone();
            if !state.pool.begin_worker(move || own.work()) {
                return false;
            }
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

    /// The job of a worker: serves clients, until one has left and enough other workers are idle.
    fn work(&self) {
        loop {
            let mut state = self.lock();
            let Some(visit) = state.waiting.pop_front() else {
                if state.idle >= MOST_IDLE {
                    return state.pool.end_worker();
                }
                self.wait_idle(state);
                continue;
            };
            drop(state);
            // A panic ends this client's connection only. The worker goes on.
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
