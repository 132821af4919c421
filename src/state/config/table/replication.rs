//! Directives about replication and the cluster.

use super::{
    Directive, INT_MAX, LONG_MAX, boolean, integer, memory, optional_text, special, text, word,
};
use crate::state::config::value::{Kind, Word};

pub(super) const TABLE: &[Directive] = &[
    special("replicaof", Kind::ReplicaOf, "no one")
        .alias("slaveof")
        .immutable()
        .refused(),
    optional_text("masteruser").sensitive(),
    optional_text("masterauth").sensitive(),
    boolean("replica-serve-stale-data", "yes").alias("slave-serve-stale-data"),
    boolean("replica-read-only", "yes").alias("slave-read-only"),
    boolean("replica-ignore-maxmemory", "yes").alias("slave-ignore-maxmemory"),
    boolean("replica-lazy-flush", "no").alias("slave-lazy-flush"),
    boolean("replica-announced", "yes"),
    boolean("replica-ignore-disk-write-errors", "no"),
    integer("replica-priority", 0, INT_MAX, "100").alias("slave-priority"),
    optional_text("replica-announce-ip").alias("slave-announce-ip"),
    integer("replica-announce-port", 0, 65_535, "0").alias("slave-announce-port"),
    integer("min-replicas-to-write", 0, INT_MAX, "0")
        .alias("min-slaves-to-write")
        .refused(),
    integer("min-replicas-max-lag", 0, INT_MAX, "10").alias("min-slaves-max-lag"),
    integer("repl-ping-replica-period", 1, INT_MAX, "10").alias("repl-ping-slave-period"),
    integer("repl-timeout", 1, INT_MAX, "60").number(|fields| &fields.repl_timeout),
    boolean("repl-disable-tcp-nodelay", "no"),
    memory("repl-backlog-size", 1, LONG_MAX as u64, "1048576"),
    integer("repl-backlog-ttl", 0, LONG_MAX, "3600"),
    boolean("repl-diskless-sync", "yes"),
    integer("repl-diskless-sync-delay", 0, INT_MAX, "5"),
    integer("repl-diskless-sync-max-replicas", 0, INT_MAX, "0"),
    word("repl-diskless-load", REPL_DISKLESS_LOAD, "disabled"),
    word(
        "propagation-error-behavior",
        PROPAGATION_ERROR_BEHAVIOR,
        "ignore",
    ),
    boolean("cluster-enabled", "no").immutable().refused(),
    text("cluster-config-file", "nodes.conf").immutable(),
    integer("cluster-port", 0, 65_535, "0").immutable(),
    integer("cluster-node-timeout", 0, LONG_MAX, "15000"),
    integer("cluster-migration-barrier", 0, INT_MAX, "1"),
    integer("cluster-replica-validity-factor", 0, INT_MAX, "10")
        .alias("cluster-slave-validity-factor"),
    boolean("cluster-replica-no-failover", "no").alias("cluster-slave-no-failover"),
    boolean("cluster-require-full-coverage", "yes"),
    boolean("cluster-allow-reads-when-down", "no"),
    boolean("cluster-allow-pubsubshard-when-down", "yes"),
    boolean("cluster-allow-replica-migration", "yes"),
    memory("cluster-link-sendbuf-limit", 0, u64::MAX, "0"),
    optional_text("cluster-announce-ip"),
    optional_text("cluster-announce-hostname").check(announced_hostname),
    optional_text("cluster-announce-human-nodename").check(announced_nodename),
    integer("cluster-announce-port", 0, 65_535, "0"),
    integer("cluster-announce-tls-port", 0, 65_535, "0"),
    integer("cluster-announce-bus-port", 0, 65_535, "0"),
    word(
        "cluster-preferred-endpoint-type",
        CLUSTER_PREFERRED_ENDPOINT_TYPE,
        "ip",
    ),
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
