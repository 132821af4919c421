//! Consumer groups of streams with many clients: producers, consumers that wait, read and acknowledge, others that
//! claim what these leave behind, and one that is deleted again and again. Every entry is delivered once, and accounted
//! for.

use crate::common::{Client, EndOnDrop, Folder, Server, wait_until};
use my_redis_server::resp::decoder::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};
use std::thread::{self, ScopedJoinHandle};

const PRODUCERS: usize = 3;
const CONSUMERS: usize = 8;
const CLAIMERS: usize = 4;
const ENTRIES: usize = 6_000;

/// What a client has done with the entries of the group.
#[derive(Default)]
struct Journal {
    /// IDs of entries that it received as new ones.
    delivered: Vec<String>,
    /// IDs of entries that it took from another consumer.
    claimed: Vec<String>,
}

/// What all clients share.
#[derive(Default)]
struct Progress {
    /// Every entry has been added.
    all_are_there: AtomicBool,
    /// Every entry has been delivered.
    is_over: AtomicBool,
    /// Sum of the replies to XACK.
    acknowledged: AtomicI64,
    /// Sum of the replies to XGROUP DELCONSUMER: entries that no consumer will acknowledge.
    forgotten: AtomicI64,
}

fn text(value: &Value) -> String {
    match value {
        Value::Bulk(bytes) => String::from_utf8(bytes.clone()).expect("it is text"),
        other => panic!("not a string: {other:?}"),
    }
}

fn elements(value: &Value) -> &[Value] {
    match value {
        Value::Array(elements) => elements,
        Value::Null => &[],
        other => panic!("not an array: {other:?}"),
    }
}

/// The IDs of entries, which have a field and a value each.
fn ids(entries: &Value) -> Vec<String> {
    let entries = elements(entries).iter();
    entries
        .map(|entry| match elements(entry) {
            [id, fields] if elements(fields).len() == 2 => text(id),
            other => panic!("not an entry: {other:?}"),
        })
        .collect()
}

/// The IDs in a reply about the one stream.
fn ids_of_stream(reply: &Value) -> Vec<String> {
    match elements(reply) {
        [] => Vec::new(),
        [stream] => ids(&elements(stream)[1]),
        other => panic!("more than one stream: {other:?}"),
    }
}

fn acknowledge<'a>(
    client: &mut Client,
    progress: &Progress,
    ids: impl Iterator<Item = &'a String>,
) {
    let ids: Vec<&str> = ids.map(String::as_str).collect();
    if !ids.is_empty() {
        let count = client.integer(&[&["XACK", "s", "g"], &ids[..]].concat());
        progress.acknowledged.fetch_add(count, SeqCst);
    }
}

/// Adds entries; their IDs.
fn produce(mut client: Client, first: usize) -> Vec<String> {
    let numbers = (first..ENTRIES).step_by(PRODUCERS);
    let add = |number: usize| text(&client.call(&["XADD", "s", "*", "n", &number.to_string()]));
    numbers.map(add).collect()
}

/// Reads new entries until there are no more to come, and acknowledges most.
fn consume(mut client: Client, number: usize, progress: &Progress) -> Journal {
    let name = format!("consumer-{number}");
    let count = (1 + number).to_string();
    let request = ["XREADGROUP", "GROUP", "g", &name, "COUNT", &count];
    let waits = number.is_multiple_of(2);
    let options: &[&str] = if waits { &["BLOCK", "20"] } else { &[] };
    let request = [&request[..], options, &["STREAMS", "s", ">"]].concat();
    let mut journal = Journal::default();
    loop {
        let was_last = progress.all_are_there.load(SeqCst);
        let ids = ids_of_stream(&client.call(&request));
        if ids.is_empty() && was_last {
            return journal;
        }
        let is_kept = |(index, _): &(usize, &String)| !(index + number).is_multiple_of(3);
        let kept = ids.iter().enumerate().filter(is_kept);
        acknowledge(&mut client, progress, kept.map(|(_, id)| id));
        journal.delivered.extend(ids);
    }
}

/// Reads new entries too, but is deleted with all that is pending for it.
fn come_and_go(mut client: Client, progress: &Progress) -> Journal {
    let mut journal = Journal::default();
    while !progress.is_over.load(SeqCst) {
        let request = "XREADGROUP GROUP g brief COUNT 2 STREAMS s >";
        let request: Vec<&str> = request.split(' ').collect();
        journal
            .delivered
            .extend(ids_of_stream(&client.call(&request)));
        let forgotten = client.integer(&["XGROUP", "DELCONSUMER", "s", "g", "brief"]);
        progress.forgotten.fetch_add(forgotten, SeqCst);
    }
    journal
}

