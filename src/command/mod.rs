//! The commands: one file a family, the table they are listed in, and dispatch.
//!
//! [`table`] says what there is to know about each command, [`dispatch`] takes a request to its reply, [`call`] is what
//! a handler works with, [`error`] holds all error texts. The other files are families; each opens with its part of the
//! table, and each handler's comment holds a session that the tests replay.
//!
//! A handler reads top to bottom: take the arguments, check everything, look up, act, tell (`db.changed`), reply. It
//! fails before it has changed anything, or not at all.

mod acl;
mod bitmap;
mod blocking;
pub mod call;
mod client;
mod cluster;
mod config;
mod connection;
mod debug;
pub mod dispatch;
mod dump;
pub mod error;
mod expiry;
mod generic;
mod geo;
mod hash;
mod hyperloglog;
mod info;
mod introspection;
mod latency;
mod lcs;
mod list;
mod memory;
mod module;
mod monitor;
mod persistence;
mod pieces;
mod pubsub;
pub mod replication;
mod scan;
mod server;
mod set;
mod slowlog;
mod sort;
mod sorted_set;
mod string;
pub mod syntax;
pub mod table;
pub mod transaction;
pub mod waiting;
