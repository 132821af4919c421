//! How a command waits for a key: what BLPOP and its kin have in common.
//!
//! A handler of the type [`Handler::Wait`](crate::command::spec::Handler::Wait) checks its arguments and says what it
//! waits for, its [`Wish`]. Under the locks of its keys, `serve_or_wait` serves it at once if one of them is there,
//! else puts the client into their queues ([`waiters`](crate::keyspace::waiters)). The connection then sleeps, and ends
//! the wait with [`Engine::end_wait`].

use super::Engine;
use crate::command::call::{Call, Then};
use crate::command::error::{CommandError, CommandResult};
use crate::command::session::ReplyMode;
use crate::keyspace::db::Db;
use crate::keyspace::waiters::SharedWaiter;
use crate::resp::reply::Reply;
use crate::state::clients::Client;
use crate::state::waiting::{Outcome, Wait, Waiting, Wish};
use crate::util::clock;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Serves the caller from the first of its keys that is there, or lets it wait for all of them; in a transaction it
/// does not wait.
pub(super) fn serve_or_wait(call: &mut Call, db: &mut Db, wish: Wish) -> CommandResult {
    let keys = match wish.destination {
        Some(_) => &call.keys[..1],
        None => call.keys,
    };
    if (wish.attempt)(db, keys, call.reply).map_err(CommandError::Other)? {
        return Ok(());
    }
    let session = &mut *call.session;
    if session.transaction.is_running {
        // No other client could fill the key meanwhile.
        (wish.not_waited)(call.reply);
        return Ok(());
    }
    let doorbell = session.doorbell()?;
    let wait = Arc::new(Wait::new(wish, keys, call.reply.protocol, doorbell));
    let waiter: SharedWaiter = wait.clone();
    call.then = Then::Wait(Waiting {
        wait,
        ticket: db.join_waiters(keys, &waiter),
        wants_reply: session.reply_mode == ReplyMode::On,
    });
    Ok(())
}

impl Engine {
    /// Takes a client, whose wait has ended, out of the queues of the keys, and writes its reply.
    pub fn end_wait(&self, waiting: Waiting, client: &Client, reply: &mut Reply) {
        let wait = &waiting.wait;
        let keys = wait.keys();
        let mut db = self
            .locks
            .write(self.locks.view(0, clock::unix_ms()), &keys);
        db.leave_waiters(&keys, waiting.ticket);
        drop(db);
        // Whatever ends the wait from now on comes too late.
        let outcome = std::mem::replace(&mut *wait.outcome(), Outcome::Gone);
        let mark = reply.undo_point();
        let mut fail = |text: &[u8]| {
            let command = client.last_command.load(Relaxed);
            let statistics = &self.statistics;
            statistics.count_error(client.id, Some(command), true, text);
            reply.error(text);
        };
        match outcome {
            Outcome::Served(served) => reply.append(served),
            Outcome::Failed(text) => fail(&text),
            Outcome::Unblocked => fail(&CommandError::Unblocked.text()),
            Outcome::TimedOut => (wait.wish.timed_out)(reply),
            Outcome::Pending | Outcome::Gone => {}
        }
        if !waiting.wants_reply {
            reply.undo_to(mark);
        }
    }
}
