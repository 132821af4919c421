//! Replaces all data while the server runs: DEBUG LOADAOF, and the snapshot of a primary. Other clients get the error
//! LOADING meanwhile. Commands that were admitted before wait at the gate of the keyspace until there are data again.

use crate::command::execute::Engine;
use crate::keyspace::gate;
use crate::keyspace::listeners::Recorder;
use crate::keyspace::view::View;
use crate::state::append_only::Mode;
use crate::util::clock;

/// Drops all keys and functions, and has `load` load others in their place. Their effects are not kept: the replication
/// stream, if this server feeds one, has to be abandoned.
///
/// # Errors
/// That of `load`.
pub fn replace_data(
    engine: &Engine,
    load: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    let keyspace = &engine.keyspace;
    engine.loading.begin();
    keyspace.alarm.suspend(true);
    let mut all = engine.locks.write_all(View::from(clock::unix_ms()));
    keyspace.gate.close();
    for recorder in [Recorder::AppendOnlyFile, Recorder::Replication] {
        keyspace.listeners.set_recorded(recorder, false);
    }
    all.clear_all();
    all.free_later(engine.tracking.forget_all());
    drop(all);
    engine.deliver_pushes();
    // Dropped at the end, also if `load` panics.
    let _replacing = Replacing { engine };
    gate::pass(true);
    let libraries = &engine.scripts.libraries;
    libraries.flush(&libraries.hold());
    load()
}

/// Clients are served again when it is dropped.
struct Replacing<'a> {
    engine: &'a Engine,
}

impl Drop for Replacing<'_> {
    fn drop(&mut self) {
        gate::pass(false);
        let (engine, keyspace) = (self.engine, &self.engine.keyspace);
        let is_on = engine.append_only.mode() != Mode::Off;
        keyspace
            .listeners
            .set_recorded(Recorder::AppendOnlyFile, is_on);
        keyspace.alarm.suspend(engine.replication.is_replica());
        engine.loading.end();
        keyspace.gate.open();
    }
}
