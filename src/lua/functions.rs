//! Libraries of functions (FUNCTION LOAD): the code of a library runs once in each interpreter, and registers its
//! functions there.
//!
//! While it runs, it sees nothing but the table `redis` with `register_function`; its functions see all globals when
//! they are called. So a library can keep values of its own between calls. Redis has one interpreter for all
//! functions; here each thread may use another, and each has its own copy of these values.

use super::api::{self, HOST};
use super::failure::{self, Failure};
use super::flags::ScriptFlags;
use super::host::Host;
use super::interpreter::{Input, Interpreter, Outcome};
use crate::resp::reply::Reply;
use foldhash::HashSet;
use mlua::{Function, Lua, MultiValue, Table, Value};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const WRONG_NUMBER: &str = "wrong number of arguments to redis.register_function";
const OUTSIDE_OF_LOAD: &str = "redis.register_function can only be called on FUNCTION LOAD command";
/// The error if a name is not valid.
pub const NAME_RULE: &str = "Library names can only contain letters, numbers, or underscores(_) and must be at least \
     one character long";

/// What a library says of one of its functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The name by which FCALL calls it.
    pub name: Vec<u8>,
    /// For people.
    pub description: Option<Vec<u8>>,
    /// What it promises.
    pub flags: ScriptFlags,
}

/// Where the functions of the library that is being loaded gather; `None` at other times.
#[derive(Clone, Default)]
pub(super) struct Register(Arc<Mutex<Option<Registered>>>);

/// What a library has registered so far.
struct Registered {
    registrations: Vec<Registration>,
    /// Their names.
    names: HashSet<Vec<u8>>,
    /// The functions, as an array.
    functions: Table,
}

