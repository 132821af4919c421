//! Drawing several different elements from a collection by chance, as HRANDFIELD, SRANDMEMBER and SPOP do.

/// Looks at elements one after the other and chooses exactly the wanted number of them, every set with the same
/// probability. An element is chosen with the probability (number still to choose) / (number of elements left): Knuth,
/// TAOCP 3.4.2, algorithm S.
#[derive(Clone, Copy, Debug)]
pub struct Selection {
    missing: usize,
    left: usize,
}

impl Selection {
    /// Chooses `wanted` out of `len` elements, or all if there are fewer.
    pub fn new(wanted: usize, len: usize) -> Selection {
        Selection {
            missing: wanted.min(len),
            left: len,
        }
    }

    /// Whether the next element is chosen. `random` gives uniform numbers.
    pub fn takes(&mut self, mut random: impl FnMut() -> u64) -> bool {
        let takes = random() % (self.left as u64).max(1) < self.missing as u64;
        self.missing -= usize::from(takes);
        self.left -= 1;
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn every_choice_is_as_likely_as_any_other() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut counts: BTreeMap<Vec<usize>, usize> = BTreeMap::new();
        for _ in 0..20_000 {
            let mut selection = Selection::new(2, 5);
            let chosen = (0..5).filter(|_| selection.takes(|| random.u64(..)));
            *counts.entry(chosen.collect()).or_default() += 1;
        }
        // Ten ways to choose two of five; 2000 of each are expected, with a standard deviation of 42.
        assert_eq!(counts.len(), 10);
        assert!(counts.keys().all(|chosen| chosen.len() == 2));
        assert!(counts.values().all(|count| count.abs_diff(2000) < 250));
    }

    #[test]
    fn no_more_are_chosen_than_there_are() {
        for (wanted, len, expected) in [(0, 3, 0), (3, 3, 3), (9, 3, 3), (1, 0, 0)] {
            let mut selection = Selection::new(wanted, len);
            let chosen = (0..len).filter(|_| selection.takes(|| 7)).count();
            assert_eq!(chosen, expected);
        }
    }
}
