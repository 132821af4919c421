//! A disk for tests: the real one, in a directory of its own. It can make any operation fail or leave it out, and it
//! records the operations. [`power_cut`] computes what a power cut may leave of them.

pub mod power_cut;

use super::disk::{Disk, RealDisk};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, process};

/// A recorded operation. Files are identified by the order of their creation: their names may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A new file of this name.
    Create(String),
    /// These bytes were appended to a file.
    Write(usize, Vec<u8>),
    /// The content of a file is durable.
    Sync(usize),
    /// A file was cut off at this length.
    Truncate(usize, u64),
    /// The file with the first name has the second name now.
    Rename(String, String),
    /// All names are durable.
    SyncDirectory,
    /// The name was removed.
    Remove(String),
}

/// The way in which an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The system reports this error, and does nothing.
    Error(i32),
    /// A write takes one byte, and the next one fails with this error.
    ShortWrite(i32),
    /// A write takes one byte, and nothing fails.
    OnlyShort,
}

/// The faults that a disk has: no space left, an input/output error.
pub const ENOSPC: i32 = 28;
/// See `ENOSPC`.
pub const EIO: i32 = 5;

/// A value that is changed through a shared reference, from any thread.
#[derive(Debug)]
pub struct Shared<T>(Mutex<T>);

impl<T: Copy> Shared<T> {
    fn new(value: T) -> Shared<T> {
        Shared(Mutex::new(value))
    }

    pub fn get(&self) -> T {
        *self.0.lock().expect("no test panicked")
    }

    pub fn set(&self, value: T) {
        self.replace(value);
    }

    fn replace(&self, value: T) -> T {
        std::mem::replace(&mut *self.0.lock().expect("no test panicked"), value)
    }
}

/// A disk for tests (see the head of the file). Dropping it removes the directory.
#[derive(Debug)]
pub struct TestDisk {
    pub directory: PathBuf,
    /// The number of operations so far, including those that failed.
    pub count: Shared<usize>,
    /// The operation that is to fail, counted from 0, and the fault.
    pub fault: Shared<Option<(usize, Fault)>>,
    /// The name of an operation that fails whenever it comes, with an input/output error.
    pub failing: Shared<&'static str>,
    /// The words "fsync" or "fsync directory": an operation that is silently left out.
    pub left_out: Shared<&'static str>,
    /// The name of the operation that failed.
    pub failed: Shared<&'static str>,
    pub done: Mutex<Vec<Operation>>,
    files: Mutex<Files>,
}

/// Which file is which.
#[derive(Debug, Default)]
struct Files {
    created: usize,
    by_name: HashMap<String, usize>,
    by_descriptor: HashMap<RawFd, usize>,
    /// A file that was created, and neither synced nor removed yet. Reading it back waits for that, so that the order
    /// of the operations is always equal.
    unsynced: Option<String>,
}

impl TestDisk {
    pub fn new() -> TestDisk {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = env::temp_dir().join(format!("my_redis_disk_{}_{number}", process::id()));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).expect("the temporary directory is writable");
        TestDisk {
            directory,
            count: Shared::new(0),
            fault: Shared::new(None),
            failing: Shared::new(""),
            left_out: Shared::new(""),
            failed: Shared::new(""),
            done: Mutex::default(),
            files: Mutex::default(),
        }
    }

    /// The files of the directory by name.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(&self.directory)
            .expect("the directory is there")
            .map(|entry| name(&entry.expect("a readable entry").path()))
            .collect();
        names.sort();
        names
    }

    /// What has been done, from the beginning or the last call.
    pub fn take_done(&self) -> Vec<Operation> {
        std::mem::take(&mut *self.done.lock().expect("no test panicked"))
    }

    /// Counts an operation, and fails if it is its turn.
    fn step(&self, name: &'static str) -> io::Result<()> {
        let number = self.count.replace(self.count.get() + 1);
        match self.fault.get() {
            _ if self.failing.get() == name => Err(io::Error::from_raw_os_error(EIO)),
            Some((at, Fault::Error(code))) if at == number => {
                self.failed.set(name);
                Err(io::Error::from_raw_os_error(code))
            }
            _ => Ok(()),
        }
    }

    /// Counts an operation, fails if it is its turn, and otherwise records it.
    fn note(&self, name: &'static str, operation: Operation) -> io::Result<()> {
        self.step(name)?;
        self.done.lock().expect("no test panicked").push(operation);
        Ok(())
    }

    fn files(&self) -> std::sync::MutexGuard<'_, Files> {
        self.files.lock().expect("no test panicked")
    }

    fn number_of(&self, file: &File) -> usize {
        self.files().by_descriptor[&file.as_raw_fd()]
    }

    /// The file is synced, or will not be.
    fn end_wait(&self) {
        self.files().unsynced = None;
    }
}

