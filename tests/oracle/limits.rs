//! The limit of memory, compared with a real redis-server.

use crate::common::oracle::{Oracle, words};
use crate::common::stage;
use my_redis_server::command::COMMANDS;
use my_redis_server::command::spec::{Handler, READONLY, WRITE};

const DIRECTIVES: &str = r#"
CONFIG GET maxmemory*
CONFIG SET maxmemory 1gb
CONFIG GET maxmemory
CONFIG SET maxmemory 100000000000
CONFIG GET maxmemory
CONFIG SET maxmemory -1
CONFIG SET maxmemory x
CONFIG SET maxmemory 0
CONFIG SET maxmemory-policy lru
CONFIG SET maxmemory-policy ALLKEYS-LRU
CONFIG GET maxmemory-policy
CONFIG SET maxmemory-policy noeviction
CONFIG SET maxmemory-samples 0
CONFIG SET maxmemory-samples 64
CONFIG SET maxmemory-samples 5
CONFIG SET maxmemory-eviction-tenacity 101
CONFIG SET maxmemory-eviction-tenacity 100
CONFIG SET maxmemory-eviction-tenacity 10
CONFIG SET lazyfree-lazy-eviction yes
CONFIG SET lazyfree-lazy-eviction no
CONFIG SET maxmemory-clients 10mb
CONFIG GET maxmemory-clients
CONFIG SET maxmemory-clients 5%
CONFIG GET maxmemory-clients
CONFIG SET maxmemory 1gb
PING
CONFIG SET maxmemory 0
CONFIG SET maxmemory-clients 101%
CONFIG SET maxmemory-clients -1
CONFIG SET maxmemory-clients -1%
CONFIG SET maxmemory-clients x
CONFIG SET maxmemory-clients 0
CONFIG GET maxmemory-clients
CONFIG SET lfu-log-factor -1
CONFIG SET lfu-log-factor 10 lfu-decay-time 1
CONFIG SET lfu-decay-time -1
CONFIG SET lazyfree-lazy-expire x
CONFIG SET lazyfree-lazy-user-flush no lazyfree-lazy-user-del no lazyfree-lazy-server-del no
"#;

/// Nothing can be evicted: what needs memory is refused.
const OUT_OF_MEMORY: &str = r##"
SET a 1
RPUSH l 1
CONFIG SET maxmemory 1
SET a 2
APPEND a x
GET a
DEL b
LPOP l
EXPIRE a 100
PERSIST a
EVAL "#!lua\nreturn 1" 0
EVAL "return 1" 0
EVAL "return redis.call('set','a',1)" 1 a
EVAL "return redis.pcall('set','a',1)" 1 a
EVAL "return redis.call('get','a')" 1 a
EVAL "#!lua flags=allow-oom\nreturn redis.call('set','a',1)" 1 a
EVAL "#!lua flags=no-writes\nreturn 3" 0
EVAL "#!lua flags=no-writes\nreturn redis.call('get','a')" 1 a
EVAL "redis.call('del','b') return redis.call('set','a',3)" 2 a b
EVAL_RO "return redis.call('get','a')" 1 a
FUNCTION LOAD "#!lua name=l\nredis.register_function('f', function() return 1 end)"
SCRIPT LOAD "return 1"
MULTI
PING
EXEC
MULTI
GET a
SET a 1
EXEC
MULTI
DISCARD
WATCH a
UNWATCH
PUBLISH c m
CONFIG SET maxmemory-policy volatile-lru
SET a 2
CONFIG SET maxmemory-policy noeviction
CONFIG SET maxmemory 0
MULTI
SET a 5
CONFIG SET maxmemory 1
SET b 6
EXEC
CONFIG SET maxmemory 0
GET a
GET b
"##;

