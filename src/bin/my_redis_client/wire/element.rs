//! The elements of a request or a reply: their bytes, taken apart, and what they are.

use my_redis_server::util::number;

/// The most bytes of a string that are shown.
const MAX_PAYLOAD: usize = 64;

/// Which way bytes have gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Sent,
    /// From the server to the client.
    Received,
}

/// What some bytes of an element are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The first byte, which tells the type.
    Type,
    /// The length, or the number of elements.
    Length,
    /// The value itself.
    Payload,
    /// The end of a line: carriage return and line feed.
    End,
}

/// An element.
#[derive(Debug, PartialEq)]
pub struct Line {
    /// In how many collections it lies.
    pub depth: usize,
    /// Its bytes, escaped.
    pub parts: Vec<(Part, String)>,
    /// What it is, in words: `a string of 7 bytes`.
    pub note: String,
}

/// The elements of whole requests or replies, `limit` of them at most; a last line tells how many bytes are left then.
pub fn lines(direction: Direction, bytes: &[u8], limit: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    // For each collection that is open, how many elements are still to come.
    let mut open: Vec<u64> = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        if lines.len() == limit {
            lines.push(others(format!("and {} more bytes", rest.len())));
            break;
        }
        while open.pop_if(|missing| *missing == 0).is_some() {}
        let depth = open.len();
        // An attribute is no element of its collection: the value that it describes is.
        if let Some(missing) = open.last_mut()
            && rest[0] != b'|'
        {
            *missing -= 1;
        }
        let Some((line, length, elements)) = element(direction, depth, rest) else {
            lines.push(others(format!("{} bytes that are no element", rest.len())));
            break;
        };
        lines.push(line);
        rest = &rest[length..];
        if elements > 0 {
            open.push(elements);
        }
    }
    lines
}

fn others(note: String) -> Line {
    Line {
        depth: 0,
        parts: Vec::new(),
        note,
    }
}

/// The line before a snapshot: `$263`, or `$EOF:` and the mark that the snapshot ends with. Others may come before it.
pub fn of_header(line: &[u8]) -> Line {
    let (kind, rest) = line.split_at(1.min(line.len()));
    let (part, note) = match kind {
        b"$" if rest.starts_with(b"EOF:") => (Part::Length, "a snapshot up to this mark follows"),
        b"$" => (Part::Length, "a snapshot of this length follows"),
        b"" => (Part::Payload, "a sign of life"),
        b"+" => (Part::Payload, "a simple string"),
        b"-" => (Part::Payload, "an error"),
        _ => (Part::Payload, "a line that is no element"),
    };
    let parts = [(Part::Type, kind), (part, rest)];
    let parts = parts.iter().filter(|(_, text)| !text.is_empty());
    let parts = parts.map(|(part, text)| (*part, escaped(text)));
    Line {
        depth: 0,
        parts: parts.chain([(Part::End, "\\r\\n".into())]).collect(),
        note: note.into(),
    }
}

/// The first element of `bytes`, how many bytes it has, and how many elements follow that belong to it.
fn element(direction: Direction, depth: usize, bytes: &[u8]) -> Option<(Line, usize, u64)> {
    let (&kind, rest) = bytes.split_first()?;
    let header_length = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let header = &rest[..header_length];
    let mut length = 1 + header_length + 2;
    let count = number::parse_u64(header);
    let mut parts = vec![(Part::Type, escaped(&[kind]))];
    let is_value = b"+-:_#,(".contains(&kind);
    let part = if is_value {
        Part::Payload
    } else {
        Part::Length
    };
    if header_length > 0 {
        parts.push((part, escaped(header)));
    }
    parts.push((Part::End, "\\r\\n".into()));
    if b"$!=".contains(&kind)
        && let Some(count) = count
    {
        let end = length.checked_add(usize::try_from(count).ok()?)?;
        parts.push((Part::Payload, escaped(bytes.get(length..end)?)));
        parts.push((Part::End, "\\r\\n".into()));
        length = end.checked_add(2)?;
    }
    let line = Line {
        depth,
        parts,
        note: note(direction, depth, kind, count),
    };
    let elements = match kind {
        b'*' | b'~' | b'>' => count.unwrap_or(0),
        // The value that an attribute describes follows its pairs, as an element of its own.
        b'%' | b'|' => count.unwrap_or(0).saturating_mul(2),
        _ => 0,
    };
    (length <= bytes.len()).then_some((line, length, elements))
}

