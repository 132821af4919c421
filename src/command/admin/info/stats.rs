//! INFO stats.

use crate::command::call::Call;
use crate::keyspace::survey::Survey;
use crate::state::Server;
use crate::state::acl::Denied;
use crate::state::pubsub::Kind;
use crate::util::clock;
use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

pub(super) fn write(call: &Call, _: &Survey, out: &mut String) {
    traffic(call.server, out);
    keys(call.server, out);
    channels(call.server, out);
    never(out);
    let (keys, items, prefixes) = call.server.tracking.totals();
    line!(out, "tracking_total_keys:{keys}");
    line!(out, "tracking_total_items:{items}");
    line!(out, "tracking_total_prefixes:{prefixes}");
    errors(call.server, out);
}

/// Clients, commands and bytes.
fn traffic(server: &Server, out: &mut String) {
    const KIB: u64 = 1024;
    let sums = server.statistics.sums();
    let now = server.rates.per_second();
    let kib = |bytes: u64| bytes as f64 / KIB as f64;
    let (received, rejected) = server.clients.received_and_rejected();
    line!(out, "total_connections_received:{received}");
    let commands = server.statistics.calls();
    line!(out, "total_commands_processed:{commands}");
    line!(out, "instantaneous_ops_per_sec:{}", now.commands);
    line!(out, "total_net_input_bytes:{}", sums.input_bytes);
    line!(out, "total_net_output_bytes:{}", sums.output_bytes);
    line!(out, "total_net_repl_input_bytes:0");
    line!(out, "total_net_repl_output_bytes:0");
    line!(out, "instantaneous_input_kbps:{:.2}", kib(now.input_bytes));
    line!(
        out,
        "instantaneous_output_kbps:{:.2}",
        kib(now.output_bytes)
    );
    line!(out, "instantaneous_input_repl_kbps:0.00");
    line!(out, "instantaneous_output_repl_kbps:0.00");
    line!(out, "rejected_connections:{rejected}");
    line!(
        out,
        "sync_full:{}",
        server.statistics.full_syncs.load(Relaxed)
    );
    for (name, count) in [
        ("sync_partial_ok", &server.statistics.partial_syncs),
        ("sync_partial_err", &server.statistics.refused_partial_syncs),
    ] {
        line!(out, "{name}:{}", count.load(Relaxed));
    }
    line!(out, "total_reads_processed:{}", sums.reads);
    line!(out, "total_writes_processed:{}", sums.writes);
    line!(out, "io_threaded_reads_processed:0");
    line!(out, "io_threaded_writes_processed:0");
}

/// Keys that went, and look-ups.
fn keys(server: &Server, out: &mut String) {
    let sums = server.statistics.sums();
    line!(out, "expired_keys:{}", server.keyspace.expired());
    // The expirer removes each key when it is due, so none waits to be found by chance.
    line!(out, "expired_stale_perc:0.00");
    line!(out, "expired_time_cap_reached_count:0");
    let expirer_ms = server.statistics.expirer_cpu_ms.load(Relaxed);
    line!(out, "expire_cycle_cpu_milliseconds:{expirer_ms}");
    line!(out, "evicted_keys:{}", server.keyspace.evicted());
    let evicted = server.statistics.evicted_clients.load(Relaxed);
    line!(out, "evicted_clients:{evicted}");
    let (total_ms, current_ms) = server.memory_limit.exceeded_ms(clock::unix_ms());
    line!(out, "total_eviction_exceeded_time:{total_ms}");
    line!(out, "current_eviction_exceeded_time:{current_ms}");
    line!(out, "keyspace_hits:{}", sums.hits);
    line!(out, "keyspace_misses:{}", sums.misses);
}

/// What is subscribed to.
fn channels(server: &Server, out: &mut String) {
    for (name, kind) in [
        ("pubsub_channels", Kind::Channel),
        ("pubsub_patterns", Kind::Pattern),
        ("pubsubshard_channels", Kind::ShardChannel),
    ] {
        line!(out, "{name}:{}", server.pubsub.count(kind));
    }
}

/// Counts of what this server never does: it does not fork, hold sockets for MIGRATE, let keys of replicas expire, or
/// move values to other places in memory.
fn never(out: &mut String) {
    for name in [
        "latest_fork_usec",
        "total_forks",
        "migrate_cached_sockets",
        "slave_expires_tracked_keys",
        "active_defrag_hits",
        "active_defrag_misses",
        "active_defrag_key_hits",
        "active_defrag_key_misses",
        "total_active_defrag_time",
        "current_active_defrag_time",
    ] {
        line!(out, "{name}:0");
    }
}

fn errors(server: &Server, out: &mut String) {
    let statistics = &server.statistics;
    let failures = server.replication.failures.load(Relaxed);
    line!(out, "unexpected_error_replies:{failures}");
    let errors = statistics.error_replies.load(Relaxed);
    line!(out, "total_error_replies:{errors}");
    // Every payload is checked as a dump is.
    line!(out, "dump_payload_sanitizations:0");
    let disconnections = statistics.output_limit_disconnections.load(Relaxed);
    line!(
        out,
        "client_output_buffer_limit_disconnections:{disconnections}"
    );
    for denied in Denied::ALL {
        let (field, count) = (denied.field(), server.acl.log.count(denied));
        line!(out, "acl_access_denied_{field}:{count}");
    }
}
