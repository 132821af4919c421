//! A snapshot as it comes from the primary: the bytes of the RDB file, without [what frames
//! them](crate::resp::snapshot_end).

use super::follower::PrimaryConnection;
use crate::resp::snapshot_end::{MARK_BYTES, SnapshotEnd as End};
use std::io::{self, BufRead, Read};
use std::sync::atomic::Ordering::Relaxed;

/// Reads the RDB file. The thread waits for the primary, as long as that is not silent for too long.
pub struct Transfer<'l, 'e> {
    connection: &'l mut PrimaryConnection<'e>,
    /// How the end is known; of a length, what is missing.
    end: End,
    /// What has arrived and was not read yet begins here in `arrived`.
    start: usize,
    arrived: Vec<u8>,
    /// Whether `arrived` ends with the last byte of the file.
    is_whole: bool,
    /// Bytes that have been received.
    received: u64,
    /// Bytes of the file that have been read.
    given: u64,
    failure: Option<io::Error>,
}

impl<'l, 'e> Transfer<'l, 'e> {
    /// Begins with the line that says how the end is known.
    ///
    /// # Errors
    /// The connection is lost, or the line is another one.
    pub fn begin(connection: &'l mut PrimaryConnection<'e>) -> io::Result<Transfer<'l, 'e>> {
        let header = connection.line()?;
        let end = End::parse(header.as_bytes()).ok_or_else(|| bad(&header))?;
        let bytes = match end {
            End::After(bytes) => bytes,
            End::Mark(_) => 0,
        };
        let figures = &connection.engine.replication.link.figures;
        figures.total_bytes.store(bytes, Relaxed);
        figures.read_bytes.store(0, Relaxed);
        Ok(Transfer {
            connection,
            is_whole: matches!(end, End::After(0)),
            end,
            start: 0,
            arrived: Vec::new(),
            received: 0,
            given: 0,
            failure: None,
        })
    }

    /// How many bytes the file has; `None` if its end is marked.
    pub fn file_bytes(&self) -> Option<u64> {
        match self.end {
            End::After(left) => Some(self.received + left),
            End::Mark(_) => None,
        }
    }

    /// How many bytes of the file have been read.
    pub fn given_bytes(&self) -> u64 {
        self.given
    }

    /// The connection that it comes over.
    pub fn connection(&self) -> &PrimaryConnection<'e> {
        self.connection
    }

    /// The error of the connection that has ended the transfer. Readers of RDB files tell it as text alone.
    pub fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// How much of what has arrived is known to belong to the file.
    fn ready(&self) -> usize {
        let arrived = self.arrived.len() - self.start;
        match self.end {
            End::Mark(_) if !self.is_whole => arrived.saturating_sub(MARK_BYTES),
            _ => arrived,
        }
    }

    /// Waits until more has arrived.
    fn receive(&mut self) -> io::Result<()> {
        self.arrived.drain(..self.start);
        self.start = 0;
        let there = self.connection.fill()?;
        let bytes = self.connection.input.buffer();
        let taken = match &mut self.end {
            End::After(left) => {
                let taken = (there as u64).min(*left);
                *left -= taken;
                self.is_whole = *left == 0;
                self.arrived.extend_from_slice(&bytes[..taken as usize]);
                taken as usize
            }
            End::Mark(mark) => {
                self.arrived.extend_from_slice(&bytes[..there]);
                if self.arrived.ends_with(mark) {
                    self.arrived.truncate(self.arrived.len() - MARK_BYTES);
                    self.is_whole = true;
                }
                there
            }
        };
        self.connection.input.consume(taken);
        self.received += taken as u64;
        let figures = &self.connection.engine.replication.link.figures;
        figures.read_bytes.store(self.received, Relaxed);
        Ok(())
    }
}

impl Read for Transfer<'_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.ready() == 0 && !self.is_whole {
            if let Err(error) = self.receive() {
                let copy = io::Error::new(error.kind(), error.to_string());
                self.failure = Some(error);
                return Err(copy);
            }
        }
        let len = self.ready().min(out.len());
        out[..len].copy_from_slice(&self.arrived[self.start..self.start + len]);
        self.start += len;
        self.given += len as u64;
        Ok(len)
    }
}

fn bad(header: &str) -> io::Error {
    io::Error::other(format!(
        "Bad protocol from MASTER, the first byte is not '$' (we received '{header}'), are you sure the host and port \
         are right?"
    ))
}
