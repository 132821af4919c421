//! What may lie in the folder when the server starts: files that were cut off, damaged, missing, of older and later
//! servers. Each ends with the data or with a clear line, and no file is changed but one that was cut off.

use crate::common::{Folder, Server, free_port, our_command, refusal, wait_until};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const APPEND_ONLY: [&str; 4] = ["--appendonly", "yes", "--save", ""];
const MANIFEST: &str = "file appendonly.aof.1.base.aof seq 1 type b\n\
    file appendonly.aof.1.incr.aof seq 1 type i\n";

/// Commands as they stand in a file.
fn commands(lines: &[&str]) -> Vec<u8> {
    let words = |line: &&str| {
        let words: Vec<String> = line.split(' ').map(str::to_string).collect();
        crate::common::request(&words)
    };
    lines.iter().flat_map(words).collect()
}

/// A folder with these files in its `appendonlydir`.
fn folder(files: &[(&str, &[u8])]) -> Folder {
    let folder = Folder::new();
    let path = directory(&folder);
    fs::create_dir(&path).unwrap();
    for (name, content) in files {
        fs::write(path.join(name), content).unwrap();
    }
    folder
}

fn directory(folder: &Folder) -> PathBuf {
    folder.path().join("appendonlydir")
}

/// A folder with a base that sets `a`, and an increment.
fn with_increment(increment: &[u8]) -> Folder {
    folder(&[
        ("appendonly.aof.manifest", MANIFEST.as_bytes()),
        (
            "appendonly.aof.1.base.aof",
            &commands(&["SELECT 0", "SET a 1"]),
        ),
        ("appendonly.aof.1.incr.aof", increment),
    ])
}

fn increment(folder: &Folder) -> Vec<u8> {
    fs::read(directory(folder).join("appendonly.aof.1.incr.aof")).unwrap()
}

fn log(folder: &Folder) -> String {
    fs::read_to_string(folder.path().join("log")).unwrap()
}

/// The line with which the server says that it does not start.
fn refuses(folder: &Folder, options: &[&str]) -> String {
    let port = free_port().to_string();
    refusal(folder, &[&["--port", &port], options].concat())
}

/// What `--check` prints, and whether it finds everything whole.
fn check(folder: &Folder, options: &[&str]) -> (String, bool) {
    let output = our_command(folder, &[&["--check"], options].concat())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8(text).unwrap(), output.status.success())
}

#[test]
fn a_file_that_was_cut_off_is_cut_where_it_is_whole() {
    let whole = commands(&["SELECT 0", "SET b 2"]);
    let torn: [Vec<u8>; 4] = [
        commands(&["SET c 3"])[..20].to_vec(),
        commands(&["MULTI", "SET c 3", "SET d 4"]),
        // A power cut: the length has reached the disk before the content.
        [&commands(&["SET c 3"])[..9], &[0; 50]].concat(),
        vec![0; 7],
    ];
    for torn in torn {
        let content = [&whole[..], &torn].concat();
        let folder = with_increment(&content);
        let (told, is_whole) = check(&folder, &APPEND_ONLY);
        assert!(!is_whole, "{told}");
        assert!(told.contains("cut off"), "{told}");
        let expected = format!("It is whole up to byte {}", whole.len());
        assert!(told.contains(&expected), "{told}");
        assert_eq!(increment(&folder), content);

        let strict = [&APPEND_ONLY[..], &["--aof-load-truncated", "no"]].concat();
        let line = refuses(&folder, &strict);
        assert!(
            line.starts_with("Unexpected end of file reading the append only file "),
            "{line}"
        );
        assert_eq!(increment(&folder), content);

        let server = Server::ours(&folder, &APPEND_ONLY);
        let mut client = server.client();
        assert_eq!(client.ask("MGET a b c"), "1) \"1\"\n2) \"2\"\n3) (nil)");
        assert_eq!(increment(&folder), whole);
        let log = log(&folder);
        assert!(
            log.contains("!!! Warning: short read while loading the AOF file"),
            "{log}"
        );
        assert!(
            log.contains(&format!("at offset {} !!!", whole.len())),
            "{log}"
        );
        // It is continued where it was cut off.
        assert_eq!(client.ask("SET c 5"), "OK");
        client.send(&["SHUTDOWN"]);
        server.wait();
        let expected = [whole.clone(), commands(&["SELECT 0", "SET c 5"])].concat();
        assert_eq!(increment(&folder), expected);
        assert!(check(&folder, &APPEND_ONLY).1);
    }
}

