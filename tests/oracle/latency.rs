//! SLOWLOG and LATENCY, compared with a real redis-server.

use crate::common::oracle::{Oracle, words};
use crate::common::strings;
use my_redis_server::resp::decoder::Value;

const EDGES: &str = r#"
SLOWLOG
SLOWLOG FOO
SLOWLOG HELP
SLOWLOG HELP x
SLOWLOG LEN
SLOWLOG LEN x
SLOWLOG RESET
SLOWLOG RESET x
SLOWLOG GET
SLOWLOG GET 0
SLOWLOG GET -1
SLOWLOG GET -2
SLOWLOG GET x
SLOWLOG GET ""
SLOWLOG GET 9223372036854775807
SLOWLOG GET 9223372036854775808
SLOWLOG GET 1 2
LATENCY
LATENCY FOO
LATENCY HELP
LATENCY HELP x
LATENCY DOCTOR
LATENCY DOCTOR x
LATENCY LATEST
LATENCY LATEST x
LATENCY GRAPH
LATENCY GRAPH command
LATENCY GRAPH "a\x00b"
LATENCY GRAPH "a\r\nb"
LATENCY GRAPH a b
LATENCY HISTORY
LATENCY HISTORY command
LATENCY HISTORY a b
LATENCY RESET
LATENCY RESET a b
LATENCY HISTOGRAM nothing
LATENCY HISTOGRAM lpush nothing xx
CONFIG SET latency-monitor-threshold 1000000
LATENCY DOCTOR
CONFIG SET latency-monitor-threshold 0
LATENCY DOCTOR
CONFIG GET latency-*
COMMAND INFO slowlog|get slowlog|len slowlog|reset slowlog|help
"#;

#[test]
fn edges() {
    let mut oracle = Oracle::with_options(&["--slowlog-log-slower-than", "-1"]);
    oracle.scripts(&[EDGES]);
    oracle.finish();
}

/// What is certain about an entry: its number, its arguments, the client's name; the rest has its type.
fn certain(log: Value) -> Vec<String> {
    let Value::Array(entries) = log else {
        panic!("SLOWLOG GET gives an array, not {log:?}")
    };
    let certain = |entry| match entry {
        Value::Array(fields) => match fields.as_slice() {
            [
                id,
                Value::Integer(1_700_000_000..),
                Value::Integer(0..),
                arguments,
                Value::Bulk(address),
                name,
            ] if address.starts_with(b"127.0.0.1:") => {
                let words = [
                    strings(arguments.clone()),
                    strings(Value::Array(vec![name.clone()])),
                ];
                format!("{id:?} {}", words.concat().join(&b' ').escape_ascii())
            }
            _ => panic!("{fields:?}"),
        },
        other => panic!("an entry is an array, not {other:?}"),
    };
    entries.into_iter().map(certain).collect()
}

fn compare_logs(oracle: &mut Oracle) {
    let [ours, real] = oracle.answers(&words(&["SLOWLOG", "GET", "-1"]));
    let (ours, real) = (certain(ours.value), certain(real.value));
    assert!(ours.len() >= 3, "{ours:?}");
    assert_eq!(ours, real);
}

const LOGGED: &str = r#"
CONFIG SET slowlog-log-slower-than 0
SET k v
GET k
NOTHING
GET
HSET k f v
CLIENT SETNAME ann
MULTI
INCR n
INCR k
EXEC
MULTI
NOTHING
EXEC
AUTH secret
AUTH default secret
HELLO 2 AUTH nobody secret
HELLO 2 AUTH nobody secret SETNAME bob
CONFIG SET requirepass a requirepass b
CONFIG SET port 1 masterauth secret MasterUser me FOO bar
CONFIG SET maxmemory x
CLIENT SETNAME bob
DEBUG SLEEP 0
PING
"#;

