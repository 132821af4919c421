//! ACL's commands that show and change users.

use crate::command::acl::declared;
use crate::command::acl::rules::{self, Rules};
use crate::command::call::{Call, Then};
use crate::command::error::{CommandError, CommandResult};
use crate::resp::reply::Reply;
use crate::state::acl::{Account, DEFAULT, Selector, User};
use crate::state::clients::Client;
use crate::state::pubsub::Kind;
use std::path::Path;
use std::sync::Arc;

const NO_FILE: &str = "This Redis instance is not configured to use an ACL file. You may want to specify users via the \
     ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order \
     to store users in the Redis configuration.";

/// ```text
/// > ACL SETUSER ann on >secret ~cached:* +@read
/// OK
/// > ACL SETUSER ann +nonsense
/// (error) ERR Error in ACL SETUSER modifier '+nonsense': Unknown command or category name in ACL
/// > ACL SETUSER ann (+set
/// (error) ERR Unmatched parenthesis in acl selector starting at '(+set'.
/// ```
pub(super) fn setuser(call: &mut Call) -> CommandResult {
    let name = call.argument(2);
    if !rules::fits_in_file(name) {
        return Err(CommandError::err(
            "Usernames can't contain spaces or null characters",
        ));
    }
    let words = &call.arguments[3..];
    let merged = rules::merge_selectors(words).map_err(|rules::Unmatched(index)| {
        CommandError::quoting(
            "Unmatched parenthesis in acl selector starting at '",
            words[index],
            "'.",
        )
    })?;
    let rules = rules_for(call);
    let (account, before) = call.server.acl.change(name, |known| {
        let mut user = known.map_or_else(|| rules.new_user(), User::clone);
        for rule in &merged {
            rules.apply(&mut user, rule).map_err(|error| {
                let after = format!("': {error}");
                CommandError::quoting("Error in ACL SETUSER modifier '", rule, &after)
            })?;
        }
        Ok::<User, CommandError>(user)
    })?;
    if before.is_some() {
        disconnect_listeners(call, &account);
    }
    call.then = Then::Settle;
    call.reply.ok();
    Ok(())
}

/// How rules are read.
fn rules_for(call: &Call) -> Rules<'static> {
    Rules {
        commands: call.commands,
        permits_new_all_channels: call.server.config.permits_new_all_channels(),
    }
}

/// Disconnects the user's clients that have subscribed to what the user may not hear any more.
fn disconnect_listeners(call: &Call, account: &Arc<Account>) {
    let user = account.user();
    let is_refused = |kind: Kind, name: &[u8]| {
        let mut selectors = user.all_selectors();
        !selectors.any(|it| it.permits_channel(name, kind == Kind::Pattern))
    };
    let clients = call.server.pubsub.subscribers_where(is_refused);
    let clients = clients.iter().filter(|client| is_of(client, account));
    clients.for_each(|client| call.session.disconnect(client));
}

/// Whether a client has logged in as this user.
fn is_of(client: &Client, account: &Arc<Account>) -> bool {
    Arc::ptr_eq(&client.account(), account)
}

/// Disconnects all clients of these users.
fn disconnect_clients(call: &Call, accounts: &[Arc<Account>]) {
    if accounts.is_empty() {
        return;
    }
    for client in call.server.clients.all() {
        if accounts.iter().any(|account| is_of(&client, account)) {
            call.session.disconnect(&client);
        }
    }
}

/// ```text
/// > ACL SETUSER ann
/// OK
/// > ACL DELUSER ann bob
/// (integer) 1
/// > ACL DELUSER default
/// (error) ERR The 'default' user cannot be removed
/// ```
pub(super) fn deluser(call: &mut Call) -> CommandResult {
    let names = &call.arguments[2..];
    if names.contains(&DEFAULT) {
        return Err(CommandError::err("The 'default' user cannot be removed"));
    }
    let acl = &call.server.acl;
    let deleted: Vec<Arc<Account>> = names.iter().filter_map(|name| acl.delete(name)).collect();
    disconnect_clients(call, &deleted);
    call.then = Then::Settle;
    call.reply.count(deleted.len());
    Ok(())
}

