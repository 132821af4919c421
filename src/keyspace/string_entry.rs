//! A key with a string, as it lies in the table.
//!
//! It is a pair of a [`Dict`](crate::types::dict::Dict), whose value is
//!
//! ```text
//!   flags 1 | [deadline 8] | string ...
//! ```
//!
//! The deadline is there only if the key has one. With the lengths and the slot that the table adds, a key of 16 bytes
//! with a string of 16 bytes takes 43 bytes. Longer strings live in an
//! [`ObjectEntry`](super::object_entry::ObjectEntry) instead.

use crate::util::number;

/// The longest string that may lie in the table.
pub const INLINE_BYTES: usize = 512;

/// The longest string that Redis calls `embstr`.
const EMBSTR_BYTES: usize = 44;

const HAS_DEADLINE: u8 = 1 << 0;
const IS_TEXT: u8 = 1 << 1;
const IS_RAW: u8 = 1 << 2;

const DEADLINE_BYTES: usize = 8;

/// A string with its deadline and form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StringEntry<'a> {
    /// The string.
    pub value: &'a [u8],
    /// How it was made.
    pub form: StringForm,
    /// Unix time in milliseconds at which the key expires.
    pub expires_at_ms: Option<i64>,
}

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

impl<'a> StringEntry<'a> {
    /// Reads what [`Self::with_parts`] has made.
    pub fn read(bytes: &'a [u8]) -> StringEntry<'a> {
        let (flags, rest) = bytes.split_first().expect("an entry has flags");
        let (deadline, value) = match flags & HAS_DEADLINE {
            0 => (None, rest),
            _ => rest
                .split_first_chunk()
                .map(|(deadline, value)| (Some(i64::from_le_bytes(*deadline)), value))
                .expect("the flag says that there is a deadline"),
        };
        StringEntry {
            value,
            form: StringForm::of_flags(*flags),
            expires_at_ms: deadline,
        }
    }

    /// Hands over the bytes that lie in the table, part by part.
    pub fn with_parts<T>(&self, take: impl FnOnce(&[&[u8]]) -> T) -> T {
        let mut head = [self.form.flags(); 1 + DEADLINE_BYTES];
        match self.expires_at_ms {
            Some(deadline) => {
                head[0] |= HAS_DEADLINE;
                head[1..].copy_from_slice(&deadline.to_le_bytes());
                take(&[&head, self.value])
            }
            None => take(&[&head[..1], self.value]),
        }
    }
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

    fn flags(self) -> u8 {
        match self {
            StringForm::Natural => 0,
            StringForm::Text => IS_TEXT,
            StringForm::Raw => IS_RAW,
        }
    }

    fn of_flags(flags: u8) -> StringForm {
        match flags & (IS_TEXT | IS_RAW) {
            0 => StringForm::Natural,
            IS_TEXT => StringForm::Text,
            _ => StringForm::Raw,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_what_it_was_made_of() {
        for value in [&b""[..], b"v", &[255; 512]] {
            for expires_at_ms in [None, Some(0), Some(-1), Some(i64::MAX)] {
                for form in [StringForm::Natural, StringForm::Text, StringForm::Raw] {
                    let entry = StringEntry {
                        value,
                        form,
                        expires_at_ms,
                    };
                    let bytes = entry.with_parts(|parts| parts.concat());
                    assert_eq!(StringEntry::read(&bytes), entry);
                }
            }
        }
    }

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
