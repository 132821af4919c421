//! What has arrived from a client: the input buffer of its connection.

use smallvec::SmallVec;
use std::io::{self, ErrorKind, Read};

/// The input buffer of a client that sends little. It lies on the stack of the client's thread, in memory that is used
/// for each request anyway: to fetch a page that has not been used lately takes longer than most commands.
const SMALL_INPUT_BYTES: usize = 512;
/// The input buffer of a client that pipelines; larger only for a request that does not fit, and only as it comes in.
const LARGE_INPUT_BYTES: usize = 64 * 1024;

/// Bytes that have been received; `bytes[start..end]` are yet to be parsed.
#[derive(Debug, Default)]
pub struct Input {
    bytes: SmallVec<[u8; SMALL_INPUT_BYTES]>,
    /// Where the next request begins.
    pub start: usize,
    /// The end of what has been received.
    pub end: usize,
}

impl Input {
    /// What has been received and is yet to be parsed.
    #[inline]
    pub fn unparsed(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Bytes for which there is room.
    pub fn free_bytes(&self) -> usize {
        self.bytes.len() - self.end
    }

    /// Whether everything has been parsed.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Reads what has arrived, or waits until something does. Returns the number of bytes; 0 at the end of the stream.
    /// The buffer doubles when it is full, so it is never larger than twice what was received.
    pub fn receive(&mut self, stream: &mut impl Read) -> io::Result<usize> {
        if self.end == self.bytes.len() {
            self.bytes
                .resize((2 * self.bytes.len()).max(SMALL_INPUT_BYTES), 0);
        }
        loop {
            match stream.read(&mut self.bytes[self.end..]) {
                Ok(received) => {
                    self.end += received;
                    return Ok(received);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Moves the unfinished request to the front, and frees the buffer of a large request.
    pub fn compact(&mut self) {
        let is_full = self.end == self.bytes.len();
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.is_empty() && self.bytes.len() > LARGE_INPUT_BYTES {
            self.bytes = SmallVec::new();
        } else if is_full && self.bytes.len() < LARGE_INPUT_BYTES {
            // The client sends faster than we read: fewer, larger reads.
            self.bytes.resize(2 * self.bytes.len(), 0);
        }
    }
}
