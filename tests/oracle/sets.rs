//! Sets, compared with a real redis-server: the edges of every command, then random commands.

use crate::common::oracle::{Oracle, Pools, words};
use crate::common::{Client, Folder, Server, strings};
use my_redis_server::resp::decoder::Value;
use std::collections::HashSet;

const MEMBERS: &str = r#"
SADD
SADD k
SADD k a
SADD k a b b c
SADD k "" "a\x00b\r\n\xff"
SMEMBERS k
SADD i 3 1 2 1
SADD i -5 70000 10000000000
SMEMBERS i
SADD i 01
SADD i +1 -0 " 1" "1 " 1.0 9223372036854775808
SMEMBERS i
SET s v
SADD s a
SADD s
SREM
SREM k
SREM k nothing
SREM k a nothing a
SREM nothing a
SREM s a
SREM i 1
SREM i 01 70000 x
SMEMBERS
SMEMBERS k x
SMEMBERS k
SMEMBERS i
SMEMBERS nothing
SMEMBERS s
SISMEMBER
SISMEMBER k
SISMEMBER k a b
SISMEMBER k b
SISMEMBER k ""
SISMEMBER k nothing
SISMEMBER i 2
SISMEMBER i 02
SISMEMBER i x
SISMEMBER nothing a
SISMEMBER s a
SMISMEMBER
SMISMEMBER k
SMISMEMBER k a b "" nothing b
SMISMEMBER i 2 3 10000000000 x
SMISMEMBER nothing a b
SMISMEMBER s a b
SCARD
SCARD k x
SCARD k
SCARD nothing
SCARD s
SADD gone a 1
SREM gone a 1 2
EXISTS gone
SADD gone 1 2
EXPIRE gone 100
SREM gone 1
TTL gone
SREM gone 2
SADD gone 1
TTL gone
TYPE k
TYPE i
SMOVE
SMOVE k i
SMOVE k i b c
SMOVE k i nothing
SMOVE k i b
SMOVE k i b
SMOVE nothing i b
SMOVE nothing s b
SMOVE s k b
SMOVE k s c
SMOVE k s nothing
SMOVE k k c
SMOVE k k nothing
SMOVE k fresh c
SMEMBERS fresh
SADD last x
SMOVE last fresh x
EXISTS last
SADD both x
SMOVE both fresh x
EXISTS both
SCARD fresh
SMEMBERS i
SADD n 1 2
SMOVE n k 1
SMOVE n m 2
SMEMBERS m
COPY i copy
SADD copy more
SMEMBERS i
RENAME copy copy2
SMEMBERS copy2
"#;

const ALGEBRA: &str = r#"
SADD a 1 2 3 4 x y
SADD b 2 3 y z 1000000
SADD c 3 y w 2
SADD i 1 2 3
SADD j 2 3 4 70000
SADD one 3
SET s v
SINTER
SINTER a
SINTER i
SINTER a b
SINTER a b c
SINTER i j
SINTER i a
SINTER a i j
SINTER a a
SINTER a nothing
SINTER nothing
SINTER a s
SINTER nothing s
SINTER s nothing
SINTER a b c i j
SINTERSTORE
SINTERSTORE d
SINTERSTORE d a
SMEMBERS d
SINTERSTORE d a b
SMEMBERS d
SINTERSTORE d i j
SMEMBERS d
OBJECT ENCODING d
SINTERSTORE d a nothing
EXISTS d
SINTERSTORE d nothing
SINTERSTORE d s
SINTERSTORE d a s
SINTERSTORE s nothing
EXISTS s
SET s v
SINTERSTORE s a b
TYPE s
SET s v
SINTERSTORE a a b
SMEMBERS a
SADD a 1 2 3 4 x y
SET d v EX 100
SINTERSTORE d a b
TTL d
SINTERCARD
SINTERCARD 1
SINTERCARD 0 a
SINTERCARD -1 a
SINTERCARD x a
SINTERCARD 1.5 a
SINTERCARD 2 a
SINTERCARD 9223372036854775807 a
SINTERCARD 9223372036854775808 a
SINTERCARD 1 a
SINTERCARD 2 a b
SINTERCARD 3 a b c
SINTERCARD 2 a nothing
SINTERCARD 2 a s
SINTERCARD 2 nothing s
SINTERCARD 2 a b LIMIT
SINTERCARD 2 a b LIMIT 1
SINTERCARD 2 a b limit 2
SINTERCARD 2 a b LIMIT 0
SINTERCARD 2 a b LIMIT 100
SINTERCARD 2 a b LIMIT -1
SINTERCARD 2 a b LIMIT x
SINTERCARD 2 a b LIMIT 9223372036854775807
SINTERCARD 2 a b LIMIT 9223372036854775808
SINTERCARD 2 a b LIMIT 1 LIMIT 2
SINTERCARD 2 a b LIMIT 2 LIMIT 1
SINTERCARD 2 a b FOO
SINTERCARD 2 a b FOO 1
SINTERCARD 2 a LIMIT 1
SINTERCARD 2 a s LIMIT x
SINTERCARD 1 a b
SUNION
SUNION a
SUNION i
SUNION a b
SUNION a b c i j
SUNION i j
SUNION a a
SUNION a nothing
SUNION nothing
SUNION nothing a nothing b
SUNION a s
SUNION nothing s
SUNIONSTORE
SUNIONSTORE d
SUNIONSTORE d a
SUNIONSTORE d a b c i j
SMEMBERS d
SUNIONSTORE d i j
SMEMBERS d
OBJECT ENCODING d
SUNIONSTORE d nothing
EXISTS d
SUNIONSTORE d a s
SUNIONSTORE s a
TYPE s
SET s v
SUNIONSTORE a a b
SMEMBERS a
SDIFF
SDIFF a
SDIFF a b
SDIFF a b c
SDIFF i j
SDIFF i a
SDIFF a a
SDIFF a b a
SDIFF a nothing
SDIFF nothing a
SDIFF nothing
SDIFF a s
SDIFF s a
SDIFF nothing s
SDIFF a one one one one one one one one
SDIFFSTORE
SDIFFSTORE d
SDIFFSTORE d a
SDIFFSTORE d a b
SMEMBERS d
SDIFFSTORE d i j
SMEMBERS d
OBJECT ENCODING d
SDIFFSTORE d a a
EXISTS d
SDIFFSTORE d nothing a
SDIFFSTORE d a s
SDIFFSTORE s a b
TYPE s
SDIFFSTORE d j one one one one one one one one
SMEMBERS d
SDIFFSTORE a a b
SMEMBERS a
"#;

