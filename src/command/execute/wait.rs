//! How a command waits for a key: what BLPOP and its kin have in common.
//!
//! A handler of the type [`Handler::Wait`](crate::command::spec::Handler::Wait) checks its arguments and says what it
//! waits for, its [`Wish`]. Under the locks of its keys, `serve_or_wait` serves it at once if one of them is there,
//! else puts the client into their queues ([`waiters`](crate::keyspace::waiters)). The connection then sleeps, and ends
//! the wait with [`Engine::end_wait`].

use super::Engine;
use crate::command::COMMANDS;
use crate::command::acl::check::{self, Attempt};
use crate::command::call::{Call, Then};
use crate::command::error::{CommandError, CommandResult};
use crate::command::registry::Command;
use crate::command::session::{ReplyMode, Session};
use crate::command::spec::READONLY;
use crate::keyspace::db::Db;
use crate::keyspace::waiters::SharedWaiter;
use crate::resp::reply::Reply;
use crate::state::acl::Context;
use crate::state::change_log;
use crate::state::clients::Client;
use crate::state::tracking::Tracking;
use crate::state::waiting::{Outcome, Permit, Refusal, Wait, Waiting, Wish};
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
        match &wish.goal {
            Some(goal) => drop((goal.answer)(call.reply)),
            None => (wish.not_waited)(call.reply),
        }
        return Ok(());
    }
    let doorbell = session.doorbell()?;
    let protocol = call.reply.protocol;
    let command = call.commands.of_request(call.arguments)?;
    let permit = permit(session, command, call.arguments);
    let client = session.client.id;
    let wish = match session.tracks_reads() && call.spec.has(READONLY) {
        true => remembering(wish, client, call.server.tracking.clone()),
        false => wish,
    };
    let wait = Wait::new(client, wish, permit, keys, protocol, doorbell);
    let wait = Arc::new(wait);
    if let Some(goal) = &wait.wish.goal {
        call.server.progress.join(goal.clone(), &wait);
    }
    let waiter: SharedWaiter = wait.clone();
    call.then = Then::Wait(Waiting {
        wait,
        ticket: db.join_waiters(keys, &waiter),
        wants_reply: session.reply_mode == ReplyMode::On,
        demotions: call.server.replication.demotions(),
    });
    Ok(())
}

/// A wish of a client that tracks what it reads. It may be told of the change that serves it before it has the value,
/// and is forgotten with that: so it is remembered anew when it is served, under the same lock.
fn remembering(mut wish: Wish, client: u64, tracking: Arc<Tracking>) -> Wish {
    let attempt = wish.attempt;
    wish.attempt = Box::new(move |db, keys, reply| {
        let result = attempt(db, keys, reply);
        keys.iter()
            .for_each(|key| tracking.remember(client, key.bytes));
        result
    });
    wish
}

/// Asks again, before the client is served, whether its user may do this: the user may have changed meanwhile.
fn permit(session: &Session, command: &'static Command, arguments: &[&[u8]]) -> Permit {
    let account = session.account().clone();
    let arguments: Vec<Box<[u8]>> = arguments.iter().map(|&argument| argument.into()).collect();
    Box::new(move || {
        if account.may_do_all() {
            return Ok(());
        }
        let arguments: Vec<&[u8]> = arguments.iter().map(|argument| &**argument).collect();
        check::permits(&account.user(), command, &arguments).map_err(|denial| Refusal {
            denied: denial.denied(),
            object: denial.object(command, &arguments),
            text: CommandError::NoPermission(denial.reason(&account.name, command)).text(),
        })
    })
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
        let mut fail = |text: &[u8], has_run: bool| {
            let command = client.last_command.load(Relaxed);
            let statistics = &self.statistics;
            statistics.count_error(client.id, Some(command), has_run, text);
            reply.error(text);
        };
        match outcome {
            Outcome::Served(served) => {
                change_log::set_last_of_thread(self.append_only.end());
                reply.append(served);
            }
            Outcome::Failed(text) => fail(&text, true),
            Outcome::Refused(refusal) => {
                self.note_refusal(client, &refusal);
                fail(&refusal.text, false);
            }
            Outcome::Unblocked => fail(&CommandError::Unblocked.text(), true),
            Outcome::Demoted => {
                fail(&CommandError::Demoted.text(), true);
                client.closes_after_reply.store(true, Relaxed);
            }
            Outcome::TimedOut => match &wait.wish.goal {
                Some(goal) => drop((goal.answer)(reply)),
                None => (wait.wish.timed_out)(reply),
            },
            Outcome::Pending | Outcome::Gone => {}
        }
        if !waiting.wants_reply {
            reply.undo_to(mark);
        }
    }

    /// Notes for ACL LOG that a client was refused what it waited for.
    fn note_refusal(&self, client: &Client, refusal: &Refusal) {
        let attempt = Attempt {
            commands: &COMMANDS,
            server: self,
            client,
            account: &client.account(),
            context: Context::TopLevel,
        };
        attempt.note(
            refusal.denied,
            &attempt.account.name,
            refusal.object.clone(),
        );
    }
}
