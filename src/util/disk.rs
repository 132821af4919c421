//! The operations on files of which a save and an append-only file consist; each is a system call.
//!
//! They go through a trait, so that a test can make any of them fail, or record their order and compute what a power
//! cut would leave at each point. Their order is decided by their callers, `rdb/file.rs` and `aof/folder.rs`.

use crate::util::files::sync_folder;
use crate::util::system_message;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// The operations of a disk. Errors are those of the system, unchanged.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Creates an empty file for writing; one of that name is emptied.
    fn create(&self, path: &Path) -> io::Result<File>;

    /// Opens a file to write at its end.
    fn open_to_append(&self, path: &Path) -> io::Result<File>;

    /// Creates a directory; one that exists already is no error.
    fn create_directory(&self, path: &Path) -> io::Result<()>;

    /// Writes a part of `bytes`, and returns the number of bytes written.
    fn write(&self, file: &File, bytes: &[u8]) -> io::Result<usize>;

    /// Waits until the content of a file is on the disk. Its name may not be there yet: see `sync_directory`.
    fn sync(&self, file: &File) -> io::Result<()>;

    /// Cuts a file off at this length; what is written next comes there.
    fn truncate(&self, file: &File, len: u64) -> io::Result<()>;

    /// Opens a file for reading, or a directory for `sync_directory`.
    fn open(&self, path: &Path) -> io::Result<File>;

    /// Reads into `buffer`, and returns the number of bytes read; 0 at the end.
    fn read(&self, file: &File, buffer: &mut [u8]) -> io::Result<usize>;

    /// Gives a file the name `to`, atomically. A file that had this name before is removed.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Waits until the names in a directory are on the disk: what was created, renamed and removed.
    fn sync_directory(&self, directory: &File) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// An error with the step and the path before it, for the log: "rename /data/temp-12.dump.my_rdb: Is a directory".
pub fn failed(step: &str, path: &Path, error: io::Error) -> io::Error {
    let words = system_message(&error);
    io::Error::new(error.kind(), format!("{step} {}: {words}", path.display()))
}

/// The file system of the machine.
#[derive(Debug)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<File> {
        File::create(path)
    }

    fn open_to_append(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().append(true).open(path)
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            created => created,
        }
    }

    fn write(&self, mut file: &File, bytes: &[u8]) -> io::Result<usize> {
        file.write(bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn truncate(&self, mut file: &File, len: u64) -> io::Result<()> {
        file.set_len(len)?;
        file.seek(SeekFrom::Start(len)).map(drop)
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        File::open(path)
    }

    fn read(&self, mut file: &File, buffer: &mut [u8]) -> io::Result<usize> {
        file.read(buffer)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_directory(&self, directory: &File) -> io::Result<()> {
        sync_folder(directory)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}
