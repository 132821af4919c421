//! The search for deadlocks: scripts of every kind, transactions, commands on many keys, snapshots and waiting clients
//! on few keys, by many threads. The test fails if no thread gets on for a while, and says what was running.
//!
//! `DEADLOCK_SECONDS=300 cargo test --release --test main server::scripts::deadlock` searches for longer; with
//! `DEADLOCK_SEED` it takes another way.

use super::{eval, far_apart, server};
use crate::common::{Client, EndOnDrop, Server};
use my_redis_server::resp::decoder::Value;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

const THREADS: usize = 12;
/// Few keys, each in a shard of its own, in two databases.
const KEYS: usize = 6;
/// How long no thread may get on.
const STANDSTILL: Duration = Duration::from_secs(30);

/// What the threads share.
struct Search<'a> {
    server: &'a Server,
    keys: Vec<String>,
    is_over: AtomicBool,
    /// Requests that were answered.
    answered: AtomicUsize,
    /// What each thread waits for.
    running: Vec<Mutex<String>>,
    /// Elements that are in the lists, which move and are neither made nor lost.
    elements: usize,
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

/// A script that moves elements among lists, reads and writes on the way, and declares a part of its keys.
fn random_script(random: &mut fastrand::Rng, keys: &[String]) -> (String, Vec<String>) {
    let mut script = String::new();
    let mut used = Vec::new();
    for _ in 0..random.usize(1..5) {
        let key = |random: &mut fastrand::Rng| keys[random.usize(..keys.len())].clone();
        let (from, to) = (key(random), key(random));
        let step = match random.usize(..9) {
            0..3 => format!("redis.call('LMOVE', 'l:{from}', 'l:{to}', 'LEFT', 'RIGHT') "),
            3 => format!("redis.pcall('INCR', 's:{from}') "),
            4 => format!("redis.call('MGET', 's:{from}', 's:{to}') "),
            5 => format!("redis.call('SET', 's:{from}', 1, 'PX', 2) "),
            // To catch the error costs the interpreter, if the script has strayed.
            6 if random.usize(..10) == 0 => format!("pcall(redis.call, 'LPUSH', 's:{from}', 'x') "),
            6 => format!("redis.pcall('LPUSH', 's:{from}', 'x') "),
            7 => format!("redis.pcall('RPOPLPUSH', 'l:{from}', 'l:{to}') "),
            _ => "local n = 0 for i = 1, 2000 do n = n + 1 end ".to_string(),
        };
        script += &step;
        for name in [
            format!("l:{from}"),
            format!("l:{to}"),
            format!("s:{from}"),
            format!("s:{to}"),
        ] {
            if step.contains(&name) {
                used.push(name);
            }
        }
    }
    // All of them are declared, none, or some; and keys that are not used at all.
    match random.usize(..4) {
        0 => used.clear(),
        1 => used.truncate(random.usize(..=used.len())),
        2 => used.push(format!("l:{}", keys[random.usize(..keys.len())])),
        _ => {}
    }
    // The server does not know yet that it strays; or it does, if the text comes twice.
    let number = random.u64(..) >> random.usize(40..64);
    (format!("{script} return 'done' -- {number}"), used)
}

