//! The directives whose value has a grammar of its own: `save`, `bind`, `client-output-buffer-limit` and others.

use crate::keyspace::events::class;
use crate::state::config::value::{Value, write_memory};
use crate::util::{memory_size, number};

/// An integer as C's `strtoll` reads it: blanks and a sign may stand before the digits, a number that is too large
/// becomes the largest one, and a text without digits is zero. `None` if anything follows.
fn c_integer(word: &str) -> Option<i64> {
    let trimmed = word.trim_ascii_start();
    let digits = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    if word.is_empty() {
        return Some(0);
    }
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let largest = if trimmed.starts_with('-') {
        i64::MIN
    } else {
        i64::MAX
    };
    Some(trimmed.parse().unwrap_or(largest))
}

pub(super) fn parse_save(words: &[&str]) -> Result<Value, String> {
    let words = if words == [""] { &[] } else { words };
    let invalid = || "Invalid save parameters".to_string();
    let (pairs, []) = words.as_chunks() else {
        return Err(invalid());
    };
    let mut points = Vec::new();
    for [seconds, changes] in pairs {
        let seconds = c_integer(seconds)
            .filter(|seconds| *seconds >= 1)
            .ok_or_else(invalid)?;
        let changes = c_integer(changes)
            .filter(|changes| *changes >= 0)
            .ok_or_else(invalid)?;
        points.push(format!("{seconds} {changes}"));
    }
    Ok(Value::Text(points.join(" ")))
}

/// The points in the text of a `save` directive: pairs of (seconds, changes).
pub(super) fn save_points(text: &str) -> Vec<(u64, u64)> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let (pairs, _) = words.as_chunks();
    let number = |word: &str| word.parse().unwrap_or(0);
    pairs
        .iter()
        .map(|[seconds, changes]| (number(seconds), number(changes)))
        .collect()
}

pub(super) fn parse_bind(words: &[&str]) -> Result<Value, String> {
    const MAX_ADDRESSES: usize = 16;
    if words.len() > MAX_ADDRESSES {
        return Err("Too many bind addresses specified.".to_string());
    }
    Ok(Value::Text(words.join(" ")))
}

/// The limits of unread output for one class of clients: a client above them is disconnected.
#[derive(Debug)]
pub struct OutputBufferLimit {
    /// `normal`, `slave` or `pubsub`.
    pub class: &'static str,
    /// Bytes that a client may never leave unread; 0 is no limit.
    pub hard_bytes: u64,
    /// Bytes that a client may not leave unread for longer than `soft_seconds`; 0 is no limit.
    pub soft_bytes: u64,
    /// See [`soft_bytes`](Self::soft_bytes).
    pub soft_seconds: i64,
}

pub(super) fn output_buffer_limits(text: &str) -> Vec<OutputBufferLimit> {
    let words: Vec<&str> = text.split(' ').collect();
    let (limits, _) = words.as_chunks();
    let read = |[class, hard, soft, seconds]: &[&str; 4]| {
        Some(OutputBufferLimit {
            class: limited_class(class)?,
            hard_bytes: hard.parse().ok()?,
            soft_bytes: soft.parse().ok()?,
            soft_seconds: seconds.parse().ok()?,
        })
    };
    limits.iter().filter_map(read).collect()
}

fn limited_class(word: &str) -> Option<&'static str> {
    match word.to_ascii_lowercase().as_str() {
        "normal" => Some("normal"),
        "slave" | "replica" => Some("slave"),
        "pubsub" => Some("pubsub"),
        _ => None,
    }
}

/// Changes the limits of the classes named, and leaves the others as they are in `previous`.
pub(super) fn parse_output_buffer_limits(words: &[&str], previous: &str) -> Result<Value, String> {
    let words = if words == [""] { &[] } else { words };
    let (changes, []) = words.as_chunks() else {
        return Err("Wrong number of arguments in buffer limit configuration.".to_string());
    };
    let mut limits = output_buffer_limits(previous);
    for [class, hard, soft, seconds] in changes {
        let class = limited_class(class)
            .ok_or("Invalid client class specified in buffer limit configuration.")?;
        let read = || {
            Some(OutputBufferLimit {
                class,
                hard_bytes: memory_size::parse(hard.as_bytes())?,
                soft_bytes: memory_size::parse(soft.as_bytes())?,
                soft_seconds: c_integer(seconds).filter(|seconds| *seconds >= 0)?,
            })
        };
        let limit = read()
            .ok_or("Error in hard, soft or soft_seconds setting in buffer limit configuration.")?;
        match limits.iter_mut().find(|known| known.class == class) {
            Some(known) => *known = limit,
            None => limits.push(limit),
        }
    }
    let show = |limit: &OutputBufferLimit| {
        format!(
            "{} {} {} {}",
            limit.class, limit.hard_bytes, limit.soft_bytes, limit.soft_seconds
        )
    };
    Ok(Value::Text(
        limits.iter().map(show).collect::<Vec<_>>().join(" "),
    ))
}

