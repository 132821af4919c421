//! COMMAND: what there is to know about the commands, from the table.

use crate::command::admin::syntax::{self, Argument, ArgumentKind};
use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::registry::Command;
use crate::command::spec::*;
use crate::util::glob;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "command", arity: -1, handler: CallableContainer(all, COMMAND),
        flags: flags(&[LOADING, STALE, CAT_CONNECTION]), group: Group::Server, since: "2.8.13",
        summary: "Returns detailed information about all commands.",
        complexity: "O(N) where N is the total number of Redis commands", tips: &["nondeterministic_output_order"],
        ..BASE },
];

#[rustfmt::skip]
const COMMAND: &[CommandSpec] = &[
    CommandSpec { name: "count", arity: 2, handler: NoLock(count),
        flags: flags(&[LOADING, STALE, CAT_CONNECTION]), group: Group::Server, since: "2.8.13",
        summary: "Returns a count of commands.", ..BASE },
    CommandSpec { name: "docs", arity: -2, handler: NoLock(docs),
        flags: flags(&[LOADING, STALE, CAT_CONNECTION]), group: Group::Server, since: "7.0.0",
        syntax: "[command-name [command-name ...]]",
        summary: "Returns documentary information about one, multiple or all commands.",
        complexity: "O(N) where N is the number of commands to look up", tips: &["nondeterministic_output_order"],
        ..BASE },
    CommandSpec { name: "info", arity: -2, handler: NoLock(info),
        flags: flags(&[LOADING, STALE, CAT_CONNECTION]), group: Group::Server, since: "2.8.13",
        syntax: "[command-name [command-name ...]]",
        summary: "Returns information about one, multiple or all commands.",
        complexity: "O(N) where N is the number of commands to look up",
        history: &[("7.0.0", "Allowed to be called with no argument to get info on all commands.")],
        tips: &["nondeterministic_output_order"], ..BASE },
    CommandSpec { name: "list", arity: -2, handler: NoLock(list),
        flags: flags(&[LOADING, STALE, CAT_CONNECTION]), group: Group::Server, since: "7.0.0",
        syntax: "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
        summary: "Returns a list of command names.", complexity: "O(N) where N is the total number of Redis commands",
        tips: &["nondeterministic_output_order"], ..BASE },
    CommandSpec { name: "getkeys", arity: -3, handler: NoLock(getkeys),
        flags: flags(&[LOADING, STALE, CAT_CONNECTION]), group: Group::Server, since: "2.8.13",
        syntax: "command [arg [arg ...]]", summary: "Extracts the key names from an arbitrary command.",
        complexity: "O(N) where N is the number of arguments to the command", ..BASE },
    CommandSpec { name: "getkeysandflags", arity: -3, handler: NoLock(getkeysandflags),
        flags: flags(&[LOADING, STALE, CAT_CONNECTION]), group: Group::Server, since: "7.0.0",
        syntax: "command [arg [arg ...]]", summary: "Extracts the key names and access flags for an arbitrary command.",
        complexity: "O(N) where N is the number of arguments to the command", ..BASE },
    CommandSpec { name: "help", arity: 2, handler: NoLock(command_help),
        flags: flags(&[LOADING, STALE, CAT_CONNECTION]), group: Group::Server, since: "5.0.0",
        summary: "Returns helpful text about the different subcommands.", ..BASE },
];

/// COMMAND alone: what INFO says of each command.
fn all(call: &mut Call) -> CommandResult {
    let commands = call.commands.top_level();
    call.reply.array(commands.len());
    commands.for_each(|command| reply_info(call, command));
    Ok(())
}

/// How many commands there are, subcommands not counted.
fn count(call: &mut Call) -> CommandResult {
    call.reply.count(call.commands.top_level().len());
    Ok(())
}

