//! The epochs of admission.
//!
//! A command is admitted before it waits for its locks: no pause holds it, its user may give it, the directives allow
//! it. `CLIENT PAUSE`, `ACL SETUSER`, `CONFIG SET` and their like change that. They begin a new epoch, and are answered
//! when all changes that are under way are done ([`settle`](crate::command::execute::Engine::settle)). A command that
//! gets its locks in a later epoch than that of its admission asks again whether it may run; if not, it lets its locks
//! go and is given again. So after the answer no change is made that would not be admitted now.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Release},
};

/// The number of the epoch.
#[derive(Debug, Default)]
pub struct Epoch(AtomicU64);

impl Epoch {
    /// The present epoch. It must be asked before a command is admitted.
    #[inline]
    pub fn now(&self) -> u64 {
        self.0.load(Acquire)
    }

    /// Begins the next epoch. What commands are admitted by must have been changed before.
    pub fn advance(&self) {
        self.0.fetch_add(1, Release);
    }
}
