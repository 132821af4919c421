//! What a primary does once a second: it pings its replicas through the stream, drops those that are silent or too far
//! behind, and drops the backlog when there has been no replica for long.

use crate::keyspace::listeners::Recorder;
use crate::state::Server;
use crate::state::replication::replicas::{Replica, Stage};
use crate::util::clock;
use std::sync::atomic::Ordering::Relaxed;

/// Keeps the replicas. Called once a second.
pub fn keep(server: &Server) {
    let (replication, config) = (&server.replication, &server.config);
    if !replication.backlog.is_active() && !replication.replicas.are_any() {
        return;
    }
    let now_ms = clock::unix_ms();
    let period_ms = 1000 * config.repl_ping_replica_period.get();
    if replication.replicas.are_any()
        && !replication.is_replica()
        && now_ms - replication.pinged_at_ms.load(Relaxed) >= period_ms
    {
        replication.pinged_at_ms.store(now_ms, Relaxed);
        replication.say(&[b"PING"]);
    }
    for replica in replication.replicas.all() {
        drop_silent(server, &replica, now_ms);
    }
    server.limit_replicas();
    count_good(server);
    let longest_ms = 1000 * config.repl_backlog_ttl.get();
    // A replica keeps it, because it may be promoted.
    if longest_ms > 0
        && !replication.is_replica()
        && replication.is_without_replicas_for(longest_ms, now_ms)
    {
        replication.end_stream(|| {
            let listeners = &server.keyspace.listeners;
            listeners.set_recorded(Recorder::Replication, false);
            server.log.notice(format_args!(
                "Replication backlog freed after {} seconds without connected replicas.",
                longest_ms / 1000
            ));
        });
    }
}

/// Counts the replicas that keep up, for `min-replicas-to-write`.
pub fn count_good(server: &Server) {
    let most_lag_s = server.config.min_replicas_max_lag.get();
    let replicas = &server.replication.replicas;
    replicas.count_good(most_lag_s, clock::unix_ms());
}

fn drop_silent(server: &Server, replica: &Replica, now_ms: i64) {
    let longest_ms = 1000 * server.config.repl_timeout.get();
    if replica.stage() == Stage::Online && replica.lag_ms(now_ms) > longest_ms {
        server.log.warning_of_clients(format_args!(
            "Disconnecting timedout replica (streaming sync): {}",
            replica.name()
        ));
        replica.client.disconnect();
    }
}
