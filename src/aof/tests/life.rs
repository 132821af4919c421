//! The life of an append-only file as the server lives it, under `appendfsync always`, on a disk for tests. The data
//! are a list of numbers: the base holds the first ones, and each command adds the next.

use super::super::{Folder, Increment};
use super::commands;
use crate::util::test_disk::TestDisk;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// `appendfilename`.
pub const PREFIX: &str = "a";

/// An append-only file that is being written.
pub struct Life {
    pub disk: Arc<TestDisk>,
    folder: Folder,
    increment: Option<Increment>,
    /// What could not be written yet.
    buffer: Vec<u8>,
    /// Whether the base to which the increment belongs is not in place.
    pub is_beginning: bool,
    /// The last number that was added.
    pub last: u64,
    /// The last number that was added and is on the disk.
    pub acknowledged: u64,
}

impl Life {
    /// In the directory of the disk, where nothing is yet.
    pub fn new(disk: Arc<TestDisk>) -> Life {
        let folder = Folder::new(disk.clone(), disk.directory.clone(), PREFIX);
        Life {
            disk,
            folder,
            increment: None,
            buffer: Vec::new(),
            is_beginning: false,
            last: 0,
            acknowledged: 0,
        }
    }

    /// Writes a base with what there is, and continues in a new increment: as the server does when the file is turned
    /// on, or cannot be trusted any more.
    pub fn begin_anew(&mut self) -> io::Result<()> {
        self.is_beginning = true;
        let increment = self.folder.prepare_increment()?;
        self.buffer.clear();
        self.increment = Some(increment);
        let base = self.last;
        self.write_base(base)?;
        self.folder.begin_anew(false)?;
        self.is_beginning = false;
        self.acknowledged = self.acknowledged.max(base);
        self.folder.remove_history()
    }

    /// Adds a number; whether it is on the disk.
    pub fn add(&mut self) -> io::Result<()> {
        self.last += 1;
        self.buffer.extend(command(self.last));
        self.sync()
    }

    fn sync(&mut self) -> io::Result<()> {
        if let Some(increment) = &mut self.increment {
            increment.append(&mut self.buffer)?;
            increment.sync()?;
            self.acknowledged = self.last;
        }
        Ok(())
    }

    /// Rewrites the file. While the base is written, `adds` numbers are added.
    pub fn rewrite(&mut self, adds: u64) -> io::Result<()> {
        let base = self.last;
        self.sync()?;
        self.increment = Some(self.folder.begin_increment()?);
        (0..adds).try_for_each(|_| self.add())?;
        self.write_base(base)?;
        self.folder.replace_base(false)?;
        self.folder.remove_history()
    }

    fn write_base(&mut self, last: u64) -> io::Result<()> {
        let path = self.folder.next_base(false);
        let content: Vec<u8> = (1..=last).flat_map(command).collect();
        let counts = crate::rdb::file::Counts::default();
        crate::rdb::file::replace_on(&*self.disk, &path, false, |output| {
            output.write_all(&content).map(|()| counts)
        })
        .map(drop)
    }
}

/// As short as commands can be, so that there are few states.
fn command(number: u64) -> Vec<u8> {
    let digits = number.to_string();
    format!("*1\r\n${}\r\n{digits}\r\n", digits.len()).into_bytes()
}

/// The numbers that a folder holds: `read` gives the content of a file, if it is there.
///
/// # Errors
/// The server would not start.
pub fn load<'a>(read: impl Fn(&Path) -> Option<&'a [u8]>) -> Result<Vec<u64>, String> {
    let number = |words: &Vec<Vec<u8>>| {
        let digits = std::str::from_utf8(&words[0]).map_err(|error| error.to_string())?;
        digits.parse().map_err(|_| "no number".to_string())
    };
    commands(&format!("{PREFIX}.manifest"), read)?
        .iter()
        .map(number)
        .collect()
}

/// What the directory of a disk holds now.
pub fn load_from(directory: &Path) -> Result<Vec<u64>, String> {
    let entries = std::fs::read_dir(directory).expect("the directory is there");
    let files: Vec<_> = entries
        .map(|entry| entry.expect("a readable entry"))
        .map(|entry| {
            let content = std::fs::read(entry.path()).expect("a readable file");
            (std::path::PathBuf::from(entry.file_name()), content)
        })
        .collect();
    load(|path| {
        let found = files.iter().find(|(name, _)| name == path);
        found.map(|(_, content)| &content[..])
    })
}
