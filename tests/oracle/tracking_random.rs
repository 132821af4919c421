//! Client-side caching with random commands of several clients: our server and a real redis-server must send each of
//! them the same bytes, replies and messages, in the same order.
//!
//! After each step every client asks for an echo. What the step made the server tell it comes before the answer: the
//! server sends messages to others before it answers the client that caused them.
//!
//! Not drawn are commands whose outcome depends on chance or on the clock, and what 7.2 remembers otherwise than 7.0:
//! what a script reads, and waits for streams. In 7.0 a client that gets messages for another one hears of its own
//! changes before the reply; so messages are sent on to the subscriber, which changes nothing, or to their own client.

use crate::common::oracle::{RawClient, words};
use crate::common::{Folder, Server, request};
use fastrand::Rng;

/// What the clients speak at first.
const PROTOCOLS: [u8; 5] = [3, 3, 2, 2, 2];
/// The client that only listens.
const SUBSCRIBER: usize = 3;
const STEPS: usize = 1000;

const READS: &str = "GET {k}|MGET {k} {k}|STRLEN {k}|EXISTS {k} {k}|TTL {k}|TYPE {k}|TOUCH {k}|LRANGE l{k} 0 -1|\
    SINTER s{k} s{k}|HGET h{k} f|ZRANGE z{k} 0 -1|XRANGE x{k} - +|XREAD STREAMS x{k} x{k} 0 0|PFCOUNT p{k}|\
    BITCOUNT {k}|SORT_RO l{k} ALPHA|GETRANGE {k} 0 1|GEOSEARCH z{k} FROMLONLAT 0 0 BYRADIUS 1 m|DBSIZE";
const WRITES: &str = "SET {k} {n}|SET {k} {n}|SET {k} {n} NX|SET {k} {n} GET|MSET {k} {n} {k} {n}|DEL {k}|DEL {k} {k}|\
    APPEND {k} {n}|INCR {k}|EXPIRE {k} 1000|EXPIRE {k} -1|PERSIST {k}|GETEX {k} EX 1000|GETDEL {k}|RENAME {k} {k}|\
    COPY {k} {k} REPLACE|MOVE {k} 3|RPUSH l{k} {n}|LPOP l{k}|LMOVE l{k} l{k} LEFT RIGHT|SADD s{k} {n}|SREM s{k} {n}|\
    SMOVE s{k} s{k} {n}|SUNIONSTORE s{k} s{k} s{k}|HSET h{k} f {n}|HDEL h{k} f|ZADD z{k} {n} m|ZPOPMIN z{k}|\
    XTRIM x{k} MAXLEN 1|XADD x{k} {n}-* f v|XGROUP CREATE x{k} g 0 MKSTREAM|XSETID x{k} 99-99|PFADD p{k} {n}|\
    PFMERGE p{k} p{k}|SETBIT {k} 3 1|BITOP NOT {k} {k}|SORT l{k} ALPHA STORE l{k}|FLUSHDB|FLUSHALL|SWAPDB 0 1|\
    RESTORE {k} 0 x|SWAPDB 0 0|WATCH {k}|UNWATCH";
const MODES: &str = "|NOLOOP|OPTIN|OPTOUT|OPTOUT NOLOOP|BCAST|BCAST NOLOOP|BCAST PREFIX a PREFIX l|\
    BCAST NOLOOP PREFIX b PREFIX s|BCAST PREFIX x PREFIX lb|OPTIN NOLOOP|REDIRECT {c}|NOLOOP REDIRECT {c}|\
    BCAST PREFIX a REDIRECT {c}";
/// Not for scripts.
const OTHERS: &str = "BLPOP l{k} l{k} 0.001|BLMOVE l{k} l{k} LEFT LEFT 0.001|DEBUG RELOAD|CLIENT CACHING YES|\
    CLIENT CACHING NO|CLIENT CACHING YES|CLIENT GETNAME|CLIENT TRACKING OFF|\
    CLIENT REPLY ON|HELLO 2|HELLO 3";

/// What all clients of one server were sent since the last step.
type Heard = Vec<Vec<u8>>;

struct World {
    clients: Vec<RawClient>,
    ids: Vec<String>,
    /// Clients that have subscribed: in RESP2, their answer to PING has another form.
    marks: usize,
}

impl World {
    fn new(server: &Server) -> World {
        let mut clients: Vec<_> = PROTOCOLS
            .iter()
            .map(|_| RawClient::connect(server.port))
            .collect();
        let ids = clients.iter_mut().map(|client| {
            client.send(&request(&words(&["CLIENT", "ID"])));
            let id = client.receive().expect("it answers").bytes;
            String::from_utf8_lossy(&id[1..]).trim().to_string()
        });
        let ids = ids.collect();
        let mut world = World {
            clients,
            ids,
            marks: 0,
        };
        for (index, protocol) in PROTOCOLS.iter().enumerate() {
            let line = vec!["HELLO".to_string(), protocol.to_string()];
            world.play(index, &[line]);
        }
        let subscribe = ["SUBSCRIBE", "__redis__:invalidate"].map(String::from);
        world.play(SUBSCRIBER, &[subscribe.to_vec()]);
        world
    }

