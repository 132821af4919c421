//! The HyperLogLog: an estimate of the number of different elements, within one percent, in 12 KiB or much less. It is
//! a string, which GET returns and SET restores, with the bytes that it has in Redis.
//!
//! An element's hash chooses one of 16384 registers by its low 14 bits. The register keeps the greatest rank of its
//! elements: the place of the lowest bit that is set in the rest of the hash. A rank of `n` occurs once in `2^n`
//! elements, so the ranks give an estimate of their number (Flajolet and others, "HyperLogLog: the analysis of a
//! near-optimal cardinality estimation algorithm", 2007).
//!
//! ```text
//!   H Y L L   encoding   0 0 0   count, 8 bytes        registers
//!             0 dense            little-endian; its    12288 bytes, see dense.rs
//!             1 sparse           highest bit says      runs of equal ones, see sparse.rs
//!                                that it is out of date
//! ```
//!
//! A client can store any string. The header is checked before a string is used as a HyperLogLog, and the runs when
//! they are read.

mod dense;
mod estimate;
mod hash;
mod sparse;

use estimate::Histogram;
pub use sparse::Run;

/// The number of registers.
pub const REGISTERS: usize = 1 << INDEX_BITS;
const INDEX_BITS: u32 = 14;
/// The greatest rank: one for the hash whose other 50 bits are all zero.
const MOST_RANK: usize = 64 - INDEX_BITS as usize + 1;

const MAGIC: &[u8; 4] = b"HYLL";
const ENCODING: usize = 4;
const COUNT: usize = 8;
const HEADER_BYTES: usize = 16;
const OUT_OF_DATE: u64 = 1 << 63;

/// The error for a sparse string whose runs do not give 16384 registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupted;

/// The encoding of the registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Six bits each.
    Dense,
    /// As runs of equal ones.
    Sparse,
}

/// A string that is a HyperLogLog.
#[derive(Clone, Copy, Debug)]
pub struct HyperLogLog<'a> {
    encoding: Encoding,
    count: u64,
    string: &'a [u8],
    registers: &'a [u8],
}

/// A string that is a HyperLogLog, for changes.
#[derive(Debug)]
pub struct HyperLogLogMut<'a> {
    encoding: Encoding,
    bytes: &'a mut Vec<u8>,
}

/// The registers of a union of several HyperLogLogs, one byte each.
#[derive(Clone, Debug)]
pub struct Union(Box<[u8; REGISTERS]>);

/// Elements to be added.
#[derive(Clone, Copy, Debug)]
pub struct Missing<'e> {
    elements: &'e [&'e [u8]],
    /// The place of the first element's register in a sparse string, if the search for it has been done already.
    start: sparse::Start,
}

