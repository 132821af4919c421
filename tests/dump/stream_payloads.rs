//! Payloads of streams: DUMP in one server and RESTORE in another, and what damaged ones do.

use crate::common::{Client, Folder, Server};
use my_redis_server::rdb::checksum::crc64;
use my_redis_server::resp::decoder::Value;
use std::fs;
use std::path::Path;

/// Both servers know all of these commands.
const COMMANDS: &str = "
XADD plain 1-1 name ann age 33
XADD plain 1-2 name bob age -5
XADD plain 2-0 other 7 more x
XADD groups 1-0 f v
XADD groups 2-0 f v
XADD groups 3-0 f v
XADD groups 5-0 f v
XGROUP CREATE groups half 2-0 ENTRIESREAD 2
XGROUP CREATE groups unknown 2-0
XGROUP CREATE groups start 0
XREADGROUP GROUP start ann COUNT 2 STREAMS groups >
XREADGROUP GROUP start bob COUNT 1 STREAMS groups >
XCLAIM groups start bob 0 1-0 TIME 1700000000000 RETRYCOUNT 7
XGROUP CREATECONSUMER groups half idle
XDEL groups 2-0
XSETID groups 9-9 ENTRIESADDED 50 MAXDELETEDID 7-0
XGROUP CREATE empty g 5-5 MKSTREAM
XADD trimmed 5-3 f v
XTRIM trimmed MAXLEN 0
";

fn fill(client: &mut Client) {
    for line in COMMANDS.lines().filter(|line| !line.is_empty()) {
        let reply = client.ask(line);
        assert!(!reply.starts_with("(error)"), "{line}: {reply}");
    }
    for ms in 1..=300 {
        client.ask(&format!("XADD long {ms}-1 number {ms} text a"));
    }
    client.ask("XTRIM long MINID 50-0");
}

const KEYS: [&str; 5] = ["plain", "groups", "empty", "trimmed", "long"];

fn payload(client: &mut Client, key: &str) -> Vec<u8> {
    match client.call(&["DUMP", key]) {
        Value::Bulk(payload) => payload,
        other => panic!("DUMP gives a string, not {other:?}"),
    }
}

/// All that XINFO tells of a stream. Redis 7.0 does not know when consumers were active.
fn told(client: &mut Client, key: &str, knows_active: bool) -> Value {
    let mut told = client.call(&["XINFO", "STREAM", key, "FULL", "COUNT", "0"]);
    if !knows_active {
        leave_out_active_time(&mut told);
    }
    told
}

fn leave_out_active_time(value: &mut Value) {
    let Value::Array(items) = value else { return };
    let name = Value::Bulk(b"active-time".to_vec());
    if let Some(place) = items.iter().position(|item| *item == name) {
        items.drain(place..place + 2);
    }
    items.iter_mut().for_each(leave_out_active_time);
}

#[test]
fn streams_go_both_ways() {
    let folders = [Folder::new(), Folder::new()];
    let allowed = ["--enable-debug-command", "yes"];
    let ours = Server::ours(&folders[0], &allowed);
    let real = Server::real(&folders[1], &allowed);
    let mut clients = [ours.client(), real.client()];
    clients.iter_mut().for_each(fill);
    for key in KEYS {
        for (index, origin) in ["ours", "real"].iter().enumerate() {
            let payload = payload(&mut clients[index], key);
            let told_before = told(&mut clients[index], key, false);
            for client in &mut clients {
                let name = format!("{key} of {origin}");
                let reply = client.call(&[b"RESTORE", name.as_bytes(), b"0", &payload]);
                assert_eq!(reply, Value::Simple(b"OK".to_vec()), "{name}");
                assert_eq!(told(client, &name, false), told_before, "{name}");
            }
            let name = format!("{key} of {origin}");
            let digests = clients
                .each_mut()
                .map(|client| client.call(&["DEBUG", "DIGEST-VALUE", key, &name]));
            for digest in &digests {
                let Value::Array(digest) = digest else {
                    panic!("{digest:?}")
                };
                assert_eq!(digest[0], digest[1], "{name}");
            }
            assert_eq!(digests[0], digests[1], "{name}");
        }
    }
}

/// Version and type of a payload say which servers can read it: without a setting, Redis 7.0 and later can.
#[test]
fn the_version_of_payloads() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    fill(&mut client);
    for (setting, version, type_code) in [("9", 10, 19), ("10", 10, 19), ("11", 11, 21)] {
        assert_eq!(
            client.ask(&format!("CONFIG SET rdb-version {setting}")),
            "OK"
        );
        let payload = payload(&mut client, "groups");
        let footer = payload.len() - 10;
        assert_eq!((payload[footer], payload[0]), (version, type_code));
        let request = [b"RESTORE", b"again" as &[u8], b"0", &payload, b"REPLACE"];
        assert_eq!(client.call(&request), Value::Simple(b"OK".to_vec()));
        let knows_active = type_code == 21;
        let before = told(&mut client, "groups", knows_active);
        assert_eq!(told(&mut client, "again", knows_active), before);
    }
}

