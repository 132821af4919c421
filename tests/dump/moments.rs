//! Every dump is of one moment, whatever is changed while it is written: writers keep promises across keys that lie in
//! different shards, and each dump must show them kept.

use crate::common::{Client, EndOnDrop, Folder, Server, keys_of, request};
use my_redis_server::rdb::{Elements, Value};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

const ACCOUNTS: usize = 10_000;
const BALANCE: i64 = 1_000;
const SEQUENCE: usize = 64;
const LISTS: usize = 50;
const TOKENS: usize = 1_000;
const FIELDS: usize = 20_000;

/// Dumps taken while the writers write: 15, or as many as the environment asks for, `DUMPS=1000 cargo test --release`.
fn dumps() -> usize {
    let asked = std::env::var("DUMPS").ok().map(|number| number.parse());
    asked.unwrap_or(Ok(15)).expect("DUMPS is a number")
}

type Contents = BTreeMap<String, Value>;

fn contents(dump: &[u8]) -> Contents {
    let keys = keys_of(dump).into_iter();
    keys.map(|(name, record)| (text(&name), record.value))
        .collect()
}

/// Money goes from account to account; nobody else touches these accounts.
fn transfer(client: &mut Client, balances: &mut [i64], first: usize, random: &mut fastrand::Rng) {
    let (from, to) = (
        random.usize(..balances.len()),
        random.usize(..balances.len()),
    );
    if from == to {
        return;
    }
    let amount = random.i64(1..100);
    balances[from] -= amount;
    balances[to] += amount;
    let pairs = [from, to].map(|number| {
        [
            format!("account:{}", first + number),
            balances[number].to_string(),
        ]
    });
    let words: Vec<String> = ["MSET".to_string()]
        .into_iter()
        .chain(pairs.into_iter().flatten())
        .collect();
    client.call(&words);
}

fn check_accounts(keys: &Contents) {
    let balances: Vec<i64> = keys
        .iter()
        .filter(|(name, _)| name.starts_with("account:"))
        .map(|(_, value)| number(value))
        .collect();
    assert_eq!(balances.len(), ACCOUNTS);
    assert_eq!(balances.iter().sum::<i64>(), ACCOUNTS as i64 * BALANCE);
}

/// Numbers written one after the other, round by round: a dump has one round up to some place, and the round before
/// from there on.
fn check_order(numbers: &[i64]) {
    let steps = numbers.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let (first, last) = (numbers[0], numbers[numbers.len() - 1]);
    assert!(
        steps <= 1 && (0..=1).contains(&(first - last)),
        "{steps} steps from {first} to {last}"
    );
}

fn check_sequence(keys: &Contents) {
    let numbers: Vec<i64> = (0..SEQUENCE)
        .map(|place| number(&keys[&format!("sequence:{place}")]))
        .collect();
    check_order(&numbers);
}

/// The same in the fields of one huge hash.
fn check_hash(keys: &Contents) {
    let Value::Hash(pairs) = &keys["huge"] else {
        panic!("not a hash")
    };
    assert_eq!(pairs.len(), 2 * FIELDS);
    let mut numbers = vec![0; FIELDS];
    for (field, value) in pairs.pairs() {
        let place: usize = text(field).parse().expect("a field is a number");
        numbers[place] = text(value).parse().expect("a value is a number");
    }
    check_order(&numbers);
}

/// One key that has a new name all the time.
fn check_name(keys: &Contents) {
    assert_eq!(
        keys.keys()
            .filter(|name| name.starts_with("wanderer:"))
            .count(),
        1
    );
}

/// Elements that move from list to list.
fn check_lists(keys: &Contents) {
    let lists = keys.iter().filter(|(name, _)| name.starts_with("list:"));
    let mut tokens: Vec<String> = lists
        .flat_map(|(_, value)| elements(value).iter().map(text).collect::<Vec<_>>())
        .collect();
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), TOKENS);
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the tests use text")
}

