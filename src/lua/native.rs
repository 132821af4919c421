//! Rust functions for scripts, which check their arguments and fail as C functions of Lua do.
//!
//! A C function raises a string, and `luaL_error` puts the position of the caller in front of it:
//! `user_script:1: bad argument #1 to 'encode' (expected 1 argument)`. [`function`] finds position and name when a
//! function fails, while the caller is still on the stack.
//!
//! A wrapper written in Lua that calls `error(text, 2)` would not do: after `return cjson.decode(text)`, a tail call,
//! a function of Lua no longer finds its caller, but a function of Rust, as one of C, does.

use super::failure::Failure;
use mlua::{FromLuaMulti, Function, IntoLuaMulti, Lua, MultiValue, Value};
use std::borrow::Cow;

/// The stack of a C function of Lua, in values.
pub(in crate::lua) const C_STACK: usize = 8_000;

/// A failure of `luaL_error`, as an error.
pub(in crate::lua) fn error(text: impl Into<String>) -> mlua::Error {
    Failure::Error(text.into()).into()
}

/// A failure of `luaL_argerror`, as an error.
pub(in crate::lua) fn argument_error(index: usize, text: impl Into<String>) -> mlua::Error {
    Failure::Argument(index, text.into()).into()
}

/// A function for scripts. A [`Failure`] that it returns is raised with the position of the caller.
pub(in crate::lua) fn function<A: FromLuaMulti, R: IntoLuaMulti>(
    lua: &Lua,
    body: impl Fn(&Lua, A) -> mlua::Result<R> + Send + 'static,
) -> mlua::Result<Function> {
    lua.create_function(move |lua, args: A| body(lua, args).map_err(|error| placed(lua, error)))
}

/// Like [`function`], with a body that reads its arguments one by one.
pub(in crate::lua) fn reading<R: IntoLuaMulti>(
    lua: &Lua,
    body: impl Fn(&Arguments) -> mlua::Result<R> + Send + 'static,
) -> mlua::Result<Function> {
    function(lua, move |lua, values: MultiValue| {
        body(&Arguments::new(lua, &values))
    })
}

/// An error whose text says where it was raised.
fn placed(lua: &Lua, error: mlua::Error) -> mlua::Error {
    let text = match Failure::of(&error) {
        Some(Failure::Error(text)) => text.clone(),
        Some(Failure::Argument(index, text)) => argument_text(lua, *index, text),
        _ => return error,
    };
    Failure::Raised((position(lua) + &text).into_bytes()).into()
}

/// The script and line from which the running function was called, with a colon and a blank behind; nothing if another
/// function in C or Rust called it.
fn position(lua: &Lua) -> String {
    let position = lua.inspect_stack(1, |caller| {
        let line = caller.current_line().filter(|line| *line > 0)?;
        Some(format!("{}:{line}: ", caller.source().short_src?))
    });
    position.flatten().unwrap_or_default()
}

/// What is wrong with an argument of the running function, by the name under which the script called it.
fn argument_text(lua: &Lua, index: usize, text: &str) -> String {
    let names = lua.inspect_stack(0, |own| {
        let names = own.names();
        let name = names.name.map(Cow::into_owned);
        (name, names.name_what == Some("method"))
    });
    let (name, is_method) = names.unwrap_or_default();
    let name = name.unwrap_or_else(|| "?".into());
    // The object before the colon is an argument that the script did not write as one.
    match index as i64 - i64::from(is_method) {
        0 if is_method => format!("calling '{name}' on bad self ({text})"),
        index => format!("bad argument #{index} to '{name}' ({text})"),
    }
}

/// The arguments of a call, read as the functions `luaL_check…` of C do. They count from 1.
pub(in crate::lua) struct Arguments<'a> {
    pub(in crate::lua) lua: &'a Lua,
    pub(in crate::lua) values: &'a MultiValue,
}

impl<'a> Arguments<'a> {
    pub(in crate::lua) fn new(lua: &'a Lua, values: &'a MultiValue) -> Arguments<'a> {
        Arguments { lua, values }
    }

    pub(in crate::lua) fn get(&self, index: usize) -> Option<&Value> {
        self.values.get(index.wrapping_sub(1))
    }

    /// An argument that is a number, or a string that spells one.
    pub(in crate::lua) fn as_number(&self, index: usize) -> mlua::Result<Option<f64>> {
        match self.get(index) {
            Some(Value::Integer(number)) => Ok(Some(*number as f64)),
            Some(Value::Number(number)) => Ok(Some(*number)),
            Some(value @ Value::String(_)) => self.lua.coerce_number(value.clone()),
            _ => Ok(None),
        }
    }

    pub(in crate::lua) fn number(&self, index: usize) -> mlua::Result<f64> {
        self.as_number(index)?
            .ok_or_else(|| self.wrong_type(index, "number"))
    }

    pub(in crate::lua) fn integer(&self, index: usize) -> mlua::Result<i64> {
        Ok(truncated(self.number(index)?))
    }

    /// An integer, or `default` if there is no such argument or it is nil.
    pub(in crate::lua) fn integer_or(&self, index: usize, default: i64) -> mlua::Result<i64> {
        match self.get(index) {
            None | Some(Value::Nil) => Ok(default),
            Some(_) => self.integer(index),
        }
    }

    /// The bytes of a string, or of a number as Lua prints it.
    pub(in crate::lua) fn bytes(&self, index: usize) -> mlua::Result<mlua::BorrowedBytes> {
        let string = match self.get(index) {
            Some(Value::String(string)) => return Ok(string.as_bytes()),
            Some(value @ (Value::Integer(_) | Value::Number(_))) => {
                self.lua.coerce_string(value.clone())?
            }
            _ => None,
        };
        let string = string.ok_or_else(|| self.wrong_type(index, "string"))?;
        Ok(string.as_bytes())
    }

    pub(in crate::lua) fn wrong_type(&self, index: usize, expected: &str) -> mlua::Error {
        let found = self.get(index).map_or("no value", type_name);
        argument_error(index, format!("{expected} expected, got {found}"))
    }
}

