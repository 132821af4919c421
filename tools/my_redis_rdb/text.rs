//! A page of plain text: a row for each field, at most 120 columns wide.
//!
//! ```text
//!     offset  bytes                    meaning
//!         11  00                         type STRING: one string
//!         +6  81                           text, its length in 6 bits: 1        counted in a block that is compressed
//! ```

use std::fmt;
use std::io::{self, Write};

use my_redis_server::rdb::explain::{Field, Outcome, Place, Role, Section, Sink, type_name};

use super::explain::Document;
use super::selection::{Gap, Page};
use super::table::{counted, grouped, quoted};

const WIDTH: usize = 120;
const OFFSET_WIDTH: usize = 12;
const BYTES_PER_LINE: usize = 8;
/// Fields of more bytes are shortened to one line, and a note.
const BYTES_SHOWN: usize = 2 * BYTES_PER_LINE;
const BYTES_WIDTH: usize = 3 * BYTES_PER_LINE;
const INDENT: usize = 2;

/// Writes the page.
pub struct Text<W> {
    output: W,
    has_color: bool,
    depth: usize,
    line: String,
}

impl<W: Write> Text<W> {
    pub fn new(output: W, has_color: bool) -> Text<W> {
        Text {
            output,
            has_color,
            depth: 0,
            line: String::new(),
        }
    }

    /// A row; `words` and `text` must fit it.
    fn row(&mut self, offset: &str, bytes: &str, color: &str, words: &str) -> io::Result<()> {
        let indent = self.depth * INDENT;
        let (on, off) = if self.has_color && !color.is_empty() {
            (color, "\x1b[0m")
        } else {
            ("", "")
        };
        self.line.clear();
        let line = &mut self.line;
        let written = fmt::Write::write_fmt(
            line,
            format_args!(
                "{offset:>OFFSET_WIDTH$}  {on}{bytes:<BYTES_WIDTH$}{off} {:indent$}{on}{words}{off}",
                ""
            ),
        );
        written.expect("a String takes everything");
        writeln!(self.output, "{}", self.line.trim_end())
    }

    /// The letters that are left of a row for words.
    fn room(&self) -> usize {
        WIDTH.saturating_sub(OFFSET_WIDTH + 2 + BYTES_WIDTH + 1 + self.depth * INDENT)
    }
}

impl<W: Write> Sink for Text<W> {
    fn field(&mut self, field: &Field<'_>) -> io::Result<()> {
        let mut words = field.meaning.to_string();
        if let Some(text) = field.text {
            let room = self.room().saturating_sub(words.len() + 1);
            words.push(' ');
            words.push_str(&quoted(text, room));
        }
        let offset = match field.place {
            Place::File(offset) => offset.to_string(),
            Place::Plain(offset) => format!("+{offset}"),
        };
        let shown = if field.bytes.total > BYTES_SHOWN as u64 {
            &field.bytes.shown[..BYTES_PER_LINE]
        } else {
            field.bytes.shown
        };
        let color = color(field.role);
        let mut lines = shown.chunks(BYTES_PER_LINE);
        self.row(
            &offset,
            &hex(lines.next().unwrap_or_default()),
            color,
            &words,
        )?;
        for line in lines {
            self.row("", &hex(line), color, "")?;
        }
        let left_out = field.bytes.total - shown.len() as u64;
        if left_out > 0 {
            self.row(
                "",
                &format!(".. {} bytes more", grouped(left_out)),
                color,
                "",
            )?;
        }
        Ok(())
    }

    fn enter(&mut self, _place: Place, section: &Section<'_>) -> io::Result<()> {
        let title = match section {
            Section::Database(number) => format!("database {number}"),
            Section::Key { name, type_code } => {
                let kind = type_name(*type_code).0;
                let room = self.room().saturating_sub(kind.len() + 6);
                format!("key {}, {kind}", quoted(*name, room))
            }
            Section::Part(title) => title.to_string(),
        };
        self.row("", "", "\x1b[1m", &title)?;
        self.depth += 1;
        Ok(())
    }

    fn leave(&mut self) -> io::Result<()> {
        self.depth -= 1;
        Ok(())
    }
}

impl<W: Write> Page for Text<W> {
    fn left_out(&mut self, gap: &Gap) -> io::Result<()> {
        let words = gap_words(gap);
        self.row("", "..", "\x1b[2m", &words)
    }
}

impl<W: Write> Document for Text<W> {
    fn begin(&mut self, _file: &str) -> io::Result<()> {
        self.row("offset", "bytes", "\x1b[1m", "meaning")
    }

    fn end(&mut self, outcome: &Outcome) -> io::Result<()> {
        let Some(fault) = &outcome.fault else {
            return Ok(());
        };
        let (on, off) = if self.has_color {
            ("\x1b[1;31m", "\x1b[0m")
        } else {
            ("", "")
        };
        writeln!(self.output, "{on}FAULT {fault}{off}")?;
        let (explained, rest) = (outcome.explained, outcome.rest);
        writeln!(
            self.output,
            "Explained: {explained} bytes. Not explained: {rest} bytes, from offset {explained} on."
        )
    }
}

/// What was left out, in words.
pub fn gap_words(gap: &Gap) -> String {
    let bytes = gap.to - gap.from;
    let what = match gap.keys {
        0 => counted(gap.rows, "row"),
        keys => counted(keys, "key"),
    };
    if bytes == 0 {
        return format!("{what} left out");
    }
    let bytes = counted(bytes, "byte");
    format!("{what} left out: {bytes} from offset {}", gap.from)
}

/// Bytes in hex, with a blank between them.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(3 * bytes.len());
    for byte in bytes {
        if !text.is_empty() {
            text.push(' ');
        }
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS[usize::from(digit)]));
        }
    }
    text
}

/// The colour of a role: keys and strings stand out, what only holds the file together does not.
fn color(role: Role) -> &'static str {
    match role {
        Role::Header | Role::End => "\x1b[35m",
        Role::Opcode => "\x1b[1;35m",
        Role::Type => "\x1b[1;34m",
        Role::Length => "\x1b[36m",
        Role::Form | Role::Encoding => "\x1b[34m",
        Role::Key => "\x1b[1;33m",
        Role::Text => "\x1b[32m",
        Role::Number => "\x1b[1;32m",
        Role::Time => "\x1b[33m",
        Role::BlockHeader => "\x1b[96m",
        Role::BackLink | Role::Unused | Role::Rest => "\x1b[90m",
        Role::Compressed => "\x1b[92m",
        Role::Checksum => "\x1b[1;36m",
    }
}
