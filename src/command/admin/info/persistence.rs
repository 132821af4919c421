//! INFO persistence.

use crate::command::call::Call;
use crate::keyspace::survey::Survey;
use crate::state::Server;
use crate::state::append_only::Mode;
use crate::state::loading::Loading;
use crate::state::saves::Record;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

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
    line!(out, "async_loading:{}", u8::from(loading.is_beside()));
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
    append_only(server, call.now_ms, out);
    line!(out, "module_fork_in_progress:0");
    line!(out, "module_fork_last_cow_size:0");
    append_only_files(server, out);
    if loading.is_under_way() || loading.is_beside() {
        loading_now(loading, out);
    }
}

/// The rewrites of the append-only file.
fn append_only(server: &Server, now_ms: i64, out: &mut String) {
    let state = &server.append_only;
    let record = state.rewrites.record();
    let seconds_now = match record.in_progress {
        true => (now_ms - record.began_at_ms).max(0) / 1000,
        false => -1,
    };
    let status = |is_ok: bool| if is_ok { "ok" } else { "err" };
    let enabled = u8::from(state.mode() != Mode::Off);
    let in_progress = u8::from(record.in_progress);
    let scheduled = u8::from(record.is_scheduled);
    let failures = record.consecutive_failures;
    line!(out, "aof_enabled:{enabled}");
    line!(out, "aof_rewrite_in_progress:{in_progress}");
    line!(out, "aof_rewrite_scheduled:{scheduled}");
    line!(out, "aof_last_rewrite_time_sec:{}", record.last_seconds);
    line!(out, "aof_current_rewrite_time_sec:{seconds_now}");
    line!(
        out,
        "aof_last_bgrewrite_status:{}",
        status(record.last_is_ok)
    );
    line!(out, "aof_rewrites:{}", record.begun);
    line!(out, "aof_rewrites_consecutive_failures:{failures}");
    line!(out, "aof_last_write_status:{}", status(!state.has_failed()));
    line!(out, "aof_last_cow_size:0");
}

/// The files, if effects are kept.
fn append_only_files(server: &Server, out: &mut String) {
    let state = &server.append_only;
    if state.mode() == Mode::Off {
        return;
    }
    let figures = &state.figures;
    let number = |figure: &AtomicU64| figure.load(Relaxed);
    let current = number(&figures.current_bytes);
    let scheduled = u8::from(state.rewrites.record().is_scheduled);
    let syncing = u8::from(figures.is_syncing.load(Relaxed));
    line!(out, "aof_current_size:{current}");
    line!(out, "aof_base_size:{}", number(&figures.base_bytes));
    line!(out, "aof_pending_rewrite:{scheduled}");
    line!(out, "aof_buffer_length:{}", number(&figures.waiting_bytes));
    line!(out, "aof_pending_bio_fsync:{syncing}");
    line!(out, "aof_delayed_fsync:{}", number(&figures.delayed_fsyncs));
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
