//! Reads the change log: the one place where that is done. What comes out goes into the increment of the append-only
//! file, and into the replication backlog.
//!
//! ```text
//! clients' threads ── append ──▶ change log ── write_out ─┬─▶ increment ── fsync ──▶ disk
//!                                                         └─▶ backlog ──▶ replicas
//! ```
//!
//! | `appendfsync` | writes | syncs |
//! |---|---|---|
//! | `always` | the thread of a client, for all clients that wait | the same thread, before it lets them go |
//! | `everysec` | the appender, every few milliseconds | the syncer, once a second |
//! | `no` | the appender | the system, when it likes |
//!
//! # Division
//! An image of the keys and what follows it in the log must fit together, though the image is written later. So the log
//! is divided at the moment of the image: what is appended from then on stays in the lanes until there is a place for
//! it. Only threads that want what is behind the division on the disk (`always`) wait for that.
//!
//! | who divides the log | what the image is | where the log goes on |
//! |---|---|---|
//! | the rewriter | the base of the append-only file | into the next increment |
//! | the transfer of a [synchronisation](super::replication::snapshot) | the snapshot | in the replication stream |
//! | the saver | a dump that tells its place in the stream | as before |
//! | [`role`] | none: the role changes | outside the replication stream, or in it again |
//!
//! # Invariants
//! 1. What is read from the log is written in that order, and never twice: what could not be written stays in the
//!    buffer.
//! 2. A failed fsync is not repeated on the same file. The rewriter then begins a new one, with a new base: see
//!    [`rewriter`](super::append_only::rewriter).
//! 3. A block goes into the increments before a rewrite if the image of the rewrite has it, else into those after it.
//!    The log is [divided](LogFeed::divide) when the image is taken, and nothing behind that place is read before
//!    the increments have been switched. So too for the snapshot of a full synchronisation, and the stream behind it.
//! 4. Under `always`, a server that cannot write ends: it has changed keys that it cannot acknowledge, as in Redis.
//!
//! # Thread safety
//! Any thread, with no shard locked, except for `divide`. One thread at a time has a [`Division`]. The mutex is held
//! while the file is written and, under `always`, synced.

use super::append_only;
use super::replication::{hand_over, role};
use crate::aof::Increment;
use crate::command::execute::Engine;
use crate::resp::request_writer::write_command;
use crate::state::append_only::FsyncPolicy;
use crate::state::append_only::durability::{Committed, LogWriter};
use crate::state::change_log::{KEPT_BYTES, LogReader};
use crate::state::clients::Client;
use crate::state::replication::backlog::BacklogReader;
use crate::state::replication::failover::Plan;
use crate::state::replication::link::Address;
use crate::state::replication::{StreamFeed, TakeSnapshot};
use crate::util::{clock, system_message};
use std::io;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

/// Lines about a failure that goes on are this far apart, as in Redis.
const SECONDS_BETWEEN_LINES: i64 = 30;

/// Where the change log is read.
#[derive(Debug)]
pub struct LogFeed {
    /// The server.
    pub engine: Arc<Engine>,
    /// Whether the threads run that write and sync.
    has_threads: Mutex<bool>,
    /// Held as long as the log is divided.
    dividing: Mutex<()>,
    /// No block from this number on is read.
    divided_at: AtomicU64,
    out: Mutex<Out>,
}

/// The log is not divided.
const WHOLE: u64 = u64::MAX;

/// The right to divide the log.
#[derive(Debug)]
pub struct Division<'a> {
    feed: &'a LogFeed,
    _dividing: MutexGuard<'a, ()>,
}

