//! The arguments of a command, from the line that people read to the tree that COMMAND DOCS replies with.
//!
//! ```text
//! key value                     two arguments            [NX | XX]              at most one of two words
//! [COUNT count]                 a word and its argument  <LEFT | RIGHT>         one of two words
//! field value [field value ...] pairs, at least one      [LIMIT offset count]   a word and its arguments
//! [GET pattern [GET pattern ...]]   the word comes again with every argument
//! <A a | B b> [...]             `[...]` stands for what is before it, repeated
//! increment:double bit:integer  types that the names do not tell; also `:string`
//! ```
//!
//! The lines are ours, in the table, so a fault in one is a fault in the program: parsing cannot fail, and a test
//! parses all of them.

use std::iter::Peekable;
use std::str::SplitWhitespace;

/// An argument, or several that belong together: <https://redis.io/docs/reference/command-arguments/>.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// What it is called; of several, the names of all.
    pub name: String,
    /// What it may be.
    pub kind: ArgumentKind,
    /// The word that comes before it, in capitals.
    pub token: Option<String>,
    /// Whether it may be left out.
    pub is_optional: bool,
    /// Whether it may come several times.
    pub is_multiple: bool,
    /// Whether the token comes again each time.
    pub repeats_token: bool,
    /// What it consists of, or the alternatives.
    pub arguments: Vec<Argument>,
}

/// What an argument may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ArgumentKind {
    Key,
    String,
    Integer,
    Double,
    Pattern,
    UnixTime,
    /// A word that stands for itself.
    PureToken,
    /// One of several arguments.
    OneOf,
    /// Several arguments, one after the other.
    Block,
}

impl ArgumentKind {
    /// The name in COMMAND DOCS.
    pub fn name(self) -> &'static str {
        match self {
            ArgumentKind::Key => "key",
            ArgumentKind::String => "string",
            ArgumentKind::Integer => "integer",
            ArgumentKind::Double => "double",
            ArgumentKind::Pattern => "pattern",
            ArgumentKind::UnixTime => "unix-time",
            ArgumentKind::PureToken => "pure-token",
            ArgumentKind::OneOf => "oneof",
            ArgumentKind::Block => "block",
        }
    }

    /// What the arguments of this name are: the same name means the same in all commands.
    fn of(name: &str) -> ArgumentKind {
        match name {
            "key" | "key1" | "key2" | "newkey" | "source" | "destination" | "destkey"
            | "sourcekey" | "src" | "dst" => ArgumentKind::Key,
            "pattern" => ArgumentKind::Pattern,
            "unix-time-seconds" | "unix-time-milliseconds" => ArgumentKind::UnixTime,
            "client-id" | "count" | "cursor" | "db" | "decrement" | "destination-db" | "end"
            | "increment" | "index" | "index1" | "index2" | "len" | "limit" | "milliseconds"
            | "min-match-len" | "num-matches" | "numkeys" | "offset" | "protover" | "rank"
            | "seconds" | "start" | "stop" | "weight" => ArgumentKind::Integer,
            _ => ArgumentKind::String,
        }
    }
}

/// The arguments that the line describes.
pub fn parse(syntax: &str) -> Vec<Argument> {
    let spaced = ["[", "]", "<", ">", "|"]
        .iter()
        .fold(syntax.to_string(), |text, mark| {
            text.replace(mark, &format!(" {mark} "))
        });
    let mut words = spaced.split_whitespace().peekable();
    let sequence = parse_sequence(&mut words);
    assert_eq!(words.next(), None, "closed, but never opened: {syntax}");
    sequence
}

type Words<'a> = Peekable<SplitWhitespace<'a>>;

/// Arguments up to what closes the group, or separates alternatives, or to the end.
fn parse_sequence(words: &mut Words) -> Vec<Argument> {
    let mut sequence = Vec::new();
    while let Some(word) = words.next_if(|word| !matches!(*word, "]" | ">" | "|")) {
        match word {
            "[" => match parse_repetition(words) {
                Ok(repeated) => repeat(&mut sequence, &repeated),
                Err(mut argument) => {
                    argument.is_optional = true;
                    sequence.push(argument);
                }
            },
            "<" => sequence.push(parse_group(words, ">")),
            token if is_token(token) => sequence.push(parse_token(token, words)),
            name => sequence.push(Argument::named(name)),
        }
    }
    sequence
}

