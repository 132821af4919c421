//! Replies with collections of many elements: whole, of one moment, and in no one's way.

use crate::common::{Client, Folder, Server};
use my_redis_server::resp::decoder::Value;
use std::collections::BTreeSet;

const ELEMENTS: usize = 200_000;

fn member(number: usize) -> String {
    format!("member number {number}")
}

/// Fills `list`, `hash`, `set` and `zset`.
fn fill(client: &mut Client) {
    let members: Vec<String> = (0..ELEMENTS).map(member).collect();
    for (piece, members) in members.chunks(1000).enumerate() {
        let mut send = |command: &str, key: &str, before: Option<&dyn Fn(usize) -> String>| {
            let mut request = vec![command.to_string(), key.to_string()];
            for (index, member) in members.iter().enumerate() {
                request.extend(before.map(|before| before(1000 * piece + index)));
                request.push(member.clone());
            }
            client.integer(&request);
        };
        send("RPUSH", "list", None);
        send("SADD", "set", None);
        send("HSET", "hash", Some(&|number| number.to_string()));
        send("ZADD", "zset", Some(&|number| number.to_string()));
    }
}

fn items(value: Value) -> Vec<String> {
    let (Value::Array(items) | Value::Set(items)) = value else {
        panic!("no elements: {value:?}")
    };
    let text = |item| match item {
        Value::Bulk(text) => String::from_utf8(text).expect("it is text"),
        other => panic!("not a string: {other:?}"),
    };
    items.into_iter().map(text).collect()
}

/// The requests, whether their replies have an order, and what these are.
fn requests() -> Vec<(Vec<&'static str>, bool, Vec<String>)> {
    let numbers: Vec<String> = (0..ELEMENTS).map(|number| number.to_string()).collect();
    let members: Vec<String> = (0..ELEMENTS).map(member).collect();
    let backwards = |count: usize| members.iter().rev().take(count).cloned().collect();
    let with_scores = (0..ELEMENTS).flat_map(|number| [member(number), number.to_string()]);
    vec![
        (vec!["LRANGE", "list", "0", "-1"], true, members.clone()),
        (
            vec!["LRANGE", "list", "5", "-6"],
            true,
            members[5..ELEMENTS - 5].to_vec(),
        ),
        (vec!["SMEMBERS", "set"], false, members.clone()),
        (vec!["HKEYS", "hash"], false, numbers.clone()),
        (vec!["HVALS", "hash"], false, members.clone()),
        (
            vec!["HGETALL", "hash"],
            false,
            [numbers, members.clone()].concat(),
        ),
        (
            vec!["ZRANGE", "zset", "0", "-1", "WITHSCORES"],
            true,
            with_scores.collect(),
        ),
        (
            vec!["ZREVRANGE", "zset", "0", "29999"],
            true,
            backwards(30_000),
        ),
        (
            vec!["ZRANGEBYSCORE", "zset", "-inf", "(40000"],
            true,
            members[..40_000].to_vec(),
        ),
    ]
}

#[test]
fn they_are_of_the_moment_of_the_request() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    fill(&mut client);
    let requests = requests();
    let mut readers: Vec<Client> = requests.iter().map(|_| server.client()).collect();
    for (reader, (request, ..)) in readers.iter_mut().zip(&requests) {
        reader.send(request);
        // What follows in the pipeline comes after the whole.
        reader.send(&["ECHO", "end"]);
    }
    // Nobody reads, and the server serves others all the same.
    let commands = requests
        .iter()
        .map(|(request, ..)| request[0].to_lowercase());
    let commands: BTreeSet<String> = commands.collect();
    crate::common::wait_until("the requests have been carried out", || {
        let Value::Bulk(counts) = client.call(&["INFO", "commandstats"]) else {
            panic!("it is a string")
        };
        let counts = String::from_utf8_lossy(&counts).into_owned();
        let calls = |command: &String| if command == "lrange" { 2 } else { 1 };
        commands
            .iter()
            .all(|command| counts.contains(&format!("cmdstat_{command}:calls={},", calls(command))))
    });
    client.call(&["LSET", "list", "7", "changed"]);
    client.call(&["HSET", "hash", "8", "changed", "new", "field"]);
    client.call(&["SREM", "set", &member(9)]);
    client.call(&["ZADD", "zset", "-1", &member(10)]);
    assert_eq!(client.integer(&["DEL", "list", "hash", "set", "zset"]), 4);
    for (mut reader, (request, is_ordered, expected)) in readers.into_iter().zip(requests) {
        let found = items(reader.receive());
        match is_ordered {
            true => assert!(found == expected, "{request:?}"),
            false => {
                assert_eq!(found.len(), expected.len());
                let found: BTreeSet<String> = found.into_iter().collect();
                assert!(found == expected.into_iter().collect(), "{request:?}");
            }
        }
        assert_eq!(reader.receive(), Value::Bulk(b"end".to_vec()));
    }
}
