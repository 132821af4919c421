//! `help`, which the client answers itself: what there is, and what the server says of a command or a group of them.

use crate::command_docs::CommandDoc;
use crate::terminal::Style;

/// What `help` alone prints.
const GENERAL: &str = r#"To get help about Redis commands type:
      "help @<group>" to get a list of commands in <group>
      "help <command>" for help on <command>
      "help <tab>" to get a list of possible help topics
      "quit" to exit

To set my_redis_client preferences:
      ":set hints" enable online hints
      ":set nohints" disable online hints
Set your preferences in ~/.my_redisclirc

To look behind a command:
      ":wire on" show what goes over the wire, ":wire both" in RESP2 and RESP3, ":wire off"
      ":time on" tell where the time of each command went, ":time off"
      ":explain <command>" tell what the server will touch and lock for a command
      ":watch <seconds> <command>" repeat a command and mark what has changed
"#;

/// The text of `help` without a topic.
pub fn general() -> String {
    format!("my_redis_client {}\n{GENERAL}", env!("CARGO_PKG_VERSION"))
}

/// The text about a topic: the first words of commands, or `@group`.
pub fn about(topic: &[Vec<u8>], docs: &[CommandDoc], style: Style) -> String {
    let words = topic
        .iter()
        .map(|word| String::from_utf8_lossy(word).to_uppercase());
    let words: Vec<String> = words.collect();
    let group = words[0].strip_prefix('@');
    let is_meant = |doc: &&CommandDoc| match group {
        Some(group) => doc.group.eq_ignore_ascii_case(group),
        None => {
            let mut name = doc.name.split(' ');
            words.iter().all(|word| name.next() == Some(word))
        }
    };
    let docs = docs.iter().filter(is_meant);
    let entries = docs.map(|doc| entry(doc, group.is_none(), style));
    entries.collect::<String>() + "\r\n"
}

/// The lines about one command.
fn entry(doc: &CommandDoc, names_group: bool, style: Style) -> String {
    let (name, arguments) = (style.bold(&doc.name), style.grey(&doc.arguments));
    let mut text = format!("\r\n  {name} {arguments}\r\n");
    let facts = [
        ("summary:", &doc.summary, true),
        ("since:", &doc.since, true),
        ("group:", &doc.group, names_group),
    ];
    for (title, fact, _) in facts.iter().filter(|(_, _, is_shown)| *is_shown) {
        text += &format!("  {} {fact}\r\n", style.yellow(title));
    }
    text
}
