//! The tool that looks into RDB files, run as a user runs it: its output on files whose content others have told
//! (`expected.json`), its exit codes, and what it says of damage.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::common::{Folder, Server};
use serde_json::Value as Json;

pub(super) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/rdb")
        .join(name)
}

fn tool() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_my_redis_rdb"));
    command.stdin(Stdio::null());
    command
}

/// Standard output, and the exit code.
pub(super) fn run(arguments: &[&str], files: &[&Path]) -> (String, i32) {
    let output = tool()
        .args(arguments)
        .args(files)
        .output()
        .expect("it runs");
    text_and_code(&output)
}

fn text_and_code(output: &Output) -> (String, i32) {
    let text = String::from_utf8(output.stdout.clone()).expect("the output is UTF-8");
    (text, output.status.code().expect("it was not killed"))
}

/// The files that expected.json tells of, with what it tells.
fn expected() -> Vec<(PathBuf, Json)> {
    let text = fs::read_to_string(fixture("expected.json")).expect("expected.json");
    let json: Json = serde_json::from_str(&text).expect("JSON");
    let files = json["fixtures"].as_object().expect("an object of files");
    files
        .iter()
        .map(|(name, told)| (fixture(name), told.clone()))
        .collect()
}

/// The bytes of a text in expected.json, where each byte is written as one character.
fn told_bytes(text: &Json) -> Vec<u8> {
    let text = text.as_str().expect("a text");
    text.chars()
        .map(|letter| u8::try_from(u32::from(letter)).expect("latin-1"))
        .collect()
}

/// The bytes of a string in a line that `json` printed.
fn printed_bytes(line: &Json, text: &str) -> Vec<u8> {
    match line["encoding"].as_str() {
        None => text.as_bytes().to_vec(),
        Some("latin-1") => told_bytes(&Json::String(text.to_string())),
        Some(other) => panic!("an encoding that the help does not know: {other}"),
    }
}

#[test]
fn check_judges_as_redis_does() {
    for (path, told) in expected() {
        let (line, code) = run(&["check"], &[&path]);
        assert_eq!(line.lines().count(), 1, "{line}");
        let verdict = told["load72"].as_str().unwrap_or("OK");
        // What only a loader can mind: modules that it does not have.
        let is_of_the_loader = ["module data I can't load", "AUX module data"]
            .iter()
            .any(|text| verdict.contains(text));
        // The server of Redis 7.2 refuses this one only with `sanitize-dump-payload yes`; redis-check-rdb always does.
        let has_field_twice = path.ends_with("x_dup_hashfield.rdb");
        if (!verdict.starts_with("FAIL") || is_of_the_loader) && !has_field_twice {
            assert_eq!(code, 0, "{line}");
            let version = format!(": good: version {}, ", told["rdb_version"]);
            assert!(line.contains(&version), "{line}");
        } else {
            assert_eq!(code, 1, "{line} but Redis says {verdict}");
        }
    }
}

