//! What a real redis-server has written is read as it was meant.

use crate::common::{Folder, Server, wait_until};
use my_redis_server::aof::{Item, Manifest, Reader};
use std::fs;
use std::path::PathBuf;

/// The folder of a server that has rewritten its file once, and was killed.
fn write(folder: &Folder, options: &[&str]) -> PathBuf {
    // With `everysec`, Redis keeps commands to itself for up to two seconds while its thread that syncs is busy.
    let common = ["--appendonly", "yes", "--appendfsync", "no"];
    let server = Server::real(folder, &[&common[..], options].concat());
    let mut client = server.client();
    assert_eq!(client.ask("SET before 1"), "OK");
    client.ask("BGREWRITEAOF");
    wait_until("the rewrite to be over", || {
        client.info("aof_rewrite_in_progress") == "0"
            && client.info("aof_last_bgrewrite_status") == "ok"
            && fs::read_dir(folder.path().join("appendonlydir"))
                .is_ok_and(|files| files.count() == 3)
    });
    for line in [
        "SET k v",
        "SELECT 3",
        "MULTI",
        "INCR n",
        "RPUSH list a b",
        "EXEC",
        "SET empty ",
    ] {
        client.ask(line);
    }
    folder.path().join("appendonlydir")
}

/// The commands of a file, as text.
fn read(path: PathBuf) -> Vec<String> {
    let bytes = fs::read(path).unwrap();
    let mut reader = Reader::new(&bytes[..], 0);
    let mut commands = Vec::new();
    while let Some(item) = reader.next_item().unwrap() {
        match item {
            Item::Command(words) => {
                let words: Vec<String> = words
                    .into_iter()
                    .map(|word| String::from_utf8(word).unwrap())
                    .collect();
                commands.push(words.join(" "));
            }
            annotation => assert!(annotation.timestamp_s().is_some()),
        }
    }
    assert_eq!(reader.whole_bytes(), bytes.len() as u64);
    commands
}

#[test]
fn the_folder_of_a_real_server_is_read() {
    for (options, format) in [
        (["--aof-timestamp-enabled", "yes"], "rdb"),
        (["--aof-use-rdb-preamble", "no"], "aof"),
    ] {
        let folder = Folder::new();
        let path = write(&folder, &options);
        let text = fs::read(path.join("appendonly.aof.manifest")).unwrap();
        let manifest = Manifest::parse(&text).unwrap();
        assert_eq!(manifest.to_bytes(), text);
        let files: Vec<_> = manifest
            .files()
            .map(|file| path.join(file.path()))
            .collect();
        let names = [
            format!("appendonly.aof.2.base.{format}"),
            "appendonly.aof.2.incr.aof".to_string(),
        ];
        assert_eq!(files, names.map(|name| path.join(name)));
        let expected = [
            "SELECT 0",
            "SET k v",
            // Redis 7.2 has these two the other way round.
            "SELECT 3",
            "MULTI",
            "INCR n",
            "RPUSH list a b",
            "EXEC",
            "SET empty ",
        ];
        assert_eq!(read(files[1].clone()), expected);
        if format == "aof" {
            assert_eq!(read(files[0].clone()), ["SELECT 0", "SET before 1"]);
        }
    }
}

/// Redis 7.0 writes what XTRIM has left as an exact length, with the LIMIT that goes with `~` alone.
#[test]
fn the_limit_of_a_trim_is_passed_over() {
    let folder = Folder::new();
    let options = ["--appendonly", "yes", "--appendfsync", "always"];
    let server = Server::real(&folder, &options);
    let mut client = server.client();
    for number in 1..=250 {
        client.ask(&format!("XADD s {number} f v"));
    }
    // Whole blocks of 100 entries go.
    assert_eq!(client.ask("XTRIM s MAXLEN ~ 10 LIMIT 100"), "(integer) 100");
    drop(server);
    let increment = folder
        .path()
        .join("appendonlydir/appendonly.aof.1.incr.aof");
    assert_eq!(
        read(increment).last().expect("a command"),
        "XTRIM s MAXLEN = 150 LIMIT 100"
    );
    let server = Server::ours(&folder, &options);
    assert_eq!(server.client().ask("XLEN s"), "(integer) 150");
}
