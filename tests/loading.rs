//! What clients see while the dump is being loaded. The dump is a pipe, so that the test decides how far loading has come.

mod common;

use common::{Client, Folder, free_port, our_command, wait_for_exit, wait_until};
use my_redis_server::rdb::{ValueRef, Writer, WriterOptions};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::TcpStream;
use std::process::{Child, Command};

/// Enough keys that the loader looks around several times, and has some in before it has seen the end: each of 256 shards
/// gets more than a batch.
const KEYS: usize = 300_000;

/// A server that has been started with a pipe for its dump.
struct Started {
    folder: Folder,
    process: Child,
    port: u16,
    client: Client,
    pipe: File,
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn start() -> Started {
    let folder = Folder::new();
    let made = Command::new("mkfifo").arg(folder.dump()).status();
    assert!(made.expect("mkfifo can be run").success());
    let port = free_port();
    let options = ["--port", &port.to_string(), "--save", "3600 1"];
    let process = our_command(&folder, &options)
        .spawn()
        .expect("the server can be started");
    // Opening waits for the server to open the other end.
    let pipe = OpenOptions::new()
        .write(true)
        .open(folder.dump())
        .expect("a pipe");
    wait_until("the server listens", || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    Started {
        client: Client::connect(port),
        folder,
        process,
        port,
        pipe,
    }
}

fn dump() -> Vec<u8> {
    let options = WriterOptions {
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
            .key(key.as_bytes(), None, ValueRef::String(&[b'x'; 10]))
            .expect("memory takes everything");
    }
    writer.finish().expect("memory takes everything")
}

#[test]
fn clients_are_told_to_wait_until_the_dump_is_whole() {
    let mut started = start();
    let dump = dump();
    // The last byte of the checksum is missing.
    let (most, last) = dump.split_at(dump.len() - 1);
    started.pipe.write_all(most).expect("the server reads");
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
    wait_until("most keys are loaded", || {
        client.info("rdb_last_load_keys_loaded") != "0"
    });
    assert_eq!(client.info("loading_rdb_used_mem"), "1234567");
    assert_eq!(client.info("loading_total_bytes"), "0");
    assert!(
        client
            .info("loading_loaded_bytes")
            .parse::<usize>()
            .is_ok_and(|bytes| bytes > 400_000)
    );
    started.pipe.write_all(last).expect("the server reads");
    wait_until("the server is ready", || {
        started.client.ask("PING") == "PONG"
    });
    assert_eq!(started.client.ask("DBSIZE"), format!("(integer) {KEYS}"));
    assert_eq!(started.client.info("loading"), "0");
    assert_eq!(started.client.info("rdb_changes_since_last_save"), "0");
}

#[test]
fn a_wrong_checksum_ends_the_server_before_anybody_was_served() {
    let mut started = start();
    let mut dump = dump();
    *dump.last_mut().expect("a checksum") ^= 1;
    started.pipe.write_all(&dump).expect("the server reads");
    assert_eq!(wait_for_exit(&mut started.process).code(), Some(1));
    let log = std::fs::read_to_string(started.folder.path().join("log")).expect("a log");
    assert!(log.contains("Wrong RDB checksum"), "{log}");
}

#[test]
fn a_server_stopped_while_it_loads_does_not_save() {
    let mut started = start();
    let dump = dump();
    let (first, rest) = dump.split_at(dump.len() / 2);
    started.pipe.write_all(first).expect("the server reads");
    started.client.send(&["SHUTDOWN"]);
    let port = started.port;
    wait_until("the server takes no more clients", || {
        let mut client = Client::connect(port);
        client.send(&["PING"]);
        client.try_receive().is_none()
    });
    // The rest wakes the reader; it may end before it has read everything.
    let _ = started.pipe.write_all(rest);
    assert_eq!(wait_for_exit(&mut started.process).code(), Some(0));
    let metadata = std::fs::symlink_metadata(started.folder.dump()).expect("the dump is there");
    assert!(
        !metadata.is_file(),
        "a dump has taken the place of the pipe"
    );
}
