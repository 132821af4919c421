//! The dump: what we write, the tools of the world read, and what they write, we do. (`kills.rs` is about servers that
//! are killed while they save, `disk_faults.rs` about disks that fail.)

use crate::common::{Client, Folder, Server, redis_tool, wait_until};
use my_redis_server::resp::decoder::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A key's type, value and deadline, in words that can be compared.
type Contents = BTreeMap<Vec<u8>, (Value, Value, Value)>;

fn contents(client: &mut Client) -> Contents {
    let Value::Array(keys) = client.call(&["KEYS", "*"]) else {
        panic!("KEYS gives an array")
    };
    let describe = |key: Value| {
        let Value::Bulk(key) = key else {
            panic!("a key is a string")
        };
        let kind = client.call(&[b"TYPE", &key[..]]);
        let value = match &kind {
            Value::Simple(name) if name == b"string" => client.call(&[b"GET", &key[..]]),
            Value::Simple(name) if name == b"list" => {
                client.call(&[b"LRANGE", &key[..], b"0", b"-1"])
            }
            Value::Simple(name) if name == b"hash" => {
                sorted(client.call(&[b"HGETALL", &key[..]]), 2)
            }
            Value::Simple(name) if name == b"set" => {
                sorted(client.call(&[b"SMEMBERS", &key[..]]), 1)
            }
            Value::Simple(name) if name == b"zset" => {
                client.call(&[b"ZRANGE", &key[..], b"0", b"-1", b"WITHSCORES"])
            }
            other => panic!("{other:?}"),
        };
        let deadline = client.call(&[b"PEXPIRETIME", &key[..]]);
        (key, (kind, value, deadline))
    };
    keys.into_iter().map(describe).collect()
}

/// The items of an array, so many of them belonging together, in an order of their own.
fn sorted(value: Value, together: usize) -> Value {
    let Value::Array(items) = value else {
        panic!("{value:?} is no array")
    };
    let mut groups: Vec<&[Value]> = items.chunks(together).collect();
    groups.sort_by_key(|group| format!("{group:?}"));
    Value::Array(groups.concat())
}

/// Fills a server with every form of value that a dump has: integers of each size, text that compresses and text that
/// does not, small and large collections, deadlines.
fn fill(client: &mut Client, is_binary: bool) {
    let mut call = |arguments: &[&[u8]]| {
        let reply = client.call(arguments);
        assert!(!matches!(reply, Value::Error(_)), "{reply:?}");
    };
    for number in [
        "0",
        "-1",
        "127",
        "-129",
        "32768",
        "-32769",
        "2147483647",
        "2147483648",
        "-9223372036854775808",
        "007",
    ] {
        call(&[
            b"SET",
            format!("int:{number}").as_bytes(),
            number.as_bytes(),
        ]);
        call(&[b"RPUSH", b"ints", number.as_bytes()]);
        call(&[b"SADD", b"set of ints", number.as_bytes()]);
    }
    for len in [
        0usize, 1, 10, 20, 21, 63, 64, 100, 512, 513, 16383, 16384, 100_000,
    ] {
        let even = vec![b'x'; len];
        let mut state = len as u64;
        let random = |_| {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            b'a' + ((state >> 33) % 26) as u8
        };
        let uneven: Vec<u8> = (0..len).map(random).collect();
        call(&[b"SET", format!("even:{len}").as_bytes(), &even]);
        call(&[b"SET", format!("uneven:{len}").as_bytes(), &uneven]);
        call(&[b"RPUSH", b"texts", &even, &uneven]);
        call(&[b"HSET", b"texts:hash", format!("{len}").as_bytes(), &uneven]);
        call(&[b"SADD", b"texts:set", &uneven]);
    }
    for number in 0..3000 {
        let number = number.to_string();
        call(&[b"RPUSH", b"long list", number.as_bytes()]);
        call(&[
            b"HSET",
            b"large hash",
            number.as_bytes(),
            format!("value {number}").as_bytes(),
        ]);
        call(&[b"SADD", b"large set", format!("m{number}").as_bytes()]);
        call(&[b"SADD", b"large set of ints", number.as_bytes()]);
        let score = format!("{}.5", number.len());
        call(&[b"ZADD", b"large board", score.as_bytes(), number.as_bytes()]);
    }
    for width in [1, 1000, 1_000_000, 10_000_000_000_i64] {
        for number in [-3, 0, 7] {
            let (key, member) = (format!("intset:{width}"), (number * width).to_string());
            call(&[b"SADD", key.as_bytes(), member.as_bytes()]);
        }
    }
    call(&[b"SADD", b"small set", b"", b"1", b"one"]);
    call(&[b"ZADD", b"large board", b"-1e20", &[b'x'; 100]]);
    call(&[b"ZADD", b"small board", b"1", b"ann", b"-2.25", b"bob"]);
    call(&[b"PEXPIREAT", b"large board", b"4102444800321"]);
    call(&[b"SET", b"deadline", b"v", b"PXAT", b"4102444800123"]);
    call(&[b"HSET", b"small hash", b"f", b"v", b"g", b""]);
    call(&[b"PEXPIREAT", b"small hash", b"4102444800456"]);
    call(&[b"PEXPIREAT", b"long list", b"4102444800789"]);
    if is_binary {
        let all: Vec<u8> = (0..=255).collect();
        call(&[b"SET", &all, &all]);
        call(&[b"SET", b"", b"the empty key"]);
        call(&[b"HSET", b"binary", &all, b"\r\n\0"]);
        call(&[b"SADD", b"binary set", &all, b"\r\n\0"]);
        call(&[
            b"ZADD",
            b"binary board",
            b"inf",
            &all,
            b"-inf",
            b"",
            b"0.25",
            b"0",
        ]);
        call(&[b"ZADD", b"binary board", b"-0", &[0xff; 65]]);
    }
}

