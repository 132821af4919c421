//! MEMORY and INFO: errors and fields are compared with a real redis-server, estimates with the memory that keys really
//! take.

use crate::common::oracle::Oracle;
use crate::common::{Client, Folder, Server, wait_until};
use my_redis_server::resp::decoder::Value;
use std::collections::BTreeSet;

const EDGES: &str = r#"
MEMORY
MEMORY FOO
MEMORY USAGE
MEMORY USAGE nothing
MEMORY USAGE nothing SAMPLES
MEMORY USAGE nothing FOO 3
SET k v
MEMORY USAGE k SAMPLES
MEMORY USAGE k FOO
MEMORY USAGE k FOO 3
MEMORY USAGE k SAMPLES x
MEMORY USAGE k SAMPLES -1
MEMORY USAGE k SAMPLES 1 SAMPLES
MEMORY USAGE k SAMPLES 1 SAMPLES -1
MEMORY USAGE k SAMPLES 9223372036854775808
MEMORY PURGE
MEMORY PURGE x
MEMORY STATS x
MEMORY HELP x
MEMORY HELP
"#;

#[test]
fn edges() {
    let mut oracle = Oracle::start();
    oracle.scripts(&[EDGES]);
    oracle.finish();
}

/// With a factor of 0 every access counts one, so that the real server must have the same numbers. Small integers would
/// not do: they are shared in Redis, and so are their counters.
const FREQUENCIES: &str = r#"
SET k v
OBJECT FREQ k
CONFIG SET maxmemory-policy allkeys-lfu lfu-log-factor 0 lfu-decay-time 0
DEL k
SET k v
OBJECT IDLETIME k
OBJECT IDLETIME nothing
OBJECT FREQ nothing
OBJECT FREQ k
OBJECT FREQ k
GET k
GET k
OBJECT FREQ k
RENAME k j
OBJECT FREQ j
MOVE j 1
SELECT 1
OBJECT FREQ j
COPY j c
OBJECT FREQ j
OBJECT FREQ c
MOVE j 0
SELECT 0
RENAME j k
OBJECT FREQ k
MGET k k
EXISTS k
TYPE k
TTL k
SCAN 0
KEYS *
RANDOMKEY
DEBUG OBJECT nothing
MEMORY USAGE nothing
DUMP nothing
OBJECT FREQ k
TOUCH k
OBJECT FREQ k
SET k w
OBJECT FREQ k
SET k w NX
OBJECT FREQ k
SET k w XX
OBJECT FREQ k
APPEND k x
OBJECT FREQ k
SETRANGE k 0 abc
OBJECT FREQ k
MSET k 70000
OBJECT FREQ k
INCR k
OBJECT FREQ k
EXPIRE k 1000
OBJECT FREQ k
STRLEN k
OBJECT FREQ k
RPUSH l a
OBJECT FREQ l
RPUSH l a b c
OBJECT FREQ l
LRANGE l 0 -1
LPOP l
OBJECT FREQ l
HSET h f v
HSET h g v
HINCRBY h n 1
HGET h f
OBJECT FREQ h
SADD s a
SADD s b
SREM s a
SISMEMBER s a
OBJECT FREQ s
ZADD z 1 a
ZADD z 2 b
ZINCRBY z 3 a
ZSCORE z a
OBJECT FREQ z
MULTI
GET k
SET k eight
SET k nine
EXEC
OBJECT FREQ k
SET r v
RESTORE r 0 "\x00\x01v\n\x00\x91\b\xce\xb2\x198\x8a\xce" REPLACE FREQ 77
OBJECT FREQ r
RESTORE r 0 "\x00\x01v\n\x00\x91\b\xce\xb2\x198\x8a\xce" REPLACE IDLETIME 77
OBJECT FREQ r
RESTORE r 0 "\x00\x01v\n\x00\x91\b\xce\xb2\x198\x8a\xce" REPLACE FREQ 256
RESTORE r 0 "\x00\x01v\n\x00\x91\b\xce\xb2\x198\x8a\xce" REPLACE FREQ 7 IDLETIME 1
CONFIG SET maxmemory-policy volatile-lfu
GET k
OBJECT FREQ k
CONFIG SET maxmemory-policy noeviction
OBJECT FREQ k
RESTORE r 0 "\x00\x01v\n\x00\x91\b\xce\xb2\x198\x8a\xce" REPLACE FREQ 77
OBJECT IDLETIME r
"#;

