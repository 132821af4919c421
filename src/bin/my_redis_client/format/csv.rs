//! Replies as CSV: a line of values, strings between quotes as Redis quotes them.

use my_redis_server::resp::decoder::Value;
use my_redis_server::util::{number, quoting};

/// Appends `value` to `out`. Collections within collections are not told apart.
pub fn print(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend(b"NULL"),
        Value::Error(text) => {
            out.extend(b"ERROR,");
            quoting::quote(text, out);
        }
        Value::Simple(text) | Value::Bulk(text) | Value::Verbatim { text, .. } => {
            quoting::quote(text, out);
        }
        Value::Boolean(boolean) => out.extend(boolean.to_string().as_bytes()),
        Value::Integer(integer) => number::format_i64(*integer, out),
        Value::Double(text) | Value::BigNumber(text) => out.extend(text.as_bytes()),
        Value::Array(elements) | Value::Set(elements) | Value::Push(elements) => {
            print_all(elements.iter(), out);
        }
        Value::Map(pairs) => {
            print_all(pairs.iter().flat_map(|(key, value)| [key, value]), out);
        }
        Value::Attribute { value, .. } => print(value, out),
    }
}

fn print_all<'a>(values: impl Iterator<Item = &'a Value>, out: &mut Vec<u8>) {
    for (index, value) in values.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        print(value, out);
    }
}
