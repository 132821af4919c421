//! The manifest of an append-only file: a line for each file that belongs to it.
//!
//! ```text
//! file appendonly.aof.2.base.rdb seq 2 type b        the base
//! file appendonly.aof.1.incr.aof seq 1 type h        history: replaced by the base, to be removed
//! file appendonly.aof.3.incr.aof seq 3 type i        an increment
//! ```
//!
//! The manifest is replaced in one step (`aof/folder.rs`). So a rewrite takes effect at one moment, however many files
//! it concerns.
//!
//! # Invariants
//! 1. There is one base at most.
//! 2. The numbers of increments ascend. A number is never given twice: not even if the file that had it is gone.

use crate::util::quoting;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The longest line, in bytes, with its end: Redis reads no longer one.
const LONGEST_LINE: usize = 1024;

/// What a file is to the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The data at one moment.
    Base,
    /// Replaced by a base: to be removed.
    History,
    /// Commands since the base, or since the increment before.
    Increment,
}

/// A file that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInfo {
    /// The name, without a folder.
    pub name: Vec<u8>,
    /// Counts the bases, and the increments, from 1.
    pub sequence: u64,
    /// What it is.
    pub kind: Kind,
}

/// All files that belong to an append-only file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    base: Option<FileInfo>,
    history: Vec<FileInfo>,
    increments: Vec<FileInfo>,
    last_base: u64,
    last_increment: u64,
}

/// A manifest that cannot be used. `Display` gives Redis' lines.
#[derive(Debug, PartialEq, Eq)]
pub struct ManifestError {
    /// The number of the line, counted from 1, and the line, if one is at fault.
    pub line: Option<(usize, String)>,
    /// The fault.
    pub reason: &'static str,
}

impl Kind {
    fn letter(self) -> char {
        match self {
            Kind::Base => 'b',
            Kind::History => 'h',
            Kind::Increment => 'i',
        }
    }

    fn of_letter(letter: u8) -> Option<Kind> {
        let kinds = [Kind::Base, Kind::History, Kind::Increment];
        kinds
            .into_iter()
            .find(|kind| kind.letter() == char::from(letter))
    }
}

