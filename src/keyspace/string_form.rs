//! What is known of a string beside its bytes.

use crate::util::number;

/// The longest string that Redis calls `embstr`.
const EMBSTR_BYTES: usize = 44;

/// What `OBJECT ENCODING` is to say of a string; it depends on the command that made it, not on its bytes alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StringForm {
    /// `int` if the bytes are a canonical integer, else by length.
    Natural,
    /// By length alone: results of INCRBYFLOAT.
    Text,
    /// `raw` whatever the length: strings changed in place, by APPEND and SETRANGE.
    Raw,
}

impl StringForm {
    /// What `OBJECT ENCODING` says of a string of this form.
    pub fn encoding(self, value: &[u8]) -> &'static str {
        match self {
            StringForm::Natural if number::parse_i64(value).is_some() => "int",
            StringForm::Natural | StringForm::Text if value.len() <= EMBSTR_BYTES => "embstr",
            _ => "raw",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As redis-server 7.0.15 answers after SET, INCRBYFLOAT and APPEND.
    #[test]
    fn encodings() {
        let long = [b'x'; 45];
        for (value, natural, text) in [
            (&b"12345"[..], "int", "embstr"),
            (b"-9223372036854775808", "int", "embstr"),
            (b"007", "embstr", "embstr"),
            (b"", "embstr", "embstr"),
            (&long[..44], "embstr", "embstr"),
            (&long, "raw", "raw"),
        ] {
            assert_eq!(StringForm::Natural.encoding(value), natural);
            assert_eq!(StringForm::Text.encoding(value), text);
            assert_eq!(StringForm::Raw.encoding(value), "raw");
        }
    }
}
