//! What a server does as a replica, and when its role changes.

use super::pair::Whose::{Ours, Real};
use super::pair::{wait_for_link, wait_for_one_offset, wait_for_replicas};
use crate::common::{Client, Folder, Server, wait_until};
use my_redis_server::resp::decoder::Value;

const READ_ONLY: &str = "(error) READONLY You can't write against a read only replica.";

fn follow(client: &mut Client, primary: &Server) {
    let reply = client.ask(&format!("REPLICAOF 127.0.0.1 {}", primary.port));
    assert_eq!(reply, "OK");
}

#[test]
fn clients_of_a_replica_read_and_do_not_write() {
    let [folder, replica_folder] = [(); 2].map(|()| Folder::new());
    let primary = Ours.server(&folder, &[]);
    let replica = Ours.replica(&replica_folder, &primary, &[]);
    let [mut client, mut of_replica] = [primary.client(), replica.client()];
    wait_for_link(&mut of_replica);
    client.ask("SET k v");
    client.ask("SET short v PX 1");
    wait_for_one_offset(&mut client, &mut of_replica);
    assert_eq!(of_replica.ask("GET k"), "\"v\"");
    wait_until("it has expired", || of_replica.ask("GET short") == "(nil)");
    for line in ["SET k w", "DEL k", "FLUSHALL"] {
        assert_eq!(of_replica.ask(line), READ_ONLY);
    }
    let written = of_replica.call(&["EVAL", "return redis.call('SET', 'k', 'w')", "0"]);
    let is_refused = matches!(&written, Value::Error(text) if text.starts_with(b"READONLY "));
    assert!(is_refused, "{written:?}");
    of_replica.ask("MULTI");
    assert_eq!(of_replica.ask("SET k w"), READ_ONLY);
    let aborted = "(error) EXECABORT Transaction discarded because of previous errors.";
    assert_eq!(of_replica.ask("EXEC"), aborted);
    let refused = of_replica.ask("WAIT 0 0");
    assert!(
        refused.contains("WAIT cannot be used with replica instances"),
        "{refused}"
    );
    let port = primary.port;
    assert_eq!(
        of_replica.ask("ROLE"),
        format!(
            "1) \"slave\"\n2) \"127.0.0.1\"\n3) (integer) {port}\n4) \"connected\"\n5) (integer) {}",
            of_replica.info_of("replication", "slave_repl_offset")
        )
    );
    let again = of_replica.ask(&format!("REPLICAOF 127.0.0.1 {port}"));
    assert_eq!(again, "OK Already connected to specified master");
    drop(primary);
    wait_until("the link is down", || {
        of_replica.info_of("replication", "master_link_status") == "down"
    });
    assert_eq!(of_replica.ask("GET k"), "\"v\"");
    of_replica.ask("CONFIG SET replica-serve-stale-data no");
    let down =
        "(error) MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
    assert_eq!(of_replica.ask("GET k"), down);
    assert_eq!(of_replica.ask("REPLICAOF NO ONE"), "OK");
    assert_eq!(of_replica.ask("SET k w"), "OK");
}

/// Keys that have expired are hidden on a replica, and go when the primary says so.
#[test]
fn a_replica_removes_no_key_of_its_own() {
    let [folder, replica_folder] = [(); 2].map(|()| Folder::new());
    let primary = Ours.server(&folder, &[]);
    let replica = Ours.replica(&replica_folder, &primary, &[]);
    let [mut client, mut of_replica] = [primary.client(), replica.client()];
    wait_for_link(&mut of_replica);
    client.ask("DEBUG SET-ACTIVE-EXPIRE 0");
    client.ask("SET short v PX 20");
    wait_for_one_offset(&mut client, &mut of_replica);
    wait_until("it has expired", || of_replica.ask("GET short") == "(nil)");
    assert_eq!(of_replica.info("expired_keys"), "0");
    let before = of_replica.info_of("replication", "slave_repl_offset");
    client.ask("DEBUG SET-ACTIVE-EXPIRE 1");
    wait_until("the primary has said so", || {
        client.info("expired_keys") == "1"
            && of_replica.info_of("replication", "slave_repl_offset") != before
    });
    assert_eq!(of_replica.info("expired_keys"), "0");
}

