//! One command: options, environment, standard input, exit status.

use super::duel::Duel;
use super::scripted_server::ScriptedServer;
use crate::common::free_port;
use my_redis_server::util::quoting::quote;

/// Keys of every type, for the commands below.
const DATA: &[&str] = &[
    "SET string \"hello \\\"world\\\"\\n\\x00\\xff\"",
    "SET number 41",
    "RPUSH list a b c d e f g h i j k",
    "HSET hash name ann age 33",
    "SADD set x",
    "ZADD zset 1 one 2.5 two",
    "XADD stream 1-1 field value",
];

/// Command lines with each option, alone and with others.
const COMMANDS: &[&str] = &[
    "PING",
    "ping \"hello world\"",
    "\"\"",
    "nosuch",
    "nosuch a b c",
    "get",
    "GET string",
    "GET nokey",
    "LPUSH string x",
    "SET key value",
    "INCR number",
    "LRANGE list 0 -1",
    "HGETALL hash",
    "ZRANGE zset 0 -1 WITHSCORES",
    "XRANGE stream - +",
    "EVAL \"return {1,{2,'x',{}},false,redis.status_reply('fine')}\" 0",
    "--no-raw PING",
    "--no-raw GET string",
    "--no-raw GET nokey",
    "--no-raw LPUSH string x",
    "--no-raw LRANGE list 0 -1",
    "--no-raw HGETALL hash",
    "--no-raw XRANGE stream - +",
    "--no-raw -3 HGETALL hash",
    "--no-raw -3 ZRANGE zset 0 -1 WITHSCORES",
    "--no-raw -3 SMEMBERS set",
    "--no-raw -3 XREAD STREAMS stream 0",
    "--no-raw EVAL \"return {1,{2,'x',{}},false,redis.status_reply('fine')}\" 0",
    "-3 HGETALL hash",
    "-3 ZSCORE zset two",
    "-2 HGETALL hash",
    "-2 -3 PING",
    "-3 -2 PING",
    "--csv LRANGE list 0 -1",
    "--csv GET string",
    "--csv HGETALL hash",
    "--csv -3 HGETALL hash",
    "--csv nosuch",
    "--json GET string",
    "--json HGETALL hash",
    "--json -2 HGETALL hash",
    "--json -3 XRANGE stream - +",
    "--json LRANGE list 0 -1",
    "--json GET nokey",
    "--json nosuch",
    "--json ZRANGE zset 0 -1 WITHSCORES",
    "--quoted-json GET string",
    "--quoted-json HGETALL hash",
    "--raw --no-raw GET string",
    "--no-raw --raw GET string",
    "--csv --json GET number",
    "--json --csv ZRANGE zset 0 -1 WITHSCORES",
    "--quoted-json --raw DEBUG PROTOCOL TRUE",
    "--json --no-raw HGETALL hash",
    "--json --csv -2 HGETALL hash",
    "-2 --quoted-json --csv HGETALL hash",
    "--json --raw -3 HGETALL hash",
    "-n \" \\x0b3x\" SET other value",
    "-d , LRANGE list 0 -1",
    "-d \"\" LRANGE list 0 -1",
    "-d \"\\n--\\n\" -3 HGETALL hash",
    "-D ; GET number",
    "-D \"\" GET string",
    "-D | -r 3 INCR number",
    "-d , -D . LRANGE list 0 -1",
    "--csv -d ; -D , LRANGE list 0 -1",
    "-r 3 INCR number",
    "-r 0 INCR number",
    "-r x INCR number",
    "-r 3 -i 0.01 INCR number",
    "-i 0.01 PING",
    "-r 3 GET nokey",
    "-r 3 nosuch",
    "-r 2 --no-raw nosuch",
    "-e GET nokey",
    "-e nosuch",
    "-e -r 3 nosuch",
    "-e --json nosuch",
    "-e --csv LPUSH string x",
    "-n 3 SET other value",
    "-n 3 GET string",
    "-n 99 PING",
    "-n x GET number",
    "-n -1 PING",
    "-x SET key <<< \"a value\\nof lines\\n\"",
    "-x SET key <<< \"\\x00\\xff\\r\\n\"",
    "-x SET key",
    "-x <<< PING",
    "-X VALUE SET key VALUE EX 100 <<< \"a value\"",
    "-X VALUE SET VALUE VALUE <<< \"first only\"",
    "-X VALUE SET key value <<< \"a value\"",
    "-X VALUE SET key value",
    "-x -X VALUE SET key VALUE",
    "--quoted-input SET '\"a\\x00b\"' \"'c'\"",
    "--quoted-input SET '\"a' b",
    "--quoted-input SET '\"a\"b' c",
    "--quoted-input SET 'a\"b\"' c",
    "--quoted-input SET \"''\" c",
    "--quoted-input SET \"\" c",
    "--quoted-input SET 'two words' c",
    "--verbose GET number",
    "--show-pushes yes PING",
    "--show-pushes no PING",
    "--show-pushes Yes PING",
    "--show-pushes perhaps PING",
    "--show-pushes \"\" PING",
    "-h 127.0.0.1 GET number",
    "-h localhost GET number",
    "-h nosuchhost.invalid PING",
    "-s SOCKET GET number",
    "-s /nosuch/socket GET number",
    "-s SOCKET -h nosuchhost.invalid GET number",
    "-u redis://127.0.0.1:PORT GET number",
    "-u redis://127.0.0.1:PORT/3 SET other value",
    "-u redis://127.0.0.1:PORT/ GET number",
    "-u redis:// GET number",
    "-u redis:///3 SET other value",
    "-u REDIS://localhost:PORT GET number",
    "-u http://127.0.0.1:PORT GET number",
    "-u nothing GET number",
    "-u redis://secret@127.0.0.1:PORT GET number",
    "-u redis://ann:se%63ret@127.0.0.1:PORT GET number",
    "-u redis://:secret@127.0.0.1:PORT GET number",
    "-u redis://a%4@127.0.0.1:PORT GET number",
    "-u redis://a%@127.0.0.1:PORT GET number",
    "-u redis://a%4x@127.0.0.1:PORT GET number",
    "-u redis://secret@127.0.0.1:PORT --no-auth-warning GET number",
    "-a secret GET number",
    "-a secret --no-auth-warning GET number",
    "--no-auth-warning -a secret GET number",
    "--pass secret GET number",
    "--user ann -a secret GET number",
    "--user ann GET number",
    "REDISCLI_AUTH=secret GET number",
    "REDISCLI_AUTH= GET number",
    "REDISCLI_AUTH=one -a two GET number",
    "-p",
    "-n",
    "--nosuch PING",
    "-nosuch PING",
    "-- PING",
    "- PING",
    "-d",
    "--show-pushes",
    "FAKETTY=1 GET string",
    "FAKETTY= -3 DEBUG PROTOCOL push",
    "FAKETTY=1 --raw GET string",
    "FAKETTY=1 --json HGETALL hash",
    "SELECT 3",
    "AUTH secret",
    "MULTI",
    "EXEC",
    "DISCARD",
    "RESET",
    "QUIT",
    "-r 3 QUIT",
    "HELLO 5",
    "--no-raw HELLO 4",
    "MONITOR x",
    "SUBSCRIBE",
    "--no-raw PSUBSCRIBE",
    "UNSUBSCRIBE",
    "restart",
    ":set hints",
    "DEBUG PROTOCOL verbatim",
    "-3 DEBUG PROTOCOL verbatim",
    "-3 DEBUG PROTOCOL map",
    "-3 DEBUG PROTOCOL set",
    "-3 DEBUG PROTOCOL double",
    "-3 DEBUG PROTOCOL true",
    "-3 DEBUG PROTOCOL null",
    "--no-raw -3 DEBUG PROTOCOL push",
    "--no-raw -3 --show-pushes yes DEBUG PROTOCOL push",
    "MEMORY DOCTOR",
    "--no-raw MEMORY DOCTOR",
    "--csv LATENCY DOCTOR",
    "LOLWUT VERSION 5 1 1 1",
    "--no-raw LOLWUT",
    "--no-raw CLUSTER INFO",
    "--no-raw CLUSTER INFO x",
    "INFO nosuch",
    "--no-raw INFO cluster",
    "--json INFO cluster",
    "-D ; INFO cluster",
];

