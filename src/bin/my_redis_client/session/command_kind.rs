//! What the client must know of commands: which are answered by many messages, and which by a text with lines, which
//! change the connection, and which hold a password.

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

/// Whether the command changes the connection or ends it, so that it must not be repeated unseen.
pub fn changes_connection(command: &[Vec<u8>]) -> bool {
    const NAMES: [&str; 18] = [
        "asking",
        "auth",
        "discard",
        "exec",
        "hello",
        "multi",
        "psync",
        "punsubscribe",
        "quit",
        "readonly",
        "readwrite",
        "reset",
        "select",
        "shutdown",
        "sunsubscribe",
        "unsubscribe",
        "unwatch",
        "watch",
    ];
    const CLIENT: [&str; 3] = ["caching", "reply", "tracking"];
    NAMES.iter().any(|name| is(command, 0, name))
        || is(command, 0, "client") && CLIENT.iter().any(|name| is(command, 1, name))
}

/// Directives whose values are secret. Those that begin with `primary` are Valkey's names of those with `master`.
const SECRET_DIRECTIVES: [&str; 7] = [
    "masterauth",
    "masteruser",
    "primaryauth",
    "primaryuser",
    "requirepass",
    "tls-key-file-pass",
    "tls-client-key-file-pass",
];

/// Whether a command holds a password: it stays out of the history's file, and its arguments are not shown on the wire.
/// The rules are those of redis-cli.
pub fn is_secret(command: &[Vec<u8>]) -> bool {
    let words: Vec<String> = command
        .iter()
        .map(|word| String::from_utf8_lossy(word).to_ascii_lowercase())
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        // The client's own commands have a command as their argument: `:watch 1 AUTH x`. The user may have forgotten
        // the words before it.
        [own, ..] if own.starts_with(':') => {
            (1..command.len()).any(|start| is_secret(&command[start..]))
        }
        ["auth", ..] | ["acl", "deluser" | "setuser", ..] => true,
        ["config", "set", pairs @ ..] => pairs
            .iter()
            .step_by(2)
            .any(|name| SECRET_DIRECTIVES.contains(name)),
        ["hello", _, options @ ..] => is_secret_greeting(options),
        ["migrate", _, _, _, _, _, options @ ..] => options
            .iter()
            .take_while(|word| **word != "keys")
            .any(|word| matches!(*word, "auth" | "auth2")),
        ["sentinel", "config", "set", name, ..] => {
            matches!(*name, "sentinel-pass" | "sentinel-user")
        }
        // redis-cli looks at the first pair alone; we look at each, because SENTINEL SET takes several.
        ["sentinel", "set", _, pairs @ ..] => pairs
            .iter()
            .step_by(2)
            .any(|name| matches!(*name, "auth-pass" | "auth-user")),
        _ => false,
    }
}

/// Whether AUTH is among the options of HELLO, and not the name that SETNAME gives.
fn is_secret_greeting(mut options: &[&str]) -> bool {
    loop {
        match options {
            ["auth", ..] => return true,
            ["setname", _, rest @ ..] => options = rest,
            _ => return false,
        }
    }
}

/// The AUTH that a HELLO stands for, if it logs in.
pub fn login_of_greeting(command: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    let mut options = command.get(2..)?;
    loop {
        options = match options {
            [name, user, password, ..] if name.eq_ignore_ascii_case(b"auth") => {
                return Some(vec![b"AUTH".to_vec(), user.clone(), password.clone()]);
            }
            [name, _, rest @ ..] if name.eq_ignore_ascii_case(b"setname") => rest,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use my_redis_server::util::quoting::split_arguments;

    #[test]
    fn passwords_are_secret() {
        let is_secret = |line: &str| is_secret(&split_arguments(line.as_bytes()).unwrap());
        for line in [
            "AUTH pw",
            ":explain auth pw",
            ":explain 5 auth pw",
            ":watch 1 auth pw",
            ":watch auth pw",
            "auth ann pw",
            "ACL SETUSER ann >pw",
            "acl deluser ann",
            "CONFIG SET maxmemory 1 requirepass pw",
            "CONFIG SET primaryauth pw",
            "config set PrimaryUser ann",
            "CONFIG SET masterauth pw",
            "CONFIG SET tls-key-file-pass pw",
            "CONFIG SET tls-client-key-file-pass pw",
            "HELLO 3 AUTH ann pw",
            "HELLO 3 SETNAME me AUTH ann pw",
            "MIGRATE host 6379 key 0 100 AUTH pw",
            "MIGRATE host 6379 \"\" 0 100 COPY AUTH2 ann pw KEYS a",
            "SENTINEL SET m auth-pass pw",
            "sentinel set m quorum 2 auth-pass pw",
            "SENTINEL CONFIG SET sentinel-pass pw",
        ] {
            assert!(is_secret(line), "{line}");
        }
        for line in [
            "GET auth",
            ":explain get a",
            "ACL WHOAMI",
            "CONFIG SET maxmemory requirepass",
            "CONFIG GET requirepass",
            "HELLO 3 SETNAME auth",
            "MIGRATE host 6379 \"\" 0 100 KEYS auth x",
            "SENTINEL SET m quorum 2",
        ] {
            assert!(!is_secret(line), "{line}");
        }
    }

    #[test]
    fn what_changes_the_connection_is_known() {
        let changes = |line: &str| changes_connection(&split_arguments(line.as_bytes()).unwrap());
        for line in ["SELECT 3", "multi", "client reply off", "HELLO 3"] {
            assert!(changes(line), "{line}");
        }
        for line in ["GET select", "client list", "PING"] {
            assert!(!changes(line), "{line}");
        }
    }
}
