//! The folder of an append-only file: the order of the operations by which files come into it and go.
//!
//! ```text
//! a new increment             create it, fsync the folder; then the manifest
//! the manifest                write temp-<name>, fsync it, rename it, fsync the folder
//! an increment of a new base  create temp-<name>, fsync the folder; when the base is there, rename it, fsync the
//!                             folder; then the manifest
//! a new base                  rdb/file.rs replaces it as a whole; then the manifest, which has the old files as
//!                             history; then these are removed; then the manifest without them
//! ```
//!
//! # Invariants
//! 1. After a crash or a power cut at any point, the folder holds the old manifest or the new one, and the files that
//!    it names.
//! 2. An increment is complete and on the disk before the manifest names the next one: the caller syncs it.
//! 3. If the last step of replacing the manifest fails, it is not known which manifest a power cut would leave. Both
//!    are right: the files of the old one are still there, and go on being written. No number is given twice, so that
//!    no later file takes the name of one that is perhaps listed.
//!
//! One thread at a time uses a folder.

use super::increment::Increment;
use super::manifest::{FileInfo, Manifest, ManifestError};
use crate::util::disk::{Disk, failed};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the names of files begin with that are not complete.
const TEMPORARY: &str = "temp-";

/// The folder of an append-only file.
#[derive(Debug)]
pub struct Folder {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// `appendfilename`: what the names of all files begin with.
    prefix: String,
    manifest: Manifest,
    /// The increment that was prepared last.
    prepared: Option<PathBuf>,
    /// Files that were made and are not listed: they are removed when a later manifest is in place that does not list
    /// them either.
    unlisted: Vec<PathBuf>,
}

/// Why a folder cannot be read.
#[derive(Debug)]
pub enum FolderError {
    /// What the manifest says is wrong.
    Manifest(ManifestError),
    /// There is no manifest that names this increment, which holds data.
    NoManifest(PathBuf),
    /// The system could not read it.
    Io(io::Error),
}

impl Folder {
    /// The folder at this path, which need not exist. Nothing is read yet.
    pub fn new(disk: Arc<dyn Disk>, path: PathBuf, prefix: &str) -> Folder {
        Folder {
            disk,
            path,
            prefix: prefix.to_string(),
            manifest: Manifest::default(),
            prepared: None,
            unlisted: Vec::new(),
        }
    }

    /// The disk that it is on.
    pub fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The files that belong to it.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The path of one of them.
    pub fn path_of(&self, file: &FileInfo) -> PathBuf {
        self.path.join(file.path())
    }

    /// Bytes of the files that hold the data.
    pub fn bytes(&self) -> u64 {
        self.manifest.files().map(|file| self.bytes_of(file)).sum()
    }

    /// Bytes of one of the files; 0 if it is not there.
    pub fn bytes_of(&self, file: &FileInfo) -> u64 {
        fs::metadata(self.path_of(file)).map_or(0, |metadata| metadata.len())
    }

    fn manifest_name(&self) -> String {
        format!("{}.manifest", self.prefix)
    }

