//! Channels under load: order, many subscribers, those who do not read, and replies between messages.

use crate::common::{Client, EndOnDrop, Folder, Server, wait_until};
use my_redis_server::resp::decoder::Value;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

fn start(folder: &Folder) -> Server {
    Server::ours(folder, &["--save", ""])
}

fn subscriber(server: &Server, channels: &[&str]) -> Client {
    let mut client = server.client();
    let request: Vec<&str> = ["SUBSCRIBE"].iter().chain(channels).copied().collect();
    client.send(&request);
    channels.iter().for_each(|_| drop(client.receive()));
    client
}

/// The channel and the text of a message.
fn message(value: Value) -> (String, String) {
    let (Value::Array(parts) | Value::Push(parts)) = value else {
        panic!("not a message: {value:?}")
    };
    let parts: Vec<String> = parts.into_iter().map(text).collect();
    assert_eq!(parts[0], "message");
    (parts[1].clone(), parts[2].clone())
}

fn text(value: Value) -> String {
    match value {
        Value::Bulk(bytes) => String::from_utf8(bytes).expect("ASCII"),
        other => panic!("not a string: {other:?}"),
    }
}

/// Redis 7.2 tells a client its own messages after the reply to the command that caused them, 7.0 before.
#[test]
fn own_messages_come_after_the_reply() {
    let folder = Folder::new();
    let server = start(&folder);
    let mut client = server.client();
    client.call(&["HELLO", "3"]);
    client.call(&["SUBSCRIBE", "c"]);
    client.send(&["PUBLISH", "c", "1"]);
    client.send(&["PING"]);
    assert_eq!(client.receive(), Value::Integer(1));
    assert_eq!(message(client.receive()), ("c".into(), "1".into()));
    assert_eq!(client.receive(), Value::Simple(b"PONG".to_vec()));
}

#[test]
fn all_subscribers_hear_all_messages_in_the_same_order() {
    const PUBLISHERS: usize = 4;
    const MESSAGES: usize = 2000;
    let folder = Folder::new();
    let server = start(&folder);
    let heard: Vec<Vec<(String, String)>> = thread::scope(|scope| {
        let listen = || {
            let mut client = subscriber(&server, &["odd", "even"]);
            scope.spawn(move || {
                let next = |_| message(client.receive());
                (0..PUBLISHERS * MESSAGES).map(next).collect()
            })
        };
        let listeners: Vec<_> = (0..6).map(|_| listen()).collect();
        for publisher in 0..PUBLISHERS {
            let mut client = server.client();
            scope.spawn(move || {
                for number in 0..MESSAGES {
                    let channel = ["even", "odd"][number % 2];
                    client.send(&["PUBLISH", channel, &format!("{publisher} {number}")]);
                    // Now one by one, now many in a packet.
                    if publisher % 2 == 0 {
                        assert_eq!(client.receive(), Value::Integer(6));
                    }
                }
                if publisher % 2 == 1 {
                    (0..MESSAGES).for_each(|_| assert_eq!(client.receive(), Value::Integer(6)));
                }
            });
        }
        let join = |listener: thread::ScopedJoinHandle<'_, _>| listener.join().unwrap();
        listeners.into_iter().map(join).collect()
    });
    for other in &heard[1..] {
        assert!(*other == heard[0], "two subscribers heard different orders");
    }
    let mut next = BTreeMap::new();
    for (channel, text) in &heard[0] {
        let (publisher, number) = text.split_once(' ').unwrap();
        let number: usize = number.parse().unwrap();
        assert_eq!(*channel, ["even", "odd"][number % 2]);
        let next = next.entry(publisher).or_insert(0);
        assert_eq!(number, *next, "publisher {publisher}");
        *next += 1;
    }
}

