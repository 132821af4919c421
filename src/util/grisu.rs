//! The decimal digits of a double, by the Grisu2 algorithm (Florian Loitsch, "Printing Floating-Point Numbers Quickly
//! and Accurately with Integers", PLDI 2010), in the variant that Redis has used since 7.2.
//!
//! Grisu2 always gives digits that read back as the same double, and in more than 99 % of all cases the fewest such
//! digits. In the rest it gives some digit too many or a last digit that is not the nearest: 1e23 comes out as
//! `9999999999999999e7`. Rust's own printing has no such cases, so it cannot produce Redis'
//! bytes.
//!
//! The idea: scale the double by a power of ten, correctly rounded to 64 bits, so that its exponent falls into a fixed
//! small window. Then the digits come out of integer arithmetic, and stop as soon as the number they spell lies safely
//! between the neighbours of the double.

use num_bigint::BigUint;
use std::sync::LazyLock;

/// Room for the digits; no double needs more than 17.
const MAX_DIGITS: usize = 18;

/// A positive number as `digits * 10^exponent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    digits: [u8; MAX_DIGITS],
    len: usize,
    /// The power of ten of the *last* digit.
    pub exponent: i32,
}

impl Decimal {
    /// The digits as ASCII, without leading zeros.
    pub fn digits(&self) -> &[u8] {
        &self.digits[..self.len]
    }

    fn push(&mut self, digit: u64) {
        // Leading zeros are skipped.
        if digit != 0 || self.len > 0 {
            self.digits[self.len] = b'0' + digit as u8;
            self.len += 1;
        }
    }
}

/// The digits of `value`, which must be finite and greater than zero.
pub fn digits(value: f64) -> Decimal {
    let (low, high) = neighbours(value);
    let (power, power_exponent) = cached_power(high.exponent);
    let mut high = high.times(power);
    let mut low = low.times(power);
    let value = Scaled::from(value).normalized().times(power);
    // Both products may be off by one unit, so the interval shrinks by one unit at each end.
    low.mantissa += 1;
    high.mantissa -= 1;
    generate(value, low, high, -power_exponent)
}

/// `mantissa * 2^exponent`.
#[derive(Clone, Copy, Debug)]
struct Scaled {
    mantissa: u64,
    exponent: i32,
}

/// The bit of a normal double's mantissa that is not stored.
const HIDDEN_BIT: u64 = 1 << 52;

impl From<f64> for Scaled {
    fn from(value: f64) -> Scaled {
        let stored_mantissa = value.to_bits() & (HIDDEN_BIT - 1);
        let stored_exponent = (value.to_bits() >> 52 & 0x7ff) as i32;
        if stored_exponent == 0 {
            Scaled {
                mantissa: stored_mantissa,
                exponent: 1 - 1075,
            }
        } else {
            Scaled {
                mantissa: stored_mantissa | HIDDEN_BIT,
                exponent: stored_exponent - 1075,
            }
        }
    }
}

impl Scaled {
    /// The number in its normal form: the highest bit of the mantissa is set.
    fn normalized(self) -> Scaled {
        let shift = self.mantissa.leading_zeros();
        Scaled {
            mantissa: self.mantissa << shift,
            exponent: self.exponent - shift as i32,
        }
    }

    /// The product, its mantissa rounded to the upper 64 bits.
    fn times(self, other: Scaled) -> Scaled {
        let product = u128::from(self.mantissa) * u128::from(other.mantissa);
        let rounded = (product + (1 << 63)) >> 64;
        Scaled {
            mantissa: rounded as u64,
            exponent: self.exponent + other.exponent + 64,
        }
    }
}

/// The points halfway to the next smaller and next larger double, with the exponent of the larger.
fn neighbours(value: f64) -> (Scaled, Scaled) {
    let Scaled { mantissa, exponent } = Scaled::from(value);
    let high = Scaled {
        mantissa: (mantissa << 1) + 1,
        exponent: exponent - 1,
    }
    .normalized();
    // Below a power of two, doubles are twice as dense.
    let shift = if mantissa == HIDDEN_BIT { 2 } else { 1 };
    let low_mantissa = (mantissa << shift) - 1;
    let low_exponent = exponent - shift;
    let low = Scaled {
        mantissa: low_mantissa << (low_exponent - high.exponent),
        exponent: high.exponent,
    };
    (low, high)
}

/// The powers of ten are kept in steps of this.
const POWER_STEP: i32 = 8;
const FIRST_POWER: i32 = -348;
const POWER_COUNT: i32 = 87;

/// After scaling, the binary exponent lies in this window: then the integer part fits 32 bits, and ten times the
/// fraction fits 64.
const LOWEST_EXPONENT: i32 = -60;
const HIGHEST_EXPONENT: i32 = -32;

