//! A disk for tests: the real one, in a directory of its own. It can make any operation fail or leave it out, and it
//! records the operations.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, process};

use super::super::disk::{Disk, RealDisk};
use super::super::file::{self, Counts};
use super::super::format::VERSION_FOR_ALL;
use super::super::{Item, Reader, Value, ValueRef, Writer, WriterOptions};

/// A recorded operation. Files are identified by the order of their creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A new file of this name.
    Create(String),
    /// This number of bytes was appended to the file created last.
    Write(Vec<u8>),
    /// The content of that file is durable.
    Sync,
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
pub struct TestDisk {
    pub directory: PathBuf,
    /// The number of operations so far, including those that failed.
    pub count: Shared<usize>,
    /// The operation that is to fail, counted from 0, and the fault.
    pub fault: Shared<Option<(usize, Fault)>>,
    /// Whether the file created last has been synced or removed. Reading back waits for that, so that the order of the
    /// operations is always equal.
    is_synced: Shared<bool>,
    /// The words "fsync" or "fsync directory": an operation that is silently left out.
    pub left_out: Shared<&'static str>,
    /// The name of the operation that failed.
    pub failed: Shared<&'static str>,
    pub done: Mutex<Vec<Operation>>,
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
            is_synced: Shared::new(true),
            left_out: Shared::new(""),
            failed: Shared::new(""),
            done: Mutex::new(Vec::new()),
        }
    }

    pub fn dump(&self) -> PathBuf {
        self.directory.join("dump.my_rdb")
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

    /// Saves a dump of `keys` keys with one value, in writes of `piece` bytes.
    pub fn save(&self, keys: u64, value: &[u8], piece: usize) -> io::Result<u64> {
        let bytes = dump(keys, value);
        file::replace_on(self, &self.dump(), true, |output| {
            bytes
                .chunks(piece)
                .try_for_each(|piece| output.write_all(piece))?;
            Ok(Counts {
                keys,
                ..Counts::default()
            })
        })
    }

    /// Counts an operation, and fails if it is its turn.
    fn step(&self, name: &'static str) -> io::Result<()> {
        let number = self.count.replace(self.count.get() + 1);
        match self.fault.get() {
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
}

impl Drop for TestDisk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Disk for TestDisk {
    fn create(&self, path: &Path) -> io::Result<File> {
        self.note("create", Operation::Create(name(path)))?;
        self.is_synced.set(false);
        RealDisk.create(path)
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
        self.note("write", Operation::Write(bytes.to_vec()))?;
        RealDisk.write(file, bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        if self.left_out.get() == "fsync" {
            self.is_synced.set(true);
            return Ok(());
        }
        let noted = self.note("fsync", Operation::Sync);
        self.is_synced.set(true);
        noted?;
        RealDisk.sync(file)
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        while !self.is_synced.get() {
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
        self.is_synced.set(true);
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

/// A dump of keys `0`, `1`, ..., each with this value.
pub fn dump(keys: u64, value: &[u8]) -> Vec<u8> {
    let options = WriterOptions {
        version: VERSION_FOR_ALL,
        compression: false,
        checksum: true,
    };
    let write = || {
        let mut writer = Writer::new(Vec::new(), options)?;
        for key in 0..keys {
            writer.key(key.to_string().as_bytes(), None, ValueRef::String(value))?;
        }
        writer.finish()
    };
    write().expect("a Vec takes everything")
}

/// Keys and values in the order of a dump.
pub type Keys = Vec<(Vec<u8>, Vec<u8>)>;

/// The bytes that `dump` writes.
pub fn keys((keys, value): (u64, &[u8])) -> Keys {
    (0..keys)
        .map(|key| (key.to_string().into_bytes(), value.to_vec()))
        .collect()
}

/// The content of a dump. None if it cannot be loaded.
pub fn loaded(file: &[u8]) -> Option<Keys> {
    let mut reader = Reader::new(file).ok()?;
    let mut keys = Keys::new();
    while let Some(item) = reader.next().ok()? {
        if let Item::Key(record) = item {
            let Value::String(value) = record.value else {
                return None;
            };
            keys.push((record.key, value));
        }
    }
    Some(keys)
}
