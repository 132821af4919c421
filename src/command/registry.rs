//! All commands, by name: what look-up, COMMAND, ACL CAT and the statistics of INFO go through.

use super::error::{CommandError, QUOTED_BYTES};
use super::spec::CommandSpec;
use crate::util::quoting::c_string;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::sync::OnceLock;

/// No command's own full name has more bytes.
const LONGEST: usize = 40;

/// A command with its place in the registry.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// Counts commands and subcommands from 0.
    pub number: usize,
    /// The entry.
    pub spec: &'static CommandSpec,
    /// The container it belongs to.
    pub container: Option<&'static CommandSpec>,
}

impl Command {
    /// The full name: `get`, `config|get`.
    pub fn full_name(&self) -> String {
        match self.container {
            Some(container) => format!("{}|{}", container.name, self.spec.name),
            None => self.spec.name.to_string(),
        }
    }
}

/// All commands and subcommands.
#[derive(Debug, Default)]
pub struct Registry {
    commands: Vec<Command>,
    /// Numbers by full name.
    by_name: Numbers,
    /// What clients call the commands, if `rename-command` has changed that.
    names: OnceLock<Names>,
}

type Numbers = HashMap<Box<[u8]>, usize, foldhash::fast::RandomState>;

/// What clients call the commands; subcommands keep their names. <https://redis.io/docs/management/config-file/>,
/// `rename-command`.
#[derive(Clone, Debug)]
pub struct Names {
    numbers: Numbers,
    /// Bytes of the longest name.
    longest: usize,
}

impl Names {
    /// Gives a command another name, or none if `to` is empty.
    ///
    /// # Errors
    /// Redis' text.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), &'static str> {
        let [from, to] = [from, to].map(|name| name.to_ascii_lowercase().into_bytes());
        let number = self.numbers.remove(&*from);
        let number = number.ok_or("No such command in rename-command")?;
        if to.is_empty() {
            return Ok(());
        }
        self.longest = self.longest.max(to.len());
        match self.numbers.insert(to.into(), number) {
            None => Ok(()),
            Some(_) => Err("Target command name already exists"),
        }
    }

    /// The number of the command that has this name, in any case.
    fn find(&self, name: &[u8]) -> Option<usize> {
        if name.len() > self.longest {
            return None;
        }
        let mut name: SmallVec<[u8; LONGEST]> = name.into();
        name.make_ascii_lowercase();
        self.numbers.get(&*name).copied()
    }
}

impl Registry {
    /// Collects the entries of all families.
    ///
    /// # Panics
    /// Two entries have one name, or a name is too long.
    pub fn new(entries: impl Iterator<Item = &'static CommandSpec>) -> Registry {
        let mut registry = Registry::default();
        for spec in entries {
            registry.add(spec, None);
            let subcommands = spec.subcommands().iter();
            subcommands.for_each(|subcommand| registry.add(subcommand, Some(spec)));
        }
        registry
    }

    fn add(&mut self, spec: &'static CommandSpec, container: Option<&'static CommandSpec>) {
        let command = Command {
            number: self.commands.len(),
            spec,
            container,
        };
        let name = command.full_name().into_bytes().into_boxed_slice();
        assert!(name.len() <= LONGEST, "{} is too long", command.full_name());
        let replaced = self.by_name.insert(name, command.number);
        assert!(
            replaced.is_none(),
            "{} stands in the table twice",
            command.full_name()
        );
        self.commands.push(command);
    }

    /// The commands by their own names.
    pub fn own_names(&self) -> Names {
        let mut numbers = self.by_name.clone();
        numbers.retain(|_, number| self.commands[*number].container.is_none());
        Names {
            numbers,
            longest: LONGEST,
        }
    }

    /// Lets clients call the commands by these names from now on. Only the first call has an effect; it comes before
    /// the first client.
    pub fn set_names(&self, names: Names) {
        // A second server in one process, which only a test starts, has the names of the first.
        let _ = self.names.set(names);
    }

    /// All commands and subcommands, by number.
    pub fn all(&self) -> &[Command] {
        &self.commands
    }

    /// The commands that clients can call, without subcommands.
    pub fn top_level(&self) -> impl ExactSizeIterator<Item = &Command> {
        let names = self.names.get();
        let has_name = |command: &Command| {
            names.is_none_or(|names| {
                names
                    .numbers
                    .values()
                    .any(|number| *number == command.number)
            })
        };
        let commands = self.commands.iter();
        let commands = commands.filter(|it| it.container.is_none() && has_name(it));
        commands.collect::<Vec<_>>().into_iter()
    }

