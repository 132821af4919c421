//! The limit of memory under load.

use crate::common::{Client, Folder, Server, wait_until};
use my_redis_server::resp::decoder::Value;
use std::fs;
use std::io::Write;
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
    assert_eq!(admin.info("maxmemory"), limit.to_string());
    // Now the reaper makes no more room, but for the attempt that it may be at.
    admin.ask("CONFIG SET maxmemory 0");
    let mut left = 0;
    wait_until("each key is there or evicted", || {
        let evicted: u64 = admin.info("evicted_keys").parse().unwrap();
        left = admin.integer(&["DBSIZE"]) as u64;
        evicted + left == 60_000
    });
    // Most of the room is used.
    assert!(left * 1000 > 15 * MIB, "{left}");
}

/// Each of these values weighs as much as a hundred of the keys that go for it, which are in two of many databases.
/// They come in faster than a thread beside the writers could evict.
#[test]
fn the_limit_holds_while_large_values_push_small_ones_out() {
    const VALUES: usize = 50;
    let folder = Folder::new();
    let options = [
        ["--save", ""],
        ["--databases", "16"],
        ["--maxmemory-policy", "allkeys-random"],
        ["--enable-debug-command", "yes"],
    ];
    let server = Server::ours(&folder, options.as_flattened());
    let mut admin = server.client();
    let mut writers: Vec<_> = (0..4).map(|_| server.client()).collect();
    for database in ["0", "15"] {
        admin.ask(&format!("SELECT {database}"));
        admin.ask("DEBUG POPULATE 20000 k 100");
    }
    let used: u64 = admin.info("used_memory").parse().unwrap();
    let limit = used - MIB / 4;
    admin.ask(&format!("CONFIG SET maxmemory {limit}"));
    let value = "v".repeat(10_000);
    for (number, writer) in writers.iter_mut().enumerate() {
        for count in 0..VALUES {
            writer.send(&["SET", &format!("{number}:{count}"), &value]);
        }
    }
    for writer in &mut writers {
        (0..VALUES).for_each(|_| assert_eq!(writer.receive(), Value::Simple(b"OK".to_vec())));
    }
    let highest: u64 = admin.info("used_memory_peak").parse().unwrap();
    assert!(highest < limit + limit / 10, "{highest} of {limit}");
    // Keys of both databases have gone.
    for database in ["0", "15"] {
        admin.ask(&format!("SELECT {database}"));
        assert!(admin.integer(&["DBSIZE"]) < 20_000);
    }
}

/// While there is no limit, threads do not tell what they allocate. When there is one again, that must not be counted
/// a second time: far too many keys would go.
#[test]
fn a_limit_that_is_set_again_evicts_nothing_that_fits() {
    const KEYS: i64 = 5000;
    let folder = Folder::new();
    let options = ["--save", "", "--maxmemory-policy", "allkeys-lru"];
    let server = Server::ours(&folder, &options);
    let [mut admin, mut writer] = [(); 2].map(|()| server.client());
    assert_eq!(admin.ask("CONFIG SET maxmemory 1gb"), "OK");
    writer.ask("SET first v");
    assert_eq!(admin.ask("CONFIG SET maxmemory 0"), "OK");
    let value = "v".repeat(10_000);
    for number in 1..KEYS {
        writer.call(&["SET", &number.to_string(), &value]);
    }
    let used: u64 = admin.info("used_memory").parse().unwrap();
    admin.ask(&format!("CONFIG SET maxmemory {}", used + 20 * MIB));
    for _ in 0..2000 {
        writer.ask("SET first v");
    }
    assert_eq!(admin.integer(&["DBSIZE"]), KEYS);
    assert_eq!(admin.info("evicted_keys"), "0");
}

/// Queues a megabyte for EXEC; `false` if the client has been disconnected.
fn queue_megabyte(client: &mut Client) -> bool {
    let value = "v".repeat(MIB as usize);
    client.try_send(&["SET", "k", &value]).is_ok() && client.try_receive().is_some()
}

