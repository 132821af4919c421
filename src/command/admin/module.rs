//! MODULE. There are no modules: a module of Redis is machine code that calls the functions of Redis itself.

use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "module", arity: -2, handler: Container(MODULE), group: Group::Server, since: "4.0.0",
        summary: "A container for module commands.", complexity: "Depends on subcommand.", ..BASE },
];

#[rustfmt::skip]
const MODULE: &[CommandSpec] = &[
    CommandSpec { name: "list", arity: 2, handler: NoLock(list),
        flags: flags(&[ADMIN, NOSCRIPT]), group: Group::Server, since: "4.0.0",
        summary: "Returns all loaded modules.", complexity: "O(N) where N is the number of loaded modules.",
        tips: &["nondeterministic_output_order"], ..BASE },
    CommandSpec { name: "load", arity: -3, handler: NoLock(load),
        flags: flags(&[ADMIN, NOSCRIPT, NO_ASYNC_LOADING, MODULES]), group: Group::Server, since: "4.0.0",
        syntax: "path [arg [arg ...]]", summary: "Loads a module.", ..BASE },
    CommandSpec { name: "loadex", arity: -3, handler: NoLock(load),
        flags: flags(&[ADMIN, NOSCRIPT, NO_ASYNC_LOADING, MODULES]), group: Group::Server, since: "7.0.0",
        syntax: "path [CONFIG <configs: name value> [CONFIG ...]] [ARGS args [args ...]]",
        summary: "Loads a module using extended parameters.", ..BASE },
    CommandSpec { name: "unload", arity: 3, handler: NoLock(unload),
        flags: flags(&[ADMIN, NOSCRIPT, NO_ASYNC_LOADING, MODULES]), group: Group::Server, since: "4.0.0",
        syntax: "name", summary: "Unloads a module.", ..BASE },
    CommandSpec { name: "help", arity: 2, handler: NoLock(help),
        flags: flags(&[LOADING, STALE]), group: Group::Server, since: "5.0.0",
        summary: "Returns helpful text about the different subcommands.", ..BASE },
];

/// ```text
/// > MODULE LIST
/// (empty array)
/// ```
fn list(call: &mut Call) -> CommandResult {
    call.reply.array(0);
    Ok(())
}

/// MODULE LOAD and MODULE LOADEX, as if the file were no module. Without `enable-module-command` no client gets as far
/// as here.
///
/// ```text
/// > MODULE LOAD /usr/lib/search.so
/// (error) ERR MODULE command not allowed. If the enable-module-command option is set to "local", you can run it from \
/// a local connection, otherwise you need to set this option in the configuration file, and then restart the server.
/// ```
fn load(call: &mut Call) -> CommandResult {
    let path = String::from_utf8_lossy(call.argument(2));
    call.server.log.warning_of_clients(format_args!(
        "Module {path} failed to load: this server loads no modules"
    ));
    Err(CommandError::err(
        "Error loading the extension. Please check the server logs.",
    ))
}

/// ```text
/// > MODULE UNLOAD search
/// (error) ERR MODULE command not allowed. If the enable-module-command option is set to "local", you can run it from \
/// a local connection, otherwise you need to set this option in the configuration file, and then restart the server.
/// ```
fn unload(_: &mut Call) -> CommandResult {
    Err(CommandError::err(
        "Error unloading module: no such module with that name",
    ))
}

fn help(call: &mut Call) -> CommandResult {
    call.help(&[
        "LIST",
        "    Return a list of loaded modules.",
        "LOAD <path> [<arg> ...]",
        "    Load a module library from <path>, passing to it any optional arguments.",
        "LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]",
        "    Load a module library from <path>, while passing it module configurations and optional arguments.",
        "UNLOAD <name>",
        "    Unload a module.",
    ]);
    Ok(())
}
