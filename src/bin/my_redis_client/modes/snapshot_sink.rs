//! Where a snapshot is written: a file, or a stream such as the standard output.
//!
//! The bytes go into a new file beside the wanted one, which replaces it when it is whole and on the disk: a transfer
//! that breaks off costs nothing, and neither do bytes that are no snapshot. redis-cli writes into the file itself, and
//! takes all bytes for a snapshot.

use rustix::io::Errno;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::NamedTempFile;

/// The rights of the file, as far as the user's umask lets them.
const MODE: u32 = 0o644;

/// What a snapshot begins with: that of Redis, and that of Valkey 9 and later.
const MAGICS: [&[u8]; 2] = [b"REDIS", b"VALKEY"];

/// Takes the bytes of a snapshot. To other bytes it says [`ErrorKind::InvalidData`].
pub struct SnapshotSink {
    place: Place,
    /// The first bytes, as many as tell whether it is a snapshot.
    start: Vec<u8>,
}

/// Where the bytes go.
enum Place {
    /// The standard output, or a file that is none, such as a pipe or `/dev/null`.
    Stream(Box<dyn Write>),
    /// A file that takes its name at the end.
    File(NamedTempFile),
}

impl SnapshotSink {
    /// Opens the place that the path names; `-` is the standard output.
    pub fn open(path: &Path) -> io::Result<SnapshotSink> {
        Ok(SnapshotSink {
            place: Place::open(path)?,
            start: Vec::new(),
        })
    }

    /// Has the snapshot, which is whole, under the path that was opened.
    pub fn finish(self, path: &Path) -> io::Result<()> {
        if !MAGICS.iter().any(|magic| self.start.starts_with(magic)) {
            return Err(ErrorKind::InvalidData.into());
        }
        self.place.finish(path)
    }
}

impl Write for SnapshotSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let is_start = |magic: &&[u8]| {
            let seen = self.start.iter().chain(bytes);
            magic.iter().zip(seen).all(|(one, other)| one == other)
        };
        let Some(magic) = MAGICS.iter().find(|magic| is_start(magic)) else {
            return Err(ErrorKind::InvalidData.into());
        };
        let written = self.place.write(bytes)?;
        let missing = magic.len().saturating_sub(self.start.len());
        self.start.extend(bytes[..written].iter().take(missing));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Place {
    fn open(path: &Path) -> io::Result<Place> {
        if path == Path::new("-") {
            return Ok(Place::Stream(Box::new(io::stdout().lock())));
        }
        // Only the name that the file takes at the end would be refused, when the snapshot is already here.
        if path == Path::new("") {
            return Err(Errno::NOENT.into());
        }
        if is_stream(path) {
            let file = OpenOptions::new().write(true).open(path)?;
            return Ok(Place::Stream(Box::new(file)));
        }
        let mut builder = tempfile::Builder::new();
        builder.permissions(Permissions::from_mode(MODE));
        let file = builder.tempfile_in(folder_of(path))?;
        Ok(Place::File(file))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Place::Stream(stream) => stream.write(bytes),
            Place::File(file) => file.write(bytes),
        }
    }

    fn finish(self, path: &Path) -> io::Result<()> {
        match self {
            Place::Stream(mut stream) => stream.flush(),
            Place::File(file) => {
                file.as_file().sync_all()?;
                file.persist(path).map_err(|failure| failure.error)?;
                // The name is on the disk when its folder is.
                File::open(folder_of(path))?.sync_all()
            }
        }
    }
}

/// Whether the path names the standard output, or a file that is none, such as a pipe or `/dev/null`.
pub fn is_stream(path: &Path) -> bool {
    path == Path::new("-") || path.metadata().is_ok_and(|metadata| !metadata.is_file())
}

/// The folder that a file lies in.
fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    folder.unwrap_or(Path::new("."))
}