/// Takes pending entries over, by XAUTOCLAIM or by XCLAIM, and acknowledges every second.
fn claim(mut client: Client, number: usize, progress: &Progress) -> Journal {
    let name = format!("claimer-{number}");
    let mut journal = Journal::default();
    let mut cursor = "0-0".to_string();
    while !progress.is_over.load(SeqCst) {
        let claimed = match number % 2 {
            0 => {
                let request = ["XAUTOCLAIM", "s", "g", &name, "0", &cursor, "COUNT", "4"];
                let reply = client.call(&request);
                let [next, entries, deleted] = elements(&reply) else {
                    panic!("{reply:?}")
                };
                assert!(elements(deleted).is_empty(), "{reply:?}");
                cursor = text(next);
                ids(entries)
            }
            _ => {
                let pending = client.call(&["XPENDING", "s", "g", "-", "+", "4"]);
                let pending = elements(&pending).iter();
                let pending: Vec<String> = pending.map(|it| text(&elements(it)[0])).collect();
                if pending.is_empty() {
                    continue;
                }
                let pending: Vec<&str> = pending.iter().map(String::as_str).collect();
                let request = ["XCLAIM", "s", "g", &name, "0"];
                ids(&client.call(&[&request[..], &pending].concat()))
            }
        };
        acknowledge(&mut client, progress, claimed.iter().step_by(2));
        journal.claimed.extend(claimed);
    }
    journal
}

/// The pending entries with their consumers and the numbers of their deliveries.
fn pending(client: &mut Client, consumer: Option<&str>) -> BTreeMap<String, (String, i64)> {
    let all = ENTRIES.to_string();
    let mut request = vec!["XPENDING", "s", "g", "-", "+", &all];
    request.extend(consumer);
    let reply = client.call(&request);
    let entries = elements(&reply).iter();
    entries
        .map(|entry| match elements(entry) {
            [id, consumer, Value::Integer(_), Value::Integer(deliveries)] => {
                (text(id), (text(consumer), *deliveries))
            }
            other => panic!("{other:?}"),
        })
        .collect()
}

/// The numbers of pending entries of all consumers, as XINFO CONSUMERS tells them.
fn pending_by_consumer(client: &mut Client) -> BTreeMap<String, i64> {
    let reply = client.call(&["XINFO", "CONSUMERS", "s", "g"]);
    let consumers = elements(&reply).iter();
    consumers
        .map(|consumer| match elements(consumer) {
            [_, name, label, Value::Integer(count), ..] if text(label) == "pending" => {
                (text(name), *count)
            }
            other => panic!("{other:?}"),
        })
        .collect()
}

fn joined<T>(threads: Vec<ScopedJoinHandle<T>>) -> Vec<T> {
    let threads = threads.into_iter();
    threads
        .map(|thread| thread.join().expect("it does not panic"))
        .collect()
}

#[test]
fn every_entry_is_delivered_once_and_accounted_for() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    assert_eq!(client.ask("XGROUP CREATE s g 0 MKSTREAM"), "OK");
    let progress = Progress::default();
    let (added, journals) = thread::scope(|scope| {
        let _end = (
            EndOnDrop(&progress.all_are_there),
            EndOnDrop(&progress.is_over),
        );
        let (server, progress) = (&server, &progress);
        let consumers = (0..CONSUMERS)
            .map(|number| scope.spawn(move || consume(server.client(), number, progress)));
        let consumers = consumers.collect();
        let others = (0..CLAIMERS)
            .map(|number| scope.spawn(move || claim(server.client(), number, progress)));
        let mut others: Vec<_> = others.collect();
        others.push(scope.spawn(|| come_and_go(server.client(), progress)));
        let producers =
            (0..PRODUCERS).map(|first| scope.spawn(move || produce(server.client(), first)));
        let added: Vec<String> = joined(producers.collect()).concat();
        progress.all_are_there.store(true, SeqCst);
        let mut journals = joined(consumers);
        progress.is_over.store(true, SeqCst);
        journals.extend(joined(others));
        (added, journals)
    });

    let delivered = journals.iter().flat_map(|journal| &journal.delivered);
    let mut delivered: Vec<&String> = delivered.collect();
    delivered.sort_unstable();
    let mut expected: Vec<&String> = added.iter().collect();
    expected.sort_unstable();
    assert!(delivered == expected, "each entry is delivered once");
    assert_eq!(delivered.len(), ENTRIES);
    let distinct: BTreeSet<&&String> = delivered.iter().collect();
    assert_eq!(distinct.len(), ENTRIES);

    let mut claims: BTreeMap<&str, i64> = BTreeMap::new();
    for id in journals.iter().flat_map(|journal| &journal.claimed) {
        *claims.entry(id).or_default() += 1;
    }
    let all = pending(&mut client, None);
    let [acknowledged, forgotten] =
        [&progress.acknowledged, &progress.forgotten].map(|count| count.load(SeqCst));
    assert_eq!(
        acknowledged + forgotten + all.len() as i64,
        ENTRIES as i64,
        "{acknowledged} acknowledged, {forgotten} forgotten, {} pending",
        all.len()
    );
    assert!(
        claims.len() > 10 && forgotten > 0,
        "{} claimed",
        claims.len()
    );
    for (id, (_, deliveries)) in &all {
        let claims = claims.get(id.as_str()).copied().unwrap_or(0);
        assert_eq!(*deliveries, 1 + claims, "{id}");
    }
    check_pending(&mut client, &all);

    // A last consumer takes care of what is left.
    let request = "XAUTOCLAIM s g last 0 0 COUNT 100000".split(' ');
    let reply = client.call(&request.collect::<Vec<_>>());
    let mut left = ids(&elements(&reply)[1]);
    left.sort_unstable();
    assert!(left.iter().eq(all.keys()));
    acknowledge(&mut client, &progress, left.iter());
    assert_eq!(
        progress.acknowledged.load(SeqCst) + forgotten,
        ENTRIES as i64
    );
    check_pending(&mut client, &BTreeMap::new());
    let group = client.call(&["XINFO", "GROUPS", "s"]);
    let group = elements(&elements(&group)[0]);
    let numbers = [5, 9, 11].map(|index| group[index].clone());
    let expected = [0, ENTRIES as i64, 0].map(Value::Integer);
    assert_eq!(numbers, expected, "pending, entries-read, lag");
}

