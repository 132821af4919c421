//! The protocol, the connection, CLIENT and CONFIG, compared with a real redis-server.

use crate::common::oracle::{Oracle, words};

const CONNECTION: &str = r#"
PING
PING ""
PING "a\x00b\r\n"
PING a b
ping
ECHO
ECHO a
ECHO ""
ECHO a b
SELECT 0
SELECT 15
SELECT 16
SELECT -1
SELECT x
SELECT ""
SELECT 1.0
SELECT 9223372036854775808
SELECT 2147483648
AUTH
AUTH secret
AUTH default secret
AUTH default ""
AUTH nobody secret
AUTH a b c
HELLO x
HELLO ""
HELLO 1
HELLO 4
HELLO -1
HELLO 9223372036854775808
HELLO 4 FOO
HELLO 2 FOO
HELLO 2 "\xff\x00\r\n"
HELLO 2 AUTH
HELLO 2 AUTH default
HELLO 2 AUTH nobody secret
HELLO 2 AUTH nobody secret SETNAME "a b"
HELLO 2 SETNAME
HELLO 2 SETNAME "a b"
HELLO AUTH default x
# 7.0 takes the name, and then finds the fault.
HELLO 2 SETNAME a b
CLIENT SETNAME ""
"#;

const UNKNOWN: &str = r#"
FOO
foo bar
FOO "a b" c
FOO "\xff\x00\r\nx" "\x00" end
"FOO\x00bar" x
"FOO\r\n" x
"" a
"a b c" d
CONFIG|GET save
GETT k
FOO aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b
FOO aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbb\
bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb cccccccccccccccccccccccc
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b
FOO a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l m n o p q r s t u v w x y z
CONFIG
CONFIG FOO
CONFIG foo bar
CONFIG "a\x00b"
CONFIG "\xff\r\n"
CONFIG ""
CONFIG aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
CLIENT
CLIENT FOO
COMMAND FOO
OBJECT
OBJECT FOO k
"#;

const CLIENT: &str = r#"
CLIENT GETNAME
CLIENT GETNAME a
CLIENT SETNAME
CLIENT SETNAME a b
CLIENT SETNAME "a b"
CLIENT SETNAME "a\nb"
CLIENT SETNAME "\x7f"
CLIENT SETNAME "\xff"
CLIENT SETNAME "\x00"
CLIENT SETNAME ""
CLIENT SETNAME ann
CLIENT GETNAME
CLIENT SETNAME "a b"
CLIENT GETNAME
CLIENT SETNAME ""
CLIENT GETNAME
CLIENT ID a
CLIENT INFO a
CLIENT NO-EVICT
CLIENT NO-EVICT x
CLIENT NO-EVICT ON x
CLIENT NO-EVICT on
CLIENT NO-EVICT OFF
CLIENT REPLY
CLIENT REPLY x
CLIENT REPLY ON x
CLIENT REPLY ON
CLIENT LIST FOO
CLIENT LIST TYPE
CLIENT LIST TYPE foo
CLIENT LIST TYPE "a\x00b"
CLIENT LIST TYPE master
CLIENT LIST TYPE replica
CLIENT LIST TYPE slave
CLIENT LIST TYPE pubsub
CLIENT LIST TYPE normal x
CLIENT LIST ID
CLIENT LIST ID x
CLIENT LIST ID 0
CLIENT LIST ID -1
CLIENT LIST ID 1000000
CLIENT LIST ID 1000000 x
CLIENT PAUSE
CLIENT PAUSE x
CLIENT PAUSE ""
CLIENT PAUSE 1.5
CLIENT PAUSE -1
CLIENT PAUSE 99999999999999999999
CLIENT PAUSE 0
CLIENT PAUSE 0 WRITE
CLIENT PAUSE 0 all
CLIENT PAUSE 10 READ
CLIENT PAUSE x READ
CLIENT PAUSE 1 WRITE x
CLIENT UNPAUSE
CLIENT UNPAUSE x
CLIENT KILL
CLIENT KILL 1.2.3.4:5
CLIENT KILL foo
CLIENT KILL ID
CLIENT KILL ID x
CLIENT KILL ID x y
CLIENT KILL ID 0
CLIENT KILL ID -1
CLIENT KILL ID 1000000
CLIENT KILL ID 1000000 FOO
CLIENT KILL ID 1000000 FOO bar
CLIENT KILL ADDR 1.2.3.4:5
CLIENT KILL LADDR 1.2.3.4:5
CLIENT KILL TYPE foo
CLIENT KILL TYPE "\xff\x00"
CLIENT KILL TYPE master
CLIENT KILL TYPE pubsub SKIPME no
CLIENT KILL USER nobody
CLIENT KILL USER "\xff"
CLIENT KILL SKIPME maybe
CLIENT KILL ID 1000000 SKIPME yes
CLIENT KILL ADDR a LADDR b ID 1000000 USER default TYPE normal SKIPME NO
"#;

