//! Replication.

mod connections;
mod pair;
mod real_replicas;
mod stream;
mod waiting;