/// ```text
/// > COMMAND INFO get nothing
/// 1)  1) "get"
///     2) (integer) 2
///     3) 1) readonly
///        2) fast
///     4) (integer) 1
///     5) (integer) 1
///     6) (integer) 1
///     7) 1) @read
///        2) @string
///        3) @fast
///     8) (empty array)
///     9) 1) 1) "flags"
///           2) 1) RO
///              2) access
///           3) "begin_search"
///           4) 1) "type"
///              2) "index"
///              3) "spec"
///              4) 1) "index"
///                 2) (integer) 1
///           5) "find_keys"
///           6) 1) "type"
///              2) "range"
///              3) "spec"
///              4) 1) "lastkey"
///                 2) (integer) 0
///                 3) "keystep"
///                 4) (integer) 1
///                 5) "limit"
///                 6) (integer) 0
///    10) (empty array)
/// 2) (nil)
/// ```
fn info(call: &mut Call) -> CommandResult {
    if call.arguments.len() == 2 {
        return all(call);
    }
    call.reply.array(call.arguments.len() - 2);
    for name in &call.arguments[2..] {
        match call.commands.find_shown(name) {
            Some(command) => reply_info(call, command),
            None => call.reply.null(),
        }
    }
    Ok(())
}

fn reply_info(call: &mut Call, command: &Command) {
    let spec = command.spec;
    let (first, last, step) = key_range(spec);
    call.reply.array(10);
    call.reply.bulk(command.full_name().as_bytes());
    call.reply.integer(spec.arity.into());
    reply_statuses(call, spec.all_flags().names());
    call.reply.integer(first);
    call.reply.integer(last);
    call.reply.integer(step);
    reply_statuses(call, spec.categories().into_iter());
    call.reply.set(spec.tips.len());
    spec.tips
        .iter()
        .for_each(|tip| call.reply.bulk(tip.as_bytes()));
    call.reply.set(spec.keys.len());
    spec.keys.iter().for_each(|keys| reply_key_spec(call, keys));
    let subcommands = call.commands.subcommands(spec);
    // As in Redis, an empty set, or an array.
    match subcommands.len() {
        0 => call.reply.set(0),
        count => call.reply.array(count),
    }
    subcommands
        .iter()
        .for_each(|subcommand| reply_info(call, subcommand));
}

/// The places of the keys as clients from before key specifications know them: index of the first, index of the last,
/// and the step between them. Several ranges that adjoin are one; others are left out.
fn key_range(spec: &CommandSpec) -> (i64, i64, i64) {
    let ranges = spec.keys.iter().filter_map(|keys| match keys.places {
        KeyPlaces::Range { first, last, step } => Some((first as i64, last as i64, step as i64)),
        _ => None,
    });
    ranges
        .reduce(|range, next| (range.0, next.1, 1))
        .unwrap_or((0, 0, 0))
}

/// <https://redis.io/docs/reference/key-specs/>
fn reply_key_spec(call: &mut Call, keys: &KeySpec) {
    let has_notes = !keys.notes.is_empty();
    call.reply.map(3 + usize::from(has_notes));
    if has_notes {
        call.reply.bulk(b"notes");
        call.reply.bulk(keys.notes.as_bytes());
    }
    call.reply.bulk(b"flags");
    reply_statuses(call, keys.flags.names());
    call.reply.bulk(b"begin_search");
    match keys.places {
        KeyPlaces::Range { first: index, .. } | KeyPlaces::Counted { count: index } => {
            reply_search(call, "index", 1);
            reply_number(call, "index", index as i32);
        }
        KeyPlaces::AfterWord { word, from } | KeyPlaces::HalfAfterWord { word, from, .. } => {
            reply_search(call, "keyword", 2);
            reply_text(call, "keyword", word);
            reply_number(call, "startfrom", from as i32);
        }
        KeyPlaces::Patterns | KeyPlaces::Sought(_) => reply_search(call, "unknown", 0),
    }
    call.reply.bulk(b"find_keys");
    // The numbers count from where the search begins.
    let (kind, numbers) = match keys.places {
        KeyPlaces::Range { first, last, step } => {
            let last = if last < 0 { last } else { last - first as i32 };
            let numbers = vec![("lastkey", last), ("keystep", step as i32), ("limit", 0)];
            ("range", numbers)
        }
        KeyPlaces::AfterWord { .. } => {
            let numbers = vec![("lastkey", 0), ("keystep", 1), ("limit", 0)];
            ("range", numbers)
        }
        KeyPlaces::HalfAfterWord { .. } => {
            let numbers = vec![("lastkey", -1), ("keystep", 1), ("limit", 2)];
            ("range", numbers)
        }
        KeyPlaces::Counted { .. } => {
            let numbers = vec![("keynumidx", 0), ("firstkey", 1), ("keystep", 1)];
            ("keynum", numbers)
        }
        KeyPlaces::Patterns | KeyPlaces::Sought(_) => ("unknown", Vec::new()),
    };
    reply_search(call, kind, numbers.len());
    for (name, number) in numbers {
        reply_number(call, name, number);
    }
}

