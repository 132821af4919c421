//! The standard output: replies in the chosen format, and nothing that could control the terminal.

use crate::format::{self, Format, Kind};
use crate::terminal::{self, complain};
use my_redis_server::resp::decoder::Value;
use my_redis_server::util::system_message;
use std::io::{self, Write};
use std::process;

/// The status of a program that the signal SIGPIPE has ended, as shells tell it.
const ENDED_BY_SIGPIPE: i32 = 128 + 13;

/// Where replies are printed.
pub struct Output {
    pub format: Format,
    /// Whether a terminal shows what is printed.
    is_terminal: bool,
}

impl Output {
    /// The standard output.
    pub fn new(format: Format, is_terminal: bool) -> Output {
        Output {
            format,
            is_terminal,
        }
    }

    /// Prints a reply. `is_text` says that it is a text with lines, such as that of INFO, which is printed as it is.
    pub fn reply(&self, value: &Value, is_text: bool) {
        write_unguarded(&self.text(value, is_text));
    }

    /// What is printed for a reply.
    pub fn text(&self, value: &Value, is_text: bool) -> Vec<u8> {
        let text = match is_text {
            true => {
                let mut text = Vec::new();
                format::raw(value, &self.format.element_delimiter, &mut text);
                text
            }
            false => self.format.print(value),
        };
        self.guarded(text)
    }

    /// Prints a push that has come between replies.
    pub fn push(&self, push: &Value) {
        match invalidated_keys(push).filter(|_| self.format.kind == Kind::Pretty) {
            Some(keys) => {
                let mut line = b"-> invalidate: ".to_vec();
                for (index, key) in keys.iter().enumerate() {
                    if index > 0 {
                        line.extend(b", ");
                    }
                    line.push(b'\'');
                    line.extend(*key);
                    line.push(b'\'');
                }
                line.push(b'\n');
                self.bytes(&line);
            }
            None => self.reply(push, false),
        }
    }

    /// Prints a text, which may hold bytes that the server has sent.
    pub fn bytes(&self, text: &[u8]) {
        write_unguarded(&self.guarded(text.to_vec()));
    }

    fn guarded(&self, text: Vec<u8>) -> Vec<u8> {
        // Raw bytes are asked for. The format can change, so this is not decided beforehand.
        match self.is_terminal && self.format.kind != Kind::Raw {
            true => terminal::harmless(&text).into_owned(),
            false => text,
        }
    }

    /// Whether replies are printed for people.
    pub fn is_pretty(&self) -> bool {
        self.format.kind == Kind::Pretty
    }
}

/// Prints a line of the client's own.
pub fn line(text: &str) {
    write_unguarded(format!("{text}\n").as_bytes());
}

/// Writes to the standard output, past all guards: escape sequences of the client's own, and texts that are known to be
/// harmless. Used in place of `print!`, which panics where the output cannot be written.
pub fn write_unguarded(text: &[u8]) {
    let _held = terminal::without_progress();
    let mut output = io::stdout().lock();
    if let Err(error) = output.write_all(text).and_then(|()| output.flush()) {
        // Rust ignores SIGPIPE, which ends other programs when the reader of their output has gone.
        if error.kind() == io::ErrorKind::BrokenPipe {
            process::exit(ENDED_BY_SIGPIPE);
        }
        let reason = system_message(&error);
        complain!("Error writing to the standard output: {reason}");
        process::exit(1);
    }
}

/// The keys that the server says have changed, if the push is such a message. RESP3 sends it so:
/// `>2 $10 invalidate *1 $3 key`.
fn invalidated_keys(push: &Value) -> Option<Vec<&[u8]>> {
    let Value::Push(elements) = push else {
        return None;
    };
    let [Value::Bulk(kind), Value::Array(keys)] = elements.as_slice() else {
        return None;
    };
    let keys = keys.iter().map(|key| match key {
        Value::Bulk(key) => Some(key.as_slice()),
        _ => None,
    });
    (kind == b"invalidate").then(|| keys.collect()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guard_follows_the_format() {
        let format = Format {
            kind: Kind::Raw,
            element_delimiter: Vec::new(),
            reply_delimiter: Vec::new(),
        };
        let mut output = Output::new(format, true);
        let reply = Value::Bulk(b"\x1b".to_vec());
        assert_eq!(output.text(&reply, true), b"\x1b");
        output.format.kind = Kind::Pretty;
        assert_eq!(output.text(&reply, true), b"\\x1b");
    }
}