    /// Reads the manifest; `false` if there is none.
    ///
    /// # Errors
    /// It cannot be read; or it is missing, although there is an increment with data.
    pub fn read(&mut self) -> Result<bool, FolderError> {
        let path = self.path.join(self.manifest_name());
        match fs::read(&path) {
            Ok(text) => self.manifest = Manifest::parse(&text).map_err(FolderError::Manifest)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let unnamed = self.unnamed_increment().map_err(FolderError::Io)?;
                return match unnamed {
                    None => Ok(false),
                    Some(increment) => Err(FolderError::NoManifest(increment)),
                };
            }
            Err(error) => return Err(FolderError::Io(failed("read", &path, error))),
        }
        Ok(true)
    }

    /// An increment with data, if there is one. A server that is killed when it makes its first files leaves none.
    fn unnamed_increment(&self) -> io::Result<Option<PathBuf>> {
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", &self.path, error)),
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let is_increment =
                name.starts_with(&format!("{}.", self.prefix)) && name.ends_with(".incr.aof");
            if is_increment && entry.metadata()?.len() > 0 {
                return Ok(Some(entry.path()));
            }
        }
        Ok(None)
    }

    /// Creates the folder, if it is not there.
    pub fn create(&self) -> io::Result<()> {
        let created = self.disk.create_directory(&self.path);
        created.map_err(|error| failed("create", &self.path, error))?;
        self.sync(self.path.parent().unwrap_or(&self.path))
    }

    /// Whether `old`, an append-only file of the form before Redis 7, has to be moved into the folder. Called after
    /// [`read`](Self::read), which has found a manifest or not.
    pub fn may_adopt(&self, old: &Path, has_manifest: bool) -> bool {
        let is_half_done = || {
            let mut files = self.manifest.files();
            files.next().is_some_and(|file| {
                file.name == self.prefix.as_bytes() && !self.path_of(file).exists()
            }) && files.next().is_none()
        };
        old.is_file() && (!has_manifest || is_half_done())
    }

    /// A file of the form before Redis 7 in this directory, as if it had been moved into a folder. It is only read.
    pub fn of_old_form(disk: Arc<dyn Disk>, directory: PathBuf, prefix: &str) -> Folder {
        let mut folder = Folder::new(disk, directory, prefix);
        folder.manifest.adopt(prefix);
        folder
    }

    /// Moves `old` into the folder, where it is the base.
    pub fn adopt(&mut self, old: &Path) -> io::Result<()> {
        self.create()?;
        let mut manifest = Manifest::default();
        manifest.adopt(&self.prefix);
        self.replace_manifest(manifest)?;
        let renamed = self.disk.rename(old, &self.path.join(&self.prefix));
        renamed.map_err(|error| failed("rename", old, error))?;
        self.sync(&self.path)
    }

    /// Removes what servers have left that were killed while they wrote a base or a manifest.
    pub fn remove_temporaries(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let is_temporary = entry
                .file_name()
                .as_encoded_bytes()
                .starts_with(TEMPORARY.as_bytes());
            if is_temporary && entry.file_type()?.is_file() {
                self.disk.remove(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Opens the last increment to write on, or a new one if there is none.
    pub fn open_increment(&mut self) -> io::Result<Increment> {
        let Some(last) = self.manifest.last_increment() else {
            return self.begin_increment();
        };
        let path = self.path_of(last);
        let opened = self.disk.open_to_append(&path);
        let file = opened.map_err(|error| failed("open", &path, error))?;
        let len = self.bytes_of(last);
        Ok(Increment::new(self.disk.clone(), file, len))
    }

    /// Creates an increment, which the manifest names from now on. The one before must be on the disk.
    pub fn begin_increment(&mut self) -> io::Result<Increment> {
        let mut manifest = self.manifest.clone();
        let name = manifest.add_increment(&self.prefix).path().to_path_buf();
        self.manifest.skip_increment();
        let path = self.path.join(name);
        self.unlisted.push(path.clone());
        let increment = self.create_increment(&path)?;
        self.replace_manifest(manifest)?;
        Ok(increment)
    }

    /// Creates an increment that has no name before [`begin_anew`](Self::begin_anew): it is worth nothing without the
    /// base that is still to be written.
    pub fn prepare_increment(&mut self) -> io::Result<Increment> {
        self.manifest.skip_increment();
        let name = self.manifest.increment_name(&self.prefix);
        let path = self.path.join(format!("{TEMPORARY}{name}"));
        self.unlisted.extend(self.prepared.replace(path.clone()));
        self.create_increment(&path)
    }

    /// What was prepared is of no use any more.
    pub fn abandon_prepared(&mut self) {
        if let Some(path) = self.prepared.take() {
            // If it stays, it is removed at the next start.
            let _ = self.disk.remove(&path);
        }
    }

    fn create_increment(&self, path: &Path) -> io::Result<Increment> {
        let created = self.disk.create(path);
        let file = created.map_err(|error| failed("create", path, error))?;
        self.sync(&self.path)?;
        Ok(Increment::new(self.disk.clone(), file, 0))
    }

    /// Where the next base is to be written. It takes effect by [`replace_base`](Self::replace_base) or
    /// [`begin_anew`](Self::begin_anew). Each call gives another path.
    pub fn next_base(&mut self, is_rdb: bool) -> PathBuf {
        self.manifest.skip_base();
        let path = self
            .path
            .join(self.manifest.base_name(&self.prefix, is_rdb));
        self.unlisted.push(path.clone());
        path
    }

    /// Lets the base that was written last replace the one before, and all increments but the last.
    pub fn replace_base(&mut self, is_rdb: bool) -> io::Result<()> {
        let mut manifest = self.manifest.clone();
        manifest.replace_base(&self.prefix, is_rdb, 1);
        self.replace_manifest(manifest)
    }

    /// Lets the base that was written last, and the increment that was prepared last, if there is one, replace all
    /// other files.
    pub fn begin_anew(&mut self, is_rdb: bool) -> io::Result<()> {
        let mut manifest = self.manifest.clone();
        manifest.replace_base(&self.prefix, is_rdb, 0);
        if let Some(temporary) = self.prepared.take() {
            let name = manifest.list_skipped_increment(&self.prefix).path();
            let path = self.path.join(name);
            self.unlisted.push(path.clone());
            let renamed = self.disk.rename(&temporary, &path);
            renamed.map_err(|error| failed("rename", &temporary, error))?;
            self.sync(&self.path)?;
        }
        self.replace_manifest(manifest)
    }

    /// Removes the files that were replaced.
    pub fn remove_history(&mut self) -> io::Result<()> {
        let mut manifest = self.manifest.clone();
        let history = manifest.take_history();
        if history.is_empty() {
            return Ok(());
        }
        for file in history {
            let path = self.path_of(&file);
            match self.disk.remove(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failed("remove", &path, error));
                }
                _ => {}
            }
        }
        self.replace_manifest(manifest)
    }

    fn replace_manifest(&mut self, manifest: Manifest) -> io::Result<()> {
        let name = self.manifest_name();
        let path = self.path.join(&name);
        let temporary = self.path.join(format!("{TEMPORARY}{name}"));
        let written = self
            .write(&temporary, &manifest.to_bytes())
            .and_then(|()| self.disk.rename(&temporary, &path))
            .map_err(|error| failed("replace", &path, error));
        written.inspect_err(|_| {
            // The first error is returned.
            let _ = self.disk.remove(&temporary);
        })?;
        self.sync(&self.path)?;
        self.manifest = manifest;
        self.remove_unlisted();
        Ok(())
    }

    /// Removes the files that were made for a manifest that did not come into place.
    fn remove_unlisted(&mut self) {
        let listed: Vec<PathBuf> = self
            .manifest
            .all_files()
            .map(|file| self.path_of(file))
            .collect();
        for path in std::mem::take(&mut self.unlisted) {
            if !listed.contains(&path) {
                // Usually it is not there.
                let _ = self.disk.remove(&path);
            }
        }
    }

    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let file = self.disk.create(path)?;
        Output(&*self.disk, &file).write_all(content)?;
        self.disk.sync(&file)
    }

    fn sync(&self, folder: &Path) -> io::Result<()> {
        let synced = self
            .disk
            .open(folder)
            .and_then(|directory| self.disk.sync_directory(&directory));
        synced.map_err(|error| failed("fsync", folder, error))
    }
}

/// A file that is written through the disk.
struct Output<'a>(&'a dyn Disk, &'a File);

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(self.1, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Display for FolderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FolderError::Manifest(error) => error.fmt(f),
            FolderError::NoManifest(increment) => write!(
                f,
                "There is no manifest beside {}: bring it back, or move the files away",
                increment.display()
            ),
            FolderError::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FolderError {}
