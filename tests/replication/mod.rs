//! Replication.

mod connections;
mod diskless;
mod equality;
mod failover;
mod impostor;
mod links;
mod pair;
mod proxies;
mod roles;
mod sentinel;
mod snapshots;
mod stream;
mod waiting;
