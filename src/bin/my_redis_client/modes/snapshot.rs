//! A snapshot of the server's data, as replicas get it: asking for it, and its bytes. A line says how it
//! [ends](my_redis_server::resp::snapshot_end). Line ends may come before that, as signs of life while the server makes
//! the snapshot. After it comes the stream of changes.

use crate::connection::{Connection, Failure};
use crate::modes::info::human_bytes;
use crate::session::{Failed, Session};
use crate::terminal::{self, PROGRESS_PAUSE, complain};
use my_redis_server::resp::decoder::Value;
use my_redis_server::resp::snapshot_end::{SnapshotBytes, SnapshotEnd as End};
use std::io::{self, BufRead, Read, Write};
use std::time::Instant;

/// The longest line before a snapshot: the error of a server that refuses to send one.
const MAX_LINE: u64 = 64 * 1024;

/// Why a snapshot has not arrived.
pub enum CopyError {
    /// The connection has ended.
    Read,
    /// A signal has ended the wait.
    Interrupted,
    /// The bytes could not be written.
    Write(io::Error),
}

/// Tells the server what this replica can do. The result is whether the server takes it.
pub fn announce(session: &mut Session, name: &str, value: &str) -> Result<bool, Failed> {
    complain!("sending REPLCONF {name} {value}");
    match session.call(&[b"REPLCONF".into(), name.into(), value.into()])? {
        Value::Error(text) => {
            complain!("REPLCONF {name} error: {}", String::from_utf8_lossy(&text));
            Ok(false)
        }
        _ => Ok(true),
    }
}

/// Asks for the snapshot by SYNC, and reads how it will end.
pub fn request(session: &mut Session) -> Result<End, Failed> {
    if session.send(&[b"SYNC".to_vec()]).is_err() {
        complain!("Error writing to master");
        return Err(Failed);
    }
    read_header(session)
}

/// Reads how a snapshot ends that was asked for.
pub fn read_header(session: &mut Session) -> Result<End, Failed> {
    let line = loop {
        let line = read_line(session.connected()?).map_err(|_| {
            complain!("Error reading bulk length while SYNCing");
            Failed
        })?;
        session.show_header(&line);
        // Empty lines are signs of life, and PSYNC has a line of its own before the snapshot.
        if !line.is_empty() && !line.starts_with(b"+") {
            break line;
        }
    };
    if line.starts_with(b"-") {
        complain!(
            "SYNC with master failed: {}",
            String::from_utf8_lossy(&line)
        );
        return Err(Failed);
    }
    // redis-cli takes any other line for a length of 0; we refuse it, because an empty file would take the place of a
    // good one.
    End::parse(&line).ok_or_else(|| {
        complain!(
            "What the server has sent is no snapshot: {}",
            String::from_utf8_lossy(&line)
        );
        Failed
    })
}

fn read_line(connection: &mut Connection) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    connection.take(MAX_LINE).read_until(b'\n', &mut line)?;
    if !line.ends_with(b"\n") {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    Ok(line.strip_suffix(b"\r").unwrap_or(line).to_vec())
}

/// Copies the bytes of a snapshot, without the mark at its end, and shows how far it is. The result is their number.
/// What follows the snapshot is left to the next reader.
pub fn copy(source: &mut impl BufRead, end: End, sink: &mut impl Write) -> Result<u64, CopyError> {
    let mut progress = Progress::new(end);
    let copied = copy_bytes(source, SnapshotBytes::new(end), sink, &mut progress);
    terminal::show_progress("");
    copied
}

fn copy_bytes(
    source: &mut impl BufRead,
    mut snapshot: SnapshotBytes,
    sink: &mut impl Write,
    progress: &mut Progress,
) -> Result<u64, CopyError> {
    let mut copied = 0;
    let mut piece = Vec::new();
    while !snapshot.is_whole() {
        let taken = snapshot.take(some_bytes(source)?, &mut piece);
        source.consume(taken);
        sink.write_all(&piece).map_err(CopyError::Write)?;
        copied += piece.len() as u64;
        piece.clear();
        progress.show(copied);
    }
    Ok(copied)
}

/// The bytes that have come, at least one.
fn some_bytes(source: &mut impl BufRead) -> Result<&[u8], CopyError> {
    match source.fill_buf() {
        Ok([]) => Err(CopyError::Read),
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(match Failure::from(error) {
            Failure::Interrupted => CopyError::Interrupted,
            _ => CopyError::Read,
        }),
    }
}

/// How far a copy is.
struct Progress {
    total: Option<u64>,
    shown: Instant,
}

impl Progress {
    fn new(end: End) -> Progress {
        let total = match end {
            End::After(length) => Some(length),
            End::Mark(_) => None,
        };
        Progress {
            total,
            shown: Instant::now(),
        }
    }

    fn show(&mut self, copied: u64) {
        if self.shown.elapsed() < PROGRESS_PAUSE {
            return;
        }
        self.shown = Instant::now();
        let copied = human_bytes(copied);
        match self.total {
            Some(total) => terminal::show_progress(&format!("{copied} of {}", human_bytes(total))),
            None => terminal::show_progress(&copied),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    #[test]
    fn what_follows_a_snapshot_is_left_to_the_next_reader() {
        for capacity in [1, 7, 1000] {
            let mut source = BufReader::with_capacity(capacity, &b"REDIS*1\r\n"[..]);
            let mut sink = Vec::new();
            let copied = copy(&mut source, End::After(5), &mut sink).ok();
            assert_eq!((copied, sink.as_slice()), (Some(5), &b"REDIS"[..]));
            let mut left = Vec::new();
            source.read_to_end(&mut left).unwrap();
            assert_eq!(left, b"*1\r\n");
        }
    }

    #[test]
    fn a_snapshot_that_breaks_off_is_told() {
        let cut = copy(&mut &b"RED"[..], End::After(5), &mut Vec::new());
        assert!(matches!(cut, Err(CopyError::Read)));
    }
}
