//! INFO: <https://redis.io/commands/info/>. Fields of parts that the server does not have are left out, or are what
//! Redis says when the part is idle.

/// Appends a line of a section.
macro_rules! line {
    ($out:expr, $($format:tt)*) => {{
        let _ = write!($out, $($format)*);
        $out.push_str("\r\n");
    }};
}

mod memory;
mod persistence;
mod replication;
mod stats;

use crate::REDIS_VERSION;
use crate::command::call::Call;
use crate::command::error::CommandResult;
use crate::command::spec::*;
use crate::keyspace::survey::Survey;
use crate::state::config::Supervision;
use crate::state::process::ProcessorSeconds;
use crate::state::{Server, process};
use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "info", arity: -1, handler: Survey(info),
        flags: flags(&[LOADING, STALE, CAT_DANGEROUS]), group: Group::Server, since: "1.0.0",
        syntax: "[section [section ...]]", summary: "Returns information and statistics about the server.",
        history: &[("7.0.0", "Added support for taking multiple section arguments.")],
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"], ..BASE },
];

/// A section: its name, whether INFO without arguments shows it, and what writes it.
type Section = (&'static str, bool, fn(&Call, &Survey, &mut String));

const SECTIONS: &[Section] = &[
    ("Server", true, server),
    ("Clients", true, clients),
    ("Memory", true, memory::write),
    ("Persistence", true, persistence::write),
    ("Stats", true, stats::write),
    ("Replication", true, replication::write),
    ("CPU", true, processor),
    ("Modules", true, |_, _, _| {}),
    ("Commandstats", false, command_stats),
    ("Errorstats", true, error_stats),
    ("Latencystats", false, latency_stats),
    ("Cluster", true, cluster),
    ("Keyspace", true, keyspace),
];

fn info(call: &mut Call, survey: &Survey) -> CommandResult {
    let asked: Vec<String> = (1..call.arguments.len())
        .map(|index| call.word(index))
        .collect();
    let asks = |name: &str| asked.iter().any(|word| word == name);
    let asks_all = asks("ALL") || asks("EVERYTHING");
    let asks_default = asked.is_empty() || asks("DEFAULT");
    let mut text = String::new();
    for (name, is_default, write) in SECTIONS {
        let name_asked = asks(&name.to_ascii_uppercase());
        if name_asked || asks_all || (asks_default && *is_default) {
            if !text.is_empty() {
                text.push_str("\r\n");
            }
            let _ = write!(text, "# {name}\r\n");
            write(call, survey, &mut text);
        }
    }
    call.reply.verbatim(text.as_bytes());
    Ok(())
}

fn server(call: &Call, _: &Survey, out: &mut String) {
    let server = call.server;
    let uptime_s = (call.now_ms - server.started_at_ms).max(0) / 1000;
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    line!(out, "redis_version:{REDIS_VERSION}");
    line!(out, "redis_git_sha1:00000000");
    line!(out, "redis_git_dirty:0");
    line!(out, "redis_build_id:0");
    line!(out, "redis_mode:standalone");
    line!(out, "os:Linux {} {}", kernel.trim(), std::env::consts::ARCH);
    line!(out, "arch_bits:{}", usize::BITS);
    line!(out, "multiplexing_api:threads");
    line!(out, "process_id:{}", std::process::id());
    let supervisor = match server.config.supervision() {
        Supervision::Systemd => "systemd",
        Supervision::No => "no",
    };
    line!(out, "process_supervised:{supervisor}");
    line!(out, "run_id:{}", server.run_id);
    line!(out, "tcp_port:{}", server.config.port.get());
    line!(out, "server_time_usec:{}", crate::util::clock::unix_us());
    line!(out, "uptime_in_seconds:{uptime_s}");
    line!(out, "uptime_in_days:{}", uptime_s / 86_400);
    // No task of this server runs at such a rate; tools expect the fields, with the values that Redis has by default.
    line!(out, "hz:10");
    line!(out, "configured_hz:10");
    line!(out, "lru_clock:{}", (call.now_ms / 1000) & 0xff_ffff);
    line!(
        out,
        "executable:{}",
        std::env::current_exe().unwrap_or_default().display()
    );
    let config_file = server
        .config_file
        .as_ref()
        .map(|path| path.display().to_string());
    line!(out, "config_file:{}", config_file.unwrap_or_default());
    line!(out, "io_threads_active:0");
    if let Some(until_ms) = call.server.shutdown.waits_until_ms() {
        line!(out, "shutdown_in_milliseconds:{}", until_ms - call.now_ms);
    }
    listeners(server, out);
}

/// Where clients can connect: `listener0:name=tcp,bind=127.0.0.1,port=6379`.
fn listeners(server: &Server, out: &mut String) {
    let mut number = 0;
    if server.config.port.get() != 0 {
        let addresses = server.config.bind_addresses();
        let addresses: String = addresses
            .iter()
            .map(|address| format!("bind={address},"))
            .collect();
        line!(
            out,
            "listener0:name=tcp,{addresses}port={}",
            server.config.port.get()
        );
        number = 1;
    }
    let path = server.config.unixsocket.get();
    if !path.is_empty() {
        line!(out, "listener{number}:name=unix,bind={path}");
    }
}

fn clients(call: &Call, survey: &Survey, out: &mut String) {
    let clients = call.server.clients.all();
    let largest = |figure: fn(&crate::state::clients::Client) -> usize| {
        clients
            .iter()
            .map(|client| figure(client))
            .max()
            .unwrap_or(0)
    };
    line!(out, "connected_clients:{}", clients.len());
    line!(out, "cluster_connections:0");
    line!(out, "maxclients:{}", call.server.config.maxclients.get());
    line!(
        out,
        "client_recent_max_input_buffer:{}",
        largest(|client| client.buffers.input_bytes.load(Relaxed))
    );
    line!(
        out,
        "client_recent_max_output_buffer:{}",
        largest(|client| client.buffers.output_capacity.load(Relaxed))
    );
    let waits: Vec<_> = clients.iter().filter_map(|client| client.wait()).collect();
    let with_timeout = waits.iter().filter(|wait| wait.wish.until.is_some());
    let paused = clients
        .iter()
        .filter(|client| client.modes.is_paused.load(Relaxed));
    line!(out, "blocked_clients:{}", waits.len() + paused.count());
    line!(out, "tracking_clients:{}", call.server.tracking.clients());
    line!(out, "clients_in_timeout_table:{}", with_timeout.count());
    line!(out, "total_blocking_keys:{}", survey.keys_waited_for());
    line!(out, "total_blocking_keys_on_nokey:0");
    // In Redis since 7.4.
    line!(out, "total_watched_keys:{}", survey.watched_keys());
}

fn processor(_: &Call, _: &Survey, out: &mut String) {
    let ProcessorSeconds {
        own,
        children,
        main,
    } = process::processor_seconds();
    for (suffix, (system, user)) in [("", own), ("_children", children), ("_main_thread", main)] {
        line!(out, "used_cpu_sys{suffix}:{system:.6}");
        line!(out, "used_cpu_user{suffix}:{user:.6}");
    }
}

fn command_stats(call: &Call, _: &Survey, out: &mut String) {
    for command in call.commands.all() {
        let sums = call.server.statistics.command(command.number);
        if sums.calls + sums.rejected > 0 {
            let per_call = sums.microseconds as f64 / sums.calls.max(1) as f64;
            line!(
                out,
                "cmdstat_{}:calls={},usec={},usec_per_call={per_call:.2},rejected_calls={},failed_calls={}",
                command.full_name(),
                sums.calls,
                sums.microseconds,
                sums.rejected,
                sums.failed
            );
        }
    }
}

/// A code may be made up by a client; what would end its name or its line becomes `_`, as in Redis.
fn error_stats(call: &Call, _: &Survey, out: &mut String) {
    for (code, count) in call.server.statistics.errors() {
        let code = code.replace(['#', ':', '\n', '\r'], "_");
        line!(out, "errorstat_{code}:count={count}");
    }
}

/// Percentiles of the durations of each command, in microseconds.
fn latency_stats(call: &Call, _: &Survey, out: &mut String) {
    let config = &call.server.config;
    if !config.latency_tracking.get() {
        return;
    }
    let percentiles = config.latency_tracking_info_percentiles.get();
    for command in call.commands.all() {
        let Some(latencies) = call.server.statistics.latencies(command.number) else {
            continue;
        };
        let figure = |percentile: &str| {
            let duration_ns = latencies.percentile_ns(percentile.parse().unwrap_or(0.0));
            format!("p{percentile}={:.3}", duration_ns as f64 / 1000.0)
        };
        let figures: Vec<String> = percentiles.split_whitespace().map(figure).collect();
        let name = command.full_name();
        line!(out, "latency_percentiles_usec_{name}:{}", figures.join(","));
    }
}

fn cluster(_: &Call, _: &Survey, out: &mut String) {
    line!(out, "cluster_enabled:0");
}

fn keyspace(call: &Call, survey: &Survey, out: &mut String) {
    for database in 0..call.server.keyspace.databases() {
        let (keys, deadlines, ttl_ms) = survey.count(database, call.now_ms);
        if keys > 0 {
            line!(
                out,
                "db{database}:keys={keys},expires={deadlines},avg_ttl={ttl_ms}"
            );
        }
    }
}
