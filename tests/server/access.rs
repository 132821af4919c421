//! Users over TCP: files that declare them, passwords at the start, what clients may send that have not logged in, and
//! what must stay secret.
//!
//! The texts are those of redis-server 7.2.4.

use crate::common::PATIENCE;
use crate::common::{
    Client, Folder, PASSWORD, Server, free_port, our_command, read_piece, request, strings,
};
use crate::common::{wait_for_exit, wait_until};
use my_redis_server::resp::decoder::Value;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

fn users_of(client: &mut Client) -> Vec<String> {
    let lines = strings(client.call(&["ACL", "LIST"])).into_iter();
    lines
        .map(|line| String::from_utf8(line).expect("it is text"))
        .collect()
}

/// What the server prints that does not start with these options.
fn refusal(folder: &Folder, options: &[&str]) -> String {
    let mut command = our_command(folder, options);
    command.stderr(std::process::Stdio::piped());
    let mut process = command.spawn().expect("it can be started");
    assert_eq!(wait_for_exit(&mut process).code(), Some(1), "{options:?}");
    let printed = process.stderr.take().expect("it is piped");
    std::io::read_to_string(printed).expect("it is text")
}

#[test]
fn rules_are_shown_as_they_were_given() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &[]);
    let mut client = server.client();
    for (rules, shown) in [
        (
            "on nopass +@read +set -get ~k",
            "on nopass sanitize-payload ~k resetchannels -@all +@read +set -get",
        ),
        (
            "-@all +@all +config|get -config|get -config",
            "on nopass sanitize-payload ~k resetchannels +@all -config",
        ),
        (
            "-config|set +CONFIG -config|set",
            "on nopass sanitize-payload ~k resetchannels +@all +config -config|set",
        ),
        (
            "allcommands",
            "on nopass sanitize-payload ~k resetchannels +@all",
        ),
        (
            "nocommands +Select|0 +select|1",
            "on nopass sanitize-payload ~k resetchannels -@all +select|0 +select|1",
        ),
        ("reset", "off sanitize-payload resetchannels -@all"),
        (
            "&a &b (+get ~x) (allkeys allchannels +@all)",
            "off sanitize-payload resetchannels &a &b -@all (~x resetchannels -@all +get) (~* &* +@all)",
        ),
    ] {
        let words: Vec<&str> = ["ACL", "SETUSER", "ann"]
            .into_iter()
            .chain(rules.split(' '))
            .collect();
        // What stands in parentheses comes in several words.
        assert_eq!(client.call(&words), Value::Simple(b"OK".to_vec()));
        assert_eq!(
            users_of(&mut client)[0],
            format!("user ann {shown}"),
            "{rules}"
        );
    }
}

#[test]
fn a_dry_run_names_what_is_refused() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &[]);
    let mut client = server.client();
    client.ask("ACL SETUSER ann ~foo* &c* +@read +publish +subscribe (+set ~w*)");
    for (request, answer) in [
        ("get foo", "OK"),
        (
            "get zoo",
            "\"User ann has no permissions to access the 'zoo' key\"",
        ),
        ("set wax 1", "OK"),
        (
            "set foo 1",
            "\"User ann has no permissions to access the 'foo' key\"",
        ),
        (
            "mget foo foo2 zoo",
            "\"User ann has no permissions to access the 'zoo' key\"",
        ),
        (
            "publish d x",
            "\"User ann has no permissions to access the 'd' channel\"",
        ),
        (
            "subscribe c1 d",
            "\"User ann has no permissions to access the 'd' channel\"",
        ),
        (
            "config set x y",
            "\"User ann has no permissions to run the 'config|set' command\"",
        ),
        ("auth x", "OK"),
    ] {
        assert_eq!(
            client.ask(&format!("ACL DRYRUN ann {request}")),
            answer,
            "{request}"
        );
    }
}

