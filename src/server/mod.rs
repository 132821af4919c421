//! The running server: the layer of the network connections and of the threads.
//!
//! Three places of lower layers touch that: `rdb/file.rs` spawns a thread that waits for the disk while the saver reads
//! the dump back; `rdb/stream` spawns one that helps with a large stream while a dump is written or read;
//! `util/doorbell.rs` wakes a thread through a file (on Linux) or a pair of sockets.
//!
//! [`start`] puts the server together: it binds the addresses, loads the dump, starts the threads, waits for the
//! request to stop, saves, and ends. The threads:
//!
//! | thread | sleeps on | does |
//! |---|---|---|
//! | main | [`Shutdown`](crate::state::shutdown::Shutdown) | starts and stops everything; loads the dump |
//! | [`listener`], one an address | `accept` | hands each connection to the pool of [`workers`] |
//! | worker of the [pool](worker_pool), one a client | `read` or `poll` | runs the [`connection`] loop |
//! | transfer, one a [round](crate::state::transfers) | the slowest client of the round | writes the [`dump`] for it |
//! | [follower](replication::follower) | its primary | carries out the stream of the primary |
//! | [sender](replication::sender), one a replica | the replication backlog | sends the stream to the replica |
//! | rewriter | [`Rewrites`](crate::state::append_only::rewrites) | rewrites the [append-only file](append_only) |
//! | [`appender`](append_only::appender), syncer | the change log | write and sync the append-only file |
//! | [`saver`] | [`Saves`](crate::state::saves::Saves) | writes the [`dump`], with one more thread while it does |
//! | [`expirer`] | the next deadline | removes keys that are due, and sends the events of that |
//! | [`reaper`] | a second | disconnects clients that are idle or leave too much unread |
//! | signal handlers | SIGINT; SIGTERM and SIGHUP | request that the server stops |
//!
//! A worker sleeps in `poll` while its client waits for a key, is subscribed to channels, or leaves replies unread. If
//! the client asks for a dump, the worker sends it. A round is the clients that get one snapshot together.

pub mod append_only;
pub mod check;
pub mod connection;
pub mod dump;
pub mod expirer;
pub mod inserter;
pub mod listener;
pub mod loader;
pub mod log_feed;
pub mod lookahead;
pub mod own_files;
pub mod reaper;
pub mod replace;
pub mod replication;
pub mod saver;
pub mod socket;
mod sockets;
pub mod spare;
pub mod start;
pub mod supervisor;
pub mod worker_pool;
pub mod workers;
