//! Replies that a client's socket has not taken yet.
//!
//! A client may send many requests before it reads the first reply: `redis-cli --pipe` and every client library that
//! pipelines do it. If the server stopped reading while its replies are unread, the two sides would deadlock. So the
//! client's thread does not wait to write: what the socket does not take goes into the backlog, and the thread goes on
//! reading. `client-output-buffer-limit` bounds the backlog.

use super::reply::Reply;
use std::collections::VecDeque;
use std::io::{self, Write};

/// Small outputs are joined into one up to this size.
const BLOCK_BYTES: usize = 64 * 1024;

/// Outputs of one client, in the order in which they are to be sent.
#[derive(Debug, Default)]
pub struct Backlog {
    outputs: VecDeque<Reply>,
    /// The bytes of all outputs.
    bytes: usize,
}

impl Backlog {
    /// Moves an output to the end of the backlog and leaves it empty.
    pub fn append(&mut self, output: &mut Reply) {
        if output.is_empty() {
            return;
        }
        self.bytes += output.len();
        let last = self.outputs.back_mut();
        if !last.is_some_and(|last| last.take_over(output, BLOCK_BYTES)) {
            let empty = Reply::new(output.protocol);
            self.outputs.push_back(std::mem::replace(output, empty));
        }
    }

    /// Writes as much as `output` takes without waiting, and returns how many bytes that was.
    ///
    /// # Errors
    /// The connection is gone; nothing is kept.
    pub fn write_to(&mut self, output: &mut impl Write) -> io::Result<usize> {
        let mut written = 0;
        while let Some(first) = self.outputs.front_mut() {
            let before = first.len();
            let result = first.write_to(output);
            self.bytes -= before - first.len();
            match result {
                Ok(sent) => written += sent,
                Err(error) => {
                    *self = Backlog::default();
                    return Err(error);
                }
            }
            if !first.is_empty() {
                break;
            }
            self.outputs.pop_front();
        }
        if self.outputs.is_empty() {
            self.outputs = VecDeque::new();
        }
        Ok(written)
    }

    /// The number of bytes that wait to be sent; a lower bound if there are long replies.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether everything is sent.
    pub fn is_empty(&self) -> bool {
        self.outputs.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    /// An output that takes 1,000 bytes at a time.
    struct Slow(Vec<u8>, usize);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let len = bytes.len().min(self.1);
            self.1 -= len;
            self.0.extend_from_slice(&bytes[..len]);
            match len {
                0 => Err(ErrorKind::WouldBlock.into()),
                len => Ok(len),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn outputs_go_out_in_order_and_small_ones_together() {
        let mut backlog = Backlog::default();
        let mut expected = String::new();
        for number in 1000..21_000 {
            let mut reply = Reply::default();
            reply.integer(number);
            if number == 5000 {
                let mut left = 3;
                reply.later(move |reply| {
                    reply.ok();
                    left -= 1;
                    left > 0
                });
            }
            backlog.append(&mut reply);
            assert!(reply.is_empty());
            expected += &format!(":{number}\r\n");
            if number == 5000 {
                expected += "+OK\r\n+OK\r\n+OK\r\n";
            }
        }
        // 4,000 numbers of seven or eight bytes, one long reply with a number before it, then two blocks.
        assert!(backlog.outputs.len() <= 5, "{}", backlog.outputs.len());
        let mut slow = Slow(Vec::new(), 0);
        while !backlog.is_empty() {
            slow.1 = 1000;
            assert!(backlog.write_to(&mut slow).unwrap() > 0);
        }
        assert_eq!(String::from_utf8(slow.0).unwrap(), expected);
        assert_eq!(backlog.len(), 0);
    }
}
