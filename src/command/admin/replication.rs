//! Replication, as clients and replicas see it: ROLE, WAIT and WAITAOF, and what a replica says to its primary
//! (REPLCONF, PSYNC). What is sent to replicas, and to clients that want a dump (`redis-cli --rdb`), is in
//! `server/replication`.

use crate::command::call::{Call, SyncManner, SyncStart, Then};
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::command::timeout::timeout_ms;
use crate::keyspace::db::Db;
use crate::keyspace::space::Key;
use crate::keyspace::waiters::States;
use crate::resp::reply::Reply;
use crate::state::append_only::{Mode, TURNED_OFF};
use crate::state::change_log;
use crate::state::progress::Goal;
use crate::state::replication::GETACK;
use crate::state::replication::backlog::Backlog;
use crate::state::replication::link;
use crate::state::replication::replicas::{Ack, Replica, Replicas, Stage};
use crate::state::waiting::Wish;
use crate::util::quoting::split_arguments;
use crate::util::{clock, number};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
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

/// The role of this server. A primary, which Redis still calls a master, tells the offset of its stream, and the
/// replicas that are sent the stream, each with its address, its port and the offset that it has acknowledged. A
/// replica tells the address of its primary, how far the link is, and its offset.
///
/// ```text
/// > ROLE
/// 1) "master"
/// 2) (integer) 0
/// 3) (empty array)
/// ```
fn role(call: &mut Call) -> CommandResult {
    let replication = &call.server.replication;
    if let Some(primary) = replication.primary() {
        call.reply.array(5);
        call.reply.bulk(b"slave");
        call.reply.bulk(primary.host.as_bytes());
        call.reply.integer(primary.port.into());
        call.reply.bulk(match replication.link.stage() {
            link::Stage::Connect => b"connect",
            link::Stage::Connecting => b"connecting",
            link::Stage::Handshake => b"handshake",
            link::Stage::Transfer => b"sync",
            link::Stage::Connected => b"connected",
        });
        call.reply.integer(match replication.link.stage() {
            link::Stage::Connected => replication.backlog.end() as i64,
            _ => -1,
        });
        return Ok(());
    }
    let mut replicas = replication.replicas.all();
    replicas.retain(|replica| replica.stage() == Stage::Online);
    call.reply.array(3);
    call.reply.bulk(b"master");
    let holds_lock = call.session.transaction.is_running;
    call.reply.integer(replication.offset(holds_lock) as i64);
    call.reply.array(replicas.len());
    for replica in replicas {
        call.reply.array(3);
        call.reply.bulk(replica.shown_address().as_bytes());
        call.reply.bulk_integer(replica.port.into());
        call.reply.bulk_integer(replica.acked(Ack::Applied) as i64);
    }
    Ok(())
}

/// How many replicas have carried out what the client has written; waits until they are as many as it wants, or its
/// time is up.
///
/// ```text
/// > WAIT 0 0
/// (integer) 0
/// > WAIT 1 10
/// (integer) 0
/// ```
fn wait(call: &mut Call) -> Result<Wish, CommandError> {
    let wanted = call.integer(1)?;
    let until = timeout_ms(call, 2)?;
    let acks = acks(call, Ack::Applied, wanted)?;
    Ok(wish_for(until, false, move |reply| {
        let count = acks.count();
        reply.integer(count);
        count >= wanted && (wanted <= 0 || acks.have_been_sent())
    }))
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
    let wants_local = call.integer_in(1, 0..=1)? > 0;
    let wanted = call.count(2)? as i64;
    let until = timeout_ms(call, 3)?;
    let state = &call.server.append_only;
    let is_on = state.mode() != Mode::Off;
    if wants_local && !is_on {
        return Err(CommandError::Other(TURNED_OFF.into()));
    }
    let (end, durability) = (state.end(), state.durability.clone());
    let acks = acks(call, Ack::OnDisk, wanted)?;
    Ok(wish_for(until, wants_local, move |reply| {
        let is_durable = is_on && durability.has(end);
        let count = acks.count();
        reply.array(2);
        reply.integer(is_durable.into());
        reply.integer(count);
        let are_enough = count >= wanted && (wanted <= 0 || acks.have_been_sent());
        (is_durable || !wants_local) && are_enough
    }))
}

/// The acknowledgements of what a client has written.
struct Acks {
    replicas: Arc<Replicas>,
    backlog: Arc<Backlog>,
    kind: Ack,
    /// The number after that of the last block in the change log that is the client's.
    number: u64,
}

