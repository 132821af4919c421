//! SLOWLOG: the commands that took long. The log itself is in [`crate::state::slow_log`].

use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::session::Session;
use crate::command::spec::*;
use crate::state::Server;
use crate::state::slow_log::{self, Entry};
use crate::util::clock;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "slowlog", arity: -2, handler: Container(SLOWLOG), group: Group::Server, since: "2.2.12",
        summary: "A container for slow log commands.", complexity: "Depends on subcommand.", ..BASE },
];

#[rustfmt::skip]
const SLOWLOG: &[CommandSpec] = &[
    CommandSpec { name: "get", arity: -2, handler: NoLock(get),
        flags: flags(&[ADMIN, LOADING, STALE]), group: Group::Server, since: "2.2.12",
        syntax: "[count]", summary: "Returns the slow log's entries.",
        complexity: "O(N) where N is the number of entries returned",
        history: &[("4.0.0", "Added client IP address, port and name to the reply.")],
        tips: &["request_policy:all_nodes", "nondeterministic_output"], ..BASE },
    CommandSpec { name: "len", arity: 2, handler: NoLock(len),
        flags: flags(&[ADMIN, LOADING, STALE]), group: Group::Server, since: "2.2.12",
        summary: "Returns the number of entries in the slow log.",
        tips: &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"], ..BASE },
    CommandSpec { name: "reset", arity: 2, handler: NoLock(reset),
        flags: flags(&[ADMIN, LOADING, STALE]), group: Group::Server, since: "2.2.12",
        summary: "Clears all entries from the slow log.",
        complexity: "O(N) where N is the number of entries in the slowlog",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"], ..BASE },
    CommandSpec { name: "help", arity: 2, handler: NoLock(help),
        flags: flags(&[LOADING, STALE]), group: Group::Server, since: "6.2.0",
        summary: "Show helpful text about the different subcommands", ..BASE },
];

/// Entries that SLOWLOG GET shows without a count.
const SHOWN: usize = 10;

/// ```text
/// > CONFIG SET slowlog-log-slower-than -1
/// OK
/// > SLOWLOG RESET
/// OK
/// > SLOWLOG GET
/// (empty array)
/// > SLOWLOG GET -2
/// (error) ERR count should be greater than or equal to -1
/// ```
fn get(call: &mut Call) -> CommandResult {
    let most = match call.arguments.len() {
        2 => SHOWN,
        3 => count(call)?,
        _ => {
            return Err(CommandError::misused_subcommand(
                "SLOWLOG",
                call.argument(1),
            ));
        }
    };
    let entries = call.server.slow_log.newest(most);
    call.reply.array(entries.len());
    for entry in entries {
        call.reply.array(6);
        call.reply.integer(entry.id as i64);
        call.reply.integer(entry.ended_at_s);
        call.reply.integer(entry.duration_us);
        call.reply.array(entry.arguments.len());
        let arguments = entry.arguments.iter();
        arguments.for_each(|argument| call.reply.bulk(argument));
        call.reply.bulk(entry.address.as_bytes());
        call.reply.bulk(&entry.client_name);
    }
    Ok(())
}

/// How many entries are wanted; -1 means all.
fn count(call: &Call) -> Result<usize, CommandError> {
    match call.integer(2) {
        Ok(-1) => Ok(usize::MAX),
        Ok(count @ 0..) => Ok(count as usize),
        _ => Err(CommandError::err(
            "count should be greater than or equal to -1",
        )),
    }
}

/// ```text
/// > CONFIG SET slowlog-log-slower-than -1
/// OK
/// > SLOWLOG RESET
/// OK
/// > SLOWLOG LEN
/// (integer) 0
/// ```
fn len(call: &mut Call) -> CommandResult {
    call.reply.count(call.server.slow_log.len());
    Ok(())
}

/// ```text
/// > SLOWLOG RESET
/// OK
/// ```
fn reset(call: &mut Call) -> CommandResult {
    call.server.slow_log.trim(0);
    call.reply.ok();
    Ok(())
}

fn help(call: &mut Call) -> CommandResult {
    call.help(&[
        "GET [<count>]",
        "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
        "    Entries are made of:",
        "    id, timestamp, time in microseconds, arguments array, client IP and port,",
        "    client name",
        "LEN",
        "    Return the length of the slowlog.",
        "RESET",
        "    Reset the slowlog.",
    ]);
    Ok(())
}

/// Logs a command if it was slow. EXEC is not logged, its commands are, one by one. Redis logs a command that has
/// waited, like BLPOP, when it has been served; here it is logged when it begins to wait. Neither counts the time of
/// the wait.
#[inline]
pub(in crate::command) fn note(
    server: &Server,
    session: &Session,
    spec: &CommandSpec,
    arguments: &[&[u8]],
    duration_ns: u64,
) {
    let least_us = server.config.slowlog_log_slower_than.get();
    let duration_us = (duration_ns / 1000) as i64;
    if duration_us >= least_us && least_us >= 0 && !spec.has(SKIP_SLOWLOG) {
        push(server, session, spec, arguments, duration_us);
    }
}

#[cold]
fn push(
    server: &Server,
    session: &Session,
    spec: &CommandSpec,
    arguments: &[&[u8]],
    duration_us: i64,
) {
    let client = &session.client;
    let entry = Entry {
        id: 0,
        ended_at_s: clock::unix_ms() / 1000,
        duration_us,
        arguments: slow_log::cut(arguments, |index| (spec.is_secret)(arguments, index)),
        address: client.address.clone(),
        client_name: client.labels().name.clone(),
    };
    server.slow_log.push(entry, server.slow_log_len());
}
