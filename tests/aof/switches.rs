//! The append-only file is turned on and off, rewritten and waited for while clients go on.

use super::folders::{copy, names};
use crate::common::{Client, Folder, Server, wait_until};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

const ON: [&str; 4] = ["--appendonly", "yes", "--save", ""];
const DISABLED: &str =
    "(error) ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";

fn manifest(folder: &Folder) -> String {
    let path = folder.path().join("appendonlydir/appendonly.aof.manifest");
    fs::read_to_string(path).unwrap_or_default()
}

fn wait_for_rewrite(client: &mut Client) {
    wait_until("the rewrite is over", || {
        client.info("aof_rewrite_in_progress") == "0" && client.info("aof_rewrite_scheduled") == "0"
    });
    assert_eq!(client.info("aof_last_bgrewrite_status"), "ok");
}

#[test]
fn it_is_turned_on_and_off_while_clients_write() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    client.ask("SET before 1");
    assert_eq!(client.info("aof_enabled"), "0");
    assert!(!client.ask("INFO persistence").contains("aof_current_size"));
    let ends = AtomicBool::new(false);
    let mut count = 0;
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut client = server.client();
            let mut count = 0;
            while !ends.load(SeqCst) {
                count = client.integer(&["INCR", "n"]);
            }
            count
        });
        for _ in 0..5 {
            assert_eq!(client.ask("CONFIG SET appendonly yes"), "OK");
            assert_eq!(client.info("aof_enabled"), "1");
            wait_for_rewrite(&mut client);
            client.ask("BGREWRITEAOF");
            wait_for_rewrite(&mut client);
            assert_eq!(client.ask("CONFIG SET appendonly no"), "OK");
            assert_eq!(client.info("aof_enabled"), "0");
            client.ask("INCR while_off");
        }
        assert_eq!(
            client.ask("CONFIG SET appendonly yes appendfsync always"),
            "OK"
        );
        wait_for_rewrite(&mut client);
        ends.store(true, SeqCst);
        count = writer.join().unwrap();
    });
    // A base and an increment, and nothing else.
    assert_eq!(names(&folder).len(), 3);
    drop(server);
    let server = Server::ours(&folder, &ON);
    let mut client = server.client();
    assert_eq!(client.ask("MGET before while_off"), "1) \"1\"\n2) \"5\"");
    assert_eq!(client.ask("GET n"), format!("\"{count}\""));
}

#[test]
fn it_is_turned_on_in_a_transaction() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    for line in ["MULTI", "SET a 1", "CONFIG SET appendonly yes", "SET b 2"] {
        client.ask(line);
    }
    assert_eq!(client.ask("EXEC"), "1) OK\n2) OK\n3) OK");
    wait_until("it is on", || {
        client.info("aof_enabled") == "1" && client.info("aof_rewrite_in_progress") == "0"
    });
    client.ask("CONFIG SET appendfsync always");
    client.ask("SET c 3");
    drop(server);
    let server = Server::ours(&folder, &ON);
    assert_eq!(
        server.client().ask("MGET a b c"),
        "1) \"1\"\n2) \"2\"\n3) \"3\""
    );
}

#[test]
fn a_folder_that_cannot_be_made_is_told() {
    let folder = Folder::new();
    fs::write(folder.path().join("appendonlydir"), b"a file").unwrap();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    assert_eq!(
        client.ask("CONFIG SET appendonly yes"),
        "(error) ERR CONFIG SET failed (possibly related to argument 'appendonly') - Unable to turn on AOF. Check \
         server logs."
    );
    assert_eq!(
        client.ask("CONFIG GET appendonly"),
        "1) \"appendonly\"\n2) \"no\""
    );
    assert_eq!(client.info("aof_enabled"), "0");
    assert_eq!(client.ask("SET k v"), "OK");
}

