//! What the server says of its commands. It is asked once, when help, completion or hints need it.

use super::{Failed, NOT_ALLOWED, Session};
use crate::command_docs::{self, CommandDoc};
use crate::help;
use crate::output;
use crate::terminal::{Style, complain};
use std::io;
use std::rc::Rc;

/// What the server has said of its commands.
#[derive(Default)]
pub(super) struct Docs {
    /// `None` if it has said nothing yet.
    known: Option<Rc<Vec<CommandDoc>>>,
    /// Whether the server has refused to say it to this user: each refusal is a line in the server's ACL LOG.
    are_refused: bool,
}

impl Docs {
    /// Another user may be allowed to ask.
    pub(super) fn forget_refusal(&mut self) {
        self.are_refused = false;
    }
}

impl Session {
    /// What the server says of its commands. Nothing, if it says nothing, for example to a user who has not logged in,
    /// or cannot be asked now, between MULTI and EXEC.
    pub fn docs(&mut self) -> Rc<Vec<CommandDoc>> {
        if self.docs.known.is_none()
            && !self.docs.are_refused
            && !self.in_transaction
            && let Some(connection) = &mut self.connection
        {
            let fetched = command_docs::fetch(connection);
            // These bytes are not those of the user's commands.
            connection.take_received();
            match fetched {
                Ok(docs) => {
                    self.docs.are_refused = docs.is_none();
                    self.docs.known = docs.map(Rc::new);
                }
                Err(_) => self.connection = None,
            }
        }
        self.docs.known.clone().unwrap_or_default()
    }

    /// Prints help. What there is to say of a topic, only the server knows; redis-cli has tables of its own.
    pub(super) fn help(&mut self, topic: &[Vec<u8>]) -> Result<(), Failed> {
        if topic.is_empty() {
            self.output.bytes(help::general().as_bytes());
            return Ok(());
        }
        if self.docs.known.is_none() {
            self.be_connected()?;
        }
        let docs = self.docs();
        if self.docs.known.is_none() {
            let reason = match (self.in_transaction, self.docs.are_refused) {
                (true, _) => "The server cannot be asked about commands between MULTI and EXEC.",
                (false, true) => NOT_ALLOWED,
                (false, false) => "The server was lost while it was asked about commands.",
            };
            complain!("{reason}");
            return Err(Failed);
        }
        let text = help::about(topic, &docs, Style::of(io::stdout()));
        // The texts are harmless already, and stand between escape sequences of this client.
        output::write_unguarded(text.as_bytes());
        Ok(())
    }
}
