//! A session: the connection to the server, what the client must remember of it, and one command after another.
//!
//! If the connection is lost, the next command connects anew: logs in, selects the database, asks for RESP3.

use crate::address::Address;
use crate::c_number;
use crate::command_docs::{self, CommandDoc};
use crate::connection::{Connection, Failure};
use crate::format::Kind;
use crate::help;
use crate::interrupt::Interrupt;
use crate::options::Options;
use crate::output::{self, Output};
use crate::terminal::Style;
use my_redis_server::resp::decoder::Value;
use std::process;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

/// A command or a connection has failed, and the user has been told so.
#[derive(Debug)]
pub struct Failed;

/// A session with a server.
pub struct Session {
    /// The command line, whose address `connect` changes.
    pub options: Options,
    /// Where replies are printed.
    pub output: Output,
    /// The connection; `None` if it is lost.
    pub connection: Option<Connection>,
    /// The interrupt that the prompt has, and a single command has not.
    pub interrupt: Option<Arc<Interrupt>>,
    /// The database that the connection is in.
    database: i64,
    /// The database before MULTI, to which a transaction that fails goes back.
    database_before: i64,
    /// Whether commands are queued, after MULTI.
    in_transaction: bool,
    /// What the server says of its commands; empty until it is asked for.
    docs: Rc<Vec<CommandDoc>>,
}

/// Why there is no connection, or none that is ready.
pub enum ConnectError {
    /// The server cannot be reached. The user is to be told.
    Unreachable(String),
    /// The connection was lost while it was prepared. The user has been told, but not why.
    Lost(Failure),
    /// The server has refused the login, the database or the protocol, and the user has been told. The connection
    /// stays, because the user can log in by AUTH.
    Refused,
}

/// What comes after the request has been sent.
#[derive(Clone, Copy, PartialEq)]
enum Answer {
    /// One reply.
    Reply,
    /// A line for every command of any client, until an error.
    Monitor,
    /// Messages, until an error.
    Messages,
}

impl Session {
    /// A session that is not connected yet.
    pub fn new(options: Options, output: Output, interrupt: Option<Arc<Interrupt>>) -> Session {
        Session {
            options,
            output,
            connection: None,
            interrupt,
            database: 0,
            database_before: 0,
            in_transaction: false,
            docs: Rc::default(),
        }
    }

    /// What stands before the user's input.
    pub fn prompt(&self) -> String {
        if self.connection.is_none() {
            return "not connected> ".into();
        }
        let mut prompt = self.options.address.for_prompt();
        if self.database != 0 {
            prompt += &format!("[{}]", self.database);
        }
        if self.in_transaction {
            prompt += "(TX)";
        }
        prompt + "> "
    }

    /// Connects, in place of the connection that there may be, and tells if the server cannot be reached.
    pub fn connect(&mut self) -> Result<(), ConnectError> {
        let result = self.connect_quietly();
        if let Err(ConnectError::Unreachable(reason)) = &result {
            let address = &self.options.address;
            eprintln!("Could not connect to Redis at {address}: {reason}");
        }
        result
    }

    /// Connects: logs in, selects the database, and asks for RESP3, as far as the options say so.
    pub fn connect_quietly(&mut self) -> Result<(), ConnectError> {
        self.connection = None;
        self.database = 0;
        self.in_transaction = false;
        let opened = Connection::open(&self.options.address, self.interrupt.clone());
        self.connection = Some(opened.map_err(ConnectError::Unreachable)?);
        self.log_in()?;
        self.select()?;
        self.switch_protocol()
    }

    fn log_in(&mut self) -> Result<(), ConnectError> {
        let Some(password) = self.options.password.clone() else {
            return Ok(());
        };
        let request: Vec<Vec<u8>> = [b"AUTH".to_vec()]
            .into_iter()
            .chain(self.options.user.clone())
            .chain([password])
            .collect();
        self.prepare(&request, "AUTH failed")
    }

    /// Selects the wanted database, unless the connection is in it.
    fn select(&mut self) -> Result<(), ConnectError> {
        let wanted = self.options.database;
        if wanted == self.database {
            return Ok(());
        }
        let request = [b"SELECT".to_vec(), wanted.to_string().into_bytes()];
        self.prepare(&request, &format!("SELECT {wanted} failed"))?;
        self.database = wanted;
        Ok(())
    }

