//! Replicas that come back, are too slow, or stay away.

use super::pair::Whose::{Ours, Real};
use super::pair::wait_for_link;
use super::stream::Follower;
use crate::common::{Client, Folder, wait_until};
use my_redis_server::resp::decoder::Value;
use std::fs;

#[test]
fn only_what_is_in_the_backlog_is_continued() {
    let folder = Folder::new();
    let primary = Ours.server(&folder, &["--repl-backlog-size", "16kb"]);
    let follower = Follower::of(&primary);
    let mut client = primary.client();
    assert_eq!(client.ask("SET k v"), "OK");
    wait_until("it is in the stream", || {
        client.info_of("replication", "master_repl_offset") != "0"
    });
    let field = |client: &mut Client, name| client.info_of("replication", name);
    let id = field(&mut client, "master_replid");
    let end: u64 = field(&mut client, "master_repl_offset").parse().unwrap();
    let ask = |id: &str, offset: u64, has_id: bool| {
        let mut replica = primary.client();
        if has_id {
            replica.ask("REPLCONF capa psync2");
        }
        replica.call(&["PSYNC", id, &offset.to_string()])
    };
    let simple = |text: String| Value::Simple(text.into_bytes());
    assert_eq!(ask(&id, end + 1, true), simple(format!("CONTINUE {id}")));
    assert_eq!(ask(&id, 1, false), simple("CONTINUE".to_string()));
    for (id, offset) in [(&*id, end + 2), (&*"0".repeat(40), 1)] {
        let full = ask(id, offset, true);
        let Value::Simple(text) = &full else {
            panic!("{full:?}")
        };
        assert!(text.starts_with(b"FULLRESYNC "), "{full:?}");
    }
    drop(follower);
    // The beginning is forgotten.
    client.call(&["SET", "k", &"v".repeat(100_000)]);
    wait_until("it is in the stream", || {
        field(&mut client, "repl_backlog_first_byte_offset") != "1"
    });
    let full = ask(&id, 1, true);
    assert!(matches!(&full, Value::Simple(text) if text.starts_with(b"FULLRESYNC ")));
    let refused = client.info_of("stats", "sync_partial_err");
    assert_eq!(refused, "3");
}

#[test]
fn a_replica_that_does_not_read_is_disconnected() {
    let folder = Folder::new();
    let limit = ["--client-output-buffer-limit", "replica 20mb 0 0"];
    let primary = Ours.server(&folder, &limit);
    let follower = Follower::of(&primary);
    let mut client = primary.client();
    let megabyte = "v".repeat(1 << 20);
    let mut sent = 0;
    wait_until("it is disconnected", || {
        client.call(&["SET", "k", &megabyte]);
        sent += 1;
        client.info_of("replication", "connected_slaves") == "0"
    });
    // Its socket has taken some.
    assert!((20..100).contains(&sent), "{sent}");
    assert_eq!(
        client.info_of("stats", "client_output_buffer_limit_disconnections"),
        "1"
    );
    drop(follower);
}

#[test]
fn the_backlog_is_dropped_when_no_replica_comes_back() {
    let folder = Folder::new();
    let primary = Ours.server(&folder, &["--repl-backlog-ttl", "1"]);
    let follower = Follower::of(&primary);
    let mut client = primary.client();
    let id = client.info_of("replication", "master_replid");
    assert_eq!(client.info_of("replication", "repl_backlog_active"), "1");
    drop(follower);
    wait_until("it is dropped", || {
        client.info_of("replication", "repl_backlog_active") == "0"
    });
    let _follower = Follower::of(&primary);
    assert_ne!(client.info_of("replication", "master_replid"), id);
}

#[test]
fn a_client_becomes_a_replica_once() {
    let folder = Folder::new();
    let primary = Ours.server(&folder, &[]);
    let mut client = primary.client();
    let mut replica = primary.client();
    for _ in 0..3 {
        replica.send(&["PSYNC", "?", "-1"]);
        replica.send(&["SYNC"]);
    }
    wait_until("it is one", || {
        client.info_of("replication", "connected_slaves") == "1"
    });
    assert_eq!(client.ask("CLIENT KILL TYPE replica"), "(integer) 1");
    wait_until("it is gone", || {
        client.info_of("replication", "connected_slaves") == "0"
    });
}

