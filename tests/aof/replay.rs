//! Replay equals state: random commands of all families, then what the append-only file makes of them when it is read.
//! Our file is read by our server at run time (DEBUG LOADAOF), by our server when it starts, and by a real one; the
//! file of a real server, by ours.
//!
//! The commands depend on the seed alone. What they do depends on the clock too: keys expire meanwhile.

use super::folders;
use crate::common::oracle::{Pools, Templates};
use crate::common::{Client, Folder, Server, strings, wait_until};
use crate::effects::random::{all_commands, describe, digest_of, our_digest_of, without_times};
use fastrand::Rng;
use my_redis_server::resp::decoder::Value;
use my_redis_server::resp::pretty::pretty;
use my_redis_server::util::clock;
use std::collections::BTreeMap;
use std::fs;

/// Commands before and after the rewrite.
const COMMANDS: usize = 2_000;
const DATABASES: usize = 16;
/// A key that is to live for less than this is awaited, in milliseconds.
const SOON_MS: i64 = 600;
/// No key that lives for longer expires within a test, in milliseconds.
const LATE_MS: i64 = 24 * 3600 * 1000;

/// Scripts, functions, transactions. Some scripts end with an error after they have changed something.
const SCRIPTS: &str = r#"
    MULTI
    EXEC
    EXEC
    EXEC
    DISCARD
    EVAL "for i = 1, 3 do redis.call('RPUSH', KEYS[1], ARGV[1] .. i) end" 1 {key} {element}
    EVAL "redis.call('INCR', KEYS[1]) return redis.call('SPOP', KEYS[2])" 2 {number} {key}
    EVAL "redis.call('SELECT', ARGV[1]) redis.call('INCR', 'n') redis.call('INCRBYFLOAT', 'm', 0.1)" 0 {database}
    EVAL "redis.call('SET', KEYS[1], redis.call('TIME')[2], 'PX', ARGV[1])" 1 {key} {moment}
    EVAL "redis.pcall('XADD', KEYS[1], '*', 'f', 'v') redis.call('DEL', KEYS[2])" 2 {stream} {key}
    EVAL "return redis.call('SET', KEYS[1], math.random())" 1 {key}
    FUNCTION LOAD REPLACE {one}
    FUNCTION LOAD {two}
    FUNCTION DELETE {library}
    FCALL set 2 {key} {number} {element}
    FCALL move 2 {key} {key}
    FCALL move 2 {key} {key}
"#;

const POOLS_OF_SCRIPTS: Pools = &[
    ("key", "a | b | c | d | e | f | g | l | s"),
    ("stream", "x | y"),
    ("number", "n | m"),
    ("element", "a | b | 1 | \"\" | abcdefghijk"),
    ("moment", "1 | 5 | 50 | 500"),
    ("database", "0 | 0 | 1 | 2 | 15"),
    ("library", "one | two | two"),
    (
        "one",
        "\"#!lua name=one\\nredis.register_function('set', function(keys, args) redis.call('SET', keys[1], args[1]) \
         return redis.call('INCR', keys[2]) end)\"",
    ),
    (
        "two",
        "\"#!lua name=two\\nredis.register_function('move', function(keys) \
         return redis.call('LMOVE', keys[1], keys[2], 'LEFT', 'RIGHT') end)\"",
    ),
];

/// Clients of a server: one sends commands, one waits for keys, one looks after the other two.
struct Clients {
    sender: Client,
    is_in_transaction: bool,
    waiter: Client,
    waiter_id: String,
    is_waiting: bool,
    control: Client,
}

impl Clients {
    fn connect(server: &Server) -> Clients {
        let mut waiter = server.client();
        Clients {
            waiter_id: waiter.integer(&["CLIENT", "ID"]).to_string(),
            sender: server.client(),
            is_in_transaction: false,
            waiter,
            is_waiting: false,
            control: server.client(),
        }
    }

