//! What a primary does for clients that care about its replicas: WAIT, WAITAOF, `min-replicas-to-write`.

use super::pair::Whose::{Ours, Real};
use super::pair::{wait_for_link, wait_for_replicas};
use crate::common::{Client, Folder, wait_until};

#[test]
fn wait_counts_the_replicas_that_have_what_was_written() {
    let [folder, first_folder, second_folder] = [(); 3].map(|()| Folder::new());
    let primary = Ours.server(&folder, &[]);
    let first = Real.replica(&first_folder, &primary, &[]);
    let second = Real.replica(&second_folder, &primary, &[]);
    for replica in [&first, &second] {
        wait_for_link(&mut replica.client());
    }
    let mut client = primary.client();
    wait_for_replicas(&mut client, 2);
    // A client that has written nothing does not wait.
    assert_eq!(client.ask("WAIT 2 0"), "(integer) 2");
    assert_eq!(client.ask("SET k v"), "OK");
    assert_eq!(client.ask("WAIT 2 0"), "(integer) 2");
    second.signal("STOP");
    assert_eq!(client.ask("SET k w"), "OK");
    assert_eq!(client.ask("WAIT 1 0"), "(integer) 1");
    assert_eq!(client.ask("WAIT 2 100"), "(integer) 1");
    for line in ["MULTI", "SET k x", "WAIT 2 0"] {
        client.ask(line);
    }
    // Within a transaction, what was written before it counts.
    assert_eq!(client.ask("EXEC"), "1) OK\n2) (integer) 1");
    second.signal("CONT");
    assert_eq!(client.ask("WAIT 2 0"), "(integer) 2");
    // Replicas of Redis 7.0 say nothing of their files.
    assert_eq!(
        client.ask("WAITAOF 0 1 50"),
        "1) (integer) 0\n2) (integer) 0"
    );
}

#[test]
fn writes_are_refused_while_too_few_replicas_keep_up() {
    let [folder, replica_folder] = [Folder::new(), Folder::new()];
    let options = [
        "--min-replicas-to-write",
        "1",
        "--min-replicas-max-lag",
        "2",
    ];
    let primary = Ours.server(&folder, &options);
    let mut client = primary.client();
    let refused = "(error) NOREPLICAS Not enough good replicas to write.";
    assert_eq!(client.ask("SET k v"), refused);
    assert_eq!(client.info_of("replication", "min_slaves_good_slaves"), "0");
    assert_eq!(client.ask("GET k"), "(nil)");
    let replica = Real.replica(&replica_folder, &primary, &[]);
    wait_until("the replica is good", || client.ask("SET k v") == "OK");
    assert_eq!(client.info_of("replication", "min_slaves_good_slaves"), "1");
    replica.signal("STOP");
    wait_until("it does not keep up", || client.ask("SET k v") == refused);
    replica.signal("CONT");
    wait_until("it is good again", || client.ask("SET k v") == "OK");
    drop(replica);
    wait_until("it is gone", || client.ask("SET k v") == refused);
}

/// What was written before there was a replica is in its snapshot.
#[test]
fn wait_is_answered_for_a_replica_that_comes_later() {
    let [folder, replica_folder] = [Folder::new(), Folder::new()];
    // The file, so that there is a change log before there is a stream.
    let primary = Ours.server(&folder, &["--appendonly", "yes"]);
    let mut client = primary.client();
    assert_eq!(client.ask("SET k v"), "OK");
    client.send(&["WAIT", "1", "0"]);
    let _replica = Real.replica(&replica_folder, &primary, &[]);
    assert_eq!(client.receive_line(), "(integer) 1");
}

/// The thread of another client has written it.
#[test]
fn wait_counts_what_a_client_was_served() {
    let [folder, replica_folder] = [Folder::new(), Folder::new()];
    let primary = Ours.server(&folder, &[]);
    let replica = Ours.replica(&replica_folder, &primary, &[]);
    let [mut client, mut waiter] = [primary.client(), primary.client()];
    wait_for_replicas(&mut client, 1);
    waiter.send(&["BLPOP", "k", "0"]);
    wait_until("it waits", || client.info("blocked_clients") == "1");
    replica.signal("STOP");
    client.ask("RPUSH k v");
    assert_eq!(waiter.receive_line(), "1) \"k\"\n2) \"v\"");
    assert_eq!(waiter.ask("WAIT 1 100"), "(integer) 0");
    replica.signal("CONT");
    assert_eq!(waiter.ask("WAIT 1 0"), "(integer) 1");
}

#[test]
fn waitaof_counts_the_replicas_that_have_it_on_the_disk() {
    let folders = [(); 3].map(|()| Folder::new());
    let primary = Ours.server(&folders[0], &[]);
    let with_file = Ours.replica(&folders[1], &primary, &["--appendonly", "yes"]);
    let without = Ours.replica(&folders[2], &primary, &[]);
    for replica in [&with_file, &without] {
        wait_for_link(&mut replica.client());
    }
    let mut client = primary.client();
    wait_for_replicas(&mut client, 2);
    client.ask("SET k v");
    let [none, one] = ["0", "1"].map(|count| format!("1) (integer) 0\n2) (integer) {count}"));
    assert_eq!(client.ask("WAITAOF 0 1 0"), one);
    assert_eq!(client.ask("WAITAOF 0 2 50"), one);
    with_file.signal("STOP");
    client.ask("SET k w");
    assert_eq!(client.ask("WAITAOF 0 1 50"), none);
    with_file.signal("CONT");
    assert_eq!(client.ask("WAITAOF 0 1 0"), one);
}

/// The end of a server waits for replicas, until that is revoked or hurried.
#[test]
fn shutdown_waits_for_replicas() {
    let [folder, replica_folder] = [Folder::new(), Folder::new()];
    let primary = Ours.server(&folder, &["--shutdown-timeout", "3600"]);
    let replica = Ours.replica(&replica_folder, &primary, &[]);
    let [mut client, mut ending, mut writer] = [(); 3].map(|()| primary.client());
    wait_for_replicas(&mut client, 1);
    let none = "(error) ERR No shutdown in progress.";
    assert_eq!(client.ask("SHUTDOWN ABORT"), none);
    replica.signal("STOP");
    client.ask("SET k v");
    let shut_down = |client: &mut Client, ending: &mut Client| {
        ending.send(&["SHUTDOWN"]);
        wait_until("the shutdown begins", || {
            client
                .ask("INFO server")
                .contains("shutdown_in_milliseconds:")
        });
    };
    shut_down(&mut client, &mut ending);
    writer.send(&["SET", "k", "w"]);
    wait_until("the writer waits", || client.info("blocked_clients") == "1");
    // This pause has nothing to do with that of CLIENT PAUSE.
    client.ask("CLIENT UNPAUSE");
    assert_eq!(client.ask("GET k"), "\"v\"");
    // A client that comes now is served.
    assert_eq!(primary.client().ask("SHUTDOWN ABORT"), "OK");
    let failed = "(error) ERR Errors trying to SHUTDOWN. Check logs.";
    assert_eq!(ending.receive_line(), failed);
    assert_eq!(writer.receive_line(), "OK");
    shut_down(&mut client, &mut ending);
    writer.send(&["SET", "k", "x"]);
    wait_until("the writer waits", || client.info("blocked_clients") == "1");
    client.send(&["SHUTDOWN", "NOW"]);
    assert!(primary.wait().success());
    replica.signal("CONT");
}
