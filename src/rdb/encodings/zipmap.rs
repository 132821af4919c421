//! The zipmap: a small hash before Redis 2.6.
//!
//! ```text
//! zmlen   len key   len free value ....   len key   len free value ...   FF
//! u8      |             |          |
//! |       |             |          `free` unused bytes, because an earlier value was longer
//! |       |             u8
//! |       one byte below 254, or FE and a u32, little-endian
//! number of fields, at least one; 254: it does not fit, count them
//!
//! {"f": "v1"}   01  01 66  02 00 76 31  FF
//! ```

use byteorder::{ByteOrder, LittleEndian};

use super::{Cursor, EncodingError, Entry};

const END: u8 = 0xFF;
/// The first byte of a length of five bytes.
const LONG_LEN: u8 = 0xFE;
/// The value of `zmlen` for "not known, count the fields". Redis never writes 255, and compares it with the number of
/// fields.
const UNKNOWN_LEN: u8 = 254;

/// Iterates over fields and values, alternating. After an error, further items have no meaning.
#[derive(Clone, Debug)]
pub struct Zipmap<'a> {
    cursor: Cursor<'a>,
    announced: u8,
    seen: usize,
    /// Whether a value comes next, with the byte `free` before it.
    at_value: bool,
}

impl<'a> Zipmap<'a> {
    /// Reads the header.
    pub fn new(block: &'a [u8]) -> Result<Zipmap<'a>, EncodingError> {
        let mut cursor = Cursor::new(block);
        let announced = cursor.byte()?;
        Ok(Zipmap {
            cursor,
            announced,
            seen: 0,
            at_value: false,
        })
    }

    /// The offset in the block at which the next entry begins.
    pub(in crate::rdb) fn position(&self) -> usize {
        self.cursor.at
    }

    fn entry(&mut self) -> Result<Option<Entry<'a>>, EncodingError> {
        let start = self.cursor.at;
        let len = match self.cursor.byte()? {
            END if self.at_value => {
                return Err(EncodingError::new(start, "a field without a value"));
            }
            END => return self.check_end(start),
            LONG_LEN => LittleEndian::read_u32(self.cursor.take(4)?) as usize,
            len => usize::from(len),
        };
        let text = if self.at_value {
            let free = self.cursor.byte()?;
            let value = self.cursor.take(len)?;
            self.cursor.take(usize::from(free))?;
            value
        } else {
            self.seen += 1;
            self.cursor.take(len)?
        };
        self.at_value = !self.at_value;
        Ok(Some(Entry::Text(text)))
    }

    fn check_end(&self, end: usize) -> Result<Option<Entry<'a>>, EncodingError> {
        if !self.cursor.is_at_end() {
            return Err(EncodingError::new(
                end,
                "the zipmap ends before its last byte",
            ));
        }
        if self.seen == 0 {
            return Err(EncodingError::new(end, "a zipmap without fields"));
        }
        if self.announced != UNKNOWN_LEN && usize::from(self.announced) != self.seen {
            return Err(EncodingError::new(0, "zmlen is not the number of fields"));
        }
        Ok(None)
    }
}

impl<'a> Iterator for Zipmap<'a> {
    type Item = Result<Entry<'a>, EncodingError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.entry().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(block: &[u8]) -> Result<Vec<Entry<'_>>, EncodingError> {
        Zipmap::new(block)?.collect()
    }

    #[test]
    fn fields_and_values_are_read() {
        let expected = [&b"f"[..], b"v1", b"g", b""].map(Entry::Text).to_vec();
        // The second count is "not known", the first value has three unused bytes, the second field a length of five
        // bytes.
        for count in [2, 254] {
            let block = [
                &[count][..],
                b"\x01f\x02\x03v1???\xFE\x01\0\0\0g\x00\x00\xFF",
            ]
            .concat();
            assert_eq!(decode(&block), Ok(expected.clone()), "{count}");
        }
    }

    #[test]
    fn a_count_of_255_does_not_say_walk() {
        let fields =
            |count: usize| [&b"\xFF"[..], &b"\x01f\x00\x00".repeat(count), b"\xFF"].concat();
        assert_eq!(decode(&fields(255)).map(|entries| entries.len()), Ok(510));
        let what = "zmlen is not the number of fields";
        assert_eq!(decode(&fields(2)), Err(EncodingError { at: 0, what }));
        assert_eq!(decode(&fields(256)), Err(EncodingError { at: 0, what }));
    }

    #[test]
    fn damage_is_named() {
        for (block, at, what) in [
            (&b""[..], 0, "entry runs past the end"),
            (b"\x00\xFF", 1, "a zipmap without fields"),
            (b"\xFE\xFF", 1, "a zipmap without fields"),
            (
                b"\x02\x01f\x00\x00\xFF",
                0,
                "zmlen is not the number of fields",
            ),
            (b"\x01\x01f\xFF", 3, "a field without a value"),
            (
                b"\x01\x01f\xFF\x02\0\0\0\x00v1\xFF",
                3,
                "a field without a value",
            ),
            (
                b"\x01\x01f\x02\x00v1\xFF\xFF",
                7,
                "the zipmap ends before its last byte",
            ),
            (b"\x01\x01f\x02\x09v1\xFF", 7, "entry runs past the end"),
            (b"\x01\xFE\xFF\xFF\xFF\xFFf", 6, "entry runs past the end"),
        ] {
            assert_eq!(decode(block), Err(EncodingError { at, what }));
        }
    }
}
