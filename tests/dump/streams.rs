//! Streams in the dump, in each version that `rdb-version` allows. Nothing is lost between servers of ours, and between
//! ours and a real one only what its version of the file cannot hold. (`stream_payloads.rs` is about DUMP and RESTORE.)

use crate::common::{Client, Folder, Server, keys_of, redis_tool};
use my_redis_server::resp::decoder::Value;
use my_redis_server::resp::pretty::pretty;
use my_redis_server::util::quoting::split_arguments;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The value type of streams in files of each version.
const TYPES: [(u32, u8); 3] = [(9, 15), (10, 19), (11, 21)];

/// What is told of consumers since Redis 7.2: its file of version 10 does not hold when they were active.
const NEW_IN_7_2: &[&str] = &["active-time"];
/// What files before version 10 do not hold besides.
const NEW_IN_7_0: &[&str] = &[
    "active-time",
    "entries-read",
    "lag",
    "entries-added",
    "max-deleted-entry-id",
    "recorded-first-entry-id",
];

/// Streams of every kind; both servers know all of these commands. Of some, a single fact is not what older versions of
/// the file assume.
const COMMANDS: &str = r#"
XADD plain 1-1 name ann age 33
XADD plain 1-2 name bob age -5
XADD plain 2-0 other "\x00\xff\r\n" 7 ""
PEXPIREAT plain 4102444800123
XADD middle 1-0 f v
XADD middle 2-0 f v
XADD middle 3-0 f v
XADD middle 4-0 f v
XGROUP CREATE middle half 2-0 ENTRIESREAD 2
XGROUP CREATE middle unknown 2-0
XGROUP CREATE middle start 0
XGROUP CREATE middle end $
XGROUP CREATE middle wrong 3-0 ENTRIESREAD 77
XREADGROUP GROUP half ann COUNT 1 STREAMS middle >
XREADGROUP GROUP start ann COUNT 3 STREAMS middle >
XREADGROUP GROUP start bob STREAMS middle >
XACK middle start 2-0
XGROUP CREATECONSUMER middle start idle
XGROUP CREATECONSUMER middle end idle
XREADGROUP GROUP end late STREAMS middle >
XCLAIM middle start cid 0 1-0 TIME 1700000000000 RETRYCOUNT 7
XCLAIM middle start bob 0 3-0 TIME 1600000000123 RETRYCOUNT 20000 JUSTID
PEXPIREAT middle 4102444800456
XADD deleted 1-0 f v
XADD deleted 2-0 f v
XADD deleted 3-0 f v
XADD deleted 4-0 f v
XADD deleted 5-0 f v
XGROUP CREATE deleted g 0
XREADGROUP GROUP g ann COUNT 3 STREAMS deleted >
XDEL deleted 1-0 3-0
XREADGROUP GROUP g ann COUNT 1 STREAMS deleted >
XDEL deleted 5-0
XADD history 1-0 f v
XADD history 7-0 f v
XGROUP CREATE history g 7-0
XSETID history 99-5 ENTRIESADDED 1000 MAXDELETEDID 50-1
XADD added 1-0 f v
XSETID added 1-0 ENTRIESADDED 9 MAXDELETEDID 0-0
XADD gap 1-0 f v
XADD gap 3-0 f v
XSETID gap 3-0 ENTRIESADDED 2 MAXDELETEDID 2-0
XADD position 1-0 f v
XADD position 2-0 f v
XADD position 3-0 f v
XGROUP CREATE position g 2-0 ENTRIESREAD 2
XADD times 1-0 f v
XGROUP CREATE times g 0 ENTRIESREAD 0
XGROUP CREATECONSUMER times g ann
XGROUP CREATE empty g 0 MKSTREAM
XGROUP CREATE empty h 5-5 ENTRIESREAD 3
XGROUP CREATECONSUMER empty g ann
XADD emptied 5-0 f v
XADD emptied 6-0 f v
XGROUP CREATE emptied g 0
XREADGROUP GROUP g ann COUNT 1 STREAMS emptied >
XDEL emptied 5-0 6-0
XADD trimmed 5-3 f v
XTRIM trimmed MAXLEN 0
XADD far 18446744073709551614-0 f v
XADD far 18446744073709551615-18446744073709551614 f v
XADD "" 1-0 "" ""
XGROUP CREATE "" "" 0
XGROUP CREATECONSUMER "" "" ""
XADD names 1-0 f v
XGROUP CREATE names 12 0
XGROUP CREATE names "\x00\xff" 0
XGROUP CREATE names "a name that is repeated, a name that is repeated" 0
XGROUP CREATECONSUMER names 12 -300
XREADGROUP GROUP "\x00\xff" "a name that is repeated, a name that is repeated" STREAMS names >
XGROUP CREATECONSUMER names "\x00\xff" "\r\n"
"#;

