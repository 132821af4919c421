//! A client that sends random commands of all families, with transactions, scripts and functions, beside one that waits
//! for keys. The commands depend on the seed alone. What they do depends on the clock too: keys expire meanwhile.

use super::random::all_commands;
use crate::common::oracle::{Pools, Templates};
use crate::common::{Client, Server, wait_until};
use fastrand::Rng;
use my_redis_server::resp::decoder::Value;

/// Scripts, functions, transactions. Some scripts end with an error after they have changed something.
const SCRIPTS: &str = r#"
    MULTI
    EXEC
    EXEC
    EXEC
    DISCARD
    EVAL "for i = 1, 3 do redis.call('RPUSH', KEYS[1], ARGV[1] .. i) end" 1 {key} {element}
    EVAL "redis.call('INCR', KEYS[1]) return redis.call('SPOP', KEYS[2])" 2 {number} {key}
    EVAL "redis.call('SELECT', ARGV[1]) redis.call('INCR', 'n') redis.call('INCRBYFLOAT', 'm', 0.1)" 0 {database}
    EVAL "redis.call('SET', KEYS[1], redis.call('TIME')[2], 'PX', ARGV[1])" 1 {key} {moment}
    EVAL "redis.pcall('XADD', KEYS[1], '*', 'f', 'v') redis.call('DEL', KEYS[2])" 2 {stream} {key}
    EVAL "return redis.call('SET', KEYS[1], math.random())" 1 {key}
    FUNCTION LOAD REPLACE {one}
    FUNCTION LOAD {two}
    FUNCTION DELETE {library}
    FCALL set 2 {key} {number} {element}
    FCALL move 2 {key} {key}
    FCALL move 2 {key} {key}
"#;

const POOLS_OF_SCRIPTS: Pools = &[
    ("key", "a | b | c | d | e | f | g | l | s"),
    ("stream", "x | y"),
    ("number", "n | m"),
    ("element", "a | b | 1 | \"\" | abcdefghijk"),
    ("moment", "1 | 5 | 50 | 500"),
    ("database", "0 | 0 | 1 | 2 | 15"),
    ("library", "one | two | two"),
    (
        "one",
        "\"#!lua name=one\\nredis.register_function('set', function(keys, args) redis.call('SET', keys[1], args[1]) \
         return redis.call('INCR', keys[2]) end)\"",
    ),
    (
        "two",
        "\"#!lua name=two\\nredis.register_function('move', function(keys) \
         return redis.call('LMOVE', keys[1], keys[2], 'LEFT', 'RIGHT') end)\"",
    ),
];

/// Clients of a server: one sends commands, one waits for keys, one looks after the other two.
pub struct Clients {
    sender: Client,
    is_in_transaction: bool,
    waiter: Client,
    waiter_id: String,
    is_waiting: bool,
    pub control: Client,
}

impl Clients {
    pub fn connect(server: &Server) -> Clients {
        let mut waiter = server.client();
        Clients {
            waiter_id: waiter.integer(&["CLIENT", "ID"]).to_string(),
            sender: server.client(),
            is_in_transaction: false,
            waiter,
            is_waiting: false,
            control: server.client(),
        }
    }

    /// Sends this many random commands, and awaits what each of them does.
    pub fn run(&mut self, commands_to_send: usize, random: &mut Rng) {
        let mut commands = all_commands();
        let scripts = (SCRIPTS.to_string(), POOLS_OF_SCRIPTS);
        commands.extend([scripts.clone(), scripts]);
        let families: Vec<Templates> = commands
            .iter()
            .map(|(commands, pools)| Templates::new(commands, pools))
            .collect();
        for _ in 0..commands_to_send {
            let request = random
                .choice(&families)
                .expect("there are some")
                .request(random);
            let database = random.choice(["0", "0", "1"]).expect("there are some");
            match !self.is_in_transaction && may_wait(&request) {
                true => self.wait(database, &request),
                false => self.send(&request),
            }
        }
        self.end_wait();
        if self.is_in_transaction {
            self.send(&[b"EXEC".to_vec()]);
        }
    }

    fn send(&mut self, request: &[Vec<u8>]) {
        let reply = self.sender.call(request);
        let is_error = matches!(reply, Value::Error(_));
        match &request[0][..] {
            b"MULTI" if !is_error => self.is_in_transaction = true,
            // EXEC that fails has ended the transaction.
            b"EXEC" | b"DISCARD" => self.is_in_transaction = false,
            _ => {}
        }
    }

    /// Has the waiter send a request, and returns when it waits or has its reply.
    fn wait(&mut self, database: &str, request: &[Vec<u8>]) {
        self.end_wait();
        self.waiter.ask(&format!("SELECT {database}"));
        self.waiter.send(request);
        self.is_waiting = true;
        wait_until("it waits or is served", || {
            self.control.info_of("clients", "blocked_clients") == "1" || has_reply(&self.waiter)
        });
    }

    fn end_wait(&mut self) {
        if std::mem::take(&mut self.is_waiting) {
            self.control
                .integer(&["CLIENT", "UNBLOCK", &self.waiter_id]);
            self.waiter.receive();
        }
    }
}

fn may_wait(request: &[Vec<u8>]) -> bool {
    const WAITING: [&[u8]; 8] = [
        b"BLPOP",
        b"BRPOP",
        b"BLMOVE",
        b"BRPOPLPUSH",
        b"BLMPOP",
        b"BZPOPMIN",
        b"BZPOPMAX",
        b"BZMPOP",
    ];
    let is_block = |word: &Vec<u8>| word.eq_ignore_ascii_case(b"BLOCK");
    WAITING.contains(&&request[0][..])
        || request[0].starts_with(b"XREAD") && request.iter().any(is_block)
}

fn has_reply(client: &Client) -> bool {
    client.stream.set_nonblocking(true).expect("an option");
    let has_reply = client.stream.peek(&mut [0]).is_ok();
    client.stream.set_nonblocking(false).expect("an option");
    has_reply
}

/// `ORACLE_SEED=7` has other commands tried.
pub fn seed(number: u64) -> u64 {
    let first = std::env::var("ORACLE_SEED").map_or(1, |text| text.parse().expect("a number"));
    first * 10 + number
}
