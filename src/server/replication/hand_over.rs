//! FAILOVER: this primary hands its role over to a replica, without losing a write.
//!
//! ```text
//! clients that write wait ─▶ a replica has everything ─▶ this server is a replica ─▶ PSYNC … FAILOVER
//!                        ╰── time is up, ABORT ──▶ as before ◀── the replica refuses, ABORT ──╯
//! ```
//!
//! A write that a client sends between the two last steps is refused: see [`role`].

use super::role;
use crate::command::execute::Engine;
use crate::server::log_feed::LogFeed;
use crate::server::start::spawn;
use crate::state::pause::{Extent, Purpose};
use crate::state::replication::failover::{Plan, Stage};
use crate::state::replication::link::{self, Address};
use crate::state::replication::replicas::{Ack, Replica, Stage as ReplicaStage};
use crate::state::replication::{GETACK, Replication};
use crate::state::shutdown::Answer;
use crate::util::clock;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// The time between two looks at what has come.
const LOOK_PERIOD: Duration = Duration::from_millis(5);
/// The time after which replicas are asked again how far they are.
const ASK_PERIOD: Duration = Duration::from_millis(100);
/// How long the last writes may take to be acknowledged once the role has changed.
const LAST_WRITES: Duration = Duration::from_secs(1);

/// Hands the role over, in a thread of its own. When this returns, clients that write wait.
pub fn begin(feed: &Arc<LogFeed>, plan: Plan) {
    pause_writes(&feed.engine, Purpose::Failover);
    let for_thread = feed.clone();
    if let Err(line) = spawn("failover", move || run(&for_thread, &plan)) {
        feed.engine.log.warning(line);
        end(&feed.engine);
    }
}

fn end(engine: &Engine) {
    let failover = &engine.replication.failover;
    failover.set_stage(Stage::NoFailover);
    engine.pause.end(Purpose::Failover, &engine.keyspace.alarm);
}

fn run(feed: &Arc<LogFeed>, plan: &Plan) {
    let engine = &feed.engine;
    let handed = match wait_for_sync(feed, plan) {
        Some(address) => hand_over(feed, &address, plan.is_forced),
        None => false,
    };
    end(engine);
    engine.log.notice(match handed {
        true => "Failover target accepted, this server is its replica now.",
        false => "Failover attempt aborted",
    });
}

/// When this returns, all writes that do not wait are done.
fn pause_writes(engine: &Engine, purpose: Purpose) {
    let alarm = &engine.keyspace.alarm;
    let now_ms = clock::unix_ms();
    engine
        .pause
        .begin(purpose, Extent::Writes, i64::MAX, now_ms, alarm);
    engine.settle();
}

/// Waits until a replica has everything; gives its address. `None` if that has not come in time.
fn wait_for_sync(feed: &LogFeed, plan: &Plan) -> Option<Address> {
    let replication = &feed.engine.replication;
    let until = plan.timeout.map(|timeout| Instant::now() + timeout);
    let offset = replication.offset(false);
    let mut found = None;
    let mut is_late = false;
    ask_until(replication, || {
        let mut replicas = replication.replicas.all();
        replicas.retain(|replica| is_target(replica, plan));
        let has_all = |replica: &&Arc<Replica>| replica.acked(Ack::Applied) >= offset;
        found = replicas
            .iter()
            .find(has_all)
            .map(|replica| replica.serving_address());
        is_late = until.is_some_and(|until| Instant::now() >= until);
        found.is_some() || is_late || replication.failover.is_aborted()
    });
    if replication.failover.is_aborted() {
        return None;
    }
    if found.is_none() && is_late {
        let line = "Replica never caught up before timeout for failover.";
        feed.engine.log.notice(line);
        return plan.target.clone().filter(|_| plan.is_forced);
    }
    found
}