/// How a search works, without its parameters; `parameters` is their number.
fn reply_search(call: &mut Call, kind: &str, parameters: usize) {
    call.reply.map(2);
    reply_text(call, "type", kind);
    call.reply.bulk(b"spec");
    call.reply.map(parameters);
}

fn reply_number(call: &mut Call, name: &str, number: i32) {
    call.reply.bulk(name.as_bytes());
    call.reply.integer(number.into());
}

fn reply_statuses(call: &mut Call, names: impl Iterator<Item = &'static str>) {
    let names: Vec<&str> = names.collect();
    call.reply.set(names.len());
    names.iter().for_each(|name| call.reply.simple(name));
}

/// What people should know.
///
/// ```text
/// > COMMAND DOCS hdel nothing
/// 1) "hdel"
/// 2)  1) "summary"
///     2) "Deletes one or more fields and their values from a hash. Deletes the hash if no fields remain."
///     3) "since"
///     4) "2.0.0"
///     5) "group"
///     6) "hash"
///     7) "complexity"
///     8) "O(N) where N is the number of fields to be removed."
///     9) "history"
///    10) 1) 1) "2.4.0"
///           2) "Accepts multiple `field` arguments."
///    11) "arguments"
///    12) 1) 1) "name"
///           2) "key"
///           3) "type"
///           4) "key"
///           5) "display_text"
///           6) "key"
///           7) "key_spec_index"
///           8) (integer) 0
///        2) 1) "name"
///           2) "field"
///           3) "type"
///           4) "string"
///           5) "display_text"
///           6) "field"
///           7) "flags"
///           8) 1) multiple
/// ```
fn docs(call: &mut Call) -> CommandResult {
    let commands: Vec<&Command> = match &call.arguments[2..] {
        [] => call.commands.top_level().collect(),
        names => names
            .iter()
            .filter_map(|name| call.commands.find_shown(name))
            .collect(),
    };
    call.reply.map(commands.len());
    commands
        .into_iter()
        .for_each(|command| reply_docs(call, command));
    Ok(())
}

fn reply_docs(call: &mut Call, command: &Command) {
    let spec = command.spec;
    let arguments = syntax::parse(spec.syntax);
    let subcommands = call.commands.subcommands(spec);
    let optional_entries = [
        (1, !spec.complexity.is_empty()),
        (1, spec.is_internal),
        (3, spec.deprecated.is_some()),
        (1, !spec.history.is_empty()),
        (1, !arguments.is_empty()),
        (1, !subcommands.is_empty()),
    ];
    let optional_entries = optional_entries.iter().filter(|(_, is_there)| *is_there);
    call.reply.bulk(command.full_name().as_bytes());
    call.reply
        .map(3 + optional_entries.map(|(count, _)| count).sum::<usize>());
    reply_text(call, "summary", spec.summary);
    reply_text(call, "since", spec.since);
    reply_text(call, "group", spec.group.name());
    if !spec.complexity.is_empty() {
        reply_text(call, "complexity", spec.complexity);
    }
    if spec.is_internal {
        call.reply.bulk(b"doc_flags");
        reply_statuses(call, ["syscmd"].into_iter());
    }
    if let Some((version, replacement)) = spec.deprecated {
        call.reply.bulk(b"doc_flags");
        reply_statuses(call, ["deprecated"].into_iter());
        reply_text(call, "deprecated_since", version);
        reply_text(call, "replaced_by", replacement);
    }
    if !spec.history.is_empty() {
        call.reply.bulk(b"history");
        call.reply.set(spec.history.len());
        for (version, change) in spec.history {
            call.reply.array(2);
            call.reply.bulk(version.as_bytes());
            call.reply.bulk(change.as_bytes());
        }
    }
    if !arguments.is_empty() {
        call.reply.bulk(b"arguments");
        reply_arguments(call, &arguments, &mut KeySpecs::new(spec));
    }
    if !subcommands.is_empty() {
        call.reply.bulk(b"subcommands");
        call.reply.map(subcommands.len());
        subcommands
            .into_iter()
            .for_each(|subcommand| reply_docs(call, subcommand));
    }
}

