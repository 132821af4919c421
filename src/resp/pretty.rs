//! Replies as redis-cli shows them on a terminal.
//!
//! ```text
//! OK                        simple string           1) "a"           array
//! (error) ERR text          error                   2) 1) (integer) 1
//! (integer) 5               integer                    2) (nil)
//! "a\nb"                    bulk string             1~ "a"           set
//! (nil)                     null                    1# "a" => "b"    map
//! (double) 1.5              double                  2# "list" =>     a map's value that takes several
//! (true)                    boolean                    1) "x"        lines starts on a new one
//! ```

use crate::resp::decoder::Value;
use crate::util::number;
use crate::util::quoting;

/// The lines that redis-cli prints for `value`, each with its line end.
pub fn pretty(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    print(value, &mut Vec::new(), &mut out);
    out
}

/// Prints `value`, whose first line continues the present one; the lines after it start with `indent`.
fn print(value: &Value, indent: &mut Vec<u8>, out: &mut Vec<u8>) {
    match value {
        Value::Simple(text) => out.extend(text),
        Value::Error(text) => print_tagged("error", text, out),
        Value::Integer(integer) => {
            out.extend(b"(integer) ");
            number::format_i64(*integer, out);
        }
        Value::Bulk(bytes) => quoting::quote(bytes, out),
        Value::Null => out.extend(b"(nil)"),
        Value::Double(text) => print_tagged("double", text.as_bytes(), out),
        Value::Boolean(boolean) => out.extend(if *boolean {
            b"(true)".as_slice()
        } else {
            b"(false)"
        }),
        // redis-cli 7 does not know this type, and ends with an error.
        Value::BigNumber(text) => print_tagged("big number", text.as_bytes(), out),
        Value::Verbatim { text, .. } => out.extend(text),
        Value::Array(elements) if elements.is_empty() => out.extend(b"(empty array)"),
        Value::Set(elements) if elements.is_empty() => out.extend(b"(empty set)"),
        Value::Push(elements) if elements.is_empty() => out.extend(b"(empty push)"),
        Value::Map(pairs) if pairs.is_empty() => out.extend(b"(empty hash)"),
        Value::Array(elements) | Value::Push(elements) => {
            return print_elements(elements, b')', indent, out);
        }
        Value::Set(elements) => return print_elements(elements, b'~', indent, out),
        Value::Map(pairs) => return print_pairs(pairs, indent, out),
        // The pairs are for programs. redis-cli 7 does not know this type.
        Value::Attribute { value, .. } => return print(value, indent, out),
    }
    out.push(b'\n');
}

fn print_tagged(tag: &str, text: &[u8], out: &mut Vec<u8>) {
    out.push(b'(');
    out.extend(tag.as_bytes());
    out.extend(b") ");
    out.extend(text);
}

fn print_elements(elements: &[Value], mark: u8, indent: &mut Vec<u8>, out: &mut Vec<u8>) {
    let numbering = Numbering::of(elements.len(), mark);
    for (index, element) in elements.iter().enumerate() {
        numbering.print(index, indent, out);
        numbering.indented(indent, |indent| print(element, indent, out));
    }
}

fn print_pairs(pairs: &[(Value, Value)], indent: &mut Vec<u8>, out: &mut Vec<u8>) {
    let numbering = Numbering::of(pairs.len(), b'#');
    for (index, (key, value)) in pairs.iter().enumerate() {
        numbering.print(index, indent, out);
        numbering.indented(indent, |indent| {
            print(key, indent, out);
            let line_end = out.pop();
            debug_assert_eq!(line_end, Some(b'\n'));
            out.extend(b" => ");
            if takes_several_lines(value) {
                out.push(b'\n');
                out.extend(indent.iter());
            }
            print(value, indent, out);
        });
    }
}

/// Whether redis-cli starts the value on a line of its own. It looks at the count of elements, not at line ends in
/// texts.
fn takes_several_lines(value: &Value) -> bool {
    match value {
        Value::Array(elements) | Value::Set(elements) | Value::Push(elements) => {
            match elements.as_slice() {
                [] => false,
                [element] => takes_several_lines(element),
                _ => true,
            }
        }
        Value::Map(pairs) => match pairs.as_slice() {
            [] => false,
            [(_, value)] => takes_several_lines(value),
            _ => true,
        },
        Value::Attribute { value, .. } => takes_several_lines(value),
        _ => false,
    }
}

/// The numbers before the elements of one collection, all as wide as the last.
struct Numbering {
    width: usize,
    mark: u8,
}

impl Numbering {
    fn of(count: usize, mark: u8) -> Numbering {
        Numbering {
            width: count.to_string().len(),
            mark,
        }
    }

    fn print(&self, index: usize, indent: &[u8], out: &mut Vec<u8>) {
        // The first element continues the line on which the collection itself has got its number.
        if index > 0 {
            out.extend(indent);
        }
        out.extend(
            format!(
                "{:>width$}{} ",
                index + 1,
                self.mark as char,
                width = self.width
            )
            .as_bytes(),
        );
    }

