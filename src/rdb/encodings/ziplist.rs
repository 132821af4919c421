//! The ziplist, the packed encoding of Redis 2.4 to 6.2: small lists, hashes and sorted sets.
//!
//! ```text
//! zlbytes   zltail    zllen  entry entry ... FF
//! u32       u32       u16
//! |         |         |
//! |         |         number of entries; FFFF: it does not fit, count them
//! |         where the last entry begins
//! size of the whole block
//!
//! entry:    prevlen  encoding  data
//!           |        |
//!           |        00xxxxxx                    text of x bytes
//!           |        01xxxxxx xxxxxxxx           text of x bytes, 14 bits big-endian
//!           |        10...... + u32 big-endian   text of that many bytes
//!           |        C0 D0 E0 F0 FE              i16, i32, i64, i24, i8 follows, little-endian
//!           |        F1 to FD                    the integer 0 to 12, with no data
//!           size of the entry before, to walk backwards: one byte, or FE and a u32
//!
//! ["a", "1024"]:  12 00 00 00  0D 00 00 00  02 00  00 01 61  03 C0 00 04  FF
//! ```

use byteorder::{BigEndian, ByteOrder, LittleEndian};

use super::{Cursor, EncodingError, Entry};

const HEADER_SIZE: usize = 10;
const END: u8 = 0xFF;
/// The value of `zllen` for "not known, count the entries".
const UNKNOWN_LEN: u16 = u16::MAX;
/// The first byte of a `prevlen` of five bytes.
const LONG_PREVLEN: u8 = 0xFE;

/// Iterates over the entries of a ziplist. After an error, further items have no meaning.
#[derive(Clone, Debug)]
pub struct Ziplist<'a> {
    cursor: Cursor<'a>,
    tail: usize,
    announced: u16,
    seen: usize,
    last_entry: usize,
}

impl<'a> Ziplist<'a> {
    /// Checks the header.
    pub fn new(block: &'a [u8]) -> Result<Ziplist<'a>, EncodingError> {
        let mut cursor = Cursor::new(block);
        let header = cursor.take(HEADER_SIZE)?;
        if LittleEndian::read_u32(&header[0..4]) as usize != block.len() {
            return Err(EncodingError::new(
                0,
                "zlbytes is not the size of the ziplist",
            ));
        }
        Ok(Ziplist {
            cursor,
            tail: LittleEndian::read_u32(&header[4..8]) as usize,
            announced: LittleEndian::read_u16(&header[8..10]),
            seen: 0,
            last_entry: HEADER_SIZE,
        })
    }

    /// The offset in the block at which the next entry begins.
    pub(in crate::rdb) fn position(&self) -> usize {
        self.cursor.at
    }

    fn entry(&mut self) -> Result<Option<Entry<'a>>, EncodingError> {
        let start = self.cursor.at;
        let prevlen = match self.cursor.byte()? {
            END => return self.check_end(start),
            LONG_PREVLEN => LittleEndian::read_u32(self.cursor.take(4)?) as usize,
            short => usize::from(short),
        };
        let previous_size = if self.seen == 0 {
            0
        } else {
            start - self.last_entry
        };
        if prevlen != previous_size {
            return Err(EncodingError::new(
                start,
                "prevlen is not the size of the entry before",
            ));
        }
        let entry = self.content()?;
        self.last_entry = start;
        self.seen += 1;
        Ok(Some(entry))
    }

