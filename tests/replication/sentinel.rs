//! Failover by real sentinels: the primary is killed or stopped, a replica is promoted, and what was acknowledged by
//! `WAIT 1` is not lost. The old primary comes back as a replica.

use super::pair::ask_anew;
use crate::common::{Client, Folder, Server, free_port, our_command, redis_tool, wait_until};
use my_redis_server::resp::decoder::Value;
use std::fs::{self, File};
use std::process::{Child, Command, Stdio};

/// `FAILOVERS=100` has more rounds.
fn rounds() -> usize {
    let rounds = std::env::var("FAILOVERS");
    rounds.map_or(5, |text| text.parse().expect("a number"))
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
                    "port {port}\nsentinel monitor it 127.0.0.1 {} 2\nsentinel down-after-milliseconds it 500\n\
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

    /// Whether each sentinel knows the others and this many replicas, none of which is down.
    fn are_ready(&self, replicas: usize) -> bool {
        self.servers.iter().all(|server| {
            let text = server.client().ask("INFO sentinel");
            text.contains(&format!(
                "status=ok,address=127.0.0.1:{}",
                self.primary().unwrap_or(0)
            )) && text.contains(&format!("slaves={replicas},sentinels=3"))
        })
    }
}

/// Counts up, and returns the count if a replica has acknowledged it.
fn count_up(port: u16, acknowledged: i64) -> Option<i64> {
    let mut client = Client::try_connect(port).ok()?;
    let mut call = |words: &[&str]| {
        client.try_send(words).ok()?;
        match client.try_receive()? {
            Value::Integer(number) => Some(number),
            _ => None,
        }
    };
    let count = call(&["INCR", "count"])?;
    assert!(count > acknowledged, "{count} after {acknowledged}");
    let replicas = call(&["WAIT", "1", "1000"])?;
    (replicas >= 1).then_some(count)
}

/// How a primary goes.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Kill,
    Stop,
}

fn check(are_real: [bool; 3]) {
    let mut nodes = are_real.map(Node::new);
    let first = nodes[0].port;
    for node in &nodes[1..] {
        let reply = node.client().ask(&format!("REPLICAOF 127.0.0.1 {first}"));
        assert_eq!(reply, "OK");
    }
    let sentinels = Sentinels::watching(&nodes[0]);
    let mut acknowledged = 0;
    for round in 0..rounds() {
        let fault = if round % 3 == 2 {
            Fault::Stop
        } else {
            Fault::Kill
        };
        let mut port = 0;
        // On a busy machine the sentinels may have changed their minds again.
        wait_until("both others to follow the primary", || {
            port = sentinels.primary().unwrap_or_default();
            sentinels.are_ready(2)
                && ask_anew(port, &["WAIT", "2", "1000"]) == Some(Value::Integer(2))
        });
        let place = nodes
            .iter()
            .position(|node| node.port == port)
            .expect("it is a node");
        for _ in 0..20 {
            acknowledged = count_up(port, acknowledged).unwrap_or(acknowledged);
        }
        match fault {
            Fault::Kill => nodes[place].kill(),
            Fault::Stop => nodes[place].signal("STOP"),
        }
        wait_until("another primary", || {
            sentinels.primary().is_some_and(|now| now != port)
        });
        let now = sentinels.primary().expect("they agree");
        let mut promoted = Client::connect(now);
        wait_until("it to be a primary", || {
            promoted.info_of("replication", "role") == "master"
        });
        let kept = promoted.ask("GET count");
        let kept: i64 = kept.trim_matches('"').parse().expect("a number");
        assert!(
            kept >= acknowledged,
            "{fault:?}: {kept} of {acknowledged}, round {round}"
        );
        acknowledged = kept;
        match fault {
            // Without data it must not come back as a primary: the sentinels might believe it.
            Fault::Kill => nodes[place].start(&["--replicaof", &format!("127.0.0.1 {now}")]),
            Fault::Stop => nodes[place].signal("CONT"),
        }
    }
}

#[test]
fn ours_fail_over() {
    check([false; 3]);
}

#[test]
fn ours_and_a_real_one_fail_over() {
    check([false, false, true]);
}
