//! The input of the reader: bytes, lengths and strings, with the offset for errors and the checksum of what was read.
//!
//! Bytes come through a window of fixed size. Small items are taken out of it directly. The checksum is computed over
//! the consumed bytes whenever the window moves, so never byte by byte. A length in the input leads to no allocation: a
//! long string grows as its bytes arrive.

use std::io::{self, Chain, Cursor, Read};

use byteorder::{BigEndian, ByteOrder, LittleEndian};

use super::checksum::crc64;
use super::error::RdbError;
use super::format::{length, string_form};
use crate::util::lzf;
use crate::util::number;

/// The size of the window: large enough that a read costs little per key, small enough for the cache of a core.
pub(super) const WINDOW_SIZE: usize = 128 * 1024;

/// The largest item that is taken out of the window in one piece: the id of a stream entry.
pub(super) const MIN_WINDOW_SIZE: usize = 16;

/// Buffered input that knows its offset.
///
/// ```text
/// window   ........ssssssssssuuuuuuuuuuuu....
///          |       |         |           |
///          |       hashed    start       end       s: consumed, not yet in the checksum; u: not yet consumed
///          window[0] is byte `window_offset` of the input
/// ```
pub(super) struct Source<R> {
    input: R,
    window: Box<[u8]>,
    window_offset: u64,
    hashed: usize,
    start: usize,
    end: usize,
    /// CRC-64 of everything before `hashed`; None if the file has no checksum.
    crc: Option<u64>,
    /// A buffer for LZF data, kept to reuse its memory.
    compressed: Vec<u8>,
    /// Whether a large stream may be read with the help of a second thread.
    pub(super) has_helper: bool,
}

/// A length, or the first byte of a string in a special form.
pub(super) enum LengthOrForm {
    Length(u64),
    Form(u8),
}

impl<R: Read> Source<R> {
    pub(super) fn new(input: R, window_size: usize) -> Source<R> {
        Source {
            input,
            window: vec![0; window_size].into_boxed_slice(),
            window_offset: 0,
            hashed: 0,
            start: 0,
            end: 0,
            crc: Some(0),
            compressed: Vec::new(),
            has_helper: false,
        }
    }

    /// The number of bytes consumed so far.
    pub(super) fn offset(&self) -> u64 {
        self.window_offset + self.start as u64
    }

    /// The checksum of all bytes consumed so far, unless `without_checksum` was called.
    pub(super) fn crc(&mut self) -> Option<u64> {
        self.hash_consumed();
        self.crc
    }

    /// Stops computing the checksum, for a file that has none.
    pub(super) fn without_checksum(&mut self) {
        self.crc = None;
    }

    /// The input after the bytes consumed so far.
    pub(super) fn into_rest(self) -> Chain<Cursor<Vec<u8>>, R> {
        Cursor::new(self.window[self.start..self.end].to_vec()).chain(self.input)
    }

    /// The next bytes, without consuming them: at least `wanted` bytes, unless the input ends before. `wanted` is at
    /// most the size of the window.
    pub(super) fn peek(&mut self, wanted: usize) -> Result<&[u8], RdbError> {
        if self.end - self.start < wanted {
            match self.fill(wanted, "more") {
                Err(RdbError::Truncated { .. }) => {}
                result => result?,
            }
        }
        Ok(&self.window[self.start..self.end])
    }

    #[inline]
    pub(super) fn byte(&mut self, expected: &'static str) -> Result<u8, RdbError> {
        let [byte] = self.bytes(expected)?;
        Ok(byte)
    }

