//! The house rules that a machine can check: file heads, lengths and widths, layers, circles of modules, paths in the
//! README.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The layers, each of which may use only those before it.
const LAYERS: [&str; 10] = [
    "util", "resp", "lua", "types", "keyspace", "rdb", "aof", "state", "command", "server",
];

/// The layers that may use `lua`, which itself may use only those before it.
const LUA_IS_USED_BY: [&str; 4] = ["lua", "state", "command", "server"];

/// The longest a file may be, in lines; tables of data are no text to be read from top to bottom.
const MAX_LINES: usize = 700;

/// The widest that a line may be, in characters: what a web page shows without a bar to scroll.
const MAX_WIDTH: usize = 120;

/// The modules of `command` that use each other in a circle; all others are free of circles. A call names its client
/// and its entry in the table, a client has commands of the table in its queue, and the type of an entry's handler
/// names the call that it works with.
const CALLS_AND_TABLE: [&str; 5] = [
    "command::call",
    "command::registry",
    "command::session",
    "command::session::transaction",
    "command::spec",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below a folder, with their texts.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in
            fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("the file can be read");
                found.push((
                    path.strip_prefix(root())
                        .expect("it lies below the root")
                        .to_path_buf(),
                    text,
                ));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} holds no Rust files");
    found
}

/// The lines of code of a file: without comments, and without its tests, which may look wherever they like.
fn code(text: &str) -> impl Iterator<Item = &str> {
    let code = text.split("#[cfg(test)]\nmod tests {").next();
    code.unwrap_or_default()
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
}

#[test]
fn every_file_says_what_it_is() {
    let folders = ["src", "tests", "tools"];
    for (path, text) in folders.into_iter().flat_map(sources) {
        assert!(
            text.starts_with("//!"),
            "{} does not begin with //!",
            path.display()
        );
    }
}

#[test]
fn files_are_short_enough_to_be_read() {
    for (path, text) in ["src", "tests", "tools"].into_iter().flat_map(sources) {
        let lines = text.lines().count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines", path.display());
    }
}

#[test]
fn lines_are_narrow_enough_to_be_read() {
    for (path, text) in ["src", "tests", "tools"].into_iter().flat_map(sources) {
        for (index, line) in text.lines().enumerate() {
            let width = line.chars().count();
            let place = format!("{}:{}", path.display(), index + 1);
            assert!(width <= MAX_WIDTH, "{place} is {width} wide");
        }
    }
}

/// Everything else looks as rustfmt makes it.
#[test]
fn only_tables_are_laid_out_by_hand() {
    for (path, text) in ["src", "tests", "tools"].into_iter().flat_map(sources) {
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if line.trim_start().starts_with("#[rustfmt::skip]") {
                let item = lines.next().unwrap_or_default();
                let is_item = item.contains("const ") || item.contains("static ");
                let is_table = is_item && item.ends_with("[");
                assert!(is_table, "{}: no table: {item}", path.display());
            }
        }
    }
}

#[test]
fn layers_use_only_what_lies_beneath_them() {
    let rank = |name: &str| LAYERS.iter().position(|layer| *layer == name);
    for (path, text) in sources("src") {
        let Some(layer) = path.iter().nth(1).and_then(|name| name.to_str()) else {
            continue;
        };
        let Some(own) = rank(layer) else { continue };
        for line in code(&text) {
            for used in line.split("crate::").skip(1) {
                let used = used
                    .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
                    .next()
                    .unwrap_or("");
                assert!(
                    rank(used).is_none_or(|used| used <= own),
                    "{}: {layer} uses {used}: {line}",
                    path.display()
                );
            }
        }
    }
}

/// Scripts know values and bytes alone, and only commands know scripts.
#[test]
fn scripts_stand_apart() {
    for (path, text) in sources("src") {
        let layer = path.iter().nth(1).and_then(|name| name.to_str());
        let layer = layer.unwrap_or_default();
        let uses_lua = code(&text).any(|line| line.contains("crate::lua"));
        assert!(
            !uses_lua || LUA_IS_USED_BY.contains(&layer),
            "{} uses scripts",
            path.display()
        );
    }
}

/// The client shares the protocol's code with the server, and knows nothing of its insides: it works with any server.
#[test]
fn the_client_uses_the_protocol_alone() {
    for (path, text) in sources("src/bin/my_redis_client") {
        let code: Vec<&str> = code(&text).collect();
        let used = paths(&code.join("\n"));
        for used in used
            .iter()
            .filter(|used| used.starts_with("my_redis_server::"))
        {
            let module = used.split("::").nth(1);
            let is_shared = matches!(module, Some("resp" | "util"));
            assert!(is_shared, "{} uses {used}", path.display());
        }
    }
}

/// What the client writes to a terminal goes through these files, which let no control characters of servers through.
const GUARDS: [&str; 3] = ["output.rs", "terminal.rs", "wire/mod.rs"];

#[test]
fn the_client_complains_through_its_guard() {
    for (path, text) in sources("src/bin/my_redis_client") {
        let is_guard = GUARDS.iter().any(|guard| path.ends_with(guard));
        let line = code(&text).find(|line| line.contains("write_error_unguarded"));
        assert!(
            is_guard || line.is_none(),
            "{}: use complain!: {line:?}",
            path.display()
        );
    }
}

/// `print!` and its kin panic where the output cannot be written, such as on a full disk.
#[test]
fn the_client_prints_without_panicking() {
    for (path, text) in sources("src/bin/my_redis_client") {
        let macros = ["print!(", "println!("];
        let line = code(&text).find(|line| macros.iter().any(|name| line.contains(name)));
        assert!(line.is_none(), "{}: use output: {line:?}", path.display());
    }
}