#[test]
fn refusals_are_logged() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &[]);
    let mut admin = server.client();
    admin.ask("ACL SETUSER ann on nopass ~a* +@all -info -acl|list");
    let mut ann = server.client();
    ann.ask("AUTH ann wrong-but-none-is-needed");
    for line in [
        "GET b",
        "get b",
        "ACL LIST",
        "PUBLISH c x",
        "MULTI",
        "GET b",
        "DISCARD",
        "AUTH nobody x",
    ] {
        ann.ask(line);
    }
    ann.ask("EVAL return(redis.pcall('info')) 0");
    let Value::Array(entries) = admin.call(&["ACL", "LOG"]) else {
        panic!("it is an array")
    };
    let seen: Vec<String> = entries
        .iter()
        .map(|entry| {
            let Value::Array(fields) = entry else {
                panic!("{entry:?} is no entry")
            };
            let names = fields.iter().step_by(2).map(|name| match name {
                Value::Bulk(name) => String::from_utf8_lossy(name).into_owned(),
                other => panic!("{other:?} is no name"),
            });
            let expected = [
                "count",
                "reason",
                "context",
                "object",
                "username",
                "age-seconds",
                "client-info",
                "entry-id",
                "timestamp-created",
                "timestamp-last-updated",
            ];
            assert!(names.eq(expected));
            let text = |index: usize| match &fields[index] {
                Value::Bulk(text) => String::from_utf8_lossy(text).into_owned(),
                Value::Integer(number) => number.to_string(),
                other => panic!("{other:?}"),
            };
            assert!(
                text(13).contains(" user=ann ") && !text(13).ends_with('\n'),
                "{}",
                text(13)
            );
            [1, 3, 5, 7, 9, 15].map(text).join(" ")
        })
        .collect();
    assert_eq!(
        seen,
        [
            "1 command lua info ann 5",
            "1 auth toplevel AUTH nobody 4",
            "1 key multi b ann 3",
            "1 channel toplevel c ann 2",
            "1 command toplevel acl|list ann 1",
            "2 key toplevel b ann 0",
        ]
    );
    for (field, count) in [("auth", "1"), ("cmd", "2"), ("key", "3"), ("channel", "1")] {
        assert_eq!(admin.info(&format!("acl_access_denied_{field}")), count);
    }
    assert_eq!(admin.ask("CONFIG SET acllog-max-len 2"), "OK");
    ann.ask("GET c");
    assert_eq!(admin.ask("ACL LOG").matches("\"count\"").count(), 2);
}

