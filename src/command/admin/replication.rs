//! Replication, as far as it goes without replicas: ROLE, WAIT and WAITAOF, and a dump over the connection, which is
//! what `redis-cli --rdb` asks for. The transfer itself is in `server/transfer.rs`.
//!
//! ```text
//! client   REPLCONF capa eof, REPLCONF rdb-only 1, SYNC
//! server   $EOF:<mark of 40 bytes>\r\n <RDB file> <mark>          then it closes the connection
//! ```
//!
//! Replication proper, where the changes follow the dump, is not built: a client that does not say `rdb-only` gets an
//! error.

use crate::command::call::{Call, Then};
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::command::timeout::timeout_ms;
use crate::keyspace::db::Db;
use crate::keyspace::space::Key;
use crate::keyspace::waiters::States;
use crate::resp::reply::Reply;
use crate::state::append_only::{Mode, durability};
use crate::state::waiting::{AwaitedBlocks, Wish};
use crate::util::quoting::split_arguments;
use std::time::Instant;

/// The longest address that Redis takes: a name of a host.
const MAX_ADDRESS_BYTES: usize = 255;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "role", arity: 1, handler: NoLock(role),
        flags: flags(&[NOSCRIPT, LOADING, STALE, FAST, CAT_ADMIN, CAT_DANGEROUS]),
        group: Group::Server, since: "2.8.12",
        summary: "Returns the replication role.", ..BASE },
    CommandSpec { name: "wait", arity: 3, handler: Wait(wait),
        flags: flags(&[CAT_CONNECTION]), group: Group::Generic, since: "3.0.0",
        syntax: "numreplicas timeout:integer",
        summary: "Blocks until the asynchronous replication of all preceding write commands sent by the connection is \
            completed.",
        tips: &["request_policy:all_shards", "response_policy:agg_min"], ..BASE },
    CommandSpec { name: "waitaof", arity: 4, handler: Wait(waitaof),
        flags: flags(&[NOSCRIPT, CAT_CONNECTION]), group: Group::Generic, since: "7.2.0",
        syntax: "numlocal numreplicas timeout:integer",
        summary: "Blocks until all of the preceding write commands sent by the connection are written to the \
            append-only file of the master and/or replicas.",
        tips: &["request_policy:all_shards", "response_policy:agg_min"], ..BASE },
    CommandSpec { name: "replconf", arity: -1, handler: NoLock(replconf),
        flags: flags(&[ADMIN, NOSCRIPT, LOADING, STALE, ALLOW_BUSY]), group: Group::Server, since: "3.0.0",
        summary: "An internal command for configuring the replication stream.", is_internal: true, ..BASE },
    CommandSpec { name: "sync", arity: 1, handler: NoLock(sync),
        flags: flags(&[ADMIN, NOSCRIPT, NO_ASYNC_LOADING, NO_MULTI]), group: Group::Server, since: "1.0.0",
        summary: "An internal command used in replication.", complexity: "", ..BASE },
    CommandSpec { name: "psync", arity: -3, handler: NoLock(psync),
        flags: flags(&[ADMIN, NOSCRIPT, NO_ASYNC_LOADING, NO_MULTI]), group: Group::Server, since: "2.8.0",
        syntax: "replicationid offset", summary: "An internal command used in replication.", complexity: "", ..BASE },
];

/// This server is a master; its stream of changes has no offset yet, and no replica reads it.
///
/// ```text
/// > ROLE
/// 1) "master"
/// 2) (integer) 0
/// 3) (empty array)
/// ```
fn role(call: &mut Call) -> CommandResult {
    call.reply.array(3);
    call.reply.bulk(b"master");
    call.reply.integer(0);
    call.reply.array(0);
    Ok(())
}

/// How many replicas have what the client has written. There is none, so one that wants some waits until its time is
/// up.
///
/// ```text
/// > WAIT 0 0
/// (integer) 0
/// > WAIT 1 10
/// (integer) 0
/// ```
fn wait(call: &mut Call) -> Result<Wish, CommandError> {
    let replicas = call.integer(1)?;
    let until = timeout_ms(call, 2)?;
    Ok(wish_for_replicas(replicas, until, |reply| reply.integer(0)))
}

