//! A Redis-compatible server on plain threads, written to be read.
//!
//! # The layers
//!
//! A layer uses only those above it in this table; `tests/tidy.rs` checks it.
//!
//! | layer | what it is | what it does not know |
//! |---|---|---|
//! | [`util`] | patterns, numbers as Redis prints them, LZF, the clock, a bell | all else |
//! | [`resp`] | bytes to protocol and back | commands, keys |
//! | [`lua`] | the interpreter of scripts, with its sandbox and libraries | commands, keys |
//! | [`types`] | the data structures, pure: hash table, list, set, sorted set, stream | keys, clients |
//! | [`keyspace`] | keys to values: shards, locks, expiry, changes, waiters, snapshots | sockets, replies |
//! | [`rdb`] | the file format: reader, writer, explain | sockets, commands |
//! | [`aof`] | the append-only file: its manifest, its commands | sockets, keys |
//! | [`state`] | what the server knows besides data: configuration, clients, channels, saves | commands |
//! | [`command`] | the table of commands, the executor, a file for each family | sockets |
//! | [`server`] | listener, connections, saver, expirer: sockets and threads | |
//!
//! The server's binary starts [`server`]. The client's, `my_redis_client`, uses [`util`] and [`resp`] alone.
//!
//! # Where to begin
//!
//! 1. [`resp::request`] and [`resp::reply`]: what goes over the wire.
//! 2. [`server::connection`]: the loop that every client's thread runs.
//! 3. [`command::spec`] and [`command::execute`]: from a request to the right code under the right locks.
//! 4. A family, `command/data/hash.rs` say, and beneath it [`types::hash`] and [`types::dict`].
//! 5. [`keyspace::db`], [`keyspace::shard`], [`keyspace::locks`], [`keyspace::change`]: between a handler and its
//!    keys.
//! 6. [`state::pubsub`] and [`state::outbox`]: how messages reach a client without the publisher waiting for it.
//! 7. [`server::saver`], [`server::dump`], [`keyspace::snapshot`] and [`rdb::format`]: how the dump is written.
//! 8. [`types::ordered_map`], [`types::stream`] and `command/data/stream/read_group.rs`: a log, its consumer groups,
//!    and how their readers wait.
//! 9. [`keyspace::effect`], [`state::change_log`], [`server::append_only`] and [`aof`]: from a change to the disk, and
//!    back at the next start.
//! 10. [`state::replication`] and [`server::replication`]: how replicas are sent the changes, and carry them out.
//! 11. `command/execute/script`, [`lua`], [`state::scripts`] and `keyspace/undo.rs`: how a script runs, and is taken
//!     back.
//!
//! # The life of a command
//!
//! `HSET user name ann` arrives.
//!
//! 1. The client's thread, in its [connection](server::connection), reads the bytes into a buffer. The
//!    [parser](resp::request) finds four arguments, which stay where they are in the buffer.
//! 2. The [executor](command::execute) looks `hset` up in the [registry](command::registry) and admits it: the arity
//!    fits, the client's [user](state::acl) may do this, and the server is in a state to run it. Its entry says that
//!    the key is argument 1, and that the handler is `Write`.
//! 3. The key is hashed, once. The hash names one of 256 [shards](keyspace::space), whose lock is taken exclusively.
//! 4. The handler gets a [`Db`](keyspace::db::Db), in which this shard alone is open. It looks the hash up, or creates
//!    it, inserts the field, says what has changed, and writes `:1` straight into the connection's output.
//! 5. Still under the lock, the executor [commits](keyspace::change): subscribers of keyspace events, watchers and
//!    waiting clients get notice, and the effect goes to the journal, if there is one.
//! 6. The call is counted. When the buffer holds no further request, the thread does
//!    [errands](command::execute::errand) for others that wait for the lock, releases it, and sends the output to the
//!    client by one write. If the next request wants another lock, this one is released at once.
//!
//! # Threads and locks
//!
//! The threads are listed in [`server`]; beside them, [`rdb::file`] reads a dump back in a thread of its own, and large
//! streams of a dump are encoded and checked with the help of another. They share one
//! [`Engine`](command::execute::Engine): the [state](state::Server) and the keyspace with its locks.
//! Handlers get the state alone, so none of them can lock a shard: the compiler says so.
//!
//! The locks, in the order in which a thread may take them:
//!
//! | lock | guards | held for |
//! |---|---|---|
//! | shards, [`keyspace::locks`] | keys and values | a command; a transaction; 0.2 ms of a packet, then of errands |
//! | the outcome of a [wait](state::waiting) | one waiting client's reply | serving that client, under the shards |
//! | tables of [channels](state::pubsub), the turn, an [outbox](state::outbox) | subscribers | one message |
//! | the [monitors](state::monitors), then an outbox | monitors | one line for all of them |
//! | what is [tracked](state::tracking), then the clients, an outbox | who has read which keys | one message |
//! | the [users](state::acl), then one of them | what a user may do | a few lines |
//! | the book of [transfers](state::transfers), then one of its rounds | which client gets which dump | a few lines |
//! | the [feed](server::log_feed) of the log, then a lane of the log | the increment | a write, or an fsync |
//! | all other mutexes | what their file says | a few lines; most hold no other lock meanwhile |
//!
//! The locks of channels and monitors are also taken under shards, because [events](keyspace::events) are sent there,
//! and because EXEC runs its commands there; [`state`] has the whole order.
//!
//! # For whom a slow command is slow
//!
//! A slow command delays its own client, and the commands on the shards of its keys: a 256th of all keys for each. If
//! it changes one key, the thread of another client may carry it out as an [errand](command::execute::errand); the
//! replies to that client then wait for it too. Two commands that only read delay each other only if a command that
//! changes keys waits between them. A slow command that locks all shards (KEYS or a script in a transaction, a script
//! that reaches for keys it does not declare, DEBUG RELOAD) delays all others. Commands on other shards are delayed for
//! a millisecond at most, also when MSET or a snapshot waits for the slow one: no thread waits for a shard for longer
//! than that with another in hand. `keyspace/lock_set.rs` says how, and names the one exception.
//!
//! # What is deliberately absent
//!
//! - No async runtime: a thread for each client, which blocks. No `unsafe` code.
//! - No lock that a handler takes, and no socket that it sees.
//! - No fork: a [snapshot](keyspace::snapshot) is a moment of all shards, and what changes later is set aside.
//! - No wait for a client that does not read: what its socket does not take is kept, up to a limit.
//! - No input or output while a shard is locked, with these exceptions: DEBUG RELOAD saves and loads under all locks,
//!   a transaction runs whatever was queued under its locks, CONFIG REWRITE for example, and a script may write lines
//!   into the log. Memory of keys that go is freed when the locks are gone; what a command takes out of a collection
//!   (LTRIM, ZREMRANGEBYRANK, XTRIM, XGROUP DELCONSUMER) is freed as it goes, and so is what a script lets go in its
//!   interpreter.

#![forbid(unsafe_code)]

pub mod aof;
pub mod command;
pub mod keyspace;
pub mod lua;
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
