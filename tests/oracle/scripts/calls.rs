//! Every command, called by a script: it answers, changes and tells what it does when a client sends it. And what other
//! clients notice of a script: nothing before its end.

use crate::common::oracle::{CALL_ARGUMENTS, Oracle, Pools};
use crate::common::stage;
use crate::oracle::events::scripts::ALL;
use crate::oracle::{bitmaps, hashes, hyperloglog, keys, lists, sets, sorted_sets_random, strings};

/// The lines of a table, each handed to a script that calls it.
fn called(lines: &str) -> String {
    let lines = lines.lines().map(str::trim);
    let lines = lines.map(|line| match line.is_empty() || line.starts_with('#') {
        true => format!("{line}\n"),
        false => format!("EVAL \"{CALL_ARGUMENTS}\" 0 {line}\n"),
    });
    lines.collect()
}

/// Random commands of a family, with the events that they cause and the data that they leave.
fn compare(commands: &str, pools: Pools) {
    let mut oracle = Oracle::listening(&[]);
    oracle.random(&called(commands), pools);
    oracle.finish();
}

#[test]
fn commands_on_strings_and_bits_do_the_same_when_a_script_calls_them() {
    compare(strings::COMMANDS, strings::POOLS);
    compare(bitmaps::COMMANDS, bitmaps::POOLS);
    compare(hyperloglog::COMMANDS, hyperloglog::POOLS);
}

#[test]
fn commands_on_collections_do_the_same_when_a_script_calls_them() {
    compare(lists::COMMANDS, lists::POOLS);
    compare(hashes::COMMANDS, hashes::POOLS);
    compare(sets::COMMANDS, sets::POOLS);
}

#[test]
fn commands_on_keys_and_sorted_sets_do_the_same_when_a_script_calls_them() {
    compare(sorted_sets_random::COMMANDS, sorted_sets_random::POOLS);
    compare(keys::COMMANDS, keys::POOLS);
}

/// 7.0 lets no script call a command that waits.
#[test]
fn every_command_that_writes_tells_the_same_when_a_script_calls_it() {
    let waits = |line: &&str| {
        ["BL", "BR", "BZ"]
            .iter()
            .any(|begin| line.starts_with(begin))
    };
    let scripts = ALL.map(|script| {
        let lines: Vec<&str> = script.lines().filter(|line| !waits(line)).collect();
        called(&lines.join("\n"))
    });
    let scripts = scripts.each_ref().map(String::as_str);
    let mut oracle = Oracle::listening(&[]);
    oracle.scripts(&scripts);
    oracle.finish();
}

/// Events and changes of scripts with several steps, some of which fail.
const STEPS: &str = r#"
EVAL "redis.call('SET', 'a', 1) redis.call('DEL', 'a') return redis.call('RPUSH', 'l', 1, 2)" 0
EVAL "for i = 1, 5 do redis.call('INCR', 'n') end redis.call('EXPIRE', 'n', 100)" 0
EVAL "redis.call('SET', 'a', 1) redis.call('LPUSH', 'a', 2)" 0
EVAL "redis.call('SET', 'a', 2) error('x')" 0
EVAL "redis.pcall('LPUSH', 'a', 2) redis.call('LPOP', 'l') redis.call('LPOP', 'l')" 0
EVAL "redis.call('SELECT', 3) redis.call('SET', 'there', 1)" 0
SET here 1
EVAL "redis.call('SET', 'b', 1, 'EX', 100) redis.call('PERSIST', 'b') redis.call('RENAME', 'b', 'c')" 0
EVAL "redis.call('SADD', 's', 1, 2, 3) redis.call('SPOP', 's', 3)" 0
EVAL "redis.call('ZADD', 'z', 1, 'm') return redis.call('ZREM', 'z', 'm')" 0
EVAL_RO "return redis.call('GET', 'd')" 0
EVAL "redis.call('FLUSHDB') redis.call('SET', 'f', 1)" 0
"#;

const STEPS_OF_A_TRANSACTION: &str = r#"
MULTI
EVAL "redis.call('SET', 'd', 1)" 0
SET e 1
EVAL "redis.call('SET', 'd', 2) error('x')" 0
EXEC
"#;

#[test]
fn the_steps_of_a_script_are_told_in_order() {
    let mut oracle = Oracle::listening(&[]);
    oracle.scripts(&[STEPS, STEPS_OF_A_TRANSACTION]);
    oracle.changes(&[STEPS]);
    oracle.finish();
}

#[test]
fn waiting_clients_are_served_after_the_script() {
    stage::compare(&[
        r#"
        A: BLPOP k 0
        B: EVAL "redis.call('RPUSH', 'k', 1) redis.call('RPUSH', 'k', 2) return redis.call('LPOP', 'k')" 0
        B: LRANGE k 0 -1
        "#,
        r#"
        A: BLPOP k 0
        B: EVAL "redis.call('RPUSH', 'k', 1) redis.call('DEL', 'k') return 1" 0
        B: EVAL "redis.call('RPUSH', 'k', 1) redis.call('DEL', 'k') redis.call('SET', 'k', 1)" 0
        B: DEL k
        B: RPUSH k x
        "#,
        r#"
        A: BLPOP k 0
        C: BRPOP k 0
        B: EVAL "return redis.call('RPUSH', 'k', 1, 2, 3)" 0
        B: LRANGE k 0 -1
        "#,
        r#"
        A: BLMOVE k l LEFT RIGHT 0
        C: BLPOP l 0
        B: EVAL "redis.call('RPUSH', 'k', 1) return redis.call('LLEN', 'k')" 0
        B: EXISTS k l
        "#,
        r#"
        A: BZPOPMIN z 0
        B: EVAL "redis.call('ZADD', 'z', 2, 'b') redis.call('ZADD', 'z', 1, 'a') return redis.call('ZCARD', 'z')" 0
        B: ZRANGE z 0 -1
        "#,
        r#"
        A: BLPOP k 0
        B: EVAL "redis.call('RPUSH', 'k', 1) error('x')" 0
        B: EXISTS k
        "#,
        r#"
        A: BLPOP k 0
        B: MULTI
        B: EVAL "return redis.call('RPUSH', 'k', 1, 2)" 0
        B: LPOP k
        B: EXEC
        "#,
    ]);
}

#[test]
fn messages_and_watches_are_those_of_a_transaction() {
    stage::compare(&[
        r#"
        A: SUBSCRIBE c
        B: EVAL "redis.call('PUBLISH', 'c', 1) redis.call('SET', 'k', 1) return redis.call('PUBLISH', 'c', 2)" 0
        A: UNSUBSCRIBE
        "#,
        r#"
        A: SUBSCRIBE c
        A: PING
        B: EVAL "redis.call('PUBLISH', 'c', 'before') error('x')" 0
        B: EVAL "return redis.call('PUBLISH', 'nobody', 'x')" 0
        "#,
        r#"
        A: WATCH k
        A: MULTI
        A: GET k
        B: EVAL "return redis.call('SET', 'k', 1)" 0
        A: EXEC
        "#,
        r#"
        A: WATCH k
        A: MULTI
        A: GET k
        B: EVAL "return redis.call('GET', 'k')" 0
        A: EXEC
        "#,
        r#"
        A: WATCH k
        A: MULTI
        A: EVAL "return redis.call('SET', 'k', 2)" 0
        A: EXEC
        A: WATCH k
        A: EVAL "return redis.call('SET', 'k', 3)" 0
        A: MULTI
        A: GET k
        A: EXEC
        "#,
    ]);
}