/// What a command does follows from its entry's handler and flags; its name is only told.
#[test]
fn no_command_is_told_by_its_name() {
    let looks = ["==", "!=", "match ", "starts_with", "ends_with", "matches!"];
    for (path, text) in sources("src/command") {
        for line in code(&text).filter(|line| line.contains("spec.name")) {
            let is_look = looks.iter().any(|word| line.contains(word));
            assert!(!is_look, "{}: {line}", path.display());
        }
    }
}

/// The paths in some code; a group, `a::{b, c::d}`, is spread out to `a::b` and `a::c::d`.
fn paths(code: &str) -> Vec<String> {
    let is_of_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut found = Vec::new();
    let mut path = String::new();
    // What stands before each brace that is open: nothing, if it opens no group.
    let mut before = vec![String::new()];
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let end = match rest {
            _ if is_of_word(first) => rest
                .find(|letter| !is_of_word(letter))
                .unwrap_or(rest.len()),
            _ if rest.starts_with("::") => 2,
            _ => first.len_utf8(),
        };
        let (token, behind) = rest.split_at(end);
        rest = behind;
        if token == "::" || is_of_word(first) && path.ends_with("::") {
            path += token;
            continue;
        }
        let whole = std::mem::take(&mut path);
        match token {
            "{" if whole.ends_with("::") => before.push(whole.clone()),
            "{" => before.push(String::new()),
            "}" => drop(before.pop()),
            _ if is_of_word(first) => path = before.last().map_or("", |it| it).to_string() + token,
            _ => {}
        }
        if whole.contains("::") {
            found.push(whole);
        }
    }
    found
}

/// The module that a path leads into, seen from the module `own`; `None` if it is not one of these.
fn module_of(path: &str, own: &str, modules: &BTreeSet<String>) -> Option<String> {
    let mut names: Vec<&str> = own.split("::").collect();
    let mut path = path.split("::").peekable();
    match *path.peek()? {
        "crate" => names.clear(),
        "self" | "super" => {}
        child if modules.contains(&format!("{own}::{child}")) => {}
        _ => return None,
    }
    for name in path {
        match name {
            "crate" | "self" => {}
            "super" => drop(names.pop()),
            name => names.push(name),
        }
    }
    while !names.is_empty() && !modules.contains(&names.join("::")) {
        names.pop();
    }
    Some(names.join("::")).filter(|name| !name.is_empty() && name != own)
}

/// The modules below `src/command`, and which others of them each uses.
fn uses_of_command() -> BTreeMap<String, BTreeSet<String>> {
    let module = |path: &Path| {
        let path = path.with_extension("");
        let path = path.strip_prefix("src").expect("it lies in src").to_str();
        let path = path.expect("its name is text").replace('/', "::");
        path.strip_suffix("::mod").unwrap_or(&path).to_string()
    };
    let files = sources("src/command");
    let modules: BTreeSet<String> = files.iter().map(|(path, _)| module(path)).collect();
    let uses = files.iter().map(|(path, text)| {
        let own = module(path);
        let lines: Vec<&str> = code(text).collect();
        // Where something may be seen is no use of it.
        let code = lines.join("\n").replace("pub(in crate::command)", "pub");
        let used = paths(&code)
            .into_iter()
            .filter_map(|path| module_of(&path, &own, &modules))
            .collect();
        (own, used)
    });
    uses.collect()
}

/// The modules that a module uses, and those that they use, and so on; itself only if it is in a circle.
fn reached_from<'a>(
    module: &str,
    uses: &'a BTreeMap<String, BTreeSet<String>>,
) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&str> = uses[module].iter().map(String::as_str).collect();
    while let Some(module) = next.pop() {
        if reached.insert(module) {
            next.extend(uses[module].iter().map(String::as_str));
        }
    }
    reached
}

/// A module in a circle is understood only together with all others of the circle.
#[test]
fn no_modules_of_commands_use_each_other_in_a_circle() {
    let uses = uses_of_command();
    let reached: BTreeMap<&str, BTreeSet<&str>> = uses
        .keys()
        .map(|module| (module.as_str(), reached_from(module, &uses)))
        .collect();
    let circle_of = |module| -> BTreeSet<&str> {
        let others = reached[module].iter().copied();
        others
            .filter(|other| reached[other].contains(module))
            .collect()
    };
    let circles: BTreeSet<_> = reached.keys().copied().map(circle_of).collect();
    for circle in circles.iter().filter(|circle| !circle.is_empty()) {
        let uses: Vec<String> = circle
            .iter()
            .flat_map(|module| uses[*module].iter().map(move |used| (module, used)))
            .filter(|(_, used)| circle.contains(used.as_str()))
            .map(|(module, used)| format!("{module} uses {used}"))
            .collect();
        assert!(circle.iter().eq(&CALLS_AND_TABLE), "{}", uses.join("\n"));
    }
    assert!(
        circles
            .iter()
            .any(|circle| circle.iter().eq(&CALLS_AND_TABLE)),
        "the circle that is allowed has become smaller"
    );
}

#[test]
fn the_paths_that_the_readme_names_exist() {
    let readme = fs::read_to_string(root().join("README.md")).expect("there is a README.md");
    let named = readme.split('`').skip(1).step_by(2);
    let is_path = |text: &&str| {
        ["src/", "tests/", "tools/", ".ci/"]
            .iter()
            .any(|folder| text.starts_with(folder))
            && !text.contains([' ', '<'])
    };
    for path in named.filter(is_path) {
        assert!(
            root().join(path).exists(),
            "README.md names {path}, which does not exist"
        );
    }
}