    /// The next `N` bytes, for numbers of fixed size.
    #[inline]
    pub(super) fn bytes<const N: usize>(
        &mut self,
        expected: &'static str,
    ) -> Result<[u8; N], RdbError> {
        if self.end - self.start < N {
            self.fill(N, expected)?;
        }
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.window[self.start..self.start + N]);
        self.start += N;
        Ok(bytes)
    }

    /// A length. A string in a special form is an error here.
    #[inline]
    pub(super) fn length(&mut self, expected: &'static str) -> Result<u64, RdbError> {
        let at = self.offset();
        match self.length_or_form(expected)? {
            LengthOrForm::Length(length) => Ok(length),
            LengthOrForm::Form(_) => Err(RdbError::bad(
                at,
                format!("expected {expected}, found a string"),
            )),
        }
    }

    /// A string in a vector of its own.
    #[inline]
    pub(super) fn string(&mut self, expected: &'static str) -> Result<Vec<u8>, RdbError> {
        let mut text = Vec::new();
        self.append_string(&mut text, expected)?;
        Ok(text)
    }

    /// Appends a string to `output`.
    #[inline]
    pub(super) fn append_string(
        &mut self,
        output: &mut Vec<u8>,
        expected: &'static str,
    ) -> Result<(), RdbError> {
        // The most frequent case by far: the string is short, plain and completely in the window.
        if let Some((&len, rest)) = self.window[self.start..self.end].split_first()
            && u64::from(len) <= length::MAX_6_BITS
            && let Some(text) = rest.get(..usize::from(len))
        {
            output.extend_from_slice(text);
            self.start += 1 + text.len();
            return Ok(());
        }
        self.append_any_string(output, expected)
    }

    fn append_any_string(
        &mut self,
        output: &mut Vec<u8>,
        expected: &'static str,
    ) -> Result<(), RdbError> {
        let at = self.offset();
        match self.length_or_form(expected)? {
            LengthOrForm::Length(length) => self.append_bytes(output, length, expected),
            LengthOrForm::Form(form) => {
                match form {
                    string_form::INT_8 => {
                        let [byte] = self.bytes(expected)?;
                        number::format_i64(i64::from(byte as i8), output);
                    }
                    string_form::INT_16 => {
                        let bytes: [u8; 2] = self.bytes(expected)?;
                        number::format_i64(i64::from(LittleEndian::read_i16(&bytes)), output);
                    }
                    string_form::INT_32 => {
                        let bytes: [u8; 4] = self.bytes(expected)?;
                        number::format_i64(i64::from(LittleEndian::read_i32(&bytes)), output);
                    }
                    string_form::LZF => self.append_compressed(at, output, expected)?,
                    _ => return Err(unknown_form(at, form)),
                }
                Ok(())
            }
        }
    }

    fn append_compressed(
        &mut self,
        at: u64,
        output: &mut Vec<u8>,
        expected: &'static str,
    ) -> Result<(), RdbError> {
        let plain = self.with_compressed(at, expected, lzf::decompress)?;
        if output.is_empty() {
            *output = plain;
        } else {
            output.extend_from_slice(&plain);
        }
        Ok(())
    }

    /// Reads a compressed string after its first byte, and passes its bytes and its plain length to `use_it`.
    fn with_compressed<T>(
        &mut self,
        at: u64,
        expected: &'static str,
        use_it: impl FnOnce(&[u8], usize) -> Result<T, lzf::LzfError>,
    ) -> Result<T, RdbError> {
        let compressed_len = self.length("the compressed length of a string")?;
        let plain_len = self.length("the plain length of a string")?;
        let mut compressed = std::mem::take(&mut self.compressed);
        compressed.clear();
        self.append_bytes(&mut compressed, compressed_len, expected)?;
        let result = usize::try_from(plain_len)
            .ok()
            .and_then(|len| use_it(&compressed, len).ok());
        // The memory of a large string is not kept for the rest of the file.
        compressed.shrink_to(WINDOW_SIZE);
        self.compressed = compressed;
        result.ok_or_else(|| {
            RdbError::bad(
                at,
                format!("Invalid LZF compressed string, expected {expected}"),
            )
        })
    }

    /// Skips a string. It is checked as if it were read.
    #[inline]
    pub(super) fn skip_string(&mut self, expected: &'static str) -> Result<(), RdbError> {
        // As in `append_string`, the most frequent case first. Here it includes lengths of two bytes.
        if let [first, second, ..] = self.window[self.start..self.end] {
            let size = match first {
                0x00..=0x3F => 1 + usize::from(first),
                0x40..=0x7F => 2 + (usize::from(first & 0x3F) << 8 | usize::from(second)),
                _ => usize::MAX,
            };
            if size <= self.end - self.start {
                self.start += size;
                return Ok(());
            }
        }
        self.skip_any_string(expected)
    }

    fn skip_any_string(&mut self, expected: &'static str) -> Result<(), RdbError> {
        let at = self.offset();
        match self.length_or_form(expected)? {
            LengthOrForm::Length(length) => self.skip_bytes(length, expected),
            LengthOrForm::Form(string_form::INT_8) => self.skip_bytes(1, expected),
            LengthOrForm::Form(string_form::INT_16) => self.skip_bytes(2, expected),
            LengthOrForm::Form(string_form::INT_32) => self.skip_bytes(4, expected),
            LengthOrForm::Form(string_form::LZF) => self.with_compressed(at, expected, lzf::check),
            LengthOrForm::Form(form) => Err(unknown_form(at, form)),
        }
    }

    fn skip_bytes(&mut self, mut length: u64, expected: &'static str) -> Result<(), RdbError> {
        let at = self.offset();
        while length > (self.end - self.start) as u64 {
            length -= (self.end - self.start) as u64;
            self.start = self.end;
            self.fill(1, expected).map_err(|error| match error {
                RdbError::Truncated { expected, .. } => RdbError::Truncated {
                    offset: at,
                    expected,
                },
                other => other,
            })?;
        }
        self.start += length as usize;
        Ok(())
    }

    #[inline]
    pub(super) fn length_or_form(
        &mut self,
        expected: &'static str,
    ) -> Result<LengthOrForm, RdbError> {
        let at = self.offset();
        let first = self.byte(expected)?;
        let length = match first {
            0x00..=0x3F => u64::from(first),
            0x40..=0x7F => u64::from(first & 0x3F) << 8 | u64::from(self.byte(expected)?),
            length::FORM_32_BITS => u64::from(BigEndian::read_u32(&self.bytes::<4>(expected)?)),
            length::FORM_64_BITS => BigEndian::read_u64(&self.bytes::<8>(expected)?),
            length::FORM_SPECIAL.. => return Ok(LengthOrForm::Form(first)),
            _ => {
                return Err(RdbError::bad(
                    at,
                    format!("Unknown length encoding {first}, expected {expected}"),
                ));
            }
        };
        Ok(LengthOrForm::Length(length))
    }

    /// Appends the next `length` bytes to `output`.
    pub(super) fn append_bytes(
        &mut self,
        output: &mut Vec<u8>,
        length: u64,
        expected: &'static str,
    ) -> Result<(), RdbError> {
        if length > (self.window.len() / 2) as u64 {
            return self.append_many_bytes(output, length, expected);
        }
        let length = length as usize;
        if self.end - self.start < length {
            self.fill(length, expected)?;
        }
        output.extend_from_slice(&self.window[self.start..self.start + length]);
        self.start += length;
        Ok(())
    }

    /// As `append_bytes`, but reads from the input directly into `output`, not through the window.
    fn append_many_bytes(
        &mut self,
        output: &mut Vec<u8>,
        length: u64,
        expected: &'static str,
    ) -> Result<(), RdbError> {
        let at = self.offset();
        let buffered = (self.end - self.start).min(usize::try_from(length).unwrap_or(usize::MAX));
        output.extend_from_slice(&self.window[self.start..self.start + buffered]);
        self.start += buffered;
        self.hash_consumed();
        let mut received = buffered as u64;
        while received < length {
            // The window is empty now, and each step takes at most as much memory as has already been filled, or the
            // size of the window.
            let step = (length - received).min(received.max(self.window.len() as u64));
            output.reserve_exact(step as usize);
            let before = output.len();
            let result = self.input.by_ref().take(step).read_to_end(output);
            let bytes = &output[before..];
            self.crc = self.crc.map(|crc| crc64(crc, bytes));
            self.window_offset += bytes.len() as u64;
            received += bytes.len() as u64;
            result.map_err(|error| RdbError::Io {
                offset: self.offset(),
                error,
            })?;
            if (bytes.len() as u64) < step {
                return Err(RdbError::Truncated {
                    offset: at,
                    expected,
                });
            }
        }
        Ok(())
    }

    /// Reads until the window holds `needed` unconsumed bytes; `needed` is at most the size of the window.
    #[cold]
    fn fill(&mut self, needed: usize, expected: &'static str) -> Result<(), RdbError> {
        self.hash_consumed();
        self.window.copy_within(self.start..self.end, 0);
        self.window_offset += self.start as u64;
        self.end -= self.start;
        self.start = 0;
        self.hashed = 0;
        while self.end < needed {
            match self.input.read(&mut self.window[self.end..]) {
                Ok(0) => {
                    return Err(RdbError::Truncated {
                        offset: self.offset(),
                        expected,
                    });
                }
                Ok(received) => self.end += received,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(RdbError::Io {
                        offset: self.window_offset + self.end as u64,
                        error,
                    });
                }
            }
        }
        Ok(())
    }

    fn hash_consumed(&mut self) {
        let consumed = &self.window[self.hashed..self.start];
        self.crc = self.crc.map(|crc| crc64(crc, consumed));
        self.hashed = self.start;
    }
}

