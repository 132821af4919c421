//! The command line: options first, then the command with its arguments.
//!
//! pico-args is not used here, because it looks for options among all words. As in redis-cli, the first word that is no
//! option begins the command, and what follows belongs to it: in `my_redis_client -n 2 SET key -n`, the second `-n` is
//! a value.

use crate::address::{self, Address, Uri};
use crate::c_number;
use crate::format::{Format, Kind};
use crate::terminal::complain;
use my_redis_server::util::quoting;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
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
    /// The server's figures.
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

/// Everything that the command line says.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the server is.
    pub address: Address,
    /// The user who logs in; the default user if there is none.
    pub user: Option<Vec<u8>>,
    /// The password; without one there is no login.
    pub password: Option<Vec<u8>>,
    /// Whether to ask for the password.
    pub asks_password: bool,
    /// Whether a password on the command line is worth a warning.
    pub warns_of_password: bool,
    /// The database.
    pub database: i64,
    /// Whether RESP2 is asked for.
    pub resp2: bool,
    /// Whether RESP3 is asked for.
    pub resp3: bool,
    /// How replies are printed.
    pub format: Format,
    /// Whether pushes are printed that arrive between replies.
    pub shows_pushes: bool,
    /// How often a command is sent; forever if negative.
    pub repeat: i64,
    /// The pause after each command or step.
    pub interval: Duration,
    /// Whether arguments of the command line are unquoted.
    pub quoted_input: bool,
    /// Whether the last argument comes from the standard input.
    pub last_from_input: bool,
    /// The argument in whose place that of the standard input stands.
    pub tag_from_input: Option<Vec<u8>>,
    /// Whether an error reply ends the program with status 1.
    pub errors_are_failures: bool,
    /// Whether to show what goes over the wire.
    pub wire: WireOption,
    /// Whether to tell where the time of each command went.
    pub tells_times: bool,
    /// The pattern of keys, for modes that scan.
    pub pattern: Option<Vec<u8>>,
    /// The elements of a value that MEMORY USAGE is to look at, for [`Mode::MemoryKeys`].
    pub memory_samples: Option<i64>,
    /// Whether latency is told for one span of time after the other.
    pub latency_history: bool,
    /// How long [`Mode::IntrinsicLatency`] runs.
    pub intrinsic_latency_s: i64,
    /// What is to be done.
    pub mode: Mode,
    /// The file that a snapshot is written to; `-` is the standard output.
    pub snapshot_file: PathBuf,
    /// How long [`Mode::Pipe`] waits for a reply; forever if not positive.
    pub pipe_timeout_s: i64,
    /// The file of the script, for [`Mode::Eval`].
    pub script: PathBuf,
    /// The command and its arguments.
    pub command: Vec<Vec<u8>>,
}

/// Why the command line leads to no work.
#[derive(Debug)]
pub enum Ending {
    /// The options are asked for.
    Usage,
    /// The version is asked for.
    Version,
    /// A line for the user; the status is 1.
    Refusal(String),
}

/// How long `--pipe` waits for a reply if the user does not say it.
const DEFAULT_PIPE_TIMEOUT_S: i64 = 30;

/// Options of redis-cli that this client does not have, and why.
const ABSENT: [(&[&str], &str); 4] = [
    (&["-c", "--cluster"], "this client knows no cluster"),
    (
        &[
            "--tls",
            "--sni",
            "--cacert",
            "--cacertdir",
            "--insecure",
            "--cert",
            "--key",
            "--tls-ciphers",
            "--tls-ciphersuites",
        ],
        "this client knows no TLS: use stunnel",
    ),
    (
        &["--ldb", "--ldb-sync-mode"],
        "this client has no debugger of scripts",
    ),
    (&["--lru-test"], "use tools/bench.sh eviction"),
];

impl Options {
    /// What is so if the command line says nothing else.
    fn new(is_for_people: bool) -> Options {
        Options {
            address: Address::Tcp {
                host: "127.0.0.1".into(),
                port: 6379,
            },
            user: None,
            password: None,
            asks_password: false,
            warns_of_password: true,
            database: 0,
            resp2: false,
            resp3: false,
            format: Format {
                kind: match is_for_people {
                    true => Kind::Pretty,
                    false => Kind::Raw,
                },
                element_delimiter: b"\n".to_vec(),
                reply_delimiter: b"\n".to_vec(),
            },
            shows_pushes: is_for_people,
            repeat: 1,
            interval: Duration::ZERO,
            quoted_input: false,
            last_from_input: false,
            tag_from_input: None,
            errors_are_failures: false,
            wire: WireOption::Off,
            tells_times: false,
            pattern: None,
            memory_samples: None,
            latency_history: false,
            intrinsic_latency_s: 0,
            mode: Mode::Command,
            snapshot_file: PathBuf::new(),
            pipe_timeout_s: DEFAULT_PIPE_TIMEOUT_S,
            script: PathBuf::new(),
            command: Vec::new(),
        }
    }

