//! Replication.

mod connections;
mod equality;
mod failover;
mod links;
mod pair;
mod proxies;
mod roles;
mod sentinel;
mod snapshots;
mod stream;
mod waiting;
