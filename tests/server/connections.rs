//! Connections: how requests may arrive, what is refused, how many there may be.

use crate::common::{Client, Folder, Server, request, wait_until};
use my_redis_server::resp::decoder::Value;
use std::io::{Read, Write};
use std::net::TcpStream;

#[test]
fn requests_may_come_byte_by_byte_or_a_thousand_at_once() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    for byte in request(&["ECHO", "a\r\nb"]) {
        client.stream.write_all(&[byte]).unwrap();
    }
    assert_eq!(client.receive(), Value::Bulk(b"a\r\nb".to_vec()));
    let batch: Vec<u8> = (0..1000)
        .flat_map(|number| request(&["RPUSH", "list", &number.to_string()]))
        .collect();
    client.stream.write_all(&batch).unwrap();
    for number in 1..=1000 {
        assert_eq!(client.receive(), Value::Integer(number));
    }
}

/// The last command of a client is told whether it was carried out or not.
#[test]
fn client_list_tells_of_refused_commands() {
    let folders = [Folder::new(), Folder::new()];
    for server in [
        Server::ours(&folders[0], &["--save", ""]),
        Server::real(&folders[1], &["--save", ""]),
    ] {
        let [mut client, mut other] = [(); 2].map(|()| server.client());
        let id = client.integer(&["CLIENT", "ID"]).to_string();
        for (line, last) in [
            ("GET", "get"),
            ("CONFIG GET", "config|get"),
            ("NOSUCH", "NULL"),
            ("PING", "ping"),
            ("CONFIG NOSUCH", "NULL"),
            ("DEBUG JMAP", "debug"),
        ] {
            client.ask(line);
            let list = other.ask(&format!("CLIENT LIST ID {id} {id} 0"));
            let told = format!(" cmd={last} ");
            assert_eq!(list.matches(&told).count(), 2, "{line}: {list}");
        }
    }
}

#[test]
fn inline_commands_with_quotes_and_empty_lines() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    client
        .stream
        .write_all(b"\r\nset k \"a\\x00b c\"\r\n\nget k\n")
        .unwrap();
    assert_eq!(client.receive(), Value::Simple(b"OK".to_vec()));
    assert_eq!(client.receive(), Value::Bulk(b"a\0b c".to_vec()));
}

#[test]
fn who_does_not_speak_the_protocol_is_told_and_disconnected() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    for (sent, expected) in [
        (
            &b"*1\r\n:1\r\n"[..],
            "-ERR Protocol error: expected '$', got ':'\r\n",
        ),
        (
            b"*x\r\n",
            "-ERR Protocol error: invalid multibulk length\r\n",
        ),
        (
            b"*1\r\n$-5\r\n",
            "-ERR Protocol error: invalid bulk length\r\n",
        ),
        (
            b"*1\r\n$600000000\r\n",
            "-ERR Protocol error: invalid bulk length\r\n",
        ),
        (
            b"set k 'v\r\n",
            "-ERR Protocol error: unbalanced quotes in request\r\n",
        ),
        (
            b"*1\r\n$4\r\nPING\r\n*x\r\n",
            "+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n",
        ),
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        stream.write_all(sent).unwrap();
        let mut received = String::new();
        stream.read_to_string(&mut received).unwrap();
        assert_eq!(received, expected);
    }
    assert_eq!(server.client().ask("PING"), "PONG");
}

/// A value of 64 MB goes in and out; what was only announced takes no memory.
#[test]
fn memory_follows_what_was_received() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    let before: u64 = client.info("used_memory").parse().unwrap();
    let mut announcers: Vec<TcpStream> = Vec::new();
    for _ in 0..50 {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        stream.write_all(b"*1000000\r\n$500000000\r\nabc").unwrap();
        announcers.push(stream);
    }
    wait_until("all have connected", || {
        client.info("connected_clients") == "51"
    });
    let after: u64 = client.info("used_memory").parse().unwrap();
    assert!(
        after - before < 5 << 20,
        "{before} bytes before, {after} after"
    );
    let large = vec![b'x'; 64 << 20];
    assert_eq!(
        client.call(&[b"SET", &b"large"[..], &large]),
        Value::Simple(b"OK".to_vec())
    );
    assert_eq!(client.call(&["GET", "large"]), Value::Bulk(large));
}

