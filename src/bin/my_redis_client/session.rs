//! A session: the connection to the server, what the client must remember of it, and one command after another.
//!
//! If the connection is lost, the next command connects anew: logs in, selects the database, asks for RESP3.

mod command_kind;
mod connect;
mod docs;
mod inspection;
mod remember;

pub use command_kind::is_secret;

use crate::connection::{Connection, Failure};
use crate::format::Kind;
use crate::interrupt::Interrupt;
use crate::modes::replica;
use crate::observer::Observer;
use crate::options::{Options, WireOption};
use crate::output::Output;
use crate::target::Target;
use crate::terminal::{self, complain};
use crate::wire::Wire;
use crate::wire::element::Direction;
use command_kind::{Answer, answer_to, confirms, is, is_answered_by_text};
use docs::Docs;
use my_redis_server::resp::decoder::Value;
use my_redis_server::resp::request_writer;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// The pause between two tries to get a lost server back.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// What the wire shows in place of a secret.
const MASK: &[u8] = b"********";

/// A command or a connection has failed, and the user has been told so.
#[derive(Debug)]
pub struct Failed;

/// What is said where the server answers no questions about commands.
const NOT_ALLOWED: &str = "The server does not let this user ask about commands.";

/// A session with a server.
pub struct Session {
    /// Shared, so that no code can change it.
    pub options: Rc<Options>,
    /// Where the next connection goes.
    target: Target,
    pub output: Output,
    /// `None` before the first one, and when it is lost.
    pub connection: Option<Connection>,
    /// The interrupt that the prompt and a pipe of commands have, and a single command has not.
    pub interrupt: Option<Arc<Interrupt>>,
    /// The database that the connection is in.
    database: i64,
    /// The database before MULTI, to which a transaction that fails goes back.
    database_before: i64,
    /// Whether commands are queued, after MULTI.
    in_transaction: bool,
    docs: Docs,
    /// `None` if the bytes that go over the wire are not shown.
    wire: Option<Wire>,
    /// Whether a page of the wire that is no longer shown could not be written.
    has_lost_page: bool,
    /// Whether the last request holds a password, which the wire has not shown.
    sent_secret: bool,
    /// Whether to tell where the time of each command went.
    pub tells_times: bool,
    /// The AUTH that the user has typed on this connection, perhaps as a part of HELLO. As in redis-cli, a new
    /// connection does not repeat it.
    typed_login: Option<Vec<Vec<u8>>>,
    /// The connection that asks for the server's own times.
    observer: Option<Observer>,
}

impl Session {
    /// A session that is not connected yet.
    pub fn new(
        options: Options,
        target: Target,
        output: Output,
        interrupt: Option<Arc<Interrupt>>,
    ) -> Session {
        let wire = match &options.wire {
            WireOption::Off => None,
            WireOption::Lines => Some(Wire::on_standard_error(false)),
            WireOption::Both => Some(Wire::on_standard_error(true)),
            WireOption::Page(path) => Some(Wire::on_page(path.clone())),
        };
        Session {
            tells_times: options.tells_times,
            options: Rc::new(options),
            target,
            output,
            wire,
            has_lost_page: false,
            sent_secret: false,
            typed_login: None,
            observer: None,
            connection: None,
            interrupt,
            database: 0,
            database_before: 0,
            in_transaction: false,
            docs: Docs::default(),
        }
    }

    /// Forgets a Ctrl-C that came after the last command had ended. Called before the prompt is shown: a later Ctrl-C
    /// is meant for the next command.
    pub fn forget_interrupt(&self) {
        if let Some(interrupt) = &self.interrupt {
            interrupt.clear();
        }
    }

    /// What stands before the user's input.
    pub fn prompt(&self) -> String {
        if self.connection.is_none() {
            return "not connected> ".into();
        }
        let mut prompt = self.target.address.for_prompt();
        if self.database != 0 {
            prompt += &format!("[{}]", self.database);
        }
        if self.in_transaction {
            prompt += "(TX)";
        }
        prompt + "> "
    }

