//! Clients: one that asks a single thing, crowds that put a server under load, and one that feels how it is.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::data::request;
use crate::waits::Waits;
use my_redis_server::util::scheduling::Scheduling;

/// A client that waits for each reply.
pub struct Client {
    stream: BufReader<TcpStream>,
    stands_back: bool,
}

impl Client {
    pub fn new(stream: TcpStream) -> Client {
        stream.set_nodelay(true).expect("a socket option");
        Client {
            stream: BufReader::with_capacity(64 * 1024, stream),
            stands_back: false,
        }
    }

    pub fn connect(port: u16) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", port));
        Client::new(stream.expect("the server accepts connections"))
    }

    /// The connection, of which everything that has come was read.
    pub fn into_stream(self) -> TcpStream {
        self.stream.into_inner()
    }

    /// The first line of the reply to a command, whose words contain no spaces.
    pub fn ask(&mut self, command: &str) -> String {
        let words: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
        let mut message = Vec::new();
        request(&mut message, &words);
        self.asked(&message)
    }

    /// The first line of the reply to a request.
    pub fn asked(&mut self, message: &[u8]) -> String {
        // A server that is still loading may close the connection; the empty reply says so.
        let _ = self.stream.get_mut().write_all(message);
        self.line()
    }

    pub fn line(&mut self) -> String {
        let mut line = String::new();
        let _ = self.stream.read_line(&mut line);
        line.trim_end().to_string()
    }

    /// From now on this client, alone in its thread, behaves as if it were on another machine: it takes the processor
    /// from neither the server nor other clients. Else they would wait for its time slices, whatever the server does. A
    /// thread of the lowest priority that happens to run still keeps its slice of 3 ms from who wakes up, so after each
    /// piece of a reply it also offers to stop.
    pub fn stand_back(&mut self) {
        self.stands_back = true;
        Scheduling::Idle.wish();
    }

    /// Sends requests and waits until so many lines have come.
    pub fn exchange(&mut self, requests: &[u8], lines: usize) {
        let sent = self.stream.get_mut().write_all(requests);
        sent.expect("the server reads");
        let mut missing = lines;
        while missing > 0 {
            let buffer = self.stream.fill_buf().expect("the server answers");
            let len = buffer.len();
            assert!(len > 0, "the server has closed the connection");
            missing -= buffer.iter().filter(|byte| **byte == b'\n').count();
            self.stream.consume(len);
            if self.stands_back {
                thread::yield_now();
            }
        }
    }

    /// A reply that is a bulk string.
    pub fn bulk(&mut self, line: &str) -> String {
        let head = self.ask(line);
        let len = head.strip_prefix('$').and_then(|len| len.parse().ok());
        let mut bytes = vec![0; len.unwrap_or(0) + 2];
        let read = self.stream.read_exact(&mut bytes);
        read.expect("the server answers whole");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A number in INFO.
    pub fn info(&mut self, field: &str) -> f64 {
        let text = self.bulk("INFO everything");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.and_then(|number| number.trim().parse().ok())
            .unwrap_or(f64::NAN)
    }

    /// Saves in the background; the time until the dump is there.
    pub fn save(&mut self) -> Duration {
        let began = Instant::now();
        let reply = self.ask("BGSAVE");
        assert_eq!(reply, "+Background saving started");
        while self.info("rdb_bgsave_in_progress") != 0.0 {
            thread::sleep(Duration::from_millis(5));
        }
        began.elapsed()
    }
}

/// Threads that ask until they are told to stop, each with a connection of its own.
pub struct Crowd {
    ends: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Duration>>>,
    requests: Arc<AtomicU64>,
}

impl Crowd {
    /// Each client sends what `request` appends, `pipeline` times in a packet, and waits for as many lines of reply as
    /// `request` has told.
    pub fn start(
        port: u16,
        clients: usize,
        pipeline: usize,
        request: impl Fn(&mut Vec<u8>) -> usize + Clone + Send + 'static,
    ) -> Crowd {
        let ends = Arc::new(AtomicBool::new(false));
        let requests = Arc::new(AtomicU64::new(0));
        let thread = |_| {
            let (ends, requests, request) = (ends.clone(), requests.clone(), request.clone());
            let mut client = Client::connect(port);
            thread::spawn(move || {
                let (mut waits, mut batch) = (Vec::new(), Vec::new());
                while !ends.load(Relaxed) {
                    batch.clear();
                    let lines = (0..pipeline).map(|_| request(&mut batch)).sum();
                    let began = Instant::now();
                    client.exchange(&batch, lines);
                    waits.push(began.elapsed());
                    requests.fetch_add(pipeline as u64, Relaxed);
                }
                waits
            })
        };
        Crowd {
            threads: (0..clients).map(thread).collect(),
            ends,
            requests,
        }
    }

    /// Requests that have been answered.
    pub fn requests(&self) -> f64 {
        self.requests.load(Relaxed) as f64
    }

    /// What the clients have waited for each of their packets.
    pub fn stop(self) -> Waits {
        self.ends.store(true, Relaxed);
        let threads = self.threads.into_iter();
        Waits::new(
            threads
                .flat_map(|thread| thread.join().expect("no client fails"))
                .collect(),
        )
    }
}

/// Asks for a key that is never there: the reply is one line.
pub const READ: &str = "GET probe:probe:prob";

/// When a probe asks.
#[derive(Clone, Copy)]
pub enum Pace {
    /// As soon as it has its reply.
    AtOnce,
    /// So often.
    Every(Duration),
}

/// One client that asks the same thing again and again while `meanwhile` runs.
pub fn probe<T>(
    port: u16,
    request: &'static str,
    pace: Pace,
    meanwhile: impl FnOnce() -> T,
) -> (Waits, T) {
    let ends = Arc::new(AtomicBool::new(false));
    let for_thread = ends.clone();
    let mut client = Client::connect(port);
    let thread = thread::spawn(move || {
        let mut waits = Vec::new();
        while !for_thread.load(Relaxed) {
            let began = Instant::now();
            let reply = client.ask(request);
            assert!(!reply.starts_with('-'), "{request}: {reply}");
            let waited = began.elapsed();
            waits.push(waited);
            if let Pace::Every(pause) = pace {
                waits.extend(others_that_waited(waited, pause));
                thread::sleep(pause.saturating_sub(waited));
            }
        }
        waits
    });
    let result = meanwhile();
    ends.store(true, Relaxed);
    let waits = thread.join().expect("the probe does not fail");
    (Waits::new(waits), result)
}

/// What clients that come so often would have waited while one of them had to: each a little less than the one before.
/// Without them a server that stops for a second would show one long wait, and not the thousand that it causes
/// ("coordinated omission", corrected as HdrHistogram does it).
fn others_that_waited(waited: Duration, every: Duration) -> impl Iterator<Item = Duration> {
    (1..).map_while(move |number| waited.checked_sub(every * number))
}