    fn content(&mut self) -> Result<Entry<'a>, EncodingError> {
        let at = self.cursor.at;
        let encoding = self.cursor.byte()?;
        let integer = match encoding {
            0x00..=0x3F => return self.cursor.take(usize::from(encoding)).map(Entry::Text),
            0x40..=0x7F => {
                let len = usize::from(encoding & 0x3F) << 8 | usize::from(self.cursor.byte()?);
                return self.cursor.take(len).map(Entry::Text);
            }
            0x80..=0xBF => {
                let len = BigEndian::read_u32(self.cursor.take(4)?) as usize;
                return self.cursor.take(len).map(Entry::Text);
            }
            0xC0 => i64::from(LittleEndian::read_i16(self.cursor.take(2)?)),
            0xD0 => i64::from(LittleEndian::read_i32(self.cursor.take(4)?)),
            0xE0 => LittleEndian::read_i64(self.cursor.take(8)?),
            0xF0 => i64::from(LittleEndian::read_i24(self.cursor.take(3)?)),
            0xF1..=0xFD => i64::from(encoding - 0xF1),
            0xFE => i64::from(self.cursor.byte()? as i8),
            _ => return Err(EncodingError::new(at, "unknown ziplist encoding")),
        };
        Ok(Entry::Integer(integer))
    }

    /// Checks the header against the entries.
    fn check_end(&self, end: usize) -> Result<Option<Entry<'a>>, EncodingError> {
        if !self.cursor.is_at_end() {
            return Err(EncodingError::new(
                end,
                "the ziplist ends before its last byte",
            ));
        }
        if self.announced != UNKNOWN_LEN && usize::from(self.announced) != self.seen {
            return Err(EncodingError::new(8, "zllen is not the number of entries"));
        }
        // An empty list has no last entry.
        if self.seen > 0 && self.tail != self.last_entry {
            return Err(EncodingError::new(
                4,
                "zltail is not where the last entry begins",
            ));
        }
        Ok(None)
    }
}

impl<'a> Iterator for Ziplist<'a> {
    type Item = Result<Entry<'a>, EncodingError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.entry().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(block: &[u8]) -> Result<Vec<Entry<'_>>, EncodingError> {
        Ziplist::new(block)?.collect()
    }

    /// A ziplist around `entries`, with a header that fits.
    fn ziplist(entries: &[u8], tail: u32, count: u16) -> Vec<u8> {
        let size = (HEADER_SIZE + entries.len() + 1) as u32;
        [
            &size.to_le_bytes()[..],
            &tail.to_le_bytes(),
            &count.to_le_bytes(),
            entries,
            &[END],
        ]
        .concat()
    }

    #[test]
    fn every_encoding_is_read() {
        let entries = b"\x00\x01a\x03\x40\x02bc\x05\x80\x00\x00\x00\x01d\x07\xC0\x00\x04\x04\xD0\x00\x00\x01\x00\
            \x06\xE0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F\x0A\xF0\xFF\xFF\xFF\x05\xF1\x02\xFD\x02\xFE\x80";
        let expected = [
            Entry::Text(b"a"),
            Entry::Text(b"bc"),
            Entry::Text(b"d"),
            Entry::Integer(1024),
            Entry::Integer(65536),
            Entry::Integer(i64::MAX),
            Entry::Integer(-1),
            Entry::Integer(0),
            Entry::Integer(12),
            Entry::Integer(-128),
        ];
        let tail = (HEADER_SIZE + entries.len() - 3) as u32;
        assert_eq!(
            decode(&ziplist(entries, tail, 10)).as_deref(),
            Ok(&expected[..])
        );
        assert_eq!(
            decode(&ziplist(entries, tail, UNKNOWN_LEN)).as_deref(),
            Ok(&expected[..])
        );
    }

    #[test]
    fn a_long_entry_is_followed_by_a_long_prevlen() {
        let text = [b'x'; 300];
        let entries = [b"\x00\x41\x2C", &text[..], b"\xFE\x2F\x01\x00\x00\xF2"].concat();
        let block = ziplist(&entries, (HEADER_SIZE + 303) as u32, 2);
        assert_eq!(
            decode(&block),
            Ok(vec![Entry::Text(&text), Entry::Integer(1)])
        );
    }

    #[test]
    fn damage_is_named() {
        let good = ziplist(b"\x00\x01a\x03\xC0\x00\x04", 13, 2);
        assert!(decode(&good).is_ok());
        for (place, byte, at, what) in [
            (0, 19, 0, "zlbytes is not the size of the ziplist"),
            (4, 10, 4, "zltail is not where the last entry begins"),
            (8, 3, 8, "zllen is not the number of entries"),
            (11, 63, 12, "entry runs past the end"),
            (13, 4, 13, "prevlen is not the size of the entry before"),
            (13, 255, 13, "the ziplist ends before its last byte"),
            (14, 0xC1, 14, "unknown ziplist encoding"),
            (17, 4, 18, "entry runs past the end"),
        ] {
            let mut bad = good.clone();
            bad[place] = byte;
            assert_eq!(decode(&bad), Err(EncodingError { at, what }));
        }
    }
}