#[test]
fn a_thousand_subscribers_of_one_channel() {
    let folder = Folder::new();
    let server = start(&folder);
    let mut subscribers: Vec<Client> = (0..1000).map(|_| subscriber(&server, &["c"])).collect();
    let mut publisher = server.client();
    for number in 0..10 {
        let text = number.to_string();
        assert_eq!(publisher.integer(&["PUBLISH", "c", &text]), 1000);
    }
    for client in &mut subscribers {
        for number in 0..10 {
            assert_eq!(message(client.receive()).1, number.to_string());
        }
    }
    drop(subscribers);
    wait_until("all are gone", || {
        publisher.ask("PUBSUB NUMSUB c") == "1) \"c\"\n2) (integer) 0"
    });
    assert_eq!(publisher.ask("PUBSUB CHANNELS"), "(empty array)");
}

#[test]
fn ten_thousand_channels_of_one_subscriber() {
    let folder = Folder::new();
    let server = start(&folder);
    let names: Vec<String> = (0..10_000)
        .map(|number| format!("channel:{number}"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut client = subscriber(&server, &names);
    let mut publisher = server.client();
    assert_eq!(publisher.info("pubsub_channels"), "10000");
    for name in names.iter().step_by(97) {
        assert_eq!(publisher.integer(&["PUBLISH", name, "x"]), 1);
        assert_eq!(message(client.receive()).0, *name);
    }
    client.send(&["UNSUBSCRIBE"]);
    (0..10_000).for_each(|_| drop(client.receive()));
    assert_eq!(client.call(&["PING"]), Value::Simple(b"PONG".to_vec()));
    assert_eq!(publisher.info("pubsub_channels"), "0");
}

/// Replies that are sent while messages come, each whole; those of other clients are not waited for.
#[test]
fn messages_come_between_replies() {
    let folder = Folder::new();
    let server = start(&folder);
    let mut client = server.client();
    let large = "x".repeat(100_000);
    client.call(&["SET", "large", &large]);
    client.call(&["HELLO", "3"]);
    client.call(&["SUBSCRIBE", "c"]);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut publisher = server.client();
            while !is_over.load(Ordering::SeqCst) {
                publisher.integer(&["PUBLISH", "c", "small"]);
                publisher.integer(&["PUBLISH", "c", &large]);
            }
        });
        let _end = EndOnDrop(&is_over);
        let (mut replies, mut small) = (0, 0);
        while replies < 500 || small < 50 {
            (0..10).for_each(|_| client.send(&["GET", "large"]));
            for _ in 0..10 {
                loop {
                    let value = client.receive();
                    if matches!(value, Value::Push(_)) {
                        let (_, text) = message(value);
                        small += usize::from(text == "small");
                        assert!(text == "small" || text == large);
                    } else {
                        assert!(value == Value::Bulk(large.clone().into_bytes()));
                        replies += 1;
                        break;
                    }
                }
            }
        }
    });
}

/// What a subscriber leaves unread is bounded; others hear everything, and nobody waits.
#[test]
fn who_does_not_read_is_disconnected() {
    let folder = Folder::new();
    let server = start(&folder);
    let mut publisher = server.client();
    let text = "x".repeat(50_000);
    // The hard limit takes effect at once, the soft one after a second.
    for (limit, count) in [("pubsub 1mb 0 0", 0), ("pubsub 0 500kb 1", 1)] {
        publisher.call(&["CONFIG", "SET", "client-output-buffer-limit", limit]);
        let slow = subscriber(&server, &["c"]);
        let mut quick = subscriber(&server, &["c"]);
        let mut told = 0;
        // The system's own buffers of the connection hold some megabytes.
        while publisher.info("client_output_buffer_limit_disconnections") == count.to_string() {
            if publisher.integer(&["PUBLISH", "c", &text]) == 0 {
                break;
            }
            told += 1;
            assert_eq!(message(quick.receive()).1.len(), text.len());
            assert!(told < 100_000);
        }
        wait_until("the slow one is gone", || {
            publisher.integer(&["PUBLISH", "c", "last"]) == 1
        });
        while message(quick.receive()).1 != "last" {}
        drop((slow, quick));
        wait_until("both are gone", || publisher.info("pubsub_channels") == "0");
    }
}

