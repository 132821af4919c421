//! Receives the snapshot of a primary, and loads it.
//!
//! ```text
//! $<bytes>\r\n <RDB file>                        its length is known
//! $EOF:<mark of 40 bytes>\r\n <RDB file> <mark>  it is not: nothing follows until the replica acknowledges
//! ```
//!
//! It goes into a file without a name. Only when it is there as a whole, and has been read to its end without a fault,
//! are the old data dropped. In Redis a snapshot with a fault costs the data.

use super::follower::Follower;
use crate::rdb::verify::verify;
use crate::server::loader::{self, Stop};
use crate::server::replace::replace_data;
use crate::state::append_only::Mode;
use crate::util::clock;
use std::fs::File;
use std::io::{self, BufRead, Seek, Write};
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

/// Digits of the mark.
const MARK_DIGITS: usize = 40;

/// Receives the snapshot of the stream of this id at this offset, and replaces all data by it.
///
/// # Errors
/// The connection is lost, or the snapshot is not sound: the data are as they were.
pub fn receive(link: &mut Follower<'_>, id: &str, offset: u64) -> io::Result<()> {
    let header = link.line()?;
    let mut file = tempfile::tempfile_in(Path::new("."))?;
    let log = &link.engine.log;
    if let Some(mark) = header.strip_prefix("$EOF:") {
        if mark.len() != MARK_DIGITS {
            return Err(bad(&header));
        }
        log.notice("MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF to disk");
        receive_until(link, mark.as_bytes(), &mut file)?;
    } else {
        let len = header.strip_prefix('$').and_then(|len| len.parse().ok());
        let len = len.ok_or_else(|| bad(&header))?;
        log.notice(format_args!(
            "MASTER <-> REPLICA sync: receiving {len} bytes from master to disk"
        ));
        receive_bytes(link, len, &mut file)?;
    }
    check(&mut file)?;
    load(link, file, id, offset)
}

fn receive_bytes(link: &mut Follower<'_>, len: u64, file: &mut File) -> io::Result<()> {
    let engine = link.engine;
    let figures = &engine.replication.link.figures;
    figures.total_bytes.store(len, Relaxed);
    figures.read_bytes.store(0, Relaxed);
    let mut left = len;
    while left > 0 {
        let there = (link.fill()? as u64).min(left) as usize;
        file.write_all(&link.input.buffer()[..there])?;
        link.input.consume(there);
        left -= there as u64;
        figures.read_bytes.store(len - left, Relaxed);
    }
    Ok(())
}

fn receive_until(link: &mut Follower<'_>, mark: &[u8], file: &mut File) -> io::Result<()> {
    let engine = link.engine;
    let figures = &engine.replication.link.figures;
    figures.total_bytes.store(0, Relaxed);
    let mut received: u64 = 0;
    // The last bytes that were received, as many as the mark has.
    let mut tail = Vec::new();
    while tail != mark {
        let there = link.fill()?;
        let bytes = link.input.buffer();
        file.write_all(bytes)?;
        tail.extend_from_slice(&bytes[bytes.len().saturating_sub(mark.len())..]);
        tail.drain(..tail.len().saturating_sub(mark.len()));
        link.input.consume(there);
        received += there as u64;
        figures.read_bytes.store(received, Relaxed);
    }
    file.set_len(received - mark.len() as u64)
}

/// Reads the file to its end.
fn check(file: &mut File) -> io::Result<()> {
    file.rewind()?;
    let checked = verify(&*file).map_err(|error| {
        in_vain(format!(
            "Failed trying to load the MASTER synchronization DB: {error}"
        ))
    });
    checked?;
    file.rewind()
}

/// Replaces all data by those of the file. The append-only file begins anew with them.
fn load(link: &mut Follower<'_>, file: File, id: &str, offset: u64) -> io::Result<()> {
    let engine = link.engine;
    let replication = &engine.replication;
    // No other primary is set meanwhile.
    let _applying = replication.applying();
    if !replication.link.is_current(link.number) {
        return Err(io::Error::other("another master has been set"));
    }
    let rewrites = &engine.append_only.rewrites;
    let has_file = engine.append_only.mode() != Mode::Off;
    if has_file {
        rewrites.turn(false, true);
    }
    engine
        .log
        .notice("MASTER <-> REPLICA sync: Loading DB in memory");
    // Sub-replicas have to follow.
    replication.disconnect_replicas();
    let loaded = replace_data(engine, || {
        match loader::load_file(engine, file, NONE_EXPIRED) {
            Ok(_) => Ok(()),
            Err(Stop::Fault(reason)) => Err(reason),
            Err(Stop::Shutdown | Stop::InserterEnded) => Err("the server ends".to_string()),
        }
    });
    if loaded.is_ok() {
        replication.join_stream(id, offset);
        engine.saves.record_loaded(engine.keyspace.changes());
    }
    if has_file {
        rewrites.turn(true, false);
    }
    replication.link.figures.note_heard(clock::unix_ms());
    loaded.map_err(in_vain)
}

/// Keys that have expired are kept: the primary tells when they are gone.
const NONE_EXPIRED: i64 = i64::MIN;

/// The snapshot has come, and cannot be used.
fn in_vain(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

fn bad(header: &str) -> io::Error {
    io::Error::other(format!(
        "Bad protocol from MASTER, the first byte is not '$' (we received '{header}'), are you sure the host and port \
         are right?"
    ))
}
