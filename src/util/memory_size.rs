//! Amounts of memory as the configuration writes them: `512`, `100mb`, `1g`.

/// The number of bytes that `text` means: digits and then one of
///
/// | unit | bytes | unit | bytes |
/// |------|-------|------|-------|
/// | none, `b` | 1 | | |
/// | `k`  | 1000   | `kb` | 1024   |
/// | `m`  | 1000^2 | `mb` | 1024^2 |
/// | `g`  | 1000^3 | `gb` | 1024^3 |
///
/// in any case of letters. `None` for anything else, a sign and a fraction included. Redis takes missing digits for
/// zero, wraps a product that needs more than 64 bits, and takes any longer digits for the largest number; so do we.
pub fn parse(text: &[u8]) -> Option<u64> {
    let digits_len = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, unit) = text.split_at(digits_len);
    let bytes_per_unit: u64 = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1_000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    // Redis copies the digits into 128 bytes first.
    if digits.len() >= 128 {
        return None;
    }
    let add_digit =
        |sum: Option<u64>, digit: &u8| sum?.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    let amount = digits.iter().fold(Some(0), add_digit).unwrap_or(u64::MAX);
    Some(amount.wrapping_mul(bytes_per_unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_redis_reads() {
        let table: &[(&str, Option<u64>)] = &[
            ("0", Some(0)),
            ("512", Some(512)),
            ("512b", Some(512)),
            ("1k", Some(1_000)),
            ("1kb", Some(1_024)),
            ("1KB", Some(1_024)),
            ("100mb", Some(104_857_600)),
            ("3m", Some(3_000_000)),
            ("1g", Some(1_000_000_000)),
            ("1Gb", Some(1_073_741_824)),
            ("", Some(0)),
            ("gb", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("99999999999999999999", Some(u64::MAX)),
            ("17179869185gb", Some(1_073_741_824)),
            ("-1", None),
            ("+1", None),
            ("1.5gb", None),
            ("1 gb", None),
            ("1tb", None),
            ("gb1", None),
        ];
        for &(text, expected) in table {
            assert_eq!(parse(text.as_bytes()), expected, "{text:?}");
        }
    }
}