#[test]
fn a_reply_beyond_the_limit_closes_the_connection() {
    let folder = Folder::new();
    let server = start(&folder);
    let mut other = server.client();
    let mut client = server.client();
    client.call(&["SET", "k", &"x".repeat(2_000_000)]);
    other.call(&[
        "CONFIG",
        "SET",
        "client-output-buffer-limit",
        "normal 1mb 0 0",
    ]);
    client.send(&["GET", "k"]);
    assert_eq!(client.try_receive(), None);
    assert_eq!(other.info("client_output_buffer_limit_disconnections"), "1");
    assert_eq!(other.call(&["PING"]), Value::Simple(b"PONG".to_vec()));
}

/// The fields of CLIENT LIST that tell what clients do, as a real server has them.
/// For all others a client is gone as soon as CLIENT KILL has been answered.
#[test]
fn who_is_killed_receives_nothing_more() {
    let folders = [Folder::new(), Folder::new()];
    for server in [
        start(&folders[0]),
        Server::real(&folders[1], &["--save", ""]),
    ] {
        let mut admin = server.client();
        for _ in 0..50 {
            let mut client = server.client();
            let id = client.integer(&["CLIENT", "ID"]).to_string();
            client.ask("SUBSCRIBE news");
            admin.send(&["CLIENT", "KILL", "ID", &id]);
            admin.send(&["PUBLISH", "news", "m"]);
            admin.send(&["CLIENT", "LIST", "ID", &id]);
            admin.send(&["CLIENT", "KILL", "ID", &id]);
            let replies = [(); 4].map(|()| admin.receive());
            let [one, none] = [1, 0].map(Value::Integer);
            assert_eq!(replies, [one, none.clone(), Value::Bulk(vec![]), none]);
        }
    }
}

#[test]
fn client_list_tells_who_listens() {
    let figures = |server: &Server| {
        let mut clients: Vec<Client> = (0..5).map(|_| server.client()).collect();
        let requests: [&[&[&str]]; 5] = [
            &[&["SUBSCRIBE", "a"], &["PSUBSCRIBE", "b*"]],
            &[&["SSUBSCRIBE", "s"]],
            &[&["MONITOR"]],
            &[&["SUBSCRIBE", "a"], &["UNSUBSCRIBE", "a"]],
            &[&["CLIENT", "NO-EVICT", "on"]],
        ];
        let mut ids = Vec::new();
        for (client, requests) in clients.iter_mut().zip(requests) {
            ids.push(client.integer(&["CLIENT", "ID"]).to_string());
            requests
                .iter()
                .for_each(|request| drop(client.call(request)));
        }
        let mut director = server.client();
        let request: Vec<&str> = ["CLIENT", "LIST", "ID"]
            .into_iter()
            .chain(ids.iter().map(String::as_str))
            .collect();
        let list = text(director.call(&request));
        let wanted = ["flags=", "sub=", "psub=", "ssub=", "multi=", "cmd=", "oll="];
        let of_line = |line: &str| {
            let words = line.split(' ');
            let words = words.filter(|word| wanted.iter().any(|name| word.starts_with(name)));
            words.collect::<Vec<_>>().join(" ")
        };
        let types = ["pubsub", "normal"].map(|name| {
            let list = text(director.call(&["CLIENT", "LIST", "TYPE", name]));
            list.lines().count()
        });
        let killed = director.integer(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        (list.lines().map(of_line).collect::<Vec<_>>(), types, killed)
    };
    let folders = [Folder::new(), Folder::new()];
    let ours = figures(&start(&folders[0]));
    let real = figures(&Server::real(&folders[1], &[]));
    assert_eq!(ours, real);
}

/// A message that the socket does not take at once waits in the server, and counts once, not as message and as reply.
#[test]
fn a_large_message_reaches_a_subscriber_that_reads() {
    let folder = Folder::new();
    let limit = "pubsub 32mb 0 0";
    let server = Server::ours(&folder, &["--client-output-buffer-limit", limit]);
    let mut listener = subscriber(&server, &["channel"]);
    let text = "x".repeat(20 << 20);
    let mut publisher = server.client();
    assert_eq!(publisher.integer(&["PUBLISH", "channel", &text]), 1);
    assert_eq!(
        message(listener.receive()),
        ("channel".to_string(), text.clone())
    );
    assert_eq!(publisher.integer(&["PUBLISH", "channel", "again"]), 1);
    assert_eq!(message(listener.receive()).1, "again");
}