/// What an element is, in words. `count` is its length; only a null has none.
fn note(direction: Direction, depth: usize, kind: u8, count: Option<u64>) -> String {
    let counted = |what: &str, unit: &str| match count {
        Some(1) => format!("{what} of 1 {unit}"),
        Some(count) => format!("{what} of {count} {unit}s"),
        None => "null".into(),
    };
    match (kind, count) {
        (b'*', None) => "null, as an array of RESP2".into(),
        (b'$', None) => "null, as a string of RESP2".into(),
        (b'*', _) if direction == Direction::Sent && depth == 0 => counted("a command", "word"),
        (b'*', _) => counted("an array", "element"),
        (b'$', _) => counted("a string", "byte"),
        (b'!', _) => counted("an error", "byte"),
        (b'=', _) => counted("a text with its format", "byte"),
        (b'~', _) => counted("a set", "element"),
        (b'>', _) => counted("a push, which answers no command,", "element"),
        (b'%', _) => counted("a map", "pair"),
        (b'|', _) => counted("an attribute of the next element,", "pair"),
        (b'+', _) => "a simple string".into(),
        (b'-', _) => "an error".into(),
        (b':', _) => "an integer".into(),
        (b'_', _) => "null".into(),
        (b'#', _) => "a boolean: t is true, f is false".into(),
        (b',', _) => "a double".into(),
        (b'(', _) => "a big number".into(),
        _ => "an unknown type".into(),
    }
}

/// Bytes as Rust writes them in strings; the middle of many is left out.
fn escaped(bytes: &[u8]) -> String {
    match bytes.split_at_checked(MAX_PAYLOAD) {
        Some((start, rest)) if !rest.is_empty() => {
            format!("{}… ({} more bytes)", start.escape_ascii(), rest.len())
        }
        _ => bytes.escape_ascii().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each line as `depth parts note`.
    fn shown(direction: Direction, bytes: &[u8]) -> Vec<String> {
        let lines = lines(direction, bytes, 8);
        let show = |line: &Line| {
            let parts: String = line.parts.iter().map(|(_, text)| text.as_str()).collect();
            format!("{} {parts} {}", line.depth, line.note)
        };
        lines.iter().map(show).collect()
    }

    #[test]
    fn an_element_is_a_line() {
        assert_eq!(
            shown(Direction::Sent, b"*2\r\n$3\r\nGET\r\n$2\r\n\r\n\r\n"),
            [
                "0 *2\\r\\n a command of 2 words",
                "1 $3\\r\\nGET\\r\\n a string of 3 bytes",
                "1 $2\\r\\n\\r\\n\\r\\n a string of 2 bytes",
            ]
        );
        assert_eq!(
            shown(Direction::Received, b"%1\r\n*1\r\n:1\r\n_\r\n+OK\r\n"),
            [
                "0 %1\\r\\n a map of 1 pair",
                "1 *1\\r\\n an array of 1 element",
                "2 :1\\r\\n an integer",
                "1 _\\r\\n null",
                "0 +OK\\r\\n a simple string",
            ]
        );
        assert_eq!(
            shown(Direction::Received, b"$-1\r\nnonsense"),
            [
                "0 $-1\\r\\n null, as a string of RESP2",
                "0  8 bytes that are no element",
            ]
        );
    }

    #[test]
    fn a_null_may_have_any_type() {
        assert_eq!(
            shown(Direction::Received, b"%-1\r\n=-1\r\n"),
            ["0 %-1\\r\\n null", "0 =-1\\r\\n null"]
        );
    }

    #[test]
    fn an_attribute_is_no_element_of_its_array() {
        assert_eq!(
            shown(Direction::Received, b"*2\r\n|1\r\n+a\r\n+b\r\n:1\r\n:2\r\n"),
            [
                "0 *2\\r\\n an array of 2 elements",
                "1 |1\\r\\n an attribute of the next element, of 1 pair",
                "2 +a\\r\\n a simple string",
                "2 +b\\r\\n a simple string",
                "1 :1\\r\\n an integer",
                "1 :2\\r\\n an integer",
            ]
        );
    }

    #[test]
    fn a_length_may_be_nonsense() {
        let max = u64::MAX;
        for header in ["%", "|", "$", "*"] {
            let bytes = format!("{header}{max}\r\n:1\r\n");
            assert!(!shown(Direction::Received, bytes.as_bytes()).is_empty());
        }
    }

    #[test]
    fn long_ones_are_cut() {
        let long = [b"$100\r\n".to_vec(), vec![b'x'; 100], b"\r\n".to_vec()].concat();
        assert!(shown(Direction::Received, &long)[0].contains("… (36 more bytes)"));
        let many = b":1\r\n".repeat(20);
        let lines = shown(Direction::Received, &many);
        assert_eq!(lines.len(), 9);
        assert_eq!(lines[8], "0  and 48 more bytes");
    }
}