/// Redis' own tests of WAITAOF, as far as they concern no replica.
#[test]
fn waitaof_waits_for_the_disk() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &ON);
    let mut client = server.client();
    for policy in ["always", "everysec"] {
        client.ask(&format!("CONFIG SET appendfsync {policy}"));
        client.ask("INCR n");
        assert_eq!(
            client.ask("WAITAOF 1 0 0"),
            "1) (integer) 1\n2) (integer) 0"
        );
        assert_eq!(
            client.ask("WAITAOF 0 0 0"),
            "1) (integer) 1\n2) (integer) 0"
        );
    }
    assert_eq!(
        client.ask("WAITAOF 1 1 1"),
        "1) (integer) 1\n2) (integer) 0"
    );
    client.ask("CONFIG SET appendfsync no");
    client.ask("INCR n");
    assert_eq!(
        client.ask("WAITAOF 1 0 100"),
        "1) (integer) 0\n2) (integer) 0"
    );
    // In a transaction nobody waits.
    for line in ["MULTI", "INCR n", "WAITAOF 1 0 0"] {
        client.ask(line);
    }
    assert_eq!(
        client.ask("EXEC"),
        "1) (integer) 4\n2) 1) (integer) 0\n   2) (integer) 0"
    );
    client.send(&["WAITAOF", "1", "0", "0"]);
    let mut other = server.client();
    let blocked = |client: &mut Client, number: &str| {
        wait_until("it waits", || {
            client.info_of("clients", "blocked_clients") == number
        });
    };
    blocked(&mut other, "1");
    other.ask("CONFIG SET appendfsync always");
    assert_eq!(client.receive_line(), "1) (integer) 1\n2) (integer) 0");
    other.ask("CONFIG SET appendfsync no");
    client.ask("INCR n");
    client.send(&["WAITAOF", "1", "0", "0"]);
    blocked(&mut other, "1");
    other.ask("CONFIG SET appendonly no");
    assert_eq!(client.receive_line(), DISABLED);
    assert_eq!(client.ask("WAITAOF 1 0 0"), DISABLED);
    other.ask("CONFIG SET appendonly yes");
    wait_for_rewrite(&mut other);
    client.send(&["WAITAOF", "1", "1", "0"]);
    blocked(&mut other, "1");
    other.ask("CONFIG SET appendonly no");
    assert_eq!(client.receive_line(), DISABLED);
    assert_eq!(
        client.ask("WAITAOF 0 0 0"),
        "1) (integer) 0\n2) (integer) 0"
    );
}

#[test]
fn it_is_rewritten_when_it_has_grown() {
    let folder = Folder::new();
    let options = [
        &ON[..],
        &[
            "--auto-aof-rewrite-min-size",
            "64kb",
            "--auto-aof-rewrite-percentage",
            "50",
        ],
    ]
    .concat();
    let server = Server::ours(&folder, &options);
    let mut client = server.client();
    let value = "x".repeat(1000);
    for _ in 0..200 {
        client.call(&["SET", "k", &value]);
    }
    wait_until("it is rewritten", || client.info("aof_rewrites") == "1");
    wait_for_rewrite(&mut client);
    let size: u64 = client.info("aof_current_size").parse().unwrap();
    assert!(size < 64 * 1024, "{size}");
    assert_eq!(client.info("aof_base_size"), size.to_string());
    assert!(manifest(&folder).contains("seq 2 type b"));
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(
        log.contains("Starting automatic rewriting of AOF on "),
        "{log}"
    );
}

#[test]
fn saves_and_rewrites_wait_for_each_other() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &ON);
    let mut client = server.client();
    for number in 0..100 {
        client.ask(&format!("SET key:{number} v"));
    }
    client.ask("CONFIG SET rdb-key-save-delay 60000");
    assert_eq!(
        client.ask("BGREWRITEAOF"),
        "Background append only file rewriting started"
    );
    assert_eq!(
        client.ask("BGREWRITEAOF"),
        "(error) ERR Background append only file rewriting already in progress"
    );
    assert_eq!(
        client.ask("BGSAVE"),
        "(error) ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to \
         schedule a BGSAVE whenever possible."
    );
    assert_eq!(client.ask("BGSAVE SCHEDULE"), "Background saving scheduled");
    assert_eq!(client.info("aof_rewrite_in_progress"), "1");
    client.ask("CONFIG SET rdb-key-save-delay 0");
    wait_until("both are done", || client.info("rdb_saves") == "1");
    assert_eq!(client.info("aof_rewrites"), "1");
    client.ask("CONFIG SET rdb-key-save-delay 60000");
    assert_eq!(client.ask("BGSAVE"), "Background saving started");
    assert_eq!(
        client.ask("BGREWRITEAOF"),
        "Background append only file rewriting scheduled"
    );
    assert_eq!(client.info("aof_rewrite_scheduled"), "1");
    client.ask("CONFIG SET rdb-key-save-delay 0");
    wait_until("both are done", || client.info("aof_rewrites") == "2");
}

