//! Scripts with several connections: what one of them does decides what others are sent.
//!
//! ```text
//! A: BLPOP k 0              a request of the connection A
//! B: RPUSH k x y            and what came back to any of them is noted when the server has come to rest
//! B: CLIENT UNBLOCK $A      $A is the id of the connection A
//! A: (leaves)               it closes
//! ```
//!
//! A server is at rest when every connection that still expects replies waits for a key (INFO `blocked_clients`). So no
//! step has to wait for a fixed time, and the same script gives the same transcript on every server that does the same.
//! Messages of channels and the lines of MONITOR answer no request; they are sent before the client that caused them
//! gets an answer.

use super::oracle::{RawClient, as_7_2_says, words};
use super::{Client, Folder, PATIENCE, Server, request, wait_until};
use my_redis_server::resp::decoder::Value;
use my_redis_server::util::quoting::{quote, split_arguments};
use std::collections::BTreeMap;
use std::time::Instant;

/// A connection of the script.
struct Actor {
    client: RawClient,
    id: i64,
    /// How many replies are yet to come.
    expected: usize,
    is_gone: bool,
}

struct Stage<'a> {
    server: &'a Server,
    protocol: u8,
    /// Looks on.
    director: Client,
    actors: BTreeMap<String, Actor>,
    transcript: Vec<String>,
}

/// Plays scripts on our server and on a real one, in both protocol versions, and compares what happens.
pub fn compare(scripts: &[&str]) {
    let folders = [Folder::new(), Folder::new()];
    let options = ["--databases", "16", "--enable-debug-command", "yes"];
    let ours = Server::ours(&folders[0], &[&options[..], &["--save", ""]].concat());
    let real = Server::real(&folders[1], &options);
    for (script, protocol) in scripts.iter().flat_map(|script| [(script, 2), (script, 3)]) {
        let (ours, real) = (play(&ours, protocol, script), play(&real, protocol, script));
        let first = ours.iter().zip(&real).position(|(ours, real)| ours != real);
        let first = first.unwrap_or(ours.len().min(real.len()));
        assert!(
            ours == real,
            "RESP{protocol}\n{}\nours: {:#?}\nreal: {:#?}",
            ours[..first].join("\n"),
            ours.get(first),
            real.get(first)
        );
    }
}

/// Plays scripts on our server alone, in both protocol versions. What comes of a step stands behind it in the script,
/// as in `to A: ":1\r\n"`, unless it is only OK or QUEUED: what Redis 7.2 does, where 7.0 does something else.
pub fn check(scripts: &[&str]) {
    check_in(&[2, 3], scripts);
}