/// Every file of the fixtures, and some with what is rarely wrong: both take it, or both refuse it.
#[test]
fn check_judges_as_the_server_does() {
    let mut files = fixture_files();
    let crafted = Folder::new();
    for (name, data) in [
        ("zipmap_empty", &b"\x09\x01k\x02\x00\xFF"[..]),
        ("zipmap_255", b"\x09\x01k\x08\xFF\x01f\x02\x00v1\xFF"),
        ("zipmap_good", b"\x09\x01k\x08\x01\x01f\x02\x00v1\xFF"),
        ("hash_listpack_empty", b"\x10\x01k\x07\x07\0\0\0\0\0\xFF"),
        (
            "set_listpack_backlen",
            b"\x14\x01k\x0A\x0A\0\0\0\x01\0\x81a\x82\xFF",
        ),
        ("plain_node_empty", b"\x12\x01k\x01\x01\x00"),
        (
            "intset_descends",
            b"\x0B\x01k\x0C\x02\0\0\0\x02\0\0\0\x02\0\x01\0",
        ),
        ("key_twice", b"\x00\x01k\x01a\x00\x01k\x01b"),
        (
            "key_in_two_databases",
            b"\x00\x01k\x01a\xFE\x01\x00\x01k\x01b",
        ),
        (
            "key_expired_and_alive",
            b"\xFD\x01\0\0\0\x00\x01k\x01a\x00\x01k\x01b",
        ),
        ("key_empty_and_whole", b"\x01\x01k\x00\x00\x01k\x01b"),
    ] {
        let path = crafted.path().join(format!("{name}.rdb"));
        let end = b"\xFF\0\0\0\0\0\0\0\0";
        fs::write(&path, [b"REDIS0009", data, end].concat()).expect("a file");
        files.push(path);
    }
    let mut refused = 0;
    for path in files {
        let (line, code) = run(&["check"], &[&path]);
        let fault = fault_of_server(&path);
        let is_whole = fault
            .as_ref()
            .is_none_or(|fault| fault.contains("which this server does not know yet"));
        assert_eq!(code == 0, is_whole, "{line}server: {fault:?}");
        refused += code;
        // Both say it in the same words.
        if let Some(fault) = fault.filter(|_| code != 0) {
            let words = line
                .split_once(": ")
                .expect("a name and a fault")
                .1
                .trim_end();
            assert!(fault.ends_with(words), "{line}server: {fault}");
        }
    }
    assert!(refused > 20, "{refused} of the files were refused");
}

/// All RDB files of the fixtures.
fn fixture_files() -> Vec<PathBuf> {
    let folders = fs::read_dir(fixture("")).expect("the fixtures");
    let folders = folders.map(|entry| entry.expect("an entry").path());
    let files = folders
        .filter(|path| path.is_dir())
        .flat_map(|folder| fs::read_dir(folder).expect("a folder"));
    files
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rdb"))
        .collect()
}

/// Why our server does not load a file; None if it does.
fn fault_of_server(path: &Path) -> Option<String> {
    let folder = Folder::new();
    fs::copy(path, folder.dump()).expect("a copy");
    let port = crate::common::free_port();
    let options = [
        "--port",
        &port.to_string(),
        "--databases",
        "16",
        "--save",
        "",
    ];
    let mut process = crate::common::our_command(&folder, &options)
        .spawn()
        .expect("the server can be started");
    let log = || fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    crate::common::wait_until("the server has loaded, or has ended", || {
        let has_ended = process.try_wait().expect("a child").is_some();
        has_ended || log().contains("DB loaded from")
    });
    let _ = process.kill();
    let _ = process.wait();
    let log = log();
    let fault = log.lines().find(|line| line.contains("Can't load "));
    fault.map(str::to_string)
}

#[test]
fn check_names_the_first_fault() {
    for (name, line) in [
        (
            "edge/x_dup_key.rdb",
            "[offset 83] The key 'key' comes twice",
        ),
        (
            "field/own-dup_hash_lp.rdb",
            "[offset 14] Duplicate hash fields detected",
        ),
        (
            "edge/x_trunc.rdb",
            "[offset 78] Unexpected EOF reading RDB file: expected a string value",
        ),
        (
            "edge/x_crc_bad.rdb",
            "[offset 84] Wrong RDB checksum expected: (eb38c260252c2fee) but got (ea38c260252c2fee)",
        ),
        (
            "edge/ver12.rdb",
            "[offset 5] Can't handle RDB format version 12",
        ),
    ] {
        let path = fixture(name);
        let (output, code) = run(&["check"], &[&path]);
        assert_eq!(output, format!("{}: {line}\n", path.display()));
        assert_eq!(code, 1);
        if name == "edge/x_dup_key.rdb" {
            // The other commands look at one key at a time.
            continue;
        }
        // And explain ends with the same words.
        let (output, code) = run(&["explain"], &[&path]);
        assert!(output.contains(&format!("\nFAULT {line}\n")), "{output}");
        assert_eq!(code, 1);
    }
}

