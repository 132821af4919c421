//! 100,000 random commands of all families, by clients some of which wait, while time goes on and keys expire: replaying
//! their effects gives the same data, in our server and in a real one.

use super::instance::{DATABASES, Entry, Instance};
use crate::common::oracle::{Pools, Templates};
use crate::common::{Client, Folder, Server, request};
use crate::oracle::{
    bitmaps, hashes, hyperloglog, keys, lists, sets, sort, sorted_sets_random, strings,
};
use fastrand::Rng;
use my_redis_server::resp::decoder::Value;
use my_redis_server::util::clock;
use std::io::Write;

const COMMANDS: usize = 100_000;
const CLIENTS: usize = 6;

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
    FLUSHDB
    FLUSHALL
"#;

const POOLS_OF_OTHERS: Pools = &[
    ("key", "a | b | c | d | e | f | g | l | s"),
    ("number", "n | m"),
    (
        "element",
        "a | b | c | d | 1 | 2 | 3 | 70000 | \"\" | abcdefghijk",
    ),
    ("count", "1 | 2 | 3 | 10"),
    ("side", "LEFT | RIGHT"),
    ("moment", "1 | 5 | 50 | 500"),
    ("database", "0 | 0 | 0 | 1 | 2"),
];

fn families() -> Vec<Templates<'static>> {
    let others = Templates::new(OTHERS, POOLS_OF_OTHERS);
    let others_again = Templates::new(OTHERS, POOLS_OF_OTHERS);
    vec![
        others,
        others_again,
        Templates::new(bitmaps::COMMANDS, bitmaps::POOLS),
        Templates::new(hashes::COMMANDS, hashes::POOLS),
        Templates::new(hyperloglog::COMMANDS, hyperloglog::POOLS),
        Templates::new(keys::COMMANDS, keys::POOLS),
        Templates::new(lists::COMMANDS, lists::POOLS),
        Templates::new(sets::COMMANDS, sets::POOLS),
        Templates::new(sort::COMMANDS, sort::POOLS),
        Templates::new(sorted_sets_random::COMMANDS, sorted_sets_random::POOLS),
        Templates::new(strings::COMMANDS, strings::POOLS),
    ]
}

/// Runs random commands; what they had as effects.
fn run(instance: &mut Instance, random: &mut Rng) -> Vec<Entry> {
    let families = families();
    for _ in 0..COMMANDS {
        let client = random.usize(..CLIENTS);
        if instance.is_waiting(client) {
            // Most wait on.
            if random.u8(..8) == 0 {
                instance.time_out(client);
            }
            continue;
        }
        let family = random.choice(&families).expect("there are some");
        instance.run(client, &family.request(random));
        match random.u8(..32) {
            0 => instance.now_ms += random.i64(0..20),
            1 => instance.remove_expired(),
            _ => {}
        }
    }
    instance.remove_expired();
    instance.take_effects()
}

/// Sends effects to a real server as a primary would, and looks at every reply.
fn feed(client: &mut Client, entries: &[Entry]) {
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

#[test]
fn replaying_the_effects_of_random_commands_gives_the_same_data() {
    let seed = std::env::var("ORACLE_SEED").map_or(1, |seed| seed.parse().unwrap());
    // Later than the real server's clock, so that no key expires there by itself.
    let now_ms = clock::unix_ms() + 24 * 3600 * 1000;
    let mut instance = Instance::new(CLIENTS, now_ms);
    let entries = run(&mut instance, &mut Rng::with_seed(seed));
    for client in 0..CLIENTS {
        instance.time_out(client);
        instance.run(client, &["RESET"]);
    }
    let expected = instance.digest();
    assert!(entries.len() > COMMANDS / 10, "{} changes", entries.len());

    let mut copy = Instance::new(1, now_ms);
    copy.replay(&entries);
    assert_eq!(copy.digest(), expected, "seed {seed}");

    let folder = Folder::new();
    let databases = DATABASES.to_string();
    let options = ["--databases", &databases, "--enable-debug-command", "yes"];
    let server = Server::real(&folder, &options);
    let mut client = Client::connect(server.port);
    feed(&mut client, &entries);
    client.send(&["DEBUG", "DIGEST"]);
    let digest = match client.receive() {
        Value::Simple(digest) => format!("+{}\r\n", String::from_utf8_lossy(&digest)),
        reply => panic!("{reply:?}"),
    };
    assert_eq!(digest, expected, "seed {seed}");
}
