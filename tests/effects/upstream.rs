//! A real server with a replica that only listens: what Redis has replayed.

use crate::common::{Client, Folder, PATIENCE, Server, redis_tool, request, strings, wait_until};
use my_redis_server::resp::decoder::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

/// Clients of the server, and the stream of its changes.
pub struct Upstream {
    pub clients: Vec<Client>,
    stream: BufReader<TcpStream>,
    marks: usize,
    _server: Server,
    _folder: Folder,
}

impl Upstream {
    pub fn start(clients: usize) -> Upstream {
        let folder = Folder::new();
        let server = Server::start(|port| {
            let mut command = redis_tool("redis-server");
            command.current_dir(folder.path());
            let port = port.to_string();
            command.args(["--port", &port, "--save", "", "--repl-diskless-sync", "no"]);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command
        });
        let replica = TcpStream::connect(("127.0.0.1", server.port)).expect("it listens");
        replica.set_read_timeout(Some(PATIENCE)).expect("an option");
        let mut stream = BufReader::new(replica);
        synchronise(&mut stream);
        Upstream {
            clients: (0..clients).map(|_| Client::connect(server.port)).collect(),
            stream,
            marks: 0,
            _server: server,
            _folder: folder,
        }
    }

    /// Waits until this many clients wait for a key.
    pub fn await_waiting(&mut self, count: usize) {
        let info = |client: &mut Client| client.info_of("clients", "blocked_clients");
        let asking = &mut self.clients[0];
        wait_until("it waits", || info(asking) == count.to_string());
    }

    /// The commands that have gone to the replica since this was last asked, without the choice of databases.
    pub fn take_effects(&mut self) -> Vec<Vec<Vec<u8>>> {
        self.marks += 1;
        let mark = format!("mark {}", self.marks).into_bytes();
        self.clients[0].call(&[&b"PUBLISH"[..], b"marks", &mark]);
        let mut commands = Vec::new();
        loop {
            let command = strings(next(&mut self.stream));
            match command[0].to_ascii_uppercase().as_slice() {
                b"PUBLISH" if command[2] == mark => return commands,
                b"SELECT" | b"PING" | b"PUBLISH" => {}
                _ => commands.push(command),
            }
        }
    }
}

/// Asks for all data, of which there are none, and passes over them.
fn synchronise(stream: &mut BufReader<TcpStream>) {
    let request = request(&["PSYNC", "?", "-1"]);
    stream.get_mut().write_all(&request).expect("it reads");
    let mut line = String::new();
    stream.read_line(&mut line).expect("it answers");
    assert!(line.starts_with("+FULLRESYNC"), "{line}");
    // Empty lines say that the server is still there.
    while !line.starts_with('$') {
        line.clear();
        stream.read_line(&mut line).expect("it sends its data");
    }
    let len: u64 = line[1..].trim().parse().expect("a length");
    let read = std::io::copy(&mut stream.by_ref().take(len), &mut std::io::sink());
    assert_eq!(read.expect("it sends its data"), len);
}

/// The next command of the stream: an array of bulk strings.
fn next(stream: &mut BufReader<TcpStream>) -> Value {
    let count = header(stream, '*');
    let argument = |_| {
        let mut bytes = vec![0; header(stream, '$') + 2];
        stream.read_exact(&mut bytes).expect("the stream goes on");
        bytes.truncate(bytes.len() - 2);
        Value::Bulk(bytes)
    };
    Value::Array((0..count).map(argument).collect())
}

fn header(stream: &mut BufReader<TcpStream>, kind: char) -> usize {
    let mut line = String::new();
    while line.trim().is_empty() {
        stream.read_line(&mut line).expect("the stream goes on");
    }
    let number = line
        .strip_prefix(kind)
        .unwrap_or_else(|| panic!("{line:?}"));
    number.trim().parse().expect("a number")
}
