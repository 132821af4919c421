//! What a script returns, as a reply to its client. The table is in
//! <https://redis.io/docs/latest/develop/interact/programmability/lua-api/#lua-to-resp2-type-conversion>.
//!
//! Tables may be nested deeply, and may contain themselves. So the writer keeps the tables that it is in on a list, and
//! does not recurse. Redis goes on until Lua's stack is full, and so does the writer: it counts the slots.

use super::failure::{ErrorReply, Failure};
use super::host::Host;
use super::interpreter::MOST_BYTES;
use super::native::truncated;
use crate::resp::reply::{Protocol, Reply, one_line};
use crate::util::quoting::c_string;
use mlua::{Lua, LuaString, Table, Value};

/// Slots of Lua's stack. Redis has 8,000, and mlua as many references to values, of which each level takes one.
const MOST_SLOTS: usize = 7_900;
/// How many values there are between two looks at the script.
const VALUES_BETWEEN_LOOKS: usize = 10_000;
/// The slots that a value needs to be free.
const FREE_SLOTS: usize = 4;
/// The slot of the value that a script returns.
const FIRST_SLOT: usize = 2;
/// The error in place of what lies deeper.
const TOO_DEEP: &[u8] = b"ERR reached lua stack limit";

/// Writes a value into a reply, and keeps the errors among them for the statistics.
pub(super) struct Writer<'a> {
    lua: &'a Lua,
    reply: &'a mut Reply,
    host: &'a mut dyn Host,
    /// Values that have been written.
    written: usize,
    /// The version that the script has set, which decides what becomes of booleans.
    script_protocol: Protocol,
    /// The tables that are being written, the outermost first.
    levels: Vec<Level>,
    errors: Vec<ErrorReply>,
}

/// A table that is being written.
struct Level {
    kind: LevelKind,
    /// The elements as an array; of a map the keys and values, alternating. Not as a list of values: mlua can have
    /// 8,000 of them at the most.
    elements: Table,
    next: usize,
    len: usize,
    /// The slot in which Redis has the table.
    slot: usize,
}

#[derive(Clone, Copy)]
enum LevelKind {
    Array,
    Map,
    Set,
}

impl Level {
    /// The next element with its slot.
    fn next(&mut self) -> mlua::Result<Option<(Value, usize)>> {
        if self.next > self.len {
            return Ok(None);
        }
        let value = self.elements.raw_get(self.next)?;
        let offset = match (self.kind, self.next % 2) {
            (LevelKind::Array, _) => 1,
            // Behind the map: the key and the value; of the key a copy is written, which lies behind both.
            (LevelKind::Map, 1) => 4,
            (LevelKind::Map | LevelKind::Set, _) => 3,
        };
        self.next += 1;
        Ok(Some((value, self.slot + offset)))
    }
}

