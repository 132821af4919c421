//! DEBUG, compared with a real redis-server: above all that both have the same digest of the same data.

use crate::common::oracle::{Oracle, words};
use crate::common::{Folder, Server, wait_for_exit, wait_until};
use my_redis_server::resp::decoder::Value;

const ALLOWED: &[&str] = &["--enable-debug-command", "yes"];

const EDGES: &str = r#"
DEBUG
DEBUG FOO
DEBUG FOO a b c
DEBUG DIGEST
DEBUG DIGEST x
DEBUG DIGEST-VALUE
DEBUG DIGEST-VALUE nothing nothing
DEBUG OBJECT
DEBUG OBJECT nothing
DEBUG OBJECT a b
DEBUG SLEEP
DEBUG SLEEP 0
DEBUG SLEEP 0.001
DEBUG SLEEP x
DEBUG SLEEP -1
debug sleep 0
DEBUG SLEEP 0 0
DEBUG SET-ACTIVE-EXPIRE
DEBUG SET-ACTIVE-EXPIRE x
DEBUG SET-ACTIVE-EXPIRE 0
DEBUG SET-ACTIVE-EXPIRE 1
DEBUG CHANGE-REPL-ID
DEBUG CHANGE-REPL-ID x
DEBUG QUICKLIST-PACKED-THRESHOLD
DEBUG QUICKLIST-PACKED-THRESHOLD 1
DEBUG QUICKLIST-PACKED-THRESHOLD x
DEBUG QUICKLIST-PACKED-THRESHOLD 5gb
DEBUG QUICKLIST-PACKED-THRESHOLD 100
DEBUG QUICKLIST-PACKED-THRESHOLD 0
DEBUG LOG
DEBUG LOG text
DEBUG ERROR
DEBUG ERROR "SOME error"
DEBUG ERROR "two\r\nlines"
DEBUG POPULATE
DEBUG POPULATE x
DEBUG POPULATE -1
DEBUG POPULATE 2 p x
DEBUG POPULATE 2 p -1
DEBUG POPULATE 2 p 1 x
DEBUG POPULATE 3
SET p:1 here
DEBUG POPULATE 3 p 20
DEBUG POPULATE 2 q 3
DEBUG POPULATE 2 r 0
MGET key:0 key:2 p:0 p:1 q:1 r:1
DBSIZE
DEBUG DIGEST
"#;

/// What clients' tests look at, in both protocols.
const TYPES: &str = r#"
DEBUG PROTOCOL
DEBUG PROTOCOL a b
DEBUG PROTOCOL foo
DEBUG PROTOCOL string
DEBUG PROTOCOL integer
DEBUG PROTOCOL double
DEBUG PROTOCOL null
DEBUG PROTOCOL array
DEBUG PROTOCOL set
DEBUG PROTOCOL map
DEBUG PROTOCOL attrib
DEBUG PROTOCOL verbatim
DEBUG PROTOCOL true
DEBUG PROTOCOL false
DEBUG PROTOCOL bignum
"#;

/// Values seen from within, and subcommands about what is not there.
const INSIDES: &str = r#"
SET k v
HSET h f v
ZADD z 1 a
RPUSH long a b c
DEBUG LISTPACK
DEBUG LISTPACK k
DEBUG LISTPACK h
DEBUG LISTPACK z
DEBUG LISTPACK nothing
DEBUG LISTPACK h x
DEBUG QUICKLIST
DEBUG QUICKLIST k
DEBUG QUICKLIST k 1
DEBUG QUICKLIST nothing
DEBUG QUICKLIST k 1 2
DEBUG LEAK
DEBUG LEAK x
DEBUG REPLICATE
DEBUG REPLICATE x
DEBUG REPLICATE ALL PING
DEBUG AOF-FLUSH-SLEEP
DEBUG AOF-FLUSH-SLEEP x
DEBUG AOF-FLUSH-SLEEP 0
DEBUG DROP-CLUSTER-PACKET-FILTER
DEBUG DROP-CLUSTER-PACKET-FILTER x
DEBUG DROP-CLUSTER-PACKET-FILTER 1
DEBUG SET-DISABLE-DENY-SCRIPTS
DEBUG SET-DISABLE-DENY-SCRIPTS x
DEBUG SET-DISABLE-DENY-SCRIPTS 0
DEBUG CLIENT-EVICTION x
DEBUG CLIENT-EVICTION
DEBUG REPLYBUFFER
DEBUG REPLYBUFFER PEAK-RESET-TIME
DEBUG REPLYBUFFER PEAK-RESET-TIME never
DEBUG REPLYBUFFER PEAK-RESET-TIME RESET
DEBUG REPLYBUFFER PEAK-RESET-TIME 10
DEBUG REPLYBUFFER PEAK-RESET-TIME x
DEBUG REPLYBUFFER RESIZING 0
DEBUG REPLYBUFFER RESIZING 1
DEBUG REPLYBUFFER FOO 1
DEBUG CLUSTERLINK KILL ALL
DEBUG JMAP
DEBUG ZIPLIST h
DEBUG STRINGMATCH-LEN 10 a*
DEBUG DICT-RESIZING 1
"#;

