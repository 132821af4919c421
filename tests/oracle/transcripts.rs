//! Every handler's comment holds a session with redis-cli. Here each is played to our server and to a real
//! redis-server, and both must answer as the comment says.

use crate::common::{Client, Folder, Server, strings};
use my_redis_server::resp::decoder::Value;
use my_redis_server::resp::pretty::pretty;
use my_redis_server::util::quoting::split_arguments;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Sessions that the real server, 7.0, does not have so, and why.
const NOT_IN_7_0: &[(&str, &str)] = &[
    (
        "mod::cat",
        "Redis lists commands in the order of a hash table",
    ),
    ("mod::dryrun", "7.0 does not name the user"),
    (
        "users::getuser",
        "7.0 tells of rules in another order, and not of `sanitize-payload`",
    ),
    ("users::list", "7.0 does not tell of `sanitize-payload`"),
    ("client::setinfo", "new in 7.2"),
    ("client::no_touch", "new in 7.2"),
    ("eval::debug", "this server has no debugger of scripts"),
    (
        "introspection::docs",
        "7.0 has other words, no display texts, but the complexity",
    ),
    ("lookup::zrank", "WITHSCORE is new in 7.2"),
    ("lookup::zrevrank", "WITHSCORE is new in 7.2"),
    ("replication::waitaof", "new in 7.2"),
    ("server::lolwut", "it tells the version"),
];

/// The exception that one start of the real server in 120 does not need: its hash table happens to hold the five
/// commands of the session in our order.
const SAME_BY_CHANCE: &str = "mod::cat";

/// Handlers without a session, because their replies depend on the time, the machine or the history of the server, or
/// are long tables; the other tests compare them with the real server.
const WITHOUT_SESSION: &[&str] = &[
    "append_only::load",
    "client::client_help",
    "client::client_info",
    "client::id",
    "client::list",
    "config::config_help",
    "crash::abort",
    "eval::help",
    "function::dump",
    "function::help",
    "generic::object_help",
    "group::help",
    "info::help",
    "mod::debug_help",
    "mod::shard",
    "mod::unknown",
    "mod::info",
    "introspection::all",
    "introspection::command_help",
    "introspection::count",
    "mod::doctor",
    "mod::help",
    "memory::doctor",
    "memory::malloc_stats",
    "memory::memory_help",
    "memory::stats",
    "module::help",
    "persistence::bgsave",
    "persistence::lastsave",
    "pubsub::pubsub_help",
    "replication::sync",
    "server::time",
    "slowlog::help",
];

/// What is typed and what is shown then.
#[derive(Default)]
struct Session {
    steps: Vec<(String, String)>,
}

impl Session {
    /// The lines of a block in a comment. A line too wide for the file goes on in the next, behind ` \`.
    fn parse(lines: &[&str]) -> Session {
        let mut session = Session::default();
        for line in lines.join("\n").replace(" \\\n", " ").lines() {
            match (line.strip_prefix("> "), session.steps.last_mut()) {
                (Some(typed), _) => session.steps.push((typed.to_string(), String::new())),
                (None, Some((_, shown))) => {
                    shown.push_str(line);
                    shown.push('\n');
                }
                (None, None) => {}
            }
        }
        session
    }

    /// Whether the server is of no use to other sessions after this one.
    fn spoils_the_server(&self) -> bool {
        let spoils = ["CONFIG SET", "SHUTDOWN"];
        self.steps
            .iter()
            .any(|(typed, _)| spoils.iter().any(|command| typed.starts_with(command)))
    }

    /// Types everything; the steps with what is shown really.
    fn play(&self, server: &Server) -> Session {
        let mut client = server.client();
        client.call(&["FLUSHALL"]);
        client.call(&["FUNCTION", "FLUSH"]);
        for user in strings(client.call(&["ACL", "USERS"])) {
            // The user `default` stays.
            client.call(&[&b"ACL"[..], b"DELUSER", &user]);
        }
        let mut played = Session::default();
        for (typed, _) in &self.steps {
            let words = split_arguments(typed.as_bytes()).expect("the quotes are balanced");
            client.send(&words);
            let shown = client.try_receive().map(|reply| pretty(&reply));
            let shown = String::from_utf8(shown.unwrap_or_default()).expect("replies are quoted");
            played.steps.push((typed.clone(), shown));
        }
        end_subscriptions(client);
        played
    }

    fn text(&self) -> String {
        let steps = self.steps.iter();
        steps
            .map(|(typed, shown)| format!("> {typed}\n{shown}"))
            .collect()
    }
}

/// Makes the server forget what the client listens to: it notices the end of a connection when it likes, and until then
/// the messages of the next session have one more receiver.
fn end_subscriptions(mut client: Client) {
    if client.try_send(&["RESET"]).is_ok() {
        let reset = Value::Simple("RESET".into());
        while client.try_receive().is_some_and(|reply| reply != reset) {}
    }
}

