//! Full synchronisations.

use super::pair::Whose::{Ours, Real};
use super::pair::{wait_for_link, wait_for_replicas};
use crate::common::Folder;
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
