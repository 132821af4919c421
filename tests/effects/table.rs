//! What each kind of command is replayed as. The table says it, our server does it, and so does a real one.

use super::instance::Instance;
use super::upstream::Upstream;
use crate::common::wait_until;
use my_redis_server::resp::request::{RequestLimits, RequestParser};
use my_redis_server::util::clock;
use my_redis_server::util::quoting::split_arguments;

/// What DUMP makes of a string that is the number 10.
const TEN: &[u8] = b"\x00\xc0\n\t\x00\xbem\x06\x89Z(\x00\n";

/// Commands, those of a second client behind `B:`; then `--`, and further ones whose effects are, line by line, those
/// behind `=>`. A time, also that in the ID of an entry, is written as the distance from now, in milliseconds:
/// `<+100000>`. `@gone k` lets the time of a key be over. What stands behind `real:` is what a real server replays
/// instead, to the same end. A line that begins with a blank goes on with the one before.
const TABLE: &str = r#"
-- SET k v => SET k v
-- SET k v EX 100 => SET k v PXAT <+100000>
-- SET k v PX 100000 NX GET => SET k v PXAT <+100000>
-- SET k v EXAT 4102444800 => SET k v PXAT 4102444800000
-- SET k v GET => SET k v
-- SET k v XX =>
SET k v EX 100 -- SET k w get KEEPTTL => SET k w KEEPTTL
-- SETEX k 100 v => SET k v PXAT <+100000>
-- PSETEX k 100000 v => SET k v PXAT <+100000>
-- SETNX k v => SETNX k v
SET k v -- SETNX k v =>
-- GETSET k v => SET k v
SET k v -- GETDEL k => DEL k
-- GETDEL k =>
SET k v -- GETEX k =>
SET k v -- GETEX k EX 100 => PEXPIREAT k <+100000>
SET k v -- GETEX k PXAT 1 => DEL k
SET k v EX 100 -- GETEX k PERSIST => PERSIST k
SET k v -- GETEX k PERSIST =>
-- MSET a 1 b 2 => MSET a 1 b 2
-- APPEND k v => APPEND k v
-- SETRANGE k 1 v => SETRANGE k 1 v
-- INCR k => INCR k
-- DECRBY k 5 => DECRBY k 5
-- INCRBYFLOAT k 0.5 => SET k 0.5 KEEPTTL
-- HINCRBYFLOAT h f 0.5 => HSET h f 0.5
-- HINCRBY h f 5 => HINCRBY h f 5
-- HSET h f v => HSET h f v
HSET h f v -- HSET h f v => HSET h f v
HSET h f v -- HSETNX h f w =>
HSET h f v -- HDEL h g =>
HSET h f v -- HDEL h f => HDEL h f
SET k v -- EXPIRE k 100 => PEXPIREAT k <+100000>
SET k v -- PEXPIRE k 100000 => PEXPIREAT k <+100000>
SET k v -- EXPIREAT k 4102444800 => PEXPIREAT k 4102444800000
SET k v -- PEXPIREAT k 4102444800000 => PEXPIREAT k 4102444800000
SET k v -- EXPIRE k 100 NX => PEXPIREAT k <+100000> real: PEXPIREAT k <+100000> NX
SET k v -- EXPIRE k 100 XX =>
SET k v -- EXPIRE k -1 => DEL k
-- EXPIRE k 100 =>
SET k v EX 100 -- PERSIST k => PERSIST k
SET k v -- PERSIST k =>
-- RESTORE k 0 @ten => RESTORE k 0 @ten
-- RESTORE k 100000 @ten => RESTORE k <+100000> @ten ABSTTL
SET k v -- RESTORE k 1 @ten REPLACE ABSTTL => DEL k
SADD s a -- SPOP s => SREM s a
SADD s a b c -- SPOP s 5 => DEL s
-- SPOP s =>
SADD s a -- SADD s a =>
SADD s a -- SREM s b =>
SADD s a -- SMOVE s t a => SMOVE s t a
SADD s a -- SUNIONSTORE d s t => SUNIONSTORE d s t
SADD s a -- SINTERSTORE d s t =>
SADD d a -- SDIFFSTORE d s t => SDIFFSTORE d s t
RPUSH l 2 1 -- SORT l STORE d => SORT l STORE d
-- SORT l STORE d =>
SET d v -- SORT l STORE d => DEL d real: @itself
RPUSH l 2 1 -- SORT l BY w_* GET # STORE d => MULTI; DEL d; RPUSH d 1 2; EXEC real: @itself
SADD s b a -- SORT s ALPHA STORE d => MULTI; DEL d; RPUSH d a b; EXEC real: @itself
RPUSH l 2 1 -- LPOP l => LPOP l
-- LPOP l =>
-- LPUSHX l a =>
RPUSH l a b c -- LTRIM l 0 1 => LTRIM l 0 1
RPUSH l a -- LREM l 0 b =>
RPUSH l a b c -- LMPOP 2 x l LEFT COUNT 2 => LPOP l 2
RPUSH l a b c -- LMPOP 1 l RIGHT => RPOP l 1
RPUSH l a -- LMOVE l m LEFT RIGHT => LMOVE l m LEFT RIGHT
RPUSH l a -- RPOPLPUSH l m => RPOPLPUSH l m
RPUSH l a b -- BLPOP x l 0 => LPOP l
RPUSH l a b -- BRPOP l 0 => RPOP l
RPUSH l a -- BLMOVE l m LEFT RIGHT 0 => LMOVE l m LEFT RIGHT
RPUSH l a -- BRPOPLPUSH l m 0 => LMOVE l m RIGHT LEFT real: RPOPLPUSH l m
RPUSH l a b c -- BLMPOP 0 1 l RIGHT COUNT 2 => RPOP l 2
B: BLPOP x l 0 -- RPUSH l a b => RPUSH l a b; LPOP l
B: BLMOVE l m LEFT RIGHT 0 -- RPUSH l a => RPUSH l a; LMOVE l m LEFT RIGHT real: RPUSH l a; LMOVE l m left right
B: BRPOPLPUSH l m 0 -- RPUSH l a => RPUSH l a; LMOVE l m RIGHT LEFT real: RPUSH l a; RPOPLPUSH l m
B: BLMPOP 0 1 l LEFT COUNT 5 -- RPUSH l a b => RPUSH l a b; LPOP l 5 real: RPUSH l a b; LPOP l 2
B: BZPOPMIN z 0 -- ZADD z 1 a => ZADD z 1 a; ZPOPMIN z real: ZADD z 1 a; ZPOPMIN z
B: BLPOP l 0 -- MULTI; RPUSH l a; RPUSH l b; EXEC => MULTI; RPUSH l a; RPUSH l b; EXEC; LPOP l
ZADD z 1 a 2 b -- ZPOPMAX z => ZPOPMAX z
ZADD z 1 a 2 b 3 c -- ZMPOP 2 x z MIN COUNT 2 => ZPOPMIN z 2
ZADD z 1 a 2 b -- BZPOPMAX z 0 => ZPOPMAX z
ZADD z 1 a 2 b 3 c -- BZMPOP 0 1 z MAX COUNT 2 => ZPOPMAX z 2
-- ZADD z INCR 1.5 a => ZADD z INCR 1.5 a
ZADD z 1 a -- ZADD z 1 a =>
ZADD z 1 a -- ZADD z NX 2 a =>
-- ZINCRBY z 2 a => ZINCRBY z 2 a
ZADD z 1 a -- ZRANGESTORE d z 0 -1 => ZRANGESTORE d z 0 -1
ZADD z 1 a -- ZUNIONSTORE d 1 z => ZUNIONSTORE d 1 z
ZADD z 1 a -- ZREMRANGEBYRANK z 0 -1 => ZREMRANGEBYRANK z 0 -1
-- GEOADD g 13 38 a => GEOADD g 13 38 a real: zadd g 3479065152021743 a
GEOADD g 1 1 a -- GEOSEARCHSTORE d g FROMMEMBER a BYRADIUS 9 m STOREDIST => MULTI; DEL d; ZADD d 0 a; EXEC real: @itself
GEOADD g 13 38 a; SET d v -- GEOSEARCHSTORE d g FROMLONLAT 1 1 BYRADIUS 9 km => DEL d real: @itself
GEOADD g 13 38 a -- GEORADIUS g 13 38 9 km STORE d => MULTI; DEL d; ZADD d 3479065152021743 a; EXEC real: @itself
-- PFADD p a => PFADD p a
PFADD p a -- PFADD p a =>
PFADD p a -- PFCOUNT p => PFCOUNT p
PFADD p a; PFCOUNT p -- PFCOUNT p =>
PFADD p a -- PFMERGE q p => PFMERGE q p
-- SETBIT k 7 1 => SETBIT k 7 1
-- BITFIELD k SET u8 0 1 => BITFIELD k SET u8 0 1
SET k v -- BITFIELD k GET u8 0 =>
-- BITFIELD k OVERFLOW FAIL INCRBY u8 0 300 => BITFIELD k OVERFLOW FAIL INCRBY u8 0 300 real:
SET k v -- BITOP NOT d k => BITOP NOT d k
-- DEL k =>
SET k v -- DEL k x => DEL k x
SET k v -- UNLINK k => UNLINK k
SET k v -- RENAME k d => RENAME k d
SET k v -- COPY k d => COPY k d
SET k v -- MOVE k 1 => MOVE k 1
SET k v -- TOUCH k =>
-- SWAPDB 0 1 => SWAPDB 0 1
SET k v -- FLUSHDB => FLUSHDB
SET k v -- FLUSHALL => FLUSHALL
-- MULTI; SET k v; INCR n; SPOP s; EXEC => MULTI; SET k v; INCR n; EXEC
-- MULTI; INCRBYFLOAT k 1.5; EXEC => SET k 1.5 KEEPTTL
-- MULTI; GET k; EXEC =>
SET k v PX 100000 -- @gone k => DEL k
-- SET k v; SET k => SET k v
"#;

