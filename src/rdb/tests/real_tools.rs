//! Our files, read by redis-check-rdb and redis-server. Both must be installed (package redis-server).

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs, process};

use super::super::{Encoder, ValueRef, Writer, WriterOptions};
use crate::rdb::file::{self, Counts};
use crate::rdb::format::VERSION_FOR_ALL;

const FAR_FUTURE_MS: i64 = 4_102_444_800_000;

/// Keys of every kind, in two databases.
fn write_all_kinds(output: &mut dyn io::Write, options: WriterOptions) -> io::Result<Counts> {
    let mut writer = Writer::new(output, options)?;
    writer.aux(b"redis-ver", b"7.2.6")?;
    writer.aux(b"redis-bits", b"64")?;
    writer.aux(b"x-private", &[0, 1, 2, 0xFF])?;
    writer.select_db(0, 15, 1)?;
    write_strings_and_list(&mut writer)?;
    writer.select_db(3, 6, 0)?;
    write_collections(&mut writer)?;
    // As in a saver, keys are encoded separately, and the writer gets the bytes.
    let mut batch = Vec::new();
    Encoder::new(options.compression, options.version).key(
        &mut batch,
        b"in a batch",
        None,
        ValueRef::String(b"yes"),
    )?;
    writer.encoded(&batch)?;
    writer.finish()?;
    // 13 strings and a list in one database, 6 keys in the other; the empty list is not written.
    Ok(Counts {
        keys: 13 + 1 + 6,
        expires: 1,
        libraries: 0,
    })
}

fn write_strings_and_list(writer: &mut Writer<impl io::Write>) -> io::Result<()> {
    for text in [
        "",
        "0",
        "-1",
        "127",
        "-129",
        "40000",
        "-2147483648",
        "2147483648",
        "007",
        "hello",
    ] {
        writer.key(
            format!("string:{text}").as_bytes(),
            None,
            ValueRef::String(text.as_bytes()),
        )?;
    }
    let repeated = b"abcdefgh".repeat(2000);
    let every_byte: Vec<u8> = (0..=255).collect();
    writer.key(b"repeated", None, ValueRef::String(&repeated))?;
    writer.key(b"every byte", None, ValueRef::String(&every_byte))?;
    writer.key(b"expires", Some(FAR_FUTURE_MS), ValueRef::String(b"later"))?;
    writer.key(
        b"list",
        None,
        ValueRef::List(3, &mut [&b"b"[..], b"a", &repeated].into_iter()),
    )?;
    writer.key(b"empty", None, ValueRef::List(0, &mut [].into_iter()))
}

fn write_collections(writer: &mut Writer<impl io::Write>) -> io::Result<()> {
    writer.key(
        b"set",
        None,
        ValueRef::Set(2, &mut [&b"1"[..], b"x"].into_iter()),
    )?;
    let mut pairs = [(&b"field"[..], &b"value"[..]), (b"10", b"-20")].into_iter();
    writer.key(b"hash", None, ValueRef::Hash(2, &mut pairs))?;
    let mut members = [
        (&b"top"[..], f64::INFINITY),
        (b"half", 0.5),
        (b"low", f64::NEG_INFINITY),
    ]
    .into_iter();
    writer.key(b"zset", None, ValueRef::SortedSet(3, &mut members))?;
    let names: Vec<String> = (0..70_000)
        .map(|number| format!("element:{number}"))
        .collect();
    let names = || names.iter().map(String::as_bytes);
    writer.key(b"large list", None, ValueRef::List(70_000, &mut names()))?;
    writer.key(
        b"large hash",
        None,
        ValueRef::Hash(70_000, &mut names().zip(names())),
    )
}

