//! How a command waits for a key: what BLPOP and its kin have in common.
//!
//! A handler of the type [`Handler::Wait`](super::table::Handler::Wait) checks its arguments and says what it waits for, its
//! [`Wish`]. Under the locks of its keys, `serve_or_wait` serves it at once if one of them is there, else puts the client
//! into their queues ([`waiters`](crate::keyspace::waiters)). The connection then sleeps.

use super::call::{Call, ReplyMode};
use super::error::{CommandError, CommandResult};
use crate::keyspace::db::Db;
use crate::keyspace::waiters::{SharedWaiter, Ticket};
use crate::resp::reply::Reply;
use crate::state::Server;
use crate::state::clients::Client;
use crate::state::waiting::{Outcome, Wait, Wish};
use crate::util::clock;
use crate::util::long_double::LongDouble;
use crate::util::number;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// A client that stands in the queues of some keys.
#[derive(Debug)]
pub struct Waiting {
    /// What it waits for.
    pub wait: Arc<Wait>,
    ticket: Ticket,
    wants_reply: bool,
}

/// Serves the caller from the first of its keys that is there, or lets it wait for all of them; in a transaction it does not
/// wait.
pub(super) fn serve_or_wait(call: &mut Call, db: &mut Db, wish: Wish) -> CommandResult {
    let keys = match wish.destination {
        Some(_) => &call.keys[..1],
        None => call.keys,
    };
    if (wish.attempt)(db, keys, call.reply).map_err(CommandError::Other)? {
        return Ok(());
    }
    let session = &mut *call.session;
    if session.is_in_exec {
        // No other client could fill the key meanwhile.
        (wish.not_waited)(call.reply);
        return Ok(());
    }
    let doorbell = session.doorbell()?;
    let wait = Arc::new(Wait::new(wish, keys, call.reply.protocol, doorbell));
    let waiter: SharedWaiter = wait.clone();
    session.waiting = Some(Waiting {
        wait,
        ticket: db.join_waiters(keys, &waiter),
        wants_reply: session.reply_mode == ReplyMode::On,
    });
    Ok(())
}

impl Waiting {
    /// Takes the client, whose wait has ended, out of the queues, and writes its reply.
    pub fn finish(self, server: &Server, client: &Client, reply: &mut Reply) {
        let wait = &self.wait;
        super::dispatch::leave_waiters(server, wait.database, &wait.keys(), self.ticket);
        // Whatever ends the wait from now on comes too late.
        let outcome = std::mem::replace(&mut *self.wait.outcome(), Outcome::Gone);
        let mark = reply.mark();
        let mut fail = |text: &[u8]| {
            let command = client.last_command.load(Relaxed);
            let statistics = &server.statistics;
            statistics.note_error(client.id, Some(command), true, text);
            reply.error(text);
        };
        match outcome {
            Outcome::Served(served) => reply.append(served),
            Outcome::Failed(text) => fail(&text),
            Outcome::Unblocked => fail(&CommandError::Unblocked.text()),
            Outcome::TimedOut => (self.wait.wish.timed_out)(reply),
            Outcome::Pending | Outcome::Gone => {}
        }
        if !self.wants_reply {
            reply.take_back(mark);
        }
    }
}

/// The timeout of a call: when to give up, or never if it is 0. Seconds, with a fraction.
pub(super) fn timeout(call: &Call, index: usize) -> Result<Option<Instant>, CommandError> {
    let seconds = LongDouble::parse(call.argument(index)).ok_or(CommandError::TimeoutNotAFloat)?;
    until(seconds.ceil_thousandths())
}

/// When a call is to give up, or never if the argument is 0: whole milliseconds.
pub(super) fn timeout_ms(call: &Call, index: usize) -> Result<Option<Instant>, CommandError> {
    until(parse_timeout_ms(call, index)?)
}

/// The timeout of a call in whole milliseconds, 0 or more.
pub(super) fn parse_timeout_ms(call: &Call, index: usize) -> Result<i64, CommandError> {
    let ms = number::parse_i64(call.argument(index)).ok_or(CommandError::TimeoutNotAnInteger)?;
    check_timeout_ms(ms)?;
    Ok(ms)
}

fn until(ms: i64) -> Result<Option<Instant>, CommandError> {
    check_timeout_ms(ms)?;
    // A moment that the clock cannot tell never comes.
    let until = Instant::now().checked_add(Duration::from_millis(ms as u64));
    Ok(until.filter(|_| ms > 0))
}

fn check_timeout_ms(ms: i64) -> CommandResult {
    if ms < 0 {
        return Err(CommandError::TimeoutNegative);
    }
    if ms > 0 && ms.checked_add(clock::unix_ms()).is_none() {
        return Err(CommandError::TimeoutOutOfRange);
    }
    Ok(())
}