/// A copy is a stream of its own: what is done to it does not touch the other.
#[test]
fn copies_have_all_of_a_stream() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    fill(&mut client);
    for key in KEYS {
        let before = told(&mut client, key, true);
        assert_eq!(
            client.call(&["COPY", key, "copy", "REPLACE"]),
            Value::Integer(1)
        );
        assert_eq!(told(&mut client, "copy", true), before);
        for line in [
            "XADD copy 1000-0 f v",
            "XDEL copy 1-1 2-0 60-1 1000-0",
            "XTRIM copy MAXLEN 1",
            "XACK copy start 1-0 3-0",
            "XGROUP SETID copy start $",
            "XGROUP DESTROY copy half",
            "XGROUP CREATE copy new $",
        ] {
            client.ask(line);
        }
        assert_ne!(told(&mut client, "copy", true), before);
        assert_eq!(told(&mut client, key, true), before);
    }
}

/// How many damaged payloads are tried: some hundred, or as many as the environment asks for,
/// `PAYLOADS=100000 cargo test --release damaged_payloads_of_streams`.
fn damaged_payloads() -> usize {
    let asked = std::env::var("PAYLOADS").ok().map(|number| number.parse());
    asked.unwrap_or(Ok(600)).expect("PAYLOADS is a number")
}

/// Type and value of the stream of a fixture, which has a single key, `key`.
fn body_of_fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rdb/edge");
    let file = fs::read(folder.join(name)).expect("a fixture");
    let key = b"\x03key";
    let place = file.windows(key.len()).position(|piece| piece == key);
    let place = place.expect("the key");
    // Behind the value stand the end of the file and its checksum.
    let value = &file[place + key.len()..file.len() - 9];
    [&file[place - 1..place], value].concat()
}

/// Payloads without their versions and checksums, small and large, of all types and both compressed and not.
fn bodies(client: &mut Client) -> Vec<Vec<u8>> {
    let fixtures = ["v9_t15_stream1_groups.rdb", "v9_t15_stream1.rdb"];
    let mut bodies: Vec<Vec<u8>> = fixtures.iter().map(|name| body_of_fixture(name)).collect();
    for (version, compression) in [("10", "no"), ("11", "no"), ("11", "yes")] {
        client.ask(&format!("CONFIG SET rdb-version {version}"));
        client.ask(&format!("CONFIG SET rdbcompression {compression}"));
        let payloads = KEYS.map(|key| payload(client, key));
        bodies.extend(payloads.map(|it| it[..it.len() - 10].to_vec()));
    }
    bodies
}

/// Changes some bits, or some bytes into those that stand at edges of encodings.
fn damage(body: &mut [u8], random: &mut fastrand::Rng) {
    const EDGES: [u8; 14] = [
        0x00, 0x01, 0x02, 0x03, 0x7F, 0x80, 0x81, 0xC0, 0xDF, 0xE0, 0xF0, 0xF1, 0xF4, 0xFF,
    ];
    for _ in 0..random.usize(1..4) {
        // Groups stand at the end, and would be hit rarely behind many entries.
        let from = if random.bool() {
            0
        } else {
            body.len().saturating_sub(150)
        };
        let place = random.usize(from..body.len());
        match random.bool() {
            true => body[place] ^= 1 << random.u8(..8),
            false => body[place] = EDGES[random.usize(..EDGES.len())],
        }
    }
}

fn with_footer(body: &[u8]) -> Vec<u8> {
    let payload = [body, b"\x0b\0"].concat();
    let checksum = crc64(0, &payload).to_le_bytes();
    [&payload[..], &checksum].concat()
}

fn restore(client: &mut Client, payload: &[u8]) -> Value {
    client.call(&[b"RESTORE", b"k" as &[u8], b"0", payload, b"REPLACE"])
}

/// The IDs of entries, or `None` for another reply.
fn ids(reply: Value) -> Option<Vec<String>> {
    let Value::Array(entries) = reply else {
        return None;
    };
    let id = |entry: Value| {
        let Value::Array(entry) = entry else {
            return None;
        };
        let Value::Bulk(id) = &entry[0] else {
            return None;
        };
        String::from_utf8(id.clone()).ok()
    };
    entries.into_iter().map(id).collect()
}

