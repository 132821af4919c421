//! A Redis-compatible server on plain threads, written to be read.
//!
//! # The layers
//!
//! A layer uses only those above it in this table; `tests/tidy.rs` looks.
//!
//! | layer | what it is | what it does not know |
//! |---|---|---|
//! | [`util`] | patterns, numbers as Redis prints them, LZF, the clock, a bell | everything |
//! | [`resp`] | bytes to protocol and back | commands, keys |
//! | [`types`] | the data structures, pure: hash table, list, set, sorted set, HyperLogLog | keys, clients |
//! | [`keyspace`] | keys to values: shards, locks, expiry, events, waiters, watchers, snapshots | sockets, replies |
//! | [`rdb`] | the file format: reader, writer, explain | sockets, commands |
//! | [`state`] | what the server remembers besides data: configuration, clients, channels, saves | sockets |
//! | [`command`] | the table of commands, the executor, one file a family | sockets |
//! | [`server`] | listener, connections, saver, expirer: the only layer that spawns threads | |
//!
//! # Where to begin
//!
//! 1. [`resp::request`] and [`resp::reply`]: what goes over the wire.
//! 2. [`server::connection`]: the loop that every client's thread runs.
//! 3. [`command::execute`] and [`command::spec`]: from a request to the right code under the right locks.
//! 4. A family, `command/hash.rs` say, and beneath it [`types::hash`] and [`types::dict`].
//! 5. [`keyspace::db`], [`keyspace::shard`], [`keyspace::space`]: what lies between the two.
//! 6. [`state::pubsub`] and [`state::outbox`]: how one client hears what another does, and nobody waits for it.
//! 7. [`server::saver`], [`server::dump`], [`keyspace::snapshot`] and [`rdb::format`]: how the dump comes about.
//!
//! # The life of a command
//!
//! `HSET user name ann` arrives. The [connection](server::connection) reads it into its buffer; the
//! [parser](resp::request) finds four arguments, which stay where they are in the buffer.
//! The [executor](command::execute) looks `hset` up in the [table](command::registry): the arity fits, the key is
//! argument 1, and the handler's type is `Write`. So the key is hashed, once; the hash names one of 256
//! [shards](keyspace::space), and its lock is taken for writing. The handler gets a [`Db`](keyspace::db::Db) in which
//! just this shard is open. It looks the hash up, or creates it, inserts the field, tells what has changed, and writes
//! `:1` straight into the connection's output. The call is counted, and when the input holds no further request the
//! lock is let go and the output goes to the client by one write; earlier, if the next request wants another lock.
//!
//! # Threads and locks
//!
//! The threads are listed in [`server`]. They share one [`state::Server`]. Its locks, in the order in which a thread
//! may take them:
//!
//! | lock | guards | held for |
//! |---|---|---|
//! | a shard's `RwLock`, [`keyspace::space`] | its keys and values | a command, some of a packet, a transaction |
//! | tables of [channels](state::pubsub), the turn to tell, an [outbox](state::outbox) | who hears what | one message |
//! | the [monitors](state::monitors), then an outbox | who looks on | one line for all of them |
//! | the book of [transfers](state::transfers), then a round of it | who gets which dump | a few lines |
//! | all other mutexes | what their file says | a few lines |
//!
//! [`command::execute`] tells which commands of a packet share a lock, `keyspace/lock_set.rs` how several locks are
//! taken. The locks of channels are taken in the order given, also under a shard's lock, which tells
//! [events](keyspace::events). The other mutexes are those of clients, workers, pause, saves, shutdown, log, slow log,
//! events of latency, statistics of errors, and configuration; most hold no other lock meanwhile, and their files say
//! where one does.
//!
//! A slow command delays its own client and the commands on the shards of its keys, a 256th of all keys for each; of
//! two that only read, one waits for the other only if a command that changes keys waits between them. A slow command
//! that locks all shards, as KEYS does in a transaction, delays every other command. Commands on other shards are
//! delayed for a millisecond at most, also when a command on many keys or a snapshot waits for the slow one: no thread
//! waits for a shard for longer than that with another in hand. `keyspace/lock_set.rs` tells how, and names the one
//! exception.
//!
//! No socket and no file is touched, and nothing large is freed, while a shard is locked; only what else a
//! transaction does, CONFIG REWRITE for example, it does under its locks.

#![forbid(unsafe_code)]

pub mod command;
pub mod keyspace;
pub mod rdb;
pub mod resp;
pub mod server;
pub mod state;
pub mod types;
pub mod util;

/// The version of Redis whose behaviour this server has.
pub const REDIS_VERSION: &str = "7.2.6";

/// The allocator: fast with many threads, and it knows how much it has given out (INFO memory).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