#[test]
fn accesses_are_counted_as_in_redis() {
    let mut oracle = Oracle::start();
    oracle.scripts(&[FREQUENCIES]);
    oracle.finish();
}

/// A real dump tells how often keys were used.
#[test]
fn frequencies_are_loaded_if_they_fit_the_policy() {
    let folder = Folder::new();
    let policy = ["--save", "", "--maxmemory-policy", "allkeys-lfu"];
    let options = [
        &policy[..],
        &[
            "--lfu-decay-time",
            "0",
            "--lfu-log-factor",
            "0",
            "--dbfilename",
            "dump.my_rdb",
        ],
    ]
    .concat();
    let real = Server::real(&folder, &options);
    let mut client = real.client();
    for line in [
        "SET k v",
        "GET k",
        "GET k",
        "RPUSH l a",
        "RPUSH l b",
        "SAVE",
    ] {
        client.ask(line);
    }
    drop(real);
    let ours = Server::ours(&folder, &options);
    let mut client = ours.client();
    assert_eq!(integer(&mut client, &["OBJECT", "FREQ", "k"]), 7);
    assert_eq!(integer(&mut client, &["OBJECT", "FREQ", "l"]), 6);
    drop(ours);
    let ours = Server::ours(&folder, &["--save", ""]);
    let idle = integer(&mut ours.client(), &["OBJECT", "IDLETIME", "k"]);
    assert!(idle < 600, "{idle}");
}

/// Redis' own table says 25 after this number of accesses as a rule; the bounds are those of its worst luck and then
/// some.
#[test]
fn the_counter_grows_as_a_logarithm() {
    let folder = Folder::new();
    let server = Server::ours(
        &folder,
        &["--save", "", "--maxmemory-policy", "allkeys-lfu"],
    );
    let mut client = server.client();
    client.ask("SET k v");
    for _ in 0..3000 {
        client.ask("GET k");
    }
    let frequency = integer(&mut client, &["OBJECT", "FREQ", "k"]);
    assert!((15..45).contains(&frequency), "{frequency}");
    client.ask("CLIENT NO-TOUCH ON");
    client.ask("CONFIG SET lfu-log-factor 0");
    client.ask("GET k");
    client.ask("SET k w");
    assert_eq!(integer(&mut client, &["OBJECT", "FREQ", "k"]), frequency);
    // As in Redis 7.2, that is what TOUCH is for.
    client.ask("TOUCH k");
    assert_eq!(
        integer(&mut client, &["OBJECT", "FREQ", "k"]),
        frequency + 1
    );
}

fn integer(client: &mut Client, request: &[&str]) -> i64 {
    match client.call(request) {
        Value::Integer(integer) => integer,
        other => panic!("{request:?}: {other:?}"),
    }
}

fn allocated(client: &mut Client) -> i64 {
    let Value::Array(stats) = client.call(&["MEMORY", "STATS"]) else {
        panic!("MEMORY STATS is a map")
    };
    let mut pairs = stats.chunks(2);
    let pair = pairs.find(|pair| pair[0] == Value::Bulk(b"total.allocated".to_vec()));
    match pair {
        Some([_, Value::Integer(bytes)]) => *bytes,
        other => panic!("{other:?}"),
    }
}

/// Fills a key with `count` elements of the words that `element` gives, and compares the estimates with what it has
/// cost.
#[track_caller]
fn check(command: &str, count: usize, element: impl Fn(usize) -> String) {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    let fill = |client: &mut Client, key: &str| {
        let numbers: Vec<usize> = (0..count).collect();
        for some in numbers.chunks(100) {
            let elements: Vec<String> = some.iter().map(|number| element(*number)).collect();
            let line = format!("{command} {key} {}", elements.join(" "));
            client.call(&line.split(' ').collect::<Vec<_>>());
        }
    };
    // The first time, buffers and the allocator's caches take their share.
    fill(&mut client, "first");
    let before = allocated(&mut client);
    fill(&mut client, "k");
    let taken = allocated(&mut client) - before;
    for (samples, most_percent) in [("5", 25), ("100", 10), ("0", 5)] {
        let told = integer(&mut client, &["MEMORY", "USAGE", "k", "SAMPLES", samples]);
        let off_percent = (told - taken).abs() * 100 / taken;
        assert!(
            off_percent <= most_percent,
            "{command}: {taken} bytes, {told} with {samples} samples"
        );
    }
}