/// What must be so of any stream. It is used up.
fn check_stream(client: &mut Client, random: &mut fastrand::Rng) {
    let range = ids(client.call(&["XRANGE", "k", "-", "+"])).expect("entries");
    let mut back = ids(client.call(&["XREVRANGE", "k", "+", "-"])).expect("entries");
    back.reverse();
    assert_eq!(range, back);
    assert_eq!(client.integer(&["XLEN", "k"]), range.len() as i64);
    // It is dumped and restored whole.
    let before = told(client, "k", true);
    let dumped = payload(client, "k");
    assert_eq!(restore(client, &dumped), Value::Simple(b"OK".to_vec()));
    assert_eq!(told(client, "k", true), before);
    // An entry of its own goes once.
    if !range.is_empty() {
        let id = &range[random.usize(..range.len())];
        assert_eq!(
            ids(client.call(&["XRANGE", "k", id, id])).as_ref(),
            Some(&vec![id.clone()])
        );
        assert_eq!(client.integer(&["XDEL", "k", id, id]), 1);
        assert_eq!(client.integer(&["XLEN", "k"]), range.len() as i64 - 1);
    }
    let groups = client.call(&["XINFO", "GROUPS", "k"]);
    let Value::Array(groups) = groups else {
        panic!("{groups:?}")
    };
    client.ask("XGROUP CREATE k fresh 0");
    let names = groups.into_iter().map(|group| match group {
        Value::Array(mut group) => match group.swap_remove(1) {
            Value::Bulk(name) => name,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    });
    for name in names.chain([b"fresh".to_vec()]) {
        use_group(client, &name);
    }
    assert_eq!(client.integer(&["EXISTS", "k"]), 1);
    // A stream whose last ID is the largest takes no entry.
    client.ask("XADD k * f v g w");
    let left = client.integer(&["XLEN", "k"]);
    let most = random.i64(0..=left);
    client.ask(&format!("XTRIM k MAXLEN {most}"));
    assert_eq!(client.integer(&["XLEN", "k"]), most);
    client.ask("XTRIM k MINID 3-0");
    client.ask("XADD k MAXLEN ~ 2 * f v");
    let left = client.integer(&["XLEN", "k"]);
    let range = ids(client.call(&["XRANGE", "k", "-", "+"])).expect("entries");
    assert_eq!(range.len() as i64, left);
}

/// Every command of consumers.
fn use_group(client: &mut Client, group: &[u8]) {
    let requests: [&[&[u8]]; 8] = [
        &[
            b"XREADGROUP",
            b"GROUP",
            group,
            b"ann",
            b"COUNT",
            b"2",
            b"STREAMS",
            b"k",
            b">",
        ],
        &[
            b"XREADGROUP",
            b"GROUP",
            group,
            b"ann",
            b"STREAMS",
            b"k",
            b"0",
        ],
        &[b"XPENDING", b"k", group],
        &[b"XPENDING", b"k", group, b"-", b"+", b"100"],
        &[
            b"XCLAIM", b"k", group, b"bob", b"0", b"1-1", b"3-0", b"FORCE",
        ],
        &[b"XAUTOCLAIM", b"k", group, b"cid", b"0", b"0"],
        &[b"XACK", b"k", group, b"1-1", b"2-0"],
        &[b"XGROUP", b"DELCONSUMER", b"k", group, b"bob"],
    ];
    for request in requests {
        let reply = client.call(request);
        assert!(!matches!(reply, Value::Error(_)), "{request:?}: {reply:?}");
    }
    client.call(&[b"XGROUP" as &[u8], b"SETID", b"k", group, b"2-0"]);
    client.call(&["XINFO", "STREAM", "k", "FULL"]);
    client.call(&[b"XINFO" as &[u8], b"CONSUMERS", b"k", group]);
    client.call(&[b"XGROUP" as &[u8], b"DESTROY", b"k", group]);
}

/// Payloads that are whole, because their checksum is right, but hold another stream, or none.
#[test]
fn damaged_payloads_of_streams_do_no_harm() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    fill(&mut client);
    let bodies = bodies(&mut client);
    for body in &bodies {
        assert_eq!(
            restore(&mut client, &with_footer(body)),
            Value::Simple(b"OK".to_vec())
        );
        check_stream(&mut client, &mut fastrand::Rng::with_seed(0));
    }
    let (mut restored, mut refused) = (0, 0);
    for seed in 0..damaged_payloads() {
        let mut random = fastrand::Rng::with_seed(seed as u64);
        let mut body = bodies[random.usize(..bodies.len())].clone();
        damage(&mut body, &mut random);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            match restore(&mut client, &with_footer(&body)) {
                Value::Error(text) => {
                    assert_eq!(text, b"ERR Bad data format");
                    refused += 1;
                }
                _ if client.ask("TYPE k") != "stream" => {}
                _ => {
                    check_stream(&mut client, &mut random);
                    restored += 1;
                }
            }
        }));
        assert!(result.is_ok(), "seed {seed}: {}", body.escape_ascii());
    }
    assert!(
        restored > 50 && refused > 50,
        "{restored} restored, {refused} refused"
    );
    assert_eq!(client.ask("PING"), "PONG");
    let log = fs::read_to_string(folder.path().join("log")).expect("the log");
    assert!(!log.contains("panicked"), "{log}");
}
