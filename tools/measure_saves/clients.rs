//! Clients that put a server under load, and one that feels how it is.

use crate::peer::Peer;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Requests that a writer sends at once.
pub const PIPELINE: usize = 16;

/// Threads that run until they are dropped.
pub struct Crowd {
    ends: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    pub requests: Arc<AtomicU64>,
}

impl Crowd {
    /// Clients that send what `request` appends, sixteen times in a batch, and wait for as many replies of one line.
    pub fn start(
        peer: &Peer,
        clients: usize,
        request: impl Fn(&mut Vec<u8>) + Clone + Send + 'static,
    ) -> Crowd {
        let ends = Arc::new(AtomicBool::new(false));
        let requests = Arc::new(AtomicU64::new(0));
        let thread = |_| {
            let (ends, requests, request) = (ends.clone(), requests.clone(), request.clone());
            let mut stream = connect(peer.port);
            thread::spawn(move || {
                let mut batch = Vec::new();
                while !ends.load(Relaxed) {
                    batch.clear();
                    (0..PIPELINE).for_each(|_| request(&mut batch));
                    exchange(&mut stream, &batch, PIPELINE);
                    requests.fetch_add(PIPELINE as u64, Relaxed);
                }
            })
        };
        let threads = (0..clients).map(thread).collect();
        Crowd {
            ends,
            threads,
            requests,
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.ends.store(true, Relaxed);
        self.threads
            .drain(..)
            .for_each(|thread| thread.join().expect("no client fails"));
    }
}

/// Sends requests and waits for as many lines.
pub fn exchange(stream: &mut TcpStream, batch: &[u8], lines: usize) {
    stream.write_all(batch).expect("the server reads");
    let mut buffer = [0; 4096];
    let mut missing = lines;
    while missing > 0 {
        let len = stream.read(&mut buffer).expect("the server answers");
        assert!(len > 0, "the server has closed the connection");
        missing -= buffer[..len].iter().filter(|byte| **byte == b'\n').count();
    }
}

pub fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server accepts connections");
    stream.set_nodelay(true).expect("a socket option");
    stream
}

/// How long a client had to wait for its replies, in milliseconds.
pub struct Waits {
    /// The longest.
    pub longest: f64,
    /// One in a thousand was longer.
    pub p999: f64,
    /// How many were longer than [`LONG`], per second.
    pub long_per_s: f64,
}

/// A wait that a time slice of the system explains, which a server should not add to.
const LONG: Duration = Duration::from_millis(3);

/// One client that asks one thing after the other while `meanwhile` runs.
pub fn probe<T>(port: u16, request: &'static [u8], meanwhile: impl FnOnce() -> T) -> (Waits, T) {
    let ends = Arc::new(AtomicBool::new(false));
    let for_thread = ends.clone();
    let mut stream = connect(port);
    let thread = thread::spawn(move || {
        let mut waits: Vec<Duration> = Vec::new();
        while !for_thread.load(Relaxed) {
            let began = Instant::now();
            exchange(&mut stream, request, 1);
            waits.push(began.elapsed());
        }
        waits
    });
    let began = Instant::now();
    let result = meanwhile();
    let watched = began.elapsed();
    ends.store(true, Relaxed);
    let mut waits = thread.join().expect("the probe does not fail");
    waits.sort();
    let ms = |wait: Duration| wait.as_secs_f64() * 1e3;
    let p999 = ms(waits[waits.len() - 1 - waits.len() / 1000]);
    let longest = ms(*waits.last().expect("the probe has asked"));
    let long = waits.iter().filter(|wait| **wait > LONG).count();
    let long_per_s = long as f64 / watched.as_secs_f64();
    let waits = Waits {
        longest,
        p999,
        long_per_s,
    };
    (waits, result)
}
