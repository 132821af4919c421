//! Disks that refuse: full ones, and folders that cannot be written. The server says so wherever it should, loses
//! nothing that it has acknowledged, and goes on when it can.

use crate::common::{Client, Folder, Server, wait_until};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const ON: [&str; 4] = ["--appendonly", "yes", "--save", ""];
const REFUSAL: &str = "(error) MISCONF Errors writing to the AOF file: No space left on device";
/// The user without rights, "nobody".
const NOBODY: u32 = 65534;

/// A server in a mount namespace of its own, in which its directory is a file system of one megabyte in memory; `None`
/// where the system does not allow that. With the path of that directory as others see it.
fn on_small_disk(folder: &Folder, options: &[&str]) -> Option<(Server, PathBuf)> {
    let mount = "mount -t tmpfs -o size=1m none disk && cd disk && exec \"$0\" \"$@\"";
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", script]);
        command.current_dir(folder.path());
        command
    };
    fs::create_dir(folder.path().join("disk")).expect("the folder is writable");
    let probe = unshare(mount).arg("true").output();
    if !probe.is_ok_and(|output| output.status.success()) {
        println!("skipped: no mount namespaces here");
        return None;
    }
    let server = Server::start(|port| {
        let log = fs::File::create(folder.path().join("log")).expect("the folder is writable");
        let mut command = unshare(mount);
        command
            .args([env!("CARGO_BIN_EXE_my_redis_server"), "--port"])
            .arg(port.to_string())
            .args(options)
            .stdout(log.try_clone().expect("a handle can be copied"))
            .stderr(log);
        command
    });
    let disk = Path::new("/proc").join(server.process.id().to_string());
    Some((server, disk.join("cwd")))
}

fn log(folder: &Folder) -> String {
    fs::read_to_string(folder.path().join("log")).expect("there is a log")
}

/// Fills the rest of a disk, but for this many bytes.
fn fill(disk: &Path, but_for: usize) {
    let path = disk.join("filler");
    let mut bytes = vec![b'x'; 1 << 20];
    while fs::write(&path, &bytes).is_err() {
        bytes.truncate(bytes.len() - 4096);
    }
    bytes.truncate(bytes.len().saturating_sub(but_for));
    fs::write(&path, &bytes).expect("there is room now");
}

/// The numbers that were acknowledged are in the list, in their order.
fn assert_holds(client: &mut Client, acknowledged: usize) {
    let listed = client.ask("LRANGE list 0 -1");
    let expected: Vec<String> = (1..=acknowledged)
        .map(|number| format!("{number}) \"{}\"", value(number).trim_end()))
        .collect();
    let listed: Vec<&str> = listed.lines().map(str::trim_start).collect();
    assert_eq!(listed.len(), expected.len());
    assert!(
        listed
            .iter()
            .zip(&expected)
            .all(|(found, expected)| found == expected)
    );
}

fn value(number: usize) -> String {
    format!("{number}:{}", "x".repeat(3000))
}

#[test]
fn a_full_disk_stops_writes_until_there_is_room() {
    let folder = Folder::new();
    let Some((server, disk)) = on_small_disk(&folder, &ON) else {
        return;
    };
    let mut client = server.client();
    fill(&disk, 64 * 1024);
    let mut acknowledged = 0;
    wait_until("the disk is full", || {
        let reply = client.ask(&format!("RPUSH list {}", value(acknowledged + 1)));
        if reply == REFUSAL {
            return true;
        }
        acknowledged += 1;
        assert_eq!(reply, format!("(integer) {acknowledged}"));
        false
    });
    assert_eq!(client.info("aof_last_write_status"), "err");
    assert_eq!(client.ask("LLEN list"), format!("(integer) {acknowledged}"));
    assert!(client.ask("EVAL return(1) 0").contains("1"));
    // A script that may write, as far as it says.
    assert_eq!(client.ask("EVAL #!lua\nreturn(1) 0"), REFUSAL);
    assert_eq!(client.ask("PING"), REFUSAL);
    assert!(log(&folder).contains("Error writing to the AOF file: No space left on device"));
    // A rewrite needs room too. What it fails at harms nothing.
    client.ask("BGREWRITEAOF");
    wait_until("the rewrite has failed", || {
        client.info("aof_last_bgrewrite_status") == "err"
    });
    fs::remove_file(disk.join("filler")).expect("it is there");
    wait_until("the server can write", || {
        client.info("aof_last_write_status") == "ok"
    });
    assert!(log(&folder).contains("AOF write error looks solved."));
    acknowledged += 1;
    let reply = client.ask(&format!("RPUSH list {}", value(acknowledged)));
    assert_eq!(reply, format!("(integer) {acknowledged}"));
    client.ask("BGREWRITEAOF");
    wait_until("the rewrite has succeeded", || {
        client.info("aof_last_bgrewrite_status") == "ok"
    });
    client.ask("WAITAOF 1 0 0");
    let copy = Folder::new();
    copy_folder(
        &disk.join("appendonlydir"),
        &copy.path().join("appendonlydir"),
    );
    let again = Server::ours(&copy, &ON);
    assert_holds(&mut again.client(), acknowledged);
}

