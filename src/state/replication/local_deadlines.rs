//! The keys to which clients of a writable replica have given a deadline. A replica removes no key that has expired
//! before its primary says so; of these keys the primary knows nothing, so the replica removes them itself, as in
//! Redis.
//!
//! # Thread safety
//! Any thread remembers keys, with their shards locked; the reaper's thread takes those that are due, with no lock. The
//! mutex is a leaf.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A key that expires: when, in milliseconds of Unix time, its database, and its name.
pub type LocalKey = (i64, usize, Box<[u8]>);

/// The keys, those that are due first.
#[derive(Debug, Default)]
pub struct LocalDeadlines(Mutex<BTreeSet<LocalKey>>);

impl LocalDeadlines {
    /// Remembers a key. It may have had another deadline before, with which it stays remembered too.
    pub fn remember(&self, key: LocalKey) {
        self.lock().insert(key);
    }

    /// Takes the keys that are due at this time, in milliseconds of Unix time. By now they may have another deadline.
    pub fn take_due(&self, now_ms: i64) -> Vec<LocalKey> {
        let mut keys = self.lock();
        let later = keys.split_off(&(now_ms.saturating_add(1), 0, Box::default()));
        let due = std::mem::replace(&mut *keys, later);
        due.into_iter().collect()
    }

    /// Forgets all keys: the data are replaced, or the server is a primary.
    pub fn forget_all(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<LocalKey>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_taken_when_they_are_due() {
        let keys = LocalDeadlines::default();
        let key = |deadline: i64, name: &[u8]| (deadline, 0, name.into());
        for (deadline, name) in [(20, b"b"), (10, b"a"), (21, b"c")] {
            keys.remember(key(deadline, name));
        }
        assert_eq!(keys.take_due(9), []);
        assert_eq!(keys.take_due(20), [key(10, b"a"), key(20, b"b")]);
        assert_eq!(keys.take_due(20), []);
        assert_eq!(keys.take_due(i64::MAX), [key(21, b"c")]);
    }
}
