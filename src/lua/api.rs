//! The table `redis` that scripts use:
//! <https://redis.io/docs/latest/develop/interact/programmability/lua-api/#the-redis-object>.
//!
//! Its functions live as long as the interpreter; the [`Host`] that they ask is that of the script which runs on this
//! thread now.

use super::failure::{self, ErrorReply, Failure};
use super::host::{Host, LogLevel, Targets};
use super::interpreter::Unlimited;
use super::to_lua;
use crate::REDIS_VERSION;
use crate::resp::reply::{Protocol, Reply};
use crate::util::number::{format_f64_by_digits, hex};
use mlua::{BorrowedBytes, Lua, MultiValue, Table, Value};
use sha1::{Digest, Sha1};
use smallvec::SmallVec;

scoped_tls_hkt::scoped_thread_local!(
    /// The server as the script sees it that runs on this thread.
    pub(super) static mut HOST: for<'a> &'a mut (dyn Host + 'a)
);

const TO_LOG: i64 = 1;
const TO_REPLICAS: i64 = 2;

const NO_ARGUMENTS: &str = "Please specify at least one argument for this redis lib call";
const WRONG_TYPE: &str = "Lua redis lib command arguments must be strings or integers";

/// The functions and constants that all scripts have.
pub(super) fn open(lua: &Lua) -> mlua::Result<Table> {
    let redis = lua.create_table()?;
    let set = |name: &str, value: mlua::Function| redis.raw_set(name, value);
    set("call", lua.create_function(call)?)?;
    set("pcall", lua.create_function(pcall)?)?;
    set("log", lua.create_function(log)?)?;
    set("setresp", lua.create_function(setresp)?)?;
    set("sha1hex", lua.create_function(sha1hex)?)?;
    set("error_reply", lua.create_function(error_reply)?)?;
    set("status_reply", lua.create_function(status_reply)?)?;
    set("set_repl", lua.create_function(set_repl)?)?;
    set("acl_check_cmd", lua.create_function(acl_check_cmd)?)?;
    set_constants(&redis)?;
    for (name, targets) in [
        ("REPL_NONE", 0),
        ("REPL_AOF", TO_LOG),
        ("REPL_SLAVE", TO_REPLICAS),
        ("REPL_REPLICA", TO_REPLICAS),
        ("REPL_ALL", TO_LOG | TO_REPLICAS),
    ] {
        redis.raw_set(name, targets)?;
    }
    Ok(redis)
}

/// Adds what only EVAL's scripts have. There is no debugger, so its functions do what they do in Redis without one.
pub(super) fn add_for_eval(lua: &Lua, redis: &Table) -> mlua::Result<()> {
    let set = |name: &str, value: mlua::Function| redis.raw_set(name, value);
    set(
        "breakpoint",
        lua.create_function(|_, _: MultiValue| Ok(false))?,
    )?;
    set("debug", lua.create_function(|_, _: MultiValue| Ok(()))?)?;
    set(
        "replicate_commands",
        lua.create_function(|_, _: MultiValue| Ok(true))?,
    )
}

/// The table `redis` while a library of functions is loaded: it can register functions, and call nothing.
pub(super) fn open_for_loading(lua: &Lua) -> mlua::Result<Table> {
    let redis = lua.create_table()?;
    redis.raw_set("log", lua.create_function(log)?)?;
    set_constants(&redis)?;
    Ok(redis)
}

fn set_constants(redis: &Table) -> mlua::Result<()> {
    redis.raw_set("REDIS_VERSION", REDIS_VERSION)?;
    let parts = REDIS_VERSION.split('.').map(str::parse::<u32>);
    let number = parts.fold(0, |number, part| number << 8 | part.expect("a number"));
    redis.raw_set("REDIS_VERSION_NUM", number)?;
    for (level, name) in ["LOG_DEBUG", "LOG_VERBOSE", "LOG_NOTICE", "LOG_WARNING"]
        .iter()
        .enumerate()
    {
        redis.raw_set(*name, level)?;
    }
    Ok(())
}

/// `redis.call`: an error reply ends the script, unless it is caught.
fn call(lua: &Lua, arguments: MultiValue) -> mlua::Result<Value> {
    run_command(lua, &arguments, |reply| match to_lua::error(reply) {
        Some(error) => Err(Failure::Reply(error).into()),
        None => to_lua::value(lua, reply),
    })
}

/// `redis.pcall`: an error reply is a table with the field `err`.
fn pcall(lua: &Lua, arguments: MultiValue) -> mlua::Result<Value> {
    run_command(lua, &arguments, |reply| to_lua::value(lua, reply))
        .or_else(|error| failure::caught_reply(lua, error))
}

/// Runs a command, and hands over its reply.
fn run_command(
    lua: &Lua,
    arguments: &MultiValue,
    convert: impl FnOnce(&[u8]) -> mlua::Result<Value>,
) -> mlua::Result<Value> {
    if !HOST.is_set() {
        return Err(outside_of_script("redis.call/pcall"));
    }
    let _unlimited = Unlimited::new(lua);
    with_bytes(arguments, |arguments| {
        let mut reply = Reply::default();
        HOST.with(|host| host.call(arguments, &mut reply))
            .map_err(|_| Failure::Ending)?;
        convert(&reply.into_bytes())
    })
}

/// Hands over the arguments of a command as bytes.
fn with_bytes<R>(
    arguments: &MultiValue,
    work: impl FnOnce(&[&[u8]]) -> mlua::Result<R>,
) -> mlua::Result<R> {
    if arguments.is_empty() {
        return Err(Failure::reply(NO_ARGUMENTS));
    }
    let borrowed: Option<SmallVec<[Argument; 6]>> = arguments.iter().map(Argument::new).collect();
    let borrowed = borrowed.ok_or_else(|| Failure::reply(WRONG_TYPE))?;
    let bytes: SmallVec<[&[u8]; 6]> = borrowed.iter().map(Argument::bytes).collect();
    work(&bytes)
}

/// An argument of a command.
enum Argument {
    String(BorrowedBytes),
    Number(Vec<u8>),
}

impl Argument {
    fn new(value: &Value) -> Option<Argument> {
        Some(match value {
            Value::String(string) => Argument::String(string.as_bytes()),
            Value::Number(number) => Argument::Number(digits_of(*number)),
            Value::Integer(number) => Argument::Number(digits_of(*number as f64)),
            _ => return None,
        })
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Argument::String(bytes) => bytes,
            Argument::Number(digits) => digits,
        }
    }
}

