//! LATENCY: how long commands take. [`Histogram`](crate::util::histogram::Histogram) counts the durations of all,
//! [`LatencyEvents`](crate::state::latency::LatencyEvents) keeps the moments at which one took long.

mod doctor;
mod graph;

use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::registry::Command;
use crate::command::spec::*;
use crate::state::Server;
use crate::state::latency::{COMMAND, FAST_COMMAND, Sample};
use crate::util::clock;
use crate::util::histogram::Distribution;
use crate::util::quoting::c_string;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "latency", arity: -2, handler: Container(LATENCY), group: Group::Server, since: "2.8.13",
        summary: "A container for latency diagnostics commands.", complexity: "Depends on subcommand.", ..BASE },
];

/// The hints of what answers for the moment.
const TIPS: &[&str] = &[
    "nondeterministic_output",
    "request_policy:all_nodes",
    "response_policy:special",
];

#[rustfmt::skip]
const LATENCY: &[CommandSpec] = &[
    CommandSpec { name: "doctor", arity: 2, handler: NoLock(doctor),
        flags: flags(&[ADMIN, NOSCRIPT, LOADING, STALE]), group: Group::Server, since: "2.8.13",
        summary: "Returns a human-readable latency analysis report.",
        tips: TIPS, ..BASE },
    CommandSpec { name: "graph", arity: 3, handler: NoLock(graph),
        flags: flags(&[ADMIN, NOSCRIPT, LOADING, STALE]), group: Group::Server, since: "2.8.13",
        syntax: "event", summary: "Returns a latency graph for an event.",
        tips: TIPS, ..BASE },
    CommandSpec { name: "histogram", arity: -2, handler: NoLock(histogram),
        flags: flags(&[ADMIN, NOSCRIPT, LOADING, STALE]), group: Group::Server, since: "7.0.0",
        syntax: "[command [command ...]]",
        summary: "Returns the cumulative distribution of latencies of a subset or all commands.",
        complexity: "O(N) where N is the number of commands with latency information being retrieved.", tips: TIPS,
        ..BASE },
    CommandSpec { name: "history", arity: 3, handler: NoLock(history),
        flags: flags(&[ADMIN, NOSCRIPT, LOADING, STALE]), group: Group::Server, since: "2.8.13",
        syntax: "event", summary: "Returns timestamp-latency samples for an event.",
        tips: TIPS, ..BASE },
    CommandSpec { name: "latest", arity: 2, handler: NoLock(latest),
        flags: flags(&[ADMIN, NOSCRIPT, LOADING, STALE]), group: Group::Server, since: "2.8.13",
        summary: "Returns the latest latency samples for all events.",
        tips: TIPS, ..BASE },
    CommandSpec { name: "reset", arity: -2, handler: NoLock(reset),
        flags: flags(&[ADMIN, NOSCRIPT, LOADING, STALE]), group: Group::Server, since: "2.8.13",
        syntax: "[event [event ...]]", summary: "Resets the latency data for one or more events.",
        tips: &["request_policy:all_nodes", "response_policy:agg_sum"], ..BASE },
    CommandSpec { name: "help", arity: 2, handler: NoLock(help),
        flags: flags(&[LOADING, STALE]), group: Group::Server, since: "2.8.13",
        summary: "Returns helpful text about the different subcommands.", ..BASE },
];

fn doctor(call: &mut Call) -> CommandResult {
    let report = doctor::report(call.server, clock::unix_ms() / 1000);
    call.reply.verbatim(report.as_bytes());
    Ok(())
}

/// ```text
/// > LATENCY GRAPH command
/// (error) ERR No samples available for event 'command'
/// ```
fn graph(call: &mut Call) -> CommandResult {
    let event = call.argument(2);
    let Some(series) = call.server.latency_events.series(event) else {
        let name = c_string(event);
        let before = "No samples available for event '";
        return Err(CommandError::quoting(before, name, "'"));
    };
    let event = String::from_utf8_lossy(event);
    let graph = graph::draw(&event, &series, clock::unix_ms() / 1000);
    call.reply.verbatim(graph.as_bytes());
    Ok(())
}

