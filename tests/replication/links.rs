//! Links to primaries that break, stall, send garbage, or cut a snapshot in half: the old data stay until there is a
//! whole snapshot.

use super::impostor::{ID, Impostor, full, joined, snapshot_of, with_length, with_mark};
use super::pair::Whose::Ours;
use super::pair::wait_for_link;
use crate::common::{Client, Folder, request, wait_until};
use my_redis_server::resp::decoder::Value;
use std::io::Write;

#[test]
fn the_old_data_stay_until_a_whole_snapshot_has_come() {
    let folder = Folder::new();
    let replica = Ours.server(&folder, &["--repl-timeout", "5"]);
    let mut client = replica.client();
    client.ask("SET old 1");
    let snapshot = snapshot_of(&[&["SET", "new", "1"]], &[]);
    let mut damaged = snapshot.clone();
    damaged[snapshot.len() / 2] ^= 1;
    let impostor = Impostor::new();
    let port = impostor.port().to_string();
    assert_eq!(
        client.call(&["REPLICAOF", "127.0.0.1", &port]),
        Value::Simple(b"OK".to_vec())
    );
    let bad: [Vec<u8>; 7] = [
        Vec::new(),
        b"garbage\r\n".to_vec(),
        b"$EOF:short\r\n".to_vec(),
        with_length(&snapshot, snapshot.len() / 2),
        with_length(&damaged, snapshot.len()),
        with_mark(&snapshot[..snapshot.len() / 2], ID),
        with_mark(&damaged, ID),
    ];
    for bytes in bad {
        let (mut stream, words) = impostor.accept();
        assert_eq!(words[1..], [b"?".to_vec(), b"-1".to_vec()]);
        // What came before has done nothing.
        assert_eq!(client.ask("KEYS *"), "1) \"old\"", "before {bytes:?}");
        full(&mut stream, &bytes);
    }
    for (name, bytes) in [
        ("unknown command", "-ERR unknown command\r\n"),
        ("nothing", "+NOTHING\r\n"),
    ] {
        let (mut stream, _) = impostor.accept();
        assert_eq!(client.ask("KEYS *"), "1) \"old\"", "before {name}");
        stream.write_all(bytes.as_bytes()).expect("a connection");
    }
    let (mut stream, _) = impostor.accept();
    assert_eq!(client.ask("KEYS *"), "1) \"old\"");
    full(&mut stream, &with_mark(&snapshot, ID));
    wait_for_link(&mut client);
    assert_eq!(client.ask("KEYS *"), "1) \"new\"");
}

#[test]
fn a_stream_that_is_cut_goes_on_where_it_was() {
    let folder = Folder::new();
    let snapshot = snapshot_of(&[&["SET", "new", "1"]], &[]);
    let (_replica, mut client, impostor, mut stream) = joined(&folder, &[], &snapshot);
    // Half a transaction is not carried out, and its bytes do not count.
    let command = |words: &[&str]| request(words);
    let whole = [command(&["SELECT", "0"]), command(&["SET", "k", "v"])].concat();
    stream.write_all(&whole).expect("a connection");
    let half = [command(&["MULTI"]), command(&["SET", "k", "w"])].concat();
    stream.write_all(&half).expect("a connection");
    let end = 1000 + whole.len();
    let offset = |client: &mut Client| client.info_of("replication", "slave_repl_offset");
    wait_until("it is carried out", || {
        offset(&mut client) == end.to_string()
    });
    drop(stream);
    let (mut stream, words) = impostor.accept();
    let next = (end + 1).to_string();
    assert_eq!(words[1..], [ID.as_bytes().to_vec(), next.into_bytes()]);
    assert_eq!(client.ask("GET k"), "\"v\"");
    // A promoted primary has another id.
    let new_id = "1".repeat(40);
    let line = format!("+CONTINUE {new_id}\r\n");
    stream.write_all(line.as_bytes()).expect("a connection");
    stream
        .write_all(&[half, command(&["EXEC"])].concat())
        .expect("a connection");
    wait_until("it is carried out", || client.ask("GET k") == "\"w\"");
    assert_eq!(client.info_of("replication", "master_replid"), new_id);
    assert_eq!(client.info_of("replication", "master_replid2"), ID);
    assert_eq!(
        client.info_of("replication", "second_repl_offset"),
        (end + 1).to_string()
    );
    // What is no command ends the link, and nothing of it is carried out.
    stream
        .write_all(b"*1\r\nnonsense\r\n")
        .expect("a connection");
    impostor.accept();
    assert_eq!(client.ask("GET k"), "\"w\"");
}

#[test]
fn a_primary_that_is_silent_is_given_up() {
    let folder = Folder::new();
    let replica = Ours.server(&folder, &["--repl-timeout", "1"]);
    let mut client = replica.client();
    let impostor = Impostor::new();
    client.call(&["REPLICAOF", "127.0.0.1", &impostor.port().to_string()]);
    let (mut stream, _) = impostor.accept();
    let snapshot = snapshot_of(&[&["SET", "new", "1"]], &[]);
    full(&mut stream, &with_length(&snapshot, 10));
    // It comes again, while the first connection is still open.
    let (mut second, _) = impostor.accept();
    full(&mut second, &with_mark(&snapshot, ID));
    wait_for_link(&mut client);
    let (_third, _) = impostor.accept();
    drop((stream, second));
}

/// No primary sends them. Some of them would wait for the thread that carries out the stream.
#[test]
fn commands_that_change_no_data_are_not_carried_out() {
    let folder = Folder::new();
    let snapshot = snapshot_of(&[&["SET", "new", "1"]], &[]);
    let (_replica, mut client, _impostor, mut stream) = joined(&folder, &[], &snapshot);
    let commands: [&[&str]; 8] = [
        &["REPLICAOF", "NO", "ONE"],
        &["SLAVEOF", "127.0.0.1", "1"],
        &["SAVE"],
        &["SHUTDOWN", "NOSAVE"],
        &["MULTI"],
        &["REPLICAOF", "NO", "ONE"],
        &["EXEC"],
        &["SET", "k", "v"],
    ];
    for words in commands {
        stream.write_all(&request(words)).expect("a connection");
    }
    wait_until("the last is carried out", || client.ask("GET k") == "\"v\"");
    assert_eq!(client.info_of("replication", "role"), "slave");
    assert_eq!(client.info_of("stats", "unexpected_error_replies"), "5");
    assert_eq!(client.ask("REPLICAOF NO ONE"), "OK");
    assert_eq!(client.ask("SET k w"), "OK");
}
