//! The CRC-64 of an RDB file, computed in four lanes at a time.
//!
//! The crate `crc64` defines the checksum, and computes it for few bytes. For many bytes it is slow: each step needs
//! the result of the step before, while a processor could do four independent steps in that time. So a block is divided
//! into four lanes, which are computed side by side and then combined:
//!
//! ```text
//! block    AAAAAAAA  BBBBBBBB  CCCCCCCC  DDDDDDDD
//! crc      a         b         c         d           the first begins with the checksum so far, the others with 0
//!
//! crc of AB = (a, continued over as many zero bytes as B has) xor b         and so on
//! ```
//!
//! That holds because a CRC is linear: crc(x xor y) = crc(x) xor crc(y), and AB is (A followed by zeros) xor (zeros
//! followed by B). For that reason, too, a table of 8 times 256 entries continues any state over a fixed number of
//! zeros, with one look-up for each byte of the state.

use std::sync::LazyLock;

const LANES: usize = 4;
const LANE_SIZE: usize = 1024;
/// The bytes of a step within a lane.
const WORD_SIZE: usize = size_of::<u64>();
const WORDS_IN_LANE: usize = LANE_SIZE / WORD_SIZE;

static OVER_WORD: LazyLock<OverZeros> = LazyLock::new(|| OverZeros::new(WORD_SIZE));
static OVER_LANE: LazyLock<OverZeros> = LazyLock::new(|| OverZeros::new(LANE_SIZE));

/// Continues the checksum `crc` over `bytes`. The checksum of no bytes is 0.
pub fn crc64(crc: u64, bytes: &[u8]) -> u64 {
    let (blocks, rest) = bytes.as_chunks::<{ LANES * LANE_SIZE }>();
    let mut crc = crc;
    // For few bytes the tables are not needed, and not even computed.
    if !blocks.is_empty() {
        let (over_word, over_lane) = (&*OVER_WORD, &*OVER_LANE);
        for block in blocks {
            crc = crc64_of_block(crc, block, over_word, over_lane);
        }
    }
    ::crc64::crc64(crc, rest)
}

fn crc64_of_block(
    crc: u64,
    block: &[u8; LANES * LANE_SIZE],
    over_word: &OverZeros,
    over_lane: &OverZeros,
) -> u64 {
    let words = block.as_chunks::<WORD_SIZE>().0;
    let [a, b, c, d] = [0, 1, 2, 3].map(|lane| &words[lane * WORDS_IN_LANE..][..WORDS_IN_LANE]);
    let mut states = [crc, 0, 0, 0];
    for (((a, b), c), d) in a.iter().zip(b).zip(c).zip(d) {
        // By linearity, the state and the next word can be combined by xor, and then continued over zeros.
        for (state, word) in states.iter_mut().zip([a, b, c, d]) {
            *state = over_word.pass(*state ^ u64::from_le_bytes(*word));
        }
    }
    let [first, others @ ..] = states;
    others
        .iter()
        .fold(first, |crc, other| over_lane.pass(crc) ^ other)
}

/// Continues the state of a checksum over a fixed number of zero bytes.
struct OverZeros {
    /// `of_byte[i][b]`: the result for the state whose byte `i` is `b` and whose other bytes are 0.
    of_byte: Box<[[u64; 256]; 8]>,
}

impl OverZeros {
    fn new(count: usize) -> OverZeros {
        let zeros = vec![0; count];
        let mut of_byte = Box::new([[0; 256]; 8]);
        for (index, table) in of_byte.iter_mut().enumerate() {
            for value in 1..256_usize {
                let lowest_bit = 1 << value.trailing_zeros();
                table[value] = if value == lowest_bit {
                    ::crc64::crc64((value as u64) << (8 * index), &zeros)
                } else {
                    table[lowest_bit] ^ table[value ^ lowest_bit]
                };
            }
        }
        OverZeros { of_byte }
    }

    #[inline]
    fn pass(&self, state: u64) -> u64 {
        let bytes = state.to_le_bytes();
        (0..8).fold(0, |result, index| {
            result ^ self.of_byte[index][usize::from(bytes[index])]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of the catalogue of parametrised CRC algorithms for CRC-64/REDIS.
    #[test]
    fn the_nine_digits_have_their_known_checksum() {
        assert_eq!(crc64(0, b"123456789"), 0xE9C6_D914_C4B8_D9CA);
    }

    #[test]
    fn lanes_change_nothing() {
        let mut random = fastrand::Rng::with_seed(1);
        let bytes: Vec<u8> = (0..3 * LANES * LANE_SIZE + 100)
            .map(|_| random.u8(..))
            .collect();
        for len in [0, 1, 4095, 4096, 4097, 8191, 8192, 12_288, bytes.len()] {
            for seed in [0, 1, u64::MAX, 0x0123_4567_89AB_CDEF] {
                let bytes = &bytes[..len];
                assert_eq!(crc64(seed, bytes), ::crc64::crc64(seed, bytes), "{len}");
            }
        }
    }
}
