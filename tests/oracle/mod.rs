//! Our replies compared with those of a real redis-server, a file for each family of commands.

pub mod bitmaps;
mod blocking;
mod connection;
mod debug;
mod dump;
pub mod events;
mod geo;
pub mod hashes;
pub mod hyperloglog;
mod introspection;
pub mod keys;
mod latency;
pub mod lists;
mod memory;
mod pubsub;
mod scan;
mod scripts;
pub mod sets;
pub mod sort;
mod sorted_sets;
mod sorted_sets_combined;
pub mod sorted_sets_random;
pub mod strings;
mod transactions;
mod transcripts;
mod watch;
