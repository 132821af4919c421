//! JSON as values of Lua.
//!
//! Nested arrays and objects are kept in a list, not on the thread's stack, because a script may set any depth.

use super::{Settings, number};
use crate::lua::interpreter::Unlimited;
use crate::lua::native::{C_STACK, error};
use mlua::{IntoLua, Lua, Table, Value};
use std::borrow::Cow;

/// The value that a text spells.
pub(super) fn text(lua: &Lua, json: &[u8], settings: &Settings) -> mlua::Result<Value> {
    if json.len() >= 2 && (json[0] == 0 || json[1] == 0) {
        return Err(error("JSON parser does not support UTF-16 or UTF-32"));
    }
    let _unlimited = Unlimited::for_decoding(lua, json);
    let mut reader = Reader {
        json,
        position: 0,
        start: 0,
        settings,
    };
    let value = Decoder {
        lua,
        open: Vec::new(),
        objects: 0,
    }
    .value(&mut reader)?;
    match reader.next() {
        Token::End => Ok(value),
        token => Err(reader.unexpected("the end", &token)),
    }
}

enum Token<'a> {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    String(Cow<'a, [u8]>),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Error(&'static str),
}

impl Token<'_> {
    /// What errors call it.
    fn name(&self) -> &'static str {
        match self {
            Token::ObjectBegin => "T_OBJ_BEGIN",
            Token::ObjectEnd => "T_OBJ_END",
            Token::ArrayBegin => "T_ARR_BEGIN",
            Token::ArrayEnd => "T_ARR_END",
            Token::String(_) => "T_STRING",
            Token::Number(_) => "T_NUMBER",
            Token::Boolean(_) => "T_BOOLEAN",
            Token::Null => "T_NULL",
            Token::Colon => "T_COLON",
            Token::Comma => "T_COMMA",
            Token::End => "T_END",
            Token::Error(text) => text,
        }
    }
}

/// Splits a text into tokens. A zero byte ends it, as does its end.
struct Reader<'a> {
    json: &'a [u8],
    position: usize,
    /// Where the last token begins, or where the error in it is.
    start: usize,
    settings: &'a Settings,
}

impl<'a> Reader<'a> {
    fn byte(&self, at: usize) -> u8 {
        self.json.get(at).copied().unwrap_or(0)
    }

