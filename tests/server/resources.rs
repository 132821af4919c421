//! What the server takes of the machine: files, threads, memory, addresses, and that it gives back what it no longer
//! needs.

use crate::common::{
    Client, Folder, Server, free_port, our_command, read_piece, request, wait_until,
};
use my_redis_server::resp::decoder::{Decoder, Value};
use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A figure of /proc/PID/status, in KiB or as a number.
fn status(server: &Server, name: &str) -> u64 {
    let text =
        fs::read_to_string(format!("/proc/{}/status", server.process.id())).expect("it runs");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let figure = line
        .expect("there is such a line")
        .split_whitespace()
        .next();
    figure
        .expect("it has a figure")
        .parse()
        .expect("it is a number")
}

/// Our server with few files.
fn server_with_files(folder: &Folder, files: u32) -> Server {
    Server::start(|port| {
        let server = our_command(folder, &[]);
        let program = server.get_program().to_str().expect("it is text");
        let mut command = Command::new("sh");
        let script =
            format!("ulimit -n {files} && exec {program} --port {port} --save '3600 1000000'");
        let log = fs::File::create(folder.path().join("log")).expect("the log can be made");
        command
            .args(["-c", &script])
            .current_dir(folder.path())
            .stdout(log);
        command
    })
}

#[test]
fn as_many_clients_as_there_are_files_for() {
    let folder = Folder::new();
    let server = server_with_files(&folder, 128);
    let mut first = server.client();
    // 32 files are kept back, and each client may come to need a second one to wait with.
    assert_eq!(
        first.ask("CONFIG GET maxclients"),
        "1) \"maxclients\"\n2) \"48\""
    );
    assert_eq!(
        first.ask("CONFIG SET maxclients 49"),
        "(error) ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating system is not able \
         to handle the specified number of clients, try with 48"
    );
    let mut waiting: Vec<Client> = (0..47).map(|_| server.client()).collect();
    for (index, client) in waiting.iter_mut().enumerate() {
        match index % 2 {
            0 => client.send(&["BLPOP", "list", "0"]),
            _ => drop(client.call(&["SUBSCRIBE", "channel"])),
        }
    }
    wait_until("all wait", || first.info("blocked_clients") == "24");
    for _ in 0..3 {
        let mut refused = server.client();
        let expected = Value::Error(b"ERR max number of clients reached".to_vec());
        assert_eq!(refused.receive(), expected);
        assert_eq!(refused.try_receive(), None);
    }
    assert_eq!(first.ask("SET k v"), "OK");
    assert_eq!(first.ask("SAVE"), "OK");
    assert_eq!(first.ask("BGSAVE"), "Background saving started");
    wait_until("it is saved", || first.info("rdb_saves") == "2");
    assert_eq!(first.ask("SET k w"), "OK");
}

#[test]
fn threads_end_with_their_clients() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut director = server.client();
    let before = status(&server, "Threads");
    for _ in 0..3 {
        let mut clients: Vec<Client> = (0..200).map(|_| server.client()).collect();
        for (number, client) in clients.iter_mut().enumerate() {
            assert_eq!(
                client.call(&["ECHO", &number.to_string()]),
                Value::Bulk(number.to_string().into_bytes())
            );
        }
        // Up to four idle workers were counted before, and have clients now.
        assert!(status(&server, "Threads") >= before + 196);
        // While some go, others come.
        let stay = clients.split_off(150);
        drop(clients);
        for mut client in (0..100).map(|_| server.client()) {
            assert_eq!(client.ask("PING"), "PONG");
        }
        drop(stay);
    }
    // Some spare workers stay, and threads of the allocator may have begun.
    wait_until("the threads end", || {
        status(&server, "Threads") <= before + 12
    });
    wait_until("the last client is gone", || {
        director.info("connected_clients") == "1"
    });
}

#[test]
fn a_system_without_threads_leaves_a_line() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut first = server.client();
    // These stay, and each arena of the allocator has got its memory: a thread that is begun later asks for no more.
    let mut others: Vec<Client> = (0..32).map(|_| server.client()).collect();
    for client in others.iter_mut().chain([&mut first]) {
        assert_eq!(client.ask("PING"), "PONG");
    }
    // No room for one more stack of 256 KiB. The stacks of threads that have ended are kept and given to new ones,
    // which need a few KiB more then, for their signal handlers.
    let pid = server.process.id().to_string();
    let size = format!("--as={}", 1024 * (status(&server, "VmSize") + 128));
    let limited = Command::new("prlimit")
        .args(["--pid", &pid, &size])
        .status();
    assert!(limited.expect("util-linux has it").success());
    let refused = (0..20).find_map(|_| {
        let mut client = server.client();
        client.try_send(&["PING"]).ok()?;
        client
            .try_receive()
            .filter(|reply| matches!(reply, Value::Error(_)))
    });
    assert_eq!(
        refused,
        Some(Value::Error(b"ERR max number of clients reached".to_vec()))
    );
    let log = fs::read_to_string(folder.path().join("log")).expect("there is a log");
    assert!(
        log.contains("The system has no thread for one more client"),
        "{log}"
    );
    assert!(!log.contains("panicked"), "{log}");
    assert_eq!(first.ask("PING"), "PONG");
}

