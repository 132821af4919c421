//! All commands, by name: what look-up, COMMAND, ACL CAT and the statistics of INFO go through.

use super::error::{CommandError, QUOTED_BYTES};
use super::spec::CommandSpec;
use crate::util::quoting::c_string;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::iter;
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

type Numbers = HashMap<Name, usize, foldhash::fast::RandomState>;

/// The most bytes of a short [`Name`], beside the leading 1.
const SHORT: usize = size_of::<u128>() - 1;

/// A name in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    /// Its bytes as one number, which is hashed and compared in a few instructions. The leading 1 keeps `get` apart
    /// from `\0get`.
    Short(u128),
    /// More bytes than [`SHORT`]. To look one up takes an allocation; few commands have such a name.
    Long(Box<[u8]>),
}

// `derive` would hash the variant too.
impl Hash for Name {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        match self {
            Name::Short(number) => hasher.write_u128(*number),
            Name::Long(bytes) => hasher.write(bytes),
        }
    }
}

impl Name {
    /// The name that the parts make together.
    #[inline]
    fn of(parts: &[&[u8]]) -> Name {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let bytes = parts.iter().copied().flatten();
        let bytes = bytes.map(u8::to_ascii_lowercase);
        match len <= SHORT {
            true => Name::Short(bytes.fold(1, |number, byte| number << 8 | u128::from(byte))),
            false => Name::Long(bytes.collect()),
        }
    }
}

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
        let [from, to] = [from, to].map(str::as_bytes);
        let number = self.numbers.remove(&Name::of(&[from]));
        let number = number.ok_or("No such command in rename-command")?;
        if to.is_empty() {
            return Ok(());
        }
        self.longest = self.longest.max(to.len());
        match self.numbers.insert(Name::of(&[to]), number) {
            None => Ok(()),
            Some(_) => Err("Target command name already exists"),
        }
    }

    /// The number of the command that has this name, in any case.
    fn find(&self, name: &[u8]) -> Option<usize> {
        if name.len() > self.longest {
            return None;
        }
        self.numbers.get(&Name::of(&[name])).copied()
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
        let name = command.full_name();
        assert!(name.len() <= LONGEST, "{name} is too long");
        let replaced = self
            .by_name
            .insert(Name::of(&[name.as_bytes()]), command.number);
        assert!(replaced.is_none(), "{name} stands in the table twice");
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

    /// The command that clients call by this name, or the subcommand of which this is the name after that of its
    /// container, such as `config|get`.
    pub fn find_shown(&self, name: &[u8]) -> Option<&Command> {
        match name.iter().position(|byte| *byte == b'|') {
            Some(bar) => {
                let container = self.find(&name[..bar])?;
                self.find_subcommand(container.spec, &name[bar + 1..])
            }
            None => self.find(name),
        }
    }

    /// The commands that clients can call, each with its subcommands.
    pub fn shown(&self) -> Vec<&Command> {
        let commands = self.top_level();
        let with_subcommands =
            commands.flat_map(|command| iter::once(command).chain(self.subcommands(command.spec)));
        with_subcommands.collect()
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
        let len: usize = parts.iter().map(|part| part.len()).sum();
        if len > LONGEST {
            return None;
        }
        let number = self.by_name.get(&Name::of(parts))?;
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

    /// A name that is kept as a number is not taken for another one.
    #[test]
    fn names_are_found_in_any_case_and_no_others() {
        for name in [
            "get",
            "restore-asking",
            "zremrangebyrank",
            "zrevrangebyscore",
            "georadiusbymember_ro",
        ] {
            let found = |name: &[u8]| COMMANDS.find(name).map(|command| command.spec.name);
            assert_eq!(found(name.as_bytes()), Some(name));
            assert_eq!(found(name.to_uppercase().as_bytes()), Some(name));
            for other in [
                format!("\0{name}"),
                format!("{name}\0"),
                format!("\u{1}{name}"),
                name[1..].to_string(),
                name.repeat(30),
            ] {
                assert_eq!(found(other.as_bytes()), None, "{other:?}");
            }
        }
        assert!(COMMANDS.find(b"").is_none());
        // A subcommand is no command, however short its full name is.
        assert!(COMMANDS.find(b"acl|cat").is_none());
        assert!(COMMANDS.find_full_name(b"ACL|CAT").is_some());
    }

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
