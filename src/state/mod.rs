//! What the server remembers besides data: configuration, clients, statistics, saves.

use crate::keyspace::space::Keyspace;
use crate::util::{clock, doorbell, open_files};
use clients::{Client, Clients};
use config::{Changes, Config};
use latency::LatencyEvents;
use loading::Loading;
use log::Log;
use memory::{MemoryAccount, MemoryPeak, MemoryUse};
use monitors::Monitors;
use outbox::{OutputClass, Pushes};
use pause::Pause;
use pubsub::PubSub;
use rates::{Rates, Totals};
use saves::Saves;
use shutdown::Shutdown;
use slow_log::SlowLog;
use statistics::Statistics;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;
use transfers::Transfers;

pub mod clients;
pub mod config;
pub mod latency;
pub mod loading;
pub mod log;
pub mod memory;
pub mod monitors;
pub mod outbox;
pub mod pause;
pub mod pubsub;
pub mod rates;
pub mod saves;
pub mod shutdown;
pub mod slow_log;
pub mod statistics;
pub mod transfers;
pub mod values;
pub mod waiting;

/// Files the server needs beside its clients' sockets: dump, log, listeners.
const RESERVED_FILES: u64 = 32;

/// Files of a client: its socket, and the bell that it needs while it waits for a key or listens to a channel.
const FILES_OF_A_CLIENT: u64 = 1 + doorbell::FILES;

/// Everything that the threads of one server share.
#[derive(Debug)]
pub struct Server {
    /// What can be done with the keys and values without locking them.
    pub keyspace: Arc<Keyspace>,
    /// The directives.
    pub config: Config,
    /// The file the directives were read from.
    pub config_file: Option<PathBuf>,
    /// Who is connected.
    pub clients: Arc<Clients>,
    /// Whether clients have to wait before they may do something.
    pub pause: Pause,
    /// What was pushed to clients and is yet to go out.
    pub pushes: Arc<Pushes>,
    /// Who listens to which channels.
    pub pubsub: Arc<PubSub>,
    /// Who looks on.
    pub monitors: Arc<Monitors>,
    /// What INFO counts.
    pub statistics: Statistics,
    /// Which commands took long.
    pub slow_log: SlowLog,
    /// When commands took long.
    pub latency_events: LatencyEvents,
    /// How the dump fares.
    pub saves: Saves,
    /// Whether the server is to stop.
    pub shutdown: Shutdown,
    /// Where lines for people go.
    pub log: Log,
    /// The highest use of memory.
    pub memory_peak: MemoryPeak,
    /// Unix time of the start, in milliseconds.
    pub started_at_ms: i64,
    /// 40 hexadecimal digits, new at every start.
    pub run_id: String,
    /// Where the server listens.
    pub port: u16,
    /// How the loading of the dump goes, or went.
    pub loading: Loading,
    /// Who is sent the dump.
    pub transfers: Arc<Transfers>,
    /// How much is going on at present.
    pub rates: Rates,
    /// Memory in use before there were clients and data, in bytes.
    pub startup_bytes: AtomicU64,
}

impl Server {
    /// A server of this keyspace. `commands` is the size of the command table.
    pub fn new(
        config: Config,
        config_file: Option<PathBuf>,
        commands: usize,
        keyspace: Arc<Keyspace>,
    ) -> Server {
        let now_ms = clock::unix_ms();
        let port = config.port.get() as u16;
        let pushes = Arc::new(Pushes::default());
        keyspace.listeners.set_event_classes(config.event_classes());
        let server = Server {
            keyspace,
            config,
            config_file,
            clients: Arc::default(),
            pause: Pause::default(),
            pubsub: Arc::new(PubSub::new(pushes.clone())),
            monitors: Arc::new(Monitors::new(pushes.clone())),
            pushes,
            statistics: Statistics::new(commands),
            slow_log: SlowLog::default(),
            latency_events: LatencyEvents::default(),
            saves: Saves::new(now_ms),
            shutdown: Shutdown::default(),
            log: Log::default(),
            memory_peak: MemoryPeak::default(),
            started_at_ms: now_ms,
            run_id: (0..40)
                .map(|_| char::from(b"0123456789abcdef"[fastrand::usize(..16)]))
                .collect(),
            port,
            loading: Loading::default(),
            transfers: Arc::default(),
            rates: Rates::default(),
            startup_bytes: AtomicU64::new(0),
        };
        server.apply_output_limits();
        server.apply_access_rules();
        server
    }

