//! FAILOVER: a primary hands its role over to a replica, and no write is lost.

use super::pair::Whose::{self, Ours, Real};
use super::pair::{wait_for_link, wait_for_one_offset, wait_for_replicas};
use crate::common::{Client, Folder, Server, wait_until};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

fn field(client: &mut Client, name: &str) -> String {
    client.info_of("replication", name)
}

fn wait_for_end(client: &mut Client) {
    wait_until("the failover to end", || {
        field(client, "master_failover_state") == "no-failover"
    });
}

/// Errors are those of a real server.
#[test]
fn what_cannot_be_is_refused() {
    let [ours, real, ours_replica, real_replica] = [(); 4].map(|()| Folder::new());
    let servers = [Ours.server(&ours, &[]), Real.server(&real, &[])];
    let folders = [&ours_replica, &real_replica];
    let ask = |line: &str| servers.each_ref().map(|server| server.client().ask(line));
    let check = |line: &str| {
        let [ours, real] = ask(line);
        assert_eq!(ours, real, "{line}");
        assert!(ours.starts_with("(error)"), "{line}: {ours}");
    };
    for line in [
        "FAILOVER",
        "FAILOVER ABORT",
        "FAILOVER TIMEOUT 0",
        "FAILOVER TIMEOUT x",
        "FAILOVER TIMEOUT",
        "FAILOVER TO 127.0.0.1",
        "FAILOVER TO 127.0.0.1 x",
        "FAILOVER NOW",
        "FAILOVER ABORT TIMEOUT 1",
        "FAILOVER FORCE",
    ] {
        check(line);
    }
    let _replicas: Vec<Server> = servers
        .iter()
        .zip(folders)
        .map(|(server, folder)| Ours.replica(folder, server, &[]))
        .collect();
    for server in &servers {
        wait_for_replicas(&mut server.client(), 1);
    }
    for line in [
        "FAILOVER TO 127.0.0.1 1",
        "FAILOVER FORCE",
        "FAILOVER FORCE TIMEOUT 10",
        "FAILOVER TO 127.0.0.1 1 FORCE",
        "FAILOVER ABORT",
    ] {
        check(line);
    }
}

/// Clients write all the time, to whichever server is the primary.
fn check(programs: [Whose; 3]) {
    let folders = [(); 3].map(|()| Folder::new());
    let primary = programs[0].server(&folders[0], &[]);
    let replica = programs[1].replica(&folders[1], &primary, &[]);
    let other = programs[2].replica(&folders[2], &primary, &[]);
    let [mut of_primary, mut of_replica, mut of_other] =
        [&primary, &replica, &other].map(|server| server.client());
    for client in [&mut of_replica, &mut of_other] {
        wait_for_link(client);
    }
    wait_for_replicas(&mut of_primary, 2);
    let has_ended = AtomicBool::new(false);
    let written = thread::scope(|scope| {
        let write = || {
            let mut clients = [primary.client(), replica.client()];
            let mut written = 0;
            while !has_ended.load(Relaxed) {
                for client in &mut clients {
                    let reply = client.ask("INCR count");
                    written += i64::from(reply.starts_with("(integer)"));
                }
            }
            written
        };
        let writers = [scope.spawn(write), scope.spawn(write)];
        let target = format!("FAILOVER TO 127.0.0.1 {} TIMEOUT 20000", replica.port);
        assert_eq!(of_primary.ask(&target), "OK");
        wait_until("the roles to be exchanged", || {
            field(&mut of_primary, "role") == "slave" && field(&mut of_replica, "role") == "master"
        });
        wait_for_end(&mut of_primary);
        has_ended.store(true, Relaxed);
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .sum::<i64>()
    });
    wait_for_link(&mut of_primary);
    wait_for_one_offset(&mut of_replica, &mut of_primary);
    for client in [&mut of_replica, &mut of_primary] {
        assert_eq!(
            client.ask("GET count"),
            format!("\"{written}\""),
            "{programs:?}"
        );
    }
    assert_eq!(
        of_replica.info_of("stats", "sync_full"),
        "0",
        "{programs:?}"
    );
    // The other replica follows the old primary, and so the new one.
    wait_for_link(&mut of_other);
    wait_for_one_offset(&mut of_replica, &mut of_other);
    assert_eq!(
        of_other.ask("GET count"),
        format!("\"{written}\""),
        "{programs:?}"
    );
}

#[test]
fn no_write_is_lost_when_the_role_is_handed_over() {
    check([Ours, Ours, Ours]);
    check([Ours, Real, Ours]);
    check([Real, Ours, Ours]);
}

#[test]
fn a_failover_that_does_not_succeed_leaves_the_primary() {
    let [folder, replica_folder] = [(); 2].map(|()| Folder::new());
    let primary = Ours.server(&folder, &[]);
    let replica = Real.replica(&replica_folder, &primary, &[]);
    let [mut client, mut writer] = [primary.client(), primary.client()];
    wait_for_replicas(&mut client, 1);
    replica.signal("STOP");
    client.ask("SET k v");
    assert_eq!(client.ask("FAILOVER TIMEOUT 100"), "OK");
    wait_for_end(&mut client);
    assert_eq!(field(&mut client, "role"), "master");
    assert_eq!(client.ask("FAILOVER"), "OK");
    assert_eq!(
        field(&mut client, "master_failover_state"),
        "waiting-for-sync"
    );
    assert_eq!(
        client.ask("FAILOVER"),
        "(error) ERR FAILOVER already in progress."
    );
    let refused = "(error) ERR REPLICAOF not allowed while failing over.";
    assert_eq!(client.ask("REPLICAOF NO ONE"), refused);
    writer.send(&["SET", "k", "w"]);
    wait_until("the writer to wait", || {
        client.info("blocked_clients") == "1"
    });
    // CLIENT UNPAUSE ends CLIENT PAUSE alone.
    client.ask("CLIENT PAUSE 60000 WRITE");
    client.ask("CLIENT UNPAUSE");
    (0..100).for_each(|_| drop(client.ask("PING")));
    assert_eq!(client.ask("GET k"), "\"v\"");
    assert_eq!(client.ask("FAILOVER ABORT"), "OK");
    assert_eq!(writer.receive_line(), "OK");
    wait_for_end(&mut client);
    // By force, to a replica that does not answer, until that is aborted too.
    let forced = format!("FAILOVER TO 127.0.0.1 {} FORCE TIMEOUT 10", replica.port);
    assert_eq!(client.ask(&forced), "OK");
    wait_until("it to be handed over", || {
        field(&mut client, "master_failover_state") == "failover-in-progress"
    });
    assert_eq!(client.ask("FAILOVER ABORT"), "OK");
    wait_for_end(&mut client);
    assert_eq!(field(&mut client, "role"), "master");
    assert_eq!(writer.ask("SET k x"), "OK");
    replica.signal("CONT");
    let mut of_replica = replica.client();
    wait_for_link(&mut of_replica);
    wait_for_one_offset(&mut client, &mut of_replica);
    assert_eq!(of_replica.ask("GET k"), "\"x\"");
}
