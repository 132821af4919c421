//! Replies of a server, from bytes to values: the client's half of the protocol, RESP2 and RESP3.
//!
//! ```text
//! +OK\r\n                  simple string          _\r\n                     null
//! -ERR text\r\n            error                  #t\r\n                    boolean
//! :5\r\n                   integer                ,1.5\r\n                  double
//! $5\r\nhello\r\n          bulk string            (12345678901234567890\r\n big number
//! $-1\r\n  *-1\r\n         null, in RESP2         !5\r\nERR x\r\n           error, may hold any byte
//! *2\r\n:1\r\n:2\r\n       array of two           =8\r\ntxt:text\r\n        verbatim string
//! ~2\r\n ...               set                    %1\r\n:1\r\n:2\r\n        map of one pair
//! >2\r\n ...               push                   |1\r\n ...                attribute: pairs, then a value
//! ```
//!
//! A reply may arrive in any number of pieces. The decoder keeps the values that are complete, so it decodes each byte
//! once, however large the reply is. Only a string that is not complete yet is tried again.
//!
//! A length that the server states leads to no allocation: strings are copied when all their bytes have arrived, and
//! arrays grow as elements arrive.

use crate::util::{number, quoting};
use std::fmt;

/// One reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A short text such as `OK`.
    Simple(Vec<u8>),
    /// An error with its code: `ERR no such key`.
    Error(Vec<u8>),
    /// An integer.
    Integer(i64),
    /// A string of any bytes.
    Bulk(Vec<u8>),
    /// Nothing: the null of RESP3, or either null of RESP2.
    Null,
    /// Values in order.
    Array(Vec<Value>),
    /// A double as the server spelled it, because it is shown so. The decoder has checked that it is a number, `inf` or
    /// `nan`.
    Double(String),
    /// True or false.
    Boolean(bool),
    /// An integer of any size, in decimal.
    BigNumber(String),
    /// A text to be shown as it is.
    Verbatim {
        /// `txt` or `mkd`.
        format: [u8; 3],
        /// The text itself.
        text: Vec<u8>,
    },
    /// Keys and values, in the server's order.
    Map(Vec<(Value, Value)>),
    /// Values without order.
    Set(Vec<Value>),
    /// A message that answers no request: pub/sub, invalidation. It can stand between two replies.
    Push(Vec<Value>),
    /// A value with facts about it that a client may ignore.
    Attribute {
        /// The facts.
        pairs: Vec<(Value, Value)>,
        /// The value that they describe.
        value: Box<Value>,
    },
}

/// What a client looks for in a reply, in RESP2 and RESP3 alike. A reply of another type is as good as an empty one.
impl Value {
    /// The pairs of a map, which is an array in RESP2.
    pub fn pairs(&self) -> Vec<(&Value, &Value)> {
        match self {
            Value::Map(pairs) => pairs.iter().map(|(key, value)| (key, value)).collect(),
            other => {
                let pairs = other.elements().chunks_exact(2);
                pairs.map(|pair| (&pair[0], &pair[1])).collect()
            }
        }
    }

    /// The elements of an array or a set.
    pub fn elements(&self) -> &[Value] {
        match self {
            Value::Array(elements) | Value::Set(elements) => elements,
            _ => &[],
        }
    }

    /// The text of a string; bytes that are no UTF-8 are replaced.
    pub fn text(&self) -> String {
        match self {
            Value::Simple(text) | Value::Bulk(text) | Value::Verbatim { text, .. } => {
                String::from_utf8_lossy(text).into_owned()
            }
            _ => String::new(),
        }
    }
}

/// Why the bytes are not a reply. The connection cannot be used any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// No type of value starts with this byte.
    UnknownType(u8),
    /// No line end behind a string.
    BadLineEnd,
    /// A carriage return or line feed within a simple string or an error.
    BadSimpleString,
    /// A null that says more.
    BadNull,
    /// Not an integer.
    BadInteger,
    /// No number of bytes.
    BadStringLength,
    /// A negative number of bytes.
    StringLengthOutOfRange,
    /// No number of elements.
    BadCount,
    /// A negative number of elements, or more than [`MAX_ELEMENTS`].
    CountOutOfRange,
    /// Neither `t` nor `f`.
    BadBoolean,
    /// Not a double.
    BadDouble,
    /// Not a big number.
    BadBigNumber,
    /// No three letters and a colon at the start of a verbatim string.
    BadVerbatim,
    /// Arrays within arrays, more of them than the decoder accepts.
    TooDeep,
}