#[test]
fn estimates_are_near_what_is_taken() {
    let long = "x".repeat(2000);
    check("RPUSH", 100_000, |number| format!("element:{number}"));
    check("HSET", 100_000, |number| {
        format!("field:{number} value:{number}")
    });
    check("SADD", 100_000, |number| format!("member:{number}"));
    check("ZADD", 100_000, |number| {
        format!("{number} member:{number}")
    });
    check("ZADD", 100_000, |number| {
        format!("{} member:{number}", number * 7919 % 100_003)
    });
    check("HSET", 5000, |number| format!("field:{number} {long}"));
    check("ZADD", 5000, |number| format!("{number} {number}{long}"));
    check("SADD", 5000, |number| format!("{number}{long}"));
}

#[test]
fn small_values_cost_their_bytes() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    // Two lengths, flags, slot (types/dict/page.rs, keyspace/inline_entry.rs).
    client.call(&["SET", "k", "value"]);
    assert_eq!(
        integer(&mut client, &["MEMORY", "USAGE", "k"]),
        2 + 1 + 1 + 5 + 8
    );
    client.call(&["PEXPIRE", "k", "100000"]);
    assert_eq!(
        integer(&mut client, &["MEMORY", "USAGE", "k"]),
        2 + 1 + 9 + 5 + 8
    );
    client.call(&["RPUSH", "l", "a"]);
    let list = integer(&mut client, &["MEMORY", "USAGE", "l"]);
    assert!((50..200).contains(&list), "{list}");
}

/// The names of INFO's fields.
fn info_fields(client: &mut Client) -> BTreeSet<String> {
    let Value::Bulk(text) = client.call(&["INFO", "everything"]) else {
        panic!("INFO gives a string")
    };
    let text = String::from_utf8(text).expect("it is text");
    let names = text.lines().filter_map(|line| line.split_once(':'));
    names.map(|(name, _)| name.to_string()).collect()
}

/// Figures of parts that are built differently here, or not at all.
const WITHOUT_MEANING: &[&str] = &[
    // How redis-server was compiled, and its loop.
    "atomicvar_api",
    "gcc_version",
    "monotonic_clock",
    "reply_buffer_expands",
    "reply_buffer_shrinks",
];

#[test]
fn info_has_the_fields_that_exporters_read() {
    let folders = [Folder::new(), Folder::new()];
    let servers = [
        Server::ours(&folders[0], &[]),
        Server::real(&folders[1], &[]),
    ];
    let [ours, real] = servers.each_ref().map(|server| {
        let mut client = server.client();
        client.ask("PING");
        client.ask("GET k");
        client.ask("nonsense");
        info_fields(&mut client)
    });
    let missing: Vec<&String> = real.difference(&ours).collect();
    // Percentiles and command statistics name the commands that have run, COMMAND of a client that connects, say.
    let missing = missing
        .into_iter()
        .filter(|name| !name.starts_with("latency_percentiles_") && !name.starts_with("cmdstat_"));
    let missing: BTreeSet<&str> = missing.map(String::as_str).collect();
    assert_eq!(missing, WITHOUT_MEANING.iter().copied().collect());
}