#[test]
fn clients_that_wait_hear_that_the_server_is_a_replica_now() {
    for program in [Ours, Real] {
        let [folder, other_folder] = [(); 2].map(|()| Folder::new());
        let [server, other] = [
            program.server(&folder, &[]),
            Ours.server(&other_folder, &[]),
        ];
        let mut client = server.client();
        let waits: [&[&str]; 3] = [
            &["BLPOP", "k", "0"],
            &["XREAD", "BLOCK", "0", "STREAMS", "s", "$"],
            &["WAIT", "1", "0"],
        ];
        let mut waiters = waits.map(|words| {
            let mut waiter = server.client();
            waiter.send(words);
            waiter
        });
        wait_until("they wait", || client.info("blocked_clients") == "3");
        follow(&mut client, &other);
        for waiter in &mut waiters {
            assert_eq!(
                waiter.receive_line(),
                "(error) UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"
            );
            assert_eq!(waiter.try_receive(), None, "it is disconnected");
        }
    }
}

/// A primary that is replaced, and comes back as a replica of the new one, is sent what it lacks, if it has nothing
/// that the new one has not.
#[test]
fn roles_are_exchanged_without_a_snapshot() {
    for programs in [[Ours, Ours, Ours], [Ours, Real, Ours], [Real, Ours, Real]] {
        let folders = [(); 3].map(|()| Folder::new());
        let first = programs[0].server(&folders[0], &[]);
        let second = programs[1].replica(&folders[1], &first, &[]);
        let third = programs[2].replica(&folders[2], &first, &[]);
        let [mut of_first, mut of_second, mut of_third] =
            [&first, &second, &third].map(|server| server.client());
        for client in [&mut of_second, &mut of_third] {
            wait_for_link(client);
        }
        wait_for_replicas(&mut of_first, 2);
        of_first.ask("SET k v");
        wait_for_one_offset(&mut of_first, &mut of_second);
        let old_id = of_first.info_of("replication", "master_replid");
        assert_eq!(of_second.ask("REPLICAOF NO ONE"), "OK");
        assert_eq!(of_second.info_of("replication", "master_replid2"), old_id);
        follow(&mut of_third, &second);
        follow(&mut of_first, &second);
        of_second.ask("SELECT 3");
        of_second.ask("SET k w");
        for client in [&mut of_first, &mut of_third] {
            wait_for_link(client);
            wait_for_one_offset(&mut of_second, client);
            client.ask("SELECT 3");
            assert_eq!(client.ask("GET k"), "\"w\"", "{programs:?}");
            client.ask("SELECT 0");
            assert_eq!(client.ask("GET k"), "\"v\"", "{programs:?}");
        }
        assert_eq!(of_second.info_of("stats", "sync_full"), "0", "{programs:?}");
        assert_eq!(
            of_second.info_of("stats", "sync_partial_ok"),
            "2",
            "{programs:?}"
        );
    }
}

#[test]
fn a_primary_may_want_a_password() {
    let [folder, first_folder, second_folder] = [(); 3].map(|()| Folder::new());
    let primary = Real.server(&folder, &[]);
    let mut client = primary.client();
    client.ask("SET k v");
    client.ask("ACL SETUSER copier on >word +psync +replconf +ping");
    client.ask("CONFIG SET requirepass secret");
    client.ask("AUTH secret");
    let with_password = ["--masterauth", "secret"];
    let with_user = ["--masterauth", "word", "--masteruser", "copier"];
    for (folder, options) in [
        (&first_folder, &with_password[..]),
        (&second_folder, &with_user),
    ] {
        let replica = Ours.replica(folder, &primary, options);
        let mut of_replica = replica.client();
        wait_for_link(&mut of_replica);
        assert_eq!(of_replica.ask("GET k"), "\"v\"");
    }
}

