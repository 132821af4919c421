//! REPLICAOF: <https://redis.io/commands/replicaof/>. The change itself is in `server/replication/role.rs`.

use crate::command::call::{Call, Then};
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::state::replication::link::Address;
use crate::util::number;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "replicaof", arity: 3, handler: NoLock(replicaof),
        flags: flags(&[ADMIN, NOSCRIPT, STALE, NO_ASYNC_LOADING]), group: Group::Server, since: "5.0.0",
        syntax: "<args: <host-port: host port> | <no-one: NO ONE>>",
        summary: "Configures a server as replica of another, or promotes it to a master.", ..BASE },
    CommandSpec { name: "slaveof", arity: 3, handler: NoLock(replicaof),
        flags: flags(&[ADMIN, NOSCRIPT, STALE, NO_ASYNC_LOADING]), group: Group::Server, since: "1.0.0",
        syntax: "<args: <host-port: host port> | <no-one: NO ONE>>",
        summary: "Sets a Redis server as a replica of another, or promotes it to being a master.",
        deprecated: Some(("5.0.0", "`REPLICAOF`")), ..BASE },
];

/// ```text
/// > REPLICAOF NO ONE
/// OK
/// > REPLICAOF localhost nowhere
/// (error) ERR Invalid master port
/// ```
fn replicaof(call: &mut Call) -> CommandResult {
    let replication = &call.server.replication;
    let (asked_by, present) = (
        call.session.client.address.clone(),
        replication.link.primary(),
    );
    if call.is_word(1, "NO") && call.is_word(2, "ONE") {
        if present.is_some() {
            call.server.log.notice(format_args!(
                "MASTER MODE enabled (user request from '{asked_by}')"
            ));
            follow(call, None);
        }
        call.reply.ok();
        return Ok(());
    }
    if call.session.sync.replica.is_some() {
        return Err(CommandError::err(
            "Command is not valid when client is a replica.",
        ));
    }
    let port = number::parse_i64(call.argument(2)).and_then(|port| u16::try_from(port).ok());
    let primary = Address {
        host: String::from_utf8_lossy(call.argument(1)).into_owned(),
        port: port.ok_or_else(|| CommandError::err("Invalid master port"))?,
    };
    if present.as_ref() == Some(&primary) {
        call.server
            .log
            .notice(
            "REPLICAOF would result into synchronization with the master we are already connected with. No operation \
             performed.",
        );
        call.reply
            .simple("OK Already connected to specified master");
        return Ok(());
    }
    call.server.log.notice(format_args!(
        "REPLICAOF {}:{} enabled (user request from '{asked_by}')",
        primary.host, primary.port
    ));
    follow(call, Some(primary));
    call.reply.ok();
    Ok(())
}

/// The directive changes at once: a CONFIG REWRITE in the same transaction, as redis-sentinel sends it, writes it.
fn follow(call: &mut Call, primary: Option<Address>) {
    let shown = primary.as_ref().map(Address::to_string);
    call.server.config.set_replicaof(&shown.unwrap_or_default());
    call.then = Then::Follow(primary);
}