/// Where the log goes.
#[derive(Debug)]
struct Out {
    reader: LogReader,
    /// What was read and is not in the backlog yet.
    stream: Vec<u8>,
    /// The database that is selected at the end of the stream; `None` if what follows has to select one.
    selected_in_stream: Option<usize>,
    /// Whether the stream is fed from the log: on a primary, once it has been begun.
    feeds_stream: bool,
    /// `None` while the append-only file is off.
    increment: Option<Increment>,
    /// What was read and is not in the file.
    buffer: Vec<u8>,
    /// The database that is selected at the end of the buffer; `None` at the beginning of a file.
    selected: Option<usize>,
    /// The number after that of the last block in the file.
    written: u64,
    /// When the first block was written of which no fsync has begun.
    unsynced_since: Option<Instant>,
    /// The last annotation, in seconds of Unix time.
    annotated_s: i64,
    last_line_s: i64,
}

/// What is to be synced.
#[derive(Debug)]
pub struct Unsynced {
    /// The file.
    pub increment: Increment,
    /// The number after that of its last block.
    pub end: u64,
    /// When the first block of it was written that is not synced.
    pub since: Instant,
}

impl LogFeed {
    /// Reads the log of this server from now on. The append-only file is off.
    pub fn new(engine: &Arc<Engine>) -> LogFeed {
        let reader = LogReader::new(engine.append_only.log.clone());
        LogFeed {
            engine: engine.clone(),
            has_threads: Mutex::default(),
            dividing: Mutex::default(),
            divided_at: AtomicU64::new(WHOLE),
            out: Mutex::new(Out {
                written: reader.next(),
                reader,
                stream: Vec::new(),
                selected_in_stream: None,
                feeds_stream: false,
                increment: None,
                buffer: Vec::new(),
                selected: None,
                unsynced_since: None,
                annotated_s: 0,
                last_line_s: i64::MIN,
            }),
        }
    }

    /// Starts the threads that write and sync, if they do not run. They run until the process ends.
    ///
    /// # Errors
    /// The line for the log.
    pub fn ensure_threads(self: &Arc<Self>) -> Result<(), String> {
        let mut have = self
            .has_threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !*have {
            append_only::spawn_writers(&self.engine, self)?;
            *have = true;
        }
        Ok(())
    }

    /// Writes everything that was appended before. What cannot be written is kept for the next time, and commands that
    /// change keys are refused until then. Returns whether anything was written.
    pub fn write_out(&self) -> bool {
        self.try_to_write(&mut self.lock()).unwrap_or(false)
    }

    fn try_to_write(&self, out: &mut Out) -> Option<bool> {
        let state = &self.engine.append_only;
        match self.write(out) {
            Ok(is_any) => {
                if state.set_write_failure(None) {
                    let text = "AOF write error looks solved. The server can write again.";
                    self.engine.log.warning(text);
                }
                Some(is_any)
            }
            Err(error) => {
                let words = system_message(&error);
                let now_s = clock::unix_ms() / 1000;
                if now_s > out.last_line_s.saturating_add(SECONDS_BETWEEN_LINES) {
                    out.last_line_s = now_s;
                    let line = format_args!("Error writing to the AOF file: {words}");
                    self.engine.log.warning(line);
                }
                state.set_write_failure(Some(words));
                None
            }
        }
    }

    /// Reads the log into the buffer, and writes the buffer into the file.
    fn write(&self, out: &mut Out) -> io::Result<bool> {
        self.read(out);
        self.write_buffer(out)
    }