/// Every string of every fixture, and every length, against what real servers told.
#[test]
fn json_says_what_redis_says() {
    let mut compared = 0;
    for (path, told) in expected() {
        let (output, code) = run(&["json"], &[&path]);
        let lines: Vec<Json> = output
            .lines()
            .map(|line| serde_json::from_str(line).expect("a line of JSON"))
            .collect();
        if code != 0 {
            continue;
        }
        for key in told["keys"].as_array().into_iter().flatten() {
            if key["type_opcode"].is_null() || key["type"].is_null() {
                continue;
            }
            let name = told_bytes(&key["key"]);
            let line = lines
                .iter()
                .find(|line| {
                    line["db"] == key["db"]
                        && printed_bytes(line, line["key"].as_str().expect("a text")) == name
                })
                .unwrap_or_else(|| panic!("{}: no key {}", path.display(), key["key"]));
            let value = &line["value"];
            let len = match key["type"].as_str().expect("a text") {
                "string" => printed_bytes(line, value.as_str().expect("a text")).len(),
                "list" | "set" => value.as_array().expect("an array").len(),
                "stream" => value["entries"].as_array().expect("an array").len(),
                _ => value.as_object().expect("an object").len(),
            };
            let label = format!("{}: {}", path.display(), key["key"]);
            assert_eq!(line["type"], key["type"], "{label}");
            assert_eq!(len as u64, key["len"], "{label}");
            assert_eq!(
                line["expires_at_ms"].as_i64().unwrap_or(-1),
                key["pexpireat"],
                "{label}"
            );
            if key["type"] == "string" && !key["value"].is_null() {
                let text = value.as_str().expect("a text");
                assert_eq!(
                    printed_bytes(line, text),
                    told_bytes(&key["value"]),
                    "{label}"
                );
            }
            compared += 1;
        }
    }
    assert!(compared > 250, "only {compared} keys were compared");
}

/// Decoded once, each string has its bytes; in the second line, where one is not UTF-8, one character for each.
#[test]
fn json_is_decoded_once() {
    let folder = Folder::new();
    let path = folder.path().join("strings.rdb");
    let file = [
        &b"REDIS0009\x04\x03k\xC3\xB6\x02\x05a\\nb\"\x02\\\\\x01c\x06\\x00\0\n"[..],
        b"\x04\x03k\xC3\xB6\x01\x02\\\xFF\x03\xC3\xB6\\",
        b"\xFF\0\0\0\0\0\0\0\0",
    ]
    .concat();
    fs::write(&path, file).expect("the folder can be written");
    let (output, code) = run(&["json"], &[&path]);
    assert_eq!(code, 0);
    let lines: Vec<Json> = output
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect();
    let expected = [
        serde_json::json!({"db": 0, "key": "kö", "type": "hash",
            "value": {"a\\nb\"": "\\\\", "c": "\\x00\0\n"}}),
        serde_json::json!({"db": 0, "encoding": "latin-1", "key": "k\u{c3}\u{b6}", "type": "hash",
            "value": {"\\\u{ff}": "\u{c3}\u{b6}\\"}}),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn json_of_a_stream_has_all_of_it() {
    let (output, _) = run(&["json"], &[&fixture("edge/v9_t21_stream3_groups.rdb")]);
    let told: Json = serde_json::from_str(
        r#"{"db": 0, "key": "key", "type": "stream", "value": {
            "entries": [{"id": "1-1", "fields": [["a", "1"]]}, {"id": "2-1", "fields": [["a", "2"]]},
                {"id": "2-2", "fields": [["b", "x"], ["c", "y"]]}],
            "last_id": "2-2", "first_id": "1-1", "max_deleted_id": "0-0", "entries_added": 3,
            "groups": [{"name": "g", "last_id": "2-1", "entries_read": 2,
                "pending": [
                    {"id": "1-1", "consumer": "c1", "delivered_at_ms": 1700000000000, "delivery_count": 1},
                    {"id": "2-1", "consumer": "c2", "delivered_at_ms": 1700000000001, "delivery_count": 3}],
                "consumers": [
                    {"name": "c1", "seen_at_ms": 1700000000000, "active_at_ms": 1700000000000},
                    {"name": "c2", "seen_at_ms": 1700000000000, "active_at_ms": 1700000000000}]}]}}"#,
    )
    .expect("JSON");
    let printed: Json = serde_json::from_str(&output).expect("JSON");
    assert_eq!(printed, told);
}