#[test]
fn infos_figures_are_measured() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    let number = |client: &mut Client, field: &str| {
        let text = client.info(field);
        text.trim_end_matches('%')
            .parse::<f64>()
            .unwrap_or_else(|_| panic!("{field}: {text}"))
    };
    let startup = number(&mut client, "used_memory_startup");
    assert!((100e3..20e6).contains(&startup), "{startup}");
    client.call(&[b"SET", &b"k"[..], &vec![b'x'; 10_000_000]]);
    let dataset = number(&mut client, "used_memory_dataset");
    assert!((10e6..12e6).contains(&dataset), "{dataset}");
    assert!(number(&mut client, "used_memory_dataset_perc") > 90.0);
    let [used, overhead] =
        ["used_memory", "used_memory_overhead"].map(|field| number(&mut client, field));
    assert!(
        overhead > startup && overhead < used,
        "{startup} {overhead} {used}"
    );
    assert!(number(&mut client, "mem_clients_normal") > 0.0);
    assert!(number(&mut client, "total_reads_processed") >= 7.0);
    assert!(number(&mut client, "total_writes_processed") >= 7.0);
    // Until the server has looked twice, it does not know how much happens each second.
    wait_until("commands are counted each second", || {
        client.ask("PING");
        number(&mut client, "instantaneous_ops_per_sec") > 0.0
    });
    assert!(number(&mut client, "instantaneous_output_kbps") > 0.0);
    let listener = format!("name=tcp,bind=127.0.0.1,port={}", server.port);
    assert_eq!(client.info("listener0"), listener);
    client.ask("DEBUG SLEEP 0");
    assert!(number(&mut client, "used_cpu_user") + number(&mut client, "used_cpu_sys") > 0.0);
    assert_eq!(number(&mut client, "used_cpu_user_children"), 0.0);
}

/// The names of a section of INFO, or of MEMORY STATS, in order.
fn names(reply: Value) -> Vec<String> {
    match reply {
        Value::Bulk(text) => {
            let text = String::from_utf8(text).expect("it is text");
            let names = text.lines().filter_map(|line| line.split_once(':'));
            names.map(|(name, _)| name.to_string()).collect()
        }
        Value::Array(elements) => elements
            .chunks(2)
            .map(|pair| match &pair[0] {
                Value::Bulk(name) => String::from_utf8_lossy(name).into_owned(),
                other => panic!("{other:?} is no name"),
            })
            .collect(),
        other => panic!("{other:?} has no names"),
    }
}

#[test]
fn figures_of_memory_come_in_the_order_of_redis() {
    let folders = [Folder::new(), Folder::new()];
    let servers = [
        Server::ours(&folders[0], &[]),
        Server::real(&folders[1], &[]),
    ];
    for request in [["INFO", "memory"], ["MEMORY", "STATS"]] {
        let [ours, real] = servers
            .each_ref()
            .map(|server| names(server.client().call(&request)));
        let own: Vec<_> = ours.iter().filter(|name| real.contains(name)).collect();
        let known: Vec<_> = real.iter().filter(|name| ours.contains(name)).collect();
        assert_eq!(own, known, "{request:?}");
        assert!(own.len() > 20, "{request:?}: {own:?}");
    }
}

const SCRIPT: &str = "return redis.call('GET', KEYS[1])";
const LIBRARY: &str = "#!lua name=lib\n\
    redis.register_function('f', function() return 1 end)\n\
    redis.register_function('g', function() return 2 end)";

/// The figures about scripts and functions, in [`Figures::of`].
#[derive(Debug)]
struct Figures {
    /// Cached scripts, functions, libraries: numbers on which both servers must agree.
    counts: [i64; 3],
    script_bytes: i64,
    script_interpreter_bytes: i64,
    library_bytes: i64,
    function_interpreter_bytes: i64,
}

impl Figures {
    /// Those of a server, whose sums and repetitions are checked.
    fn of(client: &mut Client) -> Figures {
        let mut number = |field: &str| -> i64 {
            let text = client.info_of("memory", field);
            text.parse().unwrap_or_else(|_| panic!("{field}: {text}"))
        };
        let figures = Figures {
            counts: [
                number("number_of_cached_scripts"),
                number("number_of_functions"),
                number("number_of_libraries"),
            ],
            script_bytes: number("used_memory_scripts_eval"),
            script_interpreter_bytes: number("used_memory_vm_eval"),
            library_bytes: number("used_memory_functions"),
            function_interpreter_bytes: number("used_memory_vm_functions"),
        };
        assert_eq!(
            number("used_memory_lua"),
            figures.script_interpreter_bytes,
            "an old name"
        );
        assert_eq!(
            number("used_memory_vm_total"),
            figures.script_interpreter_bytes + figures.function_interpreter_bytes
        );
        assert_eq!(
            number("used_memory_scripts"),
            figures.script_bytes + figures.library_bytes
        );
        let Value::Array(stats) = client.call(&["MEMORY", "STATS"]) else {
            panic!("MEMORY STATS gives an array")
        };
        let stat = |name: &str| {
            let mut pairs = stats.chunks(2);
            let pair = pairs.find(|pair| pair[0] == Value::Bulk(name.into()));
            match pair.map(|pair| &pair[1]) {
                Some(Value::Integer(number)) => *number,
                other => panic!("{name}: {other:?}"),
            }
        };
        assert_eq!(stat("lua.caches"), figures.script_bytes);
        assert_eq!(stat("functions.caches"), figures.library_bytes);
        let parts = ["startup.allocated", "lua.caches", "functions.caches"].map(stat);
        assert!(stat("overhead.total") >= parts.iter().sum());
        figures
    }
}