/// Commands, and the expected output of redis-cli for them after the file is loaded.
const ANSWERS: &[(&str, &[&str], &str)] = &[
    ("0", &["DBSIZE"], "(integer) 14\n"),
    ("0", &["GET", "string:"], "\"\"\n"),
    ("0", &["GET", "string:0"], "\"0\"\n"),
    ("0", &["GET", "string:-1"], "\"-1\"\n"),
    ("0", &["GET", "string:127"], "\"127\"\n"),
    ("0", &["GET", "string:-129"], "\"-129\"\n"),
    ("0", &["GET", "string:40000"], "\"40000\"\n"),
    ("0", &["GET", "string:-2147483648"], "\"-2147483648\"\n"),
    ("0", &["GET", "string:2147483648"], "\"2147483648\"\n"),
    ("0", &["GET", "string:007"], "\"007\"\n"),
    ("0", &["GET", "string:hello"], "\"hello\"\n"),
    ("0", &["STRLEN", "repeated"], "(integer) 16000\n"),
    (
        "0",
        &["GETRANGE", "repeated", "15990", "-1"],
        "\"ghabcdefgh\"\n",
    ),
    ("0", &["STRLEN", "every byte"], "(integer) 256\n"),
    (
        "0",
        &["GETRANGE", "every byte", "0", "13"],
        "\"\\x00\\x01\\x02\\x03\\x04\\x05\\x06\\a\\b\\t\\n\\x0b\\x0c\\r\"\n",
    ),
    (
        "0",
        &["GETRANGE", "every byte", "254", "-1"],
        "\"\\xfe\\xff\"\n",
    ),
    (
        "0",
        &["PEXPIRETIME", "expires"],
        "(integer) 4102444800000\n",
    ),
    ("0", &["PEXPIRETIME", "list"], "(integer) -1\n"),
    ("0", &["LRANGE", "list", "0", "1"], "1) \"b\"\n2) \"a\"\n"),
    ("0", &["LLEN", "list"], "(integer) 3\n"),
    ("0", &["EXISTS", "empty"], "(integer) 0\n"),
    ("3", &["DBSIZE"], "(integer) 6\n"),
    (
        "3",
        &["SMISMEMBER", "set", "1", "x", "y"],
        "1) (integer) 1\n2) (integer) 1\n3) (integer) 0\n",
    ),
    (
        "3",
        &["HGETALL", "hash"],
        "1) \"field\"\n2) \"value\"\n3) \"10\"\n4) \"-20\"\n",
    ),
    (
        "3",
        &["ZRANGE", "zset", "0", "-1", "WITHSCORES"],
        "1) \"low\"\n2) \"-inf\"\n3) \"half\"\n4) \"0.5\"\n5) \"top\"\n6) \"inf\"\n",
    ),
    ("3", &["LLEN", "large list"], "(integer) 70000\n"),
    (
        "3",
        &["LINDEX", "large list", "69999"],
        "\"element:69999\"\n",
    ),
    ("3", &["HLEN", "large hash"], "(integer) 70000\n"),
    (
        "3",
        &["HGET", "large hash", "element:12345"],
        "\"element:12345\"\n",
    ),
    ("3", &["GET", "in a batch"], "\"yes\"\n"),
];

#[test]
fn redis_reads_what_we_write() {
    let directory = env::temp_dir().join(format!("my_redis_real_tools_{}", process::id()));
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("the temporary directory is writable");
    for (compression, checksum) in [(true, true), (false, false)] {
        let path = directory.join("dump.rdb");
        let options = WriterOptions {
            version: VERSION_FOR_ALL,
            compression,
            checksum,
        };
        let size = file::replace(&path, true, |output| write_all_kinds(output, options))
            .expect("a written file");
        assert_eq!(size, fs::metadata(&path).expect("a file").len());

        let check = tool("redis-check-rdb").arg(&path).output().expect(MISSING);
        let report = String::from_utf8_lossy(&check.stdout);
        assert!(
            check.status.success() && report.contains("RDB looks OK!"),
            "{report}"
        );

        let server = Server::start(&directory);
        for (db, command, expected) in ANSWERS {
            let output = tool("redis-cli")
                .args(["--no-raw", "-n", db, "-s"])
                .arg(&server.socket)
                .args(*command)
                .output()
                .expect(MISSING);
            assert_eq!(
                String::from_utf8_lossy(&output.stdout),
                *expected,
                "{command:?}"
            );
        }
    }
    fs::remove_dir_all(&directory).expect("our directory");
}

const MISSING: &str = "redis-server, redis-cli and redis-check-rdb must be installed for this test";

fn tool(name: &str) -> Command {
    let mut command = Command::new(name);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// A real server with the file `dump.rdb` of a directory, on a socket in it. It ends with this value.
struct Server {
    child: Child,
    socket: PathBuf,
}

impl Server {
    fn start(directory: &Path) -> Server {
        let socket = directory.join("socket");
        let child = tool("redis-server")
            .args(["--port", "0", "--save", "", "--dir"])
            .arg(directory)
            .arg("--unixsocket")
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()
            .expect(MISSING);
        let server = Server { child, socket };
        let deadline = Instant::now() + Duration::from_secs(20);
        while !server.is_ready() {
            assert!(
                Instant::now() < deadline,
                "redis-server does not come up with the file"
            );
            thread::sleep(Duration::from_millis(20));
        }
        server
    }

    fn is_ready(&self) -> bool {
        let answer = tool("redis-cli")
            .arg("-s")
            .arg(&self.socket)
            .arg("PING")
            .output()
            .expect(MISSING);
        answer.stdout == b"PONG\n"
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The file is only read, so killing the server loses nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
