//! A key with a value that has a life of its own: a collection, or a large string.

use super::object::Object;
use super::string_entry::StringEntry;
use crate::types::blocks::{block_bytes, shared_bytes};
use crate::types::dict::Keyed;
use smallvec::SmallVec;
use triomphe::Arc;

/// Keys up to this length lie in the entry's own block.
const USUAL_KEY_BYTES: usize = 16;
/// Nobody can set a deadline this early: the key would be gone at once.
const NEVER: i64 = i64::MIN;

/// A key with an [`Object`]: a shared reference, and a shared one is copied before it is changed; collections share their
/// blocks with the copy.
#[derive(Clone, Debug)]
pub struct ObjectEntry(Arc<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    object: Object,
    key: SmallVec<[u8; USUAL_KEY_BYTES]>,
    /// [`NEVER`] if the key has no deadline.
    expires_at_ms: i64,
}

impl Keyed for ObjectEntry {
    fn of_pair(key: &[u8], value: &[u8]) -> ObjectEntry {
        let string = StringEntry::read(value);
        let object = Object::String(Arc::new(string.value.to_vec()), string.form);
        ObjectEntry::new(key, object, string.expires_at_ms)
    }

    fn key(&self) -> &[u8] {
        &self.0.key
    }
}

impl ObjectEntry {
    /// A key with an object.
    pub fn new(key: &[u8], object: Object, expires_at_ms: Option<i64>) -> ObjectEntry {
        ObjectEntry(Arc::new(Parts {
            object,
            key: key.into(),
            expires_at_ms: expires_at_ms.unwrap_or(NEVER),
        }))
    }

    /// Bytes of its blocks of memory; those of a large collection are estimated from so many samples.
    pub fn memory_bytes(&self, samples: usize) -> usize {
        let key = &self.0.key;
        let long_key = if key.spilled() { key.capacity() } else { 0 };
        shared_bytes::<Parts>() + block_bytes(long_key) + self.0.object.memory_bytes(samples)
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
        Some(self.0.expires_at_ms).filter(|deadline| *deadline != NEVER)
    }

    /// Sets or clears the deadline.
    pub fn set_expires_at_ms(&mut self, expires_at_ms: Option<i64>) {
        Arc::make_mut(&mut self.0).expires_at_ms = expires_at_ms.unwrap_or(NEVER);
    }
}