/// Names for commands that several rows begin with.
const STARTS: &[(&str, &str)] = &[
    ("@two", "XADD s 1 f v; XADD s 2 f v"),
    (
        "@read",
        "XADD s 1 f v; XGROUP CREATE s g 0; XREADGROUP GROUP g a STREAMS s >",
    ),
    (
        "@all",
        "XADD s 1 f v; XADD s 2 f v; XGROUP CREATE s g 0; XREADGROUP GROUP g a STREAMS s >",
    ),
    (
        "@waits",
        "XGROUP CREATE s g 0 MKSTREAM; XGROUP CREATECONSUMER s g a; B: XREADGROUP GROUP g a BLOCK 0 STREAMS s >",
    ),
];

/// A line of the table.
struct Row {
    line: String,
    before: Vec<String>,
    commands: Vec<String>,
    expected: Vec<String>,
    expected_of_real: Vec<String>,
}

fn parts(text: &str) -> Vec<String> {
    let parts = text.split(';').map(str::trim);
    let parts = parts.filter(|part| !part.is_empty());
    parts.map(str::to_string).collect()
}

fn row(line: &str) -> Row {
    let (commands, effects) = line.split_once("=>").expect("an arrow");
    let (before, commands) = commands.split_once("--").expect("two dashes");
    let (ours, real) = effects.split_once("real:").unwrap_or((effects, effects));
    let real = if real.trim() == "@itself" {
        commands
    } else {
        real
    };
    // What several rows begin with.
    let before = STARTS
        .iter()
        .fold(before.to_string(), |before, (name, commands)| {
            before.replace(name, commands)
        });
    Row {
        line: line.to_string(),
        before: parts(&before),
        commands: parts(commands),
        expected: parts(ours),
        expected_of_real: parts(real),
    }
}