#[test]
fn commands_print_what_redis_cli_prints() {
    let mut duel = Duel::new(&[]);
    duel.set_up(DATA);
    for line in COMMANDS {
        duel.check(line);
    }
    duel.finish();
}

#[test]
fn passwords_are_sent_as_by_redis_cli() {
    let mut duel = Duel::new(&[]);
    duel.set_up(&[
        "ACL SETUSER ann on >secret +@all ~*",
        "ACL SETUSER bob on >pass%word -@all +get",
        "ACL SETUSER default on >master",
    ]);
    duel.name("PASSWORD", "master");
    for line in [
        "GET number",
        "-a PASSWORD PING",
        "-a wrong PING",
        "-a wrong -n 3 PING",
        "-a PASSWORD -n 3 DBSIZE",
        "--user ann -a secret ACL WHOAMI",
        "--user ann --pass secret --no-auth-warning ACL WHOAMI",
        "--user bob -a pass%word ACL WHOAMI",
        "--user bob -a pass%word -n 2 PING",
        "--user bob -a pass%word -3 PING",
        "--user ann PING",
        "REDISCLI_AUTH=PASSWORD PING",
        "REDISCLI_AUTH=wrong PING",
        "REDISCLI_AUTH=secret --user ann ACL WHOAMI",
        "REDISCLI_AUTH=wrong -a PASSWORD PING",
        "-u redis://ann:secret@127.0.0.1:PORT ACL WHOAMI",
        "-u redis://bob:pass%25word@127.0.0.1:PORT/1 ACL WHOAMI",
        "-u redis://PASSWORD@127.0.0.1:PORT ACL WHOAMI",
        "-u redis://:PASSWORD@127.0.0.1:PORT ACL WHOAMI",
        "-u redis://ann:secret@ ACL WHOAMI",
        "--askpass PING <<< \"PASSWORD\\n\"",
        "--askpass -a wrong PING <<< \"PASSWORD\\n\"",
        "REDISCLI_AUTH=PASSWORD --askpass PING <<< \"wrong\\n\"",
        "--askpass PING",
        "--askpass PING <<< PASSWORD",
        "--askpass PING <<< \"\\xff\\n\"",
        "--askpass --user ann ACL WHOAMI <<< \"secret\\n\"",
        "AUTH PASSWORD",
        "AUTH ann secret",
        "--json -a PASSWORD ACL WHOAMI",
        "-s SOCKET -a PASSWORD PING",
    ] {
        duel.check(line);
    }
    duel.finish();
}