/// Our server, filled; its dump written.
fn saved(folder: &Folder, is_binary: bool) -> (Server, Contents) {
    let server = Server::ours(folder, &["--save", ""]);
    let mut client = server.client();
    fill(&mut client, is_binary);
    assert_eq!(client.ask("SAVE"), "OK");
    let contents = contents(&mut client);
    (server, contents)
}

fn check_rdb(path: &Path) -> String {
    let output = redis_tool("redis-check-rdb")
        .arg(path)
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && text.contains("\\o/ RDB looks OK! \\o/"),
        "{text}"
    );
    text
}

/// rdbtools in the folder where tools/test.sh puts it.
fn rdbtools(arguments: &[&str], path: &Path) -> Vec<u8> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/rdb");
    assert!(
        program.exists(),
        "{} is needed: tools/test.sh installs it",
        program.display()
    );
    let output = Command::new(program)
        .args(arguments)
        .arg(path)
        .output()
        .expect("it runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

fn assert_same(ours: &Contents, theirs: &Contents) {
    assert_eq!(
        ours.keys().collect::<Vec<_>>(),
        theirs.keys().collect::<Vec<_>>()
    );
    for (key, value) in ours {
        assert_eq!(value, &theirs[key], "{}", String::from_utf8_lossy(key));
    }
}

#[test]
fn redis_check_rdb_finds_nothing_wrong() {
    let folder = Folder::new();
    let (_server, contents) = saved(&folder, true);
    let text = check_rdb(&folder.dump());
    assert!(
        text.contains(&format!("[info] {} keys read", contents.len())),
        "{text}"
    );
    assert!(text.contains("[info] 4 expires"), "{text}");
    assert!(text.contains("Checksum OK"), "{text}");
}

#[test]
fn a_real_server_loads_it_with_every_key() {
    let folder = Folder::new();
    let (_server, ours) = saved(&folder, true);
    let real = Server::real(&folder, &["--dbfilename", "dump.my_rdb"]);
    assert_same(&ours, &contents(&mut real.client()));
}

#[test]
fn we_load_our_own_and_that_of_a_real_server() {
    let folder = Folder::new();
    let (_server, first) = saved(&folder, true);
    let again = Server::ours(&folder, &["--save", ""]);
    assert_same(&first, &contents(&mut again.client()));
    let real_folder = Folder::new();
    let real = Server::real(&real_folder, &["--dbfilename", "dump.my_rdb"]);
    fill(&mut real.client(), true);
    assert_eq!(real.client().ask("SAVE"), "OK");
    let ours = Server::ours(&real_folder, &["--save", ""]);
    assert_same(&contents(&mut real.client()), &contents(&mut ours.client()));
}

#[test]
fn rdbtools_reads_it_as_json() {
    let folder = Folder::new();
    let (_server, ours) = saved(&folder, false);
    let json: serde_json::Value =
        serde_json::from_slice(&rdbtools(&["-c", "json"], &folder.dump())).expect("JSON");
    let keys = json[0].as_object().expect("an object for database 0");
    assert_eq!(keys.len(), ours.len());
    let text = |value: &Value| match value {
        Value::Bulk(bytes) => String::from_utf8(bytes.clone()).expect("it is text"),
        other => panic!("{other:?}"),
    };
    for (key, (kind, value, _)) in &ours {
        let theirs = &keys[std::str::from_utf8(key).expect("it is text")];
        match value {
            Value::Bulk(_) => assert_eq!(theirs.as_str(), Some(text(value).as_str())),
            Value::Array(items) if theirs.is_array() => {
                let elements = theirs.as_array().expect("a list or a set").iter();
                let elements = elements.map(|it| Value::Bulk(it.as_str().unwrap().into()));
                let elements = Value::Array(elements.collect());
                let is_set = *kind == Value::Simple(b"set".to_vec());
                let elements = if is_set {
                    sorted(elements, 1)
                } else {
                    elements
                };
                assert_eq!(&elements, &Value::Array(items.clone()));
            }
            Value::Array(items) => {
                let fields = theirs.as_object().expect("a hash or a sorted set");
                assert_eq!(fields.len() * 2, items.len());
                items.chunks(2).for_each(|pair| {
                    let (theirs, ours) = (&fields[&text(&pair[0])], text(&pair[1]));
                    // Of a score it makes a text like "1.0".
                    let is_same = theirs.as_str() == Some(ours.as_str())
                        || kind == &Value::Simple(b"zset".to_vec())
                            && theirs.as_str().map(str::parse::<f64>) == Some(ours.parse());
                    assert!(is_same, "{theirs} is {ours}");
                });
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A line for each key: database,type,key,size,encoding,number of elements,longest element,expiry.
#[test]
fn rdbtools_weighs_every_key() {
    let folder = Folder::new();
    let (_server, ours) = saved(&folder, false);
    let report = rdbtools(&["-c", "memory"], &folder.dump());
    let report = String::from_utf8(report).expect("it is text");
    let lines: Vec<&str> = report.lines().skip(1).collect();
    assert_eq!(lines.len(), ours.len());
    for line in lines {
        let (_, rest) = line.split_once(',').expect("a database");
        let (kind, rest) = rest.split_once(',').expect("a type");
        let fields: Vec<&str> = rest.rsplitn(6, ',').collect();
        let [expiry, _, elements, _, _, key] = fields[..] else {
            panic!("{line}")
        };
        let (our_kind, value, deadline) = &ours[key.as_bytes()];
        let kind = if kind == "sortedset" { "zset" } else { kind };
        assert_eq!(our_kind, &Value::Simple(kind.into()), "{line}");
        if let Value::Array(items) = value {
            let expected = items.len() / if matches!(kind, "list" | "set") { 1 } else { 2 };
            assert_eq!(elements, expected.to_string(), "{line}");
        }
        assert_eq!(expiry.is_empty(), *deadline == Value::Integer(-1), "{line}");
    }
}

/// The commands that rdbtools makes of the dump, carried out by a real server, give the same data again; deadlines come
/// in whole seconds.
#[test]
fn rdbtools_makes_commands_of_it() {
    let folder = Folder::new();
    let (_server, mut ours) = saved(&folder, false);
    let commands = rdbtools(&["-c", "protocol"], &folder.dump());
    let real_folder = Folder::new();
    let real = Server::real(&real_folder, &[]);
    let mut client = real.client();
    let requests = commands.windows(2).filter(|pair| *pair == b"\n*").count() + 1;
    let mut writing = client.stream.try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || writing.write_all(&commands).unwrap());
        for _ in 0..requests {
            let reply = client.receive();
            assert!(!matches!(reply, Value::Error(_)), "{reply:?}");
        }
    });
    for (_, _, deadline) in ours.values_mut() {
        if let Value::Integer(ms) = deadline
            && *ms > 0
        {
            *ms -= *ms % 1000;
        }
    }
    assert_same(&ours, &contents(&mut client));
}

#[test]
fn several_databases_move_both_ways() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", "", "--databases", "4"]);
    let mut client = server.client();
    for database in 0..4 {
        client.ask(&format!("SELECT {database}"));
        client.ask(&format!("SET name {database}"));
    }
    client.ask("DEL name");
    assert_eq!(client.ask("SAVE"), "OK");
    check_rdb(&folder.dump());
    let real = Server::real(&folder, &["--dbfilename", "dump.my_rdb"]);
    let again = Server::ours(&folder, &["--save", "", "--databases", "4"]);
    for mut client in [real.client(), again.client()] {
        for (database, expected) in ["\"0\"", "\"1\"", "\"2\"", "(nil)"].iter().enumerate() {
            client.ask(&format!("SELECT {database}"));
            assert_eq!(client.ask("GET name"), *expected);
        }
    }
}

/// Dumps that the server must not load, and what it says of each. They stay as they are.
#[test]
fn a_dump_that_cannot_be_loaded_whole_is_refused_and_kept() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rdb");
    for (file, reason) in [
        (
            "redis-7.2/multidb.rdb",
            "There are keys in database 5: start with --databases 6 or more instead of 1",
        ),
        ("edge/x_dup_key.rdb", "The key 'key' comes twice"),
        (
            "field/own-dup_hash.rdb",
            "[offset 14] Duplicate hash fields detected",
        ),
        (
            "field/redis_redis-corrupt_empty_keys.rdb",
            "zipmap integrity check failed at its byte 1: a zipmap without fields",
        ),
        ("edge/x_trunc.rdb", "Unexpected EOF reading RDB file"),
        ("edge/x_crc_bad.rdb", "Wrong RDB checksum"),
        ("edge/ver12.rdb", "Can't handle RDB format version 12"),
        (
            "redis-rdb-tools/redis_40_with_module.rdb",
            "The value of the key 'foo' is one of the module ReJSON-RL, which this server does not know yet",
        ),
        (
            "redis-rdb-tools/redis_60_with_module_aux.rdb",
            "There is data of the module test__rdb, which this server does not know yet",
        ),
    ] {
        let folder = Folder::new();
        let dump = fs::read(fixtures.join(file)).unwrap();
        fs::write(folder.dump(), &dump).unwrap();
        let port = crate::common::free_port().to_string();
        let mut process = crate::common::our_command(&folder, &["--port", &port])
            .spawn()
            .unwrap();
        // A server that loads the file would never end.
        crate::common::wait_until("the server has ended or is ready", || {
            let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
            process.try_wait().unwrap().is_some() || log.contains("Ready to accept")
        });
        let _ = process.kill();
        assert_eq!(process.wait().unwrap().code(), Some(1), "{file}");
        let log = fs::read_to_string(folder.path().join("log")).unwrap();
        assert!(
            log.contains("Can't load dump.my_rdb, which stays as it is: [offset "),
            "{file}: {log}"
        );
        assert!(log.contains(reason), "{file}: {log}");
        assert_eq!(fs::read(folder.dump()).unwrap(), dump);
    }
}