    /// Lets changed directives take effect that are not simply read when they are needed. One that cannot is named,
    /// with the reason.
    pub fn apply_config(&self, changes: &Changes) -> Result<(), (&'static str, String)> {
        for name in changes.names() {
            match name {
                "loglevel" => self.log.set_level(self.config.log_level()),
                "notify-keyspace-events" => {
                    let classes = self.config.event_classes();
                    self.keyspace.listeners.set_event_classes(classes);
                }
                "maxclients" => self.apply_maxclients().map_err(|most| {
                    let text = "The operating system is not able to handle the specified number of clients, try with";
                    (name, format!("{text} {most}"))
                })?,
                "maxmemory-policy" | "lfu-log-factor" | "lfu-decay-time" => self.apply_access_rules(),
                "client-output-buffer-limit" => self.apply_output_limits(),
                "slowlog-max-len" => self.slow_log.trim(self.slow_log_len()),
                "jemalloc-bg-thread" => self.apply_background_purge(),
                // Redis moves its sockets; ours stay where they are, and the client is told so in Redis' words.
                "port" => return Err((name, "Unable to listen on this port. Check server logs.".to_string())),
                "bind" => return Err((name, "Failed to bind to specified addresses.".to_string())),
                _ => {}
            }
        }
        Ok(())
    }

    /// How many entries the slow log may have.
    pub fn slow_log_len(&self) -> usize {
        usize::try_from(self.config.slowlog_max_len.get()).unwrap_or(usize::MAX)
    }

    /// Lets `jemalloc-bg-thread` take effect.
    pub fn apply_background_purge(&self) {
        memory::purge_in_background(self.config.jemalloc_bg_thread.get());
    }

    /// Lets the policy of eviction take effect as far as there is one: on what is noted of accesses.
    fn apply_access_rules(&self) {
        let [log_factor, decay_minutes] =
            [&self.config.lfu_log_factor, &self.config.lfu_decay_time]
                .map(|number| u32::try_from(number.get()).unwrap_or(0));
        let rules = &self.keyspace.access_rules;
        rules.set(self.config.counts_accesses(), log_factor, decay_minutes);
    }

    /// Lets the limits of `client-output-buffer-limit` take effect.
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

    /// Sends what was pushed to clients whose threads sleep. Whoever has pushed something calls this, holding no lock.
    pub fn deliver_pushes(&self) {
        let sent = self.pushes.deliver(|client| self.note_over_limit(client));
        if sent > 0 {
            self.statistics.note_output(0, sent);
        }
    }

    /// Notes that a client is disconnected because it leaves too much unread.
    pub fn note_over_limit(&self, client: &Client) {
        self.statistics
            .output_limit_disconnections
            .fetch_add(1, Relaxed);
        self.log.warning_of_clients(format_args!(
            "Client id={} addr={} scheduled to be closed ASAP for overcoming of output buffer limits.",
            client.id, client.address
        ));
    }

    /// Lets the process open as many files as there may be clients need.
    ///
    /// # Errors
    /// How many clients there can be at most. Redis counts one file a client, we count what each may come to need, so
    /// that no client is refused to wait, and no save fails, because others took the files.
    fn apply_maxclients(&self) -> Result<(), u64> {
        let wanted = self.config.maxclients.get() as u64 * FILES_OF_A_CLIENT + RESERVED_FILES;
        let limit = open_files::raise_limit(wanted);
        match limit >= wanted {
            true => Ok(()),
            false => Err((limit.saturating_sub(RESERVED_FILES) / FILES_OF_A_CLIENT).max(1)),
        }
    }

    /// Lets `maxclients` take effect at the start, lowered to what the system allows: fewer clients are better than
    /// none.
    pub fn apply_initial_maxclients(&self) {
        if let Err(possible) = self.apply_maxclients() {
            let wanted = self.config.maxclients.get();
            self.log.warning(format_args!(
                "The system allows {possible} clients at most, not {wanted}"
            ));
            self.config.lower_maxclients(possible as i64);
        }
    }

    /// What the memory is used for.
    pub fn memory_account(&self, used: &MemoryUse) -> MemoryAccount {
        let clients = self.clients.all();
        let bytes: usize = clients.iter().map(|client| client.memory_bytes()).sum();
        let startup = self.startup_bytes.load(Relaxed);
        MemoryAccount::new(used.allocated, startup, bytes as u64)
    }

    /// Looks how much has happened since the last look.
    pub fn look_at_rates(&self) {
        let sums = self.statistics.sums();
        let totals = Totals {
            commands: self.statistics.calls(),
            input_bytes: sums.input_bytes,
            output_bytes: sums.output_bytes,
        };
        self.rates.look(Instant::now(), totals);
    }

    /// Where the dump is.
    pub fn dump_path(&self) -> PathBuf {
        Path::new(&*self.config.dbfilename.get()).to_path_buf()
    }

    /// Whether commands that change data are refused, because the dump cannot be written.
    pub fn refuses_writes(&self) -> bool {
        self.saves.background_failed()
            && self.config.stop_writes_on_bgsave_error.get()
            && !self.config.save_points().is_empty()
    }

    /// Sets to zero what CONFIG RESETSTAT sets to zero.
    pub fn reset_statistics(&self) {
        self.statistics.reset();
        self.clients.reset_counts();
        self.keyspace.reset_expired();
    }
}