impl<'a> Writer<'a> {
    pub(super) fn new(lua: &'a Lua, reply: &'a mut Reply, host: &'a mut dyn Host) -> Writer<'a> {
        Writer {
            lua,
            reply,
            written: 0,
            script_protocol: host.protocol(),
            host,
            levels: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// Writes a value; the errors that it contains.
    pub(super) fn write(mut self, value: &Value) -> mlua::Result<Vec<ErrorReply>> {
        self.value(value, FIRST_SLOT)?;
        while let Some(level) = self.levels.last_mut() {
            match level.next()? {
                Some((value, slot)) => self.value(&value, slot)?,
                None => drop(self.levels.pop()),
            }
        }
        Ok(self.errors)
    }

    fn value(&mut self, value: &Value, slot: usize) -> mlua::Result<()> {
        self.written += 1;
        if self.written.is_multiple_of(VALUES_BETWEEN_LOOKS) {
            // A table that contains another one twice, and so on, has more elements than can ever be written.
            self.host.look().map_err(|_| Failure::Ending)?;
            if self.reply.len() > MOST_BYTES {
                return Err(
                    Failure::Raised(b"the reply of the script is too long".to_vec()).into(),
                );
            }
        }
        if slot + FREE_SLOTS > MOST_SLOTS {
            self.error(ErrorReply {
                text: TOO_DEEP.to_vec(),
                is_counted: false,
            });
            return Ok(());
        }
        match value {
            Value::String(string) => self.reply.bulk(&string.as_bytes()),
            Value::Integer(number) => self.reply.integer(*number),
            Value::Number(number) => self.reply.integer(truncated(*number)),
            Value::Boolean(boolean) => match (self.script_protocol, boolean) {
                (Protocol::Resp3, boolean) => self.reply.boolean(*boolean),
                (Protocol::Resp2, true) => self.reply.integer(1),
                (Protocol::Resp2, false) => self.reply.null(),
            },
            Value::Table(table) => self.table(table, slot)?,
            _ => self.reply.null(),
        }
        Ok(())
    }

    /// A table is an array, unless one of these fields says what else it is.
    fn table(&mut self, table: &Table, slot: usize) -> mlua::Result<()> {
        if let Value::String(text) = table.raw_get("err")? {
            let is_counted = table.raw_get("ignore_error_stats_update")?;
            self.error(ErrorReply {
                text: c_string(&text.as_bytes()).to_vec(),
                is_counted: matches!(is_counted, Value::Boolean(true)),
            });
        } else if let Value::String(text) = table.raw_get("ok")? {
            self.reply.status(&one_line(c_string(&text.as_bytes())));
        } else if let Some(number) = number(&table.raw_get("double")?) {
            self.reply.double(number);
        } else if let Value::String(digits) = table.raw_get("big_number")? {
            self.reply.big_number(&one_line(&digits.as_bytes()));
        } else if let Some((format, text)) = verbatim(table)? {
            self.reply.verbatim_of(format, &text.as_bytes());
        } else if let Value::Table(map) = table.raw_get("map")? {
            let (flat, len) = self.flattened(&map, true)?;
            self.reply.map(len / 2);
            self.enter(LevelKind::Map, flat, len, slot);
        } else if let Value::Table(set) = table.raw_get("set")? {
            let (flat, len) = self.flattened(&set, false)?;
            self.reply.set(len);
            self.enter(LevelKind::Set, flat, len, slot);
        } else {
            let len = array_len(table)?;
            self.reply.array(len);
            self.enter(LevelKind::Array, table.clone(), len, slot);
        }
        Ok(())
    }

    fn enter(&mut self, kind: LevelKind, elements: Table, len: usize, slot: usize) {
        self.levels.push(Level {
            kind,
            elements,
            next: 1,
            len,
            slot,
        });
    }

    /// The keys of a table as an array, with its values or without; and how many elements that has.
    fn flattened(&self, table: &Table, with_values: bool) -> mlua::Result<(Table, usize)> {
        let flat = self.lua.create_table()?;
        let mut len = 0;
        table.for_each(|key: Value, value: Value| {
            len += 1;
            flat.raw_set(len, key)?;
            if with_values {
                len += 1;
                flat.raw_set(len, value)?;
            }
            Ok(())
        })?;
        Ok((flat, len))
    }

    fn error(&mut self, error: ErrorReply) {
        self.reply.error(&error.text);
        self.errors.push(error);
    }
}

/// How many elements there are before the first that is nil.
fn array_len(table: &Table) -> mlua::Result<usize> {
    let mut len = 0;
    while !table.raw_get::<Value>(len + 1)?.is_nil() {
        len += 1;
    }
    Ok(len)
}

/// The format and the text of a verbatim string, if the table is one.
fn verbatim(table: &Table) -> mlua::Result<Option<([u8; 3], LuaString)>> {
    if let Value::Table(verbatim) = table.raw_get("verbatim_string")?
        && let Value::String(format) = verbatim.raw_get("format")?
        && let Value::String(text) = verbatim.raw_get("string")?
    {
        let mut letters = *b"   ";
        let format = format.as_bytes();
        letters
            .iter_mut()
            .zip(c_string(&format))
            .for_each(|(letter, given)| *letter = *given);
        return Ok(Some((letters, text)));
    }
    Ok(None)
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => Some(*number),
        Value::Integer(number) => Some(*number as f64),
        _ => None,
    }
}