/// In RESP3, most lists of COMMAND INFO are sets. Subcommands are an array, unless there are none; they come in no
/// order.
#[test]
fn subcommands_are_an_array() {
    let mut oracle = Oracle::start();
    oracle.reconnect(3);
    let request = words(&["COMMAND", "INFO", "slowlog"]);
    let heads = oracle.answers(&request).map(|answer| {
        let text = String::from_utf8(answer.bytes).expect("it is ASCII");
        let end = text.find("slowlog|").expect("the first subcommand");
        text[..end - "11\r\n".len()].to_string()
    });
    assert_eq!(heads[0], heads[1]);
    assert!(
        heads[0].ends_with("~0\r\n~0\r\n*4\r\n*10\r\n$"),
        "{heads:?}"
    );
}

#[test]
fn entries_tell_what_was_called() {
    let options = ["--slowlog-log-slower-than", "-1", "--slowlog-max-len", "40"];
    let mut oracle = Oracle::with_options(&options);
    oracle.scripts(&[LOGGED]);
    let _ = oracle.ask(&words(&["ECHO", &"a".repeat(128), &"b".repeat(129)]));
    // The reply tells the version.
    oracle.answers(&words(&["HELLO", "2", "SETNAME", "auth"]));
    let many = |count| [words(&["DEL"]), vec![b"x".to_vec(); count]].concat();
    for request in [many(31), many(32), many(1000)] {
        let _ = oracle.ask(&request);
    }
    for length in 120..140 {
        let _ = oracle.ask(&words(&["ECHO", &"\u{fc}".repeat(length)]));
    }
    compare_logs(&mut oracle);
    // Fewer entries, then none, then more again.
    for line in [
        "CONFIG SET slowlog-max-len 5",
        "SLOWLOG LEN",
        "SLOWLOG RESET",
        "SLOWLOG LEN",
        "PING",
        "CONFIG SET slowlog-log-slower-than -1",
        "PING",
        "SLOWLOG LEN",
        "CONFIG SET slowlog-log-slower-than 1000000000",
        "PING",
        "SLOWLOG LEN",
    ] {
        oracle.type_line(line);
    }
    compare_logs(&mut oracle);
    oracle.finish();
}

#[test]
fn a_slow_command_is_logged_with_its_time() {
    let mut oracle = Oracle::with_options(&["--enable-debug-command", "yes"]);
    oracle.type_line("CONFIG SET slowlog-log-slower-than 200000");
    oracle.type_line("DEBUG SLEEP 0.25");
    for answer in oracle.answers(&words(&["SLOWLOG", "GET"])) {
        let Value::Array(entries) = answer.value else {
            panic!("SLOWLOG GET gives an array")
        };
        let [Value::Array(entry)] = entries.as_slice() else {
            panic!("one entry, not {entries:?}")
        };
        assert!(
            matches!(entry[2], Value::Integer(250_000..)),
            "{:?}",
            entry[2]
        );
    }
    oracle.finish();
}

/// Events of both servers, each number replaced by a sign.
fn without_numbers(value: &Value) -> String {
    let text = match value {
        Value::Bulk(text) => String::from_utf8_lossy(text).into_owned(),
        other => format!("{other:?}"),
    };
    let mut signs: String = text
        .chars()
        .map(|letter| if letter.is_ascii_digit() { '0' } else { letter })
        .collect();
    while signs.contains("00") {
        signs = signs.replace("00", "0");
    }
    signs
}

fn integers(value: &Value) -> Vec<i64> {
    match value {
        Value::Integer(number) => vec![*number],
        Value::Array(elements) => elements.iter().flat_map(integers).collect(),
        _ => vec![],
    }
}

