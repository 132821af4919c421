//! Wrong requests, scripts that do not compile, that fail, or that may not do what they try; the words of each refusal.

use super::{SHOW, combined, evaluate, rows};
use crate::common::oracle::{Oracle, words};

/// Requests around scripts that are wrong, and some beside them that are not.
const REQUESTS: &str = r#"
EVAL
EVAL "return 1"
EVAL "return 1" 0
eval "return 1" 0
EVAL "return 1" x
EVAL "return 1" ""
EVAL "return 1" 1.5
EVAL "return 1" -1
EVAL "return 1" 1
EVAL "return 1" 2 a
EVAL "return 1" 99999999999999999999
EVAL "return 1" 9223372036854775807
EVAL "return {KEYS, ARGV}" 0
EVAL "return {KEYS, ARGV}" 1 a
EVAL "return {KEYS, ARGV}" 1 a b
EVAL "return {KEYS, ARGV}" 2 a a b b
EVAL "return {#KEYS, #ARGV}" 0 "" ""
EVAL "return {KEYS[1], ARGV[1]}" 1 "a\x00b" "\xff\r\n"
EVAL "" 0
EVAL "\x00" 0
EVAL "return 1\x00 return 2" 0
EVAL " " 0
EVALSHA
EVALSHA x
EVALSHA x 0
EVALSHA "" 0
EVALSHA ffffffffffffffffffffffffffffffffffffffff 0
EVALSHA ffffffffffffffffffffffffffffffffffffffff 1
EVALSHA ffffffffffffffffffffffffffffffffffffffff -1
EVALSHA ffffffffffffffffffffffffffffffffffffffff x
EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
EVALSHA E0E1F9FABFC9D4800C877A703B823AC0578FF8DB 0
EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 1 a
EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 1
EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db0 0
EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8d 0
EVALSHA_RO e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
EVALSHA_RO ffffffffffffffffffffffffffffffffffffffff 0
EVALSHA_RO x
EVAL_RO "return 1"
EVAL_RO "return 1" 0
EVAL_RO "return redis.call('SET', KEYS[1], 1)" 1 k
EVAL_RO "return redis.pcall('SET', KEYS[1], 1)" 1 k
EVAL_RO "return redis.call('GET', KEYS[1])" 1 k
EVAL_RO "return redis.call('PUBLISH', 'c', 'm')" 0
EVAL_RO "return redis.call('SORT', 'l')" 0
EVAL_RO "return redis.call('SORT_RO', 'l')" 0
EVAL_RO "return redis.call('PFCOUNT', 'hll')" 0
EVAL_RO "return redis.call('GETEX', 'k')" 0
EVAL_RO "return redis.call('BITFIELD', 'k', 'GET', 'u8', 0)" 0
EVAL_RO "return redis.call('BITFIELD_RO', 'k', 'GET', 'u8', 0)" 0
EVAL_RO "return redis.call('SELECT', 0)" 0
EVAL_RO "return redis.call('FLUSHALL')" 0
EVAL_RO "return redis.call('NOSUCH')" 0
EVAL_RO "return redis.call('SET')" 0
"#;

/// The container of commands on scripts.
const SCRIPT: &str = r##"
SCRIPT
SCRIPT NOSUCH
SCRIPT HELP
SCRIPT HELP x
SCRIPT LOAD
SCRIPT LOAD "return 1" x
SCRIPT LOAD "return 1"
script load "return 1"
SCRIPT LOAD "return 2"
SCRIPT LOAD ""
SCRIPT LOAD "return"
SCRIPT LOAD "this is no Lua"
SCRIPT LOAD "return 1 +"
SCRIPT LOAD "x = 1"
SCRIPT LOAD "#!lua\nreturn 1"
SCRIPT LOAD "#!nosuch\nreturn 1"
SCRIPT LOAD "return nothing"
SCRIPT EXISTS
SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db
SCRIPT EXISTS E0E1F9FABFC9D4800C877A703B823AC0578FF8DB
SCRIPT EXISTS x e0e1f9fabfc9d4800c877a703b823ac0578ff8db "" ffffffffffffffffffffffffffffffffffffffff
SCRIPT EXISTS 7f923f79fe76194c868d7e1d0820de36700eb649 7f923f79fe76194c868d7e1d0820de36700eb649
SCRIPT FLUSH x
SCRIPT FLUSH ASYNC SYNC
SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db
SCRIPT FLUSH
SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db
EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
EVAL "return 1" 0
EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
SCRIPT FLUSH SYNC
EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
SCRIPT LOAD "return 1"
SCRIPT FLUSH async
EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
# A script that does not compile, or that only EVAL_RO has seen.
EVAL "return 1 +" 0
SCRIPT EXISTS f0f1c1b8ac2f34f3a8cf4b2e7a7cb5ae0dc7b1d6
EVAL_RO "return 1" 0
EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
FLUSHALL
EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
SCRIPT KILL
SCRIPT KILL x
SCRIPT DEBUG
SCRIPT DEBUG x
FUNCTION KILL
"##;

