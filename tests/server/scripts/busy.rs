//! Scripts that do not end. The texts are those of Redis 7.2.4, where it can answer: it serves no other client while a
//! script runs.

use super::{error_text, eval, eval_request, far_apart, printed, server};
use crate::common::{Client, Folder, Server, wait_for_exit, wait_until};
use my_redis_server::resp::decoder::Value;

const BUSY: &str =
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
const BUSY_FUNCTION: &str =
    "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";
const UNKILLABLE: &str = "UNKILLABLE Sorry the script already executed write commands against the dataset. You can \
     either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.";
const NOT_BUSY: &str = "NOTBUSY No scripts in execution right now.";
/// Never ends.
const LOOP: &str = "while true do redis.call('GET', KEYS[1]) end";

/// A server on which a script is busy after a few milliseconds.
fn impatient_server() -> (Folder, Server, Client) {
    let (folder, server) = server();
    let mut client = server.client();
    assert_eq!(client.ask("CONFIG SET busy-reply-threshold 50"), "OK");
    (folder, server, client)
}

/// A client whose script does not end, and has become busy.
fn busy(server: &Server, script: &str, keys: &[&str]) -> Client {
    begin(server, &eval_request(script, keys, &[]))
}

fn begin(server: &Server, request: &[String]) -> Client {
    let mut client = server.client();
    client.send(request);
    let key = request[3].clone();
    let mut other = server.client();
    wait_until("the script is busy", || is_busy(&mut other, &key));
    client
}

fn is_busy(client: &mut Client, key: &str) -> bool {
    matches!(client.call(&["EXISTS", key]), Value::Error(text) if text.starts_with(b"BUSY"))
}