/// A power of ten that brings `exponent` into the window, and which one it is.
fn cached_power(exponent: i32) -> (Scaled, i32) {
    static POWERS: LazyLock<Vec<Scaled>> = LazyLock::new(|| {
        (0..POWER_COUNT)
            .map(|index| power_of_ten(FIRST_POWER + index * POWER_STEP))
            .collect()
    });
    const LOG10_OF_2: f64 = 0.301_029_995_663_981_14;
    // Sometimes two powers are possible, and the digits depend on the choice. This guess and its correction are Redis'.
    let guess = (f64::from(-(exponent + POWER_COUNT)) * LOG10_OF_2) as i32;
    let mut index = (guess - FIRST_POWER) / POWER_STEP;
    loop {
        let power = POWERS[index as usize];
        let scaled_exponent = exponent + power.exponent + 64;
        if scaled_exponent < LOWEST_EXPONENT {
            index += 1;
        } else if scaled_exponent > HIGHEST_EXPONENT {
            index -= 1;
        } else {
            return (power, FIRST_POWER + index * POWER_STEP);
        }
    }
}

/// 10^`power`, rounded to the nearest 64-bit mantissa.
fn power_of_ten(power: i32) -> Scaled {
    let ten_to = BigUint::from(10u32).pow(power.unsigned_abs());
    // Enough bits that the quotient has more than 64, also for the smallest power.
    const EXTRA_BITS: i32 = 1_400;
    let (number, exponent) = if power >= 0 {
        (ten_to << EXTRA_BITS, -EXTRA_BITS)
    } else {
        ((BigUint::from(1u32) << EXTRA_BITS) / ten_to, -EXTRA_BITS)
    };
    let surplus = number.bits() as i32 - 64;
    let rounded = ((number >> (surplus - 1)) + 1u32) >> 1u32;
    let mantissa = u64::try_from(rounded).expect("no power of ten here rounds up to 2^64");
    Scaled {
        mantissa,
        exponent: exponent + surplus,
    }
}

/// Digits of `high`, until they spell a number above `low`; then the last digit moves towards `value`.
fn generate(value: Scaled, low: Scaled, high: Scaled, exponent: i32) -> Decimal {
    let mut decimal = Decimal {
        digits: [0; MAX_DIGITS],
        len: 0,
        exponent,
    };
    let fraction_bits = -high.exponent;
    let one = 1u64 << fraction_bits;
    let mut integer = high.mantissa >> fraction_bits;
    let mut fraction = high.mantissa & (one - 1);
    // The distances from `high` down to the lowest permitted number, and to the value itself.
    let mut allowed = high.mantissa - low.mantissa;
    let mut wanted = high.mantissa - value.mantissa;

    for position in (0..10).rev() {
        let unit = 10u64.pow(position);
        decimal.push(integer / unit);
        integer %= unit;
        let rest = (integer << fraction_bits) + fraction;
        if rest <= allowed {
            decimal.exponent += position as i32;
            approach(&mut decimal, rest, wanted, allowed, unit << fraction_bits);
            return decimal;
        }
    }
    loop {
        fraction *= 10;
        allowed *= 10;
        wanted = wanted.wrapping_mul(10);
        decimal.exponent -= 1;
        decimal.push(fraction >> fraction_bits);
        fraction &= one - 1;
        if fraction < allowed {
            approach(&mut decimal, fraction, wanted, allowed, one);
            return decimal;
        }
    }
}

/// Lowers the last digit, worth `unit`, while that brings the digits, which are `rest` below `high`, nearer to
/// `wanted`.
fn approach(decimal: &mut Decimal, mut rest: u64, wanted: u64, allowed: u64, unit: u64) {
    while rest < wanted
        && allowed - rest >= unit
        && (rest + unit < wanted || wanted - rest > rest + unit - wanted)
    {
        decimal.digits[decimal.len - 1] -= 1;
        rest += unit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_ten_are_rounded_to_nearest() {
        // The first, one in the middle and the last, as printed in the paper's reference code.
        for (power, mantissa, exponent) in [
            (-348, 0xfa8f_d5a0_081c_0288, -1220),
            (-4, 0xd1b7_1758_e219_652c, -77),
            (4, 0x9c40_0000_0000_0000, -50),
            (340, 0xaf87_023b_9bf0_ee6b, 1066),
        ] {
            let scaled = power_of_ten(power);
            assert_eq!(
                (scaled.mantissa, scaled.exponent),
                (mantissa, exponent),
                "10^{power}"
            );
        }
    }

    #[test]
    fn digits_are_redis_digits() {
        let check = |value: f64, expected: &str, exponent: i32| {
            let decimal = digits(value);
            assert_eq!(
                std::str::from_utf8(decimal.digits()),
                Ok(expected),
                "{value}"
            );
            assert_eq!(decimal.exponent, exponent, "{value}");
        };
        check(0.1, "1", -1);
        check(0.3, "3", -1);
        check(0.1 + 0.2, "30000000000000004", -17);
        check(1e23, "9999999999999999", 7);
        check(1.23e22, "12300000000000001", 6);
        check(5e-324, "5", -324);
        check(f64::MAX, "17976931348623157", 292);
        check(f64::MIN_POSITIVE, "22250738585072014", -324);
    }
}
