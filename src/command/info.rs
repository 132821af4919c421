//! INFO: <https://redis.io/commands/info/>. Fields of parts that the server does not have are left out, or are what
//! Redis says when the part is idle.

use super::call::Call;
use super::error::CommandResult;
use super::table::{self, *};
use crate::REDIS_VERSION;
use crate::keyspace::survey::Survey;
use crate::state::config::Supervision;
use crate::state::loading::Loading;
use crate::state::pubsub::Kind;
use crate::state::saves::Record;
use crate::state::{Server, memory};
use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "info", arity: -1, handler: Handler::Survey(info), flags: LOADING | STALE | CAT_DANGEROUS, group: Group::Server, since: "1.0.0",
        syntax: "[section [section ...]]", summary: "Returns information and statistics about the server.", tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"], ..BASE },
];

/// A section: its name, whether INFO without arguments shows it, and what writes it.
type Section = (&'static str, bool, fn(&Call, &Survey, &mut String));

const SECTIONS: &[Section] = &[
    ("Server", true, server),
    ("Clients", true, clients),
    ("Memory", true, memory_use),
    ("Persistence", true, persistence),
    ("Stats", true, stats),
    ("Replication", true, replication),
    ("CPU", true, processor),
    ("Modules", true, |_, _, _| {}),
    ("Commandstats", false, command_stats),
    ("Errorstats", true, error_stats),
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

/// Appends a line of a section.
macro_rules! line {
    ($out:expr, $($format:tt)*) => {{
        let _ = write!($out, $($format)*);
        $out.push_str("\r\n");
    }};
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
    line!(out, "tcp_port:{}", server.port);
    line!(out, "server_time_usec:{}", crate::util::clock::unix_us());
    line!(out, "uptime_in_seconds:{uptime_s}");
    line!(out, "uptime_in_days:{}", uptime_s / 86_400);
    line!(out, "hz:10");
    line!(out, "configured_hz:10");
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
        largest(|client| client.input_bytes.load(Relaxed))
    );
    line!(
        out,
        "client_recent_max_output_buffer:{}",
        largest(|client| client.output_capacity.load(Relaxed))
    );
    let waits: Vec<_> = clients.iter().filter_map(|client| client.wait()).collect();
    let with_timeout = waits.iter().filter(|wait| wait.wish.until.is_some());
    line!(out, "blocked_clients:{}", waits.len());
    line!(out, "tracking_clients:0");
    line!(out, "clients_in_timeout_table:{}", with_timeout.count());
    line!(out, "total_blocking_keys:{}", survey.keys_waited_for());
    line!(out, "total_blocking_keys_on_nokey:0");
    // Redis tells it since 7.4.
    line!(out, "total_watched_keys:{}", survey.watched_keys());
}

fn memory_use(call: &Call, _: &Survey, out: &mut String) {
    let used = call.server.memory_peak.measure();
    let machine = memory::machine_bytes();
    line!(out, "used_memory:{}", used.allocated);
    line!(out, "used_memory_human:{}", human(used.allocated));
    line!(out, "used_memory_rss:{}", used.resident);
    line!(out, "used_memory_rss_human:{}", human(used.resident));
    line!(out, "used_memory_peak:{}", used.peak);
    line!(out, "used_memory_peak_human:{}", human(used.peak));
    line!(
        out,
        "used_memory_peak_perc:{:.2}%",
        100.0 * used.allocated as f64 / used.peak.max(1) as f64
    );
    line!(out, "allocator_allocated:{}", used.allocated);
    line!(out, "allocator_active:{}", used.active);
    line!(out, "allocator_resident:{}", used.allocator_resident);
    line!(out, "total_system_memory:{machine}");
    line!(out, "total_system_memory_human:{}", human(machine));
    line!(out, "maxmemory:0");
    line!(out, "maxmemory_human:0B");
    line!(out, "maxmemory_policy:noeviction");
    line!(
        out,
        "allocator_frag_ratio:{:.2}",
        used.active as f64 / used.allocated.max(1) as f64
    );
    line!(
        out,
        "mem_fragmentation_ratio:{:.2}",
        used.resident as f64 / used.allocated.max(1) as f64
    );
    line!(
        out,
        "mem_fragmentation_bytes:{}",
        used.resident as i64 - used.allocated as i64
    );
    line!(out, "mem_allocator:jemalloc");
}

/// Bytes in the largest unit that leaves a figure before the point, as Redis prints them.
fn human(bytes: u64) -> String {
    let units = ["B", "K", "M", "G", "T"];
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < units.len() {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{bytes}B")
    } else {
        format!("{size:.2}{}", units[unit])
    }
}

fn persistence(call: &Call, _: &Survey, out: &mut String) {
    let server = call.server;
    let record = server.saves.record();
    let status = if record.background_failed {
        "err"
    } else {
        "ok"
    };
    let seconds_now = if record.in_progress {
        (call.now_ms - record.began_at_ms).max(0) / 1000
    } else {
        -1
    };
    let loading = &server.loading;
    line!(out, "loading:{}", u8::from(loading.is_under_way()));
    line!(out, "async_loading:0");
    // A snapshot is not made by fork, so nothing is copied page by page.
    line!(out, "current_cow_peak:0");
    line!(out, "current_cow_size:0");
    line!(out, "current_cow_size_age:0");
    save_now(server, &record, out);
    line!(
        out,
        "rdb_changes_since_last_save:{}",
        server.keyspace.changes() - record.saved_changes
    );
    line!(
        out,
        "rdb_bgsave_in_progress:{}",
        u8::from(record.in_progress)
    );
    line!(out, "rdb_last_save_time:{}", record.last_good_s);
    line!(out, "rdb_last_bgsave_status:{status}");
    if record.background_failed {
        // Redis keeps the reason to its log.
        line!(out, "rdb_last_bgsave_error:{}", record.last_error);
    }
    line!(out, "rdb_last_bgsave_time_sec:{}", record.last_seconds);
    line!(out, "rdb_current_bgsave_time_sec:{seconds_now}");
    line!(out, "rdb_saves:{}", record.succeeded);
    line!(out, "rdb_last_cow_size:0");
    line!(
        out,
        "rdb_last_load_keys_expired:{}",
        loading.expired.load(Relaxed)
    );
    line!(
        out,
        "rdb_last_load_keys_loaded:{}",
        loading.keys.load(Relaxed)
    );
    line!(out, "aof_enabled:0");
    line!(out, "aof_rewrite_in_progress:0");
    line!(out, "aof_rewrite_scheduled:0");
    if loading.is_under_way() {
        loading_now(loading, out);
    }
}

/// How far the save under way has come.
fn save_now(server: &Server, record: &Record, out: &mut String) {
    let (total, written) = match record.in_progress {
        true => (record.keys_total, server.saves.keys_written.load(Relaxed)),
        false => (0, 0),
    };
    let percent = 100.0 * written as f64 / total.max(1) as f64;
    line!(out, "current_fork_perc:{percent:.2}");
    line!(out, "current_save_keys_processed:{written}");
    line!(out, "current_save_keys_total:{total}");
}

fn loading_now(loading: &Loading, out: &mut String) {
    let (total, read) = (
        loading.total_bytes.load(Relaxed),
        loading.read_bytes.load(Relaxed),
    );
    line!(out, "loading_start_time:{}", loading.began_at_s());
    line!(out, "loading_total_bytes:{total}");
    line!(
        out,
        "loading_rdb_used_mem:{}",
        loading.used_memory_then.load(Relaxed)
    );
    line!(out, "loading_loaded_bytes:{read}");
    line!(out, "loading_loaded_perc:{:.2}", loading.progress() * 100.0);
    line!(out, "loading_eta_seconds:{:.0}", loading.remaining_s());
}

fn stats(call: &Call, _: &Survey, out: &mut String) {
    let server = call.server;
    let sums = server.statistics.sums();
    let (received, rejected) = server.clients.received_and_rejected();
    line!(out, "total_connections_received:{received}");
    line!(
        out,
        "total_commands_processed:{}",
        server.statistics.calls()
    );
    line!(out, "total_net_input_bytes:{}", sums.input_bytes);
    line!(out, "total_net_output_bytes:{}", sums.output_bytes);
    line!(out, "total_reads_processed:{}", sums.reads);
    line!(out, "total_writes_processed:{}", sums.writes);
    line!(out, "rejected_connections:{rejected}");
    let full_syncs = server.statistics.full_syncs.load(Relaxed);
    line!(out, "sync_full:{full_syncs}");
    line!(out, "expired_keys:{}", server.keyspace.expired());
    line!(out, "evicted_keys:0");
    line!(out, "keyspace_hits:{}", sums.hits);
    line!(out, "keyspace_misses:{}", sums.misses);
    let listened_to = |kind| server.pubsub.count(kind);
    line!(out, "pubsub_channels:{}", listened_to(Kind::Channel));
    line!(out, "pubsub_patterns:{}", listened_to(Kind::Pattern));
    line!(
        out,
        "pubsubshard_channels:{}",
        listened_to(Kind::ShardChannel)
    );
    line!(out, "latest_fork_usec:0");
    line!(out, "total_forks:0");
    line!(
        out,
        "total_error_replies:{}",
        server.statistics.errors().values().sum::<u64>()
    );
    let disconnections = server.statistics.output_limit_disconnections.load(Relaxed);
    line!(
        out,
        "client_output_buffer_limit_disconnections:{disconnections}"
    );
}

fn replication(call: &Call, _: &Survey, out: &mut String) {
    line!(out, "role:master");
    line!(out, "connected_slaves:0");
    line!(out, "master_replid:{}", call.server.run_id);
    line!(out, "master_replid2:{}", "0".repeat(40));
    line!(out, "master_repl_offset:0");
    line!(out, "second_repl_offset:-1");
    line!(out, "repl_backlog_active:0");
}

fn processor(_: &Call, _: &Survey, out: &mut String) {
    let (system, user) = memory::processor_seconds();
    line!(out, "used_cpu_sys:{system:.6}");
    line!(out, "used_cpu_user:{user:.6}");
}

fn command_stats(call: &Call, _: &Survey, out: &mut String) {
    for command in table::all() {
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
