//! The tools of the Redis distribution. Their answers are those of one version, so no other will do.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// The version that the tests compare with. The file is read by `tools/install_redis.sh` too.
const VERSION: &str = include_str!("../../tools/redis_version");

/// A tool of the Redis distribution, of the right version.
pub fn redis_tool(name: &str) -> Command {
    static CHECKED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    // A test that has found the wrong version leaves the set as it was.
    let mut checked = CHECKED.lock().unwrap_or_else(PoisonError::into_inner);
    if !checked.contains(name) {
        // redis-check-aof does not tell its version. It is the program redis-server, by another name.
        let told_by = match name {
            "redis-check-aof" => "redis-server",
            name => name,
        };
        if let Err(complaint) = check_version(told_by) {
            panic!("{complaint}; tools/install_redis.sh installs it, or says where to get it");
        }
        checked.insert(name.to_string());
    }
    Command::new(name)
}

/// What is wrong with the tool, if there is something.
fn check_version(name: &str) -> Result<(), String> {
    let wanted = VERSION.trim();
    let output = Command::new(name).arg("--version").output();
    let output = output.map_err(|error| format!("{name} {wanted} is needed: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    match version(&said) {
        Some(found) if found == wanted => Ok(()),
        _ => Err(format!(
            "the tests need {name} {wanted}, whose answers they know, but found \"{}\"",
            said.trim()
        )),
    }
}

/// The version in `Redis server v=7.0.15 sha=00000000:0 ...` or `redis-cli 7.0.15`.
fn version(said: &str) -> Option<&str> {
    let words = said.split_whitespace();
    let mut words = words.map(|word| word.strip_prefix("v=").unwrap_or(word));
    words.find(|word| word.starts_with(|first: char| first.is_ascii_digit()))
}

#[test]
fn versions_are_found_in_what_the_tools_say() {
    for (said, found) in [
        (
            "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=ae4d7c971a948f0\n",
            Some("7.0.15"),
        ),
        ("redis-cli 7.0.15\n", Some("7.0.15")),
        ("redis-cli 7.2.4 (git:1234abcd)\n", Some("7.2.4")),
        ("redis-server: not found\n", None),
    ] {
        assert_eq!(version(said), found, "{said}");
    }
}
