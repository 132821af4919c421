//! 100,000 random commands of all families, by clients some of which wait, while time goes on and keys expire:
//! replaying their effects gives the same data, in our server and in a real one.

use super::instance::{DATABASES, Entry, Instance};
use crate::common::oracle::{Pools, Templates};
use crate::common::{Client, Folder, Server, request, strings};
use crate::oracle::{
    bitmaps, hashes, hyperloglog, keys, lists, sets, sort, sorted_sets_random, streams_random,
    strings,
};
use fastrand::Rng;
use my_redis_server::resp::decoder::{Decoder, Value};
use my_redis_server::util::clock;
use std::io::Write;

const COMMANDS: usize = 100_000;
const CLIENTS: usize = 6;
/// Commands before the data are looked at.
const STAGE: usize = 100;

/// What stands in no family's templates: waiting, transactions, short lives, chance, whole databases.
const OTHERS: &str = r#"
    MULTI
    EXEC
    EXEC
    DISCARD
    WATCH {key}
    SPOP {key}
    SPOP {key} {count}
    SADD {key} {element}+20
    BLPOP {key} {key} 0
    BRPOP {key} 0
    BLMOVE {key} {key} {side} {side} 0
    BRPOPLPUSH {key} {key} 0
    BLMPOP 0 2 {key} {key} {side} COUNT {count}
    BZPOPMIN {key} {key} 0
    BZPOPMAX {key} 0
    BZMPOP 0 2 {key} {key} MAX COUNT {count}
    XREAD BLOCK 0 STREAMS {stream} {stream} $ $
    XREADGROUP GROUP g ann BLOCK 0 STREAMS {stream} >
    XREADGROUP GROUP g bob COUNT 1 BLOCK 0 STREAMS {stream} {stream} > >
    XREADGROUP GROUP g new NOACK BLOCK 0 STREAMS {stream} >
    XGROUP CREATE {stream} g $ MKSTREAM
    XGROUP DELCONSUMER {stream} g new
    XADD {stream} * f {element}
    XADD {stream} MAXLEN ~ {count} * f {element}
    XCLAIM {stream} g new 0 5-0 5-1 6-0 6-1
    XAUTOCLAIM {stream} g new 0 0
    RPUSH {key} {element}+3
    LPUSH {key} {element}
    ZADD {key} 1 {element} 2 {element}
    PEXPIRE {key} {moment}
    SET {key} {element} PX {moment}
    PSETEX {key} {moment} {element}
    GETEX {key} PX {moment}
    INCRBYFLOAT {number} 0.1
    HINCRBYFLOAT h f 0.1
    RESTORE {key} {moment} "\x00\xc0\n\t\x00\xbem\x06\x89Z(\x00\n" REPLACE
    RESTORE {key} 0 "\x00\xc0\n\t\x00\xbem\x06\x89Z(\x00\n"
    GEOADD {key} 13.361389 38.115556 {element} 15.087269 37.502669 {element}
    GEOSEARCHSTORE {key} {key} FROMLONLAT 15 37 BYRADIUS 200 km
    GEORADIUS {key} 15 37 200 km STOREDIST {key}
    DEL {key}+4
    MOVE {key} {database}
    SELECT {database}
    COPY {key} {key} DB {database} REPLACE
    SWAPDB {database} {database}
    {rare}
"#;

const POOLS_OF_OTHERS: Pools = &[
    ("key", "a | b | c | d | e | f | g | l | s"),
    ("stream", "x | x | y"),
    ("number", "n | m"),
    (
        "element",
        "a | b | c | d | 1 | 2 | 3 | 70000 | \"\" | abcdefghijk",
    ),
    ("count", "1 | 2 | 3 | 10"),
    ("side", "LEFT | RIGHT"),
    ("moment", "1 | 5 | 50 | 500"),
    ("database", "0 | 0 | 0 | 1 | 2"),
    (
        "rare",
        "FLUSHDB | FLUSHALL | GET a | GET a | GET a | GET a | GET a",
    ),
];

/// The commands of all families. What a range by names holds is undefined where scores differ, as they do when all
/// families share their keys. That a consumer reads its pending entries again, which counts as one more delivery, is
/// replayed neither by Redis nor by us.
pub fn all_commands() -> Vec<(String, Pools<'static>)> {
    let families = [
        (OTHERS, POOLS_OF_OTHERS),
        // They are most of what this test is about.
        (OTHERS, POOLS_OF_OTHERS),
        (bitmaps::COMMANDS, bitmaps::POOLS),
        (hashes::COMMANDS, hashes::POOLS),
        (hyperloglog::COMMANDS, hyperloglog::POOLS),
        (keys::COMMANDS, keys::POOLS),
        (lists::COMMANDS, lists::POOLS),
        (sets::COMMANDS, sets::POOLS),
        (sort::COMMANDS, sort::POOLS),
        (sorted_sets_random::COMMANDS, sorted_sets_random::POOLS),
        (streams_random::COMMANDS, streams_random::POOLS),
        (strings::COMMANDS, strings::POOLS),
    ];
    let defined = |commands: &str| {
        let reads_again = |line: &str| line.contains("XREADGROUP") && line.ends_with("{from}");
        let is_defined = |line: &&str| !line.contains("LEX") && !reads_again(line);
        let lines = commands.lines().filter(is_defined);
        lines.collect::<Vec<_>>().join("\n")
    };
    let families = families.into_iter();
    families
        .map(|(commands, pools)| (defined(commands), pools))
        .collect()
}

