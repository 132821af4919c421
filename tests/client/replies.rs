//! Replies of every type, in every format.

use super::duel::{Duel, our_client};
use super::scripted_server::ScriptedServer;
use crate::common::redis_tool;
use fastrand::Rng;
use my_redis_server::util::quoting::quote;

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

/// Replies that are wrong, or spelled as no server spells them.
const MALFORMED: &[&[u8]] = &[
    b"*99999999999\r\n",
    b"*4294967296\r\n",
    b"%4294967296\r\n",
    b"~99999999999\r\n",
    b">99999999999\r\n",
    b"*18446744073709551615\r\n",
    b"*-2\r\n",
    b"*?\r\n",
    b"*\r\n",
    b"*01\r\n",
    b"%-2\r\n",
    b"%-1\r\n",
    b"~-1\r\n",
    b">-1\r\n",
    b"=-1\r\n",
    b"=-2\r\n",
    b"=0\r\n\r\n",
    b"=4\r\ntxtx\r\n",
    b"$-2\r\n",
    b"$abc\r\n",
    b"$?\r\n",
    b"$-0\r\n\r\n",
    b"$99999999999999999999\r\n",
    b"$9223372036854775807\r\nab",
    b"*3\r\n+a\r\n$-2\r\n+c\r\n",
    b"_x\r\n",
    b"+a\n",
    b"+a\nb\r\n",
    b"-a\rb\r\n",
    b":\r\n",
    b":-0\r\n",
    b":1\n2\r\n",
    b":9223372036854775808\r\n",
    b"#T\r\n",
    b"#F\r\n",
    b"#tt\r\n",
    b",\r\n",
    b", 1\r\n",
    b",Inf\r\n",
    b",infinity\r\n",
    b",+inf\r\n",
    b",0x10\r\n",
    b",1e999\r\n",
    b",1e-999\r\n",
    b",1.5x\r\n",
    b"(x\r\n",
    b"'\r\n",
    b"\"\r\n",
    b"\\\r\n",
    b"\x07\r\n",
    b"\xff\r\n",
    b"\r\n",
];

