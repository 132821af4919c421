//! Our server over TCP: many clients at once, limits, starting and stopping.

mod access;
mod blocking;
mod concurrency;
mod connections;
mod eviction;
mod large_replies;
mod limits;
mod programs;
mod pubsub;
mod resources;
mod scripts;
mod start_and_stop;
mod stream_groups;
mod tracking;
mod transactions;
mod unread_replies;
