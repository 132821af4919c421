//! What may be written to a terminal. Keys and values are bytes of strangers: an escape sequence in one of them could
//! change the title, the keys or the contents of the terminal.

use std::borrow::Cow;
use std::env;
use std::io::{self, IsTerminal, StderrLock, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Prints a line on the standard error, in which nothing controls the terminal. Used in place of `eprintln!`, because
/// such lines tell what servers have said.
macro_rules! complain {
    ($($text:tt)*) => {
        $crate::terminal::print_complaint(&format!($($text)*))
    };
}

pub(crate) use complain;

/// Clears the screen and sends the cursor to its first place.
pub const CLEAR: &[u8] = b"\x1b[H\x1b[2J";

/// Writes to the standard error, past all guards. `eprint!` would end the program if the disk behind it is full.
pub fn write_error_unguarded(text: &str) {
    // If the standard error is closed, there is no way to tell.
    let _ = without_progress().write_all(text.as_bytes());
}

/// Prints a line on the standard error, in which nothing controls the terminal.
pub fn print_complaint(line: &str) {
    let line = match io::stderr().is_terminal() {
        true => harmless(line.as_bytes()),
        false => Cow::Borrowed(line.as_bytes()),
    };
    // If the standard error is closed, there is no way to tell.
    let _ = without_progress().write_all(&[&line, &b"\n"[..]].concat());
}

/// Progress is shown anew after this time.
pub const PROGRESS_PAUSE: Duration = Duration::from_millis(100);

/// To the begin of the line, and clear it.
const CLEAR_LINE: &[u8] = b"\r\x1b[0K";

/// Whether the line of the cursor shows progress. It is changed under the lock of the standard error.
static SHOWS_PROGRESS: AtomicBool = AtomicBool::new(false);

/// Shows how far something is, in a line of a terminal that the next text replaces; an empty text removes it. Nothing
/// is shown where no terminal is.
pub fn show_progress(text: &str) {
    if io::stderr().is_terminal() {
        let mut output = without_progress();
        // If the terminal is gone, there is no one to see it.
        let _ = output.write_all(text.as_bytes());
        SHOWS_PROGRESS.store(!text.is_empty(), Ordering::Relaxed);
    }
}

/// Removes the progress that is shown, so that another line does not begin behind it. No thread shows progress as long
/// as the result lives.
pub fn without_progress() -> StderrLock<'static> {
    let mut output = io::stderr().lock();
    if SHOWS_PROGRESS.swap(false, Ordering::Relaxed) {
        let _ = output.write_all(CLEAR_LINE);
    }
    output
}

/// Whether texts are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// With escape sequences.
    Coloured,
    /// Without, because no terminal reads them, or the user does not want them (<https://no-color.org>).
    Plain,
}

impl Style {
    /// The style of a stream.
    pub fn of(stream: impl IsTerminal) -> Style {
        let is_unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        match stream.is_terminal() && !is_unwanted {
            true => Style::Coloured,
            false => Style::Plain,
        }
    }

    /// Text that stands out.
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// Text that stands back.
    pub fn grey(self, text: &str) -> String {
        self.with("90", text)
    }

    /// Text of a title.
    pub fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        match self {
            Style::Coloured => format!("\x1b[{code}m{text}\x1b[0m"),
            Style::Plain => text.to_string(),
        }
    }
}

/// The text with every control character as `\xHH`, except line ends and tabs, and with those that change the order of
/// letters or end a line unseen. Bytes that are no UTF-8 are replaced too: some terminals take `\x9b` alone for the
/// begin of a sequence.
pub fn harmless(text: &[u8]) -> Cow<'_, [u8]> {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\n' | b'\t');
    if text.iter().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut safe = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        let mut letters = chunk.valid().chars().peekable();
        while let Some(letter) = letters.next() {
            let ends_line = letter == '\r' && letters.peek() == Some(&'\n');
            let is_harmless = !letter.is_control() && !changes_layout(letter);
            if matches!(letter, '\n' | '\t') || ends_line || is_harmless {
                safe.extend(letter.encode_utf8(&mut [0; 4]).bytes());
            } else {
                escape(letter.encode_utf8(&mut [0; 4]).as_bytes(), &mut safe);
            }
        }
        escape(chunk.invalid(), &mut safe);
    }
    Cow::Owned(safe)
}

/// Whether a character has no shape of its own and places others: the directional marks, embeddings, overrides and
/// isolates of Unicode's bidirectional algorithm (<https://www.unicode.org/reports/tr9/>), and the separators of lines
/// and paragraphs.
fn changes_layout(letter: char) -> bool {
    matches!(
        letter,
        '\u{061c}'
            | '\u{200e}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
    )
}

fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        write!(out, "\\x{byte:02x}").expect("a Vec takes everything");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &[u8], expected: &str) {
        assert_eq!(String::from_utf8_lossy(&harmless(text)), expected);
    }

    #[test]
    fn control_characters_are_shown() {
        check(b"plain\n\ttext\r\n", "plain\n\ttext\r\n");
        check(b"\x1b[2J\x07\r", "\\x1b[2J\\x07\\x0d");
        check("é\u{9b}31m\u{7f}".as_bytes(), "é\\xc2\\x9b31m\\x7f");
        check(b"\x9b31m\xff", "\\x9b31m\\xff");
        check(
            "a\u{202e}b\u{2028}\u{2069}\u{200f}\u{61c}".as_bytes(),
            "a\\xe2\\x80\\xaeb\\xe2\\x80\\xa8\\xe2\\x81\\xa9\\xe2\\x80\\x8f\\xd8\\x9c",
        );
        check(
            "שלום \u{1f468}\u{200d}\u{1f469}".as_bytes(),
            "שלום \u{1f468}\u{200d}\u{1f469}",
        );
    }
}