#[test]
fn one_client_too_many_gets_an_error() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", "", "--maxclients", "3"]);
    let mut welcome: Vec<Client> = Vec::new();
    wait_until(
        "the first connection, which looked for the server, is gone",
        || {
            welcome.clear();
            welcome.extend((0..3).map(|_| server.client()));
            welcome.iter_mut().all(|client| {
                client.send(&["PING"]);
                matches!(client.try_receive(), Some(Value::Simple(_)))
            })
        },
    );
    let mut refused = server.client();
    assert_eq!(
        refused.receive(),
        Value::Error(b"ERR max number of clients reached".to_vec())
    );
    assert!(refused.try_receive().is_none());
    drop(welcome.pop());
    wait_until("there is room again", || {
        let mut client = server.client();
        client.send(&["PING"]);
        matches!(client.try_receive(), Some(Value::Simple(_)))
    });
}

#[test]
fn two_thousand_clients_at_once() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut clients: Vec<Client> = (0..2000).map(|_| server.client()).collect();
    clients
        .iter_mut()
        .for_each(|client| client.send(&["INCR", "count"]));
    let mut answers: Vec<i64> = clients
        .iter_mut()
        .map(|client| match client.receive() {
            Value::Integer(number) => number,
            other => panic!("{other:?}"),
        })
        .collect();
    answers.sort();
    assert!(answers.into_iter().eq(1..=2000));
    assert_eq!(clients[0].info("connected_clients"), "2000");
}

#[test]
fn idle_clients_are_disconnected_if_wished() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", "", "--timeout", "1"]);
    let mut idle = server.client();
    assert_eq!(idle.ask("PING"), "PONG");
    assert!(
        idle.try_receive().is_none(),
        "the connection ends by itself"
    );
}

#[test]
fn a_client_can_be_killed_and_can_quit() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let (mut killer, mut victim) = (server.client(), server.client());
    let id = victim.integer(&["CLIENT", "ID"]).to_string();
    assert_eq!(killer.integer(&["CLIENT", "KILL", "ID", &id]), 1);
    assert!(victim.try_receive().is_none());
    // Whoever kills itself still hears of it.
    let own = killer.integer(&["CLIENT", "ID"]).to_string();
    assert_eq!(
        killer.integer(&["CLIENT", "KILL", "ID", &own, "SKIPME", "no"]),
        1
    );
    assert!(killer.try_receive().is_none());
    let mut quitter = server.client();
    assert_eq!(quitter.ask("QUIT"), "OK");
    assert!(quitter.try_receive().is_none());
}

