//! Client-side caching: which client has read which keys, so that it hears when they change:
//! <https://redis.io/docs/manual/client-side-caching/>.
//!
//! A client that tracks is remembered with each key that it reads. When the key changes, the client gets a message and
//! is forgotten for this key. A client that tracks by prefixes (BCAST) is remembered with these alone; what a thread
//! changes meanwhile is gathered by it, and goes out when it sends its replies.
//!
//! # Invariants
//! 1. No change is missed: a reader is remembered while the lock of the key's shard is still held, and the thread that
//!    changes the key tells under its exclusive lock.
//! 2. A client hears of a change by itself after the reply to its command: the message waits in its own outbox until
//!    then.
//! 3. With no client that tracks, a change costs the one load that says that nothing listens.
//!
//! # Thread safety
//! Any thread may call everything here, also with shards locked. Locks are taken in this order: shards, a part of the
//! table or the prefixes, the clients, a client's mode, an outbox or the list of [`Pushes`]. [`Tracking::broadcast`] is
//! called without a shard's lock.

use super::clients::{Client, Clients};
use super::outbox::{Message, Pushes};
use crate::keyspace::listeners::{Cause, Tracker};
use crate::resp::reply::{Protocol, Reply};
use crate::util::clock;
use indexmap::IndexMap;
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use triomphe::Arc as Shared;

/// Parts of the table, each behind its own lock.
const PARTS: usize = 64;
/// The channel on which a client that speaks RESP2 hears of what others have read.
const CHANNEL: &[u8] = b"__redis__:invalidate";

thread_local! {
    /// The client for which the thread changes keys; 0 for none. It is kept by thread, and handed over to no function,
    /// because a thread also serves other clients that have waited, and lets keys expire, deep inside a command.
    static ACTING_CLIENT: Cell<u64> = const { Cell::new(0) };
    /// Whether a script runs in the thread.
    static RUNS_SCRIPT: Cell<bool> = const { Cell::new(false) };
    /// What the thread has changed since its last broadcast, while clients track prefixes: the keys, each with the
    /// client that changed it last, 0 for none. With NOLOOP, that client is not told: it knows the value. A client that
    /// has changed the key before it does not.
    static CHANGED: RefCell<Changed> = const { RefCell::new(Changed::new()) };
}

/// What a thread has changed and has not told: see [`take_changed`].
pub type Changed = BTreeMap<Box<[u8]>, u64>;

/// Takes over what the calling thread has changed since its last broadcast, to be told by another thread.
pub fn take_changed() -> Changed {
    CHANGED.take()
}

/// What was changed for the client of the calling thread by another thread is told by this one.
pub fn add_changed(changed: Changed) {
    if !changed.is_empty() {
        CHANGED.with_borrow_mut(|own| own.extend(changed));
    }
}

/// Notes for which client the calling thread changes keys from now on; 0 for none. Returns for which it did before.
pub fn set_acting_client(client: u64) -> u64 {
    ACTING_CLIENT.replace(client)
}

/// Notes whether a script runs in the calling thread. As in Redis, what it changes under a prefix is not the client's
/// own change, so that NOLOOP does not hide it: the client need not know what the script does.
pub fn set_runs_script(runs: bool) {
    RUNS_SCRIPT.set(runs);
}

/// How a client tracks: CLIENT TRACKING.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mode {
    /// The client that gets the messages instead; 0 for none.
    pub redirect: u64,
    /// BCAST: by prefixes, not by what is read.
    pub is_broadcast: bool,
    /// OPTIN: only what is read after CLIENT CACHING YES.
    pub opts_in: bool,
    /// OPTOUT: all but what is read after CLIENT CACHING NO.
    pub opts_out: bool,
    /// NOLOOP: not of what the client itself has changed.
    pub no_loop: bool,
}

/// Who tracks what.
#[derive(Debug)]
pub struct Tracking {
    clients: Arc<Clients>,
    pushes: Arc<Pushes>,
    parts: [Mutex<Part>; PARTS],
    hasher: RandomState,
    prefixes: RwLock<Prefixes>,
    /// The number of prefixes, which can be read without their lock.
    prefix_count: AtomicUsize,
    /// Clients that track.
    count: AtomicUsize,
    /// Keys in all parts.
    keys: AtomicUsize,
    /// The most keys in the table; 0 for no limit.
    most_keys: AtomicU64,
}

/// A part of the table.
#[derive(Debug, Default)]
struct Part {
    /// For each key, the clients that have read it.
    readers: IndexMap<Box<[u8]>, Readers, RandomState>,
    /// Pairs of a key and a client.
    items: usize,
}

/// The numbers of clients, ascending. Most keys are read by one or two.
type Readers = SmallVec<[u64; 2]>;

/// The prefixes that clients track, with these clients by their numbers.
type Prefixes = BTreeMap<Box<[u8]>, BTreeMap<u64, Arc<Client>>>;

/// What a message says.
enum Invalid<'a> {
    Keys(&'a [&'a [u8]]),
    Everything,
}

