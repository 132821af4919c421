//! Random names.

/// This many hexadecimal digits: with 40 of them, no two are ever the same.
pub fn hex_digits(count: usize) -> String {
    (0..count).map(|_| fastrand::digit(16)).collect()
}
