//! The reply writer: the only place that knows RESP2 from RESP3.
//!
//! Commands write their replies straight into the output of the connection; nothing is built up for it. A large string
//! is not copied: the output keeps a shared reference to it and its place among the bytes, and all go out by one
//! vectored write.

use crate::util::number;
use std::io::{self, IoSlice, Write};
use triomphe::Arc;

/// Strings from this length on are referred to instead of copied. Below, copying costs less than one more slice to write.
const SHARED_FROM_BYTES: usize = 16 * 1024;

/// The protocol version a client speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// The protocol every client speaks, and the one a connection starts with.
    #[default]
    Resp2,
    /// With maps, sets, doubles and the like, after `HELLO 3`.
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
    bytes: Vec<u8>,
    /// Strings that belong before `bytes[place]`, in order of their places.
    shared: Vec<(usize, Arc<Vec<u8>>)>,
    shared_bytes: usize,
}

/// A place in the output to which it can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    bytes: usize,
    shared: usize,
}

/// Values.
impl Reply {
    /// `+OK`
    pub fn ok(&mut self) {
        self.simple("OK");
    }

    /// A status of one line.
    pub fn simple(&mut self, status: &str) {
        self.line(b'+', status.as_bytes());
    }

    /// An error; the text begins with its code. Line ends in it become spaces, as in Redis.
    pub fn error(&mut self, text: &[u8]) {
        let clean: Vec<u8> = text
            .iter()
            .map(|byte| {
                if matches!(byte, b'\r' | b'\n') {
                    b' '
                } else {
                    *byte
                }
            })
            .collect();
        self.line(b'-', &clean);
    }

    /// An integer.
    pub fn integer(&mut self, number: i64) {
        self.header(b':', number);
    }

    /// How many of something there are.
    pub fn count(&mut self, count: usize) {
        self.integer(count as i64);
    }