impl FileInfo {
    /// The name as a path.
    pub fn path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.name))
    }

    fn line(&self) -> Vec<u8> {
        let mut line = b"file ".to_vec();
        quoting::quote_if_needed(&self.name, &mut line);
        let rest = format!(" seq {} type {}\n", self.sequence, self.kind.letter());
        line.extend_from_slice(rest.as_bytes());
        line
    }

    /// What a line says. Words of later versions are passed over.
    fn parse(line: &[u8]) -> Result<FileInfo, &'static str> {
        const INVALID: &str = "Invalid AOF manifest file format";
        let words = quoting::split_arguments(line).map_err(|_| INVALID)?;
        if words.len() < 6 || words.len() % 2 == 1 {
            return Err(INVALID);
        }
        let (mut name, mut sequence, mut letter) = (None, None, None);
        for pair in words.chunks_exact(2) {
            let value = &pair[1];
            match pair[0].to_ascii_lowercase().as_slice() {
                b"file" if value.contains(&b'/') => {
                    return Err("File can't be a path, just a filename");
                }
                b"file" => name = Some(value.clone()),
                b"seq" => sequence = std::str::from_utf8(value).ok(),
                b"type" => letter = value.first().copied(),
                _ => {}
            }
        }
        let sequence = sequence.and_then(|text| text.parse::<u64>().ok());
        // The next one must have a number, too.
        let sequence = sequence.filter(|number| (1..u64::MAX / 2).contains(number));
        let kind = Kind::of_letter(letter.ok_or(INVALID)?);
        Ok(FileInfo {
            name: name.filter(|name| !name.is_empty()).ok_or(INVALID)?,
            sequence: sequence.ok_or(INVALID)?,
            kind: kind.ok_or("Unknown AOF file type")?,
        })
    }
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// It is not one, or contradicts itself.
    pub fn parse(text: &[u8]) -> Result<Manifest, ManifestError> {
        let mut manifest = Manifest::default();
        if text.is_empty() {
            return Err(ManifestError {
                line: None,
                reason: "Found an empty AOF manifest",
            });
        }
        for (index, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
            if line[0] == b'#' {
                continue;
            }
            let trimmed = line.trim_ascii();
            let wrong = |reason| ManifestError {
                line: Some((index + 1, String::from_utf8_lossy(trimmed).into_owned())),
                reason,
            };
            // The last line too has to end, or it may have been cut off.
            if line.len() > LONGEST_LINE || !line.ends_with(b"\n") {
                return Err(wrong("The AOF manifest file contains too long line"));
            }
            let file = FileInfo::parse(trimmed).map_err(wrong)?;
            manifest.add(file).map_err(wrong)?;
        }
        Ok(manifest)
    }

    fn add(&mut self, file: FileInfo) -> Result<(), &'static str> {
        match file.kind {
            Kind::Base if self.base.is_some() => {
                return Err("Found duplicate base file information");
            }
            Kind::Base => {
                self.last_base = file.sequence;
                self.base = Some(file);
            }
            Kind::History => self.history.push(file),
            Kind::Increment if file.sequence <= self.last_increment => {
                return Err("Found a non-monotonic sequence number");
            }
            Kind::Increment => {
                self.last_increment = file.sequence;
                self.increments.push(file);
            }
        }
        Ok(())
    }

    /// The manifest as it is written.
    pub fn to_bytes(&self) -> Vec<u8> {
        let files = self
            .base
            .iter()
            .chain(&self.history)
            .chain(&self.increments);
        files.flat_map(FileInfo::line).collect()
    }

    /// The files that hold the data, in the order in which they are read.
    pub fn files(&self) -> impl DoubleEndedIterator<Item = &FileInfo> {
        self.base.iter().chain(&self.increments)
    }

    /// All files that are named, those that are to be removed too.
    pub fn all_files(&self) -> impl Iterator<Item = &FileInfo> {
        self.files().chain(&self.history)
    }

    /// The base.
    pub fn base(&self) -> Option<&FileInfo> {
        self.base.as_ref()
    }

    /// The increment that is written now, or was when the server ended.
    pub fn last_increment(&self) -> Option<&FileInfo> {
        self.increments.last()
    }

    /// Adds a new increment to the end. `prefix` is `appendfilename`.
    pub fn add_increment(&mut self, prefix: &str) -> &FileInfo {
        self.last_increment += 1;
        self.list_skipped_increment(prefix)
    }

    /// Gives away the number of the next increment, which is not listed.
    pub fn skip_increment(&mut self) {
        self.last_increment += 1;
    }

    /// Adds the increment whose number was given away last to the end.
    pub fn list_skipped_increment(&mut self, prefix: &str) -> &FileInfo {
        self.increments.push(FileInfo {
            name: self.increment_name(prefix).into_bytes(),
            sequence: self.last_increment,
            kind: Kind::Increment,
        });
        self.increments.last().expect("it was just added")
    }

    /// The name of the increment whose number was given away last.
    pub fn increment_name(&self, prefix: &str) -> String {
        format!("{prefix}.{}.incr.aof", self.last_increment)
    }

    /// Gives away the number of the next base, which is not listed.
    pub fn skip_base(&mut self) {
        self.last_base += 1;
    }

    /// The name of the base whose number was given away last.
    pub fn base_name(&self, prefix: &str, is_rdb: bool) -> String {
        let format = if is_rdb { "rdb" } else { "aof" };
        format!("{prefix}.{}.base.{format}", self.last_base)
    }

    /// Puts the base whose number was given away last into the place of the old one, which becomes history, and of all
    /// increments but the last `newer`, which hold what came after the moment of the base.
    pub fn replace_base(&mut self, prefix: &str, is_rdb: bool, newer: usize) -> &FileInfo {
        let older = self.increments.len().saturating_sub(newer);
        let replaced = self
            .base
            .take()
            .into_iter()
            .chain(self.increments.drain(..older));
        let replaced = replaced.map(|file| FileInfo {
            kind: Kind::History,
            ..file
        });
        self.history.extend(replaced);
        self.base.insert(FileInfo {
            name: self.base_name(prefix, is_rdb).into_bytes(),
            sequence: self.last_base,
            kind: Kind::Base,
        })
    }

    /// Makes an append-only file of the old form, which was a single file, the base.
    pub fn adopt(&mut self, name: &str) {
        self.last_base = 1;
        self.base = Some(FileInfo {
            name: name.as_bytes().to_vec(),
            sequence: 1,
            kind: Kind::Base,
        });
    }

    /// Takes out the files that are to be removed.
    pub fn take_history(&mut self) -> Vec<FileInfo> {
        std::mem::take(&mut self.history)
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n*** FATAL AOF MANIFEST FILE ERROR ***")?;
        if let Some((number, line)) = &self.line {
            writeln!(f, "Reading the manifest file, at line {number}")?;
            writeln!(f, ">>> '{line}'")?;
        }
        f.write_str(self.reason)
    }
}

