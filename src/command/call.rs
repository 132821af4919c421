//! One call of a command: its arguments, its reply, and who called.

use super::error::CommandError;
use super::registry::Registry;
use super::session::Session;
use super::spec::{CommandSpec, WRITE};
use crate::keyspace::space::{Key, Place};
use crate::resp::reply::Reply;
use crate::resp::request::LargeArguments;
use crate::state::Server;
use crate::state::replication::backlog::BacklogReader;
use crate::state::replication::link::Address;
use crate::state::waiting::Waiting;
use crate::util::number;
use std::ops::RangeInclusive;
use triomphe::Arc as Shared;

/// What a handler has to work with.
pub struct Call<'a> {
    /// The arguments, the command's name first.
    pub arguments: &'a [&'a [u8]],
    /// The keys among them, as the command's entry in the table declares them.
    pub keys: &'a [Key<'a>],
    /// The command's entry in the table.
    pub spec: &'static CommandSpec,
    /// Where the reply goes.
    pub reply: &'a mut Reply,
    /// The client that called.
    pub session: &'a mut Session,
    /// Everything else.
    pub server: &'a Server,
    /// All commands.
    pub commands: &'static Registry,
    /// The arguments that were received into memory of their own.
    pub large: &'a LargeArguments,
    /// Unix time in milliseconds; it stands still during the call.
    pub now_ms: i64,
    /// The [epoch](crate::state::epoch) in which the command was admitted.
    pub epoch: u64,
    /// What is to be done when the handler has returned.
    pub then: Then,
}

/// What a handler leaves to be done when it has returned, because it takes locks or is up to the connection.
#[derive(Debug, Default)]
pub enum Then {
    /// Nothing.
    #[default]
    Nothing,
    /// The client watches no key any more.
    Unwatch,
    /// A save begins; of a transaction, at its end.
    BeginSave,
    /// What commands are admitted by has changed, so a new [epoch](crate::state::epoch) begins. What has got its locks
    /// before comes to its end, and then the client gets the reply. Of a transaction, at its end.
    Settle,
    /// The connection sends the dump, as the last thing.
    SendDump,
    /// The client is a replica from now on: PSYNC.
    Synchronize(SyncStart),
    /// The server becomes a replica of this primary, or a primary: REPLICAOF. Of a transaction, at its end.
    Follow(Option<Address>),
    /// The connection loads the append-only file anew, and answers: DEBUG LOADAOF.
    LoadAppendOnly,
    /// The connection sleeps until the client has been served.
    Wait(Waiting),
    /// The command did not run, since CLIENT PAUSE makes it wait, or the disk of the append-only file is too slow; the
    /// connection gives it again when that is over.
    Retry,
    /// The command did not run, since by now it would not be admitted, or not yet; the connection gives it again at
    /// once: see [`epoch`](crate::state::epoch).
    Readmit,
    /// The command did not run, since another thread has the lock of this place; the connection may
    /// [hand it over](super::execute::Executor::hand_over).
    HandOver(Place),
}

/// How the synchronisation of a replica begins.
#[derive(Debug)]
pub enum SyncStart {
    /// It is sent what it lacks, after this line.
    Partial {
        /// What it lacks.
        reader: BacklogReader,
        /// The line.
        reply: String,
    },
    /// It is sent everything.
    Full(SyncManner),
}

/// How a replica wants a snapshot.
#[derive(Clone, Copy, Debug)]
pub struct SyncManner {
    /// It has said PSYNC, not SYNC: so it is told the place in the stream.
    pub knows_psync: bool,
    /// It finds the end by a mark.
    pub knows_eof_mark: bool,
}

