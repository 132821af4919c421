//! Failover by real sentinels: the primary is killed or stopped, a replica is promoted, and what was acknowledged by
//! `WAIT 1` is not lost. The old primary comes back as a replica.
//!
//! Sentinels on a busy machine may take a server for dead that is not. Two primaries live then for a moment, and what
//! the losing one acknowledged together with its replica is lost, as with Redis. A round in which that happened proves
//! nothing and is repeated; the logs of the sentinels tell.

use super::pair::ask_anew;
use crate::common::{
    Client, Folder, Server, free_port, number, our_command, python, redis_tool, strings,
    wait_for_exit, wait_until,
};
use my_redis_server::resp::decoder::Value;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// `FAILOVERS=100` has more rounds.
fn rounds() -> usize {
    let rounds = std::env::var("FAILOVERS");
    rounds.map_or(10, |text| text.parse().expect("a number"))
}

/// A server that is killed and comes back at the same port.
struct Node {
    folder: Folder,
    port: u16,
    is_real: bool,
    process: Option<Child>,
}

impl Node {
    fn new(is_real: bool) -> Node {
        let mut node = Node {
            folder: Folder::new(),
            port: free_port(),
            is_real,
            process: None,
        };
        node.start(&[]);
        node
    }

    fn start(&mut self, options: &[&str]) {
        let port = self.port.to_string();
        let common = [
            "--port",
            &port,
            "--save",
            "",
            "--repl-diskless-sync-delay",
            "0",
        ];
        let options = [&common[..], options].concat();
        let mut command = match self.is_real {
            true => {
                let mut command = redis_tool("redis-server");
                command.current_dir(self.folder.path()).args(options);
                command.stdin(Stdio::null()).stdout(Stdio::null());
                command
            }
            false => our_command(&self.folder, &options),
        };
        self.process = Some(command.spawn().expect("it can be started"));
        wait_until("the server to answer", || {
            ask_anew(self.port, &["PING"]) == Some(Value::Simple(b"PONG".to_vec()))
        });
    }

    fn client(&self) -> Client {
        Client::connect(self.port)
    }

    fn signal(&self, name: &str) {
        let process = self.process.as_ref().expect("it runs");
        let sent = Command::new("kill")
            .args(["-s", name, &process.id().to_string()])
            .status();
        assert!(sent.expect("kill can be run").success());
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Drop for Node {
    /// If the test has failed, the log shows why.
    fn drop(&mut self) {
        if std::thread::panicking() {
            show(&self.folder, "log");
        }
        self.kill();
    }
}

/// Shows the end of a log.
fn show(folder: &Folder, name: &str) {
    let log = fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    let last = lines[lines.len().saturating_sub(60)..].join("\n");
    eprintln!("{name}:\n{last}");
}

impl Drop for Sentinels {
    fn drop(&mut self) {
        if std::thread::panicking() {
            (0..3).for_each(|number| show(&self.folder, &format!("log-{number}")));
        }
    }
}

/// Three sentinels that watch a primary.
struct Sentinels {
    folder: Folder,
    servers: Vec<Server>,
}

impl Sentinels {
    fn watching(primary: &Node) -> Sentinels {
        let folder = Folder::new();
        let start = |number: usize| {
            Server::start(|port| {
                let path = folder.path().join(format!("sentinel-{number}.conf"));
                let text = format!(
                    "port {port}\nsentinel monitor it 127.0.0.1 {} 2\nsentinel down-after-milliseconds it 1000\n\
                     sentinel failover-timeout it 3000\nsentinel parallel-syncs it 2\n",
                    primary.port
                );
                fs::write(&path, text).expect("a file");
                let mut command = redis_tool("redis-server");
                command
                    .arg(path)
                    .arg("--sentinel")
                    .current_dir(folder.path());
                let log = File::create(folder.path().join(format!("log-{number}")));
                command.stdin(Stdio::null()).stdout(log.expect("a file"));
                command
            })
        };
        let servers = (0..3).map(start).collect();
        Sentinels { servers, folder }
    }

    /// The port of the primary, as all sentinels agree.
    fn primary(&self) -> Option<u16> {
        let ask = |server: &Server| {
            let asked = server
                .client()
                .call(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "it"]);
            let Value::Array(address) = asked else {
                return None;
            };
            match &address[..] {
                [_, Value::Bulk(port)] => String::from_utf8_lossy(port).parse().ok(),
                _ => None,
            }
        };
        let ports: Vec<Option<u16>> = self.servers.iter().map(ask).collect();
        ports[0].filter(|_| ports.iter().all(|port| *port == ports[0]))
    }

    /// Whether each sentinel knows the others and two replicas, and has no doubt about the primary.
    fn are_content(&self) -> bool {
        let expected = [
            ("flags", "master"),
            ("num-slaves", "2"),
            ("num-other-sentinels", "2"),
        ];
        self.servers.iter().all(|server| {
            let facts = strings(server.client().call(&["SENTINEL", "MASTER", "it"]));
            expected.iter().all(|(name, value)| {
                let mut pairs = facts.chunks_exact(2);
                pairs.any(|pair| pair[0] == name.as_bytes() && pair[1] == value.as_bytes())
            })
        })
    }

    /// How often a line of this kind stands in the logs.
    fn lines(&self, kind: &str) -> usize {
        let lines = (0..3).map(|number| {
            let log = fs::read_to_string(self.folder.path().join(format!("log-{number}")));
            log.expect("a log").matches(kind).count()
        });
        lines.sum()
    }
}

/// Counts up, and returns the count if a replica has acknowledged it.
fn count_up(port: u16) -> Option<i64> {
    let mut client = Client::try_connect(port).ok()?;
    let mut call = |words: &[&str]| {
        client.try_send(words).ok()?;
        match client.try_receive()? {
            Value::Integer(number) => Some(number),
            _ => None,
        }
    };
    let count = call(&["INCR", "count"])?;
    let replicas = call(&["WAIT", "1", "1000"])?;
    (replicas >= 1).then_some(count)
}

/// How a primary goes.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Kill,
    Stop,
}

