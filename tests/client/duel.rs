//! Two clients, redis-cli and ours, that run the same command lines.
//!
//! A command line is written as for a shell: `REDISCLI_AUTH=secret -n 2 -x SET key <<< "value"`. The words with `=` at
//! the start are environment variables, and the word behind `<<<` is the standard input.

use super::terminal::Terminal;
use crate::common::{Client, Folder, Server, redis_tool, valkey, wait_until};
use my_redis_server::util::quoting::{quote, split_arguments};
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a client may take before it is killed, which shows in its status.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a client has printed, and how it has ended.
#[derive(PartialEq)]
pub struct Run {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub status: ExitStatus,
    /// What the server holds then.
    pub digest: String,
}

/// Both clients and the server that they use in turn. Command lines of [`Duel::check`] get `-p` and its port.
pub struct Duel {
    pub server: Server,
    pub folder: Folder,
    /// Commands that bring the server into the same state before each of the two runs.
    setup: Vec<Vec<Vec<u8>>>,
    /// Words that stand for others: `PORT`, `SOCKET`.
    names: Vec<(&'static str, String)>,
    /// Whether the state stays as it is.
    is_set_up: bool,
    differences: Vec<String>,
}

impl Duel {
    /// Clients of a real server.
    pub fn new(options: &[&str]) -> Duel {
        Duel::with(options, Server::real)
    }

    /// Clients of our server.
    pub fn with_our_server(options: &[&str]) -> Duel {
        Duel::with(options, Server::ours)
    }

    /// Clients of Valkey.
    pub fn with_valkey(options: &[&str]) -> Duel {
        Duel::with(options, |folder, options| {
            Server::of_program(folder, options, valkey)
        })
    }

    fn with(options: &[&str], start: impl Fn(&Folder, &[&str]) -> Server) -> Duel {
        let folder = Folder::new();
        let socket = folder.path().join("socket").display().to_string();
        let all = [
            &["--unixsocket", &socket, "--enable-debug-command", "yes"],
            options,
        ]
        .concat();
        let server = start(&folder, &all);
        let names = vec![("PORT", server.port.to_string()), ("SOCKET", socket)];
        Duel {
            server,
            folder,
            setup: Vec::new(),
            is_set_up: false,
            names,
            differences: Vec::new(),
        }
    }

    /// Commands before each run, which follow a FLUSHALL.
    pub fn set_up(&mut self, lines: &[&str]) {
        let split =
            |line: &&str| split_arguments(line.as_bytes()).expect("the quotes are balanced");
        self.setup = lines.iter().map(split).collect();
    }

    /// Commands that are given once, so that both clients find the same tables, whose order SCAN tells.
    pub fn set_up_once(&mut self, lines: &[&str]) {
        self.set_up(lines);
        self.prepare_server();
        self.is_set_up = true;
        let mut client = self.server.client();
        wait_until("the tables have their final size", || {
            !client.ask("DEBUG HTSTATS 0").contains("rehashing target")
        });
    }

    /// Lets a word of the command lines stand for another.
    pub fn name(&mut self, name: &'static str, meaning: &str) {
        self.names.push((name, meaning.to_string()));
    }

    /// Runs a command line, with the port of the server in front, in both clients, and notes what is different.
    pub fn check(&mut self, line: &str) {
        let words = line.split(' ');
        let variables: Vec<&str> = words
            .take_while(|word| is_variable(word.as_bytes()))
            .collect();
        let rest = &line[variables.iter().map(|word| word.len() + 1).sum()..];
        self.check_bare(&format!("{} -p PORT {rest}", variables.join(" ")));
    }

    /// Runs a command line as it is.
    pub fn check_bare(&mut self, line: &str) {
        let [real, ours] = self.run_both(line);
        if real != ours {
            self.report(line, &format!("{real:?}"), &format!("{ours:?}"));
        }
    }

    /// Gives lines to the prompts of both clients, and notes what is different. What names the program names the other.
    pub fn check_session(&mut self, options: &str, lines: &str) {
        let mut input = Vec::new();
        quote(lines.as_bytes(), &mut input);
        let input = String::from_utf8(input).expect("what is quoted is ASCII");
        let line = format!("-p PORT {options} <<< {input}");
        let [mut real, ours] = self.run_both(&line);
        real.stdout = replaced(&real.stdout, "redis-cli", "my_redis_client");
        if real != ours {
            self.report(&line, &format!("{real:?}"), &format!("{ours:?}"));
        }
    }