#[test]
fn types_and_insides() {
    let mut oracle = Oracle::with_options(ALLOWED);
    oracle.scripts(&[TYPES, INSIDES]);
    oracle.finish();
}

/// What Redis 7.2.4 sends: the message comes behind the reply.
#[test]
fn a_push_follows_its_reply() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", "", "--enable-debug-command", "yes"]);
    let mut client = server.client();
    let refused = Value::Error(b"ERR RESP2 is not supported by this command".to_vec());
    assert_eq!(client.call(&["DEBUG", "PROTOCOL", "push"]), refused);
    client.call(&["HELLO", "3"]);
    assert_eq!(
        client.call(&["DEBUG", "PROTOCOL", "push"]),
        Value::Bulk(b"Some real reply following the push reply".to_vec())
    );
    let cpu_usage = Value::Bulk(b"server-cpu-usage".to_vec());
    assert_eq!(
        client.try_receive(),
        Some(Value::Push(vec![cpu_usage, Value::Integer(42)]))
    );
}

const RELOADS: &str = r#"
DEBUG RELOAD FOO
DEBUG RELOAD NOSAVE FOO
SET k v
SETEX due 100000 v
RPUSH l a b 3
HSET h f v
SADD s 1 2 x
ZADD z 1.5 a
SELECT 3
SET other v
DEBUG RELOAD
DEBUG DIGEST
DBSIZE
SET new v
DEBUG RELOAD NOSAVE
GET new
SET new v
SET other changed
DEBUG RELOAD NOSAVE NOFLUSH MERGE
GET new
GET other
debug reload merge
DEBUG DIGEST
SELECT 0
TTL due
DEBUG DIGEST
"#;

/// DEBUG RELOAD replaces the functions too; NOFLUSH adds to them, and MERGE lets the dump win.
const RELOADED_FUNCTIONS: &str = r##"
FUNCTION FLUSH
FUNCTION LOAD "#!lua name=one\nredis.register_function('one', function() return 1 end)"
SET k v
DEBUG RELOAD
FUNCTION LIST WITHCODE
FCALL one 0
FUNCTION LOAD "#!lua name=two\nredis.register_function('two', function() return 2 end)"
FUNCTION LOAD REPLACE "#!lua name=one\nredis.register_function('one', function() return 'new' end)"
DEBUG RELOAD NOSAVE
FCALL one 0
FCALL two 0
FUNCTION LOAD "#!lua name=two\nredis.register_function('two', function() return 2 end)"
FUNCTION LOAD REPLACE "#!lua name=one\nredis.register_function('one', function() return 'new' end)"
DEL k
DEBUG RELOAD NOSAVE NOFLUSH
FCALL one 0
FCALL two 0
DEBUG RELOAD NOSAVE NOFLUSH MERGE
FCALL one 0
FCALL two 0
GET k
DEBUG RELOAD NOSAVE MERGE
FCALL two 0
FUNCTION DELETE one
DEL k
DEBUG RELOAD NOSAVE NOFLUSH
FCALL one 0
FLUSHALL
FLUSHDB
FCALL one 0
FUNCTION DELETE one
FUNCTION LOAD "#!lua name=other\nredis.register_function('one', function() return 'other' end)"
DEBUG RELOAD NOSAVE NOFLUSH MERGE
FCALL one 0
FUNCTION FLUSH
DEBUG RELOAD
FUNCTION LIST
"##;

#[test]
fn data_come_back_from_the_dump() {
    let mut oracle = Oracle::with_options(ALLOWED);
    oracle.scripts(&[RELOADS, RELOADED_FUNCTIONS]);
    oracle.finish();
}

