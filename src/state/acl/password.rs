//! Passwords of users are kept as digests (SHA-256), as in Redis, so that a file of users does not show them.

use sha2::{Digest as _, Sha256};
use std::fmt::{self, Write};
use std::hint::black_box;

/// Bytes of a digest.
const BYTES: usize = 32;

/// The SHA-256 digest of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Digest([u8; BYTES]);

impl Digest {
    /// The digest of a password.
    pub fn of(password: &[u8]) -> Digest {
        Digest(Sha256::digest(password).into())
    }

    /// A digest in 64 hexadecimal digits of lower case; `None` if it is not that.
    pub fn from_hex(text: &[u8]) -> Option<Digest> {
        let mut bytes = [0; BYTES];
        if text.len() != 2 * BYTES {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            *byte = 16 * digit(pair[0])? + digit(pair[1])?;
        }
        Some(Digest(bytes))
    }

    /// Whether the digests are equal, in a time that does not depend on where they differ: else an attacker who
    /// measures it could find a digest bit by bit.
    pub fn equals(&self, other: &Digest) -> bool {
        let pairs = self.0.iter().zip(&other.0);
        let difference = pairs.fold(0, |difference, (one, two)| {
            // The compiler must not end the loop early.
            black_box(difference | (one ^ two))
        });
        difference == 0
    }
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

/// In hexadecimal digits.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Hidden: a digest can be tried against lists of passwords.
impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(..)")
    }
}

/// A password of this many random bits, 4 to each hexadecimal digit, from the generator of the operating system.
///
/// # Errors
/// The system gives no random numbers.
pub fn random_password(bits: usize) -> Result<String, getrandom::Error> {
    let digits = bits.div_ceil(4);
    let mut bytes = vec![0; digits.div_ceil(2)];
    getrandom::fill(&mut bytes)?;
    let mut text = bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    });
    text.truncate(digits);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf abc | sha256sum`.
    const OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn digests_in_hexadecimal() {
        let digest = Digest::of(b"abc");
        assert_eq!(digest.to_string(), OF_ABC);
        assert!(Digest::from_hex(OF_ABC.as_bytes()).is_some_and(|same| same.equals(&digest)));
        assert!(!Digest::of(b"abd").equals(&digest));
        for wrong in [
            "",
            &OF_ABC[1..],
            &OF_ABC.to_uppercase(),
            &format!("{OF_ABC}0"),
        ] {
            assert!(Digest::from_hex(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }

    #[test]
    fn passwords_have_a_digit_for_every_four_bits() {
        for (bits, digits) in [(1, 1), (4, 1), (5, 2), (256, 64), (4096, 1024)] {
            let password = random_password(bits).expect("there are random numbers");
            assert_eq!(password.len(), digits);
        }
        assert_ne!(random_password(256), random_password(256));
    }
}
