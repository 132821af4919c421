//! `--pipe`, `--eval`, `--rdb`, `--functions-rdb` and `--replica`.

use super::duel::{Duel, our_client};
use super::scripted_server::ScriptedServer;
use super::terminal::Terminal;
use crate::common::{redis_tool, wait_until};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::sync::mpsc;
use std::thread;

#[test]
fn requests_are_piped_as_by_redis_cli() {
    let mut duel = Duel::new(&["--proto-max-bulk-len", "1mb"]);
    duel.name("CLOSED", "1");
    let many: String = (0..5000).map(|n| format!("SET key{n} {n}\\r\\n")).collect();
    for line in [
        "--pipe <<< \"SET a 1\\r\\nGET a\\r\\nNOSUCH\\r\\n*1\\r\\n$4\\r\\nPING\\r\\n\"",
        "--pipe",
        "--pipe <<< \"PING\"",
        "--pipe <<< \"\\r\\n\\r\\n\"",
        "--pipe <<< \"SET a 1\\r\\nNOSUCH\\r\\nLPUSH a x\\r\\n\"",
        "--pipe -n 3 <<< \"SET a 1\\r\\n\"",
        "--pipe --pipe-timeout 1 <<< \"PING\\r\\n\"",
        "--pipe --pipe-timeout 1 <<< \"BLPOP nokey 0\\r\\n\"",
        "--pipe -a secret <<< \"PING\\r\\n\"",
        "--pipe --csv <<< \"NOSUCH\\r\\n\"",
        "-s SOCKET --pipe <<< \"SET a 1\\r\\n\"",
        "-p CLOSED --pipe <<< \"SET a 1\\r\\n\"",
    ] {
        duel.check(line);
    }
    duel.check(&format!("--pipe <<< \"{many}\""));
    duel.finish();
}

/// What is sent is a great deal more than the buffers of sockets hold, in both directions.
/// That the server has gone, the status tells. What the server has said before is told.
#[test]
fn a_pipe_to_a_server_that_goes_ends_as_that_of_redis_cli() {
    let mut duel = Duel::new(&[]);
    for reply in [
        "",
        "+OK\r\n",
        "-ERR Protocol error\r\n",
        "$5\r\nab",
        "@x\r\n",
        "+a\nb\r\n",
        "*99999999999\r\n",
    ] {
        let server = ScriptedServer::start(&[reply]);
        let line = format!("-p {} --pipe <<< \"SET a 1\\r\\nQUIT\\r\\n\"", server.port);
        // Whether the end of the input was reached before that of the connection is told too, by chance.
        let [real, ours] = duel.run_both(&line).map(|run| (run.stderr, run.status));
        if real != ours {
            let shown = |(stderr, status): (Vec<u8>, ExitStatus)| {
                format!("{} {status}", stderr.escape_ascii())
            };
            duel.report(reply, &shown(real), &shown(ours));
        }
    }
    duel.finish();
}

#[test]
fn a_long_pipe_does_not_wait_for_itself() {
    let duel = Duel::new(&[]);
    duel.server
        .client()
        .call(&["SET", "value", &"x".repeat(1000)]);
    let requests = "GET value\\r\\n".repeat(50_000);
    let run = duel.run(our_client(), &format!("-p PORT --pipe <<< \"{requests}\""));
    let stdout = String::from_utf8_lossy(&run.stdout);
    assert!(stdout.ends_with("errors: 0, replies: 50000\n"), "{stdout}");
}

