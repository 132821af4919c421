//! Reads the command line: options first, then the command with its arguments.
//!
//! pico-args is not used here, because it looks for options among all words. As in redis-cli, the first word that is no
//! option begins the command, and what follows belongs to it: in `my_redis_client -n 2 SET key -n`, the second `-n` is
//! a value.

use crate::address::{self, Address, Uri};
use crate::c_number;
use crate::format::Kind;
use crate::options::{Mode, Options, WireOption, unquote};
use crate::target::Target;
use crate::terminal::complain;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

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

/// Reads the words after the program's name. `is_for_people` says that the output is a terminal.
pub fn read(words: Vec<OsString>, is_for_people: bool) -> Result<(Options, Target), Ending> {
    let mut reader = Reader::new(is_for_people);
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next_if(|word| word.as_bytes().starts_with(b"-")) {
        let name = word.to_string_lossy();
        let is_known = reader.set_flag(&name)?
            || reader.set_mode(&name)
            || reader.set_value(&name, &mut words)?;
        if !is_known {
            return Err(unknown(&name));
        }
    }
    reader.options.command = words.map(OsString::into_vec).collect();
    reader.finish()
}

/// What the words have said so far.
struct Reader {
    options: Options,
    host: String,
    port: u16,
    /// Wins over host and port, wherever it stands.
    socket: Option<PathBuf>,
    user: Option<Vec<u8>>,
    password: Option<Vec<u8>>,
    database: i64,
}

impl Reader {
    fn new(is_for_people: bool) -> Reader {
        Reader {
            options: Options::new(is_for_people),
            host: "127.0.0.1".into(),
            port: 6379,
            socket: None,
            user: None,
            password: None,
            database: 0,
        }
    }