fn rows() -> impl Iterator<Item = Row> {
    let tables = [TABLE, super::streams::TABLE].map(|table| table.replace("\n ", " "));
    let rows = tables.iter().flat_map(|table| table.lines());
    let rows = rows.filter(|line| !line.is_empty()).map(row);
    rows.collect::<Vec<_>>().into_iter()
}

/// The words of a line.
fn words(line: &str) -> Vec<Vec<u8>> {
    let mut words = split_arguments(line.as_bytes()).expect("quotes are balanced");
    let payloads = words.iter_mut().filter(|word| *word == b"@ten");
    payloads.for_each(|word| *word = TEN.to_vec());
    words
}

/// The client that a command is of, and the command's words.
fn parse(command: &str) -> (usize, Vec<Vec<u8>>) {
    let (client, command) = match command.strip_prefix("B: ") {
        Some(command) => (1, command),
        None => (0, command),
    };
    (client, words(command))
}

/// A command as the table writes it; a time that is `tolerance_ms` away from a whole second is as good.
fn show(command: &[Vec<u8>], now_ms: i64, tolerance_ms: i64) -> String {
    let show = |word: &Vec<u8>| {
        let text = word.escape_ascii().to_string();
        let (time, seq) = text.split_at(text.find('-').unwrap_or(text.len()));
        let distance = time.parse().ok().map(|time: i64| time - now_ms);
        match distance.filter(|distance| distance.abs() < 1_000_000) {
            Some(distance) => {
                let seconds = (distance + tolerance_ms).div_euclid(1000);
                let is_near = (distance - seconds * 1000).abs() <= tolerance_ms;
                let distance = if is_near { seconds * 1000 } else { distance };
                format!("<{distance:+}>{seq}")
            }
            None => text,
        }
    };
    command.iter().map(show).collect::<Vec<_>>().join(" ")
}

