//! Commands about the conversation itself: connection, transactions, channels.

mod connection;
mod pubsub;
mod transaction;

use super::spec::CommandSpec;

/// Their parts of the table.
pub(super) const FAMILIES: &[&[CommandSpec]] = &[
    connection::COMMANDS,
    pubsub::COMMANDS,
    transaction::COMMANDS,
];