/// The texts are those of hiredis, the library of redis-cli, where it knows the error.
impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let text = match self {
            DecodeError::UnknownType(byte) => {
                let byte = quoting::quoted(&[*byte]);
                return write!(f, "Protocol error, got {byte} as reply type byte");
            }
            DecodeError::BadLineEnd => "Bad line end",
            DecodeError::BadSimpleString => "Bad simple string value",
            DecodeError::BadNull => "Bad nil value",
            DecodeError::BadInteger => "Bad integer value",
            DecodeError::BadStringLength => "Bad bulk string length",
            DecodeError::StringLengthOutOfRange => "Bulk string length out of range",
            DecodeError::BadCount => "Bad multi-bulk length",
            DecodeError::CountOutOfRange => "Multi-bulk length out of range",
            DecodeError::BadBoolean => "Bad bool value",
            DecodeError::BadDouble => "Bad double value",
            DecodeError::BadBigNumber => "Bad bignum value",
            DecodeError::BadVerbatim => {
                "Verbatim string 4 bytes of content type are missing or incorrectly encoded."
            }
            DecodeError::TooDeep => "Reply is nested too deeply",
        };
        f.write_str(text)
    }
}

impl std::error::Error for DecodeError {}

/// The deepest nesting that [`Decoder::default`] accepts. Printing, copying and dropping a value recurse, and the stack
/// of any thread is large enough for this. Of the replies of Redis, those of scripts alone can be nested deeper.
pub const MAX_DEPTH: usize = 128;

/// The most elements of an array, and pairs of a map. hiredis has this limit too.
pub const MAX_ELEMENTS: i64 = u32::MAX as i64;

/// Decodes one reply, if `input` holds all of it. Returns the reply and the number of its bytes.
pub fn decode(input: &[u8]) -> Result<Option<(Value, usize)>, DecodeError> {
    let (consumed, value) = Decoder::default().decode(input)?;
    Ok(value.map(|value| (value, consumed)))
}

/// Decodes replies that arrive in pieces. Not to be used further after an error.
pub struct Decoder {
    /// The values that are begun and not complete, each an element of the one before it.
    open: Vec<Open>,
    max_depth: usize,
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder::with_max_depth(MAX_DEPTH)
    }
}

/// A value made of values.
struct Open {
    kind: OpenKind,
    elements: Vec<Value>,
    missing: u64,
}

enum OpenKind {
    Array,
    Set,
    Push,
    Map,
    /// The pairs of an attribute.
    Attribute,
    /// The value that an attribute is about, here its pairs.
    Attributed(Vec<(Value, Value)>),
}

/// The first line of a value, and the rest of it if it is not made of values.
enum Item {
    Value(Value),
    Open(OpenKind, u64),
}

impl Decoder {
    /// A decoder that accepts replies nested so deeply. The thread that uses them needs the stack for it: dropping a
    /// value recurses.
    pub fn with_max_depth(max_depth: usize) -> Decoder {
        Decoder {
            open: Vec::new(),
            max_depth,
        }
    }

    /// Decodes as much as it can of `input`. The first result is the number of bytes that it has used: the caller drops
    /// them, and calls again with the rest followed by new bytes. The second result is the reply, if it is complete.
    pub fn decode(&mut self, input: &[u8]) -> Result<(usize, Option<Value>), DecodeError> {
        let mut consumed = 0;
        while let Some((item, length)) = take_item(&input[consumed..])? {
            consumed += length;
            let complete = match item {
                Item::Value(value) => self.close(value),
                Item::Open(kind, missing) => self.open(kind, missing)?,
            };
            if complete.is_some() {
                return Ok((consumed, complete));
            }
        }
        Ok((consumed, None))
    }

    fn open(&mut self, kind: OpenKind, missing: u64) -> Result<Option<Value>, DecodeError> {
        if self.open.len() == self.max_depth {
            return Err(DecodeError::TooDeep);
        }
        self.open.push(Open {
            kind,
            elements: Vec::new(),
            missing,
        });
        Ok(self.close_what_is_full())
    }

    /// Adds a complete value to the innermost open one. Returns the reply, if that completes it.
    fn close(&mut self, value: Value) -> Option<Value> {
        if self.open.is_empty() {
            return Some(value);
        }
        self.give_to_parent(value);
        self.close_what_is_full()
    }

