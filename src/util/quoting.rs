//! Words with quotes, in both directions: command lines of the client, lines of the configuration file, and the form in
//! which MONITOR, CONFIG REWRITE and the client show bytes.
//!
//! ```text
//! set  key "a \"b\"\n\x00"  'it\'s'      ->  [set] [key] [a "b", newline, zero byte] [it's]
//! ```
//! Between double quotes `\xHH` is a byte, `\n \r \t \b \a` are control characters and `\` before anything else is
//! dropped. Between single quotes only `\'` is special. A quote may open in the middle of a word, but a closing one
//! must be followed by a blank or the end.

/// A quote was left open, or a closing one was followed by more of the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unbalanced;

/// What C takes for a string: the bytes before the first zero byte.
pub fn c_string(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// The words of a line, without their quotes.
pub fn split_arguments(line: &[u8]) -> Result<Vec<Vec<u8>>, Unbalanced> {
    // Redis works on C strings here, so a zero byte ends the line.
    let mut rest = c_string(line);
    let mut words = Vec::new();
    loop {
        let blanks = rest.iter().take_while(|byte| is_c_space(**byte)).count();
        rest = &rest[blanks..];
        if rest.is_empty() {
            return Ok(words);
        }
        let mut word = Vec::new();
        rest = take_word(rest, &mut word)?;
        words.push(word);
    }
}

/// Reads one word from the start of `rest`; what follows it is returned.
fn take_word<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Result<&'a [u8], Unbalanced> {
    loop {
        match *rest {
            [] => return Ok(rest),
            [b' ' | b'\n' | b'\r' | b'\t', ref after @ ..] => return Ok(after),
            [b'"', ref after @ ..] => return end_of_quoted(take_double_quoted(after, word)?),
            [b'\'', ref after @ ..] => return end_of_quoted(take_single_quoted(after, word)?),
            [byte, ref after @ ..] => {
                word.push(byte);
                rest = after;
            }
        }
    }
}

fn end_of_quoted(rest: &[u8]) -> Result<&[u8], Unbalanced> {
    match rest.first() {
        Some(&byte) if !is_c_space(byte) => Err(Unbalanced),
        _ => Ok(rest),
    }
}

fn take_double_quoted<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Result<&'a [u8], Unbalanced> {
    loop {
        let (byte, after) = match *rest {
            [] => return Err(Unbalanced),
            [b'"', ref after @ ..] => return Ok(after),
            [b'\\', b'x', high, low, ref after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                (hex_value(high) << 4 | hex_value(low), after)
            }
            [b'\\', escaped, ref after @ ..] => (control_character(escaped), after),
            [byte, ref after @ ..] => (byte, after),
        };
        word.push(byte);
        rest = after;
    }
}

fn take_single_quoted<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Result<&'a [u8], Unbalanced> {
    loop {
        let (byte, after) = match *rest {
            [] => return Err(Unbalanced),
            [b'\'', ref after @ ..] => return Ok(after),
            [b'\\', b'\'', ref after @ ..] => (b'\'', after),
            [byte, ref after @ ..] => (byte, after),
        };
        word.push(byte);
        rest = after;
    }
}

fn control_character(escaped: u8) -> u8 {
    match escaped {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// C's `isspace`, which counts the vertical tab too.
fn is_c_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Appends `bytes` to `out` between double quotes, everything unprintable escaped: [`split_arguments`] gives the bytes
/// back.
pub fn quote(bytes: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0x07 => out.extend(b"\\a"),
            0x08 => out.extend(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => out.extend([
                b'\\',
                b'x',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]),
        }
    }
    out.push(b'"');
}

/// The text that [`quote`] appends.
pub fn quoted(bytes: &[u8]) -> String {
    let mut text = Vec::new();
    quote(bytes, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Appends a word of a line: as it is if [`split_arguments`] gives it back so, else quoted.
pub fn quote_if_needed(word: &[u8], out: &mut Vec<u8>) {
    let is_plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'');
    match !word.is_empty() && word.iter().all(is_plain) {
        true => out.extend_from_slice(word),
        false => quote(word, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[u8]) -> Result<Vec<Vec<u8>>, Unbalanced> {
        split_arguments(line)
    }

    #[track_caller]
    fn check(line: &str, expected: &[&[u8]]) {
        let expected: Vec<Vec<u8>> = expected.iter().map(|word| word.to_vec()).collect();
        assert_eq!(words(line.as_bytes()), Ok(expected), "{line:?}");
    }

    #[test]
    fn splits_like_redis() {
        check("", &[]);
        check("  \t ", &[]);
        check(" save  300\t1 ", &[b"save", b"300", b"1"]);
        check("save \"\"", &[b"save", b""]);
        check("''", &[b""]);
        check(r#"a "b c" d"#, &[b"a", b"b c", b"d"]);
        check(r#""\x41\xfF\x4""#, &[b"A\xffx4"]);
        check(r#""\n\r\t\b\a\q\"\\""#, &[b"\n\r\t\x08\x07q\"\\"]);
        check(r"'it\'s' '\n'", &[b"it's", br"\n"]);
        check(r#"foo"bar baz""#, &[b"foobar baz"]);
        check("foo'bar'", &[b"foobar"]);
        check(r"a\n", &[br"a\n"]);
        check("\u{b}a\u{b}b", &[b"a\x0bb"]);
        check("a\0b c", &[b"a"]);
    }

    #[test]
    fn refuses_unbalanced_quotes() {
        for line in [
            "\"",
            "'",
            "\"a",
            "'a",
            r#""a"b"#,
            r#""a"'b'"#,
            "'a'b",
            r#""a\""#,
            r#"a " b"#,
            "\"a\0\"",
        ] {
            assert_eq!(words(line.as_bytes()), Err(Unbalanced), "{line:?}");
        }
    }

    #[test]
    fn quotes_like_redis() {
        let quoted = |bytes: &[u8]| {
            let mut out = Vec::new();
            quote(bytes, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(quoted(b""), r#""""#);
        assert_eq!(quoted(b"a \"b\" \\"), r#""a \"b\" \\""#);
        assert_eq!(
            quoted(b"\n\r\t\x07\x08\x0b\x00\x1f\x7f\x80\xff~"),
            r#""\n\r\t\a\b\x0b\x00\x1f\x7f\x80\xff~""#
        );
    }

    #[test]
    fn words_are_quoted_if_they_must() {
        let written = |word: &[u8]| {
            let mut out = Vec::new();
            quote_if_needed(word, &mut out);
            assert_eq!(words(&out), Ok(vec![word.to_vec()]));
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(b"~a\\*(+#1"), "~a\\*(+#1");
        for (word, expected) in [
            (&b""[..], r#""""#),
            (b"a b", r#""a b""#),
            (b"it's", r#""it's""#),
            (b"a\"b", r#""a\"b""#),
            (b"\xff", r#""\xff""#),
        ] {
            assert_eq!(written(word), expected);
        }
    }

    #[test]
    fn what_is_quoted_comes_back() {
        let every_byte: Vec<u8> = (0..=255).collect();
        let mut line = Vec::new();
        quote(&every_byte, &mut line);
        assert_eq!(words(&line), Ok(vec![every_byte]));
    }
}
