//! Many clients wait for the same keys while others fill these and unblock those: every element goes to exactly one.

use crate::common::{Client, EndOnDrop, Folder, Server, wait_until};
use my_redis_server::resp::decoder::Value;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

const PRODUCERS: usize = 2;
const CONSUMERS: usize = 24;
const ELEMENTS: usize = 20_000;
/// They lie in different shards.
const KEYS: [&str; 4] = ["a", "b", "c", "d"];

/// The element in a reply of BLPOP, BLMOVE or LPOP; none if there is none.
fn element(reply: &Value) -> Option<usize> {
    match reply {
        Value::Bulk(text) => Some(String::from_utf8_lossy(text).parse().expect("a number")),
        Value::Array(pair) => element(&pair[1]),
        Value::Null | Value::Error(_) => None,
        other => panic!("not an element: {other:?}"),
    }
}

/// Takes elements in several ways until there are no more to come.
fn consume(server: &Server, number: usize, all_are_there: &AtomicBool) -> Vec<usize> {
    let requests: [&[&str]; 4] = [
        &["BLPOP", "a", "b", "c", "d", "0.05"],
        &["BRPOP", "d", "c", "b", "a", "0.001"],
        // What comes to `c` from `a` is taken from there.
        &["BLMOVE", "a", "c", "LEFT", "RIGHT", "0.01"],
        &["BLPOP", "c", "0.02"],
    ];
    let mut found = Vec::new();
    let mut client = server.client();
    for request in requests.iter().cycle().skip(number) {
        let reply = client.call(request);
        match element(&reply) {
            // An element that was moved is still there to be taken.
            Some(element) if request[0] != "BLMOVE" => found.push(element),
            Some(_) => {}
            None if all_are_there.load(SeqCst) && client.integer(&["DBSIZE"]) == 0 => break,
            None => {}
        }
    }
    found
}

fn produce(mut client: Client, numbers: impl Iterator<Item = usize>) {
    let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
    for (count, numbers) in numbers.chunks(7).enumerate() {
        let mut request = vec!["RPUSH", KEYS[count % KEYS.len()]];
        // Now one, now several at once.
        for piece in numbers.chunks(1 + count % 3) {
            request.truncate(2);
            request.extend(piece.iter().map(String::as_str));
            client.integer(&request);
        }
    }
}

/// Ends waits at random.
fn disturb(server: &Server, is_over: &AtomicBool) {
    let mut client = server.client();
    let newest = client.integer(&["CLIENT", "ID"]) + (CONSUMERS + PRODUCERS) as i64;
    while !is_over.load(SeqCst) {
        let id = fastrand::i64(1..=newest).to_string();
        match fastrand::bool() {
            true => client.integer(&["CLIENT", "UNBLOCK", &id]),
            false => client.integer(&["CLIENT", "UNBLOCK", &id, "ERROR"]),
        };
    }
}

#[test]
fn every_element_goes_to_exactly_one_client() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let (all_are_there, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    let mut found: Vec<usize> = thread::scope(|scope| {
        scope.spawn(|| disturb(&server, &is_over));
        let _end = EndOnDrop(&is_over);
        let consume = |number| consume(&server, number, &all_are_there);
        let consumers = (0..CONSUMERS).map(|number| scope.spawn(move || consume(number)));
        let consumers: Vec<_> = consumers.collect();
        let produce = |first| produce(server.client(), (first..ELEMENTS).step_by(PRODUCERS));
        let producers = (0..PRODUCERS).map(|first| scope.spawn(move || produce(first)));
        for producer in producers.collect::<Vec<_>>() {
            producer.join().expect("it does not panic");
        }
        all_are_there.store(true, SeqCst);
        let found = consumers.into_iter().map(|consumer| consumer.join());
        found
            .flat_map(|found| found.expect("it does not panic"))
            .collect()
    });
    found.sort_unstable();
    assert!(found.iter().copied().eq(0..ELEMENTS));
    let mut client = server.client();
    assert_eq!(client.integer(&["DBSIZE"]), 0);
    // Nobody is left in a queue.
    wait_until("all waits have ended", || {
        client.info("total_blocking_keys") == "0" && client.info("blocked_clients") == "0"
    });
}