/// Redis would be empty after the first of these, and dead after the last.
#[test]
fn a_dump_that_cannot_be_loaded_costs_nothing() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", "", "--enable-debug-command", "yes"]);
    let mut client = server.client();
    let text = b"ERR Error trying to load the RDB dump, check server logs.";
    let refused = Value::Error(text.to_vec());
    let dump = folder.path().join("dump.my_rdb");
    client.call(&["SET", "k", "v"]);
    assert_eq!(client.call(&["DEBUG", "RELOAD", "NOSAVE"]), refused);
    client.call(&["SAVE"]);
    let whole = std::fs::read(&dump).expect("it was saved");
    for bytes in [&whole[..whole.len() - 1], &whole[..20], b"", b"REDIS0011?"] {
        std::fs::write(&dump, bytes).expect("it can be written");
        assert_eq!(client.call(&["DEBUG", "RELOAD", "NOSAVE"]), refused);
    }
    std::fs::write(&dump, &whole).expect("it can be written");
    let conflict = ["DEBUG", "RELOAD", "NOSAVE", "NOFLUSH"];
    assert_eq!(client.call(&conflict), refused);
    assert_eq!(client.call(&["GET", "k"]), Value::Bulk(b"v".to_vec()));
}

#[test]
fn the_server_crashes_when_told_to() {
    for kind in ["ASSERT", "OOM", "PANIC", "SEGFAULT"] {
        let folder = Folder::new();
        let mut server = Server::ours(&folder, &["--enable-debug-command", "yes"]);
        let mut client = server.client();
        client.call(&["SET", "k", "v"]);
        client.send(&["DEBUG", kind]);
        let status = wait_for_exit(&mut server.process);
        assert_eq!(status.code(), None, "{kind}: a signal has ended it");
        assert!(!folder.path().join("dump.my_rdb").exists());
    }
}

/// The scores are those that 7.0, which writes 17 digits, and 7.2 write alike.
const DATA: &str = r#"
SET int 12345
DEBUG DIGEST
SET text hello
SET empty ""
SET binary "\x00\xff\r\n"
APPEND text " world"
INCRBYFLOAT float 1.5
SETEX due 100000 v
RPUSH list a 1 -5000 c a ""
HSET hash f v 1 2 "" ""
SADD set a b 1
SADD ints 1 2 300000 -7
ZADD zset 1.5 a -inf b 3 c +inf d -2.25 e 0 f
DEBUG DIGEST
DEBUG DIGEST-VALUE int text empty binary float due list hash set ints zset nothing int
EXPIRE zset 100000
DEBUG DIGEST-VALUE zset
PERSIST zset
DEBUG DIGEST-VALUE zset
DEBUG DIGEST
RENAME list other
DEBUG DIGEST-VALUE other
DEBUG DIGEST
SELECT 3
DEBUG DIGEST
DEBUG DIGEST-VALUE int
SET int 12345
DEBUG DIGEST
DEBUG DIGEST-VALUE int
FLUSHDB
DEBUG DIGEST
SELECT 0
"#;

/// What an error counts as, whatever it quotes.
const ERRORS: &str = r#"
CONFIG RESETSTAT
DEBUG ERROR "X#:y z"
DEBUG ERROR "-ERR z"
DEBUG ERROR "a\r\nb\tc\x00d e"
DEBUG ERROR nospace
DEBUG ERROR ""
"foo\r\nbar\x00x" "a\nb\x00c"
"get\n" k
CLIENT "FOO\r\nx"
CONFIG SET "x\r\ny" 1
HELLO 2 "FOO\r\n"
CLIENT KILL TYPE "a\r\nb"
PUBSUB "X\r\nY"
INFO errorstats
"#;

#[test]
fn edges_and_digests() {
    let mut oracle = Oracle::with_options(ALLOWED);
    oracle.scripts(&[EDGES, DATA, ERRORS]);
    oracle.finish();
}

#[test]
fn digests_of_large_collections() {
    let mut oracle = Oracle::with_options(ALLOWED);
    for number in 0..1500 {
        oracle.type_line(&format!("RPUSH list \"element {number}\""));
        oracle.type_line(&format!("HSET hash field:{number} value:{number}"));
        oracle.type_line(&format!("SADD set member:{number}"));
        oracle.type_line(&format!("SADD ints {}", number * 7));
        oracle.type_line(&format!("ZADD zset {number}.25 member:{number}"));
        oracle.type_line(&format!("SETEX key:{number} 10000 value:{number}"));
    }
    oracle.type_line("DEBUG DIGEST-VALUE list hash set ints zset");
    oracle.type_line("DEBUG DIGEST");
    oracle.finish();
}

