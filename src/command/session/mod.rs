//! What the server remembers of a client for its own thread alone. What other threads may see of it is the
//! [`Client`].

pub mod held;
pub mod transaction;

use super::error::CommandError;
use super::registry::Command;
use super::spec::{CommandFlags, KEEPS_CACHING};
use crate::keyspace::evict::Pool;
use crate::state::Server;
use crate::state::acl::Account;
use crate::state::clients::Client;
use crate::state::monitors::Monitoring;
use crate::state::pubsub::Subscriptions;
use crate::state::replication::replicas::Replica;
use crate::state::tracking::Mode;
use crate::util::doorbell::Doorbell;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use transaction::{Queue, Transaction};

/// One client's side of the conversation.
#[derive(Debug)]
pub struct Session {
    /// What other threads see of the client.
    pub client: Arc<Client>,
    /// The selected database.
    pub database: usize,
    /// Which replies the client wants.
    pub reply_mode: ReplyMode,
    /// What it has watched and queued.
    pub transaction: Transaction,
    /// What it has subscribed to.
    pub subscriptions: Subscriptions,
    /// Its place among the monitors, after MONITOR.
    pub monitoring: Option<Monitoring>,
    /// As what it would be synchronised, or is.
    pub sync: SyncOptions,
    /// How it tracks what it reads, if it does: what other threads see in the client.
    pub tracking: Option<Mode>,
    /// CLIENT CACHING: the next command is an exception from OPTIN or OPTOUT.
    pub is_caching_exception: bool,
    /// Whether memory was short and could not be freed when the present command began.
    pub is_out_of_memory: bool,
    /// Whether it carries out effects, of which some say which keys have expired.
    pub is_replaying: bool,
    /// What the client's thread has drawn when it made room.
    pub eviction_pool: Pool,
    account: Arc<Account>,
    /// Whether it has logged in, or need not have had to when it connected.
    is_authenticated: bool,
    doorbell: Option<Arc<Doorbell>>,
}

/// CLIENT REPLY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyMode {
    /// All of them.
    On,
    /// None.
    Off,
    /// None to this command (CLIENT REPLY SKIP itself) and none to the next.
    SkipNext,
    /// None to this command.
    Skip,
}

/// What a client says of itself (REPLCONF) before it asks for a snapshot, and what it is then.
#[derive(Clone, Debug, Default)]
pub struct SyncOptions {
    /// It wants a dump alone, and no changes after it.
    pub rdb_only: bool,
    /// It finds the end by a mark, so the length need not be known before.
    pub knows_eof_mark: bool,
    /// It takes another replication id when its connection is continued (`psync2`).
    pub knows_new_id: bool,
    /// It wants no keys.
    pub without_keys: bool,
    /// The port at which it serves clients; 0 if it has not said so.
    pub port: u16,
    /// The address that it wants to be known by; empty if it has not said so.
    pub address: String,
    /// The replica that it has become.
    pub replica: Option<Arc<Replica>>,
}

impl Session {
    /// A client that has just connected.
    pub fn new(server: &Server, client: &Arc<Client>) -> Session {
        Session {
            client: client.clone(),
            database: 0,
            reply_mode: ReplyMode::On,
            transaction: Transaction::default(),
            subscriptions: Subscriptions::new(server.pubsub.clone(), client.clone()),
            monitoring: None,
            sync: SyncOptions::default(),
            tracking: None,
            is_caching_exception: false,
            is_out_of_memory: false,
            is_replaying: false,
            eviction_pool: Pool::default(),
            account: server.acl.default_account().clone(),
            is_authenticated: server.acl.is_open(),
            doorbell: None,
        }
    }

    /// The user as which the client has logged in, or the user `default`.
    #[inline]
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// Whether the client may give commands: it has logged in, or need not.
    #[inline]
    pub fn is_authenticated(&self, server: &Server) -> bool {
        self.is_authenticated || server.acl.is_open()
    }

