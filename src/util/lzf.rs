//! LZF compression (Marc Lehmann's liblzf), which RDB files use for long strings.
//!
//! The compressed form is a sequence of runs:
//!
//! ```text
//! 000LLLLL  bytes...                     L + 1 literal bytes follow                           1 <= L + 1 <= 32
//! LLLooooo  oooooooo                     L + 2 bytes, copied from o + 1 bytes back            3 <= L + 2 <= 8
//! 111ooooo  LLLLLLLL  oooooooo           L + 9 bytes, copied from o + 1 bytes back            9 <= L + 9 <= 264
//! ```
//! `o` has 13 bits, the high ones first. A copy may overlap itself: one byte back and 100 long is a run of that byte.
//!
//! The compressed form does not contain the length of the output. The RDB file stores it before.

use std::fmt;

const MAX_LITERAL: usize = 32;
const MAX_OFFSET: usize = 1 << 13;
const MIN_COPY: usize = 3;
const MAX_COPY: usize = 264;
/// The longest copy of the two-byte form.
const MAX_SHORT_COPY: usize = 8;

/// Shorter strings are not compressed, because that saves nothing.
const MIN_INPUT: usize = 5;
/// Redis keeps the plain string unless at least this many bytes are saved.
const MIN_SAVED: usize = 4;

const HASH_BITS: u32 = 15;

/// The position at which each sequence of three bytes was last seen. One table serves many inputs, without being
/// cleared: positions count on from one input to the next, so positions of earlier inputs are recognized as being
/// before the present start.
pub struct Table {
    last_seen: Box<[u32; 1 << HASH_BITS]>,
    /// The position that the next input starts at; 0 means "never seen".
    next_start: u32,
}

impl Default for Table {
    fn default() -> Table {
        Table {
            last_seen: Box::new([0; 1 << HASH_BITS]),
            next_start: 1,
        }
    }
}

impl Table {
    /// Reserves positions for an input; returns the first of them.
    fn start(&mut self, input_len: usize) -> Option<u32> {
        let input_len = u32::try_from(input_len).ok()?;
        match self.next_start.checked_add(input_len) {
            Some(end) => Some(std::mem::replace(&mut self.next_start, end)),
            None => {
                self.last_seen.fill(0);
                self.next_start = 1u32.checked_add(input_len)?;
                Some(1)
            }
        }
    }
}

/// The compressed form of `input`, or `None` if it is not at least four bytes shorter than the input.
pub fn compress(input: &[u8], table: &mut Table) -> Option<Vec<u8>> {
    if input.len() < MIN_INPUT {
        return None;
    }
    let max_len = input.len() - MIN_SAVED;
    let start = table.start(input.len())?;
    let mut out = Vec::with_capacity(max_len.min(input.len() / 2 + 16));
    let mut literals_from = 0;
    let mut at = 0;
    while let Some(&[a, b, c]) = input[at..].first_chunk() {
        let slot = &mut table.last_seen[hash(a, b, c)];
        let seen = std::mem::replace(slot, start + at as u32);
        let candidate = seen.checked_sub(start).map(|position| position as usize);
        match candidate
            .filter(|&from| at - from <= MAX_OFFSET && input[from..from + MIN_COPY] == [a, b, c])
        {
            Some(from) => {
                let len = common_len(&input[from..], &input[at..]);
                put_literals(&input[literals_from..at], &mut out);
                put_copy(at - from - 1, len, &mut out);
                remember_end_of_copy(input, at + len, start, table);
                at += len;
                literals_from = at;
            }
            None => at += 1,
        }
        // Each 32 literals need one more byte, so the output has at least this length.
        if out.len() + (at - literals_from) > max_len {
            return None;
        }
    }
    put_literals(&input[literals_from..], &mut out);
    (out.len() <= max_len).then_some(out)
}

/// A hash of three bytes. Any function would give a correct result.
fn hash(a: u8, b: u8, c: u8) -> usize {
    let bytes = u32::from_le_bytes([a, b, c, 0]);
    (bytes.wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS)) as usize
}

/// The length of the common prefix of two slices, at most [`MAX_COPY`].
fn common_len(earlier: &[u8], later: &[u8]) -> usize {
    earlier
        .iter()
        .zip(later)
        .take(MAX_COPY)
        .take_while(|(a, b)| a == b)
        .count()
}

