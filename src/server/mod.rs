//! The running server: the only layer that knows sockets and spawns threads.
//!
//! [`start`] puts it together: bind the addresses, load the dump, start the threads, wait for the wish to stop, save,
//! end. The threads:
//!
//! | thread | sleeps on | does |
//! |---|---|---|
//! | main | [`Shutdown`](crate::state::shutdown::Shutdown) | starts and stops everything; loads the dump |
//! | [`listener`], one an address | `accept` | hands each connection to the pool of [`workers`] |
//! | worker of the pool, one a client | `read`, or `poll` | runs the [`connection`] loop, or a [`transfer`] |
//! | transfer, one a [round](crate::state::transfers) | the slowest client | writes the [`dump`] for the clients |
//! | [`saver`] | [`Saves`](crate::state::saves::Saves) | writes the [`dump`], with one more thread while it does |
//! | [`expirer`] | the next deadline | removes keys that are due, and sends the events of that |
//! | [`reaper`] | a second | disconnects idle clients |
//! | signal handlers | SIGINT; SIGTERM and SIGHUP | ask the server to stop |
//!
//! Two [`inserter`]s help to load. A worker sleeps in `poll` while its client waits for a key, listens to a channel, or
//! leaves replies unread.

pub mod connection;
pub mod dump;
pub mod expirer;
pub mod inserter;
pub mod listener;
pub mod loader;
pub mod lookahead;
pub mod own_files;
pub mod reaper;
pub mod saver;
pub mod socket;
pub mod start;
pub mod supervisor;
pub mod transfer;
pub mod workers;
