//! Libraries of functions: loaded, listed, called, deleted, dumped and restored, and the words about what is wrong.

use crate::common::oracle::{Oracle, words};

/// What FUNCTION LOAD takes and what it refuses.
const LOADED: &str = r##"
FUNCTION FLUSH
FUNCTION LOAD
FUNCTION LOAD ""
FUNCTION LOAD x
FUNCTION LOAD x y
FUNCTION LOAD REPLACE
FUNCTION LOAD NOSUCH "#!lua name=a\nredis.register_function('f', function() end)"
FUNCTION LOAD REPLACE REPLACE "#!lua name=a\nredis.register_function('f', function() end)"
FUNCTION LOAD "redis.register_function('f', function() end)"
FUNCTION LOAD "#!"
FUNCTION LOAD "#!lua"
FUNCTION LOAD "#!lua\n"
FUNCTION LOAD "#!lua\nredis.register_function('f', function() end)"
FUNCTION LOAD "#!lua name\nredis.register_function('f', function() end)"
FUNCTION LOAD "#!lua name=\nredis.register_function('f', function() end)"
FUNCTION LOAD "#!lua name=a"
FUNCTION LOAD "#!lua name=a\n"
FUNCTION LOAD "#!lua name=a\nreturn 1"
FUNCTION LOAD "#!lua name=a-b\nredis.register_function('f', function() end)"
FUNCTION LOAD "#!lua name=a b\nredis.register_function('f', function() end)"
FUNCTION LOAD "#!lua name='a b'\nredis.register_function('f', function() end)"
FUNCTION LOAD "#!lua name=\"\"\nredis.register_function('f', function() end)"
FUNCTION LOAD "#!lua name=\xc3\xa4\nredis.register_function('f', function() end)"
FUNCTION LOAD "#!lua name=a name=b\nredis.register_function('f', function() end)"
FUNCTION LOAD "#!lua name=a nosuch=b\nredis.register_function('f', function() end)"
FUNCTION LOAD "#!lua name=a nosuch\nredis.register_function('f', function() end)"
FUNCTION LOAD "#!lua name=a flags=no-writes\nredis.register_function('f', function() end)"
FUNCTION LOAD "#!nosuch name=a\nredis.register_function('f', function() end)"
FUNCTION LOAD "#! name=a\nredis.register_function('f', function() end)"
FUNCTION LOAD "#!lua name=\"a\nredis.register_function('f', function() end)"
FUNCTION LOAD "#!lua name=a\nthis is no Lua"
FUNCTION LOAD "#!lua name=a\n\n\nerror('x')"
FUNCTION LOAD "#!lua name=a\nerror({err = 'CODE x'})"
FUNCTION LOAD "#!lua name=a\nreturn nosuch"
FUNCTION LOAD "#!lua name=a\nx = 1"
FUNCTION LOAD "#!lua name=a\nfunction x() end"
FUNCTION LOAD "#!lua name=a\nredis.call('PING')"
FUNCTION LOAD "#!lua name=a\nreturn redis.setresp(3)"
FUNCTION LOAD "#!lua name=a\nreturn math.random(10)"
FUNCTION LOAD "#!lua name=a\nreturn KEYS"
FUNCTION LOAD "#!lua name=a\nredis.register_function()"
FUNCTION LOAD "#!lua name=a\nredis.register_function('f')"
FUNCTION LOAD "#!lua name=a\nredis.register_function(1, function() end)"
FUNCTION LOAD "#!lua name=a\nredis.register_function({}, function() end)"
FUNCTION LOAD "#!lua name=a\nredis.register_function('f', 1)"
FUNCTION LOAD "#!lua name=a\nredis.register_function('f', function() end, {})"
FUNCTION LOAD "#!lua name=a\nredis.register_function('', function() end)"
FUNCTION LOAD "#!lua name=a\nredis.register_function('a-b', function() end)"
FUNCTION LOAD "#!lua name=a\nredis.register_function('a b', function() end)"
FUNCTION LOAD "#!lua name=a\nredis.register_function('f', function() end) redis.register_function('f', \
function() end)"
FUNCTION LOAD "#!lua name=a\nredis.register_function('f', function() end) redis.register_function('F', \
function() end) error('x')"
FUNCTION LOAD "#!lua name=a\nredis.register_function{}"
FUNCTION LOAD "#!lua name=a\nredis.register_function(1)"
FUNCTION LOAD "#!lua name=a\nredis.register_function{function_name='f'}"
FUNCTION LOAD "#!lua name=a\nredis.register_function{callback=function() end}"
FUNCTION LOAD "#!lua name=a\nredis.register_function{function_name=1, callback=function() end}"
FUNCTION LOAD "#!lua name=a\nredis.register_function{function_name='f', callback=1}"
FUNCTION LOAD "#!lua name=a\nredis.register_function{function_name='f', callback=function() end, nosuch=1}"
FUNCTION LOAD "#!lua name=a\nredis.register_function{function_name='f', callback=function() end, 5}"
FUNCTION LOAD "#!lua name=a\nredis.register_function{function_name='f', callback=function() end, flags=1}"
FUNCTION LOAD "#!lua name=a\nredis.register_function{function_name='f', callback=function() end, flags={'nosuch'}}"
FUNCTION LOAD "#!lua name=a\nredis.register_function{function_name='f', callback=function() end, flags={1}}"
FUNCTION LOAD "#!lua name=a\nredis.register_function{function_name='f', callback=function() end, flags={}}"
FUNCTION LIST
FUNCTION LOAD "#!lua name=a\nredis.register_function('f', function() return 1 end)"
FUNCTION LOAD "#!lua name=b\nredis.register_function('f', function() return 1 end)"
FUNCTION LOAD "#!lua name=A\nredis.register_function('g', function() return 2 end)"
FUNCTION LOAD REPLACE "#!lua name=b\nredis.register_function('f', function() return 1 end)"
FUNCTION LOAD replace "#!lua name=a\nredis.register_function('f', function() return 'new' end)"
FCALL f 0
FUNCTION LOAD REPLACE "#!lua name=a\nerror('x')"
FCALL f 0
FUNCTION LOAD REPLACE "#!lua name=a\nredis.register_function('other', function() return 'other' end)"
FCALL f 0
FCALL other 0
FUNCTION LOAD "#!LUA name=up\nredis.register_function('up', function() return 1 end)"
FUNCTION LOAD "#!lua NAME=up2\nredis.register_function('up2', function() return 1 end)"
FUNCTION LOAD "#!lua  name=spaced \nredis.register_function('spaced', function() return 1 end)"
FUNCTION FLUSH
"##;

