//! REPLICAOF and FAILOVER: <https://redis.io/commands/replicaof/>, <https://redis.io/commands/failover/>. The role
//! itself changes in `server/replication/role.rs`.

use crate::command::call::{Call, Then};
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::state::replication::failover::{Plan, Stage};
use crate::state::replication::link::Address;
use crate::state::replication::replicas::{self, Replica};
use crate::util::number;
use std::sync::Arc;
use std::time::Duration;

/// The longest that FAILOVER ABORT waits for the end.
const LONGEST_ABORT: Duration = Duration::from_secs(1);

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
    CommandSpec { name: "failover", arity: -1, handler: NoLock(failover),
        flags: flags(&[ADMIN, NOSCRIPT, STALE]), group: Group::Server, since: "6.2.0",
        syntax: "[TO <target: host port:integer [FORCE]>] [ABORT] [TIMEOUT milliseconds:integer]",
        summary: "Starts a coordinated failover from a server to one of its replicas.", ..BASE },
];

/// ```text
/// > REPLICAOF NO ONE
/// OK
/// > REPLICAOF localhost nowhere
/// (error) ERR Invalid master port
/// ```
fn replicaof(call: &mut Call) -> CommandResult {
    let replication = &call.server.replication;
    if replication.failover.stage() != Stage::NoFailover {
        return Err(CommandError::err(
            "REPLICAOF not allowed while failing over.",
        ));
    }
    let (asked_by, present) = (call.session.client.address.clone(), replication.primary());
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

/// ```text
/// > FAILOVER
/// (error) ERR FAILOVER requires connected replicas.
/// > FAILOVER ABORT
/// (error) ERR No failover in progress.
/// > FAILOVER TIMEOUT 0
/// (error) ERR FAILOVER timeout must be greater than 0
/// ```
fn failover(call: &mut Call) -> CommandResult {
    let replication = &call.server.replication;
    let Some(plan) = plan(call)? else {
        return match replication.failover.abort() {
            true => {
                // The end may need locks that a transaction holds.
                if !call.session.transaction.is_running {
                    replication.failover.wait_for_end(LONGEST_ABORT);
                }
                call.reply.ok();
                Ok(())
            }
            false => Err(CommandError::err("No failover in progress.")),
        };
    };
    check_failover(call, &plan)?;
    if !replication.failover.begin() {
        return Err(CommandError::err("FAILOVER already in progress."));
    }
    if let Some(feed) = replication.feed() {
        call.server.log.notice("FAILOVER requested.");
        feed.clone().fail_over(plan);
    }
    call.reply.ok();
    Ok(())
}

/// What the arguments ask for; `None` for ABORT.
fn plan(call: &Call) -> Result<Option<Plan>, CommandError> {
    if call.arguments.len() == 2 && call.is_word(1, "ABORT") {
        return Ok(None);
    }
    let mut plan = Plan {
        target: None,
        timeout: None,
        is_forced: false,
    };
    let mut index = 1;
    while index < call.arguments.len() {
        let left = call.arguments.len() - index - 1;
        index += match call.word(index).as_str() {
            "TIMEOUT" if left >= 1 && plan.timeout.is_none() => {
                let timeout_ms = call.integer(index + 1)?;
                if timeout_ms <= 0 {
                    let text = "FAILOVER timeout must be greater than 0";
                    return Err(CommandError::err(text));
                }
                plan.timeout = Some(Duration::from_millis(timeout_ms as u64));
                2
            }
            "TO" if left >= 2 && plan.target.is_none() => {
                let port = call.integer(index + 2)?;
                plan.target = Some(Address {
                    host: String::from_utf8_lossy(call.argument(index + 1)).into_owned(),
                    port: u16::try_from(port).unwrap_or(0),
                });
                3
            }
            "FORCE" if !plan.is_forced => {
                plan.is_forced = true;
                1
            }
            _ => return Err(CommandError::Syntax),
        };
    }
    Ok(Some(plan))
}

fn check_failover(call: &Call, plan: &Plan) -> CommandResult {
    let replication = &call.server.replication;
    let refuse = |text: &str| Err(CommandError::err(text));
    if replication.failover.stage() != Stage::NoFailover {
        return refuse("FAILOVER already in progress.");
    }
    if replication.is_replica() {
        return refuse("FAILOVER is not valid when server is a replica.");
    }
    let replicas = replication.replicas.all();
    if replicas.is_empty() {
        return refuse("FAILOVER requires connected replicas.");
    }
    if plan.is_forced && (plan.timeout.is_none() || plan.target.is_none()) {
        return refuse(
            "FAILOVER with force option requires both a timeout and target HOST and IP.",
        );
    }
    let Some(target) = &plan.target else {
        return Ok(());
    };
    let is_target = |replica: &&Arc<Replica>| replica.serving_address() == *target;
    match replicas.iter().find(is_target) {
        None => refuse("FAILOVER target HOST and PORT is not a replica."),
        Some(replica) if replica.stage() != replicas::Stage::Online => {
            refuse("FAILOVER target replica is not online.")
        }
        Some(_) => Ok(()),
    }
}
