//! A key with its deadline in 24 bytes, for an entry that has its own block of memory.

use crate::types::blocks::block_bytes;

/// The longest key that needs no block of its own.
const SHORT_BYTES: usize = 16;
/// Bytes of a deadline beside a short key: enough until the year 10889.
const SHORT_DEADLINE_BYTES: usize = 6;
/// A short key's deadline if it has none.
const SHORT_NEVER: i64 = (1 << (8 * SHORT_DEADLINE_BYTES)) - 1;

/// Bytes of a deadline before a long key.
const DEADLINE_BYTES: usize = 8;
/// A long key's deadline if it has none. No command can set one this early: the key would be gone at once.
const NEVER: i64 = i64::MIN;

/// A key, and the Unix time in milliseconds at which it expires.
#[derive(Clone, Debug)]
pub(super) struct ExpiringKey(Form);

#[derive(Clone, Debug)]
enum Form {
    Short {
        len: u8,
        deadline: [u8; SHORT_DEADLINE_BYTES],
        /// The key, and zeros.
        bytes: [u8; SHORT_BYTES],
    },
    /// The deadline and then the key: a long key, or a very late deadline.
    Long(Box<[u8]>),
}

impl ExpiringKey {
    pub(super) fn new(key: &[u8], expires_at_ms: Option<i64>) -> ExpiringKey {
        let mut bytes = [0; SHORT_BYTES];
        ExpiringKey(match (bytes.get_mut(..key.len()), short(expires_at_ms)) {
            (Some(place), Some(deadline)) => {
                place.copy_from_slice(key);
                Form::Short {
                    len: key.len() as u8,
                    deadline,
                    bytes,
                }
            }
            _ => Form::Long([&long(expires_at_ms), key].concat().into_boxed_slice()),
        })
    }

    /// The key.
    pub(super) fn bytes(&self) -> &[u8] {
        match &self.0 {
            Form::Short { len, bytes, .. } => &bytes[..usize::from(*len)],
            Form::Long(block) => &block[DEADLINE_BYTES..],
        }
    }

    pub(super) fn expires_at_ms(&self) -> Option<i64> {
        let (deadline, never) = match &self.0 {
            Form::Short { deadline, .. } => (from_le_bytes(deadline), SHORT_NEVER),
            Form::Long(block) => (from_le_bytes(&block[..DEADLINE_BYTES]), NEVER),
        };
        Some(deadline).filter(|deadline| *deadline != never)
    }

    pub(super) fn set_expires_at_ms(&mut self, expires_at_ms: Option<i64>) {
        match (&mut self.0, short(expires_at_ms)) {
            (Form::Short { deadline, .. }, Some(new)) => *deadline = new,
            (Form::Short { .. }, None) => *self = ExpiringKey::new(self.bytes(), expires_at_ms),
            (Form::Long(block), _) => {
                block[..DEADLINE_BYTES].copy_from_slice(&long(expires_at_ms));
            }
        }
    }

    /// Bytes of its block of memory.
    pub(super) fn memory_bytes(&self) -> usize {
        match &self.0 {
            Form::Short { .. } => 0,
            Form::Long(block) => block_bytes(block.len()),
        }
    }
}

/// A deadline as it lies beside a short key, if that is possible.
fn short(expires_at_ms: Option<i64>) -> Option<[u8; SHORT_DEADLINE_BYTES]> {
    let deadline = match expires_at_ms {
        Some(deadline) if !(0..SHORT_NEVER).contains(&deadline) => return None,
        Some(deadline) => deadline,
        None => SHORT_NEVER,
    };
    deadline.to_le_bytes().first_chunk().copied()
}

/// A deadline as it lies before a long key.
fn long(expires_at_ms: Option<i64>) -> [u8; DEADLINE_BYTES] {
    expires_at_ms.unwrap_or(NEVER).to_le_bytes()
}

fn from_le_bytes(bytes: &[u8]) -> i64 {
    let mut number = [0; size_of::<i64>()];
    number[..bytes.len()].copy_from_slice(bytes);
    i64::from_le_bytes(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_every_key_with_every_deadline() {
        let deadlines = [
            None,
            Some(0),
            Some(1_800_000_000_000),
            Some(SHORT_NEVER - 1),
            Some(SHORT_NEVER),
            Some(SHORT_NEVER + 1),
            Some(i64::MAX),
            Some(-1),
        ];
        for len in [0, 1, 15, 16, 17, 300] {
            let bytes = vec![b'k'; len];
            for first in deadlines {
                let key = ExpiringKey::new(&bytes, first);
                assert_eq!((key.bytes(), key.expires_at_ms()), (&bytes[..], first));
                for then in deadlines {
                    let mut key = key.clone();
                    key.set_expires_at_ms(then);
                    assert_eq!((key.bytes(), key.expires_at_ms()), (&bytes[..], then));
                }
            }
        }
    }

    #[test]
    fn a_usual_key_needs_no_block() {
        assert_eq!(size_of::<ExpiringKey>(), 24);
        let deadline = Some(1_800_000_000_000);
        assert_eq!(ExpiringKey::new(&[b'k'; 16], deadline).memory_bytes(), 0);
        assert_eq!(ExpiringKey::new(&[b'k'; 17], deadline).memory_bytes(), 32);
        assert_eq!(ExpiringKey::new(b"k", Some(i64::MAX)).memory_bytes(), 16);
    }
}
