//! The intset: a small set of integers only, sorted. All have the width that the widest one needs.
//!
//! ```text
//! encoding   length   members, ascending
//! u32        u32      length times i16, i32 or i64 for encoding 2, 4 or 8; everything is little-endian
//!
//! {-1, 5}    02 00 00 00  02 00 00 00  FF FF  05 00
//! ```

use byteorder::{ByteOrder, LittleEndian};

use super::{Cursor, EncodingError, Entry};

const HEADER_SIZE: usize = 8;

/// Iterates over the members of an intset. After an error, further items have no meaning.
#[derive(Clone, Debug)]
pub struct Intset<'a> {
    cursor: Cursor<'a>,
    width: usize,
    previous: Option<i64>,
}

impl<'a> Intset<'a> {
    /// Checks the header. An intset is never empty.
    pub fn new(block: &'a [u8]) -> Result<Intset<'a>, EncodingError> {
        let mut cursor = Cursor::new(block);
        let header = cursor.take(HEADER_SIZE)?;
        let width = LittleEndian::read_u32(&header[0..4]) as usize;
        if !matches!(width, 2 | 4 | 8) {
            return Err(EncodingError::new(
                0,
                "integers of neither 2, 4 nor 8 bytes",
            ));
        }
        let length = LittleEndian::read_u32(&header[4..8]) as usize;
        if length == 0 || length.checked_mul(width) != Some(block.len() - HEADER_SIZE) {
            return Err(EncodingError::new(
                4,
                "the length is not the number of members",
            ));
        }
        Ok(Intset {
            cursor,
            width,
            previous: None,
        })
    }

    /// The offset in the block at which the next member begins.
    pub(in crate::rdb) fn position(&self) -> usize {
        self.cursor.at
    }

    fn member(&mut self) -> Result<i64, EncodingError> {
        let at = self.cursor.at;
        let member = LittleEndian::read_int(self.cursor.take(self.width)?, self.width);
        // Strict order also excludes duplicates.
        if self.previous.is_some_and(|previous| previous >= member) {
            return Err(EncodingError::new(
                at,
                "the members are not in ascending order",
            ));
        }
        self.previous = Some(member);
        Ok(member)
    }
}

impl<'a> Iterator for Intset<'a> {
    type Item = Result<Entry<'a>, EncodingError>;

    fn next(&mut self) -> Option<Self::Item> {
        (!self.cursor.is_at_end()).then(|| self.member().map(Entry::Integer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(block: &[u8]) -> Result<Vec<Entry<'_>>, EncodingError> {
        Intset::new(block)?.collect()
    }

    #[test]
    fn members_of_each_width_are_read() {
        for (block, expected) in [
            (&b"\x02\0\0\0\x02\0\0\0\xFF\xFF\x05\0"[..], [-1, 5]),
            (
                b"\x04\0\0\0\x02\0\0\0\x00\x00\x00\x80\x05\0\0\0",
                [-2_147_483_648, 5],
            ),
            (
                b"\x08\0\0\0\x02\0\0\0\x05\0\0\0\0\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F",
                [5, i64::MAX],
            ),
        ] {
            assert_eq!(decode(block), Ok(expected.map(Entry::Integer).to_vec()));
        }
    }

    #[test]
    fn damage_is_named() {
        for (block, at, what) in [
            (&b"\x02\0\0\0\x01\0\0"[..], 0, "entry runs past the end"),
            (
                b"\x03\0\0\0\x01\0\0\0\0\0\0",
                0,
                "integers of neither 2, 4 nor 8 bytes",
            ),
            (
                b"\x02\0\0\0\x02\0\0\0\0\0",
                4,
                "the length is not the number of members",
            ),
            (
                b"\x02\0\0\0\0\0\0\0",
                4,
                "the length is not the number of members",
            ),
            (
                b"\x02\0\0\0\x02\0\0\0\x05\0\x05\0",
                10,
                "the members are not in ascending order",
            ),
        ] {
            assert_eq!(decode(block), Err(EncodingError { at, what }));
        }
    }
}
