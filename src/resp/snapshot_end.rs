//! How the end of a snapshot is known, as the line before it says: the snapshot that answers SYNC and PSYNC. And its
//! bytes, taken out of all that arrives.
//!
//! ```text
//! $263\r\n<263 bytes>                              a snapshot whose length is known
//! $EOF:<mark of 40 bytes>\r\n<bytes><the mark>     one that is sent while it is made
//! ```

use crate::util::number;

/// Bytes of a mark.
pub const MARK_BYTES: usize = 40;

/// How a snapshot ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotEnd {
    /// After this number of bytes.
    After(u64),
    /// Before these bytes.
    Mark([u8; MARK_BYTES]),
}

impl SnapshotEnd {
    /// Reads the line before a snapshot, without its line end; `None` if it is another line.
    pub fn parse(line: &[u8]) -> Option<SnapshotEnd> {
        let length = line.strip_prefix(b"$")?;
        match length.strip_prefix(b"EOF:") {
            Some(mark) => mark.try_into().ok().map(SnapshotEnd::Mark),
            None => number::parse_u64(length).map(SnapshotEnd::After),
        }
    }
}

/// Takes the bytes of a snapshot out of what arrives, piece by piece.
pub struct SnapshotBytes {
    /// Of a length, what is still missing.
    end: SnapshotEnd,
    /// What may be the begin of the mark, which can arrive in pieces.
    held: Vec<u8>,
    is_whole: bool,
}

impl SnapshotBytes {
    /// A snapshot of which nothing has arrived.
    pub fn new(end: SnapshotEnd) -> SnapshotBytes {
        SnapshotBytes {
            end,
            held: Vec::new(),
            is_whole: end == SnapshotEnd::After(0),
        }
    }

    /// Whether everything has arrived.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Appends the bytes of the snapshot to `out`. The result is how many of the bytes that have arrived are dealt
    /// with; what follows them is not part of the snapshot.
    pub fn take(&mut self, arrived: &[u8], out: &mut Vec<u8>) -> usize {
        match &mut self.end {
            SnapshotEnd::After(missing) => {
                let taken = (arrived.len() as u64).min(*missing);
                *missing -= taken;
                self.is_whole = *missing == 0;
                out.extend_from_slice(&arrived[..taken as usize]);
                taken as usize
            }
            SnapshotEnd::Mark(mark) => {
                let held = self.held.len();
                self.held.extend_from_slice(arrived);
                let found = find(mark, &self.held);
                self.is_whole = found.is_some();
                let sure = found.unwrap_or((self.held.len() + 1).saturating_sub(MARK_BYTES));
                out.extend(self.held.drain(..sure));
                match found {
                    Some(start) => start + MARK_BYTES - held,
                    None => arrived.len(),
                }
            }
        }
    }
}

/// Bytes that are compared at once.
const PROBE_BYTES: usize = 8;

/// Probes at this distance: wherever the mark stands, one of them lies in it as a whole.
const STEP: usize = MARK_BYTES - PROBE_BYTES + 1;

/// Where the mark begins. To compare at every place would take several times as long.
fn find(mark: &[u8; MARK_BYTES], bytes: &[u8]) -> Option<usize> {
    let word = |bytes: &[u8]| u64::from_ne_bytes(std::array::from_fn(|index| bytes[index]));
    let words: [u64; STEP] = std::array::from_fn(|start| word(&mark[start..]));
    let probes = (STEP - 1..(bytes.len() + 1).saturating_sub(PROBE_BYTES)).step_by(STEP);
    let hits = probes.filter(|place| words.contains(&word(&bytes[*place..])));
    hits.flat_map(|place| place + 1 - STEP..=place)
        .find(|start| bytes[*start..].starts_with(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: &[u8; MARK_BYTES] = b"abcdefghijklmnopqrstuvwxyz0123456789ABCD";

    #[test]
    fn a_line_that_makes_no_sense_is_no_snapshot() {
        let mark = [b"$EOF:", &MARK[..]].concat();
        assert_eq!(SnapshotEnd::parse(&mark), Some(SnapshotEnd::Mark(*MARK)));
        assert_eq!(SnapshotEnd::parse(b"$263"), Some(SnapshotEnd::After(263)));
        let long = [&mark[..], b"x"].concat();
        for line in [
            &b"hello"[..],
            b"263",
            b"$",
            b"$-1",
            b"$1x",
            b"$EOF:short",
            &long,
        ] {
            assert_eq!(SnapshotEnd::parse(line), None, "{}", line.escape_ascii());
        }
    }

    /// Feeds the bytes in pieces of each size.
    #[track_caller]
    fn check(end: SnapshotEnd, input: &[u8], expected: &[u8], rest: &[u8]) {
        for size in 1..=input.len() + 1 {
            let mut bytes = SnapshotBytes::new(end);
            let mut out = Vec::new();
            let mut taken = 0;
            while !bytes.is_whole() {
                let piece = &input[taken..input.len().min(taken + size)];
                assert!(
                    !piece.is_empty(),
                    "the end is not known, in pieces of {size}"
                );
                taken += bytes.take(piece, &mut out);
            }
            assert_eq!(out, expected, "in pieces of {size}");
            assert_eq!(&input[taken..], rest, "in pieces of {size}");
        }
    }

    #[test]
    fn a_snapshot_ends_after_its_length() {
        check(SnapshotEnd::After(5), b"REDIS*1\r\n", b"REDIS", b"*1\r\n");
        check(SnapshotEnd::After(0), b"*1", b"", b"*1");
    }

    #[test]
    fn a_snapshot_ends_with_its_mark() {
        // A part of the mark within the data is data.
        let parts = [&MARK[..30], b"x", &MARK[1..], &MARK[..39]].concat();
        for data in [&b""[..], b"REDIS...", &parts, &[b'0'; 100]] {
            for rest in [&b""[..], b"*1\r\n$4\r\nPING\r\n", MARK] {
                let input = [data, MARK, rest].concat();
                check(SnapshotEnd::Mark(*MARK), &input, data, rest);
            }
        }
    }

    #[test]
    fn the_mark_is_found_at_every_place() {
        for before in 0..200 {
            let bytes = [&vec![b'0'; before][..], &MARK[..], b"0123"].concat();
            assert_eq!(find(MARK, &bytes), Some(before));
            assert_eq!(find(MARK, &bytes[..before + MARK_BYTES - 1]), None);
        }
    }
}
