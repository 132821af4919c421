//! The rewriter: one thread that owns the folder of the append-only file. It turns the file on and off, and rewrites
//! it: for BGREWRITEAOF, when the file has grown, and when it cannot be trusted any more.
//!
//! ```text
//! usual      snapshot at block N ─▶ the log goes into a new increment from N on ─▶ base ─▶ manifest: base, increment
//!            (the old files are whole all the time)
//! anew       new increment, not listed ─▶ snapshot at N ─▶ the log goes there from N on ─▶ base ─▶ manifest
//!            (turned on at run time; or an fsync of the old increment has failed)
//! ```
//!
//! There is no fork. No client waits but while the shards are marked for the snapshot, and under `always` while the
//! increments change.
//!
//! # Invariants
//! 1. Rewrites never overlap, because this thread makes them one after the other.
//! 2. The blocks from N on belong to the base that is the snapshot at N, and to no other.
//! 3. If a rewrite fails, the files before it go on being valid, and being written.

use super::base;
use crate::aof::{Folder, Increment};
use crate::command::execute::Engine;
use crate::keyspace::listeners::Recorder;
use crate::keyspace::view::View;
use crate::server::dump::Image;
use crate::server::log_feed::LogFeed;
use crate::state::append_only::rewrites::Task;
use crate::state::append_only::{Mode, TURNED_OFF};
use crate::util::clock;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// The time between two looks at the size of the file.
const PERIOD: Duration = Duration::from_secs(1);

/// The rewriter.
#[derive(Debug)]
pub struct Rewriter {
    engine: Arc<Engine>,
    feed: Arc<LogFeed>,
    /// The folder, with what its manifest said when it was last read or replaced.
    pub folder: Folder,
    /// Whether the manifest has been read, or there is none.
    is_read: bool,
    /// The increment for the next rewrite that begins anew.
    prepared: Option<Increment>,
}

impl Rewriter {
    /// The rewriter of a server whose append-only file is off. The folder is not looked at yet.
    pub fn new(engine: &Arc<Engine>, feed: &Arc<LogFeed>, folder: Folder) -> Rewriter {
        let path = folder.path().to_path_buf();
        engine.append_only.folder.get_or_init(|| path);
        Rewriter {
            engine: engine.clone(),
            feed: feed.clone(),
            folder,
            is_read: false,
            prepared: None,
        }
    }

    /// Runs until the process ends.
    pub fn run(mut self) {
        let engine = self.engine.clone();
        let rewrites = &engine.append_only.rewrites;
        loop {
            match rewrites.next_task(PERIOD) {
                Some(Task::Turn(number, true)) => {
                    let turned = self.turn_on();
                    if let Err(error) = &turned {
                        engine.log.warning(format_args!(
                            "Redis needs to enable the AOF but can't begin to: {error}"
                        ));
                    }
                    rewrites.record_turn(number, true, turned.is_ok());
                }
                Some(Task::Turn(number, false)) => {
                    self.turn_off();
                    rewrites.record_turn(number, false, true);
                }
                Some(Task::Rewrite) => self.rewrite(),
                None => self.begin_if_due(),
            }
        }
    }

    /// Reads the manifest, and moves a file from before Redis 7 into the folder: its data will be loaded. Returns
    /// whether there is data.
    ///
    /// # Errors
    /// The lines for the log.
    pub fn open_folder(&mut self) -> Result<bool, String> {
        let has_manifest = self.folder.read().map_err(|error| error.to_string())?;
        let name = self.engine.config.appendfilename.get();
        let old = Path::new(&*name);
        if self.folder.may_adopt(old, has_manifest) {
            self.folder.adopt(old).map_err(|error| error.to_string())?;
            self.engine.log.notice(format_args!(
                "Successfully migrated an old-style AOF configuration ({name}) into the AOF directory ({}).",
                self.folder.path().display()
            ));
        }
        self.is_read = true;
        Ok(self.folder.manifest().files().next().is_some())
    }

    /// Reads the manifest, unless that has been done: its files are going to be replaced.
    fn read_folder(&mut self) -> Result<(), String> {
        if !self.is_read {
            self.folder.read().map_err(|error| error.to_string())?;
            self.is_read = true;
        }
        Ok(())
    }

