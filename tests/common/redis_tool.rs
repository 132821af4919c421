//! The tools of the Redis distribution.

use std::process::Command;

/// A tool of the Redis distribution.
pub fn redis_tool(name: &str) -> Command {
    let found = Command::new(name).arg("--version").output().is_ok();
    assert!(
        found,
        "{name} is needed: apt-get install redis-server redis-tools (tools/test.sh does it)"
    );
    Command::new(name)
}
