//! The append-only file: how it is loaded, written, synced and rewritten. Its bytes are those of [`aof`](crate::aof).
//!
//! | file | what it does | thread |
//! |---|---|---|
//! | [`log_file`] | reads the change log and writes it to the increment | all that follow, and clients' threads |
//! | [`appender`] | writes and syncs all the time, unless clients' threads do it | appender, syncer |
//! | [`rewriter`] | turns the file on and off, and rewrites it | rewriter |
//! | [`base`] | writes a base | rewriter |
//! | [`replay`] | loads the files | main, at the start |
//!
//! The appender and the syncer begin when the file is first turned on.

pub mod appender;
pub mod base;
pub mod log_file;
pub mod replay;
pub mod rewriter;

use super::start::spawn;
use crate::aof::Folder;
use crate::command::execute::Engine;
use crate::keyspace::view::View;
use crate::state::append_only::Mode;
use crate::util::disk::RealDisk;
use crate::util::{clock, system_message};
use appender::Appender;
use log_file::LogFile;
use replay::Manner;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Instant;

/// Loads the files of a folder; `false` if the server was requested to stop meanwhile.
///
/// # Errors
/// The lines for the log. The server must not start.
pub fn load(engine: &Engine, folder: &Folder) -> Result<bool, String> {
    let began = Instant::now();
    if replay::load(engine, folder, Manner::default())?.is_none() {
        return Ok(false);
    }
    engine.saves.record_loaded(engine.keyspace.changes());
    engine.log.notice(format_args!(
        "DB loaded from append only file: {:.3} seconds",
        began.elapsed().as_secs_f64()
    ));
    Ok(true)
}

/// Completes the file at the end of the server: no change is acknowledged after what is in it.
pub fn finish(engine: &Engine) {
    engine.append_only.rewrites.cancel();
    if engine.append_only.mode() == Mode::Off {
        return;
    }
    // A busy script may have some of the locks for ever; what it does is not in the file then.
    if let Ok(all) = engine.locks.write_all_unless_busy(View::from(0)) {
        engine.keyspace.gate.close();
        drop(all);
    }
    engine.log.notice("Calling fsync() on the AOF file.");
    if let Err(error) = engine.append_only.durability.write_and_sync() {
        let words = system_message(&error);
        engine
            .log
            .warning(format_args!("Fail to fsync the AOF file: {words}."));
    }
}

/// Empties the keyspace and loads the files anew: DEBUG LOADAOF. Other clients get the error LOADING meanwhile.
///
/// # Errors
/// The reply; the log says why.
pub fn load_anew(engine: &Engine) -> Result<(), &'static str> {
    const FAILED: &str = "ERR Error trying to load the AOF files, check server logs.";
    let failed = |reason: String| {
        engine.log.warning(&reason);
        FAILED
    };
    let state = &engine.append_only;
    if state.rewrites.record().in_progress {
        return Err("ERR Background append only file rewriting already in progress");
    }
    let synced = state.durability.write_and_sync();
    synced.map_err(|error| failed(error.to_string()))?;
    let folder_path = state.folder.get().cloned().unwrap_or_default();
    let prefix = engine.config.appendfilename.get();
    let mut folder = Folder::new(Arc::new(RealDisk), folder_path, &prefix);
    folder.read().map_err(|error| failed(error.to_string()))?;
    engine.loading.begin();
    let mut all = engine.locks.write_all(View::from(clock::unix_ms()));
    engine.keyspace.listeners.set_recorded(false);
    for database in 0..engine.keyspace.databases() {
        all.clear(database);
    }
    drop(all);
    engine.scripts.libraries.flush(|| {});
    let loaded = load(engine, &folder);
    let is_on = state.mode() != Mode::Off;
    engine.keyspace.listeners.set_recorded(is_on);
    engine.loading.end();
    loaded.map_err(failed)?;
    let line = "Append Only File loaded by DEBUG LOADAOF";
    engine.log.notice(line);
    Ok(())
}

/// Starts the threads that write the log and sync the file.
///
/// # Errors
/// The line for the log.
fn spawn_writers(engine: &Arc<Engine>, file: &Arc<LogFile>) -> Result<(), String> {
    let (to_sync, requests) = sync_channel(1);
    let for_syncer = engine.clone();
    spawn("syncer", move || appender::sync_all(&for_syncer, &requests))?;
    let (engine, file) = (engine.clone(), file.clone());
    spawn("appender", move || {
        let appender = Appender {
            engine: &engine,
            file: &file,
            to_sync,
            syncing_since: None,
        };
        appender.run();
    })
    .map(drop)
}
