//! Client-side caching under load: a cache that follows the messages never keeps what is out of date.

use crate::common::{Client, Folder, Server, redis_tool, request, wait_until};
use my_redis_server::resp::decoder::Value;
use std::collections::HashMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

const KEYS: usize = 20;

/// A client with a cache of what it has read.
struct Cache {
    client: Client,
    values: HashMap<String, Value>,
}

impl Cache {
    fn connect(server: &Server, tracking: &str) -> Cache {
        let mut client = server.client();
        client.call(&["HELLO", "3"]);
        assert_eq!(client.ask(tracking), "OK");
        Cache {
            client,
            values: HashMap::new(),
        }
    }

    /// The reply to a request; the messages before it take what they name out of the cache.
    fn call(&mut self, words: &[&str]) -> Value {
        self.client.send(words);
        self.reply()
    }

    /// The next reply.
    fn reply(&mut self) -> Value {
        loop {
            match self.client.receive() {
                Value::Push(message) => self.forget(&message),
                reply => return reply,
            }
        }
    }

    fn forget(&mut self, message: &[Value]) {
        match message {
            [Value::Bulk(kind), Value::Array(keys)] if kind == b"invalidate" => {
                for key in keys {
                    let Value::Bulk(key) = key else {
                        panic!("{key:?} is no key")
                    };
                    self.values.remove(std::str::from_utf8(key).unwrap());
                }
            }
            [Value::Bulk(kind), Value::Null] if kind == b"invalidate" => self.values.clear(),
            other => panic!("{other:?}"),
        }
    }

    fn read(&mut self, key: &str) {
        if !self.values.contains_key(key) {
            let value = self.call(&["GET", key]);
            self.values.insert(key.to_string(), value);
        }
    }
}

#[test]
fn a_cache_never_keeps_what_is_out_of_date() {
    const WRITERS: usize = 4;
    const CHANGES: usize = 3000;
    for tracking in ["CLIENT TRACKING ON", "CLIENT TRACKING ON BCAST"] {
        let folder = Folder::new();
        let server = Server::ours(&folder, &["--save", ""]);
        let ends = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let readers: Vec<_> = (0..3)
                .map(|_| {
                    let mut cache = Cache::connect(&server, tracking);
                    let ends = &ends;
                    scope.spawn(move || {
                        while !ends.load(Relaxed) {
                            (0..KEYS).for_each(|key| cache.read(&format!("k{key}")));
                            cache.call(&["PING"]);
                        }
                        cache
                    })
                })
                .collect();
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| {
                    let mut client = server.client();
                    scope.spawn(move || {
                        for change in 0..CHANGES {
                            let key = format!("k{}", (change * 7 + writer * 3) % KEYS);
                            match change % 50 {
                                0 => client.call(&["FLUSHALL"]),
                                1..10 => client.call(&["SET", &key, "v", "PX", "1"]),
                                10..20 => client.call(&["DEL", &key]),
                                _ => client.call(&["SET", &key, &format!("{writer}:{change}")]),
                            };
                        }
                    })
                })
                .collect();
            writers
                .into_iter()
                .for_each(|writer| writer.join().unwrap());
            let mut admin = server.client();
            wait_until("all keys with a deadline have expired", || {
                let keyspace = admin.ask("INFO keyspace");
                !keyspace.contains("expires=") || keyspace.contains("expires=0")
            });
            ends.store(true, Relaxed);
            for reader in readers {
                let mut cache = reader.join().unwrap();
                // What the server has to tell is sent before it answers.
                cache.call(&["PING"]);
                for (key, value) in std::mem::take(&mut cache.values) {
                    assert_eq!(admin.call(&["GET", &key]), value, "{key} with {tracking}");
                }
            }
        });
    }
}

/// With NOLOOP a client knows what it has written itself, and hears of what others write after it.
#[test]
fn with_noloop_nothing_is_out_of_date_either() {
    const ROUNDS: usize = 200;
    const CLIENTS: usize = 4;
    const PINGS: usize = 1000;
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    // All write the same key at about the same time.
    let barrier = Barrier::new(CLIENTS);
    let caches: Vec<Cache> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let mut cache = Cache::connect(&server, "CLIENT TRACKING ON BCAST NOLOOP");
                let barrier = &barrier;
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        let (key, value) = (format!("k{round}"), number.to_string());
                        barrier.wait();
                        // What the others write comes between this change and its broadcast, at the end of the packet.
                        let mut packet = request(&["SET", &key, &value]);
                        (0..PINGS).for_each(|_| packet.extend(request(&["PING"])));
                        cache.client.send_bytes(&packet);
                        cache.reply();
                        cache.values.insert(key, Value::Bulk(value.into_bytes()));
                        (0..PINGS).for_each(|_| drop(cache.reply()));
                    }
                    cache
                })
            })
            .collect();
        let ended = clients.into_iter().map(|client| client.join().unwrap());
        ended.collect()
    });
    let mut admin = server.client();
    for mut cache in caches {
        cache.call(&["PING"]);
        for (key, value) in std::mem::take(&mut cache.values) {
            assert_eq!(admin.call(&["GET", &key]), value, "{key}");
        }
    }
}

/// What a client has read that is gone is forgotten when it changes, and with everything.
#[test]
fn what_was_read_for_nobody_any_more_is_forgotten() {
    let folders = [Folder::new(), Folder::new()];
    for server in [
        Server::ours(&folders[0], &["--save", ""]),
        Server::real(&folders[1], &["--save", ""]),
    ] {
        let mut other = server.client();
        for forgets in ["SET k v", "FLUSHALL"] {
            let mut cache = Cache::connect(&server, "CLIENT TRACKING ON");
            cache.call(&["GET", "k"]);
            drop(cache);
            wait_until("the client to be gone", || {
                other.info("tracking_clients") == "0"
            });
            assert_eq!(other.info("tracking_total_keys"), "1");
            other.ask(forgets);
            assert_eq!(other.info("tracking_total_keys"), "0", "{forgets}");
            assert_eq!(other.info("tracking_total_items"), "0", "{forgets}");
        }
    }
}

#[test]
fn redis_benchmark_tracks() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    for options in [&["-c", "5"][..], &["-c", "8", "--threads", "2"]] {
        let mut command = redis_tool("redis-benchmark");
        command.args(["-p", &server.port.to_string(), "--enable-tracking", "-q"]);
        command
            .args(["-n", "2000", "-r", "100", "-t", "get,set"])
            .args(options);
        let output = command.output().expect("it can be run");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("GET: "), "{text}");
    }
}
