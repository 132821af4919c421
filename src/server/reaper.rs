//! The reaper: a thread that once a second disconnects clients that have been idle for longer than the directive
//! `timeout` or leave too much unread, and samples the use of memory and the rates of INFO. While there is a limit of
//! memory (`maxmemory`), it looks ten times a second how much is in use, and makes room if it must; as often it looks
//! whether clients take too much (`maxmemory-clients`).

use super::replication;
use crate::command::execute::Engine;
use crate::keyspace::evict::Pool;
use crate::state::Server;
use crate::util::clock;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// The time between two rounds.
const PERIOD: Duration = Duration::from_secs(1);

/// The time between two looks at the memory that is in use, while it is limited.
const MEMORY_PERIOD: Duration = Duration::from_millis(100);

/// Runs until the process ends.
pub fn run(server: &Engine) {
    let mut pool = Pool::default();
    loop {
        keep_limits(server, &mut pool);
        server.memory_peak.measure();
        server.sample_rates();
        server.listen_for_tracking();
        disconnect_slow(server);
        replication::keeper::keep(server);
        let timeout_s = server.config.timeout.get();
        if timeout_s > 0 {
            disconnect_idle(server, clock::unix_ms() - 1000 * timeout_s);
        }
    }
}

/// Keeps the limits of memory, and otherwise sleeps, for a period.
fn keep_limits(engine: &Engine, pool: &mut Pool) {
    let began = Instant::now();
    while let Some(left) = PERIOD.checked_sub(began.elapsed()) {
        let is_memory_limited = engine.memory_limit.bytes() != 0;
        if !is_memory_limited && !engine.clients.memory.is_limited() {
            return std::thread::sleep(left);
        }
        std::thread::sleep(left.min(MEMORY_PERIOD));
        engine.evict_clients();
        if !is_memory_limited {
            continue;
        }
        let now_ms = clock::unix_ms();
        let allocated = || engine.memory_peak.allocated();
        engine.memory_limit.correct(allocated, now_ms);
        if engine.memory_limit.is_exceeded() {
            engine.make_room_until(pool, began + PERIOD);
        }
    }
}

/// Disconnects clients that have been above a soft limit of `client-output-buffer-limit` for too long. That happens by
/// time alone, so it cannot be left to the threads that send.
fn disconnect_slow(server: &Server) {
    let now_ms = clock::unix_ms();
    for client in server.clients.all() {
        if client.modes.is_replica.load(Relaxed) {
            continue;
        }
        let limit = server.pushes.limit(&client);
        let unsent = client.buffers.unsent_bytes.load(Relaxed);
        if client.outbox.claim_disconnection(limit, unsent, now_ms) {
            server.report_over_limit(&client);
            client.disconnect();
        }
    }
}

fn disconnect_idle(server: &Server, last_request_before_ms: i64) {
    for client in server.clients.all() {
        let has_reason = client.is_waiting()
            || client.is_subscriber()
            || client.modes.is_monitor.load(Relaxed)
            || client.modes.is_replica.load(Relaxed);
        if client.last_request_ms.load(Relaxed) < last_request_before_ms && !has_reason {
            server
                .log
                .verbose(format_args!("Closing idle client {}", client.address));
            client.disconnect();
        }
    }
}
