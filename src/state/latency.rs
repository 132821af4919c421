//! Commands that took long: <https://redis.io/docs/management/optimization/latency-monitor/>.
//!
//! A client's thread compares the duration of a command with `latency-monitor-threshold`, and adds an event only if it
//! was longer. The mutex is a leaf.
//!
//! Redis also records its forks and expiry, which make all clients wait. This server has no forks, and expiry locks one
//! shard for microseconds. So the events are commands, eviction, which makes the client wait whose thread makes room,
//! and writes and fsyncs of the append-only file.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Samples of an event that are kept.
const MOST_SAMPLES: usize = 160;

/// The event that a command with the flag `fast` took long.
pub const FAST_COMMAND: &str = "fast-command";

/// The event that another command took long.
pub const COMMAND: &str = "command";

/// The longest duration of an event within one second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Unix time, in seconds.
    pub time_s: i64,
    /// The duration, in milliseconds.
    pub duration_ms: u64,
}

/// The samples of an event; there is at least one.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// The oldest first.
    pub samples: VecDeque<Sample>,
    /// The longest duration since the event was reset, in milliseconds.
    pub longest_ms: u64,
}

/// All events by their names.
#[derive(Debug, Default)]
pub struct LatencyEvents(Mutex<BTreeMap<&'static str, Series>>);

impl LatencyEvents {
    /// Adds a sample of an event.
    pub fn add(&self, event: &'static str, sample: Sample) {
        self.lock().entry(event).or_default().add(sample);
    }

    /// The samples of an event, if there are any.
    pub fn series(&self, event: &[u8]) -> Option<Series> {
        let event = std::str::from_utf8(event).ok()?;
        self.lock().get(event).cloned()
    }

    /// All events with their samples.
    pub fn all(&self) -> Vec<(&'static str, Series)> {
        let events = self.lock();
        let copies = events.iter().map(|(name, series)| (*name, series.clone()));
        copies.collect()
    }

    /// Removes the events whose name `is_wanted` accepts; returns their number.
    pub fn reset(&self, is_wanted: impl Fn(&str) -> bool) -> usize {
        let mut events = self.lock();
        let before = events.len();
        events.retain(|name, _| !is_wanted(name));
        before - events.len()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Series>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Series {
    fn add(&mut self, new: Sample) {
        self.longest_ms = self.longest_ms.max(new.duration_ms);
        match self.samples.back_mut() {
            Some(last) if last.time_s == new.time_s => {
                last.duration_ms = last.duration_ms.max(new.duration_ms);
            }
            _ => {
                if self.samples.len() == MOST_SAMPLES {
                    self.samples.pop_front();
                }
                self.samples.push_back(new);
            }
        }
    }

    /// Shortest and longest duration of the samples that are kept, in milliseconds.
    pub fn range_ms(&self) -> (u64, u64) {
        let durations = || self.samples.iter().map(|sample| sample.duration_ms);
        (
            durations().min().unwrap_or(0),
            durations().max().unwrap_or(0),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(time_s: i64, duration_ms: u64) -> Sample {
        Sample {
            time_s,
            duration_ms,
        }
    }

    #[test]
    fn a_second_has_one_sample_and_the_oldest_go() {
        let events = LatencyEvents::default();
        for (time_s, duration_ms) in [(1, 5), (1, 3), (1, 7), (2, 4)] {
            events.add(COMMAND, sample(time_s, duration_ms));
        }
        let series = events.series(b"command").unwrap();
        assert_eq!(series.samples, [sample(1, 7), sample(2, 4)]);
        assert_eq!((series.longest_ms, series.range_ms()), (7, (4, 7)));
        (3..=161).for_each(|time_s| events.add(COMMAND, sample(time_s, 1)));
        let series = events.series(b"command").unwrap();
        assert_eq!(series.samples.len(), 160);
        assert_eq!(series.samples[0], sample(2, 4));
        assert_eq!((series.longest_ms, series.range_ms()), (7, (1, 4)));
    }

    #[test]
    fn events_are_reset_by_name() {
        let events = LatencyEvents::default();
        events.add(COMMAND, sample(1, 1));
        events.add(FAST_COMMAND, sample(1, 1));
        assert_eq!(events.reset(|name| name == "nothing"), 0);
        assert_eq!(events.reset(|name| name == COMMAND), 1);
        assert!(events.series(b"command").is_none());
        assert_eq!(events.reset(|_| true), 1);
        assert!(events.all().is_empty());
    }
}
