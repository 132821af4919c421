//! Bits of byte strings, and integers of some bits among them.
//!
//! Bit 0 is the highest bit of the first byte. Bits beyond the end of a string count as zeros.
//!
//! ```text
//!   byte        0                 1
//!   bit         0 1 2 3 4 5 6 7   8 9 ...
//!   "a\x80"     0 1 1 0 0 0 0 1   1 0 0 0 0 0 0 0
//! ```

mod population;

use std::ops::{Range, RangeInclusive};

/// Bytes of each string that are combined before the next ones: they stay in the L1 cache.
const BLOCK_BYTES: usize = 16 * 1024;

/// The bit at an offset.
pub fn get(bytes: &[u8], offset: usize) -> bool {
    let byte = bytes.get(offset / 8).copied().unwrap_or(0);
    byte >> (7 - offset % 8) & 1 == 1
}

/// Sets the bit at an offset, which must be in the string, and returns what it was.
pub fn set(bytes: &mut [u8], offset: usize, bit: bool) -> bool {
    let old = get(bytes, offset);
    let mask = 0x80 >> (offset % 8);
    match bit {
        true => bytes[offset / 8] |= mask,
        false => bytes[offset / 8] &= !mask,
    }
    old
}

/// The number of bits that are set in this range, which must lie in the string.
pub fn count(bytes: &[u8], bits: Range<usize>) -> usize {
    if bits.is_empty() {
        return 0;
    }
    let (first, last) = (bits.start / 8, (bits.end - 1) / 8);
    // Bits of the first and the last byte that lie outside the range are subtracted.
    let before = u32::from(bytes[first]) >> (8 - bits.start % 8);
    let behind = match bits.end % 8 {
        0 => 0,
        kept => bytes[last] & (0xff >> kept),
    };
    population::count(&bytes[first..=last]) - (before.count_ones() + behind.count_ones()) as usize
}

/// The offset of the first bit with this value in this range, which must lie in the string.
pub fn find(bytes: &[u8], bit: bool, bits: Range<usize>) -> Option<usize> {
    let is_sought = |offset: &usize| get(bytes, *offset) == bit;
    let whole = bits.start.div_ceil(8)..bits.end / 8;
    if whole.is_empty() {
        return bits.into_iter().find(is_sought);
    }
    let in_whole = || {
        let byte = whole.start + find_byte(&bytes[whole.clone()], if bit { 0 } else { 0xff })?;
        (byte * 8..byte * 8 + 8).find(is_sought)
    };
    (bits.start..whole.start * 8)
        .find(is_sought)
        .or_else(in_whole)
        .or_else(|| (whole.end * 8..bits.end).find(is_sought))
}

/// The index of the first byte that differs from the given one.
fn find_byte(bytes: &[u8], other: u8) -> Option<usize> {
    // Blocks that consist of the given byte only are skipped as a whole: the compiler makes vector instructions of
    // that.
    let (blocks, _) = bytes.as_chunks::<64>();
    let is_run = |block: &[u8; 64]| {
        block
            .iter()
            .fold(0, |differs, byte| differs | (byte ^ other))
            == 0
    };
    let passed = 64 * blocks.iter().take_while(|block| is_run(block)).count();
    let place = bytes[passed..].iter().position(|byte| *byte != other)?;
    Some(passed + place)
}

/// An operation on strings, bit by bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum BitOperation {
    And,
    Or,
    Xor,
    Not,
}

/// Combines strings. The result is as long as the longest of them. NOT takes the first string only.
pub fn combine(operation: BitOperation, strings: &[&[u8]]) -> Vec<u8> {
    let len = strings.iter().map(|string| string.len()).max().unwrap_or(0);
    let mut result = Vec::with_capacity(len);
    for start in (0..len).step_by(BLOCK_BYTES) {
        let end = len.min(start + BLOCK_BYTES);
        let parts = strings
            .iter()
            .map(|string| &string[start.min(string.len())..end.min(string.len())]);
        combine_block(operation, parts, end - start, &mut result);
    }
    result
}

/// Appends `len` bytes: the combination of the parts.
fn combine_block<'a>(
    operation: BitOperation,
    mut parts: impl Iterator<Item = &'a [u8]>,
    len: usize,
    result: &mut Vec<u8>,
) {
    let start = result.len();
    result.extend_from_slice(parts.next().unwrap_or_default());
    result.resize(start + len, 0);
    let block = &mut result[start..];
    if operation == BitOperation::Not {
        block.iter_mut().for_each(|byte| *byte = !*byte);
        return;
    }
    for part in parts {
        let bytes = block.iter_mut().zip(part);
        match operation {
            BitOperation::And => {
                bytes.for_each(|(byte, other)| *byte &= other);
                block[part.len()..].fill(0);
            }
            BitOperation::Or => bytes.for_each(|(byte, other)| *byte |= other),
            BitOperation::Xor | BitOperation::Not => bytes.for_each(|(byte, other)| *byte ^= other),
        }
    }
}

