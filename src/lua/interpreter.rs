//! An interpreter: one state of Lua with the sandbox, and the scripts that it has compiled.
//!
//! # Invariants
//!
//! 1. One thread at a time uses an interpreter, and one script at a time runs in it.
//! 2. A script does not change what the next one sees: the tables that all scripts see are protected (`sandbox.lua`),
//!    and an interpreter that was told to end a script, or has grown large, is not used again
//!    ([`fit_bytes`](Interpreter::fit_bytes)). Three things stay, as in Redis: the settings of `cjson`, those of the
//!    garbage collector, and the variables that a library of functions keeps.
//! 3. While a script runs, its memory is limited; a script that needs more ends with an error. While this server
//!    converts arguments and replies it is not: they are as large as what the server holds already, and mlua's
//!    conversions cost twice as much if they may fail. Nor is it while a library decodes a text so short that the
//!    values in it are certain to fit.

use super::api::{self, HOST};
use super::failure::{self, ErrorReply, Failure};
use super::functions::{Register, globals_for_loading};
use super::host::{Host, STEPS_BETWEEN_LOOKS};
use super::library;
use super::position;
use super::random::{self, Generator};
use super::to_lua;
use super::to_reply::Writer;
use crate::resp::reply::Reply;
use crate::util::quoting::c_string;
use foldhash::{HashMap, HashSet};
use mlua::{Function, HookTriggers, Lua, LuaOptions, StdLib, Table, Value, VmState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Bytes of memory that a script may use.
pub const MOST_BYTES: usize = 1 << 30;
/// Bytes with which an interpreter is kept for other scripts.
const FIT_BYTES: usize = 16 << 20;
/// Compiled scripts that an interpreter keeps. A program that writes values into its scripts has ever new ones.
const MOST_SCRIPTS: usize = 4_096;
/// How Redis names the chunk of a script; error texts show it.
const SCRIPT_CHUNK: &str = "@user_script";
/// How the chunk of a library of functions is named.
const LIBRARY_CHUNK: &str = "@user_function";

/// What the interpreters run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Scripts of EVAL.
    Scripts,
    /// Functions of libraries (FUNCTION LOAD).
    Functions,
}

/// One state of Lua.
pub struct Interpreter {
    pub(super) lua: Lua,
    /// The contents of the table of globals, which scripts see protected.
    globals: Table,
    /// Compiles a text.
    load_text: Function,
    /// Keeps a compiled script. In a table of Lua, as the functions of libraries, because mlua can have 8,000
    /// references to values at the most.
    add_script: Function,
    forget_scripts: Function,
    /// Runs a script that was added, and catches its error.
    run_script: Function,
    /// Runs a function of a library, and catches its error.
    pub(super) run_function: Function,
    /// Whether a script had to be ended.
    is_broken: Arc<AtomicBool>,
    /// The scripts that were added, by their names: their numbers, which mlua hands over faster than the names.
    scripts: HashMap<Box<str>, usize>,
    /// What each library has registered, by the number of the library.
    pub(super) libraries: Table,
    /// The numbers of the libraries.
    pub(super) library_numbers: HashSet<u64>,
    pub(super) register: Register,
    /// The contents of the table of globals while a library is loaded.
    globals_for_loading: Table,
    /// Sets what the functions of libraries see as globals.
    switch: Function,
}

/// What a script is given.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Its name in error texts: the digest of a script, the name of a function.
    pub name: &'a str,
    /// `KEYS`, or a function's first argument.
    pub keys: &'a [&'a [u8]],
    /// `ARGV`, or a function's second argument.
    pub arguments: &'a [&'a [u8]],
}

/// How a script ended.
#[derive(Debug)]
pub enum Outcome {
    /// It has returned something, which is its reply. Errors that are part of the reply are to be counted.
    Returned(Vec<ErrorReply>),
    /// With an error.
    Failed(ErrorReply),
}