    fn close_what_is_full(&mut self) -> Option<Value> {
        while let Some(Open {
            kind, mut elements, ..
        }) = self.open.pop_if(|open| open.missing == 0)
        {
            let value = match kind {
                OpenKind::Array => Value::Array(elements),
                OpenKind::Set => Value::Set(elements),
                OpenKind::Push => Value::Push(elements),
                OpenKind::Map => Value::Map(pairs(elements)),
                OpenKind::Attribute => {
                    let kind = OpenKind::Attributed(pairs(elements));
                    self.open.push(Open {
                        kind,
                        elements: Vec::new(),
                        missing: 1,
                    });
                    return None;
                }
                OpenKind::Attributed(pairs) => {
                    let value = elements.pop().expect("it was closed by this one element");
                    Value::Attribute {
                        pairs,
                        value: Box::new(value),
                    }
                }
            };
            if self.open.is_empty() {
                return Some(value);
            }
            self.give_to_parent(value);
        }
        None
    }

    fn give_to_parent(&mut self, value: Value) {
        let parent = self.open.last_mut().expect("the caller has looked");
        parent.elements.push(value);
        parent.missing -= 1;
    }
}

fn pairs(elements: Vec<Value>) -> Vec<(Value, Value)> {
    let mut pairs = Vec::with_capacity(elements.len() / 2);
    let mut elements = elements.into_iter();
    while let (Some(key), Some(value)) = (elements.next(), elements.next()) {
        pairs.push((key, value));
    }
    pairs
}

/// The item at the start of `input` and its length in bytes, if `input` has all of it.
fn take_item(input: &[u8]) -> Result<Option<(Item, usize)>, DecodeError> {
    let Some((&kind, rest)) = input.split_first() else {
        return Ok(None);
    };
    if !b"+-:_#,($!=*~>%|".contains(&kind) {
        return Err(DecodeError::UnknownType(kind));
    }
    let Some(line) = take_line(rest) else {
        return Ok(None);
    };
    let header_length = 1 + line.len() + 2;
    let item = match kind {
        b'$' | b'!' | b'=' => {
            return take_string(kind, line, &input[header_length..], header_length);
        }
        b'+' => Item::Value(Value::Simple(simple_string(line)?)),
        b'-' => Item::Value(Value::Error(simple_string(line)?)),
        b':' => Item::Value(Value::Integer(
            number::parse_i64(line).ok_or(DecodeError::BadInteger)?,
        )),
        b'_' if line.is_empty() => Item::Value(Value::Null),
        b'_' => return Err(DecodeError::BadNull),
        b'#' => Item::Value(Value::Boolean(boolean(line)?)),
        b',' => Item::Value(Value::Double(double(line)?)),
        b'(' => Item::Value(Value::BigNumber(big_number(line)?)),
        // RESP2 has this null for arrays alone. hiredis takes it for the other types too.
        b'*' | b'~' | b'>' | b'%' if line == b"-1" => Item::Value(Value::Null),
        b'*' => Item::Open(OpenKind::Array, count(line)?),
        b'~' => Item::Open(OpenKind::Set, count(line)?),
        b'>' => Item::Open(OpenKind::Push, count(line)?),
        b'%' => Item::Open(OpenKind::Map, 2 * count(line)?),
        _ => Item::Open(OpenKind::Attribute, 2 * count(line)?),
    };
    Ok(Some((item, header_length)))
}

/// A line without its end. A carriage return or a line feed alone does not end it.
fn take_line(input: &[u8]) -> Option<&[u8]> {
    let end = input.windows(2).position(|pair| pair == b"\r\n")?;
    Some(&input[..end])
}

fn simple_string(line: &[u8]) -> Result<Vec<u8>, DecodeError> {
    match line.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
        true => Err(DecodeError::BadSimpleString),
        false => Ok(line.to_vec()),
    }
}

/// A string whose length stands in `line`, and whose bytes are at the start of `input`.
fn take_string(
    kind: u8,
    line: &[u8],
    input: &[u8],
    header_length: usize,
) -> Result<Option<(Item, usize)>, DecodeError> {
    let length = number::parse_i64(line).ok_or(DecodeError::BadStringLength)?;
    // RESP2 has this null for `$` alone. hiredis takes it for the other types too.
    if length == -1 {
        return Ok(Some((Item::Value(Value::Null), header_length)));
    }
    let length = usize::try_from(length).map_err(|_| DecodeError::StringLengthOutOfRange)?;
    let Some((bytes, rest)) = input.split_at_checked(length) else {
        return Ok(None);
    };
    match rest {
        [b'\r', b'\n', ..] => {}
        [] | [b'\r'] => return Ok(None),
        // hiredis does not look at these bytes. What follows them may be out of step then.
        _ => return Err(DecodeError::BadLineEnd),
    }
    let value = match (kind, bytes) {
        (b'$', _) => Value::Bulk(bytes.to_vec()),
        (b'!', _) => Value::Error(bytes.to_vec()),
        (_, &[a, b, c, b':', ref text @ ..]) => Value::Verbatim {
            format: [a, b, c],
            text: text.to_vec(),
        },
        _ => return Err(DecodeError::BadVerbatim),
    };
    Ok(Some((Item::Value(value), header_length + length + 2)))
}

