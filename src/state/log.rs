//! The server's log, in Redis' format.

use crate::state::config::LogLevel;
use crate::util::clock;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// Where lines go, and which.
#[derive(Debug)]
pub struct Log {
    least: AtomicU8,
    /// Standard output if there is no file.
    file: Mutex<Option<File>>,
}

impl Default for Log {
    fn default() -> Self {
        Log {
            least: AtomicU8::new(LogLevel::Notice as u8),
            file: Mutex::new(None),
        }
    }
}

impl Log {
    /// Leaves out lines below this level.
    pub fn set_level(&self, least: LogLevel) {
        self.least.store(least as u8, Relaxed);
    }

    /// Appends lines to a file from now on; an empty path means standard output.
    ///
    /// # Errors
    /// The file cannot be opened for appending.
    pub fn set_file(&self, path: &Path) -> io::Result<()> {
        let is_none = path.as_os_str().is_empty();
        let file = if is_none {
            None
        } else {
            Some(OpenOptions::new().create(true).append(true).open(path)?)
        };
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = file;
        Ok(())
    }

    /// A line that says the server works as it should.
    pub fn notice(&self, text: impl fmt::Display) {
        self.write(LogLevel::Notice, &text);
    }

    /// A line that somebody should read.
    pub fn warning(&self, text: impl fmt::Display) {
        self.write(LogLevel::Warning, &text);
    }

    /// A line about the daily round.
    pub fn verbose(&self, text: impl fmt::Display) {
        self.write(LogLevel::Verbose, &text);
    }

    fn write(&self, level: LogLevel, text: &dyn fmt::Display) {
        if (level as u8) < self.least.load(Relaxed) {
            return;
        }
        let mark = match level {
            LogLevel::Debug => '.',
            LogLevel::Verbose => '-',
            LogLevel::Notice => '*',
            LogLevel::Warning | LogLevel::Nothing => '#',
        };
        let line = format!(
            "{}:M {} {mark} {text}\n",
            std::process::id(),
            clock::log_time(clock::unix_ms())
        );
        // A log that cannot be written must not stop the server.
        let _ = match &mut *self.file.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(file) => file.write_all(line.as_bytes()),
            None => io::stdout().write_all(line.as_bytes()),
        };
    }
}