/// Fills a server with streams of every kind, and with a long one.
pub fn fill(client: &mut Client) {
    for line in COMMANDS.lines().filter(|line| !line.is_empty()) {
        let words = split_arguments(line.as_bytes()).expect("the quotes are balanced");
        let reply = client.call(&words);
        assert!(!matches!(reply, Value::Error(_)), "{line}: {reply:?}");
    }
    for ms in 1..=1000_u32 {
        let (id, value) = (format!("{ms}-{}", ms % 7), format!("value {ms}"));
        let fields = if ms % 10 == 0 { "other" } else { "number" };
        client.call(&["XADD", "long", &id, fields, &ms.to_string(), "text", &value]);
    }
    for line in [
        "XGROUP CREATE long readers 0",
        "XREADGROUP GROUP readers ann COUNT 300 STREAMS long >",
        "XREADGROUP GROUP readers bob COUNT 300 STREAMS long >",
        "XTRIM long MINID 150-0",
        "XDEL long 500-3 501-4 502-5",
    ] {
        client.ask(line);
    }
}

/// What can be asked of each stream, as texts, without the facts of these names.
pub fn facts(client: &mut Client, left_out: &[&str]) -> BTreeMap<String, String> {
    let Value::Array(keys) = client.call(&["KEYS", "*"]) else {
        panic!("KEYS gives an array")
    };
    let mut facts = BTreeMap::new();
    for key in keys.iter().map(bytes) {
        if client.call(&[b"TYPE", key]) != Value::Simple(b"stream".to_vec()) {
            continue;
        }
        let mut ask = |words: &[&[u8]]| {
            let mut reply = client.call(words);
            assert!(!matches!(reply, Value::Error(_)), "{words:?}: {reply:?}");
            leave_out(&mut reply, left_out);
            let words = words.iter().map(|word| word.escape_ascii().to_string());
            let request = words.collect::<Vec<_>>().join(" ");
            let answer = String::from_utf8_lossy(&pretty(&reply)).into_owned();
            facts.insert(request, answer);
            reply
        };
        ask(&[b"XRANGE", key, b"-", b"+"]);
        ask(&[b"XINFO", b"STREAM", key]);
        ask(&[b"XINFO", b"STREAM", key, b"FULL", b"COUNT", b"0"]);
        ask(&[b"PEXPIRETIME", key]);
        ask(&[b"DEBUG", b"DIGEST-VALUE", key]);
        let Value::Array(groups) = ask(&[b"XINFO", b"GROUPS", key]) else {
            panic!("XINFO GROUPS gives an array")
        };
        for group in &groups {
            let Value::Array(group) = group else {
                panic!("{group:?}")
            };
            ask(&[b"XPENDING", key, bytes(&group[1])]);
        }
    }
    facts
}

fn bytes(value: &Value) -> &[u8] {
    match value {
        Value::Bulk(bytes) => bytes,
        other => panic!("{other:?} is no string"),
    }
}

/// Removes pairs of a name and a value, at all depths.
fn leave_out(value: &mut Value, names: &[&str]) {
    let Value::Array(items) = value else { return };
    let is_left_out = |item: &Value| match item {
        Value::Bulk(text) => names.iter().any(|name| name.as_bytes() == text),
        _ => false,
    };
    while let Some(place) = items.iter().position(is_left_out) {
        items.drain(place..place + 2);
    }
    items.iter_mut().for_each(|item| leave_out(item, names));
}

#[track_caller]
pub fn assert_same(found: &BTreeMap<String, String>, expected: &BTreeMap<String, String>) {
    let requests = |facts: &BTreeMap<String, String>| facts.keys().cloned().collect::<Vec<_>>();
    assert_eq!(requests(found), requests(expected));
    for (request, answer) in expected {
        assert_eq!(&found[request], answer, "{request}");
    }
}