    /// Sets an option without a value. The result is `false` if there is no such option.
    fn set_flag(&mut self, name: &str) -> Result<bool, Ending> {
        match name {
            "--help" => return Err(Ending::Usage),
            "-v" | "--version" => return Err(Ending::Version),
            "--askpass" => self.options.asks_password = true,
            "--no-auth-warning" => self.options.warns_of_password = false,
            "-2" => self.options.resp2 = true,
            "-3" => self.options.resp3 = true,
            "-x" => self.options.last_from_input = true,
            "-e" => self.options.errors_are_failures = true,
            "--raw" => self.options.format.kind = Kind::Raw,
            "--no-raw" => self.options.format.kind = Kind::Pretty,
            "--csv" => self.options.format.kind = Kind::Csv,
            "--json" => self.set_json(Kind::Json),
            "--quoted-json" => self.set_json(Kind::QuotedJson),
            "--quoted-input" => self.options.quoted_input = true,
            // redis-cli tells more then of what it does with clusters, and of nothing else.
            "--verbose" => {}
            "--wire" => self.options.wire = WireOption::Lines,
            "--wire=both" => self.options.wire = WireOption::Both,
            "--time" => self.options.tells_times = true,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Sets one of the two kinds of JSON. A later `--csv` or `--raw` changes the output, but not the protocol.
    fn set_json(&mut self, kind: Kind) {
        self.options.format.kind = kind;
        self.options.json_is_asked = true;
    }

    /// Sets a mode without a value. The result is `false` if there is no such option.
    fn set_mode(&mut self, name: &str) -> bool {
        let mode = match name {
            "--latency" => Mode::Latency,
            "--latency-history" => {
                self.options.latency_history = true;
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
        self.options.mode = self.options.mode.min(mode);
        true
    }

    /// Sets an option whose value is the next word. The result is `false` if there is no such option.
    fn set_value(
        &mut self,
        name: &str,
        words: &mut impl Iterator<Item = OsString>,
    ) -> Result<bool, Ending> {
        let options = &mut self.options;
        let mut value = || match words.next() {
            Some(word) => Ok(word.into_vec()),
            None => Err(without_value(name)),
        };
        match name {
            "-h" => self.host = text(&value()?),
            "-p" => self.port = port(number(&value()?))?,
            "-s" => self.socket = Some(path(value()?)),
            "-u" => self.set_uri(&text(&value()?))?,
            "--user" => self.user = Some(value()?),
            "-a" | "--pass" => self.password = Some(value()?),
            "-n" => self.database = number(&value()?),
            "-r" => options.repeat = number(&value()?),
            "-i" => {
                let seconds = c_number::float(&value()?);
                options.interval = Duration::try_from_secs_f64(seconds).unwrap_or_default();
            }
            "-X" => options.tag_from_input = Some(value()?),
            "-d" => options.format.element_delimiter = value()?,
            "-D" => options.format.reply_delimiter = value()?,
            "--show-pushes" => {
                let said = yes_or_no(&text(&value()?));
                options.shows_pushes = said.unwrap_or(options.shows_pushes);
            }
            "--pipe-timeout" => options.pipe_timeout_s = number(&value()?),
            "--rdb" => self.set_snapshot(Mode::Snapshot, value()?)?,
            "--functions-rdb" => self.set_snapshot(Mode::FunctionsSnapshot, value()?)?,
            "--pattern" => options.pattern = Some(value()?),
            "--quoted-pattern" => {
                let fault = "Invalid quoted string specified for --quoted-pattern.";
                let pattern = unquote(&value()?).ok_or_else(|| Ending::Refusal(fault.into()))?;
                options.pattern = Some(pattern);
            }
            "--memkeys-samples" => {
                options.memory_samples = Some(number(&value()?));
                options.mode = options.mode.min(Mode::MemoryKeys);
            }
            "--intrinsic-latency" => {
                options.intrinsic_latency_s = number(&value()?);
                options.mode = options.mode.min(Mode::IntrinsicLatency);
            }
            "--wire=html" => options.wire = WireOption::Page(path(value()?)),
            "--eval" => {
                options.script = path(value()?);
                options.mode = options.mode.min(Mode::Eval);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn set_snapshot(&mut self, mode: Mode, file: Vec<u8>) -> Result<(), Ending> {
        let snapshots = [Mode::Snapshot, Mode::FunctionsSnapshot];
        if snapshots.contains(&self.options.mode) && self.options.mode != mode {
            let line = "Option --functions-rdb and --rdb are mutually exclusive.";
            return Err(Ending::Refusal(line.into()));
        }
        self.options.snapshot_file = path(file);
        self.options.mode = self.options.mode.min(mode);
        Ok(())
    }

    fn set_uri(&mut self, text: &str) -> Result<(), Ending> {
        let uri = Uri::parse(text).map_err(|fault| Ending::Refusal(fault.into()))?;
        self.user = uri.user.or(self.user.take());
        self.password = uri.password.or(self.password.take());
        self.database = uri.database.unwrap_or(self.database);
        if let Some(host) = uri.host {
            self.host = host;
        }
        if let Some(number) = uri.port {
            self.port = port(number)?;
        }
        Ok(())
    }

    /// Refuses what contradicts itself.options.
    fn check(&self) -> Result<(), Ending> {
        let exclusive = |one, other| {
            let line = format!("Options {one} and {other} are mutually exclusive.");
            Err(Ending::Refusal(line))
        };
        if self.options.resp2 && self.options.resp3 {
            return exclusive("-2", "-3");
        }
        if self.options.last_from_input && self.options.tag_from_input.is_some() {
            return exclusive("-x", "-X");
        }
        Ok(())
    }

    /// What all words say together.
    fn finish(mut self) -> Result<(Options, Target), Ending> {
        self.check()?;
        // Errors end a command of the command line alone.
        self.options.errors_are_failures &= !self.options.is_for_prompt();
        let (host, port) = (self.host, self.port);
        let tcp = Address::Tcp { host, port };
        let target = Target {
            address: self.socket.map_or(tcp, Address::Unix),
            user: self.user,
            password: self.password,
            database: self.database,
        };
        Ok((self.options, target))
    }
}

fn number(value: &[u8]) -> i64 {
    c_number::integer(value)
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

fn path(value: Vec<u8>) -> PathBuf {
    OsString::from_vec(value).into()
}

fn port(number: i64) -> Result<u16, Ending> {
    address::port(number).map_err(|fault| Ending::Refusal(fault.into()))
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

/// What is said of an option that is the last word, and must not be.
fn without_value(name: &str) -> Ending {
    match name {
        "-h" => Ending::Usage,
        name => unknown(name),
    }
}

fn unknown(name: &str) -> Ending {
    let absent = ABSENT.iter().find(|(options, _)| options.contains(&name));
    Ending::Refusal(match absent {
        Some((_, reason)) => format!("Option {name} is not supported: {reason}."),
        None => format!("Unrecognized option or bad number of args for: '{name}'"),
    })
}