    /// Reads the words after the program's name. `is_for_people` says that the output is a terminal.
    pub fn parse(words: Vec<OsString>, is_for_people: bool) -> Result<Options, Ending> {
        let mut options = Options::new(is_for_people);
        let mut socket = None;
        let mut words = words.into_iter().peekable();
        while let Some(word) = words.next_if(|word| word.as_bytes().starts_with(b"-")) {
            let name = word.to_string_lossy().into_owned();
            if options.set_flag(&name)? {
                continue;
            }
            let Some(value) = words.next_if(|_| takes_value(&name)) else {
                return Err(match name == "-h" {
                    true => Ending::Usage,
                    false => unknown(&name),
                });
            };
            match name.as_str() {
                "-s" => socket = Some(Address::Unix(value.into())),
                name => options.set_value(name, value.into_vec())?,
            }
        }
        options.command = words.map(OsString::into_vec).collect();
        // The socket wins over host and port, wherever it stands.
        options.address = socket.unwrap_or(options.address);
        options.check()?;
        Ok(options)
    }

    /// Sets an option without a value. The result is `false` if there is no such option.
    fn set_flag(&mut self, name: &str) -> Result<bool, Ending> {
        match name {
            "--help" => return Err(Ending::Usage),
            "-v" | "--version" => return Err(Ending::Version),
            "--askpass" => self.asks_password = true,
            "--no-auth-warning" => self.warns_of_password = false,
            "-2" => self.resp2 = true,
            "-3" => self.resp3 = true,
            "-x" => self.last_from_input = true,
            "-e" => self.errors_are_failures = true,
            "--raw" => self.format.kind = Kind::Raw,
            "--no-raw" => self.format.kind = Kind::Pretty,
            "--csv" => self.format.kind = Kind::Csv,
            "--json" => self.format.kind = Kind::Json,
            "--quoted-json" => self.format.kind = Kind::QuotedJson,
            "--quoted-input" => self.quoted_input = true,
            // redis-cli tells more then of what it does with clusters, and of nothing else.
            "--verbose" => {}
            "--wire" => self.wire = WireOption::Lines,
            "--wire=both" => self.wire = WireOption::Both,
            "--time" => self.tells_times = true,
            name => return Ok(self.set_mode(name)),
        }
        Ok(true)
    }

    /// Sets a mode without a value. The result is `false` if there is no such option.
    fn set_mode(&mut self, name: &str) -> bool {
        let mode = match name {
            "--latency" => Mode::Latency,
            "--latency-history" => {
                self.latency_history = true;
                Mode::Latency
            }
            "--latency-dist" => Mode::LatencySpectrum,
            "--replica" | "--slave" => Mode::Replica,
            "--pipe" => Mode::Pipe,
            "--bigkeys" => Mode::BigKeys,
            "--memkeys" => Mode::MemoryKeys,
            "--hotkeys" => Mode::HotKeys,
            "--stat" => Mode::Stat,
            "--scan" => Mode::Scan,
            _ => return false,
        };
        self.mode = self.mode.min(mode);
        true
    }

    /// Sets an option that has a value.
    fn set_value(&mut self, name: &str, value: Vec<u8>) -> Result<(), Ending> {
        let number = || c_number::integer(&value);
        let text = || String::from_utf8_lossy(&value).into_owned();
        match name {
            "-h" => self.set_place(Some(text()), None)?,
            "-p" => self.set_place(None, Some(number()))?,
            "-u" => self.set_uri(&text())?,
            "--user" => self.user = Some(value),
            "-a" | "--pass" => self.password = Some(value),
            "-n" => self.database = number(),
            "-r" => self.repeat = number(),
            "-i" => {
                let seconds = c_number::float(&value);
                self.interval = Duration::try_from_secs_f64(seconds).unwrap_or_default();
            }
            "-X" => self.tag_from_input = Some(value),
            "-d" => self.format.element_delimiter = value,
            "-D" => self.format.reply_delimiter = value,
            "--show-pushes" => {
                self.shows_pushes = yes_or_no(&text()).unwrap_or(self.shows_pushes);
            }
            "--pipe-timeout" => self.pipe_timeout_s = number(),
            "--rdb" => self.set_snapshot(Mode::Snapshot, value)?,
            "--functions-rdb" => self.set_snapshot(Mode::FunctionsSnapshot, value)?,
            "--pattern" => self.pattern = Some(value),
            "--quoted-pattern" => {
                let fault = "Invalid quoted string specified for --quoted-pattern.";
                let pattern = unquote(&value).ok_or_else(|| Ending::Refusal(fault.into()))?;
                self.pattern = Some(pattern);
            }
            "--memkeys-samples" => {
                self.memory_samples = Some(number());
                self.mode = self.mode.min(Mode::MemoryKeys);
            }
            "--intrinsic-latency" => {
                self.intrinsic_latency_s = number();
                self.mode = self.mode.min(Mode::IntrinsicLatency);
            }
            "--wire=html" => self.wire = WireOption::Page(OsString::from_vec(value).into()),
            "--eval" => {
                self.script = OsString::from_vec(value).into();
                self.mode = self.mode.min(Mode::Eval);
            }
            name => return Err(unknown(name)),
        }
        Ok(())
    }

