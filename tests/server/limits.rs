//! The limit of memory under load.

use crate::common::{Folder, Server};
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
