//! Whether a command may run at all, now and for this client.

use super::account;
use crate::command::COMMANDS;
use crate::command::acl::check::{Attempt, permits};
use crate::command::admin::monitor;
use crate::command::call::{Call, Then};
use crate::command::error::{CommandError, CommandResult};
use crate::command::registry::Command;
use crate::command::session::Session;
use crate::command::spec::{
    CommandFlags, DENYOOM, HEALTH_CHECK, Handler, LOADING, MAY_REPLICATE, MODULES,
    NO_ASYNC_LOADING, NO_AUTH, NO_MULTI, PROTECTED, READONLY, STALE, UNQUEUED, WHILE_SUBSCRIBED,
    WRITE, flags,
};
use crate::resp::reply::Reply;
use crate::state::Server;
use crate::state::acl::Context;
use crate::state::clients::NO_COMMAND;
use crate::state::pause::Extent;
use std::sync::atomic::Ordering::Relaxed;

/// What the log says of HTTP.
const HTTP_WARNING: &str = "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: \
     commands to Redis. This is likely due to an attacker attempting to use Cross Protocol Scripting to compromise \
     your Redis instance. Connection aborted.";

/// The flags of the commands that a pause of writes makes wait.
const PAUSED: CommandFlags = flags(&[WRITE, MAY_REPLICATE]);

/// The command that a request names, if it may run. CLIENT LIST tells of it in either case.
#[inline]
pub(super) fn admit(
    server: &Server,
    session: &Session,
    arguments: &[&[u8]],
) -> Result<&'static Command, CommandError> {
    match COMMANDS.of_request(arguments) {
        Ok(command) => {
            admit_command(server, session, command, arguments)?;
            Ok(command)
        }
        Err(unknown) => {
            session.client.last_command.store(NO_COMMAND, Relaxed);
            Err(unknown)
        }
    }
}

/// Notes the command for CLIENT LIST. Fails if it may not run.
#[inline]
pub(super) fn admit_command(
    server: &Server,
    session: &Session,
    command: &Command,
    arguments: &[&[u8]],
) -> CommandResult {
    session.client.last_command.store(command.number, Relaxed);
    check(server, session, command, arguments)
}

/// Whether the client's user may give this command. Nothing is noted of it.
pub(super) fn may_give(session: &Session, command: &Command, arguments: &[&[u8]]) -> bool {
    let account = session.account();
    account.may_do_all() || permits(&account.user(), command, arguments).is_ok()
}

/// What may keep a command from running.
fn check(
    server: &Server,
    session: &Session,
    command: &Command,
    arguments: &[&[u8]],
) -> CommandResult {
    let spec = command.spec;
    if !spec.accepts(arguments.len()) {
        return Err(CommandError::WrongArity(command.full_name()));
    }
    if spec.has(PROTECTED | MODULES) {
        check_permission(server, session, command)?;
    }
    if !session.is_authenticated(server) && !spec.has(NO_AUTH) {
        return Err(CommandError::NotAuthenticated);
    }
    if spec.has(NO_MULTI) && session.transaction.queue.is_some() {
        return Err(CommandError::NotInMulti);
    }
    let context = match session.transaction.queue {
        Some(_) => Context::Transaction,
        None => Context::TopLevel,
    };
    let attempt = Attempt::of(session, server, &COMMANDS, context);
    attempt.check(command, arguments).map_err(|denial| {
        let reason = denial.reason(&session.account().name, command);
        CommandError::NoPermission(reason)
    })?;
    if session.is_restricted() && !spec.has(WHILE_SUBSCRIBED) {
        return Err(CommandError::Subscribed(command.full_name()));
    }
    if session.monitoring.is_some() && spec.has(WRITE | READONLY) {
        return Err(CommandError::Monitoring);
    }
    let does = |flags| does(server, session, command, arguments, flags);
    // What is queued takes memory too.
    let is_queued = session.transaction.queue.is_some() && !spec.has(UNQUEUED) && !is_exec(command);
    if session.is_out_of_memory && (is_queued || does(DENYOOM)) {
        return Err(CommandError::OutOfMemory);
    }
    if server.is_read_only.load(Relaxed) && does(WRITE) {
        return Err(CommandError::ReadOnly);
    }
    if let Some(refusal) = server.write_refusal()
        && (does(WRITE) || spec.has(HEALTH_CHECK))
    {
        return Err(CommandError::StopWrites(refusal));
    }
    if server.lacks_replicas() && does(WRITE) {
        return Err(CommandError::NoReplicas);
    }
    if server.replication.is_replica() {
        let queue = session.transaction.queue.as_ref();
        let is_for_stale_data = match is_exec(command) {
            true => queue.is_none_or(|queue| queue.all_have(STALE)),
            false => spec.has(STALE),
        };
        check_replica(server, does, is_for_stale_data)?;
    }
    let loading = &server.loading;
    if loading.is_under_way() && !spec.has(LOADING)
        || loading.is_beside() && spec.has(NO_ASYNC_LOADING)
    {
        return Err(CommandError::Loading);
    }
    Ok(())
}

