//! MONITOR: a client looks on while others work.

use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::session::Session;
use crate::command::spec::*;
use crate::state::Server;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "monitor", arity: 1, handler: NoLock(monitor),
        flags: flags(&[ADMIN, NOSCRIPT, LOADING, STALE]), group: Group::Server, since: "1.0.0",
        summary: "Listens for all requests received by the server in real-time.", complexity: "", ..BASE },
];

/// ```text
/// > MONITOR
/// OK
/// > GET name
/// (error) ERR Replica can't interact with the keyspace
/// ```
fn monitor(call: &mut Call) -> CommandResult {
    if call.session.transaction.is_running {
        return Err(CommandError::err(
            "MONITOR isn't allowed for DENY BLOCKING client",
        ));
    }
    // As in Redis, a client that is a monitor already gets no answer.
    if call.session.monitoring.is_none() {
        call.session.doorbell()?;
        call.session.monitoring = Some(call.server.monitors.join(&call.session.client));
        call.reply.ok();
    }
    Ok(())
}

/// Shows a command that was carried out to the monitors, if there are any; passwords are hidden.
#[inline]
pub(in crate::command) fn show(
    server: &Server,
    session: &Session,
    spec: &CommandSpec,
    arguments: &[&[u8]],
) {
    if server.monitors.is_any() && !spec.has(ADMIN | SKIP_MONITOR) {
        show_always(server, session, spec, arguments);
    }
}

/// Shows a command that runs a script, before it runs: the commands that the script calls come behind it.
pub(in crate::command) fn show_always(
    server: &Server,
    session: &Session,
    spec: &CommandSpec,
    arguments: &[&[u8]],
) {
    if server.monitors.is_any() {
        let is_secret = |index: usize| (spec.is_secret)(arguments, index);
        let (caller, database) = (&session.client.address, session.database);
        server.monitors.show(caller, database, arguments, is_secret);
    }
}

/// Shows a command that a script has called.
#[inline]
pub(in crate::command) fn show_of_script(
    server: &Server,
    database: usize,
    spec: &CommandSpec,
    arguments: &[&[u8]],
) {
    if server.monitors.is_any() && !spec.has(ADMIN | SKIP_MONITOR) {
        let is_secret = |index: usize| (spec.is_secret)(arguments, index);
        server.monitors.show("lua", database, arguments, is_secret);
    }
}