/// DEBUG LOADAOF may bring other data than the stream has told of.
#[test]
fn replicas_get_everything_anew_when_the_data_were_loaded_anew() {
    let folder = Folder::new();
    let primary = Ours.server(&folder, &["--appendonly", "yes"]);
    let mut client = primary.client();
    client.ask("SET k v");
    let _follower = Follower::of(&primary);
    let id = client.info_of("replication", "master_replid");
    assert_eq!(client.ask("DEBUG LOADAOF"), "OK");
    wait_until("it is gone", || {
        client.info_of("replication", "connected_slaves") == "0"
    });
    assert_eq!(client.info_of("replication", "repl_backlog_active"), "0");
    let _follower = Follower::of(&primary);
    assert_ne!(client.info_of("replication", "master_replid"), id);
}

/// What follows the snapshot is the stream, and nothing else.
#[test]
fn a_replica_that_asks_for_a_reply_is_disconnected() {
    for program in [Ours, Real] {
        for words in [&["PING"][..], &["SUBSCRIBE", "c"], &["GET", "k"]] {
            let folder = Folder::new();
            let primary = program.server(&folder, &[]);
            let mut client = primary.client();
            let mut replica = primary.client();
            replica.ask("REPLCONF capa eof capa psync2");
            replica.send(&["PSYNC", "?", "-1"]);
            let field = |client: &mut Client| client.info_of("replication", "connected_slaves");
            wait_until("it is a replica", || field(&mut client) == "1");
            replica.send(words);
            wait_until("it is disconnected", || field(&mut client) == "0");
        }
    }
}

#[test]
fn a_replica_that_does_not_answer_is_disconnected() {
    let folder = Folder::new();
    let primary = Ours.server(&folder, &["--repl-timeout", "1"]);
    let mut client = primary.client();
    let _silent = Follower::of(&primary);
    wait_until("it is disconnected", || {
        client.info_of("replication", "connected_slaves") == "0"
    });
    let log = fs::read_to_string(folder.path().join("log")).expect("a log");
    assert!(
        log.contains("Disconnecting timedout replica (streaming sync)"),
        "{log}"
    );
}

#[test]
fn replicas_log_in_and_say_where_they_are() {
    for (primary, replica) in [(Ours, Ours), (Real, Ours), (Ours, Real)] {
        let [folder, replica_folder] = [(); 2].map(|()| Folder::new());
        let primary = primary.server(&folder, &["--requirepass", "secret"]);
        let mut client = primary.client();
        client.ask("AUTH secret");
        client.ask("ACL SETUSER follower on >word +psync +replconf +ping");
        let announced = [
            "--replica-announce-ip",
            "10.0.0.1",
            "--replica-announce-port",
            "1234",
        ];
        let login = ["--masteruser", "follower", "--masterauth", "wrong"];
        let options = [&announced[..], &login].concat();
        let replica = replica.replica(&replica_folder, &primary, &options);
        let mut of_replica = replica.client();
        wait_until("it is refused", || {
            client.ask("ACL LOG").contains("\"follower\"")
        });
        let status = of_replica.info_of("replication", "master_link_status");
        assert_eq!(status, "down");
        of_replica.ask("CONFIG SET masterauth word");
        wait_for_link(&mut of_replica);
        let shown = client.info_of("replication", "slave0");
        assert!(shown.starts_with("ip=10.0.0.1,port=1234,state="), "{shown}");
        // The default user has another password.
        of_replica.ask("CONFIG SET masteruser default");
        of_replica.ask("CONFIG SET masterauth secret");
        client.ask("CLIENT KILL TYPE replica");
        wait_until("it logs in as the default user", || {
            client
                .ask("CLIENT LIST TYPE replica")
                .contains("user=default")
        });
    }
}
