//! The fields in which the configuration keeps what the server reads often: one atomic load each.
//!
//! Relaxed loads are enough, because no directive guards other memory. Only [`Config`](super::Config) sets them.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

/// The directives that other parts of the server read, each under its own name.
#[derive(Debug, Default)]
#[allow(missing_docs)] // each is explained in redis.conf
pub struct Fields {
    pub bind: Text,
    pub port: Number,
    /// An empty path for none.
    pub unixsocket: Text,
    /// Bits of permissions; 0 leaves them to the system.
    pub unixsocketperm: Number,
    /// Connections that may wait to be accepted.
    pub tcp_backlog: Number,
    pub protected_mode: Flag,
    pub maxclients: Number,
    /// Seconds.
    pub repl_timeout: Number,
    /// Seconds.
    pub repl_ping_replica_period: Number,
    pub repl_disable_tcp_nodelay: Flag,
    /// Bytes.
    pub repl_backlog_size: Number,
    /// Seconds; 0 for never.
    pub repl_backlog_ttl: Number,
    pub repl_diskless_sync: Flag,
    pub repl_diskless_load: Number,
    /// Seconds.
    pub repl_diskless_sync_delay: Number,
    /// 0 for any number.
    pub repl_diskless_sync_max_replicas: Number,
    /// The host and the port of the primary, with a blank between them; empty for none.
    pub replicaof: Text,
    pub masteruser: Text,
    pub masterauth: Text,
    pub replica_serve_stale_data: Flag,
    pub replica_read_only: Flag,
    pub replica_ignore_maxmemory: Flag,
    pub replica_announced: Flag,
    pub replica_priority: Number,
    pub replica_announce_ip: Text,
    pub replica_announce_port: Number,
    pub min_replicas_to_write: Number,
    /// Seconds.
    pub min_replicas_max_lag: Number,
    /// Seconds; 0 for never.
    pub timeout: Number,
    /// Seconds; 0 for never.
    pub tcp_keepalive: Number,
    pub proto_max_bulk_len: Number,
    pub client_query_buffer_limit: Number,
    /// See [`Config::output_buffer_limits`](super::Config::output_buffer_limits).
    pub client_output_buffer_limit: Text,
    pub dbfilename: Text,
    pub save: Text,
    pub rdbcompression: Flag,
    pub rdbchecksum: Flag,
    /// The RDB version of dumps: 9, 10 or 11.
    pub rdb_version: Number,
    /// Whether a dump is read back before it replaces the old one. Redis has no such directive.
    pub rdb_read_back: Flag,
    pub stop_writes_on_bgsave_error: Flag,
    /// Microseconds; in Redis a negative number is a pause after several keys, here it is none.
    pub rdb_key_save_delay: Number,
    /// See [`rdb_key_save_delay`](Self::rdb_key_save_delay).
    pub key_load_delay: Number,
    pub appendonly: Flag,
    pub appendfilename: Text,
    pub appenddirname: Text,
    /// See [`FsyncPolicy`](crate::state::append_only::FsyncPolicy).
    pub appendfsync: Number,
    pub no_appendfsync_on_rewrite: Flag,
    pub auto_aof_rewrite_percentage: Number,
    /// Bytes.
    pub auto_aof_rewrite_min_size: Number,
    pub aof_load_truncated: Flag,
    pub aof_use_rdb_preamble: Flag,
    pub aof_timestamp_enabled: Flag,
    /// Whether files that a rewrite has replaced stay.
    pub aof_disable_auto_gc: Flag,
    pub hash_max_listpack_entries: Number,
    pub hash_max_listpack_value: Number,
    /// Elements if positive; -1 to -5 for 4 to 64 kB.
    pub list_max_listpack_size: Number,
    pub set_max_intset_entries: Number,
    pub set_max_listpack_entries: Number,
    pub set_max_listpack_value: Number,
    pub zset_max_listpack_entries: Number,
    pub zset_max_listpack_value: Number,
    pub stream_node_max_entries: Number,
    pub stream_node_max_bytes: Number,
    pub hll_sparse_max_bytes: Number,
    /// Milliseconds that a script may run before clients that need its keys hear that it is busy; 0 for ever.
    pub busy_reply_threshold: Number,
    pub maxmemory: Number,
    /// Bytes, or a percentage of `maxmemory` as a negative number.
    pub maxmemory_clients: Number,
    pub maxmemory_policy: Number,
    pub maxmemory_samples: Number,
    pub maxmemory_eviction_tenacity: Number,
    pub lazyfree_lazy_eviction: Flag,
    pub lfu_log_factor: Number,
    pub lfu_decay_time: Number,
    /// Whether the allocator has a thread that gives freed memory back to the system.
    pub jemalloc_bg_thread: Flag,
    pub databases: Number,
    /// See [`Config::log_level`](super::Config::log_level).
    pub loglevel: Number,
    pub logfile: Text,
    /// An empty path for none.
    pub pidfile: Text,
    pub requirepass: Text,
    pub tracking_table_max_keys: Number,
    pub aclfile: Text,
    pub acllog_max_len: Number,
    pub acl_pubsub_default: Number,
    /// Seconds for which replicas are waited for; 0 for none.
    pub shutdown_timeout: Number,
    /// See [`ShutdownMode`](crate::state::shutdown::ShutdownMode).
    pub shutdown_on_sigint: Number,
    /// See [`shutdown_on_sigint`](Self::shutdown_on_sigint).
    pub shutdown_on_sigterm: Number,
    /// See [`Config::supervision`](super::Config::supervision).
    pub supervised: Number,
    /// See [`Permission`](super::Permission).
    pub enable_protected_configs: Number,
    /// See [`Permission`](super::Permission).
    pub enable_debug_command: Number,
    /// See [`Permission`](super::Permission).
    pub enable_module_command: Number,
    /// Bits of [`class`](crate::keyspace::events::class).
    pub notify_keyspace_events: Number,
    /// Microseconds; negative for never.
    pub slowlog_log_slower_than: Number,
    pub slowlog_max_len: Number,
    /// Milliseconds; 0 for never.
    pub latency_monitor_threshold: Number,
    pub latency_tracking: Flag,
    /// Numbers with blanks between them.
    pub latency_tracking_info_percentiles: Text,
}

/// A number of the configuration.
#[derive(Debug, Default)]
pub struct Number(AtomicI64);

impl Number {
    pub(super) fn set(&self, number: i64) {
        self.0.store(number, Relaxed);
    }

    /// The present value.
    #[inline]
    pub fn get(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

/// A flag of the configuration.
#[derive(Debug, Default)]
pub struct Flag(AtomicBool);

impl Flag {
    pub(super) fn set(&self, flag: bool) {
        self.0.store(flag, Relaxed);
    }

    /// The present value.
    #[inline]
    pub fn get(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// A text of the configuration. Reading it takes a lock for a moment, so it is not for the hot path.
#[derive(Debug)]
pub struct Text(RwLock<Arc<str>>);

impl Default for Text {
    fn default() -> Text {
        Text(RwLock::new("".into()))
    }
}

impl Text {
    /// The present value.
    pub fn get(&self) -> Arc<str> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn set(&self, text: &str) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = text.into();
    }
}