#[test]
fn scripts_are_run_as_by_redis_cli() {
    let mut duel = Duel::new(&[]);
    let file = |name: &str, text: &str| {
        fs::write(duel.folder.path().join(name), text).expect("the file can be written");
    };
    file(
        "script.lua",
        "return {KEYS[1] or 'none', KEYS[2] or 'none', #ARGV, ARGV[1] or 'none'}",
    );
    file("bad.lua", "retrun 1");
    file("set.lua", "return redis.call('INCR', KEYS[1])");
    file("empty.lua", "");
    for line in [
        "--eval script.lua",
        "--eval script.lua k1",
        "--eval script.lua k1 k2 , a1 a2",
        "--eval script.lua , a1",
        "--eval script.lua k1 ,",
        "--eval script.lua k1 ,a1",
        "--eval script.lua k1 , a1 , a2",
        "--eval script.lua , ,",
        "--no-raw --eval script.lua k1 , a1",
        "--json --eval script.lua k1 , a1",
        "-r 3 --eval set.lua n",
        "-x --eval script.lua k1 <<< text",
        "--quoted-input --eval script.lua '\"k\"'",
        "-n 3 --eval set.lua n",
        "--eval bad.lua",
        "-e --eval bad.lua",
        "--eval empty.lua",
        "--eval nosuch.lua",
        "--eval",
        "--scan --eval script.lua",
    ] {
        duel.check(line);
    }
    duel.check_bare("-p 1 --eval script.lua");
    duel.finish();
}

/// Starts a server that sends snapshots at once.
fn duel_with_snapshots(diskless: &str) -> Duel {
    Duel::new(&[
        "--repl-diskless-sync",
        diskless,
        "--repl-diskless-sync-delay",
        "0",
    ])
}

#[test]
fn snapshots_are_fetched_as_by_redis_cli() {
    for diskless in ["yes", "no"] {
        let mut duel = duel_with_snapshots(diskless);
        duel.set_up(&[
            "FUNCTION LOAD REPLACE \"#!lua name=lib\\nredis.register_function('f', function() return 1 end)\"",
            "MSET a 1 b 2 c 3",
        ]);
        for line in [
            "--rdb fetched.rdb",
            "--functions-rdb fetched.rdb",
            "--rdb nosuch/fetched.rdb",
            "--rdb fetched.rdb --functions-rdb fetched.rdb",
            "--functions-rdb fetched.rdb --rdb fetched.rdb",
            "--rdb",
        ] {
            let [real, ours] = [redis_tool("redis-cli"), our_client()].map(|program| {
                duel.prepare_server();
                let path = duel.folder.path().join("fetched.rdb");
                let _ = fs::remove_file(&path);
                let run = duel.run(program, &format!("-p PORT {line}"));
                (
                    without_length(&run.stderr),
                    run.stdout,
                    run.status,
                    keys_of(&path),
                )
            });
            if real != ours {
                duel.report(line, &format!("{real:?}"), &format!("{ours:?}"));
            }
        }
        duel.finish();
    }
}

