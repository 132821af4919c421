//! Replies as other programs read them: the bytes of strings, without types and quotes.

use my_redis_server::resp::decoder::Value;
use my_redis_server::util::number;

/// Appends `value` to `out`; `delimiter` stands between the elements of a collection.
pub fn raw(value: &Value, delimiter: &[u8], out: &mut Vec<u8>) {
    match value {
        Value::Null => {}
        Value::Error(text) => {
            out.extend(text);
            out.push(b'\n');
        }
        Value::Simple(text) | Value::Bulk(text) | Value::Verbatim { text, .. } => out.extend(text),
        Value::Boolean(boolean) => out.extend(if *boolean {
            b"(true)".as_slice()
        } else {
            b"(false)"
        }),
        Value::Integer(integer) => number::format_i64(*integer, out),
        Value::Double(text) | Value::BigNumber(text) => out.extend(text.as_bytes()),
        Value::Array(elements) | Value::Set(elements) | Value::Push(elements) => {
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.extend(delimiter);
                }
                raw(element, delimiter, out);
            }
        }
        Value::Map(pairs) => {
            for (index, (key, value)) in pairs.iter().enumerate() {
                if index > 0 {
                    out.extend(delimiter);
                }
                raw(key, delimiter, out);
                out.push(b' ');
                raw(value, delimiter, out);
            }
        }
        Value::Attribute { value, .. } => raw(value, delimiter, out),
    }
}
