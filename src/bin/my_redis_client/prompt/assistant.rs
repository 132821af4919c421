//! What helps the user while typing: Tab completes the names of commands, and behind the name stand the arguments that
//! are still to come, in grey.

use crate::command_docs::CommandDoc;
use crate::terminal::Style;
use my_redis_server::util::quoting;
use rustix::termios::tcgetwinsize;
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use std::rc::Rc;

/// The client's own commands and their arguments.
const OWN_COMMANDS: [(&str, &str); 5] = [
    (":explain", "command"),
    (":set", "hints|nohints"),
    (":time", "on|off"),
    (":watch", "seconds command"),
    (":wire", "on|both|off"),
];

/// The assistant of the editor.
#[derive(Default)]
pub struct Assistant {
    /// Empty as long as the server has not told its commands.
    pub docs: Rc<Vec<CommandDoc>>,
    /// Whether arguments are shown.
    pub hints: bool,
    /// The columns that the prompt takes before what is typed.
    pub prompt_width: usize,
}

impl Assistant {
    /// What may stand in place of `typed`, which begins a name in any case.
    fn names_with(&self, typed: &str, with_groups: bool) -> Vec<String> {
        let groups: BTreeSet<String> = match with_groups {
            true => self
                .docs
                .iter()
                .map(|doc| format!("@{}", doc.group))
                .collect(),
            false => BTreeSet::new(),
        };
        let own = OWN_COMMANDS.iter().map(|(name, _)| name.to_string());
        let names = self.docs.iter().map(|doc| doc.name.clone()).chain(own);
        let begins = |name: &String| {
            let start = name.get(..typed.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(typed))
        };
        groups.into_iter().chain(names).filter(begins).collect()
    }

    /// The arguments that may follow what was typed.
    fn arguments_after(&self, line: &str) -> Option<String> {
        let words = quoting::split_arguments(line.as_bytes()).ok()?;
        let words: Vec<String> = words
            .iter()
            .map(|word| String::from_utf8_lossy(word).to_uppercase())
            .collect();
        let rest = match own_command(&words) {
            // Behind them comes a command of the server.
            Some((":EXPLAIN", _)) if words.len() > 1 => self.arguments_of(&words[1..])?,
            Some((":WATCH", _)) if words.len() > 2 => self.arguments_of(&words[2..])?,
            Some((_, arguments)) => without_first(arguments, words.len() - 1),
            None => self.arguments_of(&words)?,
        };
        Some(match line.ends_with(' ') {
            true => rest.to_string(),
            false => format!(" {rest}"),
        })
    }

    /// The arguments that are still to come in a command of the server, whose words are in capitals.
    fn arguments_of(&self, words: &[String]) -> Option<&str> {
        let names = self.docs.iter().filter(|doc| {
            let name: Vec<&str> = doc.name.split(' ').collect();
            words.len() >= name.len() && words.iter().zip(name).all(|(word, name)| word == name)
        });
        let doc = names.max_by_key(|doc| doc.name.split(' ').count())?;
        let typed = words.len() - doc.name.split(' ').count();
        Some(without_first(&doc.arguments, typed))
    }
}

/// The client's own command that the words begin with, in capitals as they are, and its arguments.
fn own_command(words: &[String]) -> Option<(&str, &'static str)> {
    let first = words.first()?.as_str();
    let mut own = OWN_COMMANDS.iter();
    let (_, arguments) = own.find(|(name, _)| name.eq_ignore_ascii_case(first))?;
    Some((first, arguments))
}

/// Arguments without the first `count`, which have been typed. What is optional stays, because it is not known which
/// option was meant.
fn without_first(arguments: &str, mut count: usize) -> &str {
    let mut rest = arguments;
    while count > 0 && !rest.is_empty() && !rest.starts_with('[') {
        rest = rest.split_once(' ').map_or("", |(_, rest)| rest);
        count -= 1;
    }
    rest
}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = &line[..position];
        let is_help = typed
            .get(..5)
            .is_some_and(|start| start.eq_ignore_ascii_case("help "));
        let start = match is_help {
            true => typed.len() - typed[5..].trim_start().len(),
            false => 0,
        };
        Ok((start, self.names_with(&typed[start..], is_help)))
    }
}

impl Hinter for Assistant {
    type Hint = String;

    fn hint(&self, line: &str, position: usize, _: &Context<'_>) -> Option<String> {
        let is_at_end = position == line.len();
        let hint = self
            .arguments_after(line)
            .filter(|_| self.hints && is_at_end);
        // As in redis-cli, a hint ends at the edge of the window.
        let typed = self.prompt_width + line.chars().count();
        let room = columns().map_or(usize::MAX, |columns| columns.saturating_sub(typed));
        let hint = hint.map(|hint| hint.chars().take(room).collect::<String>());
        hint.filter(|hint| !hint.trim().is_empty())
    }
}

/// The columns that a line may take. redis-cli fills the last one too; there, this editor would begin a new line, and
/// the window would scroll.
fn columns() -> Option<usize> {
    let size = tcgetwinsize(io::stdout()).ok()?;
    usize::from(size.ws_col).checked_sub(1)
}

impl Highlighter for Assistant {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        match Style::of(io::stdout()) {
            Style::Coloured => Cow::Owned(Style::Coloured.grey(hint)),
            // Dim is no colour, and a hint must not look like what was typed.
            Style::Plain => Cow::Owned(format!("\x1b[2m{hint}\x1b[0m")),
        }
    }
}

impl Validator for Assistant {}

impl Helper for Assistant {}

#[cfg(test)]
mod tests {
    use super::*;

    fn assistant() -> Assistant {
        let doc = |name: &str, arguments: &str, group: &str| CommandDoc {
            name: name.into(),
            arguments: arguments.into(),
            group: group.into(),
            ..CommandDoc::default()
        };
        let docs = vec![
            doc("CONFIG", "", "server"),
            doc(
                "CONFIG SET",
                "parameter value [parameter value ...]",
                "server",
            ),
            doc("SET", "key value [NX|XX] [GET]", "string"),
        ];
        Assistant {
            docs: Rc::new(docs),
            hints: true,
            prompt_width: 0,
        }
    }

    #[test]
    fn arguments_that_were_typed_go() {
        let hint = |line: &str| assistant().arguments_after(line);
        for (line, expected) in [
            ("set", Some(" key value [NX|XX] [GET]")),
            ("SET ", Some("key value [NX|XX] [GET]")),
            ("set a", Some(" value [NX|XX] [GET]")),
            ("set a b c d", Some(" [NX|XX] [GET]")),
            ("config set a ", Some("value [parameter value ...]")),
            (":watch", Some(" seconds command")),
            (":watch 1 set a", Some(" value [NX|XX] [GET]")),
            (":explain set ", Some("key value [NX|XX] [GET]")),
            (":wire ", Some("on|both|off")),
            ("nosuch", None),
            ("", None),
        ] {
            assert_eq!(hint(line).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn names_are_completed() {
        let names = |typed, with_groups| assistant().names_with(typed, with_groups);
        assert_eq!(names("con", false), ["CONFIG", "CONFIG SET"]);
        assert_eq!(names("config s", false), ["CONFIG SET"]);
        assert_eq!(names(":w", false), [":watch", ":wire"]);
        assert_eq!(names("@", true), ["@server", "@string"]);
        assert!(names("@", false).is_empty());
    }
}
