//! Registers of six bits, lowest bits first:
//!
//! ```text
//!   byte          0                  1                  2
//!   bits     7 6 | 5 4 3 2 1 0    7 6 5 4 | 3 2 1 0    7 6 5 4 3 2 | 1 0
//!   register  1  |      0            2    |    1            3      |  2
//! ```

use super::REGISTERS;
use super::estimate::Histogram;

/// Bytes of all registers.
pub(super) const BYTES: usize = REGISTERS * 6 / 8;

/// The registers in groups of four.
fn groups(registers: &[u8]) -> impl Iterator<Item = [u8; 4]> {
    let (groups, _) = registers.as_chunks::<3>();
    groups.iter().map(group)
}

/// The four registers in three bytes.
fn group([a, b, c]: &[u8; 3]) -> [u8; 4] {
    let bits = u32::from_le_bytes([*a, *b, *c, 0]);
    [0, 6, 12, 18].map(|shift| (bits >> shift & 0x3f) as u8)
}

pub(super) fn histogram(registers: &[u8]) -> Histogram {
    Histogram::of(groups(registers))
}

/// Raises each register of `ranks` to the rank that the string has for it, if that is higher.
pub(super) fn raise(ranks: &mut [u8; REGISTERS], registers: &[u8]) {
    let (ranks, _) = ranks.as_chunks_mut::<4>();
    for (ranks, group) in ranks.iter_mut().zip(groups(registers)) {
        for (rank, other) in ranks.iter_mut().zip(group) {
            *rank = (*rank).max(other);
        }
    }
}

/// Raises each register of the string to its rank in `ranks`, if that is higher.
pub(super) fn raise_all(registers: &mut [u8], ranks: &[u8; REGISTERS]) {
    let (groups, _) = registers.as_chunks_mut::<3>();
    let (ranks, _) = ranks.as_chunks::<4>();
    for (bytes, ranks) in groups.iter_mut().zip(ranks) {
        let highest = group(bytes).into_iter().zip(ranks);
        let bits = highest.rev().fold(0, |bits, (rank, other)| {
            bits << 6 | u32::from(rank.max(*other))
        });
        bytes.copy_from_slice(&bits.to_le_bytes()[..3]);
    }
}

/// The rank of a register.
pub(super) fn rank(registers: &[u8], index: usize) -> u8 {
    let (groups, _) = registers.as_chunks::<3>();
    group(&groups[index / 4])[index % 4]
}

/// Raises one register to a rank, if that is higher; returns whether it was.
pub(super) fn raise_one(registers: &mut [u8], index: usize, rank: u8) -> bool {
    let (groups, _) = registers.as_chunks_mut::<3>();
    let [a, b, c] = &mut groups[index / 4];
    let bits = u32::from_le_bytes([*a, *b, *c, 0]);
    let shift = 6 * (index % 4);
    let is_lower = (bits >> shift & 0x3f) < u32::from(rank);
    if is_lower {
        let bits = bits & !(0x3f << shift) | u32::from(rank) << shift;
        [*a, *b, *c, _] = bits.to_le_bytes();
    }
    is_lower
}