fn number(value: &Value) -> i64 {
    let Value::String(digits) = value else {
        panic!("not a string")
    };
    text(digits).parse().expect("a number")
}

fn elements(value: &Value) -> &Elements {
    let Value::List(elements, _) = value else {
        panic!("not a list")
    };
    elements
}

/// Calls `step` with ever higher numbers until the dumps have been taken.
fn repeat(server: &Server, is_over: &AtomicBool, mut step: impl FnMut(&mut Client, usize)) {
    let mut client = server.client();
    (1..)
        .take_while(|_| !is_over.load(SeqCst))
        .for_each(|number| step(&mut client, number));
}

fn prepare(client: &mut Client) {
    let mut requests = Vec::new();
    (0..ACCOUNTS).for_each(|number| {
        requests.push(vec![
            "SET".into(),
            format!("account:{number}"),
            BALANCE.to_string(),
        ])
    });
    (0..SEQUENCE).for_each(|place| {
        requests.push(vec!["SET".into(), format!("sequence:{place}"), "0".into()])
    });
    (0..FIELDS).for_each(|field| {
        requests.push(vec![
            "HSET".into(),
            "huge".into(),
            field.to_string(),
            "0".into(),
        ])
    });
    (0..TOKENS).for_each(|token| {
        requests.push(vec![
            "RPUSH".into(),
            format!("list:{}", token % LISTS),
            token.to_string(),
        ])
    });
    requests.push(vec!["SET".into(), "wanderer:0".into(), "x".repeat(2_000)]);
    requests.iter().for_each(|words| client.send(words));
    requests.iter().for_each(|_| drop(client.receive()));
}

#[test]
fn promises_across_shards_are_kept_in_every_dump() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    prepare(&mut client);
    let is_over = AtomicBool::new(false);
    let (server, over) = (&server, &is_over);
    thread::scope(|scope| {
        // Whatever happens, the writers end.
        let _end = EndOnDrop(over);
        for first in [0, ACCOUNTS / 2] {
            scope.spawn(move || {
                let mut balances = vec![BALANCE; ACCOUNTS / 2];
                let mut random = fastrand::Rng::with_seed(first as u64);
                repeat(server, over, |client, _| {
                    transfer(client, &mut balances, first, &mut random)
                });
            });
        }
        scope.spawn(|| {
            repeat(server, over, |client, round| {
                (0..SEQUENCE)
                    .for_each(|place| drop(client.ask(&format!("SET sequence:{place} {round}"))));
            })
        });
        scope.spawn(|| {
            repeat(server, over, |client, step| {
                let (round, field) = (1 + (step - 1) / FIELDS, (step - 1) % FIELDS);
                client.ask(&format!("HSET huge {field} {round}"));
            })
        });
        scope.spawn(|| {
            repeat(server, over, |client, step| {
                assert_eq!(
                    client.ask(&format!("RENAME wanderer:{} wanderer:{step}", step - 1)),
                    "OK"
                );
                // Keys that come and expire, in all shards.
                client.ask(&format!("SET brief:{} x PX 3", step % 1_000));
            })
        });
        scope.spawn(|| {
            repeat(server, over, |client, step| {
                client.ask(&format!(
                    "LMOVE list:{} list:{} LEFT RIGHT",
                    step % LISTS,
                    step * 7 % LISTS
                ));
            })
        });
        for _ in 0..dumps() {
            assert_eq!(client.ask("SAVE"), "OK");
            let keys = contents(&fs::read(folder.dump()).expect("a dump"));
            check_accounts(&keys);
            check_sequence(&keys);
            check_hash(&keys);
            check_name(&keys);
            check_lists(&keys);
        }
    });
}

