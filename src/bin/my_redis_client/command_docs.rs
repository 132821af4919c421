//! What the server says of its commands: names, arguments, summaries. For help, completion and hints.
//!
//! Redis 7 and later tell all of it by `COMMAND DOCS`:
//!
//! ```text
//! 1) "get"                                        the name; a subcommand is "acl|cat"
//! 2)  1) "summary"    2) "Get the value of a key"
//!     3) "since"      4) "1.0.0"
//!     5) "group"      6) "string"
//!     7) "arguments"  8) 1) 1) "name" 2) "key" 3) "type" 4) "key" ...
//!     9) "subcommands" ...                        the same for each subcommand
//! ```
//!
//! Older servers tell the names and numbers of arguments, by `COMMAND`. Maps are arrays of keys and values in RESP2.

use crate::connection::{Connection, Failure};
use crate::terminal::harmless;
use my_redis_server::resp::decoder::Value;

/// What is known of a command.
#[derive(Debug, Default, PartialEq)]
pub struct CommandDoc {
    /// The name in capitals, of one or two words: `ACL CAT`.
    pub name: String,
    /// The arguments as help shows them: `key value [NX|XX]`.
    pub arguments: String,
    /// A sentence.
    pub summary: String,
    /// The version in which the command appeared.
    pub since: String,
    /// The family that the command belongs to, such as `string`.
    pub group: String,
}

impl CommandDoc {
    /// Lets nothing through that controls a terminal: the texts are those of a server that may be anyone's.
    fn make_harmless(&mut self) {
        let fields = [
            &mut self.name,
            &mut self.arguments,
            &mut self.summary,
            &mut self.since,
            &mut self.group,
        ];
        for field in fields {
            *field = String::from_utf8_lossy(&harmless(field.as_bytes())).into_owned();
        }
    }
}

/// The commands of the server, by name; `None` if it does not tell them, as to a user who has not logged in.
pub fn fetch(connection: &mut Connection) -> Result<Option<Vec<CommandDoc>>, Failure> {
    let mut docs = Vec::new();
    match connection.call(&["COMMAND", "DOCS"])? {
        Value::Error(_) => match connection.call(&["COMMAND"])? {
            Value::Error(_) => return Ok(None),
            commands => docs.extend(commands.elements().iter().filter_map(of_old_server)),
        },
        reply => {
            for (name, facts) in reply.pairs() {
                add(name, facts, &mut docs);
            }
        }
    }
    for doc in &mut docs {
        doc.make_harmless();
    }
    docs.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Some(docs))
}

/// Adds a command and its subcommands.
fn add(name: &Value, facts: &Value, docs: &mut Vec<CommandDoc>) {
    let mut doc = CommandDoc {
        name: name.text().to_uppercase().replace('|', " "),
        ..CommandDoc::default()
    };
    for (fact, value) in facts.pairs() {
        match fact.text().as_str() {
            "summary" => doc.summary = value.text(),
            "since" => doc.since = value.text(),
            "group" => doc.group = value.text(),
            "arguments" => doc.arguments = join_arguments(value, " ", 0),
            "subcommands" => {
                for (name, facts) in value.pairs() {
                    add(name, facts, docs);
                }
            }
            _ => {}
        }
    }
    docs.push(doc);
}

/// How deep arguments may lie within arguments. One that may be repeated is shown twice, so each level can double the
/// text; the deepest of Redis' own have 4.
const MAX_DEPTH: usize = 8;

/// The most arguments that are shown of a command of an older server.
const MAX_ARGUMENTS: u64 = 16;

fn join_arguments(arguments: &Value, separator: &str, depth: usize) -> String {
    if depth == MAX_DEPTH {
        return "...".into();
    }
    let arguments = arguments.elements();
    let arguments = arguments.iter().map(|facts| argument(facts, depth + 1));
    arguments.collect::<Vec<_>>().join(separator)
}

/// An argument as help shows it: `EX seconds`, `[COUNT count]`, `key [key ...]`, `NX|XX`.
fn argument(facts: &Value, depth: usize) -> String {
    let (mut name, mut kind, mut token, mut flags) =
        (String::new(), String::new(), String::new(), Vec::new());
    let mut inner = &Value::Null;
    for (fact, value) in facts.pairs() {
        match fact.text().as_str() {
            // Redis 7.2 has a text for people beside the name for programs.
            "display_text" => name = value.text(),
            "name" if name.is_empty() => name = value.text(),
            "type" => kind = value.text(),
            // The empty string as an argument is shown as it is typed.
            "token" if value.text().is_empty() => token = "\"\"".into(),
            "token" => token = value.text(),
            "arguments" => inner = value,
            "flags" => flags = value.elements().iter().map(Value::text).collect(),
            _ => {}
        }
    }
    let has = |flag: &str| flags.iter().any(|found| found == flag);
    let repeated = match kind.as_str() {
        "oneof" => join_arguments(inner, "|", depth),
        "block" => join_arguments(inner, " ", depth),
        "pure-token" => String::new(),
        _ => name,
    };
    if !token.is_empty() && kind != "pure-token" {
        token.push(' ');
    }
    let mut shown = format!("{token}{repeated}");
    if has("multiple") {
        let token = if has("multiple_token") {
            token.as_str()
        } else {
            ""
        };
        shown += &format!(" [{token}{repeated} ...]");
    }
    match has("optional") {
        true => format!("[{shown}]"),
        false => shown,
    }
}

/// What an older server's entry tells: `1) "get" 2) (integer) 2 3) flags 4) first key 5) last key 6) step`.
fn of_old_server(entry: &Value) -> Option<CommandDoc> {
    let [
        name,
        Value::Integer(arity),
        _,
        Value::Integer(first_key),
        ..,
    ] = entry.elements()
    else {
        return None;
    };
    // The arity counts the name, and is negative if more arguments may follow.
    let first_key = u64::try_from(*first_key).unwrap_or(0);
    let count = arity.unsigned_abs().min(MAX_ARGUMENTS);
    let words = (1..count).map(|position| match position == first_key {
        true => "key",
        false => "arg",
    });
    let options = (*arity < 0).then_some("...options...");
    Some(CommandDoc {
        name: name.text().to_uppercase(),
        arguments: words.chain(options).collect::<Vec<_>>().join(" "),
        summary: "Help not available".into(),
        since: "Not known".into(),
        group: "generic".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::Bulk(text.as_bytes().to_vec())
    }

    #[test]
    fn an_arity_may_be_nonsense() {
        for arity in [i64::MIN, i64::MAX, 0] {
            let facts = [arity, 0, 1, 1, 1].map(Value::Integer);
            let [arity, flags, rest @ ..] = facts;
            let entry = [bulk("get"), arity, flags].into_iter().chain(rest);
            let doc = of_old_server(&Value::Array(entry.collect())).unwrap();
            assert!(doc.arguments.len() < 100, "{}", doc.arguments);
        }
    }

    #[test]
    fn arguments_within_arguments_do_not_grow_for_ever() {
        let argument = |inner: Value| {
            let flags = Value::Array(vec![bulk("multiple")]);
            let facts = ["name", "x", "type", "block", "flags"].map(bulk);
            let rest = [flags, bulk("arguments"), inner];
            Value::Array(vec![Value::Array(facts.into_iter().chain(rest).collect())])
        };
        let deep = (0..100).fold(Value::Array(Vec::new()), |inner, _| argument(inner));
        assert!(join_arguments(&deep, " ", 0).len() < 10_000);
    }
}
