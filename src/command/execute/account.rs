//! What is noted about a call: its error, its cost, and the line for the monitors. And whether its client wants the
//! reply at all (CLIENT REPLY).

use super::plan::{Body, Plan};
use crate::command::admin::{latency, monitor, slowlog};
use crate::command::error::{CommandError, CommandResult};
use crate::command::registry::Command;
use crate::command::session::{ReplyMode, Session};
use crate::command::spec::{PUBSUB, WHILE_SUBSCRIBED};
use crate::resp::reply::{Reply, UndoPoint};
use crate::state::Server;

/// The account of one call; knows where its reply begins.
#[derive(Clone, Copy)]
pub(super) struct Account {
    mark: UndoPoint,
}

impl Account {
    /// Before the call writes anything.
    pub(super) fn begin(reply: &Reply) -> Account {
        Account {
            mark: reply.undo_point(),
        }
    }

    /// Answers the error of a command that has failed, and shows the command to the monitors.
    #[inline]
    pub(super) fn conclude(
        self,
        server: &Server,
        session: &Session,
        command: &Command,
        arguments: &[&[u8]],
        reply: &mut Reply,
        result: &CommandResult,
    ) {
        if let Err(error) = result {
            self.answer_instead(server, session, command, reply, error, true);
        }
        monitor::show(server, session, command.spec, arguments);
    }

    /// Answers this error instead of what the call has written; the call counts as failed if it has run, else as
    /// rejected.
    #[cold]
    pub(super) fn answer_instead(
        self,
        server: &Server,
        session: &Session,
        command: &Command,
        reply: &mut Reply,
        error: &CommandError,
        has_run: bool,
    ) {
        self.take_back(reply);
        answer_error(server, session, reply, error, Some(command.number), has_run);
    }

    /// Ends a request whose command ran: drops the reply if the client does not want it. What a transaction answers has
    /// been dropped command by command, and what a command says of subscriptions is no reply.
    #[inline]
    pub(super) fn end_call(
        self,
        session: &mut Session,
        plan: &Plan,
        has_run: bool,
        reply: &mut Reply,
    ) {
        if session.reply_mode == ReplyMode::On {
            return;
        }
        let is_transaction = matches!(plan.body, Body::Exec) && has_run;
        if is_transaction || is_about_subscriptions(plan.command) {
            Account::begin(reply).end_request(session, reply);
        } else {
            self.end_request(session, reply);
        }
    }

    /// Ends a request: drops the reply if the client does not want it.
    pub(super) fn end_request(self, session: &mut Session, reply: &mut Reply) {
        self.drop_unheard(session, reply);
        session.reply_mode = match session.reply_mode {
            ReplyMode::SkipNext => ReplyMode::Skip,
            ReplyMode::Skip => ReplyMode::On,
            mode => mode,
        };
    }

    /// Takes back what the call has written, if the client does not want it.
    pub(super) fn drop_unheard(self, session: &Session, reply: &mut Reply) {
        if matches!(session.reply_mode, ReplyMode::Off | ReplyMode::Skip) {
            self.take_back(reply);
        }
    }

    /// Takes back what the call has written.
    pub(super) fn take_back(self, reply: &mut Reply) {
        reply.undo_to(self.mark);
    }
}

/// The error, with the kind of the script that is busy: the lock does not know it.
pub(super) fn with_kind(server: &Server, error: CommandError) -> CommandError {
    match error {
        CommandError::Busy(kind) => {
            let script = server.scripts.busy.first(None);
            CommandError::Busy(script.map_or(kind, |script| script.kind))
        }
        error => error,
    }
}

/// Logs a call if it was slow.
#[inline]
pub(super) fn note_duration(
    server: &Server,
    session: &Session,
    command: &Command,
    arguments: &[&[u8]],
    duration_ns: u64,
) {
    latency::note(server, command.spec, duration_ns);
    slowlog::note(server, session, command.spec, arguments, duration_ns);
}

/// Answers an error and counts it, as one of `command` if that is known, and of a call if it has run.
pub(super) fn answer_error(
    server: &Server,
    session: &Session,
    reply: &mut Reply,
    error: &CommandError,
    command: Option<usize>,
    has_run: bool,
) {
    let text = error.text();
    server
        .statistics
        .count_error(session.client.id, command, has_run, &text);
    reply.error(&text);
}

/// Whether a command answers with what it changes about subscriptions. That is no reply: the client gets it always.
pub(super) fn is_about_subscriptions(command: &Command) -> bool {
    command.spec.has(PUBSUB) && command.spec.has(WHILE_SUBSCRIBED)
}
