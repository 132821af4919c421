//! The ID of a stream's entry.

use byteorder::{BigEndian, ByteOrder};
use std::fmt;

/// The ID of an entry, `1526919030474-55`: when it was added, and a number within that millisecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// The part before the dash: usually Unix time in milliseconds.
    pub ms: u64,
    /// The part after the dash: the number.
    pub seq: u64,
}

impl StreamId {
    /// `0-0`, which no entry has: the last ID of a stream that never had an entry.
    pub const MIN: StreamId = StreamId { ms: 0, seq: 0 };
    /// The largest ID: a stream with it takes no more entries.
    pub const MAX: StreamId = StreamId {
        ms: u64::MAX,
        seq: u64::MAX,
    };

    /// An ID of these two parts.
    pub const fn new(ms: u64, seq: u64) -> StreamId {
        StreamId { ms, seq }
    }

    /// The smallest ID that is larger; `None` after [`MAX`](Self::MAX).
    pub fn next(self) -> Option<StreamId> {
        match (self.ms.checked_add(1), self.seq.checked_add(1)) {
            (_, Some(seq)) => Some(StreamId { seq, ..self }),
            (Some(ms), None) => Some(StreamId { ms, seq: 0 }),
            (None, None) => None,
        }
    }

    /// The largest ID that is smaller; `None` before [`MIN`](Self::MIN).
    pub fn previous(self) -> Option<StreamId> {
        match (self.ms.checked_sub(1), self.seq.checked_sub(1)) {
            (_, Some(seq)) => Some(StreamId { seq, ..self }),
            (Some(ms), None) => Some(StreamId { ms, seq: u64::MAX }),
            (None, None) => None,
        }
    }

    /// Both parts, big-endian: so IDs as bytes have the order of IDs. RDB files hold them so.
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        BigEndian::write_u64(&mut bytes[..8], self.ms);
        BigEndian::write_u64(&mut bytes[8..], self.seq);
        bytes
    }

    /// The ID of which these are the [bytes](Self::to_bytes).
    pub fn from_bytes(bytes: &[u8; 16]) -> StreamId {
        StreamId {
            ms: BigEndian::read_u64(&bytes[..8]),
            seq: BigEndian::read_u64(&bytes[8..]),
        }
    }

    /// The ID as clients see it, written into `buffer`.
    pub fn text(self, buffer: &mut IdBuffer) -> &[u8] {
        let mut digits = itoa::Buffer::new();
        let ms = digits.format(self.ms).as_bytes();
        let dash = ms.len();
        buffer.0[..dash].copy_from_slice(ms);
        buffer.0[dash] = b'-';
        let seq = digits.format(self.seq).as_bytes();
        let end = dash + 1 + seq.len();
        buffer.0[dash + 1..end].copy_from_slice(seq);
        &buffer.0[..end]
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// Room for the text of an ID: twice 20 digits and a dash.
#[derive(Debug)]
pub struct IdBuffer([u8; 41]);

impl IdBuffer {
    /// Room for one text.
    pub fn new() -> IdBuffer {
        IdBuffer([0; 41])
    }
}

impl Default for IdBuffer {
    fn default() -> Self {
        IdBuffer::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours() {
        let id = StreamId::new;
        for (lower, upper) in [
            (id(0, 0), id(0, 1)),
            (id(5, u64::MAX), id(6, 0)),
            (id(u64::MAX, u64::MAX - 1), StreamId::MAX),
        ] {
            assert_eq!(lower.next(), Some(upper));
            assert_eq!(upper.previous(), Some(lower));
        }
        assert_eq!(StreamId::MAX.next(), None);
        assert_eq!(StreamId::MIN.previous(), None);
    }

    #[test]
    fn texts_and_bytes() {
        for (id, text) in [
            (StreamId::MIN, "0-0"),
            (StreamId::new(1526919030474, 55), "1526919030474-55"),
            (StreamId::MAX, "18446744073709551615-18446744073709551615"),
        ] {
            assert_eq!(id.text(&mut IdBuffer::new()), text.as_bytes());
            assert_eq!(id.to_string(), text);
            assert_eq!(StreamId::from_bytes(&id.to_bytes()), id);
        }
        assert_eq!(
            StreamId::new(1, 258).to_bytes(),
            [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 2]
        );
    }
}