const OPTIONS: [&str; 4] = ["--save", "", "--enable-debug-command", "yes"];

/// Our server, filled; its dump of this version written.
fn saved(folder: &Folder, version: u32) -> Server {
    let version = version.to_string();
    let server = Server::ours(
        folder,
        &[&OPTIONS[..], &["--rdb-version", &version]].concat(),
    );
    let mut client = server.client();
    fill(&mut client);
    assert_eq!(client.ask("SAVE"), "OK");
    server
}

/// Our server, with the dump of a folder.
fn loaded(folder: &Folder) -> Server {
    Server::ours(folder, &OPTIONS)
}

/// A real server, with our dump of a folder.
fn loaded_by_real(folder: &Folder) -> Server {
    let options = [
        "--dbfilename",
        "dump.my_rdb",
        "--enable-debug-command",
        "yes",
    ];
    Server::real(folder, &options)
}

/// The version in the header of a dump, and the type of the stream `plain`.
fn version_and_type(dump: &[u8]) -> (u32, u8) {
    let digits = std::str::from_utf8(&dump[5..9]).expect("digits");
    let key = b"\x05plain";
    let mut places = dump.windows(key.len());
    let place = places.position(|piece| piece == key).expect("the key");
    (digits.parse().expect("a number"), dump[place - 1])
}

#[test]
fn in_each_version_our_server_loses_nothing() {
    for (version, type_code) in TYPES {
        let folder = Folder::new();
        let server = saved(&folder, version);
        let dump = fs::read(folder.dump()).expect("a dump");
        assert_eq!(version_and_type(&dump), (version, type_code));
        let before = facts(&mut server.client(), &[]);
        drop(server);
        let again = loaded(&folder);
        assert_same(&facts(&mut again.client(), &[]), &before);
    }
}

/// The setting in a file, on the command line, and while the server runs.
#[test]
fn the_version_is_set_in_three_ways() {
    let check = |server: &Server, folder: &Folder, expected| {
        let mut client = server.client();
        client.ask("XADD plain 1-0 f v");
        assert_eq!(client.ask("SAVE"), "OK");
        let dump = fs::read(folder.dump()).expect("a dump");
        assert_eq!(version_and_type(&dump), expected);
    };
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    check(&server, &folder, TYPES[0]);
    for expected in TYPES.into_iter().rev() {
        let version = expected.0.to_string();
        let reply = server
            .client()
            .ask(&format!("CONFIG SET rdb-version {version}"));
        assert_eq!(reply, "OK");
        check(&server, &folder, expected);

        let folder = Folder::new();
        let options = ["--save", "", "--rdb-version", &version];
        check(&Server::ours(&folder, &options), &folder, expected);

        let folder = Folder::new();
        let path = folder.path().join("my.conf");
        fs::write(&path, format!("save \"\"\nrdb-version {version}\n")).expect("it is written");
        // A file comes before all options.
        let server = Server::start(|port| {
            let options = ["my.conf", "--port", &port.to_string()];
            crate::common::our_command(&folder, &options)
        });
        check(&server, &folder, expected);
    }
    for refused in ["8", "12", "x"] {
        let reply = server
            .client()
            .ask(&format!("CONFIG SET rdb-version {refused}"));
        assert!(reply.starts_with("(error)"), "{refused}: {reply}");
    }
}

#[test]
fn a_real_server_loads_what_its_version_can_hold() {
    for (version, left_out) in [(9, NEW_IN_7_0), (10, NEW_IN_7_2)] {
        let folder = Folder::new();
        let server = saved(&folder, version);
        let check = redis_tool("redis-check-rdb").arg(folder.dump()).output();
        let said = String::from_utf8(check.expect("it can be run").stdout).expect("text");
        assert!(said.contains("\\o/ RDB looks OK! \\o/"), "{said}");
        let real = loaded_by_real(&folder);
        let ours = facts(&mut server.client(), left_out);
        assert_same(&facts(&mut real.client(), left_out), &ours);
    }
}