const CHANCE_AND_SCAN: &str = r#"
SADD one f
SADD int 7
SET s v
SPOP
SPOP one 1 2
SPOP one x
SPOP one -1
SPOP one 9223372036854775808
SPOP one 0
SPOP nothing
SPOP nothing 0
SPOP nothing 5
SPOP nothing x
SPOP s
SPOP s 0
SPOP s x
SPOP one 9223372036854775807
EXISTS one
SADD one f
SPOP one
SPOP one
SPOP int
EXISTS int
SADD one f
SADD int 7
EXPIRE one 100
SADD one g
SPOP one
TTL one
SADD ten 1 2 3 4 5 6 7 8 9 10
EXPIRE ten 100
SPOP ten 9
TTL ten
SCARD ten
OBJECT ENCODING ten
SADD names a b c d e f g h i j
SPOP names 3
SCARD names
SPOP names 7
EXISTS names
DEL one
SADD one f
SRANDMEMBER
SRANDMEMBER one 1 2
SRANDMEMBER one
SRANDMEMBER int
SRANDMEMBER one 0
SRANDMEMBER one 1
SRANDMEMBER one 5
SRANDMEMBER int 5
SRANDMEMBER one -1
SRANDMEMBER one -3
SRANDMEMBER int -3
SRANDMEMBER one x
SRANDMEMBER one 1.5
SRANDMEMBER one 9223372036854775807
SRANDMEMBER one -9223372036854775808
SRANDMEMBER one 9223372036854775808
SRANDMEMBER nothing
SRANDMEMBER nothing 5
SRANDMEMBER nothing -5
SRANDMEMBER nothing x
SRANDMEMBER s
SRANDMEMBER s 5
SRANDMEMBER s 0
SRANDMEMBER s x
SSCAN
SSCAN one
SSCAN one 0
SSCAN int 0
SSCAN one x
SSCAN int -1
SSCAN int 5
SSCAN one 0 COUNT 100
SSCAN one 0 COUNT 0
SSCAN one 0 COUNT x
SSCAN one 0 COUNT
SSCAN one 0 MATCH f*
SSCAN one 0 MATCH g*
SSCAN int 0 MATCH 7
SSCAN int 0 MATCH 8
SSCAN one 0 MATCH
SSCAN one 0 TYPE string
SSCAN one 0 FOO bar
SSCAN one 0 MATCH f* COUNT 1
SSCAN nothing 0
SSCAN nothing x
SSCAN nothing 0 FOO bar
SSCAN s 0
SSCAN s x
SSCAN s 0 FOO
SADD ints 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15
SSCAN ints 0 COUNT 1
SSCAN ints 0 MATCH 1* COUNT 1
SADD large a aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
SSCAN large 0 COUNT 100
SSCAN large 0 COUNT 100 MATCH a
SRANDMEMBER large 2
SRANDMEMBER large -5
"#;

