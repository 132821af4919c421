//! Transactions, compared with a real redis-server: what is queued, what is refused, and what EXEC answers.
//! (`watch.rs` has what spoils a watch.)

use crate::common::oracle::{Oracle, RawClient, words};
use crate::common::{Folder, Server, request, stage};
use std::io::Read;

/// What one connection can try.
const ALONE: &str = r#"
EXEC
DISCARD
UNWATCH
MULTI x
EXEC x
DISCARD x
UNWATCH x
WATCH
MULTI
MULTI
WATCH k
EXEC
MULTI
SET k 1
INCR k
APPEND k 1
GET k
STRLEN k
LPUSH k x
INCR k
EXEC
MULTI
NOSUCH a
EXEC
MULTI
GET
SET k 2
EXEC
GET k
MULTI
EXEC x
EXEC
MULTI
DISCARD x
EXEC
MULTI
MULTI x
DISCARD
MULTI
WATCH
UNWATCH
EXEC
MULTI
SAVE
EXEC
MULTI
SHUTDOWN NOSAVE
DISCARD
MULTI
PSYNC ? -1
SYNC
SET k 3
EXEC
MULTI
CONFIG NOSUCH
EXEC
MULTI
PING
ECHO hello
CONFIG SET nosuch x
DEBUG SLEEP
DEBUG ERROR "MY error"
COMMAND GETKEYS GET k
CLIENT KILL ID 99999999
CLIENT UNBLOCK 99999999
EXEC

# Blocking commands do not block.
MULTI
BLPOP l 0
RPUSH l 1 2 3
BLPOP n l 0
BLMOVE l d LEFT RIGHT 0
BLMOVE n d LEFT RIGHT 0
BRPOPLPUSH n d 0
BRPOP d 0
BLMPOP 0 1 n LEFT
BLMPOP 0 2 n l LEFT COUNT 9
BZPOPMIN n 0
BZMPOP 0 1 n MIN
BLPOP l x
BLPOP l -1
SET l v
BLPOP l 0
BZPOPMAX n l 0
EXEC

# The database that is selected inside, and outside afterwards.
SET k zero
MULTI
SELECT 1
SET k one
SELECT 99
SELECT x
MGET k k2
SELECT 0
GET k
MOVE k 2
SELECT 2
GET k
COPY k c DB 3
SELECT 3
KEYS *
EXEC
GET c
EXISTS k
SELECT 0
MULTI
SELECT 5
DISCARD
SET k v
SELECT 5
EXISTS k

# All shards at once.
MSET a 1 b 2 c 3
RPUSH l b a c
MULTI
DBSIZE
KEYS a*
SCAN 0 COUNT 1000 MATCH b
SORT l ALPHA BY w_* GET # GET *
SORT l ALPHA STORE s
LRANGE s 0 -1
FLUSHDB
DBSIZE
SET k v
SWAPDB 0 1
GET k
SELECT 1
GET k
RENAME k k
FLUSHALL
DBSIZE
RANDOMKEY
EXEC

# Deadlines that have passed by the next command.
MULTI
SET k v PXAT 1
LPUSH k x
TYPE k
SET e v PXAT 1
GET e
DBSIZE
EXPIRE k -1
RPUSH k y
LRANGE k 0 -1
PEXPIREAT k 1
SADD k z
EXEC
SET k v PXAT 1
LPUSH k x

# What looks different in RESP3.
MULTI
HGETALL n
GET n
ZADD z 1.5 a
ZSCORE z a
SMEMBERS n
EXEC

# Key names, so that nobody locks what is not a key.
MULTI
ZUNIONSTORE d 9 a b
ZUNIONSTORE d x a b
LMPOP 5 a LEFT
SINTERCARD 2 a b
MSET a 1 b
OBJECT HELP
OBJECT ENCODING n
XYZ
DISCARD
MULTI
ZUNIONSTORE d 9 a b
ZUNIONSTORE d x a b
LMPOP 5 a LEFT
SINTERCARD 2 a b
MSET a 1 b
OBJECT ENCODING n
EXEC
RESET
EXEC
COMMAND GETKEYS WATCH a b
"#;

#[test]
fn one_connection() {
    let mut oracle = Oracle::with_options(&["--enable-debug-command", "yes"]);
    oracle.scripts(&[ALONE]);
    oracle.finish();
}

