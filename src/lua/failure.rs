//! Why functions written in Rust fail, and what a script sees of it.
//!
//! What a function of mlua raises travels as an object of Rust. The functions of the sandbox that catch errors
//! (`pcall`, `xpcall`, `coroutine.resume`, the handler of the errors that end a script) have it turned by [`caught`]
//! into what Redis' functions raise: a string, or a table with the field `err`.

use super::interpreter;
use mlua::{Lua, Table, Value};
use std::fmt;

/// Why a function fails.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// As `luaL_error`: the position of the caller comes before the text.
    Error(String),
    /// As `luaL_argerror`: which argument is wrong, counted from 1, and why.
    Argument(usize, String),
    /// The whole text.
    Raised(Vec<u8>),
    /// A table with the field `err`: of the functions of the table `redis`.
    Reply(ErrorReply),
    /// The script has to end. What it catches does not matter, because the interpreter raises this again.
    Ending,
}

/// An error as it is sent to a client, its code in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorReply {
    /// The text.
    pub text: Vec<u8>,
    /// Whether the statistics of errors have counted it already.
    pub is_counted: bool,
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str(&String::from_utf8_lossy(self.text()))
    }
}

impl std::error::Error for Failure {}

impl From<Failure> for mlua::Error {
    fn from(failure: Failure) -> mlua::Error {
        mlua::Error::external(failure)
    }
}

impl Failure {
    /// An error of the general kind that becomes a table.
    pub(super) fn reply(text: &str) -> mlua::Error {
        let reply = ErrorReply {
            text: format!("ERR {text}").into_bytes(),
            is_counted: false,
        };
        Failure::Reply(reply).into()
    }

    fn text(&self) -> &[u8] {
        match self {
            Failure::Error(text) | Failure::Argument(_, text) => text.as_bytes(),
            Failure::Raised(text) => text,
            Failure::Reply(reply) => &reply.text,
            Failure::Ending => b"Script killed by user with SCRIPT KILL...",
        }
    }

    /// The failure that an error carries.
    pub(super) fn of(error: &mlua::Error) -> Option<&Failure> {
        match error {
            mlua::Error::CallbackError { cause, .. } => Failure::of(cause),
            mlua::Error::WithContext { cause, .. } => Failure::of(cause),
            mlua::Error::ExternalError(error) => error.downcast_ref(),
            _ => None,
        }
    }
}

impl ErrorReply {
    /// As a table: what `redis.pcall` returns.
    pub(super) fn to_table(&self, lua: &Lua) -> mlua::Result<Table> {
        let table = lua.create_table()?;
        table.raw_set("err", lua.create_string(&self.text)?)?;
        if self.is_counted {
            table.raw_set("ignore_error_stats_update", true)?;
        }
        Ok(table)
    }
}

/// What a script sees of an error that it has caught, and whether it is one that ends it. Then it ends the coroutine
/// that has caught it, too.
pub(super) fn caught(lua: &Lua, value: Value) -> mlua::Result<(Value, bool)> {
    let (shown, is_ending) = shown(lua, value)?;
    if is_ending {
        interpreter::end_thread(lua)?;
    }
    Ok((shown, is_ending))
}

/// What is seen of an error, and whether it is one that ends the script.
pub(super) fn shown(lua: &Lua, value: Value) -> mlua::Result<(Value, bool)> {
    let Value::Error(error) = &value else {
        return Ok((value, false));
    };
    let failure = Failure::of(error);
    let shown = match failure {
        Some(Failure::Reply(reply)) => reply.to_table(lua).map(Value::Table),
        Some(Failure::Ending) => {
            let reply = ErrorReply {
                text: coded(Failure::Ending.text()),
                is_counted: false,
            };
            reply.to_table(lua).map(Value::Table)
        }
        _ => lua.create_string(text_of(error)).map(Value::String),
    };
    Ok((shown?, matches!(failure, Some(Failure::Ending))))
}

/// An error of `redis.call` as `redis.pcall` returns it; what ends a script stays raised.
pub(super) fn caught_reply(lua: &Lua, error: mlua::Error) -> mlua::Result<Value> {
    match Failure::of(&error) {
        Some(Failure::Reply(reply)) => reply.to_table(lua).map(Value::Table),
        _ => Err(error),
    }
}

/// The text of an error, without a traceback.
pub(super) fn text_of(error: &mlua::Error) -> Vec<u8> {
    if let Some(failure) = Failure::of(error) {
        return failure.text().to_vec();
    }
    match error {
        mlua::Error::CallbackError { cause, .. } => text_of(cause),
        mlua::Error::MemoryError(_) => b"not enough memory".to_vec(),
        mlua::Error::StackError => b"stack overflow".to_vec(),
        mlua::Error::SyntaxError { message, .. } => message.clone().into_bytes(),
        mlua::Error::RuntimeError(text) => {
            let end = text.find("\nstack traceback:").unwrap_or(text.len());
            text.as_bytes()[..end].to_vec()
        }
        other => other.to_string().into_bytes(),
    }
}

/// The text of an error with a code.
pub(super) fn coded_text(error: &mlua::Error) -> Vec<u8> {
    match Failure::of(error) {
        Some(Failure::Reply(reply)) => reply.text.clone(),
        _ => coded(&text_of(error)),
    }
}

fn coded(text: &[u8]) -> Vec<u8> {
    [b"ERR ", text].concat()
}