impl Drop for TestDisk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Disk for TestDisk {
    fn create(&self, path: &Path) -> io::Result<File> {
        self.note("create", Operation::Create(name(path)))?;
        let file = RealDisk.create(path)?;
        let files = &mut *self.files();
        files.by_name.insert(name(path), files.created);
        files.by_descriptor.insert(file.as_raw_fd(), files.created);
        files.created += 1;
        files.unsynced = Some(name(path));
        Ok(file)
    }

    fn open_to_append(&self, path: &Path) -> io::Result<File> {
        self.step("open to append")?;
        let file = RealDisk.open_to_append(path)?;
        let files = &mut *self.files();
        let number = files.by_name[&name(path)];
        files.by_descriptor.insert(file.as_raw_fd(), number);
        Ok(file)
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        self.step("create directory")?;
        RealDisk.create_directory(path)
    }

    fn write(&self, file: &File, bytes: &[u8]) -> io::Result<usize> {
        let mut bytes = bytes;
        match self.fault.get() {
            Some((at, fault)) if at == self.count.get() => match fault {
                Fault::Error(_) => {}
                Fault::OnlyShort => bytes = &bytes[..1],
                Fault::ShortWrite(code) => {
                    bytes = &bytes[..1];
                    self.fault.set(Some((at + 1, Fault::Error(code))));
                }
            },
            _ => {}
        }
        let number = self.number_of(file);
        self.note("write", Operation::Write(number, bytes.to_vec()))?;
        RealDisk.write(file, bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        if self.left_out.get() == "fsync" {
            self.end_wait();
            return Ok(());
        }
        let noted = self.note("fsync", Operation::Sync(self.number_of(file)));
        self.end_wait();
        noted?;
        RealDisk.sync(file)
    }

    fn truncate(&self, file: &File, len: u64) -> io::Result<()> {
        self.note("truncate", Operation::Truncate(self.number_of(file), len))?;
        RealDisk.truncate(file, len)
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        while self.files().unsynced == Some(name(path)) {
            std::thread::yield_now();
        }
        self.step("open")?;
        RealDisk.open(path)
    }

    fn read(&self, file: &File, buffer: &mut [u8]) -> io::Result<usize> {
        self.step("read back")?;
        RealDisk.read(file, buffer)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.note("rename", Operation::Rename(name(from), name(to)))?;
        let files = &mut *self.files();
        if let Some(number) = files.by_name.remove(&name(from)) {
            files.by_name.insert(name(to), number);
        }
        RealDisk.rename(from, to)
    }

    fn sync_directory(&self, directory: &File) -> io::Result<()> {
        if self.left_out.get() == "fsync directory" {
            return Ok(());
        }
        self.note("fsync directory", Operation::SyncDirectory)?;
        RealDisk.sync_directory(directory)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.end_wait();
        self.note("remove", Operation::Remove(name(path)))?;
        RealDisk.remove(path)
    }
}

fn name(path: &Path) -> String {
    path.file_name()
        .expect("a file has a name")
        .to_string_lossy()
        .into_owned()
}
