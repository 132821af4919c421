//! Clients that send all their requests before they read the first reply, as every pipelining client library may.

use crate::common::{Client, Folder, Server, request, strings, wait_until};
use my_redis_server::resp::decoder::Value;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;

/// More than the sockets of both sides take.
const REQUESTS: usize = 200_000;

/// A server in which the key `k` holds 100 bytes.
fn start(folder: &Folder, options: &[&str]) -> Server {
    let server = Server::ours(folder, &[&["--save", ""], options].concat());
    assert_eq!(
        server.client().ask(&format!("SET k {}", "x".repeat(100))),
        "OK"
    );
    server
}

/// Sends all of these requests, and reads nothing.
fn send_many(client: &mut Client, one: &[&str]) {
    let batch = request(one).repeat(1000);
    for _ in 0..REQUESTS / 1000 {
        client
            .stream
            .write_all(&batch)
            .expect("the server reads on");
    }
}

/// Reads exactly the replies to `send_many(["GET", "k"])`.
fn receive_many(client: &mut Client) {
    let reply = format!("$100\r\n{}\r\n", "x".repeat(100)).into_bytes();
    let expected = reply.repeat(1000);
    let mut received = vec![0; expected.len()];
    for _ in 0..REQUESTS / 1000 {
        client
            .stream
            .read_exact(&mut received)
            .expect("all is answered");
        assert!(received == expected);
    }
}

/// Bytes of replies that wait in the server, as CLIENT LIST tells of a client.
fn unread_bytes(server: &Server, id: i64) -> u64 {
    let list = server
        .client()
        .call(&["CLIENT", "LIST", "ID", &id.to_string()]);
    let Value::Bulk(line) = list else {
        panic!("{list:?}")
    };
    let line = String::from_utf8(line).expect("it is text");
    let field = line
        .split(' ')
        .find_map(|field| field.strip_prefix("omem="));
    field
        .expect("a client has the field")
        .parse()
        .expect("it is a number")
}

#[test]
fn all_are_answered_and_others_served_meanwhile() {
    let folder = Folder::new();
    let server = start(&folder, &[]);
    let mut client = server.client();
    let id = client.integer(&["CLIENT", "ID"]);
    send_many(&mut client, &["GET", "k"]);
    wait_until("replies wait in the server", || {
        unread_bytes(&server, id) > 1 << 20
    });
    assert_eq!(server.client().ask("STRLEN k"), "(integer) 100");
    receive_many(&mut client);
    assert_eq!(client.ask("PING"), "PONG");
    assert_eq!(unread_bytes(&server, id), 0);
}

#[test]
fn long_and_large_replies_wait_in_order_too() {
    let folder = Folder::new();
    let server = start(&folder, &["--hash-max-listpack-entries", "0"]);
    let mut client = server.client();
    let large = "y".repeat(3_000_000);
    client.call(&["SET", "large", &large]);
    let pairs: Vec<String> = (0..20_000).map(|number| format!("field{number}")).collect();
    let set: Vec<&str> = ["HSET", "hash"]
        .into_iter()
        .chain(pairs.iter().flat_map(|name| [&**name, "v"]))
        .collect();
    assert_eq!(client.integer(&set), 20_000);
    for number in 0..30 {
        client.send(&["GET", "large"]);
        client.send(&["HGETALL", "hash"]);
        // What the hash was when it was asked for.
        client.send(&["HSET", "hash", "field0", &number.to_string()]);
    }
    // All have been carried out, though none has been read.
    let mut other = server.client();
    wait_until("the last is carried out", || {
        other.ask("HGET hash field0") == "\"29\""
    });
    let mut before = "v".to_string();
    for number in 0..30 {
        assert_eq!(client.receive(), Value::Bulk(large.clone().into_bytes()));
        let all = strings(client.receive());
        assert_eq!(all.len(), 40_000);
        let place = all
            .iter()
            .position(|word| word == b"field0")
            .expect("the field is there");
        assert_eq!(all[place + 1], before.as_bytes());
        assert_eq!(client.receive(), Value::Integer(0));
        before = number.to_string();
    }
}

#[test]
fn a_client_that_only_stops_sending_gets_everything() {
    let folder = Folder::new();
    let server = start(&folder, &[]);
    for farewell in [&b""[..], &request(&["QUIT"])] {
        let mut client = server.client();
        send_many(&mut client, &["GET", "k"]);
        client.stream.write_all(farewell).unwrap();
        client.stream.shutdown(Shutdown::Write).unwrap();
        receive_many(&mut client);
        let mut rest = String::new();
        client.stream.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, if farewell.is_empty() { "" } else { "+OK\r\n" });
    }
}

#[test]
fn what_is_left_unread_is_limited() {
    let folder = Folder::new();
    let server = start(&folder, &["--client-output-buffer-limit", "normal 1mb 0 0"]);
    let mut client = server.client();
    let batch = request(&["GET", "k"]).repeat(1000);
    let mut send = || (0..1000).try_for_each(|_| client.stream.write_all(&batch));
    let error = send().expect_err("the server closes the connection");
    assert!(
        matches!(
            error.kind(),
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
        ),
        "{error}"
    );
    let mut other = server.client();
    assert_eq!(other.info("client_output_buffer_limit_disconnections"), "1");
    // One that reads is not concerned, however much it asks for.
    let mut client = server.client();
    for _ in 0..100 {
        client.stream.write_all(&batch).unwrap();
        for _ in 0..1000 {
            client.receive();
        }
    }
}

#[test]
fn messages_come_between_replies_in_their_order() {
    const MESSAGES: usize = 2000;
    let folder = Folder::new();
    let server = start(&folder, &[]);
    let mut client = server.client();
    client.call(&["HELLO", "3"]);
    client.call(&["SUBSCRIBE", "news"]);
    send_many(&mut client, &["GET", "k"]);
    let mut publisher = server.client();
    for number in 0..MESSAGES {
        assert_eq!(
            publisher.integer(&["PUBLISH", "news", &number.to_string()]),
            1
        );
    }
    let (mut messages, mut replies) = (0, 0);
    while (messages, replies) != (MESSAGES, REQUESTS) {
        match client.receive() {
            Value::Push(parts) => {
                assert_eq!(parts[2], Value::Bulk(messages.to_string().into_bytes()));
                messages += 1;
            }
            Value::Bulk(_) => replies += 1,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_client_waits_for_a_key_with_replies_unread() {
    let folder = Folder::new();
    let server = start(&folder, &[]);
    let mut client = server.client();
    send_many(&mut client, &["GET", "k"]);
    client.send(&["BLPOP", "list", "0"]);
    client.send(&["STRLEN", "k"]);
    let mut other = server.client();
    wait_until("it waits", || other.info("blocked_clients") == "1");
    assert_eq!(other.integer(&["RPUSH", "list", "a"]), 1);
    receive_many(&mut client);
    assert_eq!(strings(client.receive()), [b"list", &b"a"[..]]);
    assert_eq!(client.receive(), Value::Integer(100));
}
