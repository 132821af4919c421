//! The connected clients, as other threads see them: CLIENT LIST, CLIENT KILL, INFO, the reaper.
//!
//! # Thread safety
//! The client's own thread writes the figures of its [`Client`]; any thread reads them. Relaxed atomics are enough,
//! since no figure guards other memory. Any thread may call [`Client::disconnect`] and [`Client::end_wait`].
//!
//! # Invariants
//! 1. A client is listed from [`Clients::register`] until its [`Registration`] is dropped.
//! 2. Every mutex here is held for a few lines, and no other lock is taken under it.

use super::acl::Account;
use super::client_memory::{ClientMemory, Share};
use super::outbox::{Outbox, OutputClass};
use super::tracking::Mode;
use super::waiting::{Outcome, Wait};
use crate::keyspace::watchers::Watch;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a subscription takes in the tables, about; its name is that of all subscribers.
const SUBSCRIPTION_BYTES: usize = 64;

/// One connected client. Its own thread writes the figures, any thread reads them.
pub struct Client {
    /// Counts up from 1 over the life of the server.
    pub id: u64,
    /// `address:port` of the client.
    pub address: String,
    /// `address:port` of the server's end of the connection.
    pub local_address: String,
    /// The file descriptor of the socket.
    pub file_descriptor: i32,
    /// Whether the client is on this machine.
    pub is_local: bool,
    /// Whether the client has connected to the socket in the file system (`unixsocket`).
    pub is_of_unix_socket: bool,
    /// Unix time of the connection, in milliseconds.
    pub connected_at_ms: i64,
    /// Unix time in milliseconds at which the client last sent a request, or last took a part of a long output.
    pub last_request_ms: AtomicI64,
    /// The selected database.
    pub database: AtomicUsize,
    /// 2 or 3.
    pub protocol: AtomicU8,
    /// The last command, as a number that the command table gives out, or [`NO_COMMAND`] if none was given, or if it
    /// does not exist.
    pub last_command: AtomicUsize,
    /// How full its buffers are.
    pub buffers: BufferSizes,
    /// The number of channels, patterns and channels of shards to which the client has subscribed.
    pub subscriptions: [AtomicUsize; 3],
    /// Messages of other threads to this client.
    pub outbox: Outbox,
    /// How much it has queued since MULTI.
    pub queue: QueueSize,
    /// Set when a key that it watches (WATCH) has changed.
    pub watch: Arc<Watch>,
    /// What is special about it.
    pub modes: Modes,
    /// Its share of `maxmemory-clients`.
    pub share: Share,
    /// Whether the client's thread closes the connection after the reply to the present command.
    pub closes_after_reply: AtomicBool,
    /// Whether the connection has been closed from outside, so that the client is gone for all others, although its own
    /// thread may not have noticed.
    is_disconnected: AtomicBool,
    account: Mutex<Arc<Account>>,
    tracking: Mutex<Option<Mode>>,
    labels: Mutex<Labels>,
    waiting: Mutex<Option<Arc<Wait>>>,
    /// The client's socket.
    pub link: Arc<dyn Link>,
}

/// How full a client's buffers are, in bytes.
#[derive(Debug, Default)]
pub struct BufferSizes {
    /// The input buffer: what is in use.
    pub input_bytes: AtomicUsize,
    /// The input buffer: what is free.
    pub input_free_bytes: AtomicUsize,
    /// The arguments of an unfinished request.
    pub argument_bytes: AtomicUsize,
    /// Room in the output buffer.
    pub output_capacity: AtomicUsize,
    /// Replies that the client's socket has not taken.
    pub unsent_bytes: AtomicUsize,
    /// Replies, not bytes, that leave when what they tell of is on the disk: `appendfsync always`.
    pub deferred_replies: AtomicUsize,
    /// The keys that it watches.
    pub watched_bytes: AtomicUsize,
}

