//! The 80-bit floating point number of the x87, which INCRBYFLOAT and HINCRBYFLOAT compute with in Redis: 64 bits of
//! mantissa, so that 0.1 + 0.2 is 0.3. Rust has no such type; the arithmetic is `rustc_apfloat`'s.
//!
//! ```text
//! bit  79    78..64    63..0
//!      sign  exponent  mantissa, its highest bit is written out
//! ```

use crate::util::number::{is_hexadecimal, parse_hexadecimal, spells_infinity, spells_zero};
use num_bigint::BigUint;
use rustc_apfloat::ieee::{Double, X87DoubleExtended};
use rustc_apfloat::{Float, FloatConvert, Round};

/// A `long double` of C on x86.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LongDouble(X87DoubleExtended);

impl Default for LongDouble {
    /// Zero.
    fn default() -> Self {
        LongDouble(X87DoubleExtended::ZERO)
    }
}

/// Redis copies the text into a buffer of 5 kB first.
const MAX_TEXT_LEN: usize = 5 * 1024 - 1;

/// INCRBYFLOAT prints this many decimals and then drops the zeros at the end.
const DECIMALS: u32 = 17;

impl LongDouble {
    /// Reads what [`parse_f64`](crate::util::number::parse_f64) reads, in the wider range of this type.
    pub fn parse(text: &[u8]) -> Option<LongDouble> {
        let text = std::str::from_utf8(text).ok()?;
        if text.len() > MAX_TEXT_LEN {
            return None;
        }
        let value: X87DoubleExtended = if is_hexadecimal(text) {
            parse_hexadecimal(text)?
        } else {
            // The crate accepts more texts than C, so Rust's parser, which accepts those of C, checks the text first.
            let as_double: f64 = text.parse().ok()?;
            if as_double.is_nan() {
                return None;
            }
            if spells_infinity(text) {
                let infinity = X87DoubleExtended::INFINITY;
                return Some(LongDouble(if as_double < 0.0 {
                    -infinity
                } else {
                    infinity
                }));
            }
            text.parse().ok()?
        };
        let in_range = value.is_finite() && (!value.is_zero() || spells_zero(text));
        in_range.then_some(LongDouble(value))
    }

    /// Whether this is not a number, for example the sum of two opposite infinities.
    pub fn is_nan(self) -> bool {
        self.0.is_nan()
    }

    /// Whether this is infinite, for example a sum that is too large.
    pub fn is_infinite(self) -> bool {
        self.0.is_infinite()
    }

    /// A thousand times the number, rounded up; the nearest number there is if it is too large.
    pub fn ceil_thousandths(self) -> i64 {
        let thousand = X87DoubleExtended::from_u128(1000).value;
        let product = (self.0 * thousand).value;
        let number = product.to_i128_r(64, Round::TowardPositive, &mut false);
        number.value as i64
    }

    /// Appends the number in the form for humans: all digits before the point, never an exponent, at most 17 decimals
    /// (rounded half to even, from the exact value) without zeros at the end, and never `-0`.
    pub fn format(self, out: &mut Vec<u8>) {
        if self.is_nan() {
            out.extend(b"nan");
            return;
        }
        let digits = if self.is_infinite() {
            "inf".to_string()
        } else {
            self.magnitude()
        };
        if self.0.is_negative() && digits != "0" {
            out.push(b'-');
        }
        out.extend(digits.as_bytes());
    }

    fn magnitude(self) -> String {
        let bits = self.0.to_bits();
        let mantissa = bits as u64;
        let exponent = ((bits >> 64) & 0x7fff) as i32;
        // The smallest exponent is written as 0 and as 1 alike.
        let exponent = exponent.max(1) - (0x3fff + 63);
        if exponent >= 0 {
            return (BigUint::from(mantissa) << exponent).to_string();
        }
        // 2^64 * 10^17 is less than 2^121.
        let units = shift_right_rounding(
            u128::from(mantissa) * 10u128.pow(DECIMALS),
            exponent.unsigned_abs(),
        );
        let one = 10u128.pow(DECIMALS);
        let with_decimals = format!("{}.{:017}", units / one, units % one);
        with_decimals
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_string()
    }
}

impl From<f64> for LongDouble {
    fn from(number: f64) -> Self {
        let number = Double::from_bits(number.to_bits().into());
        LongDouble(number.convert(&mut false).value)
    }
}

impl std::ops::Add for LongDouble {
    type Output = LongDouble;

    /// The sum, rounded to nearest.
    fn add(self, other: LongDouble) -> LongDouble {
        LongDouble((self.0 + other.0).value)
    }
}

