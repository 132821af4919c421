//! What Redis 7.2 answers where 7.0, which the oracle speaks, answers something else.

use super::rule::command;

/// Where 7.2 answers differently from 7.0: the words that the request begins with, and what is written in its reply now
/// instead of what was.
struct Change {
    request: &'static str,
    in_7_0: &'static str,
    in_7_2: &'static str,
}

const CHANGED_IN_7_2: &[Change] = &[
    // A list that fits into one listpack is no quicklist any more.
    Change {
        request: "OBJECT ENCODING",
        in_7_0: "$9\r\nquicklist\r\n",
        in_7_2: "$8\r\nlistpack\r\n",
    },
    // A small set is a listpack.
    Change {
        request: "OBJECT ENCODING",
        in_7_0: "$9\r\nhashtable\r\n",
        in_7_2: "$8\r\nlistpack\r\n",
    },
    // 7.0 changes the sign of a number that has no opposite.
    Change {
        request: "LPOS K C RANK -9223372036854775808",
        in_7_0: ":7\r\n",
        in_7_2: "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n",
    },
    // HELLO looks at all its options before it carries out the first.
    Change {
        request: "HELLO 2 AUTH NOBODY SECRET SETNAME A B",
        in_7_0: "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
        in_7_2: "-ERR Client names cannot contain spaces, newlines or special characters.\r\n",
    },
    // A zero byte ends the name that is checked.
    Change {
        request: "CLIENT SETNAME \0",
        in_7_0: "-ERR Client names cannot contain spaces, newlines or special characters.\r\n",
        in_7_2: "+OK\r\n",
    },
    // 7.2 can switch the log off.
    Change {
        request: "CONFIG SET LOGLEVEL",
        in_7_0: "debug, verbose, notice, warning\r\n",
        in_7_2: "debug, verbose, notice, warning, nothing\r\n",
    },
    // It takes one argument, and 7.0 says otherwise.
    Change {
        request: "EVAL",
        in_7_0: "redis.set_repl() requires two arguments.",
        in_7_2: "redis.set_repl() requires one argument.",
    },
    // 7.2 says where the reason stands.
    Change {
        request: "DEBUG RELOAD",
        in_7_0: "Error trying to load the RDB dump\r\n",
        in_7_2: "Error trying to load the RDB dump, check server logs.\r\n",
    },
    // 7.0 gives another reason why there is no ID left within the millisecond.
    Change {
        request: "XADD S 20-*",
        in_7_0: "Elements are too large to be stored",
        in_7_2: "The ID specified in XADD is equal or smaller than the target stream top item",
    },
    // The text names the command that was called, and the sign that it takes.
    Change {
        request: "XREAD ",
        in_7_0: "Unbalanced XREAD list",
        in_7_2: "Unbalanced 'xread' list",
    },
    Change {
        request: "XREADGROUP",
        in_7_0: "Unbalanced XREAD list of streams: for each stream key an ID or '$'",
        in_7_2: "Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>'",
    },
    // A user is told who it is. The tests of rights have one user, ann.
    Change {
        request: "",
        in_7_0: "-NOPERM this user has no permissions to run the ",
        in_7_2: "-NOPERM User ann has no permissions to run the ",
    },
    Change {
        request: "",
        in_7_0: "-NOPERM this user has no permissions to access one of the keys used as arguments\r\n",
        in_7_2: "-NOPERM No permissions to access a key\r\n",
    },
    Change {
        request: "",
        in_7_0: "-NOPERM this user has no permissions to access one of the channels used as arguments\r\n",
        in_7_2: "-NOPERM No permissions to access a channel\r\n",
    },
    Change {
        request: "",
        in_7_0: "-ERR The user executing the script can't access at least one of the keys mentioned in the command \
                 arguments",
        in_7_2: "-ERR ACL failure in script: No permissions to access a key",
    },
    Change {
        request: "",
        in_7_0: "-ERR The user executing the script can't publish to the channel mentioned in the command",
        in_7_2: "-ERR ACL failure in script: No permissions to access a channel",
    },
    Change {
        request: "",
        in_7_0: "otherwise the HELLO AUTH <user> <pass> option",
        in_7_2: "otherwise the HELLO <proto> AUTH <user> <pass> option",
    },
    // HELP of every command.
    Change {
        request: "",
        in_7_0: "+    Prints this help.\r\n",
        in_7_2: "+    Print this help.\r\n",
    },
];

/// The reply of 7.0 with what has changed since.
pub fn as_7_2_says(request: &[Vec<u8>], real: &[u8]) -> Vec<u8> {
    let line = String::from_utf8_lossy(&command(request).join(&b' ')).to_ascii_uppercase();
    let changes = CHANGED_IN_7_2
        .iter()
        .filter(|change| line.starts_with(change.request));
    changes.fold(real.to_vec(), |reply, change| {
        replace(&reply, change.in_7_0.as_bytes(), change.in_7_2.as_bytes())
    })
}

fn replace(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    match bytes.windows(old.len()).position(|part| part == old) {
        None => bytes.to_vec(),
        Some(place) => [
            &bytes[..place],
            new,
            &replace(&bytes[place + old.len()..], old, new),
        ]
        .concat(),
    }
}
