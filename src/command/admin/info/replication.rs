//! INFO replication: the role of the server, its replicas, its stream.

use crate::command::call::Call;
use crate::keyspace::survey::Survey;
use crate::state::replication::failover;
use crate::state::replication::link::{self, Address};
use crate::state::replication::replicas::{Ack, Stage};
use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

/// Writes the section.
pub(super) fn write(call: &Call, _: &Survey, out: &mut String) {
    let (config, replication) = (&call.server.config, &call.server.replication);
    let replicas = replication.replicas.all();
    match replication.primary() {
        None => line!(out, "role:master"),
        Some(primary) => write_link(call, &primary, out),
    }
    line!(out, "connected_slaves:{}", replicas.len());
    if config.min_replicas_to_write.get() > 0 && config.min_replicas_max_lag.get() > 0 {
        let good = replication.replicas.good();
        line!(out, "min_slaves_good_slaves:{good}");
    }
    for (number, replica) in replicas.iter().enumerate() {
        let stage = replica.stage();
        let lag_s = match stage {
            Stage::Waits | Stage::Snapshot => 0,
            Stage::Online => replica.lag_ms(call.now_ms) / 1000,
        };
        line!(
            out,
            "slave{number}:ip={},port={},state={},offset={},lag={lag_s}",
            replica.shown_address(),
            replica.port,
            stage.name(),
            replica.acked(Ack::Applied),
        );
    }
    replication.catch_up(call.session.transaction.is_running);
    let identity = replication.identity();
    let backlog = replication.backlog.figures();
    let failover = match replication.failover.stage() {
        failover::Stage::NoFailover => "no-failover",
        failover::Stage::WaitsForSync => "waiting-for-sync",
        failover::Stage::InProgress => "failover-in-progress",
    };
    line!(out, "master_failover_state:{failover}");
    line!(out, "master_replid:{}", identity.id);
    line!(out, "master_replid2:{}", identity.second_id);
    line!(out, "master_repl_offset:{}", backlog.end);
    line!(out, "second_repl_offset:{}", identity.second_end);
    line!(out, "repl_backlog_active:{}", u8::from(backlog.is_active));
    line!(out, "repl_backlog_size:{}", config.repl_backlog_size.get());
    line!(out, "repl_backlog_first_byte_offset:{}", backlog.first_byte);
    line!(out, "repl_backlog_histlen:{}", backlog.len);
}

/// The lines about the link of a replica to its primary.
fn write_link(call: &Call, primary: &Address, out: &mut String) {
    let (config, replication) = (&call.server.config, &call.server.replication);
    let (stage, figures) = (replication.link.stage(), &replication.link.figures);
    let is_up = stage == link::Stage::Connected;
    let seconds_since = |since_ms: i64| match since_ms {
        0 => -1,
        since_ms => (call.now_ms - since_ms).max(0) / 1000,
    };
    let heard = seconds_since(figures.heard_at_ms.load(Relaxed));
    let is_transfer = stage == link::Stage::Transfer;
    let offset = replication.backlog.end();
    line!(out, "role:slave");
    line!(out, "master_host:{}", primary.host);
    line!(out, "master_port:{}", primary.port);
    line!(
        out,
        "master_link_status:{}",
        if is_up { "up" } else { "down" }
    );
    line!(
        out,
        "master_last_io_seconds_ago:{}",
        if is_up { heard } else { -1 }
    );
    line!(out, "master_sync_in_progress:{}", u8::from(is_transfer));
    line!(out, "slave_read_repl_offset:{offset}");
    line!(out, "slave_repl_offset:{offset}");
    if is_transfer {
        let total = figures.total_bytes.load(Relaxed);
        let read = figures.read_bytes.load(Relaxed);
        let percent = read as f64 / total.max(1) as f64 * 100.0;
        line!(out, "master_sync_total_bytes:{total}");
        line!(out, "master_sync_read_bytes:{read}");
        line!(out, "master_sync_left_bytes:{}", total.saturating_sub(read));
        line!(out, "master_sync_perc:{percent:.2}");
        line!(out, "master_sync_last_io_seconds_ago:{heard}");
    }
    if !is_up {
        let since = seconds_since(figures.down_since_ms.load(Relaxed));
        line!(out, "master_link_down_since_seconds:{since}");
    }
    line!(out, "slave_priority:{}", config.replica_priority.get());
    line!(
        out,
        "slave_read_only:{}",
        u8::from(config.replica_read_only.get())
    );
    line!(
        out,
        "replica_announced:{}",
        u8::from(config.replica_announced.get())
    );
}
