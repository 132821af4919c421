//! The output of a connection: how replies are kept until they are sent, and sent in parts.
//!
//! ```text
//!   bytes   *3\r\n$20000\r\n│\r\n$1\r\nx\r\n│
//!                           ▲               ▲
//!   parts                   Shared(string)  Later(write)
//! ```
//! A large string is not copied: the output has a reference to it and its place among the bytes, and one vectored write
//! sends all. A very long reply is not in memory as a whole: it is written piece by piece while it is sent.
//!
//! A socket that does not wait may take a part of the output. The rest stays, and the next write continues there.

use super::reply::{Protocol, Reply};
use std::fmt;
use std::io::{self, ErrorKind, IoSlice, Write};
use triomphe::Arc;

/// Strings from this length on are shared with the keyspace instead of copied. For shorter ones, a copy costs less than
/// one more slice to write.
pub(super) const SHARED_FROM_BYTES: usize = 16 * 1024;

/// The largest output whose memory its client keeps. A larger output gets a large block at once, which is freed when it
/// is sent: the allocator hands such blocks from thread to thread, so they are still in the processor's caches. 500
/// clients that ask for 42 KiB each take 42 µs of processor time a request. They took 50 when each client had a block
/// of its own (`redis-benchmark -c 500 lrange list 0 599`, elements of 64 B).
const SMALL_BYTES: usize = 8 * 1024;
/// The least number of bytes of a piece of a long reply; only the last piece may be smaller.
const PIECE_BYTES: usize = 64 * 1024;

/// The part of an output that has been sent.
#[derive(Debug, Default)]
pub(super) struct Sent {
    bytes: usize,
    /// Parts that are sent as a whole.
    parts: usize,
    /// Bytes that are sent of the next part.
    of_part: usize,
}

/// A part of the output that is not among its bytes.
pub(super) enum Part {
    /// A string that the keyspace shares.
    Shared(Arc<Vec<u8>>),
    /// A reply that is written while it is sent.
    Later(Box<LongReply>),
}

impl Part {
    /// A reply of which `write` writes one piece at a time.
    pub(super) fn later(protocol: Protocol, write: WritePiece) -> Part {
        Part::Later(Box::new(LongReply {
            piece: Reply::new(protocol),
            write: Some(write),
        }))
    }

    /// The bytes of the part. A long reply counts as one piece, so that it is sent soon.
    fn len(&self) -> usize {
        match self {
            Part::Shared(string) => string.len(),
            Part::Later(_) => PIECE_BYTES,
        }
    }
}

/// Writes a piece of a long reply, and returns whether there are more.
pub(super) type WritePiece = Box<dyn FnMut(&mut Reply) -> bool + Send>;

/// A reply that is written while it is sent.
pub(super) struct LongReply {
    /// The piece that is written and not yet sent.
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

/// A place in the output. [`Reply::undo_to`] removes what was written after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UndoPoint {
    bytes: usize,
    parts: usize,
}

/// Keeping and sending.
impl Reply {
    /// The end of the output, where the next value will begin.
    pub fn undo_point(&self) -> UndoPoint {
        UndoPoint {
            bytes: self.bytes.len(),
            parts: self.parts.len(),
        }
    }

    /// Appends another output.
    pub fn append(&mut self, other: Reply) {
        let before = self.bytes.len();
        let parts = other.parts.into_iter();
        self.parts
            .extend(parts.map(|(place, part)| (before + place, part)));
        self.part_bytes += other.part_bytes;
        self.bytes.extend_from_slice(&other.bytes);
    }

    /// Moves the unsent bytes of another output to the end of this one. Does nothing and returns `false` if one of the
    /// two has parts, or the result would exceed `most_bytes`.
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

    /// Appends a message that is encoded already; a large one is not copied.
    pub fn encoded(&mut self, message: &Arc<Vec<u8>>) {
        match message.len() {
            ..SHARED_FROM_BYTES => self.bytes.extend_from_slice(message),
            _ => self.add_part(Part::Shared(message.clone())),
        }
    }

    /// All bytes of an output of which nothing is sent yet.
    pub fn into_bytes(mut self) -> Vec<u8> {
        if self.parts.is_empty() {
            return self.bytes;
        }
        let mut all = Vec::with_capacity(self.len());
        self.write_to(&mut all).expect("a vector takes everything");
        all
    }

    /// Takes all bytes out of an output of which nothing is sent yet. It keeps its room.
    pub fn take_bytes(&mut self) -> Vec<u8> {
        if self.parts.is_empty() {
            let bytes = self.bytes.to_vec();
            self.clear();
            return bytes;
        }
        let mut all = Vec::with_capacity(self.len());
        self.write_to(&mut all).expect("a vector takes everything");
        all
    }

    /// Removes what was written after the undo point.
    pub fn undo_to(&mut self, point: UndoPoint) {
        self.bytes.truncate(point.bytes);
        let removed = self.parts.drain(point.parts..);
        self.part_bytes -= removed.map(|(_, part)| part.len()).sum::<usize>();
    }

    /// The number of bytes that wait to be sent; a lower bound if there are long replies.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.sent.bytes + self.part_bytes
    }

    /// Whether nothing waits to be sent.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.parts.is_empty()
    }

    /// Memory of the output in bytes: what waits to be sent and the room for more.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity() + self.part_bytes
    }

    /// Writes as much as `output` takes without [`ErrorKind::WouldBlock`] and keeps the rest for the next call. Returns
    /// the number of bytes written. After an error nothing is kept.
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

    /// Frees the memory of an empty output if it is large.
    pub fn shrink(&mut self) {
        if self.bytes.capacity() > SMALL_BYTES && self.is_empty() {
            self.bytes = Vec::new();
        }
    }

    /// Makes room for `additional` more bytes.
    #[inline]
    pub(super) fn make_room(&mut self, additional: usize) {
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

    pub(super) fn add_part(&mut self, part: Part) {
        self.part_bytes += part.len();
        self.parts.push((self.bytes.len(), part));
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
            // All slices are written. The next part, if there is one, is a long reply.
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

    /// Writes the bytes and strings up to the end or to the next long reply. Returns their number of bytes, and how
    /// many of them `output` has taken.
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

    /// Moves `sent` forward by `taken` bytes.
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

/// Writes until `output` has taken everything or would have to wait; returns how many bytes it took.
fn write_slices(output: &mut impl Write, mut rest: &mut [IoSlice<'_>]) -> io::Result<usize> {
    let mut written = 0;
    // Drop empty slices: a write of nothing returns 0, which is taken for an output that takes nothing (`WriteZero`).
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
