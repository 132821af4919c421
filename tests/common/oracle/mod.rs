//! The real redis-server as an oracle: both servers get the same requests, and their replies must be the same bytes.
//! The tests are written for the version of it that `tools/redis_version` names, and fail with any other.
//!
//! | file | what it holds |
//! |---|---|
//! | `mod.rs` | [`Oracle`]: both servers, scripts, single requests, the differences found |
//! | `random.rs` | random requests from templates |
//! | `data.rs` | comparison of all keys and values |
//! | `rule.rs` | replies that depend on the order of a hash table, on chance or on the clock |
//! | `clocked.rs` | replies about streams, which tell times |
//! | `changed_in_7_2.rs` | replies that differ between 7.0, which the oracle speaks, and 7.2, which our server speaks |
//! | `raw_client.rs` | a connection that keeps the bytes of replies |
//! | `listener.rs` | keyspace notifications |
//! | `text.rs` | requests and replies as text, for reports |

mod changed_in_7_2;
mod clocked;
mod data;
mod listener;
mod random;
mod raw_client;
mod rule;
mod text;

pub use random::{Pools, Templates};
pub use raw_client::RawClient;
pub use rule::CALL_ARGUMENTS;
pub use text::words;

use crate::common::{Folder, Server, request, wait_until};
pub use changed_in_7_2::as_7_2_says;
use listener::Listener;
use my_redis_server::util::quoting::split_arguments;
use raw_client::Answer;
use rule::{is_same, rule};
use text::{line, lines, shown};

/// Databases of both servers.
const DATABASES: usize = 16;

/// Both servers, and what they answered differently.
pub struct Oracle {
    /// The folders go when the servers have ended.
    servers: [Server; 2],
    _folders: [Folder; 2],
    clients: [RawClient; 2],
    /// Who hears what the servers tell of their keys, if that is compared.
    listeners: Option<[Listener; 2]>,
    protocol: u8,
    /// What was typed since the data were cleared.
    typed: Vec<Vec<Vec<u8>>>,
    differences: Vec<String>,
}

impl Oracle {
    pub fn start() -> Oracle {
        Oracle::with_options(&[])
    }

    /// Starts both servers with further options.
    pub fn with_options(options: &[&str]) -> Oracle {
        let databases = DATABASES.to_string();
        let common = ["--databases", databases.as_str(), "--save", ""];
        let options: Vec<&str> = common.iter().chain(options).copied().collect();
        let folders = [Folder::new(), Folder::new()];
        let servers = [
            Server::ours(&folders[0], &options),
            Server::real(&folders[1], &options),
        ];
        let clients = [0, 1].map(|index| RawClient::connect(servers[index].port));
        Oracle {
            servers,
            _folders: folders,
            clients,
            listeners: None,
            protocol: 2,
            typed: Vec::new(),
            differences: Vec::new(),
        }
    }

    /// Also compares what the servers tell of their keys: every event, in order. Keys that are due go when a client
    /// asks for them, and not before, which would depend on the clock.
    pub fn listening(options: &[&str]) -> Oracle {
        let events = [
            "--notify-keyspace-events",
            "KEAnm",
            "--enable-debug-command",
            "yes",
        ];
        let mut oracle = Oracle::with_options(&[&events, options].concat());
        let listeners = [0, 1].map(|index| Listener::connect(oracle.servers[index].port));
        oracle.listeners = Some(listeners);
        oracle
    }

    /// How what the servers have told since the last time differs, if it does.
    #[must_use]
    fn compare_events(&mut self) -> Option<String> {
        let listeners = self.listeners.as_mut()?;
        let [ours, real] = listeners.each_mut().map(Listener::heard);
        let pairs = ours.iter().zip(&real);
        let same = pairs.take_while(|(ours, real)| ours == real).count();
        let rest = |events: &[String]| events[same..].join(", ");
        (ours != real).then(|| {
            format!(
                "after {same} events\n  Redis tells: {}\n  ours tells:  {}\n",
                rest(&real),
                rest(&ours)
            )
        })
    }