/// The type of a value, as Lua names it.
pub(in crate::lua) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) | Value::Number(_) => "number",
        Value::LightUserData(_) | Value::Error(_) => "userdata",
        value => value.type_name(),
    }
}

/// A double as an integer, as the processors of x86-64 convert it: what does not fit becomes the lowest number.
pub(in crate::lua) fn truncated(number: f64) -> i64 {
    // 2^63: the first number that does not fit.
    let limit = 9_223_372_036_854_775_808.0;
    if number >= -limit && number < limit {
        number as i64
    } else {
        i64::MIN
    }
}

#[cfg(test)]
mod tests {
    use crate::lua::failure::text_of;
    use crate::lua::interpreter::{DECODED_BYTES, sandboxed};
    use mlua::Lua;

    fn run(prepare: fn(&Lua), script: &str) -> String {
        let lua = sandboxed();
        prepare(&lua);
        let chunk = lua.load(script).set_name("@user_script");
        match chunk.eval::<String>() {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(&text_of(&error)).into_owned(),
        }
    }

    // What Redis 7.2.4 answers to each script.
    #[test]
    fn a_failure_is_a_string_that_names_the_caller() {
        let expected = "user_script:1: Expected value but found T_END at character 1";
        for script in [
            "return cjson.decode('')",
            "local value = cjson.decode('') return value",
            "return select(2, pcall(function() return cjson.decode('') end))",
            "return select(2, xpcall(function() return cjson.decode('') end, function(it) return it end))",
            "return select(2, coroutine.resume(coroutine.create(function() return cjson.decode('') end)))",
        ] {
            assert_eq!(run(|_| (), script), expected, "{script}");
        }
        let script = "return type(select(2, pcall(cjson.decode, '')))";
        assert_eq!(run(|_| (), script), "string");
        let script = "return select(2, pcall(cjson.decode, ''))";
        let expected = "Expected value but found T_END at character 1";
        assert_eq!(run(|_| (), script), expected);
        let script = "return 'none: ' .. select('#', pcall(cmsgpack.unpack, ''))";
        assert_eq!(run(|_| (), script), "none: 1");
    }

    #[test]
    fn what_does_not_fit_into_memory_is_an_error() {
        let limit = |lua: &Lua| {
            let limit = lua.used_memory() + (4 << 20);
            lua.set_memory_limit(limit).expect("memory can be limited");
        };
        for script in [
            "return select(2, pcall(cjson.decode, '[' .. ('1,'):rep(500000) .. '1]'))",
            "return select(2, pcall(cmsgpack.unpack, '\\221\\0\\7\\161\\32' .. ('\\1'):rep(500000)))",
            "local t = {('x'):rep(1000000)} return select(2, pcall(cjson.encode, {t, t, t, t, t}))",
            "local t = {('x'):rep(1000000)} return select(2, pcall(cmsgpack.pack, {t, t, t, t, t}))",
            "return select(2, pcall(struct.pack, 'sss', ('x'):rep(1000000), ('y'):rep(1000000), ('z'):rep(1000000)))",
        ] {
            assert_eq!(run(limit, script), "not enough memory", "{script}");
        }
    }

    #[test]
    fn decoded_values_take_no_more_memory_than_is_reckoned_with() {
        let arrays = [b"\xdc\xff\xff".to_vec(), vec![0x90; 0xffff]].concat();
        let chain = [vec![0x91; 1_000], vec![0x90]].concat();
        let chains = [b"\xdc\x00\x40".to_vec(), chain.repeat(0x40)].concat();
        let mut map = b"\xde\x40\x01".to_vec();
        for key in 0..0x4001_u16 {
            let [high, low] = key.to_be_bytes();
            map.extend([0xcd, high, low, 0x90]);
        }
        let json_arrays = format!("[{}1]", "[],".repeat(0x8001));
        let entries = (0..0x4001).map(|key| format!("\"{key:x}\":{{}},"));
        let json_object = format!("{{{}\"\":1}}", entries.collect::<String>());
        for (decode, input) in [
            ("cmsgpack.unpack", arrays),
            ("cmsgpack.unpack", chains),
            ("cmsgpack.unpack", map),
            ("cjson.decode", json_arrays.into_bytes()),
            ("cjson.decode", json_object.into_bytes()),
        ] {
            let lua = sandboxed();
            let chunk = lua.load(format!("local input = ... return type({decode}(input))"));
            let text = lua.create_string(&input).expect("there is memory");
            // As much as is reckoned with, which is too little for the limit to be lifted.
            let limit = lua.used_memory() + input.len() * DECODED_BYTES;
            lua.set_memory_limit(limit).expect("memory can be limited");
            let result = chunk.call::<String>(text);
            assert_eq!(result.expect("the values fit"), "table", "{decode}");
        }
    }
}
