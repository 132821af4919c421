//! Scripts: EVAL and the cache of scripts, and functions with their libraries.
//!
//! A handler finds what is to run, and returns it as an `Invocation`; the executor runs it, because it takes locks:
//! [`execute::script`](crate::command::execute).

mod eval;
mod function;
mod library;
mod request;

use crate::command::spec::CommandSpec;

pub use library::LoadHost;
pub(in crate::command) use library::log;

/// Their parts of the table.
pub(super) const FAMILIES: [&[CommandSpec]; 2] = [eval::COMMANDS, function::COMMANDS];