/// ```text
/// > ACL SETUSER ann on ~cached:* %R~report:* &news.* +@read -get (+set ~mine:*)
/// OK
/// > ACL GETUSER ann
///  1) "flags"
///  2) 1) "on"
///     2) "sanitize-payload"
///  3) "passwords"
///  4) (empty array)
///  5) "commands"
///  6) "-@all +@read -get"
///  7) "keys"
///  8) "~cached:* %R~report:*"
///  9) "channels"
/// 10) "&news.*"
/// 11) "selectors"
/// 12) 1) 1) "commands"
///        2) "-@all +set"
///        3) "keys"
///        4) "~mine:*"
///        5) "channels"
///        6) ""
/// > ACL GETUSER bob
/// (nil)
/// ```
pub(super) fn getuser(call: &mut Call) -> CommandResult {
    let Some(account) = call.server.acl.find(call.argument(2)) else {
        call.reply.null();
        return Ok(());
    };
    let user = account.user();
    let reply = &mut *call.reply;
    reply.map(6);
    reply.bulk(b"flags");
    let flags = user.flags();
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.bulk(flag.as_bytes()));
    reply.bulk(b"passwords");
    reply.array(user.passwords().len());
    for digest in user.passwords() {
        reply.bulk(digest.to_string().as_bytes());
    }
    show_selector(reply, &user.root);
    reply.bulk(b"selectors");
    reply.array(user.selectors.len());
    for selector in &user.selectors {
        reply.map(3);
        show_selector(reply, selector);
    }
    Ok(())
}

fn show_selector(reply: &mut Reply, selector: &Selector) {
    for (name, rules) in [
        ("commands", selector.command_rules()),
        ("keys", selector.key_rules()),
        ("channels", selector.channel_rules()),
    ] {
        reply.bulk(name.as_bytes());
        reply.bulk(&rules);
    }
}

/// ```text
/// > ACL LIST
/// 1) "user default on nopass sanitize-payload ~* &* +@all"
/// ```
pub(super) fn list(call: &mut Call) -> CommandResult {
    let lines = declared::lines(call.server);
    call.reply.array(lines.len());
    lines.iter().for_each(|line| call.reply.bulk(line));
    Ok(())
}

/// ```text
/// > ACL SETUSER ann
/// OK
/// > ACL USERS
/// 1) "ann"
/// 2) "default"
/// ```
pub(super) fn users(call: &mut Call) -> CommandResult {
    let accounts = call.server.acl.all();
    call.reply.array(accounts.len());
    accounts
        .iter()
        .for_each(|account| call.reply.bulk(&account.name));
    Ok(())
}

/// Clients of users that are gone, or may do something else now, are disconnected. Redis 7.2 disconnects the clients of
/// all users but `default`; 7.4 does as we do.
///
/// ```text
/// > ACL LOAD
/// (error) ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL \
/// SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to \
/// store users in the Redis configuration.
/// ```
pub(super) fn load(call: &mut Call) -> CommandResult {
    let path = file_of_users(call)?;
    let users = declared::load(rules_for(call), Path::new(&path));
    let changed = call
        .server
        .acl
        .replace_all(users.map_err(CommandError::err)?);
    disconnect_clients(call, &changed);
    call.then = Then::Settle;
    call.reply.ok();
    Ok(())
}

/// ```text
/// > ACL SAVE
/// (error) ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL \
/// SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to \
/// store users in the Redis configuration.
/// ```
pub(super) fn save(call: &mut Call) -> CommandResult {
    let path = file_of_users(call)?;
    if let Err(error) = declared::save(call.server, Path::new(&path)) {
        let log = &call.server.log;
        log.warning_of_clients(format_args!("Saving ACLs to '{path}': {error}"));
        return Err(CommandError::err(
            "There was an error trying to save the ACLs. Please check the server logs for more information",
        ));
    }
    call.reply.ok();
    Ok(())
}

/// The path that `aclfile` names.
fn file_of_users(call: &Call) -> Result<String, CommandError> {
    let path = call.server.config.aclfile.get().to_string();
    match path.is_empty() {
        true => Err(CommandError::err(NO_FILE)),
        false => Ok(path),
    }
}
