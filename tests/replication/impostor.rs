//! A primary that does as the test says, and the snapshots that it sends.

use super::pair::Whose::Ours;
use super::pair::wait_for_link;
use crate::common::{Client, Folder, Server};
use my_redis_server::resp::decoder::{Value, decode};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

/// A primary that does as the test says.
pub struct Impostor {
    listener: TcpListener,
}

impl Impostor {
    pub fn new() -> Impostor {
        Impostor {
            listener: TcpListener::bind("127.0.0.1:0").expect("a free port"),
        }
    }

    pub fn port(&self) -> u16 {
        self.listener.local_addr().expect("it is bound").port()
    }

    /// Accepts the replica, and answers everything before PSYNC; returns what it asks for.
    pub fn accept(&self) -> (TcpStream, Vec<Vec<u8>>) {
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

/// The dump of a server of ours with these options that has carried out these commands.
pub fn snapshot_of(commands: &[&[&str]], options: &[&str]) -> Vec<u8> {
    let folder = Folder::new();
    let server = Server::ours(&folder, options);
    let mut client = server.client();
    for command in commands {
        client.call(command);
    }
    client.ask("SAVE");
    fs::read(folder.dump()).expect("a dump")
}

/// The id of its stream.
pub const ID: &str = "8371b4fb1155b71f4a04d3e1bc3e18c4a990aeeb";

/// Begins a full synchronisation at the offset 1000, and sends these bytes.
pub fn full(stream: &mut TcpStream, bytes: &[u8]) {
    full_as(ID, stream, bytes);
}

/// The first bytes of a snapshot whose length is told before it.
pub fn with_length(snapshot: &[u8], sent: usize) -> Vec<u8> {
    [
        format!("${}\r\n", snapshot.len()).as_bytes(),
        &snapshot[..sent],
    ]
    .concat()
}

/// A snapshot whose end is marked.
pub fn with_mark(snapshot: &[u8], mark: &str) -> Vec<u8> {
    [
        format!("$EOF:{ID}\r\n").as_bytes(),
        snapshot,
        mark.as_bytes(),
    ]
    .concat()
}

/// Begins a full synchronisation with the stream of this id.
pub fn full_as(id: &str, stream: &mut TcpStream, bytes: &[u8]) {
    let head = format!("+FULLRESYNC {id} 1000\r\n");
    stream.write_all(head.as_bytes()).expect("a connection");
    stream.write_all(bytes).expect("a connection");
}

/// A replica with these options that has loaded this snapshot of an impostor.
pub fn joined(
    folder: &Folder,
    options: &[&str],
    snapshot: &[u8],
) -> (Server, Client, Impostor, TcpStream) {
    let impostor = Impostor::new();
    let replica = Ours.server(folder, options);
    let mut client = replica.client();
    client.call(&["REPLICAOF", "127.0.0.1", &impostor.port().to_string()]);
    let (mut stream, _) = impostor.accept();
    full(&mut stream, &with_mark(snapshot, ID));
    wait_for_link(&mut client);
    (replica, client, impostor, stream)
}