fn reply_text(call: &mut Call, name: &str, text: &str) {
    call.reply.bulk(name.as_bytes());
    call.reply.bulk(text.as_bytes());
}

/// The numbers of the key specifications that describe the keys among the arguments.
struct KeySpecs {
    /// Of the next key. Each is described by the specification at its place; the last one may describe several.
    next: usize,
    last: Option<usize>,
    /// Of all patterns that make names of keys.
    patterns: Option<usize>,
}

impl KeySpecs {
    fn new(spec: &CommandSpec) -> KeySpecs {
        let is_pattern = |keys: &KeySpec| matches!(keys.places, KeyPlaces::Patterns);
        KeySpecs {
            next: 0,
            last: spec.keys.len().checked_sub(1),
            patterns: spec.keys.iter().position(is_pattern),
        }
    }

    fn of(&mut self, kind: ArgumentKind) -> Option<usize> {
        match kind {
            ArgumentKind::Pattern => self.patterns,
            ArgumentKind::Key => {
                let number = self.last?.min(self.next);
                self.next = number + 1 + usize::from(self.patterns == Some(number + 1));
                Some(number)
            }
            _ => None,
        }
    }
}

fn reply_arguments(call: &mut Call, arguments: &[Argument], key_specs: &mut KeySpecs) {
    call.reply.array(arguments.len());
    for argument in arguments {
        let is_simple = argument.arguments.is_empty();
        let key_spec = key_specs.of(argument.kind);
        let flags = argument.flags();
        let texts = [
            ("token", &argument.token),
            ("since", &argument.since),
            ("deprecated_since", &argument.deprecated_since),
        ];
        let texts = texts
            .into_iter()
            .filter_map(|(name, text)| Some((name, text.as_ref()?)));
        let others = [key_spec.is_some(), !flags.is_empty()];
        let others = others.iter().filter(|is_there| **is_there).count();
        // An argument of several has these instead of a text to display.
        call.reply.map(3 + texts.clone().count() + others);
        reply_text(call, "name", &argument.name);
        reply_text(call, "type", argument.kind.name());
        if is_simple {
            reply_text(call, "display_text", &argument.shown);
        }
        if let Some(index) = key_spec {
            call.reply.bulk(b"key_spec_index");
            call.reply.count(index);
        }
        texts.for_each(|(name, text)| reply_text(call, name, text));
        if !flags.is_empty() {
            call.reply.bulk(b"flags");
            reply_statuses(call, flags.into_iter());
        }
        if !is_simple {
            call.reply.bulk(b"arguments");
            reply_arguments(call, &argument.arguments, key_specs);
        }
    }
}

/// Names of commands and subcommands.
///
/// ```text
/// > COMMAND LIST FILTERBY PATTERN hsetn*
/// 1) "hsetnx"
/// > COMMAND LIST FILTERBY COLOUR red
/// (error) ERR syntax error
/// ```
fn list(call: &mut Call) -> CommandResult {
    let is_listed: Box<dyn Fn(&Command) -> bool> = match call.arguments.len() {
        2 => Box::new(|_| true),
        5 if call.is_word(2, "FILTERBY") => {
            let value = call.argument(4);
            match call.word(3).as_str() {
                // There are no modules, so no command is of one.
                "MODULE" => Box::new(|_| false),
                "ACLCAT" => Box::new(|command| {
                    let categories = command.spec.categories();
                    let mut names = categories.iter().map(|category| &category.as_bytes()[1..]);
                    names.any(|name| name.eq_ignore_ascii_case(value))
                }),
                "PATTERN" => Box::new(|command| {
                    let name = command.full_name();
                    glob::matches_ignore_case(value, name.as_bytes())
                }),
                _ => return Err(CommandError::Syntax),
            }
        }
        _ => return Err(CommandError::Syntax),
    };
    let listed = call.commands.shown().into_iter();
    let listed = listed.filter(|command| is_listed(command));
    let names: Vec<String> = listed.map(Command::full_name).collect();
    call.reply.array(names.len());
    names
        .iter()
        .for_each(|name| call.reply.bulk(name.as_bytes()));
    Ok(())
}