#[test]
fn a_file_of_users_is_read_and_written() {
    let folder = Folder::new();
    let path = folder.path().join("users.acl");
    let name = path.to_str().expect("it is text").to_string();
    fs::write(
        &path,
        "user ann on nopass ~* &* +@all\n\nuser bob on nopass +@all\nuser carl on nopass +@all\n",
    )
    .unwrap();
    let server = Server::ours(&folder, &["--aclfile", &name]);
    let mut admin = server.client();
    assert_eq!(
        strings(admin.call(&["ACL", "USERS"])),
        [&b"ann"[..], b"bob", b"carl", b"default"]
    );
    let mut clients = ["ann", "bob", "carl"].map(|user| {
        let mut client = server.client();
        assert_eq!(client.ask(&format!("AUTH {user} x")), "OK");
        client
    });
    // bob may do less, carl is gone, and ann is as before.
    fs::write(
        &path,
        "user ann on nopass ~* &* +@all\nuser bob on nopass +get\nuser dora on >pw (+get ~x)\n",
    )
    .unwrap();
    assert_eq!(admin.ask("ACL LOAD"), "OK");
    assert_eq!(clients[0].ask("PING"), "PONG");
    for client in &mut clients[1..] {
        assert!(client.try_receive().is_none(), "it is disconnected");
    }
    let unchanged = users_of(&mut admin);
    let warning =
        "WARNING: ACL errors detected, no change to the previously active ACL rules was performed";
    for (text, error) in [
        (
            "usr x",
            format!("{name}:1 should start with user keyword followed by the username. {warning}"),
        ),
        (
            "\n# x",
            format!("{name}:2 should start with user keyword followed by the username. {warning}"),
        ),
        (
            "user x y z",
            format!("{name}:1: Syntax error. {name}:1: Syntax error. {warning}"),
        ),
        (
            "user x bad\nuser x off",
            format!(
                "{name}:1: Syntax error. WARNING: Duplicate user 'x' found on line 2. {warning}"
            ),
        ),
        (
            "user a\tb on",
            format!("'{name}:1: username 'a\tb' contains invalid characters. {warning}"),
        ),
        (
            "user x +nosuch +no2\nuser y (+get",
            format!(
                "{name}:1: Error in applying operation '+nosuch': Unknown command or category name in ACL. {name}:1: \
                 Error in applying operation '+no2': Unknown command or category name in ACL. {name}:2: Unmatched \
                 parenthesis in selector definition.{warning}"
            ),
        ),
    ] {
        fs::write(&path, text).unwrap();
        let answer = admin.call(&["ACL", "LOAD"]);
        assert_eq!(
            answer,
            Value::Error(format!("ERR {error}").into_bytes()),
            "{text}"
        );
        assert_eq!(users_of(&mut admin), unchanged);
    }
    fs::remove_file(&path).unwrap();
    assert!(admin.ask("ACL LOAD").contains("opening file"));
    assert_eq!(admin.ask("ACL SAVE"), "OK");
    let saved = fs::read_to_string(&path).unwrap();
    assert_eq!(saved.lines().collect::<Vec<_>>(), unchanged);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(
        admin
            .ask("ACL SAVE")
            .contains("There was an error trying to save the ACLs.")
    );
    let left = fs::read_dir(folder.path()).unwrap();
    let left: Vec<OsString> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn users_may_stand_in_the_file_of_directives() {
    let folder = Folder::new();
    let path = folder.path().join("redis.conf");
    let text = "user ann on >pw ~a* +@all\nuser default on nopass +@all ~* &*\nacl-pubsub-default allchannels\n";
    fs::write(&path, text).unwrap();
    let server =
        Server::start(|port| our_command(&folder, &["redis.conf", "--port", &port.to_string()]));
    let mut client = server.client();
    let digest = "30c952fab122c3f9759f02a6d95c3758b246b4fee239957b2d4fee46e26170c4";
    assert_eq!(
        users_of(&mut client),
        [
            format!("user ann on sanitize-payload #{digest} ~a* &* +@all"),
            "user default on nopass sanitize-payload ~* &* +@all".to_string(),
        ]
    );
    assert_eq!(client.ask("ACL SETUSER ann off"), "OK");
    assert_eq!(client.ask("ACL SETUSER bob"), "OK");
    assert_eq!(client.ask("CONFIG REWRITE"), "OK");
    let rewritten = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = rewritten
        .lines()
        .filter(|line| line.starts_with("user"))
        .collect();
    assert_eq!(lines, users_of(&mut client));
    // What a line of the file says only with quotes comes back as it was. Secrets stay private.
    let rules: [&[u8]; 4] = [b"resetchannels", b"~a\"b", b"(~\\ +get)", b"&it's"];
    let words = [&[&b"ACL"[..], b"SETUSER", b"b\xff\""], &rules[..]].concat();
    assert_eq!(client.call(&words), Value::Simple(b"OK".to_vec()));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(client.ask("CONFIG REWRITE"), "OK");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let list = client.call(&["ACL", "LIST"]);
    drop(server);
    let server =
        Server::start(|port| our_command(&folder, &["redis.conf", "--port", &port.to_string()]));
    assert_eq!(server.client().call(&["ACL", "LIST"]), list);
    drop(server);

    let fatal = |number: usize, line: &str, reason: &str| {
        format!(
            "\n*** FATAL CONFIG FILE ERROR (Redis 7.2.6) ***\nReading the configuration file, at line {number}\n>>> \
             '{line}'\n{reason}\n"
        )
    };
    for (text, error) in [
        (
            "user x +nosuch",
            fatal(
                1,
                "user x +nosuch",
                "Error in user declaration '+nosuch': Unknown command or category name in ACL",
            ),
        ),
        (
            "user x on\nuser x off",
            fatal(
                2,
                "user x off",
                "Error in user declaration 'x': Duplicate user found. A user can only be defined once in config files",
            ),
        ),
        ("rename-command nosuch x", fatal(1, "rename-command nosuch x", "No such command in rename-command")),
        ("rename-command get SET", fatal(1, "rename-command get SET", "Target command name already exists")),
        (
            "user x on\naclfile users.acl",
            "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid. \
             This setup is very likely to lead to configuration errors and security holes, please define either an ACL \
             file or declare users directly in your redis.conf, but not both.\n"
                .to_string(),
        ),
        (
            "aclfile nothing.acl",
            "Aborting Redis startup because of ACL errors: Error loading ACLs, opening file 'nothing.acl': No such \
             file or directory\n"
                .to_string(),
        ),
    ] {
        fs::write(folder.path().join("wrong.conf"), text).unwrap();
        let port = free_port().to_string();
        assert_eq!(refusal(&folder, &["wrong.conf", "--port", &port]), error, "{text}");
    }
    assert_eq!(
        refusal(&folder, &["--user", "x", "+nosuch"]),
        "Option '--user x +nosuch': Error in user declaration '+nosuch': Unknown command or category name in ACL. Try \
         --help\n"
    );
}

#[test]
fn commands_get_other_names() {
    let folder = Folder::new();
    let options = [
        "--rename-command",
        "FLUSHALL",
        "wipe",
        "--rename-command",
        "config",
        "",
        "--rename-command",
        "memory",
        "mem",
        "--rename-command",
        "DBSIZE",
        // As people choose names that cannot be guessed.
        "b840fc02d524045429941cc15f59e41cb7be6c52bdb840fc02d524045429941cc1",
    ];
    let server = Server::ours(&folder, &options);
    let mut client = server.client();
    let long = "B840FC02d524045429941cc15f59e41cb7be6c52bdb840fc02d524045429941cc1";
    assert_eq!(client.ask(long), "(integer) 0");
    assert_eq!(
        client.ask(&format!("{long}x")),
        format!("(error) ERR unknown command '{long}x', with args beginning with:")
    );
    assert_eq!(client.ask("SET k v"), "OK");
    assert!(
        client
            .ask("FLUSHALL")
            .starts_with("(error) ERR unknown command 'FLUSHALL'")
    );
    assert!(
        client
            .ask("CONFIG GET port")
            .starts_with("(error) ERR unknown command 'CONFIG'")
    );
    assert!(
        client
            .ask("EVAL return(redis.pcall('flushall')) 0")
            .contains("Unknown Redis command")
    );
    assert_eq!(client.ask("EVAL return(redis.call('WIPE')) 0"), "OK");
    assert_eq!(client.ask("EXISTS k"), "(integer) 0");
    assert_eq!(
        client.ask("COMMAND INFO flushall config"),
        "1) (nil)\n2) (nil)"
    );
    assert!(client.ask("COMMAND INFO wipe").contains("\"flushall\""));
    assert_eq!(
        client.ask("COMMAND INFO memory|usage config|get"),
        "1) (nil)\n2) (nil)"
    );
    assert!(
        client
            .ask("COMMAND INFO mem|usage")
            .contains("\"memory|usage\"")
    );
    let list = "COMMAND LIST FILTERBY PATTERN";
    assert_eq!(client.ask(&format!("{list} config*")), "(empty array)");
    assert_eq!(
        client.ask(&format!("{list} memory|usage")),
        "1) \"memory|usage\""
    );
    // Rules know the commands by their own names.
    assert_eq!(
        client.ask("ACL SETUSER ann on nopass +flushall +config|get"),
        "OK"
    );
    assert!(
        client
            .ask("ACL SETUSER ann +wipe")
            .contains("Unknown command")
    );
}

#[test]
fn a_password_is_asked_for_from_the_start() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--requirepass", PASSWORD]);
    let mut client = server.client();
    assert_eq!(
        client.ask("PING"),
        "(error) NOAUTH Authentication required."
    );
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(!log.contains(PASSWORD), "{log}");
    assert!(client.ask("AUTH x").starts_with("(error) WRONGPASS"));
    assert_eq!(client.ask(&format!("AUTH {PASSWORD}")), "OK");
    assert_eq!(client.ask("PING"), "PONG");
    // What a client queues until it has logged in would be carried out otherwise.
    let mut other = server.client();
    assert!(other.ask("MULTI").starts_with("(error) NOAUTH"));
    assert_eq!(
        other.ask("EXEC"),
        "(error) EXECABORT Transaction discarded because of: NOAUTH Authentication required."
    );
}

