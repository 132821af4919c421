//! What the user wants, as the command line says it. It stays as it is while the client runs. What commands change is
//! in [`Target`](crate::target::Target) and in [`Session`](crate::session::Session).

use crate::format::{Format, Kind};
use my_redis_server::util::quoting;
use std::path::PathBuf;
use std::time::Duration;

/// What is to be done. If several modes are given, the first of this list is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// How long PING takes.
    Latency,
    /// How long PING takes, as a spectrum.
    LatencySpectrum,
    /// The stream of changes.
    Replica,
    /// A snapshot of the data.
    Snapshot,
    /// A snapshot of the functions.
    FunctionsSnapshot,
    /// Requests from the standard input.
    Pipe,
    /// The largest keys by their elements.
    BigKeys,
    /// The largest keys by their memory.
    MemoryKeys,
    /// The keys that are used most.
    HotKeys,
    /// The figures of INFO, a line for each moment.
    Stat,
    /// All keys.
    Scan,
    /// How long the system keeps a program from running.
    IntrinsicLatency,
    /// A script in a file, with its keys and arguments.
    Eval,
    /// A command, or the prompt if there is none.
    Command,
}

/// Whether and where to show what goes over the wire.
#[derive(Clone, Debug, PartialEq)]
pub enum WireOption {
    /// Nowhere.
    Off,
    /// In lines on the standard error.
    Lines,
    /// In lines, and replies in both protocols.
    Both,
    /// In a page.
    Page(PathBuf),
}

/// What the user wants.
#[derive(Clone, Debug)]
pub struct Options {
    pub mode: Mode,
    /// The command and its arguments; empty for the prompt.
    pub command: Vec<Vec<u8>>,
    /// Whether the words of `command` are in quotes, as the prompt takes them.
    pub quoted_input: bool,
    /// Whether the last argument comes from the standard input.
    pub last_from_input: bool,
    /// The argument in whose place the standard input stands.
    pub tag_from_input: Option<Vec<u8>>,
    /// How often a command is sent; forever if negative.
    pub repeat: i64,
    /// The pause after each command or step.
    pub interval: Duration,
    /// Whether an error reply ends the program with status 1.
    pub errors_are_failures: bool,
    /// Whether a terminal asks for the password, whatever else names one.
    pub asks_password: bool,
    /// Whether a password on the command line is worth a warning.
    pub warns_of_password: bool,
    /// Whether the user asks for RESP2. What a session begins in is in [`Options::wants_resp3`].
    pub resp2: bool,
    pub resp3: bool,
    /// Whether `--json` or `--quoted-json` is given, also where a later option sets another format.
    pub json_is_asked: bool,
    pub format: Format,
    /// Whether pushes are printed that arrive between replies.
    pub shows_pushes: bool,
    /// Where the bytes that go over the wire are shown.
    pub wire: WireOption,
    /// Whether to tell where the time of each command went.
    pub tells_times: bool,
    /// The pattern that SCAN gets, for modes that scan.
    pub pattern: Option<Vec<u8>>,
    /// The elements of a value that MEMORY USAGE looks at; 0 for all. For [`Mode::MemoryKeys`].
    pub memory_samples: Option<i64>,
    /// Whether latency is told for one span of time after the other.
    pub latency_history: bool,
    /// How long [`Mode::IntrinsicLatency`] runs.
    pub intrinsic_latency_s: i64,
    /// The file that a snapshot is written to; `-` is the standard output.
    pub snapshot_file: PathBuf,
    /// How long [`Mode::Pipe`] waits for a reply; forever if not positive.
    pub pipe_timeout_s: i64,
    /// The file that holds the script, for [`Mode::Eval`].
    pub script: PathBuf,
}

/// How long `--pipe` waits for a reply if the user does not say it.
const DEFAULT_PIPE_TIMEOUT_S: i64 = 30;

impl Options {
    /// What is so if the command line says nothing else. `is_for_people` says that the output is a terminal.
    pub fn new(is_for_people: bool) -> Options {
        Options {
            mode: Mode::Command,
            command: Vec::new(),
            quoted_input: false,
            last_from_input: false,
            tag_from_input: None,
            repeat: 1,
            interval: Duration::ZERO,
            errors_are_failures: false,
            asks_password: false,
            warns_of_password: true,
            resp2: false,
            resp3: false,
            json_is_asked: false,
            format: Format {
                kind: match is_for_people {
                    true => Kind::Pretty,
                    false => Kind::Raw,
                },
                element_delimiter: b"\n".to_vec(),
                reply_delimiter: b"\n".to_vec(),
            },
            shows_pushes: is_for_people,
            wire: WireOption::Off,
            tells_times: false,
            pattern: None,
            memory_samples: None,
            latency_history: false,
            intrinsic_latency_s: 0,
            snapshot_file: PathBuf::new(),
            pipe_timeout_s: DEFAULT_PIPE_TIMEOUT_S,
            script: PathBuf::new(),
        }
    }

    /// Whether the user is asked for commands.
    pub fn is_for_prompt(&self) -> bool {
        self.mode == Mode::Command && self.command.is_empty()
    }

    /// Whether the session is to begin in RESP3: JSON has objects, for which RESP2 has no type.
    pub fn wants_resp3(&self) -> bool {
        self.resp3 || (self.json_is_asked && !self.resp2)
    }

    /// The command as it is meant. `None` if one of its words is quoted badly.
    pub fn unquoted_command(&self) -> Option<Vec<Vec<u8>>> {
        match self.quoted_input {
            true => self.command.iter().map(|word| unquote(word)).collect(),
            false => Some(self.command.clone()),
        }
    }
}

/// The one word that a text with quotes stands for.
pub fn unquote(text: &[u8]) -> Option<Vec<u8>> {
    let mut words = quoting::split_arguments(text).ok()?;
    words.pop().filter(|_| words.is_empty())
}
