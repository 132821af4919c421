//! The server's log, in Redis' format.

use crate::state::config::LogLevel;
use crate::util::clock;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines that clients may cause in each period.
const LINES_OF_CLIENTS: u32 = 10;
/// The period.
const PERIOD: Duration = Duration::from_secs(10);

/// Where lines go, and which.
#[derive(Debug)]
pub struct Log {
    least: AtomicU8,
    of_clients: Mutex<Quota>,
    /// Standard output if there is no file.
    file: Mutex<Option<File>>,
}

impl Default for Log {
    fn default() -> Self {
        Log {
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

    /// A line that somebody should read.
    pub fn warning(&self, text: impl fmt::Display) {
        self.write(LogLevel::Warning, &text);
    }

    /// A warning that clients can cause as often as they like. Of many in a short time most are left out, so that
    /// clients cannot fill the disk; the next line says how many.
    pub fn warning_of_clients(&self, text: impl fmt::Display) {
        self.write_of_clients(LogLevel::Warning, &text);
    }

    /// A line that says what a client had done, of which most are left out too if there are many.
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

    /// A line about the daily round.
    pub fn verbose(&self, text: impl fmt::Display) {
        self.write(LogLevel::Verbose, &text);
    }

    /// Whether lines of this level are written.
    fn has(&self, level: LogLevel) -> bool {
        level as u8 >= self.least.load(Relaxed)
    }

    fn write(&self, level: LogLevel, text: &dyn fmt::Display) {
        if !self.has(level) {
            return;
        }
        let mark = match level {
            LogLevel::Debug => '.',
            LogLevel::Verbose => '-',
            LogLevel::Notice => '*',
            LogLevel::Warning | LogLevel::Nothing => '#',
        };
        let line = format!(
            "{}:M {} {mark} {}\n",
            std::process::id(),
            clock::log_time(clock::unix_ms()),
            on_one_line(&text.to_string())
        );
        // A log that cannot be written must not stop the server.
        let _ = match &mut *self.file.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(file) => file.write_all(line.as_bytes()),
            None => io::stdout().write_all(line.as_bytes()),
        };
    }
}

/// A text with its control characters escaped: part of it may come from a client or from a file, and must neither end
/// the line, so that the next one looks like the server's own, nor reach a terminal as a command. Redis writes such
/// texts as they are.
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

/// How many lines have been caused by clients lately.
#[derive(Debug, Default)]
struct Quota {
    period_began: Option<Instant>,
    lines: u32,
    left_out: u64,
}

impl Quota {
    /// Takes a line of the quota: how many were left out since the last one, or `None` if this one is to be left out
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
