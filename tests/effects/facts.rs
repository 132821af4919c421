//! All that a server holds, to be compared with what another one holds.

use super::random::{describe, digest_of, our_digest_of, without_times};
use crate::common::{Client, strings, wait_until};
use my_redis_server::resp::decoder::Value;
use my_redis_server::resp::pretty::pretty;
use my_redis_server::util::clock;
use std::collections::BTreeMap;

/// Of the servers whose facts are compared.
pub const DATABASES: usize = 16;
/// A key that is to live for less than this is awaited, in milliseconds.
const SOON_MS: i64 = 600;
/// No key that lives for longer expires within a test, in milliseconds.
const LATE_MS: i64 = 24 * 3600 * 1000;

/// Calls `look` with every key of every database, which is selected.
fn for_each_key(client: &mut Client, mut look: impl FnMut(&mut Client, usize, &[u8])) {
    for database in 0..DATABASES {
        client.ask(&format!("SELECT {database}"));
        for key in strings(client.call(&["KEYS", "*"])) {
            look(client, database, &key);
        }
    }
}

/// Afterwards no key expires before the test is over.
pub fn settle(client: &mut Client) {
    for_each_key(client, |client, _, key| {
        let ttl = |client: &mut Client| client.integer(&[b"PTTL", key]);
        match ttl(client) {
            left_ms if left_ms < 0 => {}
            left_ms if left_ms < SOON_MS => wait_until("it expires", || ttl(client) == -2),
            left_ms if left_ms < LATE_MS => {
                client.integer(&[b"PEXPIREAT", key, b"4102444800000"]);
            }
            _ => {}
        }
    });
}

/// What a server holds.
pub struct Facts {
    digest: String,
    /// Of each key when it expires and its own digest: which key it is that makes the digests differ.
    keys: BTreeMap<(usize, Vec<u8>), String>,
    /// What XINFO says of each stream.
    pub streams: BTreeMap<(usize, Vec<u8>), String>,
    libraries: Vec<Value>,
}

/// A base of commands does not bring back pending entries that were deleted, in Redis neither. So with such a base
/// groups are counted, and no more.
pub fn facts(client: &mut Client, is_base_rdb: bool) -> Facts {
    let mut streams = BTreeMap::new();
    let mut keys = BTreeMap::new();
    for_each_key(client, |client, database, key| {
        let expires_at = client.integer(&[b"PEXPIRETIME", key]);
        let digest = client.call(&[&b"DEBUG"[..], b"DIGEST-VALUE", key]);
        keys.insert(
            (database, key.to_vec()),
            format!("{expires_at} {}", printed(&digest)),
        );
        let description = match is_base_rdb {
            true => client.call(&describe(key)),
            false => client.call(&[&b"XINFO"[..], b"STREAM", key]),
        };
        if let Value::Array(_) = description {
            let description = without_radix_tree(without_times(&description, &|at_ms| at_ms));
            streams.insert((database, key.to_vec()), printed(&description));
        }
    });
    // In the order of a hash table.
    let Value::Array(mut libraries) = client.call(&["FUNCTION", "LIST", "WITHCODE"]) else {
        panic!("FUNCTION LIST gives an array")
    };
    libraries.sort_by_key(|library| format!("{library:?}"));
    Facts {
        digest: digest_of(client),
        keys,
        streams,
        libraries,
    }
}

fn printed(value: &Value) -> String {
    String::from_utf8_lossy(&pretty(value)).into_owned()
}

/// Leaves out how many blocks a stream takes: entries that were deleted may still lie in them.
fn without_radix_tree(description: Value) -> Value {
    let Value::Array(mut items) = description else {
        return description;
    };
    for name in ["radix-tree-keys", "radix-tree-nodes"] {
        let place = items
            .iter()
            .position(|item| *item == Value::Bulk(name.into()));
        let place = place.expect("XINFO tells it");
        items.drain(place..place + 2);
    }
    Value::Array(items)
}

/// The facts of a real server as far as ours tells the same: its digest as ours computes it, and when entries were
/// delivered left out.
pub fn facts_of_real(client: &mut Client, expected: &Facts, is_base_rdb: bool) -> Facts {
    let mut facts = facts(client, is_base_rdb);
    if facts.digest != expected.digest {
        facts.digest = our_digest_of(client, clock::unix_ms());
    }
    facts
}

#[track_caller]
pub fn assert_same(found: &Facts, expected: &Facts, seed: u64, whose: &str) {
    let context = format!("seed {seed}, {whose}");
    if found.digest != expected.digest {
        let known = expected.keys.iter();
        let lost: Vec<_> = known
            .filter(|(key, value)| found.keys.get(key) != Some(value))
            .collect();
        let known = found.keys.iter();
        let new: Vec<_> = known
            .filter(|(key, value)| expected.keys.get(key) != Some(value))
            .collect();
        panic!("{context}: {new:?} instead of {lost:?}");
    }
    assert!(
        found.streams.keys().eq(expected.streams.keys()),
        "{context}"
    );
    for (key, description) in &expected.streams {
        let both = found.streams[key].lines().zip(description.lines());
        let differing: Vec<_> = both.filter(|(found, expected)| found != expected).collect();
        assert_eq!(
            &found.streams[key], description,
            "{context}, {key:?}: {differing:?}"
        );
    }
    assert_eq!(found.libraries, expected.libraries, "{context}");
}
