//! Numbers read as C's `atoi`, `strtol` and `atof` read them, because redis-cli does: as far as the text is a number,
//! and 0 if it does not begin with one. `-p 6379x` is port 6379.

use my_redis_server::util::quoting::c_string;

/// The integer at the start of `text`. One that is too large becomes the largest.
pub fn integer(text: &[u8]) -> i64 {
    let (number, _) = split(text);
    number.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// The integer that all of `text` is, up to a zero byte. As with `strtol`, an empty text is 0, and blanks and a sign
/// may come first. A number that is out of range for an `i64` stays so.
pub fn whole(text: &[u8]) -> Option<i128> {
    let text = c_string(text);
    let (number, rest) = split(text);
    rest.is_empty().then_some(number)
}

/// The integer at the start of `text`, and what follows it. That is all of `text` if it does not begin with a number.
fn split(text: &[u8]) -> (i128, &[u8]) {
    let (is_negative, start) = match without_blanks(text) {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        digits => (false, digits),
    };
    let count = start
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (digits, rest) = start.split_at(count);
    if digits.is_empty() {
        return (0, text);
    }
    // It stops far beyond the range of an `i64`.
    let number = digits.iter().fold(0_i128, |number, digit| {
        number
            .saturating_mul(10)
            .saturating_add(i128::from(digit - b'0'))
    });
    (if is_negative { -number } else { number }, rest)
}

/// The text without the blanks before it, as `isspace` knows them.
fn without_blanks(text: &[u8]) -> &[u8] {
    let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t'..=b'\r');
    &text[text.iter().take_while(is_blank).count()..]
}

/// The number at the start of `text`, with a fraction and an exponent if it has them.
pub fn float(text: &[u8]) -> f64 {
    let text = String::from_utf8_lossy(without_blanks(text));
    // The longest beginning that is a number. `inf` and `nan`, which Rust reads too, are of no use to an option.
    let is_of_number = |letter: char| letter.is_ascii_digit() || "+-.eE".contains(letter);
    let mut end = text.find(|letter| !is_of_number(letter));
    let end = *end.get_or_insert(text.len());
    (0..=end)
        .rev()
        .find_map(|end| text[..end].parse().ok())
        .unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_end_where_they_end() {
        for (text, number) in [
            ("6379", 6379),
            (" 12x", 12),
            ("\u{b}\n12", 12),
            ("-5", -5),
            ("+7", 7),
            ("x", 0),
            ("", 0),
            ("99999999999999999999", i64::MAX),
            ("-99999999999999999999", i64::MIN),
        ] {
            assert_eq!(integer(text.as_bytes()), number, "{text}");
        }
    }

    #[test]
    fn a_whole_text_is_a_number_or_none() {
        for (text, number) in [
            ("2", Some(2)),
            (" \t\u{b}+02", Some(2)),
            ("2\0x", Some(2)),
            ("", Some(0)),
            ("\0", Some(0)),
            ("-1", Some(-1)),
            ("9223372036854775808", Some(1 << 63)),
            ("2 ", None),
            ("0x2", None),
            (" ", None),
            ("+", None),
            ("- 2", None),
        ] {
            assert_eq!(whole(text.as_bytes()), number, "{text:?}");
        }
        assert!(whole(&[b'9'; 1000]).is_some_and(|number| number > i64::MAX.into()));
    }

    #[test]
    fn floats_end_where_they_end() {
        for (text, number) in [
            ("0.1", 0.1),
            ("1", 1.0),
            (".5s", 0.5),
            ("1e-2x", 0.01),
            ("1e", 1.0),
            ("-2", -2.0),
            ("x", 0.0),
            ("", 0.0),
        ] {
            assert_eq!(float(text.as_bytes()), number, "{text}");
        }
    }
}
