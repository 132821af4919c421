//! A client's transaction: the commands since MULTI and the keys since WATCH.

use super::held::HeldBack;
use crate::command::registry::Command;
use crate::command::spec::CommandFlags;
use crate::keyspace::space::Key;
use crate::keyspace::watchers::Round;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// What a client has watched and queued.
#[derive(Debug, Default)]
pub struct Transaction {
    /// The commands since MULTI, if it is in a transaction.
    pub queue: Option<Box<Queue>>,
    /// The keys it watches.
    pub watched: Watched,
    /// The keys that it watched in an earlier round, and could not leave because of a busy script.
    pub left_behind: Vec<(Round, Watched)>,
    /// Whether EXEC is carrying the commands out, or a script is.
    pub is_running: bool,
    /// Whether it is a script that runs now.
    pub is_script: bool,
    /// The Unix time that TIME shows while they do, in microseconds, once it has been asked: it stands still.
    pub time_us: Option<i64>,
    /// What a script that runs has said and caused, if it may be taken back.
    pub held: Option<HeldBack>,
}

/// The commands that wait for EXEC. Their arguments lie one behind the other in one block of memory, so that a command
/// takes little more than it was received with.
#[derive(Debug, Default)]
pub struct Queue {
    commands: Vec<Queued>,
    bytes: Vec<u8>,
    /// Where in `bytes` each argument ends.
    ends: Vec<usize>,
    /// The flags of all commands.
    flags: CommandFlags,
    /// Whether a command could not be queued, so that EXEC will do nothing.
    pub is_spoilt: bool,
}

/// A command in the queue.
#[derive(Debug)]
struct Queued {
    command: &'static Command,
    /// How many arguments it has, its name included.
    arguments: usize,
}

impl Queue {
    /// Adds a command. `flags` are those of the request: see [`CommandSpec::flags_in`].
    ///
    /// [`CommandSpec::flags_in`]: crate::command::spec::CommandSpec::flags_in
    pub fn push(&mut self, command: &'static Command, arguments: &[&[u8]], flags: CommandFlags) {
        self.flags = self.flags | flags;
        for argument in arguments {
            self.bytes.extend_from_slice(argument);
            self.ends.push(self.bytes.len());
        }
        self.commands.push(Queued {
            command,
            arguments: arguments.len(),
        });
    }

    /// How many commands there are.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Whether one of the commands has one of these flags.
    pub fn has(&self, flags: CommandFlags) -> bool {
        self.flags.has(flags)
    }

    /// Whether all of the commands have this flag.
    pub fn all_have(&self, flag: CommandFlags) -> bool {
        self.commands
            .iter()
            .all(|queued| queued.command.spec.has(flag))
    }

    /// The commands with how many arguments they have.
    pub fn commands(&self) -> impl Iterator<Item = (&'static Command, usize)> {
        self.commands
            .iter()
            .map(|queued| (queued.command, queued.arguments))
    }

    /// The arguments of all commands, one after the other.
    pub fn arguments(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, end)| &self.bytes[start..*end])
    }

    /// Bytes of all arguments.
    pub fn argument_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Memory held, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
            + self.ends.capacity() * size_of::<usize>()
            + self.commands.capacity() * size_of::<Queued>()
    }
}

/// The keys that a client watches: each with its database, and whether it had expired already when WATCH came. During
/// CLIENT PAUSE such keys are hidden rather than removed, and their removal later is no change.
#[derive(Debug, Default)]
pub struct Watched {
    keys: BTreeMap<(usize, Box<[u8]>), bool>,
    /// Bytes of all keys.
    key_bytes: usize,
}

impl Watched {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = Key<'_>> {
        let keys = self.keys.keys();
        keys.map(|(database, bytes)| Key::new(*database, bytes))
    }

    /// The keys that had not expired when WATCH came.
    pub fn existed(&self) -> impl Iterator<Item = Key<'_>> {
        let keys = self.keys.iter().filter(|(_, had_expired)| !**had_expired);
        keys.map(|((database, bytes), _)| Key::new(*database, bytes))
    }

    /// Adds a key; `false` if it is watched already.
    pub fn insert(&mut self, key: &Key<'_>, had_expired: bool) -> bool {
        match self.keys.entry((key.database(), key.bytes.into())) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(had_expired);
                self.key_bytes += key.bytes.len();
                true
            }
        }
    }

    /// Memory held, in bytes, about: what the tables of the shards say of the client is about as much as the names.
    pub fn memory_bytes(&self) -> usize {
        self.key_bytes + 2 * self.keys.len() * size_of::<((usize, Box<[u8]>), bool)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::COMMANDS;
    use crate::command::spec::{ADMIN, WRITE};

    #[test]
    fn a_queue_keeps_its_commands_in_order() {
        let requests: [&[&[u8]]; 4] = [
            &[b"PING"],
            &[b"SET", b"", b"v"],
            &[b"ECHO", b""],
            &[b"PING"],
        ];
        let mut queue = Queue::default();
        for request in requests {
            let command = COMMANDS.of_request(request).unwrap();
            queue.push(command, request, command.spec.flags);
        }
        let mut arguments = queue.arguments();
        let kept = queue.commands().map(|(command, count)| {
            let words: Vec<&[u8]> = arguments.by_ref().take(count).collect();
            assert_eq!(command.number, COMMANDS.of_request(&words).unwrap().number);
            words
        });
        assert!(kept.eq(requests));
        assert_eq!((queue.len(), queue.argument_bytes()), (4, 16));
        assert!(queue.has(WRITE) && !queue.has(ADMIN));
    }
}