/// Strings, lists, hashes, sets and sorted sets as Redis 2.x to 7.2 and Valkey 8 wrote them.
#[test]
fn every_encoding_of_known_types_is_loaded() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rdb");
    let expected: serde_json::Value =
        serde_json::from_slice(&fs::read(fixtures.join("expected.json")).unwrap()).unwrap();
    let mut loaded = 0;
    for (file, expected) in expected["fixtures"].as_object().unwrap() {
        let keys = expected["keys"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let is_known = |key: &serde_json::Value| {
            let known = ["string", "list", "hash", "set", "zset"];
            key["type"]
                .as_str()
                .is_some_and(|name| known.contains(&name))
        };
        let path = fixtures.join(file);
        let is_rdb = file.ends_with(".rdb");
        if !is_rdb || keys.is_empty() || !keys.iter().all(is_known) || !path.exists() {
            continue;
        }
        loaded += check_loaded(&path, keys);
    }
    assert!(loaded > 40, "only {loaded} files were looked at");
}

/// Loads a file and looks at each key; 0 if it is one that must be refused.
fn check_loaded(path: &PathBuf, keys: &[serde_json::Value]) -> usize {
    let folder = Folder::new();
    fs::copy(path, folder.dump()).unwrap();
    let refused = [
        "x_crc_bad",
        "x_trunc",
        "x_dup_key",
        "x_no_crc_bytes",
        "x_function_pre_ga",
        "ver12",
        "ver00",
        "x_dup_hash",
    ];
    if refused
        .iter()
        .any(|name| path.to_string_lossy().contains(name))
    {
        return 0;
    }
    let server = Server::ours(&folder, &["--save", "", "--databases", "16"]);
    let mut client = server.client();
    for key in keys {
        client.ask(&format!("SELECT {}", key["db"].as_i64().unwrap_or(0)));
        let name: Vec<u8> = key["key"]
            .as_str()
            .unwrap()
            .chars()
            .map(|letter| letter as u32 as u8)
            .collect();
        let context = format!("{}: {key}", path.display());
        if key["expired"].as_bool() == Some(true) {
            assert_eq!(client.integer(&[b"EXISTS", &name[..]]), 0, "{context}");
            continue;
        }
        let kind = key["type"].as_str().unwrap();
        assert_eq!(
            client.call(&[b"TYPE", &name[..]]),
            Value::Simple(kind.as_bytes().to_vec()),
            "{context}"
        );
        let len = match kind {
            "string" => client.integer(&[b"STRLEN", &name[..]]),
            "list" => client.integer(&[b"LLEN", &name[..]]),
            "set" => client.integer(&[b"SCARD", &name[..]]),
            "zset" => client.integer(&[b"ZCARD", &name[..]]),
            _ => client.integer(&[b"HLEN", &name[..]]),
        };
        assert_eq!(Some(len), key["len"].as_i64(), "{context}");
        assert_eq!(
            Some(client.integer(&[b"PEXPIRETIME", &name[..]])),
            key["pexpireat"].as_i64(),
            "{context}"
        );
        if let Some(value) = key["value"].as_str().filter(|_| kind == "string") {
            let value: Vec<u8> = value.chars().map(|letter| letter as u32 as u8).collect();
            assert_eq!(
                client.call(&[b"GET", &name[..]]),
                Value::Bulk(value),
                "{context}"
            );
        }
    }
    1
}