    /// Reads what was appended before, up to where the log is divided, into the buffer and the backlog.
    fn read(&self, out: &mut Out) {
        let before = out.buffer.len();
        let next = out.reader.next();
        let now_s = clock::unix_ms() / 1000;
        let is_annotated =
            self.engine.config.aof_timestamp_enabled.get() && now_s > out.annotated_s;
        if is_annotated {
            out.buffer.extend(format!("#TS:{now_s}\r\n").as_bytes());
        }
        let end = || self.divided_at.load(Acquire);
        let backlog = &self.engine.replication.backlog;
        let (has_file, has_stream) = (
            out.increment.is_some(),
            out.feeds_stream && backlog.is_active(),
        );
        out.reader.read_before(end, |run| {
            if has_file && !run.is_for_replicas() {
                run.write(&mut out.selected, &mut out.buffer);
            }
            if has_stream {
                run.write(&mut out.selected_in_stream, &mut out.stream);
            }
        });
        if !out.stream.is_empty() {
            let unread = backlog.append(&out.stream);
            backlog.mark(out.reader.next());
            out.stream.clear();
            out.stream.shrink_to(KEPT_BYTES);
            self.engine.limit_replicas_if_over(unread);
        }
        match out.reader.next() == next {
            true => out.buffer.truncate(before),
            false if is_annotated => out.annotated_s = now_s,
            false => {}
        }
    }

    /// Appends a command to the stream, unless it is that of a primary that this server follows.
    fn append_to_stream(&self, out: &mut Out, command: &[&[u8]]) {
        let backlog = &self.engine.replication.backlog;
        if out.feeds_stream && backlog.is_active() {
            write_command(&mut out.stream, command).expect("a Vec takes everything");
            backlog.append(&out.stream);
            out.stream.clear();
        }
    }

    fn write_buffer(&self, out: &mut Out) -> io::Result<bool> {
        let figures = &self.engine.append_only.figures;
        let Some(increment) = &mut out.increment else {
            out.buffer.clear();
            let is_any = out.written != out.reader.next();
            out.written = out.reader.next();
            return Ok(is_any);
        };
        if out.buffer.is_empty() {
            self.pass_over(out);
            return Ok(false);
        }
        let before = increment.len();
        figures.sleep_before_flush();
        let began = self.engine.latency_stopwatch();
        let result = increment.append(&mut out.buffer);
        self.note_write(began);
        figures
            .current_bytes
            .fetch_add(increment.len() - before, Relaxed);
        figures
            .waiting_bytes
            .store(out.buffer.len() as u64, Relaxed);
        result?;
        out.buffer.shrink_to(KEPT_BYTES);
        out.written = out.reader.next();
        out.unsynced_since.get_or_insert_with(Instant::now);
        Ok(true)
    }

    /// What was read is for replicas alone: as far as the file is concerned, it is as if it had been written.
    fn pass_over(&self, out: &mut Out) {
        let next = out.reader.next();
        if std::mem::replace(&mut out.written, next) == next || out.unsynced_since.is_some() {
            return;
        }
        match self.engine.append_only.figures.is_syncing.load(Relaxed) {
            // The fsync that is under way ends with an earlier block.
            true => out.unsynced_since = Some(Instant::now()),
            false => self.engine.append_only.durability.advance(next),
        }
    }

    /// Notes how long a write took, as in Redis also under what circumstances.
    fn note_write(&self, began: Option<Instant>) {
        if began.is_none() {
            // The latency monitor is off.
            return;
        }
        let circumstances = match () {
            () if self.engine.append_only.figures.is_syncing.load(Relaxed) => {
                "aof-write-pending-fsync"
            }
            () if self.engine.is_saving() => "aof-write-active-child",
            () => "aof-write-alone",
        };
        self.engine.note_latency(circumstances, began);
        self.engine.note_latency("aof-write", began);
    }

    /// What has been written and not been synced, if there is any.
    pub fn unsynced_since(&self) -> Option<Instant> {
        self.lock().unsynced_since
    }

    /// Takes what has been written and not been synced: the caller syncs it.
    pub fn take_unsynced(&self) -> Option<Unsynced> {
        let out = &mut *self.lock();
        let since = out.unsynced_since.take()?;
        Some(Unsynced {
            increment: out.increment.clone()?,
            end: out.written,
            since,
        })
    }

