//! FCALL, and FUNCTION: <https://redis.io/docs/latest/develop/interact/programmability/functions-intro/>.

use super::library::{self, LoadHost};
use super::request::{self, ANY_READING, ANY_USE, KEYS, KEYS_TO_READ};
use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::invocation::{Invocation, Program};
use crate::command::spec::*;
use crate::lua::flags::ScriptFlags;
use crate::lua::interpreter::Kind;
use crate::state::Server;
use crate::state::scripts::libraries::{Hold, Library, Restoring};
use crate::util::{glob, number};

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "fcall", arity: -3, handler: Script(fcall), keys: &[KEYS.noting(ANY_USE)],
        script_flags: Some(fcall_flags),
        flags: flags(&[NOSCRIPT, SKIP_MONITOR, MAY_REPLICATE, NO_MANDATORY_KEYS, STALE]),
        group: Group::Scripting, since: "7.0.0",
        syntax: "function numkeys [key [key ...]] [arg [arg ...]]", summary: "Invokes a function.",
        complexity: "Depends on the function that is executed.", ..BASE },
    CommandSpec { name: "fcall_ro", arity: -3, handler: Script(fcall), keys: &[KEYS_TO_READ.noting(ANY_READING)],
        script_flags: Some(fcall_flags),
        flags: flags(&[NOSCRIPT, SKIP_MONITOR, NO_MANDATORY_KEYS, STALE, READONLY]),
        group: Group::Scripting, since: "7.0.0",
        syntax: "function numkeys [key [key ...]] [arg [arg ...]]", summary: "Invokes a read-only function.",
        complexity: "Depends on the function that is executed.", ..BASE },
    CommandSpec { name: "function", arity: -2, handler: Container(FUNCTION), group: Group::Scripting, since: "7.0.0",
        summary: "A container for function commands.", complexity: "Depends on subcommand.", ..BASE },
];

