//! CLIENT: the connected clients, and what the calling one wants.

use crate::command::admin::tracking;
use crate::command::call::{Call, Then};
use crate::command::client_line;
use crate::command::error::{CommandError, CommandResult};
use crate::command::session::ReplyMode;
use crate::command::spec::*;
use crate::command::timeout;
use crate::state::acl::Account;
use crate::state::clients::Client;
use crate::state::outbox::OutputClass;
use crate::state::pause::{Extent, Purpose};
use crate::state::waiting::Outcome;
use crate::util::quoting::c_string;
use crate::util::{clock, number};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "client", arity: -2, handler: Container(CLIENT), group: Group::Connection, since: "2.4.0",
        summary: "A container for client connection commands.", complexity: "Depends on subcommand.", ..BASE },
];

#[rustfmt::skip]
const CLIENT: &[CommandSpec] = &[
    CommandSpec { name: "id", arity: 2, handler: NoLock(id),
        flags: flags(&[KEEPS_CACHING, NOSCRIPT, LOADING, STALE]), group: Group::Connection, since: "5.0.0",
        summary: "Returns the unique client ID of the connection.", ..BASE },
    CommandSpec { name: "getname", arity: 2, handler: NoLock(getname),
        flags: flags(&[KEEPS_CACHING, NOSCRIPT, LOADING, STALE]), group: Group::Connection, since: "2.6.9",
        summary: "Returns the name of the connection.", ..BASE },
    CommandSpec { name: "setname", arity: 3, handler: NoLock(setname),
        flags: flags(&[KEEPS_CACHING, NOSCRIPT, LOADING, STALE]), group: Group::Connection, since: "2.6.9",
        syntax: "connection-name", summary: "Sets the connection name.",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"], ..BASE },
    CommandSpec { name: "setinfo", arity: 4, handler: NoLock(setinfo),
        flags: flags(&[KEEPS_CACHING, NOSCRIPT, LOADING, STALE]), group: Group::Connection, since: "7.2.0",
        syntax: "<attr: LIB-NAME libname | LIB-VER libver>",
        summary: "Sets information specific to the client or connection.",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"], ..BASE },
    CommandSpec { name: "list", arity: -2, handler: NoLock(list),
        flags: flags(&[KEEPS_CACHING, ADMIN, NOSCRIPT, LOADING, STALE]), group: Group::Connection, since: "2.4.0",
        syntax: "[TYPE <client-type@5.0.0: NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id@6.2.0 [client-id ...]]",
        summary: "Lists open connections.", complexity: "O(N) where N is the number of client connections",
        history: &[
            ("2.8.12", "Added unique client `id` field."),
            ("5.0.0", "Added optional `TYPE` filter."),
            ("6.0.0", "Added `user` field."),
            ("6.2.0", "Added `argv-mem`, `tot-mem`, `laddr` and `redir` fields and the optional `ID` filter."),
            ("7.0.0", "Added `resp`, `multi-mem`, `rbs` and `rbp` fields."),
            ("7.0.3", "Added `ssub` field."),
        ],
        tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "info", arity: 2, handler: NoLock(client_info),
        flags: flags(&[KEEPS_CACHING, NOSCRIPT, LOADING, STALE]), group: Group::Connection, since: "6.2.0",
        summary: "Returns information about the connection.",
        tips: &["nondeterministic_output"], ..BASE },
    CommandSpec { name: "kill", arity: -3, handler: NoLock(kill),
        flags: flags(&[KEEPS_CACHING, ADMIN, NOSCRIPT, LOADING, STALE]), group: Group::Connection, since: "2.4.0",
        syntax: "<filter: old-format(ip:port)!2.8.12 | <new-format: [ID client-id@2.8.12] | [TYPE <client-type@2.8.12: \
            NORMAL | MASTER@3.2.0 | SLAVE | REPLICA@5.0.0 | PUBSUB>] | [USER username] | [ADDR addr(ip:port)] | [LADDR \
            laddr(ip:port)@6.2.0] | [SKIPME <YES | NO>]> [...]>",
        summary: "Terminates open connections.", complexity: "O(N) where N is the number of client connections",
        history: &[
            ("2.8.12", "Added new filter format."),
            ("2.8.12", "`ID` option."),
            ("3.2.0", "Added `master` type in for `TYPE` option."),
            ("5.0.0", "Replaced `slave` `TYPE` with `replica`. `slave` still supported for backward compatibility."),
            ("6.2.0", "`LADDR` option."),
        ], ..BASE },
    CommandSpec { name: "unblock", arity: -3, handler: NoLock(unblock),
        flags: flags(&[KEEPS_CACHING, ADMIN, NOSCRIPT, LOADING, STALE]), group: Group::Connection, since: "5.0.0",
        syntax: "client-id [unblock-type: TIMEOUT | ERROR]",
        summary: "Unblocks a client blocked by a blocking command from a different connection.",
        complexity: "O(log N) where N is the number of client connections", ..BASE },
    CommandSpec { name: "pause", arity: -3, handler: NoLock(pause),
        flags: flags(&[KEEPS_CACHING, ADMIN, NOSCRIPT, LOADING, STALE]), group: Group::Connection, since: "3.0.0",
        syntax: "timeout:integer [mode@6.2.0: WRITE | ALL]", summary: "Suspends commands processing.",
        history: &[("6.2.0", "`CLIENT PAUSE WRITE` mode added along with the `mode` option.")], ..BASE },
    CommandSpec { name: "unpause", arity: 2, handler: NoLock(unpause),
        flags: flags(&[KEEPS_CACHING, ADMIN, NOSCRIPT, LOADING, STALE]), group: Group::Connection, since: "6.2.0",
        summary: "Resumes processing commands from paused clients.",
        complexity: "O(N) Where N is the number of paused clients", ..BASE },
    CommandSpec { name: "no-evict", arity: 3, handler: NoLock(no_evict),
        flags: flags(&[KEEPS_CACHING, ADMIN, NOSCRIPT, LOADING, STALE]), group: Group::Connection, since: "7.0.0",
        syntax: "<enabled: ON | OFF>", summary: "Sets the client eviction mode of the connection.", ..BASE },
    CommandSpec { name: "no-touch", arity: 3, handler: NoLock(no_touch),
        flags: flags(&[KEEPS_CACHING, NOSCRIPT, LOADING, STALE]), group: Group::Connection, since: "7.2.0",
        syntax: "<enabled: ON | OFF>",
        summary: "Controls whether commands sent by the client affect the LRU/LFU of accessed keys.", ..BASE },
    CommandSpec { name: "reply", arity: 3, handler: NoLock(reply),
        flags: flags(&[KEEPS_CACHING, NOSCRIPT, LOADING, STALE]), group: Group::Connection, since: "3.2.0",
        syntax: "<action: ON | OFF | SKIP>", summary: "Instructs the server whether to reply to commands.", ..BASE },
    CommandSpec { name: "tracking", arity: -3, handler: NoLock(tracking::tracking),
        flags: flags(&[KEEPS_CACHING, NOSCRIPT, LOADING, STALE]), group: Group::Connection, since: "6.0.0",
        syntax: "<status: ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX ...]] [BCAST] [OPTIN] [OPTOUT] \
            [NOLOOP]",
        summary: "Controls server-assisted client-side caching for the connection.",
        complexity: "O(1). Some options may introduce additional complexity.", ..BASE },
    CommandSpec { name: "caching", arity: 3, handler: NoLock(tracking::caching),
        flags: flags(&[KEEPS_CACHING, NOSCRIPT, LOADING, STALE]), group: Group::Connection, since: "6.0.0",
        syntax: "<mode: YES | NO>", summary: "Instructs the server whether to track the keys in the next request.",
        ..BASE },
    CommandSpec { name: "getredir", arity: 2, handler: NoLock(tracking::getredir),
        flags: flags(&[KEEPS_CACHING, NOSCRIPT, LOADING, STALE]), group: Group::Connection, since: "6.0.0",
        summary: "Returns the client ID to which the connection's tracking notifications are redirected.", ..BASE },
    CommandSpec { name: "trackinginfo", arity: 2, handler: NoLock(tracking::trackinginfo),
        flags: flags(&[KEEPS_CACHING, NOSCRIPT, LOADING, STALE]), group: Group::Connection, since: "6.2.0",
        summary: "Returns information about server-assisted client-side caching for the connection.", ..BASE },
    CommandSpec { name: "help", arity: 2, handler: NoLock(client_help),
        flags: flags(&[KEEPS_CACHING, LOADING, STALE]), group: Group::Connection, since: "5.0.0",
        summary: "Returns helpful text about the different subcommands.", ..BASE },
];

fn id(call: &mut Call) -> CommandResult {
    let id = call.session.client.id;
    call.reply.integer(id as i64);
    Ok(())
}

/// ```text
/// > CLIENT GETNAME
/// (nil)
/// > CLIENT SETNAME ann
/// OK
/// > CLIENT GETNAME
/// "ann"
/// ```
fn getname(call: &mut Call) -> CommandResult {
    let labels = call.session.client.labels();
    let name = Some(labels.name.as_slice()).filter(|name| !name.is_empty());
    call.reply.bulk_or_null(name);
    Ok(())
}

/// ```text
/// > CLIENT SETNAME "two words"
/// (error) ERR Client names cannot contain spaces, newlines or special characters.
/// ```
fn setname(call: &mut Call) -> CommandResult {
    let name = call.argument(2);
    check_name(name)?;
    call.session.client.labels().name = name.to_vec();
    call.reply.ok();
    Ok(())
}

/// A name stands between blanks in CLIENT LIST, so it cannot hold any.
pub(in crate::command) fn check_name(name: &[u8]) -> CommandResult {
    if is_label(name) {
        return Ok(());
    }
    Err(CommandError::err(
        "Client names cannot contain spaces, newlines or special characters.",
    ))
}

/// Whether this can stand in a row of CLIENT LIST. As in Redis, what follows a zero byte is not looked at; it is not
/// shown there either.
fn is_label(text: &[u8]) -> bool {
    c_string(text)
        .iter()
        .all(|byte| (b'!'..=b'~').contains(byte))
}

/// ```text
/// > CLIENT SETINFO LIB-NAME redis-py
/// OK
/// > CLIENT SETINFO COLOUR red
/// (error) ERR Unrecognized option 'COLOUR'
/// ```
fn setinfo(call: &mut Call) -> CommandResult {
    let (attribute, value) = (call.argument(2), call.argument(3));
    let name = call.word(2);
    if !matches!(name.as_str(), "LIB-NAME" | "LIB-VER") {
        return Err(CommandError::quoting(
            "Unrecognized option '",
            attribute,
            "'",
        ));
    }
    if !is_label(value) {
        let problem = " cannot contain spaces, newlines or special characters.";
        return Err(CommandError::quoting("", attribute, problem));
    }
    let mut labels = call.session.client.labels();
    match name.as_str() {
        "LIB-NAME" => labels.lib_name = value.to_vec(),
        _ => labels.lib_ver = value.to_vec(),
    }
    call.reply.ok();
    Ok(())
}

/// All clients, or those of a type, or those with given numbers, in the order in which they are given.
fn list(call: &mut Call) -> CommandResult {
    let clients = &call.server.clients;
    let clients = match call.arguments.len() {
        2 => clients.all(),
        4 if call.is_word(2, "TYPE") => {
            let wanted = client_type(call.argument(3))?;
            let mut clients = clients.all();
            clients.retain(|client| wanted == ClientType::of(client));
            clients
        }
        4.. if call.is_word(2, "ID") => {
            let ids: Result<Vec<i64>, _> = (3..call.arguments.len())
                .map(|index| call.integer(index))
                .collect();
            let ids = ids.map_err(|_| CommandError::err("Invalid client ID"))?;
            let ids = ids.into_iter().filter_map(|id| u64::try_from(id).ok());
            ids.filter_map(|id| clients.find(id)).collect()
        }
        _ => return Err(CommandError::Syntax),
    };
    let text: Vec<u8> = clients
        .iter()
        .flat_map(|client| client_line::describe(call.commands, client, call.now_ms))
        .collect();
    call.reply.verbatim(&text);
    Ok(())
}

/// The calling client's line of CLIENT LIST.
fn client_info(call: &mut Call) -> CommandResult {
    let line = client_line::describe(call.commands, &call.session.client, call.now_ms);
    call.reply.verbatim(&line);
    Ok(())
}

/// What kind of client it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ClientType {
    Normal,
    Subscriber,
    Replica,
    /// None is listed: a replica's connection to its primary is no client.
    Primary,
}

impl ClientType {
    fn of(client: &Client) -> ClientType {
        match client.output_class() {
            OutputClass::Normal => ClientType::Normal,
            OutputClass::PubSub => ClientType::Subscriber,
            OutputClass::Replica => ClientType::Replica,
        }
    }
}

fn client_type(name: &[u8]) -> Result<ClientType, CommandError> {
    match name.to_ascii_lowercase().as_slice() {
        b"normal" => Ok(ClientType::Normal),
        b"pubsub" => Ok(ClientType::Subscriber),
        b"slave" | b"replica" => Ok(ClientType::Replica),
        b"master" => Ok(ClientType::Primary),
        _ => Err(CommandError::quoting("Unknown client type '", name, "'")),
    }
}

fn client_id(call: &Call, index: usize) -> Result<u64, CommandError> {
    let id = number::parse_i64(call.argument(index)).filter(|id| *id > 0);
    id.map(|id| id as u64)
        .ok_or_else(|| CommandError::err("client-id should be greater than 0"))
}

/// Which clients are to be disconnected.
#[derive(Default)]
struct Filter {
    id: Option<u64>,
    address: Option<Vec<u8>>,
    local_address: Option<Vec<u8>>,
    user: Option<Arc<Account>>,
    client_type: Option<ClientType>,
    spares_caller: bool,
}

/// ```text
/// > CLIENT KILL 1.2.3.4:5
/// (error) ERR No such client
/// > CLIENT KILL ID 1000000
/// (integer) 0
/// ```
fn kill(call: &mut Call) -> CommandResult {
    let is_old_style = call.arguments.len() == 3;
    let filter = if is_old_style {
        Filter {
            address: Some(call.argument(2).to_vec()),
            ..Filter::default()
        }
    } else {
        kill_filter(call)?
    };
    let clients = call.server.clients.all();
    let killed: Vec<_> = clients
        .iter()
        .filter(|client| filter.matches(client, call.session.client.id))
        .collect();
    for client in &killed {
        call.session.disconnect(client);
    }
    let link = &call.server.replication.link;
    if filter.client_type == Some(ClientType::Primary) && link.cut() {
        call.reply.count(1);
        return Ok(());
    }
    match (is_old_style, killed.is_empty()) {
        (true, true) => return Err(CommandError::err("No such client")),
        (true, false) => call.reply.ok(),
        (false, _) => call.reply.count(killed.len()),
    }
    Ok(())
}

fn kill_filter(call: &Call) -> Result<Filter, CommandError> {
    let mut filter = Filter {
        spares_caller: true,
        ..Filter::default()
    };
    let mut index = 2;
    while index < call.arguments.len() {
        if index + 1 == call.arguments.len() {
            return Err(CommandError::Syntax);
        }
        let value = call.argument(index + 1);
        match call.word(index).as_str() {
            "ID" => filter.id = Some(client_id(call, index + 1)?),
            "TYPE" => filter.client_type = Some(client_type(value)?),
            "ADDR" => filter.address = Some(value.to_vec()),
            "LADDR" => filter.local_address = Some(value.to_vec()),
            "USER" => {
                let unknown = || CommandError::quoting("No such user '", value, "'");
                filter.user = Some(call.server.acl.find(value).ok_or_else(unknown)?);
            }
            "SKIPME" => {
                filter.spares_caller = match call.word(index + 1).as_str() {
                    "YES" => true,
                    "NO" => false,
                    _ => return Err(CommandError::Syntax),
                }
            }
            _ => return Err(CommandError::Syntax),
        }
        index += 2;
    }
    Ok(filter)
}

impl Filter {
    fn matches(&self, client: &Client, caller: u64) -> bool {
        let is = |wanted: &Option<Vec<u8>>, address: &str| {
            wanted.as_ref().is_none_or(|it| it == address.as_bytes())
        };
        self.id.is_none_or(|id| id == client.id)
            && is(&self.address, &client.address)
            && is(&self.local_address, &client.local_address)
            && self
                .user
                .as_ref()
                .is_none_or(|user| Arc::ptr_eq(user, &client.account()))
            && self
                .client_type
                .is_none_or(|wanted| wanted == ClientType::of(client))
            && !(self.spares_caller && client.id == caller)
    }
}

/// ```text
/// > CLIENT UNBLOCK 1000000
/// (integer) 0
/// > CLIENT UNBLOCK 1000000 gently
/// (error) ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR
/// ```
fn unblock(call: &mut Call) -> CommandResult {
    let outcome = match call.arguments.get(3) {
        None => Outcome::TimedOut,
        Some(_) if call.arguments.len() > 4 => {
            return Err(CommandError::misused_subcommand("CLIENT", call.argument(1)));
        }
        Some(_) => match call.word(3).as_str() {
            "TIMEOUT" => Outcome::TimedOut,
            "ERROR" => Outcome::Unblocked,
            _ => {
                return Err(CommandError::err(
                    "CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
                ));
            }
        },
    };
    let id = call.integer(2)?;
    let clients = call.server.clients.all();
    let client = clients.iter().find(|client| client.id as i64 == id);
    let is_unblocked = client.is_some_and(|client| client.end_wait(outcome));
    call.reply.integer(is_unblocked.into());
    Ok(())
}

/// Lets commands wait: see [`crate::state::pause`]. Meanwhile no key is removed because it has expired. A client that
/// has waited for a key before is still served; in Redis it waits for the end of the pause too.
///
/// ```text
/// > CLIENT PAUSE 0
/// OK
/// > CLIENT PAUSE 60000 WRITE
/// OK
/// > GET name
/// (nil)
/// > CLIENT UNPAUSE
/// OK
/// > CLIENT PAUSE 1000 READ
/// (error) ERR CLIENT PAUSE mode must be WRITE or ALL
/// > CLIENT PAUSE soon
/// (error) ERR timeout is not an integer or out of range
/// > CLIENT PAUSE -1
/// (error) ERR timeout is negative
/// ```
fn pause(call: &mut Call) -> CommandResult {
    let extent = match call.arguments.len() {
        3 => Extent::All,
        4 if call.is_word(3, "WRITE") => Extent::Writes,
        4 if call.is_word(3, "ALL") => Extent::All,
        4 => {
            return Err(CommandError::err("CLIENT PAUSE mode must be WRITE or ALL"));
        }
        _ => {
            return Err(CommandError::misused_subcommand("CLIENT", call.argument(1)));
        }
    };
    let now_ms = clock::unix_ms();
    let timeout_ms = timeout::parse_timeout_ms(call, 2)?;
    let until_ms = match timeout_ms {
        0 => 0,
        timeout_ms => now_ms.saturating_add(timeout_ms),
    };
    let alarm = &call.server.keyspace.alarm;
    let pause = &call.server.pause;
    pause.begin(Purpose::Command, extent, until_ms, now_ms, alarm);
    call.then = Then::Settle;
    call.reply.ok();
    Ok(())
}

/// ```text
/// > CLIENT UNPAUSE
/// OK
/// ```
fn unpause(call: &mut Call) -> CommandResult {
    let alarm = &call.server.keyspace.alarm;
    call.server.pause.end(Purpose::Command, alarm);
    call.reply.ok();
    Ok(())
}

/// ```text
/// > CLIENT NO-EVICT on
/// OK
/// > CLIENT NO-EVICT maybe
/// (error) ERR syntax error
/// ```
fn no_evict(call: &mut Call) -> CommandResult {
    let is_on = on_or_off(call)?;
    call.session.client.modes.no_evict.store(is_on, Relaxed);
    call.reply.ok();
    Ok(())
}

/// New in 7.2: reads of this client no longer count as accesses.
///
/// ```text
/// > CLIENT NO-TOUCH on
/// OK
/// ```
fn no_touch(call: &mut Call) -> CommandResult {
    let is_on = on_or_off(call)?;
    call.session.client.modes.no_touch.store(is_on, Relaxed);
    call.reply.ok();
    Ok(())
}

fn on_or_off(call: &Call) -> Result<bool, CommandError> {
    match call.word(2).as_str() {
        "ON" => Ok(true),
        "OFF" => Ok(false),
        _ => Err(CommandError::Syntax),
    }
}

/// ```text
/// > CLIENT REPLY ON
/// OK
/// ```
fn reply(call: &mut Call) -> CommandResult {
    match call.word(2).as_str() {
        "ON" => {
            call.session.reply_mode = ReplyMode::On;
            call.reply.ok();
        }
        "OFF" => call.session.reply_mode = ReplyMode::Off,
        // Only a client that hears something can ask for a skip.
        "SKIP" if call.session.reply_mode == ReplyMode::Off => {}
        "SKIP" => call.session.reply_mode = ReplyMode::SkipNext,
        _ => return Err(CommandError::Syntax),
    }
    Ok(())
}

fn client_help(call: &mut Call) -> CommandResult {
    call.help(&[
        "CACHING (YES|NO)",
        "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
        "GETREDIR",
        "    Return the client ID we are redirecting to when tracking is enabled.",
        "GETNAME",
        "    Return the name of the current connection.",
        "ID",
        "    Return the ID of the current connection.",
        "INFO",
        "    Return information about the current client connection.",
        "KILL <ip:port>",
        "    Kill connection made from <ip:port>.",
        "KILL <option> <value> [<option> <value> [...]]",
        "    Kill connections. Options are:",
        "    * ADDR (<ip:port>|<unixsocket>:0)",
        "      Kill connections made from the specified address",
        "    * LADDR (<ip:port>|<unixsocket>:0)",
        "      Kill connections made to specified local address",
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
        "      Kill connections by type.",
        "    * USER <username>",
        "      Kill connections authenticated by <username>.",
        "    * SKIPME (YES|NO)",
        "      Skip killing current connection (default: yes).",
        "LIST [options ...]",
        "    Return information about client connections. Options:",
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
        "      Return clients of specified type.",
        "UNPAUSE",
        "    Stop the current client pause, resuming traffic.",
        "PAUSE <timeout> [WRITE|ALL]",
        "    Suspend all, or just write, clients for <timeout> milliseconds.",
        "REPLY (ON|OFF|SKIP)",
        "    Control the replies sent to the current connection.",
        "SETNAME <name>",
        "    Assign the name <name> to the current connection.",
        "SETINFO <option> <value>",
        "    Set client meta attr. Options are:",
        "    * LIB-NAME: the client lib name.",
        "    * LIB-VER: the client lib version.",
        "UNBLOCK <clientid> [TIMEOUT|ERROR]",
        "    Unblock the specified blocked client.",
        "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
        "         [OPTIN] [OPTOUT] [NOLOOP]",
        "    Control server assisted client side caching.",
        "TRACKINGINFO",
        "    Report tracking status for the current connection.",
        "NO-EVICT (ON|OFF)",
        "    Protect current client connection from eviction.",
        "NO-TOUCH (ON|OFF)",
        "    Will not touch LRU/LFU stats when this mode is on.",
    ]);
    Ok(())
}