    /// Writes and syncs everything that was appended before.
    fn finish(&self, out: &mut Out) -> io::Result<()> {
        self.read(out);
        self.write_buffer(out)?;
        if let Some(increment) = out.increment.clone() {
            // Even if the syncer is at it: what it syncs may have been written before.
            self.sync(&increment)?;
            out.unsynced_since = None;
        }
        self.engine.append_only.durability.advance(out.written);
        Ok(())
    }

    /// Waits until an increment is on the disk. If that fails, nothing is written to it any more that is acknowledged.
    fn sync(&self, increment: &Increment) -> io::Result<()> {
        let began = self.engine.latency_stopwatch();
        let synced = increment.sync();
        if let Err(error) = &synced {
            let words = system_message(error);
            match self.policy() {
                FsyncPolicy::Always => self.fail(&format!(
                    "Can't persist AOF for fsync error when the AOF fsync policy is 'always': {words}. Exiting..."
                )),
                FsyncPolicy::EverySecond | FsyncPolicy::No => self.engine.give_up_increment(words),
            }
        } else if self.policy() == FsyncPolicy::Always {
            self.engine.note_latency("aof-fsync-always", began);
        }
        synced
    }

    fn policy(&self) -> FsyncPolicy {
        self.engine.config.fsync_policy()
    }

    /// Prepares to divide the log. Waits as long as another thread has it divided.
    pub fn begin_division(&self) -> Division<'_> {
        Division {
            feed: self,
            _dividing: self.dividing.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// The log goes into this increment. Called when nothing has been appended yet.
    pub fn begin(&self, increment: Increment) {
        self.lock().begin(increment);
    }

    /// The log goes into no file any more.
    pub fn end(&self) {
        let out = &mut *self.lock();
        out.increment = None;
        out.buffer.clear();
        out.unsynced_since = None;
    }

    /// Bytes in the increment.
    pub fn increment_bytes(&self) -> u64 {
        self.lock().increment.as_ref().map_or(0, Increment::len)
    }

    /// Ends the server, because under `always` it cannot go on.
    fn fail(&self, line: &str) {
        self.engine.log.warning(line);
        self.engine.shutdown.fail(line);
    }

    fn lock(&self) -> MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Division<'_> {
    /// Divides the log at its end: what comes now is not read as long as this lives. Called with all keys locked, when
    /// an image of them is taken.
    pub fn divide(&self, end: u64) {
        self.feed.divided_at.store(end, Release);
    }

    /// From the place at which the log was divided on, it goes into the increment that `begin` creates. Everything
    /// before is written to the old one, and synced.
    ///
    /// # Errors
    /// The old file cannot be written, or `begin` has failed. Then the log goes on into the old one.
    pub fn switch(self, begin: impl FnOnce() -> io::Result<Increment>) -> io::Result<()> {
        let out = &mut *self.feed.lock();
        let begun = self.feed.finish(out).and_then(|()| begin());
        out.begin(begun?);
        Ok(())
    }

    /// From the place at which the log was divided on, it goes into this increment. What came before and was not
    /// written is dropped, because the base has it.
    pub fn begin(self, increment: Increment) {
        let out = &mut *self.feed.lock();
        self.feed.read(out);
        out.buffer.clear();
        out.written = out.reader.next();
        out.begin(increment);
        let figures = &self.feed.engine.append_only.figures;
        figures.waiting_bytes.store(0, Relaxed);
    }

    /// The stream from the place at which the log was divided on: its first command selects a database.
    pub fn stream(self) -> BacklogReader {
        let out = &mut *self.feed.lock();
        self.feed.read(out);
        out.selected_in_stream = None;
        out.feeds_stream = true;
        let backlog = &self.feed.engine.replication.backlog;
        backlog.mark(out.reader.next());
        backlog.read_from_end()
    }

    /// What comes behind the place at which the log was divided is not part of the stream, which ends with this
    /// command, if it is not empty.
    pub fn end_stream(self, last: &[&[u8]]) {
        let out = &mut *self.feed.lock();
        self.feed.read(out);
        if !last.is_empty() {
            self.feed.append_to_stream(out, last);
        }
        out.feeds_stream = false;
    }
}

impl Drop for Division<'_> {
    fn drop(&mut self) {
        self.feed.divided_at.store(WHOLE, Release);
    }
}

