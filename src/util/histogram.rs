//! A histogram of durations, exact to two decimal digits.
//!
//! Its counters are those of Redis (HdrHistogram with 2 significant digits, from 1 ns to 1 s,
//! <http://hdrhistogram.org>), so derived figures are equal. Each value below 256 has a counter of its own. Above, each
//! power of two is divided into
//! 128 ranges:
//!
//! ```text
//! value   0 .. 255    256 .. 511   512 .. 1023   1024 .. 2047  ..  2^29 .. 2^30-1
//! shift      0            1            2             3         ..       22
//! range      1            2            4             8         ..     4194304 ns
//! counter  value      shift * 128 + (value >> shift)
//! ```
//!
//! Any thread records and reads at any time. Counters are allocated in groups of 128, each when its first counter is
//! used: most commands need a few kilobytes.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The longest duration. Longer ones are counted as this one.
const LONGEST_NS: u64 = 1_000_000_000;

/// The significant bits of a value.
const EXACT_BITS: u32 = 8;

/// Counters that are allocated together.
const GROUP: usize = 1 << (EXACT_BITS - 1);

/// The number of groups, enough for the longest duration.
const GROUPS: usize = 24;

/// The first power of two for which [`Distribution::cumulative`] returns a number.
const FIRST_LEVEL: u32 = 10;

/// The power of two above all values.
const LAST_LEVEL: u32 = 30;

/// Counters of durations.
#[derive(Debug, Default)]
pub struct Histogram([OnceLock<Box<Group>>; GROUPS]);

type Group = [AtomicU64; GROUP];

/// The sum of several histograms.
#[derive(Debug)]
pub struct Distribution {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    /// Counts a duration in nanoseconds.
    #[inline]
    pub fn record(&self, duration_ns: u64) {
        let counter = counter_of(duration_ns.clamp(1, LONGEST_NS));
        let group =
            self.0[counter / GROUP].get_or_init(|| Box::new([const { AtomicU64::new(0) }; GROUP]));
        group[counter % GROUP].fetch_add(1, Relaxed);
    }

    /// Sets all counters to zero.
    pub fn reset(&self) {
        let groups = self.0.iter().filter_map(OnceLock::get);
        groups
            .flat_map(|group| group.iter())
            .for_each(|counter| counter.store(0, Relaxed));
    }
}

impl Distribution {
    /// The sum of these histograms.
    pub fn of<'a>(histograms: impl Iterator<Item = &'a Histogram>) -> Distribution {
        let mut counts = vec![0; GROUPS * GROUP];
        for histogram in histograms {
            for (group, sums) in histogram.0.iter().zip(counts.chunks_exact_mut(GROUP)) {
                let counters = group.get().into_iter().flat_map(|group| group.iter());
                let pairs = sums.iter_mut().zip(counters);
                pairs.for_each(|(sum, counter)| *sum += counter.load(Relaxed));
            }
        }
        let total = counts.iter().sum();
        Distribution { counts, total }
    }

    /// The number of durations.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The duration, in nanoseconds, that this percentage of all durations does not exceed. As in HdrHistogram, it is
    /// the upper end of its counter's range; for 0 percent, the lower end.
    pub fn percentile_ns(&self, percent: f64) -> u64 {
        let wanted = (percent.min(100.0) / 100.0 * self.total as f64 + 0.5) as u64;
        let mut sum = 0;
        let reaches = |count: &u64| {
            sum += count;
            sum >= wanted.max(1)
        };
        let counter = self.counts.iter().position(reaches).unwrap_or(0);
        match percent == 0.0 {
            true => shortest_ns(counter),
            false => longest_ns(counter),
        }
    }

    /// The cumulative distribution: pairs of a power of two in microseconds (the longest duration counted) and the
    /// number of durations up to it. Pairs with the number of the pair before are left out. Durations above half a
    /// second come last.
    pub fn cumulative(&self) -> Vec<(u64, u64)> {
        let mut steps: Vec<(u64, u64)> = Vec::new();
        for level in FIRST_LEVEL..=LAST_LEVEL {
            let counter = match level {
                LAST_LEVEL => self.counts.len() - 1,
                _ => counter_of(1 << level),
            };
            let count = self.counts[..=counter].iter().sum();
            if count > steps.last().map_or(0, |(_, before)| *before) {
                steps.push((longest_ns(counter) / 1000, count));
            }
        }
        steps
    }
}