/// The keys of a file from the field: name and DEBUG DIGEST-VALUE in Redis 7.2.4.
type Digests = [(&'static str, &'static str)];

/// Files on which this server once differed from Redis 7.2.
#[test]
fn files_from_the_field_hold_what_redis_says() {
    let kvrocks: &Digests = &[
        ("compressible", "d06d87c708231fe51060c7522dee11eb5c3973b7"),
        ("hash", "b1e03dde68fab9ebcd6ccbca93d25d62df02241e"),
        ("hash_zipped", "b60c36e529712296d694f27b5914cbe84950995e"),
        ("list", "bddea26209da8c984a77effe8a09455532475bae"),
        ("list_zipped", "88eab0e0ed249ce0ea4a2e2fc88016f0b3cd96a5"),
        ("number", "311acb99ec6c2ffc303176a787ecb8f8d91586ec"),
        ("set", "b4365b4640023e8322464ff39b30696e7d123954"),
        ("set_zipped_1", "312279b675d27feea3fdc93aae74265d9bf9363c"),
        ("set_zipped_2", "d8b7b4c4e74f24110718ee179a9b2fc9e26f1e76"),
        ("set_zipped_3", "b8653f4bc8d2dccf4145fe13f32f6fe2e9caceed"),
        ("string", "9e67b58c3368e44719346e87d6d76833a30d8b17"),
        ("zset", "23d9ba64bfb095cc0a4892fddf603d4658fad2ce"),
        ("zset_zipped", "9767dd7466426098574d2ccde98092be7ea01296"),
    ];
    let rdb_rs: &Digests = &[("quicklist", "df87b740e25040cbad30dd9f5e232b1fa477a71c")];
    let librdb: &Digests = &[("myzset", "ba64a75ab9ae0716ec60cc5f3b5c4b09b77ccd70")];
    for (file, keys) in [
        ("apache_kvrocks-encodings_ver10", kvrocks),
        ("badboy_rdb-rs-quicklist_with_multiple_nodes", rdb_rs),
        ("redis_librdb-zset_zl_v6", librdb),
    ] {
        let folder = Folder::new();
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rdb/field");
        fs::copy(fixtures.join(format!("{file}.rdb")), folder.dump()).unwrap();
        let options = ["--enable-debug-command", "yes"];
        let server = Server::ours(&folder, &options);
        check_digests(&server, file, keys);
        if file.starts_with("badboy") {
            let encoding = server.client().ask("OBJECT ENCODING quicklist");
            assert_eq!(encoding, "\"quicklist\"", "of four small nodes");
        }
        // Nothing is lost by our own dump, the sign of a score `-0` included.
        assert_eq!(server.client().ask("SAVE"), "OK");
        drop(server);
        check_digests(&Server::ours(&folder, &options), file, keys);
    }
}

