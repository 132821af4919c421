//! Reads replies from a stream that blocks: the receiving half of a client.
//!
//! Bytes that have arrived and belong to later replies stay in the buffer. What is not in the protocol, the snapshot
//! that follows a `SYNC` for example, is read through [`BufRead`], which takes the buffered bytes first.
//!
//! The reader can keep the bytes of what it reads, for a client that shows them: [`ReplyReader::keep_bytes`].

use crate::resp::decoder::{DecodeError, Decoder, Value};
use crate::util::system_message;
use std::fmt;
use std::io::{self, BufRead, Read};

/// The bytes that are read from the stream at once.
const PIECE: usize = 16 * 1024;

/// Why there is no reply. The connection cannot be used any more.
#[derive(Debug)]
pub enum ReadError {
    /// The server has closed the connection.
    Closed,
    /// The system could not read.
    Io(io::Error),
    /// What the server has sent is no reply.
    Protocol(DecodeError),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            ReadError::Closed => f.write_str("Server closed the connection"),
            ReadError::Io(error) => f.write_str(&system_message(error)),
            ReadError::Protocol(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ReadError {}

/// Replies from a stream.
pub struct ReplyReader<S> {
    stream: S,
    /// What has arrived; the bytes before `start` are used up.
    received: Vec<u8>,
    start: usize,
    decoder: Decoder,
    kept: Option<Vec<u8>>,
}

impl<S: Read> ReplyReader<S> {
    /// A reader of `stream`, from which nothing has been read yet. Replies may be nested as deeply as `max_depth`:
    /// [`Decoder::with_max_depth`].
    pub fn new(stream: S, max_depth: usize) -> ReplyReader<S> {
        ReplyReader {
            stream,
            received: Vec::new(),
            start: 0,
            decoder: Decoder::with_max_depth(max_depth),
            kept: None,
        }
    }

    /// The stream itself, for writing to it.
    pub fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// From now on, keeps the bytes of replies until [`ReplyReader::take_kept_bytes`] takes them.
    pub fn keep_bytes(&mut self, keep: bool) {
        self.kept = keep.then(Vec::new);
    }

    /// The bytes of the replies since the last call, if they are kept.
    pub fn take_kept_bytes(&mut self) -> Vec<u8> {
        self.kept.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Waits for the next reply, which may be a push.
    pub fn reply(&mut self) -> Result<Value, ReadError> {
        loop {
            if let Some(value) = self.decode_received()? {
                return Ok(value);
            }
            match self.fill() {
                Ok(0) => return Err(ReadError::Closed),
                Ok(_) => {}
                Err(error) => return Err(ReadError::Io(error)),
            }
        }
    }

    fn decode_received(&mut self) -> Result<Option<Value>, ReadError> {
        let unread = &self.received[self.start..];
        let (consumed, value) = self.decoder.decode(unread).map_err(ReadError::Protocol)?;
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(&unread[..consumed]);
        }
        self.start += consumed;
        Ok(value)
    }

    /// Reads a piece from the stream. The number of its bytes is 0 at the end of the stream.
    fn fill(&mut self) -> io::Result<usize> {
        self.received.drain(..self.start);
        self.start = 0;
        let filled = self.received.len();
        // The decoder looks at an incomplete string anew with each piece. The pieces grow with the bytes that are
        // buffered, so that it does not do so too often.
        self.received.resize(filled + PIECE.max(filled), 0);
        let read = loop {
            match self.stream.read(&mut self.received[filled..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.received
            .truncate(filled + read.as_ref().map_or(0, |length| *length));
        read
    }
}

/// Bytes as they are, without the protocol.
impl<S: Read> Read for ReplyReader<S> {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(output)?;
        self.consume(length);
        Ok(length)
    }
}

/// Bytes that a reader looks at before it takes them.
impl<S: Read> BufRead for ReplyReader<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.received.len() {
            self.fill()?;
        }
        Ok(&self.received[self.start..])
    }

    fn consume(&mut self, length: usize) {
        self.start += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream that gives a byte at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
            let length = 1.min(output.len());
            self.0.read(&mut output[..length])
        }
    }

    #[test]
    fn replies_come_one_after_the_other() {
        let mut reader = ReplyReader::new(Slow(b"+OK\r\n*1\r\n$1\r\na\r\n:1"), 1);
        reader.keep_bytes(true);
        assert_eq!(reader.reply().unwrap(), Value::Simple(b"OK".to_vec()));
        assert_eq!(reader.take_kept_bytes(), b"+OK\r\n");
        let array = Value::Array(vec![Value::Bulk(b"a".to_vec())]);
        assert_eq!(reader.reply().unwrap(), array);
        assert_eq!(reader.take_kept_bytes(), b"*1\r\n$1\r\na\r\n");
        let end = reader.reply().unwrap_err();
        assert_eq!(end.to_string(), "Server closed the connection");
    }

    #[test]
    fn other_bytes_follow_a_reply() {
        let mut reader = ReplyReader::new(&b"+OK\r\nREDIS0009"[..], 1);
        reader.reply().unwrap();
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "REDIS0009");
    }

    #[test]
    fn what_is_no_reply_is_an_error() {
        let mut reader = ReplyReader::new(&b"hello\r\n"[..], 1);
        let error = reader.reply().unwrap_err();
        assert_eq!(
            error.to_string(),
            "Protocol error, got \"h\" as reply type byte"
        );
    }
}
