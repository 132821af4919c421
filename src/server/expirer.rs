//! The expirer: a thread that removes keys when they are due, whether or not a command names them, and delivers the
//! events of that to subscribers.

use crate::command::execute::Engine;
use crate::util::clock;
use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::Ordering::Relaxed;

/// Runs until the process ends.
pub fn run(engine: &Engine) {
    loop {
        let deliver = || engine.deliver_pushes();
        engine.locks.expire_and_sleep(clock::unix_us, deliver);
        let own = clock_gettime(ClockId::ThreadCPUTime);
        let ms = own.tv_sec * 1000 + own.tv_nsec / 1_000_000;
        engine.statistics.expirer_cpu_ms.store(ms as u64, Relaxed);
    }
}
