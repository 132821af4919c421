//! MEMORY: what keys and the whole server take.

use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::keyspace::db::Db;
use crate::keyspace::survey::Survey;
use crate::state::memory;
use Figure::{Integer, Ratio};
use std::io::Write;
use std::sync::atomic::Ordering::Relaxed;
use tikv_jemalloc_ctl::stats_print::{self, stats_print};

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "memory", arity: -2, handler: Container(MEMORY), group: Group::Server, since: "4.0.0",
        summary: "A container for memory diagnostics commands.", complexity: "Depends on subcommand.", ..BASE },
];

#[rustfmt::skip]
const MEMORY: &[CommandSpec] = &[
    CommandSpec { name: "doctor", arity: 2, handler: NoLock(doctor), group: Group::Server, since: "4.0.0",
        summary: "Outputs a memory problems report.",
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"], ..BASE },
    CommandSpec { name: "help", arity: 2, handler: NoLock(memory_help),
        flags: flags(&[LOADING, STALE]), group: Group::Server, since: "4.0.0",
        summary: "Returns helpful text about the different subcommands.", ..BASE },
    CommandSpec { name: "malloc-stats", arity: 2, handler: NoLock(malloc_stats), group: Group::Server, since: "4.0.0",
        summary: "Returns the allocator statistics.",
        complexity: "Depends on how much memory is allocated, could be slow",
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"], ..BASE },
    CommandSpec { name: "purge", arity: 2, handler: NoLock(purge), group: Group::Server, since: "4.0.0",
        summary: "Asks the allocator to release memory.",
        complexity: "Depends on how much memory is allocated, could be slow",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"], ..BASE },
    CommandSpec { name: "stats", arity: 2, handler: Survey(stats), group: Group::Server, since: "4.0.0",
        summary: "Returns details about memory usage.",
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"], ..BASE },
    CommandSpec { name: "usage", arity: -3, handler: Read(usage), keys: &[key(2, &[RO])],
        flags: flags(&[READONLY]), group: Group::Server, since: "4.0.0",
        syntax: "key [SAMPLES count]", summary: "Estimates the memory usage of a key.",
        complexity: "O(N) where N is the number of samples.", ..BASE },
];

/// Bytes that a key and its value take in this server, not in Redis. Of a string in the table that is its part of a
/// page; of a collection it is the blocks of memory, where there are many estimated from SAMPLES of them (5; 0 means
/// all).
///
/// ```text
/// > MEMORY USAGE nothing
/// (nil)
/// > MEMORY USAGE nothing SAMPLES -1
/// (error) ERR syntax error
/// ```
fn usage(call: &mut Call, db: &Db) -> CommandResult {
    const SAMPLES: usize = 5;
    let mut samples = SAMPLES;
    let mut index = 3;
    while index < call.arguments.len() {
        if !call.is_word(index, "SAMPLES") || index + 1 == call.arguments.len() {
            return Err(CommandError::Syntax);
        }
        let given = call.integer(index + 1)?;
        let given = usize::try_from(given).map_err(|_| CommandError::Syntax)?;
        samples = if given == 0 { usize::MAX } else { given };
        index += 2;
    }
    match db.look_silently(&call.key()) {
        Some(entry) => call.reply.count(entry.memory_bytes(samples)),
        None => call.reply.null(),
    }
    Ok(())
}

/// A figure of MEMORY STATS.
enum Figure {
    Integer(i64),
    Ratio(f64),
}

/// Figures under the names that Redis has for them, in its order; what Redis alone has is 0.
fn stats(call: &mut Call, survey: &Survey) -> CommandResult {
    let server = call.server;
    let used = server.memory_peak.measure();
    let keys: usize = (0..server.keyspace.databases())
        .map(|database| survey.count(database, call.now_ms).0)
        .sum();
    let [allocated, active] = [used.allocated, used.active].map(|bytes| bytes as i64);
    let [held, resident] = [used.allocator_resident, used.resident].map(|bytes| bytes as i64);
    let since_start = allocated - server.startup_bytes.load(Relaxed) as i64;
    let per_key = since_start.max(0) / keys.max(1) as i64;
    let account = server.memory_account(&used);
    let memory = server.scripts.memory();
    let ratio = |part: i64, whole: i64| Ratio(part as f64 / whole.max(1) as f64);
    let peak_percentage = 100.0 * allocated as f64 / used.peak.max(1) as f64;
    let figures = [
        ("peak.allocated", Integer(used.peak as i64)),
        ("total.allocated", Integer(allocated)),
        ("startup.allocated", Integer(account.parts.startup as i64)),
        ("replication.backlog", Integer(account.parts.backlog as i64)),
        ("clients.slaves", Integer(account.parts.replicas as i64)),
        ("clients.normal", Integer(account.parts.clients as i64)),
        ("cluster.links", Integer(0)),
        (
            "aof.buffer",
            Integer(call.server.append_only.buffer_bytes() as i64),
        ),
        ("lua.caches", Integer(memory.script_bytes as i64)),
        ("functions.caches", Integer(memory.library_bytes as i64)),
        ("overhead.total", Integer(account.overhead as i64)),
        ("keys.count", Integer(keys as i64)),
        ("keys.bytes-per-key", Integer(per_key)),
        ("dataset.bytes", Integer(account.dataset as i64)),
        ("dataset.percentage", Ratio(account.dataset_percentage)),
        ("peak.percentage", Ratio(peak_percentage)),
        ("allocator.allocated", Integer(allocated)),
        ("allocator.active", Integer(active)),
        ("allocator.resident", Integer(held)),
        ("allocator-fragmentation.ratio", ratio(active, allocated)),
        ("allocator-fragmentation.bytes", Integer(active - allocated)),
        ("allocator-rss.ratio", ratio(held, active)),
        ("allocator-rss.bytes", Integer(held - active)),
        ("rss-overhead.ratio", ratio(resident, held)),
        ("rss-overhead.bytes", Integer(resident - held)),
        ("fragmentation", ratio(resident, allocated)),
        ("fragmentation.bytes", Integer(resident - allocated)),
    ];
    call.reply.map(figures.len());
    for (name, figure) in figures {
        call.reply.bulk(name.as_bytes());
        match figure {
            Integer(number) => call.reply.integer(number),
            Ratio(number) => call.reply.double(number),
        }
    }
    Ok(())
}

/// Advice on the four things that can be wrong here: memory that is held for a peak long past, fragmentation, clients
/// that do not read what they have asked for, and scripts that clients generate.
fn doctor(call: &mut Call) -> CommandResult {
    const LITTLE_BYTES: u64 = 5 << 20;
    const LARGE_CLIENT_BYTES: u64 = 200_000;
    const MANY_SCRIPTS: usize = 1000;
    let used = call.server.memory_peak.measure();
    let mut advice = String::new();
    if used.allocated < LITTLE_BYTES {
        advice += "This instance holds so little that there is nothing to look for.\n";
    } else {
        if used.peak > used.allocated / 2 * 3 {
            advice += "The peak was more than 1.5 times what is in use now; pages of that time may still be \
                resident.\n";
        }
        if used.resident > used.allocated / 5 * 7 {
            advice += "More than 1.4 times the memory in use is resident: it is fragmented, or not yet given back.\n";
        }
        let clients = call.server.memory_account(&used).parts.clients;
        if clients / call.server.clients.count().max(1) as u64 > LARGE_CLIENT_BYTES {
            advice += "Clients take more than 200 kB each on average: perhaps some send large requests, or do not read \
                their replies. CLIENT LIST tells how much each takes; maxmemory-clients limits it.\n";
        }
        if call.server.scripts.memory().scripts > MANY_SCRIPTS {
            advice += "More than 1000 scripts are cached: perhaps they are generated, where one script with KEYS and \
                ARGV would do. SCRIPT FLUSH frees them.\n";
        }
        if advice.is_empty() {
            advice += "No problem found.\n";
        }
    }
    call.reply.verbatim(advice.as_bytes());
    Ok(())
}

/// The allocator's statistics.
fn malloc_stats(call: &mut Call) -> CommandResult {
    let mut text = Vec::new();
    let told = stats_print(&mut text, stats_print::Options::default());
    if told.is_err() {
        let _ = write!(text, "The allocator cannot be asked.");
    }
    call.reply.verbatim(&text);
    Ok(())
}

/// Free pages go back to the system now, instead of some ten seconds after they were freed.
///
/// ```text
/// > MEMORY PURGE
/// OK
/// ```
fn purge(call: &mut Call) -> CommandResult {
    if !memory::purge() {
        return Err(CommandError::err("Error purging dirty pages"));
    }
    call.reply.ok();
    Ok(())
}

fn memory_help(call: &mut Call) -> CommandResult {
    call.help(&[
        "DOCTOR",
        "    Return memory problems reports.",
        "MALLOC-STATS",
        "    Return internal statistics report from the memory allocator.",
        "PURGE",
        "    Attempt to purge dirty pages for reclamation by the allocator.",
        "STATS",
        "    Return information about the memory usage of the server.",
        "USAGE <key> [SAMPLES <count>]",
        "    Return memory in bytes used by <key> and its value. Nested values are",
        "    sampled up to <count> times (default: 5, 0 means sample all).",
    ]);
    Ok(())
}
