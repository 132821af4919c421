//! The elements of a listpack, in which a block of a stream keeps its entries. The layout is Redis' own, byte for byte,
//! so an RDB file holds the bytes that lie in memory; [`rdb::encodings::listpack`] draws it.
//!
//! This reader is fast and trusts the bytes. Those of a file are read by that of [`rdb::encodings::listpack`] first,
//! which checks every element. Small collections of other types are not kept in listpacks but in blocks of
//! [`packed`](super::packed), which take fewer bytes.
//!
//! [`rdb::encodings::listpack`]: crate::rdb::encodings::listpack

use crate::util::number;
use byteorder::{ByteOrder, LittleEndian};

/// Bytes before the first element: the size of the whole (u32) and the number of elements (u16).
pub(crate) const HEADER: usize = 6;
/// The last byte.
pub(crate) const END: u8 = 0xFF;
/// The number of elements in the header, if it does not fit there.
const UNKNOWN_COUNT: u16 = u16::MAX;

/// A string or an integer in a block. A string that looks like an integer is kept as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element<'a> {
    /// An integer; clients see its decimal text.
    Integer(i64),
    /// Any other string.
    Text(&'a [u8]),
}

impl<'a> Element<'a> {
    /// The string, which is written into `buffer` if it is kept as an integer.
    #[inline]
    pub fn text<'b>(self, buffer: &'b mut itoa::Buffer) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Element::Integer(integer) => buffer.format(integer).as_bytes(),
            Element::Text(text) => text,
        }
    }

    /// The integer. A text gives 0, but stands nowhere that a block has an integer.
    #[inline]
    pub(super) fn integer(self) -> i64 {
        match self {
            Element::Integer(integer) => integer,
            Element::Text(_) => 0,
        }
    }
}

/// Stores the size of the whole in the header.
pub(super) fn store_size(bytes: &mut [u8]) {
    let size = bytes.len() as u32;
    LittleEndian::write_u32(&mut bytes[..4], size);
}

/// Adds to the number of elements in the header.
pub(super) fn count_elements(bytes: &mut [u8], added: usize) {
    let count = LittleEndian::read_u16(&bytes[4..HEADER]);
    let sum = usize::from(count).saturating_add(added);
    let count = u16::try_from(sum).unwrap_or(UNKNOWN_COUNT);
    LittleEndian::write_u16(&mut bytes[4..HEADER], count);
}

/// Appends a string, in the shortest form.
pub(super) fn push_text(bytes: &mut Vec<u8>, text: &[u8]) {
    if let Some(integer) = number::parse_i64(text) {
        return push_integer(bytes, integer);
    }
    let start = bytes.len();
    match text.len() {
        len @ 0..64 => bytes.push(0x80 | len as u8),
        len @ 64..4096 => bytes.extend_from_slice(&[0xE0 | (len >> 8) as u8, len as u8]),
        len => {
            bytes.push(0xF0);
            bytes.extend_from_slice(&(len as u32).to_le_bytes());
        }
    }
    bytes.extend_from_slice(text);
    push_backlen(bytes, start);
}

/// Appends an integer, in the shortest form.
pub(super) fn push_integer(bytes: &mut Vec<u8>, integer: i64) {
    let start = bytes.len();
    let little = integer.to_le_bytes();
    match integer {
        0..=0x7F => bytes.push(integer as u8),
        -0x1000..=0xFFF => {
            bytes.extend_from_slice(&[0xC0 | (integer >> 8) as u8 & 0x1F, integer as u8]);
        }
        -0x8000..=0x7FFF => {
            bytes.push(0xF1);
            bytes.extend_from_slice(&little[..2]);
        }
        -0x80_0000..=0x7F_FFFF => {
            bytes.push(0xF2);
            bytes.extend_from_slice(&little[..3]);
        }
        -0x8000_0000..=0x7FFF_FFFF => {
            bytes.push(0xF3);
            bytes.extend_from_slice(&little[..4]);
        }
        _ => {
            bytes.push(0xF4);
            bytes.extend_from_slice(&little);
        }
    }
    push_backlen(bytes, start);
}

