//! Real replicas of our server hold what it holds.

use super::pair::{our_primary, real_replica, wait_for_link, wait_for_one_offset};
use crate::common::{Folder, wait_until};
use crate::effects::facts::{assert_same, facts, facts_of_real, settle};
use crate::effects::workload::Clients;
use fastrand::Rng;

/// Commands before the replica comes, and after that between two cuts of its connection.
const COMMANDS: usize = 500;
const CUTS: usize = 4;

/// `ORACLE_SEED=7` has other commands tried.
fn check(seed: u64, primary_options: &[&str], replica_options: &[&str]) {
    let [folder, replica_folder] = [Folder::new(), Folder::new()];
    let mut random = Rng::with_seed(seed);
    let primary = our_primary(&folder, primary_options);
    let mut clients = Clients::connect(&primary);
    clients.run(COMMANDS, &mut random);

    let panics = ["--propagation-error-behavior", "panic-on-replicas"];
    let replica_options = [&panics[..], replica_options].concat();
    let replica = real_replica(&replica_folder, &primary, &replica_options);
    let [mut client, mut of_replica] = [primary.client(), replica.client()];
    clients.run(COMMANDS, &mut random);
    wait_for_link(&mut of_replica);
    for _ in 0..CUTS {
        clients.run(COMMANDS, &mut random);
        assert_eq!(client.ask("CLIENT KILL TYPE replica"), "(integer) 1");
        clients.run(COMMANDS, &mut random);
        wait_for_link(&mut of_replica);
    }
    settle(&mut client);
    wait_for_one_offset(&mut client, &mut of_replica);
    let expected = facts(&mut client, true);
    let found = facts_of_real(&mut of_replica, &expected, true);
    assert_same(&found, &expected, seed, "a real replica");
    let syncs = ["sync_full", "sync_partial_ok", "sync_partial_err"];
    let syncs = syncs.map(|field| client.info_of("stats", field));
    assert_eq!(syncs, ["1", &CUTS.to_string(), "0"]);
}

fn seed(number: u64) -> u64 {
    let first = std::env::var("ORACLE_SEED").map_or(1, |text| text.parse().expect("a number"));
    first * 10 + number
}

#[test]
fn a_real_replica_follows_through_cuts_of_its_connection() {
    check(seed(1), &[], &[]);
}

#[test]
fn the_snapshot_may_go_through_a_file() {
    check(seed(2), &["--repl-diskless-sync", "no"], &[]);
}

#[test]
fn the_primary_may_have_an_append_only_file() {
    check(
        seed(3),
        &["--appendonly", "yes", "--appendfsync", "always"],
        &["--repl-diskless-load", "swapdb"],
    );
}

#[test]
fn replicas_that_come_together_share_a_snapshot() {
    let folder = Folder::new();
    let primary = our_primary(
        &folder,
        &[
            "--repl-diskless-sync-delay",
            "3600",
            "--repl-diskless-sync-max-replicas",
            "3",
        ],
    );
    let mut client = primary.client();
    client.ask("DEBUG POPULATE 1000");
    let folders = [(); 3].map(|()| Folder::new());
    let replicas: Vec<_> = folders
        .iter()
        .map(|folder| real_replica(folder, &primary, &[]))
        .collect();
    for replica in &replicas {
        let mut of_replica = replica.client();
        wait_for_link(&mut of_replica);
        assert_eq!(of_replica.ask("DBSIZE"), "(integer) 1000");
    }
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    let snapshots = log.matches("Sending a snapshot to 3 replicas").count();
    assert_eq!(snapshots, 1, "{log}");
    wait_until("all to be online", || {
        client.info_of("replication", "connected_slaves") == "3"
            && client.ask("ROLE").matches("127.0.0.1").count() == 3
    });
}
