//! INFO replication: the role of the server, its replicas, its stream.

use crate::command::call::Call;
use crate::keyspace::survey::Survey;
use crate::state::replication::replicas::{Ack, Stage};
use std::fmt::Write;

/// Writes the section.
pub(super) fn write(call: &Call, _: &Survey, out: &mut String) {
    let (config, replication) = (&call.server.config, &call.server.replication);
    let replicas = replication.replicas.all();
    line!(out, "role:master");
    line!(out, "connected_slaves:{}", replicas.len());
    if config.min_replicas_to_write.get() > 0 && config.min_replicas_max_lag.get() > 0 {
        let good = replication.replicas.good();
        line!(out, "min_slaves_good_slaves:{good}");
    }
    for (number, replica) in replicas.iter().enumerate() {
        let (state, lag_s) = match replica.stage() {
            Stage::Waits => ("wait_bgsave", 0),
            Stage::Snapshot => ("send_bulk", 0),
            Stage::Online => ("online", replica.lag_ms(call.now_ms) / 1000),
        };
        line!(
            out,
            "slave{number}:ip={},port={},state={state},offset={},lag={lag_s}",
            replica.shown_address(),
            replica.port,
            replica.acked(Ack::Applied),
        );
    }
    let identity = replication.identity();
    let backlog = replication.backlog.figures();
    line!(out, "master_failover_state:no-failover");
    line!(out, "master_replid:{}", identity.id);
    line!(out, "master_replid2:{}", identity.second_id);
    line!(out, "master_repl_offset:{}", backlog.end);
    line!(out, "second_repl_offset:{}", identity.second_end);
    line!(out, "repl_backlog_active:{}", u8::from(backlog.is_active));
    line!(out, "repl_backlog_size:{}", config.repl_backlog_size.get());
    line!(out, "repl_backlog_first_byte_offset:{}", backlog.first_byte);
    line!(out, "repl_backlog_histlen:{}", backlog.len);
}
