//! Starting the server, with everything that can be wrong with its options, and stopping it.

mod common;

use common::{Folder, Server, free_port, our_command, wait_for_exit};
use std::fs;

/// Runs the server with options that keep it from starting; what it prints.
fn refusal(folder: &Folder, options: &[&str]) -> String {
    let mut command = our_command(folder, options);
    command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped());
    let mut process = command.spawn().expect("the server can be started");
    let status = wait_for_exit(&mut process);
    assert_eq!(status.code(), Some(1), "{options:?}");
    std::io::read_to_string(process.stderr.take().expect("it is piped")).expect("it is text")
}

#[test]
fn wrong_options_end_in_one_clear_line() {
    let folder = Folder::new();
    fs::write(
        folder.path().join("wrong.conf"),
        "port 6379\nno-such-directive 1\n",
    )
    .unwrap();
    for (options, expected) in [
        (
            &["--no-such-option", "1"][..],
            "Option '--no-such-option 1': Bad directive or wrong number of arguments. Try --help\n",
        ),
        (
            &["--port", "abc"],
            "Option '--port abc': argument couldn't be parsed into an integer. Try --help\n",
        ),
        (
            &["--port", "70000"],
            "Option '--port 70000': argument must be between 0 and 65535 inclusive. Try --help\n",
        ),
        (
            &["--loglevel", "loud"],
            "Option '--loglevel loud': argument(s) must be one of the following: debug, verbose, notice, warning, nothing. Try --help\n",
        ),
        (
            &["--dir", "/nowhere/at/all"],
            "Option '--dir /nowhere/at/all': No such file or directory. Try --help\n",
        ),
        (
            &["--port"],
            "Option '--port': wrong number of arguments. Try --help\n",
        ),
        (
            &["nothing.conf"],
            "Fatal error, can't open config file 'nothing.conf': No such file or directory\n",
        ),
        (
            &["wrong.conf"],
            "\n*** FATAL CONFIG FILE ERROR (Redis 7.2.6) ***\nReading the configuration file, at line 2\n>>> \
             'no-such-directive 1'\nBad directive or wrong number of arguments\n",
        ),
    ] {
        assert_eq!(refusal(&folder, options), expected);
    }
}

#[test]
fn a_port_in_use_is_named() {
    let (folder, other) = (Folder::new(), Folder::new());
    let server = Server::ours(&folder, &[]);
    let port = server.port.to_string();
    let expected =
        format!("Could not listen on 127.0.0.1:{port}: Address already in use (os error 98)\n");
    assert_eq!(refusal(&other, &["--port", &port]), expected);
}

#[test]
fn help_and_version() {
    let folder = Folder::new();
    for (option, expected) in [
        ("--help", "Usage: my_redis_server"),
        ("--version", "my_redis_server 0.1.0"),
    ] {
        let output = our_command(&folder, &[option])
            .stdout(std::process::Stdio::piped())
            .output()
            .unwrap();
        assert!(output.status.success());
        assert!(
            String::from_utf8(output.stdout)
                .unwrap()
                .starts_with(expected)
        );
    }
}

/// A configuration file as people have it: directives without an effect here give warnings, the others work.
#[test]
fn an_existing_configuration_file_starts_the_server() {
    let folder = Folder::new();
    let text = "# a comment\nport 1\nappendonly no\nmaxmemory 100mb\ntcp-backlog 511\nsave 900 1\nsave 300 10\n\
                rename-command FLUSHALL \"\"\nmaxclients 77\nhash-max-ziplist-entries 3\n";
    fs::write(folder.path().join("redis.conf"), text).unwrap();
    let port = free_port().to_string();
    let mut command = our_command(&folder, &["redis.conf", "--port", &port, "--timeout", "0"]);
    let server = Server {
        port: port.parse().unwrap(),
        process: command.spawn().unwrap(),
    };
    common::wait_until("the server listens", || {
        std::net::TcpStream::connect(("127.0.0.1", server.port)).is_ok()
    });
    let mut client = server.client();
    assert_eq!(
        client.ask("CONFIG GET save"),
        "1) \"save\"\n2) \"900 1 300 10\""
    );
    assert_eq!(
        client.ask("CONFIG GET maxclients"),
        "1) \"maxclients\"\n2) \"77\""
    );
    assert_eq!(client.ask("CONFIG SET maxclients 78"), "OK");
    assert_eq!(client.ask("CONFIG REWRITE"), "OK");
    let rewritten = fs::read_to_string(folder.path().join("redis.conf")).unwrap();
    assert!(rewritten.contains("\nmaxclients 78\n"), "{rewritten}");
    assert!(rewritten.starts_with("# a comment\n"), "{rewritten}");
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(
        log.contains("The directive 'maxmemory' has no effect in this server yet"),
        "{log}"
    );
}

