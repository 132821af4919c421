//! Commands about the server: configuration, clients, figures, saving, debugging.

mod acl;
pub(super) mod client;
mod cluster;
mod config;
mod debug;
mod info;
mod introspection;
pub(super) mod latency;
mod memory;
mod module;
pub(super) mod monitor;
mod persistence;
mod replicaof;
mod replication;
mod server;
pub(super) mod slowlog;
pub mod syntax;
mod tracking;

use super::spec::CommandSpec;

/// Their parts of the table.
pub(super) const FAMILIES: &[&[CommandSpec]] = &[
    acl::COMMANDS,
    client::COMMANDS,
    cluster::COMMANDS,
    config::COMMANDS,
    debug::COMMANDS,
    info::COMMANDS,
    introspection::COMMANDS,
    latency::COMMANDS,
    memory::COMMANDS,
    module::COMMANDS,
    monitor::COMMANDS,
    persistence::COMMANDS,
    replicaof::COMMANDS,
    replication::COMMANDS,
    server::COMMANDS,
    slowlog::COMMANDS,
];
