//! The commands, from a request to its reply.
//!
//! | where | what |
//! |---|---|
//! | [`spec`], [`registry`] | what there is to know about a command, and the table of all of them |
//! | [`session`], [`call`], [`error`] | what a handler works with: the client, one call, all texts of errors |
//! | [`acl`] | what users may do |
//! | [`declarations`] | what a file of directives says of commands and users |
//! | [`invocation`] | what the handler of EVAL or FCALL asks the executor to run |
//! | `data` | the families of commands on keys, a file a type |
//! | `flow` | connection, transactions, channels, scripts |
//! | `admin` | configuration, clients, INFO, DEBUG, and all else that is about the server |
//! | [`execute`] | from a request to its reply: admitted, planned, run, committed |
//!
//! A family's file opens with its part of the table, and each handler's comment holds a session that the tests replay.
//! A handler reads top to bottom: take the arguments, check everything, look up, act, tell (`db.changed`), reply. It
//! fails before it has changed anything, or not at all.

pub mod acl;
mod admin;
pub mod call;
mod client_line;
mod data;
pub mod declarations;
pub mod error;
pub mod execute;
mod flow;
pub mod invocation;
pub mod registry;
pub mod session;
pub mod spec;
mod timeout;

pub use admin::syntax;
pub use flow::script::LoadHost;

use registry::Registry;
use std::sync::LazyLock;

/// All commands. Handlers find it in their [`Call`](call::Call).
pub static COMMANDS: LazyLock<Registry> = LazyLock::new(|| {
    let families = [flow::FAMILIES, admin::FAMILIES, data::FAMILIES].concat();
    Registry::new(families.into_iter().flatten())
});