/// What a server says of commands that took long.
#[test]
fn events() {
    let options = ["--enable-debug-command", "yes"];
    let mut oracle = Oracle::with_options(&options);
    oracle.type_line("CONFIG SET latency-monitor-threshold 100");
    oracle.type_line("DEBUG SLEEP 0.12");
    oracle.type_line("DEBUG SLEEP 0.3");
    for request in ["LATENCY LATEST", "LATENCY HISTORY command"] {
        let request: Vec<&str> = request.split(' ').collect();
        for answer in oracle.answers(&words(&request)) {
            let numbers = integers(&answer.value);
            let times = numbers.iter().filter(|number| **number > 1_700_000_000);
            assert!((1..=2).contains(&times.count()), "{numbers:?}");
            assert!(numbers.iter().any(|number| (300..3000).contains(number)));
        }
    }
    for (slow_log_us, request) in [
        ("10000", "LATENCY DOCTOR"),
        ("1000000", "LATENCY DOCTOR"),
        ("-1", "LATENCY DOCTOR"),
    ] {
        oracle.type_line(&format!("CONFIG SET slowlog-log-slower-than {slow_log_us}"));
        let request: Vec<&str> = request.split(' ').collect();
        let [ours, real] = oracle.answers(&words(&request));
        assert_eq!(without_numbers(&ours.value), without_numbers(&real.value));
    }
    for line in [
        "LATENCY GRAPH COMMAND",
        "LATENCY HISTORY COMMAND",
        "LATENCY RESET nothing COMMAND command",
        "LATENCY LATEST",
    ] {
        oracle.type_line(line);
    }
    oracle.finish();
}

/// The pairs of a map, in RESP2.
fn pairs(value: Value) -> Vec<(Value, Value)> {
    let Value::Array(elements) = value else {
        panic!("a map is an array in RESP2, not {value:?}")
    };
    let mut elements = elements.into_iter();
    std::iter::from_fn(|| Some((elements.next()?, elements.next()?))).collect()
}

/// The names and counts of LATENCY HISTOGRAM, in any order.
fn calls(reply: Value) -> Vec<String> {
    let mut calls: Vec<String> = pairs(reply)
        .into_iter()
        .map(|(name, histogram)| {
            let [calls, steps] = pairs(histogram).try_into().expect("two fields");
            let last = integers(&steps.1).last().copied();
            assert_eq!(calls.1, Value::Integer(last.expect("a step")));
            format!("{name:?} {calls:?} {:?}", steps.0)
        })
        .collect();
    calls.sort();
    calls
}

#[test]
fn histograms() {
    let mut oracle = Oracle::with_options(&["--enable-debug-command", "yes"]);
    for line in [
        "CONFIG RESETSTAT",
        "SET k v",
        "SET k v",
        "INCR k",
        "GET",
        "CONFIG GET save",
        "MULTI",
        "GET k",
        "EXEC",
        "DEBUG SLEEP 0.3",
        "CONFIG SET latency-tracking no",
        "GET k",
    ] {
        oracle.type_line(line);
    }
    for names in [
        &[][..],
        &["get", "set", "incr", "nothing"],
        &["config", "config|get", "CONFIG"],
        &["CONFIG|GET"],
    ] {
        let request = [&["LATENCY", "HISTOGRAM"], names].concat();
        let [ours, real] = oracle.answers(&words(&request));
        assert_eq!(calls(ours.value), calls(real.value), "{names:?}");
    }
    // A duration that is far from any limit is counted at the same place.
    oracle.type_line("LATENCY HISTOGRAM debug");
    for line in [
        "INFO latencystats",
        "CONFIG SET latency-tracking yes",
        "CONFIG SET latency-tracking-info-percentiles \"\"",
        "CONFIG RESETSTAT",
        "LATENCY HISTOGRAM debug set get",
    ] {
        oracle.type_line(line);
    }
    for percentiles in ["0 50.5 100", "", "99.9"] {
        oracle.type_line(&format!(
            "CONFIG SET latency-tracking-info-percentiles \"{percentiles}\""
        ));
        let [ours, real] = oracle.answers(&words(&["INFO", "latencystats"]));
        let names = |reply: &Value| -> Vec<String> {
            let text = without_numbers(reply);
            let lines = text.split("\r\n").map(str::to_string);
            let mut lines: Vec<String> = lines.collect();
            lines.sort();
            lines
        };
        assert_eq!(names(&ours.value), names(&real.value));
    }
    oracle.finish();
}
