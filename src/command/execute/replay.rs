//! Carries out commands of an append-only file: with the locks and the commit of any other command, but without
//! admission, replies, statistics and slow log.

use super::lock_in_hand::LockInHand;
use super::plan::Plan;
use super::{Engine, Executor, Request};
use crate::command::COMMANDS;
use crate::command::error::{CommandError, CommandResult};
use crate::command::session::Session;
use crate::command::spec::UNQUEUED;
use crate::resp::reply::Reply;
use crate::resp::request::LargeArguments;
use crate::state::acl::Account;
use crate::state::clients::Link;
use crate::util::clock::Stopwatch;
use std::io;
use std::sync::Arc;

/// Carries out commands one after the other, as a client without a connection.
pub struct Replayer<'a> {
    executor: Executor<'a>,
    session: Session,
    reply: Reply,
    large: LargeArguments,
}

/// A connection to nobody.
#[derive(Debug)]
struct NoLink;

impl Link for NoLink {
    fn close(&self) {}

    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }
}

impl<'a> Replayer<'a> {
    /// Replays into this server.
    pub fn new(engine: &'a Engine) -> Replayer<'a> {
        let account = Account::unrestricted();
        let client = engine.clients.unlisted(account.clone(), Arc::new(NoLink));
        let mut session = Session::new(engine, &client);
        session.log_in(account);
        session.is_replaying = true;
        Replayer {
            executor: Executor {
                engine,
                lock: LockInHand::default(),
                stopwatch: Stopwatch::start(),
            },
            session,
            reply: Reply::default(),
            large: LargeArguments::new(),
        }
    }

    /// Carries out a command, or puts it into the transaction that has begun. What it replies is dropped.
    ///
    /// # Errors
    /// There is no such command, or it has failed.
    pub fn run(&mut self, arguments: &[&[u8]]) -> CommandResult {
        let session = &mut self.session;
        let command = COMMANDS.of_request(arguments)?;
        if !command.spec.accepts(arguments.len()) {
            return Err(CommandError::WrongArity(command.full_name()));
        }
        if session.transaction.queue.is_some() && !command.spec.has(UNQUEUED) {
            let flags = command.spec.flags_in(self.executor.engine, arguments);
            session.enqueue(command, arguments, flags);
            return Ok(());
        }
        let plan = Plan::new(command, arguments, session.database);
        let request = Request {
            arguments,
            large: &self.large,
        };
        // A command that would wait for a key does not: nobody would fill it.
        session.transaction.is_running = true;
        let mark = self.reply.undo_point();
        let (result, then) = self.executor.run(session, &plan, request, &mut self.reply);
        self.reply.undo_to(mark);
        session.transaction.is_running = false;
        self.executor.follow(session, then);
        result
    }

    /// Drops a transaction that has begun and has not ended.
    pub fn discard_transaction(&mut self) {
        self.session.discard_queue();
    }

    /// Lets go of the lock that the last command has left to the next one.
    pub fn release(&mut self) {
        self.executor.release();
        self.executor.resume();
    }
}