impl<'e> Missing<'e> {
    /// All given elements.
    pub fn all(elements: &'e [&'e [u8]]) -> Missing<'e> {
        Missing {
            elements,
            start: sparse::Start::default(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(self) -> bool {
        self.elements.is_empty()
    }
}

impl<'a> HyperLogLog<'a> {
    /// The string as a HyperLogLog, if its header is that of one.
    pub fn of(string: &'a [u8]) -> Option<HyperLogLog<'a>> {
        let (header, registers) = string.split_first_chunk::<HEADER_BYTES>()?;
        let encoding = match header[ENCODING] {
            0 if registers.len() == dense::BYTES => Encoding::Dense,
            1 => Encoding::Sparse,
            _ => return None,
        };
        let (_, count) = header.split_last_chunk()?;
        header.starts_with(MAGIC).then_some(HyperLogLog {
            encoding,
            count: u64::from_le_bytes(*count),
            string,
            registers,
        })
    }

    /// The encoding of the registers.
    pub fn encoding(self) -> Encoding {
        self.encoding
    }

    /// The cached count, if no register has changed since it was written.
    pub fn known_count(self) -> Option<u64> {
        Some(self.count).filter(|count| count & OUT_OF_DATE == 0)
    }

    /// The rest of these elements, from the first one on that raises a register.
    pub fn missing<'e>(self, elements: &'e [&'e [u8]]) -> Result<Missing<'e>, Corrupted> {
        let mut missing = Missing::all(elements);
        while let Some((element, rest)) = missing.elements.split_first() {
            let (index, rank) = place(element);
            let present = match self.encoding {
                Encoding::Dense => dense::rank(self.registers, index),
                Encoding::Sparse => {
                    let (present, start) = sparse::rank(self.string, index)?;
                    missing.start = start;
                    present
                }
            };
            if present < rank {
                break;
            }
            missing.elements = rest;
        }
        Ok(missing)
    }

    /// The estimated number of different elements.
    pub fn count(self) -> Result<u64, Corrupted> {
        let histogram = match self.encoding {
            Encoding::Dense => dense::histogram(self.registers),
            Encoding::Sparse => sparse::histogram(self.registers)?,
        };
        Ok(histogram.count())
    }

    /// The runs of a sparse string.
    pub fn runs(self) -> impl Iterator<Item = Run> {
        sparse::runs(self.registers)
    }

    /// All registers.
    pub fn registers(self) -> Result<Union, Corrupted> {
        let mut union = Union::default();
        union.add(self)?;
        Ok(union)
    }
}

impl Default for Union {
    fn default() -> Self {
        Union(Box::new([0; REGISTERS]))
    }
}

impl Union {
    /// Adds the elements of another HyperLogLog.
    pub fn add(&mut self, other: HyperLogLog<'_>) -> Result<(), Corrupted> {
        match other.encoding {
            Encoding::Dense => dense::raise(&mut self.0, other.registers),
            Encoding::Sparse => sparse::raise(&mut self.0, other.registers)?,
        }
        Ok(())
    }

    /// The estimated number of different elements of the union.
    pub fn count(&self) -> u64 {
        let (groups, _) = self.0.as_chunks::<4>();
        Histogram::of(groups.iter().copied()).count()
    }

    /// The registers in order.
    pub fn iter(&self) -> impl Iterator<Item = u8> {
        self.0.iter().copied()
    }
}

impl<'a> HyperLogLogMut<'a> {
    /// Makes the string an empty HyperLogLog.
    pub fn create(string: &'a mut Vec<u8>) -> HyperLogLogMut<'a> {
        string.clear();
        string.extend_from_slice(MAGIC);
        string.resize(HEADER_BYTES, 0);
        string[ENCODING] = 1;
        sparse::push_zeros(string, REGISTERS);
        HyperLogLogMut {
            encoding: Encoding::Sparse,
            bytes: string,
        }
    }

    /// The string as a HyperLogLog, if its header is that of one.
    pub fn of(string: &'a mut Vec<u8>) -> Option<HyperLogLogMut<'a>> {
        let encoding = HyperLogLog::of(string)?.encoding;
        Some(HyperLogLogMut {
            encoding,
            bytes: string,
        })
    }

    /// The HyperLogLog for reading.
    pub fn view(&self) -> HyperLogLog<'_> {
        HyperLogLog::of(self.bytes).expect("it was one when it was taken")
    }

    /// Adds elements; returns how many of them raised a register. The string stays sparse up to `most_sparse_bytes`
    /// bytes. If it is corrupted, no element is added.
    pub fn add(
        &mut self,
        missing: Missing<'_>,
        most_sparse_bytes: usize,
    ) -> Result<usize, Corrupted> {
        // A single element is added or not. For several, the string is copied first, so that it can be restored.
        let before = match self.encoding {
            Encoding::Sparse if missing.elements.len() > 1 => Some(self.bytes.clone()),
            _ => None,
        };
        let mut start = missing.start;
        let mut raised = 0;
        for element in missing.elements {
            let (index, rank) = place(element);
            match self.raise(index, rank, most_sparse_bytes, &mut start) {
                Ok(is_raised) => raised += usize::from(is_raised),
                Err(corrupted) => {
                    if let Some(before) = before {
                        *self.bytes = before;
                    }
                    return Err(corrupted);
                }
            }
            start = sparse::Start::default();
        }
        Ok(raised)
    }

    /// Adds the elements of a union.
    pub fn add_union(&mut self, union: &Union, most_sparse_bytes: usize) -> Result<(), Corrupted> {
        let mut start = sparse::Start::default();
        for (index, rank) in union.iter().enumerate().filter(|(_, rank)| *rank > 0) {
            if self.encoding == Encoding::Dense {
                dense::raise_all(&mut self.bytes[HEADER_BYTES..], &union.0);
                return Ok(());
            }
            self.raise(index, rank, most_sparse_bytes, &mut start)?;
        }
        Ok(())
    }

    /// Raises a register to a rank, if that is higher; returns whether it was. A sparse string is searched from `start`
    /// on.
    fn raise(
        &mut self,
        index: usize,
        rank: u8,
        most_sparse_bytes: usize,
        start: &mut sparse::Start,
    ) -> Result<bool, Corrupted> {
        if self.encoding == Encoding::Sparse {
            match sparse::raise_one(self.bytes, index, rank, most_sparse_bytes, start)? {
                sparse::Raised::Yes => return Ok(true),
                sparse::Raised::No => return Ok(false),
                sparse::Raised::NotWhileSparse => self.make_dense()?,
            };
        }
        Ok(dense::raise_one(
            &mut self.bytes[HEADER_BYTES..],
            index,
            rank,
        ))
    }

    /// Converts the string to the dense form; returns whether it was sparse.
    pub fn make_dense(&mut self) -> Result<bool, Corrupted> {
        if self.encoding == Encoding::Dense {
            return Ok(false);
        }
        let mut registers = Union::default();
        sparse::raise(&mut registers.0, &self.bytes[HEADER_BYTES..])?;
        self.bytes.truncate(HEADER_BYTES);
        self.bytes.resize(HEADER_BYTES + dense::BYTES, 0);
        self.bytes[ENCODING] = 0;
        dense::raise_all(&mut self.bytes[HEADER_BYTES..], &registers.0);
        self.encoding = Encoding::Dense;
        Ok(true)
    }

    /// Caches a count, which is valid until a register changes.
    pub fn set_known_count(&mut self, count: u64) {
        self.bytes[COUNT..HEADER_BYTES].copy_from_slice(&count.to_le_bytes());
    }

    /// Marks the cached count as out of date.
    pub fn forget_count(&mut self) {
        self.bytes[HEADER_BYTES - 1] |= (OUT_OF_DATE >> 56) as u8;
    }
}

/// The register of an element, and the rank of its hash.
fn place(element: &[u8]) -> (usize, u8) {
    let hash = hash::murmur_64a(element);
    let rest = hash >> INDEX_BITS | 1 << (64 - INDEX_BITS);
    (hash as usize % REGISTERS, rest.trailing_zeros() as u8 + 1)
}

/// Whether both encodings give one estimate, near the true number, for up to 100,000 elements.
pub fn self_test() -> Result<(), String> {
    /// The standard error is 0.8 %. The hash has no random seed, so the results are always equal.
    const MOST_ERROR: f64 = 0.03;
    let (mut sparse, mut dense) = (Vec::new(), Vec::new());
    let mut sparse = HyperLogLogMut::create(&mut sparse);
    let mut dense = HyperLogLogMut::create(&mut dense);
    let is_corrupted = |_| "the registers are corrupted".to_string();
    dense.make_dense().map_err(is_corrupted)?;
    let mut next_check = 1;
    for number in 1..=100_000_u64 {
        for hyperloglog in [&mut sparse, &mut dense] {
            let element = number.to_le_bytes();
            hyperloglog
                .add(Missing::all(&[&element]), 3000)
                .map_err(is_corrupted)?;
        }
        if number == next_check {
            next_check *= 10;
            let count = dense.view().count().map_err(is_corrupted)?;
            if sparse.view().count() != Ok(count) {
                return Err(format!(
                    "sparse and dense registers differ after {number} elements"
                ));
            }
            if (count as f64 / number as f64 - 1.0).abs() > MOST_ERROR {
                return Err(format!("{number} elements are counted as {count}"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