    fn next(&mut self) -> Token<'a> {
        while matches!(self.byte(self.position), b' ' | b'\t' | b'\n' | b'\r') {
            self.position += 1;
        }
        self.start = self.position;
        let token = match self.byte(self.position) {
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b',' => Token::Comma,
            b':' => Token::Colon,
            0 => return Token::End,
            b'"' => return self.string(),
            b'-' | b'0'..=b'9' => {
                if self.settings.decode_invalid_numbers == 0 && self.is_invalid_number() {
                    return Token::Error("invalid number");
                }
                return self.number();
            }
            b'f' | b'i' | b'I' | b'n' | b'N' | b't' | b'+' => return self.word(),
            _ => return Token::Error("invalid token"),
        };
        self.position += 1;
        token
    }

    fn word(&mut self) -> Token<'a> {
        let rest = &self.json[self.position..];
        let (length, token) = if rest.starts_with(b"true") {
            (4, Token::Boolean(true))
        } else if rest.starts_with(b"false") {
            (5, Token::Boolean(false))
        } else if rest.starts_with(b"null") {
            (4, Token::Null)
        } else if self.settings.decode_invalid_numbers != 0 && self.is_invalid_number() {
            return self.number();
        } else {
            return Token::Error("invalid token");
        };
        self.position += length;
        token
    }

    /// Whether C reads a number here that JSON does not know.
    fn is_invalid_number(&self) -> bool {
        let first = self.byte(self.position);
        if first == b'+' {
            return true;
        }
        let at = self.position + usize::from(first == b'-');
        match self.byte(at) {
            b'0' => matches!(self.byte(at + 1), b'x' | b'X' | b'0'..=b'9'),
            ..=b'9' => false,
            _ => {
                let word = self.json.get(at..at + 3).unwrap_or_default();
                word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"nan")
            }
        }
    }

    fn number(&mut self) -> Token<'a> {
        match number::parse(&self.json[self.position..]) {
            (_, 0) => Token::Error("invalid number"),
            (number, length) => {
                self.position += length;
                Token::Number(number)
            }
        }
    }

    fn string(&mut self) -> Token<'a> {
        self.position += 1;
        let start = self.position;
        let rest = &self.json[start..];
        let end = rest
            .iter()
            .position(|byte| matches!(byte, b'"' | b'\\' | 0));
        let end = end.map_or(self.json.len(), |end| start + end);
        self.position = end;
        if self.byte(end) == b'"' {
            self.position += 1;
            return Token::String(Cow::Borrowed(&self.json[start..end]));
        }
        self.string_with_escapes(self.json[start..end].to_vec())
    }

    /// The rest of a string, from the first escape on.
    fn string_with_escapes(&mut self, mut text: Vec<u8>) -> Token<'a> {
        loop {
            match self.byte(self.position) {
                b'"' => {
                    self.position += 1;
                    return Token::String(Cow::Owned(text));
                }
                0 => return self.error("unexpected end of string"),
                b'\\' => {
                    let byte = match self.byte(self.position + 1) {
                        byte @ (b'"' | b'\\' | b'/') => byte,
                        b'b' => 8,
                        b't' => b'\t',
                        b'n' => b'\n',
                        b'f' => 12,
                        b'r' => b'\r',
                        b'u' => match self.unicode(&mut text) {
                            Some(length) => {
                                self.position += length;
                                continue;
                            }
                            None => return self.error("invalid unicode escape code"),
                        },
                        _ => return self.error("invalid escape code"),
                    };
                    text.push(byte);
                    self.position += 2;
                }
                byte => {
                    text.push(byte);
                    self.position += 1;
                }
            }
        }
    }

    /// An error where the reader stands, not where the token began.
    fn error(&mut self, text: &'static str) -> Token<'a> {
        self.start = self.position;
        Token::Error(text)
    }

    /// Appends the character of `\uXXXX`, or of two of these that are a surrogate pair, and says how long they are.
    fn unicode(&self, text: &mut Vec<u8>) -> Option<usize> {
        let (mut code, mut length) = (self.hexadecimal(self.position + 2)?, 6);
        if code & 0xf800 == 0xd800 {
            let low = self.position + 6;
            if code & 0x400 != 0 || self.byte(low) != b'\\' || self.byte(low + 1) != b'u' {
                return None;
            }
            let low = self.hexadecimal(low + 2)?;
            if low & 0xfc00 != 0xdc00 {
                return None;
            }
            code = ((code & 0x3ff) << 10 | low & 0x3ff) + 0x1_0000;
            length = 12;
        }
        let mut bytes = [0; 4];
        text.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut bytes).as_bytes());
        Some(length)
    }

    fn hexadecimal(&self, at: usize) -> Option<u32> {
        (at..at + 4).try_fold(0, |sum, at| {
            let digit = char::from(self.byte(at)).to_digit(16)?;
            Some(sum << 4 | digit)
        })
    }

    fn unexpected(&self, expected: &str, found: &Token) -> mlua::Error {
        let (found, at) = (found.name(), self.start + 1);
        error(format!(
            "Expected {expected} but found {found} at character {at}"
        ))
    }
}

/// A table that is being filled.
struct Open<'a> {
    table: Table,
    key: Key<'a>,
}

enum Key<'a> {
    Index(usize),
    Name(Cow<'a, [u8]>),
}

struct Decoder<'a, 'j> {
    lua: &'a Lua,
    open: Vec<Open<'j>>,
    /// How many of the tables are objects.
    objects: usize,
}