/// A number of elements or pairs.
fn count(line: &[u8]) -> Result<u64, DecodeError> {
    match number::parse_i64(line) {
        Some(count @ 0..=MAX_ELEMENTS) => Ok(count as u64),
        Some(_) => Err(DecodeError::CountOutOfRange),
        None => Err(DecodeError::BadCount),
    }
}

fn boolean(line: &[u8]) -> Result<bool, DecodeError> {
    match line {
        b"t" | b"T" => Ok(true),
        b"f" | b"F" => Ok(false),
        _ => Err(DecodeError::BadBoolean),
    }
}

fn double(line: &[u8]) -> Result<String, DecodeError> {
    let text = str::from_utf8(line).map_err(|_| DecodeError::BadDouble)?;
    // hiredis 1.0 does not take the last two, and servers send them.
    let names = ["inf", "-inf", "nan", "-nan"];
    let is_named = names.iter().any(|name| text.eq_ignore_ascii_case(name));
    let is_number = || number::parse_f64_loosely(line).is_some_and(f64::is_finite);
    if is_named || !line.is_empty() && is_number() {
        Ok(text.to_string())
    } else {
        Err(DecodeError::BadDouble)
    }
}

fn big_number(line: &[u8]) -> Result<String, DecodeError> {
    let digits = line.strip_prefix(b"-").unwrap_or(line);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(DecodeError::BadBigNumber);
    }
    Ok(String::from_utf8_lossy(line).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn simple(text: &str) -> Value {
        Value::Simple(text.into())
    }

    /// Decodes a reply at once, and again byte by byte.
    #[track_caller]
    fn check(input: &[u8], expected: Value) {
        assert_eq!(decode(input), Ok(Some((expected.clone(), input.len()))));
        for end in 0..input.len() {
            assert_eq!(decode(&input[..end]), Ok(None), "after {end} bytes");
        }
        let (mut decoder, mut start) = (Decoder::default(), 0);
        for end in 1..=input.len() {
            let (consumed, value) = decoder.decode(&input[start..end]).unwrap();
            start += consumed;
            assert_eq!(value, (end == input.len()).then(|| expected.clone()));
        }
        assert_eq!(start, input.len());
    }

    #[test]
    fn decodes_scalars() {
        check(b"+OK\r\n", simple("OK"));
        check(b"+\r\n", simple(""));
        check(b"-ERR no\r\n", Value::Error(b"ERR no".to_vec()));
        check(b":-9223372036854775808\r\n", Value::Integer(i64::MIN));
        check(b"$2\r\n\r\n\r\n", Value::Bulk(b"\r\n".to_vec()));
        check(b"$0\r\n\r\n", Value::Bulk(vec![]));
        check(b"$-1\r\n", Value::Null);
        check(b"*-1\r\n", Value::Null);
        for null in ["_", "%-1", "~-1", ">-1", "=-1"] {
            check(format!("{null}\r\n").as_bytes(), Value::Null);
        }
        check(b"#T\r\n", Value::Boolean(true));
        check(b", 1\r\n", Value::Double(" 1".into()));
        check(b",INF\r\n", Value::Double("INF".into()));
        check(b"#t\r\n", Value::Boolean(true));
        check(b"#f\r\n", Value::Boolean(false));
        check(b",1.50\r\n", Value::Double("1.50".into()));
        check(b",-inf\r\n", Value::Double("-inf".into()));
        check(b",nan\r\n", Value::Double("nan".into()));
        check(
            b"(-123456789012345678901\r\n",
            Value::BigNumber("-123456789012345678901".into()),
        );
        check(b"!5\r\nERR x\r\n", Value::Error(b"ERR x".to_vec()));
        check(
            b"=6\r\ntxt:hi\r\n",
            Value::Verbatim {
                format: *b"txt",
                text: b"hi".to_vec(),
            },
        );
    }

    #[test]
    fn decodes_collections() {
        check(b"*0\r\n", Value::Array(vec![]));
        check(
            b"*2\r\n*0\r\n:1\r\n",
            Value::Array(vec![Value::Array(vec![]), Value::Integer(1)]),
        );
        check(b"~1\r\n+a\r\n", Value::Set(vec![simple("a")]));
        check(
            b">2\r\n+a\r\n_\r\n",
            Value::Push(vec![simple("a"), Value::Null]),
        );
        check(b"%0\r\n", Value::Map(vec![]));
        check(
            b"%1\r\n+a\r\n%1\r\n+b\r\n*1\r\n:1\r\n",
            Value::Map(vec![(
                simple("a"),
                Value::Map(vec![(simple("b"), Value::Array(vec![Value::Integer(1)]))]),
            )]),
        );
        let attributed = |value| Value::Attribute {
            pairs: vec![(simple("ttl"), Value::Integer(5))],
            value: Box::new(value),
        };
        check(b"|1\r\n+ttl\r\n:5\r\n+v\r\n", attributed(simple("v")));
        check(
            b"*2\r\n|1\r\n+ttl\r\n:5\r\n*0\r\n:2\r\n",
            Value::Array(vec![attributed(Value::Array(vec![])), Value::Integer(2)]),
        );
        check(
            b"|0\r\n+v\r\n",
            Value::Attribute {
                pairs: vec![],
                value: Box::new(simple("v")),
            },
        );
    }

    #[test]
    fn stops_after_one_reply() {
        assert_eq!(decode(b":1\r\n:2\r\n"), Ok(Some((Value::Integer(1), 4))));
    }

    #[test]
    fn refuses_what_is_no_reply() {
        let table: &[(&[u8], DecodeError)] = &[
            (b"hello\r\n", DecodeError::UnknownType(b'h')),
            (b"\r\n", DecodeError::UnknownType(b'\r')),
            (b"+a\nb\r\n", DecodeError::BadSimpleString),
            (b"-a\rb\r\n", DecodeError::BadSimpleString),
            (b"$1\r\nab\r\n", DecodeError::BadLineEnd),
            (b"_x\r\n", DecodeError::BadNull),
            (b":\r\n", DecodeError::BadInteger),
            (b":+5\r\n", DecodeError::BadInteger),
            (b":01\r\n", DecodeError::BadInteger),
            (b"$?\r\n", DecodeError::BadStringLength),
            (b"$-2\r\n", DecodeError::StringLengthOutOfRange),
            (b"=-2\r\n", DecodeError::StringLengthOutOfRange),
            (b"*?\r\n", DecodeError::BadCount),
            (b"*-2\r\n", DecodeError::CountOutOfRange),
            (b"|-1\r\n", DecodeError::CountOutOfRange),
            (b"*4294967296\r\n", DecodeError::CountOutOfRange),
            (b"%4294967296\r\n", DecodeError::CountOutOfRange),
            (b"%18446744073709551615\r\n", DecodeError::BadCount),
            (b"#x\r\n", DecodeError::BadBoolean),
            (b",abc\r\n", DecodeError::BadDouble),
            (b",\r\n", DecodeError::BadDouble),
            (b",infinity\r\n", DecodeError::BadDouble),
            (b",+inf\r\n", DecodeError::BadDouble),
            (b",1e999\r\n", DecodeError::BadDouble),
            (b"(12a\r\n", DecodeError::BadBigNumber),
            (b"(-\r\n", DecodeError::BadBigNumber),
            (b"=3\r\ntxt\r\n", DecodeError::BadVerbatim),
        ];
        for (input, expected) in table {
            assert_eq!(decode(input), Err(*expected), "{}", input.escape_ascii());
        }
    }

    #[test]
    fn promised_lengths_cost_nothing() {
        for input in [
            &b"*4294967295\r\n:1\r\n"[..],
            b"$9223372036854775807\r\nab",
            b"%4294967295\r\n",
            b"+a\n",
        ] {
            assert_eq!(decode(input), Ok(None));
        }
    }

    #[test]
    fn depth_is_limited() {
        let nested = |depth: usize| [b"*1\r\n".repeat(depth), b":1\r\n".to_vec()].concat();
        assert!(matches!(decode(&nested(MAX_DEPTH)), Ok(Some(_))));
        assert_eq!(decode(&nested(MAX_DEPTH + 1)), Err(DecodeError::TooDeep));
        let decode_in = |depth, reply: &[u8]| Decoder::with_max_depth(depth).decode(reply);
        assert!(matches!(decode_in(200, &nested(200)), Ok((_, Some(_)))));
        assert_eq!(decode_in(200, &nested(201)), Err(DecodeError::TooDeep));
        assert_eq!(
            decode(&b"|0\r\n".repeat(1_000_000)),
            Err(DecodeError::TooDeep)
        );
    }
}