    /// Sends random commands, and awaits what each of them does.
    fn run(&mut self, random: &mut Rng) {
        let mut commands = all_commands();
        let scripts = (SCRIPTS.to_string(), POOLS_OF_SCRIPTS);
        commands.extend([scripts.clone(), scripts]);
        let families: Vec<Templates> = commands
            .iter()
            .map(|(commands, pools)| Templates::new(commands, pools))
            .collect();
        for _ in 0..COMMANDS {
            let request = random
                .choice(&families)
                .expect("there are some")
                .request(random);
            let database = random.choice(["0", "0", "1"]).expect("there are some");
            match !self.is_in_transaction && may_wait(&request) {
                true => self.wait(database, &request),
                false => self.send(&request),
            }
        }
        self.end_wait();
        if self.is_in_transaction {
            self.send(&[b"EXEC".to_vec()]);
        }
    }

    fn send(&mut self, request: &[Vec<u8>]) {
        let reply = self.sender.call(request);
        let is_error = matches!(reply, Value::Error(_));
        match &request[0][..] {
            b"MULTI" if !is_error => self.is_in_transaction = true,
            // EXEC that fails has ended the transaction.
            b"EXEC" | b"DISCARD" => self.is_in_transaction = false,
            _ => {}
        }
    }

    /// Has the waiter send a request, and returns when it waits or has its reply.
    fn wait(&mut self, database: &str, request: &[Vec<u8>]) {
        self.end_wait();
        self.waiter.ask(&format!("SELECT {database}"));
        self.waiter.send(request);
        self.is_waiting = true;
        wait_until("it waits or is served", || {
            self.control.info_of("clients", "blocked_clients") == "1" || has_reply(&self.waiter)
        });
    }

    fn end_wait(&mut self) {
        if std::mem::take(&mut self.is_waiting) {
            self.control
                .integer(&["CLIENT", "UNBLOCK", &self.waiter_id]);
            self.waiter.receive();
        }
    }
}

fn may_wait(request: &[Vec<u8>]) -> bool {
    const WAITING: [&[u8]; 8] = [
        b"BLPOP",
        b"BRPOP",
        b"BLMOVE",
        b"BRPOPLPUSH",
        b"BLMPOP",
        b"BZPOPMIN",
        b"BZPOPMAX",
        b"BZMPOP",
    ];
    let is_block = |word: &Vec<u8>| word.eq_ignore_ascii_case(b"BLOCK");
    WAITING.contains(&&request[0][..])
        || request[0].starts_with(b"XREAD") && request.iter().any(is_block)
}

fn has_reply(client: &Client) -> bool {
    client.stream.set_nonblocking(true).expect("an option");
    let has_reply = client.stream.peek(&mut [0]).is_ok();
    client.stream.set_nonblocking(false).expect("an option");
    has_reply
}

/// Calls `look` with every key of every database, which is selected.
fn for_each_key(client: &mut Client, mut look: impl FnMut(&mut Client, usize, &[u8])) {
    for database in 0..DATABASES {
        client.ask(&format!("SELECT {database}"));
        for key in strings(client.call(&["KEYS", "*"])) {
            look(client, database, &key);
        }
    }
}

/// Afterwards no key expires before the test is over.
fn settle(client: &mut Client) {
    for_each_key(client, |client, _, key| {
        let ttl = |client: &mut Client| client.integer(&[b"PTTL", key]);
        match ttl(client) {
            left_ms if left_ms < 0 => {}
            left_ms if left_ms < SOON_MS => wait_until("it expires", || ttl(client) == -2),
            left_ms if left_ms < LATE_MS => {
                client.integer(&[b"PEXPIREAT", key, b"4102444800000"]);
            }
            _ => {}
        }
    });
}

