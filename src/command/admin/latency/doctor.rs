//! LATENCY DOCTOR: the words in which Redis reports what took long, and gives advice.
//!
//! Redis knows more advice, about forks, its append-only file, the frequency of its housekeeping and huge pages, which
//! make its forks slow. This server has none of these.

use crate::state::Server;
use crate::state::latency::{COMMAND, FAST_COMMAND, Series};
use std::fmt::Write;

const DISABLED: &str = "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis instance. You \
     may use \"CONFIG SET latency-monitor-threshold <milliseconds>.\" in order to enable it. If we weren't in a deep \
     space mission I'd suggest to take a look at https://redis.io/topics/latency-monitor.\n";

const NOTHING_OBSERVED: &str = "Dave, no latency spike was observed during the lifetime of this Redis instance, not in \
     the slightest bit. I honestly think you ought to sit down calmly, take a stress pill, and think things over.\n";

const OBSERVED: &str = "Dave, I have observed latency spikes in this Redis instance. You don't mind talking about it, \
     do you Dave?\n\n";

const INSPECT_SLOW_LOG: &str = "- Check your Slow Log to understand what are the commands you are running which are \
     too slow to execute. Please check https://redis.io/commands/slowlog for more information.\n";

const SCHEDULER: &str = "- The system is slow to execute Redis code paths not containing system calls. This usually \
     means the system does not provide Redis CPU time to run for long periods. You should try to:\n  \
     1) Lower the system load.\n  \
     2) Use a computer / VM just for Redis if you are running other software in the same system.\n  \
     3) Check if you have a \"noisy neighbour\" problem.\n  \
     4) Check with 'redis-cli --intrinsic-latency 100' what is the intrinsic latency in your system.\n  \
     5) Check if the problem is allocator-related by recompiling Redis with MALLOC=libc, if you are using Jemalloc. \
     However this may create fragmentation problems.\n";

const LARGE_OBJECTS: &str = "- Deleting, expiring or evicting (because of maxmemory policy) large objects is a \
     blocking operation. If you have very large objects that are often deleted, expired, or evicted, try to fragment \
     those objects into multiple smaller objects.\n";

/// The report.
pub(super) fn report(server: &Server, now_s: i64) -> String {
    let events = server.latency_events.all();
    let threshold_ms = server.config.latency_monitor_threshold.get();
    if events.is_empty() {
        return match threshold_ms {
            0 => DISABLED.to_string(),
            _ => NOTHING_OBSERVED.to_string(),
        };
    }
    let mut report = OBSERVED.to_string();
    for (number, (name, series)) in (1..).zip(&events) {
        report += &summary(number, name, series, now_s);
    }
    report += "\nI have a few advices for you:\n\n";
    let is_there = |event| events.iter().any(|(name, _)| *name == event);
    let slow_log_us = server.config.slowlog_log_slower_than.get();
    let wanted_us = threshold_ms.wrapping_mul(1000) as u64;
    if is_there(COMMAND) {
        report += &match slow_log_us {
            ..0 => format!(
                "- There are latency issues with potentially slow commands you are using. Try to enable the Slow Log \
                 Redis feature using the command 'CONFIG SET slowlog-log-slower-than {wanted_us}'. If the Slow log is \
                 disabled Redis is not able to log slow commands execution for you.\n"
            ),
            _ if slow_log_us / 1000 > threshold_ms => format!(
                "- Your current Slow Log configuration only logs events that are slower than your configured latency \
                 monitor threshold. Please use 'CONFIG SET slowlog-log-slower-than {wanted_us}'.\n"
            ),
            _ => String::new(),
        };
        report += INSPECT_SLOW_LOG;
    }
    if is_there(FAST_COMMAND) {
        report += SCHEDULER;
    }
    if is_there(COMMAND) {
        report += LARGE_OBJECTS;
    }
    report
}

/// One event, in one line.
fn summary(number: usize, name: &str, series: &Series, now_s: i64) -> String {
    let count = series.samples.len() as u64;
    let durations = || series.samples.iter().map(|sample| sample.duration_ms);
    let average = durations().sum::<u64>() / count;
    let deviation = durations().map(|it| it.abs_diff(average)).sum::<u64>() / count;
    let oldest_s = series.samples.front().map_or(now_s, |sample| sample.time_s);
    let period = (now_s - oldest_s).max(1) as f64 / count as f64;
    let mut line = String::new();
    let _ = writeln!(
        line,
        "{number}. {name}: {count} latency spikes (average {average}ms, mean deviation {deviation}ms, period \
         {period:.2} sec). Worst all time event {}ms.",
        series.longest_ms
    );
    line
}