/// What Redis 7.2.4 answers to `DEBUG DIGEST-VALUE z` after `ZADD z <score> m`; 7.0 writes scores in another way.
#[test]
fn scores_are_written_as_in_7_2() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", "", "--enable-debug-command", "yes"]);
    let mut client = server.client();
    for (score, digest) in [
        ("-0", "669bd9943b43e6b31f3ab60847ee6a38dd154aba"),
        ("0.1", "7e1bae26d61f35a2675e4748edc8fe0bff072cee"),
        ("1e5", "f39caf817920b3bd8933f2b58f4fe01d4fe7238b"),
        ("1200000", "3b0384e213de9f1f2f78bd3872fb61ccf0baedc5"),
        ("10000000", "2a05888aba5449f6d6a4e5348e8093573fcb806c"),
        ("99999999", "628ad720903a93130c40505b8e5c8aac150ae4f3"),
        ("1e8", "b4ce5f2c55a395a1c2198a4e1afd7646f4ea5658"),
        ("-1e8", "4055474f711eeff2e75faa2f1694c6beeff45d2a"),
        ("5000000000", "06870c38943930ae5f7c73f15d837dd3d9a5cc58"),
        ("123000000000", "c249af93390ccb7072abbf3c8bdfe66d740866bd"),
        ("-123456789012", "2d0199a3f74c012c421685b8008d3418a47fee6c"),
        (
            "9007199254740993",
            "9e71b9482b1762ea0da4ae0ff31da1f3b3e8d701",
        ),
        (
            "12345678900000000",
            "915de6d7a20d535411261329c5f30b0e93bc957e",
        ),
        ("1e17", "70af2b12199c199e3b8261113e3a31ab1dc7490d"),
        (
            "4611686018427387904",
            "5de93ce2e8672ca03e4f010ac2502d48a580ed3d",
        ),
    ] {
        client.call(&["DEL", "z"]);
        client.call(&["ZADD", "z", score, "m"]);
        assert_eq!(
            client.call(&["DEBUG", "DIGEST-VALUE", "z"]),
            Value::Array(vec![Value::Simple(digest.into())]),
            "{score}"
        );
    }
    // What valkey-server 8.0.1, which writes them in the same way, says of several.
    client.call(&["DEL", "z"]);
    client.call(&["ZADD", "z", "0.1", "a", "3", "b", "1e20", "c", "inf", "d"]);
    let digest = Value::Simple("286e28de1de76e40e23904e6824f040d2d975d64".into());
    assert_eq!(
        client.call(&["DEBUG", "DIGEST-VALUE", "z"]),
        Value::Array(vec![digest])
    );
}

/// The same fields, with what does not depend on the server.
#[test]
fn objects() {
    let mut oracle = Oracle::with_options(ALLOWED);
    for line in [
        "SET k hello",
        "SET n 123456",
        "HSET h f v",
        "SADD i 1 2",
        "ZADD z 1 a",
    ] {
        oracle.type_line(line);
    }
    for key in ["k", "n", "h", "i", "z"] {
        let [ours, real] = [0, 1].map(|index| {
            let reply = oracle.ask_one(index, &words(&["DEBUG", "OBJECT", key]));
            let text = String::from_utf8(reply).expect("it is text");
            let certain = text.trim_end().split(' ').skip(1).map(|field| {
                match field.split_once(':').expect("a name and a value") {
                    (name, value) if ["refcount", "encoding"].contains(&name) => {
                        (name.to_string(), value.to_string())
                    }
                    (name, _) => (name.to_string(), String::new()),
                }
            });
            certain.collect::<Vec<_>>()
        });
        assert_eq!(ours, real, "{key}");
    }
    oracle.finish();
}

#[test]
fn not_everybody_may() {
    for (permission, may) in [("no", false), ("local", true)] {
        let mut oracle = Oracle::with_options(&["--enable-debug-command", permission]);
        for line in [
            "DEBUG",
            "DEBUG FOO",
            "DEBUG SLEEP 0",
            "DEBUG DIGEST",
            "CONFIG SET enable-debug-command yes",
        ] {
            oracle.type_line(line);
        }
        let reply = oracle.ask_one(0, &words(&["DEBUG", "SLEEP", "0"]));
        assert_eq!(reply == b"+OK\r\n", may);
        oracle.finish();
    }
}

#[test]
fn keys_stay_while_expiry_is_off() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", "", "--enable-debug-command", "yes"]);
    let mut client = server.client();
    let mut expired = || match client.call(&["INFO", "stats"]) {
        Value::Bulk(text) => String::from_utf8_lossy(&text).contains("expired_keys:1"),
        other => panic!("{other:?}"),
    };
    let mut other = server.client();
    other.call(&["DEBUG", "SET-ACTIVE-EXPIRE", "0"]);
    other.call(&["SET", "k", "v", "PX", "1"]);
    // Who counts the keys sees that this one is due, and leaves it where it is.
    wait_until("the key is due", || {
        other.call(&["DBSIZE"]) == Value::Integer(0)
    });
    assert!(!expired());
    other.call(&["DEBUG", "SET-ACTIVE-EXPIRE", "1"]);
    wait_until("the key is removed", expired);
}
