//! Bytes to protocol and back.
//!
//! For the server: [`request`] reads what clients send, [`reply`] writes what they get, and [`backlog`] keeps what
//! their sockets do not take yet. For clients and tests: [`decoder`] reads replies, [`pretty`] prints them as redis-cli
//! does.

pub mod backlog;
pub mod decoder;
pub mod large_argument;
pub mod pretty;
pub mod reply;
pub mod request;
