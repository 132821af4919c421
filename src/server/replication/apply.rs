//! Carries out the stream of a primary, and hands it on to this server's own replicas, as it came.

use crate::command::error::CommandError;
use crate::command::execute::Engine;
use crate::command::execute::replay::Replayer;
use crate::resp::request::{RequestLimits, RequestParser};
use crate::state::append_only::Mode;
use std::io;
use std::sync::atomic::Ordering::Relaxed;

/// Commands that give an error and are named in the log, for each connection.
const NAMED_FAILURES: u64 = 10;
/// The longest argument: as in Redis, a primary may send any.
const ANY_LENGTH: usize = i64::MAX as usize;

/// What carries out the stream that comes over one connection.
pub struct Applier<'a> {
    engine: &'a Engine,
    /// The number of the link's target.
    number: u64,
    replayer: Replayer<'a>,
    parser: RequestParser,
    /// Bytes of the stream that have not been carried out: the rest of a command, or of a transaction.
    pending: Vec<u8>,
    /// Of these, the bytes of whole commands.
    parsed: usize,
    failures: u64,
    /// An offset of the stream, and the number of the change log that belongs to it.
    written: Option<(u64, u64)>,
    /// The last offset that is known to be on the disk.
    on_disk: u64,
}

impl<'a> Applier<'a> {
    /// For the connection to the link's target of this number.
    pub fn new(engine: &'a Engine, number: u64) -> Applier<'a> {
        Applier {
            engine,
            number,
            replayer: Replayer::new(engine, engine.replication.selected.load(Relaxed)),
            parser: RequestParser::default(),
            pending: Vec::new(),
            parsed: 0,
            failures: 0,
            written: None,
            on_disk: 0,
        }
    }

    /// Carries out the commands that these bytes complete. Returns whether the primary wants an acknowledgement.
    ///
    /// # Errors
    /// The bytes are no commands, or another primary has been set.
    pub fn apply(&mut self, bytes: &[u8]) -> io::Result<bool> {
        self.pending.extend_from_slice(bytes);
        let replication = &self.engine.replication;
        let _applying = replication.applying();
        if !replication.link.is_current(self.number) {
            return Err(io::Error::other("another master has been set"));
        }
        self.replayer.resume();
        let mut wants_ack = false;
        // All commands before this place have been carried out, and none is part of a transaction that is not whole.
        let mut done = 0;
        let result = loop {
            let limits = RequestLimits {
                argument_bytes: ANY_LENGTH,
                is_unauthenticated: false,
            };
            let rest = &self.pending[self.parsed..];
            let len = match self.parser.parse(rest, limits) {
                Ok(Some(len)) => len,
                Ok(None) => break Ok(()),
                Err(error) => {
                    let text = String::from_utf8_lossy(&error.text()).into_owned();
                    break Err(io::Error::other(format!(
                        "Protocol error from master: {text}"
                    )));
                }
            };
            let arguments = self.parser.arguments(&rest[..len]);
            if !arguments.is_empty() {
                match run(
                    &mut self.replayer,
                    &arguments,
                    self.engine,
                    &mut self.failures,
                ) {
                    Ok(asks) => wants_ack |= asks,
                    Err(error) => break Err(error),
                }
            }
            self.parsed += len;
            if !self.replayer.is_in_transaction() {
                done = self.parsed;
            }
        };
        self.replayer.release();
        // To the clients of this server that listen, and to those that track what has changed.
        self.engine.deliver_pushes();
        if done > 0 {
            let unread = replication.backlog.append(&self.pending[..done]);
            self.engine.limit_replicas_if_over(unread);
            let database = self.replayer.database();
            replication.selected.store(database, Relaxed);
            self.pending.drain(..done);
            self.parsed -= done;
        }
        result.map(|()| wants_ack)
    }

    /// The offset up to which the effects are on the disk; `None` without an append-only file.
    pub fn on_disk(&mut self) -> Option<u64> {
        let state = &self.engine.append_only;
        if state.mode() == Mode::Off {
            return None;
        }
        if let Some((offset, _)) = self
            .written
            .take_if(|(_, number)| state.durability.has(*number))
        {
            self.on_disk = offset;
        }
        let replication = &self.engine.replication;
        let place = || (replication.backlog.end(), state.end());
        self.written.get_or_insert_with(place);
        Some(self.on_disk)
    }
}

/// Carries out a command. Returns whether it asks for an acknowledgement.
///
/// # Errors
/// It selects a database that this server does not have: what follows must not be carried out in another one.
fn run(
    replayer: &mut Replayer<'_>,
    arguments: &[&[u8]],
    engine: &Engine,
    failures: &mut u64,
) -> io::Result<bool> {
    if arguments[0].eq_ignore_ascii_case(b"REPLCONF") {
        let word = arguments.get(1);
        return Ok(word.is_some_and(|word| word.eq_ignore_ascii_case(b"GETACK")));
    }
    if let Err(error) = replayer.run(arguments) {
        if matches!(error, CommandError::DatabaseOutOfRange) {
            return Err(io::Error::other(
                "the master has keys in a database that this server does not have: start it with more --databases",
            ));
        }
        *failures += 1;
        engine.replication.failures.fetch_add(1, Relaxed);
        if *failures <= NAMED_FAILURES {
            warn(engine, arguments, &error);
        }
    }
    Ok(false)
}

fn warn(engine: &Engine, arguments: &[&[u8]], error: &CommandError) {
    engine.log.warning(format_args!(
        "== CRITICAL == This replica has got an error from a command of its master: '{error}' after processing the \
         command '{}'",
        String::from_utf8_lossy(arguments[0])
    ));
}
