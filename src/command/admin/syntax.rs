//! The arguments of a command, from the line that people read to the tree that COMMAND DOCS replies with.
//!
//! ```text
//! key value                     two arguments
//! [COUNT count]                 a word and its argument, which may be left out
//! [LIMIT <offset count>]        a word and its arguments; together they are called `limit`
//! <where: LEFT | RIGHT>         one of two words; the choice is called `where`
//! [condition: NX | XX]          at most one of two words
//! <data: field value> [...]     two arguments that belong together, at least once
//! key [key ...]                 one argument, at least once
//! [GET pattern [GET ...]]       the word comes again with every argument
//! change:CH                     the word CH, which is called `change`
//! value:integer                 a type that the name does not tell
//! storekey(key)                 called `storekey`, but shown as `key`, which tells the type
//! count@6.2.0  address!2.8.12   the version that brought it, and the one that deprecated it
//! ```
//!
//! The lines are ours, in the table, so a fault in one is a fault in the program: parsing cannot fail, and a test
//! parses all of them.

use std::iter::Peekable;
use std::str::SplitWhitespace;

/// An argument, or several that belong together: <https://redis.io/docs/reference/command-arguments/>.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// What it is called.
    pub name: String,
    /// What it is called when it is shown; several that belong together are shown one by one.
    pub shown: String,
    /// What it may be.
    pub kind: ArgumentKind,
    /// The word that comes before it, in capitals.
    pub token: Option<String>,
    /// The version that brought it, if the command is older.
    pub since: Option<String>,
    /// The version that deprecated it.
    pub deprecated_since: Option<String>,
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

    /// What arguments that are shown under this name are, unless the line says something else.
    fn of(name: &str) -> ArgumentKind {
        match name {
            "key" | "key1" | "key2" | "newkey" | "source" | "destination" | "destkey"
            | "sourcekey" | "src" | "dst" => ArgumentKind::Key,
            "pattern" => ArgumentKind::Pattern,
            "unix-time-seconds" | "unix-time-milliseconds" => ArgumentKind::UnixTime,
            "height" | "latitude" | "longitude" | "radius" | "score" | "timeout" | "width" => {
                ArgumentKind::Double
            }
            "bit" | "client-id" | "count" | "cursor" | "db" | "decrement" | "destination-db"
            | "end" | "end-slot" | "entries-added" | "entries-read" | "frequency" | "increment"
            | "index" | "index1" | "index2" | "len" | "limit" | "milliseconds"
            | "min-match-len" | "ms" | "num-matches" | "numkeys" | "numlocal" | "numreplicas"
            | "offset" | "port" | "protover" | "rank" | "seconds" | "slot" | "start"
            | "start-slot" | "stop" | "ttl" | "weight" => ArgumentKind::Integer,
            _ => ArgumentKind::String,
        }
    }

    /// What the line says it is.
    fn named(name: &str) -> ArgumentKind {
        match name {
            "string" => ArgumentKind::String,
            "integer" => ArgumentKind::Integer,
            "double" => ArgumentKind::Double,
            other => panic!("there is no type {other}"),
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
    let mut sequence: Vec<Argument> = Vec::new();
    while let Some(word) = words.next_if(|word| !matches!(*word, "]" | ">" | "|")) {
        match word {
            "[" => match parse_repetition(words) {
                Some(repeats_token) => {
                    let last = sequence.last_mut();
                    let repeated = last.expect("what is repeated stands before the repetition");
                    repeated.is_multiple = true;
                    repeated.repeats_token = repeats_token;
                }
                None => sequence.push(Argument {
                    is_optional: true,
                    ..parse_group(words, "]", None)
                }),
            },
            "<" => sequence.push(parse_group(words, ">", None)),
            token if is_token(token) => sequence.push(parse_token(token, words)),
            name => sequence.push(Argument::named(name)),
        }
    }
    sequence
}

/// A token, with what follows it.
fn parse_token(token: &str, words: &mut Words) -> Argument {
    let follows = words.next_if(|word| *word == "<" || !(is_token(word) || is_mark(word)));
    let argument = match follows {
        None => return Argument::pure_token(token),
        Some("<") => parse_group(words, ">", Some(token)),
        Some(name) => Argument::named(name),
    };
    Argument {
        token: Some(token.to_string()),
        ..argument
    }
}

/// What stands in brackets, if it is `[...]`, `[name ...]` or `[TOKEN ...]`: whether the token is repeated too.
fn parse_repetition(words: &mut Words) -> Option<bool> {
    let mut ahead = words.clone();
    let repeated = ahead.next_if(|word| *word != "..." && !is_mark(word));
    ahead.next_if_eq(&"...")?;
    let close = ahead.next();
    assert_eq!(close, Some("]"), "nothing stands behind the dots");
    *words = ahead;
    Some(repeated.is_some_and(is_token))
}

/// What stands up to the closing mark, as one argument: the alternatives, or several that belong together, or just one.
/// A group without a name is called like the token before it.
fn parse_group(words: &mut Words, close: &str, token: Option<&str>) -> Argument {
    let name = words.next_if(|word| word.ends_with(':'));
    let mut alternatives = vec![parse_sequence(words)];
    while words.next_if_eq(&"|").is_some() {
        alternatives.push(parse_sequence(words));
    }
    assert_eq!(words.next(), Some(close), "opened, but never closed");
    let (kind, arguments) = match alternatives.len() {
        1 => (ArgumentKind::Block, alternatives.remove(0)),
        _ => (
            ArgumentKind::OneOf,
            alternatives.into_iter().map(only).collect(),
        ),
    };
    match name.map(|name| name.trim_end_matches(':')).or(token) {
        Some(name) => Argument {
            kind,
            arguments,
            ..Argument::named(&name.to_ascii_lowercase())
        },
        None => only(arguments),
    }
}

fn only(mut arguments: Vec<Argument>) -> Argument {
    let argument = arguments.pop().filter(|_| arguments.is_empty());
    argument.expect("several arguments that belong together have a name")
}

/// Whether the word stands for itself. What it is called may stand before it.
fn is_token(word: &str) -> bool {
    let token = word.rsplit(':').next().unwrap_or_default();
    token.starts_with(|first: char| first.is_ascii_uppercase() || "=~*$".contains(first))
}

fn is_mark(word: &str) -> bool {
    matches!(word, "[" | "]" | "<" | ">" | "|")
}

impl Argument {
    /// `name(shown):type@since!deprecated_since`; only the name must be there.
    fn named(word: &str) -> Argument {
        let (word, deprecated_since) = split_off(word, '!');
        let (word, since) = split_off(word, '@');
        let shown_and_kind = word.split_once('(').map(|(name, rest)| {
            let shown = rest.strip_suffix(')').expect("opened, but never closed");
            (name, shown, ArgumentKind::of(shown))
        });
        let (name, shown, kind) = shown_and_kind.unwrap_or_else(|| match word.split_once(':') {
            Some((name, kind)) => (name, name, ArgumentKind::named(kind)),
            None => (word, word, ArgumentKind::of(word)),
        });
        Argument {
            name: name.to_string(),
            shown: shown.to_string(),
            kind,
            token: None,
            since,
            deprecated_since,
            is_optional: false,
            is_multiple: false,
            repeats_token: false,
            arguments: Vec::new(),
        }
    }

    /// `name:TOKEN@since`; only the token must be there.
    fn pure_token(word: &str) -> Argument {
        let (word, since) = split_off(word, '@');
        let (name, token) = match word.split_once(':') {
            Some((name, token)) => (name.to_string(), token),
            None => (word.to_ascii_lowercase(), word),
        };
        Argument {
            kind: ArgumentKind::PureToken,
            token: Some(token.to_string()),
            since,
            ..Argument::named(&name)
        }
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

/// The word up to the mark, and what stands behind it.
fn split_off(word: &str, mark: char) -> (&str, Option<String>) {
    match word.split_once(mark) {
        Some((word, rest)) => (word, Some(rest.to_string())),
        None => (word, None),
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
        let token = argument.token.iter().map(|token| format!("{token}="));
        let shown = Some(&argument.shown).filter(|shown| **shown != argument.name);
        let shown = shown.map(|shown| format!("({shown})"));
        let since = argument.since.iter().map(|version| format!("@{version}"));
        let deprecated = argument.deprecated_since.iter();
        let deprecated = deprecated.map(|version| format!("!{version}"));
        let inner = match argument.arguments.as_slice() {
            [] => None,
            inner => Some(format!("({})", outline(inner))),
        };
        let marks = [
            (argument.is_optional, "?"),
            (argument.is_multiple, "+"),
            (argument.repeats_token, "+"),
        ];
        let marks = marks.into_iter().filter(|(is_set, _)| *is_set);
        token
            .chain([argument.name.clone()])
            .chain(shown)
            .chain([format!(":{}", argument.kind.name())])
            .chain(since)
            .chain(deprecated)
            .chain(inner)
            .chain(marks.map(|(_, mark)| mark.to_string()))
            .collect()
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
        check("[SCHEDULE@3.2.2]", "SCHEDULE=schedule:pure-token@3.2.2?");
        check("[COUNT count]", "COUNT=count:integer?");
        check(
            "[username@6.0.0] password",
            "username:string@6.0.0? password:string",
        );
        check("[sorting:ALPHA]", "ALPHA=sorting:pure-token?");
        check(
            "[BY by-pattern(pattern)]",
            "BY=by-pattern(pattern):pattern?",
        );
        check("[change:CH@6.2.0]", "CH=change:pure-token@6.2.0?");
    }

    #[test]
    fn alternatives() {
        check(
            "[condition@2.6.12: NX | XX]",
            "condition:oneof@2.6.12(NX=nx:pure-token XX=xx:pure-token)?",
        );
        check(
            "<where: LEFT | RIGHT>",
            "where:oneof(LEFT=left:pure-token RIGHT=right:pure-token)",
        );
        check(
            "[expiration: EX seconds@2.6.12 | KEEPTTL@6.0.0]",
            "expiration:oneof(EX=seconds:integer@2.6.12 KEEPTTL=keepttl:pure-token@6.0.0)?",
        );
        check(
            "[SKIPME <YES | NO>]",
            "SKIPME=skipme:oneof(YES=yes:pure-token NO=no:pure-token)?",
        );
        check(
            "[TYPE <client-type@5.0.0: NORMAL | PUBSUB>]",
            "TYPE=client-type:oneof@5.0.0(NORMAL=normal:pure-token PUBSUB=pubsub:pure-token)?",
        );
        check(
            "<id-selector: auto-id:* | id>",
            "id-selector:oneof(*=auto-id:pure-token id:string)",
        );
        check(
            "<filter: old-format(ip:port)!2.8.12 | ID client-id>",
            "filter:oneof(old-format(ip:port):string!2.8.12 ID=client-id:integer)",
        );
    }

    #[test]
    fn blocks() {
        check(
            "[LIMIT <offset count>]",
            "LIMIT=limit:block(offset:integer count:integer)?",
        );
        check(
            "[options: count [WITHVALUES]]",
            "options:block(count:integer WITHVALUES=withvalues:pure-token?)?",
        );
        check(
            "<by: <circle: BYRADIUS radius unit> | WHOLE>",
            "by:oneof(circle:block(BYRADIUS=radius:double unit:string) WHOLE=whole:pure-token)",
        );
        check(
            "[arguments: protover [AUTH <username password>]]",
            "arguments:block(protover:integer AUTH=auth:block(username:string password:string)?)?",
        );
    }

    #[test]
    fn repetitions() {
        check("key [key ...]", "key:key+");
        check("[section [section ...]]", "section:string?+");
        check("[ID client-id [client-id ...]]", "ID=client-id:integer?+");
        check(
            "[GET get-pattern(pattern) [GET ...]]",
            "GET=get-pattern(pattern):pattern?++",
        );
        check(
            "key <data: field value> [...]",
            "key:key data:block(field:string value:string)+",
        );
        check(
            "[CONFIG <configs: name value> [CONFIG ...]]",
            "CONFIG=configs:block(name:string value:string)?++",
        );
        check(
            "[<operation: GET encoding | SET value> [...]]",
            "operation:oneof(GET=encoding:string SET=value:string)?+",
        );
    }

    #[test]
    fn every_line_of_the_table() {
        for command in crate::command::COMMANDS.all() {
            parse(command.spec.syntax);
        }
    }
}
