//! CONFIG: directives at run time. The directives themselves are in [`crate::state::config`].

use crate::command::acl::declared;
use crate::command::call::{Call, Then};
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::state::config::{is_sensitive, rewrite};

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "config", arity: -2, handler: Container(CONFIG), group: Group::Server, since: "2.0.0",
        summary: "A container for server configuration commands.", complexity: "Depends on subcommand.", ..BASE },
];

#[rustfmt::skip]
const CONFIG: &[CommandSpec] = &[
    CommandSpec { name: "get", arity: -3, handler: NoLock(get),
        flags: flags(&[ADMIN, NOSCRIPT, LOADING, STALE]), group: Group::Server, since: "2.0.0",
        syntax: "parameter [parameter ...]", summary: "Returns the effective values of configuration parameters.",
        complexity: "O(N) when N is the number of configuration parameters provided",
        history: &[("7.0.0", "Added the ability to pass multiple pattern parameters in one call")], ..BASE },
    CommandSpec { name: "set", arity: -4, handler: NoLock(set),
        flags: flags(&[ADMIN, NOSCRIPT, LOADING, STALE]), group: Group::Server, since: "2.0.0",
        syntax: "<data: parameter value> [...]", summary: "Sets configuration parameters in-flight.",
        complexity: "O(N) when N is the number of configuration parameters provided",
        history: &[("7.0.0", "Added the ability to set multiple parameters in one call.")],
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"], is_secret: is_secret_of_set, ..BASE },
    CommandSpec { name: "resetstat", arity: 2, handler: NoLock(resetstat),
        flags: flags(&[ADMIN, NOSCRIPT, LOADING, STALE]), group: Group::Server, since: "2.0.0",
        summary: "Resets the server's statistics.",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"], ..BASE },
    CommandSpec { name: "rewrite", arity: 2, handler: NoLock(rewrite),
        flags: flags(&[ADMIN, NOSCRIPT, LOADING, STALE]), group: Group::Server, since: "2.8.0",
        summary: "Persists the effective configuration to file.",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"], ..BASE },
    CommandSpec { name: "help", arity: 2, handler: NoLock(config_help),
        flags: flags(&[LOADING, STALE]), group: Group::Server, since: "5.0.0",
        summary: "Returns helpful text about the different subcommands.", ..BASE },
];

/// ```text
/// > CONFIG GET hash-max-listpack-v*
/// 1) "hash-max-listpack-value"
/// 2) "64"
/// ```
fn get(call: &mut Call) -> CommandResult {
    let found = call.server.config.get_matching(&call.arguments[2..]);
    call.reply.map(found.len());
    for (name, value) in found {
        call.reply.bulk(name.as_bytes());
        call.reply.bulk(value.as_bytes());
    }
    Ok(())
}

/// ```text
/// > CONFIG SET hash-max-listpack-entries 64
/// OK
/// > CONFIG SET colour red
/// (error) ERR Unknown option or number of arguments for CONFIG SET - 'colour'
/// ```
fn set(call: &mut Call) -> CommandResult {
    let arguments = &call.arguments[2..];
    if !arguments.len().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    // Names are ASCII; one that is not even text would not be quoted as it came.
    let is_no_text = |name: &&&[u8]| std::str::from_utf8(name).is_err();
    if let Some(name) = arguments.iter().step_by(2).find(is_no_text) {
        let before = "Unknown option or number of arguments for CONFIG SET - '";
        return Err(CommandError::quoting(before, name, "'"));
    }
    let texts: Vec<_> = arguments
        .iter()
        .map(|argument| String::from_utf8_lossy(argument))
        .collect();
    let pairs: Vec<(&str, &str)> = texts
        .chunks_exact(2)
        .map(|pair| (&*pair[0], &*pair[1]))
        .collect();
    let is_local = call.session.client.is_local;
    let changes = call
        .server
        .config
        .set(&pairs, is_local)
        .map_err(CommandError::err)?;
    let warnings: Vec<String> = changes.warnings().collect();
    let may_wait = !call.session.transaction.is_running;
    if let Err((directive, reason)) = call.server.apply_config(&changes, may_wait) {
        let error = call.server.config.undo(&changes, directive, &reason);
        call.server.take_back(&changes, may_wait);
        return Err(CommandError::err(error));
    }
    warnings
        .iter()
        .for_each(|warning| call.server.log.warning_of_clients(warning));
    call.then = Then::Settle;
    call.reply.ok();
    Ok(())
}

/// Whether an argument is the value of a directive that is a password.
fn is_secret_of_set(arguments: &[&[u8]], index: usize) -> bool {
    let is_value = index > 2 && index % 2 == 1;
    is_value && std::str::from_utf8(arguments[index - 1]).is_ok_and(is_sensitive)
}

/// ```text
/// > CONFIG RESETSTAT
/// OK
/// ```
fn resetstat(call: &mut Call) -> CommandResult {
    call.server.reset_statistics();
    call.reply.ok();
    Ok(())
}

/// ```text
/// > CONFIG REWRITE
/// (error) ERR The server is running without a config file
/// ```
fn rewrite(call: &mut Call) -> CommandResult {
    let Some(path) = &call.server.config_file else {
        return Err(CommandError::err(rewrite::NO_CONFIG_FILE));
    };
    let users = match call.server.config.aclfile.get().is_empty() {
        true => declared::config_lines(call.server),
        false => vec![],
    };
    if let Err(error) = rewrite::rewrite(&call.server.config, path, &users) {
        call.server
            .log
            .warning_of_clients(format_args!("CONFIG REWRITE failed: {error}"));
        return Err(CommandError::err(format_args!(
            "Rewriting config file: {error}"
        )));
    }
    call.server
        .log
        .notice_of_clients("CONFIG REWRITE executed with success.");
    call.reply.ok();
    Ok(())
}

fn config_help(call: &mut Call) -> CommandResult {
    call.help(&[
        "GET <pattern>",
        "    Return parameters matching the glob-like <pattern> and their values.",
        "SET <directive> <value>",
        "    Set the configuration <directive> to <value>.",
        "RESETSTAT",
        "    Reset statistics reported by the INFO command.",
        "REWRITE",
        "    Rewrite the configuration file.",
    ]);
    Ok(())
}
