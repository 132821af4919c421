//! Registers as runs of equal ones, in a byte or two each: a few hundred bytes while there are few elements.
//!
//! ```text
//!   00nnnnnn            n + 1 registers of rank 0
//!   01nnnnnn nnnnnnnn   the same, up to 16384
//!   1vvvvvnn            n + 1 registers of rank v + 1
//! ```

use super::estimate::Histogram;
use super::{Corrupted, HEADER_BYTES, REGISTERS};
use smallvec::SmallVec;

/// What a byte can say: ranks, registers of a rank, registers of rank 0.
const MOST_RANK: u8 = 32;
const MOST_OF_A_RANK: usize = 4;
const MOST_ZEROS: usize = 64;
/// After a change, so many runs are looked at to join some.
const JOINED_AT_ONCE: usize = 5;

/// Some registers that are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Their rank.
    pub rank: u8,
    /// How many they are.
    pub registers: usize,
    /// How many bytes say so.
    pub bytes: usize,
}

/// What became of a register that was to be raised.
pub(super) enum Raised {
    Yes,
    /// It is as high already.
    No,
    /// Runs cannot say the rank, or would take too many bytes.
    NotWhileSparse,
}

impl Run {
    /// The run that the bytes begin with. Of half a run, the second byte is zero, as in Redis, where one follows every
    /// string.
    fn read(bytes: &[u8]) -> Option<Run> {
        let first = *bytes.first()?;
        // With branches: without them each run would have to wait until the length of the last one is known.
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

/// Raises each register of `ranks` to that of these, if it is not as high yet.
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

/// Where a run begins, and which is its first register.
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

/// The rank of a register of a whole string, and from where on it can be found.
pub(super) fn rank(string: &[u8], index: usize) -> Result<(u8, Start), Corrupted> {
    let (run, [before, ..]) = find(string, index, Start::default())?;
    Ok((run.rank, before))
}

/// Raises one register of a whole string, which may have so many bytes. It is looked for from `start` on, which becomes
/// a place from where to look for later registers.
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
    // The run before may be joined with this one, the one before that is left alone.
    *start = before;
    if run.rank >= rank {
        return Ok(Raised::No);
    }
    // The run is cut into what is before the register, the register, and what is behind it.
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

/// Joins runs of the same rank, where one byte can say it, among the next few from this place on. Which ones are joined
/// is as in Redis, so that the bytes stay the same.
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

/// Appends registers, if there are any; of a rank above 0 no more than a byte can say.
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
