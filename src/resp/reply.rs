//! The reply writer: the only place that knows RESP2 from RESP3.
//!
//! Commands write their replies straight into the output of the connection; nothing is built up for it. A large string
//! is not copied: the output keeps a shared reference to it and its place among the bytes, and all go out by one
//! vectored write. A very long reply need not be in memory as a whole: it is written piece by piece while it is sent.
//!
//! A socket that does not wait may take a part of the output; the rest stays, and the next write goes on there.

use crate::util::long_double::LongDouble;
use crate::util::number;
use std::fmt;
use std::io::{self, ErrorKind, IoSlice, Write};
use triomphe::Arc;

/// Strings from this length on are referred to instead of copied. Below, copying costs less than one more slice to
/// write.
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

/// The largest output whose memory its client keeps. One that becomes larger gets a large block at once, and gives it
/// back when it is sent: the allocator hands such blocks from thread to thread, so they are still in the processor's
/// caches. 500 clients that ask for 42 KiB each take 42 µs of processor time a request so, and took 50 when each had
/// its own block (`redis-benchmark -c 500 lrange list 0 599`, elements of 64 B).
const SMALL_BYTES: usize = 8 * 1024;
/// Bytes of a piece of a long reply, at least.
const PIECE_BYTES: usize = 64 * 1024;

/// Replies on their way to one client.
#[derive(Debug, Default)]
pub struct Reply {
    /// The version in which the next reply is written.
    pub protocol: Protocol,
    bytes: Vec<u8>,
    /// What belongs before `bytes[place]`, in order of the places.
    parts: Vec<(usize, Part)>,
    /// Of the parts that are not sent.
    part_bytes: usize,
    sent: Sent,
}

/// How far an output has been sent.
#[derive(Debug, Default)]
struct Sent {
    bytes: usize,
    /// Parts that are sent as a whole.
    parts: usize,
    /// Bytes of the part after them.
    of_part: usize,
}

/// A part of the output that is not among its bytes.
enum Part {
    Shared(Arc<Vec<u8>>),
    Later(Box<LongReply>),
}

impl Part {
    /// How many bytes the part holds back; of a long reply, as many as make it be sent soon.
    fn len(&self) -> usize {
        match self {
            Part::Shared(string) => string.len(),
            Part::Later(_) => PIECE_BYTES,
        }
    }
}

/// Writes a piece of a long reply, and returns whether there are more.
type WritePiece = Box<dyn FnMut(&mut Reply) -> bool + Send>;

/// A reply that is written while it is sent.
struct LongReply {
    /// What is written and not yet sent.
    piece: Reply,
    /// `None` when there are no more pieces to write.
    write: Option<WritePiece>,
}

impl LongReply {
    /// Writes as much as `output` takes, and returns how many bytes that was.
    fn write_to(&mut self, output: &mut impl Write) -> io::Result<usize> {
        let mut written = 0;
        loop {
            while let Some(write) = &mut self.write
                && self.piece.len() < PIECE_BYTES
            {
                if !write(&mut self.piece) {
                    self.write = None;
                }
            }
            written += self.piece.write_to(output)?;
            if !self.piece.is_empty() || self.write.is_none() {
                return Ok(written);
            }
        }
    }

    fn is_sent(&self) -> bool {
        self.write.is_none() && self.piece.is_empty()
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Shared(string) => f.debug_tuple("Shared").field(&string.len()).finish(),
            Part::Later(_) => f.write_str("Later"),
        }
    }
}

/// A place in the output to which it can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    bytes: usize,
    parts: usize,
}

/// Values.
impl Reply {
    /// An empty output in this version.
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

    /// What follows is written when it is sent: `write` adds a piece of some elements each time, and returns whether
    /// there are more.
    pub fn later(&mut self, write: impl FnMut(&mut Reply) -> bool + Send + 'static) {
        let long = LongReply {
            piece: Reply::new(self.protocol),
            write: Some(Box::new(write)),
        };
        self.add_part(Part::Later(Box::new(long)));
    }