impl std::error::Error for ManifestError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// As redis-server 7 writes it while a rewrite is under way.
    const TEXT: &str = "file appendonly.aof.2.base.rdb seq 2 type b\n\
        file appendonly.aof.1.base.rdb seq 1 type h\n\
        file appendonly.aof.2.incr.aof seq 2 type h\n\
        file appendonly.aof.3.incr.aof seq 3 type i\n\
        file appendonly.aof.4.incr.aof seq 4 type i\n";

    fn names(manifest: &Manifest) -> Vec<String> {
        let name = |file: &FileInfo| String::from_utf8(file.name.clone()).unwrap();
        manifest.files().map(name).collect()
    }

    #[test]
    fn a_manifest_is_read_and_written() {
        let manifest = Manifest::parse(TEXT.as_bytes()).unwrap();
        assert_eq!(
            names(&manifest),
            [
                "appendonly.aof.2.base.rdb",
                "appendonly.aof.3.incr.aof",
                "appendonly.aof.4.incr.aof"
            ]
        );
        assert_eq!(manifest.to_bytes(), TEXT.as_bytes());
    }

    /// Other orders, spellings, comments, words of later versions (Redis 8 adds offsets).
    #[test]
    fn what_other_servers_write_is_read() {
        let text = "# a comment, in which anything may stand \"\n\
            TYPE i seq 7 FILE \"a \\xff.incr\" startoffset 5\r\n";
        let manifest = Manifest::parse(text.as_bytes()).unwrap();
        let file = manifest.last_increment().unwrap();
        assert_eq!((&file.name[..], file.sequence), (&b"a \xff.incr"[..], 7));
        assert_eq!(manifest.to_bytes(), b"file \"a \\xff.incr\" seq 7 type i\n");
        // Another name for the last one, and no number is given twice.
        let mut manifest = manifest;
        assert_eq!(manifest.add_increment("a").name, b"a.8.incr.aof");
    }

    /// The words of redis-server 7.
    #[test]
    fn faults_are_told() {
        let invalid = "Invalid AOF manifest file format";
        let long = format!("file {} seq 1 type b\n", "x".repeat(LONGEST_LINE));
        for (text, reason) in [
            ("", "Found an empty AOF manifest"),
            ("\n", invalid),
            ("file a seq 1\n", invalid),
            ("file a seq 1 type\n", invalid),
            ("file a seq 0 type b\n", invalid),
            ("file a seq x type b\n", invalid),
            ("file a seq 18446744073709551615 type i\n", invalid),
            ("file \"\" seq 1 type b\n", invalid),
            ("file \"a seq 1 type b\n", invalid),
            ("name a seq 1 type b\n", invalid),
            (
                "file ../a seq 1 type b\n",
                "File can't be a path, just a filename",
            ),
            ("file a seq 1 type x\n", "Unknown AOF file type"),
            (
                "file a seq 1 type b",
                "The AOF manifest file contains too long line",
            ),
            (&long, "The AOF manifest file contains too long line"),
            (
                "file a seq 1 type b\nfile b seq 2 type b\n",
                "Found duplicate base file information",
            ),
            (
                "file a seq 2 type i\nfile b seq 2 type i\n",
                "Found a non-monotonic sequence number",
            ),
        ] {
            let error = Manifest::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.reason, reason, "{text}");
        }
        let error = Manifest::parse(b"# x\nfile a seq 1 type x\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "\n*** FATAL AOF MANIFEST FILE ERROR ***\nReading the manifest file, at line 2\n\
             >>> 'file a seq 1 type x'\nUnknown AOF file type"
        );
    }

    /// The life of an append-only file: the names are those of redis-server 7.
    #[test]
    fn a_rewrite_replaces_what_came_before_its_moment() {
        let mut manifest = Manifest::default();
        manifest.skip_base();
        assert_eq!(
            manifest.replace_base("a", true, 0).name,
            b"a.1.base.rdb".to_vec()
        );
        assert_eq!(manifest.add_increment("a").name, b"a.1.incr.aof");
        // A rewrite begins: what comes now is not in its base.
        assert_eq!(manifest.add_increment("a").name, b"a.2.incr.aof");
        manifest.skip_base();
        assert_eq!(manifest.replace_base("a", false, 1).name, b"a.2.base.aof");
        let text = "file a.2.base.aof seq 2 type b\nfile a.1.base.rdb seq 1 type h\n\
            file a.1.incr.aof seq 1 type h\nfile a.2.incr.aof seq 2 type i\n";
        assert_eq!(String::from_utf8(manifest.to_bytes()).unwrap(), text);
        assert_eq!(manifest.take_history().len(), 2);
        assert_eq!(names(&manifest), ["a.2.base.aof", "a.2.incr.aof"]);
    }
}
