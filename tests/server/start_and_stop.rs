//! Starting the server, with everything that can be wrong with its options, and stopping it.

use crate::common::{Folder, Server, free_port, our_command, refusal, wait_until};
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

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
            "Option '--loglevel loud': argument(s) must be one of the following: debug, verbose, notice, warning, \
            nothing. Try --help\n",
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
    let text = "# a comment\nport 1\nappendonly no\nactive-defrag-cycle-max 30\ntcp-backlog 511\n\
                save 900 1\nsave 300 10\nmaxclients 77\nhash-max-ziplist-entries 3\n";
    fs::write(folder.path().join("redis.conf"), text).unwrap();
    let port = free_port().to_string();
    let mut command = our_command(&folder, &["redis.conf", "--port", &port, "--timeout", "0"]);
    let server = Server {
        port: port.parse().unwrap(),
        process: command.spawn().unwrap(),
    };
    crate::common::wait_until("the server listens", || {
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
    assert_eq!(client.ask("CONFIG SET active-expire-effort 5"), "OK");
    assert_eq!(client.ask("CONFIG REWRITE"), "OK");
    let rewritten = fs::read_to_string(folder.path().join("redis.conf")).unwrap();
    assert!(rewritten.contains("\nmaxclients 78\n"), "{rewritten}");
    assert!(rewritten.starts_with("# a comment\n"), "{rewritten}");
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(
        log.contains("The directive 'active-defrag-cycle-max' has no effect in this server: activedefrag is refused"),
        "{log}"
    );
    let told = "The directive 'active-expire-effort' has no effect in this server: ";
    assert!(log.contains(told), "{log}");
    assert!(!log.contains("'maxclients'"), "{log}");
}

/// A server that promised what it cannot keep would be worse than none: it does not start, and touches nothing.
#[test]
fn promises_that_cannot_be_kept_are_refused() {
    let folder = Folder::new();
    let append_only = folder.path().join("appendonlydir");
    fs::create_dir(&append_only).unwrap();
    fs::write(
        append_only.join("appendonly.aof.manifest"),
        "of another server",
    )
    .unwrap();
    for (options, reason) in [
        (
            &["--tls-port", "6380"][..],
            "the server speaks no TLS: put stunnel or another TLS proxy before it",
        ),
        (
            &["--daemonize", "yes"],
            "let a service manager run it in the background",
        ),
        (&["--cluster-enabled", "yes"], "it is no node of a cluster"),
    ] {
        let name = &options[0][2..];
        let expected = format!(
            "Option '{}': '{name}' is not supported by this server: {reason}. Try --help\n",
            options.join(" ")
        );
        assert_eq!(refusal(&folder, options), expected);
    }
    fs::write(
        folder.path().join("redis.conf"),
        "port 0\nloadmodule m.so\n",
    )
    .unwrap();
    let expected = "\n*** FATAL CONFIG FILE ERROR (Redis 7.2.6) ***\nReading the configuration file, at line 2\n>>> \
                    'loadmodule m.so'\n'loadmodule' is not supported by this server: it loads no modules\n";
    assert_eq!(refusal(&folder, &["redis.conf"]), expected);
    let mut names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["appendonlydir", "log", "redis.conf"]);
}

#[test]
fn the_configuration_may_come_from_the_standard_input() {
    let folder = Folder::new();
    fs::write(
        folder.path().join("redis.conf"),
        "timeout 5\nmaxclients 50\n",
    )
    .unwrap();
    for (words, expected) in [
        (&["-"][..], ["7", "60"]),
        (&["redis.conf", "-"], ["7", "60"]),
        (&["redis.conf", "--timeout", "8", "-"], ["8", "60"]),
    ] {
        let server = Server::start(|port| {
            let port = port.to_string();
            let mut options = words.to_vec();
            let place = options.len() - usize::from(words.len() > 2);
            options.splice(place..place, ["--port", &port]);
            let text = folder.path().join("input");
            fs::write(&text, "# over the wire\nmaxclients 60\ntimeout 7\n").unwrap();
            let mut command = our_command(&folder, &options);
            command.stdin(fs::File::open(text).unwrap());
            command
        });
        let mut client = server.client();
        let value = |client: &mut crate::common::Client, name: &str| {
            client.ask(&format!("CONFIG GET {name}"))
        };
        assert_eq!(
            value(&mut client, "timeout"),
            format!("1) \"timeout\"\n2) \"{}\"", expected[0])
        );
        assert_eq!(
            value(&mut client, "maxclients"),
            format!("1) \"maxclients\"\n2) \"{}\"", expected[1])
        );
    }
}