/// Appends the size of the element that begins at `start`.
fn push_backlen(bytes: &mut Vec<u8>, start: usize) {
    let size = bytes.len() - start;
    let digits = backlen_size(size);
    for digit in (0..digits).rev() {
        let continues = if digit + 1 == digits { 0 } else { 0x80 };
        bytes.push((size >> (7 * digit)) as u8 & 0x7F | continues);
    }
}

/// The number of bytes of the backlen of an element of `size` bytes.
///
/// Beyond one byte, the limits are one less than the bits allow (14 bits allow 16383). They are part of the format,
/// since Redis writes them so.
pub(crate) fn backlen_size(size: usize) -> usize {
    match size {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    }
}

/// The head of the element at `at`: the sizes of its encoding and of its data.
#[inline]
fn sizes(bytes: &[u8], at: usize) -> (usize, usize) {
    match bytes[at] {
        0x00..=0x7F => (1, 0),
        head @ 0x80..=0xBF => (1, usize::from(head & 0x3F)),
        0xC0..=0xDF => (2, 0),
        head @ 0xE0..=0xEF => (
            2,
            usize::from(head & 0x0F) << 8 | usize::from(bytes[at + 1]),
        ),
        0xF0 => (5, LittleEndian::read_u32(&bytes[at + 1..at + 5]) as usize),
        0xF1 => (1, 2),
        0xF2 => (1, 3),
        0xF3 => (1, 4),
        _ => (1, 8),
    }
}

/// As [`skip`], of bytes that nothing has checked: `None` if the element is not whole. An element of an encoding that
/// is seldom in streams, a string of 4096 bytes or more, gives `None` too.
#[inline]
pub(crate) fn checked_skip(bytes: &[u8], at: usize) -> Option<usize> {
    let size = match *bytes.get(at)? {
        0x00..=0x7F => 1,
        head @ 0x80..=0xBF => 1 + usize::from(head & 0x3F),
        0xC0..=0xDF => 2,
        head @ 0xE0..=0xEF => {
            2 + (usize::from(head & 0x0F) << 8 | usize::from(*bytes.get(at + 1)?))
        }
        0xF1 => 3,
        0xF2 => 4,
        0xF3 => 5,
        0xF4 => 9,
        _ => return None,
    };
    let backlen = bytes.get(at + size..)?;
    match size {
        ..128 if *backlen.first()? == size as u8 => Some(at + size + 1),
        128.. if backlen.get(..2)? == [(size >> 7) as u8, size as u8 | 0x80] => Some(at + size + 2),
        _ => None,
    }
}

/// Where the element after the one at `at` begins.
#[inline]
pub(super) fn skip(bytes: &[u8], at: usize) -> usize {
    let (head, data) = sizes(bytes, at);
    at + head + data + backlen_size(head + data)
}

/// The element at `at`, and where the next one begins.
#[inline]
pub(crate) fn read(bytes: &[u8], at: usize) -> (Element<'_>, usize) {
    let (head, data) = sizes(bytes, at);
    let content = &bytes[at + head..at + head + data];
    let element = match bytes[at] {
        small @ 0x00..=0x7F => Element::Integer(i64::from(small)),
        first @ 0xC0..=0xDF => {
            // The 13 bits go to the top of an i16, so that shifting them back spreads their sign.
            let bits = u16::from(first) << 8 | u16::from(bytes[at + 1]);
            Element::Integer(i64::from((bits << 3) as i16 >> 3))
        }
        0xF1..=0xF4 => Element::Integer(LittleEndian::read_int(content, data)),
        _ => Element::Text(content),
    };
    (element, at + head + data + backlen_size(head + data))
}

/// Where the element that ends before `end` begins.
#[inline]
pub(super) fn skip_back(bytes: &[u8], end: usize) -> usize {
    let mut size = 0;
    let mut digits = 0;
    loop {
        let byte = bytes[end - 1 - digits];
        size |= usize::from(byte & 0x7F) << (7 * digits);
        digits += 1;
        if byte & 0x80 == 0 {
            return end - digits - size;
        }
    }
}

