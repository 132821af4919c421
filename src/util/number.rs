//! Numbers as Redis reads and prints them.
//!
//! Reading is strict: a text is an integer only if printing the integer gives this text. So a string that is an integer
//! can be stored as a number, and a client gets its bytes back.

use crate::util::grisu;
use rustc_apfloat::{Float, ieee::Double};

/// A signed integer: no `+`, no leading zeros, no blanks, no `-0`; `None` also when it does not fit.
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    match text {
        [b'-', magnitude @ ..] => match parse_u64(magnitude)? {
            0 => None,
            // Computed with negative numbers, because the lowest number has no positive counterpart.
            magnitude => 0i64.checked_sub_unsigned(magnitude),
        },
        _ => parse_u64(text)?.try_into().ok(),
    }
}

/// An unsigned integer, as strict as [`parse_i64`].
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    match text {
        [b'0'] => return Some(0),
        [b'1'..=b'9', ..] if text.len() <= 20 => {}
        _ => return None,
    }
    let mut sum: u64 = 0;
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        sum = sum.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(sum)
}

/// Appends the digits of `number` to `out`.
pub fn format_i64(number: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// A double as C's `strtod` reads it, if that takes the whole text: decimal or hexadecimal (`0x1.8p3`), `inf` or
/// `infinity` in any case, with or without a sign. `None` for blanks, for `nan`, and for a number so large that it
/// becomes infinite or so small that it becomes zero.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    if is_hexadecimal(text) {
        let value = f64::from_bits(parse_hexadecimal::<Double>(text)?.to_bits() as u64);
        return (value.is_finite() && (value != 0.0 || spells_zero(text))).then_some(value);
    }
    // Except for hexadecimals, Rust accepts the texts that C accepts. It does not report numbers out of range.
    let value: f64 = text.parse().ok()?;
    let in_range = match value {
        0.0 => spells_zero(text),
        f64::INFINITY | f64::NEG_INFINITY => spells_infinity(text),
        _ => !value.is_nan(),
    };
    in_range.then_some(value)
}

/// A double as C's `strtod` reads it, without further checks: blanks may come first, an empty text is 0, and a number
/// out of range becomes infinite or zero. `None` for `nan`, and if anything follows the number.
pub fn parse_f64_loosely(text: &[u8]) -> Option<f64> {
    if text.is_empty() {
        return Some(0.0);
    }
    let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let blanks = text.iter().take_while(is_blank).count();
    let text = std::str::from_utf8(&text[blanks..]).ok()?;
    let value = if is_hexadecimal(text) {
        f64::from_bits(parse_hexadecimal::<Double>(text)?.to_bits() as u64)
    } else {
        text.parse().ok()?
    };
    (!value.is_nan()).then_some(value)
}

/// Whether `text` starts with `0x` after an optional sign.
pub(crate) fn is_hexadecimal(text: &str) -> bool {
    let magnitude = text.strip_prefix(['+', '-']).unwrap_or(text);
    matches!(magnitude.as_bytes(), [b'0', b'x' | b'X', ..])
}

/// The number of a hexadecimal `text`; infinite or zero if it is out of range.
pub(crate) fn parse_hexadecimal<F: Float>(text: &str) -> Option<F> {
    // For C the exponent is optional.
    let parsed = if text.contains(['p', 'P']) {
        text.parse()
    } else {
        format!("{text}p0").parse()
    };
    parsed.ok()
}

/// Whether all digits of `text`, which is a number, are zeros: its value is exactly zero, not a number too small for a
/// double.
pub(crate) fn spells_zero(text: &str) -> bool {
    let mantissa = if is_hexadecimal(text) {
        text.split(['p', 'P'])
    } else {
        text.split(['e', 'E'])
    }
    .next();
    mantissa.is_some_and(|digits| !digits.contains(|c: char| c.is_ascii_hexdigit() && c != '0'))
}

/// Whether `text`, which is a number, is a word for infinity.
pub(crate) fn spells_infinity(text: &str) -> bool {
    text.contains(['i', 'I'])
}

/// Appends `number` to `out` as a Redis 7.2 reply prints it: `inf`, `nan`, `-0`, integers up to 2^62 in full, and else
/// the digits of [`grisu`] in one of three shapes.
///
/// | shape | when | example |
/// |---|---|---|
/// | digits and zeros | at most seven zeros | `12300000000000001000000` |
/// | a point inside or before | less than seven decimals, or 0.001 <= number < 10000 | `0.000015` |
/// | with an exponent | else | `1.5e-6`, `1e+20` |
pub fn format_f64(number: f64, out: &mut Vec<u8>) {
    let magnitude = number.abs();
    if magnitude <= (i64::MAX / 2) as f64 && magnitude.fract() == 0.0 {
        if number.is_sign_negative() {
            out.push(b'-');
        }
        format_i64(magnitude as i64, out);
    } else {
        format_f64_by_digits(number, out);
    }
}