fn follow_first(nodes: &[Node]) {
    let first = nodes[0].port;
    for node in &nodes[1..] {
        let reply = node.client().ask(&format!("REPLICAOF 127.0.0.1 {first}"));
        assert_eq!(reply, "OK");
    }
}

fn check(are_real: [bool; 3]) {
    let mut nodes = are_real.map(Node::new);
    follow_first(&nodes);
    let sentinels = Sentinels::watching(&nodes[0]);
    let (mut proved, mut tried) = (0, 0);
    while proved < rounds() {
        let fault = match proved % 3 {
            2 => Fault::Stop,
            _ => Fault::Kill,
        };
        proved += usize::from(fail_over(&mut nodes, &sentinels, fault));
        tried += 1;
        assert!(tried <= 4 * rounds(), "this machine is too busy");
    }
}

/// Waits until all is well, then counts up, then has the primary fail. Returns whether the only failover was the one
/// that the fault led to; then it is sure that no count that a replica has acknowledged is lost.
fn fail_over(nodes: &mut [Node; 3], sentinels: &Sentinels, fault: Fault) -> bool {
    let (mut port, mut tries, mut promotions) = (0, 0, 0);
    wait_until("both others to follow the primary", || {
        port = sentinels.primary().unwrap_or_default();
        tries = sentinels.lines("+try-failover");
        promotions = sentinels.lines("+promoted-slave");
        sentinels.are_content() && ask_anew(port, &["WAIT", "2", "1000"]) == Some(Value::Integer(2))
    });
    let place = nodes.iter().position(|node| node.port == port);
    let primary = &mut nodes[place.expect("it is a node")];
    let acknowledged = (0..20).filter_map(|_| count_up(port)).max();
    let was_calm = sentinels.lines("+try-failover") == tries;
    match fault {
        Fault::Kill => primary.kill(),
        Fault::Stop => primary.signal("STOP"),
    }
    let (mut promoted, mut kept) = (port, None);
    wait_until("another primary", || {
        promoted = sentinels.primary().unwrap_or(port);
        // Who is stopped takes connections, and does not answer.
        if promoted != port {
            kept = ask_anew(promoted, &["GET", "count"]);
        }
        kept.is_some()
    });
    let proves = was_calm && sentinels.lines("+promoted-slave") == promotions + 1;
    if proves {
        let acknowledged = acknowledged.expect("a primary without a fault counts up");
        let kept = number(kept.expect("it has answered"));
        assert!(kept >= acknowledged, "{fault:?}: {kept} of {acknowledged}");
    }
    match fault {
        // Without data it must not come back as a primary: the sentinels might believe it.
        Fault::Kill => primary.start(&["--replicaof", &format!("127.0.0.1 {promoted}")]),
        Fault::Stop => primary.signal("CONT"),
    }
    proves
}

/// A client that asks the sentinels goes on.
#[test]
fn redis_py_goes_on() {
    let mut nodes = [false; 3].map(Node::new);
    follow_first(&nodes);
    let sentinels = Sentinels::watching(&nodes[0]);
    wait_until("the sentinels are ready", || sentinels.are_content());
    let mut program = python("redis_py_sentinel.py");
    for server in &sentinels.servers {
        program.arg(server.port.to_string());
    }
    let mut program = program
        .stdout(Stdio::piped())
        .spawn()
        .expect("tools/test.sh installs it");
    let said = program.stdout.take().expect("a pipe");
    let mut line = String::new();
    BufReader::new(said)
        .read_line(&mut line)
        .expect("it says something");
    assert_eq!(line, "ready\n");
    nodes[0].kill();
    assert!(wait_for_exit(&mut program).success());
}

#[test]
fn ours_fail_over() {
    check([false; 3]);
}

#[test]
fn ours_and_a_real_one_fail_over() {
    check([false, false, true]);
}