/// FLUSHALL, and keys set all at once: a dump has all of them or none.
#[test]
fn a_dump_sees_the_keyspace_before_or_after_it_was_emptied() {
    const KEYS: usize = 500;
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let is_over = AtomicBool::new(false);
    let (server, over) = (&server, &is_over);
    let pairs = (0..KEYS).flat_map(|number| [format!("key:{number}"), "v".repeat(number * 2)]);
    let mset: Vec<String> = ["MSET".to_string()].into_iter().chain(pairs).collect();
    let both = [request(&mset), request(&["FLUSHALL"])].concat();
    let mut seen = [0, 0];
    thread::scope(|scope| {
        let _end = EndOnDrop(over);
        scope.spawn(|| {
            repeat(server, over, |client, _| {
                client.stream.write_all(&both).expect("the server reads");
                (0..2).for_each(|_| drop(client.receive()));
            })
        });
        let mut client = server.client();
        while seen.contains(&0) || seen[0] + seen[1] < dumps() {
            assert_eq!(client.ask("SAVE"), "OK");
            let keys = contents(&fs::read(folder.dump()).expect("a dump")).len();
            assert!(keys == 0 || keys == KEYS, "{keys} keys");
            seen[usize::from(keys > 0)] += 1;
        }
    });
}

/// A long stream is saved while one client adds to its end and trims it, and another reads as a consumer.
#[test]
fn a_dump_of_a_stream_that_changes_is_of_one_moment() {
    const LEN: u64 = 5_000;
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    let add = |client: &mut Client, number: u64| {
        client.send(&[
            "XADD",
            "s",
            &format!("{number}-0"),
            "n",
            &number.to_string(),
        ])
    };
    (1..=LEN).for_each(|number| add(&mut client, number));
    (1..=LEN).for_each(|_| drop(client.receive()));
    client.ask("XGROUP CREATE s g 0");
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _end = EndOnDrop(&is_over);
        scope.spawn(|| {
            let mut client = server.client();
            for number in LEN + 1.. {
                if is_over.load(SeqCst) {
                    break;
                }
                let entry = [format!("{number}-0"), number.to_string()];
                let len = LEN.to_string();
                // In one step the stream gets an entry at its end and loses the first.
                client.call(&["XADD", "s", "MAXLEN", &len, &entry[0], "n", &entry[1]]);
            }
        });
        scope.spawn(|| {
            let mut client = server.client();
            while !is_over.load(SeqCst) {
                client.ask("XREADGROUP GROUP g ann COUNT 10 STREAMS s >");
            }
        });
        let mut last = 0;
        for dump in 0..dumps() {
            let version = 9 + dump % 3;
            assert_eq!(
                client.ask(&format!("CONFIG SET rdb-version {version}")),
                "OK"
            );
            assert_eq!(client.ask("SAVE"), "OK");
            let keys = keys_of(&fs::read(folder.dump()).expect("a dump"));
            last = check_moment(&keys[&b"s"[..]].value, LEN, last);
        }
        assert!(last > LEN, "the writer does not write");
    });
}

/// Checks a stream that was saved while it changed; returns the number of its last entry.
fn check_moment(value: &Value, len: u64, before: u64) -> u64 {
    let Value::Stream(stream) = value else {
        panic!("not a stream")
    };
    let ids: Vec<u64> = stream.entries.iter().map(|entry| entry.id.ms).collect();
    let (first, last) = (ids[0], ids[ids.len() - 1]);
    assert!(last >= before);
    assert_eq!(ids.len() as u64, len);
    assert!(
        ids.iter().copied().eq(first..=last),
        "a gap from {first} to {last}"
    );
    let history = stream.entries.history();
    assert_eq!((history.last_id.ms, history.first_id.ms), (last, first));
    assert_eq!(history.entries_added, last);
    let group = stream.groups.get(&b"g"[..]).expect("a group");
    // All that was delivered is pending, and nothing else.
    let delivered = group.pending().len() as u64;
    let last_pending = group
        .pending()
        .iter()
        .next_back()
        .map_or(0, |(id, _)| id.ms);
    assert_eq!(last_pending, group.last_id.ms);
    assert!(delivered <= last_pending && last_pending <= last);
    last
}
