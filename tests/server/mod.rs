//! Our server over TCP: many clients at once, limits, starting and stopping.

mod blocking;
mod concurrency;
mod connections;
mod large_replies;
mod pubsub;
mod redis_py;
mod resources;
mod start_and_stop;
mod transactions;
mod unread_replies;
