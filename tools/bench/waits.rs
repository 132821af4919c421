//! How long clients had to wait for their replies.

use std::time::Duration;

/// A wait that a time slice of the system explains, which a server should not add to.
const LONG: Duration = Duration::from_millis(3);

/// The waits of one measurement; there is at least one.
pub struct Waits {
    sorted: Vec<Duration>,
}

impl Waits {
    pub fn new(mut waits: Vec<Duration>) -> Waits {
        assert!(!waits.is_empty(), "a client has asked");
        waits.sort_unstable();
        Waits { sorted: waits }
    }

    /// In milliseconds: the given part of the waits was at most so long.
    pub fn percentile(&self, percent: f64) -> f64 {
        let rank = (self.sorted.len() as f64 * percent / 100.0).ceil() as usize;
        self.sorted[rank.clamp(1, self.sorted.len()) - 1].as_secs_f64() * 1e3
    }

    /// In milliseconds.
    pub fn longest(&self) -> f64 {
        self.percentile(100.0)
    }

    /// How many were longer than three milliseconds.
    pub fn long(&self) -> f64 {
        self.sorted.iter().filter(|wait| **wait > LONG).count() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_wait_of_that_rank() {
        let waits = Waits::new((1..=1000).rev().map(Duration::from_millis).collect());
        assert_eq!(waits.percentile(50.0), 500.0);
        assert_eq!(waits.percentile(99.9), 999.0);
        assert_eq!(waits.longest(), 1000.0);
        assert_eq!(waits.long(), 997.0);
    }
}