    /// Keeps effects from now on, in the files that were loaded; if there are none, in new ones.
    pub fn continue_loaded(&mut self) -> io::Result<()> {
        self.folder.create()?;
        let engine = self.engine.clone();
        let state = &engine.append_only;
        self.folder.remove_temporaries()?;
        let begun = self.feed.ensure_threads();
        begun.map_err(io::Error::other)?;
        if self.folder.manifest().files().next().is_none() {
            engine.log.notice(format_args!(
                "Creating AOF files in {} on server start",
                self.folder.path().display()
            ));
            self.write_anew()?;
        } else {
            self.remove_history();
            let increment = self.folder.open_increment()?;
            self.feed.begin(increment);
            let base = self.folder.manifest().base();
            let base_bytes = base.map_or(0, |base| self.folder.bytes_of(base));
            state.figures.base_bytes.store(base_bytes, Relaxed);
            let bytes = self.folder.bytes();
            state.figures.current_bytes.store(bytes, Relaxed);
            let listeners = &engine.keyspace.listeners;
            listeners.set_recorded(Recorder::AppendOnlyFile, true);
        }
        state.set_mode(Mode::On);
        state.durability.set_base(true);
        self.engine.apply_fsync_policy();
        Ok(())
    }

    /// CONFIG SET appendonly yes: effects are kept from the moment of the base on, which this thread writes next.
    fn turn_on(&mut self) -> Result<(), String> {
        let state = &self.engine.append_only;
        if state.mode() != Mode::Off {
            return Ok(());
        }
        self.read_folder()?;
        self.folder.create().map_err(|error| error.to_string())?;
        // Fails if the folder cannot be written.
        let prepared = self.folder.prepare_increment();
        self.prepared = Some(prepared.map_err(|error| error.to_string())?);
        self.feed.ensure_threads()?;
        let state = &self.engine.append_only;
        if state.set_fsync_failure(None) | state.set_write_failure(None) {
            let text = "AOF reopen, just ignore the last error.";
            self.engine.log.warning(text);
        }
        state.durability.set_base(false);
        state.set_mode(Mode::WaitsForBase);
        state.rewrites.record_begin();
        Ok(())
    }

    /// CONFIG SET appendonly no: the file is complete up to now, and ends.
    fn turn_off(&mut self) {
        let state = &self.engine.append_only;
        if state.mode() == Mode::Off {
            return;
        }
        let all = self.engine.locks.write_all(View::from(0));
        let listeners = &self.engine.keyspace.listeners;
        listeners.set_recorded(Recorder::AppendOnlyFile, false);
        drop(all);
        // As in Redis, although what they wait for is on the disk in a moment.
        self.engine.progress.refuse(TURNED_OFF.as_bytes());
        if let Err(error) = state.durability.write_and_sync() {
            let line = format_args!("Fail to fsync the AOF file: {error}");
            self.engine.log.warning(line);
        }
        self.feed.end();
        self.prepared = None;
        self.folder.abandon_prepared();
        let state = &self.engine.append_only;
        state.set_fsync_failure(None);
        state.set_write_failure(None);
        state.set_mode(Mode::Off);
        state.durability.delay_replies(false);
        state.rewrites.record_cancelled();
    }

    /// Begins a rewrite if one is scheduled, or the file has grown.
    fn begin_if_due(&self) {
        let state = &self.engine.append_only;
        let rewrites = &state.rewrites;
        let now_ms = clock::unix_ms();
        if self.engine.saves.record().in_progress || self.engine.loading.is_under_way() {
            return;
        }
        if rewrites.record().is_scheduled
            || state.mode() == Mode::WaitsForBase
            || state.has_fsync_failed()
        {
            rewrites.request_by_server(now_ms);
            return;
        }
        if let Some(growth) = self.growth_percent()
            && rewrites.request_by_server(now_ms)
        {
            self.engine.log.notice(format_args!(
                "Starting automatic rewriting of AOF on {growth}% growth"
            ));
        }
    }

    /// By how much the file has grown, if that is reason to rewrite it.
    fn growth_percent(&self) -> Option<u64> {
        let (config, state) = (&self.engine.config, &self.engine.append_only);
        let percentage = config.auto_aof_rewrite_percentage.get() as u64;
        let bytes = state.figures.current_bytes.load(Relaxed);
        let least = config.auto_aof_rewrite_min_size.get() as u64;
        if state.mode() != Mode::On || percentage == 0 || bytes <= least {
            return None;
        }
        let base = state.figures.base_bytes.load(Relaxed).max(1);
        let growth = (bytes.saturating_mul(100) / base).saturating_sub(100);
        (growth >= percentage).then_some(growth)
    }

