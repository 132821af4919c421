//! `--rdb FILE` and `--functions-rdb FILE`: fetches a snapshot of the server's data, or of its functions alone.
//!
//! The bytes go into a new file beside the wanted one, which replaces it when it is whole and on the disk: a transfer
//! that breaks off costs nothing, and neither do bytes that are no snapshot. redis-cli writes into the file itself, and
//! takes all bytes for a snapshot.

use super::snapshot::{self, CopyError, announce};
use crate::interrupt::{self, Interrupt};
use crate::session::{Failed, Session};
use crate::terminal::complain;
use my_redis_server::resp::snapshot_end::SnapshotEnd as End;
use my_redis_server::util::system_message;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use tempfile::NamedTempFile;

/// What is fetched.
#[derive(Clone, Copy, PartialEq)]
pub enum Content {
    /// Keys and functions.
    Everything,
    /// Functions alone.
    Functions,
}

/// The rights of the file, as far as the user's umask lets them.
const MODE: u32 = 0o644;

/// What a snapshot begins with: that of Redis, and that of Valkey 9 and later.
const MAGICS: [&[u8]; 2] = [b"REDIS", b"VALKEY"];

/// Fetches the snapshot.
pub fn fetch(session: &mut Session, content: Content) -> Result<(), Failed> {
    announce(session, "capa", "eof")?;
    announce(session, "rdb-only", "1")?;
    let filters = content == Content::Functions;
    if filters && !announce(session, "rdb-filter-only", "functions")? {
        complain!("Failed requesting functions only RDB from server, aborting");
        return Err(Failed);
    }
    let path = session.options.snapshot_file.clone();
    let name = path.display();
    let end = snapshot::request(session)?;
    match end {
        End::After(length) => complain!("SYNC sent to master, writing {length} bytes to '{name}'"),
        End::Mark(_) => {
            complain!(
                "SYNC sent to master, writing bytes of bulk transfer until EOF marker to '{name}'"
            );
        }
    }
    let connection = session.connected()?;
    // From here to the end there is a file that no signal must leave behind. Writing to a stream can wait for ever, so
    // there a signal ends the program at once.
    let interrupt = match is_stream(&path) {
        true => None,
        false => Interrupt::catch(interrupt::ENDINGS).ok().map(Arc::new),
    };
    if let Some(interrupt) = &interrupt {
        connection.heed(interrupt.clone());
    }
    let mut target = Target::open(&path).map_err(|error| {
        complain!("Error opening '{name}': {}", system_message(&error));
        Failed
    })?;
    let copied = snapshot::copy(connection, end, &mut target);
    if let (Err(CopyError::Interrupted), Some(interrupt)) = (&copied, interrupt) {
        drop(target);
        interrupt.end_program();
    }
    let copied = copied.map_err(|error| {
        match error {
            CopyError::Interrupted => {}
            CopyError::Read => complain!("I/O Error reading RDB payload from socket"),
            CopyError::Write(error) => tell("Error writing data to file", &error),
        }
        Failed
    })?;
    target.finish(&path).map_err(|error| {
        tell(&format!("Fail to fsync '{name}'"), &error);
        Failed
    })?;
    match end {
        End::After(_) => complain!("Transfer finished with success."),
        End::Mark(_) => complain!("Transfer finished with success after {copied} bytes"),
    }
    Ok(())
}

/// Tells why the target does not take the bytes.
fn tell(what: &str, error: &io::Error) {
    match error.kind() {
        ErrorKind::InvalidData => {
            complain!("What the server has sent is no snapshot: it does not begin with REDIS.");
        }
        _ => complain!("{what}: {}", system_message(error)),
    }
}

/// Takes the bytes of a snapshot. To other bytes it says [`ErrorKind::InvalidData`].
struct Target {
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

impl Target {
    fn open(path: &Path) -> io::Result<Target> {
        Ok(Target {
            place: Place::open(path)?,
            start: Vec::new(),
        })
    }

    fn finish(self, path: &Path) -> io::Result<()> {
        if !MAGICS.iter().any(|magic| self.start.starts_with(magic)) {
            return Err(ErrorKind::InvalidData.into());
        }
        self.place.finish(path)
    }
}

impl Write for Target {
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
fn is_stream(path: &Path) -> bool {
    path == Path::new("-") || path.metadata().is_ok_and(|metadata| !metadata.is_file())
}

/// The folder that a file lies in.
fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    folder.unwrap_or(Path::new("."))
}