/// Enters the last two positions of a copy into the table. Entering all of them would cost more than it saves.
fn remember_end_of_copy(input: &[u8], end: usize, start: u32, table: &mut Table) {
    for at in end - 2..end {
        if let Some(&[a, b, c]) = input[at..].first_chunk() {
            table.last_seen[hash(a, b, c)] = start + at as u32;
        }
    }
}

fn put_literals(literals: &[u8], out: &mut Vec<u8>) {
    for run in literals.chunks(MAX_LITERAL) {
        out.push((run.len() - 1) as u8);
        out.extend_from_slice(run);
    }
}

fn put_copy(offset: usize, len: usize, out: &mut Vec<u8>) {
    let (offset_high, offset_low) = ((offset >> 8) as u8, offset as u8);
    if len <= MAX_SHORT_COPY {
        out.extend([((len - 2) << 5) as u8 | offset_high, offset_low]);
    } else {
        out.extend([0b1110_0000 | offset_high, (len - 9) as u8, offset_low]);
    }
}

/// The fault of a compressed string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LzfError {
    /// It ends in the middle of a run.
    Truncated,
    /// A copy starts before the first byte of the output.
    OffsetBeforeStart,
    /// The output is longer than the given length.
    TooLong,
    /// The output is, or must be, shorter than the given length.
    TooShort,
}

impl fmt::Display for LzfError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            LzfError::Truncated => "compressed string ends in the middle of a run",
            LzfError::OffsetBeforeStart => "compressed string refers to bytes before its start",
            LzfError::TooLong => "compressed string is longer than its stated length",
            LzfError::TooShort => "compressed string is shorter than its stated length",
        })
    }
}

impl std::error::Error for LzfError {}

/// The string whose compressed form is `input` and whose length is `output_len`.
pub fn decompress(input: &[u8], output_len: usize) -> Result<Vec<u8>, LzfError> {
    // A length that cannot be true must not lead to an allocation.
    let mut out = Vec::with_capacity(if is_possible(input, output_len) {
        output_len
    } else {
        0
    });
    walk(input, output_len, |run| match run {
        Run::Literals(literals) => out.extend_from_slice(literals),
        Run::Copy { distance, len } => {
            let from = out.len() - distance;
            copy_within(&mut out, from, len);
        }
    })?;
    Ok(out)
}

/// Whether [`decompress`] would succeed. It needs neither its time nor its memory.
pub fn check(input: &[u8], output_len: usize) -> Result<(), LzfError> {
    walk(input, output_len, |_| ())
}

/// A piece of a compressed string.
enum Run<'a> {
    /// Literal bytes.
    Literals(&'a [u8]),
    /// A copy of bytes of the output that begin `distance` bytes before its end.
    Copy { distance: usize, len: usize },
}

/// Whether an input of this length can give an output of that length: three bytes give 264 at best.
fn is_possible(input: &[u8], output_len: usize) -> bool {
    output_len <= input.len().saturating_mul(MAX_COPY / 3)
}

/// Passes each run to `visit`. The runs are checked: a copy refers to existing bytes, and all runs together give at
/// most `output_len` bytes.
fn walk<'a>(
    mut input: &'a [u8],
    output_len: usize,
    mut visit: impl FnMut(Run<'a>),
) -> Result<(), LzfError> {
    if !is_possible(input, output_len) {
        return Err(LzfError::TooShort);
    }
    let mut made = 0;
    while let [control, rest @ ..] = input {
        let control = usize::from(*control);
        let (run, len, rest) = if control < MAX_LITERAL {
            let (literals, rest) = rest
                .split_at_checked(control + 1)
                .ok_or(LzfError::Truncated)?;
            (Run::Literals(literals), literals.len(), rest)
        } else {
            let (len, offset_low, rest) = match (control >> 5, rest) {
                (7, [len, offset, rest @ ..]) => (usize::from(*len) + 9, offset, rest),
                (1..=6, [offset, rest @ ..]) => ((control >> 5) + 2, offset, rest),
                _ => return Err(LzfError::Truncated),
            };
            let distance = ((control & 31) << 8 | usize::from(*offset_low)) + 1;
            if distance > made {
                return Err(LzfError::OffsetBeforeStart);
            }
            (Run::Copy { distance, len }, len, rest)
        };
        if len > output_len - made {
            return Err(LzfError::TooLong);
        }
        visit(run);
        made += len;
        input = rest;
    }
    if made < output_len {
        Err(LzfError::TooShort)
    } else {
        Ok(())
    }
}

