//! The state of the server except its data: configuration, clients, channels, statistics, saves.
//!
//! All threads share one [`Server`]. Each part has its own file, which says under "Thread safety" and "Invariants" how
//! it is locked.
//!
//! # The order of locks
//! A thread that holds a lock may take only locks to the right of it:
//!
//! ```text
//!   change of the role ──> carrying out the stream (`applying`) ──> division of the change log ──> shards
//!
//!   shards, ascending ─┬─> outcome of a wait ──> one user, what is tracked
//!                      ├─> tables of channels ──> turn to publish ─┬─> an outbox
//!                      ├─> list of monitors ───────────────────────┼─> list of pushes
//!                      ├─> what is tracked ──> clients, a mode ────┘
//!                      ├─> users ──> one user
//!                      ├─> changing (config) ──> directives without a field, text fields
//!                      ├─> changing (libraries) ──> table of libraries, idle interpreters, log
//!                      └─> every other mutex
//!   reader of the change log ─┬─> replication backlog, lanes of the change log
//!                             └─> list of replicas, log
//!   identity of the stream ──> replication backlog
//!   book of transfers ──> a round
//!   durability (append-only file) ──> waits for progress ─┬─> outcome of a wait
//!                                                         └─> list of replicas
//! ```
//! Shards stand first, because a transaction runs any command under the locks of its shards. "Every other mutex" is a
//! leaf: no lock is taken under it. An outbox and the list of pushes are taken one after the other, not both at once.
//!
//! Held during system calls: the log (writes a line, see [`log`]), `changing` (CONFIG REWRITE replaces the file and
//! waits for the disk; CONFIG SET dir), an outbox and `Pause` (ring doorbells, which does not block).

use crate::keyspace::space::Keyspace;
use crate::util::random::hex_digits;
use crate::util::{clock, doorbell, open_files};
use acl::Acl;
use append_only::{AppendOnly, FsyncPolicy, Mode};
use clients::{Client, Clients};
use config::{Changes, Config};
use epoch::Epoch;
use latency::{LatencyEvents, Sample};
use loading::Loading;
use log::Log;
use memory::{MemoryAccount, MemoryPeak, MemoryUse, Overhead};
use memory_limit::MemoryLimit;
use monitors::Monitors;
use outbox::{OutputClass, Pushes};
use pause::Pause;
use progress::Progress;
use pubsub::PubSub;
use rates::{Rates, Totals};
use replication::{ID_DIGITS, Replication, link};
use saves::Saves;
use scripts::Scripts;
use shutdown::Shutdown;
use slow_log::SlowLog;
use statistics::Statistics;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use tracking::Tracking;
use transfers::Transfers;

pub mod acl;
pub mod append_only;
pub mod change_log;
pub mod client_memory;
pub mod clients;
pub mod config;
pub mod epoch;
pub mod latency;
pub mod loading;
pub mod log;
pub mod memory;
pub mod memory_limit;
pub mod monitors;
pub mod outbox;
pub mod pause;
pub mod process;
pub mod progress;
pub mod pubsub;
pub mod rates;
pub mod replication;
pub mod saves;
pub mod scripts;
pub mod shutdown;
pub mod slow_log;
pub mod statistics;
pub mod tracking;
pub mod transfers;
pub mod values;
pub mod waiting;

/// Files that the server needs beside its clients' sockets: dump, log, listeners.
const RESERVED_FILES: u64 = 32;

/// Files of a client: its socket, and the bell that it needs while it waits for a key or listens to a channel.
const FILES_OF_A_CLIENT: u64 = 1 + doorbell::FILES;

/// The sockets on which the server listens, as far as CONFIG SET moves them.
pub trait Sockets: fmt::Debug + Send + Sync {
    /// Listens at this port of these addresses, each a word of `bind`, and nowhere else; nowhere if the port is 0.
    ///
    /// # Errors
    /// The line for the log. The server listens on those sockets that could be opened.
    fn listen(&self, addresses: &[String], port: u16) -> Result<(), String>;
}

