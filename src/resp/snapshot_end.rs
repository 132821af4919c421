//! How the end of a snapshot is known, as the line before it says: the snapshot that answers SYNC and PSYNC.
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

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: &[u8; MARK_BYTES] = b"0123456789012345678901234567890123456789";

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
}
