//! Files that are there only while the server runs: `pidfile` and `unixsocket`.

use std::fs;
use std::path::{self, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The files, for the main thread and for the thread that ends the server at once.
#[derive(Clone, Debug, Default)]
pub struct OwnFiles(Arc<Mutex<Vec<PathBuf>>>);

impl OwnFiles {
    /// Adds a file that was just made. The working directory may change until it is removed.
    pub fn add(&self, path: &str) {
        let path = path::absolute(path).unwrap_or_else(|_| Path::new(path).to_path_buf());
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(path);
    }

    /// Removes them, because the server ends.
    pub fn remove(&self) {
        let mut paths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for path in paths.drain(..) {
            // A path that is gone already is as good.
            let _ = fs::remove_file(path);
        }
    }
}