#[test]
fn explain_fits_120_columns_and_numbers_bytes_without_a_gap() {
    for (path, _) in expected() {
        let size = fs::metadata(&path).expect("a file").len();
        if size > 200_000 {
            continue;
        }
        let (output, code) = run(&["explain"], &[&path]);
        let mut last = None;
        for line in output.lines().filter(|line| !line.starts_with("FAULT")) {
            assert!(line.len() <= 120, "{}: {line}", path.display());
            // With a plus it is the offset in a compressed block.
            let column = line.get(..12).unwrap_or("").trim();
            let offset = column.strip_prefix('+').map_or(column, |_| "");
            let Ok(offset) = offset.parse::<u64>() else {
                continue;
            };
            // An empty string has a row of its own and no byte.
            assert!(last.is_none_or(|last| last <= offset), "{line}");
            last = Some(offset);
        }
        if code == 0 && size > 9 {
            assert!(last.is_some_and(|last| last < size), "{}", path.display());
        }
    }
}

/// The rows of a small list, worked out from the bytes that `src/rdb/encodings/ziplist.rs` draws.
#[test]
fn explain_prints_offset_bytes_and_meaning() {
    let folder = Folder::new();
    let path = folder.path().join("ziplist.rdb");
    let data = b"\
        REDIS0009\xFE\x02\x0A\x01k\x12\x12\0\0\0\x0D\0\0\0\x02\0\x00\x01a\x03\xC0\x00\x04\xFF\xFF\0\0\0\0\0\0\0\0";
    fs::write(&path, data).expect("the folder can be written");
    let (output, code) = run(&["explain"], &[&path]);
    let expected = "      offset  bytes                    meaning
           0  52 45 44 49 53           magic: an RDB file
           5  30 30 30 39              version 9, written by Redis 5.0 to 6.2
                                       database 2
           9  fe                         SELECTDB: the next keys belong to a database
          10  02                         a database number: 2 (6 bits)
                                         key \"k\", LIST_ZIPLIST
          11  0a                           type LIST_ZIPLIST: a list in one ziplist
          12  01                           length: 1 (6 bits)
          13  6b                           a key \"k\"
          14  12                           length: 18 (6 bits)
                                           ziplist of 18 bytes
          15  12 00 00 00                    zlbytes, the size of the ziplist: 18
          19  0d 00 00 00                    zltail, where the last entry begins: 13
          23  02 00                          zllen, the number of entries: 2
          25  00                             prevlen: 0, the size of the entry before
          26  01                             text, its length in 6 bits: 1
          27  61                             an element \"a\"
          28  03                             prevlen: 3, the size of the entry before
          29  c0                             an i16 follows
          30  00 04                          an element: 1024
          32  ff                             the end of the ziplist
          33  ff                       EOF: the end of the data
          34  00 00 00 00 00 00 00 00  checksum 0: none was computed when the file was written
";
    assert_eq!(output, expected);
    assert_eq!(code, 0);
}