/// A number with as many digits as distinguish it from all others, which are more than `tostring` gives.
fn digits_of(number: f64) -> Vec<u8> {
    let mut digits = Vec::new();
    if number.is_nan() && number.is_sign_negative() {
        digits.push(b'-');
    }
    format_f64_by_digits(number, &mut digits);
    digits
}

fn outside_of_script(function: &str) -> mlua::Error {
    Failure::reply(&format!(
        "{function} can only be called inside a script invocation"
    ))
}

fn log(lua: &Lua, arguments: MultiValue) -> mlua::Result<()> {
    if arguments.len() < 2 {
        return Err(Failure::reply(
            "redis.log() requires two arguments or more.",
        ));
    }
    let Some(level) = lua.coerce_number(arguments[0].clone())? else {
        return Err(Failure::reply(
            "First argument must be a number (log level).",
        ));
    };
    let level = match level as i64 {
        0 => LogLevel::Debug,
        1 => LogLevel::Verbose,
        2 => LogLevel::Notice,
        3 => LogLevel::Warning,
        _ => return Err(Failure::reply("Invalid debug level.")),
    };
    let mut text = Vec::new();
    for (index, value) in arguments.iter().enumerate().skip(1) {
        if let Some(string) = lua.coerce_string(value.clone())? {
            if index > 1 {
                text.push(b' ');
            }
            text.extend_from_slice(&string.as_bytes());
        }
    }
    if HOST.is_set() {
        HOST.with(|host| host.log(level, &text));
    }
    Ok(())
}

