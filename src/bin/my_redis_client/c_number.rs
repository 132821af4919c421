//! Numbers on the command line, read as C's `atoi`, `strtoll` and `atof` read them, because redis-cli does: as far as
//! the text is a number, and 0 if it does not begin with one. `-p 6379x` is port 6379.

/// The integer at the start of `text`. One that is too large becomes the largest.
pub fn integer(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let (is_negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        digits => (false, digits),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0_i64, |number, digit| {
        let digit = i64::from(digit - b'0');
        let number = number.saturating_mul(10);
        match is_negative {
            true => number.saturating_sub(digit),
            false => number.saturating_add(digit),
        }
    })
}

/// The number at the start of `text`, with a fraction and an exponent if it has them.
pub fn float(text: &[u8]) -> f64 {
    let text = String::from_utf8_lossy(text.trim_ascii_start());
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
