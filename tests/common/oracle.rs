//! The real redis-server as an oracle: both servers get the same requests, and their replies must be the same bytes.
//!
//! Replies that depend on the order of a hash table, on chance or on the clock are compared by what is certain about
//! them, see [`rule`]. The oracle speaks 7.0 and our server 7.2: [`CHANGED_IN_7_2`] lists where they may differ.

use super::{Folder, PATIENCE, Server, request};
use fastrand::Rng;
use my_redis_server::resp::decoder::{Decoder, Value};
use my_redis_server::util::quoting::{quote, split_arguments};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Databases of both servers.
pub const DATABASES: usize = 16;

/// Requests that are sent before their replies are read.
const BATCH: usize = 64;

/// Requests that a report on random commands shows: those that led to the difference.
const SHOWN_BEFORE: usize = 24;

/// Differences after which a run of random commands ends.
const ENOUGH: usize = 5;

/// Where 7.2 answers differently from 7.0: the words that the request begins with, and what is written in its reply now
/// instead of what was.
struct Change {
    request: &'static str,
    in_7_0: &'static str,
    in_7_2: &'static str,
}

const CHANGED_IN_7_2: &[Change] = &[
    // A list that fits into one listpack is no quicklist any more.
    Change {
        request: "OBJECT ENCODING",
        in_7_0: "$9\r\nquicklist\r\n",
        in_7_2: "$8\r\nlistpack\r\n",
    },
    // A small set is a listpack.
    Change {
        request: "OBJECT ENCODING",
        in_7_0: "$9\r\nhashtable\r\n",
        in_7_2: "$8\r\nlistpack\r\n",
    },
    // 7.0 changes the sign of a number that has no opposite.
    Change {
        request: "LPOS K C RANK -9223372036854775808",
        in_7_0: ":7\r\n",
        in_7_2: "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n",
    },
    // HELLO looks at all its options before it carries out the first.
    Change {
        request: "HELLO 2 AUTH NOBODY SECRET SETNAME A B",
        in_7_0: "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
        in_7_2: "-ERR Client names cannot contain spaces, newlines or special characters.\r\n",
    },
    // A zero byte ends the name that is checked.
    Change {
        request: "CLIENT SETNAME \0",
        in_7_0: "-ERR Client names cannot contain spaces, newlines or special characters.\r\n",
        in_7_2: "+OK\r\n",
    },
    // 7.2 can switch the log off.
    Change {
        request: "CONFIG SET LOGLEVEL",
        in_7_0: "debug, verbose, notice, warning\r\n",
        in_7_2: "debug, verbose, notice, warning, nothing\r\n",
    },
    // HELP of every command.
    Change {
        request: "",
        in_7_0: "+    Prints this help.\r\n",
        in_7_2: "+    Print this help.\r\n",
    },
];

/// Names of things and what there is to choose from, separated by ` | `. A choice may name other pools.
pub type Pools<'a> = &'a [(&'a str, &'a str)];

/// What is certain about a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Every byte.
    Bytes,
    /// The elements, in any order.
    Elements,
    /// Elements that come in pairs, in any order.
    Pairs,
    /// The same of the second element of two, if the first says that this is all there is.
    Scanned { pairs: bool },
    /// A number, or one that is nearly the same.
    Near(i64),
    /// The types of values and the numbers of elements.
    Shape,
}

/// What is certain about the reply to a request.
fn rule(arguments: &[Vec<u8>]) -> Rule {
    let word = |index: usize| {
        let word = arguments.get(index).map(Vec::as_slice);
        String::from_utf8_lossy(word.unwrap_or_default()).to_ascii_uppercase()
    };
    match (word(0).as_str(), word(1).as_str()) {
        ("KEYS" | "HKEYS" | "HVALS", _) | ("COMMAND", "LIST") => Rule::Elements,
        ("SMEMBERS" | "SINTER" | "SUNION" | "SDIFF", _) => Rule::Elements,
        ("HGETALL", _) | ("CONFIG", "GET") => Rule::Pairs,
        ("SCAN" | "SSCAN", _) => Rule::Scanned { pairs: false },
        ("HSCAN" | "ZSCAN", _) => Rule::Scanned { pairs: true },
        ("TTL" | "EXPIRETIME", _) | ("OBJECT", "IDLETIME") => Rule::Near(2),
        ("PTTL" | "PEXPIRETIME", _) => Rule::Near(2000),
        ("HRANDFIELD" | "SRANDMEMBER" | "SPOP" | "ZRANDMEMBER" | "RANDOMKEY" | "TIME", _) => {
            Rule::Shape
        }
        _ => Rule::Bytes,
    }
}

/// A reply, as it came and as what it means.
#[derive(Clone, Debug)]
pub struct Answer {
    pub bytes: Vec<u8>,
    pub value: Value,
}