    /// A string.
    pub fn bulk(&mut self, string: &[u8]) {
        self.bytes.reserve(string.len() + 24);
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
        self.shared.push((self.bytes.len(), string.clone()));
        self.shared_bytes += string.len();
        self.bytes.extend_from_slice(b"\r\n");
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

    /// A text for people; RESP3 says that it is plain text.
    pub fn verbatim(&mut self, text: &[u8]) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(text),
            Protocol::Resp3 => {
                self.header(b'=', text.len() as i64 + 4);
                self.bytes.extend_from_slice(b"txt:");
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
            // The length comes before what it is known by.
            let len = self.bytes.len() - start;
            self.header(b'$', len as i64);
            self.bytes[start..].rotate_left(len);
        }
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Nothing, where a string could be.
    pub fn null(&mut self) {
        self.bytes.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"$-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// Nothing, where an array could be.
    pub fn null_array(&mut self) {
        self.bytes.extend_from_slice(match self.protocol {
            Protocol::Resp2 => b"*-1\r\n",
            Protocol::Resp3 => b"_\r\n",
        });
    }

    /// The head of an array; its elements follow.
    pub fn array(&mut self, len: usize) {
        self.header(b'*', len as i64);
    }

    /// The head of a map; its keys and values follow in turn. In RESP2 an array of both.
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

    fn header(&mut self, kind: u8, number: i64) {
        self.line(kind, itoa::Buffer::new().format(number).as_bytes());
    }

    fn line(&mut self, kind: u8, text: &[u8]) {
        self.bytes.push(kind);
        self.bytes.extend_from_slice(text);
        self.bytes.extend_from_slice(b"\r\n");
    }
}

/// The output as a whole.
impl Reply {
    /// Where the next value will begin.
    pub fn mark(&self) -> Mark {
        Mark {
            bytes: self.bytes.len(),
            shared: self.shared.len(),
        }
    }

    /// Adds what another output holds.
    pub fn append(&mut self, other: Reply) {
        let before = self.bytes.len();
        let shared = other.shared.into_iter();
        self.shared
            .extend(shared.map(|(place, string)| (before + place, string)));
        self.shared_bytes += other.shared_bytes;
        self.bytes.extend_from_slice(&other.bytes);
    }

    /// Takes back what was written since the mark.
    pub fn take_back(&mut self, mark: Mark) {
        self.bytes.truncate(mark.bytes);
        let removed = self.shared.drain(mark.shared..);
        self.shared_bytes -= removed.map(|(_, string)| string.len()).sum::<usize>();
    }

    /// Bytes that wait to be written.
    pub fn len(&self) -> usize {
        self.bytes.len() + self.shared_bytes
    }

    /// Whether nothing waits to be written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Memory held, in bytes: what waits and the room kept for more.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity() + self.shared_bytes
    }

    /// Writes everything and empties the output; what is written stays out of it also when writing fails.
    pub fn write_to(&mut self, output: &mut impl Write) -> io::Result<()> {
        let result = self.write_slices(output);
        self.bytes.clear();
        self.shared.clear();
        self.shared_bytes = 0;
        result
    }

    /// Gives memory back beyond this many bytes.
    pub fn shrink_to(&mut self, bytes: usize) {
        self.bytes.shrink_to(bytes);
    }

    fn write_slices(&self, output: &mut impl Write) -> io::Result<()> {
        if self.shared.is_empty() {
            return output.write_all(&self.bytes);
        }
        let mut slices = Vec::with_capacity(2 * self.shared.len() + 1);
        let mut start = 0;
        for (place, string) in &self.shared {
            slices.push(IoSlice::new(&self.bytes[start..*place]));
            slices.push(IoSlice::new(string));
            start = *place;
        }
        slices.push(IoSlice::new(&self.bytes[start..]));
        let mut rest = &mut slices[..];
        while !rest.is_empty() {
            match output.write_vectored(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => IoSlice::advance_slices(&mut rest, written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(write: impl Fn(&mut Reply), resp2: &str, resp3: &str) {
        for (protocol, expected) in [(Protocol::Resp2, resp2), (Protocol::Resp3, resp3)] {
            let mut reply = Reply {
                protocol,
                ..Reply::default()
            };
            write(&mut reply);
            let mut output = Vec::new();
            reply.write_to(&mut output).unwrap();
            assert_eq!(String::from_utf8(output).unwrap(), expected);
        }
    }

    #[test]
    fn values_in_both_versions() {
        check(|reply| reply.ok(), "+OK\r\n", "+OK\r\n");
        check(
            |reply| reply.error(b"ERR a\r\nb"),
            "-ERR a  b\r\n",
            "-ERR a  b\r\n",
        );
        check(|reply| reply.integer(-7), ":-7\r\n", ":-7\r\n");
        check(
            |reply| reply.bulk(b"a\r\n"),
            "$3\r\na\r\n\r\n",
            "$3\r\na\r\n\r\n",
        );
        check(|reply| reply.null(), "$-1\r\n", "_\r\n");
        check(|reply| reply.null_array(), "*-1\r\n", "_\r\n");
        check(|reply| reply.map(2), "*4\r\n", "%2\r\n");
        check(|reply| reply.set(2), "*2\r\n", "~2\r\n");
        check(|reply| reply.double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n");
        check(
            |reply| reply.verbatim(b"hi"),
            "$2\r\nhi\r\n",
            "=6\r\ntxt:hi\r\n",
        );
    }

    #[test]
    fn large_strings_keep_their_places() {
        let large = Arc::new(vec![b'x'; SHARED_FROM_BYTES]);
        let text = String::from_utf8(large.to_vec()).unwrap();
        let expected = format!(":1\r\n$16384\r\n{text}\r\n$16384\r\n{text}\r\n:2\r\n");
        let write = |reply: &mut Reply| {
            reply.integer(1);
            reply.shared_bulk(&large);
            let mark = reply.mark();
            reply.shared_bulk(&large);
            reply.take_back(mark);
            let mut rest = Reply::default();
            rest.shared_bulk(&large);
            rest.integer(2);
            reply.append(rest);
            assert_eq!(reply.len(), expected.len());
        };
        check(write, &expected, &expected);
    }
}
