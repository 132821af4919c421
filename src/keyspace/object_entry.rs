//! A key with a value that does not lie in the table.

use super::expiring_key::ExpiringKey;
use super::inline_entry::InlineEntry;
use super::object::Object;
use crate::types::blocks::shared_bytes;
use crate::types::dict::Keyed;
use triomphe::Arc;

/// A key with an [`Object`]: a shared reference, and a shared one is copied before it is changed; collections share
/// their blocks with the copy.
#[derive(Clone, Debug)]
pub struct ObjectEntry(Arc<Parts>);

/// With its count of references this fills a block of 64 bytes.
#[derive(Clone, Debug)]
struct Parts {
    object: Object,
    key: ExpiringKey,
}

impl Keyed for ObjectEntry {
    fn of_pair(key: &[u8], value: &[u8]) -> ObjectEntry {
        let InlineEntry {
            value,
            expires_at_ms,
        } = InlineEntry::read(value);
        ObjectEntry::new(key, value.to_object(), expires_at_ms)
    }

    fn key(&self) -> &[u8] {
        self.0.key.bytes()
    }
}

impl ObjectEntry {
    /// A key with an object.
    pub fn new(key: &[u8], object: Object, expires_at_ms: Option<i64>) -> ObjectEntry {
        ObjectEntry(Arc::new(Parts {
            object,
            key: ExpiringKey::new(key, expires_at_ms),
        }))
    }

    /// Bytes of its blocks of memory; those of a large collection are estimated from this many samples.
    pub fn memory_bytes(&self, samples: usize) -> usize {
        let Parts { object, key } = &*self.0;
        shared_bytes::<Parts>() + key.memory_bytes() + object.memory_bytes(samples)
    }

    /// The object.
    pub fn object(&self) -> &Object {
        &self.0.object
    }

    /// The object, to be changed.
    pub fn object_mut(&mut self) -> &mut Object {
        &mut Arc::make_mut(&mut self.0).object
    }

    /// Moves the object out, or copies it if a snapshot holds it too.
    pub fn into_object(self) -> Object {
        Arc::unwrap_or_clone(self.0).object
    }

    /// Unix time in milliseconds at which the key expires.
    pub fn expires_at_ms(&self) -> Option<i64> {
        self.0.key.expires_at_ms()
    }

    /// Sets or clears the deadline.
    pub fn set_expires_at_ms(&mut self, expires_at_ms: Option<i64>) {
        Arc::make_mut(&mut self.0)
            .key
            .set_expires_at_ms(expires_at_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_fills_its_block() {
        assert_eq!(shared_bytes::<Parts>(), 64);
    }
}