/// What DEBUG RELOAD brings in by itself is in the file afterwards.
#[test]
fn debug_loads_and_reloads() {
    let folder = Folder::new();
    let options = [&ON[..], &["--enable-debug-command", "yes"]].concat();
    let server = Server::ours(&folder, &options);
    let mut client = server.client();
    client.ask("SET saved 1");
    client.call(&[
        "FUNCTION",
        "LOAD",
        "#!lua name=m\nredis.register_function('f', function() return 7 end)",
    ]);
    assert_eq!(client.ask("SAVE"), "OK");
    client.ask("SET later 2");
    assert_eq!(client.ask("DEBUG LOADAOF"), "OK");
    assert_eq!(client.ask("MGET saved later"), "1) \"1\"\n2) \"2\"");
    assert_eq!(client.ask("FCALL f 0"), "(integer) 7");
    client.ask("SET last 3");
    assert_eq!(client.ask("DEBUG RELOAD NOSAVE"), "OK");
    assert_eq!(
        client.ask("MGET saved later last"),
        "1) \"1\"\n2) (nil)\n3) (nil)"
    );
    wait_until("it is rewritten", || client.info("aof_rewrites") == "1");
    wait_for_rewrite(&mut client);
    assert_eq!(client.ask("DEBUG LOADAOF"), "OK");
    assert_eq!(
        client.ask("MGET saved later last"),
        "1) \"1\"\n2) (nil)\n3) (nil)"
    );
    assert_eq!(client.ask("DEBUG RELOAD NOSAVE NOFLUSH MERGE"), "OK");
    assert_eq!(client.ask("DEBUG SET-DISABLE-DENY-SCRIPTS 1"), "OK");
}

/// With `everysec`, changes wait when the disk takes longer than a second: once for the write, once for the fsync.
#[test]
fn a_slow_disk_holds_changes_back() {
    let folder = Folder::new();
    let options = [&ON[..], &["--enable-debug-command", "yes"]].concat();
    let server = Server::ours(&folder, &options);
    let mut client = server.client();
    client.ask("DEBUG AOF-FLUSH-SLEEP 1500000");
    client.ask("SET k v");
    wait_until("changes have to wait", || {
        client.info("aof_delayed_fsync") == "2"
    });
    client.ask("DEBUG AOF-FLUSH-SLEEP 0");
    assert_eq!(client.ask("SET k w"), "OK");
    assert_eq!(
        client.ask("WAITAOF 1 0 0"),
        "1) (integer) 1\n2) (integer) 0"
    );
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(
        log.contains("Asynchronous AOF fsync is taking too long (disk is busy?)."),
        "{log}"
    );
}

/// The last save holds all changes back; the rest of the file is written all the same.
#[test]
fn the_end_of_the_server_leaves_dump_and_file_complete() {
    for policy in ["always", "everysec", "no"] {
        let folder = Folder::new();
        let options = [
            "--appendonly",
            "yes",
            "--save",
            "300 1",
            "--appendfsync",
            policy,
        ];
        let server = Server::ours(&folder, &options);
        let mut client = server.client();
        client.ask("SET k v");
        if policy == "everysec" {
            server.signal("TERM");
        } else {
            client.send(&["SHUTDOWN"]);
        }
        assert!(server.wait().success(), "{policy}");
        assert!(folder.dump().exists());
        fs::remove_file(folder.dump()).unwrap();
        let server = Server::ours(&folder, &options);
        assert_eq!(server.client().ask("GET k"), "\"v\"", "{policy}");
    }
}

/// What was prepared when it was turned on does not come back when it was turned off before its base was there.
#[test]
fn it_is_turned_off_before_its_base_is_there() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    for number in 0..50 {
        client.ask(&format!("SET key:{number} v"));
    }
    client.ask("CONFIG SET rdb-key-save-delay 200000");
    assert_eq!(
        client.ask("CONFIG SET appendonly yes appendfsync always"),
        "OK"
    );
    client.ask("INCR n");
    // Its base is missing: what is on the disk is worth nothing.
    assert_eq!(
        client.ask("WAITAOF 1 0 1"),
        "1) (integer) 0\n2) (integer) 0"
    );
    client.send(&["SHUTDOWN"]);
    assert_eq!(
        client.receive_line(),
        "(error) ERR Errors trying to SHUTDOWN. Check logs."
    );
    assert_eq!(client.ask("CONFIG SET appendonly no"), "OK");
    client.ask("INCR n");
    client.ask("CONFIG SET rdb-key-save-delay 0");
    client.ask("BGREWRITEAOF");
    wait_for_rewrite(&mut client);
    // A base, and no increment.
    let names = names(&folder);
    assert!(
        names.len() == 2 && names[0].ends_with(".base.rdb"),
        "{names:?}"
    );
    drop(server);
    let server = Server::ours(&folder, &ON);
    assert_eq!(server.client().ask("GET n"), "\"2\"");
}