/// [`check`] in one version of the protocol, if replies depend on it.
pub fn check_in(protocols: &[u8], scripts: &[&str]) {
    let folder = Folder::new();
    let options = ["--databases", "16", "--enable-debug-command", "yes"];
    let ours = Server::ours(&folder, &[&options[..], &["--save", ""]].concat());
    let in_each = |script| protocols.iter().map(move |protocol| (script, *protocol));
    for (script, protocol) in scripts.iter().flat_map(in_each) {
        let expected = script.lines().map(str::trim);
        let expected: Vec<&str> = expected.filter(|line| !line.is_empty()).collect();
        let steps = expected.iter().copied();
        let is_step = |line: &&str| !line.starts_with("to ") && !line.ends_with(" is disconnected");
        let steps: Vec<&str> = steps.filter(is_step).collect();
        let mut played = play(&ours, protocol, &steps.join("\n"));
        played.retain(|line| !line.ends_with(r#": "+OK\r\n""#));
        played.retain(|line| !line.ends_with(r#": "+QUEUED\r\n""#));
        let played: Vec<&str> = played.iter().map(|line| line.trim()).collect();
        assert_eq!(played, expected, "RESP{protocol}");
    }
}

/// Plays a script, and returns every step with what it led to.
fn play(server: &Server, protocol: u8, script: &str) -> Vec<String> {
    let mut stage = Stage {
        server,
        protocol,
        director: server.client(),
        actors: BTreeMap::new(),
        transcript: Vec::new(),
    };
    stage.director.call(&["FLUSHALL"]);
    let lines = script.lines().map(str::trim);
    for line in lines.filter(|line| !line.is_empty()) {
        stage.transcript.push(line.to_string());
        let (name, request) = line.split_once(": ").expect("NAME: REQUEST");
        stage.act(name, request);
        stage.settle();
    }
    stage.transcript
}

impl Stage<'_> {
    fn act(&mut self, name: &str, line: &str) {
        if line == "(leaves)" {
            let actor = self.actors.remove(name);
            let id = actor.expect("it has entered").id.to_string();
            // The server may take notice of it only after it has answered others.
            wait_until("the server knows that the client is gone", || {
                self.director.call(&["CLIENT", "LIST", "ID", &id]) == Value::Bulk(Vec::new())
            });
            return;
        }
        if !self.actors.contains_key(name) {
            let actor = self.enter();
            self.actors.insert(name.to_string(), actor);
        }
        let words = split_arguments(line.as_bytes()).expect("the quotes match");
        // `$` alone is the last ID of a stream.
        let with_id = |word: Vec<u8>| match word.strip_prefix(b"$") {
            Some(name) if !name.is_empty() => self.actors[std::str::from_utf8(name).unwrap()]
                .id
                .to_string()
                .into_bytes(),
            _ => word,
        };
        let words: Vec<Vec<u8>> = words.into_iter().map(with_id).collect();
        let actor = self.actors.get_mut(name).expect("it has entered");
        actor.client.send(&request(&words));
        let is_subscribing = words[0].to_ascii_uppercase().ends_with(b"SUBSCRIBE");
        actor.expected += match is_subscribing {
            true => (words.len() - 1).max(1),
            false => 1,
        };
    }

    fn enter(&self) -> Actor {
        let mut client = RawClient::connect(self.server.port);
        client.send(&request(&words(&["HELLO", &self.protocol.to_string()])));
        let answer = client.receive().expect("the server answers").value;
        Actor {
            client,
            id: id_in_hello(&answer),
            expected: 0,
            is_gone: false,
        }
    }

    /// Takes note of replies until the server is at rest.
    fn settle(&mut self) {
        let began = Instant::now();
        // Noted by connection: who hears first is left to chance.
        let mut heard: BTreeMap<String, Vec<String>> = BTreeMap::new();
        // How often in turn it was found to be: a server may answer the director before it sends what it has to send to
        // others, but it sends all that before it answers the next question.
        let mut rests = 0;
        loop {
            let mut is_silent = true;
            let present = self.actors.iter_mut().filter(|(_, actor)| !actor.is_gone);
            for (name, actor) in present {
                while let Ok(answer) = actor.client.receive_now() {
                    if answer
                        .as_ref()
                        .is_some_and(|answer| is_director(&answer.bytes))
                    {
                        continue;
                    }
                    is_silent = false;
                    let notes = heard.entry(name.clone()).or_default();
                    let Some(answer) = answer else {
                        actor.expected = 0;
                        notes.push(format!("    {name} is disconnected"));
                        actor.is_gone = true;
                        break;
                    };
                    let mut text = Vec::new();
                    let bytes = as_7_2_says(&[], &answer.bytes);
                    quote(&without_chance(&bytes), &mut text);
                    if !is_told(&answer.bytes) {
                        // Who leaves all channels gets an answer for each.
                        actor.expected = actor.expected.saturating_sub(1);
                    }
                    notes.push(format!("    to {name}: {}", String::from_utf8_lossy(&text)));
                }
            }
            // Replies that were sent before the server came to rest have been heard now.
            if rests == 2 && is_silent {
                break;
            }
            let expecting = self.actors.values().filter(|actor| actor.expected > 0);
            let expecting = expecting.count().to_string();
            rests = match self.director.info_of("clients", "blocked_clients") == expecting {
                true => (rests + 1).min(2),
                false => 0,
            };
            assert!(
                began.elapsed() < PATIENCE,
                "the server does not come to rest: {:#?}",
                self.transcript
            );
        }
        let notes: Vec<String> = heard.into_values().flatten().collect();
        self.transcript.extend(notes);
    }
}

/// The number of the connection; 0 if it has to log in, and is not told.
fn id_in_hello(answer: &Value) -> i64 {
    let fields: Vec<&Value> = match answer {
        Value::Map(pairs) => pairs.iter().flat_map(|(name, it)| [name, it]).collect(),
        Value::Array(fields) => fields.iter().collect(),
        _ => vec![],
    };
    let is_id = |pair: &&[&Value]| *pair[0] == Value::Bulk(b"id".to_vec());
    match fields.chunks(2).find(is_id) {
        Some([_, Value::Integer(id)]) => *id,
        _ => 0,
    }
}

/// Whether this is what other connections made the server tell.
fn is_told(bytes: &[u8]) -> bool {
    let word = bytes.split(|byte| *byte == b'\n').nth(2);
    let told: [&[u8]; 5] = [
        b"message\r",
        b"pmessage\r",
        b"smessage\r",
        b"invalidate\r",
        b"tracking-redir-broken\r",
    ];
    word.is_some_and(|word| told.contains(&word)) || is_shown(bytes)
}

/// Whether this is a line of MONITOR: `+1700000000.000000 [0 127.0.0.1:50000] "get" "k"`.
fn is_shown(bytes: &[u8]) -> bool {
    bytes.len() > 19 && bytes[0] == b'+' && bytes[1].is_ascii_digit() && bytes[11] == b'.'
}

/// Whether this is a line of MONITOR that shows what the director asks.
fn is_director(bytes: &[u8]) -> bool {
    is_shown(bytes) && bytes.ends_with(b"] \"INFO\" \"clients\"\r\n")
}

/// A line of MONITOR without its time and its client's port, the answer to HELLO without what differs between servers.
fn without_chance(bytes: &[u8]) -> Vec<u8> {
    if bytes[1..].starts_with(b"7\r\n$6\r\nserver") || bytes[1..].starts_with(b"14\r\n$6\r\nserver")
    {
        return [&bytes[..1], b"server ..."].concat();
    }
    // It ends with the number of a client.
    const BROKEN: &[u8] = b">2\r\n$21\r\ntracking-redir-broken\r\n";
    if bytes.starts_with(BROKEN) {
        return BROKEN.to_vec();
    }
    if !is_shown(bytes) {
        return bytes.to_vec();
    }
    let is = |wanted: u8| move |byte: &u8| *byte == wanted;
    let colon = bytes.iter().position(is(b':')).expect("an address");
    let end = bytes.iter().position(is(b']')).expect("a bracket");
    [b"+TIME", &bytes[18..=colon], b"PORT", &bytes[end..]].concat()
}