/// The handlers in the table and the sessions in their comments, by `file::function`.
fn handlers() -> BTreeMap<String, Vec<Session>> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/command")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the folder can be read") {
            let path = entry.expect("the folder can be read").path();
            let kind = if path.is_dir() {
                &mut folders
            } else {
                &mut files
            };
            kind.push(path);
        }
    }
    let mut registered = BTreeSet::new();
    let mut documented = BTreeMap::new();
    for path in files {
        let text = std::fs::read_to_string(&path).expect("it is text");
        let file = path
            .file_stem()
            .expect("it has a name")
            .to_string_lossy()
            .into_owned();
        registered.extend(registered_handlers(&text, &file));
        for (function, sessions) in documented_functions(&text) {
            documented.insert(format!("{file}::{function}"), sessions);
        }
    }
    let found: BTreeMap<_, _> = documented
        .into_iter()
        .filter(|(function, _)| registered.contains(function))
        .collect();
    assert!(
        found.len() > 80,
        "the sources are read wrongly: {}",
        found.len()
    );
    found
}

/// Names of functions that a table makes handlers, `handler: Read(get)`, or a choice by arguments,
/// `Handler::Read(get)`; or `Handler::Read(file::get)` if they stand in another file.
fn registered_handlers(text: &str, file: &str) -> BTreeSet<String> {
    let in_table = text.split("handler: ").skip(1);
    let by_arguments = text.split("Handler::").skip(1);
    in_table
        .chain(by_arguments)
        .filter(|entry| !entry.starts_with("ByArguments"))
        .filter_map(|entry| {
            let inner = entry.split_once('(')?.1.split_once([')', ','])?.0;
            let is_function = inner.starts_with(|first: char| first.is_ascii_lowercase());
            is_function.then(|| match inner.contains("::") {
                true => inner.to_string(),
                false => format!("{file}::{inner}"),
            })
        })
        .collect()
}

/// All functions with the sessions in the comments before them.
fn documented_functions(text: &str) -> Vec<(String, Vec<Session>)> {
    let mut functions = Vec::new();
    let mut comment: Vec<&str> = Vec::new();
    for line in text.lines() {
        if let Some(words) = line.strip_prefix("///") {
            comment.push(words.strip_prefix(' ').unwrap_or(words));
        } else if line.starts_with("//") || line.starts_with("#[") {
            // An attribute and its reason stand between the comment and the function.
        } else if let Some(rest) = line
            .strip_prefix("pub(super) ")
            .unwrap_or(line)
            .strip_prefix("fn ")
        {
            let name = rest.split(['(', '<']).next().unwrap_or_default();
            functions.push((name.to_string(), sessions(&comment)));
            comment.clear();
        } else {
            comment.clear();
        }
    }
    functions
}

fn sessions(comment: &[&str]) -> Vec<Session> {
    let blocks = comment.split(|line| *line == "```text").skip(1);
    blocks
        .map(|block| {
            let end = block.iter().position(|line| *line == "```");
            Session::parse(&block[..end.expect("the block ends")])
        })
        .collect()
}

/// Plays all sessions to a server that `start` starts; how those that differ went.
fn play_all(start: impl Fn() -> Server, is_left_out: impl Fn(&str) -> bool) -> String {
    let mut server = start();
    let mut differences = String::new();
    for (handler, sessions) in handlers() {
        if is_left_out(&handler) {
            continue;
        }
        for session in sessions {
            let played = session.play(&server);
            if played.text() != session.text() {
                differences += &format!(
                    "---- {handler} says\n{}---- but it is\n{}",
                    session.text(),
                    played.text()
                );
            }
            if session.spoils_the_server() {
                server = start();
            }
        }
    }
    differences
}

#[test]
fn our_server_answers_as_the_comments_say() {
    let folder = Folder::new();
    let start = || Server::ours(&folder, &["--save", "", "--enable-debug-command", "yes"]);
    let differences = play_all(start, |_| false);
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn redis_answers_as_the_comments_say() {
    let folder = Folder::new();
    let start = || {
        Server::real(
            &folder,
            &["--databases", "1", "--enable-debug-command", "yes"],
        )
    };
    let is_new = |handler: &str| NOT_IN_7_0.iter().any(|(name, _)| *name == handler);
    let differences = play_all(start, is_new);
    assert!(differences.is_empty(), "{differences}");
    // No exception is made that is not needed.
    let always_differ = |(name, _): &&(&str, &str)| *name != SAME_BY_CHANCE;
    for (name, _) in NOT_IN_7_0.iter().filter(always_differ) {
        let differences = play_all(start, |handler| handler != *name);
        assert!(!differences.is_empty(), "{name} is the same in 7.0");
    }
}

#[test]
fn every_handler_has_a_session() {
    let handlers = handlers();
    for (handler, sessions) in &handlers {
        assert_eq!(
            sessions.is_empty(),
            WITHOUT_SESSION.contains(&handler.as_str()),
            "{handler}"
        );
    }
    for name in WITHOUT_SESSION
        .iter()
        .chain(NOT_IN_7_0.iter().map(|(name, _)| name))
    {
        assert!(handlers.contains_key(*name), "{name} is no handler");
    }
}
