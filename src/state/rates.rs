//! Commands, and bytes in and out, per second (INFO's `instantaneous_` figures).

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Totals since the start, or since CONFIG RESETSTAT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Commands that have run.
    pub commands: u64,
    /// Bytes read from clients.
    pub input_bytes: u64,
    /// Bytes written to clients.
    pub output_bytes: u64,
}

/// The rates between the last two samples.
#[derive(Debug, Default)]
pub struct Rates(Mutex<Samples>);

#[derive(Debug, Default)]
struct Samples {
    last: Option<(Instant, Totals)>,
    per_second: Totals,
}

impl Rates {
    /// Takes a sample. For the reaper, once a second.
    pub fn sample(&self, now: Instant, totals: Totals) {
        let mut samples = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((then, before)) = samples.last {
            samples.per_second = before.rate(totals, now - then);
        }
        samples.last = Some((now, totals));
    }

    /// The rates per second between the last two samples.
    pub fn per_second(&self) -> Totals {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .per_second
    }
}

impl Totals {
    fn rate(self, later: Totals, time: Duration) -> Totals {
        // CONFIG RESETSTAT sets totals back to zero.
        let rate = |before: u64, after: u64| {
            (after.saturating_sub(before) as f64 / time.as_secs_f64().max(1e-3)) as u64
        };
        Totals {
            commands: rate(self.commands, later.commands),
            input_bytes: rate(self.input_bytes, later.input_bytes),
            output_bytes: rate(self.output_bytes, later.output_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_between_two_samples() {
        let rates = Rates::default();
        let start = Instant::now();
        let look = |ms: u64, commands: u64| {
            let totals = Totals {
                commands,
                input_bytes: 10 * commands,
                output_bytes: 5 * commands,
            };
            rates.sample(start + Duration::from_millis(ms), totals);
            let Totals {
                commands,
                input_bytes,
                output_bytes,
            } = rates.per_second();
            [commands, input_bytes, output_bytes]
        };
        assert_eq!(look(0, 1000), [0, 0, 0], "there was no look before");
        assert_eq!(look(1000, 3000), [2000, 20_000, 10_000]);
        assert_eq!(look(3000, 4000), [500, 5000, 2500]);
        assert_eq!(look(4000, 10), [0, 0, 0], "the totals were reset");
        assert_eq!(look(4500, 20), [20, 200, 100]);
    }
}