/// A connection that keeps the bytes of replies.
pub struct RawClient {
    pub stream: TcpStream,
    received: Vec<u8>,
}

impl RawClient {
    pub fn connect(port: u16) -> RawClient {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("it accepts connections");
        stream.set_nodelay(true).expect("a socket option");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a socket option");
        RawClient {
            stream,
            received: Vec::new(),
        }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server reads");
    }

    /// The next reply; `None` if the connection has ended.
    pub fn receive(&mut self) -> Option<Answer> {
        match self.try_receive() {
            Ok(answer) => answer,
            Err(error) => panic!("the server does not answer: {error}"),
        }
    }

    /// The next reply if it has come already, `None` if the connection has ended, [`ErrorKind::WouldBlock`] if neither.
    pub fn receive_now(&mut self) -> std::io::Result<Option<Answer>> {
        self.stream.set_nonblocking(true)?;
        let answer = self.try_receive();
        self.stream.set_nonblocking(false)?;
        answer
    }

    fn try_receive(&mut self) -> std::io::Result<Option<Answer>> {
        let mut decoder = Decoder::default();
        let mut len = 0;
        loop {
            let decoded = decoder.decode(&self.received[len..]);
            let (consumed, value) =
                decoded.unwrap_or_else(|error| panic!("{error}: {}", shown(&self.received)));
            len += consumed;
            if let Some(value) = value {
                let bytes = self.received.drain(..len).collect();
                return Ok(Some(Answer { bytes, value }));
            }
            let mut piece = [0; 16 * 1024];
            match self.stream.read(&mut piece)? {
                0 => return Ok(None),
                read => self.received.extend_from_slice(&piece[..read]),
            }
        }
    }

    /// All that comes until these bytes, or until the server closes the connection.
    fn receive_until(&mut self, end: &[u8]) -> Vec<u8> {
        let mut all = std::mem::take(&mut self.received);
        let patience = Some(Duration::from_secs(5));
        self.stream.set_read_timeout(patience).expect("an option");
        let mut piece = [0; 16 * 1024];
        while !all.ends_with(end) {
            match self.stream.read(&mut piece) {
                Ok(0) => return all,
                // It was closed while there was more to read than the server wanted.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return all,
                Ok(read) => all.extend_from_slice(&piece[..read]),
                Err(error) => return [&all[..], error.to_string().as_bytes()].concat(),
            }
        }
        all
    }
}

/// Who hears what a server tells of its keys.
struct Listener {
    subscriber: RawClient,
    /// Says when all has been told.
    publisher: RawClient,
}

impl Listener {
    fn connect(port: u16) -> Listener {
        let [mut subscriber, publisher] = [0, 1].map(|_| RawClient::connect(port));
        subscriber.send(&request(&["DEBUG", "SET-ACTIVE-EXPIRE", "0"]));
        subscriber.send(&request(&["PSUBSCRIBE", "__key*@*__:*"]));
        let answers = [subscriber.receive(), subscriber.receive()];
        assert!(answers.iter().all(Option::is_some));
        Listener {
            subscriber,
            publisher,
        }
    }