/// CLIENT REPLY holds for each command of a transaction. All is sent first, and PING follows to hear where it ends.
#[test]
fn replies_that_are_not_wanted() {
    let mut oracle = Oracle::start();
    for lines in [
        "MULTI|CLIENT REPLY OFF|SET a 1|CLIENT REPLY ON|GET a|EXEC",
        "MULTI|CLIENT REPLY OFF|SET a 1|EXEC|PING|CLIENT REPLY ON",
        "MULTI|CLIENT REPLY SKIP|SET a 1|SET a 2|EXEC|PING",
        "CLIENT REPLY SKIP|MULTI|SET a 5|EXEC",
        "MULTI|SET a 5|CLIENT REPLY SKIP|EXEC|CLIENT REPLY SKIP|PING",
        "CLIENT REPLY OFF|MULTI|SET a 1|CLIENT REPLY ON|EXEC",
        "CLIENT REPLY OFF|MULTI|SET a 1|EXEC|CLIENT REPLY ON",
        "CLIENT REPLY OFF|EXEC|MULTI|NOSUCH|EXEC|CLIENT REPLY ON",
        "CLIENT REPLY OFF|WATCH a|SET a 1|MULTI|EXEC|CLIENT REPLY ON",
        "MULTI|SET a 1|CLIENT REPLY SKIP|INCR x|LPUSH x y|EXEC|GET a|GET a",
        // What is heard of subscriptions stands among the replies, wanted or not.
        "MULTI|SUBSCRIBE x y|PING|SET k w|EXEC|EXEC|MULTI|RESET",
        "CLIENT REPLY OFF|MULTI|SUBSCRIBE z|SET k x|UNSUBSCRIBE|EXEC|RESET",
        "MULTI|QUIT|EXEC",
        "MULTI|SET a b|RESET|GET a",
    ] {
        let requests = lines
            .split('|')
            .map(|line| request(&words(&line.split(' ').collect::<Vec<_>>())));
        let bytes: Vec<u8> = requests.flatten().collect();
        oracle.raw(&bytes, !lines.contains("QUIT"));
    }
    oracle.finish();
}

/// What a client that ends its own connection still hears: of a transaction, the number of replies and those before the
/// end. (A client that wants no reply is left out: Redis keeps its connection open.)
#[test]
fn a_client_that_kills_itself() {
    let oracle = Oracle::start();
    for lines in [
        "PING|CLIENT KILL ID $ME SKIPME no|PING|PING",
        "PING|CLIENT KILL $ADDRESS|PING|PING",
        "CLIENT KILL ID $ME|PING|QUIT",
        "MULTI|CLIENT KILL ID $ME SKIPME no|PING|EXEC|PING",
        "MULTI|PING|CLIENT KILL $ADDRESS|PING|SET done yes|SUBSCRIBE c|NOSUCH|PING|QUIT",
        "MULTI|PING|CLIENT KILL $ADDRESS|LPUSH l x|GET l|SUBSCRIBE c|PUBLISH c x|UNSUBSCRIBE|EXEC|PING",
        "MULTI|SUBSCRIBE c|PUBLISH d x|CLIENT KILL TYPE pubsub SKIPME no|PING|EXEC|PING",
    ] {
        let [ours, real] = [0, 1].map(|index| {
            let mut client = RawClient::connect(oracle.port(index));
            client.send(b"CLIENT ID\r\n");
            let id = client.receive().expect("it answers").bytes;
            let address = client.stream.local_addr().expect("it is connected");
            let requests = lines
                .replace('|', "\r\n")
                .replace(
                    "$ME",
                    String::from_utf8_lossy(&id[1..id.len() - 2]).as_ref(),
                )
                .replace("$ADDRESS", &address.to_string());
            client.send(format!("{requests}\r\n").as_bytes());
            let mut heard = Vec::new();
            // More requests may have come than the server has read; then the connection ends by a reset.
            let _ = client.stream.read_to_end(&mut heard);
            String::from_utf8(heard).expect("text")
        });
        assert_eq!(ours, real, "{lines}");
    }
    let mut both = oracle;
    both.type_line("LRANGE l 0 -1");
    both.type_line("EXISTS done");
    both.finish();
}