/// Why commands that change data are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteRefusal {
    /// The dump could not be written.
    Dump,
    /// The append-only file cannot be written, for this reason.
    AppendOnly(String),
}

/// Everything that the threads of one server share.
#[derive(Debug)]
pub struct Server {
    /// The keyspace, as far as it can be used without its locks.
    pub keyspace: Arc<Keyspace>,
    /// The directives.
    pub config: Config,
    /// The file the directives were read from.
    pub config_file: Option<PathBuf>,
    /// The users.
    pub acl: Acl,
    /// The connected clients.
    pub clients: Arc<Clients>,
    /// CLIENT PAUSE.
    pub pause: Pause,
    /// The epoch of admission.
    pub epoch: Epoch,
    /// Messages that were pushed to clients and are not delivered yet.
    pub pushes: Arc<Pushes>,
    /// Channels and their subscribers.
    pub pubsub: Arc<PubSub>,
    /// Client-side caching.
    pub tracking: Arc<Tracking>,
    /// The clients that have sent MONITOR.
    pub monitors: Arc<Monitors>,
    /// The counts of INFO.
    pub statistics: Statistics,
    /// The latest slow commands.
    pub slow_log: SlowLog,
    /// The times at which commands took long.
    pub latency_events: LatencyEvents,
    /// Scripts and functions.
    pub scripts: Scripts,
    /// Requests for saves, and the record of past saves.
    pub saves: Saves,
    /// The append-only file.
    pub append_only: AppendOnly,
    /// Replication.
    pub replication: Replication,
    /// The clients that wait for the progress of what they have written.
    pub progress: Arc<Progress>,
    /// Whether the data are those of an earlier moment, and stay as they are: `--until`.
    pub is_read_only: AtomicBool,
    /// The request to stop the server.
    pub shutdown: Shutdown,
    /// The log.
    pub log: Log,
    /// The highest use of memory.
    pub memory_peak: MemoryPeak,
    /// `maxmemory`.
    pub memory_limit: MemoryLimit,
    /// Unix time of the start, in milliseconds.
    pub started_at_ms: i64,
    /// 40 hexadecimal digits, new at every start.
    pub run_id: String,
    sockets: OnceLock<Arc<dyn Sockets>>,
    /// The progress of loading the dump.
    pub loading: Loading,
    /// The rounds in which the dump is sent to clients.
    pub transfers: Arc<Transfers>,
    /// Commands and bytes per second.
    pub rates: Rates,
    /// Memory in use before there were clients and data, in bytes.
    pub startup_bytes: AtomicU64,
}

impl Server {
    /// The state of a server with this keyspace. `commands` is the number of commands in the table.
    pub fn new(
        config: Config,
        config_file: Option<PathBuf>,
        commands: usize,
        keyspace: Arc<Keyspace>,
    ) -> Server {
        let now_ms = clock::unix_ms();
        let pushes = Arc::new(Pushes::default());
        let clients: Arc<Clients> = Arc::default();
        let progress: Arc<Progress> = Arc::default();
        let tracking = Arc::new(Tracking::new(clients.clone(), pushes.clone()));
        tracking.set_most_keys(config.tracking_table_max_keys.get() as u64);
        keyspace.listeners.set_tracker(tracking.clone());
        keyspace.listeners.set_event_classes(config.event_classes());
        let server = Server {
            keyspace,
            config,
            config_file,
            acl: Acl::default(),
            clients,
            tracking,
            pause: Pause::default(),
            epoch: Epoch::default(),
            pubsub: Arc::new(PubSub::new(pushes.clone())),
            monitors: Arc::new(Monitors::new(pushes.clone())),
            pushes,
            statistics: Statistics::new(commands),
            slow_log: SlowLog::default(),
            latency_events: LatencyEvents::default(),
            scripts: Scripts::default(),
            saves: Saves::new(now_ms),
            append_only: AppendOnly::new(&progress),
            replication: Replication::default(),
            progress,
            is_read_only: AtomicBool::new(false),
            shutdown: Shutdown::default(),
            log: Log::default(),
            memory_peak: MemoryPeak::default(),
            memory_limit: MemoryLimit::default(),
            started_at_ms: now_ms,
            run_id: hex_digits(ID_DIGITS),
            sockets: OnceLock::new(),
            loading: Loading::default(),
            transfers: Arc::default(),
            rates: Rates::default(),
            startup_bytes: AtomicU64::new(0),
        };
        server.apply_output_limits();
        server.apply_access_rules(&server.keyspace);
        server.apply_requirepass();
        server.apply_maxmemory();
        server.apply_backlog_size();
        server
    }

