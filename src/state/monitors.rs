//! MONITOR: the clients that are shown every command: <https://redis.io/commands/monitor/>.
//!
//! # Thread safety
//! Any thread may show a command; without monitors that is one relaxed load. A transaction shows its commands while it
//! holds the locks of its shards. The order of locks is: shards, the list of monitors, then an outbox or the list of
//! [`Pushes`].
//!
//! # Invariants
//! 1. `is_any` is true exactly if the list is not empty; both change under the mutex.
//! 2. All monitors get the lines in one order, because a line is pushed to all of them under the mutex.

use super::clients::Client;
use super::outbox::Pushes;
use super::slow_log::REDACTED;
use crate::util::{clock, quoting};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use triomphe::Arc as Shared;

/// The clients that have sent MONITOR.
#[derive(Debug)]
pub struct Monitors {
    clients: Mutex<BTreeMap<u64, Arc<Client>>>,
    is_any: AtomicBool,
    pushes: Arc<Pushes>,
}

/// Keeps a client on the list of monitors until this is dropped.
#[derive(Debug)]
pub struct Monitoring {
    monitors: Arc<Monitors>,
    client: Arc<Client>,
}

impl Monitors {
    /// An empty list. Lines will go out through `pushes`.
    pub fn new(pushes: Arc<Pushes>) -> Monitors {
        Monitors {
            clients: Mutex::default(),
            is_any: AtomicBool::new(false),
            pushes,
        }
    }

    /// Puts a client on the list.
    pub fn join(self: &Arc<Self>, client: &Arc<Client>) -> Monitoring {
        client.modes.is_monitor.store(true, Relaxed);
        let mut clients = self.lock();
        clients.insert(client.id, client.clone());
        self.is_any.store(true, Relaxed);
        drop(clients);
        Monitoring {
            monitors: self.clone(),
            client: client.clone(),
        }
    }

    /// Whether there is a monitor.
    pub fn is_any(&self) -> bool {
        self.is_any.load(Relaxed)
    }

    /// Shows a command of this caller, the address of a client or `lua`, to all monitors. The arguments for whose index
    /// `is_secret` returns true are hidden.
    pub fn show(
        &self,
        caller: &str,
        database: usize,
        arguments: &[&[u8]],
        is_secret: impl Fn(usize) -> bool,
    ) {
        let now_us = clock::unix_us();
        let mut line = Vec::new();
        let _ = write!(
            line,
            "+{}.{:06} [{database} {caller}]",
            now_us / 1_000_000,
            now_us % 1_000_000
        );
        for (index, argument) in arguments.iter().enumerate() {
            line.push(b' ');
            let shown: &[u8] = if is_secret(index) { REDACTED } else { argument };
            quoting::quote(shown, &mut line);
        }
        line.extend_from_slice(b"\r\n");
        let line = Shared::new(line);
        let clients = self.lock();
        let monitors = clients.values();
        monitors.for_each(|monitor| self.pushes.push(monitor, &line, now_us / 1000));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Client>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Monitoring {
    fn drop(&mut self) {
        let mut clients = self.monitors.lock();
        clients.remove(&self.client.id);
        self.monitors.is_any.store(!clients.is_empty(), Relaxed);
        self.client.modes.is_monitor.store(false, Relaxed);
    }
}