impl StreamFeed for LogFeed {
    fn read_log(&self) {
        self.write_out();
    }

    fn append(&self, command: &[&[u8]]) {
        let out = &mut *self.lock();
        self.read(out);
        self.append_to_stream(out, command);
    }

    fn divide(self: Arc<Self>, take: TakeSnapshot<'_>) -> Result<BacklogReader, String> {
        self.ensure_threads()?;
        let division = self.begin_division();
        take(&|end| division.divide(end));
        Ok(division.stream())
    }

    fn offset_of(&self, take: TakeSnapshot<'_>) -> (u64, usize) {
        let division = self.begin_division();
        take(&|end| division.divide(end));
        let out = &mut *self.lock();
        self.read(out);
        let backlog = &self.engine.replication.backlog;
        (backlog.end(), out.selected_in_stream.unwrap_or(0))
    }

    fn follow(self: Arc<Self>, primary: Option<Address>) {
        role::change(&self, primary);
    }

    fn fail_over(self: Arc<Self>, plan: Plan) {
        hand_over::begin(&self, plan);
    }
}

impl Out {
    /// What follows goes into a new file.
    fn begin(&mut self, increment: Increment) {
        self.increment = Some(increment);
        self.selected = None;
        self.annotated_s = 0;
        self.unsynced_since = None;
    }
}

impl LogWriter for LogFeed {
    fn commit(&self) -> Option<Committed> {
        if self.divided_at.load(Acquire) != WHOLE {
            // The rewriter is about to switch the increments; what the caller waits for may lie behind that place.
            thread::yield_now();
        }
        let out = &mut *self.lock();
        let is_written = self.try_to_write(out).is_some();
        let engine = &self.engine;
        if self.policy() != FsyncPolicy::Always || engine.append_only.has_fsync_failed() {
            // The policy has changed since a thread began to wait; or nothing is written before there is a new file.
            return Some(Committed {
                written: out.reader.next(),
                durable: 0,
            });
        }
        if !is_written {
            self.fail(
                "Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting...",
            );
            return None;
        }
        // What the syncer is busy with, since the policy was another one, is not on the disk either.
        let is_unsynced =
            out.unsynced_since.is_some() || engine.append_only.figures.is_syncing.load(Relaxed);
        let skips_fsync = engine.config.no_appendfsync_on_rewrite.get() && engine.is_saving();
        if is_unsynced && skips_fsync {
            return Some(Committed {
                written: out.written,
                durable: 0,
            });
        }
        if is_unsynced && let Some(increment) = out.increment.clone() {
            self.sync(&increment).ok()?;
            out.unsynced_since = None;
        }
        Some(Committed {
            written: out.written,
            durable: out.written,
        })
    }

    fn write_and_sync(&self) -> io::Result<()> {
        // The rewriter is about to switch the increments.
        while self.divided_at.load(Acquire) != WHOLE {
            thread::yield_now();
        }
        self.finish(&mut self.lock())
    }

    fn send(&self, client: &Client, mut reply: Vec<u8>) -> Option<Vec<u8>> {
        let sent = client.link.send(&reply).ok()?;
        self.engine.statistics.count_output(client.id, sent);
        if sent == reply.len() {
            return None;
        }
        reply.drain(..sent);
        let unsent = client.buffers.unsent_bytes.load(Relaxed) + reply.len();
        let limit = self.engine.pushes.limit(client);
        let now_ms = clock::unix_ms();
        if client.outbox.claim_disconnection(limit, unsent, now_ms) {
            self.engine.report_over_limit(client);
            client.disconnect();
        }
        (!client.is_disconnected()).then_some(reply)
    }
}
