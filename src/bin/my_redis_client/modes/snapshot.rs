//! A snapshot of the server's data, as replicas get it: asking for it, and its bytes. A line says how it
//! [ends](my_redis_server::resp::snapshot_end). Line ends may come before that, as signs of life while the server makes
//! the snapshot. After it comes the stream of changes.

use crate::connection::{Connection, Failure};
use crate::modes::info::human_bytes;
use crate::session::{Failed, Session};
use crate::terminal::{self, PROGRESS_PAUSE, complain};
use my_redis_server::resp::decoder::Value;
use my_redis_server::resp::snapshot_end::{MARK_BYTES, SnapshotEnd as End};
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
pub fn copy(source: &mut impl BufRead, end: End, sink: &mut impl Write) -> Result<u64, CopyError> {
    let mut progress = Progress::new(end);
    let copied = match end {
        End::After(length) => copy_length(source, length, sink, &mut progress),
        End::Mark(mark) => copy_to_mark(source, &mark, sink, &mut progress),
    };
    terminal::show_progress("");
    copied
}

fn copy_length(
    source: &mut impl BufRead,
    length: u64,
    sink: &mut impl Write,
    progress: &mut Progress,
) -> Result<u64, CopyError> {
    let mut copied = 0;
    while copied < length {
        let bytes = some_bytes(source)?;
        let count = (length - copied).min(bytes.len() as u64) as usize;
        sink.write_all(&bytes[..count]).map_err(CopyError::Write)?;
        source.consume(count);
        copied += count as u64;
        progress.show(copied);
    }
    Ok(copied)
}

fn copy_to_mark(
    source: &mut impl BufRead,
    mark: &[u8; MARK_BYTES],
    sink: &mut impl Write,
    progress: &mut Progress,
) -> Result<u64, CopyError> {
    let mut copied = 0;
    // What may be the begin of the mark, which can come in pieces.
    let mut held: Vec<u8> = Vec::new();
    loop {
        let bytes = some_bytes(source)?;
        let before = held.len();
        held.extend_from_slice(bytes);
        let arrived = bytes.len();
        let found = held.windows(MARK_BYTES).position(|window| window == mark);
        let sure = found.unwrap_or(held.len().saturating_sub(MARK_BYTES - 1));
        sink.write_all(&held[..sure]).map_err(CopyError::Write)?;
        copied += sure as u64;
        progress.show(copied);
        if found.is_some() {
            // What follows the mark is left to the next reader.
            source.consume(sure + MARK_BYTES - before);
            return Ok(copied);
        }
        source.consume(arrived);
        held.drain(..sure);
    }
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

    const MARK: &[u8; MARK_BYTES] = b"0123456789012345678901234567890123456789";

    #[track_caller]
    fn check(input: &[u8], end: End, expected: &[u8], rest: &[u8]) {
        for piece in [1, 7, 39, 40, 41, 1000] {
            let mut source = BufReader::with_capacity(piece, input);
            let mut sink = Vec::new();
            let copied = copy(&mut source, end, &mut sink).ok();
            assert_eq!(copied, Some(expected.len() as u64), "in pieces of {piece}");
            assert_eq!(sink, expected);
            let mut left = Vec::new();
            source.read_to_end(&mut left).unwrap();
            assert_eq!(left, rest, "in pieces of {piece}");
        }
    }

    #[test]
    fn a_snapshot_ends_with_its_mark() {
        let input = [b"REDIS...", &MARK[..], b"*1\r\n"].concat();
        check(&input, End::Mark(*MARK), b"REDIS...", b"*1\r\n");
        // A begin of the mark within the data is data.
        let data = [&MARK[..30], b"x", &MARK[..39]].concat();
        let input = [&data[..], &MARK[..]].concat();
        let mut source = &input[..];
        let mut sink = Vec::new();
        assert!(copy(&mut source, End::Mark(*MARK), &mut sink).is_ok());
        assert_eq!(sink, data);
    }

    #[test]
    fn a_snapshot_ends_after_its_length() {
        check(b"REDIS*1\r\n", End::After(5), b"REDIS", b"*1\r\n");
        check(b"*1", End::After(0), b"", b"*1");
        let cut = copy(&mut &b"RED"[..], End::After(5), &mut Vec::new());
        assert!(matches!(cut, Err(CopyError::Read)));
    }
}
