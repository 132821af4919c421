//! A look behind a command: where its time went, its reply in both protocols, what the server will lock for it, and how
//! its reply changes over time.

use super::command_kind::{Answer, answer_to, changes_connection, is_answered_by_text};
use super::{Failed, NOT_ALLOWED, Session};
use crate::connection::Failure;
use crate::explain;
use crate::observer::{Login, NoObserver, Observer};
use crate::output;
use crate::terminal::{self, Style, complain};
use crate::timing;
use crate::watch::Rounds;
use crate::wire::Wire;
use std::io::{self, IsTerminal};
use std::thread;
use std::time::Duration;

impl Session {
    /// Begins or ends to show the wire.
    pub fn show_wire(&mut self, wire: Option<Wire>) {
        self.has_lost_page = self.has_lost_page();
        self.wire = wire;
        if let Some(connection) = &mut self.connection {
            connection.trace(self.wire.is_some());
        }
    }

    /// Whether a page of the wire could not be written.
    pub fn has_lost_page(&self) -> bool {
        self.has_lost_page || self.wire.as_ref().is_some_and(Wire::is_lost)
    }

    /// A second connection of the same user.
    fn observer_in(&self, database: i64, protocol: u8) -> Result<Observer, NoObserver> {
        let auth = self.typed_login.clone().or_else(|| self.target.login());
        let login = Login {
            address: &self.target.address,
            auth: auth.as_deref(),
            database,
            protocol,
        };
        Observer::connect(&login, self.interrupt.clone())
    }

    /// What the server has counted for the command so far, if times are to be told.
    pub(super) fn server_statistics(&mut self, command: &[Vec<u8>]) -> Option<(u64, u64)> {
        if !self.tells_times {
            return None;
        }
        if self.observer.is_none() {
            self.observer = self.observer_in(0, 2).ok();
        }
        let observer = self.observer.as_mut()?;
        let statistics = observer.command_statistics(command);
        if observer.failure().is_some() {
            self.observer = None;
        }
        statistics
    }

    /// Tells where the time of the command went.
    pub(super) fn tell_time(&mut self, command: &[Vec<u8>], before: Option<(u64, u64)>) {
        if !self.tells_times {
            return;
        }
        let moments = self
            .connection
            .as_mut()
            .map(|connection| connection.take_moments());
        // This is made before the server is asked, because that takes time too.
        let Some(of_client) = moments.as_ref().and_then(timing::of_client) else {
            return;
        };
        // Where the server did not answer before, it is not asked again: the user may have pressed Ctrl-C.
        let after = before.and_then(|_| self.server_statistics(command));
        let server = before.zip(after).map(|(before, after)| {
            (
                after.0.saturating_sub(before.0),
                after.1.saturating_sub(before.1),
            )
        });
        complain!("{of_client}{}", timing::of_server(server));
    }

    /// Shows the reply in RESP2 beside that in RESP3, if that is wanted: the command is sent twice more, so only one
    /// that changes nothing is.
    pub(super) fn show_in_both_protocols(&mut self, command: &[Vec<u8>]) {
        if !self.wire.as_ref().is_some_and(|wire| wire.both) {
            return;
        }
        if self.in_transaction {
            complain!(
                "A command of a transaction is shown in one protocol: it has run nowhere yet."
            );
            return;
        }
        let resp2 = self.reply_bytes_in(2, command);
        let resp3 = resp2.as_ref().and_then(|_| self.reply_bytes_in(3, command));
        if let (Some(resp2), Some(resp3), Some(wire)) = (resp2, resp3, &mut self.wire) {
            wire.show_both(&resp2, &resp3);
        }
    }

    /// The bytes of the reply to a command that changes nothing.
    fn reply_bytes_in(&self, protocol: u8, command: &[Vec<u8>]) -> Option<Vec<u8>> {
        let mut observer = self.observer_in(self.database, protocol).ok()?;
        match observer.only_reads(command) {
            true => observer.reply_bytes(command),
            false => None,
        }
    }

    /// Tells what the server will do for a command, and does not run it.
    pub fn explain(&mut self, command: &[Vec<u8>]) {
        let mut observer = match self.observer_in(self.database, 2) {
            Ok(observer) => observer,
            Err(NoObserver::Unreachable(reason)) => {
                let address = &self.target.address;
                complain!("Could not connect to Redis at {address}: {reason}");
                return;
            }
            Err(NoObserver::Refused) => return complain!("{NOT_ALLOWED}"),
        };
        // A server that refuses this, to a user who has not logged in for example, tells nothing of commands.
        let may_ask = observer.ask(&["COMMAND", "COUNT"]).is_some();
        let text = may_ask.then(|| explain::explain(command, &mut observer));
        match (observer.failure(), text) {
            (Some(failure), _) => complain!("Error: {failure}"),
            (None, Some(text)) => self.output.bytes(text.as_bytes()),
            (None, None) => complain!("{NOT_ALLOWED}"),
        }
    }

    /// Repeats a command and marks what has changed, until Ctrl-C. A terminal is cleared before each round.
    pub fn watch(&mut self, pause: Duration, command: &[Vec<u8>]) -> Result<(), Failed> {
        if answer_to(command) != Answer::Reply || changes_connection(command) {
            let name = String::from_utf8_lossy(&command[0]);
            complain!("'{name}' changes the connection, so it is not repeated.");
            return Err(Failed);
        }
        self.be_connected()?;
        let result = self.listening(|session| session.watch_connected(pause, command));
        result.map_err(|failure| self.tell_failure(failure))
    }

    fn watch_connected(&mut self, pause: Duration, command: &[Vec<u8>]) -> Result<(), Failure> {
        let style = Style::of(io::stdout());
        let mut rounds = Rounds::default();
        loop {
            self.send(command)?;
            let reply = self.reply()?;
            let text = self.output.text(&reply, is_answered_by_text(command));
            let marked = rounds.marked(&String::from_utf8_lossy(&text), style);
            if io::stdout().is_terminal() {
                output::write_unguarded(terminal::CLEAR);
            }
            output::write_unguarded(marked.as_bytes());
            match &self.interrupt {
                Some(interrupt) if !interrupt.sleep(pause) => return Ok(()),
                Some(_) => {}
                None => thread::sleep(pause),
            }
        }
    }
}