    fn switch_protocol(&mut self) -> Result<(), ConnectError> {
        if !self.options.wants_resp3() {
            return Ok(());
        }
        self.prepare(&[b"HELLO".to_vec(), b"3".to_vec()], "HELLO 3 failed")
    }

    /// Sends a request that prepares the connection.
    fn prepare(&mut self, request: &[Vec<u8>], fault: &str) -> Result<(), ConnectError> {
        let connection = self.connection.as_mut().expect("it has been opened");
        match connection.call(request) {
            Ok(Value::Error(text)) => {
                eprintln!("{fault}: {}", String::from_utf8_lossy(&text));
                Err(ConnectError::Refused)
            }
            Ok(_) => Ok(()),
            Err(failure) => {
                eprintln!("\nI/O error");
                self.connection = None;
                Err(ConnectError::Lost(failure))
            }
        }
    }

    /// Sends a command as often as wanted, forever if `repeat` is negative, and prints the replies. Connects before, if
    /// there is no connection.
    pub fn run(&mut self, command: &[Vec<u8>], repeat: i64) -> Result<(), Failed> {
        if self.connection.is_none() {
            self.connect().map_err(|error| {
                if let ConnectError::Lost(failure) = error {
                    eprintln!("Error: {failure}");
                }
                Failed
            })?;
        }
        if let Some(interrupt) = &self.interrupt {
            interrupt.clear();
        }
        if is(command, 0, "help") || is(command, 0, "?") {
            self.help(&command[1..]);
            return Ok(());
        }
        let result = self.run_connected(command, repeat);
        result.map_err(|failure| {
            self.connection = None;
            match failure {
                // What is still to come would be taken for replies to later commands: this connection is given up. A
                // server that cannot be reached is told, and the prompt shows it.
                Failure::Interrupted => drop(self.connect()),
                failure => eprintln!("Error: {failure}"),
            }
            Failed
        })
    }

    fn help(&mut self, topic: &[Vec<u8>]) {
        let text = match topic {
            [] => help::general(),
            topic => help::about(topic, &self.docs(), Style::of_output()),
        };
        output::write(text.as_bytes());
    }

    /// What the server says of its commands. Nothing, if it says nothing, for example to a user who has not logged in,
    /// or cannot be asked now, between MULTI and EXEC.
    pub fn docs(&mut self) -> Rc<Vec<CommandDoc>> {
        if self.docs.is_empty()
            && !self.in_transaction
            && let Some(connection) = &mut self.connection
        {
            match command_docs::fetch(connection) {
                Ok(docs) => self.docs = Rc::new(docs),
                Err(_) => self.connection = None,
            }
        }
        self.docs.clone()
    }

