//! Our replies compared with those of a real redis-server, a file for each family of commands.

mod bitmaps;
mod blocking;
mod connection;
mod debug;
mod dump;
mod events;
mod geo;
mod hashes;
mod hyperloglog;
mod introspection;
mod keys;
mod latency;
mod lists;
mod memory;
mod pubsub;
mod scan;
mod sets;
mod sort;
mod sorted_sets;
mod sorted_sets_combined;
mod sorted_sets_random;
mod strings;
mod transactions;
mod transcripts;
mod watch;