/// The type of an integer with a given number of bits, as BITFIELD names it: `i5`, `u63`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldType {
    /// Whether it has a sign.
    pub is_signed: bool,
    /// The number of its bits: 1 to 64, without a sign at most 63.
    pub bits: usize,
}

/// What BITFIELD does with an integer that its field cannot hold (OVERFLOW).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// Keeps its low bits: WRAP.
    Wrap,
    /// Takes the greatest or the least value of the field: SAT.
    Saturate,
    /// Does not write it: FAIL.
    Fail,
}

impl FieldType {
    /// The integer that begins at an offset.
    pub fn get(self, bytes: &[u8], offset: usize) -> i64 {
        let field = read_window(bytes, offset / 8) << (offset % 8);
        // An arithmetic shift keeps the sign.
        match self.is_signed {
            true => (field as i128 >> (128 - self.bits)) as i64,
            false => (field >> (128 - self.bits)) as i64,
        }
    }

    /// Writes the low bits of a value at an offset; they must lie in the string.
    pub fn set(self, bytes: &mut [u8], offset: usize, value: i64) {
        let first = offset / 8;
        let shift = 128 - self.bits - offset % 8;
        let mask = (u128::MAX >> (128 - self.bits)) << shift;
        let window = read_window(bytes, first) & !mask | (value as u128) << shift & mask;
        let end = (offset + self.bits).div_ceil(8);
        let window = window.to_be_bytes();
        bytes[first..end].copy_from_slice(&window[..end - first]);
    }

    /// The value to write for SET of `value`; `None` if nothing is to be written.
    pub fn fit(self, value: i64, overflow: Overflow) -> Option<i64> {
        let most = *self.range().end();
        match self.is_signed {
            // As in Redis, the distance to the greatest value is computed in 64 bits, where a very large one becomes
            // negative.
            true if overflow == Overflow::Saturate
                && self.bits < 64
                && most - i128::from(value) > i128::from(i64::MAX) =>
            {
                Some(most as i64)
            }
            true => self.limited(i128::from(value), overflow),
            // As in Redis, a field without a sign takes a negative value for a very large one.
            false => self.limited(i128::from(value as u64), overflow),
        }
    }

    /// The value to write for INCRBY: `old` plus `increment`; `None` if nothing is to be written.
    pub fn add(self, old: i64, increment: i64, overflow: Overflow) -> Option<i64> {
        self.limited(i128::from(old) + i128::from(increment), overflow)
    }

    fn limited(self, value: i128, overflow: Overflow) -> Option<i64> {
        let range = self.range();
        match overflow {
            _ if range.contains(&value) => Some(value as i64),
            Overflow::Wrap => {
                let shifted = value << (128 - self.bits);
                Some(match self.is_signed {
                    true => (shifted >> (128 - self.bits)) as i64,
                    false => (shifted as u128 >> (128 - self.bits)) as i64,
                })
            }
            Overflow::Saturate => Some(value.clamp(*range.start(), *range.end()) as i64),
            Overflow::Fail => None,
        }
    }

    /// The values that the field can hold.
    fn range(self) -> RangeInclusive<i128> {
        match self.is_signed {
            true => -(1 << (self.bits - 1))..=(1 << (self.bits - 1)) - 1,
            false => 0..=(1 << self.bits) - 1,
        }
    }
}

