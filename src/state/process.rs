//! What the operating system says about the process and the machine: resident memory, processor time. Linux' `/proc` is
//! read; on other systems its figures are 0 or missing.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use std::fs;

/// Resident memory of the process in bytes: the second figure of /proc/self/statm, in pages of 4 KiB.
pub fn resident_bytes() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    Some(statm.split(' ').nth(1)?.parse::<u64>().ok()? * 4096)
}

/// Memory of the machine, in bytes.
pub fn machine_bytes() -> u64 {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Processor time in seconds, each as (system, user).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessorSeconds {
    /// Of the process.
    pub own: (f64, f64),
    /// Of child processes that have ended.
    pub children: (f64, f64),
    /// Of its first thread.
    pub main: (f64, f64),
}

/// The processor time that was used so far.
pub fn processor_seconds() -> ProcessorSeconds {
    let id = std::process::id();
    ProcessorSeconds {
        own: usage(UsageWho::RUSAGE_SELF),
        children: usage(UsageWho::RUSAGE_CHILDREN),
        main: times_of_thread(&format!("/proc/self/task/{id}/stat")),
    }
}

fn usage(who: UsageWho) -> (f64, f64) {
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    getrusage(who).map_or((0.0, 0.0), |usage| {
        (seconds(usage.system_time()), seconds(usage.user_time()))
    })
}

/// The times in a file `/proc/PID/task/TID/stat`. There is no system call for the times of another thread.
fn times_of_thread(path: &str) -> (f64, f64) {
    let stat = fs::read_to_string(path).unwrap_or_default();
    // The times are the 12th and 13th field after the program's name, which stands in parentheses; in hundredths of a
    // second.
    let behind = stat.rsplit(')').next().unwrap_or_default();
    let fields = behind.split_whitespace().skip(11);
    let mut seconds = fields.map(|field| field.parse::<f64>().unwrap_or(0.0) / 100.0);
    let user = seconds.next().unwrap_or(0.0);
    (seconds.next().unwrap_or(0.0), user)
}