/// Appends `len` bytes of `out` itself, beginning at `from`. The source may overlap the end: each round copies bytes
/// that earlier rounds have appended.
fn copy_within(out: &mut Vec<u8>, from: usize, mut len: usize) {
    while len > 0 {
        let chunk = len.min(out.len() - from);
        out.extend_from_within(from..from + chunk);
        len -= chunk;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn round_trip(input: &[u8]) -> usize {
        let compressed = compress(input, &mut Table::default()).expect("it can be compressed");
        assert!(compressed.len() + MIN_SAVED <= input.len());
        assert_eq!(decompress(&compressed, input.len()).as_deref(), Ok(input));
        compressed.len()
    }

    #[test]
    fn what_is_compressed_comes_back() {
        assert_eq!(round_trip(&[b'a'; 20]), 5);
        assert!(round_trip(&[0; 100_000]) < 1_200);
        assert!(round_trip(b"the quick brown fox, the quick brown dog, the quick brown fox") < 40);
        // A match exactly as far back as the offset reaches, and one byte too far.
        for gap in [MAX_OFFSET - 3, MAX_OFFSET - 2] {
            let text = [b"abcdefghij", vec![b'.'; gap].as_slice(), b"abcdefghij"].concat();
            round_trip(&text);
        }
    }

    #[test]
    fn random_texts_come_back_with_one_table() {
        let mut table = Table::default();
        let mut state = 1u64;
        for round in 0..2_000usize {
            let len = round % 700;
            let mut next = || {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                b'a' + (state >> 33) as u8 % (1 + round % 5) as u8
            };
            let text: Vec<u8> = (0..len).map(|_| next()).collect();
            let compressed = compress(&text, &mut table);
            assert_eq!(
                compressed,
                compress(&text, &mut Table::default()),
                "earlier inputs must not matter"
            );
            if let Some(compressed) = compressed {
                assert_eq!(decompress(&compressed, len), Ok(text));
            }
        }
    }

    #[test]
    fn positions_may_run_out() {
        let mut table = Table {
            next_start: u32::MAX - 10,
            ..Table::default()
        };
        let compressed = compress(&[b'a'; 20], &mut table).unwrap();
        assert_eq!(decompress(&compressed, 20), Ok(vec![b'a'; 20]));
    }

    #[test]
    fn what_does_not_shrink_is_refused() {
        assert_eq!(compress(b"", &mut Table::default()), None);
        assert_eq!(compress(b"aaaa", &mut Table::default()), None);
        assert_eq!(
            compress(b"abcdefghijklmnopqrstuvwxyz", &mut Table::default()),
            None
        );
    }

    /// `DUMP` of redis-server 7.0.15 for forty times the letter a, and for "hello " four times.
    #[test]
    fn reads_what_redis_wrote() {
        assert_eq!(
            decompress(b"\x01aa\xe0\x1c\x00\x01aa", 41),
            Ok(vec![b'a'; 41])
        );
        assert_eq!(
            decompress(b"\x06hello h\xe0\x06\x05\x01o ", 24),
            Ok(b"hello hello hello hello ".to_vec())
        );
    }

    #[test]
    fn says_what_is_wrong() {
        fn decompress(input: &[u8], output_len: usize) -> Result<Vec<u8>, LzfError> {
            let result = super::decompress(input, output_len);
            assert_eq!(
                check(input, output_len),
                result.as_ref().map(|_| ()).map_err(|error| *error)
            );
            result
        }
        assert_eq!(decompress(b"", 0), Ok(vec![]));
        assert_eq!(decompress(b"\x02ab", 3), Err(LzfError::Truncated));
        assert_eq!(decompress(b"\x00a\x20", 4), Err(LzfError::Truncated));
        assert_eq!(decompress(b"\x00a\xe0\x00", 10), Err(LzfError::Truncated));
        assert_eq!(
            decompress(b"\x00a\x20\x01", 4),
            Err(LzfError::OffsetBeforeStart)
        );
        assert_eq!(decompress(b"\x01ab", 1), Err(LzfError::TooLong));
        assert_eq!(decompress(b"\x00a\x20\x00", 3), Err(LzfError::TooLong));
        assert_eq!(decompress(b"\x01ab", 3), Err(LzfError::TooShort));
        assert_eq!(decompress(b"\x01ab", usize::MAX), Err(LzfError::TooShort));
    }
}
