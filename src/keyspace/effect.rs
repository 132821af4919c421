//! The effect of a command: what is to be replayed so that another keyspace comes to hold what this one holds now. An
//! append-only file and replicas are made of effects.
//!
//! Most commands are replayed as they came. Those whose outcome depends on chance, on the clock or on what other
//! clients wait for say what they came to: see [`Db::replay_as`](super::db::Db::replay_as).

use crate::resp::request_writer::write_command;
use std::fmt::Debug;
use std::ops::Range;

/// Commands to be replayed, in order, each in its database. They are kept as they go over the wire: RESP arrays of bulk
/// strings.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    bytes: Vec<u8>,
    commands: Vec<Effect>,
    /// Whether they come from a transaction, or from one command that became several.
    belong_together: bool,
}

#[derive(Clone, Debug)]
struct Effect {
    database: usize,
    bytes: Range<usize>,
}

/// Hears of all effects, in the order in which they became visible.
pub trait Journal: Debug + Send + Sync {
    /// Takes note of the effects of one command, or of one transaction. Called under the locks of the command, hence in
    /// the order of the changes of each shard: it must neither wait nor do input or output.
    fn append(&self, effects: &Effects);

    /// Takes note of a command that is to be replayed as it came: what most effects are. Called as that.
    fn append_command(&self, database: usize, arguments: &[&[u8]]);

    /// The same for a command that has changed nothing, and that replicas are to carry out too: PUBLISH. Called with or
    /// without locks.
    fn append_for_replicas(&self, database: usize, arguments: &[&[u8]]);

    /// Divides what it has taken note of from what comes; returns the number of the place. Called with the locks of
    /// all shards.
    fn divide(&self) -> u64;
}

impl Effects {
    /// Adds a command.
    pub fn push(&mut self, database: usize, arguments: &[&[u8]]) {
        let start = self.bytes.len();
        write_command(&mut self.bytes, arguments).expect("a Vec takes everything");
        self.commands.push(Effect {
            database,
            bytes: start..self.bytes.len(),
        });
    }

    /// Adds all commands of `others`.
    pub(super) fn append(&mut self, others: &Effects) {
        for (database, bytes) in others.iter() {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(bytes);
            self.commands.push(Effect {
                database,
                bytes: start..self.bytes.len(),
            });
        }
    }

    /// The commands, each with its database.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (usize, &[u8])> {
        let commands = self.commands.iter();
        commands.map(|effect| (effect.database, &self.bytes[effect.bytes.clone()]))
    }

    /// Whether they are to be replayed as one, between MULTI and EXEC.
    pub fn is_transaction(&self) -> bool {
        self.belong_together && self.len() > 1
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Says that they are to be replayed as one.
    pub fn join(&mut self) {
        self.belong_together = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_are_kept_as_they_go_over_the_wire() {
        let mut effects = Effects::default();
        effects.push(0, &[b"DEL", b""]);
        let mut all = Effects::default();
        all.push(3, &[b"SET", b"k", b"0123456789"]);
        all.append(&effects);
        let all: Vec<(usize, &[u8])> = all.iter().collect();
        let set = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$10\r\n0123456789\r\n";
        assert_eq!(all, [(3, &set[..]), (0, b"*2\r\n$3\r\nDEL\r\n$0\r\n\r\n")]);
    }
}
