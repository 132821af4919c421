//! Links to primaries that break, stall, send garbage, or cut a snapshot in half: the old data stay until there is a
//! whole snapshot.

use super::pair::Whose::Ours;
use super::pair::wait_for_link;
use crate::common::{Client, Folder, Server, request, wait_until};
use my_redis_server::resp::decoder::{Value, decode};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

/// A primary that does as the test says.
struct Impostor {
    listener: TcpListener,
}

impl Impostor {
    fn new() -> Impostor {
        Impostor {
            listener: TcpListener::bind("127.0.0.1:0").expect("a free port"),
        }
    }

    fn port(&self) -> u16 {
        self.listener.local_addr().expect("it is bound").port()
    }

    /// Accepts the replica, and answers everything before PSYNC; returns what it asks for.
    fn accept(&self) -> (TcpStream, Vec<Vec<u8>>) {
        let (mut stream, _) = self.listener.accept().expect("the replica comes");
        let mut received = Vec::new();
        let mut piece = [0; 1024];
        loop {
            let len = stream.read(&mut piece).expect("a connection");
            assert!(len > 0, "the replica has gone");
            received.extend_from_slice(&piece[..len]);
            while let Some((request, len)) = decode(&received).expect("it is a request") {
                received.drain(..len);
                let Value::Array(words) = request else {
                    panic!("{request:?}")
                };
                let words: Vec<Vec<u8>> = words
                    .into_iter()
                    .map(|word| match word {
                        Value::Bulk(word) => word,
                        other => panic!("{other:?}"),
                    })
                    .collect();
                match &words[0][..] {
                    b"PING" => stream.write_all(b"+PONG\r\n").expect("a connection"),
                    b"PSYNC" => return (stream, words),
                    _ => stream.write_all(b"\n+OK\r\n").expect("a connection"),
                }
            }
        }
    }
}

/// A snapshot with one key, and what a real server would find wrong with it.
fn snapshot() -> Vec<u8> {
    let folder = Folder::new();
    let server = Server::ours(&folder, &[]);
    let mut client = server.client();
    client.ask("SET new 1");
    client.ask("SAVE");
    fs::read(folder.dump()).expect("a dump")
}

const ID: &str = "8371b4fb1155b71f4a04d3e1bc3e18c4a990aeeb";

fn full(stream: &mut TcpStream, bytes: &[u8]) {
    let head = format!("+FULLRESYNC {ID} 1000\r\n");
    stream.write_all(head.as_bytes()).expect("a connection");
    stream.write_all(bytes).expect("a connection");
}

fn with_length(snapshot: &[u8], sent: usize) -> Vec<u8> {
    [
        format!("${}\r\n", snapshot.len()).as_bytes(),
        &snapshot[..sent],
    ]
    .concat()
}

fn with_mark(snapshot: &[u8], mark: &str) -> Vec<u8> {
    [
        format!("$EOF:{ID}\r\n").as_bytes(),
        snapshot,
        mark.as_bytes(),
    ]
    .concat()
}

#[test]
fn the_old_data_stay_until_a_whole_snapshot_has_come() {
    let folder = Folder::new();
    let replica = Ours.server(&folder, &["--repl-timeout", "5"]);
    let mut client = replica.client();
    client.ask("SET old 1");
    let snapshot = snapshot();
    let mut damaged = snapshot.clone();
    damaged[snapshot.len() / 2] ^= 1;
    let impostor = Impostor::new();
    let port = impostor.port().to_string();
    assert_eq!(
        client.call(&["REPLICAOF", "127.0.0.1", &port]),
        Value::Simple(b"OK".to_vec())
    );
    let bad: [Vec<u8>; 7] = [
        Vec::new(),
        b"garbage\r\n".to_vec(),
        b"$EOF:short\r\n".to_vec(),
        with_length(&snapshot, snapshot.len() / 2),
        with_length(&damaged, snapshot.len()),
        with_mark(&snapshot[..snapshot.len() / 2], ID),
        with_mark(&damaged, ID),
    ];
    for bytes in bad {
        let (mut stream, words) = impostor.accept();
        assert_eq!(words[1..], [b"?".to_vec(), b"-1".to_vec()]);
        full(&mut stream, &bytes);
        drop(stream);
        wait_until("the link is down", || {
            client.info_of("replication", "master_link_status") == "down"
        });
        assert_eq!(client.ask("KEYS *"), "1) \"old\"", "{bytes:?}");
    }
    for (name, bytes) in [
        ("unknown command", "-ERR unknown command\r\n"),
        ("nothing", "+NOTHING\r\n"),
    ] {
        let (mut stream, _) = impostor.accept();
        stream.write_all(bytes.as_bytes()).expect("a connection");
        drop(stream);
        assert_eq!(client.ask("GET old"), "\"1\"", "{name}");
    }
    let (mut stream, _) = impostor.accept();
    full(&mut stream, &with_mark(&snapshot, ID));
    wait_for_link(&mut client);
    assert_eq!(client.ask("KEYS *"), "1) \"new\"");
    // Half a transaction is not carried out, and its bytes do not count.
    let command = |words: &[&str]| request(words);
    let whole = [command(&["SELECT", "0"]), command(&["SET", "k", "v"])].concat();
    stream.write_all(&whole).expect("a connection");
    let half = [command(&["MULTI"]), command(&["SET", "k", "w"])].concat();
    stream.write_all(&half).expect("a connection");
    let end = 1000 + whole.len();
    let offset = |client: &mut Client| client.info_of("replication", "slave_repl_offset");
    wait_until("it is carried out", || {
        offset(&mut client) == end.to_string()
    });
    drop(stream);
    let (mut stream, words) = impostor.accept();
    let next = (end + 1).to_string();
    assert_eq!(words[1..], [ID.as_bytes().to_vec(), next.into_bytes()]);
    assert_eq!(client.ask("GET k"), "\"v\"");
    // A promoted primary has another id.
    let new_id = "1".repeat(40);
    let line = format!("+CONTINUE {new_id}\r\n");
    stream.write_all(line.as_bytes()).expect("a connection");
    stream
        .write_all(&[half, command(&["EXEC"])].concat())
        .expect("a connection");
    wait_until("it is carried out", || client.ask("GET k") == "\"w\"");
    assert_eq!(client.info_of("replication", "master_replid"), new_id);
    assert_eq!(client.info_of("replication", "master_replid2"), ID);
    assert_eq!(
        client.info_of("replication", "second_repl_offset"),
        (end + 1).to_string()
    );
    // What is no command ends the link, and nothing of it is carried out.
    stream
        .write_all(b"*1\r\nnonsense\r\n")
        .expect("a connection");
    impostor.accept();
    assert_eq!(client.ask("GET k"), "\"w\"");
}

#[test]
fn a_primary_that_is_silent_is_given_up() {
    let folder = Folder::new();
    let replica = Ours.server(&folder, &["--repl-timeout", "1"]);
    let mut client = replica.client();
    let impostor = Impostor::new();
    client.call(&["REPLICAOF", "127.0.0.1", &impostor.port().to_string()]);
    let (mut stream, _) = impostor.accept();
    full(&mut stream, &with_length(&snapshot(), 10));
    // It comes again, while the first connection is still open.
    let (mut second, _) = impostor.accept();
    full(&mut second, &with_mark(&snapshot(), ID));
    wait_for_link(&mut client);
    let (_third, _) = impostor.accept();
    drop((stream, second));
}