    pub(super) fn rewrite(&mut self) {
        let engine = self.engine.clone();
        let state = &engine.append_only;
        engine
            .log
            .notice("Background append only file rewriting started");
        let rewritten = match state.mode() {
            Mode::On if !state.has_fsync_failed() => self.write_usual(),
            Mode::On | Mode::WaitsForBase => self.write_anew(),
            Mode::Off => self.write_while_off(),
        };
        let now_ms = clock::unix_ms();
        match rewritten {
            Ok(()) => {
                if state.mode() == Mode::WaitsForBase {
                    state.set_mode(Mode::On);
                    state.durability.set_base(true);
                }
                state.rewrites.record_end(true, now_ms);
                engine
                    .log
                    .notice("Background AOF rewrite finished successfully");
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                state.rewrites.record_cancelled();
                engine.log.notice("Background AOF rewrite cancelled");
            }
            Err(error) => {
                engine.log.warning(format_args!(
                    "Background AOF rewrite terminated with error: {error}"
                ));
                let minutes = state.rewrites.record_end(false, now_ms);
                if minutes > 0 {
                    engine.log.warning(format_args!(
                        "Background AOF rewrite has repeatedly failed and triggered the limit, will retry in {minutes} \
                         minutes"
                    ));
                }
            }
        }
    }

    /// The old files stay valid to the end.
    fn write_usual(&mut self) -> io::Result<()> {
        // A user may have removed the folder while the server runs.
        self.folder.create()?;
        let engine = self.engine.clone();
        let feed = self.feed.clone();
        let division = feed.begin_division();
        let image = Image::take(&engine, |_, end| division.divide(end));
        division.switch(|| self.folder.begin_increment())?;
        let is_rdb = self.write_base(&image)?;
        self.folder.replace_base(is_rdb)?;
        self.conclude();
        Ok(())
    }

    /// The old files are not continued. If effects were not kept before, they are from the moment of the image on.
    fn write_anew(&mut self) -> io::Result<()> {
        let engine = self.engine.clone();
        let increment = match self.prepared.take() {
            Some(increment) => increment,
            None => self.folder.prepare_increment()?,
        };
        let feed = self.feed.clone();
        let division = feed.begin_division();
        let image = Image::take(&engine, |keyspace, end| {
            let listeners = &keyspace.listeners;
            listeners.set_recorded(Recorder::AppendOnlyFile, true);
            division.divide(end);
        });
        division.begin(increment);
        self.engine.apply_fsync_policy();
        let is_rdb = self.write_base(&image)?;
        self.folder.begin_anew(is_rdb)?;
        let state = &engine.append_only;
        if state.set_fsync_failure(None) | state.set_write_failure(None) {
            let text = "AOF write error looks solved. The server can write again.";
            engine.log.warning(text);
        }
        state.durability.advance(image.snapshot.journal_end);
        self.conclude();
        Ok(())
    }

    /// BGREWRITEAOF while the file is off writes a base, as in Redis.
    fn write_while_off(&mut self) -> io::Result<()> {
        self.read_folder().map_err(io::Error::other)?;
        self.folder.create()?;
        self.folder.abandon_prepared();
        let engine = self.engine.clone();
        let image = Image::take(&engine, |_, _| {});
        let is_rdb = self.write_base(&image)?;
        self.folder.begin_anew(is_rdb)?;
        self.conclude();
        Ok(())
    }

    /// Writes the base; returns whether it is an RDB file.
    fn write_base(&mut self, image: &Image<'_>) -> io::Result<bool> {
        let is_rdb = self.engine.config.aof_use_rdb_preamble.get();
        let path = self.folder.next_base(is_rdb);
        let bytes = base::write(&self.engine, image, self.folder.disk(), &path, is_rdb)?;
        self.engine.log.notice(format_args!(
            "AOF base written: {bytes} bytes in {}",
            path.display()
        ));
        Ok(is_rdb)
    }

    /// The new files are in place: the old ones go.
    fn conclude(&mut self) {
        let figures = &self.engine.append_only.figures;
        let base = self.folder.manifest().base();
        let base_bytes = base.map_or(0, |base| self.folder.bytes_of(base));
        let bytes = base_bytes + self.feed.increment_bytes();
        figures.current_bytes.store(bytes, Relaxed);
        figures.base_bytes.store(bytes, Relaxed);
        self.remove_history();
    }

    fn remove_history(&mut self) {
        if self.engine.config.aof_disable_auto_gc.get() {
            return;
        }
        if let Err(error) = self.folder.remove_history() {
            let line = format_args!("Removing old AOF files: {error}");
            self.engine.log.warning(line);
        }
    }
}
