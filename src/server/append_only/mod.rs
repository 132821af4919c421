//! The append-only file: how it is loaded, written, synced and rewritten. Its bytes are those of [`aof`](crate::aof);
//! they come from the change log through the [`log_feed`](super::log_feed).
//!
//! | file | what it does | thread |
//! |---|---|---|
//! | [`appender`] | writes and syncs all the time, unless clients' threads do it | appender, syncer |
//! | [`rewriter`] | turns the file on and off, and rewrites it | rewriter |
//! | [`base`] | writes a base | rewriter |
//! | [`location`] | where the files lie | main, at the start |
//! | [`replay`] | loads the files | main, at the start |
//! | [`until`] | loads them as they were at an earlier moment | main, at the start |
//! | [`anew`] | loads them while the server runs: DEBUG LOADAOF | a client's thread |
//!
//! The appender and the syncer begin when the file is first turned on, or the first replica comes.

pub mod anew;
pub mod appender;
pub mod base;
pub mod location;
pub mod replay;
pub mod rewriter;
#[cfg(test)]
mod tests;
pub mod until;

use super::log_feed::LogFeed;
use super::start::spawn;
use crate::aof::Folder;
use crate::command::execute::Engine;
use crate::keyspace::view::View;
use crate::state::append_only::Mode;
use crate::util::system_message;
use appender::Appender;
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

/// Starts the threads that write the log and sync the file.
///
/// # Errors
/// The line for the log.
pub(super) fn spawn_writers(engine: &Arc<Engine>, feed: &Arc<LogFeed>) -> Result<(), String> {
    let (to_sync, requests) = sync_channel(1);
    let for_syncer = engine.clone();
    spawn("syncer", move || appender::sync_all(&for_syncer, &requests))?;
    let (engine, feed) = (engine.clone(), feed.clone());
    spawn("appender", move || {
        let appender = Appender {
            engine: &engine,
            feed: &feed,
            to_sync,
            syncing_since: None,
        };
        appender.run();
    })
    .map(drop)
}
