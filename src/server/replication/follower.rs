//! The thread that follows a primary: connects, asks for what this server lacks, and carries out the stream.
//!
//! # Invariants
//! 1. The end of the backlog says what has been carried out: all commands up to there, and no other.
//! 2. The old data stay until a whole snapshot has arrived and is found to be sound.

use super::apply::Applier;
use super::connect::connect;
use super::handshake::{self, Answer};
use super::receive;
use crate::command::execute::Engine;
use crate::server::log_feed::LogFeed;
use crate::state::replication::link::{Address, Stage};
use crate::util::clock;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// The pause after a failure. It doubles each time a whole snapshot has been sent in vain.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A link that has lasted for less counts as a failure.
const SHORT_LINK: Duration = Duration::from_secs(1);
/// The time between two acknowledgements, and the longest that a read waits.
pub const ACK_PERIOD: Duration = Duration::from_secs(1);
/// Bytes that are read at once.
const INPUT_BYTES: usize = 64 * 1024;

/// Follows whatever primary is set, until the process ends.
pub fn run(feed: &Arc<LogFeed>) {
    let engine = &*feed.engine;
    let link = &engine.replication.link;
    let mut pause = PAUSE;
    loop {
        let (number, address) = link.wait_for_primary();
        let began = Instant::now();
        let Address { host, port } = &address;
        engine
            .log
            .notice(format_args!("Connecting to MASTER {host}:{port}"));
        let followed = PrimaryConnection::connect(engine, number, &address)
            .and_then(|mut connection| connection.follow());
        link.set_socket(number, None);
        if !link.is_current(number) {
            pause = PAUSE;
            continue;
        }
        let mut was_in_vain = false;
        if let Err(error) = followed {
            was_in_vain = error.kind() == ErrorKind::InvalidData;
            let line = format_args!("MASTER <-> REPLICA sync: {error}");
            engine.log.warning(line);
        }
        link.figures.note_down(clock::unix_ms());
        let was_up = link.stage() == Stage::Connected;
        link.set_stage(number, Stage::Connect);
        if was_up {
            engine.log.warning("Connection with master lost.");
        }
        if was_up && began.elapsed() > SHORT_LINK {
            // It is tried again at once.
            pause = PAUSE;
            continue;
        }
        link.rest(number, pause);
        pause = match was_in_vain {
            true => (2 * pause).min(LONGEST_PAUSE),
            false => PAUSE,
        };
    }
}

/// A connection to the primary.
pub struct PrimaryConnection<'a> {
    /// The server.
    pub engine: &'a Engine,
    /// The number of the target.
    pub number: u64,
    /// What the primary sends.
    pub input: BufReader<TcpStream>,
}

