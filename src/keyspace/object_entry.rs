//! A key with a value that has a life of its own: a collection, or a large string.

use super::object::Object;
use crate::types::dict::DictEntry;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use triomphe::Arc;

/// A key with an [`Object`]. Like a [`StringEntry`](super::string_entry::StringEntry) it is a shared reference, and a
/// shared one is copied before it is changed; collections share their blocks with the copy.
#[derive(Clone, Debug)]
pub struct ObjectEntry(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    object: Object,
    key: Box<[u8]>,
    expires_at_ms: Option<i64>,
    clock: AtomicU32,
}

impl Clone for Parts {
    fn clone(&self) -> Self {
        Parts {
            object: self.object.clone(),
            key: self.key.clone(),
            expires_at_ms: self.expires_at_ms,
            clock: AtomicU32::new(self.clock.load(Relaxed)),
        }
    }
}

impl DictEntry for ObjectEntry {
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
            expires_at_ms,
            clock: AtomicU32::new(0),
        }))
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
        self.0.expires_at_ms
    }

    /// Sets or clears the deadline.
    pub fn set_expires_at_ms(&mut self, expires_at_ms: Option<i64>) {
        Arc::make_mut(&mut self.0).expires_at_ms = expires_at_ms;
    }

    /// The second of the last access, modulo 2^24.
    pub fn clock(&self) -> u32 {
        self.0.clock.load(Relaxed)
    }

    /// Notes an access at this second, modulo 2^24.
    pub fn set_clock(&self, now_s: u32) {
        self.0.clock.store(now_s, Relaxed);
    }
}
