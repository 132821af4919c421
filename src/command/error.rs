//! Error replies, byte for byte as Redis has them. The texts that several commands share stand here; those of one
//! command alone stand there, in [`CommandError::err`].

use crate::keyspace::entry::WrongType;
use crate::keyspace::locks::Busy;
use crate::lua::interpreter::Kind;
use crate::state::WriteRefusal;
use crate::types::hyperloglog::Corrupted;
use crate::util::quoting::c_string;
use std::fmt;

/// Bytes of a word or request that an error text quotes, where it quotes a bounded part.
pub(super) const QUOTED_BYTES: usize = 128;

/// What a handler returns: it has written its reply, or it has changed nothing and this error is the reply.
pub type CommandResult = Result<(), CommandError>;

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum CommandError {
    // The request as a whole.
    UnknownCommand(Vec<u8>),
    UnknownSubcommand {
        container: Vec<u8>,
        name: Vec<u8>,
    },
    WrongArity(String),
    // The arguments.
    Syntax,
    NotAnInteger,
    NotBetween(i64, i64),
    NotAFloat,
    NotPositive,
    OutOfRange,
    InvalidExpireTime(&'static str),
    InvalidCursor,
    InvalidStreamId,
    OffsetOutOfRange,
    TimeoutNotAFloat,
    TimeoutNotAnInteger,
    TimeoutNegative,
    TimeoutOutOfRange,
    StringTooLong,
    DatabaseOutOfRange,
    PayloadFooter,
    PayloadValue,
    // The data.
    WrongType,
    BusyKey,
    NotAHyperLogLog,
    CorruptedHyperLogLog,
    HashValueNotAnInteger,
    HashValueNotAFloat,
    Overflow,
    DecrementOverflow,
    NanOrInfinity,
    NoSuchKey,
    IndexOutOfRange,
    SameObject,
    // The client's state.
    NotAuthenticated,
    /// The user may not do this, and why.
    NoPermission(Vec<u8>),
    WrongPassword,
    Subscribed(String),
    Monitoring,
    // Transactions.
    NestedMulti,
    WatchInMulti,
    WithoutMulti(&'static str),
    NotInMulti,
    ExecAborted,
    // The server's state.
    Unblocked,
    Demoted,
    OutOfMemory,
    /// A script without `allow-oom`, in a transaction that was begun before memory was short.
    ScriptOutOfMemory,
    StopWrites(WriteRefusal),
    /// The server is a replica.
    ReadOnlyReplica,
    /// The server is a replica, and `replica-serve-stale-data` is off.
    PrimaryIsDown,
    /// Fewer replicas keep up than `min-replicas-to-write` wants.
    NoReplicas,
    /// The server shows the data of an earlier moment.
    ReadOnly,
    /// A handler has reached for a key that its command does not declare.
    UndeclaredKey,
    /// The command, and the directive that says which clients may use it.
    NotAllowed(&'static str, &'static str),
    Loading,
    /// A script of this kind has run for too long, and holds a lock that the command needs.
    Busy(Kind),
    StopWritingScripts(WriteRefusal),
    /// A script is no Lua: the interpreter's message.
    NotCompiled(Vec<u8>),
    SaveInProgress,
    SaveFailed,
    ShutdownFailed,
    /// Any other text, code included: those that one command alone uses.
    Other(Vec<u8>),
}

impl CommandError {
    /// An error of the general kind that one command alone has.
    pub fn err(text: impl fmt::Display) -> CommandError {
        CommandError::Other(format!("ERR {text}").into_bytes())
    }

    /// An error of the code ERR, with a part of the request in it. As in Redis, which prints it as a C string, it ends
    /// at a zero byte.
    pub fn quoting(before: &str, quoted: &[u8], after: &str) -> CommandError {
        let text = [
            b"ERR ",
            before.as_bytes(),
            c_string(quoted),
            after.as_bytes(),
        ]
        .concat();
        CommandError::Other(text)
    }

    /// Of a subcommand that does not exist, or not with this number of arguments. `typed` is the word after the
    /// container's name.
    pub fn misused_subcommand(container: &str, typed: &[u8]) -> CommandError {
        CommandError::quoting(
            "unknown subcommand or wrong number of arguments for '",
            &typed[..typed.len().min(QUOTED_BYTES)],
            &format!("'. Try {container} HELP."),
        )
    }

    /// Of an EXEC that cannot run: this is why the transaction is discarded.
    pub fn aborting(&self) -> CommandError {
        let reason = self.text();
        let reason = reason.strip_prefix(b"ERR ").unwrap_or(&reason);
        let text = [b"EXECABORT Transaction discarded because of: ", reason].concat();
        CommandError::Other(text)
    }

    /// The reply. Bytes, because some texts quote what the client sent.
    pub fn text(&self) -> Vec<u8> {
        match self {
            CommandError::UnknownCommand(request) => {
                [b"ERR unknown command ", &request[..]].concat()
            }
            CommandError::UnknownSubcommand { container, name } => [
                b"ERR unknown subcommand '",
                &name[..],
                b"'. Try ",
                &container[..],
                b" HELP.",
            ]
            .concat(),
            CommandError::NotCompiled(message) => {
                [b"ERR Error compiling script (new function): ", &message[..]].concat()
            }
            CommandError::NoPermission(reason) => [b"NOPERM ", &reason[..]].concat(),
            CommandError::Other(text) => text.clone(),
            _ => self.to_string().into_bytes(),
        }
    }
}

impl From<WrongType> for CommandError {
    fn from(_: WrongType) -> Self {
        CommandError::WrongType
    }
}

impl From<Busy> for CommandError {
    /// The executor puts the kind of the script in, which it knows.
    fn from(_: Busy) -> Self {
        CommandError::Busy(Kind::Scripts)
    }
}

impl From<Corrupted> for CommandError {
    fn from(_: Corrupted) -> Self {
        CommandError::CorruptedHyperLogLog
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use CommandError::*;
        f.write_str(match self {
            UnknownCommand(_)
            | UnknownSubcommand { .. }
            | NoPermission(_)
            | NotCompiled(_)
            | Other(_) => {
                return f.write_str(&String::from_utf8_lossy(&self.text()));
            }
            WrongArity(name) => return write!(f, "ERR wrong number of arguments for '{name}' command"),
            NotBetween(least, most) => {
                return write!(f, "ERR value is out of range, value must between {least} and {most}");
            }
            Subscribed(name) => {
                return write!(
                    f,
                    "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
                     allowed in this context"
                );
            }
            NotAllowed(command, directive) => {
                return write!(
                    f,
                    "ERR {command} command not allowed. If the {directive} option is set to \"local\", you can run it \
                     from a local connection, otherwise you need to set this option in the configuration file, and \
                     then restart the server."
                );
            }
            NotAuthenticated => "NOAUTH Authentication required.",
            WrongPassword => "WRONGPASS invalid username-password pair or user is disabled.",
            Monitoring => "ERR Replica can't interact with the keyspace",
            InvalidExpireTime(name) => return write!(f, "ERR invalid expire time in '{name}' command"),
            Syntax => "ERR syntax error",
            NotAnInteger => "ERR value is not an integer or out of range",
            NotAFloat => "ERR value is not a valid float",
            PayloadFooter => "ERR DUMP payload version or checksum are wrong",
            PayloadValue => "ERR Bad data format",
            BusyKey => "BUSYKEY Target key name already exists.",
            TimeoutNotAFloat => "ERR timeout is not a float or out of range",
            TimeoutNotAnInteger => "ERR timeout is not an integer or out of range",
            TimeoutNegative => "ERR timeout is negative",
            TimeoutOutOfRange => "ERR timeout is out of range",
            Unblocked => "UNBLOCKED client unblocked via CLIENT UNBLOCK",
            Demoted => {
                "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"
            }
            NotPositive => "ERR value is out of range, must be positive",
            OutOfRange => "ERR value is out of range",
            InvalidCursor => "ERR invalid cursor",
            InvalidStreamId => "ERR Invalid stream ID specified as stream command argument",
            OffsetOutOfRange => "ERR offset is out of range",
            StringTooLong => "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
            DatabaseOutOfRange => "ERR DB index is out of range",
            WrongType => "WRONGTYPE Operation against a key holding the wrong kind of value",
            NotAHyperLogLog => "WRONGTYPE Key is not a valid HyperLogLog string value.",
            CorruptedHyperLogLog => "INVALIDOBJ Corrupted HLL object detected",
            HashValueNotAnInteger => "ERR hash value is not an integer",
            HashValueNotAFloat => "ERR hash value is not a float",
            Overflow => "ERR increment or decrement would overflow",
            DecrementOverflow => "ERR decrement would overflow",
            NanOrInfinity => "ERR increment would produce NaN or Infinity",
            NoSuchKey => "ERR no such key",
            IndexOutOfRange => "ERR index out of range",
            SameObject => "ERR source and destination objects are the same",
            NestedMulti => "ERR MULTI calls can not be nested",
            WatchInMulti => "ERR WATCH inside MULTI is not allowed",
            WithoutMulti(name) => return write!(f, "ERR {name} without MULTI"),
            NotInMulti => "ERR Command not allowed inside a transaction",
            ExecAborted => "EXECABORT Transaction discarded because of previous errors.",
            Loading => "LOADING Redis is loading the dataset in memory",
            ScriptOutOfMemory => {
                "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'"
            }
            OutOfMemory => "OOM command not allowed when used memory > 'maxmemory'.",
            StopWrites(WriteRefusal::AppendOnly(words)) => {
                return write!(f, "MISCONF Errors writing to the AOF file: {words}");
            }
            StopWrites(WriteRefusal::Dump) => {
                "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. \
                 Commands that may modify the data set are disabled, because this instance is configured to report \
                 errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the \
                 Redis logs for details about the RDB error."
            }
            ReadOnlyReplica => "READONLY You can't write against a read only replica.",
            PrimaryIsDown => {
                "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
            }
            NoReplicas => "NOREPLICAS Not enough good replicas to write.",
            ReadOnly => "READONLY You can't write: the server shows the data of an earlier moment (--until).",
            UndeclaredKey => "ERR the command has reached for a key that it does not declare",
            Busy(Kind::Scripts) => {
                "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
            }
            Busy(Kind::Functions) => {
                "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
            }
            StopWritingScripts(WriteRefusal::AppendOnly(words)) => {
                return write!(
                    f,
                    "MISCONF Redis is configured to persist data to AOF, but it's currently unable to persist to disk. \
                     Writable scripts are blocked. Use 'no-writes' flag for read only scripts. AOF error: {words}"
                );
            }
            StopWritingScripts(WriteRefusal::Dump) => {
                "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. \
                 Writable scripts are blocked. Use 'no-writes' flag for read only scripts."
            }
            SaveInProgress => "ERR Background save already in progress",
            SaveFailed => "ERR",
            ShutdownFailed => "ERR Errors trying to SHUTDOWN. Check logs.",
        })
    }
}
