//! Replay equals state: random commands of all families, then what the append-only file makes of them when it is read.
//! Our file is read by our server at run time (DEBUG LOADAOF), by our server when it starts, and by a real one; the
//! file of a real server, by ours.

use super::folders;
use crate::common::{Client, Folder, Server, wait_until};
use crate::effects::facts::{assert_same, facts, facts_of_real, settle};
use crate::effects::workload::{Clients, seed};
use fastrand::Rng;
use std::fs;

/// Commands before and after the rewrite.
const COMMANDS: usize = 2_000;

const OPTIONS: [&str; 6] = [
    "--appendonly",
    "yes",
    "--databases",
    "16",
    "--enable-debug-command",
    "yes",
];

fn ours(folder: &Folder, options: &[&str]) -> Server {
    Server::ours(folder, &[&OPTIONS[..], &["--save", ""], options].concat())
}

fn real(folder: &Folder, options: &[&str]) -> Server {
    Server::real(folder, &[&OPTIONS[..], options].concat())
}

/// Fills a server; the file is rewritten when half of it is done.
fn fill(server: &Server, seed: u64) -> Client {
    let mut random = Rng::with_seed(seed);
    let mut clients = Clients::connect(server);
    clients.run(COMMANDS, &mut random);
    clients.control.ask("BGREWRITEAOF");
    clients.run(COMMANDS, &mut random);
    let mut client = server.client();
    wait_until("the rewrite to be over", || {
        client.info_of("persistence", "aof_rewrite_in_progress") == "0"
    });
    assert_eq!(
        client.info_of("persistence", "aof_last_bgrewrite_status"),
        "ok"
    );
    settle(&mut client);
    client
}

/// Has a server end, with everything in its file.
fn end(server: Server, client: &mut Client) {
    client.send(&["SHUTDOWN"]);
    assert!(server.wait().success());
}

/// No command of the file has given an error when our server has read it.
fn assert_no_error_in_log(folder: &Folder) {
    let log = fs::read_to_string(folder.path().join("log")).expect("a log");
    assert!(!log.contains("gave an error"), "{log}");
}

fn check_ours(seed: u64, is_base_rdb: bool, policy: &str) {
    let folder = Folder::new();
    let base = if is_base_rdb { "yes" } else { "no" };
    let options = ["--aof-use-rdb-preamble", base, "--appendfsync", policy];
    let server = ours(&folder, &options);
    let mut client = fill(&server, seed);
    let expected = facts(&mut client, is_base_rdb);

    assert_eq!(client.ask("DEBUG LOADAOF"), "OK");
    assert_same(
        &facts(&mut client, is_base_rdb),
        &expected,
        seed,
        "loaded at run time",
    );
    // The file goes on.
    client.ask("SELECT 7");
    assert_eq!(client.ask("RPUSH after loading"), "(integer) 1");
    let expected = facts(&mut client, is_base_rdb);
    end(server, &mut client);
    folders::check_by_redis(&folder);

    let copy = folders::copy(&folder);
    // It ends if a command gives an error.
    let server = real(&copy, &["--propagation-error-behavior", "panic"]);
    let found = facts_of_real(&mut server.client(), &expected, is_base_rdb);
    assert_same(&found, &expected, seed, "read by a real server");

    let server = ours(&folder, &options);
    assert_same(
        &facts(&mut server.client(), is_base_rdb),
        &expected,
        seed,
        "restarted",
    );
    assert_no_error_in_log(&folder);
}

/// What our server makes of the file of a real one is compared with what the real one makes of it: the file of Redis
/// 7.0 does not bring back everything, and some of its commands give errors.
fn check_real(seed: u64, is_base_rdb: bool) {
    let folder = Folder::new();
    let base = if is_base_rdb { "yes" } else { "no" };
    // With `everysec`, Redis keeps commands to itself for up to two seconds while its thread that syncs is busy.
    let options = ["--aof-use-rdb-preamble", base, "--appendfsync", "no"];
    let server = real(&folder, &options);
    let mut client = fill(&server, seed);
    end(server, &mut client);

    let copy = folders::copy(&folder);
    let server = ours(&copy, &[]);
    let found = facts(&mut server.client(), is_base_rdb);
    let server = real(&folder, &options);
    let expected = facts_of_real(&mut server.client(), &found, is_base_rdb);
    assert_same(&found, &expected, seed, "a real file read by ours");
}

#[test]
fn our_file_gives_what_the_server_had() {
    check_ours(seed(1), true, "everysec");
    check_ours(seed(2), false, "always");
}

#[test]
fn the_file_of_a_real_server_gives_what_it_had() {
    check_real(seed(3), true);
    check_real(seed(4), false);
}