#[test]
fn a_server_that_is_not_there_is_told_as_by_redis_cli() {
    let mut duel = Duel::new(&[]);
    duel.name("CLOSED", &free_port().to_string());
    for line in [
        "-p CLOSED PING",
        "-p CLOSED -r 3 PING",
        "-p CLOSED -e PING",
        "-p CLOSED -a secret PING",
        "-p CLOSED -n 3 PING",
        "-p CLOSED --json PING",
        "-p CLOSED -h localhost PING",
        "-p CLOSED -h ::1 PING",
        "-p CLOSED -x SET key <<< value",
        "-p CLOSED -X tag SET key value",
        "-p CLOSED --quoted-input '\"'",
        "-u redis://127.0.0.1:CLOSED/2 PING",
        "-s /nosuch PING",
        "-p CLOSED SUBSCRIBE channel",
        "-p CLOSED MONITOR",
    ] {
        duel.check_bare(line);
    }
    duel.finish();
}

/// A full disk is told, and is no reason to panic.
#[test]
fn an_output_that_takes_nothing_is_told() {
    let duel = Duel::new(&[]);
    let script = "printf 'set a \"\n:wire x\n:set x\n0 ping\n' | \"$0\" \"$@\" > /dev/full 2> told";
    for options in ["--version", "--help", "-p PORT PING", "-p PORT"] {
        let status = duel.wrapped("sh", &["-c", script], options).status();
        assert_eq!(status.expect("it can be run").code(), Some(1), "{options}");
        let told = std::fs::read_to_string(duel.folder.path().join("told")).unwrap();
        let full = "Error writing to the standard output: No space left on device\n";
        assert_eq!(told, full);
    }
    let script = "printf ':wire on\nping\n' | \"$0\" \"$@\" 2> /dev/full";
    let output = duel
        .wrapped("sh", &["-c", script], "-p PORT")
        .output()
        .unwrap();
    assert_eq!(
        (output.status.code(), output.stdout),
        (Some(0), b"PONG\n".to_vec())
    );
}