/// Faults with which the server does not start, and the beginning and the end of the line that says so.
#[test]
fn other_faults_are_named() {
    let set = commands(&["SET b 2"]);
    let cut = &set[..set.len() - 1];
    let base = commands(&["SET a 1"]);
    let two = "file appendonly.aof.1.incr.aof seq 1 type i\nfile appendonly.aof.2.incr.aof seq 2 type i\n";
    type Files<'a> = Vec<(&'a str, &'a [u8])>;
    let manifest = |text: &'static str| ("appendonly.aof.manifest", text.as_bytes());
    let damaged = [&set[..], b"*1\r\n$-1\r\n", &set].concat();
    let zeroes_within = [&set[..], &[0; 9], &set].concat();
    let unknown = commands(&["FLY me"]);
    let elsewhere = commands(&["MULTI", "SELECT 3", "SET a 1", "EXEC"]);
    let cases: Vec<(Files, &str, &str)> = vec![
        (
            vec![manifest(MANIFEST), ("appendonly.aof.1.base.aof", &base)],
            "The append log file ",
            "appendonlydir/appendonly.aof.1.incr.aof doesn't exist: it is listed in the manifest\n",
        ),
        (
            vec![
                manifest(two),
                ("appendonly.aof.1.incr.aof", cut),
                ("appendonly.aof.2.incr.aof", &set),
            ],
            "Fatal error: the truncated file is not the last file: ",
            "within a command or a transaction, and others follow it\n",
        ),
        (
            vec![manifest(two), ("appendonly.aof.1.incr.aof", &damaged)],
            "Bad file format reading the append only file ",
            "then use ./redis-check-aof --fix <filename.manifest>\n",
        ),
        (
            vec![
                manifest("file appendonly.aof.1.incr.aof seq 1 type i\n"),
                ("appendonly.aof.1.incr.aof", &zeroes_within),
            ],
            "Bad file format reading the append only file ",
            "then use ./redis-check-aof --fix <filename.manifest>\n",
        ),
        (
            vec![
                manifest("file appendonly.aof.1.incr.aof seq 1 type i\n"),
                ("appendonly.aof.1.incr.aof", &unknown),
            ],
            "Unknown command 'FLY' reading the append only file ",
            "appendonly.aof.1.incr.aof\n",
        ),
        (
            vec![
                manifest("file appendonly.aof.1.incr.aof seq 1 type i\n"),
                ("appendonly.aof.1.incr.aof", &elsewhere),
            ],
            "There are keys in another database than the 1 of this server in the append only file ",
            "'SELECT 3'. Start with more --databases\n",
        ),
        (
            vec![
                manifest("file appendonly.aof.1.base.rdb seq 1 type b\n"),
                ("appendonly.aof.1.base.rdb", b"REDIS0010\xff"),
            ],
            "Error reading the RDB base file ",
            "\n",
        ),
        (
            vec![("appendonly.aof.3.incr.aof", &set)],
            "There is no manifest beside ",
            "appendonly.aof.3.incr.aof: bring it back, or move the files away\n",
        ),
        (
            vec![manifest("file appendonly.aof.1.incr.aof seq 1 type z\n")],
            "\n*** FATAL AOF MANIFEST FILE ERROR ***\nReading the manifest file, at line 1\n",
            "Unknown AOF file type\n",
        ),
    ];
    for (files, begin, end) in cases {
        let folder = folder(&files);
        for line in [
            refuses(&folder, &APPEND_ONLY),
            check(&folder, &APPEND_ONLY).0,
        ] {
            assert!(line.starts_with(begin) && line.ends_with(end), "{line}");
        }
        for (name, content) in files {
            assert_eq!(fs::read(directory(&folder).join(name)).unwrap(), content);
        }
    }
}

/// Words that later versions have added to the manifest are passed over: Redis 8 has offsets.
#[test]
fn a_manifest_of_a_later_server_is_read() {
    let text = "file appendonly.aof.1.incr.aof seq 1 type i startoffset 77\n";
    let folder = folder(&[
        ("appendonly.aof.manifest", text.as_bytes()),
        ("appendonly.aof.1.incr.aof", &commands(&["SET a 1"])),
    ]);
    let server = Server::ours(&folder, &APPEND_ONLY);
    assert_eq!(server.client().ask("GET a"), "\"1\"");
}