    /// Puts changed directives into effect. `may_wait` says that the thread holds no lock, so that it may wait for
    /// others.
    ///
    /// # Errors
    /// The name of a directive that cannot be put into effect, and the reason. The caller restores the values and calls
    /// [`take_back`](Self::take_back).
    pub fn apply_config(
        &self,
        changes: &Changes,
        may_wait: bool,
    ) -> Result<(), (&'static str, String)> {
        let apply = |name| self.apply(name, may_wait).map_err(|reason| (name, reason));
        changes.names().try_for_each(apply)
    }

    /// Puts directives into effect whose old values have been restored. What fails is in the log.
    pub fn take_back(&self, changes: &Changes, may_wait: bool) {
        for name in changes.names() {
            let _ = self.apply(name, may_wait);
        }
    }

    /// Puts the value of a directive into effect, if it is not simply read when it is needed.
    ///
    /// # Errors
    /// The reason why that cannot be.
    fn apply(&self, name: &str, may_wait: bool) -> Result<(), String> {
        match name {
            "appendonly" => self
                .turn_append_only(may_wait)
                .map_err(|()| "Unable to turn on AOF. Check server logs.")?,
            "appendfsync" => self.apply_fsync_policy(),
            "loglevel" => self.log.set_level(self.config.log_level()),
            "notify-keyspace-events" => {
                let classes = self.config.event_classes();
                self.keyspace.listeners.set_event_classes(classes);
            }
            "maxclients" => self.apply_maxclients().map_err(|most| {
                format!("The operating system is not able to handle the specified number of clients, try with {most}")
            })?,
            "maxmemory" => self.apply_new_maxmemory(),
            "maxmemory-clients" => self.apply_maxmemory_clients(),
            "maxmemory-policy" | "lfu-log-factor" | "lfu-decay-time" => {
                self.apply_access_rules(&self.keyspace);
            }
            "client-output-buffer-limit" => self.apply_output_limits(),
            "tracking-table-max-keys" => {
                let most = self.config.tracking_table_max_keys.get();
                self.tracking.set_most_keys(most as u64);
            }
            "repl-backlog-size" => self.apply_backlog_size(),
            "requirepass" => self.apply_requirepass(),
            "slowlog-max-len" => self.slow_log.trim(self.slow_log_len()),
            "jemalloc-bg-thread" => self.apply_background_purge(),
            "port" => self
                .move_sockets()
                .map_err(|()| "Unable to listen on this port. Check server logs.")?,
            "bind" => self
                .move_sockets()
                .map_err(|()| "Failed to bind to specified addresses.")?,
            _ => {}
        }
        Ok(())
    }

    /// Lets client tracking hear of changes as long as it needs to. Called when a client begins or ends to track, and
    /// by the reaper: what clients have read that track no more is forgotten bit by bit, as it changes.
    pub fn listen_for_tracking(&self) {
        let is_in_use = || self.tracking.is_in_use();
        self.keyspace.listeners.set_tracked(is_in_use);
    }

    /// Sets the sockets of the server, once and for all.
    pub fn set_sockets(&self, sockets: Arc<dyn Sockets>) {
        let already = self.sockets.set(sockets);
        debug_assert!(already.is_ok(), "a server has one set of sockets");
    }