/// The first line of a script may name its engine and its flags.
const SHEBANGS: &str = r##"
EVAL "#!lua\nreturn 1" 0
EVAL "#!lua \nreturn 1" 0
EVAL "#!lua" 0
EVAL "#!lua\n" 0
EVAL "#!lua return 1" 0
EVAL "#!LUA\nreturn 1" 0
EVAL "#!Lua\nreturn 1" 0
EVAL "#!\nreturn 1" 0
EVAL "#! lua\nreturn 1" 0
EVAL " #!lua\nreturn 1" 0
EVAL "#!python\nreturn 1" 0
EVAL "#!lua name=x\nreturn 1" 0
EVAL "#!lua name=x" 0
EVAL "#!lua nosuch=x\nreturn 1" 0
EVAL "#!lua flags\nreturn 1" 0
EVAL "#!lua flags=\nreturn 1" 0
EVAL "#!lua flags=nosuch\nreturn 1" 0
EVAL "#!lua flags=no-writes\nreturn 1" 0
EVAL "#!lua FLAGS=no-writes\nreturn 1" 0
EVAL "#!lua flags=No-Writes\nreturn 1" 0
EVAL "#!lua flags=no-writes,allow-oom\nreturn 1" 0
EVAL "#!lua flags=no-writes, allow-oom\nreturn 1" 0
EVAL "#!lua flags=no-writes,\nreturn 1" 0
EVAL "#!lua flags=,no-writes\nreturn 1" 0
EVAL "#!lua flags=no-writes,nosuch\nreturn 1" 0
EVAL "#!lua flags=allow-oom,allow-stale,no-cluster,allow-cross-slot-keys\nreturn 1" 0
EVAL "#!lua flags=no-writes flags=allow-oom\nreturn 1" 0
EVAL "#!lua 'flags=no-writes'\nreturn 1" 0
EVAL "#!lua \"flags=no-writes\nreturn 1" 0
EVAL "#!lua flags=no-writes\r\nreturn 1" 0
EVAL "#!lua\r\nreturn 1" 0
EVAL "#!lua flags=no-writes\nreturn redis.call('GET', KEYS[1])" 1 k
EVAL "#!lua flags=no-writes\nreturn redis.call('SET', KEYS[1], 1)" 1 k
EVAL "#!lua flags=no-writes\nreturn redis.pcall('SET', KEYS[1], 1)" 1 k
EVAL "#!lua\nreturn redis.call('SET', KEYS[1], 1)" 1 k
EVAL_RO "#!lua\nreturn 1" 0
EVAL_RO "#!lua flags=no-writes\nreturn 1" 0
EVAL_RO "#!lua flags=allow-oom\nreturn 1" 0
EVAL_RO "#!lua flags=no-writes\nreturn redis.call('SET', KEYS[1], 1)" 1 k
EVAL "#!lua\n\n\nerror('line four')" 0
EVAL "#!lua\n\nreturn redis.call('NOSUCH')" 0
EVAL "#!lua\nreturn 1 +" 0
EVAL "#!lua\nreturn {...}" 0
SCRIPT LOAD "#!lua flags=no-writes\nreturn redis.call('DBSIZE')"
SCRIPT LOAD "#!lua flags=nosuch\nreturn 1"
SCRIPT LOAD "#!lua name=x\nreturn 1"
# Keys of different slots need a flag only in a cluster.
EVAL "#!lua\nreturn redis.call('MGET', 'a', 'b')" 0
"##;