#[test]
fn freed_memory_goes_back_to_the_system() {
    const MIB: u64 = 1024;
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    let value = vec![b'x'; 1 << 20];
    let fill = |client: &mut Client| {
        for number in 0..200 {
            client.call(&[b"SET", format!("key{number}").as_bytes(), &value]);
        }
        assert!(status(&server, "VmRSS") > 200 * MIB);
        assert_eq!(client.ask("FLUSHALL"), "OK");
        assert!(client.info("used_memory").parse::<u64>().unwrap() < 20 << 20);
    };
    fill(&mut client);
    // While the allocator's own thread gives memory back, a request to do so does nothing.
    wait_until("it is given back on request", || {
        assert_eq!(client.ask("MEMORY PURGE"), "OK");
        status(&server, "VmRSS") < 60 * MIB
    });
    fill(&mut client);
    // Nothing else asks the allocator for memory now.
    wait_until("it is given back", || status(&server, "VmRSS") < 60 * MIB);
}

#[test]
fn a_large_value_is_received_once() {
    const LEN: usize = 64 << 20;
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    let value = vec![b'x'; LEN];
    let before = status(&server, "VmHWM");
    assert_eq!(
        client.call(&[b"SET", &b"large"[..], &value]),
        Value::Simple(b"OK".to_vec())
    );
    let added = status(&server, "VmHWM") - before;
    assert!(added < LEN as u64 / 1024 * 3 / 2, "{added} KiB for 64 MiB");
}

/// While the server does not accept, the system keeps as many connections as `tcp-backlog` says.
#[test]
fn connections_wait_to_be_accepted() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let most: usize = fs::read_to_string("/proc/sys/net/core/somaxconn")
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    server.signal("STOP");
    let address = SocketAddr::from(([127, 0, 0, 1], server.port));
    let connect = || TcpStream::connect_timeout(&address, Duration::from_secs(5));
    let waiting: Vec<TcpStream> = (0..most.min(511))
        .map(|_| connect().expect("there is room"))
        .collect();
    server.signal("CONT");
    for mut stream in waiting {
        stream.write_all(b"PING\r\n").unwrap();
        stream.read_exact(&mut [0; 7]).expect("it is served");
    }
}

#[test]
fn lines_that_strangers_cause_are_few() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    for _ in 0..500 {
        let mut stranger = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        stranger
            .write_all(b"POST / HTTP/1.1\r\nHost: redis\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        let _ = stranger.read_to_string(&mut answer);
        assert_eq!(answer, "");
    }
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    let lines = log
        .lines()
        .filter(|line| line.contains("SECURITY ATTACK"))
        .count();
    // The quota may have begun anew once or twice meanwhile.
    assert!((10..=60).contains(&lines), "{lines}");
}

/// An address of this machine that is not the loopback's, if it has one. Nothing is sent.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback()).then_some(address)
}

#[test]
fn protected_mode_keeps_other_machines_out() {
    let Some(address) = own_address() else {
        return eprintln!("this machine has no address but the loopback's: nothing to test");
    };
    let folders = [Folder::new(), Folder::new()];
    let options = ["--bind", "127.0.0.1", &address.to_string()];
    let servers = [
        Server::ours(&folders[0], &options),
        Server::real(&folders[1], &options),
    ];
    let answers = servers.each_ref().map(|server| {
        let mut stranger = TcpStream::connect((address, server.port)).expect("it listens there");
        let _ = stranger.write_all(&request(&["PING"]));
        let mut answer = String::new();
        let _ = stranger.read_to_string(&mut answer);
        answer
    });
    assert!(answers[1].starts_with("-DENIED Redis is running in protected mode"));
    assert_eq!(answers[0], answers[1]);
    let mut local = servers[0].client();
    assert_eq!(local.info("rejected_connections"), "1");
    assert_eq!(local.ask("CONFIG SET protected-mode no"), "OK");
    let mut stranger = TcpStream::connect((address, servers[0].port)).unwrap();
    stranger.write_all(&request(&["PING"])).unwrap();
    let mut answer = [0; 7];
    stranger.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"+PONG\r\n");
}

/// Asks over a socket in the file system.
fn ask_unix(path: &Path, words: &[&str]) -> Value {
    let mut stream = UnixStream::connect(path).expect("it listens");
    stream.write_all(&request(words)).expect("it reads");
    let mut decoder = Decoder::default();
    let mut received = Vec::new();
    loop {
        let (consumed, value) = decoder.decode(&received).expect("it speaks the protocol");
        received.drain(..consumed);
        if let Some(value) = value {
            return value;
        }
        let mut piece = [0; 4096];
        let len = read_piece(&mut stream, &mut piece).expect("it answers");
        assert!(len > 0, "it answers");
        received.extend_from_slice(&piece[..len]);
    }
}