/// One text for each class, as CONFIG REWRITE writes it: `replica 256mb 64mb 60`.
pub(super) fn written_output_buffer_limits(text: &str) -> Vec<String> {
    let write = |limit: &OutputBufferLimit| {
        let class = if limit.class == "slave" {
            "replica"
        } else {
            limit.class
        };
        let (hard, soft) = (
            write_memory(limit.hard_bytes),
            write_memory(limit.soft_bytes),
        );
        format!("{class} {hard} {soft} {}", limit.soft_seconds)
    };
    output_buffer_limits(text).iter().map(write).collect()
}

pub(super) fn parse_oom_score_adj_values(words: &[&str]) -> Result<Value, String> {
    if words.len() != 3 {
        return Err("wrong number of arguments".to_string());
    }
    let read = |word: &&str| c_integer(word).filter(|value| (-2_000..=2_000).contains(value));
    let values: Option<Vec<String>> = words
        .iter()
        .map(|word| read(word).map(|value| value.to_string()))
        .collect();
    let values =
        values.ok_or("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")?;
    Ok(Value::Text(values.join(" ")))
}

/// The letters of `notify-keyspace-events`, in the order in which they are shown.
const EVENT_CLASSES: &[(char, u32)] = &[
    ('g', class::GENERIC),
    ('$', class::STRING),
    ('l', class::LIST),
    ('s', class::SET),
    ('h', class::HASH),
    ('z', class::SORTED_SET),
    ('x', class::EXPIRED),
    ('e', class::EVICTED),
    ('t', class::STREAM),
    ('d', class::MODULE),
    ('n', class::NEW),
];

pub(super) fn parse_keyspace_events(word: &str) -> Result<Value, String> {
    let mut bits = 0;
    for letter in word.chars() {
        bits |= match letter {
            'A' => class::ALL,
            'K' => class::KEYSPACE,
            'E' => class::KEYEVENT,
            'm' => class::KEY_MISS,
            _ => match EVENT_CLASSES.iter().find(|(class, _)| *class == letter) {
                Some((_, bit)) => *bit,
                None => {
                    return Err("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".to_string());
                }
            },
        };
    }
    Ok(Value::Number(bits.into()))
}

pub(super) fn show_keyspace_events(bits: u32) -> String {
    let mut letters = String::new();
    if bits & class::ALL == class::ALL {
        // Redis does not show `n` here. Neither do we.
        letters.push('A');
    } else {
        letters.extend(
            EVENT_CLASSES
                .iter()
                .filter(|(_, bit)| bits & bit != 0)
                .map(|(class, _)| class),
        );
    }
    for (letter, bit) in [
        ('K', class::KEYSPACE),
        ('E', class::KEYEVENT),
        ('m', class::KEY_MISS),
    ] {
        if bits & bit != 0 {
            letters.push(letter);
        }
    }
    letters
}

pub(super) fn parse_replica_of(words: &[&str]) -> Result<Value, String> {
    let [host, port] = words else {
        return Err("wrong number of arguments".to_string());
    };
    if host.eq_ignore_ascii_case("no") && port.eq_ignore_ascii_case("one") {
        return Ok(Value::Text(String::new()));
    }
    match c_integer(port).filter(|port| (0..=65_535).contains(port)) {
        Some(port) => Ok(Value::Text(format!("{host} {port}"))),
        None => Err("Invalid master port".to_string()),
    }
}