impl Interpreter {
    /// An interpreter without scripts.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn new(kind: Kind, generator: Arc<Generator>) -> mlua::Result<Interpreter> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        let lua = Lua::new_with(libraries, LuaOptions::default())?;
        let tables = lua.create_table()?;
        let std = lua.globals();
        for name in ["table", "string", "math", "coroutine"] {
            tables.raw_set(name, std.raw_get::<Table>(name)?)?;
        }
        random::install(&lua, &tables.raw_get("math")?, generator)?;
        library::open_all(&lua, &tables)?;
        let redis = api::open(&lua)?;
        if kind == Kind::Scripts {
            api::add_for_eval(&lua, &redis)?;
        }
        tables.raw_set("redis", redis)?;
        let native = lua.create_table()?;
        native.raw_set("caught", lua.create_function(failure::caught)?)?;
        native.raw_set("shown", lua.create_function(failure::shown)?)?;
        native.raw_set("raise", lua.create_function(position::raise)?)?;
        native.raw_set("locate", lua.create_function(position::locate)?)?;
        let sandbox = lua
            .load(include_str!("sandbox.lua"))
            .set_name(position::SANDBOX_CHUNK);
        let sandbox: Table = sandbox.call((native, tables, kind == Kind::Functions))?;
        lua.set_globals(sandbox.raw_get("shown")?)?;
        let register = Register::default();
        let protect = sandbox.raw_get("protect")?;
        let interpreter = Interpreter {
            globals_for_loading: globals_for_loading(&lua, register.clone(), &protect)?,
            globals: sandbox.raw_get("globals")?,
            load_text: sandbox.raw_get("load_text")?,
            add_script: sandbox.raw_get("add_script")?,
            forget_scripts: sandbox.raw_get("forget_scripts")?,
            run_script: sandbox.raw_get("run_script")?,
            run_function: sandbox.raw_get("run_function")?,
            switch: sandbox.raw_get("switch")?,
            scripts: HashMap::default(),
            libraries: lua.create_table()?,
            library_numbers: HashSet::default(),
            is_broken: Arc::default(),
            register,
            lua,
        };
        interpreter.set_hook()?;
        Ok(interpreter)
    }

    /// Bytes of memory in use, if another script may run in it.
    pub fn fit_bytes(&self) -> Option<usize> {
        let bytes = self.lua.used_memory();
        (bytes < FIT_BYTES && !self.is_broken.load(Relaxed)).then_some(bytes)
    }

    /// Compiles a script, if it is not compiled yet. `body` is what comes after a shebang.
    ///
    /// # Errors
    /// The text of Lua's error, if it is no Lua.
    pub fn compile(&mut self, name: &str, body: &[u8]) -> Result<(), Vec<u8>> {
        if self.scripts.contains_key(name) {
            return Ok(());
        }
        let text_of = |error: mlua::Error| failure::text_of(&error);
        if self.scripts.len() == MOST_SCRIPTS {
            self.forget_scripts.call::<()>(()).map_err(text_of)?;
            self.scripts.clear();
        }
        let function = self.chunk(body, SCRIPT_CHUNK)?;
        let number = self.scripts.len();
        let added = self.add_script.call::<()>((number, function));
        added.map_err(text_of)?;
        self.scripts.insert(name.into(), number);
        Ok(())
    }

    pub(super) fn compile_library(&self, body: &[u8]) -> Result<Function, Vec<u8>> {
        self.chunk(body, LIBRARY_CHUNK)
    }

    /// Compiles a text. Not by mlua's own function, because the message of an error need not be UTF-8.
    fn chunk(&self, body: &[u8], name: &str) -> Result<Function, Vec<u8>> {
        let compile = || {
            let arguments = (self.lua.create_string(body)?, name);
            self.limited(|| self.load_text.call::<(Value, Value)>(arguments))
        };
        match compile() {
            Ok((Value::Function(function), _)) => Ok(function),
            Ok((_, Value::String(message))) => Err(message.as_bytes().to_vec()),
            Ok(_) => Err(b"the text is not compiled".to_vec()),
            Err(error) => Err(failure::text_of(&error)),
        }
    }

    /// Runs a script that was compiled before. Its reply is written in the protocol of `reply`.
    pub fn run_script(&self, input: Input, host: &mut dyn Host, reply: &mut Reply) -> Outcome {
        self.run(input, host, reply, |keys, arguments| {
            self.run_script
                .call((self.scripts.get(input.name).copied(), keys, arguments))
        })
    }

    /// Runs what `program` calls with the tables of keys and arguments. Everything happens in one scope of mlua: it
    /// holds the lock of the state, which each use of a value would take otherwise.
    pub(super) fn run(
        &self,
        input: Input,
        host: &mut dyn Host,
        reply: &mut Reply,
        program: impl FnOnce(Option<Table>, Option<Table>) -> mlua::Result<(bool, Value)>,
    ) -> Outcome {
        let mark = reply.undo_point();
        let outcome = self.lua.scope(|_| {
            let (keys, arguments) = (self.array(input.keys)?, self.array(input.arguments)?);
            let run = || match self.limited(|| program(keys, arguments))? {
                (true, value) => Ok(Ok(value)),
                // To look at an error may run code of the script, its metamethods.
                (false, error) => self.limited(|| self.failure(input.name, error).map(Err)),
            };
            match HOST.set(&mut *host, run)? {
                Ok(value) => {
                    let writer = Writer::new(&self.lua, reply, host);
                    writer.write(&value).map(Outcome::Returned)
                }
                Err(failure) => Ok(Outcome::Failed(failure)),
            }
        });
        outcome.unwrap_or_else(|error| {
            reply.undo_to(mark);
            Outcome::Failed(unhandled(input.name, &error))
        })
    }

    /// Shows functions the globals that a library sees while it is loaded, or those that they see when they are called.
    pub(super) fn switch_globals(&self, is_loading: bool) -> mlua::Result<()> {
        let to = match is_loading {
            true => &self.globals_for_loading,
            false => &self.globals,
        };
        self.switch.call(to)
    }

    /// The error that has ended a script, as its client sees it.
    fn failure(&self, name: &str, value: Value) -> mlua::Result<ErrorReply> {
        let Value::Table(table) = value else {
            let message = match self.lua.coerce_string(value)? {
                Some(message) => message.to_string_lossy(),
                None => "execution failure".to_string(),
            };
            return Ok(ErrorReply {
                text: format!("ERR Error running script {name}, {message:.100}\n").into_bytes(),
                is_counted: false,
            });
        };
        let field = |name: &str| -> mlua::Result<Option<Vec<u8>>> {
            let string = self.lua.coerce_string(table.get(name)?)?;
            Ok(string.map(|string| string.as_bytes().to_vec()))
        };
        let text = field("err")?.unwrap_or_else(|| b"ERR unknown error".to_vec());
        let mut text = c_string(&text).to_vec();
        if let (Some(source), Some(line)) = (field("source")?, field("line")?) {
            let place = [
                b" script: ",
                name.as_bytes(),
                b", on ",
                &source,
                b":",
                &line,
                b".",
            ];
            place.iter().for_each(|piece| text.extend_from_slice(piece));
        }
        let is_counted: Value = table.get("ignore_error_stats_update")?;
        Ok(ErrorReply {
            text,
            is_counted: matches!(is_counted, Value::Boolean(true)),
        })
    }

    /// A table of strings; `None` if there are none.
    fn array(&self, strings: &[&[u8]]) -> mlua::Result<Option<Table>> {
        if strings.is_empty() {
            return Ok(None);
        }
        let string = |index: usize| to_lua::string(&self.lua, strings[index]);
        to_lua::array(&self.lua, strings.len(), string).map(Some)
    }

    /// Works with limited memory.
    pub(super) fn limited<R>(&self, work: impl FnOnce() -> mlua::Result<R>) -> mlua::Result<R> {
        self.lua.set_memory_limit(MOST_BYTES)?;
        let result = work();
        self.lua.set_memory_limit(0)?;
        result
    }

    /// Has every script looked at from time to time.
    fn set_hook(&self) -> mlua::Result<()> {
        self.lua.set_app_data(IsBroken(self.is_broken.clone()));
        let triggers = HookTriggers::new().every_nth_instruction(STEPS_BETWEEN_LOOKS);
        self.lua.set_global_hook(triggers, look)
    }
}