/// redis-sentinel sends it in one transaction.
#[test]
fn config_rewrite_writes_the_new_primary() {
    let folder = Folder::new();
    let file = folder.path().join("redis.conf");
    std::fs::write(&file, "save \"\"\n").expect("a file");
    let path = file.to_str().expect("text");
    let server = Server::start(|port| {
        let port = port.to_string();
        crate::common::our_command(&folder, &[path, "--port", &port])
    });
    let mut client = server.client();
    for line in ["MULTI", "REPLICAOF 127.0.0.1 1", "CONFIG REWRITE"] {
        client.ask(line);
    }
    assert_eq!(client.ask("EXEC"), "1) OK\n2) OK");
    assert_eq!(client.info_of("replication", "master_port"), "1");
    let written = std::fs::read_to_string(&file).expect("a file");
    assert!(
        written.lines().any(|line| line == "replicaof 127.0.0.1 1"),
        "{written}"
    );
    for line in ["REPLICAOF NO ONE", "CONFIG REWRITE"] {
        assert_eq!(client.ask(line), "OK");
    }
    let written = std::fs::read_to_string(&file).expect("a file");
    assert!(!written.contains("replicaof"), "{written}");
}

/// The dump says where in the stream it stands. So neither a replica nor a primary that is stopped and started again
/// costs a snapshot.
#[test]
fn servers_that_are_started_again_go_on_where_their_dump_stands() {
    for whose in [Ours, Real] {
        let [folder, replica_folder] = [(); 2].map(|()| Folder::new());
        let primary = Ours.server(&folder, &[]);
        let replica = whose.replica(&replica_folder, &primary, &["--dbfilename", "it.rdb"]);
        let [mut client, mut of_replica] = [primary.client(), replica.client()];
        wait_for_link(&mut of_replica);
        client.ask("SELECT 2");
        client.ask("SET k 1");
        wait_for_one_offset(&mut client, &mut of_replica);
        of_replica.send(&["SHUTDOWN", "SAVE"]);
        assert!(replica.wait().success());
        client.ask("INCR k");
        let replica = whose.replica(&replica_folder, &primary, &["--dbfilename", "it.rdb"]);
        let mut of_replica = replica.client();
        wait_for_link(&mut of_replica);
        wait_for_one_offset(&mut client, &mut of_replica);
        of_replica.ask("SELECT 2");
        assert_eq!(of_replica.ask("GET k"), "\"2\"", "{whose:?}");
        assert_eq!(client.info_of("stats", "sync_full"), "1", "{whose:?}");

        client.send(&["SHUTDOWN", "SAVE"]);
        assert!(primary.wait().success());
        let primary = Ours.server(&folder, &[]);
        let mut client = primary.client();
        let moved = of_replica.ask(&format!("REPLICAOF 127.0.0.1 {}", primary.port));
        assert_eq!(moved, "OK");
        client.ask("SELECT 2");
        assert_eq!(client.ask("INCR k"), "(integer) 3");
        wait_for_link(&mut of_replica);
        wait_for_one_offset(&mut client, &mut of_replica);
        assert_eq!(of_replica.ask("GET k"), "\"3\"", "{whose:?}");
        assert_eq!(client.info_of("stats", "sync_full"), "0", "{whose:?}");
        assert_eq!(client.info_of("stats", "sync_partial_ok"), "1", "{whose:?}");
    }
}