#[test]
fn scripts_and_functions_are_counted_and_weighed() {
    let folders = [Folder::new(), Folder::new()];
    let servers = [
        Server::ours(&folders[0], &["--save", ""]),
        Server::real(&folders[1], &[]),
    ];
    let steps: [&[&str]; 7] = [
        &["EVAL", SCRIPT, "1", "k"],
        &["EVAL", SCRIPT, "1", "other"],
        &["SCRIPT", "LOAD", "return 2"],
        &["FUNCTION", "LOAD", LIBRARY],
        &["FCALL", "f", "0"],
        &["SCRIPT", "FLUSH"],
        &["FUNCTION", "FLUSH"],
    ];
    let [ours, real] = servers.each_ref().map(|server| {
        let mut client = server.client();
        steps.map(|step| {
            client.call(step);
            Figures::of(&mut client)
        })
    });
    for ((step, ours), real) in steps.iter().zip(&ours).zip(&real) {
        assert_eq!(ours.counts, real.counts, "{step:?}");
    }
    let [first, again, loaded, library, called, no_scripts, nothing] = ours;
    assert!(first.script_bytes > SCRIPT.len() as i64, "{first:?}");
    assert!(first.script_interpreter_bytes > 10_000, "{first:?}");
    assert_eq!(again.script_bytes, first.script_bytes);
    assert!(loaded.script_bytes > first.script_bytes);
    assert_eq!(
        (loaded.library_bytes, loaded.function_interpreter_bytes),
        (0, 0)
    );
    assert!(library.library_bytes > LIBRARY.len() as i64, "{library:?}");
    assert!(called.function_interpreter_bytes > 10_000, "{called:?}");
    assert_eq!(no_scripts.script_bytes, 0);
    assert_eq!(no_scripts.library_bytes, library.library_bytes);
    assert_eq!(nothing.library_bytes, 0);
}

/// A server of which the doctor has something to say: those with less than 5 MiB he does not look at.
fn with_a_large_value() -> (Folder, Server) {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    client.call(&[b"SET", &b"k"[..], &vec![b'x'; 20_000_000]]);
    drop(client);
    // As long as it is there, its buffers count.
    let mut client = server.client();
    wait_until("the client to be gone", || {
        client.info("connected_clients") == "1"
    });
    drop(client);
    (folder, server)
}

fn doctor_says(client: &mut Client, words: &str) -> bool {
    match client.call(&["MEMORY", "DOCTOR"]) {
        Value::Bulk(text) => String::from_utf8_lossy(&text).contains(words),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_doctor_complains_of_many_scripts() {
    let (_folder, server) = with_a_large_value();
    let mut client = server.client();
    let complains = |client: &mut Client| doctor_says(client, "scripts are cached");
    assert!(!complains(&mut client));
    let mut other = server.client();
    let mut load = |numbers: std::ops::Range<usize>| {
        numbers.for_each(|number| {
            other.call(&["SCRIPT", "LOAD", &format!("return {number}")]);
        });
    };
    load(0..1000);
    assert!(!complains(&mut client));
    load(1000..1001);
    assert!(complains(&mut client));
}

#[test]
fn the_doctor_complains_of_clients_that_do_not_read() {
    let (_folder, server) = with_a_large_value();
    let mut client = server.client();
    let complains = |client: &mut Client| doctor_says(client, "Clients take more than 200 kB");
    assert!(!complains(&mut client));
    let mut lazy = server.client();
    lazy.send(&["GET", "k"]);
    wait_until("the doctor complains", || complains(&mut client));
}
