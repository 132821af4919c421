//! An increment while it is written.
//!
//! A write may fail when a part of the bytes is in the file: the disk is full. Then the file is cut off where it was
//! before, so that it ends with a whole command all the time, and the bytes are written anew later. If it cannot be
//! cut off either, the rest of the bytes follows later.
//!
//! One thread at a time writes. Another may [`sync`](Disk::sync) the file meanwhile.

use crate::util::disk::Disk;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::sync::Arc;

/// The file at whose end the log is written.
#[derive(Clone, Debug)]
pub struct Increment {
    disk: Arc<dyn Disk>,
    file: Arc<File>,
    len: u64,
}

impl Increment {
    /// A file that was opened to write at its end, which is at `len`.
    pub(super) fn new(disk: Arc<dyn Disk>, file: File, len: u64) -> Increment {
        Increment {
            disk,
            file: Arc::new(file),
            len,
        }
    }

    /// Bytes in the file.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing has been written to it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends all of `bytes`, and empties it.
    ///
    /// # Errors
    /// What the system says. `bytes` has what is not in the file: a later call writes it.
    pub fn append(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        let mut written = 0;
        while written < bytes.len() {
            match self.disk.write(&self.file, &bytes[written..]) {
                Ok(0) => return self.give_up(bytes, written, ErrorKind::WriteZero.into()),
                Ok(len) => written += len,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.give_up(bytes, written, error),
            }
        }
        self.len += written as u64;
        bytes.clear();
        Ok(())
    }

    /// Takes back a part that was written, or remembers that it was.
    fn give_up(&mut self, bytes: &mut Vec<u8>, written: usize, error: io::Error) -> io::Result<()> {
        if written > 0 && self.disk.truncate(&self.file, self.len).is_err() {
            self.len += written as u64;
            bytes.drain(..written);
        }
        Err(error)
    }

    /// Waits until all that was appended is on the disk.
    ///
    /// # Errors
    /// What the system says. It must not be tried again: Linux may have dropped what it could not write, and would
    /// report success.
    pub fn sync(&self) -> io::Result<()> {
        self.disk.sync(&self.file)
    }
}
