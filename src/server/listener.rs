//! Accepts connections and hands each to a worker of the pool.

use super::connection;
use super::socket::Socket;
use crate::state::Server;
use crate::state::clients::Connection;
use crate::util::clock;
use socket2::{SockRef, TcpKeepalive};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use threadpool::ThreadPool;

/// Stack of a worker: commands do not recurse. Only pages that are touched take memory.
const STACK_BYTES: usize = 256 * 1024;

/// The workers, one for each client that is connected, or was so at the same time as others: the pool gets one more when
/// there are more clients than workers, so a client never waits for another one to leave. A worker started beforehand would
/// keep 8 KiB, a third more, that it needs once to sleep until its first client comes; only one is, because a pool cannot be
/// empty.
#[derive(Debug)]
pub struct Workers {
    pool: Mutex<ThreadPool>,
}

impl Default for Workers {
    fn default() -> Self {
        let builder = threadpool::Builder::new().thread_name("worker".to_string());
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
    /// Runs a client's connection; `clients` of them are connected now. `false` if the system has no thread for it.
    fn run(&self, clients: usize, connection: impl FnOnce() + Send + 'static) -> bool {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let workers = pool.max_count();
        if clients > workers {
            // The pool panics if it cannot start a thread. Back to its size, it takes no client it has no worker for.
            if catch_unwind(AssertUnwindSafe(|| pool.set_num_threads(clients))).is_err() {
                pool.set_num_threads(workers);
                return false;
            }
        }
        pool.execute(connection);
        true
    }
}

/// Accepts connections until the process ends.
pub fn listen(server: &Arc<Server>, listener: &TcpListener, workers: &Workers) {
    loop {
        match listener.accept() {
            // Whoever comes now would lose what it sends; if the server goes on after all, it may come again.
            Ok(_) if server.shutdown.is_under_way() => {}
            Ok((stream, address)) => accept(server, stream, address, workers),
            Err(error) => {
                // Mostly too many open files; waiting is better than spinning.
                server
                    .log
                    .warning(format_args!("Accepting client connection: {error}"));
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

fn accept(server: &Arc<Server>, stream: TcpStream, address: SocketAddr, workers: &Workers) {
    if let Err(error) = prepare(server, &stream) {
        server.log.verbose(format_args!(
            "Preparing the connection from {address}: {error}"
        ));
        return;
    }
    let local_address = stream.local_addr();
    let socket = Arc::new(Socket::from(stream));
    let description = Connection {
        address: address.to_string(),
        local_address: local_address
            .map(|address| address.to_string())
            .unwrap_or_default(),
        file_descriptor: socket.file_descriptor(),
        is_local: address.ip().to_canonical().is_loopback(),
        link: socket.clone(),
    };
    let most = server.config.maxclients.get() as usize;
    let refuse = |socket: &Socket| {
        let _ = { socket }.write_all(b"-ERR max number of clients reached\r\n");
    };
    let registration = server.clients.register(description, most, clock::unix_ms());
    let Some(registration) = registration else {
        return refuse(&socket);
    };
    let clients = server.clients.count();
    let (for_worker, for_connection) = (server.clone(), socket.clone());
    let serve = move || {
        wake_without_preempting();
        connection::serve(&for_worker, &for_connection, &registration.client);
    };
    if !workers.run(clients, serve) {
        server.log.warning(format_args!(
            "The system has no thread for client {clients}"
        ));
        refuse(&socket);
    }
}

/// Asks the system not to take the processor from whoever runs each time a request wakes this worker. On a busy machine,
/// clients then send more requests, and workers answer more, between two switches of threads: a GET takes 6.7 µs of
/// processor time instead of 8.0 (2 cores, `redis-benchmark -c 50 -t get`).
#[cfg(target_os = "linux")]
fn wake_without_preempting() {
    // A system that refuses it serves as well, only not as fast.
    let _ = scheduler::set_self_policy(scheduler::Policy::Batch, 0);
}

#[cfg(not(target_os = "linux"))]
fn wake_without_preempting() {}

fn prepare(server: &Server, stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let seconds = server.config.tcp_keepalive.get();
    if seconds > 0 {
        // As Redis does it: the first probe after the configured time, then three more, a third of it apart.
        let interval = Duration::from_secs((seconds as u64 / 3).max(1));
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(seconds as u64))
            .with_interval(interval);
        SockRef::from(stream).set_tcp_keepalive(&keepalive.with_retries(3))?;
    }
    Ok(())
}