/// The text without the number of bytes, which depends on the server's own figures in the snapshot.
fn without_length(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let words = text.split(' ').map(|word| match word.parse::<u64>() {
        Ok(number) if number > 99 => "N",
        _ => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

/// What redis-check-rdb says of the keys in a snapshot; nothing if there is none.
fn keys_of(path: &std::path::Path) -> Vec<String> {
    if !path.exists() {
        return Vec::new();
    }
    let output = redis_tool("redis-check-rdb")
        .arg(path)
        .output()
        .expect("it can be run");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let facts = text
        .lines()
        .filter(|line| line.starts_with("[info]") || line.contains("looks OK"));
    let fact = |line: &str| {
        line.split_once("] ")
            .map_or("", |(_, fact)| fact)
            .to_string()
    };
    facts.map(fact).collect()
}

/// redis-cli lets the mark at the end through.
#[test]
fn the_standard_output_gets_a_snapshot_and_nothing_else() {
    for diskless in ["yes", "no"] {
        let duel = duel_with_snapshots(diskless);
        duel.server.client().call(&["MSET", "a", "1", "b", "2"]);
        let run = duel.run_ours_unprepared("-p PORT --rdb -");
        let path = duel.folder.path().join("piped.rdb");
        fs::write(&path, &run.stdout).unwrap();
        let facts = keys_of(&path);
        assert!(facts.iter().any(|fact| fact == "2 keys read"), "{facts:?}");
        assert!(
            facts.iter().any(|fact| fact.contains("looks OK")),
            "{facts:?}"
        );
    }
}

#[test]
fn a_transfer_that_breaks_off_costs_nothing() {
    let duel = Duel::new(&[]);
    let path = duel.folder.path().join("old.rdb");
    fs::write(&path, "old").unwrap();
    let ok: &[u8] = b"+OK\r\n";
    for snapshot in [
        &b"$100\r\nREDIS"[..],
        b"\n\n$EOF:0123456789012345678901234567890123456789\r\nREDIS0123456789",
        b"-ERR no\r\n",
        b"hello\r\n",
        b"$EOF:short\r\n",
        b"$-1\r\n",
        b"",
    ] {
        let server = ScriptedServer::start(&[ok, ok, snapshot]);
        let run = duel.run_ours_unprepared(&format!("-p {} --rdb old.rdb", server.port));
        assert_eq!(run.status.code(), Some(1), "{run:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(new_files(&duel), 0);
    }
}

/// The files whose snapshot is not whole yet.
fn new_files(duel: &Duel) -> usize {
    let names = fs::read_dir(duel.folder.path()).unwrap().flatten();
    let new = names.filter(|entry| entry.file_name().to_string_lossy().starts_with(".tmp"));
    new.count()
}

/// What a server sends that knows no snapshots, or has none. redis-cli 7.0 overwrites a good file with it.
#[test]
fn a_file_is_replaced_by_a_snapshot_alone() {
    let duel = Duel::new(&[]);
    let path = duel.folder.path().join("old.rdb");
    fs::write(&path, "old").unwrap();
    let ok: &[u8] = b"+OK\r\n";
    let mark = "0123456789012345678901234567890123456789";
    let with_mark = |header_mark: &str, data: &str| {
        let text = format!("$EOF:{header_mark}\r\n{data}{header_mark}");
        text.into_bytes()
    };
    let like_magic = mark.replace("01234567", "REDIS567");
    for (snapshot, is_taken) in [
        (b"$0\r\n".to_vec(), false),
        (b"$5\r\nhello".to_vec(), false),
        (b"$4\r\nREDI".to_vec(), false),
        (b"$5\r\nREDIT".to_vec(), false),
        (with_mark(mark, ""), false),
        (with_mark(mark, "hello"), false),
        (with_mark(mark, "VALKE"), false),
        (with_mark(&like_magic, ""), false),
        (b"$5\r\nREDIS".to_vec(), true),
        (with_mark(mark, "REDIS"), true),
        (with_mark(mark, "VALKEY080"), true),
    ] {
        let functions: &[&[u8]] = &[ok, ok, ok, &snapshot];
        for (option, replies) in [("--rdb", &functions[1..]), ("--functions-rdb", functions)] {
            let server = ScriptedServer::start(replies);
            for file in ["old.rdb", "-"] {
                let line = format!("-p {} {option} {file}", server.port);
                let run = duel.run_ours_unprepared(&line);
                assert_eq!(run.status.success(), is_taken, "{line} {run:?}");
                let stderr = String::from_utf8_lossy(&run.stderr);
                let refusal = "is no snapshot: it does not begin with REDIS.\n";
                assert_eq!(stderr.ends_with(refusal), !is_taken, "{line} {run:?}");
                let is_old = fs::read_to_string(&path).unwrap() == "old";
                assert_eq!(is_old, file == "-" || !is_taken, "{line} {run:?}");
                fs::write(&path, "old").unwrap();
            }
            assert_eq!(new_files(&duel), 0);
        }
    }
}

/// Progress is replaced by the next line, whichever thread prints it.
#[test]
fn a_pipe_shows_how_far_it_is() {
    let duel = Duel::new(&[]);
    let path = duel.folder.path().join("input");
    let made = Command::new("mkfifo").arg(&path).status();
    assert!(made.expect("mkfifo can be run").success());
    let script = "exec \"$0\" \"$@\" < input";
    let terminal = Terminal::start(duel.wrapped("sh", &["-c", script], "-p PORT --pipe"));
    let mut input = File::create(&path).expect("the client reads it");
    input.write_all(b"PING\r\n").expect("the client lives");
    terminal.wait_for("1 replies");
    input.write_all(b"NOSUCH\r\n").expect("the client lives");
    terminal.wait_for("ERR unknown command");
    terminal.wait_for("2 replies");
    drop(input);
    terminal.wait_for("errors: 1, replies: 2");
    let text = terminal.text();
    let starts = text.lines().map(|line| line.get(..12).unwrap_or(line));
    assert_eq!(
        starts.collect::<Vec<_>>(),
        [
            "ERR unknown ",
            "All data tra",
            "Last reply r",
            "errors: 1, r"
        ]
    );
}

/// The server sends one byte after the other until something is shown, and the end mark when the test says so.
#[test]
fn a_snapshot_shows_how_far_it_is() {
    let mark = "0123456789012345678901234567890123456789";
    for (header, shown, end) in [
        ("$1073741824\r\n".to_string(), "B of 1.00G", ""),
        (format!("$EOF:{mark}\r\n"), "B", mark),
    ] {
        let duel = Duel::new(&[]);
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port");
        let port = listener.local_addr().expect("it has an address").port();
        let line = format!("-p {port} --rdb new.rdb");
        let terminal = Terminal::start(duel.command(our_client(), &line));
        let (mut client, _) = listener.accept().expect("the client comes");
        for reply in ["+OK\r\n", "+OK\r\n", &format!("{header}REDIS")] {
            assert!(client.read(&mut [0; 4096]).unwrap() > 0);
            client.write_all(reply.as_bytes()).unwrap();
        }
        terminal.wait_for("writing");
        let is_progress = |line: &str| {
            let number = line
                .strip_suffix(shown)
                .map(|number| number.trim_end_matches('K'));
            number.is_some_and(|number| number.parse::<f64>().is_ok())
        };
        wait_until("progress is shown", || {
            client.write_all(b"x").unwrap();
            is_progress(terminal.last_line().trim_end())
        });
        client.write_all(end.as_bytes()).unwrap();
        drop(client);
        let last_line = match end {
            "" => "I/O Error reading RDB payload from socket",
            _ => "Transfer finished with success after ",
        };
        terminal.wait_for(last_line);
        let text = terminal.text();
        assert!(
            text.lines().any(|line| line.starts_with(last_line)),
            "{text}"
        );
        assert!(!text.lines().any(is_progress), "{text}");
    }
}

/// The server sends the begin of a snapshot, and then nothing.
#[test]
fn a_signal_leaves_no_file_behind() {
    let duel = Duel::new(&[]);
    let replies: [&[u8]; 4] = [b"+OK\r\n", b"+OK\r\n", b"$100\r\nREDIS", b""];
    let server = ScriptedServer::start(&replies);
    for (name, number) in [("Ctrl-C", SIGINT), ("TERM", SIGTERM), ("HUP", SIGHUP)] {
        let line = format!("-p {} --rdb new.rdb", server.port);
        let terminal = Terminal::start(duel.command(our_client(), &line));
        wait_until("there is a file", || new_files(&duel) == 1);
        match name {
            "Ctrl-C" => terminal.interrupt(),
            name => terminal.signal(name),
        }
        let (_, status) = terminal.wait_for_status();
        assert_eq!(status.signal(), Some(number), "{name}");
        assert_eq!(new_files(&duel), 0, "{name}");
    }
    assert!(!duel.folder.path().join("new.rdb").exists());
}

/// The terminal of a program that `nohup` has started may be closed.
#[test]
fn a_signal_that_is_ignored_ends_no_transfer() {
    let duel = Duel::new(&[]);
    let (go_on, wait_for_it) = mpsc::channel();
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port");
    let port = listener.local_addr().expect("it has an address").port();
    let server = thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client comes");
        for reply in ["+OK\r\n", "+OK\r\n", "$9\r\nREDIS"] {
            assert!(client.read(&mut [0; 4096]).unwrap() > 0);
            client.write_all(reply.as_bytes()).unwrap();
        }
        wait_for_it.recv().expect("the test goes on");
        client.write_all(b"0009").unwrap();
    });
    let script = "trap '' HUP; exec \"$0\" \"$@\"";
    let line = format!("-p {port} --rdb new.rdb");
    let terminal = Terminal::start(duel.wrapped("sh", &["-c", script], &line));
    wait_until("there is a file", || new_files(&duel) == 1);
    terminal.signal("HUP");
    go_on.send(()).expect("the server waits");
    assert_eq!(terminal.wait().1, Some(0));
    server.join().expect("it has not failed");
    let fetched = fs::read(duel.folder.path().join("new.rdb")).expect("it was fetched");
    assert_eq!(fetched, b"REDIS0009");
}

#[test]
fn a_file_without_a_name_is_refused_as_by_redis_cli() {
    let mut duel = duel_with_snapshots("no");
    duel.check("--rdb \"\"");
    duel.check("--functions-rdb \"\"");
    duel.check("--eval \"\"");
    duel.finish();
}

#[test]
fn a_snapshot_of_our_server_is_fetched_by_both() {
    let duel = Duel::with_our_server(&["--repl-diskless-sync-delay", "0"]);
    duel.server.client().call(&["MSET", "a", "1", "b", "2"]);
    for program in [redis_tool("redis-cli"), our_client()] {
        let run = duel.run(program, "-p PORT --rdb fetched.rdb");
        assert!(run.status.success(), "{run:?}");
        let facts = keys_of(&duel.folder.path().join("fetched.rdb"));
        assert!(facts.iter().any(|fact| fact == "2 keys read"), "{facts:?}");
    }
}

#[test]
fn changes_are_shown() {
    for (diskless, mode) in [
        ("yes", "--replica"),
        ("no", "--replica"),
        ("no", "SYNC"),
        ("yes", "PSYNC ? -1"),
    ] {
        let duel = duel_with_snapshots(diskless);
        let mut client = duel.server.client();
        let terminal = Terminal::start(duel.command(our_client(), &format!("-p PORT {mode}")));
        terminal.wait_for("Logging commands from master.");
        wait_until("the server knows the replica", || {
            client.info("connected_slaves") == "1"
        });
        client.call(&["SET", "key", "a \"value\""]);
        terminal.wait_for("\"SELECT\",\"0\"\n\"SET\",\"key\",\"a \\\"value\\\"\"");
        client.call(&["CLIENT", "KILL", "TYPE", "replica"]);
        terminal.wait_for("Error: Server closed the connection");
    }
}

#[test]
fn the_mark_of_a_snapshot_is_counted_as_by_redis_cli() {
    let duel = Duel::new(&[]);
    let ok: &[u8] = b"+OK\r\n";
    let mark = "m".repeat(40);
    let stream = format!("$EOF:{mark}\r\nREDIS{mark}");
    let server = ScriptedServer::start(&[ok, ok, stream.as_bytes()]);
    // What the two say of the end of the connection differs.
    let told = duel
        .run_both(&format!("-p {} --replica", server.port))
        .map(|run| {
            let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
            let done = stderr.lines().find(|line| line.starts_with("SYNC done"));
            done.unwrap_or_default().to_string()
        });
    let expected = "SYNC done after 45 bytes. Logging commands from master.";
    assert_eq!(told, [expected; 2]);
}

/// After a snapshot with a mark, redis-cli takes the first change for a reply, so here its length is known.
#[test]
fn changes_are_shown_as_by_redis_cli() {
    let mut duel = Duel::new(&[]);
    let ok: &[u8] = b"+OK\r\n";
    for stream in [
        &b"$5\r\nREDIS*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$3\r\n\"\r\n\r\n"[..],
        b"\n\n$5\r\nREDIS",
        b"$5\r\nRED",
        b"",
    ] {
        let server = ScriptedServer::start(&[ok, b"-ERR what?\r\n", stream]);
        duel.check_bare(&format!("-p {} --replica", server.port));
        let server = ScriptedServer::start(&[stream]);
        for command in ["SYNC", "sync", "--no-raw SYNC"] {
            duel.check_bare(&format!("-p {} {command}", server.port));
        }
    }
    duel.finish();
}
