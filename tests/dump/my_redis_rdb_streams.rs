//! The tool `my_redis_rdb` on streams with consumer groups, in their three types.

use super::my_redis_rdb::{fixture, run};
use crate::common::{Folder, Server};
use serde_json::{Value as Json, json};
use std::fs;
use std::path::{Path, PathBuf};

/// The fixtures that hold one stream in each type, with the names of the types.
const FILES: [(&str, &str); 3] = [
    ("edge/v9_t15_stream1_groups.rdb", "15 STREAM_LISTPACKS "),
    ("edge/v9_t19_stream2_groups.rdb", "19 STREAM_LISTPACKS_2 "),
    ("edge/v9_t21_stream3_groups.rdb", "21 STREAM_LISTPACKS_3 "),
];

/// A file with the key of a fixture, and before it the AUX field in which our server keeps what old types lack.
fn with_field(folder: &Folder, name: &str, text: &str) -> PathBuf {
    let file = fs::read(fixture(name)).expect("a fixture");
    let key = b"\x03key";
    let place = file.windows(key.len()).position(|piece| piece == key);
    let from = place.expect("the key") - 1;
    let aux = [
        b"\xFA\x0Fmy-redis-stream",
        &[text.len() as u8][..],
        text.as_bytes(),
    ]
    .concat();
    let parts = [
        b"REDIS0009",
        &aux[..],
        &file[from..file.len() - 9],
        b"\xFF\0\0\0\0\0\0\0\0",
    ];
    let path = folder.path().join("with_field.rdb");
    fs::write(&path, parts.concat()).expect("the folder can be written");
    path
}

fn json_of(path: &Path) -> Json {
    let (output, code) = run(&["json"], &[path]);
    assert_eq!(code, 0, "{output}");
    serde_json::from_str(&output).expect("a line of JSON")
}

/// The stream of the fixtures, with what not every type holds.
fn told(history: &Json, entries_read: &Json, active: [i64; 2]) -> Json {
    let pending = |id, consumer, delivered_at_ms: i64, count| {
        json!({"id": id, "consumer": consumer,
            "delivered_at_ms": delivered_at_ms, "delivery_count": count})
    };
    let seen_at_ms = 1_700_000_000_000_i64;
    let consumer = |name, active_at_ms: i64| {
        json!({"name": name, "seen_at_ms": seen_at_ms,
            "active_at_ms": active_at_ms})
    };
    json!({"db": 0, "key": "key", "type": "stream", "value": {
        "entries": [
            {"id": "1-1", "fields": [["a", "1"]]},
            {"id": "2-1", "fields": [["a", "2"]]},
            {"id": "2-2", "fields": [["b", "x"], ["c", "y"]]},
        ],
        "last_id": "2-2", "first_id": history[0], "max_deleted_id": history[1], "entries_added": history[2],
        "groups": [{"name": "g", "last_id": "2-1", "entries_read": entries_read,
            "pending": [pending("1-1", "c1", 1_700_000_000_000, 1), pending("2-1", "c2", 1_700_000_000_001, 3)],
            "consumers": [consumer("c1", active[0]), consumer("c2", active[1])],
        }],
    }})
}

#[test]
fn json_has_what_each_type_holds() {
    let folder = Folder::new();
    let (seen, whole) = (1_700_000_000_000, json!(["1-1", "0-0", 3]));
    let [v1, v2, v3] = FILES.map(|(name, _)| name);
    assert_eq!(json_of(&fixture(v1)), told(&whole, &Json::Null, [seen; 2]));
    assert_eq!(json_of(&fixture(v2)), told(&whole, &json!(2), [seen; 2]));
    assert_eq!(json_of(&fixture(v3)), told(&whole, &json!(2), [seen; 2]));
    let history = json!(["1-1", "1-9", 7]);
    for name in [v1, v2] {
        let path = with_field(&folder, name, "1-1 1-9 7  5 -1 1700000000009");
        let expected = told(&history, &json!(5), [-1, seen + 9]);
        assert_eq!(json_of(&path), expected, "{name}");
        let path = with_field(&folder, name, "1-1 1-9 7  ? -1 1700000000009");
        let expected = told(&history, &Json::Null, [-1, seen + 9]);
        assert_eq!(json_of(&path), expected, "{name}");
    }
}

#[test]
fn check_and_json_refuse_a_field_that_does_not_fit() {
    let folder = Folder::new();
    for (name, _) in &FILES[..2] {
        let good = with_field(&folder, name, "1-1 0-0 3  2 -1 -1");
        let (line, code) = run(&["check"], &[&good]);
        assert!(line.contains(": good: version 9, 1 key, "), "{line}");
        assert_eq!(code, 0);
        for text in ["1-1 0-0 3  2 -1", "1-1 0-0 3  2 -1 -1  ?", "junk"] {
            let bad = with_field(&folder, name, text);
            let (line, code) = run(&["check"], &[&bad]);
            let expected = "] an AUX field about a stream that does not fit the stream behind it\n";
            assert!(line.ends_with(expected), "{text}: {line}");
            assert_eq!(code, 1);
            assert_eq!(run(&["json"], &[&bad]).1, 1);
        }
    }
}

