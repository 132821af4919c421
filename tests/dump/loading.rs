//! What clients see while the dump is being loaded. `key-load-delay` lets the tests decide when it goes on.

use crate::common::{Client, Folder, free_port, our_command, wait_for_exit, wait_until};
use my_redis_server::rdb::format::VERSION_FOR_ALL;
use my_redis_server::rdb::{ValueRef, Writer, WriterOptions};
use std::fs;
use std::net::TcpStream;
use std::process::Child;

/// Enough keys that the loader looks around several times, and is far from the end when a client has seen the first.
const KEYS: usize = 100_000;

/// Microseconds that no test lasts.
const FOR_EVER: &str = "600000000";

/// A server that has begun to load its dump, and has stopped before the first key.
struct Started {
    folder: Folder,
    process: Child,
    client: Client,
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn start(dump: &[u8]) -> Started {
    let folder = Folder::new();
    fs::write(folder.dump(), dump).expect("the dump can be written");
    let port = free_port();
    let port_word = port.to_string();
    let options = [
        "--port",
        &port_word,
        "--save",
        "3600 1",
        "--key-load-delay",
        FOR_EVER,
    ];
    let process = our_command(&folder, &options)
        .spawn()
        .expect("the server can be started");
    wait_until("the server listens", || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    Started {
        client: Client::connect(port),
        folder,
        process,
    }
}

fn dump() -> Vec<u8> {
    let options = WriterOptions {
        version: VERSION_FOR_ALL,
        compression: false,
        checksum: true,
    };
    let mut writer = Writer::new(Vec::new(), options).expect("memory takes everything");
    writer
        .aux(b"used-mem", b"1234567")
        .expect("memory takes everything");
    writer
        .select_db(0, KEYS as u64, 0)
        .expect("memory takes everything");
    for number in 0..KEYS {
        let key = format!("key:{number}");
        writer
            .key(key.as_bytes(), None, ValueRef::String(b"xxxxxxxxxx"))
            .expect("memory takes everything");
    }
    writer.finish().expect("memory takes everything")
}

#[test]
fn clients_are_told_to_wait_until_the_dump_is_whole() {
    let dump = dump();
    let mut started = start(&dump);
    let client = &mut started.client;
    let refusal = "(error) LOADING Redis is loading the dataset in memory";
    for command in [
        "PING",
        "GET key:1",
        "SET key:1 x",
        "DBSIZE",
        "SAVE",
        "BGSAVE",
        "FLUSHALL",
        "KEYS *",
    ] {
        assert_eq!(client.ask(command), refusal, "{command}");
    }
    assert_eq!(
        client.ask("GET"),
        "(error) ERR wrong number of arguments for 'get' command"
    );
    // These need no data, and Redis answers them.
    assert_eq!(client.ask("ECHO hello"), "\"hello\"");
    assert_eq!(client.ask("SELECT 0"), "OK");
    assert_eq!(client.ask("CONFIG SET maxclients 1000"), "OK");
    assert_eq!(client.ask("LASTSAVE").split(' ').next(), Some("(integer)"));
    assert_eq!(client.info("loading"), "1");
    let delay = |client: &mut Client, microseconds: &str| {
        assert_eq!(
            client.ask(&format!("CONFIG SET key-load-delay {microseconds}")),
            "OK"
        );
    };
    // Some seconds for all keys.
    delay(client, "50");
    // Full batches would come only with the end of the file, but the first ones are shorter.
    wait_until("some keys are loaded", || {
        client.info("rdb_last_load_keys_loaded") != "0"
            && client.info("loading_loaded_bytes") != "0"
    });
    delay(client, FOR_EVER);
    assert_eq!(client.ask("GET key:1"), refusal);
    assert_eq!(client.info("loading_rdb_used_mem"), "1234567");
    assert_eq!(client.info("loading_total_bytes"), dump.len().to_string());
    let loaded: usize = client
        .info("loading_loaded_bytes")
        .parse()
        .expect("a number");
    assert!((1..dump.len()).contains(&loaded), "{loaded}");
    delay(client, "0");
    wait_until("the server is ready", || {
        started.client.ask("PING") == "PONG"
    });
    assert_eq!(started.client.ask("DBSIZE"), format!("(integer) {KEYS}"));
    assert_eq!(started.client.info("loading"), "0");
    assert_eq!(started.client.info("rdb_changes_since_last_save"), "0");
}

#[test]
fn a_wrong_checksum_ends_the_server_before_anybody_was_served() {
    let mut dump = dump();
    *dump.last_mut().expect("a checksum") ^= 1;
    let mut started = start(&dump);
    assert!(started.client.ask("PING").starts_with("(error) LOADING"));
    started
        .client
        .send(&["CONFIG", "SET", "key-load-delay", "0"]);
    assert_eq!(wait_for_exit(&mut started.process).code(), Some(1));
    let log = fs::read_to_string(started.folder.path().join("log")).expect("a log");
    assert!(log.contains("Wrong RDB checksum"), "{log}");
}

#[test]
fn a_server_stopped_while_it_loads_does_not_save() {
    let dump = dump();
    let mut started = start(&dump);
    started.client.send(&["SHUTDOWN"]);
    assert_eq!(wait_for_exit(&mut started.process).code(), Some(0));
    let left = fs::read(started.folder.dump()).expect("the dump is there");
    assert!(left == dump, "the dump is what it was");
}