/// New in 7.2: whether the append-only file of this server, and those of how many replicas, have what the client has
/// written.
///
/// ```text
/// > WAITAOF 0 1 10
/// 1) (integer) 0
/// 2) (integer) 0
/// > WAITAOF 1 0 10
/// (error) ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.
/// ```
fn waitaof(call: &mut Call) -> Result<Wish, CommandError> {
    let local = call.integer_in(1, 0..=1)?;
    let replicas = call.count(2)?;
    let until = timeout_ms(call, 3)?;
    let state = &call.server.append_only;
    let is_on = state.mode() != Mode::Off;
    if local > 0 && !is_on {
        return Err(CommandError::Other(durability::TURNED_OFF.into()));
    }
    let (end, durability) = (state.end(), state.durability.clone());
    let attempt = move |_: &mut Db<'_>, _: &[Key<'_>], reply: &mut Reply| {
        let is_durable = is_on && durability.has(end);
        let is_enough = local <= i64::from(is_durable) && replicas == 0;
        if is_enough {
            durability::write_answer(is_durable, reply);
        }
        Ok(is_enough)
    };
    let awaited = is_on.then_some(AwaitedBlocks {
        end,
        is_wanted: local > 0,
        is_all: local > 0 && replicas == 0,
    });
    Ok(Wish {
        awaited,
        attempt: Box::new(attempt),
        ..wish_for_time(until, |reply| durability::write_answer(false, reply))
    })
}

/// A wish for this many replicas; `none` writes the reply that there are none.
fn wish_for_replicas(replicas: i64, until: Option<Instant>, none: fn(&mut Reply)) -> Wish {
    let attempt = move |_: &mut Db<'_>, _: &[Key<'_>], reply: &mut Reply| {
        let is_enough = replicas <= 0;
        if is_enough {
            none(reply);
        }
        Ok(is_enough)
    };
    Wish {
        attempt: Box::new(attempt),
        ..wish_for_time(until, none)
    }
}

/// A wish that names no key: only time ends the wait.
fn wish_for_time(until: Option<Instant>, timed_out: fn(&mut Reply)) -> Wish {
    Wish {
        states: States::default(),
        group: None,
        destination: None,
        awaited: None,
        attempt: Box::new(|_, _, _| Ok(false)),
        until,
        not_waited: timed_out,
        timed_out,
    }
}

/// ```text
/// > REPLCONF capa eof capa psync2
/// OK
/// > REPLCONF rdb-only 1
/// OK
/// > REPLCONF rdb-only 2
/// (error) ERR value is out of range, value must between 0 and 1
/// > REPLCONF colour blue
/// (error) ERR Unrecognized REPLCONF option: colour
/// ```
fn replconf(call: &mut Call) -> CommandResult {
    if call.arguments.len().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    for index in (1..call.arguments.len()).step_by(2) {
        let value = call.argument(index + 1);
        match call.word(index).as_str() {
            "LISTENING-PORT" => drop(call.integer(index + 1)?),
            "IP-ADDRESS" if value.len() <= MAX_ADDRESS_BYTES => {}
            "IP-ADDRESS" => {
                let text = "REPLCONF ip-address provided by replica instance is too long";
                return Err(CommandError::err(format!("{text}: {} bytes", value.len())));
            }
            "CAPA" if value.eq_ignore_ascii_case(b"eof") => call.session.sync.knows_eof_mark = true,
            "CAPA" => {}
            "RDB-ONLY" => call.session.sync.rdb_only = call.integer_in(index + 1, 0..=1)? == 1,
            "RDB-FILTER-ONLY" => filter(call, value)?,
            // Of a replica that has been synchronised; even Redis answers nothing.
            "ACK" | "GETACK" => return Ok(()),
            _ => {
                let before = "Unrecognized REPLCONF option: ";
                return Err(CommandError::quoting(before, call.argument(index), ""));
            }
        }
    }
    call.reply.ok();
    Ok(())
}

/// What the dump is to hold; nothing of what is not named.
fn filter(call: &mut Call, parts: &[u8]) -> CommandResult {
    let parts =
        split_arguments(parts).map_err(|_| CommandError::err("Missing rdb-filter-only values"))?;
    call.session.sync.without_keys = true;
    for part in parts {
        if !part.eq_ignore_ascii_case(b"functions") {
            return Err(CommandError::quoting(
                "Unsupported rdb-filter-only option: ",
                &part,
                "",
            ));
        }
    }
    Ok(())
}

/// Has the connection send a dump when its other replies are out.
fn sync(call: &mut Call) -> CommandResult {
    check_sync(call)?;
    call.then = Then::SendDump;
    Ok(())
}

/// As SYNC, and says before at which place in the stream of changes the dump stands.
///
/// ```text
/// > PSYNC ? x
/// (error) ERR value is not an integer or out of range
/// ```
fn psync(call: &mut Call) -> CommandResult {
    call.integer(2)?;
    check_sync(call)?;
    call.reply
        .simple(&format!("FULLRESYNC {} 0", call.server.run_id));
    call.then = Then::SendDump;
    Ok(())
}

fn check_sync(call: &Call) -> CommandResult {
    if !call.reply.is_empty() {
        return Err(CommandError::err(
            "SYNC and PSYNC are invalid with pending output",
        ));
    }
    if !call.session.sync.rdb_only {
        return Err(CommandError::err(
            "Replication is not built yet. A dump can be had: REPLCONF rdb-only 1 before SYNC, or redis-cli --rdb",
        ));
    }
    Ok(())
}
