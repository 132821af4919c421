//! Estimates the number of elements from a histogram: the number of registers of each rank.
//!
//! The estimator is that of O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", 2017, section 4:
//! it needs no corrections for few or for very many elements. The operations have the order that they have in Redis, so
//! that the result is rounded equally.

use super::{MOST_RANK, REGISTERS};

/// 1 / (2 ln 2).
const ALPHA: f64 = 0.721_347_520_444_481_7;
/// The number of values of six bits. Ranks above [`MOST_RANK`] occur in damaged strings only, and are ignored.
const RANKS: usize = 64;

/// The number of registers of each rank.
pub(super) struct Histogram([u32; RANKS]);

impl Histogram {
    /// No registers.
    pub(super) fn empty() -> Histogram {
        Histogram([0; RANKS])
    }

    /// Adds registers of one rank.
    pub(super) fn add(&mut self, rank: u8, registers: usize) {
        self.0[usize::from(rank) % RANKS] += registers as u32;
    }

    /// The histogram of registers in groups of four. The four have counters of their own: two increments of one counter
    /// in a row would have to wait for each other.
    pub(super) fn of(registers: impl Iterator<Item = [u8; 4]>) -> Histogram {
        let mut parts = [[0; RANKS]; 4];
        for ranks in registers {
            for (part, rank) in parts.iter_mut().zip(ranks) {
                part[usize::from(rank) % RANKS] += 1;
            }
        }
        let [a, b, c, d] = parts;
        Histogram(std::array::from_fn(|rank| {
            a[rank] + b[rank] + c[rank] + d[rank]
        }))
    }

    /// The estimated number of different elements.
    pub(super) fn count(&self) -> u64 {
        let all = REGISTERS as f64;
        let share = |rank: usize| f64::from(self.0[rank]) / all;
        let saturated = (all - f64::from(self.0[MOST_RANK])) / all;
        let mut sum = all * tau(saturated);
        for rank in (1..MOST_RANK).rev() {
            sum += f64::from(self.0[rank]);
            sum *= 0.5;
        }
        sum += all * sigma(share(0));
        (ALPHA * all * all / sum).round() as u64
    }
}

/// The contribution of the registers of rank 0.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut weight, mut sum) = (1.0, x);
    loop {
        x *= x;
        let before = sum;
        sum += x * weight;
        weight += weight;
        if sum == before {
            return sum;
        }
    }
}

/// The contribution of the registers of the greatest rank.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut weight, mut sum) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = sum;
        weight *= 0.5;
        sum -= (1.0 - x).powi(2) * weight;
        if sum == before {
            return sum / 3.0;
        }
    }
}