/// An increment that was cut off, before one to which nothing has been written: the server was killed between the two.
#[test]
fn empty_files_at_the_end_are_of_no_importance() {
    let text = "file appendonly.aof.1.incr.aof seq 1 type i\nfile appendonly.aof.2.incr.aof seq 2 type i\n";
    let whole = commands(&["SELECT 0", "SET a 1"]);
    let folder = folder(&[
        ("appendonly.aof.manifest", text.as_bytes()),
        (
            "appendonly.aof.1.incr.aof",
            &[&whole[..], b"*2\r\n"].concat(),
        ),
        ("appendonly.aof.2.incr.aof", b""),
    ]);
    let server = Server::ours(&folder, &APPEND_ONLY);
    assert_eq!(server.client().ask("GET a"), "\"1\"");
    assert_eq!(increment(&folder), whole);
}

/// Before Redis 7 the append-only file was one file, which might begin with an RDB file.
#[test]
fn a_file_of_an_older_server_moves_into_the_folder() {
    let rdb = {
        let real = Folder::new();
        let server = Server::real(&real, &[]);
        let mut client = server.client();
        client.ask("SET before 1");
        client.ask("SAVE");
        fs::read(real.path().join("dump.rdb")).unwrap()
    };
    for preamble in [&rdb[..], &commands(&["SELECT 0", "SET before 1"])] {
        let folder = Folder::new();
        let content = [preamble, &commands(&["SELECT 0", "SET after 2"])].concat();
        let old = folder.path().join("appendonly.aof");
        fs::write(&old, &content).unwrap();
        let (told, is_whole) = check(&folder, &APPEND_ONLY);
        assert!(is_whole && told.contains("database 0: 2 keys"), "{told}");
        assert!(old.exists());
        for _ in 0..2 {
            let server = Server::ours(&folder, &APPEND_ONLY);
            let mut client = server.client();
            assert_eq!(client.ask("MGET before after"), "1) \"1\"\n2) \"2\"");
        }
        assert!(!old.exists());
        let moved = fs::read(directory(&folder).join("appendonly.aof")).unwrap();
        assert_eq!(moved, content);
        // A server that was killed between the two steps of the move.
        fs::rename(directory(&folder).join("appendonly.aof"), &old).unwrap();
        let text = "file appendonly.aof seq 1 type b\n";
        fs::write(directory(&folder).join("appendonly.aof.manifest"), text).unwrap();
        let server = Server::ours(&folder, &APPEND_ONLY);
        assert_eq!(server.client().ask("DBSIZE"), "(integer) 2");
    }
}

/// An RDB file behind commands: no server writes that, but it can be read.
#[test]
fn an_increment_may_begin_with_an_rdb_file() {
    let rdb = {
        let real = Folder::new();
        let server = Server::real(&real, &[]);
        let mut client = server.client();
        (0..300).for_each(|number| drop(client.ask(&format!("SET key:{number} v"))));
        client.ask("SAVE");
        fs::read(real.path().join("dump.rdb")).unwrap()
    };
    let folder = with_increment(&rdb);
    let server = Server::ours(&folder, &APPEND_ONLY);
    wait_until("it is loaded", || {
        server.client().ask("DBSIZE") == "(integer) 301"
    });
}

/// In Redis the data of the dump would not be loaded, and then be overwritten.
#[test]
fn a_new_file_begins_with_the_data_of_the_dump() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    client.ask("SET k v");
    assert_eq!(client.ask("SAVE"), "OK");
    drop(server);
    let server = Server::ours(&folder, &APPEND_ONLY);
    assert_eq!(server.client().ask("GET k"), "\"v\"");
    drop(server);
    fs::remove_file(folder.dump()).unwrap();
    let server = Server::ours(&folder, &APPEND_ONLY);
    assert_eq!(server.client().ask("GET k"), "\"v\"");
}

