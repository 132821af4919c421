//! The sparse form: registers as runs of equal ones. A run takes one byte or two, so few elements take a few hundred
//! bytes.
//!
//! ```text
//!   00nnnnnn            n + 1 registers of rank 0
//!   01nnnnnn nnnnnnnn   n + 1 registers of rank 0, up to 16384
//!   1vvvvvnn            n + 1 registers of rank v + 1
//! ```

use super::estimate::Histogram;
use super::{Corrupted, HEADER_BYTES, REGISTERS};
use smallvec::SmallVec;

/// The limits of a run of one byte: its rank, its registers of a rank above 0, its registers of rank 0.
const MOST_RANK: u8 = 32;
const MOST_OF_A_RANK: usize = 4;
const MOST_ZEROS: usize = 64;
/// The number of runs that are examined after a change, to join some of them.
const JOINED_AT_ONCE: usize = 5;

/// A run of equal registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Their rank.
    pub rank: u8,
    /// Their number.
    pub registers: usize,
    /// The bytes that encode the run.
    pub bytes: usize,
}

/// The result of raising a register.
pub(super) enum Raised {
    Yes,
    /// The register has this rank or a higher one already.
    No,
    /// The sparse form cannot express the rank, or would take too many bytes.
    NotWhileSparse,
}

impl Run {
    /// The run at the start of the bytes. If its second byte is missing, it counts as zero: in Redis a zero byte
    /// follows every string.
    fn read(bytes: &[u8]) -> Option<Run> {
        let first = *bytes.first()?;
        // Branches let the processor predict the length of a run. Without them each run would wait for the length of
        // the last.
        Some(match first >> 6 {
            0b00 => Run {
                rank: 0,
                registers: usize::from(first) + 1,
                bytes: 1,
            },
            0b01 => {
                let second = bytes.get(1).copied().unwrap_or(0);
                Run {
                    rank: 0,
                    registers: usize::from(u16::from_be_bytes([first & 0x3f, second])) + 1,
                    bytes: 2,
                }
            }
            _ => Run {
                rank: (first >> 2 & 0x1f) + 1,
                registers: usize::from(first & 0x03) + 1,
                bytes: 1,
            },
        })
    }
}

/// All runs.
pub(super) fn runs(mut bytes: &[u8]) -> impl Iterator<Item = Run> {
    std::iter::from_fn(move || {
        let run = Run::read(bytes)?;
        bytes = bytes.get(run.bytes..).unwrap_or_default();
        Some(run)
    })
}

pub(super) fn histogram(bytes: &[u8]) -> Result<Histogram, Corrupted> {
    let mut histogram = Histogram::empty();
    let mut registers = 0;
    for run in runs(bytes) {
        histogram.add(run.rank, run.registers);
        registers += run.registers;
    }
    match registers {
        REGISTERS => Ok(histogram),
        _ => Err(Corrupted),
    }
}

/// Raises each register of `ranks` to the rank that the string has for it, if that is higher.
pub(super) fn raise(ranks: &mut [u8; REGISTERS], bytes: &[u8]) -> Result<(), Corrupted> {
    let mut first = 0;
    for run in runs(bytes) {
        let raised = ranks
            .get_mut(first..first + run.registers)
            .ok_or(Corrupted)?;
        if run.rank > 0 {
            raised
                .iter_mut()
                .for_each(|rank| *rank = (*rank).max(run.rank));
        }
        first += run.registers;
    }
    match first {
        REGISTERS => Ok(()),
        _ => Err(Corrupted),
    }
}

/// The position of a run: where it begins, and the number of its first register.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    at: usize,
    register: usize,
}

impl Default for Start {
    /// The first run of a whole string.
    fn default() -> Self {
        Start {
            at: HEADER_BYTES,
            register: 0,
        }
    }
}

/// Looks for the run of a register from `start` on. Returns it with its start and those of the two runs before it.
fn find(string: &[u8], index: usize, start: Start) -> Result<(Run, [Start; 3]), Corrupted> {
    let mut starts = [start; 3];
    loop {
        let [_, previous, here] = starts;
        let run = string.get(here.at..).and_then(Run::read).ok_or(Corrupted)?;
        let next = Start {
            at: here.at + run.bytes,
            register: here.register + run.registers,
        };
        if index < next.register {
            return Ok((run, starts));
        }
        starts = [previous, here, next];
    }
}

/// The rank of a register in the runs of a string, and the position from which on a search finds it.
pub(super) fn rank(string: &[u8], index: usize) -> Result<(u8, Start), Corrupted> {
    let (run, [before, ..]) = find(string, index, Start::default())?;
    Ok((run.rank, before))
}

/// Raises one register in the runs of a string, which must not become longer than the limit. The search begins at
/// `start`, which becomes a position from which to search for later registers.
pub(super) fn raise_one(
    string: &mut Vec<u8>,
    index: usize,
    rank: u8,
    most_bytes: usize,
    start: &mut Start,
) -> Result<Raised, Corrupted> {
    if rank > MOST_RANK {
        return Ok(Raised::NotWhileSparse);
    }
    let (run, [before, previous, here]) = find(string, index, *start)?;
    // The previous run may be joined with this one. The run before it stays as it is.
    *start = before;
    if run.rank >= rank {
        return Ok(Raised::No);
    }
    // The run is split into the registers before, the register itself, and the registers after it.
    let mut cut = SmallVec::<[u8; 8]>::new();
    push(&mut cut, run.rank, index - here.register);
    push(&mut cut, rank, 1);
    push(
        &mut cut,
        run.rank,
        here.register + run.registers - 1 - index,
    );
    if cut.len() > run.bytes && string.len() - run.bytes + cut.len() > most_bytes {
        return Ok(Raised::NotWhileSparse);
    }
    let end = string.len().min(here.at + run.bytes);
    string.splice(here.at..end, cut);
    join(string, previous.at);
    Ok(Raised::Yes)
}

/// Joins runs of one rank, if one byte can express the result, among the next few from this place on. The choice is
/// that of Redis, so that the bytes are equal.
fn join(string: &mut Vec<u8>, mut at: usize) {
    for _ in 0..JOINED_AT_ONCE {
        let run_at = |at: usize| string.get(at..).and_then(Run::read);
        let Some(run) = run_at(at) else {
            return;
        };
        let next = run_at(at + run.bytes);
        let joined = next
            .filter(|next| run.rank > 0 && next.rank == run.rank)
            .map(|next| run.registers + next.registers)
            .filter(|registers| *registers <= MOST_OF_A_RANK);
        match joined {
            Some(registers) => {
                string[at] = run_byte(run.rank, registers);
                string.remove(at + 1);
            }
            None => at += run.bytes,
        }
    }
}

/// Appends registers of rank 0.
pub(super) fn push_zeros(bytes: &mut impl Extend<u8>, registers: usize) {
    let coded = (registers - 1) as u16;
    match registers {
        ..=MOST_ZEROS => bytes.extend([coded as u8]),
        _ => bytes.extend((0x4000 | coded).to_be_bytes()),
    }
}

/// Appends registers, if there are any. Those of a rank above 0 must fit into a run of one byte.
fn push(bytes: &mut SmallVec<[u8; 8]>, rank: u8, registers: usize) {
    match (rank, registers) {
        (_, 0) => {}
        (0, _) => push_zeros(bytes, registers),
        _ => bytes.push(run_byte(rank, registers)),
    }
}

fn run_byte(rank: u8, registers: usize) -> u8 {
    0x80 | (rank - 1) << 2 | (registers - 1) as u8
}
