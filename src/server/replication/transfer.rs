//! A snapshot as it comes from the primary: the bytes of the RDB file, without [what frames
//! them](crate::resp::snapshot_end).

use super::follower::PrimaryConnection;
use crate::resp::snapshot_end::{SnapshotBytes, SnapshotEnd as End};
use std::io::{self, BufRead, Read};
use std::sync::atomic::Ordering::Relaxed;

/// Reads the RDB file. The thread waits for the primary, as long as that is not silent for too long.
pub struct Transfer<'l, 'e> {
    connection: &'l mut PrimaryConnection<'e>,
    /// Bytes of the file; `None` if its end is marked.
    file_bytes: Option<u64>,
    file: SnapshotBytes,
    /// Bytes of the file that have arrived.
    arrived: Vec<u8>,
    /// How many bytes of `arrived` have been read.
    start: usize,
    /// Bytes that have been received, the mark too.
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
        let file_bytes = match end {
            End::After(bytes) => Some(bytes),
            End::Mark(_) => None,
        };
        let figures = &connection.engine.replication.link.figures;
        figures.total_bytes.store(file_bytes.unwrap_or(0), Relaxed);
        figures.read_bytes.store(0, Relaxed);
        Ok(Transfer {
            connection,
            file_bytes,
            file: SnapshotBytes::new(end),
            arrived: Vec::new(),
            start: 0,
            received: 0,
            given: 0,
            failure: None,
        })
    }

    /// How many bytes the file has; `None` if its end is marked.
    pub fn file_bytes(&self) -> Option<u64> {
        self.file_bytes
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

    /// Waits until more has arrived. Called when everything that has arrived before was read.
    fn receive(&mut self) -> io::Result<()> {
        self.arrived.clear();
        self.start = 0;
        let there = self.connection.fill()?;
        let bytes = &self.connection.input.buffer()[..there];
        let taken = self.file.take(bytes, &mut self.arrived);
        self.connection.input.consume(taken);
        self.received += taken as u64;
        let figures = &self.connection.engine.replication.link.figures;
        figures.read_bytes.store(self.received, Relaxed);
        Ok(())
    }
}

impl Read for Transfer<'_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.start == self.arrived.len() && !self.file.is_whole() {
            if let Err(error) = self.receive() {
                let copy = io::Error::new(error.kind(), error.to_string());
                self.failure = Some(error);
                return Err(copy);
            }
        }
        let len = (&self.arrived[self.start..]).read(out)?;
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
