//! `repl-diskless-load`: a snapshot that is loaded from the connection, beside the old data.

use super::impostor::{ID, Impostor, full, full_as, joined, snapshot_of, with_length, with_mark};
use super::pair::Whose::Ours;
use super::pair::wait_for_link;
use crate::common::{Client, Folder, Server, wait_until};
use my_redis_server::resp::decoder::Value;
use std::net::TcpStream;

const OTHER_ID: &str = "0123456789012345678901234567890123456789";
const LIBRARY: &str = "#!lua name=l\nredis.register_function('f', function() return 'f' end)";
const LOADING: &str = "(error) LOADING Redis is loading the dataset in memory";

fn follow(client: &mut Client, impostor: &Impostor) {
    let port = impostor.port().to_string();
    let reply = client.call(&["REPLICAOF", "127.0.0.1", &port]);
    assert_eq!(reply, Value::Simple(b"OK".to_vec()));
}

/// Waits until a load has begun, as INFO says it in this field.
fn wait_for_load(client: &mut Client, field: &str) {
    wait_until("loading", || client.info_of("persistence", field) == "1");
}

/// A replica with the key `old`, of the stream [`ID`], whose primary has just gone; the next connection asks for a
/// partial synchronisation.
fn replica_with_old_data(
    folder: &Folder,
    options: &[&str],
) -> (Server, Client, Impostor, TcpStream) {
    let old = snapshot_of(&[&["SET", "old", "1"]], &[]);
    let (replica, client, impostor, stream) = joined(folder, options, &old);
    drop(stream);
    let (stream, words) = impostor.accept();
    assert_eq!(words[1..], [ID.as_bytes().to_vec(), b"1001".to_vec()]);
    (replica, client, impostor, stream)
}

#[test]
fn old_data_are_served_until_those_of_the_same_stream_are_whole() {
    let folder = Folder::new();
    let options = ["--repl-diskless-load", "swapdb", "--appendonly", "yes"];
    let (replica, mut client, impostor, mut stream) = replica_with_old_data(&folder, &options);
    let [mut watcher, mut tracker] = [replica.client(), replica.client()];
    watcher.ask("WATCH old new untouched");
    tracker.ask("HELLO 3");
    tracker.ask("CLIENT TRACKING ON");
    tracker.ask("GET old");
    let commands: [&[&str]; 3] = [
        &["SELECT", "3"],
        &["SET", "new", "1"],
        &["SET", "volatile", "1", "EX", "4000000"],
    ];
    let new = snapshot_of(&commands, &["--databases", "16"]);
    let (first, rest) = new.split_at(new.len() / 2);
    full(&mut stream, &with_length(&new, first.len()));
    wait_for_load(&mut client, "async_loading");
    assert_eq!(client.info_of("persistence", "loading"), "0");
    assert_eq!(client.ask("GET old"), "\"1\"");
    assert_eq!(client.ask("DBSIZE"), "(integer) 1");
    // What would not go with it waits, as COMMAND INFO says: `no_async_loading`.
    let refused = client.ask("BGREWRITEAOF");
    assert!(refused.starts_with(LOADING), "{refused}");
    // Half a snapshot: nothing has happened.
    drop(stream);
    let (mut stream, words) = impostor.accept();
    assert_eq!(words[1..], [ID.as_bytes().to_vec(), b"1001".to_vec()]);
    assert_eq!(client.info_of("persistence", "async_loading"), "0");
    assert_eq!(client.ask("GET old"), "\"1\"");
    // The whole.
    full(&mut stream, &with_length(&new, new.len()));
    wait_for_link(&mut client);
    assert_eq!(client.info_of("persistence", "async_loading"), "0");
    assert_eq!(client.ask("DBSIZE"), "(integer) 0");
    client.ask("SELECT 3");
    assert_eq!(client.ask("MGET new volatile"), "1) \"1\"\n2) \"1\"");
    let keys = client.info_of("keyspace", "db3");
    assert!(keys.starts_with("keys=2,expires=1,"), "{keys}");
    watcher.ask("MULTI");
    watcher.ask("PING");
    assert_eq!(watcher.ask("EXEC"), "(nil)");
    let invalid = tracker.receive();
    let everything = vec![Value::Bulk(b"invalidate".to_vec()), Value::Null];
    assert_eq!(invalid, Value::Push(everything));
    assert!(!rest.is_empty());
    // The append-only file has the new data.
    wait_until("it is rewritten", || {
        client.info_of("persistence", "aof_rewrite_in_progress") == "0"
            && client.info_of("persistence", "aof_last_bgrewrite_status") == "ok"
            && client.ask("BGREWRITEAOF").contains("started")
    });
    wait_until("it is rewritten", || {
        client.info_of("persistence", "aof_rewrite_in_progress") == "0"
    });
    client.send(&["SHUTDOWN"]);
    assert!(replica.wait().success());
    let again = Ours.server(&folder, &["--appendonly", "yes"]);
    let mut client = again.client();
    assert_eq!(client.ask("DBSIZE"), "(integer) 0");
    client.ask("SELECT 3");
    assert_eq!(client.ask("DBSIZE"), "(integer) 2");
}