    /// Runs `print` with the indent that is as wide as a number with its mark and blank.
    fn indented(&self, indent: &mut Vec<u8>, print: impl FnOnce(&mut Vec<u8>)) {
        let outer_len = indent.len();
        indent.resize(outer_len + self.width + 2, b' ');
        print(indent);
        indent.truncate(outer_len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::decoder::decode;

    /// What redis-cli 7.0.15 prints with `--no-raw` when a server sends these bytes.
    #[track_caller]
    fn check(reply: &str, expected: &str) {
        let (value, length) = decode(reply.as_bytes()).unwrap().unwrap();
        assert_eq!(length, reply.len());
        assert_eq!(String::from_utf8_lossy(&pretty(&value)), expected);
    }

    #[test]
    fn scalars() {
        check("+OK\r\n", "OK\n");
        check("-ERR a\r\n", "(error) ERR a\n");
        check(":12345\r\n", "(integer) 12345\n");
        check("$4\r\na\n\"b\r\n", "\"a\\n\\\"b\"\n");
        check("$-1\r\n", "(nil)\n");
        check("*-1\r\n", "(nil)\n");
        check(",3.141\r\n", "(double) 3.141\n");
        check("#t\r\n", "(true)\n");
        check("#f\r\n", "(false)\n");
        check(
            "=29\r\ntxt:This is a verbatim\nstring\r\n",
            "This is a verbatim\nstring\n",
        );
    }

    #[test]
    fn empty_collections() {
        check("*0\r\n", "(empty array)\n");
        check("~0\r\n", "(empty set)\n");
        check("%0\r\n", "(empty hash)\n");
        check("*1\r\n*0\r\n", "1) (empty array)\n");
        check(
            "%2\r\n+a\r\n*0\r\n+b\r\n%0\r\n",
            "1# a => (empty array)\n2# b => (empty hash)\n",
        );
    }

    #[test]
    fn arrays() {
        check(
            "*2\r\n:1\r\n*2\r\n:2\r\n*1\r\n+x\r\n",
            "1) (integer) 1\n2) 1) (integer) 2\n   2) 1) x\n",
        );
        check(
            &format!("*10\r\n{}*2\r\n:1\r\n:2\r\n", ":0\r\n".repeat(9)),
            " 1) (integer) 0\n 2) (integer) 0\n 3) (integer) 0\n 4) (integer) 0\n 5) (integer) 0\n \
             6) (integer) 0\n 7) (integer) 0\n 8) (integer) 0\n 9) (integer) 0\n\
             10) 1) (integer) 1\n    2) (integer) 2\n",
        );
        check(
            "*2\r\n=7\r\ntxt:a\nb\r\n:1\r\n",
            "1) a\nb\n2) (integer) 1\n",
        );
        check(
            "~2\r\n*2\r\n:1\r\n~2\r\n:3\r\n:4\r\n%1\r\n+a\r\n%1\r\n+b\r\n*1\r\n:9\r\n",
            "1~ 1) (integer) 1\n   2) 1~ (integer) 3\n      2~ (integer) 4\n2~ 1# a => 1# b => 1) (integer) 9\n",
        );
    }

    #[test]
    fn maps() {
        check("%1\r\n+a\r\n*1\r\n:1\r\n", "1# a => 1) (integer) 1\n");
        check(
            "%1\r\n+a\r\n*2\r\n:1\r\n:2\r\n",
            "1# a => \n   1) (integer) 1\n   2) (integer) 2\n",
        );
        check(
            "%1\r\n+a\r\n%1\r\n:1\r\n:2\r\n",
            "1# a => 1# (integer) 1 => (integer) 2\n",
        );
        check(
            "%2\r\n*2\r\n:1\r\n:2\r\n*2\r\n:3\r\n*1\r\n:4\r\n+k\r\n*0\r\n",
            "1# 1) (integer) 1\n   2) (integer) 2 => \n   1) (integer) 3\n   2) 1) (integer) 4\n\
             2# k => (empty array)\n",
        );
        check(
            "*1\r\n%2\r\n+a\r\n*2\r\n:1\r\n:2\r\n+b\r\n:1\r\n",
            "1) 1# a => \n      1) (integer) 1\n      2) (integer) 2\n   2# b => (integer) 1\n",
        );
        check(
            "%1\r\n+b\r\n%1\r\n+c\r\n*2\r\n:1\r\n:2\r\n",
            "1# b => \n   1# c => \n      1) (integer) 1\n      2) (integer) 2\n",
        );
    }

    /// For these redis-cli prints nothing.
    #[test]
    fn types_that_redis_cli_does_not_know() {
        check(
            "(123456789012345678901\r\n",
            "(big number) 123456789012345678901\n",
        );
        check("|1\r\n+ttl\r\n:5\r\n*1\r\n+v\r\n", "1) v\n");
    }
}
