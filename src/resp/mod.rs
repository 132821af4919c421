//! Bytes to protocol and back.
//!
//! For the server: [`request`] parses what clients send, [`reply`] writes what they get, [`output`] sends it, and
//! [`backlog`] keeps what their sockets do not take yet. For the append-only file and replicas: [`request_writer`]
//! writes commands. For clients and tests: [`decoder`] parses replies, [`reply_reader`] reads them from a stream,
//! [`pretty`] prints them as redis-cli does. For both sides of a synchronisation: [`snapshot_end`].

pub mod backlog;
pub mod decoder;
pub mod input;
pub mod large_argument;
pub mod output;
pub mod pretty;
pub mod reply;
pub mod reply_reader;
pub mod request;
pub mod request_writer;
pub mod snapshot_end;
