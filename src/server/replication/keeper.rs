//! What is done once a second. A primary pings its replicas through the stream, drops those that are silent or too far
//! behind, and drops the backlog when there has been no replica for long. A writable replica removes keys of its own
//! that have expired.

use crate::command::execute::Engine;
use crate::keyspace::entry::Entry;
use crate::keyspace::listeners::Recorder;
use crate::keyspace::space::Key;
use crate::keyspace::view::View;
use crate::state::Server;
use crate::state::replication::replicas::{Replica, Stage};
use crate::util::clock;
use std::sync::atomic::Ordering::Relaxed;

/// Called once a second.
pub fn keep(engine: &Engine) {
    remove_local_keys(engine);
    keep_replicas(engine);
}

fn remove_local_keys(engine: &Engine) {
    let deadlines = &engine.replication.local_deadlines;
    let now_ms = clock::unix_ms();
    for (_, database, name) in deadlines.take_due(now_ms) {
        let key = Key::new(database, &name);
        // Whatever else the keyspace does with keys that have expired, this view removes them.
        let db = engine.locks.write(View::from(now_ms), &[key]);
        if let Some(deadline_ms) = db.look_silently(&key).and_then(Entry::expires_at_ms) {
            deadlines.remember((deadline_ms, database, name));
        }
    }
    engine.deliver_pushes();
}

fn keep_replicas(server: &Server) {
    let (replication, config) = (&server.replication, &server.config);
    if !replication.backlog.is_active() && !replication.replicas.are_any() {
        return;
    }
    let now_ms = clock::unix_ms();
    let period_ms = ms(config.repl_ping_replica_period.get());
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
    let longest_ms = ms(config.repl_backlog_ttl.get());
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

fn ms(seconds: i64) -> i64 {
    seconds.saturating_mul(1000)
}

fn drop_silent(server: &Server, replica: &Replica, now_ms: i64) {
    let longest_ms = ms(server.config.repl_timeout.get());
    if replica.stage() == Stage::Online && replica.lag_ms(now_ms) > longest_ms {
        server.log.warning_of_clients(format_args!(
            "Disconnecting timedout replica (streaming sync): {}",
            replica.name()
        ));
        replica.client.disconnect();
    }
}
