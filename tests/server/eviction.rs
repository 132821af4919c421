//! Which keys go when memory is short, by each policy. The real server must do the same, so that the tests hold it to
//! the same bounds.

use crate::common::{Client, Folder, Server, redis_tool, wait_until};
use my_redis_server::resp::decoder::Value;
use std::fs;
use std::process::{Child, Stdio};

/// Keys of each kind.
const KEYS: i64 = 1000;
const KIB: u64 = 1024;

/// How the keys of one kind have been used.
struct Usage {
    prefix: &'static str,
    /// Milliseconds to live; 0 for ever.
    lifetime: &'static str,
    /// What RESTORE is told.
    words: [&'static str; 2],
}

impl Usage {
    const fn new(prefix: &'static str, lifetime: &'static str, words: [&'static str; 2]) -> Usage {
        Usage {
            prefix,
            lifetime,
            words,
        }
    }

    fn key(&self, number: i64) -> String {
        format!("{}:{number}", self.prefix)
    }

    /// Puts the keys in, each with 1 kB.
    fn restore(&self, client: &mut Client, payload: &[u8]) {
        for number in 0..KEYS {
            let key = self.key(number);
            let words = ["RESTORE", &key, self.lifetime].map(str::as_bytes);
            let usage = self.words.map(str::as_bytes);
            client.send(&[&words[..], &[payload], &usage].concat());
        }
        for _ in 0..KEYS {
            assert_eq!(client.receive(), Value::Simple(b"OK".to_vec()));
        }
    }

    /// How many of the keys are gone.
    fn gone(&self, client: &mut Client) -> i64 {
        let keys = (0..KEYS).map(|number| self.key(number));
        let request: Vec<String> = std::iter::once("EXISTS".to_string()).chain(keys).collect();
        KEYS - client.integer(&request)
    }
}

/// Puts in keys of these kinds, sets a limit that some 500 keys are too many for, and returns how many of each kind
/// have gone.
fn evict<const KINDS: usize>(
    server: &Server,
    policy: &str,
    kinds: &[Usage; KINDS],
) -> [i64; KINDS] {
    let mut client = server.client();
    for setting in ["lfu-decay-time 0", &format!("maxmemory-policy {policy}")] {
        assert_eq!(client.ask(&format!("CONFIG SET {setting}")), "OK");
    }
    client.call(&["SET", "origin", &"v".repeat(1000)]);
    let Value::Bulk(payload) = client.call(&["DUMP", "origin"]) else {
        panic!("DUMP gives a string")
    };
    client.ask("DEL origin");
    kinds
        .iter()
        .for_each(|kind| kind.restore(&mut client, &payload));
    let used: u64 = client.info("used_memory").parse().unwrap();
    let limit = used - 600 * KIB;
    client.ask(&format!("CONFIG SET maxmemory {limit}"));
    wait_until("the limit is kept", || {
        let evicted: i64 = client.info("evicted_keys").parse().unwrap();
        let used: u64 = client.info("used_memory").parse().unwrap();
        evicted > 100 && used <= limit + 16 * KIB
    });
    client.ask("CONFIG SET maxmemory 0");
    kinds.each_ref().map(|kind| kind.gone(&mut client))
}

/// Runs a check on a server of ours and on a real one.
fn on_both(check: impl Fn(&Server)) {
    let folders = [Folder::new(), Folder::new()];
    let options = ["--save", "", "--enable-debug-command", "yes"];
    check(&Server::ours(&folders[0], &options));
    check(&Server::real(&folders[1], &options));
}

/// Both kinds may go, and the first should. Five keys are drawn for each that goes: of the other kind go only those
/// that were drawn before any of the first, which are two or three, or of 500 perhaps ten, but not 25.
#[test]
fn the_right_keys_go() {
    const LATE: &str = "90000000";
    const SOON: &str = "9000000";
    let idle = |words| Usage::new("first", LATE, words);
    let used = |words| Usage::new("last", LATE, words);
    for (policy, first, last) in [
        ("lru", idle(["IDLETIME", "10000"]), used(["IDLETIME", "10"])),
        ("lfu", idle(["FREQ", "3"]), used(["FREQ", "200"])),
        (
            "ttl",
            Usage::new("first", SOON, ["IDLETIME", "0"]),
            used(["IDLETIME", "10000"]),
        ),
    ] {
        let kept = Usage::new("kept", "0", first.words);
        let kinds = [first, last, kept];
        on_both(|server| {
            let [first, last, kept] = evict(server, &format!("volatile-{policy}"), &kinds);
            assert!(last * 20 < first, "{policy}: {first}, {last}");
            assert_eq!(kept, 0, "{policy}");
        });
        if policy == "ttl" {
            continue;
        }
        // Without a deadline they go like the others.
        on_both(|server| {
            let [first, last, kept] = evict(server, &format!("allkeys-{policy}"), &kinds);
            assert!(
                last * 20 < first + kept,
                "{policy}: {first}, {last}, {kept}"
            );
            assert!(kept > 0, "{policy}");
        });
    }
}

#[test]
fn any_keys_go() {
    let old = Usage::new("old", "90000000", ["IDLETIME", "10000"]);
    let new = Usage::new("new", "90000000", ["IDLETIME", "0"]);
    let kept = Usage::new("kept", "0", ["IDLETIME", "10000"]);
    let kinds = [old, new, kept];
    on_both(|server| {
        // Each kind is a third of what goes, or half: a tenth cannot be missed.
        let [old, new, kept] = evict(server, "allkeys-random", &kinds);
        let least = (old + new + kept) / 10;
        assert!(old.min(new).min(kept) > least, "{old}, {new}, {kept}");
    });
    on_both(|server| {
        let [old, new, kept] = evict(server, "volatile-random", &kinds);
        let least = (old + new) / 10;
        assert!(old.min(new) > least, "{old}, {new}");
        assert_eq!(kept, 0);
    });
}

/// What the log says of limits that are likely to be mistakes.
/// A limit that is far exceeded is kept in the end, although no client gives a command. A subscriber sees it.
#[test]
fn keys_go_while_no_client_gives_commands() {
    const MOST_GO: usize = 30_000;
    on_both(|server| {
        let [mut admin, mut subscriber] = [(); 2].map(|()| server.client());
        admin.ask("CONFIG SET notify-keyspace-events Ee");
        admin.ask("DEBUG POPULATE 40000");
        subscriber.ask("SUBSCRIBE __keyevent@0__:evicted");
        admin.ask("CONFIG SET maxmemory 1mb maxmemory-policy allkeys-lru");
        for _ in 0..MOST_GO {
            let Value::Array(message) = subscriber.receive() else {
                panic!("a message is an array")
            };
            assert_eq!(message[0], Value::Bulk(b"message".to_vec()));
        }
    });
}

#[test]
fn small_limits_are_warned_of() {
    for is_ours in [true, false] {
        let folder = Folder::new();
        let log = folder.path().join("log");
        let options = [
            "--save",
            "",
            "--maxmemory",
            "1000",
            "--logfile",
            log.to_str().unwrap(),
        ];
        let server = match is_ours {
            true => Server::ours(&folder, &options),
            false => Server::real(&folder, &options),
        };
        let says = |text: &str| {
            wait_until(text, || fs::read_to_string(&log).unwrap().contains(text));
        };
        says(
            "# WARNING: You specified a maxmemory value that is less than 1MB (current value is 1000 bytes). Are you \
             sure this is what you really want?",
        );
        assert_eq!(server.client().ask("CONFIG SET maxmemory 2000"), "OK");
        says(
            "# WARNING: the new maxmemory value set via CONFIG SET (2000) is smaller than the current memory usage (",
        );
        says(
            "). This will result in key eviction and/or the inability to accept new write commands depending on the \
             maxmemory-policy.",
        );
    }
}

#[test]
fn redis_cli_finds_hot_keys() {
    let found = [true, false].map(|is_ours| {
        let folder = Folder::new();
        let options = [
            "--save",
            "",
            "--maxmemory-policy",
            "allkeys-lfu",
            "--lfu-decay-time",
            "0",
        ];
        let server = match is_ours {
            true => Server::ours(&folder, &options),
            false => Server::real(&folder, &options),
        };
        let mut client = server.client();
        client.ask("SET cold v");
        let Value::Bulk(payload) = client.call(&["DUMP", "cold"]) else {
            panic!("DUMP gives a string")
        };
        for (key, frequency) in [("hot", "200"), ("warm", "100")] {
            let head = ["RESTORE", key, "0"].map(str::as_bytes);
            let tail = ["FREQ", frequency].map(str::as_bytes);
            client.call(&[&head[..], &[&payload], &tail].concat());
        }
        let mut command = redis_tool("redis-cli");
        command.args(["-p", &server.port.to_string(), "--hotkeys"]);
        let output = command.output().expect("redis-cli can be run");
        assert!(output.status.success());
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let (_, summary) = said
            .split_once("-------- summary -------")
            .expect("it ends");
        summary.to_string()
    });
    assert!(
        found[0].contains("hot key found with counter: 200\tkeyname: \"hot\""),
        "{}",
        found[0]
    );
    assert_eq!(found[0], found[1]);
}

/// It writes and reads keys by a power law until it is killed.
#[test]
fn redis_cli_tests_lru() {
    let folder = Folder::new();
    let options = [
        "--save",
        "",
        "--maxmemory",
        "8mb",
        "--maxmemory-policy",
        "allkeys-lru",
    ];
    let server = Server::ours(&folder, &options);
    let mut command = redis_tool("redis-cli");
    command
        .args(["-p", &server.port.to_string(), "--lru-test", "1000000"])
        .stdout(Stdio::null());
    let _tool = KilledOnDrop(command.spawn().expect("redis-cli can be run"));
    let mut client = server.client();
    wait_until("keys are evicted, and others found", || {
        client.info("evicted_keys") != "0" && client.info("keyspace_hits") != "0"
    });
}

/// A program that does not end by itself.
struct KilledOnDrop(Child);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        // If it has ended, that is all the better.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