/// Under `always` the server has changed a key that it cannot acknowledge: it ends, as Redis does.
#[test]
fn a_full_disk_ends_a_server_that_has_to_sync() {
    let folder = Folder::new();
    let options = [&ON[..], &["--appendfsync", "always"]].concat();
    let Some((mut server, disk)) = on_small_disk(&folder, &options) else {
        return;
    };
    let mut client = server.client();
    fill(&disk, 64 * 1024);
    // The disk goes with the process.
    let held = fs::File::open(disk.join("appendonlydir")).expect("it is there");
    let mut acknowledged = 0;
    loop {
        client.send(&["RPUSH", "list", &value(acknowledged + 1)]);
        match client.try_receive() {
            Some(_) => acknowledged += 1,
            None => break,
        }
    }
    assert!(acknowledged > 5);
    let status = crate::common::wait_for_exit(&mut server.process);
    assert_eq!(status.code(), Some(1));
    let line =
        "Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting...";
    assert!(log(&folder).contains(line));
    let copy = Folder::new();
    let path = PathBuf::from(format!(
        "/proc/self/fd/{}",
        std::os::fd::AsRawFd::as_raw_fd(&held)
    ));
    copy_folder(&path, &copy.path().join("appendonlydir"));
    let again = Server::ours(&copy, &ON);
    assert_holds(&mut again.client(), acknowledged);
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).expect("the folder is writable");
    for entry in fs::read_dir(from).expect("the folder is there") {
        let entry = entry.expect("a readable entry");
        let content = fs::read(entry.path()).expect("a readable file");
        fs::write(to.join(entry.file_name()), content).expect("the folder is writable");
    }
}

/// The increment can be written, but no file can be made beside it.
#[test]
fn a_folder_without_permission_keeps_the_file_as_it_is() {
    let folder = Folder::new();
    let set_mode = |path: &Path, mode| {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
    };
    set_mode(folder.path(), 0o777);
    let is_root =
        fs::metadata("/proc/self").is_ok_and(|it| std::os::unix::fs::MetadataExt::uid(&it) == 0);
    let server = Server::start(|port| {
        let port = port.to_string();
        let mut command =
            crate::common::our_command(&folder, &[&["--port", &port], &ON[..]].concat());
        if is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    });
    let directory = folder.path().join("appendonlydir");
    let mut client = server.client();
    client.ask("SET before 1");
    set_mode(&directory, 0o555);
    client.ask("BGREWRITEAOF");
    wait_until("the rewrite has failed", || {
        client.info("aof_last_bgrewrite_status") == "err"
    });
    assert_eq!(client.info("aof_rewrites_consecutive_failures"), "1");
    let told = log(&folder);
    let line = "Background AOF rewrite terminated with error: create ";
    assert!(
        told.contains(line) && told.contains(": Permission denied"),
        "{told}"
    );
    assert_eq!(client.ask("SET during 2"), "OK");
    assert_eq!(client.info("aof_last_write_status"), "ok");
    set_mode(&directory, 0o777);
    client.ask("BGREWRITEAOF");
    wait_until("the rewrite has succeeded", || {
        client.info("aof_last_bgrewrite_status") == "ok"
    });
    client.ask("SET after 3");
    client.send(&["SHUTDOWN"]);
    server.wait();
    let copy = Folder::new();
    copy_folder(&directory, &copy.path().join("appendonlydir"));
    let again = Server::ours(&copy, &ON);
    assert_eq!(
        again.client().ask("MGET before during after"),
        "1) \"1\"\n2) \"2\"\n3) \"3\""
    );
}