#[test]
fn a_pid_file_is_there_while_the_server_runs() {
    let folder = Folder::new();
    let path = folder.path().join("server.pid");
    let server = Server::ours(&folder, &["--pidfile", "server.pid"]);
    wait_until("it is written", || {
        fs::read_to_string(&path).is_ok_and(|text| text == format!("{}\n", server.process.id()))
    });
    server.signal("TERM");
    assert!(server.wait().success());
    assert!(!path.exists());
}

#[test]
fn signals_save_as_the_configuration_says() {
    let folder = Folder::new();
    let ends = |options: &[&str], signal: &str| {
        let _ = fs::remove_file(folder.dump());
        let server = Server::ours(&folder, options);
        assert_eq!(server.client().ask("SET k v"), "OK");
        server.signal(signal);
        assert!(server.wait().success());
        folder.dump().exists()
    };
    assert!(!ends(&["--shutdown-on-sigterm", "nosave"], "TERM"));
    assert!(ends(&["--shutdown-on-sigterm", "nosave"], "INT"));
    assert!(ends(
        &["--save", "", "--shutdown-on-sigint", "save", "now"],
        "INT"
    ));
    // Forced, it ends although the dump cannot be written.
    let gone = folder.path().join("gone");
    fs::create_dir(&gone).unwrap();
    let server = Server::ours(&folder, &["--dir", "gone"]);
    assert_eq!(server.client().ask("SET k v"), "OK");
    fs::remove_dir(&gone).unwrap();
    let mut client = server.client();
    client.send(&["SHUTDOWN", "FORCE"]);
    assert_eq!(client.try_receive(), None);
    assert!(server.wait().success());
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
                let mut client = crate::common::Client::connect(port);
                let mut acknowledged = 0;
                loop {
                    let number = (acknowledged + 1).to_string();
                    use std::io::Write;
                    let request = crate::common::request(&["SET", &format!("w{writer}"), &number]);
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
    crate::common::wait_until("everyone has written", || client.integer(&["DBSIZE"]) == 8);
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
    // As in Redis: only a save in the background that failed stops writes.
    assert_eq!(client.ask("SET k w"), "OK");
    assert_eq!(client.info("rdb_last_bgsave_status"), "ok");
}

/// A server whose saves take for ever; it has said that it saves before it ends.
fn server_in_its_final_save(folder: &Folder) -> Server {
    let server = Server::ours(folder, &["--rdb-key-save-delay", "600000000"]);
    assert_eq!(server.client().ask("SET k v"), "OK");
    server.signal("INT");
    wait_until("the save has begun", || {
        let names = fs::read_dir(folder.path()).expect("the folder is there");
        let is_temporary = |name: &str| name.starts_with("temp-");
        let mut names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.any(|name| is_temporary(&name))
    });
    server
}

#[test]
fn a_second_interrupt_ends_at_once() {
    let folder = Folder::new();
    let server = server_in_its_final_save(&folder);
    // Only an interrupt does, from somebody who sits before it.
    server.signal("TERM");
    server.signal("HUP");
    server.signal("INT");
    assert_eq!(server.wait().code(), Some(1));
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(log.ends_with("# You insist... exiting now.\n"), "{log}");
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "only the log: {left:?}");
}

#[test]
fn a_terminal_that_is_closed_does_not_end_the_server() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &[]);
    server.signal("HUP");
    assert_eq!(server.client().ask("SET k v"), "OK");
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(
        log.contains("Received SIGTERM scheduling shutdown..."),
        "{log}"
    );
    assert!(folder.dump().exists());
}

