//! The epochs of admission.
//!
//! A command is admitted before it waits for its locks: no pause holds it, its user may give it, the directives allow
//! it. Whoever changes that begins a new epoch, and then waits until what has its locks is done
//! ([`settle`](crate::command::execute::Engine::settle)). A command that gets its locks in a later epoch than that of
//! its admission does not run: it lets them go and is given again. So no command runs that would not be admitted now,
//! once `CLIENT PAUSE`, `ACL SETUSER` or `CONFIG SET` is answered.

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
