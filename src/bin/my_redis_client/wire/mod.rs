//! What goes over the wire, an element a line: `--wire`, `:wire on`.
//!
//! ```text
//! -> *2\r\n                                  a command of 2 words
//! ->   $7\r\nHGETALL\r\n                     a string of 7 bytes
//! ->   $4\r\nuser\r\n                        a string of 4 bytes
//! <- %1\r\n                                  a map of 1 pair
//! <-   $4\r\nname\r\n                        a string of 4 bytes
//! <-   $3\r\nann\r\n                         a string of 3 bytes
//! ```
//!
//! The lines go to the standard error, so that the output holds the replies alone, or into a page ([`html`]).

pub mod element;
mod html;
mod text;

use crate::terminal::{Style, complain, write_error_unguarded};
use element::{Direction, Line};
use my_redis_server::util::system_message;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// The most lines that are shown of one request or reply.
const MAX_LINES: usize = 1000;

/// Shows what goes over the wire.
pub struct Wire {
    target: Target,
    /// Whether replies are shown in RESP2 and RESP3 beside each other.
    pub both: bool,
}

enum Target {
    /// The standard error.
    Lines(Style),
    /// A page.
    Page(Page),
}

/// A page that grows. Each block overwrites the lines that close the page, and they are written again behind it.
struct Page {
    path: PathBuf,
    /// The file, once there is something to write.
    file: Option<File>,
    /// Whether the file could not be written. The user has been told, and nothing more is written.
    is_lost: bool,
}

impl Page {
    fn add(&mut self, block: &str) {
        if self.is_lost {
            return;
        }
        if let Err(error) = self.try_to_add(block) {
            let reason = system_message(&error);
            complain!("Error writing '{}': {reason}", self.path.display());
            self.is_lost = true;
        }
    }

    fn try_to_add(&mut self, block: &str) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => {
                file.seek(SeekFrom::Current(-(html::TAIL.len() as i64)))?;
                file
            }
            // What goes over the wire is the user's business alone.
            none => {
                let mut options = File::options();
                options.write(true).create(true).truncate(true).mode(0o600);
                let file = none.insert(options.open(&self.path)?);
                file.write_all(html::HEAD.as_bytes())?;
                file
            }
        };
        file.write_all([block, html::TAIL].concat().as_bytes())
    }
}

impl Wire {
    /// Shows the lines on the standard error.
    pub fn on_standard_error(both: bool) -> Wire {
        Wire {
            target: Target::Lines(Style::of(io::stderr())),
            both,
        }
    }

    /// Writes a page to a file, which is whole after each exchange.
    pub fn on_page(path: PathBuf) -> Wire {
        let page = Page {
            path,
            file: None,
            is_lost: false,
        };
        Wire {
            target: Target::Page(page),
            both: false,
        }
    }

    /// Whether the page could not be written.
    pub fn is_lost(&self) -> bool {
        matches!(&self.target, Target::Page(page) if page.is_lost)
    }

    /// Shows bytes that were sent or received.
    pub fn show(&mut self, direction: Direction, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.show_lines(direction, &element::lines(direction, bytes, MAX_LINES));
    }

    /// Shows the line before a snapshot, without its end. The snapshot itself is too long to be shown.
    pub fn show_header(&mut self, line: &[u8]) {
        self.show_lines(Direction::Received, &[element::of_header(line)]);
    }

    fn show_lines(&mut self, direction: Direction, lines: &[Line]) {
        match &mut self.target {
            Target::Lines(style) => {
                write_error_unguarded(&text::of_lines(direction, lines, *style));
            }
            Target::Page(page) => page.add(&html::block(direction, lines)),
        }
    }

    /// Shows a reply in both protocols. A page shows the one that was asked for.
    pub fn show_both(&mut self, resp2: &[u8], resp3: &[u8]) {
        if let Target::Lines(style) = self.target {
            let lines =
                |bytes| -> Vec<Line> { element::lines(Direction::Received, bytes, MAX_LINES) };
            write_error_unguarded(&text::of_both(&lines(resp2), &lines(resp3), style));
        }
    }
}
