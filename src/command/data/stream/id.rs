//! The IDs of entries, as clients write them: `1526919030474-55`, or `1526919030474` alone.

use crate::command::error::CommandError;
use crate::types::stream::StreamId;
use crate::util::number;
use crate::util::quoting::c_string;

/// Longest text of an ID, as in Redis.
const MOST_TEXT_BYTES: usize = 127;

/// The ID of an entry that is to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NewId {
    /// `*`: the time of the command.
    Auto,
    /// `1526919030474-*`: the next one within this millisecond.
    AutoSeq(u64),
    /// This one.
    Given(StreamId),
}

impl NewId {
    /// The ID that XADD is given.
    pub(super) fn parse(text: &[u8]) -> Result<NewId, CommandError> {
        match (text, c_string(text).strip_suffix(b"-*")) {
            (b"*", _) => Ok(NewId::Auto),
            (_, Some(ms)) if text.len() <= MOST_TEXT_BYTES && !ms.contains(&b'-') => {
                let ms = part(ms).ok_or(CommandError::InvalidStreamId)?;
                Ok(NewId::AutoSeq(ms))
            }
            _ => parse(text, 0).map(NewId::Given),
        }
    }
}

/// An ID; `seq` is its second part if that is not given.
pub(super) fn parse(text: &[u8], seq: u64) -> Result<StreamId, CommandError> {
    match c_string(text) {
        b"-" | b"+" => Err(CommandError::InvalidStreamId),
        _ => parse_or_end(text, seq),
    }
}

/// An ID, or `-` for the smallest, `+` for the largest; `seq` is its second part if that is not given.
pub(super) fn parse_or_end(text: &[u8], seq: u64) -> Result<StreamId, CommandError> {
    let invalid = || CommandError::InvalidStreamId;
    // Redis works on C strings here, so a zero byte ends the text.
    let c_text = c_string(text);
    match c_text {
        _ if text.len() > MOST_TEXT_BYTES => return Err(invalid()),
        b"-" => return Ok(StreamId::MIN),
        b"+" => return Ok(StreamId::MAX),
        _ => {}
    }
    let mut parts = c_text.splitn(2, |byte| *byte == b'-');
    let ms = parts.next().and_then(part).ok_or_else(invalid)?;
    let seq = match parts.next() {
        Some(seq) => part(seq).ok_or_else(invalid)?,
        None => seq,
    };
    Ok(StreamId { ms, seq })
}

/// A part of an ID, as C's `strtoull` reads it: it takes leading zeros, blanks before it, and a sign.
fn part(text: &[u8]) -> Option<u64> {
    match number::parse_i64(text) {
        Some(number) => u64::try_from(number).ok(),
        None => {
            let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t'..=b'\r');
            let blanks = text.iter().take_while(is_blank).count();
            let (is_negative, digits) = match &text[blanks..] {
                [b'-', digits @ ..] => (true, digits),
                [b'+', digits @ ..] => (false, digits),
                digits => (false, digits),
            };
            if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
                return None;
            }
            let number = std::str::from_utf8(digits).ok()?.parse::<u64>().ok()?;
            Some(if is_negative {
                number.wrapping_neg()
            } else {
                number
            })
        }
    }
}

/// The first ID of a range; `(` before it leaves it out.
pub(super) fn range_start(text: &[u8]) -> Result<StreamId, CommandError> {
    match text {
        [b'(', id @ ..] if !id.is_empty() => parse(id, 0)?
            .next()
            .ok_or_else(|| CommandError::err("invalid start ID for the interval")),
        _ => parse_or_end(text, 0),
    }
}

/// The last ID of a range; `(` before it leaves it out.
pub(super) fn range_end(text: &[u8]) -> Result<StreamId, CommandError> {
    match text {
        [b'(', id @ ..] if !id.is_empty() => parse(id, u64::MAX)?
            .previous()
            .ok_or_else(|| CommandError::err("invalid end ID for the interval")),
        _ => parse_or_end(text, u64::MAX),
    }
}

/// Several IDs.
pub(super) fn parse_all(texts: &[&[u8]]) -> Result<Vec<StreamId>, CommandError> {
    texts.iter().map(|text| parse(text, 0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_as_c_reads_them() {
        for (text, number) in [
            (&b"0"[..], Some(0)),
            (b"18446744073709551615", Some(u64::MAX)),
            (b"18446744073709551616", None),
            (b"007", Some(7)),
            (b"+7", Some(7)),
            (b" \t\x0b7", Some(7)),
            (b"-7", None),
            (b"-07", Some(u64::MAX - 6)),
            (b"7 ", None),
            (b"", None),
            (b" ", None),
            (b"-", None),
            (b"x", None),
        ] {
            assert_eq!(part(text), number, "{text:?}");
        }
    }

    #[test]
    fn new_ids() {
        for (text, id) in [
            (&b"*"[..], Some(NewId::Auto)),
            (b"5-*", Some(NewId::AutoSeq(5))),
            (b"5", Some(NewId::Given(StreamId::new(5, 0)))),
            (b"5-6", Some(NewId::Given(StreamId::new(5, 6)))),
            (b"5-6-*", None),
            (b"-*", None),
            (b"-", None),
            (b"+", None),
            (b"5-", None),
        ] {
            assert_eq!(NewId::parse(text).ok(), id, "{text:?}");
        }
    }
}
