//! From how many registers have which rank to how many elements there were.
//!
//! The estimator is that of O. Ertl, "New cardinality estimation algorithms for HyperLogLog sketches", 2017, section 4:
//! it needs no corrections for few or for very many elements. As in Redis, and in the same order, so that it rounds
//! alike.

use super::{MOST_RANK, REGISTERS};

/// 1 / (2 ln 2).
const ALPHA: f64 = 0.721_347_520_444_481_7;
/// What six bits can hold; ranks above [`MOST_RANK`] come from nowhere, and count for nothing.
const RANKS: usize = 64;

/// How many registers have each rank.
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

    /// Of registers that come four by four. Each of the four is counted on its own: to raise the same number again, one
    /// would have to wait for the last time.
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

    /// How many elements there were.
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

/// What the registers without a rank contribute.
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

/// What the registers of the greatest rank contribute.
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
