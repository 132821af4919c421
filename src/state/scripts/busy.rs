//! Scripts that have run for longer than `busy-reply-threshold`: those that SCRIPT KILL and FUNCTION KILL end.

use crate::lua::interpreter::Kind;
use crate::util::clock::Stopwatch;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All of them. In Redis there is one at most; here each holds other shards.
#[derive(Debug, Default)]
pub struct BusyScripts {
    list: Mutex<Vec<Arc<BusyScript>>>,
    /// How many there are, to be read without the mutex.
    count: AtomicUsize,
}

/// A script that has run for too long.
#[derive(Debug)]
pub struct BusyScript {
    /// Whether EVAL has started it, or FCALL.
    pub kind: Kind,
    /// The digest of the script, or the name of the function.
    pub name: String,
    /// The client's request.
    pub command: Vec<Vec<u8>>,
    /// Started when the script began.
    pub stopwatch: Stopwatch,
    /// [`CLEAN`], [`WRITTEN`] or [`KILLED`].
    state: AtomicU8,
}

/// It has called no command that writes.
const CLEAN: u8 = 0;
/// It has called one, so it cannot be killed any more.
const WRITTEN: u8 = 1;
/// A client has asked for its end. It calls no command that writes any more.
const KILLED: u8 = 2;

/// Why no script is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotKilled {
    /// None is busy.
    NoneIsBusy,
    /// What is busy has changed keys.
    HasWritten,
    /// What is busy is of this kind, which the other command kills.
    IsOf(Kind),
}

impl BusyScript {
    /// A script that began when the stopwatch was started.
    pub fn new(kind: Kind, name: &str, command: &[&[u8]], stopwatch: Stopwatch) -> BusyScript {
        BusyScript {
            kind,
            name: name.to_string(),
            command: command.iter().map(|argument| argument.to_vec()).collect(),
            stopwatch,
            state: AtomicU8::new(CLEAN),
        }
    }

    /// Whether a client has asked for its end.
    pub fn is_killed(&self) -> bool {
        self.state.load(Relaxed) == KILLED
    }

    /// Notes that it is going to call a command that writes; `false` if it is killed, and must not.
    pub fn note_write(&self) -> bool {
        self.become_state(WRITTEN)
    }

    fn has_written(&self) -> bool {
        self.state.load(Relaxed) == WRITTEN
    }

    /// Leaves the state [`CLEAN`] for this one; whether it is in this one now.
    fn become_state(&self, state: u8) -> bool {
        match self.state.compare_exchange(CLEAN, state, Relaxed, Relaxed) {
            Ok(_) => true,
            Err(other) => other == state,
        }
    }
}

impl BusyScripts {
    /// Adds one.
    pub fn begin(&self, script: Arc<BusyScript>) {
        let mut list = self.list();
        list.push(script);
        self.count.store(list.len(), Relaxed);
    }

    /// Removes one, which has ended.
    pub fn end(&self, script: &Arc<BusyScript>) {
        let mut list = self.list();
        list.retain(|other| !Arc::ptr_eq(other, script));
        self.count.store(list.len(), Relaxed);
    }

    /// Whether there is one.
    pub fn is_any(&self) -> bool {
        self.count.load(Relaxed) > 0
    }

    /// The one that has been busy for the longest time, of this kind or of any.
    pub fn first(&self, kind: Option<Kind>) -> Option<Arc<BusyScript>> {
        let list = self.list();
        let is_wanted = |script: &&Arc<BusyScript>| kind.is_none_or(|kind| script.kind == kind);
        list.iter().find(is_wanted).cloned()
    }

    /// Marks all of this kind that have changed nothing. Each ends when it looks for the mark.
    ///
    /// # Errors
    /// No script of this kind is busy, or all of them have written.
    pub fn kill(&self, kind: Kind) -> Result<(), NotKilled> {
        let list = self.list();
        let first = list.first().ok_or(NotKilled::NoneIsBusy)?;
        let (mut is_any, mut is_any_killed) = (false, false);
        for script in list.iter().filter(|script| script.kind == kind) {
            is_any = true;
            is_any_killed |= script.become_state(KILLED);
        }
        match (is_any_killed, is_any || first.has_written()) {
            (true, _) => Ok(()),
            (false, true) => Err(NotKilled::HasWritten),
            (false, false) => Err(NotKilled::IsOf(first.kind)),
        }
    }

    fn list(&self) -> MutexGuard<'_, Vec<Arc<BusyScript>>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