/// The index of the counter for a duration, which must not exceed the longest.
#[inline]
fn counter_of(duration_ns: u64) -> usize {
    let bits = u64::BITS - duration_ns.leading_zeros();
    let shift = bits.saturating_sub(EXACT_BITS);
    shift as usize * GROUP + (duration_ns >> shift) as usize
}

/// The number of bits by which the durations of a counter are shifted.
fn shift_of(counter: usize) -> usize {
    (counter / GROUP).saturating_sub(1)
}

/// The shortest duration of a counter.
fn shortest_ns(counter: usize) -> u64 {
    let shift = shift_of(counter);
    ((counter - shift * GROUP) as u64) << shift
}

/// The longest duration of a counter.
fn longest_ns(counter: usize) -> u64 {
    shortest_ns(counter) + (1 << shift_of(counter)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distribution(durations_ns: &[u64]) -> Distribution {
        let histogram = Histogram::default();
        durations_ns.iter().for_each(|ns| histogram.record(*ns));
        Distribution::of([&histogram].into_iter())
    }

    #[test]
    fn counters_follow_each_other_without_gaps() {
        let mut next = 0;
        for counter in 0..GROUPS * GROUP {
            assert_eq!(shortest_ns(counter), next);
            next = longest_ns(counter) + 1;
            assert_eq!(counter_of(shortest_ns(counter)), counter);
            assert_eq!(counter_of(longest_ns(counter)), counter);
        }
        assert_eq!(next, 1 << LAST_LEVEL);
    }

    /// INFO latencystats of redis-server 7.0.15 after commands whose durations in microseconds are given.
    #[test]
    fn percentiles() {
        let check = |us: u64, percent, expected_ns| {
            let distribution = distribution(&[us * 1000]);
            assert_eq!(distribution.percentile_ns(percent), expected_ns, "{us} µs");
        };
        check(2, 50.0, 2007);
        check(6, 99.0, 6015);
        check(20, 99.9, 20_095);
        check(40, 0.0, 39_936);
        check(40, 100.0, 40_191);
        let many: Vec<u64> = (1..=100).collect();
        let many = distribution(&many);
        let percentiles = [0.0, 0.4, 1.4, 1.6, 50.0, 99.0, 99.9, 100.0, 200.0];
        let expected = [1, 1, 1, 2, 50, 99, 100, 100, 100];
        assert_eq!(
            percentiles.map(|percent| many.percentile_ns(percent)),
            expected
        );
    }

    /// LATENCY HISTOGRAM of redis-server 7.0.15 after a `DEBUG SLEEP` of each of these milliseconds.
    #[test]
    fn cumulative_counts() {
        let check = |durations_ms: &[u64], expected: &[(u64, u64)]| {
            let durations: Vec<u64> = durations_ms.iter().map(|ms| ms * 1_000_000).collect();
            assert_eq!(distribution(&durations).cumulative(), expected);
        };
        check(&[5, 5, 9], &[(8454, 2), (16_908, 3)]);
        check(&[300, 600, 800, 1300], &[(541_065, 1), (1_073_741, 4)]);
        check(&[], &[]);
        // The counter of a power of two counts up to it as a whole.
        assert_eq!(
            distribution(&[1, 1031, 1032]).cumulative(),
            [(1, 2), (2, 3)]
        );
    }

    #[test]
    fn histograms_are_added_up_and_reset() {
        let histograms = [Histogram::default(), Histogram::default()];
        histograms[0].record(5);
        histograms[1].record(0);
        histograms[1].record(u64::MAX);
        let sum = || Distribution::of(histograms.iter());
        assert_eq!(sum().total(), 3);
        assert_eq!(sum().percentile_ns(0.0), 1);
        assert_eq!(sum().percentile_ns(50.0), 5);
        histograms[1].reset();
        assert_eq!(sum().total(), 1);
    }
}