    /// Where our server listens, or the real one.
    pub fn port(&self, index: usize) -> u16 {
        self.servers[index].port
    }

    /// Connects anew, and speaks this version of the protocol from now on.
    pub fn reconnect(&mut self, protocol: u8) {
        self.protocol = protocol;
        for (server, client) in self.servers.iter().zip(&mut self.clients) {
            *client = RawClient::connect(server.port);
            client.send(&request(&["HELLO", &protocol.to_string()]));
            client.receive().expect("the server knows the protocol");
        }
    }

    /// Runs scripts in both versions of the protocol. A line is a request as it is typed in redis-cli, and goes on in
    /// the next if it ends with `\`; an empty line clears all data; `#` begins a comment.
    pub fn scripts(&mut self, scripts: &[&str]) {
        for protocol in [2, 3] {
            self.reconnect(protocol);
            for script in scripts {
                self.clear();
                self.script(script);
            }
        }
    }

    /// Runs scripts, and compares what each line adds to the changes since the last save.
    pub fn changes(&mut self, scripts: &[&str]) {
        for script in scripts {
            self.clear();
            for line in script.lines().filter(|line| !line.is_empty()) {
                let before = self.counted_changes();
                self.type_line(line);
                let after = self.counted_changes();
                let [ours, real] = [0, 1].map(|index| after[index] - before[index]);
                if ours != real {
                    self.report(&format!(
                        "{line}\n  Redis: {real} changes\n  ours:  {ours}\n"
                    ));
                }
            }
        }
    }

    fn counted_changes(&mut self) -> [i64; 2] {
        [0, 1].map(|index| {
            let info = self.ask_one(index, &words(&["INFO", "persistence"]));
            let info = String::from_utf8_lossy(&info).into_owned();
            let mut lines = info.lines();
            let count = lines.find_map(|line| line.strip_prefix("rdb_changes_since_last_save:"));
            count
                .expect("INFO counts changes")
                .parse()
                .expect("a number")
        })
    }

    fn script(&mut self, script: &str) {
        for line in script.replace("\\\n", "").lines().map(str::trim) {
            if line.is_empty() {
                self.clear();
            } else if !line.starts_with('#') {
                self.type_line(line);
            }
        }
    }

    /// Sends what is typed in redis-cli, and reports it with what was typed before if the answers differ.
    pub fn type_line(&mut self, line: &str) {
        let arguments = split_arguments(line.as_bytes()).expect("the quotes are balanced");
        if let Some(difference) = self.ask(&arguments) {
            self.report(&format!("{}{difference}", lines(&self.typed)));
        }
        self.typed.push(arguments);
        if let Some(difference) = self.compare_events() {
            self.report(&format!("{}{difference}", lines(&self.typed)));
        }
    }

    /// Waits until a key has expired in both servers.
    pub fn wait_for_expiry(&mut self, key: &str) {
        for index in [0, 1] {
            wait_until("the key expires", || {
                self.ask_one(index, &words(&["PTTL", key])) == b":-2\r\n"
            });
        }
    }

    /// Removes all data of both servers, without a word.
    pub fn clear(&mut self) {
        self.typed.clear();
        for client in &mut self.clients {
            client.send(&request(&["FLUSHALL"]));
            client.send(&request(&["SELECT", "0"]));
            let done = [client.receive(), client.receive()].map(|answer| answer.map(|it| it.bytes));
            assert_eq!(done, [Some(b"+OK\r\n".to_vec()), Some(b"+OK\r\n".to_vec())]);
        }
    }

    /// Asks both servers; how their answers differ, if they do.
    #[must_use]
    pub fn ask(&mut self, arguments: &[Vec<u8>]) -> Option<String> {
        for client in &mut self.clients {
            client.send(&request(arguments));
        }
        self.compare_next(arguments)
    }

