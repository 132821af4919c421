//! Bytes to protocol and back.
//!
//! For the server: [`request`] reads what clients send, [`reply`] writes what they get. For clients and tests:
//! [`decoder`] reads replies, [`pretty`] prints them as redis-cli does.

pub mod decoder;
pub mod pretty;
pub mod reply;
pub mod request;