const CONFIG: &str = r#"
CONFIG GET
CONFIG GET nothing
CONFIG GET ""
CONFIG GET hash-max-listpack-entries
CONFIG GET HASH-MAX-LISTPACK-ENTRIES
CONFIG GET hash-max-ziplist-entries
CONFIG GET hash-max-ziplist-*
CONFIG GET hash-max-*
CONFIG GET hash-max-listpack-value hash-max-listpack-value hash-max-l*
CONFIG GET list-max-listpack-size list-compress-depth
CONFIG GET maxmemory*
CONFIG GET proto-max-bulk-len
CONFIG GET save
CONFIG GET databases
CONFIG GET timeout
CONFIG GET tcp-keepalive
CONFIG GET appendonly
CONFIG GET loglevel
CONFIG GET [ht]*-max-listpack-value
CONFIG SET
CONFIG SET a
CONFIG SET a b c
CONFIG SET nothing x
CONFIG SET "\xff\r\n" x
CONFIG SET hash-max-listpack-entries
CONFIG SET hash-max-listpack-entries x
CONFIG SET hash-max-listpack-entries -1
CONFIG SET hash-max-listpack-entries 10
CONFIG SET hash-max-listpack-entries 9223372036854775808
CONFIG SET hash-max-listpack-entries 100 nothing x
CONFIG SET hash-max-listpack-entries 100 hash-max-listpack-entries 200
CONFIG SET hash-max-listpack-entries 100 hash-max-ziplist-entries 200
CONFIG SET hash-max-listpack-entries 100 list-compress-depth x
CONFIG GET hash-max-listpack-entries
CONFIG SET hash-max-ziplist-entries 128
CONFIG GET hash-max-listpack-entries
CONFIG SET repl-backlog-size 100mb
CONFIG GET repl-backlog-size
CONFIG SET repl-backlog-size 1mb
CONFIG SET maxmemory 100xb
CONFIG SET maxmemory 0
CONFIG SET maxmemory-policy foo
CONFIG SET maxmemory-policy allkeys-lfu
SET k v
OBJECT IDLETIME k
OBJECT IDLETIME nothing
OBJECT FREQ nothing
CONFIG SET maxmemory-policy noeviction
CONFIG SET appendonly maybe
CONFIG SET loglevel foo
CONFIG SET databases 5
CONFIG SET port abc
CONFIG SET port 70000
CONFIG SET timeout -1
CONFIG SET timeout 5
CONFIG SET timeout 0
CONFIG SET save "1 2 3"
CONFIG SET save "a b"
CONFIG SET save "3600 1"
CONFIG GET save
CONFIG SET save ""
CONFIG SET list-max-listpack-size x
CONFIG SET proto-max-bulk-len 1
CONFIG SET enable-debug-command yes
CONFIG SET unixsocket x
CONFIG RESETSTAT a
CONFIG RESETSTAT
CONFIG REWRITE a
CONFIG REWRITE
CONFIG HELP
CONFIG HELP a
config help
"#;

const OTHERS: &str = r#"
TIME
TIME a
DBSIZE a
SAVE a
BGSAVE a
BGSAVE SCHEDULE a
LASTSAVE a
SHUTDOWN FOO
SHUTDOWN SAVE NOSAVE
SHUTDOWN NOW FOO
SHUTDOWN ABORT NOW
SHUTDOWN ABORT
SHUTDOWN SAVE ABORT
INFO nothing
INFO nothing nothing
"#;