    /// Runs a command line in both clients, and notes what is different. The lines of a summary may have any order,
    /// because redis-cli has its types in a hash table.
    pub fn check_summary(&mut self, line: &str) {
        self.check_changed(line, |text| match text.split_once("summary") {
            Some((report, summary)) => report.to_string() + &sorted(summary),
            None => text.to_string(),
        });
    }

    /// Runs a command line in both clients, and notes what is different. The lines of the output may have any order,
    /// because our server has its keys in another order each time.
    pub fn check_sorted(&mut self, line: &str) {
        self.check_changed(line, sorted);
    }

    /// Runs a command line in both clients, and notes where the outputs are different that `change` makes of theirs.
    fn check_changed(&mut self, line: &str, change: impl Fn(&str) -> String) {
        let line = format!("-p PORT {line}");
        let [real, ours] = self.run_both(&line).map(|mut run| {
            run.stdout = change(&String::from_utf8_lossy(&run.stdout)).into_bytes();
            run
        });
        if real != ours {
            self.report(&line, &format!("{real:?}"), &format!("{ours:?}"));
        }
    }

    /// Runs a command line in both clients, and notes where their words are different, their colours left out.
    pub fn check_words(&mut self, line: &str) {
        let [real, ours] = self.run_both(&format!("-p PORT {line}"));
        let [mut real, ours] =
            [real, ours].map(|run| String::from_utf8_lossy(&run.stdout).into_owned());
        for colour in ["\x1b[0m", "\x1b[1m", "\x1b[90m", "\x1b[33m"] {
            real = real.replace(colour, "");
        }
        if real != ours {
            self.report(line, &real, &ours);
        }
    }

    /// Notes a difference.
    pub fn report(&mut self, line: &str, real: &str, ours: &str) {
        self.differences.push(format!(
            "{line}\n  redis-cli: {real}\n  ours:      {ours}\n"
        ));
    }

    /// Runs a command line in both clients; redis-cli is the first.
    pub fn run_both(&self, line: &str) -> [Run; 2] {
        [redis_tool("redis-cli"), our_client()].map(|program| {
            self.prepare_server();
            let mut run = self.run(program, line);
            run.digest = self.digest();
            // Which of the two it is depends on what the system does first when the server closes a connection.
            let (reset, closed) = ("Connection reset by peer", "Server closed the connection");
            run.stderr = replaced(&run.stderr, reset, closed);
            run
        })
    }

    /// Runs a command line in our client alone.
    pub fn run_ours(&self, line: &str) -> Run {
        self.prepare_server();
        self.run(our_client(), line)
    }

    /// Runs a command line in our client alone, with the server as it is.
    pub fn run_ours_unprepared(&self, line: &str) -> Run {
        self.run(our_client(), line)
    }

    /// Brings the server into its state.
    pub fn prepare_server(&self) {
        if self.is_set_up {
            return;
        }
        // A server with a password has the data that it has.
        let Ok(mut client) = Client::try_connect(self.server.port) else {
            return;
        };
        client.call(&["FLUSHALL"]);
        for command in &self.setup {
            client.call(command);
        }
    }

    /// What tells whether both clients have sent the same commands.
    fn digest(&self) -> String {
        self.server.client().ask("DEBUG DIGEST")
    }

    /// Runs a program with the arguments, variables and input that the line says.
    pub fn run(&self, program: Command, line: &str) -> Run {
        let mut words = self.words(line);
        let mut input = Vec::new();
        if let [.., mark, text] = words.as_slice()
            && mark == b"<<<"
        {
            input = text.clone();
            words.truncate(words.len() - 2);
        }
        finish(self.with_words(program, &words), &input)
    }

    /// A program with the arguments and variables that the line says, ready to be started.
    pub fn command(&self, program: Command, line: &str) -> Command {
        self.with_words(program, &self.words(line))
    }

    /// Both clients in terminals, one after the other, and what `watch` makes of each.
    pub fn terminals<T>(&self, line: &str, watch: impl Fn(Terminal) -> T) -> [T; 2] {
        [redis_tool("redis-cli"), our_client()].map(|program| {
            self.prepare_server();
            watch(Terminal::start(self.command(program, line)))
        })
    }