    /// Lets a client send these requests at once. `@3` is the number of the client at that place, `@own` is its own.
    /// Returns what each client was sent.
    fn play(&mut self, actor: usize, requests: &[Vec<String>]) -> Heard {
        let bytes = requests.iter().flat_map(|words| {
            let named = words.iter().map(|word| match word.strip_prefix('@') {
                Some(place) => self.ids[place.parse().unwrap_or(actor)].clone(),
                None => word.clone(),
            });
            request(&named.collect::<Vec<_>>())
        });
        let bytes: Vec<u8> = bytes.collect();
        self.clients[actor].send(&bytes);
        let others = (0..self.clients.len()).filter(|client| *client != actor);
        let order: Vec<usize> = std::iter::once(actor).chain(others).collect();
        let mut heard = vec![Vec::new(); self.clients.len()];
        // What the client hears of its own broadcast comes behind the replies to the requests, and before the next one
        // is answered that comes in later.
        for _ in requests {
            self.hear_reply(actor, &mut heard[actor]);
        }
        for index in order {
            self.marks += 1;
            let mark = format!("mark{}", self.marks);
            self.clients[index].send(&request(&words(&["PING", &mark])));
            while !heard[index].ends_with(format!("{mark}\r\n").as_bytes()) {
                self.hear(index, &mut heard[index]);
            }
        }
        heard
    }

    /// Adds what a client is sent up to the next reply, with that.
    fn hear_reply(&mut self, index: usize, heard: &mut Vec<u8>) {
        while self.hear(index, heard) {}
    }

    /// Adds what a client is sent next. Returns whether it is a message.
    fn hear(&mut self, index: usize, heard: &mut Vec<u8>) -> bool {
        let answer = self.clients[index].receive();
        let bytes = answer.expect("it stays connected").bytes;
        if bytes.windows(7).any(|part| part == b"version") {
            // The reply to HELLO, which tells the version.
            heard.extend_from_slice(b"(greeting)");
        } else if let Some(null) = bytes.strip_suffix(b"invalidate\r\n_\r\n") {
            // In which form the null comes to another client is a matter of its own: see `message` in the source.
            heard.extend([null, b"invalidate\r\n$-1\r\n"].concat());
        } else {
            heard.extend_from_slice(&bytes);
        }
        bytes.starts_with(b">") || bytes.starts_with(b"*3\r\n$7\r\nmessage\r\n")
    }
}

fn draw(random: &mut Rng, list: &str) -> Vec<String> {
    let all: Vec<&str> = list.split('|').collect();
    let drawn = all[random.usize(..all.len())];
    drawn
        .split_whitespace()
        .map(|word| {
            let key = ["a", "a1", "ab", "b", "c"][random.usize(..5)];
            let place = ["@own", "@3"][random.usize(..2)];
            word.replace("{k}", key)
                .replace("{n}", &random.usize(..9).to_string())
                .replace("{c}", place)
        })
        .collect()
}

fn read_or_write(random: &mut Rng) -> Vec<String> {
    let list = if random.bool() { READS } else { WRITES };
    draw(random, list)
}

fn script(random: &mut Rng) -> Vec<String> {
    let calls = (0..random.usize(1..4)).map(|_| {
        let words = draw(random, WRITES);
        let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        format!("redis.pcall({})", words.join(","))
    });
    let body = calls.collect::<Vec<_>>().join(" ");
    let mut line = vec!["EVAL".to_string(), body + " return 1"];
    // Sometimes it declares its keys, sometimes it does not.
    let keys: Vec<String> = ["", "l", "s", "h", "z", "x", "p"]
        .iter()
        .flat_map(|kind| ["a", "a1", "ab", "b", "c"].map(|key| format!("{kind}{key}")))
        .collect();
    let declared = if random.bool() { &keys[..] } else { &[] };
    line.push(declared.len().to_string());
    line.extend_from_slice(declared);
    line
}

fn step(random: &mut Rng) -> (usize, Vec<Vec<String>>) {
    let actor = [0, 1, 2, 4, 4][random.usize(..5)];
    let requests = match random.usize(..20) {
        0..2 => {
            let off: Vec<String> = ["CLIENT", "TRACKING", "OFF"].map(String::from).to_vec();
            let mut on: Vec<String> = ["CLIENT", "TRACKING", "ON"].map(String::from).to_vec();
            on.extend(draw(random, MODES));
            if random.bool() {
                vec![off, on]
            } else {
                vec![on]
            }
        }
        2 => vec![draw(random, OTHERS), draw(random, READS)],
        3..9 => vec![draw(random, READS)],
        9..15 => vec![draw(random, WRITES)],
        15 => vec![script(random)],
        16..18 => (0..4).map(|_| read_or_write(random)).collect(),
        _ => {
            let queued = (0..3).map(|_| read_or_write(random));
            let begin = std::iter::once(vec!["MULTI".to_string()]);
            let end = std::iter::once(vec!["EXEC".to_string()]);
            begin.chain(queued).chain(end).collect()
        }
    };
    (actor, requests)
}

#[test]
fn everybody_is_sent_the_same() {
    let folders = [Folder::new(), Folder::new()];
    let options = [
        "--databases",
        "16",
        "--save",
        "",
        "--enable-debug-command",
        "yes",
    ];
    let servers = [
        Server::ours(&folders[0], &options),
        Server::real(&folders[1], &options),
    ];
    for seed in 0..4 {
        let mut random = Rng::with_seed(seed);
        let mut worlds = [0, 1].map(|index| World::new(&servers[index]));
        let mut played = vec![];
        for world in &mut worlds {
            world.play(4, &[vec!["FLUSHALL".to_string()]]);
        }
        for number in 0..STEPS {
            let (actor, requests) = step(&mut random);
            let [ours, real] = worlds.each_mut().map(|world| world.play(actor, &requests));
            played.push(format!("{actor}: {requests:?}"));
            let shown = |heard: &Heard| {
                let lines = heard.iter().map(|bytes| bytes.escape_ascii().to_string());
                lines.collect::<Vec<_>>().join("\n    ")
            };
            assert!(
                ours == real,
                "seed {seed}, step {number}\n{}\nours:\n    {}\nreal:\n    {}",
                played[number.saturating_sub(15)..].join("\n"),
                shown(&ours),
                shown(&real)
            );
        }
    }
}
