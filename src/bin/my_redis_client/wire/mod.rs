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

use crate::terminal::Style;
use crate::terminal::complain;
use element::{Direction, Line};
use std::fs;
use std::io;
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
    /// A page, and the blocks in it so far.
    Page { path: PathBuf, blocks: String },
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
        let blocks = String::new();
        Wire {
            target: Target::Page { path, blocks },
            both: false,
        }
    }

    /// Shows bytes that were sent or received.
    pub fn show(&mut self, direction: Direction, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let lines = element::lines(direction, bytes, MAX_LINES);
        match &mut self.target {
            Target::Lines(style) => eprint!("{}", text::of_lines(direction, &lines, *style)),
            Target::Page { path, blocks } => {
                *blocks += &html::block(direction, &lines);
                if let Err(error) = fs::write(&path, html::page(blocks)) {
                    complain!("Error writing '{}': {error}", path.display());
                }
            }
        }
    }

    /// Shows a reply in both protocols. A page shows the one that was asked for.
    pub fn show_both(&mut self, resp2: &[u8], resp3: &[u8]) {
        if let Target::Lines(style) = self.target {
            let lines =
                |bytes| -> Vec<Line> { element::lines(Direction::Received, bytes, MAX_LINES) };
            eprint!("{}", text::of_both(&lines(resp2), &lines(resp3), style));
        }
    }
}