/// What clients send to find out what kind of server this is.
const KIND: &str = r#"
ROLE
ROLE x
MODULE
MODULE LIST
MODULE HELP
MODULE FOO
MODULE LOAD /nothing
MODULE LOADEX /nothing CONFIG a b ARGS c
MODULE UNLOAD nothing
MULTI
MODULE UNLOAD nothing
EXEC
WAIT 0 0
WAIT 0 1000
WAIT -1 0
WAIT 1 10
WAIT 9223372036854775807 1
WAIT x y
WAIT 1 -1
WAIT 1 x
WAIT 1 99999999999999999999
MULTI
WAIT 1 0
WAIT 1 x
EXEC
CLUSTER
CLUSTER HELP
CLUSTER INFO
CLUSTER FOO
CLUSTER KEYSLOT k
CLUSTER GETKEYSINSLOT x y
CLUSTER SETSLOT x y
CLUSTER ADDSLOTSRANGE 1 2
CLUSTER RESET
CLUSTER MEET a b
CLUSTER SLOTS
CLUSTER NODES
CLUSTER MYID
READONLY
READWRITE
ASKING
ACL
ACL FOO
ACL WHOAMI
ACL CAT a b
ACL CAT nothing
ACL CAT "a\r\nb"
ACL CAT ""
ACL CAT cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc\
cccccccccccccccccccccccccccccccccccc9
LOLWUT VERSION x
COMMAND INFO asking
COMMAND LIST FILTERBY PATTERN cluster|?et*
"#;

#[test]
fn edges_of_the_connection() {
    let mut oracle = Oracle::start();
    oracle.scripts(&[CONNECTION, UNKNOWN, CLIENT, CONFIG, OTHERS, KIND]);
    oracle.finish();
}

