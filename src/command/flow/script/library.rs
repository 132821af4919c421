//! What the subcommands of FUNCTION have in common: the host of a library that is being loaded, and the payload of DUMP
//! and RESTORE.

use crate::command::error::CommandError;
use crate::lua::host::{Ending, Host, LogLevel, Targets};
use crate::rdb::payload::{self, PayloadError};
use crate::resp::reply::{Protocol, Reply};
use crate::state::Server;
use std::time::{Duration, Instant};

/// A library that a client loads must register its functions within this time, as in Redis.
const LOAD_TIMEOUT: Duration = Duration::from_millis(500);

/// The server as a library sees it while it is loaded: it can log, and nothing else.
pub struct LoadHost<'a> {
    server: &'a Server,
    /// `None`: it may take as long as the server runs.
    deadline: Option<Instant>,
}

impl<'a> LoadHost<'a> {
    /// The time to load begins now.
    pub(in crate::command) fn new(server: &'a Server) -> LoadHost<'a> {
        LoadHost {
            server,
            deadline: Some(Instant::now() + LOAD_TIMEOUT),
        }
    }

    /// For a library of a dump, and for one that another interpreter has loaded before. It has all the time it needs: a
    /// slow machine must not lose functions.
    pub fn without_limit(server: &'a Server) -> LoadHost<'a> {
        LoadHost {
            server,
            deadline: None,
        }
    }
}

impl Host for LoadHost<'_> {
    /// The table `redis` has no `call` while a library is loaded.
    fn call(&mut self, _: &[&[u8]], _: &mut Reply) -> Result<(), Ending> {
        Err(Ending)
    }

    fn set_protocol(&mut self, _: Protocol) {}

    fn protocol(&self) -> Protocol {
        Protocol::Resp2
    }

    fn set_replication(&mut self, _: Targets) {}

    fn permits(&mut self, _: &[&[u8]]) -> Option<bool> {
        None
    }

    fn log(&mut self, level: LogLevel, text: &[u8]) {
        log(self.server, level, text);
    }

    fn look(&mut self) -> Result<(), Ending> {
        let must_end = match self.deadline {
            Some(deadline) => Instant::now() >= deadline,
            None => self.server.shutdown.is_under_way(),
        };
        match must_end {
            true => Err(Ending),
            false => Ok(()),
        }
    }
}

/// Writes a line of a script into the log.
pub(in crate::command) fn log(server: &Server, level: LogLevel, text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    match level {
        LogLevel::Debug => server.log.debug(text),
        LogLevel::Verbose => server.log.verbose(text),
        LogLevel::Notice => server.log.notice(text),
        LogLevel::Warning => server.log.warning(text),
    }
}

/// The error of a library.
pub(super) fn error(text: Vec<u8>) -> CommandError {
    CommandError::Other([b"ERR ", &text[..]].concat())
}

/// The texts of libraries as one string.
pub(super) fn payload<'a>(texts: impl Iterator<Item = &'a [u8]>, compression: bool) -> Vec<u8> {
    payload::encode_functions(texts, compression)
}

/// The texts of libraries that a payload contains.
pub(super) fn texts(bytes: &[u8]) -> Result<Vec<Vec<u8>>, CommandError> {
    payload::decode_functions(bytes).map_err(|fault| match fault {
        PayloadError::Footer => CommandError::PayloadFooter,
        PayloadError::NotAFunction(_) => CommandError::err("given type is not a function"),
        PayloadError::Value(error) => CommandError::err(error),
    })
}