/// Appends `number` in the shapes of [`format_f64`], also integers: `1e+8`. Redis 7.2 writes scores so for DEBUG
/// DIGEST.
pub fn format_f64_by_digits(number: f64, out: &mut Vec<u8>) {
    if number.is_nan() {
        out.extend(b"nan");
        return;
    }
    if number.is_sign_negative() {
        out.push(b'-');
    }
    let magnitude = number.abs();
    if magnitude.is_infinite() {
        out.extend(b"inf");
    } else if magnitude == 0.0 {
        out.push(b'0');
    } else {
        format_digits(&grisu::digits(magnitude), out);
    }
}

/// Appends `number` as C's `printf` writes it with `%.17g`: 17 digits, enough to distinguish all doubles, without zeros
/// at the end.
pub fn format_f64_17_digits(number: f64, out: &mut Vec<u8>) {
    const DIGITS: i32 = 17;
    if !number.is_finite() {
        return format_f64(number, out);
    }
    let scientific = format!("{number:.*e}", DIGITS as usize - 1);
    let (mantissa, exponent) = scientific.split_once('e').expect("it has an exponent");
    let exponent: i32 = exponent.parse().expect("which is a number");
    let without_zeros = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => text.to_string(),
    };
    let text = if (-4..DIGITS).contains(&exponent) {
        without_zeros(&format!("{number:.*}", (DIGITS - 1 - exponent) as usize))
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{}e{sign}{:02}", without_zeros(mantissa), exponent.abs())
    };
    out.extend(text.bytes());
}

fn format_digits(decimal: &grisu::Decimal, out: &mut Vec<u8>) {
    let digits = decimal.digits();
    let first_digit_exponent = decimal.exponent + digits.len() as i32 - 1;
    if (0..8).contains(&decimal.exponent) {
        out.extend(digits);
        out.extend(std::iter::repeat_n(b'0', decimal.exponent as usize));
    } else if decimal.exponent < 0 && (decimal.exponent > -7 || first_digit_exponent.abs() < 4) {
        let decimals = decimal.exponent.unsigned_abs() as usize;
        let (integer, fraction) = digits.split_at(digits.len().saturating_sub(decimals));
        out.extend(if integer.is_empty() { b"0" } else { integer });
        out.push(b'.');
        out.extend(std::iter::repeat_n(b'0', decimals - fraction.len()));
        out.extend(fraction);
    } else {
        out.push(digits[0]);
        if digits.len() > 1 {
            out.push(b'.');
            out.extend(&digits[1..]);
        }
        out.extend(if first_digit_exponent < 0 {
            b"e-"
        } else {
            b"e+"
        });
        format_i64(first_digit_exponent.abs().into(), out);
    }
}

