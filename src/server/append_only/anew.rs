//! DEBUG LOADAOF: the keyspace is emptied, and the files are loaded while the server runs. Other clients get the error
//! LOADING meanwhile.

use super::load;
use crate::aof::Folder;
use crate::command::execute::Engine;
use crate::keyspace::view::View;
use crate::state::append_only::Mode;
use crate::util::clock;
use crate::util::disk::RealDisk;
use std::sync::Arc;

/// Empties the keyspace and loads the files anew.
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
    let sync = || {
        let synced = state.durability.write_and_sync();
        synced.map_err(|error| failed(error.to_string()))
    };
    // Before anything is lost, it is known that the file can be written.
    sync()?;
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
    let loaded = sync().map_err(str::to_string);
    let loaded = loaded.and_then(|()| load(engine, &folder));
    let is_on = state.mode() != Mode::Off;
    engine.keyspace.listeners.set_recorded(is_on);
    engine.keyspace.alarm.suspend(false);
    engine.loading.end();
    loaded.map_err(failed)?;
    let line = "Append Only File loaded by DEBUG LOADAOF";
    engine.log.notice(line);
    Ok(())
}