#[test]
fn several_connections() {
    stage::compare(&[
        // What would make the connection another is refused, if it is new enough.
        "A: MULTI
         A: MONITOR
         A: SSUBSCRIBE c
         A: SUNSUBSCRIBE c
         A: SET k v
         A: SYNC
         A: EXEC
         B: GET k
         A: MULTI
         A: MONITOR
         A: MONITOR x
         A: EXEC
         A: MULTI
         A: MONITOR
         A: SSUBSCRIBE c
         A: SUNSUBSCRIBE c
         A: SET k v
         A: EXEC
         B: GET k
         B: SPUBLISH c x
         B: CLIENT LIST TYPE pubsub
         A: PING
         A: SSUBSCRIBE c
         B: SPUBLISH c x",
        // A change by another, before MULTI and after it.
        "A: WATCH k
         B: SET k v
         A: MULTI
         A: SET k w
         A: EXEC
         A: GET k
         A: WATCH k
         A: MULTI
         A: INCR n
         B: DEL k
         B: SET k v
         A: EXEC
         A: MULTI
         A: INCR n
         A: EXEC",
        // By the client itself, before MULTI; but not by its own transaction.
        "A: WATCH k
         A: SET k v
         A: MULTI
         A: GET k
         A: EXEC
         A: WATCH k
         A: MULTI
         A: SET k w
         A: EXEC
         A: MULTI
         A: GET k
         A: EXEC",
        // By another transaction, and only if that is carried out.
        "A: WATCH k
         B: MULTI
         B: SET k v
         A: MULTI
         A: PING
         A: EXEC
         A: WATCH k
         B: EXEC
         A: MULTI
         A: PING
         A: EXEC",
        // What lets go of the keys: UNWATCH, EXEC, DISCARD, RESET, an EXEC that cannot be; and what does not.
        "A: WATCH k
         B: SET k v
         A: UNWATCH
         A: MULTI
         A: EXEC
         A: WATCH k
         B: SET k v
         A: MULTI
         A: DISCARD
         A: MULTI
         A: EXEC
         A: WATCH k
         B: SET k v
         A: RESET
         A: HELLO 2 SETNAME x y
         A: MULTI
         A: PING
         A: EXEC
         A: WATCH k
         B: SET k v
         A: EXEC x
         A: MULTI
         A: EXEC
         A: WATCH k
         B: SET k v
         A: EXEC
         A: DISCARD
         A: MULTI
         A: UNWATCH
         A: EXEC
         A: MULTI
         A: EXEC",
        // A command that could not be queued counts more than a watch that is spoilt.
        "A: WATCH k
         B: SET k v
         A: MULTI
         A: GET
         A: EXEC
         A: MULTI
         A: EXEC",
        // What is seen of a transaction by others: nothing before EXEC.
        "A: MULTI
         A: SET k v
         B: GET k
         A: RPUSH l 1
         B: EXISTS k l
         A: EXEC
         B: GET k",
        // Those who wait are served when the transaction is complete.
        "C: BLPOP l 0
         A: MULTI
         A: RPUSH l 1 2 3
         A: LLEN l
         A: LPOP l
         A: DEL l
         A: RPUSH l 4
         A: EXEC
         C: BLPOP l 0
         D: BLPOP m 0
         A: MULTI
         A: RPUSH m 1
         A: RPUSH l 1
         A: BLPOP l 0
         A: BLPOP m 0
         A: EXEC
         A: MULTI
         A: RPUSH m 1
         A: RPUSH l 1
         A: EXEC",
        "C: BLMOVE l m LEFT RIGHT 0
         D: BLPOP m 0
         A: WATCH m
         B: MULTI
         B: RPUSH l x
         B: EXISTS l m
         B: EXEC
         A: MULTI
         A: EXEC",
        // A wait, and a transaction behind it in the pipeline.
        "A: BLPOP l 0
         A: MULTI
         A: LLEN l
         A: EXEC
         B: RPUSH l 1 2",
        // Those who look on see the commands when they are carried out, and then EXEC.
        "M: MONITOR
         A: MULTI
         A: SET k v
         A: SELECT 1
         A: INCR k
         A: CONFIG GET databases
         A: EXEC
         A: MULTI
         A: NOSUCH
         A: GET k
         A: EXEC
         A: WATCH k
         A: SET k w
         A: MULTI
         A: GET k
         A: EXEC
         A: EXEC x
         A: DISCARD",
        // A message is sent when it is its turn.
        "A: SUBSCRIBE x
         B: MULTI
         B: SET k v
         B: PUBLISH x hello
         B: PUBLISH y nobody
         B: EXEC",
        // A connection that goes takes its transaction with it.
        "A: WATCH k
         A: MULTI
         A: SET k v
         A: (leaves)
         B: GET k
         B: SET k w
         A: EXEC
         A: MULTI
         A: GET k
         A: EXEC",
    ]);
}