/// How much a client has queued since MULTI.
#[derive(Debug)]
pub struct QueueSize {
    /// Commands; -1 if it is not in a transaction.
    pub commands: AtomicI64,
    /// Bytes of the commands.
    pub bytes: AtomicUsize,
}

impl Default for QueueSize {
    fn default() -> QueueSize {
        QueueSize {
            commands: AtomicI64::new(-1),
            bytes: AtomicUsize::new(0),
        }
    }
}

/// What is special about a client.
#[derive(Debug, Default)]
pub struct Modes {
    /// Whether the client has sent MONITOR.
    pub is_monitor: AtomicBool,
    /// Whether the client is a replica, or is being sent a dump: Redis calls both a replica.
    pub is_replica: AtomicBool,
    /// CLIENT NO-EVICT.
    pub no_evict: AtomicBool,
    /// CLIENT NO-TOUCH.
    pub no_touch: AtomicBool,
    /// Whether its command waits for the end of CLIENT PAUSE.
    pub is_paused: AtomicBool,
    /// Whether the client that should hear what it tracks is gone.
    pub is_redirect_broken: AtomicBool,
}

/// A client's socket, as threads other than its own may use it.
pub trait Link: Send + Sync {
    /// Closes the connection.
    fn close(&self);

    /// Sends as much as the socket takes without waiting; returns the number of bytes.
    ///
    /// # Errors
    /// The connection is gone.
    fn send(&self, bytes: &[u8]) -> io::Result<usize>;
}

/// The link of a client without a connection: what is sent to it is dropped.
#[derive(Debug)]
pub struct NoLink;

impl Link for NoLink {
    fn close(&self) {}

    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }
}

/// The names that a client has given itself.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    /// CLIENT SETNAME.
    pub name: Vec<u8>,
    /// `CLIENT SETINFO LIB-NAME`.
    pub lib_name: Vec<u8>,
    /// `CLIENT SETINFO LIB-VER`.
    pub lib_ver: Vec<u8>,
}

/// A connection that has just been accepted: what [`Clients::register`] makes a client of.
pub struct NewConnection {
    /// See [`Client::address`].
    pub address: String,
    /// See [`Client::local_address`].
    pub local_address: String,
    /// See [`Client::file_descriptor`].
    pub file_descriptor: i32,
    /// See [`Client::is_local`].
    pub is_local: bool,
    /// See [`Client::is_of_unix_socket`].
    pub is_of_unix_socket: bool,
    /// The user that it has before it logs in.
    pub account: Arc<Account>,
    /// See [`Client::link`].
    pub link: Arc<dyn Link>,
}