/// Effects, and the data that they lead to.
struct Stage {
    entries: Vec<Entry>,
    digest: String,
    streams: Vec<Stream>,
}

/// A stream, and what XINFO says of it and its groups, which a digest leaves out.
struct Stream {
    database: usize,
    key: Vec<u8>,
    described: Value,
}

/// Runs random commands, and looks at the data after each [`STAGE`] of them: what comes later may hide a fault.
fn run(instance: &mut Instance, random: &mut Rng) -> Vec<Stage> {
    let commands = all_commands();
    let families: Vec<Templates> = commands
        .iter()
        .map(|(commands, pools)| Templates::new(commands, pools))
        .collect();
    let mut stages = Vec::new();
    for number in 1..=COMMANDS {
        let client = random.usize(..CLIENTS);
        if instance.is_waiting(client) {
            // Most wait on.
            if random.u8(..8) == 0 {
                instance.time_out(client);
            }
        } else {
            let family = random.choice(&families).expect("there are some");
            instance.run(client, &family.request(random));
        }
        match random.u8(..32) {
            0 => instance.now_ms += random.i64(0..20),
            1 => instance.remove_expired(),
            _ => {}
        }
        if number % STAGE == 0 {
            instance.remove_expired();
            stages.push(Stage {
                entries: instance.take_effects(),
                digest: instance.digest(CLIENTS),
                streams: streams(instance),
            });
        }
    }
    stages
}

fn reply(instance: &mut Instance, client: usize, request: &[&[u8]]) -> Value {
    let decoded = Decoder::default().decode(&instance.run(client, request));
    decoded.expect("it is a reply").1.expect("it is complete")
}

/// The request that tells everything of a stream.
pub fn describe(key: &[u8]) -> [&[u8]; 6] {
    [b"XINFO", b"STREAM", key, b"FULL", b"COUNT", b"0"]
}

/// All streams.
fn streams(instance: &mut Instance) -> Vec<Stream> {
    let mut streams = Vec::new();
    for database in 0..DATABASES {
        let number = database.to_string();
        reply(instance, CLIENTS, &[b"SELECT", number.as_bytes()]);
        for key in strings(reply(instance, CLIENTS, &[b"KEYS", b"*"])) {
            let described = reply(instance, CLIENTS, &describe(&key));
            if let Value::Array(_) = described {
                streams.push(Stream {
                    database,
                    key,
                    described,
                });
            }
        }
    }
    streams
}

/// What XINFO says of a stream, without the times of consumers. `delivered` is applied to the times of deliveries.
pub fn without_times(described: &Value, delivered: &dyn Fn(i64) -> i64) -> Value {
    use Value::{Array, Bulk, Integer};
    let Array(elements) = described else {
        return described.clone();
    };
    let elements = match &elements[..] {
        [
            id @ Bulk(_),
            consumer @ Bulk(_),
            Integer(at_ms),
            count @ Integer(_),
        ] => {
            let at_ms = Integer(delivered(*at_ms));
            vec![id.clone(), consumer.clone(), at_ms, count.clone()]
        }
        [id @ Bulk(_), Integer(at_ms), count @ Integer(_)] => {
            vec![id.clone(), Integer(delivered(*at_ms)), count.clone()]
        }
        _ => {
            let is_time =
                |it: &Value| *it == Bulk("seen-time".into()) || *it == Bulk("active-time".into());
            let is_kept = |index: &usize| {
                let name = if index.is_multiple_of(2) {
                    &elements[*index]
                } else {
                    &elements[index - 1]
                };
                !is_time(name)
            };
            let kept = (0..elements.len()).filter(is_kept);
            kept.map(|index| without_times(&elements[index], delivered))
                .collect()
        }
    };
    Array(elements)
}

/// Whether an entry is pending in a group of the stream.
fn has_pending(described: &Value) -> bool {
    use Value::{Array, Bulk, Integer};
    match described {
        Array(elements) => match &elements[..] {
            [Bulk(_), Bulk(_), Integer(_), Integer(_)] => true,
            elements => elements.iter().any(has_pending),
        },
        _ => false,
    }
}