/// `--until` shows an earlier moment: what came in the second that it names is there, and nothing later.
#[test]
fn an_earlier_moment_can_be_looked_at() {
    let content = [
        b"#TS:1000000\r\n".to_vec(),
        commands(&["SELECT 0", "SET k 1", "SET short v PXAT 1000005000"]),
        b"#TS:1000003\r\n".to_vec(),
        commands(&["SET k 2"]),
        b"#TS:1000007\r\n".to_vec(),
        commands(&["MULTI", "SET k 3", "DEL short", "EXEC"]),
    ]
    .concat();
    let folder = with_increment(&content);
    for (until, value, ttl) in [
        ("1000000", "\"1\"", "(integer) 4001"),
        ("1000002", "\"1\"", "(integer) 2001"),
        ("1970-01-12T13:46:43Z", "\"2\"", "(integer) 1001"),
        ("1970-01-12 13:46:46", "\"2\"", "(integer) -2"),
        ("1000007", "\"3\"", "(integer) -2"),
        ("9999999", "\"3\"", "(integer) -2"),
    ] {
        let server = Server::ours(&folder, &["--until", until, "--save", "1 0"]);
        let mut client = server.client();
        assert_eq!(client.ask("GET k"), value, "{until}");
        assert_eq!(client.ask("PTTL short"), ttl, "{until}");
        for write in [
            "SET k 4",
            "FLUSHALL",
            "BGREWRITEAOF",
            "EVAL return(redis.call('set','k','4')) 0",
        ] {
            let reply = client.ask(write);
            assert!(reply.contains("READONLY"), "{write}: {reply}");
        }
        let reply = client.ask("CONFIG SET appendonly yes");
        assert!(reply.starts_with("(error) ERR"), "{reply}");
        client.send(&["SHUTDOWN"]);
        server.wait();
        assert_eq!(increment(&folder), content);
        assert!(!folder.dump().exists());
    }
    let (told, is_whole) = check(&folder, &["--until", "1000003"]);
    assert!(is_whole && told.contains("there are later ones"), "{told}");
    // SAVE is how that moment is kept.
    let server = Server::ours(&folder, &["--until", "1000002"]);
    assert_eq!(server.client().ask("SAVE"), "OK");
    drop(server);
    assert!(folder.dump().exists());

    let without = with_increment(&commands(&["SET k 1"]));
    assert_eq!(
        refuses(&without, &["--until", "1000"]),
        "--until needs timestamps in the append-only file, which aof-timestamp-enabled puts there\n"
    );
    assert_eq!(
        refuses(&Folder::new(), &["--until", "1000"]),
        "--until needs an append-only file, and there is none\n"
    );
    let line = refuses(&without, &["--until", "yesterday"]);
    assert!(line.contains("'yesterday' is not a time"), "{line}");
}

/// The tool of Redis takes our timestamps.
#[test]
fn a_file_is_cut_at_a_time_by_redis_check_aof() {
    let folder = Folder::new();
    let options = [&APPEND_ONLY[..], &["--aof-timestamp-enabled", "yes"]].concat();
    let server = Server::ours(&folder, &options);
    let mut client = server.client();
    let mut second = || {
        let reply = client.ask("TIME");
        reply.split('"').nth(1).unwrap().parse::<i64>().unwrap()
    };
    let first = second();
    server.client().ask("SET k 1");
    wait_until("another second", || second() > first + 1);
    server.client().ask("SET k 2");
    client.send(&["SHUTDOWN"]);
    server.wait();
    let cut = Command::new("redis-check-aof")
        .args(["--truncate-to-timestamp", &(first + 1).to_string()])
        .arg(directory(&folder).join("appendonly.aof.manifest"))
        .output()
        .unwrap();
    assert!(cut.status.success(), "{cut:?}");
    let server = Server::ours(&folder, &options);
    assert_eq!(server.client().ask("GET k"), "\"1\"");
}

#[test]
fn checking_says_what_there_is() {
    let folder = with_increment(&commands(&["SET b 2 PXAT 99999999999999"]));
    let (told, is_whole) = check(&folder, &[]);
    assert_eq!(
        told,
        "appendonlydir: whole, 108 bytes\n  appendonly.aof.1.base.aof: 50 bytes\n  \
         appendonly.aof.1.incr.aof: 58 bytes\n  3 commands\n  database 0: 2 keys, 1 of them with an expiry\n"
    );
    assert!(is_whole);
    let (told, is_whole) = check(&Folder::new(), &[]);
    assert_eq!(
        told,
        "There is nothing to check: neither dump.my_rdb nor an append-only file\n"
    );
    assert!(!is_whole);
    let folder = Folder::new();
    fs::write(folder.dump(), b"REDIS0009\xfa").unwrap();
    let (told, is_whole) = check(&folder, &[]);
    assert!(
        told.starts_with("Can't load dump.my_rdb, which stays as it is:"),
        "{told}"
    );
    assert!(!is_whole);
}