/// Calls, with and without flags.
const CALLED: &str = r##"
FUNCTION FLUSH
FUNCTION LOAD "#!lua name=calls\n\
local counter = 0\n\
local function hidden() return 'hidden' end\n\
redis.register_function('all', function(keys, args) return {keys, args} end)\n\
redis.register_function('more', function(...) return select('#', ...) end)\n\
redis.register_function('none', function() end)\n\
redis.register_function('hides', function() return hidden() end)\n\
redis.register_function('counts', function() counter = counter + 1 return counter end)\n\
redis.register_function('globals', function() return {type(KEYS), 1} end)\n\
redis.register_function('sets', function() x = 1 end)\n\
redis.register_function('fails', function() error('x') end)\n\
redis.register_function('fails2', function() return redis.call('NOSUCH') end)\n\
redis.register_function('fails3', function() return redis.error_reply('CODE x') end)\n\
redis.register_function('fails4', function() error({err = 'CODE y'}) end)\n\
redis.register_function('fails5', function() return redis.pcall('LPUSH', 's', 1) end)\n\
redis.register_function('registers', function() redis.register_function('x', function() end) end)\n\
redis.register_function('resp', function() redis.setresp(3) return redis.call('HGETALL', 'h') end)\n\
redis.register_function('map', function() return {map = {a = 1}} end)\n\
redis.register_function('put', function(keys, args) return redis.call('SET', keys[1], args[1]) end)\n\
redis.register_function{function_name='get', callback=function(keys) return redis.call('GET', keys[1]) end, \
flags={'no-writes'}}\n\
redis.register_function{function_name='lies', callback=function(keys) return redis.call('SET', keys[1], 1) end, \
flags={'no-writes'}}\n\
redis.register_function{function_name='flags', callback=function(keys) return 'flags' end, description='all \
flags', flags={'no-writes', 'allow-oom', 'allow-stale', 'no-cluster', 'allow-cross-slot-keys'}}\n\
redis.register_function{function_name='twice', callback=function(keys) return 'twice' end, flags={'allow-oom', \
'allow-oom'}}\n\
redis.register_function('names', function() local n = {} for k, v in pairs(redis) do n[#n + 1] = k end \
table.sort(n) return n end)\n\
redis.register_function('random', function() return {math.random(100), math.random(100)} end)"
SET s x
HSET h f v
FCALL
FCALL all
FCALL all x
FCALL all -1
FCALL all 1
FCALL all 2 a
FCALL nosuch 0
FCALL "" 0
FCALL all 0
FCALL ALL 0
fcall all 0
FCALL all 1 a
FCALL all 1 a b c
FCALL all 2 a b c
FCALL more 1 a b
FCALL none 0
FCALL hides 0
FCALL hidden 0
FCALL counts 0
FCALL counts 0
FCALL globals 0
FCALL sets 0
FCALL fails 0
FCALL fails2 0
FCALL fails3 0
FCALL fails4 0
FCALL fails5 0
FCALL registers 0
FCALL resp 0
FCALL map 0
FCALL put 1 k v
FCALL get 1 k
FCALL get 1 h
FCALL lies 1 k
FCALL flags 0
FCALL twice 0
FCALL names 0
FCALL random 0
FCALL random 0
FCALL_RO
FCALL_RO get 1 k
FCALL_RO put 1 k v
FCALL_RO lies 1 k
FCALL_RO all 0
FCALL_RO flags 0
FCALL_RO nosuch 0
FCALL_RO get x
EVAL "return redis.call('FCALL', 'all', 0)" 0
EVAL "return all" 0
MULTI
FCALL put 1 k w
FCALL get 1 k
FCALL fails 0
FCALL nosuch 0
FCALL all x
EXEC
MULTI
FCALL
EXEC
COMMAND GETKEYS FCALL all 2 a b c
COMMAND GETKEYS FCALL_RO all 1 a
COMMAND GETKEYS FCALL all 0
COMMAND GETKEYS FCALL all 3 a b
COMMAND GETKEYS FCALL all x a
COMMAND GETKEYS EVAL script 2 a b c
COMMAND GETKEYS EVALSHA sha 1 a
COMMAND GETKEYS EVAL_RO script 1 a b
COMMAND GETKEYS EVALSHA_RO sha 1 a b
COMMAND GETKEYS EVAL script 0
COMMAND GETKEYS EVAL script 5 a
COMMAND GETKEYS EVAL script -1 a
COMMAND GETKEYS EVAL script x a
COMMAND GETKEYS EVAL script
COMMAND GETKEYS SCRIPT LOAD x
COMMAND GETKEYSANDFLAGS EVAL script 1 a
COMMAND GETKEYSANDFLAGS EVAL_RO script 1 a
COMMAND GETKEYSANDFLAGS FCALL f 1 a
COMMAND GETKEYSANDFLAGS FCALL_RO f 1 a
FUNCTION FLUSH
FCALL all 0
"##;

