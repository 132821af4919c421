//! DEBUG LOADAOF: the keyspace is emptied, and the files are loaded while the server runs. Meanwhile the rewriter does
//! not touch the files.

use super::load;
use crate::aof::Folder;
use crate::command::execute::Engine;
use crate::keyspace::listeners::Recorder;
use crate::server::replace::replace_data;
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
    let replication = &engine.replication;
    if replication.backlog.is_active() && !replication.is_replica() {
        let listeners = &engine.keyspace.listeners;
        replication.abandon_stream(|| listeners.set_recorded(Recorder::Replication, false));
    }
    loaded.map_err(|reason| {
        engine.log.warning(&reason);
        "ERR Error trying to load the AOF files, check server logs."
    })?;
    let line = "Append Only File loaded by DEBUG LOADAOF";
    engine.log.notice(line);
    Ok(())
}

fn load_claimed(engine: &Engine) -> Result<(), String> {
    let state = &engine.append_only;
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
    replace_data(engine, || {
        sync().and_then(|()| load(engine, &folder).map(drop))
    })
}