    /// Listens where `bind` and `port` say. If that fails, the log says why.
    fn move_sockets(&self) -> Result<(), ()> {
        let Some(sockets) = self.sockets.get() else {
            return Ok(());
        };
        let addresses = self.config.bind_addresses();
        let moved = sockets.listen(&addresses, self.config.port.get() as u16);
        moved.map_err(|error| self.log.warning_of_clients(error))
    }

    /// The greatest number of entries in the slow log.
    pub fn slow_log_len(&self) -> usize {
        usize::try_from(self.config.slowlog_max_len.get()).unwrap_or(usize::MAX)
    }

    /// Puts `jemalloc-bg-thread` into effect.
    pub fn apply_background_purge(&self) {
        memory::purge_in_background(self.config.jemalloc_bg_thread.get());
    }

    /// Puts `maxmemory` into effect. The next command makes room if it must.
    fn apply_maxmemory(&self) {
        let limit = self.config.maxmemory.get() as u64;
        let allocated = || self.memory_peak.allocated();
        self.memory_limit.set(limit, allocated, clock::unix_ms());
        // Its value may be a percentage of `maxmemory`.
        self.apply_maxmemory_clients();
    }

    /// Puts `maxmemory-clients` into effect. The thread that has set it evicts clients, if it must, when its packet has
    /// been answered.
    fn apply_maxmemory_clients(&self) {
        let maxmemory = self.config.maxmemory.get() as u64;
        let memory = &self.clients.memory;
        memory.set_limit(self.config.maxmemory_clients.get(), maxmemory);
        if memory.is_limited() {
            let clients = self.clients.all();
            clients.iter().for_each(|client| client.measure());
        }
    }

    /// Puts a new `maxmemory` into effect, and warns if more is in use already.
    fn apply_new_maxmemory(&self) {
        self.apply_maxmemory();
        let (limit, used) = (self.memory_limit.bytes(), self.memory_peak.allocated());
        if limit != 0 && used > limit {
            self.log.warning_of_clients(format_args!(
                "WARNING: the new maxmemory value set via CONFIG SET ({limit}) is smaller than the current memory \
                 usage ({used}). This will result in key eviction and/or the inability to accept new write commands \
                 depending on the maxmemory-policy."
            ));
        }
    }

    /// Puts `maxmemory-policy` into effect in a keyspace, as far as it concerns the record of accesses.
    pub fn apply_access_rules(&self, keyspace: &Keyspace) {
        let [log_factor, decay_minutes] =
            [&self.config.lfu_log_factor, &self.config.lfu_decay_time]
                .map(|number| u32::try_from(number.get()).unwrap_or(0));
        let rules = &keyspace.access_rules;
        rules.set(self.config.counts_accesses(), log_factor, decay_minutes);
    }

    /// Puts `requirepass` into effect.
    fn apply_requirepass(&self) {
        self.acl
            .set_default_password(&self.config.requirepass.get());
    }

    /// Puts `repl-backlog-size` into effect.
    fn apply_backlog_size(&self) {
        let bytes = self.config.repl_backlog_size.get() as u64;
        let kept = self.replication.backlog.set_size(bytes);
        self.config.set_backlog_size(kept);
    }

    /// Puts `client-output-buffer-limit` into effect.
    fn apply_output_limits(&self) {
        for new in self.config.output_buffer_limits() {
            let class = match new.class {
                "normal" => OutputClass::Normal,
                "slave" => OutputClass::Replica,
                _ => OutputClass::PubSub,
            };
            let limit = &self.pushes.limits[class as usize];
            limit.hard_bytes.store(new.hard_bytes, Relaxed);
            limit.soft_bytes.store(new.soft_bytes, Relaxed);
            limit.soft_seconds.store(new.soft_seconds, Relaxed);
        }
    }

    /// Sends what was pushed to clients whose threads sleep. A thread that has pushed something must call this once it
    /// holds no lock.
    pub fn deliver_pushes(&self) {
        self.tracking.broadcast();
        let sent = self.pushes.deliver(|client| self.report_over_limit(client));
        if sent > 0 {
            self.statistics.count_output(0, sent);
        }
    }

