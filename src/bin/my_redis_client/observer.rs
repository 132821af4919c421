//! A second connection to the same server, for questions about the session: between them, the session itself goes on
//! undisturbed, even within a transaction.

use crate::address::Address;
use crate::connection::{Connection, Failure};
use crate::interrupt::Interrupt;
use my_redis_server::resp::decoder::Value;
use std::sync::Arc;

/// A second connection, which speaks RESP2 or RESP3.
pub struct Observer {
    connection: Connection,
    /// Why the connection is of no use any more.
    failure: Option<Failure>,
}

/// How a second connection is made.
pub struct Login<'a> {
    pub address: &'a Address,
    /// An AUTH, if the user has logged in.
    pub auth: Option<&'a [Vec<u8>]>,
    /// The database that questions are about.
    pub database: i64,
    /// The version of RESP: 2 or 3.
    pub protocol: u8,
}

/// Why there is no second connection.
pub enum NoObserver {
    /// The server cannot be reached; the text of the system.
    Unreachable(String),
    /// The server does not let this user ask.
    Refused,
}

impl Observer {
    /// Connects, logs in, and selects the database. Ctrl-C ends each wait if there is an interrupt.
    pub fn connect(
        login: &Login,
        interrupt: Option<Arc<Interrupt>>,
    ) -> Result<Observer, NoObserver> {
        let opened = Connection::open(login.address, interrupt);
        let mut observer = Observer {
            connection: opened.map_err(NoObserver::Unreachable)?,
            failure: None,
        };
        match observer.prepare(login) {
            Some(()) => Ok(observer),
            None => Err(match observer.failure {
                Some(failure) => NoObserver::Unreachable(failure.to_string()),
                None => NoObserver::Refused,
            }),
        }
    }

    fn prepare(&mut self, login: &Login) -> Option<()> {
        if let Some(auth) = login.auth {
            self.ask(auth)?;
        }
        if login.database != 0 {
            self.ask(&[b"SELECT".as_slice(), login.database.to_string().as_bytes()])?;
        }
        if login.protocol == 3 {
            self.ask(&[b"HELLO", b"3".as_slice()])?;
        }
        Some(())
    }

    /// Why the connection is of no use any more, if it is so.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// The reply to a question; `None` if the server refuses it or is gone.
    pub fn ask(&mut self, question: &[impl AsRef<[u8]>]) -> Option<Value> {
        match self.connection.call(question) {
            Ok(Value::Error(_)) => None,
            Ok(reply) => Some(reply),
            Err(failure) => {
                self.failure = Some(failure);
                None
            }
        }
    }

    /// The bytes of the reply to a command.
    pub fn reply_bytes(&mut self, command: &[Vec<u8>]) -> Option<Vec<u8>> {
        self.connection.trace(true);
        self.connection.call(command).ok()?;
        Some(self.connection.take_received())
    }

    /// What `COMMAND INFO` tells of a command, or of its subcommand if it has them: name, arity, flags, positions of
    /// keys, categories.
    pub fn command_info(&mut self, command: &[Vec<u8>]) -> Option<Value> {
        let subcommand = command
            .get(1)
            .map(|word| [&command[0][..], b"|", word].concat());
        let names = subcommand.into_iter().chain([command[0].clone()]);
        names.into_iter().find_map(|name| {
            let reply = self.ask(&[&b"COMMAND"[..], b"INFO", &name])?;
            let info = reply.elements().first()?.clone();
            Some(info).filter(|info| *info != Value::Null)
        })
    }

    /// Whether a command changes nothing, so that it may be sent a second time.
    pub fn only_reads(&mut self, command: &[Vec<u8>]) -> bool {
        let info = self.command_info(command);
        let flags = info.as_ref().and_then(|info| info.elements().get(2));
        let flags = flags.map(Value::elements).unwrap_or_default();
        let has = |name: &str| flags.iter().any(|flag| flag.text() == name);
        has("readonly") && !has("blocking")
    }

    /// How often the command was called, and the microseconds that the server has counted for that. `None` for INFO,
    /// which is the question itself: the answer would count the asking.
    pub fn command_statistics(&mut self, command: &[Vec<u8>]) -> Option<(u64, u64)> {
        let words = command.iter().take(2);
        let words: Vec<String> = words
            .map(|word| String::from_utf8_lossy(word).to_lowercase())
            .collect();
        if words[0] == "info" {
            return None;
        }
        let text = self.ask(&["INFO", "commandstats"])?.text();
        // A command with subcommands has a line for each: `cmdstat_config|get:`. One that was never called has none.
        let names = [words.join("|"), words[0].clone()];
        Some(
            names
                .iter()
                .find_map(|name| statistics(&text, name))
                .unwrap_or_default(),
        )
    }
}

/// The calls and microseconds of a command in the text of INFO.
fn statistics(text: &str, name: &str) -> Option<(u64, u64)> {
    let prefix = format!("cmdstat_{name}:");
    let line = text.lines().find_map(|line| line.strip_prefix(&prefix))?;
    let field = |name: &str| -> Option<u64> {
        let mut fields = line.split(',').filter_map(|field| field.split_once('='));
        fields.find(|(key, _)| *key == name)?.1.trim().parse().ok()
    };
    Some((field("calls")?, field("usec")?))
}