    /// The connection. If there is none, the user is told.
    pub fn connected(&mut self) -> Result<&mut Connection, Failed> {
        self.connection.as_mut().ok_or_else(|| {
            complain!("Error: {}", Failure::Closed);
            Failed
        })
    }

    /// Sends a request, and shows its bytes if the wire is to be shown.
    pub fn send(&mut self, request: &[Vec<u8>]) -> Result<(), Failure> {
        let connection = self.connection.as_mut().ok_or(Failure::Closed)?;
        connection.send(request)?;
        self.show_sent(request)
    }

    /// Sends requests at once, and shows their bytes if the wire is to be shown.
    pub fn send_all(&mut self, requests: &[Vec<Vec<u8>>]) -> Result<(), Failure> {
        let connection = self.connection.as_mut().ok_or(Failure::Closed)?;
        connection.send_all(requests)?;
        requests
            .iter()
            .try_for_each(|request| self.show_sent(request))
    }

    /// Shows the bytes of a request on the wire. In place of each argument of a command that holds a password stands a
    /// mask, whose length says nothing of the password's.
    fn show_sent(&mut self, request: &[Vec<u8>]) -> Result<(), Failure> {
        if let Some(wire) = &mut self.wire {
            self.sent_secret = is_secret(request);
            let shown = request.iter().enumerate().map(|(index, word)| match index {
                1.. if self.sent_secret => MASK,
                _ => word.as_slice(),
            });
            let mut bytes = Vec::new();
            request_writer::write_command(&mut bytes, &shown.collect::<Vec<_>>())?;
            wire.show(Direction::Sent, &bytes);
        }
        Ok(())
    }

    /// Shows the line before a snapshot, if the wire is to be shown.
    pub fn show_header(&mut self, line: &[u8]) {
        if let Some(wire) = &mut self.wire {
            wire.show_header(line);
        }
    }

    /// Waits for a reply or a push, and shows its bytes if the wire is to be shown.
    pub fn message(&mut self) -> Result<Value, Failure> {
        let connection = self.connection.as_mut().ok_or(Failure::Closed)?;
        let message = connection.message();
        if let Some(wire) = &mut self.wire {
            let received = connection.take_received();
            match &message {
                // Servers quote what they do not understand of a request.
                Ok(Value::Error(text)) if self.sent_secret => {
                    let code = text.split(|byte| *byte == b' ').next();
                    let line = [b"-", code.unwrap_or_default(), b" ", MASK, b"\r\n"];
                    wire.show(Direction::Received, &line.concat());
                }
                _ => wire.show(Direction::Received, &received),
            }
        }
        message
    }

    /// Waits for a reply. Pushes that come before it are printed, if they are to be shown.
    pub fn reply(&mut self) -> Result<Value, Failure> {
        loop {
            match self.message()? {
                push @ Value::Push(_) => self.print_push(&push),
                reply => return Ok(reply),
            }
        }
    }

    /// Sends a request and waits for its reply, and tells if that fails.
    pub fn call(&mut self, request: &[Vec<u8>]) -> Result<Value, Failed> {
        let reply = self.send(request).and_then(|()| self.reply());
        reply.map_err(|_| {
            complain!("\nI/O error");
            Failed
        })
    }

    /// Sends a request and waits for its reply. If the connection is lost, tries to connect, each second, until the
    /// server is back. redis-cli forgets the password then.
    pub fn call_patiently(&mut self, request: &[Vec<u8>]) -> Result<Value, Failed> {
        let mut tries = 0;
        loop {
            if self.connection.is_some() {
                match self.send(request).and_then(|()| self.reply()) {
                    Ok(reply) => return Ok(reply),
                    Err(Failure::Interrupted) => return Err(Failed),
                    Err(_) => self.connection = None,
                }
            }
            tries += 1;
            terminal::show_progress(&format!("Reconnecting... {tries}"));
            thread::sleep(RECONNECT_PAUSE);
            // Why it does not come back is of less interest than that it does not.
            let _ = self.connect_quietly();
        }
    }

    fn print_push(&self, push: &Value) {
        if self.options.shows_pushes {
            self.output.push(push);
        }
    }