    fn set_snapshot(&mut self, mode: Mode, file: Vec<u8>) -> Result<(), Ending> {
        let snapshots = [Mode::Snapshot, Mode::FunctionsSnapshot];
        if snapshots.contains(&self.mode) && self.mode != mode {
            let line = "Option --functions-rdb and --rdb are mutually exclusive.";
            return Err(Ending::Refusal(line.into()));
        }
        self.snapshot_file = OsString::from_vec(file).into();
        self.mode = self.mode.min(mode);
        Ok(())
    }

    fn set_place(&mut self, host: Option<String>, port: Option<i64>) -> Result<(), Ending> {
        let Address::Tcp {
            host: old_host,
            port: old_port,
        } = &mut self.address
        else {
            unreachable!("a socket is set when all words are read");
        };
        *old_host = host.unwrap_or(std::mem::take(old_host));
        if let Some(port) = port {
            *old_port = address::port(port).map_err(|fault| Ending::Refusal(fault.into()))?;
        }
        Ok(())
    }

    fn set_uri(&mut self, text: &str) -> Result<(), Ending> {
        let uri = Uri::parse(text).map_err(|fault| Ending::Refusal(fault.into()))?;
        self.user = uri.user.or(self.user.take());
        self.password = uri.password.or(self.password.take());
        self.database = uri.database.unwrap_or(self.database);
        self.set_place(uri.host, uri.port)
    }

    /// Refuses what contradicts itself.
    fn check(&self) -> Result<(), Ending> {
        let exclusive = |one, other| {
            let line = format!("Options {one} and {other} are mutually exclusive.");
            Err(Ending::Refusal(line))
        };
        if self.resp2 && self.resp3 {
            return exclusive("-2", "-3");
        }
        if self.last_from_input && self.tag_from_input.is_some() {
            return exclusive("-x", "-X");
        }
        Ok(())
    }

    /// Whether the session is to begin in RESP3: JSON has objects, for which RESP2 has no type.
    pub fn wants_resp3(&self) -> bool {
        let is_json = matches!(self.format.kind, Kind::Json | Kind::QuotedJson);
        self.resp3 || (is_json && !self.resp2)
    }

    /// The command line's arguments as they are meant. `None` if one of them is quoted badly.
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

/// Whether an option takes a value. An option that does not exist takes none.
fn takes_value(name: &str) -> bool {
    const WITH_VALUE: &[&str] = &[
        "-h",
        "-p",
        "-s",
        "-u",
        "--user",
        "-a",
        "--pass",
        "-n",
        "-r",
        "-i",
        "-X",
        "-d",
        "-D",
        "--show-pushes",
        "--pipe-timeout",
        "--rdb",
        "--functions-rdb",
        "--pattern",
        "--quoted-pattern",
        "--memkeys-samples",
        "--intrinsic-latency",
        "--wire=html",
        "--eval",
    ];
    WITH_VALUE.contains(&name)
}

/// What `--show-pushes` says. As in redis-cli, another word is told and then ignored.
fn yes_or_no(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_bytes().first() {
        Some(b'y') => Some(true),
        Some(b'n') => Some(false),
        _ => {
            complain!("Unknown --show-pushes value '{text}' (valid: '[y]es', '[n]o')");
            None
        }
    }
}

fn unknown(name: &str) -> Ending {
    let absent = ABSENT.iter().find(|(options, _)| options.contains(&name));
    Ending::Refusal(match absent {
        Some((_, reason)) => format!("Option {name} is not supported: {reason}."),
        None => format!("Unrecognized option or bad number of args for: '{name}'"),
    })
}