impl Tracking {
    /// No client tracks.
    pub fn new(clients: Arc<Clients>, pushes: Arc<Pushes>) -> Tracking {
        Tracking {
            clients,
            pushes,
            parts: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            prefixes: RwLock::default(),
            prefix_count: AtomicUsize::new(0),
            count: AtomicUsize::new(0),
            keys: AtomicUsize::new(0),
            most_keys: AtomicU64::new(0),
        }
    }

    /// Sets `tracking-table-max-keys`; 0 for no limit.
    pub fn set_most_keys(&self, most: u64) {
        self.most_keys.store(most, Relaxed);
        while self.forget_excess(fastrand::usize(..PARTS)) {}
    }

    /// The number of clients that track.
    pub fn clients(&self) -> usize {
        self.count.load(Relaxed)
    }

    /// Whether a client tracks, or something is remembered of one that did.
    pub fn is_in_use(&self) -> bool {
        self.clients() > 0 || self.keys.load(Relaxed) > 0
    }

    /// Keys in the table, pairs of a key and a client, and prefixes.
    pub fn totals(&self) -> (usize, usize, usize) {
        let items = (0..PARTS).map(|number| self.part(number).items).sum();
        let prefixes = self.prefixes.read().unwrap_or_else(PoisonError::into_inner);
        (self.keys.load(Relaxed), items, prefixes.len())
    }

    /// Lets a client track in this way. `prefixes` are added to those that it tracks already.
    pub fn enable(&self, client: &Arc<Client>, mode: Mode, prefixes: &[&[u8]]) {
        if client.tracking().replace(mode).is_none() {
            self.count.fetch_add(1, Relaxed);
        }
        client.modes.is_redirect_broken.store(false, Relaxed);
        if !mode.is_broadcast {
            return;
        }
        let prefixes = if prefixes.is_empty() {
            &[&b""[..]]
        } else {
            prefixes
        };
        let mut known = self
            .prefixes
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        for prefix in prefixes {
            let clients = known.entry((*prefix).into()).or_default();
            clients.insert(client.id, client.clone());
        }
        self.prefix_count.store(known.len(), Relaxed);
    }

    /// Ends a client's tracking. What it has read is forgotten when it changes, or with all the rest.
    pub fn disable(&self, client: &Client) {
        let Some(mode) = client.tracking().take() else {
            return;
        };
        client.modes.is_redirect_broken.store(false, Relaxed);
        self.count.fetch_sub(1, Relaxed);
        if mode.is_broadcast {
            let mut known = self
                .prefixes
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            known.retain(|_, clients| {
                clients.remove(&client.id);
                !clients.is_empty()
            });
            self.prefix_count.store(known.len(), Relaxed);
        }
    }

    /// The prefixes that a client tracks.
    pub fn prefixes_of(&self, client: u64) -> Vec<Box<[u8]>> {
        let known = self.prefixes.read().unwrap_or_else(PoisonError::into_inner);
        let own = known
            .iter()
            .filter(|(_, clients)| clients.contains_key(&client));
        own.map(|(name, _)| name.clone()).collect()
    }

    /// Remembers that a client has read a key. The caller holds the lock of the key's shard.
    pub fn remember(&self, client: u64, key: &[u8]) {
        let number = self.part_of(key);
        let mut part = self.part(number);
        let Part { readers, items } = &mut *part;
        let readers = readers.entry(key.into()).or_insert_with(|| {
            self.keys.fetch_add(1, Relaxed);
            Readers::new()
        });
        if let Err(place) = readers.binary_search(&client) {
            readers.insert(place, client);
            *items += 1;
        }
        drop(part);
        self.forget_excess(number);
    }

    /// If there are too many keys, forgets one that is drawn from this part, and tells those that have read it.
    /// `false`: there are not too many.
    fn forget_excess(&self, number: usize) -> bool {
        let most = self.most_keys.load(Relaxed);
        if most == 0 || self.keys.load(Relaxed) as u64 <= most {
            return false;
        }
        let mut part = self.part(number);
        if part.readers.is_empty() {
            return true;
        }
        let drawn = fastrand::usize(..part.readers.len());
        if let Some((key, readers)) = part.readers.swap_remove_index(drawn) {
            part.items -= readers.len();
            drop(part);
            self.tell_readers(&key, readers);
        }
        true
    }

    /// Tells all clients that track that all keys are gone: FLUSHALL, FLUSHDB. Returns what has become of no use, which
    /// may be much: the caller frees it when it holds no lock.
    #[must_use]
    pub fn forget_all(&self) -> impl Send + use<> {
        // The parts first. A client that reads a key meanwhile is remembered, and gets a superfluous message.
        let take = |number| {
            let forgotten = std::mem::take(&mut *self.part(number));
            self.keys.fetch_sub(forgotten.readers.len(), Relaxed);
            forgotten
        };
        let forgotten: Vec<Part> = (0..PARTS).map(take).collect();
        if self.clients() > 0 {
            for client in self.clients.all() {
                if client.tracking().is_some() {
                    self.send(&client, &Invalid::Everything);
                }
            }
        }
        forgotten
    }

