//! MessagePack as values of Lua.
//!
//! Nested arrays and maps are kept in a list, not on the thread's stack: the input may nest them as deep as it likes.
//! Nothing is reserved for the lengths that the input promises.

use crate::lua::failure::Failure;
use crate::lua::interpreter::Unlimited;
use crate::lua::native::{C_STACK, error};
use mlua::{IntoLua, Lua, MultiValue, Table, Value};

/// All values in `input`.
pub(super) fn all(lua: &Lua, input: &[u8]) -> mlua::Result<MultiValue> {
    let _unlimited = Unlimited::for_decoding(lua, input);
    let mut reader = Reader::new(lua, input);
    let mut values = Vec::new();
    while !reader.rest.is_empty() {
        values.push(reader.value(values.len())?);
    }
    Ok(MultiValue::from_vec(values))
}

/// At most `limit` values from `offset` on, and before them the offset of the value that follows, or -1 at the end.
pub(super) fn some(lua: &Lua, input: &[u8], limit: i64, offset: i64) -> mlua::Result<MultiValue> {
    // Redis' library takes neither limit nor offset for a request of all values.
    if limit == 0 && offset == 0 {
        return all(lua, input);
    }
    let length = input.len();
    let (Ok(start), Ok(limit)) = (usize::try_from(offset), usize::try_from(limit)) else {
        // The length stands where the limit should, as in Redis.
        let (offset, length) = (offset as i32, length as i32);
        let text =
            format!("Invalid request to unpack with offset of {offset} and limit of {length}.");
        return Err(error(text));
    };
    let Some(input) = input.get(start..) else {
        let offset = offset as i32;
        let text = format!("Start offset {offset} greater than input length {length}.");
        return Err(error(text));
    };
    let _unlimited = Unlimited::for_decoding(lua, input);
    let mut reader = Reader::new(lua, input);
    let mut values = vec![Value::Nil];
    while !reader.rest.is_empty() && values.len() <= limit {
        values.push(reader.value(values.len() - 1)?);
    }
    let next = match reader.rest.len() {
        0 => -1,
        rest => (length - rest) as i64,
    };
    values[0] = Value::Integer(next);
    Ok(MultiValue::from_vec(values))
}

/// A value that is no table, or the beginning of one.
enum Item<'a> {
    Nil,
    Boolean(bool),
    Number(f64),
    Bytes(&'a [u8]),
    Array(usize),
    Map(usize),
}

/// A table that is being filled, and how many elements or entries are missing.
struct Open<'a> {
    table: Table,
    missing: usize,
    key: Key<'a>,
}

/// Where the next value of a table goes.
enum Key<'a> {
    Index(usize),
    /// In a map: the next value is a key.
    Missing,
    Bytes(&'a [u8]),
    Other(Value),
}

