//! Holds back changes to the keyspace: at the end of the server, what is changed after the last snapshot would be
//! acknowledged and lost; and while the append-only file is loaded anew, only the threads that load it change keys.
//! Reading goes on, unless a key that is read has expired and would have to be removed first.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, PoisonError};

/// Open, unless the server is about to end.
#[derive(Debug, Default)]
pub struct Gate {
    is_closed: AtomicBool,
    waiting: Mutex<()>,
    opened: Condvar,
}

thread_local! {
    /// Whether the thread passes a closed gate.
    static PASSES: Cell<bool> = const { Cell::new(false) };
}

/// Lets the calling thread pass a closed gate, because it loads data, or not any more.
pub fn pass(passes: bool) {
    PASSES.set(passes);
}

impl Gate {
    /// Called with all shards locked exclusively, so that no change is under way.
    pub fn close(&self) {
        self.is_closed.store(true, SeqCst);
    }

    /// Lets changes through again, because the server goes on.
    pub fn open(&self) {
        let _waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_closed.store(false, SeqCst);
        self.opened.notify_all();
    }

    /// Whether changes of the calling thread are held back.
    pub fn is_closed(&self) -> bool {
        self.is_closed.load(SeqCst) && !PASSES.get()
    }

    /// Waits until it is open, with no lock held.
    pub(super) fn wait(&self) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.opened.wait_while(waiting, |()| self.is_closed()));
    }
}