fn check_digests(server: &Server, file: &str, keys: &Digests) {
    let mut client = server.client();
    assert_eq!(client.ask("DBSIZE"), format!("(integer) {}", keys.len()));
    for (key, digest) in keys {
        assert_eq!(
            client.call(&["DEBUG", "DIGEST-VALUE", key]),
            Value::Array(vec![Value::Simple(digest.as_bytes().to_vec())]),
            "{file}: {key}"
        );
    }
}

/// `-0` in each form in which a file has scores. Commands make `0` of it in a small set, as Redis does.
#[test]
fn a_negative_zero_keeps_its_sign() {
    let folder = Folder::new();
    let file = [
        &b"REDIS0011\x05\x01b\x01\x01m\0\0\0\0\0\0\0\x80\x03\x01a\x01\x01m\x02-0"[..],
        b"\x11\x01l\x0E\x0E\0\0\0\x02\0\x81m\x02\x82-0\x03\xFF",
        b"\x0C\x01z\x12\x12\0\0\0\x0D\0\0\0\x02\0\0\x01m\x03\x02-0\xFF\xFF\0\0\0\0\0\0\0\0",
    ]
    .concat();
    fs::write(folder.dump(), file).unwrap();
    let server = Server::ours(&folder, &[]);
    let mut client = server.client();
    for key in ["b", "a", "l", "z"] {
        assert_eq!(client.ask(&format!("ZSCORE {key} m")), "\"-0\"", "{key}");
        // An equal score is no change.
        assert_eq!(client.ask(&format!("ZADD {key} CH 0 m")), "(integer) 0");
        assert_eq!(client.ask(&format!("ZSCORE {key} m")), "\"-0\"", "{key}");
        assert_eq!(
            client.ask(&format!("ZRANGESTORE copy {key} 0 -1")),
            "(integer) 1"
        );
        assert_eq!(client.ask("ZSCORE copy m"), "\"0\"", "{key}");
    }
    assert_eq!(client.ask("ZADD new -0 m"), "(integer) 1");
    assert_eq!(client.ask("ZSCORE new m"), "\"0\"");
}

#[test]
fn the_timer_saves_when_enough_has_changed() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", "1 3"]);
    let mut client = server.client();
    client.ask("MSET a 1 b 2");
    assert_eq!(client.info("rdb_changes_since_last_save"), "2");
    client.ask("SET c 3");
    wait_until("the dump is there", || {
        folder.dump().exists() && client.info("rdb_saves") == "1"
    });
    assert_eq!(client.info("rdb_changes_since_last_save"), "0");
    assert_eq!(client.info("rdb_last_bgsave_status"), "ok");
}
