//! The reaper: a thread that once a second disconnects clients that have been idle for longer than the directive
//! `timeout` or leave too much unread, and samples the use of memory and the rates of INFO.

use crate::state::Server;
use crate::util::clock;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// The time between two rounds.
const PERIOD: Duration = Duration::from_secs(1);

/// Runs until the process ends.
pub fn run(server: &Server) {
    loop {
        std::thread::sleep(PERIOD);
        server.memory_peak.measure();
        server.sample_rates();
        disconnect_slow(server);
        let timeout_s = server.config.timeout.get();
        if timeout_s > 0 {
            disconnect_idle(server, clock::unix_ms() - 1000 * timeout_s);
        }
    }
}

/// Disconnects clients that have been above a soft limit of `client-output-buffer-limit` for too long. That happens by
/// time alone, so it cannot be left to the threads that send.
fn disconnect_slow(server: &Server) {
    let now_ms = clock::unix_ms();
    for client in server.clients.all() {
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
