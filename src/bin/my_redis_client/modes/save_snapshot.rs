//! `--rdb FILE` and `--functions-rdb FILE`: fetches a snapshot of the server's data, or of its functions alone.

use super::snapshot::{self, CopyError, announce};
use super::snapshot_sink::{SnapshotSink, is_stream};
use crate::interrupt::{self, Interrupt};
use crate::session::{Failed, Session};
use crate::terminal::complain;
use my_redis_server::resp::snapshot_end::SnapshotEnd as End;
use my_redis_server::util::system_message;
use std::io::{self, ErrorKind};
use std::sync::Arc;

/// What is fetched.
#[derive(Clone, Copy, PartialEq)]
pub enum Content {
    /// Keys and functions.
    Everything,
    /// Functions alone.
    Functions,
}

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
    let mut sink = SnapshotSink::open(&path).map_err(|error| {
        complain!("Error opening '{name}': {}", system_message(&error));
        Failed
    })?;
    let copied = snapshot::copy(connection, end, &mut sink);
    if let (Err(CopyError::Interrupted), Some(interrupt)) = (&copied, interrupt) {
        drop(sink);
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
    sink.finish(&path).map_err(|error| {
        tell(&format!("Fail to fsync '{name}'"), &error);
        Failed
    })?;
    match end {
        End::After(_) => complain!("Transfer finished with success."),
        End::Mark(_) => complain!("Transfer finished with success after {copied} bytes"),
    }
    Ok(())
}

/// Tells why the sink does not take the bytes.
fn tell(what: &str, error: &io::Error) {
    match error.kind() {
        ErrorKind::InvalidData => {
            complain!("What the server has sent is no snapshot: it does not begin with REDIS.");
        }
        _ => complain!("{what}: {}", system_message(error)),
    }
}
