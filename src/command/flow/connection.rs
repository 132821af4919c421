//! The connection itself: <https://redis.io/commands/?group=connection>. CLIENT is in
//! [`crate::command::admin::client`].

use crate::command::acl::check::Attempt;
use crate::command::admin::client;
use crate::command::call::{Call, Then};
use crate::command::error::{CommandError, CommandResult};
use crate::command::session::ReplyMode;
use crate::command::spec::*;
use crate::resp::reply::Protocol;
use crate::state::acl::{Context, DEFAULT, Denied};
use crate::util::number;
use std::sync::atomic::Ordering::Relaxed;

/// The error of a HELLO without AUTH from a client that has to log in.
const NOAUTH_HELLO: &[u8] = b"NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO \
    <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at \
    the same time";

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "ping", arity: -1, handler: NoLock(ping),
        flags: flags(&[FAST, WHILE_SUBSCRIBED, HEALTH_CHECK]), group: Group::Connection, since: "1.0.0",
        syntax: "[message]", summary: "Returns the server's liveliness response.",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"], ..BASE },
    CommandSpec { name: "echo", arity: 2, handler: NoLock(echo),
        flags: flags(&[LOADING, STALE, FAST]), group: Group::Connection, since: "1.0.0",
        syntax: "message", summary: "Returns the given string.", ..BASE },
    CommandSpec { name: "quit", arity: -1, handler: NoLock(quit),
        flags: flags(&[UNQUEUED, NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, ALLOW_BUSY, WHILE_SUBSCRIBED]),
        group: Group::Connection, since: "1.0.0",
        summary: "Closes the connection.",
        deprecated: Some(("7.2.0", "just closing the connection")), ..BASE },
    CommandSpec { name: "reset", arity: 1, handler: NoLock(reset),
        flags: flags(&[UNQUEUED, NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, ALLOW_BUSY, WHILE_SUBSCRIBED]),
        group: Group::Connection, since: "6.2.0",
        summary: "Resets the connection.", ..BASE },
    CommandSpec { name: "select", arity: 2, handler: NoLock(select),
        flags: flags(&[LOADING, STALE, FAST, SELECTS]), group: Group::Connection, since: "1.0.0",
        syntax: "index", summary: "Changes the selected database.", ..BASE },
    CommandSpec { name: "hello", arity: -1, handler: NoLock(hello),
        flags: flags(&[NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, ALLOW_BUSY]), group: Group::Connection, since: "6.0.0",
        syntax: "[arguments: protover [AUTH <username password>] [SETNAME clientname]]",
        summary: "Handshakes with the Redis server.",
        history: &[
            ("6.2.0", "`protover` made optional; when called without arguments the command reports the current \
                connection's context."),
        ],
        is_secret: is_secret_of_hello, ..BASE },
    CommandSpec { name: "auth", arity: -2, handler: NoLock(auth),
        flags: flags(&[NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, ALLOW_BUSY]), group: Group::Connection, since: "1.0.0",
        syntax: "[username@6.0.0] password", summary: "Authenticates the connection.",
        complexity: "O(N) where N is the number of passwords defined for the user",
        history: &[("6.0.0", "Added ACL style (username and password).")], is_secret: |_, index| index > 0, ..BASE },
];

/// ```text
/// > PING
/// PONG
/// > PING hello
/// "hello"
/// ```
fn ping(call: &mut Call) -> CommandResult {
    let message = match call.arguments {
        [_] => None,
        [_, message] => Some(*message),
        _ => return Err(CommandError::WrongArity("ping".to_string())),
    };
    // A client that can tell messages from replies by their form alone would take any other form for neither.
    if call.session.is_restricted() {
        call.reply.array(2);
        call.reply.bulk(b"pong");
        call.reply.bulk(message.unwrap_or_default());
        return Ok(());
    }
    match message {
        None => call.reply.simple("PONG"),
        Some(message) => call.reply.bulk(message),
    }
    Ok(())
}

/// ```text
/// > ECHO "Hello World!"
/// "Hello World!"
/// ```
fn echo(call: &mut Call) -> CommandResult {
    call.reply.bulk(call.argument(1));
    Ok(())
}

/// ```text
/// > QUIT
/// OK
/// ```
fn quit(call: &mut Call) -> CommandResult {
    call.session.client.closes_after_reply.store(true, Relaxed);
    call.reply.ok();
    Ok(())
}

/// Back to the state of a new connection.
///
/// ```text
/// > RESET
/// RESET
/// ```
fn reset(call: &mut Call) -> CommandResult {
    call.session.discard_queue();
    call.then = Then::Unwatch;
    call.session.database = 0;
    if call.session.reply_mode != ReplyMode::Skip {
        call.session.reply_mode = ReplyMode::On;
    }
    call.session.subscriptions.unsubscribe_all();
    call.session.monitoring = None;
    call.session.log_out(call.server);
    call.session.end_tracking(call.server);
    call.hear_out();
    call.reply.protocol = Protocol::Resp2;
    let client = &call.session.client;
    client.database.store(0, Relaxed);
    client.protocol.store(2, Relaxed);
    client.modes.no_evict.store(false, Relaxed);
    client.modes.no_touch.store(false, Relaxed);
    client.labels().name.clear();
    call.reply.simple("RESET");
    Ok(())
}