/// Replaces the integer at `at`; returns where the next element begins now.
pub(super) fn replace_integer(bytes: &mut Vec<u8>, at: usize, integer: i64) -> usize {
    if bytes[at] < 0x80 && (0..0x80).contains(&integer) {
        bytes[at] = integer as u8;
        return at + 2;
    }
    let mut element = Vec::new();
    push_integer(&mut element, integer);
    let old = at..skip(bytes, at);
    if old.len() == element.len() {
        bytes[old].copy_from_slice(&element);
    } else {
        bytes.splice(old, element.iter().copied());
        store_size(bytes);
    }
    at + element.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The forms of Redis 7.0.15, at the edges of each.
    #[test]
    fn elements_have_their_shortest_form() {
        for (text, encoded) in [
            (&b"0"[..], &b"\x00\x01"[..]),
            (b"127", b"\x7F\x01"),
            (b"128", b"\xC0\x80\x02"),
            (b"-1", b"\xDF\xFF\x02"),
            (b"4095", b"\xCF\xFF\x02"),
            (b"-4096", b"\xD0\x00\x02"),
            (b"4096", b"\xF1\x00\x10\x03"),
            (b"-32768", b"\xF1\x00\x80\x03"),
            (b"32768", b"\xF2\x00\x80\x00\x04"),
            (b"8388608", b"\xF3\x00\x00\x80\x00\x05"),
            (b"2147483648", b"\xF4\x00\x00\x00\x80\x00\x00\x00\x00\x09"),
            (b"", b"\x80\x01"),
            (b"a", b"\x81a\x02"),
            (b"007", b"\x83007\x04"),
        ] {
            let mut bytes = Vec::new();
            push_text(&mut bytes, text);
            assert_eq!(bytes, encoded, "{text:?}");
            let mut buffer = itoa::Buffer::new();
            let (element, end) = read(&bytes, 0);
            assert_eq!((element.text(&mut buffer), end), (text, bytes.len()));
        }
    }

    /// Strings around the sizes at which head and backlen grow; the backlens are those of Redis 7.0.15.
    #[test]
    fn long_strings() {
        for (len, head, backlen) in [
            (63, &b"\xBF"[..], &b"\x40"[..]),
            (64, b"\xE0\x40", b"\x42"),
            (125, b"\xE0\x7D", b"\x7F"),
            (126, b"\xE0\x7E", b"\x01\x80"),
            (4095, b"\xEF\xFF", b"\x20\x81"),
            (4096, b"\xF0\x00\x10\x00\x00", b"\x20\x85"),
            (16_377, b"\xF0\xF9\x3F\x00\x00", b"\x7F\xFE"),
            (16_378, b"\xF0\xFA\x3F\x00\x00", b"\x00\xFF\xFF"),
        ] {
            let text = vec![b'x'; len];
            let mut bytes = b"before".to_vec();
            push_text(&mut bytes, &text);
            assert_eq!(bytes[6..], [head, &text, backlen].concat(), "{len}");
            assert_eq!(read(&bytes, 6), (Element::Text(&text), bytes.len()));
            assert_eq!(skip(&bytes, 6), bytes.len());
            assert_eq!(skip_back(&bytes, bytes.len()), 6, "{len}");
        }
    }

    #[test]
    fn an_integer_may_take_another_number_of_bytes() {
        let mut bytes = vec![0; HEADER];
        push_integer(&mut bytes, 127);
        push_text(&mut bytes, b"a");
        let next = replace_integer(&mut bytes, HEADER, 128);
        assert_eq!(bytes[HEADER..], *b"\xC0\x80\x02\x81a\x02");
        assert_eq!((next, bytes[0]), (HEADER + 3, 12));
        let next = replace_integer(&mut bytes, HEADER, 5);
        assert_eq!(bytes[HEADER..], *b"\x05\x01\x81a\x02");
        assert_eq!((next, bytes[0]), (HEADER + 2, 11));
    }
}