    /// What our server and the real one answer.
    pub fn answers(&mut self, arguments: &[Vec<u8>]) -> [Answer; 2] {
        [0, 1].map(|index| {
            self.clients[index].send(&request(arguments));
            self.clients[index].receive().expect("it answers")
        })
    }

    fn compare_next(&mut self, arguments: &[Vec<u8>]) -> Option<String> {
        let [ours, real] = [0, 1].map(|index| self.clients[index].receive());
        let (ours, real) = match (ours, real) {
            (Some(ours), Some(real)) => (ours, real),
            (ours, real) => panic!(
                "{} closes the connection: ours {ours:?}, Redis {real:?}",
                line(arguments)
            ),
        };
        let is_same = is_same(rule(arguments), &ours, &real)
            || ours.bytes == as_7_2_says(arguments, &real.bytes);
        (!is_same).then(|| {
            format!(
                "> {}\n  Redis: {}\n  ours:  {}\n",
                line(arguments),
                shown(&real.bytes),
                shown(&ours.bytes)
            )
        })
    }

    /// Raw bytes on connections of their own; what comes back until the server closes the connection, or until it
    /// answers a last request, which is sent if the connection is to stay open.
    pub fn raw(&mut self, bytes: &[u8], stays_open: bool) {
        const LAST: &[u8] = b"*2\r\n$4\r\nECHO\r\n$4\r\nlast\r\n";
        let [ours, real] = [0, 1].map(|index| {
            let mut client = RawClient::connect(self.servers[index].port);
            client.send(bytes);
            if stays_open {
                client.send(LAST);
            }
            client.receive_until(b"$4\r\nlast\r\n")
        });
        let is_as_expected = match stays_open {
            true => real.ends_with(b"last\r\n"),
            false => real.is_empty() || real.ends_with(b"\r\n"),
        };
        if ours != real || !is_as_expected {
            self.report(&format!(
                "raw {}\n  Redis: {}\n  ours:  {}\n",
                shown(bytes),
                shown(&real),
                shown(&ours)
            ));
        }
    }

    /// Requests on connections of their own, sent at once, to which this number of replies is expected.
    pub fn pipeline(&mut self, requests: &[Vec<Vec<u8>>], replies: usize) {
        let bytes: Vec<u8> = requests.iter().flat_map(|it| request(it)).collect();
        let [ours, real] = [0, 1].map(|index| {
            let mut client = RawClient::connect(self.servers[index].port);
            client.send(&bytes);
            let all = (0..replies).map(|_| client.receive().expect("it answers").bytes);
            all.collect::<Vec<_>>()
        });
        let is_same = |(ours, real): (&Vec<u8>, &Vec<u8>)| {
            ours == real || (is_greeting(ours) && is_greeting(real))
        };
        if !ours.iter().zip(&real).all(is_same) {
            self.report(&format!(
                "{}  Redis: {}\n  ours:  {}\n",
                lines(requests),
                shown(&real.concat()),
                shown(&ours.concat())
            ));
        }
    }

    pub fn ask_one(&mut self, index: usize, arguments: &[Vec<u8>]) -> Vec<u8> {
        self.clients[index].send(&request(arguments));
        self.clients[index].receive().expect("it answers").bytes
    }

    /// Notes a difference.
    pub fn report(&mut self, difference: &str) {
        self.differences
            .push(format!("RESP{}: {difference}", self.protocol));
    }

    /// Fails if there was any difference.
    pub fn finish(self) {
        assert!(
            self.differences.is_empty(),
            "{} differences\n{}",
            self.differences.len(),
            self.differences.join("\n")
        );
    }
}

/// Whether this is the reply to HELLO, which tells the version and the number of the client.
fn is_greeting(reply: &[u8]) -> bool {
    reply.windows(8).any(|part| part == b"\nserver\r")
}