#[test]
fn a_socket_in_the_file_system_alone() {
    let folder = Folder::new();
    let path = folder.path().join("socket");
    let options = [
        "--port",
        "0",
        "--unixsocket",
        "socket",
        "--unixsocketperm",
        "700",
    ];
    let process = our_command(&folder, &options).spawn().expect("it starts");
    // It is killed when the test fails.
    let server = Server { port: 0, process };
    wait_until("it has loaded", || {
        UnixStream::connect(&path).is_ok() && ask_unix(&path, &["GET", "k"]) == Value::Null
    });
    assert_eq!(
        ask_unix(&path, &["SET", "k", "v"]),
        Value::Simple(b"OK".to_vec())
    );
    let Value::Bulk(info) = ask_unix(&path, &["CLIENT", "INFO"]) else {
        panic!("CLIENT INFO gives a string")
    };
    let info = String::from_utf8(info).expect("it is text");
    assert!(info.contains(" addr=socket:0 laddr=socket:0 "), "{info}");
    assert!(info.contains(" flags=U "), "{info}");
    server.signal("TERM");
    assert!(server.wait().success());
    assert!(!path.exists(), "it is removed at the end");
    let log = fs::read_to_string(folder.path().join("log")).expect("there is a log");
    assert!(log.contains("Ready to accept connections unix"), "{log}");
    assert!(!log.contains("connections tcp"), "{log}");
}

#[test]
fn to_listen_nowhere_is_refused() {
    let folder = Folder::new();
    let output = our_command(&folder, &["--port", "0"])
        .stderr(std::process::Stdio::piped())
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "Configured to not listen anywhere, exiting.\n"
    );
}

#[test]
fn the_sockets_move_at_run_time() {
    let folders = [Folder::new(), Folder::new()];
    for server in [
        Server::ours(&folders[0], &["--bind", "127.0.0.1"]),
        Server::real(&folders[1], &["--bind", "127.0.0.1"]),
    ] {
        let mut client = server.client();
        let mut set = |line: &str| client.ask(&format!("CONFIG SET {line}"));
        let connects = |address: &str, port: u16| {
            let stream = TcpStream::connect((address, port));
            let Ok(mut stream) = stream else { return false };
            let mut answer = [0; 7];
            stream.write_all(b"PING\r\n").is_ok()
                && stream.read_exact(&mut answer).is_ok()
                && &answer == b"+PONG\r\n"
        };
        let moved = free_port();
        assert_eq!(set(&format!("port {moved}")), "OK");
        assert!(connects("127.0.0.1", moved) && !connects("127.0.0.1", server.port));
        // What cannot be done leaves everything as it was.
        let other = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let taken = other.local_addr().expect("it has an address").port();
        assert_eq!(
            set(&format!("port {taken}")),
            "(error) ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. \
             Check server logs."
        );
        assert_eq!(
            set("bind 192.0.2.77"),
            "(error) ERR CONFIG SET failed (possibly related to argument 'bind') - Failed to bind to specified \
             addresses."
        );
        assert!(connects("127.0.0.1", moved));
        // An address beside the first, and instead of it.
        assert!(!connects("127.0.0.2", moved));
        let mut client = Client::connect(moved);
        for (bind, first, second) in [
            ("127.0.0.1 127.0.0.2", true, true),
            ("127.0.0.2", false, true),
            ("*", true, true),
            ("127.0.0.1", true, false),
        ] {
            let words = ["CONFIG", "SET", "bind", bind];
            assert_eq!(client.call(&words), Value::Simple(b"OK".to_vec()), "{bind}");
            assert_eq!(connects("127.0.0.1", moved), first, "{bind}");
            assert_eq!(connects("127.0.0.2", moved), second, "{bind}");
        }
        assert_eq!(client.info("tcp_port"), moved.to_string());
        assert_eq!(client.ask("CONFIG SET port 0"), "OK");
        assert!(!connects("127.0.0.1", moved));
        assert_eq!(client.ask("PING"), "PONG");
    }
}

/// What was in effect already when another directive of the same CONFIG SET failed does not stay so.
#[test]
fn a_config_set_that_fails_has_no_effect() {
    let folders = [Folder::new(), Folder::new()];
    for server in [
        Server::ours(&folders[0], &[]),
        Server::real(&folders[1], &[]),
    ] {
        let mut client = server.client();
        let limits = || ["maxmemory", "maxclients"].map(|field| server.client().info(field));
        let before = limits();
        let moved = free_port();
        for (directive, value) in [
            ("requirepass", "secret"),
            ("maxmemory", "1000000000"),
            ("maxclients", "77"),
            ("port", &moved.to_string()),
        ] {
            let before = client.ask(&format!("CONFIG GET {directive}"));
            for words in [
                ["CONFIG", "SET", directive, value, "bind", "192.0.2.77"],
                ["CONFIG", "SET", "bind", "192.0.2.77", directive, value],
            ] {
                let Value::Error(_) = client.call(&words) else {
                    panic!("{words:?} succeeds");
                };
            }
            assert_eq!(client.ask(&format!("CONFIG GET {directive}")), before);
        }
        assert!(TcpStream::connect(("127.0.0.1", moved)).is_err());
        assert_eq!(limits(), before);
    }
}