/// What a real server reads from our dump, and saves in its own version, comes back.
#[test]
fn we_load_what_a_real_server_saves() {
    let folder = Folder::new();
    let real = loaded_by_real(&folder);
    fill(&mut real.client());
    assert_eq!(real.client().ask("SAVE"), "OK");
    let dump = fs::read(folder.dump()).expect("a dump");
    assert_eq!(version_and_type(&dump), (10, 19));
    let ours = loaded(&folder);
    let mut client = ours.client();
    let expected = facts(&mut real.client(), &[]);
    assert_same(&facts(&mut client, NEW_IN_7_2), &expected);
    // Once more by way of our own dump.
    assert_eq!(client.ask("CONFIG SET rdb-version 10"), "OK");
    assert_eq!(client.ask("SAVE"), "OK");
    let real = loaded_by_real(&folder);
    assert_same(&facts(&mut real.client(), &[]), &expected);
}

#[test]
fn redis_cli_fetches_streams() {
    for (version, _) in TYPES {
        let folder = Folder::new();
        let server = saved(&folder, version);
        let path = folder.path().join("fetched.rdb");
        let fetched = redis_tool("redis-cli")
            .args(["-p", &server.port.to_string(), "--rdb"])
            .arg(&path)
            .output()
            .expect("it can be run");
        assert!(fetched.status.success(), "{fetched:?}");
        let [fetched, saved] = [&path, &folder.dump()].map(|path| fs::read(path).expect("a dump"));
        assert!(keys_of(&fetched) == keys_of(&saved), "version {version}");
    }
}

/// The output of rdbtools, in the folder where tools/test.sh puts it.
fn rdbtools(arguments: &[&str], path: &Path) -> String {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/rdb");
    let output = Command::new(program).args(arguments).arg(path).output();
    let output = output.expect("rdbtools is needed: tools/test.sh installs it");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    String::from_utf8(output.stdout).expect("text")
}

/// It knows the keys of streams, but prints nothing of what they hold.
#[test]
fn rdbtools_passes_streams_over() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &OPTIONS);
    let mut client = server.client();
    fill(&mut client);
    client.call(&["DEL", "names", ""]);
    client.call(&["SET", "zz", "after all streams"]);
    assert_eq!(client.ask("SAVE"), "OK");
    let json = rdbtools(&["-c", "json"], &folder.dump());
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json[0]["zz"], "after all streams");
    let report = rdbtools(&["-c", "memory"], &folder.dump());
    let told = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        [fields[2], fields[1], fields[7]].join(" ")
    };
    let mut told: Vec<String> = report.lines().skip(1).map(told).collect();
    told.sort();
    let expected = [
        "added stream ",
        "deleted stream ",
        "emptied stream ",
        "empty stream ",
        "far stream ",
        "gap stream ",
        "history stream ",
        "long stream ",
        "middle stream 2100-01-01T00:00:00.456000",
        "plain stream 2100-01-01T00:00:00.123000",
        "position stream ",
        "times stream ",
        "trimmed stream ",
        "zz string ",
    ];
    assert_eq!(told, expected);
}

/// Every fixture with a stream, loaded by our server; `expected.json` says what Redis 7.2.6 tells of it. Redis 7.0 does
/// not load all of them; of those that it does, it tells all that our server tells.
#[test]
fn fixtures_with_streams() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rdb");
    let expected = fs::read_to_string(fixtures.join("expected.json")).expect("expected.json");
    let expected: serde_json::Value = serde_json::from_str(&expected).expect("JSON");
    let files = expected["fixtures"].as_object().expect("an object");
    let (mut streams, mut loaded_by_7_0) = (0, 0);
    for (name, expected) in files {
        let keys = expected["keys"].as_array().expect("an array").iter();
        let keys: Vec<_> = keys.filter(|key| key["type"] == "stream").collect();
        if keys.is_empty() {
            continue;
        }
        let folder = Folder::new();
        fs::copy(fixtures.join(name), folder.dump()).expect("it can be copied");
        let server = Server::ours(&folder, &[&OPTIONS[..], &["--databases", "16"]].concat());
        let mut client = server.client();
        for expected in keys {
            check_fixture(name, &mut client, expected);
            streams += 1;
        }
        if expected["load70"]
            .as_str()
            .is_some_and(|said| said.starts_with("OK"))
        {
            let real = loaded_by_real(&folder);
            let ours = facts(&mut client, NEW_IN_7_2);
            assert_same(&facts(&mut real.client(), &[]), &ours);
            loaded_by_7_0 += 1;
        }
    }
    assert_eq!((streams, loaded_by_7_0), (12, 7));
}