/// The container of commands on functions.
const KEPT: &str = r##"
FUNCTION FLUSH
FUNCTION
FUNCTION NOSUCH
FUNCTION HELP
FUNCTION HELP x
FUNCTION LIST
FUNCTION LIST x
FUNCTION LIST LIBRARYNAME
FUNCTION LIST WITHCODE
FUNCTION STATS
FUNCTION STATS x
FUNCTION KILL
FUNCTION KILL x
FUNCTION DELETE
FUNCTION DELETE nosuch
FUNCTION DELETE a b
FUNCTION LOAD "#!lua name=one\nredis.register_function('f', function() return 1 end)"
FUNCTION LIST
FUNCTION LIST WITHCODE
FUNCTION LIST withcode
FUNCTION LIST WITHCODE WITHCODE
FUNCTION LIST LIBRARYNAME one
FUNCTION LIST LIBRARYNAME o* WITHCODE
FUNCTION LIST WITHCODE LIBRARYNAME [n-p]ne
FUNCTION LIST LIBRARYNAME nosuch
FUNCTION LIST LIBRARYNAME one LIBRARYNAME two
FUNCTION LIST LIBRARYNAME ONE
FUNCTION STATS
FLUSHALL
FCALL f 0
FUNCTION DELETE one
FUNCTION DELETE one
FCALL f 0
FUNCTION LOAD "#!lua name=flags\nredis.register_function{function_name='g', callback=function() end, \
description='what it does', flags={'no-writes'}}"
FUNCTION LIST
FUNCTION LIST LIBRARYNAME * WITHCODE
FUNCTION FLUSH x
FUNCTION FLUSH ASYNC SYNC
FUNCTION LIST LIBRARYNAME flags
FUNCTION FLUSH ASYNC
FUNCTION LIST
FUNCTION FLUSH SYNC
FUNCTION FLUSH sync
FUNCTION DUMP x
FUNCTION RESTORE
FUNCTION RESTORE x
FUNCTION RESTORE ""
FUNCTION RESTORE x NOSUCH
FUNCTION RESTORE x FLUSH APPEND
FUNCTION RESTORE "\x0a\x00"
FUNCTION RESTORE "\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00"
MULTI
FUNCTION LOAD "#!lua name=m\nredis.register_function('m', function() return 'm' end)"
FCALL m 0
FUNCTION DELETE m
FCALL m 0
EXEC
EVAL "return redis.call('FUNCTION', 'LOAD', 'x')" 0
"##;

#[test]
fn libraries_are_loaded_and_called_alike() {
    let mut oracle = Oracle::start();
    oracle.scripts(&[LOADED, CALLED, KEPT]);
    oracle.finish();
}