/// Starts ours or a real server with `maxmemory-clients`, with its log in the folder.
fn with_limited_clients(folder: &Folder, is_ours: bool, limit: &[&str]) -> Server {
    let log = folder.path().join("log");
    let log = ["--save", "", "--logfile", log.to_str().unwrap()];
    let options = [&log[..], limit].concat();
    match is_ours {
        true => Server::ours(folder, &options),
        false => Server::real(folder, &options),
    }
}

/// Also if the limit is a part of `maxmemory`. Of two clients the larger goes, unless it has asked to stay.
#[test]
fn the_largest_client_is_evicted() {
    let parts = ["--maxmemory", "100mb", "--maxmemory-clients", "20%"];
    let size = ["--maxmemory-clients", "20mb"];
    for (is_ours, limit) in [(true, &size[..]), (true, &parts), (false, &size)] {
        let folder = Folder::new();
        let server = with_limited_clients(&folder, is_ours, limit);
        let [mut admin, mut small, mut staying, mut large] = [(); 4].map(|()| server.client());
        for client in [&mut admin, &mut staying] {
            assert_eq!(client.ask("CLIENT NO-EVICT on"), "OK");
        }
        for client in [&mut small, &mut staying, &mut large] {
            client.ask("MULTI");
        }
        assert!(queue_megabyte(&mut small));
        (0..4).for_each(|_| assert!(queue_megabyte(&mut staying)));
        let queued = (0..30).take_while(|_| queue_megabyte(&mut large)).count();
        // There are some 14 MB left for it, or more: Redis counts the client that may stay some time later. Other
        // buffers count too, and here what a vector has in reserve.
        assert!((4..20).contains(&queued), "{queued}");
        wait_until("the client to be gone", || {
            admin.ask("CLIENT LIST").matches("id=").count() == 3
        });
        assert_eq!(admin.info("evicted_clients"), "1");
        assert!(queue_megabyte(&mut staying));
        assert_eq!(small.ask("DISCARD"), "OK");
        let log = fs::read_to_string(folder.path().join("log")).unwrap();
        assert_eq!(log.matches("* Evicting client: id=").count(), 1, "{log}");
        admin.ask("CONFIG RESETSTAT");
        assert_eq!(admin.info("evicted_clients"), "0");
    }
}

/// Clients that take much in other ways than by queueing are evicted too, and those that take little stay.
#[test]
fn clients_that_leave_much_unread_are_evicted() {
    for is_ours in [true, false] {
        let folder = Folder::new();
        let limit = ["--maxmemory-clients", "20mb"];
        let server = with_limited_clients(&folder, is_ours, &limit);
        let [mut admin, mut subscriber, mut reader, mut sender] = [(); 4].map(|()| server.client());
        admin.ask("CLIENT NO-EVICT on");
        let gone = |admin: &mut Client, count: &str| {
            wait_until("the client to be gone", || {
                admin.info("evicted_clients") == count
            });
        };
        // Messages.
        subscriber.ask("SUBSCRIBE channel");
        let message = "m".repeat(MIB as usize);
        for _ in 0..40 {
            admin.call(&["PUBLISH", "channel", &message]);
        }
        gone(&mut admin, "1");
        // Replies.
        admin.call(&["SET", "k", &message]);
        for _ in 0..40 {
            let _ = reader.try_send(&["GET", "k"]);
        }
        gone(&mut admin, "2");
        // A request that does not end.
        let _ = sender
            .stream
            .write_all(b"*2\r\n$4\r\nECHO\r\n$100000000\r\n");
        for _ in 0..40 {
            let _ = sender.stream.write_all(message.as_bytes());
        }
        gone(&mut admin, "3");
        assert_eq!(admin.ask("PING"), "PONG");
    }
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
fn a_lower_limit_evicts_the_largest_at_once() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut admin = server.client();
    // What a client takes that may not be evicted counts too, so that all others may have to go.
    assert_eq!(admin.ask("CLIENT NO-EVICT on"), "OK");
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