/// They belong to another history. Redis refuses commands meanwhile, and so do we; but nothing is lost.
#[test]
fn old_data_of_another_stream_stay_until_the_new_ones_are_whole() {
    let folder = Folder::new();
    let options = ["--repl-diskless-load", "swapdb"];
    let (_replica, mut client, impostor, mut stream) = replica_with_old_data(&folder, &options);
    client.call(&["FUNCTION", "LOAD", LIBRARY]);
    let new = snapshot_of(&[&["SET", "new", "1"]], &[]);
    let mut damaged = new.clone();
    damaged[new.len() - 1] ^= 1;
    for bytes in [
        with_length(&new, new.len() / 2),
        with_mark(&new[..new.len() / 2], ID),
        with_mark(&damaged, ID),
        with_mark(&[&new[..], b"more"].concat(), ID),
    ] {
        full_as(OTHER_ID, &mut stream, &bytes);
        if !bytes.ends_with(ID.as_bytes()) {
            wait_for_load(&mut client, "loading");
            assert!(client.ask("GET old").starts_with(LOADING));
        }
        drop(stream);
        stream = impostor.accept().0;
        assert_eq!(client.ask("GET old"), "\"1\"");
        assert_eq!(client.info_of("persistence", "loading"), "0");
    }
    full_as(OTHER_ID, &mut stream, &with_mark(&new, ID));
    wait_for_link(&mut client);
    assert_eq!(client.ask("KEYS *"), "1) \"new\"");
    assert_eq!(client.info_of("replication", "master_replid"), OTHER_ID);
}

#[test]
fn functions_are_replaced_with_the_keys() {
    let folder = Folder::new();
    let new = snapshot_of(&[&["FUNCTION", "LOAD", LIBRARY], &["SET", "k", "v"]], &[]);
    for mode in ["disabled", "on-empty-db", "swapdb"] {
        let replica = Ours.server(&folder, &["--repl-diskless-load", mode]);
        let mut client = replica.client();
        let other = LIBRARY.replace("'f'", "'g'").replace("name=l", "name=m");
        client.call(&["FUNCTION", "LOAD", &other]);
        let impostor = Impostor::new();
        follow(&mut client, &impostor);
        let (mut stream, _) = impostor.accept();
        full(&mut stream, &with_mark(&new, ID));
        wait_for_link(&mut client);
        let list = client.ask("FUNCTION LIST");
        assert!(
            list.contains("\"l\"") && !list.contains("\"m\""),
            "{mode}: {list}"
        );
    }
}

#[test]
fn on_empty_db_loads_from_the_connection_if_there_are_no_keys() {
    let folder = Folder::new();
    let replica = Ours.server(&folder, &["--repl-diskless-load", "on-empty-db"]);
    let mut client = replica.client();
    let impostor = Impostor::new();
    follow(&mut client, &impostor);
    let (mut stream, _) = impostor.accept();
    let new = snapshot_of(&[&["SET", "new", "1"]], &[]);
    full(&mut stream, &with_length(&new, new.len() / 2));
    wait_for_load(&mut client, "loading");
    drop(stream);
    let (mut stream, _) = impostor.accept();
    assert_eq!(client.info_of("persistence", "loading"), "0");
    full(&mut stream, &with_length(&new, new.len()));
    wait_for_link(&mut client);
    assert_eq!(client.ask("GET new"), "\"1\"");
    drop(stream);
    // Now there is a key: the snapshot goes into a file first.
    let (mut stream, _) = impostor.accept();
    full(&mut stream, &with_length(&new, new.len() / 2));
    let read = format!("master_sync_read_bytes:{}\\r", new.len() / 2);
    wait_until("half of it has come", || {
        client.ask("INFO replication").contains(&read)
    });
    assert_eq!(client.info_of("persistence", "loading"), "0");
    assert_eq!(client.ask("GET new"), "\"1\"");
}