/// What goes wrong in a line of its own; each error tells the line.
const LINES: &str = r#"
EVAL "\n\nreturn 1 +" 0
EVAL "\n\nerror('x')" 0
EVAL "\n\nerror('x', 0)" 0
EVAL "local function f()\n  error('x', 2)\nend\n\nf()" 0
EVAL "local function f()\n  redis.call('NOSUCH')\nend\n\nf()" 0
EVAL "local x = nil\nreturn x.y" 0
EVAL "local x = {}\nreturn x.y.z" 0
EVAL "local x = {}\n\nreturn x:y()" 0
EVAL "return redis.call('SET', 'k', 'v')\n\n, redis.call('LPUSH', 'k', 'v')" 0
EVAL "\n\nreturn redis.call(\n'LPUSH',\n'k')" 0
EVAL "if true then\n\nreturn 1" 0
EVAL "for i = 1, 10 do\n" 0
EVAL "return 'unfinished" 0
EVAL "return 'unfinished\n'" 0
EVAL "return [[unfinished" 0
EVAL "--[[ unfinished" 0
EVAL "return 1 return 2" 0
EVAL "goto x" 0
EVAL "break" 0
EVAL "return @" 0
EVAL "return 1..2" 0
EVAL "return 0x" 0
EVAL "return 1e" 0
EVAL "x = = 1" 0
EVAL "end" 0
EVAL "function" 0
EVAL "local 1 = 2" 0
EVAL "local function f() end f() = 1" 0
EVAL "f(" 0
EVAL "a.b:c = 1" 0
EVAL "return '\\400'" 0
EVAL "return \xff" 0
EVAL "return '\xff'" 0
EVAL "\xef\xbb\xbfreturn 1" 0
EVAL "-- a comment\nreturn 1" 0
EVAL "x = 1" 0
EVAL "\n\nx = 1" 0
EVAL "return x" 0
EVAL "\nreturn print" 0
EVAL "\nlocal y = x\nreturn 1" 0
EVAL "print('x')" 0
EVAL "return (function() return y end)()" 0
EVAL "function f() end" 0
EVAL "KEYS = {}" 0
EVAL "KEYS[1] = 'x' return KEYS" 0
EVAL "ARGV[1] = nil return #ARGV" 1 a b
EVAL "local s = 'return 1 +' return loadstring(s)" 0
EVAL "return loadstring('return 1 +')" 0
EVAL "return {loadstring('return 1 +')}" 0
EVAL "local f, e = loadstring('return 1 +') return e" 0
EVAL "local f, e = loadstring('return 1 +', '=named') return e" 0
EVAL "local f, e = loadstring('return 1 +', '@named') return e" 0
EVAL "return loadstring('\\n\\nerror(1)', '@named')()" 0
EVAL "return loadstring('\\n\\nerror(\"x\")', '=named')()" 0
EVAL "return loadstring('return redis.call(\"NOSUCH\")', '@named')()" 0
"#;

#[test]
fn wrong_requests_are_refused_with_the_same_words() {
    let mut oracle = Oracle::start();
    oracle.scripts(&[REQUESTS, SHEBANGS, LINES]);
    oracle.finish();
}

#[test]
fn scripts_are_kept_until_they_are_flushed() {
    let mut oracle = Oracle::start();
    oracle.scripts(&[SCRIPT]);
    oracle.finish();
}

/// Values that a script may throw.
const THROWN: &str = "
nil
true
false
0
1.5
'text'
''
'CODE text'
'-CODE text'
'zero\\0byte'
{err = 'x'}
{err = 'CODE x'}
{err = '-CODE x'}
{err = ''}
{err = 5}
{err = 'x', ignore_error_stats_update = true}
{err = 'x', source = 'here', line = '7'}
{err = 'x', line = 7}
{err = 'x', source = 'here'}
redis.error_reply('x')
redis.error_reply('CODE x')
redis.error_reply('-CODE x')
redis.pcall('NOSUCH')
redis.pcall('GET', 'l')
redis.pcall('GET')
";

/// Values that a script may throw and catch. Redis crashes when no one catches them: it reads a text that is not there.
const CAUGHT: &str = "
{}
{1, 2}
{err = {}}
{err = true}
{err = 'two\\r\\nlines'}
{ok = 'x'}
redis.status_reply('x')
redis.error_reply('two\\r\\nlines')
setmetatable({}, {__tostring = function() return 'x' end})
";

