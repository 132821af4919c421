//! COMMAND DOCS, compared with a real redis-server. 7.2 has other summaries and names of arguments than 7.0; what else
//! differs is listed here.

use crate::common::oracle::{Oracle, words};
use my_redis_server::resp::decoder::Value;

/// 7.2 describes the time that they take in other words.
const OTHER_COMPLEXITY: &[&str] = &[
    "cluster|getkeysinslot",
    "cluster|replicas",
    "cluster|slaves",
    "geodist",
    "geohash",
    "geopos",
    "hscan",
    "psubscribe",
    "punsubscribe",
    "sscan",
    "sunsubscribe",
    "unsubscribe",
    "xread",
    "zrandmember",
    "zscan",
];
/// Deprecated since 7.2.
const NEWLY_DEPRECATED: &[&str] = &["psetex", "quit", "setex", "setnx"];
/// 7.2 describes their arguments in another way.
const OTHER_ARGUMENTS: &[&str] = &[
    "bitop",
    "client|kill",
    "client|list",
    "command|getkeys",
    "command|getkeysandflags",
    "config|get",
    "geohash",
    "geopos",
    "georadius",
    "georadiusbymember",
    "module|loadex",
    "pfmerge",
    "psubscribe",
    "xinfo|stream",
    "zrank",
    "zrevrank",
];

#[test]
fn what_is_said_of_a_command() {
    let mut oracle = Oracle::start();
    oracle.reconnect(3);
    let mut compared = 0;
    for command in my_redis_server::command::COMMANDS.all() {
        let name = command.full_name();
        let answers = oracle.answers(&words(&["COMMAND", "DOCS", &name]));
        let [Some(ours), Some(real)] = answers.map(|answer| docs_of_one(answer.value)) else {
            continue;
        };
        let [ours, real] = [ours, real].map(|entries| comparable(&name, entries));
        assert_eq!(ours, real, "{name}");
        compared += 1;
    }
    assert!(compared > 300, "only {compared} commands");
    oracle.finish();
}

type Entries = Vec<(Value, Value)>;

fn docs_of_one(reply: Value) -> Option<Entries> {
    let Value::Map(mut commands) = reply else {
        panic!("{reply:?}")
    };
    let (_, docs) = commands.pop()?;
    let Value::Map(entries) = docs else {
        panic!("{docs:?}")
    };
    Some(entries)
}

/// Without what has changed since 7.0. Subcommands come in no order, and each is compared alone.
fn comparable(command: &str, mut entries: Entries) -> Entries {
    let is_in = |names: &[&str]| names.contains(&command);
    entries.retain_mut(|(field, value)| match text(field).as_str() {
        "summary" | "subcommands" => false,
        "since" => command != "client|pause",
        "complexity" => !is_in(OTHER_COMPLEXITY),
        "doc_flags" | "deprecated_since" | "replaced_by" => !is_in(NEWLY_DEPRECATED),
        "history" => {
            let Value::Set(changes) = value else {
                panic!("{value:?}")
            };
            changes.retain(|change| !is_of_7_2(change));
            !changes.is_empty()
        }
        "arguments" => {
            without_names(value);
            !is_in(OTHER_ARGUMENTS)
        }
        _ => true,
    });
    entries
}

fn is_of_7_2(change: &Value) -> bool {
    matches!(change, Value::Array(pair) if text(&pair[0]) == "7.2.0")
}

fn without_names(arguments: &mut Value) {
    let Value::Array(arguments) = arguments else {
        panic!("{arguments:?}")
    };
    for argument in arguments {
        let Value::Map(entries) = argument else {
            panic!("{argument:?}")
        };
        entries.retain(|(field, _)| !["name", "display_text"].contains(&text(field).as_str()));
        for (field, value) in entries {
            if text(field) == "arguments" {
                without_names(value);
            }
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Bulk(bytes) | Value::Simple(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => panic!("{other:?}"),
    }
}
