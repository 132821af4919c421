//! The operations on files of which a save consists; each is a system call.
//!
//! They go through a trait, so that a test can make any of them fail, or record their order and compute what a power
//! cut would leave at each point. The order of the calls is decided in [`file`](super::file).

use crate::util::files::sync_folder;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

/// The operations of a disk that a save needs. Errors are those of the system, unchanged.
pub trait Disk: Sync {
    /// Creates an empty file for writing; one of that name is emptied.
    fn create(&self, path: &Path) -> io::Result<File>;

    /// Writes a part of `bytes`, and returns the number of bytes written.
    fn write(&self, file: &File, bytes: &[u8]) -> io::Result<usize>;

    /// Waits until the content of a file is on the disk. Its name may not be there yet: see `sync_directory`.
    fn sync(&self, file: &File) -> io::Result<()>;

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

/// The file system of the machine.
pub struct RealDisk;

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<File> {
        File::create(path)
    }

    fn write(&self, mut file: &File, bytes: &[u8]) -> io::Result<usize> {
        file.write(bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
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