fn setresp(lua: &Lua, arguments: MultiValue) -> mlua::Result<()> {
    if !HOST.is_set() {
        return Err(outside_of_script("redis.setresp"));
    }
    if arguments.len() != 1 {
        return Err(Failure::reply("redis.setresp() requires one argument."));
    }
    let protocol = match lua
        .coerce_number(arguments[0].clone())?
        .map(|number| number as i64)
    {
        Some(2) => Protocol::Resp2,
        Some(3) => Protocol::Resp3,
        _ => return Err(Failure::reply("RESP version must be 2 or 3.")),
    };
    HOST.with(|host| host.set_protocol(protocol));
    Ok(())
}

fn sha1hex(lua: &Lua, arguments: MultiValue) -> mlua::Result<String> {
    if arguments.len() != 1 {
        return Err(Failure::reply("wrong number of arguments"));
    }
    // As in Redis, what is no string is hashed as an empty one.
    let digest = match lua.coerce_string(arguments[0].clone())? {
        Some(string) => Sha1::digest(string.as_bytes()),
        None => Sha1::digest(b""),
    };
    Ok(hex(&digest))
}

fn error_reply(lua: &Lua, arguments: MultiValue) -> mlua::Result<Table> {
    let error = match single_string(&arguments) {
        Some(text) => {
            let text = text.strip_prefix(b"-").unwrap_or(&text);
            ErrorReply {
                is_counted: false,
                ..to_lua::error_of(trimmed(text))
            }
        }
        None => wrong_number_or_type(),
    };
    error.to_table(lua)
}

fn status_reply(lua: &Lua, arguments: MultiValue) -> mlua::Result<Table> {
    let Some(text) = single_string(&arguments) else {
        return wrong_number_or_type().to_table(lua);
    };
    let table = lua.create_table()?;
    table.raw_set("ok", lua.create_string(text)?)?;
    Ok(table)
}

fn wrong_number_or_type() -> ErrorReply {
    ErrorReply {
        text: b"ERR wrong number or type of arguments".to_vec(),
        is_counted: false,
    }
}

fn single_string(arguments: &MultiValue) -> Option<Vec<u8>> {
    match arguments.front() {
        Some(Value::String(string)) if arguments.len() == 1 => Some(string.as_bytes().to_vec()),
        _ => None,
    }
}

/// A line without the ends of lines around it.
fn trimmed(text: &[u8]) -> &[u8] {
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let start = text.iter().take_while(|byte| is_end(byte)).count();
    let text = &text[start..];
    let end = text.iter().rev().take_while(|byte| is_end(byte)).count();
    &text[..text.len() - end]
}

fn set_repl(lua: &Lua, arguments: MultiValue) -> mlua::Result<()> {
    if !HOST.is_set() {
        return Err(outside_of_script("redis.set_repl"));
    }
    if arguments.len() != 1 {
        return Err(Failure::reply("redis.set_repl() requires one argument."));
    }
    let flags = lua.coerce_number(arguments[0].clone())?.unwrap_or_default() as i64;
    if flags & !(TO_LOG | TO_REPLICAS) != 0 {
        return Err(Failure::reply(
            "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.",
        ));
    }
    let targets = Targets {
        log: flags & TO_LOG != 0,
        replicas: flags & TO_REPLICAS != 0,
    };
    HOST.with(|host| host.set_replication(targets));
    Ok(())
}

fn acl_check_cmd(_: &Lua, arguments: MultiValue) -> mlua::Result<bool> {
    if !HOST.is_set() {
        return Err(outside_of_script("redis.acl_check_cmd"));
    }
    let permits = with_bytes(&arguments, |arguments| {
        Ok(HOST.with(|host| host.permits(arguments)))
    })?;
    permits.ok_or_else(|| Failure::reply("Invalid command passed to redis.acl_check_cmd()"))
}
