//! A Redis-compatible server on plain threads, written to be read.

#![forbid(unsafe_code)]

pub mod command;
pub mod keyspace;
pub mod rdb;
pub mod resp;
pub mod state;
pub mod types;
pub mod util;

/// The version of Redis whose behaviour this server has.
pub const REDIS_VERSION: &str = "7.2.6";

/// The allocator: fast with many threads, and it knows how much it has given out (INFO memory).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
