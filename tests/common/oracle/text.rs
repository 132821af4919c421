//! Requests and replies as text, for reports.

use my_redis_server::util::quoting::quote;

/// A request from words.
pub fn words<W: AsRef<[u8]>>(words: &[W]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.as_ref().to_vec()).collect()
}

/// Bytes as text, cut if there are many.
pub fn shown(bytes: &[u8]) -> String {
    const MOST: usize = 600;
    let cut = bytes.get(..MOST);
    let mark = if cut.is_some() { " ..." } else { "" };
    format!("{}{mark}", cut.unwrap_or(bytes).escape_ascii())
}

/// A request as one would type it.
pub fn line(arguments: &[Vec<u8>]) -> String {
    let words = arguments.iter().map(|argument| {
        let mut word = Vec::new();
        quote(argument, &mut word);
        let is_plain =
            argument.len() + 2 == word.len() && !argument.is_empty() && !argument.contains(&b' ');
        let word = shown(&word[..word.len().min(200)])
            .replace("\\\"", "\"")
            .replace("\\\\", "\\");
        if is_plain {
            word.trim_matches('"').to_string()
        } else {
            word
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Requests as one would type them, a line each.
pub fn lines(requests: &[Vec<Vec<u8>>]) -> String {
    requests
        .iter()
        .map(|request| format!("> {}\n", line(request)))
        .collect()
}