    /// The events since the last time.
    fn heard(&mut self) -> Vec<String> {
        const END: &str = "__keyend@0__:";
        self.publisher.send(&request(&["PUBLISH", END, ""]));
        let answer = self.publisher.receive().expect("it answers");
        assert_eq!(answer.bytes, b":1\r\n");
        let messages = std::iter::from_fn(|| {
            let answer = self.subscriber.receive().expect("it tells");
            let [_, _, channel, message] = &super::strings(answer.value)[..] else {
                panic!("a message of a pattern has four parts")
            };
            let is_end = channel == END.as_bytes();
            (!is_end).then(|| format!("{} {}", shown(channel), shown(message)))
        });
        messages.collect()
    }
}

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

    /// Also compares what the servers tell of their keys: every event, in order. Keys that are due go when somebody asks for
    /// them, and not before, which would depend on the clock.
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

    /// Runs scripts in both versions of the protocol. A line is a request as it is typed in redis-cli; an empty line
    /// clears all data; `#` begins a comment.
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
        for line in script.lines().map(str::trim) {
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
            super::wait_until("the key expires", || {
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

    /// Requests on connections of their own, sent at once, to which so many replies are expected.
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

    /// Random requests in both versions of the protocol, and then the data that they left. Each is made from a line of
    /// `commands`: `{key}` is one of the pool `key`, `{key}+3` are one to three, `{key}*3` are none to three.
    ///
    /// `ORACLE_SEED=7 ORACLE_COMMANDS=100000 cargo test random` tries more than the tests usually do.
    pub fn random(&mut self, commands: &str, pools: Pools) {
        let commands: Vec<&str> = commands
            .lines()
            .map(str::trim)
            .filter(|it| !it.is_empty())
            .collect();
        let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        let seed = number("ORACLE_SEED").unwrap_or(1);
        let count = number("ORACLE_COMMANDS").unwrap_or(4000) as usize;
        for protocol in [2, 3] {
            self.reconnect(protocol);
            self.clear();
            let mut random = Rng::with_seed(seed + u64::from(protocol));
            let mut sent: Vec<Vec<Vec<u8>>> = Vec::new();
            while sent.len() < count && self.differences.len() < ENOUGH {
                let first = sent.len();
                sent.extend((0..BATCH).map(|_| {
                    let command = random.choice(&commands).expect("there are some");
                    expand(command, pools, &mut random)
                }));
                let batch: Vec<u8> = sent[first..].iter().flat_map(|it| request(it)).collect();
                self.clients
                    .iter_mut()
                    .for_each(|client| client.send(&batch));
                for index in first..sent.len() {
                    if let Some(difference) = self.compare_next(&sent[index]) {
                        let before = &sent[index.saturating_sub(SHOWN_BEFORE)..index];
                        self.report(&format!("seed {seed}\n{}{difference}", lines(before)));
                    }
                }
                if let Some(difference) = self.compare_events() {
                    let batch = lines(&sent[first..]);
                    self.report(&format!("seed {seed}\n{batch}{difference}"));
                }
            }
            self.compare_data(&format!("seed {seed}, after {} commands\n", sent.len()));
        }
    }

    /// Compares what both servers hold: keys, types, values, deadlines, encodings.
    pub fn compare_data(&mut self, context: &str) {
        for database in 0..DATABASES {
            let mut report = Vec::new();
            report.extend(self.ask(&words(&["SELECT", &database.to_string()])));
            report.extend(self.ask(&words(&["DBSIZE"])));
            for key in self.keys() {
                let about = |command: &[&str]| [words(command), vec![key.clone()]].concat();
                let value = match self.asked_alone(&about(&["TYPE"])).as_slice() {
                    b"+string\r\n" => about(&["GET"]),
                    b"+list\r\n" => [about(&["LRANGE"]), words(&["0", "-1"])].concat(),
                    b"+hash\r\n" => about(&["HGETALL"]),
                    b"+set\r\n" => about(&["SMEMBERS"]),
                    b"+zset\r\n" => {
                        [about(&["ZRANGE"]), words(&["0", "-1", "WITHSCORES"])].concat()
                    }
                    other => panic!("{} is of type {}", shown(&key), shown(other)),
                };
                report.extend(self.ask(&value));
                let encoding = about(&["OBJECT", "ENCODING"]);
                for request in [about(&["TYPE"]), about(&["PTTL"]), encoding.clone()] {
                    report.extend(self.ask(&request));
                }
                // A listpack has an order.
                if value[0] == b"HGETALL" && self.asked_alone(&encoding) == b"$8\r\nlistpack\r\n" {
                    let answers = [0, 1].map(|index| self.ask_one(index, &value));
                    if answers[0] != answers[1] {
                        let [ours, real] = answers.map(|answer| shown(&answer));
                        report.push(format!(
                            "order of {value:?}\n  Redis: {real}\n  ours:  {ours}\n"
                        ));
                    }
                }
            }
            if !report.is_empty() {
                self.report(&format!(
                    "{context}database {database}\n{}",
                    report.concat()
                ));
            }
        }
        let _ = self.ask(&words(&["SELECT", "0"]));
    }

    /// The keys of the current database of our server; that the other has as many, DBSIZE says.
    fn keys(&mut self) -> Vec<Vec<u8>> {
        self.clients[0].send(&request(&["KEYS", "*"]));
        let answer = self.clients[0].receive().expect("it answers");
        let Value::Array(keys) = answer.value else {
            panic!("KEYS gives an array")
        };
        let keys = keys.into_iter().map(|key| match key {
            Value::Bulk(key) => key,
            other => panic!("a key is a string, not {other:?}"),
        });
        keys.collect()
    }

    /// What our server alone answers.
    fn asked_alone(&mut self, arguments: &[Vec<u8>]) -> Vec<u8> {
        self.ask_one(0, arguments)
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

/// A random request of the form that the template says.
fn expand(template: &str, pools: Pools, random: &mut Rng) -> Vec<Vec<u8>> {
    let mut request = Vec::new();
    for word in split_arguments(template.as_bytes()).expect("the quotes are balanced") {
        let inner = std::str::from_utf8(&word)
            .ok()
            .and_then(|text| text.strip_prefix('{'));
        let Some((name, times)) = inner.and_then(|inner| inner.split_once('}')) else {
            request.push(word);
            continue;
        };
        let most = || times[1..].parse().expect("a number");
        let times = match times.as_bytes().first() {
            None => 1,
            Some(b'+') => random.usize(1..=most()),
            _ => random.usize(0..=most()),
        };
        let pool = pools
            .iter()
            .find(|pool| pool.0 == name)
            .unwrap_or_else(|| panic!("no pool {name}"));
        let choices: Vec<&str> = pool.1.split('|').collect();
        for _ in 0..times {
            let choice = random.choice(&choices).expect("there are some");
            request.extend(expand(choice, pools, random));
        }
    }
    request
}

fn is_same(rule: Rule, ours: &Answer, real: &Answer) -> bool {
    if ours.bytes == real.bytes {
        return true;
    }
    match rule {
        Rule::Bytes => false,
        Rule::Elements => sorted(&ours.value, false) == sorted(&real.value, false),
        Rule::Pairs => sorted(&ours.value, true) == sorted(&real.value, true),
        Rule::Scanned { pairs } => match (&ours.value, &real.value) {
            (Value::Array(ours), Value::Array(real)) if ours.len() == 2 && real.len() == 2 => {
                let is_all = |it: &[Value]| it[0] == Value::Bulk(b"0".to_vec());
                let is_part = !is_all(ours) || !is_all(real);
                is_part || sorted(&ours[1], pairs) == sorted(&real[1], pairs)
            }
            _ => false,
        },
        Rule::Near(distance) => match (&ours.value, &real.value) {
            // Negative numbers are answers of another kind.
            (Value::Integer(ours), Value::Integer(real)) if *ours >= 0 && *real >= 0 => {
                ours.abs_diff(*real) <= distance.unsigned_abs()
            }
            _ => false,
        },
        Rule::Shape => shape(&ours.value) == shape(&real.value),
    }
}

/// The elements in an order of their own; `None` if the value has no elements.
fn sorted(value: &Value, in_pairs: bool) -> Option<Vec<String>> {
    let text = |elements: &[Value]| format!("{elements:?}");
    let mut elements: Vec<String> = match value {
        Value::Array(elements) if in_pairs => elements.chunks(2).map(text).collect(),
        Value::Array(elements) => elements.chunks(1).map(text).collect(),
        Value::Map(pairs) => {
            let pairs = pairs.iter().cloned();
            pairs.map(|(key, value)| text(&[key, value])).collect()
        }
        _ => return None,
    };
    elements.sort();
    Some(elements)
}

fn shape(value: &Value) -> String {
    match value {
        Value::Array(elements) => {
            let shapes: Vec<String> = elements.iter().map(shape).collect();
            format!("array of {}", shapes.join(", "))
        }
        Value::Bulk(_) => "string".to_string(),
        Value::Error(_) => format!("{value:?}"),
        other => format!("{:?}", std::mem::discriminant(other)),
    }
}

/// The reply of 7.0 with what has changed since.
fn as_7_2_says(arguments: &[Vec<u8>], real: &[u8]) -> Vec<u8> {
    let line = String::from_utf8_lossy(&arguments.join(&b' ')).to_ascii_uppercase();
    let changes = CHANGED_IN_7_2
        .iter()
        .filter(|change| line.starts_with(change.request));
    changes.fold(real.to_vec(), |reply, change| {
        replace(&reply, change.in_7_0.as_bytes(), change.in_7_2.as_bytes())
    })
}

/// Whether this is the reply to HELLO, which tells the version and the number of the client.
fn is_greeting(reply: &[u8]) -> bool {
    reply.windows(8).any(|part| part == b"\nserver\r")
}

fn replace(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    match bytes.windows(old.len()).position(|part| part == old) {
        None => bytes.to_vec(),
        Some(place) => [
            &bytes[..place],
            new,
            &replace(&bytes[place + old.len()..], old, new),
        ]
        .concat(),
    }
}

/// A request from words.
pub fn words<W: AsRef<[u8]>>(words: &[W]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.as_ref().to_vec()).collect()
}

/// Bytes as text, cut if there are many.
fn shown(bytes: &[u8]) -> String {
    const MOST: usize = 600;
    let cut = bytes.get(..MOST);
    let mark = if cut.is_some() { " ..." } else { "" };
    format!("{}{mark}", cut.unwrap_or(bytes).escape_ascii())
}

/// A request as one would type it.
fn line(arguments: &[Vec<u8>]) -> String {
    let words = arguments.iter().map(|argument| {
        let mut word = Vec::new();
        quote(argument, &mut word);
        let is_plain =
            argument.len() + 2 == word.len() && !argument.is_empty() && !argument.contains(&b' ');
        let word = shown(&word[..word.len().min(200)])
            .replace("\\\"", "\"")
            .replace("\\\\", "\\");
        if is_plain {
            word.trim_matches('"').to_string()
        } else {
            word
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn lines(requests: &[Vec<Vec<u8>>]) -> String {
    requests
        .iter()
        .map(|request| format!("> {}\n", line(request)))
        .collect()
}