#[test]
fn a_signal_saves_and_ends_with_success() {
    for signal in ["INT", "TERM"] {
        let folder = Folder::new();
        let server = Server::ours(&folder, &[]);
        assert_eq!(server.client().ask("SET k v"), "OK");
        server.signal(signal);
        assert_eq!(server.wait().code(), Some(0));
        let server = Server::ours(&folder, &[]);
        assert_eq!(server.client().ask("GET k"), "\"v\"");
    }
}

#[test]
fn shutdown_saves_or_does_not() {
    let folder = Folder::new();
    for (options, shutdown, expected) in [
        (&[][..], "SHUTDOWN", "\"v\""),
        (&[], "SHUTDOWN NOSAVE", "(nil)"),
        (&["--save", ""], "SHUTDOWN", "(nil)"),
        (&["--save", ""], "SHUTDOWN SAVE", "\"v\""),
    ] {
        let _ = fs::remove_file(folder.dump());
        let server = Server::ours(&folder, options);
        let mut client = server.client();
        assert_eq!(client.ask("SET k v"), "OK");
        client.send(&shutdown.split(' ').collect::<Vec<_>>());
        assert!(
            client.try_receive().is_none(),
            "the connection ends without an answer"
        );
        assert_eq!(server.wait().code(), Some(0));
        let server = Server::ours(&folder, &["--save", ""]);
        assert_eq!(
            server.client().ask("GET k"),
            expected,
            "{options:?} {shutdown}"
        );
    }
}

/// What was acknowledged before the end is in the dump, however many clients were writing.
#[test]
fn nothing_acknowledged_is_lost_at_the_end() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &[]);
    let port = server.port;
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            std::thread::spawn(move || {
                let mut client = common::Client::connect(port);
                let mut acknowledged = 0;
                loop {
                    let number = (acknowledged + 1).to_string();
                    use std::io::Write;
                    let request = common::request(&["SET", &format!("w{writer}"), &number]);
                    if client.stream.write_all(&request).is_err() || client.try_receive().is_none()
                    {
                        return acknowledged;
                    }
                    acknowledged += 1;
                }
            })
        })
        .collect();
    let mut client = server.client();
    common::wait_until("everyone has written", || client.integer(&["DBSIZE"]) == 8);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    let acknowledged: Vec<i64> = writers
        .into_iter()
        .map(|writer| writer.join().unwrap())
        .collect();
    let server = Server::ours(&folder, &[]);
    let mut client = server.client();
    for (writer, acknowledged) in acknowledged.into_iter().enumerate() {
        let stored: i64 = client
            .ask(&format!("GET w{writer}"))
            .trim_matches('"')
            .parse()
            .unwrap();
        assert!(
            stored >= acknowledged,
            "writer {writer}: {stored} is stored, {acknowledged} were acknowledged"
        );
    }
}

/// A dump that cannot be written keeps the server running, as in Redis.
#[test]
fn a_final_save_that_fails_keeps_the_server_running() {
    let folder = Folder::new();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let server = Server::ours(&folder, &["--dir", "inner"]);
    let mut client = server.client();
    assert_eq!(client.ask("SET k v"), "OK");
    fs::remove_dir(&inner).unwrap();
    assert_eq!(
        client.ask("SHUTDOWN"),
        "(error) ERR Errors trying to SHUTDOWN. Check logs."
    );
    assert_eq!(client.ask("GET k"), "\"v\"");
    assert!(
        client
            .ask("SET k w")
            .starts_with("(error) MISCONF Redis is configured to save RDB snapshots")
    );
    assert_eq!(client.info("rdb_last_bgsave_status"), "err");
    drop(server);
}
