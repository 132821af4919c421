//! What the client must know of commands: which are answered by many messages, and which by a text with lines.

use my_redis_server::resp::decoder::Value;

/// What comes after the request has been sent.
#[derive(Clone, Copy, PartialEq)]
pub enum Answer {
    /// One reply.
    Reply,
    /// A line for every command of any client, until an error.
    Monitor,
    /// Messages, until an error.
    Messages,
    /// A snapshot and a stream of changes.
    Changes,
}

/// Whether the command's word at `index` is `word`, in any case.
pub fn is(command: &[Vec<u8>], index: usize, word: &str) -> bool {
    command
        .get(index)
        .is_some_and(|found| found.eq_ignore_ascii_case(word.as_bytes()))
}

/// Whether a push answers the command: UNSUBSCRIBE and its kin are not answered otherwise in RESP3.
pub fn confirms(push: &Value, command: &[Vec<u8>]) -> bool {
    let Value::Push(elements) = push else {
        return false;
    };
    let unsubscribes = ["unsubscribe", "punsubscribe", "sunsubscribe"];
    let kind = unsubscribes.iter().find(|name| is(command, 0, name));
    kind.is_some_and(|kind| elements.first() == Some(&Value::Bulk(kind.as_bytes().to_vec())))
}

/// What comes after the request of a command.
pub fn answer_to(command: &[Vec<u8>]) -> Answer {
    match command[0].to_ascii_lowercase().as_slice() {
        b"monitor" => Answer::Monitor,
        b"subscribe" | b"psubscribe" | b"ssubscribe" => Answer::Messages,
        b"sync" | b"psync" => Answer::Changes,
        _ => Answer::Reply,
    }
}

/// Whether the reply is a text with lines, which is shown as it is and not as a quoted string.
pub fn is_answered_by_text(command: &[Vec<u8>]) -> bool {
    let is = |index, word| is(command, index, word);
    let count = command.len();
    is(0, "info")
        || is(0, "lolwut")
        || is(0, "debug") && (is(1, "htstats") || is(1, "htstats-key"))
        || is(0, "memory") && (is(1, "malloc-stats") || is(1, "doctor"))
        || count == 2 && is(0, "cluster") && (is(1, "nodes") || is(1, "info"))
        || is(0, "client") && (is(1, "list") || is(1, "info"))
        || count == 3 && is(0, "latency") && is(1, "graph")
        || count == 2 && is(0, "latency") && is(1, "doctor")
        || is(0, "proxy") && is(1, "info")
}