/// [`Interpreter::is_broken`], for functions that Lua calls.
struct IsBroken(Arc<AtomicBool>);

/// The hook: has the host look at the script, and ends it.
fn look(lua: &Lua, frame: &mlua::debug::Debug) -> mlua::Result<VmState> {
    let is_ending = lua
        .app_data_ref::<IsBroken>()
        .is_some_and(|broken| broken.0.load(Relaxed));
    if !is_ending && (!HOST.is_set() || HOST.with(|host| host.look()).is_ok()) {
        return Ok(VmState::Continue);
    }
    end_thread(lua)?;
    match frame.source().source.as_deref() {
        Some(position::SANDBOX_CHUNK) => Ok(VmState::Continue),
        _ => Err(Failure::Ending.into()),
    }
}

/// Ends the coroutine that runs, or the script itself. It may catch the error that ends it; so that is raised again at
/// each of its instructions until it is gone. The coroutine that has resumed it catches the error then, and is ended in
/// the same way. The functions of the sandbox go on, because they only hand the error on.
///
/// The global hook is set anew, and not one of the thread: that would be a call within Lua, for which there may be no
/// place left in the depth of a recursion.
pub(super) fn end_thread(lua: &Lua) -> mlua::Result<()> {
    if let Some(is_broken) = lua.app_data_ref::<IsBroken>() {
        is_broken.0.store(true, Relaxed);
    }
    lua.set_global_hook(HookTriggers::new().every_nth_instruction(1), look)
}

