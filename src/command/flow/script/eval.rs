//! EVAL, and SCRIPT: <https://redis.io/docs/latest/develop/interact/programmability/eval-intro/>.

use super::request::{self, ANY_READING, ANY_USE, KEYS, KEYS_TO_READ};
use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::invocation::{Invocation, Program};
use crate::command::spec::*;
use crate::lua::flags::ScriptFlags;
use crate::lua::interpreter::Kind;
use crate::state::Server;
use crate::state::scripts::{Script, ScriptDigest, digest_of};
use crate::util::quoting::split_arguments;
use std::sync::Arc;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "eval", arity: -3, handler: Script(eval), keys: &[KEYS.noting(ANY_USE)],
        script_flags: Some(eval_flags),
        flags: flags(&[NOSCRIPT, SKIP_MONITOR, MAY_REPLICATE, NO_MANDATORY_KEYS, STALE]),
        group: Group::Scripting, since: "2.6.0",
        syntax: "script numkeys [key [key ...]] [arg [arg ...]]", summary: "Executes a server-side Lua script.",
        complexity: "Depends on the script that is executed.", ..BASE },
    CommandSpec { name: "evalsha", arity: -3, handler: Script(evalsha), keys: &[KEYS],
        script_flags: Some(evalsha_flags),
        flags: flags(&[NOSCRIPT, SKIP_MONITOR, MAY_REPLICATE, NO_MANDATORY_KEYS, STALE]),
        group: Group::Scripting, since: "2.6.0",
        syntax: "sha1 numkeys [key [key ...]] [arg [arg ...]]",
        summary: "Executes a server-side Lua script by SHA1 digest.",
        complexity: "Depends on the script that is executed.", ..BASE },
    CommandSpec { name: "eval_ro", arity: -3, handler: Script(eval), keys: &[KEYS_TO_READ.noting(ANY_READING)],
        script_flags: Some(eval_flags),
        flags: flags(&[NOSCRIPT, SKIP_MONITOR, NO_MANDATORY_KEYS, STALE, READONLY]),
        group: Group::Scripting, since: "7.0.0",
        syntax: "script numkeys [key [key ...]] [arg [arg ...]]",
        summary: "Executes a read-only server-side Lua script.", complexity: "Depends on the script that is executed.",
        ..BASE },
    CommandSpec { name: "evalsha_ro", arity: -3, handler: Script(evalsha), keys: &[KEYS_TO_READ],
        script_flags: Some(evalsha_flags),
        flags: flags(&[NOSCRIPT, SKIP_MONITOR, NO_MANDATORY_KEYS, STALE, READONLY]),
        group: Group::Scripting, since: "7.0.0",
        syntax: "sha1 numkeys [key [key ...]] [arg [arg ...]]",
        summary: "Executes a read-only server-side Lua script by SHA1 digest.",
        complexity: "Depends on the script that is executed.", ..BASE },
    CommandSpec { name: "script", arity: -2, handler: Container(SCRIPT), group: Group::Scripting, since: "2.6.0",
        summary: "A container for Lua scripts management commands.", complexity: "Depends on subcommand.", ..BASE },
];