impl NewConnection {
    /// A connection without a socket, and so without addresses.
    pub fn without_socket(account: Arc<Account>, link: Arc<dyn Link>) -> NewConnection {
        NewConnection {
            address: String::new(),
            local_address: String::new(),
            file_descriptor: -1,
            is_local: true,
            is_of_unix_socket: false,
            account,
            link,
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("id", &self.id)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// The names that the client has given itself.
    pub fn labels(&self) -> MutexGuard<'_, Labels> {
        self.labels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The user as which the client has logged in, or the user `default`.
    pub fn account(&self) -> Arc<Account> {
        let account = self.account.lock();
        account.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes as which user the client has logged in.
    pub fn set_account(&self, account: Arc<Account>) {
        *self.account.lock().unwrap_or_else(PoisonError::into_inner) = account;
    }

    /// How the client tracks what it reads, if it does.
    pub fn tracking(&self) -> MutexGuard<'_, Option<Mode>> {
        self.tracking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores what the client waits for; `None` once it waits no more.
    pub fn set_waiting(&self, wait: Option<Arc<Wait>>) {
        *self.waiting() = wait;
    }

    /// What the client waits for, if it does.
    pub fn wait(&self) -> Option<Arc<Wait>> {
        // A statement of its own, so that the mutex is free again before the outcome is locked.
        let wait = self.waiting().clone();
        wait.filter(|wait| wait.is_pending())
    }

    /// Whether the client waits for a key, or for the end of CLIENT PAUSE.
    pub fn is_waiting(&self) -> bool {
        self.modes.is_paused.load(Relaxed) || self.wait().is_some()
    }

    /// Ends the client's wait, from any thread; `false` if it does not wait, or its wait has ended already.
    pub fn end_wait(&self, outcome: Outcome) -> bool {
        self.wait().is_some_and(|wait| {
            let has_ended = wait.end(outcome);
            wait.doorbell.ring();
            has_ended
        })
    }

    fn waiting(&self) -> MutexGuard<'_, Option<Arc<Wait>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Measures the memory of the client anew, if that of all clients is limited. A replica does not count.
    pub fn measure(&self) {
        if self.share.is_limited() {
            let counts = !self.modes.is_replica.load(Relaxed);
            self.share.set(if counts { self.memory_bytes() } else { 0 });
        }
    }

    /// Whether the client may be disconnected to save memory: not after CLIENT NO-EVICT, and no replica.
    pub fn may_be_evicted(&self) -> bool {
        let modes = &self.modes;
        self.share.is_counted() && !modes.no_evict.load(Relaxed) && !modes.is_replica.load(Relaxed)
    }

    /// Memory of the client in bytes: CLIENT LIST's `tot-mem`.
    pub fn memory_bytes(&self) -> usize {
        let figures = [
            &self.buffers.input_bytes,
            &self.buffers.input_free_bytes,
            &self.buffers.argument_bytes,
            &self.queue.bytes,
            &self.buffers.output_capacity,
            &self.buffers.watched_bytes,
        ];
        let buffers: usize = figures.iter().map(|figure| figure.load(Relaxed)).sum();
        let subscriptions = self.subscriptions.iter().map(|count| count.load(Relaxed));
        let subscriptions = subscriptions.sum::<usize>() * SUBSCRIPTION_BYTES;
        buffers + subscriptions + self.unread_bytes() + size_of::<Client>()
    }

    /// Bytes of replies and messages that wait to be sent to the client.
    pub fn unread_bytes(&self) -> usize {
        self.outbox.len_and_bytes().1 + self.buffers.unsent_bytes.load(Relaxed)
    }

    /// Whether the client has subscribed to a channel or a pattern.
    pub fn is_subscriber(&self) -> bool {
        self.subscriptions
            .iter()
            .any(|count| count.load(Relaxed) > 0)
    }

    /// The class of its output limit.
    pub fn output_class(&self) -> OutputClass {
        match self.is_subscriber() {
            _ if self.modes.is_replica.load(Relaxed) => OutputClass::Replica,
            true => OutputClass::PubSub,
            false => OutputClass::Normal,
        }
    }

    /// Closes the connection, from any thread. If the client waits for a key, it is not served any more; what it has
    /// sent already is not carried out, but for the present command.
    pub fn disconnect(&self) {
        self.is_disconnected.store(true, Relaxed);
        self.closes_after_reply.store(true, Relaxed);
        self.end_wait(Outcome::Gone);
        self.link.close();
    }

    /// Whether [`disconnect`](Self::disconnect) has been called.
    pub fn is_disconnected(&self) -> bool {
        self.is_disconnected.load(Relaxed)
    }
}

/// The number of no command: see [`Client::last_command`].
pub const NO_COMMAND: usize = usize::MAX;

/// The number of a client that is not listed, as in Redis.
const UNLISTED: u64 = u64::MAX;

/// All connected clients.
#[derive(Debug, Default)]
pub struct Clients {
    /// What they take together: `maxmemory-clients`.
    pub memory: Arc<ClientMemory>,
    connected: Mutex<BTreeMap<u64, Arc<Client>>>,
    /// The length of `connected`, which can be read without its lock.
    count: AtomicUsize,
    last_id: AtomicU64,
    received: AtomicU64,
    rejected: AtomicU64,
}

/// Keeps a client listed; when it is dropped, also by a panic, the client is gone.
#[derive(Debug)]
pub struct Registration {
    clients: Arc<Clients>,
    /// The client.
    pub client: Arc<Client>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.client.share.leave();
        let mut connected = self.clients.lock();
        connected.remove(&self.client.id);
        self.clients.count.store(connected.len(), Relaxed);
    }
}

impl Clients {
    /// Lists a new client; `None` if there are `most` already.
    pub fn register(
        self: &Arc<Self>,
        connection: NewConnection,
        most: usize,
        now_ms: i64,
    ) -> Option<Registration> {
        let mut connected = self.lock();
        self.received.fetch_add(1, Relaxed);
        if connected.len() >= most {
            self.rejected.fetch_add(1, Relaxed);
            return None;
        }
        let id = self.last_id.fetch_add(1, Relaxed) + 1;
        let client = Arc::new(self.client(id, connection, now_ms));
        client.measure();
        connected.insert(client.id, client.clone());
        self.count.store(connected.len(), Relaxed);
        Some(Registration {
            clients: self.clone(),
            client,
        })
    }

    fn client(&self, id: u64, connection: NewConnection, now_ms: i64) -> Client {
        Client {
            id,
            address: connection.address,
            local_address: connection.local_address,
            file_descriptor: connection.file_descriptor,
            is_local: connection.is_local,
            is_of_unix_socket: connection.is_of_unix_socket,
            connected_at_ms: now_ms,
            last_request_ms: AtomicI64::new(now_ms),
            database: AtomicUsize::new(0),
            protocol: AtomicU8::new(2),
            last_command: AtomicUsize::new(NO_COMMAND),
            buffers: BufferSizes::default(),
            subscriptions: Default::default(),
            outbox: Outbox::default(),
            queue: QueueSize::default(),
            watch: Arc::new(Watch::new(id)),
            modes: Modes::default(),
            share: Share::new(self.memory.clone()),
            closes_after_reply: AtomicBool::new(false),
            is_disconnected: AtomicBool::new(false),
            account: Mutex::new(connection.account),
            tracking: Mutex::default(),
            labels: Mutex::default(),
            waiting: Mutex::default(),
            link: connection.link,
        }
    }

    /// A client that is not listed: one that carries out commands of a file.
    pub fn unlisted(&self, account: Arc<Account>, link: Arc<dyn Link>) -> Arc<Client> {
        let connection = NewConnection::without_socket(account, link);
        Arc::new(self.client(UNLISTED, connection, 0))
    }

    /// The clients in the order in which they came.
    pub fn all(&self) -> Vec<Arc<Client>> {
        let connected = self.lock();
        let there = connected
            .values()
            .filter(|client| !client.is_disconnected());
        there.cloned().collect()
    }

    /// The client with this number.
    pub fn find(&self, id: u64) -> Option<Arc<Client>> {
        let found = self.lock().get(&id).cloned();
        found.filter(|client| !client.is_disconnected())
    }

    /// The number of connected clients.
    pub fn count(&self) -> usize {
        self.count.load(Relaxed)
    }

    /// The number of connections since the start, and how many of them were refused.
    pub fn received_and_rejected(&self) -> (u64, u64) {
        (self.received.load(Relaxed), self.rejected.load(Relaxed))
    }

    /// Counts a connection that was refused before it became a client.
    pub fn count_rejected(&self) {
        self.received.fetch_add(1, Relaxed);
        self.rejected.fetch_add(1, Relaxed);
    }

    /// Sets the counts of connections to zero: CONFIG RESETSTAT.
    pub fn reset_counts(&self) {
        self.received.store(0, Relaxed);
        self.rejected.store(0, Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Client>>> {
        self.connected
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
