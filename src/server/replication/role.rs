//! Makes this server a replica, or a primary again: REPLICAOF.
//!
//! # Invariants
//! 1. The role changes with all keys and the libraries of functions locked, and a command that writes looks at it under
//!    its locks. So no client's write is carried out on a replica.
//! 2. While the link's thread carries out a command of the stream, the role does not change (`applying`).
//! 3. The stream is fed by the change log on a primary, and by the link on a replica, never by both.

use super::follower;
use crate::keyspace::listeners::Recorder;
use crate::keyspace::view::View;
use crate::server::log_feed::LogFeed;
use crate::server::start::spawn;
use crate::state::replication::link::Address;
use crate::state::replication::{GETACK, Place};
use crate::state::waiting::Outcome;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Follows this primary from now on, or none.
pub fn change(feed: &Arc<LogFeed>, primary: Option<Address>) {
    let engine = &feed.engine;
    let replication = &engine.replication;
    let _changing = replication.changing_role();
    replication.link.set_handing_over(false);
    replication.link.hold(primary.clone());
    let applying = replication.applying();
    match (replication.is_replica(), &primary) {
        (false, Some(_)) => demote(feed, &[]),
        (true, None) => promote(feed),
        _ => {}
    }
    drop(applying);
    match primary {
        Some(primary) => follow(feed, &primary),
        None => {
            replication.link.end();
            engine.config.set_replicaof("");
        }
    }
}

/// Is a replica of this primary from the start on. The link's thread does not run yet: it would load a snapshot while
/// the dump is loaded.
pub fn begin_as_replica(feed: &Arc<LogFeed>, primary: Address) {
    let link = &feed.engine.replication.link;
    link.hold(Some(primary));
    demote(feed, &[]);
    link.go_on();
}

/// Has the link's thread connect to this primary, which the link is to.
fn follow(feed: &Arc<LogFeed>, primary: &Address) {
    let engine = &feed.engine;
    engine.config.set_replicaof(&primary.to_string());
    engine.replication.link.go_on();
    ensure_follower(feed);
}

/// Starts the link's thread, if it does not run.
pub fn ensure_follower(feed: &Arc<LogFeed>) {
    let engine = &feed.engine;
    if engine.replication.set_following(true) {
        let for_follower = feed.clone();
        let spawned = spawn("follower", move || follower::run(&for_follower));
        if let Err(line) = spawned {
            engine.log.warning(line);
            engine.replication.set_following(false);
        }
    }
}

/// Follows this replica from now on, and asks it to be the primary. `has_settled` is called when no client can write
/// any more, and before the replica is asked. If it says no, the server is a primary again; then this returns `false`.
pub fn hand_over(
    feed: &Arc<LogFeed>,
    replica: &Address,
    has_settled: impl FnOnce() -> bool,
) -> bool {
    let replication = &feed.engine.replication;
    let changing = replication.changing_role();
    replication.link.hold(Some(replica.clone()));
    let applying = replication.applying();
    // The last words of this primary: so it will know who has everything.
    demote(feed, &GETACK);
    drop(applying);
    if !has_settled() {
        drop(changing);
        change(feed, None);
        return false;
    }
    replication.link.set_handing_over(true);
    follow(feed, replica);
    true
}

/// A dump has been loaded that was written at this place in a stream.
pub fn resume(feed: &Arc<LogFeed>, place: &Place) {
    let engine = &feed.engine;
    let is_replica = !engine.config.replicaof.get().is_empty();
    engine.replication.resume(place, is_replica);
    if is_replica {
        return;
    }
    let listeners = &engine.keyspace.listeners;
    listeners.set_recorded(Recorder::Replication, true);
    match feed.ensure_threads() {
        Ok(()) => drop(feed.begin_division().stream()),
        Err(line) => engine.log.warning(line),
    }
}

/// Becomes a replica. `last` is the last command of the stream that this server feeds itself, if it is not empty.
fn demote(feed: &LogFeed, last: &[&[u8]]) {
    let engine = &feed.engine;
    let division = feed.begin_division();
    let all = engine.locks.write_all(View::from(0));
    let libraries = engine.scripts.libraries.hold();
    engine.replication.set_replica(true);
    drop(libraries);
    engine.log.is_replica.store(true, Relaxed);
    engine.keyspace.alarm.suspend(true);
    let listeners = &engine.keyspace.listeners;
    listeners.set_recorded(Recorder::Replication, false);
    division.divide(listeners.divide_journal());
    drop(all);
    division.end_stream(last);
    for client in engine.clients.all() {
        client.end_wait(Outcome::Demoted);
    }
}

fn promote(feed: &LogFeed) {
    let engine = &feed.engine;
    let replication = &engine.replication;
    let division = feed.begin_division();
    let all = engine.locks.write_all(View::from(0));
    replication.set_replica(false);
    engine.log.is_replica.store(false, Relaxed);
    engine.loading.is_incomplete.store(false, Relaxed);
    replication.shift_identity();
    replication.local_deadlines.forget_all();
    let listeners = &engine.keyspace.listeners;
    let has_stream = replication.backlog.is_active();
    listeners.set_recorded(Recorder::Replication, has_stream);
    division.divide(listeners.divide_journal());
    drop(all);
    drop(division.stream());
    engine.keyspace.alarm.suspend(false);
    // They connect again at once, and learn the new id from `+CONTINUE`.
    replication.disconnect_replicas();
}
