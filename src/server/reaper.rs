//! Disconnects clients that have been idle for longer than the directive `timeout`, and keeps an eye on memory.

use crate::state::Server;
use crate::util::clock;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// How often it looks.
const PERIOD: Duration = Duration::from_secs(1);

/// Runs until the process ends.
pub fn run(server: &Server) {
    loop {
        std::thread::sleep(PERIOD);
        server.memory_peak.measure();
        let timeout_s = server.config.timeout.get();
        if timeout_s > 0 {
            disconnect_idle(server, clock::unix_ms() - 1000 * timeout_s);
        }
    }
}

fn disconnect_idle(server: &Server, last_request_before_ms: i64) {
    for client in server.clients.all() {
        if client.last_request_ms.load(Relaxed) < last_request_before_ms && !client.is_waiting() {
            server
                .log
                .verbose(format_args!("Closing idle client {}", client.address));
            client.disconnect();
        }
    }
}