    /// Disconnects the replicas that leave more of the stream unread than `client-output-buffer-limit` allows.
    pub fn limit_replicas(&self) {
        let now_ms = clock::unix_ms();
        let backlog = &self.replication.backlog;
        let end = backlog.end();
        for replica in self.replication.replicas.all() {
            let (client, unsent) = (&replica.client, replica.unsent(end) as usize);
            client.buffers.unsent_bytes.store(unsent, Relaxed);
            let limit = self.pushes.limit(client);
            if client.outbox.claim_disconnection(limit, unsent, now_ms) {
                self.report_over_limit(client);
                client.disconnect();
                backlog.wake_readers();
            }
        }
    }

    /// Does that if the slowest replica has this much unread, and that is too much at once; what is too much for some
    /// time is seen by the [keeper](crate::server::replication::keeper).
    pub fn limit_replicas_if_over(&self, unread: u64) {
        let hard_bytes = &self.pushes.limits[OutputClass::Replica as usize].hard_bytes;
        let hard_bytes = hard_bytes.load(Relaxed);
        if hard_bytes > 0 && unread >= hard_bytes {
            self.limit_replicas();
        }
    }

    /// Counts and logs that a client is disconnected because it leaves too much unread. The caller holds no shard's
    /// lock.
    pub fn report_over_limit(&self, client: &Client) {
        self.statistics
            .output_limit_disconnections
            .fetch_add(1, Relaxed);
        self.log.warning_of_clients(format_args!(
            "Client id={} addr={} scheduled to be closed ASAP for overcoming of output buffer limits.",
            client.id, client.address
        ));
    }

    /// Raises the process' limit of open files to what `maxclients` clients may need.
    ///
    /// # Errors
    /// The number of clients that the system's limit allows. Redis counts one file for each client. We count all files
    /// that a client may need, so that neither a client that waits nor a save fails because other clients took the
    /// files.
    fn apply_maxclients(&self) -> Result<(), u64> {
        let wanted = self.config.maxclients.get() as u64 * FILES_OF_A_CLIENT + RESERVED_FILES;
        let limit = open_files::raise_limit(wanted);
        match limit >= wanted {
            true => Ok(()),
            false => Err((limit.saturating_sub(RESERVED_FILES) / FILES_OF_A_CLIENT).max(1)),
        }
    }

    /// Puts `maxclients` into effect at the start, lowered to what the system allows.
    pub fn apply_initial_maxclients(&self) {
        if let Err(possible) = self.apply_maxclients() {
            let wanted = self.config.maxclients.get();
            self.log.warning(format_args!(
                "The system allows {possible} clients at most, not {wanted}"
            ));
            self.config.lower_maxclients(possible as i64);
        }
    }

    /// The uses of the allocated memory.
    pub fn memory_account(&self, used: &MemoryUse) -> MemoryAccount {
        let mut parts = Overhead {
            startup: self.startup_bytes.load(Relaxed),
            backlog: self.replication.backlog.figures().memory_bytes,
            scripts: self.scripts.memory().text_bytes() as u64,
            ..Overhead::default()
        };
        for client in self.clients.all() {
            let bytes = match client.modes.is_replica.load(Relaxed) {
                true => &mut parts.replicas,
                false => &mut parts.clients,
            };
            *bytes += client.memory_bytes() as u64;
        }
        MemoryAccount::new(used.allocated, parts)
    }

    /// Computes the rates since the last call. For the reaper.
    pub fn sample_rates(&self) {
        let sums = self.statistics.sums();
        let totals = Totals {
            commands: self.statistics.calls(),
            input_bytes: sums.input_bytes,
            output_bytes: sums.output_bytes,
        };
        self.rates.sample(Instant::now(), totals);
    }

    /// The path of the dump.
    pub fn dump_path(&self) -> PathBuf {
        Path::new(&*self.config.dbfilename.get()).to_path_buf()
    }