impl Acks {
    /// The offset in the stream behind what the client has written; `None` if the stream has not come so far.
    fn offset(&self) -> Option<u64> {
        match self.number {
            0 => Some(0),
            number => self.backlog.offset_of(number),
        }
    }

    /// Whether all replicas that take it have been sent it.
    fn have_been_sent(&self) -> bool {
        let offset = self.offset();
        offset.is_some_and(|offset| self.replicas.have_been_sent(offset))
    }

    /// How many replicas have acknowledged it now.
    fn count(&self) -> i64 {
        let count = |offset| self.replicas.count(self.kind, offset) as i64;
        self.offset().map_or(0, count)
    }
}

/// The acknowledgements of what the caller has written. If it wants more than there are, the replicas are asked for
/// them, but not within a transaction, which cannot wait.
///
/// # Errors
/// The server is a replica.
fn acks(call: &Call, kind: Ack, wanted: i64) -> Result<Acks, CommandError> {
    let replication = &call.server.replication;
    if replication.is_replica() {
        let name = String::from_utf8_lossy(call.arguments[0]).to_ascii_uppercase();
        return Err(CommandError::err(format!(
            "{name} cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is \
             configured to be writable (which is not the default) writes to replicas are just local and are not \
             propagated."
        )));
    }
    let number = change_log::last_of_thread();
    let may_wait = !call.session.transaction.is_running;
    replication.catch_up(!may_wait);
    let acks = Acks {
        replicas: replication.replicas.clone(),
        backlog: replication.backlog.clone(),
        kind,
        number,
    };
    if may_wait && acks.replicas.are_any() && acks.count() < wanted {
        replication.say(&GETACK);
    }
    Ok(acks)
}