/// Scripts too are refused what commands are.
#[test]
fn scripts_are_refused_as_commands_are() {
    let folder = Folder::new();
    let server = Ours.server(&folder, &["--min-replicas-to-write", "1"]);
    let mut client = server.client();
    let error = |client: &mut Client, script: &str| match client.call(&["EVAL", script, "1", "k"]) {
        Value::Error(text) => String::from_utf8(text).unwrap(),
        other => panic!("{other:?}"),
    };
    let write = "return redis.call('SET', KEYS[1], 'v')";
    let read = "return redis.call('GET', KEYS[1])";
    let refused = error(&mut client, write);
    assert!(
        refused.starts_with("NOREPLICAS Not enough good replicas to write."),
        "{refused}"
    );
    client.ask("CONFIG SET replica-serve-stale-data no");
    assert_eq!(client.ask("REPLICAOF 127.0.0.1 1"), "OK");
    for script in [read, "return 1"] {
        let refused = error(&mut client, script);
        assert!(
            refused.starts_with("MASTERDOWN Link with MASTER is down"),
            "{refused}"
        );
    }
    let flags = "#!lua flags=allow-stale,no-writes\n";
    let refused = error(&mut client, &format!("{flags}{read}"));
    assert!(
        refused.starts_with("ERR Can not execute the command on a stale replica"),
        "{refused}"
    );
    let one = client.call(&["EVAL", &format!("{flags}return 1"), "0"]);
    assert_eq!(one, Value::Integer(1));
    let role = client.ask("ROLE");
    assert!(role.ends_with("(integer) -1"), "{role}");
}

/// What follows a SELECT that fails must not be carried out in another database.
#[test]
fn a_replica_with_too_few_databases_carries_out_nothing_wrong() {
    let [folder, replica_folder] = [(); 2].map(|()| Folder::new());
    let primary = Real.server(&folder, &[]);
    let mut client = primary.client();
    client.ask("SET k 0");
    let address = format!("127.0.0.1 {}", primary.port);
    let options = ["--save", "", "--databases", "2", "--replicaof", &address];
    let replica = Server::ours(&replica_folder, &options);
    let mut of_replica = replica.client();
    wait_for_link(&mut of_replica);
    client.ask("SELECT 5");
    client.ask("SET k 5");
    wait_until("the link is down", || {
        of_replica.info_of("replication", "master_link_status") == "down"
    });
    assert_eq!(of_replica.ask("GET k"), "\"0\"");
    let log = std::fs::read_to_string(replica_folder.path().join("log")).expect("a log");
    assert!(log.contains("start it with more --databases"), "{log}");
}

/// A replica that is slow for a moment gets everything before its primary ends.
#[test]
fn a_primary_that_ends_waits_for_its_replicas() {
    let [folder, replica_folder] = [(); 2].map(|()| Folder::new());
    let primary = Ours.server(&folder, &[]);
    let replica = Real.replica(&replica_folder, &primary, &[]);
    let [mut client, mut of_replica] = [primary.client(), replica.client()];
    wait_for_link(&mut of_replica);
    wait_for_replicas(&mut client, 1);
    replica.signal("STOP");
    for number in 0..30 {
        client.call(&["SET", &number.to_string(), &"v".repeat(1 << 20)]);
    }
    primary.signal("TERM");
    wait_until("it waits", || {
        let log = std::fs::read_to_string(folder.path().join("log"));
        log.is_ok_and(|log| log.contains("Waiting for replicas before shutting down."))
    });
    replica.signal("CONT");
    assert!(primary.wait().success());
    assert_eq!(of_replica.ask("DBSIZE"), "(integer) 30");
}

/// Of the keys that its own clients have made, the primary knows nothing.
#[test]
fn a_writable_replica_removes_its_own_keys_when_they_expire() {
    for program in [Ours, Real] {
        let [folder, replica_folder] = [(); 2].map(|()| Folder::new());
        let primary = Ours.server(&folder, &[]);
        let replica = program.replica(&replica_folder, &primary, &["--replica-read-only", "no"]);
        let [mut client, mut of_replica] = [primary.client(), replica.client()];
        wait_for_link(&mut of_replica);
        client.ask("DEBUG SET-ACTIVE-EXPIRE 0");
        client.ask("SET far v PX 1");
        wait_for_one_offset(&mut client, &mut of_replica);
        assert_eq!(of_replica.ask("SET own v PX 1"), "OK");
        assert_eq!(of_replica.ask("SET other v"), "OK");
        of_replica.ask("PEXPIRE other 1");
        of_replica.ask("EVAL redis.call('SET',KEYS[1],'v','PX','1') 1 scripted");
        for line in ["MULTI", "SET longer v PX 1", "PERSIST longer", "EXEC"] {
            of_replica.ask(line);
        }
        // Not `far`, which has expired too, and not `longer`.
        wait_until("they are gone", || of_replica.info("expired_keys") == "3");
        assert_eq!(
            of_replica.ask("MGET own other scripted longer"),
            "1) (nil)\n2) (nil)\n3) (nil)\n4) \"v\""
        );
    }
}

