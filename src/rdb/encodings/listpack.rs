//! The listpack, the successor of the ziplist: for streams since Redis 5.0, for all small collections since 7.0.
//!
//! ```text
//! bytes   count   entry entry ... FF
//! u32     u16
//! |       |
//! |       number of entries; FFFF: it does not fit, count them
//! size of the whole block
//!
//! entry:  encoding  data  backlen
//!         |               |
//!         |               size of encoding and data, to walk backwards: 7 bits a byte, highest first, 1 to 5 bytes;
//!         |               all bytes except the first have their highest bit set, so that a backward walk finds the
//! first
//!         0xxxxxxx                      the integer x, 0 to 127
//!         10xxxxxx                      text of x bytes
//!         110xxxxx xxxxxxxx             the integer x, 13 bits with sign
//!         1110xxxx xxxxxxxx             text of x bytes, 12 bits
//!         F0 + u32                      text of that many bytes
//!         F1 F2 F3 F4                   i16, i24, i32, i64 follows
//! ```
//!
//! Numbers of several bytes are little-endian, except within the encoding itself (13 and 12 bits) and the backlen. An
//! entry of a ziplist contains the size of the entry before it, so one change may cause a change of every later entry.
//! An entry of a listpack contains nothing about other entries.

use byteorder::{ByteOrder, LittleEndian};

use super::{Cursor, EncodingError, Entry};
use crate::types::listpack::backlen_size;

const HEADER_SIZE: usize = 6;
const END: u8 = 0xFF;
/// The value of `count` for "not known, count the entries".
const UNKNOWN_COUNT: u16 = u16::MAX;

/// Iterates over the entries of a listpack. After an error, further items have no meaning.
#[derive(Clone, Debug)]
pub struct Listpack<'a> {
    cursor: Cursor<'a>,
    announced: u16,
    seen: usize,
}

impl<'a> Listpack<'a> {
    /// Checks the header.
    pub fn new(block: &'a [u8]) -> Result<Listpack<'a>, EncodingError> {
        let mut cursor = Cursor::new(block);
        let header = cursor.take(HEADER_SIZE)?;
        if LittleEndian::read_u32(&header[0..4]) as usize != block.len() {
            return Err(EncodingError::new(
                0,
                "the size is not that of the listpack",
            ));
        }
        Ok(Listpack {
            cursor,
            announced: LittleEndian::read_u16(&header[4..6]),
            seen: 0,
        })
    }

    /// The offset in the block at which the next entry begins.
    pub fn position(&self) -> usize {
        self.cursor.at
    }

    fn entry(&mut self) -> Result<Option<Entry<'a>>, EncodingError> {
        if let Some(entry) = self.short_entry() {
            return Ok(Some(entry));
        }
        let start = self.cursor.at;
        if self.cursor.peek()? == END {
            return self.check_end(start);
        }
        let entry = self.content()?;
        self.check_backlen(self.cursor.at - start)?;
        self.seen += 1;
        Ok(Some(entry))
    }

    /// The next entry, if it is one of the two most frequent kinds, a small integer or a short text, and is right.
    #[inline]
    fn short_entry(&mut self) -> Option<Entry<'a>> {
        let rest = &self.cursor.block[self.cursor.at..];
        let head = *rest.first()?;
        let size = match head {
            0x00..=0x7F => 1,
            0x80..=0xBF => 1 + usize::from(head & 0x3F),
            _ => return None,
        };
        if *rest.get(size)? != size as u8 {
            return None;
        }
        self.cursor.at += size + 1;
        self.seen += 1;
        Some(match head {
            0x00..=0x7F => Entry::Integer(i64::from(head)),
            _ => Entry::Text(&rest[1..size]),
        })
    }

    fn content(&mut self) -> Result<Entry<'a>, EncodingError> {
        let at = self.cursor.at;
        let encoding = self.cursor.byte()?;
        let integer = match encoding {
            0x00..=0x7F => i64::from(encoding),
            0x80..=0xBF => {
                return self
                    .cursor
                    .take(usize::from(encoding & 0x3F))
                    .map(Entry::Text);
            }
            0xC0..=0xDF => {
                // The 13 bits go to the top of an i16, so that shifting them back spreads their sign.
                let bits = u16::from(encoding) << 8 | u16::from(self.cursor.byte()?);
                i64::from((bits << 3) as i16 >> 3)
            }
            0xE0..=0xEF => {
                let len = usize::from(encoding & 0x0F) << 8 | usize::from(self.cursor.byte()?);
                return self.cursor.take(len).map(Entry::Text);
            }
            0xF0 => {
                let len = LittleEndian::read_u32(self.cursor.take(4)?) as usize;
                return self.cursor.take(len).map(Entry::Text);
            }
            0xF1 => i64::from(LittleEndian::read_i16(self.cursor.take(2)?)),
            0xF2 => i64::from(LittleEndian::read_i24(self.cursor.take(3)?)),
            0xF3 => i64::from(LittleEndian::read_i32(self.cursor.take(4)?)),
            0xF4 => LittleEndian::read_i64(self.cursor.take(8)?),
            _ => return Err(EncodingError::new(at, "unknown listpack encoding")),
        };
        Ok(Entry::Integer(integer))
    }

    /// Checks that the backlen after an entry of `size` bytes is `size`.
    fn check_backlen(&mut self, size: usize) -> Result<(), EncodingError> {
        let at = self.cursor.at;
        let backlen = self.cursor.take(backlen_size(size))?;
        let value = backlen
            .iter()
            .fold(0, |value, byte| value << 7 | usize::from(byte & 0x7F));
        let goes_on = backlen.iter().map(|byte| byte & 0x80 != 0);
        if value == size && goes_on.eq((0..backlen.len()).map(|index| index > 0)) {
            Ok(())
        } else {
            Err(EncodingError::new(
                at,
                "backlen is not the size of its entry",
            ))
        }
    }

    fn check_end(&mut self, end: usize) -> Result<Option<Entry<'a>>, EncodingError> {
        if end + 1 != self.cursor.block.len() {
            return Err(EncodingError::new(
                end,
                "the listpack ends before its last byte",
            ));
        }
        if self.announced != UNKNOWN_COUNT && usize::from(self.announced) != self.seen {
            return Err(EncodingError::new(
                4,
                "the count is not the number of entries",
            ));
        }
        Ok(None)
    }
}