pub(super) fn parse_percentiles(words: &[&str]) -> Result<Value, String> {
    let words = if words == [""] { &[] } else { words };
    let mut shown = Vec::new();
    for word in words {
        let percentile = number::parse_f64(word.as_bytes())
            .ok_or("Invalid latency-tracking-info-percentiles parameters")?;
        if !(0.0..=100.0).contains(&percentile) {
            return Err(
                "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"
                    .to_string(),
            );
        }
        let with_decimals = format!("{percentile:.6}");
        shown.push(
            with_decimals
                .trim_end_matches('0')
                .trim_end_matches('.')
                .to_string(),
        );
    }
    Ok(Value::Text(shown.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::config::value::Kind;

    /// CONFIG SET of redis-server 7.0.15, which splits at each blank, and the CONFIG GET after it.
    #[track_caller]
    fn check(kind: Kind, previous: &str, set: &str, expected: Result<&str, &str>) {
        let words: Vec<&str> = if set.is_empty() {
            vec![]
        } else {
            set.split(' ').collect()
        };
        let shown = kind
            .parse(&words, &Value::Text(previous.into()))
            .map(|value| kind.show(&value));
        assert_eq!(shown.as_deref().map_err(String::as_str), expected);
    }

    #[test]
    fn save() {
        let check = |set, expected| check(Kind::Save, "", set, expected);
        check("300 1 60 10", Ok("300 1 60 10"));
        check("", Ok(""));
        check("+1 07", Ok("1 7"));
        check("1 0", Ok("1 0"));
        check("99999999999999999999 1", Ok("9223372036854775807 1"));
        for set in ["300  1", " 300 1", "300 1 60", "0 1", "1 -1", "1x 1"] {
            check(set, Err("Invalid save parameters"));
        }
        assert_eq!(save_points("300 1 60 10"), [(300, 1), (60, 10)]);
        assert_eq!(save_points(""), []);
    }

    #[test]
    fn bind() {
        check(Kind::Bind, "", "127.0.0.1 -::1", Ok("127.0.0.1 -::1"));
        check(Kind::Bind, "", "", Ok(""));
        check(
            Kind::Bind,
            "",
            "a b c d e f g h i j k l m n o p q",
            Err("Too many bind addresses specified."),
        );
    }

    #[test]
    fn output_buffer_limits() {
        let default = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60";
        let check = |set, expected| check(Kind::OutputBufferLimits, default, set, expected);
        check("", Ok(default));
        check(
            "normal 1mb 2kb 5",
            Ok("normal 1048576 2048 5 slave 268435456 67108864 60 pubsub 33554432 8388608 60"),
        );
        check(
            "replica 1 2 3 PubSub 4 5 07",
            Ok("normal 0 0 0 slave 1 2 3 pubsub 4 5 7"),
        );
        check(
            "pubsub 1 2 3 pubsub 4 5 6",
            Ok("normal 0 0 0 slave 268435456 67108864 60 pubsub 4 5 6"),
        );
        check(
            "normal 1",
            Err("Wrong number of arguments in buffer limit configuration."),
        );
        check(
            "master 1 2 3",
            Err("Invalid client class specified in buffer limit configuration."),
        );
        for set in ["normal 1 x 3", "normal 1 2 -3", "normal -1 2 3"] {
            check(
                set,
                Err("Error in hard, soft or soft_seconds setting in buffer limit configuration."),
            );
        }
        assert_eq!(
            written_output_buffer_limits(default),
            [
                "normal 0 0 0",
                "replica 256mb 64mb 60",
                "pubsub 32mb 8mb 60"
            ]
        );
    }

    #[test]
    fn oom_score_adj_values() {
        let check = |set, expected| check(Kind::OomScoreAdjValues, "", set, expected);
        check("3 2 01", Ok("3 2 1"));
        check("1 2", Err("wrong number of arguments"));
        check(
            "1 2 3000",
            Err("Invalid oom-score-adj-values, elements must be between -2000 and 2000."),
        );
    }

    #[test]
    fn keyspace_events() {
        let check = |set, expected| check(Kind::KeyspaceEvents, "", set, expected);
        check("", Ok(""));
        check("KEA", Ok("AKE"));
        check("Kx$n", Ok("$xnK"));
        check("AKEnm", Ok("AKEm"));
        check("g$lshzxetdmnKE", Ok("AKEm"));
        check("dtexzn$EK", Ok("$zxetdnKE"));
        check(
            "q",
            Err("Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
        );
    }

    #[test]
    fn replica_of() {
        let check = |set, expected| check(Kind::ReplicaOf, "", set, expected);
        check("localhost 6379", Ok("localhost 6379"));
        check("No One", Ok(""));
        check("a b", Err("Invalid master port"));
        check("a 70000", Err("Invalid master port"));
        check("a", Err("wrong number of arguments"));
    }

    #[test]
    fn percentiles() {
        let check = |set, expected| check(Kind::Percentiles, "", set, expected);
        check(
            "50 99.9 100 1e1 0x10 12.3456789",
            Ok("50 99.9 100 10 16 12.345679"),
        );
        check("", Ok(""));
        check(
            "x",
            Err("Invalid latency-tracking-info-percentiles parameters"),
        );
        check(
            "101",
            Err("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"),
        );
    }
}