impl<'j> Decoder<'_, 'j> {
    fn value(mut self, reader: &mut Reader<'j>) -> mlua::Result<Value> {
        let mut token = reader.next();
        loop {
            // A value begins with this token.
            let mut complete = match token {
                Token::ArrayBegin => {
                    let table = self.descend(reader, 2)?;
                    token = reader.next();
                    if !matches!(token, Token::ArrayEnd) {
                        let key = Key::Index(1);
                        self.open.push(Open { table, key });
                        continue;
                    }
                    table
                }
                Token::ObjectBegin => {
                    let table = self.descend(reader, 3)?;
                    token = reader.next();
                    if !matches!(token, Token::ObjectEnd) {
                        let key = name(token, reader)?;
                        self.open.push(Open { table, key });
                        self.objects += 1;
                        token = reader.next();
                        continue;
                    }
                    table
                }
                scalar => {
                    let Some(last) = self.open.last_mut() else {
                        return plain(self.lua, scalar, reader);
                    };
                    last.take(self.lua, scalar, reader)?;
                    match self.ascend(reader)? {
                        Some(table) => table,
                        None => {
                            token = reader.next();
                            continue;
                        }
                    }
                }
            };
            // A table that is complete is a value of the table around it, which may be complete then, too.
            loop {
                let Some(last) = self.open.last_mut() else {
                    return Ok(Value::Table(complete));
                };
                last.set(self.lua, complete)?;
                match self.ascend(reader)? {
                    Some(table) => complete = table,
                    None => break,
                }
            }
            token = reader.next();
        }
    }

    /// A table one level deeper, for which Redis' library needs some room on its stack.
    fn descend(&self, reader: &Reader, slots: usize) -> mlua::Result<Table> {
        let depth = self.open.len() + 1;
        // The text itself, each table, and the keys of objects.
        let used = depth + self.objects;
        let most = reader.settings.decode_max_depth;
        let too_deep = || {
            let at = reader.position;
            let text = format!("Found too many nested data structures ({depth}) at character {at}");
            error(text)
        };
        if depth as i64 > i64::from(most) || used + slots > C_STACK {
            return Err(too_deep());
        }
        // The handles of mlua end some tables earlier than the stack of Redis' library.
        self.lua.create_table().map_err(|failure| match failure {
            mlua::Error::StackError => too_deep(),
            other => other,
        })
    }

    /// Reads what stands behind a value: the table, if it ends here, or nothing, if another value follows.
    fn ascend(&mut self, reader: &mut Reader<'j>) -> mlua::Result<Option<Table>> {
        let Some(last) = self.open.last_mut() else {
            return Ok(None);
        };
        let token = reader.next();
        match (&last.key, &token) {
            (Key::Index(_), Token::Comma) => return Ok(None),
            (Key::Name(_), Token::Comma) => {
                last.key = name(reader.next(), reader)?;
                return Ok(None);
            }
            (Key::Name(_), Token::ObjectEnd) => self.objects -= 1,
            (Key::Index(_), Token::ArrayEnd) => {}
            (Key::Index(_), _) => return Err(reader.unexpected("comma or array end", &token)),
            (Key::Name(_), _) => return Err(reader.unexpected("comma or object end", &token)),
        }
        Ok(self.open.pop().map(|closed| closed.table))
    }
}

/// The name of an object's value, and the colon behind it.
fn name<'j>(token: Token<'j>, reader: &mut Reader<'j>) -> mlua::Result<Key<'j>> {
    let Token::String(name) = token else {
        return Err(reader.unexpected("object key string", &token));
    };
    match reader.next() {
        Token::Colon => Ok(Key::Name(name)),
        token => Err(reader.unexpected("colon", &token)),
    }
}

/// A value that stands in no table.
fn plain(lua: &Lua, token: Token, reader: &Reader) -> mlua::Result<Value> {
    Ok(match token {
        Token::String(text) => Value::String(lua.create_string(text)?),
        Token::Number(number) => Value::Number(number),
        Token::Boolean(value) => Value::Boolean(value),
        Token::Null => Value::NULL,
        token => return Err(reader.unexpected("value", &token)),
    })
}

impl Open<'_> {
    /// Takes a value that is no table.
    fn take(&mut self, lua: &Lua, token: Token, reader: &Reader) -> mlua::Result<()> {
        match token {
            Token::Number(number) => self.set(lua, number),
            Token::Boolean(value) => self.set(lua, value),
            Token::String(text) => match std::str::from_utf8(&text) {
                // Text goes straight to the interpreter; other bytes need a handle first.
                Ok(text) => self.set(lua, text),
                Err(_) => self.set(lua, lua.create_string(&text)?),
            },
            token => self.set(lua, plain(lua, token, reader)?),
        }
    }

    fn set(&mut self, lua: &Lua, value: impl IntoLua) -> mlua::Result<()> {
        match &mut self.key {
            Key::Index(index) => {
                *index += 1;
                self.table.raw_set(*index - 1, value)
            }
            Key::Name(name) => match std::str::from_utf8(name) {
                Ok(name) => self.table.raw_set(name, value),
                Err(_) => self.table.raw_set(lua.create_string(name)?, value),
            },
        }
    }
}
