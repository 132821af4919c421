//! Commands about the conversation itself: connection, transactions, channels, scripts.

mod connection;
mod pubsub;
pub(in crate::command) mod script;
mod transaction;

use super::spec::CommandSpec;

/// Their parts of the table.
pub(super) const FAMILIES: &[&[CommandSpec]] = &[
    connection::COMMANDS,
    pubsub::COMMANDS,
    script::FAMILIES[0],
    script::FAMILIES[1],
    transaction::COMMANDS,
];