#[test]
fn a_dump_that_is_no_file_is_refused() {
    let folder = Folder::new();
    fs::create_dir(folder.path().join("directory")).unwrap();
    let fifo = folder.path().join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    std::os::unix::fs::symlink("/dev/null", folder.path().join("device")).unwrap();
    for (name, kind) in [
        ("directory", "a directory"),
        ("fifo", "a FIFO"),
        ("device", "a device"),
    ] {
        let expected = format!("The dump {name} is {kind}, not a regular file\n");
        assert_eq!(
            refusal(
                &folder,
                &["--port", "0", "--unixsocket", "s", "--dbfilename", name]
            ),
            expected
        );
    }
}

#[test]
fn a_dump_of_another_name_is_not_passed_over_silently() {
    let folder = Folder::new();
    let start = |options: &[&str]| {
        let server = Server::ours(&folder, options);
        let keys = server.client().integer(&["DBSIZE"]);
        assert_eq!(server.client().ask("SET k v"), "OK");
        server.signal("TERM");
        assert_eq!(server.wait().code(), Some(0));
        let log = fs::read_to_string(folder.path().join("log")).unwrap();
        (
            keys,
            log.contains("to load it, start with --dbfilename dump.rdb"),
        )
    };
    assert_eq!(start(&["--dbfilename", "dump.rdb"]), (0, false));
    assert_eq!(start(&["--dbfilename", "dump.rdb"]), (1, false));
    assert_eq!(start(&[]), (0, true));
    assert_eq!(start(&[]), (1, false), "there is a dump now");
}

#[test]
fn systemd_is_told() {
    let folder = Folder::new();
    let path = folder.path().join("notify");
    let supervisor = UnixDatagram::bind(&path).unwrap();
    supervisor
        .set_read_timeout(Some(crate::common::PATIENCE))
        .unwrap();
    let hear = || {
        let mut message = [0; 1000];
        let len = supervisor.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..len])
            .trim_end()
            .to_string()
    };
    for mode in ["systemd", "auto"] {
        let server = Server::start(|port| {
            let mut command = our_command(
                &folder,
                &["--port", &port.to_string(), "--supervised", mode],
            );
            command.env("NOTIFY_SOCKET", &path);
            command
        });
        assert_eq!(hear(), "STATUS=Ready to accept connections\nREADY=1");
        assert_eq!(server.client().info("process_supervised"), "systemd");
        server.signal("TERM");
        assert_eq!(hear(), "STOPPING=1");
        assert_eq!(server.wait().code(), Some(0));
    }
    // With nobody to tell, it serves all the same.
    let server = Server::ours(&folder, &["--supervised", "auto"]);
    assert_eq!(server.client().info("process_supervised"), "no");
}

/// Names of temporary files of this server now, of earlier versions and of Redis. The folder holds what a killed server
/// left, too, which alone is removed.
#[test]
fn a_dump_that_is_called_as_a_temporary_file_stays() {
    for name in ["temp-7.my_rdb", "temp-4194305.dump.my_rdb", "temp-7.rdb"] {
        let folder = Folder::new();
        let options = ["--dbfilename", name, "--enable-protected-configs", "yes"];
        let server = Server::ours(&folder, &options);
        let mut client = server.client();
        assert_eq!(client.ask("SET key value"), "OK");
        assert_eq!(client.ask("SAVE"), "OK");
        drop(server);
        let left = folder.path().join(format!("temp-4194305.{name}"));
        fs::write(&left, b"REDIS0009").unwrap();
        let server = Server::ours(&folder, &options);
        let mut client = server.client();
        assert_eq!(client.ask("GET key"), "\"value\"", "{name}");
        assert!(!left.exists(), "{name}");
        // The name that the saver of an earlier version would have used itself, chosen while the server runs.
        let own = format!("temp-{}.my_rdb", server.process.id());
        assert_eq!(client.ask(&format!("CONFIG SET dbfilename {own}")), "OK");
        assert_eq!(client.ask("SAVE"), "OK");
        drop(server);
        let options = ["--dbfilename", &own[..]];
        let server = Server::ours(&folder, &options);
        assert_eq!(server.client().ask("GET key"), "\"value\"", "{own}");
        assert!(folder.path().join(name).exists(), "{name}");
    }
}