/// Where clients may load modules, there is none that can be loaded.
#[test]
fn modules() {
    let mut oracle = Oracle::with_options(&["--enable-module-command", "local"]);
    oracle.scripts(&[r#"
        MODULE LIST
        MODULE LOAD
        MODULE LOAD /nothing
        MODULE LOADEX /nothing CONFIG a b ARGS c
        MODULE LOADEX /nothing CONFIG a
        MODULE UNLOAD nothing
        MODULE LIST
    "#]);
    oracle.finish();
}

/// LOLWUT tells the version, in a text of its own kind in RESP3.
#[test]
fn lolwut() {
    let mut oracle = Oracle::start();
    for (protocol, header) in [(2, "$17\r\n"), (3, "=21\r\ntxt:")] {
        oracle.reconnect(protocol);
        for line in [
            "LOLWUT",
            "lolwut version 1",
            "LOLWUT VERSION",
            "LOLWUT x y z",
        ] {
            let line: Vec<&str> = line.split(' ').collect();
            let [ours, real] = oracle.answers(&words(&line)).map(|answer| answer.bytes);
            let text = |version| format!("Redis ver. {version}\n\r\n");
            assert_eq!(ours, [header, &text("7.2.6")].concat().into_bytes());
            assert!(real.ends_with(text("7.0.15").as_bytes()), "{line:?}");
        }
    }
}

/// Replies that the client does not want are not sent.
#[test]
fn replies_are_left_out() {
    let mut oracle = Oracle::start();
    for (requests, expected) in [
        (
            "CLIENT REPLY OFF | PING | SET a 1 | FOO | CLIENT REPLY OFF | CLIENT REPLY ON | GET a",
            2,
        ),
        ("CLIENT REPLY SKIP | PING | PING", 1),
        ("CLIENT REPLY SKIP | FOO | PING", 1),
        ("CLIENT REPLY SKIP | CLIENT REPLY SKIP | PING | PING", 1),
        (
            "CLIENT REPLY OFF | CLIENT REPLY SKIP | PING | CLIENT REPLY ON | PING",
            2,
        ),
        ("CLIENT REPLY SKIP | CLIENT REPLY ON | PING", 1),
        (
            "CLIENT REPLY SKIP | CLIENT REPLY OFF | PING | CLIENT REPLY ON",
            1,
        ),
        ("CLIENT REPLY OFF | RESET | PING", 1),
        ("CLIENT REPLY SKIP | RESET | PING", 1),
        ("CLIENT REPLY SKIP | CLIENT REPLY FOO | PING", 1),
        ("CLIENT REPLY OFF | CLIENT REPLY | CLIENT REPLY ON", 1),
        (
            "SELECT 3 | SET db 3 | CLIENT SETNAME ann | RESET | GET db | CLIENT GETNAME | CLIENT REPLY ON",
            7,
        ),
        (
            "HELLO 3 SETNAME bob | HGETALL nothing | CLIENT GETNAME | RESET | HGETALL nothing | GET nothing",
            6,
        ),
    ] {
        let requests: Vec<Vec<Vec<u8>>> = requests
            .split(" | ")
            .map(|line| words(&line.split(' ').collect::<Vec<_>>()))
            .collect();
        oracle.pipeline(&requests, expected);
    }
    oracle.finish();
}

/// What does not follow the protocol is answered alike, and ends the connection or does not. Left out is a zero byte in
/// a line: Redis does not find the end of such a line, and waits for more.
#[test]
fn raw_bytes() {
    let mut oracle = Oracle::start();
    for bytes in [
        &b"PING\r\n"[..],
        b"PING\n",
        b"ping hello\r\n",
        b"  PING  \r\n",
        b"\r\n\r\n\n",
        b" \r\n",
        b"\t\r\n",
        b"PING \"hello world\"\r\n",
        b"PING 'it\\'s'\r\n",
        b"PING \"a\\x41\\n\\\"\"\r\n",
        b"ECHO \"\"\r\n",
        b"SET k v\r\nGET k\r\nDEL k\r\n",
        b"FOO bar\r\n",
        b"CLIENT REPLY SKIP\r\n\r\nPING\r\n",
        b"CLIENT REPLY SKIP\r\n*0\r\nPING\r\nPING\r\n",
        b"\xff\xfe\r\n",
        b"*0\r\n",
        b"*-1\r\n",
        b"*-10\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n",
        b"*2\r\n$4\r\nECHO\r\n$5\r\na\r\nb\xff\r\n",
        b"*1\r\n$0\r\n\r\n",
        b"*1\r\n$4\r\nPINGxx*1\r\n$4\r\nPING\r\n",
        b"*0\r\n*0\r\nPING\r\n*1\r\n$4\r\nPING\r\n",
    ] {
        oracle.raw(bytes, true);
    }
    for bytes in [
        &b"*x\r\n"[..],
        b"*\r\n",
        b"*1x\r\n",
        b"* 1\r\n",
        b"*+1\r\n",
        b"*01\r\n",
        b"*2147483648\r\n",
        b"*9223372036854775807\r\n",
        b"*9223372036854775808\r\n",
        b"*1\r\nPING\r\n",
        b"*1\r\n:4\r\n",
        b"*1\r\n$x\r\n",
        b"*1\r\n$\r\n",
        b"*1\r\n$-1\r\n",
        b"*1\r\n$04\r\n",
        b"*1\r\n$536870913\r\n",
        b"*1\r\n$9223372036854775808\r\n",
        b"*2\r\n$4\r\nECHO\r\n\r\n",
        b"PING \"unbalanced\r\n",
        b"PING 'unbalanced\r\n",
        b"PING \"a\"b\r\n",
        b"PING\r\n*1\r\n$4\r\nPING\r\n*x\r\n",
        b"SET k v\r\n*1\r\n$x\r\n",
        b"QUIT\r\n",
        b"quit a b\r\n",
        b"*1\r\n$4\r\nQUIT\r\n",
        b"PING\r\nQUIT\r\nPING\r\n",
        b"POST / HTTP/1.1\r\n",
        b"Host: localhost\r\n",
        b"host: x\r\n",
    ] {
        oracle.raw(bytes, false);
    }
    for len in [64 * 1024 + 1, 100 * 1024] {
        oracle.raw(&vec![b'a'; len], false);
        oracle.raw(&[b"*".to_vec(), vec![b'1'; len]].concat(), false);
        oracle.raw(&[b"*1\r\n$".to_vec(), vec![b'1'; len]].concat(), false);
    }
    oracle.finish();
}

/// CLIENT HELP has the lines of Redis about the subcommands that we have, in the same order, and those new in 7.2.
#[test]
fn client_help() {
    let mut oracle = Oracle::start();
    oracle.reconnect(2);
    let [ours, real] = oracle
        .answers(&words(&["CLIENT", "HELP"]))
        .map(|answer| String::from_utf8(answer.bytes).expect("it is text"));
    let mut rest = real.lines();
    let mut new = Vec::new();
    for line in ours.lines().skip(1) {
        // What Redis has, it has further down than what came before.
        let mut ahead = rest.clone();
        match ahead.any(|other| other == line) {
            true => rest = ahead,
            false => new.push(line),
        }
    }
    assert_eq!(
        new,
        [
            "+SETINFO <option> <value>",
            "+    Set client meta attr. Options are:",
            "+    * LIB-NAME: the client lib name.",
            "+    * LIB-VER: the client lib version.",
            "+NO-TOUCH (ON|OFF)",
            "+    Will not touch LRU/LFU stats when this mode is on.",
            "+    Print this help.",
        ]
    );
    oracle.finish();
}
