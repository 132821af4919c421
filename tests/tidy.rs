//! The house rules that a machine can check: file heads, lengths and widths, layers, paths in the README.

use std::fs;
use std::path::{Path, PathBuf};

/// The layers, each of which may use only those before it.
const LAYERS: [&str; 8] = [
    "util", "resp", "types", "keyspace", "rdb", "state", "command", "server",
];

/// The longest a file may be, in lines; tables of data are no text to be read from top to bottom.
const MAX_LINES: usize = 700;

/// The widest that a line may be, in characters: what a web page shows without a bar to scroll.
const MAX_WIDTH: usize = 120;

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
                let is_table = item.contains("const ") && item.ends_with("[");
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
        // Tests may look wherever they like.
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for line in code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
        {
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
