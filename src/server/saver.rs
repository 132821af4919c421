//! The saver: one thread that makes every save, for the timer, BGSAVE, SAVE and the end of the server.
//!
//! It takes a snapshot, under the locks of all shards for microseconds, and writes it with no lock held. If the dump
//! cannot be written, the old one stays as it was.
//!
//! # Invariants
//! 1. Saves never overlap, because this thread makes them one after the other. Other threads ask for them through
//!    [`Saves`](crate::state::saves::Saves).
//! 2. After the final save, changes are held back until the process ends, unless that save has failed.

use super::dump::{self, Form, Image};
use crate::command::execute::Engine;
use crate::rdb::file;
use crate::state::Server;
use crate::state::saves::Request;
use crate::util::clock;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// The time between two checks of the save points.
const PERIOD: Duration = Duration::from_secs(1);
/// After a save that failed, the timer waits this long, as in Redis.
const RETRY_AFTER_MS: i64 = 5_000;

/// Runs until the process ends.
pub fn run(engine: &Engine) {
    loop {
        match engine.saves.wait_for_request(PERIOD) {
            Some(Request::Final) => save_finally(engine),
            Some(request) => save(engine, request, Image::take_with_place(engine, |_| {})),
            None => begin_if_due(engine),
        }
    }
}

/// Begins a save if one is scheduled, or a save point says so; not during a rewrite of the append-only file, which
/// reads all keys too.
fn begin_if_due(server: &Server) {
    let is_read_only = server.is_read_only.load(Relaxed);
    let is_rewriting = server.append_only.rewrites.record().in_progress;
    let loading = &server.loading;
    let is_incomplete = loading.is_under_way() || loading.is_incomplete.load(Relaxed);
    if is_rewriting || is_read_only || is_incomplete {
        return;
    }
    if server.saves.is_scheduled() {
        server.saves.request_background();
        return;
    }
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
        && server.saves.request_background()
    {
        server.log.notice(format_args!(
            "{least} changes in {seconds} seconds. Saving..."
        ));
    }
}

/// Saves, and then holds back all changes until the process ends, because they would be lost. If the save fails,
/// changes go on.
fn save_finally(engine: &Engine) {
    let image = Image::take_with_place(engine, |keyspace| keyspace.gate.close());
    if engine.loading.is_incomplete.load(Relaxed) {
        let line =
            "The snapshot of the master has not been loaded as a whole: the dump stays as it is.";
        engine.log.warning(line);
        let now_ms = clock::unix_ms();
        return engine.saves.record_end(Request::Final, Ok(0), now_ms);
    }
    save(engine, Request::Final, image);
    if !engine.saves.record().last_is_ok {
        engine.keyspace.gate.open();
    }
}

fn save(server: &Server, request: Request, image: Image) {
    let expected = image.counts();
    server.saves.record_begin(expected.keys, clock::unix_ms());
    let path = server.dump_path();
    let reads_back = server.config.rdb_read_back.get();
    let saved = file::replace(&path, reads_back, |output| {
        let form = Form::of_dump(server);
        dump::write(server, &image, form, output, &server.saves.keys_written)?;
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
        .map(|_| image.snapshot.changes)
        .map_err(|error| error.to_string());
    server.saves.record_end(request, outcome, clock::unix_ms());
}