/// What the table writes, with the words as [`show`] has them.
fn shown(expected: &[String]) -> Vec<String> {
    let show = |line: &String| {
        let words: Vec<String> = words(line)
            .iter()
            .map(|word| word.escape_ascii().to_string())
            .collect();
        words.join(" ")
    };
    expected.iter().map(show).collect()
}

fn ours(instance: &mut Instance, row: &Row) -> Vec<String> {
    let run = |instance: &mut Instance, commands: &[String]| {
        for command in commands {
            let (client, words) = parse(command);
            if words[0] == b"@gone" {
                instance.now_ms += 1_000_000;
                instance.run(client, &[&b"GET"[..], &words[1]]);
            } else {
                instance.run(client, &words);
            }
        }
    };
    run(instance, &row.before);
    instance.take_effects();
    let now_ms = instance.now_ms;
    run(instance, &row.commands);
    let mut effects = Vec::new();
    for entry in instance.take_effects() {
        let commands = entry.commands.iter().map(|(_, bytes)| words_of(bytes));
        let commands = commands.map(|words| show(&words, now_ms, 0));
        match entry.is_transaction {
            true => {
                effects.push("MULTI".to_string());
                effects.extend(commands);
                effects.push("EXEC".to_string());
            }
            false => effects.extend(commands),
        }
    }
    effects
}

fn words_of(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut parser = RequestParser::default();
    assert_eq!(
        parser
            .parse(bytes, RequestLimits::of_known_client(usize::MAX))
            .unwrap(),
        Some(bytes.len())
    );
    parser
        .arguments(bytes)
        .iter()
        .map(|word| word.to_vec())
        .collect()
}

fn real(upstream: &mut Upstream, row: &Row) -> Vec<String> {
    for command in &row.before {
        run_at(upstream, command);
    }
    upstream.take_effects();
    for command in &row.commands {
        run_at(upstream, command);
    }
    if row.before.iter().any(|command| parse(command).0 == 1) {
        upstream.clients[1].receive();
    }
    let now_ms = clock::unix_ms();
    let effects = upstream.take_effects();
    let mut effects: Vec<String> = effects
        .iter()
        .map(|command| show(command, now_ms, 900))
        .collect();
    // What cut the life of the key short is not of the row.
    if row
        .commands
        .iter()
        .any(|command| command.starts_with("@gone"))
    {
        effects.retain(|effect| !effect.starts_with("PEXPIREAT"));
    }
    effects
}

/// Runs a command of the table at a real server; one of the second client waits.
fn run_at(upstream: &mut Upstream, command: &str) {
    let (client, words) = parse(command);
    if words[0] == b"@gone" {
        upstream.clients[0].call(&[&b"PEXPIRE"[..], &words[1], b"1"]);
        let exists = [&b"EXISTS"[..], &words[1]];
        wait_until("the key is gone", || {
            upstream.clients[0].integer(&exists) == 0
        });
    } else if client == 0 {
        upstream.clients[0].call(&words);
    } else {
        upstream.clients[1].send(&words);
        upstream.await_waiting(1);
    }
}

/// Compares each row with what `replay` makes of it; all differences in one report.
fn check(expected: fn(&Row) -> &[String], mut replay: impl FnMut(&Row) -> Vec<String>) {
    let mut differences = String::new();
    for row in rows() {
        let (replayed, expected) = (replay(&row).join("; "), shown(expected(&row)).join("; "));
        if replayed != expected {
            differences += &format!("{}\n  replayed {replayed}\n", row.line);
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn our_server_replays_commands_as_the_table_says() {
    check(
        |row| &row.expected,
        |row| ours(&mut Instance::new(2, 1_700_000_000_000), row),
    );
}

#[test]
fn a_real_server_replays_commands_as_the_table_says() {
    let mut upstream = Upstream::start(2);
    check(
        |row| &row.expected_of_real,
        |row| {
            upstream.clients[0].call(&["FLUSHALL"]);
            real(&mut upstream, row)
        },
    );
}