/// What a server holds.
struct Facts {
    digest: String,
    /// Of each key when it expires and its own digest: which key it is that makes the digests differ.
    keys: BTreeMap<(usize, Vec<u8>), String>,
    /// What XINFO says of each stream.
    streams: BTreeMap<(usize, Vec<u8>), String>,
    libraries: Vec<Value>,
}

/// A base of commands does not bring back pending entries that were deleted, in Redis neither. So with such a base
/// groups are counted, and no more.
fn facts(client: &mut Client, is_base_rdb: bool) -> Facts {
    let mut streams = BTreeMap::new();
    let mut keys = BTreeMap::new();
    for_each_key(client, |client, database, key| {
        let expires_at = client.integer(&[b"PEXPIRETIME", key]);
        let digest = client.call(&[&b"DEBUG"[..], b"DIGEST-VALUE", key]);
        keys.insert(
            (database, key.to_vec()),
            format!("{expires_at} {}", printed(&digest)),
        );
        let description = match is_base_rdb {
            true => client.call(&describe(key)),
            false => client.call(&[&b"XINFO"[..], b"STREAM", key]),
        };
        if let Value::Array(_) = description {
            let description = without_radix_tree(without_times(&description, &|at_ms| at_ms));
            streams.insert((database, key.to_vec()), printed(&description));
        }
    });
    // In the order of a hash table.
    let Value::Array(mut libraries) = client.call(&["FUNCTION", "LIST", "WITHCODE"]) else {
        panic!("FUNCTION LIST gives an array")
    };
    libraries.sort_by_key(|library| format!("{library:?}"));
    Facts {
        digest: digest_of(client),
        keys,
        streams,
        libraries,
    }
}

fn printed(value: &Value) -> String {
    String::from_utf8_lossy(&pretty(value)).into_owned()
}

/// Leaves out how many blocks a stream takes: entries that were deleted may still lie in them.
fn without_radix_tree(description: Value) -> Value {
    let Value::Array(mut items) = description else {
        return description;
    };
    for name in ["radix-tree-keys", "radix-tree-nodes"] {
        let place = items
            .iter()
            .position(|item| *item == Value::Bulk(name.into()));
        let place = place.expect("XINFO tells it");
        items.drain(place..place + 2);
    }
    Value::Array(items)
}

/// The facts of a real server as far as ours tells the same: its digest as ours computes it, and when entries were
/// delivered left out.
fn facts_of_real(client: &mut Client, expected: &Facts, is_base_rdb: bool) -> Facts {
    let mut facts = facts(client, is_base_rdb);
    if facts.digest != expected.digest {
        facts.digest = our_digest_of(client, clock::unix_ms());
    }
    facts
}

#[track_caller]
fn assert_same(found: &Facts, expected: &Facts, seed: u64, whose: &str) {
    let context = format!("seed {seed}, {whose}");
    if found.digest != expected.digest {
        let known = expected.keys.iter();
        let lost: Vec<_> = known
            .filter(|(key, value)| found.keys.get(key) != Some(value))
            .collect();
        let known = found.keys.iter();
        let new: Vec<_> = known
            .filter(|(key, value)| expected.keys.get(key) != Some(value))
            .collect();
        panic!("{context}: {new:?} instead of {lost:?}");
    }
    assert!(
        found.streams.keys().eq(expected.streams.keys()),
        "{context}"
    );
    for (key, description) in &expected.streams {
        assert_eq!(&found.streams[key], description, "{context}, {key:?}");
    }
    assert_eq!(found.libraries, expected.libraries, "{context}");
}

const OPTIONS: [&str; 6] = [
    "--appendonly",
    "yes",
    "--databases",
    "16",
    "--enable-debug-command",
    "yes",
];

fn ours(folder: &Folder, options: &[&str]) -> Server {
    Server::ours(folder, &[&OPTIONS[..], &["--save", ""], options].concat())
}

fn real(folder: &Folder, options: &[&str]) -> Server {
    Server::real(folder, &[&OPTIONS[..], options].concat())
}

