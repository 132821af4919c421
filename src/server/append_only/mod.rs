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
#[cfg(test)]
mod tests;

use super::start::spawn;
use crate::aof::Folder;
use crate::command::execute::Engine;
use crate::keyspace::view::View;
use crate::state::append_only::Mode;
use crate::state::config::Config;
use crate::util::disk::{Disk, RealDisk};
use crate::util::{clock, system_message};
use appender::Appender;
use log_file::LogFile;
use replay::Manner;
use std::path::{self, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::sync_channel;
use std::time::Instant;

/// The folder that the directives name, which need not exist. Its path is absolute: the working directory may change,
/// by CONFIG SET dir.
///
/// # Errors
/// The line for the log.
pub fn folder(config: &Config) -> Result<Folder, String> {
    let path = path::absolute(Path::new(&*config.appenddirname.get()));
    let path = path.map_err(|error| format!("Can't find the working directory: {error}"))?;
    let prefix = config.appendfilename.get();
    Ok(Folder::new(Arc::new(RealDisk), path, &prefix))
}

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

/// Loads the files as they were at this moment, in seconds of Unix time. From then on time stands still, and no data
/// change. `false` if the server was requested to stop meanwhile.
///
/// # Errors
/// The lines for the log.
pub fn load_until(engine: &Engine, until_s: i64) -> Result<bool, String> {
    let folder = found_folder(&engine.config)?;
    let folder = folder.ok_or("--until needs an append-only file, and there is none")?;
    let manner = Manner {
        until_s: Some(until_s),
        reads_only: true,
    };
    let Some(found) = replay::load(engine, &folder, manner)? else {
        return Ok(false);
    };
    if found.last_time_s.is_none() && !found.is_later_left_out {
        return Err(
            "--until needs timestamps in the append-only file, which aof-timestamp-enabled puts there"
                .to_string(),
        );
    }
    let base_s = engine.loading.written_at_s.load(Relaxed);
    if base_s > until_s {
        return Err(format!(
            "The append-only file does not go back to {}: its base is of {}",
            clock::log_time(until_s * 1000),
            clock::log_time(base_s * 1000)
        ));
    }
    engine.is_read_only.store(true, Relaxed);
    // The end of that second: what came within it is there.
    clock::stop_at(until_s * 1000 + 999);
    engine.log.notice(format_args!(
        "The data are those of {}. They cannot be changed; what was changed later stays in the files.",
        clock::log_time(until_s * 1000)
    ));
    Ok(true)
}

/// The append-only file that the directives mean, if it is there: a folder, or a file of the form before Redis 7. It is
/// only read.
///
/// # Errors
/// The manifest cannot be read.
pub fn found_folder(config: &Config) -> Result<Option<Folder>, String> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let prefix = config.appendfilename.get();
    let path = PathBuf::from(&*config.appenddirname.get());
    let mut folder = Folder::new(disk.clone(), path, &prefix);
    let has_manifest = folder.read().map_err(|error| error.to_string())?;
    if folder.may_adopt(Path::new(&*prefix), has_manifest) {
        let directory = PathBuf::from(".");
        return Ok(Some(Folder::of_old_form(disk, directory, &prefix)));
    }
    Ok(has_manifest.then_some(folder))
}

/// Completes the file at the end of the server: no change is acknowledged after what is in it.
pub fn finish(engine: &Engine) {
    engine.append_only.rewrites.cancel();
    if engine.append_only.mode() == Mode::Off {
        return;
    }
    // The last save has closed the gate already. A busy script may have some of the locks for ever: then the gate stays
    // open, and what is changed after the last write is not in the file.
    if !engine.keyspace.gate.is_closed()
        && let Ok(all) = engine.locks.write_all_unless_busy(View::from(0))
    {
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
    engine.keyspace.alarm.suspend(true);
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
    engine.keyspace.alarm.suspend(false);
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
