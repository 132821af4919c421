//! Carries out commands of an append-only file: with the locks and the commit of any other command, but without
//! admission, replies, statistics and slow log.

use super::lock_in_hand::Manner;
use super::plan::{Body, Plan};
use super::{Engine, Executor, Request};
use crate::command::COMMANDS;
use crate::command::call::database_number;
use crate::command::error::{CommandError, CommandResult};
use crate::command::session::Session;
use crate::command::spec::{ADMIN, SELECTS, UNQUEUED, WRITE};
use crate::resp::decoder::{self, Value};
use crate::resp::reply::Reply;
use crate::resp::request::LargeArguments;
use crate::state::acl::Account;
use crate::state::clients::NoLink;
use crate::util::clock::Stopwatch;
use std::sync::Arc;

/// Carries out commands one after the other, as a client without a connection.
pub struct Replayer<'a> {
    executor: Executor<'a>,
    session: Session,
    reply: Reply,
    large: LargeArguments,
}

/// The first error in the reply to EXEC.
fn first_error(reply: Vec<u8>) -> Option<Vec<u8>> {
    match decoder::decode(&reply) {
        Ok(Some((Value::Array(replies), _))) => replies.into_iter().find_map(|reply| match reply {
            Value::Error(text) => Some(text),
            _ => None,
        }),
        _ => None,
    }
}

impl<'a> Replayer<'a> {
    /// Replays into this server. This database is selected at first.
    pub fn new(engine: &'a Engine, database: usize) -> Replayer<'a> {
        let account = Account::unrestricted();
        let client = engine.clients.unlisted(account.clone(), Arc::new(NoLink));
        let mut session = Session::new(engine, &client);
        session.log_in(account);
        session.is_replaying = true;
        session.database = database;
        Replayer {
            executor: Executor::new(engine, Stopwatch::start()),
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
        if command.spec.has(ADMIN) && !command.spec.has(WRITE) {
            // Neither a file nor a primary has such a command. Some would wait for this thread: SAVE, REPLICAOF.
            let text = format!("'{}' cannot be replayed", command.full_name());
            return Err(CommandError::err(text));
        }
        if command.spec.has(SELECTS) {
            // In a transaction too: else the commands that follow would run in another database.
            let databases = self.executor.engine.keyspace.databases();
            database_number(arguments[1], databases).ok_or(CommandError::DatabaseOutOfRange)?;
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
        // A blocking command answers at once, as in a transaction: no other client could fill its key.
        session.transaction.is_running = true;
        let mark = self.reply.undo_point();
        let (result, then) =
            self.executor
                .run(session, &plan, request, &mut self.reply, Manner::Waiting);
        session.transaction.is_running = false;
        self.executor.follow(session, then);
        let error = match matches!(plan.body, Body::Exec) {
            true => first_error(self.reply.take_bytes()),
            false => None,
        };
        self.reply.undo_to(mark);
        match error {
            Some(text) => result.and(Err(CommandError::Other(text))),
            None => result,
        }
    }

    /// The database that is selected.
    pub fn database(&self) -> usize {
        self.session.database
    }

    /// Whether a transaction has begun and has not ended.
    pub fn is_in_transaction(&self) -> bool {
        self.session.transaction.queue.is_some()
    }

    /// Drops a transaction that has begun and has not ended.
    pub fn discard_transaction(&mut self) {
        self.session.discard_queue();
    }

    /// Looks at the clock: after the thread has waited for commands.
    pub fn resume(&mut self) {
        self.executor.resume();
    }

    /// Lets go of the lock that the last command has left to the next one. It does no errands of clients: they would
    /// hold up the stream.
    pub fn release(&mut self) {
        self.executor.lock.release();
        self.executor.resume();
    }
}
