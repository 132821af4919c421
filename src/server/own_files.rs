//! Files that exist only while the server runs: `pidfile` and `unixsocket`. The main thread and the thread that handles
//! a second SIGINT share the list.

use std::fs;
use std::path::{self, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The paths of the files.
#[derive(Clone, Debug, Default)]
pub struct OwnFiles(Arc<Mutex<Vec<PathBuf>>>);

impl OwnFiles {
    /// Adds a file that was just created. Its path is made absolute, because the working directory may change.
    pub fn add(&self, path: &str) {
        let path = path::absolute(path).unwrap_or_else(|_| Path::new(path).to_path_buf());
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(path);
    }

    /// Removes the files, because the server ends.
    pub fn remove(&self) {
        let mut paths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for path in paths.drain(..) {
            // A file that is missing already needs no message.
            let _ = fs::remove_file(path);
        }
    }
}
