//! The saver: one thread that owns every save, whoever asked for it (timer, BGSAVE, SAVE, the end of the server).
//!
//! It takes a snapshot, which delays no command for longer than a moment, and writes it with no lock held. A dump that
//! cannot be written leaves the old one as it was.

use super::dump;
use crate::command::execute::Engine;
use crate::keyspace::snapshot::Snapshot;
use crate::rdb::file::{self, KeyCounts};
use crate::state::Server;
use crate::state::saves::Request;
use crate::util::clock;
use std::time::Duration;

/// How often the save points are looked at.
const PERIOD: Duration = Duration::from_secs(1);
/// After a save that failed, the timer waits this long, as in Redis.
const RETRY_AFTER_MS: i64 = 5_000;

/// Runs until the process ends.
pub fn run(engine: &Engine) {
    loop {
        match engine.saves.wait_for_request(PERIOD) {
            Some(Request::Final) => save_finally(engine),
            Some(request) => save(engine, request, engine.locks.snapshot(false)),
            None => begin_if_due(engine),
        }
    }
}

/// Begins a save if a save point says so.
fn begin_if_due(server: &Server) {
    let record = server.saves.record();
    let now_ms = clock::unix_ms();
    let changes = server.keyspace.changes() - record.saved_changes;
    let elapsed_s = now_ms / 1000 - record.last_good_s;
    let may_retry = !record.background_failed || now_ms - record.last_try_ms > RETRY_AFTER_MS;
    let is_due = |&(seconds, least): &(u64, u64)| changes >= least && elapsed_s > seconds as i64;
    if let Some((seconds, least)) = server
        .config
        .save_points()
        .iter()
        .find(|point| is_due(point))
        && may_retry
        && server.saves.begin()
    {
        server.log.notice(format_args!(
            "{least} changes in {seconds} seconds. Saving..."
        ));
    }
}

/// Saves, and if that goes well holds back all changes until the process ends: they would be lost.
fn save_finally(engine: &Engine) {
    save(engine, Request::Final, engine.locks.snapshot(true));
    if !engine.saves.record().last_is_ok {
        engine.keyspace.gate.open();
    }
}

fn save(server: &Server, request: Request, snapshot: Snapshot) {
    let expected = counts(&snapshot);
    server.saves.note_begin(expected.keys, clock::unix_ms());
    let path = server.dump_path();
    let reads_back = server.config.rdb_read_back.get();
    let saved = file::replace(&path, reads_back, |output| {
        dump::write(server, &snapshot, output, &server.saves.keys_written)?;
        Ok(expected)
    });
    let path = path.display();
    match &saved {
        Ok(bytes) => server
            .log
            .notice(format_args!("DB saved on disk: {bytes} bytes in {path}")),
        Err(error) => server
            .log
            .warning(format_args!("Error saving DB on disk: {path}: {error}")),
    }
    let outcome = saved
        .map(|_| snapshot.changes)
        .map_err(|error| error.to_string());
    server.saves.note_end(request, outcome, clock::unix_ms());
}

/// How many keys the dump must hold: as many as there were when the snapshot was taken, whatever the writing has met.
fn counts(snapshot: &Snapshot) -> KeyCounts {
    let sizes = &snapshot.sizes;
    KeyCounts {
        keys: sizes.iter().map(|size| size.keys as u64).sum(),
        expires: sizes.iter().map(|size| size.deadlines as u64).sum(),
    }
}