/// Asks the replicas again and again how far they are, until `is_over`.
fn ask_until(replication: &Replication, mut is_over: impl FnMut() -> bool) {
    let mut asked_at = None;
    while !is_over() {
        if asked_at.is_none_or(|asked_at: Instant| asked_at.elapsed() >= ASK_PERIOD) {
            replication.say(&GETACK);
            asked_at = Some(Instant::now());
        }
        thread::sleep(LOOK_PERIOD);
    }
}

/// Before the server ends: clients that write wait, and replicas get what they lack, for `shutdown-timeout` at most.
/// The clients still wait when this returns: what they write now would be lost. `false`: SHUTDOWN ABORT.
pub fn wait_for_replicas(engine: &Engine) -> bool {
    let replication = &engine.replication;
    let longest_ms = engine.config.shutdown_timeout.get().saturating_mul(1000);
    if longest_ms == 0 || replication.is_replica() || !replication.replicas.are_any() {
        return true;
    }
    pause_writes(engine, Purpose::Shutdown);
    let until_ms = clock::unix_ms().saturating_add(longest_ms);
    let shutdown = &engine.shutdown;
    shutdown.begin_wait(until_ms);
    let offset = replication.offset(false);
    let are_behind = || {
        let lags = |replica: &Arc<Replica>| {
            replica.stage() == ReplicaStage::Online && replica.acked(Ack::Applied) < offset
        };
        replication.replicas.all().iter().any(lags)
    };
    if are_behind() {
        let line = "Waiting for replicas before shutting down.";
        engine.log.notice(line);
    }
    ask_until(replication, || {
        !are_behind() || clock::unix_ms() >= until_ms || shutdown.answer().is_some()
    });
    let goes_on = shutdown.end_wait() == Some(Answer::Abort);
    if !goes_on {
        log_lag(engine, offset);
    }
    !goes_on
}

/// Tells which replicas do not have the stream up to this offset.
fn log_lag(engine: &Engine, offset: u64) {
    let replicas = engine.replication.replicas.all();
    let now_ms = clock::unix_ms();
    let mut in_sync = 0;
    for replica in &replicas {
        let applied = replica.acked(Ack::Applied);
        if applied >= offset {
            in_sync += 1;
            continue;
        }
        engine.log.warning_of_clients(format_args!(
            "Lagging replica {} reported offset {} behind master, lag={}, state={}.",
            replica.name(),
            offset - applied,
            replica.lag_ms(now_ms) / 1000,
            replica.stage().name()
        ));
    }
    engine.log.notice(format_args!(
        "{in_sync} of {} replicas are in sync when shutting down.",
        replicas.len()
    ));
}

fn is_target(replica: &Replica, plan: &Plan) -> bool {
    let is_wanted = |target: &Address| *target == replica.serving_address();
    replica.stage() == ReplicaStage::Online && plan.target.as_ref().is_none_or(is_wanted)
}

/// Becomes a replica of this one, and has it become the primary. `false` if it does not, or, unless it `is_forced`, if
/// it does not have everything: some writes came to their end after it had been asked.
fn hand_over(feed: &Arc<LogFeed>, target: &Address, is_forced: bool) -> bool {
    let replication = &feed.engine.replication;
    replication.failover.set_stage(Stage::InProgress);
    let has_settled = || {
        let end = replication.backlog.end();
        let until = Instant::now() + LAST_WRITES;
        let has_all = |replica: &Arc<Replica>| {
            replica.serving_address() == *target && replica.acked(Ack::Applied) >= end
        };
        loop {
            if replication.replicas.all().iter().any(has_all) {
                return true;
            }
            if Instant::now() >= until {
                return is_forced;
            }
            thread::sleep(LOOK_PERIOD);
        }
    };
    if !role::hand_over(feed, target, has_settled) {
        return false;
    }
    loop {
        if replication.link.stage() == link::Stage::Connected {
            return true;
        }
        if replication.failover.is_aborted() {
            role::change(feed, None);
            return false;
        }
        thread::sleep(LOOK_PERIOD);
    }
}