    fn run_connected(&mut self, command: &[Vec<u8>], repeat: i64) -> Result<(), Failure> {
        let mut sent = 0;
        while repeat < 0 || sent < repeat {
            sent += 1;
            self.connection
                .as_mut()
                .ok_or(Failure::Closed)?
                .send(command)?;
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
                Answer::Reply => {}
            }
            let reply = match self.print_reply(command) {
                Err(Failure::Closed) if is(command, 0, "shutdown") => {
                    self.connection = None;
                    return Ok(());
                }
                reply => reply?,
            };
            self.remember(command, &reply);
            if !self.options.interval.is_zero() {
                thread::sleep(self.options.interval);
            }
        }
        Ok(())
    }

    /// Waits for the reply and prints it; before it, pushes that arrive, if they are to be shown.
    fn print_reply(&mut self, command: &[Vec<u8>]) -> Result<Value, Failure> {
        let connection = self.connection.as_mut().ok_or(Failure::Closed)?;
        let mut pushes = connection.take_pushes();
        let reply = loop {
            for push in pushes.drain(..).filter(|_| self.options.shows_pushes) {
                self.output.push(&push);
            }
            match connection.message()? {
                push if confirms(&push, command) => break push,
                push @ Value::Push(_) => pushes.push(push),
                reply => break reply,
            }
        };
        self.print(&reply, command);
        Ok(reply)
    }

    /// Prints all that arrives. Ends when the server refuses the command.
    fn print_until_error(&mut self, command: &[Vec<u8>]) -> Result<(), Failure> {
        loop {
            let connection = self.connection.as_mut().ok_or(Failure::Closed)?;
            let message = connection.message()?;
            self.print(&message, command);
            if matches!(message, Value::Error(_)) {
                return Ok(());
            }
        }
    }

    fn print(&self, reply: &Value, command: &[Vec<u8>]) {
        if let Value::Error(text) = reply
            && self.options.errors_are_failures
        {
            eprintln!("{}", String::from_utf8_lossy(text));
            process::exit(1);
        }
        self.output.reply(reply, is_answered_by_text(command));
    }

    /// Remembers what a command has changed of the connection.
    fn remember(&mut self, command: &[Vec<u8>], reply: &Value) {
        let has_failed = matches!(reply, Value::Error(_));
        let name = command[0].to_ascii_lowercase();
        match (name.as_slice(), command.len()) {
            (b"auth", 2 | 3) => drop(self.select()),
            (b"exec", 1) if self.in_transaction => {
                self.in_transaction = false;
                if has_failed || *reply == Value::Null {
                    self.go_to(self.database_before);
                }
            }
            _ if has_failed => {}
            (b"select", 2) => self.go_to(c_number::integer(&command[1])),
            (b"multi", 1) => {
                self.in_transaction = true;
                self.database_before = self.database;
            }
            (b"discard", 1) => {
                self.in_transaction = false;
                self.go_to(self.database_before);
            }
            (b"reset", 1) => {
                self.in_transaction = false;
                self.go_to(0);
            }
            _ => {}
        }
    }

    /// Notes the database that the connection is in, which is also the one that a new connection is to select.
    fn go_to(&mut self, database: i64) {
        self.database = database;
        self.options.database = database;
    }

    /// Goes to another server, as the prompt's `connect` says.
    pub fn go_to_server(&mut self, host: &[u8], port: &[u8]) {
        self.options.address = Address::Tcp {
            host: String::from_utf8_lossy(host).into_owned(),
            port: c_number::integer(port) as u16,
        };
        // What went wrong has been told, and the prompt shows that there is no connection.
        let _ = self.connect();
    }
}

/// Whether the command's word at `index` is `word`, in any case.
fn is(command: &[Vec<u8>], index: usize, word: &str) -> bool {
    command
        .get(index)
        .is_some_and(|found| found.eq_ignore_ascii_case(word.as_bytes()))
}

/// Whether a push answers the command: UNSUBSCRIBE and its kin are not answered otherwise in RESP3.
fn confirms(push: &Value, command: &[Vec<u8>]) -> bool {
    let Value::Push(elements) = push else {
        return false;
    };
    let unsubscribes = ["unsubscribe", "punsubscribe", "sunsubscribe"];
    let kind = unsubscribes.iter().find(|name| is(command, 0, name));
    kind.is_some_and(|kind| elements.first() == Some(&Value::Bulk(kind.as_bytes().to_vec())))
}

fn answer_to(command: &[Vec<u8>]) -> Answer {
    match command[0].to_ascii_lowercase().as_slice() {
        b"monitor" => Answer::Monitor,
        b"subscribe" | b"psubscribe" | b"ssubscribe" => Answer::Messages,
        _ => Answer::Reply,
    }
}

/// Whether the reply is a text with lines, which is shown as it is and not as a quoted string.
fn is_answered_by_text(command: &[Vec<u8>]) -> bool {
    let is = |index, word| is(command, index, word);
    let count = command.len();
    is(0, "info")
        || is(0, "lolwut")
        || is(0, "debug") && (is(1, "htstats") || is(1, "htstats-key"))
        || is(0, "memory") && (is(1, "malloc-stats") || is(1, "doctor"))
        || count == 2 && is(0, "cluster") && (is(1, "nodes") || is(1, "info"))
        || is(0, "client") && (is(1, "list") || is(1, "info"))
        || count == 3 && is(0, "latency") && is(1, "graph")
        || count == 2 && is(0, "latency") && is(1, "doctor")
        || is(0, "proxy") && is(1, "info")
}
