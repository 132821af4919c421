//! Values of Lua as JSON.

use super::{Settings, number};
use crate::lua::library::shape::{self, Shape};
use crate::lua::native::{error, type_name};
use mlua::{BString, Table, Value};
use std::ops::RangeInclusive;

/// Down to this depth the thread's stack holds the tables that are open; the interpreter allows 200 calls within each
/// other. Deeper ones are kept in a list.
const QUICK_DEPTH: i32 = 30;
/// Deeper than this no table is encoded, whatever the setting. Redis ends where the stack of Lua does, which is at 2666
/// objects or 7996 arrays.
const DEEPEST: i32 = 2_666;

/// The JSON of a value.
pub(super) fn value(value: Value, settings: &Settings) -> mlua::Result<Vec<u8>> {
    let mut encoder = Encoder {
        json: Vec::new(),
        settings,
    };
    encoder.value(&value, 0)?;
    Ok(encoder.json)
}

/// What a table becomes.
enum Form {
    Empty,
    Array(i32),
    /// An object all of whose keys are names.
    Names,
    Object,
}

/// A table that is being written, and what of it is missing.
enum Open {
    Array {
        table: Table,
        rest: RangeInclusive<i32>,
    },
    Object {
        rest: std::vec::IntoIter<(Value, Value)>,
    },
}

impl Open {
    fn end(&self) -> u8 {
        match self {
            Open::Array { .. } => b']',
            Open::Object { .. } => b'}',
        }
    }
}

struct Encoder<'a> {
    json: Vec<u8>,
    settings: &'a Settings,
}

