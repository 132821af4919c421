//! Disks that refuse: the server says so wherever it should, keeps the old dump and the data, and goes on when it can.

use crate::common::{Client, Folder, Server, our_command, wait_until};
use my_redis_server::resp::decoder::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// A save point that never comes, because only with one do failed saves stop writes.
const SAVE_POINT: [&str; 2] = ["--save", "3600 1000000"];
/// The user without rights, "nobody".
const NOBODY: u32 = 65534;

/// After a save that failed: every place where the server must say so.
fn assert_refuses(client: &mut Client) {
    assert_eq!(client.ask("SAVE"), "(error) ERR");
    // The client knows, so no other is refused to write for it.
    assert_eq!(client.info("rdb_last_bgsave_status"), "ok");
    assert_eq!(client.ask("SET key value"), "OK");
    assert_eq!(client.ask("BGSAVE"), "Background saving started");
    wait_until("the save fails", || {
        client.info("rdb_last_bgsave_status") == "err"
    });
    assert_eq!(client.info("rdb_bgsave_in_progress"), "0");
    let refusal = client.ask("SET refused 1");
    assert!(
        refusal.starts_with("(error) MISCONF Redis is configured to save RDB snapshots"),
        "{refusal}"
    );
    // A script that writes, as far as it says, is refused before anything else is looked at.
    for request in [
        ["EVAL", "#!lua\nreturn 1", "x"],
        ["EVAL_RO", "#!lua\nreturn 1", "0"],
    ] {
        let answer = client.call(&request);
        let Value::Error(text) = &answer else {
            panic!("{answer:?}")
        };
        assert_eq!(
            format!("(error) {}", String::from_utf8_lossy(text)),
            refusal
        );
    }
    let reading = ["EVAL", "#!lua flags=no-writes\nreturn 1", "0"];
    assert_eq!(client.integer(&reading), 1);
    assert_eq!(client.ask("GET key"), "\"value\"");
    client.ask("CONFIG SET stop-writes-on-bgsave-error no");
    assert_eq!(client.ask("SET accepted 1"), "OK");
    client.ask("CONFIG SET stop-writes-on-bgsave-error yes");
}

/// After the cause is gone.
fn assert_recovers(client: &mut Client) {
    assert_eq!(client.ask("SAVE"), "OK");
    assert_eq!(client.info("rdb_last_bgsave_status"), "ok");
    let Value::Bulk(info) = client.call(&["INFO", "persistence"]) else {
        panic!("INFO gives a string")
    };
    assert!(!String::from_utf8_lossy(&info).contains("rdb_last_bgsave_error"));
    assert_eq!(client.ask("SET key value"), "OK");
}

/// The log has a line that ends so, and INFO says the same.
fn assert_told(client: &mut Client, folder: &Folder, step: &str, words: &str) {
    let told = client.info("rdb_last_bgsave_error");
    assert!(
        told.starts_with(step) && told.ends_with(&format!("my_rdb: {words}")),
        "{told}"
    );
    let log = fs::read_to_string(folder.path().join("log")).expect("there is a log");
    let is_it = |line: &str| {
        line.contains(&format!("Error saving DB on disk: dump.my_rdb: {step} "))
            && line.ends_with(&format!("my_rdb: {words}"))
    };
    assert!(log.lines().any(is_it), "{step}: {words}\n{log}");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("a readable entry").file_name())
        .map(|name| name.into_string().expect("an ASCII name"))
        .collect();
    names.sort();
    names
}

#[test]
fn a_directory_that_is_gone() {
    let folder = Folder::new();
    let options = [&SAVE_POINT[..], &["--enable-protected-configs", "yes"]].concat();
    let server = Server::ours(&folder, &options);
    let mut client = server.client();
    client.ask("SET key value");
    let directory = folder.path().join("gone");
    fs::create_dir(&directory).expect("the folder is writable");
    let set_dir = format!("CONFIG SET dir {}", directory.display());
    assert_eq!(client.ask(&set_dir), "OK");
    assert_eq!(client.ask("SAVE"), "OK");
    fs::remove_dir_all(&directory).expect("it is there");
    assert_refuses(&mut client);
    assert_told(&mut client, &folder, "resolve", "No such file or directory");
    // A new directory of that name is not the one the server is in.
    fs::create_dir(&directory).expect("the folder is writable");
    assert_eq!(client.ask("SAVE"), "(error) ERR");
    assert_eq!(client.ask(&set_dir), "OK");
    assert_recovers(&mut client);
    assert_eq!(names(&directory), ["dump.my_rdb"]);
}