    /// A program of the system that starts our client with the arguments that the line says.
    pub fn wrapped(&self, program: &str, arguments: &[&str], line: &str) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).arg(our_client().get_program());
        self.command(command, line)
    }

    fn with_words(&self, mut program: Command, words: &[Vec<u8>]) -> Command {
        program
            .env("HOME", self.folder.path())
            .current_dir(self.folder.path());
        let variables = words.iter().take_while(|word| is_variable(word)).count();
        let (variables, arguments) = words.split_at(variables);
        for word in variables {
            let mut parts = word.splitn(2, |byte| *byte == b'=').map(OsStr::from_bytes);
            let (name, value) = (parts.next(), parts.next());
            program.env(name.expect("it has a name"), value.expect("it has a value"));
        }
        program.args(arguments.iter().map(|word| OsStr::from_bytes(word)));
        program
    }

    /// The words of a line, with the names replaced by their meanings.
    fn words(&self, line: &str) -> Vec<Vec<u8>> {
        let mut words = split_arguments(line.as_bytes()).expect("the quotes are balanced");
        for word in &mut words {
            for (name, meaning) in &self.names {
                *word = replaced(word, name, meaning);
            }
        }
        words
    }

    /// Fails if anything was different.
    pub fn finish(self) {
        let count = self.differences.len();
        assert!(
            count == 0,
            "{count} differences\n{}",
            self.differences.join("\n")
        );
    }
}

/// The text with one `#` for each number.
pub fn without_digits(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut shown = String::new();
    for letter in text.chars() {
        match letter.is_ascii_digit() || (letter == '.' && shown.ends_with('#')) {
            true if shown.ends_with('#') => {}
            true => shown.push('#'),
            false => shown.push(letter),
        }
    }
    shown
}

/// Whether a word of a command line sets a variable of the environment.
fn is_variable(word: &[u8]) -> bool {
    let name = word.split(|byte| *byte == b'=').next().unwrap_or_default();
    let is_capital = |byte: &u8| byte.is_ascii_uppercase() || *byte == b'_';
    name.len() < word.len() && name.len() > 1 && name.iter().all(is_capital)
}

/// The lines of a text in order.
fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// The text with a part replaced; a text that is no UTF-8 stays as it is.
pub fn replaced(text: &[u8], old: &str, new: &str) -> Vec<u8> {
    match String::from_utf8(text.to_vec()) {
        Ok(text) => text.replace(old, new).into_bytes(),
        Err(_) => text.to_vec(),
    }
}

/// Our client, without the variables of the environment that it would heed.
pub fn our_client() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_my_redis_client"));
    command.env_remove("REDISCLI_AUTH");
    command
}

/// Runs a program to its end, with an input.
fn finish(mut program: Command, input: &[u8]) -> Run {
    program
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut process = program.spawn().expect("the program can be started");
    let mut stdin = process.stdin.take().expect("it is piped");
    let mut stdout = process.stdout.take().expect("it is piped");
    let mut stderr = process.stderr.take().expect("it is piped");
    let read = |stream: &mut dyn Read| {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("it can be read");
        bytes
    };
    thread::scope(|scope| {
        let printed = scope.spawn(move || read(&mut stdout));
        let complained = scope.spawn(move || read(&mut stderr));
        scope.spawn(move || {
            // A program that does not read its input closes it.
            let _ = stdin.write_all(input);
        });
        let began = Instant::now();
        let status = loop {
            if let Some(status) = process.try_wait().expect("the process can be asked") {
                break status;
            }
            // The threads that read can end only when the process has.
            if began.elapsed() > PATIENCE {
                process.kill().expect("it runs");
            }
            thread::sleep(Duration::from_millis(1));
        };
        Run {
            stdout: printed.join().expect("it was read"),
            stderr: complained.join().expect("it was read"),
            status,
            digest: String::new(),
        }
    })
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let (stdout, stderr) = (self.stdout.escape_ascii(), self.stderr.escape_ascii());
        write!(
            f,
            "{} stdout {stdout} stderr {stderr} data {}",
            self.status, self.digest
        )
    }
}