    /// Why commands that change data are refused, if they are.
    #[inline]
    pub fn write_refusal(&self) -> Option<WriteRefusal> {
        match self.saves.background_failed() || self.append_only.has_failed() {
            true => self.find_write_refusal(),
            false => None,
        }
    }

    #[cold]
    fn find_write_refusal(&self) -> Option<WriteRefusal> {
        let has_failed = self.saves.background_failed()
            && self.config.stop_writes_on_bgsave_error.get()
            && !self.config.save_points().is_empty();
        match has_failed {
            true => Some(WriteRefusal::Dump),
            false if self.append_only.mode() == Mode::Off => None,
            false => self.append_only.failure().map(WriteRefusal::AppendOnly),
        }
    }

    /// Whether fewer replicas keep up than `min-replicas-to-write` wants.
    #[inline]
    pub fn lacks_replicas(&self) -> bool {
        let wanted = self.config.min_replicas_to_write.get();
        wanted > 0
            && self.config.min_replicas_max_lag.get() > 0
            && (self.replication.replicas.good() as i64) < wanted
    }

    /// Whether the data may be old, and are not to be shown: this is a replica without a link to its primary, and
    /// `replica-serve-stale-data` is off.
    #[inline]
    pub fn hides_stale_data(&self) -> bool {
        self.replication.is_replica()
            && !self.config.replica_serve_stale_data.get()
            && self.replication.link.stage() != link::Stage::Connected
    }

    /// Whether a save or a rewrite is under way.
    pub fn is_saving(&self) -> bool {
        self.saves.record().in_progress || self.append_only.rewrites.record().in_progress
    }

    /// Notes that an fsync of the append-only file has failed, for this reason. Linux may have dropped what it could
    /// not write, and would report success the next time: so the file is not trusted any more, and a new one is begun.
    pub fn give_up_increment(&self, words: String) {
        self.log.warning(format_args!(
            "Fail to fsync the AOF file: {words}. It is not tried again on this file; a new one is begun."
        ));
        self.append_only.set_fsync_failure(Some(words));
        self.append_only.rewrites.schedule(false);
    }

    /// Turns the append-only file on or off, as the directive says.
    fn turn_append_only(&self, may_wait: bool) -> Result<(), ()> {
        let on = self.config.appendonly.get();
        let is_possible = !on || !self.is_read_only.load(Relaxed);
        match is_possible && self.append_only.rewrites.turn(on, may_wait) {
            true => Ok(()),
            false => Err(()),
        }
    }

    /// Lets replies wait for the disk if `appendfsync` says so.
    pub fn apply_fsync_policy(&self) {
        let policy = self.config.fsync_policy();
        let is_on = self.append_only.mode() != Mode::Off;
        let delays = is_on && policy == FsyncPolicy::Always;
        self.append_only.durability.delay_replies(delays);
    }

    /// Begins to take the time of something that LATENCY may tell of, if the latency monitor is on.
    pub fn latency_stopwatch(&self) -> Option<Instant> {
        (self.config.latency_monitor_threshold.get() > 0).then(Instant::now)
    }

    /// Notes how long something took that has begun then, if it took as long as the latency monitor asks for.
    pub fn note_latency(&self, event: &'static str, began: Option<Instant>) {
        let threshold_ms = self.config.latency_monitor_threshold.get();
        let duration_ms = began.map_or(0, |began| began.elapsed().as_millis() as u64);
        if threshold_ms > 0 && duration_ms >= threshold_ms as u64 {
            let sample = Sample {
                time_s: clock::unix_ms() / 1000,
                duration_ms,
            };
            self.latency_events.add(event, sample);
        }
    }

    /// Resets the counts: CONFIG RESETSTAT.
    pub fn reset_statistics(&self) {
        self.statistics.reset();
        self.acl.log.reset_counts();
        self.clients.reset_counts();
        self.keyspace.reset_counts();
        self.memory_limit.reset();
    }
}
