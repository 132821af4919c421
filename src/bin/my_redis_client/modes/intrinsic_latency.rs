//! How long the system keeps a program that never waits from running: `--intrinsic-latency`. No server is asked.
//! A server on this machine has at least this latency.

use crate::interrupt;
use crate::options::Options;
use crate::output;
use std::hint::black_box;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Runs for as long as the options say, or until Ctrl-C, and tells each longer stop.
pub fn measure(options: &Options) {
    let run_time = Duration::from_secs(options.intrinsic_latency_s.max(0) as u64);
    let cancelled = interrupt::flag();
    let began = Instant::now();
    let (mut runs, mut longest) = (0_u64, Duration::ZERO);
    // At least once, as redis-cli does.
    loop {
        let start = Instant::now();
        work();
        let latency = start.elapsed();
        runs += 1;
        if latency.as_micros() > longest.as_micros() {
            longest = latency;
            let us = latency.as_micros();
            output::write_unguarded(format!("Max latency so far: {us} microseconds.\n").as_bytes());
        }
        if began.elapsed().as_micros() > run_time.as_micros() || cancelled.load(Ordering::Relaxed) {
            break;
        }
    }
    // redis-cli divides the time it was told to run, also when it was interrupted.
    let average_us = began.elapsed().as_secs_f64() * 1e6 / runs.max(1) as f64;
    let text = format!(
        "\n{runs} total runs (avg latency: {average_us:.4} microseconds / {:.2} nanoseconds per run).\n\
         Worst run took {:.0}x longer than the average latency.\n",
        average_us * 1e3,
        longest.as_micros() as f64 / average_us
    );
    output::write_unguarded(text.as_bytes());
}

/// Something that takes a fraction of a microsecond, always the same.
fn work() {
    let mut table = [0_u8; 256];
    for (index, entry) in table.iter_mut().enumerate() {
        *entry = black_box(index as u8);
    }
    let mut other = 0_u8;
    for index in 0..64_u8 {
        other = other.wrapping_add(table[usize::from(index)]);
        table.swap(usize::from(index), usize::from(other));
    }
    black_box(&table);
}
