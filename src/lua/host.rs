//! What a running script asks of the server.

use crate::resp::reply::{Protocol, Reply};

/// The server as a script sees it, for the time of one run.
pub trait Host {
    /// Runs a command (`redis.call`), and adds its reply, or the error that keeps it from running, to `reply`.
    ///
    /// # Errors
    /// The script has to end here: its caller will run it anew, or gives it up.
    fn call(&mut self, arguments: &[&[u8]], reply: &mut Reply) -> Result<(), Ending>;

    /// The protocol version of the replies that the script gets (`redis.setresp`).
    fn set_protocol(&mut self, protocol: Protocol);

    /// What `redis.setresp` has set; RESP2 at first.
    fn protocol(&self) -> Protocol;

    /// Who hears of the changes that the script makes from now on (`redis.set_repl`).
    fn set_replication(&mut self, targets: Targets);

    /// Whether the client may run this command (`redis.acl_check_cmd`); `None` if there is no such command.
    fn permits(&mut self, arguments: &[&[u8]]) -> Option<bool>;

    /// Adds a line to the server's log (`redis.log`).
    fn log(&mut self, level: LogLevel, text: &[u8]);

    /// Called from time to time while the script runs: after about [`STEPS_BETWEEN_LOOKS`] instructions.
    ///
    /// # Errors
    /// The script has to end.
    fn look(&mut self) -> Result<(), Ending>;
}

/// The script ends, and no code of its own can prevent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending;

/// The levels of `redis.log`, in the order of their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LogLevel {
    Debug,
    Verbose,
    Notice,
    Warning,
}

/// Who hears of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Targets {
    /// The append-only file.
    pub log: bool,
    /// The replicas.
    pub replicas: bool,
}

/// How many instructions of the interpreter there are between two looks at a script, as in Redis.
pub const STEPS_BETWEEN_LOOKS: u32 = 100_000;