impl Search<'_> {
    fn call(&self, client: &mut Client, thread: usize, request: &[String]) -> Value {
        *self.running[thread].lock().unwrap() = request.join(" ");
        let reply = client.call(request);
        self.answered.fetch_add(1, SeqCst);
        self.running[thread].lock().unwrap().clear();
        reply
    }

    fn words(&self, client: &mut Client, thread: usize, line: &str) -> Value {
        let words: Vec<String> = line.split(' ').map(str::to_string).collect();
        self.call(client, thread, &words)
    }

    fn work(&self, thread: usize, seed: u64) {
        let _end = EndOnDrop(&self.is_over);
        let mut client = self.server.client();
        let mut random = fastrand::Rng::with_seed(seed);
        while !self.is_over.load(SeqCst) {
            match random.usize(..20) {
                0..12 => {
                    let (script, keys) = random_script(&mut random, &self.keys);
                    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                    let request = super::eval_request(&script, &keys, &[]);
                    let reply = self.call(&mut client, thread, &request);
                    assert_eq!(reply, Value::Bulk(b"done".to_vec()), "{script}");
                }
                12 => self.transaction(&mut client, thread, &mut random),
                13 => self.look(&mut client, thread, &mut random),
                _ => self.command(&mut client, thread, &mut random),
            }
        }
    }

    fn transaction(&self, client: &mut Client, thread: usize, random: &mut fastrand::Rng) {
        let key = |random: &mut fastrand::Rng| &self.keys[random.usize(..KEYS)];
        if random.bool() {
            self.words(
                client,
                thread,
                &format!("WATCH s:{} l:{}", key(random), key(random)),
            );
        }
        self.words(client, thread, "MULTI");
        for _ in 0..random.usize(1..4) {
            let (from, to) = (key(random), key(random));
            match random.usize(..4) {
                0 => drop(self.words(client, thread, &format!("LMOVE l:{from} l:{to} RIGHT LEFT"))),
                1 => drop(self.words(client, thread, &format!("MSET s:{from} 1 s:{to} 2"))),
                2 => drop(self.words(
                    client,
                    thread,
                    &format!("BLMOVE l:{from} l:{to} LEFT LEFT 1"),
                )),
                _ => {
                    let (script, keys) = random_script(random, &self.keys);
                    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                    self.call(client, thread, &super::eval_request(&script, &keys, &[]));
                }
            }
        }
        let end = if random.usize(..5) == 0 {
            "DISCARD"
        } else {
            "EXEC"
        };
        let reply = self.words(client, thread, end);
        assert!(!matches!(reply, Value::Error(_)), "{reply:?}");
    }

    /// All elements are there, at any moment.
    fn look(&self, client: &mut Client, thread: usize, random: &mut fastrand::Rng) {
        let lists: Vec<String> = self.keys.iter().map(|key| format!("l:{key}")).collect();
        let script = "local n = 0 for i = 1, 6 do n = n + redis.call('LLEN', KEYS[i] or ARGV[i]) end return n";
        let lists: Vec<&str> = lists.iter().map(String::as_str).collect();
        let declared = if random.bool() {
            KEYS
        } else {
            random.usize(..KEYS)
        };
        let mut request = super::eval_request(script, &lists[..declared], &lists);
        if random.bool() {
            request[0] = "EVAL_RO".to_string();
        }
        let reply = self.call(client, thread, &request);
        assert_eq!(reply, Value::Integer(self.elements as i64));
    }

    fn command(&self, client: &mut Client, thread: usize, random: &mut fastrand::Rng) {
        let key = |random: &mut fastrand::Rng| &self.keys[random.usize(..KEYS)];
        let (a, b, c) = (key(random), key(random), key(random));
        let line = match random.usize(..16) {
            0 => format!("MSET s:{a} 1 s:{b} 2 s:{c} 3"),
            1 => format!("MGET s:{a} s:{b} s:{c}"),
            2 => format!("DEL s:{a} s:{b}"),
            3 => "SELECT 1".to_string(),
            4 => "DBSIZE".to_string(),
            5 => "KEYS *".to_string(),
            6 => "RANDOMKEY".to_string(),
            7 => format!("BLMOVE l:{a} l:{b} LEFT RIGHT 0.01"),
            8 => format!("BLPOP none:{a} s:none:{b} 0.002"),
            9 => format!("SET s:{a} 5 PX 1"),
            10 => "BGSAVE".to_string(),
            11 => "SCAN 0".to_string(),
            12 => format!("COPY s:{a} s:{b} REPLACE"),
            // Then all interpreters are made anew, which takes long.
            13 if random.usize(..20) == 0 => "SCRIPT FLUSH".to_string(),
            14 => format!("LMOVE l:{a} l:{b} LEFT RIGHT"),
            _ => format!("SINTER none:{a} none:{b} none:{c}"),
        };
        if line == "SELECT 1" {
            // Where everything may go.
            self.words(client, thread, &line);
            for line in [
                "SET x 1",
                "SWAPDB 1 2",
                "FLUSHDB",
                "SET x 1 PX 1",
                "FLUSHDB ASYNC",
            ] {
                self.words(client, thread, line);
            }
            self.words(client, thread, "SELECT 0");
            return;
        }
        self.words(client, thread, &line);
    }

    /// Panics if no thread gets on.
    fn watch(&self, duration: Duration) {
        let _end = EndOnDrop(&self.is_over);
        let (began, mut moved) = (Instant::now(), Instant::now());
        let mut seen = 0;
        while began.elapsed() < duration && !self.is_over.load(SeqCst) {
            std::thread::sleep(Duration::from_millis(20));
            let answered = self.answered.load(SeqCst);
            if answered != seen {
                (seen, moved) = (answered, Instant::now());
            }
            if moved.elapsed() > STANDSTILL {
                let running: Vec<String> = self
                    .running
                    .iter()
                    .map(|line| line.lock().unwrap().clone())
                    .collect();
                // The threads wait for replies: this ends the process, with all of them.
                eprintln!(
                    "no request was answered for {STANDSTILL:?}; these were running:\n{}",
                    running.join("\n")
                );
                std::process::exit(1);
            }
        }
    }
}

#[test]
fn no_scripts_wait_for_each_other() {
    let (_folder, server) = server();
    let seconds = setting("DEADLOCK_SECONDS", 6);
    let seed = setting("DEADLOCK_SEED", 0);
    let keys = far_apart(&server, KEYS);
    let elements = 20;
    let mut client = server.client();
    for number in 0..elements {
        client.ask(&format!("RPUSH l:{} {number}", keys[number % KEYS]));
    }
    let search = Search {
        server: &server,
        keys,
        is_over: AtomicBool::new(false),
        answered: AtomicUsize::new(0),
        running: (0..THREADS).map(|_| Mutex::default()).collect(),
        elements,
    };
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let search = &search;
            scope.spawn(move || search.work(thread, seed * 1000 + thread as u64));
        }
        search.watch(Duration::from_secs(seconds));
    });
    // The elements are those of the beginning, each once.
    let mut left = Vec::new();
    for key in &search.keys {
        let Value::Array(items) = client.call(&["LRANGE", &format!("l:{key}"), "0", "-1"]) else {
            panic!("LRANGE gives an array")
        };
        left.extend(items.into_iter().map(|item| match item {
            Value::Bulk(text) => String::from_utf8(text).unwrap().parse::<usize>().unwrap(),
            other => panic!("{other:?}"),
        }));
    }
    left.sort_unstable();
    assert!(left.into_iter().eq(0..elements));
    // All locks are free.
    assert_eq!(client.ask("SWAPDB 1 2"), "OK");
    assert_eq!(
        client
            .ask("SAVE")
            .replace("(error) ERR Background save already in progress", "OK"),
        "OK"
    );
    eval(
        &mut client,
        "return redis.call('SET', KEYS[1], 1)",
        &["k"],
        &[],
    );
    assert_eq!(client.ask("FLUSHALL"), "OK");
    println!("{} requests were answered", search.answered.load(SeqCst));
}