impl<'a> Iterator for Listpack<'a> {
    type Item = Result<Entry<'a>, EncodingError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.entry().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(block: &[u8]) -> Result<Vec<Entry<'_>>, EncodingError> {
        Listpack::new(block)?.collect()
    }

    /// A listpack around `entries`, with a header that fits.
    fn listpack(entries: &[u8], count: u16) -> Vec<u8> {
        let size = (HEADER_SIZE + entries.len() + 1) as u32;
        [
            &size.to_le_bytes()[..],
            &count.to_le_bytes(),
            entries,
            &[END],
        ]
        .concat()
    }

    #[test]
    fn every_encoding_is_read() {
        let entries =
            b"\x00\x01\x7F\x01\x81a\x02\xCF\xFF\x02\xD0\x00\x02\xDF\xFF\x02\xE0\x02bc\x04\
            \xF0\x01\x00\x00\x00d\x06\xF1\x00\x80\x03\xF2\xFF\xFF\x7F\x04\xF3\x00\x00\x00\x80\x05\
            \xF4\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F\x09";
        let expected = [
            Entry::Integer(0),
            Entry::Integer(127),
            Entry::Text(b"a"),
            Entry::Integer(4095),
            Entry::Integer(-4096),
            Entry::Integer(-1),
            Entry::Text(b"bc"),
            Entry::Text(b"d"),
            Entry::Integer(-32768),
            Entry::Integer(8_388_607),
            Entry::Integer(-2_147_483_648),
            Entry::Integer(i64::MAX),
        ];
        assert_eq!(decode(&listpack(entries, 12)).as_deref(), Ok(&expected[..]));
        assert_eq!(
            decode(&listpack(entries, UNKNOWN_COUNT)).as_deref(),
            Ok(&expected[..])
        );
    }

    /// Entries of 127, 128, 16382 and 16383 bytes, where the backlen grows. Redis 7.0.15 wrote these very backlens.
    #[test]
    fn the_backlen_grows_with_its_entry() {
        for (text_len, head, backlen) in [
            (125, &b"\xE0\x7D"[..], &b"\x7F"[..]),
            (126, b"\xE0\x7E", b"\x01\x80"),
            (16_377, b"\xF0\xF9\x3F\x00\x00", b"\x7F\xFE"),
            (16_378, b"\xF0\xFA\x3F\x00\x00", b"\x00\xFF\xFF"),
        ] {
            let text = vec![b'x'; text_len];
            let block = listpack(&[head, &text, backlen].concat(), 1);
            assert_eq!(decode(&block), Ok(vec![Entry::Text(&text)]), "{text_len}");
        }
    }

    #[test]
    fn damage_is_named() {
        let good = listpack(b"\x81a\x02\x07\x01", 2);
        assert!(decode(&good).is_ok());
        for (place, byte, at, what) in [
            (0, 13, 0, "the size is not that of the listpack"),
            (4, 3, 4, "the count is not the number of entries"),
            (6, 0xBF, 7, "entry runs past the end"),
            (6, 0xF5, 6, "unknown listpack encoding"),
            (8, 3, 8, "backlen is not the size of its entry"),
            (8, 0x82, 8, "backlen is not the size of its entry"),
            (9, 0xFF, 9, "the listpack ends before its last byte"),
            (11, 0, 12, "entry runs past the end"),
        ] {
            let mut bad = good.clone();
            bad[place] = byte;
            assert_eq!(decode(&bad), Err(EncodingError { at, what }));
        }
    }
}