/// Ways to throw.
const THROW_CONTEXTS: &str = "
error(@)
error(@, 0)
error(@, 2)
return error(@)
local ok, e = pcall(error, @) error(e)
coroutine.wrap(function() error(@) end)()
";

/// Ways to catch and to tell.
const CATCH_CONTEXTS: &str = "
local ok, e = pcall(error, @) return {tostring(ok), type(e) == 'table' and e.err or e}
local ok, e = pcall(function() error(@) end) return {tostring(ok), type(e) == 'table' and e.err or e}
local ok, e = pcall(error, @) return e
local ok, e = xpcall(function() error(@) end, function(e) return {'handled', e} end) return {tostring(ok), e}
local ok, e = xpcall(function() error(@) end, function(e) return e end) return e
assert(false, @)
return redis.error_reply(@)
return redis.status_reply(@)
return redis.pcall('ECHO', 'x', @)
local co = coroutine.create(function() error(@) end) local ok, e = coroutine.resume(co) return {tostring(ok), e}
return pcall(redis.error_reply, @)
";

const ONE_LIST: &str = "RPUSH l a b c";

#[test]
fn a_value_that_is_thrown_becomes_an_error() {
    evaluate(ONE_LIST, combined(THROW_CONTEXTS, THROWN));
}

#[test]
fn a_value_that_is_caught_is_the_one_that_was_thrown() {
    let shown = format!(
        "{SHOW} local ok, e = pcall(error, @) return show(e)\n\
         {SHOW} local ok, e = pcall(function() error(@) end) return show(e)\n"
    );
    let contexts = format!("{CATCH_CONTEXTS}{shown}");
    let values = format!("{THROWN}{CAUGHT}");
    // A table as text is its address.
    let programs = combined(&contexts, &values).into_iter();
    evaluate(
        ONE_LIST,
        programs.filter(|it| !(it.contains("show(") && it.contains("__tostring"))),
    );
}

/// Calls that fail, each for a reason of its own.
const FAILING_CALLS: &str = "
redis.call()
redis.pcall()
redis.call(nil)
redis.call('')
redis.call('NOSUCH')
redis.call('NOSUCH', 'a', 'b')
redis.call('no such')
redis.call('GET')
redis.call('GET', 'a', 'b')
redis.call('SET', 'k')
redis.call('SET', 'k', 'v', 'NOSUCH')
redis.call('GET', 'l')
redis.call('INCR', 'l')
redis.call('INCRBY', 'k', 'x')
redis.call('LPUSH', 's', 'x')
redis.call('SET', 's', 'x', 'EX', 0)
redis.call('EXPIRE', 's', 'x')
redis.call('ZADD', 'z', 'x', 'm')
redis.call('CONFIG', 'GET', 'maxmemory')
redis.call('CONFIG')
redis.call('CONFIG', 'NOSUCH')
redis.call('MULTI')
redis.call('EXEC')
redis.call('DISCARD')
redis.call('WATCH', 'k')
redis.call('UNWATCH')
redis.call('SUBSCRIBE', 'c')
redis.call('PSUBSCRIBE', 'c')
redis.call('UNSUBSCRIBE')
redis.call('SSUBSCRIBE', 'c')
redis.call('MONITOR')
redis.call('SHUTDOWN')
redis.call('SAVE')
redis.call('BGSAVE')
redis.call('DEBUG', 'SLEEP', 0)
redis.call('SYNC')
redis.call('PSYNC', '?', -1)
redis.call('AUTH', 'x')
redis.call('HELLO', 3)
redis.call('QUIT')
redis.call('RESET')
redis.call('EVAL', 'return 1', 0)
redis.call('EVALSHA', 'x', 0)
redis.call('EVAL_RO', 'return 1', 0)
redis.call('FCALL', 'f', 0)
redis.call('SCRIPT', 'LOAD', 'return 1')
redis.call('SCRIPT', 'FLUSH')
redis.call('FUNCTION', 'LIST')
redis.call('FUNCTION', 'FLUSH')
redis.call('CLIENT', 'LIST')
redis.call('CLIENT', 'GETNAME')
redis.call('CLIENT', 'REPLY', 'OFF')
redis.call('LATENCY', 'RESET')
redis.call('ACL', 'WHOAMI')
redis.call('REPLCONF', 'x')
redis.call('SELECT', 99)
redis.call('SELECT', 'x')
redis.call('MOVE', 's', 99)
redis.call('OBJECT')
redis.call('OBJECT', 'NOSUCH', 's')
redis.call('OBJECT', 'ENCODING')
redis.call('SORT', 'l')
redis.call('CLUSTER', 'INFO')
redis.call('ASKING')
redis.call('READONLY')
redis.call('RESTORE', 'k', 0, 'x')
redis.call('LOLWUT', 'x', {})
redis.call({'GET', 'k'})
redis.call(function() end)
redis.call('GET', nil)
redis.call('GET', {})
redis.call('GET', true)
redis.call('SET', 'k', print)
redis.sha1hex()
redis.sha1hex('a', 'b')
redis.error_reply()
redis.error_reply(1)
redis.error_reply({})
redis.error_reply('a', 'b')
redis.status_reply()
redis.status_reply(1)
redis.status_reply('a', 'b')
redis.log()
redis.log('x')
redis.log(99, 'x')
redis.log(-1, 'x')
redis.log('x', 'y')
redis.log(redis.LOG_DEBUG)
redis.set_repl()
redis.set_repl(99)
redis.set_repl('x')
redis.set_repl(redis.REPL_ALL)
redis.set_repl(redis.REPL_NONE)
redis.set_repl(1, 2)
redis.replicate_commands()
redis.breakpoint()
redis.debug('x')
redis.acl_check_cmd()
redis.acl_check_cmd('GET', 'k')
redis.acl_check_cmd('NOSUCH')
redis.acl_check_cmd('GET')
redis.acl_check_cmd({})
redis.register_function('f', function() end)
redis.nosuch()
redis.nosuch
redis:call('GET', 'k')
";

