//! The number of bits that are set in a long string (population count), computed at nearly the speed of memory.
//!
//! Counting the bits of a word takes a dozen operations; adding words takes fewer. A carry-save adder adds three words
//! bit by bit and carries nothing from one bit to the next: it gives a word of sums and a word of carries, which count
//! twice. Fifteen such adders reduce 16 words to a single word whose bits count 16 times. Only that word is counted (R.
//! Harley and D. Seal, in Warren, "Hacker's Delight", 5-1):
//!
//! ```text
//!   16 words   --8 adders-->   8 carries   --4-->   4   --2-->   2   --1-->   1, counted
//!       the sums are called ones, twos, fours and eights; they are carried from one group of 16 to the next
//! ```
//!
//! The compiler makes vector instructions of it, four words at a time.

/// Words that are processed side by side, in one vector register.
const LANES: usize = 4;
/// Bytes of these words.
const LANES_BYTES: usize = 8 * LANES;
/// The weight of a carry of the last level, which is also the number of words that the levels reduce to one.
const GROUP: usize = 16;
const LEVELS: usize = GROUP.ilog2() as usize;

type Lanes = [u64; LANES];

/// The number of bits that are set.
pub(super) fn count(bytes: &[u8]) -> usize {
    let (lanes, rest) = bytes.as_chunks::<LANES_BYTES>();
    let (groups, single) = lanes.as_chunks::<GROUP>();
    // The sums of each level: ones, twos, fours and eights.
    let mut sums = [[0; LANES]; LEVELS];
    let mut sixteens = 0;
    for group in groups {
        let mut words: [Lanes; GROUP] = std::array::from_fn(|index| load(&group[index]));
        let mut len = GROUP;
        for sum in &mut sums {
            len /= 2;
            for index in 0..len {
                words[index] = add(sum, words[2 * index], words[2 * index + 1]);
            }
        }
        sixteens += ones(words[0]);
    }
    let in_sums: usize = sums
        .iter()
        .enumerate()
        .map(|(level, sum)| ones(*sum) << level)
        .sum();
    let in_single: usize = single.iter().map(|lanes| ones(load(lanes))).sum();
    let in_rest: usize = rest.iter().map(|byte| byte.count_ones() as usize).sum();
    GROUP * sixteens + in_sums + in_single + in_rest
}

fn load(bytes: &[u8; LANES_BYTES]) -> Lanes {
    let (words, _) = bytes.as_chunks::<8>();
    std::array::from_fn(|lane| u64::from_ne_bytes(words[lane]))
}

/// Adds two words to the sum, bit by bit, and returns the carries.
fn add(sum: &mut Lanes, first: Lanes, second: Lanes) -> Lanes {
    let mut carries = [0; LANES];
    for lane in 0..LANES {
        let differs = sum[lane] ^ first[lane];
        carries[lane] = sum[lane] & first[lane] | differs & second[lane];
        sum[lane] = differs ^ second[lane];
    }
    carries
}

fn ones(lanes: Lanes) -> usize {
    lanes.iter().map(|word| word.count_ones() as usize).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_as_many_as_byte_by_byte() {
        let mut random = fastrand::Rng::with_seed(4);
        let bytes: Vec<u8> = (0..5000).map(|_| random.u8(..)).collect();
        for len in (0..600).chain([4096, 4999]) {
            for first in [0, 1] {
                let part = &bytes[first..first + len];
                let expected: u32 = part.iter().map(|byte| byte.count_ones()).sum();
                assert_eq!(count(part), expected as usize, "{len} bytes");
            }
        }
        assert_eq!(count(&[0xff; 10_000]), 80_000);
    }
}