#[test]
fn edges_of_sets() {
    let mut oracle = Oracle::listening(&[]);
    oracle.scripts(&[MEMBERS, ALGEBRA, CHANCE_AND_SCAN]);
    oracle.changes(&[MEMBERS, ALGEBRA, CHANCE_AND_SCAN]);
    oracle.finish();
}

/// What valkey 8.0, whose sets are those of Redis 7.2, answers to OBJECT ENCODING; 7.0 has no compact sets of strings.
#[test]
fn encodings_of_7_2() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    let numbers = |count: usize| -> Vec<String> { (1..=count).map(|it| it.to_string()).collect() };
    let names = |count: usize| -> Vec<String> { (1..=count).map(|it| format!("m{it}")).collect() };
    let long = "a".repeat(65);
    for (members, expected) in [
        (numbers(512), "intset"),
        (numbers(513), "hashtable"),
        (names(128), "listpack"),
        (names(129), "hashtable"),
        (vec![long[1..].to_string()], "listpack"),
        (vec![long], "hashtable"),
        ([numbers(127), names(1)].concat(), "listpack"),
        ([numbers(128), names(1)].concat(), "hashtable"),
        // The number of arguments decides, although they are all the same.
        (vec!["1".to_string(); 513], "hashtable"),
        (vec!["m".to_string(); 129], "hashtable"),
    ] {
        client.ask("DEL k");
        add(&mut client, "k", &members);
        assert_eq!(
            encoding(&mut client, "k"),
            expected,
            "{} members",
            members.len()
        );
    }
    // One by one, the limits are the same.
    client.ask("DEL k");
    for (index, member) in numbers(513).iter().enumerate() {
        assert_eq!(
            encoding(&mut client, "k"),
            if index == 0 { "nil" } else { "intset" }
        );
        add(&mut client, "k", &[member]);
    }
    assert_eq!(encoding(&mut client, "k"), "hashtable");
    // Few that stay of a table make a small set again.
    client.ask("SPOP k 509");
    assert_eq!(encoding(&mut client, "k"), "listpack");
    for (script, expected) in [
        ("SADD a 1 2 3 x; SREM a x", "listpack"),
        ("SINTERSTORE b a", "intset"),
        ("SUNIONSTORE b a", "intset"),
        ("SDIFFSTORE b a", "intset"),
        ("SADD b y", "listpack"),
        (
            "CONFIG SET set-max-intset-entries 3; DEL b; SADD b 1 1 1 1",
            "listpack",
        ),
        ("DEL b; SADD b 1 2 3", "intset"),
        ("SADD b 4", "hashtable"),
        ("SINTERSTORE b b a", "intset"),
        (
            "CONFIG SET set-max-listpack-value 2; DEL b; SADD b ab",
            "listpack",
        ),
        ("SADD b abc", "hashtable"),
        ("DEL b; SADD b 100; SADD b x", "hashtable"),
        (
            "CONFIG SET set-max-listpack-entries 0; DEL b; SADD b x",
            "hashtable",
        ),
    ] {
        script
            .split("; ")
            .for_each(|command| drop(client.ask(command)));
        let key = if script.starts_with("SADD a") {
            "a"
        } else {
            "b"
        };
        assert_eq!(encoding(&mut client, key), expected, "{script}");
    }
}

fn add<M: AsRef<[u8]>>(client: &mut Client, key: &str, members: &[M]) {
    let request = [words(&["SADD", key]), words(members)].concat();
    client.call(&request);
}

fn encoding(client: &mut Client, key: &str) -> String {
    let answer = client.ask(&format!("OBJECT ENCODING {key}"));
    answer.trim_matches(['"', '(', ')']).to_string()
}