    /// The client has logged in as this user.
    pub fn log_in(&mut self, account: Arc<Account>) {
        self.client.set_account(account.clone());
        self.account = account;
        self.is_authenticated = true;
    }

    /// The client is as one that has just connected.
    pub fn log_out(&mut self, server: &Server) {
        self.log_in(server.acl.default_account().clone());
        self.is_authenticated = server.acl.is_open();
    }

    /// Disconnects a client, which may be this one: then it still gets its answer.
    pub fn disconnect(&self, client: &Arc<Client>) {
        match Arc::ptr_eq(client, &self.client) {
            true => client.closes_after_reply.store(true, Relaxed),
            false => client.disconnect(),
        }
    }

    /// Whether the client has asked for messages.
    pub fn listens(&self) -> bool {
        !self.subscriptions.is_empty() || self.monitoring.is_some() || self.tracking.is_some()
    }

    /// Whether what the present command reads is remembered.
    #[inline]
    pub fn tracks_reads(&self) -> bool {
        let is_exception = self.is_caching_exception;
        match self.tracking {
            None => false,
            Some(mode) if mode.is_broadcast => false,
            Some(mode) if mode.opts_in => is_exception,
            Some(mode) => !(mode.opts_out && is_exception),
        }
    }

    /// CLIENT CACHING holds for one command, or for one transaction.
    #[inline]
    pub fn end_caching_exception(&mut self, command: Option<&Command>) {
        let keeps = |command: &Command| command.spec.has(KEEPS_CACHING);
        if self.is_caching_exception
            && self.transaction.queue.is_none()
            && !command.is_some_and(keeps)
        {
            self.is_caching_exception = false;
        }
    }

    /// Ends the tracking.
    pub fn end_tracking(&mut self, server: &Server) {
        if self.tracking.take().is_some() {
            server.tracking.disable(&self.client);
            server.listen_for_tracking();
        }
        self.is_caching_exception = false;
    }

    /// Whether the client may give few commands only: in RESP2, a subscriber cannot tell replies from messages.
    pub fn is_restricted(&self) -> bool {
        !self.subscriptions.is_empty() && self.client.protocol.load(Relaxed) == 2
    }

    /// Lets a command wait for EXEC, unless it is known already that EXEC will do nothing.
    pub fn enqueue(&mut self, command: &'static Command, arguments: &[&[u8]], flags: CommandFlags) {
        let will_run = !self.client.watch.is_spoilt();
        let queue = self.transaction.queue.as_mut();
        if let Some(queue) = queue.filter(|queue| will_run && !queue.is_spoilt) {
            queue.push(command, arguments, flags);
            self.publish_queue();
        }
    }

    /// Lets go of the commands that wait for EXEC; returns them, if the client is in a transaction.
    pub fn discard_queue(&mut self) -> Option<Box<Queue>> {
        let queue = self.transaction.queue.take();
        self.publish_queue();
        queue
    }

    /// Notes for CLIENT LIST how long the queue of the transaction is.
    pub fn publish_queue(&self) {
        let queue = self.transaction.queue.as_ref();
        let commands = queue.map_or(-1, |queue| queue.len() as i64);
        self.client.queue.commands.store(commands, Relaxed);
        let bytes = queue.map_or(0, |queue| queue.memory_bytes());
        self.client.queue.bytes.store(bytes, Relaxed);
    }

    /// What wakes the client's thread when it sleeps for other threads; made when it is first needed.
    ///
    /// # Errors
    /// The process has too many files open.
    pub fn doorbell(&mut self) -> Result<Arc<Doorbell>, CommandError> {
        if self.doorbell.is_none() {
            let new = Doorbell::new().map(Arc::new);
            let new = new.map_err(|error| CommandError::err(format!("cannot wait: {error}")))?;
            self.client.outbox.open(new.clone());
            self.doorbell = Some(new);
        }
        Ok(self.doorbell.clone().expect("it was just made"))
    }
}
