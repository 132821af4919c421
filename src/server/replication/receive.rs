//! Receives the snapshot of a primary, and replaces all data by it. `repl-diskless-load` says how:
//!
//! - `disabled`: it goes into a file without a name. When that has arrived as a whole, and has been read to its end
//!   without a fault, the old data are dropped and the file is loaded. Meanwhile commands are refused.
//! - `swapdb`: it is loaded from the connection into a [`Spare`], which replaces the old data when it is whole.
//!   Meanwhile the old data are served if they are of the same stream. Otherwise commands are refused, as in Redis.
//! - `on-empty-db`: as `swapdb` if there are no keys, else as `disabled`.
//!
//! So a snapshot with a fault never costs the data, as it does in Redis with `disabled`.

use super::follower::PrimaryConnection;
use super::transfer::Transfer;
use crate::server::loader::{self, Destination, NONE_EXPIRED, Stop, load_into};
use crate::server::replace::replace_data;
use crate::server::spare::Spare;
use crate::state::replication::Place;
use crate::state::replication::link::DisklessLoad;
use crate::util::clock;
use std::io::{self, BufWriter, Seek, Write};
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

/// Bytes that are written to the file at once.
const PIECE_BYTES: usize = 64 * 1024;

/// Receives the snapshot of the stream of this id at this offset, and replaces all data by it.
///
/// # Errors
/// The connection is lost, or the snapshot is not sound: the data are as they were.
pub fn receive(connection: &mut PrimaryConnection<'_>, id: &str, offset: u64) -> io::Result<()> {
    let engine = connection.engine;
    let loads_beside = match engine.config.diskless_load() {
        DisklessLoad::Disabled => false,
        DisklessLoad::OnEmptyDb => engine.keyspace.is_empty(),
        DisklessLoad::SwapDb => true,
    };
    let transfer = Transfer::begin(connection)?;
    let what = match transfer.file_bytes() {
        Some(len) => format!("{len} bytes from master"),
        None => "streamed RDB from master with EOF".to_string(),
    };
    let whereto = if loads_beside { "parser" } else { "disk" };
    engine.log.notice(format_args!(
        "MASTER <-> REPLICA sync: receiving {what} to {whereto}"
    ));
    match loads_beside {
        true => load_beside(transfer, id, offset),
        false => load_from_file(transfer, id, offset),
    }
}

fn load_from_file(mut transfer: Transfer<'_, '_>, id: &str, offset: u64) -> io::Result<()> {
    let mut file = tempfile::tempfile_in(Path::new("."))?;
    // Copied in pieces as large as this buffer.
    let mut output = BufWriter::with_capacity(PIECE_BYTES, &mut file);
    let len = io::copy(&mut transfer, &mut output)?;
    output.flush()?;
    drop(output);
    file.rewind()?;
    loader::check(transfer.connection().engine, &file).map_err(in_vain)?;
    file.rewind()?;
    let engine = transfer.connection().engine;
    replace(transfer.connection(), id, offset, || {
        engine
            .log
            .notice("MASTER <-> REPLICA sync: Loading DB in memory");
        engine.loading.is_incomplete.store(true, Relaxed);
        let loaded = replace_data(engine, || {
            engine.loading.total_bytes.store(len, Relaxed);
            let loaded = load_into(engine, Destination::of(engine), file, NONE_EXPIRED);
            loaded.map(drop).map_err(reason)
        });
        engine.loading.is_incomplete.store(loaded.is_err(), Relaxed);
        loaded
    })
}

fn load_beside(mut transfer: Transfer<'_, '_>, id: &str, offset: u64) -> io::Result<()> {
    let engine = transfer.connection().engine;
    let (loading, log) = (&engine.loading, &engine.log);
    match engine.replication.identity().id == id {
        true => loading.begin_beside(),
        false => loading.begin(),
    }
    loading
        .total_bytes
        .store(transfer.file_bytes().unwrap_or(0), Relaxed);
    log.notice("MASTER <-> REPLICA sync: Loading DB in memory");
    let spare = Spare::new(engine);
    let loaded = load_whole(&spare, &mut transfer).and_then(|()| {
        log.notice("MASTER <-> REPLICA sync: Swapping active DB with loaded DB");
        replace(transfer.connection(), id, offset, || {
            spare.take_over(engine)
        })
    });
    loading.end();
    loaded
}

/// Loads the whole snapshot.
fn load_whole(spare: &Spare, transfer: &mut Transfer<'_, '_>) -> io::Result<()> {
    let loaded = spare.load(transfer.connection().engine, &mut *transfer);
    if let Some(error) = transfer.take_failure() {
        return Err(error);
    }
    let bytes = loaded.map_err(|stop| in_vain(reason(stop)))?;
    let selected = transfer.connection().engine.loading.place_facts().database;
    loader::database(transfer.connection().engine, selected as u64).map_err(in_vain)?;
    // The reader of the file reads ahead, and not to the end of the transfer.
    io::copy(transfer, &mut io::sink())?;
    match transfer.given_bytes() == bytes {
        true => Ok(()),
        false => Err(in_vain("there are bytes behind its end".to_string())),
    }
}

/// Has `replace` replace all data by those of the stream of this id at this offset. The append-only file begins anew
/// with them.
fn replace(
    connection: &PrimaryConnection<'_>,
    id: &str,
    offset: u64,
    replace: impl FnOnce() -> Result<(), String>,
) -> io::Result<()> {
    let engine = connection.engine;
    let replication = &engine.replication;
    let _applying = connection.apply()?;
    if engine.shutdown.is_under_way() {
        return Err(io::Error::other("the server ends"));
    }
    let rewrites = &engine.append_only.rewrites;
    rewrites.turn(false, true);
    // Sub-replicas have to follow.
    replication.disconnect_replicas();
    let replaced = replace();
    match &replaced {
        Ok(()) => {
            let database = engine.loading.place_facts().database;
            let place = Place {
                id: id.to_string(),
                offset,
                database,
            };
            replication.join_stream(&place);
            engine.saves.record_loaded(engine.keyspace.changes());
            rewrites.turn(engine.config.appendonly.get(), false);
        }
        // There is nothing that a stream could go on from. The append-only file stays as it was.
        Err(_) if engine.loading.is_incomplete.load(Relaxed) => {
            replication.backlog.set_active(false)
        }
        Err(_) => drop(rewrites.turn(engine.config.appendonly.get(), false)),
    }
    replication.link.figures.note_heard(clock::unix_ms());
    replaced.map_err(in_vain)
}

fn reason(stop: Stop) -> String {
    match stop {
        Stop::Fault(reason) => reason,
        Stop::Shutdown => "the server ends".to_string(),
        Stop::InserterEnded => "a thread that inserts keys has ended".to_string(),
    }
}

/// The snapshot has come, and cannot be used.
fn in_vain(reason: String) -> io::Error {
    let line = format!("Failed trying to load the MASTER synchronization DB: {reason}");
    io::Error::new(io::ErrorKind::InvalidData, line)
}