/// `number / 2^shift`, rounded half to even; `number` is below 2^127.
fn shift_right_rounding(number: u128, shift: u32) -> u128 {
    if shift >= 128 {
        return 0;
    }
    let (quotient, rest) = (number >> shift, number & ((1 << shift) - 1));
    let half = 1 << (shift - 1);
    let round_up = rest > half || (rest == half && quotient & 1 == 1);
    quotient + u128::from(round_up)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// INCRBYFLOAT of redis-server 7.0.15.
    #[test]
    fn adds_and_prints_like_incrbyfloat() {
        let table: &[(&str, &str, &str)] = &[
            ("0.1", "0.2", "0.3"),
            ("3.0e3", "200", "3200"),
            ("5.0e3", "200", "5200"),
            ("10.50", "0.1", "10.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("0", "-0", "0"),
            ("-0", "-0", "0"),
            ("-1e-18", "0", "0"),
            ("-1e-17", "0", "-0.00000000000000001"),
            ("5e-18", "0", "0"),
            ("1.5e-17", "0", "0.00000000000000002"),
            ("1e-17", "0", "0.00000000000000001"),
            ("1e17", "0.1", "100000000000000000.1015625"),
            ("1e18", "0.5", "1000000000000000000.5"),
            ("9223372036854775807", "1", "9223372036854775808"),
            ("18446744073709551615", "1", "18446744073709551616"),
            ("18446744073709551615", "2", "18446744073709551616"),
            ("1e20", "1", "100000000000000000000"),
            ("1e30", "0", "1000000000000000000024696061952"),
            (
                "1e308",
                "1e308",
                "1999999999999999999933717593116912913211201996948311344155940959898434697376761237442002538437770786\
                 4089349445010802644630426949918792116719484162886039283753591820003920638155732621920901421333587830\
                 6791577877829121087126122536729803237260434173178506889763247582601711514636284849020905456510092687\
                 857156096",
            ),
            ("1e-400", "0", "0"),
            ("3.6e-4951", "0", "0"),
            ("0x10", "0.5", "16.5"),
            ("0x1.8p1", "-3", "0"),
            ("0xap-4", ".5", "1.125"),
            ("5.", "+.25", "5.25"),
            ("1e0", "-0.9", "0.1"),
            ("3.14159265358979323846", "0", "3.14159265358979324"),
            ("2.7182818284590452354", "1e-15", "2.71828182845904624"),
            ("0.30000000000000004", "0", "0.30000000000000004"),
            (
                "1234567890.123456789",
                "0.000000001",
                "1234567890.12345678999554366",
            ),
            ("-1.25", "1.25", "0"),
            ("100", "-99.99", "0.01"),
            ("123456789012345678.9", "0.1", "123456789012345679"),
        ];
        for &(a, b, expected) in table {
            let sum =
                LongDouble::parse(a.as_bytes()).unwrap() + LongDouble::parse(b.as_bytes()).unwrap();
            let mut out = Vec::new();
            sum.format(&mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected, "{a} + {b}");
        }
    }

    /// GEOPOS of redis-server 7.0.15 after ZADD with these scores.
    #[test]
    fn prints_doubles_exactly() {
        for (number, expected) in [
            (13.361389338970184, "13.36138933897018433"),
            (-0.0, "0"),
            (-180.0, "-180"),
            (85.05112878, "85.0511287799999991"),
        ] {
            let mut out = Vec::new();
            LongDouble::from(number).format(&mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }

    #[test]
    fn sums_may_leave_the_range() {
        let parse = |text: &str| LongDouble::parse(text.as_bytes()).unwrap();
        assert!((parse("1.1e4932") + parse("1.1e4932")).is_infinite());
        assert!((parse("inf") + parse("1")).is_infinite());
        assert!((parse("inf") + parse("-Infinity")).is_nan());
        assert!(!parse("inf").is_nan() && !parse("1").is_infinite());
    }

    #[test]
    fn refuses_what_redis_refuses() {
        let refused = [
            "",
            " 1",
            "1 ",
            ".",
            "1e",
            "1e+",
            "nan",
            "+nan",
            "snan",
            "nan(1)",
            "+-5",
            "1_0",
            "1e4933",
            "1e-4970",
            "0x",
            "0xp1",
            "0x1p",
            "0x1p16384",
            "0x1p2147483647",
            "0x1p-99999999999",
            "1e99999999999",
            "1\0",
        ];
        for text in refused {
            assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(LongDouble::parse(&[b'1'; 5_120]), None);
    }
}