/// A wish that names no key: it is fulfilled when `answer` writes a reply and returns `true`.
fn wish_for(
    until: Option<Instant>,
    needs_file: bool,
    answer: impl Fn(&mut Reply) -> bool + Send + Sync + 'static,
) -> Wish {
    let goal = Arc::new(Goal {
        answer: Box::new(answer),
        needs_file,
    });
    let attempted = goal.clone();
    Wish {
        states: States::default(),
        group: None,
        destination: None,
        goal: Some(goal),
        attempt: Box::new(move |_: &mut Db<'_>, _: &[Key<'_>], reply: &mut Reply| {
            let mark = reply.undo_point();
            let is_reached = (attempted.answer)(reply);
            if !is_reached {
                reply.undo_to(mark);
            }
            Ok(is_reached)
        }),
        until,
        not_waited: |_| {},
        timed_out: |_| {},
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
            "LISTENING-PORT" => {
                let port = call.integer(index + 1)?;
                call.session.sync.port = u16::try_from(port).unwrap_or(0);
            }
            "IP-ADDRESS" if value.len() <= MAX_ADDRESS_BYTES => {
                call.session.sync.address = String::from_utf8_lossy(value).into_owned();
            }
            "IP-ADDRESS" => {
                let text = "REPLCONF ip-address provided by replica instance is too long";
                return Err(CommandError::err(format!("{text}: {} bytes", value.len())));
            }
            "CAPA" if value.eq_ignore_ascii_case(b"eof") => call.session.sync.knows_eof_mark = true,
            "CAPA" if value.eq_ignore_ascii_case(b"psync2") => {
                call.session.sync.knows_new_id = true
            }
            "CAPA" => {}
            "RDB-ONLY" => call.session.sync.rdb_only = call.integer_in(index + 1, 0..=1)? == 1,
            "RDB-FILTER-ONLY" => filter(call, value)?,
            "ACK" => return acknowledge(call, index),
            // A primary asks for it in the stream; a client gets no answer.
            "GETACK" => return Ok(()),
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

/// A replica says how far it has come: the offset up to which it has carried out the stream, and, behind FACK, up to
/// which the effects are on its disk.
fn acknowledge(call: &mut Call, index: usize) -> CommandResult {
    let Some(replica) = &call.session.sync.replica else {
        return Ok(());
    };
    let offset = |index: usize| {
        let argument = call.arguments.get(index)?;
        u64::try_from(number::parse_i64(argument)?).ok()
    };
    let Some(applied) = offset(index + 1) else {
        return Ok(());
    };
    let has_file = call.arguments.len() > index + 3 && call.is_word(index + 2, "FACK");
    let on_disk = offset(index + 3).filter(|_| has_file);
    replica.acknowledge(applied, on_disk, clock::unix_ms());
    if replica.awaits_ack.swap(false, Relaxed) {
        call.server.replication.backlog.wake_readers();
    }
    call.server.progress.look();
    Ok(())
}

/// As PSYNC, but from before Redis 2.8: the client is not told the place in the stream, and gets everything.
fn sync(call: &mut Call) -> CommandResult {
    if call.session.sync.replica.is_some() {
        // It is one already; even Redis answers nothing.
        return Ok(());
    }
    check_sync(call)?;
    call.then = match call.session.sync.rdb_only {
        true => Then::SendDump,
        false => {
            become_replica(call);
            Then::Synchronize(SyncStart::Full(manner(call, false)))
        }
    };
    Ok(())
}

/// The client wants to follow the stream of this id from this offset on, counted from 1. If that is in the backlog it
/// gets what follows, else a snapshot and what comes after it.
///
/// ```text
/// > PSYNC ? x
/// (error) ERR value is not an integer or out of range
/// ```
fn psync(call: &mut Call) -> CommandResult {
    if call.session.sync.replica.is_some() {
        return Ok(());
    }
    let first = call.integer(2)?;
    if call.arguments.len() > 3 && call.is_word(3, "FAILOVER") {
        take_over(call)?;
    }
    check_sync(call)?;
    if call.session.sync.rdb_only {
        let replication = &call.server.replication;
        let (id, offset) = (replication.identity().id, replication.backlog.end());
        call.reply.simple(&format!("FULLRESYNC {id} {offset}"));
        call.then = Then::SendDump;
        return Ok(());
    }
    // Before the backlog is looked at: it is not dropped while there is a replica.
    become_replica(call);
    let id = call.argument(1);
    let (replication, statistics) = (&call.server.replication, &call.server.statistics);
    let offset = u64::try_from(first.saturating_sub(1)).ok();
    let reader = offset.and_then(|offset| replication.continue_for(id, offset));
    call.then = Then::Synchronize(match reader {
        Some(reader) => {
            statistics.partial_syncs.fetch_add(1, Relaxed);
            let reply = match call.session.sync.knows_new_id {
                true => format!("+CONTINUE {}\r\n", replication.identity().id),
                false => "+CONTINUE\r\n".to_string(),
            };
            SyncStart::Partial { reader, reply }
        }
        None => {
            if id != b"?" {
                statistics.refused_partial_syncs.fetch_add(1, Relaxed);
            }
            SyncStart::Full(manner(call, true))
        }
    });
    Ok(())
}

/// The primary of this replica hands its role over.
fn take_over(call: &mut Call) -> CommandResult {
    let (replication, log) = (&call.server.replication, &call.server.log);
    let id = String::from_utf8_lossy(call.argument(1)).into_owned();
    log.warning_of_clients(format_args!("Failover request received for replid {id}."));
    if !replication.is_replica() {
        return Err(CommandError::err(
            "PSYNC FAILOVER can't be sent to a master.",
        ));
    }
    if replication.identity().id != id {
        return Err(CommandError::err(
            "PSYNC FAILOVER replid must match my replid.",
        ));
    }
    if let Some(feed) = replication.feed() {
        feed.clone().follow(None);
    }
    let asked_by = &call.session.client.address;
    log.notice_of_clients(format_args!(
        "MASTER MODE enabled (failover request from '{asked_by}')"
    ));
    Ok(())
}

fn check_sync(call: &Call) -> CommandResult {
    let replication = &call.server.replication;
    if replication.is_replica() && replication.link.stage() != link::Stage::Connected {
        let text = "NOMASTERLINK Can't SYNC while not connected with my master";
        return Err(CommandError::Other(text.into()));
    }
    if call.session.sync.without_keys && !call.session.sync.knows_eof_mark {
        let text = "Filtered replica requires EOF capability";
        return Err(CommandError::err(text));
    }
    match call.reply.is_empty() {
        true => Ok(()),
        false => Err(CommandError::err(
            "SYNC and PSYNC are invalid with pending output",
        )),
    }
}

/// Lists the client among the replicas.
fn become_replica(call: &mut Call) {
    let (client, sync) = (call.session.client.clone(), &mut call.session.sync);
    let now_ms = clock::unix_ms();
    let replica = Replica::new(client, sync.port, sync.address.clone(), now_ms);
    let replica = sync.replica.insert(Arc::new(replica));
    call.server.replication.replicas.add(replica);
}

fn manner(call: &Call, knows_psync: bool) -> SyncManner {
    SyncManner {
        knows_psync,
        knows_eof_mark: call.session.sync.knows_eof_mark,
    }
}
