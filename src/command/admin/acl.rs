//! ACL, as far as it makes sense in a server that has one user, `default`, with all rights.

use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult, QUOTED_BYTES};
use crate::command::registry::Command;
use crate::command::spec::*;
use crate::util::quoting::c_string;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "acl", arity: -2, handler: Container(ACL), group: Group::Server, since: "6.0.0",
        summary: "A container for Access List Control commands.", ..BASE },
];

#[rustfmt::skip]
const ACL: &[CommandSpec] = &[
    CommandSpec { name: "cat", arity: -2, handler: NoLock(cat),
        flags: flags(&[NOSCRIPT, LOADING, STALE]), group: Group::Server, since: "6.0.0",
        syntax: "[category]", summary: "Lists the ACL categories, or the commands inside a category.", ..BASE },
    CommandSpec { name: "whoami", arity: 2, handler: NoLock(whoami),
        flags: flags(&[NOSCRIPT, LOADING, STALE]), group: Group::Server, since: "6.0.0",
        summary: "Returns the authenticated username of the current connection.", ..BASE },
    CommandSpec { name: "help", arity: 2, handler: NoLock(help),
        flags: flags(&[LOADING, STALE]), group: Group::Server, since: "6.0.0",
        summary: "Returns helpful text about the different subcommands.", ..BASE },
];

/// The categories in the order in which Redis lists them, those of commands that we do not have included.
#[rustfmt::skip]
const CATEGORIES: &[&str] = &[
    "keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap", "hyperloglog", "geo", "stream",
    "pubsub", "admin", "fast", "slow", "blocking", "dangerous", "connection", "transaction", "scripting",
];

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
            CATEGORIES
                .iter()
                .for_each(|name| call.reply.bulk(name.as_bytes()));
            return Ok(());
        }
        [_, _, wanted] => c_string(wanted),
        _ => {
            return Err(CommandError::misused_subcommand("ACL", call.argument(1)));
        }
    };
    let is_wanted = |name: &&&str| name.as_bytes().eq_ignore_ascii_case(wanted);
    let Some(category) = CATEGORIES.iter().find(is_wanted) else {
        let quoted = &wanted[..wanted.len().min(QUOTED_BYTES)];
        return Err(CommandError::quoting("Unknown category '", quoted, "'"));
    };
    let is_in = |command: &&Command| {
        let categories = command.spec.categories();
        categories.iter().any(|name| name[1..] == **category)
    };
    let commands: Vec<&Command> = call.commands.all().iter().filter(is_in).collect();
    call.reply.array(commands.len());
    for command in commands {
        call.reply.bulk(command.full_name().as_bytes());
    }
    Ok(())
}

/// ```text
/// > ACL WHOAMI
/// "default"
/// ```
fn whoami(call: &mut Call) -> CommandResult {
    call.reply.bulk(b"default");
    Ok(())
}

fn help(call: &mut Call) -> CommandResult {
    call.help(&[
        "CAT [<category>]",
        "    List all commands that belong to <category>, or all command categories",
        "    when no category is specified.",
        "WHOAMI",
        "    Return the current connection username.",
    ]);
    Ok(())
}
