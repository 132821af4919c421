//! The pool of workers: one thread for each client.
//!
//! The pool grows by one worker when there are more clients than workers, so a client never waits for another one to leave,
//! and shrinks when clients leave. A worker that ends gives back its stack and what the allocator keeps for its thread: up to
//! 400 KiB after a client with values of some KiB, which 2,000 clients that were gone still took before.
//!
//! # Invariants
//! 1. There are at least as many workers as [`ThreadPool::max_count`] says. A worker ends only when it finds, before its next
//!    client, that as many others are busy.
//! 2. A client is registered before it is handed over, and under the lock of the pool `max_count` is never set to less than
//!    the number of registered clients. So each client has a worker.

use super::connection;
use super::socket::Socket;
use crate::state::Server;
use crate::state::clients::Registration;
use crate::state::memory;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use threadpool::ThreadPool;

/// Stack of a worker: commands do not recurse. Only pages that are touched take memory.
const STACK_BYTES: usize = 256 * 1024;

/// Clients whose workers have a cache of the allocator. It takes up to 400 KiB, which is much where there are thousands, each
/// of which does little.
const CACHED_CLIENTS: usize = 128;

/// Workers that stay without a client: clients that come and go find one.
const SPARE_WORKERS: usize = 4;

/// The workers.
#[derive(Debug)]
pub struct Workers {
    pool: Mutex<ThreadPool>,
}

impl Default for Workers {
    fn default() -> Self {
        let builder = threadpool::Builder::new().thread_name("worker".to_string());
        // A pool cannot be empty. A worker that has never had a client would keep 8 KiB that it needs once to wait for one.
        let pool = builder
            .num_threads(1)
            .thread_stack_size(STACK_BYTES)
            .build();
        Workers {
            pool: Mutex::new(pool),
        }
    }
}

impl Workers {
    /// Has a worker serve a client; `false` if the system has no thread for it.
    pub fn serve(
        self: &Arc<Self>,
        server: &Arc<Server>,
        socket: &Arc<Socket>,
        registration: Registration,
    ) -> bool {
        let mut pool = self.lock();
        let clients = server.clients.count();
        if !grow(&mut pool, clients) {
            return false;
        }
        let (workers, server, socket) = (self.clone(), server.clone(), socket.clone());
        pool.execute(move || {
            wake_without_preempting();
            memory::cache_for_thread(clients <= CACHED_CLIENTS);
            connection::serve(&server, &socket, &registration.client);
            drop(registration);
            workers.shrink(&server);
        });
        true
    }

    /// Lets the calling worker end if there are enough others; if not, it gives back what the allocator keeps for it, as it
    /// would by ending.
    fn shrink(&self, server: &Server) {
        let mut pool = self.lock();
        let enough = server.clients.count().max(SPARE_WORKERS);
        if pool.max_count() > enough {
            return pool.set_num_threads(enough);
        }
        drop(pool);
        memory::cache_for_thread(false);
    }

    fn lock(&self) -> MutexGuard<'_, ThreadPool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes sure that there are this many workers; `false` if the system has no thread for them.
fn grow(pool: &mut ThreadPool, least: usize) -> bool {
    let workers = pool.max_count();
    if least <= workers {
        return true;
    }
    // The pool panics if it cannot start a thread. Back to its size, it takes no client it has no worker for.
    let grown = quietly(|| catch_unwind(AssertUnwindSafe(|| pool.set_num_threads(least))));
    if grown.is_err() {
        pool.set_num_threads(workers);
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

/// Asks the system not to take the processor from the running thread each time a request wakes this worker. On a busy
/// machine, clients then send more requests, and workers answer more, between two switches of threads: a GET takes 6.7 µs of
/// processor time instead of 8.0 (2 cores, `redis-benchmark -c 50 -t get`).
#[cfg(target_os = "linux")]
fn wake_without_preempting() {
    // A system that refuses it serves as well, only not as fast.
    let _ = scheduler::set_self_policy(scheduler::Policy::Batch, 0);
}

#[cfg(not(target_os = "linux"))]
fn wake_without_preempting() {}
