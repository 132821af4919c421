//! A large argument of a request, received into memory of its own.
//!
//! In the input buffer, which doubles when it is full, a value of 512 MB could take 1 GB, and 512 MB more for the copy
//! in the keyspace. Here the bytes are received in their final place: SET hands this memory to the keyspace.
//!
//! # Invariant
//! The memory is at most four times as large as what has been received. A header that announces 512 MB costs nothing.

use std::io::{self, ErrorKind, Read};

/// Arguments from this length on are large, in bytes: more than the input buffer of a client that pipelines.
pub const LARGE_FROM_BYTES: usize = 256 * 1024;
/// The factor by which the memory grows, compared with what has been received.
const GROWTH: usize = 4;
/// Bytes that are prepared for one read, at most.
const STEP_BYTES: usize = 256 * 1024;
/// The size of the first allocation for an argument of which little has arrived.
const LEAST_BYTES: usize = 4 * 1024;

/// The argument while it arrives.
#[derive(Debug)]
pub struct LargeArgument {
    /// `bytes[..received]` have arrived; the others are prepared.
    bytes: Vec<u8>,
    received: usize,
    len: usize,
}

impl LargeArgument {
    /// An argument of `len` bytes that begins with `first`, which is no longer than that.
    pub fn new(len: usize, first: &[u8]) -> LargeArgument {
        debug_assert!(first.len() <= len);
        LargeArgument {
            bytes: first.to_vec(),
            received: first.len(),
            len,
        }
    }

    /// Reads bytes of the argument that have arrived, or waits for some. Returns their number; 0 at the end of the
    /// stream.
    pub fn receive(&mut self, stream: &mut impl Read) -> io::Result<usize> {
        if self.received == self.bytes.len() {
            self.prepare();
        }
        loop {
            match stream.read(&mut self.bytes[self.received..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(received) => {
                    self.received += received;
                    return Ok(received);
                }
            }
        }
    }

    /// Prepares memory for a read. Only what is prepared is written to, so that the system backs it with memory.
    fn prepare(&mut self) {
        if self.bytes.capacity() < self.len && self.bytes.capacity() < self.received + STEP_BYTES {
            let capacity = (GROWTH * self.received).max(LEAST_BYTES).min(self.len);
            self.bytes.reserve_exact(capacity - self.received);
        }
        let end = (self.received + STEP_BYTES)
            .min(self.bytes.capacity())
            .min(self.len);
        self.bytes.resize(end, 0);
    }

    /// Bytes that have arrived.
    pub fn received(&self) -> usize {
        self.received
    }

    /// Whether all of it has arrived.
    pub fn is_complete(&self) -> bool {
        self.received == self.len
    }

    /// The argument, of which all bytes have arrived.
    pub fn into_bytes(self) -> Vec<u8> {
        debug_assert!(self.is_complete());
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives 100,000 bytes at a time.
    struct Pieces(Vec<u8>);

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let len = buffer.len().min(self.0.len()).min(100_000);
            buffer[..len].copy_from_slice(&self.0[..len]);
            self.0.drain(..len);
            Ok(len)
        }
    }

    #[test]
    fn memory_follows_what_has_arrived() {
        let all: Vec<u8> = (0..10_000_000u32).map(|number| number as u8).collect();
        let mut stream = Pieces([&all[1000..], b"\r\n"].concat());
        let mut argument = LargeArgument::new(all.len(), &all[..1000]);
        while !argument.is_complete() {
            let before = argument.received();
            assert!(argument.receive(&mut stream).unwrap() > 0);
            assert!(argument.bytes.capacity() <= (GROWTH * before).max(LEAST_BYTES));
        }
        assert_eq!(stream.0, b"\r\n", "nothing behind it is read");
        let bytes = argument.into_bytes();
        assert!(bytes == all && bytes.capacity() == all.len());
    }

    #[test]
    fn what_is_only_announced_costs_nothing() {
        let mut argument = LargeArgument::new(512 << 20, b"");
        assert_eq!(argument.receive(&mut io::empty()).unwrap(), 0);
        assert!(argument.bytes.capacity() <= LEAST_BYTES);
    }
}