/// Sends effects to a real server as a primary would, and looks at every reply.
fn feed(client: &mut Client, entries: &[Entry]) {
    // Whatever was selected before.
    let mut selected = usize::MAX;
    for entry in entries {
        let mut requests: Vec<Vec<u8>> = Vec::new();
        let select = |database: usize| request(&["SELECT".to_string(), database.to_string()]);
        for (index, (database, bytes)) in entry.commands.iter().enumerate() {
            let is_first = index == 0;
            if selected != *database {
                requests.push(select(*database));
                selected = *database;
            }
            if entry.is_transaction && is_first {
                requests.push(request(&["MULTI"]));
            }
            requests.push(bytes.clone());
        }
        if entry.is_transaction {
            requests.push(request(&["EXEC"]));
        }
        let bytes = requests.concat();
        client.stream.write_all(&bytes).expect("the server reads");
        for request in &requests {
            let reply = client.receive();
            assert_no_error(&reply, request);
        }
    }
}

fn assert_no_error(reply: &Value, request: &[u8]) {
    match reply {
        Value::Error(text) => panic!("{}: {text:?}", request.escape_ascii()),
        Value::Array(replies) => replies
            .iter()
            .for_each(|reply| assert_no_error(reply, request)),
        _ => {}
    }
}

pub fn digest_of(client: &mut Client) -> String {
    match client.call(&["DEBUG", "DIGEST"]) {
        Value::Simple(digest) => format!("+{}\r\n", String::from_utf8_lossy(&digest)),
        reply => panic!("{reply:?}"),
    }
}

/// The digest of the data of a real server as ours computes it: 7.0 and 7.2 write some scores differently into it.
pub fn our_digest_of(client: &mut Client, now_ms: i64) -> String {
    let mut copy = Instance::new(1, now_ms);
    for database in 0..DATABASES {
        let select = ["SELECT".to_string(), database.to_string()];
        client.call(&select);
        copy.run(0, &select);
        for key in strings(client.call(&["KEYS", "*"])) {
            let Value::Bulk(payload) = client.call(&[b"DUMP", &key[..]]) else {
                continue;
            };
            let expires_at = client
                .integer(&[b"PEXPIRETIME", &key[..]])
                .max(0)
                .to_string();
            let restore = [
                b"RESTORE",
                &key[..],
                expires_at.as_bytes(),
                &payload,
                b"ABSTTL",
            ];
            assert_eq!(copy.run(0, &restore), b"+OK\r\n");
        }
    }
    copy.digest(0)
}

#[test]
fn replaying_the_effects_of_random_commands_gives_the_same_data() {
    let seed = std::env::var("ORACLE_SEED").map_or(1, |seed| seed.parse().unwrap());
    // Later than the real server's clock, so that no key expires there by itself.
    let now_ms = clock::unix_ms() + 24 * 3600 * 1000;
    let mut instance = Instance::new(CLIENTS + 1, now_ms);
    let stages = run(&mut instance, &mut Rng::with_seed(seed));
    let changes: usize = stages.iter().map(|stage| stage.entries.len()).sum();
    assert!(changes > COMMANDS / 10, "{changes} changes");
    let streams = stages.iter().flat_map(|stage| &stage.streams);
    let pending = streams.filter(|stream| has_pending(&stream.described));
    let pending = pending.count();
    assert!(
        pending > COMMANDS / STAGE / 10,
        "{pending} streams with pending entries"
    );

    let mut copy = Instance::new(1, now_ms);
    let folder = Folder::new();
    let databases = DATABASES.to_string();
    let options = ["--databases", &databases, "--enable-debug-command", "yes"];
    let server = Server::real(&folder, &options);
    let mut client = Client::connect(server.port);
    for (number, stage) in stages.iter().enumerate() {
        copy.replay(&stage.entries);
        assert_eq!(copy.digest(0), stage.digest, "seed {seed}, stage {number}");
        feed(&mut client, &stage.entries);
        let digest = match digest_of(&mut client) {
            digest if digest == stage.digest => digest,
            _ => our_digest_of(&mut client, now_ms),
        };
        assert_eq!(digest, stage.digest, "seed {seed}, stage {number}");
        for stream in &stage.streams {
            let database = stream.database.to_string();
            copy.run(0, &["SELECT", &database]);
            client.call(&["SELECT", &database]);
            let context = format!("seed {seed}, stage {number}, {}", stream.key.escape_ascii());
            let of_copy = reply(&mut copy, 0, &describe(&stream.key));
            // A time that is still to come, as most are for the clock of the copy, becomes the present.
            let delivered = move |at_ms: i64| at_ms.min(now_ms);
            let [original, of_copy] =
                [&stream.described, &of_copy].map(|described| without_times(described, &delivered));
            assert_eq!(original, of_copy, "{context}");
            let of_real = client.call(&describe(&stream.key));
            let [original, of_real] =
                [&stream.described, &of_real].map(|described| without_times(described, &|_| 0));
            assert_eq!(original, of_real, "{context}, a real server");
        }
    }
}