/// A file of the form before Redis 7 whose data were not loaded is left alone.
#[test]
fn a_file_that_was_not_loaded_stays_where_it_is() {
    let folder = Folder::new();
    let old = folder.path().join("appendonly.aof");
    fs::write(&old, b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n").unwrap();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    client.ask("BGREWRITEAOF");
    wait_for_rewrite(&mut client);
    assert_eq!(client.ask("CONFIG SET appendonly yes"), "OK");
    wait_for_rewrite(&mut client);
    assert!(old.exists());
}

/// What waits for a slow disk goes on when the file is turned off.
#[test]
fn turned_off_it_holds_nothing_back() {
    let folder = Folder::new();
    let options = [&ON[..], &["--enable-debug-command", "yes"]].concat();
    let server = Server::ours(&folder, &options);
    let mut client = server.client();
    client.ask("DEBUG AOF-FLUSH-SLEEP 1500000");
    client.ask("SET k v");
    wait_until("changes have to wait", || {
        client.info("aof_delayed_fsync") == "2"
    });
    let mut writer = server.client();
    writer.send(&["SET", "k", "w"]);
    client.ask("DEBUG AOF-FLUSH-SLEEP 0");
    assert_eq!(client.ask("CONFIG SET appendonly no"), "OK");
    assert_eq!(writer.receive_line(), "OK");
    assert_eq!(writer.ask("SET k x"), "OK");
}

/// The second one of a transaction counts, whatever the first one has done by then.
#[test]
fn the_last_switch_counts() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &ON);
    let mut client = server.client();
    for line in [
        "MULTI",
        "CONFIG SET appendonly no",
        "CONFIG SET appendonly yes",
    ] {
        client.ask(line);
    }
    client.ask("EXEC");
    wait_until("it is on again", || {
        manifest(&folder).contains("seq 2 type b")
    });
    wait_for_rewrite(&mut client);
    assert_eq!(client.info("aof_enabled"), "1");
}

/// Clients that pipeline, of both protocols, get their replies in their order and all of them, whatever is switched
/// meanwhile, and nobody hangs.
#[test]
fn replies_keep_their_order_while_the_policy_changes() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &ON);
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..6)
            .map(|number| {
                let (server, ends) = (&server, &ends);
                scope.spawn(move || {
                    let mut client = server.client();
                    if number % 3 == 0 {
                        client.ask("HELLO 3");
                    }
                    let key = format!("n{number}");
                    let mut count = 0;
                    while !ends.load(SeqCst) {
                        let large = "x".repeat(20_000);
                        for _ in 0..5 {
                            client.send(&["INCR", &key]);
                            client.send(&["GET", &key]);
                        }
                        client.send(&["ECHO", &large]);
                        for _ in 0..5 {
                            count += 1;
                            assert_eq!(client.receive_line(), format!("(integer) {count}"));
                            assert_eq!(client.receive_line(), format!("\"{count}\""));
                        }
                        assert_eq!(client.receive_line().len(), large.len() + 2);
                    }
                    count
                })
            })
            .collect();
        let mut client = server.client();
        for round in 0..30 {
            let policy = ["always", "everysec", "always", "no"][round % 4];
            assert_eq!(
                client.ask(&format!("CONFIG SET appendfsync {policy}")),
                "OK"
            );
            client.ask("INCR n0_of_others");
            match round % 10 {
                3 => drop(client.ask("BGREWRITEAOF")),
                5 => drop(client.ask("CONFIG SET appendonly no")),
                6 => drop(client.ask("CONFIG SET appendonly yes")),
                // One whose reply may be on its way.
                _ => {
                    let mut other = server.client();
                    let id = other.integer(&["CLIENT", "ID"]);
                    other.send(&["INCR", "killed"]);
                    client.ask(&format!("CLIENT KILL ID {id}"));
                }
            }
        }
        client.ask("CONFIG SET appendfsync always");
        wait_for_rewrite(&mut client);
        ends.store(true, SeqCst);
        let counts: Vec<u64> = writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .collect();
        server.signal("KILL");
        let again = copy(&folder);
        let server = Server::ours(&again, &ON);
        let mut client = server.client();
        for (number, count) in counts.iter().enumerate() {
            assert_eq!(
                client.ask(&format!("GET n{number}")),
                format!("\"{count}\"")
            );
        }
    });
}
