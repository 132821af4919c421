//! The library `cjson`: values of Lua as JSON, and back.
//!
//! Its settings belong to the interpreter, as in Redis: what one script sets, the next finds. `cjson.new` gives a
//! library with settings of its own.

mod decode;
mod encode;
mod number;

#[cfg(test)]
mod tests;

use crate::lua::native::{self, Arguments, argument_error};
use crate::util::quoting::c_string;
use mlua::{LightUserData, Lua, MultiValue, Table, Value};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the functions of one library have in common.
#[derive(Clone)]
struct Settings {
    sparse_convert: i32,
    sparse_ratio: i32,
    sparse_safe: i32,
    encode_max_depth: i32,
    decode_max_depth: i32,
    number_precision: i32,
    /// Kept only to be told: the buffer of Rust is fast enough without.
    keep_buffer: i32,
    encode_invalid_numbers: i32,
    decode_invalid_numbers: i32,
}

/// The choices of a setting that is on or off.
const SWITCH: &[&str] = &["off", "on"];
/// The choices of `encode_invalid_numbers`.
const INVALID_NUMBERS: &[&str] = &["off", "on", "null"];

impl Settings {
    fn new() -> Settings {
        Settings {
            sparse_convert: 0,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_max_depth: 1000,
            decode_max_depth: 1000,
            number_precision: 14,
            keep_buffer: 1,
            encode_invalid_numbers: 0,
            decode_invalid_numbers: 1,
        }
    }
}

type Shared = Arc<Mutex<Settings>>;

fn lock(settings: &Shared) -> MutexGuard<'_, Settings> {
    settings.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The table `cjson`.
pub(in crate::lua) fn open(lua: &Lua) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    let settings: Shared = Arc::new(Mutex::new(Settings::new()));
    set_coders(lua, &library, &settings)?;
    set_depths(lua, &library, &settings)?;
    let switch =
        |name, choices, setting| set_choice(lua, &library, &settings, name, choices, setting);
    switch("encode_keep_buffer", SWITCH, |it| &mut it.keep_buffer)?;
    switch("encode_invalid_numbers", INVALID_NUMBERS, |it| {
        &mut it.encode_invalid_numbers
    })?;
    switch("decode_invalid_numbers", SWITCH, |it| {
        &mut it.decode_invalid_numbers
    })?;
    library.raw_set("new", native::function(lua, |lua, _: ()| open(lua))?)?;
    library.raw_set("null", LightUserData(std::ptr::null_mut()))?;
    library.raw_set("_NAME", "cjson")?;
    library.raw_set("_VERSION", "2.1.0")?;
    Ok(library)
}

fn set_coders(lua: &Lua, library: &Table, settings: &Shared) -> mlua::Result<()> {
    let shared = Arc::clone(settings);
    let encode = native::function(lua, move |lua, mut values: MultiValue| {
        if values.len() != 1 {
            return Err(argument_error(1, "expected 1 argument"));
        }
        let value = values.pop_front().unwrap_or(Value::Nil);
        let settings = lock(&shared).clone();
        lua.create_string(encode::value(value, &settings)?)
    })?;
    library.raw_set("encode", encode)?;
    let shared = Arc::clone(settings);
    let decode = native::reading(lua, move |args| {
        if args.values.len() != 1 {
            return Err(argument_error(1, "expected 1 argument"));
        }
        let settings = lock(&shared).clone();
        decode::text(args.lua, &args.bytes(1)?, &settings)
    })?;
    library.raw_set("decode", decode)
}

/// The functions that set numbers.
fn set_depths(lua: &Lua, library: &Table, settings: &Shared) -> mlua::Result<()> {
    let set = |name: &str, range: (i32, i32), setting: fn(&mut Settings) -> &mut i32| {
        let shared = Arc::clone(settings);
        let function = native::function(lua, move |lua, values: MultiValue| {
            let args = at_most(lua, &values, 1)?;
            number_setting(&args, 1, setting(&mut lock(&shared)), range)
        })?;
        library.raw_set(name, function)
    };
    let depths = (1, i32::MAX);
    set("encode_max_depth", depths, |it| &mut it.encode_max_depth)?;
    set("decode_max_depth", depths, |it| &mut it.decode_max_depth)?;
    set("encode_number_precision", (1, 14), |it| {
        &mut it.number_precision
    })?;
    let shared = Arc::clone(settings);
    let sparse_array = native::function(lua, move |lua, values: MultiValue| {
        let args = at_most(lua, &values, 3)?;
        let mut settings = lock(&shared);
        let convert = choice(&args, &mut settings.sparse_convert, SWITCH)?;
        let any = (0, i32::MAX);
        let ratio = number_setting(&args, 2, &mut settings.sparse_ratio, any)?;
        let safe = number_setting(&args, 3, &mut settings.sparse_safe, any)?;
        Ok((convert, ratio, safe))
    })?;
    library.raw_set("encode_sparse_array", sparse_array)
}

fn set_choice(
    lua: &Lua,
    library: &Table,
    settings: &Shared,
    name: &str,
    choices: &'static [&'static str],
    setting: fn(&mut Settings) -> &mut i32,
) -> mlua::Result<()> {
    let shared = Arc::clone(settings);
    let function = native::function(lua, move |lua, values: MultiValue| {
        let args = at_most(lua, &values, 1)?;
        choice(&args, setting(&mut lock(&shared)), choices)
    })?;
    library.raw_set(name, function)
}

/// The arguments, if there are not too many.
fn at_most<'a>(lua: &'a Lua, values: &'a MultiValue, most: usize) -> mlua::Result<Arguments<'a>> {
    if values.len() > most {
        return Err(argument_error(most + 1, "found too many arguments"));
    }
    Ok(Arguments::new(lua, values))
}

fn is_given(args: &Arguments, index: usize) -> bool {
    !matches!(args.get(index), None | Some(Value::Nil))
}

/// Sets a number, if one is given, and tells what is set.
fn number_setting(
    args: &Arguments,
    index: usize,
    setting: &mut i32,
    (least, most): (i32, i32),
) -> mlua::Result<i32> {
    if is_given(args, index) {
        let number = args.integer(index)? as i32;
        if !(least..=most).contains(&number) {
            // Whichever argument it is, Redis says the first.
            let text = format!("expected integer between {least} and {most}");
            return Err(argument_error(1, text));
        }
        *setting = number;
    }
    Ok(*setting)
}

/// Sets one of some choices, if one is given, and tells what is set: the first two as booleans.
fn choice(args: &Arguments, setting: &mut i32, choices: &[&'static str]) -> mlua::Result<Value> {
    match args.get(1) {
        None | Some(Value::Nil) => {}
        Some(Value::Boolean(value)) => *setting = i32::from(*value),
        Some(_) => {
            let name = args.bytes(1)?;
            // For C the name ends at a zero byte.
            let name = c_string(&name);
            let found = choices.iter().position(|choice| choice.as_bytes() == name);
            let found = found.ok_or_else(|| {
                let name = String::from_utf8_lossy(name);
                argument_error(1, format!("invalid option '{name}'"))
            })?;
            *setting = found as i32;
        }
    }
    match *setting {
        value @ 0..=1 => Ok(Value::Boolean(value == 1)),
        value => Ok(Value::String(
            args.lua.create_string(choices[value as usize])?,
        )),
    }
}