/// A transaction is refused for what is in it, if its commands need data, and for what could not be queued.
#[test]
fn stale_data_are_hidden_from_transactions_too() {
    let servers = [Ours, Real].map(|program| {
        let folder = Folder::new();
        let stale = ["--replica-serve-stale-data", "no"];
        let server = program.server(&folder, &stale);
        (folder, server)
    });
    let [ours, real] = servers.each_ref().map(|(_, server)| {
        let mut client = server.client();
        let lines = [
            "MULTI",
            "INFO server",
            "EXEC",
            "MULTI",
            "GET k",
            "EXEC",
            "MULTI",
            "REPLICAOF 127.0.0.1 1",
            "EXEC",
            "MULTI",
            "GET k",
            "EXEC",
            "MULTI",
            "SELECT 0",
            "EXEC",
        ];
        let replies = lines.map(|line| client.ask(line));
        replies[3..].to_vec()
    });
    assert_eq!(ours, real);
}

/// What is loaded is neither in the stream nor in the file once more. Replicas get everything anew.
#[test]
fn a_primary_loads_its_file_anew() {
    let [folder, replica_folder] = [(); 2].map(|()| Folder::new());
    let appends = ["--appendonly", "yes"];
    let primary = Ours.server(&folder, &appends);
    let replica = Ours.replica(&replica_folder, &primary, &[]);
    let [mut client, mut of_replica] = [primary.client(), replica.client()];
    wait_for_link(&mut of_replica);
    wait_for_replicas(&mut client, 1);
    (0..3).for_each(|_| drop(client.ask("INCR count")));
    for _ in 0..2 {
        assert_eq!(client.ask("DEBUG LOADAOF"), "OK");
        assert_eq!(client.ask("GET count"), "\"3\"");
    }
    client.ask("INCR count");
    wait_until("the replica has it", || {
        of_replica.ask("GET count") == "\"4\""
    });
    client.ask("INCR count");
    wait_until("the replica has it", || {
        of_replica.ask("GET count") == "\"5\""
    });
    client.ask("WAITAOF 1 0 0");
    drop(primary);
    let again = Ours.server(&folder, &appends);
    assert_eq!(again.client().ask("GET count"), "\"5\"");
}

/// The thread that carries out the stream tells them, as the thread of a client tells the clients of a primary.
#[test]
fn clients_of_a_replica_hear_what_the_stream_changes() {
    let [folder, replica_folder] = [Folder::new(), Folder::new()];
    let primary = Ours.server(&folder, &[]);
    let replica = Ours.replica(&replica_folder, &primary, &[]);
    let [mut tracker, mut listener] = [(); 2].map(|()| replica.client());
    wait_for_link(&mut tracker);
    tracker.ask("HELLO 3");
    assert_eq!(tracker.ask("CLIENT TRACKING ON BCAST PREFIX key"), "OK");
    listener.ask("SUBSCRIBE channel");
    let mut client = primary.client();
    client.ask("SET key:1 v");
    client.ask("PUBLISH channel message");
    let key = Value::Array(vec![Value::Bulk(b"key:1".to_vec())]);
    let invalidate = Value::Bulk(b"invalidate".to_vec());
    assert_eq!(tracker.receive(), Value::Push(vec![invalidate, key]));
    let message = ["message", "channel", "message"].map(|word| Value::Bulk(word.into()));
    assert_eq!(listener.receive(), Value::Array(message.into()));
}