/// The hexadecimal digits of `bytes`, two for each.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_strictly() {
        let table: &[(&str, Option<i64>)] = &[
            ("0", Some(0)),
            ("7", Some(7)),
            ("-1", Some(-1)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("-9223372036854775808", Some(i64::MIN)),
            ("-9223372036854775809", None),
            ("18446744073709551616", None),
            ("99999999999999999999999", None),
            ("", None),
            ("-", None),
            ("-0", None),
            ("--1", None),
            ("+1", None),
            ("01", None),
            ("00", None),
            ("-01", None),
            (" 1", None),
            ("1 ", None),
            ("1.0", None),
            ("1e3", None),
            ("0x1", None),
            ("1\0", None),
        ];
        for &(text, expected) in table {
            assert_eq!(parse_i64(text.as_bytes()), expected, "{text:?}");
        }
        assert_eq!(parse_u64(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_u64(b"18446744073709551616"), None);
        assert_eq!(parse_u64(b"-1"), None);
    }

    #[test]
    fn integers_are_printed() {
        for (number, expected) in [(0, "0"), (-1, "-1"), (i64::MIN, "-9223372036854775808")] {
            let mut out = Vec::new();
            format_i64(number, &mut out);
            assert_eq!(out, expected.as_bytes());
        }
    }

    /// Texts that redis-server 7.0.15 accepts as a bound of ZCOUNT, and their values.
    #[test]
    fn bounds_are_read_loosely() {
        let table: &[(&str, Option<f64>)] = &[
            ("", Some(0.0)),
            ("1.5", Some(1.5)),
            (" \t\n\x0b\x0c\r-2e1", Some(-20.0)),
            ("0x10", Some(16.0)),
            ("1e400", Some(f64::INFINITY)),
            ("-1e400", Some(f64::NEG_INFINITY)),
            ("1e-400", Some(0.0)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            (" ", None),
            ("1 ", None),
            ("1e", None),
            ("0x", None),
            ("nan", None),
            ("x", None),
        ];
        for &(text, expected) in table {
            assert_eq!(parse_f64_loosely(text.as_bytes()), expected, "{text:?}");
        }
    }

    /// The output of C's printf with `%.17g`.
    #[test]
    fn doubles_are_printed_with_17_digits() {
        for (number, expected) in [
            (0.1, "0.10000000000000001"),
            (1e-7, "9.9999999999999995e-08"),
            (0.0001, "0.0001"),
            (-12345678.9, "-12345678.9"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (1e300, "1.0000000000000001e+300"),
            (-0.0, "-0"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            let mut out = Vec::new();
            format_f64_17_digits(number, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }

    /// Texts that redis-server 7.0.15 accepts as a score of ZADD.
    #[test]
    fn doubles_are_read_like_scores() {
        let accepted: &[(&str, f64)] = &[
            ("1", 1.0),
            ("+5", 5.0),
            ("-0", 0.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("007", 7.0),
            ("1e3", 1000.0),
            ("1E-2", 0.01),
            ("0e999999999999", 0.0),
            ("5e-324", 5e-324),
            ("1e308", 1e308),
            ("inf", f64::INFINITY),
            ("+inf", f64::INFINITY),
            ("-INF", f64::NEG_INFINITY),
            ("+iNfinity", f64::INFINITY),
            ("0x10", 16.0),
            ("0x1p3", 8.0),
            ("-0x1.8P1", -3.0),
            ("0x.8p1", 1.0),
            ("0xe", 14.0),
            ("0x0p-9999", 0.0),
            ("0x1p-1073", 1e-323),
        ];
        for &(text, expected) in accepted {
            assert_eq!(parse_f64(text.as_bytes()), Some(expected), "{text:?}");
        }
        let refused = [
            "",
            " ",
            " 1",
            "1 ",
            ".",
            "-",
            "+-5",
            "1e",
            "1e+",
            "e5",
            "1_0",
            "1d5",
            "1,5",
            "nan",
            "-nan",
            "nan(1)",
            "in",
            "infinit",
            "1e400",
            "-1e400",
            "1e-400",
            "2e-324",
            "0x",
            "0xp1",
            "0x1p",
            "0xg",
            "0x1p2000",
            "0x1p2147483647",
            "0x1p99999999999",
            "0x1p-2147483648",
            "0x11p-99999999999",
            "0X1P-1080",
            "1\0",
        ];
        for text in refused {
            assert_eq!(parse_f64(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(parse_f64(b"\xff"), None);
    }

    /// Printed by ZSCORE of valkey-server 8.0.1, which prints like Redis 7.2.
    #[test]
    fn doubles_are_printed_like_scores() {
        let table: &[(f64, &str)] = &[
            (0.0, "0"),
            (-0.0, "-0"),
            (3.0, "3"),
            (-17.0, "-17"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
            (0.1, "0.1"),
            (0.3, "0.3"),
            (0.1 + 0.2, "0.30000000000000004"),
            (-123456789.123, "-123456789.123"),
            (1234.5678901234, "1234.5678901234"),
            (1.2345678901234e4, "1.2345678901234e+4"),
            (123456.7890123, "1.234567890123e+5"),
            (1.2345678901234e6, "1.2345678901234e+6"),
            (1.2345678901234e7, "12345678.901234"),
            (0.01234567890123, "0.01234567890123"),
            (0.001234567890123, "0.001234567890123"),
            (0.000123456789, "1.23456789e-4"),
            (1e-5, "0.00001"),
            (1.5e-5, "0.000015"),
            (1.25e-5, "1.25e-5"),
            (1e-6, "0.000001"),
            (1.5e-6, "1.5e-6"),
            (1e-7, "1e-7"),
            (1.5e-300, "1.5e-300"),
            (-1.5e-20, "-1.5e-20"),
            (1e15, "1000000000000000"),
            (9007199254740993.0, "9007199254740992"),
            (1e18, "1000000000000000000"),
            (4611686018427387904.0, "4611686018427387904"),
            (4611686018427388928.0, "4611686018427389000"),
            (5e18, "5e+18"),
            (9223372036854775807.0, "9223372036854776000"),
            (18446744073709551616.0, "18446744073709552000"),
            (1e20, "1e+20"),
            (1.23e22, "12300000000000001000000"),
            (1e23, "99999999999999990000000"),
            (1.23e23, "1.23e+23"),
            (1.2e26, "1.2e+26"),
            (1e100, "1e+100"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
        ];
        for &(number, expected) in table {
            let mut out = Vec::new();
            format_f64(number, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }
}
