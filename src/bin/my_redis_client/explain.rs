//! `:explain COMMAND`: what the server will touch and lock for a command, without running it.
//!
//! It is asked by COMMAND INFO and COMMAND GETKEYSANDFLAGS, which Redis has too, and by DEBUG SHARD, which only
//! my_redis_server has: it locks shards of the keyspace, where Redis runs one command at a time.

use crate::observer::Observer;
use my_redis_server::resp::decoder::Value;
use my_redis_server::util::quoting;

/// What is said of a command, in lines.
pub fn explain(command: &[Vec<u8>], observer: &mut Observer) -> String {
    let Some(info) = observer.command_info(command) else {
        let name = String::from_utf8_lossy(&command[0]);
        return format!("The server does not know the command '{name}'.\n");
    };
    let facts = info.elements();
    let list = |index: usize| -> Vec<String> {
        let found = facts.get(index).map(Value::elements).unwrap_or_default();
        found.iter().map(Value::text).collect()
    };
    let mut lines = format!(
        "command     {}\n",
        facts.first().map(Value::text).unwrap_or_default()
    );
    lines += &format!("arguments   {}\n", arity(facts.get(1), command.len()));
    lines += &format!("flags       {}\n", list(2).join(" "));
    lines += &format!("categories  {}\n", list(6).join(" "));
    lines + &keys(command, observer)
}

/// What the arity, which counts the name too, says of this call.
fn arity(arity: Option<&Value>, count: usize) -> String {
    let Some(Value::Integer(arity)) = arity else {
        return "not told".into();
    };
    let words = arity.unsigned_abs() as usize;
    let arguments = words.saturating_sub(1);
    let (rule, fits) = match *arity < 0 {
        true => (format!("at least {arguments}"), count >= words),
        false => (format!("exactly {arguments}"), count == words),
    };
    match fits {
        true => rule,
        false => format!(
            "{rule}, but here are {}: the server will refuse it",
            count - 1
        ),
    }
}

/// The keys of the call, what is done with each, and where it lies.
fn keys(command: &[Vec<u8>], observer: &mut Observer) -> String {
    let mut question = vec![b"COMMAND".to_vec(), b"GETKEYSANDFLAGS".to_vec()];
    question.extend_from_slice(command);
    let reply = observer.ask(&question);
    let keys = reply.as_ref().map(Value::elements).unwrap_or_default();
    if keys.is_empty() {
        return "keys        none\n\
                locks       not told: a command that names no keys may touch none of them, or all\n"
            .into();
    }
    let mut lines = String::new();
    // EVAL is no command that writes, but locks its keys as one: what is done with the keys decides.
    let mut changes = false;
    let mut shards = Vec::new();
    for key in keys {
        let [Value::Bulk(name), flags] = key.elements() else {
            continue;
        };
        let quoted = quoting::quoted(name);
        let flags: Vec<String> = flags.elements().iter().map(Value::text).collect();
        changes |= flags
            .iter()
            .any(|flag| matches!(flag.as_str(), "RW" | "OW" | "RM"));
        lines += &format!("key         {quoted}: {}", flags.join(" "));
        if let Some(Value::Integer(shard)) = observer.ask(&[&b"DEBUG"[..], b"SHARD", name]) {
            lines += &format!(", in shard {shard}");
            shards.push(shard);
        }
        lines.push('\n');
    }
    lines + &locks(shards, changes)
}

/// The locks that my_redis_server takes, in the order in which it takes them.
fn locks(mut shards: Vec<i64>, changes: bool) -> String {
    if shards.is_empty() {
        return "locks       not told: Redis runs one command at a time, and my_redis_server tells shards\n            \
                by DEBUG SHARD, with enable-debug-command\n"
            .into();
    }
    shards.sort_unstable();
    shards.dedup();
    let numbers: Vec<String> = shards.iter().map(i64::to_string).collect();
    let kind = match changes {
        true => "exclusively, other commands on them wait",
        false => "shared, other commands that read go on",
    };
    let unit = match shards.len() {
        1 => "shard",
        _ => "shards",
    };
    format!("locks       {unit} {} ({kind})\n", numbers.join(", "))
}