fn unknown_form(at: u64, form: u8) -> RdbError {
    RdbError::bad(
        at,
        format!("Unknown RDB string encoding type {}", form & 0x3F),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(input: &[u8]) -> Result<String, String> {
        let text = Source::new(input, 64)
            .string("a test")
            .map_err(|error| error.to_string())?;
        Ok(String::from_utf8(text).expect("the tests use ASCII"))
    }

    #[test]
    fn strings_come_in_seven_forms() {
        for (input, expected) in [
            (&b"\x05hello"[..], "hello"),
            (b"\x40\x05hello", "hello"),
            (b"\x80\x00\x00\x00\x05hello", "hello"),
            (b"\x81\x00\x00\x00\x00\x00\x00\x00\x05hello", "hello"),
            (b"\xC0\xFF", "-1"),
            (b"\xC1\x48\xF4", "-3000"),
            (b"\xC2\x00\x00\x00\x80", "-2147483648"),
            (b"\xC3\x05\x0A\x00a\xE0\x00\x00", "aaaaaaaaaa"),
        ] {
            assert_eq!(string(input).as_deref(), Ok(expected), "{input:?}");
        }
    }

    #[test]
    fn errors_say_where_and_what() {
        for (input, expected) in [
            (
                &b""[..],
                "[offset 0] Unexpected EOF reading RDB file: expected a test",
            ),
            (
                b"\x05hell",
                "[offset 1] Unexpected EOF reading RDB file: expected a test",
            ),
            (
                b"\x81\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFFx",
                "[offset 9] Unexpected EOF reading RDB file: expected a test",
            ),
            (b"\xC4", "[offset 0] Unknown RDB string encoding type 4"),
            (
                b"\x82",
                "[offset 0] Unknown length encoding 130, expected a test",
            ),
            (
                b"\xC3\x01\x05\xFF",
                "[offset 0] Invalid LZF compressed string, expected a test",
            ),
            (
                b"\xC3\xC0",
                "[offset 1] expected the compressed length of a string, found a string",
            ),
        ] {
            assert_eq!(
                string(input).expect_err("a damaged string"),
                expected,
                "{input:?}"
            );
        }
    }

    /// Items of all sizes, over a window of 64 bytes, from an input that gives a few bytes at a time.
    #[test]
    fn the_window_moves_without_losing_a_byte() -> Result<(), RdbError> {
        struct Trickle<'a>(&'a [u8]);
        impl Read for Trickle<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let (now, later) = self.0.split_at(self.0.len().min(7).min(buffer.len()));
                self.0 = later;
                (&*now).read(buffer)
            }
        }
        let mut input = Vec::new();
        for len in 0..300_u16 {
            input.extend_from_slice(&(0x4000 | len).to_be_bytes());
            input.extend((0..len).map(|n| n as u8));
        }
        let mut source = Source::new(Trickle(&input), 64);
        for len in 0..300_u16 {
            let expected: Vec<u8> = (0..len).map(|n| n as u8).collect();
            assert_eq!(source.string("a string")?, expected);
        }
        assert_eq!(source.offset(), input.len() as u64);
        assert_eq!(source.crc(), Some(::crc64::crc64(0, &input)));
        Ok(())
    }
}