#[test]
fn explain_shows_a_part_on_request() {
    let path = fixture("redis-rdb-tools/parser_filters.rdb");
    let keys = |arguments: &[&str]| {
        let (output, code) = run(arguments, &[&path]);
        let names: Vec<String> = output
            .lines()
            .filter_map(|line| line.trim().strip_prefix("key \""))
            .filter_map(|line| line.split('"').next())
            .map(str::to_string)
            .collect();
        (names, output, code)
    };
    let (all, ..) = keys(&["explain"]);
    assert_eq!(all.len(), 43);
    let (first, output, _) = keys(&["explain", "--keys", "2"]);
    assert_eq!(first, all[..2]);
    assert!(output.contains("41 keys left out: "), "{output}");
    let (one, _, code) = keys(&["explain", "--key", "l11"]);
    assert_eq!((one, code), (vec!["l11".to_string()], 0));
    let (none, _, code) = keys(&["explain", "--key", "no such key"]);
    assert_eq!((none.len(), code), (0, 1));
    let (later, output, _) = keys(&["explain", "--from", "1000"]);
    assert!(all.ends_with(&later) && !later.is_empty() && later.len() < 20);
    assert!(
        output.contains("CRC-64") || output.contains("EOF"),
        "{output}"
    );
}

#[test]
fn the_page_is_complete_in_itself() {
    let folder = Folder::new();
    let page = folder.path().join("page.html");
    for name in [
        "redis-rdb-tools/parser_filters.rdb",
        "edge/x_trunc.rdb",
        "edge/v9_t21_stream3_groups.rdb",
    ] {
        let output = page.to_str().expect("a path in ASCII");
        run(
            &["explain", "--html", "--output", output],
            &[&fixture(name)],
        );
        let html = fs::read_to_string(&page).expect("the page");
        for outside in ["http:", "https:", "src=", "href=", "@import", "url("] {
            assert!(!html.contains(outside), "{name}: {outside}");
        }
        let count = |text: &str| html.matches(text).count();
        assert_eq!(count("<details"), count("</details>"), "{name}");
        assert_eq!(count("<p"), count("</p>"), "{name}");
        assert!(html.ends_with("</body></html>\n"), "{name}");
    }
}

#[test]
fn stats_counts_what_is_there() {
    let (output, code) = run(&["stats", "--top", "3"], &[&fixture("edge/plan_all.rdb")]);
    assert_eq!(code, 0);
    // The file was made with these: see its keys in expected.json.
    let has = |line: &[&str]| {
        let found = output
            .lines()
            .any(|printed| line.iter().all(|word| printed.contains(word)));
        assert!(found, "{line:?} in\n{output}");
    };
    has(&["10 keys", "2 957 041 bytes"]);
    has(&["1 LIST", "70 000"]);
    has(&["5 ZSET_2", "70 000"]);
    has(&["15 STREAM_LISTPACKS", "100"]);
    has(&["\"z\"", "ZSET_2", "70 000"]);
    has(&["later", "2", "20.0 %", "########"]);
    has(&["never", "8", "80.0 %"]);
    assert!(
        !output.contains("\"x\""),
        "only three large keys are asked for"
    );
}

/// The names stand in the files: in the code of the library, and in the 64 bits of a module's id.
#[test]
fn functions_and_modules_are_named() {
    for (file, checked, counted) in [
        (
            "redis-rdb-tools/redis_40_with_module.rdb",
            "the module ReJSON-RL",
            "\n  ReJSON-RL               1                0\n",
        ),
        (
            "redis-rdb-tools/redis_60_with_module_aux.rdb",
            "the module test__rdb",
            "\n  test__rdb               0                1\n",
        ),
    ] {
        let (line, code) = run(&["check"], &[&fixture(file)]);
        let end = format!("; not known to my_redis_server yet: {checked}\n");
        assert!(line.ends_with(&end), "{line}");
        assert_eq!(code, 0);
        let (output, code) = run(&["stats"], &[&fixture(file)]);
        assert!(output.contains(counted), "{output}");
        assert_eq!(code, 0);
    }
    // The server knows functions.
    let file = fixture("redis-7.2/functions.rdb");
    let (line, code) = run(&["check"], &[&file]);
    let expected =
        "1 key, 0 with an expiry (0 of them expired), the function library \"mylib\", checksum ";
    assert!(line.contains(expected), "{line}");
    assert!(!line.contains("not known"), "{line}");
    assert_eq!(code, 0);
    let (output, code) = run(&["stats"], &[&file]);
    let expected = "\nFunction libraries\n  \"mylib\"\n";
    assert!(output.contains(expected), "{output}");
    assert_eq!(code, 0);
    // Names without an end are cut, and there is an end to their number.
    let folder = Folder::new();
    let path = folder.path().join("many.rdb");
    let library = |number: usize| {
        let code = format!("#!lua name=lib{number:03}{}\n", "x".repeat(100));
        [&[0xF5, 0x40, code.len() as u8][..], code.as_bytes()].concat()
    };
    let libraries: Vec<u8> = (0..40).flat_map(library).collect();
    let file = [b"REDIS0010", &libraries[..], b"\xFF\0\0\0\0\0\0\0\0"].concat();
    fs::write(&path, file).expect("the folder can be written");
    let (line, _) = run(&["check"], &[&path]);
    assert!(line.contains("\"lib015x"), "{line}");
    assert!(line.contains(", and more function libraries, "), "{line}");
    assert!(line.len() < 2000, "{line}");
}

