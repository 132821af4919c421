//! Connecting: the login, the database and the protocol, as the target and the options say.

use super::docs::Docs;
use super::{Failed, Session};
use crate::address::{self, Address};
use crate::c_number;
use crate::connection::{Connection, Failure};
use crate::terminal::complain;
use my_redis_server::resp::decoder::Value;

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

impl Session {
    /// Connects, in place of the connection that there may be, and tells if the server cannot be reached.
    pub fn connect(&mut self) -> Result<(), ConnectError> {
        let result = self.connect_quietly();
        if let Err(ConnectError::Unreachable(reason)) = &result {
            let address = &self.target.address;
            complain!("Could not connect to Redis at {address}: {reason}");
        }
        result
    }

    /// Connects: logs in, selects the database, and asks for RESP3, as far as that is wanted.
    pub fn connect_quietly(&mut self) -> Result<(), ConnectError> {
        self.connection = None;
        self.typed_login = None;
        self.forget_user();
        self.database = 0;
        self.in_transaction = false;
        let opened = Connection::open(&self.target.address, self.interrupt.clone());
        let mut connection = opened.map_err(ConnectError::Unreachable)?;
        connection.trace(self.wire.is_some());
        self.connection = Some(connection);
        self.log_in()?;
        self.select()?;
        self.switch_protocol()
    }

    pub(super) fn log_in(&mut self) -> Result<(), ConnectError> {
        match self.target.login() {
            Some(login) => self.prepare(&login, "AUTH failed"),
            None => Ok(()),
        }
    }

    /// Selects the wanted database, unless the connection is in it.
    pub(super) fn select(&mut self) -> Result<(), ConnectError> {
        let wanted = self.target.database;
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
        match self.send(request).and_then(|()| self.reply()) {
            Ok(Value::Error(text)) => {
                complain!("{fault}: {}", String::from_utf8_lossy(&text));
                Err(ConnectError::Refused)
            }
            Ok(_) => Ok(()),
            Err(failure) => {
                complain!("\nI/O error");
                self.connection = None;
                Err(ConnectError::Lost(failure))
            }
        }
    }

    /// Connects if there is no connection.
    pub(super) fn be_connected(&mut self) -> Result<(), Failed> {
        if self.connection.is_some() {
            return Ok(());
        }
        self.connect().map_err(|error| {
            if let ConnectError::Lost(failure) = error {
                complain!("Error: {failure}");
            }
            Failed
        })
    }

    /// Goes to another server, as the prompt's `connect` says. What the user has typed for the old one, an AUTH above
    /// all, is not for the new one. The password of the command line is: redis-cli sends it to the new server too.
    pub fn go_to_server(&mut self, host: &[u8], port: &[u8]) {
        let port = match address::port(c_number::integer(port)) {
            Ok(port) => port,
            Err(fault) => return complain!("{fault}"),
        };
        self.target.address = Address::Tcp {
            host: String::from_utf8_lossy(host).into_owned(),
            port,
        };
        self.docs = Docs::default();
        // What went wrong has been told, and the prompt shows that there is no connection.
        let _ = self.connect();
    }
}
