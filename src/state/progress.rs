//! Clients that wait for the progress of what they have written: to the disk, to replicas (WAIT, WAITAOF).
//!
//! # Thread safety
//! Any thread. Under the mutex, what a client waits for is counted, and outcomes of waits are set.

use super::waiting::{Outcome, Wait};
use crate::resp::reply::Reply;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Writes the reply that tells how far things have come, and returns whether that is what the client waits for.
type Answer = Box<dyn Fn(&mut Reply) -> bool + Send + Sync>;

/// What a client waits for.
pub struct Goal {
    /// Writes the reply.
    pub answer: Answer,
    /// Whether it cannot be reached without an append-only file.
    pub needs_file: bool,
}

impl fmt::Debug for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Goal")
            .field("needs_file", &self.needs_file)
            .finish_non_exhaustive()
    }
}

/// The clients that wait.
#[derive(Debug, Default)]
pub struct Progress {
    waits: Mutex<Vec<(Arc<Goal>, Arc<Wait>)>>,
    /// How many wait. Threads that make progress while no client waits do not take the mutex.
    count: AtomicUsize,
}

impl Progress {
    /// Lets a client wait.
    pub fn join(&self, goal: Arc<Goal>, wait: &Arc<Wait>) {
        self.lock().push((goal, wait.clone()));
        self.count.fetch_add(1, SeqCst);
        // It may have been reached since the client looked.
        self.look();
    }

    /// Serves the clients whose goal is reached. Called whenever there is progress.
    pub fn look(&self) {
        if self.count.load(SeqCst) == 0 {
            return;
        }
        self.retain(|goal, wait| {
            let mut reply = Reply::new(wait.protocol);
            if (goal.answer)(&mut reply) {
                end(wait, Outcome::Served(reply));
            }
        });
    }

    /// Ends the waits that need the append-only file with this error: it is turned off.
    pub fn refuse(&self, text: &[u8]) {
        self.retain(|goal, wait| {
            if goal.needs_file {
                end(wait, Outcome::Failed(text.to_vec()));
            }
        });
    }

    /// Visits all that wait, and forgets those that do not wait any more.
    fn retain(&self, visit: impl Fn(&Goal, &Wait)) {
        let mut waits = self.lock();
        let before = waits.len();
        waits.retain(|(goal, wait)| {
            visit(goal, wait);
            wait.is_pending()
        });
        self.count.fetch_sub(before - waits.len(), SeqCst);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Arc<Goal>, Arc<Wait>)>> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn end(wait: &Wait, outcome: Outcome) {
    if wait.end(outcome) {
        wait.doorbell.ring();
    }
}