/// What becomes of a call that fails.
const FAILING_CONTEXTS: &str = "
return @
local ok, e = pcall(function() return @ end) return {tostring(ok), type(e) == 'table' and e.err or type(e)}
local ok, e = pcall(function() return @ end) error(e)
local r = redis.call('SET', 'written', 1) return @
";

/// The same calls by `redis.pcall`.
fn caught_calls() -> String {
    let calls = rows(FAILING_CALLS).filter(|call| call.starts_with("redis.call("));
    calls
        .map(|call| call.replacen("redis.call", "redis.pcall", 1) + "\n")
        .collect()
}

#[test]
fn calls_that_fail_say_why() {
    let before = "RPUSH l a b c\nSET s x\nZADD z 1 m";
    evaluate(before, combined(FAILING_CONTEXTS, FAILING_CALLS));
    let contexts = format!("return @\nreturn @.err\n{SHOW} return show(@)\n");
    evaluate(before, combined(&contexts, &caught_calls()));
}

/// Scripts inside of transactions, and errors there.
const TRANSACTIONS: &str = r#"
MULTI
EVAL "return redis.call('INCR', KEYS[1])" 1 k
EVAL "return redis.call('INCR', KEYS[1])" 1 k
EVAL "return redis.call('LPUSH', KEYS[1], 1)" 1 k
EVAL "return 1 +" 0
EVAL "error('x')" 0
EVAL "error({err = 'MY x'})" 0
EVALSHA ffffffffffffffffffffffffffffffffffffffff 0
EVAL "return 1" x
SCRIPT LOAD "return 1"
EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db
EVAL "return redis.call('EXEC')" 0
EVAL "redis.setresp(3) return {map = {a = 1}}" 0
GET k
SCRIPT KILL
EXEC
MULTI
EVAL
EXEC
MULTI
EVALSHA
EXEC
MULTI
SCRIPT
EXEC
MULTI
SCRIPT NOSUCH
EXEC
MULTI
EVAL "redis.call('SELECT', 1) return redis.call('SET', 'other', 1)" 0
GET other
EXEC
GET other
SELECT 1
GET other

EVAL "redis.call('SELECT', 1) return redis.call('SET', 'k', 1)" 0
GET k
SELECT 1
GET k
EVAL "return redis.call('SELECT', 0)" 0
GET k

