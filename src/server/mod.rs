//! The running server: the only layer that knows sockets and spawns threads.
//!
//! [`start`] puts it together: bind the addresses, load the dump, start the threads, wait for the wish to stop, save,
//! end. The threads:
//!
//! | thread | sleeps on | does |
//! |---|---|---|
//! | main | [`Shutdown`](crate::state::shutdown::Shutdown) | starts and stops everything; loads the dump, with two [`inserter`]s |
//! | [`listener`], one an address | `accept` | hands each connection to the pool of [`workers`] |
//! | worker of the pool, one a client | `read`; `poll`, while its client waits for a key, listens to a channel, or leaves replies unread | runs the [`connection`] loop; a [`transfer`] of the dump, if the client asks for one |
//! | transfer, one a [round](crate::state::transfers) | the slowest client of the round | writes the [`dump`] for the clients that have asked for it |
//! | [`saver`] | [`Saves`](crate::state::saves::Saves) | writes the [`dump`], with one more thread while it does |
//! | [`expirer`] | the next deadline | removes keys that are due, and sends the events of that |
//! | [`reaper`] | a second | disconnects idle clients |
//! | signal handlers | SIGINT; SIGTERM and SIGHUP | ask the server to stop |

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