#[test]
fn a_directory_without_permission() {
    let folder = Folder::new();
    let set_mode = |mode| {
        fs::set_permissions(folder.path(), Permissions::from_mode(mode)).expect("it is ours");
    };
    // To root everything is permitted, so as root the test takes away that right from the server.
    let is_root =
        fs::metadata("/proc/self").is_ok_and(|it| std::os::unix::fs::MetadataExt::uid(&it) == 0);
    set_mode(0o777);
    let server = Server::start(|port| {
        let port = port.to_string();
        let options = [&["--port", &port][..], &SAVE_POINT].concat();
        let mut command = our_command(&folder, &options);
        if is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    });
    let mut client = server.client();
    client.ask("SET key value");
    assert_eq!(client.ask("SAVE"), "OK");
    let dump = fs::read(folder.dump()).expect("it was saved");
    set_mode(0o555);
    assert_refuses(&mut client);
    assert_told(&mut client, &folder, "create", "Permission denied");
    assert_eq!(fs::read(folder.dump()).expect("it stays"), dump);
    set_mode(0o777);
    assert_recovers(&mut client);
    assert_ne!(fs::read(folder.dump()).expect("it was saved"), dump);
}

#[test]
fn a_directory_in_the_place_of_the_dump() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &SAVE_POINT);
    let mut client = server.client();
    client.ask("SET key value");
    fs::create_dir(folder.dump()).expect("the folder is writable");
    assert_refuses(&mut client);
    assert_told(&mut client, &folder, "rename", "Is a directory");
    assert_eq!(names(folder.path()), ["dump.my_rdb", "log"]);
    fs::remove_dir(folder.dump()).expect("it is empty");
    assert_recovers(&mut client);
    assert_eq!(names(folder.path()), ["dump.my_rdb", "log"]);
}

/// The server runs in a mount namespace of its own, in which its directory is a file system of one megabyte in memory.
/// It goes with the server. Where the system does not allow that, nothing is tested.
#[test]
fn a_full_disk() {
    let mount = "mount -t tmpfs -o size=1m none disk && cd disk && exec \"$0\" \"$@\"";
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", script]);
        command
    };
    let folder = Folder::new();
    fs::create_dir(folder.path().join("disk")).expect("the folder is writable");
    let probe = unshare(mount)
        .arg("true")
        .current_dir(folder.path())
        .output();
    if !probe.is_ok_and(|output| output.status.success()) {
        println!("skipped: no mount namespaces here");
        return;
    }
    let server = Server::start(|port| {
        let port = port.to_string();
        let log = fs::File::create(folder.path().join("log")).expect("the folder is writable");
        let mut command = unshare(mount);
        command
            .args([env!("CARGO_BIN_EXE_my_redis_server"), "--port", &port])
            .args(SAVE_POINT)
            .args(["--rdbcompression", "no"])
            .current_dir(folder.path())
            .stdout(log);
        command
    });
    let disk = Path::new("/proc")
        .join(server.process.id().to_string())
        .join("cwd");
    let mut client = server.client();
    client.ask("SET key value");
    assert_eq!(client.ask("SAVE"), "OK");
    let dump = fs::read(disk.join("dump.my_rdb")).expect("it was saved");
    client.call(&[b"SET", &b"large"[..], &vec![b'x'; 2_000_000]]);
    assert_refuses(&mut client);
    assert_told(&mut client, &folder, "write", "No space left on device");
    assert_eq!(names(&disk), ["dump.my_rdb"]);
    assert_eq!(fs::read(disk.join("dump.my_rdb")).expect("it stays"), dump);
    client.ask("CONFIG SET stop-writes-on-bgsave-error no");
    client.ask("DEL large");
    client.ask("CONFIG SET stop-writes-on-bgsave-error yes");
    assert_recovers(&mut client);
    assert_eq!(names(&disk), ["dump.my_rdb"]);
}