/// A token, with the argument that follows it.
fn parse_token(token: &str, words: &mut Words) -> Argument {
    let follows =
        words.next_if(|word| *word == "<" || !(is_token(word) || is_mark(word) || *word == "..."));
    let argument = match follows {
        None => Argument::new(token.to_ascii_lowercase(), ArgumentKind::PureToken),
        Some("<") => parse_group(words, ">"),
        Some(name) => Argument::named(name),
    };
    Argument {
        token: Some(token.to_string()),
        ..argument
    }
}

/// What stands in brackets: what is repeated, if it ends with dots, otherwise an optional argument.
fn parse_repetition(words: &mut Words) -> Result<Vec<Argument>, Argument> {
    let mut ahead = words.clone();
    if let Some(repeated) = parse_sequence_before_dots(&mut ahead) {
        *words = ahead;
        return Ok(repeated);
    }
    Err(parse_group(words, "]"))
}

fn parse_sequence_before_dots(words: &mut Words) -> Option<Vec<Argument>> {
    let mut sequence = parse_sequence(words);
    words.next_if_eq(&"]")?;
    sequence.pop_if(|argument| argument.name == "...")?;
    Some(sequence)
}

/// The alternatives up to the closing mark, as one argument.
fn parse_group(words: &mut Words, close: &str) -> Argument {
    let mut alternatives = Vec::new();
    loop {
        alternatives.push(block(parse_sequence(words)));
        match words.next() {
            Some("|") => {}
            mark => {
                assert_eq!(mark, Some(close), "opened, but never closed");
                break;
            }
        }
    }
    if alternatives.len() == 1 {
        return alternatives.remove(0);
    }
    Argument::of_several(ArgumentKind::OneOf, alternatives)
}

/// Several arguments as one. A token before the first of them comes before them all.
fn block(mut sequence: Vec<Argument>) -> Argument {
    if sequence.len() == 1 {
        return sequence.remove(0);
    }
    let is_required = sequence.iter().all(|argument| !argument.is_optional);
    let first = sequence.first_mut();
    let token = first
        .filter(|first| is_required && first.kind != ArgumentKind::PureToken)
        .and_then(|first| first.token.take());
    Argument {
        token,
        ..Argument::of_several(ArgumentKind::Block, sequence)
    }
}

/// Marks the end of `sequence` as what may come several times.
fn repeat(sequence: &mut Vec<Argument>, repeated: &[Argument]) {
    let count = repeated.len().max(1);
    let rest = sequence.len().checked_sub(count);
    let last = sequence.split_off(rest.expect("what is repeated stands before the repetition"));
    let repeats_token = repeated.iter().any(|argument| argument.token.is_some());
    let mut argument = block(last);
    argument.is_multiple = true;
    argument.repeats_token = repeats_token;
    sequence.push(argument);
}

fn is_token(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_uppercase())
}

fn is_mark(word: &str) -> bool {
    matches!(word, "[" | "]" | "<" | ">" | "|")
}

impl Argument {
    fn new(name: String, kind: ArgumentKind) -> Argument {
        Argument {
            name,
            kind,
            token: None,
            is_optional: false,
            is_multiple: false,
            repeats_token: false,
            arguments: Vec::new(),
        }
    }

    fn named(word: &str) -> Argument {
        let (name, kind) = match word.split_once(':') {
            Some((name, "double")) => (name, ArgumentKind::Double),
            Some((name, "string")) => (name, ArgumentKind::String),
            Some((name, _)) => (name, ArgumentKind::Integer),
            None => (word, ArgumentKind::of(word)),
        };
        Argument::new(name.to_string(), kind)
    }

    fn of_several(kind: ArgumentKind, arguments: Vec<Argument>) -> Argument {
        let names: Vec<&str> = arguments
            .iter()
            .map(|argument| argument.name.as_str())
            .collect();
        let mut argument = Argument::new(names.join("_"), kind);
        argument.arguments = arguments;
        argument
    }

