//! Directives about replication and the cluster.

use super::{
    Directive, INT_MAX, LONG_MAX, boolean, integer, memory, optional_text, special, text, word,
};
use crate::state::config::value::{Kind, Word};

pub(super) const TABLE: &[Directive] = &[
    special("replicaof", Kind::ReplicaOf, "no one")
        .alias("slaveof")
        .immutable()
        .text(|fields| &fields.replicaof),
    optional_text("masteruser")
        .sensitive()
        .text(|fields| &fields.masteruser),
    optional_text("masterauth")
        .sensitive()
        .text(|fields| &fields.masterauth),
    boolean("replica-serve-stale-data", "yes")
        .alias("slave-serve-stale-data")
        .flag(|fields| &fields.replica_serve_stale_data),
    boolean("replica-read-only", "yes")
        .alias("slave-read-only")
        .flag(|fields| &fields.replica_read_only),
    boolean("replica-ignore-maxmemory", "yes")
        .alias("slave-ignore-maxmemory")
        .flag(|fields| &fields.replica_ignore_maxmemory),
    boolean("replica-lazy-flush", "no")
        .alias("slave-lazy-flush")
        .no_effect("what is dropped is freed when no lock is held"),
    boolean("replica-announced", "yes").flag(|fields| &fields.replica_announced),
    boolean("replica-ignore-disk-write-errors", "no")
        .no_effect("a replica carries out the stream even if its disk fails"),
    integer("replica-priority", 0, INT_MAX, "100")
        .alias("slave-priority")
        .number(|fields| &fields.replica_priority),
    optional_text("replica-announce-ip")
        .alias("slave-announce-ip")
        .text(|fields| &fields.replica_announce_ip),
    integer("replica-announce-port", 0, 65_535, "0")
        .alias("slave-announce-port")
        .number(|fields| &fields.replica_announce_port),
    integer("min-replicas-to-write", 0, INT_MAX, "0")
        .alias("min-slaves-to-write")
        .number(|fields| &fields.min_replicas_to_write),
    integer("min-replicas-max-lag", 0, INT_MAX, "10")
        .alias("min-slaves-max-lag")
        .number(|fields| &fields.min_replicas_max_lag),
    integer("repl-ping-replica-period", 1, INT_MAX, "10")
        .alias("repl-ping-slave-period")
        .number(|fields| &fields.repl_ping_replica_period),
    integer("repl-timeout", 1, INT_MAX, "60").number(|fields| &fields.repl_timeout),
    boolean("repl-disable-tcp-nodelay", "no").flag(|fields| &fields.repl_disable_tcp_nodelay),
    memory("repl-backlog-size", 1, LONG_MAX as u64, "1048576")
        .number(|fields| &fields.repl_backlog_size),
    integer("repl-backlog-ttl", 0, LONG_MAX, "3600").number(|fields| &fields.repl_backlog_ttl),
    boolean("repl-diskless-sync", "yes").flag(|fields| &fields.repl_diskless_sync),
    integer("repl-diskless-sync-delay", 0, INT_MAX, "5")
        .number(|fields| &fields.repl_diskless_sync_delay),
    integer("repl-diskless-sync-max-replicas", 0, INT_MAX, "0")
        .number(|fields| &fields.repl_diskless_sync_max_replicas),
    word("repl-diskless-load", REPL_DISKLESS_LOAD, "disabled")
        .number(|fields| &fields.repl_diskless_load),
    word(
        "propagation-error-behavior",
        PROPAGATION_ERROR_BEHAVIOR,
        "ignore",
    )
    .no_effect("a replica notes in its log what gives an error, and goes on"),
    boolean("cluster-enabled", "no")
        .immutable()
        .refused("it is no node of a cluster"),
    text("cluster-config-file", "nodes.conf")
        .immutable()
        .no_effect(NO_CLUSTER),
    integer("cluster-port", 0, 65_535, "0")
        .immutable()
        .no_effect(NO_CLUSTER),
    integer("cluster-node-timeout", 0, LONG_MAX, "15000").no_effect(NO_CLUSTER),
    integer("cluster-migration-barrier", 0, INT_MAX, "1").no_effect(NO_CLUSTER),
    integer("cluster-replica-validity-factor", 0, INT_MAX, "10")
        .alias("cluster-slave-validity-factor")
        .no_effect(NO_CLUSTER),
    boolean("cluster-replica-no-failover", "no")
        .alias("cluster-slave-no-failover")
        .no_effect(NO_CLUSTER),
    boolean("cluster-require-full-coverage", "yes").no_effect(NO_CLUSTER),
    boolean("cluster-allow-reads-when-down", "no").no_effect(NO_CLUSTER),
    boolean("cluster-allow-pubsubshard-when-down", "yes").no_effect(NO_CLUSTER),
    boolean("cluster-allow-replica-migration", "yes").no_effect(NO_CLUSTER),
    memory("cluster-link-sendbuf-limit", 0, u64::MAX, "0").no_effect(NO_CLUSTER),
    optional_text("cluster-announce-ip").no_effect(NO_CLUSTER),
    optional_text("cluster-announce-hostname")
        .check(announced_hostname)
        .no_effect(NO_CLUSTER),
    optional_text("cluster-announce-human-nodename")
        .check(announced_nodename)
        .no_effect(NO_CLUSTER),
    integer("cluster-announce-port", 0, 65_535, "0").no_effect(NO_CLUSTER),
    integer("cluster-announce-tls-port", 0, 65_535, "0").no_effect(NO_CLUSTER),
    integer("cluster-announce-bus-port", 0, 65_535, "0").no_effect(NO_CLUSTER),
    word(
        "cluster-preferred-endpoint-type",
        CLUSTER_PREFERRED_ENDPOINT_TYPE,
        "ip",
    )
    .no_effect(NO_CLUSTER),
];

const REPL_DISKLESS_LOAD: &[Word] = &[("disabled", 0), ("on-empty-db", 1), ("swapdb", 2)];
const PROPAGATION_ERROR_BEHAVIOR: &[Word] =
    &[("ignore", 0), ("panic", 1), ("panic-on-replicas", 2)];
const CLUSTER_PREFERRED_ENDPOINT_TYPE: &[Word] =
    &[("ip", 0), ("hostname", 1), ("unknown-endpoint", 2)];

fn announced_hostname(name: &str) -> Result<(), &'static str> {
    if name.len() >= 256 {
        Err("Hostnames must be less than 256 characters")
    } else if !name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
    {
        Err("Hostnames may only contain alphanumeric characters, hyphens or dots")
    } else {
        Ok(())
    }
}

fn announced_nodename(name: &str) -> Result<(), &'static str> {
    if name.contains(|c| "!#$%&()*+:;<>?@[]^{|}~".contains(c)) {
        return Err("Announced human node name contained invalid character");
    }
    Ok(())
}

/// Why the directives of clusters mean nothing.
const NO_CLUSTER: &str = "cluster-enabled is refused";