    /// Sends a command as often as wanted, forever if `repeat` is negative, and prints the replies. Connects before, if
    /// there is no connection.
    pub fn run(&mut self, command: &[Vec<u8>], repeat: i64) -> Result<(), Failed> {
        if is(command, 0, "help") || is(command, 0, "?") {
            return self.help(&command[1..]);
        }
        self.be_connected()?;
        let result = self.run_connected(command, repeat);
        result.map_err(|failure| self.tell_failure(failure))
    }

    /// Ends the connection that has failed, and tells why.
    fn tell_failure(&mut self, failure: Failure) -> Failed {
        self.connection = None;
        match failure {
            // What is still to come would be taken for replies to later commands: this connection is given up. A server
            // that cannot be reached is told, and the prompt shows it.
            Failure::Interrupted => drop(self.connect()),
            Failure::Told => {}
            failure => complain!("Error: {failure}"),
        }
        Failed
    }

    fn run_connected(&mut self, command: &[Vec<u8>], repeat: i64) -> Result<(), Failure> {
        let mut sent = 0;
        while repeat < 0 || sent < repeat {
            sent += 1;
            let before = self.server_statistics(command);
            self.send(command)?;
            match answer_to(command) {
                Answer::Monitor => return self.print_until_error(command),
                Answer::Messages => {
                    if self.output.format.kind != Kind::Raw {
                        let line = b"Reading messages... (press Ctrl-C to quit)\n";
                        self.output.bytes(line);
                    }
                    self.print_until_error(command)?;
                    continue;
                }
                Answer::Changes => {
                    let line = "Entering replica output mode...  (press Ctrl-C to quit)\n";
                    self.output.bytes(line.as_bytes());
                    return replica::follow_typed(self);
                }
                Answer::Reply => {}
            }
            let reply = match self.print_reply(command) {
                Err(Failure::Closed) if is(command, 0, "shutdown") => {
                    self.connection = None;
                    return Ok(());
                }
                reply => reply?,
            };
            self.tell_time(command, before);
            self.show_in_both_protocols(command);
            self.remember(command, &reply);
            if !self.sleep(self.options.interval) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Waits for a time. The result is `false` if Ctrl-C ends it early.
    fn sleep(&self, duration: Duration) -> bool {
        if duration.is_zero() {
            return true;
        }
        match &self.interrupt {
            Some(interrupt) => interrupt.sleep(duration),
            None => {
                thread::sleep(duration);
                true
            }
        }
    }

    /// Waits for the reply and prints it.
    fn print_reply(&mut self, command: &[Vec<u8>]) -> Result<Value, Failure> {
        let reply = loop {
            match self.message()? {
                push if confirms(&push, command) => break push,
                push @ Value::Push(_) => self.print_push(&push),
                reply => break reply,
            }
        };
        self.print(&reply, command)?;
        Ok(reply)
    }

    /// Prints all that arrives. Ends when the server refuses the command.
    fn print_until_error(&mut self, command: &[Vec<u8>]) -> Result<(), Failure> {
        self.listening(|session| {
            loop {
                let message = session.message()?;
                session.print(&message, command)?;
                if matches!(message, Value::Error(_)) {
                    return Ok(());
                }
            }
        })
    }

    /// Does something that goes on until Ctrl-C ends it, and not the program.
    fn listening<T>(&mut self, work: impl FnOnce(&mut Session) -> T) -> T {
        let set = |session: &Session, listens| {
            if let Some(interrupt) = &session.interrupt {
                interrupt.listen(listens);
            }
        };
        set(self, true);
        let result = work(self);
        set(self, false);
        result
    }

    /// Prints a reply. An error ends the command, if errors are failures.
    fn print(&self, reply: &Value, command: &[Vec<u8>]) -> Result<(), Failure> {
        if let Value::Error(text) = reply
            && self.options.errors_are_failures
        {
            complain!("{}", String::from_utf8_lossy(text));
            return Err(Failure::Told);
        }
        self.output.reply(reply, is_answered_by_text(command));
        Ok(())
    }
}