/// What may keep a command from running on a replica.
#[cold]
fn check_replica(
    server: &Server,
    does: impl Fn(CommandFlags) -> bool,
    is_for_stale_data: bool,
) -> CommandResult {
    if server.config.replica_read_only.get() && does(WRITE) {
        return Err(CommandError::ReadOnlyReplica);
    }
    if server.hides_stale_data() && !is_for_stale_data {
        return Err(CommandError::PrimaryIsDown);
    }
    Ok(())
}

/// Commands for those clients alone that a directive names.
fn check_permission(server: &Server, session: &Session, command: &Command) -> CommandResult {
    let config = &server.config;
    let (permission, name, directive) = match command.spec.has(MODULES) {
        true => (
            config.enable_module_command(),
            "MODULE",
            "enable-module-command",
        ),
        false => (
            config.enable_debug_command(),
            "DEBUG",
            "enable-debug-command",
        ),
    };
    if !permission.includes(session.client.is_local) {
        return Err(CommandError::NotAllowed(name, directive));
    }
    Ok(())
}

/// Whether a pause of this extent makes a command wait. As in Redis, a command that only is to be queued waits too, and
/// under a pause of all commands even CLIENT UNPAUSE does.
#[cold]
pub(super) fn has_to_wait(
    server: &Server,
    session: &Session,
    command: &Command,
    arguments: &[&[u8]],
    extent: Extent,
) -> bool {
    extent == Extent::All || does(server, session, command, arguments, PAUSED)
}

/// Whether a command that has got its locks must not run, since it was admitted in an earlier
/// [epoch](crate::state::epoch) and would not be admitted now. What is replayed was admitted where it came from.
#[inline]
pub(super) fn is_outdated(call: &mut Call) -> bool {
    call.epoch != call.server.epoch.now() && !call.session.is_replaying && is_refused_now(call)
}

#[cold]
fn is_refused_now(call: &mut Call) -> bool {
    let (server, session, arguments) = (call.server, &*call.session, call.arguments);
    let may_run = |command: &Command| {
        let pause = server.pause.at(call.now_ms);
        // A denial is noted when the command is given again.
        may_give(session, command, arguments)
            && check(server, session, command, arguments).is_ok()
            && !pause.is_some_and(|extent| has_to_wait(server, session, command, arguments, extent))
            // The queue has been taken out of the session, so nothing is known of its commands here.
            && !is_exec(command)
    };
    let is_refused = !COMMANDS.of_request(arguments).is_ok_and(may_run);
    if is_refused {
        call.then = Then::Readmit;
    }
    is_refused
}

/// Whether a request has one of these flags, itself or by what is queued.
fn does(
    server: &Server,
    session: &Session,
    command: &Command,
    arguments: &[&[u8]],
    flags: CommandFlags,
) -> bool {
    let queue = session.transaction.queue.as_ref();
    match is_exec(command) {
        true => queue.is_some_and(|queue| queue.has(flags)),
        false => command.spec.flags_in(server, arguments).has(flags),
    }
}

fn is_exec(command: &Command) -> bool {
    matches!(command.spec.handler, Handler::Exec)
}

/// Answers a request that may not run. `true`: its transaction has ended by that, so the client watches nothing any
/// more.
#[cold]
pub(super) fn refuse(
    server: &Server,
    session: &mut Session,
    arguments: &[&[u8]],
    reply: &mut Reply,
    mut error: CommandError,
) -> bool {
    let command = COMMANDS.of_request(arguments).ok();
    if is_http(arguments[0]) {
        server.log.warning_of_clients(HTTP_WARNING);
        session.client.closes_after_reply.store(true, Relaxed);
        return false;
    }
    if let Some(queue) = &mut session.transaction.queue {
        queue.is_spoilt = true;
    }
    let exec = command.filter(|command| is_exec(command));
    if let Some(exec) = exec {
        session.discard_queue();
        error = error.aborting();
        // The monitors have seen MULTI.
        monitor::show(server, session, exec.spec, arguments);
    }
    let number = command.map(|command| command.number);
    account::answer_error(server, session, reply, &error, number, false);
    exec.is_some()
}

/// Whether this begins a line of HTTP. A page in a browser can make it send a request here, with commands in its body;
/// before those are reached, the connection is closed.
fn is_http(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"post") || word.eq_ignore_ascii_case(b"host:")
}
