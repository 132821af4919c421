//! Compares a request with what its user may do.

use crate::command::client_line;
use crate::command::error::CommandError;
use crate::command::registry::{Command, Registry};
use crate::command::session::Session;
use crate::command::spec::*;
use crate::state::Server;
use crate::state::acl::{Account, Context, Denied, Entry, KeyRights, Selector, User};
use crate::state::clients::Client;
use crate::util::clock;

/// Why a user may not give a command, in ascending order of what is told: if no selector permits a request, the answer
/// is that of the selector which permits most of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Denial {
    /// It may not give the command at all.
    Command,
    /// It may not use the key with this index among the arguments.
    Key(usize),
    /// It may not use the channel with this index among the arguments.
    Channel(usize),
}

impl Denial {
    /// What is refused, for the log.
    pub fn denied(self) -> Denied {
        match self {
            Denial::Command => Denied::Command,
            Denial::Key(_) => Denied::Key,
            Denial::Channel(_) => Denied::Channel,
        }
    }

    /// The command, key or channel.
    pub fn object(self, command: &Command, arguments: &[&[u8]]) -> Vec<u8> {
        match self {
            Denial::Command => command.full_name().into_bytes(),
            Denial::Key(index) | Denial::Channel(index) => arguments[index].to_vec(),
        }
    }

    /// What a client is told, without the code. It does not learn which of its keys it may not use.
    pub fn reason(self, username: &[u8], command: &Command) -> Vec<u8> {
        match self {
            Denial::Command => self.full_reason(username, command, &[]),
            Denial::Key(_) => b"No permissions to access a key".to_vec(),
            Denial::Channel(_) => b"No permissions to access a channel".to_vec(),
        }
    }

    /// What ACL DRYRUN tells: with the name of the key or channel.
    pub fn full_reason(self, username: &[u8], command: &Command, arguments: &[&[u8]]) -> Vec<u8> {
        let (what, kind) = match self {
            Denial::Command => ("run", "command"),
            Denial::Key(_) => ("access", "key"),
            Denial::Channel(_) => ("access", "channel"),
        };
        let object = self.object(command, arguments);
        [
            b"User ",
            username,
            b" has no permissions to ",
            what.as_bytes(),
            b" the '",
            &object,
            b"' ",
            kind.as_bytes(),
        ]
        .concat()
    }

    /// The error of a command of EXEC that was permitted when it was queued.
    pub fn since_queued(self) -> CommandError {
        let reason = match self {
            Denial::Command => "no permission to execute the command or subcommand",
            Denial::Key(_) => "no permission to touch the specified keys",
            Denial::Channel(_) => "no permission to access one of the channels used as arguments",
        };
        let text = format!(
            "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This \
             command is no longer allowed for the following reason: {reason}"
        );
        CommandError::Other(text.into_bytes())
    }
}

/// Who tries to do something, and where: what ACL LOG tells of it.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    /// All commands.
    pub commands: &'static Registry,
    /// The server.
    pub server: &'a Server,
    /// The client.
    pub client: &'a Client,
    /// Its user.
    pub account: &'a Account,
    /// Where.
    pub context: Context,
}

impl<'a> Attempt<'a> {
    /// What a session's client tries to do.
    pub fn of(
        session: &'a Session,
        server: &'a Server,
        commands: &'static Registry,
        context: Context,
    ) -> Attempt<'a> {
        Attempt {
            commands,
            server,
            client: &session.client,
            account: session.account(),
            context,
        }
    }

    /// Whether the client's user may give this command; noted for ACL LOG if not.
    #[inline]
    pub fn check(&self, command: &Command, arguments: &[&[u8]]) -> Result<(), Denial> {
        match self.account.may_do_all() {
            true => Ok(()),
            false => self.check_limited(command, arguments),
        }
    }

    #[cold]
    fn check_limited(&self, command: &Command, arguments: &[&[u8]]) -> Result<(), Denial> {
        let result = permits(&self.account.user(), command, arguments);
        result.inspect_err(|denial| {
            let object = denial.object(command, arguments);
            self.note(denial.denied(), &self.account.name, object);
        })
    }

    /// Notes for ACL LOG that something was refused.
    pub fn note(&self, denied: Denied, username: &[u8], object: Vec<u8>) {
        let now_ms = clock::unix_ms();
        let entry = Entry {
            denied,
            context: self.context,
            object,
            username: username.to_vec(),
            client: client_line::describe(self.commands, self.client, now_ms),
            count: 0,
            id: 0,
            created_ms: now_ms,
            updated_ms: now_ms,
        };
        let most = self.server.config.acllog_max_len.get() as usize;
        self.server.acl.log.add(entry, most);
    }
}

/// Whether a user may give this command.
pub fn permits(user: &User, command: &Command, arguments: &[&[u8]]) -> Result<(), Denial> {
    let mut denials = Vec::new();
    for selector in user.all_selectors() {
        match selector_permits(selector, command, arguments) {
            Ok(()) => return Ok(()),
            Err(denial) => denials.push(denial),
        }
    }
    Err(denials.into_iter().max().unwrap_or(Denial::Command))
}

/// Whether the session's user may give this command, and do this with every key: SORT, whose patterns may name any.
pub fn permits_on_every_key(
    session: &Session,
    command: &Command,
    arguments: &[&[u8]],
    rights: KeyRights,
) -> bool {
    let account = session.account();
    account.may_do_all() || {
        let user = account.user();
        let mut selectors = user.all_selectors();
        selectors.any(|selector| {
            selector.permits_every_key(rights)
                && selector_permits(selector, command, arguments).is_ok()
        })
    }
}

fn selector_permits(
    selector: &Selector,
    command: &Command,
    arguments: &[&[u8]],
) -> Result<(), Denial> {
    let spec = command.spec;
    let first = if command.container.is_some() { 2 } else { 1 };
    let argument = arguments.get(first).copied();
    // AUTH and its kin: a client must be able to become another user.
    if !spec.has(NO_AUTH) && !selector.permits_command(command.number, argument) {
        return Err(Denial::Command);
    }
    for keys in spec.keys {
        let rights = rights_needed(keys.flags_in(arguments));
        let Some(rights) = rights else { continue };
        let indexes = keys.indexes(arguments).into_iter().flatten();
        for index in indexes {
            if !selector.permits_key(arguments[index], rights) {
                return Err(Denial::Key(index));
            }
        }
    }
    let Some(channels) = spec.channels else {
        return Ok(());
    };
    let end = match channels {
        Channels::First => 2,
        Channels::All | Channels::AllPatterns => arguments.len(),
    };
    let is_pattern = channels == Channels::AllPatterns;
    let mut indexes = 1..end;
    match indexes.find(|index| !selector.permits_channel(arguments[*index], is_pattern)) {
        Some(index) => Err(Denial::Channel(index)),
        None => Ok(()),
    }
}

/// What a command does with keys that have these flags; `None` if they are no keys.
fn rights_needed(flags: KeyFlags) -> Option<KeyRights> {
    let rights = KeyRights {
        reads: flags.has(ACCESS),
        writes: flags.has(INSERT | DELETE | UPDATE),
    };
    Some(rights).filter(|_| !flags.has(NOT_KEY))
}