impl<'a> PrimaryConnection<'a> {
    fn connect(
        engine: &'a Engine,
        number: u64,
        address: &Address,
    ) -> io::Result<PrimaryConnection<'a>> {
        let link = &engine.replication.link;
        link.set_stage(number, Stage::Connecting);
        let timeout = Duration::from_secs(engine.config.repl_timeout.get() as u64);
        let stream = connect(link, number, address, timeout)?;
        stream.set_nodelay(!engine.config.repl_disable_tcp_nodelay.get())?;
        stream.set_read_timeout(Some(ACK_PERIOD))?;
        stream.set_write_timeout(Some(timeout))?;
        if !link.set_socket(number, Some(stream.try_clone()?)) {
            return Err(ErrorKind::Interrupted.into());
        }
        link.figures.note_heard(clock::unix_ms());
        engine.log.notice("MASTER <-> REPLICA sync started");
        Ok(PrimaryConnection {
            engine,
            number,
            input: BufReader::with_capacity(INPUT_BYTES, stream),
        })
    }

    fn follow(&mut self) -> io::Result<()> {
        let replication = &self.engine.replication;
        replication.link.set_stage(self.number, Stage::Handshake);
        match handshake::ask(self)? {
            Answer::Continue(id) => {
                self.engine.log.notice(
                    "MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.",
                );
                let _applying = self.apply()?;
                if let Some(id) = id {
                    replication.rename_stream(&id);
                }
            }
            Answer::Full { id, offset } => {
                self.engine
                    .log
                    .notice(format_args!("Full resync from master: {id}:{offset}"));
                replication.link.set_stage(self.number, Stage::Transfer);
                self.while_telling(|connection| receive::receive(connection, &id, offset))?;
                let line = "MASTER <-> REPLICA sync: Finished with success";
                self.engine.log.notice(line);
            }
        }
        replication.link.set_stage(self.number, Stage::Connected);
        replication.link.figures.note_up();
        self.carry_out()
    }

    /// The right to change what this server has of the stream: no other thread sets another primary meanwhile.
    ///
    /// # Errors
    /// Another one has been set.
    pub fn apply(&self) -> io::Result<MutexGuard<'a, ()>> {
        let replication = &self.engine.replication;
        let applying = replication.applying();
        match replication.link.is_current(self.number) {
            true => Ok(applying),
            false => Err(io::Error::other("another master has been set")),
        }
    }

    /// Carries out the stream, as long as the connection lasts.
    fn carry_out(&mut self) -> io::Result<()> {
        let mut applier = Applier::new(self.engine, self.number);
        self.acknowledge(&mut applier)?;
        let mut acked_at = Instant::now();
        loop {
            let wants_ack = match self.fill()? {
                0 => false,
                len => {
                    let wants_ack = applier.apply(self.input.buffer())?;
                    self.input.consume(len);
                    wants_ack
                }
            };
            if wants_ack || acked_at.elapsed() >= ACK_PERIOD {
                self.acknowledge(&mut applier)?;
                acked_at = Instant::now();
            }
        }
    }

    /// Does something that takes long, while a thread tells the primary every second that this server is alive: by an
    /// empty line, as in Redis.
    fn while_telling<T>(&mut self, work: impl FnOnce(&mut Self) -> io::Result<T>) -> io::Result<T> {
        let mut stream = self.input.get_ref().try_clone()?;
        let (ended, end) = mpsc::channel::<()>();
        thread::scope(|scope| {
            let tell = move || {
                while end.recv_timeout(ACK_PERIOD) == Err(RecvTimeoutError::Timeout) {
                    // If the connection is lost, the work ends by that.
                    let _ = stream.write_all(b"\n");
                }
            };
            let teller = thread::Builder::new().name("teller".to_string());
            teller.spawn_scoped(scope, tell)?;
            let done = work(self);
            drop(ended);
            done
        })
    }

    /// Tells the primary up to which offset the stream has been carried out, and is on the disk.
    fn acknowledge(&mut self, applier: &mut Applier<'_>) -> io::Result<()> {
        let applied = self.engine.replication.backlog.end().to_string();
        match applier.on_disk() {
            None => self.say(&["REPLCONF", "ACK", &applied]),
            Some(on_disk) => self.say(&["REPLCONF", "ACK", &applied, "FACK", &on_disk.to_string()]),
        }
    }

    /// Sends the primary a command.
    pub fn say(&mut self, words: &[&str]) -> io::Result<()> {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let mut request = Vec::new();
        crate::resp::request_writer::write_command(&mut request, &words)?;
        self.send(&request)
    }

    /// Sends the primary bytes.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.input.get_mut().write_all(bytes)
    }

    /// Waits for bytes, for an [`ACK_PERIOD`] at most, unless some are there. Returns how many bytes there are; 0 if
    /// none came.
    ///
    /// # Errors
    /// The connection has ended, or the primary has been silent for `repl-timeout`.
    pub fn fill(&mut self) -> io::Result<usize> {
        let figures = &self.engine.replication.link.figures;
        match self.input.fill_buf() {
            Ok([]) => Err(io::Error::new(
                ErrorKind::UnexpectedEof,
                "the master has closed the connection",
            )),
            Ok(bytes) => {
                figures.note_heard(clock::unix_ms());
                Ok(bytes.len())
            }
            Err(error) if is_timeout(&error) => {
                let silent_ms = clock::unix_ms() - figures.heard_at_ms.load(Relaxed);
                if silent_ms > 1000 * self.engine.config.repl_timeout.get() {
                    return Err(io::Error::new(
                        ErrorKind::TimedOut,
                        "MASTER timeout: no data nor PING received...",
                    ));
                }
                Ok(0)
            }
            Err(error) => Err(error),
        }
    }

    /// The next line that is not empty. Empty ones say that the primary is alive.
    pub fn line(&mut self) -> io::Result<String> {
        const LONGEST: usize = 1024;
        let mut line = Vec::new();
        loop {
            if self.fill()? == 0 {
                continue;
            }
            let mut byte = [0];
            self.input.read_exact(&mut byte)?;
            match byte {
                [b'\n'] if line.is_empty() => {}
                [b'\n'] => return Ok(String::from_utf8_lossy(&line).into_owned()),
                [b'\r'] => {}
                [byte] => line.push(byte),
            }
            if line.len() > LONGEST {
                return Err(io::Error::other("the master sends a line without an end"));
            }
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}