/// Sends bytes and returns all that comes back until the server closes the connection.
fn answer_to_unauthenticated(server: &Server, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).expect("it listens");
    stream.write_all(bytes).expect("it takes them");
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while !answer.ends_with(b"length\r\n") {
        match read_piece(&mut stream, &mut piece) {
            Ok(len) if len > 0 => answer.extend_from_slice(&piece[..len]),
            _ => break,
        }
    }
    String::from_utf8(answer).expect("it is text")
}

#[test]
fn clients_that_have_not_logged_in_are_held_to_small_requests() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--requirepass", PASSWORD]);
    let count = "-ERR Protocol error: unauthenticated multibulk length\r\n";
    let length = "-ERR Protocol error: unauthenticated bulk length\r\n";
    assert_eq!(answer_to_unauthenticated(&server, b"*11\r\n"), count);
    assert_eq!(
        answer_to_unauthenticated(&server, b"*10\r\n$16385\r\n"),
        length
    );
    let known = [&request(&["AUTH", PASSWORD])[..], b"*11\r\n$16385\r\n*x"].concat();
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).expect("it listens");
    stream.write_all(&known).expect("it takes them");
    let mut answer = [0; 5];
    let mut got = 0;
    while got < answer.len() {
        got += read_piece(&mut stream, &mut answer[got..]).expect("it answers");
    }
    assert_eq!(&answer, b"+OK\r\n");
}

