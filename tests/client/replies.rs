//! Replies of every type, in every format.

use super::duel::Duel;
use super::scripted_server::ScriptedServer;

/// Replies that a server could give; some of them none does.
const REPLIES: &[&[u8]] = &[
    b"+OK\r\n",
    b"+\r\n",
    b"+two\twords \x1b[31m\r\n",
    b"-ERR no such thing\r\n",
    b"-\r\n",
    b":0\r\n",
    b":-9223372036854775808\r\n",
    b"$0\r\n\r\n",
    b"$22\r\na \"b\" \\ \n\r\t\x07\x08\x00\x01\x0b\x0c\x1b\x7f\x80\xff'\r\n",
    "$9\r\nnaïve é\r\n".as_bytes(),
    b"$-1\r\n",
    b"*-1\r\n",
    b"*0\r\n",
    b"*1\r\n*0\r\n",
    b"*3\r\n:1\r\n$-1\r\n+x\r\n",
    b"*3\r\n:1\r\n*2\r\n:2\r\n*1\r\n-ERR x\r\n$1\r\na\r\n",
    b"*11\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n:7\r\n:8\r\n:9\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n:11\r\n",
    b"_\r\n",
    b"#t\r\n",
    b"#f\r\n",
    b",3.25\r\n",
    b",inf\r\n",
    b",-inf\r\n",
    b",1e100\r\n",
    b"~0\r\n",
    b"~2\r\n$1\r\na\r\n:1\r\n",
    b"%0\r\n",
    b"%2\r\n$1\r\na\r\n:1\r\n+b\r\n*2\r\n:1\r\n:2\r\n",
    b"%5\r\n:1\r\n:1\r\n,1.5\r\n_\r\n#t\r\n#f\r\n*1\r\n+k\r\n%1\r\n+a\r\n+b\r\n-ERR k\r\n-ERR v\r\n",
    b"%1\r\n$3\r\na\"b\r\n~2\r\n%1\r\n+x\r\n%0\r\n+y\r\n",
    b"=8\r\ntxt:a\nb\"\r\n",
    b"=5\r\nmkd:#\r\n",
    b">2\r\n+pubsub\r\n+x\r\n+OK\r\n",
    b">2\r\n$10\r\ninvalidate\r\n*2\r\n$3\r\na\"b\r\n$1\r\nc\r\n+OK\r\n",
    b">2\r\n$10\r\ninvalidate\r\n_\r\n+OK\r\n",
    b"+OK\r\n+more\r\n",
    b"hello\r\n",
    b"\x1b\r\n",
    b":x\r\n",
    b"#x\r\n",
    b"*2\r\n+a\r\n",
];

/// Replies that redis-cli does not know, or takes although they are wrong, or explains in other words.
const DIFFERENT: &[&[u8]] = &[
    b"!9\r\nERR a\r\nb\r\n",
    b"(12345678901234567890\r\n",
    b"|1\r\n+ttl\r\n:5\r\n+OK\r\n",
    b"+a\n",
    b"$-2\r\n",
    b"$3\r\nabcd\r\n",
];

const FORMATS: [&str; 10] = [
    "--no-raw",
    "--raw",
    "--csv",
    "--json -2",
    "--quoted-json -2",
    "-d , -D ;",
    "--no-raw --show-pushes yes",
    "--show-pushes yes",
    "--csv --show-pushes y",
    "-e",
];

#[test]
fn replies_are_printed_as_by_redis_cli() {
    let mut duel = Duel::new(&[]);
    for reply in REPLIES {
        let server = ScriptedServer::start(&[reply]);
        for format in FORMATS {
            for command in ["get key", "info"] {
                duel.check_bare(&format!("-p {} {format} {command}", server.port));
            }
        }
    }
    duel.finish();
}

/// No exception is made that is not needed.
#[test]
fn some_replies_are_printed_otherwise() {
    let duel = Duel::new(&[]);
    for reply in DIFFERENT {
        let server = ScriptedServer::start(&[reply]);
        let line = format!("-p {} --no-raw get key", server.port);
        let [real, ours] = duel.run_both(&line);
        assert!(real != ours, "{} is the same", reply.escape_ascii());
    }
}

#[test]
fn a_login_that_goes_wrong_is_told_as_by_redis_cli() {
    let mut duel = Duel::new(&[]);
    let scripts: [&[&[u8]]; 7] = [
        &[],
        &[b"+OK\r\n"],
        &[b"+OK\r\n", b"+OK\r\n"],
        &[
            b"-ERR one\r\n",
            b"-ERR two\r\n",
            b"-ERR three\r\n",
            b"-ERR four\r\n",
        ],
        &[
            b"+OK\r\n",
            b"-ERR two\r\n",
            b"-ERR three\r\n",
            b"-ERR four\r\n",
        ],
        &[b"+OK\r\n", b"+OK\r\n", b"-ERR three\r\n", b"-ERR four\r\n"],
        &[b"+OK\r\n", b"+OK\r\n", b"+OK\r\n", b"+OK\r\n"],
    ];
    for script in scripts {
        let server = ScriptedServer::start(script);
        for options in [
            "-a secret",
            "-n 3",
            "-3",
            "--json",
            "-a secret -n 3 -3",
            "-n 3 --quoted-json",
            "-r 3",
            "-e -3",
        ] {
            duel.check_bare(&format!("-p {} {options} PING", server.port));
        }
    }
    duel.finish();
}
