//! ACL: users and what they may do: <https://redis.io/commands/?group=server>. What rules mean is in
//! [`crate::command::acl`], and the users are in [`crate::state::acl`].

mod log;
mod users;

use crate::command::acl::check;
use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult, QUOTED_BYTES};
use crate::command::registry::Command;
use crate::command::spec::*;
use crate::state::acl::random_password;
use crate::util::quoting::c_string;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "acl", arity: -2, handler: Container(ACL), group: Group::Server, since: "6.0.0",
        summary: "A container for Access List Control commands.", complexity: "Depends on subcommand.", ..BASE },
];

#[rustfmt::skip]
const ACL: &[CommandSpec] = &[
    CommandSpec { name: "cat", arity: -2, handler: NoLock(cat),
        flags: flags(&[NOSCRIPT, LOADING, STALE]), group: Group::Server, since: "6.0.0",
        syntax: "[category]", summary: "Lists the ACL categories, or the commands inside a category.",
        complexity: "O(1) since the categories and commands are a fixed set.", ..BASE },
    CommandSpec { name: "deluser", arity: -3, handler: NoLock(users::deluser),
        flags: flags(&[ADMIN, NOSCRIPT, LOADING, STALE]), group: Group::Server, since: "6.0.0",
        syntax: "username [username ...]", summary: "Deletes ACL users, and terminates their connections.",
        complexity: "O(1) amortized time considering the typical user.",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"], ..BASE },
    CommandSpec { name: "dryrun", arity: -4, handler: NoLock(dryrun),
        flags: flags(&[ADMIN, NOSCRIPT, LOADING, STALE]), group: Group::Server, since: "7.0.0",
        syntax: "username command [arg [arg ...]]",
        summary: "Simulates the execution of a command by a user, without executing the command.", complexity: "O(1).",
        ..BASE },
    CommandSpec { name: "genpass", arity: -2, handler: NoLock(genpass),
        flags: flags(&[NOSCRIPT, LOADING, STALE]), group: Group::Server, since: "6.0.0",
        syntax: "[bits:integer]",
        summary: "Generates a pseudorandom, secure password that can be used to identify ACL users.", ..BASE },
    CommandSpec { name: "getuser", arity: 3, handler: NoLock(users::getuser),
        flags: flags(&[ADMIN, NOSCRIPT, LOADING, STALE]), group: Group::Server, since: "6.0.0",
        syntax: "username", summary: "Lists the ACL rules of a user.",
        complexity: "O(N). Where N is the number of password, command and pattern rules that the user has.",
        history: &[
            ("6.2.0", "Added Pub/Sub channel patterns."),
            ("7.0.0", "Added selectors and changed the format of key and channel patterns from a list to their rule \
                representation."),
        ], ..BASE },
    CommandSpec { name: "list", arity: 2, handler: NoLock(users::list),
        flags: flags(&[ADMIN, NOSCRIPT, LOADING, STALE]), group: Group::Server, since: "6.0.0",
        summary: "Dumps the effective rules in ACL file format.",
        complexity: "O(N). Where N is the number of configured users.", ..BASE },
    CommandSpec { name: "load", arity: 2, handler: NoLock(users::load),
        flags: flags(&[ADMIN, NOSCRIPT, LOADING, STALE]), group: Group::Server, since: "6.0.0",
        summary: "Reloads the rules from the configured ACL file.",
        complexity: "O(N). Where N is the number of configured users.", ..BASE },
    CommandSpec { name: "log", arity: -2, handler: NoLock(log::log),
        flags: flags(&[ADMIN, NOSCRIPT, LOADING, STALE]), group: Group::Server, since: "6.0.0",
        syntax: "[operation: count | RESET]", summary: "Lists recent security events generated due to ACL rules.",
        complexity: "O(N) with N being the number of entries shown.",
        history: &[("7.2.0", "Added entry ID, timestamp created, and timestamp last updated.")], ..BASE },
    CommandSpec { name: "save", arity: 2, handler: NoLock(users::save),
        flags: flags(&[ADMIN, NOSCRIPT, LOADING, STALE]), group: Group::Server, since: "6.0.0",
        summary: "Saves the effective ACL rules in the configured ACL file.",
        complexity: "O(N). Where N is the number of configured users.",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"], ..BASE },
    CommandSpec { name: "setuser", arity: -3, handler: NoLock(users::setuser),
        flags: flags(&[ADMIN, NOSCRIPT, LOADING, STALE]), group: Group::Server, since: "6.0.0",
        syntax: "username [rule [rule ...]]", summary: "Creates and modifies an ACL user and its rules.",
        complexity: "O(N). Where N is the number of rules provided.",
        history: &[
            ("6.2.0", "Added Pub/Sub channel patterns."),
            ("7.0.0", "Added selectors and key based permissions."),
        ],
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"], is_secret: |_, index| index > 1, ..BASE },
    CommandSpec { name: "users", arity: 2, handler: NoLock(users::users),
        flags: flags(&[ADMIN, NOSCRIPT, LOADING, STALE]), group: Group::Server, since: "6.0.0",
        summary: "Lists all ACL users.", complexity: "O(N). Where N is the number of configured users.", ..BASE },
    CommandSpec { name: "whoami", arity: 2, handler: NoLock(whoami),
        flags: flags(&[NOSCRIPT, LOADING, STALE]), group: Group::Server, since: "6.0.0",
        summary: "Returns the authenticated username of the current connection.", ..BASE },
    CommandSpec { name: "help", arity: 2, handler: NoLock(help),
        flags: flags(&[LOADING, STALE]), group: Group::Server, since: "6.0.0",
        summary: "Returns helpful text about the different subcommands.", ..BASE },
];

/// The most bits of a password.
const MOST_PASSWORD_BITS: i64 = 4096;
/// The bits of a password if nothing else is said.
const USUAL_PASSWORD_BITS: i64 = 256;

/// The categories, or the commands of one of them in any order.
///
/// ```text
/// > ACL CAT transaction
/// 1) "multi"
/// 2) "exec"
/// 3) "discard"
/// 4) "watch"
/// 5) "unwatch"
/// > ACL CAT nothing
/// (error) ERR Unknown category 'nothing'
/// ```
fn cat(call: &mut Call) -> CommandResult {
    let wanted = match call.arguments {
        [_, _] => {
            call.reply.array(CATEGORIES.len());
            let names = CATEGORIES.iter();
            names.for_each(|name| call.reply.bulk(name.as_bytes()));
            return Ok(());
        }
        [_, _, wanted] => c_string(wanted),
        _ => return Err(CommandError::misused_subcommand("ACL", call.argument(1))),
    };
    let Some(category) = find_category(wanted) else {
        let quoted = &wanted[..wanted.len().min(QUOTED_BYTES)];
        return Err(CommandError::quoting("Unknown category '", quoted, "'"));
    };
    let all = call.commands.all().iter();
    let commands: Vec<&Command> = all.filter(|it| it.spec.is_in(category)).collect();
    call.reply.array(commands.len());
    for command in commands {
        call.reply.bulk(command.full_name().as_bytes());
    }
    Ok(())
}

/// ```text
/// > ACL SETUSER ann +get ~cached:*
/// OK
/// > ACL DRYRUN ann GET cached:1
/// OK
/// > ACL DRYRUN ann GET other
/// "User ann has no permissions to access the 'other' key"
/// > ACL DRYRUN ann SET cached:1 v
/// "User ann has no permissions to run the 'set' command"
/// ```
fn dryrun(call: &mut Call) -> CommandResult {
    let name = call.argument(2);
    let account = call.server.acl.find(name);
    let account = account.ok_or_else(|| CommandError::quoting("User '", name, "' not found"))?;
    let request = &call.arguments[3..];
    let unknown = |_| CommandError::quoting("Command '", request[0], "' not found");
    let command = call.commands.of_request(request).map_err(unknown)?;
    if !command.spec.accepts(request.len()) {
        return Err(CommandError::WrongArity(command.full_name()));
    }
    match check::permits(&account.user(), command, request) {
        Ok(()) => call.reply.ok(),
        Err(denial) => {
            let reason = denial.full_reason(&account.name, command, request);
            call.reply.bulk(&reason);
        }
    }
    Ok(())
}

/// ```text
/// > ACL GENPASS 0
/// (error) ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096
/// ```
fn genpass(call: &mut Call) -> CommandResult {
    let bits = match call.arguments {
        [_, _] => USUAL_PASSWORD_BITS,
        [_, _, _] => call.integer(2)?,
        _ => return Err(CommandError::misused_subcommand("ACL", call.argument(1))),
    };
    if !(1..=MOST_PASSWORD_BITS).contains(&bits) {
        return Err(CommandError::err(
            "ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096",
        ));
    }
    let password = random_password(bits as usize).map_err(CommandError::err)?;
    call.reply.bulk(password.as_bytes());
    Ok(())
}

/// ```text
/// > ACL WHOAMI
/// "default"
/// ```
fn whoami(call: &mut Call) -> CommandResult {
    call.reply.bulk(&call.session.account().name);
    Ok(())
}

fn help(call: &mut Call) -> CommandResult {
    call.help(&[
        "CAT [<category>]",
        "    List all commands that belong to <category>, or all command categories",
        "    when no category is specified.",
        "DELUSER <username> [<username> ...]",
        "    Delete a list of users.",
        "DRYRUN <username> <command> [<arg> ...]",
        "    Returns whether the user can execute the given command without executing the command.",
        "GETUSER <username>",
        "    Get the user's details.",
        "GENPASS [<bits>]",
        "    Generate a secure 256-bit user password. The optional `bits` argument can",
        "    be used to specify a different size.",
        "LIST",
        "    Show users details in config file format.",
        "LOAD",
        "    Reload users from the ACL file.",
        "LOG [<count> | RESET]",
        "    Show the ACL log entries.",
        "SAVE",
        "    Save the current config to the ACL file.",
        "SETUSER <username> <attribute> [<attribute> ...]",
        "    Create or modify a user with the specified attributes.",
        "USERS",
        "    List all the registered usernames.",
        "WHOAMI",
        "    Return the current connection username.",
    ]);
    Ok(())
}
