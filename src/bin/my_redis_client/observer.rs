//! A second connection to the same server, for questions about the session: between them, the session itself goes on
//! undisturbed, even within a transaction.

use crate::address::Address;
use crate::command_docs;
use crate::connection::Connection;
use my_redis_server::resp::decoder::Value;

/// A second connection, which speaks RESP2 or RESP3.
pub struct Observer {
    connection: Connection,
}

impl Observer {
    /// Connects, logs in by an AUTH, and selects the database. `None` if the server does not let it.
    pub fn connect(
        address: &Address,
        login: Option<&[Vec<u8>]>,
        database: i64,
        protocol: u8,
    ) -> Option<Observer> {
        let connection = Connection::open(address, None).ok()?;
        let mut observer = Observer { connection };
        if let Some(login) = login {
            observer.ask(login)?;
        }
        if database != 0 {
            observer.ask(&[b"SELECT".as_slice(), database.to_string().as_bytes()])?;
        }
        if protocol == 3 {
            observer.ask(&[b"HELLO", b"3".as_slice()])?;
        }
        Some(observer)
    }

    /// The reply to a question; `None` if the server refuses it or is gone.
    pub fn ask(&mut self, question: &[impl AsRef<[u8]>]) -> Option<Value> {
        let reply = self.connection.call(question).ok()?;
        Some(reply).filter(|reply| !matches!(reply, Value::Error(_)))
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
            let info = command_docs::elements(&reply).first()?.clone();
            Some(info).filter(|info| *info != Value::Null)
        })
    }

    /// Whether a command changes nothing, so that it may be sent a second time.
    pub fn only_reads(&mut self, command: &[Vec<u8>]) -> bool {
        let info = self.command_info(command);
        let flags = info
            .as_ref()
            .and_then(|info| command_docs::elements(info).get(2));
        let flags = flags.map(command_docs::elements).unwrap_or_default();
        let has = |name: &str| flags.iter().any(|flag| command_docs::text(flag) == name);
        has("readonly") && !has("blocking")
    }

    /// How often the command was called, and the microseconds that the server has counted for that.
    pub fn command_statistics(&mut self, name: &str) -> Option<(u64, u64)> {
        let text = command_docs::text(&self.ask(&["INFO", "commandstats"])?);
        let prefix = format!("cmdstat_{}:", name.to_lowercase());
        let line = text.lines().find_map(|line| line.strip_prefix(&prefix))?;
        let field = |name: &str| -> Option<u64> {
            let mut fields = line.split(',').filter_map(|field| field.split_once('='));
            fields.find(|(key, _)| *key == name)?.1.trim().parse().ok()
        };
        Some((field("calls")?, field("usec")?))
    }
}
