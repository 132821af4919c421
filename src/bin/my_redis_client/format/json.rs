//! Replies as JSON. Strings of Redis hold any bytes and those of JSON do not, so there are two ways to print them.
//!
//! The texts are those of redis-cli. No library of JSON prints them so: an error stands as `error:"..."`, and strings
//! may hold bytes that are no UTF-8.

use my_redis_server::resp::decoder::Value;
use my_redis_server::util::{number, quoting};
use std::io::Write;

/// How strings are printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Strings {
    /// Control characters are escaped as in JSON, all other bytes stand as they are.
    Unicode,
    /// Quoted as Redis quotes strings, with each backslash doubled, so that a reader of JSON gets the quoted text. As
    /// in redis-cli, the result is no JSON if the string has a quotation mark.
    Ascii,
}

/// Appends `value` to `out`.
pub fn print(value: &Value, strings: Strings, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend(b"null"),
        Value::Error(text) => {
            out.extend(b"error:");
            print_string(text, strings, out);
        }
        Value::Simple(text) | Value::Bulk(text) | Value::Verbatim { text, .. } => {
            print_string(text, strings, out);
        }
        Value::Boolean(boolean) => out.extend(boolean.to_string().as_bytes()),
        Value::Integer(integer) => number::format_i64(*integer, out),
        Value::Double(text) | Value::BigNumber(text) => out.extend(text.as_bytes()),
        Value::Array(elements) | Value::Set(elements) | Value::Push(elements) => {
            out.push(b'[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                print(element, strings, out);
            }
            out.push(b']');
        }
        Value::Map(pairs) => {
            out.push(b'{');
            for (index, (key, value)) in pairs.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                print_key(key, strings, out);
                out.push(b':');
                print(value, strings, out);
            }
            out.push(b'}');
        }
        Value::Attribute { value, .. } => print(value, strings, out),
    }
}

/// A key of an object. JSON wants strings there, so the JSON of any other value is put between quotes. An error is
/// printed as it is, because `error:"..."` is no JSON either way.
fn print_key(key: &Value, strings: Strings, out: &mut Vec<u8>) {
    let is_string = matches!(
        key,
        Value::Error(_) | Value::Simple(_) | Value::Bulk(_) | Value::Verbatim { .. }
    );
    if is_string {
        return print(key, strings, out);
    }
    out.push(b'"');
    print(key, strings, out);
    out.push(b'"');
}

fn print_string(text: &[u8], strings: Strings, out: &mut Vec<u8>) {
    match strings {
        Strings::Unicode => escape(text, out),
        Strings::Ascii => {
            let mut quoted = Vec::new();
            quoting::quote(text, &mut quoted);
            for byte in quoted {
                if byte == b'\\' {
                    out.push(byte);
                }
                out.push(byte);
            }
        }
    }
}

fn escape(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in text {
        match byte {
            b'\\' | b'"' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            0x0c => out.extend(b"\\f"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0x08 => out.extend(b"\\b"),
            0..=0x1f => write!(out, "\\u{byte:04x}").expect("a Vec takes everything"),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}