/// Sixteen bytes from an index on, as a number. A field lies in nine bytes at most: up to 7 bits before it in its first
/// byte, then up to 64 of its own.
fn read_window(bytes: &[u8], first: usize) -> u128 {
    let mut window = [0; 16];
    let end = bytes.len().min(first.saturating_add(9));
    if let Some(part) = bytes.get(first..end) {
        window[..part.len()].copy_from_slice(part);
    }
    u128::from_be_bytes(window)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bits one by one.
    fn bits(bytes: &[u8]) -> Vec<bool> {
        (0..8 * bytes.len())
            .map(|offset| get(bytes, offset))
            .collect()
    }

    #[test]
    fn bit_0_is_the_highest_of_the_first_byte() {
        let set: Vec<usize> = (0..24)
            .filter(|offset| get(b"a\x80\x01", *offset))
            .collect();
        assert_eq!(set, [1, 2, 7, 8, 23]);
        let mut bytes = [0, 0];
        assert!(!super::set(&mut bytes, 9, true));
        assert!(super::set(&mut bytes, 9, true));
        assert_eq!(bytes, [0, 0x40]);
        assert!(super::set(&mut bytes, 9, false));
        assert_eq!(bytes, [0, 0]);
        assert!(!get(b"\xff", 8));
    }

    #[test]
    fn counts_and_finds_what_a_look_at_each_bit_finds() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..3000 {
            let len = random.usize(0..400);
            let filler = *random.choice(&[0, 0xff]).expect("there are two");
            let mut bytes = vec![filler; len];
            for _ in 0..random.usize(0..3).min(len) {
                let index = random.usize(..len);
                bytes[index] = random.u8(..);
            }
            let all = bits(&bytes);
            let start = random.usize(..=all.len());
            let end = random.usize(start..=all.len());
            let range = start..end;
            let expected = all[range.clone()].iter().filter(|bit| **bit).count();
            assert_eq!(count(&bytes, range.clone()), expected);
            for bit in [false, true] {
                let expected = range.clone().find(|offset| all[*offset] == bit);
                assert_eq!(find(&bytes, bit, range.clone()), expected);
            }
        }
    }

    #[test]
    fn combines_strings_of_different_lengths() {
        let (long, short) = (
            vec![0b1100_1100; 2 * BLOCK_BYTES + 5],
            vec![0b1010_1010; BLOCK_BYTES + 9],
        );
        for (operation, both, long_alone) in [
            (BitOperation::And, 0b1000_1000, 0),
            (BitOperation::Or, 0b1110_1110, 0b1100_1100),
            (BitOperation::Xor, 0b0110_0110, 0b1100_1100),
        ] {
            let mut expected = vec![both; short.len()];
            expected.resize(long.len(), long_alone);
            assert_eq!(combine(operation, &[&long, &short]), expected);
            assert_eq!(combine(operation, &[&short, &long]), expected);
            assert_eq!(combine(operation, &[&short]), short);
        }
        assert_eq!(combine(BitOperation::Not, &[b"\x00\xf0"]), b"\xff\x0f");
        assert_eq!(combine(BitOperation::Or, &[]), b"");
    }

    #[test]
    fn fields_are_written_and_read_bit_by_bit() {
        let mut random = fastrand::Rng::with_seed(2);
        for _ in 0..5000 {
            let is_signed = random.bool();
            let bits_len = random.usize(1..=if is_signed { 64 } else { 63 });
            let field = FieldType {
                is_signed,
                bits: bits_len,
            };
            let mut bytes: Vec<u8> = (0..20).map(|_| random.u8(..)).collect();
            let mut expected = bits(&bytes);
            let offset = random.usize(..=160 - bits_len);
            let value = random.i64(..);
            for place in 0..bits_len {
                expected[offset + place] = value >> (bits_len - 1 - place) & 1 == 1;
            }
            field.set(&mut bytes, offset, value);
            assert_eq!(bits(&bytes), expected);
            assert_eq!(
                Some(field.get(&bytes, offset)),
                match is_signed {
                    true => field.fit(value, Overflow::Wrap),
                    false => field.fit(value & i64::MAX, Overflow::Wrap),
                }
            );
        }
        let byte = FieldType {
            is_signed: false,
            bits: 8,
        };
        assert_eq!((byte.get(b"ab", 12), byte.get(b"ab", 16)), (0x20, 0));
    }

    /// As Redis answers to BITFIELD k OVERFLOW ... SET and INCRBY.
    #[test]
    fn values_that_do_not_fit() {
        let signed = |bits| FieldType {
            is_signed: true,
            bits,
        };
        let unsigned = |bits| FieldType {
            is_signed: false,
            bits,
        };
        for (field, value, wrapped, saturated) in [
            (unsigned(8), 256, 0, 255),
            (unsigned(8), -1, 255, 255),
            (unsigned(63), -1, i64::MAX, i64::MAX),
            (signed(8), 128, -128, 127),
            (signed(8), -129, 127, -128),
            (signed(1), 1, -1, 0),
        ] {
            assert_eq!(field.fit(value, Overflow::Wrap), Some(wrapped));
            assert_eq!(field.fit(value, Overflow::Saturate), Some(saturated));
            assert_eq!(field.fit(value, Overflow::Fail), None);
        }
        for (field, old, increment, wrapped, saturated) in [
            (unsigned(8), 250, 10, 4, 255),
            (unsigned(8), 5, -10, 251, 0),
            (signed(64), i64::MAX, 1, i64::MIN, i64::MAX),
            (signed(64), i64::MIN, -1, i64::MAX, i64::MIN),
            (signed(4), 7, 1, -8, 7),
        ] {
            assert_eq!(field.add(old, increment, Overflow::Wrap), Some(wrapped));
            assert_eq!(
                field.add(old, increment, Overflow::Saturate),
                Some(saturated)
            );
            assert_eq!(field.add(old, increment, Overflow::Fail), None);
        }
        assert_eq!(signed(64).add(1, 2, Overflow::Fail), Some(3));
        let saturated = |value| signed(8).fit(value, Overflow::Saturate);
        assert_eq!(saturated(i64::MIN + 127), Some(127));
        assert_eq!(saturated(i64::MIN + 128), Some(-128));
    }
}
