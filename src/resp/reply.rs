//! The reply writer: the only place where RESP2 and RESP3 differ.
//!
//! Commands write their replies straight into the output of the connection; no tree of values is built first. How the
//! output is kept and sent is the subject of [`output`](super::output).

pub use super::output::UndoPoint;
use super::output::{Part, SHARED_FROM_BYTES, Sent};
use crate::util::long_double::LongDouble;
use crate::util::number;
use triomphe::Arc;

/// The protocol version a client speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// The protocol that every client speaks. A connection starts with it.
    #[default]
    Resp2,
    /// The protocol after `HELLO 3`, which has maps, sets, doubles and other types.
    Resp3,
}

impl Protocol {
    /// 2 or 3.
    pub fn number(self) -> i64 {
        match self {
            Protocol::Resp2 => 2,
            Protocol::Resp3 => 3,
        }
    }
}

/// Replies on their way to one client.
#[derive(Debug, Default)]
pub struct Reply {
    /// The version in which the next reply is written.
    pub protocol: Protocol,
    pub(super) bytes: Vec<u8>,
    /// Each part belongs before `bytes[place]`; the places ascend.
    pub(super) parts: Vec<(usize, Part)>,
    /// The bytes of the parts that are not sent yet.
    pub(super) part_bytes: usize,
    pub(super) sent: Sent,
}

/// A text with spaces in the place of line ends.
pub fn one_line(text: &[u8]) -> Vec<u8> {
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    text.iter()
        .map(|byte| if is_end(byte) { b' ' } else { *byte })
        .collect()
}

/// Values.
impl Reply {
    /// An empty output in this version of the protocol.
    pub fn new(protocol: Protocol) -> Reply {
        Reply {
            protocol,
            ..Reply::default()
        }
    }

    /// `+OK`
    pub fn ok(&mut self) {
        self.simple("OK");
    }

    /// A status of one line.
    pub fn simple(&mut self, status: &str) {
        self.status(status.as_bytes());
    }

    /// A status of one line, which contains no line end.
    pub fn status(&mut self, status: &[u8]) {
        self.line(b'+', status);
    }

    /// An error; the text begins with its code. Line ends in it become spaces, as in Redis.
    pub fn error(&mut self, text: &[u8]) {
        self.line(b'-', &one_line(text));
    }

    /// An integer.
    pub fn integer(&mut self, number: i64) {
        self.header(b':', number);
    }

    /// An integer that counts something.
    pub fn count(&mut self, count: usize) {
        self.integer(count as i64);
    }

    /// A string.
    pub fn bulk(&mut self, string: &[u8]) {
        self.make_room(string.len() + 24);
        self.header(b'$', string.len() as i64);
        self.bytes.extend_from_slice(string);
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// A string that is shared with the keyspace; a large one is not copied.
    pub fn shared_bulk(&mut self, string: &Arc<Vec<u8>>) {
        if string.len() < SHARED_FROM_BYTES {
            return self.bulk(string);
        }
        self.header(b'$', string.len() as i64);
        self.add_part(Part::Shared(string.clone()));
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// A part of the reply that is written only when it is sent. Each call of `write` adds a piece of some elements,
    /// and returns whether there are more.
    pub fn later(&mut self, write: impl FnMut(&mut Reply) -> bool + Send + 'static) {
        self.add_part(Part::later(self.protocol, Box::new(write)));
    }

    /// An integer as a string.
    pub fn bulk_integer(&mut self, number: i64) {
        self.bulk(itoa::Buffer::new().format(number).as_bytes());
    }

    /// A string, or null if there is none.
    pub fn bulk_or_null(&mut self, string: Option<&[u8]>) {
        match string {
            Some(string) => self.bulk(string),
            None => self.null(),
        }
    }

    /// A text for people; RESP3 marks it as plain text.
    pub fn verbatim(&mut self, text: &[u8]) {
        self.verbatim_of(*b"txt", text);
    }

    /// A text; RESP3 says its format, in three letters.
    pub fn verbatim_of(&mut self, format: [u8; 3], text: &[u8]) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(text),
            Protocol::Resp3 => {
                self.header(b'=', text.len() as i64 + 4);
                self.bytes.extend_from_slice(&format);
                self.bytes.push(b':');
                self.bytes.extend_from_slice(text);
                self.bytes.extend_from_slice(b"\r\n");
            }
        }
    }