    /// The names of its flags in COMMAND DOCS.
    pub fn flags(&self) -> Vec<&'static str> {
        [
            (self.is_optional, "optional"),
            (self.is_multiple, "multiple"),
            (self.repeats_token, "multiple_token"),
        ]
        .into_iter()
        .filter_map(|(is_set, name)| is_set.then_some(name))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree in one line: `name:type`, the token before it, `?` optional, `+` multiple, `++` with its token.
    fn outline(arguments: &[Argument]) -> String {
        let outlines: Vec<String> = arguments.iter().map(outline_one).collect();
        outlines.join(" ")
    }

    fn outline_one(argument: &Argument) -> String {
        let token = match &argument.token {
            Some(token) => format!("{token}="),
            None => String::new(),
        };
        let inner = match argument.arguments.as_slice() {
            [] => String::new(),
            inner => format!("({})", outline(inner)),
        };
        let marks = match (
            argument.is_optional,
            argument.is_multiple,
            argument.repeats_token,
        ) {
            (false, false, false) => "",
            (true, false, false) => "?",
            (false, true, false) => "+",
            (true, true, false) => "?+",
            (false, true, true) => "++",
            (true, true, true) => "?++",
            (_, false, true) => unreachable!(),
        };
        let kind = argument.kind.name();
        format!("{token}{}:{kind}{inner}{marks}", argument.name)
    }

    #[track_caller]
    fn check(syntax: &str, expected: &str) {
        assert_eq!(outline(&parse(syntax)), expected, "{syntax}");
    }

    #[test]
    fn words() {
        check("", "");
        check("key value", "key:key value:string");
        check("key increment:double", "key:key increment:double");
        check("pattern", "pattern:pattern");
        check("[SCHEDULE]", "SCHEDULE=schedule:pure-token?");
        check("[COUNT count]", "COUNT=count:integer?");
        check("[username] password", "username:string? password:string");
    }

    #[test]
    fn alternatives() {
        check(
            "[NX | XX]",
            "nx_xx:oneof(NX=nx:pure-token XX=xx:pure-token)?",
        );
        check(
            "<LEFT | RIGHT>",
            "left_right:oneof(LEFT=left:pure-token RIGHT=right:pure-token)",
        );
        check(
            "[EX seconds | KEEPTTL]",
            "seconds_keepttl:oneof(EX=seconds:integer KEEPTTL=keepttl:pure-token)?",
        );
        check(
            "[TYPE <NORMAL | PUBSUB>]",
            "TYPE=normal_pubsub:oneof(NORMAL=normal:pure-token PUBSUB=pubsub:pure-token)?",
        );
        check(
            "[[NOW] [FORCE] | ABORT]",
            "now_force_abort:oneof(now_force:block(NOW=now:pure-token? FORCE=force:pure-token?) \
             ABORT=abort:pure-token)?",
        );
    }

    #[test]
    fn blocks() {
        check(
            "[LIMIT offset count]",
            "LIMIT=offset_count:block(offset:integer count:integer)?",
        );
        check(
            "[count [WITHVALUES]]",
            "count_withvalues:block(count:integer WITHVALUES=withvalues:pure-token?)?",
        );
        check(
            "[protover [AUTH username password]]",
            "protover_username_password:block(protover:integer \
             AUTH=username_password:block(username:string password:string)?)?",
        );
    }

    #[test]
    fn repetitions() {
        check("key [key ...]", "key:key+");
        check("[section [section ...]]", "section:string?+");
        check("[ID client-id [client-id ...]]", "ID=client-id:integer?+");
        check("[GET pattern [GET pattern ...]]", "GET=pattern:pattern?++");
        check(
            "key field value [field value ...]",
            "key:key field_value:block(field:string value:string)+",
        );
        check(
            "<[ID client-id] | [MAXAGE age]> [...]",
            "client-id_age:oneof(ID=client-id:integer? MAXAGE=age:string?)+",
        );
    }

    #[test]
    fn every_line_of_the_table() {
        for command in crate::command::COMMANDS.all() {
            parse(command.spec.syntax);
        }
    }
}
