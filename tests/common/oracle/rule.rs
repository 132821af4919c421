//! What is certain about a reply: which replies need not be the same bytes, because they depend on the order of a hash
//! table, on chance or on the clock, and what must be the same of them.

use super::clocked;
use super::raw_client::Answer;
use my_redis_server::resp::decoder::Value;

/// What is certain about a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Every byte.
    Bytes,
    /// The elements, in any order.
    Elements,
    /// Elements that come in pairs, in any order.
    Pairs,
    /// The same of the second element of two, if the first says that this is all there is.
    Scanned { pairs: bool },
    /// A number, or one that is nearly the same.
    Near(i64),
    /// The types of values and the numbers of elements.
    Shape,
    /// Every value, but times need only be near each other. See [`clocked`].
    Clocked,
}

/// A script that calls the command that its arguments are. Its reply is that of the command.
pub const CALL_ARGUMENTS: &str = "return redis.pcall(unpack(ARGV))";

/// The command that a request carries out: its own, or the one that the script [`CALL_ARGUMENTS`] calls.
pub fn command(request: &[Vec<u8>]) -> &[Vec<u8>] {
    match request {
        [_, script, _, command @ ..] if script == CALL_ARGUMENTS.as_bytes() => command,
        _ => request,
    }
}

/// What is certain about the reply to a request.
pub fn rule(request: &[Vec<u8>]) -> Rule {
    let arguments = command(request);
    let word = |index: usize| {
        let word = arguments.get(index).map(Vec::as_slice);
        String::from_utf8_lossy(word.unwrap_or_default()).to_ascii_uppercase()
    };
    match (word(0).as_str(), word(1).as_str()) {
        ("KEYS" | "HKEYS" | "HVALS", _) | ("COMMAND", "LIST") => Rule::Elements,
        ("SMEMBERS" | "SINTER" | "SUNION" | "SDIFF", _) => Rule::Elements,
        ("HGETALL", _) | ("CONFIG", "GET") => Rule::Pairs,
        ("SCAN" | "SSCAN", _) => Rule::Scanned { pairs: false },
        ("HSCAN" | "ZSCAN", _) => Rule::Scanned { pairs: true },
        ("TTL" | "EXPIRETIME", _) | ("OBJECT", "IDLETIME") => Rule::Near(2),
        ("PTTL" | "PEXPIRETIME", _) => Rule::Near(2000),
        ("HRANDFIELD" | "SRANDMEMBER" | "SPOP" | "ZRANDMEMBER" | "RANDOMKEY" | "TIME", _) => {
            Rule::Shape
        }
        // Those of streams.
        (name, _) if name.starts_with('X') => Rule::Clocked,
        _ => Rule::Bytes,
    }
}

/// Whether two replies agree in what the rule calls certain.
pub fn is_same(rule: Rule, ours: &Answer, real: &Answer) -> bool {
    if ours.bytes == real.bytes {
        return true;
    }
    match rule {
        Rule::Bytes => false,
        Rule::Elements => sorted(&ours.value, false) == sorted(&real.value, false),
        Rule::Pairs => sorted(&ours.value, true) == sorted(&real.value, true),
        Rule::Scanned { pairs } => match (&ours.value, &real.value) {
            (Value::Array(ours), Value::Array(real)) if ours.len() == 2 && real.len() == 2 => {
                let is_all = |it: &[Value]| it[0] == Value::Bulk(b"0".to_vec());
                let is_part = !is_all(ours) || !is_all(real);
                is_part || sorted(&ours[1], pairs) == sorted(&real[1], pairs)
            }
            _ => false,
        },
        Rule::Near(distance) => match (&ours.value, &real.value) {
            // Negative numbers are answers of another kind.
            (Value::Integer(ours), Value::Integer(real)) if *ours >= 0 && *real >= 0 => {
                ours.abs_diff(*real) <= distance.unsigned_abs()
            }
            _ => false,
        },
        Rule::Shape => shape(&ours.value) == shape(&real.value),
        Rule::Clocked => {
            // RESP2 has a null string and a null array.
            let nulls = |it: &Answer| it.bytes.windows(5).filter(|it| *it == b"*-1\r\n").count();
            nulls(ours) == nulls(real) && clocked::is_same(&ours.value, &real.value)
        }
    }
}

/// The elements in an order of their own; `None` if the value has no elements.
fn sorted(value: &Value, in_pairs: bool) -> Option<Vec<String>> {
    let text = |elements: &[Value]| format!("{elements:?}");
    let mut elements: Vec<String> = match value {
        Value::Array(elements) if in_pairs => elements.chunks(2).map(text).collect(),
        Value::Array(elements) => elements.chunks(1).map(text).collect(),
        Value::Map(pairs) => {
            let pairs = pairs.iter().cloned();
            pairs.map(|(key, value)| text(&[key, value])).collect()
        }
        _ => return None,
    };
    elements.sort();
    Some(elements)
}

fn shape(value: &Value) -> String {
    match value {
        Value::Array(elements) => {
            let shapes: Vec<String> = elements.iter().map(shape).collect();
            format!("array of {}", shapes.join(", "))
        }
        Value::Bulk(_) => "string".to_string(),
        Value::Error(_) => format!("{value:?}"),
        other => format!("{:?}", std::mem::discriminant(other)),
    }
}