/// All commands tell the same of the pending entries.
fn check_pending(client: &mut Client, expected: &BTreeMap<String, (String, i64)>) {
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for (consumer, _) in expected.values() {
        *counts.entry(consumer.clone()).or_default() += 1;
    }
    let told = pending_by_consumer(client);
    for (consumer, count) in &told {
        let own = pending(client, Some(consumer));
        let belongs = |id: &String| expected.get(id).is_some_and(|(owner, _)| owner == consumer);
        assert!(own.keys().all(belongs), "{consumer}: {own:?}");
        assert_eq!(own.len() as i64, *count, "{consumer}");
        assert_eq!(
            counts.get(consumer).copied().unwrap_or(0),
            *count,
            "{consumer}"
        );
    }
    assert!(counts.keys().all(|consumer| told.contains_key(consumer)));
    let summary = client.call(&["XPENDING", "s", "g"]);
    let [count, first, last, consumers] = elements(&summary) else {
        panic!("{summary:?}")
    };
    assert_eq!(*count, Value::Integer(expected.len() as i64));
    let bound = |id: Option<&String>| id.map_or(Value::Null, |id| Value::Bulk(id.clone().into()));
    let in_order = |id: &String| {
        let parts = id.split_once('-').expect("an ID");
        (
            parts.0.parse::<u64>().unwrap(),
            parts.1.parse::<u64>().unwrap(),
        )
    };
    let smallest = expected.keys().min_by_key(|id| in_order(id));
    let largest = expected.keys().max_by_key(|id| in_order(id));
    assert_eq!([first, last], [&bound(smallest), &bound(largest)]);
    let summed = elements(consumers).iter().map(|it| {
        let parts = elements(it);
        (text(&parts[0]), text(&parts[1]).parse().expect("a number"))
    });
    assert_eq!(summed.collect::<BTreeMap<String, i64>>(), counts);
}

const WAITING: usize = 1_000;

fn await_waiting(client: &mut Client, count: usize) {
    wait_until("all clients wait", || {
        client.info_of("clients", "blocked_clients") == count.to_string()
    });
}

#[test]
fn one_entry_serves_a_thousand_readers() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    let mut readers: Vec<Client> = (0..WAITING).map(|_| server.client()).collect();
    for reader in &mut readers {
        reader.send(&["XREAD", "BLOCK", "0", "STREAMS", "s", "$"]);
    }
    await_waiting(&mut client, WAITING);
    assert_eq!(client.ask("XADD s 5-1 f v"), "\"5-1\"");
    for reader in &mut readers {
        assert_eq!(ids_of_stream(&reader.receive()), ["5-1"]);
    }
    await_waiting(&mut client, 0);
}

#[test]
fn a_thousand_waiting_consumers_get_one_entry_each() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    assert_eq!(client.ask("XGROUP CREATE s g $ MKSTREAM"), "OK");
    let mut consumers: Vec<Client> = (0..WAITING).map(|_| server.client()).collect();
    for (number, consumer) in consumers.iter_mut().enumerate() {
        let name = number.to_string();
        let request = ["XREADGROUP", "GROUP", "g", &name, "BLOCK", "0"];
        consumer.send(&[&request[..], &["STREAMS", "s", ">"]].concat());
    }
    await_waiting(&mut client, WAITING);
    for number in 1..=WAITING {
        client.send(&["XADD", "s", &number.to_string(), "f", "v"]);
    }
    for _ in 0..WAITING {
        text(&client.receive());
    }
    let received = consumers
        .iter_mut()
        .map(|consumer| ids_of_stream(&consumer.receive()));
    let mut received: Vec<String> = received.flatten().collect();
    received.sort_unstable();
    let mut expected: Vec<String> = (1..=WAITING).map(|number| format!("{number}-0")).collect();
    expected.sort_unstable();
    assert_eq!(received, expected);
    let pending = pending_by_consumer(&mut client);
    assert!(pending.len() == WAITING && pending.values().all(|count| *count == 1));
    await_waiting(&mut client, 0);
}
