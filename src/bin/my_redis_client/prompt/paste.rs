//! Several lines at once, as they come when text is pasted into the prompt.

use my_redis_server::util::quoting;

/// The commands of a text. A line end within quotes belongs to a command: a pasted value may have several lines.
pub fn lines(text: &[u8]) -> Vec<&[u8]> {
    let mut commands = Vec::new();
    let mut start = 0;
    let ends = (0..text.len()).filter(|index| text[*index] == b'\n');
    for end in ends.chain([text.len()]) {
        let is_whole = quoting::split_arguments(&text[start..end]).is_ok();
        if is_whole || end == text.len() {
            commands.push(&text[start..end]);
            start = (end + 1).min(text.len());
        }
    }
    commands
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
        check("PING", &["PING"]);
        check("PING\nGET a", &["PING", "GET a"]);
        check("SET a \"1\n2\"\nGET a", &["SET a \"1\n2\"", "GET a"]);
        check("SET a \"1\nGET a", &["SET a \"1\nGET a"]);
    }
}