#[test]
fn stats_and_explain_know_the_types_and_the_field() {
    let folder = Folder::new();
    for (name, type_name) in FILES {
        let (output, code) = run(&["stats"], &[&fixture(name)]);
        let line = output.lines().find(|line| line.contains(type_name));
        let line = line.unwrap_or_else(|| panic!("{type_name} in\n{output}"));
        let has = |text: &str| line.contains(text);
        assert!(has(" 1  100.0 % ") && has(" 3  a stream"), "{line}");
        assert_eq!(code, 0);
    }
    let path = with_field(&folder, FILES[0].0, "1-1 1-9 7  2 -1 -1");
    let (output, code) = run(&["explain"], &[&path]);
    for row in [
        "an AUX key \"my-redis-stream\"",
        "an AUX value \"1-1 1-9 7  2 -1 -1\"",
        "key \"key\", STREAM_LISTPACKS",
        "a value \"2\"",
    ] {
        assert!(output.contains(row), "{row} in\n{output}");
    }
    assert!(!output.contains("FAULT"), "{output}");
    assert_eq!(code, 0);
}

/// A stream that our server saves in each version: the tool sees the same in all of them.
#[test]
fn all_versions_of_a_file_are_the_same() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    for line in [
        "XADD s 1-0 f v",
        "XADD s 2-0 f v g w",
        "XADD s 3-0 f v",
        "XGROUP CREATE s g 0",
        "XREADGROUP GROUP g ann COUNT 2 STREAMS s >",
        "XCLAIM s g bob 0 1-0 TIME 1700000000000 RETRYCOUNT 7",
        "XGROUP CREATECONSUMER s g idle",
        "XGROUP CREATE s h 2-0 ENTRIESREAD 2",
        "XDEL s 2-0",
        "XGROUP CREATE empty g 5-5 MKSTREAM",
    ] {
        let reply = client.ask(line);
        assert!(!reply.starts_with("(error)"), "{line}: {reply}");
    }
    let paths = ["9", "10", "11"].map(|version| {
        assert_eq!(
            client.ask(&format!("CONFIG SET rdb-version {version}")),
            "OK"
        );
        assert_eq!(client.ask("SAVE"), "OK");
        let path = folder.path().join(version);
        fs::rename(folder.dump(), &path).expect("it can be renamed");
        let (line, code) = run(&["check"], &[&path]);
        assert!(
            line.contains(&format!(": good: version {version}, 2 keys, ")),
            "{line}"
        );
        assert_eq!(code, 0);
        path
    });
    let [oldest, newer @ ..] = &paths;
    // The order of keys is not that of the file before.
    let lines = |path: &Path| {
        let text = run(&["json"], &[path]).0;
        let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
        lines.sort();
        lines.join("\n")
    };
    let json = lines(oldest);
    assert!(
        json.contains(r#""max_deleted_id":"2-0","entries_added":3"#),
        "{json}"
    );
    assert!(
        json.contains(r#"{"name":"h","last_id":"2-0","entries_read":2,"#),
        "{json}"
    );
    assert_eq!(json.matches(r#""active_at_ms":-1}"#).count(), 1, "{json}");
    for path in newer {
        assert_eq!(lines(path), json);
        let (output, code) = run(&["diff"], &[oldest, path]);
        assert!(output.ends_with("\nThe same: 2 keys.\n"), "{output}");
        assert_eq!(code, 0);
    }
    // A change of each kind is found.
    for (change, found) in [
        (
            "XADD s 4-0 f new",
            "\n    entry 4-0: absent | \"f\" \"new\"\n",
        ),
        ("XSETID s 9-9", "\n    last id: 4-0 | 9-9\n"),
        (
            "XGROUP SETID s h 1-0",
            "\n    group h: last id 2-0 | last id 1-0\n",
        ),
        (
            "XACK s g 1-0",
            "\n    group g pending 1-0: delivered 7 times, last 1700000000000, to bob | absent\n",
        ),
        (
            "XGROUP DELCONSUMER s g idle",
            "\n    group g consumer idle: seen ",
        ),
        (
            "XGROUP DESTROY s h",
            "\n    group h: last id 1-0 | absent\n",
        ),
    ] {
        let before = folder.path().join("before");
        assert_eq!(client.ask("SAVE"), "OK");
        fs::rename(folder.dump(), &before).expect("it can be renamed");
        client.ask(change);
        assert_eq!(client.ask("SAVE"), "OK");
        let (output, code) = run(&["diff"], &[&before, &folder.dump()]);
        assert!(output.contains(found), "{change}: {output}");
        assert_eq!(code, 1);
    }
}
