//! Full synchronisations.

use super::impostor::{ID, Impostor, full, snapshot_of, with_mark};
use super::pair::Whose::{Ours, Real};
use super::pair::{wait_for_link, wait_for_one_offset, wait_for_replicas};
use crate::common::{Folder, wait_until};
use std::fs;

#[test]
fn replicas_that_come_together_share_a_snapshot() {
    let folder = Folder::new();
    let delay = ["--repl-diskless-sync-delay", "3600"];
    let most = ["--repl-diskless-sync-max-replicas", "3"];
    let primary = Ours.server(&folder, &[delay, most].concat());
    let mut client = primary.client();
    client.ask("DEBUG POPULATE 1000");
    let folders = [(); 3].map(|()| Folder::new());
    let mut programs = [Ours, Real, Real].into_iter();
    let replicas = folders.each_ref().map(|folder| {
        let whose = programs.next().expect("there are three");
        whose.replica(folder, &primary, &[])
    });
    for replica in &replicas {
        let mut of_replica = replica.client();
        wait_for_link(&mut of_replica);
        assert_eq!(of_replica.ask("DBSIZE"), "(integer) 1000");
    }
    let log = fs::read_to_string(folder.path().join("log")).expect("a log");
    let snapshots = log.matches("Sending a snapshot to 3 replicas").count();
    assert_eq!(snapshots, 1, "{log}");
    wait_for_replicas(&mut client, 3);
    assert_eq!(client.ask("ROLE").matches("127.0.0.1").count(), 3);
}

/// The stream of a replica does not select its database anew for a newcomer: the snapshot says which it is.
#[test]
fn a_replica_of_a_replica_goes_on_in_the_database_that_is_selected() {
    for programs in [
        [Ours, Ours, Ours],
        [Ours, Ours, Real],
        [Ours, Real, Ours],
        [Real, Ours, Ours],
    ] {
        let folders = [(); 3].map(|()| Folder::new());
        let primary = programs[0].server(&folders[0], &[]);
        let mut client = primary.client();
        client.ask("SELECT 3");
        let replica = programs[1].replica(&folders[1], &primary, &[]);
        let mut of_replica = replica.client();
        wait_for_link(&mut of_replica);
        wait_for_replicas(&mut client, 1);
        client.ask("SET a 1");
        wait_for_one_offset(&mut client, &mut of_replica);
        let last = programs[2].replica(&folders[2], &replica, &[]);
        let mut of_last = last.client();
        wait_for_link(&mut of_last);
        client.ask("SET b 1");
        wait_for_one_offset(&mut client, &mut of_last);
        of_last.ask("SELECT 3");
        let values = of_last.ask("MGET a b");
        assert_eq!(values, "1) \"1\"\n2) \"1\"", "{programs:?}");
    }
}

/// What this server cannot hold is found before the old data are given up, and the dump and the append-only file stay.
#[test]
fn a_snapshot_that_does_not_fit_costs_nothing() {
    let far = snapshot_of(
        &[&["SELECT", "5"], &["SET", "far", "1"]],
        &["--databases", "16"],
    );
    for load in ["disabled", "swapdb"] {
        let folder = Folder::new();
        let options = [
            "--databases",
            "1",
            "--appendonly",
            "yes",
            "--repl-diskless-load",
            load,
        ];
        let replica = Ours.server(&folder, &options);
        let mut client = replica.client();
        client.ask("SET old 1");
        let impostor = Impostor::new();
        client.call(&["REPLICAOF", "127.0.0.1", &impostor.port().to_string()]);
        let (mut stream, _) = impostor.accept();
        full(&mut stream, &with_mark(&far, ID));
        // It asks for everything again.
        let (_again, words) = impostor.accept();
        assert_eq!(words[1..], [b"?".to_vec(), b"-1".to_vec()]);
        assert_eq!(client.ask("KEYS *"), "1) \"old\"");
        let log = fs::read_to_string(folder.path().join("log")).expect("a log");
        let line = "There are keys in database 5: start with --databases 6 or more";
        assert!(log.contains(line), "{log}");
        assert_eq!(client.info_of("persistence", "aof_enabled"), "1");
    }
}

#[test]
fn a_server_that_ends_while_it_loads_a_snapshot_keeps_its_dump() {
    let folder = Folder::new();
    let saving = ["--save", "3600 1000"];
    let replica = Ours.server(&folder, &saving);
    let mut client = replica.client();
    client.ask("SET old 1");
    client.ask("SAVE");
    client.ask("CONFIG SET key-load-delay 1000000");
    let impostor = Impostor::new();
    client.call(&["REPLICAOF", "127.0.0.1", &impostor.port().to_string()]);
    let (mut stream, _) = impostor.accept();
    let new = snapshot_of(&[&["MSET", "new", "1", "newer", "1"]], &[]);
    full(&mut stream, &with_mark(&new, ID));
    wait_until("it loads", || {
        client.info_of("persistence", "loading") == "1"
    });
    replica.signal("TERM");
    assert!(replica.wait().success());
    let again = Ours.server(&folder, &saving);
    assert_eq!(again.client().ask("KEYS *"), "1) \"old\"");
}