impl Encoder<'_> {
    /// Appends a value that lies in `depth` tables.
    fn value(&mut self, value: &Value, depth: i32) -> mlua::Result<()> {
        match value {
            Value::String(text) => self.string(&text.as_bytes()),
            Value::Integer(number) => self.number(*number as f64)?,
            Value::Number(number) => self.number(*number)?,
            Value::Boolean(true) => self.json.extend_from_slice(b"true"),
            Value::Boolean(false) => self.json.extend_from_slice(b"false"),
            Value::Nil => self.json.extend_from_slice(b"null"),
            Value::LightUserData(data) if data.0.is_null() => {
                self.json.extend_from_slice(b"null");
            }
            Value::Table(table) => return self.table(table, depth + 1),
            other => return Err(refused(type_name(other), "type not supported")),
        }
        Ok(())
    }

    fn table(&mut self, table: &Table, depth: i32) -> mlua::Result<()> {
        if depth > QUICK_DEPTH {
            return self.deep_table(table, depth);
        }
        match self.form(table, depth)? {
            Form::Empty => self.json.extend_from_slice(b"{}"),
            Form::Array(length) => {
                self.json.push(b'[');
                for index in 1..=length {
                    let item: Value = table.raw_get(index)?;
                    self.item(&item, depth)?;
                }
                self.close(b']');
            }
            Form::Names => {
                self.json.push(b'{');
                table.for_each(|key: BString, item: Value| {
                    self.string(&key);
                    self.json.push(b':');
                    self.item(&item, depth)
                })?;
                self.close(b'}');
            }
            Form::Object => {
                self.json.push(b'{');
                table.for_each(|key: Value, item: Value| {
                    self.key(&key)?;
                    self.item(&item, depth)
                })?;
                self.close(b'}');
            }
        }
        Ok(())
    }

    /// Appends a table with all that is in it. The tables that are open are in a list.
    fn deep_table(&mut self, table: &Table, depth: i32) -> mlua::Result<()> {
        let mut open: Vec<Open> = Vec::from_iter(self.open(table, depth)?);
        while let Some(last) = open.last_mut() {
            let item = match last {
                Open::Array { table, rest } => match rest.next() {
                    Some(index) => Some(table.raw_get(index)?),
                    None => None,
                },
                Open::Object { rest } => match rest.next() {
                    Some((key, item)) => {
                        self.key(&key)?;
                        Some(item)
                    }
                    None => None,
                },
            };
            match item {
                Some(Value::Table(table)) => {
                    let depth = depth + open.len() as i32;
                    match self.open(&table, depth)? {
                        Some(table) => open.push(table),
                        None => self.json.push(b','),
                    }
                }
                Some(item) => self.item(&item, depth)?,
                None => {
                    self.close(last.end());
                    open.pop();
                    if !open.is_empty() {
                        self.json.push(b',');
                    }
                }
            }
        }
        Ok(())
    }

    /// Begins a table. One that is empty is complete at once.
    fn open(&mut self, table: &Table, depth: i32) -> mlua::Result<Option<Open>> {
        match self.form(table, depth)? {
            Form::Empty => {
                self.json.extend_from_slice(b"{}");
                Ok(None)
            }
            Form::Array(length) => {
                self.json.push(b'[');
                Ok(Some(Open::Array {
                    table: table.clone(),
                    rest: 1..=length,
                }))
            }
            Form::Names | Form::Object => {
                self.json.push(b'{');
                let entries: mlua::Result<Vec<_>> = table.pairs().collect();
                let rest = entries?.into_iter();
                Ok(Some(Open::Object { rest }))
            }
        }
    }

    fn form(&self, table: &Table, depth: i32) -> mlua::Result<Form> {
        if depth > self.settings.encode_max_depth.min(DEEPEST) {
            let text = format!("Cannot serialise, excessive nesting ({depth})");
            return Err(error(text));
        }
        Ok(match shape::of(table)? {
            Shape::Empty => Form::Empty,
            Shape::Names => Form::Names,
            Shape::Mixed => Form::Object,
            Shape::Indices { largest, count, .. } => match self.length(largest, count)? {
                Some(length) => Form::Array(length),
                None => Form::Object,
            },
        })
    }

    /// The length of an array with these keys; none if it is an object because most elements are missing.
    fn length(&self, largest: i32, count: usize) -> mlua::Result<Option<i32>> {
        let ratio = self.settings.sparse_ratio;
        // The product wraps as in C.
        let is_sparse = ratio > 0
            && largest > (count as i32).wrapping_mul(ratio)
            && largest > self.settings.sparse_safe;
        match is_sparse {
            true if self.settings.sparse_convert == 0 => {
                Err(refused("table", "excessively sparse array"))
            }
            true => Ok(None),
            false => Ok(Some(largest).filter(|length| *length > 0)),
        }
    }

    fn key(&mut self, key: &Value) -> mlua::Result<()> {
        match key {
            Value::String(text) => self.string(&text.as_bytes()),
            Value::Integer(_) | Value::Number(_) => {
                self.json.push(b'"');
                self.value(key, 0)?;
                self.json.push(b'"');
            }
            other => {
                let reason = "table key must be a number or string";
                return Err(refused(type_name(other), reason));
            }
        }
        self.json.push(b':');
        Ok(())
    }

    /// Appends a value and a comma.
    fn item(&mut self, item: &Value, depth: i32) -> mlua::Result<()> {
        self.value(item, depth)?;
        self.json.push(b',');
        Ok(())
    }

    /// Ends an array or object, in place of the comma behind its last value.
    fn close(&mut self, bracket: u8) {
        if self.json.last() == Some(&b',') {
            self.json.pop();
        }
        self.json.push(bracket);
    }

    fn number(&mut self, number: f64) -> mlua::Result<()> {
        if !number.is_finite() {
            match self.settings.encode_invalid_numbers {
                0 => return Err(refused("number", "must not be NaN or Inf")),
                1 if number.is_nan() => self.json.extend_from_slice(b"nan"),
                1 => number::format(number, self.settings.number_precision, &mut self.json),
                _ => self.json.extend_from_slice(b"null"),
            }
            return Ok(());
        }
        number::format(number, self.settings.number_precision, &mut self.json);
        Ok(())
    }

    /// Appends a string. Bytes that are no UTF-8 pass.
    fn string(&mut self, text: &[u8]) {
        self.json.push(b'"');
        let mut start = 0;
        for (index, &byte) in text.iter().enumerate() {
            if !is_escaped(byte) {
                continue;
            }
            self.json.extend_from_slice(&text[start..index]);
            start = index + 1;
            let letter = match byte {
                8 => b'b',
                9 => b't',
                10 => b'n',
                12 => b'f',
                13 => b'r',
                b'"' | b'/' | b'\\' => byte,
                _ => {
                    let code = format!("\\u{byte:04x}");
                    self.json.extend_from_slice(code.as_bytes());
                    continue;
                }
            };
            self.json.extend([b'\\', letter]);
        }
        self.json.extend_from_slice(&text[start..]);
        self.json.push(b'"');
    }
}

fn is_escaped(byte: u8) -> bool {
    matches!(byte, 0..=31 | b'"' | b'/' | b'\\' | 127)
}

fn refused(kind: &str, reason: &str) -> mlua::Error {
    error(format!("Cannot serialise {kind}: {reason}"))
}
