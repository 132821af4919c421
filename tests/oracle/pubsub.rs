//! Channels and MONITOR, compared with a real redis-server: who hears what, in which form, and between which replies.

use crate::common::oracle::{Oracle, RawClient};
use crate::common::{Folder, Server, stage};

/// What needs no second connection.
const ALONE: &str = r#"
PUBLISH
PUBLISH c
PUBLISH c m x
PUBLISH c m
SPUBLISH c m
SPUBLISH c
SUBSCRIBE
PSUBSCRIBE
SSUBSCRIBE
PUBSUB
PUBSUB NOTHING
PUBSUB CHANNELS
PUBSUB CHANNELS *
PUBSUB CHANNELS * *
PUBSUB SHARDCHANNELS
PUBSUB SHARDCHANNELS a b
PUBSUB NUMSUB
PUBSUB NUMSUB a b a
PUBSUB SHARDNUMSUB a b
PUBSUB NUMPAT
PUBSUB NUMPAT x
PUBSUB HELP
PUBSUB HELP x
UNSUBSCRIBE
UNSUBSCRIBE x
PUNSUBSCRIBE
PUNSUBSCRIBE x y
SUNSUBSCRIBE
SUNSUBSCRIBE x
"#;

#[test]
fn arguments() {
    let mut oracle = Oracle::start();
    oracle.scripts(&[ALONE]);
    oracle.finish();
}

#[test]
fn who_listens_hears() {
    stage::compare(&[
        "A: SUBSCRIBE c
         A: SUBSCRIBE c d
         B: PUBLISH c hello
         B: PUBLISH d \"\"
         B: PUBLISH C hello
         B: PUBLISH c \"a\\r\\n\\x00b\"
         A: PING
         A: PING x
         A: UNSUBSCRIBE c
         B: PUBLISH c hello
         A: UNSUBSCRIBE d
         B: PUBLISH d hello
         A: PING",
        "A: PSUBSCRIBE n*
         A: SUBSCRIBE news
         B: PUBLISH news 1
         B: PUBLISH name 2
         B: PUBLISH other 3
         A: PSUBSCRIBE n?ws
         B: PUBSUB NUMPAT
         B: PUBSUB NUMSUB news n* name
         B: PUBSUB CHANNELS
         B: PUBSUB CHANNELS o*
         A: UNSUBSCRIBE
         A: PUNSUBSCRIBE n*
         B: PUBLISH news 4
         A: PUNSUBSCRIBE
         A: PUNSUBSCRIBE",
        // Shards have channels of their own.
        "A: SSUBSCRIBE c
         A: SUBSCRIBE c
         A: PSUBSCRIBE *
         B: SPUBLISH c shard
         B: PUBLISH c plain
         B: PUBSUB SHARDCHANNELS
         B: PUBSUB SHARDNUMSUB c d
         B: PUBSUB CHANNELS
         A: SUNSUBSCRIBE d
         A: SUNSUBSCRIBE c
         B: SPUBLISH c shard
         A: UNSUBSCRIBE
         A: PUNSUBSCRIBE
         A: GET k",
        // Many listen, and leave.
        "A: SUBSCRIBE c
         B: SUBSCRIBE c
         C: PSUBSCRIBE *
         D: PUBLISH c 1
         A: (leaves)
         D: PUBSUB NUMSUB c
         D: PUBLISH c 2
         B: QUIT
         D: PUBLISH c 3
         C: RESET
         D: PUBLISH c 4
         C: PING
         D: CLIENT KILL TYPE pubsub",
        "A: SUBSCRIBE c
         B: CLIENT KILL TYPE pubsub
         B: PUBLISH c 1",
    ]);
}

#[test]
fn what_else_a_subscriber_may_do() {
    stage::compare(&[
        "A: SUBSCRIBE c
         A: GET k
         A: SET k v
         A: CLIENT ID x
         A: NOTHING
         A: PING a b
         A: SUBSCRIBE
         A: HELLO 3
         B: PUBLISH c 1
         A: PING
         A: HELLO 2
         B: PUBLISH c 2
         A: PING
         A: RESET
         A: PING",
        // No reply is wanted, but messages are.
        "A: SUBSCRIBE c
         A: UNSUBSCRIBE
         A: PING
         B: PUBLISH c 1",
        "A: SSUBSCRIBE c
         A: BLPOP l 0
         B: SPUBLISH c 1
         B: RPUSH l x
         B: SPUBLISH c 2",
        // Who listens may wait for a key too, and hears meanwhile (in RESP3).
        "A: HELLO 3
         A: SUBSCRIBE c
         A: BLPOP l 0
         B: PUBLISH c 1
         B: PUBLISH c 2
         B: RPUSH l x
         B: PUBLISH c 3",
    ]);
}