#[rustfmt::skip]
const SCRIPT: &[CommandSpec] = &[
    CommandSpec { name: "load", arity: 3, handler: NoLock(load), flags: flags(&[NOSCRIPT, STALE]),
        group: Group::Scripting, since: "2.6.0",
        syntax: "script", summary: "Loads a server-side Lua script to the script cache.",
        complexity: "O(N) with N being the length in bytes of the script body.",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"], ..BASE },
    CommandSpec { name: "exists", arity: -3, handler: NoLock(exists), flags: flags(&[NOSCRIPT]),
        group: Group::Scripting, since: "2.6.0",
        syntax: "sha1 [sha1 ...]", summary: "Determines whether server-side Lua scripts exist in the script cache.",
        complexity: "O(N) with N being the number of scripts to check (so checking a single script is an O(1) \
            operation).",
        tips: &["request_policy:all_shards", "response_policy:agg_logical_and"], ..BASE },
    CommandSpec { name: "flush", arity: -2, handler: NoLock(flush), flags: flags(&[NOSCRIPT]),
        group: Group::Scripting, since: "2.6.0",
        syntax: "[flush-type@6.2.0: ASYNC | SYNC]",
        summary: "Removes all server-side Lua scripts from the script cache.",
        complexity: "O(N) with N being the number of scripts in cache",
        history: &[("6.2.0", "Added the `ASYNC` and `SYNC` flushing mode modifiers.")],
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"], ..BASE },
    CommandSpec { name: "kill", arity: 2, handler: NoLock(kill), flags: flags(&[NOSCRIPT, ALLOW_BUSY]),
        group: Group::Scripting, since: "2.6.0",
        summary: "Terminates a server-side Lua script during execution.",
        tips: &["request_policy:all_shards", "response_policy:one_succeeded"], ..BASE },
    CommandSpec { name: "debug", arity: 3, handler: NoLock(debug), flags: flags(&[NOSCRIPT]),
        group: Group::Scripting, since: "3.2.0",
        syntax: "<mode: YES | SYNC | NO>", summary: "Sets the debug mode of server-side Lua scripts.", ..BASE },
    CommandSpec { name: "help", arity: 2, handler: NoLock(help), flags: flags(&[LOADING, STALE]),
        group: Group::Scripting, since: "5.0.0",
        summary: "Returns helpful text about the different subcommands.", ..BASE },
];

/// ```text
/// > EVAL "return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}" 1 visits hello
/// 1) "visits"
/// 2) "hello"
/// 3) (integer) 1
/// > EVAL "return redis.pcall('NOSUCH')" 0
/// (error) ERR Unknown Redis command called from script
/// > EVAL_RO "return redis.pcall('SET', KEYS[1], 1)" 1 visits
/// (error) ERR Write commands are not allowed from read-only scripts.
/// ```
fn eval(call: &mut Call) -> Result<Invocation, CommandError> {
    let keys = request::key_count(call, call.integer(2)?)?;
    let script = find_or_add(call, call.argument(1))?;
    Ok(request::invocation(call, Program::Script(script), keys))
}

/// ```text
/// > SCRIPT LOAD "return 1"
/// "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
/// > EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0
/// (integer) 1
/// > EVALSHA 0000000000000000000000000000000000000000 0
/// (error) NOSCRIPT No matching script. Please use EVAL.
/// ```
fn evalsha(call: &mut Call) -> Result<Invocation, CommandError> {
    let no_script =
        || CommandError::Other(b"NOSCRIPT No matching script. Please use EVAL.".to_vec());
    let digest = parse_digest(call.argument(1));
    // Only the length is looked at before the number of keys.
    if call.argument(1).len() != 2 * size_of::<ScriptDigest>() {
        return Err(no_script());
    }
    let keys = request::key_count(call, call.integer(2)?)?;
    let script = digest.and_then(|digest| call.server.scripts.find(&digest));
    let script = script.ok_or_else(no_script)?;
    Ok(request::invocation(call, Program::Script(script), keys))
}

/// What a script of EVAL says of itself. It need not be in the cache, nor be right.
fn eval_flags(_: &Server, arguments: &[&[u8]]) -> Option<ScriptFlags> {
    let (_, flags) = shebang(arguments.get(1)?).ok()?;
    flags
}

fn evalsha_flags(server: &Server, arguments: &[&[u8]]) -> Option<ScriptFlags> {
    let digest = parse_digest(arguments.get(1)?)?;
    server.scripts.find(&digest)?.flags
}

/// ```text
/// > SCRIPT LOAD "return 1"
/// "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
/// > SCRIPT LOAD "return ("
/// (error) ERR Error compiling script (new function): user_script:1: unexpected symbol near '<eof>'
/// ```
fn load(call: &mut Call) -> CommandResult {
    let script = find_or_add(call, call.argument(2))?;
    call.reply.bulk(script.name.as_bytes());
    Ok(())
}

/// ```text
/// > SCRIPT LOAD "return 1"
/// "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
/// > SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db nosuch
/// 1) (integer) 1
/// 2) (integer) 0
/// ```
fn exists(call: &mut Call) -> CommandResult {
    let digests = &call.arguments[2..];
    call.reply.array(digests.len());
    for text in digests {
        let script = parse_digest(text).and_then(|digest| call.server.scripts.find(&digest));
        let is_there = script.is_some();
        call.reply.integer(is_there.into());
    }
    Ok(())
}

/// ```text
/// > SCRIPT LOAD "return 1"
/// "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
/// > SCRIPT FLUSH
/// OK
/// > SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db
/// 1) (integer) 0
/// ```
fn flush(call: &mut Call) -> CommandResult {
    request::flush_mode(call, "SCRIPT FLUSH only support SYNC|ASYNC option")?;
    call.server.scripts.flush();
    call.reply.ok();
    Ok(())
}

/// ```text
/// > SCRIPT KILL
/// (error) NOTBUSY No scripts in execution right now.
/// ```
fn kill(call: &mut Call) -> CommandResult {
    request::kill(call, Kind::Scripts)
}

/// There is no debugger.
///
/// ```text
/// > SCRIPT DEBUG NO
/// OK
/// > SCRIPT DEBUG YES
/// (error) ERR this server has no debugger of scripts
/// ```
fn debug(call: &mut Call) -> CommandResult {
    if call.is_word(2, "NO") {
        call.reply.ok();
        return Ok(());
    }
    Err(CommandError::err(
        match call.is_word(2, "YES") || call.is_word(2, "SYNC") {
            true => "this server has no debugger of scripts",
            false => "Use SCRIPT DEBUG YES/SYNC/NO",
        },
    ))
}

fn help(call: &mut Call) -> CommandResult {
    call.help(&[
        "DEBUG (YES|SYNC|NO)",
        "    Set the debug mode for subsequent scripts executed.",
        "EXISTS <sha1> [<sha1> ...]",
        "    Return information about the existence of the scripts in the script cache.",
        "FLUSH [ASYNC|SYNC]",
        "    Flush the Lua scripts cache. Very dangerous on replicas.",
        "    When called without the optional mode argument, the behavior is determined by the",
        "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
        "    * ASYNC: Asynchronously flush the scripts cache.",
        "    * SYNC: Synchronously flush the scripts cache.",
        "KILL",
        "    Kill the currently executing Lua script.",
        "LOAD <script>",
        "    Load a script into the scripts cache without executing it.",
    ]);
    Ok(())
}

/// The script with this text: it is in the cache, or is compiled and put there.
fn find_or_add(call: &Call, text: &[u8]) -> Result<Arc<Script>, CommandError> {
    let scripts = &call.server.scripts;
    let digest = digest_of(text);
    if let Some(script) = scripts.find(&digest) {
        return Ok(script);
    }
    let (code_at, flags) = shebang(text)?;
    let script = Script::new(digest, text, code_at, flags);
    let mut interpreter = scripts.interpreters.take().map_err(CommandError::err)?;
    interpreter
        .compile(&script.name, script.code())
        .map_err(CommandError::NotCompiled)?;
    Ok(scripts.add(script))
}

/// What the first line of a script says if it begins with `#!`, and where the code begins. The line's end belongs to
/// the code, so that the lines of the code keep their numbers.
fn shebang(text: &[u8]) -> Result<(usize, Option<ScriptFlags>), CommandError> {
    if !text.starts_with(b"#!") {
        return Ok((0, None));
    }
    let end = text.iter().position(|byte| *byte == b'\n');
    let end = end.ok_or_else(|| CommandError::err("Invalid script shebang"))?;
    let words = split_arguments(&text[..end])
        .map_err(|_| CommandError::err("Invalid engine in script shebang"))?;
    let (engine, options) = words.split_first().expect("it begins with #!");
    if engine != b"#!lua" {
        return Err(CommandError::quoting(
            "Unexpected engine in script shebang: ",
            engine,
            "",
        ));
    }
    let mut flags = ScriptFlags::default();
    for option in options {
        let Some(names) = option.strip_prefix(b"flags=") else {
            return Err(CommandError::quoting(
                "Unknown lua shebang option: ",
                option,
                "",
            ));
        };
        for name in names
            .split(|byte| *byte == b',')
            .filter(|_| !names.is_empty())
        {
            let flag = ScriptFlags::named(name).ok_or_else(|| {
                CommandError::quoting("Unexpected flag in script shebang: ", name, "")
            })?;
            flags.add(flag);
        }
    }
    Ok((end, Some(flags)))
}

/// A digest in hexadecimal digits.
fn parse_digest(text: &[u8]) -> Option<ScriptDigest> {
    let mut digest = ScriptDigest::default();
    if text.len() != 2 * digest.len() {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    for (byte, digits) in digest.iter_mut().zip(text.chunks_exact(2)) {
        *byte = value(digits[0])? << 4 | value(digits[1])?;
    }
    Some(digest)
}
