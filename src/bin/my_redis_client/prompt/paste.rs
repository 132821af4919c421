//! Several lines at once, as they come when text is pasted into the prompt.

/// The commands of a text. A line end within quotes belongs to a command: a pasted value may have several lines. If a
/// quote is open at the end of the text, it was no quote of such a value, and each line from there on is a command.
pub fn lines(text: &[u8]) -> Vec<&[u8]> {
    let mut commands = Vec::new();
    let mut start = 0;
    while let Some(length) = command_length(&text[start..]) {
        commands.push(&text[start..start + length]);
        start += length + 1;
        if start >= text.len() {
            return commands;
        }
    }
    commands.extend(text[start..].split(|byte| *byte == b'\n'));
    commands
}

/// The bytes up to the end of a line that stands in no quotes. `None` if a quote is left open.
fn command_length(text: &[u8]) -> Option<usize> {
    let mut quote = None;
    let mut bytes = text.iter().enumerate();
    while let Some((index, byte)) = bytes.next() {
        match (quote, byte) {
            (None, b'\n') => return Some(index),
            (None, b'"' | b'\'') => quote = Some(*byte),
            // What follows a backslash closes no quote. Between single quotes, `\'` alone is special.
            (Some(b'"'), b'\\') => drop(bytes.next()),
            (Some(_), b'\\') if text.get(index + 1) == Some(&b'\'') => drop(bytes.next()),
            (Some(open), byte) if open == *byte => quote = None,
            _ => {}
        }
    }
    quote.is_none().then_some(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let expected: Vec<&[u8]> = expected.iter().map(|line| line.as_bytes()).collect();
        assert_eq!(lines(text.as_bytes()), expected);
    }

    #[test]
    fn commands_end_with_lines() {
        check("", &[""]);
        check("PING", &["PING"]);
        check("PING\nGET a", &["PING", "GET a"]);
        check("PING\n", &["PING"]);
        check("SET a \"1\n2\"\nGET a", &["SET a \"1\n2\"", "GET a"]);
        check("SET a \"\\\"\n\"\nGET a", &["SET a \"\\\"\n\"", "GET a"]);
        check("SET a 'it\\'s'\nGET a", &["SET a 'it\\'s'", "GET a"]);
    }

    #[test]
    fn a_stray_quote_costs_its_own_line_alone() {
        check("SET a \"1\nGET a", &["SET a \"1", "GET a"]);
        check(
            "PING\nSET a it's\nGET a\nGET b",
            &["PING", "SET a it's", "GET a", "GET b"],
        );
    }

    /// A scan from each line to the end would take minutes.
    #[test]
    fn a_long_text_with_a_stray_quote_is_read_quickly() {
        let text = "SET a \"\n".to_string() + &"SET key value\n".repeat(1_000_000);
        assert_eq!(lines(text.as_bytes()).len(), 1_000_002);
    }
}
