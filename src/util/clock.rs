//! The wall clock in the units the protocol and the dump use, and a stopwatch for requests.

use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where the clock stands still, in microseconds of Unix time; 0 if it goes.
static STOPPED_AT_US: AtomicI64 = AtomicI64::new(0);

/// Lets the clock stand still at this Unix time in milliseconds, for good: a server that shows the data of an earlier
/// moment.
pub fn stop_at(unix_ms: i64) {
    STOPPED_AT_US.store(unix_ms * 1_000, Relaxed);
}

/// Milliseconds since 1970: deadlines of keys, `PEXPIREAT`, stream identifiers.
pub fn unix_ms() -> i64 {
    unix_us() / 1_000
}

/// Microseconds since 1970: `TIME`, MONITOR, the slow log.
pub fn unix_us() -> i64 {
    let stopped_at_us = STOPPED_AT_US.load(Relaxed);
    if stopped_at_us != 0 {
        return stopped_at_us;
    }
    // A clock set before 1970 counts as 1970, so that no caller needs to handle an error.
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_micros() as i64)
}

/// What the clock `CLOCK_MONOTONIC` shows, in nanoseconds: it only goes forward, and on Linux `Instant` reads it too.
/// The executor subtracts such numbers, since subtracting `Instant`s took 4 % of the time of INCR (`perf record` of
/// `cargo run --release --example locks -- hot`).
#[inline]
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Measures the requests of one batch, reading the clock once a request.
#[derive(Clone, Debug)]
pub struct Stopwatch {
    started_ns: u64,
    started_unix_ns: i64,
    /// What the last reading showed.
    shown_ns: u64,
}

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Stopwatch {
        Stopwatch::with(unix_us() * 1_000)
    }

    /// Starts now, as if the Unix time were this one, in milliseconds.
    pub fn start_at(unix_ms: i64) -> Stopwatch {
        Stopwatch::with(unix_ms * 1_000_000)
    }

    fn with(started_unix_ns: i64) -> Stopwatch {
        Stopwatch {
            started_ns: monotonic_ns(),
            started_unix_ns,
            shown_ns: 0,
        }
    }

    /// When it was started, by [`monotonic_ns`].
    pub fn started_ns(&self) -> u64 {
        self.started_ns
    }

    /// How long it has run.
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(monotonic_ns().saturating_sub(self.started_ns))
    }

    /// Unix time of the last reading, in milliseconds.
    pub fn now_ms(&self) -> i64 {
        (self.started_unix_ns + self.shown_ns as i64) / 1_000_000
    }

    /// What the last reading showed: the time since it was started.
    #[inline]
    pub fn shows(&self) -> Duration {
        Duration::from_nanos(self.shown_ns)
    }

    /// Reads the clock: nanoseconds since the last reading.
    pub fn lap_ns(&mut self) -> u64 {
        let shown_ns = monotonic_ns().saturating_sub(self.started_ns);
        shown_ns.saturating_sub(std::mem::replace(&mut self.shown_ns, shown_ns))
    }
}

/// A Unix time in milliseconds in the format of the log, in UTC: `21 Nov 2026 10:48:32.123`.
pub fn log_time(unix_ms: i64) -> String {
    let (seconds, ms) = (unix_ms.div_euclid(1000), unix_ms.rem_euclid(1000));
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days are counted from 1 March of the year 0, so that leap days come last
    // (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days).
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = [
        "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb",
    ][month_from_march as usize];
    let year = era * 400 + year_of_era + i64::from(month_from_march >= 10);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{day:02} {month} {year} {hour:02}:{minute:02}:{second:02}.{ms:03}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected texts are those of `date -u -d @...`.
    #[test]
    fn log_times() {
        assert_eq!(log_time(0), "01 Jan 1970 00:00:00.000");
        assert_eq!(log_time(951_782_399_999), "28 Feb 2000 23:59:59.999");
        assert_eq!(log_time(951_825_600_007), "29 Feb 2000 12:00:00.007");
        assert_eq!(log_time(1_795_258_112_123), "21 Nov 2026 10:48:32.123");
    }

    #[test]
    fn both_units_tell_the_same_time() {
        let (before, ms, after) = (unix_us(), unix_ms(), unix_us());
        assert!(before / 1_000 <= ms && ms <= after / 1_000);
        assert!(
            ms > 1_700_000_000_000,
            "this test was written after November 2023"
        );
    }
}