/// Bytes of memory that decoding takes for a byte of input, at the most: a table in a table for each of them.
pub(super) const DECODED_BYTES: usize = 256;

/// The time in which this server works for a script, without a limit of memory.
pub(super) struct Unlimited<'a> {
    lua: &'a Lua,
    /// The limit before.
    limit: usize,
}

impl<'a> Unlimited<'a> {
    pub(super) fn new(lua: &'a Lua) -> Unlimited<'a> {
        let limit = lua.set_memory_limit(0).unwrap_or(MOST_BYTES);
        Unlimited { lua, limit }
    }

    /// For values of Lua that are made from `input`, if they are certain to fit into the limit.
    pub(super) fn for_decoding(lua: &'a Lua, input: &[u8]) -> Option<Unlimited<'a>> {
        let most = lua.used_memory() + input.len().saturating_mul(DECODED_BYTES);
        let unlimited = Unlimited::new(lua);
        (most < unlimited.limit).then_some(unlimited)
    }
}

impl Drop for Unlimited<'_> {
    fn drop(&mut self) {
        let _ = self.lua.set_memory_limit(self.limit);
    }
}

/// An error that no handler of Lua has seen: there was not enough memory for it, or it happened later.
fn unhandled(name: &str, error: &mlua::Error) -> ErrorReply {
    let text = failure::coded_text(error);
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().next().unwrap_or_default();
    ErrorReply {
        text: format!("{line} script: {name}.").into_bytes(),
        is_counted: false,
    }
}

/// The state of an interpreter for scripts.
#[cfg(test)]
pub(super) fn sandboxed() -> Lua {
    let interpreter = Interpreter::new(Kind::Scripts, Arc::default());
    interpreter.expect("there is memory").lua
}