#[test]
fn diff_compares_content_not_bytes() {
    // The same data as two servers or two layouts have it: expected.json has the same digest for both.
    for (a, b) in [
        ("redis-7.2/hash_large.rdb", "valkey-8/hash_large.rdb"),
        ("edge/v9_t10_list_ziplist.rdb", "edge/v9_t1_list.rdb"),
        ("edge/v9_t11_intset16.rdb", "edge/v9_t2_set_ints.rdb"),
        (
            "edge/v9_t15_stream1_groups.rdb",
            "edge/v9_t21_stream3_groups.rdb",
        ),
        ("edge/v9_t3_zset.rdb", "edge/v9_t5_zset2.rdb"),
        ("edge/v9_t4_hash.rdb", "edge/v9_t9_hash_zipmap.rdb"),
        (
            "redis-assets/hash-ziplist.rdb",
            "redis-assets/hash-zipmap.rdb",
        ),
    ] {
        let (output, code) = run(&["diff"], &[&fixture(a), &fixture(b)]);
        assert!(
            output.ends_with("\nThe same: 1 key.\n"),
            "{a} {b}: {output}"
        );
        assert_eq!(code, 0);
    }
}

/// Each file has one key with two elements; of the second pair only the order differs.
#[test]
fn the_order_matters_in_lists_alone() {
    let folder = Folder::new();
    let write = |name: &str, type_code: u8, elements: &[&[u8]]| {
        let path = folder.path().join(name);
        let key = [&[type_code][..], b"\x01k\x02", &elements.concat()].concat();
        let file = [b"REDIS0009", &key[..], b"\xFF\0\0\0\0\0\0\0\0"].concat();
        fs::write(&path, file).expect("the folder can be written");
        path
    };
    let (one, two) = (&b"\0\0\0\0\0\0\xF0\x3F"[..], &b"\0\0\0\0\0\0\0\x40"[..]);
    let scored = |member: &[u8], score: &[u8]| [member, score].concat();
    let (a_1, b_2) = (scored(b"\x01a", one), scored(b"\x01b", two));
    for (type_code, first, second, code) in [
        (1, &b"\x01a"[..], &b"\x01b"[..], 1),
        (2, b"\x01a", b"\x01b", 0),
        (4, b"\x01a\x011", b"\x01b\x012", 0),
        (5, &a_1, &b_2, 0),
    ] {
        let forward = write("forward", type_code, &[first, second]);
        let backward = write("backward", type_code, &[second, first]);
        let (output, found) = run(&["diff"], &[&forward, &backward]);
        assert_eq!(found, code, "type {type_code}: {output}");
    }
}