# What was done before an error stays done.
EVAL "redis.call('SET', 'k', 1) redis.call('NOSUCH')" 0
GET k
EVAL "redis.call('SET', 'k', 2) error('x')" 0
GET k
EVAL "redis.call('SET', 'k', 3) return nosuch" 0
GET k
WATCH k
EVAL "return redis.call('SET', 'k', 4)" 0
MULTI
GET k
EXEC
WATCH k
EVAL "return redis.call('GET', 'k')" 0
MULTI
GET k
EXEC
"#;

#[test]
fn scripts_run_inside_of_transactions() {
    let mut oracle = Oracle::start();
    oracle.scripts(&[TRANSACTIONS]);
    oracle.finish();
}

/// Each leaves its mark in INFO errorstats.
const COUNTED: &[&str] = &[
    "EVAL 'return 1 +' 0",
    "EVAL 'error(\"x\")' 0",
    "EVAL 'error({err = \"MINE x\"})' 0",
    "EVAL 'error({err = \"MINE x\", ignore_error_stats_update = true})' 0",
    "EVAL 'return redis.error_reply(\"OTHER x\")' 0",
    "EVAL 'return {err = \"THIRD x\"}' 0",
    "EVAL 'return {{err = \"INNER x\"}}' 0",
    "EVAL 'return redis.call(\"GET\", \"l\")' 0",
    "EVAL 'return redis.pcall(\"GET\", \"l\")' 0",
    "EVAL 'redis.pcall(\"GET\", \"l\") return 1' 0",
    "EVAL 'pcall(redis.call, \"GET\", \"l\") return 1' 0",
    "EVAL 'local ok, e = pcall(redis.call, \"GET\", \"l\") return e' 0",
    "EVAL 'local ok, e = pcall(redis.call, \"GET\", \"l\") error(e)' 0",
    "EVAL 'local e = redis.pcall(\"GET\", \"l\") error(e)' 0",
    "EVAL 'return redis.call(\"NOSUCH\")' 0",
    "EVAL 'return redis.pcall(\"NOSUCH\")' 0",
    "EVAL 'return redis.call(\"GET\")' 0",
    "EVAL 'return redis.call()' 0",
    "EVAL 'return redis.call(\"MULTI\")' 0",
    "EVAL_RO 'return redis.call(\"SET\", 1, 1)' 0",
    "EVALSHA ffffffffffffffffffffffffffffffffffffffff 0",
    "EVAL 'return nosuch' 0",
    "EVAL '#!nosuch\nreturn 1' 0",
    "EVAL 'return 1' x",
    "SCRIPT NOSUCH",
    "SCRIPT KILL",
    "FUNCTION KILL",
    "FCALL nosuch 0",
    "FUNCTION LOAD x",
];

#[test]
fn errors_of_scripts_are_counted() {
    let mut oracle = Oracle::start();
    for protocol in [2, 3] {
        oracle.reconnect(protocol);
        oracle.clear();
        oracle.type_line("RPUSH l a b c");
        for line in COUNTED {
            oracle.type_line("CONFIG RESETSTAT");
            oracle.type_line(&line.replace("\\n", "\n"));
            let counted = [0, 1].map(|index| errors_counted(&mut oracle, index));
            if counted[0] != counted[1] {
                oracle.report(&format!(
                    "{line}\n  Redis: {}\n  ours:  {}\n",
                    counted[1], counted[0]
                ));
            }
        }
    }
    oracle.finish();
}

/// The lines of INFO about errors, and the calls of each command that failed or was refused.
fn errors_counted(oracle: &mut Oracle, index: usize) -> String {
    let mut counted = Vec::new();
    for section in ["errorstats", "stats", "commandstats"] {
        let info = oracle.ask_one(index, &words(&["INFO", section]));
        let info = String::from_utf8_lossy(&info).into_owned();
        for line in info.lines() {
            let name = line.split(':').next().unwrap_or_default();
            if name.starts_with("errorstat_") || name == "total_error_replies" {
                counted.push(line.to_string());
            } else if name.starts_with("cmdstat_")
                && !name.contains("config")
                && !name.contains("info")
            {
                // Times differ.
                let figures = line.split(',').filter(|figure| !figure.starts_with("usec"));
                counted.push(figures.collect::<Vec<_>>().join(","));
            }
        }
    }
    counted.sort();
    counted.join(" ")
}