/// Calls, failures and refusals are counted for each command, and for EXEC.
#[test]
fn statistics() {
    let script = "CONFIG RESETSTAT|SET k v|MULTI|INCR k|GET k|GET n|SET a b|EXEC|EXEC|EXEC x|DISCARD|MULTI|NOSUCH|GET|\
        MULTI|WATCH a|SAVE|EXEC|WATCH a|SET a 1|MULTI|GET a|EXEC|MULTI|BLPOP n 0|EXEC";
    let fields = [
        "cmdstat_",
        "errorstat_",
        "total_error_replies",
        "total_commands_processed",
        "keyspace_",
    ];
    let counted = [true, false].map(|is_ours| {
        let folder = Folder::new();
        let options = ["--save", "", "--enable-debug-command", "yes"];
        let server = match is_ours {
            true => Server::ours(&folder, &options),
            false => Server::real(&folder, &options),
        };
        let mut client = server.client();
        script.split('|').for_each(|line| drop(client.ask(line)));
        let info = client.ask("INFO everything");
        let lines = info
            .split("\\r\\n")
            .filter(|line| fields.iter().any(|field| line.starts_with(field)));
        let mut lines: Vec<String> = lines
            .map(|line| {
                let parts = line.split(',').filter(|part| !part.starts_with("usec"));
                parts.collect::<Vec<_>>().join(",")
            })
            .collect();
        lines.sort();
        lines
    });
    assert!(counted[1].len() > 10, "{counted:?}");
    assert_eq!(counted[0], counted[1]);
}

/// What CLIENT LIST shows of a transaction.
#[test]
fn client_list() {
    let script = "WATCH k|A|MULTI|A|SET k v|A|B SET k w|A|SET k x|A|GET|EXEC|A|MULTI|CLIENT INFO|SELECT 0|A|EXEC|A|\
        MULTI|A|RESET|A";
    let seen = [true, false].map(|is_ours| {
        let folder = Folder::new();
        let server = match is_ours {
            true => Server::ours(&folder, &["--save", ""]),
            false => Server::real(&folder, &[]),
        };
        let (mut first, mut second) = (server.client(), server.client());
        let id = first.integer(&["CLIENT", "ID"]).to_string();
        let fields = |line: &str| {
            let fields = line.split(' ').filter(|field| {
                ["flags=", "multi=", "cmd=", "db="]
                    .iter()
                    .any(|name| field.starts_with(name))
            });
            fields.collect::<Vec<_>>().join(" ")
        };
        let seen = script.split('|').map(|line| match line.strip_prefix("B ") {
            Some(line) => second.ask(line),
            None if line == "A" => fields(&second.ask(&format!("CLIENT LIST ID {id}"))),
            None => match first.ask(line) {
                // Of CLIENT INFO in a transaction.
                reply if reply.contains("flags=") => fields(&reply),
                reply => reply,
            },
        });
        seen.collect::<Vec<_>>()
    });
    assert_eq!(seen[0], seen[1]);
}

/// While the dump cannot be written, neither a write nor a PING can be queued, and what was queued before is discarded.
#[test]
fn writes_that_are_refused() {
    let transcripts = [true, false].map(|is_ours| {
        let folder = Folder::new();
        let options = ["--save", "3600 1"];
        let server = match is_ours {
            true => Server::ours(&folder, &options),
            false => Server::real(&folder, &options),
        };
        let mut director = server.client();
        let mut queued: Vec<_> = ["SET k v", "GET k", "PING", "SELECT 0"]
            .iter()
            .map(|line| {
                let mut client = server.client();
                client.ask("WATCH o");
                client.ask("MULTI");
                client.ask(line);
                client
            })
            .collect();
        std::fs::remove_dir_all(folder.path()).expect("the folder can be removed");
        director.ask("BGSAVE");
        crate::common::wait_until("the save fails", || {
            director.info("rdb_last_bgsave_status") == "err"
        });
        let mut seen = Vec::new();
        for client in &mut queued {
            seen.push(client.ask("EXEC"));
            seen.push(client.ask("EXEC"));
        }
        for line in [
            "MULTI", "SET k v", "EXEC", "MULTI", "PING", "EXEC", "MULTI", "GET k", "EXEC",
        ] {
            seen.push(director.ask(line));
        }
        seen
    });
    assert_eq!(transcripts[0], transcripts[1]);
}
