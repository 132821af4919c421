//! The server's log, in Redis' format.
//!
//! # Thread safety
//! Any thread may write a line. A line is formatted first, then written under a mutex, so lines are never mixed. That
//! mutex is held during the system call: if standard output is a pipe that is not read, every thread that logs waits
//! for it. Therefore a caller must not hold a shard's lock. The threads of `server/` release it before they log. The
//! exception is a transaction: CONFIG SET, MODULE and DEBUG LOG log under the locks of EXEC.
//!
//! # Invariants
//! 1. A line ends only where the server ends it: control characters in its text are escaped.
//! 2. Clients cause at most `LINES_OF_CLIENTS` lines in each `PERIOD`; the next line says how many were left out.

use crate::state::config::LogLevel;
use crate::util::clock;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines that all clients together may cause in each period.
const LINES_OF_CLIENTS: u32 = 10;
/// The time after which the count of clients' lines begins anew.
const PERIOD: Duration = Duration::from_secs(10);

/// The destination of lines, and the least level that is written.
#[derive(Debug)]
pub struct Log {
    /// Whether the server is a replica: lines say so, with the letter S instead of M.
    pub is_replica: AtomicBool,
    least: AtomicU8,
    of_clients: Mutex<Quota>,
    /// Standard output if there is no file.
    file: Mutex<Option<File>>,
}

impl Default for Log {
    fn default() -> Self {
        Log {
            is_replica: AtomicBool::new(false),
            least: AtomicU8::new(LogLevel::Notice as u8),
            of_clients: Mutex::default(),
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

    /// A line about something that the operator should know.
    pub fn warning(&self, text: impl fmt::Display) {
        self.write(LogLevel::Warning, &text);
    }

    /// A warning that clients can cause as often as they like. Beyond `LINES_OF_CLIENTS` they are left out, so that
    /// clients cannot fill the disk.
    pub fn warning_of_clients(&self, text: impl fmt::Display) {
        self.write_of_clients(LogLevel::Warning, &text);
    }

    /// A notice that clients can cause as often as they like. It counts as a line of clients, too.
    pub fn notice_of_clients(&self, text: impl fmt::Display) {
        self.write_of_clients(LogLevel::Notice, &text);
    }

    fn write_of_clients(&self, level: LogLevel, text: &dyn fmt::Display) {
        if !self.has(level) {
            return;
        }
        let mut quota = self
            .of_clients
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let granted = quota.take(Instant::now());
        drop(quota);
        match granted {
            Some(0) => self.write(level, text),
            Some(left_out) => {
                let counted =
                    format_args!("{text} ({left_out} lines of clients were left out before)");
                self.write(level, &counted);
            }
            None => {}
        }
    }

    /// A line about routine work, such as closing an idle client.
    pub fn verbose(&self, text: impl fmt::Display) {
        self.write(LogLevel::Verbose, &text);
    }

    /// A line for the search of faults.
    pub fn debug(&self, text: impl fmt::Display) {
        self.write(LogLevel::Debug, &text);
    }

    /// Whether lines of this level are written.
    fn has(&self, level: LogLevel) -> bool {
        level as u8 >= self.least.load(Relaxed)
    }

    fn write(&self, level: LogLevel, text: &dyn fmt::Display) {
        if !self.has(level) {
            return;
        }
        let letter = match level {
            LogLevel::Debug => '.',
            LogLevel::Verbose => '-',
            LogLevel::Notice => '*',
            LogLevel::Warning | LogLevel::Nothing => '#',
        };
        let role = if self.is_replica.load(Relaxed) {
            'S'
        } else {
            'M'
        };
        let line = format!(
            "{}:{role} {} {letter} {}\n",
            std::process::id(),
            clock::log_time(clock::unix_ms()),
            on_one_line(&text.to_string())
        );
        // The server goes on if the log cannot be written.
        let _ = match &mut *self.file.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(file) => file.write_all(line.as_bytes()),
            None => io::stdout().write_all(line.as_bytes()),
        };
    }
}

/// A text with its control characters escaped. Part of a text may come from a client or a file. It must not end the
/// line, or a client could forge lines of the server; and it must not send commands to a terminal. Redis writes such
/// texts unchanged.
fn on_one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => line.extend(character.escape_default()),
            false => line.push(character),
        }
    }
    line
}

/// The count of clients' lines in the present period.
#[derive(Debug, Default)]
struct Quota {
    period_began: Option<Instant>,
    lines: u32,
    left_out: u64,
}

impl Quota {
    /// Asks for one line. Returns the number of lines that were left out before it, or `None` if this line is left out,
    /// too.
    fn take(&mut self, now: Instant) -> Option<u64> {
        if self.period_began.is_none_or(|began| now - began >= PERIOD) {
            self.period_began = Some(now);
            self.lines = 0;
        }
        if self.lines == LINES_OF_CLIENTS {
            self.left_out += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_lines_some_are_written_and_the_others_counted() {
        let mut quota = Quota::default();
        let now = Instant::now();
        let granted: Vec<_> = (0..1000).map(|_| quota.take(now)).collect();
        let written = LINES_OF_CLIENTS as usize;
        assert!(granted[..written].iter().all(|line| *line == Some(0)));
        assert!(granted[written..].iter().all(Option::is_none));
        assert_eq!(
            quota.take(now + PERIOD),
            Some(1000 - LINES_OF_CLIENTS as u64)
        );
        assert_eq!(quota.take(now + PERIOD), Some(0));
    }

    #[test]
    fn a_text_stays_on_its_line() {
        for (text, line) in [
            ("DB saved on disk: ä.my_rdb", "DB saved on disk: ä.my_rdb"),
            ("a\r\n1:M # b\tc\0", "a\\r\\n1:M # b\\tc\\u{0}"),
            ("\x1b[2J\u{9b}2J", "\\u{1b}[2J\\u{9b}2J"),
        ] {
            assert_eq!(on_one_line(text), line);
        }
    }
}