#[rustfmt::skip]
const FUNCTION: &[CommandSpec] = &[
    CommandSpec { name: "load", arity: -3, handler: NoLock(load), flags: flags(&[NOSCRIPT, WRITE, DENYOOM]),
        group: Group::Scripting, since: "7.0.0",
        syntax: "[REPLACE] function-code", summary: "Creates a library.",
        complexity: "O(1) (considering compilation time is redundant)",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"], ..BASE },
    CommandSpec { name: "delete", arity: 3, handler: NoLock(delete), flags: flags(&[NOSCRIPT, WRITE]),
        group: Group::Scripting, since: "7.0.0", syntax: "library-name",
        summary: "Deletes a library and its functions.",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"], ..BASE },
    CommandSpec { name: "flush", arity: -2, handler: NoLock(flush), flags: flags(&[NOSCRIPT, WRITE]),
        group: Group::Scripting, since: "7.0.0",
        syntax: "[flush-type: ASYNC | SYNC]", summary: "Deletes all libraries and functions.",
        complexity: "O(N) where N is the number of functions deleted",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"], ..BASE },
    CommandSpec { name: "kill", arity: 2, handler: NoLock(kill), flags: flags(&[NOSCRIPT, ALLOW_BUSY]),
        group: Group::Scripting, since: "7.0.0",
        summary: "Terminates a function during execution.",
        tips: &["request_policy:all_shards", "response_policy:one_succeeded"], ..BASE },
    CommandSpec { name: "list", arity: -2, handler: NoLock(list), flags: flags(&[NOSCRIPT]),
        group: Group::Scripting, since: "7.0.0",
        syntax: "[LIBRARYNAME library-name-pattern] [WITHCODE]", summary: "Returns information about all libraries.",
        complexity: "O(N) where N is the number of functions", tips: &["nondeterministic_output_order"], ..BASE },
    CommandSpec { name: "stats", arity: 2, handler: NoLock(stats), flags: flags(&[NOSCRIPT, ALLOW_BUSY]),
        group: Group::Scripting, since: "7.0.0",
        summary: "Returns information about a function during execution.",
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"], ..BASE },
    CommandSpec { name: "dump", arity: 2, handler: NoLock(dump), flags: flags(&[NOSCRIPT]),
        group: Group::Scripting, since: "7.0.0",
        summary: "Dumps all libraries into a serialized binary payload.",
        complexity: "O(N) where N is the number of functions", ..BASE },
    CommandSpec { name: "restore", arity: -3, handler: NoLock(restore), flags: flags(&[NOSCRIPT, WRITE, DENYOOM]),
        group: Group::Scripting, since: "7.0.0",
        syntax: "serialized-value [policy: FLUSH | APPEND | REPLACE]",
        summary: "Restores all libraries from a payload.",
        complexity: "O(N) where N is the number of functions on the payload",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"], ..BASE },
    CommandSpec { name: "help", arity: 2, handler: NoLock(help), flags: flags(&[LOADING, STALE]),
        group: Group::Scripting, since: "7.0.0",
        summary: "Returns helpful text about the different subcommands.", ..BASE },
];

/// ```text
/// > FUNCTION LOAD "#!lua name=mylib\nredis.register_function('count', function(keys) return #keys end)"
/// "mylib"
/// > FCALL count 2 a b
/// (integer) 2
/// > FCALL nosuch 0
/// (error) ERR Function not found
/// > FCALL_RO count 0
/// (error) ERR Can not execute a script with write flag using *_ro command.
/// ```
fn fcall(call: &mut Call) -> Result<Invocation, CommandError> {
    let table = call.server.scripts.libraries.table();
    let function = table.function(call.argument(1));
    let function = function.ok_or_else(|| CommandError::err("Function not found"))?;
    let keys = number::parse_i64(call.argument(2))
        .ok_or_else(|| CommandError::err("Bad number of keys provided"))?;
    let keys = request::key_count(call, keys)?;
    Ok(request::invocation(
        call,
        Program::Function(function.clone()),
        keys,
    ))
}

fn fcall_flags(server: &Server, arguments: &[&[u8]]) -> Option<ScriptFlags> {
    let table = server.scripts.libraries.table();
    let function = table.function(arguments.get(1)?)?;
    Some(function.flags())
}

/// ```text
/// > FUNCTION LOAD "#!lua name=mylib\nredis.register_function('f', function() return 1 end)"
/// "mylib"
/// > FUNCTION LOAD "#!lua name=mylib\nredis.register_function('f', function() return 2 end)"
/// (error) ERR Library 'mylib' already exists
/// > FUNCTION LOAD REPLACE "#!lua name=mylib\nredis.register_function('f', function() return 2 end)"
/// "mylib"
/// > FCALL f 0
/// (integer) 2
/// ```
fn load(call: &mut Call) -> CommandResult {
    let text = call.arguments.len() - 1;
    if let Some(option) = (2..text).find(|index| !call.is_word(*index, "REPLACE")) {
        return Err(CommandError::quoting(
            "Unknown option given: ",
            call.argument(option),
            "",
        ));
    }
    let replaces = text > 2;
    let libraries = &call.server.scripts.libraries;
    let code = call.argument(text);
    let compiled = libraries.compile(code, replaces, &mut LoadHost::new(call.server));
    let compiled = compiled.map_err(library::error)?;
    let name = compiled.name.clone();
    change(call, |hold| {
        let added = libraries.add(hold, compiled, replaces);
        added.map_err(library::error)?;
        Ok(vec![b"FUNCTION", b"LOAD", b"REPLACE", code])
    })?;
    call.reply.bulk(&name);
    Ok(())
}

/// Changes the libraries, while no other thread does and the role of the server stays as it is. `change` gives the
/// effect that is noted for the journal.
///
/// A snapshot may have libraries that came after its moment, and the journal tells of them again. So what is noted does
/// not depend on what was there: it says REPLACE, even if nothing was replaced.
fn change<'a>(
    call: &Call<'a>,
    change: impl FnOnce(&Hold<'_>) -> Result<Vec<&'a [u8]>, CommandError>,
) -> CommandResult {
    let hold = call.server.scripts.libraries.hold();
    if call.is_refused_by_replica() {
        return Err(CommandError::ReadOnlyReplica);
    }
    let effect = change(&hold)?;
    call.server.keyspace.listeners.record(0, &effect);
    drop(hold);
    call.server.keyspace.count_change();
    Ok(())
}

/// ```text
/// > FUNCTION LOAD "#!lua name=mylib\nredis.register_function('f', function() return 1 end)"
/// "mylib"
/// > FUNCTION DELETE mylib
/// OK
/// > FUNCTION DELETE mylib
/// (error) ERR Library not found
/// ```
fn delete(call: &mut Call) -> CommandResult {
    let name = call.argument(2);
    let libraries = &call.server.scripts.libraries;
    change(call, |hold| match libraries.delete(hold, name) {
        true => Ok(vec![b"FUNCTION", b"DELETE", name]),
        false => Err(CommandError::err("Library not found")),
    })?;
    call.reply.ok();
    Ok(())
}

/// ```text
/// > FUNCTION FLUSH
/// OK
/// ```
fn flush(call: &mut Call) -> CommandResult {
    if call.arguments.len() > 3 {
        return Err(CommandError::misused_subcommand(
            "FUNCTION",
            call.argument(1),
        ));
    }
    request::flush_mode(call, "FUNCTION FLUSH only supports SYNC|ASYNC option")?;
    let libraries = &call.server.scripts.libraries;
    change(call, |hold| {
        libraries.flush(hold);
        Ok(vec![b"FUNCTION", b"FLUSH"])
    })?;
    call.reply.ok();
    Ok(())
}

/// ```text
/// > FUNCTION KILL
/// (error) NOTBUSY No scripts in execution right now.
/// ```
fn kill(call: &mut Call) -> CommandResult {
    request::kill(call, Kind::Functions)
}

/// ```text
/// > FUNCTION LOAD "#!lua name=mylib\nredis.register_function('f', function() return 1 end)"
/// "mylib"
/// > FUNCTION LIST LIBRARYNAME my*
/// 1) 1) "library_name"
///    2) "mylib"
///    3) "engine"
///    4) "LUA"
///    5) "functions"
///    6) 1) 1) "name"
///          2) "f"
///          3) "description"
///          4) (nil)
///          5) "flags"
///          6) (empty array)
/// ```
fn list(call: &mut Call) -> CommandResult {
    let (mut pattern, mut with_code) = (None, false);
    let mut index = 2;
    while index < call.arguments.len() {
        if !with_code && call.is_word(index, "WITHCODE") {
            with_code = true;
        } else if pattern.is_none() && call.is_word(index, "LIBRARYNAME") {
            index += 1;
            let given = call.arguments.get(index);
            pattern = Some(
                *given.ok_or_else(|| CommandError::err("library name argument was not given"))?,
            );
        } else {
            return Err(CommandError::quoting(
                "Unknown argument ",
                call.argument(index),
                "",
            ));
        }
        index += 1;
    }
    let table = call.server.scripts.libraries.table();
    let is_wanted = |library: &&std::sync::Arc<Library>| {
        pattern.is_none_or(|pattern| glob::matches_ignore_case(pattern, &library.name))
    };
    let wanted: Vec<_> = table.libraries.values().filter(is_wanted).collect();
    call.reply.array(wanted.len());
    wanted
        .into_iter()
        .for_each(|library| show(call, library, with_code));
    Ok(())
}

fn show(call: &mut Call, library: &Library, with_code: bool) {
    let reply = &mut *call.reply;
    reply.map(3 + usize::from(with_code));
    reply.bulk(b"library_name");
    reply.bulk(&library.name);
    reply.bulk(b"engine");
    reply.bulk(b"LUA");
    reply.bulk(b"functions");
    reply.array(library.functions.len());
    for function in &library.functions {
        let registration = &function.registration;
        reply.map(3);
        reply.bulk(b"name");
        reply.bulk(&registration.name);
        reply.bulk(b"description");
        reply.bulk_or_null(registration.description.as_deref());
        reply.bulk(b"flags");
        reply.set(registration.flags.names().count());
        registration
            .flags
            .names()
            .for_each(|name| reply.simple(name));
    }
    if with_code {
        reply.bulk(b"library_code");
        reply.bulk(&library.text);
    }
}

/// ```text
/// > FUNCTION STATS
/// 1) "running_script"
/// 2) (nil)
/// 3) "engines"
/// 4) 1) "LUA"
///    2) 1) "libraries_count"
///       2) (integer) 0
///       3) "functions_count"
///       4) (integer) 0
/// ```
fn stats(call: &mut Call) -> CommandResult {
    let scripts = &call.server.scripts;
    let reply = &mut *call.reply;
    reply.map(2);
    reply.bulk(b"running_script");
    match scripts.busy.first(Some(Kind::Functions)) {
        None if scripts.busy.is_any() => return Err(CommandError::Busy(Kind::Scripts)),
        None => reply.null(),
        Some(script) => {
            reply.map(3);
            reply.bulk(b"name");
            reply.bulk(script.name.as_bytes());
            reply.bulk(b"command");
            reply.array(script.command.len());
            script
                .command
                .iter()
                .for_each(|argument| reply.bulk(argument));
            reply.bulk(b"duration_ms");
            reply.integer(script.stopwatch.elapsed().as_millis() as i64);
        }
    }
    let table = scripts.libraries.table();
    reply.bulk(b"engines");
    reply.map(1);
    reply.bulk(b"LUA");
    reply.map(2);
    reply.bulk(b"libraries_count");
    reply.count(table.libraries.len());
    reply.bulk(b"functions_count");
    reply.count(table.functions());
    Ok(())
}

/// The libraries as a string, for FUNCTION RESTORE.
fn dump(call: &mut Call) -> CommandResult {
    let table = call.server.scripts.libraries.table();
    let texts = table.libraries.values().map(|library| &library.text[..]);
    call.reply.bulk(&library::payload(
        texts,
        call.server.config.rdbcompression.get(),
    ));
    Ok(())
}

/// ```text
/// > FUNCTION RESTORE nonsense
/// (error) ERR DUMP payload version or checksum are wrong
/// > FUNCTION RESTORE nonsense SOMEHOW
/// (error) ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.
/// ```
fn restore(call: &mut Call) -> CommandResult {
    let restoring = match call.arguments.len() {
        3 => Restoring::Append,
        4 if call.is_word(3, "APPEND") => Restoring::Append,
        4 if call.is_word(3, "REPLACE") => Restoring::Replace,
        4 if call.is_word(3, "FLUSH") => Restoring::Flush,
        4 => {
            return Err(CommandError::err(
                "Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
            ));
        }
        _ => {
            return Err(CommandError::misused_subcommand(
                "FUNCTION",
                call.argument(1),
            ));
        }
    };
    let payload = call.argument(2);
    let texts = library::texts(payload)?;
    let libraries = &call.server.scripts.libraries;
    let policy: &[u8] = match restoring {
        Restoring::Flush => b"FLUSH",
        Restoring::Append | Restoring::Replace => b"REPLACE",
    };
    let compiled = libraries.compile_all(&texts, &mut LoadHost::new(call.server));
    let compiled = compiled.map_err(library::error)?;
    change(call, |hold| {
        let put = libraries.put(hold, compiled, restoring);
        put.map_err(library::error)?;
        Ok(vec![b"FUNCTION", b"RESTORE", payload, policy])
    })?;
    call.reply.ok();
    Ok(())
}

fn help(call: &mut Call) -> CommandResult {
    call.help(&[
        "LOAD [REPLACE] <FUNCTION CODE>",
        "    Create a new library with the given library name and code.",
        "DELETE <LIBRARY NAME>",
        "    Delete the given library.",
        "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
        "    Return general information on all the libraries:",
        "    * Library name",
        "    * The engine used to run the Library",
        "    * Library description",
        "    * Functions list",
        "    * Library code (if WITHCODE is given)",
        "    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
        "STATS",
        "    Return information about the current function running:",
        "    * Function name",
        "    * Command used to run the function",
        "    * Duration in MS that the function is running",
        "    If no function is running, return nil",
        "    In addition, returns a list of available engines.",
        "KILL",
        "    Kill the current running function.",
        "FLUSH [ASYNC|SYNC]",
        "    Delete all the libraries.",
        "    When called without the optional mode argument, the behavior is determined by the",
        "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
        "    * ASYNC: Asynchronously flush the libraries.",
        "    * SYNC: Synchronously flush the libraries.",
        "DUMP",
        "    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE \
         command",
        "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
        "    Restore the libraries represented by the given payload, it is possible to give a restore policy to",
        "    control how to handle existing libraries (default APPEND):",
        "    * FLUSH: delete all existing libraries.",
        "    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.",
        "    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old",
        "      libraries with the new libraries (notice that even on this option there is a chance of failure",
        "      in case of functions name collision with another library).",
    ]);
    Ok(())
}