/// Libraries whose dumps are taken.
const LIBRARIES: [&str; 3] = [
    "#!lua name=one\nredis.register_function('f', function() return 1 end)",
    "#!lua name=two\n\
     redis.register_function{function_name='g', callback=function() return 2 end, flags={'no-writes'}}",
    "#!lua name=long\n-- xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n\
     redis.register_function('l', function() return 'long' end)",
];

/// What of them a server holds when it restores a dump, and how: the numbers of libraries, and the policy.
const RESTORED: [(&[usize], &[usize], &[&str]); 12] = [
    (&[0], &[], &[]),
    (&[0], &[0], &[]),
    (&[0], &[1], &[]),
    (&[0], &[0], &["APPEND"]),
    (&[0], &[1], &["append"]),
    (&[0], &[0], &["REPLACE"]),
    (&[0], &[1], &["REPLACE"]),
    (&[0], &[0, 1], &["FLUSH"]),
    (&[], &[0], &["FLUSH"]),
    (&[], &[0], &[]),
    (&[2], &[0], &["FLUSH"]),
    (&[0], &[], &["APPEND", "REPLACE"]),
];

fn load(oracle: &mut Oracle, libraries: &[usize]) {
    oracle.type_line("FUNCTION FLUSH");
    for library in libraries {
        let request = words(&["FUNCTION", "LOAD", LIBRARIES[*library]]);
        ask(oracle, &request);
    }
}

/// Asks both servers, and notes how their answers differ.
fn ask(oracle: &mut Oracle, request: &[Vec<u8>]) {
    if let Some(difference) = oracle.ask(request) {
        oracle.report(&difference);
    }
}

/// The dump that the server of this number makes.
fn dump(oracle: &mut Oracle, index: usize) -> Vec<u8> {
    let answer = oracle.ask_one(index, &words(&["FUNCTION", "DUMP"]));
    let begin = answer
        .iter()
        .position(|byte| *byte == b'\n')
        .expect("a bulk string")
        + 1;
    answer[begin..answer.len() - 2].to_vec()
}

/// Bytes at the end of a dump that tell the version of the format and the checksum. 7.0 restores no dump of 7.2.
const FOOTER_BYTES: usize = 10;

/// Both servers make the same dump, and restore that of the older one.
#[test]
fn dumps_of_libraries_are_restored_alike() {
    let mut oracle = Oracle::start();
    for (dumped, held, policy) in RESTORED {
        load(&mut oracle, dumped);
        let [ours, real] = [0, 1].map(|index| dump(&mut oracle, index));
        let content = |dump: &[u8]| dump[..dump.len() - FOOTER_BYTES].escape_ascii().to_string();
        if content(&ours) != content(&real) {
            oracle.report(&format!(
                "dump\n  Redis: {}\n  ours:  {}\n",
                content(&real),
                content(&ours)
            ));
        }
        load(&mut oracle, held);
        let request = [words(&["FUNCTION", "RESTORE"]), vec![real], words(policy)].concat();
        ask(&mut oracle, &request);
        for library in ["one", "two", "long"] {
            let request = ["FUNCTION", "LIST", "LIBRARYNAME", library, "WITHCODE"];
            ask(&mut oracle, &words(&request));
        }
        for function in ["f", "g", "l"] {
            ask(&mut oracle, &words(&["FCALL", function, "0"]));
        }
        // Our server takes its own dump, whatever its version.
        load(&mut oracle, &[]);
        let request = [words(&["FUNCTION", "RESTORE"]), vec![ours]].concat();
        assert_eq!(oracle.ask_one(0, &request), b"+OK\r\n");
    }
    oracle.finish();
}

/// One function is registered by both, in libraries of different names, or under a name that is taken.
#[test]
fn a_dump_that_does_not_fit_changes_nothing() {
    let mut oracle = Oracle::start();
    let other = "#!lua name=other\nredis.register_function('f', function() return 'other' end)";
    for policy in [&[][..], &["APPEND"], &["REPLACE"], &["FLUSH"]] {
        load(&mut oracle, &[0]);
        let whole = dump(&mut oracle, 1);
        oracle.type_line("FUNCTION FLUSH");
        ask(&mut oracle, &words(&["FUNCTION", "LOAD", other]));
        let restore = |dump: &[u8]| {
            [
                words(&["FUNCTION", "RESTORE"]),
                vec![dump.to_vec()],
                words(policy),
            ]
            .concat()
        };
        ask(&mut oracle, &restore(&whole));
        oracle.type_line("FCALL f 0");
        for len in 0..whole.len() {
            ask(&mut oracle, &restore(&whole[..len]));
        }
        for place in 0..whole.len() {
            let mut spoilt = whole.clone();
            spoilt[place] ^= 1;
            ask(&mut oracle, &restore(&spoilt));
        }
        oracle.type_line("FCALL f 0");
        oracle.type_line("FUNCTION LIST");
    }
    oracle.finish();
}