struct Reader<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn new(lua: &'a Lua, rest: &'a [u8]) -> Reader<'a> {
        Reader { lua, rest }
    }

    /// One value with all that is in it, after `before` others.
    fn value(&mut self, before: usize) -> mlua::Result<Value> {
        let mut open: Vec<Open> = Vec::new();
        'items: loop {
            self.check_stack(before, &open)?;
            let mut value = match self.item()? {
                Item::Array(0) | Item::Map(0) => self.lua.create_table()?,
                Item::Array(missing) => {
                    open.push(self.open(missing, Key::Index(1))?);
                    continue;
                }
                Item::Map(missing) => {
                    open.push(self.open(missing, Key::Missing)?);
                    continue;
                }
                item => {
                    let Some(last) = open.last_mut() else {
                        return self.plain(item);
                    };
                    last.take(self.lua, item)?;
                    if last.missing > 0 {
                        continue;
                    }
                    open.pop().expect("it was the last").table
                }
            };
            // A table that is complete is a value of the table around it, which may be complete then, too.
            while let Some(last) = open.last_mut() {
                last.take_table(self.lua, value)?;
                if last.missing > 0 {
                    continue 'items;
                }
                value = open.pop().expect("it was the last").table;
            }
            return Ok(Value::Table(value));
        }
    }

    /// Fails where Redis' library has no room left on its stack: it has the input there, the values before, and tables
    /// with their keys.
    fn check_stack(&self, before: usize, open: &[Open]) -> mlua::Result<()> {
        let keys_missing = open
            .last()
            .is_some_and(|last| matches!(last.key, Key::Missing));
        let used = 1 + before + 2 * open.len() - usize::from(keys_missing);
        if used < C_STACK {
            return Ok(());
        }
        let text = "stack overflow (too many return values at once; \
                    use unpack_one or unpack_limit instead.)";
        Err(error(text))
    }

    fn open(&self, missing: usize, key: Key<'a>) -> mlua::Result<Open<'a>> {
        Ok(Open {
            table: self.lua.create_table()?,
            missing,
            key,
        })
    }

    /// A value that stands in no table.
    fn plain(&self, item: Item) -> mlua::Result<Value> {
        Ok(match item {
            Item::Boolean(value) => Value::Boolean(value),
            Item::Number(number) => Value::Number(number),
            Item::Bytes(bytes) => Value::String(self.lua.create_string(bytes)?),
            _ => Value::Nil,
        })
    }

    /// The next item. What a head promises is looked for before the head is taken.
    fn item(&mut self) -> mlua::Result<Item<'a>> {
        let kind = self.take::<1>()?[0];
        Ok(match kind {
            0x00..=0x7f => Item::Number(f64::from(kind)),
            0xe0..=0xff => Item::Number(f64::from(kind as i8)),
            0x80..=0x8f => Item::Map(usize::from(kind & 0xf)),
            0x90..=0x9f => Item::Array(usize::from(kind & 0xf)),
            0xa0..=0xbf => self.bytes(usize::from(kind & 0x1f))?,
            0xc0 => Item::Nil,
            0xc2 | 0xc3 => Item::Boolean(kind == 0xc3),
            0xca => Item::Number(f64::from(f32::from_be_bytes(self.take()?))),
            0xcb => Item::Number(f64::from_be_bytes(self.take()?)),
            0xcc => Item::Number(f64::from(u8::from_be_bytes(self.take()?))),
            0xcd => Item::Number(f64::from(u16::from_be_bytes(self.take()?))),
            0xce => Item::Number(f64::from(u32::from_be_bytes(self.take()?))),
            // Unsigned integers above 2^63 become negative, as in Redis.
            0xcf | 0xd3 => Item::Number(i64::from_be_bytes(self.take()?) as f64),
            0xd0 => Item::Number(f64::from(i8::from_be_bytes(self.take()?))),
            0xd1 => Item::Number(f64::from(i16::from_be_bytes(self.take()?))),
            0xd2 => Item::Number(f64::from(i32::from_be_bytes(self.take()?))),
            0xd9 => {
                let length = usize::from(u8::from_be_bytes(self.take()?));
                self.bytes(length)?
            }
            0xda => {
                let length = self.length_16()?;
                self.bytes(length)?
            }
            0xdb => {
                let length = self.length_32()?;
                self.bytes(length)?
            }
            0xdc => Item::Array(self.length_16()?),
            0xdd => Item::Array(self.length_32()?),
            0xde => Item::Map(self.length_16()?),
            0xdf => Item::Map(self.length_32()?),
            _ => return Err(error("Bad data format in input.")),
        })
    }

    fn length_16(&mut self) -> mlua::Result<usize> {
        Ok(usize::from(u16::from_be_bytes(self.take()?)))
    }

    fn length_32(&mut self) -> mlua::Result<usize> {
        Ok(u32::from_be_bytes(self.take()?) as usize)
    }

    fn bytes(&mut self, length: usize) -> mlua::Result<Item<'a>> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or_else(too_short)?;
        self.rest = rest;
        Ok(Item::Bytes(bytes))
    }

    fn take<const N: usize>(&mut self) -> mlua::Result<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or_else(too_short)?;
        self.rest = rest;
        Ok(*bytes)
    }
}

fn too_short() -> mlua::Error {
    error("Missing bytes in input.")
}

impl<'a> Open<'a> {
    /// Takes a value that is no table, for a key or for what belongs to the key before.
    fn take(&mut self, lua: &Lua, item: Item<'a>) -> mlua::Result<()> {
        if matches!(self.key, Key::Missing) {
            self.key = match item {
                Item::Number(number) => Key::Other(Value::Number(number)),
                Item::Bytes(bytes) => Key::Bytes(bytes),
                Item::Boolean(value) => Key::Other(Value::Boolean(value)),
                _ => Key::Other(Value::Nil),
            };
            return Ok(());
        }
        match item {
            Item::Number(number) => self.set(lua, number),
            Item::Boolean(value) => self.set(lua, value),
            Item::Bytes(bytes) => match std::str::from_utf8(bytes) {
                // Text goes straight to the interpreter; other bytes need a handle first.
                Ok(text) => self.set(lua, text),
                Err(_) => self.set(lua, lua.create_string(bytes)?),
            },
            _ => self.set(lua, Value::Nil),
        }
    }

    /// Takes a table that is complete.
    fn take_table(&mut self, lua: &Lua, table: Table) -> mlua::Result<()> {
        if matches!(self.key, Key::Missing) {
            self.key = Key::Other(Value::Table(table));
            return Ok(());
        }
        self.set(lua, table)
    }

    fn set(&mut self, lua: &Lua, value: impl IntoLua) -> mlua::Result<()> {
        self.missing -= 1;
        match std::mem::replace(&mut self.key, Key::Missing) {
            Key::Index(index) => {
                self.key = Key::Index(index + 1);
                self.table.raw_set(index, value)
            }
            Key::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => self.table.raw_set(text, value),
                Err(_) => self.table.raw_set(lua.create_string(bytes)?, value),
            },
            // These two the interpreter itself refuses, without a position.
            Key::Other(Value::Nil) => Err(raised("table index is nil")),
            Key::Other(Value::Number(key)) if key.is_nan() => Err(raised("table index is NaN")),
            Key::Other(key) => self.table.raw_set(key, value),
            Key::Missing => unreachable!("a key came before"),
        }
    }
}

fn raised(text: &str) -> mlua::Error {
    Failure::Raised(text.into()).into()
}