/// How many calls of each command took how many microseconds at most.
///
/// ```text
/// > LATENCY HISTOGRAM nothing
/// (empty array)
/// ```
fn histogram(call: &mut Call) -> CommandResult {
    let commands: Vec<&'static Command> = match &call.arguments[2..] {
        [] => call.commands.all().iter().collect(),
        names => names
            .iter()
            .filter_map(|name| call.commands.find_shown(name))
            .flat_map(|command| [vec![command], call.commands.subcommands(command.spec)].concat())
            .collect(),
    };
    let statistics = &call.server.statistics;
    let measured: Vec<(String, Distribution)> = commands
        .iter()
        .filter_map(|command| {
            let distribution = statistics.latencies(command.number)?;
            Some((command.full_name(), distribution))
        })
        .collect();
    call.reply.map(measured.len());
    for (name, distribution) in measured {
        call.reply.bulk(name.as_bytes());
        call.reply.map(2);
        call.reply.bulk(b"calls");
        call.reply.integer(distribution.total() as i64);
        call.reply.bulk(b"histogram_usec");
        let steps = distribution.cumulative();
        call.reply.map(steps.len());
        for (duration_us, calls) in steps {
            call.reply.integer(duration_us as i64);
            call.reply.integer(calls as i64);
        }
    }
    Ok(())
}

/// ```text
/// > LATENCY HISTORY command
/// (empty array)
/// ```
fn history(call: &mut Call) -> CommandResult {
    let series = call.server.latency_events.series(call.argument(2));
    let samples = series.unwrap_or_default().samples;
    call.reply.array(samples.len());
    for sample in samples {
        call.reply.array(2);
        call.reply.integer(sample.time_s);
        call.reply.integer(sample.duration_ms as i64);
    }
    Ok(())
}

/// ```text
/// > LATENCY LATEST
/// (empty array)
/// ```
fn latest(call: &mut Call) -> CommandResult {
    let events = call.server.latency_events.all();
    call.reply.array(events.len());
    for (name, series) in events {
        let last = series.samples.back();
        call.reply.array(4);
        call.reply.bulk(name.as_bytes());
        call.reply.integer(last.map_or(0, |sample| sample.time_s));
        call.reply
            .integer(last.map_or(0, |sample| sample.duration_ms as i64));
        call.reply.integer(series.longest_ms as i64);
    }
    Ok(())
}

/// ```text
/// > LATENCY RESET command nothing
/// (integer) 0
/// ```
fn reset(call: &mut Call) -> CommandResult {
    let names = &call.arguments[2..];
    let events = &call.server.latency_events;
    let count = match names {
        [] => events.reset(|_| true),
        names => events.reset(|event| {
            let mut names = names.iter();
            names.any(|name| c_string(name).eq_ignore_ascii_case(event.as_bytes()))
        }),
    };
    call.reply.count(count);
    Ok(())
}

fn help(call: &mut Call) -> CommandResult {
    call.help(&[
        "DOCTOR",
        "    Return a human readable latency analysis report.",
        "GRAPH <event>",
        "    Return an ASCII latency graph for the <event> class.",
        "HISTORY <event>",
        "    Return time-latency samples for the <event> class.",
        "LATEST",
        "    Return the latest latency samples for all events.",
        "RESET [<event> ...]",
        "    Reset latency data of one or more <event> classes.",
        "    (default: reset all data for all event classes)",
        "HISTOGRAM [COMMAND ...]",
        "    Return a cumulative distribution of latencies in the format of a histogram for the specified command \
        names.",
        "    If no commands are specified then all histograms are replied.",
    ]);
    Ok(())
}

/// Notes a command that took long as an event.
#[inline]
pub(in crate::command) fn note(server: &Server, spec: &CommandSpec, duration_ns: u64) {
    let threshold_ms = server.config.latency_monitor_threshold.get();
    if threshold_ms > 0 && duration_ns / 1_000_000 >= threshold_ms as u64 {
        let event = match spec.has(FAST) {
            true => FAST_COMMAND,
            false => COMMAND,
        };
        let sample = Sample {
            time_s: clock::unix_ms() / 1000,
            duration_ms: duration_ns / 1_000_000,
        };
        server.latency_events.add(event, sample);
    }
}