impl<'a> Call<'a> {
    /// The argument at `index`, the command's name being 0. The arity says which are there.
    pub fn argument(&self, index: usize) -> &'a [u8] {
        self.arguments[index]
    }

    /// The argument at `index` as memory that can be shared, if it is large enough to have been received into such.
    pub fn shared_argument(&self, index: usize) -> Option<&Shared<Vec<u8>>> {
        let large = self.large;
        let found = large.binary_search_by_key(&index, |(place, _)| *place);
        found.ok().map(|found| &large[found].1)
    }

    /// The first key.
    pub fn key(&self) -> Key<'a> {
        self.keys[0]
    }

    /// An argument that is to be an integer.
    pub fn integer(&self, index: usize) -> Result<i64, CommandError> {
        number::parse_i64(self.arguments[index]).ok_or(CommandError::NotAnInteger)
    }

    /// An argument that is to be an integer in this range.
    pub fn integer_in(
        &self,
        index: usize,
        range: RangeInclusive<i64>,
    ) -> Result<i64, CommandError> {
        let number = self.integer(index)?;
        if !range.contains(&number) {
            return Err(CommandError::NotBetween(*range.start(), *range.end()));
        }
        Ok(number)
    }

    /// An argument that is to be a count, 0 or more, with the error text that most commands have.
    pub fn count(&self, index: usize) -> Result<usize, CommandError> {
        let number = number::parse_i64(self.arguments[index]);
        number
            .and_then(|number| usize::try_from(number).ok())
            .ok_or(CommandError::NotPositive)
    }

    /// Refuses to draw this many elements with repetition, if the reply could be larger than a string may be.
    /// Redis would go on until its memory is gone.
    pub fn check_drawn(&self, count: usize) -> Result<(), CommandError> {
        const LEAST_BYTES: usize = 6;
        let most = self.server.config.proto_max_bulk_len.get() as usize / LEAST_BYTES;
        if count > most {
            return Err(CommandError::OutOfRange);
        }
        Ok(())
    }

    /// An argument that is to be the number of a database.
    pub fn database(&self, index: usize) -> Result<usize, CommandError> {
        self.integer_in(index, i32::MIN.into()..=i32::MAX.into())?;
        database_number(self.argument(index), self.server.keyspace.databases())
            .ok_or(CommandError::DatabaseOutOfRange)
    }

    /// Whether the server has become a replica since the command was admitted, and refuses it now. Asked under what
    /// keeps the role as it is: the lock of a shard, or of the libraries of functions.
    #[inline]
    pub fn is_refused_by_replica(&self) -> bool {
        self.server.replication.is_replica() && self.is_refused_write()
    }

    #[cold]
    fn is_refused_write(&self) -> bool {
        let is_read_only = self.server.config.replica_read_only.get();
        is_read_only && self.spec.has(WRITE) && !self.session.is_replaying
    }

    /// Whether the argument at `index` is this word, in any case.
    pub fn is_word(&self, index: usize, word: &str) -> bool {
        self.arguments[index].eq_ignore_ascii_case(word.as_bytes())
    }

    /// An argument in capitals, to be compared with words; one that is longer than any word is never equal to one.
    pub fn word(&self, index: usize) -> String {
        String::from_utf8_lossy(self.arguments[index]).to_ascii_uppercase()
    }

    /// An argument that is to be 1 or more, with the error text of commands that name it.
    pub fn positive(&self, index: usize, name: &str) -> Result<usize, CommandError> {
        let number = number::parse_i64(self.argument(index)).filter(|number| *number > 0);
        let number = number.and_then(|number| usize::try_from(number).ok());
        number.ok_or_else(|| CommandError::err(format!("{name} should be greater than 0")))
    }

    /// Of a command that pops from the first of several keys, which are counted at `index`: from which end, as `end`
    /// knows the word behind the keys, and how many to pop. LMPOP, ZMPOP and their waiting forms.
    pub fn pop_options<E>(
        &self,
        index: usize,
        end: impl FnOnce(&Call, usize) -> Result<E, CommandError>,
    ) -> Result<(E, usize), CommandError> {
        let index = self
            .positive(index, "numkeys")?
            .checked_add(index + 1)
            .filter(|index| *index < self.arguments.len())
            .ok_or(CommandError::Syntax)?;
        let end = end(self, index)?;
        match self.arguments.len() - index {
            1 => Ok((end, 1)),
            3 if self.is_word(index + 1, "COUNT") => Ok((end, self.positive(index + 2, "count")?)),
            _ => Err(CommandError::Syntax),
        }
    }

    /// Puts the messages of other threads before the client's reply, since the command ends its subscriptions. Within a
    /// transaction, messages wait for the end: they are none of its replies, which the client counts.
    pub fn hear_out(&mut self) {
        if !self.session.transaction.is_running {
            self.session.client.outbox.take_all_into(self.reply);
        }
    }

    /// The texts of a HELP subcommand.
    pub fn help(&mut self, lines: &[&str]) {
        let name = String::from_utf8_lossy(self.arguments[0]).to_ascii_uppercase();
        self.reply.array(lines.len() + 3);
        self.reply.simple(&format!(
            "{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"
        ));
        lines.iter().for_each(|line| self.reply.simple(line));
        self.reply.simple("HELP");
        self.reply.simple("    Print this help.");
    }
}

/// The number of a database that an argument names, if it is below `databases`.
pub fn database_number(argument: &[u8], databases: usize) -> Option<usize> {
    let number = number::parse_i64(argument)?;
    let number = usize::try_from(number).ok();
    number.filter(|number| *number < databases)
}

/// The half-open range of positions that `start` and `stop`, inclusive and negative from the end, mean in a sequence of
/// `len`: LRANGE, GETRANGE and the like. Empty if there is nothing in it.
pub fn clamp_range(start: i64, stop: i64, len: usize) -> std::ops::Range<usize> {
    let len = len as i64;
    let from_end = |index: i64| {
        if index < 0 {
            index.saturating_add(len)
        } else {
            index
        }
    };
    let start = from_end(start).max(0);
    let stop = from_end(stop).min(len - 1);
    if start > stop {
        0..0
    } else {
        start as usize..stop as usize + 1
    }
}
