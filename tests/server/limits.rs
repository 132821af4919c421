//! The limit of memory under load.

use crate::common::{Client, Folder, Server, wait_until};
use my_redis_server::resp::decoder::Value;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

const MIB: u64 = 1024 * 1024;

#[test]
fn the_limit_holds_while_many_clients_write() {
    const WRITERS: usize = 8;
    let folder = Folder::new();
    let server = Server::ours(
        &folder,
        &["--save", "", "--maxmemory-policy", "allkeys-lru"],
    );
    let mut admin = server.client();
    // Before the keys are there, threads and their buffers are.
    let mut writers: Vec<_> = (0..WRITERS).map(|_| server.client()).collect();
    let used: u64 = admin.info("used_memory").parse().unwrap();
    let limit = used + 20 * MIB;
    admin.ask(&format!("CONFIG SET maxmemory {limit}"));
    let ends = AtomicBool::new(false);
    let highest = std::thread::scope(|scope| {
        for (number, client) in writers.iter_mut().enumerate() {
            let ends = &ends;
            scope.spawn(move || {
                let value = "v".repeat(1000);
                // 60 MB all together.
                for count in 0..7500 {
                    let key = format!("{number}:{count}");
                    assert_eq!(client.ask(&format!("SET {key} {value}")), "OK");
                }
                ends.store(true, Relaxed);
            });
        }
        let mut highest = 0;
        while !ends.load(Relaxed) {
            highest = highest.max(admin.info("used_memory").parse::<u64>().unwrap());
        }
        highest
    });
    assert!(highest < limit + limit / 20, "{highest} of {limit}");
    let evicted: u64 = admin.info("evicted_keys").parse().unwrap();
    let left = admin.integer(&["DBSIZE"]) as u64;
    assert_eq!(evicted + left, 60_000);
    // Most of the room is used.
    assert!(left * 1000 > 15 * MIB, "{left}");
    assert_eq!(admin.info("maxmemory"), limit.to_string());
}

/// What a dump says of the usage of keys is read by a real server, and by ours.
#[test]
fn a_dump_tells_how_keys_were_used() {
    for (policy, restored, command) in [
        ("allkeys-lru", "IDLETIME 1000", "OBJECT IDLETIME k"),
        ("volatile-lfu", "FREQ 77", "OBJECT FREQ k"),
    ] {
        let folder = Folder::new();
        let options = [
            "--save",
            "",
            "--maxmemory-policy",
            policy,
            "--lfu-decay-time",
            "0",
        ];
        let ours = Server::ours(&folder, &options);
        let mut client = ours.client();
        client.ask("SET origin v");
        let payload = client.call(&["DUMP", "origin"]);
        let Value::Bulk(payload) = payload else {
            panic!("{payload:?}")
        };
        let words = ["RESTORE", "k", "0"].map(|word| word.as_bytes().to_vec());
        let usage = restored.split(' ').map(|word| word.as_bytes().to_vec());
        let request: Vec<Vec<u8>> = words.into_iter().chain([payload]).chain(usage).collect();
        assert_eq!(client.call(&request), Value::Simple(b"OK".to_vec()));
        client.ask("SAVE");
        fs::copy(folder.dump(), folder.path().join("dump.rdb")).unwrap();
        drop(ours);
        for server in [
            Server::ours(&folder, &options),
            Server::real(&folder, &options),
        ] {
            let usage = server.client().ask(command);
            let usage: u32 = usage.trim_start_matches("(integer) ").parse().unwrap();
            let expected: u32 = restored.split(' ').next_back().unwrap().parse().unwrap();
            // Seconds pass.
            assert!(
                (expected..expected + 60).contains(&usage),
                "{command}: {usage}"
            );
        }
    }
}

/// The client that takes most memory goes first, and one that has asked not to be evicted never.
#[test]
fn large_clients_are_evicted() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut admin = server.client();
    let mut clients = [1, 8, 4].map(|mib| {
        let mut client = server.client();
        // An argument that is announced and does not end: the client keeps what it has sent.
        let head = format!("*2\r\n$4\r\nECHO\r\n${}\r\n", 64 * MIB);
        client.send_bytes(&[head.as_bytes(), &vec![b'x'; mib * MIB as usize]].concat());
        client
    });
    let total = |admin: &mut Client| -> u64 {
        let list = admin.ask("CLIENT LIST");
        let sizes = list.split("tot-mem=").skip(1);
        sizes
            .map(|rest| rest.split(' ').next().unwrap().parse::<u64>().unwrap())
            .sum()
    };
    wait_until("all has arrived", || total(&mut admin) > 13 * MIB);
    assert_eq!(admin.ask("CONFIG SET maxmemory-clients 7mb"), "OK");
    assert!(
        clients[1].try_receive().is_none(),
        "the largest is disconnected"
    );
    wait_until("it is gone", || total(&mut admin) < 7 * MIB);
    assert_eq!(admin.info("evicted_clients"), "1");
    // A percentage of nothing is no limit.
    assert_eq!(admin.ask("CONFIG SET maxmemory-clients 1%"), "OK");
    let mut spared = server.client();
    assert_eq!(spared.ask("CLIENT NO-EVICT on"), "OK");
    let value = "x".repeat(2 * MIB as usize);
    spared.call(&["MULTI"]);
    spared.call(&["ECHO", &value]);
    assert_eq!(admin.ask("CONFIG SET maxmemory-clients 100kb"), "OK");
    for client in [0, 2] {
        assert!(
            clients[client].try_receive().is_none(),
            "it is disconnected"
        );
    }
    assert_eq!(spared.ask("EXEC").len(), value.len() + "1) \"\"".len());
    assert_eq!(admin.info("evicted_clients"), "3");
}