    /// The command that clients call by this name, in any case.
    pub fn find(&self, name: &[u8]) -> Option<&Command> {
        let found = match self.names.get() {
            None => self.find_full(&[name]),
            Some(names) => names.find(name).map(|number| &self.commands[number]),
        };
        found.filter(|command| command.container.is_none())
    }

    /// The command or subcommand whose own full name this is, such as `config|get`, in any case.
    pub fn find_full_name(&self, name: &[u8]) -> Option<&Command> {
        self.find_full(&[name])
    }

    /// The command that clients call by this name, or the subcommand of this full name.
    pub fn find_shown(&self, name: &[u8]) -> Option<&Command> {
        match name.contains(&b'|') {
            true => self.find_full_name(name),
            false => self.find(name),
        }
    }

    /// The subcommand of this name, in any case.
    pub fn find_subcommand(&self, container: &CommandSpec, name: &[u8]) -> Option<&Command> {
        self.find_full(&[container.name.as_bytes(), b"|", name])
    }

    /// The subcommands of a container.
    pub fn subcommands(&self, container: &CommandSpec) -> Vec<&Command> {
        let names = container.subcommands().iter().map(|spec| spec.name);
        names
            .filter_map(|name| self.find_subcommand(container, name.as_bytes()))
            .collect()
    }

    /// The command or subcommand that a request names.
    ///
    /// # Errors
    /// There is none, with the text that quotes what came.
    pub fn of_request(&self, arguments: &[&[u8]]) -> Result<&Command, CommandError> {
        let name = arguments[0];
        let command = self.find(name).ok_or_else(|| unknown_command(arguments))?;
        // A container that cannot stand alone says so by its arity.
        let subcommand = match arguments.get(1) {
            Some(word) if !command.spec.subcommands().is_empty() => word,
            _ => return Ok(command),
        };
        let found = self.find_subcommand(command.spec, subcommand);
        found.ok_or_else(|| {
            let container = c_string(name).to_ascii_uppercase();
            let name = c_string(subcommand);
            CommandError::UnknownSubcommand {
                container,
                name: name[..name.len().min(QUOTED_BYTES)].to_vec(),
            }
        })
    }

    /// The command or subcommand of this full name, in parts.
    fn find_full(&self, parts: &[&[u8]]) -> Option<&Command> {
        let mut name = [0; LONGEST];
        let mut len = 0;
        for part in parts {
            name.get_mut(len..len + part.len())?.copy_from_slice(part);
            len += part.len();
        }
        name[..len].make_ascii_lowercase();
        let number = self.by_name.get(&name[..len])?;
        Some(&self.commands[*number])
    }
}

/// The error for a request whose first word is no command; it quotes what came.
fn unknown_command(arguments: &[&[u8]]) -> CommandError {
    let mut quoted = Vec::new();
    let (name, arguments) = arguments.split_first().expect("a request has a name");
    for argument in arguments.iter().map(|argument| c_string(argument)) {
        if quoted.len() >= QUOTED_BYTES {
            break;
        }
        let rest = QUOTED_BYTES - quoted.len();
        quoted.push(b'\'');
        quoted.extend_from_slice(&argument[..argument.len().min(rest)]);
        quoted.extend_from_slice(b"' ");
    }
    let name = c_string(name);
    let name = &name[..name.len().min(QUOTED_BYTES)];
    CommandError::UnknownCommand([b"'", name, b"', with args beginning with: ", &quoted].concat())
}

#[cfg(test)]
mod tests {
    use crate::command::COMMANDS;
    use crate::command::spec::{BLOCKING, Handler, WRITE};

    /// Who may change data and who may wait is said twice, by the handler and by the flags of Redis; they agree.
    #[test]
    fn handlers_and_flags_agree() {
        // They change what is noted about a key, not its value, or nothing that Redis would replay.
        let not_writing = ["watch", "pfcount", "pfdebug", "debug", "wait", "waitaof"];
        for command in COMMANDS.all() {
            let name = command.full_name();
            let handler = command.spec.handler;
            let writes = matches!(
                handler,
                Handler::Write(_) | Handler::WriteAll(_) | Handler::Wait(_)
            );
            // Libraries of functions are written, but lie under no lock of the keyspace.
            if name.starts_with("function|") {
                continue;
            }
            let by_arguments = matches!(handler, Handler::ByArguments(_));
            if !by_arguments && !not_writing.contains(&name.as_str()) {
                assert_eq!(writes, command.spec.has(WRITE), "{name}");
            }
            if !by_arguments {
                // Redis 7.2 has not thought of these two.
                let is_exception = ["wait", "waitaof"].contains(&name.as_str());
                let waits = matches!(handler, Handler::Wait(_)) && !is_exception;
                assert_eq!(waits, command.spec.has(BLOCKING), "{name}");
            }
        }
    }
}