/// Rows of CLIENT LIST, lines of the log and of INFO begin where the server lets them begin. As in 7.2, a zero byte
/// ends what is looked at of a name, and what is shown of it to others.
#[test]
fn no_client_forges_what_is_shown_to_others() {
    const PROBLEM: &str = "cannot contain spaces, newlines or special characters.";
    const HOSTILE: &[u8] = b"ann\0 addr=1.2.3.4:5\nid=9 name=bob";
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", "", "--enable-debug-command", "yes"]);
    let mut client = server.client();
    for byte in 0..=u8::MAX {
        let is_fine = byte == 0 || byte.is_ascii_graphic();
        for (request, named) in [
            (&[&b"CLIENT"[..], b"SETNAME"][..], "Client names"),
            (&[b"HELLO", b"2", b"SETNAME"], "Client names"),
            (&[b"CLIENT", b"SETINFO", b"LIB-NAME"], "LIB-NAME"),
            (&[b"CLIENT", b"SETINFO", b"Lib-Ver"], "Lib-Ver"),
        ] {
            let name = [b'a', byte];
            let reply = client.call(&[request, &[&name[..]]].concat());
            let refusal = Value::Error(format!("ERR {named} {PROBLEM}").into_bytes());
            assert_eq!(reply != refusal, is_fine, "{byte} {reply:?}");
            assert_eq!(matches!(reply, Value::Error(_)), !is_fine, "{byte}");
        }
    }
    client.call(&[&b"CLIENT"[..], b"SETNAME", HOSTILE]);
    client.call(&[&b"CLIENT"[..], b"SETINFO", b"LIB-NAME", b"lib\0 x\n"]);
    client.call(&[&b"CLIENT"[..], b"SETINFO", b"LIB-VER", b"1.2\0\nid=7"]);
    assert_eq!(
        client.call(&["CLIENT", "GETNAME"]),
        Value::Bulk(HOSTILE.to_vec())
    );
    for request in ["LIST", "INFO"] {
        let Value::Bulk(rows) = client.call(&["CLIENT", request]) else {
            panic!("rows are a string")
        };
        let rows = String::from_utf8(rows).expect("rows are text");
        assert_eq!(rows.lines().count(), 1, "{rows}");
        assert!(rows.contains(" name=ann age="), "{rows}");
        assert!(rows.ends_with(" lib-name=lib lib-ver=1.2\n"), "{rows}");
    }

    client.ask("CONFIG RESETSTAT");
    let quoted = client.call(&[&b"NO\r\nSUCH\0x"[..], b"a\nb"]);
    let text = b"ERR unknown command 'NO  SUCH', with args beginning with: 'a b' ";
    assert_eq!(quoted, Value::Error(text.to_vec()));
    let made_up = client.call(&[&b"DEBUG"[..], b"ERROR", b"x\r\nrole:slave y"]);
    assert_eq!(made_up, Value::Error(b"x  role:slave y".to_vec()));
    assert_eq!(
        client.call(&["INFO", "errorstats"]),
        Value::Bulk(b"# Errorstats\r\nerrorstat_ERR:count=1\r\n".to_vec())
    );

    client.call(&[&b"DEBUG"[..], b"LOG", b"begin\r\n1:M # end\x1b[2J"]);
    let log = std::fs::read_to_string(folder.path().join("log")).expect("there is a log");
    assert!(
        log.contains(" # DEBUG LOG: begin\\r\\n1:M # end\\u{1b}[2J\n"),
        "{log}"
    );
}

/// A client that sends much and reads nothing keeps its own thread busy and nobody else.
#[test]
fn a_client_that_does_not_read_stops_nobody() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    let value = "x".repeat(100_000);
    assert_eq!(
        client.call(&["SET", "k", &value]),
        Value::Simple(b"OK".to_vec())
    );
    let mut deaf = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    deaf.set_write_timeout(Some(std::time::Duration::from_millis(200)))
        .unwrap();
    let gets = request(&["GET", "k"]).repeat(10_000);
    let _ = deaf.write_all(&gets);
    assert_eq!(client.integer(&["APPEND", "k", "y"]), 100_001);
    assert_eq!(client.integer(&["DEL", "k"]), 1);
}

#[test]
fn replies_can_be_switched_off() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    client.send(&["CLIENT", "REPLY", "OFF"]);
    client.send(&["SET", "k", "1"]);
    client.send(&["NONSENSE"]);
    assert_eq!(client.ask("CLIENT REPLY ON"), "OK");
    client.send(&["CLIENT", "REPLY", "SKIP"]);
    client.send(&["INCR", "k"]);
    assert_eq!(client.ask("INCR k"), "(integer) 3");
}

/// Counted as redis-server 7.0.15 counts them.
#[test]
fn info_knows_the_commands_before_it_in_its_packet() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    client.send_bytes(
        b"CONFIG RESETSTAT\r\nGET k\r\nGET k\r\nINFO commandstats\r\nINFO commandstats\r\n\
          GET k\r\nINCR k\r\nINFO commandstats\r\n",
    );
    let mut told = Vec::new();
    for _ in 0..8 {
        if let Value::Bulk(text) = client.receive() {
            let text = String::from_utf8(text).unwrap();
            let calls = ["get", "incr", "info"].map(|command| {
                let rest = text.split(&format!("cmdstat_{command}:calls=")).nth(1)?;
                rest.split(',').next()?.parse::<u64>().ok()
            });
            told.push(calls);
        }
    }
    assert_eq!(
        told,
        [
            [Some(2), None, None],
            [Some(2), None, Some(1)],
            [Some(3), Some(1), Some(2)]
        ]
    );
}