    fn add_part(&mut self, part: Part) {
        self.part_bytes += part.len();
        self.parts.push((self.bytes.len(), part));
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

    /// A floating-point number with up to 17 decimals and never an exponent, as Redis shows coordinates.
    pub fn long_double(&mut self, number: LongDouble) {
        let mut text = Vec::new();
        number.format(&mut text);
        match self.protocol {
            Protocol::Resp2 => self.bulk(&text),
            Protocol::Resp3 => self.line(b',', &text),
        }
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

    /// True or false; in RESP2 1 or 0.
    pub fn boolean(&mut self, boolean: bool) {
        match self.protocol {
            Protocol::Resp2 => self.integer(boolean.into()),
            Protocol::Resp3 => self.line(b'#', if boolean { b"t" } else { b"f" }),
        }
    }

    /// An integer of any length, in decimal digits.
    pub fn big_number(&mut self, digits: &str) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(digits.as_bytes()),
            Protocol::Resp3 => self.line(b'(', digits.as_bytes()),
        }
    }

    /// The head of what is said about the reply that follows: so many pairs. RESP2 does not have it.
    pub fn attribute(&mut self, pairs: usize) {
        debug_assert_eq!(self.protocol, Protocol::Resp3);
        self.header(b'|', pairs as i64);
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

/// The output as a whole.
impl Reply {
    /// Where the next value will begin.
    pub fn mark(&self) -> Mark {
        Mark {
            bytes: self.bytes.len(),
            parts: self.parts.len(),
        }
    }

    /// Adds what another output holds.
    pub fn append(&mut self, other: Reply) {
        let before = self.bytes.len();
        let parts = other.parts.into_iter();
        self.parts
            .extend(parts.map(|(place, part)| (before + place, part)));
        self.part_bytes += other.part_bytes;
        self.bytes.extend_from_slice(&other.bytes);
    }

    /// Takes over the bytes of another output, unless one of them has parts or the result would exceed `most_bytes`;
    /// whether it has.
    pub fn take_over(&mut self, other: &mut Reply, most_bytes: usize) -> bool {
        let fits = self.bytes.len() + other.bytes.len() <= most_bytes;
        if !fits || !self.parts.is_empty() || !other.parts.is_empty() {
            return false;
        }
        let unsent = &other.bytes[other.sent.bytes..];
        if self.bytes.capacity() - self.bytes.len() < unsent.len() {
            // One step to the full size: the output is going to be a block.
            self.bytes.reserve_exact(most_bytes - self.bytes.len());
        }
        self.bytes.extend_from_slice(unsent);
        other.clear();
        true
    }

    /// Adds what is in the protocol's form already; if it is large, without copying it.
    pub fn encoded(&mut self, message: &Arc<Vec<u8>>) {
        match message.len() {
            ..SHARED_FROM_BYTES => self.bytes.extend_from_slice(message),
            _ => self.add_part(Part::Shared(message.clone())),
        }
    }

    /// The bytes of an output in which all strings are small or were copied.
    pub fn into_bytes(self) -> Vec<u8> {
        debug_assert!(self.parts.is_empty());
        self.bytes
    }

    /// Takes back what was written since the mark.
    pub fn take_back(&mut self, mark: Mark) {
        self.bytes.truncate(mark.bytes);
        let removed = self.parts.drain(mark.parts..);
        self.part_bytes -= removed.map(|(_, part)| part.len()).sum::<usize>();
    }

    /// Bytes that wait to be written, of long replies at least so many.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.sent.bytes + self.part_bytes
    }

    /// Whether nothing waits to be written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.parts.is_empty()
    }