/// 7.0 puts what a transaction tells its own client between the replies to its commands; 7.2 behind them all.
#[test]
fn messages_come_after_the_replies_of_a_transaction() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let check = |protocol: &str, requests: &[&str], expected: &str| {
        let mut client = RawClient::connect(server.port);
        client.send(format!("HELLO {protocol}\r\n").as_bytes());
        client.receive().expect("it speaks both");
        client.send(requests.join("\r\n").as_bytes());
        client.send(b"\r\nQUIT\r\n");
        let heard: Vec<u8> = std::iter::from_fn(|| client.receive())
            .flat_map(|answer| answer.bytes)
            .collect();
        let heard = String::from_utf8(heard).expect("text").replace("\r\n", " ");
        assert_eq!(
            heard,
            format!("{expected} +OK "),
            "RESP{protocol} {requests:?}"
        );
    };
    let message = "3 $7 message $1 c $1 x";
    let listens = ">3 $9 subscribe $1 c :1 +OK";
    check(
        "3",
        &[
            "SUBSCRIBE c",
            "MULTI",
            "PUBLISH c x",
            "UNSUBSCRIBE c",
            "PING",
            "EXEC",
        ],
        &format!(
            "{listens} +QUEUED +QUEUED +QUEUED *3 :1 >3 $11 unsubscribe $1 c :0 +PONG >{message}"
        ),
    );
    check(
        "2",
        &[
            "MULTI",
            "SUBSCRIBE c",
            "PUBLISH c x",
            "UNSUBSCRIBE",
            "PING",
            "EXEC",
            "PING",
        ],
        &format!(
            "+OK +QUEUED +QUEUED +QUEUED +QUEUED \
             *4 *3 $9 subscribe $1 c :1 :1 *3 $11 unsubscribe $1 c :0 +PONG *{message} +PONG"
        ),
    );
    check(
        "3",
        &[
            "SUBSCRIBE c",
            "MULTI",
            "PUBLISH c x",
            "SUBSCRIBE d",
            "PUBLISH c x",
            "EXEC",
            // The next client shall be alone again.
            "UNSUBSCRIBE c",
        ],
        &format!(
            "{listens} +QUEUED +QUEUED +QUEUED *3 :1 >3 $9 subscribe $1 d :2 :1 >{message} >{message} \
             >3 $11 unsubscribe $1 c :1"
        ),
    );
    // Outside of one, what was told before the client leaves comes before it hears that it has left.
    check(
        "3",
        &["SUBSCRIBE c", "PUBLISH c x", "UNSUBSCRIBE c"],
        &format!(">3 $9 subscribe $1 c :1 :1 >{message} >3 $11 unsubscribe $1 c :0"),
    );
    // No message is kept for a client that listens again.
    check(
        "3",
        &["SUBSCRIBE c", "PUBLISH c x", "RESET", "SUBSCRIBE c", "PING"],
        &format!(
            ">3 $9 subscribe $1 c :1 :1 >{message} +RESET *3 $9 subscribe $1 c :1 *2 $4 pong $0 "
        ),
    );
}

#[test]
fn monitors_see_what_is_done() {
    stage::compare(&[
        "A: MONITOR
         B: SET k \"a \\\"b\\\"\\r\\n\\x00\\xff\"
         B: get K
         B: NOTHING
         B: GET
         B: INCR k
         B: CONFIG GET save
         B: CLIENT GETNAME
         B: SELECT 3
         B: GET k
         B: AUTH secret
         B: AUTH someone secret
         B: HELLO 3 AUTH default secret SETNAME b
         B: SUBSCRIBE c
         B: RESET
         B: BLPOP l 0
         C: RPUSH l x
         B: ECHO \"\"
         A: GET k
         A: SET k v
         A: PING
         A: BLPOP l 0
         A: SUBSCRIBE c
         C: PUBLISH c m
         A: UNSUBSCRIBE c
         A: RESET
         B: GET k
         A: GET k",
        "A: MONITOR
         B: MONITOR
         C: PING
         A: QUIT
         C: PING
         B: (leaves)
         C: PING",
    ]);
}
