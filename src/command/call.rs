//! One call of a command: its arguments, its reply, and who called.

use super::error::CommandError;
use super::replication::SyncOptions;
use super::table::CommandSpec;
use super::transaction::{Queue, Watched};
use super::waiting::Waiting;
use crate::keyspace::space::Key;
use crate::resp::reply::Reply;
use crate::resp::request::LargeArguments;
use crate::state::Server;
use crate::state::clients::Client;
use crate::state::monitors::Monitoring;
use crate::state::pubsub::Subscriptions;
use crate::util::doorbell::Doorbell;
use crate::util::number;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
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
    /// Who called.
    pub session: &'a mut Session,
    /// Everything else.
    pub server: &'a Server,
    /// Unix time in milliseconds; the same for the whole call.
    pub now_ms: i64,
}

/// What the server remembers of a client for its own thread alone.
#[derive(Debug)]
pub struct Session {
    /// What others see of it.
    pub client: Arc<Client>,
    /// The selected database.
    pub database: usize,
    /// Which replies the client wants.
    pub reply_mode: ReplyMode,
    /// What dump it would want.
    pub sync: SyncOptions,
    /// Whether it is to get that dump now, as the last thing on this connection.
    pub awaits_dump: bool,
    /// What it waits for from now on, if the last command waits.
    pub waiting: Option<Waiting>,
    /// Whether the last command did not run, since CLIENT PAUSE makes it wait.
    pub is_postponed: bool,
    /// What it has subscribed to.
    pub subscriptions: Subscriptions,
    /// Lets it look on while others work.
    pub monitoring: Option<Monitoring>,
    /// The commands since MULTI, if it is in a transaction.
    pub queue: Option<Box<Queue>>,
    /// Whether they are being carried out.
    pub is_in_exec: bool,
    /// The keys it watches.
    pub watched: Watched,
    /// Whether a save is to begin when the transaction has ended.
    pub begins_save: bool,
    /// The arguments of the present request that have memory of their own.
    pub large_arguments: LargeArguments,
    doorbell: Option<Arc<Doorbell>>,
}

impl Session {
    /// A client that has just connected.
    pub fn new(server: &Server, client: &Arc<Client>) -> Session {
        Session {
            client: client.clone(),
            database: 0,
            reply_mode: ReplyMode::On,
            sync: SyncOptions::default(),
            awaits_dump: false,
            waiting: None,
            is_postponed: false,
            subscriptions: Subscriptions::new(server.pubsub.clone(), client.clone()),
            monitoring: None,
            queue: None,
            is_in_exec: false,
            watched: Watched::default(),
            begins_save: false,
            large_arguments: LargeArguments::new(),
            doorbell: None,
        }
    }

    /// Whether other threads may have something to tell the client.
    pub fn listens(&self) -> bool {
        !self.subscriptions.is_empty() || self.monitoring.is_some()
    }

    /// Whether it may give few commands only: in RESP2, whoever has subscribed to something cannot tell replies from messages.
    pub fn is_restricted(&self) -> bool {
        !self.subscriptions.is_empty() && self.client.protocol.load(Relaxed) == 2
    }

    /// What wakes the client's thread when it sleeps for other threads; made when it is first needed.
    ///
    /// # Errors
    /// The process has too many files open.
    pub fn doorbell(&mut self) -> Result<Arc<Doorbell>, CommandError> {
        if self.doorbell.is_none() {
            let new = Doorbell::new().map(Arc::new);
            let new = new.map_err(|error| CommandError::err(format!("cannot wait: {error}")))?;
            self.client.outbox.open(new.clone());
            self.doorbell = Some(new);
        }
        Ok(self.doorbell.clone().expect("it was just made"))
    }
}

/// CLIENT REPLY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyMode {
    /// All of them.
    On,
    /// None.
    Off,
    /// None to this command (CLIENT REPLY SKIP itself) and none to the next.
    SkipNext,
    /// None to this command.
    Skip,
}

impl<'a> Call<'a> {
    /// The argument at `index`, the command's name being 0. The arity says which are there.
    pub fn argument(&self, index: usize) -> &'a [u8] {
        self.arguments[index]
    }

    /// The argument at `index` as memory that can be shared, if it is large enough to have been received into such.
    pub fn shared_argument(&self, index: usize) -> Option<&Shared<Vec<u8>>> {
        let large = &self.session.large_arguments;
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
        match range.contains(&number) {
            true => Ok(number),
            false => Err(CommandError::NotBetween(*range.start(), *range.end())),
        }
    }

    /// An argument that is to be a count, 0 or more, with the error text that most commands have.
    pub fn count(&self, index: usize) -> Result<usize, CommandError> {
        let number = number::parse_i64(self.arguments[index]);
        number
            .and_then(|number| usize::try_from(number).ok())
            .ok_or(CommandError::NotPositive)
    }

    /// Refuses to draw elements of which the same may come several times, if the reply could not be a string's size. Redis
    /// would go on until its memory is gone.
    pub fn check_drawn(&self, count: usize) -> Result<(), CommandError> {
        const LEAST_BYTES: usize = 6;
        let most = self.server.config.proto_max_bulk_len.get() as usize / LEAST_BYTES;
        match count <= most {
            true => Ok(()),
            false => Err(CommandError::OutOfRange),
        }
    }

    /// An argument that is to be the number of a database.
    pub fn database(&self, index: usize) -> Result<usize, CommandError> {
        self.integer_in(index, i32::MIN.into()..=i32::MAX.into())?;
        database_number(self.argument(index), self.server.keyspace.databases())
            .ok_or(CommandError::DatabaseOutOfRange)
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

    /// Of a command that pops from the first of several keys, which are counted at `index`: from which end, as `end` knows the
    /// word behind the keys, and how many to pop. LMPOP, ZMPOP and their waiting forms.
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

    /// Puts what other threads have told the client before its reply, since the command ends its listening. Within a transaction, messages
    /// wait for the end: they are none of its replies, which the client counts.
    pub fn hear_out(&mut self) {
        if !self.session.is_in_exec {
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

/// The database, of so many, that an argument names.
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