/// What a server tells of its commands may be nonsense: it costs neither memory nor the program.
#[test]
fn nonsense_about_commands_is_harmless() {
    let duel = Duel::new(&[]);
    let refusal: &[u8] = b"-ERR no\r\n";
    for arity in [i64::MAX, i64::MIN, 0] {
        let entry = format!("*1\r\n*6\r\n$3\r\nget\r\n:{arity}\r\n*0\r\n:1\r\n:1\r\n:1\r\n");
        let server = ScriptedServer::start(&[refusal, entry.as_bytes()]);
        let run = duel.run_ours_unprepared(&format!("-p {} help get", server.port));
        assert!(run.status.success(), "{run:?}");
        assert!(run.stdout.len() < 1000, "{run:?}");
        let server = ScriptedServer::start(&[b":1\r\n", entry.as_bytes(), refusal]);
        let line = format!("-p {} <<< \":explain get\"", server.port);
        let run = duel.run_ours_unprepared(&line);
        assert!(run.status.success(), "{run:?}");
    }
}

/// What redis-cli's help lists, ours lists too, or the client says why it does not have it.
#[test]
fn every_option_of_redis_cli_is_known() {
    let duel = Duel::new(&[]);
    let [real, ours] = duel
        .run_both("--help")
        .map(|run| String::from_utf8_lossy(&run.stdout).into_owned());
    let options = |text: &str| -> Vec<String> {
        let lines = text
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix('-'));
        let names = lines.filter_map(|line| line.split_whitespace().next());
        names.map(|name| format!("-{name}")).collect()
    };
    let (real, ours) = (options(&real), options(&ours));
    assert!(real.len() > 60 && ours.len() > 40);
    for option in real {
        if !ours.contains(&option) {
            let run = duel.run_ours_unprepared(&format!("{option} value"));
            let stderr = String::from_utf8_lossy(&run.stderr);
            let reason = format!("Option {option} is not supported: ");
            assert!(stderr.starts_with(&reason), "{option}: {run:?}");
        }
    }
    for place in ["-h", "--help -p 1", "-p 1 --help"] {
        assert_eq!(duel.run_ours_unprepared(place).status.code(), Some(0));
    }
}

/// A value goes through pipes as it is: DUMP of one command is the input of the next.
#[test]
fn dumped_values_are_restored() {
    let duel = Duel::new(&[]);
    duel.server
        .client()
        .call(&["SET", "key", "a value\r\n\u{0}"]);
    let dumped = duel
        .run_ours_unprepared("-p PORT -D \"\" --raw DUMP key")
        .stdout;
    let mut input = Vec::new();
    quote(&dumped, &mut input);
    let input = String::from_utf8(input).expect("what is quoted is ASCII");
    for line in [
        "-x RESTORE last 0",
        "-X VALUE RESTORE tagged 0 VALUE REPLACE",
    ] {
        let run = duel.run_ours_unprepared(&format!("-p PORT {line} <<< {input}"));
        assert_eq!(run.stdout, b"OK\n", "{run:?}");
    }
    for key in ["last", "tagged"] {
        let run = duel.run_ours_unprepared(&format!("-p PORT --no-raw GET {key}"));
        assert_eq!(run.stdout, b"\"a value\\r\\n\\x00\"\n");
    }
}