/// During a pause, a key that expires is hidden, and stays; its end is told when the pause is over.
#[test]
fn keys_expire_after_a_pause() {
    let folders = [Folder::new(), Folder::new()];
    let servers = [
        Server::ours(&folders[0], &["--save", ""]),
        Server::real(&folders[1], &["--save", ""]),
    ];
    for server in servers {
        let mut client = server.client();
        for line in [
            "MULTI",
            "SET e v PX 20",
            "CLIENT PAUSE 100000 WRITE",
            "EXEC",
        ] {
            client.ask(line);
        }
        wait_until("it is hidden", || client.integer(&["EXISTS", "e"]) == 0);
        assert_eq!(client.integer(&["TTL", "e"]), -2);
        for line in ["WATCH e", "MULTI", "GET e", "EXEC"] {
            client.ask(line);
        }
        assert_eq!(client.info("expired_keys"), "0");
        client.ask("CLIENT UNPAUSE");
        wait_until("it is gone", || client.info("expired_keys") == "1");
    }
}

/// A pause of writing concerns a script if it may write, as far as it says.
#[test]
fn scripts_that_only_read_do_not_wait_for_the_end_of_a_pause() {
    for is_ours in [true, false] {
        let folder = Folder::new();
        let server = match is_ours {
            true => Server::ours(&folder, &["--save", ""]),
            false => Server::real(&folder, &["--save", ""]),
        };
        let (mut pausing, mut paused) = (server.client(), server.client());
        pausing.ask("CLIENT PAUSE 100000 WRITE");
        let reading = "#!lua flags=no-writes\nreturn 1";
        assert_eq!(paused.integer(&["EVAL", reading, "0"]), 1);
        for script in ["#!lua\nreturn 2", "return 2"] {
            pausing.ask("CLIENT PAUSE 100000 WRITE");
            paused.send(&["EVAL", script, "0"]);
            wait_until("it waits", || pausing.info("blocked_clients") == "1");
            pausing.ask("CLIENT UNPAUSE");
            assert_eq!(paused.receive(), Value::Integer(2));
        }
    }
}

/// A key that expires while it is watched has changed, also during a pause.
#[test]
fn a_watched_key_expires_during_a_pause() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let (mut client, mut other) = (server.client(), server.client());
    client.ask("SET e v PX 200");
    client.ask("WATCH e");
    client.ask("CLIENT PAUSE 100000 WRITE");
    client.ask("MULTI");
    client.ask("GET e");
    wait_until("it is hidden", || other.integer(&["EXISTS", "e"]) == 0);
    assert_eq!(client.call(&["EXEC"]), Value::Null);
    assert_eq!(client.info("expired_keys"), "0");
}

/// Requests that came together are carried out in order after the pause, however large they are.
#[test]
fn a_pipeline_goes_on_after_a_pause() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let (mut pausing, mut paused) = (server.client(), server.client());
    for unpauses in [true, false] {
        let timeout = if unpauses { "100000" } else { "100" };
        pausing.call(&["CLIENT", "PAUSE", timeout, "WRITE"]);
        let large = "x".repeat(300_000);
        paused.send(&["PING"]);
        paused.send(&["SET", "k", &large]);
        paused.send(&["APPEND", "k", "small"]);
        assert_eq!(paused.receive(), Value::Simple("PONG".into()));
        if unpauses {
            wait_until("it waits", || pausing.info("blocked_clients") == "1");
            let list = pausing.ask("CLIENT LIST");
            assert!(
                list.contains(" flags=b ") && list.contains(" cmd=set "),
                "{list}"
            );
            pausing.call(&["CLIENT", "UNPAUSE"]);
        }
        assert_eq!(paused.receive(), Value::Simple("OK".into()));
        assert_eq!(paused.receive(), Value::Integer(300_005));
        assert_eq!(pausing.info("blocked_clients"), "0");
    }
}

#[test]
fn a_paused_server_stops_on_a_signal() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut paused = server.client();
    paused.call(&["CLIENT", "PAUSE", "100000"]);
    paused.send(&["PING"]);
    server.signal("TERM");
    assert!(server.wait().success());
}
