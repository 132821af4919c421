//! What runs a command with its arguments, on which keys, and so under which locks.

use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::invocation::Invocation;
use crate::command::registry::Command;
use crate::command::spec::Handler;
use crate::keyspace::db::Db;
use crate::keyspace::space::Key;
use crate::keyspace::survey::Survey;
use crate::state::waiting::Wish;
use smallvec::SmallVec;

/// Keys of a command; more take an allocation.
pub(super) type Keys<'a> = SmallVec<[Key<'a>; 2]>;

/// How a command is to run.
pub(super) struct Plan<'a> {
    pub(super) command: &'static Command,
    pub(super) body: Body,
    pub(super) keys: Keys<'a>,
}

/// A [`Handler`] of which the arguments leave one kind.
#[derive(Clone, Copy)]
pub(super) enum Body {
    NoLock(fn(&mut Call) -> CommandResult),
    Survey(fn(&mut Call, &Survey) -> CommandResult),
    Read(fn(&mut Call, &Db) -> CommandResult, Extent),
    Write(fn(&mut Call, &mut Db) -> CommandResult, Extent),
    Wait(fn(&mut Call) -> Result<Wish, CommandError>),
    Script(fn(&mut Call) -> Result<Invocation, CommandError>),
    Exec,
}

/// Which shards a command needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// Those of its keys.
    Keys,
    /// All.
    All,
}

impl<'a> Plan<'a> {
    /// `database` is the one that is selected when the command runs.
    #[inline]
    pub(super) fn new(
        command: &'static Command,
        arguments: &[&'a [u8]],
        database: usize,
    ) -> Plan<'a> {
        Plan {
            command,
            body: Body::new(command.spec.handler, arguments),
            keys: keys(command, arguments, database),
        }
    }
}

impl Body {
    fn new(handler: Handler, arguments: &[&[u8]]) -> Body {
        match handler {
            Handler::NoLock(run) | Handler::CallableContainer(run, _) => Body::NoLock(run),
            Handler::Survey(run) => Body::Survey(run),
            Handler::Read(run) => Body::Read(run, Extent::Keys),
            Handler::ReadAll(run) => Body::Read(run, Extent::All),
            Handler::Write(run) => Body::Write(run, Extent::Keys),
            Handler::WriteAll(run) => Body::Write(run, Extent::All),
            Handler::Wait(wish) => Body::Wait(wish),
            Handler::Script(find) => Body::Script(find),
            Handler::Exec => Body::Exec,
            Handler::ByArguments(choose) => Body::new(choose(arguments), arguments),
            Handler::Container(_) => Body::NoLock(without_subcommand),
        }
    }

    /// Whether it runs under the locks of its keys alone, and so does not read the figures of the server.
    pub(super) fn works_on_keys(self) -> bool {
        matches!(
            self,
            Body::Read(_, Extent::Keys) | Body::Write(_, Extent::Keys)
        )
    }

    /// Whether it needs all shards, if locks are to be taken for it beforehand.
    pub(super) fn needs_all(self) -> bool {
        match self {
            Body::Read(_, extent) | Body::Write(_, extent) => extent == Extent::All,
            // What a script in a transaction reaches for is not known before.
            Body::Survey(_) | Body::Script(_) => true,
            Body::NoLock(_) | Body::Wait(_) | Body::Exec => false,
        }
    }
}

/// Its arity asks for a second word, so that the command is one of its subcommands.
fn without_subcommand(call: &mut Call) -> CommandResult {
    Err(CommandError::WrongArity(call.spec.name.to_string()))
}

/// The keys of a request; none if the arguments contradict what the command declares. Its handler then finds the fault,
/// and has no lock.
fn keys<'a>(command: &Command, arguments: &[&'a [u8]], database: usize) -> Keys<'a> {
    let mut keys = Keys::new();
    if let [spec] = command.spec.keys
        && let Some(index) = spec.only_index()
    {
        // As most commands have it: no iterator over the places is needed.
        keys.extend(arguments.get(index).map(|key| Key::new(database, key)));
        return keys;
    }
    for spec in command.spec.keys {
        match spec.indexes(arguments) {
            Some(indexes) => keys.extend(indexes.map(|index| Key::new(database, arguments[index]))),
            None => return Keys::new(),
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::COMMANDS;

    #[test]
    fn the_only_key_is_the_one_that_the_places_give() {
        let arguments: [&[u8]; 4] = [b"name", b"a", b"b", b"c"];
        let mut single = 0;
        for command in COMMANDS.all() {
            let [spec] = command.spec.keys else { continue };
            single += usize::from(spec.only_index().is_some());
            for len in 1..=arguments.len() {
                let planned = keys(command, &arguments[..len], 0);
                let planned: Vec<&[u8]> = planned.iter().map(|key| key.bytes).collect();
                let given = spec.indexes(&arguments[..len]);
                let given = given.map(|indexes| indexes.map(|index| arguments[index]).collect());
                assert_eq!(
                    planned,
                    given.unwrap_or(Vec::new()),
                    "{}",
                    command.full_name()
                );
            }
        }
        assert!(single > 100);
    }
}