/// What is drawn and popped are members, different ones unless the count is negative, and in time all of them.
#[test]
fn random_members() {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    for (prefix, len) in [("", 10), ("m", 10), ("", 300), ("m", 1000)] {
        let names: Vec<String> = (0..len).map(|index| format!("{prefix}{index}")).collect();
        let all: HashSet<Vec<u8>> = names.iter().map(|name| name.clone().into_bytes()).collect();
        add(&mut client, "k", &names);
        for count in [1, 2, len / 5, len / 2, len - 1, len, 2 * len] {
            let drawn = strings(client.call(&["SRANDMEMBER", "k", &count.to_string()]));
            assert_eq!(drawn.len(), count.min(len));
            let different: HashSet<Vec<u8>> = drawn.into_iter().collect();
            assert_eq!(different.len(), count.min(len));
            assert!(different.is_subset(&all));
        }
        let mut missing = all.clone();
        crate::common::wait_until("every member is drawn", || {
            let drawn = strings(client.call(&["SRANDMEMBER", "k", "-500"]));
            assert_eq!(drawn.len(), 500);
            assert!(drawn.iter().all(|member| all.contains(member)));
            drawn.iter().for_each(|member| {
                missing.remove(member);
            });
            missing.is_empty()
        });
        // Few of many, many of few, one by one, and the rest.
        let mut rest = all.clone();
        for count in [
            "1",
            &(len / 10).to_string(),
            &(len * 7 / 10).to_string(),
            "",
            "100000",
        ] {
            let request = match count {
                "" => words(&["SPOP", "k"]),
                count => words(&["SPOP", "k", count]),
            };
            let popped = match client.call(&request) {
                Value::Bulk(member) => vec![member],
                reply => strings(reply),
            };
            assert!(popped.iter().all(|member| rest.remove(member)));
            assert_eq!(client.integer(&["SCARD", "k"]), rest.len() as i64);
            for member in &rest {
                assert_eq!(client.integer(&[b"SISMEMBER", &b"k"[..], member]), 1);
            }
        }
        assert!(rest.is_empty());
        assert_eq!(client.integer(&["EXISTS", "k"]), 0);
    }
}

/// SSCAN with a small COUNT finds every member, also when the set changes meanwhile.
#[test]
fn scanning_finds_every_member() {
    crate::common::check_scan_of_what_changes(
        "SSCAN",
        |element| vec!["SADD", "k", element],
        "SREM",
    );
}

/// SPOP comes only where the members are known beforehand: what it leaves must be the same on both sides.
pub const COMMANDS: &str = r#"
    SADD {key} {member}+4
    SADD {key} {member}+4
    SADD {key} {member}+9
    SADD {key} {integer}+9
    SREM {key} {member}+3
    SREM {key} {integer}+3
    SMEMBERS {key}
    SISMEMBER {key} {member}
    SMISMEMBER {key} {member}+4
    SCARD {key}
    SPOP {key} 1000
    SPOP {key} {wrong}
    SRANDMEMBER {key} {count}*1
    SMOVE {key} {key} {member}
    SINTER {key}+3
    SINTERSTORE {key} {key}+3
    SINTERCARD {numkeys} {key}+3 {limit}*1
    SUNION {key}+4
    SUNIONSTORE {key} {key}+3
    SDIFF {key}+4
    SDIFFSTORE {key} {key}+6
    SSCAN {key} 0 {scan}*2 COUNT 1000
    SET s {member}
    DEL {key}
    EXPIRE {key} 1000
    TTL {key}
    COPY {key} {key} REPLACE
    RENAME {key} {key}
"#;

pub const POOLS: Pools = &[
    ("key", "a | b | c | d | e | f | g | s"),
    (
        "member",
        r#"{integer} | {integer} | a | b | c | d | e | f | "" | "a\x00b\r\n\xff" | 007 | -0 | {long}"#,
    ),
    (
        "integer",
        "0 | 1 | 2 | 3 | 4 | 5 | -1 | 300 | 70000 | -70000 | 9223372036854775807 | -9223372036854775808",
    ),
    (
        "long",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ),
    ("count", "0 | 1 | 3 | 100 | -1 | -5 | x"),
    ("wrong", "-1 | x | 1.5"),
    ("numkeys", "0 | 1 | 2 | 2 | 3 | 4"),
    (
        "limit",
        "LIMIT 0 | LIMIT 1 | LIMIT 3 | LIMIT -1 | LIMIT | FOO",
    ),
    (
        "scan",
        "MATCH * | MATCH [a-c]* | MATCH 7* | COUNT 500 | COUNT 0 | FOO 1",
    ),
];

#[test]
fn random_commands_on_sets() {
    let mut oracle = Oracle::listening(&[]);
    oracle.random(COMMANDS, POOLS);
    oracle.finish();
}

/// With limits of a few members, most sets of strings change their form.
#[test]
fn random_commands_on_sets_at_the_limit() {
    let mut oracle = Oracle::start();
    for (name, value) in [
        ("set-max-listpack-entries", "6"),
        ("set-max-listpack-value", "10"),
    ] {
        // Redis 7.0 does not know these.
        let _ = oracle.ask(&words(&["CONFIG", "SET", name, value]));
    }
    oracle.random(COMMANDS, POOLS);
    oracle.finish();
}
