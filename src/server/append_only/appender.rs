//! The threads that write the log and sync the file, unless clients' threads do it (`appendfsync always`).
//!
//! The appender sleeps until there is something to write. While there is more, it writes every few milliseconds, so
//! that one call of the system writes what many clients have done. The syncer calls fsync, which may take long.
//!
//! # How `everysec` keeps its promise
//! An fsync begins when the first block that is not synced is half a second old. If it is not on the disk when it is a
//! second old, the disk is too slow: then commands that change keys wait until it is (`aof_delayed_fsync`). They also
//! wait if the appender itself has been stuck for a second, in a write or behind a switch of the increments: it notes
//! when it looks, and they see it.

use crate::command::execute::Engine;
use crate::server::log_feed::{LogFeed, Unsynced};
use crate::state::append_only::{FsyncPolicy, LATEST, Mode};
use crate::state::change_log::Hold;
use crate::util::{clock, system_message};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

/// The time between two writes.
const WRITE_PERIOD: Duration = Duration::from_millis(2);
/// The longest sleep of the appender: then it looks at the policy again.
const LONGEST_SLEEP: Duration = Duration::from_millis(100);
/// When an fsync begins, with `everysec`.
const SYNC_AFTER: Duration = Duration::from_millis(500);

/// The appender.
#[derive(Debug)]
pub struct Appender<'a> {
    /// The server.
    pub engine: &'a Engine,
    /// The file.
    pub feed: &'a LogFeed,
    /// Hands the file to the syncer, which is idle whenever this is used.
    pub to_sync: SyncSender<Unsynced>,
    /// When the first block was written that the syncer is busy with.
    pub syncing_since: Option<Instant>,
}

/// What the appender does before it looks again.
enum Rest {
    Nothing,
    Short,
    UntilThereIsMore,
}

impl Appender<'_> {
    /// Runs until the process ends.
    pub fn run(mut self) {
        loop {
            match self.look() {
                Rest::Nothing => {}
                Rest::Short => thread::sleep(WRITE_PERIOD),
                Rest::UntilThereIsMore => self
                    .engine
                    .append_only
                    .log
                    .wait_for_blocks(self.longest_sleep()),
            }
        }
    }

    /// Writes and syncs what is due.
    fn look(&mut self) -> Rest {
        let state = &self.engine.append_only;
        let policy = self.engine.config.fsync_policy();
        if state.mode() == Mode::Off {
            // What waits since the file was on.
            state.durability.lead_for_replies(Duration::ZERO);
            self.syncing_since = None;
            state.forget_look();
            state.log.release(Hold::Late);
            // For replicas.
            return match self.feed.write_out() {
                true => Rest::Short,
                false => Rest::UntilThereIsMore,
            };
        }
        if policy == FsyncPolicy::Always {
            state.forget_look();
            self.keep_promise();
            if !state.durability.lead_for_replies(LONGEST_SLEEP) {
                // What no client waits for: keys that have expired.
                state.durability.wait_for(state.end());
            }
            return Rest::Nothing;
        }
        // The policy may have changed while replies were deferred.
        state.durability.lead_for_replies(Duration::ZERO);
        match policy {
            FsyncPolicy::EverySecond if state.note_look(clock::unix_ms()) => self.note_delay(),
            FsyncPolicy::EverySecond => {}
            FsyncPolicy::Always | FsyncPolicy::No => state.forget_look(),
        }
        let has_written = self.feed.write_out();
        if policy == FsyncPolicy::EverySecond {
            self.sync_if_due();
        }
        self.keep_promise();
        match has_written {
            true => Rest::Short,
            false => Rest::UntilThereIsMore,
        }
    }

    fn sync_if_due(&mut self) {
        let state = &self.engine.append_only;
        let skips = self.engine.config.no_appendfsync_on_rewrite.get() && self.engine.is_saving();
        if state.figures.is_syncing.load(Relaxed) || skips || state.has_fsync_failed() {
            return;
        }
        self.syncing_since = None;
        let is_due = |since: Instant| since.elapsed() >= SYNC_AFTER;
        if self.feed.unsynced_since().is_some_and(is_due)
            && let Some(unsynced) = self.feed.take_unsynced()
        {
            self.syncing_since = Some(unsynced.since);
            state.figures.is_syncing.store(true, Relaxed);
            // The syncer ends with the process.
            let _ = self.to_sync.send(unsynced);
        }
    }

    /// Lets changes wait while the disk is too slow.
    fn keep_promise(&mut self) {
        let state = &self.engine.append_only;
        let is_syncing = state.figures.is_syncing.load(Relaxed);
        let is_late = is_syncing
            && self
                .syncing_since
                .is_some_and(|since| since.elapsed() >= LATEST);
        if !is_late {
            state.log.release(Hold::Late);
            return;
        }
        if !state.log.is_held() {
            self.note_delay();
            state.log.hold(Hold::Late);
        }
    }

    fn note_delay(&self) {
        let figures = &self.engine.append_only.figures;
        figures.delayed_fsyncs.fetch_add(1, Relaxed);
        let line = "Asynchronous AOF fsync is taking too long (disk is busy?). Changes wait for fsync to complete, \
            this may slow down the server.";
        self.engine.log.notice(line);
    }

    fn longest_sleep(&self) -> Duration {
        match self.syncing_since {
            // The end of the sync is looked for often.
            Some(_) => WRITE_PERIOD,
            None => LONGEST_SLEEP,
        }
    }
}

/// The syncer's loop: runs until the process ends.
pub fn sync_all(engine: &Engine, requests: &Receiver<Unsynced>) {
    let state = &engine.append_only;
    while let Ok(unsynced) = requests.recv() {
        state.figures.sleep_before_flush();
        match unsynced.increment.sync() {
            Ok(()) => state.durability.advance(unsynced.end),
            Err(error) => {
                engine.give_up_increment(system_message(&error));
            }
        }
        state.figures.is_syncing.store(false, Relaxed);
    }
}
