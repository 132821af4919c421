//! INFO memory.

use crate::command::call::Call;
use crate::keyspace::survey::Survey;
use crate::state::scripts::memory::ScriptMemory;
use crate::state::{memory, process};
use std::fmt::Write;

pub(super) fn write(call: &Call, _: &Survey, out: &mut String) {
    let used = call.server.memory_peak.measure();
    let machine = process::machine_bytes();
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
    let account = call.server.memory_account(&used);
    line!(out, "used_memory_overhead:{}", account.overhead);
    line!(out, "used_memory_startup:{}", account.parts.startup);
    line!(out, "used_memory_dataset:{}", account.dataset);
    line!(
        out,
        "used_memory_dataset_perc:{:.2}%",
        account.dataset_percentage
    );
    line!(out, "allocator_allocated:{}", used.allocated);
    line!(out, "allocator_active:{}", used.active);
    line!(out, "allocator_resident:{}", used.allocator_resident);
    line!(out, "total_system_memory:{machine}");
    line!(out, "total_system_memory_human:{}", human(machine));
    scripts(&call.server.scripts.memory(), out);
    let limit = call.server.memory_limit.bytes();
    line!(out, "maxmemory:{limit}");
    line!(out, "maxmemory_human:{}", human(limit));
    let policy = call.server.config.show_named("maxmemory-policy");
    line!(out, "maxmemory_policy:{policy}");
    fragmentation(&used, out);
    line!(out, "mem_not_counted_for_evict:0");
    // What replicas lack lies in the backlog, once for all of them.
    line!(out, "mem_replication_backlog:{}", account.parts.backlog);
    line!(
        out,
        "mem_total_replication_buffers:{}",
        account.parts.backlog
    );
    line!(out, "mem_clients_slaves:{}", account.parts.replicas);
    line!(out, "mem_clients_normal:{}", account.parts.clients);
    line!(out, "mem_cluster_links:0");
    let append_only = call.server.append_only.buffer_bytes();
    line!(out, "mem_aof_buffer:{append_only}");
    line!(out, "mem_allocator:jemalloc");
    line!(out, "active_defrag_running:0");
    // Large values are freed by the thread of the command that removes them, once its locks are gone.
    line!(out, "lazyfree_pending_objects:0");
    line!(out, "lazyfreed_objects:0");
}

/// Scripts and functions, and their interpreters, which Redis calls virtual machines.
fn scripts(memory: &ScriptMemory, out: &mut String) {
    let eval = memory.script_interpreter_bytes;
    let [interpreters, texts] =
        [memory.interpreter_bytes(), memory.text_bytes()].map(|bytes| bytes as u64);
    line!(out, "used_memory_lua:{eval}");
    line!(out, "used_memory_vm_eval:{eval}");
    line!(out, "used_memory_lua_human:{}", human(eval as u64));
    line!(out, "used_memory_scripts_eval:{}", memory.script_bytes);
    line!(out, "number_of_cached_scripts:{}", memory.scripts);
    line!(out, "number_of_functions:{}", memory.functions);
    line!(out, "number_of_libraries:{}", memory.libraries);
    line!(
        out,
        "used_memory_vm_functions:{}",
        memory.function_interpreter_bytes
    );
    line!(out, "used_memory_vm_total:{interpreters}");
    line!(out, "used_memory_vm_total_human:{}", human(interpreters));
    line!(out, "used_memory_functions:{}", memory.library_bytes);
    line!(out, "used_memory_scripts:{texts}");
    line!(out, "used_memory_scripts_human:{}", human(texts));
}

/// What is lost between the pages of the system and the bytes that were asked for: within pages in use, between pages
/// that the allocator holds and those in use, and beside the allocator.
fn fragmentation(used: &memory::MemoryUse, out: &mut String) {
    let ratio = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
    let difference = |part: u64, whole: u64| part as i64 - whole as i64;
    for (name, part, whole) in [
        ("allocator_frag", used.active, used.allocated),
        ("allocator_rss", used.allocator_resident, used.active),
        ("rss_overhead", used.resident, used.allocator_resident),
        ("mem_fragmentation", used.resident, used.allocated),
    ] {
        line!(out, "{name}_ratio:{:.2}", ratio(part, whole));
        line!(out, "{name}_bytes:{}", difference(part, whole));
    }
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