fn check_fixture(name: &str, client: &mut Client, expected: &serde_json::Value) {
    let key = expected["key"].as_str().expect("a text");
    assert_eq!(client.integer(&["XLEN", key]), expected["len"], "{name}");
    assert_eq!(
        client.integer(&["PEXPIRETIME", key]),
        expected["pexpireat"],
        "{name}"
    );
    let digest = client.call(&["DEBUG", "DIGEST-VALUE", key]);
    let told = expected["digest"].as_str().expect("a text");
    assert_eq!(
        digest,
        Value::Array(vec![Value::Simple(told.into())]),
        "{name}"
    );
    let Value::Array(info) = client.call(&["XINFO", "STREAM", key]) else {
        panic!("{name}: XINFO gives an array")
    };
    let facts = expected["xinfo"].as_object().expect("an object");
    assert_eq!(facts.len(), 6, "{name}");
    for (fact, told) in facts {
        let mut pairs = info.chunks(2);
        let pair = pairs.find(|pair| bytes(&pair[0]) == fact.as_bytes());
        let expected = match told.as_str() {
            Some(text) => Value::Bulk(text.into()),
            None => Value::Integer(told.as_i64().expect("a number")),
        };
        assert_eq!(pair.expect("the fact")[1], expected, "{name}: {fact}");
    }
}

/// The AUX field with what type 15 lacks stands in the file of version 9, before the deadline and the key, and the real
/// server and rdbtools pass it over (see the tests above). Here are its words, worked out from the commands.
#[test]
fn the_field_beside_old_types() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &OPTIONS);
    let mut client = server.client();
    for line in [
        "XADD s 1-0 f v",
        "XADD s 2-0 f v",
        "XADD s 3-0 f v",
        "XDEL s 2-0",
        "XGROUP CREATE s known 1-0 ENTRIESREAD 1",
        "XGROUP CREATE s unknown 2-0",
        "XGROUP CREATECONSUMER s known never",
        "PEXPIREAT s 4102444800123",
        "XADD without 1-0 f v",
        "SAVE",
    ] {
        let reply = client.ask(line);
        assert!(!reply.starts_with("(error)"), "{line}: {reply}");
    }
    let dump = fs::read(folder.dump()).expect("a dump");
    let text = b"1-0 2-0 3  1 -1  ?";
    let name = b"\xFA\x0Fmy-redis-stream";
    let deadline = [&b"\xFC"[..], &4_102_444_800_123_i64.to_le_bytes()].concat();
    let expected = [name, &[text.len() as u8][..], text, &deadline, b"\x0F\x01s"].concat();
    let count = |piece: &[u8]| {
        dump.windows(piece.len())
            .filter(|found| *found == piece)
            .count()
    };
    assert_eq!(count(&expected), 1);
    assert_eq!(
        count(name),
        1,
        "a stream of which nothing is lacking has no field"
    );
    // Other versions have less of it, or none.
    for (version, fields) in [("10", 1), ("11", 0)] {
        client.ask(&format!("CONFIG SET rdb-version {version}"));
        assert_eq!(client.ask("SAVE"), "OK");
        let dump = fs::read(folder.dump()).expect("a dump");
        let found = dump.windows(name.len()).filter(|found| *found == name);
        assert_eq!(found.count(), fields, "version {version}");
    }
}

/// DEBUG RELOAD, with all that it can be told.
#[test]
fn reloads() {
    let folder = Folder::new();
    let server = saved(&folder, 9);
    let mut client = server.client();
    let before = facts(&mut client, &[]);
    for version in ["9", "10", "11"] {
        assert_eq!(
            client.ask(&format!("CONFIG SET rdb-version {version}")),
            "OK"
        );
        assert_eq!(client.ask("DEBUG RELOAD"), "OK");
        assert_same(&facts(&mut client, &[]), &before);
    }
    // What was not saved is lost, what was lost comes back.
    client.ask("XADD plain 9-0 f v");
    client.ask("DEL middle");
    assert_eq!(client.ask("DEBUG RELOAD NOSAVE"), "OK");
    assert_same(&facts(&mut client, &[]), &before);
    // A stream of the dump replaces the one in memory.
    client.ask("XADD plain 9-0 f v");
    assert_eq!(client.ask("DEBUG RELOAD NOSAVE NOFLUSH MERGE"), "OK");
    assert_same(&facts(&mut client, &[]), &before);
}