    /// A floating-point number.
    pub fn double(&mut self, number: f64) {
        if self.protocol == Protocol::Resp3 {
            self.bytes.push(b',');
        }
        let start = self.bytes.len();
        number::format_f64(number, &mut self.bytes);
        if self.protocol == Protocol::Resp2 {
            // RESP2 needs the length first, but it is known only after formatting: the header is appended, then rotated
            // to the front.
            let len = self.bytes.len() - start;
            self.header(b'$', len as i64);
            self.bytes[start..].rotate_left(len);
        }
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// A floating-point number with up to 17 decimals and never an exponent, as Redis shows coordinates.
    pub fn long_double(&mut self, number: LongDouble) {
        let mut text = Vec::new();
        number.format(&mut text);
        match self.protocol {
            Protocol::Resp2 => self.bulk(&text),
            Protocol::Resp3 => self.line(b',', &text),
        }
    }

    /// The null in place of a string.
    pub fn null(&mut self) {
        self.bytes.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"$-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// The null in place of an array.
    pub fn null_array(&mut self) {
        self.bytes.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"*-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// True or false; in RESP2 1 or 0.
    pub fn boolean(&mut self, boolean: bool) {
        match self.protocol {
            Protocol::Resp2 => self.integer(boolean.into()),
            Protocol::Resp3 => self.line(b'#', if boolean { b"t" } else { b"f" }),
        }
    }

    /// An integer of any length, in decimal digits.
    pub fn big_number(&mut self, digits: &[u8]) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(digits),
            Protocol::Resp3 => self.line(b'(', digits),
        }
    }

    /// The head of an attribute, which is `pairs` pairs of facts about the reply that follows. Only RESP3 has it.
    pub fn attribute(&mut self, pairs: usize) {
        debug_assert_eq!(self.protocol, Protocol::Resp3);
        self.header(b'|', pairs as i64);
    }

    /// The head of an array; its elements follow.
    pub fn array(&mut self, len: usize) {
        self.header(b'*', len as i64);
    }

    /// An array whose length is known only after its elements are written; `write` returns it. `expected` is a guess:
    /// if it is right, no byte is moved.
    pub fn array_of(&mut self, expected: usize, write: impl FnOnce(&mut Reply) -> usize) {
        self.with_len(expected, Reply::array, write);
    }

    /// A map whose number of pairs is known only after they are written; otherwise as [`array_of`](Self::array_of).
    pub fn map_of(&mut self, expected: usize, write: impl FnOnce(&mut Reply) -> usize) {
        self.with_len(expected, Reply::map, write);
    }

    fn with_len(
        &mut self,
        expected: usize,
        head: fn(&mut Reply, usize),
        write: impl FnOnce(&mut Reply) -> usize,
    ) {
        let (start, first_part) = (self.bytes.len(), self.parts.len());
        head(self, expected);
        let end = self.bytes.len();
        let len = write(self);
        if len != expected {
            let mut right = Reply::new(self.protocol);
            head(&mut right, len);
            let moved = right.bytes.len() as isize - (end - start) as isize;
            self.bytes.splice(start..end, right.bytes);
            for (place, _) in &mut self.parts[first_part..] {
                *place = place.saturating_add_signed(moved);
            }
        }
    }

    /// The head of a map; its keys and values follow, alternating. In RESP2 an array of both.
    pub fn map(&mut self, pairs: usize) {
        match self.protocol {
            Protocol::Resp2 => self.header(b'*', 2 * pairs as i64),
            Protocol::Resp3 => self.header(b'%', pairs as i64),
        }
    }

    /// The head of a set; its elements follow. In RESP2 an array.
    pub fn set(&mut self, len: usize) {
        match self.protocol {
            Protocol::Resp2 => self.header(b'*', len as i64),
            Protocol::Resp3 => self.header(b'~', len as i64),
        }
    }

    /// The head of a message that answers no request; its elements follow. In RESP2 an array.
    pub fn push(&mut self, len: usize) {
        match self.protocol {
            Protocol::Resp2 => self.header(b'*', len as i64),
            Protocol::Resp3 => self.header(b'>', len as i64),
        }
    }

    fn header(&mut self, kind: u8, number: i64) {
        self.line(kind, itoa::Buffer::new().format(number).as_bytes());
    }

    fn line(&mut self, kind: u8, text: &[u8]) {
        self.bytes.push(kind);
        self.bytes.extend_from_slice(text);
        self.bytes.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests;
