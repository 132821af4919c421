//! Numbers of JSON, written and read as C does it: `printf("%.14g")` and `strtod`.

use crate::util::number::{format_i64, parse_f64_loosely};

/// Appends a number with at most `precision` digits, as `%.*g` prints it.
pub(super) fn format(number: f64, precision: i32, out: &mut Vec<u8>) {
    let digits = precision as usize;
    if number.is_infinite() {
        out.extend_from_slice(if number > 0.0 { b"inf" } else { b"-inf" });
        return;
    }
    // Most numbers are integers, which have a quick way.
    if number.fract() == 0.0 && number.abs() < 10f64.powi(precision) && number != 0.0 {
        format_i64(number as i64, out);
        return;
    }
    // The digits, correctly rounded, and the exponent of the first: `-1.2500e-3`.
    let text = format!("{:.*e}", digits - 1, number);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if exponent < -4 || exponent >= precision {
        out.extend_from_slice(without_zeros(mantissa).as_bytes());
        let sign = if exponent < 0 { '-' } else { '+' };
        out.extend_from_slice(format!("e{sign}{:02}", exponent.abs()).as_bytes());
        return;
    }
    let decimals = (precision - 1 - exponent) as usize;
    let text = format!("{number:.decimals$}");
    out.extend_from_slice(without_zeros(&text).as_bytes());
}

/// A number without zeros at the end of its fraction.
fn without_zeros(text: &str) -> &str {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    }
}

/// The number at the beginning of `text`, and its length, which is zero if there is none.
pub(super) fn parse(text: &[u8]) -> (f64, usize) {
    let sign = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    let magnitude = &text[sign..];
    if let Some(length) = word(magnitude) {
        let is_nan = magnitude[0].eq_ignore_ascii_case(&b'n');
        let value = if is_nan { f64::NAN } else { f64::INFINITY };
        let value = if text[0] == b'-' { -value } else { value };
        return (value, sign + length);
    }
    let length = match hexadecimal(magnitude) {
        0 => decimal(magnitude),
        length => length,
    };
    match length {
        0 => (0.0, 0),
        length => {
            let length = sign + length;
            (parse_f64_loosely(&text[..length]).unwrap_or(0.0), length)
        }
    }
}

/// The length of `inf`, `infinity`, `nan` or `nan(…)`.
fn word(text: &[u8]) -> Option<usize> {
    let starts = |word: &[u8]| {
        let start = text.get(..word.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    if starts(b"infinity") {
        return Some(8);
    }
    if starts(b"nan(") {
        let inside = text[4..]
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
            .count();
        let is_closed = text.get(4 + inside) == Some(&b')');
        return Some(if is_closed { 5 + inside } else { 3 });
    }
    (starts(b"inf") || starts(b"nan")).then_some(3)
}

fn count(text: &[u8], is_digit: fn(&u8) -> bool) -> usize {
    text.iter().take_while(|byte| is_digit(byte)).count()
}

/// The length of digits with a point somewhere, and how many of them are digits.
fn digits(text: &[u8], is_digit: fn(&u8) -> bool) -> (usize, usize) {
    let whole = count(text, is_digit);
    if text.get(whole) != Some(&b'.') {
        return (whole, whole);
    }
    let fraction = count(&text[whole + 1..], is_digit);
    (whole + 1 + fraction, whole + fraction)
}

/// The length of an exponent, zero if it has no digits.
fn exponent(text: &[u8], letter: u8) -> usize {
    if !text
        .first()
        .is_some_and(|byte| byte.eq_ignore_ascii_case(&letter))
    {
        return 0;
    }
    let sign = usize::from(matches!(text.get(1), Some(b'+' | b'-')));
    match count(&text[1 + sign..], u8::is_ascii_digit) {
        0 => 0,
        digits => 1 + sign + digits,
    }
}

fn decimal(text: &[u8]) -> usize {
    match digits(text, u8::is_ascii_digit) {
        (_, 0) => 0,
        (length, _) => length + exponent(&text[length..], b'e'),
    }
}

fn hexadecimal(text: &[u8]) -> usize {
    if !matches!(text, [b'0', b'x' | b'X', ..]) {
        return 0;
    }
    match digits(&text[2..], u8::is_ascii_hexdigit) {
        (_, 0) => 0,
        (length, _) => 2 + length + exponent(&text[2 + length..], b'p'),
    }
}