/// Replies that redis-cli 7.0 does not know, and two strings that it takes although no line end follows them.
const DIFFERENT: &[&[u8]] = &[
    b"!9\r\nERR a\r\nb\r\n",
    b"(12345678901234567890\r\n",
    b"|1\r\n+ttl\r\n:5\r\n+OK\r\n",
    b",nan\r\n",
    b"$2\r\nabxx\r\n",
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

/// Gives each of these commands in each format to a server that answers with each of these replies.
fn check_replies(replies: &[&[u8]], formats: &[&str], commands: &[&str]) {
    let mut duel = Duel::new(&[]);
    for reply in replies {
        let server = ScriptedServer::start(&[reply]);
        for format in formats {
            for command in commands {
                duel.check_bare(&format!("-p {} {format} {command}", server.port));
            }
        }
    }
    duel.finish();
}

#[test]
fn replies_are_printed_as_by_redis_cli() {
    check_replies(REPLIES, &FORMATS, &["get key", "info"]);
}

#[test]
fn malformed_replies_are_refused_as_by_redis_cli() {
    check_replies(MALFORMED, &["--no-raw", "--json -2"], &["get key"]);
}

/// Scripts nest replies some thousand levels deep. redis-cli has no limit, and crashes where its stack ends.
#[test]
fn nested_replies_are_printed_as_by_redis_cli() {
    let mut duel = Duel::new(&[]);
    let nested = |head: &str, depth: usize, value: &str| head.repeat(depth) + value;
    for depth in [129, 2000, 10_000] {
        for head in ["*1\r\n", "~1\r\n", "%1\r\n+k\r\n", "*2\r\n:0\r\n"] {
            // Each line of the last is indented by its depth.
            if head.starts_with("*2") && depth > 2000 {
                continue;
            }
            let server = ScriptedServer::start(&[nested(head, depth, ":1\r\n")]);
            for format in [
                "--no-raw",
                "--raw",
                "--csv",
                "--json -2",
                "--quoted-json -2",
            ] {
                duel.check_bare(&format!("-p {} {format} get key", server.port));
            }
        }
    }
    let script = "EVAL \"local t = {1} for i = 1, 4000 do t = {t} end return t\" 0";
    for format in ["--no-raw", "--json"] {
        duel.check(&format!("{format} {script}"));
    }
    duel.finish();
    let duel = Duel::with_our_server(&[]);
    let run = duel.run_ours(&format!(
        "-p PORT --no-raw {}",
        script.replace("4000", "2000")
    ));
    assert_eq!(
        run.stdout,
        ("1) ".repeat(2001) + "(integer) 1\n").as_bytes()
    );
    // A server that goes on and on does not reach the end of the stack.
    for head in [
        "*1\r\n",
        "%1\r\n",
        "%1\r\n+k\r\n",
        "|0\r\n",
        "|1\r\n",
        ">1\r\n",
    ] {
        let server = ScriptedServer::start(&[nested(head, 200_000, ":1\r\n")]);
        let run = duel.run_ours_unprepared(&format!("-p {} --no-raw get key", server.port));
        assert_eq!(run.stderr, b"Error: Reply is nested too deeply\n");
        assert_eq!(run.status.code(), Some(1));
    }
}

/// A random reply of the types that redis-cli knows, with replies in it.
fn random_reply(random: &mut Rng, depth: u32, out: &mut Vec<u8>) {
    let kinds = if depth == 0 {
        &b"+-:$$$_#,=N"[..]
    } else {
        b"*~%+-:$$$_#,=N"
    };
    let kind = *random.choice(kinds).expect("there are some");
    let mut line = |text: &str| out.extend(format!("{}{text}\r\n", kind as char).bytes());
    match kind {
        b'*' | b'~' | b'%' => {
            let count = random.usize(0..4) * random.usize(1..5);
            line(&count.to_string());
            let elements = if kind == b'%' { count * 2 } else { count };
            for _ in 0..elements {
                random_reply(random, depth - 1, out);
            }
        }
        b'$' | b'=' => {
            let length = random.usize(0..20);
            let bytes: Vec<u8> = (0..length).map(|_| random.u8(..)).collect();
            let bytes = if kind == b'=' {
                [&b"txt:"[..], &bytes].concat()
            } else {
                bytes
            };
            line(&bytes.len().to_string());
            out.extend(bytes);
            out.extend(b"\r\n");
        }
        b'+' | b'-' => {
            let letters = ["a", "OK", " ", "\"", "\\", "\t", "é", "\u{1b}", "{", ","];
            let length = random.usize(0..6);
            let text: String = (0..length)
                .map(|_| *random.choice(letters.iter()).expect("some"))
                .collect();
            line(&text);
        }
        b':' => line(&random.i64(..).to_string()),
        b'#' => line(random.choice(["t", "f"]).expect("some")),
        b',' => line(
            random
                .choice(["1.5", "-0", "3.0e+20", "inf", "-inf", "10"])
                .expect("some"),
        ),
        b'_' => line(""),
        _ => out.extend(*random.choice([b"$-1\r\n", b"*-1\r\n"]).expect("some")),
    }
}

/// `ORACLE_SEED=7` has other replies tried.
#[test]
fn random_replies_are_printed_as_by_redis_cli() {
    let seed = std::env::var("ORACLE_SEED").map_or(1, |seed| seed.parse().expect("a number"));
    let mut random = Rng::with_seed(seed);
    let replies: Vec<Vec<u8>> = std::iter::repeat_with(|| {
        let mut reply = Vec::new();
        random_reply(&mut random, 4, &mut reply);
        reply
    })
    .take(500)
    .collect();
    let mut lines = Vec::new();
    quote("GET key\n".repeat(replies.len()).as_bytes(), &mut lines);
    let lines = String::from_utf8(lines).expect("it is ASCII");
    let duel = Duel::new(&[]);
    // redis-cli asks for the commands first.
    let no_commands = b"*0\r\n".to_vec();
    let for_real = [&[no_commands], &replies[..]].concat();
    let servers = [&for_real, &replies].map(|replies| ScriptedServer::start(replies));
    for format in [
        "--no-raw",
        "--raw",
        "--csv",
        "--json -2",
        "--quoted-json -2",
    ] {
        let run = |program, server: &ScriptedServer| {
            let line = format!("-p {} {format} <<< {lines}", server.port);
            duel.run(program, &line)
        };
        let real = run(redis_tool("redis-cli"), &servers[0]);
        let ours = run(our_client(), &servers[1]);
        let first = real
            .stdout
            .iter()
            .zip(&ours.stdout)
            .position(|(real, ours)| real != ours);
        let around = |bytes: &[u8]| {
            let at = first.unwrap_or(0);
            bytes[at.saturating_sub(200)..bytes.len().min(at + 50)]
                .escape_ascii()
                .to_string()
        };
        let (shown_real, shown_ours) = (around(&real.stdout), around(&ours.stdout));
        assert!(
            real == ours,
            "{format}, seed {seed}\n{shown_real}\n{shown_ours}"
        );
    }
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
