//! INFO persistence.

use crate::command::call::Call;
use crate::keyspace::survey::Survey;
use crate::state::Server;
use crate::state::loading::Loading;
use crate::state::saves::Record;
use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

pub(super) fn write(call: &Call, _: &Survey, out: &mut String) {
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
    line!(out, "aof_last_rewrite_time_sec:-1");
    line!(out, "aof_current_rewrite_time_sec:-1");
    line!(out, "aof_last_bgrewrite_status:ok");
    line!(out, "aof_rewrites:0");
    line!(out, "aof_rewrites_consecutive_failures:0");
    line!(out, "aof_last_write_status:ok");
    line!(out, "aof_last_cow_size:0");
    line!(out, "module_fork_in_progress:0");
    line!(out, "module_fork_last_cow_size:0");
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