/// A real server and ours hold the same but for what is changed on purpose.
#[test]
fn diff_finds_what_differs() {
    let folders = [Folder::new(), Folder::new()];
    let ours = Server::ours(&folders[0], &["--save", ""]);
    let real = Server::real(&folders[1], &["--dbfilename", "dump.my_rdb"]);
    for (server, is_real) in [(&ours, false), (&real, true)] {
        let mut client = server.client();
        let mut ask = |line: &str| {
            let reply = client.ask(line);
            assert!(!reply.starts_with("(error)"), "{line}: {reply}");
        };
        for number in 0..500 {
            // Another order in the file.
            let number = if is_real { 499 - number } else { number };
            ask(&format!("SET same:{number} {number}"));
            ask(&format!("HSET hash:same f{number} {number}"));
        }
        ask("RPUSH list a b c d e");
        ask("HSET hash f1 v1 f2 v2");
        ask("SET text hello");
        ask("SET deadline x PXAT 4102444800000");
        if is_real {
            ask("LSET list 3 D");
            ask("HSET hash f2 other f3 new");
            ask("SET text help!");
            ask("PERSIST deadline");
            ask("DEL same:7");
            ask("SET added 1");
        }
        ask("SAVE");
    }
    let paths = [folders[0].dump(), folders[1].dump()];
    let (output, code) = run(&["diff"], &[&paths[0], &paths[1]]);
    let [a, b] = paths.each_ref().map(|path| path.display());
    let expected = format!(
        "- only in {a}
+ only in {b}
~ in both, but differing, as {a} | {b}

+ db 0 key \"added\": string
~ db 0 key \"deadline\"
    expiry: 01 Jan 2100 00:00:00.000 (4102444800000) | never
~ db 0 key \"hash\"
    field \"f2\": \"v2\" | \"other\"
    field \"f3\": absent | \"new\"
~ db 0 key \"list\"
    [3]: \"d\" | \"D\"
- db 0 key \"same:7\": string
~ db 0 key \"text\"
    value: \"hello\" | \"help!\"

Only in the first: 1. Only in the second: 1. Differing: 4. The same: 500 keys.
"
    );
    assert_eq!(output, expected);
    assert_eq!(code, 1);
    let (output, code) = run(&["diff"], &[&paths[0], &paths[0]]);
    assert!(output.ends_with("\nThe same: 505 keys.\n"), "{output}");
    assert_eq!(code, 0);
}

#[test]
fn standard_input_is_a_file_too() {
    let file = fs::read(fixture("edge/v9_t1_list.rdb")).expect("the fixture");
    let mut child = tool()
        .args(["check", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(&file).expect("it reads");
    drop(input);
    let (line, code) = text_and_code(&child.wait_with_output().expect("it ends"));
    assert!(
        line.starts_with("standard input: good: version 9, 1 key, "),
        "{line}"
    );
    assert_eq!(code, 0);
}

#[test]
fn a_reader_that_has_seen_enough_ends_it_quietly() {
    for command in ["explain", "json"] {
        let mut child = tool()
            .arg(command)
            .arg(fixture("edge/plan_all.rdb"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(0), "{command}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{command}");
    }
}

#[test]
fn wrong_usage_is_told_from_a_bad_file() {
    let good = fixture("edge/v9_t1_list.rdb");
    let bad = fixture("edge/x_trunc.rdb");
    for (arguments, files, code) in [
        (&["--help"][..], &[][..], 0),
        (&[], &[], 2),
        (&["frobnicate"], &[&good], 2),
        (&["check"], &[], 2),
        (&["check", "--frobnicate"], &[&good], 2),
        (&["check", "/no/such/file"], &[], 2),
        (&["explain", "--keys", "many"], &[&good], 2),
        (&["diff"], &[&good], 2),
        (&["diff", "-", "-"], &[], 2),
        (&["diff"], &[&good, &bad], 1),
        (&["json"], &[&bad], 1),
        (&["stats"], &[&bad], 1),
    ] {
        let files: Vec<&Path> = files.iter().map(|file| file.as_path()).collect();
        assert_eq!(run(arguments, &files).1, code, "{arguments:?}");
    }
}
