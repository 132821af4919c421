//! What a primary does for clients that care about its replicas: WAIT, WAITAOF, `min-replicas-to-write`.

use super::pair::Whose::{Ours, Real};
use super::pair::{wait_for_link, wait_for_replicas};
use crate::common::{Folder, wait_until};

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
