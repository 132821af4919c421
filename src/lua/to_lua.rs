//! Replies of commands as values of a script. The table is in
//! <https://redis.io/docs/latest/develop/interact/programmability/lua-api/#data-type-conversion>.

use super::failure::ErrorReply;
use mlua::{Either, Lua, Table, Value};

/// An element of an array: a string that is UTF-8, or any value. mlua pushes the former without a reference of its own,
/// which costs half as much, while memory is not limited.
pub(super) type Pushed<T> = Either<T, Value>;

/// The value that a reply is to a script.
pub(super) fn value(lua: &Lua, reply: &[u8]) -> mlua::Result<Value> {
    Reader { lua, rest: reply }.value()
}

/// A string.
pub(super) fn string<'a>(lua: &Lua, bytes: &'a [u8]) -> mlua::Result<Pushed<&'a str>> {
    Ok(match std::str::from_utf8(bytes) {
        Ok(text) => Either::Left(text),
        Err(_) => Either::Right(Value::String(lua.create_string(bytes)?)),
    })
}

/// An array of what `item` gives for each of the numbers below `len`.
pub(super) fn array<'a>(
    lua: &Lua,
    len: usize,
    mut item: impl FnMut(usize) -> mlua::Result<Pushed<&'a str>>,
) -> mlua::Result<Table> {
    let mut failure = None;
    let items = (0..len).map(|index| {
        item(index).unwrap_or_else(|error| {
            failure.get_or_insert(error);
            Either::Right(Value::Nil)
        })
    });
    let array = lua.create_sequence_from(items)?;
    match failure {
        Some(error) => Err(error),
        None => Ok(array),
    }
}

/// The error that a reply is, its code in front.
pub(super) fn error(reply: &[u8]) -> Option<ErrorReply> {
    let line = reply.strip_prefix(b"-")?;
    let line = line.strip_suffix(b"\r\n").unwrap_or(line);
    Some(error_of(line))
}

/// A reply without a code gets one, as in Redis.
pub(super) fn error_of(line: &[u8]) -> ErrorReply {
    let text = match line.contains(&b' ') {
        true => line.to_vec(),
        false => [b"ERR ", line].concat(),
    };
    ErrorReply {
        text,
        is_counted: true,
    }
}

/// Reads a reply that this server has written; so it is well-formed.
struct Reader<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn pushed(&mut self) -> mlua::Result<Pushed<&'a str>> {
        match self.string() {
            Some(bytes) => string(self.lua, bytes),
            None => self.value().map(Either::Right),
        }
    }

    fn value(&mut self) -> mlua::Result<Value> {
        let lua = self.lua;
        let (kind, line) = self.line();
        Ok(match kind {
            b':' => Value::Number(integer(line) as f64),
            b'$' => match usize::try_from(integer(line)) {
                Ok(len) => Value::String(lua.create_string(self.bytes(len))?),
                Err(_) => Value::Boolean(false),
            },
            b'+' => Value::Table(lua.create_table_from([("ok", string(lua, line)?)])?),
            b'-' => Value::Table(error_of(line).to_table(lua)?),
            b'*' | b'>' => match usize::try_from(integer(line)) {
                Ok(len) => Value::Table(self.array(len)?),
                Err(_) => Value::Boolean(false),
            },
            b'%' => {
                let map = self.map(integer(line) as usize)?;
                self.tagged("map", Value::Table(map))?
            }
            b'~' => {
                let set = self.set(integer(line) as usize)?;
                self.tagged("set", Value::Table(set))?
            }
            b'_' => Value::Nil,
            b'#' => Value::Boolean(line == b"t"),
            b',' => self.tagged("double", Value::Number(double(line)))?,
            b'(' => self.tagged("big_number", Value::String(lua.create_string(line)?))?,
            b'=' => {
                let text = self.bytes(integer(line) as usize);
                let verbatim = lua.create_table_with_capacity(0, 2)?;
                verbatim.raw_set("format", lua.create_string(&text[..3])?)?;
                verbatim.raw_set("string", lua.create_string(&text[4..])?)?;
                self.tagged("verbatim_string", Value::Table(verbatim))?
            }
            b'|' => {
                // Scripts do not see attributes.
                for _ in 0..2 * integer(line) {
                    self.value()?;
                }
                self.value()?
            }
            _ => unreachable!("no reply begins with {}", kind as char),
        })
    }

    /// A table with one field, whose name says what the value is.
    fn tagged(&self, name: &str, value: Value) -> mlua::Result<Value> {
        let table = self.lua.create_table_with_capacity(0, 1)?;
        table.raw_set(name, value)?;
        Ok(Value::Table(table))
    }

    fn array(&mut self, len: usize) -> mlua::Result<Table> {
        array(self.lua, len, |_| self.pushed())
    }

    fn map(&mut self, pairs: usize) -> mlua::Result<Table> {
        let map = self.lua.create_table_with_capacity(0, pairs)?;
        for _ in 0..pairs {
            let key = self.value()?;
            let value = self.value()?;
            map.raw_set(key, value)?;
        }
        Ok(map)
    }

    fn set(&mut self, len: usize) -> mlua::Result<Table> {
        let set = self.lua.create_table_with_capacity(0, len)?;
        for _ in 0..len {
            let member = self.value()?;
            set.raw_set(member, true)?;
        }
        Ok(set)
    }

    /// The next reply, if it is a string.
    fn string(&mut self) -> Option<&'a [u8]> {
        let start = self.rest;
        if let (b'$', line) = self.line()
            && let Ok(len) = usize::try_from(integer(line))
        {
            return Some(self.bytes(len));
        }
        self.rest = start;
        None
    }

    /// The byte that names the type, and the rest of the line.
    fn line(&mut self) -> (u8, &'a [u8]) {
        let rest = self.rest;
        let end = rest.iter().position(|byte| *byte == b'\r');
        let end = end.expect("every line of a reply has an end");
        self.rest = &rest[end + 2..];
        (rest[0], &rest[1..end])
    }

    /// Takes `len` bytes and the end of the line behind them.
    fn bytes(&mut self, len: usize) -> &'a [u8] {
        let rest = self.rest;
        self.rest = &rest[len + 2..];
        &rest[..len]
    }
}

fn integer(line: &[u8]) -> i64 {
    crate::util::number::parse_i64(line).unwrap_or_default()
}

fn double(line: &[u8]) -> f64 {
    std::str::from_utf8(line)
        .ok()
        .and_then(|line| line.parse().ok())
        .unwrap_or(f64::NAN)
}