#[test]
fn clients_that_have_not_logged_in_are_held_to_few_replies() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--requirepass", PASSWORD]);
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).expect("it listens");
    // The client reads nothing. When the sockets hold no more, the server ends the connection; else it would keep
    // what is not read.
    stream
        .set_write_timeout(Some(PATIENCE))
        .expect("a socket option");
    let packet = request(&["PING"]).repeat(1000);
    let taken = (0..10_000).take_while(|_| stream.write_all(&packet).is_ok());
    assert!(taken.count() < 10_000);
    let mut client = server.client();
    client.ask(&format!("AUTH {PASSWORD}"));
    assert_eq!(
        client.info("client_output_buffer_limit_disconnections"),
        "1"
    );
}

#[test]
fn passwords_are_shown_nowhere() {
    let folder = Folder::new();
    let server = Server::ours(
        &folder,
        &["--slowlog-log-slower-than", "0", "--loglevel", "debug"],
    );
    let mut monitor = server.client();
    assert_eq!(monitor.ask("MONITOR"), "OK");
    let mut client = server.client();
    let secrets = [
        "ACL SETUSER ann on >hidden +@all",
        "AUTH ann hidden",
        "HELLO 2 AUTH ann hidden",
        "AUTH default hidden",
        "AUTH hidden",
        "CONFIG SET masterauth hidden",
        "CONFIG SET requirepass hidden",
        "CONFIG SET requirepass",
    ];
    for line in secrets {
        client.ask(line);
    }
    client.ask("PING seen");
    let mut shown = String::new();
    wait_until("the monitor has seen the last request", || {
        let Value::Simple(line) = monitor.receive() else {
            panic!("a monitor gets lines")
        };
        shown += &String::from_utf8_lossy(&line);
        shown.contains("seen")
    });
    shown += &client.ask("SLOWLOG GET 100");
    shown += &client.ask("ACL LOG");
    shown += &client.ask("CLIENT LIST");
    shown += &fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(shown.contains("(redacted)"));
    assert!(!shown.contains("hidden"), "{shown}");
}

/// Who sees the order of keys in one server learns nothing of another: the hash has a secret.
#[test]
fn every_server_files_its_keys_in_an_order_of_its_own() {
    let orders = [0, 1].map(|_| {
        let folder = Folder::new();
        let server = Server::ours(&folder, &["--save", ""]);
        let mut client = server.client();
        for number in 0..100 {
            client.ask(&format!("SET key:{number} v"));
        }
        client.ask("SCAN 0 COUNT 1000")
    });
    assert_eq!(orders[0].lines().count(), 101);
    assert_ne!(orders[0], orders[1]);
}