/// ```text
/// > SELECT 0
/// OK
/// > SELECT 100
/// (error) ERR DB index is out of range
/// ```
fn select(call: &mut Call) -> CommandResult {
    let index = call.database(1)?;
    call.session.database = index;
    call.session.client.database.store(index, Relaxed);
    call.reply.ok();
    Ok(())
}

/// Introduces the client and chooses the protocol version.
///
/// ```text
/// > HELLO 4
/// (error) NOPROTO unsupported protocol version
/// > HELLO 2 SETNAME "two words"
/// (error) ERR Client names cannot contain spaces, newlines or special characters.
/// ```
fn hello(call: &mut Call) -> CommandResult {
    let protocol = match call
        .arguments
        .get(1)
        .map(|version| number::parse_i64(version))
    {
        None => None,
        Some(None) => {
            return Err(CommandError::err(
                "Protocol version is not an integer or out of range",
            ));
        }
        Some(Some(2)) => Some(Protocol::Resp2),
        Some(Some(3)) => Some(Protocol::Resp3),
        Some(Some(_)) => {
            return Err(CommandError::Other(
                b"NOPROTO unsupported protocol version".to_vec(),
            ));
        }
    };
    let mut credentials = None;
    let mut name = None;
    let mut index = 2;
    while index < call.arguments.len() {
        let left = call.arguments.len() - index - 1;
        match call.word(index).as_str() {
            "AUTH" if left >= 2 => {
                credentials = Some((call.argument(index + 1), call.argument(index + 2)));
                index += 3;
            }
            "SETNAME" if left >= 1 => {
                name = Some(call.argument(index + 1));
                index += 2;
            }
            _ => {
                let option = call.argument(index);
                return Err(CommandError::quoting(
                    "Syntax error in HELLO option '",
                    option,
                    "'",
                ));
            }
        }
    }
    if let Some(name) = name {
        client::check_name(name)?;
    }
    if let Some((name, password)) = credentials {
        log_in(call, name, password)?;
    } else if !call.session.is_authenticated(call.server) {
        return Err(CommandError::Other(NOAUTH_HELLO.to_vec()));
    }
    if let Some(name) = name {
        call.session.client.labels().name = name.to_vec();
    }
    if let Some(protocol) = protocol {
        call.reply.protocol = protocol;
        call.session
            .client
            .protocol
            .store(protocol.number() as u8, Relaxed);
    }
    introduce_server(call);
    Ok(())
}

/// Whether an argument is a user or a password: one of the two that follow AUTH.
fn is_secret_of_hello(arguments: &[&[u8]], index: usize) -> bool {
    let is_auth = |index: usize| index > 1 && arguments[index].eq_ignore_ascii_case(b"auth");
    index > 2 && (is_auth(index - 1) || is_auth(index - 2))
}

fn introduce_server(call: &mut Call) {
    let id = call.session.client.id as i64;
    let protocol = call.reply.protocol.number();
    call.reply.map(7);
    call.reply.bulk(b"server");
    call.reply.bulk(b"redis");
    call.reply.bulk(b"version");
    call.reply.bulk(crate::REDIS_VERSION.as_bytes());
    call.reply.bulk(b"proto");
    call.reply.integer(protocol);
    call.reply.bulk(b"id");
    call.reply.integer(id);
    call.reply.bulk(b"mode");
    call.reply.bulk(b"standalone");
    call.reply.bulk(b"role");
    call.reply.bulk(b"master");
    call.reply.bulk(b"modules");
    call.reply.array(0);
}

/// ```text
/// > AUTH secret
/// (error) ERR AUTH <password> called without any password configured for the default user. Are you sure your \
/// configuration is correct?
/// > ACL SETUSER ann on >secret +@all
/// OK
/// > AUTH ann wrong
/// (error) WRONGPASS invalid username-password pair or user is disabled.
/// > AUTH ann secret
/// OK
/// > ACL WHOAMI
/// "ann"
/// ```
fn auth(call: &mut Call) -> CommandResult {
    let (name, password) = match call.arguments {
        [_, password] => {
            if call.server.acl.default_account().user().needs_no_password {
                return Err(CommandError::err(
                    "AUTH <password> called without any password configured for the default user. Are you sure your \
                     configuration is correct?",
                ));
            }
            (DEFAULT, *password)
        }
        [_, name, password] => (*name, *password),
        _ => return Err(CommandError::Syntax),
    };
    log_in(call, name, password)?;
    call.reply.ok();
    Ok(())
}

/// The client becomes this user, if the password is right.
fn log_in(call: &mut Call, name: &[u8], password: &[u8]) -> CommandResult {
    if let Some(account) = call.server.acl.authenticate(name, password) {
        call.session.log_in(account);
        return Ok(());
    }
    let context = match call.session.transaction.is_running {
        true => Context::Transaction,
        false => Context::TopLevel,
    };
    let command = call.argument(0).to_vec();
    let attempt = Attempt::of(call.session, call.server, call.commands, context);
    attempt.note(Denied::Auth, name, command);
    Err(CommandError::WrongPassword)
}