/// Fills a server; the file is rewritten when half of it is done.
fn fill(server: &Server, seed: u64) -> Client {
    let mut random = Rng::with_seed(seed);
    let mut clients = Clients::connect(server);
    clients.run(&mut random);
    clients.control.ask("BGREWRITEAOF");
    clients.run(&mut random);
    let mut client = server.client();
    wait_until("the rewrite to be over", || {
        client.info_of("persistence", "aof_rewrite_in_progress") == "0"
    });
    assert_eq!(
        client.info_of("persistence", "aof_last_bgrewrite_status"),
        "ok"
    );
    settle(&mut client);
    client
}

/// Has a server end, with everything in its file.
fn end(server: Server, client: &mut Client) {
    client.send(&["SHUTDOWN"]);
    assert!(server.wait().success());
}

/// No command of the file has given an error when our server has read it.
fn assert_no_error_in_log(folder: &Folder) {
    let log = fs::read_to_string(folder.path().join("log")).expect("a log");
    assert!(!log.contains("gave an error"), "{log}");
}

fn check_ours(seed: u64, is_base_rdb: bool, policy: &str) {
    let folder = Folder::new();
    let base = if is_base_rdb { "yes" } else { "no" };
    let options = ["--aof-use-rdb-preamble", base, "--appendfsync", policy];
    let server = ours(&folder, &options);
    let mut client = fill(&server, seed);
    let expected = facts(&mut client, is_base_rdb);

    assert_eq!(client.ask("DEBUG LOADAOF"), "OK");
    assert_same(
        &facts(&mut client, is_base_rdb),
        &expected,
        seed,
        "loaded at run time",
    );
    // The file goes on.
    client.ask("SELECT 7");
    assert_eq!(client.ask("RPUSH after loading"), "(integer) 1");
    let expected = facts(&mut client, is_base_rdb);
    end(server, &mut client);
    folders::check_by_redis(&folder);

    let copy = folders::copy(&folder);
    // It ends if a command gives an error.
    let server = real(&copy, &["--propagation-error-behavior", "panic"]);
    let found = facts_of_real(&mut server.client(), &expected, is_base_rdb);
    assert_same(&found, &expected, seed, "read by a real server");

    let server = ours(&folder, &options);
    assert_same(
        &facts(&mut server.client(), is_base_rdb),
        &expected,
        seed,
        "restarted",
    );
    assert_no_error_in_log(&folder);
}

/// What our server makes of the file of a real one is compared with what the real one makes of it: the file of Redis
/// 7.0 does not bring back everything, and some of its commands give errors.
fn check_real(seed: u64, is_base_rdb: bool) {
    let folder = Folder::new();
    let base = if is_base_rdb { "yes" } else { "no" };
    // With `everysec`, Redis keeps commands to itself for up to two seconds while its thread that syncs is busy.
    let options = ["--aof-use-rdb-preamble", base, "--appendfsync", "no"];
    let server = real(&folder, &options);
    let mut client = fill(&server, seed);
    end(server, &mut client);

    let copy = folders::copy(&folder);
    let server = ours(&copy, &[]);
    let found = facts(&mut server.client(), is_base_rdb);
    let server = real(&folder, &options);
    let expected = facts_of_real(&mut server.client(), &found, is_base_rdb);
    assert_same(&found, &expected, seed, "a real file read by ours");
}

/// `ORACLE_SEED=7` has other commands tried.
fn seed(number: u64) -> u64 {
    let first = std::env::var("ORACLE_SEED").map_or(1, |text| text.parse().expect("a number"));
    first * 10 + number
}

#[test]
fn our_file_gives_what_the_server_had() {
    check_ours(seed(1), true, "everysec");
    check_ours(seed(2), false, "always");
}

#[test]
fn the_file_of_a_real_server_gives_what_it_had() {
    check_real(seed(3), true);
    check_real(seed(4), false);
}