impl Register {
    fn lock(&self) -> MutexGuard<'_, Option<Registered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a library or a function may have this name.
pub fn is_valid_name(name: &[u8]) -> bool {
    !name.is_empty()
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The contents of the table of globals while a library is loaded.
pub(super) fn globals_for_loading(
    lua: &Lua,
    register: Register,
    protect: &Function,
) -> mlua::Result<Table> {
    let redis = api::open_for_loading(lua)?;
    let add = move |lua: &Lua, arguments: MultiValue| register_function(lua, &register, &arguments);
    redis.raw_set("register_function", lua.create_function(add)?)?;
    let globals = lua.create_table()?;
    globals.raw_set("redis", protect.call::<Table>((redis, true))?)?;
    // So that reading what is not there is an error.
    protect.call::<Table>((&globals, true))?;
    Ok(globals)
}

impl Interpreter {
    /// Runs the code of a library, and remembers under `number` the functions that it registers.
    ///
    /// # Errors
    /// What FUNCTION LOAD answers, without the code ERR.
    pub fn load_library(
        &mut self,
        number: u64,
        body: &[u8],
        host: &mut dyn Host,
    ) -> Result<Vec<Registration>, Vec<u8>> {
        let program = self
            .compile_library(body)
            .map_err(|message| [b"Error compiling function: ", &message[..]].concat())?;
        self.gather_functions(number, &program, host)
            .map_err(|error| {
                let text = match Failure::of(&error) {
                    Some(Failure::Ending) => b"ERR FUNCTION LOAD timeout".to_vec(),
                    _ => failure::coded_text(&error),
                };
                [b"Error registering functions: ", &text[..]].concat()
            })
    }

    /// Runs a library, and keeps the functions that it registers.
    fn gather_functions(
        &mut self,
        number: u64,
        program: &Function,
        host: &mut dyn Host,
    ) -> mlua::Result<Vec<Registration>> {
        let functions = self.lua.create_table()?;
        *self.register.lock() = Some(Registered {
            registrations: Vec::new(),
            names: HashSet::default(),
            functions: functions.clone(),
        });
        let result = self.switch_globals(true).and_then(|()| {
            let result = HOST.set(host, || self.limited(|| program.call::<()>(())));
            self.switch_globals(false)?;
            result
        });
        let registered = self.register.lock().take();
        result?;
        self.libraries.raw_set(number as i64, functions)?;
        self.library_numbers.insert(number);
        Ok(registered.map_or(Vec::new(), |registered| registered.registrations))
    }

    /// Whether a library has been loaded here.
    pub fn has_library(&self, number: u64) -> bool {
        self.library_numbers.contains(&number)
    }

    /// Forgets the libraries that are not wanted any more.
    pub fn keep_libraries(&mut self, is_wanted: impl Fn(u64) -> bool) {
        let libraries = &self.libraries;
        self.library_numbers.retain(|number| {
            // What cannot be removed is kept.
            is_wanted(*number) || libraries.raw_set(*number as i64, Value::Nil).is_err()
        });
    }

    /// Runs the function of a library that was the `index`-th to be registered.
    pub fn run_function(
        &self,
        library: u64,
        index: usize,
        input: Input,
        host: &mut dyn Host,
        reply: &mut Reply,
    ) -> Outcome {
        self.run(input, host, reply, |keys, arguments| {
            let functions: Table = self.libraries.raw_get(library as i64)?;
            let function: Function = functions.raw_get(index + 1)?;
            self.run_function.call((function, keys, arguments))
        })
    }
}

/// `redis.register_function`.
fn register_function(lua: &Lua, register: &Register, arguments: &MultiValue) -> mlua::Result<()> {
    let mut registered = register.lock();
    let registered = registered
        .as_mut()
        .ok_or_else(|| Failure::reply(OUTSIDE_OF_LOAD))?;
    let (registration, function) = match arguments.len() {
        1 => named_arguments(lua, &arguments[0]),
        2 => positional_arguments(lua, arguments),
        _ => Err(WRONG_NUMBER),
    }
    .map_err(Failure::reply)?;
    if !is_valid_name(&registration.name) {
        return Err(Failure::reply(NAME_RULE));
    }
    if !registered.names.insert(registration.name.clone()) {
        return Err(Failure::reply("Function already exists in the library"));
    }
    registered.registrations.push(registration);
    let index = registered.registrations.len();
    registered.functions.raw_set(index, function)
}

fn positional_arguments(
    lua: &Lua,
    arguments: &MultiValue,
) -> Result<(Registration, Function), &'static str> {
    let name = string(lua, &arguments[0])
        .ok_or("first argument to redis.register_function must be a string")?;
    let Value::Function(function) = &arguments[1] else {
        return Err("second argument to redis.register_function must be a function");
    };
    let registration = Registration {
        name,
        description: None,
        flags: ScriptFlags::default(),
    };
    Ok((registration, function.clone()))
}

fn named_arguments(lua: &Lua, argument: &Value) -> Result<(Registration, Function), &'static str> {
    let Value::Table(table) = argument else {
        return Err(
            "calling redis.register_function with a single argument is only applicable to Lua table \
             (representing named arguments).",
        );
    };
    let (mut name, mut description, mut function) = (None, None, None);
    let mut flags = ScriptFlags::default();
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair.map_err(|_| "unknown argument given to redis.register_function")?;
        let key = string(lua, &key)
            .ok_or("named argument key given to redis.register_function is not a string")?;
        match &key.to_ascii_lowercase()[..] {
            b"function_name" => {
                name = Some(string(lua, &value).ok_or(
                    "function_name argument given to redis.register_function must be a string",
                )?);
            }
            b"description" => {
                description = Some(string(lua, &value).ok_or(
                    "description argument given to redis.register_function must be a string",
                )?);
            }
            b"callback" => match value {
                Value::Function(callback) => function = Some(callback),
                _ => {
                    return Err(
                        "callback argument given to redis.register_function must be a function",
                    );
                }
            },
            b"flags" => match value {
                Value::Table(names) => {
                    flags = read_flags(lua, &names).ok_or("unknown flag given")?
                }
                _ => {
                    return Err(
                        "flags argument to redis.register_function must be a table representing function flags",
                    );
                }
            },
            _ => return Err("unknown argument given to redis.register_function"),
        }
    }
    let name = name.ok_or("redis.register_function must get a function name argument")?;
    let function = function.ok_or("redis.register_function must get a callback argument")?;
    let registration = Registration {
        name,
        description,
        flags,
    };
    Ok((registration, function))
}

/// The flags that a table names, from 1 up to the first that is nil.
fn read_flags(lua: &Lua, names: &Table) -> Option<ScriptFlags> {
    let mut flags = ScriptFlags::default();
    for index in 1.. {
        let value: Value = names.get(index).ok()?;
        if value.is_nil() {
            break;
        }
        let name = string(lua, &value)?.to_ascii_lowercase();
        flags.add(ScriptFlags::named(&name)?);
    }
    Some(flags)
}

/// A string, or a number as one.
fn string(lua: &Lua, value: &Value) -> Option<Vec<u8>> {
    let string = lua.coerce_string(value.clone()).ok()??;
    Some(string.as_bytes().to_vec())
}