fn sha1(client: &mut Client, script: &str) -> String {
    match client.call(&["SCRIPT", "LOAD", script]) {
        Value::Bulk(digest) => String::from_utf8(digest).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn killed(name: &str, place: &str) -> String {
    format!("ERR Script killed by user with SCRIPT KILL... script: {name}, on {place}.")
}

#[test]
fn only_clients_that_need_its_shards_hear_busy() {
    let (_folder, server, mut client) = impatient_server();
    let keys = far_apart(&server, 3);
    let [own, other, third] = [&keys[0], &keys[1], &keys[2]];
    client.ask(&format!("SET {own} v"));
    // Some wait before it is busy.
    let mut running = server.client();
    running.send(&eval_request(LOOP, &[own], &[]));
    let commands = ["GET", "STRLEN", "PERSIST", "TTL"];
    let mut waiting = commands.map(|command| {
        let mut client = server.client();
        client.send(&[command, own]);
        client
    });
    for (client, command) in waiting.iter_mut().zip(commands) {
        // One may have come before the script.
        while client.receive() != Value::Error(BUSY.as_bytes().to_vec()) {
            client.send(&[command, own]);
        }
    }
    let refused = [
        format!("GET {own}"),
        format!("SET {own} w"),
        format!("MGET {other} {own}"),
        format!("MSET {other} 1 {own} 1"),
        format!("DEL {own}"),
        format!("RENAME {other} {own}"),
        format!("BLPOP {own} 1"),
        format!("BLPOP {other} {own} 1"),
        format!("OBJECT IDLETIME {own}"),
        format!("EVAL return 1 {own}").replace("return 1", "return_=1 1"),
        format!("EVAL_RO return_=1 1 {own}"),
        format!("WATCH {own}"),
        "KEYS *".to_string(),
        "DBSIZE".to_string(),
        "SCAN 0 COUNT 1000".to_string(),
        "RANDOMKEY".to_string(),
        "FLUSHALL".to_string(),
        "FLUSHDB ASYNC".to_string(),
        "SWAPDB 0 1".to_string(),
        "SAVE".to_string(),
        "BGSAVE".to_string(),
        "SHUTDOWN".to_string(),
        "SHUTDOWN SAVE".to_string(),
        "FUNCTION KILL".to_string(),
        "FUNCTION STATS".to_string(),
    ];
    for request in &refused {
        assert_eq!(client.ask(request), format!("(error) {BUSY}"), "{request}");
    }
    // As redis-server 7.0.15 counts them: they have not run.
    let counts = client.ask("INFO commandstats");
    let expected =
        "cmdstat_watch:calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0\\r";
    assert!(counts.contains(expected), "{counts}");
    for (request, reply) in [
        (format!("SET {other} 1"), "OK"),
        (format!("MGET {other} {third}"), "1) \"1\"\n2) (nil)"),
        (format!("INCR {other}"), "(integer) 2"),
        (format!("EVAL return(7) 1 {other}"), "(integer) 7"),
        (format!("BLPOP {third} 0.01"), "(nil)"),
        ("PING".to_string(), "PONG"),
        ("PUBLISH a b".to_string(), "(integer) 0"),
        (
            "SHUTDOWN ABORT".to_string(),
            "(error) ERR No shutdown in progress.",
        ),
        ("UNWATCH".to_string(), "OK"),
        (format!("WATCH {other}"), "OK"),
        ("MULTI".to_string(), "OK"),
        (format!("INCR {other}"), "QUEUED"),
        ("EXEC".to_string(), "1) (integer) 3"),
    ] {
        assert_eq!(client.ask(&request), reply, "{request}");
    }
    // A section that counts keys needs all shards.
    assert_eq!(client.ask("INFO keyspace"), format!("(error) {BUSY}"));
    assert!(
        client
            .info_of("memory", "used_memory")
            .parse::<u64>()
            .unwrap()
            > 0
    );
    assert_eq!(client.ask("SCRIPT KILL"), "OK");
    let name = sha1(&mut client, LOOP);
    assert_eq!(
        error_text(running.receive()),
        killed(&name, "@user_script:1")
    );
    // Nothing is left of it.
    for kill in ["SCRIPT KILL", "FUNCTION KILL"] {
        assert_eq!(client.ask(kill), format!("(error) {NOT_BUSY}"));
    }
    assert_eq!(client.ask(&format!("GET {own}")), "\"v\"");
    assert_eq!(client.ask("DBSIZE"), "(integer) 2");
    assert_eq!(client.ask("FLUSHALL"), "OK");
    assert_eq!(client.ask("SAVE"), "OK");
}

/// A client that watches a key of the busy script is not kept waiting when it lets go of it; what happens to the key
/// later does not concern its next transaction.
#[test]
fn a_transaction_ends_while_a_script_is_busy() {
    let (_folder, server, mut client) = impatient_server();
    let keys = far_apart(&server, 2);
    let [own, other] = [&keys[0], &keys[1]];
    let mut watchers: Vec<Client> = (0..5).map(|_| server.client()).collect();
    for (number, client) in watchers.iter_mut().enumerate() {
        client.ask(&format!("WATCH {}", if number == 3 { other } else { own }));
        if number != 1 {
            client.ask("MULTI");
            client.ask(&format!("SET {} x", if number == 4 { other } else { own }));
        }
    }
    let mut running = busy(&server, LOOP, &[own]);
    let aborted = format!("(error) EXECABORT Transaction discarded because of: {BUSY}");
    let replies = ["EXEC", "UNWATCH", "DISCARD", "EXEC", "EXEC"]
        .iter()
        .zip(&mut watchers)
        .map(|(request, client)| client.ask(request));
    let replies: Vec<String> = replies.collect();
    assert_eq!(replies, [&aborted, "OK", "OK", &aborted, &aborted]);
    // They can watch and change other keys at once.
    for client in &mut watchers {
        assert_eq!(client.ask(&format!("WATCH {other}")), "OK");
        assert_eq!(client.ask("MULTI"), "OK");
        assert_eq!(client.ask("PING"), "QUEUED");
    }
    assert_eq!(client.ask("SCRIPT KILL"), "OK");
    error_text(running.receive());
    assert_eq!(client.ask(&format!("SET {own} y")), "OK");
    for client in &mut watchers {
        assert_eq!(client.ask("EXEC"), "1) PONG");
    }
    // Each can watch that key again.
    for client in &mut watchers {
        for request in [&format!("WATCH {own}"), "MULTI", "PING"] {
            client.ask(request);
        }
    }
    assert_eq!(client.ask(&format!("SET {own} z")), "OK");
    for client in &mut watchers {
        assert_eq!(client.ask("EXEC"), "(nil)");
    }
}

/// However a script catches errors, it ends.
#[test]
fn a_script_cannot_catch_its_end() {
    let (_folder, server, mut client) = impatient_server();
    let scripts = [
        "while true do pcall(function() while true do end end) end",
        "while true do pcall(redis.call, 'GET', KEYS[1]) end",
        "while true do redis.pcall('GET', KEYS[1]) end",
        "while true do redis.pcall('NONSENSE') end",
        "local co = coroutine.wrap(function() while true do end end) co()",
        "while true do local co = coroutine.create(function() while true do pcall(redis.call, 'GET', KEYS[1]) end end) \
         coroutine.resume(co) end",
        "local function nest(depth) while true do local co = coroutine.create(depth > 0 and function() nest(depth - 1) \
         end or function() while true do end end) coroutine.resume(co) end end nest(5)",
        "while true do pcall(pcall, pcall, function() while true do end end) end",
        "while true do xpcall(function() while true do end end, function() while true do end end) end",
        "while true do pcall(loadstring('while true do end', '=sandbox')) end",
        "while true do load(function() while true do end end) end",
        "local t = {} for i = 1, 100 do t[i] = i end \
         while true do pcall(table.sort, t, function(a, b) return a > b end) end",
        "while true do pcall(string.gsub, 'aaa', '.', function() while true do end end) end",
        "local function f() return f() end f()",
        "local function g() return pcall(g) end while true do g() end",
        "local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end}) \
         while true do pcall(function() return t[1] end) end",
    ];
    for script in scripts {
        let mut running = busy(&server, script, &["k"]);
        assert_eq!(client.ask("SCRIPT KILL"), "OK", "{script}");
        let name = sha1(&mut client, script);
        assert_eq!(
            error_text(running.receive()),
            killed(&name, "@user_script:1"),
            "{script}"
        );
        assert_eq!(running.ask("EXISTS k"), "(integer) 0");
        // An interpreter that was broken off is not used again.
        assert_eq!(
            printed(&eval(&mut running, "return 1", &["k"], &[])),
            "(integer) 1"
        );
    }
}

/// The server looks for the text of the error, when the script itself is over.
#[test]
fn an_error_whose_text_never_comes_is_killed() {
    let (_folder, server, mut client) = impatient_server();
    let script = "error(setmetatable({}, {__index = function() while true do end end}))";
    let mut running = busy(&server, script, &["k"]);
    assert_eq!(client.ask("SCRIPT KILL"), "OK");
    let text = error_text(running.receive());
    assert!(
        text.starts_with("ERR Script killed by user with SCRIPT KILL... script: "),
        "{text}"
    );
    assert_eq!(client.ask("EXISTS k"), "(integer) 0");
}

/// Runs for some seconds in a debug build, and ends.
const WRITES: &str = "redis.call('SET', KEYS[1], 'y') local n = 0 while redis.call('EXISTS', KEYS[2]) == 0 and n < 3e7 \
     do for i = 1, 1e5 do n = n + 1 end end return 'end'";

#[test]
fn a_script_that_has_written_is_not_killed() {
    let (_folder, server, mut client) = impatient_server();
    let mut running = busy(&server, WRITES, &["k", "k2"]);
    assert_eq!(client.ask("SCRIPT KILL"), format!("(error) {UNKILLABLE}"));
    assert_eq!(client.ask("FUNCTION KILL"), format!("(error) {UNKILLABLE}"));
    assert_eq!(client.ask("GET k"), format!("(error) {BUSY}"));
    assert_eq!(printed(&running.receive()), "\"end\"");
    assert_eq!(client.ask("GET k"), "\"y\"");
    // A write that was refused is a write too, as in Redis, if the command was begun.
    client.ask("SET string v");
    let refused = "redis.pcall('LPUSH', KEYS[1], 'x') local n = 0 while n < 3e7 do n = n + 1 end return 'end'";
    let mut running = busy(&server, refused, &["string"]);
    assert_eq!(client.ask("SCRIPT KILL"), format!("(error) {UNKILLABLE}"));
    assert_eq!(printed(&running.receive()), "\"end\"");
    // What is no call of a command is none.
    let no_call = "pcall(redis.call, 'SET') pcall(redis.call, 'SUBSCRIBE', 'x') while true do end";
    let mut running = busy(&server, no_call, &["string"]);
    assert_eq!(client.ask("SCRIPT KILL"), "OK");
    error_text(running.receive());
}

const LIBRARY: &str = "#!lua name=lib\n\
    redis.register_function('loop', function(k, a)\nwhile true do redis.call('GET', k[1]) end end)\n\
    redis.register_function('wloop', function(k, a) redis.call('SET', k[1], '1')\n\
    local n = 0 while n < 3e7 do n = n + 1 end return 'end' end)";

fn fcall(name: &str, key: &str) -> Vec<String> {
    ["FCALL", name, "1", key].map(str::to_string).into()
}

#[test]
fn a_function_is_killed_by_its_own_command() {
    let (folder, server, mut client) = impatient_server();
    assert_eq!(
        printed(&client.call(&["FUNCTION", "LOAD", LIBRARY])),
        "\"lib\""
    );
    let mut running = begin(&server, &fcall("loop", "k"));
    for request in ["GET k", "SCRIPT KILL", "SHUTDOWN", "KEYS *"] {
        assert_eq!(
            client.ask(request),
            format!("(error) {BUSY_FUNCTION}"),
            "{request}"
        );
    }
    let stats = client.ask("FUNCTION STATS");
    let lines: Vec<&str> = stats.lines().map(str::trim).collect();
    let shown = [
        "1) \"running_script\"",
        "2) 1) \"name\"",
        "2) \"loop\"",
        "3) \"command\"",
        "4) 1) \"FCALL\"",
        "2) \"loop\"",
        "3) \"1\"",
        "4) \"k\"",
        "5) \"duration_ms\"",
    ];
    assert_eq!(lines[..9], shown);
    assert!(lines[9].starts_with("6) (integer) "), "{}", lines[9]);
    assert_eq!(client.ask("FUNCTION KILL"), "OK");
    assert_eq!(
        error_text(running.receive()),
        killed("loop", "@user_function:3")
    );
    assert_eq!(
        client.ask("FUNCTION STATS").lines().nth(1),
        Some("2) (nil)")
    );
    let mut running = begin(&server, &fcall("wloop", "k"));
    for kill in ["SCRIPT KILL", "FUNCTION KILL"] {
        assert_eq!(client.ask(kill), format!("(error) {UNKILLABLE}"));
    }
    assert_eq!(printed(&running.receive()), "\"end\"");
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    let has = |marks: &[&str]| {
        log.lines()
            .any(|line| marks.iter().all(|mark| line.contains(mark)))
    };
    assert!(has(&[
        " # Slow script detected: still in execution after ",
        " milliseconds. You can try killing the script using the FUNCTION KILL command. Script name is: loop.",
    ]));
    assert!(
        has(&[" * Lua script killed by user with SCRIPT KILL."]),
        "{log}"
    );
}

#[test]
fn two_scripts_may_be_busy() {
    let (_folder, server, mut client) = impatient_server();
    client.call(&["FUNCTION", "LOAD", LIBRARY]);
    let keys = far_apart(&server, 3);
    let mut script = busy(&server, LOOP, &[&keys[0]]);
    let mut function = begin(&server, &fcall("loop", &keys[1]));
    assert_eq!(client.ask(&format!("SET {} v", keys[2])), "OK");
    assert_eq!(client.ask("FUNCTION KILL"), "OK");
    error_text(function.receive());
    assert_eq!(client.ask(&format!("EXISTS {}", keys[1])), "(integer) 0");
    assert_eq!(
        client.ask(&format!("EXISTS {}", keys[0])),
        format!("(error) {BUSY}")
    );
    let mut second = busy(&server, LOOP, &[&keys[1]]);
    assert_eq!(client.ask("SCRIPT KILL"), "OK");
    error_text(second.receive());
    error_text(script.receive());
    assert_eq!(client.ask("DBSIZE"), "(integer) 1");
}

#[test]
fn a_script_whose_client_is_gone_goes_on() {
    let (_folder, server, mut client) = impatient_server();
    let script = "local n = 0 while n < 1e7 do n = n + 1 end redis.call('SET', KEYS[1], 'done')";
    drop(busy(&server, script, &["k"]));
    wait_until("it has ended", || client.ask("GET k") == "\"done\"");
}

/// A save that waits for a busy script, and has waited for a slower command before, keeps no other client waiting.
#[test]
fn a_save_that_waits_for_a_script_keeps_no_shard() {
    let (_folder, server, mut client) = impatient_server();
    let keys = far_apart(&server, 40);
    // The lowest shard first.
    let shard =
        |name: &&String| my_redis_server::keyspace::space::Key::new(0, name.as_bytes()).shard();
    let low = keys.iter().min_by_key(shard).unwrap();
    let high = keys.iter().max_by_key(shard).unwrap();
    client.ask("CONFIG SET busy-reply-threshold 1000");
    // This one ends by itself, before it is busy.
    let mut first = server.client();
    let ends =
        "local t = redis.call('TIME') local n = 0 while n < 2e6 do n = n + 1 end return 'end'";
    first.send(&eval_request(ends, &[low], &[]));
    let mut endless = server.client();
    endless.send(&eval_request(LOOP, &[high], &[]));
    assert_eq!(client.ask("BGSAVE"), "Background saving started");
    assert_eq!(printed(&first.receive()), "\"end\"");
    wait_until("the second is busy", || is_busy(&mut client, high));
    for _ in 0..20 {
        assert_eq!(
            client.ask(&format!("INCR {low}")).split(' ').next(),
            Some("(integer)")
        );
        std::thread::yield_now();
    }
    assert_eq!(client.ask("SCRIPT KILL"), "OK");
    error_text(endless.receive());
    wait_until("the dump is written", || {
        client.info("rdb_bgsave_in_progress") == "0"
    });
}

#[test]
fn shutdown_nosave_ends_the_server_at_once() {
    let folder = Folder::new();
    let mut server = Server::ours(&folder, &["--busy-reply-threshold", "50"]);
    let mut client = server.client();
    let _running = busy(
        &server,
        "redis.call('SET', KEYS[1], 'v') while true do end",
        &["k"],
    );
    assert_eq!(client.ask("SHUTDOWN"), format!("(error) {BUSY}"));
    assert_eq!(client.ask("SHUTDOWN FORCE"), format!("(error) {BUSY}"));
    client.send(&["SHUTDOWN", "NOSAVE"]);
    assert!(wait_for_exit(&mut server.process).success());
    assert!(!folder.path().join("dump.my_rdb").exists());
}

/// Tells the server to end by a signal, so that it waits with its last save for the script.
fn request_end(server: &Server, folder: &Folder, signal: &str) {
    server.signal(signal);
    wait_until("it is noted", || {
        let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
        log.contains(&format!("Received SIG{signal} scheduling shutdown..."))
    });
}

/// As Redis: the signal is obeyed when the script has ended; a second SIGINT does not wait for that.
#[test]
fn a_signal_waits_for_the_script_and_a_second_one_does_not() {
    let folder = Folder::new();
    let mut server = Server::ours(&folder, &["--busy-reply-threshold", "50"]);
    let mut running = busy(&server, WRITES, &["k", "k2"]);
    server.signal("TERM");
    assert_eq!(printed(&running.receive()), "\"end\"");
    assert!(wait_for_exit(&mut server.process).success());
    assert!(folder.path().join("dump.my_rdb").exists());
    let mut server = Server::ours(&folder, &["--busy-reply-threshold", "50"]);
    assert_eq!(server.client().ask("GET k"), "\"y\"");
    let _running = busy(&server, LOOP, &["k"]);
    request_end(&server, &folder, "INT");
    server.signal("INT");
    assert_eq!(wait_for_exit(&mut server.process).code(), Some(1));
}

/// Also from a client that comes after the signal.
#[test]
fn shutdown_nosave_is_heard_after_a_signal() {
    let folder = Folder::new();
    let mut server = Server::ours(&folder, &["--busy-reply-threshold", "50"]);
    let _running = busy(&server, LOOP, &["k"]);
    request_end(&server, &folder, "TERM");
    server.client().send(&["SHUTDOWN", "NOSAVE"]);
    assert!(wait_for_exit(&mut server.process).success());
    assert!(!folder.path().join("dump.my_rdb").exists());
}

#[test]
fn shutdown_nosave_is_heard_before_the_script_is_busy() {
    let folder = Folder::new();
    let mut server = Server::ours(&folder, &["--busy-reply-threshold", "500"]);
    let (mut client, mut running) = (server.client(), server.client());
    running.send(&eval_request(LOOP, &["k"], &[]));
    wait_until("the script runs", || {
        client.ask("CLIENT LIST").contains("cmd=eval")
    });
    request_end(&server, &folder, "TERM");
    client.send(&["SHUTDOWN", "NOSAVE"]);
    assert!(wait_for_exit(&mut server.process).success());
}