    /// Sends what the calling thread has changed under prefixes. The messages go out with the next [`Pushes::deliver`].
    /// Called by every thread that changes keys, when it holds no lock.
    pub fn broadcast(&self) {
        let changed = take_changed();
        if changed.is_empty() {
            return;
        }
        let known = self.prefixes.read().unwrap_or_else(PoisonError::into_inner);
        for (prefix, clients) in &*known {
            let changed = changed.range::<[u8], _>((Bound::Included(&**prefix), Bound::Unbounded));
            let changed: Vec<(&[u8], u64)> = changed
                .map(|(key, by)| (&**key, *by))
                .take_while(|(key, _)| key.starts_with(prefix))
                .collect();
            for client in clients.values() {
                let is_no_loop = client.tracking().is_some_and(|mode| mode.no_loop);
                let is_told = |by: u64| !is_no_loop || by != client.id;
                let keys = changed.iter().filter(|(_, by)| is_told(*by));
                let keys: Vec<&[u8]> = keys.map(|(key, _)| *key).collect();
                if !keys.is_empty() {
                    self.send(client, &Invalid::Keys(&keys));
                }
            }
        }
    }

    fn tell_readers(&self, key: &[u8], readers: Readers) {
        self.keys.fetch_sub(1, Relaxed);
        for id in readers {
            let Some(client) = self.clients.find(id) else {
                continue;
            };
            let Some(mode) = *client.tracking() else {
                continue;
            };
            let is_own = mode.no_loop && ACTING_CLIENT.get() == id;
            // It may have begun to track by prefixes since.
            if !is_own && !mode.is_broadcast {
                self.send(&client, &Invalid::Keys(&[key]));
            }
        }
    }

    /// Puts a message for a client that tracks into its outbox, or into that of the client which gets it instead.
    fn send(&self, client: &Arc<Client>, invalid: &Invalid) {
        let redirect = client.tracking().map_or(0, |mode| mode.redirect);
        let now_ms = clock::unix_ms();
        if redirect == 0 {
            if client.protocol.load(Relaxed) == 3 {
                self.pushes
                    .push(client, &message(invalid, Protocol::Resp3), now_ms);
            }
            return;
        }
        let Some(target) = self.clients.find(redirect) else {
            client.modes.is_redirect_broken.store(true, Relaxed);
            if client.protocol.load(Relaxed) == 3 {
                self.pushes.push(client, &broken(redirect), now_ms);
            }
            return;
        };
        let protocol = match target.protocol.load(Relaxed) {
            3 => Protocol::Resp3,
            _ if target.is_subscriber() => Protocol::Resp2,
            // It could not tell the message from a reply.
            _ => return,
        };
        self.pushes
            .push(&target, &message(invalid, protocol), now_ms);
    }

    fn part_of(&self, key: &[u8]) -> usize {
        self.hasher.hash_one(key) as usize % PARTS
    }

    fn part(&self, number: usize) -> MutexGuard<'_, Part> {
        self.parts[number]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tracker for Tracking {
    fn set_acting_client(&self, client: u64) -> u64 {
        set_acting_client(client)
    }

    fn key_changed(&self, key: &[u8], cause: Cause) {
        let by = match cause {
            Cause::Command if !RUNS_SCRIPT.get() => ACTING_CLIENT.get(),
            Cause::Command | Cause::Server => 0,
        };
        if self.prefix_count.load(Relaxed) > 0 {
            CHANGED.with_borrow_mut(|changed| changed.insert(key.into(), by));
        }
        // A reader of this key has counted it under the lock that this thread holds now.
        if self.keys.load(Relaxed) == 0 {
            return;
        }
        let mut part = self.part(self.part_of(key));
        if let Some(readers) = part.readers.swap_remove(key) {
            part.items -= readers.len();
            drop(part);
            self.tell_readers(key, readers);
        }
    }
}

fn message(invalid: &Invalid, protocol: Protocol) -> Message {
    let mut reply = Reply::new(protocol);
    match protocol {
        Protocol::Resp3 => {
            reply.push(2);
            reply.bulk(b"invalidate");
        }
        Protocol::Resp2 => {
            reply.array(3);
            reply.bulk(b"message");
            reply.bulk(CHANNEL);
        }
    }
    match invalid {
        Invalid::Keys(keys) => {
            reply.array(keys.len());
            keys.iter().for_each(|key| reply.bulk(key));
        }
        // Redis writes the null of the protocol which the client that tracks speaks. We write that of the client which
        // gets the message, because one that speaks RESP2 does not know the null of RESP3.
        Invalid::Everything => reply.null(),
    }
    Shared::new(reply.into_bytes())
}

/// To the client that tracks, if the one that should get its messages is gone.
fn broken(redirect: u64) -> Message {
    let mut reply = Reply::new(Protocol::Resp3);
    reply.push(2);
    reply.bulk(b"tracking-redir-broken");
    reply.integer(redirect as i64);
    Shared::new(reply.into_bytes())
}