/// Scripts that say of themselves what they need are refused before anything else is looked at.
const SCRIPTS: &str = r##"
FUNCTION FLUSH
FUNCTION LOAD "#!lua name=l\nlocal set = function(keys) return redis.call('set', keys[1], 'v') end\n\
redis.register_function('usual', set)\n\
redis.register_function{function_name='allowed', callback=set, flags={'allow-oom'}}\n\
redis.register_function{function_name='reading', callback=function(keys) return redis.call('get', keys[1]) end, \
flags={'no-writes'}}"
SCRIPT LOAD "#!lua\nreturn 1"
SCRIPT LOAD "#!lua flags=allow-oom\nreturn 1"
SCRIPT LOAD "return 1"
CONFIG SET maxmemory 1
EVAL "#!lua\nreturn 1" x
EVAL "#!lua\nreturn 1" -1
EVAL "#!lua\nthis is no Lua" 0
EVAL "#!lua nosuch\nreturn 1" 0
EVAL "#!lua flags=nosuch\nreturn 1" 0
EVAL "#!nosuch\nreturn 1" 0
EVAL "#!lua flags=no-writes,allow-oom\nreturn 1" 0
EVAL "#!lua flags=allow-oom\nreturn 1" x
EVAL_RO "#!lua\nreturn 1" 0
EVAL_RO "#!lua flags=allow-oom\nreturn 1" 0
EVAL_RO "#!lua flags=no-writes\nreturn 1" 0
EVAL_RO "return redis.pcall('set','a',1)" 1 a
EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
EVALSHA cb70127618f0b0be70c53cf6bfcfa54a29d9b0c0 0
EVALSHA_RO cb70127618f0b0be70c53cf6bfcfa54a29d9b0c0 0
EVALSHA 859a81c149196d031d328cf91bcb497765bec8d4 0
EVALSHA short 0
SCRIPT LOAD "#!lua\nreturn 2"
EVALSHA 327e60b78547ebb77ec450ead371d5bd10cbdd69 x
FCALL usual 1 a
FCALL usual x a
FCALL allowed 1 a
FCALL reading 1 a
FCALL nosuch 1 a
FCALL_RO usual 1 a
FCALL_RO allowed 1 a
FCALL_RO reading 1 a
FUNCTION RESTORE x
EVAL "redis.call('del','a') return redis.pcall('set','a',1)" 1 a
EVAL "redis.call('get','a') return redis.pcall('set','a',1)" 1 a
FUNCTION DELETE l
FUNCTION FLUSH
CONFIG SET maxmemory 0
"##;

/// A transaction is refused as a whole if it holds something that needs memory, be it a script.
const TRANSACTIONS: &str = r##"
A: SET a 1
A: MULTI
A: EVAL "#!lua\nreturn 1" 0
B: CONFIG SET maxmemory 1
A: EXEC
B: CONFIG SET maxmemory 0
A: MULTI
A: EVAL "#!lua flags=allow-oom\nreturn redis.call('set','a',2)" 1 a
A: EVAL "#!lua flags=no-writes\nreturn redis.call('get','a')" 1 a
A: EVAL "return redis.pcall('set','a',3)" 1 a
A: DEL a
A: EVAL "return redis.pcall('set','a',4)" 1 a
B: CONFIG SET maxmemory 1
A: EXEC
B: CONFIG SET maxmemory 0
A: MULTI
A: SCRIPT LOAD "#!lua\nreturn 7"
A: EVALSHA ed8d22a2dd0538847dce0f01a660f76b512ed2b6 0
B: CONFIG SET maxmemory 1
A: EXEC
B: CONFIG SET maxmemory 0
A: MULTI
A: GET a
A: APPEND a 1
B: CONFIG SET maxmemory 1
A: EXEC
A: GET a
B: CONFIG SET maxmemory 0
"##;

/// A client that watches a key knows if it was evicted.
const WATCHED: &str = r#"
A: SET k v
A: WATCH k
A: MULTI
A: PING
B: CONFIG SET maxmemory-policy allkeys-random maxmemory 1
B: CONFIG SET maxmemory 0
A: EXEC
B: EXISTS k
B: CONFIG SET maxmemory-policy noeviction
"#;

/// The one key that may go goes before the next command runs. (Of several that are as old, chance chooses.)
const EVICTION: &str = r#"
RPUSH l a b
CONFIG SET maxmemory-policy allkeys-lru
CONFIG SET maxmemory 1 maxmemory-eviction-tenacity 100
PING
EXISTS l
SET k v
CONFIG SET maxmemory 0
SET k v
SET volatile v EX 1000
CONFIG SET maxmemory-policy volatile-ttl
CONFIG SET maxmemory 1
GET k
EXISTS volatile
SET k w
CONFIG SET maxmemory 0
"#;

#[test]
fn directives_and_refusals() {
    let mut oracle = Oracle::start();
    oracle.scripts(&[DIRECTIVES, OUT_OF_MEMORY, SCRIPTS]);
    oracle.finish();
}

#[test]
fn several_clients_without_memory() {
    stage::compare(&[TRANSACTIONS, WATCHED]);
}

#[test]
fn evicted_keys_are_told() {
    let mut oracle = Oracle::listening(&[]);
    oracle.changes(&[EVICTION]);
    oracle.finish();
}

/// Which commands are refused follows from their entries in the table.
#[test]
fn every_command_without_memory() {
    let mut oracle = Oracle::start();
    oracle.type_line("CONFIG SET maxmemory 1");
    for command in COMMANDS.all() {
        let is_data = command.spec.has(WRITE | READONLY) && command.spec.subcommands().is_empty();
        if !is_data || matches!(command.spec.handler, Handler::WriteAll(_)) {
            continue;
        }
        let name = command.full_name();
        let mut request: Vec<&str> = name.split('|').collect();
        request.resize(command.spec.arity.unsigned_abs() as usize, "x");
        let answers = oracle.answers(&words(&request));
        let are_refused = answers.map(|answer| answer.bytes.starts_with(b"-OOM"));
        assert_eq!(are_refused[0], are_refused[1], "{name}");
    }
    oracle.type_line("CONFIG SET maxmemory 0");
    oracle.finish();
}
