//! DEBUG LOADAOF: the keyspace is emptied, and the files are loaded while the server runs. Other clients get the error
//! LOADING meanwhile. Commands that were admitted before wait at the gate of the keyspace until the data are there
//! again; the rewriter does not touch the files.

use super::load;
use crate::aof::Folder;
use crate::command::execute::Engine;
use crate::keyspace::gate;
use crate::keyspace::listeners::Recorder;
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
    let rewrites = &engine.append_only.rewrites;
    if !rewrites.claim() {
        return Err("ERR Background append only file rewriting already in progress");
    }
    let loaded = load_claimed(engine);
    rewrites.release();
    loaded.map_err(|reason| {
        engine.log.warning(&reason);
        "ERR Error trying to load the AOF files, check server logs."
    })?;
    let line = "Append Only File loaded by DEBUG LOADAOF";
    engine.log.notice(line);
    Ok(())
}

fn load_claimed(engine: &Engine) -> Result<(), String> {
    let (state, keyspace) = (&engine.append_only, &engine.keyspace);
    let sync = || {
        let synced = state.durability.write_and_sync();
        synced.map_err(|error| error.to_string())
    };
    // Before anything is lost, it is known that the file can be written.
    sync()?;
    let path = state.folder.get().cloned().unwrap_or_default();
    let prefix = engine.config.appendfilename.get();
    let mut folder = Folder::new(Arc::new(RealDisk), path, &prefix);
    folder.read().map_err(|error| error.to_string())?;
    if folder.manifest().files().next().is_none() {
        return Err("There is no append-only file to load".to_string());
    }
    engine.loading.begin();
    keyspace.alarm.suspend(true);
    let mut all = engine.locks.write_all(View::from(clock::unix_ms()));
    keyspace.gate.close();
    keyspace
        .listeners
        .set_recorded(Recorder::AppendOnlyFile, false);
    all.clear_all();
    drop(all);
    gate::pass(true);
    engine.scripts.libraries.flush(|| {});
    let loaded = sync().and_then(|()| load(engine, &folder).map(drop));
    gate::pass(false);
    let is_on = state.mode() != Mode::Off;
    keyspace
        .listeners
        .set_recorded(Recorder::AppendOnlyFile, is_on);
    keyspace.alarm.suspend(false);
    engine.loading.end();
    keyspace.gate.open();
    loaded
}