/// ```text
/// > COMMAND GETKEYS MSET a 1 b 2
/// 1) "a"
/// 2) "b"
/// > COMMAND GETKEYS PING hello
/// (error) ERR The command has no key arguments
/// > COMMAND GETKEYS NOTHING k
/// (error) ERR Invalid command specified
/// ```
fn getkeys(call: &mut Call) -> CommandResult {
    let keys = keys_of_request(call)?;
    call.reply.array(keys.len());
    keys.into_iter().for_each(|(key, _)| call.reply.bulk(key));
    Ok(())
}

/// ```text
/// > COMMAND GETKEYSANDFLAGS SET k v GET
/// 1) 1) "k"
///    2) 1) RW
///       2) access
///       3) update
/// ```
fn getkeysandflags(call: &mut Call) -> CommandResult {
    let keys = keys_of_request(call)?;
    call.reply.array(keys.len());
    for (key, flags) in keys {
        call.reply.array(2);
        call.reply.bulk(key);
        reply_statuses(call, flags.names());
    }
    Ok(())
}

/// The keys in the request that the arguments are, each with what will happen to it.
fn keys_of_request<'a>(call: &Call<'a>) -> Result<Vec<(&'a [u8], KeyFlags)>, CommandError> {
    let request = &call.arguments[2..];
    let command = call.commands.of_request(request);
    let command = command.map_err(|_| CommandError::err("Invalid command specified"))?;
    let spec = command.spec;
    if spec.keys.is_empty() {
        return Err(CommandError::err("The command has no key arguments"));
    }
    if !spec.accepts(request.len()) {
        return Err(CommandError::err(
            "Invalid number of arguments specified for command",
        ));
    }
    let invalid = || CommandError::err("Invalid arguments specified for command");
    let mut found = Vec::new();
    for keys in spec.keys {
        if let KeyPlaces::HalfAfterWord { word, from, .. } = keys.places {
            let names = half_after_word(request, word, from).ok_or_else(invalid)?;
            let flags = keys.flags_in(request);
            found.extend(names.iter().map(|name| (*name, flags)));
            continue;
        }
        let indexes = match keys.indexes(request) {
            Some(indexes) => indexes,
            None if spec.has(NO_MANDATORY_KEYS) => continue,
            None => return Err(invalid()),
        };
        let flags = keys.flags_in(request);
        // A word may come with every key again, or not at all.
        let (least, most) = match keys.places {
            KeyPlaces::Range { .. } | KeyPlaces::Counted { .. } => (1, usize::MAX),
            _ => (0, 1),
        };
        let before = found.len();
        found.extend(indexes.take(most).map(|index| (request[index], flags)));
        if found.len() < before + least {
            return Err(invalid());
        }
    }
    Ok(found)
}

/// The first half of what stands behind the first such word from this index on. As in Redis, what looks like the word
/// may be something else; the executor looks closer.
fn half_after_word<'a>(request: &'a [&'a [u8]], word: &str, from: usize) -> Option<&'a [&'a [u8]]> {
    let is_word = |argument: &&[u8]| argument.eq_ignore_ascii_case(word.as_bytes());
    let behind = from + 1 + request.get(from..)?.iter().position(is_word)?;
    let half = (request.len() - behind) / 2;
    Some(&request[behind..behind + half])
}

fn command_help(call: &mut Call) -> CommandResult {
    call.help(&[
        "(no subcommand)",
        "    Return details about all Redis commands.",
        "COUNT",
        "    Return the total number of commands in this Redis server.",
        "LIST",
        "    Return a list of all commands in this Redis server.",
        "INFO [<command-name> ...]",
        "    Return details about multiple Redis commands.",
        "    If no command names are given, documentation details for all",
        "    commands are returned.",
        "DOCS [<command-name> ...]",
        "    Return documentation details about multiple Redis commands.",
        "    If no command names are given, documentation details for all",
        "    commands are returned.",
        "GETKEYS <full-command>",
        "    Return the keys from a full Redis command.",
        "GETKEYSANDFLAGS <full-command>",
        "    Return the keys and the access flags from a full Redis command.",
    ]);
    Ok(())
}