    /// Memory held, in bytes: what waits and the room kept for more.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity() + self.part_bytes
    }

    /// Writes as much as `output` takes without [`ErrorKind::WouldBlock`] and forgets it; the rest stays for the next
    /// time. Returns how many bytes went out. After an error nothing is kept.
    pub fn write_to(&mut self, output: &mut impl Write) -> io::Result<usize> {
        let result = self.write_rest(output);
        if result.is_err()
            || (self.sent.bytes, self.sent.parts) == (self.bytes.len(), self.parts.len())
        {
            self.clear();
        }
        result
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.parts.clear();
        self.part_bytes = 0;
        self.sent = Sent::default();
    }

    /// Gives the memory of an empty output back if it is large.
    pub fn shrink(&mut self) {
        if self.bytes.capacity() > SMALL_BYTES && self.is_empty() {
            self.bytes = Vec::new();
        }
    }

    /// Makes room for so many bytes more.
    #[inline]
    fn make_room(&mut self, additional: usize) {
        if additional > self.bytes.capacity() - self.bytes.len() {
            self.grow(additional);
        }
    }

    fn grow(&mut self, additional: usize) {
        let needed = self.bytes.len() + additional;
        let least = match needed {
            ..=SMALL_BYTES => 64,
            _ => PIECE_BYTES,
        };
        let capacity = needed.next_power_of_two().max(least);
        self.bytes.reserve_exact(capacity - self.bytes.len());
    }

    fn write_rest(&mut self, output: &mut impl Write) -> io::Result<usize> {
        let mut written = 0;
        loop {
            let (len, taken) = self.write_slices(output)?;
            written += taken;
            self.advance(taken);
            if taken < len {
                return Ok(written);
            }
            // What comes next, if anything does, is a long reply.
            let Some((_, Part::Later(long))) = self.parts.get_mut(self.sent.parts) else {
                return Ok(written);
            };
            written += long.write_to(output)?;
            if !long.is_sent() {
                return Ok(written);
            }
            self.part_bytes -= PIECE_BYTES;
            self.sent.parts += 1;
        }
    }

    /// Writes what comes next, up to the end or to a long reply; returns how many bytes that is, and how many of them
    /// the output has taken.
    fn write_slices(&self, output: &mut impl Write) -> io::Result<(usize, usize)> {
        if self.parts.is_empty() {
            let bytes = &self.bytes[self.sent.bytes..];
            return Ok((
                bytes.len(),
                write_slices(output, &mut [IoSlice::new(bytes)])?,
            ));
        }
        let mut slices: Vec<IoSlice> = Vec::new();
        let mut start = self.sent.bytes;
        let mut of_part = self.sent.of_part;
        let mut parts = self.parts[self.sent.parts..].iter();
        let rest = loop {
            let Some((place, part)) = parts.next() else {
                break &self.bytes[start..];
            };
            let before = &self.bytes[start..*place];
            let Part::Shared(string) = part else {
                break before;
            };
            slices.push(IoSlice::new(before));
            slices.push(IoSlice::new(&string[std::mem::take(&mut of_part)..]));
            start = *place;
        };
        slices.push(IoSlice::new(rest));
        let len = slices.iter().map(|slice| slice.len()).sum();
        Ok((len, write_slices(output, &mut slices)?))
    }

    /// Notes that the first `taken` bytes of the slices are sent.
    fn advance(&mut self, mut taken: usize) {
        loop {
            let next = self.parts.get(self.sent.parts);
            let end = next.map_or(self.bytes.len(), |(place, _)| *place);
            let step = taken.min(end - self.sent.bytes);
            self.sent.bytes += step;
            taken -= step;
            let Some((_, Part::Shared(string))) = next.filter(|_| self.sent.bytes == end) else {
                return;
            };
            let step = taken.min(string.len() - self.sent.of_part);
            self.sent.of_part += step;
            self.part_bytes -= step;
            taken -= step;
            if self.sent.of_part < string.len() {
                return;
            }
            self.sent.of_part = 0;
            self.sent.parts += 1;
        }
    }
}

/// Writes until the output has taken all or would have to wait; returns how many bytes it took.
fn write_slices(output: &mut impl Write, mut rest: &mut [IoSlice<'_>]) -> io::Result<usize> {
    let mut written = 0;
    // Empty slices go first: a write of nothing would look like an output that takes nothing.
    IoSlice::advance_slices(&mut rest, 0);
    while let Some(first) = rest.first() {
        let result = match rest.len() {
            1 => output.write(first),
            _ => output.write_vectored(rest),
        };
        match result {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(taken) => {
                written += taken;
                IoSlice::advance_slices(&mut rest, taken);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

#[cfg(test)]
mod tests;
