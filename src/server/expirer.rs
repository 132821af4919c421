//! Removes keys when they are due, whether or not a command asks for them, and sends what subscribers are told of it.

use crate::state::Server;
use crate::util::clock;
use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::Ordering::Relaxed;

/// Runs until the process ends.
pub fn run(server: &Server) {
    loop {
        let deliver = || server.deliver_pushes();
        server.keyspace.expire_and_sleep(clock::unix_us, deliver);
        let own = clock_gettime(ClockId::ThreadCPUTime);
        let ms = own.tv_sec * 1000 + own.tv_nsec / 1_000_000;
        server.statistics.expirer_cpu_ms.store(ms as u64, Relaxed);
    }
}
